//! Options that cannot be followed for this service. What makes no sense for any service is `error::Usage`.

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
    /// `--pause-at`, where traffic is shifted between two services: a share pauses there.
    PauseAtForPair,
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
    /// A strategy of ECS, for a service that is not set up for one.
    StrategyNotSetUp {
        /// `--strategy`
        strategy: String,
        /// The service.
        service: String,
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
    /// A check cannot be asked from here.
    CheckNotReady {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// Why.
        #[serde(flatten)]
        fault: GateFault,
    },
    /// Checks judge while ECS bakes, and that takes no time here.
    ChecksWithoutBake,
}
