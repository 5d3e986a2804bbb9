//! Lifecycle hooks of service deployments that shift traffic: pauses and Lambda functions.

use serde_json::{Value, json};

use ecs_bg_sandbox::journal::Change;

use crate::native::Shop;

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:smoke";
const ROLE: &str = "arn:aws:iam::123456789012:role/shop-hooks";

fn pause(stages: &[&str]) -> Value {
    json!({"targetType": "PAUSE", "lifecycleStages": stages})
}

fn lambda(stages: &[&str]) -> Value {
    json!({"hookTargetArn": FUNCTION, "roleArn": ROLE, "lifecycleStages": stages})
}

/// The hooks of a stage.
fn details(one: &Value) -> Vec<Value> {
    one["lifecycleHookDetails"].as_array().cloned().unwrap_or_default()
}

impl Shop {
    /// Gives the service hooks, and starts no deployment.
    fn hooks(&mut self, hooks: Value) {
        let before = self.0.service("shop");
        let mut config = before["deploymentConfiguration"].clone();
        config["lifecycleHooks"] = hooks;
        self.0.update("shop", json!({"deploymentConfiguration": config}));
        assert_eq!(self.0.service("shop")["deployments"], before["deployments"]);
    }

    fn act(&mut self, hook: &Value, action: &str) -> Result<Value, (String, String)> {
        let arn = self.newest()["serviceDeploymentArn"].clone();
        let request = json!({"serviceDeploymentArn": arn, "hookId": hook, "action": action});
        self.0.ecs("ContinueServiceDeployment", request)
    }

    /// Until some hook waits.
    fn paused(&mut self) -> Value {
        self.when("a pause", |one| {
            details(one).iter().any(|own| own["status"] == "AWAITING_ACTION")
        })
    }

    /// What functions were called with.
    fn payloads(&self) -> Vec<Value> {
        let payload = |change: &Change| match change {
            Change::Hook { payload, .. } => payload.clone(),
            _ => None,
        };
        self.0.cloud.journal().iter().filter_map(|entry| payload(&entry.change)).collect()
    }
}

#[test]
fn a_pause_waits_until_it_is_continued() {
    let mut shop = Shop::with("");
    shop.hooks(json!([pause(&["POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"])]));
    let shown = &shop.0.service("shop")["deploymentConfiguration"]["lifecycleHooks"][0];
    assert_eq!(
        shown["timeoutConfiguration"],
        json!({"timeoutInMinutes": 1440, "action": "ROLLBACK"})
    );
    shop.deploy("2");
    let mut before = Value::Null;
    for stage in ["POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"] {
        shop.0.pass(5);
        let one = shop.paused();
        assert_eq!(
            (&one["lifecycleStage"], &one["status"]),
            (&json!(stage), &json!("IN_PROGRESS"))
        );
        let [hook] = details(&one).try_into().expect("one hook");
        let id = hook["hookId"].as_str().expect("an id");
        assert_eq!(id.strip_prefix("ecs-pause-").map(str::len), Some(43), "{id}");
        assert_eq!(hook["targetType"], "PAUSE");
        assert_eq!((hook.get("targetArn"), &hook["timeoutAction"]), (None, &json!("ROLLBACK")));
        let left =
            hook["expiresAt"].as_f64().expect("a time") - shop.0.cloud.now().0 as f64 / 1000.0;
        assert!((86_300.0..=86_400.0).contains(&left), "{left}");
        shop.0.pass(3600);
        assert_eq!(shop.newest()["lifecycleStage"], stage);
        for (id, text) in [
            (
                json!("nonsense"),
                "Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}",
            ),
            (
                json!("ecs-pause-unknown"),
                "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN",
            ),
            (
                before.clone(),
                "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN",
            ),
        ] {
            if !id.is_null() {
                let refused = shop.act(&id, "CONTINUE").expect_err("refused");
                assert_eq!(refused, ("InvalidParameterException".into(), text.into()), "{id}");
            }
        }
        let arn = one["serviceDeploymentArn"].clone();
        assert_eq!(shop.act(&hook["hookId"], "CONTINUE"), Ok(json!({"serviceDeploymentArn": arn})));
        before = hook["hookId"].clone();
    }
    let last = shop.end();
    assert_eq!((&last["status"], last.get("lifecycleHookDetails")), (&json!("SUCCESSFUL"), None));
    let refused = shop.act(&before, "CONTINUE").expect_err("refused");
    assert_eq!(
        refused.1,
        "Continuing a service deployment is not allowed for service deployment in terminal states."
    );
    let nowhere = json!({"serviceDeploymentArn": "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/shop/x", "hookId": before});
    let refused = shop.0.ecs("ContinueServiceDeployment", nowhere).expect_err("refused");
    assert_eq!(
        refused,
        (
            "ServiceDeploymentNotFoundException".into(),
            "The service deployment does not exist.".into()
        )
    );
}

