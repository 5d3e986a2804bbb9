//! What CreateService and UpdateService refuse for what a service says of itself, whatever its task
//! definition and target groups are. Those checks are in `service`.

use serde_json::{Map, Value};

use super::{listed, service::controller};
use crate::protocol::{Fault, json::int};

const PLATFORMS: &[&str] = &["LATEST", "1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"];

pub(super) fn check(members: &Map<String, Value>) -> Result<(), Fault> {
    let text = |member: &str| members.get(member).and_then(Value::as_str);
    let some = |member: &str| {
        members.get(member).and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    if let Some(wrong) = listed::wrong(members, listed::SERVICE) {
        return Err(Fault::parameter(wrong));
    }
    limits(members)?;
    let fargate = text("launchType") == Some("FARGATE");
    if fargate && text("schedulingStrategy") == Some("DAEMON") {
        return Err(Fault::parameter("Fargate does not support the DAEMON scheduling strategy."));
    }
    if controller(members) != "ECS" && text("schedulingStrategy") == Some("DAEMON") {
        return Err(Fault::parameter(format!(
            "The {} deployment controller does not support the DAEMON scheduling strategy.",
            controller(members)
        )));
    }
    let daemon = text("schedulingStrategy") == Some("DAEMON");
    // AWS's words as others met them: kayac/ecspresso#402.
    if daemon && some("placementStrategy") {
        return Err(Fault::parameter(
            "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again",
        ));
    }
    let strategies = members.get("placementStrategy").and_then(Value::as_array);
    for one in strategies.into_iter().flatten().filter(|one| one["type"] == "binpack") {
        let field = one["field"].as_str().unwrap_or_default();
        if !["cpu", "memory"].contains(&field.to_lowercase().as_str()) {
            return Err(Fault::parameter(format!(
                "Invalid field of a binpack placement strategy: '{field}'. It should be cpu or memory."
            )));
        }
    }
    for (member, what) in [
        ("placementStrategy", "Placement strategies"),
        ("placementConstraints", "Placement constraints"),
    ] {
        if fargate && some(member) {
            return Err(Fault::parameter(format!(
                "{what} are not supported with FARGATE launch type."
            )));
        }
    }
    platform(text("platformVersion"), fargate, some("capacityProviderStrategy"))?;
    let grace = int(members.get("healthCheckGracePeriodSeconds"));
    if grace.is_some_and(|grace| grace < 0) {
        return Err(Fault::parameter("healthCheckGracePeriodSeconds should not be negative."));
    }
    configuration(members)
}

/// How many of something a service can have (API reference of CreateService and AwsVpcConfiguration).
fn limits(members: &Map<String, Value>) -> Result<(), Fault> {
    let network = members.get("networkConfiguration").map(|one| &one["awsvpcConfiguration"]);
    let of = |value: Option<&Value>| value.and_then(Value::as_array).map_or(0, Vec::len);
    for (count, most, what) in [
        (of(members.get("placementConstraints")), 10, "placement constraints"),
        (of(members.get("placementStrategy")), 5, "placement strategies"),
        (of(members.get("serviceRegistries")), 1, "service registries"),
        (of(network.and_then(|own| own.get("subnets"))), 16, "subnets"),
        (of(network.and_then(|own| own.get("securityGroups"))), 5, "security groups"),
    ] {
        if count > most {
            return Err(Fault::parameter(format!("{what} can have at most {most} items.")));
        }
    }
    Ok(())
}

fn platform(version: Option<&str>, fargate: bool, providers: bool) -> Result<(), Fault> {
    match version {
        Some(_) if !fargate && !providers => Err(Fault::parameter(
            "The platform version must be null when specifying an EC2 launch type.",
        )),
        Some(own) if !PLATFORMS.contains(&own) => {
            Err(Fault::new("PlatformUnknownException", format!("Platform {own} does not exist.")))
        }
        _ => Ok(()),
    }
}

/// `deploymentConfiguration` (Amazon ECS API Reference) and what goes with which controller.
fn configuration(members: &Map<String, Value>) -> Result<(), Fault> {
    let Some(own) = members.get("deploymentConfiguration").and_then(Value::as_object) else {
        return Ok(());
    };
    let controller = controller(members);
    let number = |member: &str| int(own.get(member));
    if number("maximumPercent").is_some_and(|most| most < 0)
        || number("minimumHealthyPercent").is_some_and(|least| least < 0)
    {
        return Err(Fault::parameter("Deployment percentages should not be negative."));
    }
    if number("maximumPercent") == Some(0) {
        return Err(Fault::parameter("maximumPercent must be greater than 0."));
    }
    let most = number("maximumPercent");
    if members.get("schedulingStrategy").is_some_and(|one| one == "DAEMON") {
        // AWS's words as others met them: aws/aws-cdk#2209.
        if most.is_some_and(|most| most > 100) {
            return Err(Fault::parameter(
                "The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment configuration. Change the maximumPercent value to 100, and try again",
            ));
        }
    } else if controller == "ECS"
        && own.get("strategy").is_none_or(|strategy| strategy == "ROLLING")
        && most == Some(100)
        && number("minimumHealthyPercent").unwrap_or(100) == 100
    {
        // hashicorp/terraform-provider-aws#6315; there the minimum was not sent.
        return Err(Fault::parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ));
    }
    let enabled = |member: &str| own.get(member).is_some_and(|one| one["enable"] == true);
    for (member, what) in [
        ("deploymentCircuitBreaker", "Deployment circuit breaker"),
        ("alarms", "Deployment alarms"),
    ] {
        if enabled(member) && controller != "ECS" {
            return Err(Fault::parameter(format!(
                "{what} can only be used with the ECS deployment controller."
            )));
        }
    }
    if enabled("alarms") && own["alarms"]["alarmNames"].as_array().is_none_or(Vec::is_empty) {
        return Err(Fault::parameter("alarmNames should not be empty."));
    }
    if let Some(strategy) = own.get("strategy").and_then(Value::as_str) {
        if !["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"].contains(&strategy) {
            return Err(Fault::parameter(format!("Invalid strategy: '{strategy}'.")));
        }
        if strategy != "ROLLING" && controller != "ECS" {
            return Err(Fault::parameter(format!(
                "The {strategy} strategy can only be used with the ECS deployment controller."
            )));
        }
    }
    let bake = number("bakeTimeInMinutes");
    if bake.is_some_and(|minutes| !(0..=1440).contains(&minutes)) {
        return Err(Fault::parameter("bakeTimeInMinutes should be between 0 and 1440."));
    }
    breaker(own.get("deploymentCircuitBreaker"))
}

