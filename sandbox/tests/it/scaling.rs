//! Target tracking, minute by minute.

use serde_json::{Value, json};

use crate::support::World;

/// `web` has 2 tasks, may have 1 to 4, and follows 20 % of CPU; all requests take `load` %.
fn tracked(load: u32) -> World {
    World::with(&format!(
        "extends = 'shop'\n\
         [[service]]\nserviceName = 'web'\ndesiredCount = 2\n\
         [[scalable_target]]\nservice = 'shop/web'\nmin = 1\nmax = 4\ncpu = 20\n\
         [[load]]\nservice = 'shop/web'\ncpu = {load}\n"
    ))
}

fn target(world: &mut World, operation: &str, members: Value) -> Value {
    let mut request = json!({"ServiceNamespace": "ecs", "ResourceId": "service/shop/web",
        "ScalableDimension": "ecs:service:DesiredCount"});
    for (member, value) in members.as_object().expect("members") {
        request[member] = value.clone();
    }
    world.scaling(operation, request).expect("an answer")
}

fn load(world: &mut World, cpu: u32) {
    world.cloud.set_load("shop/web", ecs_bg_sandbox::Load { cpu: Some(cpu), memory: None });
}

/// The desired count after each of some minutes.
fn minutes(world: &mut World, count: usize) -> Vec<i64> {
    let mut seen = Vec::new();
    for _ in 0..count {
        world.pass(60);
        seen.push(world.service("web")["desiredCount"].as_i64().expect("a count"));
    }
    seen
}

#[test]
fn three_minutes_above_the_target_scale_out_in_proportion_and_within_the_bounds() {
    let mut world = tracked(40);
    // 2 tasks at 20 %: neither above nor well below.
    assert_eq!(minutes(&mut world, 30), vec![2; 30]);
    load(&mut world, 41);
    assert_eq!(minutes(&mut world, 4), [2, 2, 3, 3], "41 % of 3 tasks are 13.7 %");
    // More is needed: no cooldown waits for that.
    load(&mut world, 900);
    assert_eq!(minutes(&mut world, 20).last(), Some(&4), "MaxCapacity");
    let activities = target(&mut world, "DescribeScalingActivities", json!({}));
    assert_eq!(activities["ScalingActivities"].as_array().map(Vec::len), Some(2), "{activities}");
}

#[test]
fn fifteen_minutes_well_below_scale_in_unless_a_deployment_runs_or_it_is_suspended() {
    let mut world = tracked(40);
    // 18 % is nine tenths of the target: not below.
    load(&mut world, 36);
    assert_eq!(minutes(&mut world, 30), vec![2; 30]);
    load(&mut world, 10);
    let suspended = |on: bool| {
        json!({"SuspendedState": {"DynamicScalingInSuspended": on,
        "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false}})
    };
    target(&mut world, "RegisterScalableTarget", suspended(true));
    assert_eq!(minutes(&mut world, 30), vec![2; 30], "suspended");
    target(&mut world, "RegisterScalableTarget", suspended(false));
    // A deployment that does not end: its tasks are never ready.
    world.cloud.set_image(
        serde_json::from_value(json!({"ref": "shop/web:9", "does": "missing"})).expect("an image"),
    );
    let revision = world.register("9");
    world.update("web", json!({"taskDefinition": revision}));
    assert_eq!(minutes(&mut world, 30), vec![2; 30], "while a deployment runs");
}

#[test]
fn a_policy_that_is_not_to_scale_in_does_not() {
    let mut world = tracked(10);
    let policies = target(&mut world, "DescribeScalingPolicies", json!({}));
    let mut own =
        policies["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"].clone();
    own["DisableScaleIn"] = json!(true);
    let members = json!({"PolicyName": "cpu", "TargetTrackingScalingPolicyConfiguration": own});
    world.update("web", json!({"desiredCount": 2}));
    target(&mut world, "PutScalingPolicy", members);
    assert_eq!(minutes(&mut world, 40), vec![2; 40]);
    let own = json!({"PolicyName": "cpu", "TargetTrackingScalingPolicyConfiguration":
        {"TargetValue": 20, "PredefinedMetricSpecification":
            {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}});
    target(&mut world, "PutScalingPolicy", own);
    let seen = minutes(&mut world, 16);
    assert_eq!((seen[13], seen[15]), (2, 1), "{seen:?}");
}

#[test]
fn a_scheduled_action_comes_at_its_time_unless_it_is_suspended() {
    for suspended in [false, true] {
        let mut world = tracked(40);
        let state = json!({"SuspendedState": {"DynamicScalingInSuspended": false,
            "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": suspended}});
        target(&mut world, "RegisterScalableTarget", state);
        let night = |at: &str| {
            json!({"ScheduledActionName": "night", "Schedule": format!("at({at})"),
                "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 3}})
        };
        target(&mut world, "PutScheduledAction", night("2026-01-15T12:01:00"));
        // The last word about its time counts.
        target(&mut world, "PutScheduledAction", night("2026-01-15T12:10:00"));
        assert_eq!(minutes(&mut world, 9), vec![2; 9]);
        world.pass(60);
        let shown = target(&mut world, "DescribeScalableTargets", json!({}));
        let shown = &shown["ScalableTargets"][0];
        let (limits, count) = if suspended { ([1, 4], 2) } else { ([3, 3], 3) };
        assert_eq!(json!([shown["MinCapacity"], shown["MaxCapacity"]]), json!(limits));
        assert_eq!(world.service("web")["desiredCount"], count);
        // What did not run then does not run later.
        target(
            &mut world,
            "RegisterScalableTarget",
            json!({"SuspendedState": {"ScheduledScalingSuspended": false}}),
        );
        assert_eq!(minutes(&mut world, 5), vec![count; 5]);
    }
}
