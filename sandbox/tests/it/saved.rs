//! A world is carried from one command to the next, and long times are short.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::Change;
use serde_json::json;

use crate::support::World;

#[test]
fn a_saved_world_goes_on_as_if_nothing_had_happened() {
    let mut one = World::shop();
    let arn = one.register("2");
    one.update("web", json!({"taskDefinition": arn}));
    one.weigh(50, 50).expect("weights");
    one.pass(17);
    let text = serde_json::to_string(&one.cloud).expect("saved");
    let mut other = World { cloud: serde_json::from_str::<Cloud>(&text).expect("loaded") };
    for world in [&mut one, &mut other] {
        world.pass(23);
        world.register("5");
        world.pass(400);
    }
    assert_eq!(one.cloud.journal(), other.cloud.journal());
    assert_eq!(one.cloud.violations(), other.cloud.violations());
    assert_eq!(one.service("web"), other.service("web"));
    assert_eq!(serde_json::to_string(&one.cloud).ok(), serde_json::to_string(&other.cloud).ok());
}

#[test]
fn the_same_seed_makes_the_same_world() {
    let ids = |mut world: World| world.service("web")["deployments"][0]["id"].clone();
    assert_eq!(ids(World::shop()), ids(World::shop()));
    assert_ne!(ids(World::shop()), ids(World::with("extends = 'shop'\nseed = 7")));
}

/// What nothing happens in costs nothing: no ticks, only what is due.
#[test]
fn a_world_at_rest_changes_nothing_but_its_events() {
    let mut world = World::shop();
    let before = world.cloud.journal().len();
    world.pass(24 * 3600);
    let changes = &world.cloud.journal()[before..];
    let other = changes.iter().find(|entry| !matches!(entry.change, Change::Event { .. }));
    assert_eq!(other, None);
    assert!(changes.len() <= 10, "{} changes", changes.len());
}

#[test]
fn time_never_goes_back() {
    let mut world = World::shop();
    let later = world.cloud.now() + Duration::from_secs(60);
    world.cloud.advance(later);
    world.cloud.advance(later + Duration::ZERO);
    world.cloud.advance(ecs_bg_sandbox::Time(0));
    assert_eq!(world.cloud.now(), later);
}
