//! Task definitions come back as they were sent.

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn members_come_back_byte_for_byte() {
    let mut world = World::shop();
    let members = [
        r#""family":"exact""#,
        r#""cpu":"256""#,
        r#""memory":"512""#,
        r#""newTopLevel":{"big":12345678901234567890123,"decimal":2.50,"escape":"caf\u00e9 \/ \"x\"","deep":[{"z":1,"a":[]}]}"#,
        r#""volumes":[{"name":"data","host":{},"newVolumeMember":1e5}]"#,
    ];
    let container = r#"{"name":"web","image":"x/y:1","cpu":10,"newContainerMember":{"b":0.10,"a":1},"essential":true,"portMappings":[{"containerPort":80,"newPortMember":"\u00e9","hostPort":80,"protocol":"tcp"}],"healthCheck":{"command":["CMD","true"],"newKnob":3.140}}"#;
    let body = format!("{{{},\"containerDefinitions\":[{container}]}}", members.join(","));
    let registered = world
        .json("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", body)
        .expect("registered");
    let request = json!({"taskDefinition": "exact"}).to_string();
    let described = world
        .json("AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition", request)
        .expect("described");
    assert_eq!(registered, described);
    for member in members {
        assert!(described.contains(member), "{member} is not in {described}");
    }
    let open = container
        .trim_end_matches('}')
        .strip_suffix(r#","healthCheck":{"command":["CMD","true"],"newKnob":3.140"#)
        .expect("a prefix");
    assert!(described.contains(open), "{described}");
    assert!(described.contains(r#""healthCheck":{"command":["CMD","true"],"newKnob":3.140}"#));
    let tail = r#""environment":[],"mountPoints":[],"volumesFrom":[],"systemControls":[]}]"#;
    assert!(described.contains(tail), "defaults come after what was sent: {described}");
}

#[test]
fn defaults_are_filled_in_for_absent_members_only() {
    let mut world = World::shop();
    let request = json!({
        "family": "defaults", "networkMode": "awsvpc", "cpu": "1 vCPU", "memory": "0.5GB", "taskRoleArn": null,
        "containerDefinitions": [{"name": "a", "image": "x", "portMappings": [{"containerPort": 80}], "command": null}],
    });
    let definition =
        world.ecs("RegisterTaskDefinition", request).expect("registered")["taskDefinition"].clone();
    assert_eq!((&definition["cpu"], &definition["memory"]), (&json!("1024"), &json!("512")));
    assert_eq!(definition.get("taskRoleArn"), None, "null is absent");
    let container = &definition["containerDefinitions"][0];
    assert_eq!(
        container["portMappings"],
        json!([{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}])
    );
    assert_eq!(
        (&container["essential"], &container["cpu"], container.get("command")),
        (&json!(true), &json!(0), None)
    );
}

#[test]
fn a_family_means_its_newest_active_revision() {
    let mut world = World::shop();
    let second = world.register("2");
    world.register("3");
    let gone = world
        .ecs("DeregisterTaskDefinition", json!({"taskDefinition": "web:3"}))
        .expect("deregistered");
    assert_eq!(gone["taskDefinition"]["status"], "INACTIVE");
    let newest =
        world.ecs("DescribeTaskDefinition", json!({"taskDefinition": "web"})).expect("described");
    assert_eq!(newest["taskDefinition"]["taskDefinitionArn"], second);
    let all = world
        .ecs("ListTaskDefinitions", json!({"familyPrefix": "web", "sort": "DESC"}))
        .expect("listed");
    assert_eq!(all["taskDefinitionArns"][0], second);
    assert_eq!(all["taskDefinitionArns"].as_array().map(Vec::len), Some(2));
    let prefix = world.ecs("ListTaskDefinitions", json!({"familyPrefix": "we"})).expect("listed");
    assert_eq!(prefix["taskDefinitionArns"], json!([]), "the whole family name");
    let refused = world.ecs(
        "UpdateService",
        json!({"cluster": "shop", "service": "web", "taskDefinition": "web:3"}),
    );
    assert_eq!(refused, Err(("ClientException".into(), "TaskDefinition is inactive".into())));
    let next = world.register("4");
    assert!(next.ends_with(":4"), "numbers are never used again: {next}");
    let unknown = world.ecs("DescribeTaskDefinition", json!({"taskDefinition": "web:99"}));
    assert_eq!(
        unknown,
        Err(("ClientException".into(), "Unable to describe task definition.".into()))
    );
}

#[test]
fn tags_are_beside_the_definition_and_limited() {
    let mut world = World::shop();
    let tagged = |count: usize, key: &str, value: &str| {
        let mut tags: Vec<Value> =
            (1..count).map(|n| json!({"key": format!("k{n}"), "value": "v"})).collect();
        tags.push(json!({"key": key, "value": value}));
        json!({"family": "tagged", "containerDefinitions": [{"name": "a", "image": "x", "memory": 64}], "tags": tags})
    };
    let answer = world
        .ecs("RegisterTaskDefinition", tagged(50, "last", "a b_c.d:e/f=g+h-i@j"))
        .expect("50 tags");
    assert_eq!(answer["tags"].as_array().map(Vec::len), Some(50));
    let arn = answer["taskDefinition"]["taskDefinitionArn"].clone();
    let plain =
        world.ecs("DescribeTaskDefinition", json!({"taskDefinition": arn})).expect("described");
    assert_eq!(plain.get("tags"), None, "tags come when asked for");
    let long = "x".repeat(257);
    for (count, key, value) in [
        (51, "k", "v"),
        (1, "aws:k", "v"),
        (1, "k", "a;b"),
        (1, "", "v"),
        (1, "k", &long),
        (2, "k1", "v"),
    ] {
        let refused =
            world.ecs("RegisterTaskDefinition", tagged(count, key, value)).expect_err("refused");
        assert_eq!(refused.0, "InvalidParameterException", "{key} {refused:?}");
    }
    let more = json!({"resourceArn": arn, "tags": [{"key": "one-more", "value": ""}]});
    assert_eq!(world.ecs("TagResource", more).expect_err("51 tags").0, "InvalidParameterException");
    let over = json!({"resourceArn": arn, "tags": [{"key": "k1", "value": "new"}]});
    world.ecs("TagResource", over).expect("overwritten");
    world.ecs("UntagResource", json!({"resourceArn": arn, "tagKeys": ["k2"]})).expect("untagged");
    let tags =
        world.ecs("ListTagsForResource", json!({"resourceArn": arn})).expect("listed")["tags"]
            .to_string();
    assert!(tags.contains(r#"{"key":"k1","value":"new"}"#) && !tags.contains(r#""k2""#), "{tags}");
}

#[test]
fn what_cannot_run_is_refused() {
    let mut world = World::shop();
    let refused = |world: &mut World, containers: Value| {
        world
            .ecs(
                "RegisterTaskDefinition",
                json!({"family": "bad", "containerDefinitions": containers}),
            )
            .expect_err("refused")
    };
    assert_eq!(refused(&mut world, json!([])).1, "Container list cannot be empty.");
    assert_eq!(
        refused(&mut world, json!([{"name": "a"}])).1,
        "Container.image should not be null or empty."
    );
    assert_eq!(refused(&mut world, json!([{"name": "a", "image": 5}])).0, "SerializationException");
    let twice = json!([{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]);
    assert_eq!(refused(&mut world, twice).0, "ClientException");
    let missing = world
        .ecs("RegisterTaskDefinition", json!({"containerDefinitions": []}))
        .expect_err("refused");
    assert_eq!(
        missing,
        ("InvalidParameterException".into(), "Family should not be null or empty.".into())
    );
}
