//! The service scheduler: which tasks a service should have now, given what its deployments, its tasks
//! and their targets are. It looks when something has changed, and does one round each time.
//! It knows nothing of clients.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Deployment, Task, definition, events, failures,
    launch::{self, Order},
    task,
};
use crate::{clock::Time, cloud::Here, elb, journal::Change, json::int, timers::Due};

/// Looks soon.
pub(super) fn poke(here: &mut Here<'_>, arn: &str) {
    poke_in(here, arn, here.shared.timing.scheduler);
}

/// Looks then, unless it looks before.
pub(super) fn poke_in(here: &mut Here<'_>, arn: &str, wait: Duration) {
    let at = here.now() + wait;
    let soon = here.shared.timing.scheduler;
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if wait <= soon {
        if service.look_at.is_some_and(|look| look <= at) {
            return;
        }
        service.look_at = Some(at);
    }
    here.later(wait, Due::Schedule { service: arn.to_owned() });
}

/// The tasks of a service in the scheduler's eyes.
pub(super) struct View {
    /// ARN, deployment, and whether it counts as healthy and as running.
    pub(super) live: Vec<Seen>,
    /// Tasks of older deployments that still drain.
    draining: usize,
}

pub(super) struct Seen {
    pub(super) arn: String,
    pub(super) deployment: String,
    running: bool,
    pub(super) healthy: bool,
    created: Time,
}

/// One round.
pub(crate) fn run(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if service.look_at.is_some_and(|at| at <= now) {
        service.look_at = None;
    }
    tell_of_targets(here, arn);
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    match (service.status.as_str(), service.deployments.is_empty()) {
        ("DRAINING", _) => vanish(here, arn),
        ("ACTIVE", false) => {
            failures::replace_unhealthy(here, arn);
            failures::forgive(here, arn);
            failures::judge(here, arn);
            scale(here, arn);
            conclude(here, arn);
        }
        _ => {}
    }
}

fn vanish(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if service.tasks.is_empty() {
        service.status = "INACTIVE".into();
        service.deployments.clear();
        here.note(Change::Modified { arn: arn.to_owned() });
    }
}

