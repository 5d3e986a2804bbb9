//! Checks where ECS shifts the traffic: it waits at each of its stages until they have passed.

use std::time::Duration;

use ecs_bg_sandbox::faults::Order;

use crate::support::fate::Death;
use crate::support::invariants::serves;
use crate::support::lives::{Life, World, call};

const IMAGES: &str = "
[[image]]
ref = 'shop/shop:5'
does = 'serve'
fails = '/cart'
";

/// A service that ECS deploys, with a listener for tests. Image 5 fails in the cart.
fn shop() -> World {
    World::parsed(&format!("{}{IMAGES}", include_str!("../../scenarios/native.toml")))
}

const CART: &str = "--check https://shop.example.com/cart";

fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service shop --tag {tag} {more}")
}

/// What ECS says of the service's settings, and which revision serves.
fn described(world: &World) -> serde_json::Value {
    let body = r#"{"cluster":"shop","services":["shop"]}"#;
    let answer = call(&mut world.cloud(), "ecs", "DescribeServices", body);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["services"][0].clone()
}

/// It serves this image alone, and its settings are its own.
fn is_well(world: &World, life: &Life, tag: &str) {
    let own = described(world);
    let hooks = own["deploymentConfiguration"]["lifecycleHooks"].as_array().map_or(0, Vec::len);
    assert_eq!(hooks, 0, "hooks are left: {}", life.text);
    serves(&world.cloud(), &image(tag), 2).unwrap_or_else(|why| panic!("{why}: {}", life.text));
}

fn image(tag: &str) -> String {
    format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/shop:{tag}")
}

fn goes_on(life: &Life, stage: &str) -> bool {
    life.text.contains(&format!("the checks let ECS go on from {stage}"))
}

#[test]
fn ecs_goes_on_from_each_stage_once_every_check_has_passed() {
    for (strategy, stages) in [
        ("", &["POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"][..]),
        (
            "--strategy linear:50/1m --bake 0",
            &[
                "POST_TEST_TRAFFIC_SHIFT",
                "PRE_PRODUCTION_TRAFFIC_SHIFT",
                "POST_PRODUCTION_TRAFFIC_SHIFT",
            ],
        ),
    ] {
        let world = shop();
        let life = world.run(&deploy("2", &format!("{strategy} {CART} --check-cmd true")));
        assert_eq!(life.code, Some(0), "{strategy}: {}", life.text);
        for stage in stages {
            assert!(goes_on(&life, stage), "{strategy} {stage}: {}", life.text);
        }
        is_well(&world, &life, "2");
    }
}

#[test]
fn a_version_that_fails_where_tests_see_it_never_has_a_user() {
    let world = shop();
    let life = world.run(&deploy("5", CART));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let why = "before it had users, check https://shop.example.com/cart answered 500";
    assert!(life.text.contains(why), "{}", life.text);
    assert!(!life.text.contains("100 % of the traffic on the new revision"), "{}", life.text);
    is_well(&world, &life, "1");
}

/// Nobody reaches it from the first traffic on: the first share stays, and is taken back.
#[test]
fn what_cannot_be_told_holds_the_share_and_then_rolls_back() {
    let lost = r#"[{"operation": "GET", "nth": 4, "times": 100000, "does": "reset-before"}]"#;
    let world = shop();
    let orders: Vec<Order> = serde_json::from_str(lost).expect("orders");
    world.cloud().set_faults(orders).expect("faults");
    let life = world.run(&deploy("2", &format!("--strategy canary:10/1m {CART}")));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("did not pass within 10m"), "{}", life.text);
    assert!(!life.text.contains("100 % of the traffic on the new revision"), "{}", life.text);
    is_well(&world, &life, "1");
}

