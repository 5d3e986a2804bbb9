//! The `native` engine: ECS shifts the traffic between two target groups of one service (strategies
//! BLUE_GREEN, LINEAR and CANARY). We say what it is to run, follow ECS's own record of that, and have ECS
//! roll it back. Rules are read and never written.

mod health;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

pub use self::health::answers_nowhere;
use self::health::{has_lost_tasks, has_sick, is_short, runs_fewer};
use super::listener::explain;
use super::trouble::{failed_by_ecs, failing_tasks, of_judges, out_of_time};
use super::{
    Action, Engine, Next, Occasion, Outcome, Step, Trouble, View, Wait, configuration, gates,
    prepare, trouble,
};
use crate::event::{Cause, Pause, Sight, WaitReason};
use crate::model::arn::short;
use crate::model::reads::Part;
use crate::model::rule::weights;
use crate::model::served::Served;
use crate::model::service_deployment::{Hook, Phase, ServiceDeployment};
use crate::model::world::{Attachment, Look, Rule, Service, Target, World};
use crate::record::{End, Heading, Held, Reason};
use crate::request::strategy::Stage;
use crate::request::{EngineName, WaitFor};

/// The way forward.
pub const FORWARD: &[Step] = &[
    Step { name: "prepare", next: prepare::prepare }, // its task has succeeded, where one is asked for
    Step { name: "update", next: update },            // ECS works towards our revision
    Step { name: "shift", next: shift },              // ECS has shifted all traffic, and is done
    Step { name: "verify", next: verify },            // the rules say so too
    Step { name: "tidy", next: tidy },                // the service's settings are its own again
];

/// The way back.
pub const BACK: &[Step] = &[
    Step { name: "return", next: give_back }, // ECS has rolled back
    Step { name: "recover", next: recover },  // the old revision has all traffic and its tasks
    Step { name: "tidy", next: tidy },
    Step { name: "explain", next: explain }, // if nothing ran before either, why is known
    Step { name: "stop", next: prepare::stop }, // its task does not run any more
];

/// Another deployment takes over on the way back: ECS is let finish what it does.
pub const OVERTAKEN: &[Step] = &[
    Step { name: "return", next: give_back }, // ECS has rolled back
    Step { name: "tidy", next: tidy },
];

/// The row of this engine.
pub const ENGINE: Engine = Engine {
    name: EngineName::Native,
    forward: FORWARD,
    back: BACK,
    overtaken: OVERTAKEN,
    first: before_every_step,
    superseded,
    lacks,
    progress,
    needs: |action| match action {
        Action::StopDeployment { .. } | Action::Continue { .. } | Action::Stop { .. } => {
            Look::Glance
        }
        _ => Look::Whole,
    },
    widest: Look::Listing,
    parts: |look| match look {
        Look::Glance => vec![Part::Deployments],
        Look::Whole => vec![Part::Settings, Part::Deployments, Part::Rules],
        Look::Listing => vec![Part::Settings, Part::Deployments, Part::Listing],
    },
    reads,
    optional: &[],
    begin: |_| {},
    young: YOUNG,
    first_look: Duration::MAX,
    looks_again: |view| {
        let Some(own) = current(view) else { return false };
        // Who stopped it, the service tells; why it failed, the tasks.
        let is_stopped = own.phase() == Phase::Stopped && view.world.look == Look::Glance;
        let is_over = !matches!(own.phase(), Phase::Forward | Phase::Successful);
        is_stopped || is_over && view.record.forward() && has_lost_tasks(view, own)
    },
    news: |_| None,
    replaced: |_| None,
    serves_alone: |view| {
        let own = current(view).filter(|_| view.record.forward());
        let is_whole = own.is_some_and(|own| {
            own.phase() == Phase::Successful
                || own.phase() == Phase::Forward && own.production == Some(100.0)
        });
        let is_cleaned = own.is_some_and(|own| {
            own.phase() == Phase::Successful || own.stage.as_deref() == Some("CLEAN_UP")
        });
        (is_whole, is_cleaned)
    },
    // ECS says so itself.
    taken_over: |_| false,
    judged,
    share: |_| None,
    is_short,
};

