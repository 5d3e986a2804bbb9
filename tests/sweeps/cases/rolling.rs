//! Services whose tasks ECS replaces: killed at every call, every fault at every call, somebody else or
//! a request to stop at every second.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults::faults;
use ecs_bg_sandbox::journal::Change;

use crate::support::fate::{Fate, Stale};
use crate::support::lives::{World, call};
use crate::support::sweep::every_nth;

pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api";

pub(crate) fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service api --image {REPOSITORY}:{tag} {more}")
}

pub(crate) fn solo(more: &str) -> World {
    World::parsed(&format!("extends = 'solo'\n{more}"))
}

pub(crate) const BREAKER: &str = "[[service]]\nserviceName = 'api'\ndeploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }\n";

/// Exactly this image runs, in so many running and healthy tasks, and ECS works towards nothing else.
pub(crate) fn runs(world: &World, tag: &str, count: usize) -> Result<(), String> {
    let serving = world.cloud().serving();
    // By target: each node of the load balancer sends to all of them.
    let healthy: BTreeMap<_, _> = serving
        .iter()
        .flat_map(|side| &side.behind)
        .filter(|target| target.state == "healthy")
        .map(|target| (target.target.clone(), target.image.clone().unwrap_or_default()))
        .collect();
    let image = format!("{REPOSITORY}:{tag}");
    match healthy.len() == count
        && healthy.values().all(|own| own.split('@').next() == Some(&image))
    {
        true => Ok(()),
        false => Err(format!("not {count} of {tag} but {healthy:?}")),
    }
}

/// Killed before and after every call took effect, then run again to its end.
fn every_death_of(tag: &str, world: &World) -> usize {
    let expected = if tag == "2" { 0 } else { 1 };
    let serving = if expected == 0 { tag } else { "1" };
    let life = world.run_kept(&deploy(tag, ""));
    let points = life.moments.len();
    for moment in every_nth(&format!("rolling {tag}: killed"), life.moments) {
        let (nth, operation, done) = (moment.nth, moment.operation, moment.done);
        let world = World::of(moment.cloud);
        world.wait(180);
        let second = world.run(&deploy(tag, ""));
        let runs = runs(&world, serving, 2);
        let well = second.code == Some(expected) && runs.is_ok();
        assert!(
            well,
            "{tag} killed at call {nth}, {operation} (done: {done}): {:?} {runs:?}\n{}",
            second.code, second.text
        );
    }
    points
}

#[test]
fn a_good_deployment_survives_death_at_every_call() {
    assert!(every_death_of("2", &solo("")) > 60);
}

#[test]
fn a_sick_deployment_survives_death_at_every_call() {
    assert!(every_death_of("3", &solo("")) > 60);
}

#[test]
fn a_deployment_that_exits_under_a_breaker_survives_death_at_every_call() {
    assert!(every_death_of("4", &solo(BREAKER)) > 50);
}

/// Every call meets every fault once, and the deployment goes where it would have gone.
fn every_fault_of(tag: &str, expected: u8) {
    let calls: u32 = solo("").run(&deploy(tag, "")).calls.values().sum();
    let cases = (1..=calls).flat_map(|nth| faults().map(|(name, fault)| (nth, name, fault)));
    for (nth, name, fault) in every_nth(&format!("rolling {tag}: faults"), cases) {
        let world = solo("");
        let fate = Fate { once: Some((nth, fault)), ..Fate::default() };
        let life = world.live(&deploy(tag, ""), fate);
        let runs = runs(&world, if expected == 0 { tag } else { "1" }, 2);
        let well = life.code == Some(expected) && runs.is_ok();
        assert!(well, "call {nth} {name}: {:?} {runs:?}\n{}", life.code, life.text);
    }
}

#[test]
fn a_good_deployment_survives_every_fault_at_every_call() {
    every_fault_of("2", 0);
}

#[test]
fn a_sick_deployment_survives_every_fault_at_every_call() {
    every_fault_of("3", 1);
}

/// Told to stop at every second of its life: the old version serves, or the new one does.
#[test]
fn whoever_stops_it_gets_the_old_version_back() {
    for second in every_nth("rolling: interrupted", 0..60) {
        let world = solo("");
        let life = world.run_interrupted(&deploy("2", ""), second, 1);
        match life.code {
            Some(1) => runs(&world, "1", 2),
            Some(0) => runs(&world, "2", 2),
            // Nothing was changed yet: what was registered is gone again.
            Some(3) => untouched(&world),
            other => Err(format!("{other:?}")),
        }
        .unwrap_or_else(|why| panic!("at {second} s: {why}\n{}", life.text));
    }
}

fn untouched(world: &World) -> Result<(), String> {
    let journal = world.journal(0);
    let changes = journal.iter().filter(|entry| entry.call.is_some()).map(|entry| &entry.change);
    let mut left = 0;
    for change in changes {
        match change {
            Change::Registered { .. } => left += 1,
            Change::Deregistered { .. } => left -= 1,
            Change::Tagged { .. } => {}
            other => return Err(format!("exit 3, but {other:?}")),
        }
    }
    if left == 0 { runs(world, "1", 2) } else { Err(format!("{left} revisions are left")) }
}

