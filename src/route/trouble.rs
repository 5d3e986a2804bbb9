//! Whether the way forward is still good: judged once a turn, in one place.

use std::fmt;
use std::time::Duration;

use super::View;
use crate::model::arn::short;
use crate::model::health::{NotInUse, Outlook, TaskFailure, explain, not_in_use};
use crate::model::reads::Part;
use crate::model::world::{Service, Target};
use crate::record::Reason;

/// Why we turn back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For the record and for programs.
    pub reason: Reason,
    /// For people: what happened to what.
    pub what: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// More changes than any deployment needs; an action that never becomes true stops here.
pub(super) const CHANGES_MAX: u32 = 1000;

/// A task that is replaced leaves a gap; one that lasts is trouble.
const SHORT_FOR: Duration = Duration::from_secs(30);

/// A side that carries traffic is not left unwatched for longer.
const BLIND_AFTER: Duration = Duration::from_secs(90);

/// For longer than this AWS does not answer with the past.
pub(super) const PAST_MAX: Duration = Duration::from_secs(15);

/// What is wrong with going on, if anything is.
pub(super) fn trouble(view: &View<'_>) -> Option<Trouble> {
    let (blue, green) = (view.blue()?, view.green()?);
    let found = |reason, what: String| Some(Trouble { reason, what });
    if let Some(what) = rolled_back_by_ecs(view, green) {
        return found(Reason::EcsRollback, what);
    }
    if let Some(what) = failing_tasks(view, green, view.record.to.is_none()) {
        return found(Reason::Tasks, what);
    }
    let sick = sick_target(view, green, |target| is_ours(view, green, target));
    let sick = sick.or_else(|| was_sick(view));
    if let Some(what) = sick.or_else(|| thin(view, green)) {
        return found(Reason::Sick, what);
    }
    if let Some(what) = blind(view, green) {
        return found(Reason::Blind, what);
    }
    if let Some(what) = blue_changed(view, blue) {
        return found(Reason::BlueChanged, what);
    }
    out_of_time(view, Duration::ZERO)
}

/// Nothing got any better for too long, or too much was tried. `patience` is given beyond the timeout.
pub(super) fn out_of_time(view: &View<'_>, patience: Duration) -> Option<Trouble> {
    let timeout = view.record.timeout;
    if view.since(view.watch.best.1) >= timeout.saturating_add(patience) && !view.settled() {
        let lacks = view.unsettled().unwrap_or_default();
        let what = format!("no progress for {}: {lacks}", humantime::format_duration(timeout));
        return Some(Trouble { reason: Reason::Deadline, what });
    }
    (view.watch.changes > CHANGES_MAX).then(|| Trouble {
        reason: Reason::Bound,
        what: format!("{CHANGES_MAX} changes were not enough"),
    })
}

/// The deployment circuit breaker, an alarm or somebody's StopServiceDeployment put green back on
/// its old revision, or is doing so.
fn rolled_back_by_ecs(view: &View<'_>, green: &Service) -> Option<String> {
    if let Some(failed) = view.failed() {
        let why = failed_by_ecs(green, failed.reason.as_deref());
        return Some(match view.watch.failures.first() {
            Some(failure) => format!("{why} Task {}: {}", failure.task, failure.what),
            None => why,
        });
    }
    let since = view.watch.put_back_since?;
    // Without a trace of ours it may be that AWS answers with the past.
    let trace = green.deployments.iter().any(|one| view.is_ours(one));
    let lasts = trace || view.since(since) >= PAST_MAX;
    let primary = green.primary().filter(|_| lasts)?;
    Some(format!("ECS put {} back on {}", green.name, short(&primary.revision)))
}

/// Why ECS failed a deployment, in its words, with the names of the alarms that it watches.
pub(super) fn failed_by_ecs(service: &Service, reason: Option<&str>) -> String {
    let why = reason.unwrap_or("ECS says that the deployment failed.");
    let alarms = service.settings.get("deploymentConfiguration");
    let names = alarms.and_then(|all| all["alarms"]["alarmNames"].as_array());
    let names: Vec<&str> = names.into_iter().flatten().filter_map(|name| name.as_str()).collect();
    match (why.to_lowercase().contains("alarm"), &names[..]) {
        (false, _) | (true, []) => why.to_owned(),
        (true, [one]) => format!("{why} The alarm is {one}."),
        (true, _) => format!("{why} It is one of the alarms {}.", names.join(", ")),
    }
}

/// Tasks that failed in a way that starting them again does not help, or too many of them. `early`:
/// nothing served yet, so that the same end twice is no accident.
pub(super) fn failing_tasks(view: &View<'_>, green: &Service, early: bool) -> Option<String> {
    failing(&view.watch.failures, green, early, view.watch.proved)
}

/// The same of these failures of one side; `proved`: it was whole once.
pub(super) fn failing(
    failures: &[TaskFailure],
    side: &Service,
    early: bool,
    proved: bool,
) -> Option<String> {
    let failures: Vec<_> =
        failures.iter().filter(|failure| failure.outlook != Outlook::Passing).collect();
    let say = |task: &str, what: &str| format!("task {task}: {what}");
    if let Some(hopeless) = failures.iter().find(|failure| failure.outlook == Outlook::Hopeless) {
        return Some(say(&hopeless.task, &hopeless.what));
    }
    let exits = failures.iter().filter(|f| f.signature.contains(':') && early);
    let exits: Vec<_> = exits.collect();
    for (index, failure) in exits.iter().enumerate() {
        if exits[..index].iter().any(|other| other.signature == failure.signature) {
            return Some(say(&failure.task, &failure.what) + ", as another before it");
        }
    }
    let limit = (side.desired as usize).div_ceil(2).max(3);
    let last = failures.last().filter(|_| failures.len() >= limit)?;
    let slow = last.unhealthy_at.is_some() && !proved;
    let grace = if slow { short_grace(side) } else { String::new() };
    Some(format!("{} tasks failed; {}{grace}", failures.len(), say(&last.task, &last.what)))
}