/// A survey that began longer ago is no ground for the first change.
const YOUNG: Duration = Duration::from_secs(10);
/// A service deployment is listed some seconds after UpdateService.
const UNLISTED: Duration = Duration::from_secs(5);
/// Between looks when something is due.
const DENSE: Duration = Duration::from_millis(1500);
/// Between looks while tasks start.
const WATCHFUL: Duration = Duration::from_secs(6);
/// Two looks that agree are as far apart.
const LOOK_TWICE: Duration = Duration::from_secs(5);
/// Between two looks at a service's history.
const HISTORY_EVERY: Duration = Duration::from_secs(50);
/// So shortly before a bake ends looks are dense, and everything is read again.
const LAST_LOOK: Duration = Duration::from_secs(15);
/// Between two looks at a service's history then.
const DENSE_HISTORY: Duration = Duration::from_secs(12);
/// The first health checks of a Network Load Balancer take so long (Elastic Load Balancing, "Health checks").
const FIRST_CHECKS: Duration = Duration::from_secs(300);
/// Between looks while ECS only lets time pass.
const SPARSE: Duration = Duration::from_secs(30);
/// UpdateService answers before its service deployment is listed.
pub const LISTED_WITHIN: Duration = Duration::from_secs(60);
/// The rules are read for so long before what they show counts.
const VERIFIED_WITHIN: Duration = Duration::from_secs(60);
/// ECS's own limit for a stage (Developer Guide, service deployments), and something to spare.
const BACK_MAX: Duration = Duration::from_secs(25 * 3600);
/// AWS's clocks may differ by this much.
pub const SKEW: Duration = Duration::from_secs(10);

/// ECS's record of this deployment: the newest one of our revision.
pub fn current<'a>(view: &View<'a>) -> Option<&'a ServiceDeployment> {
    let since = view.record.start.checked_sub(SKEW)?;
    view.world.deployments.iter().flatten().find(|one| {
        one.revision.as_ref() == Some(&view.record.revision)
            && one.created.is_none_or(|at| at >= since)
    })
}

/// A later service deployment of another revision.
fn later<'a>(view: &View<'a>) -> Option<&'a ServiceDeployment> {
    let own = current(view)?;
    let newest = view.world.deployments.iter().flatten().next()?;
    let is_other = newest.arn != own.arn && newest.revision != own.revision;
    (is_other && newest.created > own.created).then_some(newest)
}

/// While tasks start, ECS says in the service's history what is in the way; later, which tasks it replaced: its
/// own count of failed tasks leaves out those that had run. Users' traffic calls for the health of targets.
fn reads(view: &View<'_>, occasion: &Occasion) -> Vec<Part> {
    let own = current(view);
    // What was answered is so much older than this look.
    let ahead = occasion.since_look;
    let closes = bake_ends(view, ahead) && history_is_old(view, ahead, DENSE_HISTORY);
    let lost = own.is_some_and(|own| has_lost_tasks(view, own) || runs_fewer(own)) || closes;
    let occasion = Occasion { unexplained: occasion.unexplained || lost, ..*occasion };
    let wants_tasks = occasion.unexplained || occasion.look > Look::Glance || has_sick(view);
    let goes_on = own.is_some_and(|own| own.phase() == Phase::Forward);
    let is_due = closes || history_is_old(view, ahead, HISTORY_EVERY);
    let wants_service = match own {
        None => true,
        Some(own) if own.is_starting() => true,
        Some(_) => goes_on && is_due,
    };
    let serves = goes_on && view.watch.serves_since.is_some();
    let wants_rules = goes_on && own.is_some_and(|own| health::wants_rules(view, own));
    // There is a way back as long as the bake lasts: each of its last looks sees the targets.
    let looks = is_due || bake_ends(view, ahead) || wants_rules || has_sick(view);
    let serving = view.green().filter(|_| serves && looks);
    let services = wants_service.then_some(Part::Services).into_iter();
    let services = services.chain(wants_rules.then_some(Part::Rules));
    let targets = view.world.target_parts(serving);
    services.chain(targets).chain(view.tasks_read(&occasion).filter(|_| wants_tasks)).collect()
}

fn history_is_old(view: &View<'_>, ahead: Duration, limit: Duration) -> bool {
    let parts = [Part::Services, Part::Settings];
    let read = parts.iter().filter_map(|part| view.world.answered.get(part)).map(|at| at.aws);
    read.max().is_none_or(|at| view.since(at) + ahead >= limit)
}

