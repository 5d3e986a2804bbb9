//! What counts as a failure, and what follows from it: tasks whose health checks fail are stopped, tasks
//! that never come to run are started more and more slowly, and the deployment circuit breaker ends a
//! deployment with too many of either. What should run is the business of `scheduler`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    events,
    instance::Unplaced,
    rollout,
    scheduler::{configuration, note_deployment, settle, view},
    task,
};
use crate::{
    elb,
    journal::Change,
    protocol::json::int,
    state::{
        Here,
        ecs::{Deployment, Task},
    },
};

/// Stops tasks that fail their health checks.
pub(super) fn replace_unhealthy(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let grace = int(service.members.get("healthCheckGracePeriodSeconds"))
        .and_then(|grace| u64::try_from(grace).ok());
    let grace = Duration::from_secs(grace.unwrap_or(0));
    let mut unhealthy = Vec::new();
    let mut again = Vec::new();
    for task in service.tasks.iter().filter_map(|task| here.region.ecs.tasks.get(task)) {
        let Some(started) = task.started_at.filter(|_| task.wanted()) else { continue };
        let Some((event, reason)) = sickness(here, task) else { continue };
        let wait = grace.saturating_sub(here.now() - started).max(patience(here, task));
        if !wait.is_zero() {
            again.push(wait);
        } else {
            unhealthy.push((task.arn.clone(), event, reason));
        }
    }
    for wait in again {
        here.look_in(arn, wait);
    }
    for (task, event, reason) in unhealthy {
        events::say(here, arn, &event);
        let deployment = task::started_by(here, &task);
        fail(here, arn, &deployment);
        if let Some(service) = here.region.ecs.services.get_mut(arn) {
            service.replaced += 1;
            service.steady = false;
        }
        task::end(here, &task, "ServiceSchedulerInitiated", &reason);
    }
}

/// How much longer the scheduler leaves a task whose target is unhealthy.
fn patience(here: &Here<'_>, task: &Task) -> Duration {
    let since = task
        .attachments
        .iter()
        .filter_map(|one| {
            let (id, port) = task.target(one);
            elb::unhealthy_since(here.region, &one.group, &id, port)
        })
        .min();
    since.map_or(Duration::ZERO, |since| {
        here.shared.timing.replacement.saturating_sub(here.now() - since)
    })
}

/// The event and the stop reason of a task whose health checks fail.
fn sickness(here: &Here<'_>, task: &Task) -> Option<(String, String)> {
    for one in &task.attachments {
        let (id, port) = task.target(one);
        let health = elb::state(here.region, &one.group, &id, port);
        if let Some(health) = health.filter(|health| health.state.starts_with("unhealthy")) {
            let who = match id.starts_with("i-") {
                true => format!("instance {id}"),
                false => format!("task {}", task.id()),
            };
            let event = format!(
                "({who}) (port {port}) is unhealthy in (target-group {}) due to (reason {}).",
                one.group, health.description
            );
            return Some((
                event,
                format!("Task failed ELB health checks in (target-group {})", one.group),
            ));
        }
    }
    let sick = task.health() == "UNHEALTHY";
    sick.then(|| {
        (
            format!("(task {}) failed container health checks.", task.id()),
            "Task failed container health checks".to_owned(),
        )
    })
}

/// A task never came to run.
pub(super) fn failed_to_start(here: &mut Here<'_>, task: &str) {
    let Some(found) = here.region.ecs.tasks.get(task) else { return };
    let (Some(arn), Some(deployment)) = (found.service.clone(), found.started_by.clone()) else {
        return;
    };
    fail(here, &arn, &deployment);
    let (now, first) = (here.now(), here.shared.timing.backoff);
    let Some(service) = here.region.ecs.services.get_mut(&arn) else { return };
    service.failed_starts += 1;
    service.steady = false;
    let Some(doublings) = service.failed_starts.checked_sub(3) else { return };
    let wait = first.saturating_mul(1 << doublings.min(10)).min(Duration::from_secs(900));
    service.back_off = Some(now + wait);
    events::complain(here, &arn, "is unable to consistently start tasks successfully.");
    here.look_in(&arn, wait);
}

/// A task came to run: the next one need not wait.
pub(super) fn started(here: &mut Here<'_>, arn: &str) {
    if let Some(service) = here.region.ecs.services.get_mut(arn) {
        service.failed_starts = 0;
        service.back_off = None;
    }
    here.look_in(arn, here.shared.timing.settle);
}

/// Some tasks were placed, or one was not: the scheduler tries again, later and later.
pub(super) fn placed(here: &mut Here<'_>, arn: &str, some: bool, unplaced: Option<Unplaced>) {
    let (now, first) = (here.now(), here.shared.timing.backoff);
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if some {
        service.unplaced = 0;
    }
    let Some(why) = unplaced else {
        if some {
            events::cleared(here, arn, "was unable to place a task");
        }
        return;
    };
    service.steady = false;
    let wait = first.saturating_mul(1 << service.unplaced.min(10)).min(Duration::from_secs(900));
    service.unplaced += 1;
    service.back_off = Some(now + wait);
    events::complain(here, arn, &why.event);
    here.look_in(arn, wait);
}

/// Counts a failed task of a deployment that is in progress.
fn fail(here: &mut Here<'_>, arn: &str, deployment: &str) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if let Some(one) = service
        .deployments
        .iter_mut()
        .find(|one| one.id == deployment && one.rollout_state == "IN_PROGRESS")
    {
        one.failed_tasks += 1;
    }
}

