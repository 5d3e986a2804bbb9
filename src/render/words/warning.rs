//! Warnings, in words.

use super::cause::{cause, number};
use crate::error::FailureKind;
use crate::event::{NoRecord, Then, Warning};

pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::CallFailed { failure, then } => format!("{failure}{}", next(then)),
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
        Warning::TaskNotStarted { reason } => format!("1 task was not started: {reason}"),
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
            format!("the task's logs are not shown ({failure}){allow}")
        }
        Warning::DigestUnknown { container, image } => {
            format!("cannot find the digest of {image} that container {container} ran; using the tag")
        }
        Warning::Over { deployment, by } => format!("{deployment} is over: {}", cause(by)),
        Warning::SettingsLeft { service, failure } => format!(
            "{failure}; the deploymentConfiguration of {service} still has what was set for this deployment \
             (a pause, a bake time or a strategy)"
        ),
        Warning::OtherRule { rule, group } => format!(
            "rule {rule} also sends requests to {group}; ECS does not move it: after the first deployment it \
             leads to stopped tasks"
        ),
        Warning::Plan { text } => text.clone(),
    }
}

fn next(then: &Then) -> String {
    match then {
        Then::LooksAgain => "; reading again what is there".to_owned(),
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
            format!("; {revision} stays registered, unused; its record stays open: {why}")
        }
    }
}
