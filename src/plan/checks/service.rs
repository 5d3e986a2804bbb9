//! What is true of one service, or it is not deployed.

use serde_json::Value;

use super::refuse;
use crate::event::Refusal;
use crate::event::refusal::{DefinitionRefused, ServiceRefused, Through};
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
    let (service, cluster) = (name.to_owned(), survey.cluster_name().to_owned());
    Refusal::new(ServiceRefused::NoService { service, cluster })
}

/// ECS may be told what the service is to run.
pub(in crate::plan) fn service_is_deployable(survey: &Survey) -> Result<(), Refusal> {
    deployable(survey, existing(survey, &survey.service)?)
}

/// What is in the way of deploying a service by changing what it runs.
pub(in crate::plan) fn deployable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    let (name, cluster) = (service.name.clone(), survey.cluster_name().to_owned());
    if service.status != "ACTIVE" {
        let status = service.status.clone();
        return refuse(ServiceRefused::NotActive { service: name, cluster, status });
    }
    let setting = |path: &[&str]| setting_at(service, path);
    match setting(&["deploymentController", "type"]).and_then(Value::as_str) {
        Some("CODE_DEPLOY") => {
            return refuse(ServiceRefused::DeployedByCodeDeploy { service: name });
        }
        Some(other) if other != "ECS" => {
            return refuse(ServiceRefused::OtherController {
                service: name,
                cluster,
                controller: other.to_owned(),
            });
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
        strategy => refuse(ServiceRefused::ShiftedByEcs {
            service: service.name.clone(),
            strategy: strategy.to_owned(),
        }),
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

/// Whether ECS runs one task on each instance.
pub(in crate::plan) fn is_daemon(service: &Service) -> bool {
    setting_at(service, &["schedulingStrategy"]).and_then(Value::as_str) == Some("DAEMON")
}

/// What the `listener` engine cannot do with a service, whatever its twin is.
pub(in crate::plan) fn weighable(service: &Service) -> Result<(), Refusal> {
    let name = || service.name.clone();
    let not_behind_rules =
        |through| refuse(ServiceRefused::NotBehindRules { service: name(), through });
    let setting = |path: &[&str]| setting_at(service, path);
    if is_daemon(service) {
        return refuse(ServiceRefused::Daemon { service: name() });
    }
    let filled = |value: Option<&Value>| {
        value.and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    let primary = setting(&["deployments"])
        .and_then(Value::as_array)
        .and_then(|list| list.iter().find(|deployment| deployment["status"] == "PRIMARY"));
    let in_primary = |path: &str| primary.and_then(|primary| primary.pointer(path));
    if filled(in_primary("/serviceConnectConfiguration/services")) {
        return not_behind_rules(Through::ServiceConnect);
    }
    if filled(setting(&["serviceRegistries"])) {
        return not_behind_rules(Through::ServiceRegistry);
    }
    if filled(in_primary("/vpcLatticeConfigurations")) {
        return not_behind_rules(Through::VpcLattice);
    }
    let balancers = setting(&["loadBalancers"]).and_then(Value::as_array);
    if balancers.is_some_and(|list| list.iter().any(|lb| lb.get("loadBalancerName").is_some())) {
        return not_behind_rules(Through::ClassicLoadBalancer);
    }
    if service.attachments.is_empty() {
        return refuse(ServiceRefused::NoTargetGroup { service: name() });
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
        Some(attachment) => refuse(DefinitionRefused::LacksPort {
            revision: wanted.base.name.clone(),
            container: attachment.container.clone(),
            port: attachment.port,
            service: service.name.clone(),
        }),
    }
}

/// Targets that the load balancer never uses: those of new tasks would wait to become healthy for ever.
pub(in crate::plan) fn usable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    for attachment in &service.attachments {
        let Some(group) = survey.world.groups.get(&attachment.group) else {
            match survey.blind {
                Some(_) => continue,
                None => {
                    return refuse(ServiceRefused::GroupGone {
                        service: service.name.clone(),
                        cluster: survey.cluster_name().to_owned(),
                        group: attachment.group.clone(),
                    });
                }
            }
        };
        if group.load_balancers.is_empty() {
            return refuse(ServiceRefused::GroupInNoRule {
                service: service.name.clone(),
                group: group.name.clone(),
            });
        }
        let unused = survey.unused.iter().filter(|(arn, _)| *arn == group.arn);
        let mut outside = unused.filter(|(_, target)| not_in_use(target) == Some(NotInUse::Zone));
        if let Some((_, target)) = outside.next() {
            return refuse(ServiceRefused::ZoneNotEnabled {
                service: service.name.clone(),
                group: group.name.clone(),
                target: target.id.clone(),
                port: target.port,
                load_balancer: group.load_balancers[0].clone(),
            });
        }
    }
    Ok(())
}
