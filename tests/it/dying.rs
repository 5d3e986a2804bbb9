//! Versions that fail after they served, and services that nothing answers for.

use std::sync::Mutex;
use std::time::Duration;

use ecs_bg_sandbox::faults::Kind;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::{Does, Image};

use crate::cases::native::{
    deploy as deploy_native, deploys_by_hand, native, production_rule, runs, settings,
};
use crate::cases::permanent::order;
use crate::support::fate::{Act, Death, Fate, Outsider, When, is_read};
use crate::support::invariants::serves;
use crate::support::lives::{Life, REPOSITORY, World, call, deploy, outside, parts};

const NATIVE: &str = "--cluster shop --service shop";
const PAIR: &str = "--cluster shop --service web";
const API: &str = "--cluster shop --service api";

fn ends(life: &Life, code: u8, says: &[&str]) {
    assert_eq!(life.code, Some(code), "{}", life.text);
    for part in says {
        assert!(life.text.contains(part), "{part}\n{}", life.text);
    }
}

/// An image whose tasks end, or answer with errors, so long after they start.
fn dies(image: &str, how: &str, after: &str) -> String {
    format!("[[image]]\nref = '{image}'\n{how}\nafter = '{after}'\n")
}

/// No task can be placed in this time.
fn no_room(from: &str, until: Option<&str>) -> String {
    let until = until.map_or(String::new(), |until| format!("until = '{until}'\n"));
    format!("[[capacity]]\nname = 'gone'\nfrom = '{from}'\n{until}")
}

/// ECS's circuit breaker does not count a task that ran.
#[test]
fn native_rolls_back_while_the_old_version_is_there_whenever_the_new_one_dies() {
    let breaker = "[[service]]\ncluster = 'shop'\nserviceName = 'shop'\ndeploymentConfiguration = { strategy = \
                   'BLUE_GREEN', bakeTimeInMinutes = 5, deploymentCircuitBreaker = { enable = true, rollback = true } }\n";
    let canary = "--strategy canary:50/10m --bake 10m";
    for how in ["does = 'exit'\ncode = 1", "does = 'sick'\nstatus = 500"] {
        for after in [110, 150, 200, 300] {
            for options in ["", canary] {
                for room in [String::new(), no_room("90s", None)] {
                    let image = dies("shop/shop:5", how, &format!("{after}s"));
                    let world = native(&format!("{image}{breaker}{room}"));
                    let life = world.run(&deploy_native("5", options));
                    let case = format!("{how} {after} {options} {room}\n{}", life.text);
                    assert_eq!(life.code, Some(1), "{case}");
                    let why = ["  failed  ", "answered 500"];
                    assert!(why.iter().any(|why| life.text.contains(why)), "{case}");
                    runs(&world, "1").unwrap_or_else(|why| panic!("{why}: {case}"));
                }
            }
        }
    }
}

/// Nothing answers, and nobody rewrote a rule: the next command puts it right.
#[test]
fn in_an_outage_of_a_native_service_a_fix_and_a_rollback_go_out() {
    let outage = || {
        let image = dies("shop/shop:2", "does = 'exit'\ncode = 1", "25m");
        let world = native(&format!("{image}{}", no_room("20m", Some("32m"))));
        ends(&world.run(&deploy_native("2", "")), 0, &[]);
        world.wait(1560);
        assert!(runs(&world, "2").is_err(), "it serves");
        world
    };
    let world = outage();
    ends(&world.run(&format!("rollback {NATIVE}")), 0, &[]);
    let serving = format!("{:?}", world.cloud().serving());
    assert!(serving.contains("shop/shop:1"), "{serving}");
    let world = outage();
    ends(&world.run(&deploy_native("5", "")), 0, &[]);
    runs(&world, "5").unwrap_or_else(|why| panic!("{why}"));
}

/// ECS is done with the old version, and then the new one dies.
#[test]
fn a_native_service_that_nothing_answers_for_is_not_told_to_have_other_weights() {
    let mut met = 0;
    for after in (380..470).step_by(5) {
        let image = dies("shop/shop:5", "does = 'exit'\ncode = 1", &format!("{after}s"));
        let world = native(&format!("{image}{}", no_room("90s", Some("20m"))));
        let life = world.run(&deploy_native("5", "--bake 5m"));
        assert!(!life.text.contains("did not write"), "{after}: {}", life.text);
        if life.code != Some(4) {
            continue;
        }
        met += 1;
        let says = ["neither shop:2 nor shop:1 serves in shop", "hint: ecs-bg rollback"];
        ends(&life, 4, &says);
        world.wait(1200);
        ends(&world.run(&format!("rollback {NATIVE}")), 0, &[]);
        let serving = format!("{:?}", world.cloud().serving());
        assert!(serving.contains("shop/shop:1"), "{after}: {serving}");
    }
    assert!(met > 0, "no deployment ended between");
}

