//! What RegisterTaskDefinition refuses on Fargate only: sizes that it does not have, and members that it
//! does not support (Amazon ECS Developer Guide, "Amazon ECS task definition differences for Fargate").

use serde_json::{Map, Value};

use crate::protocol::{Fault, json::int};

/// The memory in GiB that Fargate has for each number of CPU units: first, last, step.
const FARGATE: &[(i64, i64, i64, i64)] = &[
    (512, 1, 4, 1),
    (1024, 2, 8, 1),
    (2048, 4, 16, 1),
    (4096, 8, 30, 1),
    (8192, 16, 60, 4),
    (16384, 32, 120, 8),
];
const LOG_DRIVERS: &[&str] = &["awslogs", "splunk", "awsfirelens"];
/// Members of `linuxParameters` that it does not take.
const LINUX: &[&str] = &["devices", "maxSwap", "sharedMemorySize", "swappiness"];

/// `cpu` and `memory` are as they are stored, in units and MiB.
pub(super) fn check(request: &Map<String, Value>, cpu: i64, memory: i64) -> Result<(), Fault> {
    let containers = request.get("containerDefinitions").and_then(Value::as_array);
    let role = request.get("executionRoleArn").and_then(Value::as_str).unwrap_or_default();
    for one in containers.into_iter().flatten() {
        container(one)?;
        if let Some(what) = needs_role(one).filter(|_| role.is_empty()) {
            return Err(Fault::client(format!(
                "Fargate requires task definition to have execution role ARN to support {what}."
            )));
        }
    }
    let unsupported = |what: &str| Err(Fault::client(format!("Fargate does not support {what}.")));
    let list = |member: &str| request.get(member).and_then(Value::as_array).into_iter().flatten();
    if list("placementConstraints").next().is_some() {
        return unsupported("placementConstraints");
    }
    for volume in list("volumes") {
        if volume["host"]["sourcePath"].as_str().is_some_and(|path| !path.is_empty()) {
            return unsupported("host.sourcePath of a volume");
        }
        for member in ["dockerVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration"] {
            if volume.get(member).is_some() {
                return unsupported(member);
            }
        }
    }
    if request.contains_key("ipcMode") {
        return unsupported("ipcMode");
    }
    if request.get("pidMode").is_some_and(|mode| mode == "host") {
        return unsupported("pidMode 'host'");
    }
    let system =
        request.get("runtimePlatform").and_then(|one| one["operatingSystemFamily"].as_str());
    let windows = system.is_some_and(|system| system.starts_with("WINDOWS"));
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
    // Windows begins at 1 vCPU and ends at 4 (Developer Guide, "Fargate task sizes").
    if fits && (!windows || (1024..=4096).contains(&cpu)) {
        Ok(())
    } else {
        Err(Fault::client("No Fargate configuration exists for given values."))
    }
}

/// What Fargate itself does with the execution role (Developer Guide, "Amazon ECS task execution IAM role").
fn needs_role(one: &Value) -> Option<&'static str> {
    let host = one["image"].as_str().unwrap_or_default().split('/').next().unwrap_or_default();
    let is_ecr = host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.");
    let logs = one["logConfiguration"]["logDriver"] == "awslogs";
    is_ecr.then_some("ECR images").or(logs.then_some("log driver awslogs"))
}

/// An empty list says nothing.
fn is_said(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()))
}

fn container(one: &Value) -> Result<(), Fault> {
    let unsupported = |what: &str| Err(Fault::client(format!("Fargate does not support {what}.")));
    let filled = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
    for member in ["startTimeout", "stopTimeout"] {
        let wait = int(one.get(member));
        if wait.is_some_and(|wait| !(2..=120).contains(&wait)) {
            return Err(Fault::client(format!("{member} should be between 2 and 120 on Fargate.")));
        }
    }
    if one["privileged"] == true {
        return unsupported("privileged containers");
    }
    for member in ["dockerSecurityOptions", "links"] {
        if filled(&one[member]) {
            return unsupported(member);
        }
    }
    let mut resources = one["resourceRequirements"].as_array().into_iter().flatten();
    if resources.any(|resource| resource["type"] == "GPU") {
        return unsupported("GPUs");
    }
    let linux = &one["linuxParameters"];
    if let Some(member) = LINUX.iter().find(|member| is_said(linux.get(**member))) {
        return unsupported(&format!("linuxParameters.{member}"));
    }
    let added = linux["capabilities"]["add"].as_array();
    if let Some(other) = added.into_iter().flatten().find(|one| **one != "SYS_PTRACE") {
        return unsupported(&format!("the capability {other}"));
    }
    let log = &one["logConfiguration"];
    if let Some(driver) = log["logDriver"].as_str() {
        if !LOG_DRIVERS.contains(&driver) {
            return unsupported(&format!("the log driver {driver}"));
        }
        if driver == "awslogs" && log["options"].get("awslogs-stream-prefix").is_none() {
            return Err(Fault::client(
                "Log driver awslogs requires options: awslogs-stream-prefix",
            ));
        }
    }
    Ok(())
}
