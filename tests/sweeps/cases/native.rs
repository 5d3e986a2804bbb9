//! Services whose traffic ECS shifts: killed at every call, every fault at every call, somebody else or a
//! request to stop at every moment. After each ending the service's deployment settings are as before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::faults::faults;
use crate::support::fate::Fate;
use crate::support::lives::{World, call};
use crate::support::sweep::every_nth;

pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/shop";

pub(crate) fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service shop --image {REPOSITORY}:{tag} {more}")
}

pub(crate) fn native(more: &str) -> World {
    World::parsed(&format!("extends = 'native'\n{more}"))
}

/// Users reach exactly this image, and ECS works towards nothing else.
pub(crate) fn runs(world: &World, tag: &str) -> Result<(), String> {
    let serving = world.cloud().serving();
    let behind = serving.iter().flat_map(|side| &side.behind);
    let healthy: BTreeSet<String> = behind
        .filter(|target| target.state == "healthy")
        .map(|target| target.image.clone().unwrap_or_default())
        .map(|image| image.split('@').next().unwrap_or_default().to_owned())
        .collect();
    match healthy == BTreeSet::from([format!("{REPOSITORY}:{tag}")]) {
        true => Ok(()),
        false => Err(format!("not {tag} but {healthy:?}")),
    }
}

/// `deploymentConfiguration`, as any client reads it.
pub(crate) fn settings(world: &World) -> Value {
    let body = r#"{"cluster":"shop","services":["shop"]}"#;
    let answer = world.call("ecs", "DescribeServices", body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let mut block = answer["services"][0]["deploymentConfiguration"].clone();
    // No hooks are no hooks, however AWS says so.
    if let Some(members) = block.as_object_mut() {
        members.retain(|_, value| value != &Value::Array(vec![]));
    }
    block
}

/// One way to deploy, and where it ends.
struct Way {
    tag: &'static str,
    more: &'static str,
    code: u8,
}

const WAYS: [Way; 4] = [
    Way { tag: "2", more: "", code: 0 },
    Way { tag: "3", more: "", code: 1 },
    Way { tag: "4", more: "", code: 1 },
    Way { tag: "2", more: "--bake 1m --pause-at before-traffic --pause-limit 5m", code: 1 },
];

impl Way {
    fn serves(&self) -> &'static str {
        if self.code == 0 { self.tag } else { "1" }
    }

    fn deploy(&self) -> String {
        deploy(self.tag, self.more)
    }
}

/// Killed before and after every call took effect, then run again to its end.
#[test]
fn it_survives_death_at_every_call() {
    for way in WAYS {
        let world = native("");
        let before = settings(&world);
        let life = world.run_kept(&way.deploy());
        assert_eq!(life.code, Some(way.code), "{} {}: {}", way.tag, way.more, life.text);
        for moment in every_nth(&format!("native {} {}: killed", way.tag, way.more), life.moments) {
            let (nth, operation, done) = (moment.nth, moment.operation, moment.done);
            let world = World::of(moment.cloud);
            world.wait(180);
            let second = world.run(&way.deploy());
            let runs = runs(&world, way.serves());
            let same = settings(&world) == before;
            assert!(
                second.code == Some(way.code) && runs.is_ok() && same,
                "{} {} killed at call {nth}, {operation} (done: {done}): {:?} {runs:?}, settings as before: {same}\n{}",
                way.tag,
                way.more,
                second.code,
                second.text
            );
        }
    }
}

/// Every call meets every fault once, and the deployment goes where it would have gone.
#[test]
fn it_survives_every_fault_at_every_call() {
    for way in WAYS {
        let world = native("");
        let before = settings(&world);
        let calls: u32 = world.run(&way.deploy()).calls.values().sum();
        let cases = (1..=calls).flat_map(|nth| faults().map(|(name, fault)| (nth, name, fault)));
        let what = format!("native {} {}: faults", way.tag, way.more);
        for (nth, name, fault) in every_nth(&what, cases) {
            let world = native("");
            let fate = Fate { once: Some((nth, fault)), ..Fate::default() };
            let life = world.live(&way.deploy(), fate);
            let runs = runs(&world, way.serves());
            let same = settings(&world) == before;
            assert!(
                life.code == Some(way.code) && runs.is_ok() && same,
                "{what}: call {nth} {name}: {:?} {runs:?}, settings as before: {same}\n{}",
                life.code,
                life.text
            );
        }
    }
}

