//! What task definitions name: roles, secrets, parameters, subnets, and images of other platforms.

use serde_json::{Value, json};

use crate::support::World;

const SOLO: &str = "extends = 'solo'\n";

/// `solo`, whose tasks have these secrets.
fn with_secrets(more: &str) -> World {
    World::with(&format!(
        "{SOLO}{more}[[task_definition]]\nfamily = 'api'\ncontainerDefinitions = [{{ name = 'api', \
         image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1', \
         portMappings = [{{ containerPort = 8080 }}], secrets = [\
         {{ name = 'A', valueFrom = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/a-AbCdEf:key::' }}, \
         {{ name = 'B', valueFrom = 'arn:aws:ssm:eu-central-1:123456789012:parameter/shop/b' }}] }}]"
    ))
}

#[test]
fn a_role_is_there_or_not() {
    let mut world = World::with(SOLO);
    let role = |name: &str| json!({"RoleName": name});
    let found = world.query("2010-05-08", "GetRole", role("shop-execution")).expect("a role");
    let policy = found["Role"]["AssumeRolePolicyDocument"].as_str().expect("a policy");
    assert!(policy.starts_with("%7B") && policy.contains("ecs-tasks.amazonaws.com"), "{policy}");
    let refused = world.query("2010-05-08", "GetRole", role("nobody")).expect_err("no role");
    assert_eq!(refused.0, "NoSuchEntity");
    let missing = "[[missing]]\nname = 'shop-execution'\n";
    let mut world = World::with(&format!("{SOLO}{missing}"));
    let refused = world.query("2010-05-08", "GetRole", role("shop-execution"));
    assert_eq!(refused.expect_err("no role").0, "NoSuchEntity");
}

#[test]
fn secrets_and_parameters_are_there_or_not() {
    let secret = |world: &mut World, id: &str| {
        world.json("secretsmanager.DescribeSecret", json!({"SecretId": id}).to_string())
    };
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/a-AbCdEf";
    let mut world = with_secrets("");
    for id in [arn, "shop/a"] {
        let found = secret(&mut world, id).expect("a secret");
        assert!(found.contains("shop/a-AbCdEf") && !found.contains("SecretString"), "{found}");
    }
    assert_eq!(secret(&mut world, "shop/c").expect_err("none").0, "ResourceNotFoundException");
    let parameters = |world: &mut World| {
        let filter = json!({"Key": "Name", "Option": "Equals", "Values": ["/shop/b", "/shop/c"]});
        let request = json!({"ParameterFilters": [filter]}).to_string();
        let answer = world.json("AmazonSSM.DescribeParameters", request).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["Parameters"].clone()
    };
    assert_eq!(parameters(&mut world)[0]["Name"], "/shop/b");
    let gone = "[[missing]]\nname = 'shop/a-AbCdEf'\n[[missing]]\nname = '/shop/b'\n";
    let mut world = with_secrets(gone);
    assert!(secret(&mut world, arn).is_err());
    assert_eq!(parameters(&mut world), json!([]));
}

#[test]
fn a_subnet_has_a_zone_and_addresses() {
    let mut world = World::with(&format!("{SOLO}[[subnet]]\nname = 'subnet-a'\naddresses = 3\n"));
    let mut ask = |id: &str| {
        let form = format!("Action=DescribeSubnets&Version=2016-11-15&SubnetId.1={id}");
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        let response = world.send(&kind, form);
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).expect("text"))
    };
    let (status, text) = ask("subnet-a");
    assert_eq!(status, 200, "{text}");
    // One of its three is a task's.
    for part in [
        "<subnetSet><item><subnetId>subnet-a</subnetId>",
        "<availabilityZone>eu-central-1a</availabilityZone>",
        "<availableIpAddressCount>2</availableIpAddressCount>",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (status, text) = ask("subnet-x");
    assert_eq!(status, 400);
    assert!(text.contains("<Errors><Error><Code>InvalidSubnetID.NotFound</Code>"), "{text}");
}

#[test]
fn an_image_of_another_platform_is_not_pulled() {
    let mut world = World::with(&format!(
        "{SOLO}[[repository]]\nname = 'shop/api'\nplatforms = {{ 2 = ['linux/arm64', 'windows/amd64'], \
         3 = ['linux/arm64', 'linux/amd64'] }}\n[[image]]\nref = 'shop/api:3'\ndoes = 'serve'\n"
    ));
    let ids = json!([{"imageTag": "2"}]);
    let manifest = world
        .ecr("BatchGetImage", json!({"repositoryName": "shop/api", "imageIds": ids}))
        .expect("an image");
    let image = &manifest["images"][0];
    assert_eq!(image["imageManifestMediaType"], "application/vnd.oci.image.index.v1+json");
    assert!(image["imageManifest"].as_str().is_some_and(|text| text.contains("arm64")));
    let mut deploys = |tag: &str| {
        let image = format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:{tag}");
        let definition = json!({
            "family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/shop-execution",
            "containerDefinitions": [
                {"name": "api", "image": image, "portMappings": [{"containerPort": 8080}]},
            ],
        });
        let made = world.ecs("RegisterTaskDefinition", definition).expect("a revision");
        let arn = made["taskDefinition"]["taskDefinitionArn"].clone();
        world.update("api", json!({"taskDefinition": arn}));
        world.pass(120);
        let stopped = world.tasks("api", "STOPPED");
        stopped.iter().any(|task| {
            task["taskDefinitionArn"] == arn
                && task["stoppedReason"]
                    .as_str()
                    .is_some_and(|why| why.contains("descriptor matching platform 'linux/amd64'"))
        })
    };
    assert!(deploys("2"));
    assert!(!deploys("3"));
}
