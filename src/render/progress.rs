//! What the events of one deployment have said so far, phase by phase. `live` and `github` read it; it prints
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{lines, words};
use crate::event::{Change, Kind, Location, WaitReason};
use crate::model::arn::short;
use crate::request::EngineName;

/// A part of a deployment, as people see it. A step of a route belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Register,
    Before,
    Start,
    Health,
    Traffic,
    Bake,
    Retire,
    Verify,
    RollBack,
    /// Anything else: a setup, a one-off task, another process's deployment.
    Other(&'static str),
}

impl Phase {
    /// Of a step on the way forward.
    pub(super) fn of(step: &'static str) -> Self {
        match step {
            "prepare" => Self::Before,
            "attach" | "freeze" | "launch" | "update" => Self::Start,
            "settle" => Self::Health,
            "scale" | "prove" | "shift" => Self::Traffic,
            "bake" => Self::Bake,
            "follow" | "arm" | "retire" => Self::Retire,
            "verify" | "tidy" => Self::Verify,
            other => Self::Other(other),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Before => "before",
            Self::Start => "start",
            Self::Health => "health",
            Self::Traffic => "traffic",
            Self::Bake => "bake",
            Self::Retire => "retire",
            Self::Verify => "verify",
            Self::RollBack => "roll back",
            Self::Other(step) => step,
        }
    }
}

/// A phase, from when to when, and what was said in it.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) phase: Phase,
    pub(super) begun: Duration,
    /// When the next one began, or the end came.
    pub(super) over: Option<Duration>,
    /// Changes, in words.
    pub(super) changes: Vec<String>,
    /// What was waited for last.
    pub(super) waits: Option<WaitReason>,
    /// Something failed in it.
    pub(super) failed: bool,
}

impl Stretch {
    /// What the phase came to, in words: what was waited for, once it is there, else what is still missing.
    pub(super) fn came_to(&self) -> Option<String> {
        let waits = self.waits.as_ref()?;
        match self.over.is_some() && !self.failed {
            true => words::reached(waits),
            false => Some(words::wait(waits)),
        }
    }
}

/// What the events have said so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) location: Option<Location>,
    /// `web:43`
    pub(super) deployment: Option<String>,
    pub(super) engine: Option<EngineName>,
    /// The ARN of the revision that is deployed.
    pub(super) arn: Option<String>,
    /// The ARN of the one that served before.
    pub(super) previous: Option<String>,
    /// By container: the image that is replaced, where it is known, and the new one.
    pub(super) images: BTreeMap<String, (Option<String>, String)>,
    /// The shares of target groups, or of revisions, in percent, where the traffic is being shifted.
    pub(super) shares: Vec<(String, f64)>,
    pub(super) stretches: Vec<Stretch>,
    pub(super) rolls_back: bool,
    /// Tasks that failed, in words.
    pub(super) failures: usize,
}

impl Progress {
    /// Takes an event in. `true`: another phase begins with it.
    pub(super) fn take(&mut self, kind: &Kind, elapsed: Duration) -> bool {
        match kind {
            Kind::Location(location) => self.location = Some(location.clone()),
            Kind::Begun { deployment, arn, from, engine, .. } => {
                self.deployment = Some(deployment.clone());
                (self.arn, self.previous) = (Some(arn.clone()), Some(from.clone()));
                self.engine = Some(*engine);
            }
            Kind::Registered { arn, current, images, replaced, .. } => {
                self.deployment = Some(short(arn).to_owned());
                self.arn = Some(arn.clone());
                self.previous.get_or_insert(current.clone());
                let image = |(container, image): (&String, &String)| {
                    (container.clone(), (replaced.get(container).cloned(), image.clone()))
                };
                self.images = images.iter().map(image).collect();
                let begins = self.enter(Phase::Register, elapsed);
                self.say(lines::what(kind));
                return begins;
            }
            Kind::Changed { step, change } => {
                // What tests see is not what users get.
                if let (Change::Weights { weights, .. }, true) = (change, *step != "prove") {
                    let all = weights.iter().map(|one| one.weight).sum::<u32>().max(1);
                    let percent = |weight: u32| f64::from(weight) * 100.0 / f64::from(all);
                    let share =
                        |one: &crate::event::Weight| (one.group.clone(), percent(one.weight));
                    self.shares = weights.iter().map(share).collect();
                }
                let begins = self.enter(self.phase(step), elapsed);
                self.say(words::change(change));
                return begins;
            }
            Kind::Waiting { step, why } => {
                if let WaitReason::Stage { production_per_mille, .. } = why {
                    let new = f64::from(*production_per_mille) / 10.0;
                    let name = |arn: &Option<String>, other: &str| {
                        arn.as_deref().map_or(other, short).to_owned()
                    };
                    let (old, green) = (name(&self.previous, "old"), name(&self.arn, "new"));
                    self.shares = vec![(old, 100.0 - new), (green, new)];
                }
                let begins = self.enter(self.phase(step), elapsed);
                if let Some(stretch) = self.stretches.last_mut() {
                    stretch.waits = Some(why.clone());
                }
                return begins;
            }
            Kind::Runs { .. } => {
                let begins = self.enter(self.phase("settle"), elapsed);
                self.say(lines::what(kind));
                return begins;
            }
            Kind::TaskFailed { .. } => {
                self.failures += 1;
                self.fail();
            }
            Kind::RollingBack { to, .. } => {
                self.previous.get_or_insert(to.clone());
                self.rolls_back = true;
                self.fail();
                return self.enter(Phase::RollBack, elapsed);
            }
            Kind::Outcome(_) => {
                if let Some(last) = self.stretches.last_mut() {
                    last.over.get_or_insert(elapsed);
                }
            }
            Kind::Pruned { .. } | Kind::Logged { .. } | Kind::Warning(_) => {}
        }
        false
    }

    /// What is waited for now.
    pub(super) fn waits(&self) -> Option<&WaitReason> {
        self.stretches.last()?.waits.as_ref()
    }

    /// A text without the registry of the account and region, which the location names.
    pub(super) fn brief(&self, text: &str) -> String {
        let registry = self.location.as_ref().and_then(lines::registry);
        registry.map_or(text.to_owned(), |own| text.replace(&own, ""))
    }

    fn phase(&self, step: &'static str) -> Phase {
        if self.rolls_back { Phase::RollBack } else { Phase::of(step) }
    }

    fn enter(&mut self, phase: Phase, elapsed: Duration) -> bool {
        let last = self.stretches.last_mut();
        if last.as_ref().is_some_and(|last| last.phase == phase && last.over.is_none()) {
            return false;
        }
        if let Some(last) = last {
            last.over.get_or_insert(elapsed);
        }
        let (changes, waits, over) = (vec![], None, None);
        self.stretches.push(Stretch { phase, begun: elapsed, over, changes, waits, failed: false });
        true
    }

    fn say(&mut self, what: String) {
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.changes.push(what);
            // What was waited for before has come.
            stretch.waits = None;
        }
    }

    fn fail(&mut self) {
        if let Some(stretch) = self.stretches.last_mut() {
            stretch.failed = true;
        }
    }
}