/// Told to stop at every second of its life: the old version serves, or the new one does.
#[test]
fn whoever_stops_it_gets_the_old_version_back() {
    for second in every_nth("native: interrupted", (0..440).step_by(3)) {
        let world = native("");
        let before = settings(&world);
        let life = world.run_interrupted(&deploy("2", "--pause-at each-step"), second, 1);
        match life.code {
            Some(1 | 3) => runs(&world, "1"),
            Some(0) => runs(&world, "2"),
            other => Err(format!("{other:?}")),
        }
        .unwrap_or_else(|why| panic!("at {second} s: {why}\n{}", life.text));
        assert_eq!(settings(&world), before, "at {second} s\n{}", life.text);
    }
}

/// What an outsider does to a deployment that is not theirs.
const OUTSIDERS: [(&str, &[u8]); 5] = [
    ("stops it", &[1]),
    ("puts the service on another revision", &[5]),
    ("changes the desired count", &[0]),
    ("changes the tags of the service", &[0]),
    ("starts the same revision anew", &[0, 5]),
];

fn outsider(what: &str, cloud: &mut ecs_bg_sandbox::Cloud) {
    let ask = |cloud: &mut ecs_bg_sandbox::Cloud, operation: &str, body: &str| {
        let answer = call(cloud, "ecs", operation, body);
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    match what {
        "stops it" => {
            let list = ask(
                cloud,
                "ListServiceDeployments",
                r#"{"cluster":"shop","service":"shop","status":["PENDING","IN_PROGRESS"]}"#,
            );
            let Some(arn) = list["serviceDeployments"][0]["serviceDeploymentArn"].as_str() else {
                return;
            };
            let body = format!(r#"{{"serviceDeploymentArn":"{arn}","stopType":"ROLLBACK"}}"#);
            ask(cloud, "StopServiceDeployment", &body);
        }
        "puts the service on another revision" => {
            let body = r#"{"family":"other","containerDefinitions":[{"name":"shop","image":"public.ecr.aws/x/y:1","portMappings":[{"containerPort":8080}]}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/x"}"#;
            ask(cloud, "RegisterTaskDefinition", body);
            let body = r#"{"cluster":"shop","service":"shop","taskDefinition":"other:1"}"#;
            ask(cloud, "UpdateService", body);
        }
        "changes the desired count" => {
            ask(cloud, "UpdateService", r#"{"cluster":"shop","service":"shop","desiredCount":3}"#);
        }
        "starts the same revision anew" => {
            let body = r#"{"cluster":"shop","service":"shop","forceNewDeployment":true}"#;
            ask(cloud, "UpdateService", body);
        }
        _ => {
            let services =
                ask(cloud, "DescribeServices", r#"{"cluster":"shop","services":["shop"]}"#);
            let arn = services["services"][0]["serviceArn"].as_str().unwrap_or_default();
            let body = format!(r#"{{"resourceArn":"{arn}","tags":[{{"key":"a","value":"b"}}]}}"#);
            ask(cloud, "TagResource", &body);
        }
    }
}

/// Somebody else does something at every moment: no success is told that is none.
#[test]
fn an_outsider_brings_no_lie() {
    let seconds = (2..440).step_by(4);
    let cases = OUTSIDERS.iter().flat_map(|one| seconds.clone().map(move |second| (one, second)));
    for ((what, codes), second) in every_nth("native: outsiders", cases) {
        let world = native("");
        let what = *what;
        let life = world.run_beside(&deploy("2", ""), second, move |cloud| outsider(what, cloud));
        let code = life.code.unwrap_or(99);
        // What came too late, or before ours, changed nothing about it.
        let known = codes.contains(&code) || code == 0;
        world.wait(900);
        let well = match code {
            0 => runs(&world, "2"),
            1 => runs(&world, "1"),
            _ => Ok(()),
        };
        assert!(known && well.is_ok(), "{what} at {second} s: {code} {well:?}\n{}", life.text);
    }
}
