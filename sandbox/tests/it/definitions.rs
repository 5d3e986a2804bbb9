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

#[test]
fn what_aws_refuses_is_refused_and_each_for_its_own_reason() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/register");
    let mut texts = std::collections::BTreeMap::new();
    for file in std::fs::read_dir(folder).expect("the folder") {
        let path = file.expect("a file").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let body = std::fs::read_to_string(&path).expect("a text");
        let refused =
            World::shop().json("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", body);
        let (code, text) = refused.expect_err(&name);
        assert_eq!(code, "ClientException", "{name}: {text}");
        texts.insert(name, text);
    }
    assert_eq!(texts.len(), 57);
    for (name, part) in [
        ("EXTERNAL-awsvpc", "EXTERNAL"),
        (
            "awsfirelens-without-log-router",
            "a firelens configuration object must be configured in one of the containers.",
        ),
        ("awsvpc-duplicate-ports", "TCP host port '80' is mapped multiple times in task."),
        ("bad-protocol", "Invalid protocol: 'http'"),
        ("container-memory-over-task-memory-two", "take 800 of 'memory', the task has 512"),
        ("container-name-with-space", "Container.name contains invalid characters."),
        ("dependsOn-HEALTHY-without-healthCheck", "no health check"),
        ("dependsOn-cycle", "cycle"),
        ("dependsOn-self", "itself"),
        ("ec2-secrets-without-execution-role", "must also specify a value for 'executionRoleArn'"),
        ("efs-iam-without-transit-encryption", "transit encryption"),
        ("environmentFiles-eleven", "a maximum of 10 environment files"),
        ("environmentFiles-txt", "'arn:aws:s3:::shop/web.txt'"),
        ("environmentFiles-without-execution-role", "specifying environment files"),
        ("fargate-awslogs-without-stream-prefix", "awslogs-stream-prefix"),
        ("fargate-awslogs-without-execution-role", "to support log driver awslogs."),
        ("fargate-ecr-without-execution-role", "to support ECR images."),
        ("fargate-gpu", "GPUs"),
        ("fargate-privileged", "privileged"),
        ("firelens-bad-type", "'logstash'"),
        ("healthCheck-command-without-CMD", "CMD-SHELL"),
        ("host-links", "network mode 'bridge'"),
        ("host-port-twice", "TCP host port '8080' is mapped multiple times in task."),
        ("links-to-unknown", "'nobody'"),
        (
            "log-router-without-awsfirelens",
            "at least one container has to be configured with the awsfirelens log driver.",
        ),
        ("memoryReservation-memory", "greater than 'memoryReservation'"),
        ("none-mode-with-ports", "network mode 'none'"),
        ("port-name-with-capitals", "Invalid 'name' setting for a port mapping"),
        ("port-range-backwards", "The first port must be less than the last port."),
        ("port-range-on-host", "network mode must be 'bridge' or 'awsvpc'"),
        ("port-range-over-a-port", "more than one port mapping of container 'a'"),
        ("port-range-with-containerPort", "together with containerPort"),
        ("port-without-containerPort", "Invalid 'containerPort' setting for container 'a'."),
        ("proxy-to-unknown", "Unknown container: 'nobody'"),
        ("secret-named-as-a-variable", "such as 'A'."),
        ("startTimeout-1", "startTimeout"),
        ("sum-of-cpu-over-task-cpu", "take 400 of 'cpu', the task has 256"),
        ("systemControls-ipc-on-host", "'kernel.shmmax' is not supported when ipcMode is 'host'"),
        ("systemControls-net-on-host", "not supported when networkMode is 'host'"),
        ("task-cpu-abc-on-EC2", "Invalid 'cpu' setting for task."),
        ("ulimit-bad-name", "'bogus'"),
        ("volume-of-two-types", "only one volume configuration type should be used."),
        ("volumes-two-at-launch", "one volume configured at launch"),
        ("volumesFrom-self", "'a' cannot mount its own volumes"),
        ("volumesFrom-unknown", "Invalid 'volumesFrom' setting. Unknown container: 'nobody'."),
        ("windows-fargate-256", "No Fargate configuration exists"),
    ] {
        let text = &texts[name];
        assert!(text.contains(part), "{name}: {text}");
    }
}

