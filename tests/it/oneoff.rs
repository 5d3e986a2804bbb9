//! One-off tasks: one is started and not two, whatever becomes of an answer; and they end as asked.

use std::sync::Arc;

use ecs_bg::aws::{Aws, Connection};
use ecs_bg::clock::Clock;
use ecs_bg_sandbox::Time;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::{InProcess, Interference};

use crate::support::fate::Fate;
use crate::support::lives::{Life, World, call, runtime};

const RUN: &str = "run --cluster shop --service api --command";

fn world() -> World {
    World::parsed(
        "extends = 'solo'\n[[image]]\nref = 'shop/api:1'\ncommand = 'migrate'\ndoes = 'exit'\ncode = 7\nafter = '30s'\n",
    )
}

/// Tasks that began since the `from`th change, and those that stopped.
fn tasks(world: &World, from: usize) -> (usize, usize) {
    let journal = world.journal(from);
    let count = |status: &str| {
        let is = |change: &Change| matches!(change, Change::Task { to, .. } if to == status);
        journal.iter().filter(|entry| is(&entry.change)).count()
    };
    (count("PROVISIONING"), count("STOPPED"))
}

#[test]
fn one_task_is_started_whatever_becomes_of_an_answer() {
    let calls: u32 = world().run(&format!("{RUN} migrate")).calls.values().sum();
    assert!((4..40).contains(&calls), "{calls} calls");
    let error = Interference::Error {
        status: 500,
        code: "ServerException".into(),
        message: "Service Unavailable. Please try again later.".into(),
    };
    for nth in (1..=calls).step_by(3) {
        for once in [Interference::LoseAnswer, Interference::LoseRequest, error.clone()] {
            let world = world();
            let from = world.cloud().journal().len();
            let life = world.live(
                &format!("{RUN} migrate"),
                Fate { once: Some((nth, once.clone())), ..Fate::default() },
            );
            // The first call of all says at once that nobody answers.
            if nth == 1 && life.code == Some(3) {
                assert_eq!(tasks(&world, from), (0, 0));
                continue;
            }
            assert_eq!(life.code, Some(7), "{once:?} at call {nth}: {}", life.text);
            assert_eq!(tasks(&world, from), (1, 1), "{once:?} at call {nth}: {}", life.text);
        }
    }
}

#[test]
fn a_request_to_stop_stops_the_task_or_leaves_it() {
    for second in [1, 15, 40, 90] {
        let world = world();
        let from = world.cloud().journal().len();
        let life = world.run_interrupted(&format!("{RUN} serve"), second, 1);
        assert_eq!(life.code, Some(130), "{}", life.text);
        world.wait(120);
        assert_eq!(tasks(&world, from), (1, 1), "at {second}: {}", life.text);
        let held = self::world();
        let from = held.cloud().journal().len();
        let life = held.run_interrupted(&format!("{RUN} serve --on-cancel hold"), second, 1);
        assert_eq!(life.code, Some(130), "{}", life.text);
        held.wait(120);
        assert_eq!(tasks(&held, from), (1, 0), "at {second}: {}", life.text);
    }
}

#[test]
fn several_tasks_end_with_the_worst_code() {
    let world = world();
    let life = world.run(&format!("{RUN} migrate --count 3"));
    assert_eq!(life.code, Some(7), "{}", life.text);
    assert!(life.text.contains("exited with code 7, 7, 7"), "{}", life.text);
    assert_eq!(life.calls["RunTask"], 1);
}

#[test]
fn what_may_not_be_done_is_said() {
    let life = world().run_denied(&format!("{RUN} migrate"), &["RunTask"]);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("hint: allow"), "{}", life.text);
    let life = world().run_denied(&format!("{RUN} migrate"), &["DescribeTasks"]);
    assert_eq!(life.code, Some(126), "{}", life.text);
    assert!(life.text.contains("how it ended is not known"), "{}", life.text);
}

/// A migration of thirty seconds that logs to another region, beside a container that logs elsewhere or
/// nowhere; what can be read of it comes `ingestion` late.
fn logging(ingestion: &str, side: &str) -> World {
    World::parsed(&format!(
        "extends = 'solo'
        [timing]
        ingestion = '{ingestion}'
        [[task_definition]]
        family = 'api'
        # One for Fargate only must name the prefix of its streams.
        requiresCompatibilities = []
        [[task_definition.containerDefinitions]]
        name = 'api'
        image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1'
        portMappings = [{{ containerPort = 8080 }}]
        logConfiguration = {{ logDriver = 'awslogs', options = {{ awslogs-group = '/shop/api', awslogs-region = 'eu-west-1', awslogs-stream-prefix = 'p' }} }}
        [[task_definition.containerDefinitions]]
        name = 'side'
        image = 'side:1'
        essential = false
        {side}
        [[image]]
        ref = 'shop/api:1'
        command = 'migrate'
        does = 'exit'
        code = 7
        after = '30s'
        logs = [{LINES}]
        [[image]]
        ref = 'side:1'
        does = 'serve'
        logs = ['beside']"
    ))
}

