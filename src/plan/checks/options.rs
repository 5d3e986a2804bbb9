//! Options that the engine cannot follow are refused, never dropped.

use std::time::Duration;

use super::{Case, refuse};
use crate::event::Refusal;
use crate::event::refusal::OptionsRefused;
use crate::model::gate::GateFault;
use crate::record::GATES_LIMIT;
use crate::request::Request;
use crate::request::gates::Gate;
use crate::request::strategy::Stage;

/// Options that mean something where `ecs-bg` moves weights.
pub(in crate::plan) fn fit_listener(request: &Request) -> Result<(), Refusal> {
    if let Some(strategy) = request.strategy.filter(|strategy| strategy.shares().is_none()) {
        let strategy = strategy.to_string();
        return refuse(OptionsRefused::StrategyNotWhole { strategy });
    }
    const PAUSES: [Stage; 2] = [Stage::PostTestTrafficShift, Stage::PreProductionTrafficShift];
    if let Some(stage) = request.pauses.iter().find(|stage| !PAUSES.contains(stage)) {
        return refuse(OptionsRefused::PauseOnlyByEcs { stage: stage.shown() });
    }
    let shares = request.shares.iter().filter(|share| share.percent < 100);
    if request.pauses.contains(&Stage::PreProductionTrafficShift) && shares.count() == 0 {
        return refuse(OptionsRefused::PauseWithoutSteps);
    }
    let scale = &request.scale;
    let given = [
        ("--desired-count", scale.count.is_some()),
        ("--min-healthy", scale.min_healthy.is_some()),
        ("--max-percent", scale.max_percent.is_some()),
        ("--wait-for", request.until.is_some()),
        ("--no-wait", request.no_wait),
        ("--force-new-deployment", request.restart),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => refuse(OptionsRefused::NotForPair { option }),
    }
}

/// Options that mean something where ECS replaces the tasks.
pub(in crate::plan) fn fit_rolling(request: &Request) -> Result<(), Refusal> {
    let of_ecs =
        [("--strategy", request.strategy.is_some()), ("--pause-at", !request.pauses.is_empty())];
    if let Some((option, _)) = of_ecs.iter().find(|(_, given)| *given) {
        return refuse(OptionsRefused::NotSetUpFor {
            option,
            service: request.service.clone(),
            cluster: request.cluster.clone(),
        });
    }
    let in_shares = request.shares.iter().any(|share| share.percent < 100);
    let given = [
        ("--shares", in_shares),
        ("--follow", request.follow.is_some()),
        ("--keep-old", request.keep_old),
        ("--test-listener", request.test_listener.is_some()),
    ];
    if let (Some(twin), Some(engine)) = (&request.twin, request.engine) {
        return refuse(OptionsRefused::TwinWithEngine {
            twin: twin.clone(),
            engine,
            service: request.service.clone(),
        });
    }
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => refuse(OptionsRefused::OnlyForPair { option, ecs_shifts: false }),
    }
}

/// Options that mean nothing where ECS shifts the traffic.
pub(in crate::plan) fn fit_native(request: &Request) -> Result<(), Refusal> {
    if let (Some(twin), Some(engine)) = (&request.twin, request.engine) {
        return refuse(OptionsRefused::TwinWithEngine {
            twin: twin.clone(),
            engine,
            service: request.service.clone(),
        });
    }
    let scale = &request.scale;
    let in_shares =
        request.strategy.is_none() && request.shares.iter().any(|one| one.percent < 100);
    if in_shares {
        return refuse(OptionsRefused::OnlyForPair { option: "--shares", ecs_shifts: true });
    }
    if request.test_listener.is_some() {
        return refuse(OptionsRefused::TestListenerOfEcs {
            service: request.service.clone(),
            cluster: request.cluster.clone(),
        });
    }
    let pauses = request.no_wait && !request.pauses.is_empty();
    let given = [
        ("--follow", request.follow.is_some()),
        ("--keep-old", request.keep_old),
        ("--wait-for", request.until.is_some() && !request.alone),
        ("--desired-count", scale.count.is_some()),
        ("--min-healthy", scale.min_healthy.is_some()),
        ("--max-percent", scale.max_percent.is_some()),
        ("--no-wait with --pause-at", pauses),
    ];
    if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
        return refuse(OptionsRefused::NotWhereEcsShifts { option });
    }
    match request.bake {
        Some(bake) if bake.as_secs() % 60 != 0 || bake.as_secs() > 24 * 3600 => {
            refuse(OptionsRefused::BakeNotInMinutes)
        }
        _ => Ok(()),
    }
}

/// An alarm that is not there would never go off; one that is on is no judge until it was off.
pub(in crate::plan) fn alarms_exist(case: &Case<'_>) -> Result<(), Refusal> {
    let missing = case
        .request
        .alarms
        .iter()
        .find(|name| case.survey.alarms.iter().all(|alarm| alarm.name != **name));
    if let Some(name) = missing {
        return refuse(OptionsRefused::NoAlarm { alarm: name.clone() });
    }
    match case.survey.alarms.iter().find(|alarm| case.request.strict_alarms && alarm.fires) {
        None => Ok(()),
        Some(alarm) => refuse(OptionsRefused::AlarmOn { alarm: alarm.name.clone() }),
    }
}

/// ECS waits for checks, but not for ever; what was read before and after a command takes its time, too.
pub(in crate::plan) fn gates_fit_native(case: &Case<'_>) -> Result<(), Refusal> {
    let most = Duration::from_secs(60 * u64::from(GATES_LIMIT - 1));
    let is_long = |gate: &Gate| matches!(gate, Gate::Command { timeout, .. } if *timeout > most);
    match case.request.gates.gates.iter().any(is_long) {
        true => refuse(OptionsRefused::CheckTooLong { most: most.as_secs() }),
        false => gates_are_ready(case),
    }
}

/// A judge that cannot be asked now would only find out when the new version has traffic.
pub(in crate::plan) fn gates_are_ready(case: &Case<'_>) -> Result<(), Refusal> {
    let Some((gate, fault)) = case.survey.unready.first() else { return Ok(()) };
    match fault {
        GateFault::NotStarted { .. } | GateFault::Unreachable { .. } => {
            let (gate, fault) = (gate.clone(), fault.clone());
            refuse(OptionsRefused::CheckNotReady { gate, fault })
        }
        _ => Ok(()),
    }
}
