//! Drives a one-off task, from its start to its end.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use backon::BackoffBuilder;

use super::Setting;
use super::backoff::{LOOK_TWICE, SILENCE, backoff};
use super::interrupt::{PATIENCE, asked as asked_to_stop, nothing_changed, or_skipped};
use super::log::Follower;
use crate::error::Failure;
use crate::event::refusal::OneOffRefused;
use crate::event::{
    Cause, Change, Ending, Error, Interruption, Kind, LeftBehind, OneOff, Refusal, StopReason,
    TaskStatus, Then, WaitReason, Warning,
};
use crate::model::arn::short;
use crate::model::health::failure;
use crate::model::world::{Container, Task};
use crate::plan::run_task::Order;
use crate::route::pace::pause;

/// The exit code where no container has one.
pub const NO_CODE: u8 = 126;
/// The exit code that stands for all larger ones: 126 and above mean something else.
const LARGEST: u8 = 125;
/// A new task may not be known everywhere at once.
const UNKNOWN_MAX: Duration = Duration::from_secs(60);
/// A stopped task is given up after its containers' stop timeouts, which are 120 s at most.
const STOPPING_MAX: Duration = Duration::from_secs(300);

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    /// What became of it.
    pub ending: Ending,
    /// What the process exits with.
    pub code: u8,
    /// Why, where it is not good.
    pub why: Option<Cause>,
    /// The user asked us to stop.
    pub interrupted: bool,
}

/// Starts the tasks. The token makes it safe to ask again after a lost answer. When the user asks us to
/// stop, the answer is waited for a little longer: a task that was started must be stopped.
pub async fn start(
    setting: &Setting<'_>,
    order: &Order,
) -> Result<(Vec<Task>, Vec<String>), Error> {
    let asked = *setting.interrupts.borrow();
    if asked > 0 {
        return Err(nothing_changed(asked));
    }
    let mut starting = pin!(starting(setting, order));
    tokio::select! {
        biased;
        _ = asked_to_stop(&setting.interrupts, 1) => {}
        result = &mut starting => return result,
    }
    let late = tokio::select! {
        biased;
        _ = asked_to_stop(&setting.interrupts, 2) => None,
        result = tokio::time::timeout(PATIENCE, starting) => result.ok(),
    };
    late.unwrap_or_else(|| {
        let left = LeftBehind::MaybeTask { cluster: setting.cluster.clone() };
        Err(Error::Interrupted(Interruption { code: 130, left }))
    })
}

async fn starting(setting: &Setting<'_>, order: &Order) -> Result<(Vec<Task>, Vec<String>), Error> {
    let (mut waits, mut lost) = (backoff().build(), false);
    loop {
        let error = match setting.aws.run_task(&order.body).await {
            Ok((tasks, failures)) => {
                if tasks.is_empty() {
                    let (cluster, reasons) = (setting.cluster.clone(), failures);
                    return Err(
                        Refusal::new(OneOffRefused::NoTaskStarted { cluster, reasons }).into()
                    );
                }
                return Ok((tasks, failures));
            }
            Err(error) => error,
        };
        let asked = *setting.interrupts.borrow();
        if asked > 0 && error.did_not_happen() && !lost {
            return Err(nothing_changed(asked));
        }
        lost |= !error.did_not_happen();
        match waits.next().filter(|_| error.passes()) {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error.into()),
        }
    }
}

