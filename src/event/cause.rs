//! Causes: why a deployment rolls back, cannot go on, or belongs to another process.

use std::time::Duration;

use serde::Serialize;

use super::change::{Scaling, StopReason};
use super::ending::Hint;
use super::error::Fault;
use super::seconds;
use super::wait::{Sight, WaitReason};
use crate::error::Failure;
use crate::model::ecs_reason::EcsReason;
use crate::model::gate::GateFault;
use crate::model::health::{Sickness, TaskFailure};

/// What happened. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum Cause {
    /// ECS failed the deployment: its circuit breaker, an alarm, or StopServiceDeployment.
    EcsFailed {
        /// The service.
        service: String,
        /// ECS's `rolloutStateReason`.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What it means.
        #[serde(skip_serializing_if = "Option::is_none")]
        meaning: Option<EcsReason>,
        /// The alarms that the deployment watches, where the reason speaks of one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        alarms: Vec<String>,
        /// A task that failed before.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<TaskFailure>,
    },
    /// ECS put the service back on an earlier revision.
    EcsRolledBack {
        /// The service.
        service: String,
        /// `web:42`
        revision: String,
        /// A task that failed before.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<TaskFailure>,
    },
    /// Tasks failed.
    Tasks {
        /// How many; those that capacity or a quota stopped do not count.
        count: u32,
        /// The last of them, or the one that decides.
        task: TaskFailure,
        /// Another one had ended the same way.
        repeated: bool,
        /// A start that is slower than the health check grace period may be why.
        #[serde(skip_serializing_if = "Option::is_none")]
        grace: Option<Grace>,
    },
    /// An alarm of `--alarm` went off.
    Alarm {
        /// Its name.
        alarm: String,
    },
    /// The alarms of `--alarm` cannot be read.
    AlarmsUnread {
        /// For how long.
        #[serde(rename = "unread_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        unread: Duration,
    },
    /// A gate failed.
    Gate {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// What it found.
        #[serde(flatten)]
        fault: GateFault,
        /// The new side's share of the traffic in percent.
        share: u8,
        /// How many wrong answers it had at this share.
        wrong: u32,
    },
    /// A gate could not tell for too long whether the new version is good.
    GateUndecided {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// What it said last.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        fault: Option<GateFault>,
        /// For how long after the share was to be left.
        #[serde(rename = "beyond_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        beyond: Duration,
    },
    /// Nobody promoted a share in time.
    NotPromoted {
        /// The new side's share of the traffic in percent.
        share: u8,
        /// How long the deployment paused.
        #[serde(rename = "limit_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        limit: Duration,
    },
    /// A target of the new revision is not healthy.
    Target {
        /// What the load balancer says.
        target: Sickness,
        /// A start that is slower than the health check grace period may be why.
        #[serde(skip_serializing_if = "Option::is_none")]
        grace: Option<Grace>,
    },
    /// The new side has traffic and too few healthy targets.
    TooFewHealthy {
        /// The service.
        service: String,
        /// Healthy targets.
        healthy: u32,
        /// Tasks that it needs.
        wanted: u32,
    },
    /// The new revision has traffic and too few tasks.
    TooFewTasks {
        /// The service.
        service: String,
        /// Tasks that run.
        running: u32,
        /// Tasks that it needs.
        wanted: u32,
        /// The last task that failed.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<TaskFailure>,
    },
    /// The new side has traffic, and its target health was not answered for too long.
    HealthUnknown {
        /// The service.
        service: String,
        /// For how long.
        #[serde(rename = "silent_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        silent: Duration,
    },
    /// Somebody deployed to the old side, which serves.
    OldSideChanged {
        /// The service.
        service: String,
        /// `web:44`; none: the same revision anew.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
    /// Nothing got better for too long.
    NoProgress {
        /// `--timeout`
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
        /// What is missing.
        #[serde(skip_serializing_if = "Option::is_none")]
        lacks: Option<WaitReason>,
        /// The last task that failed, where tasks are missing.
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<TaskFailure>,
    },
    /// One phase of a rolling deployment took too long.
    PhaseTooLong {
        /// Its limit.
        #[serde(rename = "limit_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        limit: Duration,
        /// A task of the new revision runs.
        runs: bool,
        /// What is missing.
        lacks: WaitReason,
    },
    /// So many changes brought no end.
    TooManyChanges {
        /// Changes that were sent.
        changes: u32,
    },
    /// Rolling back takes too long.
    RollbackTooLong {
        /// What is missing.
        #[serde(skip_serializing_if = "Option::is_none")]
        lacks: Option<WaitReason>,
    },
    /// A service is gone.
    ServiceGone {
        /// Its name.
        service: String,
        /// Its status, where it is still shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// A rule that this deployment must not write gives a side traffic that is to be emptied.
    StillHasTraffic {
        /// The rule.
        rule: String,
        /// The service.
        service: String,
    },
    /// A rule shows what this deployment did not write.
    Drift {
        /// What it shows.
        sight: Sight,
        /// The command that rolls back instead, where one of ours does.
        #[serde(skip_serializing_if = "Option::is_none")]
        back: Option<Box<Hint>>,
    },
    /// Something is in the way that was not before.
    InTheWay {
        /// What it is.
        error: Fault,
    },
    /// ECS cannot assume a role, for long.
    RoleNotAssumable {
        /// Its name.
        role: String,
        /// For how long ECS was asked to.
        #[serde(rename = "waited_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        waited: Duration,
        /// What ECS said.
        message: String,
    },
    /// The user asked to stop.
    Interrupted,
    /// The user asked to stop, and to leave everything as it is.
    Held {
        /// The share of the new side in percent; none: ECS goes on.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<u8>,
        /// The service.
        service: String,
    },
    /// AWS refused a call, or could not be asked.
    Aws(Failure),
    /// Somebody deregistered the scalable target of one service of a pair: nobody knows its limits.
    OneIsNotScaled {
        /// The service that is still scaled.
        service: String,
        /// The other one.
        other: String,
    },
    /// Auto scaling could not be changed, or not be read.
    Scaling {
        /// The call.
        failure: Failure,
        /// The cluster.
        cluster: String,
        /// What is still to be changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<Scaling>,
    },
    /// The task of `--before` failed.
    Before {
        /// Its id.
        task: String,
        /// How it ended.
        ended: BeforeEnded,
    },
    /// ECS has forgotten whether the task of `--before` ran.
    BeforeForgotten,
    /// The task of `--before` did not start, and its command is not stored anywhere.
    BeforeUnknown,
    /// A restart has nothing to roll back to.
    RestartFails {
        /// What happened.
        why: Box<Cause>,
    },
    /// The old side does not run either.
    OldSideFails {
        /// `web:42`
        revision: String,
        /// It ran no task when the deployment began.
        never_ran: bool,
        /// Why, where its tasks say so.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<Box<Cause>>,
    },
    /// Both sides have their reasons.
    Both {
        /// The new side's.
        new: Box<Cause>,
        /// The old side's.
        old: Box<Cause>,
    },
    /// Somebody lowered the desired count.
    DesiredCountLowered {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// Tasks that ECS is to run.
        desired: u32,
        /// Tasks that were planned.
        planned: u32,
    },
    /// It ended with fewer tasks than planned.
    FewerTasks {
        /// `web:43`
        revision: String,
    },
    /// The record names larger numbers than a newcomer follows.
    NumbersNotFollowed {
        /// Which.
        numbers: Vec<Number>,
    },
    /// A person asked for it.
    Asked,
    /// An earlier process rolled back.
    EarlierRun {
        /// The record's code for the reason.
        reason_code: &'static str,
    },
    /// Somebody put the service on another revision.
    RevisionChanged {
        /// The service.
        service: String,
        /// `web:44`
        revision: String,
    },
    /// Another process has taken over.
    TakenOver {
        /// That process.
        owner: String,
        /// `web:43`
        deployment: String,
    },
    /// The task took too long.
    TookTooLong,
    /// Tasks that ecs-bg asked to stop still run.
    DoNotStop {
        /// Why they were told so.
        why: StopReason,
    },
    /// ECS does not know the task any more.
    TaskForgotten,
    /// The task stopped.
    TaskStopped {
        /// ECS's `stoppedReason`.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Another deployment took its place.
    Replaced,
    /// An earlier process left it as it was.
    LeftBefore,
}

impl Cause {
    /// The failed task that it tells of.
    pub fn task_mut(&mut self) -> Option<&mut TaskFailure> {
        match self {
            Self::Tasks { task, .. } => Some(task),
            Self::EcsFailed { task, .. }
            | Self::EcsRolledBack { task, .. }
            | Self::TooFewTasks { task, .. }
            | Self::NoProgress { task, .. } => task.as_mut(),
            Self::RestartFails { why } | Self::OldSideFails { why: Some(why), .. } => {
                why.task_mut()
            }
            _ => None,
        }
    }
}

/// How a task of `--before` ended badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "ended", rename_all = "kebab-case")]
pub enum BeforeEnded {
    /// Not within its time.
    TimedOut {
        /// `--before-timeout`
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
    },
    /// It failed.
    Failed(TaskFailure),
    /// With this exit code.
    Exited {
        /// The container's.
        exit_code: i32,
    },
    /// Without an exit code.
    Stopped {
        /// ECS's `stoppedReason`.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// A health check grace period that may be too short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Grace {
    /// The service.
    pub service: String,
    /// `healthCheckGracePeriodSeconds`
    #[serde(rename = "seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub period: Duration,
}

/// A number of a record that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Number {
    /// `desiredCount`, `minimumHealthyPercent` or `maximumPercent`.
    pub setting: &'static str,
    /// The service.
    pub service: String,
    /// What the record says.
    pub recorded: u32,
    /// What is used.
    pub used: u32,
}
