//! The scalable targets of Application Auto Scaling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Time;

/// The scalable targets of one region, by resource id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scaling(pub(crate) BTreeMap<String, Target>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) arn: String,
    pub(crate) created_at: Time,
    pub(crate) members: Map<String, Value>,
}
