//! Planning where ECS shifts the traffic between two target groups of one service. Pure.

use std::time::Duration;

use super::checks::{Case, Check, image, options, refuse, service};
use super::clone::Changes;
use super::engine::Engine;
use super::{
    Decision, Draft, Identity, Plan, Survey, differences, group_name, had, is_steady, notes,
    prepare, preparing, registered, runs_already,
};
use crate::call::Call;
use crate::event::refusal::{ServiceRefused, TrafficRefused};
use crate::event::{EngineReason, Part, Planned, Refusal, Update, Warning};
use crate::model::arn::short;
use crate::model::revision::Revision;
use crate::model::rule::weights;
use crate::model::service_deployment::ServiceDeployment;
use crate::model::world::{Deployment, Rule, Service};
use crate::record::{Asked, Change, Heading, Native, Reason, Record};
use crate::request::strategy::{BAKE_MAX, Stage, Strategy};
use crate::request::{EngineName, Request, Share, WaitFor};
use crate::route::configuration::{pauses, pauses_at, strategy};
use crate::route::native::{LISTED_WITHIN, SKEW, production_rules, serving, unmoved};

/// The row of this engine.
pub(super) const ENGINE: Engine = Engine {
    name: EngineName::Native,
    takes,
    live: own,
    twin: None,
    second_set: true,
    calls: &[
        Call::DescribeServiceDeployments,
        Call::StopServiceDeployment,
        Call::ContinueServiceDeployment,
    ],
    must_be_allowed,
    checks: CHECKS,
    plan,
};

/// Where the service has such a strategy, or is set up for one that is asked for.
fn takes(request: &Request, survey: &Survey) -> Option<Result<EngineReason, Refusal>> {
    let service = own(survey).ok().filter(|_| survey.twin.is_none() || request.alone)?;
    let has = service.strategy();
    if has != "ROLLING" {
        return Some(Ok(EngineReason::Strategy { strategy: has.to_owned() }));
    }
    let asked = request.strategy.is_some() && (service.is_advanced() || is_headless(service));
    asked.then_some(Ok(EngineReason::StrategyAsked))
}

/// What must be true before.
const CHECKS: &[Check] = &[
    Check { code: "options", run: |case| options::fit_native(case.request) },
    Check { code: "image", run: image::images_exist },
    Check { code: "definition", run: |case| case.wanted.fits() },
    Check { code: "alarms", run: options::alarms_exist },
    Check { code: "checks", run: options::gates_fit_native },
    Check { code: "service", run: |case| service::service_is_deployable(case.survey) },
    Check { code: "strategy", run: can_follow_the_strategy },
    Check { code: "deployment", run: nothing_else_runs },
    Check { code: "task-definition", run: fits_the_service },
    Check { code: "traffic", run: traffic_is_on_one_group },
    Check { code: "target-health", run: targets_can_be_healthy },
];

fn own(survey: &Survey) -> Result<&Service, Refusal> {
    service::existing(survey, &survey.service)
}

/// The service, where it can be deployed.
fn known<'a>(case: &Case<'a>) -> Option<&'a Service> {
    service::service_is_deployable(case.survey).ok()?;
    own(case.survey).ok()
}

/// Nothing sends requests to it through a load balancer.
fn is_headless(service: &Service) -> bool {
    service.attachments.is_empty()
}

/// ECS can shift its traffic.
fn can_follow_the_strategy(case: &Case<'_>) -> Result<(), Refusal> {
    let Some(service) = known(case) else { return Ok(()) };
    let (name, cluster) = (service.name.clone(), case.survey.cluster_name().to_owned());
    let has = service.strategy();
    if !service.is_advanced() && !is_headless(service) {
        return refuse(ServiceRefused::NotSetUp { service: name, cluster });
    }
    if has == "ROLLING" && case.request.strategy.is_none() {
        return refuse(ServiceRefused::NotShiftedByEcs { service: name });
    }
    let own = service.settings.get("deploymentConfiguration");
    if case.request.strategy.is_some() && own.is_some_and(|own| strategy(own).is_none()) {
        return refuse(ServiceRefused::UnknownStrategy { service: name, strategy: has.to_owned() });
    }
    Ok(())
}

