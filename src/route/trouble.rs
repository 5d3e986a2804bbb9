//! Whether the way forward is still good: judged once a turn, in one place.

use std::time::{Duration, SystemTime};

use super::{View, alarms, gates};
use crate::event::{Cause, Grace, WaitReason};
use crate::model::arn::short;
use crate::model::ecs_reason::EcsReason;
use crate::model::health::{NotInUse, Outlook, TaskFailure, not_in_use, sickness};
use crate::model::reads::Part;
use crate::model::world::{Deployment, Service, Target};
use crate::record::Reason;

/// Why a deployment rolls back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For the record.
    pub reason: Reason,
    /// What happened to what.
    pub cause: Cause,
}

/// More changes than any deployment needs; an action that never becomes true stops here.
pub(super) const CHANGES_MAX: u32 = 1000;

/// A task that is replaced leaves a gap; one that lasts is trouble.
pub(super) const SHORT_FOR: Duration = Duration::from_secs(30);

/// A side that carries traffic is not left unwatched for longer.
const BLIND_AFTER: Duration = Duration::from_secs(90);

/// For longer than this AWS does not answer with the past.
pub(super) const PAST_MAX: Duration = Duration::from_secs(15);

/// What is wrong with going on, if anything is.
pub(super) fn trouble(view: &View<'_>) -> Option<Trouble> {
    let (blue, green) = (view.blue()?, view.green()?);
    let found = |reason, cause: Cause| Some(Trouble { reason, cause });
    if let Some(cause) = rolled_back_by_ecs(view, green) {
        return found(Reason::EcsRollback, cause);
    }
    if let Some(cause) = failing_tasks(view, green, view.record.to.is_none()) {
        return found(Reason::Tasks, cause);
    }
    let sick = sick_target(view, green, |target| is_ours(view, green, target));
    let held = view.record.held.filter(|held| held.share > 0);
    let sick = sick.or_else(|| was_sick(view, held?.since));
    if let Some(cause) = sick.or_else(|| too_few_healthy(view, green)) {
        return found(Reason::Sick, cause);
    }
    if let Some(trouble) = of_judges(view) {
        return Some(trouble);
    }
    if let Some(cause) = blind(view, green) {
        return found(Reason::Blind, cause);
    }
    // Once green is proved, users do not go back to what nobody has proved.
    if let Some(cause) = blue_changed(view, blue).filter(|_| !view.is_baked()) {
        return found(Reason::BlueChanged, cause);
    }
    out_of_time(view, Duration::ZERO)
}

/// What the alarms and the gates say against going on.
pub(super) fn of_judges(view: &View<'_>) -> Option<Trouble> {
    // The old side is being stopped: there is nothing whole to go back to.
    if (view.engine().serves_alone)(view).1 {
        return None;
    }
    alarms::trouble(view).or_else(|| gates::trouble(view))
}

/// Nothing got any better for too long, or too much was tried. `patience` is given beyond the timeout.
pub(super) fn out_of_time(view: &View<'_>, patience: Duration) -> Option<Trouble> {
    let timeout = view.record.timeout;
    if view.since(view.watch.best.1) >= timeout.saturating_add(patience) && !view.settled() {
        let lacks = view.unsettled();
        let lacks_tasks = matches!(lacks, Some(WaitReason::Tasks { .. }));
        let task = view.watch.failures.last().filter(|_| lacks_tasks).cloned();
        let cause = Cause::NoProgress { timeout, lacks, task };
        return Some(Trouble { reason: Reason::Deadline, cause });
    }
    (view.watch.changes > CHANGES_MAX).then_some(Trouble {
        reason: Reason::Bound,
        cause: Cause::TooManyChanges { changes: CHANGES_MAX },
    })
}

/// The deployment circuit breaker, an alarm or somebody's StopServiceDeployment put green back on
/// its old revision, or is doing so.
fn rolled_back_by_ecs(view: &View<'_>, green: &Service) -> Option<Cause> {
    if let Some(failed) = view.failed() {
        return Some(failed_by_ecs(view, green, failed.reason.as_deref()));
    }
    let since = view.watch.put_back_since?;
    // Without a trace of ours it may be that AWS answers with the past.
    let trace = green.deployments.iter().any(|one| view.is_ours(one));
    let lasts = trace || view.since(since) >= PAST_MAX;
    let primary = green.primary().filter(|_| lasts)?;
    Some(put_back(view, green, primary))
}

/// ECS put a service back on the revision of `primary`.
pub(super) fn put_back(view: &View<'_>, service: &Service, primary: &Deployment) -> Cause {
    Cause::EcsRolledBack {
        service: service.name.clone(),
        revision: short(&primary.revision).to_owned(),
        task: view.watch.failures.first().cloned(),
    }
}

/// Why ECS failed a deployment, with the names of the alarms that it watches.
pub(super) fn failed_by_ecs(view: &View<'_>, service: &Service, reason: Option<&str>) -> Cause {
    let meaning = reason.and_then(EcsReason::of);
    Cause::EcsFailed {
        service: service.name.clone(),
        reason: reason.map(str::to_owned),
        meaning,
        alarms: if meaning == Some(EcsReason::Alarm) { service.alarms() } else { vec![] },
        task: view.watch.failures.first().cloned(),
    }
}

/// Tasks that failed in a way that starting them again does not help, or too many of them. `early`:
/// nothing served yet, so that the same end twice is no accident.
pub(super) fn failing_tasks(view: &View<'_>, green: &Service, early: bool) -> Option<Cause> {
    // ECS gives a version users once it is healthy.
    let proved = view.watch.proved.is_some() || view.watch.serves_since.is_some();
    failing(&view.watch.failures, green, early, proved)
}