/// Waits until all tasks are stopped, and tells what they log; stops them when the user asks for it or
/// time is up.
pub async fn follow(
    setting: &Setting<'_>,
    order: &Order,
    mut tasks: Vec<Task>,
    timeout: Duration,
    hold: bool,
    tell: &mut dyn FnMut(Kind),
) -> Finished {
    let arns: Vec<String> = tasks.iter().map(|task| task.arn.clone()).collect();
    let begin = setting.clock.now();
    let mut interrupts = setting.interrupts.clone();
    let logs = order.logs.as_deref();
    let mut logs = logs.map(|logs| Follower::of(setting.aws, setting.clock, logs, &arns));
    let mut stopping: Option<(SystemTime, StopReason)> = None;
    let (mut said, mut seen, mut failed) = ((None, begin), begin, 0);
    loop {
        let now = setting.clock.now();
        let since = |then: SystemTime| now.duration_since(then).unwrap_or_default();
        let why = WaitReason::TaskEnd { tasks: statuses(&tasks) };
        if said.0.as_ref() != Some(&why) || since(said.1) >= SILENCE {
            tell(Kind::Waiting { step: "run", why: why.clone() });
            said = (Some(why), now);
        }
        if tasks.len() == arns.len() && tasks.iter().all(Task::is_stopped) {
            if let Some(logs) = &mut logs {
                let asked = &setting.interrupts;
                or_skipped(asked, logs.finish(&tasks, &mut interrupts, tell)).await;
            }
            return ended(&tasks, &order.container, stopping.map(|(_, why)| why));
        }
        if let Some((_, why)) = stopping.filter(|(at, _)| since(*at) > STOPPING_MAX) {
            return lost(&tasks, Cause::DoNotStop { why });
        }
        if since(seen) > UNKNOWN_MAX {
            return lost(&tasks, Cause::TaskForgotten);
        }
        let asked = *interrupts.borrow_and_update();
        if asked > 0 && hold {
            return running(&tasks, false);
        }
        let over = since(begin) >= timeout;
        if stopping.is_none() && (asked > 0 || over) {
            // ECS shows the words as the task's `stoppedReason`.
            let (why, words) = match asked > 0 {
                true => (StopReason::Interrupted, "interrupted"),
                false => (StopReason::TimedOut, "it took too long"),
            };
            let stopped = Change::TasksStopped { tasks: ids(&tasks), why };
            tell(Kind::Changed { step: "stop", change: stopped });
            for task in tasks.iter().filter(|task| !task.is_stopped()) {
                let stopping = stop(setting, &task.arn, words);
                if let Some(Err(failure)) = or_skipped(&setting.interrupts, stopping).await {
                    let then = Then::GoesOn;
                    tell(Kind::Warning(Warning::CallFailed { failure, then }));
                }
            }
            stopping = Some((now, why));
        } else if asked > 1 {
            return running(&tasks, true);
        }
        let wait = pause(since(begin))
            .min(timeout.saturating_sub(since(begin)).max(Duration::from_secs(1)));
        tokio::select! {
            () = setting.clock.sleep(wait) => {}
            Ok(()) = interrupts.changed() => continue,
        }
        let describing = setting.aws.described(&setting.cluster, &arns);
        let Some(described) = or_skipped(&setting.interrupts, describing).await else { continue };
        match described {
            Ok(found) => {
                failed = 0;
                if found.len() == arns.len() {
                    seen = setting.clock.now();
                    tasks = found;
                }
                if let Some(logs) = &mut logs {
                    or_skipped(&setting.interrupts, logs.look(&tasks, tell)).await;
                }
            }
            Err(error) if error.passes() && failed < 20 => {
                failed += 1;
                let then = Then::TriesAgain;
                tell(Kind::Warning(Warning::CallFailed { failure: error, then }));
                or_skipped(&setting.interrupts, setting.clock.sleep(LOOK_TWICE)).await;
            }
            Err(error) => return lost(&tasks, Cause::Aws(error)),
        }
    }
}

async fn stop(setting: &Setting<'_>, task: &str, why: &str) -> Result<(), Failure> {
    let mut waits = backoff().with_max_times(4).build();
    loop {
        let error = match setting.aws.stop_task(&setting.cluster, task, why).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match waits.next().filter(|_| error.passes()) {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error),
        }
    }
}

fn ids(tasks: &[Task]) -> Vec<String> {
    tasks.iter().map(|task| short(&task.arn).to_owned()).collect()
}

