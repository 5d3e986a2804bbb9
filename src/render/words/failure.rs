//! Calls to AWS that failed, in words, and what helps.

use super::{refusal, time};
use crate::call::Call;
use crate::error::{
    COMMAND_FOR_NO_CONTAINER, COMMAND_NOT_STORED, Failure, FailureKind, HALF_A_KEY, NOT_STARTED,
    OVERRIDES_TOO_LONG, UNKNOWN_PROFILE,
};
use crate::event::{Cause, Ended, Ending, Fault, FaultKind, LeftBehind};
use crate::model::health::placement;
use crate::plan::run_task::OVERRIDES_MAX;

/// What is in the way of a command.
pub(crate) fn fault(fault: &Fault) -> String {
    match &fault.kind {
        FaultKind::Refused(refused) => refusal::what(refused),
        FaultKind::Aws { failure: one } => failure(one),
        FaultKind::Interrupted(left) => format!("interrupted; {}", changed(left)),
        FaultKind::Changed(left) => changed(left),
        FaultKind::Usage(usage) => usage.what.clone(),
    }
}

/// What helps against it.
pub(crate) fn fault_fix(fault: &Fault) -> String {
    match &fault.kind {
        FaultKind::Refused(refused) => refusal::fix(refused),
        FaultKind::Aws { failure } => hint(failure),
        FaultKind::Interrupted(left) | FaultKind::Changed(left) => after(left),
        FaultKind::Usage(usage) => usage.hint.clone(),
    }
}

/// What must be there before the same command can go on, where that is known.
pub(crate) fn what_lacks(ended: &Ended) -> Option<String> {
    let goes_on = matches!(ended.ending, Ending::SetUpUnfinished { .. });
    let fix = match ended.why.as_ref().filter(|_| goes_on)? {
        Cause::Aws(failure) => hint(failure),
        Cause::InTheWay { error } => fault_fix(error),
        _ => return None,
    };
    Some(fix).filter(|fix| !fix.is_empty())
}

/// What was changed all the same.
fn changed(left: &LeftBehind) -> String {
    match left {
        LeftBehind::Nothing => "nothing was changed".to_owned(),
        LeftBehind::Earlier { .. } => {
            "what an earlier deployment had left was ended before that; nothing else was changed"
                .to_owned()
        }
        LeftBehind::Revisions { revisions } => {
            format!("{} stays registered; nothing uses it", revisions.join(" and "))
        }
        LeftBehind::MaybeRevision => {
            "a revision may have been registered; nothing uses it".to_owned()
        }
        LeftBehind::MaybeTask { .. } => "a task may have been started".to_owned(),
        LeftBehind::MaybeStopped { service, .. } => {
            format!("{service}, which was kept, may be stopped by now; the new version serves")
        }
        LeftBehind::Owner { deployment, dead_after, .. } => format!(
            "the record of {deployment} may name this process as its owner for another {}; nothing else \
             was changed",
            time(*dead_after)
        ),
    }
}

/// What to do about what was left behind.
fn after(left: &LeftBehind) -> String {
    match left {
        LeftBehind::Nothing => "run the same command again".to_owned(),
        LeftBehind::Revisions { revisions } => format!(
            "aws ecs deregister-task-definition --task-definition {}",
            revisions.first().map_or("REVISION", String::as_str)
        ),
        LeftBehind::MaybeRevision => {
            "aws ecs list-task-definitions --sort DESC --max-items 5".to_owned()
        }
        LeftBehind::MaybeTask { cluster } => format!("aws ecs list-tasks --cluster {cluster}"),
        LeftBehind::MaybeStopped { service, cluster }
        | LeftBehind::Earlier { service, cluster }
        | LeftBehind::Owner { service, cluster, .. } => {
            refusal::command("status", cluster, service)
        }
    }
}

pub(crate) fn failure(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::Region
        | FailureKind::Credentials
        | FailureKind::Certificates
        | FailureKind::Environment
            if failure.call.is_none() =>
        {
            failure.message.clone()
        }
        _ => {
            let operation = failure.call.map_or("a call", Call::operation);
            let space = if failure.on.is_empty() { "" } else { " " };
            let Failure { on, code, message, .. } = failure;
            let message = match code.as_str() {
                NOT_STARTED => placement(message),
                COMMAND_NOT_STORED => "its command is not stored anywhere".to_owned(),
                COMMAND_FOR_NO_CONTAINER => {
                    "its container is not in the task definition".to_owned()
                }
                OVERRIDES_TOO_LONG => refusal::too_long(message, OVERRIDES_MAX),
                _ => message.clone(),
            };
            format!("{operation}{space}{on} failed: {code}: {message}")
        }
    }
}

/// Only `setup` without a role calls them, or fails without.
fn is_about_roles(call: Call) -> bool {
    matches!(
        call,
        Call::GetRole | Call::ListAttachedRolePolicies | Call::CreateRole | Call::AttachRolePolicy
    )
}

/// What helps: one line that can be pasted.
fn hint(failure: &Failure) -> String {
    match failure.kind {
        FailureKind::Region => "export AWS_REGION=eu-central-1".into(),
        FailureKind::Credentials if failure.code.contains("Expired") => {
            "renew the credentials, for example: aws sso login".into()
        }
        FailureKind::Credentials if failure.code == UNKNOWN_PROFILE => {
            "aws configure list-profiles".into()
        }
        FailureKind::Credentials => {
            "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or --profile NAME".into()
        }
        FailureKind::Certificates => "export AWS_CA_BUNDLE=/path/to/certificates.pem".into(),
        FailureKind::Environment if failure.code == HALF_A_KEY => {
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither of them".into()
        }
        FailureKind::Environment => {
            "in a file for docker's --env-file, write NAME=value without quotes, blanks or comments"
                .into()
        }
        FailureKind::Denied if failure.call.is_some_and(is_about_roles) => format!(
            "allow {} to these credentials, or have an administrator make the role and give its ARN: \
             --infrastructure-role ARN",
            failure.action()
        ),
        FailureKind::Denied => format!("allow {} to these credentials", failure.action()),
        FailureKind::Missing if failure.code.contains("ClusterNotFound") => {
            "check cluster and region: aws ecs list-clusters".into()
        }
        FailureKind::Missing => {
            "check cluster, service and region: aws ecs list-services --cluster NAME".into()
        }
        FailureKind::Refused => "see the message from AWS above".into(),
        FailureKind::Unreachable => {
            "check the region, AWS_ENDPOINT_URL, HTTPS_PROXY and the network".into()
        }
        FailureKind::Throttled | FailureKind::Unknown => {
            "run the same command again; it resumes".into()
        }
    }
}
