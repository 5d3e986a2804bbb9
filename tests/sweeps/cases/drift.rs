//! Back to a service where no record tells of the deployment, killed at every call.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::{Change, Entry};

use crate::support::fate::Fate;
use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy};
use crate::support::sweep::sweep;

pub(crate) const PAIR: &str = "--cluster shop --service web";
pub(crate) const PROMISE: Promise = Promise {
    bake: Duration::ZERO,
    follow: Duration::from_secs(120),
    changes: 60,
    past: Duration::ZERO,
};

pub(crate) fn serves_image(world: &World, tag: &str) {
    serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), 2).unwrap_or_else(|why| panic!("{why}"));
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What we wrote into rules since, and when.
pub(crate) fn weights(world: &World, from: usize) -> Vec<(ecs_bg_sandbox::Time, Vec<u32>)> {
    let ours = |entry: Entry| match entry.change {
        Change::Weights { after, .. } if entry.call.is_some() => {
            Some((entry.at, after.into_iter().map(|(_, weight)| weight).collect()))
        }
        _ => None,
    };
    world.journal(from).into_iter().filter_map(ours).collect()
}

/// A deployment without a record, as it is left where so many of our changes of weights were made; or
/// at its end.
pub(crate) fn unrecorded(changes: usize) -> World {
    let denied = &["RegisterTaskDefinition"];
    let fate = Fate { denied, keeps: true, ..Fate::default() };
    let world = World::new("shop");
    let life = world.live(&deploy("2", "--shares 50:60s,100"), fate);
    assert!(life.text.contains("no record is kept"), "{}", life.text);
    let made = |cloud: &Cloud| weights(&World::of(cloud.clone()), 0).len();
    let moment = life.moments.iter().find(|moment| made(&moment.cloud) == changes);
    moment.map_or(world, |moment| World::of(moment.cloud.clone()))
}

#[test]
fn what_no_record_tells_of_goes_back_to_a_service_whoever_dies_meanwhile() {
    let back = format!("rollback {PAIR} --to web");
    let mut points = 0;
    // Both sides have traffic, the new one has it all, the old one is empty.
    for changes in [1, 2, 3] {
        let world = unrecorded(changes);
        let life = world.run_kept(&back);
        assert_eq!(life.code, Some(1), "{}", life.text);
        serves_image(&world, "1");
        points += life.moments.len();
        sweep("killed on the way back to a service", &life.moments, |moment| {
            let world = World::of(moment.cloud.clone());
            let (again, last) = (world.run(&back), world.run(&back));
            let at = (changes, moment.nth, moment.done, &moment.operation);
            let told = |why: String| format!("{at:?}: {why}\n{}\n{}", again.text, last.text);
            if again.code.is_none_or(|code| code > 1) || last.code != Some(0) {
                return Err(told(format!("{:?}, then {:?}", again.code, last.code)));
            }
            serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2).map_err(told)?;
            match broken(&world.cloud(), 0, &PROMISE) {
                broken if broken.is_empty() => Ok(()),
                broken => Err(told(format!("{broken:?}"))),
            }
        });
    }
    assert!(points > 100, "{points}");
}