/// UpdateService answers before ECS lists its deployment.
#[test]
fn what_ecs_does_not_list_yet_is_aborted_rolled_back_and_not_run_over() {
    for verb in ["abort", "rollback"] {
        let world = World::new("native");
        ends(&world.run(&deploy_native("2", "--no-wait")), 0, &[]);
        ends(&world.run(&format!("{verb} {NATIVE}")), 1, &[]);
        world.wait(600);
        runs(&world, "1").unwrap_or_else(|why| panic!("{verb}: {why}"));
    }
    let world = World::new("native");
    ends(&world.run(&deploy_native("2", "--no-wait")), 0, &[]);
    ends(&world.run(&deploy_native("5", "")), 3, &["ECS deploys shop:2 to shop right now"]);
    world.wait(600);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
}

/// Whose a deployment is does not matter where only one side can answer.
#[test]
fn a_record_that_cannot_be_read_any_more_keeps_nobody_on_a_dead_version() {
    for (how, kind) in [("denied", Kind::Denied), ("throttled", Kind::Throttle)] {
        for after in [40, 100] {
            let image = dies("shop/web:2", "does = 'sick'", "70s");
            let world = World::parsed(&format!("extends = 'shop'\n{image}"));
            let faults = vec![order("DescribeTaskDefinition", (how, kind, 0))];
            let begin = world.now() + Duration::from_secs(after);
            let outsider = outside(When::Time(begin), move |cloud| {
                cloud.set_faults(faults.clone()).expect("faults");
            });
            let fate = Fate { outsider, ..Fate::default() };
            let life = world.live(&deploy("2", "--bake 90s --follow 60s"), fate);
            world.wait(60);
            let image = format!("{REPOSITORY}:1");
            serves(&world.cloud(), &image, 2).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
            ends(&life, 4, &["DescribeTaskDefinition"]);
        }
    }
}

/// The record says less than the rules show, and the old version is stopped.
#[test]
fn a_success_that_could_not_be_written_down_is_no_dead_end() {
    for shares in ["", "--shares 10:30s,100"] {
        for kind in [Kind::Denied, Kind::Throttle] {
            for tag in ["2", "5"] {
                let world = World::new("shop");
                let faults = vec![order("TagResource", ("refused", kind, 0))];
                let begin = world.now() + Duration::from_secs(10);
                let outsider = outside(When::Time(begin), move |cloud| {
                    cloud.set_faults(faults.clone()).expect("faults");
                });
                let fate = Fate { outsider, ..Fate::default() };
                ends(&world.live(&deploy("2", &format!("--bake 30s {shares}")), fate), 0, &[]);
                world.cloud().set_faults(vec![]).expect("no faults");
                world.wait(600);
                let life = world.run(&deploy(tag, "--bake 30s"));
                ends(&life, 0, &[]);
                let image = format!("{REPOSITORY}:{tag}");
                let served = serves(&world.cloud(), &image, 2);
                served.unwrap_or_else(|why| panic!("{why}\n{}", life.text));
            }
        }
    }
}

/// ECS replaces the tasks; what its targets say does not depend on the rules.
#[test]
fn rolling_looks_at_targets_where_rules_may_not_be_read() {
    for denied in [&["DescribeRules"], &["DescribeListeners"]] {
        let image = dies("shop/api:2", "does = 'sick'\nstatus = 500", "70s");
        let world = World::parsed(&format!("extends = 'solo'\n{image}"));
        let repository = REPOSITORY.replace("/web", "/api");
        let line = format!("deploy {API} --image {repository}:2 --bake 3m");
        let life = world.run_denied(&line, denied);
        ends(&life, 1, &["answered 500", "allow elasticloadbalancing:DescribeListeners"]);
        assert_eq!(life.text.matches("warning").count(), 1, "{}", life.text);
    }
}

