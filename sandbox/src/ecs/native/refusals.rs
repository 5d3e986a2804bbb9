//! What CreateService and UpdateService refuse of the strategies that shift traffic, and of
//! `advancedConfiguration` (Amazon ECS Developer Guide, "Troubleshooting Amazon ECS blue/green
//! deployments"). What ECS finds out later is in `traffic`.

use serde_json::{Map, Value};

use super::traffic;
use crate::{
    protocol::{
        Fault,
        json::{int, texts},
    },
    state::{Here, Region},
    unverified::PauseDetails,
};

/// The stages of Lambda hooks; those without `true` cannot pause.
const STAGES: &[(&str, bool)] = &[
    ("RECONCILE_SERVICE", true),
    ("PRE_SCALE_UP", true),
    ("POST_SCALE_UP", true),
    ("TEST_TRAFFIC_SHIFT", false),
    ("POST_TEST_TRAFFIC_SHIFT", true),
    ("PRE_PRODUCTION_TRAFFIC_SHIFT", true),
    ("PRODUCTION_TRAFFIC_SHIFT", false),
    ("POST_PRODUCTION_TRAFFIC_SHIFT", true),
];

pub(crate) fn check(here: &Here<'_>, members: &Map<String, Value>) -> Result<(), Fault> {
    let config = members.get("deploymentConfiguration").unwrap_or(&Value::Null);
    let strategy = config.get("strategy").and_then(Value::as_str).unwrap_or("ROLLING");
    hooks(config, here.shared.unverified.pause_details)?;
    percent(config, "canaryConfiguration", "canaryPercent", 0.1)?;
    percent(config, "linearConfiguration", "stepPercent", 3.0)?;
    minutes(config, "canaryConfiguration", "canaryBakeTimeInMinutes")?;
    minutes(config, "linearConfiguration", "stepBakeTimeInMinutes")?;
    let list = members.get("loadBalancers").and_then(Value::as_array);
    roles(here, list.map(Vec::as_slice).unwrap_or_default())?;
    balancers(here.region, list.map(Vec::as_slice).unwrap_or_default(), strategy != "ROLLING")
}

fn refuse<T>(text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::parameter(text))
}

fn hooks(config: &Value, details: PauseDetails) -> Result<(), Fault> {
    let list = config.get("lifecycleHooks").and_then(Value::as_array);
    let (mut pauses, mut functions) = (0, 0);
    for hook in list.into_iter().flatten() {
        let kind = hook.get("targetType").and_then(Value::as_str).unwrap_or("AWS_LAMBDA");
        let stages = texts(hook.get("lifecycleStages"));
        let known = |own: &String| STAGES.iter().find(|(name, _)| name == own);
        match kind {
            "PAUSE" => {
                pauses += 1;
                if stages.iter().any(|own| known(own).is_none_or(|(_, pauses)| !pauses)) {
                    return refuse("Invalid lifecycle stage provided for Pause Hook");
                }
                if hook.get("hookDetails").is_some() && details == PauseDetails::Refuse {
                    return refuse("hookDetails is not supported for Pause Hook");
                }
            }
            "AWS_LAMBDA" => {
                functions += 1;
                if stages.iter().any(|own| known(own).is_none()) {
                    return refuse("Invalid lifecycle stage provided for Lambda Hook");
                }
                for member in ["hookTargetArn", "roleArn"] {
                    if hook.get(member).and_then(Value::as_str).is_none_or(str::is_empty) {
                        return refuse(format!("{member} is required for AWS_LAMBDA hooks"));
                    }
                }
            }
            _ => return refuse("Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE"),
        }
        if stages.is_empty() {
            return refuse("lifecycleStages should not be empty.");
        }
        let most = if kind == "PAUSE" { 20_160 } else { 1440 };
        let timeout = int(hook.pointer("/timeoutConfiguration/timeoutInMinutes"));
        if timeout.is_some_and(|minutes| !(1..=most).contains(&minutes)) {
            return refuse(format!("timeoutInMinutes should be between 1 and {most}."));
        }
        let action = hook.pointer("/timeoutConfiguration/action").and_then(Value::as_str);
        if action.is_some_and(|own| !["ROLLBACK", "CONTINUE"].contains(&own)) {
            return refuse("Invalid timeout action. Valid values are: ROLLBACK, CONTINUE");
        }
    }
    if pauses > 10 || functions > 10 {
        return refuse("A service can have at most 10 hooks of each targetType.");
    }
    Ok(())
}