/// ECS itself goes back from a hook that nobody lets go on.
#[test]
fn killed_at_every_call_it_converges_and_left_alone_it_goes_back() {
    for (tag, code) in [("2", 0), ("5", 1)] {
        let command = deploy(tag, &format!("--strategy canary:10/1m --bake 1m {CART}"));
        let points: u32 = shop().run(&command).calls.values().sum();
        let serving = if code == 0 { tag } else { "1" };
        for nth in (1..=points).step_by(7) {
            let world = shop();
            world.run_until(&command, nth, Death::BeforeAnswer);
            world.wait(200);
            let life = world.run(&command);
            assert_eq!(life.code, Some(code), "killed at {nth}: {}", life.text);
            is_well(&world, &life, serving);
        }
        for nth in (1..=points).step_by(9) {
            let world = shop();
            world.run_until(&command, nth, Death::BeforeAnswer);
            world.wait(Duration::from_secs(3 * 3600).as_secs());
            let alone = |tag: &str| serves(&world.cloud(), &image(tag), 2).is_ok();
            assert!(alone("1") || alone("2"), "killed at {nth}: no version has all the traffic");
            let life = world.run(&deploy("1", "--force --bake 0"));
            assert_eq!(life.code, Some(0), "killed at {nth}: {}", life.text);
            is_well(&world, &life, "1");
        }
    }
}

/// A pause for a person, at the end.
const PAUSED: &str = "lifecycleHooks = [{ targetType = 'PAUSE', \
     lifecycleStages = ['POST_PRODUCTION_TRAFFIC_SHIFT'], \
     timeoutConfiguration = { timeoutInMinutes = 30, action = 'ROLLBACK' } }], bakeTimeInMinutes = 5";

fn paused() -> World {
    let toml = include_str!("../../scenarios/native.toml").replace("bakeTimeInMinutes = 5", PAUSED);
    World::parsed(&format!("{toml}{IMAGES}"))
}

/// A tag alone lets no pause go on.
#[test]
fn a_forged_record_lets_no_pause_of_a_person_go_on() {
    let world = paused();
    let command = deploy("2", CART);
    let life = world.run_until(&command, 60, Death::BeforeAnswer);
    assert_eq!(life.code, None, "{}", life.text);
    let body = r#"{"taskDefinition":"shop:2","include":["TAGS"]}"#;
    let answer = call(&mut world.cloud(), "ecs", "DescribeTaskDefinition", body);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    let tags = answer["tags"].as_array().expect("tags").iter();
    let native = tags.clone().find(|tag| tag["key"] == "ecs-bg:native").expect("a record");
    let told = native["value"].as_str().expect("a text");
    let (before, after) = told.split_once("gates=").expect("gates");
    let forged = format!("{before}gates=POST_PRODUCTION_TRAFFIC_SHIFT+{after}");
    let body = serde_json::json!({
        "resourceArn": answer["taskDefinition"]["taskDefinitionArn"],
        "tags": [{"key": "ecs-bg:native", "value": forged}],
    });
    call(&mut world.cloud(), "ecs", "TagResource", &body.to_string());
    world.wait(200);
    let life = world.run(&command);
    assert!(!goes_on(&life, "POST_PRODUCTION_TRAFFIC_SHIFT"), "{}", life.text);
    assert!(matches!(life.code, Some(1 | 3)), "{}", life.text);
}

/// A stage at which the service pauses for a person is a person's.
#[test]
fn a_hook_of_somebody_else_s_is_not_let_go_on() {
    let world = paused();
    let life = world.run(&deploy("2", CART));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(goes_on(&life, "POST_TEST_TRAFFIC_SHIFT"), "{}", life.text);
    assert!(!goes_on(&life, "POST_PRODUCTION_TRAFFIC_SHIFT"), "{}", life.text);
    assert!(life.text.contains("to go on: ecs-bg promote"), "{}", life.text);
}

/// ECS waits a quarter of an hour for checks.
#[test]
fn a_command_that_may_take_longer_than_ecs_waits_is_refused_before() {
    let life = shop().run(&deploy("2", "--check-cmd true --check-timeout 60m"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("--check-timeout 14m"), "{}", life.text);
    let life = shop().run(&deploy("2", "--check-cmd true --check-timeout 14m"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}
