//! The life of a task (Amazon ECS Developer Guide, "Amazon ECS task lifecycle"): each state lasts as
//! long as the world's timing says, and whatever ends a task goes through `end` or `exit`. Which tasks
//! there should be is the business of `scheduler`.

use std::time::Duration;

use super::{depend, failures, logging, pin};
use crate::{
    clock::Time,
    ecr, elb,
    image::{Does, Reply, Stops},
    journal::Change,
    state::{Here, ecs::Task, timers::Due},
};

/// Goes to a state, and on from there after a while.
pub(super) fn go(here: &mut Here<'_>, arn: &str, to: &str, wait: Option<Duration>) {
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    let from = std::mem::replace(&mut task.last_status, to.to_owned());
    task.turn += 1;
    let (turn, service) = (task.turn, task.service.clone());
    here.note(Change::Task { service, task: arn.to_owned(), from, to: to.to_owned() });
    if let Some(wait) = wait {
        here.later(wait, Due::Task { task: arn.to_owned(), turn });
    }
}

/// A state has lasted as long as it does.
pub(crate) fn turn(here: &mut Here<'_>, arn: &str, turn: u32) {
    let now = here.now();
    let timing = here.shared.timing.clone();
    let Some(task) = here.region.ecs.tasks.get_mut(arn).filter(|task| task.turn == turn) else {
        return;
    };
    match task.last_status.as_str() {
        "PROVISIONING" => {
            task.pull_started_at = Some(now);
            go(here, arn, "PENDING", Some(timing.pull));
        }
        "PENDING" => pulled(here, arn),
        "ACTIVATING" => running(here, arn),
        "DEACTIVATING" => go(here, arn, "STOPPING", Some(timing.stop)),
        "STOPPING" => {
            let lasts = lasting(task, now);
            if lasts > Duration::ZERO {
                go(here, arn, "STOPPING", Some(lasts));
            } else {
                stop_containers(task, now);
                go(here, arn, "DEPROVISIONING", Some(timing.deprovisioning));
            }
        }
        "DEPROVISIONING" => stopped(here, arn),
        _ => {}
    }
    here.look_at_owner(arn);
}

/// The pull has ended: all images are there and the containers start, or one cannot be pulled.
fn pulled(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some(task) = here.region.ecs.tasks.get(arn) else { return };
    let digests: Vec<Result<Option<String>, String>> = task
        .containers
        .iter()
        .map(|container| {
            if container.behaviour.does == Does::Missing {
                let said = container.behaviour.reason.clone();
                return Err(said.unwrap_or_else(|| ecr::not_found(&container.image)));
            }
            let image =
                pin::pinned(here, task, container).unwrap_or_else(|| container.image.clone());
            ecr::resolve(here.region, &here.shared.account, &image, &task.platform)
        })
        .collect();
    let failure = digests.iter().find_map(|digest| digest.as_ref().err().cloned());
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    task.pull_stopped_at = Some(now);
    for (container, digest) in task.containers.iter_mut().zip(digests) {
        match digest {
            Ok(digest) => container.digest = digest,
            Err(reason) => container.reason = Some(reason),
        }
    }
    if let Some(reason) = failure {
        end(here, arn, "TaskFailedToStart", &reason);
        return;
    }
    pin::pin(here, arn);
    depend::look(here, arn);
}

/// A container starts.
pub(super) fn begin(here: &mut Here<'_>, arn: &str, at: usize) {
    let now = here.now();
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    let Some(container) = task.containers.get_mut(at) else { return };
    container.last_status = "RUNNING".into();
    container.started_at = Some(now);
    let exits = container.behaviour.exits_after();
    let check = container.health_check.as_ref().map(|check| check.interval);
    let awaited = container.start_timeout;
    logging::begin(here, arn, at);
    if let Some(after) = exits {
        here.later(after, Due::Exit { task: arn.to_owned(), container: at });
    }
    if let Some(interval) = check {
        let due = Due::ContainerCheck { task: arn.to_owned(), container: at };
        here.later(Duration::from_secs(interval), due);
    }
    if let Some(seconds) = awaited {
        here.later(Duration::from_secs(seconds), Due::Awaited { task: arn.to_owned() });
    }
}