/// Whether a target may be a task's of our revision. While tasks of an earlier one leave the same groups,
/// the tasks tell; until they are read, it counts as one of theirs.
fn is_ours(view: &View<'_>, green: &Service, target: &Target) -> bool {
    if view.others_leave() == Some(false) {
        return true;
    }
    let tasks = view.world.tasks.get(&green.arn).into_iter().flatten();
    tasks
        .filter(|task| task.is(target) && !task.is_stopped())
        .any(|task| task.revision == view.record.revision)
}

/// A target that the load balancer calls unhealthy though it was healthy, or had the time to become
/// so: the grace period, and `threshold` checks of which the first may fall on its registration.
pub(super) fn sick_target(
    view: &View<'_>,
    green: &Service,
    ours: impl Fn(&Target) -> bool,
) -> Option<String> {
    green.attachments.iter().find_map(|attachment| {
        let group = view.world.groups.get(&attachment.group);
        let patience = group.map_or(green.grace, |group| {
            green.grace + group.check.interval * group.check.unhealthy.saturating_sub(1)
        });
        let targets = view.world.targets(&attachment.group)?;
        let outside = |t: &&Target| not_in_use(t) == Some(NotInUse::Zone) && ours(t);
        if let Some(outside) = targets.iter().find(outside) {
            return Some(explain(outside, group));
        }
        let overdue = |target: &Target| {
            let unproved = view.watch.unproved_for(&attachment.group, target, view.now());
            unproved.is_none_or(|unproved| unproved >= patience)
        };
        let sick =
            targets.iter().find(|t| t.state.starts_with("unhealthy") && overdue(t) && ours(t))?;
        let slow = view.watch.unproved_for(&attachment.group, sick, view.now()).is_some();
        let slow = slow && answers_nothing(sick);
        Some(explain(sick, group) + &if slow { short_grace(green) } else { String::new() })
    })
}

/// Whether a target did not answer its checks at all: maybe what is behind it has not started yet.
fn answers_nothing(target: &Target) -> bool {
    ["Target.Timeout", "Target.FailedHealthChecks"]
        .contains(&target.reason.as_deref().unwrap_or_default())
}

/// What a slow start needs. ECS stops a task whose target is unhealthy once the grace period is over.
fn short_grace(service: &Service) -> String {
    format!(
        " (it was never healthy; the health check grace period of {} is {})",
        service.name,
        humantime::format_duration(service.grace)
    )
}

/// A task that ECS stopped for its health since green has its traffic was as sick as a target that is
/// seen to be, though no look came at the time and another task has taken its place.
fn was_sick(view: &View<'_>) -> Option<String> {
    let held = view.record.held.filter(|held| held.share > 0)?;
    let since = |one: &&TaskFailure| one.unhealthy_at.is_some_and(|at| at >= held.since);
    let failure = view.watch.failures.iter().find(since)?;
    Some(format!("task {}: {}", failure.task, failure.what))
}

/// Green has traffic and too little to answer it: nothing at all, or for a while less than its service
/// is to have at least.
fn thin(view: &View<'_>, green: &Service) -> Option<String> {
    let healthy = view.world.healthy(green)?;
    let since = view.watch.short_since?;
    let lasts = healthy == 0 || view.since(since) >= SHORT_FOR;
    lasts.then(|| {
        format!("{} has traffic and {healthy} of {} healthy targets", green.name, view.need())
    })
}

/// Green has traffic, and for too long nobody could tell whether it is healthy.
fn blind(view: &View<'_>, green: &Service) -> Option<String> {
    let groups =
        green.attachments.iter().map(|own| &own.group).filter(|_| view.green_has_traffic());
    let answered = |group: &String| view.world.answered.get(&Part::Health(group.clone()));
    let oldest = groups.filter_map(answered).map(|at| at.aws).min()?;
    let silent = view.since(oldest);
    (silent >= BLIND_AFTER).then(|| {
        let silent = humantime::format_duration(Duration::from_secs(silent.as_secs()));
        format!("{} has traffic, and its target health was not answered for {silent}", green.name)
    })
}

fn blue_changed(view: &View<'_>, blue: &Service) -> Option<String> {
    // Nothing answered there when it began: whatever ECS does about it, there is no way back to protect.
    if view.record.had.is_some_and(|had| had.healthy == Some(0)) {
        return None;
    }
    let other = blue.deployments.iter().find(|deployment| deployment.revision != view.record.from);
    match other.filter(|_| blue.desired > 0) {
        Some(other) => Some(format!(
            "somebody deployed {} to {}, which serves",
            short(&other.revision),
            blue.name
        )),
        None if blue.desired > 0 && blue.deployments.len() > 1 => {
            Some(format!("somebody started another deployment of {}, which serves", blue.name))
        }
        None => None,
    }
}
