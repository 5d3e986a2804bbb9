//! What RegisterTaskDefinition refuses beyond wrong types: values that are not in AWS's lists, ports that
//! do not fit the network mode, members that need another one. Ports are in `check_ports`, parts that name
//! or need another part in `check_references`, and what only Fargate refuses is in `check_fargate`. Texts
//! that AWS documents or that are well known are AWS's; the others are of its style.

use serde_json::{Map, Value};

use super::{check_ports, check_references, listed};
use crate::protocol::{Fault, json::int};

/// (member of a container that may need a role, how AWS says it)
const NEED_ROLE: [(&str, &str); 3] = [
    ("secrets", "container secrets"),
    ("repositoryCredentials", "repository credentials"),
    ("environmentFiles", "environment files"),
];

/// (member of healthCheck, least, most)
const HEALTH_CHECK: &[(&str, i64, i64)] =
    &[("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)];

pub(super) fn check(request: &Map<String, Value>) -> Result<(), Fault> {
    if let Some(wrong) = listed::wrong(request, listed::DEFINITION) {
        return Err(Fault::client(wrong));
    }
    let mode = request.get("networkMode").and_then(Value::as_str).unwrap_or("bridge");
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    for one in containers.into_iter().flatten().filter_map(Value::as_object) {
        container(request, one, mode)?;
    }
    check_ports::check(request, mode)?;
    check_references::check(request)?;
    dependencies(request)?;
    sums(request)?;
    let wanted = crate::protocol::json::texts(request.get("requiresCompatibilities"));
    if mode == "awsvpc" && wanted.iter().any(|one| one == "EXTERNAL") {
        return Err(Fault::client("EXTERNAL does not support network mode 'awsvpc'."));
    }
    if mode != "awsvpc" && request.contains_key("proxyConfiguration") {
        return Err(Fault::client("proxyConfiguration needs network mode 'awsvpc'."));
    }
    let storage = request.get("ephemeralStorage").and_then(|one| int(one.get("sizeInGiB")));
    if storage.is_some_and(|size| !(21..=200).contains(&size)) {
        return Err(Fault::client("Ephemeral storage size should be between 21 and 200 GiB."));
    }
    let fargate = wanted.iter().any(|one| one == "FARGATE");
    if request.contains_key("ephemeralStorage")
        && !fargate
        && (mode != "awsvpc" || !wanted.is_empty())
    {
        return Err(Fault::client("Ephemeral storage is only supported on Fargate."));
    }
    for volume in request.get("volumes").and_then(Value::as_array).into_iter().flatten() {
        let efs = &volume["efsVolumeConfiguration"];
        if efs["authorizationConfig"]["iam"] == "ENABLED" && efs["transitEncryption"] != "ENABLED" {
            return Err(Fault::client(
                "EFS IAM authorization requires that transit encryption is ENABLED.",
            ));
        }
        if efs["authorizationConfig"]["accessPointId"].is_string() {
            if efs["transitEncryption"] != "ENABLED" {
                return Err(Fault::client(
                    "An EFS access point requires that transit encryption is ENABLED.",
                ));
            }
            if efs["rootDirectory"].as_str().is_some_and(|path| !["", "/"].contains(&path)) {
                return Err(Fault::client(
                    "With an EFS access point, rootDirectory must be omitted or '/'.",
                ));
            }
        }
    }
    Ok(())
}

fn container(
    request: &Map<String, Value>,
    one: &Map<String, Value>,
    mode: &str,
) -> Result<(), Fault> {
    let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
    let list = |member: &str| one.get(member).and_then(Value::as_array).into_iter().flatten();
    let sized = ["memory", "memoryReservation"].iter().any(|member| one.contains_key(*member));
    if !sized && !request.contains_key("memory") {
        return Err(Fault::client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be specified."
        )));
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(Fault::client("Container.name contains invalid characters."));
    }
    if name.len() > 255 {
        return Err(Fault::client("Container.name must not be longer than 255 characters."));
    }
    let amount = |member: &str| int(one.get(member));
    if amount("memory").zip(amount("memoryReservation")).is_some_and(|(most, least)| most <= least)
    {
        return Err(Fault::client(format!(
            "Invalid setting for container '{name}'. 'memory' must be greater than 'memoryReservation'."
        )));
    }
    for (member, what) in NEED_ROLE {
        let given = match one.get(member) {
            Some(Value::Array(list)) => !list.is_empty(),
            other => other.is_some(),
        };
        let role = request.get("executionRoleArn").and_then(Value::as_str).unwrap_or_default();
        if given && role.is_empty() {
            return Err(Fault::client(format!(
                "When you are specifying {what}, you must also specify a value for 'executionRoleArn'."
            )));
        }
    }
    let variables: Vec<&Value> = list("environment").filter_map(|one| one.get("name")).collect();
    if let Some(twice) = list("secrets").filter_map(|one| one.get("name")).find(|own| {
        variables.contains(own)
            || list("secrets").filter(|other| other.get("name") == Some(own)).count() > 1
    }) {
        return Err(Fault::client(format!(
            "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{}'.",
            twice.as_str().unwrap_or_default()
        )));
    }
    if mode == "awsvpc" && one.get("hostname").is_some_and(|own| own != "") {
        return Err(Fault::client("hostname is not supported in network mode 'awsvpc'."));
    }
    for link in list("links").filter_map(Value::as_str) {
        let other = link.split(':').next().unwrap_or(link);
        if mode != "bridge" {
            return Err(Fault::client("Links are only allowed in network mode 'bridge'."));
        }
        if !named(request, "containerDefinitions", other) {
            return Err(Fault::client(format!(
                "Container '{name}' links to container '{other}', which is not in the task definition."
            )));
        }
    }
    let command = one.get("healthCheck").and_then(|check| check["command"][0].as_str());
    if command.is_some_and(|first| !["CMD", "CMD-SHELL", "NONE"].contains(&first)) {
        return Err(Fault::client(
            "Container.healthCheck.command must begin with CMD, CMD-SHELL or NONE.",
        ));
    }
    for member in ["startTimeout", "stopTimeout"] {
        if amount(member).is_some_and(|seconds| seconds < 2) {
            return Err(Fault::client(format!("{member} should be at least 2.")));
        }
    }
    logging(one)?;
    let swappiness = one.get("linuxParameters").and_then(|linux| int(linux.get("swappiness")));
    if swappiness.is_some_and(|own| !(0..=100).contains(&own)) {
        return Err(Fault::client("swappiness should be between 0 and 100."));
    }
    let restart = one.get("restartPolicy");
    let period = restart.and_then(|own| int(own.get("restartAttemptPeriod")));
    if period.is_some_and(|seconds| !(60..=1800).contains(&seconds)) {
        return Err(Fault::client("restartAttemptPeriod should be between 60 and 1800."));
    }
    let ignored = restart.and_then(|own| own["ignoredExitCodes"].as_array());
    if ignored.is_some_and(|list| list.len() > 50) {
        return Err(Fault::client("ignoredExitCodes should have at most 50 items."));
    }
    for (member, least, most) in HEALTH_CHECK {
        let value = one.get("healthCheck").and_then(|check| int(check.get(*member)));
        if value.is_some_and(|value| !(*least..=*most).contains(&value)) {
            return Err(Fault::client(format!(
                "Container '{name}': healthCheck {member} should be between {least} and {most}."
            )));
        }
    }
    for mount in list("mountPoints") {
        let volume = mount.get("sourceVolume").and_then(Value::as_str).unwrap_or_default();
        if !named(request, "volumes", volume) {
            return Err(Fault::client(format!("Unknown volume '{volume}'.")));
        }
    }
    Ok(())
}

