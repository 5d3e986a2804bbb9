//! A process dies at every API call of every scene, in three ways; then somebody goes on with what it
//! left. Enumerated, not sampled: the world is kept at each call of one life, so that a death costs no
//! more than what comes after it. Two deaths, and random lives.

use std::time::Duration;

use crate::stride;
use crate::support::chaos;
use crate::support::fate::{Moment, is_read};
use crate::support::invariants::{
    broken, green_has_weight, scaled_as_found, serves, sick_with_traffic, whole,
};
use crate::support::lives::World;
use crate::support::scenes::{GALLERY, Scene};
use crate::support::sweep::{Tally, all_well, every_nth, sweep};

const PAIR: &str = "--cluster shop --service web";
/// Users are not left on a sick green for longer once somebody watches: a claim takes 20 s of it.
const SICK_FOR: Duration = Duration::from_secs(45);
/// Calls beyond those of a whole life, for who goes on with what another process left, or waits until
/// the tasks are gone of a side that it needs.
const FINDING_OUT: u32 = 60;

/// What follows a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The same command, once the owner is dead for sure.
    Again,
    /// A person goes on at once.
    Resume,
    /// A person turns it back at once, or deploys what served before.
    Rollback,
    /// Nobody comes, for a day.
    Nobody,
}

/// Every moment is gone on with by the same command; what a call has done also in the other ways; and
/// nobody comes after each change (after a read the world is what the change before it made of it).
/// The large world pays for fewer reads, and in long lives a person does one or the other after each.
fn cases<'a>(scene: &Scene, moments: &'a [Moment]) -> Vec<(&'a Moment, After)> {
    let ways = |moment: &Moment| match (moment.done, is_read(&moment.operation)) {
        (_, true) if scene.count > 10 && !moment.nth.is_multiple_of(4) => &[][..],
        (false, _) => &[After::Again],
        (true, true) if scene.calls >= 300 => match moment.nth.is_multiple_of(2) {
            true => &[After::Again, After::Resume],
            false => &[After::Again, After::Rollback],
        },
        (true, true) => &[After::Again, After::Resume, After::Rollback],
        (true, false) => &[After::Again, After::Resume, After::Rollback, After::Nobody],
    };
    moments.iter().flat_map(|moment| ways(moment).iter().map(move |way| (moment, *way))).collect()
}

fn goes_on(scene: &Scene, moment: &Moment, after: After) -> Result<(), String> {
    let world = World::of(moment.cloud.clone());
    let told = |why: String| {
        let when = if moment.done { "after" } else { "before" };
        format!(
            "{}: killed {when} call {} ({}), {after:?}: {why}",
            scene.name, moment.nth, moment.operation
        )
    };
    let old = !green_has_weight(&world.cloud());
    // What it dies in serves as it did.
    if scene.good {
        whole(&world.cloud(), scene.count).map_err(told)?;
    }
    let mut from = world.now();
    let life = match after {
        After::Nobody => {
            world.wait(24 * 3600);
            return left_alone(scene, &world, old).map_err(told);
        }
        After::Again => {
            world.wait(180);
            from = world.now();
            world.run(&scene.deploy())
        }
        After::Resume => {
            let life = world.run(&scene.resume());
            // Nothing was begun, or it had ended.
            let nothing = life.text.contains("nothing to do");
            if nothing { world.run(&scene.deploy()) } else { life }
        }
        After::Rollback => world.run(&format!("rollback {PAIR}")),
    };
    let (code, text) = (life.code, &life.text);
    let ended = |why: String| told(format!("{why}\n{text}"));
    let (expected, serving): (&[u8], _) = match after {
        // Only the checks know that it is bad, and a person skipped them.
        After::Resume if scene.is_judged() && code == Some(0) => (&[0], scene.new_image()),
        // 3: nothing to roll back to. Then the old version still serves.
        After::Rollback => (&[0, 1, 3], scene.old_image()),
        _ => (&[scene.exit_code()], scene.serving()),
    };
    if !code.is_some_and(|code| expected.contains(&code)) {
        return Err(ended(format!("ended with {code:?}, not {expected:?}")));
    }
    serves(&world.cloud(), &serving, scene.count).map_err(ended)?;
    // Nothing was begun: nothing was changed.
    scaled_as_found(&world.cloud(), scene.limits()).map_err(ended)?;
    let mut broken = broken(&world.cloud(), 0, &scene.promise());
    let sick_for = sick_with_traffic(&world.cloud(), from);
    if sick_for > SICK_FOR {
        broken.push(format!("on a sick green for {sick_for:?}"));
    }
    // It reads no more than a whole life does, and what it has to find out.
    let calls: u32 = life.calls.values().sum();
    if calls > scene.calls + FINDING_OUT {
        broken.push(format!("{calls} calls"));
    }
    if !broken.is_empty() {
        return Err(ended(format!("{broken:?}")));
    }
    match after == After::Again && scene.good {
        true => changes_nothing(scene, &world).map_err(told),
        false => Ok(()),
    }
}

/// Nobody resumes: what served keeps serving, and both sides stay whole until the old one was retired.
fn left_alone(scene: &Scene, world: &World, old: bool) -> Result<(), String> {
    match (scene.good, old) {
        (true, _) => whole(&world.cloud(), scene.count),
        // It is green that is sick: what does not stand on it stays well.
        (false, true) => serves(&world.cloud(), &scene.old_image(), scene.count),
        (false, false) => Ok(()),
    }
}

fn changes_nothing(scene: &Scene, world: &World) -> Result<(), String> {
    let before = world.cloud().journal().len();
    let life = world.run(&scene.deploy());
    let changed: Vec<_> =
        world.journal(before).into_iter().filter(|entry| entry.call.is_some()).collect();
    match life.code == Some(0) && changed.is_empty() {
        true => Ok(()),
        false => Err(format!("running again changed {changed:?}:\n{}", life.text)),
    }
}

#[test]
fn every_scene_survives_death_at_every_call() {
    let mut tally = Tally::default();
    for scene in GALLERY {
        let world = World::of(scene.cloud());
        let whole = world.run_kept(&scene.deploy());
        assert_eq!(whole.code, Some(scene.exit_code()), "{}: {}", scene.name, whole.text);
        let calls: u32 = whole.calls.values().sum();
        assert!(calls <= scene.calls, "{}: {calls} calls", scene.name);
        tally.hit(whole.calls.keys());
        let cases = every_nth(scene.name, cases(&scene, &whole.moments));
        for (_, after) in &cases {
            tally.count(scene.name, &format!("{after:?}"), 1);
        }
        tally.try_all(&cases, |(moment, after)| goes_on(&scene, moment, *after));
    }
    assert!(tally.points() * stride() >= 5000, "{} points", tally.points());
    tally.judge();
}

/// Some of all ordered pairs of deaths: `cargo bench --bench seeds -- pairs` tries them all.
#[test]
fn two_deaths_are_survived_like_one() {
    let (pairs, failures) = chaos::every_pair(29);
    println!("{pairs} pairs of deaths");
    all_well(&failures, pairs);
}

/// Lives that once ended badly, or not at all.
const ONCE_BAD: [u64; 14] = [
    812, 1490, 1558, 1744, 2204, 3835, 20725, 105_356, 112_629, 117_075, 120_059, 121_857, 549_134,
    840_784,
];

/// A few random lives; `cargo bench --bench seeds` lives more of them.
#[test]
fn random_lives_end_well() {
    sweep("random lives", (0..150).chain(ONCE_BAD), |seed| chaos::life(*seed));
}
