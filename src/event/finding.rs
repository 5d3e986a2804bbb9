//! What `ecs-bg doctor` finds, as facts. Their words and their fixes are in `render::words`.

use std::time::Duration;

use serde::Serialize;

use super::seconds;
use crate::call::{Allowance, Call};
use crate::error::Failure;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A deployment is refused, or cannot succeed.
    Error,
    /// A deployment may fail, or may do what its user does not expect.
    Warning,
    /// Something to improve.
    Hint,
    /// It could not be read.
    Unknown,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The check that found it.
    pub check: &'static str,
    /// How serious it is.
    #[serde(rename = "finding")]
    pub level: Level,
    /// What was found.
    #[serde(flatten)]
    pub fact: Fact,
}

/// The tool that owns a service's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// HashiCorp Terraform or OpenTofu.
    Terraform,
    /// AWS CloudFormation, and what is built on it.
    CloudFormation,
    /// The AWS Cloud Development Kit.
    Cdk,
}

/// What a tool must not change back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ignored {
    /// `aws_ecs_service`
    pub resource: &'static str,
    /// `desired_count`
    pub attributes: Vec<&'static str>,
}

/// A quota of Elastic Load Balancing that would be exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quota {
    /// Its name in DescribeAccountLimits.
    pub quota: &'static str,
    /// The load balancer, target group or region that has so many.
    pub resource: String,
    /// How many it has.
    pub used: usize,
    /// How many more are needed.
    pub more: usize,
    /// How many it may have.
    pub max: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A deployment is refused, and why.
    Refused(Box<super::Refused>),
    /// A warning of the plan.
    Plan(super::Warning),
    /// A read is not allowed.
    NotAllowed {
        /// The call.
        call: Call,
    },
    /// A read failed because of what it asked for.
    NotRead {
        /// What AWS said.
        failure: Failure,
    },
    /// A deployment changes it, and the caller's policies do not allow that.
    CallerMayNot {
        /// What is not allowed, and on which resource.
        #[serde(flatten)]
        what: Allowance,
    },
    /// One task serves alone.
    OneTask {
        /// The service.
        service: String,
        /// The most that auto scaling allows, where that is 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    },
    /// The service lacks tasks now.
    ShortOfTasks {
        /// The service.
        service: String,
        /// Tasks that run.
        running: u32,
        /// Tasks that are wanted.
        desired: u32,
    },
    /// ECS may stop tasks before new ones run.
    FewerWhileDeploying {
        /// The service.
        service: String,
        /// Tasks that ECS keeps.
        keeps: u32,
        /// Tasks that are wanted.
        desired: u32,
        /// Its `minimumHealthyPercent`.
        min_healthy: u32,
    },
    /// Nothing but running says that a task is well.
    NoHealthCheck {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
    },
    /// A slow start is taken for a failure.
    NoGrace {
        /// The service.
        service: String,
        /// Its target group.
        group: String,
        /// How long a new task has until it counts as unhealthy.
        #[serde(rename = "unhealthy_after_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        unhealthy_after: Duration,
        /// The grace period that there is.
        #[serde(rename = "grace_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        grace: Duration,
    },
    /// Old tasks wait long before they stop.
    LongDrain {
        /// The target group.
        group: String,
        /// Its ARN.
        arn: String,
        /// Its `deregistration_delay.timeout_seconds`.
        #[serde(rename = "delay_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        delay: Duration,
    },
    /// Connections of old tasks are cut.
    NoDrain {
        /// The target group.
        group: String,
        /// Its ARN.
        arn: String,
    },
    /// Clients keep their target.
    Sticky {
        /// The target group.
        group: String,
        /// How long at most, where the load balancer's own cookie says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_seconds: Option<u64>,
    },
    /// Tasks cannot be targets of such a group.
    TargetType {
        /// The target group.
        group: String,
        /// Its target type.
        target_type: String,
        /// `web:43`
        revision: String,
        /// Its network mode.
        network_mode: String,
    },
    /// The health check asks a port that no container has.
    CheckPort {
        /// The target group.
        group: String,
        /// Its ARN.
        arn: String,
        /// The port.
        port: String,
        /// `web:43`
        revision: String,
    },
    /// A redirect counts as healthy.
    RedirectIsHealthy {
        /// The target group.
        group: String,
        /// Its ARN.
        arn: String,
        /// Its path.
        path: String,
        /// Its matcher.
        matcher: String,
    },
    /// A newer revision of the family is registered than the one that runs.
    NewerRevision {
        /// The service.
        service: String,
        /// `web:43`
        newer: String,
        /// `web:42`
        live: String,
        /// The ARN of the principal that registered it.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Another tool owns the service's settings, and puts them back.
    OwnedBy {
        /// The service.
        service: String,
        /// The tool.
        owner: Owner,
        /// The tag that says so.
        tag: String,
        /// What it must leave alone, by resource of Terraform.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ignore_changes: Vec<Ignored>,
    },
    /// An image tag that is moved.
    MovingTag {
        /// The container.
        container: String,
        /// The image.
        image: String,
    },
    /// What looks like a secret is an ordinary variable.
    PlainSecret {
        /// The container.
        container: String,
        /// The variable's name.
        variable: String,
    },
    /// Nothing keeps what a container prints.
    NoLogs {
        /// The container.
        container: String,
        /// `web:43`
        revision: String,
    },
    /// The desired count is outside the limits of auto scaling.
    OutsideLimits {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// Its desired count.
        desired: u32,
        /// The scalable target's minimum.
        min: u32,
        /// And its maximum.
        max: u32,
    },
    /// Auto scaling is suspended.
    ScalingSuspended {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// Auto scaling counts the requests of a target group that does not tell how busy the service is.
    ScalingLabel {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// `PolicyName`
        policy: String,
        /// The target group's name.
        group: String,
        /// It is one of two that ECS swaps with each deployment; else it is none of the service's.
        is_swapped: bool,
    },
    /// Auto scaling follows a forecast.
    Forecast {
        /// The service.
        service: String,
        /// `PolicyName`
        policy: String,
    },
    /// ECS may take all tasks away at once.
    OnlySpot {
        /// The service.
        service: String,
    },
    /// All tasks are in one subnet.
    OneSubnet {
        /// The service.
        service: String,
        /// Its id.
        subnet: String,
    },
    /// All subnets are in one zone.
    OneZone {
        /// The service.
        service: String,
        /// The zone.
        zone: String,
    },
    /// ECS has nothing to roll back to.
    NeverCompleted {
        /// The service.
        service: String,
    },
    /// An alarm of the service's deployments is in ALARM now.
    AlarmFiring {
        /// The alarm.
        alarm: String,
        /// The service.
        service: String,
    },
    /// A log group that a container writes to is not there.
    NoLogGroup {
        /// The container.
        container: String,
        /// The log group.
        group: String,
        /// Its region, where that is another one.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
    /// An image is not built for the platform of the task definition.
    ImagePlatform {
        /// The container.
        container: String,
        /// The image.
        image: String,
        /// What it is built for: `linux/arm64`.
        built_for: Vec<String>,
        /// What its tasks need.
        needed: String,
    },
    /// A role of the task definition does not exist.
    NoRole {
        /// Its ARN or name.
        role: String,
        /// `web:43`
        revision: String,
    },
    /// ECS may not assume a role of the task definition.
    RoleNotAssumable {
        /// Its ARN or name.
        role: String,
        /// `web:43`
        revision: String,
    },
    /// A secret or parameter that a container names does not exist.
    NoSecret {
        /// The container.
        container: String,
        /// The variable's name, or the member of the container that names the secret.
        variable: String,
        /// The `valueFrom`.
        from: String,
    },
    /// A subnet of the service is in a zone that a load balancer has not enabled.
    ZoneNotEnabled {
        /// The service.
        service: String,
        /// The subnet's id.
        subnet: String,
        /// Its zone.
        zone: String,
        /// The load balancer's ARN.
        load_balancer: String,
        /// The zones that it has enabled.
        enabled: Vec<String>,
    },
    /// The subnets have too few addresses for what runs beside the old tasks.
    FewAddresses {
        /// The service.
        service: String,
        /// Addresses that would be needed.
        needed: u32,
        /// Addresses that are free.
        free: u32,
        /// The subnets' ids.
        subnets: Vec<String>,
    },
    /// A container is killed sooner than requests may end.
    ShortStop {
        /// The container.
        container: String,
        /// `web:43`
        revision: String,
        /// Its `stopTimeout`.
        #[serde(rename = "stop_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        stop: Duration,
        /// The target group.
        group: String,
        /// Its `deregistration_delay.timeout_seconds`.
        #[serde(rename = "delay_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        delay: Duration,
    },
    /// Settings of an earlier deployment of ours were left in the service.
    SettingsLeft {
        /// The service.
        service: String,
        /// The deployment that wrote them: `web:43`
        deployment: String,
        /// The `deploymentConfiguration` without them.
        without: serde_json::Value,
    },
    /// The load balancer takes no more targets for what runs beside the old tasks.
    Quota(Quota),
    /// AWS Fargate runs no more vCPUs for what runs beside the old tasks.
    Vcpus {
        /// The region.
        region: String,
        /// The code of the quota in Service Quotas.
        quota: &'static str,
        /// What the account runs.
        used_vcpus: f64,
        /// What is needed beside it.
        more_vcpus: f64,
        /// What it may run.
        max_vcpus: f64,
    },
    /// `ecs-bg setup` could not make what it needs.
    SetupQuota(Quota),
    /// The instances of the cluster have no room for what runs beside the old tasks.
    NoRoom {
        /// The service.
        service: String,
        /// Tasks that would have to fit.
        needed: u32,
        /// Tasks that fit.
        fit: u32,
        /// What most instances run out of first. Not there: the cluster has no instance.
        #[serde(skip_serializing_if = "Option::is_none")]
        lacks: Option<Lack>,
    },
}

/// What an instance has no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
    /// Network interfaces.
    Interfaces,
}
