//! Container instances as clients see them, and as a scenario makes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{cluster, instance, listing, tags, task};
use crate::{
    ec2,
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, int, raw},
    },
    state::{
        Here,
        ecs::{Instance, Tags, last},
    },
};

/// What a scenario says of an instance.
pub(crate) struct Wanted {
    pub(crate) cluster: String,
    pub(crate) ec2: Option<String>,
    pub(crate) zone: String,
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    pub(crate) enis: usize,
    pub(crate) gpus: i64,
    pub(crate) tags: Tags,
    pub(crate) attributes: BTreeMap<String, Option<String>>,
}

/// An instance joins a cluster; services that wait for room look again.
pub(crate) fn register(here: &mut Here<'_>, wanted: Wanted) -> String {
    let id = here.shared.record_ids.hex(32);
    let ec2 = here.shared.record_ids.hex(17);
    let arn = here.arn("ecs", &format!("container-instance/{}/{id}", wanted.cluster));
    let instance = Instance {
        arn: arn.clone(),
        cluster: wanted.cluster.clone(),
        ec2: wanted.ec2.unwrap_or_else(|| format!("i-{ec2}")),
        zone: wanted.zone,
        cpu: wanted.cpu,
        memory: wanted.memory,
        enis: wanted.enis,
        gpus: wanted.gpus,
        status: "ACTIVE".into(),
        registered_at: here.now(),
        tags: wanted.tags,
        attributes: wanted.attributes,
    };
    here.region.ecs.instances.insert(arn.clone(), instance);
    here.note(Change::Created { arn: arn.clone() });
    super::scheduler::poke_cluster(here, &wanted.cluster);
    arn
}

/// What the agent of an instance sends: its resources, and who it is.
pub(super) fn register_sent(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let tags = tags::of_request(request)?;
    let document = request.text_of("instanceIdentityDocument").unwrap_or("{}");
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return Err(Fault::client("The instance identity document is not valid."));
    };
    let list = request.value.get("totalResources").and_then(Value::as_array);
    let amount = |name: &str| {
        let own = list.into_iter().flatten().find(|one| one["name"] == name);
        own.and_then(|one| int(one.get("integerValue"))).unwrap_or(0)
    };
    let zone = document["availabilityZone"].as_str().map(str::to_owned);
    let attributes = request.value.get("attributes").and_then(Value::as_array);
    let attributes = attributes.into_iter().flatten().filter_map(|one| {
        let value = one["value"].as_str().map(str::to_owned);
        Some((one["name"].as_str()?.to_owned(), value))
    });
    let wanted = Wanted {
        zone: zone.unwrap_or_else(|| format!("{}a", here.region.name)),
        ec2: document["instanceId"].as_str().map(str::to_owned),
        cpu: amount("CPU"),
        memory: amount("MEMORY"),
        enis: 2,
        gpus: 0,
        attributes: attributes.collect(),
        cluster,
        tags,
    };
    let arn = register(here, wanted);
    let shown = here.region.ecs.instances.get(&arn).map(|one| show(here, one));
    Ok(raw(&json!({"containerInstance": shown})))
}

pub(super) fn deregister(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let name = request.text_of("containerInstance").unwrap_or_default();
    let arn = here.arn("ecs", &format!("container-instance/{cluster}/{}", last(name)));
    let Some(mut gone) = here.region.ecs.instances.get(&arn).cloned() else {
        return Err(Fault::parameter("Referenced container instance does not exist."));
    };
    let tasks: Vec<String> = instance::on(here, &arn).map(|task| task.arn.clone()).collect();
    if !tasks.is_empty() && !request.bool_of("force") {
        return Err(Fault::parameter("Found running tasks on the instance."));
    }
    for one in tasks {
        let why = "Container Instance deregistration forced by user";
        task::end(here, &one, "UserInitiated", why);
    }
    gone.status = "INACTIVE".into();
    let shown = show(here, &gone);
    here.region.ecs.instances.remove(&arn);
    here.note(Change::Deleted { arn });
    super::scheduler::poke_cluster(here, &cluster);
    Ok(raw(&json!({"containerInstance": shown})))
}

