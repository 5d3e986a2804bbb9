//! What any client must respect, whatever it is for: judged after each call from what the call changed.
//! A world that goes bad by itself breaks nothing here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    clock::Time,
    elb,
    journal::{Call, Change, Entry},
    state::{Region, ecs::Service},
};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// The call that broke it.
    pub call: Option<Call>,
    /// Which one.
    pub invariant: Invariant,
    /// How.
    pub what: String,
}

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// A change puts (more) weight on a group with no healthy target while another group of that
    /// action has one: the load balancer does not fail over between weighted groups.
    WeightOnEmpty,
    /// A change lowers the desired count of a service, or deletes it, while its group has weight in a
    /// rule, or some node still sends to it.
    ShrinksTraffic,
    /// A change of weights drops or alters an action that is not its forward, the forward's stickiness
    /// or other members, or a target group: action lists are replaced as a whole.
    ActionsLost,
    /// A change leaves a rule whose weights add up to 0 while a group of it has healthy targets: the load
    /// balancer answers every request with 503.
    NoWeight,
}

impl Invariant {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::WeightOnEmpty => "weight-on-empty",
            Invariant::ShrinksTraffic => "shrinks-traffic",
            Invariant::ActionsLost => "actions-lost",
            Invariant::NoWeight => "no-weight",
        }
    }
}

/// What the changes of one call break.
pub(crate) fn check(region: &Region, changes: &[Entry]) -> Vec<Violation> {
    let mut broken = Vec::new();
    for entry in changes.iter().filter(|entry| entry.call.is_some()) {
        let mut say = |invariant: Invariant, what: String| {
            broken.push(Violation { at: entry.at, call: entry.call.clone(), invariant, what });
        };
        match &entry.change {
            Change::Weights { rule, before, after } => {
                for what in weight_on_empty(region, rule, before, after) {
                    say(Invariant::WeightOnEmpty, what);
                }
                if let Some(what) = no_weight(region, rule, after) {
                    say(Invariant::NoWeight, what);
                }
            }
            Change::Actions { rule, before, after } => {
                for what in actions_lost(before, after) {
                    say(Invariant::ActionsLost, format!("{rule}: {what}"));
                }
            }
            Change::Desired { service, before, after } if after < before => {
                for what in carries(region, service) {
                    say(
                        Invariant::ShrinksTraffic,
                        format!("desired count of {service} from {before} to {after}, but {what}"),
                    );
                }
            }
            _ => {}
        }
    }
    broken
}

fn healthy(region: &Region, group: &str) -> bool {
    let targets = region.elb.groups.get(group).into_iter().flat_map(|group| group.targets.values());
    targets.into_iter().any(|target| target.health.state == "healthy")
}

/// Shares, not numbers, say who gets more.
fn share(weights: &[(String, u32)], group: &str) -> f64 {
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let own: u32 = weights.iter().filter(|(name, _)| name == group).map(|(_, weight)| weight).sum();
    if total == 0 { 0.0 } else { f64::from(own) / f64::from(total) }
}

fn weight_on_empty(
    region: &Region,
    rule: &str,
    before: &[(String, u32)],
    after: &[(String, u32)],
) -> Vec<String> {
    let other = |group: &str| {
        let all = before.iter().chain(after).map(|(name, _)| name.as_str());
        all.filter(|name| *name != group).any(|name| healthy(region, name))
    };
    let risen = after.iter().filter(|(group, _)| share(after, group) > share(before, group));
    let empty = risen.filter(|(group, _)| !healthy(region, group) && other(group));
    empty.map(|(group, weight)| format!("{rule}: weight {weight} on {group}, which has no healthy target while another group has one")).collect()
}

fn no_weight(region: &Region, rule: &str, after: &[(String, u32)]) -> Option<String> {
    let none = !after.is_empty() && after.iter().all(|(_, weight)| *weight == 0);
    let (group, _) = after.iter().find(|(group, _)| none && healthy(region, group))?;
    Some(format!("{rule}: weights add up to 0, and {group} has healthy targets"))
}

/// Where the groups of a service have weight.
fn carries(region: &Region, service: &str) -> Vec<String> {
    let groups = region.ecs.services.get(service).map(groups).unwrap_or_default();
    let mut found = Vec::new();
    for rule in region.elb.rules.values() {
        for group in &groups {
            let weight = |weights: &[(String, u32)]| {
                weights.iter().any(|(name, weight)| name == group && *weight > 0)
            };
            if weight(&elb::weights(&rule.actions)) {
                found.push(format!("{} gives {group} weight", rule.subject()));
            } else if rule.nodes.iter().any(|node| weight(node)) {
                found.push(format!("some node still sends to {group} by {}", rule.subject()));
            }
        }
    }
    found
}

fn groups(service: &Service) -> Vec<String> {
    let mut groups: Vec<String> = service
        .deployments
        .iter()
        .flat_map(|deployment| deployment.attachments())
        .map(|attachment| attachment.group)
        .collect();
    groups.sort();
    groups.dedup();
    groups
}

/// What got lost between two action lists whose forward action stayed.
fn actions_lost(before: &[Value], after: &[Value]) -> Vec<String> {
    let (Some(old), Some(new)) = (elb::forwards(before), elb::forwards(after)) else {
        return Vec::new();
    };
    let mut lost = Vec::new();
    let is_forward = |action: &&Value| action.get("Type").is_some_and(|kind| kind == "forward");
    for action in before.iter().filter(|action| !is_forward(action)) {
        if !after.contains(action) {
            lost.push(format!("action {} is dropped or altered", action["Type"]));
        }
    }
    for (group, _) in elb::weights(before) {
        if !elb::weights(after).iter().any(|(name, _)| *name == group) {
            lost.push(format!("target group {group} is dropped"));
        }
    }
    let config = |forward: &serde_json::Map<String, Value>| {
        forward.get("ForwardConfig").and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (old_config, new_config) = (config(old), config(new));
    let named = ["TargetGroups"];
    for (member, value) in old_config.iter().filter(|(member, _)| !named.contains(&member.as_str()))
    {
        if new_config.get(member) != Some(value) {
            lost.push(format!("{member} of the forward action is dropped or altered"));
        }
    }
    let known = ["ForwardConfig", "TargetGroupArn"];
    for (member, value) in old.iter().filter(|(member, _)| !known.contains(&member.as_str())) {
        if new.get(member) != Some(value) {
            lost.push(format!("{member} of the forward action is dropped or altered"));
        }
    }
    lost
}
