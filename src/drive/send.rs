//! Acts: sends one change, on a world that is young enough, and looks again when that failed.

use std::time::Duration;

use backon::BackoffBuilder;

use super::backoff::{LOOK_TWICE, backoff};
use super::{FAILURES_MAX, FRESH, OWNER_UNANSWERED, Run, Stop};
use crate::aws::{PART_MAX, SLOW};
use crate::call::Call;
use crate::error::{
    COMMAND_FOR_NO_CONTAINER, COMMAND_NOT_STORED, Failure, FailureKind, NOT_STARTED,
    OVERRIDES_TOO_LONG,
};
use crate::event::refusal::OneOffRefused;
use crate::event::{Change, Kind, Refused, Scaling, StopReason, Then, Warning, Weight};
use crate::model::arn::short;
use crate::model::reads::Part;
use crate::model::world::{Look, Rule, Told, World};
use crate::plan::run_task;
use crate::route::watch::Side;
use crate::route::{Action, engine};

/// So many looks one after the other may leave a change on ground that is too old for it.
const LATE_MAX: u32 = 30;

/// A change waits for the record so often; then it is made without it, as where it may not be written.
const UNWRITABLE_MAX: u32 = 3;
/// A service's settings are put back so often after calls that failed.
const SETTINGS_TRIES: u32 = 5;

