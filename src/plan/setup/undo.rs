//! The way back to one target group and the strategy ROLLING.

use std::time::Duration;

use super::checks::{balancers, deployable};
use super::{CLONE_TAG, Seen, Step, is_deploying, is_settled, steps};
use crate::event::Refusal;
use crate::event::refusal::SetupRefused;
use crate::model::rule::{GroupPair, without_green};
use crate::model::world::Service;
use crate::plan::checks::refuse;
use crate::plan::listener::follow;
use crate::plan::native::running;
use crate::plan::{Survey, unfinished};
use crate::record::{Change, Native};
use crate::request::setup::Setup;
use crate::request::strategy::Strategy;
use crate::route::configuration::{for_deployment, strategy};

/// The way back: the strategy first, since ECS wants both groups for it.
pub(super) fn undo_steps(asked: &Setup, seen: &Seen, service: &Service) -> Vec<Step> {
    let mut steps = Vec::new();
    let own = service.settings.get("deploymentConfiguration");
    let found = own.and_then(strategy).unwrap_or(Strategy::Rolling);
    let bake = own.and_then(|own| own["bakeTimeInMinutes"].as_u64());
    let bake = bake.and_then(|minutes| u32::try_from(minutes).ok()).filter(|bake| *bake > 0);
    let change = Native {
        strategy: Some((Strategy::Rolling, found)),
        keeps: true,
        bake: bake.map(|from| Change { to: 0, from }),
        pauses: vec![],
        limit: 0,
        gates: vec![],
    };
    if let Some(configuration) = for_deployment(own, &change).filter(|_| found != Strategy::Rolling)
    {
        steps.push(Step::Strategy { configuration, strategy: Strategy::Rolling, bake: 0 });
    }
    if service.is_advanced() {
        let mut load_balancers = service.settings.get("loadBalancers").cloned().unwrap_or_default();
        for one in load_balancers.as_array_mut().into_iter().flatten() {
            one.as_object_mut().and_then(|one| one.remove("advancedConfiguration"));
        }
        steps.extend([Step::Retire { load_balancers }, Step::Settle]);
    }
    let cleared = clear_steps(asked, seen, service);
    if !cleared.is_empty() && !service.is_advanced() && !is_settled(service) {
        steps.push(Step::Settle);
    }
    steps.into_iter().chain(cleared).collect()
}

/// What is left to do for a rule for test traffic and a second group that ECS does not use any more.
fn clear_steps(asked: &Setup, seen: &Seen, service: &Service) -> Vec<Step> {
    let made = seen.made.iter().filter_map(|arn| seen.survey.world.rules.get(arn));
    let mut steps: Vec<Step> = made
        .map(|rule| Step::DeleteRule { rule: rule.name.clone(), arn: rule.arn.clone() })
        .collect();
    let (Some(first), Some(second)) = (&seen.first, &seen.second) else { return steps };
    let is_clone = second.is_made_for(CLONE_TAG, &first.name);
    // Another group of that name is somebody else's.
    if !is_clone && asked.alternate.is_none() && !service.is_advanced() {
        return steps;
    }
    let pairs = [GroupPair { blue: first.arn.clone(), green: second.arn.clone() }];
    for rule in seen.survey.world.rules.values() {
        let has = |arn: &str| rule.weights().iter().any(|(group, _)| group == arn);
        if has(&first.arn) && has(&second.arn) && !seen.made.contains(&rule.arn) {
            let actions = without_green(&rule.actions, &pairs);
            steps.push(Step::Detach { rule: rule.clone(), actions });
        }
    }
    if is_clone {
        steps.push(Step::Delete { group: second.name.clone(), arn: second.arn.clone() });
    }
    steps
}

/// How long the load balancer may still follow the rules that ECS changed last.
fn still_follows(survey: &Survey) -> Option<Duration> {
    let shifted = survey.world.deployments.iter().flatten().filter(|one| one.production.is_some());
    let last = shifted.filter_map(|one| one.finished).max()?;
    (last + follow(&survey.world)).duration_since(survey.world.at).ok()
}

/// What is in the way of it.
pub(super) fn check_undo(asked: &Setup, seen: &Seen, service: &Service) -> Result<(), Refusal> {
    let survey = &seen.survey;
    let (name, cluster) = (service.name.clone(), survey.cluster_name().to_owned());
    if let Some(twin) = &survey.twin {
        let (arn, twin) = (service.arn.clone(), twin.clone());
        return refuse(SetupRefused::SetupOfPair { service: name, arn, twin });
    }
    if steps(asked, seen).is_empty() {
        return Ok(());
    }
    deployable(survey, service)?;
    if let Some(Ok(record)) = survey.open_record() {
        return Err(unfinished(survey, &record));
    }
    if balancers(service).len() > 1 || survey.blind.is_some() {
        return refuse(SetupRefused::UndoSeveralLoadBalancers { service: name });
    }
    if running(survey).is_some() && service.is_advanced() {
        return refuse(SetupRefused::Deploying { service: name, cluster });
    }
    let (Some(first), Some(second)) = (&seen.first, &seen.second) else { return Ok(()) };
    let live = survey.world.rules.values().any(|rule| {
        rule.weights().iter().any(|(group, weight)| *group == second.arn && *weight > 0)
    });
    if live || second.targets != Some(0) {
        return refuse(SetupRefused::UndoWhileUsed {
            service: name,
            cluster,
            group: second.name.clone(),
            first: first.name.clone(),
            has_traffic: live,
        });
    }
    // What undoing has begun is gone on with.
    if !service.is_advanced() {
        return Ok(());
    }
    if is_deploying(service) {
        return refuse(SetupRefused::Deploying { service: name, cluster });
    }
    match still_follows(survey) {
        None => Ok(()),
        Some(left) => {
            let left = Duration::from_secs(left.as_secs() + 1);
            let group = second.name.clone();
            refuse(SetupRefused::UndoTooEarly { service: name, cluster, group, left })
        }
    }
}
