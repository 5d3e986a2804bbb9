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

/// CloudWatch's API: the query protocol.
fn cloudwatch(
    world: &mut World,
    operation: &str,
    request: Value,
) -> Result<Value, crate::support::Refused> {
    world.query("2010-08-01", operation, request)
}

#[test]
fn alarms_are_made_set_listed_and_deleted() {
    let mut world = watched("OK", true);
    let names = |answer: &Value| -> Vec<(String, String)> {
        let text = |one: &Value, member: &str| one[member].as_str().unwrap_or("?").to_owned();
        let all = answer["MetricAlarms"].as_array().expect("alarms").iter();
        all.map(|one| (text(one, "AlarmName"), text(one, "StateValue"))).collect()
    };
    let alarm = json!({
        "AlarmName": "late", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": "1",
    });
    cloudwatch(&mut world, "PutMetricAlarm", alarm.clone()).expect("made");
    let all = cloudwatch(&mut world, "DescribeAlarms", json!({})).expect("listed");
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    assert_eq!(names(&all), [pair("errors", "OK"), pair("late", "INSUFFICIENT_DATA")]);
    let set = json!({"AlarmName": "late", "StateValue": "ALARM", "StateReason": "a test"});
    cloudwatch(&mut world, "SetAlarmState", set).expect("set");
    // Made once more, it keeps its state.
    cloudwatch(&mut world, "PutMetricAlarm", alarm).expect("made");
    let on = cloudwatch(&mut world, "DescribeAlarms", json!({"StateValue": "ALARM"})).expect("on");
    assert_eq!(names(&on), [pair("late", "ALARM")]);
    let one = json!({"AlarmNames": ["errors", "nothing"]});
    let one = cloudwatch(&mut world, "DescribeAlarms", one).expect("one");
    assert_eq!(names(&one), [pair("errors", "OK")]);
    let gone = json!({"AlarmNames": ["late"]});
    cloudwatch(&mut world, "DeleteAlarms", gone.clone()).expect("deleted");
    for (operation, request, code) in [
        ("DeleteAlarms", gone, "ResourceNotFound"),
        (
            "SetAlarmState",
            json!({"AlarmName": "late", "StateValue": "OK", "StateReason": "x"}),
            "ResourceNotFound",
        ),
        (
            "SetAlarmState",
            json!({"AlarmName": "errors", "StateValue": "FINE", "StateReason": "x"}),
            "ValidationError",
        ),
        ("PutMetricAlarm", json!({"AlarmName": "x"}), "ValidationError"),
        ("DescribeAlarms", json!({"AlarmNamePrefix": "x", "AlarmNames": ["y"]}), "ValidationError"),
        ("PutDashboard", json!({}), "InvalidAction"),
    ] {
        let refused = cloudwatch(&mut world, operation, request).expect_err(operation);
        assert_eq!(refused.0, code, "{operation}: {}", refused.1);
    }
}
