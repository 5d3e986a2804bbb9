//! The deployment configuration of a service is sent whole, forward and back alike: where AWS replaces
//! the block, what is left out is gone.

use serde_json::{Value, json};

use crate::support::fate::Death;
use crate::support::lives::{REPOSITORY, World};

const GUARDED: &str = "extends = 'solo'
    [[alarm]]\nname = 'errors'\nstate = 'OK'
    [[service]]\nserviceName = 'api'
    [service.deploymentConfiguration]
    deploymentCircuitBreaker = { enable = true, rollback = true }
    alarms = { alarmNames = ['errors'], enable = true, rollback = true }\n";

fn deploy(tag: &str) -> String {
    let repository = REPOSITORY.replace("/web", "/api");
    format!(
        "deploy --cluster shop --service api --image {repository}:{tag} --min-healthy 50 --max-percent 150"
    )
}

fn shown(world: &World) -> Value {
    let body = r#"{"cluster":"shop","services":["api"]}"#;
    let told = world.call("ecs", "DescribeServices", body);
    let mut told: Value = serde_json::from_str(&told).expect("JSON");
    told["services"][0]["deploymentConfiguration"].take()
}

/// AWS does not say which of the two it does.
fn worlds() -> [World; 2] {
    [true, false].map(|merge| World::parsed(&format!("{GUARDED}[settings]\nmerge = {merge}\n")))
}

#[test]
fn what_a_block_has_beside_is_there_after_either_way() {
    for world in worlds() {
        let before = shown(&world);
        assert_eq!(before["deploymentCircuitBreaker"]["enable"], true, "{before}");
        let life = world.run(&deploy("4"));
        assert_eq!(life.code, Some(1), "{}", life.text);
        assert_eq!(shown(&world), before, "{}", life.text);
        let life = world.run(&deploy("2"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        let mut wanted = before;
        wanted["minimumHealthyPercent"] = json!(50);
        wanted["maximumPercent"] = json!(150);
        assert_eq!(shown(&world), wanted, "{}", life.text);
    }
}

/// Also for a process that comes later and looked at nothing but what it needed.
#[test]
fn whoever_turns_it_back_sends_the_whole_block_too() {
    for world in worlds() {
        let before = shown(&world);
        let killed = world.run_until(&deploy("2"), 22, Death::BeforeAnswer);
        assert_eq!(killed.code, None);
        assert_eq!(shown(&world)["minimumHealthyPercent"], 50, "ECS was told");
        let life = world.run("abort --cluster shop --service api");
        assert_eq!(life.code, Some(1), "{}", life.text);
        assert_eq!(shown(&world), before, "{}", life.text);
    }
}

#[test]
fn the_sandbox_replaces_a_block_unless_a_scenario_says_otherwise() {
    for (world, keeps) in worlds().into_iter().zip([true, false]) {
        let body = json!({
            "cluster": "shop", "service": "api",
            "deploymentConfiguration": { "minimumHealthyPercent": 50 }
        });
        world.call("ecs", "UpdateService", &body.to_string());
        let breaker = shown(&world)["deploymentCircuitBreaker"]["enable"] == json!(true);
        assert_eq!(breaker, keeps);
    }
}
