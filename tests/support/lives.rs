//! Processes of `ecs-bg` on one world, in virtual time: each runs a command line with the real SDK.
//! What happens to one is its `Fate`.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecs_bg::{Captured, Host, Sandbox};
use ecs_bg_sandbox::journal::Entry;
use ecs_bg_sandbox::scenario::Scenario;
use ecs_bg_sandbox::sdk::Interfere;
use ecs_bg_sandbox::{Cloud, Time};
use serde_json::{Value, json};

use crate::support::fate::{Act, Course, Death, Fate, Moment, Outsider, When, living};

pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";

/// A world and the processes that live in it one after the other.
pub(crate) struct World {
    pub(crate) cloud: Arc<Mutex<Cloud>>,
}

/// How a process ended.
pub(crate) struct Life {
    /// `None`: it was killed.
    pub(crate) code: Option<u8>,
    /// Calls that it made, by operation.
    pub(crate) calls: BTreeMap<String, u32>,
    /// The operation of each of its calls, in their order.
    pub(crate) operations: Vec<String>,
    /// What it printed.
    pub(crate) text: String,
    /// The world at each of its calls, where that was asked for.
    pub(crate) moments: Vec<Moment>,
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
        self.live(arguments, Fate::default())
    }

    /// The same, and the world before and after each of its calls: what it would leave if it died.
    pub(crate) fn run_kept(&self, arguments: &str) -> Life {
        self.live(arguments, Fate { keeps: true, ..Fate::default() })
    }

    /// A process that dies at its `nth` call (from 1), if it makes so many.
    pub(crate) fn run_until(&self, arguments: &str, nth: u32, death: Death) -> Life {
        self.live(arguments, Fate { dies: Some((nth, death)), ..Fate::default() })
    }

    /// A process beside which an outsider does something directly before its first call at or after
    /// the given second of its life.
    pub(crate) fn run_beside(
        &self,
        arguments: &str,
        second: u64,
        outsider: impl Fn(&mut Cloud) + Send + 'static,
    ) -> Life {
        let at = When::Time(self.now() + Duration::from_secs(second));
        self.live(arguments, Fate { outsider: outside(at, outsider), ..Fate::default() })
    }

    /// The same, with an outsider who acts at each of these seconds.
    pub(crate) fn run_beside_often(
        &self,
        arguments: &str,
        seconds: impl Iterator<Item = u64>,
        outsider: impl Fn(&mut Cloud) + Send + Clone + 'static,
    ) -> Life {
        let begin = self.now();
        let act = |second| -> (When, Act) {
            (When::Time(begin + Duration::from_secs(second)), Box::new(outsider.clone()))
        };
        let outsider = Some(Outsider(Mutex::new(seconds.map(act).collect())));
        self.live(arguments, Fate { outsider, ..Fate::default() })
    }

    /// A process whose credentials do not allow some operations.
    pub(crate) fn run_denied(&self, arguments: &str, denied: &'static [&'static str]) -> Life {
        self.live(arguments, Fate { denied, ..Fate::default() })
    }

    /// A process that is told to stop, as often as said, directly before its first call at or after the
    /// given second of its life.
    pub(crate) fn run_interrupted(&self, arguments: &str, second: u64, requests: u32) -> Life {
        let (count, counted) = tokio::sync::watch::channel(0);
        let at = When::Time(self.now() + Duration::from_secs(second));
        let outsider = outside(at, move |_| {
            count.send_replace(requests);
        });
        self.live(arguments, Fate { outsider, interrupts: Some(counted), ..Fate::default() })
    }

    /// Two processes: the second one starts so many milliseconds after the first.
    pub(crate) fn run_together(&self, first: &str, second: &str, later: u64) -> [Life; 2] {
        let later = Duration::from_millis(later);
        self.live_together((first, Fate::default()), (second, Fate::default()), later)
    }

    /// A process and what happens to it.
    pub(crate) fn live(&self, arguments: &str, fate: Fate) -> Life {
        self.live_timed(arguments, fate).0
    }

    /// The same, and when it ended, in its own time.
    pub(crate) fn live_timed(&self, arguments: &str, fate: Fate) -> (Life, tokio::time::Instant) {
        // Jitter and ids come from this generator: a life is the same each time.
        fastrand::seed(self.now().0);
        runtime().block_on(async {
            let process = self.process(arguments, fate);
            let code = process.live().await;
            (process.life(code), tokio::time::Instant::now())
        })
    }

    /// Two of them. The second one starts so much later, or so long after the first one froze.
    pub(crate) fn live_together(
        &self,
        first: (&str, Fate),
        second: (&str, Fate),
        later: Duration,
    ) -> [Life; 2] {
        fastrand::seed(u64::try_from(later.as_millis()).unwrap_or(0));
        let freezes = first.1.freeze.is_some();
        runtime().block_on(async {
            let first = self.process(first.0, first.1);
            let ended = tokio::sync::Notify::new();
            let second = async {
                if freezes {
                    // One that ends before it gets so far is followed by the other all the same.
                    tokio::select! {
                        () = first.course.froze.notified() => {}
                        () = ended.notified() => {}
                    }
                }
                tokio::time::sleep(later).await;
                self.cloud().advance(first.course.now());
                let second = self.process(second.0, second.1);
                let code = second.live().await;
                second.life(code)
            };
            let one = async {
                let code = first.live().await;
                ended.notify_one();
                code
            };
            let (code, second) = tokio::join!(one, second);
            [first.life(code), second]
        })
    }

    fn process<'a>(&self, arguments: &'a str, fate: Fate) -> Process<'a> {
        let interrupts = fate.interrupts.clone();
        let course = Arc::new(Course::begin(fate, Arc::clone(&self.cloud)));
        let interfere: Arc<dyn Interfere> = Arc::clone(&course) as _;
        let (cloud, machine) = (Arc::clone(&self.cloud), course.machine);
        let sandbox = Sandbox { cloud, interfere: Some(interfere), machine };
        let (mut host, captured) = Host::captured(sandbox);
        host.interrupts = interrupts.or(host.interrupts);
        Process { arguments, course, host, captured }
    }

    /// One call by another client.
    pub(crate) fn call(&self, service: &str, operation: &str, body: &str) -> String {
        call(&mut self.cloud(), service, operation, body)
    }

    /// The changes from the `from`th on.
    /// The ARN of the listener on this port of the first load balancer.
    pub(crate) fn listener(&self, port: u16) -> String {
        let balancers = self.call("elasticloadbalancing", "DescribeLoadBalancers", "");
        let body = format!("LoadBalancerArn={}", parts(&balancers, "LoadBalancerArn").remove(0));
        let listeners = self.call("elasticloadbalancing", "DescribeListeners", &body);
        let ports = parts(&listeners, "Port");
        let at = ports.iter().position(|own| *own == port.to_string()).expect("a listener");
        parts(&listeners, "ListenerArn").remove(at)
    }

    pub(crate) fn journal(&self, from: usize) -> Vec<Entry> {
        self.cloud().journal()[from..].to_vec()
    }

    pub(crate) fn now(&self) -> Time {
        self.cloud().now()
    }
}

