//! The `rolling` engine: one service, whose tasks ECS itself replaces. We say what it is to run, and
//! follow what becomes of that: ECS calls a deployment that it rolled back itself steady, too.

use std::time::{Duration, SystemTime};

use super::listener::explain;
use super::trouble::{PAST_MAX, failing_tasks, out_of_time};
use super::view::count;
use super::{
    Action, Engine, Next, Occasion, Outcome, Step, Trouble, View, Wait, gates, prepare, trouble,
};
use crate::call::Call;
use crate::event::{Cause, Kind, Sight, WaitReason};
use crate::model::arn::short;
use crate::model::health::{self, Outlook};
use crate::model::reads::Part;
use crate::model::world::{Deployment, Look, Service};
use crate::record::{Change, End, Held, Reason};
use crate::request::{EngineName, WaitFor};

/// The way forward.
pub const FORWARD: &[Step] = &[
    Step { name: "prepare", next: prepare::prepare }, // its task has succeeded, where one is asked for
    Step { name: "update", next: update },            // ECS works towards our revision
    Step { name: "settle", next: settle },            // ours is all that runs, whole and healthy
    Step { name: "bake", next: bake },                // and stayed so
];

/// The way back.
pub const BACK: &[Step] = &[
    Step { name: "restore", next: restore }, // ECS works towards the revision that was there
    Step { name: "settle", next: settle_back }, // it is all that runs, whole and healthy, or as it was
    Step { name: "explain", next: explain },    // if nothing ran before either, why is known
    Step { name: "stop", next: prepare::stop }, // its task does not run any more
];

/// The row of this engine.
pub const ENGINE: Engine = Engine {
    name: EngineName::Rolling,
    forward: FORWARD,
    back: BACK,
    // One service has no traffic to move.
    overtaken: &[],
    first: before_every_step,
    superseded,
    lacks: |view| lacks_ahead(view, view.green()?),
    progress,
    needs: |action| match action {
        Action::Prepare => action.needs(),
        _ => Look::Glance,
    },
    // Where no rule is ours to look after, none is listed.
    widest: Look::Whole,
    parts: |look| match look {
        Look::Glance => vec![Part::Services],
        Look::Whole | Look::Listing => vec![Part::Settings],
    },
    reads,
    // ECS looks at the targets itself: who may not do so goes by what ECS says of them.
    optional: &[Call::DescribeTargetHealth],
    begin: |world| {
        world.rules.clear();
        // Whose targets the survey saw is not known: they count once a look has told.
        world.health.clear();
    },
    young: YOUNG,
    first_look: AT_ONCE,
    looks_again: is_unexplained,
    news: first_task,
    // Whom ECS went back to was judged on the way.
    replaced: |_| None,
    serves_alone: |view| (view.record.forward() && view.watch.settled_since.is_some(), false),
    // ECS has nothing else to run.
    taken_over: |view| {
        let failed = view.ours().is_some_and(|own| own.rollout.as_deref() == Some("FAILED"));
        view.others_leave() == Some(false) && !failed
    },
    judged: |view| view.watch.settled_since.map(|_| 100),
    share: |_| None,
    is_short: |_| false,
};

/// A survey that began longer ago is no ground for the first change: nothing else makes this engine read
/// the owner before it.
const YOUNG: Duration = Duration::from_secs(10);
/// Where AWS is quick, what a change was to bring about is there already.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Between looks when something is due; with the calls that follow, it is told within a second.
const DENSE: Duration = Duration::from_millis(850);
/// Between looks while nothing can have changed.
const SPARSE: Duration = Duration::from_secs(5);
/// Between looks while tasks start: a failure is to be seen soon.
const WATCHFUL: Duration = Duration::from_millis(2400);
/// How long a revision is watched of which a task failed.
const DOUBT: Duration = Duration::from_secs(60);
/// Between looks at targets that are all healthy.
const HEALTH_EVERY: Duration = Duration::from_secs(15);
/// No task is started, or has failed, sooner.
const START: Duration = Duration::from_secs(9);
/// Looks may be dense for this long at a stretch.
const DENSE_FOR: Duration = Duration::from_secs(30);
/// The longest that a stopping task can keep a deployment from being complete: the greatest
/// deregistration delay (3600 s; Elastic Load Balancing, "Edit target group attributes") and the
/// greatest stop timeout (120 s on Fargate; ECS API, ContainerDefinition.stopTimeout).
const LEAVING_MAX: Duration = Duration::from_secs(3600 + 120);

