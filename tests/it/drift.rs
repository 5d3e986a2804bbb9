//! Weights that no deployment wrote, and deployments that no record tells of: a person goes on from
//! what the rules show, or back to one of the services.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::{Change, Entry};

use crate::cases::drift::{PAIR, serves_image, unrecorded, weights};
use crate::support::fate::{Death, Fate};
use crate::support::invariants::serves;
use crate::support::lives::{Life, REPOSITORY, World, call, deploy};

const SHARES: &str = "--shares 10:2m,50:2m,100";

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

#[test]
fn what_is_hinted_at_goes_on_from_the_live_weights() {
    let (world, life) = drifted();
    assert_eq!(hint(&life), format!("resume {PAIR} --accept-drift"));
    assert!(
        life.text.contains("to roll back instead: ecs-bg rollback --cluster shop --service web"),
        "{}",
        life.text
    );
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
    for verb in ["rollback", "abort", "rollback --to web"] {
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
    let at_10 = |moment: &crate::support::fate::Moment| {
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

/// What `deploy` says of such a pair brings it to an end.
#[test]
fn traffic_on_both_sides_without_a_record_is_ended_by_what_is_hinted_at() {
    let world = unrecorded(1);
    let life = world.run(&deploy("5", ""));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert_eq!(hint(&life), format!("rollback {PAIR} --to web"));
    let life = world.run(&hint(&life));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("rolled back: web:1 serves in web"), "{}", life.text);
    serves_image(&world, "1");
    assert_eq!(world.run(&deploy("5", "")).code, Some(0));
}

/// The process that keeps the only record says how to end it without one.
#[test]
fn what_stops_without_a_record_hints_at_the_way_back_to_a_service() {
    let world = World::new("shop");
    let outsider = crate::support::lives::outside(
        crate::support::fate::When::Time(world.now() + Duration::from_secs(100)),
        |cloud| weigh(cloud, 70, 30),
    );
    let denied = &["RegisterTaskDefinition"];
    let life = world.live(&deploy("2", SHARES), Fate { denied, outsider, ..Fate::default() });
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert_eq!(hint(&life), format!("rollback {PAIR} --to web"));
    let life = world.run(&hint(&life));
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves_image(&world, "1");
}

#[test]
fn a_finished_deployment_gives_way_to_the_service_that_served_before() {
    let world = World::new("shop");
    assert_eq!(world.run(&deploy("2", "--bake 0")).code, Some(0));
    let life = world.run(&format!("rollback {PAIR} --to web"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves(&world.cloud(), &format!("{REPOSITORY}:1"), 2).unwrap_or_else(|why| panic!("{why}"));
    let from = world.cloud().journal().len();
    let life = world.run(&format!("rollback {PAIR} --to web"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("nothing to do: web has all the traffic"), "{}", life.text);
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()));
}

#[test]
fn the_record_of_a_deployment_is_closed_by_the_way_back_to_its_old_service() {
    let world = World::new("shop");
    let whole = world.run_until(&deploy("2", "--bake 10m"), 60, Death::BeforeSend);
    assert_eq!(whole.code, None);
    let life = world.run(&format!("rollback {PAIR} --to web-green"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(
        life.text.contains("web-green starts web:2, whose deployment is in progress"),
        "{}",
        life.text
    );
    assert_eq!(hint(&life), format!("resume {PAIR}"));
    let life = world.run(&format!("rollback {PAIR} --to web"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves_image(&world, "1");
    let life = world.run(&format!("status {PAIR}"));
    assert!(!life.text.contains("heading"), "no record is open:\n{}", life.text);
}

/// A record that may not be written tells nobody anything.
#[test]
fn the_way_back_to_a_service_does_not_need_the_record() {
    let world = World::new("shop");
    assert_eq!(world.run_until(&deploy("2", "--bake 10m"), 60, Death::BeforeSend).code, None);
    let life = world.run_denied(&format!("rollback {PAIR} --to web"), &["TagResource"]);
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("warning: TagResource web:2 failed"), "{}", life.text);
    serves_image(&world, "1");
}

#[test]
fn a_service_that_cannot_be_had_back_is_refused_before_any_change() {
    let retired = || {
        let world = World::new("shop");
        assert_eq!(world.run(&deploy("2", "--bake 0")).code, Some(0));
        world
    };
    let inactive = retired();
    inactive.call("ecs", "DeregisterTaskDefinition", r#"{"taskDefinition":"web:1"}"#);
    let deployed = retired();
    deployed.call(
        "ecs",
        "UpdateService",
        r#"{"cluster":"shop","service":"web","taskDefinition":"web:2","desiredCount":1}"#,
    );
    for (world, to, why) in [
        (World::new("shop"), "web-green", "web-green never ran a task"),
        (inactive, "web", "web is on web:1, which is not ACTIVE"),
        (deployed, "web", "somebody else deploys web right now"),
        (retired(), "wbe", "--to wbe names no revision, and is neither web nor web-green"),
    ] {
        let from = world.cloud().journal().len();
        let life = world.run(&format!("rollback {PAIR} --to {to}"));
        assert_eq!(life.code, Some(3), "{}", life.text);
        assert!(life.text.contains(why) && life.text.contains("\nhint: "), "{}", life.text);
        assert!(world.journal(from).iter().all(|entry| entry.call.is_none()));
    }
}

/// The rule is deleted while users are on the new side: that is said, and not that the new side is sick.
#[test]
fn a_rule_that_is_deleted_is_the_reason() {
    for second in [40, 100, 170] {
        let world = World::new("shop");
        let (begin, rule) = (world.now(), world.cloud().serving()[0].rule.clone());
        let life = world.run_beside(&deploy("2", "--bake 3m"), second, move |cloud| {
            call(cloud, "elasticloadbalancing", "DeleteRule", &format!("RuleArn={rule}"));
        });
        assert_eq!(life.code, Some(4), "at {second}: {}", life.text);
        assert!(life.text.contains("no rule forwards to the target groups"), "{}", life.text);
        assert!(!life.text.contains("rolling back"), "{}", life.text);
        let took = world.now() - begin;
        assert!(took < Duration::from_secs(second + 60), "at {second}: {took:?}\n{}", life.text);
    }
}

/// Most of the weight on a side where nobody answers: it ends where users are answered.
#[test]
fn weights_on_an_empty_side_are_brought_back_to_the_other_one() {
    let world = World::new("shop");
    weigh(&mut world.cloud(), 1, 999);
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert_eq!(hint(&life), format!("rollback {PAIR} --to web"));
    let life = world.run(&hint(&life));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("100 % web"), "{}", life.text);
}

/// What takes traffic away from both sides, or a side from its traffic, is no success.
#[test]
fn a_third_group_and_a_side_without_a_group_are_seen() {
    for second in [60, 100, 170] {
        let world = World::new("shop");
        let command = deploy("2", "--bake 3m");
        let life = world.run_beside(&command, second, |cloud| {
            let body = "Name=third&Protocol=HTTP&Port=80&VpcId=vpc-0123456789abcdef0&TargetType=ip";
            let made = call(cloud, "elasticloadbalancing", "CreateTargetGroup", body);
            let arn = made.split("<TargetGroupArn>").nth(1).and_then(|rest| rest.split('<').next());
            let arn = arn.unwrap_or_else(|| panic!("no group: {made}")).to_owned();
            let serving = cloud.serving();
            let rule = serving[0].rule.clone();
            let list = "Actions.member.1.ForwardConfig.TargetGroups.member";
            let mut body = format!("RuleArn={rule}&Actions.member.1.Type=forward");
            let mut groups: Vec<String> = serving.iter().map(|side| side.group.clone()).collect();
            groups.sort();
            groups.dedup();
            groups.push(arn);
            for (at, group) in groups.into_iter().enumerate() {
                let at = at + 1;
                body += &format!("&{list}.{at}.TargetGroupArn={group}&{list}.{at}.Weight={at}");
            }
            call(cloud, "elasticloadbalancing", "ModifyRule", &body);
        });
        assert_eq!(life.code, Some(4), "third at {second}: {}", life.text);
        assert!(life.text.contains("a target group of neither side"), "{}", life.text);
        for side in ["web", "web-green"] {
            let world = World::new("shop");
            let life = world.run_beside(&command, second, move |cloud| {
                let body = format!(r#"{{"cluster":"shop","service":"{side}","loadBalancers":[]}}"#);
                call(cloud, "ecs", "UpdateService", &body);
            });
            assert_eq!(life.code, Some(4), "{side} at {second}: {}", life.text);
            assert!(life.text.contains("is in no target group any more"), "{}", life.text);
        }
    }
    for (scenario, service, second) in [("solo", "api", 60), ("native", "shop", 200)] {
        let world = World::new(scenario);
        let command = format!("deploy --cluster shop --service {service} --tag 2 --bake 3m");
        let life = world.run_beside(&command, second, move |cloud| {
            let body = format!(r#"{{"cluster":"shop","service":"{service}","loadBalancers":[]}}"#);
            call(cloud, "ecs", "UpdateService", &body);
        });
        assert!(matches!(life.code, Some(1 | 4)), "{scenario}: {:?} {}", life.code, life.text);
    }
}
