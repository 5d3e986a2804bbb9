//! Why a deployment waits: what is missing before it can go on.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::{optional_rfc3339, seconds};
use crate::model::gate::GateFault;
use crate::model::health::{Meaning, obstacle_meaning};

/// What is missing. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "waits_for", rename_all = "kebab-case")]
pub enum WaitReason {
    /// The service is to be on the new revision.
    Revision {
        /// Its name.
        service: String,
        /// `web:43`
        revision: String,
    },
    /// Tasks of the new revision are to run.
    Tasks {
        /// Tasks that run.
        running: u32,
        /// Tasks that must run.
        wanted: u32,
        /// Tasks that ECS starts.
        pending: u32,
        /// What ECS said last of what is in its way.
        #[serde(skip_serializing_if = "Option::is_none")]
        obstacle: Option<String>,
        /// What that means, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        meaning: Option<Meaning>,
    },
    /// Tasks of earlier revisions are to stop; their number, where ECS counts them.
    EarlierTasks {
        /// Tasks that still run.
        #[serde(skip_serializing_if = "Option::is_none")]
        running: Option<u32>,
        /// The service.
        service: String,
    },
    /// Rolling back: tasks of the new revision are to stop.
    NewTasks {
        /// Tasks that still run.
        running: u32,
        /// `web:43`
        revision: String,
    },
    /// ECS is to be able to assume a role.
    Role {
        /// Its name.
        role: String,
    },
    /// ECS is to say that its deployment is complete.
    Completion {
        /// ECS may still roll the service back by itself.
        may_roll_back: bool,
        /// The service.
        service: String,
    },
    /// Targets are to be healthy.
    Targets {
        /// Healthy targets.
        healthy: u32,
        /// Healthy targets that are needed.
        wanted: u32,
        /// The service whose tasks they are.
        service: String,
    },
    /// A healthy target belongs to no task of the new revision.
    ForeignTarget {
        /// `10.0.0.7:8080`
        target: String,
        /// `web:43`
        revision: String,
    },
    /// All tasks run; target health is read next.
    TargetHealth,
    /// Targets are to be drained.
    Draining {
        /// Targets that still drain.
        targets: u32,
    },
    /// A share is held before the next one.
    Hold {
        /// The new side's share of the traffic in percent.
        share: u8,
        /// The service that has it.
        service: String,
        /// What is left.
        #[serde(rename = "left_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        left: Duration,
    },
    /// The new revision has all the traffic and is watched before the old one is retired.
    Bake {
        /// The service that has it.
        service: String,
        /// What is left.
        #[serde(rename = "left_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        left: Duration,
    },
    /// The load balancer applies the new weights.
    Propagation {
        /// What is left.
        #[serde(rename = "left_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        left: Duration,
    },
    /// ECS is to list its own record of the deployment.
    Listing {
        /// The service.
        service: String,
    },
    /// ECS shifts the traffic.
    Stage {
        /// The service.
        service: String,
        /// ECS's `status`.
        status: String,
        /// ECS's `lifecycleStage`.
        #[serde(skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// The new revision's share of test traffic in per mille.
        test_per_mille: u32,
        /// Its share of production traffic in per mille.
        production_per_mille: u32,
    },
    /// The deployment pauses until somebody lets it go on.
    Pause {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// Where.
        #[serde(flatten)]
        at: Pause,
        /// It was asked for with this deployment; else the service is set up so.
        ours: bool,
        /// When that ends.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_rfc3339")]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        expires: Option<SystemTime>,
        /// It rolls back then; else it goes on.
        rolls_back: bool,
    },
    /// Another deployment of the service runs, which no record of ours tells of.
    OtherDeployment {
        /// The service.
        service: String,
    },
    /// A gate has not passed yet.
    Gate {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// What it said last.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        fault: Option<GateFault>,
    },
    /// AWS may have answered with the past: a second answer is to say the same.
    SecondLook(Sight),
    /// Its scalable targets are to be read.
    Scaling {
        /// The service that serves.
        service: String,
    },
    /// Everything is read once more before the deployment ends.
    LastLook,
    /// All rules are listed anew, since one of them gave the service traffic.
    Rules {
        /// The service.
        service: String,
    },
    /// The old side ran no task before either: its tasks are to say why.
    OldTasks,
    /// The task of `--before` is looked for.
    TaskSearch,
    /// Tasks are to end.
    TaskEnd {
        /// Each with ECS's `lastStatus`.
        tasks: Vec<TaskStatus>,
    },
    /// Another process drives the deployment.
    Owner {
        /// `web:43`
        deployment: String,
        /// Its last sign of life lies in the future: whether it lives shows later.
        in_the_future: bool,
    },
    /// Another process has taken over; it is to show a second sign of life.
    SecondSign {
        /// `web:43`
        deployment: String,
        /// The other process.
        owner: String,
    },
}

