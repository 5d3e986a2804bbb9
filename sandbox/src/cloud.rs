//! The world: regions, the queue of what is due, the journal; and the two ways into it, a request and
//! the passing of time. What the services do is in their modules.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    autoscaling::Scaling,
    clock::Time,
    ecr::Ecr,
    ecs::{self, Ecs},
    elb::{self, Elb},
    faults::{self, Faults},
    iam::Policy,
    ids::Ids,
    image::Image,
    invariants::{self, Violation},
    journal::{Call, Change, Entry},
    logs::{self, Logs},
    past::{Past, is_read},
    serving::{self, Serving},
    throttle::Buckets,
    timers::{Due, Timer, Timers},
    timing::Timing,
    wire,
};

/// An AWS account that lives in the process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cloud {
    pub(crate) shared: Shared,
    pub(crate) regions: BTreeMap<String, Region>,
    /// The region of requests that do not name one.
    pub(crate) home: String,
    violations: Vec<Violation>,
    #[serde(default)]
    pub(crate) faults: Faults,
    /// `None`: as many calls as one likes.
    #[serde(default)]
    pub(crate) throttling: Option<Buckets>,
    /// `None`: everybody may do everything.
    #[serde(default)]
    pub(crate) policy: Option<Policy>,
    #[serde(skip)]
    past: Past,
}

/// What all regions share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) account: String,
    pub(crate) now: Time,
    pub(crate) ids: Ids,
    /// Names of what no client asked for by name (revisions, service deployments, container instances):
    /// a stream of its own, so that all other names stay as they are.
    pub(crate) record_ids: Ids,
    pub(crate) timing: Timing,
    pub(crate) images: Vec<Image>,
    /// The Availability Zones of subnets, where a scenario says them.
    pub(crate) subnets: BTreeMap<String, String>,
    pub(crate) timers: Timers,
    pub(crate) journal: Vec<Entry>,
    pub(crate) calls: u64,
    /// The call that is being answered.
    pub(crate) call: Option<Call>,
}

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) ecs: Ecs,
    pub(crate) elb: Elb,
    pub(crate) ecr: Ecr,
    pub(crate) scaling: Scaling,
    #[serde(default)]
    pub(crate) logs: Logs,
    /// Which task has which private address.
    pub(crate) network: BTreeMap<String, String>,
}

/// Where something happens: one region, and what all share.
pub(crate) struct Here<'a> {
    pub(crate) region: &'a mut Region,
    pub(crate) shared: &'a mut Shared,
}

impl Cloud {
    /// An empty account, `123456789012`.
    pub fn new(seed: u64, now: Time) -> Cloud {
        let shared = Shared {
            account: "123456789012".to_owned(),
            now,
            ids: Ids::new(seed),
            record_ids: Ids::new(!seed),
            timing: Timing::default(),
            images: Vec::new(),
            subnets: BTreeMap::new(),
            timers: Timers::default(),
            journal: Vec::new(),
            calls: 0,
            call: None,
        };
        Cloud {
            shared,
            regions: BTreeMap::new(),
            home: "us-east-1".to_owned(),
            violations: Vec::new(),
            faults: Faults::default(),
            throttling: None,
            policy: None,
            past: Past::default(),
        }
    }

    /// The time of this world.
    pub fn now(&self) -> Time {
        self.shared.now
    }

    /// The region of requests that do not name one.
    pub fn region(&self) -> &str {
        &self.home
    }

    /// Lets time pass: everything that is due happens, in order. Time never goes back.
    pub fn advance(&mut self, now: Time) {
        while let Some((at, timer)) = self.shared.timers.pop(now) {
            self.shared.now = self.shared.now.max(at);
            if now - self.shared.now < self.past.window() {
                self.past.keep(self.shared.now, &self.regions);
            }
            self.here(&timer.region).happen(timer.due);
        }
        self.shared.now = self.shared.now.max(now);
        self.past.trim(self.shared.now);
    }

    /// Lets time pass until `now` and answers a request.
    pub fn handle(&mut self, now: Time, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let call = wire::call(self, request);
        self.handle_as(now, request, call)
    }

    /// The same, for a call that has its number already.
    pub(crate) fn handle_as(
        &mut self,
        now: Time,
        request: &http::Request<Bytes>,
        call: Call,
    ) -> http::Response<Bytes> {
        self.advance(now);
        if !is_read(&call.operation) {
            self.past.keep(self.shared.now, &self.regions);
        }
        wire::answer(self, request, call)
    }

