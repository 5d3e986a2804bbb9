//! A scenario's words and AWS's: names become ARNs, `targetGroups` becomes a forward configuration,
//! and members of Elastic Load Balancing get their capitals.

use serde_json::{Map, Value, json};

use crate::state::Region;

/// The ARN of a target group by its name.
pub(super) fn group(region: &Region, name: &str) -> Result<String, String> {
    let found = region.elb.groups.values().find(|group| group.name == name || group.arn == name);
    found
        .map(|group| group.arn.clone())
        .ok_or_else(|| format!("`{name}`: there is no such target group"))
}

/// The ARN of a load balancer by its name.
pub(super) fn load_balancer(region: &Region, name: &str) -> Result<String, String> {
    let found = region.elb.load_balancers.values().find(|one| one.name == name);
    found
        .map(|one| one.arn.clone())
        .ok_or_else(|| format!("`{name}`: there is no such load balancer"))
}

/// `hostHeaderConfig` as `HostHeaderConfig`, at every depth.
pub(super) fn capitals(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(member, value)| (capital(&member), capitals(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(capitals).collect(),
        other => other,
    }
}

fn capital(member: &str) -> String {
    let mut chars = member.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

/// Actions with names for target groups, as the API wants them.
pub(super) fn actions(region: &Region, list: Value) -> Result<Value, String> {
    let Value::Array(list) = list else { return Err("`actions` must be a list".to_owned()) };
    list.into_iter().map(|action| self::action(region, action)).collect()
}

fn action(region: &Region, action: Value) -> Result<Value, String> {
    let Value::Object(mut action) = action else {
        return Err("`actions` must be a list of tables".to_owned());
    };
    let groups = action.shift_remove("targetGroups");
    let stickiness = action.shift_remove("stickiness");
    let single = action.shift_remove("targetGroup");
    let mut named = Map::new();
    if let Some(single) = single {
        named.insert(
            "TargetGroupArn".into(),
            json!(group(region, single.as_str().unwrap_or_default())?),
        );
    }
    if let Some(Value::Array(groups)) = groups {
        let mut config = Map::new();
        config.insert(
            "TargetGroups".into(),
            groups.into_iter().map(|one| weighted(region, one)).collect::<Result<_, _>>()?,
        );
        if let Some(stickiness) = stickiness {
            config.insert("TargetGroupStickinessConfig".into(), capitals(stickiness));
        }
        named.insert("ForwardConfig".into(), Value::Object(config));
    }
    match capitals(Value::Object(action)) {
        Value::Object(mut action) => {
            action.extend(named);
            Ok(Value::Object(action))
        }
        other => Ok(other),
    }
}

fn weighted(region: &Region, one: Value) -> Result<Value, String> {
    let Value::Object(mut one) = one else {
        return Err("`targetGroups` must be a list of tables".to_owned());
    };
    let name = one.shift_remove("targetGroup").ok_or("`targetGroup` is missing")?;
    let arn = group(region, name.as_str().unwrap_or_default())?;
    let Value::Object(mut one) = capitals(Value::Object(one)) else { return Ok(Value::Null) };
    one.shift_insert(0, "TargetGroupArn".into(), json!(arn));
    Ok(Value::Object(one))
}

/// `targetGroup = 'web-a'` in a service's load balancers as `targetGroupArn`, and so on.
pub(super) fn attachments(region: &Region, service: &mut Map<String, Value>) -> Result<(), String> {
    let list = service.get_mut("loadBalancers").and_then(Value::as_array_mut);
    for entry in list.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(name) = entry.shift_remove("targetGroup") {
            let arn = group(region, name.as_str().unwrap_or_default())?;
            entry.shift_insert(0, "targetGroupArn".into(), json!(arn));
        }
        if let Some(advanced) =
            entry.get_mut("advancedConfiguration").and_then(Value::as_object_mut)
        {
            self::advanced(region, advanced)?;
        }
    }
    Ok(())
}

/// How a scaling policy names a target group: `app/NAME/ID/targetgroup/NAME/ID`.
pub(super) fn label(region: &Region, name: &str) -> Result<String, String> {
    let arn = group(region, name)?;
    let balancer = region.elb.groups.get(&arn).and_then(|group| group.load_balancers.first());
    let (_, balancer) = balancer
        .and_then(|arn| arn.split_once(":loadbalancer/"))
        .ok_or_else(|| format!("no rule forwards to target group {name:?}"))?;
    Ok(format!("{balancer}/{}", arn.rsplit(':').next().unwrap_or_default()))
}

/// `alternateTargetGroup` by its name, and rules by the names of rules or listeners of the scenario.
fn advanced(region: &Region, advanced: &mut Map<String, Value>) -> Result<(), String> {
    if let Some(name) = advanced.shift_remove("alternateTargetGroup") {
        let arn = group(region, name.as_str().unwrap_or_default())?;
        advanced.shift_insert(0, "alternateTargetGroupArn".into(), json!(arn));
    }
    for member in ["productionListenerRule", "testListenerRule"] {
        let Some(name) = advanced.get(member).and_then(Value::as_str) else { continue };
        let is = |own: &Option<String>| own.as_deref() == Some(name);
        let rule = region.elb.rules.values().find(|one| is(&one.scenario_name));
        let listener = region.elb.listeners.values().find(|one| is(&one.scenario_name));
        let arn = rule.map(|one| &one.arn).or(listener.map(|one| &one.arn)).cloned();
        if let Some(arn) = arn {
            advanced.insert(member.to_owned(), json!(arn));
        }
    }
    Ok(())
}

/// `tags = { key = 'value' }` as the list that the API takes; a list stays.
pub(super) fn tags(request: &mut Map<String, Value>, key: &str, value: &str) {
    let name = if key == "Key" { "Tags" } else { "tags" };
    if let Some(Value::Object(tags)) = request.get(name) {
        let list: Vec<Value> =
            tags.iter().map(|(own, text)| json!({key: own, value: text})).collect();
        request.insert(name.to_owned(), list.into());
    }
}
