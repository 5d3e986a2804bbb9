//! The loop: observe, decide, act. The only policy for failures of calls. It never prints.

mod alarms;
pub mod backoff;
pub mod claim;
mod command;
pub mod gates;
pub mod interrupt;
pub mod log;
mod look;
mod persist;
pub mod register;
mod rollback;
mod scaling;
mod send;
pub mod task;

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use self::claim::OnConflict;
pub use self::interrupt::OnCancel;
use self::interrupt::{Interrupted, asked, or_skipped};
pub use self::look::begin_with;
pub use self::register::{Kept, deregister, register, withdraw};
pub use self::rollback::RECORD_WAIT;
use crate::aws::{Aws, Pair};
use crate::clock::Clock;
use crate::error::Failure;
use crate::event::{Cause, Event, Kind, Then, WaitReason, Warning};
use crate::model::arn::short;
use crate::model::reads::{Answered, Moment, Part};
use crate::model::world::World;
use crate::record::{Closed, End, Reason, Record, Released};
use crate::request::Request;
use crate::request::before::Preparation;
use crate::request::gates::Gates;
use crate::route::watch::Watch;
use crate::route::{Action, Next, Outcome, Trouble, View, decide, engine};

/// A change is sent only on a world that is younger than this.
const FRESH: Duration = Duration::from_secs(10);

/// Weights on the way back go out for this long after the record was last read to be ours.
const OWNER_UNANSWERED: Duration = Duration::from_secs(60);
/// A wait or a call that takes so much longer than was asked for: the process may have stood still.
const FROZEN: Duration = Duration::from_secs(10);
/// Looks or changes that may fail one after the other.
const FAILURES_MAX: u32 = 20;

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// What became of it.
    pub outcome: Outcome,
    /// The record as it is now.
    pub record: Record,
    /// The record is kept in tags, where another process finds it.
    pub recorded: bool,
    /// The last look.
    pub world: World,
    /// What was seen.
    pub watch: Watch,
    /// The user asked us to stop.
    pub interrupted: bool,
    /// AWS refused the very first change of a service or a rule: nothing was changed.
    pub refused: Option<Failure>,
}

/// What a run needs beside its record.
#[derive(Clone)]
pub struct Setting<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// Time.
    pub clock: Clock,
    /// The cluster, as the user named it.
    pub cluster: String,
    /// How often the user has asked us to stop.
    pub interrupts: watch::Receiver<u32>,
    /// What the first time means.
    pub on_cancel: OnCancel,
    /// What this process is called where it owns a deployment.
    pub owner: String,
    /// What to do while another process drives a deployment of the services.
    pub on_conflict: OnConflict,
    /// A person asked for this very deployment: its age does not matter.
    pub by_name: bool,
    /// What to do about a new version that is no good.
    pub on_trouble: OnTrouble,
    /// Where the rules do not show what the record says, to go on from what they show at first.
    pub accept_drift: bool,
    /// On the way back, to give the old side its traffic as soon as one target of it is healthy.
    pub now: bool,
    /// Another deployment waits: one that serves already is not watched any longer.
    pub finishes: bool,
    /// How long each of the two phases of a rolling deployment may take, where that is limited.
    pub phase: Option<Duration>,
    /// What this process is, for people: a CI run or `user@host`.
    pub by: String,
    /// What runs before anything serves, where this process can start it.
    pub prepare: Option<Preparation>,
    /// Alarms that roll the deployment back when they go off.
    pub alarms: Vec<String>,
    /// What judges the new version while it has traffic.
    pub gates: Gates,
}

impl Setting<'_> {
    /// The same with what judges the deployment of a request, and what runs before it.
    pub fn judged_by(&self, request: &Request) -> Self {
        Self {
            prepare: request.prepare.clone(),
            alarms: request.alarms.clone(),
            gates: request.gates.clone(),
            ..self.clone()
        }
    }

    /// The same without them: for a deployment of another request.
    pub fn unjudged(&self) -> Self {
        Self { prepare: None, alarms: vec![], gates: Gates::default(), ..self.clone() }
    }

    /// One event of now.
    pub fn tell(&self, emit: &mut dyn FnMut(Event), kind: Kind) {
        emit(Event { at: self.clock.now(), kind });
    }
}

/// What to do about a new version that is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrouble {
    /// Put the old one back.
    TurnBack,
    /// Say so, and leave things as they are.
    Leave,
}

