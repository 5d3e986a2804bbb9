//! Tags of load-balancing resources.

use serde_json::{Map, Value, json};

use super::{group_not_found, listener_not_found, load_balancer_not_found, result, rule_not_found};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::texts,
        query::{self, Answer},
    },
    state::{Here, elb::Texts},
};

/// The member `Tags` of a request.
pub(super) fn parse(list: &[Value]) -> Result<Texts, Fault> {
    let mut tags = Texts::new();
    for one in list {
        let text = |member: &str| one[member].as_str().unwrap_or_default().to_owned();
        let (key, value) = (text("Key"), text("Value"));
        let legal = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        let fits = !key.is_empty() && key.chars().count() <= 128 && value.chars().count() <= 256;
        if !fits || !key.chars().chain(value.chars()).all(legal) {
            return Err(Fault::validation(format!("The tag '{key}' is not valid")));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(Fault::validation(format!(
                "The tag key '{key}' is reserved: aws: prefixed tag keys are for AWS use"
            )));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(Fault::new(
                "DuplicateTagKeys",
                format!("Tag key '{key}' was specified more than once"),
            ));
        }
    }
    check_number(&tags)?;
    Ok(tags)
}

/// The same where the operation's model has no error of its own for a key that stands there twice.
pub(super) fn of_new(list: &[Value]) -> Result<Texts, Fault> {
    parse(list).map_err(|fault| match fault.code.as_str() {
        "DuplicateTagKeys" => Fault::validation(fault.message),
        _ => fault,
    })
}

fn check_number(tags: &Texts) -> Result<(), Fault> {
    if tags.len() > 50 {
        Err(Fault::new("TooManyTags", "The maximum number of tags per resource is '50'"))
    } else {
        Ok(())
    }
}

fn find<'h>(here: &'h mut Here<'_>, arn: &str) -> Result<&'h mut Texts, Fault> {
    let kind = arn
        .splitn(6, ':')
        .nth(5)
        .and_then(|resource| resource.split('/').next())
        .unwrap_or_default();
    let elb = &mut here.region.elb;
    match kind {
        "loadbalancer" => elb
            .load_balancers
            .get_mut(arn)
            .map(|one| &mut one.tags)
            .ok_or_else(|| load_balancer_not_found(arn)),
        "targetgroup" => {
            elb.groups.get_mut(arn).map(|one| &mut one.tags).ok_or_else(group_not_found)
        }
        "listener" => {
            elb.listeners.get_mut(arn).map(|one| &mut one.tags).ok_or_else(listener_not_found)
        }
        "listener-rule" => {
            elb.rules.get_mut(arn).map(|one| &mut one.tags).ok_or_else(rule_not_found)
        }
        _ => Err(Fault::validation(format!("'{arn}' is not a valid ARN"))),
    }
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arns = texts(request.get("ResourceArns"));
    if arns.len() > 20 {
        return Err(Fault::validation("Up to 20 resources can be described in one call"));
    }
    let mut found = Vec::new();
    for arn in arns {
        let tags = find(here, &arn)?;
        let tags: Value =
            tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        found.push(json!({"ResourceArn": arn, "Tags": tags}));
    }
    Ok(result([("TagDescriptions", found.into())]))
}

pub(super) fn add(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let new = parse(&query::list(request, "Tags"))?;
    for arn in texts(request.get("ResourceArns")) {
        let tags = find(here, &arn)?;
        let mut all = tags.clone();
        all.extend(new.clone());
        check_number(&all)?;
        *tags = all.clone();
        here.note(Change::Tagged { resource: arn, tags: all });
    }
    Ok(Map::new())
}

pub(super) fn remove(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let keys = texts(request.get("TagKeys"));
    for arn in texts(request.get("ResourceArns")) {
        let tags = find(here, &arn)?;
        tags.retain(|key, _| !keys.contains(key));
        let tags = tags.clone();
        here.note(Change::Tagged { resource: arn, tags });
    }
    Ok(Map::new())
}
