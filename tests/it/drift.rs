//! Weights that no deployment wrote: a person goes on from what the rules show, or back.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::{Change, Entry};

use crate::invariants::{Promise, broken, serves};
use crate::lives::{Life, REPOSITORY, World, call, deploy};

const PAIR: &str = "--cluster shop --service web";
const SHARES: &str = "--shares 10:2m,50:2m,100";
const PROMISE: Promise =
    Promise { bake: Duration::ZERO, follow: Duration::from_secs(120), changes: 60 };

fn serves_image(world: &World, tag: &str) {
    serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), 2).unwrap_or_else(|why| panic!("{why}"));
    let broken = broken(&world.cloud(), 0, &PROMISE);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// An outsider gives both sides these weights.
fn weigh(cloud: &mut Cloud, blue: u32, green: u32) {
    let serving = cloud.serving();
    let rule = serving[0].rule.clone();
    let group = |name: &str| serving.iter().map(|side| &side.group).find(|g| g.contains(name));
    let list = "Actions.member.1.ForwardConfig.TargetGroups.member";
    let mut body = format!("RuleArn={rule}&Actions.member.1.Type=forward");
    for (at, name, weight) in [(1, "/web-a/", blue), (2, "/web-b/", green)] {
        let arn = group(name).expect("a group");
        body += &format!("&{list}.{at}.TargetGroupArn={arn}&{list}.{at}.Weight={weight}");
    }
    call(cloud, "elasticloadbalancing", "ModifyRule", &body);
}

/// A deployment at 10 % beside which somebody gave green 30 %.
fn drifted() -> (World, Life) {
    let world = World::new("shop");
    let life = world.run_beside(&deploy("2", SHARES), 100, |cloud| weigh(cloud, 70, 30));
    assert_eq!(life.code, Some(4), "{}", life.text);
    (world, life)
}

fn hint(life: &Life) -> String {
    let hint = life.text.lines().find_map(|line| line.strip_prefix("hint: ecs-bg "));
    hint.unwrap_or_else(|| panic!("no hint:\n{}", life.text)).to_owned()
}

/// What we wrote into rules since, and when.
fn weights(world: &World, from: usize) -> Vec<(ecs_bg_sandbox::Time, Vec<u32>)> {
    let ours = |entry: Entry| match entry.change {
        Change::Weights { after, .. } if entry.call.is_some() => {
            Some((entry.at, after.into_iter().map(|(_, weight)| weight).collect()))
        }
        _ => None,
    };
    world.journal(from).into_iter().filter_map(ours).collect()
}

#[test]
fn what_is_hinted_at_goes_on_from_the_live_weights() {
    let (world, life) = drifted();
    assert_eq!(hint(&life), format!("resume {PAIR} --accept-drift --on-conflict supersede"));
    assert!(life.text.contains("`ecs-bg rollback` turns back instead"), "{}", life.text);
    let from = world.cloud().journal().len();
    let life = world.run(&hint(&life));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("going on from 10 %"), "{}", life.text);
    let written = weights(&world, from);
    let shares: Vec<_> = written.iter().map(|(_, weights)| weights.clone()).collect();
    assert_eq!(shares, [vec![900, 100], vec![500, 500], vec![0, 100]]);
    assert!(written[1].0 - written[0].0 >= Duration::from_secs(120), "10 % is held anew");
    serves_image(&world, "2");
}

#[test]
fn without_a_person_it_stays_where_it_is() {
    let (world, _) = drifted();
    let from = world.cloud().journal().len();
    for line in [deploy("2", SHARES), format!("resume {PAIR}")] {
        world.wait(200);
        let life = world.run(&line);
        assert_eq!(life.code, Some(4), "{}", life.text);
    }
    assert_eq!(weights(&world, from), []);
}

#[test]
fn it_can_be_turned_back_instead() {
    for verb in ["rollback", "abort"] {
        let (world, _) = drifted();
        let life = world.run(&format!("{verb} {PAIR}"));
        assert_eq!(life.code, Some(1), "{verb}: {}", life.text);
        serves_image(&world, "1");
    }
}

/// The weights went back, and that was never written down.
#[test]
fn a_way_back_that_no_record_tells_of_is_gone_on_from() {
    let world = World::new("shop");
    let at_10 = |moment: &crate::fate::Moment| {
        let record = |entry: &Entry| match &entry.change {
            Change::Tagged { tags, .. } => tags.get("ecs-bg:state").cloned(),
            _ => None,
        };
        let state = moment.cloud.journal().iter().filter_map(record).next_back();
        state.is_some_and(|state| state.contains("held=10/"))
    };
    let whole = world.run_kept(&deploy("2", SHARES));
    let killed = whole.moments.iter().find(|moment| at_10(moment)).expect("at 10 %");
    let world = World::of(killed.cloud.clone());
    weigh(&mut world.cloud(), 100, 0);
    world.wait(200);
    let life = world.run(&deploy("2", SHARES));
    assert_eq!(life.code, Some(4), "{}", life.text);
    let life = world.run(&hint(&life));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serves_image(&world, "2");
}
