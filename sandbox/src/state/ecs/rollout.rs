//! Service deployments and service revisions: the record of what was deployed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Native;
use crate::clock::Time;

/// A service deployment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rollout {
    pub(crate) arn: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    /// The id of the deployment whose tasks are of the target revision.
    pub(crate) deployment: String,
    pub(crate) target: String,
    /// The deployments that ran before, with their revisions.
    pub(crate) sources: Vec<(String, String)>,
    pub(crate) created_at: Time,
    pub(crate) started_at: Option<Time>,
    pub(crate) finished_at: Option<Time>,
    pub(crate) stopped_at: Option<Time>,
    pub(crate) updated_at: Time,
    pub(crate) configuration: Value,
    pub(crate) rollback: Option<Rollback>,
    /// The status of the circuit breaker, when it is no longer monitoring.
    pub(crate) breaker: Option<String>,
    /// What the circuit breaker had counted when the deployment ended.
    pub(crate) failures: u32,
    /// Alarms are watched: there are some, and none was in ALARM at the start.
    pub(crate) watches_alarms: bool,
    pub(crate) triggered_alarms: Vec<String>,
    /// Of the strategies BLUE_GREEN, LINEAR and CANARY.
    #[serde(default)]
    pub(crate) native: Option<Native>,
    /// Nobody is shown it before.
    #[serde(default)]
    pub(crate) listed_at: Option<Time>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rollback {
    pub(crate) reason: String,
    pub(crate) started_at: Time,
    pub(crate) revision: String,
}

/// A service revision: what a deployment brings, as it was when it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub(crate) arn: String,
    pub(crate) definition: String,
    pub(crate) created_at: Time,
    pub(crate) members: Map<String, Value>,
    /// Container, image, and the digest that its first task pulled.
    pub(crate) images: Vec<(String, String, Option<String>)>,
}

impl Rollout {
    pub(crate) fn ended(&self) -> bool {
        let ends = ["STOPPED", "SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"];
        ends.contains(&self.status.as_str())
    }
}
