//! Planning for the `rolling` engine: one service, whose tasks ECS replaces. Pure.

use std::time::Duration;

use super::checks::{Case, Check, image, options, refuse, service};
use super::engine::Engine;
use super::{
    Decision, Draft, Plan, Survey, differences, is_steady, notes, registered, runs_already,
};
use crate::event::refusal::{DefinitionRefused, ServiceRefused};
use crate::event::{EngineReason, NumberChange, Planned, Refusal, Settled, Update, Warning};
use crate::model::arn::short;
use crate::model::revision::Revision;
use crate::model::world::{Deployment, Service};
use crate::plan::clone::{Changes, clone_request, own_tags};
use crate::record::{Asked, Change, Heading, Record};
use crate::request::{EngineName, Request, Share, WaitFor};

/// The row of this engine.
pub(super) const ENGINE: Engine = Engine {
    name: EngineName::Rolling,
    takes: |_, survey| {
        let fit = service(survey).and_then(|service| service::replaceable(survey, service));
        Some(fit.map(|()| EngineReason::NoTwin { service: survey.service.clone() }))
    },
    live: service,
    twin: None,
    second_set: false,
    calls: &[],
    must_be_allowed: |_, _| vec![],
    checks: CHECKS,
    plan,
};

/// What must be true before.
const CHECKS: &[Check] = &[
    Check { code: "options", run: |case| options::fit_rolling(case.request) },
    Check { code: "image", run: image::images_exist },
    Check { code: "definition", run: |case| case.wanted.fits() },
    Check { code: "alarms", run: options::alarms_exist },
    Check { code: "checks", run: options::gates_are_ready },
    Check { code: "service", run: has_tasks_to_replace },
    Check { code: "desired-count", run: takes_a_count },
    Check { code: "progress", run: can_make_progress },
    Check { code: "task-definition", run: fits_the_service },
    Check { code: "target-health", run: targets_can_be_healthy },
    Check { code: "port", run: port_is_free },
];

/// The service, when ECS can replace its tasks.
fn service(survey: &Survey) -> Result<&Service, Refusal> {
    service::existing(survey, &survey.service)
}

/// ECS may replace its tasks. The side of a pair that does not serve has none, or those that were kept.
fn has_tasks_to_replace(case: &Case<'_>) -> Result<(), Refusal> {
    let Case { request, survey, .. } = case;
    service::service_is_replaceable(survey)?;
    let own = service(survey)?;
    let twin = survey.twin.as_deref().and_then(|twin| survey.world.service(twin));
    let is_kept = survey.kept().is_some_and(|kept| kept.blue == own.name);
    // Who asks for tasks there gets a warning that their traffic is not checked.
    let is_empty = request.scale.count.unwrap_or(own.desired) == 0;
    let serves = |twin: &&Service| twin.desired > 0 && (is_empty || is_kept);
    match twin.filter(serves).filter(|_| !request.is_rollback) {
        None => Ok(()),
        Some(twin) => refuse(ServiceRefused::IdleSide {
            service: own.name.clone(),
            twin: twin.name.clone(),
            cluster: survey.cluster_name().to_owned(),
        }),
    }
}

/// A service that runs a task on every instance has no count of its own.
fn takes_a_count(case: &Case<'_>) -> Result<(), Refusal> {
    let is_asked = case.request.scale.count.is_some();
    let service = known(case).filter(|service| is_asked && service::is_daemon(service));
    service.map_or(Ok(()), |service| {
        Err(Refusal::new(ServiceRefused::DaemonHasNoCount { service: service.name.clone() }))
    })
}

/// ECS has room to replace tasks.
fn can_make_progress(case: &Case<'_>) -> Result<(), Refusal> {
    known(case).map_or(Ok(()), |service| can_progress(case.request, case.survey, service))
}

/// The load balancers find their container and port.
fn fits_the_service(case: &Case<'_>) -> Result<(), Refusal> {
    known(case).map_or(Ok(()), |service| service::for_a_service(case.wanted, service))
}

/// New targets can become healthy, where that is waited for.
fn targets_can_be_healthy(case: &Case<'_>) -> Result<(), Refusal> {
    let Case { request, survey, .. } = case;
    let waits = !request.no_wait
        && matches!(request.until, None | Some(WaitFor::Healthy | WaitFor::Drained));
    let service = known(case).filter(|_| waits);
    service.map_or(Ok(()), |service| service::usable(survey, service))
}

/// A port that every task needs is free somewhere.
fn port_is_free(case: &Case<'_>) -> Result<(), Refusal> {
    let Case { request, survey, wanted, .. } = case;
    known(case).map_or(Ok(()), |service| has_port(request, survey, service, &wanted.base))
}

