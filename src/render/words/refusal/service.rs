//! What is in the way of deploying one service.

use crate::event::refusal::{ServiceRefused, Through};
use crate::model::arn::{family, short};
use crate::render::words::or_another;

pub(super) fn what(refusal: &ServiceRefused) -> String {
    use ServiceRefused as R;
    match refusal {
        R::NoService { service, cluster } => format!("cluster {cluster} has no service {service}"),
        R::NotActive { service, status, .. } => format!("{service} is {status}"),
        R::DeployedByCodeDeploy { service } => {
            format!("{service} is deployed by CodeDeploy (controller CODE_DEPLOY)")
        }
        R::OtherController { service, controller, .. } => format!(
            "{service} has the deployment controller {controller}: another tool manages its task sets"
        ),
        R::ShiftedByEcs { service, strategy } => format!(
            "{service} has the deployment strategy {strategy}: ECS shifts its traffic itself"
        ),
        R::IdleSide { service, twin, .. } => format!(
            "{service} is the idle service of a pair, and {twin} serves: a new version in {service} would get no traffic"
        ),
        R::NotShiftedByEcs { service } => {
            format!("{service} has the deployment strategy ROLLING: ECS shifts no traffic")
        }
        R::NotSetUp { service, .. } => format!(
            "{service} is not set up for ECS to shift its traffic: its load balancers have no advancedConfiguration \
             (a second target group and the listener rule)"
        ),
        R::UnknownStrategy { service, strategy } => format!(
            "{service} has the deployment strategy {strategy}, which ecs-bg could not put back"
        ),
        R::DaemonHasNoCount { service } => format!(
            "{service} is a DAEMON service: ECS runs one task on each instance, and takes no desired count"
        ),
        R::Daemon { service } => format!(
            "{service} is a DAEMON service: its tasks cannot run beside those of another version"
        ),
        R::NotBehindRules { service, through } => match through {
            Through::ServiceConnect => format!(
                "{service} gets traffic through Service Connect, which listener rules do not control"
            ),
            Through::ServiceRegistry => format!(
                "{service} is in a service registry: its callers do not go through the load balancer"
            ),
            Through::VpcLattice => format!(
                "{service} gets traffic through VPC Lattice, which listener rules do not control"
            ),
            Through::ClassicLoadBalancer => {
                format!("{service} is behind a Classic Load Balancer, which has no weights")
            }
        },
        R::NoTargetGroup { service } => {
            format!("{service} is in no target group, so there is no traffic to shift")
        }
        R::GroupGone { service, group, .. } => {
            format!("target group {group} of {service} does not exist: ECS can register no target")
        }
        R::GroupInNoRule { service, group } => format!(
            "no rule forwards to {group}, the target group of {service}: its targets would never become healthy"
        ),
        R::ZoneNotEnabled { service, group, target, port, .. } => format!(
            "{service}: the zone of target {target}:{port} is not enabled on the load balancer (target group \
             {group}): new tasks there would never become healthy"
        ),
        R::NoRoomToReplace {
            service,
            cluster,
            desired,
            keeps,
            min_healthy,
            may_run,
            max_percent,
            ..
        } => format!(
            "ECS could neither start nor stop a task of {service} in {cluster}: of {desired} it must keep {keeps} \
             (minimumHealthyPercent {min_healthy}) and may run {may_run} (maximumPercent {max_percent})"
        ),
        R::PortHeld { service, port, desired, keeps, min_healthy } => format!(
            "port {port} of every instance that takes tasks is held by a task of {service}: no new task can start \
             while ECS keeps {keeps} of {desired} (minimumHealthyPercent {min_healthy})"
        ),
        R::BeingDeployed { service, serves: true, .. } => {
            format!("{service} has the traffic, and somebody else deploys it right now")
        }
        R::BeingDeployed { service, serves: false, .. } => {
            format!("somebody else deploys {service} right now")
        }
        R::ServiceDeploymentRuns { service, revision, arn, status, stage } => {
            let revision = or_another(revision.as_deref());
            let stage = stage.as_deref().map_or(String::new(), |stage| format!(" at {stage}"));
            let id = short(arn);
            format!(
                "ECS deploys {revision} to {service} right now (service deployment {id}, {status}{stage})"
            )
        }
        R::LoadBalancerUnread { reason } => format!("the load balancer cannot be read: {reason}"),
        R::ServiceDeploymentsUnread { service } => format!(
            "ECS's service deployments of {service} cannot be read: nobody would see how the deployment ends"
        ),
        R::ServesWithoutTasks { service, .. } => {
            format!("{service} has the traffic, but its desired count is 0")
        }
        R::NeverRan { service, .. } => {
            format!("{service} never ran a task: there is nothing to roll back to")
        }
        R::OnInactive { service, revision } => {
            format!("{service} is on {revision}, which is not ACTIVE: ECS starts no tasks of it")
        }
    }
}

