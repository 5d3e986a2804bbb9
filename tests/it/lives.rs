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

pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";

/// Where a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The call never reaches AWS.
    BeforeSend,
    /// AWS does it, and the process never knows.
    BeforeAnswer,
    /// The answer arrives, and nothing comes of it.
    AfterAnswer,
}

pub(crate) const DEATHS: [Death; 3] = [Death::BeforeSend, Death::BeforeAnswer, Death::AfterAnswer];

/// A world and the processes that live in it one after the other.
pub(crate) struct World {
    cloud: Arc<Mutex<Cloud>>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Life {
    /// `None`: it was killed.
    pub(crate) code: Option<u8>,
    /// Calls that it made, by operation.
    pub(crate) calls: BTreeMap<String, u32>,
    /// What it printed.
    pub(crate) text: String,
}

impl World {
    pub(crate) fn new(scenario: &str) -> Self {
        Self::of(
            Cloud::from_scenario(&Scenario::builtin(scenario).expect(scenario)).expect(scenario),
        )
    }

    pub(crate) fn of(cloud: Cloud) -> Self {
        Self { cloud: Arc::new(Mutex::new(cloud)) }
    }

    /// A scenario that is written in the test.
    pub(crate) fn parsed(toml: &str) -> Self {
        let scenario = Scenario::parse(toml, "test").unwrap_or_else(|error| panic!("{error}"));
        Self::of(Cloud::from_scenario(&scenario).unwrap_or_else(|error| panic!("{error}")))
    }

    pub(crate) fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time passes and nobody does anything.
    pub(crate) fn wait(&self, seconds: u64) {
        let mut cloud = self.cloud();
        let then = cloud.now() + Duration::from_secs(seconds);
        cloud.advance(then);
    }

    /// A process that lives to its end.
    pub(crate) fn run(&self, arguments: &str) -> Life {
        self.live(arguments, None)
    }

    /// A process that dies at its `nth` call (from 1), if it makes so many.
    pub(crate) fn run_until(&self, arguments: &str, nth: u32, death: Death) -> Life {
        self.live(arguments, Some((nth, death)))
    }

    fn live(&self, arguments: &str, dies: Option<(u32, Death)>) -> Life {
        self.live_in(arguments, Fate { dies, ..Fate::default() })
    }

    fn live_in(&self, arguments: &str, fate: Fate) -> Life {
        let dies = fate.dies;
        let fate = Arc::new(fate);
        let interfere: Arc<dyn Interfere> = Arc::clone(&fate) as _;
        let sandbox = Sandbox { cloud: Arc::clone(&self.cloud), interfere: Some(interfere) };
        let (mut host, captured) = Host::captured(sandbox);
        if let Some(interrupts) = &fate.interrupts {
            host.interrupts = Some(interrupts.clone());
        }
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

    /// A process beside which an outsider does something directly before its first call of an
    /// operation at or after the given second of its life.
    pub(crate) fn run_beside(
        &self,
        arguments: &str,
        second: u64,
        outsider: impl Fn(&mut Cloud) + Send + 'static,
    ) -> Life {
        let at = self.now() + Duration::from_secs(second);
        let outsider = Outsider {
            at,
            cloud: Arc::clone(&self.cloud),
            act: Mutex::new(Some(Box::new(outsider))),
        };
        self.live_in(arguments, Fate { outsider: Some(outsider), ..Fate::default() })
    }

    /// A process whose credentials do not allow some operations.
    pub(crate) fn run_denied(&self, arguments: &str, denied: &'static [&'static str]) -> Life {
        self.live_in(arguments, Fate { denied, ..Fate::default() })
    }

    /// A process whose `nth` call (from 1) has this fate.
    pub(crate) fn run_once(&self, arguments: &str, nth: u32, once: Interference) -> Life {
        self.live_in(arguments, Fate { once: Some((nth, once)), ..Fate::default() })
    }

    /// Two processes: the second one starts so many milliseconds after the first.
    pub(crate) fn run_together(&self, first: &str, second: &str, later: u64) -> [Life; 2] {
        let hosts = [0, 1].map(|_| {
            let fate: Arc<Fate> = Arc::default();
            let interfere: Arc<dyn Interfere> = Arc::clone(&fate) as _;
            let sandbox = Sandbox { cloud: Arc::clone(&self.cloud), interfere: Some(interfere) };
            (fate, Host::captured(sandbox))
        });
        let parsed = |arguments: &str| {
            let argv = std::iter::once("ecs-bg").chain(arguments.split_whitespace());
            ecs_bg::cli::parse(argv).unwrap_or_else(|error| panic!("{error}"))
        };
        fastrand::seed(later);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let codes = runtime.expect("an event loop").block_on(async {
            let second = async {
                tokio::time::sleep(Duration::from_millis(later)).await;
                ecs_bg::execute(parsed(second), &hosts[1].1.0).await
            };
            let (one, other) = tokio::join!(ecs_bg::execute(parsed(first), &hosts[0].1.0), second);
            [one, other]
        });
        let mut codes = codes.into_iter();
        hosts.map(|(fate, (_, captured))| Life {
            code: codes.next(),
            calls: fate.calls.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            text: captured.text(),
        })
    }

