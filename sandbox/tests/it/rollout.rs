//! Deployments of the ECS controller, as DescribeServices shows them.

use serde_json::json;

use crate::support::World;

const BREAKER: &str = "extends = 'shop'\n[[service]]\nserviceName = 'web'\n\
    deploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }";

#[test]
fn a_world_begins_at_rest() {
    let mut world = World::shop();
    let web = world.service("web");
    assert_eq!(
        (&web["desiredCount"], &web["runningCount"], &web["pendingCount"]),
        (&json!(2), &json!(2), &json!(0))
    );
    assert_eq!(web["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(web["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.states("web-a"), ["healthy", "healthy"]);
    assert_eq!(world.events("web")[0], "(service web) has reached a steady state.");
    let zones: Vec<_> =
        world.tasks("web", "RUNNING").iter().map(|task| task["availabilityZone"].clone()).collect();
    assert!(
        zones.contains(&json!("eu-central-1a")) && zones.contains(&json!("eu-central-1b")),
        "{zones:?}"
    );
    assert!(world.cloud.journal().is_empty(), "a world begins without a past");
}

#[test]
fn a_good_image_rolls_out_and_drains_the_old_tasks() {
    let mut world = World::shop();
    let arn = world.register("2");
    let updated = world.update("web", json!({"taskDefinition": arn}));
    let id = updated["deployments"][0]["id"].clone();
    assert_eq!(updated["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(updated["deployments"][1]["status"], "ACTIVE");
    let mut most = 0;
    for _ in 0..300 {
        world.pass(1);
        let healthy = world.states("web-a").iter().filter(|state| *state == "healthy").count();
        assert!(healthy >= 2, "never fewer than 100 % healthy");
        most = most.max(world.tasks("web", "RUNNING").len());
        if world.service("web")["deployments"][0]["rolloutState"] == "COMPLETED" {
            break;
        }
    }
    assert_eq!(most, 4, "at most 200 %");
    let web = world.service("web");
    assert_eq!(web["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&web["deployments"][0]["id"], &web["deployments"][0]["taskDefinition"]),
        (&id, &json!(arn))
    );
    assert_eq!(
        web["deployments"][0]["rolloutStateReason"],
        format!("ECS deployment {} completed.", id.as_str().expect("id"))
    );
    let events = world.events("web");
    let id = id.as_str().expect("id");
    for text in [
        "has started 2 tasks: (task ",
        "registered 2 targets in (target-group arn:",
        "has stopped ",
        "has begun draining connections on ",
    ] {
        assert!(events.iter().any(|event| event.contains(text)), "{text}: {events:#?}");
    }
    assert_eq!(events[0], "(service web) has reached a steady state.");
    assert_eq!(events[1], format!("(service web) (deployment {id}) deployment completed."));
    let stopped = world.tasks("web", "STOPPED");
    assert_eq!(stopped.len(), 2);
    assert_eq!(stopped[0]["stopCode"], "ServiceSchedulerInitiated");
    assert!(
        stopped[0]["stoppedReason"]
            .as_str()
            .expect("a reason")
            .starts_with("Scaling activity initiated by (deployment ecs-svc/")
    );
    let digests: Vec<_> = world
        .tasks("web", "RUNNING")
        .iter()
        .map(|task| task["containers"][0]["imageDigest"].clone())
        .collect();
    assert!(digests[0].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{digests:?}");
}

#[test]
fn an_image_that_exits_opens_the_circuit_breaker() {
    let mut world = World::with(BREAKER);
    let before = world.service("web");
    let arn = world.register("4");
    let failed = world.update("web", json!({"taskDefinition": arn}))["deployments"][0]["id"]
        .as_str()
        .expect("id")
        .to_owned();
    world.pass(40);
    let task = &world.tasks("web", "STOPPED")[0];
    assert_eq!(
        (&task["stopCode"], &task["stoppedReason"]),
        (&json!("EssentialContainerExited"), &json!("Essential container in task exited"))
    );
    assert_eq!(task["containers"][0]["exitCode"], 1);
    assert_eq!(task.get("startedAt"), None, "it never was RUNNING");
    let mut failure = None;
    for _ in 0..240 {
        world.pass(1);
        let deployments = world.service("web")["deployments"].clone();
        let own = deployments
            .as_array()
            .expect("deployments")
            .iter()
            .find(|one| one["id"] == json!(failed))
            .cloned();
        failure = own.filter(|one| one["rolloutState"] == "FAILED").or(failure);
    }
    let failure = failure.expect("it is shown while its tasks stop");
    assert_eq!((&failure["status"], &failure["failedTasks"]), (&json!("ACTIVE"), &json!(4)));
    let web = world.service("web");
    assert_eq!(web["taskDefinition"], before["taskDefinition"]);
    assert_eq!(web["deployments"][0]["id"], before["deployments"][0]["id"]);
    assert_eq!(web["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(web["runningCount"], 2);
    let events = world.events("web");
    let rolled = before["deployments"][0]["id"].as_str().expect("id");
    assert!(
        events.contains(&format!(
            "(service web) (deployment {failed}) deployment failed: tasks failed to start."
        )),
        "{events:#?}"
    );
    assert!(
        events.contains(&format!("(service web) rolling back to deployment {rolled}.")),
        "{events:#?}"
    );
    assert_eq!(world.states("web-a"), ["healthy", "healthy"]);
}

#[test]
fn without_rollback_a_failed_deployment_stalls() {
    let mut world = World::with(&BREAKER.replace("rollback = true", "rollback = false"));
    let arn = world.register("4");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(600);
    let web = world.service("web");
    let primary = &web["deployments"][0];
    assert_eq!(
        (&primary["rolloutState"], &primary["failedTasks"]),
        (&json!("FAILED"), &json!(4)),
        "{primary}"
    );
    assert_eq!(
        primary["rolloutStateReason"],
        "ECS deployment circuit breaker: tasks failed to start."
    );
    assert_eq!(web["deployments"][1]["runningCount"], 2);
    assert_eq!(world.tasks("web", "RUNNING").len(), 2);
}

#[test]
fn without_a_breaker_tasks_are_started_again_more_and_more_slowly() {
    let mut world = World::shop();
    let arn = world.register("4");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(3600);
    let web = world.service("web");
    assert_eq!(web["deployments"][0]["rolloutState"], "IN_PROGRESS");
    let failed = web["deployments"][0]["failedTasks"].as_u64().expect("a count");
    assert!((8..40).contains(&failed), "{failed}");
    let events = world.events("web");
    assert_eq!(
        events
            .iter()
            .filter(|event| event.contains("is unable to consistently start tasks successfully."))
            .count(),
        1
    );
}

#[test]
fn an_image_whose_health_check_fails_is_replaced_again_and_again() {
    let mut world = World::shop();
    let arn = world.register("3");
    world.update("web", json!({"taskDefinition": arn}));
    let mut seen_unhealthy = None;
    for _ in 0..240 {
        world.pass(1);
        let health = world.health("web-a");
        assert_eq!(
            health.iter().filter(|(state, ..)| state == "healthy").count(),
            2,
            "the old tasks stay"
        );
        seen_unhealthy =
            seen_unhealthy.or(health.into_iter().find(|(state, ..)| state == "unhealthy"));
    }
    let (_, reason, description) = seen_unhealthy.expect("an unhealthy target");
    assert_eq!(
        (reason.as_str(), description.as_str()),
        ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]")
    );
    let events = world.events("web");
    let group = world.group("web-a");
    let unhealthy = format!(
        "(port 8080) is unhealthy in (target-group {group}) due to (reason Health checks failed with these codes: [500])."
    );
    assert!(events.iter().any(|event| event.ends_with(&unhealthy)), "{events:#?}");
    assert!(events.iter().any(|event| event.contains("Amazon ECS replaced ")), "{events:#?}");
    let stopped = world.tasks("web", "STOPPED");
    let reason = format!("Task failed ELB health checks in (target-group {group})");
    assert!(stopped.iter().any(|task| task["stoppedReason"] == json!(reason)), "{stopped:#?}");
    assert!(world.service("web")["deployments"][0]["failedTasks"].as_u64().expect("a count") >= 2);
}

#[test]
fn a_missing_image_cannot_be_pulled() {
    let mut world = World::shop();
    let arn = world.register("nope");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(45);
    let task = &world.tasks("web", "STOPPED")[0];
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    assert!(
        task["stoppedReason"].as_str().expect("a reason").starts_with("CannotPullContainerError: "),
        "{task}"
    );
    assert!(
        task["containers"][0]["reason"]
            .as_str()
            .expect("a reason")
            .starts_with("CannotPullContainerError: ")
    );
}

#[test]
fn a_container_is_killed_for_its_memory() {
    let mut world =
        World::with("extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'oom'\nafter = '30s'");
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(65);
    let killed = |task: &&serde_json::Value| task["stopCode"] == "EssentialContainerExited";
    let container =
        world.tasks("web", "STOPPED").iter().find(killed).expect("a task that ended")["containers"]
            [0]
        .clone();
    assert_eq!(
        (&container["exitCode"], &container["reason"]),
        (&json!(137), &json!("OutOfMemoryError: Container killed due to memory usage"))
    );
}

#[test]
fn a_rollout_without_room_for_one_task_cannot_move() {
    let bounds = "extends = 'shop'\n[[service]]\nserviceName = 'web'\n\
        deploymentConfiguration = { maximumPercent = 149, minimumHealthyPercent = 100 }";
    let mut world = World::with(bounds);
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(600);
    assert_eq!(world.service("web")["deployments"][0]["rolloutState"], "IN_PROGRESS");
    let events = world.events("web");
    assert!(events[0].contains("was unable to stop or start tasks during a deployment because of the service deployment configuration."), "{events:#?}");
    world.update("web", json!({"deploymentConfiguration": {"minimumHealthyPercent": 50}}));
    world.pass(600);
    assert_eq!(world.service("web")["deployments"][0]["rolloutState"], "COMPLETED");
}

#[test]
fn forcing_starts_a_new_deployment_and_counts_do_not() {
    let mut world = World::shop();
    let id = |service: serde_json::Value| service["deployments"][0]["id"].clone();
    let before = id(world.service("web"));
    assert_eq!(id(world.update("web", json!({"desiredCount": 3}))), before);
    assert_eq!(
        id(world.update("web", json!({"taskDefinition": "web:1"}))),
        before,
        "the same revision again"
    );
    world.pass(120);
    assert_eq!(world.service("web")["runningCount"], 3);
    let first = id(world.update("web", json!({"forceNewDeployment": true})));
    assert_ne!(first, before);
    assert_ne!(id(world.update("web", json!({"forceNewDeployment": true}))), first);
}

#[test]
fn container_health_checks_count() {
    let check = "extends = 'shop'\n[[cluster]]\nname = 'side'\n[[container_instance]]\nname = 'one'\ncluster = 'side'\n[[task_definition]]\nfamily = 'job'\n\
        containerDefinitions = [{ name = 'job', image = 'shop/web:3', memory = 64, healthCheck = { command = ['CMD', 'true'], interval = 5, retries = 2 } }]\n\
        [[service]]\ncluster = 'side'\nserviceName = 'job'\ntaskDefinition = 'job'\ndesiredCount = 1";
    let mut world = World::with(check);
    let answer = world
        .ecs("DescribeServices", json!({"cluster": "side", "services": ["job"]}))
        .expect("described");
    let events = answer["services"][0]["events"].to_string();
    assert!(events.contains("failed container health checks."), "{events}");
    assert!(!events.contains("steady"), "{events}");
}

#[test]
fn a_sick_image_on_an_idle_service_is_rolled_back_to_its_old_revision() {
    let mut world = World::with(&BREAKER.replace("'web'", "'web-green'"));
    let before = world.service("web-green");
    let arn = world.register("3");
    let updated = world.update("web-green", json!({"taskDefinition": arn, "desiredCount": 2}));
    let failed = updated["deployments"][0]["id"].clone();
    let mut states = Vec::new();
    for _ in 0..300 {
        world.pass(1);
        let deployments = world.service("web-green")["deployments"].clone();
        let own = deployments
            .as_array()
            .expect("deployments")
            .iter()
            .find(|one| one["id"] == failed)
            .cloned();
        let state = own.map(|one| (one["status"].clone(), one["rolloutState"].clone()));
        if states.last() != Some(&state) {
            states.push(state);
        }
    }
    let expected = [
        Some((json!("PRIMARY"), json!("IN_PROGRESS"))),
        Some((json!("ACTIVE"), json!("FAILED"))),
        None,
    ];
    assert_eq!(states, expected);
    let green = world.service("web-green");
    assert_eq!(green["taskDefinition"], before["taskDefinition"]);
    assert_eq!(green["deployments"][0]["id"], before["deployments"][0]["id"]);
    assert_eq!(
        (&green["deployments"][0]["rolloutState"], &green["runningCount"]),
        (&json!("COMPLETED"), &json!(2))
    );
    let reason = world.service("web-green")["deployments"][0]["rolloutStateReason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.ends_with("completed.")), "{reason}");
}
