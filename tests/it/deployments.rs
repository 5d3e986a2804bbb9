//! Single deployments: what they end in, what they cost, how fast they react.

use std::time::Duration;

use ecs_bg_sandbox::journal::{Change, Entry};
use ecs_bg_sandbox::{Does, Image};

use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{REPOSITORY, World, call, deploy};
use crate::support::scenes::WIDE;

const PROMISE: Promise = Promise {
    bake: Duration::from_secs(60),
    follow: Duration::from_secs(120),
    changes: 40,
    past: Duration::ZERO,
};

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

fn is_well(world: &World, promise: &Promise) {
    let broken = broken(&world.cloud(), 0, promise);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// When the first change of this kind happened.
fn first(world: &World, from: usize, is: impl Fn(&Entry) -> bool) -> ecs_bg_sandbox::Time {
    let journal = world.journal(from);
    journal.iter().find(|entry| is(entry)).expect("it happened").at
}

fn is_weights(entry: &Entry) -> bool {
    entry.call.is_some() && matches!(entry.change, Change::Weights { .. })
}

#[test]
fn a_good_deployment_needs_few_calls_and_moves_the_traffic_at_once() {
    let world = World::new("shop");
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", "--bake 0"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let calls: u32 = life.calls.values().sum();
    println!("{calls} calls: {:?}", life.calls);
    assert!(calls <= 101, "{calls} calls: {:?}", life.calls);
    let healthy = world
        .journal(from)
        .into_iter()
        .filter(|e| matches!(&e.change, Change::Target { to, .. } if to == "healthy"));
    let whole = healthy.map(|entry| entry.at).nth(1).expect("two healthy targets");
    let moved = first(&world, from, is_weights) - whole;
    println!("healthy to traffic moved: {moved:?}");
    assert!(moved <= Duration::from_secs(2), "{moved:?}");
    is_well(&world, &Promise { bake: Duration::ZERO, ..PROMISE });
}

#[test]
fn green_that_falls_sick_at_100_percent_is_left_within_seconds() {
    let world = World::parsed(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '90s'",
    );
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", "--bake 10m"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("rolling back: target"), "{}", life.text);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    let sick = first(
        &world,
        from,
        |e| matches!(&e.change, Change::Target { to, .. } if to == "unhealthy"),
    );
    let weights: Vec<_> =
        world.journal(from).into_iter().filter(is_weights).map(|entry| entry.at).collect();
    let reaction = weights[1] - sick;
    println!("sick to traffic back: {reaction:?}");
    assert!(reaction <= Duration::from_secs(13), "{reaction:?}");
    assert_eq!(weights.len(), 2, "one change forward, one back");
    is_well(&world, &PROMISE);
}

#[test]
fn shares_are_held_as_long_as_was_said() {
    let world = World::new("shop");
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", "--shares 10:2m,50:3m,100 --bake 4m"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let moves: Vec<_> = world
        .journal(from)
        .into_iter()
        .filter_map(|entry| match entry.change {
            Change::Weights { after, .. } => {
                Some((entry.at, after.into_iter().map(|(_, w)| w).collect::<Vec<_>>()))
            }
            Change::Desired { after: 0, .. } => Some((entry.at, vec![])),
            _ => None,
        })
        .collect();
    let weights: Vec<_> = moves.iter().map(|(_, weights)| weights.clone()).collect();
    assert_eq!(weights, [vec![900, 100], vec![500, 500], vec![0, 100], vec![]]);
    for (two, minutes) in moves.windows(2).zip([2, 3, 4]) {
        let held = two[1].0 - two[0].0;
        let planned = Duration::from_secs(minutes * 60);
        assert!(
            held >= planned && held < planned + Duration::from_secs(15),
            "{held:?} for {planned:?}"
        );
    }
    is_well(&world, &PROMISE);
}

#[test]
fn several_groups_listeners_and_rules_move_together_and_keep_their_actions() {
    let world = World::parsed(WIDE);
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", "--shares 20:1m,100"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
    let written = world.journal(from).into_iter().filter(is_weights).count();
    // Two rules lack green: attached at weight 0. Then four rules, for two shares.
    assert_eq!(written, 2 + 4 * 2, "{}", life.text);
    let rules = world.call("elasticloadbalancing", "DescribeRules", &listener(&life.text, &world));
    assert!(rules.contains("https://id.example.com/token"), "{rules}");
    is_well(&world, &Promise { changes: 60, ..PROMISE });
}

/// The parameter that names the listener of the authenticated rule.
fn listener(_: &str, world: &World) -> String {
    let serving = world.cloud().serving();
    let rule = serving.iter().map(|side| side.rule.as_str()).find(|arn| arn.contains(":listener/"));
    format!("ListenerArn={}", rule.expect("a default action"))
}

