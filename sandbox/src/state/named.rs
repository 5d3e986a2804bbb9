//! What task definitions name and other services have: roles, secrets and parameters, without their values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::Time;

/// The secrets and parameters of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Named {
    /// The last parts of the ARNs of secrets: `shop/api-AbCdEf`.
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) parameters: BTreeSet<String>,
}

/// The roles of the account, by name.
pub(crate) type Roles = BTreeMap<String, Role>;

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub(crate) struct Role {
    /// Its trust policy, as it was sent.
    pub(crate) trust: String,
    /// The ARNs of its managed policies.
    pub(crate) policies: BTreeSet<String>,
    /// What else CreateRole was told: path, description, session, tags.
    pub(crate) members: Map<String, Value>,
    /// When a client made it; `None`: a scenario did.
    pub(crate) made: Option<Time>,
}

/// A role in a saved world. Before roles could be made, it was the service that it trusts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Saved {
    Trusts(String),
    Role {
        trust: String,
        policies: BTreeSet<String>,
        members: Map<String, Value>,
        made: Option<Time>,
    },
}

impl From<Saved> for Role {
    fn from(saved: Saved) -> Role {
        match saved {
            Saved::Trusts(service) => Role::of(&service),
            Saved::Role { trust, policies, members, made } => {
                Role { trust, policies, members, made }
            }
        }
    }
}

impl Role {
    /// A role of a scenario, which a service can assume.
    pub(crate) fn of(service: &str) -> Role {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        });
        Role {
            trust: trust.to_string(),
            policies: BTreeSet::new(),
            members: Map::new(),
            made: None,
        }
    }

    /// Whether a statement lets a service assume it. Conditions are not judged.
    pub(crate) fn trusts(&self, service: &str) -> bool {
        let policy: Value = serde_json::from_str(&self.trust).unwrap_or_default();
        let has = |value: &Value, wanted: &str| match value {
            Value::Array(list) => list.iter().any(|one| one == wanted),
            one => one == wanted,
        };
        let allows = |one: &Value| {
            let principal = &one["Principal"];
            one["Effect"] == "Allow"
                && has(&one["Action"], "sts:AssumeRole")
                && (has(principal, "*") || has(&principal["Service"], service))
        };
        match &policy["Statement"] {
            Value::Array(list) => list.iter().any(allows),
            one => allows(one),
        }
    }
}