/// An outsider puts the service on another revision at every second.
#[test]
fn somebody_else_wins_at_every_moment() {
    for second in every_nth("rolling: another deployment", 1..50) {
        let world = solo("");
        let life = world.run_beside(&deploy("2", ""), second, |cloud| {
            let body = r#"{"family":"other","containerDefinitions":[{"name":"api","image":"public.ecr.aws/x/y:1","portMappings":[{"containerPort":8080}]}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/x"}"#;
            call(cloud, "ecs", "RegisterTaskDefinition", body);
            let body = r#"{"cluster":"shop","service":"api","taskDefinition":"other:1"}"#;
            call(cloud, "ecs", "UpdateService", body);
        });
        let revision =
            world.call("ecs", "DescribeServices", r#"{"cluster":"shop","services":["api"]}"#);
        let revision: serde_json::Value = serde_json::from_str(&revision).expect("JSON");
        let serves = revision["services"][0]["taskDefinition"].as_str().unwrap_or_default();
        let well = life.code == Some(5) && serves.ends_with("other:1");
        // Before ours was sent, ours is the later one.
        let later = life.code == Some(0) && serves.ends_with("api:2");
        assert!(well || later, "at {second} s: {:?} {serves}\n{}", life.code, life.text);
    }
}

/// `terraform apply` puts the old revision back at every second, or somebody makes the service one whose
/// traffic ECS shifts, which needs no load balancer. No code says more than there is, and the next
/// deployment gets out.
#[test]
fn the_old_revision_or_another_strategy_at_every_moment() {
    const HEADLESS: &str = "[[service]]\nserviceName = 'api'\nloadBalancers = []\n";
    let old = r#"{"cluster":"shop","service":"api","taskDefinition":"api:1"}"#;
    let blue_green = r#"{"cluster":"shop","service":"api","deploymentConfiguration":{"strategy":"BLUE_GREEN","bakeTimeInMinutes":1}}"#;
    let worlds = [("", old), (BREAKER, old), (HEADLESS, old), (HEADLESS, blue_green)];
    let cases = worlds.iter().flat_map(|world| (1..70).map(move |second| (world, second)));
    for ((more, update), second) in every_nth("rolling: old revision, other strategy", cases) {
        let world = solo(more);
        let update = (*update).to_owned();
        let life = world.run_beside(&deploy("2", "--bake 20s"), second, move |cloud| {
            call(cloud, "ecs", "UpdateService", &update);
        });
        world.wait(900);
        let runs = |tag: &str| match more.contains("loadBalancers") {
            true => works_towards(&world, tag),
            false => runs(&world, tag, 2),
        };
        match life.code {
            Some(0) => runs("2"),
            Some(1 | 3) => runs("1"),
            Some(4 | 5) => Ok(()),
            other => Err(format!("{other:?}")),
        }
        .unwrap_or_else(|why| panic!("{more} at {second} s: {:?} {why}\n{}", life.code, life.text));
        let again = world.run(&deploy("2", "--force --on-conflict supersede"));
        let runs = runs("2");
        assert!(
            again.code == Some(0) && runs.is_ok(),
            "{more} at {second} s: {:?}, afterwards {:?} {runs:?}\n{}\n{}",
            life.code,
            again.code,
            life.text,
            again.text
        );
    }
}

/// The revision that the service wants has this image, and its tasks run.
fn works_towards(world: &World, tag: &str) -> Result<(), String> {
    let ask = |operation: &str, body: &str| -> serde_json::Value {
        serde_json::from_str(&world.call("ecs", operation, body)).expect("JSON")
    };
    let shown = ask("DescribeServices", r#"{"cluster":"shop","services":["api"]}"#);
    let service = &shown["services"][0];
    let wanted = service["taskDefinition"].as_str().unwrap_or_default();
    let body = format!(r#"{{"taskDefinition":"{wanted}"}}"#);
    let definition = ask("DescribeTaskDefinition", &body);
    let image = definition["taskDefinition"]["containerDefinitions"][0]["image"].as_str();
    let own = image.unwrap_or_default().split('@').next();
    match (own == Some(&format!("{REPOSITORY}:{tag}")), service["runningCount"].as_u64()) {
        (true, Some(2)) => Ok(()),
        (_, count) => Err(format!("not {tag} but {count:?} of {image:?}")),
    }
}

/// What AWS said for a while after a change was older than the change.
#[test]
fn answers_from_the_past_turn_nothing_back() {
    let images = [("2", 0), ("4", 1)];
    let cases = images.into_iter().flat_map(|(tag, code)| (1..=4).map(move |n| (tag, code, n)));
    for (tag, code, change) in every_nth("rolling: stale reads", cases) {
        let world = solo("");
        world.cloud().remember(Duration::from_secs(20));
        let stale = Stale { change: Some(change), lasts: Duration::from_secs(10) };
        let life = world.live(&deploy(tag, ""), Fate { stale: Some(stale), ..Fate::default() });
        let serves = if code == 0 { tag } else { "1" };
        assert_eq!(life.code, Some(code), "{tag}, change {change}: {}", life.text);
        runs(&world, serves, 2).unwrap_or_else(|why| panic!("{tag}, {change}: {why}"));
    }
}