/// No new image is ever ready, and the circuit breaker of green is armed.
const ARMED: &str = r#"
extends = 'shop'

[[image]]
ref = 'shop/web:2'
does = 'sick'
ready = '1h'

[[image]]
ref = 'shop/web:3'
does = 'sick'
ready = '1h'

[[service]]
serviceName = 'web'
healthCheckGracePeriodSeconds = 7200

[[service]]
serviceName = 'web-green'
healthCheckGracePeriodSeconds = 7200
deploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }
"#;

#[test]
fn ecs_putting_green_back_is_a_way_back_and_no_success() {
    let world = World::parsed(ARMED);
    // An outsider stops the deployment in ECS's own way: by putting green on its old revision.
    let life = world.run_beside(&deploy("2", ""), 20, |cloud| {
        call(
            cloud,
            "ecs",
            "UpdateService",
            r#"{"cluster":"shop","service":"web-green","taskDefinition":"web:1"}"#,
        );
    });
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("ECS rolled web-green back to web:1"), "{}", life.text);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world, &PROMISE);
}

/// ECS goes back to what it saw complete last, which is not what a deployment that was withdrawn left.
#[test]
fn ecs_putting_green_back_on_an_earlier_revision_is_no_rival() {
    let world = World::parsed(ARMED);
    let first = world.run_interrupted(&deploy("2", ""), 20, 1);
    assert_eq!(first.code, Some(1), "{}", first.text);
    let second = world.run_beside(&deploy("3", ""), 20, |cloud| {
        let newest = r#"{"cluster":"shop","service":"web-green","status":["IN_PROGRESS"]}"#;
        let found = call(cloud, "ecs", "ListServiceDeployments", newest);
        let arn = found.split('"').find(|part| part.contains(":service-deployment/"));
        let stop = format!(r#"{{"serviceDeploymentArn":"{}"}}"#, arn.expect("one"));
        call(cloud, "ecs", "StopServiceDeployment", &stop);
    });
    assert_eq!(second.code, Some(1), "{}", second.text);
    assert!(second.text.contains("deployment stopped: rollback requested"), "{}", second.text);
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world, &PROMISE);
}

#[test]
fn another_revision_on_green_supersedes_us() {
    let world = World::new("shop");
    let life = world.run_beside(&deploy("2", ""), 20, |cloud| {
        let body = r#"{"family":"other","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","containerDefinitions":[{"name":"web","image":"x:1","portMappings":[{"containerPort":8080}]}]}"#;
        call(cloud, "ecs", "RegisterTaskDefinition", body);
        call(cloud, "ecs", "UpdateService", r#"{"cluster":"shop","service":"web-green","taskDefinition":"other:1"}"#);
    });
    assert_eq!(life.code, Some(5), "{}", life.text);
    assert!(life.text.contains("somebody else deployed other:1 to web-green"), "{}", life.text);
    is_well(&world, &PROMISE);
}

#[test]
fn no_progress_for_too_long_goes_back() {
    let slow = "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'slow'\nready = '1h'\n
        [[service]]\nserviceName = 'web'\nhealthCheckGracePeriodSeconds = 7200\n
        [[service]]\nserviceName = 'web-green'\nhealthCheckGracePeriodSeconds = 7200";
    let world = World::parsed(slow);
    let before = world.now();
    let life = world.run(&deploy("2", "--timeout 5m"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("no progress for 5m: 0/2 targets of "), "{}", life.text);
    let took = world.now() - before;
    assert!(took >= Duration::from_secs(300) && took < Duration::from_secs(320), "{took:?}");
    is_well(&world, &PROMISE);
}

#[test]
fn an_image_that_cannot_be_pulled_is_given_up_at_the_first_task() {
    let world =
        World::parsed("extends = 'shop'\n[[image]]\nref = 'ghcr.io/shop/web:7'\ndoes = 'missing'");
    let life = world.run("deploy --cluster shop --service web --image web=ghcr.io/shop/web:7");
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("CannotPullContainerError"), "{}", life.text);
    is_well(&world, &PROMISE);
}

#[test]
fn weights_that_an_outsider_wrote_are_reported_and_left_alone() {
    let world = World::new("shop");
    let life = world.run_beside(&deploy("2", "--bake 5m"), 100, |cloud| {
        let serving = cloud.serving();
        let rule = serving[0].rule.clone();
        let mut groups: Vec<_> = serving.iter().map(|side| side.group.clone()).collect();
        groups.sort();
        groups.dedup();
        let tuple = |n: usize| {
            format!("Actions.member.1.ForwardConfig.TargetGroups.member.{}.TargetGroupArn={}&Actions.member.1.ForwardConfig.TargetGroups.member.{}.Weight=50", n + 1, groups[n], n + 1)
        };
        let body = format!("RuleArn={rule}&Actions.member.1.Type=forward&{}&{}", tuple(0), tuple(1));
        call(cloud, "elasticloadbalancing", "ModifyRule", &body);
    });
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("which this deployment did not write"), "{}", life.text);
    let emptied = world
        .journal(0)
        .into_iter()
        .any(|e| e.call.is_some() && matches!(e.change, Change::Desired { after: 0, .. }));
    assert!(!emptied, "neither side may be emptied");
}

