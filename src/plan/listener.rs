//! A plan where we move the weights between two services.

use std::time::Duration;

use super::checks::{Case, Check, image, options, pair, scaling, service, traffic};
use super::clone::Changes;
use super::engine::Engine;
use super::{
    BAKE, Decision, Draft, Identity, Plan, Sides, Survey, differences, had, is_steady, notes,
    prepare, preparing, registered, runs_already,
};
use crate::call::Call;
use crate::event::{EngineReason, Planned, Refusal, Settled, Warning};
use crate::model::arn::short;
use crate::model::revision::Revision;
use crate::model::rule::green_stands;
use crate::model::world::{Rule, World};
use crate::record::{Asked, Heading, Record};
use crate::request::strategy::Stage;
use crate::request::{EngineName, FOLLOW_MIN, Request, Share, WaitFor};
use crate::route::shifted;

/// The row of this engine.
pub(super) const ENGINE: Engine = Engine {
    name: EngineName::Listener,
    takes,
    live: pair::live_side,
    twin: Some(|survey| survey.twin.as_deref()),
    second_set: true,
    calls: &[Call::ModifyRule, Call::ModifyListener, Call::DescribeScalableTargets],
    must_be_allowed: |_, _| vec![],
    checks: CHECKS,
    plan,
};

/// Where a twin is known, or something marks the service as one half of a pair.
fn takes(_: &Request, survey: &Survey) -> Option<Result<EngineReason, Refusal>> {
    let name = &survey.service;
    if let Some(twin) = &survey.twin {
        return Some(Ok(EngineReason::Pair { service: name.clone(), twin: twin.clone() }));
    }
    let service = service::existing(survey, name).ok()?;
    let is_half = service::replaceable(survey, service).is_ok()
        && pair::shared_rule(survey, service).is_some();
    (survey.doubted.is_some() || is_half).then(|| Err(pair::no_twin(survey)))
}

/// What must be true before.
const CHECKS: &[Check] = &[
    Check { code: "options", run: |case| options::fit_listener(case.request) },
    Check { code: "image", run: image::images_exist },
    Check { code: "definition", run: |case| case.wanted.fits() },
    Check { code: "alarms", run: options::alarms_exist },
    Check { code: "checks", run: options::gates_are_ready },
    Check { code: "service", run: |case| pair::service_is_fit(case.survey) },
    Check { code: "twin", run: |case| pair::twin_is_fit(case.survey) },
    Check { code: "pair", run: |case| pair::are_a_pair(case.survey) },
    Check { code: "test-listener", run: |case| traffic::test_listener_shows_a_side(case.survey) },
    Check { code: "traffic", run: |case| traffic::traffic_is_on_one_side(case.survey) },
    Check { code: "live-side", run: |case| traffic::live_side_is_well(case.survey) },
    Check {
        code: "scaling",
        run: |case| scaling::scaling_can_move(case.survey, case.request.is_rollback),
    },
    Check { code: "stickiness", run: |case| traffic::nothing_sticks(case.survey) },
    Check { code: "task-definition", run: |case| pair::fits_the_pair(case.wanted, case.survey) },
    Check { code: "target-health", run: |case| traffic::targets_can_be_healthy(case.survey) },
    Check { code: "twins-alike", run: |case| pair::twins_are_alike(case.survey) },
    Check { code: "foreign-rules", run: |case| traffic::no_rule_is_in_the_way(case.survey) },
];

/// Every choice, or a refusal.
fn plan(case: &Case<'_>, draft: Draft<'_>) -> Result<Decision, Refusal> {
    let Case { request, survey, wanted, digests } = *case;
    let Draft { fingerprint, identity, why, mut warnings } = draft;
    let sides = pair::sides(survey)?;
    let same = runs_already(survey, sides.blue, wanted, digests, &fingerprint);
    if let Some(images) = same
        && !request.force
        && is_steady(survey, sides.blue)
    {
        let revision = short(&sides.blue.revision).to_owned();
        let service = sides.blue.name.clone();
        return Ok(Decision::Nothing { service, revision, images });
    }
    let outage = traffic::outage(survey, sides.blue);
    let is_outage = !outage.is_empty();
    warnings.extend(outage);
    warnings.extend(pair::differences(survey, &sides)?);
    warnings.extend(traffic::foreign_rules(survey, &sides)?);
    let record = record(request, survey, &sides, fingerprint, identity);
    warnings.extend(scaling::forecasts(survey));
    warnings.extend(notes::credentials(survey, &record));
    if record.follow < FOLLOW_MIN {
        warnings.push(Warning::ShortFollow { follow: record.follow });
    }
    let base = wanted.base.clone();
    let changes = wanted.changes();
    let diff = differences(survey, sides.blue, &base, &changes)?;
    let limits = scaling::limits(survey, &sides);
    let steps = steps(&record, &base, &changes, &sides, survey, limits);
    let (outage, way_back) = (is_outage, None);
    let plan = Plan { record, why, way_back, base, changes, outage, warnings, steps, diff };
    Ok(Decision::Deploy(Box::new(plan)))
}

