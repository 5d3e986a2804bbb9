//! Deployment alarms (Amazon ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS deployment
//! failures"): an alarm that goes off while a deployment is watched ends it; one that is on already
//! when a deployment begins takes the watch off that deployment.

use std::time::Duration;

use serde_json::{Map, Value};

use super::failures::{self, Why};
use crate::{
    protocol::json::{int, texts},
    state::{
        Here,
        ecs::{Rollout, Service},
    },
};

/// How long alarms are watched once all tasks are new, unless `bakeTimeInMinutes` says so. AWS says
/// that it is less than 5 minutes; the rest is assumed.
const BAKE: Duration = Duration::from_secs(4 * 60);

/// Sets the state of an alarm; the services look.
pub(crate) fn set_alarm(here: &mut Here<'_>, name: &str, state: &str) {
    let before = here.region.ecs.alarms.insert(name.to_owned(), state.to_owned());
    let alarm = here.region.alarms.entry(name.to_owned()).or_default();
    alarm.set_at = here.shared.now;
    if before.is_none() {
        alarm.configured_at = here.shared.now;
    }
    let watching = |one: &&Service| names(&one.members).iter().any(|own| own == name);
    let arns: Vec<String> =
        here.region.ecs.services.values().filter(watching).map(|one| one.arn.clone()).collect();
    for arn in arns {
        here.look_soon(&arn);
    }
}

fn block(members: &Map<String, Value>) -> Option<&Map<String, Value>> {
    members.get("deploymentConfiguration")?.get("alarms")?.as_object()
}

fn flag(members: &Map<String, Value>, member: &str) -> bool {
    block(members).and_then(|own| own.get(member)).and_then(Value::as_bool).unwrap_or(false)
}

/// The alarms that a service's deployments are watched by.
fn names(members: &Map<String, Value>) -> Vec<String> {
    if !flag(members, "enable") {
        return Vec::new();
    }
    texts(block(members).and_then(|own| own.get("alarmNames")))
}

fn on(here: &Here<'_>, names: &[String]) -> Vec<String> {
    let alarms = &here.region.ecs.alarms;
    let on = |name: &&String| alarms.get(*name).is_some_and(|state| state == "ALARM");
    names.iter().filter(on).cloned().collect()
}

/// Whether a deployment that begins now is watched.
pub(super) fn watched(here: &Here<'_>, service: &Service) -> bool {
    let names = names(&service.members);
    !names.is_empty() && on(here, &names).is_empty()
}

/// Ends the deployment if an alarm has gone off.
pub(super) fn judge(here: &mut Here<'_>, arn: &str) {
    if let Some(rollback) = triggered(here, arn) {
        failures::give_up(here, arn, Why::Alarm, rollback);
    }
}

/// Whether an alarm has gone off that ends the deployment, and if one has, whether the service rolls
/// back.
pub(super) fn triggered(here: &mut Here<'_>, arn: &str) -> Option<bool> {
    let service = here.region.ecs.services.get(arn)?;
    let going = service.deployments.first().is_some_and(|one| one.rollout_state == "IN_PROGRESS");
    let watched = |one: &Rollout| {
        one.watches_alarms && ["PENDING", "IN_PROGRESS"].contains(&one.status.as_str())
    };
    if !going || !service.rollouts.first().is_some_and(watched) {
        return None;
    }
    let triggered = on(here, &names(&service.members));
    if triggered.is_empty() {
        return None;
    }
    let rollback = flag(&service.members, "rollback");
    if let Some(service) = here.region.ecs.services.get_mut(arn) {
        service.rollouts[0].triggered_alarms = triggered;
    }
    Some(rollback)
}

/// How long a deployment is kept under watch once it is complete.
pub(super) fn bake(service: &Service) -> Duration {
    let own = service.members.get("deploymentConfiguration");
    let minutes = int(own.and_then(|own| own.get("bakeTimeInMinutes")));
    let Some(newest) = service.rollouts.first().filter(|one| one.status == "IN_PROGRESS") else {
        return Duration::ZERO;
    };
    match minutes.and_then(|minutes| u64::try_from(minutes).ok()) {
        Some(minutes) => Duration::from_secs(minutes * 60),
        None if newest.watches_alarms => BAKE,
        None => Duration::ZERO,
    }
}