#[test]
fn nulls_units_and_whole_floats_are_what_aws_makes_of_them() {
    let mut world = World::shop();
    let body = r#"{"family":"odd","networkMode":"awsvpc","cpu":".25 vCPU","memory":"0.5 GB","pidMode":null,
        "volumes":[{"name":"v","host":{"sourcePath":null}}],
        "containerDefinitions":[{"name":"a","image":"x","memory":128.0,"user":null,
            "environment":[{"name":"A","value":null},{"name":"B","value":"1.0"}],
            "dockerLabels":{"gone":null,"kept":"x"},"new":{"kept":null,"as":2.50},
            "portMappings":[{"containerPort":8.0e1,"name":null}]}]}"#;
    let target = "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition";
    let answer = world.json(target, body).expect("registered");
    assert!(answer.contains(r#""new":{"kept":null,"as":2.50}"#), "unknown ones stay: {answer}");
    let shown: Value = serde_json::from_str(&answer).expect("JSON");
    let shown = &shown["taskDefinition"];
    assert_eq!([&shown["cpu"], &shown["memory"]], [&json!("256"), &json!("512")]);
    assert_eq!((shown.get("pidMode"), &shown["volumes"][0]["host"]), (None, &json!({})));
    let one = &shown["containerDefinitions"][0];
    assert_eq!(one["memory"].to_string(), "128", "an integer has no point");
    assert_eq!(one["portMappings"][0]["containerPort"].to_string(), "80");
    assert_eq!(one["portMappings"][0].get("name"), None);
    assert_eq!(one["environment"], json!([{"name": "A"}, {"name": "B", "value": "1.0"}]));
    assert_eq!((&one["dockerLabels"], one.get("user")), (&json!({"kept": "x"}), None));
}

#[test]
fn a_revision_is_deleted_after_it_was_deregistered_and_its_number_stays_taken() {
    let mut world = World::shop();
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    let second = name(&world.register("2"));
    let delete = |world: &mut World, names: &[&str]| {
        world.ecs("DeleteTaskDefinitions", json!({"taskDefinitions": names})).expect("an answer")
    };
    let active = delete(&mut world, &[&second, "web:99"]);
    let reasons: Vec<_> = active["failures"].as_array().expect("failures").iter().collect();
    assert_eq!(active["taskDefinitions"], json!([]));
    assert!(
        reasons[0]["reason"].as_str().is_some_and(|text| text.contains("still in ACTIVE status"))
    );
    assert!(reasons[1]["reason"].as_str().is_some_and(|text| text.contains("does not exist")));
    world.ecs("DeregisterTaskDefinition", json!({"taskDefinition": second})).expect("gone");
    let gone = delete(&mut world, &[&second]);
    assert_eq!(gone["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    let listed = |world: &mut World, status: &str| {
        let request = json!({"familyPrefix": "web", "status": status});
        world.ecs("ListTaskDefinitions", request).expect("a list")["taskDefinitionArns"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!((listed(&mut world, "DELETE_IN_PROGRESS"), listed(&mut world, "INACTIVE")), (1, 0));
    let use_it = json!({"cluster": "shop", "service": "web", "taskDefinition": second});
    assert_eq!(world.ecs("UpdateService", use_it).expect_err("refused").0, "ClientException");
    world.pass(2 * 3600);
    assert_eq!(listed(&mut world, "DELETE_IN_PROGRESS"), 0);
    world.ecs("DescribeTaskDefinition", json!({"taskDefinition": second})).expect_err("gone");
    assert_eq!(name(&world.register("3")), "web:3");
    let too_many = json!({"taskDefinitions": vec!["web:1"; 11]});
    let refused = world.ecs("DeleteTaskDefinitions", too_many).expect_err("11");
    assert_eq!(refused.0, "InvalidParameterException");
}