/// Drives a deployment to its end. `world` was looked at from the moment `looked` on.
pub async fn run(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    kept: Kept,
    looked: Moment,
    emit: &mut dyn FnMut(Event),
) -> Finished {
    let pair = Pair::of(&setting.cluster, &record);
    let mut world = begin_with(&record, world);
    world.answered = surveyed(&world, Moment { aws: world.at, ..looked });
    let mut watch = Watch::new(world.at);
    let young = engine(record.engine()).young;
    let woke = looked.age(&setting.clock.moment(world.at)) >= young;
    let view = View { record: &record, watch: &watch, world: &world };
    let accepts = setting.accept_drift || view.has_succeeded();
    let accepted = accepts.then(|| watch.accept(&record, &world)).flatten();
    if let Some(accepted) = accepted.as_ref().filter(|accepted| accepted.forward()) {
        setting.tell(emit, Kind::Warning(Warning::GoingOnFrom { share: accepted.to }));
    }
    let mut record = accepted.unwrap_or(record);
    if setting.finishes {
        record.bake = Duration::ZERO;
    }
    let green = world.service(&record.green);
    watch.phase = setting.phase;
    watch.now = setting.now;
    watch.prepares = setting.prepare.is_some();
    watch.gates = gates::known(&setting.gates);
    watch.before = green.into_iter().flat_map(|g| &g.deployments).map(|d| d.id.clone()).collect();
    let mut run = Run {
        setting,
        pair,
        said: (None, setting.clock.now()),
        record,
        world,
        watch,
        recorded: kept != Kept::Memory,
        unwritten: kept == Kept::OlderTags,
        failed: 0,
        blinded: None,
        unwritable: 0,
        decided: false,
        scaling_unread: (0, None),
        fresh: kept == Kept::Tags || kept == Kept::Memory,
        alarms_read: None,
        gates: gates::Running::default(),
        told_news: false,
        sent: Vec::new(),
        missed: 0,
        late: 0,
        wrote: looked,
        owner_known: None,
        woke,
        changed: false,
        touched: kept == Kept::OlderTags,
        refused: None,
        heard: 0,
        interrupts: setting.interrupts.clone(),
        emit,
    };
    // The loop hears the first request to stop in its waits; a second one ends it wherever it is.
    let outcome = tokio::select! {
        biased;
        _ = asked(&setting.interrupts, 2) => Outcome::Stopped,
        outcome = run.drive() => outcome,
    };
    let released = match outcome {
        Outcome::Stuck(_) => Some(Released::Stuck),
        Outcome::Drifted(_) => Some(Released::Drifted),
        Outcome::Superseded(_) => Some(Released::Superseded),
        _ => None,
    };
    if let Some(released) = released {
        let _ = or_skipped(&setting.interrupts, run.release(released)).await;
    }
    Finished {
        interrupted: run.heard > 0 || outcome == Outcome::Stopped,
        outcome,
        record: run.record,
        recorded: run.recorded,
        world: run.world,
        watch: run.watch,
        refused: run.refused,
    }
}

/// A survey is a look at everything but the owner and the tasks.
fn surveyed(world: &World, at: Moment) -> Answered {
    let parts = [Part::Services, Part::Settings, Part::Rules, Part::Listing];
    let health = world.health.keys().cloned().map(Part::Health);
    parts.into_iter().chain(health).map(|part| (part, at)).collect()
}