fn reads(view: &View<'_>, occasion: &Occasion) -> Vec<Part> {
    let own = view.green().filter(|_| wants_health(view, occasion.since_targets));
    let wants_tasks = occasion.unexplained || view.has_sick_targets();
    let mut parts = view.world.target_parts(own);
    parts.push(Part::Services);
    parts.extend(view.tasks_read(occasion).filter(|_| wants_tasks));
    parts
}

/// What a glance says of failed tasks and sick targets is explained at once.
fn is_unexplained(view: &View<'_>) -> bool {
    let View { record, watch, world } = view;
    let failed = watch.wants_tasks(record, world) || view.has_sick_targets();
    let is_open = record.forward() && world.tasks.is_empty() && !watch.tasks_denied;
    has_unread_targets(view) || failed && is_open
}

/// The first task that runs is news; or that none is to.
fn first_task(view: &View<'_>) -> Option<Kind> {
    let (ours, service) = view.ours().zip(view.green()).filter(|_| view.record.forward())?;
    let (revision, tasks) = (view.record.name().to_owned(), ours.running);
    (tasks > 0 || service.desired == 0).then_some(Kind::Runs { revision, tasks })
}

/// What can end or turn a deployment whatever step it is in.
pub fn before_every_step(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let gone = |status| {
        let service = record.green.clone();
        Some(Next::Done(Outcome::Stuck(Cause::ServiceGone { service, status })))
    };
    let Some(service) = view.green() else {
        return gone(None);
    };
    if service.status != "ACTIVE" {
        return gone(Some(service.status.clone()));
    }
    if let Some(by) = superseded(view) {
        return Some(Next::Done(Outcome::Superseded(by)));
    }
    if let Some(sight) = view.detached() {
        return Some(Next::Done(Outcome::Drifted(sight)));
    }
    match record.forward() {
        // There is nothing to go back to.
        true if record.is_restart() => trouble(view, service)
            .map(|trouble| Cause::RestartFails { why: Box::new(trouble.cause) })
            .map(|cause| Next::Done(Outcome::Stuck(cause))),
        true => trouble(view, service).map(Next::TurnBack),
        false => {
            let since = view.watch.back_since?;
            let bound = record.timeout.saturating_add(leaving(view, service));
            let late = view.since(since) > bound || view.watch.changes > trouble::CHANGES_MAX;
            late.then(|| {
                let lacks = lacks_behind(view, service);
                Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks }))
            })
        }
    }
}

/// Somebody put the service on a revision that is neither ours nor the way back.
pub(super) fn superseded(view: &View<'_>) -> Option<Cause> {
    let (record, service) = (view.record, view.green()?);
    let primary = service.primary()?;
    let known = [&record.revision, &record.from, &record.was].contains(&&primary.revision);
    // With a circuit breaker ECS chooses what it goes back to.
    (!known && !view.ecs_went_back()).then(|| Cause::RevisionChanged {
        service: service.name.clone(),
        revision: short(&primary.revision).to_owned(),
    })
}

/// What is wrong with going on, if anything is.
fn trouble(view: &View<'_>, service: &Service) -> Option<Trouble> {
    let found = |reason, cause: Cause| Some(Trouble { reason, cause });
    if let Some(cause) = given_up_by_ecs(view, service) {
        return found(Reason::EcsRollback, cause);
    }
    if let Some(cause) = failing_tasks(view, service, view.watch.proved.is_none()) {
        return found(Reason::Tasks, cause);
    }
    let sick = sick_target(view, service).or_else(|| trouble::was_sick(view, view.watch.proved?));
    if let Some(cause) = sick.or_else(|| none_healthy(view, service)) {
        return found(Reason::Sick, cause);
    }
    if let Some(trouble) = trouble::of_judges(view) {
        return Some(trouble);
    }
    if let Some(cause) = past_its_phase(view, service) {
        return found(Reason::Deadline, cause);
    }
    // What only waits for old tasks to leave is not late.
    let patience = match whole(view, service) {
        true => leaving(view, service),
        false => Duration::ZERO,
    };
    out_of_time(view, patience)
}