    /// The same, for a read that sees the world as it was `age` ago. Permissions and limits are today's.
    pub(crate) fn handle_stale(
        &mut self,
        now: Time,
        request: &http::Request<Bytes>,
        call: Call,
        age: Duration,
    ) -> http::Response<Bytes> {
        self.advance(now);
        let moment =
            Time(self.shared.now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(0)));
        let then = self.past.at(moment).filter(|_| is_read(&call.operation)).cloned();
        let Some(then) = then else { return self.handle_as(now, request, call) };
        let present = std::mem::replace(&mut self.regions, then);
        let response = wire::answer(self, request, call);
        self.regions = present;
        response
    }

    /// Keeps the past for stale reads, so far back; zero: not at all. Faults that were set with
    /// `set_faults` see to it themselves.
    pub fn remember(&mut self, window: Duration) {
        self.past.remember(window.max(self.faults.memory()));
    }

    /// Replaces the faults that calls have on their way, over HTTP and in process. What is wrong with
    /// them names the member; then none is replaced.
    pub fn set_faults(&mut self, orders: Vec<faults::Order>) -> Result<(), String> {
        self.faults = Faults::new(orders)?;
        self.past.remember(self.faults.memory());
        Ok(())
    }

    /// The faults, and how often each has happened.
    pub fn faults(&self) -> &[faults::Set] {
        &self.faults.0
    }

    /// Whether calls are throttled as AWS documents it.
    pub fn set_throttling(&mut self, on: bool) {
        self.throttling = on.then(Buckets::default);
    }

    /// What everybody is allowed to do; `None`: everything.
    pub fn set_policy(&mut self, policy: Option<Policy>) {
        self.policy = policy;
    }

    /// Who calls: everybody is the same user.
    pub(crate) fn user(&self) -> String {
        format!("arn:aws:iam::{}:user/sandbox", self.shared.account)
    }

    /// Every change so far.
    pub fn journal(&self) -> &[Entry] {
        &self.shared.journal
    }

    /// Every broken invariant so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Changes how an image behaves, for tasks that are started later.
    pub fn set_image(&mut self, image: Image) {
        let same = |old: &Image| {
            old.reference == image.reference
                && old.container == image.container
                && old.command == image.command
        };
        self.shared.images.retain(|old| !same(old));
        self.shared.images.push(image);
    }

    /// How images behave.
    pub fn images(&self) -> &[Image] {
        &self.shared.images
    }

    /// Sets the state of an alarm of CloudWatch (`OK`, `ALARM`, `INSUFFICIENT_DATA`) in the home region.
    pub fn set_alarm(&mut self, name: &str, state: &str) {
        let home = self.home.clone();
        ecs::set_alarm(&mut self.here(&home), name, state);
    }

    /// Where requests go now.
    pub fn serving(&self) -> Vec<Serving> {
        self.regions.values().flat_map(|region| serving::serving(region, self.shared.now)).collect()
    }

    /// How long a call takes.
    pub fn latency(&self) -> Duration {
        self.shared.timing.latency
    }

    /// Does something in a region, as a call, and judges what it changed.
    pub(crate) fn act<T>(
        &mut self,
        region: &str,
        call: Call,
        act: impl FnOnce(&mut Here<'_>) -> T,
    ) -> T {
        let written = self.shared.journal.len();
        self.shared.call = Some(call);
        let answer = act(&mut self.here(region));
        self.shared.call = None;
        if let Some(region) = self.regions.get(region) {
            self.violations.extend(invariants::check(region, &self.shared.journal[written..]));
        }
        answer
    }

    pub(crate) fn here(&mut self, region: &str) -> Here<'_> {
        let region = self
            .regions
            .entry(region.to_owned())
            .or_insert_with(|| Region { name: region.to_owned(), ..Region::default() });
        Here { region, shared: &mut self.shared }
    }

    /// Forgets what led to this world.
    pub(crate) fn begin(&mut self) {
        self.shared.journal.clear();
        self.shared.calls = 0;
        self.violations.clear();
    }
}

impl Here<'_> {
    pub(crate) fn now(&self) -> Time {
        self.shared.now
    }

    pub(crate) fn note(&mut self, change: Change) {
        self.shared.journal.push(Entry {
            at: self.shared.now,
            call: self.shared.call.clone(),
            change,
        });
    }

    /// Sets a timer.
    pub(crate) fn later(&mut self, wait: Duration, due: Due) {
        let timer = Timer { region: self.region.name.clone(), due };
        self.shared.timers.set(self.shared.now + wait, timer);
    }

    /// Sets a timer, unless the same is due at that moment already.
    pub(crate) fn later_once(&mut self, wait: Duration, due: Due) {
        let timer = Timer { region: self.region.name.clone(), due };
        let at = self.shared.now + wait;
        if !self.shared.timers.has(at, &timer) {
            self.shared.timers.set(at, timer);
        }
    }

    /// `arn:aws:<service>:<region>:<account>:<rest>`
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region.name, self.shared.account)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Task { task, turn } => ecs::task::turn(self, &task, turn),
            Due::Exit { task, container } => ecs::task::exit(self, &task, container),
            Due::ContainerCheck { task, container } => ecs::task::check(self, &task, container),
            Due::Line { task, container, line } => ecs::logging::line(self, &task, container, line),
            Due::Logged(written) => logs::arrive(self, written),
            Due::Forget { task } => ecs::task::forget(self, &task),
            Due::Schedule { service } => ecs::scheduler::run(self, &service),
            Due::Check { group, target, registration } => {
                elb::health::check(self, &group, &target, registration)
            }
            Due::Drained { group, target, registration } => {
                elb::health::drained(self, &group, &target, registration)
            }
            Due::Propagated { rule, node, version } => {
                elb::rule::propagated(self, &rule, node, version)
            }
        }
    }
}