/// No other service deployment runs.
fn nothing_else_runs(case: &Case<'_>) -> Result<(), Refusal> {
    let Some(service) = known(case) else { return Ok(()) };
    // Of other services they are not read.
    if !service.has_service_deployments() {
        return Ok(());
    }
    let Some(running) = &case.survey.world.deployments else {
        let service = service.name.clone();
        return refuse(ServiceRefused::ServiceDeploymentsUnread { service });
    };
    let Some(other) = running.iter().find(|one| one.is_running()) else { return Ok(()) };
    refuse(ServiceRefused::ServiceDeploymentRuns {
        service: service.name.clone(),
        revision: other.revision.as_deref().map(|arn| short(arn).to_owned()),
        arn: other.arn.clone(),
        status: other.status.clone(),
        stage: other.stage.clone(),
    })
}

/// The load balancers find their container and port.
fn fits_the_service(case: &Case<'_>) -> Result<(), Refusal> {
    known(case).map_or(Ok(()), |service| service::for_a_service(case.wanted, service))
}

/// New targets can become healthy.
fn targets_can_be_healthy(case: &Case<'_>) -> Result<(), Refusal> {
    let service = known(case).filter(|_| !case.request.no_wait);
    service.map_or(Ok(()), |service| service::usable(case.survey, service))
}

/// ECS starts the new tasks in the group that the rule gives no traffic, whatever stands in the other one.
fn traffic_is_on_one_group(case: &Case<'_>) -> Result<(), Refusal> {
    let Some(service) = known(case).filter(|service| service.is_advanced()) else { return Ok(()) };
    let world = &case.survey.world;
    match &case.survey.blind {
        // What is put back comes first: of that there is a warning.
        Some(_) if case.request.is_rollback => return Ok(()),
        Some(reason) => {
            return refuse(ServiceRefused::LoadBalancerUnread { reason: reason.clone() });
        }
        None => {}
    }
    let name = |arn: &String| group_name(world, arn);
    for (attachment, rule) in production_rules(&world.rules, service) {
        let Some(advanced) = &attachment.advanced else { continue };
        let (one, other) = (&attachment.group, &advanced.alternate);
        let groups = || [one, other].map(name);
        let arn = advanced.production.clone();
        let Some(rule) = rule else {
            return refuse(TrafficRefused::NoProductionRule {
                service: service.name.clone(),
                arn,
                groups: groups(),
            });
        };
        let live = serving(rule);
        let test = advanced
            .test
            .as_ref()
            .and_then(|arn| world.rules.values().find(|rule| rule.is_named(arn)));
        let named = |group: &String| {
            let rules = [Some(rule), test].into_iter().flatten();
            rules.flat_map(|rule| weights(&rule.actions)).any(|(own, _)| own == *group)
        };
        let group = match &live[..] {
            [group] if group == one || group == other => group,
            [group] => {
                return refuse(TrafficRefused::OtherGroup {
                    rule: rule.name.clone(),
                    arn,
                    group: name(group),
                    groups: groups(),
                });
            }
            [] => {
                return refuse(TrafficRefused::NoTraffic { rule: rule.name.clone(), arn });
            }
            several => {
                return refuse(TrafficRefused::SeveralGroups {
                    rule: rule.name.clone(),
                    arn,
                    groups: several.iter().map(name).collect(),
                });
            }
        };
        if let Some(missing) = [one, other].into_iter().find(|group| !named(group)) {
            return refuse(TrafficRefused::NotInRule {
                service: service.name.clone(),
                group: name(missing),
                rule: rule.name.clone(),
                arn: advanced.production.clone(),
            });
        }
        // What is put back comes first: of that rule there is a warning.
        let foreign = unmoved(&world.rules, service).find(|(_, live)| live.contains(group));
        if let Some((foreign, _)) = foreign.filter(|_| !case.request.is_rollback) {
            return refuse(TrafficRefused::UnmovedRule {
                rule: foreign.name.clone(),
                arn: foreign.arn.clone(),
                group: name(group),
                other_rule: rule.name.clone(),
            });
        }
        let completed =
            service.deployments.iter().any(|one| one.rollout.as_deref() == Some("COMPLETED"));
        let is_empty = world.targets(group).is_some_and(<[_]>::is_empty);
        let live = if group == one { other } else { one };
        // Where nothing stands in the other one either, its tasks fail: that is no reason to keep a fix back.
        let is_elsewhere = world.targets(live).is_none_or(|targets| !targets.is_empty());
        if is_empty && is_elsewhere && service.desired > 0 && completed {
            return refuse(TrafficRefused::EmptyGroup {
                rule: rule.name.clone(),
                arn: rule.arn.clone(),
                service: service.name.clone(),
                group: name(group),
                other_group: name(live),
                other_arn: live.clone(),
            });
        }
    }
    Ok(())
}