/// All containers have started, or will never: the task gets its place.
pub(super) fn begun(here: &mut Here<'_>, arn: &str) {
    let Some(task) = here.region.ecs.tasks.get(arn) else { return };
    let wait = match task.attachments.is_empty() {
        true => Duration::ZERO,
        false => here.shared.timing.registration,
    };
    go(here, arn, "ACTIVATING", Some(wait));
}

/// Everything is set up: the task stands in its target groups and is RUNNING.
fn running(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    task.started_at = Some(now);
    task.registered = true;
    let targets: Vec<_> = task.attachments.iter().map(|one| task.target(one)).collect();
    let (attachments, zone, service) =
        (task.attachments.clone(), task.zone.clone(), task.service.clone());
    for (attachment, (id, port)) in attachments.iter().zip(targets) {
        elb::health::register(here, &attachment.group, &id, port, &zone);
        if let Some(service) =
            service.as_ref().and_then(|arn| here.region.ecs.services.get_mut(arn))
        {
            service.moved.entry(attachment.group.clone()).or_default().0 += 1;
        }
    }
    go(here, arn, "RUNNING", None);
    if let Some(service) = service {
        failures::started(here, &service);
    }
}

/// Takes the task out of its target groups; tells how long they drain.
fn deregister(here: &mut Here<'_>, arn: &str) -> Duration {
    let Some(task) = here.region.ecs.tasks.get_mut(arn).filter(|task| task.registered) else {
        return Duration::ZERO;
    };
    task.registered = false;
    let targets: Vec<_> = task.attachments.iter().map(|one| task.target(one)).collect();
    let (attachments, service) = (task.attachments.clone(), task.service.clone());
    let mut longest = Duration::ZERO;
    for (attachment, (id, port)) in attachments.iter().zip(targets) {
        longest = longest.max(elb::health::deregister(here, &attachment.group, &id, port));
        if let Some(service) =
            service.as_ref().and_then(|arn| here.region.ecs.services.get_mut(arn))
        {
            service.moved.entry(attachment.group.clone()).or_default().1 += 1;
        }
    }
    longest
}

/// Ends a task from outside: it leaves its target groups, they drain, and then its containers stop.
pub(super) fn end(here: &mut Here<'_>, arn: &str, code: &str, reason: &str) {
    let now = here.now();
    let timing = here.shared.timing.clone();
    let Some(task) = here.region.ecs.tasks.get_mut(arn).filter(|task| task.wanted()) else {
        return;
    };
    task.desired_status = "STOPPED".into();
    task.stop_code = Some(code.to_owned());
    task.stopped_reason = Some(reason.to_owned());
    task.stopping_at = Some(now);
    match task.last_status.as_str() {
        "RUNNING" => {
            let drain =
                if code == "UserInitiated" { Duration::ZERO } else { deregister(here, arn) };
            go(here, arn, "DEACTIVATING", Some(drain));
            deregister(here, arn);
        }
        "ACTIVATING" => go(here, arn, "STOPPING", Some(timing.stop)),
        _ if task.containers.iter().any(|one| one.last_status == "RUNNING") => {
            go(here, arn, "STOPPING", Some(timing.stop));
        }
        _ => go(here, arn, "DEPROVISIONING", Some(timing.deprovisioning)),
    }
    if code == "TaskFailedToStart" {
        failures::failed_to_start(here, arn);
    }
    here.look_at_owner(arn);
}

/// A container exits by itself.
pub(crate) fn exit(here: &mut Here<'_>, arn: &str, at: usize) {
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    let wanted = task.wanted();
    let Some(container) =
        task.containers.get_mut(at).filter(|container| container.last_status == "RUNNING")
    else {
        return;
    };
    container.last_status = "STOPPED".into();
    container.exit_code = Some(container.behaviour.code);
    container.reason.clone_from(&container.behaviour.reason);
    if container.behaviour.does == Does::Oom && container.reason.is_none() {
        container.reason = Some("OutOfMemoryError: Container killed due to memory usage".into());
    }
    if !wanted {
        return;
    }
    if !container.essential {
        depend::look(here, arn);
        return;
    }
    essential_ended(here, arn);
}

