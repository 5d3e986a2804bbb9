//! What `ecs-bg doctor` found, in words, and what helps.

use super::failure::failure as failed;
use super::warning::warning;
use super::{quota, raise, refusal, time};
use crate::call::Allowance;
use crate::event::{Fact, Lack, Location, Owner};
use crate::model::arn::{name, short};

/// What was found.
pub(crate) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Refused(refused) => refusal::what(refused),
        Fact::Plan(one) => warning(one),
        Fact::NotAllowed { call } => {
            format!("not checked: {} is not allowed to these credentials", call.action())
        }
        Fact::NotRead { failure } => format!("not checked: {}", failed(failure)),
        Fact::CallerMayNot { what: Allowance { action, resource }, .. } => {
            format!("these credentials may not call {action} on {resource}, as IAM says")
        }
        Fact::OneTask { service, .. } => format!(
            "{service} has one task: when it fails, nothing serves until ECS has started another one"
        ),
        Fact::ShortOfTasks { service, running, desired } => {
            format!("{service} runs {running} of {desired} tasks now")
        }
        Fact::FewerWhileDeploying { service, keeps: 0, min_healthy, .. } => format!(
            "{service} has minimumHealthyPercent {min_healthy}: ECS may stop every task before a new one runs"
        ),
        Fact::FewerWhileDeploying { service, keeps, desired, min_healthy } => format!(
            "while ECS replaces tasks, {service} may run with {keeps} of {desired} (minimumHealthyPercent \
             {min_healthy})"
        ),
        Fact::NoHealthCheck { service, revision } => format!(
            "{service} has no load balancer, and no container of {revision} has a health check: a task counts as \
             good as soon as it runs"
        ),
        Fact::NoGrace { service, group, unhealthy_after, grace } if !grace.is_zero() => format!(
            "{service} has a health check grace period of {}, which spares no task: targets of {group} are \
             unhealthy only after {}",
            time(*grace),
            time(*unhealthy_after)
        ),
        Fact::NoGrace { service, group, unhealthy_after, .. } => format!(
            "{service} has no health check grace period: a new task that fails the health checks of target \
             group {group} for {} is stopped",
            time(*unhealthy_after)
        ),
        Fact::LongDrain { group, delay, .. } => format!(
            "old tasks stop {} after they leave {group} (deregistration delay); a deployment takes that much longer",
            time(*delay)
        ),
        Fact::NoDrain { group, .. } => format!(
            "{group} has the deregistration delay 0: requests on their way to a task that leaves are cut off"
        ),
        Fact::Sticky { group, duration_seconds } => {
            let long = duration_seconds.map_or(String::new(), |seconds| {
                format!(" for up to {}", time(std::time::Duration::from_secs(seconds)))
            });
            format!(
                "{group} is sticky: clients with its cookie stay on their version{long}, whatever the weights are"
            )
        }
        Fact::TargetType { group, target_type, revision, network_mode } => format!(
            "{group} takes targets of the type {target_type}, and tasks of {revision} have the network mode \
             {network_mode}"
        ),
        Fact::CheckPort { group, port, revision, .. } => format!(
            "the health check of {group} asks port {port}, which no container of {revision} has"
        ),
        Fact::RedirectIsHealthy { group, path, matcher, .. } => format!(
            "{group} takes a redirect for healthy ({path} may answer {matcher}): a login page says nothing of the \
             application"
        ),
        Fact::NewerRevision { service, newer, live, by } => {
            let by = by.as_ref().map_or(String::new(), |by| {
                format!(", registered by {}", by.rsplit(":").next().unwrap_or(by))
            });
            format!("{newer} is newer than {live}, which {service} runs{by}")
        }
        Fact::OwnedBy { service, owner, tag, .. } => match owner {
            Owner::Terraform => format!(
                "Terraform seems to own {service} (tag {tag}): its next apply puts back the task definition that it \
                 knows"
            ),
            Owner::CloudFormation | Owner::Cdk => format!(
                "CloudFormation owns {service} (tag {tag}): the next change of its stack puts back the task \
                 definition of the template"
            ),
        },
        Fact::MovingTag { container, image } => format!(
            "container {container} runs {image}: its tag moves, so nobody can tell which version that is"
        ),
        Fact::PlainSecret { container, variable } => format!(
            "{variable} of container {container} looks like a secret, and everybody who may read the task definition \
             reads it"
        ),
        Fact::NoLogs { container, revision } => format!(
            "container {container} of {revision} has no logConfiguration: nothing keeps what it prints before it fails"
        ),
        Fact::OutsideLimits { service, desired, min, max, .. } => format!(
            "{service} has the desired count {desired}, and auto scaling keeps it between {min} and {max}"
        ),
        Fact::ScalingSuspended { service, .. } => {
            format!("auto scaling of {service} is suspended")
        }
        Fact::ScalingLabel { service, policy, group, is_swapped: true, .. } => format!(
            "policy {policy} scales {service} by the requests of {group} alone: ECS swaps the two target groups with \
             each deployment, and then {group} gets none"
        ),
        Fact::ScalingLabel { service, policy, group, .. } => format!(
            "policy {policy} scales {service} by the requests of {group}, which is not a target group of {service}"
        ),
        Fact::Forecast { service, policy } => format!(
            "policy {policy} scales {service} by a forecast, which may change the desired count while a deployment is in \
             progress"
        ),
        Fact::OnlySpot { service } => format!(
            "{service} runs on FARGATE_SPOT alone: AWS may take every task away with two minutes' notice"
        ),
        Fact::OneSubnet { service, subnet } => {
            format!("all tasks of {service} are in {subnet}: its zone is a single point of failure")
        }
        Fact::OneZone { service, zone } => {
            format!("all tasks of {service} are in {zone}, which is a single point of failure")
        }
        Fact::NeverCompleted { service } => format!(
            "ECS is set to roll {service} back by itself, and no deployment of it has completed: there is nothing to \
             roll back to"
        ),
        Fact::AlarmFiring { alarm, service } => format!(
            "alarm {alarm} is in ALARM: ECS does not watch the alarms of {service} in a deployment that starts now"
        ),
        Fact::NoLogGroup { container, group, .. } => format!(
            "container {container} logs to {group}, which does not exist: its tasks do not start"
        ),
        Fact::ImagePlatform { container, image, built_for, needed } => format!(
            "image {image} of container {container} is built for {}, and its tasks need {needed}: they do not start",
            built_for.join(", ")
        ),
        Fact::NoRole { role, revision } => {
            format!("role {role} of {revision} does not exist: its tasks do not start")
        }
        Fact::RoleNotAssumable { role, revision } => format!(
            "role {role} of {revision} does not let ecs-tasks.amazonaws.com assume it: its tasks do not start"
        ),
        Fact::NoSecret { container, variable, from } => format!(
            "{variable} of container {container} comes from {from}, which does not exist: its tasks do not start"
        ),
        Fact::ZoneNotEnabled { service, subnet, zone, load_balancer, enabled } => format!(
            "tasks of {service} in {subnet} get no requests: load balancer {} has enabled {}, not {zone}",
            name(load_balancer),
            enabled.join(", ")
        ),
        Fact::FewAddresses { service, needed, free, subnets } => format!(
            "{} {} {free} free addresses, and {needed} more tasks of {service} run during a deployment",
            subnets.join(", "),
            if subnets.len() == 1 { "has" } else { "have" },
        ),
        Fact::ShortStop { container, revision, stop, group, delay } => format!(
            "container {container} of {revision} is killed {} after SIGTERM, and requests to {group} may take {} \
             to end: Spot interruptions and instances that drain cut them off",
            time(*stop),
            time(*delay)
        ),
        Fact::SettingsLeft { service, deployment, .. } => format!(
            "the deploymentConfiguration of {service} still has what {deployment} wrote into it for itself"
        ),
        Fact::Quota(own) => quota(own),
        Fact::Vcpus { region, quota, used_vcpus, more_vcpus, max_vcpus } => format!(
            "{used_vcpus} vCPUs of AWS Fargate run in {region}, and {more_vcpus} more are needed beside them: quota \
             {quota} is {max_vcpus}"
        ),
        Fact::SetupQuota(own) => format!("ecs-bg setup would be refused: {}", quota(own)),
        Fact::NoRoom { service, needed, fit, lacks } => {
            let lacks = match lacks {
                None => "there is none",
                Some(Lack::Cpu) => "CPU units are short",
                Some(Lack::Memory) => "memory is short",
                Some(Lack::Interfaces) => "network interfaces are short",
            };
            let who = match needed {
                1 => format!("no room for a task of {service} beside the old ones"),
                _ => format!(
                    "room for {fit} of the {needed} tasks of {service} that run beside the old ones"
                ),
            };
            format!("the instances of the cluster have {who}: {lacks}")
        }
    }
}

