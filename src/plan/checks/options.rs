//! Options that the engine cannot follow are refused, never dropped.

use super::{Case, refuse};
use crate::error::Refusal;
use crate::model::gate::GateFault;
use crate::request::Request;
use crate::request::strategy::Stage;

/// Options that only mean something where ECS replaces the tasks.
pub(in crate::plan) fn for_rolling_only(request: &Request) -> Result<(), Refusal> {
    if let Some(strategy) = request.strategy {
        strategy.shares()?;
    }
    const PAUSES: [Stage; 2] = [Stage::PostTestTrafficShift, Stage::PreProductionTrafficShift];
    if let Some(stage) = request.pauses.iter().find(|stage| !PAUSES.contains(stage)) {
        return refuse(
            format!(
                "--pause-at {} works only where ECS shifts the traffic (engine native)",
                stage.shown()
            ),
            "--pause-at before-traffic or each-step, or --shares 10:pause,100",
        );
    }
    let shares = request.shares.iter().filter(|share| share.percent < 100);
    if request.pauses.contains(&Stage::PreProductionTrafficShift) && shares.count() == 0 {
        return refuse(
            "--pause-at each-step: all traffic moves in one step",
            "--pause-at before-traffic, or steps: --shares 10,50,100",
        );
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
        Some((option, _)) => refuse(
            format!(
                "{option} does not work with the engine listener, which shifts traffic between two services"
            ),
            format!("leave out {option}"),
        ),
    }
}

/// Options that only mean something where weights are moved.
pub(in crate::plan) fn for_listener_only(request: &Request) -> Result<(), Refusal> {
    if let Some(strategy) = request.strategy {
        return refuse(
            format!(
                "--strategy {strategy}: {} is not set up for ECS to shift its traffic (no advancedConfiguration)",
                request.service
            ),
            format!("ecs-bg setup --cluster {} --service {}", request.cluster, request.service),
        );
    }
    if !request.pauses.is_empty() {
        return refuse(
            format!(
                "--pause-at: {} is not set up for ECS to shift its traffic, and has no twin; ECS replaces its tasks",
                request.service
            ),
            format!("ecs-bg setup --cluster {} --service {}", request.cluster, request.service),
        );
    }
    let in_shares = request.shares.iter().any(|share| share.percent < 100);
    let given = [
        ("--shares", in_shares),
        ("--follow", request.follow.is_some()),
        ("--keep-old", request.keep_old),
        ("--test-listener", request.test_listener.is_some()),
    ];
    if let (Some(twin), Some(engine)) = (&request.twin, request.engine) {
        return refuse(
            format!("--twin {twin} names a pair, but --engine {engine} deploys one service"),
            format!(
                "leave out --engine {engine} to deploy the pair, or --twin to deploy {} alone",
                request.service
            ),
        );
    }
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => refuse(
            format!(
                "{option} works only with two services (engine listener); here ECS replaces the tasks of one"
            ),
            format!("leave out {option}, or name the other service of a pair with --twin SERVICE"),
        ),
    }
}

/// Options that mean nothing where ECS shifts the traffic.
pub(in crate::plan) fn for_native(request: &Request) -> Result<(), Refusal> {
    if let (Some(twin), Some(engine)) = (&request.twin, request.engine) {
        return refuse(
            format!("--twin {twin} names a pair, but --engine {engine} deploys one service"),
            format!("leave out --engine {engine}, or --twin"),
        );
    }
    let scale = &request.scale;
    let in_shares =
        request.strategy.is_none() && request.shares.iter().any(|one| one.percent < 100);
    if in_shares {
        return refuse(
            "--shares works only with two services (engine listener); here ECS shifts the traffic",
            "--strategy canary:10/5m or linear:20/2m",
        );
    }
    if request.test_listener.is_some() {
        return refuse(
            "--test-listener works only with two services (engine listener); here ECS moves its own test rule",
            format!(
                "ecs-bg setup --cluster {} --service {} --test-rule ARN",
                request.cluster, request.service
            ),
        );
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
        return refuse(
            format!("{option} does not work where ECS shifts the traffic (engine native)"),
            format!("leave out {option}"),
        );
    }
    match request.bake {
        Some(bake) if bake.as_secs() % 60 != 0 || bake.as_secs() > 24 * 3600 => refuse(
            "--bake is whole minutes, at most 24h, where ECS shifts the traffic (bakeTimeInMinutes)",
            "--bake 5m",
        ),
        _ => Ok(()),
    }
}

/// An alarm that is not there would never go off.
pub(in crate::plan) fn alarms_exist(case: &Case<'_>) -> Result<(), Refusal> {
    let missing = case
        .request
        .alarms
        .iter()
        .find(|name| case.survey.alarms.iter().all(|alarm| alarm.name != **name));
    match missing {
        None => Ok(()),
        Some(name) => refuse(
            format!("--alarm {name}: there is no such alarm in this region"),
            "aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName'",
        ),
    }
}

/// A judge that cannot be asked now would only find out when the new version has traffic.
pub(in crate::plan) fn gates_are_ready(case: &Case<'_>) -> Result<(), Refusal> {
    let Some((gate, fault)) = case.survey.unready.first() else { return Ok(()) };
    match fault {
        GateFault::NotStarted { reason } => refuse(
            format!("--check-cmd {gate}: it cannot be started: {reason}"),
            "name a program that is in PATH",
        ),
        GateFault::Unreachable { reason } => refuse(
            format!("--check {gate}: it cannot be reached from here: {reason}"),
            "try the URL with curl from here",
        ),
        _ => Ok(()),
    }
}
