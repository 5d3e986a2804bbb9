//! Capacity providers: Fargate's two, those of Auto Scaling groups, and which of them a cluster has. An
//! Auto Scaling group starts no instance here: scenarios and RegisterContainerInstance do.

use serde_json::{Map, Value, json};

use super::{cluster, listing, tags};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, int, raw, texts},
    },
    state::{
        Here,
        ecs::{Cluster, Provider, last},
    },
};

const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

fn is_fargate(name: &str) -> bool {
    FARGATE.contains(&name)
}

fn exists(here: &Here<'_>, name: &str) -> bool {
    is_fargate(name)
        || here.region.ecs.providers.get(name).is_some_and(|one| one.status == "ACTIVE")
}

fn not_found() -> Fault {
    Fault::parameter(
        "The specified capacity provider was not found. Specify a valid name or ARN and try again.",
    )
}

pub(super) fn put_for_cluster(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let names: Vec<String> =
        request.texts_of("capacityProviders").iter().map(|name| last(name).to_owned()).collect();
    if !names.iter().all(|name| exists(here, name)) {
        return Err(not_found());
    }
    let strategy = request.value.get("defaultCapacityProviderStrategy");
    check_strategy(strategy, &names)?;
    let before = of_cluster(here, &cluster);
    let services = here.region.ecs.services.values().filter(|one| one.cluster == cluster);
    let used = services.filter(|one| one.status != "INACTIVE").flat_map(|one| used(&one.members));
    if used.collect::<Vec<_>>().iter().any(|own| before.contains(own) && !names.contains(own)) {
        return Err(Fault::new(
            "ResourceInUseException",
            "The specified capacity provider is in use and cannot be removed.",
        ));
    }
    let strategy = strategy.cloned().unwrap_or(json!([]));
    set(
        here,
        &cluster,
        [("capacityProviders", json!(names)), ("defaultCapacityProviderStrategy", strategy)],
    )
}

/// What UpdateCluster and UpdateClusterSettings change.
pub(super) fn update_cluster(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    cluster::check_settings(&request.value)?;
    let new = ["settings", "configuration", "serviceConnectDefaults"]
        .into_iter()
        .filter_map(|member| Some((member, request.value.get(member)?.clone())));
    set(here, &cluster, new.collect::<Vec<_>>())
}

fn set(
    here: &mut Here<'_>,
    cluster: &str,
    new: impl IntoIterator<Item = (&'static str, Value)>,
) -> Answer {
    let found = here.region.ecs.clusters.get_mut(cluster);
    let found =
        found.ok_or_else(|| Fault::new("ClusterNotFoundException", "Cluster not found."))?;
    for (member, value) in new {
        found.members.insert(member.to_owned(), value);
    }
    let resource = found.arn.clone();
    here.note(Change::Attributes { resource });
    Ok(raw(&json!({"cluster": cluster::shown(here, cluster)})))
}

/// The capacity providers that are associated with a cluster.
pub(super) fn of_cluster(here: &Here<'_>, cluster: &str) -> Vec<String> {
    here.region.ecs.clusters.get(cluster).map(associated).unwrap_or_default()
}

fn associated(cluster: &Cluster) -> Vec<String> {
    let own = texts(cluster.members.get("capacityProviders"));
    own.iter().map(|name| last(name).to_owned()).collect()
}

/// The capacity providers that a strategy names.
fn used(members: &Map<String, Value>) -> Vec<String> {
    let list = members.get("capacityProviderStrategy").and_then(Value::as_array);
    let name = |one: &Value| Some(last(one["capacityProvider"].as_str()?).to_owned());
    list.into_iter().flatten().filter_map(name).collect()
}

/// A strategy (API reference of CapacityProviderStrategyItem), whose providers must be the cluster's.
pub(super) fn check_strategy(strategy: Option<&Value>, own: &[String]) -> Result<(), Fault> {
    let list = strategy.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return Ok(());
    }
    if list.len() > 20 {
        return Err(Fault::parameter(
            "The specified capacity provider strategy can contain a maximum of 20 capacity providers.",
        ));
    }
    let name = |one: &Value| last(one["capacityProvider"].as_str().unwrap_or_default()).to_owned();
    if !list.iter().all(|one| own.contains(&name(one))) {
        // AWS's words as others met them: dask/dask-cloudprovider#328.
        return Err(Fault::parameter(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
        ));
    }
    let number = |one: &Value, member: &str| int(one.get(member)).unwrap_or(0);
    let wrong =
        |member: &str, most: i64| list.iter().any(|one| !(0..=most).contains(&number(one, member)));
    if wrong("weight", 1000) || wrong("base", 100_000) {
        return Err(Fault::parameter(
            "The weight of a capacity provider must be between 0 and 1000, its base between 0 and 100000.",
        ));
    }
    if list.len() > 1 && list.iter().all(|one| number(one, "weight") == 0) {
        return Err(Fault::parameter(
            "The specified capacity provider strategy must contain at least one capacity provider with a weight greater than 0.",
        ));
    }
    if list.iter().filter(|one| number(one, "base") > 0).count() > 1 {
        return Err(Fault::parameter(
            "The specified capacity provider strategy can only contain one capacity provider with a base value.",
        ));
    }
    let fargate = list.iter().filter(|one| is_fargate(&name(one))).count();
    if fargate > 0 && fargate < list.len() {
        return Err(Fault::parameter(
            "The specified capacity provider strategy must contain either Fargate capacity providers or Auto Scaling group capacity providers, not both.",
        ));
    }
    Ok(())
}

