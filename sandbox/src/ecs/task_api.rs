//! What clients ask of tasks: listing, describing, running and stopping them.

use serde_json::{Value, json};

use super::{cluster, listing, service, tags, task};
use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Container, Task, last},
    },
};

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let others = ["family", "serviceName", "containerInstance", "launchType"];
    if request.has("startedBy") && others.iter().any(|other| request.has(other)) {
        return Err(Fault::parameter("cannot combine startedBy with another filter."));
    }
    let desired = request.text_of("desiredStatus").unwrap_or("RUNNING");
    if !["RUNNING", "STOPPED", "PENDING"].contains(&desired) {
        return Err(Fault::parameter("desiredStatus should be RUNNING, PENDING or STOPPED."));
    }
    let wanted_service = match request.text_of("serviceName") {
        Some(name) => {
            let not_found = || Fault::new("ServiceNotFoundException", "Service not found.");
            Some(service::find(here, &cluster, name).ok_or_else(not_found)?)
        }
        None => None,
    };
    let fits = |task: &&Task| {
        let family = || last(&task.definition).rsplit_once(':').map_or("", |(family, _)| family);
        task.cluster == cluster
            && task.desired_status == desired
            && wanted_service.as_deref().is_none_or(|arn| task.service.as_deref() == Some(arn))
            && request.text_of("startedBy").is_none_or(|by| task.started_by.as_deref() == Some(by))
            && request.text_of("family").is_none_or(|wanted| family() == wanted)
            && request.text_of("launchType").is_none_or(|wanted| task.launch_type == wanted)
            && request.text_of("containerInstance").is_none_or(|wanted| {
                task.instance.as_deref().is_some_and(|own| last(own) == last(wanted))
            })
    };
    let ecs = &here.region.ecs;
    let prefix = here.arn("ecs", &format!("task/{cluster}/"));
    let all = ecs
        .tasks
        .range(prefix.clone()..)
        .map_while(|(arn, task)| arn.starts_with(&prefix).then_some(task));
    let names = |tasks: &mut dyn Iterator<Item = &Task>| {
        tasks.filter(fits).map(|task| task.arn.clone()).collect()
    };
    // A service knows its own, as long as they have not stopped.
    let own = wanted_service.as_ref().filter(|_| desired != "STOPPED");
    let found = match own.and_then(|arn| ecs.services.get(arn)) {
        Some(service) => names(&mut service.tasks.iter().filter_map(|arn| ecs.tasks.get(arn))),
        None => names(&mut { all }),
    };
    listing::page(request, found, 100, "taskArns")
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let wanted = request.texts_of("tasks");
    if wanted.is_empty() {
        return Err(Fault::parameter("Tasks cannot be empty."));
    }
    if wanted.len() > 100 {
        return Err(Fault::parameter("Tasks cannot have more than 100 items."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        let arn = here.arn("ecs", &format!("task/{cluster}/{}", last(&name)));
        match here.region.ecs.tasks.get(&arn) {
            Some(task) => {
                let mut shown = show(here, task);
                if tags::included(request) {
                    shown["tags"] = tags::show(&task.tags);
                }
                found.push(shown);
            }
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"tasks": found, "failures": failures})))
}

pub(super) fn stop(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let arn = here.arn(
        "ecs",
        &format!("task/{cluster}/{}", last(request.text_of("task").unwrap_or_default())),
    );
    if !here.region.ecs.tasks.contains_key(&arn) {
        return Err(Fault::parameter("The referenced task was not found."));
    }
    let reason = request.text_of("reason").unwrap_or("Task stopped by user").to_owned();
    task::end(here, &arn, "UserInitiated", &reason);
    let shown = here.region.ecs.tasks.get(&arn).map(|task| show(here, task));
    Ok(raw(&json!({"task": shown})))
}

pub(super) fn show(here: &Here<'_>, task: &Task) -> Value {
    let id = task.id();
    let interface = crate::ids::Ids::of(id).uuid();
    let mut shown = json!({
        "taskArn": task.arn,
        "clusterArn": here.arn("ecs", &format!("cluster/{}", task.cluster)),
        "taskDefinitionArn": task.definition,
        "group": task.group,
        "launchType": task.launch_type,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "healthStatus": task.health(),
        "availabilityZone": task.zone,
        "connectivity": "CONNECTED",
        "createdAt": task.created_at.seconds(),
        "version": task.turn,
        "containers": task.containers.iter().map(|one| container(task, one, &interface)).collect::<Vec<_>>(),
        "attachments": attachments(task, &interface),
        "attributes": [],
        "enableExecuteCommand": false,
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": []},
        "tags": [],
    });
    if task.launch_type == "FARGATE" {
        shown["platformVersion"] = json!("1.4.0");
        shown["platformFamily"] = json!("Linux");
    }
    for (member, value) in &task.members {
        shown[member] = value.clone();
    }
    let texts = [
        ("containerInstanceArn", &task.instance),
        ("startedBy", &task.started_by),
        ("stopCode", &task.stop_code),
        ("stoppedReason", &task.stopped_reason),
    ];
    for (member, text) in texts {
        if let Some(text) = text {
            shown[member] = json!(text);
        }
    }
    let times = [
        ("pullStartedAt", task.pull_started_at),
        ("pullStoppedAt", task.pull_stopped_at),
        ("startedAt", task.started_at),
        ("stoppingAt", task.stopping_at),
        ("executionStoppedAt", task.execution_stopped_at),
        ("stoppedAt", task.stopped_at),
    ];
    for (member, time) in times {
        if let Some(time) = time {
            shown[member] = json!(time.seconds());
        }
    }
    shown
}

/// The network interface of a task that has one of its own.
fn attachments(task: &Task, interface: &str) -> Value {
    if task.network_mode != "awsvpc" {
        return json!([]);
    }
    json!([{
        "id": interface,
        "type": "ElasticNetworkInterface",
        "status": if task.last_status == "STOPPED" { "DELETED" } else { "ATTACHED" },
        "details": [
            {"name": "subnetId", "value": task.subnet},
            {"name": "privateIPv4Address", "value": task.address},
        ],
    }])
}

/// The ports of the instance that lead to a container.
fn bindings(container: &Container) -> Value {
    let pairs = container.ports.iter().zip(&container.host_ports);
    pairs
        .map(|(own, host)| {
            json!({"bindIP": "0.0.0.0", "containerPort": own, "hostPort": host, "protocol": "tcp"})
        })
        .collect()
}

fn container(task: &Task, container: &Container, interface: &str) -> Value {
    let mut shown = json!({
        "containerArn": format!("{}/{}", task.arn.replace(":task/", ":container/"), crate::ids::Ids::of(&container.runtime_id).uuid()),
        "taskArn": task.arn,
        "name": container.name,
        "image": container.image,
        "runtimeId": container.runtime_id,
        "lastStatus": container.last_status,
        "healthStatus": container.health,
        "networkBindings": bindings(container),
        "networkInterfaces": [{"attachmentId": interface, "privateIpv4Address": task.address}],
        "cpu": "0",
    });
    if task.network_mode != "awsvpc" {
        shown["networkInterfaces"] = json!([]);
    }
    if let Some(digest) = &container.digest {
        shown["imageDigest"] = json!(digest);
    }
    if let Some(code) = container.exit_code {
        shown["exitCode"] = json!(code);
    }
    if let Some(reason) = &container.reason {
        shown["reason"] = json!(reason);
    }
    shown
}