pub(super) fn fix(refusal: &ServiceRefused) -> String {
    use ServiceRefused as R;
    match refusal {
        R::NoService { cluster, .. } => format!("aws ecs list-services --cluster {cluster}"),
        R::NotActive { service, cluster, .. } => {
            format!("aws ecs describe-services --cluster {cluster} --services {service}")
        }
        R::DeployedByCodeDeploy { .. } => {
            "deploy it with CodeDeploy (aws deploy list-applications), or let ECS shift the traffic: \
             docs/engines.md, \"From CodeDeploy\""
                .to_owned()
        }
        R::OtherController { service, cluster, .. } => format!(
            "deploy it with the tool that made its task sets: aws ecs describe-task-sets --cluster {cluster} \
             --service {service}"
        ),
        R::ShiftedByEcs { .. } => "leave out --engine and --twin".to_owned(),
        R::IdleSide { service, cluster, .. } => format!(
            "{} --tag TAG starts the new version there and shifts the traffic",
            super::command("deploy", cluster, service)
        ),
        R::NotShiftedByEcs { .. } => {
            "--strategy blue-green, canary:10/5m or linear:20/2m".to_owned()
        }
        R::NotSetUp { service, cluster } => {
            format!("ecs-bg setup --cluster {cluster} --service {service}")
        }
        R::UnknownStrategy { .. } => "leave out --strategy".to_owned(),
        R::NotBehindRules { through: Through::ClassicLoadBalancer, .. } => {
            super::NEW_BALANCER.to_owned()
        }
        // A way that leaves the service's settings as they are.
        R::NotBehindRules { .. } => {
            "--engine rolling (keeps that setting; ECS replaces the tasks)".to_owned()
        }
        R::Daemon { .. } | R::NoTargetGroup { .. } => "--engine rolling".to_owned(),
        R::GroupGone { service, cluster, .. } => format!(
            "create a target group and a rule for it, and name it: aws ecs update-service --cluster {cluster} --service \
             {service} --load-balancers targetGroupArn=ARN,containerName=NAME,containerPort=PORT (this replaces the \
             whole list)"
        ),
        R::GroupInNoRule { .. } => super::NEW_RULE.to_owned(),
        R::ZoneNotEnabled { service, load_balancer, .. } => format!(
            "enable the zone, or take its subnet out of {service}: aws elbv2 describe-load-balancers \
             --load-balancer-arns {load_balancer} --query 'LoadBalancers[].AvailabilityZones'"
        ),
        R::DaemonHasNoCount { .. } => "leave out --desired-count".to_owned(),
        R::NoRoomToReplace { is_daemon: true, .. } => "--min-healthy 0".to_owned(),
        R::NoRoomToReplace { is_daemon: false, .. } => "--max-percent 200".to_owned(),
        R::PortHeld { desired, .. } => {
            format!("--min-healthy {}", desired.saturating_sub(1) * 100 / (*desired).max(1))
        }
        R::BeingDeployed { service, cluster, old, .. } => {
            let wait = format!("aws ecs wait services-stable --cluster {cluster} --services {service}");
            match old {
                None => wait,
                Some(old) => format!(
                    "{wait}; or, if its new tasks never become healthy, put {old} back: aws ecs update-service --cluster \
                     {cluster} --service {service} --task-definition {old}"
                ),
            }
        }
        R::ServiceDeploymentRuns { arn, .. } => format!(
            "run the same command with --on-conflict wait, or roll that one back: aws ecs stop-service-deployment \
             --stop-type ROLLBACK --service-deployment-arn {arn}"
        ),
        R::LoadBalancerUnread { .. } => "allow elasticloadbalancing:Describe*".to_owned(),
        R::ServiceDeploymentsUnread { .. } => "allow ecs:ListServiceDeployments, \
             ecs:DescribeServiceDeployments and ecs:DescribeServiceRevisions"
            .to_owned(),
        R::ServesWithoutTasks { service, cluster } => format!(
            "aws ecs update-service --cluster {cluster} --service {service} --desired-count 1"
        ),
        R::NeverRan { service, cluster } => {
            format!("ecs-bg status --cluster {cluster} --service {service}")
        }
        R::OnInactive { revision, .. } => {
            let family = family(revision);
            format!("aws ecs list-task-definitions --family-prefix {family} --sort DESC")
        }
    }
}