    /// A process that is told to stop, as often as said, directly before its first call at or after the
    /// given second of its life.
    pub(crate) fn run_interrupted(&self, arguments: &str, second: u64, requests: u32) -> Life {
        let (count, counted) = tokio::sync::watch::channel(0);
        let at = self.now() + Duration::from_secs(second);
        let act: Act = Box::new(move |_| {
            count.send_replace(requests);
        });
        let outsider = Outsider { at, cloud: Arc::clone(&self.cloud), act: Mutex::new(Some(act)) };
        let fate = Fate { outsider: Some(outsider), interrupts: Some(counted), ..Fate::default() };
        self.live_in(arguments, fate)
    }

    /// One call by another client.
    pub(crate) fn call(&self, service: &str, operation: &str, body: &str) -> String {
        call(&mut self.cloud(), service, operation, body)
    }

    /// The changes from the `from`th on.
    pub(crate) fn journal(&self, from: usize) -> Vec<Entry> {
        self.cloud().journal()[from..].to_vec()
    }

    pub(crate) fn now(&self) -> Time {
        self.cloud().now()
    }
}

#[derive(Debug, Default)]
struct Fate {
    dies: Option<(u32, Death)>,
    made: Mutex<u32>,
    calls: Mutex<BTreeMap<String, u32>>,
    dead: Notify,
    outsider: Option<Outsider>,
    denied: &'static [&'static str],
    interrupts: Option<tokio::sync::watch::Receiver<u32>>,
    once: Option<(u32, Interference)>,
}

type Act = Box<dyn Fn(&mut Cloud) + Send>;

/// Somebody else with access to the account.
struct Outsider {
    at: Time,
    cloud: Arc<Mutex<Cloud>>,
    act: Mutex<Option<Act>>,
}

impl std::fmt::Debug for Outsider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outsider").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Outsider {
    fn act(&self) {
        let mut cloud = self.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        if cloud.now() >= self.at
            && let Some(act) = self.act.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            act(&mut cloud);
        }
    }
}

impl Interfere for Fate {
    fn with(&self, call: &Call) -> Interference {
        if let Some(outsider) = &self.outsider {
            outsider.act();
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made += 1;
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(call.operation.clone()).or_default() += 1;
        // A registration is denied for its tags: without them it is allowed.
        let again = call.operation == "RegisterTaskDefinition" && calls[&call.operation] > 1;
        if self.denied.contains(&call.operation.as_str()) && !again {
            let action = match call.operation.as_str() {
                // What AWS asks of a registration with tags.
                "RegisterTaskDefinition" => "ecs:TagResource",
                operation => operation,
            };
            let message = format!(
                "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {action}"
            );
            return Interference::Error {
                status: 400,
                code: "AccessDeniedException".into(),
                message,
            };
        }
        if let Some((_, once)) = self.once.as_ref().filter(|(nth, _)| nth == &*made) {
            return once.clone();
        }
        match self.dies {
            Some((nth, Death::BeforeSend)) if *made == nth => Interference::LoseRequest,
            Some((nth, Death::BeforeAnswer)) if *made == nth => Interference::LoseAnswer,
            // What it did with the answer is in its memory only: it dies before it says anything.
            Some((nth, Death::AfterAnswer)) if *made > nth => Interference::LoseRequest,
            _ => Interference::None,
        }
    }

    fn done(&self, _: &Call) {
        if self.dies.is_some() {
            self.dead.notify_one();
        }
    }
}

/// A deployment of the shop's service.
pub(crate) fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service web --image {REPOSITORY}:{tag} {more}")
}

/// One call by a client that is not ours: `body` is JSON for ECS, form parameters for ELB.
pub(crate) fn call(cloud: &mut Cloud, service: &str, operation: &str, body: &str) -> String {
    let scope =
        format!("AWS4-HMAC-SHA256 Credential=X/20260115/eu-central-1/{service}/aws4_request");
    let request = http::Request::builder().method("POST").uri("/").header("authorization", scope);
    let (request, body) = match service {
        "ecs" => (
            request
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}")),
            body.to_owned(),
        ),
        _ => (
            request.header("content-type", "application/x-www-form-urlencoded"),
            format!("Action={operation}&Version=2015-12-01&{body}"),
        ),
    };
    let request = request.body(body.into()).expect("a request");
    let now = cloud.now();
    let response = cloud.handle(now, &request);
    let text = String::from_utf8(response.body().to_vec()).expect("text");
    assert!(response.status().is_success(), "{operation}: {text}");
    text
}
