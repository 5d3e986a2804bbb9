//! A pair that Application Auto Scaling scales, while a scheduled action of both services changes the minimum
//! and maximum, and so the desired count, at any moment: scaling ends as it was found, with the limits that the
//! action set. (`deaths`, `faults` and `gallery` have such a pair among their scenes.)

use std::sync::atomic::{AtomicU32, Ordering};

use ecs_bg_sandbox::Cloud;
use humantime::format_rfc3339_seconds;
use serde_json::json;

use crate::support::fate::{Fate, Moment, When, is_read};
use crate::support::invariants::{answers, broken, scaled_as_found};
use crate::support::lives::{Life, World, call, outside, takes};
use crate::support::scenes::{SCALED, SCALED_SICK, Scene};
use crate::support::sweep::sweep;

const PAIR: &str = "--cluster shop --service web";
/// Limits that a scheduled action sets: more tasks than there are, fewer, and other ones around them.
const LIMITS: [(i64, i64); 3] = [(3, 6), (1, 1), (2, 3)];

/// Both services have a scheduled action, a second from now. It runs where that is not suspended.
pub(crate) fn schedule(cloud: &mut Cloud, (min, max): (i64, i64)) {
    let at = cloud.now() + std::time::Duration::from_secs(1);
    let at = format_rfc3339_seconds(at.into()).to_string();
    for service in ["web", "web-green"] {
        let action = json!({
            "ServiceNamespace": "ecs",
            "ResourceId": format!("service/shop/{service}"),
            "ScalableDimension": "ecs:service:DesiredCount",
            "ScheduledActionName": "night",
            "Schedule": format!("at({})", at.trim_end_matches('Z')),
            "ScalableTargetAction": {"MinCapacity": min, "MaxCapacity": max},
        });
        call(cloud, "application-autoscaling", "PutScheduledAction", &action.to_string());
    }
}

fn desired(cloud: &Cloud) -> [i64; 2] {
    ["web", "web-green"].map(|service| {
        let body = json!({ "cluster": "shop", "services": [service] }).to_string();
        let told = call(&mut cloud.clone(), "ecs", "DescribeServices", &body);
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        told["services"][0]["desiredCount"].as_i64().expect("a count")
    })
}

/// Somebody serves, within the limits; the other side is empty; scaling is as it was found.
fn ends_well(world: &World, scene: &Scene, limits: (i64, i64)) -> Result<(), String> {
    world.wait(600);
    let cloud = world.cloud();
    answers(&cloud)?;
    scaled_as_found(&cloud, Some(limits))?;
    let [blue, green] = desired(&cloud);
    let (live, idle) = if scene.good { (green, blue) } else { (blue, green) };
    if idle != 0 || !(limits.0..=limits.1).contains(&live) {
        return Err(format!("{live} tasks serve and {idle} idle, within {limits:?}"));
    }
    let mut broken = broken(&cloud, 0, &scene.promise());
    if limits.1 < 2 {
        // The maximum of the user's own action is below what carries the traffic: Application Auto Scaling
        // stops tasks of any service then.
        broken.retain(|what| !what.starts_with("shrinks-traffic"));
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(format!("{broken:?}")),
    }
}

fn kept(scene: &Scene) -> Life {
    let life = World::of(scene.cloud()).run_kept(&scene.deploy());
    assert_eq!(life.code, Some(scene.exit_code()), "{}", life.text);
    life
}

/// Every change, and some reads.
fn matters(moment: &&Moment) -> bool {
    !is_read(&moment.operation) || moment.nth.is_multiple_of(4)
}

#[test]
fn a_scheduled_action_at_any_step_holds_on_the_side_that_serves_in_the_end() {
    for scene in [SCALED, SCALED_SICK] {
        let life = kept(&scene);
        let moments = life.moments.iter().filter(|moment| !moment.done).filter(matters);
        let cases = moments.flat_map(|moment| LIMITS.map(|limits| (moment.nth, limits)));
        sweep(&format!("{}: a scheduled action", scene.name), cases, |(nth, limits)| {
            let world = World::of(scene.cloud());
            let limits = *limits;
            let outsider = outside(When::Call(*nth), move |cloud| schedule(cloud, limits));
            let life = world.live(&scene.deploy(), Fate { outsider, ..Fate::default() });
            let told =
                |why| format!("{}: {limits:?} before call {nth}: {why}\n{}", scene.name, life.text);
            if life.code != Some(scene.exit_code()) {
                return Err(told(format!("ended with {:?}", life.code)));
            }
            ends_well(&world, &scene, limits).map_err(told)
        });
    }
}

