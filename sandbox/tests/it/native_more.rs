//! CANARY and LINEAR, alarms, and what happens to a service while its deployment shifts traffic.

use serde_json::{Value, json};

use ecs_bg_sandbox::Cloud;

use crate::{native::Shop, support::World};

fn canary() -> Shop {
    Shop(World::with("extends = 'canary'"))
}

#[test]
fn a_canary_has_its_share_and_its_bake() {
    let mut shop = canary();
    shop.deploy("2");
    shop.listed();
    let one = shop.until("PRODUCTION_TRAFFIC_SHIFT");
    assert_eq!(one["targetServiceRevision"]["requestedProductionTrafficWeight"], 10.0);
    assert_eq!(shop.weights("production"), (10, 90));
    shop.0.pass(200);
    assert_eq!(shop.weights("production"), (10, 90), "three minutes of bake after the shift");
    shop.0.pass(20);
    let one = shop.newest();
    assert_eq!(one["targetServiceRevision"]["requestedProductionTrafficWeight"], 100.0, "{one:#}");
    assert_eq!(shop.weights("production"), (100, 0));
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}

#[test]
fn linear_goes_step_by_step_and_fractions_become_tenths() {
    for (config, expected) in [
        (
            json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 40.0, "stepBakeTimeInMinutes": 1}}),
            vec![(0, 100), (40, 60), (80, 20), (100, 0)],
        ),
        (
            json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 2.5, "canaryBakeTimeInMinutes": 1}}),
            vec![(0, 100), (25, 975), (100, 0)],
        ),
    ] {
        let mut shop = Shop::with("");
        let arn = shop.0.register_as("shop", "2");
        shop.0.update("shop", json!({"taskDefinition": arn, "deploymentConfiguration": config}));
        shop.listed();
        let mut seen = vec![shop.weights("production")];
        while shop.newest()["status"] == "IN_PROGRESS" {
            let now = shop.weights("production");
            if seen.last() != Some(&now) {
                seen.push(now);
            }
            shop.0.pass(1);
        }
        assert_eq!(seen, expected);
    }
}

fn watched(rollback: bool) -> Shop {
    Shop(World::with(&format!(
        "extends = 'canary'\n[[alarm]]\nname = 'errors'\n[[service]]\nserviceName = 'shop'\n\
         deploymentConfiguration = {{ alarms = {{ alarmNames = ['errors'], enable = true, rollback = {rollback} }} }}"
    )))
}

#[test]
fn an_alarm_ends_a_canary_and_a_bake() {
    for stage in ["PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"] {
        let mut shop = watched(true);
        shop.deploy("2");
        shop.listed().until(stage);
        shop.0.cloud.set_alarm("errors", "ALARM");
        shop.0.pass(3);
        assert_eq!(
            (&shop.newest()["status"], shop.weights("production")),
            (&json!("ROLLBACK_IN_PROGRESS"), (0, 100))
        );
        assert_eq!(shop.0.service("shop")["runningCount"], 4, "traffic returns before tasks stop");
        let last = shop.end();
        assert_eq!(
            last["statusReason"],
            "Service deployment rolled back because of one or more active alarms."
        );
        assert_eq!(last["alarms"]["triggeredAlarmNames"], json!(["errors"]));
        assert_eq!(last["rollback"]["reason"], last["statusReason"]);
    }
}

#[test]
fn without_rollback_both_revisions_stay() {
    let mut shop = watched(false);
    shop.deploy("2");
    shop.listed().until("PRODUCTION_TRAFFIC_SHIFT");
    shop.0.cloud.set_alarm("errors", "ALARM");
    let last = shop.end();
    assert_eq!(last["status"], "STOPPED");
    assert!(last.get("stoppedAt").is_some() && last.get("rollback").is_none());
    shop.0.pass(600);
    assert_eq!(
        (&shop.0.service("shop")["runningCount"], shop.weights("production")),
        (&json!(4), (10, 90))
    );
    shop.0.cloud.set_alarm("errors", "OK");
    shop.deploy("5");
    let one = shop.listed().newest();
    assert_eq!(one["sourceServiceRevisions"].as_array().map(Vec::len), Some(2));
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}

