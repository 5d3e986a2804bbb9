//! The resources of Elastic Load Balancing v2.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Time;

/// The load-balancing resources of one region, by ARN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Elb {
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) listeners: BTreeMap<String, Listener>,
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) registrations: u64,
    /// Where the account's limits are not AWS's defaults.
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, usize>,
}

pub(crate) type Texts = BTreeMap<String, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadBalancer {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// `application`, `network` or `gateway`.
    pub(crate) kind: String,
    pub(crate) created_at: Time,
    /// Availability Zone and subnet; one node in each.
    pub(crate) zones: Vec<(String, String)>,
    /// The subnet mappings of the request that chose the subnets.
    #[serde(default)]
    pub(crate) mappings: Vec<Value>,
    /// What ModifyCapacityReservation asked for last.
    #[serde(default)]
    pub(crate) reservation: Option<Reservation>,
    pub(crate) members: Map<String, Value>,
    pub(crate) attributes: Texts,
    pub(crate) tags: Texts,
}

/// Capacity units that are reserved, 0 for none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) units: i64,
    /// What holds until `units` are provisioned.
    pub(crate) before: i64,
    pub(crate) modified: Time,
    /// When it was decreased.
    pub(crate) decreases: Vec<Time>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) members: Map<String, Value>,
    pub(crate) attributes: Texts,
    pub(crate) tags: Texts,
    /// Load balancers that have an action which names this group: at most one.
    pub(crate) load_balancers: Vec<String>,
    /// By `id:port`.
    pub(crate) targets: BTreeMap<String, Target>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) port: i64,
    pub(crate) zone: String,
    /// Each registration has another number, so that what is due for an older one is void.
    pub(crate) registration: u64,
    pub(crate) good: u32,
    pub(crate) bad: u32,
    pub(crate) health: Health,
    /// Since when it has this state.
    pub(crate) since: Time,
}

/// The state of a target with its reason and description, empty where AWS shows none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) description: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listener {
    pub(crate) arn: String,
    pub(crate) load_balancer: String,
    /// The rule that holds the default actions.
    pub(crate) rule: String,
    pub(crate) members: Map<String, Value>,
    /// The attributes, once any was set.
    #[serde(default)]
    pub(crate) attributes: Texts,
    /// The certificate list: all but the default certificate.
    #[serde(default)]
    pub(crate) certificates: Vec<String>,
    pub(crate) tags: Texts,
    /// What a scenario calls it.
    pub(crate) scenario_name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) arn: String,
    pub(crate) listener: String,
    /// `None`: the default rule.
    pub(crate) priority: Option<u32>,
    pub(crate) actions: Vec<Value>,
    /// Conditions, transforms and what else was sent.
    pub(crate) members: Map<String, Value>,
    pub(crate) tags: Texts,
    pub(crate) version: u64,
    /// The weights that each node of the load balancer uses.
    pub(crate) nodes: Vec<Vec<(String, u32)>>,
    /// What a scenario calls it.
    #[serde(default)]
    pub(crate) scenario_name: Option<String>,
}

impl Rule {
    /// How the journal names it: the default rule is its listener.
    pub(crate) fn subject(&self) -> &str {
        if self.priority.is_none() { &self.listener } else { &self.arn }
    }
}
