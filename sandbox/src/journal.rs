//! Everything that changed in the world, in order: what clients changed and what changed by itself.
//! It only records; `invariants` judges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::call::Call;
use crate::{clock::Time, faults};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// The call that changed it; `None`: the world did it by itself.
    pub call: Option<Call>,
    /// What.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are AWS's words")]
pub enum Change {
    /// The weights of a rule (or of a listener's default action), as (target group, weight).
    Weights { rule: String, before: Vec<(String, u32)>, after: Vec<(String, u32)> },
    /// The whole action list of a rule or a listener's default action was written.
    Actions { rule: String, before: Vec<Value>, after: Vec<Value> },
    /// One node of the load balancer now sends as the rule says.
    Propagated { rule: String, node: usize, weights: Vec<(String, u32)> },
    /// A service's desired count.
    Desired { service: String, before: u32, after: u32 },
    /// A service's task definition.
    Revision { service: String, before: String, after: String },
    /// A task definition revision was registered.
    Registered { revision: String },
    /// A task definition revision is INACTIVE now.
    Deregistered { revision: String },
    /// All tags of a resource, after a change of some.
    Tagged { resource: String, tags: BTreeMap<String, String> },
    /// A task went from one `lastStatus` to another (`from` is empty for a new one).
    Task { service: Option<String>, task: String, from: String, to: String },
    /// A target's health (`to` is empty when it is gone).
    Target { group: String, target: String, from: String, to: String, reason: Option<String> },
    /// A deployment of a service.
    Deployment { service: String, id: String, status: String, rollout_state: String },
    /// A service deployment, the record that DescribeServiceDeployments shows, came to a status.
    ServiceDeployment { service: String, arn: String, status: String },
    /// A service deployment that shifts traffic came to a lifecycle stage.
    Stage { service: String, arn: String, stage: String },
    /// A lifecycle hook came to a status; `payload` is what a Lambda function was called with.
    Hook { arn: String, hook: String, stage: String, status: String, payload: Option<Value> },
    /// Amazon ECS called another service by itself, with the role of a session of this name. What that
    /// changed follows.
    CalledByEcs { session: String, operation: String, resource: String },
    /// A service event.
    Event { service: String, message: String },
    /// Attributes or settings of a resource.
    Attributes { resource: String },
    /// Something was created.
    Created { arn: String },
    /// Something was deleted.
    Deleted { arn: String },
    /// A fault happened to a call.
    Fault { does: faults::Kind },
    /// Something was changed in another way.
    Modified { arn: String },
}