#[test]
fn a_second_update_stops_the_first_and_reconciles() {
    for stage in ["PRE_SCALE_UP", "SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]
    {
        let mut shop = canary();
        shop.0.update(
            "shop",
            json!({"deploymentConfiguration": {"strategy": "CANARY", "bakeTimeInMinutes": 1,
            "canaryConfiguration": {"canaryPercent": 10, "canaryBakeTimeInMinutes": 5},
            "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]}}),
        );
        shop.deploy("2");
        let first = shop.listed().until("PRE_SCALE_UP");
        let hook = first["lifecycleHookDetails"][0]["hookId"].clone();
        let arn = first["serviceDeploymentArn"].clone();
        let go = |shop: &mut Shop, arn: &Value, hook: &Value| {
            shop.0.ecs(
                "ContinueServiceDeployment",
                json!({"serviceDeploymentArn": arn, "hookId": hook}),
            )
        };
        if stage != "PRE_SCALE_UP" {
            go(&mut shop, &arn, &hook).expect("continued");
            shop.until(stage);
        }
        shop.deploy("5");
        assert_eq!(shop.described(&arn)["status"], "STOP_REQUESTED");
        let refused = go(&mut shop, &arn, &hook).expect_err("the old hook");
        assert!(refused.1.starts_with("Provided hookId is either completed"), "{refused:?}");
        shop.listed();
        assert_eq!(shop.described(&arn)["status"], "STOPPED");
        let one = shop.newest();
        assert_eq!(one["sourceServiceRevisions"].as_array().map(Vec::len), Some(2), "{stage}");
        let one = shop.when("a pause", |one| one["lifecycleStage"] == "PRE_SCALE_UP");
        assert_eq!((shop.weights("production"), shop.weights("test")), ((0, 100), (0, 100)));
        assert_eq!(shop.0.service("shop")["runningCount"], 2, "one revision is left");
        let own = one["lifecycleHookDetails"][0]["hookId"].clone();
        go(&mut shop, &one["serviceDeploymentArn"], &own).expect("continued");
        assert_eq!(shop.end()["status"], "SUCCESSFUL");
        assert_eq!(shop.weights("production"), (100, 0));
        shop.0.pass(60);
        assert_eq!(shop.0.service("shop")["runningCount"], 2);
    }
}

#[test]
fn where_traffic_is_after_an_interrupted_bake_is_a_switch() {
    for (switch, weights) in [("stay", (100, 0)), ("back", (0, 100))] {
        let mut shop = Shop::with(&format!("[native]\ninterrupted_bake = '{switch}'"));
        shop.deploy("2");
        shop.listed().until("BAKE_TIME");
        shop.deploy("5");
        shop.listed();
        let one = shop.when("a stage", |one| one["lifecycleStage"] == "SCALE_UP");
        assert_eq!(shop.weights("production"), weights, "{switch}");
        assert_eq!(one["status"], "IN_PROGRESS");
        assert_eq!(shop.end()["status"], "SUCCESSFUL");
        assert_eq!(shop.weights("production"), (weights.1, weights.0), "the other group");
    }
}

#[test]
fn a_reconciled_deployment_can_go_back() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    shop.listed().until("BAKE_TIME");
    let baking = shop.0.service("shop")["taskDefinition"].clone();
    shop.deploy("4");
    assert_eq!(shop.listed().end()["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(
        (&shop.0.service("shop")["taskDefinition"], shop.weights("production")),
        (&baking, (100, 0))
    );
}

#[test]
fn which_revision_follows_a_count_is_a_switch() {
    for (switch, source, target) in [("target", 2, 4), ("source", 4, 2), ("both", 4, 4)] {
        let mut shop = Shop::with(&format!("[native]\ncount_follows = '{switch}'"));
        shop.deploy("2");
        shop.listed().until("BAKE_TIME");
        shop.0.update("shop", json!({"desiredCount": 4}));
        shop.0.pass(60);
        let one = shop.newest();
        let count = |one: &Value| one["runningTaskCount"].as_i64().expect("a count");
        assert_eq!(
            (count(&one["sourceServiceRevisions"][0]), count(&one["targetServiceRevision"])),
            (source, target),
            "{switch}"
        );
        assert_eq!(shop.end()["status"], "SUCCESSFUL");
        shop.0.pass(120);
        assert_eq!(shop.0.service("shop")["runningCount"], 4);
    }
}

#[test]
fn tasks_that_die_are_replaced_on_both_sides() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    shop.listed().until("BAKE_TIME");
    for task in shop.0.tasks("shop", "RUNNING").iter().step_by(2) {
        shop.0
            .ecs("StopTask", json!({"cluster": "shop", "task": task["taskArn"]}))
            .expect("stopped");
    }
    shop.0.pass(90);
    let one = shop.newest();
    assert_eq!(one["lifecycleStage"], "BAKE_TIME");
    assert_eq!(one["sourceServiceRevisions"][0]["runningTaskCount"], 2);
    assert_eq!(one["targetServiceRevision"]["runningTaskCount"], 2);
    assert_eq!((shop.0.states("shop-blue").len(), shop.0.states("shop-green").len()), (2, 2));
}

#[test]
fn settings_alone_start_no_service_deployment() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    let arn = shop.listed().newest()["serviceDeploymentArn"].clone();
    shop.0.update(
        "shop",
        json!({"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 60}}),
    );
    shop.0.pass(10);
    assert_eq!((shop.list().len(), shop.newest()["serviceDeploymentArn"].clone()), (2, arn));
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
    assert_eq!(shop.list().len(), 2);
}

#[test]
fn a_create_that_fails_has_nothing_to_go_back_to() {
    let mut shop = Shop::with("");
    let old = shop.0.service("shop");
    shop.0
        .ecs("DeleteService", json!({"cluster": "shop", "service": "shop", "force": true}))
        .expect("deleted");
    shop.0.pass(120);
    let bad = shop.0.register_as("shop", "4");
    let request = json!({"cluster": "shop", "serviceName": "shop", "taskDefinition": bad, "desiredCount": 2,
        "launchType": "FARGATE", "loadBalancers": old["loadBalancers"],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "deploymentCircuitBreaker": {"enable": true, "rollback": true}}});
    shop.0.ecs("CreateService", request).expect("created");
    let last = shop.listed().end();
    assert_eq!(last["status"], "ROLLBACK_FAILED");
    assert_eq!(last["statusReason"], "No rollback candidate was found to run the rollback.");
    assert_eq!(shop.0.service("shop")["deployments"][0]["rolloutState"], "FAILED");
    shop.deploy("2");
    assert_eq!(shop.listed().end()["status"], "SUCCESSFUL");
}

#[test]
fn the_list_lags_as_long_as_a_scenario_says() {
    for (lag, count) in [("0s", 2), ("5s", 1)] {
        let mut shop = Shop::with(&format!("[timing]\nlisting = '{lag}'"));
        let answer = shop.deploy("2");
        assert_eq!(shop.list().len(), count, "{lag}");
        let current = answer["currentServiceDeployment"].as_str().expect("an ARN");
        assert_eq!(shop.newest()["serviceDeploymentArn"], current);
        shop.0.pass(5);
        assert_eq!(shop.list().len(), 2);
    }
}

#[test]
fn without_a_breaker_an_unhealthy_revision_waits() {
    let mut shop = Shop::with(
        "[[service]]\nserviceName = 'shop'\ndeploymentConfiguration = { deploymentCircuitBreaker = { enable = false, rollback = false } }",
    );
    shop.deploy("3");
    shop.listed();
    shop.0.pass(3600);
    let one = shop.newest();
    assert_eq!(
        (&one["lifecycleStage"], &one["status"]),
        (&json!("SCALE_UP"), &json!("IN_PROGRESS"))
    );
    assert_eq!(shop.weights("test"), (0, 100));
    shop.0.pass(22 * 3600);
    let last = shop.end();
    assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL", "a stage may take 24 hours");
    let hours = (last["finishedAt"].as_f64().expect("a time")
        - last["startedAt"].as_f64().expect("a time"))
        / 3600.0;
    assert!((24.0..24.2).contains(&hours), "{hours} h");
}

#[test]
fn a_rolling_service_becomes_blue_green_and_goes_back() {
    let mut shop = Shop::with(
        "[[service]]\nserviceName = 'shop'\ndeploymentConfiguration = { strategy = 'ROLLING' }",
    );
    assert_eq!(shop.weights("production"), (100, 0), "it was never touched");
    assert_eq!(shop.newest().get("lifecycleStage"), None);
    assert_eq!(
        shop.newest()["targetServiceRevision"].get("requestedProductionTrafficWeight"),
        None
    );
    let to = |strategy: &str| json!({"deploymentConfiguration": {"strategy": strategy, "bakeTimeInMinutes": 0}});
    shop.0.update("shop", to("BLUE_GREEN"));
    shop.deploy("2");
    assert_eq!(shop.listed().end()["status"], "SUCCESSFUL");
    assert_eq!(shop.weights("production"), (0, 100));
    shop.0.pass(60);
    shop.0.update("shop", to("ROLLING"));
    shop.deploy("5");
    shop.0.pass(300);
    assert_eq!(shop.newest()["status"], "SUCCESSFUL");
    assert_eq!(shop.0.states("shop-green"), ["healthy", "healthy"], "where the traffic is");
}

#[test]
fn a_saved_service_deployment_goes_on() {
    let mut one = canary();
    one.deploy("2");
    one.listed().until("PRODUCTION_TRAFFIC_SHIFT");
    let text = serde_json::to_string(&one.0.cloud).expect("saved");
    let mut other = Shop(World { cloud: serde_json::from_str::<Cloud>(&text).expect("loaded") });
    assert_eq!(one.end(), other.end());
    assert_eq!(one.0.cloud.journal(), other.0.cloud.journal());
}

#[test]
fn a_deployment_right_after_another_is_not_confused_by_it() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    shop.listed().end();
    shop.deploy("5");
    let one = shop.listed().newest();
    assert_eq!(one["sourceServiceRevisions"].as_array().map(Vec::len), Some(1));
    assert_eq!(shop.0.service("shop")["deployments"][1]["rolloutState"], "COMPLETED");
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}
