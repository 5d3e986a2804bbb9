//! One API call: which operation of which service, in which region, by which client. It knows nothing of
//! how calls travel or what they change.

use serde::{Deserialize, Serialize};

/// One API call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The how-manieth call of this world, from 1.
    pub index: u64,
    /// `ecs`, `elasticloadbalancing`, `ecr`, `sts`, `logs`, `application-autoscaling`.
    pub service: String,
    /// The operation, such as `UpdateService`.
    pub operation: String,
    /// The region that it was signed for.
    pub region: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
}

/// Whether an operation changes nothing.
pub(crate) fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get", "BatchGet"].iter().any(|verb| operation.starts_with(verb))
}