/// What runs now may rest on the settings that a dead deployment left: whose they are nobody knows.
#[test]
fn what_somebody_else_deploys_right_now_keeps_its_pauses_and_is_rolled_back_on_request() {
    let pausing = "--pause-at before-traffic --bake 10m";
    let life = World::new("native").run_kept(&deploy_native("2", pausing));
    let killed = &life.moments[life.moments.len() / 2].cloud;
    for verb in ["abort", "rollback", "resume"] {
        let world = World::of(killed.clone());
        world.wait(1200);
        deploys_by_hand(&world);
        world.wait(15);
        let before = settings(&world);
        assert!(before.to_string().contains("PAUSE"), "{before}");
        let life = world.run(&format!("{verb} {NATIVE}"));
        assert_eq!(settings(&world), before, "{verb}: {}", life.text);
        if verb == "resume" {
            ends(&life, 5, &[]);
            continue;
        }
        ends(&life, 1, &[]);
        world.wait(900);
        let serving = format!("{:?}", world.cloud().serving());
        assert!(serving.contains("shop:1") && !serving.contains("shop:3"), "{verb}: {serving}");
    }
}

/// A strategy that stayed after a success is the service's own by the time ECS lists that success no more.
#[test]
fn a_strategy_that_was_to_stay_stays_however_many_deployments_follow() {
    let world = World::new("native");
    let deploy = deploy_native("2", "--strategy canary:10/1m --bake 1m");
    let life = World::new("native").run_kept(&deploy);
    let listed = life.operations.iter().rposition(|one| one == "UpdateService").expect("a call");
    world.run_until(&deploy, u32::try_from(listed).expect("a number"), Death::BeforeSend);
    world.wait(1500);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
    deploys_by_hand(&world);
    for _ in 0..5 {
        world.wait(1500);
        let again = r#"{"cluster":"shop","service":"shop","forceNewDeployment":true}"#;
        world.call("ecs", "UpdateService", again);
    }
    world.wait(1500);
    ends(&world.run(&deploy_native("5", "")), 0, &[]);
    assert_eq!(settings(&world)["strategy"], "CANARY");
}

fn desired(world: &World, service: &str) -> u64 {
    let body = format!(r#"{{"cluster":"shop","services":["{service}"]}}"#);
    let told = call(&mut world.cloud().clone(), "ecs", "DescribeServices", &body);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    told["services"][0]["desiredCount"].as_u64().expect("a count")
}

/// The side that has all the traffic keeps it.
#[test]
fn a_rollback_to_a_side_that_does_not_start_is_given_up_soon() {
    // 3 answers with 500, 4 exits at once.
    for tag in ["3", "4"] {
        let world = World::new("shop");
        ends(&world.run(&deploy(tag, "")), 1, &[]);
        world.wait(120);
        let begin = world.now();
        let life = world.run(&format!("rollback {PAIR} --to web-green"));
        let says =
            ["not rolled back: web:1 still serves in web", "  failed  ", "hint: ecs-bg deploy"];
        ends(&life, 4, &says);
        assert!(world.now() - begin < Duration::from_secs(600), "{}", life.text);
        serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((desired(&world, "web"), desired(&world, "web-green")), (2, 0), "{}", life.text);
        ends(&world.run(&deploy("2", "")), 0, &[]);
    }
}

#[test]
fn a_kept_side_that_cannot_run_does_not_take_over() {
    // Its tasks die, and for an hour nothing takes their place.
    let image = dies("shop/web:1", "does = 'exit'\ncode = 1", "20m");
    let room = no_room("4m", Some("60m"));
    let world = World::parsed(&format!("extends = 'shop'\n{image}{room}"));
    ends(&world.run(&deploy("2", "--bake 0s --keep-old")), 0, &[]);
    world.wait(1260);
    let begin = world.now();
    let life = world.run(&format!("rollback {PAIR}"));
    ends(&life, 4, &["not rolled back: web:2 still serves in web-green", "hint: ecs-bg deploy"]);
    assert!(world.now() - begin < Duration::from_secs(1800), "{}", life.text);
    serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2).unwrap_or_else(|why| panic!("{why}"));
    ends(&world.run("sweep --cluster shop"), 0, &["nothing to do"]);
    ends(&world.run(&deploy("5", "")), 0, &[]);
}

#[test]
fn of_several_deployments_of_ecs_the_completed_one_is_the_way_back() {
    let world = World::new("solo");
    for tag in ["2", "3"] {
        ends(&world.run(&format!("deploy {API} --tag {tag} --no-wait")), 0, &[]);
        world.wait(20);
    }
    ends(&world.run(&format!("rollback {API}")), 0, &["api:1"]);
    let serving = format!("{:?}", world.cloud().serving());
    assert!(!serving.contains("shop/api:2") && !serving.contains("shop/api:3"), "{serving}");
}

