//! Writes that got lost, failed or took long, one after the other for minutes: records, settings, weights. What
//! comes next finds out what is so, and every command ends.

use std::time::Duration;

use ecs_bg_sandbox::faults::Order;
use serde_json::{Value, json};

use crate::cases::native::{native, runs, settings};
use crate::support::fate::{Death, Fate, When};
use crate::support::invariants::{Promise, broken, scaled_as_found, serves};
use crate::support::lives::{REPOSITORY, World, deploy, outside};
use crate::support::scenes::SCALED;

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(20),
    follow: Duration::from_secs(30),
    changes: 80,
    past: Duration::ZERO,
};
const PAIR: &str = "--cluster shop --service web";
const ALONE: &str = "--cluster shop --service api";
const ECS: &str = "--cluster shop --service shop";

impl World {
    /// From the `nth` of these calls on, counted from now, this happens to them.
    fn fault(&self, operation: &str, nth: u64, does: Value) {
        let mut order = json!({ "operation": operation, "nth": nth, "times": 1_000_000 });
        order.as_object_mut().expect("an object").extend(does.as_object().cloned().expect("one"));
        let order: Order = serde_json::from_value(order).expect("an order");
        self.cloud().set_faults(vec![order]).expect("faults");
    }

    fn recovers(&self, seconds: u64) {
        self.cloud().set_faults(vec![]).expect("no faults");
        self.wait(seconds);
    }

    fn ends(&self, command: &str, code: u8) -> String {
        let life = self.run(command);
        assert_eq!(life.code, Some(code), "{command}\n{}", life.text);
        life.text
    }
}

fn does(what: &str) -> Value {
    json!({ "does": what })
}

fn api(tag: &str) -> String {
    format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{tag}")
}

/// The process was told that it had succeeded, or died when nothing was left but to say so.
#[test]
fn a_version_that_serves_is_not_rolled_back_by_the_next_request() {
    for lost in ["denied", "lose-request", "expired"] {
        for more in ["--env A=b", "--force-new-deployment"] {
            let world = World::new("solo");
            world.fault("TagResource", 2, does(lost));
            world.ends(&format!("deploy {ALONE} --tag 2"), 0);
            world.recovers(600);
            let text = world.ends(&format!("deploy {ALONE} {more}"), 0);
            serves(&world.cloud(), &api("2"), 2)
                .unwrap_or_else(|why| panic!("{lost}: {why}\n{text}"));
        }
        let world = World::new("solo");
        world.fault("TagResource", 2, does(lost));
        world.ends(&format!("deploy {ALONE} --tag 2"), 0);
        world.recovers(600);
        let plan = world.ends(&format!("plan {ALONE} --tag 3"), 0);
        assert!(plan.contains("deploy would finish it, and then begin"), "{plan}");
        let text = world.ends(&format!("deploy {ALONE} --tag 3 --timeout 3m"), 1);
        serves(&world.cloud(), &api("2"), 2).unwrap_or_else(|why| panic!("{lost}: {why}\n{text}"));
    }
    for keep in ["", "--keep-old"] {
        let world = World::new("shop");
        world.fault("TagResource", 4, does("denied"));
        world.ends(&deploy("2", &format!("--bake 20s --follow 30s {keep}")), 0);
        world.recovers(600);
        let text = world.ends(&format!("deploy {PAIR} --env web:A=b --bake 20s --follow 30s"), 0);
        assert!(!text.contains("rolled back"), "{text}");
        serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2)
            .unwrap_or_else(|why| panic!("{keep}: {why}\n{text}"));
    }
}

