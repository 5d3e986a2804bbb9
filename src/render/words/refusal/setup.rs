//! What keeps `ecs-bg setup` from setting a service up, or from undoing that.

use crate::event::refusal::{SetupRefused, Unfit};
use crate::render::words::time;

pub(super) fn what(refusal: &SetupRefused) -> String {
    use SetupRefused as R;
    match refusal {
        R::SetupFromCodeDeploy { service } => format!(
            "{service} is deployed by CodeDeploy (controller CODE_DEPLOY); setup does not migrate it"
        ),
        R::SetupOfPair { service, twin, .. } => {
            format!("{service} has the twin {twin}: the engine listener deploys the pair")
        }
        R::SetupOfUnknownStrategy { service, strategy, .. } => {
            format!("{service} has the deployment strategy {strategy}, which setup does not know")
        }
        R::SetupOfClassicLoadBalancer { service } => {
            format!("{service} is behind a Classic Load Balancer, whose traffic ECS cannot shift")
        }
        R::SeveralLoadBalancers { service, count } => {
            format!("{service} has {count} load balancers; setup works with one target group")
        }
        R::GroupUnread { group, part, action } => {
            format!("the {part} of target group {group} cannot be read: {action} is not allowed")
        }
        R::RunsInactive { service, revision, .. } => {
            format!("{revision} is INACTIVE: ECS could not start new tasks of what {service} runs")
        }
        R::StopsFirst { service, min_healthy, .. } => format!(
            "minimumHealthyPercent of {service} is {min_healthy}: ECS would stop tasks before the new ones are healthy"
        ),
        R::LastFailed { service, .. } => {
            format!("the last deployment of {service} failed: first deploy a version that works")
        }
        R::Deploying { service, .. } => {
            format!("ECS has not completed its last deployment of {service}")
        }
        R::TestRuleIsProduction => "--test-rule: it is the production rule".to_owned(),
        R::NoTestRule { arn } => format!("--test-rule: there is no {arn}"),
        R::TestRuleOfOthers { rule, group } => {
            format!("--test-rule: rule {rule} does not forward to {group}")
        }
        R::TestHeaderWithoutRules { service, is_network: true } => format!(
            "--test-header: {service} is behind a Network Load Balancer, which knows no headers"
        ),
        R::TestHeaderWithoutRules { service, is_network: false } => {
            format!("--test-header: {service} has no load balancer")
        }
        R::SetUpOtherwise { service, option, current: Some(current), .. } => {
            format!("{option}: {service} is set up already, with {current}")
        }
        R::SetUpOtherwise { service, option, current: None, .. } => {
            format!("{option}: {service} is set up already, without one")
        }
        R::TestRuleTooLate { service, .. } => {
            format!(
                "--test-header: {service} is set up already, without that rule for test traffic"
            )
        }
        R::TestRuleDiffers { service, rule, .. } => format!(
            "--test-header: rule {rule}, which setup made for test traffic of {service}, has other conditions, or ECS \
             uses another rule"
        ),
        R::TestRuleSkips { rule, action, .. } => format!(
            "--test-header: rule {rule} has an action {action}, which test traffic would skip"
        ),
        R::TestRuleTooLong { rule, count, .. } => format!(
            "--test-header: with the conditions of rule {rule} there would be {count} values, and a rule may have 5"
        ),
        R::NoPriority { rule, .. } => {
            format!("--test-header: no priority is free before rule {rule}")
        }
        R::Quota(quota) => super::super::quota(quota),
        R::NoSecondGroup { arn } => format!("--alternate-target-group: there is no {arn}"),
        R::SecondGroupUnfit { group, first, unfit, .. } => match unfit {
            Unfit::IsFirst => format!("{first} is the target group of the service already"),
            Unfit::Differs { member } => {
                format!("target group {group} differs from {first} in {member}")
            }
            Unfit::OtherAttributes => {
                format!("target group {group} has other attributes than {first}")
            }
            Unfit::OtherLoadBalancer => {
                format!("target group {group} belongs to another load balancer")
            }
            Unfit::InUse => format!("target group {group} has targets: it is in use"),
        },
        R::PairOfSeveralGroups { service, count } => {
            format!("{service} has {count} target groups; setup prints pairs with one each")
        }
        R::TwinTaken { twin, is_itself: true } => {
            format!("--twin: {twin} is the service itself")
        }
        R::TwinTaken { twin, is_itself: false } => {
            format!("there is a service {twin}, and it is not an idle twin")
        }
        R::ScalingUnread { service, .. } => {
            format!("the auto scaling of {service} cannot be read; a twin needs the same")
        }
        R::RoleOfOthers { role, trusted, .. } => {
            let trusted = match &trusted[..] {
                [] => "nobody".to_owned(),
                trusted => trusted.join(", "),
            };
            format!(
                "there is a role {role}, and its trust policy names {trusted}, not ecs.amazonaws.com alone"
            )
        }
        R::SetupWithoutGroup => "the service is in no target group".to_owned(),
        R::NotTheProductionRule { arn, group, .. } => {
            format!("--production-rule: {arn} sends no requests to {group}")
        }
        R::GroupWithoutRule { service, group, .. } => {
            format!("no rule sends requests to {group}, the target group of {service}")
        }
        R::SeveralRules { group, rules, .. } => format!(
            "{} rules send requests to {group}: {}. ECS moves the traffic of one production rule; after a deployment \
             the others would lead to stopped tasks",
            rules.len(),
            rules.join(", ")
        ),
        R::SeveralTestRules { group, rules, .. } => format!(
            "--test-rule: {} rules of that listener send requests to {group}: {}",
            rules.len(),
            rules.join(", ")
        ),
        R::SecondGroupHasTraffic { rule, group, first, .. } => {
            format!("rule {rule} gives {group} traffic: ECS needs all of it on {first}")
        }
        R::ThirdGroupInRule { rule, group, .. } => {
            format!("rule {rule} also names the target group {group}, which ECS would drop")
        }
        R::UndoSeveralLoadBalancers { service } => {
            format!("{service} has more than one load balancer, or it cannot be read")
        }
        R::UndoTooEarly { group, left, .. } => format!(
            "the load balancer may send requests to {group} for another {}: ECS moved the traffic a moment ago",
            time(*left)
        ),
        R::UndoWhileUsed { group, first, has_traffic, .. } => {
            let why = if *has_traffic { "has traffic" } else { "has targets" };
            format!(
                "target group {group} {why}: setup can be undone only while {first} serves alone"
            )
        }
    }
}