impl Run<'_> {
    /// Whether the world tells enough for this change, and each part that it rests on is young enough.
    pub(super) fn ready(&self, action: &Action) -> bool {
        let read = !matches!(action, Action::Write(_)) || self.world.unread.is_empty();
        // What the last change came to, and what others did meanwhile, is seen before it is over.
        let seen = !action.closes() || !self.changed;
        self.stale(action).is_empty() && read && seen && !self.is_blind_for(action)
    }

    /// The parts that a change rests on and that are too old for it.
    fn stale(&self, action: &Action) -> Vec<Part> {
        let rests = self.rests_on(action).into_iter();
        rests.filter(|(part, most)| self.age(part) >= *most).map(|(part, _)| part).collect()
    }

    /// The parts of the world that a change rests on, and how old each may be.
    fn rests_on(&self, action: &Action) -> Vec<(Part, Duration)> {
        let owner = self.recorded.then_some(Part::Owner);
        let returns = matches!(action, Action::Weigh { .. }) && !self.record.forward();
        if returns {
            // Nothing but these holds up weights on their way back: that blue was healthy when that was
            // last known is enough.
            // Rules that cannot be read are written as they were read last: users are not left on a side that
            // is given up because of that.
            let unread = [Part::Rules, Part::Listing]
                .iter()
                .any(|part| self.world.unanswered.contains(part));
            let rules = if unread { Duration::MAX } else { FRESH };
            let known = self.owner_known.filter(|_| !self.woke);
            let is_ours = known.is_some_and(|at| self.age_of(at) < OWNER_UNANSWERED);
            let mut parts = vec![(Part::Rules, rules)];
            if self.recorded && !is_ours {
                let is_asked = self.owner_is_unanswered() && !self.woke;
                // The new side cannot answer and the old one can: any owner would write these weights.
                let is_plain = is_asked && self.view().only_serves(Side::Blue);
                let targets = self.world.target_parts(self.world.services.values());
                parts.extend(targets.into_iter().filter(|_| is_asked).map(|part| (part, FRESH)));
                parts.extend((!is_plain).then_some((Part::Owner, OWNER_UNANSWERED)));
            }
            return parts;
        }
        let mut parts = (engine(self.record.engine()).parts)(self.needed(action));
        if self.needed(action) > Look::Glance {
            let attachments = self.world.services.values().flat_map(|service| &service.attachments);
            let known = attachments.filter(|own| self.world.groups.contains_key(&own.group));
            parts.extend(known.map(|own| Part::Health(own.group.clone())));
            parts.extend(owner);
            // Whose the healthy targets are.
            let reads = self.reads(self.needed(action)).parts.into_iter();
            parts.extend(reads.filter(|part| matches!(part, Part::Tasks(_) | Part::Stopped(_))));
        }
        let is_last = matches!(action, Action::Count { count: 0, .. }) || action.closes();
        if self.record.scaling.is_some() && (is_last || matches!(action, Action::Scale { .. })) {
            parts.push(Part::Scaling);
        }
        if self.woke {
            parts.extend(self.recorded.then_some(Part::Owner));
        }
        parts.into_iter().map(|part| (part, FRESH)).collect()
    }

    /// Whether the record's owner was asked for last and not told.
    fn owner_is_unanswered(&self) -> bool {
        self.world.unanswered.contains(&Part::Owner)
    }

    /// Whether a write is only kept in mind, so that it does not hold up weights on their way back.
    fn keeps_in_mind(&self, action: &Action) -> bool {
        let is_write = matches!(action, Action::Write(_)) && !action.closes();
        is_write && !self.record.forward() && self.owner_is_unanswered()
    }

    /// Reads what a change lacks: only that, where the rest is young enough and stays so meanwhile.
    async fn look_for(&mut self, action: &Action) -> Option<Stop> {
        let (look, stale) = (self.needed(action), self.stale(action));
        if stale.contains(&Part::Scaling)
            && let Some(error) = self.scaling_error()
        {
            return Some(Stop::Refused(error));
        }
        if stale != [Part::Scaling] {
            self.late += 1;
        }
        if self.late > LATE_MAX {
            self.late = 0;
            let what = Call::DescribeServices.on(self.record.green.clone());
            let message = "what was read was too old for a change each time".to_owned();
            return Some(Stop::Blind(Failure::of(what, FailureKind::Unknown, "TooLate", message)));
        }
        let returns = matches!(action, Action::Weigh { .. }) && !self.record.forward();
        let took = |part: &Part| self.world.answered.get(part).map(|at| at.took);
        let is_slow = stale.iter().filter_map(took).any(|took| took >= SLOW);
        let all = stale.is_empty() || self.changed || self.is_blind_for(action) || is_slow;
        match (all, returns) {
            // Nothing but the rules and the owner holds up weights on their way back.
            (_, true) if !stale.is_empty() => {
                let stop = self.look_only(look, &stale).await;
                stop.filter(|_| !self.ready(action))
            }
            (false, _) => self.look_only(look, &stale).await,
            (true, _) => self.look(look).await,
        }
    }

    /// Whether green lost tasks, in the time before this process too, nobody has asked why, and this
    /// change would give it more of the traffic or the last of it.
    pub(super) fn is_blind_for(&self, action: &Action) -> bool {
        let rises = matches!(action, Action::Weigh { .. } | Action::Count { count: 0, .. });
        let blue = self.world.service(&self.record.blue);
        let back = blue.is_some_and(|blue| blue.desired > 0);
        rises
            && back
            && self.record.forward()
            && !self.is_explained()
            && !self.watch.tasks_denied
            && self.watch.wants_tasks(&self.record, &self.world)
    }

    /// How much of the world must have been looked at for this change.
    pub(super) fn needed(&self, action: &Action) -> Look {
        (engine(self.record.engine()).needs)(action)
    }

    pub(super) async fn act(&mut self, step: &'static str, action: Action) -> Option<Stop> {
        let keeps_in_mind = self.keeps_in_mind(&action);
        if !self.ready(&action) && !keeps_in_mind {
            let stop = self.look_for(&action).await;
            return stop.filter(|_| !self.keeps_in_mind(&action));
        }
        self.late = 0;
        // A look that did not show the change: AWS may answer with the past. Give it time.
        if self.sent.contains(&action) {
            self.sent.clear();
            self.missed += 1;
            // An AWS that never shows it is not asked without end.
            self.sleep(Duration::from_secs(1 << self.missed.min(6))).await;
            return self.look(self.needed(&action)).await;
        }
        if let Action::Write(record) = action {
            match keeps_in_mind {
                true => (self.record, self.unwritten) = (*record, self.recorded),
                false => self.write(*record).await,
            }
            return None;
        }
        // Written before what it describes; but nothing holds up weights on their way back.
        let weighs = matches!(action, Action::Weigh { .. });
        if weighs && self.record.held.is_some_and(|held| Some(held.share) == self.record.to) {
            // What was believed to be held is not: its time, and that of `follow`, begins anew.
            self.record.held = None;
            self.unwritten = self.recorded;
        }
        let stops = matches!(action, Action::StopDeployment { .. });
        let waits = self.unwritable < UNWRITABLE_MAX;
        if self.unwritten && waits && (self.record.forward() || !weighs && !stops) {
            self.write(self.record.clone()).await;
            // What was seen before it may be too old by now.
            let is_old = !self.ready(&action);
            if self.unwritten && (weighs || is_old) {
                // One that takes long to fail is not waited for again.
                self.unwritable = if is_old { UNWRITABLE_MAX } else { self.unwritable + 1 };
                self.sleep(LOOK_TWICE).await;
                return None;
            }
            if is_old {
                return None;
            }
        }
        self.watch.changes += 1;
        self.changed = true;
        // What was listed before a change is no ground for emptying a side after it.
        self.forget(&Part::Listing);
        if matches!(action, Action::Scale { .. }) {
            self.forget(&Part::Scaling);
        }
        let begin = self.setting.clock.moment(self.world.at);
        let sent = self.send(&action).await;
        self.notice_freeze(begin, PART_MAX);
        self.touched |= action == Action::Prepare
            || sent.as_ref().map_or_else(|error| !error.did_not_happen(), |_| true);
        match sent {
            Ok(told) => {
                self.world = self.world.clone().told(told);
                self.failed = 0;
                self.tell(Kind::Changed { step, change: change(&action, &self.world) });
                self.sent.push(action);
                if stops && self.unwritten {
                    self.write(self.record.clone()).await;
                }
                None
            }
            Err(error) => match action {
                // What is left behind is said; nothing that serves depends on it.
                Action::Configure { service, .. }
                    if !error.passes() || self.failed >= SETTINGS_TRIES =>
                {
                    self.watch.untidy = true;
                    self.tell(Kind::Warning(Warning::SettingsLeft { service, failure: error }));
                    None
                }
                // Somebody else let it go on, or the look showed the past.
                Action::Continue { .. } if error.kind == FailureKind::Refused => {
                    self.sent.push(action);
                    None
                }
                _ => self.unanswered(error).await,
            },
        }
    }

    /// Sends a change. One that certainly did not happen is sent again while the world is fresh.
    async fn send(&mut self, action: &Action) -> Result<Told, Failure> {
        let mut waits = backoff().build();
        loop {
            let sent = match action {
                Action::Prepare => self.prepare().await,
                _ => self.setting.aws.act(&self.pair, action, &self.world).await,
            };
            let Err(error) = sent else { return sent };
            let again = matches!(error.kind, FailureKind::Throttled | FailureKind::Unreachable);
            match waits.next().filter(|_| again) {
                Some(wait) => self.sleep(wait).await,
                None => return Err(error),
            }
            if !self.ready(action) || self.is_interrupted() {
                return Err(error);
            }
        }
    }

    /// Starts the task that runs before: as the service's tasks run, with the record's id as its token,
    /// so that asking again starts no second one.
    async fn prepare(&self) -> Result<Told, Failure> {
        let (aws, record) = (self.setting.aws, &self.record);
        let refused = |code: &str, message: &str| {
            let about = Call::RunTask.on(record.name());
            Failure::of(&about, FailureKind::Refused, code, message)
        };
        let Some(preparation) = &self.setting.prepare else {
            return Err(refused(COMMAND_NOT_STORED, ""));
        };
        let revision = aws.revision(&record.revision).await?;
        let placed = preparation.place(&revision);
        let placed = [placed.map_err(|_| refused(COMMAND_FOR_NO_CONTAINER, ""))?];
        let service = self.world.service(&record.green);
        let cluster = &self.setting.cluster;
        let body = run_task::order(cluster, &record.revision, service, &placed, 1, &record.id)
            .map_err(|refusal| match &*refusal.why {
                Refused::OneOff(OneOffRefused::OverridesTooLong { characters, .. }) => {
                    refused(OVERRIDES_TOO_LONG, &characters.to_string())
                }
                _ => refused(COMMAND_FOR_NO_CONTAINER, ""),
            })?;
        let (tasks, failures) = aws.run_task(&body).await?;
        match failures.first().filter(|_| tasks.is_empty()) {
            Some(reason) => Err(refused(NOT_STARTED, reason)),
            None => Ok(Told::Started(tasks)),
        }
    }

    /// A change failed, or its answer was lost: look first, decide again.
    pub(super) async fn unanswered(&mut self, error: Failure) -> Option<Stop> {
        self.failed += 1;
        let limit = if error.passes() { FAILURES_MAX } else { 1 };
        if self.failed > limit {
            return Some(Stop::Refused(error));
        }
        self.warn(error, Then::LooksAgain);
        let failed = self.failed;
        if self.failed > 1 {
            self.sleep(LOOK_TWICE).await;
        }
        let stop = self.look(Look::Listing).await;
        // A good look does not make a refused change good.
        self.failed = self.failed.max(failed);
        stop
    }
}

