//! What RunTask is asked for a one-off task. Knows no service's deployment.

use serde_json::{Map, Value, json};

use crate::event::Refusal;
use crate::event::refusal::OneOffRefused;
use crate::model::world::Service;
use crate::request::edits::{Edit, Place, Placed};

/// RunTask takes overrides of so many characters (API reference of RunTask).
pub const OVERRIDES_MAX: usize = 8192;
/// Members of a service that its one-off tasks share.
const SHARED: [&str; 6] = [
    "networkConfiguration",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "placementConstraints",
    "placementStrategy",
];

/// What RunTask is asked, but for the tasks' names.
#[derive(Debug)]
pub struct Order {
    /// The body of RunTask.
    pub body: Value,
    /// The container whose exit code counts.
    pub container: String,
    /// The definition whose containers' logs are told, if they are.
    pub logs: Option<String>,
}

/// The body of a RunTask: `revision` as `service` would run it, with these overrides. The token makes
/// a second call with the same body the same call.
pub fn order(
    cluster: &str,
    revision: &str,
    service: Option<&Service>,
    edits: &[Placed],
    count: u32,
    id: &str,
) -> Result<Value, Refusal> {
    let mut body = Map::new();
    for member in SHARED {
        let own = service.and_then(|service| service.settings.get(member));
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        if let Some(own) = own.filter(|own| !is_empty(own)) {
            body.insert(member.to_owned(), own.clone());
        }
    }
    if body.contains_key("capacityProviderStrategy") {
        body.remove("launchType");
    }
    body.insert("cluster".into(), json!(cluster));
    body.insert("taskDefinition".into(), json!(revision));
    body.insert("count".into(), json!(count));
    body.insert("startedBy".into(), json!(started_by(id)));
    body.insert("clientToken".into(), json!(id));
    let overrides = overrides(edits)?;
    let size = overrides.to_string().chars().count();
    if size > OVERRIDES_MAX {
        return Err(Refusal::new(OneOffRefused::OverridesTooLong {
            characters: size,
            limit: OVERRIDES_MAX,
        }));
    }
    if overrides != json!({}) {
        body.insert("overrides".into(), overrides);
    }
    Ok(Value::Object(body))
}

/// What `startedBy` says of the tasks of this run or deployment.
pub fn started_by(id: &str) -> String {
    format!("ecs-bg/{id}")
}

fn overrides(edits: &[Placed]) -> Result<Value, Refusal> {
    let mut task = Map::new();
    let mut containers: Vec<Map<String, Value>> = Vec::new();
    for (place, edit) in edits {
        let name = match (place, edit) {
            (Place::Task, Edit::Cpu(units)) => {
                task.insert("cpu".into(), json!(units.to_string()));
                continue;
            }
            (Place::Task, Edit::Memory(size)) => {
                task.insert("memory".into(), json!(size.to_string()));
                continue;
            }
            (Place::Task, _) => continue,
            (Place::Container(name), _) => name,
        };
        let at = containers.iter().position(|one| one["name"] == json!(name));
        let at = at.unwrap_or_else(|| {
            containers.push(Map::from_iter([("name".to_owned(), json!(name))]));
            containers.len() - 1
        });
        let container = &mut containers[at];
        match edit {
            Edit::Env(name, value) => {
                let list = container.entry("environment").or_insert_with(|| json!([]));
                list.as_array_mut()
                    .into_iter()
                    .for_each(|list| list.push(json!({"name": name, "value": value.0})));
            }
            Edit::Command(words) if words.is_empty() => {
                return Err(Refusal::new(OneOffRefused::CommandWithoutWords));
            }
            Edit::Command(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
                container.insert("command".into(), json!(words));
            }
            Edit::Cpu(units) => drop(container.insert("cpu".into(), json!(units))),
            Edit::Memory(size) => drop(container.insert("memory".into(), json!(size))),
            // RunTask has no override for these; they are no options of `run`.
            Edit::Secret(..) | Edit::Unset(_) => {}
        }
    }
    if !containers.is_empty() {
        task.insert("containerOverrides".into(), json!(containers));
    }
    Ok(Value::Object(task))
}

/// Whether a task of this definition needs subnets.
pub fn needs_network(definition: &str) -> bool {
    let definition = serde_json::from_str::<Value>(definition).unwrap_or_default();
    definition["taskDefinition"]["networkMode"] == json!("awsvpc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Refused;
    use crate::request::edits::Hidden;

    #[test]
    fn overrides_are_by_container_and_by_task() {
        let at = |name: &str, edit| (Place::Container(name.to_owned()), edit);
        let hidden = |text: &str| Hidden(text.to_owned());
        let edits = [
            at("a", Edit::Env("X".into(), hidden("1"))),
            at("b", Edit::Memory(64)),
            at("a", Edit::Command(vec![hidden("rake"), hidden("db:migrate")])),
            (Place::Task, Edit::Cpu(512)),
        ];
        let body = order("shop", "web:7", None, &edits, 2, "abc").unwrap();
        assert_eq!(
            body["overrides"],
            json!({"cpu": "512", "containerOverrides": [
                {"name": "a", "environment": [{"name": "X", "value": "1"}], "command": ["rake", "db:migrate"]},
                {"name": "b", "memory": 64},
            ]})
        );
        assert_eq!(
            (&body["startedBy"], &body["clientToken"]),
            (&json!("ecs-bg/abc"), &json!("abc"))
        );
        assert!(order("shop", "web:7", None, &[], 1, "abc").unwrap().get("overrides").is_none());
        let long = [at("a", Edit::Env("X".into(), hidden(&"x".repeat(8192))))];
        let refusal = order("shop", "web:7", None, &long, 1, "abc").unwrap_err();
        let is_too_long = matches!(
            &*refusal.why,
            Refused::OneOff(OneOffRefused::OverridesTooLong { limit: 8192, .. })
        );
        assert!(is_too_long, "{refusal:?}");
    }
}