/// No command takes longer, whatever AWS does.
const LONGEST: Duration = Duration::from_secs(48 * 3600);

/// A process.
struct Process<'a> {
    arguments: &'a str,
    course: Arc<Course>,
    host: Host,
    captured: Captured,
}

impl Process<'_> {
    /// `None`: it was killed, or does not end.
    async fn live(&self) -> Option<u8> {
        let argv = std::iter::once("ecs-bg").chain(self.arguments.split_whitespace());
        let cli = ecs_bg::cli::parse(argv).unwrap_or_else(|error| panic!("{error}"));
        let process: Pin<Box<dyn Future<Output = u8> + '_>> =
            Box::pin(ecs_bg::execute(cli, &self.host));
        tokio::select! {
            biased;
            code = living(&self.course, process) => Some(code),
            () = self.course.dead.notified() => None,
            () = tokio::time::sleep(LONGEST) => None,
        }
    }

    fn life(&self, code: Option<u8>) -> Life {
        let (calls, moments) = (self.course.calls(), self.course.moments());
        let operations = self.course.operations();
        Life { code, calls, operations, text: self.captured.text(), moments }
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("an event loop")
}

/// An outsider, for a `Fate`.
pub(crate) fn outside(at: When, act: impl Fn(&mut Cloud) + Send + 'static) -> Option<Outsider> {
    let act: Act = Box::new(act);
    Some(Outsider(Mutex::new(VecDeque::from([(at, act)]))))
}

