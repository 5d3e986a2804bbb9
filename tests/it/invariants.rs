//! Each invariant of the record is broken once on purpose, and the judge names it.

use std::collections::BTreeSet;
use std::time::Duration;

use ecs_bg_sandbox::Time;
use ecs_bg_sandbox::invariants::{Invariant, Violation};
use ecs_bg_sandbox::journal::{Call, Change, Entry};

use crate::support::invariants::{
    Promise, broken, changed_after_close, held_too_short, rose_too_soon, scaled_as_found, secrets,
    serves, shares_after_turning_back, was_healthy_lately, way_back_lost,
};
use crate::support::lives::{REPOSITORY, World, deploy};
use crate::support::scenes::SCALED;

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 20,
    past: Duration::ZERO,
};

fn by_someone(change: Change) -> impl Fn(u64) -> Entry {
    move |at| Entry {
        at: Time(at * 1000),
        call: Some(Call {
            index: 1,
            service: "ecs".into(),
            operation: "X".into(),
            region: "r".into(),
            user_agent: "aws-sdk-rust/1".into(),
        }),
        change: change.clone(),
    }
}

fn weights(before: [u32; 2], after: [u32; 2]) -> Change {
    let list = |w: [u32; 2]| vec![("web-a/1".to_owned(), w[0]), ("web-b/1".to_owned(), w[1])];
    Change::Weights { rule: "r".into(), before: list(before), after: list(after) }
}

