//! The sections of a scenario about what task definitions name: roles, secrets, parameters and subnets.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Item,
    build::{Build, typed},
};
use crate::state::named::Role;

const TASKS: &str = "ecs-tasks.amazonaws.com";

/// What a task definition names is there, unless the scenario says that it is missing.
pub(super) fn of_definition(build: &mut Build<'_>, definition: &Map<String, Value>) {
    let here = build.cloud.here(build.region);
    for member in ["executionRoleArn", "taskRoleArn"] {
        if let Some(role) = definition.get(member).and_then(Value::as_str) {
            here.shared.roles.entry(last(role).to_owned()).or_insert_with(|| Role::of(TASKS));
        }
    }
    let containers = definition.get("containerDefinitions").and_then(Value::as_array);
    let of_container = |one: &Value| {
        let lists = [&one["secrets"], &one["logConfiguration"]["secretOptions"]];
        let named = lists.into_iter().filter_map(Value::as_array).flatten();
        let named = named.map(|one| &one["valueFrom"]);
        let named = named.chain([&one["repositoryCredentials"]["credentialsParameter"]]);
        named.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    for from in containers.into_iter().flatten().flat_map(of_container) {
        match from.split_once(":secret:") {
            // `name-AbCdEf:key:stage:version`
            Some((_, rest)) => {
                let name = rest.split(':').next().unwrap_or(rest);
                here.region.named.secrets.insert(name.to_owned());
            }
            None => {
                let name = from.split_once(":parameter").map_or(from.as_str(), |(_, name)| name);
                here.region.named.parameters.insert(name.to_owned());
            }
        }
    }
}

fn last(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    trusts: Option<String>,
}

pub(super) fn role(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Wanted = typed(&item.table)?;
    let trusts = wanted.trusts.as_deref().unwrap_or(TASKS);
    build.cloud.here(build.region).shared.roles.insert(wanted.name, Role::of(trusts));
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subnet {
    name: String,
    addresses: usize,
}

pub(super) fn subnet(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Subnet = typed(&item.table)?;
    build.cloud.here(build.region).shared.addresses.insert(wanted.name, wanted.addresses);
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Missing {
    name: String,
}

pub(super) fn missing(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let Missing { name } = typed(&item.table)?;
    let here = build.cloud.here(build.region);
    let role = here.shared.roles.remove(&name).is_some();
    let secret = here.region.named.secrets.remove(&name);
    let parameter = here.region.named.parameters.remove(&name);
    match role || secret || parameter {
        true => Ok(()),
        false => Err("there is no role, secret or parameter of that name".to_owned()),
    }
}
