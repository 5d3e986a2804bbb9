//! What RegisterTaskDefinition refuses beyond wrong types: values that are not in AWS's lists, ports that
//! do not fit the network mode, sizes that Fargate does not have. Texts that AWS documents or that are
//! well known are AWS's; the others are of its style.

use serde_json::{Map, Value};

use crate::protocol::{Fault, json::int};

/// (member, what it may be)
const LISTED: &[(&str, &[&str])] = &[
    ("networkMode", &["bridge", "host", "awsvpc", "none"]),
    ("pidMode", &["host", "task"]),
    ("ipcMode", &["host", "task", "none"]),
];

const COMPATIBILITIES: &[&str] = &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];
const ARCHITECTURES: &[&str] = &["X86_64", "ARM64"];

/// (member of healthCheck, least, most)
const HEALTH_CHECK: &[(&str, i64, i64)] =
    &[("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)];

/// The memory in GiB that Fargate has for each number of CPU units: first, last, step.
const FARGATE: &[(i64, i64, i64, i64)] = &[
    (512, 1, 4, 1),
    (1024, 2, 8, 1),
    (2048, 4, 16, 1),
    (4096, 8, 30, 1),
    (8192, 16, 60, 4),
    (16384, 32, 120, 8),
];

pub(super) fn check(request: &Map<String, Value>) -> Result<(), Fault> {
    for (member, listed) in LISTED {
        one_of(request.get(*member), member, listed)?;
    }
    for one in
        request.get("requiresCompatibilities").and_then(Value::as_array).into_iter().flatten()
    {
        one_of(Some(one), "requiresCompatibilities", COMPATIBILITIES)?;
    }
    let platform = request.get("runtimePlatform");
    one_of(platform.and_then(|one| one.get("cpuArchitecture")), "cpuArchitecture", ARCHITECTURES)?;
    let mode = request.get("networkMode").and_then(Value::as_str).unwrap_or("bridge");
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    for one in containers.into_iter().flatten().filter_map(Value::as_object) {
        container(request, one, mode)?;
    }
    let storage = request.get("ephemeralStorage").and_then(|one| int(one.get("sizeInGiB")));
    if storage.is_some_and(|size| !(20..=200).contains(&size)) {
        return Err(Fault::client("Ephemeral storage size should be between 20 and 200 GiB."));
    }
    Ok(())
}

fn one_of(value: Option<&Value>, member: &str, listed: &[&str]) -> Result<(), Fault> {
    match value.and_then(Value::as_str) {
        Some(own) if !listed.contains(&own) => Err(Fault::client(format!(
            "Invalid {member}: '{own}'. It should be one of {listed:?}."
        ))),
        _ => Ok(()),
    }
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
    for port in list("portMappings") {
        let own = int(port.get("containerPort"));
        let host = int(port.get("hostPort")).filter(|host| *host != 0);
        if ["awsvpc", "host"].contains(&mode) && host.is_some() && own.is_some() && host != own {
            return Err(Fault::client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings must match."
            )));
        }
        if own.is_some_and(|port| !(1..=65_535).contains(&port)) {
            return Err(Fault::client("Invalid containerPort: it should be between 1 and 65535."));
        }
    }
    for (member, least, most) in HEALTH_CHECK {
        let value = one.get("healthCheck").and_then(|check| int(check.get(*member)));
        if value.is_some_and(|value| !(*least..=*most).contains(&value)) {
            return Err(Fault::client(format!(
                "Container '{name}': healthCheck {member} should be between {least} and {most}."
            )));
        }
    }
    let named = |list: &str, other: &str| {
        let all = request.get(list).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|one| one.get("name")?.as_str()).any(|own| own == other)
    };
    for mount in list("mountPoints") {
        let volume = mount.get("sourceVolume").and_then(Value::as_str).unwrap_or_default();
        if !named("volumes", volume) {
            return Err(Fault::client(format!("Unknown volume '{volume}'.")));
        }
    }
    for other in list("dependsOn") {
        let other = other.get("containerName").and_then(Value::as_str).unwrap_or_default();
        if !named("containerDefinitions", other) {
            return Err(Fault::client(format!(
                "Container '{name}' depends on container '{other}', which is not in the task definition."
            )));
        }
    }
    Ok(())
}

/// What Fargate refuses: `cpu` and `memory` are as they are stored, in units and MiB.
pub(super) fn check_fargate(
    request: &Map<String, Value>,
    cpu: i64,
    memory: i64,
) -> Result<(), Fault> {
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    for one in containers.into_iter().flatten() {
        let wait = int(one.get("stopTimeout"));
        if wait.is_some_and(|wait| !(2..=120).contains(&wait)) {
            return Err(Fault::client("stopTimeout should be between 2 and 120 on Fargate."));
        }
    }
    let fits = match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        _ => FARGATE.iter().any(|(units, first, last, step)| {
            let gib = memory / 1024;
            *units == cpu
                && memory % 1024 == 0
                && (*first..=*last).contains(&gib)
                && (gib - first) % step == 0
        }),
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::client("No Fargate configuration exists for given values."))
    }
}