#[test]
fn nothing_changes_in_a_plan() {
    let world = World::new("shop");
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", "--dry-run"));
    assert_eq!(life.code, Some(0));
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()));
    assert!(!life.text.contains("hunter2"), "{}", life.text);
}

#[test]
fn a_network_load_balancer_is_given_ten_minutes() {
    let network = "
extends = 'shop'
[[load_balancer]]\nname = 'shop'\ntype = 'network'
[[listener]]\nname = 'https'\nprotocol = 'TCP'\nactions = [{ type = 'forward', targetGroups = [{ targetGroup = 'web-a', weight = 100 }, { targetGroup = 'web-b', weight = 0 }] }]
[[rule]]\nname = 'web'\nabsent = true
[[target_group]]\nname = 'web-a'\nprotocol = 'TCP'
[[target_group]]\nname = 'web-b'\nprotocol = 'TCP'
";
    let world = World::parsed(network);
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let emptied = first(&world, from, |e| matches!(e.change, Change::Desired { after: 0, .. }));
    assert!(emptied - first(&world, from, is_weights) >= Duration::from_secs(600));
    is_well(&world, &PROMISE);
}

/// A CI role may have little: what can be done without still works, and what is lost is said.
#[test]
fn what_may_not_be_read_or_tagged_is_said_and_done_without() {
    let world = World::new("shop");
    let denied = &[
        "DescribeImages",
        "DescribeScalableTargets",
        "DescribeTargetGroupAttributes",
        "TagResource",
    ];
    let life = world.run_denied(&deploy("2", "--bake 0"), denied);
    assert_eq!(life.code, Some(0), "{}", life.text);
    for permission in [
        "ecr:DescribeImages",
        "application-autoscaling:DescribeScalableTargets",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "TagResource",
    ] {
        assert!(life.text.contains(permission), "{permission} is not named:\n{}", life.text);
    }
    assert_eq!(life.text.matches("no record is kept").count(), 1, "said once:\n{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_registration_that_may_not_be_tagged_runs_without_a_record() {
    let world = World::new("shop");
    let life = world.run_denied(&deploy("2", "--bake 0"), &["RegisterTaskDefinition"]);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(
        life.text.contains("no record is kept") && life.text.contains("ecs:TagResource"),
        "{}",
        life.text
    );
    assert!(!life.calls.contains_key("TagResource"), "{:?}", life.calls);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
}

/// Tags need a permission of their own, the user's too; and a record that could not be closed would
/// stand in the way of every next deployment.
#[test]
fn a_task_definition_with_tags_is_deployed_without_any_where_they_are_denied() {
    for denied in [&["RegisterTaskDefinition"], &["TagResource"]] {
        let world = World::parsed(
            "extends = 'shop'\n[[task_definition]]\nfamily = 'web'\ntags = { team = 'shop' }",
        );
        for tag in ["2", "5"] {
            let life = world.run_denied(&deploy(tag, "--bake 0"), denied);
            assert_eq!(life.code, Some(0), "{denied:?} {tag}: {}", life.text);
            serves(&world.cloud(), &image(tag), 2).unwrap_or_else(|why| panic!("{why}"));
        }
    }
}

#[test]
fn tasks_that_may_not_be_read_are_done_without() {
    let world = World::new("shop");
    let life = world.run_denied(&deploy("2", "--bake 0"), &["ListTasks", "DescribeTasks"]);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("going by target health alone"), "{}", life.text);
}

