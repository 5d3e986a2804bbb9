//! Telling what tasks log while somebody waits for their end, as far as that goes: what is in the way is
//! said once, and changes nothing else.

use std::time::SystemTime;

use tokio::sync::watch;

use super::Logs;
use crate::aws::Aws;
use crate::clock::Clock;
use crate::drive::backoff::LOOK_TWICE;
use crate::error::Failure;
use crate::event::{Kind, Warning};
use crate::model::log::{Line, Stream, sources};
use crate::model::world::{Container, Task};

/// Looks that may fail one after the other; then only the end is looked at.
const FAILURES_MAX: u32 = 5;
/// Looks at what comes late, at the end.
const LATE_MAX: u32 = 6;

/// Who tells it.
pub struct Follower<'a> {
    logs: Logs<'a>,
    clock: Clock,
    /// Containers whose logs nobody can find.
    nameless: Vec<String>,
    failed: u32,
    /// An error that may pass was told of.
    warned: bool,
    /// When all containers were first seen to have ended.
    over: Option<SystemTime>,
    /// When something new was last heard of.
    heard: SystemTime,
    /// When the last look was, if it did not fail.
    looked: Option<SystemTime>,
}

impl<'a> Follower<'a> {
    /// Of these tasks of one definition.
    pub fn of(aws: &'a Aws, clock: Clock, definition: &str, tasks: &[String]) -> Self {
        let nameless = sources(definition).into_iter().filter(|source| source.prefix.is_none());
        Self {
            logs: Logs::of(aws, definition, tasks),
            clock,
            nameless: nameless.map(|source| source.container).collect(),
            failed: 0,
            warned: false,
            over: None,
            heard: clock.now(),
            looked: None,
        }
    }

    /// Tells what is new, where there can be something.
    pub async fn look(&mut self, tasks: &[Task], tell: &mut dyn FnMut(Kind)) {
        let waits = |task: &Task| matches!(&*task.last_status, "PROVISIONING" | "PENDING");
        if tasks.iter().all(waits) {
            return;
        }
        for container in std::mem::take(&mut self.nameless) {
            tell(Kind::Warning(Warning::NoStreamPrefix { container }));
        }
        let ended = |task: &Task| matches!(&*task.last_status, "DEPROVISIONING" | "STOPPED");
        if tasks.iter().all(ended) {
            self.over = self.over.or(Some(self.clock.now()));
        }
        if self.failed < FAILURES_MAX {
            self.tell(tell).await;
        }
    }

    /// Tells what is new.
    async fn tell(&mut self, tell: &mut dyn FnMut(Kind)) {
        loop {
            let error = match self.logs.news().await {
                Ok(lines) => {
                    self.failed = 0;
                    self.looked = Some(self.clock.now());
                    if !lines.is_empty() {
                        self.heard = self.clock.now();
                    }
                    return lines.into_iter().map(told).for_each(tell);
                }
                Err(error) => error,
            };
            if !error.passes() {
                tell(not_shown(error));
                continue;
            }
            self.failed += 1;
            self.looked = None;
            if self.failed == FAILURES_MAX && !std::mem::replace(&mut self.warned, true) {
                tell(not_shown(error));
            }
            return;
        }
    }

    /// All tasks have stopped: tells what comes late. What was written last can be read a moment later.
    pub async fn finish(
        &mut self,
        tasks: &[Task],
        interrupts: &mut watch::Receiver<u32>,
        tell: &mut dyn FnMut(Kind),
    ) {
        if self.logs.is_empty() || !tasks.iter().any(|task| task.containers.iter().any(ran)) {
            return;
        }
        let over = *self.over.get_or_insert(self.clock.now());
        // Whoever was told that there is nothing to see does not wait long for it.
        for _ in 0..if self.warned { 2 } else { LATE_MAX } {
            let until = over.max(self.heard) + LOOK_TWICE;
            if self.looked >= Some(until) {
                break;
            }
            let wait = until.duration_since(self.clock.now()).unwrap_or(LOOK_TWICE);
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                Ok(()) = interrupts.changed() => return,
            }
            self.tell(tell).await;
        }
        if self.failed > 0 {
            return;
        }
        if let Some((container, stream)) = self.logs.missing(tasks) {
            let Stream { group, name: stream, .. } = stream.clone();
            let container = container.to_owned();
            tell(Kind::Warning(Warning::NoLogStream { container, group, stream }));
        }
    }
}

fn ran(container: &Container) -> bool {
    container.exit_code.is_some()
}

fn told(line: Line) -> Kind {
    let Line { task, container, at, message } = line;
    Kind::Logged { task, container, time: at, message }
}

fn not_shown(failure: Failure) -> Kind {
    Kind::Warning(Warning::LogsUnreadable { failure })
}
