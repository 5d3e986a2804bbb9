//! What the user should hear about. The engine tells, renderers read; nothing else prints.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use crate::model::served::Served;
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
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Kind {
    /// A deployment begins, or is gone on with.
    Begun {
        /// `web:43`
        deployment: String,
        /// Who moves things.
        engine: EngineName,
        /// The service that serves.
        blue: String,
        /// The service that the new revision comes up in.
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
        /// The one that it is a clone of.
        base: String,
        /// The ARN of the one that the service is on.
        current: String,
        /// Its new images, by container.
        images: BTreeMap<String, String>,
        /// What else it changes, without what may be secret.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        edits: Vec<String>,
    },
    /// A change was made.
    Changed {
        /// In which step.
        step: String,
        /// What it did.
        what: String,
    },
    /// Nothing to do but wait.
    Waiting {
        /// In which step.
        step: String,
        /// For what.
        why: String,
    },
    /// The first task of the new revision runs, where ECS replaces the tasks.
    Runs {
        /// `web:43`
        revision: String,
        /// Tasks that run; none where none are wanted.
        tasks: u32,
    },
    /// A task failed: of the new revision, or on the way back of the old one.
    TaskFailed {
        /// Its id.
        task: String,
        /// The old revision, where the task is one of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// What happened.
        what: String,
    },
    /// The deployment turns back.
    TurnedBack {
        /// The ARN of the revision that is gone back to.
        to: String,
        /// The reason's code.
        reason: String,
        /// What happened.
        what: String,
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
        time: SystemTime,
        /// What.
        message: String,
    },
    /// Something that the user should know, and that does not stop us.
    Warning {
        /// What.
        what: String,
    },
    /// The end.
    Outcome(Box<Ended>),
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

/// How it ended, and what is worth knowing about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ended {
    /// `live`, `went-back`, `left`, `stuck`, `drifted`, `superseded`, `stopped`, `nothing-to-do`, or
    /// `error`.
    pub outcome: String,
    /// What the process exits with.
    pub exit_code: u8,
    /// The user asked us to stop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// `web:43`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// One sentence.
    pub what: String,
    /// Why, where it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Tasks of the new revision that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// What the container that failed first logged last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// What the services said since it began, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_events: Vec<String>,
    /// What serves, rule by rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<Served>,
    /// One line that can be pasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Calls made to AWS, by operation.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub api_calls: BTreeMap<String, u32>,
}
