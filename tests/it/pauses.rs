//! A share of a pair that pauses until somebody promotes it: `--shares 10:pause,100`.

use std::time::Duration;

use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy};

const PAIR: &str = "--cluster shop --service web";
const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 60,
    past: Duration::ZERO,
};

fn is_well(world: &World, tag: &str) {
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
    let image = format!("{REPOSITORY}:{tag}");
    serves(&world.cloud(), &image, 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_pause_that_nobody_promotes_rolls_back() {
    let world = World::new("shop");
    let life = world.run(&deploy("2", "--shares 10:pause,100 --pause-limit 5m"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("nobody promoted the share of 10 % within 5m"), "{}", life.text);
    let command = format!("to go on: ecs-bg promote {PAIR}");
    let told = life.text.lines().filter(|line| line.contains(&command)).count();
    // Said once, with the command; not again with each look.
    assert!((1..=6).contains(&told), "{}", life.text);
    is_well(&world, "1");
}

#[test]
fn the_process_that_pauses_goes_on_when_somebody_else_promotes_it() {
    for later in [90, 150, 300, 900] {
        let world = World::new("shop");
        let (deploy, promote) = (deploy("2", "--shares 10:pause,100"), format!("promote {PAIR}"));
        let [owner, person] = world.run_together(&deploy, &promote, later * 1000);
        assert_eq!(person.code, Some(0), "{}", person.text);
        assert!(person.text.contains("web:2 goes on from 10 %"), "{}", person.text);
        assert_eq!(owner.code, Some(0), "{}", owner.text);
        assert!(owner.text.contains("web:2 serves"), "{}", owner.text);
        is_well(&world, "2");
    }
}

#[test]
fn a_pause_whose_process_was_killed_is_promoted_to_its_end() {
    let world = World::new("shop");
    let late = world.cloud().now() + Duration::from_secs(180);
    let life = world.run_kept(&deploy("2", "--shares 10:pause,100 --pause-limit 5m"));
    let moment = life.moments.into_iter().find(|moment| moment.cloud.now() >= late);
    let world = World::of(moment.expect("a call while it pauses").cloud);
    world.wait(600);
    let life = world.run(&format!("promote {PAIR}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    is_well(&world, "2");
}

#[test]
fn a_pause_is_planned_and_a_limit_without_one_is_refused() {
    let world = World::new("shop");
    let life = world.run(&deploy("2", "--shares 10:pause,100 --dry-run"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("then pause for 1h at most, until ecs-bg promote"), "{}", life.text);
    let life = world.run(&deploy("2", "--pause-limit 5m"));
    assert_eq!(life.code, Some(2), "{}", life.text);
    let life = world.run(&deploy("2", "--pause-at each-step"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(
        life.text.contains("hint: --pause-at before-traffic, or steps: --shares 10,50,100"),
        "{}",
        life.text
    );
}

/// `status` says that it waits for a person, until when, and what to type.
#[test]
fn status_tells_of_a_pause_and_how_to_go_on() {
    let world = World::new("shop");
    let deploy = "deploy --cluster shop --service web --tag shop/web=2 --shares 10:pause,100";
    let life = world.run_interrupted(deploy, 300, 2);
    assert_eq!(life.code, Some(130), "{}", life.text);
    let status = world.run("status --cluster shop --service web");
    let told = "paused at 10 % of the traffic until 2026-";
    assert!(status.text.contains(told), "{}", status.text);
    assert!(status.text.contains("ecs-bg promote --cluster shop --service web"), "{}", status.text);
    let all = world.run("status --cluster shop");
    assert!(all.text.contains("web:2 paused at 10 %"), "{}", all.text);
}

/// The row of a service has revisions, also where ECS shifts its traffic between two target groups.
#[test]
fn several_services_show_what_serves_by_revision() {
    for (tag, serves) in [("2", "shop:2"), ("4", "shop:1")] {
        let world = World::new("native");
        world.run(&format!("deploy --cluster shop --service shop --tag {tag}"));
        let all = world.run("status --cluster shop");
        let row = all.text.lines().nth(2).unwrap_or_default();
        let cells: Vec<&str> = row.split_whitespace().take(4).collect();
        assert_eq!(cells, ["shop", serves, "100", "%"], "{}", all.text);
    }
}
