//! What differs between the engines before a deployment starts: a row for each.

use super::checks::{Case, Check};
use super::{Decision, Draft, Survey, listener, native, rolling};
use crate::call::Call;
use crate::event::{EngineReason, Refusal};
use crate::model::world::Service;
use crate::record::Record;
use crate::request::{EngineName, Request};

/// How an engine plans.
pub(super) struct Engine {
    /// Its name.
    pub(super) name: EngineName,
    /// Why it deploys this service where nobody asked for an engine, or what is in its way; `None`: it is
    /// not for such a service.
    pub(super) takes: fn(&Request, &Survey) -> Option<Result<EngineReason, Refusal>>,
    /// The service that serves.
    pub(super) live: fn(&Survey) -> Result<&Service, Refusal>,
    /// The other service that a deployment is about; `None`: a deployment is about one service.
    pub(super) twin: Option<fn(&Survey) -> Option<&str>>,
    /// A whole second set of tasks runs beside the old one.
    pub(super) second_set: bool,
    /// Calls that only such deployments make.
    pub(super) calls: &'static [Call],
    /// Those that are made late, or only when something goes wrong: whether they are allowed is asked before
    /// anything is changed.
    pub(super) must_be_allowed: fn(&Request, &Record) -> Vec<Call>,
    /// What must be true before.
    pub(super) checks: &'static [Check],
    /// Every choice, once all checks are passed.
    pub(super) plan: fn(&Case<'_>, Draft<'_>) -> Result<Decision, Refusal>,
}

/// Every engine, the strongest first: without `--engine` the first one that takes a service deploys it.
const ENGINES: [&Engine; 3] = [&native::ENGINE, &listener::ENGINE, &rolling::ENGINE];

/// The row of an engine.
fn row(name: EngineName) -> &'static Engine {
    match name {
        EngineName::Native => &native::ENGINE,
        EngineName::Listener => &listener::ENGINE,
        EngineName::Rolling => &rolling::ENGINE,
    }
}

/// Calls of a deployment that may be denied only after something was changed.
pub fn must_be_allowed(request: &Request, record: &Record) -> Vec<Call> {
    (row(record.engine()).must_be_allowed)(request, record)
}

/// Every engine.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static Engine> {
    ENGINES.into_iter()
}

/// Who deploys, and why. Where something marks a pair, it is never taken for a service alone.
pub(super) fn engine(
    request: &Request,
    survey: &Survey,
) -> Result<(&'static Engine, EngineReason), Refusal> {
    if let Some(name) = request.engine {
        return Ok((row(name), EngineReason::Asked));
    }
    let is_for = |engine: &&Engine| !request.alone || engine.twin.is_none();
    let takes = |engine: &'static Engine| Some((engine, (engine.takes)(request, survey)?));
    match ENGINES.into_iter().filter(is_for).find_map(takes) {
        Some((engine, why)) => Ok((engine, why?)),
        None => Err(super::checks::service::no_service(survey, &survey.service)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_has_a_row_of_its_own() {
        for name in EngineName::ALL {
            assert_eq!(row(name).name, name);
        }
    }
}