/// The attributes that a request names, each with the ARN of its instance.
fn attributes(
    here: &Here<'_>,
    request: &Request<'_>,
) -> Result<Vec<(String, String, Value)>, Fault> {
    let cluster = cluster::find(here, request)?;
    let list = request.value.get("attributes").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() || list.len() > 10 {
        return Err(Fault::parameter("attributes should have between 1 and 10 members."));
    }
    let one = |one: &Value| {
        let id = last(one["targetId"].as_str().unwrap_or_default());
        let arn = here.arn("ecs", &format!("container-instance/{cluster}/{id}"));
        if !here.region.ecs.instances.contains_key(&arn) {
            return Err(Fault::new(
                "TargetNotFoundException",
                "The specified target wasn't found.",
            ));
        }
        let name = one["name"].as_str().unwrap_or_default().to_owned();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if name.is_empty() || name.len() > 128 || !name.chars().all(legal) {
            return Err(Fault::parameter("Attribute name contains invalid characters."));
        }
        Ok((arn, name, one["value"].clone()))
    };
    list.iter().map(one).collect()
}

fn shown_attribute(arn: &str, name: &str, value: Option<&str>) -> Value {
    let mut shown = json!({"name": name, "targetType": "container-instance", "targetId": arn});
    if let Some(value) = value {
        shown["value"] = json!(value);
    }
    shown
}

pub(super) fn put_attributes(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let mut shown = Vec::new();
    for (arn, name, value) in attributes(here, request)? {
        let value = value.as_str().map(str::to_owned);
        shown.push(shown_attribute(&arn, &name, value.as_deref()));
        if let Some(found) = here.region.ecs.instances.get_mut(&arn) {
            found.attributes.insert(name, value);
        }
        here.note(Change::Attributes { resource: arn });
    }
    Ok(raw(&json!({"attributes": shown})))
}

pub(super) fn delete_attributes(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let mut shown = Vec::new();
    for (arn, name, _) in attributes(here, request)? {
        let found = here.region.ecs.instances.get_mut(&arn);
        if let Some(value) = found.and_then(|found| found.attributes.remove(&name)) {
            shown.push(shown_attribute(&arn, &name, value.as_deref()));
            here.note(Change::Attributes { resource: arn });
        }
    }
    Ok(raw(&json!({"attributes": shown})))
}

/// What an instance has: the attributes of its agent, then those that clients put.
fn all_attributes(one: &Instance) -> BTreeMap<String, Option<String>> {
    let mut all = one.attributes.clone();
    all.insert("ecs.availability-zone".into(), Some(one.zone.clone()));
    all.insert("ecs.os-type".into(), Some("linux".into()));
    all.insert("ecs.instance-type".into(), Some(ec2::type_name(one).into()));
    if ec2::has_trunk(one) {
        let trunk = format!("eni-1{}", one.ec2.trim_start_matches("i-"));
        all.insert("ecs.awsvpc-trunk-id".into(), Some(trunk));
    }
    all
}

