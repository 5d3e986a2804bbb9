//! Rules, and how what they say reaches the load balancer: the answer to a change comes at once, each
//! node follows later.

use serde_json::{Map, Value, json};

use super::{
    action, check_arn, condition, health, limits, listener_not_found, paging, result,
    rule_not_found, tags, weights,
};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{int, texts},
        query::{self, Answer, required, text},
    },
    state::{Here, elb::Rule, timers::Due},
};

pub(super) fn create(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let listener = required(request, "ListenerArn").to_owned();
    check_arn(&listener, "listener")?;
    let load_balancer = here
        .region
        .elb
        .listeners
        .get(&listener)
        .ok_or_else(listener_not_found)?
        .load_balancer
        .clone();
    let priority = priority(request)?;
    check_free(here, &listener, priority, &[])?;
    if here
        .region
        .elb
        .rules
        .values()
        .filter(|one| one.priority.is_some() && of_load_balancer(here, one, &load_balancer))
        .count()
        >= limits::limit(&here.region.elb, limits::RULES)
    {
        return Err(Fault::new(
            "TooManyRules",
            "The maximum number of rules per load balancer has been reached",
        ));
    }
    let tags = tags::of_new(&query::list(request, "Tags"))?;
    condition::check(here, &load_balancer, request)?;
    let actions = action::accept(here, &load_balancer, &query::list(request, "Actions"), &[])?;
    let id = here.shared.ids.hex(16);
    let path = listener.split_once(":listener/").map_or("", |(_, path)| path).to_owned();
    let arn = here.arn("elasticloadbalancing", &format!("listener-rule/{path}/{id}"));
    let mut members = request.clone();
    for own in ["ListenerArn", "Priority", "Actions", "Tags"] {
        members.shift_remove(own);
    }
    let rule = Rule {
        arn: arn.clone(),
        listener,
        priority: Some(priority),
        actions: Vec::new(),
        members: condition::shown(members),
        tags,
        version: 0,
        nodes: Vec::new(),
        scenario_name: None,
    };
    here.region.elb.rules.insert(arn.clone(), rule);
    here.note(Change::Created { arn: arn.clone() });
    write_actions(here, &arn, actions);
    Ok(result([("Rules", json!([here.region.elb.rules.get(&arn).map(show)]))]))
}

/// Whether a rule is one of a load balancer's.
fn of_load_balancer(here: &Here<'_>, rule: &Rule, load_balancer: &str) -> bool {
    let listener = here.region.elb.listeners.get(&rule.listener);
    listener.is_some_and(|one| one.load_balancer == load_balancer)
}

fn priority(request: &Map<String, Value>) -> Result<u32, Fault> {
    let priority = int(request.get("Priority")).unwrap_or(0);
    match u32::try_from(priority) {
        Ok(priority @ 1..=50_000) => Ok(priority),
        _ => Err(Fault::validation(format!(
            "1 validation error detected: Value '{priority}' at 'priority' failed to satisfy constraint: Member must have value between 1 and 50000"
        ))),
    }
}

fn check_free(here: &Here<'_>, listener: &str, priority: u32, but: &[&str]) -> Result<(), Fault> {
    let taken = here.region.elb.rules.values().any(|one| {
        one.listener == listener
            && one.priority == Some(priority)
            && !but.contains(&one.arn.as_str())
    });
    if taken {
        Err(Fault::new("PriorityInUse", format!("Priority '{priority}' is currently in use")))
    } else {
        Ok(())
    }
}

fn show(rule: &Rule) -> Value {
    let mut shown = json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string()),
        "Conditions": [],
    });
    for (member, value) in &rule.members {
        shown[member] = value.clone();
    }
    shown["Actions"] = action::shown(&rule.actions);
    shown["IsDefault"] = json!(rule.priority.is_none());
    shown
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arns = texts(request.get("RuleArns"));
    let of = text(request, "ListenerArn");
    if of.is_none() && arns.is_empty() {
        return Err(Fault::validation("You must specify either a listener ARN or rule ARNs"));
    }
    if let Some(arn) = of {
        check_arn(arn, "listener")?;
        here.region.elb.listeners.get(arn).ok_or_else(listener_not_found)?;
    }
    for arn in &arns {
        check_arn(arn, "listener-rule")?;
        here.region.elb.rules.get(arn).ok_or_else(rule_not_found)?;
    }
    let wanted = |one: &&Rule| {
        of.is_none_or(|of| of == one.listener) && (arns.is_empty() || arns.contains(&one.arn))
    };
    let mut found: Vec<&Rule> = here.region.elb.rules.values().filter(wanted).collect();
    found.sort_by_key(|one| (one.listener.clone(), one.priority.unwrap_or(u32::MAX)));
    paging::page(request, "Rules", found.into_iter().map(show).collect())
}

