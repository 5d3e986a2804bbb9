//! SIGINT and SIGTERM in every wait. The loop handles the first request itself. Everywhere else the command
//! ends: at once if it has changed nothing, within `PATIENCE` if it must deregister a revision first. A second
//! request ends the process at once.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::time::Duration;

use tokio::sync::watch;

use super::Run;
use crate::aws::Aws;
use crate::error::Failure;
use crate::event::{Cause, Error, Interruption, Kind, LeftBehind, Warning};
use crate::record::Reason;
use crate::route::{Outcome, Trouble, View};

/// What a first SIGINT or SIGTERM means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnCancel {
    /// Roll back; if the old version is being stopped already, finish
    Rollback,
    /// Leave everything as it is
    Hold,
    /// Finish if the new version has all the traffic, else roll back
    Finish,
}

/// How long a command may take to clean up after a first request to stop.
pub const PATIENCE: Duration = Duration::from_millis(1800);
/// How often it is looked whether an answer has said what was registered.
const POLL: Duration = Duration::from_millis(20);

/// Waits until the user has asked us to stop at least `count` times; for ever where nobody can ask.
pub async fn asked(interrupts: &watch::Receiver<u32>, count: u32) -> u32 {
    let mut interrupts = interrupts.clone();
    let asked = interrupts.wait_for(|asked| *asked >= count).await.map(|asked| *asked);
    match asked {
        Ok(asked) => asked,
        Err(_) => pending().await,
    }
}

/// Waits for the result of something that changes nothing, or ends the command when the user asks.
pub async fn or_interrupted<T, E: Into<Error>>(
    interrupts: &watch::Receiver<u32>,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    // A survey is large, and each level of `async` would hold it twice.
    let future = Box::pin(future);
    tokio::select! {
        biased;
        asked = asked(interrupts, 1) => Err(nothing_changed(asked)),
        result = future => result.map_err(Into::into),
    }
}

/// Waits for the result of something that can be left undone; `None` when the user asks (again).
pub async fn or_skipped<T>(
    interrupts: &watch::Receiver<u32>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let (heard, future) = (*interrupts.borrow(), Box::pin(future));
    tokio::select! {
        biased;
        _ = asked(interrupts, heard + 1) => None,
        result = future => Some(result),
    }
}

/// Nothing was changed before the user asked to stop.
pub fn nothing_changed(asked: u32) -> Error {
    let code = if asked > 1 { 130 } else { 3 };
    Error::Interrupted(Interruption { code, left: LeftBehind::Nothing })
}

/// The revisions that a command registers before anything uses them. When the user asks us to stop, they
/// are deregistered.
#[derive(Debug, Default)]
pub struct Registration {
    known: RefCell<Vec<String>>,
    /// A registration was sent, and nothing says what became of it.
    sent: Cell<bool>,
}

impl Registration {
    /// Registers a revision.
    pub async fn send(&self, aws: &Aws, family: &str, body: String) -> Result<String, Failure> {
        self.sent.set(true);
        let answer = aws.register(family, body).await;
        match &answer {
            Ok(arn) => self.found(arn),
            Err(error) => self.sent.set(!error.did_not_happen()),
        }
        answer
    }

    /// This is what was registered.
    pub fn found(&self, arn: &str) {
        self.sent.set(false);
        self.known.borrow_mut().push(arn.to_owned());
    }

    /// This revision is used or gone.
    pub fn settle(&self, arn: &str) {
        self.known.borrow_mut().retain(|known| known != arn);
    }

