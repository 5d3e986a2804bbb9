//! What a plan is about to do, and what it changes in the task definition.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::seconds;

/// A step that a deployment will take. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Planned {
    /// A revision is registered.
    Register {
        /// `web`
        family: String,
        /// The revision that it is a copy of.
        base: String,
        /// Its new images, by container.
        images: BTreeMap<String, String>,
        /// What else it changes.
        edits: Vec<Edited>,
    },
    /// The command of `--before` runs in one task.
    Prepare {
        /// `--before-timeout`
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
    },
    /// The target groups of a service are in the rules.
    Attach {
        /// The service.
        service: String,
        /// The rules that it is to be in.
        rules: Vec<String>,
        /// Those that do not hold it yet: it is added with weight 0.
        missing: Vec<String>,
    },
    /// Auto scaling takes no task away while the traffic is shifted.
    Freeze {
        /// The service that has the traffic.
        service: String,
        /// `MinCapacity`
        min: u32,
        /// `MaxCapacity`
        max: u32,
    },
    /// A service starts tasks of the new revision.
    Launch {
        /// The service.
        service: String,
        /// How many it wants then.
        tasks: u32,
    },
    /// ECS gets the new revision.
    Update {
        /// The service.
        service: String,
        /// What ECS does with it.
        #[serde(flatten)]
        update: Update,
        /// `desiredCount`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        desired: Option<NumberChange>,
        /// `minimumHealthyPercent`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        minimum_healthy_percent: Option<NumberChange>,
        /// `maximumPercent`, where it changes.
        #[serde(skip_serializing_if = "Option::is_none")]
        maximum_percent: Option<NumberChange>,
    },
    /// The new tasks are waited for.
    Settle {
        /// Tasks or targets that are waited for.
        tasks: u32,
        /// What they are to be.
        until: Settled,
        /// It rolls back after so long without progress.
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
    },
    /// Alarms judge the deployment.
    Alarms {
        /// Their names.
        alarms: Vec<String>,
    },
    /// Gates judge the deployment.
    Checks {
        /// URLs without what may be secret, and programs.
        gates: Vec<String>,
    },
    /// The rules of the listener for tests show a service before it has users.
    #[serde(rename = "prove")]
    Test {
        /// The service.
        service: String,
        /// The rules.
        rules: Vec<String>,
    },
    /// ecs-bg gives a service a share of the traffic.
    Shift {
        /// The service.
        service: String,
        /// Its share in percent.
        percent: u8,
        /// The rules.
        rules: Vec<String>,
        /// How long the share is held before the next one.
        #[serde(rename = "hold_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        hold: Duration,
        /// It is held until somebody promotes it, and the deployment rolls back after that time.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pause: bool,
    },
    /// ECS shifts the traffic.
    #[serde(rename = "shift")]
    ShiftByEcs {
        /// The service.
        service: String,
        /// ECS's `strategy`.
        strategy: String,
        /// The share that is shifted at a time; none: all at once, or ECS does not say.
        #[serde(skip_serializing_if = "Option::is_none", flatten)]
        part: Option<Part>,
    },
    /// ECS waits until somebody lets the deployment go on.
    Pause {
        /// ECS's `lifecycleStage`.
        stage: &'static str,
        /// How long at most.
        #[serde(rename = "limit_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        limit: Duration,
    },
    /// The new revision has all the traffic and is watched.
    Bake {
        /// The service that has it.
        service: String,
        /// The service that keeps running meanwhile.
        #[serde(skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
        /// ECS watches, not ecs-bg.
        by_ecs: bool,
        /// For how long.
        #[serde(rename = "bake_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        period: Duration,
    },
    /// The load balancer applies the last weights.
    Follow {
        /// How long it has for that.
        #[serde(rename = "follow_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        period: Duration,
    },
    /// The old side is stopped: its desired count becomes 0.
    Retire {
        /// The service.
        service: String,
    },
    /// The old side keeps running, with weight 0.
    Keep {
        /// The service.
        service: String,
    },
    /// The rules are read: they are to say what ECS says.
    Verify {
        /// The service.
        service: String,
    },
}

/// How long steps take at least. Nobody knows how long tasks take to start, and when somebody ends a pause.
pub fn at_least(steps: &[Planned]) -> Duration {
    let (mut shift, mut bake, mut follow) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for step in steps {
        match step {
            Planned::Shift { hold, pause: false, .. } => shift += *hold,
            Planned::ShiftByEcs { strategy, part: Some(part), .. } => {
                let parts = 1000_u32.div_ceil(u32::from(part.part_per_mille.max(1)));
                let waits = if strategy == "CANARY" { parts.min(2) } else { parts } - 1;
                shift += part.period * waits;
            }
            Planned::Bake { period, .. } => bake = *period,
            // It is counted from the last change of a rule, too.
            Planned::Follow { period } => follow = *period,
            _ => {}
        }
    }
    shift + bake.max(follow)
}

