//! Service deployments and service revisions (Amazon ECS Developer Guide, "View service history using
//! Amazon ECS service deployments"): the record of each deployment of a service and the statuses that it
//! goes through. What a deployment does is in `scheduler` and `failures`; this only writes it down, and
//! keeps what a client asked for with StopServiceDeployment until the scheduler looks.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    definition,
    failures::{self, Why},
    native, scheduler,
    service::REVISION_MEMBERS,
};
use crate::{
    journal::Change,
    state::{
        Here,
        ecs::{Deployment, Revision, Rollback, Rollout, Service, last},
    },
};

/// Service deployments are shown for 90 days.
const HISTORY: Duration = Duration::from_secs(90 * 24 * 3600);

/// Writes down the newest deployment of a service; one that was going on is stopped by it.
pub(super) fn begin(here: &mut Here<'_>, arn: &str) {
    stop_older(here, arn);
    let now = here.now();
    here.shared.record_ids.number();
    let id = here.shared.record_ids.token(21);
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let newest = service.deployments.first().map(|one| one.id.clone()).unwrap_or_default();
    let path = format!("{}/{}", service.cluster, service.name);
    let revision = revision_of(here, service, &path, last(&newest));
    let native = native::begin(here, service);
    let rollout = Rollout {
        arn: here.arn("ecs", &format!("service-deployment/{path}/{id}")),
        status: "PENDING".into(),
        reason: None,
        deployment: newest,
        target: revision.arn.clone(),
        sources: service.deployments.iter().skip(1).map(source).collect(),
        created_at: now,
        started_at: None,
        finished_at: None,
        stopped_at: None,
        updated_at: now,
        configuration: native::api::configuration(here, service),
        rollback: None,
        breaker: None,
        failures: 0,
        watches_alarms: super::alarms::watched(here, service),
        triggered_alarms: Vec::new(),
        listed_at: native.as_ref().map(|_| now + here.shared.timing.listing),
        native,
    };
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if let Some(own) = service.deployments.first_mut() {
        own.revision.clone_from(&revision.arn);
        if rollout.native.is_some() {
            own.resolved.clear();
        }
    }
    service.rollouts.retain(|one| now - one.created_at < HISTORY);
    let kept = |one: &Revision, service: &Service| {
        now - one.created_at < HISTORY
            || service.deployments.iter().any(|own| own.revision == one.arn)
    };
    let old = std::mem::take(&mut service.revisions);
    service.revisions = old.into_iter().filter(|one| kept(one, service)).collect();
    service.revisions.insert(0, revision);
    service.rollouts.insert(0, rollout);
    note(here, arn, 0);
}

fn source(one: &Deployment) -> (String, String) {
    (one.id.clone(), one.revision.clone())
}

fn revision_of(here: &Here<'_>, service: &Service, path: &str, number: &str) -> Revision {
    let own = REVISION_MEMBERS.iter().chain(&[
        "launchType",
        "capacityProviderStrategy",
        "gatewayConnectors",
        "monitoring",
    ]);
    let wanted = service.definition.clone().unwrap_or_default();
    let containers = definition::find(here, &wanted).map(|found| found.containers.as_slice());
    Revision {
        arn: here.arn("ecs", &format!("service-revision/{path}/{number}")),
        definition: wanted.clone(),
        created_at: here.now(),
        members: own
            .filter_map(|member| {
                Some(((*member).to_owned(), service.members.get(*member)?.clone()))
            })
            .collect(),
        images: containers
            .unwrap_or_default()
            .iter()
            .map(|one| (one.name.clone(), one.image.clone(), None))
            .collect(),
    }
}

/// A new deployment takes the place of one that has not ended.
fn stop_older(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(newest) = service.rollouts.first().filter(|one| !one.ended()) else { return };
    let (status, reason) = match newest.status.as_str() {
        "ROLLBACK_IN_PROGRESS" => ("ROLLBACK_FAILED", "A new service deployment was started."),
        _ => ("STOP_REQUESTED", "A new service deployment was started."),
    };
    become_(here, arn, 0, status, Some(reason));
}

/// The scheduler looks: what was asked for happens.
pub(super) fn look(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let due: Vec<(usize, String)> = service
        .rollouts
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.ended())
        .map(|(at, one)| (at, one.status.clone()))
        .collect();
    for (at, status) in due {
        match status.as_str() {
            "PENDING" => become_(here, arn, at, "IN_PROGRESS", None),
            "STOP_REQUESTED" => become_(here, arn, at, "STOPPED", None),
            // One that is complete by now is let be: `conclude` says so in the same round.
            "ROLLBACK_REQUESTED" if native::owns(here, arn) => {}
            "ROLLBACK_REQUESTED" if !scheduler::complete(here, arn) => {
                failures::give_up(here, arn, Why::Request, true);
            }
            _ => {}
        }
    }
}

