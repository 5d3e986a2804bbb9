//! Requests to stop are heard in every wait. Outside the loop a command that waits for AWS ends within 2 s.

use std::time::Duration;

use ecs_bg_sandbox::faults::Order;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;
use serde_json::json;

use crate::support::fate::{Death, Fate, When, is_read};
use crate::support::invariants::serves;
use crate::support::lives::{Life, REPOSITORY, World, deploy, outside};

const PAIR: &str = "--cluster shop --service web";
/// What a command may take after the first request.
const LIMIT: Duration = Duration::from_secs(2);

/// A process that the user asks to stop once, a second after its `nth` call was sent, and again after
/// `again` if at all. All its calls from then on have this fate. How it ended, and how long after the
/// last request.
fn interrupted(
    world: &World,
    arguments: &str,
    nth: u32,
    again: Option<Duration>,
    fate: Interference,
) -> (Life, Duration) {
    let (count, counted) = tokio::sync::watch::channel(0);
    let (tell, told) = std::sync::mpsc::channel();
    let outsider = outside(When::Call(nth), move |_| {
        let (count, tell) = (count.clone(), tell.clone());
        tokio::spawn(async move {
            for wait in [Some(Duration::from_secs(1)), again].into_iter().flatten() {
                tokio::time::sleep(wait).await;
                count.send_modify(|count| *count += 1);
                let _ = tell.send(tokio::time::Instant::now());
            }
            // Who can ask is there to the end.
            std::future::pending::<()>().await;
            drop(count);
        });
    });
    let since = Some((nth, fate));
    let fate = Fate { since, outsider, interrupts: Some(counted), ..Fate::default() };
    let (life, ended) = world.live_timed(arguments, fate);
    let asked = told.try_iter().last().expect("it was asked to stop");
    (life, ended - asked)
}

fn commands() -> Vec<String> {
    vec![
        deploy("2", ""),
        format!("plan {PAIR} --image {REPOSITORY}:2"),
        format!("status {PAIR}"),
        format!("rollback {PAIR}"),
        format!("rollback {PAIR} --to web-green"),
        format!("resume {PAIR}"),
        format!("register --family web --image {REPOSITORY}:2"),
        format!("run {PAIR} --command serve"),
        "sweep --cluster shop".to_owned(),
        "ecr login".to_owned(),
        format!("ecs-deploy -c shop -n web -i {REPOSITORY}:2"),
        format!("ecs-deploy -d web -i {REPOSITORY}:2"),
    ]
}

/// The calls of a command up to its first change, that one not counted.
fn reads(command: &str) -> u32 {
    let moments = World::new("shop").run_kept(command).moments;
    let change =
        moments.iter().find(|moment| !is_read(&moment.operation) && !is_login(&moment.operation));
    change.or(moments.last()).map_or(0, |moment| moment.nth - u32::from(change.is_some()))
}

fn is_login(operation: &str) -> bool {
    operation.starts_with("Get")
}

#[test]
fn what_waits_for_an_answer_before_its_first_change_ends_at_the_first_request() {
    for command in commands() {
        let reads = reads(&command);
        assert!(reads > 0, "{command}");
        for nth in 1..=reads {
            let world = World::new("shop");
            let (life, took) = interrupted(&world, &command, nth, None, Interference::LoseAnswer);
            let what =
                format!("{command}, call {nth}: {:?} after {took:?}\n{}", life.code, life.text);
            let code = if command.starts_with("ecs-deploy") { 20 } else { 3 };
            assert_eq!(life.code, Some(code), "{what}");
            assert!(took < LIMIT, "{what}");
            assert!(
                life.text.contains("error: interrupted; nothing was changed\nhint: "),
                "{what}"
            );
            assert!(world.journal(0).iter().all(|entry| entry.call.is_none()), "{what}");
        }
    }
}

