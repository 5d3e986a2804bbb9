//! Account settings (API reference of Setting): of the account, or of a user or role instead. Nothing here
//! depends on them.

use serde_json::{Value, json};

use super::listing;
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::Here,
};

const ON_OFF: &[&str] = &["enabled", "disabled", "on", "off"];

/// (name, default, what it may be)
const SETTINGS: &[(&str, &str, &[&str])] = &[
    ("awsvpcTrunking", "disabled", ON_OFF),
    ("containerInsights", "disabled", &["enabled", "disabled", "enhanced"]),
    ("containerInstanceLongArnFormat", "enabled", ON_OFF),
    ("defaultLogDriverMode", "non-blocking", &["blocking", "non-blocking"]),
    ("fargateFIPSMode", "disabled", ON_OFF),
    ("fargateTaskRetirementWaitPeriod", "7", &["0", "7", "14"]),
    ("guardDutyActivate", "on", ON_OFF),
    ("serviceLongArnFormat", "enabled", ON_OFF),
    ("tagResourceAuthorization", "on", ON_OFF),
    ("taskLongArnFormat", "enabled", ON_OFF),
];

/// What Amazon GuardDuty sets, and no client.
const MANAGED: &str = "guardDutyActivate";

fn known(
    name: &str,
) -> Result<&'static (&'static str, &'static str, &'static [&'static str]), Fault> {
    SETTINGS.iter().find(|(own, ..)| *own == name).ok_or_else(|| {
        Fault::parameter(format!("unknown should be one of [{}]", names().join(",")))
    })
}

fn names() -> Vec<&'static str> {
    SETTINGS.iter().map(|(name, ..)| *name).collect()
}

fn show(name: &str, value: &str, principal: &str) -> Value {
    let kind = if name == MANAGED { "aws_managed" } else { "user" };
    json!({"name": name, "value": value, "principalArn": principal, "type": kind})
}

/// The ARN of the account itself, which stands for all who have no setting of their own.
fn root(here: &Here<'_>) -> String {
    here.shared.iam(&here.region.name, "iam", "root")
}

fn principal(here: &Here<'_>, request: &Request<'_>) -> String {
    let own = || here.shared.user(&here.region.name);
    request.text_of("principalArn").map_or_else(own, str::to_owned)
}

pub(super) fn put(here: &mut Here<'_>, request: &Request<'_>, default: bool) -> Answer {
    let (name, _, values) = known(request.text_of("name").unwrap_or_default())?;
    let value = request.text_of("value").unwrap_or_default().to_owned();
    if *name == MANAGED {
        return Err(Fault::parameter(format!("The account setting {name} is managed by AWS.")));
    }
    if !values.contains(&value.as_str()) {
        return Err(Fault::parameter(format!(
            "Invalid value '{value}' for the account setting {name}. It should be one of {values:?}."
        )));
    }
    let principal = if default { root(here) } else { principal(here, request) };
    let shown = show(name, &value, &principal);
    here.region.ecs.settings.insert(format!("{name} {principal}"), value);
    here.note(Change::Attributes { resource: principal });
    Ok(raw(&json!({"setting": shown})))
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let (name, ..) = known(request.text_of("name").unwrap_or_default())?;
    let principal = principal(here, request);
    let gone = here.region.ecs.settings.remove(&format!("{name} {principal}"));
    let value = gone.unwrap_or_else(|| effective(here, name, &principal).1);
    let shown = show(name, &value, &principal);
    here.note(Change::Attributes { resource: principal });
    Ok(raw(&json!({"setting": shown})))
}

/// Whose setting counts for somebody, and its value: their own, the account's, the default.
fn effective(here: &Here<'_>, name: &str, principal: &str) -> (String, String) {
    let own = |whose: &str| {
        let value = here.region.ecs.settings.get(&format!("{name} {whose}"))?;
        Some((whose.to_owned(), value.clone()))
    };
    let root = root(here);
    own(principal).or_else(|| own(&root)).unwrap_or_else(|| {
        let default =
            SETTINGS.iter().find(|(own, ..)| *own == name).map_or("", |(_, value, _)| *value);
        (root, default.to_owned())
    })
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let principal = principal(here, request);
    if let Some(name) = request.text_of("name") {
        known(name)?;
    }
    let mut all = Vec::new();
    for name in names() {
        if request.text_of("name").is_some_and(|own| own != name) {
            continue;
        }
        let (whose, value) = match request.bool_of("effectiveSettings") {
            true => effective(here, name, &principal),
            false => match here.region.ecs.settings.get(&format!("{name} {principal}")) {
                Some(value) => (principal.clone(), value.clone()),
                None => continue,
            },
        };
        if request.text_of("value").is_none_or(|own| own == value) {
            all.push((name.to_owned(), show(name, &value, &whose)));
        }
    }
    let names = all.iter().map(|(name, _)| name.clone()).collect();
    let show = |name: &str| all.iter().find(|(own, _)| own == name).map(|(_, one)| one.clone());
    listing::page_of(request, names, 10, "settings", |name| show(name).unwrap_or_default())
}
