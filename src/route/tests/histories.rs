//! Generated histories of tasks that fail and of targets that are not healthy: no start that cannot succeed
//! is waited out, and none that can is given up. `HISTORIES` says how many; `just sweeps` tries 100,000.

use fastrand::Rng;

use super::*;
use crate::event::Cause;
use crate::model::health::Outlook;
use crate::model::world::Container;

const DEFAULT: u64 = 5_000;
/// The default timeout.
const TIMEOUT: u64 = 900;

/// Reasons of AWS and of container engines, with `NAME` in place of names that people give, after which
/// another start ends the same way.
const HOPELESS: [&str; 19] = [
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref registry.example.com/NAME:2: registry.example.com/NAME:2: not found",
    "CannotPullContainerError: Error response from daemon: manifest for NAME/api:2 not found: manifest unknown: manifest unknown",
    "CannotPullContainerError: pull access denied for NAME/api, repository does not exist or may require 'docker login'",
    "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull images from the registry.",
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/arm64'",
    "CannotPullContainerError: invalid reference format",
    "InternalError: failed to normalize image reference \"NAME\"",
    "ResourceInitializationError: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:NAME from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    "ResourceInitializationError: unable to retrieve secret from asm: retrieved secret from Secrets Manager did not contain json key NAME",
    "ResourceInitializationError: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: NAME",
    "ResourceInitializationError: unable to retrieve secrets from ssm: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/NAME/x is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:eu-central-1:123456789012:parameter/NAME",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
    "CannotCreateContainerError: Error response from daemon: create \\host\\api: the volume does not exist",
    "CannotPullContainerError: failed to register layer: exec format error",
    "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/NAME' that was provided for this task.",
    "CannotStartContainerError: Error response from daemon: failed to create task for container: exec: \"NAME\": executable file not found in $PATH: unknown",
    "CannotStartContainerError: failed to create shim task: exec /NAME/server: no such file or directory: unknown",
    "CannotStartContainerError: driver failed programming external connectivity on endpoint api: Bind for 0.0.0.0:8080 failed: port is already allocated",
    "CannotStartContainerError: listen tcp4 0.0.0.0:8080: bind: address already in use",
];

/// What comes and goes.
const PASSING: [&str; 14] = [
    "CannotPullContainerError: ref pull has been retried 1 time(s): failed to resolve ref docker.io/NAME:2: failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit",
    "CannotPullContainerError: inspect image has been retried 5 time(s): toomanyrequests: Rate exceeded",
    "ResourceInitializationError: failed to fetch secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:NAME from secrets manager: ThrottlingException: Rate exceeded",
    "Capacity is unavailable at this time. Please try again later or in a different availability zone.",
    "RESOURCE:CPU",
    "RESOURCE:MEMORY",
    "RESOURCE:ENI",
    "RESOURCE:GPU",
    "RESOURCE:PORTS",
    "You've reached the limit on the number of vCPUs you can run concurrently",
    "Timeout waiting for network interface provisioning to complete.",
    "InternalError: unable to create container: NAME",
    "CannotPullContainerError: failed to resolve ref docker.io/NAME:2: unexpected status: 503 Service Unavailable",
    "No active instances in the Auto Scaling group of capacity provider NAME",
];

/// What may be an accident.
const DOUBTFUL: [&str; 8] = [
    "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting fs-0abc.efs.eu-central-1.amazonaws.com:/NAME failed, reason given by server: No such file or directory'",
    "CannotStartContainerError: failed to initialize logging driver: dial tcp 127.0.0.1:24224: connect: connection refused",
    "CannotPullContainerError: failed to do request: Head \"https://registry.example.com/v2/NAME/manifests/2\": x509: certificate signed by unknown authority",
    "CannotPullContainerError: write /NAME/x: no space left on device",
    "ResourceInitializationError: unable to pull secrets or registry auth: There is a connection issue between the task and Amazon ECR. Check your task network configuration.",
    "CannotPullContainerError: failed to copy: httpReadSeeker: dial tcp 52.216.1.1:443: i/o timeout",
    "ResourceInitializationError: failed to download env files: file download command: non empty error stream",
    "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s",
];

/// What people call things.
const NAMES: [&str; 8] = [
    "shop/api",
    "shop/throttle",
    "throttle-limit",
    "not-found/api",
    "shop/internal-error",
    "quota/rate-limit",
    "shop/accessdenied",
    "no-such-host/x509",
];

/// Codes that containers exit with; a start that does so may be an accident, once.
const EXITS: [i32; 9] = [0, 1, 2, 126, 127, 134, 137, 139, 143];

