//! Containers that wait for others (Amazon ECS API, ContainerDependency): which of a task's may start
//! now, and which never will. The words are those of the container agent
//! (aws/amazon-ecs-agent, `dependencygraph`).

use std::time::Duration;

use super::task;
use crate::{
    clock::Time,
    state::{
        Here,
        ecs::{Container, Dependency, Task},
    },
};

/// What a container can do now.
enum Next {
    Start,
    Wait,
    /// It never starts, and why.
    Never(String),
}

/// Starts what may start. Once nothing waits any more, the task goes on.
pub(crate) fn look(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    loop {
        let Some(task) = here.region.ecs.tasks.get(arn) else { return };
        if !task.wanted() || task.last_status != "PENDING" {
            return;
        }
        let waiting =
            task.containers.iter().enumerate().filter(|(_, one)| one.last_status == "PENDING");
        let next = waiting.map(|(at, one)| (at, next(task, one, now)));
        let mut ready = next.filter(|(_, next)| !matches!(next, Next::Wait));
        match ready.next() {
            Some((at, Next::Start)) => task::begin(here, arn, at),
            Some((at, Next::Never(why))) => {
                if never(here, arn, at, why) {
                    return task::essential_ended(here, arn);
                }
            }
            _ => break,
        }
    }
    let Some(task) = here.region.ecs.tasks.get(arn) else { return };
    if task.containers.iter().all(|one| one.last_status != "PENDING") {
        task::begun(here, arn);
    }
}

/// A container that cannot start is stopped, with the code of a SIGTERM that it never got; whether it
/// is essential.
fn never(here: &mut Here<'_>, arn: &str, at: usize, why: String) -> bool {
    let task = here.region.ecs.tasks.get_mut(arn);
    let Some(container) = task.and_then(|task| task.containers.get_mut(at)) else { return false };
    container.last_status = "STOPPED".into();
    container.exit_code = Some(143);
    container.reason = Some(format!("CannotStartContainerError: dependency graph: {why}"));
    container.essential
}

fn next(task: &Task, container: &Container, now: Time) -> Next {
    let mut waits = false;
    for dependency in &container.depends_on {
        let other = task.containers.iter().find(|one| one.name == dependency.container);
        let Some(other) = other else { continue };
        match resolve(container, other, dependency, now) {
            Next::Start => {}
            Next::Wait => waits = true,
            never => return never,
        }
    }
    if waits { Next::Wait } else { Next::Start }
}

/// Whether one dependency is as it must be.
fn resolve(target: &Container, other: &Container, wanted: &Dependency, now: Time) -> Next {
    let stopped = other.last_status == "STOPPED";
    let ordering =
        || format!("container ordering dependency [{}] for target [{}]", of(other), of(target));
    if stopped && other.started_at.is_none() {
        let ordering = ordering();
        return Next::Never(format!(
            "failed to resolve {ordering} because dependency will never start"
        ));
    }
    let timeout = other.start_timeout.map(Duration::from_secs).filter(|_| !stopped);
    let late = other.started_at.zip(timeout).is_some_and(|(at, timeout)| now - at >= timeout);
    let resolved = match wanted.condition.as_str() {
        "START" => other.started_at.is_some(),
        "COMPLETE" => stopped,
        "SUCCESS" if stopped && other.exit_code != Some(0) => {
            let ordering = ordering();
            return Next::Never(format!(
                "failed to resolve {ordering} as dependency did not exit successfully."
            ));
        }
        "SUCCESS" => stopped,
        _ => other.health == "HEALTHY",
    };
    match resolved {
        true => Next::Start,
        false if late => Next::Never(format!("{} has timed out.", ordering())),
        false => Next::Wait,
    }
}

/// A container as the agent writes it.
fn of(one: &Container) -> String {
    let known = match one.last_status.as_str() {
        "PENDING" => "NONE",
        known => known,
    };
    let exit = one.exit_code.map(|code| format!(" - Exit: {code}")).unwrap_or_default();
    format!("{}({}) ({known}->RUNNING){exit}", one.name, one.image)
}