/// An essential container has ended: ECS stops the others, and the task with them.
pub(super) fn essential_ended(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let deprovisioning = here.shared.timing.deprovisioning;
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    let ran = task.started_at.is_some();
    task.desired_status = "STOPPED".into();
    task.stop_code = Some("EssentialContainerExited".into());
    task.stopped_reason = Some("Essential container in task exited".into());
    task.stopping_at = Some(now);
    let lasts = lasting(task, now);
    if lasts.is_zero() {
        stop_containers(task, now);
    }
    deregister(here, arn);
    match lasts.is_zero() {
        true => go(here, arn, "DEPROVISIONING", Some(deprovisioning)),
        false => go(here, arn, "STOPPING", Some(lasts)),
    }
    if !ran {
        failures::failed_to_start(here, arn);
    }
    here.look_at_owner(arn);
}

/// How much longer its containers take to stop: those that do not end at SIGTERM have their
/// `stopTimeout` (30 s unless it says otherwise), and then SIGKILL.
fn lasting(task: &Task, now: Time) -> Duration {
    let since = task.stopping_at.unwrap_or(now);
    let slow = task
        .containers
        .iter()
        .filter(|one| one.last_status == "RUNNING" && one.behaviour.stops == Stops::Kill);
    let longest = slow.map(|one| Duration::from_secs(one.stop_timeout.unwrap_or(30))).max();
    longest.unwrap_or_default().saturating_sub(now - since)
}

fn stop_containers(task: &mut Task, now: Time) {
    task.execution_stopped_at = Some(now);
    for container in
        task.containers.iter_mut().filter(|container| container.last_status == "RUNNING")
    {
        container.last_status = "STOPPED".into();
        container.exit_code = Some(match container.behaviour.stops {
            Stops::Clean => 0,
            Stops::Term => 143,
            Stops::Kill => 137,
        });
    }
}

fn stopped(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some(task) = here.region.ecs.tasks.get_mut(arn) else { return };
    task.stopped_at = Some(now);
    for container in &mut task.containers {
        container.last_status = "STOPPED".into();
    }
    here.region.network.remove(&task.address);
    if let Some(service) =
        task.service.as_ref().and_then(|service| here.region.ecs.services.get_mut(service))
    {
        service.tasks.remove(arn);
    }
    go(here, arn, "STOPPED", None);
    here.later(Duration::from_secs(3600), Due::Forget { task: arn.to_owned() });
}

/// A stopped task is shown for an hour.
pub(crate) fn forget(here: &mut Here<'_>, arn: &str) {
    here.region.ecs.tasks.remove(arn);
}

/// A container's own health check runs.
pub(crate) fn check(here: &mut Here<'_>, arn: &str, at: usize) {
    let now = here.now();
    let Some(task) = here.region.ecs.tasks.get_mut(arn).filter(|task| task.wanted()) else {
        return;
    };
    let before = task.health();
    let Some(container) = task.containers.get_mut(at) else { return };
    let (Some(check), Some(started)) = (container.health_check.clone(), container.started_at)
    else {
        return;
    };
    let age = now - started;
    if container.behaviour.reply(age) == Reply::Status(200) {
        container.failures = 0;
        container.health = "HEALTHY".into();
    } else if age >= Duration::from_secs(check.start_period) {
        container.failures += 1;
        if container.failures >= check.retries {
            container.health = "UNHEALTHY".into();
        }
    }
    let changed = task.health() != before;
    here.later(
        Duration::from_secs(check.interval),
        Due::ContainerCheck { task: arn.to_owned(), container: at },
    );
    if changed {
        here.look_at_owner(arn);
    }
    depend::look(here, arn);
}

/// The deployment that a task belongs to, for texts.
pub(super) fn started_by(here: &Here<'_>, arn: &str) -> String {
    here.region.ecs.tasks.get(arn).and_then(|task| task.started_by.clone()).unwrap_or_default()
}