#[test]
fn where_no_task_is_wanted_none_is_said_to_serve() {
    let world = World::new("solo");
    let body = r#"{"cluster":"shop","service":"api","desiredCount":0}"#;
    world.call("ecs", "UpdateService", body);
    world.wait(300);
    let life = world.run(&format!("deploy {API} --tag 3 --desired-count 2"));
    ends(&life, 1, &["rolled back: api is on api:1; its desired count is 0, so no task runs"]);
    let status = world.run(&format!("status {API}"));
    assert!(!status.text.contains("no target group has any weight"), "{}", status.text);
}

/// A pair on instances whose ports ECS chooses; 2 is good.
fn pair_on_instances() -> World {
    let machine = |name: &str| {
        format!(
            "[[container_instance]]\nname = '{name}'\ncluster = 'shop'\naz = 'a'\ncpu = 4096\nmemory = 8192\n"
        )
    };
    let service = |name: &str, group: &str, twin: &str, count: u32| {
        format!(
            "[[service]]\ncluster = 'shop'\nserviceName = '{name}'\ntaskDefinition = 'box:1'\ndesiredCount = {count}\n\
             launchType = 'EC2'\ntags = {{ 'ecs-bg:twin' = '{twin}' }}\n\
             loadBalancers = [{{ targetGroup = '{group}', containerName = 'box', containerPort = 8080 }}]\n"
        )
    };
    let group = |name: &str| {
        format!("[[target_group]]\nname = '{name}'\nport = 8080\ntargetType = 'instance'\n")
    };
    let repository = REPOSITORY.replace("/web", "/box");
    World::parsed(&format!(
        "extends = 'solo'\n{}{}{}{}\
         [[repository]]\nname = 'shop/box'\nimages = ['1', '2', '4']
         [[image]]\nref = 'shop/box:4'\ndoes = 'exit'\ncode = 1
         [[listener]]\nname = 'box'\nloadBalancer = 'shop'\nport = 8080\nprotocol = 'HTTP'
         actions = [{{ type = 'forward', targetGroups = [{{ targetGroup = 'box-a', weight = 1 }}, {{ targetGroup = 'box-b', weight = 0 }}] }}]
         [[task_definition]]\nfamily = 'box'\nrequiresCompatibilities = ['EC2']\nnetworkMode = 'bridge'
         [[task_definition.containerDefinitions]]\nname = 'box'\nimage = '{repository}:1'\nmemory = 256\nessential = true
         portMappings = [{{ containerPort = 8080, hostPort = 0, protocol = 'tcp' }}]\n{}{}",
        machine("one"),
        machine("two"),
        group("box-a"),
        group("box-b"),
        service("box", "box-a", "box-green", 2),
        service("box-green", "box-b", "box", 0),
    ))
}

#[test]
fn who_may_not_name_instances_deploys_with_one_warning() {
    let line = |tag: &str| format!("deploy --cluster shop --service box --tag {tag} --follow 60s");
    let world = pair_on_instances();
    ends(&world.run(&line("2")), 0, &[]);
    let life = pair_on_instances().run_denied(&line("2"), &["DescribeContainerInstances"]);
    ends(&life, 0, &["DescribeContainerInstances"]);
    assert_eq!(life.text.matches("warning: ").count(), 1, "{}", life.text);
    let life = pair_on_instances().run_denied(&line("4"), &["DescribeContainerInstances"]);
    ends(&life, 1, &[]);
}

#[test]
fn a_daemon_service_takes_no_desired_count() {
    let path = "tests/cases/static_port.toml";
    let text = std::fs::read_to_string(path).expect(path);
    let count = "desiredCount = 1\n";
    assert!(text.contains(count));
    let daemon = text.replace(count, "schedulingStrategy = 'DAEMON'\ndeploymentConfiguration = { minimumHealthyPercent = 0, maximumPercent = 100 }\n");
    let world = World::parsed(&daemon);
    world.wait(120);
    let from = world.cloud().journal().len();
    let line = "deploy --cluster lab --service edge --image edge=registry.example.com:5000/edge:2";
    let life = world.run(&format!("{line} --desired-count 3"));
    ends(&life, 3, &["takes no desired count", "hint: leave out --desired-count"]);
    let changes = world.journal(from).into_iter().filter(|entry| entry.call.is_some());
    assert!(!changes.into_iter().any(|one| matches!(one.change, Change::Registered { .. })));
    assert!(life.operations.iter().all(|operation| is_read(operation)), "{:?}", life.operations);
    ends(&world.run(line), 0, &[]);
}

