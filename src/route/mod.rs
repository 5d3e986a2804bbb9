//! The decision: given what is to be, what was seen and what is, what comes next. Pure: no clock, no
//! I/O. There is no program counter: a deployment is at the first step of its route that does not
//! hold yet, so going on after a crash is running it again.

mod accept;
mod action;
pub mod alarms;
pub mod configuration;
mod engine;
pub mod gates;
pub mod listener;
pub mod native;
pub mod pace;
mod prepare;
pub mod rolling;
mod scaling;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod view;
pub mod watch;

use std::time::Duration;

pub use action::Action;
pub use engine::{Engine, Occasion, engine};
pub use trouble::Trouble;
pub use view::{View, group_pairs, shifted};

use crate::event::{Cause, Sight, WaitReason};
use crate::model::world::Look;
use crate::record::{End, Heading};

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
    /// What is missing.
    pub why: WaitReason,
    /// When the next look is due.
    pub look_in: Duration,
    /// How much it takes in.
    pub look: Look,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The new revision serves, everywhere, at full count.
    Live,
    /// The old one serves, everywhere, at full count. `None`: turned back by an earlier process.
    WentBack(Option<Trouble>),
    /// The new one failed, and was left as it is.
    Left(Trouble),
    /// A person must look.
    Stuck(Cause),
    /// A rule shows what this deployment did not write, for a person to judge.
    Drifted(Sight),
    /// Another deployment or process has taken over.
    Superseded(Cause),
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

/// Who else put the side that the new revision starts in on another one, where somebody did.
pub fn superseded(view: &View<'_>) -> Option<Cause> {
    (view.engine().superseded)(view)
}

/// What comes next, and in which step.
pub fn decide(view: &View<'_>) -> (&'static str, Next) {
    if let Some(closed) = view.record.closed {
        let outcome = match closed.end {
            End::Live => view.watch.given_up.clone().map_or(Outcome::Live, Outcome::Stuck),
            End::WentBack => Outcome::WentBack(None),
            End::Neither => Outcome::Stuck(view.neither()),
            End::Overtaken => Outcome::Superseded(Cause::Replaced),
            End::Left => Outcome::Superseded(Cause::LeftBefore),
            End::Short => {
                let few = native::shortage(view).or_else(|| rolling::shortfall(view));
                Outcome::Stuck(few.unwrap_or_else(|| Cause::FewerTasks {
                    revision: view.record.name().to_owned(),
                }))
            }
        };
        return ("close", Next::Done(outcome));
    }
    let engine = view.engine();
    if let Some(next) = (engine.first)(view) {
        return ("check", next);
    }
    let back = if view.old_never_ran() { End::Neither } else { End::WentBack };
    let (table, end) = match &view.record.heading {
        Heading::Forward => (engine.forward, End::Live),
        Heading::Back(_) => (engine.back, back),
        Heading::Overtaken => (engine.overtaken, End::Overtaken),
    };
    table
        .iter()
        .find_map(|step| Some((step.name, (step.next)(view)?)))
        .unwrap_or_else(|| ("close", Next::Act(Action::Write(Box::new(view.closed(end))))))
}
