//! Processes of `ecs-bg` on one world, in virtual time: each runs a command line with the real SDK, and
//! may be killed at a call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs_bg::{Host, Sandbox};
use ecs_bg_sandbox::journal::{Call, Entry};
use ecs_bg_sandbox::scenario::Scenario;
use ecs_bg_sandbox::sdk::{Interfere, Interference};
use ecs_bg_sandbox::{Cloud, Time};
use tokio::sync::Notify;

pub const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The call never reaches AWS.
    BeforeSend,
    /// AWS does it, and the process never knows.
    BeforeAnswer,
    /// The answer arrives, and nothing comes of it.
    AfterAnswer,
}

pub const DEATHS: [Death; 3] = [Death::BeforeSend, Death::BeforeAnswer, Death::AfterAnswer];

/// A world and the processes that live in it one after the other.
pub struct World {
    cloud: Arc<Mutex<Cloud>>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Life {
    /// `None`: it was killed.
    pub code: Option<u8>,
    /// Calls that it made, by operation.
    pub calls: BTreeMap<String, u32>,
    /// What it printed.
    pub text: String,
}

impl World {
    pub fn new(scenario: &str) -> Self {
        Self::of(
            Cloud::from_scenario(&Scenario::builtin(scenario).expect(scenario)).expect(scenario),
        )
    }

    pub fn of(cloud: Cloud) -> Self {
        Self { cloud: Arc::new(Mutex::new(cloud)) }
    }

    /// A scenario that is written in the test.
    pub fn parsed(toml: &str) -> Self {
        let scenario = Scenario::parse(toml, "test").unwrap_or_else(|error| panic!("{error}"));
        Self::of(Cloud::from_scenario(&scenario).unwrap_or_else(|error| panic!("{error}")))
    }

    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes and nobody does anything.
    pub fn wait(&self, seconds: u64) {
        let mut cloud = self.cloud();
        let then = cloud.now() + Duration::from_secs(seconds);
        cloud.advance(then);
    }

    /// A process that lives to its end.
    pub fn run(&self, arguments: &str) -> Life {
        self.live(arguments, None)
    }

    /// A process that dies at its `nth` call (from 1), if it makes so many.
    pub fn run_until(&self, arguments: &str, nth: u32, death: Death) -> Life {
        self.live(arguments, Some((nth, death)))
    }

    fn live(&self, arguments: &str, dies: Option<(u32, Death)>) -> Life {
        let fate = Arc::new(Fate { dies, ..Fate::default() });
        let interfere: Arc<dyn Interfere> = Arc::clone(&fate) as _;
        let sandbox = Sandbox { cloud: Arc::clone(&self.cloud), interfere: Some(interfere) };
        let (host, captured) = Host::captured(sandbox);
        let argv = std::iter::once("ecs-bg").chain(arguments.split_whitespace());
        let cli = ecs_bg::cli::parse(argv).unwrap_or_else(|error| panic!("{error}"));
        // Jitter and ids come from this generator: a life is the same each time.
        fastrand::seed(u64::from(dies.map_or(0, |(nth, _)| nth)) + self.cloud().now().0);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let code = runtime.expect("an event loop").block_on(async {
            tokio::select! {
                biased;
                code = ecs_bg::execute(cli, &host) => Some(code),
                () = fate.dead.notified() => None,
            }
        });
        let calls = fate.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Life { code, calls, text: captured.text() }
    }

    /// The changes from the `from`th on.
    pub fn journal(&self, from: usize) -> Vec<Entry> {
        self.cloud().journal()[from..].to_vec()
    }

    pub fn now(&self) -> Time {
        self.cloud().now()
    }
}

#[derive(Debug, Default)]
struct Fate {
    dies: Option<(u32, Death)>,
    made: Mutex<u32>,
    calls: Mutex<BTreeMap<String, u32>>,
    dead: Notify,
}

impl Interfere for Fate {
    fn with(&self, call: &Call) -> Interference {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(call.operation.clone()).or_default() += 1;
        match self.dies {
            Some((nth, Death::BeforeSend)) if *made == nth => Interference::LoseRequest,
            Some((nth, Death::BeforeAnswer)) if *made == nth => Interference::LoseAnswer,
            // What it did with the answer is in its memory only: it dies before it says anything.
            Some((nth, Death::AfterAnswer)) if *made > nth => Interference::LoseRequest,
            _ => Interference::None,
        }
    }

    fn done(&self, _: &Call) {
        self.dead.notify_one();
    }
}

/// A deployment of the shop's service.
pub fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service web --image {REPOSITORY}:{tag} {more}")
}
