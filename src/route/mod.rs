//! The decision: given what is to be, what was seen and what is, what comes next. Pure: no clock, no
//! I/O. There is no program counter: a deployment is at the first step of its route that does not
//! hold yet, so going on after a crash is running it again.

mod accept;
pub mod listener;
mod prepare;
pub mod rolling;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod view;

use std::time::Duration;

pub use trouble::Trouble;
pub use view::{View, group_pairs};

use crate::record::{End, Engine, Record};
use crate::world::Look;

/// Something that must hold. A route is a list of steps.
pub struct Step {
    /// The name that users see.
    pub name: &'static str,
    /// `None` when it holds.
    pub next: fn(&View<'_>) -> Option<Next>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Next {
    /// One change.
    Act(Action),
    /// Nothing to do but to look again.
    Wait(Wait),
    /// Things are not well on the way forward. Decide again, on the way back.
    TurnBack(Trouble),
    /// It is over, or not ours any more.
    Done(Outcome),
}

/// Waiting, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// What is missing, for the user.
    pub why: String,
    /// When the next look is due.
    pub look_in: Duration,
    /// How much it takes in.
    pub look: Look,
}

/// One absolute change; one action is one AWS call.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// `service` is on `revision` with `count` tasks.
    Launch {
        /// The service's name.
        service: String,
        /// The revision's ARN.
        revision: String,
        /// Tasks wanted.
        count: u32,
    },
    /// `service` wants `count` tasks.
    Count {
        /// The service's name.
        service: String,
        /// Tasks wanted.
        count: u32,
    },
    /// ECS replaces the tasks of `service` with tasks of `revision`; the rest where it is asked for.
    Roll {
        /// The service's name.
        service: String,
        /// The revision's ARN.
        revision: String,
        /// Tasks wanted.
        count: Option<u32>,
        /// `minimumHealthyPercent`.
        min_healthy: Option<u32>,
        /// `maximumPercent`.
        max_percent: Option<u32>,
        /// Also when it is on that revision already.
        force: bool,
    },
    /// The rule has these actions.
    Weigh {
        /// The rule's ARN.
        rule: String,
        /// The whole action list.
        actions: Vec<(String, String)>,
    },
    /// The task that must succeed before anything serves is started.
    Prepare,
    /// It is stopped.
    Stop {
        /// Its ARN.
        task: String,
    },
    /// The record says this.
    Write(Box<Record>),
}

impl Action {
    /// How much of the world must have been looked at for this change.
    pub fn needs(&self) -> Look {
        match self {
            // The sides that are shrunk are looked at directly before, with every rule.
            Self::Count { count: 0, .. } => Look::Listing,
            Self::Write(_) if self.closes() => Look::Listing,
            Self::Stop { .. } => Look::Glance,
            _ => Look::Whole,
        }
    }

    /// Whether it says that the deployment is over.
    pub fn closes(&self) -> bool {
        matches!(self, Self::Write(record) if record.closed.is_some())
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new revision serves, everywhere, at full count.
    Live,
    /// The old one serves, everywhere, at full count. `None`: turned back by an earlier process.
    WentBack(Option<Trouble>),
    /// The new one is no good, and was left as it is.
    Left(Trouble),
    /// A person must look.
    Stuck(String),
    /// A rule shows what this deployment did not write, for a person to judge.
    Drifted(String),
    /// Another deployment has taken over.
    Superseded(String),
    /// Stopped at once, at the user's second request.
    Stopped,
}

impl Outcome {
    /// Exit codes say what serves now.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Live => 0,
            Self::WentBack(_) => 1,
            Self::Left(_) | Self::Stuck(_) | Self::Drifted(_) => 4,
            Self::Superseded(_) => 5,
            Self::Stopped => 130,
        }
    }

    /// The code that JSON shows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::WentBack(_) => "went-back",
            Self::Left(_) => "left",
            Self::Stuck(_) => "stuck",
            Self::Drifted(_) => "drifted",
            Self::Superseded(_) => "superseded",
            Self::Stopped => "stopped",
        }
    }
}

/// Who else put the side that the new revision comes up in on another one, where somebody did.
pub fn superseded(view: &View<'_>) -> Option<String> {
    match view.record.engine() {
        Engine::Listener => listener::superseded(view),
        Engine::Rolling => rolling::superseded(view),
    }
}

/// What comes next, and in which step.
pub fn decide(view: &View<'_>) -> (&'static str, Next) {
    if let Some(closed) = view.record.closed {
        let outcome = match closed.end {
            End::Live => Outcome::Live,
            End::WentBack => Outcome::WentBack(None),
            End::Left => Outcome::Superseded("it was left as it was".into()),
        };
        return ("close", Next::Done(outcome));
    }
    let engine = view.record.engine();
    let first = match engine {
        Engine::Listener => listener::before_every_step(view),
        Engine::Rolling => rolling::before_every_step(view),
    };
    if let Some(next) = first {
        return ("check", next);
    }
    let (table, end) = match (engine, view.record.forward()) {
        (Engine::Listener, true) => (listener::FORWARD, End::Live),
        (Engine::Listener, false) => (listener::BACK, End::WentBack),
        (Engine::Rolling, true) => (rolling::FORWARD, End::Live),
        (Engine::Rolling, false) => (rolling::BACK, End::WentBack),
    };
    table
        .iter()
        .find_map(|step| Some((step.name, (step.next)(view)?)))
        .unwrap_or_else(|| ("close", Next::Act(Action::Write(Box::new(view.closed(end))))))
}
