//! Each invariant, broken on purpose.

use ecs_bg_sandbox::invariants::Invariant;
use serde_json::json;

use crate::support::World;

fn broken(world: &World) -> Vec<Invariant> {
    world.cloud.violations().iter().map(|violation| violation.invariant).collect()
}

#[test]
fn weight_on_a_group_without_healthy_targets() {
    let mut world = World::shop();
    world.weigh(90, 10).expect("modified");
    assert_eq!(broken(&world), [Invariant::WeightOnEmpty]);
    let violation = &world.cloud.violations()[0];
    assert!(
        violation.what.contains("weight 10 on arn:") && violation.what.contains("/web-b/"),
        "{}",
        violation.what
    );
    assert_eq!(violation.call.as_ref().map(|call| call.operation.as_str()), Some("ModifyRule"));
    assert_eq!(violation.invariant.name(), "weight-on-empty");
    world.weigh(100, 0).expect("modified");
    assert_eq!(broken(&world).len(), 1, "the way back breaks nothing");
}

#[test]
fn weight_on_healthy_targets_breaks_nothing() {
    let mut world = World::shop();
    world.update("web-green", json!({"desiredCount": 2}));
    world.pass(60);
    world.weigh(0, 100).expect("modified");
    world.pass(60);
    world.update("web", json!({"desiredCount": 0}));
    assert_eq!(broken(&world), []);
}

#[test]
fn weights_that_add_up_to_nothing() {
    let mut world = World::shop();
    world.weigh(0, 0).expect("modified");
    assert_eq!(broken(&world), [Invariant::NoWeight]);
    let violation = &world.cloud.violations()[0];
    assert!(violation.what.contains("weights add up to 0"), "{}", violation.what);
    assert_eq!(violation.invariant.name(), "no-weight");
    world.weigh(1, 0).expect("modified");
    assert_eq!(broken(&world).len(), 1, "a weight on a healthy group is no harm");
    // Where no target is healthy, nothing is lost by it.
    let mut world = World::shop();
    world.update("web", json!({"desiredCount": 0}));
    world.pass(600);
    let before = broken(&world).len();
    world.weigh(0, 0).expect("modified");
    assert_eq!(broken(&world).len(), before);
}

#[test]
fn a_side_with_traffic_shrinks() {
    let mut world = World::shop();
    world.update("web", json!({"desiredCount": 1}));
    assert_eq!(broken(&world), [Invariant::ShrinksTraffic]);
    assert_eq!(world.cloud.violations()[0].invariant.name(), "shrinks-traffic");
    world.update("web", json!({"desiredCount": 3}));
    assert_eq!(broken(&world).len(), 1, "growing is no harm");
    world
        .ecs("DeleteService", json!({"cluster": "shop", "service": "web", "force": true}))
        .expect("deleted");
    assert_eq!(broken(&world).len(), 2);
}

#[test]
fn a_side_shrinks_that_a_node_still_sends_to() {
    let mut world = World::shop();
    world.update("web-green", json!({"desiredCount": 2}));
    world.pass(60);
    world.weigh(0, 100).expect("modified");
    world.pass(7);
    world.update("web", json!({"desiredCount": 0}));
    assert_eq!(broken(&world), [Invariant::ShrinksTraffic]);
    assert!(
        world.cloud.violations()[0].what.contains("some node still sends to"),
        "{}",
        world.cloud.violations()[0].what
    );
}

#[test]
fn parts_of_an_action_list_get_lost() {
    let mut world = World::shop();
    let rule = world.rule();
    let config = |groups: serde_json::Value, extra: serde_json::Value| {
        json!([{"Type": "forward", "ForwardConfig": {
            "TargetGroups": groups, "TargetGroupStickinessConfig": extra,
        }}])
    };
    let groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"].clone();
    let mut modify = |actions: serde_json::Value| {
        world
            .elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": actions}))
            .expect("modified");
        broken(&world).len()
    };
    let sticky = json!({"Enabled": true, "DurationSeconds": 60});
    assert_eq!(modify(config(groups.clone(), sticky.clone())), 1, "stickiness is altered");
    assert_eq!(modify(config(groups.clone(), sticky.clone())), 1, "nothing is");
    assert_eq!(modify(config(json!([groups[0]]), sticky.clone())), 2, "a group is dropped");
    let jwt = json!({"Type": "jwt-validation", "JwtValidationConfig": {"JwksEndpoint": "https://id.example/keys", "Issuer": "https://id.example"}});
    let mut both = config(json!([groups[0]]), sticky.clone());
    both.as_array_mut().expect("actions").insert(0, jwt);
    assert_eq!(modify(both), 2, "adding loses nothing");
    assert_eq!(modify(config(json!([groups[0]]), sticky)), 3, "an action is dropped");
    assert!(broken(&world).iter().all(|invariant| *invariant == Invariant::ActionsLost));
}

#[test]
fn a_world_that_goes_bad_by_itself_breaks_nothing() {
    let mut world = World::with(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:1'\ndoes = 'sick'\nafter = '20m'",
    );
    world.pass(1200);
    assert!(world.events("web").iter().any(|event| event.contains("is unhealthy")));
    assert_eq!(broken(&world), []);
}
