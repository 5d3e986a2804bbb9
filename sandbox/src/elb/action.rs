//! Actions of listeners and rules: a whole list is written at once, and kept as it was sent. A forward
//! action to one group is shown both ways, as `TargetGroupArn` and as `ForwardConfig`.

use serde_json::{Map, Value, json};

use super::{group_not_found, limits, load_balancer::name_of};
use crate::{
    protocol::{Fault, json::int, query},
    state::{Here, elb::Group},
};

/// Checks a list of actions for a load balancer, which replaces the list `before`, and brings it into
/// the form in which it is kept.
pub(super) fn accept(
    here: &Here<'_>,
    load_balancer: &str,
    actions: &[Value],
    before: &[Value],
) -> Result<Vec<Value>, Fault> {
    let mut actions: Vec<Value> = actions.iter().cloned().map(query::as_text).collect();
    actions.sort_by_key(|action| int(action.get("Order")).unwrap_or(i64::MAX));
    let finals = ["forward", "redirect", "fixed-response"];
    let mut ends = 0;
    for action in &mut actions {
        let Value::Object(action) = action else {
            return Err(Fault::validation("An action must be a structure"));
        };
        let kind = query::required(action, "Type").to_owned();
        ends += usize::from(finals.contains(&kind.as_str()));
        if kind == "forward" {
            forward(here, load_balancer, action)?;
        }
        if kind == "authenticate-oidc" {
            keep_secret(action, before)?;
        }
        if let Some(order) = int(action.get("Order"))
            && !(1..=50_000).contains(&order)
        {
            return Err(Fault::validation(format!(
                "Action order '{order}' must be between 1 and 50000 inclusive"
            )));
        }
    }
    unique(here, load_balancer, &actions)?;
    let last = actions
        .last()
        .and_then(|action| action.get("Type"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    if ends != 1 || !finals.contains(&last) {
        return Err(Fault::new(
            "InvalidLoadBalancerAction",
            "The last action must be one of the following: forward, redirect, fixed-response; and there must be exactly one of them",
        ));
    }
    Ok(actions)
}

/// A load balancer names at most so many target groups (Application Load Balancers User Guide, quotas).
fn unique(here: &Here<'_>, load_balancer: &str, actions: &[Value]) -> Result<(), Fault> {
    let own = |group: &&Group| group.load_balancers.iter().any(|one| one == load_balancer);
    let mut all: Vec<String> =
        here.region.elb.groups.values().filter(own).map(|group| group.arn.clone()).collect();
    all.extend(weights(actions).into_iter().map(|(group, _)| group));
    all.sort();
    all.dedup();
    let most = limits::limit(&here.region.elb, limits::GROUPS_OF_BALANCER);
    if all.len() > most {
        let text =
            format!("The maximum number of unique target groups per load balancer is '{most}'");
        return Err(Fault::new("TooManyUniqueTargetGroupsPerLoadBalancer", text));
    }
    Ok(())
}

/// A client secret is written, never shown; `UseExistingClientSecret` keeps the one that is there (API
/// reference of AuthenticateOidcActionConfig).
fn keep_secret(action: &mut Map<String, Value>, before: &[Value]) -> Result<(), Fault> {
    let Some(Value::Object(config)) = action.get_mut("AuthenticateOidcConfig") else {
        return Ok(());
    };
    let existing =
        config.shift_remove("UseExistingClientSecret").is_some_and(|keep| keep == "true");
    if config.contains_key("ClientSecret") {
        return Ok(());
    }
    let kept =
        before.iter().find_map(|action| action.pointer("/AuthenticateOidcConfig/ClientSecret"));
    let Some(secret) = kept.filter(|_| existing) else {
        return Err(Fault::validation("You must specify a client secret"));
    };
    config.insert("ClientSecret".into(), secret.clone());
    Ok(())
}

/// A list of actions as AWS shows it.
pub(super) fn shown(actions: &[Value]) -> Value {
    let mut actions = actions.to_vec();
    for action in &mut actions {
        if let Some(Value::Object(config)) = action.get_mut("AuthenticateOidcConfig") {
            config.shift_remove("ClientSecret");
        }
    }
    actions.into()
}

fn forward(
    here: &Here<'_>,
    load_balancer: &str,
    action: &mut Map<String, Value>,
) -> Result<(), Fault> {
    let scalar = query::text(action, "TargetGroupArn").map(str::to_owned);
    let mut config = match action.shift_remove("ForwardConfig") {
        Some(Value::Object(config)) => config,
        _ => Map::new(),
    };
    let mut groups = query::list(&config, "TargetGroups").into_owned();
    if groups.is_empty() {
        let Some(scalar) = &scalar else {
            return Err(Fault::validation("You must specify a target group for a forward action"));
        };
        groups.push(json!({"TargetGroupArn": scalar}));
    } else if let Some(scalar) = &scalar
        && (groups.len() != 1 || groups[0]["TargetGroupArn"] != json!(scalar))
    {
        return Err(Fault::new(
            "InvalidLoadBalancerAction",
            "The target group and the target groups of the forward configuration must be the same",
        ));
    }
    check_groups(here, load_balancer, &mut groups)?;
    let sticky = config
        .get("TargetGroupStickinessConfig")
        .cloned()
        .unwrap_or_else(|| json!({"Enabled": "false"}));
    check_stickiness(here, &groups, &sticky)?;
    action.shift_remove("TargetGroupArn");
    if let [one] = groups.as_slice() {
        action.insert("TargetGroupArn".into(), one["TargetGroupArn"].clone());
    }
    config.insert("TargetGroups".into(), groups.into());
    config.insert("TargetGroupStickinessConfig".into(), sticky);
    action.insert("ForwardConfig".into(), config.into());
    Ok(())
}

fn check_groups(here: &Here<'_>, load_balancer: &str, groups: &mut [Value]) -> Result<(), Fault> {
    if groups.len() > 5 {
        let text = "The maximum number of target groups per forward action is '5'";
        return Err(Fault::new("InvalidLoadBalancerAction", text));
    }
    let kind = here.region.elb.load_balancers.get(load_balancer).map(|one| one.kind.as_str());
    let mut seen = Vec::new();
    for entry in groups {
        let Value::Object(entry) = entry else {
            return Err(Fault::validation("A target group must be a structure"));
        };
        let arn = query::required(entry, "TargetGroupArn").to_owned();
        super::check_arn(&arn, "targetgroup")?;
        let group = here.region.elb.groups.get(&arn).ok_or_else(group_not_found)?;
        if group.load_balancers.iter().any(|other| other != load_balancer) {
            return Err(Fault::new(
                "TargetGroupAssociationLimit",
                format!(
                    "The following target groups cannot be associated with more than one load balancer: {arn}"
                ),
            ));
        }
        let protocol = query::text(&group.members, "Protocol").unwrap_or_default();
        let http = protocol.starts_with("HTTP");
        let lambda = query::text(&group.members, "TargetType") == Some("lambda");
        if kind.is_some_and(|kind| !lambda && http != (kind == "application")) {
            return Err(Fault::new(
                "IncompatibleProtocols",
                format!(
                    "The protocol '{protocol}' of target group '{arn}' is not compatible with the load balancer"
                ),
            ));
        }
        let weight = int(entry.get("Weight")).unwrap_or(1);
        if !(0..=999).contains(&weight) {
            return Err(Fault::validation(format!(
                "Weight '{weight}' must be between 0 and 999 inclusive"
            )));
        }
        entry.insert("Weight".into(), json!(weight.to_string()));
        if seen.contains(&arn) {
            return Err(Fault::validation(format!("Target group '{arn}' is named more than once")));
        }
        seen.push(arn);
    }
    Ok(())
}

fn check_stickiness(here: &Here<'_>, groups: &[Value], sticky: &Value) -> Result<(), Fault> {
    let enabled = sticky["Enabled"] == "true";
    let duration = int(sticky.get("DurationSeconds"));
    if enabled && !duration.is_some_and(|duration| (1..=604_800).contains(&duration)) {
        return Err(Fault::validation(
            "Target group stickiness duration must be between 1 and 604800 seconds",
        ));
    }
    let own = |entry: &Value| {
        let group =
            here.region.elb.groups.get(entry["TargetGroupArn"].as_str().unwrap_or_default());
        group.is_some_and(|group| {
            group.attributes.get("stickiness.enabled").is_some_and(|enabled| enabled == "true")
        })
    };
    if groups.len() > 1 && !enabled && groups.iter().any(own) {
        return Err(Fault::new(
            "InvalidLoadBalancerAction",
            "You must enable target group stickiness on the action because one of its target groups has stickiness enabled",
        ));
    }
    Ok(())
}

/// The forward action of a list.
pub(crate) fn forwards(actions: &[Value]) -> Option<&Map<String, Value>> {
    actions
        .iter()
        .filter_map(Value::as_object)
        .find(|action| action.get("Type").is_some_and(|kind| kind == "forward"))
}

/// The target groups of a list of actions with their weights.
pub(crate) fn weights(actions: &[Value]) -> Vec<(String, u32)> {
    let config = forwards(actions).and_then(|action| action.get("ForwardConfig"));
    let groups = config.and_then(|config| config.get("TargetGroups")).and_then(Value::as_array);
    let weight = |entry: &Value| {
        let weight =
            int(entry.get("Weight")).and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1);
        Some((entry.get("TargetGroupArn")?.as_str()?.to_owned(), weight))
    };
    groups.into_iter().flatten().filter_map(weight).collect()
}

/// The part of a load balancer's ARN that its listeners and rules carry on: `app/<name>/<id>`.
pub(super) fn path(load_balancer: &str) -> &str {
    name_of(load_balancer)
}
