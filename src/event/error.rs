//! Why a command could not do its work, as data: it was refused, AWS failed, the user interrupted it, or an
//! argument is wrong. An unhappy deployment is none of these: see `Outcome`.

use std::time::Duration;

use serde::Serialize;

use super::refusal::Refused;
use super::seconds;
use crate::error::{Failure, Usage};
use crate::model::arn::short;

/// Why a deployment is not started, or another command not carried out. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is in the way.
    pub why: Box<Refused>,
    /// The check that found it, where it was one of `plan::checks`.
    pub check: Option<&'static str>,
    /// What else is in the way.
    pub also: Vec<Refusal>,
}

impl Refusal {
    /// A refusal for this reason alone.
    pub fn new(why: impl Into<Refused>) -> Self {
        Self { why: Box::new(why.into()), check: None, also: Vec::new() }
    }

    /// It, and what else is in the way.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }
}

/// Why a command could not do its work.
#[derive(Clone, Debug)]
pub enum Error {
    /// An argument is wrong; nothing was looked at.
    Usage(Usage),
    /// We would not start.
    Refused(Refusal),
    /// AWS, or the way to it, failed.
    Aws(Failure),
    /// The user asked us to stop before a deployment was under way.
    Interrupted(Interruption),
    /// One of these, after something was changed.
    After(LeftBehind, Box<Self>),
}

/// How a command ended that the user asked to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// 3: nothing was changed; 4: something was left behind; 130: stopped at once.
    pub code: u8,
    /// What was changed, if anything.
    pub left: LeftBehind,
}

/// What a command leaves behind that could not do its work, or that the user asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "left_behind", rename_all = "kebab-case")]
pub enum LeftBehind {
    /// Nothing was changed.
    Nothing,
    /// What an earlier deployment had left was ended, and nothing else was changed.
    Earlier {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// Revisions that nothing uses.
    Revisions {
        /// `web:43`
        revisions: Vec<String>,
    },
    /// A revision may have been registered; nothing uses it.
    MaybeRevision,
    /// A task may have been started.
    MaybeTask {
        /// The cluster.
        cluster: String,
    },
    /// The side that an earlier deployment kept may be stopped.
    MaybeStopped {
        /// Its service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The record may name this process as its owner.
    Owner {
        /// `web:43`
        deployment: String,
        /// A service of its pair.
        service: String,
        /// The cluster.
        cluster: String,
        /// For so long other processes take this one for alive.
        #[serde(rename = "for_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        dead_after: Duration,
    },
}

impl LeftBehind {
    /// These revisions, by their ARNs.
    pub fn revisions<'a>(arns: impl Iterator<Item = &'a str>) -> Self {
        Self::Revisions { revisions: arns.map(|arn| short(arn).to_owned()).collect() }
    }
}

/// One thing that is in the way of a command. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(transform = with_words))]
pub struct Fault {
    /// The check that found it, where it was one before a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<&'static str>,
    /// What it is.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum FaultKind {
    /// A reason of ours.
    Refused(Box<Refused>),
    /// A call that failed.
    Aws {
        /// The call.
        failure: Failure,
    },
    /// The user asked us to stop.
    Interrupted(LeftBehind),
    /// What was changed all the same.
    Changed(LeftBehind),
    /// What was typed.
    Usage(Usage),
}

/// `render` adds the words.
#[cfg(test)]
fn with_words(schema: &mut schemars::Schema) {
    let words = [
        ("message", "What is the matter, in words. They may change."),
        ("fix", "What to do about it: most often a command. It may change."),
    ];
    for (name, description) in words {
        let members = schema.ensure_object();
        let properties = members.entry("properties").or_insert_with(|| serde_json::json!({}));
        properties[name] = serde_json::json!({ "description": description, "type": "string" });
        let required = members.entry("required").or_insert_with(|| serde_json::json!([]));
        required.as_array_mut().into_iter().for_each(|all| all.push(name.into()));
    }
}

impl From<&Refusal> for Fault {
    fn from(refusal: &Refusal) -> Self {
        Self { check: refusal.check, kind: FaultKind::Refused(refusal.why.clone()) }
    }
}

impl Error {
    /// The exit code: 2 for what was typed, 3 for everything that happened before our first
    /// change. (What goes wrong after it is an `Outcome`.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Refused(_) | Self::Aws(_) => 3,
            Self::Interrupted(interruption) => interruption.code,
            Self::After(_, error) => match error.exit_code() {
                3 => 4,
                code => code,
            },
        }
    }

    /// Whether it is the user who asked us to stop.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::After(_, error) => error.is_interrupted(),
            Self::Usage(_) | Self::Refused(_) | Self::Aws(_) => false,
        }
    }

    /// The same, where this was changed before.
    #[must_use]
    pub fn after(self, left: LeftBehind) -> Self {
        match self {
            Self::Interrupted(Interruption { code, left: LeftBehind::Nothing }) => {
                let code = if code == 3 { 4 } else { code };
                Self::Interrupted(Interruption { code, left })
            }
            error => Self::After(left, Box::new(error)),
        }
    }

    /// All that is in the way, at least one thing.
    pub fn faults(&self) -> Vec<Fault> {
        let kind = match self {
            Self::Refused(refusal) => return refusal.all().map(Fault::from).collect(),
            Self::After(left, error) => {
                let changed = Fault { check: None, kind: FaultKind::Changed(left.clone()) };
                return error.faults().into_iter().chain([changed]).collect();
            }
            Self::Usage(usage) => FaultKind::Usage(usage.clone()),
            Self::Aws(failure) => FaultKind::Aws { failure: failure.clone() },
            Self::Interrupted(interruption) => FaultKind::Interrupted(interruption.left.clone()),
        };
        vec![Fault { check: None, kind }]
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Error {
    fn from(error: Failure) -> Self {
        Self::Aws(error)
    }
}