/// A task that is being replaced, or one that scaling added, makes a version that serves no worse.
#[test]
fn a_version_that_serves_is_finished_though_a_task_is_missing() {
    let headless = include_str!("../../scenarios/solo.toml")
        .lines()
        .filter(|line| !line.starts_with("loadBalancers"))
        .collect::<Vec<_>>()
        .join("\n");
    let world = World::parsed(&headless);
    world.fault("TagResource", 2, does("denied"));
    world.ends(&format!("deploy {ALONE} --tag 2"), 0);
    world.recovers(600);
    let text = world.ends(&format!("deploy {ALONE} --force-new-deployment"), 0);
    assert!(text.matches("✔ api:2 serves").count() == 2, "{text}");
    for (scenario, first, service, next, image) in [
        (
            "solo",
            format!("deploy {ALONE} --tag 2"),
            "api",
            format!("deploy {ALONE} --env A=b"),
            api("2"),
        ),
        (
            "shop",
            deploy("2", "--bake 20s --follow 30s"),
            "web-green",
            format!("deploy {PAIR} --env web:A=b --bake 20s --follow 30s"),
            format!("{REPOSITORY}:2"),
        ),
    ] {
        let world = World::new(scenario);
        world.fault("TagResource", if scenario == "solo" { 2 } else { 4 }, does("denied"));
        world.ends(&first, 0);
        world.recovers(600);
        let count = json!({"cluster": "shop", "service": service, "desiredCount": 3});
        world.call("ecs", "UpdateService", &count.to_string());
        world.wait(3);
        let text = world.ends(&next, 0);
        assert!(!text.contains("rolled back"), "{text}");
        serves(&world.cloud(), &image, 3).unwrap_or_else(|why| panic!("{why}\n{text}"));
    }
}

/// What judges the new request says nothing of the version that it finds, and a fix does not wait for its bake.
#[test]
fn a_version_that_is_only_finished_is_not_judged_and_not_watched() {
    let world = World::new("solo");
    world.fault("TagResource", 2, does("denied"));
    world.ends(&format!("deploy {ALONE} --tag 2 --bake 4h"), 0);
    world.recovers(600);
    let begin = world.now();
    let script = r#"["sh","-c","test${IFS}$ECS_BG_DEPLOYMENT${IFS}=${IFS}api:3"]"#;
    let text = world.ends(&format!("deploy {ALONE} --env A=b --bake 20s --check-cmd {script}"), 0);
    serves(&world.cloud(), &api("2"), 2).unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert!(world.now() - begin < Duration::from_secs(1200), "{text}");
}

/// It turned back since it could not see; ECS went on meanwhile, and completed the new version.
#[test]
fn what_ecs_completed_is_what_the_next_request_starts_from() {
    let world = native("");
    world.fault("DescribeServiceDeployments", 9, does("throttle"));
    world.ends(&format!("deploy {ECS} --tag 5 --bake 1m"), 4);
    world.recovers(1200);
    let text = world.ends(&format!("deploy {ECS} --env A=b"), 0);
    runs(&world, "5").unwrap_or_else(|why| panic!("{why}\n{text}"));
}

#[test]
fn settings_that_a_success_could_not_take_out_pause_nothing_later() {
    let world = native("");
    let before = settings(&world);
    world.fault("UpdateService", 2, does("denied"));
    let text = world.ends(&format!("deploy {ECS} --tag 2 --bake 0 --check-cmd true"), 0);
    assert!(text.contains("warning: "), "{text}");
    assert_ne!(settings(&world), before);
    world.recovers(600);
    world.ends(&format!("deploy {ECS} --tag 5"), 0);
    assert_eq!(settings(&world), before);
    // What somebody chooses later is theirs.
    let mut chosen = before.clone();
    chosen["bakeTimeInMinutes"] = json!(0);
    let body = json!({"cluster": "shop", "service": "shop", "deploymentConfiguration": chosen});
    world.call("ecs", "UpdateService", &body.to_string());
    let chosen = settings(&world);
    world.ends(&format!("deploy {ECS} --tag 2"), 0);
    assert_eq!(settings(&world), chosen);
}

/// The side that it was to go back to fails anew, and the weights of the other one cannot be written.
#[test]
fn a_rollback_that_is_given_up_ends_though_no_weights_can_be_written() {
    for refused in ["500", "throttle", "lose-request"] {
        let world = World::parsed(
            "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nstatus = 500\nafter = '80s'\n",
        );
        world.ends(&deploy("2", "--bake 3m --follow 30s"), 1);
        world.fault("ModifyRule", 2, does(refused));
        let begin = world.now();
        let text = world.ends(&format!("rollback --to web-green {PAIR}"), 4);
        assert!(world.now() - begin < Duration::from_secs(3600), "{refused}: {text}");
    }
}

