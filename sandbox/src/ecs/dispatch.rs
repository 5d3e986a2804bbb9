//! What the service scheduler has decided, done: tasks are started and stopped, and the events say so.
//! How many and which ones is decided in `scheduler`.

use serde_json::{Map, Value};

use super::{
    definition, events, failures,
    instance::Rules,
    launch::{self, Order},
    task,
};
use crate::state::{
    Here,
    ecs::{Tags, last},
};

/// Starts tasks of the deployment that is the `at`th, from the newest.
pub(super) fn start(here: &mut Here<'_>, arn: &str, at: usize, count: usize) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let replaced = std::mem::take(&mut service.replaced);
    let Some(wanted) = service.deployments.get(at).map(|one| one.definition.clone()) else {
        return;
    };
    let Some(found) = definition::find(here, &wanted).cloned() else { return };
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(own) = service.deployments.get(at) else { return };
    let text = |map: &Map<String, Value>, member: &str| {
        map.get(member).and_then(Value::as_str).map(str::to_owned)
    };
    let tags = match text(&service.members, "propagateTags").as_deref() {
        Some("SERVICE") => service.tags.clone(),
        Some("TASK_DEFINITION") => found.tags.clone(),
        _ => Tags::new(),
    };
    let launch_type = launch::launch_type(&own.settings, "EC2");
    let order = || Order {
        cluster: service.cluster.clone(),
        service: Some(arn.to_owned()),
        started_by: Some(own.id.clone()),
        group: format!("service:{}", service.name),
        definition: found.clone(),
        network: own.settings.get("networkConfiguration").cloned(),
        launch_type: launch_type.clone(),
        attachments: own.attachments(),
        tags: tags.clone(),
        rules: Rules::of(&service.members),
        members: Map::new(),
    };
    let orders: Vec<Order> = (0..count).map(|_| order()).collect();
    let mut ids = Vec::new();
    let mut unplaced = None;
    for order in orders {
        match launch::start(here, order) {
            Ok(arn) => ids.push(last(&arn).to_owned()),
            Err(why) => {
                unplaced = Some(why);
                break;
            }
        }
    }
    failures::placed(here, arn, !ids.is_empty(), unplaced);
    if ids.is_empty() {
        if let Some(service) = here.region.ecs.services.get_mut(arn) {
            service.replaced += replaced;
        }
        return;
    }
    let tail = if replaced > 0 {
        format!(" Amazon ECS replaced {replaced} tasks due to an unhealthy status.")
    } else {
        String::new()
    };
    events::say(
        here,
        arn,
        &format!("has started {} tasks: {}.{tail}", ids.len(), events::tasks(&ids)),
    );
}

pub(super) fn stop(here: &mut Here<'_>, arn: &str, tasks: &[String]) {
    let mut by_deployment: std::collections::BTreeMap<String, u32> =
        std::collections::BTreeMap::new();
    let mut ids = Vec::new();
    for one in tasks {
        let deployment = task::started_by(here, one);
        if here.region.ecs.tasks.get(one).is_some_and(|task| task.registered) {
            *by_deployment.entry(deployment.clone()).or_default() += 1;
        }
        task::end(
            here,
            one,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (deployment {deployment})"),
        );
        ids.push(last(one).to_owned());
    }
    if !ids.is_empty() {
        events::say(
            here,
            arn,
            &format!("has stopped {} running tasks: {}.", ids.len(), events::tasks(&ids)),
        );
        tell_of_targets(here, arn);
    }
    for (deployment, count) in by_deployment {
        events::say(
            here,
            arn,
            &format!(", taskSet {deployment}) has begun draining connections on {count} tasks."),
        );
    }
}

/// The events of targets that no event has told of yet.
pub(super) fn tell_of_targets(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    for (group, (registered, deregistered)) in std::mem::take(&mut service.moved) {
        if registered > 0 {
            events::say(
                here,
                arn,
                &format!("registered {registered} targets in (target-group {group})"),
            );
        }
        if deregistered > 0 {
            events::say(
                here,
                arn,
                &format!("deregistered {deregistered} targets in (target-group {group})"),
            );
        }
    }
}