/// The primary deployment has reached its steady state.
pub(super) fn completed(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(newest) = service.rollouts.first().filter(|one| !one.ended()) else { return };
    // A rollback is over when the last task of the deployment that failed is gone.
    let status = match newest.status.as_str() {
        "ROLLBACK_IN_PROGRESS" if service.deployments.len() > 1 => return,
        "ROLLBACK_IN_PROGRESS" => "ROLLBACK_SUCCESSFUL",
        "IN_PROGRESS" | "ROLLBACK_REQUESTED" => "SUCCESSFUL",
        _ => return,
    };
    become_(here, arn, 0, status, None);
}

/// The primary deployment was given up, and maybe another one is gone back to.
pub(super) fn failed(here: &mut Here<'_>, arn: &str, why: Why, back: Option<&Deployment>) {
    let now = here.now();
    let reason = reason(why, back.is_some());
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let Some(newest) = service.rollouts.first_mut().filter(|one| !one.ended()) else { return };
    if why == Why::Breaker {
        newest.breaker = Some("TRIGGERED".into());
    }
    let status = match (newest.status.as_str(), back) {
        ("ROLLBACK_IN_PROGRESS", _) => "ROLLBACK_FAILED",
        (_, Some(_)) => "ROLLBACK_IN_PROGRESS",
        ("ROLLBACK_REQUESTED", None) => "STOPPED",
        (_, None) => "STOP_REQUESTED",
    };
    if let Some(back) = back {
        let (reason, revision) = (reason.clone(), back.revision.clone());
        newest.rollback = Some(Rollback { reason, started_at: now, revision });
    }
    become_(here, arn, 0, status, Some(&reason));
    here.look_soon(arn);
}

/// `statusReason`. That of the circuit breaker's rollback was seen, the others are assumed.
fn reason(why: Why, back: bool) -> String {
    let why = match why {
        Why::Breaker => "the circuit breaker threshold was exceeded",
        Why::Alarm => "an alarm was detected",
        Why::Request => "a rollback was requested",
    };
    let what = if back { "rolled back" } else { "stopped" };
    format!("Service deployment {what} because {why}.")
}

/// Goes to a status.
pub(super) fn become_(
    here: &mut Here<'_>,
    arn: &str,
    at: usize,
    status: &str,
    reason: Option<&str>,
) {
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let Some(one) = service.rollouts.get_mut(at) else { return };
    let own = service.deployments.iter().find(|own| own.id == one.deployment);
    one.status = status.to_owned();
    one.updated_at = now;
    if let Some(reason) = reason {
        one.reason = Some(reason.to_owned());
    }
    if let Some(own) = own {
        one.failures = own.failed_tasks;
    }
    match status {
        "IN_PROGRESS" => one.started_at = Some(now),
        "STOPPED" => one.stopped_at = Some(now),
        _ => {}
    }
    if one.ended() {
        one.finished_at = Some(now);
    }
    note(here, arn, at);
}

fn note(here: &mut Here<'_>, arn: &str, at: usize) {
    let service = here.region.ecs.services.get(arn);
    let Some(one) = service.and_then(|service| service.rollouts.get(at)) else { return };
    let change = Change::ServiceDeployment {
        service: arn.to_owned(),
        arn: one.arn.clone(),
        status: one.status.clone(),
    };
    here.note(change);
}

/// The service deployments that clients are shown.
pub(super) fn listed<'h>(
    here: &Here<'_>,
    service: &'h Service,
) -> impl Iterator<Item = &'h Rollout> {
    let now = here.now();
    service.rollouts.iter().filter(move |one| one.listed_at.is_none_or(|at| at <= now))
}

/// A deployment is the primary and only one of a service again.
pub(super) fn return_to(here: &mut Here<'_>, arn: &str, back: Deployment) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let before = service.definition.replace(back.definition.clone()).unwrap_or_default();
    let after = back.definition.clone();
    for member in REVISION_MEMBERS {
        match back.settings.get(*member) {
            Some(value) => drop(service.members.insert((*member).to_owned(), value.clone())),
            None => drop(service.members.shift_remove(*member)),
        }
    }
    service.deployments = vec![back.clone()];
    service.completed = Some(back);
    service.failed_starts = 0;
    service.back_off = None;
    here.note(Change::Revision { service: arn.to_owned(), before, after });
    scheduler::note_deployment(here, arn, 0);
}

/// A revision and how many tasks of it there are and should be.
pub(super) fn counts(
    here: &Here<'_>,
    service: &Service,
    deployment: &str,
    revision: &str,
) -> Value {
    let tasks = service.tasks.iter().filter_map(|arn| here.region.ecs.tasks.get(arn));
    let own: Vec<_> = tasks.filter(|task| task.started_by.as_deref() == Some(deployment)).collect();
    let wanted = own.iter().filter(|task| task.wanted()).count();
    let primary = service.deployments.first().is_some_and(|one| one.id == deployment);
    let requested = if primary { usize::try_from(service.desired).unwrap_or(0) } else { wanted };
    let starting = ["PROVISIONING", "PENDING", "ACTIVATING"];
    json!({
        "arn": revision,
        "requestedTaskCount": requested,
        "runningTaskCount": own.iter().filter(|task| task.last_status == "RUNNING").count(),
        "pendingTaskCount": own.iter().filter(|task| starting.contains(&task.last_status.as_str())).count(),
    })
}
