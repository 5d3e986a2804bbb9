//! `--alarm`: an alarm of CloudWatch that goes off while a deployment runs rolls it back, with every engine.

use std::time::Duration;

use crate::support::invariants::{Promise, broken};
use crate::support::lives::World;

const ALARM: &str = "api-5xx";

/// A world, and a good deployment there that lasts some minutes.
const CASES: [(&str, &str); 3] = [
    ("solo", "deploy --cluster shop --service api --tag 2 --bake 3m --alarm api-5xx"),
    (
        "shop",
        "deploy --cluster shop --service web --tag shop/web=2 --shares 10:1m,100 --bake 1m --alarm api-5xx",
    ),
    ("native", "deploy --cluster shop --service shop --tag 2 --bake 3m --alarm api-5xx"),
];

const PROMISE: Promise = Promise {
    bake: Duration::ZERO,
    follow: Duration::from_secs(120),
    changes: 80,
    past: Duration::ZERO,
};

fn world(scenario: &str, state: &str) -> World {
    let world = World::new(scenario);
    world.cloud().set_alarm(ALARM, state);
    world
}

#[test]
fn an_alarm_that_goes_off_rolls_back_at_every_moment() {
    for (scenario, deploy) in CASES {
        let calm = world(scenario, "OK").run(deploy);
        assert_eq!(calm.code, Some(0), "{scenario}: {}", calm.text);
        assert!(calm.calls.contains_key("DescribeAlarms"), "{scenario}");
        for second in (2..170).step_by(14) {
            let world = world(scenario, "OK");
            let life = world.run_beside(deploy, second, |cloud| cloud.set_alarm(ALARM, "ALARM"));
            assert_eq!(life.code, Some(1), "{scenario} at {second}: {}", life.text);
            let why = format!("alarm {ALARM} went off");
            assert!(life.text.contains(&why), "{scenario} at {second}: {}", life.text);
            if scenario == "shop" {
                let broken = broken(&world.cloud(), 0, &PROMISE);
                assert!(broken.is_empty(), "{second}: {broken:#?}");
            }
        }
    }
}

#[test]
fn an_alarm_that_was_on_before_counts_once_it_was_off() {
    for (scenario, deploy) in CASES {
        let life = world(scenario, "ALARM").run(deploy);
        assert_eq!(life.code, Some(0), "{scenario}: {}", life.text);
        assert!(life.text.contains("is in ALARM already"), "{scenario}: {}", life.text);
        let world = world(scenario, "ALARM");
        let seconds = [20, 60].into_iter();
        let flaps = std::sync::atomic::AtomicBool::new(false);
        let flaps = std::sync::Arc::new(flaps);
        let life = world.run_beside_often(deploy, seconds, move |cloud| {
            let on = flaps.fetch_xor(true, std::sync::atomic::Ordering::Relaxed);
            cloud.set_alarm(ALARM, if on { "ALARM" } else { "OK" });
        });
        assert_eq!(life.code, Some(1), "{scenario}: {}", life.text);
    }
}

#[test]
fn with_strict_alarms_nothing_begins_while_one_is_on() {
    for (scenario, deploy) in CASES {
        let strict = format!("{deploy} --strict-alarms");
        let refused = world(scenario, "ALARM").run(&strict);
        assert_eq!(refused.code, Some(3), "{scenario}: {}", refused.text);
        assert!(refused.text.contains("api-5xx is in ALARM"), "{scenario}: {}", refused.text);
        assert!(!refused.calls.contains_key("RegisterTaskDefinition"), "{scenario}");
        for state in ["OK", "INSUFFICIENT_DATA"] {
            let life = world(scenario, state).run(&strict);
            assert_eq!(life.code, Some(0), "{scenario}: {}", life.text);
        }
    }
}

#[test]
fn an_alarm_that_is_not_there_or_may_not_be_read_is_found_before_anything_is_changed() {
    for (scenario, deploy) in CASES {
        let world = World::new(scenario);
        let life = world.run(deploy);
        assert_eq!(life.code, Some(3), "{scenario}: {}", life.text);
        assert!(life.text.contains("there is no such alarm"), "{scenario}: {}", life.text);
        assert!(!life.calls.contains_key("RegisterTaskDefinition"), "{scenario}");
        world.cloud().set_alarm(ALARM, "OK");
        let life = world.run_denied(deploy, &["DescribeAlarms"]);
        assert_eq!(life.code, Some(3), "{scenario}: {}", life.text);
        assert!(life.text.contains("DescribeAlarms"), "{scenario}: {}", life.text);
    }
}
