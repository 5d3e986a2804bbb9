//! Who drives a deployment: two processes, people at other machines, requests to stop.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::{Change, Entry};
use ecs_bg_sandbox::sdk::Interference;
use serde_json::json;

use crate::support::fate::{Fate, Moment};
use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy};

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 60,
    past: Duration::ZERO,
};
const PAIR: &str = "--cluster shop --service web";

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

fn is_well(world: &World) {
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A deployment whose process dies directly after it moved the traffic: at its last call before the old
/// side is emptied.
fn half_done(tag: &str) -> World {
    let life = World::new("shop").run_kept(&deploy(tag, "--bake 10m"));
    let emptied = |entry: &Entry| {
        entry.call.is_some() && matches!(entry.change, Change::Desired { after: 0, .. })
    };
    let is_half_done =
        |moment: &Moment| !moment.done && !moment.cloud.journal().iter().any(emptied);
    let moment = life.moments.into_iter().rfind(is_half_done);
    World::of(moment.expect("a call before that").cloud)
}

#[test]
fn a_living_owner_is_not_disturbed() {
    let world = half_done("2");
    let from = world.cloud().journal().len();
    for tag in ["2", "5"] {
        let life = world.run(&deploy(tag, ""));
        assert_eq!(life.code, Some(3), "{}", life.text);
    }
    let life = world.run(&format!("resume {PAIR}"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("another process drives web:2"), "{}", life.text);
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "nothing was changed");
}

#[test]
fn a_dead_owner_is_waited_for_and_then_followed() {
    let world = half_done("2");
    let life = world.run(&deploy("2", "--bake 10m --on-conflict wait"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("another process drives web:2"), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world);
}

#[test]
fn another_image_ends_what_a_dead_owner_left_and_takes_its_place() {
    let world = half_done("2");
    world.wait(200);
    let life = world.run(&deploy("5", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("rolled back: web:1 serves"), "{}", life.text);
    serves(&world.cloud(), &image("5"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world);
}

#[test]
fn what_was_left_a_day_ago_is_only_gone_on_with_by_name() {
    let world = half_done("2");
    world.wait(25 * 3600);
    let life = world.run(&deploy("2", "--bake 10m"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("hint: ecs-bg resume"), "{}", life.text);
    let life = world.run(&format!("resume {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world);
}

#[test]
fn a_deployment_is_turned_around_from_another_machine() {
    for verb in ["rollback", "abort"] {
        let world = half_done("2");
        let life = world.run(&format!("{verb} {PAIR}"));
        assert_eq!(life.code, Some(1), "{}", life.text);
        serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
        is_well(&world);
    }
}

#[test]
fn status_says_who_drives_it_and_whether_that_lives() {
    let world = half_done("2");
    let told = |world: &World| {
        let life = world.run(&format!("status {PAIR}"));
        let line = life.text.lines().find_map(|line| line.strip_prefix("deployment  web:2 "));
        line.unwrap_or_else(|| panic!("{}", life.text)).to_owned()
    };
    let living = told(&world);
    assert!(living.contains("in progress, at step ") && living.ends_with("s ago"), "{living}");
    let (_, driven) = living.split_once("; process ").expect("a process");
    let (owner, _) = driven.split_once(" drives it, last heartbeat ").expect("an owner");
    world.wait(600);
    let dead = told(&world);
    let expected = "; no process drives it, last heartbeat 1";
    assert!(dead.contains(expected) && dead.contains("m "), "{dead}");
    let json = world.run(&format!("status {PAIR} --output json")).text;
    assert!(json.contains(&format!(r#""owner": "{owner}""#)), "{json}");
}

#[test]
fn a_hold_is_cut_short_by_promote() {
    let world = half_done("2");
    let before = world.now();
    let life = world.run(&format!("promote {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let took = world.now() - before;
    assert!(took < Duration::from_secs(300), "the bake of 10 minutes was skipped: {took:?}");
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world);
}

#[test]
fn a_finished_deployment_is_rolled_back_by_a_new_one_of_what_served() {
    let world = World::new("shop");
    assert_eq!(world.run(&deploy("2", "")).code, Some(0));
    world.wait(600);
    let life = world.run(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let pinned = world.cloud().serving().into_iter().filter(|side| side.weight > 0);
    let images: Vec<_> =
        pinned.flat_map(|side| side.behind).filter_map(|target| target.image).collect();
    assert!(
        !images.is_empty()
            && images.iter().all(|i| i.starts_with(&image("1")) && i.contains("@sha256:")),
        "{images:?}"
    );
    is_well(&world);
}

#[test]
fn verbs_with_nothing_under_way_say_so() {
    let world = World::new("shop");
    for (verb, code) in [("resume", 0), ("abort", 0), ("promote", 0), ("rollback", 3)] {
        let life = world.run(&format!("{verb} {PAIR}"));
        assert_eq!(life.code, Some(code), "{verb}: {}", life.text);
    }
}

/// Writes another owner into the record, which was seen right now.
fn takes_over(cloud: &mut Cloud) {
    let seen = cloud.now().0 / 1000;
    let body = json!({
        "resourceArn": "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:2",
        "tags": [{"key": "ecs-bg:owner", "value": format!("id=other seen={seen}")}],
    });
    crate::support::lives::call(cloud, "ecs", "TagResource", &body.to_string());
}

fn owner(entry: &Entry) -> Option<&String> {
    match &entry.change {
        Change::Tagged { tags, .. } => tags.get("ecs-bg:owner"),
        _ => None,
    }
}

#[test]
fn the_process_that_lost_its_deployment_stops_touching_anything() {
    let world = World::new("shop");
    // Another process writes its name into the record while ours waits, and goes on to say that it lives.
    let life =
        world.run_beside_often(&deploy("2", "--bake 10m"), (90..700).step_by(60), takes_over);
    assert_eq!(life.code, Some(5), "{}", life.text);
    assert!(life.text.contains("process other has taken over web:2"), "{}", life.text);
    let journal = world.journal(0);
    let taken = journal.iter().position(|e| owner(e).is_some_and(|o| o.contains("other")));
    let mut after = journal.iter().skip(taken.expect("taken over"));
    let is_others = |entry: &Entry| owner(entry).is_some_and(|owner| owner.contains("id=other"));
    assert!(after.all(|entry| entry.call.is_none() || is_others(entry)));
}

/// It would turn back at once, and with that write its own name over that of the new owner.
#[test]
fn the_process_that_lost_its_deployment_does_not_even_turn_it_back() {
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '60s'",
    );
    let life =
        world.run_beside_often(&deploy("2", "--bake 10m"), (80..700).step_by(60), takes_over);
    assert_eq!(life.code, Some(5), "{}", life.text);
    let journal = world.journal(0);
    let last = journal.iter().filter_map(owner).next_back().expect("an owner");
    assert!(last.contains("id=other"), "{last}");
}

/// One forged tag must not leave a canary where it is.
#[test]
fn an_owner_that_shows_no_second_sign_of_life_loses_the_deployment_again() {
    for (sick_after, code) in [("2h", 0), ("400s", 1)] {
        let world = World::parsed(&format!(
            "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '{sick_after}'"
        ));
        let life = world.run_beside(&deploy("2", "--shares 10:2m,100 --bake 10m"), 80, takes_over);
        assert_eq!(life.code, Some(code), "{}", life.text);
        assert!(life.text.contains("process other has taken over web:2"), "{}", life.text);
        is_well(&world);
    }
}

#[test]
fn a_first_request_to_stop_turns_back_and_a_second_stops_at_once() {
    for (requests, code, text) in [(1, 1, "interrupted"), (2, 130, "is left half-way")] {
        let world = World::new("shop");
        let life = world.run_interrupted(&deploy("2", "--bake 10m"), 60, requests);
        assert_eq!(life.code, Some(code), "{}", life.text);
        assert!(life.text.contains(text), "{}", life.text);
        if code == 1 {
            serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
            is_well(&world);
        }
    }
    let world = World::new("shop");
    let life = world.run_interrupted(&deploy("2", "--on-cancel finish"), 60, 1);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let world = World::new("shop");
    let life = world.run_interrupted(&deploy("2", "--on-cancel hold"), 60, 1);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("hint: ecs-bg resume"), "{}", life.text);
}

/// The next process need not wait until the one that failed counts as dead.
#[test]
fn a_claim_that_fails_after_it_wrote_its_name_gives_the_deployment_back() {
    let abandoned = || {
        let world = half_done("2");
        world.wait(200);
        world
    };
    let line = format!("resume {PAIR}");
    let life = abandoned().run_kept(&line);
    let claim = life.moments.iter().find(|one| one.operation == "TagResource").expect("a claim");
    let mut after = life.moments.iter().filter(|one| one.nth > claim.nth);
    let read = after.find(|one| one.operation == "DescribeTaskDefinition").expect("read back").nth;
    let world = abandoned();
    let (status, code) = (400, "ClientException".to_owned());
    let refused = Interference::Error { status, code, message: "as AWS says it".to_owned() };
    let life = world.live(&line, Fate { once: Some((read, refused)), ..Fate::default() });
    assert_eq!(life.code, Some(3), "{}", life.text);
    let life = world.run(&line);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(!life.text.contains("another process drives"), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world);
}

/// This version cannot read whether its deployment is over.
#[test]
fn a_record_of_a_newer_version_keeps_a_deployment_from_starting() {
    let newer =
        json!([{"key": "ecs-bg:record", "value": "v=9 engine=sideways id=a for=b start=1"}]);
    for (scenario, service) in [("shop", "web"), ("solo", "api")] {
        let world = World::new(scenario);
        let line = |tag: &str| {
            let image = REPOSITORY.replace("/web", &format!("/{service}"));
            format!("--cluster shop --service {service} --image {image}:{tag} --bake 0")
        };
        let first = world.run(&format!("deploy {}", line("2")));
        assert_eq!(first.code, Some(0), "{}", first.text);
        let arn = format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/{service}:2");
        let tags = json!({ "resourceArn": arn, "tags": newer });
        world.call("ecs", "TagResource", &tags.to_string());
        let from = world.cloud().journal().len();
        for command in ["deploy", "plan"] {
            let life = world.run(&format!("{command} {}", line("1")));
            assert_eq!(life.code, Some(3), "{command}: {}", life.text);
            let said = format!(
                "a newer version of ecs-bg wrote the record in the tags of {service}:2; its deployment \
                 may be unfinished\nhint: use that version, or run the same command with --on-conflict supersede\n"
            );
            assert!(life.text.contains(&said), "{command}: {}", life.text);
        }
        assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "nothing changed");
        let life = world.run(&format!("deploy {} --on-conflict supersede", line("1")));
        assert_eq!(life.code, Some(0), "{}", life.text);
    }
}
