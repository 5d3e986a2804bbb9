//! An old side that keeps running after the deployment, and what ends that.

use std::time::Duration;

use ecs_bg_sandbox::journal::{Change, Entry};
use ecs_bg_sandbox::sdk::Interference;
use ecs_bg_sandbox::{Cloud, Time};

use crate::support::fate::{Death, Fate, is_read};
use crate::support::invariants::{answers, scaled_as_found, serves};
use crate::support::lives::{REPOSITORY, World, call, deploy};
use crate::support::scenes::SCALED;

const PAIR: &str = "--cluster shop --service web";

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

/// Version 2 is live in `web-green`, and version 1 runs on in `web`.
fn kept(world: &World) {
    let life = world.run(&deploy("2", "--bake 0s --keep-old"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("web keeps running"), "{}", life.text);
    // The nodes of the load balancer apply the weights.
    world.wait(600);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(desired(&world.cloud(), "web"), 2);
}

fn desired(cloud: &Cloud, service: &str) -> u64 {
    let body = format!(r#"{{"cluster":"shop","services":["{service}"]}}"#);
    let told = call(&mut cloud.clone(), "ecs", "DescribeServices", &body);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    told["services"][0]["desiredCount"].as_u64().expect("a count")
}

fn set(world: &World, service: &str, count: u32) {
    let body = format!(r#"{{"cluster":"shop","service":"{service}","desiredCount":{count}}}"#);
    world.call("ecs", "UpdateService", &body);
}

fn weights(journal: &[Entry]) -> Vec<Time> {
    let written = journal.iter().filter(|entry| matches!(entry.change, Change::Weights { .. }));
    written.map(|entry| entry.at).collect()
}

#[test]
fn a_rollback_to_a_kept_side_is_one_write_a_rule_within_five_seconds() {
    let world = World::new("shop");
    kept(&world);
    let from = world.cloud().journal().len();
    let begin = world.now();
    let life = world.run(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let written = weights(&world.journal(from));
    assert_eq!(written.len(), 1, "{}", life.text);
    assert!(
        written[0] - begin <= Duration::from_secs(5),
        "{:?}\n{}",
        written[0] - begin,
        life.text
    );
    println!("weights written after {:?}", written[0] - begin);
    assert!(!life.calls.contains_key("RegisterTaskDefinition"), "{:?}", life.calls);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(desired(&world.cloud(), "web-green"), 0);
}

#[test]
fn a_kept_side_that_shrank_is_raised_first_unless_the_traffic_is_to_move_now() {
    for now in [false, true] {
        let world = World::new("shop");
        kept(&world);
        set(&world, "web", 1);
        world.wait(300);
        let from = world.cloud().journal().len();
        let life = world.run(&format!("rollback {PAIR} {}", if now { "--now" } else { "" }));
        assert_eq!(life.code, Some(1), "{}", life.text);
        let journal = world.journal(from);
        let healthy = journal
            .iter()
            .find(|entry| matches!(&entry.change, Change::Target { to, .. } if to == "healthy"));
        let (healthy, written) = (healthy.expect("a second task").at, weights(&journal)[0]);
        assert_eq!(written < healthy, now, "{}", life.text);
        serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    }
    let life = World::new("solo").run("rollback --cluster shop --service api --now");
    assert_eq!(life.code, Some(3), "{}", life.text);
}

#[test]
fn the_next_deployment_stops_it_first() {
    let world = World::new("shop");
    kept(&world);
    let from = world.cloud().journal().len();
    let plan = world.run(&deploy("5", "--bake 0s --dry-run"));
    let stops = plan.text.find("web: desired count 0").expect("it is planned");
    assert!(stops < plan.text.find("register").expect("a revision"), "{}", plan.text);
    let life = world.run(&deploy("5", "--bake 0s"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let journal = world.journal(from);
    let first = |is: &dyn Fn(&Change) -> bool| journal.iter().position(|entry| is(&entry.change));
    let emptied = first(
        &|change| matches!(change, Change::Desired { service, after: 0, .. } if service.ends_with("/web")),
    );
    let registered = first(&|change| matches!(change, Change::Registered { .. }));
    assert!(emptied.expect("emptied") < registered.expect("registered"), "{}", life.text);
    serves(&world.cloud(), &image("5"), 2).unwrap_or_else(|why| panic!("{why}"));
    assert!(world.cloud().violations().is_empty(), "{:?}", world.cloud().violations());
}

#[test]
fn it_is_stopped_by_name_once_and_shown_until_then() {
    let world = World::new("shop");
    kept(&world);
    let kept = "web is kept running since then";
    assert!(world.run(&format!("status {PAIR}")).text.contains(kept));
    let life = world.run(&format!("retire {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("web is stopped; web:2 serves in web-green"), "{}", life.text);
    assert_eq!(desired(&world.cloud(), "web"), 0);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    assert!(!world.run(&format!("status {PAIR}")).text.contains(kept));
    let life = world.run(&format!("retire {PAIR}"));
    assert!(life.text.contains("nothing to do"), "{}", life.text);
    assert_eq!(life.code, Some(0), "{}", life.text);
    // A rollback starts it anew.
    let life = world.run(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
}

/// It is the only way back.
#[test]
fn it_is_not_stopped_while_the_other_side_is_unhealthy() {
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '8m'\n",
    );
    kept(&world);
    let healthy = |cloud: &Cloud| {
        let green = cloud.serving().into_iter().filter(|one| one.weight > 0);
        green.map(|one| one.healthy).max().unwrap_or(0)
    };
    // ECS replaces what is unhealthy, and it becomes unhealthy again.
    let falls = (0..300).any(|_| {
        world.wait(5);
        healthy(&world.cloud()) == 0
    });
    assert!(falls, "the live side becomes unhealthy");
    let life = world.run(&format!("retire {PAIR}"));
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert_eq!(desired(&world.cloud(), "web"), 2);
    let life = world.run(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn nothing_scales_it_and_scaling_follows_wherever_it_ends() {
    for command in ["retire", "rollback"] {
        let world = World::of(SCALED.cloud());
        kept(&world);
        scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
        let life = world.run(&format!("{command} {PAIR}"));
        assert!(matches!(life.code, Some(0 | 1)), "{}", life.text);
        scaled_as_found(&world.cloud(), SCALED.limits())
            .unwrap_or_else(|why| panic!("{command}: {why}\n{}", life.text));
    }
}

#[test]
fn only_a_pair_keeps_its_old_side() {
    let life = World::new("solo").run("deploy --cluster shop --service api --tag 2 --keep-old");
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("--keep-old works only with two services"), "{}", life.text);
}

/// A deployment that nobody drives is ended by whoever sweeps, once its owner is silent for 10 minutes.
#[test]
fn what_is_abandoned_is_swept_and_nothing_else() {
    let command = deploy("2", "--shares 20:1m,100 --follow 60s --bake 30s");
    let life = World::of(SCALED.cloud()).run(&command);
    let changes = (1..).zip(&life.operations).filter(|(_, operation)| !is_read(operation));
    let mut ends = [0, 0];
    for (nth, operation) in changes {
        let world = World::of(SCALED.cloud());
        world.run_until(&command, nth, Death::BeforeAnswer);
        world.wait(500);
        let journal = world.cloud().journal().len();
        let life = world.run("sweep --cluster shop");
        assert!(life.text.contains("nothing to do"), "{operation}: {}", life.text);
        let ours = world.journal(journal).into_iter().filter(|entry| entry.call.is_some());
        assert_eq!(ours.count(), 0, "{operation}: {}", life.text);
        world.wait(200);
        let life = world.run("sweep --cluster shop");
        assert_eq!(life.code, Some(0), "{nth} {operation}: {}", life.text);
        world.wait(300);
        let finished = life.text.contains("finished");
        let told = |why: String| panic!("{nth} {operation}: {why}\n{}", life.text);
        let serving = [image("1"), image("2")].map(|tag| serves(&world.cloud(), &tag, 2).is_ok());
        assert!(serving[0] != serving[1], "{nth} {operation}: {serving:?}\n{}", life.text);
        assert!(!finished || serving[1], "{nth} {operation}: {}", life.text);
        ends[usize::from(serving[1])] += 1;
        answers(&world.cloud()).unwrap_or_else(told);
        scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(told);
        assert!(world.cloud().violations().is_empty(), "{:?}", world.cloud().violations());
        let life = world.run("sweep --cluster shop");
        assert!(life.text.contains("nothing to do"), "{nth} {operation}: {}", life.text);
    }
    println!("rolled back and finished: {ends:?}");
    assert!(ends[0] > 5 && ends[1] > 1, "{ends:?}");
}

/// Somebody deploys to the side that comes up, after its owner died: nobody knows which side is meant.
#[test]
fn split_weights_that_nobody_drives_are_told_by_who_sweeps() {
    let world = World::of(SCALED.cloud());
    let command = deploy("2", "--shares 20:1m,100 --follow 60s --bake 30s");
    let life = World::of(SCALED.cloud()).run(&command);
    let weighs = life.operations.iter().rposition(|one| one == "ModifyRule").expect("weights");
    let nth = u32::try_from(weighs).expect("a number");
    world.run_until(&command, nth, Death::BeforeAnswer);
    register(&mut world.cloud());
    let body = r#"{"cluster":"shop","service":"web-green","taskDefinition":"web"}"#;
    world.call("ecs", "UpdateService", body);
    world.wait(720);
    let life = world.run("sweep --cluster shop");
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("web:2"), "{}", life.text);
    // Once all the traffic is on one side, there is nothing to tell.
    assert_eq!(world.run(&format!("rollback {PAIR} --to web")).code, Some(1));
    let life = world.run("sweep --cluster shop");
    assert_eq!(life.code, Some(0), "{}", life.text);
}

/// Somebody deploys to the old side once the new version is proved: users stay on that, and what is not ours runs on.
#[test]
fn what_somebody_deploys_to_the_old_side_after_the_bake_gets_no_users() {
    let command = deploy("2", "--follow 60s --bake 30s");
    let life = World::new("shop").run(&command);
    let stops = life.operations.iter().rposition(|one| one == "UpdateService").expect("a stop");
    let nth = u32::try_from(stops + 1).expect("a number");
    for dies in [true, false] {
        let world = World::new("shop");
        let ended = match dies {
            // Killed before the old side is stopped; somebody else deploys there, and a schedule sweeps.
            true => {
                world.run_until(&command, nth, Death::BeforeSend);
                world.wait(240);
                by_hand(&mut world.cloud());
                world.wait(720);
                world.run("sweep --cluster shop")
            }
            // While the load balancer follows.
            false => world.run_beside(&command, 90, by_hand),
        };
        assert_eq!(ended.code, Some(0), "{dies}: {}", ended.text);
        assert!(!ended.text.contains("rolled back"), "{dies}: {}", ended.text);
        assert!(dies || ended.text.contains("web keeps running"), "{}", ended.text);
        world.wait(300);
        serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{dies}: {why}"));
        assert_eq!(desired(&world.cloud(), "web"), 2, "{dies}: {}", ended.text);
    }
}

/// What somebody deploys to the kept side is not stopped, and nobody says that it is.
#[test]
fn a_kept_side_that_somebody_deploys_to_is_not_called_stopped() {
    for command in [format!("retire {PAIR}"), deploy("5", "--bake 0s")] {
        let world = World::new("shop");
        kept(&world);
        let again = r#"{"cluster":"shop","service":"web","forceNewDeployment":true}"#;
        world.call("ecs", "UpdateService", again);
        let life = world.run(&command);
        assert!(!life.text.contains("is stopped"), "{}", life.text);
        assert!(matches!(life.code, Some(3 | 4)), "{command}: {}", life.text);
        assert_eq!(desired(&world.cloud(), "web"), 2, "{}", life.text);
        serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// Somebody puts another revision into the service that serves when a deployment begins.
fn by_hand(cloud: &mut Cloud) {
    register(cloud);
    call(
        cloud,
        "ecs",
        "UpdateService",
        r#"{"cluster":"shop","service":"web","taskDefinition":"web"}"#,
    );
}

/// A revision that none of ours is.
fn register(cloud: &mut Cloud) {
    let body = format!(
        r#"{{"family":"web","containerDefinitions":[{{"name":"web","image":"{}","portMappings":[{{"containerPort":8080}}]}}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/x"}}"#,
        image("5")
    );
    call(cloud, "ecs", "RegisterTaskDefinition", &body);
}

/// Whoever stops the command that stops the old side has changed nothing about what serves.
#[test]
fn to_stop_stopping_it_changes_nothing() {
    let deploys = deploy("5", "--bake 0s");
    for command in [format!("retire {PAIR}"), deploys] {
        for (requests, code) in [(1, 3), (2, 130)] {
            let world = World::new("shop");
            let life = world.run(&deploy("2", "--bake 0s --keep-old"));
            assert_eq!(life.code, Some(0), "{}", life.text);
            let life = world.run_interrupted(&command, 5, requests);
            assert_eq!(life.code, Some(code), "{}", life.text);
            assert!(!life.text.contains("rollback"), "{}", life.text);
            assert_eq!(desired(&world.cloud(), "web"), 2, "{}", life.text);
            serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

/// A job that rolls back twice goes back once, and the deployment counts as rolled back.
#[test]
fn a_second_rollback_goes_no_further_back() {
    let world = World::new("shop");
    kept(&world);
    let life = world.run(&deploy("5", "--bake 0s --keep-old"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let rollback = format!("rollback {PAIR}");
    let life = world.run(&rollback);
    assert_eq!(life.code, Some(1), "{}", life.text);
    let life = world.run(&rollback);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("nothing to do"), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    let history = world.run(&format!("history {PAIR}"));
    assert!(history.text.contains("rolled back"), "{}", history.text);
}

/// Killed at every call: `resume` brings the way back to its end, with auto scaling as it was found.
#[test]
fn a_rollback_to_a_kept_side_that_was_killed_is_found_and_finished() {
    let world = World::of(SCALED.cloud());
    let life = world.run(&deploy("2", "--bake 0s --keep-old"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    world.wait(600);
    let life = world.run_kept(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let mut finished = 0;
    let mut opened = false;
    for moment in life.moments {
        let (nth, world) = (moment.nth, World::of(moment.cloud));
        let resumed = world.run(&format!("resume {PAIR} --on-conflict supersede"));
        let at = format!("killed at call {nth}, {}\n{}", moment.operation, resumed.text);
        match resumed.code {
            Some(1) => {
                serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}: {at}"));
                finished += 1;
            }
            // Not opened yet, or closed already.
            Some(0) if !opened => {
                serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}: {at}"));
            }
            Some(0) if finished > 10 => {
                serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}: {at}"));
            }
            other => panic!("{other:?}: {at}"),
        }
        if opened {
            scaled_as_found(&world.cloud(), SCALED.limits())
                .unwrap_or_else(|why| panic!("{why}: {at}"));
        }
        opened |= moment.done && moment.operation == "TagResource";
    }
    assert!(finished > 10, "{finished}");
}

/// However the record's write ends, the traffic is back at once, and nobody goes back a second time.
#[test]
fn a_record_that_cannot_be_opened_holds_up_nothing() {
    let lost = Interference::Error {
        status: 400,
        code: "ThrottlingException".into(),
        message: "Rate exceeded".into(),
    };
    for fault in [lost, Interference::Slow(Duration::from_secs(20))] {
        let world = World::new("shop");
        kept(&world);
        let begin = world.now();
        let from = world.cloud().journal().len();
        let rollback = format!("rollback {PAIR}");
        let plain = World::of(world.cloud().clone()).run(&rollback);
        let mut operations = (1..).zip(&plain.operations);
        let first = operations.find(|(_, own)| *own == "TagResource").expect("a record").0;
        let fate = Fate { once: Some((first, fault)), ..Fate::default() };
        let life = world.live(&rollback, fate);
        assert_eq!(life.code, Some(1), "{}", life.text);
        let written = weights(&world.journal(from));
        assert!(written[0] - begin <= Duration::from_secs(5), "{}", life.text);
        let life = world.run(&rollback);
        assert!(life.text.contains("nothing to do"), "{}", life.text);
        serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// Neither side of a pair is given to ECS alone while the other one serves.
#[test]
fn a_kept_side_is_not_deployed_to_by_itself() {
    let world = World::new("shop");
    kept(&world);
    let from = world.cloud().journal().len();
    let own = format!("ecs-deploy -c shop -n web -i {}", image("5"));
    let life = world.run(&own);
    assert_eq!(life.code, Some(20), "{}", life.text);
    assert!(world.journal(from).iter().all(|one| !matches!(one.change, Change::Desired { .. })));
    assert_eq!(desired(&world.cloud(), "web"), 2);
}
