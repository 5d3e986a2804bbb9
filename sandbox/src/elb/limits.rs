//! How many of something an account may have: AWS's defaults, and what a scenario says instead.

use serde_json::{Map, Value, json};

use super::paging;
use crate::{protocol::query::Answer, state::elb::Elb};

/// What AWS allows unless it was asked for more (AWS CLI reference, describe-account-limits; quotas of
/// Application, Network and Gateway Load Balancers).
const DEFAULTS: &[(&str, usize)] = &[
    ("application-load-balancers", 50),
    ("certificates-per-application-load-balancer", 25),
    ("certificates-per-network-load-balancer", 25),
    ("condition-values-per-alb-rule", 5),
    ("condition-wildcards-per-alb-rule", 5),
    ("gateway-load-balancers", 100),
    ("gateway-load-balancers-per-vpc", 100),
    ("geneve-target-groups", 100),
    (LISTENERS, 50),
    ("listeners-per-network-load-balancer", 50),
    ("network-load-balancers", 50),
    (RULES, 100),
    (GROUPS, 3000),
    ("target-groups-per-action-on-application-load-balancer", 5),
    ("target-groups-per-action-on-network-load-balancer", 5),
    (GROUPS_OF_BALANCER, 100),
    ("target-id-registrations-per-application-load-balancer", 1000),
    ("targets-per-application-load-balancer", 1000),
    ("targets-per-availability-zone-per-gateway-load-balancer", 300),
    ("targets-per-availability-zone-per-network-load-balancer", 500),
    ("targets-per-network-load-balancer", 3000),
    (TARGETS, 1000),
];

pub(super) const GROUPS: &str = "target-groups";
pub(super) const GROUPS_OF_BALANCER: &str = "target-groups-per-application-load-balancer";
pub(super) const LISTENERS: &str = "listeners-per-application-load-balancer";
pub(super) const RULES: &str = "rules-per-application-load-balancer";
pub(super) const TARGETS: &str = "targets-per-target-group";

/// Whether AWS has a limit of this name.
pub(crate) fn is_limit(name: &str) -> bool {
    DEFAULTS.iter().any(|(known, _)| *known == name)
}

/// How many there may be.
pub(super) fn limit(elb: &Elb, name: &str) -> usize {
    let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, most)| *most);
    elb.limits.get(name).copied().or_else(default).unwrap_or(usize::MAX)
}

pub(super) fn describe(elb: &Elb, request: &Map<String, Value>) -> Answer {
    let shown = |name: &str| json!({"Name": name, "Max": limit(elb, name).to_string()});
    let all = DEFAULTS.iter().map(|(name, _)| shown(name)).collect();
    paging::page_by(request, "Limits", "Name", all)
}
