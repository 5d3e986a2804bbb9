//! The loop: observe, decide, act. The only policy for failures of calls. It never prints.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::watch;

use crate::aws::{Aws, AwsError, Focus, Kind as Failure, Pair};
use crate::clock::Clock;
use crate::error::{Error, Refusal};
use crate::event::{Event, Kind};
use crate::health::placement;
use crate::oneoff;
use crate::plan::{Plan, Tags};
use crate::preparation::Preparation;
use crate::record::{Closed, DEAD_AFTER, End, Engine, Reason, Record, WaitFor};
use crate::revision::{lost, short};
use crate::route::{Action, Next, Outcome, Trouble, View, Wait, decide, rolling};
use crate::watch::Watch;
use crate::world::{Look, World};

/// A change is sent only on a world that is younger than this.
const FRESH: Duration = Duration::from_secs(10);
/// The user hears something at least this often: CI kills silent steps.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// An owner says this often that it is alive.
const BEAT: Duration = Duration::from_secs(60);
/// Weights on the way back wait for the record's write no longer than this.
const RECORD_WAIT: Duration = Duration::from_secs(1);
/// Between two looks that must agree, or two lookups of what may have been registered.
pub(crate) const LOOK_TWICE: Duration = Duration::from_secs(5);
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
}

/// What a run needs beside its record.
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
    /// What to do about a new version that is no good.
    pub on_trouble: OnTrouble,
    /// Where the rules do not show what the record says, to go on from what they show at first.
    pub accept_drift: bool,
    /// How long each of the two phases of a rolling deployment may take, where that is limited.
    pub phase: Option<Duration>,
    /// What runs before anything serves, where this process can start it.
    pub prepare: Option<Preparation>,
}

/// What to do about a new version that is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTrouble {
    /// Put the old one back.
    TurnBack,
    /// Say so, and leave things as they are.
    Leave,
}

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

/// Registers the planned revision and reads it back. On the way out nothing is left that serves or
/// could: a revision that AWS did not keep as it was sent is deregistered.
pub async fn register(
    setting: &Setting<'_>,
    plan: &Plan,
    emit: &mut dyn FnMut(Event),
) -> Result<(Record, Kept), Error> {
    let mut record = plan.record.clone();
    if let Some(body) = &plan.way_back {
        let family = short(&record.from).rsplit_once(':').map_or("", |(family, _)| family);
        record.from = setting.aws.register(family, body.clone()).await?;
    }
    if plan.record.is_restart() {
        return Ok((record, Kept::Memory));
    }
    let plan = &Plan { record, ..plan.clone() };
    let unwritable = |error: serde_json::Error| Refusal::new(error.to_string(), "ecs-bg status");
    // Nobody goes on with what nobody watches.
    let watched = plan.record.until != WaitFor::Accepted;
    let mut tags = match watched && plan.record_fits() {
        true => Tags::WithRecord,
        false => Tags::Own,
    };
    if tags == Tags::Own && watched {
        let what = "the record does not fit into tags beside this task definition's own: this run cannot be resumed";
        warn(setting, emit, what);
    }
    let arn = loop {
        let body = plan.registration(tags).map_err(unwritable)?;
        let error = match register_once(setting, plan, body).await {
            Ok(arn) => match may_tag(setting, plan, &arn, tags).await {
                Ok(()) => break arn,
                Err(error) => {
                    // A record that can never be closed would stand in every next deployment's way.
                    setting.aws.deregister(&arn).await?;
                    error
                }
            },
            Err(error) => error,
        };
        // Tags need a permission of their own.
        let about_tags = error.kind == Failure::Denied && error.message.contains("TagResource");
        if tags == Tags::None || !about_tags {
            return Err(error.into());
        }
        tags = Tags::None;
        let what = "no record is kept: this run cannot be resumed, tags are not copied; allow ecs:TagResource";
        warn(setting, emit, what);
    };
    let revision = setting.aws.revision(&arn).await?;
    let wanted = plan.registration(Tags::None).map_err(unwritable)?;
    let missing = lost(&wanted, &revision.raw).map_err(unwritable)?;
    if !missing.is_empty() {
        setting.aws.deregister(&arn).await?;
        let what =
            format!("AWS did not keep {} of {} as it was sent", missing.join(", "), short(&arn));
        return Err(Refusal::new(
            what,
            format!("aws ecs describe-task-definition --task-definition {}", short(&arn)),
        )
        .into());
    }
    let kind = Kind::Registered {
        revision: short(&arn).to_owned(),
        arn: arn.clone(),
        current: plan.record.was.clone(),
        base: plan.base.name.clone(),
        images: plan.changes.images.clone(),
        edits: plan.changes.edits.iter().map(crate::edits::show).collect(),
    };
    emit(Event { at: setting.clock.now(), kind });
    let kept = if tags == Tags::WithRecord { Kept::Tags } else { Kept::Memory };
    Ok((Record { revision: arn, ..plan.record.clone() }, kept))
}