/// What the load balancer says of targets that are not healthy, and whether checks found it.
const UNHEALTHY: [(&str, &str); 3] = [
    ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"),
    ("Target.Timeout", "Request timed out"),
    ("Target.FailedHealthChecks", "Health checks failed"),
];

/// What one target does from the look on at which it appears.
#[derive(Clone, Copy, Debug)]
enum Stands {
    Nowhere,
    Waits(&'static str),
    Unhealthy(usize),
    Outside,
}

/// What is known of the failures so far, by who wrote them.
#[derive(Default)]
struct Known {
    hopeless: bool,
    doubtful: usize,
    exits: BTreeSet<i32>,
    repeated: bool,
    any: bool,
}

struct History {
    model: Model,
    side: &'static str,
    desired: u32,
    known: Known,
    tasks: Vec<Task>,
    stands: Stands,
    appears: Option<Duration>,
}

impl History {
    fn new(random: &mut Rng) -> Self {
        let desired = random.u32(1..12);
        let alone = random.bool();
        let (mut model, side) = match alone {
            true => (Model::replacing(0, desired, desired as usize), BLUE),
            false => (Model::new(&[(100, 0)]), GREEN),
        };
        let revision = model.record.revision.clone();
        let service = model.side(side);
        (service.desired, service.revision) = (desired, revision.clone());
        service.grace = Duration::from_secs(random.u64(0..60));
        let ours = &mut service.deployments[0];
        (ours.revision, ours.desired, ours.running) = (revision, desired, 0);
        ours.rollout = Some("IN_PROGRESS".into());
        model.record.count = desired;
        model.side(BLUE).desired = desired;
        model.watch = Watch::new(model.world.at);
        let stands = match random.u8(..8) {
            0 => Stands::Waits("Elb.RegistrationInProgress"),
            1 => Stands::Waits("Elb.InitialHealthChecking"),
            2 | 3 => Stands::Unhealthy(random.usize(..UNHEALTHY.len())),
            4 => Stands::Outside,
            _ => Stands::Nowhere,
        };
        let mut history = Self {
            model,
            side,
            desired,
            known: Known::default(),
            tasks: vec![],
            stands,
            appears: None,
        };
        if alone {
            history.model.world.health.insert(format!("group:{side}"), vec![]);
        }
        history
    }

    fn task(&self, reason: &str, exit: Option<i32>) -> Task {
        let stop = if exit.is_some() { "EssentialContainerExited" } else { "TaskFailedToStart" };
        let container = Container {
            name: "web".into(),
            image: "x:1".into(),
            digest: None,
            exit_code: exit,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            essential: Some(true),
        };
        Task {
            arn: format!("task-{}", self.tasks.len()),
            revision: self.model.record.revision.clone(),
            last_status: "STOPPED".into(),
            desired_status: "STOPPED".into(),
            commanded: None,
            started_by: None,
            created: Some(self.model.world.at),
            stopping: None,
            stop_code: Some(stop.into()),
            stopped_reason: Some(
                if exit.is_some() { "Essential container in task exited" } else { reason }.into(),
            ),
            containers: vec![container],
            endpoints: vec![],
        }
    }

    fn fails(&mut self, random: &mut Rng, only_passing: bool) {
        self.known.any = true;
        let pick = |random: &mut Rng, list: &[&str]| {
            let name = NAMES[random.usize(..NAMES.len())];
            list[random.usize(..list.len())].replace("NAME", name)
        };
        let (reason, exit) = match random.u8(..20) {
            _ if only_passing => (pick(random, &PASSING), None),
            0 => {
                self.known.hopeless = true;
                // Some of them end with an exit code, too.
                let exit = random.bool().then_some(127);
                (pick(random, &HOPELESS), exit)
            }
            1..=3 => {
                self.known.doubtful += 1;
                (pick(random, &DOUBTFUL), None)
            }
            4 | 5 => {
                let code = EXITS[random.usize(..EXITS.len())];
                self.known.doubtful += 1;
                self.known.repeated |= !self.known.exits.insert(code);
                (String::new(), Some(code))
            }
            _ => (pick(random, &PASSING), None),
        };
        let task = self.task(&reason, exit);
        self.tasks.push(task);
    }

