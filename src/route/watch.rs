//! What this process has seen since it began to look: the memory that decisions about time need and
//! that a next process may lose, because everything in it can be counted anew. A fold over looks.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::event::Cause;
use crate::model::health::{TaskFailure, failure};
use crate::model::reads::{Moment, Part};
use crate::model::rule::GroupPair;
use crate::model::service_deployment::Phase;
use crate::model::world::{Service, ServiceEvent, Target, World};
use crate::record::Record;
use crate::route::alarms::Alarms;
use crate::route::gates::Gates;
use crate::route::{View, listener, native, scaling};

/// One of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that served when it began.
    Blue,
    /// The one that the new revision starts in.
    Green,
}

/// Something that answers show one after the other. One answer is no knowledge: AWS may answer with the
/// past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    since: SystemTime,
    looks: u32,
    /// The answer that showed it last.
    answer: Option<Moment>,
}

impl Seen {
    /// After one more look at a part.
    fn again(before: Option<Self>, answer: Option<Moment>, now: SystemTime) -> Self {
        match before {
            // The same answer again is no second one.
            Some(seen) if answer.is_some() && seen.answer == answer => seen,
            Some(seen) => Self { looks: seen.looks + 1, answer, ..seen },
            None => Self { since: now, looks: 1, answer },
        }
    }

    /// Whether it was seen twice, and long enough apart.
    pub fn lasts(&self, now: SystemTime) -> bool {
        self.looks >= 2 && now.duration_since(self.since).unwrap_or_default() >= APART
    }
}

/// Between two looks that must agree.
const APART: Duration = Duration::from_secs(5);

/// What was seen so far.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The first look: unwatched time counts for nothing.
    pub start: SystemTime,
    /// How far green came so far, and when that was last more, or enough.
    pub best: (usize, SystemTime),
    /// Since when green lacks nothing.
    pub settled_since: Option<SystemTime>,
    /// Since when it is known that green lacked nothing once.
    pub proved: Option<SystemTime>,
    /// For how long it lacked something since it was last better than ever.
    pub lacked: Duration,
    /// Ids of the deployments that green had when we began to look.
    pub before: Vec<String>,
    /// Green's service was seen on our revision.
    pub launched: bool,
    /// Since when green, once on our revision, shows the one before and no trace of ours.
    pub put_back_since: Option<SystemTime>,
    /// Since when green's tasks all run and only targets are awaited.
    pub running_since: Option<SystemTime>,
    /// Since when green runs a task of our revision.
    pub runs_since: Option<SystemTime>,
    /// How long each phase of a rolling deployment may take, where that is limited.
    pub phase: Option<Duration>,
    /// The target groups of both sides, as they were seen last.
    pub pairs: Vec<GroupPair>,
    /// On the way back, one healthy target of the old side is enough to give it the traffic.
    pub now: bool,
    /// This process can start the task that runs before.
    pub prepares: bool,
    /// Most tasks that green was seen to run.
    pub running_max: u32,
    /// Since when blue is awaited on the way back.
    pub reviving_since: Option<SystemTime>,
    /// Why the way back is given up: what is on the way forward serves on.
    pub given_up: Option<Cause>,
    /// When this process turned back, or took over on the way back.
    pub back_since: Option<SystemTime>,
    /// Since when green, with traffic, has fewer healthy targets than its service is to have at least.
    pub short_since: Option<SystemTime>,
    /// Since when a rule shows what we neither held nor were writing, and in how many looks.
    pub drift: Option<(SystemTime, u32)>,
    /// Since when a service of the pair is not there.
    pub gone: Option<Seen>,
    /// A side without a healthy target while the other one has some.
    pub dead: Option<(Side, Seen)>,
    /// What rules showed, in per mille for green by ARN, when a person went on from that.
    pub accepted: BTreeMap<String, Option<u32>>,
    /// Tasks of our revision that failed, in the order in which they were seen.
    pub failures: Vec<TaskFailure>,
    /// Tasks of the old side that failed since the deployment began; where nothing ran there before, all
    /// that ECS remembers.
    pub old_failures: Vec<TaskFailure>,
    /// The old side's tasks were read on the way back.
    pub old_explained: bool,
    /// Tasks may not be read.
    pub tasks_denied: bool,
    /// Since when ECS lists no deployment of our revision, though it was asked for one.
    pub unlisted_since: Option<SystemTime>,
    /// Since when our revision is seen to have users' traffic, where ECS shifts that.
    pub serves_since: Option<SystemTime>,
    /// Tasks that ECS's deployment wants, and the most that were seen to run since it wants so many.
    pub steady: (u32, u32),
    /// The most tasks that it wanted since it has users' traffic.
    pub most_wanted: u32,
    /// The stage of ECS's deployment, and since when it was seen to be that.
    pub stage: Option<(String, SystemTime)>,
    /// When another stage was seen last: the present one is not older than that.
    pub stage_after: SystemTime,
    /// When it was looked at last. Who takes a deployment over does not know when its stage began.
    looked: Option<SystemTime>,
    /// Since when ECS stops it, or has stopped it, without a rollback.
    pub stopped_since: Option<SystemTime>,
    /// Since when ECS does nothing more about it.
    pub over_since: Option<SystemTime>,
    /// Since when only one of the two services is scaled, where both were.
    pub unscaled_since: Option<SystemTime>,
    /// The service's settings could not be put back.
    pub untidy: bool,
    /// What the alarms showed that judge this deployment.
    pub alarms: Alarms,
    /// What the gates said that judge it.
    pub gates: Gates,
    /// Changes made on this heading.
    pub changes: u32,
    /// Green's targets: when each was first seen, and whether it was ever healthy.
    targets: BTreeMap<(String, String, u16), (SystemTime, bool)>,
}