/// Every choice, once all checks are passed.
fn plan(case: &Case<'_>, draft: Draft<'_>) -> Result<Decision, Refusal> {
    let Case { request, survey, wanted, digests } = *case;
    let Draft { fingerprint, identity, why, mut warnings } = draft;
    let service = own(survey)?;
    let native = asked_of_ecs(request, survey, service);
    // A strategy stays with the service: to ask for another one is to ask for a deployment.
    let idle = !request.force && !request.restart && native.strategy.is_none();
    let same = runs_already(survey, service, wanted, digests, &fingerprint);
    if let Some(images) = same.filter(|_| idle && is_steady(survey, service)) {
        let (service, revision) = (service.name.clone(), short(&service.revision).to_owned());
        return Ok(Decision::Nothing { service, revision, images });
    }
    warnings.extend(oddities(survey, service, &native));
    let restart = request.changes.is_empty() && request.edits.is_empty();
    let mut base = wanted.base.clone();
    if request.leave_tags {
        base.tags.clear();
    }
    let mut record = record(request, survey, service, fingerprint, identity, native);
    if restart {
        record.revision.clone_from(&service.revision);
    }
    warnings.extend(notes::credentials(survey, &record));
    let changes = wanted.changes();
    let diff = match restart {
        true => Default::default(),
        false => differences(survey, service, &base, &changes)?,
    };
    let steps = steps(&record, &base, &changes, service);
    let plan =
        Plan { record, why, way_back: None, base, changes, outage: false, warnings, steps, diff };
    Ok(Decision::Deploy(Box::new(plan)))
}

/// What it takes to roll back, and to go on where the checks pass. A pause for somebody to look may be
/// promoted with other credentials; and a rollback is not kept from beginning.
fn must_be_allowed(request: &Request, record: &Record) -> Vec<Call> {
    let native = record.native.as_ref();
    let judged = native.is_some_and(|native| !native.gates.is_empty());
    match record.until {
        WaitFor::Accepted => vec![],
        _ if request.is_rollback => vec![],
        _ if judged => vec![Call::StopServiceDeployment, Call::ContinueServiceDeployment],
        _ => vec![Call::StopServiceDeployment],
    }
}

/// The record as it begins.
fn record(
    request: &Request,
    survey: &Survey,
    service: &Service,
    fingerprint: String,
    identity: &Identity,
    native: Native,
) -> Record {
    Record {
        id: identity.deployment.clone(),
        request: fingerprint,
        revision: String::new(),
        cluster: survey.cluster_name().to_owned(),
        blue: service.name.clone(),
        green: service.name.clone(),
        from: way_back(survey, service),
        was: service.revision.clone(),
        count: service.desired,
        had: had(&survey.world, service),
        scaled: survey.world.scalable.as_ref().map(|_| survey.scalable(&service.name).is_some()),
        scaling: None,
        asked: Asked::default(),
        native: Some(native),
        prepare: request.prepare.as_ref().map(prepare),
        until: match request.no_wait || request.until == Some(WaitFor::Started) {
            true => WaitFor::Accepted,
            false => WaitFor::default(),
        },
        shares: vec![Share::ALL],
        bake: Duration::ZERO,
        follow: Duration::ZERO,
        timeout: request.timeout,
        test_rules: test_rule(survey, service)
            .map(|rule| rule.id().to_owned())
            .into_iter()
            .collect(),
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
    }
}

