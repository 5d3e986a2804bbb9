//! The scalable targets of Application Auto Scaling, with their policies and scheduled actions.

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
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// By name.
    #[serde(default)]
    pub(crate) policies: BTreeMap<String, Policy>,
    /// By name.
    #[serde(default)]
    pub(crate) scheduled: BTreeMap<String, Scheduled>,
    /// Whether a look at the metrics is due.
    #[serde(default)]
    pub(crate) watched: bool,
    /// The last change of the count, as far as cooldowns need it.
    #[serde(default)]
    pub(crate) last: Option<Last>,
    /// The newest first.
    #[serde(default)]
    pub(crate) activities: Vec<Activity>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) arn: String,
    pub(crate) created_at: Time,
    pub(crate) members: Map<String, Value>,
    /// (name, ARN) of the alarms that target tracking has made.
    pub(crate) alarms: Vec<(String, String)>,
    /// How many minutes running the metric was above the target.
    pub(crate) above: u32,
    /// How many minutes running it was well below.
    pub(crate) below: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    pub(crate) arn: String,
    pub(crate) created_at: Time,
    pub(crate) members: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) at: Time,
    pub(crate) to: u32,
    pub(crate) out: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Activity {
    pub(crate) id: String,
    pub(crate) at: Time,
    pub(crate) cause: String,
    pub(crate) to: u32,
}