const LINES: &str =
    "'m00', 'm01', 'm02', 'm03', 'm04', 'm05', 'm06', 'm07', 'm08', 'm09', 'm10', 'm11'";

/// The messages that were told, as they came.
fn told(life: &Life) -> Vec<&str> {
    life.text.lines().filter_map(|line| Some(line.split_once("log       api: ")?.1)).collect()
}

fn all() -> Vec<String> {
    (0..12).map(|line| format!("m{line:02}")).collect()
}

fn warnings(life: &Life) -> Vec<&str> {
    life.text.lines().filter(|line| line.starts_with("warning: ")).collect()
}

#[test]
fn each_line_is_told_once_and_in_order_whatever_becomes_of_an_answer() {
    let migrate = &format!("{RUN} api:migrate --container api");
    let calls = logging("1s", "").run(migrate).calls["GetLogEvents"];
    assert!((20..50).contains(&calls), "{calls} calls");
    let told_all = |fault: String| {
        let world = logging("1s", "");
        let faults = vec![serde_json::from_str(&fault).expect("a fault")];
        world.cloud().set_faults(faults).expect("faults");
        let life = world.run(migrate);
        assert_eq!(life.code, Some(7), "{fault}: {}", life.text);
        assert_eq!(told(&life), all(), "{fault}: {}", life.text);
        assert_eq!(warnings(&life), [""; 0], "{fault}");
    };
    for does in
        ["lose-answer", "truncate", "throttle", "slow\",\"for\":\"4s", "stale\",\"age\":\"8s"]
    {
        for nth in 1..=calls {
            told_all(format!(r#"{{"operation":"GetLogEvents","nth":{nth},"does":"{does}"}}"#));
        }
    }
    told_all(r#"{"operation":"GetLogEvents","does":"stale","age":"4s"}"#.into());
}

#[test]
fn what_can_be_read_late_is_waited_for() {
    for ingestion in ["1s", "5s", "12s", "17s"] {
        let life = logging(ingestion, "").run(&format!("{RUN} api:migrate --container api"));
        assert_eq!(told(&life), all(), "{ingestion}: {}", life.text);
        assert_eq!(warnings(&life), [""; 0]);
    }
}

#[test]
fn logs_that_cannot_be_read_are_one_warning_and_change_nothing() {
    let migrate = &format!("{RUN} api:migrate --container api");
    let same_group = "logConfiguration = { logDriver = 'awslogs', options = { awslogs-group = '/shop/api', awslogs-region = 'eu-west-1', awslogs-stream-prefix = 'p' } }";
    let denied = logging("1s", same_group).run_denied(migrate, &["GetLogEvents"]);
    assert_eq!(denied.code, Some(7), "{}", denied.text);
    assert_eq!(denied.calls["GetLogEvents"], 1, "{}", denied.text);
    let [warning] = warnings(&denied)[..] else { panic!("{}", denied.text) };
    assert!(warning.starts_with("warning: the task's logs are not shown (GetLogEvents p/api/"));
    assert!(warning.ends_with("; allow logs:GetLogEvents"), "{warning}");

    // Fargate takes none without a prefix.
    let nameless = same_group.replace(", awslogs-stream-prefix = 'p'", "");
    let on_ec2 = "[[container_instance]]\nname = 'one'\ncluster = 'shop'\naz = 'a'\ncpu = 4096\nmemory = 8192\n\
        [[service]]\nserviceName = 'api'\nlaunchType = 'EC2'\ndesiredCount = 1";
    let life = logging("1s", &format!("{nameless}\n{on_ec2}")).run(migrate);
    let [warning] = warnings(&life)[..] else { panic!("{}", life.text) };
    assert!(warning.contains("container side") && warning.contains("awslogs-stream-prefix"));
    assert_eq!(told(&life), all(), "{}", life.text);

    let splunk = "logConfiguration = { logDriver = 'splunk', options = { splunk-url = 'x', splunk-token = 'y' } }";
    let life = logging("1s", splunk).run(migrate);
    assert_eq!((warnings(&life), told(&life).len()), (vec![], 12), "{}", life.text);

    let fault = |json: &str| serde_json::from_str(json).expect("a fault");
    let missing = r#"{"operation":"GetLogEvents","does":"error","status":400,"code":"ResourceNotFoundException","message":"The specified log stream does not exist."}"#;
    for (fault, says) in [
        (fault(missing), "has no stream p/api/"),
        (fault(r#"{"operation":"GetLogEvents","does":"throttle"}"#), "ThrottlingException"),
        (fault(r#"{"operation":"GetLogEvents","does":"lose-request"}"#), "timed out"),
    ] {
        let world = logging("1s", "");
        world.cloud().set_faults(vec![fault]).expect("faults");
        let life = world.run(migrate);
        assert_eq!(life.code, Some(7), "{}", life.text);
        let [warning] = warnings(&life)[..] else { panic!("{says}: {}", life.text) };
        assert!(warning.contains(says), "{warning}");
    }
    // Nobody read while it ran: all of it comes at the end.
    let world = logging("1s", "");
    let away = r#"{"operation":"GetLogEvents","times":6,"does":"throttle"}"#;
    world.cloud().set_faults(vec![fault(away)]).expect("faults");
    let life = world.run(migrate);
    assert_eq!(told(&life), all(), "{}", life.text);
}

/// What our own client is told, outside of any command.
fn with_aws<T>(world: &World, ask: impl AsyncFnOnce(&Aws) -> T) -> T {
    runtime().block_on(async {
        let clock = Clock::starting_at(world.now().into());
        let time = Arc::new(move || Time::from(clock.now()));
        let http = InProcess::new(Arc::clone(&world.cloud), time);
        let region = world.cloud().region().to_owned();
        let sandbox = Connection::Sandbox { http, region, partition: 0 };
        ask(&Aws::connect(&sandbox, clock).await.expect("connected")).await
    })
}

#[test]
fn the_last_lines_of_a_task_that_has_stopped_can_be_asked_for() {
    let world = logging("1s", "");
    let life = world.run(&format!("{RUN} api:migrate --container api --no-logs"));
    assert_eq!(told(&life), [""; 0]);
    assert_eq!(life.calls.get("GetLogEvents"), None);
    let described =
        call(&mut world.cloud(), "ecs", "DescribeTaskDefinition", r#"{"taskDefinition":"api"}"#);
    let id = life.text.lines().nth(1).and_then(|line| line.split_whitespace().nth(4));
    let id = id.expect("the task's id").to_owned();
    let lines = with_aws(&world, async |aws| {
        let last = ecs_bg::drive::log::last(aws, &described, &id, "api", 10).await;
        let other = ecs_bg::drive::log::last(aws, &described, &id, "side", 10).await;
        (last.expect("lines"), other.expect("no log configuration"))
    });
    let messages: Vec<String> = lines.0.iter().map(|line| line.message.clone()).collect();
    assert_eq!(messages, all()[2..]);
    assert_eq!(lines.1, []);
}

#[test]
fn what_is_typed_about_the_network_wins_over_what_the_service_has() {
    let world = world();
    let typed = "--subnet subnet-b --assign-public-ip --launch-type FARGATE --no-wait";
    let life = world.run(&format!("run --cluster shop --service api {typed}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let state = serde_json::to_value(&*world.cloud()).expect("the world");
    let asked = state.pointer("/regions/eu-central-1/ecs/tokens").and_then(|all| all.as_object());
    let asked = asked.and_then(|all| all.values().next()).expect("what RunTask was sent");
    let network = serde_json::json!({"awsvpcConfiguration": {
        "subnets": ["subnet-b"],
        "securityGroups": ["sg-0a1b2c3d4e5f60718"],
        "assignPublicIp": "ENABLED",
    }});
    assert_eq!(asked[0]["networkConfiguration"], network);
}

/// Either name stands for the pair: the task runs what serves.
#[test]
fn a_task_of_a_pair_has_the_revision_that_serves() {
    let world = World::new("shop");
    let deployed = world.run("deploy --cluster shop --service web --tag shop/web=2");
    assert_eq!(deployed.code, Some(0), "{}", deployed.text);
    for service in ["web", "web-green"] {
        let run = format!("run --cluster shop --service {service} --no-wait --command true");
        let life = world.run(&format!("{run} --container web"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(life.text.contains(" of web:2"), "{service}: {}", life.text);
    }
}

/// While a deployment shifts the traffic, the version that was there before is what serves.
#[test]
fn a_task_beside_a_canary_has_the_old_revision() {
    let world = World::new("shop");
    let deploy = "deploy --cluster shop --service web --tag shop/web=2 --shares 10:10m,100";
    let mut moments = world.run_kept(deploy).moments.into_iter();
    let weighed = moments.find(|moment| moment.done && moment.operation == "ModifyRule");
    let world = World::of(weighed.expect("a share").cloud);
    let life = world
        .run("run --cluster shop --service web-green --no-wait --container web --command true");
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains(" of web:1"), "{}", life.text);
}