/// What it suspended itself is no news of how it was found.
#[test]
fn a_rollback_that_is_given_up_leaves_nothing_suspended() {
    for lost in [None, Some(3), Some(4), Some(5)] {
        let world = World::of(SCALED.cloud_with(
            "[[image]]\nref = 'shop/web:2'\ndoes = 'exit'\ncode = 1\nafter = '2m'\n\
             [[image]]\nref = 'shop/web:5'\ndoes = 'serve'\n",
        ));
        world.ends(&deploy("2", "--bake 3m --follow 30s"), 1);
        if let Some(nth) = lost {
            world.fault("RegisterScalableTarget", nth, does("lose-request"));
        }
        let text = world.run(&format!("rollback --to web-green {PAIR}")).text;
        world.recovers(240);
        let after = world.ends(&deploy("5", "--bake 20s --follow 30s"), 0);
        scaled_as_found(&world.cloud(), SCALED.limits())
            .unwrap_or_else(|why| panic!("{lost:?}: {why}\n{text}\n{after}"));
    }
}

/// The record takes half a minute to be written each time. The new version becomes unhealthy in a moment in which the
/// old side is about to be stopped.
#[test]
fn a_record_that_is_written_slowly_blinds_nobody() {
    for (nth, times) in [(4, 1_000_000), (5, 6), (5, 8)] {
        for after in (200..320).step_by(8) {
            let world = World::parsed(&format!(
                "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nstatus = 500\nafter = '{after}s'\n",
            ));
            let order = json!({"operation": "TagResource", "nth": nth, "times": times, "does": "slow", "for": "25s"});
            let order: Order = serde_json::from_value(order).expect("an order");
            world.cloud().set_faults(vec![order]).expect("faults");
            let life = world.run(&deploy("2", "--bake 3m --follow 30s --timeout 3m"));
            let mut broken = broken(&world.cloud(), 0, &PROMISE);
            // The last write of the record was on its way still.
            broken.retain(|what| !what.starts_with("nothing-after-close"));
            assert!(broken.is_empty(), "{nth} {after}: {broken:#?}\n{}", life.text);
        }
    }
}

#[test]
fn a_fix_gets_out_though_the_live_side_is_dead_and_the_other_one_was_kept() {
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '8m'\n\
         [[image]]\nref = 'shop/web:5'\ndoes = 'serve'\n",
    );
    world.ends(&deploy("2", "--bake 0s --keep-old"), 0);
    let is_dead = |world: &World| {
        let cloud = world.cloud();
        let live: Vec<_> = cloud.serving().into_iter().filter(|one| one.weight > 0).collect();
        live.iter().all(|one| one.healthy == 0)
    };
    let falls = (0..300).any(|_| {
        world.wait(5);
        is_dead(&world)
    });
    assert!(falls, "the live side becomes unhealthy");
    let edited = World::of(world.cloud().clone());
    let text = world.ends(&deploy("5", "--bake 20s --follow 30s"), 0);
    serves(&world.cloud(), &format!("{REPOSITORY}:5"), 2)
        .unwrap_or_else(|why| panic!("{why}\n{text}"));
    // What is copied is what was live, as the plan says.
    let text = edited.run(&format!("deploy {PAIR} --env web:A=b --bake 20s --follow 30s")).text;
    assert!(text.contains("a copy of web:2 with"), "{text}");
}

/// What an option can never mean is said before another deployment is ended for it.
#[test]
fn options_are_refused_before_an_abandoned_deployment_is_rolled_back() {
    let life = World::new("shop").run_kept(&deploy("2", "--shares 10:10m,100"));
    let half = life.moments.iter().find(|one| one.done && one.operation == "ModifyRule");
    let world = World::of(half.expect("a share").cloud.clone());
    world.wait(600);
    let from = world.cloud().journal().len();
    let text = world.ends(&deploy("5", "--pause-at each-step"), 3);
    assert!(text.contains("--pause-at"), "{text}");
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "{text}");
}

