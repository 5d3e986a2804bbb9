//! Auto scaling that cannot move with the traffic of a pair.

use crate::event::refusal::{ScalableTarget, ScalingPolicy, ScalingRefused};

pub(super) fn what(refusal: &ScalingRefused) -> String {
    use ScalingRefused as R;
    match refusal {
        R::ScalableTargetsUnread { service, .. } => format!(
            "auto scaling of {service} cannot be read; its last deployment moved it with the traffic"
        ),
        R::OneIsNotScaled { scaled, needed } => format!(
            "Application Auto Scaling scales {scaled} and not {}: nothing would scale the new version, or start its \
             tasks again once they are stopped",
            needed.service
        ),
        R::DesiredOutsideLimits { desired, min, max, needed } => format!(
            "{} has the desired count {desired}, and auto scaling keeps it between {min} and {max}",
            needed.service
        ),
        R::PolicyOfOne { policy, other, .. } => format!(
            "Application Auto Scaling scales {} by {}, and not {other}",
            policy.service,
            followed(policy)
        ),
        R::PolicyOfOtherGroup { policy, label } => format!(
            "auto scaling policy {} of {} counts the requests of another target group ({label})",
            policy.policy, policy.service
        ),
    }
}

pub(super) fn fix(refusal: &ScalingRefused) -> String {
    use ScalingRefused as R;
    match refusal {
        R::ScalableTargetsUnread { service, cluster, other, back: true } => format!(
            "ecs-bg rollback --cluster {cluster} --service {service} --to {other}; then allow \
             application-autoscaling:DescribeScalableTargets, and ecs-bg resume puts it right"
        ),
        R::ScalableTargetsUnread { .. } => {
            "allow application-autoscaling:DescribeScalableTargets".to_owned()
        }
        R::OneIsNotScaled { needed, .. } | R::DesiredOutsideLimits { needed, .. } => {
            register(needed)
        }
        R::PolicyOfOne { policy, other, other_serves: false } => put(policy, other),
        R::PolicyOfOne { policy: ScalingPolicy { cluster, service, .. }, .. } => format!(
            "aws application-autoscaling describe-scaling-policies --service-namespace ecs --resource-id \
             service/{cluster}/{service}"
        ),
        R::PolicyOfOtherGroup { policy, .. } => put(policy, &policy.service),
    }
}

/// What a policy follows.
fn followed(policy: &ScalingPolicy) -> String {
    let own = &policy.configuration;
    let predefined = own["PredefinedMetricSpecification"]["PredefinedMetricType"].as_str();
    let custom = own["CustomizedMetricSpecification"]["MetricName"].as_str();
    match (predefined.or(custom), own["TargetValue"].as_f64()) {
        (Some(metric), Some(value)) => format!("{metric} at {value}"),
        _ => format!("the {} policy {}", policy.policy_type, policy.policy),
    }
}

fn register(target: &ScalableTarget) -> String {
    let ScalableTarget { service, cluster, min, max, suspended } = target;
    let suspended = match suspended.any() {
        true => format!(" --suspended-state {}", suspended.argument()),
        false => String::new(),
    };
    format!(
        "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id service/{cluster}/{service} --min-capacity {min} --max-capacity \
         {max}{suspended}"
    )
}

/// The command that gives a service this policy.
fn put(policy: &ScalingPolicy, service: &str) -> String {
    let ScalingPolicy { cluster, policy, policy_type, configuration, .. } = policy;
    let option = match policy_type.as_str() {
        "StepScaling" => "step-scaling",
        "PredictiveScaling" => "predictive-scaling",
        _ => "target-tracking-scaling",
    };
    let quoted = |text: &str| text.replace('\'', r"'\''");
    format!(
        "aws application-autoscaling put-scaling-policy --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id service/{cluster}/{service} --policy-name '{}' --policy-type \
         {policy_type} --{option}-policy-configuration '{}'",
        quoted(policy),
        quoted(&configuration.to_string())
    )
}
