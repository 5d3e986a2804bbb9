//! What RegisterTaskDefinition refuses of port mappings (API reference of PortMapping).

use serde_json::{Map, Value};

use super::check_definition::each;
use crate::protocol::{Fault, json::int};

pub(super) fn check(request: &Map<String, Value>, mode: &str) -> Result<(), Fault> {
    let (mut hosts, mut ranges) = (Vec::new(), Vec::new());
    for (container, port) in each(request, "portMappings") {
        if mode == "none" {
            return Err(Fault::client("Port mappings are not allowed in network mode 'none'."));
        }
        let name = port["name"].as_str();
        if name.is_some_and(|name| !is_name(name)) {
            return Err(Fault::client(format!(
                "Invalid 'name' setting for a port mapping of container '{container}'. Up to 64 lowercase letters, numbers, underscores and hyphens are allowed, and it must not start with a hyphen."
            )));
        }
        let protocol = port["protocol"].as_str().unwrap_or("tcp");
        let own = int(port.get("containerPort"));
        let (first, last) = match port["containerPortRange"].as_str() {
            Some(range) => range_of(container, port, range, mode)?,
            // AWS's words as others met them: aws/aws-cli#7288.
            None => own.filter(is_port).map(|own| (own, own)).ok_or_else(|| {
                Fault::client(format!(
                    "Invalid 'containerPort' setting for container '{container}'."
                ))
            })?,
        };
        let ranged = first < last;
        if ranges.iter().any(|(of, from, to, other)| {
            *of == container && (ranged || *other) && first <= *to && *from <= last
        }) {
            return Err(Fault::client(format!(
                "A port of '{first}-{last}' is in more than one port mapping of container '{container}'."
            )));
        }
        ranges.push((container, first, last, ranged));
        let host = int(port.get("hostPort")).filter(|host| *host != 0);
        let is_shared = ["awsvpc", "host"].contains(&mode);
        if is_shared && host.is_some_and(|host| Some(host) != own) {
            return Err(Fault::client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings must match."
            )));
        }
        let Some(host) = host.or(own.filter(|_| is_shared)) else { continue };
        if hosts.contains(&(host, protocol)) {
            // AWS's words as others met them: aws/amazon-ecs-agent#1220.
            return Err(Fault::client(format!(
                "{} host port '{host}' is mapped multiple times in task.",
                protocol.to_uppercase()
            )));
        }
        hosts.push((host, protocol));
    }
    Ok(())
}

fn is_port(port: &i64) -> bool {
    (1..=65_535).contains(port)
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    (1..=64).contains(&name.len()) && !name.starts_with('-') && name.chars().all(legal)
}

fn range_of(container: &str, port: &Value, range: &str, mode: &str) -> Result<(i64, i64), Fault> {
    let refuse = |why: &str| {
        Err(Fault::client(format!(
            "Invalid 'containerPortRange' setting for container '{container}'. {why}"
        )))
    };
    if ["containerPort", "hostPort"].iter().any(|member| port.get(*member).is_some()) {
        return refuse("It cannot be used together with containerPort or hostPort.");
    }
    if !["bridge", "awsvpc"].contains(&mode) {
        return refuse("The network mode must be 'bridge' or 'awsvpc'.");
    }
    let parts = range
        .split_once('-')
        .and_then(|(first, last)| Some((first.parse::<i64>().ok()?, last.parse::<i64>().ok()?)));
    match parts.filter(|(first, last)| is_port(first) && is_port(last)) {
        Some((first, last)) if first < last => Ok((first, last)),
        Some(_) => refuse("The first port must be less than the last port."),
        None => refuse("It should be two ports between 1 and 65535, such as '8080-8090'."),
    }
}
