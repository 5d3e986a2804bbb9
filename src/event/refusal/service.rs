//! What is in the way of deploying one service: what it is, how it is set up, and what it does now.

use serde::Serialize;

/// A service that cannot be deployed, or not like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum ServiceRefused {
    /// The cluster has no such service.
    NoService {
        /// It.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// Its status is not ACTIVE.
    NotActive {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// ECS's `status`.
        status: String,
    },
    /// CodeDeploy deploys it.
    DeployedByCodeDeploy {
        /// The service.
        service: String,
    },
    /// Another tool manages its task sets.
    OtherController {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// ECS's `deploymentController`.
        controller: String,
    },
    /// ECS shifts its traffic itself: no other engine can deploy it.
    ShiftedByEcs {
        /// The service.
        service: String,
        /// ECS's `strategy`.
        strategy: String,
    },
    /// It is the side of a pair that does not serve: it runs no task, or those that were kept.
    IdleSide {
        /// The service.
        service: String,
        /// Its twin.
        twin: String,
        /// The cluster.
        cluster: String,
    },
    /// ECS shifts no traffic of it, and no strategy is asked for.
    NotShiftedByEcs {
        /// The service.
        service: String,
    },
    /// It has no second target group for ECS to shift its traffic to.
    NotSetUp {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// ecs-bg could not put its deployment strategy back.
    UnknownStrategy {
        /// The service.
        service: String,
        /// ECS's `strategy`.
        strategy: String,
    },
    /// It is a DAEMON service.
    Daemon {
        /// The service.
        service: String,
    },
    /// It is a DAEMON service: it runs a task on every instance, and takes no desired count.
    DaemonHasNoCount {
        /// The service.
        service: String,
    },
    /// Its traffic does not come through listener rules.
    NotBehindRules {
        /// The service.
        service: String,
        /// What it comes through.
        through: Through,
    },
    /// It is in no target group.
    NoTargetGroup {
        /// The service.
        service: String,
    },
    /// A target group of it does not exist.
    GroupGone {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The target group's ARN.
        group: String,
    },
    /// No rule forwards to a target group of it.
    GroupInNoRule {
        /// The service.
        service: String,
        /// The target group.
        group: String,
    },
    /// The load balancer never uses targets in a zone of it.
    ZoneNotEnabled {
        /// The service.
        service: String,
        /// The target group.
        group: String,
        /// A target in that zone: its IP address or the instance's id.
        target: String,
        /// Its port.
        port: u16,
        /// The load balancer's ARN.
        load_balancer: String,
    },
    /// ECS could neither start nor stop a task.
    NoRoomToReplace {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// Tasks that are wanted.
        desired: u64,
        /// Tasks that ECS must keep.
        keeps: u64,
        /// `minimumHealthyPercent`
        min_healthy: u64,
        /// Tasks that may run.
        may_run: u64,
        /// `maximumPercent`
        max_percent: u64,
        /// It is a DAEMON service.
        is_daemon: bool,
    },
    /// Its own tasks hold a port that every new task needs.
    PortHeld {
        /// The service.
        service: String,
        /// The port.
        port: u64,
        /// Tasks that are wanted.
        desired: u32,
        /// Tasks that ECS keeps.
        keeps: u64,
        /// `minimumHealthyPercent`
        min_healthy: u32,
    },
    /// Somebody else deploys it.
    BeingDeployed {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// It has the traffic of its pair.
        serves: bool,
        /// The revision whose tasks are being replaced.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
    },
    /// Its load balancer may not be read.
    LoadBalancerUnread {
        /// What AWS said.
        reason: String,
    },
    /// What ECS deploys may not be read.
    ServiceDeploymentsUnread {
        /// The service.
        service: String,
    },
    /// A service deployment of it is in progress.
    ServiceDeploymentRuns {
        /// The service.
        service: String,
        /// The revision that is deployed, where ECS says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// The ARN of the service deployment.
        arn: String,
        /// ECS's `status`.
        status: String,
        /// ECS's `lifecycleStage`.
        #[serde(skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
    },
    /// It has the traffic, and wants no task.
    ServesWithoutTasks {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// It never ran a task: there is nothing to roll back to.
    NeverRan {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// ECS starts no tasks of the revision that it is on.
    OnInactive {
        /// The service.
        service: String,
        /// `web:42`
        revision: String,
    },
}

/// What traffic comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// ECS Service Connect.
    ServiceConnect,
    /// A service registry of AWS Cloud Map.
    ServiceRegistry,
    /// Amazon VPC Lattice.
    VpcLattice,
    /// A Classic Load Balancer.
    ClassicLoadBalancer,
}