/// Whether the record can be written later on: found out before anything else is changed.
async fn may_tag(
    setting: &Setting<'_>,
    plan: &Plan,
    arn: &str,
    tags: Tags,
) -> Result<(), AwsError> {
    if tags != Tags::WithRecord {
        return Ok(());
    }
    let record = Record { revision: arn.to_owned(), ..plan.record.clone() };
    match setting.aws.try_tags(&record).await {
        Err(error) if error.kind == Failure::Denied => Err(error),
        // The first write of the deployment says what is the matter.
        _ => Ok(()),
    }
}

fn warn(setting: &Setting<'_>, emit: &mut dyn FnMut(Event), what: &str) {
    emit(Event { at: setting.clock.now(), kind: Kind::Warning { what: what.to_owned() } });
}

/// RegisterTaskDefinition takes no client token: after a lost answer the revision is looked for by
/// the record's id before it is registered anew.
async fn register_once(
    setting: &Setting<'_>,
    plan: &Plan,
    body: String,
) -> Result<String, AwsError> {
    let family = plan.base.family();
    let mut waits = backoff().build();
    loop {
        let error = match setting.aws.register(family, body.clone()).await {
            Ok(arn) => return Ok(arn),
            Err(error) => error,
        };
        match error.kind {
            Failure::Throttled | Failure::Unreachable => {}
            Failure::Unknown => {
                for _ in 0..2 {
                    setting.clock.sleep(LOOK_TWICE).await;
                    if let Some(arn) = find(setting.aws, family, &plan.record.id).await? {
                        return Ok(arn);
                    }
                }
            }
            _ => return Err(error),
        }
        match waits.next() {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error),
        }
    }
}

async fn find(aws: &Aws, family: &str, id: &str) -> Result<Option<String>, AwsError> {
    for arn in aws.newest(family, 5).await? {
        let revision = aws.revision(&arn).await?;
        let found = Record::from_tags(&arn, &revision.tags)
            .and_then(Result::ok)
            .is_some_and(|record| record.id == id);
        if found {
            return Ok(Some(arn));
        }
    }
    Ok(None)
}

/// How calls that did not happen are made again.
pub(crate) fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(20))
        .with_max_times(8)
        .with_jitter()
}

/// Where the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In tags.
    Tags,
    /// In tags, as it was before we changed it.
    OlderTags,
    /// In memory only.
    Memory,
}