/// Where a deployment pauses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Pause {
    /// ECS waits at a stage.
    Stage {
        /// ECS's `lifecycleStage`.
        stage: String,
    },
    /// The new side has a share of the traffic.
    Share {
        /// In percent.
        share: u8,
    },
}

/// A task and its `lastStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskStatus {
    /// Its id.
    pub task: String,
    /// ECS's word.
    pub status: String,
}

/// What one answer of AWS showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "seen", rename_all = "kebab-case")]
pub enum Sight {
    /// A service is not there, or not ACTIVE any more.
    ServiceGone {
        /// Its name.
        service: String,
        /// Its status, where it is still shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
    },
    /// The service shows the revision that it had before.
    OldRevision {
        /// The service.
        service: String,
        /// `web:42`
        revision: String,
    },
    /// A rule shows a weight that this deployment did not write.
    Rule {
        /// The rule.
        rule: String,
        /// The new side's share in per mille; none: neither side has any weight.
        #[serde(skip_serializing_if = "Option::is_none")]
        per_mille: Option<u32>,
        /// The service of the new side.
        service: String,
    },
    /// A rule does not forward to the one group that the revision's healthy tasks stand in.
    LiveGroups {
        /// The rule.
        rule: String,
        /// The groups that it gives traffic.
        groups: Vec<String>,
        /// `web:43`
        revision: String,
    },
    /// No rule forwards to the service's target groups.
    NoRule {
        /// The service.
        service: String,
    },
    /// The service is in no target group any more.
    NoGroups {
        /// The service.
        service: String,
    },
    /// A rule that ECS does not move sends requests to the target group whose tasks it has stopped.
    UnmovedRule {
        /// The rule.
        rule: String,
        /// That target group.
        group: String,
    },
    /// A rule gives traffic to a target group of neither side.
    ThirdGroup {
        /// The rule.
        rule: String,
    },
    /// The task of `--before` is not shown.
    NoTask,
}

impl Sight {
    /// Whether no weights of ours put it right.
    pub fn is_beyond_weights(&self) -> bool {
        matches!(self, Self::NoRule { .. } | Self::NoGroups { .. } | Self::ThirdGroup { .. })
    }
}

impl WaitReason {
    /// Tasks are to run; `obstacle` is what ECS says of what is in their way.
    pub fn tasks(running: u32, wanted: u32, pending: u32, obstacle: Option<String>) -> Self {
        let meaning = obstacle.as_deref().and_then(obstacle_meaning);
        Self::Tasks { running, wanted, pending, obstacle, meaning }
    }

    /// The same without what only counts down: what makes two waits the same news.
    pub fn gist(&self) -> Self {
        let mut gist = self.clone();
        match &mut gist {
            Self::Hold { left, .. } | Self::Bake { left, .. } | Self::Propagation { left } => {
                *left = Duration::ZERO;
            }
            Self::Pause { expires, at: Pause::Share { .. }, .. } => *expires = None,
            _ => {}
        }
        gist
    }
}
