//! `prepare`, the first step of either way forward where `--before` asks for it: one task of the new
//! revision has succeeded. `stop`, the last one of the way back: that task does not run any more.

use std::time::Duration;

use super::pace::pause;
use super::{Action, Next, Outcome, Trouble, View, Wait};
use crate::event::{BeforeEnded as Ended, Cause, Sight, TaskStatus, WaitReason};
use crate::model::arn::short;
use crate::model::health::failure;
use crate::model::world::{Look, Task};
use crate::record::{Prepare, Reason, Record};

/// A stopped task is shown for an hour at least (API reference of ListTasks), and RunTask's token holds
/// as long. Later, that no task is shown does not mean that none ran.
const REMEMBERED: Duration = Duration::from_secs(50 * 60);

/// AWS may answer with the past for so long.
const PAST_MAX: Duration = super::trouble::PAST_MAX;

fn wait(why: WaitReason, look_in: Duration) -> Option<Next> {
    Some(Next::Wait(Wait { why, look_in, look: Look::Glance }))
}

fn back(cause: Cause) -> Option<Next> {
    Some(Next::TurnBack(Trouble { reason: Reason::Before, cause }))
}

fn ended(task: &Task, ended: Ended) -> Cause {
    Cause::Before { task: short(&task.arn).to_owned(), ended }
}

/// Before anything of the new revision serves, its task has succeeded.
pub(super) fn prepare(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let asked = record.prepare.filter(|prepare| !prepare.done)?;
    // That it was done is written before anything is launched; the write may have been lost.
    let launched = record.to.is_some() || view.ours().is_some() && !record.ran_before();
    let Some(tasks) = view.world.prepare.as_deref().filter(|_| !launched) else {
        return if launched { done(record) } else { wait(WaitReason::TaskSearch, Duration::ZERO) };
    };
    let Some(task) = tasks.first() else { return start(view) };
    if !task.is_stopped() {
        let since = task.created.unwrap_or(record.start);
        if view.watched_since(since) >= asked.timeout {
            return back(ended(task, Ended::TimedOut { timeout: asked.timeout }));
        }
        return wait(status(task), pause(view.since(since)));
    }
    match verdict(task) {
        None => done(record),
        Some(how) => back(ended(task, how)),
    }
}

/// No task is known.
fn start(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    if view.since(record.start) >= REMEMBERED {
        return back(Cause::BeforeForgotten);
    }
    if view.watch.prepares {
        return Some(Next::Act(Action::Prepare));
    }
    if view.since(view.watch.start) < PAST_MAX {
        return wait(WaitReason::SecondLook(Sight::NoTask), Duration::from_secs(5));
    }
    Some(Next::Done(Outcome::Stuck(Cause::BeforeUnknown)))
}

fn done(record: &Record) -> Option<Next> {
    let prepare = record.prepare.map(|prepare| Prepare { done: true, ..prepare });
    Some(Next::Act(Action::Write(Box::new(Record { prepare, ..record.clone() }))))
}

/// How the task ended badly; `None`: the container that had the command ended well.
fn verdict(task: &Task) -> Option<Ended> {
    let container = match &task.commanded {
        Some(name) => task.containers.iter().find(|one| one.name == *name),
        None => task.containers.first(),
    };
    let code = container.and_then(|container| container.exit_code);
    match (code, failure(task)) {
        (Some(0), _) => None,
        (_, Some(failure)) => Some(Ended::Failed(failure)),
        (Some(exit_code), None) => Some(Ended::Exited { exit_code }),
        (None, None) => Some(Ended::Stopped { reason: task.stopped_reason.clone() }),
    }
}

/// On the way back the task is stopped: what it prepares is not wanted any more.
pub(super) fn stop(view: &View<'_>) -> Option<Next> {
    view.record.prepare.filter(|prepare| !prepare.done)?;
    let running = |task: &&Task| !task.is_stopped();
    let task = view.world.prepare.as_ref()?.iter().find(running)?;
    if task.desired_status == "STOPPED" {
        return wait(status(task), Duration::from_secs(2));
    }
    Some(Next::Act(Action::Stop { task: task.arn.clone() }))
}

fn status(task: &Task) -> WaitReason {
    let (task, status) = (short(&task.arn).to_owned(), task.last_status.clone());
    WaitReason::TaskEnd { tasks: vec![TaskStatus { task, status }] }
}
