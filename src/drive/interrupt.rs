//! What a request to stop (SIGINT, SIGTERM) means, and waiting that it ends.

use std::time::Duration;

use super::Run;
use crate::event::Kind;
use crate::record::Reason;
use crate::request::EngineName;
use crate::route::{Outcome, Trouble, View};

/// What a first SIGINT or SIGTERM means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnCancel {
    /// Turn back; once the old version is being retired, finish
    Rollback,
    /// Leave everything as it is
    Hold,
    /// Finish, where the new version has all the traffic; else turn back
    Finish,
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
        let first = self.heard == 0;
        self.heard = asked;
        if !first || asked > 1 {
            return Some(Interrupted::End(Outcome::Stopped));
        }
        let (whole, past_return) = self.serves_alone();
        let finish = self.setting.on_cancel == OnCancel::Finish && whole;
        let what = match self.setting.on_cancel {
            OnCancel::Hold => {
                let share = self.record.held.map_or(0, |held| held.share);
                let how = match self.record.engine() {
                    EngineName::Listener => format!("with {share} % on {}", self.record.green),
                    EngineName::Rolling => "ECS goes on with it".to_owned(),
                };
                return Some(Interrupted::End(Outcome::Stuck(format!(
                    "told to stop: left as it is, {how}"
                ))));
            }
            _ if !self.record.forward() => "told to stop: going back all the same".to_owned(),
            _ if past_return || finish => {
                "told to stop: it has all the traffic, finishing".to_owned()
            }
            _ => {
                let what = "told to stop".to_owned();
                return Some(Interrupted::Back(Trouble { reason: Reason::Interrupted, what }));
            }
        };
        self.tell(Kind::Warning { what });
        None
    }

    /// Whether the new version has all the traffic, and whether the old one is being retired.
    pub(super) fn serves_alone(&self) -> (bool, bool) {
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        let whole = self.record.forward()
            && match self.record.engine() {
                EngineName::Listener => view.all_read(100),
                EngineName::Rolling => self.watch.settled_since.is_some(),
            };
        let retiring = self.record.engine() == EngineName::Listener
            && view.blue().is_some_and(|blue| blue.desired == 0);
        (whole, whole && retiring)
    }

    /// Lets time pass, until it is over or the user asks us to stop.
    pub(super) async fn sleep(&mut self, duration: Duration) {
        let mut interrupts = self.interrupts.clone();
        tokio::select! {
            () = self.setting.clock.sleep(duration) => {}
            // A closed channel means that nobody can ask any more.
            Ok(()) = interrupts.changed() => {}
        }
    }
}
