//! What is true of the auto scaling of a pair: it moves with the traffic, so that both services need it alike.

use serde_json::Value;

use super::pair::known;
use super::refuse;
use super::traffic::is_outage;
use crate::event::refusal::{ScalableTarget, ScalingPolicy, ScalingRefused};
use crate::event::{Refusal, Warning};
use crate::model::scaling::{Policy, Scalable, Suspended};
use crate::model::world::Service;
use crate::plan::{Sides, Survey};
use crate::record::{End, Suspensions};

/// Auto scaling can move with the traffic.
pub(in crate::plan) fn scaling_can_move(survey: &Survey, is_rollback: bool) -> Result<(), Refusal> {
    let Some(sides) = known(survey) else { return Ok(()) };
    // What nobody may read cannot move with the traffic.
    if survey.world.scalable.is_none() && scaled_before(survey).is_some() {
        let (service, other) = (sides.blue.name.clone(), sides.green.name.clone());
        let (cluster, back) = (survey.cluster_name().to_owned(), is_rollback);
        return refuse(ScalingRefused::ScalableTargetsUnread { service, cluster, other, back });
    }
    scaled_both(survey, [sides.blue, sides.green])?;
    within_limits(survey, sides.blue)?;
    alike(survey, &sides)?;
    own_groups(survey, &sides)
}

/// What the last deployment found, where the pair was scaled then.
fn scaled_before(survey: &Survey) -> Option<Suspensions> {
    survey.last_record()?.scaling
}

/// Both services have a scalable target, or neither.
pub(super) fn scaled_both(survey: &Survey, pair: [&Service; 2]) -> Result<(), Refusal> {
    let [one, other] = pair;
    let (scaled, bare) = match pair.map(|service| survey.scalable(&service.name)) {
        [Some(scaled), None] => (scaled, other),
        [None, Some(scaled)] => (scaled, one),
        _ => return Ok(()),
    };
    let suspended = if bare.desired == 0 { Suspended::ALL } else { Suspended::default() };
    refuse(ScalingRefused::OneIsNotScaled {
        scaled: scaled.service.clone(),
        needed: target(survey, bare, bare.desired, scaled.max.max(bare.desired), suspended),
    })
}

/// A change of a scalable target brings the desired count between the limits at once.
fn within_limits(survey: &Survey, blue: &Service) -> Result<(), Refusal> {
    let Some(Scalable { min, max, suspended, .. }) = survey.scalable(&blue.name) else {
        return Ok(());
    };
    let desired = blue.desired;
    if (*min..=*max).contains(&desired) || is_outage(survey, blue) {
        return Ok(());
    }
    refuse(ScalingRefused::DesiredOutsideLimits {
        desired,
        min: *min,
        max: *max,
        needed: target(survey, blue, desired.min(*min), desired.max(*max), *suspended),
    })
}

/// Every policy of one service has its like on the other one.
fn alike(survey: &Survey, sides: &Sides<'_>) -> Result<(), Refusal> {
    let of = |service: &Service| -> Vec<&Policy> {
        let all = survey.policies.iter().flatten();
        all.filter(|policy| policy.service == service.name).collect()
    };
    let (blue, green) = (of(sides.blue), of(sides.green));
    let lacks = |there: &[&Policy], policy: &&&Policy| {
        !there.iter().any(|other| other.gist() == policy.gist())
    };
    if let Some(policy) = blue.iter().find(|policy| lacks(&green, policy)) {
        let label = label(survey, sides.green).unwrap_or_default();
        return refuse(ScalingRefused::PolicyOfOne {
            policy: fact(survey, policy, policy.with_label(&label)),
            other: sides.green.name.clone(),
            other_serves: false,
        });
    }
    if let Some(policy) = green.iter().find(|policy| lacks(&blue, policy)) {
        return refuse(ScalingRefused::PolicyOfOne {
            policy: fact(survey, policy, policy.configuration.clone()),
            other: sides.blue.name.clone(),
            other_serves: true,
        });
    }
    Ok(())
}

