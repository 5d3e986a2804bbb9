//! The world, and the two ways into it: a request, which `answer` hands to its service, and the passing of
//! time, which lets happen what is `due`. What the services do is in their rooms.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    call::is_read,
    clock::Time,
    ecs,
    faults::{self, Faults},
    iam::Policy,
    ids::Ids,
    image::Image,
    invariants::{self, Violation},
    journal::{Call, Entry},
    lambda::Lambda,
    past::Past,
    serving::{self, Serving},
    state::{Decides, Here, Load, Region, Shared, timers::Timers},
    throttle::Buckets,
    timing::Timing,
    unverified::Unverified,
};

mod answer;
mod due;

pub(crate) use answer::{call, refusal};

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
    /// What it did not allow.
    #[serde(default)]
    pub(crate) denied: BTreeSet<String>,
    /// Changes that the journal does not show any more.
    #[serde(default)]
    forgotten: u64,
    #[serde(skip)]
    past: Past,
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
            lambdas: Vec::new(),
            unverified: Unverified::default(),
            merges_settings: false,
            loads: BTreeMap::new(),
            subnets: BTreeMap::new(),
            addresses: BTreeMap::new(),
            roles: BTreeMap::new(),
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
            denied: BTreeSet::new(),
            forgotten: 0,
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
            due::happen(&mut self.here(&timer.region), timer.due);
        }
        self.shared.now = self.shared.now.max(now);
        self.past.trim(self.shared.now);
    }

    /// Lets time pass until `now` and answers a request.
    pub fn handle(&mut self, now: Time, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let call = answer::call(self, request);
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
        answer::answer(self, request, call)
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
        let response = answer::answer(self, request, call);
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

    /// The actions that were asked for and that a policy did not allow.
    pub fn denied(&self) -> &BTreeSet<String> {
        &self.denied
    }

    /// Every change so far, but those that were forgotten.
    pub fn journal(&self) -> &[Entry] {
        &self.shared.journal
    }

    /// Forgets all but the newest changes and broken invariants; how many have been forgotten so far. A world
    /// that runs for days would fill the memory otherwise.
    pub fn forget(&mut self, keep: usize) -> u64 {
        let old = self.shared.journal.len().saturating_sub(keep);
        self.shared.journal.drain(..old);
        let broken = self.violations.len().saturating_sub(keep);
        self.violations.drain(..broken);
        self.forgotten += old as u64;
        self.forgotten
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

    /// Changes what a Lambda function answers to the hooks that call it from now on.
    pub fn set_lambda(&mut self, lambda: Lambda) {
        self.shared.lambdas.retain(|old| old.name != lambda.name);
        self.shared.lambdas.push(lambda);
    }

    /// What Lambda functions answer.
    pub fn lambdas(&self) -> &[Lambda] {
        &self.shared.lambdas
    }

    /// Decides anew what AWS does not say.
    pub fn set_unverified(&mut self, unverified: Unverified) {
        self.shared.unverified = unverified;
    }

    /// How this world decides what AWS does not say.
    pub fn unverified(&self) -> &Unverified {
        &self.shared.unverified
    }

    /// Sets the state of an alarm of CloudWatch (`OK`, `ALARM`, `INSUFFICIENT_DATA`) in the home region.
    pub fn set_alarm(&mut self, name: &str, state: &str) {
        let home = self.home.clone();
        ecs::set_alarm(&mut self.here(&home), name, state);
    }

    /// Says what the requests to a service (`cluster/service`) take from now on: its tasks share it, and
    /// target tracking follows it.
    pub fn set_load(&mut self, service: &str, load: Load) {
        self.shared.loads.insert(service.to_owned(), load);
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
        let policy = self.policy.as_ref().map(|policy| policy as &dyn Decides);
        Here { region, shared: &mut self.shared, policy }
    }

    /// Forgets what led to this world.
    pub(crate) fn begin(&mut self) {
        self.shared.journal.clear();
        self.shared.calls = 0;
        self.violations.clear();
    }
}
