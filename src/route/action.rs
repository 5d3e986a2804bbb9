//! What a decision can ask for: one absolute change, which is one AWS call.

use serde_json::Value;

use crate::model::scaling::Suspended;
use crate::model::world::Look;
use crate::record::Record;

/// One absolute change; one action is one AWS call.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `service` is on `revision` with `count` tasks.
    Launch {
        /// The service's name.
        service: String,
        /// The revision's ARN.
        revision: String,
        /// Tasks wanted.
        count: u32,
    },
    /// `service` wants `count` tasks.
    Count {
        /// The service's name.
        service: String,
        /// Tasks wanted.
        count: u32,
    },
    /// ECS replaces the tasks of `service` with tasks of `revision`; the rest where it is asked for.
    Roll {
        /// The service's name.
        service: String,
        /// The revision's ARN.
        revision: String,
        /// Tasks wanted.
        count: Option<u32>,
        /// `minimumHealthyPercent`.
        min_healthy: Option<u32>,
        /// `maximumPercent`.
        max_percent: Option<u32>,
        /// Also when it is on that revision already.
        force: bool,
    },
    /// The rule has these actions.
    Weigh {
        /// The rule's ARN.
        rule: String,
        /// The whole action list.
        actions: Vec<(String, String)>,
    },
    /// ECS shifts the traffic of `service` to `revision`.
    Shift {
        /// The service's name.
        service: String,
        /// The revision's ARN.
        revision: String,
        /// The whole `deploymentConfiguration`, where it is to be another one.
        configuration: Option<Value>,
        /// Also when it is on that revision already.
        force: bool,
    },
    /// `service` has this `deploymentConfiguration`, and no deployment begins.
    Configure {
        /// The service's name.
        service: String,
        /// The whole block.
        configuration: Value,
    },
    /// The scalable target of `service` suspends this, and has the limits that are named.
    Scale {
        /// The service's name.
        service: String,
        /// `MinCapacity`, where it is to be another one.
        min: Option<u32>,
        /// `MaxCapacity`, where it is to be another one.
        max: Option<u32>,
        /// What it suspends.
        suspended: Suspended,
    },
    /// ECS rolls a service deployment back.
    StopDeployment {
        /// Its ARN.
        arn: String,
    },
    /// A service deployment that waits at a hook goes on.
    Continue {
        /// Its ARN.
        arn: String,
        /// The hook's id.
        hook: String,
        /// ECS's `lifecycleStage`.
        stage: String,
    },
    /// The task that must succeed before anything serves is started.
    Prepare,
    /// It is stopped.
    Stop {
        /// Its ARN.
        task: String,
    },
    /// The record says this.
    Write(Box<Record>),
}

impl Action {
    /// How much of the world must have been looked at for this change.
    pub fn needs(&self) -> Look {
        match self {
            // The sides that are shrunk are looked at directly before, with every rule.
            Self::Count { count: 0, .. } => Look::Listing,
            Self::Write(_) if self.closes() => Look::Listing,
            Self::Stop { .. } => Look::Glance,
            _ => Look::Whole,
        }
    }

    /// Whether it says that the deployment is over.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Write(record) if record.closed.is_some())
    }
}