fn fargate(request: &Map<String, Value>) -> bool {
    let wanted = crate::protocol::json::texts(request.get("requiresCompatibilities"));
    wanted.iter().any(|one| one == "FARGATE")
}

pub(super) fn named(request: &Map<String, Value>, list: &str, other: &str) -> bool {
    let all = request.get(list).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|one| one.get("name")?.as_str()).any(|own| own == other)
}

fn logging(container: &Map<String, Value>) -> Result<(), Fault> {
    let Some(log) = container.get("logConfiguration") else { return Ok(()) };
    let driver = log["logDriver"].as_str().unwrap_or_default();
    let lacks = |option: &str| log["options"].get(option).is_none();
    if driver == "awslogs" && lacks("awslogs-group") {
        return Err(Fault::client("Log driver awslogs requires options: awslogs-group"));
    }
    Ok(())
}

/// The items of a list of each container, with the container's name.
pub(super) fn each<'r>(
    request: &'r Map<String, Value>,
    list: &'static str,
) -> impl Iterator<Item = (&'r str, &'r Value)> {
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    containers.into_iter().flatten().flat_map(move |one| {
        let name = one["name"].as_str().unwrap_or_default();
        one.get(list).and_then(Value::as_array).into_iter().flatten().map(move |item| (name, item))
    })
}