/// Somebody who does these things at these seconds of a life.
fn outsiders(world: &World, acts: Vec<(u64, Act)>) -> Fate {
    let begin = world.now();
    let at = |second| When::Time(begin + Duration::from_secs(second));
    let acts = acts.into_iter().map(|(second, act)| (at(second), act)).collect();
    Fate { outsider: Some(Outsider(Mutex::new(acts))), ..Fate::default() }
}

fn counted(count: u32) -> Act {
    let body = format!(r#"{{"cluster":"shop","service":"shop","desiredCount":{count}}}"#);
    Box::new(move |cloud| {
        call(cloud, "ecs", "UpdateService", &body);
    })
}

/// Takes one running task of the newest revision away, as lost hardware does.
fn one_is_lost() -> Act {
    Box::new(|cloud| {
        let list = r#"{"cluster":"shop","serviceName":"shop"}"#;
        let arns = call(cloud, "ecs", "ListTasks", list);
        let arns: serde_json::Value = serde_json::from_str(&arns).expect("JSON");
        let body = serde_json::json!({"cluster": "shop", "tasks": arns["taskArns"]});
        let told = call(cloud, "ecs", "DescribeTasks", &body.to_string());
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let tasks = told["tasks"].as_array().expect("tasks");
        let new = |task: &&serde_json::Value| {
            task["taskDefinitionArn"].as_str().is_some_and(|arn| arn.ends_with(":2"))
        };
        let lost = tasks.iter().find(new).expect("a new task");
        let body = serde_json::json!({"cluster": "shop", "task": lost["taskArn"]});
        call(cloud, "ecs", "StopTask", &body.to_string());
    })
}

fn native_of(count: u32, bake: u32, more: &str) -> World {
    native(&format!(
        "[[service]]\ncluster = 'shop'\nserviceName = 'shop'\ndesiredCount = {count}\n\
         deploymentConfiguration = {{ strategy = 'BLUE_GREEN', bakeTimeInMinutes = {bake} }}\n{more}"
    ))
}

/// A task that is replaced, and a count that somebody changes, say nothing about the new version.
#[test]
fn native_does_not_roll_back_a_good_version_for_a_lost_task_or_another_count() {
    let slow = "[timing]\npull = '75s'\n";
    for (count, acts) in [
        (2, vec![(200, one_is_lost())]),
        (10, vec![(200, one_is_lost())]),
        (4, vec![(200, counted(1)), (260, counted(4))]),
        (2, vec![(200, counted(0)), (260, counted(2))]),
        (0, vec![(200, counted(2))]),
        (2, vec![(200, counted(6))]),
    ] {
        let world = native_of(count, 8, slow);
        let seconds: Vec<u64> = acts.iter().map(|(second, _)| *second).collect();
        let fate = outsiders(&world, acts);
        let life = world.live(&deploy_native("2", ""), fate);
        let what = format!("{count} at {seconds:?}");
        assert!(matches!(life.code, Some(0 | 4)), "{what}: {}", life.text);
        assert!(!life.text.contains("rolling back"), "{what}: {}", life.text);
        let serving = format!("{:?}", world.cloud().serving());
        assert!(serving.contains("shop/shop:2"), "{what}: {serving}");
    }
}

/// There is a way back until the bake ends, and not a second longer.
#[test]
fn native_rolls_back_what_dies_shortly_before_the_bake_ends() {
    let mut late = 0;
    for after in (200..=300).step_by(4) {
        let image = dies("shop/shop:5", "does = 'exit'\ncode = 1", &format!("{after}s"));
        let world = native_of(2, 3, &image);
        let from = world.cloud().journal().len();
        let life = world.run(&deploy_native("5", ""));
        let journal = world.journal(from);
        let cleans =
            |change: &Change| matches!(change, Change::Stage { stage, .. } if stage == "CLEAN_UP");
        let cleaned = journal.iter().find(|entry| cleans(&entry.change)).map(|entry| entry.at);
        let dies =
            |change: &Change| matches!(change, Change::Task { from, .. } if from == "RUNNING");
        let died = journal.iter().find(|entry| dies(&entry.change)).map(|entry| entry.at);
        let in_time = died
            .zip(cleaned)
            .is_none_or(|(died, cleaned)| died + Duration::from_secs(8) <= cleaned);
        let what = format!("{after} s, {died:?}, {cleaned:?}: {}", life.text);
        assert!(!in_time || life.code == Some(1), "{what}");
        late += usize::from(!in_time);
    }
    assert!((1..25).contains(&late), "{late} of 26 are too late");
}

/// What failed before users came, or before this process, was made good.
#[test]
fn native_counts_no_failure_from_before_the_traffic() {
    let image = dies("shop/shop:5", "does = 'exit'\ncode = 1", "5s");
    let world = native_of(1, 5, &image);
    let good: Act =
        Box::new(|cloud| cloud.set_image(Image::new("shop/shop:5".to_owned(), Does::Serve)));
    let (count, interrupts) = tokio::sync::watch::channel(0);
    let stop: Act = Box::new(move |_| {
        count.send_replace(1);
    });
    let fate = outsiders(&world, vec![(20, good), (250, stop)]);
    let fate = Fate { interrupts: Some(interrupts), ..fate };
    let life = world.live(&deploy_native("5", "--on-cancel hold"), fate);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("  failed  "), "{}", life.text);
    ends(&world.run(&format!("resume {NATIVE}")), 0, &[]);
    runs(&world, "5").unwrap_or_else(|why| panic!("{why}"));
}

