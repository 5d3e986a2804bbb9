//! What happens to the calls of one process, and beside them: deaths, faults, reads of the past,
//! outsiders, a machine that stands still. It also keeps the world as it is at each call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use ecs_bg::clock::Machine;
use ecs_bg_sandbox::journal::Call;
use ecs_bg_sandbox::sdk::{Interfere, Interference};
use ecs_bg_sandbox::{Cloud, Time};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Death {
    /// The call never reaches AWS.
    BeforeSend,
    /// AWS does it, and the process never knows.
    BeforeAnswer,
}

/// The world as a process leaves it that dies at a call.
pub(crate) struct Moment {
    /// The how-manieth call of the life, from 1.
    pub(crate) nth: u32,
    pub(crate) operation: String,
    /// The call has taken effect.
    pub(crate) done: bool,
    pub(crate) cloud: Cloud,
}

/// Reads are answered with the past for a while after a change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stale {
    /// After the how-manieth change of the life, from 1; `None`: after each.
    pub(crate) change: Option<u32>,
    pub(crate) lasts: Duration,
}

/// The process stands still, with the answer of a call unread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freeze {
    pub(crate) nth: u32,
    pub(crate) lasts: Duration,
    pub(crate) clocks: Clocks,
}

/// What the clocks of its machine show when it wakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clocks {
    /// The time.
    #[default]
    Right,
    /// The machine was suspended: its monotonic clock stood still.
    Suspended,
    /// Somebody set the wall clock by so many seconds.
    Set(i64),
}

/// What is to happen to one process. All members that are not set do nothing.
#[derive(Default)]
pub(crate) struct Fate {
    pub(crate) dies: Option<(u32, Death)>,
    /// One call has this fate.
    pub(crate) once: Option<(u32, Interference)>,
    /// How many calls after that one have the same fate.
    pub(crate) repeats: u32,
    /// This call and all later ones have this fate.
    pub(crate) since: Option<(u32, Interference)>,
    /// Only calls of this operation have it.
    pub(crate) only: Option<&'static str>,
    /// Operations that are denied.
    pub(crate) denied: &'static [&'static str],
    pub(crate) stale: Option<Stale>,
    pub(crate) freeze: Option<Freeze>,
    pub(crate) outsider: Option<Outsider>,
    pub(crate) interrupts: Option<tokio::sync::watch::Receiver<u32>>,
    /// Keeps a moment before and after each call.
    pub(crate) keeps: bool,
    /// Each call draws its own fate from these, in thousandths, by a generator with this seed.
    pub(crate) chances: Option<Chances>,
}

impl std::fmt::Debug for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let chances = self.chances.as_ref().map(|chances| (chances.seed, chances.per_mille));
        let mut told = f.debug_struct("Fate");
        told.field("dies", &self.dies).field("stale", &self.stale).field("chances", &chances);
        told.finish_non_exhaustive()
    }
}

/// Faults by chance.
#[derive(Clone, Debug)]
pub(crate) struct Chances {
    pub(crate) seed: u64,
    pub(crate) per_mille: u32,
    pub(crate) faults: Vec<Interference>,
}

#[derive(Default)]
struct State {
    made: u32,
    calls: BTreeMap<String, u32>,
    /// The same calls in their order.
    operations: Vec<String>,
    /// Ordinals of calls under way, by the world's number.
    under_way: BTreeMap<u64, u32>,
    /// Calls that the process dies of.
    doomed: BTreeSet<u64>,
    moments: Vec<Moment>,
    changes: u32,
    /// Until when reads see what was at that time.
    past: Option<(Time, Time)>,
    frozen_until: Option<Instant>,
    woke: bool,
    random: Option<fastrand::Rng>,
}

/// A fate that takes its course.
pub(crate) struct Course {
    fate: Fate,
    world: Arc<Mutex<Cloud>>,
    began: (Instant, Time),
    /// Where its clocks do not show the time.
    pub(crate) machine: Option<&'static Machine>,
    pub(crate) dead: Notify,
    pub(crate) froze: Notify,
    state: Mutex<State>,
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Course").finish_non_exhaustive()
    }
}

/// Somebody else with access to the account: what is done, and when, in order.
pub(crate) struct Outsider(pub(crate) Mutex<VecDeque<(When, Act)>>);

pub(crate) type Act = Box<dyn Fn(&mut Cloud) + Send>;

/// When an outsider acts: directly before a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// The first one at that time or later.
    Time(Time),
    /// The how-manieth of the life.
    Call(u32),
}

impl Course {
    /// The process begins, inside a runtime.
    pub(crate) fn begin(fate: Fate, world: Arc<Mutex<Cloud>>) -> Self {
        let now = world.lock().unwrap_or_else(PoisonError::into_inner).now();
        let wrong = fate.freeze.is_some_and(|freeze| freeze.clocks != Clocks::Right);
        let machine = wrong.then(|| &*Box::leak(Box::<Machine>::default()));
        Self {
            fate,
            world,
            began: (Instant::now(), now),
            machine,
            dead: Notify::new(),
            froze: Notify::new(),
            state: Mutex::default(),
        }
    }

    fn world(&self) -> MutexGuard<'_, Cloud> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time now, though the world may not have been told yet.
    pub(crate) fn now(&self) -> Time {
        self.began.1 + self.began.0.elapsed()
    }

    pub(crate) fn calls(&self) -> BTreeMap<String, u32> {
        self.state().calls.clone()
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.state().operations.clone()
    }

    pub(crate) fn moments(&self) -> Vec<Moment> {
        std::mem::take(&mut self.state().moments)
    }

