//! Services whose traffic ECS shifts: outcomes, pauses, strategies, what is refused, counts of calls.

use std::time::Duration;

use ecs_bg_sandbox::Unverified;
use ecs_bg_sandbox::iam::Policy;
use ecs_bg_sandbox::journal::{Change, Entry};
use serde_json::Value;

use crate::cases::native::{
    REPOSITORY, deploy, native, production_rule, runs, second_rule, settings,
};
use crate::cases::native_scenes::{HEADLESS, tasks};
use crate::support::fate::{Fate, When};
use crate::support::lives::{Life, World, call, outside};

const SERVICE: &str = "--cluster shop --service shop";

fn ends(life: &Life, code: u8) {
    assert_eq!(life.code, Some(code), "{}", life.text);
}

/// Nothing of a service, a rule or a task definition was changed.
fn is_untouched(world: &World, from: usize) {
    let ours = |entry: &Entry| entry.call.is_some();
    let changes: Vec<Entry> = world.journal(from).into_iter().filter(ours).collect();
    assert!(changes.is_empty(), "{changes:?}");
}

fn refused(world: &World, command: &str, why: &str) {
    let from = world.cloud().journal().len();
    let life = world.run(command);
    ends(&life, 3);
    assert!(life.text.contains(why), "{}", life.text);
    assert!(life.text.contains("hint: "), "{}", life.text);
    is_untouched(world, from);
}

#[test]
fn a_good_deployment_needs_few_calls_and_its_end_is_told_at_once() {
    let world = native("");
    let begin = world.now();
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("2", ""));
    ends(&life, 0);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
    let done = world.journal(from).into_iter().find(|entry| {
        matches!(&entry.change, Change::ServiceDeployment { status, .. } if status == "SUCCESSFUL")
    });
    let late = world.now() - done.expect("a success").at;
    let calls: u32 = life.calls.values().sum();
    let took = world.now() - begin;
    println!("{calls} calls in {took:?}, told after {late:?}: {:?}", life.calls);
    assert!(late <= Duration::from_secs(3), "{late:?}");
    // Eight of them see the targets at the last looks of the bake.
    assert!(calls <= 139, "{calls} calls in {took:?}: {:?}", life.calls);
}

/// Somebody else's deployment is waited for, where that is asked for; else it is refused.
#[test]
fn a_deployment_of_somebody_else_is_waited_for() {
    let begun = |world: &World| {
        let body = r#"{"cluster":"shop","service":"shop","forceNewDeployment":true}"#;
        world.call("ecs", "UpdateService", body);
        world.wait(10);
    };
    let world = native("");
    begun(&world);
    let life = world.run(&deploy("2", ""));
    ends(&life, 3);
    assert!(
        life.text.contains("hint: run the same command with --on-conflict wait"),
        "{}",
        life.text
    );
    let world = native("");
    begun(&world);
    let life = world.run(&deploy("2", "--on-conflict wait"));
    ends(&life, 0);
    assert!(life.text.contains("ECS deploys something else to shop"), "{}", life.text);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
}

/// Without rules to read, only the service shows that somebody put the old revision back in the last seconds.
#[test]
fn who_puts_the_old_revision_back_at_the_end_is_no_success() {
    let world = native(HEADLESS);
    let begin = world.now();
    let life = world.run(&deploy("2", ""));
    ends(&life, 0);
    let end = (world.now() - begin).as_secs();
    let mut codes = Vec::new();
    for second in end - 24..end {
        let world = native(HEADLESS);
        let life = world.run_beside(&deploy("2", ""), second, |cloud| {
            let body = r#"{"cluster":"shop","service":"shop","taskDefinition":"shop:1"}"#;
            call(cloud, "ecs", "UpdateService", body);
        });
        world.wait(1200);
        tasks(&world, "1").unwrap_or_else(|why| panic!("at {second}: {why}\n{}", life.text));
        assert!(matches!(life.code, Some(1 | 5)), "at {second}: {}", life.text);
        codes.extend(life.code);
    }
    assert!(codes.contains(&5), "{codes:?}");
}