/// ECS lets unhealthy tasks run on for the whole grace period.
#[test]
fn native_rolls_back_when_targets_fall_sick_whose_tasks_run_on() {
    for after in [30, 50, 70, 110, 150, 200, 250] {
        let sick = dies("shop/shop:5", "does = 'sick'\nstatus = 500", &format!("{after}s"));
        let grace = "[[service]]\ncluster = 'shop'\nserviceName = 'shop'\nhealthCheckGracePeriodSeconds = 3600\n";
        let world = native_of(2, 5, &format!("{sick}{grace}"));
        let life = world.run(&deploy_native("5", ""));
        ends(&life, 1, &["answered 500", "to fix"]);
        runs(&world, "1").unwrap_or_else(|why| panic!("{after}: {why}"));
    }
}

#[test]
fn a_rule_that_somebody_takes_away_is_to_blame_and_not_the_version() {
    let world = native_of(2, 5, "");
    let rule = production_rule(&world);
    let body = format!("RuleArn={rule}");
    let act: Act = Box::new(move |cloud| {
        call(cloud, "elasticloadbalancing", "DeleteRule", &body);
    });
    let fate = outsiders(&world, vec![(200, act)]);
    let life = world.live(&deploy_native("2", ""), fate);
    ends(&life, 4, &["somebody deleted or rewrote it"]);
    assert!(!life.text.contains("neither shop:2 nor"), "{}", life.text);
}

/// It failed long ago, on its way into retirement, and starts well now.
#[test]
fn a_rollback_to_a_side_whose_failures_are_old_goes_back() {
    let image = dies("shop/web:1", "does = 'exit'\ncode = 1", "260s");
    let world = World::parsed(&format!("extends = 'shop'\n{image}"));
    world.wait(265);
    ends(&world.run(&deploy("2", "--bake 30s")), 0, &[]);
    world.wait(1200);
    ends(&world.run(&format!("rollback --to web {PAIR}")), 1, &["web:1 serves in web"]);
}

/// It failed long ago, and fails again; or it starts well, and dies as soon as users come.
#[test]
fn a_rollback_to_a_side_that_fails_again_ends_on_the_other_one() {
    for (tag, after) in [("exit", "5s"), ("exit", "60s"), ("sick", "60s")] {
        let how =
            if tag == "sick" { "does = 'sick'\nstatus = 500" } else { "does = 'exit'\ncode = 1" };
        let world =
            World::parsed(&format!("extends = 'shop'\n{}", dies("shop/web:1", how, "260s")));
        world.wait(265);
        ends(&world.run(&deploy("2", "--bake 30s")), 0, &[]);
        world.wait(1200);
        let failing =
            World::parsed(&format!("extends = 'shop'\n{}", dies("shop/web:1", how, after)));
        let image =
            failing.cloud().images().iter().find(|one| one.reference == "shop/web:1").cloned();
        world.cloud().set_image(image.expect("the image"));
        let begin = world.now();
        let life = world.run(&format!("rollback --to web {PAIR}"));
        let what = format!("{tag} after {after}");
        assert_eq!(life.code, Some(4), "{what}: {}", life.text);
        assert!(life.text.contains("not rolled back: web:2 still serves"), "{what}: {}", life.text);
        assert!(world.now() - begin < Duration::from_secs(900), "{what}: {}", life.text);
        world.wait(600);
        serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2)
            .unwrap_or_else(|why| panic!("{what}: {why}"));
    }
}