/// Whether the bake may end soon after a look so long from now.
pub(super) fn bake_ends(view: &View<'_>, ahead: Duration) -> bool {
    bake_left(view).is_some_and(|left| left <= ahead + LAST_LOOK)
}

/// What can end or turn a deployment whatever step it is in.
fn before_every_step(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let gone = |status| {
        let service = record.green.clone();
        Some(Next::Done(Outcome::Stuck(Cause::ServiceGone { service, status })))
    };
    let Some(service) = view.green() else { return gone(None) };
    if service.status != "ACTIVE" {
        return gone(Some(service.status.clone()));
    }
    if let Some(by) = superseded(view) {
        // Pauses of ours would stop what somebody else deploys.
        let tidied = left_behind(view, false).map(Next::Act);
        return tidied.or(Some(Next::Done(Outcome::Superseded(by))));
    }
    if let Some(sight) = view.detached() {
        return Some(Next::Done(Outcome::Drifted(sight)));
    }
    if let Some(next) = who_stopped_it(view) {
        return Some(next);
    }
    if record.forward() {
        return trouble(view, service).map(Next::TurnBack);
    }
    let late = view.watch.back_since.is_some_and(|since| view.since(since) > BACK_MAX);
    (late || view.watch.changes > trouble::CHANGES_MAX)
        .then(|| Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks: lacks(view) })))
}

/// Somebody put the service on a revision that is neither ours nor the way back.
fn superseded(view: &View<'_>) -> Option<Cause> {
    let (record, service) = (view.record, view.green()?);
    let by = |revision: &str| Cause::RevisionChanged {
        service: service.name.clone(),
        revision: short(revision).to_owned(),
    };
    if let Some(later) = later(view).and_then(|later| later.revision.as_deref()) {
        return Some(by(later));
    }
    let primary = service.primary()?;
    let known = [&record.revision, &record.from, &record.was].contains(&&primary.revision);
    (!known).then(|| by(&primary.revision))
}

/// ECS stops a deployment when another one begins; that one is listed a little later.
fn who_stopped_it(view: &View<'_>) -> Option<Next> {
    let own = current(view).filter(|own| own.phase() == Phase::Stopped)?;
    let since = view.watch.stopped_since?;
    let why = stage(view, own);
    let next = Next::Wait(Wait { why, look_in: DENSE, look: Look::Whole });
    (view.since(since) < trouble::PAST_MAX).then_some(next)
}

/// What is wrong with going on, if anything is.
fn trouble(view: &View<'_>, service: &Service) -> Option<Trouble> {
    let failed = |reason: Option<&str>| Trouble {
        reason: Reason::EcsRollback,
        cause: failed_by_ecs(view, service, reason),
    };
    let Some(own) = current(view) else {
        // One that ECS refuses early leaves the service's deployments within seconds.
        let since = view.watch.unlisted_since?;
        let vanished = view.since(since) >= LISTED_WITHIN && view.ours().is_none();
        let vanished = vanished.then(|| failed(None));
        return vanished.or_else(|| out_of_time(view, Duration::ZERO));
    };
    match own.phase() {
        Phase::Successful => return None,
        Phase::Forward => {}
        Phase::Back | Phase::RolledBack | Phase::RollbackFailed | Phase::Stopped => {
            // Why is told at the end only.
            let is_told = own.reason.is_some() || own.phase() != Phase::Back;
            return is_told.then(|| failed(own.reason.as_deref()));
        }
    }
    // What is being stopped is nothing to go back to.
    if own.stage.as_deref() == Some("CLEAN_UP") {
        return None;
    }
    if let Some(cause) = failing_tasks(view, service, own.is_starting()) {
        return Some(Trouble { reason: Reason::Tasks, cause });
    }
    if let Some(cause) = health::trouble(view, service, own) {
        return Some(Trouble { reason: Reason::Sick, cause });
    }
    if let Some(trouble) = of_judges(view) {
        return Some(trouble);
    }
    // Everything after the start has limits of ECS's own.
    own.is_starting().then(|| out_of_time(view, Duration::ZERO)).flatten()
}