/// Drives a deployment to its end. `world` was looked at when our clock showed `looked`.
pub async fn run(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    kept: Kept,
    looked: SystemTime,
    emit: &mut dyn FnMut(Event),
) -> Finished {
    let pair = Pair::of(&setting.cluster, &record);
    let world = without_rules(&record, world);
    let mut watch = Watch::new(world.at);
    let accepted = setting.accept_drift.then(|| watch.accept(&record, &world)).flatten();
    if let Some(accepted) = accepted.as_ref().filter(|accepted| accepted.forward()) {
        warn(setting, emit, &going_on_from(accepted.to));
    }
    let record = accepted.unwrap_or(record);
    let green = world.service(&record.green);
    watch.phase = setting.phase;
    watch.prepares = setting.prepare.is_some();
    watch.before = green.into_iter().flat_map(|g| &g.deployments).map(|d| d.id.clone()).collect();
    let mut run = Run {
        setting,
        pair,
        looked,
        said: (String::new(), setting.clock.now()),
        record,
        world,
        watch,
        recorded: kept != Kept::Memory,
        unwritten: kept == Kept::OlderTags,
        failed: 0,
        tasks_denied: false,
        explained: false,
        checked: looked,
        running: false,
        sent: Vec::new(),
        missed: 0,
        changed: false,
        heard: 0,
        interrupts: setting.interrupts.clone(),
        emit,
    };
    let outcome = run.drive().await;
    if let Outcome::Stuck(_) | Outcome::Drifted(_) | Outcome::Superseded(_) = outcome {
        run.let_go().await;
    }
    Finished {
        outcome,
        record: run.record,
        recorded: run.recorded,
        world: run.world,
        watch: run.watch,
        interrupted: run.heard > 0,
    }
}

fn going_on_from(share: Option<u8>) -> String {
    let from = share.map_or("the first share".to_owned(), |share| format!("{share} %"));
    format!("the rules show what this deployment did not write: going on from {from}")
}

/// Where ECS replaces the tasks of one service, no rule is ours to look after.
pub fn without_rules(record: &Record, world: World) -> World {
    match record.engine() {
        Engine::Listener => world,
        Engine::Rolling => World { rules: BTreeMap::new(), ..world },
    }
}

