//! Changes that a deployment made.

use serde::Serialize;

use crate::model::scaling::Suspended;

/// A change that AWS accepted. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A service is on a revision with so many tasks.
    Revision {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
        /// Tasks that it wants.
        desired: u32,
    },
    /// A service wants so many tasks.
    DesiredCount {
        /// The service.
        service: String,
        /// Tasks that it wants.
        desired: u32,
    },
    /// ECS replaces the tasks of a service.
    Replacement {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
        /// `desiredCount`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        desired: Option<u32>,
        /// `minimumHealthyPercent`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        minimum_healthy_percent: Option<u32>,
        /// `maximumPercent`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum_percent: Option<u32>,
        /// The tasks run that revision already, and are replaced all the same.
        forced: bool,
    },
    /// A rule has these weights.
    Weights {
        /// The rule.
        rule: String,
        /// Target groups and their weights.
        weights: Vec<Weight>,
    },
    /// The task of `--before` was started.
    BeforeStarted {
        /// Its id.
        task: String,
    },
    /// The task of `--before` succeeded.
    BeforeSucceeded,
    /// Tasks were asked to stop.
    TasksStopped {
        /// Their ids.
        tasks: Vec<String>,
        /// Why.
        why: StopReason,
    },
    /// Tasks were started.
    TasksStarted {
        /// Their ids.
        tasks: Vec<String>,
        /// `web:43`
        revision: String,
    },
    /// ECS shifts the traffic of a service to a revision.
    Shift {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
        /// The service's deployment settings change with it.
        reconfigured: bool,
    },
    /// What was set for this deployment only is as it was.
    SettingsRestored {
        /// The service.
        service: String,
    },
    /// A scalable target suspends this, and has these limits.
    Scaling(Scaling),
    /// ECS goes on from a stage at which it waited for the gates.
    DeploymentContinued {
        /// ECS's `lifecycleStage`.
        stage: String,
    },
    /// ECS was asked to roll its deployment back.
    DeploymentStopped {
        /// The id of the service deployment.
        deployment: String,
    },
    /// A role was made by which ECS changes rules.
    RoleCreated {
        /// Its name.
        role: String,
    },
    /// It was given a policy.
    PolicyAttached {
        /// The role's name.
        role: String,
        /// The policy's name.
        policy: String,
    },
    /// A target group was made, a copy of another one.
    GroupCreated {
        /// Its name.
        group: String,
        /// The name of the other one.
        base: String,
    },
    /// It has the attributes of the other one.
    GroupAttributes {
        /// Its name.
        group: String,
        /// How many were set.
        count: usize,
    },
    /// A target group was deleted.
    GroupDeleted {
        /// Its name.
        group: String,
    },
    /// A rule for test traffic was made.
    TestRuleCreated {
        /// Its name.
        rule: String,
        /// The name of the production rule.
        of: String,
        /// The header that its requests have: `X-Preview=1`
        header: String,
    },
    /// A rule for test traffic was deleted.
    TestRuleDeleted {
        /// Its name.
        rule: String,
    },
    /// ECS knows the second target group of a service; it replaces the tasks.
    TrafficShiftPrepared {
        /// The service.
        service: String,
        /// The second group's name.
        group: String,
        /// The production rule's name.
        rule: String,
    },
    /// ECS knows one target group of a service only; it replaces the tasks.
    TrafficShiftRemoved {
        /// The service.
        service: String,
    },
    /// A service has this deployment strategy.
    StrategySet {
        /// The service.
        service: String,
        /// ECS's name for it.
        strategy: &'static str,
        /// `bakeTimeInMinutes`
        bake_minutes: u32,
    },
    /// The record was written.
    Record,
}

/// A target group's weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Weight {
    /// Its name.
    pub group: String,
    /// As it is written: the weights of a rule need not add up to 100.
    pub weight: u32,
}

/// Why a task is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The user asked to stop.
    Interrupted,
    /// Its time is up.
    TimedOut,
    /// The deployment rolls back.
    RollingBack,
}

/// What a scalable target is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scaling {
    /// The service.
    pub service: String,
    /// `MinCapacity`; none: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// `MaxCapacity`; none: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// `SuspendedState`
    pub suspended: Suspended,
}
