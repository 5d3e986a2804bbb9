//! What task definitions name and other services have: roles, secrets and parameters, without their values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The secrets and parameters of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Named {
    /// The last parts of the ARNs of secrets: `shop/api-AbCdEf`.
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) parameters: BTreeSet<String>,
}

/// The roles of the account: which service may assume each.
pub(crate) type Roles = BTreeMap<String, String>;