#[test]
fn all_pauses_of_a_stage_must_be_continued_and_any_rollback_wins() {
    for (last, status) in [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")] {
        let mut shop = Shop::with("");
        shop.hooks(json!([pause(&["PRE_SCALE_UP"]), pause(&["PRE_SCALE_UP", "POST_SCALE_UP"])]));
        let before = shop.0.service("shop");
        shop.deploy("2");
        let hooks = details(&shop.listed().paused());
        assert_eq!(hooks.len(), 2);
        shop.act(&hooks[0]["hookId"], "CONTINUE").expect("continued");
        shop.0.pass(60);
        let own = shop.newest();
        assert_eq!(own["lifecycleStage"], "PRE_SCALE_UP");
        assert_eq!(details(&own)[0]["status"], "SUCCEEDED");
        shop.act(&hooks[1]["hookId"], last).expect("done");
        if last == "ROLLBACK" {
            shop.0.pass(5);
            let own = shop.0.service("shop");
            assert_eq!(own["deployments"].as_array().map(Vec::len), Some(1), "it has vanished");
            assert_eq!(own["deployments"][0]["id"], before["deployments"][0]["id"]);
            assert_eq!(own["deployments"][0]["rolloutState"], "COMPLETED");
        } else {
            shop.0.pass(5);
            let hooks = details(&shop.paused());
            assert_eq!(hooks.len(), 1, "only those of the stage: {hooks:?}");
            shop.act(&hooks[0]["hookId"], "CONTINUE").expect("continued");
        }
        let own = shop.end();
        assert_eq!(own["status"], status);
        if last == "ROLLBACK" {
            assert_eq!(
                own["statusReason"],
                "Service deployment rolled back because PRE_SCALE_UP lifecycle hook(s) failed."
            );
        }
    }
}

#[test]
fn a_pause_expires() {
    for (action, status) in [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")] {
        let mut shop = Shop::with("");
        let mut hook = pause(&["POST_SCALE_UP"]);
        hook["timeoutConfiguration"] = json!({"timeoutInMinutes": 20, "action": action});
        shop.hooks(json!([hook]));
        shop.deploy("2");
        let own = details(&shop.listed().paused());
        assert_eq!(own[0]["timeoutAction"], action);
        shop.0.pass(19 * 60);
        assert_eq!(shop.newest()["lifecycleStage"], "POST_SCALE_UP");
        let last = shop.end();
        assert_eq!(last["status"], status);
        if action == "ROLLBACK" {
            assert_eq!(
                last["statusReason"],
                "Service deployment rolled back because POST_SCALE_UP pause hook timed out."
            );
        }
    }
}

#[test]
fn each_step_has_a_pause_of_its_own() {
    let mut shop = Shop::with("");
    let config = json!({"strategy": "LINEAR", "bakeTimeInMinutes": 0,
        "linearConfiguration": {"stepPercent": 20.0, "stepBakeTimeInMinutes": 1},
        "lifecycleHooks": [pause(&["PRE_PRODUCTION_TRAFFIC_SHIFT"])]});
    let arn = shop.0.register_as("shop", "2");
    shop.0.update("shop", json!({"taskDefinition": arn, "deploymentConfiguration": config}));
    shop.listed();
    let mut ids = Vec::new();
    for before in [0.0, 20.0, 40.0, 60.0, 80.0] {
        let one = shop.paused();
        assert_eq!(one["lifecycleStage"], "PRE_PRODUCTION_TRAFFIC_SHIFT");
        assert_eq!(one["targetServiceRevision"]["requestedProductionTrafficWeight"], before);
        assert_eq!(
            one["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"],
            100.0 - before
        );
        let id = details(&one)[0]["hookId"].clone();
        assert!(!ids.contains(&id), "a fresh id");
        shop.act(&id, "CONTINUE").expect("continued");
        ids.push(id);
        shop.0.pass(5);
    }
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}