/// The shares, with those that pause. What judges before the first user does so at a share of 0.
fn shares(request: &Request) -> Vec<Share> {
    let mut shares = request.shares.clone();
    let limit = Duration::from_secs(60 * u64::from(request.pause_limit));
    let pauses_at = |stage| request.pauses.contains(&stage);
    if pauses_at(Stage::PreProductionTrafficShift) {
        for share in shares.iter_mut().filter(|share| (1..100).contains(&share.percent)) {
            *share = Share { hold: limit, pause: true, ..*share };
        }
    }
    let judges = request.test_listener.is_some() && !request.gates.gates.is_empty();
    let pause = pauses_at(Stage::PostTestTrafficShift);
    if (judges || pause) && shares.first().is_some_and(|first| first.percent > 0) {
        let hold = if pause { limit } else { Share::TEST.hold };
        shares.insert(0, Share { hold, pause, ..Share::TEST });
    }
    shares
}

/// As many tasks as blue wants; in an outage that leaves it none, as many as it last was to have.
fn count(survey: &Survey, sides: &Sides<'_>) -> u32 {
    if sides.blue.desired > 0 {
        return sides.blue.desired;
    }
    let before = survey.record_on(&sides.blue.revision).map_or(0, |record| record.count);
    let most = sides.green.desired.max(sides.green.running);
    let least = survey.scalable(&sides.blue.name).map_or(0, |target| target.min);
    before.max(most).max(least).max(1)
}

/// How long a load balancer is given to follow its rules. Without evidence: what made 503s go away behind an ALB
/// (argo-rollouts #4595), and what ECS itself waits behind an NLB (developer guide, "Network Load Balancer resources
/// for blue/green").
pub(super) fn follow(world: &World) -> Duration {
    let network = world.groups.values().any(|group| {
        group.load_balancers.iter().any(|balancer| balancer.contains(":loadbalancer/net/"))
    });
    Duration::from_secs(if network { 600 } else { 120 })
}

pub(super) fn record(
    request: &Request,
    survey: &Survey,
    sides: &Sides<'_>,
    fingerprint: String,
    identity: &Identity,
) -> Record {
    Record {
        id: identity.deployment.clone(),
        request: fingerprint,
        revision: String::new(),
        cluster: survey.cluster_name().to_owned(),
        blue: sides.blue.name.clone(),
        green: sides.green.name.clone(),
        from: sides.blue.revision.clone(),
        was: sides.green.revision.clone(),
        count: count(survey, sides),
        had: had(&survey.world, sides.blue),
        scaled: None,
        scaling: scaling::found(survey, sides),
        asked: Asked::default(),
        prepare: request.prepare.as_ref().map(prepare),
        native: None,
        until: WaitFor::default(),
        shares: shares(request),
        bake: request.bake.unwrap_or(BAKE),
        follow: request.follow.unwrap_or(follow(&survey.world)),
        timeout: request.timeout,
        test_rules: traffic::test_rules(survey, sides).map(|rule| rule.id().to_owned()).collect(),
        keep_old: request.keep_old,
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

fn steps(
    record: &Record,
    base: &Revision,
    changes: &Changes,
    sides: &Sides<'_>,
    survey: &Survey,
    limits: Option<(u32, u32)>,
) -> Vec<Planned> {
    let (blue, green) = (&sides.blue.name, &sides.green.name);
    let (tests, shifted): (Vec<&Rule>, Vec<&Rule>) =
        shifted(&survey.world, &sides.pairs).partition(|rule| traffic::is_for_tests(survey, rule));
    let names = |rules: &[&Rule]| rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
    let rules = names(&shifted);
    let lacking = |rule: &&&Rule| !green_stands(&rule.actions, &sides.pairs);
    let missing = shifted.iter().filter(lacking).map(|rule| rule.name.clone()).collect();
    let service = || green.clone();
    // What an earlier deployment kept is stopped first.
    let kept = survey.kept().map(|_| Planned::Retire { service: service() });
    let mut steps: Vec<Planned> = kept.into_iter().chain([registered(base, changes)]).collect();
    steps.extend(preparing(record));
    steps.push(Planned::Attach { service: service(), rules: rules.clone(), missing });
    let tasks = record.count.max(sides.green.desired);
    steps.extend(limits.map(|(min, max)| Planned::Freeze { service: blue.clone(), min, max }));
    steps.push(Planned::Launch { service: service(), tasks });
    let until = Settled::HealthyTargets;
    steps.push(Planned::Settle { tasks, until, timeout: record.timeout });
    if !tests.is_empty() {
        steps.push(Planned::Test { service: service(), rules: names(&tests) });
    }
    steps.extend(record.shares.iter().map(|share| Planned::Shift {
        service: service(),
        percent: share.percent,
        rules: rules.clone(),
        hold: share.hold,
        pause: share.pause,
    }));
    steps.push(Planned::Bake {
        service: service(),
        kept: Some(blue.clone()),
        by_ecs: false,
        period: record.bake,
    });
    if record.keep_old {
        steps.push(Planned::Keep { service: blue.clone() });
        return steps;
    }
    steps.push(Planned::Follow { period: record.follow });
    steps.push(Planned::Retire { service: blue.clone() });
    steps
}