fn show(here: &Here<'_>, name: &str) -> Option<Value> {
    let arn = here.arn("ecs", &format!("capacity-provider/{name}"));
    if is_fargate(name) {
        return Some(
            json!({"capacityProviderArn": arn, "name": name, "status": "ACTIVE", "tags": []}),
        );
    }
    let one = here.region.ecs.providers.get(name)?;
    let mut shown = json!({"capacityProviderArn": arn, "name": name, "status": one.status, "tags": tags::show(&one.tags)});
    for (member, value) in &one.members {
        shown[member] = value.clone();
    }
    if let Some(status) = &one.update {
        shown["updateStatus"] = json!(status);
    }
    Some(shown)
}

pub(super) fn create(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("name").unwrap_or_default().to_owned();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let reserved = ["aws", "ecs", "fargate"].iter().any(|one| name.to_lowercase().starts_with(one));
    if name.is_empty() || name.len() > 255 || !name.chars().all(legal) || reserved {
        return Err(Fault::parameter(
            "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), numbers, underscores, and hyphens, and the name cannot be prefixed with \"aws\", \"ecs\", or \"fargate\".",
        ));
    }
    if !request.has("autoScalingGroupProvider") {
        return Err(Fault::parameter(
            "You must specify autoScalingGroupProvider to create a capacity provider.",
        ));
    }
    if exists(here, &name) {
        return Err(Fault::client(
            "The specified capacity provider already exists. To change the configuration, use UpdateCapacityProvider.",
        ));
    }
    let tags = tags::of_request(request)?;
    let members = provider(request, None);
    let provider = Provider { status: "ACTIVE".into(), update: None, members, tags };
    here.region.ecs.providers.insert(name.clone(), provider);
    here.note(Change::Created { arn: here.arn("ecs", &format!("capacity-provider/{name}")) });
    Ok(raw(&json!({"capacityProvider": show(here, &name)})))
}

/// The settings of the Auto Scaling group, with the defaults of the API reference.
fn provider(request: &Request<'_>, old: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut own = old.and_then(|old| old.get("autoScalingGroupProvider")).cloned().unwrap_or_else(|| {
        json!({
            "managedScaling": {"status": "DISABLED", "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10_000, "instanceWarmupPeriod": 300},
            "managedTerminationProtection": "DISABLED",
            "managedDraining": "ENABLED",
        })
    });
    let new = request.value.get("autoScalingGroupProvider").and_then(Value::as_object);
    for (member, value) in new.into_iter().flatten() {
        match (own.get_mut(member), value) {
            (Some(Value::Object(before)), Value::Object(new)) => before.extend(new.clone()),
            _ => own[member] = value.clone(),
        }
    }
    [("autoScalingGroupProvider".to_owned(), own)].into_iter().collect()
}

pub(super) fn update(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("name").unwrap_or_default().to_owned();
    let name = last(&name).to_owned();
    let found = here.region.ecs.providers.get_mut(&name).filter(|one| one.status == "ACTIVE");
    let found = found.ok_or_else(not_found)?;
    found.members = provider(request, Some(&found.members));
    found.update = Some("UPDATE_COMPLETE".into());
    here.note(Change::Attributes {
        resource: here.arn("ecs", &format!("capacity-provider/{name}")),
    });
    Ok(raw(&json!({"capacityProvider": show(here, &name)})))
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = last(request.text_of("capacityProvider").unwrap_or_default()).to_owned();
    if is_fargate(&name) {
        return Err(Fault::parameter(
            "The specified capacity provider is reserved for AWS Fargate and cannot be deleted.",
        ));
    }
    let used = here.region.ecs.clusters.values().any(|one| associated(one).contains(&name));
    let found = here.region.ecs.providers.get_mut(&name).filter(|one| one.status == "ACTIVE");
    let found = found.ok_or_else(not_found)?;
    if used {
        return Err(Fault::client(
            "The specified capacity provider is in use by a cluster. Disassociate it from the cluster and try again.",
        ));
    }
    found.status = "INACTIVE".into();
    found.update = Some("DELETE_COMPLETE".into());
    here.note(Change::Deleted { arn: here.arn("ecs", &format!("capacity-provider/{name}")) });
    Ok(raw(&json!({"capacityProvider": show(here, &name)})))
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = request.texts_of("capacityProviders");
    let own = here.region.ecs.providers.iter().filter(|(_, one)| one.status == "ACTIVE");
    let all = FARGATE.map(str::to_owned).into_iter().chain(own.map(|(name, _)| name.clone()));
    if wanted.is_empty() {
        let show = |name: &str| show(here, name).unwrap_or_default();
        return listing::page_of(request, all.collect(), 10, "capacityProviders", show);
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        match show(here, last(&name)) {
            Some(shown) => found.push(shown),
            None => {
                let arn = here.arn("ecs", &format!("capacity-provider/{}", last(&name)));
                failures.push(json!({"arn": arn, "reason": "MISSING"}));
            }
        }
    }
    Ok(raw(&json!({"capacityProviders": found, "failures": failures})))
}