/// Production traffic on the new revision, as long as ECS would take it back.
fn judged(view: &View<'_>) -> Option<u8> {
    let own = current(view).filter(|own| own.phase() == Phase::Forward)?;
    let tests = own.stage.as_deref() == Some(Stage::PostTestTrafficShift.name());
    if tests && own.production.is_none_or(|percent| percent <= 0.0) {
        // Nobody but tests sees it.
        return (!view.test_rules().is_empty()).then_some(0);
    }
    let percent = own.production.filter(|percent| *percent > 0.0)?.clamp(1.0, 100.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 100")]
    Some(percent as u8)
}

/// What ECS has not done yet.
fn lacks(view: &View<'_>) -> Option<WaitReason> {
    let Some(own) = current(view) else {
        let service = view.record.green.clone();
        return Some(WaitReason::Listing { service });
    };
    (own.phase() != Phase::Successful).then(|| stage(view, own))
}

/// How far it has come while tasks start: rises with each of them.
fn progress(view: &View<'_>) -> usize {
    let Some(own) = current(view) else { return 0 };
    let [_, running, _] = own.tasks;
    match own.is_starting() {
        true => running as usize + usize::from(own.stage.as_deref() == Some("SCALE_UP")),
        false => usize::MAX,
    }
}

/// The stage that it is in.
fn stage(view: &View<'_>, own: &ServiceDeployment) -> WaitReason {
    let per_mille = |percent: Option<f64>| {
        let percent = percent.unwrap_or(0.0).clamp(0.0, 100.0);
        // A whole number from 0 to 1000.
        (percent * 10.0).round() as u32
    };
    if let Some(hook) = own.waiting_hooks().next().filter(|_| own.phase() == Phase::Forward) {
        return paused(view, own, hook);
    }
    let [wanted, running, pending] = own.tasks;
    let stage = own.stage.clone();
    if own.is_starting() && running < wanted {
        let obstacle = view.green().and_then(|service| super::rolling::obstacle(view, service));
        return WaitReason::tasks(running, wanted, pending, obstacle);
    }
    WaitReason::Stage {
        service: view.record.green.clone(),
        status: own.status.clone(),
        stage,
        test_per_mille: per_mille(own.test),
        production_per_mille: per_mille(own.production),
    }
}

fn paused(view: &View<'_>, own: &ServiceDeployment, hook: &Hook) -> WaitReason {
    let ours = view.record.native.as_ref().is_some_and(|native| {
        native.pauses.iter().any(|pause| Some(pause.name()) == own.stage.as_deref())
    });
    WaitReason::Pause {
        service: view.record.green.clone(),
        cluster: view.record.cluster.clone(),
        at: Pause::Stage { stage: own.stage.clone().unwrap_or_default() },
        ours,
        expires: hook.expires,
        rolls_back: hook.on_timeout.as_deref() != Some("CONTINUE"),
    }
}

/// ECS works towards our revision.
fn update(view: &View<'_>) -> Option<Next> {
    let (record, service) = (view.record, view.green()?);
    if current(view).is_some() || view.ours().is_some() || view.watch.launched {
        return None;
    }
    let native = record.native.as_ref()?;
    let own = service.settings.get("deploymentConfiguration");
    Some(Next::Act(Action::Shift {
        service: record.green.clone(),
        revision: record.revision.clone(),
        configuration: configuration::for_deployment(own, native),
        force: record.is_restart(),
    }))
}

/// ECS has shifted all traffic and is done.
fn shift(view: &View<'_>) -> Option<Next> {
    if view.record.until == WaitFor::Accepted {
        return None;
    }
    if let Some(next) = gated(view) {
        return Some(next);
    }
    let why = lacks(view)?;
    Some(Next::Wait(Wait { why, look_in: look_in(view), look: Look::Glance }))
}

/// ECS waits at a hook of ours: it goes on once the gates have passed. What nothing can be said of yet is let
/// go on at once.
fn gated(view: &View<'_>) -> Option<Next> {
    let own = current(view).filter(|own| own.phase() == Phase::Forward)?;
    let stage = own.stage.clone()?;
    let gated = view.record.gated_at(Some(&stage))?;
    // A record is a stranger's: a pause of somebody else's is not let go on because it says so.
    let settings = view.green()?.settings.get("deploymentConfiguration")?;
    if !configuration::pauses_for_gates(settings, gated) {
        return None;
    }
    let mut waiting = own.waiting_hooks();
    // Whose they are, ECS does not say: two are for a person.
    let (Some(hook), None) = (waiting.next(), waiting.next()) else { return None };
    let since = view.watch.stage.as_ref().map_or(view.now(), |(_, since)| *since);
    let held = judged(view).map(|share| Held { share, since });
    held.and_then(|held| gates::hold(view, held, Duration::ZERO)).or_else(|| {
        Some(Next::Act(Action::Continue { arn: own.arn.clone(), hook: hook.id.clone(), stage }))
    })
}

/// Dense around the moment when the next thing can happen.
fn look_in(view: &View<'_>) -> Duration {
    let Some(own) = current(view) else { return UNLISTED };
    if own.phase() == Phase::Back {
        return back_look(view, view.watch.stage.as_ref().map(|(_, since)| *since));
    }
    if health::is_in_doubt(view, own) {
        return LOOK_TWICE;
    }
    match own.stage.as_deref() {
        None | Some("RECONCILE_SERVICE" | "PRE_SCALE_UP" | "SCALE_UP") => WATCHFUL,
        // A bake is known to take its time; what ends it early is told soon enough.
        Some("BAKE_TIME") => match bake_left(view) {
            None => WATCHFUL,
            // There is a way back as long as it lasts; ECS may take its time to end it.
            Some(Duration::ZERO) if stands_still(view) => WATCHFUL,
            Some(left) if left <= LAST_LOOK => 2 * DENSE,
            Some(left) => (left - LAST_LOOK / 2).clamp(2 * DENSE, SPARSE),
        },
        Some("CLEAN_UP") => DENSE,
        _ if own.waiting_hooks().next().is_some() => WATCHFUL,
        _ if may_pause(view) => WATCHFUL / 2,
        // A rule takes half a minute at least.
        Some("TEST_TRAFFIC_SHIFT" | "PRODUCTION_TRAFFIC_SHIFT") => 2 * WATCHFUL,
        _ => WATCHFUL,
    }
}

/// Between looks while ECS rolls back since then: it needs a minute, and ten behind a Network Load Balancer.
fn back_look(view: &View<'_>, since: Option<SystemTime>) -> Duration {
    let since = since.map_or(Duration::ZERO, |since| view.since(since));
    if since < Duration::from_secs(60) { DENSE } else { WATCHFUL }
}

/// Whether the stage lasts for longer than looks may be dense.
fn stands_still(view: &View<'_>) -> bool {
    view.since(view.watch.stage_after) > bake(view).unwrap_or_default() + VERIFIED_WITHIN
}

/// Somebody waits to be told that it pauses.
fn may_pause(view: &View<'_>) -> bool {
    let own = view.green().and_then(|service| service.settings.get("deploymentConfiguration"));
    own.is_some_and(|own| !configuration::pauses(own).is_empty())
}

/// What is left of the bake at least: it may have begun right after the look before it was seen.
fn bake_left(view: &View<'_>) -> Option<Duration> {
    view.watch.stage.as_ref().filter(|(stage, _)| stage == "BAKE_TIME")?;
    let passed = view.since(view.watch.stage_after);
    Some(bake(view)?.saturating_sub(passed))
}

/// The service's bake time.
fn bake(view: &View<'_>) -> Option<Duration> {
    let configuration = view.green()?.settings.get("deploymentConfiguration")?;
    let minutes = configuration.get("bakeTimeInMinutes").and_then(Value::as_u64)?;
    Some(Duration::from_secs(minutes * 60))
}

/// The rules that users' requests come through, for each load balancer of the service. A Network Load
/// Balancer has none: its listener says where to.
pub fn production_rules<'a>(
    rules: &'a BTreeMap<String, Rule>,
    service: &'a Service,
) -> Vec<(&'a Attachment, Option<&'a Rule>)> {
    let found = |one: &'a Attachment| {
        let arn = &one.advanced.as_ref()?.production;
        let listener = || rules.values().find(|rule| rule.is_default && rule.listener == *arn);
        Some((one, rules.get(arn).or_else(listener)))
    };
    service.attachments.iter().filter_map(found).collect()
}

