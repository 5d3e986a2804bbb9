//! Warnings: facts that the user should know and that stop no deployment.

use serde::Serialize;

use super::cause::{Cause, Number};
use crate::error::Failure;

/// A warning. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "warning", rename_all = "kebab-case")]
pub enum Warning {
    /// A call failed, and the deployment goes on.
    CallFailed {
        /// The call.
        failure: Failure,
        /// How it goes on.
        then: Then,
    },
    /// The rules show what this deployment did not write; it goes on from there.
    GoingOnFrom {
        /// The share in percent; none: from the first one.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<u8>,
    },
    /// A number of the record is not followed.
    NumberNotFollowed(Number),
    /// The user asked to stop while the deployment rolls back already.
    StillRollingBack,
    /// The user asked to stop, and the new revision has all the traffic already.
    Finishing,
    /// No record is kept: no other process can resume this deployment.
    NoRecord {
        /// Why.
        why: NoRecord,
    },
    /// Old revisions were not deregistered, since the user asked to stop.
    OldRevisionsKept,
    /// ECS started one task less than was asked for.
    TaskNotStarted {
        /// ECS's reason, with what it means.
        reason: String,
    },
    /// The logs of a container cannot be found without `awslogs-stream-prefix`.
    NoStreamPrefix {
        /// The container.
        container: String,
    },
    /// A log stream is not there.
    NoLogStream {
        /// The container.
        container: String,
        /// The log group.
        group: String,
        /// The stream.
        stream: String,
    },
    /// Logs cannot be read.
    LogsUnreadable {
        /// The call.
        failure: Failure,
    },
    /// Which image ran is not known any more.
    DigestUnknown {
        /// The container.
        container: String,
        /// Its image.
        image: String,
    },
    /// Somebody else has overtaken a deployment that nobody drives: it is over.
    Over {
        /// `web:43`
        deployment: String,
        /// What happened.
        by: Cause,
    },
    /// The service's deployment settings still have what was for this deployment only.
    SettingsLeft {
        /// The service.
        service: String,
        /// The call.
        failure: Failure,
    },
    /// What the plan found.
    Plan {
        /// In words.
        text: String,
    },
}

/// How a deployment goes on after a call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "then", rename_all = "kebab-case")]
pub enum Then {
    /// Reads again what is there, and decides again.
    LooksAgain,
    /// Tries again.
    TriesAgain,
    /// Goes on.
    GoesOn,
    /// Goes by targets alone, without the reasons of tasks.
    WithoutTasks,
    /// Leaves target health to ECS.
    WithoutTargets,
    /// Its record may be out of date.
    RecordOutOfDate,
    /// Old revisions stay registered.
    OldRevisionsKept,
    /// Goes by the weights alone; the record stays open.
    WeightsAlone,
    /// A revision stays registered; nothing runs it.
    StaysRegistered {
        /// `web:43`
        revision: String,
    },
    /// A revision stays registered; nothing runs it.
    Withdrawn {
        /// `web:43`
        revision: String,
        /// Why its record stays open; none: it is closed.
        #[serde(skip_serializing_if = "Option::is_none")]
        open: Option<Box<Failure>>,
    },
}

/// Why no record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoRecord {
    /// The user's tags leave no room.
    Tags,
    /// The task definition would be larger than 64 KiB.
    Size,
    /// `ecs:TagResource` is not allowed; the user's tags are not copied either.
    Denied,
}

impl From<String> for Warning {
    fn from(text: String) -> Self {
        Self::Plan { text }
    }
}