/// Each of two phases has its time, where that is asked for: until the first task runs, and from then
/// on until nothing lacks.
fn past_its_phase(view: &View<'_>, service: &Service) -> Option<Cause> {
    let limit = view.watch.phase?;
    let lacks = lacks_ahead(view, service)?;
    let since = view.watch.runs_since.unwrap_or(view.watch.start);
    let runs = view.watch.runs_since.is_some();
    (view.since(since) >= limit).then_some(Cause::PhaseTooLong { limit, runs, lacks })
}

/// The circuit breaker, an alarm or somebody's StopServiceDeployment ended our deployment.
fn given_up_by_ecs(view: &View<'_>, service: &Service) -> Option<Cause> {
    if let Some(failed) = view.failed() {
        return Some(trouble::failed_by_ecs(view, service, failed.reason.as_deref()));
    }
    let primary = service.primary()?;
    // Without a trace of ours it may be that AWS answers with the past.
    let traces =
        view.record.is_restart() || service.deployments.iter().any(|one| view.is_ours(one));
    let lasts = view.watch.put_back_since.is_some_and(|since| view.since(since) >= PAST_MAX);
    let gone =
        view.ours().is_none() && (view.ecs_went_back() || view.watch.launched && (traces || lasts));
    gone.then(|| trouble::put_back(view, service, primary))
}

/// A target of ours that is not healthy though it was, or had the time to become so.
fn sick_target(view: &View<'_>, service: &Service) -> Option<Cause> {
    // Tasks of both revisions stand in the same groups: whose a target is, its task tells.
    // Once no other task is left, it is ours.
    let alone = view.watch.tasks_denied && view.others_leave() == Some(false);
    trouble::sick_target(view, service, |target| {
        let ours = view.world.runs(service, target, &view.record.revision);
        ours.unwrap_or(alone && target.state == "unhealthy")
    })
}

/// It served, nothing else is left that could, and nothing answers.
fn none_healthy(view: &View<'_>, service: &Service) -> Option<Cause> {
    view.watch.proved?;
    let is_alone = view.others_leave() == Some(false) && service.desired > 0;
    // Where only running tasks were waited for, their first health checks may not be over.
    let waits = matches!(view.record.until, WaitFor::Healthy | WaitFor::Drained);
    let may_come = !waits && has_new_targets(view, service);
    let healthy = view.world.healthy(service).filter(|healthy| *healthy == 0 && is_alone)?;
    if may_come {
        return None;
    }
    let (service, wanted) = (service.name.clone(), service.desired);
    Some(Cause::TooFewHealthy { service, healthy: count(healthy), wanted })
}

/// Whether the load balancer has not said yet what a target is.
fn has_new_targets(view: &View<'_>, service: &Service) -> bool {
    let targets = service.groups().filter_map(|group| view.world.targets(group)).flatten();
    targets.into_iter().any(|target| target.state == "initial")
}

fn wait(why: WaitReason, look_in: Duration) -> Option<Next> {
    Some(Next::Wait(Wait { why, look_in, look: Look::Glance }))
}

fn update(view: &View<'_>) -> Option<Next> {
    if view.ours().is_some() {
        return None;
    }
    let (record, service) = (view.record, view.green()?);
    if view.watch.launched {
        let (service, revision) = (service.name.clone(), short(&record.was).to_owned());
        return wait(WaitReason::SecondLook(Sight::OldRevision { service, revision }), WATCHFUL);
    }
    // Only another revision makes ECS replace tasks by itself.
    roll(view, &record.revision, |change| change.to, record.is_restart())
}

/// The service on a revision, with one side of what was asked for beside it.
fn roll(view: &View<'_>, revision: &str, side: fn(Change) -> u32, force: bool) -> Option<Next> {
    let asked = &view.record.asked;
    Some(Next::Act(Action::Roll {
        service: view.green()?.name.clone(),
        revision: revision.to_owned(),
        count: asked.count.map(side),
        min_healthy: asked.min_healthy.map(side),
        max_percent: asked.max_percent.map(side),
        force,
    }))
}