fn statuses(tasks: &[Task]) -> Vec<TaskStatus> {
    let one = |task: &Task| TaskStatus {
        task: short(&task.arn).to_owned(),
        status: task.last_status.clone(),
    };
    tasks.iter().map(one).collect()
}

/// We do not know what became of it.
fn lost(tasks: &[Task], why: Cause) -> Finished {
    let ending = Ending::Unknown { tasks: ids(tasks) };
    Finished { ending, code: NO_CODE, why: Some(why), interrupted: false }
}

/// The user asked us to stop, and it is left alone; `maybe`: stopping it has begun.
fn running(tasks: &[Task], maybe: bool) -> Finished {
    let ending = Ending::Running { tasks: ids(tasks), maybe };
    Finished { ending, code: 130, why: None, interrupted: true }
}

/// The exit code is the largest one of the tasks', and `NO_CODE` where one has none.
fn ended(tasks: &[Task], container: &str, stopped: Option<StopReason>) -> Finished {
    let of = |task: &Task| -> Option<i32> {
        let own = |one: &&Container| one.name == container;
        task.containers.iter().find(own)?.exit_code
    };
    let codes: Vec<Option<i32>> = tasks.iter().map(of).collect();
    let worst = codes.iter().copied().max_by_key(|code| code.map_or(i32::MAX, i32::abs)).flatten();
    let interrupted = stopped == Some(StopReason::Interrupted);
    let code = match (stopped, worst) {
        _ if interrupted => 130,
        (None, Some(code)) => u8::try_from(code).map_or(LARGEST, |code| code.min(LARGEST)),
        _ => NO_CODE,
    };
    let bad = |code: &Option<i32>| *code != Some(0) || stopped.is_some();
    let task = tasks.iter().zip(&codes).find(|(_, code)| bad(code)).map(|(task, _)| task);
    let why = task.map(|task| match (stopped, failure(task)) {
        (Some(StopReason::TimedOut), _) => Cause::TookTooLong,
        (Some(_), _) => Cause::Interrupted,
        (None, Some(task)) => Cause::Tasks { count: 1, task, repeated: false, grace: None },
        (None, None) => Cause::TaskStopped { reason: task.stopped_reason.clone() },
    });
    let one_off = OneOff { tasks: ids(tasks), container: container.to_owned(), exit_codes: codes };
    let ending = match code {
        0 => Ending::Succeeded(one_off),
        _ if stopped.is_some() => Ending::TaskStopped(one_off),
        _ => Ending::Failed(one_off),
    };
    Finished { ending, code, why, interrupted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::world::Container;

    #[test]
    fn the_exit_code_is_the_worst_one_and_never_one_of_ours() {
        let task = |code: Option<i32>| Task {
            arn: "arn:aws:ecs:r:1:task/c/abc".into(),
            revision: "web:1".into(),
            last_status: "STOPPED".into(),
            desired_status: "STOPPED".into(),
            commanded: None,
            started_by: None,
            created: None,
            stopping: None,
            stop_code: Some("EssentialContainerExited".into()),
            stopped_reason: Some("Essential container in task exited".into()),
            containers: vec![Container {
                name: "web".into(),
                image: "x:1".into(),
                digest: None,
                exit_code: code,
                reason: None,
                essential: None,
            }],
            endpoints: vec![],
        };
        let code = |codes: &[Option<i32>]| {
            let tasks: Vec<Task> = codes.iter().map(|code| task(*code)).collect();
            ended(&tasks, "web", None).code
        };
        assert_eq!(code(&[Some(0)]), 0);
        assert_eq!(code(&[Some(0), Some(3), Some(2)]), 3);
        assert_eq!(code(&[Some(137)]), LARGEST);
        assert_eq!(code(&[Some(-1)]), LARGEST);
        assert_eq!(code(&[Some(0), None]), NO_CODE);
        let stopped = |code, why| ended(&[task(Some(code))], "web", Some(why)).code;
        assert_eq!(stopped(143, StopReason::Interrupted), 130);
        assert_eq!(stopped(0, StopReason::TimedOut), NO_CODE);
    }
}
