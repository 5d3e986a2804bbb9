//! What RegisterTaskDefinition refuses because a part of a task definition names or needs another part.

use serde_json::{Map, Value};

use super::check_definition::{each, named};
use crate::protocol::Fault;

/// (beginning of a system control's name, member, its value that rules it out): API reference of SystemControl
const RULED_OUT: &[(&str, &str, &str)] = &[
    ("net.", "networkMode", "host"),
    ("kernel.", "ipcMode", "host"),
    ("fs.mqueue.", "ipcMode", "host"),
];
/// What a volume can have one of, besides `host` and `configuredAtLaunch` (API reference of Volume).
const VOLUMES: &[&str] = &[
    "dockerVolumeConfiguration",
    "efsVolumeConfiguration",
    "s3filesVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
];

pub(super) fn check(request: &Map<String, Value>) -> Result<(), Fault> {
    log_router(request)?;
    for (name, source) in each(request, "volumesFrom") {
        let other = source["sourceContainer"].as_str().unwrap_or_default();
        // AWS's words as others met them: eagletmt/hako#54.
        if !named(request, "containerDefinitions", other) {
            return Err(Fault::client(format!(
                "Invalid 'volumesFrom' setting. Unknown container: '{other}'."
            )));
        }
        if other == name {
            return Err(Fault::client(format!(
                "Invalid 'volumesFrom' setting. Container '{name}' cannot mount its own volumes."
            )));
        }
    }
    let proxy = request.get("proxyConfiguration").and_then(|one| one["containerName"].as_str());
    if let Some(other) = proxy.filter(|other| !named(request, "containerDefinitions", other)) {
        return Err(Fault::client(format!(
            "Invalid 'proxyConfiguration' setting. Unknown container: '{other}'."
        )));
    }
    let files: Vec<_> = each(request, "environmentFiles").collect();
    if files.len() > 10 {
        return Err(Fault::client("A task definition can have a maximum of 10 environment files."));
    }
    let file = |(_, one): &(&str, &Value)| one["value"].as_str().unwrap_or_default().to_owned();
    if let Some(other) = files.iter().map(file).find(|file| !file.ends_with(".env")) {
        return Err(Fault::client(format!(
            "Invalid environment file '{other}'. It must have the file extension .env."
        )));
    }
    for (_, control) in each(request, "systemControls") {
        let name = control["namespace"].as_str().unwrap_or_default();
        let of = |(start, member, value): &&(&str, &str, &str)| {
            name.starts_with(start) && request.get(*member).is_some_and(|own| own == value)
        };
        if let Some((_, member, value)) = RULED_OUT.iter().find(of) {
            return Err(Fault::client(format!(
                "The system control '{name}' is not supported when {member} is '{value}'."
            )));
        }
    }
    volumes(request)
}

/// AWS's words as others met them: fabfuel/ecs-deploy#164, cloudposse/terraform-aws-ecs-container-definition#47.
fn log_router(request: &Map<String, Value>) -> Result<(), Fault> {
    let list = request.get("containerDefinitions").and_then(Value::as_array);
    let any = |is: fn(&Value) -> bool| list.into_iter().flatten().any(is);
    let sends = any(|one| one["logConfiguration"]["logDriver"] == "awsfirelens");
    match (sends, any(|one| one.get("firelensConfiguration").is_some())) {
        (true, false) => Err(Fault::client(
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers.",
        )),
        (false, true) => Err(Fault::client(
            "When a firelensConfiguration object is specified, at least one container has to be configured with the awsfirelens log driver.",
        )),
        _ => Ok(()),
    }
}

fn volumes(request: &Map<String, Value>) -> Result<(), Fault> {
    let list = request.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let mut at_launch = 0;
    for volume in list {
        let launched = usize::from(volume["configuredAtLaunch"] == true);
        let host = volume["host"]["sourcePath"].as_str().is_some_and(|path| !path.is_empty());
        let host = usize::from(host);
        let others = VOLUMES.iter().filter(|member| volume.get(**member).is_some()).count();
        if launched + host + others > 1 {
            // AWS's words as others met them: cloudposse/terraform-aws-ecs-alb-service-task#185.
            return Err(Fault::client(
                "When the volume parameter is specified, only one volume configuration type should be used.",
            ));
        }
        at_launch += launched;
    }
    if at_launch > 1 {
        return Err(Fault::client(
            "A task definition revision may only have one volume configured at launch.",
        ));
    }
    Ok(())
}