#[test]
fn functions_answer_as_the_scenario_says() {
    let failed =
        "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT lifecycle hook(s) failed.";
    for (does, text) in [
        ("fail", format!("{failed} Lifecycle hook target {FUNCTION} returned FAILED status.")),
        (
            "garbage",
            format!("{failed} ECS was unable to parse the response from {FUNCTION} due to: HookStatus must not be null"),
        ),
        ("unassumable", format!("{failed} ECS was unable to assume role {ROLE}")),
        (
            "denied",
            format!("{failed} ECS was unable to invoke hook target {FUNCTION} due to User: arn:aws:sts::123456789012:assumed-role/shop-hooks/ECS-Lambda-Execution is not authorized to perform: lambda:InvokeFunction on resource: {FUNCTION} because no identity-based policy allows the lambda:InvokeFunction action"),
        ),
        (
            "hang",
            "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT lifecycle hook timed out.".into(),
        ),
    ] {
        let mut shop = Shop::with(&format!("[[lambda]]\nname = 'smoke'\ndoes = '{does}'"));
        let mut hook = lambda(&["POST_TEST_TRAFFIC_SHIFT"]);
        hook["timeoutConfiguration"] = json!({"timeoutInMinutes": 30});
        shop.hooks(json!([hook]));
        shop.deploy("2");
        let last = shop.listed().end();
        assert_eq!((&last["status"], &last["statusReason"]), (&json!("ROLLBACK_SUCCESSFUL"), &json!(text)));
        assert_eq!((shop.weights("production"), shop.weights("test")), ((0, 100), (0, 100)));
    }
}

#[test]
fn a_function_takes_its_time_and_sees_the_weights() {
    let mut shop = Shop::with(
        "[[lambda]]\nname = 'smoke'\ndoes = 'progress'\nstages = ['POST_TEST_TRAFFIC_SHIFT']\ntimes = 3\ndelay = '1m'",
    );
    let mut hook =
        lambda(&["POST_TEST_TRAFFIC_SHIFT", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]);
    hook["hookDetails"] = json!({"url": "https://test.example.com"});
    shop.hooks(json!([hook]));
    shop.deploy("2");
    let one = shop.listed().until("POST_TEST_TRAFFIC_SHIFT");
    let own = &details(&one)[0];
    assert_eq!(
        (&own["targetType"], &own["targetArn"], &own["status"]),
        (&json!("AWS_LAMBDA"), &json!(FUNCTION), &json!("IN_PROGRESS"))
    );
    shop.0.pass(180);
    assert_eq!(shop.newest()["lifecycleStage"], "POST_TEST_TRAFFIC_SHIFT");
    let last = shop.end();
    assert_eq!(last["status"], "SUCCESSFUL");
    let payloads = shop.payloads();
    let stages: Vec<&str> =
        payloads.iter().filter_map(|one| one["lifecycleStage"].as_str()).collect();
    let slow = "POST_TEST_TRAFFIC_SHIFT";
    assert_eq!(stages, ["TEST_TRAFFIC_SHIFT", slow, slow, slow, slow, "PRODUCTION_TRAFFIC_SHIFT"]);
    let target = last["targetServiceRevision"]["arn"].as_str().expect("an ARN");
    let source = last["sourceServiceRevisions"][0]["arn"].as_str().expect("an ARN");
    assert_eq!(payloads[0]["resourceArn"], last["serviceDeploymentArn"]);
    assert_eq!(payloads[0]["hookDetails"], json!({"url": "https://test.example.com"}));
    let execution = &payloads[0]["executionDetails"];
    assert_eq!(execution["targetServiceRevisionArn"], target);
    assert_eq!(execution["testTrafficWeights"], json!({target: 100.0, source: 0.0}));
    assert_eq!(execution["productionTrafficWeights"], json!({}));
    assert_eq!(
        payloads[5]["executionDetails"]["productionTrafficWeights"],
        json!({target: 100.0, source: 0.0})
    );
    assert_eq!(payloads[1]["executionDetails"]["testTrafficWeights"], json!({}));
}