struct Run<'a> {
    setting: &'a Setting<'a>,
    pair: Pair,
    record: Record,
    world: World,
    watch: Watch,
    /// The record is kept in tags.
    recorded: bool,
    /// The record in tags is older than ours.
    unwritten: bool,
    /// How often weights waited in vain for it to be written.
    unwritable: u32,
    /// A check has failed, and was decided on.
    decided: bool,
    /// What was said last while waiting, and when.
    said: (Option<(&'static str, WaitReason)>, SystemTime),
    /// Calls that failed one after the other.
    failed: u32,
    /// How the last read did that was said to have failed.
    blinded: Option<Failure>,
    /// Readings of the scalable targets that failed one after the other, and how the last one did.
    scaling_unread: (u32, Option<Failure>),
    /// What the engine has to tell once was told.
    told_news: bool,
    /// This process began the deployment.
    fresh: bool,
    /// When the alarms were read last.
    alarms_read: Option<SystemTime>,
    /// The gates that run now.
    gates: gates::Running,
    /// Changes that were sent and not yet missed by a look.
    sent: Vec<Action>,
    /// How often one after the other a change had no effect that could be seen.
    missed: u32,
    /// When the record was written last, or that was tried.
    wrote: Moment,
    /// When the record was last read to be ours.
    owner_known: Option<Moment>,
    /// Looks one after the other after which a change was still not ready.
    late: u32,
    /// This process may have stood still, and has not looked at everything since.
    woke: bool,
    /// Nothing was looked at since.
    changed: bool,
    /// A service or a rule was changed, or may have been.
    touched: bool,
    /// AWS refused the first change.
    refused: Option<Failure>,
    /// How many requests to stop were heeded.
    heard: u32,
    interrupts: watch::Receiver<u32>,
    emit: &'a mut dyn FnMut(Event),
}

impl Run<'_> {
    async fn drive(&mut self) -> Outcome {
        let mut went_back: Option<Trouble> = None;
        loop {
            self.see();
            if let Some(outcome) = self.taken_over() {
                return outcome;
            }
            self.heartbeat().await;
            self.read_alarms().await;
            self.judge();
            match self.handle_interrupt() {
                Some(Interrupted::End(outcome)) => return outcome,
                Some(Interrupted::Back(trouble)) => {
                    self.turn_back(&trouble).await;
                    went_back = Some(trouble);
                    continue;
                }
                None => {}
            }
            let (step, next) =
                decide(&View { record: &self.record, watch: &self.watch, world: &self.world });
            let ended = match next {
                Next::Done(Outcome::WentBack(None)) => return self.gone_back(went_back),
                // Both sides have their reasons.
                Next::Done(Outcome::Stuck(old)) if self.record.closed.is_some() => {
                    return Outcome::Stuck(match went_back {
                        Some(new) => Cause::Both { new: Box::new(new.cause), old: Box::new(old) },
                        None => old,
                    });
                }
                Next::Done(outcome) => return outcome,
                Next::TurnBack(trouble) if self.leaves_it() => {
                    let closed = Some(Closed { end: End::Left, at: self.world.at });
                    self.write(Record { closed, ..self.record.clone() }).await;
                    return Outcome::Left(trouble);
                }
                Next::TurnBack(trouble) => {
                    self.turn_back(&trouble).await;
                    went_back = Some(trouble);
                    None
                }
                Next::Wait(wait) => self.wait(step, wait).await,
                Next::Act(action) => self.act(step, action).await,
            };
            match ended {
                None => {}
                // Both sides run; what serves is not put at risk for that.
                Some(Stop::Refused(error)) if self.leaves_scaling(&error) => {
                    return self.scaling_left(error);
                }
                Some(Stop::Refused(error)) if self.record.forward() && !self.touched => {
                    let cause = Cause::Aws(error.clone());
                    let trouble = Trouble { reason: Reason::Refused, cause };
                    self.refused = Some(error);
                    return Outcome::WentBack(Some(trouble));
                }
                // AWS refuses what the way forward needs.
                Some(Stop::Refused(error)) if self.can_turn_back() && !self.only_retires() => {
                    let trouble = Trouble { reason: Reason::Refused, cause: Cause::Aws(error) };
                    self.turn_back(&trouble).await;
                    went_back = Some(trouble);
                }
                // Nobody leaves users on what nobody can look at, as long as rules can be written.
                Some(Stop::Blind(error)) if self.can_turn_back() && !self.leaves_it() => {
                    let trouble = Trouble { reason: Reason::Blind, cause: Cause::Aws(error) };
                    self.turn_back(&trouble).await;
                    went_back = Some(trouble);
                }
                Some(Stop::Refused(error) | Stop::Blind(error)) => {
                    return Outcome::Stuck(Cause::Aws(error));
                }
            }
        }
    }

    /// Whether there is a way back. One that was given up leads back no more.
    pub(super) fn can_turn_back(&self) -> bool {
        self.record.forward() && self.watch.given_up.is_none()
    }

    /// Whether what is no good is left as it is. What ECS put back by itself is awaited.
    fn leaves_it(&self) -> bool {
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        self.setting.on_trouble == OnTrouble::Leave && view.ours().is_some()
    }

    /// Whether the old side is only to be stopped, and nothing is to be done about the other one.
    fn only_retires(&self) -> bool {
        self.record.twin().is_some() && self.leaves_it()
    }

    /// The old version serves; unless somebody has put another one in its place.
    fn gone_back(&self, trouble: Option<Trouble>) -> Outcome {
        match (engine(self.record.engine()).replaced)(&self.view()) {
            Some(by) => Outcome::Superseded(by),
            None => Outcome::WentBack(trouble),
        }
    }

    fn tell(&mut self, kind: Kind) {
        (self.emit)(Event { at: self.setting.clock.now(), kind });
    }

    fn warn(&mut self, failure: Failure, then: Then) {
        self.tell(Kind::Warning(Warning::CallFailed { failure, then }));
    }

    fn see(&mut self) {
        let (before, old_before) = (self.watch.failures.len(), self.watch.old_failures.len());
        self.watch.see(&self.record, &self.world);
        let new: Vec<_> = self.watch.failures[before..].to_vec();
        let old: Vec<_> = self.watch.old_failures[old_before..].to_vec();
        self.tell_the_news();
        for failure in new {
            self.tell(Kind::TaskFailed { old: None, failure });
        }
        // On the way forward that is nothing new.
        for failure in old {
            if self.record.forward() {
                break;
            }
            let old = Some(short(&self.record.from).to_owned());
            self.tell(Kind::TaskFailed { old, failure });
        }
    }

    /// What is told once.
    fn tell_the_news(&mut self) {
        if self.told_news {
            return;
        }
        if let Some(news) = (engine(self.record.engine()).news)(&self.view()) {
            self.told_news = true;
            self.tell(news);
        }
    }
}

/// Why the loop cannot go on.
enum Stop {
    /// AWS refuses a change.
    Refused(Failure),
    /// AWS cannot be read.
    Blind(Failure),
}

/// Names a process or a deployment.
pub fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