/// All texts between the tags of this name.
pub(crate) fn parts(text: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let parts = text.split(open.as_str()).skip(1);
    parts.map(|rest| rest.split(close.as_str()).next().unwrap_or_default().to_owned()).collect()
}

/// A deployment of the shop's service.
pub(crate) fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service web --image {REPOSITORY}:{tag} {more}")
}

/// One call by a client that is not ours: `body` is JSON for ECS and Application Auto Scaling, form parameters
/// for ELB.
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
        "application-autoscaling" => (
            request
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("AnyScaleFrontendService.{operation}")),
            body.to_owned(),
        ),
        _ => (
            request.header("content-type", "application/x-www-form-urlencoded"),
            format!("Action={operation}&Version={}&{body}", version(service)),
        ),
    };
    let request = request.body(body.into()).expect("a request");
    let now = cloud.now();
    let response = cloud.handle(now, &request);
    let text = String::from_utf8(response.body().to_vec()).expect("text");
    assert!(response.status().is_success(), "{operation}: {text}");
    text
}

/// The version of a service with the query protocol.
fn version(service: &str) -> &'static str {
    if service == "iam" { "2010-05-08" } else { "2015-12-01" }
}

/// The scenario `solo` whose container logs to CloudWatch Logs of this region.
pub(crate) fn logging(region: &str) -> String {
    format!(
        "extends = 'solo'
        [[task_definition]]
        family = 'api'
        [[task_definition.containerDefinitions]]
        name = 'api'
        image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1'
        portMappings = [{{ containerPort = 8080 }}]
        logConfiguration = {{ logDriver = 'awslogs', options = {{ awslogs-group = '/shop/api', awslogs-region = '{region}', awslogs-stream-prefix = 'p' }} }}"
    )
}

/// Another tool puts `service` on a revision of its own: what `like` runs, with this image and as
/// many tasks.
pub(crate) fn takes(cloud: &mut Cloud, service: &str, like: &str, image: &str) {
    let mut ecs = |operation: &str, body: &Value| -> Value {
        let told = call(cloud, "ecs", operation, &body.to_string());
        serde_json::from_str(&told).expect("JSON")
    };
    let described =
        ecs("DescribeServices", &json!({ "cluster": "shop", "services": [like, service] }));
    let services = described["services"].as_array().expect("services").iter();
    let count = services.filter_map(|service| service["desiredCount"].as_u64()).max();
    let runs = json!({ "taskDefinition": described["services"][0]["taskDefinition"] });
    let mut body = ecs("DescribeTaskDefinition", &runs)["taskDefinition"].take();
    let input = [
        "family",
        "cpu",
        "memory",
        "networkMode",
        "requiresCompatibilities",
        "executionRoleArn",
        "containerDefinitions",
    ];
    body.as_object_mut().expect("an object").retain(|member, _| input.contains(&member.as_str()));
    body["containerDefinitions"][0]["image"] = image.into();
    let registered = ecs("RegisterTaskDefinition", &body);
    let revision = &registered["taskDefinition"]["taskDefinitionArn"];
    let update = json!({
        "cluster": "shop", "service": service, "taskDefinition": revision, "desiredCount": count
    });
    ecs("UpdateService", &update);
}

#[expect(clippy::disallowed_methods, reason = "how long the tests take is told to who runs them")]
pub(crate) fn stopwatch() -> impl Fn() -> Duration {
    let began = std::time::Instant::now();
    move || began.elapsed()
}
