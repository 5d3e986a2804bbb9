//! What is true of the auto scaling of a pair: it moves with the traffic, so that both services need it alike.

use serde_json::Value;

use super::pair::known;
use super::refuse;
use super::traffic::is_outage;
use crate::error::Refusal;
use crate::event::Warning;
use crate::model::scaling::{Policy, Scalable, Suspended};
use crate::model::world::Service;
use crate::plan::{Sides, Survey};
use crate::record::{End, Suspensions};

/// Auto scaling can move with the traffic.
pub(in crate::plan) fn scaling_can_move(survey: &Survey) -> Result<(), Refusal> {
    let Some(sides) = known(survey) else { return Ok(()) };
    scaled_both(survey, [sides.blue, sides.green])?;
    within_limits(survey, sides.blue)?;
    alike(survey, &sides)?;
    own_groups(survey, &sides)
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
    refuse(
        format!(
            "Application Auto Scaling scales {} and not {}: nothing would scale the new version, or start its \
             tasks again once they are stopped",
            scaled.service, bare.name
        ),
        register(survey, &bare.name, bare.desired, scaled.max.max(bare.desired), suspended),
    )
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
    refuse(
        format!(
            "{} has the desired count {desired}, and auto scaling keeps it between {min} and {max}",
            blue.name
        ),
        register(survey, &blue.name, desired.min(*min), desired.max(*max), *suspended),
    )
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
    let what = |policy: &Policy, other: &Service| {
        format!(
            "Application Auto Scaling scales {} by {}, and not {}",
            policy.service,
            said(policy),
            other.name
        )
    };
    if let Some(policy) = blue.iter().find(|policy| lacks(&green, policy)) {
        let label = label(survey, sides.green).unwrap_or_default();
        let hint = put(survey, &sides.green.name, policy, &policy.with_label(&label));
        return refuse(what(policy, sides.green), hint);
    }
    if let Some(policy) = green.iter().find(|policy| lacks(&blue, policy)) {
        let hint = format!(
            "aws application-autoscaling describe-scaling-policies --service-namespace ecs --resource-id {}",
            resource(survey, &policy.service)
        );
        return refuse(what(policy, sides.blue), hint);
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
        let (Some(policy), Some(label)) = (wrong, label(survey, service)) else { continue };
        return refuse(
            format!(
                "auto scaling policy {} of {} counts the requests of another target group ({})",
                policy.name,
                service.name,
                policy.label().unwrap_or_default()
            ),
            put(survey, &service.name, policy, &policy.with_label(&label)),
        );
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

/// What a policy follows.
fn said(policy: &Policy) -> String {
    let own = &policy.configuration;
    let predefined = own["PredefinedMetricSpecification"]["PredefinedMetricType"].as_str();
    let custom = own["CustomizedMetricSpecification"]["MetricName"].as_str();
    match (predefined.or(custom), own["TargetValue"].as_f64()) {
        (Some(metric), Some(value)) => format!("{metric} at {value}"),
        _ => format!("the {} policy {}", policy.kind, policy.name),
    }
}

/// How a policy names the first target group of a service.
fn label(survey: &Survey, service: &Service) -> Option<String> {
    let group = survey.world.groups.get(&service.attachments.first()?.group)?;
    let (_, balancer) = group.load_balancers.first()?.split_once(":loadbalancer/")?;
    Some(format!("{balancer}/{}", group.arn.rsplit(':').next()?))
}

fn resource(survey: &Survey, service: &str) -> String {
    format!("service/{}/{service}", survey.cluster_name())
}

fn register(survey: &Survey, service: &str, min: u32, max: u32, suspended: Suspended) -> String {
    let suspended = match suspended.any() {
        true => format!(" --suspended-state {}", suspended.argument()),
        false => String::new(),
    };
    format!(
        "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id {} --min-capacity {min} --max-capacity {max}{suspended}",
        resource(survey, service)
    )
}

fn put(survey: &Survey, service: &str, policy: &Policy, configuration: &Value) -> String {
    let option = match policy.kind.as_str() {
        "StepScaling" => "step-scaling",
        "PredictiveScaling" => "predictive-scaling",
        _ => "target-tracking-scaling",
    };
    let quoted = |text: &str| text.replace('\'', r"'\''");
    format!(
        "aws application-autoscaling put-scaling-policy --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id {} --policy-name '{}' --policy-type {} \
         --{option}-policy-configuration '{}'",
        resource(survey, service),
        quoted(&policy.name),
        policy.kind,
        quoted(&configuration.to_string())
    )
}
