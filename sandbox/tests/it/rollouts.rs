//! Service deployments and service revisions: the record of what was deployed, and taking one back.

use serde_json::{Value, json};

use crate::support::World;

const BREAKER: &str = "extends = 'shop'\n[[service]]\nserviceName = 'web'\n\
    deploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }";

fn list(world: &mut World, members: Value) -> Vec<Value> {
    let mut request = json!({"cluster": "shop", "service": "web"});
    request
        .as_object_mut()
        .expect("an object")
        .extend(members.as_object().cloned().expect("members"));
    let answer = world.ecs("ListServiceDeployments", request).expect("listed");
    answer["serviceDeployments"].as_array().expect("a list").clone()
}

fn newest(world: &mut World) -> Value {
    let arn = list(world, json!({}))[0]["serviceDeploymentArn"].clone();
    let answer = world.ecs("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}));
    answer.expect("described")["serviceDeployments"][0].clone()
}

fn revision(world: &mut World, arn: &Value) -> Value {
    let answer = world.ecs("DescribeServiceRevisions", json!({"serviceRevisionArns": [arn]}));
    answer.expect("described")["serviceRevisions"][0].clone()
}

/// The statuses that the newest service deployment goes through, looked at each second.
fn statuses(world: &mut World, seconds: u64) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..seconds {
        let status = newest(world)["status"].as_str().expect("a status").to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        world.pass(1);
    }
    seen
}

#[test]
fn a_service_points_at_its_deployment_and_its_revision() {
    let mut world = World::shop();
    let web = world.service("web");
    let deployment = web["currentServiceDeployment"].as_str().expect("an ARN");
    let prefix = "arn:aws:ecs:eu-central-1:123456789012:service-deployment/shop/web/";
    assert_eq!(deployment.strip_prefix(prefix).map(str::len), Some(21), "{deployment}");
    let current = &web["currentServiceRevisions"];
    let arn = current[0]["arn"].as_str().expect("an ARN");
    let digits =
        arn.strip_prefix("arn:aws:ecs:eu-central-1:123456789012:service-revision/shop/web/");
    assert!(digits.is_some_and(|id| id.len() == 19 && id.parse::<u64>().is_ok()), "{arn}");
    assert_eq!(
        current,
        &json!([{"arn": arn, "requestedTaskCount": 2, "runningTaskCount": 2, "pendingTaskCount": 0}])
    );
    let described = revision(&mut world, &json!(arn));
    assert_eq!(described["taskDefinition"], web["taskDefinition"]);
    assert_eq!(described["loadBalancers"], web["loadBalancers"]);
    assert_eq!(described["networkConfiguration"], web["networkConfiguration"]);
    assert_eq!(
        (&described["launchType"], &described["platformFamily"]),
        (&json!("FARGATE"), &json!("Linux"))
    );
    assert_eq!(described["containerImages"][0]["containerName"], "web");
}