/// 3 means that nothing was changed. What was changed for another deployment is a change, too.
#[test]
fn a_deployment_that_cannot_begin_after_another_one_was_ended_says_so() {
    const SAID: &str = "error: what an earlier deployment had left was ended before that";
    let denied = |world: &World| world.fault("RegisterTaskDefinition", 1, does("denied"));
    // Rolled back by this command; stopped by it; taken out of the settings by it.
    let life = World::new("shop").run_kept(&deploy("2", "--shares 10:10m,100"));
    let half = life.moments.iter().find(|one| one.done && one.operation == "ModifyRule");
    let half = World::of(half.expect("a share").cloud.clone());
    half.wait(600);
    let kept = World::new("shop");
    kept.ends(&deploy("2", "--bake 0s --keep-old"), 0);
    let settings_left = native("");
    settings_left.fault("UpdateService", 2, does("denied"));
    settings_left.ends(&format!("deploy {ECS} --tag 2 --bake 0 --check-cmd true"), 0);
    settings_left.recovers(600);
    for (world, command) in [
        (half, deploy("5", "--bake 20s --follow 30s")),
        (kept, deploy("5", "--bake 20s --follow 30s")),
        (settings_left, format!("deploy {ECS} --tag 5")),
    ] {
        denied(&world);
        let again = World::of(world.cloud().clone());
        let text = world.ends(&command, 4);
        assert!(text.contains("RegisterTaskDefinition") && text.contains(SAID), "{text}");
        let text = again.ends(&format!("{command} --output json"), 4);
        let end = text.lines().rfind(|line| line.starts_with('{')).expect("an end");
        let end: Value = serde_json::from_str(end).expect("JSON");
        assert_eq!(end["errors"][1]["left_behind"], "earlier", "{text}");
        // Where nothing is left, nothing is changed.
        world.ends(&command, 3);
    }
}

/// A process was interrupted, and died while it rolled back, `later` calls after that.
fn dies_while_rolling_back(scenario: &str, command: &str, nth: u32, later: u32) -> Option<World> {
    let world = World::new(scenario);
    let (count, counted) = tokio::sync::watch::channel(0);
    let outsider = outside(When::Call(nth), move |_| {
        count.send_replace(1);
    });
    let dies = Some((nth + later, Death::BeforeSend));
    let interrupts = Some(counted);
    let life = world.live(command, Fate { dies, outsider, interrupts, ..Fate::default() });
    world.wait(240);
    (life.code.is_none() && life.text.contains("rolling back")).then_some(world)
}

/// (scenario, service, repository, options)
const DYING: [(&str, &str, &str, &str); 3] = [
    ("solo", ALONE, "shop/api", "--bake 30s"),
    ("shop", PAIR, "shop/web", "--bake 30s --follow 30s"),
    ("native", ECS, "shop/shop", "--bake 1m"),
];

/// How an abandoned rollback ended is not how the deployment did that came after it.
#[test]
fn a_deployment_that_could_not_overtake_another_one_did_not_succeed() {
    for (scenario, service, repository, options) in DYING {
        let mut tried = 0;
        for nth in (20..72).step_by(2) {
            let command = format!("deploy {service} --tag {repository}=2 {options}");
            let Some(world) = dies_while_rolling_back(scenario, &command, nth, 2) else { continue };
            for from in 1..5 {
                let world = World::of(world.cloud().clone());
                world.fault("TagResource", from, does("denied"));
                let life = world.run(&format!("deploy {service} --tag {repository}=5 {options}"));
                let is_other = !life.text.contains("5 in ") && life.code == Some(0);
                assert!(!is_other, "{scenario} {nth} {from}: {}", life.text);
                assert_ne!(life.code, Some(5), "{scenario} {nth} {from}: {}", life.text);
                tried += 1;
            }
        }
        assert!(tried > 10, "{scenario}: {tried}");
    }
}

/// The one that overtakes dies, too: a person's command finishes the rollback.
#[test]
fn what_an_interrupted_deployment_was_overtaking_can_be_aborted() {
    let mut tried = 0;
    for nth in (30..60).step_by(6) {
        let command = deploy("2", "--bake 30s --follow 30s");
        let Some(world) = dies_while_rolling_back("shop", &command, nth, 2) else { continue };
        for dies in (16..40).step_by(3) {
            for verb in ["abort", "resume", "rollback"] {
                let world = World::of(world.cloud().clone());
                let next = deploy("5", "--bake 30s --follow 30s");
                if world.run_until(&next, dies, Death::BeforeSend).code.is_some() {
                    continue;
                }
                if world
                    .cloud()
                    .journal()
                    .iter()
                    .any(|entry| format!("{entry:?}").contains("web:3"))
                {
                    continue;
                }
                world.wait(240);
                let life = world.run(&format!("{verb} {PAIR}"));
                assert!(matches!(life.code, Some(0 | 1)), "{nth} {dies} {verb}: {}", life.text);
                serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2)
                    .unwrap_or_else(|why| panic!("{nth} {dies} {verb}: {why}\n{}", life.text));
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
}