pub(super) fn fix(refusal: &SetupRefused) -> String {
    use SetupRefused as R;
    let of_service = super::command;
    match refusal {
        R::SetupFromCodeDeploy { .. } => {
            "put both target groups into the production rule with the weights 1 and 0, then one aws ecs \
             update-service with deploymentController ECS, strategy BLUE_GREEN and advancedConfiguration; last, \
             delete the CodeDeploy deployment group (Developer Guide, \"Migrate CodeDeploy blue/green deployments\")"
                .to_owned()
        }
        R::SetupOfPair { arn, .. } => format!(
            "if the pair is not used any more: aws ecs untag-resource --resource-arn {arn} --tag-keys ecs-bg:twin"
        ),
        R::SetupOfUnknownStrategy { service, cluster, .. }
        | R::LastFailed { service, cluster } => of_service("status", cluster, service),
        R::Deploying { .. } => "wait a minute, then run the same command again".to_owned(),
        R::SetupOfClassicLoadBalancer { .. } => super::NEW_BALANCER.to_owned(),
        R::SeveralLoadBalancers { .. } => {
            "add advancedConfiguration to each entry of loadBalancers yourself: aws ecs update-service \
             --load-balancers …"
                .to_owned()
        }
        R::GroupUnread { action, .. } => format!("allow {action} to these credentials"),
        R::RunsInactive { service, cluster, .. } => {
            of_service("deploy", cluster, service) + " --tag TAG"
        }
        R::StopsFirst { service, cluster, .. } => {
            of_service("deploy", cluster, service) + " --min-healthy 100 --force-new-deployment"
        }
        R::TestRuleIsProduction | R::NoTestRule { .. } | R::TestRuleOfOthers { .. } => {
            "--test-rule ARN of a rule that forwards to one of the two target groups".to_owned()
        }
        R::TestHeaderWithoutRules { is_network: true, .. } => {
            "--test-rule ARN of a listener for tests on another port".to_owned()
        }
        R::TestHeaderWithoutRules { is_network: false, .. } => {
            "leave out --test-header: without a load balancer there is no traffic to shift".to_owned()
        }
        R::SetUpOtherwise { service, cluster, option, .. } => format!(
            "leave out {option}; or, to set {service} up anew, first: {} --undo",
            of_service("setup", cluster, service)
        ),
        R::TestRuleTooLate { service, cluster } | R::TestRuleDiffers { service, cluster, .. } => {
            of_service("setup", cluster, service) + " --undo"
        }
        R::TestRuleSkips { .. } | R::TestRuleTooLong { .. } => {
            "make a rule for test traffic yourself that forwards to the target group: --test-rule ARN"
                .to_owned()
        }
        R::NoPriority { arn, moves, .. } if moves.is_empty() => super::describe_rule(arn),
        R::NoPriority { moves, .. } => {
            let moves: Vec<String> = moves
                .iter()
                .map(|one| format!("RuleArn={},Priority={}", one.arn, one.priority))
                .collect();
            format!("aws elbv2 set-rule-priorities --rule-priorities {}", moves.join(" "))
        }
        R::Quota(quota) => super::super::raise(quota),
        R::NoSecondGroup { .. } => "leave it out: setup makes a copy of the first one".to_owned(),
        R::SecondGroupUnfit { is_named: true, .. } => {
            "leave out --alternate-target-group: setup makes a copy of the first one".to_owned()
        }
        R::SecondGroupUnfit { arn, is_named: false, .. } => format!(
            "--alternate-target-group ARN of another one, or delete it if nothing uses it: aws elbv2 \
             delete-target-group --target-group-arn {arn}"
        ),
        R::PairOfSeveralGroups { .. } => {
            "docs/engines.md, \"Set up a pair\", says what to create for each target group".to_owned()
        }
        R::TwinTaken { .. } => "--twin NAME with another name".to_owned(),
        R::ScalingUnread { action, .. } => format!("allow {action} to these credentials"),
        R::RoleOfOthers { arn, .. } => format!(
            "--create-role with another name; or, if the role is for ECS: --infrastructure-role {arn}"
        ),
        R::SetupWithoutGroup => "ecs-bg setup --help".to_owned(),
        R::NotTheProductionRule { load_balancer, .. }
        | R::GroupWithoutRule { load_balancer, .. } => format!(
            "aws elbv2 describe-listeners --load-balancer-arn {}, and aws elbv2 describe-rules",
            load_balancer.as_deref().unwrap_or("ARN")
        ),
        R::SeveralRules { arns, .. } => format!(
            "leave one of them, name one that is for tests with --test-rule, or choose one with --production-rule and \
             change the others yourself: {}",
            arns.join(", ")
        ),
        R::SeveralTestRules { arns, .. } => {
            format!("--test-rule with one of: {}", arns.join(", "))
        }
        R::SecondGroupHasTraffic { arn, .. } | R::ThirdGroupInRule { arn, .. } => {
            super::describe_rule(arn)
        }
        R::UndoSeveralLoadBalancers { .. } => {
            "aws ecs update-service --load-balancers …".to_owned()
        }
        R::UndoTooEarly { service, cluster, left, .. } => {
            format!("in {}: {}", time(*left), of_service("setup --undo", cluster, service))
        }
        R::UndoWhileUsed { service, cluster, first, .. } => format!(
            "the next deployment brings the traffic back to {first}: {} --tag TAG",
            of_service("deploy", cluster, service)
        ),
    }
}