/// ECS is told to turn back before anything is written down.
#[test]
fn the_stop_comes_before_the_record() {
    let world = native("");
    let life = world.run_interrupted(&deploy("2", ""), 90, 1);
    ends(&life, 1);
    // The first one asks whether it is allowed.
    let stop = life.operations.iter().rposition(|one| one == "StopServiceDeployment");
    let stop = stop.unwrap_or_else(|| panic!("no stop: {:?}", life.operations));
    let last = life.operations[..stop].iter().rposition(|one| one == "TagResource");
    let read =
        life.operations[last.unwrap_or(0)..stop].iter().any(|one| one.starts_with("Describe"));
    assert!(read, "the record was written right before: {:?}", &life.operations[..=stop]);
    assert_eq!(life.operations.get(stop + 1).map(String::as_str), Some("TagResource"));
}

#[test]
fn ecs_writes_the_rules_and_we_never_do() {
    let world = native("");
    let life = world.run(&deploy("2", ""));
    ends(&life, 0);
    let writes = ["ModifyRule", "ModifyListener", "RegisterTargets", "DeregisterTargets"];
    assert!(writes.iter().all(|call| !life.calls.contains_key(*call)), "{:?}", life.calls);
}

#[test]
fn a_deployment_that_cannot_start_is_rolled_back_before_ecs_does() {
    let world = native("");
    let life = world.run(&deploy("4", ""));
    ends(&life, 1);
    assert!(life.text.contains("exited with code 1"), "{}", life.text);
    // The first one asks whether it is allowed.
    assert_eq!(life.calls.get("StopServiceDeployment"), Some(&2), "{}", life.text);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_pause_waits_for_somebody_who_promotes() {
    let world = native("");
    let before = settings(&world);
    let first = deploy("2", "--pause-at before-traffic,each-step --pause-limit 20m");
    let [ours, promoted] = world.run_together(&first, &format!("promote {SERVICE}"), 120_000);
    ends(&promoted, 0);
    assert!(promoted.text.contains("goes on from POST_TEST_TRAFFIC_SHIFT"), "{}", promoted.text);
    // Nobody promotes the next one.
    ends(&ours, 1);
    assert!(ours.text.contains("pause hook timed out"), "{}", ours.text);
    assert!(ours.text.contains("ecs-bg promote --cluster shop --service shop"), "{}", ours.text);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(settings(&world), before);
}

#[test]
fn a_pause_that_is_the_service_s_own_stays_and_is_told() {
    let world = native(
        "[[service]]\nserviceName = 'shop'\ndeploymentConfiguration = { strategy = 'BLUE_GREEN', bakeTimeInMinutes = 1,
        lifecycleHooks = [{ targetType = 'PAUSE', lifecycleStages = ['PRE_SCALE_UP'], timeoutConfiguration = { timeoutInMinutes = 9, action = 'CONTINUE' } }] }",
    );
    let before = settings(&world);
    let life = world.run(&deploy("2", ""));
    ends(&life, 0);
    assert!(life.text.contains("is set up to pause at PRE_SCALE_UP"), "{}", life.text);
    assert!(life.text.contains("paused at PRE_SCALE_UP, goes on at"), "{}", life.text);
    assert_eq!(settings(&world), before);
}

#[test]
fn promote_says_when_nothing_pauses() {
    let world = native("");
    let [ours, promoted] =
        world.run_together(&deploy("2", ""), &format!("promote {SERVICE}"), 120_000);
    ends(&ours, 0);
    ends(&promoted, 3);
    assert!(promoted.text.contains("does not pause right now"), "{}", promoted.text);
}

#[test]
fn a_strategy_stays_after_a_success_and_goes_after_a_failure() {
    let world = native("");
    let before = settings(&world);
    ends(&world.run(&deploy("3", "--strategy canary:10/2m --bake 1m")), 1);
    assert_eq!(settings(&world), before);
    let life = world.run(&deploy("2", "--strategy canary:10/2m --bake 1m"));
    ends(&life, 0);
    assert!(life.text.contains("10 % of the traffic"), "{}", life.text);
    let after = settings(&world);
    assert_eq!(after["strategy"], "CANARY");
    assert_eq!(after["bakeTimeInMinutes"], before["bakeTimeInMinutes"]);
}

#[test]
fn a_rollback_afterwards_is_all_at_once_and_changes_no_setting() {
    let world = native("");
    ends(&world.run(&deploy("2", "--strategy linear:25/2m")), 0);
    let before = settings(&world);
    let begin = world.now();
    let life = world.run(&format!("rollback {SERVICE}"));
    ends(&life, 0);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(settings(&world), before);
    let took = world.now() - begin;
    assert!(took < Duration::from_secs(240), "{took:?}");
}