fn change(action: &Action, world: &World) -> Change {
    match action.clone() {
        Action::Launch { service, revision, count: desired } => {
            Change::Revision { service, revision: short(&revision).to_owned(), desired }
        }
        Action::Roll { service, revision, count, min_healthy, max_percent, force } => {
            Change::Replacement {
                service,
                revision: short(&revision).to_owned(),
                desired: count,
                minimum_healthy_percent: min_healthy,
                maximum_percent: max_percent,
                forced: force,
            }
        }
        Action::Count { service, count: desired } => Change::DesiredCount { service, desired },
        Action::Weigh { rule, .. } => {
            let group =
                |arn: &str| world.groups.get(arn).map_or(short(arn).to_owned(), |g| g.name.clone());
            let read = world.rules.get(&rule);
            let weights = read.map(Rule::weights).unwrap_or_default().into_iter();
            let weight = |(arn, weight): (String, u32)| Weight { group: group(&arn), weight };
            let rule = read.map_or(rule.clone(), |rule| rule.name.clone());
            Change::Weights { rule, weights: weights.map(weight).collect() }
        }
        Action::Shift { service, revision, configuration, .. } => Change::Shift {
            service,
            revision: short(&revision).to_owned(),
            reconfigured: configuration.is_some(),
        },
        Action::Configure { service, .. } => Change::SettingsRestored { service },
        Action::Scale { service, min, max, suspended } => {
            Change::Scaling(Scaling { service, min, max, suspended })
        }
        Action::StopDeployment { arn } => {
            Change::DeploymentStopped { deployment: short(&arn).to_owned() }
        }
        Action::Continue { stage, .. } => Change::DeploymentContinued { stage },
        Action::Prepare => {
            let task = world.prepare.iter().flatten().next();
            let task = task.map_or("", |task| short(&task.arn)).to_owned();
            Change::BeforeStarted { task }
        }
        Action::Stop { task } => {
            let tasks = vec![short(&task).to_owned()];
            Change::TasksStopped { tasks, why: StopReason::RollingBack }
        }
        Action::Write(_) => Change::Record,
    }
}
