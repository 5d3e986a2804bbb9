//! What is due when. Things due at the same moment happen in the order in which they were set.
//! It knows nothing about what the due things do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::logs::Written;
use crate::clock::Time;

/// Something that happens by itself in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Due {
    /// A task goes on to its next state, if it still is at this turn of its life.
    Task { task: String, turn: u32 },
    /// A container exits by itself.
    Exit { task: String, container: usize },
    /// A container was waited for as long as others do.
    Awaited { task: String },
    /// A deleted task definition goes, unless it is in use.
    Deleted { definition: String },
    /// A container's own health check runs.
    ContainerCheck { task: String, container: usize },
    /// A container writes a line of its log.
    Line { task: String, container: usize, line: usize },
    /// What a container wrote can be read.
    Logged(Written),
    /// A stopped task is no longer shown.
    Forget { task: String },
    /// The service scheduler looks at a service.
    Schedule { service: String },
    /// The load balancer checks a target, if it still is the same registration.
    Check { group: String, target: String, registration: u64 },
    /// A target's deregistration delay has passed.
    Drained { group: String, target: String, registration: u64 },
    /// One node of a load balancer learns a rule's weights, if they still are the latest it was told.
    Propagated { rule: String, node: usize, version: u64 },
    /// Application Auto Scaling looks at the metrics of a target.
    Scale { target: String },
    /// The time of a scheduled action has come, if it still is the one of that ARN and that time.
    Scheduled { target: String, action: String, schedule: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Timer {
    pub(crate) region: String,
    pub(crate) due: Due,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(Time, u64, Timer)>", into = "Vec<(Time, u64, Timer)>")]
pub(crate) struct Timers {
    queue: BTreeMap<(Time, u64), Timer>,
    set: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Time, timer: Timer) {
        self.set += 1;
        self.queue.insert((at, self.set), timer);
    }

    /// Whether this is due at that moment already.
    pub(crate) fn has(&self, at: Time, timer: &Timer) -> bool {
        self.queue.range((at, 0)..=(at, u64::MAX)).any(|(_, one)| one == timer)
    }

    /// The next timer that is due at `now` or before.
    pub(crate) fn pop(&mut self, now: Time) -> Option<(Time, Timer)> {
        let first = self.queue.first_entry()?;
        let at = first.key().0;
        (at <= now).then(|| (at, first.remove()))
    }
}

impl From<Vec<(Time, u64, Timer)>> for Timers {
    fn from(list: Vec<(Time, u64, Timer)>) -> Timers {
        let set = list.iter().map(|(_, seq, _)| *seq).max().unwrap_or(0);
        Timers { queue: list.into_iter().map(|(at, seq, timer)| ((at, seq), timer)).collect(), set }
    }
}

impl From<Timers> for Vec<(Time, u64, Timer)> {
    fn from(timers: Timers) -> Self {
        timers.queue.into_iter().map(|((at, seq), timer)| (at, seq, timer)).collect()
    }
}
