//! Generated starts of a service whose tasks ECS replaces: no hopeless one is waited out, and none
//! that only waits is given up.

use std::time::Duration;

use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::{Does, Image, Time};
use fastrand::Rng;

use crate::support::lives::{Life, World};
use crate::support::sweep::every_nth;

/// Of a registry that nobody asks before the tasks do.
const IMAGE: &str = "registry.example.com/shop/api:2";
/// From the first failure that tells enough until the way back is begun and explained.
const REACTION: Duration = Duration::from_secs(3);
/// The same where all tasks ran already and only their targets were awaited: looks are rarer then.
const LATER: Duration = Duration::from_secs(6);

/// What AWS says of tasks that can never start: before there is a container. (ECS developer guide,
/// "Stopped tasks error messages" and what is linked from there.)
const NEVER_PULLED: [&str; 14] = [
    "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref registry.example.com/shop/api:2: registry.example.com/shop/api:2: not found",
    "CannotPullContainerError: Error response from daemon: manifest unknown: manifest unknown",
    "CannotPullContainerError: ref pull has been retried 1 time(s): failed to resolve reference \"registry.example.com/shop/api:2\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
    "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull images from the registry.",
    "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform 'linux/arm64'",
    "CannotPullContainerError: invalid reference format",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-central-1:123456789012:secret:api from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key PASSWORD",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /shop/api/password",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/shop-execution/x is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:eu-central-1:123456789012:parameter/shop/api/password",
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
    "ResourceInitializationError: failed to initialize logging driver: failed to create Cloudwatch log group: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/shop-execution/x is not authorized to perform: logs:CreateLogGroup",
    "CannotCreateContainerError: Error response from daemon: create \\host\\api: the volume does not exist",
    "CannotPullContainerError: failed to register layer: exec format error",
];

/// And of containers that can never run.
const NEVER_RAN: [&str; 5] = [
    "exec /app/server: exec format error",
    "CannotStartContainerError: Error response from daemon: failed to create task for container: exec: \"srever\": executable file not found in $PATH: unknown",
    "CannotStartContainerError: Error response from daemon: failed to create shim task: exec /app/server: no such file or directory: unknown",
    "CannotStartContainerError: Error response from daemon: driver failed programming external connectivity: Bind for 0.0.0.0:8080 failed: port is already allocated",
    "CannotStartContainerError: Error response from daemon: listen tcp4 0.0.0.0:8080: bind: address already in use",
];

/// What AWS says of pulls that another time go well.
const THROTTLED: [&str; 3] = [
    "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: unexpected status code 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit",
    "CannotPullContainerError: inspect image has been retried 5 time(s): toomanyrequests: Rate exceeded",
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: ThrottlingException: Rate exceeded",
];

fn deploy(more: &str) -> String {
    format!("deploy --cluster shop --service api --image api={IMAGE} {more}")
}

fn image(does: Does, reason: Option<&str>) -> Image {
    Image { reason: reason.map(str::to_owned), ..Image::new(IMAGE, does) }
}

/// A service of some size and pace, with or without load balancer and circuit breaker.
fn service(random: &mut Rng, breaker: bool, pull: u64) -> String {
    let balancers = if random.bool() { "loadBalancers = []\n" } else { "" };
    let breaker = match breaker && random.bool() {
        true => format!(
            "deploymentConfiguration = {{ deploymentCircuitBreaker = {{ enable = true, rollback = {} }} }}\n",
            random.bool()
        ),
        false => String::new(),
    };
    format!(
        "[timing]\nprovisioning = '{}s'\npull = '{pull}s'\ndeprovisioning = '{}s'\n
         [[service]]\nserviceName = 'api'\ndesiredCount = {}\n{balancers}{breaker}",
        random.u64(2..40),
        random.u64(2..60),
        random.u32(1..7)
    )
}

fn world(toml: &str, image: Image) -> World {
    let world = World::parsed(&format!("extends = 'solo'\n{toml}"));
    world.cloud().set_image(image);
    world
}

/// When tasks that were started since `from` stopped, in order.
fn failures(world: &World, from: Time) -> Vec<Time> {
    let journal = world.journal(0);
    let fresh = |id: &String| {
        journal.iter().any(|entry| {
            entry.at > from
                && matches!(&entry.change, Change::Task { task, from, .. } if task == id && from.is_empty())
        })
    };
    let stops = |change: &Change| match change {
        Change::Task { task, to, .. } => to == "DEPROVISIONING" && fresh(task),
        _ => false,
    };
    journal.iter().filter(|entry| entry.at > from && stops(&entry.change)).map(|e| e.at).collect()
}

/// When it was told that we turn back, in seconds of its life, rounded down.
fn turned_back(life: &Life) -> Option<Duration> {
    let mut events =
        life.text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = events.find(|event| event["event"] == "rolling-back")?;
    Some(Duration::from_secs(told["elapsed_seconds"].as_u64()?))
}

/// Runs it, and tells how long after the `nth` failure (from 0) the way back was begun.
fn given_up(world: &World, cause: &str, nth: usize) -> Result<Duration, String> {
    let from = world.now();
    let life = world.run(&deploy("--output json"));
    let wrong = |what: String| Err(format!("{what}\n{cause}\n{}", life.text));
    if life.code != Some(1) {
        return wrong(format!("exit code {:?}", life.code));
    }
    let told = serde_json::Value::from(cause).to_string();
    if !life.text.contains(told.trim_matches('"')) {
        return wrong("the reason is not told".into());
    }
    let failures = failures(world, from);
    match (failures.get(nth), turned_back(&life)) {
        (Some(failure), Some(back)) => Ok(back.saturating_sub(*failure - from)),
        // With a circuit breaker one failure may be all that there is.
        other => wrong(format!("{other:?} of {failures:?}")),
    }
}

