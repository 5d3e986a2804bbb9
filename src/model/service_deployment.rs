//! ECS's own record of a deployment, as DescribeServiceDeployments shows it, where ECS shifts the traffic
//! itself (strategies BLUE_GREEN, LINEAR and CANARY).

use std::time::SystemTime;

use super::world::Rule;

/// A service deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// ECS's word: `IN_PROGRESS`, `SUCCESSFUL`, … AWS adds to these.
    pub status: String,
    /// ECS's lifecycle stage, kept as it came.
    pub stage: Option<String>,
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// When it was created.
    pub created: Option<SystemTime>,
    /// When it ended.
    pub finished: Option<SystemTime>,
    /// The ARN of the service revision that it brings.
    pub target: String,
    /// The ARN of that one's task definition; `None` where that was not read.
    pub revision: Option<String>,
    /// Tasks of the new service revision: wanted, running, pending.
    pub tasks: [u32; 3],
    /// Tasks that failed, as its circuit breaker counts them.
    pub failed: u32,
    /// The new revision's share of production traffic in percent.
    pub production: Option<f64>,
    /// Its share of test traffic in percent.
    pub test: Option<f64>,
    /// The lifecycle hooks of the present stage.
    pub hooks: Vec<Hook>,
}

/// What ListServiceDeployments shows of a deployment, with any strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// ECS's word.
    pub status: String,
    /// Why, in ECS's words.
    pub reason: Option<String>,
    /// When it was created.
    pub created: Option<SystemTime>,
    /// When it ended.
    pub finished: Option<SystemTime>,
    /// The ARN of the task definition that it brings; `None` where that is not known.
    pub revision: Option<String>,
}

impl Past {
    /// What became of it.
    pub fn phase(&self) -> Phase {
        phase(&self.status)
    }
}

/// A lifecycle hook of the present stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its id, which is new each time.
    pub id: String,
    /// `PAUSE` or `AWS_LAMBDA`.
    pub kind: String,
    /// The Lambda function's ARN.
    pub target: Option<String>,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, …
    pub status: String,
    /// When its time ends.
    pub expires: Option<SystemTime>,
    /// What ECS does then: `ROLLBACK` or `CONTINUE`.
    pub on_timeout: Option<String>,
}

impl Hook {
    /// Whether it waits for ContinueServiceDeployment.
    pub fn waits(&self) -> bool {
        self.kind == "PAUSE" && self.status == "AWAITING_ACTION"
    }
}

/// What became of a service deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It goes on; so does one in a state that is not known.
    Forward,
    /// ECS rolls it back, or is about to.
    Back,
    /// The new revision serves.
    Successful,
    /// It was rolled back.
    RolledBack,
    /// It could not be rolled back.
    RollbackFailed,
    /// It is being stopped, or was, without a rollback: another one took its place, or it failed where it is
    /// not configured to roll back.
    Stopped,
}

fn phase(status: &str) -> Phase {
    match status {
        "SUCCESSFUL" => Phase::Successful,
        "STOP_REQUESTED" | "STOPPED" => Phase::Stopped,
        "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => Phase::Back,
        "ROLLBACK_SUCCESSFUL" => Phase::RolledBack,
        "ROLLBACK_FAILED" => Phase::RollbackFailed,
        _ => Phase::Forward,
    }
}

impl ServiceDeployment {
    /// What became of it. Its stage does not tell: while ECS rolls back, that still reads as one of the way
    /// forward.
    pub fn phase(&self) -> Phase {
        phase(&self.status)
    }

    /// Whether ECS still works on it.
    pub fn is_running(&self) -> bool {
        matches!(self.phase(), Phase::Forward | Phase::Back) || self.status == "STOP_REQUESTED"
    }

    /// Whether no traffic of users' depends on it yet, and only tasks are awaited.
    pub fn is_starting(&self) -> bool {
        let stage = self.stage.as_deref();
        self.phase() == Phase::Forward
            && matches!(stage, None | Some("RECONCILE_SERVICE" | "PRE_SCALE_UP" | "SCALE_UP"))
    }

    /// The hooks that wait for somebody.
    pub fn waiting_hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(|hook| hook.waits())
    }
}

/// How ECS shifts traffic between two target groups of one service (`advancedConfiguration` of a load
/// balancer in its settings).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    /// The other target group's ARN. Which of the two is live only the rule tells.
    pub alternate: String,
    /// The ARN of the listener rule (Application Load Balancer) or of the listener (Network Load Balancer)
    /// that users' requests come through.
    pub production: String,
    /// The same for test traffic.
    pub test: Option<String>,
    /// The ARN of the role by which ECS changes them.
    pub role: Option<String>,
}

impl Advanced {
    /// Whether ECS moves the traffic of a rule.
    pub fn moves(&self, rule: &Rule) -> bool {
        rule.is_named(&self.production) || self.tests_through(rule)
    }

    /// Whether tests see the new revision through a rule.
    pub fn tests_through(&self, rule: &Rule) -> bool {
        self.test.as_ref().is_some_and(|arn| rule.is_named(arn))
    }
}
