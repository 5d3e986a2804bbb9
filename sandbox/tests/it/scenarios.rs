//! Scenario files: what is built in, what extends what, and what is wrong with one.

use ecs_bg_sandbox::{Cloud, Does, Image, scenario, scenario::Scenario};
use serde_json::json;

use crate::support::World;

#[test]
fn what_is_built_in_can_be_built() {
    for name in scenario::names() {
        let scenario = Scenario::builtin(name).unwrap_or_else(|| panic!("{name}"));
        let cloud = Cloud::from_scenario(&scenario).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cloud.now().to_string(), "2026-01-15T12:00:00Z");
    }
    assert!(Scenario::builtin("nope").is_none());
}

#[test]
fn a_scenario_extends_another_item_by_item() {
    let mut world = World::with(
        "extends = 'shop'\n[timing]\npropagation = '1s'\n[[service]]\nserviceName = 'web'\ndesiredCount = 3\n\
         [[service]]\nserviceName = 'web-green'\nabsent = true\n[[task_definition]]\nfamily = 'web'\n[[task_definition]]\nfamily = 'web'\n\
         containerDefinitions = [{ name = 'web', image = 'x', memory = 64 }]\n[[scalable_target]]\nservice = 'shop/web'\nmin = 1\nmax = 4",
    );
    let web = world.service("web");
    assert_eq!((&web["runningCount"], &web["launchType"]), (&json!(3), &json!("FARGATE")));
    assert_eq!(web["tags"], json!([{"key": "ecs-bg:twin", "value": "web-green"}]));
    assert_eq!(world.service("web-green"), json!(null));
    let second =
        world.ecs("DescribeTaskDefinition", json!({"taskDefinition": "web"})).expect("described");
    assert_eq!(second["taskDefinition"]["revision"], 2);
    world.weigh(100, 1).expect("modified");
    world.pass(2);
    assert!(
        world.cloud.serving().iter().all(|one| one.weight > 0),
        "propagation takes 1 s per node"
    );
}

#[test]
fn an_update_is_not_waited_for() {
    let mut world = World::with(
        "extends = 'shop'\n[[service]]\nserviceName = 'web'\nupdate = [{ forceNewDeployment = true }]",
    );
    let web = world.service("web");
    assert_eq!(web["deployments"].as_array().map(Vec::len), Some(2));
    assert_eq!(web["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[test]
fn errors_name_the_file_the_line_and_the_member() {
    let error = |text: &str| match Scenario::parse(text, "dir/x.toml")
        .and_then(|scenario| Cloud::from_scenario(&scenario).map(drop))
    {
        Ok(()) => panic!("no error in {text}"),
        Err(error) => error.to_string(),
    };
    let cases = [
        ("extends = 'shop'\n\n[[sevice]]\nserviceName = 'x'", "dir/x.toml:3: ", "sevice"),
        ("\nregion = 5", "dir/x.toml:2: ", "expected a string"),
        ("[timing]\npull = '1s'\npropagatoin = '1s'", "dir/x.toml:3: ", "propagatoin"),
        ("[timing]\npull = 'soon'", "dir/x.toml:", "soon"),
        (
            "[[target_group]]\nname = 'a'\nport = 80\nhealthChek = {}",
            "dir/x.toml:4: ",
            "healthChek",
        ),
        ("[[image]]\nref = 'a:1'\ndoes = 'dance'", "dir/x.toml:", "dance"),
        ("[[service]]\ncluster = 'x'", "dir/x.toml:1: ", "serviceName"),
        (
            "extends = 'shop'\n[[service]]\nserviceName = 'web'\nloadBalancers = [{ targetGroup = 'web-z', containerName = 'web', containerPort = 8080 }]",
            "dir/x.toml:4: ",
            "web-z",
        ),
        (
            "extends = 'shop'\n[[service]]\nserviceName = 'web'\ndesiredCount = 'two'",
            "dir/x.toml:2: ",
            "SerializationException",
        ),
        (
            "extends = 'shop'\n[[service]]\nserviceName = 'web'\ntaskDefinition = 'web:9'",
            "dir/x.toml:2: ",
            "TaskDefinition not found.",
        ),
        ("\nextends = 'nowhere.toml'", "dir/x.toml:2: ", "nowhere.toml"),
    ];
    for (text, place, what) in cases {
        let error = error(text);
        assert!(error.starts_with(place) && error.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn an_image_changes_for_tasks_that_start_later() {
    let mut world = World::shop();
    let image = |does| Image::new("shop/web:1", does);
    world.cloud.set_image(image(Does::Sick));
    world.pass(120);
    assert_eq!(world.states("web-a"), ["healthy", "healthy"]);
    world.update("web", json!({"desiredCount": 3}));
    world.pass(36);
    assert!(world.states("web-a").contains(&"unhealthy".to_owned()), "{:?}", world.health("web-a"));
    world.cloud.set_image(image(Does::Serve));
    world.pass(200);
    assert_eq!(world.states("web-a"), ["healthy", "healthy", "healthy"]);
}

#[test]
fn a_side_container_that_is_essential_ends_its_task() {
    let mut world = World::with(
        "extends = 'shop'\n[[image]]\nref = 'aws-observability/aws-for-fluent-bit:*'\ncontainer = 'log-router'\ndoes = 'exit'\ncode = 3\nafter = '16m'",
    );
    world.pass(120);
    let stopped = world.tasks("web", "STOPPED");
    assert_eq!(stopped[0]["containers"][1]["exitCode"], 3);
    assert_eq!(stopped[0]["stopCode"], "EssentialContainerExited");
}
