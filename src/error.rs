//! Calls to AWS that failed, and wrong command lines, as data.

use serde::Serialize;

use crate::call::{About, Call};

/// An argument, or a file that it names, is wrong. Its sentence is made beside its parser, as clap
/// makes its own: it quotes what was typed and says what the parser takes. Nothing was looked at, so there are no
/// facts to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// What is wrong with what.
    #[serde(skip)]
    pub what: String,
    /// One line that can be pasted.
    #[serde(skip)]
    pub hint: String,
}

impl Usage {
    /// What is wrong, with its hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// A call to AWS that failed, or could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// What was called; `None`: it did not come to a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// What it was about: `web in cluster shop`.
    pub on: String,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// AWS's error code, or ours.
    #[serde(rename = "error_code")]
    pub code: String,
    /// In AWS's words, or the transport's.
    pub message: String,
    /// The IAM action that AWS names as not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// The code of a key without its secret, or the other way round.
pub const HALF_A_KEY: &str = "HalfAKey";
/// The code of a profile that is not there.
pub const UNKNOWN_PROFILE: &str = "UnknownProfile";
/// The code of a RunTask whose answer names no task; the message is ECS's reason.
pub const NOT_STARTED: &str = "NotStarted";
/// The code of a RunTask that was not sent: the command of `--before` is not stored anywhere.
pub const COMMAND_NOT_STORED: &str = "CommandNotStored";
/// The code of a RunTask that was not sent: the command of `--before` is for a container that the revision has
/// not.
pub const COMMAND_FOR_NO_CONTAINER: &str = "CommandForNoContainer";
/// The code of a RunTask that was not sent: the command of `--before` is too long. The message is how many
/// characters the overrides have.
pub const OVERRIDES_TOO_LONG: &str = "OverridesTooLong";

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No region is known.
    Region,
    /// There are no credentials, or AWS does not take them.
    Credentials,
    /// The certificates to trust cannot be read.
    Certificates,
    /// A variable of the environment cannot be meant as it is.
    Environment,
    /// The credentials do not allow it.
    Denied,
    /// The thing does not exist.
    Missing,
    /// AWS refuses the call for another reason.
    Refused,
    /// Too many calls; this one did not happen.
    Throttled,
    /// No connection was made; the call did not happen.
    Unreachable,
    /// The call may have taken effect.
    Unknown,
}

impl Failure {
    /// A call failed.
    pub fn of(
        about: impl Into<About>,
        kind: FailureKind,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        let About { call, on } = about.into();
        Self {
            call: Some(call),
            on,
            kind,
            code: code.to_owned(),
            message: message.into(),
            action: None,
        }
    }

    /// It did not come to a call.
    pub fn before_any_call(kind: FailureKind, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { call: None, on: String::new(), kind, code, message, action: None }
    }

    /// Whether what is not allowed is this call. AWS may ask for more than the call that was made: a
    /// revision with tags needs two permissions.
    pub fn denies(&self, call: Call) -> bool {
        let operation = self.action().rsplit(':').next();
        self.kind == FailureKind::Denied && operation == Some(call.operation())
    }

    /// Whether the call certainly had no effect.
    pub fn did_not_happen(&self) -> bool {
        self.kind != FailureKind::Unknown
    }

    /// Whether the same call may succeed later.
    pub fn passes(&self) -> bool {
        matches!(
            self.kind,
            FailureKind::Throttled | FailureKind::Unreachable | FailureKind::Unknown
        )
    }

    /// Whether it may pass while a deployment is driven: credentials that worked before may be renewed a
    /// moment later.
    pub fn passes_while_driving(&self) -> bool {
        self.passes() || self.kind == FailureKind::Credentials
    }

    /// The IAM action that is not allowed: the one that AWS names, which need not be that of the call.
    pub fn action(&self) -> &str {
        self.action.as_deref().or(self.call.map(Call::action)).unwrap_or_default()
    }
}
