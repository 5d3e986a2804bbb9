//! Container instances as clients see them, and as a scenario makes them.

use serde_json::{Value, json};

use super::{cluster, instance, listing};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Instance, last},
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
        status: "ACTIVE".into(),
        registered_at: here.now(),
    };
    here.region.ecs.instances.insert(arn.clone(), instance);
    here.note(Change::Created { arn: arn.clone() });
    super::scheduler::poke_cluster(here, &wanted.cluster);
    arn
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
        "attributes": [{"name": "ecs.availability-zone", "value": one.zone}, {"name": "ecs.os-type", "value": "linux"}],
        "registeredAt": one.registered_at.seconds(),
        "attachments": [],
        "tags": [],
    })
}
