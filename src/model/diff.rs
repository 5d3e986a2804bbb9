//! Two task definitions compared: what AWS did not keep of what was sent, and the lines that a
//! registration changes, with what may be secret masked.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::definition::comparable;
use super::raw_json::RawObject;
use super::revision::OUTPUT_ONLY;

/// What differs between the `wanted` body of a RegisterTaskDefinition and what AWS says it
/// `registered` (an answer to DescribeTaskDefinition), as paths. Members that AWS added are its
/// defaults and no loss; environment and secrets are sets by name.
pub fn lost(wanted: &str, registered: &str) -> Result<Vec<String>, serde_json::Error> {
    let (wanted, registered) = (wanted_form(wanted)?, described_form(registered)?);
    let mut paths = Vec::new();
    compare(&wanted, &registered, "", &mut paths);
    Ok(paths)
}

/// The body of a RegisterTaskDefinition as it is compared.
fn wanted_form(body: &str) -> Result<Value, serde_json::Error> {
    let mut wanted = comparable(serde_json::from_str(body)?)?;
    if let Some(members) = wanted.as_object_mut() {
        members.remove("tags");
    }
    Ok(wanted)
}

/// An answer to DescribeTaskDefinition as it is compared.
fn described_form(answer: &str) -> Result<Value, serde_json::Error> {
    let top: RawObject = serde_json::from_str(answer)?;
    let Some(definition) = top.get("taskDefinition") else { return Ok(Value::Null) };
    let mut described = comparable(definition)?;
    if let Some(members) = described.as_object_mut() {
        members.retain(|member, _| !OUTPUT_ONLY.contains(&member.as_str()));
    }
    Ok(described)
}

fn compare(wanted: &Value, found: &Value, path: &str, paths: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                match found.get(key) {
                    Some(other) => compare(value, other, &path, paths),
                    // AWS may leave out what holds nothing.
                    None if value.as_str() == Some("") => {}
                    None => paths.push(path),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found))
            if wanted.len() == found.len() && are_named(wanted) && are_named(found) =>
        {
            for value in wanted {
                let path = format!("{path}/{}", value["name"].as_str().unwrap_or("?"));
                match found.iter().find(|other| other["name"] == value["name"]) {
                    Some(other) => compare(value, other, &path, paths),
                    None => paths.push(path),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (value, other)) in wanted.iter().zip(found).enumerate() {
                compare(value, other, &format!("{path}/{index}"), paths);
            }
        }
        (wanted, found) if wanted == found => {}
        _ => paths.push(path.to_owned()),
    }
}

/// Containers, environment, secrets and the like are sets by name: AWS may answer in another order.
fn are_named(items: &[Value]) -> bool {
    let names: std::collections::BTreeSet<&str> =
        items.iter().filter_map(|item| item["name"].as_str()).collect();
    names.len() == items.len() && !items.is_empty()
}

/// The lines that a registration of `body` changes against the revision that AWS `described`, as a
/// unified diff. What may be secret is masked on both sides, so a changed secret shows as changed
/// and a kept one does not show. The values of an environment are masked unless `show_env` says so.
pub fn diff(described: &str, body: &str, show_env: bool) -> Result<Vec<String>, serde_json::Error> {
    let (mut before, mut after) = (described_form(described)?, wanted_form(body)?);
    align(&before, &mut after);
    let mut seen = Vec::new();
    for value in [&mut before, &mut after] {
        mask(value, false, show_env, &mut seen);
        value.sort_all_objects();
    }
    let (before, after) =
        (serde_json::to_string_pretty(&before)?, serde_json::to_string_pretty(&after)?);
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(1) {
        if !lines.is_empty() {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end()));
        }
    }
    Ok(lines)
}

/// Containers, and the variables of each, are sets by name: they follow the order of `before`.
fn align(before: &Value, after: &mut Value) {
    let place = |items: &Value, one: &Value| {
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().position(|other| other["name"] == one["name"]).unwrap_or(usize::MAX)
    };
    let Some(containers) = after["containerDefinitions"].as_array_mut() else { return };
    let old = &before["containerDefinitions"];
    containers.sort_by_key(|container| place(old, container));
    for container in containers {
        let old = old.get(place(old, container)).unwrap_or(&Value::Null);
        for list in ["environment", "secrets"] {
            if let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) {
                items.sort_by_key(|item| place(&old[list], item));
            }
        }
    }
}

/// Members whose values may be secret: an environment's values, what a secret points to, a logging
/// driver's options, and commands (a health check's too), which may carry a password.
const SECRET_MEMBERS: [&str; 7] =
    ["environment", "secrets", "secretOptions", "options", "command", "entryPoint", "dockerLabels"];

/// Replaces what may be secret by `***` and a number: equal values have equal numbers, so that a
/// diff shows which ones change and never what they are.
fn mask(value: &mut Value, secret: bool, show_env: bool, seen: &mut Vec<Value>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                // The name of a variable is no secret.
                let named = secret && key == "name";
                let is_shown = show_env && key == "environment";
                let is_secret = secret || SECRET_MEMBERS.contains(&key.as_str()) && !is_shown;
                mask(value, !named && is_secret, show_env, seen);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secret, show_env, seen)),
        value if secret => {
            let number = seen.iter().position(|other| other == value).unwrap_or_else(|| {
                seen.push(value.clone());
                seen.len() - 1
            });
            *value = Value::String(format!("***{}", number + 1));
        }
        _ => {}
    }
}
