//! Scaling policies. Those of target tracking come with two alarms; those of other types are kept, and
//! nothing triggers them here.

use serde_json::{Value, json};

use super::{invalid, named, not_found, page, target, track};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        autoscaling::{Policy, Target},
    },
};

const TRACKING: &str = "TargetTrackingScaling";
const CONFIGURATIONS: &[(&str, &str)] = &[
    ("StepScaling", "StepScalingPolicyConfiguration"),
    (TRACKING, "TargetTrackingScalingPolicyConfiguration"),
    ("PredictiveScaling", "PredictiveScalingPolicyConfiguration"),
];

pub(super) fn put(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("PolicyName").unwrap_or_default().to_owned();
    let id = request.text_of("ResourceId").unwrap_or_default().to_owned();
    let old = target(here, request)?.policies.get(&name).cloned();
    let old_kind = old.as_ref().and_then(|old| old.members.get("PolicyType")?.as_str());
    let kind = request.text_of("PolicyType").or(old_kind).unwrap_or_default().to_owned();
    let Some((_, own)) = CONFIGURATIONS.iter().find(|(own, _)| *own == kind) else {
        return Err(invalid(format!("Unsupported policy type: '{kind}'")));
    };
    if old_kind.is_some_and(|old| old != kind) {
        return Err(invalid("The policy type of a scaling policy cannot be changed"));
    }
    let configured = CONFIGURATIONS.iter().filter(|(_, member)| request.has(member));
    let configured: Vec<&str> = configured.map(|(_, member)| *member).collect();
    if configured.iter().any(|member| member != own) || (configured.is_empty() && old.is_none()) {
        return Err(invalid(format!("A {kind} policy needs {own}, and no other configuration")));
    }
    if kind == TRACKING {
        check(&request.value[*own])?;
    }
    let mut members = old.as_ref().map(|old| old.members.clone()).unwrap_or_default();
    for (member, value) in &request.value {
        members.insert(member.clone(), value.clone());
    }
    members.insert("PolicyType".into(), json!(kind));
    let created_at = old.as_ref().map_or(here.now(), |old| old.created_at);
    let (arn, alarms) = match old {
        Some(old) => (old.arn, old.alarms),
        None => {
            let resource = format!(
                "scalingPolicy:{}:resource/ecs/{id}:policyName/{name}",
                here.shared.record_ids.uuid()
            );
            let arn = here.arn("autoscaling", &resource);
            (arn, if kind == TRACKING { alarms(here, &id) } else { Vec::new() })
        }
    };
    let policy = Policy { arn: arn.clone(), created_at, members, alarms, above: 0, below: 0 };
    let shown = json!({"PolicyARN": arn, "Alarms": shown_alarms(&policy)});
    target(here, request)?.policies.insert(name, policy);
    here.note(Change::Attributes { resource: arn });
    track::watch(here, &id);
    Ok(raw(&shown))
}

/// What target tracking refuses (API reference of TargetTrackingScalingPolicyConfiguration and
/// PredefinedMetricSpecification).
fn check(own: &Value) -> Result<(), Fault> {
    let predefined = own.get("PredefinedMetricSpecification");
    if predefined.is_some() == own.get("CustomizedMetricSpecification").is_some() {
        return Err(invalid(
            "You must specify either a predefined metric or a customized metric, and not both",
        ));
    }
    let Some(predefined) = predefined else { return Ok(()) };
    let metric = predefined["PredefinedMetricType"].as_str().unwrap_or_default();
    if !metric.starts_with("ECSService") && metric != "ALBRequestCountPerTarget" {
        return Err(invalid(format!(
            "PredefinedMetricType {metric} is not supported by service namespace ecs"
        )));
    }
    let label = predefined.get("ResourceLabel").is_some_and(|label| label != "");
    if label != (metric == "ALBRequestCountPerTarget") {
        return Err(invalid(
            "ResourceLabel must be specified for ALBRequestCountPerTarget, and for no other metric",
        ));
    }
    Ok(())
}

/// The alarms that a new policy gets: one to scale out, one to scale in.
fn alarms(here: &mut Here<'_>, id: &str) -> Vec<(String, String)> {
    ["AlarmHigh", "AlarmLow"]
        .map(|side| {
            let name = format!("TargetTracking-{id}-{side}-{}", here.shared.record_ids.uuid());
            let arn = here.arn("cloudwatch", &format!("alarm:{name}"));
            (name, arn)
        })
        .into()
}

fn shown_alarms(policy: &Policy) -> Vec<Value> {
    let one = |(name, arn): &(String, String)| json!({"AlarmName": name, "AlarmARN": arn});
    policy.alarms.iter().map(one).collect()
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let names = request.texts_of("PolicyNames");
    let wanted = request.text_of("ResourceId");
    let targets =
        here.region.scaling.0.iter().filter(|(id, _)| wanted.is_none_or(|own| own == *id));
    let all = targets.flat_map(|(_, target): (_, &Target)| &target.policies);
    let show = |(_, policy): (&String, &Policy)| {
        let mut shown = Value::Object(policy.members.clone());
        shown["PolicyARN"] = json!(policy.arn);
        shown["CreationTime"] = json!(policy.created_at.seconds());
        shown["Alarms"] = json!(shown_alarms(policy));
        (policy.arn.clone(), shown)
    };
    let all = all.filter(|(name, _)| names.is_empty() || names.contains(name)).map(show);
    page(request, "ScalingPolicies", all.collect())
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default();
    let name = request.text_of("PolicyName").unwrap_or_default();
    let target = here.region.scaling.0.get_mut(id);
    let gone = target.and_then(|target| target.policies.remove(name)).ok_or_else(|| {
        not_found(format!("No scaling policy found for {}, policy name: {name}", named(id)))
    })?;
    here.note(Change::Deleted { arn: gone.arn });
    Ok(raw(&json!({})))
}

/// The configuration of target tracking, if the policy is one.
pub(super) fn tracking(policy: &Policy) -> Option<&Value> {
    policy.members.get("TargetTrackingScalingPolicyConfiguration")
}