/// What this deployment sets beside the revision.
fn asked_of_ecs(request: &Request, survey: &Survey, service: &Service) -> Native {
    let own = service.settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    let found = strategy(&own);
    // What is put back is known to work: all at once, and at once done.
    let strategy = request.strategy.or(request.is_rollback.then_some(Strategy::BlueGreen));
    let wanted = strategy.zip(found).filter(|(to, from)| to != from);
    let bake = request.bake.map(|bake| u32::try_from(bake.as_secs() / 60).unwrap_or(BAKE_MAX));
    let bake = bake.or(request.is_rollback.then_some(0));
    // What AWS leaves out is 0 (API reference of DeploymentConfiguration).
    let has = own["bakeTimeInMinutes"].as_u64().and_then(|minutes| u32::try_from(minutes).ok());
    let has = has.unwrap_or_default();
    let is_free = |stage: &Stage| !pauses_at(&own, *stage);
    let pauses: Vec<Stage> = request.pauses.iter().copied().filter(is_free).collect();
    let steps = matches!(strategy.or(found), Some(Strategy::Canary(_) | Strategy::Linear(_)));
    // Where the traffic moves in one step, there is nothing to judge before it but the tests' traffic.
    let judged = [
        (Stage::PostTestTrafficShift, test_rule(survey, service).is_some()),
        (Stage::PreProductionTrafficShift, steps),
        (Stage::PostProductionTrafficShift, true),
    ];
    let judged =
        judged.into_iter().filter(|(_, judged)| *judged && !request.gates.gates.is_empty());
    let judged = judged.map(|(stage, _)| stage);
    Native {
        gates: judged.filter(|stage| is_free(stage) && !pauses.contains(stage)).collect(),
        strategy: wanted,
        keeps: !request.is_rollback,
        bake: bake.filter(|to| *to != has).map(|to| Change { to, from: has }),
        pauses,
        limit: request.pause_limit,
    }
}

/// The rule that tests see the new revision through, where requests can be sent there.
fn test_rule<'a>(survey: &'a Survey, service: &Service) -> Option<&'a Rule> {
    let advanced = || service.attachments.iter().filter_map(|one| one.advanced.as_ref());
    let is_test = |rule: &&Rule| advanced().any(|one| one.tests_through(rule));
    survey.world.rules.values().filter(|rule| rule.entry.is_some()).find(is_test)
}

/// The revision that ECS goes back to.
fn way_back(survey: &Survey, service: &Service) -> String {
    let completed = |one: &&Deployment| one.rollout.as_deref() == Some("COMPLETED");
    let found = service.deployments.iter().find(completed);
    let found = found.map_or(&service.revision, |deployment| &deployment.revision);
    survey.last_good(service, found).0
}

/// What a user may not expect.
fn oddities(survey: &Survey, service: &Service, native: &Native) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let name = || service.name.clone();
    let own = service.settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    let stages = pauses(&own);
    if !stages.is_empty() {
        let cluster = survey.cluster_name().to_owned();
        warnings.push(Warning::Pauses { service: name(), cluster, stages });
    }
    if service.desired == 0 {
        warnings.push(Warning::NoTasksWanted { service: name() });
    }
    if let Some((to, from)) = native.strategy.filter(|_| native.keeps) {
        let (from, to) = (from.to_string(), to.to_string());
        warnings.push(Warning::StrategyChanges { service: name(), from, to });
    }
    if let Some(reason) = survey.blind.clone().filter(|_| service.is_advanced()) {
        warnings.push(Warning::RulesUnread { reason });
    }
    let live: Vec<String> = production_rules(&survey.world.rules, service)
        .into_iter()
        .filter_map(|(_, rule)| rule)
        .flat_map(serving)
        .collect();
    for (rule, groups) in unmoved(&survey.world.rules, service) {
        if let Some(group) = groups.iter().find(|group| live.contains(group)) {
            let (rule, group) = (rule.name.clone(), group_name(&survey.world, group));
            warnings.push(Warning::OtherRule { rule, group });
        }
    }
    let targets = service.groups().filter_map(|group| survey.world.targets(group)).flatten();
    let targets = targets.filter(|target| target.state.starts_with("unhealthy")).count();
    if targets > 0 {
        warnings.push(Warning::UnhealthyTargets { service: name(), targets });
    }
    warnings
}