#[test]
fn abort_from_elsewhere_has_ecs_roll_back() {
    let world = native("");
    let [ours, aborted] =
        world.run_together(&deploy("2", ""), &format!("abort {SERVICE}"), 150_000);
    ends(&ours, 5);
    ends(&aborted, 1);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_deployment_that_no_record_tells_of_can_be_aborted() {
    for verb in ["abort", "rollback"] {
        let world = native("");
        ends(&world.run(&deploy("2", "--no-wait")), 0);
        world.wait(150);
        let life = world.run(&format!("{verb} {SERVICE}"));
        ends(&life, 1);
        assert!(life.text.contains("asked ECS to roll back"), "{}", life.text);
        runs(&world, "1").unwrap_or_else(|why| panic!("{verb}: {why}"));
    }
}

#[test]
fn the_same_revision_is_started_anew() {
    let world = native("");
    let from = world.cloud().journal().len();
    let life = world.run(&format!("deploy {SERVICE} --force-new-deployment"));
    ends(&life, 0);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
    let ended = |entry: &Entry| matches!(&entry.change, Change::ServiceDeployment { status, .. } if status == "SUCCESSFUL");
    assert_eq!(world.journal(from).iter().filter(|entry| ended(entry)).count(), 1);
}

#[test]
fn whoever_deploys_beside_a_deployment_of_ecs_s_is_refused() {
    let world = native("");
    ends(&world.run(&deploy("2", "--no-wait")), 0);
    world.wait(30);
    refused(&world, &deploy("3", ""), "ECS deploys shop:2 to shop right now");
    world.wait(900);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
    ends(&world.run(&deploy("1", "")), 0);
}

#[test]
fn a_rule_that_somebody_rewrote_is_found_before_anything_is_changed() {
    let world = native("");
    let body = r#"{"cluster":"shop","services":["shop"]}"#;
    let answer = world.call("ecs", "DescribeServices", body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let balancer = &answer["services"][0]["loadBalancers"][0];
    let advanced = &balancer["advancedConfiguration"];
    let groups = [&balancer["targetGroupArn"], &advanced["alternateTargetGroupArn"]];
    let is_empty = |group: &&&Value| {
        let body = format!("TargetGroupArn={}", group.as_str().unwrap_or_default());
        let health = world.call("elasticloadbalancing", "DescribeTargetHealth", &body);
        !health.contains("<State>")
    };
    let empty = groups.iter().find(is_empty).and_then(|group| group.as_str()).expect("a group");
    let rule = advanced["productionListenerRule"].as_str().expect("a rule");
    let body = format!(
        "RuleArn={rule}&Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={empty}"
    );
    world.call("elasticloadbalancing", "ModifyRule", &body);
    refused(&world, &deploy("2", ""), "somebody rewrote the rule");
}

#[test]
fn options_that_mean_nothing_here_are_refused() {
    let world = native("");
    for (more, why) in [
        ("--shares 10:1m,100", "--shares works only with two services"),
        ("--follow 60s", "--follow does not work where ECS shifts the traffic"),
        ("--desired-count 3", "--desired-count does not work"),
        ("--bake 90s", "--bake is whole minutes"),
        ("--no-wait --pause-at after-traffic", "--no-wait with --pause-at"),
        ("--engine rolling", "has the deployment strategy BLUE_GREEN"),
    ] {
        refused(&world, &deploy("2", more), why);
    }
    for more in ["--pause-at bake", "--strategy big-bang", "--pause-at each-step --pause-limit 20d"]
    {
        let life = world.run(&deploy("2", more));
        ends(&life, 2);
    }
    let solo = World::new("solo");
    let api = format!(
        "deploy --cluster shop --service api --image {}:2",
        REPOSITORY.replace("shop/shop", "shop/api")
    );
    refused(
        &solo,
        &format!("{api} --strategy blue-green"),
        "is not set up for ECS to shift its traffic",
    );
    refused(&solo, &format!("{api} --pause-at each-step"), "--pause-at");
    refused(&solo, &format!("{api} --engine native"), "is not set up for ECS to shift its traffic");
}

#[test]
fn rules_that_may_not_be_read_are_said() {
    let world = native("");
    ends(&world.run(&deploy("2", "")), 0);
    // What is put back comes first.
    let back = format!("rollback {SERVICE}");
    let life = world.run_denied(&back, &["DescribeRules", "DescribeListeners"]);
    ends(&life, 0);
    assert!(life.text.contains("allow elasticloadbalancing:DescribeListeners"), "{}", life.text);
    assert!(
        life.text.contains("whether its targets are healthy could not be read"),
        "{}",
        life.text
    );
}

#[test]
fn the_drop_in_deploys_such_a_service() {
    let world = native("");
    let life = world.run(&format!("ecs-deploy -c shop -n shop -t 900 -i {REPOSITORY}:2"));
    ends(&life, 0);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
    let life = world.run(&format!("ecs-deploy -c shop -n shop -t 900 -i {REPOSITORY}:4"));
    assert_ne!(life.code, Some(0), "{}", life.text);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}"));
}

/// Somebody sets the strategy back to ROLLING: the rule still has the service's two target groups, which makes
/// it no half of a pair.
#[test]
fn a_service_that_was_set_back_to_rolling_is_deployed() {
    for deployed in [false, true] {
        let world = native("");
        if deployed {
            let life = world.run(&deploy("2", "--bake 0"));
            assert_eq!(life.code, Some(0), "{}", life.text);
        }
        let rolling = r#"{"cluster":"shop","service":"shop","deploymentConfiguration":{"strategy":"ROLLING"}}"#;
        world.call("ecs", "UpdateService", rolling);
        let life = world.run(&deploy("5", ""));
        assert_eq!(life.code, Some(0), "{}", life.text);
        runs(&world, "5").unwrap_or_else(|why| panic!("{why}\n{}", life.text));
    }
}

/// What may be needed late is found before anything is changed.
#[test]
fn a_way_back_that_is_not_allowed_is_found_before() {
    let without = |action: &str| {
        let world = native("");
        let policy = format!(
            r#"{{"Statement": [{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
                {{"Effect": "Deny", "Action": "{action}", "Resource": "*"}}]}}"#
        );
        world.cloud().set_policy(Some(Policy::parse(&policy, "policy").expect("a policy")));
        world
    };
    let (stop, go_on) = ("ecs:StopServiceDeployment", "ecs:ContinueServiceDeployment");
    let gates = "--check-cmd true";
    refused(&without(stop), &deploy("2", ""), stop);
    let bad = native("");
    ends(&bad.run(&deploy("2", "")), 0);
    let all_but = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Action": "*", "Resource": "*"}},
            {{"Effect": "Deny", "Action": "{stop}", "Resource": "*"}}]}}"#
    );
    bad.cloud().set_policy(Some(Policy::parse(&all_but, "policy").expect("a policy")));
    // A way back is not kept from beginning.
    ends(&bad.run(&format!("rollback {SERVICE}")), 0);
    refused(&without(go_on), &deploy("2", gates), go_on);
    // Neither is needed: nothing is judged, or nobody watches.
    ends(&without(go_on).run(&deploy("2", "")), 0);
    ends(&without(stop).run(&deploy("2", "--no-wait")), 0);
}

