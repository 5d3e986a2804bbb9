//! What Lambda functions answer: the lifecycle hooks of service deployments call them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// A Lambda function, and what it answers to the hooks that call it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lambda {
    /// The name of the function, the last part of its ARN.
    pub name: String,
    /// What it answers.
    pub does: Answers,
    /// Only at these lifecycle stages; empty: at each. At the others it succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
    /// How long a call takes. Assumed: 2 s.
    #[serde(default = "call", with = "duration")]
    pub after: Duration,
    /// How often it answers IN_PROGRESS before it succeeds.
    #[serde(default = "once")]
    pub times: u32,
    /// The `callBackDelay` of these answers: 30 s unless the answer has another one.
    #[serde(default = "delay", with = "duration")]
    pub delay: Duration,
}

/// What a function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// SUCCEEDED.
    Succeed,
    /// FAILED.
    Fail,
    /// IN_PROGRESS, `times` times, then SUCCEEDED.
    Progress,
    /// IN_PROGRESS each time.
    Hang,
    /// No `hookStatus`, as after an exception.
    Garbage,
    /// ECS's role does not let it call the function.
    Denied,
    /// ECS cannot assume the role.
    Unassumable,
}

fn call() -> Duration {
    Duration::from_secs(2)
}

fn once() -> u32 {
    1
}

fn delay() -> Duration {
    Duration::from_secs(30)
}

impl Lambda {
    /// A function that nobody described.
    pub(crate) fn unknown(name: &str) -> Lambda {
        Lambda {
            name: name.to_owned(),
            does: Answers::Succeed,
            stages: Vec::new(),
            after: call(),
            times: once(),
            delay: delay(),
        }
    }

    /// What it answers at a stage.
    pub(crate) fn answers(&self, stage: &str) -> Answers {
        let concerned = self.stages.is_empty() || self.stages.iter().any(|own| own == stage);
        if concerned { self.does } else { Answers::Succeed }
    }
}