/// A `valueFrom` without the JSON key and the version after the secret's ARN.
fn secret_id(from: &str) -> String {
    from.split(':').take(7).collect::<Vec<_>>().join(":")
}

/// Gives a service's auto scaling these limits.
fn scalable(service: &str, cluster: &str, min: u32, max: u32) -> String {
    format!(
        "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id service/{cluster}/{service} --min-capacity {min} --max-capacity {max}"
    )
}

/// What helps: a command, or what to write where.
pub(crate) fn fix(fact: &Fact, location: &Location) -> Option<String> {
    let Location { cluster, service, .. } = location;
    let options = format!("--cluster {cluster} --service {service}");
    let update = |service: &str, what: &str| {
        format!("aws ecs update-service --cluster {cluster} --service {service} {what}")
    };
    let attribute = |arn: &str, seconds: u32| {
        format!(
            "aws elbv2 modify-target-group-attributes --target-group-arn {arn} --attributes \
             Key=deregistration_delay.timeout_seconds,Value={seconds}"
        )
    };
    Some(match fact {
        Fact::NotRead { .. } => return None,
        Fact::Refused(refused) => refusal::fix(refused),
        Fact::NotAllowed { call } => format!("allow {}", call.action()),
        Fact::CallerMayNot { .. } => {
            format!("allow it; all that is needed: ecs-bg iam-policy {options}")
        }
        Fact::OneTask { service, max: Some(_) } => scalable(service, cluster, 2, 2),
        Fact::OneTask { service, .. } => update(service, "--desired-count 2"),
        Fact::ShortOfTasks { .. } => format!("ecs-bg status {options}"),
        Fact::FewerWhileDeploying { .. } => {
            format!("ecs-bg deploy {options} --min-healthy 100 --max-percent 200 --force-new-deployment")
        }
        Fact::NoHealthCheck { .. } => {
            "\"healthCheck\": {\"command\": [\"CMD-SHELL\", \"…\"]} in the container's definition".to_owned()
        }
        Fact::NoGrace { service, unhealthy_after, .. } => {
            let seconds = (2 * unhealthy_after.as_secs()).max(60);
            update(service, &format!("--health-check-grace-period-seconds {seconds}"))
        }
        Fact::LongDrain { arn, .. } => attribute(arn, 30),
        Fact::NoDrain { arn, .. } => attribute(arn, 30),
        Fact::CheckPort { arn, .. } => format!(
            "aws elbv2 modify-target-group --target-group-arn {arn} --health-check-port traffic-port"
        ),
        Fact::NewerRevision { .. } => format!("ecs-bg deploy {options} --from latest"),
        Fact::OwnedBy { ignore_changes, .. } if !ignore_changes.is_empty() => {
            let lines = ignore_changes.iter().map(|one| {
                let attributes = one.attributes.join(", ");
                format!("lifecycle {{ ignore_changes = [{attributes}] }} in {}", one.resource)
            });
            let definition = "skip_destroy = true in aws_ecs_task_definition".to_owned();
            lines.chain([definition]).collect::<Vec<_>>().join("; ")
        }
        Fact::OwnedBy { .. } => {
            "give the template the new image too, or keep the service out of the stack's changes".to_owned()
        }
        Fact::MovingTag { container, .. } => {
            format!("ecs-bg deploy {options} --image {container}=REPOSITORY:TAG")
        }
        Fact::PlainSecret { container, variable, .. } => {
            format!("ecs-bg deploy {options} --secret {container}:{variable}=ARN")
        }
        Fact::NoLogs { .. } => {
            "\"logConfiguration\": {\"logDriver\": \"awslogs\", \"options\": {…}} in the container's definition"
                .to_owned()
        }
        Fact::ScalingSuspended { service, cluster } => format!(
            "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
             ecs:service:DesiredCount --resource-id service/{cluster}/{service} --suspended-state \
             DynamicScalingInSuspended=false,DynamicScalingOutSuspended=false,ScheduledScalingSuspended=false"
        ),
        Fact::ScalingLabel { is_swapped: true, .. } => {
            "scale by CPU or memory, or by the requests of both target groups (metric math)".to_owned()
        }
        Fact::ScalingLabel { service, cluster, .. } => format!(
            "aws application-autoscaling describe-scaling-policies --service-namespace ecs --resource-id \
             service/{cluster}/{service}"
        ),
        Fact::NoLogGroup { group, region, .. } => {
            let region = region.as_ref().map_or(String::new(), |region| format!(" --region {region}"));
            format!("aws logs create-log-group --log-group-name {group}{region}")
        }
        Fact::AlarmFiring { alarm, .. } => {
            format!("aws cloudwatch describe-alarms --alarm-names {alarm}")
        }
        Fact::ImagePlatform { needed, image, .. } => {
            format!("docker buildx build --platform {needed} --tag {image} --push .")
        }
        Fact::NoRole { role, .. } => {
            format!("aws iam get-role --role-name {}", short(role))
        }
        Fact::RoleNotAssumable { role, .. } => format!(
            "aws iam get-role --role-name {} --query Role.AssumeRolePolicyDocument",
            short(role)
        ),
        Fact::NoSecret { from, .. } => match from.contains(":secret:") {
            true => format!("aws secretsmanager describe-secret --secret-id {}", secret_id(from)),
            false => format!("aws ssm get-parameter --name {from}"),
        },
        Fact::ZoneNotEnabled { load_balancer, .. } => format!(
            "aws elbv2 describe-load-balancers --load-balancer-arns {load_balancer} --query \
             'LoadBalancers[].AvailabilityZones'"
        ),
        Fact::FewAddresses { subnets, .. } => {
            format!("aws ec2 describe-subnets --subnet-ids {}", subnets.join(" "))
        }
        Fact::ShortStop { delay, .. } => {
            format!("\"stopTimeout\": {} in the container's definition", delay.as_secs())
        }
        Fact::SettingsLeft { service, without, .. } => {
            update(service, &format!("--deployment-configuration '{without}'"))
        }
        Fact::Quota(own) | Fact::SetupQuota(own) => raise(own),
        Fact::Vcpus { quota, more_vcpus, used_vcpus, .. } => format!(
            "aws service-quotas request-service-quota-increase --service-code fargate --quota-code {quota} \
             --desired-value {}",
            (used_vcpus + more_vcpus).ceil()
        ),
        Fact::NoRoom { .. } => {
            format!("aws ecs list-container-instances --cluster {cluster}")
        }
        Fact::RedirectIsHealthy { arn, .. } => {
            format!("aws elbv2 modify-target-group --target-group-arn {arn} --matcher HttpCode=200")
        }
        Fact::OutsideLimits { service, cluster, desired, min, max } => {
            scalable(service, cluster, *min.min(desired), *max.max(desired))
        }
        Fact::OnlySpot { service } => update(
            service,
            "--capacity-provider-strategy capacityProvider=FARGATE,base=1,weight=1 \
             capacityProvider=FARGATE_SPOT,weight=1 --force-new-deployment",
        ),
        Fact::OneSubnet { .. } | Fact::OneZone { .. } => {
            "add a subnet of another zone to the service's networkConfiguration".to_owned()
        }
        Fact::Plan(_)
        | Fact::Sticky { .. }
        | Fact::TargetType { .. }
        | Fact::Forecast { .. }
        | Fact::NeverCompleted { .. } => return None,
    })
}