    fn keep(&self, state: &mut State, nth: u32, call: &Call, done: bool) {
        if self.fate.keeps {
            let mut cloud = self.world().clone();
            cloud.advance(self.now());
            state.moments.push(Moment { nth, operation: call.operation.clone(), done, cloud });
        }
    }

    fn freeze(&self, state: &mut State, nth: u32) {
        if let Some(freeze) = self.fate.freeze.filter(|freeze| freeze.nth == nth) {
            state.frozen_until = Some(Instant::now() + freeze.lasts);
            self.froze.notify_one();
        }
    }

    /// It goes on: its clocks show what became of them.
    fn wake(&self) {
        let mut state = self.state();
        let over = state.frozen_until.is_some_and(|until| Instant::now() >= until);
        if !over || std::mem::replace(&mut state.woke, true) {
            return;
        }
        let (Some(machine), Some(freeze)) = (self.machine, self.fate.freeze) else { return };
        match freeze.clocks {
            Clocks::Right => {}
            Clocks::Suspended => machine.suspended.store(freeze.lasts.as_secs(), Relaxed),
            Clocks::Set(by) => machine.fast.store(by, Relaxed),
        }
    }

    fn outsider_acts(&self, nth: u32) {
        let Some(Outsider(acts)) = &self.fate.outsider else { return };
        let mut acts = acts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = |(at, _): &mut (When, Act)| match *at {
            When::Time(at) => self.now() >= at,
            When::Call(call) => nth >= call,
        };
        while let Some((_, act)) = acts.pop_front_if(is_time) {
            let mut cloud = self.world();
            cloud.advance(self.now());
            act(&mut cloud);
        }
    }

    /// A registration is denied for its tags: without them it is allowed.
    fn denial(&self, state: &State, call: &Call) -> Option<Interference> {
        let again = call.operation == "RegisterTaskDefinition" && state.calls[&call.operation] > 1;
        let denied = self.fate.denied.contains(&call.operation.as_str()) && !again;
        denied.then(|| {
            let action = match call.operation.as_str() {
                // What AWS asks of a registration with tags.
                "RegisterTaskDefinition" => "ecs:TagResource",
                operation => operation,
            };
            let message = format!(
                "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {action}"
            );
            Interference::Error { status: 400, code: "AccessDeniedException".into(), message }
        })
    }

    fn past(&self, state: &State, call: &Call) -> Option<Interference> {
        let (from, until) = state.past.filter(|_| is_read(&call.operation))?;
        let now = self.now();
        (now < until).then(|| Interference::Stale(now - from + Duration::from_millis(1)))
    }

    fn chance(&self, state: &mut State) -> Option<Interference> {
        let chances = self.fate.chances.as_ref()?;
        let random = state.random.get_or_insert_with(|| fastrand::Rng::with_seed(chances.seed));
        let hit = random.u32(0..1000) < chances.per_mille;
        hit.then(|| random.choice(&chances.faults).cloned()).flatten()
    }
}

pub(crate) fn is_read(operation: &str) -> bool {
    ["Describe", "List"].iter().any(|verb| operation.starts_with(verb))
}

impl Interfere for Course {
    fn with(&self, call: &Call) -> Interference {
        let nth = {
            let mut state = self.state();
            state.made += 1;
            state.made
        };
        self.outsider_acts(nth);
        let mut state = self.state();
        *state.calls.entry(call.operation.clone()).or_default() += 1;
        state.operations.push(call.operation.clone());
        state.under_way.insert(call.index, nth);
        self.keep(&mut state, nth, call, false);
        if let Some((_, once)) =
            self.fate.once.as_ref().filter(|(at, _)| (*at..=*at + self.fate.repeats).contains(&nth))
        {
            return once.clone();
        }
        if self.fate.freeze.is_some_and(|freeze| freeze.nth == nth) {
            // The answer is on its way when the process freezes.
            return Interference::Slow(Duration::from_millis(1));
        }
        if let Some(denial) = self.denial(&state, call) {
            return denial;
        }
        if let Some((_, since)) = self.fate.since.as_ref().filter(|(at, _)| {
            *at <= nth && self.fate.only.is_none_or(|only| only == call.operation)
        }) {
            return since.clone();
        }
        let fate = match self.fate.dies {
            Some((at, Death::BeforeSend)) if nth == at => Interference::LoseRequest,
            Some((at, Death::BeforeAnswer)) if nth == at => Interference::LoseAnswer,
            _ => {
                let fate = self.past(&state, call).or_else(|| self.chance(&mut state));
                return fate.unwrap_or(Interference::None);
            }
        };
        state.doomed.insert(call.index);
        fate
    }

    fn done(&self, call: &Call) {
        let mut state = self.state();
        if state.doomed.contains(&call.index) {
            self.dead.notify_one();
        }
        let Some(nth) = state.under_way.remove(&call.index) else { return };
        self.keep(&mut state, nth, call, true);
        self.freeze(&mut state, nth);
        if is_read(&call.operation) {
            return;
        }
        state.changes += 1;
        if let Some(stale) = self.fate.stale.filter(|s| s.change.is_none_or(|n| n == state.changes))
        {
            let now = self.now();
            state.past = Some((now, now + stale.lasts));
        }
    }
}

/// The process that has this fate: nothing of it moves while it stands still.
pub(crate) async fn living<T>(course: &Course, process: impl Future<Output = T>) -> T {
    let mut process = std::pin::pin!(process);
    let mut thaw: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
    std::future::poll_fn(|context| {
        loop {
            course.wake();
            let frozen_until = course.state().frozen_until;
            match frozen_until.filter(|until| Instant::now() < *until) {
                None => return process.as_mut().poll(context),
                Some(until) => {
                    let thaw =
                        thaw.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                    if thaw.as_mut().poll(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    })
    .await
}