/// The groups that a rule gives traffic.
pub fn serving(rule: &Rule) -> Vec<String> {
    let live = weights(&rule.actions).into_iter().filter(|(_, weight)| *weight > 0);
    live.map(|(group, _)| group).collect()
}

/// The rules that ECS does not move and that give one of the service's target groups traffic, with their groups.
pub fn unmoved<'a>(
    rules: &'a BTreeMap<String, Rule>,
    service: &'a Service,
) -> impl Iterator<Item = (&'a Rule, Vec<String>)> {
    let advanced = || service.attachments.iter().filter_map(|one| one.advanced.as_ref());
    let is_moved = move |rule: &&Rule| advanced().any(|one| one.moves(rule));
    let is_own = |group: &String| service.groups().any(|own| own == group);
    let rules = rules.values().filter(move |rule| !is_moved(rule));
    let live = move |rule| serving(rule).into_iter().filter(is_own).collect::<Vec<_>>();
    rules.map(move |rule| (rule, live(rule))).filter(|(_, live)| !live.is_empty())
}

/// What users' requests reach: for each production rule the groups with their weights, in percent.
pub fn traffic(world: &World, service: &Service) -> Vec<Served> {
    let served = |rule: &Rule| {
        let all = weights(&rule.actions);
        let sum = f64::from(all.iter().map(|(_, weight)| *weight).sum::<u32>().max(1));
        let name = |arn: &String| {
            world.groups.get(arn).map_or(short(arn).to_owned(), |group| group.name.clone())
        };
        let part = |weight: u32| (f64::from(weight) * 1000.0 / sum).round() / 10.0;
        let live = all.iter().filter(|(_, weight)| *weight > 0);
        let percent = live.map(|(arn, weight)| (name(arn), part(*weight))).collect();
        Served { rule: rule.name.clone(), percent }
    };
    let rules = production_rules(&world.rules, service).into_iter();
    let gone = |one: &Attachment| {
        let arn = &one.advanced.as_ref()?.production;
        let (rule, percent) = (format!("{} (deleted)", short(arn)), BTreeMap::new());
        (!world.groups.is_empty()).then_some(Served { rule, percent })
    };
    rules
        .filter_map(|(one, rule)| rule.map_or_else(|| gone(one), |rule| Some(served(rule))))
        .collect()
}

