//! `--test-listener`: tests see the new version before it has users, and `--check` asks there first.

use std::time::Duration;

use crate::support::fate::Death;
use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy, parts};

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 80,
    past: Duration::ZERO,
};

const RULES: &str = "
[[image]]
ref = 'shop/web:5'
does = 'serve'
fails = '/cart'

[[listener]]
name = 'tests'
loadBalancer = 'shop'
port = 8443
protocol = 'HTTPS'
actions = [{ type = 'fixed-response', fixedResponseConfig = { statusCode = '404', contentType = 'text/plain', messageBody = 'nothing here' } }]

[[rule]]
name = 'web-tests'
listener = 'tests'
priority = 10
conditions = [{ field = 'host-header', values = ['shop.example.com'] }]
actions = [{ type = 'forward', targetGroups = [{ targetGroup = 'web-a', weight = 1 }] }]
";

/// The shop with a listener for tests, whose rule shows what users see. Image 5 fails in the cart.
fn shop() -> World {
    World::parsed(&format!("{}{RULES}", include_str!("../../scenarios/shop.toml")))
}

const CART: &str = "--check https://shop.example.com/cart";

/// What the rule on this port shows, by the names of the groups that have weight.
fn shows(world: &World, port: u16) -> Vec<String> {
    let body = format!("ListenerArn={}", world.listener(port));
    let rules = world.call("elasticloadbalancing", "DescribeRules", &body);
    let groups = parts(&parts(&rules, "TargetGroups").remove(0), "member");
    let weighty = groups.iter().filter(|group| !group.contains("<Weight>0<"));
    weighty.map(|group| group.rsplit('/').nth(4).unwrap_or_default().to_owned()).collect()
}

fn tested(world: &World, tag: &str, more: &str) -> String {
    deploy(tag, &format!("--test-listener {} {more}", world.listener(8443)))
}