/// The service, where it can be deployed.
fn known<'a>(case: &Case<'a>) -> Option<&'a Service> {
    service::service_is_replaceable(case.survey).ok()?;
    service(case.survey).ok()
}

/// Every choice, or a refusal.
fn plan(case: &Case<'_>, draft: Draft<'_>) -> Result<Decision, Refusal> {
    let Case { request, survey, wanted, digests } = *case;
    let Draft { fingerprint, identity, why, mut warnings } = draft;
    let service = service(survey)?;
    let unreadable = || Refusal::new(DefinitionRefused::LiveUnreadable);
    let asked = asked(request, service);
    let idle = !request.force && !request.restart && asked == Asked::default();
    let idle = idle && is_steady(survey, service);
    let same = runs_already(survey, service, wanted, digests, &fingerprint);
    if let Some(images) = same.filter(|_| idle) {
        let revision = short(&service.revision).to_owned();
        return Ok(Decision::Nothing { service: service.name.clone(), revision, images });
    }
    warnings.extend(oddities(request, survey, service));
    let mut base = wanted.base.clone();
    if request.leave_tags {
        base.tags.clear();
    }
    let (from, had) = survey.last_good(service, &way_back(service));
    let way_back = match survey.revisions.get(&from) {
        Some(revision) if !revision.active => {
            let body = clone_request(&revision.raw, &Changes::default(), &own_tags(&revision.tags));
            warnings.push(Warning::CopiedToRollBack { revision: revision.name.clone() });
            Some(body.map_err(|_| unreadable())?)
        }
        _ => None,
    };
    // The same revision again, at somebody's word: its tasks are new.
    let restart = request.changes.is_empty() && request.edits.is_empty();
    let record = Record {
        id: identity.deployment.clone(),
        request: fingerprint,
        revision: if restart { service.revision.clone() } else { String::new() },
        cluster: survey.cluster_name().to_owned(),
        blue: service.name.clone(),
        green: service.name.clone(),
        from,
        was: service.revision.clone(),
        count: asked.count.map_or(service.desired, |count| count.to),
        had: had.or_else(|| super::had(&survey.world, service)),
        scaling: None,
        scaled: survey.world.scalable.as_ref().map(|_| survey.scalable(&service.name).is_some()),
        asked,
        prepare: request.prepare.as_ref().map(super::prepare),
        native: None,
        until: match request.no_wait {
            true => WaitFor::Accepted,
            false => request.until.unwrap_or_default(),
        },
        shares: vec![Share::ALL],
        bake: request.bake.unwrap_or_default(),
        follow: Duration::ZERO,
        timeout: request.timeout,
        test_rules: vec![],
        keep_old: false,
        start: survey.world.at,
        heading: Heading::Forward,
        to: None,
        held: None,
        promoted: None,
        judges: request.judges(),
        closed: None,
        owner: identity.owner.clone(),
        by: identity.by.clone(),
        seen: survey.world.at,
        released: None,
    };
    warnings.extend(notes::credentials(survey, &record));
    let changes = wanted.changes();
    let diff = match restart {
        true => Default::default(),
        false => differences(survey, service, &base, &changes)?,
    };
    let steps = steps(&record, &base, &changes, service);
    let plan = Plan { record, why, way_back, base, changes, outage: false, warnings, steps, diff };
    Ok(Decision::Deploy(Box::new(plan)))
}

/// What is asked for and is not so already.
fn asked(request: &Request, service: &Service) -> Asked {
    let change =
        |to: Option<u32>, from: u32| to.filter(|to| *to != from).map(|to| Change { to, from });
    let scale = &request.scale;
    Asked {
        count: change(scale.count, service.desired),
        min_healthy: change(scale.min_healthy, service.min_healthy_percent),
        max_percent: change(scale.max_percent, service.max_percent),
    }
}

/// The revision of the newest deployment that ECS completed, or else the one that it works towards.
fn way_back(service: &Service) -> String {
    let completed = |one: &&Deployment| one.rollout.as_deref() == Some("COMPLETED");
    let found = service.deployments.iter().find(completed);
    found.map_or(&service.revision, |deployment| &deployment.revision).clone()
}