struct Run<'a> {
    setting: &'a Setting<'a>,
    pair: Pair,
    record: Record,
    world: World,
    /// When `world` was looked at, by our clock.
    looked: SystemTime,
    watch: Watch,
    /// The record is kept in tags.
    recorded: bool,
    /// The record in tags is older than ours.
    unwritten: bool,
    /// What was said last while waiting, and when.
    said: (String, SystemTime),
    /// Calls that failed one after the other.
    failed: u32,
    /// Tasks may not be read.
    tasks_denied: bool,
    /// The last look took in why tasks of the new revision stopped.
    explained: bool,
    /// It was told that a task of the new revision runs.
    running: bool,
    /// When targets were looked at last, by our clock.
    checked: SystemTime,
    /// Changes that were sent and not yet missed by a look.
    sent: Vec<Action>,
    /// How often one after the other a change had no effect that could be seen.
    missed: u32,
    /// Nothing was looked at since.
    changed: bool,
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
            self.beat().await;
            match self.heed() {
                Some(Heed::End(outcome)) => return outcome,
                Some(Heed::Back(trouble)) => {
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
                // AWS refuses what the way forward needs.
                Some(Stop::Refused(error)) if self.record.forward() => {
                    let trouble = Trouble { reason: Reason::Refused, what: error.to_string() };
                    self.turn_back(&trouble).await;
                    went_back = Some(trouble);
                }
                Some(Stop::Refused(error) | Stop::Blind(error)) => {
                    return Outcome::Stuck(error.to_string());
                }
            }
        }
    }

    /// Whether what is no good is left as it is. What ECS put back by itself is awaited.
    fn leaves_it(&self) -> bool {
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        self.setting.on_trouble == OnTrouble::Leave && view.ours().is_some()
    }

    /// Whoever comes next need not wait until we count as dead.
    async fn let_go(&mut self) {
        let open = self.recorded && self.record.closed.is_none();
        if open && self.age() < FRESH && self.still_drives().await {
            let seen = self.world.at.checked_sub(DEAD_AFTER).unwrap_or(self.world.at);
            self.write(Record { seen, ..self.record.clone() }).await;
        }
    }

    /// The old version serves; unless somebody has put another one in its place.
    fn gone_back(&self, trouble: Option<Trouble>) -> Outcome {
        let blue = self.world.service(&self.record.blue);
        let moved = blue.filter(|blue| blue.revision != self.record.from);
        // Whom ECS went back to was judged on the way.
        match moved.filter(|_| self.record.engine() == Engine::Listener) {
            Some(blue) => Outcome::Superseded(format!(
                "{} was deployed to {} by somebody else",
                short(&blue.revision),
                blue.name
            )),
            None => Outcome::WentBack(trouble),
        }
    }

    fn tell(&mut self, kind: Kind) {
        (self.emit)(Event { at: self.setting.clock.now(), kind });
    }

    fn see(&mut self) {
        let before = self.watch.failures.len();
        self.watch.see(&self.record, &self.world);
        let new: Vec<_> = self.watch.failures[before..].to_vec();
        self.tell_of_the_first();
        for failure in new {
            self.tell(Kind::TaskFailed { task: failure.task, what: failure.what });
        }
    }

    /// Where ECS replaces the tasks, the first one that runs is news; or that none is to.
    fn tell_of_the_first(&mut self) {
        if self.running || self.record.engine() == Engine::Listener || !self.record.forward() {
            return;
        }
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        let Some((ours, service)) = view.ours().zip(view.green()) else { return };
        if ours.running > 0 || service.desired == 0 {
            self.running = true;
            let (revision, tasks) = (self.record.name().to_owned(), ours.running);
            self.tell(Kind::Runs { revision, tasks });
        }
    }

    /// Another process writes its name into the record: it drives now.
    fn taken_over(&self) -> Option<Outcome> {
        let other = self.world.owner.as_ref().filter(|owner| **owner != self.record.owner)?;
        Some(Outcome::Superseded(format!("process {other} has taken over {}", self.record.name())))
    }

    /// Whether no other process drives it, looked up where the last look does not tell. Who has lost the
    /// deployment must not write over the record of who has it.
    async fn still_drives(&mut self) -> bool {
        if self.world.owner.is_none() || self.age() >= FRESH {
            let _ = self.look(Look::Whole).await;
        }
        self.taken_over().is_none()
    }

    /// Says that we are alive, after looking whether the record is still ours.
    async fn beat(&mut self) {
        if self.beat_is_due() && self.world.owner.is_some() && self.age() < FRESH {
            self.write(Record { seen: self.world.at, ..self.record.clone() }).await;
        }
    }

    /// Then the next look takes in the record.
    fn beat_is_due(&self) -> bool {
        self.recorded && self.record.silent_for(self.world.at) >= BEAT
    }

    /// What to do about requests to stop that were not heeded yet.
    fn heed(&mut self) -> Option<Heed> {
        let asked = *self.interrupts.borrow_and_update();
        if asked <= self.heard {
            return None;
        }
        let first = self.heard == 0;
        self.heard = asked;
        if !first || asked > 1 {
            return Some(Heed::End(Outcome::Stopped));
        }
        let (whole, past_return) = self.serves_alone();
        let finish = self.setting.on_cancel == OnCancel::Finish && whole;
        let what = match self.setting.on_cancel {
            OnCancel::Hold => {
                let share = self.record.held.map_or(0, |held| held.share);
                let how = match self.record.engine() {
                    Engine::Listener => format!("with {share} % on {}", self.record.green),
                    Engine::Rolling => "ECS goes on with it".to_owned(),
                };
                return Some(Heed::End(Outcome::Stuck(format!(
                    "told to stop: left as it is, {how}"
                ))));
            }
            _ if !self.record.forward() => "told to stop: going back all the same".to_owned(),
            _ if past_return || finish => {
                "told to stop: it has all the traffic, finishing".to_owned()
            }
            _ => {
                let what = "told to stop".to_owned();
                return Some(Heed::Back(Trouble { reason: Reason::Interrupted, what }));
            }
        };
        self.tell(Kind::Warning { what });
        None
    }

    /// Whether the new version has all the traffic, and whether the old one is being retired.
    fn serves_alone(&self) -> (bool, bool) {
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        let whole = self.record.forward()
            && match self.record.engine() {
                Engine::Listener => view.all_read(100),
                Engine::Rolling => self.watch.settled_since.is_some(),
            };
        let retiring = self.record.engine() == Engine::Listener
            && view.blue().is_some_and(|blue| blue.desired == 0);
        (whole, whole && retiring)
    }

    /// Lets time pass, until it is over or the user asks us to stop.
    async fn sleep(&mut self, duration: Duration) {
        let mut interrupts = self.interrupts.clone();
        tokio::select! {
            () = self.setting.clock.sleep(duration) => {}
            // A closed channel means that nobody can ask any more.
            Ok(()) = interrupts.changed() => {}
        }
    }

    /// Waits, then looks.
    async fn wait(&mut self, step: &str, wait: Wait) -> Option<Stop> {
        self.missed = 0;
        let now = self.setting.clock.now();
        let silent = now.duration_since(self.said.1).unwrap_or_default();
        // What only counts down is not news each time.
        let gist = format!("{step} {}", wait.why.split(" another ").next().unwrap_or_default());
        let news = gist != self.said.0 || silent >= SILENCE;
        if news && !wait.look_in.is_zero() {
            self.said = (gist, now);
            self.tell(Kind::Waiting { step: step.to_owned(), why: wait.why });
        }
        self.sleep(wait.look_in).await;
        if let Some(stop) = self.look(wait.look).await {
            return Some(stop);
        }
        // What a glance says of failed tasks and sick targets is explained at once.
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        let failed =
            self.watch.wants_tasks(&self.record, &self.world) || rolling::has_sick_targets(&view);
        let unexplained = rolling::has_unread_targets(&view)
            || failed && self.record.forward() && self.world.tasks.is_empty() && !self.tasks_denied;
        match unexplained && self.record.engine() == Engine::Rolling {
            true => self.look(wait.look).await,
            false => None,
        }
    }

    /// What a look takes in.
    fn focus(&self, look: Look) -> Focus {
        let stopped = self.watch.wants_tasks(&self.record, &self.world);
        let mut focus = Focus { stopped, ..Focus::default() };
        if self.record.is_preparing() && !self.tasks_denied {
            focus.prepare = Some(self.record.clone());
        }
        let whole = look > Look::Glance;
        if self.recorded && (whole || self.beat_is_due()) {
            focus.record = Some(self.record.revision.clone());
        }
        // Whose the targets are, and why tasks stopped, matters while there is a way back only.
        let wants_tasks = match self.record.engine() {
            Engine::Listener => {
                focus.health.push(self.record.green.clone());
                if !self.record.forward() {
                    focus.health.push(self.record.blue.clone());
                }
                let blue = self.world.service(&self.record.blue);
                let retired = blue.is_some_and(|blue| blue.desired == 0);
                (whole || stopped) && !retired
            }
            Engine::Rolling => {
                let view = View { record: &self.record, watch: &self.watch, world: &self.world };
                let since = self.setting.clock.now().duration_since(self.checked);
                if rolling::wants_health(&view, since.unwrap_or_default()) {
                    focus.health.push(self.record.green.clone());
                }
                stopped || rolling::has_sick_targets(&view)
            }
        };
        if self.record.forward() && !self.tasks_denied && wants_tasks {
            focus.tasks.push(self.record.green.clone());
        }
        focus
    }

    async fn look(&mut self, look: Look) -> Option<Stop> {
        // Where no rule is ours to look after, none is listed.
        let look = match self.record.engine() {
            Engine::Listener => look,
            Engine::Rolling => look.min(Look::Whole),
        };
        let focus = self.focus(look);
        let began = self.setting.clock.now();
        let mut interrupts = self.interrupts.clone();
        let looked = tokio::select! {
            looked = self.setting.aws.look(&self.pair, look, &focus, &self.world) => looked,
            // Whoever asks us to stop is not kept waiting by an answer that does not come.
            Ok(()) = interrupts.changed() => return None,
        };
        match looked {
            Ok(world) => {
                self.world = world;
                self.explained = focus.stopped && !focus.tasks.is_empty();
                if focus.record.is_some() {
                    // A record that somebody made unreadable is still ours: our copy outranks it.
                    self.world.owner.get_or_insert_with(|| self.record.owner.clone());
                }
                self.looked = began;
                if look > Look::Glance || !focus.health.is_empty() {
                    self.checked = began;
                }
                self.changed = false;
                self.failed = 0;
                None
            }
            // Nothing serves before it is known how its task ended.
            Err(error)
                if error.kind == Failure::Denied
                    && focus.prepare.is_some()
                    && error.call.contains("Tasks") =>
            {
                self.tasks_denied = true;
                Some(Stop::Refused(error))
            }
            Err(error)
                if error.kind == Failure::Denied
                    && !focus.tasks.is_empty()
                    && error.call.contains("Tasks") =>
            {
                self.tasks_denied = true;
                let what = format!("{error}; going by targets alone, without the reasons of tasks");
                self.tell(Kind::Warning { what });
                None
            }
            Err(error) => self.blind(error).await,
        }
    }

    /// A look failed. As long as that may pass, it is tried again.
    async fn blind(&mut self, error: AwsError) -> Option<Stop> {
        self.failed += 1;
        if !error.passes() || self.failed > FAILURES_MAX {
            return Some(Stop::Blind(error));
        }
        self.tell(Kind::Warning { what: format!("{error}; trying again") });
        self.setting.clock.sleep(LOOK_TWICE).await;
        None
    }

    /// How old what was seen is. On older ground than `FRESH` nothing is changed, nor written down: the
    /// machine may have stood still, and another process be at work.
    fn age(&self) -> Duration {
        self.setting.clock.now().duration_since(self.looked).unwrap_or(FRESH)
    }

    /// Whether the world tells enough for this change, and is young enough.
    fn ready(&self, action: &Action) -> bool {
        let age = self.age();
        let read = !matches!(action, Action::Write(_)) || self.world.unread.is_empty();
        // What the last change came to, and what others did meanwhile, is seen before it is over.
        let seen = !action.closes() || !self.changed;
        self.world.look >= self.needed(action)
            && age < FRESH
            && read
            && seen
            && !self.is_blind_for(action)
    }

    /// Whether green lost tasks, in the time before this process too, nobody has asked why, and this
    /// change would give it more of the traffic or the last of it.
    fn is_blind_for(&self, action: &Action) -> bool {
        let rises = matches!(action, Action::Weigh { .. } | Action::Count { count: 0, .. });
        let blue = self.world.service(&self.record.blue);
        let back = blue.is_some_and(|blue| blue.desired > 0);
        let forward = self.record.forward() && self.record.engine() == Engine::Listener && back;
        rises
            && forward
            && !self.explained
            && !self.tasks_denied
            && self.watch.wants_tasks(&self.record, &self.world)
    }

    /// How much of the world must have been looked at for this change.
    fn needed(&self, action: &Action) -> Look {
        match self.record.engine() {
            Engine::Rolling if *action != Action::Prepare => Look::Glance,
            _ => action.needs(),
        }
    }

    async fn act(&mut self, step: &str, action: Action) -> Option<Stop> {
        if !self.ready(&action) {
            return self.look(self.needed(&action)).await;
        }
        // A look that did not show the change: AWS may answer with the past. Give it time.
        if self.sent.contains(&action) {
            self.sent.clear();
            self.missed += 1;
            // An AWS that never shows it is not asked without end.
            self.sleep(Duration::from_secs(1 << self.missed.min(6))).await;
            return self.look(self.needed(&action)).await;
        }
        if let Action::Write(record) = action {
            self.write(*record).await;
            return None;
        }
        // Written before what it describes; but nothing holds up weights on their way back.
        let weighs = matches!(action, Action::Weigh { .. });
        if weighs && self.record.held.is_some_and(|held| Some(held.share) == self.record.to) {
            // What was believed to be held is not: its time, and that of `follow`, begins anew.
            self.record.held = None;
            self.unwritten = self.recorded;
        }
        if self.unwritten && (self.record.forward() || !weighs) {
            self.write(self.record.clone()).await;
            if self.unwritten && weighs && self.failed < FAILURES_MAX {
                self.failed += 1;
                self.setting.clock.sleep(LOOK_TWICE).await;
                return None;
            }
        }
        self.watch.changes += 1;
        self.changed = true;
        match self.send(&action).await {
            Ok(()) => {
                self.failed = 0;
                let what = describe(&action, &self.world);
                self.tell(Kind::Changed { step: step.to_owned(), what });
                self.sent.push(action);
                None
            }
            Err(error) => self.unanswered(error).await,
        }
    }

    /// Sends a change. One that certainly did not happen is sent again while the world is fresh.
    async fn send(&mut self, action: &Action) -> Result<(), AwsError> {
        let mut waits = backoff().build();
        loop {
            let sent = match action {
                Action::Prepare => self.prepare().await,
                _ => self.setting.aws.act(&self.pair, action, &mut self.world).await,
            };
            let Err(error) = sent else { return Ok(()) };
            let again = matches!(error.kind, Failure::Throttled | Failure::Unreachable);
            match waits.next().filter(|_| again) {
                Some(wait) => self.setting.clock.sleep(wait).await,
                None => return Err(error),
            }
            if !self.ready(action) {
                return Err(error);
            }
        }
    }

    /// Starts the task that runs before: as the service's tasks run, with the record's id as its token,
    /// so that asking again starts no second one.
    async fn prepare(&mut self) -> Result<(), AwsError> {
        let (aws, record) = (self.setting.aws, &self.record);
        let refused = |what: &str| {
            let call = format!("RunTask {}", record.name());
            AwsError::new(&call, Failure::Refused, "NotStarted", what.to_owned())
        };
        let Some(preparation) = &self.setting.prepare else {
            return Err(refused("its command is kept nowhere"));
        };
        let revision = aws.revision(&record.revision).await?;
        let placed = [preparation.place(&revision).map_err(|refusal| refused(&refusal.what))?];
        let service = self.world.service(&record.green);
        let cluster = &self.setting.cluster;
        let body = oneoff::order(cluster, &record.revision, service, &placed, 1, &record.id)
            .map_err(|refusal| refused(&refusal.what))?;
        let (tasks, failures) = aws.run_task(&body).await?;
        match failures.first().filter(|_| tasks.is_empty()) {
            Some(reason) => Err(refused(&placement(reason))),
            None => {
                self.world.prepare = Some(tasks);
                Ok(())
            }
        }
    }

    /// A change failed, or its answer was lost: look first, decide again.
    async fn unanswered(&mut self, error: AwsError) -> Option<Stop> {
        self.failed += 1;
        let limit = if error.passes() { FAILURES_MAX } else { 1 };
        if self.failed > limit {
            return Some(Stop::Refused(error));
        }
        self.tell(Kind::Warning { what: format!("{error}; looking again") });
        let failed = self.failed;
        if self.failed > 1 {
            self.setting.clock.sleep(LOOK_TWICE).await;
        }
        let stop = self.look(Look::Listing).await;
        // A good look does not make a refused change good.
        self.failed = self.failed.max(failed);
        stop
    }

    /// The record says this now. Writing it down is worth a warning when it fails, never an end.
    async fn write(&mut self, record: Record) {
        if self.record.is_preparing() && !record.is_preparing() {
            let what = "the task of --before has succeeded".to_owned();
            self.tell(Kind::Changed { step: "prepare".into(), what });
        }
        self.record = record;
        self.unwritten = self.recorded;
        if !self.recorded {
            return;
        }
        let action = Action::Write(Box::new(self.record.clone()));
        match self.send_record(&action).await {
            Ok(()) => self.unwritten = false,
            Err(error) => self.unrecorded(&error),
        }
    }

    async fn send_record(&mut self, action: &Action) -> Result<(), AwsError> {
        let mut waits = backoff().with_max_times(3).build();
        loop {
            match self.setting.aws.act(&self.pair, action, &mut self.world).await {
                // Overwriting is absolute: a lost answer is answered by writing again.
                Err(error) if error.passes() => match waits.next() {
                    Some(wait) => self.setting.clock.sleep(wait).await,
                    None => return Err(error),
                },
                other => return other,
            }
        }
    }

    fn unrecorded(&mut self, error: &AwsError) {
        self.tell(Kind::Warning {
            what: format!("{error}; the deployment goes on, a record of it may be old"),
        });
        if !error.passes() {
            self.recorded = false;
            self.unwritten = false;
        }
    }

    /// Another heading, on the same world. The record is written first, but holds up nothing.
    async fn turn_back(&mut self, trouble: &Trouble) {
        // Weights need this look anyway.
        if self.recorded && !self.still_drives().await {
            return;
        }
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        self.record = view.turned_back(trouble.reason);
        self.watch.changes = 0;
        self.sent.clear();
        self.failed = 0;
        self.tell(Kind::TurnedBack {
            to: self.record.from.clone(),
            reason: trouble.reason.code().to_owned(),
            what: trouble.what.clone(),
        });
        self.unwritten = self.recorded;
        if !self.recorded || self.age() >= FRESH {
            return;
        }
        let action = Action::Write(Box::new(self.record.clone()));
        let write = self.setting.aws.act(&self.pair, &action, &mut self.world);
        match tokio::time::timeout(RECORD_WAIT, write).await {
            Ok(Ok(())) => self.unwritten = false,
            Ok(Err(error)) => self.unrecorded(&error),
            Err(_) => {}
        }
    }
}

