//! Records of version 1, as a killed process of an older release left them at every call: they are
//! continued to the same end as our own.

use std::collections::BTreeMap;

use ecs_bg_sandbox::Cloud;
use serde_json::{Value, json};

use super::forged::{tag, tags_of};
use crate::support::invariants::serves;
use crate::support::lives::{REPOSITORY, World, call};
use crate::support::sweep::sweep;

/// Two engines and two images each: the scenario, the service, and the deployment.
const SCENES: [(&str, &str, &str, &str); 4] = [
    ("shop", "web", "2", "--shares 20:20s,100 --bake 20s --follow 30s"),
    ("shop", "web", "3", "--bake 20s --follow 30s"),
    ("solo", "api", "2", "--bake 20s"),
    ("solo", "api", "4", ""),
];

/// The words that version 2 added to each tag.
const ADDED: [(&str, &[&str]); 3] = [
    ("ecs-bg:record", &["engine"]),
    ("ecs-bg:plan", &["had", "scaled", "tests"]),
    ("ecs-bg:owner", &["by", "released"]),
];

/// What version 1 would have written.
fn downgraded(key: &str, value: &str) -> String {
    let added = ADDED.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, words)| *words);
    let kept = value.split(' ').filter(|word| {
        let name = word.split('=').next().unwrap_or_default();
        !added.contains(&name)
    });
    let kept: Vec<&str> = kept.map(|word| if word == "v=2" { "v=1" } else { word }).collect();
    kept.join(" ")
}

fn downgrade(cloud: &mut Cloud, service: &str) {
    let body = json!({ "familyPrefix": service }).to_string();
    let listed: Value =
        serde_json::from_str(&call(cloud, "ecs", "ListTaskDefinitions", &body)).expect("JSON");
    let arns = listed["taskDefinitionArns"].as_array().expect("revisions");
    for arn in arns.iter().filter_map(Value::as_str) {
        let tags = tags_of(cloud, arn).into_iter();
        let ours = tags.filter(|(key, _)| key.starts_with("ecs-bg:"));
        let tags: Vec<(String, String)> =
            ours.map(|(key, value)| (key.clone(), downgraded(&key, &value))).collect();
        if !tags.is_empty() {
            assert!(tags.iter().any(|(_, value)| value.starts_with("v=1 ")), "{tags:?}");
            tag(cloud, arn, &tags);
        }
    }
}

#[test]
fn a_record_of_version_1_is_continued_to_the_same_end() {
    let mut cases = Vec::new();
    for scene in SCENES {
        let (scenario, service, image, more) = scene;
        let image = REPOSITORY.replace("/web", &format!("/{service}")) + ":" + image;
        let line = format!(
            "deploy --cluster shop --service {service} --image {image} --timeout 4m {more}"
        );
        let kept = World::new(scenario).run_kept(&line);
        let moments = kept.moments.into_iter();
        cases.extend(moments.map(|moment| (scene, line.clone(), image.clone(), moment)));
    }
    sweep("records of version 1", cases, |((_, service, ..), line, image, moment)| {
        let end = |downgrades: bool| {
            let mut cloud = moment.cloud.clone();
            if downgrades {
                downgrade(&mut cloud, service);
            }
            let world = World::of(cloud);
            world.wait(200);
            let life = world.run(line);
            let new = serves(&world.cloud(), image, 2).is_ok();
            (life.code, new, life.text)
        };
        let (ours, theirs) = (end(false), end(true));
        match (ours.0, ours.1) == (theirs.0, theirs.1) {
            true => Ok(()),
            false => Err(format!(
                "{service}, at call {} ({}): {:?} {} and {:?} {}\n{}\n{}",
                moment.nth, moment.operation, ours.0, ours.1, theirs.0, theirs.1, ours.2, theirs.2
            )),
        }
    });
}

#[test]
fn what_is_downgraded_is_version_1() {
    let tags = BTreeMap::from([
        ("ecs-bg:record", ("v=2 engine=rolling id=a for=b start=1", "v=1 id=a for=b start=1")),
        ("ecs-bg:plan", ("count=2 bake=1 end=swap had=2/2 scaled=no", "count=2 bake=1 end=swap")),
        ("ecs-bg:owner", ("id=a seen=1 by=ci released=stuck", "id=a seen=1")),
        ("ecs-bg:state", ("heading=back why=sick to=0", "heading=back why=sick to=0")),
    ]);
    for (key, (new, old)) in tags {
        assert_eq!(downgraded(key, new), old);
    }
}