fn breaker(own: Option<&Value>) -> Result<(), Fault> {
    let Some(threshold) = own.and_then(|own| own.get("thresholdConfiguration")) else {
        return Ok(());
    };
    let value = int(threshold.get("value"));
    let fits = match threshold["type"].as_str() {
        Some("COUNT") => value.is_some_and(|value| value >= 1),
        Some("BOUNDED_PERCENT" | "UNBOUNDED_PERCENT") | None => {
            value.is_none_or(|value| (1..=100).contains(&value))
        }
        Some(_) => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::parameter("Invalid thresholdConfiguration of the deployment circuit breaker."))
    }
}

/// Which deployment controllers a service can go to (Amazon ECS Developer Guide, "Updating Amazon ECS
/// service parameters").
pub(super) fn migration(
    from: &str,
    to: &str,
    members: &Map<String, Value>,
    deploying: bool,
) -> Result<(), Fault> {
    let allowed = [
        ("CODE_DEPLOY", "ECS"),
        ("CODE_DEPLOY", "EXTERNAL"),
        ("ECS", "EXTERNAL"),
        ("EXTERNAL", "ECS"),
    ];
    if !allowed.contains(&(from, to)) {
        return Err(Fault::parameter(format!(
            "Updating the deployment controller from {from} to {to} is not supported."
        )));
    }
    if deploying {
        return Err(Fault::parameter(
            "Unable to update the deployment controller while a deployment is in progress.",
        ));
    }
    let config = members.get("deploymentConfiguration");
    let enabled = |member: &str| {
        config.and_then(|own| own.get(member)).is_some_and(|one| one["enable"] == true)
    };
    let strategy = config.and_then(|own| own.get("strategy")).and_then(Value::as_str);
    let connect =
        members.get("serviceConnectConfiguration").is_some_and(|one| one["enabled"] == true);
    let lattice = members.get("vpcLatticeConfigurations").and_then(Value::as_array);
    let in_the_way = [
        (connect, "Service Connect"),
        (lattice.is_some_and(|list| !list.is_empty()), "VPC Lattice"),
        (enabled("alarms"), "deployment alarms"),
        (enabled("deploymentCircuitBreaker"), "the deployment circuit breaker"),
        (strategy.is_some_and(|own| own != "ROLLING"), "a deployment strategy other than ROLLING"),
    ];
    match in_the_way.iter().find(|(own, _)| *own && from == "ECS") {
        Some((_, what)) => Err(Fault::parameter(format!(
            "Unable to update the deployment controller of a service with {what}."
        ))),
        None => Ok(()),
    }
}
