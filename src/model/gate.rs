//! What a gate said of the new version: a check of a URL, or a command.

use std::time::Duration;

use super::serial::millis;
use serde::Serialize;

/// What one run of a gate came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new version is good, as far as this gate can tell.
    Pass,
    /// It is not.
    Fail(GateFault),
    /// The gate could not tell.
    Inconclusive(GateFault),
}

/// What a gate found, or what kept it from finding anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum GateFault {
    /// The answer had another status than it should have.
    Status {
        /// HTTP's status code.
        status: u16,
    },
    /// The answer did not contain what it should.
    Body,
    /// The answer was right, and late.
    Slow {
        /// How late.
        #[serde(rename = "took_millis", serialize_with = "millis")]
        #[cfg_attr(test, schemars(with = "u64"))]
        took: Duration,
    },
    /// Nothing answered in time.
    NoAnswer {
        /// The time that it had.
        #[serde(rename = "limit_millis", serialize_with = "millis")]
        #[cfg_attr(test, schemars(with = "u64"))]
        limit: Duration,
    },
    /// There was no connection.
    Unreachable {
        /// Why, in the words of the library that tried.
        reason: String,
    },
    /// The command ended with another code than 0.
    Exit {
        /// Its code; `None`: a signal ended it.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// The last lines that it printed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lines: Vec<String>,
    },
    /// The command did not end in time, and was killed.
    Late {
        /// The time that it had.
        #[serde(rename = "limit_millis", serialize_with = "millis")]
        #[cfg_attr(test, schemars(with = "u64"))]
        limit: Duration,
        /// The last lines that it printed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lines: Vec<String>,
    },
    /// The command could not be started.
    NotStarted {
        /// Why, in the words of the operating system.
        reason: String,
    },
}