/// What shows that `revision` does not have all traffic, as far as it can be read.
fn not_serving(view: &View<'_>, service: &Service, revision: &str) -> Option<Sight> {
    let world = view.world;
    for (attachment, rule) in production_rules(&world.rules, service) {
        let Some(rule) = rule else {
            // Rules that may not be read say nothing; else it was there when the deployment began.
            match world.groups.is_empty() {
                true => continue,
                false => return Some(Sight::NoRule { service: service.name.clone() }),
            }
        };
        let groups = serving(rule);
        let name = |arn: &String| {
            world.groups.get(arn).map_or(short(arn).to_owned(), |group| group.name.clone())
        };
        let sight = || Sight::LiveGroups {
            rule: rule.name.clone(),
            groups: groups.iter().map(name).collect(),
            revision: short(revision).to_owned(),
        };
        let pair: Vec<&String> = std::iter::once(&attachment.group)
            .chain(attachment.advanced.as_ref().map(|advanced| &advanced.alternate))
            .collect();
        let [group] = &groups[..] else { return Some(sight()) };
        if !pair.contains(&group) {
            return Some(sight());
        }
        // Nothing is left in the other group. Who rolled back knew of it, and the old version serves.
        let is_new = revision == view.record.revision
            && view.record.native.as_ref().is_some_and(|native| native.keeps);
        let left = unmoved(&world.rules, service)
            .filter(|_| is_new)
            .find_map(|(rule, live)| Some((rule, live.into_iter().find(|one| one != group)?)));
        if let Some((rule, group)) = left {
            let (rule, group) = (rule.name.clone(), name(&group));
            return Some(Sight::UnmovedRule { rule, group });
        }
        let Some(targets) = world.targets(group) else { continue };
        let healthy: Vec<&Target> = targets.iter().filter(|target| target.is_healthy()).collect();
        if healthy.is_empty() && service.desired > 0 {
            return Some(sight());
        }
        let is_foreign = |target: &&Target| world.runs(service, target, revision) == Some(false);
        if healthy.iter().any(is_foreign) {
            return Some(sight());
        }
    }
    None
}