fn tell_of_targets(here: &mut Here<'_>, arn: &str) {
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

/// Healthy as `minimumHealthyPercent` counts it (Amazon ECS API, DeploymentConfiguration).
fn healthy(here: &Here<'_>, task: &Task) -> bool {
    if task.last_status != "RUNNING" {
        return false;
    }
    let container = task.health();
    let in_targets = |state: &str| {
        task.attachments.iter().all(|one| {
            elb::state(here.region, &one.group, &task.address, one.port)
                .is_some_and(|health| health.state == state)
        })
    };
    if task.attachments.is_empty()
        && container == "UNKNOWN"
        && task.containers.iter().all(|one| one.health_check.is_none())
    {
        return task
            .started_at
            .is_some_and(|started| here.now() - started >= here.shared.timing.settle);
    }
    in_targets("healthy")
        && (container == "HEALTHY" || task.containers.iter().all(|one| one.health_check.is_none()))
}

pub(super) fn view(here: &Here<'_>, arn: &str) -> View {
    let service = here.region.ecs.services.get(arn);
    let primary = service.and_then(|service| service.deployments.first()).map(|one| one.id.clone());
    let tasks = service
        .into_iter()
        .flat_map(|service| &service.tasks)
        .filter_map(|arn| here.region.ecs.tasks.get(arn));
    let mut view = View { live: Vec::new(), draining: 0 };
    for task in tasks {
        if task.wanted() {
            view.live.push(Seen {
                arn: task.arn.clone(),
                deployment: task.started_by.clone().unwrap_or_default(),
                running: task.last_status == "RUNNING",
                healthy: healthy(here, task),
                created: task.created_at,
            });
        } else if task.last_status == "DEACTIVATING" && task.started_by != primary {
            view.draining += 1;
        }
    }
    view.live.sort_by(|a, b| (a.created, &a.arn).cmp(&(b.created, &b.arn)));
    view
}

pub(super) fn configuration<'h>(here: &'h Here<'_>, arn: &str) -> Option<&'h Map<String, Value>> {
    here.region.ecs.services.get(arn)?.members.get("deploymentConfiguration")?.as_object()
}

/// Starts and stops tasks, within the bounds of the deployment configuration.
fn scale(here: &mut Here<'_>, arn: &str) {
    let percent = |member: &str, default: u32| {
        let own = configuration(here, arn)
            .and_then(|one| int(one.get(member)))
            .and_then(|percent| u32::try_from(percent).ok());
        own.unwrap_or(default)
    };
    let (most, least) = (percent("maximumPercent", 200), percent("minimumHealthyPercent", 100));
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let desired = usize::try_from(service.desired).unwrap_or(usize::MAX);
    let part = |percent: u32| desired.saturating_mul(usize::try_from(percent).unwrap_or(0));
    let (most, least) = (part(most) / 100, part(least).div_ceil(100));
    let (id, stalled, back_off) =
        (primary.id.clone(), primary.rollout_state == "FAILED", service.back_off);
    let seen = view(here, arn).live;
    let own = seen.iter().filter(|one| one.deployment == id).count();
    let room = most.max(desired.min(own)).saturating_sub(seen.len());
    let missing = if stalled { 0 } else { desired.saturating_sub(own) };
    let waits = back_off.is_some_and(|until| until > here.now());
    let started = if waits { 0 } else { missing.min(room) };
    if started > 0 {
        start(here, arn, started);
    }
    let mut stops = excess(&seen, &id, desired);
    stops.extend(outdated(&seen, &id, least));
    if missing > 0
        && started == 0
        && stops.is_empty()
        && !waits
        && seen.len() >= most
        && seen.iter().all(|one| one.healthy)
    {
        events::complain(
            here,
            arn,
            "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
        );
    }
    stop(here, arn, &stops);
}

/// Tasks of the primary deployment that are too many: those that serve least first, then the newest.
fn excess(seen: &[Seen], primary: &str, desired: usize) -> Vec<String> {
    let mut own: Vec<&Seen> = seen.iter().filter(|one| one.deployment == primary).collect();
    own.sort_by_key(|one| (one.healthy, one.running));
    let surplus = own.len().saturating_sub(desired);
    let (weak, strong): (Vec<&Seen>, Vec<&Seen>) = own.into_iter().partition(|one| !one.healthy);
    weak.into_iter()
        .chain(strong.into_iter().rev())
        .take(surplus)
        .map(|one| one.arn.clone())
        .collect()
}

/// Tasks of older deployments that can go: all that are not healthy, and of the others as many as the
/// healthy ones exceed the minimum.
fn outdated(seen: &[Seen], primary: &str, least: usize) -> Vec<String> {
    let old = || seen.iter().filter(|one| one.deployment != primary);
    let spare = seen.iter().filter(|one| one.healthy).count().saturating_sub(least);
    let weak = old().filter(|one| !one.healthy);
    let strong = old().filter(|one| one.healthy).take(spare);
    weak.chain(strong).map(|one| one.arn.clone()).collect()
}

fn start(here: &mut Here<'_>, arn: &str, count: usize) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let replaced = std::mem::take(&mut service.replaced);
    let Some(wanted) = service.deployments.first().map(|primary| primary.definition.clone()) else {
        return;
    };
    let Some(found) = definition::find(here, &wanted).cloned() else { return };
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let text = |map: &Map<String, Value>, member: &str| {
        map.get(member).and_then(Value::as_str).map(str::to_owned)
    };
    let tags = match text(&service.members, "propagateTags").as_deref() {
        Some("SERVICE") => service.tags.clone(),
        Some("TASK_DEFINITION") => found.tags.clone(),
        _ => super::Tags::new(),
    };
    let launch_type = text(&primary.settings, "launchType").unwrap_or_else(|| "FARGATE".into());
    let order = || Order {
        cluster: service.cluster.clone(),
        service: Some(arn.to_owned()),
        started_by: Some(primary.id.clone()),
        group: format!("service:{}", service.name),
        definition: found.clone(),
        network: primary.settings.get("networkConfiguration").cloned(),
        launch_type: launch_type.clone(),
        attachments: primary.attachments(),
        tags: tags.clone(),
    };
    let orders: Vec<Order> = (0..count).map(|_| order()).collect();
    let mut ids = Vec::new();
    for order in orders {
        ids.push(super::last(&launch::start(here, order)).to_owned());
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

fn stop(here: &mut Here<'_>, arn: &str, tasks: &[String]) {
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
        ids.push(super::last(one).to_owned());
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

/// Older deployments that are empty go; the primary one is completed when it is all there is.
fn conclude(here: &mut Here<'_>, arn: &str) {
    let view = view(here, arn);
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let tasks: Vec<&Task> =
        service.tasks.iter().filter_map(|task| here.region.ecs.tasks.get(task)).collect();
    // A failed deployment is shown until its tasks are gone, another one until they have drained.
    let busy = |one: &Deployment| {
        let holds = |task: &&&Task| {
            let failed = one.rollout_state == "FAILED";
            failed || task.wanted() || task.last_status == "DEACTIVATING"
        };
        let own = |task: &&&Task| task.started_by.as_deref() == Some(&one.id);
        one.status == "PRIMARY" || tasks.iter().filter(own).any(|task| holds(&task))
    };
    service.deployments.retain(busy);
    let Some(primary) = service.deployments.first() else { return };
    let (id, state) = (primary.id.clone(), primary.rollout_state.clone());
    let desired = usize::try_from(service.desired).unwrap_or(usize::MAX);
    let all = view.live.len() == desired
        && view.draining == 0
        && view.live.iter().all(|one| one.deployment == id && one.healthy);
    if !all {
        service.steady &= view.live.iter().filter(|one| one.running).count() == desired;
        return;
    }
    let was_steady = std::mem::replace(&mut service.steady, true);
    if state == "IN_PROGRESS" {
        settle(here, arn, 0, "COMPLETED", &format!("ECS deployment {id} completed."));
        if let Some(service) = here.region.ecs.services.get_mut(arn) {
            service.completed = service.deployments.first().cloned();
        }
        events::say(here, arn, &format!("(deployment {id}) deployment completed."));
    }
    if !was_steady && state != "FAILED" {
        events::cleared(here, arn, "");
        events::say(here, arn, "has reached a steady state.");
    }
}

/// A deployment's rollout comes to a state.
pub(super) fn settle(here: &mut Here<'_>, arn: &str, at: usize, state: &str, reason: &str) {
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let Some(one) = service.deployments.get_mut(at) else { return };
    one.rollout_state = state.to_owned();
    one.rollout_reason = reason.to_owned();
    one.updated_at = now;
    note_deployment(here, arn, at);
}

pub(super) fn note_deployment(here: &mut Here<'_>, arn: &str, at: usize) {
    let Some(one) =
        here.region.ecs.services.get(arn).and_then(|service| service.deployments.get(at))
    else {
        return;
    };
    let change = Change::Deployment {
        service: arn.to_owned(),
        id: one.id.clone(),
        status: one.status.clone(),
        rollout_state: one.rollout_state.clone(),
    };
    here.note(change);
}