#[test]
fn a_wait_between_attempts_hears_it_too() {
    let (life, took) =
        interrupted(&World::new("shop"), &deploy("2", ""), 3, None, Interference::ResetBefore);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(took < LIMIT, "{took:?}");
}

#[test]
fn a_json_outcome_says_that_it_was_interrupted() {
    let command = deploy("2", "--output json");
    let (life, _) = interrupted(&World::new("shop"), &command, 2, None, Interference::LoseAnswer);
    let last = life.text.lines().find(|line| line.contains("outcome")).expect("an outcome");
    assert!(last.contains(r#""exit_code":3"#) && last.contains(r#""interrupted":true"#), "{last}");
}

/// The revisions that are registered and were not there when the world began.
fn left(world: &World) -> usize {
    let journal = world.journal(0);
    let count = |is: fn(&Change) -> bool| journal.iter().filter(|entry| is(&entry.change)).count();
    count(|change| matches!(change, Change::Registered { .. }))
        - count(|change| matches!(change, Change::Deregistered { .. }))
}

#[test]
fn what_was_registered_is_taken_away_or_named() {
    let commands = [
        deploy("2", ""),
        format!("register --family web --image {REPOSITORY}:2"),
        format!("ecs-deploy -d web -i {REPOSITORY}:2"),
    ];
    for command in commands {
        let moments = World::new("shop").run_kept(&command).moments;
        let registers = moments.iter().find(|moment| moment.operation == "RegisterTaskDefinition");
        let first = registers.expect("a registration").nth;
        let update =
            moments.iter().find(|moment| moment.nth > first && moment.operation == "ModifyRule");
        let last = update.or(moments.last()).expect("a call").nth.min(first + 2);
        for nth in first..=last {
            // Answers that come late, and none at all.
            for fate in [Interference::Slow(Duration::from_millis(1200)), Interference::LoseAnswer]
            {
                let world = World::new("shop");
                let silent = fate == Interference::LoseAnswer;
                let (life, took) = interrupted(&world, &command, nth, None, fate);
                let what = format!(
                    "{command}, call {nth}, silent {silent}: {:?} after {took:?}\n{}",
                    life.code, life.text
                );
                assert!(took < LIMIT, "{what}");
                assert!(life.text.contains("interrupted"), "{what}");
                match left(&world) {
                    0 => {}
                    _ => {
                        assert!(silent, "an AWS that answers: {what}");
                        let code = if command.starts_with("ecs-deploy") { 20 } else { 4 };
                        assert_eq!(life.code, Some(code), "{what}");
                        assert!(life.text.contains("registered"), "{what}");
                    }
                }
                if !silent && !command.starts_with("ecs-deploy") {
                    assert_eq!(life.code, Some(3), "{what}");
                }
                // Whatever is left, it stands in nobody's way.
                world.wait(200);
                let next = world.run(&deploy("2", ""));
                assert_eq!(next.code, Some(0), "{what}\n{}", next.text);
            }
        }
    }
}

/// A deployment whose process dies in its bake.
fn half_done() -> World {
    let world = World::new("shop");
    let whole = World::new("shop").run_kept(&deploy("2", "--bake 10m"));
    let moved =
        whole.moments.iter().find(|moment| moment.operation == "ModifyRule").expect("moved").nth;
    assert_eq!(
        world.run_until(&deploy("2", "--bake 10m"), moved + 8, Death::BeforeSend).code,
        None
    );
    world
}

#[test]
fn waiting_for_another_owner_hears_it() {
    let whole = half_done().run(&deploy("5", "--on-conflict wait"));
    assert!(whole.text.contains("another process drives web:2"), "{}", whole.text);
    let world = half_done();
    let from = world.cloud().journal().len();
    let before = tags(&world);
    let life = world.run_interrupted(&deploy("5", "--on-conflict wait"), 20, 1);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("interrupted; nothing was changed"), "{}", life.text);
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "{}", life.text);
    assert_eq!(tags(&world), before);
}