pub(super) fn modify(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "RuleArn").to_owned();
    check_arn(&arn, "listener-rule")?;
    let rule = here.region.elb.rules.get(&arn).ok_or_else(rule_not_found)?;
    if rule.priority.is_none() {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be modified"),
        ));
    }
    let listener = here.region.elb.listeners.get(&rule.listener).ok_or_else(listener_not_found)?;
    let actions = query::list(request, "Actions");
    let actions = if actions.is_empty() {
        None
    } else {
        Some(action::accept(here, &listener.load_balancer, &actions, &rule.actions)?)
    };
    if request.contains_key("Conditions") {
        condition::check(here, &listener.load_balancer, request)?;
    }
    let mut members = request.clone();
    for own in ["RuleArn", "Actions", "ResetTransforms"] {
        members.shift_remove(own);
    }
    let members = condition::shown(members);
    if let Some(rule) = here.region.elb.rules.get_mut(&arn) {
        if text(request, "ResetTransforms") == Some("true") {
            rule.members.shift_remove("Transforms");
        }
        if !members.is_empty() {
            rule.members.extend(members);
            here.note(Change::Modified { arn: arn.clone() });
        }
    }
    if let Some(actions) = actions {
        write_actions(here, &arn, actions);
    }
    Ok(result([("Rules", json!([here.region.elb.rules.get(&arn).map(show)]))]))
}

/// Writes the weights of a rule's forward action, as Amazon ECS does: the other actions stay.
pub(crate) fn shift(here: &mut Here<'_>, arn: &str, groups: &[(&str, u32)]) -> Result<(), Fault> {
    let rule = here.region.elb.rules.get(arn).ok_or_else(rule_not_found)?;
    let listener = here.region.elb.listeners.get(&rule.listener).ok_or_else(listener_not_found)?;
    let mut actions = rule.actions.clone();
    let weighted: Vec<Value> = groups
        .iter()
        .map(|(group, weight)| json!({"TargetGroupArn": group, "Weight": weight.to_string()}))
        .collect();
    let forward = actions.iter_mut().filter_map(Value::as_object_mut);
    for action in forward.filter(|one| one.get("Type").is_some_and(|kind| kind == "forward")) {
        action.shift_remove("TargetGroupArn");
        let config = action.entry("ForwardConfig").or_insert_with(|| json!({}));
        config["TargetGroups"] = json!(weighted);
    }
    let actions = action::accept(here, &listener.load_balancer, &actions, &rule.actions)?;
    write_actions(here, arn, actions);
    Ok(())
}

/// Writes a rule's whole action list; the nodes of the load balancer follow one after the other.
pub(super) fn write_actions(here: &mut Here<'_>, arn: &str, actions: Vec<Value>) {
    let Some(rule) = here.region.elb.rules.get_mut(arn) else { return };
    let before = std::mem::replace(&mut rule.actions, actions.clone());
    rule.version += 1;
    let (version, subject, listener) =
        (rule.version, rule.subject().to_owned(), rule.listener.clone());
    let (old, new) = (weights(&before), weights(&actions));
    here.note(Change::Actions { rule: subject.clone(), before, after: actions });
    if old != new {
        here.note(Change::Weights { rule: subject, before: old.clone(), after: new.clone() });
    }
    for (group, _) in old.iter().chain(&new) {
        refresh_usage(here, group);
    }
    let load_balancer =
        here.region.elb.listeners.get(&listener).map(|listener| listener.load_balancer.clone());
    let nodes = load_balancer
        .and_then(|arn| here.region.elb.load_balancers.get(&arn))
        .map_or(0, |one| one.zones.len());
    let wait = here.shared.timing.propagation;
    for node in 0..nodes {
        let times = u32::try_from(node + 1).unwrap_or(1);
        here.later(wait * times, Due::Propagated { rule: arn.to_owned(), node, version });
    }
}

