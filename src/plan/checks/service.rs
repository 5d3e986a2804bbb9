//! What is true of one service, or it is not deployed.

use serde_json::Value;

use super::refuse;
use crate::error::Refusal;
use crate::model::health::{NotInUse, not_in_use};
use crate::model::world::Service;
use crate::plan::{Survey, Wanted};

pub(in crate::plan) fn existing<'a>(
    survey: &'a Survey,
    name: &str,
) -> Result<&'a Service, Refusal> {
    match survey.world.service(name).filter(|service| service.status != "INACTIVE") {
        Some(service) => Ok(service),
        None => Err(no_service(survey, name)),
    }
}

pub(in crate::plan) fn no_service(survey: &Survey, name: &str) -> Refusal {
    let cluster = survey.cluster_name();
    let what = format!("cluster {cluster} has no service {name}");
    Refusal::new(what, format!("aws ecs list-services --cluster {cluster}"))
}

/// ECS may be told what the service is to run.
pub(in crate::plan) fn service_is_deployable(survey: &Survey) -> Result<(), Refusal> {
    deployable(survey, existing(survey, &survey.service)?)
}

/// What is in the way of deploying a service by changing what it runs.
pub(in crate::plan) fn deployable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    let (name, cluster) = (&service.name, survey.cluster_name());
    if service.status != "ACTIVE" {
        return refuse(
            format!("{name} is {}", service.status),
            format!("aws ecs describe-services --cluster {cluster} --services {name}"),
        );
    }
    let setting = |path: &[&str]| setting_at(service, path);
    match setting(&["deploymentController", "type"]).and_then(Value::as_str) {
        Some("CODE_DEPLOY") => {
            return refuse(
                format!("{name} is deployed by CodeDeploy (controller CODE_DEPLOY)"),
                "deploy it with CodeDeploy (aws deploy list-applications), or let ECS shift the traffic: docs/engines.md, \
                 \"From CodeDeploy\"",
            );
        }
        Some(other) if other != "ECS" => {
            return refuse(
                format!(
                    "{name} has the deployment controller {other}: another tool manages its task sets"
                ),
                format!(
                    "aws ecs describe-task-sets --cluster {cluster} --service {name}: deploy it with the tool that made them"
                ),
            );
        }
        _ => {}
    }
    Ok(())
}

/// The same of one whose tasks are to be replaced, or put beside those of another service.
pub(in crate::plan) fn replaceable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    deployable(survey, service)?;
    match service.strategy() {
        "ROLLING" => Ok(()),
        strategy => refuse(
            format!(
                "{} has the deployment strategy {strategy}: ECS shifts its traffic itself",
                service.name
            ),
            "leave out --engine, or --engine native",
        ),
    }
}

/// ECS may be told to replace the service's tasks.
pub(in crate::plan) fn service_is_replaceable(survey: &Survey) -> Result<(), Refusal> {
    replaceable(survey, existing(survey, &survey.service)?)
}

/// A member of a service's settings.
pub(in crate::plan) fn setting_at<'a>(service: &'a Service, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(service.settings.get(*first)?, |value, key| value.get(key))
}

/// A way that leaves the service's settings as they are.
const KEEPS: &str = "--engine rolling (keeps that setting; ECS replaces the tasks)";

/// What the `listener` engine cannot do with a service, whatever its twin is.
pub(super) fn weighable(service: &Service) -> Result<(), Refusal> {
    let name = &service.name;
    let setting = |path: &[&str]| setting_at(service, path);
    if setting(&["schedulingStrategy"]).and_then(Value::as_str) == Some("DAEMON") {
        return refuse(
            format!(
                "{name} is a DAEMON service: its tasks cannot run beside those of another version"
            ),
            "--engine rolling",
        );
    }
    let filled = |value: Option<&Value>| {
        value.and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    let primary = setting(&["deployments"])
        .and_then(Value::as_array)
        .and_then(|list| list.iter().find(|deployment| deployment["status"] == "PRIMARY"));
    let in_primary = |path: &str| primary.and_then(|primary| primary.pointer(path));
    if filled(in_primary("/serviceConnectConfiguration/services")) {
        return refuse(
            format!(
                "{name} gets traffic through Service Connect, which listener rules do not control"
            ),
            KEEPS,
        );
    }
    if filled(setting(&["serviceRegistries"])) {
        return refuse(
            format!(
                "{name} is in a service registry: its callers do not go through the load balancer"
            ),
            KEEPS,
        );
    }
    if filled(in_primary("/vpcLatticeConfigurations")) {
        return refuse(
            format!("{name} gets traffic through VPC Lattice, which listener rules do not control"),
            KEEPS,
        );
    }
    let balancers = setting(&["loadBalancers"]).and_then(Value::as_array);
    if balancers.is_some_and(|list| list.iter().any(|lb| lb.get("loadBalancerName").is_some())) {
        return refuse(
            format!("{name} is behind a Classic Load Balancer, which has no weights"),
            "aws elbv2 create-load-balancer --name NAME --subnets SUBNET SUBNET",
        );
    }
    if service.attachments.is_empty() {
        return refuse(
            format!("{name} is in no target group, so there is no traffic to shift"),
            "--engine rolling",
        );
    }
    Ok(())
}

/// A task definition from elsewhere must have what the service's load balancers send requests to.
pub(in crate::plan) fn for_a_service(wanted: &Wanted, service: &Service) -> Result<(), Refusal> {
    let ports = &wanted.base.ports;
    let lacking = service.attachments.iter().find(|attachment| {
        !ports.iter().any(|(name, port)| *name == attachment.container && *port == attachment.port)
    });
    match lacking {
        None => Ok(()),
        Some(attachment) => refuse(
            format!(
                "{} has no container {} with the port {}, which the load balancer of {} sends requests to",
                wanted.base.name, attachment.container, attachment.port, service.name
            ),
            format!("\"portMappings\": [{{\"containerPort\": {}}}]", attachment.port),
        ),
    }
}

/// Targets that the load balancer never uses: those of new tasks would wait to become healthy for ever.
pub(in crate::plan) fn usable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    for attachment in &service.attachments {
        let Some(group) = survey.world.groups.get(&attachment.group) else { continue };
        if group.load_balancers.is_empty() {
            return refuse(
                format!(
                    "no rule forwards to {}, the target group of {}: its targets would never become healthy",
                    group.name, service.name
                ),
                "aws elbv2 create-rule --listener-arn ARN --priority 10 --conditions … --actions …",
            );
        }
        let unused = survey.unused.iter().filter(|(arn, _)| *arn == group.arn);
        let mut outside = unused.filter(|(_, target)| not_in_use(target) == Some(NotInUse::Zone));
        if let Some((_, target)) = outside.next() {
            let balancer = &group.load_balancers[0];
            return refuse(
                format!(
                    "{}: the zone of target {}:{} is not enabled on the load balancer (target group {}): new \
                     tasks there would never become healthy",
                    service.name, target.id, target.port, group.name
                ),
                format!(
                    "enable the zone, or take its subnet out of {}: aws elbv2 describe-load-balancers \
                     --load-balancer-arns {balancer} --query 'LoadBalancers[].AvailabilityZones'",
                    service.name
                ),
            );
        }
    }
    Ok(())
}
