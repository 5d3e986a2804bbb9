//! Deployment alarms.

use serde_json::{Value, json};

use crate::support::World;

fn watched(state: &str, rollback: bool) -> World {
    World::with(&format!(
        "extends = 'shop'\n[[alarm]]\nname = 'errors'\nstate = '{state}'\n[[service]]\nserviceName = 'web'\n\
         deploymentConfiguration = {{ alarms = {{ alarmNames = ['errors'], enable = true, rollback = {rollback} }} }}"
    ))
}

fn newest(world: &mut World) -> Value {
    let list = world.ecs("ListServiceDeployments", json!({"cluster": "shop", "service": "web"}));
    let arn = list.expect("listed")["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    let answer = world.ecs("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
    answer.expect("described")["serviceDeployments"][0].clone()
}

#[test]
fn an_alarm_during_a_deployment_rolls_it_back() {
    let mut world = watched("OK", true);
    let before = world.service("web");
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(30);
    assert_eq!(newest(&mut world)["alarms"]["status"], "MONITORING");
    world.cloud.set_alarm("errors", "ALARM");
    world.pass(3);
    let web = world.service("web");
    let failed = web["deployments"].as_array().expect("deployments").iter();
    let failed =
        failed.clone().find(|one| one["taskDefinition"] == json!(arn)).expect("the new one");
    assert_eq!(failed["rolloutState"], "FAILED");
    let id = failed["id"].as_str().expect("an id").to_owned();
    world.pass(300);
    let web = world.service("web");
    assert_eq!(
        (&web["taskDefinition"], &web["runningCount"]),
        (&before["taskDefinition"], &json!(2))
    );
    let events = world.events("web");
    let text = format!("(service web) (deployment {id}) deployment failed: alarm detected.");
    assert!(events.contains(&text), "{events:#?}");
    let last = newest(&mut world);
    assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(
        last["alarms"],
        json!({"status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]})
    );
}

#[test]
fn an_alarm_without_rollback_stops_the_deployment() {
    let mut world = watched("OK", false);
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(5);
    world.cloud.set_alarm("errors", "ALARM");
    world.pass(200);
    let web = world.service("web");
    assert_eq!(web["deployments"][0]["rolloutState"], "FAILED");
    assert_eq!(newest(&mut world)["status"], "STOPPED");
}

#[test]
fn an_alarm_that_is_on_already_is_ignored() {
    let mut world = watched("ALARM", true);
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(5);
    assert_eq!(newest(&mut world)["alarms"]["status"], "DISABLED");
    world.cloud.set_alarm("errors", "OK");
    world.pass(10);
    world.cloud.set_alarm("errors", "ALARM");
    world.pass(200);
    let last = newest(&mut world);
    assert_eq!(
        (&last["status"], &last["alarms"]["triggeredAlarmNames"]),
        (&json!("SUCCESSFUL"), &json!([]))
    );
}

#[test]
fn alarms_are_watched_for_a_while_after_the_last_task() {
    let mut world = watched("OK", true);
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(200);
    let web = world.service("web");
    assert_eq!(
        (&web["runningCount"], web["deployments"].as_array().map(Vec::len)),
        (&json!(2), Some(1))
    );
    assert_eq!(web["deployments"][0]["rolloutState"], "IN_PROGRESS");
    world.cloud.set_alarm("errors", "ALARM");
    world.pass(200);
    assert_ne!(world.service("web")["taskDefinition"], json!(arn), "it went back in the bake time");
    let minutes =
        json!({"deploymentConfiguration": {"bakeTimeInMinutes": 1}, "forceNewDeployment": true});
    world.cloud.set_alarm("errors", "OK");
    world.update("web", minutes);
    world.pass(160);
    assert_eq!(newest(&mut world)["status"], "SUCCESSFUL");
}
