//! What CreateService, UpdateService and RunTask refuse because it does not go with the task definition.

use serde_json::{Map, Value};

use super::{check_definition::each, definition};
use crate::{protocol::Fault, state::ecs::Definition};

/// AWS's words as others met them: aws/aws-toolkit-jetbrains#3649, boto/boto3#3173.
pub(super) const NO_ROLE_TO_CREATE: &str = "The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again.";
pub(super) const NO_ROLE_TO_UPDATE: &str = "The service couldn't be updated because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again.";
pub(super) const NO_ROLE_TO_RUN: &str = "The execute command failed because a valid task role is not being used. Specify a valid task role in your task definition or as a task override and try again.";
/// Where a service names a port mapping: API reference of ServiceConnectService and VpcLatticeConfiguration.
const PORT_NAMES: [(&str, &str); 2] =
    [("serviceConnectConfiguration", "/services"), ("vpcLatticeConfigurations", "")];

/// ECS Exec works with the task role's credentials.
pub(super) fn role(
    members: &Map<String, Value>,
    definition: Option<&Definition>,
    refusal: &str,
) -> Result<(), Fault> {
    let own = definition.and_then(|one| one.members.get("taskRoleArn"));
    let own = own.and_then(|one| serde_json::from_str::<String>(one.get()).ok());
    let other = members.get("overrides").and_then(|one| one["taskRoleArn"].as_str());
    let has_role = [own.as_deref(), other].into_iter().flatten().any(|role| !role.is_empty());
    let enabled = members.get("enableExecuteCommand").is_some_and(|one| *one == true);
    if enabled && definition.is_some() && !has_role {
        return Err(Fault::parameter(refusal));
    }
    Ok(())
}

pub(super) fn check(members: &Map<String, Value>, definition: &Definition) -> Result<(), Fault> {
    let text = |member: &str| members.get(member).and_then(Value::as_str);
    let own = definition::plain(definition);
    if text("launchType") == Some("FARGATE") && !definition::fits_fargate(definition) {
        return Err(Fault::parameter("Task definition does not support launch_type FARGATE."));
    }
    let ports: Vec<&Value> =
        each(&own, "portMappings").filter_map(|(_, port)| port.get("name")).collect();
    for (member, list) in PORT_NAMES {
        let block = members.get(member).filter(|one| one["enabled"] != false);
        let named = block.and_then(|one| one.pointer(list)?.as_array());
        let mut names = named.into_iter().flatten().filter_map(|one| one.get("portName"));
        if let Some(other) = names.find(|name| !ports.contains(name)) {
            return Err(Fault::parameter(format!(
                "{member}: the portName {other} is no port mapping name in the task definition."
            )));
        }
    }
    volumes(members, &own)
}

/// The volumes that a task definition leaves to the launch (API reference of Volume and ServiceVolumeConfiguration).
fn volumes(members: &Map<String, Value>, own: &Map<String, Value>) -> Result<(), Fault> {
    let list = |map: &Map<String, Value>, member: &str| {
        map.get(member).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let launched: Vec<Value> = list(own, "volumes")
        .into_iter()
        .filter(|one| one["configuredAtLaunch"] == true)
        .map(|one| one["name"].clone())
        .collect();
    let configured: Vec<Value> =
        list(members, "volumeConfigurations").iter().map(|one| one["name"].clone()).collect();
    if configured.iter().any(|name| !launched.contains(name)) {
        // AWS's words as others met them: go-to-k/cdkd#811.
        return Err(Fault::parameter(
            "Volume configuration provided but no matching configuredAtLaunch volume found in task definition.",
        ));
    }
    match launched.iter().find(|name| !configured.contains(name)) {
        Some(name) => Err(Fault::parameter(format!(
            "The volume {name} is configured at launch: volumeConfigurations must have a configuration of it."
        ))),
        None => Ok(()),
    }
}
