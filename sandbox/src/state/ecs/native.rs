//! A service deployment that shifts traffic: where it stands on its course.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Time;

/// The lifecycle stages, in their order. `PreProductionTrafficShift` and `ProductionTrafficShift` repeat
/// for each step of LINEAR and CANARY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

impl Stage {
    /// As AWS names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::ReconcileService => "RECONCILE_SERVICE",
            Stage::PreScaleUp => "PRE_SCALE_UP",
            Stage::ScaleUp => "SCALE_UP",
            Stage::PostScaleUp => "POST_SCALE_UP",
            Stage::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Stage::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Stage::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Stage::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Stage::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Stage::BakeTime => "BAKE_TIME",
            Stage::CleanUp => "CLEAN_UP",
        }
    }
}

/// What a service deployment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Course {
    /// It goes through the stages.
    Forward,
    /// It rolls back: production traffic returns.
    BackProduction,
    /// It rolls back: test traffic returns.
    BackTest,
    /// It rolls back: the tasks of the target revision stop.
    BackTasks,
    /// It failed without rollback: both revisions keep running.
    Stalled,
    /// It is SUCCESSFUL; the service's deployment becomes COMPLETED later.
    Settling,
    /// It is over.
    Done,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Native {
    pub(crate) course: Course,
    /// The lifecycle stage; on the way back the stage where the rollback began.
    pub(crate) stage: Option<Stage>,
    /// Since when it is in this stage.
    pub(crate) since: Time,
    /// It does not go on before.
    pub(crate) until: Time,
    /// The production weights that the target revision gets, in percent, one after the other.
    pub(crate) steps: Vec<f64>,
    /// Which step is next or under way.
    pub(crate) step: usize,
    /// Requested weights of the target revision, in percent.
    pub(crate) production: f64,
    pub(crate) test: f64,
    /// The hooks of the stage.
    pub(crate) hooks: Vec<Hook>,
    /// One for each load balancer of the service.
    pub(crate) sides: Vec<Side>,
    /// The deployment that a rollback goes back to, by id.
    pub(crate) source: Option<String>,
    /// How many tasks each older deployment has, by id.
    pub(crate) kept: Vec<(String, u32)>,
    /// How many tasks the target revision was to have at the start.
    pub(crate) planned: u32,
    /// Why it rolls back.
    pub(crate) reason: Option<String>,
}

/// The two target groups of a load balancer and its rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Side {
    /// The group that had production traffic at the start.
    pub(crate) blue: String,
    /// The group of the target revision.
    pub(crate) green: String,
    /// The rules' own ARNs, whatever ARN the service names.
    pub(crate) production: String,
    pub(crate) test: TestRule,
    /// It is of a Network Load Balancer.
    pub(crate) network: bool,
}

/// The test rule of a load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum TestRule {
    None,
    /// `""`, which AWS accepts and cannot use.
    Empty,
    Rule(String),
}

/// A lifecycle hook at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Hook {
    pub(crate) id: String,
    /// The stage that it belongs to; on the way back not the one where the service deployment stands.
    pub(crate) stage: Stage,
    /// The Lambda function and the role; `None`: a pause.
    pub(crate) function: Option<(String, String)>,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `SUCCEEDED`, `FAILED` or `TIMED_OUT`.
    pub(crate) status: String,
    pub(crate) expires_at: Time,
    /// `ROLLBACK` or `CONTINUE`.
    pub(crate) timeout_action: String,
    /// `hookDetails`, with what the function's answers added.
    pub(crate) details: Option<Value>,
    /// When the function is called next, or answers.
    pub(crate) next: Option<(Time, bool)>,
    pub(crate) calls: u32,
    /// What went wrong.
    pub(crate) problem: Option<String>,
}

impl Hook {
    /// It is waited for.
    pub(crate) fn pending(&self) -> bool {
        ["AWAITING_ACTION", "IN_PROGRESS"].contains(&self.status.as_str())
    }
}