impl Watch {
    /// Begins to watch.
    pub fn new(start: SystemTime) -> Self {
        Self {
            start,
            best: (0, start),
            settled_since: None,
            proved: None,
            lacked: Duration::ZERO,
            before: Vec::new(),
            launched: false,
            put_back_since: None,
            running_since: None,
            runs_since: None,
            phase: None,
            now: false,
            prepares: false,
            pairs: Vec::new(),
            running_max: 0,
            reviving_since: None,
            given_up: None,
            back_since: None,
            short_since: None,
            drift: None,
            gone: None,
            dead: None,
            accepted: BTreeMap::new(),
            failures: Vec::new(),
            old_failures: Vec::new(),
            old_explained: false,
            tasks_denied: false,
            unlisted_since: None,
            serves_since: None,
            steady: (0, 0),
            most_wanted: 0,
            stage: None,
            stage_after: start,
            looked: None,
            stopped_since: None,
            over_since: None,
            unscaled_since: None,
            untidy: false,
            alarms: Alarms::default(),
            gates: Gates::default(),
            changes: 0,
            targets: BTreeMap::new(),
        }
    }

    /// Nobody watched until now: that time counts for nothing.
    pub fn go_on(&mut self, now: SystemTime) {
        self.start = now;
        self.best.1 = now;
        let times = [
            &mut self.settled_since,
            &mut self.put_back_since,
            &mut self.running_since,
            &mut self.runs_since,
            &mut self.reviving_since,
            &mut self.back_since,
            &mut self.short_since,
            &mut self.unlisted_since,
            &mut self.over_since,
            &mut self.unscaled_since,
            &mut self.stopped_since,
        ];
        for since in times.into_iter().flatten() {
            *since = now;
        }
    }