/// Every rule that users' requests come through gives our revision all traffic.
fn verify(view: &View<'_>) -> Option<Next> {
    let service = view.green()?;
    if view.record.until == WaitFor::Accepted {
        return None;
    }
    // Somebody may have made another rule since.
    if view.world.look < Look::Listing {
        let why = WaitReason::LastLook;
        return Some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Listing }));
    }
    // Somebody may have put another one in its place since: their deployment is listed some seconds later.
    let other = service.primary().filter(|one| one.revision != view.record.revision);
    let other = other.map(|one| Sight::OldRevision {
        service: service.name.clone(),
        revision: short(&one.revision).to_owned(),
    });
    if let Some(sight) = other.or_else(|| not_serving(view, service, &view.record.revision)) {
        return wait_or(view, sight);
    }
    if health::any_sick(view, service).is_some() {
        let since = view.watch.over_since.unwrap_or(view.now());
        let why = WaitReason::TargetHealth;
        let next = Next::Wait(Wait { why, look_in: WATCHFUL, look: Look::Listing });
        let is_over = view.since(since) >= VERIFIED_WITHIN;
        return Some(if is_over { end_short(view) } else { next });
    }
    super::rolling::shortfall(view).map(|_| end_short(view))
}

/// It serves with less than was planned, or not at all. That end is the last thing that is written.
fn end_short(view: &View<'_>) -> Next {
    let end = || Next::Act(Action::Write(Box::new(view.closed(End::Short))));
    tidy_after(view, view.record.forward()).unwrap_or_else(end)
}

/// Why it is short of what was planned, where targets tell.
pub fn shortage(view: &View<'_>) -> Option<Cause> {
    view.record.native.as_ref()?;
    answers_nowhere(view).or_else(|| health::any_sick(view, view.green()?))
}

/// Rules are read again for a while before what they show counts.
fn wait_or(view: &View<'_>, sight: Sight) -> Option<Next> {
    let since = view.watch.over_since.unwrap_or(view.now());
    let dead = answers_nowhere(view).is_some();
    let groups = view.green().into_iter().flat_map(Service::groups);
    let mut targets = groups.filter_map(|group| view.world.targets(group)).flatten();
    let starts = dead && targets.any(|target| target.state == "initial");
    if view.since(since) >= if starts { FIRST_CHECKS } else { VERIFIED_WITHIN } {
        return Some(if dead { end_short(view) } else { Next::Done(Outcome::Drifted(sight)) });
    }
    let why = WaitReason::SecondLook(sight);
    Some(Next::Wait(Wait { why, look_in: WATCHFUL, look: Look::Listing }))
}

/// What was asked of ECS for this deployment only is taken out of the service's settings: it would pause,
/// or hurry, the next deployment of whoever makes it.
fn tidy(view: &View<'_>) -> Option<Next> {
    tidy_after(view, view.record.forward())
}

/// What takes the settings of a deployment out of the service again that somebody else has overtaken. Of one that ECS
/// does not list (any more), `succeeded_unlisted` says whether it counts as a success.
pub fn left_behind(view: &View<'_>, succeeded_unlisted: bool) -> Option<Action> {
    let own = current(view).map(ServiceDeployment::phase);
    let is_over = own.is_none_or(|phase| !matches!(phase, Phase::Forward | Phase::Back));
    let succeeded = own.map_or(succeeded_unlisted, |phase| phase == Phase::Successful);
    settings_left(view, succeeded).filter(|_| is_over)
}

fn tidy_after(view: &View<'_>, succeeded: bool) -> Option<Next> {
    settings_left(view, succeeded).map(Next::Act)
}

fn settings_left(view: &View<'_>, succeeded: bool) -> Option<Action> {
    let (record, service) = (view.record, view.green()?);
    let native = record.native.as_ref().filter(|_| !view.watch.untidy)?;
    let own = service.settings.get("deploymentConfiguration")?;
    let configuration = configuration::after_deployment(own, native, succeeded)?;
    let service = record.green.clone();
    Some(Action::Configure { service, configuration })
}

