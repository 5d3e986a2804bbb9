//! Options that the engine cannot follow are refused, never dropped.

use super::refuse;
use crate::error::Refusal;
use crate::request::Request;

/// Options that only mean something where ECS replaces the tasks.
pub(in crate::plan) fn for_rolling_only(request: &Request) -> Result<(), Refusal> {
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
                "{option} works only with the engine rolling; this deployment shifts traffic between two services"
            ),
            format!("leave out {option}"),
        ),
    }
}

/// Options that only mean something where weights are moved.
pub(in crate::plan) fn for_listener_only(request: &Request) -> Result<(), Refusal> {
    let in_shares = request.shares.iter().any(|share| share.percent < 100);
    let given = [("--shares", in_shares), ("--follow", request.follow.is_some())];
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