fn settle(view: &View<'_>) -> Option<Next> {
    let service = view.green()?;
    let Some(lacks) = lacks_ahead(view, service) else {
        let judged = view.watch.proved.is_some() || view.record.until == WaitFor::Accepted;
        let next = if judged { None } else { once_more(view) };
        return next.or_else(|| end_short(view));
    };
    wait(lacks, look_in(view, service))
}

fn bake(view: &View<'_>) -> Option<Next> {
    let since = view.watch.settled_since?;
    // What failed on its way is not believed at once.
    let failed = view.watch.failures.iter().any(|one| one.outlook != Outlook::Passing);
    let bake = view.record.bake.max(if failed { DOUBT } else { Duration::ZERO });
    let left = bake.checked_sub(view.since(since)).filter(|left| !left.is_zero());
    let Some(left) = left else {
        return gates::hold(view, Held { share: 100, since }, bake);
    };
    wait(WaitReason::Bake { service: view.record.green.clone(), left }, left.min(SPARSE))
}

/// What ECS is told once more changes nothing. Unless it went back by itself, it is told: an update
/// whose answer was lost may still come true.
fn restore(view: &View<'_>) -> Option<Next> {
    let (record, service) = (view.record, view.green()?);
    let primary = service.primary()?;
    if record.is_preparing() && view.ours().is_none() && primary.revision == record.was {
        // ECS was never told anything else.
        return None;
    }
    let told = view.watch.changes > 0 || view.ecs_went_back();
    let ours = view.ours().is_some() && !record.is_restart();
    let back = !ours && (told || primary.revision != record.was);
    if back {
        return None;
    }
    roll(view, &record.from, |change| change.from, false)
}

fn settle_back(view: &View<'_>) -> Option<Next> {
    let service = view.green()?;
    match lacks_behind(view, service) {
        Some(_) if view.old_is_hopeless().is_some() => {
            Some(Next::Act(Action::Write(Box::new(view.closed(End::Neither)))))
        }
        Some(lacks) => wait(lacks, look_in(view, service)),
        None => once_more(view).or_else(|| end_short(view)),
    }
}

/// Somebody lowered the count in mid-deployment: it is followed, and it is no success. Full count is the
/// planned one, or what auto scaling made of it.
pub(super) fn shortfall(view: &View<'_>) -> Option<Cause> {
    let (record, service) = (view.record, view.green()?);
    let before = record.asked.count.filter(|_| !record.forward());
    let planned = before.map_or(record.count, |change| change.from);
    let is_scaled = service.desired > 0 && record.scaled != Some(false);
    (service.desired < planned && !is_scaled).then(|| Cause::DesiredCountLowered {
        service: service.name.clone(),
        cluster: record.cluster.clone(),
        desired: service.desired,
        planned,
    })
}

pub(super) fn end_short(view: &View<'_>) -> Option<Next> {
    let is_watched = view.record.until != WaitFor::Accepted;
    shortfall(view).filter(|_| is_watched)?;
    Some(Next::Act(Action::Write(Box::new(view.closed(End::Short)))))
}

/// What a glance did not take in is older than what it did.
fn once_more(view: &View<'_>) -> Option<Next> {
    let why = WaitReason::LastLook;
    let next = Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Whole });
    (view.world.look == Look::Glance).then_some(next)
}

/// What the new revision still lacks of what the user waits for.
pub fn lacks_ahead(view: &View<'_>, service: &Service) -> Option<WaitReason> {
    let Some(ours) = view.ours() else {
        let (service, revision) = (service.name.clone(), view.record.name().to_owned());
        return Some(WaitReason::Revision { service, revision });
    };
    if view.record.until == WaitFor::Accepted {
        return None;
    }
    let lacks = lacks_tasks(view, service, ours);
    if view.record.until == WaitFor::Started {
        return lacks.filter(|_| ours.running == 0);
    }
    if lacks.is_some() {
        return lacks;
    }
    match view.record.until {
        WaitFor::Accepted | WaitFor::Started | WaitFor::Running => None,
        WaitFor::Healthy => lacks_completion(view, service, ours),
        WaitFor::Drained => {
            lacks_completion(view, service, ours).or_else(|| lacks_drained(view, service))
        }
    }
}