    /// Takes in a look.
    pub fn see(&mut self, record: &Record, world: &World) {
        self.pairs = View { record, watch: self, world }.pairs();
        self.see_green(record, world);
        self.see_blue(record, world);
        self.see_deployment(record, world);
        if !record.forward() {
            self.back_since.get_or_insert(world.at);
        }
        let view = View { record, watch: self, world };
        let (drifts, settled, waits_for_blue, short) = (
            view.drift().is_some(),
            view.settled(),
            view.waits_for_blue(),
            (view.engine().is_short)(&view),
        );
        if world.look > crate::model::world::Look::Glance {
            self.drift = drifts.then(|| match self.drift {
                Some((since, looks)) => (since, looks + 1),
                None => (world.at, 1),
            });
        }
        let view = View { record, watch: self, world };
        let is_unscaled = scaling::only(&view).is_some();
        self.unscaled_since = is_unscaled.then(|| self.unscaled_since.unwrap_or(world.at));
        let answer = |part: Part| world.answered.get(&part).copied();
        let services = answer(Part::Services);
        let view = View { record, watch: self, world };
        let gone = view.is_gone(&record.blue) || view.is_gone(&record.green);
        let dead = view.dead_side();
        self.gone = gone.then(|| Seen::again(self.gone, services, world.at));
        self.dead = dead.map(|side| {
            let before = self.dead.filter(|(known, _)| *known == side).map(|(_, seen)| seen);
            let health = world.answered.iter().filter(|(part, _)| matches!(part, Part::Health(_)));
            let newest = health.map(|(_, at)| *at).chain(services).max_by_key(|at| at.mono);
            (side, Seen::again(before, newest, world.at))
        });
        if settled && self.settled_since.is_none() && self.proved.is_some() {
            // Who is well again and again gets no better.
            self.lacked = world.at.duration_since(self.best.1).unwrap_or_default();
        }
        self.settled_since = settled.then(|| self.settled_since.unwrap_or(world.at));
        if record.is_preparing() {
            // The task that runs before has a limit of its own.
            self.best.1 = world.at;
        }
        if settled {
            self.best.1 = world.at.checked_sub(self.lacked).unwrap_or(world.at);
            // A glance may be older than what it did not take in.
            if world.look > crate::model::world::Look::Glance {
                self.proved.get_or_insert(world.at);
            }
        }
        self.short_since = short.then(|| self.short_since.unwrap_or(world.at));
        self.reviving_since = waits_for_blue.then(|| self.reviving_since.unwrap_or(world.at));
        if self.given_up.is_none() {
            self.given_up = listener::given_up(&View { record, watch: self, world });
        }
    }

    fn see_green(&mut self, record: &Record, world: &World) {
        let Some(green) = world.service(&record.green) else { return };
        let running = View { record, watch: self, world }.ours().map(|ours| ours.running);
        self.launched |= running.is_some();
        let launched = self.launched || record.to.is_some();
        let put_back = launched && View { record, watch: self, world }.green_was_put_back();
        self.put_back_since = put_back.then(|| self.put_back_since.unwrap_or(world.at));
        let running = running.unwrap_or(0);
        let all_run = green.desired > 0 && running >= green.desired;
        self.running_since = all_run.then(|| self.running_since.unwrap_or(world.at));
        self.running_max = self.running_max.max(running);
        if running > 0 {
            self.runs_since.get_or_insert(world.at);
        }
        let progress = View { record, watch: self, world }.progress();
        if progress > self.best.0 {
            self.best = (progress, world.at);
            self.lacked = Duration::ZERO;
        }
        for group in green.groups() {
            for target in world.targets(group).unwrap_or_default() {
                let seen = self.targets.entry(key(group, target)).or_insert((world.at, false));
                seen.1 |= target.is_healthy();
            }
        }
        for task in world.tasks.get(&green.arn).into_iter().flatten() {
            // Tasks of its revision may be older than itself.
            let ours = task.revision == record.revision
                && (!record.ran_before() || task.created.is_some_and(|at| at >= record.start));
            if ours
                && let Some(failure) = failure(task)
                && !self.failures.iter().any(|known| known.task == failure.task)
            {
                self.failures.push(failure);
            }
        }
    }

    /// ECS's own record of the deployment, where ECS shifts the traffic.
    fn see_deployment(&mut self, record: &Record, world: &World) {
        if record.native.is_none() || world.deployments.is_none() {
            return;
        }
        let own = native::current(&View { record, watch: self, world });
        let is_unlisted = own.is_none() && self.launched;
        let (stage, is_over) = match own {
            Some(own) => (own.stage.clone(), !own.is_running()),
            None => (None, false),
        };
        let serves = own.and_then(|own| own.production).is_some_and(|percent| percent > 0.0);
        let tasks = own.map(|own| own.tasks);
        let is_stopped = own.is_some_and(|own| own.phase() == Phase::Stopped);
        self.launched |= own.is_some();
        self.serves_since = serves.then(|| self.serves_since.unwrap_or(world.at));
        if let Some([wanted, running, _]) = tasks {
            self.steady = match self.steady {
                (known, most) if known == wanted => (known, most.max(running)),
                _ => (wanted, running),
            };
            self.most_wanted = if serves { self.most_wanted.max(wanted) } else { 0 };
        }
        self.unlisted_since = is_unlisted.then(|| self.unlisted_since.unwrap_or(world.at));
        self.stopped_since = is_stopped.then(|| self.stopped_since.unwrap_or(world.at));
        self.over_since = is_over.then(|| self.over_since.unwrap_or(world.at));
        self.stage = stage.map(|stage| match self.stage.take() {
            Some((known, since)) if known == stage => (known, since),
            _ => {
                self.stage_after = self.looked.unwrap_or(record.start);
                (stage, world.at)
            }
        });
        self.looked = Some(world.at);
    }