/// Nothing is deployed where the tasks run the image already, also if another tool started them; unless another
/// strategy is asked for.
#[test]
fn what_runs_already_is_not_deployed_again() {
    let world = native("");
    let from = world.cloud().journal().len();
    let life = world.run(&deploy("1", ""));
    ends(&life, 0);
    assert!(life.text.contains("nothing to do"), "{}", life.text);
    is_untouched(&world, from);
    let life = world.run(&deploy("1", "--strategy canary:10/1m"));
    ends(&life, 0);
    assert_eq!(settings(&world)["strategy"], "CANARY", "{}", life.text);
    let again = world.run(&deploy("1", "--strategy canary:10/1m"));
    ends(&again, 0);
    assert!(again.text.contains("nothing to do"), "{}", again.text);
}

/// Somebody deletes the production rule: neither revision serves then, whatever ECS says.
#[test]
fn without_its_production_rule_nothing_is_said_to_serve() {
    for second in [10, 60, 240, 330] {
        let world = native("");
        let rule = production_rule(&world);
        let life = world.run_beside(&deploy("2", ""), second, move |cloud| {
            call(cloud, "elasticloadbalancing", "DeleteRule", &format!("RuleArn={rule}"));
        });
        assert_eq!(life.code, Some(4), "at {second}: {}", life.text);
        let told =
            ["no rule forwards", "rules not found"].iter().any(|one| life.text.contains(one));
        assert!(told, "at {second}: {}", life.text);
    }
}

