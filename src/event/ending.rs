//! Endings of a command, and the facts of its report.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cause::Cause;
use super::change::Change;
use super::error::Fault;
use crate::model::health::TaskFailure;
use crate::model::served::Served;

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ended {
    /// What became of it.
    #[serde(flatten)]
    pub ending: Ending,
    /// What the process exits with.
    pub exit_code: u8,
    /// The user asked us to stop.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// `web:43`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Why, where it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Cause>,
    /// Tasks that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failed>,
    /// What the container that failed first logged last: `container: line`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
    /// What the services said since it began, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service_events: Vec<String>,
    /// The share of each service in the traffic, rule by rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serves: Vec<Served>,
    /// The share of each revision in the running tasks, where ECS replaces them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, f64>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
    /// How to undo a deployment that is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Hint>,
    /// Calls made to AWS, by operation.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub api_calls: BTreeMap<String, u32>,
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failed {
    /// The old revision, where it is one of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub failure: TaskFailure,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Ending {
    /// The new revision serves, everywhere, at full count.
    Live {
        /// `web:43`
        revision: String,
        /// The service that runs it.
        service: String,
        /// What is known of it.
        proof: Proof,
        /// The service of the old side, where that keeps running.
        #[serde(skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
        /// The revision that served before, where that is another one: `web:42`
        #[serde(skip_serializing_if = "Option::is_none")]
        was: Option<String>,
    },
    /// ECS deploys it; nobody waited.
    Accepted {
        /// `web:43`
        revision: String,
        /// The service that is to run it.
        service: String,
    },
    /// The old revision serves, everywhere, at full count.
    RolledBack {
        /// The new one.
        revision: String,
        /// The old one.
        old: String,
        /// The service that runs it.
        service: String,
        /// Tasks of the new one that ECS still stops.
        #[serde(skip_serializing_if = "is_zero")]
        stopping: u32,
        /// What had to succeed before failed: ECS was never asked to run the new one.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        not_deployed: bool,
        /// It has what it had before, and that is less than its service wants.
        #[serde(skip_serializing_if = "Option::is_none")]
        as_before: Option<AsBefore>,
        /// The service's desired count is 0.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        no_tasks: bool,
        /// The health of its targets could not be read.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// A rollback that was asked for is given up: what was to be replaced serves on.
    NotRolledBack {
        /// What serves on.
        revision: String,
        /// The service that runs it.
        service: String,
        /// What was to take over.
        old: String,
        /// The service that was to run it.
        blue: String,
    },
    /// The new revision failed, and was left as it is.
    Left {
        /// `web:43`
        revision: String,
        /// The service that it is in.
        service: String,
    },
    /// Neither the new nor the old revision serves.
    Neither {
        /// The new one.
        revision: String,
        /// The old one.
        old: String,
        /// The old side's service.
        service: String,
    },
    /// It serves, with fewer tasks than planned.
    FewerTasks {
        /// The revision that serves.
        revision: String,
    },
    /// It is neither live nor rolled back: a person must look.
    Stuck {
        /// `web:43`
        revision: String,
    },
    /// The rules show what this deployment did not write: a person must look.
    Drifted {
        /// `web:43`
        revision: String,
    },
    /// It was left where it was, at the user's second request to stop.
    Stopped {
        /// `web:43`
        revision: String,
        /// It was rolling back.
        rolling_back: bool,
    },
    /// Another deployment or process has taken over.
    Superseded {
        /// `web:43`
        revision: String,
    },
    /// A deployment that paused goes on.
    Promoted {
        /// `web:43`. Not there: ECS did not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// Where it paused.
        at: Paused,
    },
    /// The old side that a deployment kept is stopped.
    Retired {
        /// Its service.
        service: String,
        /// What serves: `web:43`
        revision: String,
        /// The service that runs it.
        serves: String,
    },
    /// Deployments that nobody drove any more have ended.
    Swept {
        /// Each with how it ended.
        deployments: Vec<Swept>,
    },
    /// The service is ready for ECS to shift its traffic.
    SetUp {
        /// The service.
        service: String,
        /// ECS's name for its deployment strategy.
        strategy: &'static str,
    },
    /// It is as it was before that.
    SetUpUndone {
        /// The service.
        service: String,
        /// The role by which ECS changed rules: it is still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<String>,
    },
    /// Setting it up, or undoing that, stopped half-way. Running it again goes on.
    SetUpUnfinished {
        /// The service.
        service: String,
        /// What was changed.
        changes: Vec<Change>,
    },
    /// There was nothing to do.
    NothingToDo {
        /// Why.
        nothing: Nothing,
    },
    /// Tasks were started, and nobody waited for their end.
    Started {
        /// Their ids.
        tasks: Vec<String>,
        /// `web:43`
        revision: String,
    },
    /// The task's container exited with 0.
    Succeeded(OneOff),
    /// It exited with another code, or has none.
    Failed(OneOff),
    /// It was stopped.
    TaskStopped(OneOff),
    /// The user asked us to stop, and the tasks run on.
    Running {
        /// Their ids.
        tasks: Vec<String>,
        /// Whether they still run is not known.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        maybe: bool,
    },
    /// How they ended is not known.
    Unknown {
        /// Their ids.
        tasks: Vec<String>,
    },
    /// The command could not do its work.
    Error {
        /// All that is in the way.
        errors: Vec<Fault>,
    },
}

/// A deployment that nobody drove, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Swept {
    /// `web:43`. Not there: its record could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// A service of its pair.
    pub service: String,
    /// The exit code that `ecs-bg resume` would have had.
    pub exit_code: u8,
    /// Why it could not be ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// Where a deployment paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Paused {
    /// While the new version held this share of the traffic, in percent.
    Share(u8),
    /// At a stage of ECS: `POST_TEST_TRAFFIC_SHIFT`
    Stage(String),
}

/// One-off tasks that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OneOff {
    /// Their ids.
    pub tasks: Vec<String>,
    /// The container whose exit code counts.
    pub container: String,
    /// Its exit codes; none where it has none.
    pub exit_codes: Vec<Option<i32>>,
}