fn steps(record: &Record, base: &Revision, changes: &Changes, service: &Service) -> Vec<Planned> {
    let name = || service.name.clone();
    let own = service.settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    let native = record.native.clone().unwrap_or_default();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let mut steps = Vec::new();
    if !record.is_restart() {
        steps.push(registered(base, changes));
    }
    steps.extend(preparing(record));
    steps.push(Planned::Update {
        service: name(),
        update: Update::Start { tasks: record.count, timeout: record.timeout },
        desired: None,
        minimum_healthy_percent: None,
        maximum_percent: None,
    });
    if record.until == WaitFor::Accepted {
        return steps;
    }
    let strategy = native.strategy.map(|(to, _)| to).or_else(|| strategy(&own));
    let part = match strategy {
        Some(Strategy::Canary(one) | Strategy::Linear(one)) => {
            Some(Part { part_per_mille: one.tenths, period: minutes(one.minutes.into()) })
        }
        _ => None,
    };
    let strategy = match strategy {
        Some(strategy) => strategy.name(),
        None => service.strategy(),
    };
    let strategy = strategy.to_owned();
    steps.push(Planned::ShiftByEcs { service: name(), strategy, part });
    steps.extend(
        native.pauses.iter().map(|stage| Planned::Pause {
            stage: stage.name(),
            limit: minutes(native.limit.into()),
        }),
    );
    let bake = native.bake.map(|bake| u64::from(bake.to));
    let bake = bake.or_else(|| own["bakeTimeInMinutes"].as_u64()).unwrap_or(0);
    if bake > 0 {
        let period = minutes(bake);
        steps.push(Planned::Bake { service: name(), kept: None, by_ecs: true, period });
    }
    steps.push(Planned::Verify { service: name() });
    steps
}

/// The way back of a deployment of ECS's that no record tells of: a record for this process alone.
pub fn back(survey: &Survey, running: &ServiceDeployment, identity: &Identity) -> Option<Record> {
    let service = own(survey).ok()?;
    let revision = running.revision.clone()?;
    let others = || service.deployments.iter().filter(|one| one.revision != revision);
    // ECS goes back to what it completed last.
    let completed = others().find(|one| one.rollout.as_deref() == Some("COMPLETED"));
    let other = completed.or_else(|| others().next());
    let from = other.map_or(&service.revision, |other| &other.revision);
    let request = Request::back(&survey.cluster, &service.name, None);
    let record = record(&request, survey, service, String::new(), identity, Native::default());
    Some(Record {
        from: from.clone(),
        was: from.clone(),
        revision,
        start: running.created.unwrap_or(record.start),
        heading: Heading::Back(Reason::Asked),
        ..record
    })
}

/// Whether ECS was told a moment ago what to deploy, and does not list that yet: UpdateService answers first.
pub fn is_unlisted(survey: &Survey) -> bool {
    let (Ok(service), Some(listed)) = (own(survey), &survey.world.deployments) else {
        return false;
    };
    let primary = service.primary().filter(|_| service.strategy() != "ROLLING");
    let begun = primary.filter(|one| one.rollout.as_deref() == Some("IN_PROGRESS"));
    let Some((one, begun)) = begun.and_then(|one| Some((one, one.created?))) else { return false };
    let age = survey.world.at.duration_since(begun).unwrap_or_default();
    let is_it = |listed: &ServiceDeployment| {
        let at = listed.created.and_then(|at| at.checked_add(SKEW));
        listed.revision.as_ref() == Some(&one.revision) && at.is_none_or(|at| at >= begun)
    };
    age < LISTED_WITHIN && running(survey).is_none() && !listed.iter().any(is_it)
}

/// What ECS says that it is doing for a service right now.
pub fn running(survey: &Survey) -> Option<&ServiceDeployment> {
    survey.world.deployments.iter().flatten().find(|one| one.is_running())
}