fn state(text: &str) -> Change {
    let tags = [("ecs-bg:state", text), ("ecs-bg:green", "web-green")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Change::Tagged { resource: "web:2".into(), tags }
}

fn emptied() -> Change {
    Change::Desired { service: "web".into(), before: 2, after: 0 }
}

fn named(broken: Vec<String>) -> Vec<String> {
    broken.iter().map(|what| what.split(':').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_share_that_rises_on_the_way_back_is_named() {
    let journal = [
        by_someone(weights([100, 0], [500, 500]))(1),
        by_someone(state("heading=back why=sick to=0"))(2),
        by_someone(weights([500, 500], [100, 0]))(3),
    ];
    assert!(shares_after_turning_back(&journal).is_empty());
    let mut wrong = journal.to_vec();
    wrong[2] = by_someone(weights([500, 500], [0, 100]))(3);
    assert_eq!(named(shares_after_turning_back(&wrong)), ["no-rise-after-turning-back"]);
}

#[test]
fn scaling_that_does_not_end_as_it_was_found_is_named() {
    let limits = SCALED.limits();
    let world = World::of(SCALED.cloud());
    assert_eq!(scaled_as_found(&world.cloud(), limits), Ok(()));
    let state = |scale_in, scale_out, scheduled| {
        format!(
            r#"{{"DynamicScalingInSuspended":{scale_in},"DynamicScalingOutSuspended":{scale_out},"ScheduledScalingSuspended":{scheduled}}}"#
        )
    };
    for (service, min, max, suspended) in [
        ("web", 1, 4, state(true, false, false)),
        ("web", 2, 4, state(false, false, false)),
        ("web", 1, 5, state(false, false, false)),
        ("web-green", 1, 4, state(true, true, true)),
        ("web-green", 0, 4, state(true, false, true)),
    ] {
        let world = World::of(SCALED.cloud());
        let body = format!(
            r#"{{"ServiceNamespace":"ecs","ScalableDimension":"ecs:service:DesiredCount","ResourceId":"service/shop/{service}","MinCapacity":{min},"MaxCapacity":{max},"SuspendedState":{suspended}}}"#
        );
        world.call("application-autoscaling", "RegisterScalableTarget", &body);
        let broken = scaled_as_found(&world.cloud(), limits).expect_err(&body);
        assert!(broken.starts_with("scaling-as-found: web has the traffic"), "{broken}");
    }
}

#[test]
fn a_share_that_rises_too_soon_is_named() {
    let plan = |state: &str| {
        let tags = [
            ("ecs-bg:green", "web-green"),
            ("ecs-bg:shares", "20/30+100/0"),
            ("ecs-bg:state", state),
        ];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        by_someone(Change::Tagged { resource: "web:2".into(), tags })(1)
    };
    let rises = |state: &str, at| {
        let first = by_someone(weights([100, 0], [80, 20]))(10);
        [plan(state), first, by_someone(weights([80, 20], [0, 100]))(at)]
    };
    assert!(rose_too_soon(&rises("heading=forward", 40)).is_empty());
    assert_eq!(named(rose_too_soon(&rises("heading=forward", 39))), ["share-held"]);
    assert!(rose_too_soon(&rises("heading=forward promoted=20", 11)).is_empty());
    let mut theirs = rises("heading=forward", 11);
    theirs[1].call = None;
    assert!(rose_too_soon(&theirs).is_empty());
}

#[test]
fn weight_on_what_fell_sick_long_ago_is_named() {
    let lost = by_someone(Change::Target {
        group: "b".into(),
        target: "10.0.0.7:80".into(),
        from: "healthy".into(),
        to: "unhealthy".into(),
        reason: None,
    })(10);
    let weighed = |at: u64| Violation {
        at: Time(at * 1000),
        call: None,
        invariant: Invariant::WeightOnEmpty,
        what: "r: weight 100 on b, which has no healthy target".into(),
    };
    let past = Duration::from_secs(10);
    assert!(was_healthy_lately(std::slice::from_ref(&lost), &weighed(19), past));
    assert!(!was_healthy_lately(std::slice::from_ref(&lost), &weighed(20), past));
    assert!(!was_healthy_lately(std::slice::from_ref(&lost), &weighed(10), Duration::ZERO));
}

#[test]
fn a_share_that_is_not_held_is_named() {
    let emptied_at = |at| [by_someone(weights([100, 0], [0, 100]))(10), by_someone(emptied())(at)];
    let users = BTreeSet::new();
    assert!(held_too_short(&emptied_at(130), &users, &PROMISE).is_empty());
    assert_eq!(named(held_too_short(&emptied_at(129), &users, &PROMISE)), ["held-as-planned"]);
    let tests = BTreeSet::from(["r".to_owned()]);
    assert!(held_too_short(&emptied_at(129), &tests, &PROMISE).is_empty());
}

#[test]
fn a_change_after_the_end_is_named() {
    let registered = by_someone(Change::Registered { revision: "web:2".into() })(1);
    let closed = by_someone(state("heading=forward closed=live/9"))(9);
    let fine = [registered.clone(), by_someone(emptied())(5), closed.clone()];
    assert!(changed_after_close(&fine).is_empty());
    let late = [registered.clone(), closed.clone(), by_someone(emptied())(10)];
    assert_eq!(named(changed_after_close(&late)), ["nothing-after-close"]);
    let reopened = [registered, closed, by_someone(state("heading=forward"))(10)];
    assert_eq!(named(changed_after_close(&reopened)), ["closed-stays-closed"]);
}

#[test]
fn a_lost_way_back_and_a_secret_in_a_tag_are_named() {
    let lost = [by_someone(Change::Deregistered { revision: "web:1".into() })(1)];
    assert_eq!(named(way_back_lost(&lost)), ["way-back-kept"]);
    assert_eq!(named(secrets(&[by_someone(state("why=hunter2"))(1)])), ["no-secret-in-a-tag"]);
}

#[test]
fn a_world_that_serves_something_else_is_told() {
    let world = World::new("shop");
    let image = |tag: &str| format!("{}:{tag}", REPOSITORY);
    assert_eq!(serves(&world.cloud(), &image("1"), 2), Ok(()));
    assert!(serves(&world.cloud(), &image("2"), 2).is_err(), "another image");
    assert!(serves(&world.cloud(), &image("1"), 3).is_err(), "too few tasks");
    assert_eq!(world.run(&deploy("2", "")).code, Some(0));
    assert_eq!(serves(&world.cloud(), &image("2"), 2), Ok(()));
    let changes = Promise { changes: 3, ..PROMISE };
    assert_eq!(named(broken(&world.cloud(), 0, &changes))[..1], ["changes-bounded"]);
}
