//! Shares of the traffic, or of the tasks.

use std::collections::BTreeMap;

/// Who has the traffic of a rule.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Served {
    /// `load balancer:port/priority`
    pub rule: String,
    /// Percent of the traffic by service; empty when nobody has any.
    pub percent: BTreeMap<String, f64>,
}
