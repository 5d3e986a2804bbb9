//! What keeps two services from standing in for each other.

use serde_json::Value;

use crate::event::refusal::{Doubt, PairRefused};
use crate::model::world::Check;
use crate::render::words::time;

pub(super) fn what(refusal: &PairRefused) -> String {
    use PairRefused as R;
    match refusal {
        R::NoTwin { service, candidate, .. } => {
            let candidate = candidate
                .as_ref()
                .map_or(String::new(), |candidate| format!(". {candidate} looks like one"));
            format!(
                "{service} has no twin (a second service whose target groups are in the same rules){candidate}"
            )
        }
        R::TwinIgnored { service, twin, doubt } => {
            let why = match doubt {
                Doubt::NoService => "there is no such service".to_owned(),
                Doubt::NotMutual => {
                    format!("{twin} does not have the tag with the value {service}")
                }
                Doubt::NoSharedRule => "no listener rule holds target groups of both".to_owned(),
            };
            format!("the tag `ecs-bg:twin` of {service} names {twin}, but it is ignored: {why}")
        }
        R::OwnTwin { twin } => format!("{twin} cannot be its own twin"),
        R::LoadBalancersUnread { reason } => format!("load balancers cannot be read: {reason}"),
        R::OtherPorts { service, twin, ports, twin_ports, .. } => format!(
            "{service} registers {} in target groups, {twin} registers {}: they do not match",
            ports.join(", "),
            twin_ports.join(", ")
        ),
        R::AmbiguousGroups { service, ports, .. } => format!(
            "{service} registers {} in two target groups, and it is not clear which belongs to which",
            ports.join(", ")
        ),
        R::SharedGroup { service, twin, group } => format!(
            "{service} and {twin} share the target group {group}, so their traffic cannot be separated"
        ),
        R::OtherProtocol { groups: [own, other], protocols: [ours, theirs] } => {
            format!("target groups {own} ({ours}) and {other} ({theirs}) have different protocols")
        }
        R::OtherLoadBalancer { groups: [own, other] } => {
            format!("target groups {own} and {other} are behind different load balancers")
        }
        R::SettingDiffers { blue, green, setting, blue_value, green_value, .. } => {
            format!("{blue} and {green} differ in {setting}: {blue_value} and {green_value}")
        }
        R::LaunchTypeDiffers { blue, green, .. } => format!(
            "{blue} and {green} differ in launchType, which cannot be changed: create one of them again"
        ),
        R::HealthCheckDiffers { blue, green, blue_check, green_check, .. } => format!(
            "target groups {blue} and {green} differ in their health check: {} and {}",
            summary(blue_check),
            summary(green_check)
        ),
        R::OtherFamily { revision, family, service, service_family } => format!(
            "{revision} is of the family {family}, but {service} runs {service_family}: the services of a pair must \
             stay in one family"
        ),
    }
}

pub(super) fn fix(refusal: &PairRefused) -> String {
    use PairRefused as R;
    match refusal {
        R::NoTwin { candidate: Some(candidate), .. } => format!("--twin {candidate}"),
        R::NoTwin { cluster, candidate: None, .. } => {
            format!(
                "aws ecs list-services --cluster {cluster}, then --twin NAME; or, if ecs-bg setup was interrupted, run it \
                 again"
            )
        }
        R::TwinIgnored { twin, .. } => {
            format!("--twin {twin} if that is right, else --engine rolling")
        }
        R::OwnTwin { .. } => "--twin OTHER_SERVICE".to_owned(),
        R::LoadBalancersUnread { .. } => {
            "allow elasticloadbalancing:Describe*, ModifyRule and ModifyListener".to_owned()
        }
        R::OtherPorts { service: one, twin: other, cluster, .. }
        | R::AmbiguousGroups { service: one, twin: other, cluster, .. }
        | R::LaunchTypeDiffers { blue: one, green: other, cluster } => {
            format!("aws ecs describe-services --cluster {cluster} --services {one} {other}")
        }
        R::SharedGroup { .. } => {
            "aws elbv2 create-target-group --name NAME --protocol HTTP --port 80 --target-type ip --vpc-id VPC"
                .to_owned()
        }
        R::OtherProtocol { groups: [own, other], .. }
        | R::OtherLoadBalancer { groups: [own, other] } => {
            format!("aws elbv2 describe-target-groups --names {own} {other}")
        }
        R::SettingDiffers { green, cluster, setting, blue_value, .. } => {
            let value = match blue_value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                value => format!("'{value}'"),
            };
            let option = option(setting);
            format!(
                "aws ecs update-service --cluster {cluster} --service {green} {option} {value}"
            )
        }
        R::HealthCheckDiffers { arn, blue_check, .. } => level(blue_check, arn),
        R::OtherFamily { revision, service_family, .. } => {
            format!("\"family\": \"{service_family}\" in {revision}")
        }
    }
}

/// The option of `aws ecs update-service` for a member of a service: `--network-configuration`.
fn option(setting: &str) -> String {
    let mut option = "--".to_owned();
    for letter in setting.chars() {
        if letter.is_ascii_uppercase() {
            option.push('-');
        }
        option.push(letter.to_ascii_lowercase());
    }
    option
}

fn summary(check: &Check) -> String {
    format!(
        "{} {} on {}, expecting {}, every {}, within {}, {} bad or {} good in a row",
        check.protocol,
        check.path,
        check.port,
        check.matcher,
        time(check.interval),
        time(check.timeout),
        check.unhealthy,
        check.healthy
    )
}

/// The command that gives a target group this health check.
fn level(check: &Check, arn: &str) -> String {
    let mut command = format!(
        "aws elbv2 modify-target-group --target-group-arn {arn} --health-check-protocol {} --health-check-port {} \
         --health-check-interval-seconds {} --health-check-timeout-seconds {} --healthy-threshold-count {} \
         --unhealthy-threshold-count {}",
        check.protocol,
        check.port,
        check.interval.as_secs(),
        check.timeout.as_secs(),
        check.healthy,
        check.unhealthy
    );
    if !check.path.is_empty() {
        let kind = if check.grpc { "GrpcCode" } else { "HttpCode" };
        command +=
            &format!(" --health-check-path '{}' --matcher {kind}={}", check.path, check.matcher);
    }
    command
}
