//! Services and their deployments.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Revision, Rollout, Tags};
use crate::{clock::Time, protocol::json::int};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) status: String,
    pub(crate) desired: u32,
    pub(crate) definition: Option<String>,
    /// What CreateService and UpdateService were sent, but for what has a field here.
    pub(crate) members: Map<String, Value>,
    /// The request that made it, to know an identical one.
    pub(crate) request: Map<String, Value>,
    pub(crate) created_at: Time,
    pub(crate) tags: Tags,
    /// Newest first.
    pub(crate) deployments: Vec<Deployment>,
    /// The newest deployment that was completed: where the circuit breaker goes back to.
    pub(crate) completed: Option<Deployment>,
    /// Its service deployments, newest first.
    pub(crate) rollouts: Vec<Rollout>,
    /// Its service revisions, newest first.
    pub(crate) revisions: Vec<Revision>,
    /// Newest first.
    pub(crate) events: Vec<Event>,
    /// Messages whose cause still holds, and since when they were said.
    pub(crate) said: BTreeMap<String, Time>,
    pub(crate) steady: bool,
    /// Since when all that runs is the primary deployment, and healthy.
    pub(crate) complete_since: Option<Time>,
    /// Tasks that are not STOPPED yet.
    pub(crate) tasks: BTreeSet<String>,
    /// When the scheduler looks next, if it is asked to.
    pub(crate) look_at: Option<Time>,
    /// Tasks in a row that never ran.
    pub(crate) failed_starts: u32,
    /// Times in a row that no task could be placed.
    pub(crate) unplaced: u32,
    /// No task is started before this.
    pub(crate) back_off: Option<Time>,
    /// Unhealthy tasks that are to be replaced.
    pub(crate) replaced: u32,
    /// Targets registered and deregistered, by group, that no event has told of yet.
    pub(crate) moved: BTreeMap<String, (u32, u32)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) definition: String,
    /// The ARN of the service revision that it brings.
    pub(crate) revision: String,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) rollout_state: String,
    pub(crate) rollout_reason: String,
    pub(crate) failed_tasks: u32,
    /// The service's members that belong to a deployment, as they were when it began.
    pub(crate) settings: Map<String, Value>,
    /// The target group of each load balancer, where ECS chose it from a pair.
    #[serde(default)]
    pub(crate) resolved: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) at: Time,
    pub(crate) message: String,
}

/// An entry of `loadBalancers` that names a target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) group: String,
    pub(crate) container: String,
    pub(crate) port: i64,
}

impl Deployment {
    pub(crate) fn attachments(&self) -> Vec<Attachment> {
        let mut all = attachments(&self.settings);
        for (one, group) in all.iter_mut().zip(&self.resolved) {
            one.group.clone_from(group);
        }
        all
    }
}

/// The entries of `loadBalancers` that name a target group.
pub(crate) fn attachments(members: &Map<String, Value>) -> Vec<Attachment> {
    let list = members.get("loadBalancers").and_then(Value::as_array);
    let attachment = |entry: &Value| {
        Some(Attachment {
            group: entry.get("targetGroupArn")?.as_str()?.to_owned(),
            container: entry.get("containerName")?.as_str()?.to_owned(),
            port: int(entry.get("containerPort"))?,
        })
    };
    list.into_iter().flatten().filter_map(attachment).collect()
}
