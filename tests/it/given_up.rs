//! A deployment that ECS put back while nobody looked is found by what ECS was last asked to run.

use std::fs;
use std::path::Path;

use ecs_bg_sandbox::journal::Change;

use crate::support::lives::World;

const SERVICE: &str = "--cluster shop --service api";
const BREAKER: &str = "extends = 'solo'\n[[service]]\nserviceName = 'api'\ndeploymentConfiguration = { deploymentCircuitBreaker = { enable = true, rollback = true } }\n";

/// The image exits at once.
fn definition(family: &str) -> String {
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:4";
    format!(
        r#"{{"family":"{family}","containerDefinitions":[{{"name":"api","image":"{image}","portMappings":[{{"containerPort":8080}}]}}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/shop-execution"}}"#
    )
}

/// Its process died after ECS was told, and ECS put the service back; the revision is of that family.
/// Each test has a file of its own.
fn put_back(family: &str, file: &str) -> World {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    fs::write(&file, definition(family)).expect("a file");
    let deploy = format!("deploy {SERVICE} --task-definition {}", file.display());
    let life = World::parsed(BREAKER).run_kept(&deploy);
    let told = life.moments.iter().find(|one| one.done && one.operation == "UpdateService");
    let world = World::of(told.expect("ECS was told").cloud.clone());
    world.wait(900);
    let revision = format!("task-definition/{family}:");
    let body = r#"{"cluster":"shop","services":["api"]}"#;
    let service: serde_json::Value =
        serde_json::from_str(&world.call("ecs", "DescribeServices", body)).expect("JSON");
    let (service, api) = (&service["services"][0], "task-definition/api:1");
    assert!(service["taskDefinition"].as_str().is_some_and(|on| on.ends_with(api)), "{service}");
    let deployments = service["deployments"].to_string();
    assert!(api.contains(&revision) || !deployments.contains(&revision), "{deployments}");
    world
}

fn is_ended_by_resume(world: &World) {
    let life = world.run(&format!("resume {SERVICE}"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("rolled back: api:1 serves in api"), "{}", life.text);
    let closed = world.journal(0).into_iter().any(|entry| {
        matches!(entry.change, Change::Tagged { tags, .. } if tags.get("ecs-bg:state").is_some_and(|state| state.contains("closed=went-back")))
    });
    assert!(closed, "the record is closed");
}

#[test]
fn one_of_another_family_is_found() {
    is_ended_by_resume(&put_back("api-canary", "other-family.json"));
}

#[test]
fn one_is_found_behind_newer_revisions_of_its_family() {
    let world = put_back("api", "same-family.json");
    for _ in 0..6 {
        world.call("ecs", "RegisterTaskDefinition", &definition("api"));
    }
    is_ended_by_resume(&world);
}

#[test]
fn where_that_may_not_be_asked_nothing_is_said_of_it() {
    for denied in [&["ListServiceDeployments"], &["DescribeServiceRevisions"]] {
        let world = put_back("api-canary", "denied.json");
        let life = world.run_denied(&format!("resume {SERVICE}"), denied);
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(life.text.contains("nothing to do"), "{}", life.text);
        assert!(!life.text.contains("ServiceDeployments"), "{}", life.text);
    }
}
