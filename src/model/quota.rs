//! What Elastic Load Balancing and AWS Fargate allow an account in a region, and how much of it is used.

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

/// Which of the two kinds of capacity AWS Fargate counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fargate {
    /// On demand.
    OnDemand,
    /// Spot.
    Spot,
}

impl Fargate {
    /// The code of its quota (General Reference, "Amazon ECS endpoints and quotas").
    pub fn code(self) -> &'static str {
        match self {
            Self::OnDemand => "L-3032A538",
            Self::Spot => "L-36FBB829",
        }
    }

    /// The class of its usage metric (ECS Developer Guide, "AWS Fargate usage metrics").
    pub fn class(self) -> &'static str {
        match self {
            Self::OnDemand => "Standard/OnDemand",
            Self::Spot => "Standard/Spot",
        }
    }
}

/// The vCPUs that AWS Fargate may run at a time in a region, and those that it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vcpus {
    /// What they are.
    pub of: Fargate,
    /// What there may be.
    pub max: f64,
    /// What there is.
    pub used: f64,
}
