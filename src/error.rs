//! What can go wrong before or beside a deployment, as data: a `Refusal` says that we would not
//! start, an `Error` that we could not do our work. An unhappy deployment is neither: see `Outcome`.

use std::fmt;

use serde::Serialize;

use crate::call::{About, Call};

/// Why a deployment is not started. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is the matter, with what, and why that is in the way.
    pub what: String,
    /// One line that can be pasted.
    pub hint: String,
    /// The check that found it, where it was one of `plan::checks`.
    pub check: Option<&'static str>,
    /// What else is the matter.
    pub also: Vec<Refusal>,
}

impl Refusal {
    /// A refusal with its hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into(), check: None, also: Vec::new() }
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

/// The code of a profile that is not there.
pub const UNKNOWN_PROFILE: &str = "UnknownProfile";

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

    /// The line that can be pasted.
    pub fn hint(&self) -> String {
        match self.kind {
            FailureKind::Region => "export AWS_REGION=eu-central-1".into(),
            FailureKind::Credentials if self.code.contains("Expired") => {
                "renew the credentials, for example: aws sso login".into()
            }
            FailureKind::Credentials if self.code == UNKNOWN_PROFILE => {
                "aws configure list-profiles".into()
            }
            FailureKind::Credentials => {
                "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or --profile NAME".into()
            }
            FailureKind::Certificates => "export AWS_CA_BUNDLE=/path/to/certificates.pem".into(),
            FailureKind::Environment => {
                "in a file for docker's --env-file, write NAME=value without quotes, blanks or comments"
                    .into()
            }
            FailureKind::Denied => format!("allow {} to these credentials", self.action()),
            FailureKind::Missing if self.code.contains("ClusterNotFound") => {
                "check cluster and region: aws ecs list-clusters".into()
            }
            FailureKind::Missing => {
                "check cluster, service and region: aws ecs list-services --cluster NAME".into()
            }
            FailureKind::Refused => "see the message from AWS above".into(),
            FailureKind::Unreachable => {
                "check the region, AWS_ENDPOINT_URL, HTTPS_PROXY and the network"
                    .into()
            }
            FailureKind::Throttled | FailureKind::Unknown => {
                "run the same command again; it resumes".into()
            }
        }
    }

    /// The IAM action that is not allowed: the one that AWS names, which need not be that of the call.
    pub fn action(&self) -> &str {
        self.action.as_deref().or(self.call.map(Call::action)).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FailureKind::Region
            | FailureKind::Credentials
            | FailureKind::Certificates
            | FailureKind::Environment
                if self.call.is_none() =>
            {
                f.write_str(&self.message)
            }
            _ => {
                let operation = self.call.map_or("a call", Call::operation);
                let space = if self.on.is_empty() { "" } else { " " };
                write!(f, "{operation}{space}{} failed: {}: {}", self.on, self.code, self.message)
            }
        }
    }
}

impl std::error::Error for Failure {}

/// Why a command could not do its work.
#[derive(Clone, Debug)]
pub enum Error {
    /// What was typed makes no sense; nothing was looked at.
    Usage(Refusal),
    /// We would not start.
    Refused(Refusal),
    /// AWS, or the way to it, failed.
    Aws(Failure),
    /// The user asked us to stop before a deployment was under way.
    Interrupted(Interruption),
}

/// How a command ended that the user asked to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// 3: nothing was changed; 4: something was left behind; 130: stopped at once.
    pub code: u8,
    /// What was changed, if anything.
    pub what: String,
    /// One line that can be pasted.
    pub hint: String,
}

impl Error {
    /// The exit code: 2 for what was typed, 3 for everything that happened before our first
    /// change. (What goes wrong after it is an `Outcome`.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Refused(_) | Self::Aws(_) => 3,
            Self::Interrupted(interruption) => interruption.code,
        }
    }

    /// The check that found it, where it was one before a deployment.
    pub fn check(&self) -> Option<&'static str> {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => refusal.check,
            Self::Aws(_) | Self::Interrupted(_) => None,
        }
    }

    /// What else is the matter.
    pub fn also(&self) -> &[Refusal] {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => &refusal.also,
            Self::Aws(_) | Self::Interrupted(_) => &[],
        }
    }

    /// The line that can be pasted.
    pub fn hint(&self) -> String {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => refusal.hint.clone(),
            Self::Aws(error) => error.hint(),
            Self::Interrupted(interruption) => interruption.hint.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => f.write_str(&refusal.what),
            Self::Aws(error) => error.fmt(f),
            Self::Interrupted(interruption) => f.write_str(&interruption.what),
        }
    }
}

impl std::error::Error for Error {}

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