    /// So much later something of ours may stand in the target group, and more tasks have failed.
    fn look(&mut self, time: Duration) -> Next {
        self.model.world.at += time;
        let mut tasks = self.tasks.clone();
        let (state, reason, description) = match self.stands {
            Stands::Nowhere => ("", "", ""),
            Stands::Waits(reason) => ("initial", reason, ""),
            Stands::Unhealthy(index) => ("unhealthy", UNHEALTHY[index].0, UNHEALTHY[index].1),
            Stands::Outside => (
                "unused",
                "Target.NotInUse",
                "Target is in an Availability Zone that is not enabled for the load balancer",
            ),
        };
        if self.appears.is_some() && !state.is_empty() {
            let mut runs = self.task("", None);
            (runs.arn, runs.last_status, runs.desired_status) =
                ("runs".into(), "RUNNING".into(), "RUNNING".into());
            (runs.stop_code, runs.stopped_reason) = (None, None);
            runs.containers.clear();
            runs.endpoints = vec![("10.0.0.7".into(), None)];
            tasks.push(runs);
            let target = Target {
                id: "10.0.0.7".into(),
                port: 80,
                state: state.into(),
                reason: Some(reason.into()),
                description: Some(description.into()),
            };
            self.model.world.health.insert(format!("group:{}", self.side), vec![target]);
        }
        self.model.world.tasks.insert(format!("arn:{}", self.side), tasks);
        self.model.watch.see(&self.model.record, &self.model.world);
        decide(&self.model.view()).1
    }

    /// Why it has to roll back by now, if it has to.
    fn wrong(&self) -> Option<Reason> {
        let limit = (self.desired as usize).div_ceil(2).max(3);
        let known = &self.known;
        if known.hopeless || known.repeated || known.doubtful >= limit {
            return Some(Reason::Tasks);
        }
        let since = self.appears?;
        let stood = self.now() - since;
        let grace = self.model.world.service(self.side).map_or(Duration::ZERO, |one| one.grace);
        match self.stands {
            Stands::Outside => Some(Reason::Sick),
            // The first of two checks may fall on its registration.
            Stands::Unhealthy(_) if stood >= grace + Duration::from_secs(10) => Some(Reason::Sick),
            _ => None,
        }
    }

    fn now(&self) -> Duration {
        self.model.world.at.duration_since(at(0)).unwrap_or_default()
    }
}

/// One history; what it ended with.
fn lives(seed: u64) -> Option<Reason> {
    let mut random = Rng::with_seed(seed);
    let mut history = History::new(&mut random);
    let only_passing = random.u8(..4) == 0;
    let start = history.now();
    let appears_at = random.usize(..4);
    for turn in 0.. {
        for _ in 0..random.usize(..4) {
            history.fails(&mut random, only_passing);
        }
        let time = Duration::from_secs(random.u64(1..90));
        if turn == appears_at && !matches!(history.stands, Stands::Nowhere) {
            history.appears = Some(history.now() + time);
        }
        let late = history.now() + time - start >= Duration::from_secs(TIMEOUT);
        if late && history.appears.is_some() {
            // What runs is progress: when that has lasted too long is another rule.
            return None;
        }
        let next = history.look(time);
        let told = || format!("seed {seed}, turn {turn}: {next:?}\n{:#?}", history.tasks);
        match (history.wrong(), &next) {
            (Some(reason), Next::TurnBack(trouble)) => {
                assert_eq!(trouble.reason, reason, "{}", told());
                if let (true, Cause::Tasks { task, .. }) = (history.known.hopeless, &trouble.cause)
                {
                    assert_eq!(task.outlook, Outlook::Hopeless, "{}", told());
                    assert!(task.meaning.is_some(), "{}", told());
                }
                return Some(reason);
            }
            (None, Next::TurnBack(trouble)) if late => {
                assert_eq!(trouble.reason, Reason::Deadline, "{}", told());
                let Cause::NoProgress { task, .. } = &trouble.cause else { panic!("{}", told()) };
                assert_eq!(task.is_some(), history.known.any, "{}", told());
                return Some(Reason::Deadline);
            }
            (None, Next::Wait(_)) if !late => {}
            (wrong, _) => panic!("{wrong:?}: {}", told()),
        }
    }
    None
}

#[test]
fn no_hopeless_start_is_waited_out_and_no_waiting_one_is_given_up() {
    let count =
        std::env::var("HISTORIES").map_or(DEFAULT, |count| count.parse().expect("a number"));
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..count {
        *ends.entry(format!("{:?}", lives(seed))).or_default() += 1;
    }
    // Each end is reached often enough to say something.
    for reason in [Reason::Tasks, Reason::Sick, Reason::Deadline] {
        let reached = ends.get(&format!("{:?}", Some(reason))).copied().unwrap_or(0);
        assert!(reached * 50 >= count, "{reason:?}: {ends:?}");
    }
}