fn tags(world: &World) -> Option<String> {
    let journal = world.journal(0);
    let owner = |entry: &ecs_bg_sandbox::journal::Entry| match &entry.change {
        Change::Tagged { tags, .. } => tags.get("ecs-bg:owner").cloned(),
        _ => None,
    };
    journal.iter().filter_map(owner).next_back()
}

#[test]
fn who_is_interrupted_while_taking_over_gives_the_record_back() {
    let resume = format!("resume {PAIR} --on-conflict supersede");
    let world = half_done();
    let before = tags(&world).expect("an owner");
    let moments = world.run_kept(&resume).moments;
    let owned = moments.iter().find(|moment| moment.operation == "TagResource").expect("owned").nth;
    for nth in owned..owned + 2 {
        let world = half_done();
        let slow = Interference::Slow(Duration::from_millis(1));
        let (life, took) = interrupted(&world, &resume, nth, None, slow);
        assert_eq!(life.code, Some(3), "{nth}: {}", life.text);
        assert!(took < LIMIT, "{took:?}");
        let id = |owner: &str| owner.split(' ').next().map(str::to_owned);
        let after = tags(&world).expect("an owner");
        assert_eq!(id(&after), id(&before), "{nth}: {}", life.text);
    }
}

#[test]
fn a_second_request_ends_the_loop_wherever_it_is() {
    let whole = World::new("shop").run_kept(&deploy("2", ""));
    let from = whole
        .moments
        .iter()
        .find(|moment| moment.operation == "UpdateService")
        .expect("launched")
        .nth;
    let all: u32 = whole.calls.values().sum();
    for nth in (from..all).step_by(3) {
        let world = World::new("shop");
        let again = Some(Duration::from_millis(500));
        let (life, took) =
            interrupted(&world, &deploy("2", ""), nth, again, Interference::LoseAnswer);
        let what = format!("call {nth}: {:?} after {took:?}\n{}", life.code, life.text);
        assert!(took < Duration::from_millis(50), "{what}");
        assert_eq!(life.code, Some(130), "{what}");
        // On the way back the command that waits for nobody.
        let goes_on = ["resume", "abort"];
        let hinted =
            goes_on.iter().any(|verb| life.text.contains(&format!("\nhint: ecs-bg {verb} ")));
        assert!(life.text.contains("  traffic   ") && hinted, "{what}");
    }
}

#[test]
fn a_second_request_does_not_wait_for_what_the_first_one_cleans_up() {
    let command = deploy("2", "");
    let moments = World::new("shop").run_kept(&command).moments;
    let registers = moments.iter().find(|moment| moment.operation == "RegisterTaskDefinition");
    let nth = registers.expect("a registration").nth;
    let again = Some(Duration::from_millis(200));
    let (life, took) =
        interrupted(&World::new("shop"), &command, nth, again, Interference::LoseAnswer);
    assert_eq!(life.code, Some(130), "{}", life.text);
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert!(life.text.contains("\nhint: aws ecs list-task-definitions"), "{}", life.text);
}

#[test]
fn last_words_that_do_not_come_are_done_without() {
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'exit'\ncode = 1\nlogs = ['bye']",
    );
    let whole = world.run_kept(&deploy("2", ""));
    let Some(read) = whole.moments.iter().find(|moment| moment.operation == "GetLogEvents") else {
        // A build without logs reads none.
        return;
    };
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'exit'\ncode = 1\nlogs = ['bye']",
    );
    let (life, took) =
        interrupted(&world, &deploy("2", ""), read.nth, None, Interference::LoseAnswer);
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(took < LIMIT, "{took:?}");
}

#[cfg(unix)]
mod process {
    use std::io::Read;
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::support::lives::stopwatch;

    fn signal(child: &Child, name: &str) {
        let id = child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }

