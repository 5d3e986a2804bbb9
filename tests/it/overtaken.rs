//! Somebody else deploys to the side that a deployment brings up. That deployment is over: its record
//! neither stands in anybody's way for ever, nor is it taken for a success.

use ecs_bg_sandbox::journal::Change;

use crate::cases::drift::PROMISE;
use crate::cases::overtaken::{SHARES, hint, takes_green};
use crate::support::invariants::{broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy, takes};

const PAIR: &str = "--cluster shop --service web";

/// A deployment that died when it had changed the weights so many times, and that somebody overtook.
fn overtaken(weights: usize, tag: &str) -> World {
    let life = World::new("shop").run_kept(&deploy("2", SHARES));
    let calls = life.moments.iter().filter(|moment| moment.done);
    let mut after = calls
        .filter(|moment| ["UpdateService", "ModifyRule"].contains(&moment.operation.as_str()))
        .map(|moment| moment.cloud.clone());
    let world = World::of(after.nth(weights).expect("so many changes"));
    takes_green(&mut world.cloud(), tag);
    world.wait(300);
    world
}

fn is_well(world: &World, tag: &str) {
    serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), 2).unwrap_or_else(|why| panic!("{why}"));
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
}

fn ours(world: &World, from: usize) -> usize {
    world.journal(from).iter().filter(|entry| entry.call.is_some()).count()
}

#[test]
fn it_is_no_success_and_nobody_can_go_on_with_it() {
    for weights in [0, 1, 2] {
        let world = overtaken(weights, "5");
        let from = world.cloud().journal().len();
        for verb in ["resume", "promote", "abort", "rollback"] {
            let life = world.run(&format!("{verb} {PAIR}"));
            assert_eq!(life.code, Some(5), "{verb}: {}", life.text);
            assert!(life.text.contains("somebody else deployed web:3 to web-green"));
            let next = match verb {
                "abort" | "rollback" => format!("ecs-bg rollback {PAIR} --to web"),
                _ => format!("ecs-bg status {PAIR}"),
            };
            assert_eq!(hint(&life), next);
        }
        let life = world.run(&format!("status {PAIR}"));
        assert!(
            life.text.contains("web-green: somebody else deployed web:3 to web-green"),
            "{}",
            life.text
        );
        let life = world.run(&format!("status {PAIR} --output json"));
        assert!(life.text.contains(r#""outcome": "superseded""#), "{}", life.text);
        assert_eq!(ours(&world, from), 0, "nothing was changed");
    }
}

#[test]
fn the_next_deployment_closes_it_and_goes_its_own_way() {
    for tag in ["2", "5"] {
        let world = overtaken(0, "5");
        let life = world.run(&deploy(tag, ""));
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(
            life.text.contains("warning: web:2 is over: somebody else deployed web:3 to web-green")
        );
        is_well(&world, tag);
        let life = world.run(&format!("resume {PAIR}"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(life.text.contains("nothing to do: no deployment of web is in progress"));
    }
}

#[test]
fn where_both_sides_have_traffic_a_person_says_which_is_to_serve() {
    for (to, code, tag) in [("web", 1, "1"), ("web-green", 1, "5")] {
        let world = overtaken(1, "5");
        let life = world.run(&deploy("2", ""));
        assert_eq!(life.code, Some(3), "{}", life.text);
        assert!(hint(&life).starts_with(&format!("ecs-bg rollback {PAIR} --to web")));
        let life = world.run(&format!("rollback {PAIR} --to {to}"));
        assert_eq!(life.code, Some(code), "{}", life.text);
        is_well(&world, tag);
        let life = world.run(&format!("resume {PAIR}"));
        assert_eq!(life.code, Some(0), "the record is closed: {}", life.text);
        let life = world.run(&deploy("2", ""));
        assert_eq!(life.code, Some(0), "{}", life.text);
        is_well(&world, "2");
    }
}

/// What took its place is sick, and has all the traffic.
#[test]
fn users_are_brought_back_from_what_took_its_place() {
    let world = overtaken(2, "3");
    let life = world.run(&format!("rollback {PAIR}"));
    assert_eq!(life.code, Some(5), "{}", life.text);
    let hinted = hint(&life);
    let life = world.run(hinted.strip_prefix("ecs-bg ").expect("a command"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2).unwrap_or_else(|why| panic!("{why}"));
}

/// A record that may not be closed keeps nobody from anything.
#[test]
fn a_record_that_may_not_be_closed_is_passed_over() {
    let world = overtaken(0, "5");
    let life = world.run_denied(&deploy("2", ""), &["TagResource"]);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("warning: TagResource web:2 failed"), "{}", life.text);
    serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2).unwrap_or_else(|why| panic!("{why}"));
}

/// Its owner stops, and whoever comes next need not wait until that counts as dead.
#[test]
fn an_owner_that_was_overtaken_is_out_of_the_way_at_once() {
    let world = World::new("shop");
    let life = world.run_beside(&deploy("2", ""), 20, |cloud| takes_green(cloud, "5"));
    assert_eq!(life.code, Some(5), "{}", life.text);
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    is_well(&world, "2");
}

/// The same where ECS replaces the tasks of one service: the later one wins there.
#[test]
fn a_service_alone_is_deployed_again_after_somebody_else_overtook() {
    let deploy = |tag: &str| {
        let repository = REPOSITORY.replace("/web", "/api");
        format!("deploy --cluster shop --service api --image {repository}:{tag}")
    };
    for tag in ["2", "1"] {
        let kept = World::new("solo").run_kept(&deploy("2"));
        let updated = kept.moments.iter().find(|m| m.done && m.operation == "UpdateService");
        let world = World::of(updated.expect("an update").cloud.clone());
        takes(&mut world.cloud(), "api", "api", &REPOSITORY.replace("/web", "/api:1"));
        world.wait(300);
        let from = world.cloud().journal().len();
        let life = world.run("resume --cluster shop --service api");
        assert_eq!(life.code, Some(5), "{}", life.text);
        assert_eq!(ours(&world, from), 0);
        let life = world.run(&deploy(tag));
        assert_eq!(life.code, Some(0), "{}", life.text);
        let life = world.run("resume --cluster shop --service api");
        assert_eq!(life.code, Some(0), "{}", life.text);
        let closed = |entry: &ecs_bg_sandbox::journal::Entry| {
            matches!(&entry.change, Change::Tagged { tags, .. }
                if tags.get("ecs-bg:state").is_some_and(|state| state.contains("closed=left")))
        };
        assert!(world.journal(from).iter().any(closed));
    }
}