/// What a request to stop means now.
enum Heed {
    /// It is over.
    End(Outcome),
    /// Turn back.
    Back(Trouble),
}

/// Why the loop cannot go on.
enum Stop {
    /// AWS refuses a change.
    Refused(AwsError),
    /// AWS cannot be read.
    Blind(AwsError),
}

fn describe(action: &Action, world: &World) -> String {
    match action {
        Action::Launch { service, revision, count } => {
            format!("{service}: {count} tasks of {}", short(revision))
        }
        Action::Roll { service, revision, count, min_healthy, max_percent, force } => {
            let numbers = [
                ("tasks", count),
                ("minimumHealthyPercent", min_healthy),
                ("maximumPercent", max_percent),
            ];
            let changes: String = numbers
                .iter()
                .filter_map(|(what, to)| to.map(|to| format!(", {what} {to}")))
                .collect();
            match force {
                true => format!("{service}: all tasks of {} anew{changes}", short(revision)),
                false => format!("{service}: tasks of {}{changes}", short(revision)),
            }
        }
        Action::Count { service, count: 0 } => format!("{service}: no tasks"),
        Action::Count { service, count } => format!("{service}: {count} tasks"),
        Action::Weigh { rule, .. } => {
            let Some(rule) = world.rules.get(rule) else { return rule.clone() };
            let group =
                |arn: &str| world.groups.get(arn).map_or(short(arn).to_owned(), |g| g.name.clone());
            let weights: Vec<String> = rule
                .weights()
                .iter()
                .map(|(arn, weight)| format!("{} {weight}", group(arn)))
                .collect();
            format!("{}: {}", rule.name, weights.join(", "))
        }
        Action::Prepare => {
            let task = world.prepare.iter().flatten().next();
            let id = task.map_or("", |task| short(&task.arn));
            format!("task {} runs the command of --before", id.get(..8).unwrap_or(id))
        }
        Action::Stop { task } => {
            let id = short(task);
            format!("task {} is stopped", id.get(..8).unwrap_or(id))
        }
        Action::Write(_) => "the record".into(),
    }
}
