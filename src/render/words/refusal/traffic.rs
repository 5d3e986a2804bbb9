//! What the listener rules show that keeps traffic from being shifted.

use crate::event::refusal::TrafficRefused;

pub(super) fn what(refusal: &TrafficRefused) -> String {
    use TrafficRefused as R;
    match refusal {
        R::NoRule { services: [one, other] } => {
            format!("no rule forwards to the target groups of {one} or {other}")
        }
        R::TestListenerAlone { service } => format!(
            "--test-listener: no other listener forwards to {service}: its users come through this one"
        ),
        R::TestListenerServes { rule, service, other } => format!(
            "--test-listener: its rule {rule} leads to {service}, which answers, and the other rules to {other}, which \
             does not: its users seem to come through this one"
        ),
        R::NotOnTestListener { listener, service } => format!(
            "--test-listener: no rule of {listener} forwards to a target group of {service}"
        ),
        R::ThirdGroup { rule, group, .. } => {
            format!("rule {rule} gives traffic to a third target group, {group}")
        }
        R::NoWeight { rule, .. } => format!("rule {rule} gives neither side any weight"),
        R::OnBothSides { rule, other_rule: None, services: [one, other], .. } => {
            format!("rule {rule} gives both {one} and {other} traffic, and no record says why")
        }
        R::OnBothSides { rule, other_rule: Some(second), services: [one, other], .. } => {
            format!(
                "rule {rule} gives traffic to one of {one} and {other}, rule {second} to the other"
            )
        }
        R::ForeignRule { rule, service, healthy, .. } => format!(
            "rule {rule} sends requests to {service}, which has {healthy} healthy targets and would get the new \
             revision"
        ),
        R::StickyGroup { group, .. } => format!(
            "target group {group} has stickiness: clients would stay on a side that is stopped"
        ),
        R::StickyRule { rule, .. } => format!(
            "rule {rule} has target group stickiness: clients would stay on a side that is stopped"
        ),
        R::NoProductionRule { service, groups: [one, other], .. } => format!(
            "the production rule of {service} forwards to neither {one} nor {other}, or is gone"
        ),
        R::OtherGroup { rule, group, groups: [one, other], .. } => format!(
            "rule {rule} sends requests to {group}, which is neither {one} nor {other}: ECS would refuse the \
             deployment"
        ),
        R::NoTraffic { rule, .. } => format!("rule {rule} gives no target group any traffic"),
        R::SeveralGroups { rule, groups, .. } => {
            format!("rule {rule} gives {} traffic, and ECS wants exactly one", groups.join(" and "))
        }
        R::UnmovedRule { rule, group, other_rule: production, .. } => format!(
            "rule {rule} sends requests to {group}, too; ECS moves only the production rule, {production}: after the \
             deployment {rule} would lead to stopped tasks"
        ),
        R::NotInRule { service, group, rule, .. } => format!(
            "target group {group} of {service} is neither in its production rule, {rule}, nor in a test rule: ECS would \
             refuse the deployment"
        ),
        R::EmptyGroup { rule, service, group, other_group, .. } => format!(
            "rule {rule} sends requests to {group}, in which no task of {service} stands: somebody rewrote the rule, \
             and ECS would put both revisions into {other_group}"
        ),
    }
}

pub(super) fn fix(refusal: &TrafficRefused) -> String {
    use TrafficRefused as R;
    match refusal {
        R::NoRule { .. } => super::NEW_RULE.to_owned(),
        R::TestListenerAlone { .. } | R::TestListenerServes { .. } => {
            "leave out --test-listener, or name the listener for tests".to_owned()
        }
        R::NotOnTestListener { listener, .. } => {
            format!("aws elbv2 describe-rules --listener-arn {listener}")
        }
        // Where most of the traffic is, it ends there.
        R::OnBothSides { cluster, service, to, .. } => {
            format!("ecs-bg rollback --cluster {cluster} --service {service} --to {to}")
        }
        R::StickyGroup { arn, .. } => format!(
            "if its clients do not need stickiness: aws elbv2 modify-target-group-attributes --target-group-arn {arn} \
             --attributes Key=stickiness.enabled,Value=false"
        ),
        R::UnmovedRule { arn, .. } => format!(
            "let it redirect to the production rule's listener, forward to a target group of another service, or \
             delete it: {}",
            super::describe_rule(arn)
        ),
        R::ThirdGroup { arn, .. }
        | R::NoWeight { arn, .. }
        | R::ForeignRule { arn, .. }
        | R::StickyRule { arn, .. }
        | R::NoProductionRule { arn, .. }
        | R::OtherGroup { arn, .. }
        | R::NoTraffic { arn, .. }
        | R::SeveralGroups { arn, .. } => super::describe_rule(arn),
        R::NotInRule { group, arn, .. } => {
            let shown = match arn.contains(":listener/") {
                true => format!("aws elbv2 describe-listeners --listener-arns {arn}"),
                false => super::describe_rule(arn),
            };
            format!("add {group} to it with weight 0, or name a test rule that has it: {shown}")
        }
        R::EmptyGroup { arn, other_arn, .. } => format!(
            "aws elbv2 modify-rule --rule-arn {arn} --actions Type=forward,TargetGroupArn={other_arn}"
        ),
    }
}
