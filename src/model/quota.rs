//! What Elastic Load Balancing allows an account in a region, and how much of it is used.

use std::collections::BTreeMap;

/// Quotas, and what is counted against them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// How many there may be, by the names of DescribeAccountLimits (`target-groups`).
    pub limits: BTreeMap<String, usize>,
    /// Target groups of the region; `None`: they were not counted.
    pub groups: Option<usize>,
    /// Target groups of each load balancer, by its ARN.
    pub groups_of: BTreeMap<String, usize>,
}