/// ECS has rolled our revision back.
fn give_back(view: &View<'_>) -> Option<Next> {
    let Some(own) = current(view) else {
        // What is not listed yet cannot be stopped.
        let since = view.watch.unlisted_since.filter(|_| view.watch.launched)?;
        let is_late = view.since(since) >= LISTED_WITHIN;
        let why = WaitReason::Listing { service: view.record.green.clone() };
        if is_late && view.ours().is_some() {
            let lacks = Some(why);
            return Some(Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks })));
        }
        let next = Next::Wait(Wait { why, look_in: DENSE, look: Look::Whole });
        return (!is_late).then_some(next);
    };
    // Whatever ECS made of it, the next deployment begins from there.
    if view.record.heading == Heading::Overtaken && !own.is_running() {
        // What cannot answer is nothing to go back to.
        let is_live =
            own.phase() == Phase::Successful && view.ours().is_some() && view.green_answers();
        let close = || Next::Act(Action::Write(Box::new(view.closed(End::Live))));
        return is_live.then(|| tidy_after(view, true).unwrap_or_else(close));
    }
    match own.phase() {
        Phase::Forward => {
            let arn = own.arn.clone();
            Some(Next::Act(Action::StopDeployment { arn }))
        }
        Phase::Back => {
            let why = stage(view, own);
            Some(Next::Wait(Wait {
                why,
                look_in: back_look(view, view.watch.back_since),
                look: Look::Glance,
            }))
        }
        // It was done before ECS heard of it.
        Phase::Successful => verify(view)
            .or_else(|| tidy_after(view, true))
            .or_else(|| Some(Next::Act(Action::Write(Box::new(view.closed(End::Live)))))),
        Phase::RolledBack => None,
        Phase::RollbackFailed | Phase::Stopped => {
            let cause = failed_by_ecs(view, view.green()?, own.reason.as_deref());
            is_stuck(view).then_some(Next::Done(Outcome::Stuck(cause)))
        }
    }
}

/// ECS has given up, and the old revision is not what it works towards.
pub fn is_stuck(view: &View<'_>) -> bool {
    let (Some(own), Some(service)) = (current(view), view.green()) else { return false };
    let is_back = service.primary().is_some_and(|one| one.revision == view.record.from);
    match own.phase() {
        Phase::RollbackFailed => true,
        Phase::Stopped => !is_back,
        _ => false,
    }
}

/// The old revision has all traffic, and as many tasks as before.
fn recover(view: &View<'_>) -> Option<Next> {
    let service = view.green()?;
    if view.world.look == Look::Glance {
        let why = WaitReason::LastLook;
        return Some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Whole }));
    }
    let old = service.primary().map_or(&service.revision, |primary| &primary.revision);
    if *old == view.record.revision && !view.record.is_restart() {
        let (service, revision) = (service.name.clone(), short(&view.record.from).to_owned());
        let why = WaitReason::Revision { service, revision };
        // Somebody may have deployed our revision once more: then ECS went back to that.
        let since = view.watch.over_since.or(view.watch.back_since).unwrap_or(view.now());
        let next = match view.since(since) >= VERIFIED_WITHIN {
            true => {
                let lacks = Some(why);
                Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks }))
            }
            false => Next::Wait(Wait { why, look_in: DENSE, look: Look::Whole }),
        };
        // One that never got to ECS left nothing to wait for.
        return view.watch.launched.then_some(next);
    }
    let (wanted, healthy) = view.owed(service.desired);
    // What runs of another revision is not what serves again.
    let its = service.deployments.iter().filter(|one| one.revision == *old);
    let (running, pending) =
        its.fold((0, 0), |(running, pending), one| (running + one.running, pending + one.pending));
    if running < wanted && view.old_is_hopeless().is_none() {
        let obstacle = super::rolling::obstacle(view, service);
        let why = WaitReason::tasks(running, wanted, pending, obstacle);
        return Some(Next::Wait(Wait { why, look_in: WATCHFUL, look: Look::Whole }));
    }
    // Nothing answered there before either.
    if healthy == 0 {
        return None;
    }
    let sight = not_serving(view, service, old)?;
    wait_or(view, sight)
}
