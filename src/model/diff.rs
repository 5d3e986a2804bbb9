//! Two task definitions compared: what AWS did not keep of what was sent, and the lines that a
//! registration changes, with what may be secret masked.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::revision::OUTPUT_ONLY;

/// What differs between the `wanted` body of a RegisterTaskDefinition and what AWS says it
/// `registered` (an answer to DescribeTaskDefinition), as paths. Members that AWS added are its
/// defaults and no loss; environment and secrets are sets by name.
pub fn lost(wanted: &str, registered: &str) -> Result<Vec<String>, serde_json::Error> {
    let mut wanted: Value = serde_json::from_str(wanted)?;
    if let Some(object) = wanted.as_object_mut() {
        object.remove("tags");
    }
    let registered: Value = serde_json::from_str(registered)?;
    let mut paths = Vec::new();
    compare(&wanted, registered.get("taskDefinition").unwrap_or(&Value::Null), "", &mut paths);
    Ok(paths)
}

fn compare(wanted: &Value, found: &Value, path: &str, paths: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                match found.get(key) {
                    Some(other) => compare(value, other, &path, paths),
                    None if is_empty(value) => {}
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

/// AWS may leave out what holds nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// What holds nothing is the same as what is not there.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !is_empty(value));
            members.values_mut().for_each(drop_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// The lines that a registration of `body` changes against the revision that AWS `described`, as a
/// unified diff. What may be secret is masked on both sides, so a changed secret shows as changed
/// and a kept one does not show.
pub fn diff(described: &str, body: &str) -> Result<Vec<String>, serde_json::Error> {
    let before: Value = serde_json::from_str(described)?;
    let mut before = before.get("taskDefinition").cloned().unwrap_or_default();
    let mut after: Value = serde_json::from_str(body)?;
    if let Some(object) = before.as_object_mut() {
        object.retain(|key, _| !OUTPUT_ONLY.contains(&key.as_str()));
    }
    if let Some(object) = after.as_object_mut() {
        object.remove("tags");
    }
    let mut seen = Vec::new();
    for value in [&mut before, &mut after] {
        mask(value, false, &mut seen);
        drop_empty(value);
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

/// Members whose values may be secret: an environment's values, what a secret points to, a logging
/// driver's options, and commands (a health check's too), which may carry a password.
const SECRET_MEMBERS: [&str; 7] =
    ["environment", "secrets", "secretOptions", "options", "command", "entryPoint", "dockerLabels"];

/// Replaces what may be secret by `***` and a number: equal values have equal numbers, so that a
/// diff shows which ones change and never what they are.
fn mask(value: &mut Value, secret: bool, seen: &mut Vec<Value>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                // The name of a variable is no secret.
                let named = secret && key == "name";
                mask(value, !named && (secret || SECRET_MEMBERS.contains(&key.as_str())), seen);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secret, seen)),
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