#[test]
fn a_good_deployment_is_pending_in_progress_and_successful() {
    let mut world = World::shop();
    let before = world.service("web")["currentServiceRevisions"][0]["arn"].clone();
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    let first = newest(&mut world);
    assert_eq!((&first["status"], first.get("startedAt")), (&json!("PENDING"), None));
    assert_eq!(first["sourceServiceRevisions"][0]["arn"], before);
    world.pass(5);
    let going = newest(&mut world);
    let target = &going["targetServiceRevision"];
    assert_eq!(
        (&target["requestedTaskCount"], &target["pendingTaskCount"], &target["runningTaskCount"]),
        (&json!(2), &json!(2), &json!(0))
    );
    assert_eq!(world.service("web")["currentServiceRevisions"].as_array().map(Vec::len), Some(2));
    assert_eq!(statuses(&mut world, 200), ["IN_PROGRESS", "SUCCESSFUL"]);
    let last = newest(&mut world);
    assert!(last["finishedAt"].as_f64() > last["startedAt"].as_f64(), "{last}");
    assert_eq!(last["deploymentCircuitBreaker"]["status"], "DISABLED");
    assert_eq!(
        last["alarms"],
        json!({"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []})
    );
    assert_eq!(last.get("rollback"), None);
    assert_eq!(revision(&mut world, &last["targetServiceRevision"]["arn"])["taskDefinition"], arn);
}

#[test]
fn the_list_is_filtered_and_comes_in_pages() {
    let mut world = World::shop();
    for _ in 0..24 {
        world.update("web", json!({"forceNewDeployment": true}));
        world.pass(5);
    }
    let request = json!({"cluster": "shop", "service": "web"});
    let first = world.ecs("ListServiceDeployments", request).expect("listed");
    assert_eq!(
        first["serviceDeployments"].as_array().map(Vec::len),
        Some(20),
        "twenty unless asked"
    );
    let rest = list(&mut world, json!({"nextToken": first["nextToken"]}));
    assert_eq!(rest.len(), 5);
    assert_eq!(list(&mut world, json!({"maxResults": 100})).len(), 25);
    assert_eq!(
        list(&mut world, json!({"status": ["SUCCESSFUL"]})).len(),
        1,
        "that of the beginning"
    );
    let stopped = list(&mut world, json!({"status": ["STOPPED"], "maxResults": 100}));
    assert_eq!(stopped.len(), 23, "each was stopped by the next one");
    let newest = &first["serviceDeployments"][0];
    assert_eq!(newest["status"], "IN_PROGRESS");
    let after = list(&mut world, json!({"createdAt": {"after": newest["createdAt"]}}));
    assert_eq!(after.iter().collect::<Vec<_>>(), [newest]);
    assert_eq!(list(&mut world, json!({"createdAt": {"before": 1}})), Vec::<Value>::new());
}

#[test]
fn what_is_missing_is_a_failure_and_too_many_are_refused() {
    let mut world = World::shop();
    let arn = |kind: &str| format!("arn:aws:ecs:eu-central-1:123456789012:{kind}/shop/web/nope");
    for (operation, member, kind) in [
        ("DescribeServiceDeployments", "serviceDeploymentArns", "service-deployment"),
        ("DescribeServiceRevisions", "serviceRevisionArns", "service-revision"),
    ] {
        let missing = world.ecs(operation, json!({member: [arn(kind)]})).expect("an answer");
        assert_eq!(missing["failures"], json!([{"arn": arn(kind), "reason": "MISSING"}]));
        let many = vec![arn(kind); 21];
        let refused = world.ecs(operation, json!({member: many})).expect_err("refused");
        assert_eq!(refused.0, "InvalidParameterException");
    }
    let stop = json!({"serviceDeploymentArn": arn("service-deployment")});
    let refused = world.ecs("StopServiceDeployment", stop).expect_err("refused");
    assert_eq!(refused.0, "ServiceDeploymentNotFoundException");
    let list = json!({"cluster": "shop", "service": "nope"});
    assert_eq!(
        world.ecs("ListServiceDeployments", list).expect_err("refused").0,
        "ServiceNotFoundException"
    );
}

#[test]
fn the_circuit_breaker_rolls_a_service_deployment_back() {
    let mut world = World::with(BREAKER);
    let good = world.service("web")["currentServiceRevisions"][0]["arn"].clone();
    let arn = world.register("4");
    world.update("web", json!({"taskDefinition": arn}));
    let expected = ["PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"];
    assert_eq!(statuses(&mut world, 300), expected);
    let last = newest(&mut world);
    assert_eq!(
        last["deploymentCircuitBreaker"],
        json!({"status": "TRIGGERED", "failureCount": 4, "threshold": 3})
    );
    let reason =
        "Service deployment rolled back because the circuit breaker threshold was exceeded.";
    assert_eq!(last["statusReason"], reason);
    assert_eq!(last["rollback"]["serviceRevisionArn"], good);
    assert_eq!(world.service("web")["currentServiceRevisions"][0]["arn"], good);
    assert_eq!(list(&mut world, json!({})).len(), 2, "a rollback is part of its deployment");
}

#[test]
fn without_rollback_a_failed_service_deployment_is_stopped() {
    let mut world = World::with(&BREAKER.replace("rollback = true", "rollback = false"));
    let arn = world.register("4");
    world.update("web", json!({"taskDefinition": arn}));
    let seen = statuses(&mut world, 300);
    assert_eq!(seen, ["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "STOPPED"]);
    assert_eq!(newest(&mut world).get("rollback"), None);
}

#[test]
fn stopping_rolls_back_even_where_rollback_is_not_configured() {
    let mut world = World::shop();
    let before = world.service("web");
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(15);
    let stop = json!({"serviceDeploymentArn": world.service("web")["currentServiceDeployment"]});
    assert_eq!(world.ecs("StopServiceDeployment", stop.clone()), Ok(stop.clone()));
    assert_eq!(
        world.ecs("StopServiceDeployment", stop.clone()),
        Ok(stop.clone()),
        "it is asked already"
    );
    let seen = statuses(&mut world, 200);
    assert_eq!(seen, ["ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]);
    let web = world.service("web");
    assert_eq!(web["taskDefinition"], before["taskDefinition"]);
    assert_eq!(web["currentServiceRevisions"], before["currentServiceRevisions"]);
    assert_eq!(web["runningCount"], 2);
    let rollback = newest(&mut world)["rollback"].clone();
    assert_eq!(rollback["serviceRevisionArn"], before["currentServiceRevisions"][0]["arn"]);
    let late = world.ecs("StopServiceDeployment", stop.clone()).expect_err("it has ended");
    assert_eq!(late.0, "ConflictException");
    let mut abort = stop;
    abort["stopType"] = json!("ABORT");
    let refused = world.ecs("StopServiceDeployment", abort).expect_err("refused");
    assert_eq!(refused.0, "InvalidParameterException");
}

#[test]
fn stopping_the_first_deployment_leaves_it_where_it_is() {
    let mut world = World::shop();
    let request = json!({"cluster": "shop", "serviceName": "new", "taskDefinition": "web", "desiredCount": 1,
        "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}});
    let created = world.ecs("CreateService", request).expect("created")["service"].clone();
    let arn = created["currentServiceDeployment"].clone();
    world.pass(3);
    world.ecs("StopServiceDeployment", json!({"serviceDeploymentArn": arn})).expect("stopped");
    world.pass(120);
    let request = json!({"serviceDeploymentArns": [arn]});
    let one = world.ecs("DescribeServiceDeployments", request).expect("described");
    let one = &one["serviceDeployments"][0];
    assert_eq!(one["status"], "STOPPED", "there is nothing to go back to");
    assert_eq!(one["statusReason"], "Service deployment stopped because a rollback was requested.");
    assert_eq!(one.get("rollback"), None);
    assert_eq!(world.service("new")["deployments"][0]["rolloutState"], "FAILED");
}

#[test]
fn history_ends_with_the_service() {
    let mut world = World::shop();
    let arn = world.service("web")["currentServiceDeployment"].clone();
    let delete = json!({"cluster": "shop", "service": "web", "force": true});
    world.ecs("DeleteService", delete).expect("deleted");
    world.pass(120);
    let request = json!({"serviceDeploymentArns": [arn]});
    let gone = world.ecs("DescribeServiceDeployments", request).expect("an answer");
    assert_eq!(gone["failures"][0]["reason"], "MISSING");
    let old = "extends = 'shop'\n[[service]]\nserviceName = 'web'\nupdate = [{ forceNewDeployment = true }]";
    let mut world = World::with(old);
    world.pass(91 * 24 * 3600);
    world.update("web", json!({"forceNewDeployment": true}));
    assert_eq!(list(&mut world, json!({})).len(), 1, "ninety days");
}

#[test]
fn a_rollback_that_is_overtaken_has_failed() {
    let mut world = World::with(BREAKER);
    let (bad, good) = (world.register("4"), world.register("2"));
    world.update("web", json!({"taskDefinition": bad}));
    let arn = newest(&mut world)["serviceDeploymentArn"].clone();
    while newest(&mut world)["status"] != "ROLLBACK_IN_PROGRESS" {
        world.pass(1);
    }
    world.update("web", json!({"taskDefinition": good}));
    world.pass(300);
    let described = world
        .ecs("DescribeServiceDeployments", json!({"serviceDeploymentArns": [arn]}))
        .expect("described");
    assert_eq!(described["serviceDeployments"][0]["status"], "ROLLBACK_FAILED");
    assert_eq!(newest(&mut world)["status"], "SUCCESSFUL");
}

#[test]
fn the_threshold_of_the_circuit_breaker_is_of_three_types() {
    for (count, threshold, expected) in [
        (8, json!({"type": "BOUNDED_PERCENT", "value": 50}), 4),
        (2, json!({"type": "BOUNDED_PERCENT", "value": 50}), 3),
        (2, json!({"type": "UNBOUNDED_PERCENT", "value": 50}), 1),
        (2, json!({"type": "COUNT", "value": 5}), 5),
    ] {
        let mut world = World::shop();
        let breaker =
            json!({"enable": true, "rollback": false, "thresholdConfiguration": threshold});
        let bad = world.register("4");
        world.update(
            "web",
            json!({"taskDefinition": bad, "desiredCount": count, "deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}),
        );
        while world.service("web")["deployments"][0]["rolloutState"] == "IN_PROGRESS" {
            world.pass(1);
        }
        let own = newest(&mut world)["deploymentCircuitBreaker"].clone();
        assert_eq!((&own["status"], &own["threshold"]), (&json!("TRIGGERED"), &json!(expected)));
        // Tasks that start at once fail at once.
        let failures = own["failureCount"].as_u64().expect("a count");
        assert!((expected..expected + count).contains(&failures), "{threshold}: {failures}");
    }
}

#[test]
fn a_healthy_task_ends_a_row_of_failures_unless_told_not_to() {
    for (resets, expected) in
        [(None, "IN_PROGRESS"), (Some(true), "IN_PROGRESS"), (Some(false), "FAILED")]
    {
        // Each task is healthy for a minute, and a bake keeps the deployment from completing.
        let mut world = World::with(
            "extends = 'shop'\n[[image]]\nref = 'shop/web:3'\ndoes = 'sick'\nafter = '1m'",
        );
        let mut breaker = json!({"enable": true, "rollback": false});
        if let Some(resets) = resets {
            breaker["resetOnHealthyTask"] = json!(resets);
        }
        let configuration = json!({"deploymentCircuitBreaker": breaker, "bakeTimeInMinutes": 30});
        let arn = world.register("3");
        world.update(
            "web",
            json!({"taskDefinition": arn, "deploymentConfiguration": configuration}),
        );
        world.pass(900);
        assert_eq!(world.service("web")["deployments"][0]["rolloutState"], expected, "{resets:?}");
    }
}

#[test]
fn a_task_that_exits_once_it_is_running_is_no_failure_of_the_deployment() {
    let mut world = World::with(
        &[BREAKER, "[[image]]\nref = 'shop/web:4'\ndoes = 'exit'\nafter = '6s'"].join("\n"),
    );
    let arn = world.register("4");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(600);
    let stopped = world.tasks("web", "STOPPED");
    assert!(stopped.len() > 3, "{}", stopped.len());
    assert!(stopped.iter().all(|task| task.get("startedAt").is_some()), "all were RUNNING");
    let deployment = &world.service("web")["deployments"][0];
    assert_eq!(
        (&deployment["taskDefinition"], &deployment["failedTasks"], &deployment["rolloutState"]),
        (&json!(arn), &json!(0), &json!("IN_PROGRESS"))
    );
}