/// What the user should know.
fn oddities(request: &Request, survey: &Survey, service: &Service) -> Vec<Warning> {
    let mut found = Vec::new();
    let name = || service.name.clone();
    if let Some(reason) = survey.blind.clone() {
        found.push(Warning::LoadBalancersUnread { reason });
    }
    if let Some(failure) = &survey.rules_unread {
        found.push(Warning::RulesUnread { reason: failure.message.clone() });
    }
    let primary = service.primary();
    if let Some(primary) = primary.filter(|_| service.deployments.len() > 1) {
        found.push(Warning::DeploymentReplaced {
            service: name(),
            revision: short(&primary.revision).to_owned(),
            status: primary.rollout.clone(),
            old: short(&way_back(service)).to_owned(),
        });
    }
    if request.scale.count.unwrap_or(service.desired) == 0 {
        found.push(Warning::NoTasksWanted { service: name() });
    }
    if let Some(twin) = survey.twin.clone() {
        found.push(Warning::TwinUnchecked { service: name(), twin });
    }
    found
}

/// ECS keeps ceil(desired × minimumHealthyPercent) tasks and runs at most floor(desired ×
/// maximumPercent) (API reference of DeploymentConfiguration): both at 100 % leave no room.
fn can_progress(request: &Request, survey: &Survey, service: &Service) -> Result<(), Refusal> {
    let desired = u64::from(request.scale.count.unwrap_or(service.desired));
    let least = u64::from(request.scale.min_healthy.unwrap_or(service.min_healthy_percent));
    let most = u64::from(request.scale.max_percent.unwrap_or(service.max_percent));
    let (keeps, may_run) = ((desired * least).div_ceil(100), desired * most / 100);
    if desired == 0 || may_run > desired || keeps < desired {
        return Ok(());
    }
    let is_daemon = service::is_daemon(service);
    Err(Refusal::new(ServiceRefused::NoRoomToReplace {
        service: service.name.clone(),
        cluster: survey.cluster_name().to_owned(),
        desired,
        keeps,
        min_healthy: least,
        may_run,
        max_percent: most,
        is_daemon,
    }))
}

/// The host port that every task of a revision takes of its instance, where there is one.
pub fn static_port(revision: &Revision) -> Option<u64> {
    let answer: serde_json::Value = serde_json::from_str(&revision.raw).ok()?;
    let definition = answer.get("taskDefinition").unwrap_or(&answer);
    let host = match definition["networkMode"].as_str() {
        Some("host") => "containerPort",
        Some("bridge") | None => "hostPort",
        Some(_) => return None,
    };
    let containers = definition["containerDefinitions"].as_array()?;
    let ports = containers.iter().filter_map(|one| one["portMappings"].as_array()).flatten();
    ports.filter_map(|port| port[host].as_u64()).find(|port| *port > 0)
}

/// Where the service's own tasks hold a port of every instance, one of them must stop before another
/// one can start.
fn has_port(
    request: &Request,
    survey: &Survey,
    service: &Service,
    base: &Revision,
) -> Result<(), Refusal> {
    let held = survey.revisions.get(&service.revision).and_then(static_port);
    let Some(port) = static_port(base).filter(|port| Some(*port) == held) else { return Ok(()) };
    let desired = request.scale.count.unwrap_or(service.desired);
    let least = request.scale.min_healthy.unwrap_or(service.min_healthy_percent);
    let keeps = (u64::from(desired) * u64::from(least)).div_ceil(100);
    let room = survey.instances.is_none_or(|instances| instances > service.running as usize);
    // A capacity provider may add an instance.
    let fixed = service.settings.get("launchType").is_some_and(|kind| kind == "EC2");
    if room || !fixed || service.running == 0 || desired == 0 || keeps < u64::from(desired) {
        return Ok(());
    }
    Err(Refusal::new(ServiceRefused::PortHeld {
        service: service.name.clone(),
        port,
        desired,
        keeps,
        min_healthy: least,
    }))
}

fn steps(record: &Record, base: &Revision, changes: &Changes, service: &Service) -> Vec<Planned> {
    let mut steps = Vec::new();
    let update = match record.is_restart() {
        true => Update::Restart { revision: base.name.clone() },
        false => {
            steps.push(registered(base, changes));
            Update::Replace
        }
    };
    steps.extend(super::preparing(record));
    let number =
        |change: Option<Change>| change.map(|Change { to, from }| NumberChange { from, to });
    steps.push(Planned::Update {
        service: service.name.clone(),
        update,
        desired: number(record.asked.count),
        minimum_healthy_percent: number(record.asked.min_healthy),
        maximum_percent: number(record.asked.max_percent),
    });
    let until = match record.until {
        WaitFor::Accepted => return steps,
        WaitFor::Started | WaitFor::Running => Settled::Running,
        WaitFor::Healthy => Settled::Completed,
        WaitFor::Drained => Settled::Drained,
    };
    steps.push(Planned::Settle { tasks: record.count, until, timeout: record.timeout });
    if !record.bake.is_zero() {
        let (service, period) = (service.name.clone(), record.bake);
        steps.push(Planned::Bake { service, kept: None, by_ecs: false, period });
    }
    steps
}