/// Somebody deregisters one of the two services before any change: no success and no rollback leaves the side that
/// serves scaled otherwise than before, and no idle side can be started again.
#[test]
fn a_service_that_somebody_deregisters_at_any_step_leaves_no_crossed_scaling() {
    for scene in [SCALED, SCALED_SICK] {
        let life = kept(&scene);
        let stuck = AtomicU32::new(0);
        let moments = life.moments.iter().filter(|moment| !moment.done).filter(matters);
        let cases = moments.flat_map(|moment| ["web", "web-green"].map(|one| (moment.nth, one)));
        sweep(&format!("{}: deregistered", scene.name), cases, |(nth, service)| {
            let world = World::of(scene.cloud());
            let service = *service;
            let outsider = outside(When::Call(*nth), move |cloud| deregister(cloud, service));
            let life = world.live(&scene.deploy(), Fate { outsider, ..Fate::default() });
            let told =
                |why| format!("{}: {service} before call {nth}: {why}\n{}", scene.name, life.text);
            match life.code {
                // Which of them is scaled any more, somebody else decided.
                Some(0 | 1) => scaled_as_found(&world.cloud(), scene.limits()).map_err(told),
                // Before the old side stops.
                Some(4) if desired(&world.cloud())[0] > 0 => {
                    stuck.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }
                Some(3) => Ok(()),
                other => Err(told(format!("ended with {other:?}"))),
            }
        });
        assert!(!scene.good || stuck.load(Ordering::Relaxed) > 0, "none ended with 4");
    }
}

fn deregister(cloud: &mut Cloud, service: &str) {
    let target = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/shop/{service}"),
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    call(cloud, "application-autoscaling", "DeregisterScalableTarget", &target.to_string());
}

/// Who goes on after a death.
#[derive(Clone, Copy, Debug)]
enum After {
    Again,
    Resume,
    Rollback,
}

#[test]
fn a_scheduled_action_after_a_death_at_any_call_holds_whoever_goes_on() {
    for scene in [SCALED, SCALED_SICK] {
        let life = kept(&scene);
        let ways = [After::Again, After::Resume, After::Rollback];
        let moments = life.moments.iter().filter(|one| one.done || !is_read(&one.operation));
        let moments = moments.filter(matters).enumerate();
        let cases = moments.flat_map(|(index, moment)| {
            ways.map(|after| (moment, after, LIMITS[index % LIMITS.len()]))
        });
        sweep(&format!("{}: death and a scheduled action", scene.name), cases, |case| {
            let (moment, after, limits) = *case;
            let world = World::of(moment.cloud.clone());
            schedule(&mut world.cloud(), limits);
            world.wait(180);
            let life = match after {
                After::Again => world.run(&scene.deploy()),
                After::Resume => world.run(&format!("resume {PAIR}")),
                After::Rollback => world.run(&format!("rollback {PAIR}")),
            };
            let told = |why| {
                let (nth, operation) = (moment.nth, &moment.operation);
                format!(
                    "{}: killed at call {nth} ({operation}, done: {}), {limits:?}, {after:?}: {why}\n{}",
                    scene.name, moment.done, life.text
                )
            };
            let nothing = life.text.contains("nothing to do") || life.code == Some(3);
            // The schedule left fewer tasks than the record asks for: a newcomer follows it no further.
            let bounded =
                life.code == Some(4) && life.text.contains("the record says 2, 1 is used");
            let is_known = matches!(life.code, Some(0 | 1)) || nothing || bounded && limits.1 == 1;
            if !is_known {
                return Err(told(format!("ended with {:?}", life.code)));
            }
            world.wait(600);
            answers(&world.cloud()).map_err(told)?;
            scaled_as_found(&world.cloud(), Some(limits)).map_err(told)
        });
    }
}

/// Nobody can go on with what somebody else deployed over; the next deployment restores what it suspended.
#[test]
fn what_nobody_resumed_is_restored_by_the_next_deployment() {
    let life = kept(&SCALED);
    let moments = life.moments.iter().filter(|moment| !moment.done).filter(matters);
    sweep("scaled: green taken after a death", moments, |moment| {
        let world = World::of(moment.cloud.clone());
        let mut story = format!("killed before call {} ({})", moment.nth, moment.operation);
        takes(&mut world.cloud(), "web-green", "web", &SCALED.old_image());
        world.wait(180);
        for _ in 0..4 {
            let life = world.run(&SCALED.deploy());
            story += &format!("\ndeploy: {:?}\n{}", life.code, life.text);
            match life.code {
                Some(0) => break,
                Some(3) => {
                    world.wait(300);
                    let hint =
                        life.text.lines().find_map(|line| line.strip_prefix("hint: ecs-bg "));
                    if let Some(line) = hint {
                        let life = world.run(line);
                        story += &format!("\n{line}: {:?}\n{}", life.code, life.text);
                    }
                }
                _ => return Err(story),
            }
        }
        world.wait(600);
        let scaled = scaled_as_found(&world.cloud(), SCALED.limits());
        answers(&world.cloud()).and(scaled).map_err(|why| format!("{story}\n{why}"))
    });
}