/// A task that proves healthy ends a row of failures.
pub(super) fn forgive(here: &mut Here<'_>, arn: &str) {
    let seen = view(here, arn).live;
    let keeps = breaker(here, arn)
        .is_some_and(|breaker| breaker.get("resetOnHealthyTask") == Some(&Value::Bool(false)));
    for one in seen {
        let Some(found) = here.region.ecs.tasks.get_mut(&one.arn) else { continue };
        let first = one.healthy && !found.proved;
        found.proved |= one.healthy;
        let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
        if first
            && !keeps
            && let Some(own) = service.deployments.iter_mut().find(|own| own.id == one.deployment)
        {
            own.failed_tasks = 0;
        }
    }
}

fn breaker<'h>(here: &'h Here<'_>, arn: &str) -> Option<&'h Map<String, Value>> {
    configuration(here, arn)?.get("deploymentCircuitBreaker")?.as_object()
}

/// When the circuit breaker opens (Amazon ECS Developer Guide, "How the deployment circuit breaker
/// detects failures").
pub(super) fn threshold(breaker: &Map<String, Value>, desired: u32) -> u32 {
    let own = breaker.get("thresholdConfiguration");
    let value =
        int(own.and_then(|own| own.get("value"))).and_then(|value| u32::try_from(value).ok());
    let percent = |value: u32| {
        (u64::from(desired) * u64::from(value)).div_ceil(100).min(u64::from(u32::MAX)) as u32
    };
    match own.and_then(|own| own.get("type")).and_then(Value::as_str) {
        Some("COUNT") => value.unwrap_or(3).max(1),
        Some("UNBOUNDED_PERCENT") => percent(value.unwrap_or(50)).max(1),
        _ => percent(value.unwrap_or(50)).clamp(3, 200),
    }
}

/// The deployment circuit breaker.
pub(super) fn judge(here: &mut Here<'_>, arn: &str) {
    if let Some(rollback) = tripped(here, arn) {
        give_up(here, arn, Why::Breaker, rollback);
    }
}

/// Whether the circuit breaker opens, and if it does, whether the service rolls back.
pub(super) fn tripped(here: &Here<'_>, arn: &str) -> Option<bool> {
    let flag = |member: &str| {
        breaker(here, arn).and_then(|one| one.get(member)).and_then(Value::as_bool).unwrap_or(false)
    };
    if !flag("enable") {
        return None;
    }
    let service = here.region.ecs.services.get(arn)?;
    let limit = breaker(here, arn).map_or(u32::MAX, |breaker| threshold(breaker, service.desired));
    let primary = service.deployments.first().filter(|one| one.rollout_state == "IN_PROGRESS")?;
    (primary.failed_tasks >= limit).then(|| flag("rollback"))
}

/// Why a deployment is given up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    /// The deployment circuit breaker.
    Breaker,
    /// A deployment alarm.
    Alarm,
    /// StopServiceDeployment.
    Request,
}

impl Why {
    /// `rolloutStateReason` of the deployment that failed. That of the circuit breaker is documented, the
    /// others are assumed.
    fn failed(self) -> &'static str {
        match self {
            Why::Breaker => "ECS deployment circuit breaker: tasks failed to start.",
            Why::Alarm => "ECS deployment alarms: alarm detected.",
            Why::Request => "ECS deployment stopped: rollback requested.",
        }
    }

    /// The end of the service event.
    fn event(self) -> &'static str {
        match self {
            Why::Breaker => "tasks failed to start.",
            Why::Alarm => "alarm detected.",
            Why::Request => "rollback requested.",
        }
    }

    /// `rolloutStateReason` of the deployment that is gone back to.
    fn back(self, id: &str) -> String {
        match self {
            Why::Breaker => {
                format!("ECS deployment circuit breaker: rolling back to deploymentId {id}.")
            }
            Why::Alarm => format!("ECS deployment alarms: rolling back to deploymentId {id}."),
            Why::Request => format!("ECS deployment stopped: rolling back to deploymentId {id}."),
        }
    }
}

/// The primary deployment has failed: back to the newest completed one if that is wanted and there is
/// one, else it just stalls.
pub(super) fn give_up(here: &mut Here<'_>, arn: &str, why: Why, rollback: bool) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(primary) = service.deployments.first() else { return };
    let (failed, back) = (primary.id.clone(), service.completed.clone());
    settle(here, arn, 0, "FAILED", why.failed());
    events::say(here, arn, &format!("(deployment {failed}) deployment failed: {}", why.event()));
    let back = back.filter(|back| rollback && back.id != failed);
    rollout::failed(here, arn, why, back.as_ref());
    if let Some(back) = back {
        roll_back(here, arn, why, back);
    }
}

/// The newest completed deployment becomes the primary one again.
fn roll_back(here: &mut Here<'_>, arn: &str, why: Why, mut back: Deployment) {
    let now = here.now();
    events::say(here, arn, &format!("rolling back to deployment {}.", back.id));
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    service.deployments.retain(|one| one.id != back.id);
    for older in &mut service.deployments {
        older.status = "ACTIVE".into();
    }
    back.status = "PRIMARY".into();
    back.rollout_state = "IN_PROGRESS".into();
    back.rollout_reason = why.back(&back.id);
    back.updated_at = now;
    back.failed_tasks = 0;
    let before = service.definition.replace(back.definition.clone()).unwrap_or_default();
    let after = back.definition.clone();
    for member in super::service::REVISION_MEMBERS {
        match back.settings.get(*member) {
            Some(value) => drop(service.members.insert((*member).to_owned(), value.clone())),
            None => drop(service.members.shift_remove(*member)),
        }
    }
    service.deployments.insert(0, back);
    service.failed_starts = 0;
    service.back_off = None;
    here.note(Change::Revision { service: arn.to_owned(), before, after });
    note_deployment(here, arn, 0);
}
