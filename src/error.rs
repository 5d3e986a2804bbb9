//! What can go wrong before or beside a deployment, as data: a `Refusal` says that we would not
//! start, an `Error` that we could not do our work. An unhappy deployment is neither: see `Outcome`.

use std::fmt;

use crate::aws::AwsError;

/// Why a deployment is not started. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is the matter, with what, and why that is in the way.
    pub what: String,
    /// One line that can be pasted.
    pub hint: String,
}

impl Refusal {
    /// A refusal with its hint.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// Why a command could not do its work.
#[derive(Clone, Debug)]
pub enum Error {
    /// What was typed makes no sense; nothing was looked at.
    Usage(Refusal),
    /// We would not start.
    Refused(Refusal),
    /// AWS, or the way to it, failed.
    Aws(AwsError),
}

impl Error {
    /// The exit code: 2 for what was typed, 3 for everything that happened before our first
    /// change. (What goes wrong after it is an `Outcome`.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Refused(_) | Self::Aws(_) => 3,
        }
    }

    /// The line that can be pasted.
    pub fn hint(&self) -> String {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => refusal.hint.clone(),
            Self::Aws(error) => error.hint(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(refusal) | Self::Refused(refusal) => f.write_str(&refusal.what),
            Self::Aws(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}