/// ECS moves one rule of a load balancer. Another one that leads to the group that serves would lead to stopped tasks.
#[test]
fn a_second_rule_to_the_tasks_that_serve_is_found_before() {
    let world = native("");
    world.call("elasticloadbalancing", "CreateRule", &second_rule(&world));
    let from = world.journal(0).len();
    for command in
        [deploy("2", ""), deploy("2", "--no-wait"), deploy("2", "").replace("deploy", "plan")]
    {
        let life = world.run(&command);
        ends(&life, 3);
        assert!(
            life.text.contains("rule shop:443/77 sends requests to shop-green, too"),
            "{}",
            life.text
        );
    }
    ends(&world.run(&format!("doctor {SERVICE}")), 3);
    is_untouched(&world, from);
}

/// Nothing is the matter with one that leads to the group that waits: the deployment gives it tasks. Who rolls back
/// to leave a bad version is not kept from it, and is warned of such a rule.
#[test]
fn a_second_rule_to_the_other_group_keeps_nobody_from_going_back() {
    let world = native("");
    ends(&world.run(&deploy("2", "")), 0);
    world.call("elasticloadbalancing", "CreateRule", &second_rule(&world));
    ends(&world.run(&deploy("1", "")), 0);
    let life = world.run(&format!("rollback {SERVICE}"));
    ends(&life, 0);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}: {}", life.text));
    assert!(life.text.contains("also sends requests to shop-green"), "{}", life.text);
    ends(&world.run(&format!("resume {SERVICE}")), 0);
    runs(&world, "2").unwrap_or_else(|why| panic!("{why}: {}", life.text));
}

/// Interrupted when ECS is done already, with a second rule that somebody added: that is no success either.
#[test]
fn a_stop_that_comes_too_late_hides_no_second_rule() {
    let mut late = 0;
    for second in (420..436).step_by(2) {
        let world = native("");
        let rule = second_rule(&world);
        let (count, counted) = tokio::sync::watch::channel(0);
        let at = When::Time(world.now() + Duration::from_secs(second));
        let outsider = outside(at, move |cloud| {
            call(cloud, "elasticloadbalancing", "CreateRule", &rule);
            count.send_replace(1);
        });
        let fate = Fate { outsider, interrupts: Some(counted), ..Fate::default() };
        let life = world.live(&deploy("2", ""), fate);
        assert!(matches!(life.code, Some(1 | 4)), "at {second}: {:?}\n{}", life.code, life.text);
        late += u32::from(life.code == Some(4));
    }
    assert!(late > 0, "no stop came too late");
}

/// Somebody stops all tasks while it bakes: nothing serves, and that is no success.
#[test]
fn a_count_that_somebody_lowers_to_none_is_no_success() {
    let world = native("");
    let life = world.run_beside(&deploy("2", ""), 240, |cloud| {
        let body = r#"{"cluster":"shop","service":"shop","desiredCount":0}"#;
        call(cloud, "ecs", "UpdateService", body);
    });
    ends(&life, 4);
}

/// ECS goes back to the revision that it completed last, not to one that it never finished.
#[test]
fn the_way_back_of_two_deployments_that_nobody_waited_for_is_the_one_before_both() {
    let world = native("");
    ends(&world.run(&deploy("3", "--no-wait")), 0);
    ends(&world.run(&format!("register --family shop --image {REPOSITORY}:4")), 0);
    // Somebody else does not wait until ECS lists the first one.
    let body = r#"{"cluster":"shop","service":"shop","taskDefinition":"shop:3"}"#;
    world.call("ecs", "UpdateService", body);
    world.wait(11);
    let life = world.run(&format!("rollback {SERVICE}"));
    ends(&life, 1);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}: {}", life.text));
}

/// ECS could not roll back, and does nothing more: `rollback` begins another deployment, once that can work.
#[test]
fn what_ecs_could_not_roll_back_is_rolled_back_by_another_deployment() {
    let world = native("[native]\ninfrastructure_role = 'no-modify'");
    let life = world.run(&deploy("2", ""));
    ends(&life, 4);
    assert!(life.text.contains(&format!("hint: ecs-bg rollback {SERVICE}")), "{}", life.text);
    let life = world.run(&format!("resume {SERVICE}"));
    ends(&life, 4);
    world.cloud().set_unverified(Unverified::default());
    let life = world.run(&format!("rollback {SERVICE}"));
    ends(&life, 0);
    runs(&world, "1").unwrap_or_else(|why| panic!("{why}"));
}
