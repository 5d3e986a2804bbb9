//! Events: facts for the user, as data. `render/` has the words, and only it prints. Texts in an event are
//! names, ids, and messages of AWS or a container.

mod cause;
mod change;
mod ending;
mod error;
mod finding;
mod plan;
pub mod refusal;
mod wait;
mod warning;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::model::serial::seconds;
use serde::{Serialize, Serializer};

pub use cause::{BeforeEnded, Cause, Grace, Number};
pub use change::{Change, Scaling, StopReason, Weight};
pub use ending::{
    AsBefore, Ended, Ending, Failed, Hint, Nothing, OneOff, Paused, Proof, RunningImage, Swept,
};
pub use error::{Error, Fault, FaultKind, Interruption, LeftBehind, Refusal};
pub use finding::{Fact, Finding, Ignored, Lack, Level, Owner, Quota};
pub use plan::{
    Edited, EditedMember, EngineReason, NumberChange, Part, Planned, Settled, Update, at_least,
};
pub use refusal::Refused;
pub use wait::{Pause, Sight, TaskStatus, WaitReason};
pub use warning::{IgnoredRecord, NoRecord, Objection, Then, Unchecked, Warning};

use crate::model::health::TaskFailure;
use crate::request::EngineName;

/// Something that happened, and when (by our clock).
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Kind {
    /// What it is about: nobody is to deploy to the wrong account.
    Location(Location),
    /// A deployment begins, or is gone on with.
    Begun {
        /// `web:43`
        deployment: String,
        /// The ARN of the revision that it deploys.
        arn: String,
        /// The ARN of the revision that it rolls back to.
        from: String,
        /// How it deploys.
        engine: EngineName,
        /// The service that serves.
        blue: String,
        /// The service that the new revision starts in.
        green: String,
        /// Begun by another process.
        adopted: bool,
    },
    /// A revision was registered.
    Registered {
        /// `web:43`
        revision: String,
        /// Its ARN.
        arn: String,
        /// The revision that it is a copy of.
        base: String,
        /// The ARN of the revision that the service is on.
        current: String,
        /// Its new images, by container.
        images: BTreeMap<String, String>,
        /// The images that they replace, by container.
        replaced: BTreeMap<String, String>,
        /// What else it changes, without what may be secret.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        edits: Vec<Edited>,
    },
    /// A change was made.
    Changed {
        /// In which step.
        step: &'static str,
        /// What it did.
        #[serde(flatten)]
        change: Change,
    },
    /// Nothing to do but wait.
    Waiting {
        /// In which step.
        step: &'static str,
        /// For what.
        #[serde(flatten)]
        why: WaitReason,
    },
    /// The first task of the new revision runs, where ECS replaces the tasks.
    Runs {
        /// `web:43`
        revision: String,
        /// Tasks that run; none where none are wanted.
        tasks: u32,
    },
    /// A task failed: of the new revision, or while rolling back of the old one.
    TaskFailed {
        /// The old revision, where the task is one of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// What happened.
        #[serde(flatten)]
        failure: TaskFailure,
    },
    /// The deployment rolls back.
    RollingBack {
        /// The ARN of the revision that is gone back to.
        to: String,
        /// The record's code for the reason.
        reason_code: &'static str,
        /// What happened.
        #[serde(flatten)]
        cause: Cause,
    },
    /// Old revisions were deregistered.
    Pruned {
        /// Their ARNs.
        revisions: Vec<String>,
    },
    /// A container logged something.
    Logged {
        /// The task's id, where there are several.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// The container.
        container: String,
        /// When it did, by its own clock.
        #[serde(serialize_with = "rfc3339")]
        #[cfg_attr(test, schemars(with = "String"))]
        time: SystemTime,
        /// What.
        message: String,
    },
    /// Something that the user should know, and that does not stop us.
    Warning(Warning),
    /// The end.
    Outcome(Box<Ended>),
}

/// A service, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Location {
    /// Its name.
    pub service: String,
    /// The cluster's name.
    pub cluster: String,
    /// The account's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

fn optional_rfc3339<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => rfc3339(time, serializer),
        None => serializer.serialize_none(),
    }
}