    /// An endpoint that takes connections and answers nothing.
    #[test]
    fn a_real_process_at_an_endpoint_that_never_answers_ends_at_a_signal() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        for name in ["-INT", "-TERM"] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-bg"))
                .args(["deploy", "--cluster", "shop", "--service", "web", "--tag", "shop/web=2"])
                .env_clear()
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .envs([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")])
                .envs([("AWS_REGION", "eu-central-1")])
                .env("AWS_ENDPOINT_URL", format!("http://{address}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("started");
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 1024]).expect("a request");
            let time = stopwatch();
            signal(&child, name);
            let status = child.wait().expect("its end");
            assert!(time() < LIMIT, "{:?}", time());
            assert_eq!(status.code(), Some(3));
            let mut text = String::new();
            child.stderr.take().expect("its errors").read_to_string(&mut text).expect("text");
            assert!(text.starts_with("error: interrupted; nothing was changed\n"), "{text}");
        }
    }
}

/// What had to be over before ours ends in its own way, and ours did not begin.
#[test]
fn who_is_interrupted_while_another_deployment_is_finished_has_deployed_nothing() {
    let lost = |scenario: &str, nth: u64, first: &str| {
        let world = World::new(scenario);
        let order =
            json!({"operation": "TagResource", "nth": nth, "times": 1_000_000, "does": "denied"});
        let order: Order = serde_json::from_value(order).expect("an order");
        world.cloud().set_faults(vec![order]).expect("faults");
        let life = world.run(first);
        assert_eq!(life.code, Some(0), "{}", life.text);
        world.cloud().set_faults(vec![]).expect("no faults");
        world.wait(600);
        world
    };
    let alone = "deploy --cluster shop --service api --tag";
    let solo = lost("solo", 2, &format!("{alone} 2"));
    let pair = lost("shop", 4, &deploy("2", "--bake 20s --follow 30s"));
    let again = deploy("2", "--bake 20s --follow 30s --env web:A=b");
    for (world, command, is_slow) in
        [(solo, format!("{alone} 2 --env A=b"), true), (pair, again, false)]
    {
        let mut cut_short = 0;
        for second in 0..150 {
            let world = World::of(world.cloud().clone());
            let life = world.run_interrupted(&command, second, 1);
            let is_ours = life.text.contains("registered ");
            assert!(is_ours || matches!(life.code, Some(3 | 4)), "{second}: {}", life.text);
            cut_short += u32::from(!is_ours && life.code == Some(4));
            // What served before serves on.
            let gone = life.text.contains("1 serves in ");
            assert!(!gone, "{second}: {}", life.text);
        }
        assert!(cut_short > 0 || !is_slow, "{command}");
    }
}

/// It is over then: what comes next must not take it for a deployment on its way back.
#[test]
fn who_is_interrupted_after_the_end_has_not_turned_back() {
    let command = deploy("2", "--keep-old --bake 20s --follow 30s");
    let full = World::new("shop").run(&command);
    assert_eq!(full.code, Some(0), "{}", full.text);
    let calls = u32::try_from(full.operations.len()).expect("calls");
    let mut live = 0;
    for nth in calls.saturating_sub(20)..=calls {
        for on_cancel in ["", " --on-cancel hold"] {
            let world = World::new("shop");
            let (count, counted) = tokio::sync::watch::channel(0);
            let outsider = outside(When::Call(nth), move |_| {
                count.send_replace(1);
            });
            let fate = Fate { outsider, interrupts: Some(counted), ..Fate::default() };
            let life = world.live(&format!("{command}{on_cancel}"), fate);
            if life.code != Some(0) {
                continue;
            }
            live += 1;
            assert!(!life.text.contains("rolling back"), "{nth}: {}", life.text);
            world.wait(3600);
            let retired = world.run(&format!("retire {PAIR}"));
            assert_eq!(retired.code, Some(0), "{nth}: {}{}", life.text, retired.text);
            serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2)
                .unwrap_or_else(|why| panic!("{nth}: {why}\n{}{}", life.text, retired.text));
        }
    }
    assert!(live > 0, "no request came after the end");
}
