//! A run with changes of the task definition is killed: the same command adopts what it left, a command
//! with another change does not.

use serde_json::{Value, json};

use crate::support::fate::Death;
use crate::support::lives::World;
use crate::support::sweep::every_nth;

pub(crate) const DEPLOY: &str = "deploy --cluster shop --service";

pub(crate) fn definition(world: &World, name: &str) -> Value {
    let body = json!({"taskDefinition": name}).to_string();
    let answer = world.call("ecs", "DescribeTaskDefinition", &body);
    let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["taskDefinition"].take()
}

pub(crate) fn running(world: &World, service: &str) -> String {
    let body = json!({"cluster": "shop", "services": [service]}).to_string();
    let answer = world.call("ecs", "DescribeServices", &body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let arn = answer["services"][0]["taskDefinition"].as_str().expect("an ARN");
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How many ACTIVE revisions the family has.
pub(crate) fn revisions(world: &World, family: &str) -> usize {
    let body = json!({"familyPrefix": family}).to_string();
    let answer = world.call("ecs", "ListTaskDefinitions", &body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    answer["taskDefinitionArns"].as_array().expect("a list").len()
}

#[test]
fn the_same_command_adopts_what_was_killed_and_another_edit_does_not() {
    for (scenario, service, container) in [("shop", "web", "web"), ("solo", "api", "api")] {
        let same = format!("{DEPLOY} {service} --bake 0 --env {container}:MODE=new");
        let other = format!("{DEPLOY} {service} --bake 0 --env {container}:MODE=other");
        let calls: u32 = World::new(scenario).run(&same).calls.values().sum();
        let deaths = [Death::BeforeSend, Death::BeforeAnswer];
        let calls = (1..=calls).step_by(3);
        let cases = calls.flat_map(|nth| deaths.map(|death| (nth, death)));
        for (nth, death) in every_nth(&format!("{scenario}: killed with an edit"), cases) {
            let world = World::new(scenario);
            world.run_until(&same, nth, death);
            let killed = revisions(&world, service);
            // A deployment whose owner died is unfinished until somebody takes it up.
            let life = world.run(&other.replace("deploy", "plan"));
            let open = ["is unfinished", "another process drives"];
            let unfinished = open.iter().any(|one| life.text.contains(one));
            world.wait(200);
            let life = world.run(&same);
            let what = format!("{scenario}, {death:?} at call {nth}: {}", life.text);
            assert_eq!(life.code, Some(0), "{what}");
            assert_eq!(life.text.contains("resuming "), unfinished, "{what}");
            if unfinished {
                assert_eq!(revisions(&world, service), killed, "{what}");
            }
            let serves = running(&world, if scenario == "shop" { "web-green" } else { service });
            let environment =
                &definition(&world, &serves)["containerDefinitions"][0]["environment"];
            assert!(environment.to_string().contains("new"), "{environment} {what}");
        }
    }
}