/// A node learns the weights.
pub(crate) fn propagated(here: &mut Here<'_>, arn: &str, node: usize, version: u64) {
    let Some(rule) = here.region.elb.rules.get_mut(arn).filter(|rule| rule.version == version)
    else {
        return;
    };
    let weights = weights(&rule.actions);
    if rule.nodes.len() <= node {
        rule.nodes.resize(node + 1, Vec::new());
    }
    if rule.nodes[node] != weights {
        rule.nodes[node].clone_from(&weights);
        let rule = rule.subject().to_owned();
        here.note(Change::Propagated { rule, node, weights });
    }
}

/// A load balancer has nodes in other zones: new ones know the weights, and its groups other targets.
pub(super) fn zones_changed(here: &mut Here<'_>, load_balancer: &str) {
    let elb = &mut here.region.elb;
    let nodes = elb.load_balancers.get(load_balancer).map_or(0, |one| one.zones.len());
    let own = |listener: &str| {
        elb.listeners.get(listener).is_some_and(|one| one.load_balancer == load_balancer)
    };
    for rule in elb.rules.values_mut().filter(|rule| own(&rule.listener)) {
        let weights = weights(&rule.actions);
        rule.nodes.resize(nodes, weights);
    }
    let groups =
        elb.groups.values().filter(|one| one.load_balancers.iter().any(|own| own == load_balancer));
    let groups: Vec<String> = groups.map(|one| one.arn.clone()).collect();
    for group in groups {
        health::zones_changed(here, &group);
    }
}

/// Which load balancer has an action that names the group, whatever its weight.
fn refresh_usage(here: &mut Here<'_>, group: &str) {
    let elb = &here.region.elb;
    let named = |rule: &&Rule| weights(&rule.actions).iter().any(|(arn, _)| arn == group);
    let listeners =
        elb.rules.values().filter(named).filter_map(|rule| elb.listeners.get(&rule.listener));
    let mut load_balancers: Vec<String> =
        listeners.map(|listener| listener.load_balancer.clone()).collect();
    load_balancers.sort();
    load_balancers.dedup();
    let Some(found) = here.region.elb.groups.get_mut(group) else { return };
    if found.load_balancers != load_balancers {
        found.load_balancers = load_balancers;
        health::usage_changed(here, group);
    }
}

pub(super) fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "RuleArn").to_owned();
    check_arn(&arn, "listener-rule")?;
    let rule = here.region.elb.rules.get(&arn).ok_or_else(rule_not_found)?;
    if rule.priority.is_none() {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!("Default rule '{arn}' cannot be deleted"),
        ));
    }
    remove(here, &arn);
    Ok(Map::new())
}

pub(super) fn remove(here: &mut Here<'_>, arn: &str) {
    let Some(rule) = here.region.elb.rules.remove(arn) else { return };
    let (subject, before) = (rule.subject().to_owned(), weights(&rule.actions));
    here.note(Change::Deleted { arn: arn.to_owned() });
    if !before.is_empty() {
        here.note(Change::Weights { rule: subject, before: before.clone(), after: Vec::new() });
    }
    for (group, _) in before {
        refresh_usage(here, &group);
    }
}

pub(super) fn set_priorities(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let pairs = query::list(request, "RulePriorities");
    let mut wanted: Vec<(&str, u32)> = Vec::new();
    for pair in pairs.iter() {
        let arn = pair["RuleArn"].as_str().unwrap_or_default();
        let rule = here.region.elb.rules.get(arn).ok_or_else(rule_not_found)?;
        if rule.priority.is_none() {
            return Err(Fault::new(
                "OperationNotPermitted",
                format!("Default rule '{arn}' cannot be modified"),
            ));
        }
        let priority = priority(pair.as_object().unwrap_or(&Map::new()))?;
        if wanted.iter().any(|(_, other)| *other == priority) {
            return Err(Fault::new(
                "PriorityInUse",
                format!("Priority '{priority}' is currently in use"),
            ));
        }
        wanted.push((arn, priority));
    }
    let moved: Vec<&str> = wanted.iter().map(|(arn, _)| *arn).collect();
    for (arn, priority) in &wanted {
        let listener =
            here.region.elb.rules.get(*arn).map(|rule| rule.listener.clone()).unwrap_or_default();
        check_free(here, &listener, *priority, &moved)?;
    }
    let mut shown = Vec::new();
    for (arn, priority) in &wanted {
        if let Some(rule) = here.region.elb.rules.get_mut(*arn) {
            rule.priority = Some(*priority);
            shown.push(show(rule));
        }
        here.note(Change::Modified { arn: (*arn).to_owned() });
    }
    Ok(result([("Rules", shown.into())]))
}
