//! Changes of the task definition beside its image: what arrives in AWS.

use ecs_bg_sandbox::sdk::Interference;
use serde_json::json;

use crate::cases::edits::{DEPLOY, definition, revisions, running};
use crate::support::fate::Fate;
use crate::support::lives::World;

#[test]
fn every_kind_of_edit_arrives() {
    let world = World::new("shop");
    let edits = "--env web:LOG_LEVEL=a=b:c --env :NEW=1 --unset-env SMTP_PASSWORD --secret log-router:KEY=arn:x \
                 --cpu 1024 --memory 2GB --memory log-router:64 --command web:serve";
    let life = world.run(&format!("{DEPLOY} web --tag shop/web=2 --bake 0 {edits}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(!life.text.contains("a=b:c"), "values are not shown: {}", life.text);
    let new = definition(&world, "web:2");
    assert_eq!((&new["cpu"], &new["memory"]), (&json!("1024"), &json!("2048")));
    let [web, router] = [0, 1].map(|index| new["containerDefinitions"][index].clone());
    let expected = json!([{"name": "LOG_LEVEL", "value": "a=b:c"}, {"name": "NEW", "value": "1"}]);
    assert_eq!(web["environment"], expected);
    assert_eq!(web["command"], json!(["serve"]));
    assert!(web["image"].as_str().is_some_and(|image| image.ends_with("shop/web:2")));
    assert_eq!(router["secrets"], json!([{"name": "KEY", "valueFrom": "arn:x"}]));
    assert_eq!(router["memory"], json!(64));
    assert_eq!(router["memoryReservation"], json!(50));
}

#[test]
fn the_newest_revision_is_cloned_when_asked_for() {
    let world = World::new("solo");
    let mut body = definition(&world, "api:1");
    let output = [
        "taskDefinitionArn",
        "revision",
        "status",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
    ];
    let members = body.as_object_mut().expect("an object");
    output.iter().for_each(|member| drop(members.remove(*member)));
    body["containerDefinitions"][0]["user"] = json!("nobody");
    world.call("ecs", "RegisterTaskDefinition", &body.to_string());
    let tag = format!("{DEPLOY} api --tag 2 --env A=1");
    let life = world.run(&format!("{tag} --from latest"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("api:3: a copy of api:2"), "{}", life.text);
    assert_eq!(definition(&world, "api:3")["containerDefinitions"][0]["user"], json!("nobody"));
    // Registered anew, it is news once more; cloned from what runs, it is none.
    world.call("ecs", "RegisterTaskDefinition", &body.to_string());
    let life = world.run(&tag);
    assert!(life.text.contains("nothing to do"), "{}", life.text);
    let life = world.run(&format!("{tag} --from latest"));
    assert!(life.text.contains("api:5: a copy of api:4"), "{}", life.text);
}

#[test]
fn an_image_that_runs_already_is_deployed_again_with_an_edit() {
    for (scenario, image, service) in [("shop", "shop/web=2", "web"), ("solo", "2", "api")] {
        let world = World::new(scenario);
        let plain = format!("{DEPLOY} {service} --tag {image} --bake 0");
        assert_eq!(world.run(&plain).code, Some(0));
        assert!(world.run(&plain).text.contains("nothing to do"));
        let life = world.run(&format!("{plain} --env A=1"));
        assert!(life.text.contains(":3: a copy of "), "{}", life.text);
        let life = world.run(&format!("{plain} --env A=1"));
        assert!(life.text.contains("nothing to do"), "{}", life.text);
    }
}

#[test]
fn a_revision_is_registered_once_whatever_becomes_of_the_answer() {
    let register = "register --family api --tag 2 --env A=1";
    let calls: u32 = World::new("solo").run(register).calls.values().sum();
    assert!(calls <= 5, "{calls} calls");
    for nth in 1..=calls {
        for once in [Interference::LoseAnswer, Interference::LoseRequest] {
            let world = World::new("solo");
            let life =
                world.live(register, Fate { once: Some((nth, once.clone())), ..Fate::default() });
            assert_eq!(life.code, Some(0), "{once:?} at call {nth}: {}", life.text);
            assert!(life.text.starts_with("api:2: a copy of api:1 with image "), "{}", life.text);
            assert_eq!(revisions(&world, "api"), 2, "{once:?} at call {nth}");
            assert_eq!(running(&world, "api"), "api:1", "nothing is deployed");
        }
    }
    let world = World::new("solo");
    let tagged = world.call("ecs", "TagResource", r#"{"resourceArn":"arn:aws:ecs:eu-central-1:123456789012:task-definition/api:1","tags":[{"key":"team","value":"shop"}]}"#);
    assert_eq!(tagged, "{}");
    let life = world.run_denied(register, &["RegisterTaskDefinition"]);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(
        life.text.contains("warning: the tags were not copied; allow ecs:TagResource"),
        "{}",
        life.text
    );
}

#[test]
fn a_size_that_fargate_does_not_have_is_found_before_anything_is_registered() {
    let world = World::new("solo");
    for (edits, said, hint) in [
        (
            "--cpu 512",
            "api:1: Fargate has no task with cpu 512 and memory 512",
            "--memory 1024 (with cpu 512: 1024, 2048, 3072 or 4096)",
        ),
        (
            "--memory 40GB --cpu 4096",
            "api:1: Fargate has no task with cpu 4096 and memory 40960",
            "--memory 30720 (with cpu 4096: 8192 to 30720 in steps of 1024)",
        ),
        (
            "--cpu 300",
            "api:1: Fargate has no task with cpu 300",
            "--cpu 256 (Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384)",
        ),
    ] {
        for command in [
            "plan --cluster shop --service api",
            "deploy --cluster shop --service api",
            "register --family api",
        ] {
            let life = world.run(&format!("{command} {edits}"));
            assert_eq!(life.code, Some(3), "{command} {edits}: {}", life.text);
            let expected = format!("error: {said}\nhint: {hint}\n");
            assert!(life.text.ends_with(&expected), "{command} {edits}: {}", life.text);
            assert!(!life.operations.iter().any(|one| one == "RegisterTaskDefinition"));
        }
    }
    let life = world.run("deploy --cluster shop --service api --cpu 512 --memory 1024");
    assert_eq!(life.code, Some(0), "{}", life.text);
}