/// What the old revision lacks of being all that runs. Whether ECS still replaces its tasks with others
/// of the same revision does not matter: where there is no room for them, it does so for ever.
fn lacks_behind(view: &View<'_>, service: &Service) -> Option<WaitReason> {
    let record = view.record;
    let (old, ours): (Vec<&Deployment>, Vec<&Deployment>) =
        service.deployments.iter().partition(|one| one.revision != record.revision);
    // What runs of a third revision is not what ECS was asked for.
    let towards = service.primary().filter(|one| one.revision != record.revision);
    let is_asked = |one: &&Deployment| towards.is_none_or(|to| to.revision == one.revision);
    let old: Vec<&Deployment> = old.into_iter().filter(is_asked).collect();
    let sum = |these: &[&Deployment], of: fn(&Deployment) -> u32| -> u32 {
        these.iter().map(|one| of(one)).sum()
    };
    let left = sum(&ours, |one| one.running + one.pending);
    if left > 0 {
        return Some(WaitReason::NewTasks { running: left, revision: record.name().to_owned() });
    }
    let running = sum(&old, |one| one.running);
    let (wanted_running, wanted) = view.owed(service.desired);
    if running < wanted_running {
        let obstacle = obstacle(view, service);
        return Some(WaitReason::tasks(running, wanted_running, 0, obstacle));
    }
    // Targets of the others stand in the same groups.
    let others = service.deployments.iter().filter(|one| {
        one.revision != record.revision && towards.is_some_and(|to| to.revision != one.revision)
    });
    let others: u32 = others.map(|one| one.running).sum();
    let healthy = count(view.world.healthy(service)?).saturating_sub(others);
    let service = service.name.clone();
    (healthy < wanted).then_some(WaitReason::Targets { healthy, wanted, service })
}

fn lacks_tasks(view: &View<'_>, service: &Service, towards: &Deployment) -> Option<WaitReason> {
    let wanted = service.desired.max(towards.desired);
    let Deployment { running, pending, .. } = *towards;
    if running >= wanted && pending == 0 {
        return None;
    }
    Some(WaitReason::tasks(running, wanted, pending, obstacle(view, service)))
}

/// What ECS said last of what is in its way.
pub(super) fn obstacle(view: &View<'_>, service: &Service) -> Option<String> {
    health::obstacle(service, Some(view.record.start))
}

fn lacks_completion(
    view: &View<'_>,
    service: &Service,
    towards: &Deployment,
) -> Option<WaitReason> {
    if has_unread_targets(view) {
        return Some(WaitReason::TargetHealth);
    }
    let (name, wanted) = (service.name.clone(), service.desired);
    if let Some(healthy) = healthy(view, service, towards).map(count).filter(|one| *one < wanted) {
        return Some(WaitReason::Targets { healthy, wanted, service: name });
    }
    let completed = match towards.rollout.as_deref() {
        Some(state) => state == "COMPLETED",
        // A service behind a Classic Load Balancer has no rollout state (API reference of Deployment).
        None => service.deployments.len() == 1,
    };
    if completed {
        return None;
    }
    Some(match others_running(service, towards) {
        0 => WaitReason::Completion { may_roll_back: false, service: name },
        running => WaitReason::EarlierTasks { running: Some(running), service: name },
    })
}

fn lacks_drained(view: &View<'_>, service: &Service) -> Option<WaitReason> {
    let groups = service.attachments.iter().filter_map(|own| view.world.targets(&own.group));
    let draining = groups.flatten().filter(|target| target.state == "draining").count();
    match (draining, service.deployments.len()) {
        (0, 0 | 1) => None,
        (0, _) => Some(WaitReason::EarlierTasks { running: None, service: service.name.clone() }),
        (targets, _) => Some(WaitReason::Draining { targets: count(targets) }),
    }
}

fn others_running(service: &Service, towards: &Deployment) -> u32 {
    let others = service.deployments.iter().filter(|one| one.id != towards.id);
    others.map(|one| one.running).sum()
}

/// Healthy targets beyond those that the tasks of other revisions account for: all stand in the same
/// groups.
fn healthy(view: &View<'_>, service: &Service, towards: &Deployment) -> Option<usize> {
    let all = view.world.healthy(service)?;
    Some(all.saturating_sub(others_running(service, towards) as usize))
}