fn quick(seed: u64, world: &World, cause: &str, nth: usize, bound: Duration) -> Duration {
    let late = given_up(world, cause, nth).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    assert!(late <= bound, "seed {seed}: {late:?} after a failure: {cause}");
    late
}

#[test]
fn no_hopeless_start_is_waited_out() {
    let mut late = Vec::new();
    for seed in every_nth("starts that cannot succeed", 0..95) {
        let mut random = Rng::with_seed(seed);
        let pull = random.u64(1..120);
        let toml = service(&mut random, true, pull);
        // Each of them five times.
        let index = usize::try_from(seed).expect("small") % (NEVER_PULLED.len() + NEVER_RAN.len());
        let (does, reason) = match index.checked_sub(NEVER_PULLED.len()) {
            None => (Does::Missing, NEVER_PULLED[index]),
            Some(index) => (Does::Exit, NEVER_RAN[index]),
        };
        let world = world(&toml, image(does, Some(reason)));
        late.push(quick(seed, &world, reason, 0, REACTION));
    }
    late.sort();
    println!("{} hopeless starts, given up {:?} late at most", late.len(), late.last());
}

/// Before it can have been healthy: then one exit may be an accident, two are none.
#[test]
fn no_second_exit_with_the_same_code_is_waited_out() {
    for seed in every_nth("exits with one code", 0..50) {
        let mut random = Rng::with_seed(seed);
        let pull = random.u64(1..60);
        let toml = service(&mut random, true, pull);
        let code = random.i32(1..126);
        let after = Duration::from_secs(random.u64(0..5));
        let exits = Image { code: Some(code), after: Some(after), ..image(Does::Exit, None) };
        let world = world(&toml, exits);
        quick(seed, &world, &format!("exited with code {code}"), 1, LATER);
    }
}

/// ECS itself tries less and less often, up to 15 minutes apart.
fn patience(obstacle: u64, pull: u64) -> u64 {
    obstacle + 900 + pull + 300
}

fn goes_live(seed: u64, world: &World, options: &str) {
    let life = world.run(&deploy(options));
    assert_eq!(life.code, Some(0), "seed {seed}, {options}: {}", life.text);
}

#[test]
fn a_shortage_of_any_length_is_waited_out() {
    for seed in every_nth("shortages", 0..12) {
        let mut random = Rng::with_seed(seed);
        let (pull, until) = (random.u64(1..60), random.u64(1..900));
        let zones = ["a", "b"].map(|az| format!("[[capacity]]\nname = '{az}'\naz = '{az}'\n"));
        let [both, partly] = [until, random.u64(1..=until)];
        let toml = format!(
            "{}{}until = '{both}s'\n{}until = '{partly}s'\n",
            service(&mut random, true, pull),
            zones[0],
            zones[1]
        );
        let world = world(&toml, image(Does::Serve, None));
        goes_live(seed, &world, &format!("--timeout {}s", patience(until, pull)));
    }
}

#[test]
fn a_slow_pull_is_waited_out() {
    for seed in every_nth("slow pulls", 0..12) {
        let mut random = Rng::with_seed(seed);
        let pull = random.u64(60..840);
        let world = world(&service(&mut random, true, pull), image(Does::Serve, None));
        // The default timeout.
        goes_live(seed, &world, "");
    }
}

#[test]
fn a_throttled_pull_is_waited_out() {
    for seed in every_nth("throttled pulls", 0..12) {
        let mut random = Rng::with_seed(seed);
        let (pull, until) = (random.u64(1..30), random.u64(1..600));
        let reason = THROTTLED[random.usize(..THROTTLED.len())];
        let world = world(&service(&mut random, false, pull), image(Does::Missing, Some(reason)));
        let options = format!("--timeout {}s", patience(until, pull));
        let life = world.run_beside(&deploy(&options), until, |cloud| {
            cloud.set_image(image(Does::Serve, None));
        });
        assert_eq!(life.code, Some(0), "seed {seed}, {until} s: {}", life.text);
    }
}

#[test]
fn what_never_comes_is_awaited_until_the_timeout_and_not_longer() {
    for seed in every_nth("capacity that never comes", 0..12) {
        let mut random = Rng::with_seed(seed);
        let timeout = random.u64(30..1200);
        let nowhere = "[[capacity]]\nname = 'a'\naz = 'a'\n[[capacity]]\nname = 'b'\naz = 'b'\n";
        let toml = format!("{}{nowhere}", service(&mut random, true, 10));
        let world = world(&toml, image(Does::Serve, None));
        let life = world.run(&deploy(&format!("--timeout {timeout}s --output json")));
        assert_eq!(life.code, Some(1), "seed {seed}: {}", life.text);
        let back = turned_back(&life).expect("the way back").as_secs();
        // What is told is rounded down.
        assert!(
            (timeout - 1..timeout + 10).contains(&back),
            "seed {seed}: {back} s of {timeout} s"
        );
        assert!(life.text.contains("Capacity is unavailable"), "seed {seed}: {}", life.text);
    }
}