/// ECS goes back to what it completed or replaced last, and that is the new version again.
#[test]
fn a_rollback_of_ecs_to_the_new_version_itself_is_not_waited_for_all_day() {
    let world = native("");
    let again: Act = Box::new(|cloud| {
        let body = r#"{"cluster":"shop","service":"shop","taskDefinition":"shop:2","forceNewDeployment":true}"#;
        call(cloud, "ecs", "UpdateService", body);
    });
    let begin = world.now();
    let fate = outsiders(&world, vec![(225, again)]);
    let line = deploy_native("2", "--pause-at after-traffic --pause-limit 2m");
    let life = world.live(&line, fate);
    ends(&life, 4, &["rolling back takes too long: waiting for shop to be on shop:1"]);
    assert!(world.now() - begin < Duration::from_secs(1800), "{}", life.text);
}

/// Who may not read tasks knows from the rule whose targets are sick.
#[test]
fn native_rolls_back_what_falls_sick_also_where_tasks_may_not_be_read() {
    for denied in [&["ListTasks"][..], &["DescribeTasks"], &["ListTasks", "DescribeTasks"]] {
        for tasks in [1, 2] {
            let image = dies("shop/shop:5", "does = 'sick'\nstatus = 500", "200s");
            let world =
                native_of(tasks, 5, &format!("healthCheckGracePeriodSeconds = 3600\n{image}"));
            let life = world.run_denied(&deploy_native("5", ""), denied);
            ends(&life, 1, &["answered 500"]);
            runs(&world, "1").unwrap_or_else(|why| panic!("{why}\n{}", life.text));
        }
    }
    let world = native("");
    let life = world.run_denied(&deploy_native("2", ""), &["ListTasks"]);
    ends(&life, 0, &["shop:2 serves in shop"]);
}

/// What safety needs may not be read: nothing is begun.
#[test]
fn native_is_refused_where_nobody_could_tell_what_serves() {
    for denied in [
        &["DescribeRules"][..],
        &["DescribeListeners"],
        &["DescribeTargetGroups"],
        &["DescribeTargetHealth"],
        &["ListServiceDeployments"],
        &["DescribeServiceDeployments"],
        &["DescribeServiceRevisions"],
    ] {
        for command in ["deploy", "plan"] {
            let world = native("");
            let from = world.cloud().journal().len();
            let line = deploy_native("2", "").replacen("deploy", command, 1);
            let life = world.run_denied(&line, denied);
            ends(&life, 3, &["error: ", "hint: allow ", denied[0]]);
            assert_eq!(world.cloud().journal().len(), from, "{denied:?}: {}", life.text);
        }
    }
}

/// Where ECS alone knows whether targets are healthy, nobody says that they are.
#[test]
fn what_is_not_known_to_be_healthy_is_not_called_so() {
    let world = World::new("solo");
    let line = format!("deploy {API} --tag 2 --output json");
    let life = world.run_denied(&line, &["DescribeTargetHealth"]);
    ends(&life, 0, &["\"proof\":\"unread\""]);
    let life = World::new("solo").run(&line);
    ends(&life, 0, &["\"proof\":\"healthy\""]);
}

