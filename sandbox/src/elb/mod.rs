//! Elastic Load Balancing v2: which operation is where. How targets become healthy is in `health`, how a
//! rule's weights reach the nodes in `rule`. It knows nothing of ECS: `network` says what a target replies.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::{
    clock::Time,
    protocol::{
        Fault,
        query::{self, Answer},
        shapes::Shapes,
    },
    state::{Here, Region, elb::Health},
};

mod action;
mod attributes;
mod capacity;
mod certificates;
mod condition;
mod group;
pub(crate) mod health;
mod limits;
mod listener;
mod load_balancer;
mod paging;
pub(crate) mod rule;
mod tags;

pub(crate) use action::{forwards, weights};
pub(crate) use limits::is_limit;
pub(crate) use load_balancer::dns_name;

/// What others need to know of a target group.
pub(crate) struct GroupFacts {
    pub(crate) target_type: String,
    pub(crate) in_use: bool,
}

pub(crate) fn group_facts(region: &Region, arn: &str) -> Option<GroupFacts> {
    let group = region.elb.groups.get(arn)?;
    let target_type = query::text(&group.members, "TargetType").unwrap_or("instance").to_owned();
    Some(GroupFacts { target_type, in_use: !group.load_balancers.is_empty() })
}

/// The health of a target.
pub(crate) fn state<'r>(
    region: &'r Region,
    group: &str,
    id: &str,
    port: i64,
) -> Option<&'r Health> {
    region.elb.groups.get(group)?.targets.get(&format!("{id}:{port}")).map(|target| &target.health)
}

/// Since when a target is unhealthy, if it is.
pub(crate) fn unhealthy_since(region: &Region, group: &str, id: &str, port: i64) -> Option<Time> {
    let target = region.elb.groups.get(group)?.targets.get(&format!("{id}:{port}"))?;
    target.health.state.starts_with("unhealthy").then_some(target.since)
}

/// The Availability Zones of the region's load balancers.
pub(crate) fn zones(region: &Region) -> Vec<String> {
    let all = region.elb.load_balancers.values().next();
    all.into_iter().flat_map(|one| &one.zones).map(|(zone, _)| zone.clone()).collect()
}

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("../protocol/shapes/elbv2.txt")));

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

/// Answers a call.
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    query::check(&SHAPES, operation, request)?;
    match operation {
        "CreateLoadBalancer" => load_balancer::create(here, request),
        "DescribeLoadBalancers" => load_balancer::describe(here, request),
        "DeleteLoadBalancer" => load_balancer::delete(here, request),
        "DescribeLoadBalancerAttributes" => attributes::of_load_balancer(here, request),
        "ModifyLoadBalancerAttributes" => attributes::modify_load_balancer(here, request),
        "DescribeCapacityReservation" => capacity::describe(here, request),
        "ModifyCapacityReservation" => capacity::modify(here, request),
        "SetIpAddressType" => load_balancer::set_ip_address_type(here, request),
        "SetSecurityGroups" => load_balancer::set_security_groups(here, request),
        "SetSubnets" => load_balancer::set_subnets(here, request),
        "CreateTargetGroup" => group::create(here, request),
        "DescribeTargetGroups" => group::describe(here, request),
        "DeleteTargetGroup" => group::delete(here, request),
        "ModifyTargetGroup" => group::modify(here, request),
        "DescribeTargetGroupAttributes" => attributes::of_group(here, request),
        "ModifyTargetGroupAttributes" => attributes::modify_group(here, request),
        "CreateListener" => listener::create(here, request),
        "DescribeListeners" => listener::describe(here, request),
        "DeleteListener" => listener::delete(here, request),
        "ModifyListener" => listener::modify(here, request),
        "DescribeListenerAttributes" => attributes::of_listener(here, request),
        "ModifyListenerAttributes" => attributes::modify_listener(here, request),
        "AddListenerCertificates" => certificates::add(here, request),
        "DescribeListenerCertificates" => certificates::describe(here, request),
        "RemoveListenerCertificates" => certificates::remove(here, request),
        "DescribeSSLPolicies" => certificates::policies(request),
        "CreateRule" => rule::create(here, request),
        "DescribeRules" => rule::describe(here, request),
        "DeleteRule" => rule::delete(here, request),
        "ModifyRule" => rule::modify(here, request),
        "SetRulePriorities" => rule::set_priorities(here, request),
        "RegisterTargets" => group::register_targets(here, request),
        "DeregisterTargets" => group::deregister_targets(here, request),
        "DescribeTargetHealth" => group::describe_health(here, request),
        "DescribeTags" => tags::describe(here, request),
        "DescribeAccountLimits" => limits::describe(&here.region.elb, request),
        "AddTags" => tags::add(here, request),
        "RemoveTags" => tags::remove(here, request),
        _ => Err(Fault::new(
            "InvalidAction",
            format!("The action {operation} is not valid for this web service."),
        )),
    }
}

fn result(members: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    members.into_iter().map(|(member, value)| (member.to_owned(), value)).collect()
}

fn load_balancer_not_found(what: &str) -> Fault {
    Fault::new("LoadBalancerNotFound", format!("Load balancers '[{what}]' not found"))
}

fn group_not_found() -> Fault {
    Fault::new("TargetGroupNotFound", "One or more target groups not found")
}

fn listener_not_found() -> Fault {
    Fault::new("ListenerNotFound", "One or more listeners not found")
}

fn rule_not_found() -> Fault {
    Fault::new("RuleNotFound", "One or more rules not found")
}

/// An ARN that cannot be one of its kind is refused before it is looked for.
fn check_arn(arn: &str, kind: &str) -> Result<(), Fault> {
    let resource = arn.splitn(6, ':').nth(5);
    let fits = arn.starts_with("arn:")
        && resource.is_some_and(|resource| resource.starts_with(&format!("{kind}/")));
    if fits {
        Ok(())
    } else {
        Err(Fault::validation(format!("'{arn}' is not a valid {} ARN", kind.replace('-', " "))))
    }
}
