//! `--check` and `--check-cmd`: judges of the new version while it has traffic, with every engine.

use std::time::Duration;

use ecs_bg_sandbox::faults::Order;
use ecs_bg_sandbox::journal::Change;

use crate::support::fate::Death;
use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy};

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 80,
    past: Duration::ZERO,
};

/// The shop, where image 5 serves all but the cart.
fn shop() -> World {
    let image = "\n[[image]]\nref = 'shop/web:5'\ndoes = 'serve'\nfails = '/cart'\n";
    World::parsed(&format!("{}{image}", include_str!("../../scenarios/shop.toml")))
}

const UP: &str = "--check https://shop.example.com/up";
const CART: &str = "--check https://shop.example.com/cart?token=s3cret";

fn is_well(world: &World, tag: &str) {
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
    serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_good_version_passes_its_checks_at_every_share() {
    let world = shop();
    let life =
        world.run(&deploy("2", &format!("--shares 10:1m,50:1m,100 {UP} {CART} --check-cmd true")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.calls["GET"] > 40, "asked every 5 s: {:?}", life.calls.get("GET"));
    is_well(&world, "2");
}

#[test]
fn a_url_that_answers_wrong_rolls_back_and_its_secret_is_shown_nowhere() {
    let world = shop();
    let life = world.run(&deploy("5", &format!("--shares 50:5m,100 {UP} {CART}")));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let why = "check https://shop.example.com/cart?… answered 500 (3 wrong answers)";
    assert!(life.text.contains(why), "{}", life.text);
    assert!(!life.text.contains("s3cret"), "{}", life.text);
    let journal = format!("{:?}", world.journal(0));
    assert!(!journal.contains("s3cret"), "it is kept in no tag");
    is_well(&world, "1");
}

/// Nothing else that goes on holds up the weights.
#[test]
fn weights_are_back_within_a_second_of_the_answer_that_fails() {
    let world = shop();
    let life = world.run_kept(&deploy("5", &format!("--shares 100 --bake 10m {CART}")));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let at = |what: &str| {
        let found = life.moments.iter().rfind(|moment| moment.operation == what && moment.done);
        found.map_or_else(|| panic!("no {what}"), |moment| moment.cloud.now())
    };
    let (asked, written) = (at("GET"), at("ModifyRule"));
    assert!(written - asked <= Duration::from_secs(1), "{asked:?} {written:?}");
}

#[test]
fn a_command_is_asked_at_each_share_and_its_last_lines_are_shown() {
    let world = shop();
    let script = "echo all is well; echo ::error::at $ECS_BG_SHARE >&2; test $ECS_BG_SHARE -lt 50";
    let smoke = format!(r#"--check-cmd ["sh","-c","{}"]"#, script.replace(' ', "${IFS}"));
    let life = world.run(&deploy("2", &format!("--shares 10:1m,50:1m,100 {smoke}")));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("rolling back: check sh exited with code 1"), "{}", life.text);
    assert!(life.text.contains("  | all is well"), "{}", life.text);
    let forged = life.text.lines().find(|line| line.trim().starts_with("::"));
    assert_eq!(forged, None, "GitHub would take it for a command");
    is_well(&world, "1");
}

#[test]
fn a_check_that_cannot_tell_holds_the_share_and_then_rolls_back_unless_it_is_told_otherwise() {
    // From the second minute on nobody reaches the shop.
    let gone = r#"[{"operation": "GET", "nth": 4, "times": 100000, "does": "reset-before"}]"#;
    for (on, code, why) in [
        ("", 1, "did not pass within 10m"),
        ("--on-inconclusive fail", 1, "cannot be reached"),
        ("--on-inconclusive pass", 0, ""),
    ] {
        let world = shop();
        let orders: Vec<Order> = serde_json::from_str(gone).unwrap_or_else(|why| panic!("{why}"));
        world.cloud().set_faults(orders).unwrap_or_else(|why| panic!("{why}"));
        let life = world.run(&deploy("2", &format!("--shares 10:1m,100 {UP} {on}")));
        assert_eq!(life.code, Some(code), "{on}: {}", life.text);
        assert!(life.text.contains(why), "{on}: {}", life.text);
        is_well(&world, if code == 0 { "2" } else { "1" });
    }
}

#[test]
fn what_cannot_be_asked_at_all_is_found_before_anything_is_changed() {
    for (gate, why) in [
        ("--check https://nowhere.example.com/up", "it cannot be reached from here"),
        ("--check-cmd no-such-program", "there is no such program"),
        ("--check ftp://shop.example.com/", "does not begin with http:// or https://"),
        ("--check-status 2000 --check https://shop.example.com/", "not a range of HTTP statuses"),
        ("--check-latency 0 --check https://shop.example.com/", "leaves no time"),
    ] {
        let world = shop();
        let life = world.run(&deploy("2", gate));
        assert!(matches!(life.code, Some(2 | 3)), "{gate}: {}", life.text);
        assert!(life.text.contains(why), "{gate}: {}", life.text);
        assert!(life.text.contains("hint: "), "{gate}: {}", life.text);
        assert!(!life.calls.contains_key("RegisterTaskDefinition"), "{gate}");
    }
}

#[test]
fn body_and_latency_are_judged() {
    let world = shop();
    let body = |text: &str| deploy("2", &format!("--bake 1m {UP} --check-body {text}"));
    let life = world.run(&body("web:2"));
    assert_eq!(life.code, Some(0), "the sandbox answers with the image: {}", life.text);
    let world = shop();
    let life = world.run(&body("welcome"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("did not answer with the text of --check-body"), "{}", life.text);
}

/// Nothing served before: there is nothing to go back to, and a person must look.
#[test]
fn a_check_that_fails_where_nothing_served_before_ends_with_its_reason() {
    let none = "extends = 'shop'\n[[service]]\nserviceName = 'web'\ndesiredCount = 0\n";
    for check in ["--check-cmd false", CART] {
        let image = "\n[[image]]\nref = 'shop/web:5'\ndoes = 'serve'\nfails = '/cart'\n";
        let world = World::parsed(&format!("{none}{image}"));
        let life = world.run(&deploy("5", check));
        assert_eq!(life.code, Some(4), "{check}: {}", life.text);
        assert!(life.text.contains("why       check "), "{check}: {}", life.text);
    }
}

#[test]
fn every_engine_judges_with_what_it_has() {
    for (scenario, command) in [
        ("solo", "deploy --cluster shop --service api --tag 2 --bake 2m"),
        ("native", "deploy --cluster shop --service shop --tag 2 --bake 2m"),
    ] {
        for (gate, code) in [("true", 0), ("false", 1)] {
            let world = World::new(scenario);
            let life = world.run(&format!("{command} --check-cmd {gate}"));
            assert_eq!(life.code, Some(code), "{scenario} {gate}: {}", life.text);
        }
    }
    // Where nothing bakes, ECS waits for the checks all the same.
    for (gate, code) in [("true", 0), ("false", 1)] {
        let command = "deploy --cluster shop --service shop --tag 2 --bake 0 --check-cmd";
        let life = World::new("native").run(&format!("{command} {gate}"));
        assert_eq!(life.code, Some(code), "{gate}: {}", life.text);
    }
}

/// Killed at every call, and run again: the same checks judge it, and it ends as it would have.
#[test]
fn killed_at_every_call_a_judged_deployment_converges() {
    for (tag, share) in [("2", "10:1m,100"), ("5", "50:1m,100")] {
        let command = deploy(tag, &format!("--shares {share} {CART}"));
        let calm = shop().run(&command);
        let points: u32 = calm.calls.values().sum();
        let serving = if tag == "2" { "2" } else { "1" };
        for nth in (1..=points).step_by(5) {
            let world = shop();
            world.run_until(&command, nth, Death::BeforeAnswer);
            world.wait(200);
            let life = world.run(&command);
            let is_well = match serving {
                "2" => life.code == Some(0),
                _ => matches!(life.code, Some(1)),
            };
            assert!(is_well, "killed at {nth}: {:?} {}", life.code, life.text);
            serves(&world.cloud(), &format!("{REPOSITORY}:{serving}"), 2)
                .unwrap_or_else(|why| panic!("killed at {nth}: {why}"));
        }
    }
}

#[test]
fn promote_of_a_killed_deployment_does_not_go_on_without_the_checks() {
    let command = deploy("5", &format!("--shares 10:5m,100 {CART}"));
    let points: u32 = shop().run(&command).calls.values().sum();
    let world = shop();
    world.run_until(&command, points / 2, Death::BeforeAnswer);
    world.wait(600);
    let life = world.run("promote --cluster shop --service web");
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("does not know them"), "{}", life.text);
}

#[test]
fn resume_does_not_raise_a_share_without_the_checks() {
    let command = deploy("2", &format!("--shares 10:5m,100 {UP}"));
    let calm = shop().run(&command);
    let points: u32 = calm.calls.values().sum();
    let world = shop();
    world.run_until(&command, points / 2, Death::BeforeAnswer);
    world.wait(600);
    let life = world.run("resume --cluster shop --service web");
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("does not know them"), "{}", life.text);
    let life = world.run("resume --cluster shop --service web --skip-checks");
    assert_eq!(life.code, Some(0), "{}", life.text);
    is_well(&world, "2");
}

/// A command that misbehaves at one share, in whatever way: users are brought back from that share, and never go
/// further.
#[test]
fn whatever_a_command_does_at_whatever_share_is_judged_there() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("commands");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (kind, bad, code) in [
        ("fails", "exit 1", 1),
        ("hangs", "exec sleep 600", 1),
        ("floods and fails", "yes | head -c 3000000; exit 1", 1),
        ("floods and passes", "yes | head -c 3000000; yes | head -c 3000000 >&2; exit 0", 0),
        ("is killed", "kill -9 $$", 1),
        ("fails, and would pass then", "test -e $0.once && exit 0; touch $0.once; exit 1", 1),
    ] {
        for share in [10, 50, 100] {
            let path = folder.join(format!("{}-{share}.sh", kind.replace([' ', ','], "-")));
            let _ = std::fs::remove_file(format!("{}.once", path.display()));
            let script = format!("test \"$ECS_BG_SHARE\" != {share} && exit 0\n{bad}\n");
            std::fs::write(&path, script).expect("a script");
            let gate = format!("--check-cmd [\"sh\",\"{}\"] --check-timeout 1s", path.display());
            let world = shop();
            let life = world.run(&deploy("2", &format!("--shares 10:1m,50:1m,100 {gate}")));
            assert_eq!(life.code, Some(code), "{kind} at {share}: {}", life.text);
            is_well(&world, if code == 0 { "2" } else { "1" });
            let shares = world.journal(0).into_iter().filter_map(|entry| match entry.change {
                Change::Weights { after, .. } => {
                    let sum: u32 = after.iter().map(|(_, weight)| weight).sum();
                    let green = after.iter().find(|(group, _)| group.contains("web-b"))?;
                    (green.1 * 100).checked_div(sum)
                }
                _ => None,
            });
            let all = if code == 0 { 100 } else { share };
            assert_eq!(shares.max(), Some(all), "{kind} at {share}: {}", life.text);
        }
    }
}