/// It was healthy, and served: a longer start would not have helped it.
#[test]
fn what_falls_sick_after_it_served_is_not_told_to_start_sooner() {
    let image = dies("shop/shop:5", "does = 'sick'\nstatus = 500", "200s");
    let world = native_of(3, 5, &image);
    let life = world.run(&deploy_native("5", "--strategy linear:20/2m"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(!life.text.contains("grace period"), "{}", life.text);
}

/// The ARN of a target group.
fn group(world: &World, name: &str) -> String {
    let body = format!("Names.member.1={name}");
    parts(&world.call("elasticloadbalancing", "DescribeTargetGroups", &body), "TargetGroupArn")
        .remove(0)
}

/// The ARN of the rule for test traffic.
fn test_rule(world: &World) -> Option<String> {
    let body = r#"{"cluster":"shop","services":["shop"]}"#;
    let answer: serde_json::Value =
        serde_json::from_str(&world.call("ecs", "DescribeServices", body)).expect("JSON");
    let advanced = &answer["services"][0]["loadBalancers"][0]["advancedConfiguration"];
    advanced["testListenerRule"].as_str().map(str::to_owned)
}

/// All requests come to a group without targets, and the old version stands by.
#[test]
fn native_rolls_back_when_the_group_with_the_traffic_is_emptied() {
    for count in [1, 2] {
        let world = native_of(count, 5, "");
        let group = group(&world, "shop-blue");
        let life = world.run_beside(&deploy_native("2", ""), 200, move |cloud| {
            let of = format!("TargetGroupArn={group}");
            let health = call(cloud, "elasticloadbalancing", "DescribeTargetHealth", &of);
            let numbered = parts(&health, "Id").into_iter().enumerate();
            let targets: Vec<String> =
                numbered.map(|(at, id)| format!("&Targets.member.{}.Id={id}", at + 1)).collect();
            let body = format!("{of}{}", targets.concat());
            call(cloud, "elasticloadbalancing", "DeregisterTargets", &body);
        });
        ends(&life, 1, &[&format!("shop has traffic and 0/{count} healthy targets")]);
        runs(&world, "1").unwrap_or_else(|why| panic!("{why}\n{}", life.text));
    }
}

/// ECS would refuse what lacks a place for the new targets.
#[test]
fn a_target_group_that_no_rule_of_the_service_has_is_found_before() {
    let world = native("");
    let (live, production) = (group(&world, "shop-green"), production_rule(&world));
    let rules = test_rule(&world).into_iter().chain([production]);
    for rule in rules {
        let alone = format!(
            "RuleArn={rule}&Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={live}"
        );
        world.call("elasticloadbalancing", "ModifyRule", &alone);
    }
    let from = world.cloud().journal().len();
    for command in ["plan", "deploy", "doctor"] {
        let line = deploy_native("2", "").replacen("deploy", command, 1);
        ends(&world.run(&line), 3, &["is neither in its production rule"]);
    }
    assert_eq!(world.cloud().journal().len(), from);
}

/// Nobody says of targets that could not be read that there are none, nor of rules that somebody deleted them.
#[test]
fn what_could_not_be_read_is_said_to_be_so() {
    for (scenario, service) in [("shop", PAIR), ("native", NATIVE)] {
        for denied in [&["DescribeRules"][..], &["DescribeTargetHealth"], &["DescribeTargetGroups"]]
        {
            let life = World::new(scenario).run_denied(&format!("status {service}"), denied);
            ends(&life, 0, &["could not be read: ", denied[0]]);
            assert!(!life.text.contains("no targets"), "{denied:?}: {}", life.text);
        }
    }
    let world = World::new("shop");
    let first = world.run_until(&deploy("2", "--bake 2m"), 60, Death::BeforeSend);
    assert_eq!(first.code, None, "{}", first.text);
    world.wait(181);
    for verb in ["resume", "rollback"] {
        let life = world.run_denied(&format!("{verb} {PAIR}"), &["DescribeRules"]);
        ends(&life, 3, &["load balancers cannot be read", "DescribeRules"]);
    }
    // The way back of what ECS replaces is not called healthy either.
    let image = dies("shop/api:2", "does = 'exit'\ncode = 1", "60s");
    let world = World::parsed(&format!("extends = 'solo'\n{image}"));
    let line = format!("deploy {API} --tag 2 --bake 2m");
    let life = world.run_denied(&line, &["DescribeTargetHealth"]);
    ends(&life, 1, &["whether its targets are healthy could not be read"]);
}

/// The last looks of a bake see the targets: what is sick in time is rolled back, and not told when it is too late.
#[test]
fn native_rolls_back_what_falls_sick_in_the_last_seconds_of_a_bake() {
    let mut late = 0;
    for after in (100..=150).step_by(2) {
        let image = dies("shop/shop:5", "does = 'sick'\nstatus = 500", &format!("{after}s"));
        let world = native_of(2, 1, &format!("healthCheckGracePeriodSeconds = 3600\n{image}"));
        let from = world.cloud().journal().len();
        let life = world.run(&deploy_native("5", ""));
        let journal = world.journal(from);
        let first = |is_it: &dyn Fn(&Change) -> bool| {
            journal.iter().find(|entry| is_it(&entry.change)).map(|entry| entry.at)
        };
        let sick = first(
            &|change| matches!(change, Change::Target { from, to, .. } if from == "healthy" && to.starts_with("unhealthy")),
        );
        let cleaned =
            first(&|change| matches!(change, Change::Stage { stage, .. } if stage == "CLEAN_UP"));
        let margin = Duration::from_secs(5);
        let in_time = sick.is_some_and(|sick| cleaned.is_none_or(|at| sick + margin <= at));
        let what = format!("{after} s, {sick:?}, {cleaned:?}: {}", life.text);
        assert!(!in_time || life.code == Some(1), "{what}");
        late += usize::from(!in_time);
    }
    assert!((1..25).contains(&late), "{late} of 26 are too late");
}