/// How far it has come: rises with each task that starts or becomes healthy, and with each old one
/// that goes.
pub fn progress(view: &View<'_>) -> usize {
    let Some((service, ours)) = view.green().zip(view.ours()) else { return 0 };
    let healthy = healthy(view, service, ours).unwrap_or(0);
    let gone = service.desired.saturating_sub(others_running(service, ours));
    ours.running as usize + gone as usize + healthy.min(ours.running as usize)
}

/// Whether all tasks of ours run and are healthy.
fn whole(view: &View<'_>, service: &Service) -> bool {
    let Some(towards) = service.primary() else { return false };
    if has_unread_targets(view) {
        return false;
    }
    let healthy =
        healthy(view, service, towards).is_none_or(|healthy| healthy >= service.desired as usize);
    towards.running >= service.desired && healthy
}

/// Whether a glance takes in the targets. Once all are healthy, ECS itself looks after them, and now
/// and then we do.
pub(super) fn wants_health(view: &View<'_>, since_last: Duration) -> bool {
    let Some(service) = view.green() else { return false };
    let runs = service.primary().is_some_and(|primary| primary.running > 0);
    runs && (has_unread_targets(view) || !whole(view, service) || since_last >= HEALTH_EVERY)
}

/// Whether something runs whose targets nobody has looked at.
fn has_unread_targets(view: &View<'_>) -> bool {
    let Some(service) = view.green() else { return false };
    let world = view.world;
    let runs = service.primary().is_some_and(|primary| primary.running > 0);
    let unread = |own: &crate::model::world::Attachment| {
        world.groups.contains_key(&own.group) && !world.health.contains_key(&own.group)
    };
    runs && service.attachments.iter().any(unread)
}

/// Dense around the moment when the next thing can happen.
fn look_in(view: &View<'_>, service: &Service) -> Duration {
    let Some(towards) = service.primary() else { return SPARSE };
    let failing = view.watch.failures.iter().any(|f| f.outlook != Outlook::Passing);
    if failing && towards.running < service.desired {
        return WATCHFUL / 2;
    }
    if towards.running + towards.pending == 0 && service.desired > 0 {
        let left = towards.created.and_then(|begun| START.checked_sub(view.since(begun)));
        return left.unwrap_or(WATCHFUL).max(WATCHFUL);
    }
    if towards.running < service.desired {
        return WATCHFUL;
    }
    if !whole(view, service) {
        // Where nothing drains, the end comes as soon as they are.
        return if drain(view, service) < SPARSE { DENSE } else { SPARSE };
    }
    // All that is missing is that the old tasks are gone.
    let due = leaving_since(view, service) + drain(view, service);
    match view.now().duration_since(due) {
        Ok(late) if late < DENSE_FOR => DENSE,
        Ok(late) if late < 2 * DENSE_FOR => 2 * DENSE,
        Ok(_) => SPARSE,
        Err(early) => early.duration().clamp(DENSE, 2 * SPARSE),
    }
}

/// When old tasks began to leave: ECS says so in the service's history.
fn leaving_since(view: &View<'_>, service: &Service) -> SystemTime {
    let drains = |event: &&crate::model::world::ServiceEvent| {
        event.message.contains("has begun draining") || event.message.contains("has stopped")
    };
    let told = service.events.iter().find(drains).map(|event| event.at);
    told.filter(|at| *at >= view.record.start).unwrap_or(view.now())
}

/// How long tasks may take to leave.
fn leaving(view: &View<'_>, service: &Service) -> Duration {
    let known = |own: &crate::model::world::Attachment| {
        view.world.groups.get(&own.group).is_some_and(|group| group.attributes.is_some())
    };
    match service.attachments.iter().all(known) {
        true => drain(view, service) + Duration::from_secs(600),
        false => LEAVING_MAX,
    }
}

/// How long the load balancer keeps the targets of tasks that leave.
fn drain(view: &View<'_>, service: &Service) -> Duration {
    let delay = |own: &crate::model::world::Attachment| {
        let attributes = view.world.groups.get(&own.group)?.attributes.as_ref()?;
        attributes.get("deregistration_delay.timeout_seconds")?.parse().ok()
    };
    Duration::from_secs(service.attachments.iter().filter_map(delay).max().unwrap_or(0))
}
