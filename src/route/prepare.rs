//! `prepare`, the first step of either way forward where `--before` asks for it: one task of the new
//! revision has succeeded. `stop`, the last one of the way back: that task does not run any more.

use std::time::Duration;

use super::pace::pause;
use super::{Action, Next, Outcome, Trouble, View, Wait};
use crate::model::arn::short;
use crate::model::health::failure;
use crate::model::world::{Look, Task};
use crate::record::{Prepare, Reason, Record};

/// A stopped task is shown for an hour at least (API reference of ListTasks), and RunTask's token holds
/// as long. Later, that no task is shown does not mean that none ran.
const REMEMBERED: Duration = Duration::from_secs(50 * 60);

/// AWS may answer with the past for so long.
const PAST_MAX: Duration = super::trouble::PAST_MAX;

fn wait(why: impl Into<String>, look_in: Duration) -> Option<Next> {
    Some(Next::Wait(Wait { why: why.into(), look_in, look: Look::Glance }))
}

fn back(what: String) -> Option<Next> {
    Some(Next::TurnBack(Trouble { reason: Reason::Before, what }))
}

/// Before anything of the new revision serves, its task has succeeded.
pub(super) fn prepare(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let asked = record.prepare.filter(|prepare| !prepare.done)?;
    // That it was done is written before anything is launched; the write may have been lost.
    let launched = record.to.is_some() || view.ours().is_some() && !record.is_restart();
    let Some(tasks) = view.world.prepare.as_deref().filter(|_| !launched) else {
        return if launched { done(record) } else { wait("looking for its task", Duration::ZERO) };
    };
    let Some(task) = tasks.first() else { return start(view) };
    if !task.is_stopped() {
        let since = task.created.unwrap_or(record.start);
        if view.watched_since(since) >= asked.timeout {
            let time = humantime::format_duration(asked.timeout);
            return back(format!("{} did not end within {time}", named(task)));
        }
        let age = view.since(since);
        return wait(format!("{} is {}", named(task), task.last_status), pause(age));
    }
    match verdict(task) {
        Ok(()) => done(record),
        Err(what) => back(what),
    }
}

/// No task is known.
fn start(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    if view.since(record.start) >= REMEMBERED {
        let what =
            "it is not known whether the task that runs before ever ran: ECS has forgotten it";
        return back(what.to_owned());
    }
    if view.watch.prepares {
        return Some(Next::Act(Action::Prepare));
    }
    if view.since(view.watch.start) < PAST_MAX {
        return wait("no task is known: looking again", Duration::from_secs(5));
    }
    let what = "the task that runs before was not started, and its command is kept nowhere: run the same `deploy` again, or `rollback`";
    Some(Next::Done(Outcome::Stuck(what.to_owned())))
}

fn done(record: &Record) -> Option<Next> {
    let prepare = record.prepare.map(|prepare| Prepare { done: true, ..prepare });
    Some(Next::Act(Action::Write(Box::new(Record { prepare, ..record.clone() }))))
}

/// Whether the container that had the command ended well.
fn verdict(task: &Task) -> Result<(), String> {
    let named = named(task);
    let container = match &task.commanded {
        Some(name) => task.containers.iter().find(|one| one.name == *name),
        None => task.containers.first(),
    };
    let code = container.and_then(|container| container.exit_code);
    match (code, failure(task)) {
        (Some(0), _) => Ok(()),
        (_, Some(failure)) => Err(format!("{named}: {}", failure.what)),
        (Some(code), None) => Err(format!("{named} exited with code {code}")),
        (None, None) => {
            let why = task.stopped_reason.as_deref().unwrap_or("it stopped without a reason");
            Err(format!("{named}: {why}"))
        }
    }
}

/// On the way back the task is stopped: what it prepares is not wanted any more.
pub(super) fn stop(view: &View<'_>) -> Option<Next> {
    view.record.prepare.filter(|prepare| !prepare.done)?;
    let running = |task: &&Task| !task.is_stopped();
    let task = view.world.prepare.as_ref()?.iter().find(running)?;
    if task.desired_status == "STOPPED" {
        return wait(format!("{} is {}", named(task), task.last_status), Duration::from_secs(2));
    }
    Some(Next::Act(Action::Stop { task: task.arn.clone() }))
}

fn named(task: &Task) -> String {
    let id = short(&task.arn);
    format!("task {}", id.get(..8).unwrap_or(id))
}
