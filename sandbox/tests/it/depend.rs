//! Containers that wait for others of their task, and how those end that ECS stops.

use serde_json::{Value, json};

use crate::support::World;

/// A service `two` whose container `app` waits for `side`; both say more of themselves.
fn world(app: &str, side: &str, images: &str) -> World {
    World::with(&format!(
        "extends = 'shop'
[timing]
provisioning = '5s'
pull = '5s'
[[task_definition]]
family = 'two'
networkMode = 'awsvpc'
requiresCompatibilities = ['FARGATE']
cpu = '256'
memory = '512'
[[task_definition.containerDefinitions]]
name = 'app'
image = 'app:1'
{app}
[[task_definition.containerDefinitions]]
name = 'side'
image = 'side:1'
essential = false
{side}
{images}"
    ))
}

const CHECK: &str = "healthCheck = { command = ['CMD', 'true'], interval = 5, retries = 2 }";

fn waits(condition: &str) -> String {
    format!("dependsOn = [{{ containerName = 'side', condition = '{condition}' }}]")
}

/// Starts the task; tells its ARN.
fn start(world: &mut World) -> String {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let request = json!({"cluster": "shop", "taskDefinition": "two", "launchType": "FARGATE", "networkConfiguration": network});
    let answer = world.ecs("RunTask", request).expect("started");
    answer["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned()
}

fn task(world: &mut World, arn: &str) -> Value {
    let request = json!({"cluster": "shop", "tasks": [arn]});
    world.ecs("DescribeTasks", request).expect("described")["tasks"][0].clone()
}

/// `lastStatus` of the task, and of `app` and `side`.
fn states(world: &mut World, arn: &str) -> [String; 3] {
    let task = task(world, arn);
    [
        &task["lastStatus"],
        &task["containers"][0]["lastStatus"],
        &task["containers"][1]["lastStatus"],
    ]
    .map(|status| status.as_str().unwrap_or_default().to_owned())
}

const JOB: &str = "[[image]]\nref = 'side:1'\ndoes = 'exit'\ncode = 0\nafter = '20s'";
const BAD: &str = "[[image]]\nref = 'side:1'\ndoes = 'exit'\ncode = 3\nafter = '20s'";

#[test]
fn a_container_starts_when_what_it_waits_for_is_so() {
    for (condition, side, images, begins) in [
        ("START", "", JOB, 10),
        ("COMPLETE", "", JOB, 30),
        ("COMPLETE", "", BAD, 30),
        ("SUCCESS", "", JOB, 30),
        ("HEALTHY", CHECK, "", 15),
    ] {
        let mut world = world(&waits(condition), side, images);
        let arn = start(&mut world);
        world.pass(begins - 1);
        if begins > 10 {
            let before = states(&mut world, &arn);
            assert_eq!(before, ["PENDING", "PENDING", "RUNNING"], "{condition}");
        }
        world.pass(2);
        let [task, app, _] = states(&mut world, &arn);
        assert_eq!([task.as_str(), &app], ["RUNNING", "RUNNING"], "{condition} {images}");
    }
}

#[test]
fn a_dependency_that_failed_fails_the_task_in_the_words_of_the_agent() {
    let mut world = world(&waits("SUCCESS"), "", BAD);
    let arn = start(&mut world);
    world.pass(60);
    let task = task(&mut world, &arn);
    assert_eq!(task["stopCode"], "EssentialContainerExited");
    assert_eq!(task["stoppedReason"], "Essential container in task exited");
    let app = &task["containers"][0];
    assert_eq!(app["exitCode"], 143, "the code of a SIGTERM that it never got");
    assert_eq!(
        app["reason"],
        "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side(side:1) (STOPPED->RUNNING) - Exit: 3] for target [app(app:1) (NONE->RUNNING)] as dependency did not exit successfully."
    );
    assert_eq!(task["containers"][1]["exitCode"], 3);
}

#[test]
fn a_dependency_is_waited_for_as_long_as_its_start_timeout() {
    let late = "[[image]]\nref = 'side:1'\ndoes = 'slow'\nready = '10m'";
    let side = format!("{CHECK}\nstartTimeout = 30");
    let mut world = world(&waits("HEALTHY"), &side, late);
    let arn = start(&mut world);
    world.pass(39);
    assert_eq!(states(&mut world, &arn), ["PENDING", "PENDING", "RUNNING"]);
    world.pass(2);
    let task = task(&mut world, &arn);
    assert_eq!(task["desiredStatus"], "STOPPED");
    let reason = task["containers"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.ends_with("[app(app:1) (NONE->RUNNING)] has timed out."), "{reason}");
}

#[test]
fn who_is_stopped_ends_of_the_signal_or_is_killed_after_its_stop_timeout() {
    let exits = "[[image]]\nref = 'app:1'\ndoes = 'exit'\ncode = 2\nafter = '10s'\n[[image]]\nref = 'side:1'\ndoes = 'serve'\n";
    for (stops, side, code, lasts) in [
        ("", "", 143, 0),
        ("stops = 'clean'", "", 0, 0),
        ("stops = 'kill'", "", 137, 30),
        ("stops = 'kill'", "stopTimeout = 7", 137, 7),
    ] {
        let mut world = world("", side, &format!("{exits}{stops}"));
        let arn = start(&mut world);
        world.pass(20);
        if lasts > 0 {
            world.pass(lasts - 1);
            assert_eq!(
                states(&mut world, &arn),
                ["STOPPING", "STOPPED", "RUNNING"],
                "{stops} {side}"
            );
            world.pass(2);
        }
        let task = task(&mut world, &arn);
        let codes = [&task["containers"][0]["exitCode"], &task["containers"][1]["exitCode"]];
        assert_eq!(codes, [&json!(2), &json!(code)], "{stops} {side}");
    }
}
