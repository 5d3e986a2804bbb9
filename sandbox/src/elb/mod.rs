//! Elastic Load Balancing v2: what it keeps, and which operation is where. How targets become healthy
//! is in `health`, how a rule's weights reach the nodes in `rule`. It knows nothing of ECS but that a
//! target's address may belong to one of its tasks.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    clock::Time,
    cloud::{Here, Region},
    protocol::{
        Fault,
        query::{self, Answer},
        shapes::Shapes,
    },
};

mod action;
mod attributes;
mod condition;
mod group;
pub(crate) mod health;
mod listener;
mod load_balancer;
mod paging;
pub(crate) mod rule;
mod tags;

pub(crate) use action::{forwards, weights};

/// The load-balancing resources of one region, by ARN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Elb {
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) listeners: BTreeMap<String, Listener>,
    pub(crate) rules: BTreeMap<String, Rule>,
    pub(crate) registrations: u64,
}

pub(crate) type Texts = BTreeMap<String, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadBalancer {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// `application` or `network`.
    pub(crate) kind: String,
    pub(crate) created_at: Time,
    /// Availability Zone and subnet; one node in each.
    pub(crate) zones: Vec<(String, String)>,
    pub(crate) members: Map<String, Value>,
    pub(crate) attributes: Texts,
    pub(crate) tags: Texts,
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
}

impl Rule {
    /// How the journal names it: the default rule is its listener.
    pub(crate) fn subject(&self) -> &str {
        if self.priority.is_none() { &self.listener } else { &self.arn }
    }
}

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
        "CreateRule" => rule::create(here, request),
        "DescribeRules" => rule::describe(here, request),
        "DeleteRule" => rule::delete(here, request),
        "ModifyRule" => rule::modify(here, request),
        "SetRulePriorities" => rule::set_priorities(here, request),
        "RegisterTargets" => group::register_targets(here, request),
        "DeregisterTargets" => group::deregister_targets(here, request),
        "DescribeTargetHealth" => group::describe_health(here, request),
        "DescribeTags" => tags::describe(here, request),
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
