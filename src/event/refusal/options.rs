//! Options that cannot be followed for this service. An option that is wrong for any service is `error::Usage`.

use serde::Serialize;

use crate::model::gate::GateFault;
use crate::request::EngineName;

/// Options that the engine, or the service, cannot follow: they are never dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum OptionsRefused {
    /// An option that means nothing where traffic is shifted between two services.
    NotForPair {
        /// `--wait-for`
        option: &'static str,
    },
    /// `--pause-at` names a stage at which only ECS pauses.
    PauseOnlyByEcs {
        /// `after-traffic`
        stage: &'static str,
    },
    /// `--pause-at each-step`, and all traffic moves in one step.
    PauseWithoutSteps,
    /// `--test-listener`, where ECS moves a test rule of its own.
    TestListenerOfEcs {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// An option that means nothing where ECS shifts the traffic.
    NotWhereEcsShifts {
        /// `--follow`
        option: &'static str,
    },
    /// An option that works only with two services.
    OnlyForPair {
        /// `--shares`
        option: &'static str,
        /// ECS shifts the traffic of this service; else it replaces its tasks.
        ecs_shifts: bool,
    },
    /// An option that works only with two services, and the service has no twin.
    OnlyWithTwin {
        /// `--now`
        option: &'static str,
        /// The service.
        service: String,
    },
    /// An option that needs a service whose traffic ECS shifts, or a twin.
    NotSetUpFor {
        /// `--strategy`
        option: &'static str,
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// A strategy whose shares a pair cannot have: they are whole numbers of percent.
    StrategyNotWhole {
        /// `--strategy`
        strategy: String,
    },
    /// A twin, and an engine that deploys one service.
    TwinWithEngine {
        /// `--twin`
        twin: String,
        /// `--engine`
        engine: EngineName,
        /// The service.
        service: String,
    },
    /// `--bake` is not what ECS takes: whole minutes, at most 24 hours.
    BakeNotInMinutes,
    /// `--alarm` names no alarm of this region.
    NoAlarm {
        /// It.
        alarm: String,
    },
    /// With `--strict-alarms`, an alarm is in state ALARM.
    AlarmOn {
        /// It.
        alarm: String,
    },
    /// A check cannot be asked from here.
    CheckNotReady {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// Why.
        #[serde(flatten)]
        fault: GateFault,
    },
    /// A command may take longer than ECS waits for it.
    CheckTooLong {
        /// The most seconds it may take.
        most: u64,
    },
}
