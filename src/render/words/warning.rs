//! Warnings, in words.

use super::cause::{cause, number};
use super::failure::failure as failed;
use super::gate::gate;
use super::record;
use super::time;
use crate::error::FailureKind;
use crate::event::{NoRecord, Then, Unchecked, Warning};
use crate::model::health::placement;

pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::CallFailed { failure, then } => format!("{}{}", failed(failure), next(then)),
        Warning::GoingOnFrom { share: Some(share) } => {
            format!("the rules show what this deployment did not write; going on from {share} %")
        }
        Warning::GoingOnFrom { share: None } => {
            "the rules show what this deployment did not write; going on from the first share"
                .to_owned()
        }
        Warning::NumberNotFollowed(which) => number(which),
        Warning::StillRollingBack => "interrupted; it rolls back already".to_owned(),
        Warning::Finishing => {
            "interrupted; the new revision has all the traffic already, finishing".to_owned()
        }
        Warning::NoRecord { why } => match why {
            NoRecord::Tags => {
                "the record does not fit beside the tags of this task definition: no other process can resume \
                 this deployment"
                    .to_owned()
            }
            NoRecord::Size => {
                "with the record the task definition would be larger than 64 KiB: no other process can resume \
                 this deployment"
                    .to_owned()
            }
            NoRecord::Denied => {
                "no record is kept, so no other process can resume this deployment, and tags are not copied; \
                 allow ecs:TagResource"
                    .to_owned()
            }
        },
        Warning::OldRevisionsKept => "interrupted; old revisions stay registered".to_owned(),
        Warning::TaskNotStarted { reason } => {
            format!("1 task was not started: {}", placement(reason))
        }
        Warning::NoStreamPrefix { container } => format!(
            "the logs of container {container} are not shown: its logConfiguration has no awslogs-stream-prefix, \
             so its log stream cannot be found"
        ),
        Warning::NoLogStream { container, group, stream } => format!(
            "the logs of container {container} are not shown: log group {group} has no stream {stream}"
        ),
        Warning::LogsUnreadable { failure } => {
            let allow = match failure.kind {
                FailureKind::Denied => "; allow logs:GetLogEvents",
                _ => "",
            };
            format!("the task's logs are not shown ({}){allow}", failed(failure))
        }
        Warning::DigestUnknown { container, image } => {
            format!("cannot find the digest of {image} that container {container} ran; using the tag")
        }
        Warning::Over { deployment, by } => format!("{deployment} is over: {}", cause(by)),
        Warning::SettingsLeft { service, failure } => format!(
            "{}; the deploymentConfiguration of {service} still has what was set for this deployment \
             (a pause, a bake time or a strategy)",
            failed(failure)
        ),
        Warning::OtherRule { rule, group } => format!(
            "rule {rule} also sends requests to {group}; ECS does not move it: after the deployment it leads \
             to stopped tasks"
        ),
        Warning::ShortTimeout { timeout } => format!(
            "--timeout is {}: a task that takes longer to become healthy is rolled back; 15m is 15 minutes",
            time(*timeout)
        ),
        Warning::NoUnit { option, seconds } => {
            let minutes = if *seconds == 1 { "minute" } else { "minutes" };
            format!("{option} is {seconds}s; {seconds}m is {seconds} {minutes}")
        }
        Warning::ShortFollow { follow } => format!(
            "--follow {}: requests may be lost, a load balancer can take 30s and more to apply new weights",
            time(*follow)
        ),
        Warning::NotRegistered { revision, why } => {
            format!("AWS will not register the copy of {revision}: {why}")
        }
        Warning::RecordTagsCopied { service } => format!(
            "{service} copies the tags of its task definition to its tasks (propagateTags=TASK_DEFINITION): the \
             tags of the record, ecs-bg:*, are copied too"
        ),
        Warning::TagsNotCopied => "the tags were not copied; allow ecs:TagResource".to_owned(),
        Warning::ImageUnchecked { image, why, .. } => {
            format!("image {image} was not checked ({}); allow ecr:DescribeImages", unchecked(why))
        }
        Warning::RepositoryUnchecked { repository, failure } => {
            format!("{repository} was not checked: {}", failed(failure))
        }
        Warning::ScalingUnchecked => {
            "auto scaling was not checked: a scalable target could start the stopped service again; allow \
             application-autoscaling:DescribeScalableTargets"
                .to_owned()
        }
        Warning::PoliciesUnchecked => {
            "the auto scaling policies of the two services were not compared; allow \
             application-autoscaling:DescribeScalingPolicies"
                .to_owned()
        }
        Warning::PredictiveScaling { service, policy } => format!(
            "predictive scaling policy {policy} of {service} may raise the minimum by its forecast; the forecast \
             is made for each service, and does not move with the traffic"
        ),
        Warning::AttributesUnchecked => {
            "target group attributes and stickiness were not checked; allow \
             elasticloadbalancing:DescribeTargetGroupAttributes"
                .to_owned()
        }
        Warning::LoadBalancersUnread { reason } => format!(
            "load balancers were not read ({reason}): ecs-bg leaves target health to ECS; allow \
             elasticloadbalancing:Describe*"
        ),
        Warning::RulesUnread { .. } => {
            "rules cannot be read: where they send requests is not checked; allow elasticloadbalancing:DescribeListeners \
             and elasticloadbalancing:DescribeRules"
                .to_owned()
        }
        Warning::HistoryUnread { failure } => {
            let allow = match failure.kind {
                FailureKind::Denied => format!("; allow {}", failure.action()),
                _ => String::new(),
            };
            format!("{}; only deployments by ecs-bg are shown{allow}", failed(failure))
        }
        Warning::CredentialsExpire { left, needed } => format!(
            "the credentials expire in {}, and the deployment needs at least {}: they must be renewed meanwhile",
            time(*left),
            time(*needed)
        ),
        Warning::NothingServes { service } => {
            format!("{service} has the traffic and its desired count is 0: nothing serves now")
        }
        Warning::NothingHealthy { service } => format!(
            "{service} has the traffic and no healthy target, and somebody else deploys it right now"
        ),
        Warning::ServicesDiffer { blue, green, setting, blue_value, green_value } => {
            format!("{blue} and {green} differ in {setting}: {blue_value} and {green_value}")
        }
        Warning::GroupsDiffer { blue, green, attribute, blue_value, green_value } => {
            let [own, other] = [blue_value, green_value]
                .map(|value| value.as_ref().map_or("nothing", String::as_str));
            format!("target groups {blue} and {green} differ in {attribute}: {own} and {other}")
        }
        Warning::RuleNotChanged { rule, blue, green } => {
            format!("rule {rule} forwards to {green} and not to {blue}: ecs-bg does not change it")
        }
        Warning::DeploymentReplaced { service, revision, status, old } => format!(
            "another deployment of {service} is in progress ({revision}, {}) and will be replaced; a rollback goes \
             to {old}",
            status.as_ref().map_or("not finished", String::as_str)
        ),
        Warning::NoTasksWanted { service } => format!(
            "the desired count of {service} is 0: no task starts, so nothing shows whether the new version works"
        ),
        Warning::ServingSideUnknown { service, twin } => format!(
            "ecs-bg cannot see which of {service} and {twin} serves: the task runs as those of {service}"
        ),
        Warning::TwinUnchecked { service, twin } => format!(
            "{service} has a twin, {twin}: the engine rolling does not check which of them has the traffic"
        ),
        Warning::AlarmOn { alarm } => format!(
            "alarm {alarm} is in ALARM already: it does not roll this deployment back until it was off once"
        ),
        Warning::Gate { gate: name, fault, wrong, limit } => {
            let counts = match wrong {
                Some(wrong) if *limit > 1 => format!(" ({wrong} of {limit} wrong answers)"),
                Some(_) => String::new(),
                None => "; trying again".to_owned(),
            };
            format!("check {name} {}{counts}", gate(fault))
        }
        Warning::NoWayBack { revision, container, image, why } => format!(
            "there is no way back: image {image} of container {container} in {revision} cannot be pulled any more \
             ({why}), so a rollback would start no task"
        ),
        Warning::CopiedToRollBack { revision } => format!(
            "{revision} is INACTIVE: no service can run it again, so a copy is registered to roll back to"
        ),
        Warning::Pauses { service, cluster, stages } => format!(
            "{service} is set up to pause at {}: to go on, ecs-bg promote --cluster {cluster} --service {service}",
            stages.join(" and ")
        ),
        Warning::StrategyChanges { service, from, to } => format!(
            "the deployment strategy of {service} changes from {from} to {to} and stays so; with Terraform, add \
             ignore_changes = [deployment_configuration]"
        ),
        Warning::UnhealthyTargets { service, targets } => {
            format!("{targets} targets of {service} are unhealthy now")
        }
        Warning::RecordIgnored(one) => record::ignored(one),
        Warning::RecordUnreadable(one) => record::unreadable(one),
    }
}