#[test]
fn losing_most_of_green_is_trouble_before_all_of_it_is_lost() {
    let four = "extends = 'shop'\n[[service]]\nserviceName = 'web'\ndesiredCount = 4\n[[image]]\nref = 'shop/web:2'\ndoes = 'serve'";
    let world = World::parsed(four);
    // From then on new tasks do not come up, and three of the four that run are gone.
    let life = world.run_beside(&deploy("2", "--bake 10m"), 100, |cloud| {
        let slow = Image::new("shop/web:2", Does::Slow);
        let gone = Image { ready: Some(Duration::from_secs(7200)), ..slow };
        cloud.set_image(gone);
        let body = r#"{"cluster":"shop","serviceName":"web-green"}"#;
        let tasks = call(cloud, "ecs", "ListTasks", body);
        for arn in tasks.split('"').filter(|part| part.contains(":task/")).take(3) {
            call(cloud, "ecs", "StopTask", &format!(r#"{{"cluster":"shop","task":"{arn}"}}"#));
        }
    });
    assert_eq!(life.code, Some(1), "{}", life.text);
    serves(&world.cloud(), &image("1"), 4).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world, &PROMISE);
}

#[test]
fn a_deployment_to_blue_by_somebody_else_is_no_way_back() {
    let world = World::new("shop");
    let life = world.run_beside(&deploy("2", "--bake 10m"), 100, |cloud| {
        call(
            cloud,
            "ecs",
            "UpdateService",
            r#"{"cluster":"shop","service":"web","taskDefinition":"web:2"}"#,
        );
    });
    assert_eq!(life.code, Some(5), "{}", life.text);
    assert!(life.text.contains("somebody else deployed web:2 to web"), "{}", life.text);
}

/// A public and an internal load balancer on one port: what belongs together shares the balancer.
#[test]
fn two_groups_of_one_port_are_told_apart_by_their_load_balancer() {
    let two = "
extends = 'shop'
[[load_balancer]]\nname = 'inside'\ntype = 'application'\nazs = ['a', 'b']
[[target_group]]\nname = 'in-a'\nport = 8080\nhealthCheck = { path = '/up', interval = '10s' }
[[target_group]]\nname = 'in-b'\nport = 8080\nhealthCheck = { path = '/up', interval = '10s' }
[[listener]]\nname = 'in'\nloadBalancer = 'inside'\nport = 80\nprotocol = 'HTTP'\nactions = [{ type = 'forward', targetGroups = [{ targetGroup = 'in-a', weight = 1 }, { targetGroup = 'in-b', weight = 0 }] }]
[[service]]\nserviceName = 'web'\nloadBalancers = [{ targetGroup = 'web-a', containerName = 'web', containerPort = 8080 }, { targetGroup = 'in-a', containerName = 'web', containerPort = 8080 }]
[[service]]\nserviceName = 'web-green'\nloadBalancers = [{ targetGroup = 'in-b', containerName = 'web', containerPort = 8080 }, { targetGroup = 'web-b', containerName = 'web', containerPort = 8080 }]
";
    let world = World::parsed(two);
    let life = world.run(&deploy("2", "--bake 0"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
}

#[test]
fn what_the_way_forward_needs_and_may_not_do_turns_it_back() {
    let world = World::new("shop");
    let life = world.run_denied(&deploy("2", ""), &["ModifyRule"]);
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(
        life.text.contains("ModifyRule shop:443/10 failed: AccessDeniedException"),
        "{}",
        life.text
    );
    serves(&world.cloud(), &image("1"), 2).unwrap_or_else(|why| panic!("{why}"));
    is_well(&world, &PROMISE);
}

#[test]
fn what_must_be_seen_and_may_not_be_refuses_the_start() {
    let world = World::new("shop");
    let from = world.cloud().journal().len();
    for denied in [
        &["DescribeServices"],
        &["DescribeTargetHealth"],
        &["DescribeRules"],
        &["DescribeTaskDefinition"],
    ] {
        let life = world.run_denied(&deploy("2", ""), denied);
        assert_eq!(life.code, Some(3), "{}", life.text);
        assert!(
            life.text.contains(denied[0]) && life.text.contains("hint: allow "),
            "{}",
            life.text
        );
    }
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "nothing was changed");
}

/// ECS takes 50 tags, and the record needs ten.
#[test]
fn a_record_that_finds_no_room_beside_the_users_tags_is_kept_in_memory() {
    let lives = |own: usize| {
        let tags: Vec<_> = (0..own).map(|n| format!("key{n} = 'x'")).collect();
        let world = World::parsed(&format!(
            "extends = 'shop'\n[[task_definition]]\nfamily = 'web'\ntags = {{ {} }}",
            tags.join(", ")
        ));
        let life = world.run(&deploy("2", "--bake 0"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        serves(&world.cloud(), &image("2"), 2).unwrap_or_else(|why| panic!("{why}"));
        let asked = r#"{"taskDefinition": "web", "include": ["TAGS"]}"#;
        let answer = world.call("ecs", "DescribeTaskDefinition", asked);
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let tags = answer["tags"].as_array().expect("tags");
        let is_ours = |tag: &&serde_json::Value| {
            tag["key"].as_str().is_some_and(|key| key.starts_with("ecs-bg:"))
        };
        let ours = tags.iter().filter(is_ours).count();
        (tags.len() - ours, ours, life.text.contains("no other process can resume this deployment"))
    };
    assert_eq!(lives(40), (40, 10, false));
    assert_eq!(lives(41), (41, 0, true));
}