/// A policy that counts the requests of a target group counts those of its own service.
fn own_groups(survey: &Survey, sides: &Sides<'_>) -> Result<(), Refusal> {
    for service in [sides.blue, sides.green] {
        let own = |label: &str| {
            let mut groups = service.attachments.iter().map(|own| &own.group);
            groups.any(|arn| arn.rsplit(':').next().is_some_and(|group| label.ends_with(group)))
        };
        let policies = survey.policies.iter().flatten();
        let mut policies = policies.filter(|policy| policy.service == service.name);
        let wrong = policies.find(|policy| policy.label().is_some_and(|label| !own(label)));
        let (Some(policy), Some(own_label)) = (wrong, label(survey, service)) else { continue };
        return refuse(ScalingRefused::PolicyOfOtherGroup {
            policy: fact(survey, policy, policy.with_label(&own_label)),
            label: policy.label().unwrap_or_default().to_owned(),
        });
    }
    Ok(())
}

/// What a forecast may do meanwhile.
pub(in crate::plan) fn forecasts(survey: &Survey) -> Option<Warning> {
    let mut policies = survey.policies.iter().flatten();
    let policy = policies.find(|policy| policy.kind == "PredictiveScaling")?;
    let (service, policy) = (policy.service.clone(), policy.name.clone());
    Some(Warning::PredictiveScaling { service, policy })
}

/// What both sides suspend while no deployment is in progress. `None`: nothing scales them.
pub(in crate::plan) fn found(survey: &Survey, sides: &Sides<'_>) -> Option<Suspensions> {
    if survey.world.scalable.is_none() {
        // On the way back, what was found then is put back, or said not to be.
        return scaled_before(survey);
    }
    let (blue, green) =
        survey.scalable(&sides.blue.name).zip(survey.scalable(&sides.green.name))?;
    let is_swapped = blue.is_bare() && !green.is_bare();
    let present = if is_swapped { green.suspended } else { blue.suspended };
    // A deployment that nobody finished left it as it was in the middle.
    let last = survey.last_record();
    let left = last.filter(|last| last.closed.is_none_or(|closed| closed.end == End::Left));
    let before = left.and_then(|last| last.scaling).map(|scaling| scaling.blue);
    let is_frozen = |before: &Suspended| {
        present == Suspended { scale_in: true, ..*before }
            || present == Suspended { scale_in: true, scheduled: true, ..*before }
    };
    let blue = before.filter(is_frozen).unwrap_or(present);
    Some(Suspensions { blue, green: green.suspended })
}

/// The minimum and maximum of the side that serves.
pub(in crate::plan) fn limits(survey: &Survey, sides: &Sides<'_>) -> Option<(u32, u32)> {
    let (blue, green) =
        survey.scalable(&sides.blue.name).zip(survey.scalable(&sides.green.name))?;
    let own = if blue.is_bare() && !green.is_bare() { green } else { blue };
    Some((own.min, own.max))
}

/// How a policy names the first target group of a service.
fn label(survey: &Survey, service: &Service) -> Option<String> {
    let group = survey.world.groups.get(&service.attachments.first()?.group)?;
    let (_, balancer) = group.load_balancers.first()?.split_once(":loadbalancer/")?;
    Some(format!("{balancer}/{}", group.arn.rsplit(':').next()?))
}

fn target(
    survey: &Survey,
    service: &Service,
    min: u32,
    max: u32,
    suspended: Suspended,
) -> ScalableTarget {
    let (service, cluster) = (service.name.clone(), survey.cluster_name().to_owned());
    ScalableTarget { service, cluster, min, max, suspended }
}

fn fact(survey: &Survey, policy: &Policy, configuration: Value) -> ScalingPolicy {
    let Policy { service, name, kind, .. } = policy.clone();
    let cluster = survey.cluster_name().to_owned();
    ScalingPolicy { service, cluster, policy: name, policy_type: kind, configuration }
}
