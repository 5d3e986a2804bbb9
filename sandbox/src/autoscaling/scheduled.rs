//! Scheduled actions: they are kept and shown. The time of one that runs once (`at(…)`, in UTC) comes; the times
//! of the others do not.
//!
//! Application Auto Scaling User Guide, "Scheduled scaling": it sets the minimum and maximum, and brings the
//! capacity between them. While scheduled scaling is suspended, it does not run, and not later either.

use serde_json::{Value, json};

use super::{invalid, named, not_found, page, target};
use crate::{
    clock::Time,
    ecs,
    journal::Change,
    protocol::json::{Answer, Request, int, raw},
    state::{
        Here,
        autoscaling::{Scheduled, Target},
        timers::Due,
    },
};

pub(super) fn put(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("ScheduledActionName").unwrap_or_default().to_owned();
    let id = request.text_of("ResourceId").unwrap_or_default().to_owned();
    let old = target(here, request)?.scheduled.get(&name).cloned();
    if old.is_none() && !request.has("Schedule") {
        return Err(invalid("Schedule must be specified for a new scheduled action"));
    }
    if let Some(schedule) = request.text_of("Schedule") {
        let known = ["at(", "rate(", "cron("].iter().any(|kind| schedule.starts_with(kind));
        if !known || !schedule.ends_with(')') {
            return Err(invalid(format!("Schedule expression '{schedule}' is not valid")));
        }
    }
    let mut members = old.as_ref().map(|old| old.members.clone()).unwrap_or_default();
    members.extend(request.value.iter().map(|(member, value)| (member.clone(), value.clone())));
    let action = members.get("ScalableTargetAction");
    let bound = |member: &str| int(action.and_then(|own| own.get(member)));
    match (bound("MinCapacity"), bound("MaxCapacity")) {
        (None, None) if old.is_none() => {
            return Err(invalid("ScalableTargetAction needs MinCapacity or MaxCapacity"));
        }
        (Some(least), Some(most)) if least > most => {
            return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
        }
        _ => {}
    }
    let (arn, created_at) = match old {
        Some(old) => (old.arn, old.created_at),
        None => {
            let resource = format!(
                "scheduledAction:{}:resource/ecs/{id}:scheduledActionName/{name}",
                here.shared.record_ids.uuid()
            );
            (here.arn("autoscaling", &resource), here.now())
        }
    };
    let schedule = members.get("Schedule").and_then(Value::as_str).unwrap_or_default().to_owned();
    let action = Scheduled { arn: arn.clone(), created_at, members };
    target(here, request)?.scheduled.insert(name, action);
    here.note(Change::Attributes { resource: arn.clone() });
    if let Some(wait) = once(&schedule).filter(|at| *at >= here.now()).map(|at| at - here.now()) {
        here.later(wait, Due::Scheduled { target: id, action: arn, schedule });
    }
    Ok(raw(&json!({})))
}

/// When an action runs that runs once: `at(2026-01-15T12:05:00)`.
fn once(schedule: &str) -> Option<Time> {
    let at = schedule.strip_prefix("at(")?.strip_suffix(')')?;
    humantime::parse_rfc3339(&format!("{at}Z")).ok().map(Time::from)
}

/// Its time has come.
pub(crate) fn come(here: &mut Here<'_>, id: &str, arn: &str, schedule: &str) {
    let Some(target) = here.region.scaling.0.get_mut(id) else { return };
    let is_it =
        |one: &&Scheduled| one.arn == arn && one.members.get("Schedule") == Some(&json!(schedule));
    let Some(action) = target.scheduled.values().find(is_it) else { return };
    if target.members["SuspendedState"]["ScheduledScalingSuspended"] == true {
        return;
    }
    let limits = action.members.get("ScalableTargetAction").and_then(Value::as_object).cloned();
    target.members.extend(limits.unwrap_or_default());
    let resource = target.arn.clone();
    let bound =
        |member: &str| int(target.members.get(member)).and_then(|own| u32::try_from(own).ok());
    let (least, most) =
        (bound("MinCapacity").unwrap_or(0), bound("MaxCapacity").unwrap_or(u32::MAX));
    here.note(Change::Attributes { resource });
    let service = here.arn("ecs", id);
    if let Some(activity) = ecs::activity(here, &service) {
        ecs::set_desired(here, &service, activity.desired.clamp(least, most.max(least)));
    }
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let names = request.texts_of("ScheduledActionNames");
    let wanted = request.text_of("ResourceId");
    let targets =
        here.region.scaling.0.iter().filter(|(id, _)| wanted.is_none_or(|own| own == *id));
    let all = targets.flat_map(|(_, target): (_, &Target)| &target.scheduled);
    let show = |(_, action): (&String, &Scheduled)| {
        let mut shown = Value::Object(action.members.clone());
        shown["ScheduledActionARN"] = json!(action.arn);
        shown["CreationTime"] = json!(action.created_at.seconds());
        (action.arn.clone(), shown)
    };
    let all = all.filter(|(name, _)| names.is_empty() || names.contains(name)).map(show);
    page(request, "ScheduledActions", all.collect())
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default();
    let name = request.text_of("ScheduledActionName").unwrap_or_default();
    let target = here.region.scaling.0.get_mut(id);
    let gone = target.and_then(|target| target.scheduled.remove(name)).ok_or_else(|| {
        not_found(format!("No scheduled action found for {}, action name: {name}", named(id)))
    })?;
    here.note(Change::Deleted { arn: gone.arn });
    Ok(raw(&json!({})))
}
