//! Target tracking: once a minute a look at the CPU and memory that a scenario (or `PUT load`) says the
//! requests to a service take. Three minutes above the target scale out in proportion, fifteen minutes
//! below nine tenths of it scale in, as the alarms of such a policy show. Without a load there are no
//! data points, and nothing scales.
//!
//! Application Auto Scaling User Guide, "How target tracking scaling works" and "Define cooldown periods";
//! Amazon ECS Developer Guide, "Automatically scale your Amazon ECS service".

use std::time::Duration;

use serde_json::{Value, json};

use super::{page, policy};
use crate::{
    ecs,
    protocol::json::{Answer, Request, int},
    state::{
        Here,
        autoscaling::{Activity, Last, Policy, Target},
        timers::Due,
    },
};

const MINUTE: Duration = Duration::from_secs(60);
/// Minutes above the target, and below nine tenths of it.
const OUT: u32 = 3;
const IN: u32 = 15;
/// The default cooldown of ECS services, both ways.
const COOLDOWN: i64 = 300;
/// How many activities are shown.
const SHOWN: usize = 100;

/// What one policy says about the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Out(u32),
    Stay,
    In(u32),
}

/// Looks at a target's metrics from now on, if it has a policy that needs that.
pub(super) fn watch(here: &mut Here<'_>, id: &str) {
    let Some(target) = here.region.scaling.0.get_mut(id) else { return };
    let tracked = target.policies.values().any(|one| policy::tracking(one).is_some());
    if tracked && !target.watched {
        target.watched = true;
        here.later(MINUTE, Due::Scale { target: id.to_owned() });
    }
}

/// A minute has passed.
pub(crate) fn look(here: &mut Here<'_>, id: &str) {
    let Some(target) = here.region.scaling.0.get_mut(id) else { return };
    target.watched = false;
    watch(here, id);
    let service = here.arn("ecs", id);
    let load = here.shared.loads.get(id.trim_start_matches("service/")).cloned();
    let Some(activity) = ecs::activity(here, &service) else { return };
    let running = activity.running;
    let now = here.now();
    let Some(target) = here.region.scaling.0.get_mut(id) else { return };
    let mut says = Vec::new();
    for one in target.policies.values_mut() {
        let metric = policy::tracking(one).and_then(|own| {
            let taken =
                match own["PredefinedMetricSpecification"]["PredefinedMetricType"].as_str()? {
                    "ECSServiceAverageCPUUtilization" => load.as_ref()?.cpu,
                    "ECSServiceAverageMemoryUtilization" => load.as_ref()?.memory,
                    _ => None,
                }?;
            // What all tasks take, spread over them; none can take more than it has.
            let each = f64::from(taken) / f64::from(running.max(1));
            (running > 0).then_some((each.min(100.0), own["TargetValue"].as_f64()?, own.clone()))
        });
        if let Some((metric, wanted, own)) = metric {
            let named = one.members["PolicyName"].as_str().unwrap_or_default().to_owned();
            says.push((judge(one, metric, wanted, running, &own), named, one.alarms.clone(), own));
        }
    }
    let bound = |member: &str| int(target.members.get(member)).and_then(|n| u32::try_from(n).ok());
    let (least, most) = (bound("MinCapacity").unwrap_or(0), bound("MaxCapacity").unwrap_or(0));
    let suspended = |member: &str| target.members["SuspendedState"][member] == true;
    // The policy that wants most capacity decides, both ways.
    let out = says.iter().filter_map(|(says, name, alarms, own)| match says {
        Says::Out(to) => Some(((*to).clamp(least, most), name, alarms.first(), own)),
        _ => None,
    });
    let out = out.max_by_key(|(to, ..)| *to).filter(|(to, ..)| *to > activity.desired);
    let all_in = !says.is_empty() && says.iter().all(|(says, ..)| matches!(says, Says::In(_)));
    let less = says.iter().filter_map(|(says, name, alarms, own)| match says {
        Says::In(to) => Some(((*to).clamp(least, most), name, alarms.last(), own)),
        _ => None,
    });
    let less = less.max_by_key(|(to, ..)| *to).filter(|(to, ..)| all_in && *to < activity.desired);
    let waits = |own: &Value, member: &str| {
        let cooldown = int(own.get(member)).unwrap_or(COOLDOWN);
        let cooldown = Duration::from_secs(u64::try_from(cooldown).unwrap_or(0));
        target.last.as_ref().is_some_and(|last| last.at + cooldown > now)
    };
    let chosen = match (out, less) {
        (Some((to, name, alarm, own)), _) if !suspended("DynamicScalingOutSuspended") => {
            let larger = target.last.as_ref().is_none_or(|last| !last.out || to > last.to);
            (larger || !waits(own, "ScaleOutCooldown")).then_some((to, name, alarm, true))
        }
        // While a deployment runs, Amazon ECS lets nothing scale in.
        (_, Some((to, name, alarm, own)))
            if !activity.deploying && !suspended("DynamicScalingInSuspended") =>
        {
            (!waits(own, "ScaleInCooldown")).then_some((to, name, alarm, false))
        }
        _ => None,
    };
    let Some((to, name, alarm, is_out)) = chosen else { return };
    let alarm = alarm.map_or("", |(name, _)| name.as_str());
    let cause = format!("monitor alarm {alarm} in state ALARM triggered policy {name}");
    let id_of = here.shared.record_ids.uuid();
    target.last = Some(Last { at: now, to, out: is_out });
    target.activities.insert(0, Activity { id: id_of, at: now, cause, to });
    target.activities.truncate(SHOWN);
    ecs::set_desired(here, &service, to);
}

/// Counts the minutes that a metric was too high or too low.
fn judge(one: &mut Policy, metric: f64, wanted: f64, running: u32, own: &Value) -> Says {
    one.above = if metric > wanted { one.above + 1 } else { 0 };
    one.below = if metric < wanted * 0.9 { one.below + 1 } else { 0 };
    let in_proportion = (f64::from(running) * metric / wanted).ceil();
    let to = if in_proportion.is_finite() { in_proportion as u32 } else { running };
    match (one.above >= OUT, one.below >= IN && own["DisableScaleIn"] != true) {
        (true, _) => Says::Out(to),
        (_, true) => Says::In(to),
        _ => Says::Stay,
    }
}

pub(super) fn activities(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = request.text_of("ResourceId");
    let targets =
        here.region.scaling.0.iter().filter(|(id, _)| wanted.is_none_or(|own| own == *id));
    let show = |id: &str, one: &Activity| {
        let shown = json!({
            "ActivityId": one.id,
            "ServiceNamespace": "ecs",
            "ResourceId": id,
            "ScalableDimension": super::DIMENSION,
            "Description": format!("Setting desired count to {}.", one.to),
            "Cause": one.cause,
            "StartTime": one.at.seconds(),
            "EndTime": one.at.seconds(),
            "StatusCode": "Successful",
            "StatusMessage": format!(
                "Successfully set desired count to {}. Change successfully fulfilled by ecs.",
                one.to
            ),
        });
        (one.id.clone(), shown)
    };
    let all = targets.flat_map(|(id, target): (&String, &Target)| {
        target.activities.iter().map(|one| show(id, one)).collect::<Vec<_>>()
    });
    page(request, "ScalingActivities", all.collect())
}