/// The same of these failures of one side; `proved`: it was whole once.
pub(super) fn failing(
    failures: &[TaskFailure],
    side: &Service,
    early: bool,
    proved: bool,
) -> Option<Cause> {
    let failures: Vec<_> =
        failures.iter().filter(|failure| failure.outlook != Outlook::Passing).collect();
    let found = |task: &TaskFailure, repeated| {
        let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        Cause::Tasks { count, task: task.clone(), repeated, grace: None }
    };
    if let Some(hopeless) = failures.iter().find(|failure| failure.outlook == Outlook::Hopeless) {
        return Some(found(hopeless, false));
    }
    let exits = failures.iter().filter(|f| f.exit_code.is_some() && early);
    let exits: Vec<_> = exits.collect();
    for (index, failure) in exits.iter().enumerate() {
        if exits[..index].iter().any(|other| other.signature == failure.signature) {
            return Some(found(failure, true));
        }
    }
    let limit = (side.desired as usize).div_ceil(2).max(3);
    let last = failures.last().filter(|_| failures.len() >= limit)?;
    let slow = last.unhealthy_at.is_some() && !proved;
    let mut cause = found(last, false);
    if let Cause::Tasks { grace, .. } = &mut cause {
        *grace = slow.then(|| short_grace(side));
    }
    Some(cause)
}

/// Whether a target may be a task's of our revision. While tasks of an earlier one leave the same groups,
/// the tasks tell; until they are read, it counts as one of theirs.
fn is_ours(view: &View<'_>, green: &Service, target: &Target) -> bool {
    if view.others_leave() == Some(false) {
        return true;
    }
    view.world.runs(green, target, &view.record.revision) == Some(true)
}

/// A target that the load balancer calls unhealthy though it was healthy, or had the time to become
/// so: the grace period, and `threshold` checks of which the first may fall on its registration.
pub(super) fn sick_target(
    view: &View<'_>,
    green: &Service,
    ours: impl Fn(&Target) -> bool,
) -> Option<Cause> {
    green.groups().find_map(|arn| {
        let group = view.world.groups.get(arn);
        let patience = group.map_or(green.grace, |group| {
            green.grace + group.check.interval * group.check.unhealthy.saturating_sub(1)
        });
        let targets = view.world.targets(arn)?;
        let outside = |t: &&Target| not_in_use(t) == Some(NotInUse::Zone) && ours(t);
        if let Some(outside) = targets.iter().find(outside) {
            return Some(Cause::Target { target: sickness(outside, group), grace: None });
        }
        let overdue = |target: &Target| {
            let unproved = view.watch.unproved_for(arn, target, view.now());
            unproved.is_none_or(|unproved| unproved >= patience)
        };
        let sick =
            targets.iter().find(|t| t.state.starts_with("unhealthy") && overdue(t) && ours(t))?;
        let slow = view.watch.unproved_for(arn, sick, view.now()).is_some();
        let slow = slow && answers_nothing(sick);
        let grace = slow.then(|| short_grace(green));
        Some(Cause::Target { target: sickness(sick, group), grace })
    })
}

/// Whether a target did not answer its checks at all: maybe what is behind it has not started yet.
fn answers_nothing(target: &Target) -> bool {
    ["Target.Timeout", "Target.FailedHealthChecks"]
        .contains(&target.reason.as_deref().unwrap_or_default())
}

/// What a slow start needs. ECS stops a task whose target is unhealthy once the grace period is over.
fn short_grace(service: &Service) -> Grace {
    Grace { service: service.name.clone(), period: service.grace }
}

/// A task that ECS stopped for its health since green was good was as sick as a target that is seen to be,
/// though no look came at the time and another task has taken its place.
pub(super) fn was_sick(view: &View<'_>, good: SystemTime) -> Option<Cause> {
    let since = |one: &&TaskFailure| one.unhealthy_at.is_some_and(|at| at >= good);
    let task = view.watch.failures.iter().find(since)?.clone();
    Some(Cause::Tasks { count: 1, task, repeated: false, grace: None })
}

/// Green has traffic and too little to answer it: nothing at all, or for a while less than its service
/// is to have at least.
fn too_few_healthy(view: &View<'_>, green: &Service) -> Option<Cause> {
    let healthy = u32::try_from(view.world.healthy(green)?).unwrap_or(u32::MAX);
    let since = view.watch.short_since?;
    let lasts = healthy == 0 || view.since(since) >= SHORT_FOR;
    let (service, wanted) = (green.name.clone(), view.need());
    lasts.then_some(Cause::TooFewHealthy { service, healthy, wanted })
}

/// Green has traffic, and for too long nobody could tell whether it is healthy.
fn blind(view: &View<'_>, green: &Service) -> Option<Cause> {
    let groups =
        green.attachments.iter().map(|own| &own.group).filter(|_| view.green_has_traffic());
    let answered = |group: &String| view.world.answered.get(&Part::Health(group.clone()));
    let oldest = groups.filter_map(answered).map(|at| at.aws).min()?;
    let silent = view.since(oldest);
    let service = green.name.clone();
    (silent >= BLIND_AFTER).then_some(Cause::HealthUnknown { service, silent })
}

pub(super) fn blue_changed(view: &View<'_>, blue: &Service) -> Option<Cause> {
    // Nothing answered there when it began: whatever ECS does about it, there is no way back to protect.
    if view.record.had.is_some_and(|had| had.healthy == Some(0)) {
        return None;
    }
    let other = blue.deployments.iter().find(|deployment| deployment.revision != view.record.from);
    let revision = other.map(|other| short(&other.revision).to_owned());
    let changed = blue.desired > 0 && (revision.is_some() || blue.deployments.len() > 1);
    changed.then(|| Cause::OldSideChanged { service: blue.name.clone(), revision })
}
