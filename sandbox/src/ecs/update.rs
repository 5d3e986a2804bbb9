//! UpdateService: what may change under which deployment controller, and what starts a new deployment
//! (Amazon ECS Developer Guide, "Updating Amazon ECS service parameters").

use serde_json::{Map, Value};

use super::{
    check_service, check_task, cluster, definition, native,
    service::{self, REVISION_MEMBERS},
};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request},
    },
    state::{
        Here,
        ecs::{Definition, Deployment},
    },
};

/// What the other controllers do by themselves.
const ECS_ONLY: &[(&str, &str)] = &[
    ("taskDefinition", "task definition"),
    ("networkConfiguration", "network configuration"),
    ("platformVersion", "platform version"),
    ("loadBalancers", "load balancers"),
    ("serviceRegistries", "service registries"),
    ("serviceConnectConfiguration", "service connect configuration"),
    ("volumeConfigurations", "volume configurations"),
    ("vpcLatticeConfigurations", "VPC Lattice configurations"),
    ("enableExecuteCommand", "execute command"),
    ("availabilityZoneRebalancing", "availability zone rebalancing"),
    ("capacityProviderStrategy", "capacity provider strategy"),
];

pub(super) fn update(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let not_found = || Fault::new("ServiceNotFoundException", "Service not found.");
    let arn = service::find(here, &cluster, request.text_of("service").unwrap_or_default())
        .ok_or_else(not_found)?;
    let old = here.region.ecs.services.get(&arn).ok_or_else(not_found)?;
    if old.status != "ACTIVE" {
        return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let controller = service::controller(&old.members);
    let wanted = match request.has("deploymentController") {
        true => service::controller(&request.value),
        false => controller,
    };
    if wanted != controller {
        let going = |one: &Deployment| one.rollout_state == "IN_PROGRESS";
        check_service::migration(
            controller,
            wanted,
            &old.members,
            old.deployments.iter().any(going),
        )?;
    }
    check_controller(wanted, request)?;

    let definition = match request.text_of("taskDefinition") {
        Some(wanted) => Some(definition::usable(here, wanted)?),
        None => old.definition.as_deref().and_then(|arn| definition::find(here, arn)).cloned(),
    };
    let members = merged(&old.members, request, here.shared.merges_settings);
    check_service::check(&members)?;
    check_task::role(&members, definition.as_ref(), check_task::NO_ROLE_TO_UPDATE)?;
    if touches_revision(request) || request.has("capacityProviderStrategy") {
        service::check(here, &cluster, &members, definition.as_ref())?;
    }
    let shifts = request.has("loadBalancers") || request.has("deploymentConfiguration");
    if shifts && wanted == "ECS" {
        native::refusals::check(here, &members)?;
    }
    let desired = request.int_of("desiredCount").map(service::count_of).transpose()?;
    service::takes_count(&members, desired)?;

    let other = |member: &&str| old.members.get(*member) != members.get(*member);
    let old_definition = old.definition.clone();
    let new_definition = definition.map(|definition: Definition| definition.arn);
    let deploys = request.bool_of("forceNewDeployment")
        || old_definition != new_definition
        || (wanted != controller && wanted == "ECS")
        || REVISION_MEMBERS.iter().any(other);
    let changed = old.members != members;

    if let Some(service) = here.region.ecs.services.get_mut(&arn) {
        service.members = members;
        service.definition.clone_from(&new_definition);
    }
    if changed {
        here.note(Change::Attributes { resource: arn.clone() });
    }
    if old_definition != new_definition {
        let (before, after) =
            (old_definition.unwrap_or_default(), new_definition.unwrap_or_default());
        here.note(Change::Revision { service: arn.clone(), before, after });
    }
    if let Some(desired) = desired {
        service::set_desired(here, &arn, desired);
    }
    if deploys {
        service::begin_deployment(here, &arn);
    } else if changed {
        here.look_soon(&arn);
    }
    service::answer(here, &arn)
}

fn check_controller(controller: &str, request: &Request<'_>) -> Result<(), Fault> {
    if controller == "ECS" {
        return Ok(());
    }
    let advice = if controller == "CODE_DEPLOY" {
        "Use AWS CodeDeploy to trigger a new deployment."
    } else {
        "Create a new taskset instead."
    };
    let refuse = |what: &str| {
        Err(Fault::parameter(format!(
            "Unable to update {what} on services with a {controller} deployment controller. {advice}"
        )))
    };
    for (member, what) in ECS_ONLY {
        if request.has(member) {
            return refuse(what);
        }
    }
    if request.bool_of("forceNewDeployment") {
        return refuse("force new deployment");
    }
    if controller == "EXTERNAL" && request.has("deploymentConfiguration") {
        return refuse("deployment configuration");
    }
    Ok(())
}

fn touches_revision(request: &Request<'_>) -> bool {
    request.has("taskDefinition") || REVISION_MEMBERS.iter().any(|member| request.has(member))
}

/// The members after the update: what is not sent stays. AWS does not say whether the members of a block
/// that are not sent stay too: a scenario may say so.
fn merged(old: &Map<String, Value>, request: &Request<'_>, merges: bool) -> Map<String, Value> {
    let mut members = old.clone();
    for (member, value) in &request.value {
        match (member.as_str(), value) {
            (
                "cluster" | "service" | "desiredCount" | "taskDefinition" | "forceNewDeployment",
                _,
            ) => {}
            ("deploymentConfiguration", Value::Object(new)) if merges => {
                let config =
                    members.entry(member.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(config) = config {
                    config.extend(new.clone());
                }
            }
            ("capacityProviderStrategy", Value::Array(list)) if list.is_empty() => {
                members.shift_remove(member);
                members.entry("launchType").or_insert_with(|| "EC2".into());
            }
            ("capacityProviderStrategy", _) => {
                members.shift_remove("launchType");
                members.insert(member.clone(), value.clone());
            }
            _ => drop(members.insert(member.clone(), value.clone())),
        }
    }
    members
}