#[test]
fn a_rollback_calls_the_functions_of_both_shifts_again() {
    let mut shop = Shop::with("");
    shop.hooks(json!([
        lambda(&["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_SCALE_UP"]),
        pause(&["POST_PRODUCTION_TRAFFIC_SHIFT"])
    ]));
    shop.deploy("2");
    let id = details(&shop.listed().paused())[0]["hookId"].clone();
    let count = shop.payloads().len();
    shop.act(&id, "ROLLBACK").expect("rolled back");
    let last = shop.end();
    assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL");
    let target = last["targetServiceRevision"]["arn"].as_str().expect("an ARN");
    let source = last["sourceServiceRevisions"][0]["arn"].as_str().expect("an ARN");
    let back = json!({target: 0.0, source: 100.0});
    let again = shop.payloads().split_off(count);
    let seen: Vec<(&Value, &Value, &Value)> = again
        .iter()
        .map(|one| {
            let own = &one["executionDetails"];
            (&one["lifecycleStage"], &own["productionTrafficWeights"], &own["testTrafficWeights"])
        })
        .collect();
    assert_eq!(
        seen,
        [
            (&json!("PRODUCTION_TRAFFIC_SHIFT"), &back, &json!({})),
            (&json!("TEST_TRAFFIC_SHIFT"), &json!({}), &back),
        ]
    );
}

#[test]
fn whether_a_service_deployment_has_its_own_hooks_is_a_switch() {
    for (switch, pauses) in [("live", false), ("copied", true)] {
        let mut shop = Shop::with(&format!("[native]\nhooks = '{switch}'"));
        shop.hooks(json!([pause(&["POST_TEST_TRAFFIC_SHIFT"])]));
        shop.deploy("2");
        shop.listed().until("SCALE_UP");
        shop.hooks(json!([]));
        shop.0.pass(700);
        assert_eq!(
            shop.newest()["lifecycleStage"] == "POST_TEST_TRAFFIC_SHIFT",
            pauses,
            "{switch}"
        );
    }
}

#[test]
fn what_becomes_of_the_details_of_a_pause_is_a_switch() {
    for (switch, shown) in
        [("refuse", None), ("drop", Some(Value::Null)), ("keep", Some(json!({"a": 1})))]
    {
        let mut shop = Shop::with(&format!("[native]\npause_details = '{switch}'"));
        let mut hook = pause(&["POST_SCALE_UP"]);
        hook["hookDetails"] = json!({"a": 1});
        let config = json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [hook]});
        let answer = shop.0.ecs(
            "UpdateService",
            json!({"cluster": "shop", "service": "shop", "deploymentConfiguration": config}),
        );
        let own = answer.ok().map(|one| {
            one["service"]["deploymentConfiguration"]["lifecycleHooks"][0]["hookDetails"].clone()
        });
        assert_eq!(own, shown, "{switch}");
    }
}

#[test]
fn a_first_deployment_goes_through_its_hooks_too() {
    let mut shop = Shop::with("");
    let old = shop.0.service("shop");
    shop.0
        .ecs("DeleteService", json!({"cluster": "shop", "service": "shop", "force": true}))
        .expect("deleted");
    shop.0.pass(120);
    let request = json!({"cluster": "shop", "serviceName": "shop", "taskDefinition": "shop", "desiredCount": 2,
        "launchType": "FARGATE", "loadBalancers": old["loadBalancers"],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "lifecycleHooks": [pause(&["PRE_SCALE_UP"])]}});
    shop.0.ecs("CreateService", request).expect("created");
    let one = shop.listed().paused();
    assert_eq!(
        (&one["lifecycleStage"], &one["sourceServiceRevisions"]),
        (&json!("PRE_SCALE_UP"), &json!([]))
    );
    let id = details(&one)[0]["hookId"].clone();
    shop.act(&id, "ROLLBACK").expect("rolled back");
    let last = shop.end();
    assert_eq!(last["status"], "ROLLBACK_FAILED");
    assert_eq!(last["statusReason"], "No rollback candidate was found to run the rollback.");
}

#[test]
fn a_service_deployment_may_take_thirty_days() {
    let mut shop = Shop::with("");
    let mut hook = pause(&["PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"]);
    hook["timeoutConfiguration"] = json!({"timeoutInMinutes": 20_160});
    shop.hooks(json!([hook]));
    shop.deploy("2");
    shop.0.pass(5);
    for _ in 0..2 {
        let one = shop.paused();
        shop.0.pass(13 * 86_400);
        shop.act(&details(&one)[0]["hookId"], "CONTINUE").expect("continued");
        shop.0.pass(5);
    }
    shop.paused();
    shop.0.pass(4 * 86_400);
    let last = shop.end();
    assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL");
    assert_eq!(
        last["statusReason"],
        "Service deployment rolled back because the service deployment timed out."
    );
}
