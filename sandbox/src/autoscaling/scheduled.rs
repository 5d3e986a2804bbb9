//! Scheduled actions: they are kept and shown; their times do not come here.

use serde_json::{Value, json};

use super::{invalid, named, not_found, page, target};
use crate::{
    journal::Change,
    protocol::json::{Answer, Request, int, raw},
    state::{
        Here,
        autoscaling::{Scheduled, Target},
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
    let action = Scheduled { arn: arn.clone(), created_at, members };
    target(here, request)?.scheduled.insert(name, action);
    here.note(Change::Attributes { resource: arn });
    Ok(raw(&json!({})))
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