impl Planned {
    /// The step's name.
    pub fn step(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Prepare { .. } => "prepare",
            Self::Attach { .. } => "attach",
            Self::Freeze { .. } => "freeze",
            Self::Launch { .. } => "launch",
            Self::Update { .. } => "update",
            Self::Settle { .. } => "settle",
            Self::Test { .. } => "prove",
            Self::Shift { .. } | Self::ShiftByEcs { .. } => "shift",
            Self::Pause { .. } => "pause",
            Self::Alarms { .. } => "alarms",
            Self::Checks { .. } => "checks",
            Self::Bake { .. } => "bake",
            Self::Follow { .. } => "follow",
            Self::Retire { .. } => "retire",
            Self::Keep { .. } => "keep",
            Self::Verify { .. } => "verify",
        }
    }
}

/// What ECS does with a service that gets another revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "update", rename_all = "kebab-case")]
pub enum Update {
    /// It replaces the tasks with the new revision.
    Replace,
    /// It starts new tasks of the revision that the service has.
    Restart {
        /// `web:42`
        revision: String,
    },
    /// It starts the new revision beside the old one.
    Start {
        /// Tasks that it starts.
        tasks: u32,
        /// ecs-bg rolls back after so long without progress.
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
    },
}

/// A number that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NumberChange {
    /// What it is.
    pub from: u32,
    /// What it will be.
    pub to: u32,
}

/// What new tasks are waited for to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// Their targets are healthy.
    HealthyTargets,
    /// They run.
    Running,
    /// They are healthy, and ECS has completed the deployment.
    Completed,
    /// They are healthy, and the targets of the old ones are gone.
    Drained,
}

/// The share of the traffic that ECS shifts at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Part {
    /// In per mille.
    pub part_per_mille: u16,
    /// How long until the next one.
    #[serde(rename = "part_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub period: Duration,
}

/// Why an engine deploys a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum EngineReason {
    /// `--engine` asks for it.
    Asked,
    /// The service has a twin.
    Pair {
        /// The service.
        service: String,
        /// Its twin.
        twin: String,
    },
    /// The service has no twin.
    NoTwin {
        /// The service.
        service: String,
    },
    /// The service's deployment strategy is one where ECS shifts the traffic.
    Strategy {
        /// ECS's `strategy`.
        strategy: String,
    },
    /// `--strategy` asks for one.
    StrategyAsked,
}

/// A change of the task definition beside its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Edited {
    /// The container that it is for; none: the task as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What changes.
    #[serde(flatten)]
    pub what: EditedMember,
}

/// What a change of the task definition is. It has no text that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "edit", rename_all = "kebab-case")]
pub enum EditedMember {
    /// A variable has another value.
    Env {
        /// Its name.
        name: String,
        /// Its value, with `--show-env` only.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// A variable has what a secret or a parameter holds.
    Secret {
        /// Its name.
        name: String,
    },
    /// A variable is not set.
    Unset {
        /// Its name.
        name: String,
    },
    /// CPU units.
    Cpu {
        /// How many.
        units: u32,
    },
    /// Memory.
    Memory {
        /// How much.
        mib: u32,
    },
    /// The command.
    Command {
        /// It is that of the image.
        of_image: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_name() {
        let (service, period) = ("web".to_owned(), Duration::from_secs(60));
        let (rules, strategy) = (vec![], "CANARY".to_owned());
        let update = Update::Start { tasks: 2, timeout: period };
        let part = Some(Part { part_per_mille: 100, period });
        let steps = [
            Planned::Register {
                family: service.clone(),
                base: service.clone(),
                images: BTreeMap::new(),
                edits: vec![],
            },
            Planned::Prepare { timeout: period },
            Planned::Attach { service: service.clone(), rules: vec![], missing: vec![] },
            Planned::Freeze { service: service.clone(), min: 1, max: 4 },
            Planned::Launch { service: service.clone(), tasks: 2 },
            Planned::Update {
                service: service.clone(),
                update,
                desired: None,
                minimum_healthy_percent: None,
                maximum_percent: None,
            },
            Planned::Settle { tasks: 2, until: Settled::Running, timeout: period },
            Planned::Test { service: service.clone(), rules: vec![] },
            Planned::Shift {
                service: service.clone(),
                percent: 10,
                rules,
                hold: period,
                pause: false,
            },
            Planned::ShiftByEcs { service: service.clone(), strategy, part },
            Planned::Pause { stage: "PRE_SCALE_UP", limit: period },
            Planned::Bake { service: service.clone(), kept: None, by_ecs: true, period },
            Planned::Alarms { alarms: vec!["errors".to_owned()] },
            Planned::Checks { gates: vec!["https://a.example/".to_owned()] },
            Planned::Follow { period },
            Planned::Retire { service: service.clone() },
            Planned::Keep { service: service.clone() },
            Planned::Verify { service },
        ];
        for step in steps {
            let json = serde_json::to_value(&step).expect("JSON");
            assert_eq!(json["step"], step.step(), "{json}");
        }
    }
}
