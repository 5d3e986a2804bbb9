//! Observes: what each look takes in, and what becomes of one that failed.

use std::time::Duration;

use super::backoff::{LOOK_TWICE, SILENCE};
use super::{FAILURES_MAX, FRESH, FROZEN, Run, Stop};
use crate::aws::{PART_MAX, Reads};
use crate::call::Call;
use crate::error::{Failure, FailureKind};
use crate::event::{Kind, Then};
use crate::model::reads::{Moment, Part};
use crate::model::world::{Look, World};
use crate::record::Record;
use crate::route::{Occasion, View, Wait, engine, native};

/// Whether what failed was to tell of tasks.
fn is_about_tasks(error: &Failure) -> bool {
    let calls = [Call::ListTasks, Call::DescribeTasks, Call::DescribeContainerInstances];
    error.call.is_some_and(|call| calls.contains(&call))
}

/// What of a survey a deployment begins with.
pub fn begin_with(record: &Record, mut world: World) -> World {
    (engine(record.engine()).begin)(&mut world);
    world
}

impl Run<'_> {
    /// Waits, then looks.
    pub(super) async fn wait(&mut self, step: &'static str, wait: Wait) -> Option<Stop> {
        self.missed = 0;
        let now = self.setting.clock.now();
        let silent = now.duration_since(self.said.1).unwrap_or_default();
        // What only counts down is not news each time.
        let gist = Some((step, wait.why.gist()));
        let news = gist != self.said.0 || silent >= SILENCE;
        if news && !wait.look_in.is_zero() {
            self.said = (gist, now);
            self.tell(Kind::Waiting { step, why: wait.why });
        }
        let engine = engine(self.record.engine());
        let first = if self.changed { engine.first_look } else { Duration::MAX };
        self.sleep(wait.look_in.min(first)).await;
        let failed =
            self.record.forward() && self.watch.gates.failed().is_some() && !self.serves_alone().1;
        // What a check found is decided on at once; where that decides nothing, a look does.
        let is_known = std::mem::replace(&mut self.decided, failed);
        if failed && !is_known {
            return None;
        }
        if let Some(stop) = self.look(wait.look).await {
            return Some(stop);
        }
        if (engine.looks_again)(&self.view()) {
            return self.look(wait.look).await;
        }
        let is_unread = self.record.scaling.is_some() && self.world.scalable.is_none();
        self.scaling_error().filter(|_| is_unread).map(Stop::Refused)
    }

    /// What a look takes in.
    pub(super) fn reads(&self, look: Look) -> Reads<'_> {
        let (engine, view) = (engine(self.record.engine()), self.view());
        let unexplained = self.watch.wants_tasks(&self.record, &self.world);
        let now = self.setting.clock.moment(self.world.at);
        let since_targets = self.world.targets_answered().map_or(Duration::MAX, |at| at.age(&now));
        let ages = self.world.answered.values().map(|at| at.age(&now));
        let since_look = ages.min().unwrap_or_default();
        let occasion = Occasion { look, unexplained, since_targets, since_look };
        let mut parts = (engine.parts)(look);
        parts.extend((engine.reads)(&view, &occasion));
        if look > Look::Glance {
            parts.extend(self.world.target_parts(self.world.services.values()));
        }
        if look > Look::Glance && self.record.scaling.is_some() {
            parts.push(Part::Scaling);
        }
        if self.recorded && (look > Look::Glance || self.heartbeat_is_due()) {
            parts.push(Part::Owner);
        }
        if self.record.is_preparing() {
            parts.push(Part::Prepare);
        }
        if self.watch.wants_old_tasks(&self.record, &self.world) {
            parts.push(Part::Stopped(self.record.blue.clone()));
        }
        let tasks = |part: &Part| matches!(part, Part::Tasks(_) | Part::Stopped(_) | Part::Prepare);
        parts.retain(|part| !self.watch.tasks_denied || !tasks(part));
        let followed = native::current(&view).map(|own| own.arn.clone());
        Reads { followed, ..Reads::of(look, parts).for_record(&self.record) }
    }

    /// Whether the last look took in why tasks stopped.
    pub(super) fn is_explained(&self) -> bool {
        self.world.answered.keys().any(|part| matches!(part, Part::Stopped(_)))
    }

    /// Nothing rests on what was read of a part before it is read again.
    pub(super) fn forget(&mut self, part: &Part) {
        self.world = self.world.clone().forget(part);
    }

    pub(super) fn view(&self) -> View<'_> {
        View { record: &self.record, watch: &self.watch, world: &self.world }
    }

    pub(super) async fn look(&mut self, look: Look) -> Option<Stop> {
        self.look_at(look, None).await
    }

    /// Reads only some parts of a look.
    pub(super) async fn look_only(&mut self, look: Look, parts: &[Part]) -> Option<Stop> {
        self.look_at(look, Some(parts)).await
    }

    /// After this process may have stood still it looks at everything, and at whose the deployment is,
    /// before anything is decided. The time in which it did not watch counts for nothing.
    async fn look_at(&mut self, look: Look, only: Option<&[Part]>) -> Option<Stop> {
        if !self.woke {
            let stop = self.look_once(look, only).await;
            if stop.is_some() || !self.woke {
                return stop;
            }
        }
        self.woke = false;
        let stop = self.look_once(Look::Listing, None).await;
        self.watch.go_on(self.world.at);
        self.woke |= self.recorded && self.age(&Part::Owner) >= FRESH;
        stop
    }

    async fn look_once(&mut self, look: Look, only: Option<&[Part]>) -> Option<Stop> {
        let look = look.min(engine(self.record.engine()).widest);
        let mut reads = self.reads(look);
        if let Some(only) = only {
            let owner = only.contains(&Part::Owner) && !reads.parts.contains(&Part::Owner);
            reads.parts.extend((self.recorded && owner).then_some(Part::Owner));
            reads = reads.only(only);
        }
        let begin = self.setting.clock.moment(self.world.at);
        let mut interrupts = self.interrupts.clone();
        let (world, failed) = tokio::select! {
            looked = self.setting.aws.look_at(&self.pair, &reads, &self.world) => looked,
            // Whoever asks us to stop is not kept waiting by an answer that does not come.
            Ok(()) = interrupts.changed() => return None,
        };
        let parts = reads.parts;
        self.world = world;
        self.notice_freeze(begin, PART_MAX);
        let answered =
            |part: &Part| parts.contains(part) && !failed.iter().any(|(failed, _)| failed == part);
        if answered(&Part::Owner) {
            // A record that somebody made unreadable is still ours: our copy outranks it.
            self.world.owner.get_or_insert_with(|| self.record.owner.clone());
            if self.taken_over().is_none() {
                self.owner_known = self.world.answered.get(&Part::Owner).copied();
            }
        }
        if answered(&Part::Services) || answered(&Part::Settings) {
            self.changed = false;
        }
        if answered(&Part::Scaling) {
            self.scaling_unread = (0, None);
        }
        if failed.iter().all(|(part, _)| *part == Part::Scaling) {
            self.failed = 0;
        }
        for (part, error) in failed {
            if part == Part::Scaling {
                self.without_scaling(error);
                continue;
            }
            if self.does_without_health(&error) {
                continue;
            }
            let denied = error.kind == FailureKind::Denied && is_about_tasks(&error);
            let denied = denied && !self.watch.tasks_denied;
            // Nothing serves before it is known how its task ended.
            if denied && parts.contains(&Part::Prepare) {
                self.watch.tasks_denied = true;
                return Some(Stop::Refused(error));
            }
            if !denied {
                return self.blind(&part, error).await;
            }
            self.watch.tasks_denied = true;
            self.warn(error, Then::WithoutTasks);
        }
        None
    }

    /// Some engines can do without what is denied.
    fn does_without_health(&mut self, error: &Failure) -> bool {
        let optional = engine(self.record.engine()).optional;
        let denied = error.kind == FailureKind::Denied
            && error.call.is_some_and(|call| optional.contains(&call));
        if denied && !self.world.groups.is_empty() {
            self.world.groups.clear();
            self.world.health.clear();
            self.warn(error.clone(), Then::WithoutTargets);
        }
        denied
    }

    /// A part of a look failed. As long as that may pass, it is tried again.
    async fn blind(&mut self, part: &Part, error: Failure) -> Option<Stop> {
        self.failed += 1;
        // Whose the deployment is does not hold up the way back at once.
        let passes = error.passes_while_driving() || *part == Part::Owner && !self.record.forward();
        if !passes || self.failed > FAILURES_MAX {
            return Some(Stop::Blind(error));
        }
        // The same, again and again, is said once.
        if self.failed == 1 || self.blinded.as_ref() != Some(&error) {
            self.blinded = Some(error.clone());
            self.warn(error, Then::TriesAgain);
        }
        self.sleep(LOOK_TWICE).await;
        None
    }

    /// How old the last answer about a part is. On older ground than `FRESH` nothing is changed, nor
    /// written down: another process may be at work.
    pub(super) fn age(&self, part: &Part) -> Duration {
        self.world.answered.get(part).map_or(Duration::MAX, |at| self.age_of(*at))
    }

    /// How long ago that was.
    pub(super) fn age_of(&self, at: Moment) -> Duration {
        at.age(&self.setting.clock.moment(self.world.at))
    }

    /// Whether this process may have stood still, while it waited for what was to take no longer than
    /// `asked`.
    pub(super) fn notice_freeze(&mut self, begin: Moment, asked: Duration) {
        let now = self.setting.clock.moment(self.world.at);
        let stood_still = begin.age(&now) > asked.saturating_add(FROZEN);
        let mono = now.mono.saturating_sub(begin.mono);
        let suspended = begin.age(&now) > mono.saturating_add(FROZEN);
        if stood_still || suspended {
            self.forget(&Part::Owner);
            self.woke = true;
        }
    }
}
