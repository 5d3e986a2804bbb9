//! Every API call of a deployment is thrown away once, in three ways; then a fresh process runs the
//! same command to its end. Enumerated, not sampled.

use std::time::Duration;

use ecs_bg_sandbox::sdk::Interference;

use crate::invariants::{Promise, broken, serves};
use crate::lives::{DEATHS, Death, REPOSITORY, World, deploy};

const PROMISE: Promise =
    Promise { bake: Duration::from_secs(60), follow: Duration::from_secs(120), changes: 30 };

/// A deployment that is killed at `nth`, run again to its end, and run once more.
fn killed_and_run_again(tag: &str, nth: u32, death: Death) -> Result<bool, String> {
    let world = World::new("shop");
    let good = tag == "2";
    let serving = format!("{REPOSITORY}:{}", if good { tag } else { "1" });
    let first = world.run_until(&deploy(tag, ""), nth, death);
    let killed = first.code.is_none();
    // What we die in serves as it did at that moment.
    if serves(&world.cloud(), &serving, 2).is_err() {
        serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2)
            .map_err(|what| format!("after death: {what}"))?;
    }
    // Its owner is dead for sure.
    world.wait(180);
    let second = if killed { world.run(&deploy(tag, "")) } else { first };
    let expected = if good { 0 } else { 1 };
    if second.code != Some(expected) {
        return Err(format!("ended with {:?}, not {expected}:\n{}", second.code, second.text));
    }
    serves(&world.cloud(), &serving, 2)
        .map_err(|what| format!("at the end: {what}\n{}", second.text))?;
    if good {
        let before = world.cloud().journal().len();
        let third = world.run(&deploy(tag, ""));
        let changed: Vec<_> =
            world.journal(before).into_iter().filter(|entry| entry.call.is_some()).collect();
        if third.code != Some(0) || !changed.is_empty() {
            return Err(format!("running again changed {changed:?}:\n{}", third.text));
        }
    }
    match broken(&world.cloud(), 0, &PROMISE) {
        broken if broken.is_empty() => Ok(killed),
        broken => Err(format!("{broken:#?}\n{}", second.text)),
    }
}

fn every_death_of(tag: &str) -> u32 {
    let mut points = 0;
    let mut failures = Vec::new();
    for death in DEATHS {
        for nth in 1.. {
            match killed_and_run_again(tag, nth, death) {
                Ok(true) => points += 1,
                Ok(false) => break,
                Err(why) => {
                    failures.push(format!("killed {death:?} at call {nth} of image {tag}: {why}"))
                }
            }
            assert!(nth < 1000, "a deployment does not end");
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {points} failed, the first: {}",
        failures.len(),
        failures[0]
    );
    println!("image {tag}: killed at {points} points, each came to its end");
    points
}

#[test]
fn a_good_deployment_survives_death_at_every_call() {
    assert!(every_death_of("2") > 200);
}

#[test]
fn a_sick_deployment_survives_death_at_every_call() {
    assert!(every_death_of("3") > 100);
}

#[test]
fn a_deployment_that_exits_survives_death_at_every_call() {
    assert!(every_death_of("4") > 90);
}

/// Every call meets every fault once, and the deployment goes where it would have gone.
fn every_fault_of(tag: &str, expected: u8) {
    let refused = |status, code: &str| Interference::Error {
        status,
        code: code.to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    let faults = [
        ("throttled", refused(400, "ThrottlingException")),
        ("500", refused(500, "ServerException")),
        ("reset before", Interference::ResetBefore),
        ("reset after", Interference::ResetAfter),
        ("hung", Interference::LoseRequest),
        ("answer hung", Interference::LoseAnswer),
    ];
    let calls: u32 = World::new("shop").run(&deploy(tag, "")).calls.values().sum();
    let serving = format!("{REPOSITORY}:{}", if expected == 0 { tag } else { "1" });
    let mut failures = Vec::new();
    for (name, fault) in faults {
        for nth in 1..=calls {
            let world = World::new("shop");
            let life = world.run_once(&deploy(tag, ""), nth, fault.clone());
            let mut broken = broken(&world.cloud(), 0, &PROMISE);
            broken.extend(serves(&world.cloud(), &serving, 2).err());
            if life.code != Some(expected) || !broken.is_empty() {
                failures
                    .push(format!("call {nth} {name}: {:?} {broken:#?}\n{}", life.code, life.text));
            }
        }
    }
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
}

#[test]
fn a_good_deployment_survives_every_fault_at_every_call() {
    every_fault_of("2", 0);
}

#[test]
fn a_sick_deployment_survives_every_fault_at_every_call() {
    every_fault_of("3", 1);
}
