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

const IAM: &str = "2010-05-08";

/// A trust policy for a service.
fn trust(service: &str) -> String {
    let statement =
        json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

#[test]
fn a_role_is_made_and_given_a_policy() {
    let mut world = World::with(SOLO);
    let new =
        |name: &str, trust: &str| json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
    let made =
        world.query(IAM, "CreateRole", new("lb", &trust("ecs.amazonaws.com"))).expect("a role");
    assert_eq!(made["Role"]["Arn"], "arn:aws:iam::123456789012:role/lb");
    let found = world.query(IAM, "GetRole", json!({"RoleName": "lb"})).expect("a role");
    assert_eq!(found["Role"], made["Role"]);
    let again = world.query(IAM, "CreateRole", new("LB", &trust("ecs.amazonaws.com")));
    assert_eq!(again.expect_err("taken").0, "EntityAlreadyExists");
    for wrong in ["{", "{}", r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}"#] {
        let refused = world.query(IAM, "CreateRole", new("other", wrong));
        assert_eq!(refused.expect_err(wrong).0, "MalformedPolicyDocument", "{wrong}");
    }
    let name = "AmazonECSInfrastructureRolePolicyForLoadBalancers";
    let arn = format!("arn:aws:iam::aws:policy/{name}");
    let attach = |role: &str, arn: &str| json!({"RoleName": role, "PolicyArn": arn});
    for _ in 0..2 {
        world.query(IAM, "AttachRolePolicy", attach("lb", &arn)).expect("attached");
    }
    let listed = world.query(IAM, "ListAttachedRolePolicies", json!({"RoleName": "lb"}));
    let listed = listed.expect("policies");
    assert_eq!(listed["AttachedPolicies"], json!([{"PolicyName": name, "PolicyArn": arn}]));
    assert_eq!(listed["IsTruncated"], "false");
    for (role, policy, code) in [
        ("nobody", arn.as_str(), "NoSuchEntity"),
        (
            "lb",
            "arn:aws:iam::aws:policy/service-role/AmazonECSInfrastructureRolePolicyForLoadBalancers",
            "NoSuchEntity",
        ),
        ("lb", "AdministratorAccess", "InvalidInput"),
    ] {
        let refused = world.query(IAM, "AttachRolePolicy", attach(role, policy));
        assert_eq!(refused.expect_err(policy).0, code, "{role} {policy}");
    }
}

#[test]
fn a_new_role_cannot_be_assumed_at_once() {
    let mut world = World::with("extends = 'native'\n");
    let own = |world: &mut World| world.service("shop")["loadBalancers"].clone();
    let mut balancers = own(&mut world);
    let mut moves = |world: &mut World, role: &str| {
        balancers[0]["advancedConfiguration"]["roleArn"] =
            json!(format!("arn:aws:iam::123456789012:role/{role}"));
        let body = json!({"cluster": "shop", "service": "shop", "loadBalancers": balancers});
        world.ecs("UpdateService", body).map_err(|(code, text)| format!("{code}: {text}"))
    };
    for (name, trusts) in [("new", "ecs.amazonaws.com"), ("other", "ec2.amazonaws.com")] {
        let body = json!({"RoleName": name, "AssumeRolePolicyDocument": trust(trusts)});
        world.query(IAM, "CreateRole", body).expect("a role");
        let refused = moves(&mut world, name).expect_err("not yet");
        assert!(
            refused.starts_with("InvalidParameterException: ECS was unable to assume the role"),
            "{refused}"
        );
    }
    world.pass(11);
    moves(&mut world, "new").expect("assumable");
    assert!(moves(&mut world, "other").is_err());
    // What no scenario names is as it should be.
    moves(&mut world, "unknown").expect("assumable");
}

#[test]
fn a_role_without_the_policy_changes_no_rule() {
    let mut world = World::with("extends = 'native'\n[timing]\nrole = '0s'\n");
    let body = json!({"RoleName": "new", "AssumeRolePolicyDocument": trust("ecs.amazonaws.com")});
    world.query(IAM, "CreateRole", body).expect("a role");
    let mut balancers = world.service("shop")["loadBalancers"].clone();
    balancers[0]["advancedConfiguration"]["roleArn"] = json!("arn:aws:iam::123456789012:role/new");
    let body = json!({"cluster": "shop", "service": "shop", "loadBalancers": balancers});
    world.ecs("UpdateService", body).expect("a deployment");
    world.pass(120);
    let text = world.service("shop").to_string();
    assert!(text.contains("missing permissions on ECS Infrastructure Role"), "{text}");
}
