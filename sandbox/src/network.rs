//! The network inside the VPC: which task has an address, and what it replies to a request. It knows
//! neither load balancers nor the lives of tasks.

use crate::{
    clock::Time,
    image::Reply,
    state::{
        Here, Region,
        ecs::{Container, Task},
    },
};

/// The task that stands behind a target: by its own address, or by the host port of its instance.
pub(crate) fn behind<'r>(region: &'r Region, id: &str, port: i64) -> Option<&'r Task> {
    if let Some(arn) = region.network.get(id) {
        return region.ecs.tasks.get(arn);
    }
    id.starts_with("i-").then_some(())?;
    let has = |task: &&Task| {
        let ports = || task.containers.iter().flat_map(|one| &one.host_ports);
        task.ec2.as_deref() == Some(id)
            && task.last_status != "STOPPED"
            && ports().any(|own| *own == port)
    };
    region.ecs.tasks.values().find(has)
}

/// The container of a task that a port leads to.
pub(crate) fn listener<'t>(task: &'t Task, id: &str, port: i64) -> Option<&'t Container> {
    let ports = |one: &'t Container| if task.address == id { &one.ports } else { &one.host_ports };
    task.containers.iter().find(|one| ports(one).contains(&port))
}

/// What a request to an address gets.
pub(crate) fn reply(region: &Region, id: &str, port: i64, now: Time) -> Reply {
    let task = behind(region, id, port);
    let container = task.and_then(|task| listener(task, id, port));
    match container.filter(|one| one.last_status == "RUNNING") {
        Some(container) => container.behaviour.reply(now - container.started_at.unwrap_or(now)),
        // An instance is there, whatever runs on it.
        None if task.is_some() || id.starts_with("i-") => Reply::Refused,
        None => Reply::Timeout,
    }
}

/// What a user's request to an address gets, and the body of the answer: the image that gave it.
pub(crate) fn visit(
    region: &Region,
    id: &str,
    port: i64,
    path: &str,
    now: Time,
) -> (Reply, String) {
    let container = behind(region, id, port).and_then(|task| listener(task, id, port));
    match container.filter(|one| one.last_status == "RUNNING") {
        Some(container) => {
            let age = now - container.started_at.unwrap_or(now);
            (container.behaviour.reply_to(path, age), container.image.clone())
        }
        None => (reply(region, id, port, now), String::new()),
    }
}

/// A target's health changed: the scheduler looks at the service of the task behind it.
pub(crate) fn target_changed(here: &mut Here<'_>, id: &str, port: i64) {
    if let Some(arn) = behind(here.region, id, port).map(|task| task.arn.clone()) {
        here.look_at_owner(&arn);
    }
}