pub(super) fn list_attributes(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    if request.text_of("targetType") != Some("container-instance") {
        return Err(Fault::parameter("targetType should be container-instance."));
    }
    let (name, value) = (request.text_of("attributeName"), request.text_of("attributeValue"));
    let own = here.region.ecs.instances.values().filter(|one| one.cluster == cluster);
    let mut all = BTreeMap::new();
    for one in own {
        for (own, has) in all_attributes(one) {
            let fits = name.is_none_or(|name| name == own)
                && value.is_none_or(|value| has.as_deref() == Some(value));
            if fits {
                let shown = shown_attribute(&one.arn, &own, has.as_deref());
                all.insert(format!("{} {own}", one.arn), shown);
            }
        }
    }
    let keys = all.keys().cloned().collect();
    listing::page_of(request, keys, 100, "attributes", |key| {
        all.get(key).cloned().unwrap_or_default()
    })
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let status = request.text_of("status").unwrap_or("ACTIVE");
    let own = here.region.ecs.instances.values();
    let own = own.filter(|one| one.cluster == cluster && one.status == status);
    let arns = own.map(|one| one.arn.clone()).collect();
    listing::page(request, arns, 100, "containerInstanceArns")
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let wanted = request.texts_of("containerInstances");
    match wanted.len() {
        0 => return Err(Fault::parameter("Container instances cannot be empty.")),
        1..=100 => {}
        _ => {
            let text = "Container instances cannot have more than 100 items.";
            return Err(Fault::parameter(text));
        }
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        let arn = here.arn("ecs", &format!("container-instance/{cluster}/{}", last(&name)));
        match here.region.ecs.instances.get(&arn) {
            Some(one) => found.push(show(here, one)),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"containerInstances": found, "failures": failures})))
}

/// DRAINING takes the service's tasks off an instance; ACTIVE takes it back.
pub(super) fn set_state(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let status = request.text_of("status").unwrap_or_default().to_owned();
    if !["ACTIVE", "DRAINING"].contains(&status.as_str()) {
        return Err(Fault::parameter("Container instance status should be ACTIVE or DRAINING."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in request.texts_of("containerInstances") {
        let arn = here.arn("ecs", &format!("container-instance/{cluster}/{}", last(&name)));
        match here.region.ecs.instances.get_mut(&arn) {
            Some(one) => {
                one.status.clone_from(&status);
                let one = one.clone();
                here.note(Change::Modified { arn });
                found.push(show(here, &one));
            }
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    super::scheduler::poke_cluster(here, &cluster);
    Ok(raw(&json!({"containerInstances": found, "failures": failures})))
}

fn show(here: &Here<'_>, one: &Instance) -> Value {
    let used = instance::used(here, &one.arn);
    let whole = |name: &str, amount: i64| json!({"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": amount});
    let ports = |ports: Vec<String>| json!({"name": "PORTS", "type": "STRINGSET", "doubleValue": 0.0, "longValue": 0, "integerValue": 0, "stringSetValue": ports});
    // What the agent and the instance keep for themselves.
    let reserved = ["22", "2375", "2376", "51678", "51679"].map(str::to_owned);
    let mut taken = reserved.to_vec();
    taken.extend(used.ports.iter().filter(|port| **port > 0).map(i64::to_string));
    let tasks = |status: &[&str]| {
        let own = here.region.ecs.tasks.values();
        let own = own.filter(|task| task.instance.as_ref() == Some(&one.arn));
        own.filter(|task| status.contains(&task.last_status.as_str())).count()
    };
    json!({
        "containerInstanceArn": one.arn,
        "ec2InstanceId": one.ec2,
        "version": 1,
        "versionInfo": {"agentVersion": "1.90.0", "dockerVersion": "DockerVersion: 25.0.8"},
        "registeredResources": [whole("CPU", one.cpu), whole("MEMORY", one.memory), ports(reserved.to_vec())],
        "remainingResources": [whole("CPU", one.cpu - used.cpu), whole("MEMORY", one.memory - used.memory), ports(taken)],
        "status": one.status,
        "agentConnected": true,
        "runningTasksCount": tasks(&["RUNNING"]),
        "pendingTasksCount": tasks(&["PROVISIONING", "PENDING", "ACTIVATING"]),
        "attributes": all_attributes(one)
            .into_iter()
            .map(|(name, value)| match value {
                Some(value) => json!({"name": name, "value": value}),
                None => json!({"name": name}),
            })
            .collect::<Vec<_>>(),
        "registeredAt": one.registered_at.seconds(),
        "attachments": [],
        "tags": tags::show(&one.tags),
    })
}
