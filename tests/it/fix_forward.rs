//! An old side that cannot run either: the deployment ends as soon as that is known, with both reasons,
//! and nothing keeps the next good image from getting live.

use ecs_bg_sandbox::{Does, Image};

use crate::support::lives::{Life, REPOSITORY, World, call};

fn deploy(tag: &str) -> String {
    let image = REPOSITORY.replace("/web", "/api");
    format!("deploy --cluster shop --service api --image {image}:{tag}")
}

/// The first one fails quickly and says why of both sides; the second one is live.
fn ends_and_goes_on(world: &World, old: &str) -> Life {
    let begin = world.now();
    let first = world.run(&deploy("4"));
    let took = world.now() - begin;
    assert_eq!(first.code, Some(4), "{}", first.text);
    assert!(took.as_secs() < 300, "{took:?}: {}", first.text);
    for told in ["neither api:2 nor api:1 serves in api", "container api exited with code 1", old] {
        assert!(first.text.contains(told), "{told}: {}", first.text);
    }
    let second = world.run(&deploy("2"));
    assert_eq!(second.code, Some(0), "{}", second.text);
    first
}

#[test]
fn a_service_made_before_its_image_was_pushed_gets_its_first_good_one() {
    let world =
        World::parsed("extends = 'solo'\n[[image]]\nref = 'shop/api:1'\ndoes = 'exit'\ncode = 1");
    ends_and_goes_on(&world, "api:1 does not run either");
}

#[test]
fn a_service_whose_old_image_is_gone_gets_a_good_one() {
    let world = World::parsed(
        "extends = 'solo'\n[[service]]\ncluster = 'shop'\nserviceName = 'api'\ndesiredCount = 1\n\
         deploymentConfiguration = { minimumHealthyPercent = 0, maximumPercent = 100 }",
    );
    world.cloud().set_image(Image::new("shop/api:1", Does::Missing));
    let first = ends_and_goes_on(&world, "CannotPullContainerError");
    assert!(first.text.contains(" of api:1: "), "the old side's task is told: {}", first.text);
}

/// The way back restores what there was, not more, and says so.
#[test]
fn as_many_tasks_as_before_are_enough() {
    let world = World::parsed("extends = 'solo'\n[[image]]\nref = 'shop/api:1'\ndoes = 'serve'");
    {
        let mut cloud = world.cloud();
        cloud.set_image(Image::new("shop/api:1", Does::Missing));
        let told =
            call(&mut cloud, "ecs", "ListTasks", r#"{"cluster":"shop","serviceName":"api"}"#);
        let tasks: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        let task = &tasks["taskArns"][0];
        let stop = serde_json::json!({ "cluster": "shop", "task": task }).to_string();
        call(&mut cloud, "ecs", "StopTask", &stop);
    }
    world.wait(300);
    let life = world.run(&deploy("3"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("as before, with 1 of 2"), "{}", life.text);
}