/// What is known of a revision that a deployment ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Its tasks run and are healthy, as far as anything checks their health.
    Healthy,
    /// Its tasks run; their health was not waited for.
    Runs,
    /// Its tasks run and are healthy; whether its service or the twin has the traffic was not looked at.
    OneSide,
    /// Its tasks run, as ECS says; the health of its targets may not be read.
    Unread,
    /// The service's desired count is 0: no task shows whether it works.
    NoTasks,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why there was nothing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "nothing", rename_all = "kebab-case")]
pub enum Nothing {
    /// The service runs what was asked for.
    RunsAlready {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
        /// Its ARN.
        arn: String,
        /// The images that were asked for, where its tasks show that they run them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        images: Vec<RunningImage>,
    },
    /// No deployment of the service is under way.
    NoDeployment {
        /// The service.
        service: String,
    },
    /// The service has all the traffic.
    ServesAlone {
        /// The service.
        service: String,
    },
    /// The deployment has ended meanwhile.
    EndedMeanwhile,
    /// No old side is kept.
    NothingKept {
        /// The service.
        service: String,
    },
    /// Every deployment of the cluster has ended, or a process drives it.
    NothingAbandoned {
        /// The cluster.
        cluster: String,
        /// Pairs that were looked at.
        pairs: usize,
    },
    /// The service is ready for ECS to shift its traffic.
    SetUpAlready {
        /// The service.
        service: String,
    },
    /// The service is not set up so.
    NotSetUp {
        /// The service.
        service: String,
    },
    /// The last deployment was rolled back already.
    RolledBackAlready {
        /// The revision that was rolled back.
        revision: String,
        /// The one that serves.
        old: String,
        /// The service.
        service: String,
    },
}

/// An image that tasks run already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunningImage {
    /// As it was asked for.
    pub image: String,
    /// Its digest.
    pub digest: String,
    /// As the revision names it, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_as: Option<String>,
}

/// Of what the old side has less than its service wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum AsBefore {
    /// Healthy targets.
    Targets {
        /// That there are.
        now: u32,
        /// That the service wants.
        wanted: u32,
    },
    /// Running tasks.
    Tasks {
        /// That there are.
        now: u32,
        /// That the service wants.
        wanted: u32,
    },
}

/// What to do next. Each is a command; its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hint {
    /// The command of ecs-bg.
    pub verb: &'static str,
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// `--to`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `--accept-drift`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub accept_drift: bool,
}

impl Hint {
    /// A command for a service.
    pub fn new(verb: &'static str, cluster: &str, service: &str) -> Self {
        let (cluster, service) = (cluster.to_owned(), service.to_owned());
        Self { verb, cluster, service, to: None, accept_drift: false }
    }
}

impl Default for Ending {
    fn default() -> Self {
        Self::NothingToDo { nothing: Nothing::EndedMeanwhile }
    }
}
