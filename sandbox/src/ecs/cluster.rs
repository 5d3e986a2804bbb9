//! Clusters. Their container instances are in `instance`.

use serde_json::{Map, Value, json};

use super::{listing, providers, tags};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Cluster, Service, last},
    },
};

pub(super) fn create(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("clusterName").unwrap_or("default").to_owned();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
        let text = format!("Cluster must match ^[a-zA-Z0-9\\-_]{{1,255}}$, but was {name}");
        return Err(Fault::parameter(text));
    }
    let tags = tags::of_request(request)?;
    check_settings(&request.value)?;
    let providers = request.texts_of("capacityProviders");
    providers::check_strategy(request.value.get("defaultCapacityProviderStrategy"), &providers)?;
    if let Some(old) = here.region.ecs.clusters.get(&name)
        && old.status == "ACTIVE"
    {
        return Ok(raw(&json!({"cluster": show(here, old)})));
    }
    let arn = here.arn("ecs", &format!("cluster/{name}"));
    let mut members = request.value.clone();
    members.shift_remove("clusterName");
    members.shift_remove("tags");
    let cluster =
        Cluster { arn: arn.clone(), name: name.clone(), status: "ACTIVE".into(), members, tags };
    here.region.ecs.clusters.insert(name.clone(), cluster);
    here.note(Change::Created { arn });
    Ok(raw(
        &json!({"cluster": here.region.ecs.clusters.get(&name).map(|cluster| show(here, cluster))}),
    ))
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let mut names = request.texts_of("clusters");
    if names.is_empty() {
        names.push("default".to_owned());
    }
    if names.len() > 100 {
        return Err(Fault::parameter("Clusters cannot have more than 100 items."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    let with_tags = request.texts_of("include").iter().any(|include| include == "TAGS");
    for name in names {
        match here.region.ecs.clusters.get(last(&name)) {
            Some(cluster) => {
                let mut shown = show(here, cluster);
                if with_tags {
                    shown["tags"] = tags::show(&cluster.tags);
                }
                found.push(shown);
            }
            None => failures.push(json!({"arn": here.arn("ecs", &format!("cluster/{}", last(&name))), "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"clusters": found, "failures": failures})))
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let active = here.region.ecs.clusters.values().filter(|cluster| cluster.status == "ACTIVE");
    listing::page(request, active.map(|cluster| cluster.arn.clone()).collect(), 100, "clusterArns")
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = find(here, request)?;
    let busy = |service: &&Service| service.cluster == name && service.status == "ACTIVE";
    if here.region.ecs.services.values().find(busy).is_some() {
        return Err(Fault::new(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if here
        .region
        .ecs
        .tasks
        .values()
        .any(|task| task.cluster == name && task.last_status != "STOPPED")
    {
        return Err(Fault::new(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    if here.region.ecs.instances.values().any(|one| one.cluster == name) {
        return Err(Fault::new(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ));
    }
    let mut shown = Value::Null;
    if let Some(mut cluster) = here.region.ecs.clusters.remove(&name) {
        cluster.status = "INACTIVE".into();
        shown = show(here, &cluster);
        here.note(Change::Deleted { arn: cluster.arn });
    }
    Ok(raw(&json!({"cluster": shown})))
}

/// The name of the cluster that a request means: by name or ARN, `default` if it names none.
pub(super) fn find(here: &Here<'_>, request: &Request<'_>) -> Result<String, Fault> {
    let wanted = request.text_of("cluster").unwrap_or("default");
    let own = |arn: &str| here.arn("ecs", &format!("cluster/{}", last(arn))) == arn;
    match here.region.ecs.clusters.get(last(wanted)) {
        Some(cluster) if !wanted.contains('/') || own(wanted) => Ok(cluster.name.clone()),
        _ => Err(Fault::new("ClusterNotFoundException", "Cluster not found.")),
    }
}

/// What the settings of a cluster can be (API reference of ClusterSetting).
pub(super) fn check_settings(request: &Map<String, Value>) -> Result<(), Fault> {
    let list = request.get("settings").and_then(Value::as_array);
    for one in list.into_iter().flatten() {
        let (name, value) = (&one["name"], &one["value"]);
        if name != "containerInsights"
            || !["enhanced", "enabled", "disabled"].iter().any(|own| value == own)
        {
            return Err(Fault::parameter(format!(
                "Invalid cluster setting {name}: {value}. containerInsights should be one of enhanced, enabled, disabled."
            )));
        }
    }
    Ok(())
}

/// The strategy that counts where a service or RunTask names neither a launch type nor a strategy.
pub(super) fn default_strategy(here: &Here<'_>, cluster: &str) -> Option<Value> {
    let members = &here.region.ecs.clusters.get(cluster)?.members;
    let own = members.get("defaultCapacityProviderStrategy")?;
    own.as_array().is_some_and(|list| !list.is_empty()).then(|| own.clone())
}

pub(super) fn shown(here: &Here<'_>, name: &str) -> Option<Value> {
    here.region.ecs.clusters.get(name).map(|cluster| show(here, cluster))
}

fn show(here: &Here<'_>, cluster: &Cluster) -> Value {
    let ecs = &here.region.ecs;
    let tasks = |status: &str| {
        ecs.tasks
            .values()
            .filter(|task| task.cluster == cluster.name && task.last_status == status)
            .count()
    };
    let services = ecs
        .services
        .values()
        .filter(|service| service.cluster == cluster.name && service.status == "ACTIVE")
        .count();
    let mut shown = json!({
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": ecs.instances.values().filter(|one| one.cluster == cluster.name).count(),
        "runningTasksCount": tasks("RUNNING"),
        "pendingTasksCount": tasks("PROVISIONING") + tasks("PENDING") + tasks("ACTIVATING"),
        "activeServicesCount": services,
        "statistics": [],
        "tags": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    });
    for (key, value) in &cluster.members {
        shown[key] = value.clone();
    }
    shown
}