    fn see_blue(&mut self, record: &Record, world: &World) {
        let Some(blue) = world.service(&record.blue).filter(|_| !record.is_restart()) else {
            return;
        };
        let never_ran = record.had.is_some_and(|had| had.running == 0);
        let explained = self.tasks_denied || world.tasks.contains_key(&blue.arn);
        self.old_explained |= explained && !record.forward();
        for task in world.tasks.get(&blue.arn).into_iter().flatten() {
            let counts = task.revision != record.revision
                && (never_ran || task.created.is_some_and(|at| at >= record.start));
            if counts
                && let Some(failure) = failure(task)
                && !self.old_failures.iter().any(|known| known.task == failure.task)
            {
                self.old_failures.push(failure);
            }
        }
    }

    /// How long a target has had to become healthy; `None` when it was healthy before.
    pub fn unproved_for(&self, group: &str, target: &Target, now: SystemTime) -> Option<Duration> {
        match self.targets.get(&key(group, target)) {
            Some((_, true)) => None,
            Some((since, false)) => Some(now.duration_since(*since).unwrap_or_default()),
            None => Some(Duration::ZERO),
        }
    }

    /// Whether green lost tasks, or ECS says so, or gave our deployment up before one was seen to fail:
    /// then they are looked at for their reasons. The services tell that at no cost.
    pub fn wants_tasks(&self, record: &Record, world: &World) -> bool {
        let Some(green) = world.service(&record.green).filter(|_| self.launched) else {
            return false;
        };
        let known = self.failures.len();
        let ours = green.deployments.iter().filter(|one| one.revision == record.revision);
        let (given_up, (failed, running)) = (
            ours.clone().next().is_none(),
            ours.fold((0, 0), |(f, r), ours| (f + ours.failed, r + ours.running)),
        );
        // One that ran for less than the time between two looks shows only in its replacement.
        let replaced = started(green, record.start).saturating_sub(green.desired);
        failed.max(replaced) as usize > known
            || running < self.running_max
            || given_up && known == 0
    }

    /// Whether the old side loses tasks on the way back, or ran none before: why is worth knowing.
    pub fn wants_old_tasks(&self, record: &Record, world: &World) -> bool {
        if record.forward() || record.is_restart() {
            return false;
        }
        let Some(blue) = world.service(&record.blue) else { return false };
        let view = View { record, watch: self, world };
        if view.old_never_ran() && !self.old_explained {
            return true;
        }
        let old = blue.deployments.iter().filter(|one| one.revision != record.revision);
        let failed: u32 = old.map(|one| one.failed).sum();
        let since = self.back_since.unwrap_or(world.at);
        let replaced = started(blue, since).saturating_sub(blue.desired);
        let is_new = |one: &&TaskFailure| one.created.is_some_and(|at| at >= since);
        let new = self.old_failures.iter().filter(is_new).count();
        failed as usize > self.old_failures.len() || replaced as usize > new
    }
}

/// How many tasks a service has started since `begin`, in ECS's words.
fn started(service: &Service, begin: SystemTime) -> u32 {
    let count = |event: &ServiceEvent| {
        let (_, rest) = event.message.split_once(") has started ")?;
        rest.split(' ').next()?.parse::<u32>().ok()
    };
    service.events.iter().take_while(|event| event.at >= begin).filter_map(count).sum()
}

fn key(group: &str, target: &Target) -> (String, String, u16) {
    (group.to_owned(), target.id.clone(), target.port)
}