fn is_well(world: &World, tag: &str) {
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
    serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_version_that_fails_its_check_there_never_has_a_user() {
    let world = shop();
    let life = world.run(&tested(&world, "5", &format!("--shares 10:5m,100 {CART}")));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let why = "before it had users, check https://shop.example.com/cart answered 500";
    assert!(life.text.contains(why), "{}", life.text);
    assert!(!life.text.contains("10 % on web-green"), "{}", life.text);
    is_well(&world, "1");
    assert_eq!(shows(&world, 8443), shows(&world, 443), "{}", life.text);
    // Without it, users would have found out.
    let life = shop().run(&deploy("5", &format!("--shares 10:5m,100 {CART}")));
    assert!(life.text.contains("10 % on web-green"), "{}", life.text);
}

#[test]
fn a_good_version_is_shown_there_first_and_its_successor_too() {
    let world = shop();
    // Only the new version answers so: where users come through, the old one does.
    let more = "--shares 100 --check https://shop.example.com/ --check-body";
    for tag in ["2", "1", "2"] {
        let life = world.run(&tested(&world, tag, &format!("{more} web:{tag}")));
        assert_eq!(life.code, Some(0), "{}", life.text);
        is_well(&world, tag);
        assert_eq!(shows(&world, 8443), shows(&world, 443), "{}", life.text);
    }
    // It is forgotten without harm: the rules agree.
    let life = world.run(&deploy("1", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    is_well(&world, "1");
}

#[test]
fn a_rollback_brings_the_rule_for_tests_back() {
    let world = shop();
    assert_eq!(world.run(&tested(&world, "2", "--bake 0")).code, Some(0));
    let life = world.run("rollback --cluster shop --service web");
    assert_eq!(life.code, Some(0), "{}", life.text);
    is_well(&world, "1");
    assert_eq!(shows(&world, 8443), shows(&world, 443), "{}", life.text);
}

#[test]
fn it_waits_for_a_person_before_the_first_user() {
    for how in ["--pause-at before-traffic", "--shares 0:pause,100"] {
        let world = shop();
        let deploy = tested(&world, "2", how);
        let [owner, person] =
            world.run_together(&deploy, "promote --cluster shop --service web", 300_000);
        assert_eq!(person.code, Some(0), "{how}: {}", person.text);
        assert_eq!(owner.code, Some(0), "{how}: {}", owner.text);
        is_well(&world, "2");
        let world = shop();
        let life = world.run(&tested(&world, "2", &format!("{how} --pause-limit 5m")));
        assert_eq!(life.code, Some(1), "{how}: {}", life.text);
        assert!(
            life.text.contains("nobody promoted the new version to its first users"),
            "{}",
            life.text
        );
        assert!(!life.text.contains("web-green 100 % in shop:443"), "{}", life.text);
        is_well(&world, "1");
    }
}

#[test]
fn a_wrong_listener_is_refused_before_anything_is_changed() {
    let world = shop();
    let users = world.listener(443);
    let nobody = users.replace("/app/", "/app/x");
    let alone = |arn: &str| format!("--test-listener {arn}");
    for (more, why) in [
        (alone("arn:aws:ecs:x"), "is not the ARN of a listener"),
        (alone(&nobody), "forwards to a target group of web"),
        (format!("{} --pause-at after-traffic", alone(&users)), "works only where ECS shifts"),
        ("--pause-at each-step".to_owned(), "all traffic moves in one step"),
        ("--shares 0,100".to_owned(), "0 % needs a hold or a pause"),
    ] {
        let life = world.run(&deploy("2", &more));
        assert!(matches!(life.code, Some(2 | 3)), "{more}: {}", life.text);
        assert!(life.text.contains(why), "{more}: {}", life.text);
        assert!(!life.calls.contains_key("RegisterTaskDefinition"), "{more}");
    }
    let plain = World::new("shop");
    let life = plain.run(&deploy("2", &alone(&plain.listener(443))));
    assert!(life.text.contains("its users come through this one"), "{}", life.text);
    for (scenario, service) in [("solo", "api"), ("native", "shop")] {
        let command = format!("deploy --cluster shop --service {service} --tag 2");
        let life = World::new(scenario).run(&format!("{command} {}", alone(&users)));
        assert_eq!(life.code, Some(3), "{scenario}: {}", life.text);
        assert!(life.text.contains("--test-listener works only with two services"), "{scenario}");
    }
}

/// The listeners are mixed up: the users' one is named, and the other one leads to nobody.
#[test]
fn the_users_listener_is_not_taken_for_the_one_for_tests() {
    let idle = "[{ targetGroup = 'web-a', weight = 0 }, { targetGroup = 'web-b', weight = 1 }]";
    let rules = RULES.replace("[{ targetGroup = 'web-a', weight = 1 }]", idle);
    let world = World::parsed(&format!("{}{rules}", include_str!("../../scenarios/shop.toml")));
    let life = world.run(&deploy("2", &format!("--test-listener {}", world.listener(443))));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("its users seem to come through this one"), "{}", life.text);
    assert!(!life.calls.contains_key("RegisterTaskDefinition"));
}

/// A rule of that listener that shows nothing but the idle side, as a preview does.
#[test]
fn a_preview_of_the_idle_side_is_asked_before_users_have_it() {
    let rules = RULES.replace("targetGroup = 'web-a'", "targetGroup = 'web-b'");
    let world = World::parsed(&format!("{}{rules}", include_str!("../../scenarios/shop.toml")));
    let life = world.run(&tested(&world, "5", CART));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("before it had users, check"), "{}", life.text);
    assert!(!life.text.contains("shop:443/10: web-a 0"), "{}", life.text);
    let life = world.run(&tested(&world, "2", CART));
    assert_eq!(life.code, Some(0), "{}", life.text);
}

#[test]
fn a_third_group_behind_it_is_refused() {
    let rules = RULES.replace(
        "targetGroup = 'web-a', weight = 1 }",
        "targetGroup = 'web-a', weight = 1 }, { targetGroup = 'web-c', weight = 1 }",
    );
    let third = "[[target_group]]\nname = 'web-c'\nport = 8080\n";
    let world =
        World::parsed(&format!("{}{third}{rules}", include_str!("../../scenarios/shop.toml")));
    let life = world.run(&tested(&world, "2", ""));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("a third target group, web-c"), "{}", life.text);
}

/// The next run ends as the first would have, and no rule is left on a side without tasks.
#[test]
fn killed_at_every_call_it_converges() {
    for (tag, code) in [("2", 0), ("5", 1)] {
        let world = shop();
        let command = tested(&world, tag, &format!("--shares 50:1m,100 {CART}"));
        let points: u32 = world.run(&command).calls.values().sum();
        let serving = if code == 0 { tag } else { "1" };
        for nth in (1..=points).step_by(4) {
            let world = shop();
            world.run_until(&command, nth, Death::BeforeAnswer);
            world.wait(200);
            let life = world.run(&command);
            assert_eq!(life.code, Some(code), "killed at {nth}: {}", life.text);
            serves(&world.cloud(), &format!("{REPOSITORY}:{serving}"), 2)
                .unwrap_or_else(|why| panic!("killed at {nth}: {why}"));
            assert_eq!(shows(&world, 8443), shows(&world, 443), "killed at {nth}: {}", life.text);
        }
    }
}