/// What containers wait for (API reference of ContainerDependency).
fn dependencies(request: &Map<String, Value>) -> Result<(), Fault> {
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    let find = |name: &str| containers.into_iter().flatten().find(|one| one["name"] == name);
    let mut edges: Vec<(&str, &str)> = Vec::new();
    for (name, dependency) in each(request, "dependsOn") {
        let other = dependency["containerName"].as_str().unwrap_or_default();
        let condition = dependency["condition"].as_str().unwrap_or_default();
        let Some(found) = find(other) else {
            return Err(Fault::client(format!(
                "Container '{name}' depends on container '{other}', which is not in the task definition."
            )));
        };
        if other == name {
            return Err(Fault::client(format!("Container '{name}' cannot depend on itself.")));
        }
        if condition == "HEALTHY" && found.get("healthCheck").is_none() {
            return Err(Fault::client(format!(
                "Container '{name}' waits for container '{other}' to be HEALTHY, which has no health check."
            )));
        }
        if ["COMPLETE", "SUCCESS"].contains(&condition) && found["essential"] != false {
            return Err(Fault::client(format!(
                "Container '{name}' waits for container '{other}' to end ({condition}), which is essential."
            )));
        }
        edges.push((name, other));
    }
    // What can be reached from a container by what it waits for.
    for (first, _) in &edges {
        let mut reached = vec![*first];
        let mut at = 0;
        while let Some(from) = reached.get(at).copied() {
            for (_, to) in edges.iter().filter(|(own, _)| *own == from) {
                if to == first {
                    return Err(Fault::client(format!(
                        "Container '{first}' depends on itself by a cycle of dependencies."
                    )));
                }
                if !reached.contains(to) {
                    reached.push(to);
                }
            }
            at += 1;
        }
    }
    Ok(())
}

/// What the containers take together of what the task has (Amazon ECS Developer Guide, "Task size").
fn sums(request: &Map<String, Value>) -> Result<(), Fault> {
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    let sum = |of: &dyn Fn(&Value) -> Option<i64>| {
        containers.into_iter().flatten().filter_map(of).sum::<i64>()
    };
    let memory = |one: &Value| int(one.get("memoryReservation").or(one.get("memory")));
    let taken = [("cpu", sum(&|one| int(one.get("cpu")))), ("memory", sum(&memory))];
    for (member, taken) in taken {
        let Some(said) = request.get(member).and_then(Value::as_str) else { continue };
        let own = super::definition::amount(said).filter(|own| *own > 0);
        let Some(own) = own else {
            return Err(Fault::client(format!(
                "Invalid '{member}' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
            )));
        };
        // API reference of RegisterTaskDefinition; Fargate's sizes are in `check_fargate`.
        if member == "cpu" && !fargate(request) && !(128..=196_608).contains(&own) {
            return Err(Fault::client(
                "Invalid 'cpu' setting for task. It should be between 128 and 196608.",
            ));
        }
        if taken > own {
            return Err(Fault::client(format!(
                "The containers of the task take {taken} of '{member}', the task has {own}."
            )));
        }
    }
    Ok(())
}