    /// Waits for the result of what registers and reads back. When the user asks us to stop before that,
    /// takes away what was registered.
    pub async fn or_undone<T>(
        &self,
        interrupts: &watch::Receiver<u32>,
        aws: &Aws,
        future: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let deadline;
        {
            let mut future = Box::pin(future);
            tokio::select! {
                biased;
                _ = asked(interrupts, 1) => {}
                result = &mut future => return result.map_err(|error| self.explain(error)),
            }
            deadline = tokio::time::Instant::now() + PATIENCE;
            // Whether the answer comes decides whether the revision can be named.
            let answered = async {
                while self.sent.get() {
                    tokio::select! {
                        _ = &mut future => return,
                        () = tokio::time::sleep(POLL) => {}
                    }
                }
            };
            tokio::select! {
                biased;
                _ = asked(interrupts, 2) => {}
                () = answered => {}
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
        let asked = tokio::select! {
            biased;
            asked = asked(interrupts, 2) => asked,
            () = self.undo(aws) => 1,
            () = tokio::time::sleep_until(deadline) => 1,
        };
        Err(self.left_behind(asked))
    }

    /// Why it failed, and what it leaves behind.
    fn explain(&self, error: Error) -> Error {
        match self.left() {
            None => error,
            Some(left) => error.after(left),
        }
    }

    async fn undo(&self, aws: &Aws) {
        let known = self.known.borrow().clone();
        for arn in known {
            if aws.deregister(&arn).await.is_ok() {
                self.settle(&arn);
            }
        }
    }

    /// What to say of what could not be taken away.
    fn left_behind(&self, asked: u32) -> Error {
        match self.left() {
            None => nothing_changed(asked),
            Some(left) => {
                Error::Interrupted(Interruption { code: if asked > 1 { 130 } else { 4 }, left })
            }
        }
    }

    fn left(&self) -> Option<LeftBehind> {
        let known = self.known.borrow();
        match (known.is_empty(), self.sent.get()) {
            (true, false) => None,
            (true, true) => Some(LeftBehind::MaybeRevision),
            (false, _) => Some(LeftBehind::revisions(known.iter().map(String::as_str))),
        }
    }
}

/// What a request to stop means now.
pub(super) enum Interrupted {
    /// It is over.
    End(Outcome),
    /// Turn back.
    Back(Trouble),
}

impl Run<'_> {
    /// What to do about requests to stop that were not heeded yet.
    pub(super) fn handle_interrupt(&mut self) -> Option<Interrupted> {
        let asked = *self.interrupts.borrow_and_update();
        if asked <= self.heard {
            return None;
        }
        // It is over; its end is only to be told.
        if self.record.closed.is_some() && asked == 1 {
            self.heard = asked;
            return None;
        }
        let first = self.heard == 0;
        self.heard = asked;
        if !first || asked > 1 {
            return Some(Interrupted::End(Outcome::Stopped));
        }
        let (whole, past_return) = self.serves_alone();
        let finish = self.setting.on_cancel == OnCancel::Finish && whole;
        // What served before this command began serves on.
        let on_cancel = match self.setting.finishes {
            true => OnCancel::Hold,
            false => self.setting.on_cancel,
        };
        let warning = match on_cancel {
            OnCancel::Hold => {
                let view = View { record: &self.record, watch: &self.watch, world: &self.world };
                let share = (view.engine().share)(&view);
                let service = self.record.green.clone();
                return Some(Interrupted::End(Outcome::Stuck(Cause::Held { share, service })));
            }
            _ if !self.can_turn_back() => Warning::StillRollingBack,
            _ if past_return || finish => Warning::Finishing,
            _ => {
                let (reason, cause) = (Reason::Interrupted, Cause::Interrupted);
                return Some(Interrupted::Back(Trouble { reason, cause }));
            }
        };
        self.tell(Kind::Warning(warning));
        None
    }

    /// Whether the new version has all the traffic, and whether the old one is being retired.
    pub(super) fn serves_alone(&self) -> (bool, bool) {
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        (view.engine().serves_alone)(&view)
    }

    /// Whether the user asked us to stop and the loop has not handled that yet.
    pub(super) fn is_interrupted(&self) -> bool {
        *self.interrupts.borrow() > self.heard
    }

    /// Lets time pass, until it is over or the user asks us to stop.
    pub(super) async fn sleep(&mut self, duration: Duration) {
        let mut interrupts = self.interrupts.clone();
        let begin = self.setting.clock.moment(self.world.at);
        let mut sleeping = std::pin::pin!(self.setting.clock.sleep(duration));
        loop {
            tokio::select! {
                () = &mut sleeping => break,
                // A closed channel means that nobody can ask any more.
                Ok(()) = interrupts.changed() => break,
                Some(said) = self.gates.said.recv() => {
                    self.hear(said);
                    // A new version that failed is rolled back at once.
                    if self.watch.gates.failed().is_some() {
                        break;
                    }
                }
            }
        }
        self.notice_freeze(begin, duration);
    }
}