fn unchecked(why: &Unchecked) -> String {
    match why {
        Unchecked::NotInEcr => "it is not in Amazon ECR".to_owned(),
        Unchecked::OtherAccount { account } => {
            format!("the registry of account {account} does not show it")
        }
        Unchecked::Denied { reason } => reason.clone(),
    }
}

fn next(then: &Then) -> String {
    match then {
        Then::LooksAgain => "; reading the state again".to_owned(),
        Then::TriesAgain => "; trying again".to_owned(),
        Then::GoesOn => String::new(),
        Then::WithoutTasks => {
            "; going by target health alone, without the reasons of failed tasks".to_owned()
        }
        Then::WithoutTargets => "; target health is left to ECS".to_owned(),
        Then::RecordOutOfDate => {
            "; the deployment goes on, its record may be out of date".to_owned()
        }
        Then::OldRevisionsKept => "; old revisions stay registered".to_owned(),
        Then::WeightsAlone => "; going by the weights alone, the record stays open".to_owned(),
        Then::StaysRegistered { revision } => format!("; {revision} stays registered, unused"),
        Then::Withdrawn { revision, open: None } => {
            format!("; {revision} stays registered, unused; its record is closed")
        }
        Then::Withdrawn { revision, open: Some(why) } => {
            format!("; {revision} stays registered, unused; its record stays open: {}", failed(why))
        }
    }
}
