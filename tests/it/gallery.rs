//! What happens beside a deployment, at every moment of it: sickness, lost tasks, outsiders at the
//! desired counts and at the weights, rivals. Enumerated by the second, on the whole machine.

use std::time::Duration;

use ecs_bg_sandbox::{Cloud, Time};

use crate::invariants::{Promise, broken, serves, sick_with_traffic};
use crate::lives::{Life, REPOSITORY, World, call, deploy};

const PROMISE: Promise =
    Promise { bake: Duration::from_secs(0), follow: Duration::from_secs(0), changes: 80 };
/// A deployment lasts 160 simulated seconds.
const SECONDS: std::ops::Range<u64> = 0..165;

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

/// What serves is what the exit code says, nothing is broken, and it has come to an end.
fn fits(world: &World, life: &Life, new: &str) -> Result<(), String> {
    let old = if life.code == Some(0) { new } else { "1" };
    let told = |what: String| format!("{what}\n{}", life.text);
    if !matches!(life.code, Some(0 | 1)) {
        return Err(told(format!("ended with {:?}", life.code)));
    }
    world.wait(120);
    let cloud = world.cloud();
    let wrong = cloud
        .serving()
        .into_iter()
        .filter(|side| side.weight > 0)
        .flat_map(|side| side.behind)
        .find(|target| {
            target.state == "healthy" && target.image.as_deref() != Some(image(old).as_str())
        });
    if let Some(wrong) = wrong {
        return Err(told(format!("{} serves {:?}", wrong.target, wrong.image)));
    }
    match broken(&cloud, 0, &PROMISE) {
        broken if broken.is_empty() => Ok(()),
        broken => Err(told(format!("{broken:#?}"))),
    }
}

fn at_every_second(step: usize, what: &str, act: impl Fn(&mut Cloud) + Send + Clone + 'static) {
    let mut failures = Vec::new();
    for second in SECONDS.step_by(step) {
        let world = World::new("shop");
        let life = world.run_beside(&deploy("2", "--bake 30s"), second, act.clone());
        if let Err(why) = fits(&world, &life, "2") {
            failures.push(format!("{what} at {second} s: {why}"));
        }
    }
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
}

fn count(cloud: &mut Cloud, service: &str, count: u32) {
    let body = format!(r#"{{"cluster":"shop","service":"{service}","desiredCount":{count}}}"#);
    call(cloud, "ecs", "UpdateService", &body);
}

#[test]
fn an_outsider_scales_blue_out_at_any_moment() {
    // Once blue is retired nobody scales it out but by mistake: that is another story.
    let mut failures = Vec::new();
    for second in (0..150).step_by(7) {
        let world = World::new("shop");
        let life =
            world.run_beside(&deploy("2", "--bake 30s"), second, |cloud| count(cloud, "web", 4));
        if let Err(why) = fits(&world, &life, "2") {
            failures.push(format!("at {second} s: {why}"));
        }
    }
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
}

#[test]
fn an_outsider_scales_green_at_any_moment() {
    for wanted in [1, 3] {
        at_every_second(7, "green", move |cloud| {
            // Only what has been launched is scaled.
            let body = r#"{"cluster":"shop","services":["web-green"]}"#;
            if !call(cloud, "ecs", "DescribeServices", body).contains(r#""desiredCount":0"#) {
                count(cloud, "web-green", wanted);
            }
        });
    }
}

fn stop_one(cloud: &mut Cloud, service: &str) {
    let tasks = call(
        cloud,
        "ecs",
        "ListTasks",
        &format!(r#"{{"cluster":"shop","serviceName":"{service}"}}"#),
    );
    if let Some(arn) = tasks.split('"').find(|part| part.contains(":task/")) {
        call(cloud, "ecs", "StopTask", &format!(r#"{{"cluster":"shop","task":"{arn}"}}"#));
    }
}

#[test]
fn either_side_loses_a_task_at_any_moment() {
    at_every_second(5, "a task of green", |cloud| stop_one(cloud, "web-green"));
    at_every_second(5, "a task of blue", |cloud| stop_one(cloud, "web"));
}

#[test]
fn green_falls_sick_after_any_time() {
    let mut failures = Vec::new();
    let mut back = 0;
    for after in (0..140).step_by(4) {
        let toml = format!(
            "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '{after}s'"
        );
        let world = World::parsed(&toml);
        let life = world.run(&deploy("2", "--bake 30s"));
        back += u32::from(life.code == Some(1));
        // Sick after the end is another story.
        if life.code == Some(1) {
            failures.extend(serves(&world.cloud(), &image("1"), 2).err());
        }
        failures.extend(broken(&world.cloud(), 0, &PROMISE));
        let sick_for = sick_with_traffic(&world.cloud(), Time(0));
        if sick_for > Duration::from_secs(45) {
            failures.push(format!("after {after} s: on a sick green for {sick_for:?}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(back > 25, "{back} went back");
}

#[test]
fn a_rival_with_another_image_starts_at_any_moment() {
    let mut failures = Vec::new();
    let moments = (0..400).step_by(20).chain((1000..160_000).step_by(9000));
    for later in moments {
        let world = World::new("shop");
        let [first, second] =
            world.run_together(&deploy("2", "--bake 0"), &deploy("5", "--bake 0"), later);
        let told = format!(
            "{later} ms: {:?} {:?}\n{}\n{}",
            first.code, second.code, first.text, second.text
        );
        let winners = [first.code, second.code].iter().filter(|code| **code == Some(0)).count();
        let serving = if second.code == Some(0) { "5" } else { "2" };
        if winners == 0 || serves(&world.cloud(), &image(serving), 2).is_err() {
            failures.push(format!("serves something else: {told}"));
        }
        if ![Some(0), Some(3)].contains(&second.code) || ![Some(0), Some(3)].contains(&first.code) {
            failures.push(told);
        }
        failures
            .extend(world.cloud().violations().iter().map(|v| format!("{later} ms: {}", v.what)));
    }
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
}

#[test]
fn a_rival_that_supersedes_takes_over_at_any_moment() {
    let mut failures = Vec::new();
    for later in (1000..150_000).step_by(7000) {
        let world = World::new("shop");
        let second = deploy("5", "--bake 0 --on-conflict supersede");
        let [first, second] = world.run_together(&deploy("2", "--bake 0"), &second, later);
        let told = format!(
            "{later} ms: {:?} {:?}\n{}\n{}",
            first.code, second.code, first.text, second.text
        );
        if second.code != Some(0) || first.code != Some(5) {
            failures.push(told.clone());
        }
        failures.extend(
            serves(&world.cloud(), &image("5"), 2).err().map(|why| format!("{why}: {told}")),
        );
        failures
            .extend(world.cloud().violations().iter().map(|v| format!("{later} ms: {}", v.what)));
    }
    assert!(failures.is_empty(), "{} failed, the first: {}", failures.len(), failures[0]);
}
