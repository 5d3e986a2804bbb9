//! Listeners. A listener's default actions are those of its default rule.

use serde_json::{Map, Value, json};

use super::{
    action, certificates, check_arn, limits, listener_not_found, load_balancer_not_found, paging,
    result,
    rule::{self, write_actions},
    tags,
};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{int, texts},
        query::{self, Answer, required, text},
    },
    state::{
        Here,
        elb::{Listener, Rule},
    },
};

pub(super) fn create(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let load_balancer = required(request, "LoadBalancerArn").to_owned();
    check_arn(&load_balancer, "loadbalancer")?;
    if !here.region.elb.load_balancers.contains_key(&load_balancer) {
        return Err(load_balancer_not_found(&load_balancer));
    }
    let tags = tags::of_new(&query::list(request, "Tags"))?;
    let port = int(request.get("Port"));
    check_port(here, &load_balancer, port, None)?;
    let own = here.region.elb.listeners.values().filter(|one| one.load_balancer == load_balancer);
    let most = limits::limit(&here.region.elb, limits::LISTENERS);
    if own.count() >= most {
        let text = format!("The maximum number of listeners per load balancer is '{most}'");
        return Err(Fault::new("TooManyListeners", text));
    }
    if text(request, "Protocol") == Some("HTTPS") && query::list(request, "Certificates").is_empty()
    {
        return Err(Fault::validation("A certificate must be specified for HTTPS listeners"));
    }
    certificates::check(here, request)?;
    let actions =
        action::accept(here, &load_balancer, &query::list(request, "DefaultActions"), &[])?;
    let id = here.shared.ids.hex(16);
    let path = format!("{}/{id}", action::path(&load_balancer));
    let arn = here.arn("elasticloadbalancing", &format!("listener/{path}"));
    let rule_id = here.shared.ids.hex(16);
    let rule = here.arn("elasticloadbalancing", &format!("listener-rule/{path}/{rule_id}"));
    let mut members = request.clone();
    for own in ["LoadBalancerArn", "DefaultActions", "Tags"] {
        members.shift_remove(own);
    }
    let listener = Listener {
        arn: arn.clone(),
        load_balancer,
        rule: rule.clone(),
        members,
        attributes: Default::default(),
        certificates: Vec::new(),
        tags,
        scenario_name: None,
    };
    here.region.elb.listeners.insert(arn.clone(), listener);
    here.note(Change::Created { arn: arn.clone() });
    let default = Rule {
        arn: rule.clone(),
        listener: arn.clone(),
        priority: None,
        actions: Vec::new(),
        members: Map::new(),
        tags: Default::default(),
        version: 0,
        nodes: Vec::new(),
        scenario_name: None,
    };
    here.region.elb.rules.insert(rule.clone(), default);
    write_actions(here, &rule, actions);
    Ok(result([("Listeners", json!([show(here, &arn)]))]))
}

fn check_port(
    here: &Here<'_>,
    load_balancer: &str,
    port: Option<i64>,
    but: Option<&str>,
) -> Result<(), Fault> {
    let Some(port) = port else { return Ok(()) };
    if !(1..=65_535).contains(&port) {
        return Err(Fault::validation(format!(
            "Port '{port}' must be between 1 and 65535 inclusive"
        )));
    }
    let taken = here.region.elb.listeners.values().any(|one| {
        one.load_balancer == load_balancer
            && Some(one.arn.as_str()) != but
            && int(one.members.get("Port")) == Some(port)
    });
    if taken {
        Err(Fault::new(
            "DuplicateListener",
            "A listener already exists on this port for this load balancer",
        ))
    } else {
        Ok(())
    }
}

fn show(here: &Here<'_>, arn: &str) -> Value {
    let Some(listener) = here.region.elb.listeners.get(arn) else { return Value::Null };
    let mut shown = json!({"ListenerArn": listener.arn, "LoadBalancerArn": listener.load_balancer});
    for (member, value) in &listener.members {
        shown[member] = value.clone();
    }
    if shown["Protocol"] == "HTTPS" && shown.get("SslPolicy").is_none() {
        shown["SslPolicy"] = json!(certificates::DEFAULT_POLICY);
    }
    shown["DefaultActions"] = here
        .region
        .elb
        .rules
        .get(&listener.rule)
        .map(|rule| action::shown(&rule.actions))
        .unwrap_or_default();
    shown
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arns = texts(request.get("ListenerArns"));
    let of = text(request, "LoadBalancerArn");
    if of.is_none() && arns.is_empty() {
        return Err(Fault::validation(
            "You must specify either listener ARNs or a load balancer ARN",
        ));
    }
    if let Some(arn) = of {
        check_arn(arn, "loadbalancer")?;
        here.region.elb.load_balancers.get(arn).ok_or_else(|| load_balancer_not_found(arn))?;
    }
    for arn in &arns {
        check_arn(arn, "listener")?;
        here.region.elb.listeners.get(arn).ok_or_else(listener_not_found)?;
    }
    let wanted = |one: &&Listener| {
        of.is_none_or(|of| of == one.load_balancer) && (arns.is_empty() || arns.contains(&one.arn))
    };
    let found: Vec<&str> =
        here.region.elb.listeners.values().filter(wanted).map(|one| one.arn.as_str()).collect();
    paging::page(request, "Listeners", found.into_iter().map(|arn| show(here, arn)).collect())
}

pub(super) fn modify(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "ListenerArn").to_owned();
    check_arn(&arn, "listener")?;
    let listener = here.region.elb.listeners.get(&arn).ok_or_else(listener_not_found)?;
    let (load_balancer, rule) = (listener.load_balancer.clone(), listener.rule.clone());
    check_port(here, &load_balancer, int(request.get("Port")), Some(&arn))?;
    certificates::check(here, request)?;
    let actions = query::list(request, "DefaultActions");
    let before = here.region.elb.rules.get(&rule).map_or(&[][..], |rule| &rule.actions);
    let actions = if actions.is_empty() {
        None
    } else {
        Some(action::accept(here, &load_balancer, &actions, before)?)
    };
    if let Some(listener) = here.region.elb.listeners.get_mut(&arn) {
        let mut changed = false;
        for (member, value) in request {
            if !["ListenerArn", "DefaultActions"].contains(&member.as_str()) {
                changed |=
                    listener.members.insert(member.clone(), value.clone()).as_ref() != Some(value);
            }
        }
        if changed {
            here.note(Change::Attributes { resource: arn.clone() });
        }
    }
    if let Some(actions) = actions {
        write_actions(here, &rule, actions);
    }
    Ok(result([("Listeners", json!([show(here, &arn)]))]))
}

pub(super) fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "ListenerArn").to_owned();
    check_arn(&arn, "listener")?;
    if !here.region.elb.listeners.contains_key(&arn) {
        return Err(listener_not_found());
    }
    remove(here, &arn);
    Ok(Map::new())
}

/// Takes a listener away with all its rules.
pub(super) fn remove(here: &mut Here<'_>, arn: &str) {
    let rules: Vec<String> = here
        .region
        .elb
        .rules
        .values()
        .filter(|one| one.listener == arn)
        .map(|one| one.arn.clone())
        .collect();
    for one in rules {
        rule::remove(here, &one);
    }
    if here.region.elb.listeners.remove(arn).is_some() {
        here.note(Change::Deleted { arn: arn.to_owned() });
    }
}