/// Percentages have one decimal.
fn percent(config: &Value, block: &str, member: &str, least: f64) -> Result<(), Fault> {
    let Some(own) = config.get(block).and_then(|block| block.get(member)?.as_f64()) else {
        return Ok(());
    };
    let tenths = own * 10.0;
    match (least..=100.0).contains(&own) && (tenths - tenths.round()).abs() < 1e-6 {
        true => Ok(()),
        false => refuse(format!("{member} should be between {least:.1} and 100.0.")),
    }
}

fn minutes(config: &Value, block: &str, member: &str) -> Result<(), Fault> {
    let own = config.get(block).and_then(|block| int(block.get(member)));
    match own.is_none_or(|minutes| (0..=1440).contains(&minutes)) {
        true => Ok(()),
        false => refuse(format!("{member} should be between 0 and 1440.")),
    }
}

fn balancers(region: &Region, list: &[Value], shifts: bool) -> Result<(), Fault> {
    let advanced = |one: &Value| one.get("advancedConfiguration").is_some();
    for one in list.iter().filter(|one| advanced(one)) {
        if one.get("loadBalancerName").is_some() {
            return refuse("advancedConfiguration field is not allowed with ELBv1 loadBalancers");
        }
    }
    let some = list.iter().filter(|one| advanced(one)).count();
    if shifts && some == 0 && !list.is_empty() {
        return refuse(
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy",
        );
    }
    if some > 0 && some < list.len() {
        return refuse(
            "Either all or none of the provided loadBalancers must have advancedConfiguration defined",
        );
    }
    let mut seen: Vec<&str> = Vec::new();
    for one in list.iter().filter(|one| advanced(one)) {
        let text = |path: &str| one.pointer(path).and_then(Value::as_str);
        let groups =
            [text("/targetGroupArn"), text("/advancedConfiguration/alternateTargetGroupArn")];
        for group in groups.into_iter().flatten() {
            if seen.contains(&group) {
                return refuse(format!("Duplicate targetGroupArn found: {group}"));
            }
            seen.push(group);
        }
        // Not documented: the texts for what is missing.
        for member in ["alternateTargetGroupArn", "productionListenerRule", "roleArn"] {
            if text(&format!("/advancedConfiguration/{member}")).is_none_or(str::is_empty) {
                return refuse(format!("{member} is required in advancedConfiguration"));
            }
        }
        rules(region, groups.map(Option::unwrap_or_default), one)?;
    }
    Ok(())
}

/// Amazon ECS must be able to assume the infrastructure role. A role that the account does not list is taken for one
/// that it can: scenarios need not name it.
fn roles(here: &Here<'_>, list: &[Value]) -> Result<(), Fault> {
    let arns = list.iter().filter_map(|one| one["advancedConfiguration"]["roleArn"].as_str());
    for arn in arns {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        let Some(role) = here.shared.roles.get(name) else { continue };
        let is_new = role.made.is_some_and(|made| here.now() - made < here.shared.timing.role);
        if is_new || !role.trusts("ecs.amazonaws.com") {
            return refuse(format!(
                "ECS was unable to assume the role '{arn}' that was provided for this service. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
            ));
        }
    }
    Ok(())
}

/// `listener-rule/app/…` of an Application Load Balancer, `listener/net/…` of a Network Load Balancer.
fn is_network(arn: &str) -> Option<bool> {
    let resource = arn.splitn(6, ':').nth(5).filter(|_| arn.starts_with("arn:"))?;
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["listener-rule", "app", ..] => Some(false),
        ["listener", "net", ..] => Some(true),
        _ => None,
    }
}

fn rules(region: &Region, groups: [&str; 2], one: &Value) -> Result<(), Fault> {
    let text =
        |member: &str| one.get("advancedConfiguration").and_then(|own| own.get(member)?.as_str());
    let production = text("productionListenerRule").unwrap_or_default();
    let test = text("testListenerRule");
    let invalid = |member: &str, arn: &str| {
        refuse(format!(
            "{member} has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for NLB. Got: {arn}"
        ))
    };
    let Some(network) = is_network(production) else {
        return invalid("productionListenerRule", production);
    };
    // An empty text is accepted, and fails later.
    if let Some(test) = test.filter(|arn| !arn.is_empty() && is_network(arn).is_none()) {
        return invalid("testListenerRule", test);
    }
    if test == Some(production) {
        return refuse(format!(
            "The following rules cannot be used as both production and test listener rules: {production}"
        ));
    }
    let Some(rule) = traffic::rule(region, production) else { return Ok(()) };
    let named = traffic::weights(region, &rule);
    let both = groups.iter().all(|group| named.iter().any(|(own, _)| own == group));
    if test.is_none() && !network && !both {
        return refuse(
            "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not associated with both targetGroup and alternateTargetGroup",
        );
    }
    Ok(())
}
