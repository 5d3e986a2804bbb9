//! Calls under a policy: what is allowed, and AWS's words for what is not.

use ecs_bg_sandbox::iam::Policy;
use serde_json::{Value, json};

use crate::support::{Refused, World};

const ME: &str = "arn:aws:iam::123456789012:user/sandbox";
const WEB: &str = "arn:aws:ecs:eu-central-1:123456789012:service/shop/web";

fn under(statements: Value) -> World {
    let mut world = World::shop();
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let policy = Policy::parse(&text, "policy.json").unwrap_or_else(|error| panic!("{error}"));
    world.cloud.set_policy(Some(policy));
    world
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": resource})
}

fn update(world: &mut World) -> Result<Value, Refused> {
    world.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 3}))
}

fn code<T>(result: Result<T, Refused>) -> String {
    result.err().map_or_else(String::new, |(code, _)| code)
}

#[test]
fn what_nothing_allows_is_denied_in_aws_words() {
    let mut world = under(json!([allow(&["ecs:Describe*"], "*")]));
    let (refused, message) = update(&mut world).expect_err("denied");
    assert_eq!(refused, "AccessDeniedException");
    assert_eq!(
        message,
        format!(
            "User: {ME} is not authorized to perform: ecs:UpdateService on resource: {WEB} because no identity-based policy allows the ecs:UpdateService action"
        )
    );
    assert_eq!(world.service("web")["desiredCount"], 2, "no effect, and describing is allowed");
    let denied = world.elb("DescribeTargetGroups", json!({})).expect_err("denied");
    assert_eq!(denied.0, "AccessDenied");
    assert_eq!(
        denied.1,
        format!(
            "User: {ME} is not authorized to perform: elasticloadbalancing:DescribeTargetGroups because no identity-based policy allows the elasticloadbalancing:DescribeTargetGroups action"
        )
    );
    let (_, message) = world.ecs("ListTasks", json!({"cluster": "shop"})).expect_err("denied");
    assert!(message.contains("ecs:ListTasks on resource: * because"), "{message}");
    world.query("2011-06-15", "GetCallerIdentity", json!({})).expect("always allowed");
    assert_eq!(code(world.ecs("MakeCoffee", json!({}))), "UnknownOperationException");
}

#[test]
fn a_denial_wins() {
    let mut world = under(json!([
        allow(&["*"], "*"),
        {"Effect": "Deny", "Action": "ecs:Update*", "Resource": WEB},
    ]));
    let (_, message) = update(&mut world).expect_err("denied");
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
    world
        .ecs("UpdateService", json!({"cluster": "shop", "service": "web-green", "desiredCount": 0}))
        .expect("another service");
}

#[test]
fn not_action_and_not_resource() {
    let mut world =
        under(json!([{"Effect": "Allow", "NotAction": "ecs:Delete*", "NotResource": WEB}]));
    assert_eq!(code(update(&mut world)), "AccessDeniedException", "the resource that is not meant");
    world
        .ecs("UpdateService", json!({"cluster": "shop", "service": "web-green", "desiredCount": 0}))
        .expect("another service");
    let delete = json!({"cluster": "shop", "service": "web-green", "force": true});
    assert_eq!(code(world.ecs("DeleteService", delete)), "AccessDeniedException");
}

#[test]
fn conditions_on_cluster_and_tags() {
    let cluster = |arn: &str| json!([{"Effect": "Allow", "Action": "ecs:*", "Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": arn}}}]);
    let own = cluster("arn:aws:ecs:*:123456789012:cluster/shop");
    update(&mut under(own)).expect("the cluster");
    let other = cluster("arn:aws:ecs:*:123456789012:cluster/bank");
    assert_eq!(code(update(&mut under(other))), "AccessDeniedException");

    let tagged = json!([
        allow(&["ecs:TagResource"], "*"),
        {"Effect": "Allow", "Action": "ecs:UpdateService", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "shop"}}},
    ]);
    let mut world = under(tagged);
    assert_eq!(code(update(&mut world)), "AccessDeniedException", "no tag yet");
    let tag = json!({"resourceArn": WEB, "tags": [{"key": "team", "value": "shop"}]});
    world.ecs("TagResource", tag).expect("tagged");
    update(&mut world).expect("now it has one");
}

#[test]
fn registering_needs_the_roles_and_the_tags() {
    let role = "arn:aws:iam::123456789012:role/web";
    let definition = json!({
        "family": "x",
        "executionRoleArn": role,
        "tags": [{"key": "team", "value": "shop"}],
        "containerDefinitions": [{"name": "x", "image": "x", "memory": 128}],
    });
    let mut statements = vec![allow(&["ecs:RegisterTaskDefinition"], "*")];
    let register = |statements: &[Value]| {
        under(json!(statements)).ecs("RegisterTaskDefinition", definition.clone())
    };
    let (_, message) = register(&statements).expect_err("tags");
    assert!(
        message.contains(
            "ecs:TagResource on resource: arn:aws:ecs:eu-central-1:123456789012:task-definition/x:*"
        ),
        "{message}"
    );
    statements.push(json!({"Effect": "Allow", "Action": "ecs:TagResource", "Resource": "*",
        "Condition": {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}));
    let (_, message) = register(&statements).expect_err("roles");
    assert_eq!(
        message,
        format!(
            "User: {ME} is not authorized to perform: iam:PassRole on resource: {role} because no identity-based policy allows the iam:PassRole action"
        )
    );
    statements.push(json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
        "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}));
    register(&statements).expect("registered");
    statements[1]["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"] = json!(["owner"]);
    assert_eq!(code(register(&statements)), "AccessDeniedException", "another tag");
}

#[test]
fn rules_are_not_their_listeners() {
    let mut open = World::shop();
    let rule = open.rule();
    let arn = rule["RuleArn"].as_str().expect("an ARN");
    let modify = json!({"RuleArn": arn, "Actions": rule["Actions"]});
    let listeners = "arn:aws:elasticloadbalancing:*:*:listener/app/*";
    let mut world = under(json!([allow(&["elasticloadbalancing:Modify*"], listeners)]));
    let (_, message) = world.elb("ModifyRule", modify.clone()).expect_err("a rule");
    assert!(
        message.contains(&format!("elasticloadbalancing:ModifyRule on resource: {arn}")),
        "{message}"
    );
    let rules = "arn:aws:elasticloadbalancing:*:*:listener-rule/app/*";
    under(json!([allow(&["elasticloadbalancing:ModifyRule"], rules)]))
        .elb("ModifyRule", modify)
        .expect("allowed");
}

#[test]
fn images_and_scalable_targets() {
    let repository = "arn:aws:ecr:eu-central-1:123456789012:repository/shop/web";
    let mut world = under(json!([allow(&["ecr:DescribeImages"], repository)]));
    world.ecr("DescribeImages", json!({"repositoryName": "shop/web"})).expect("allowed");
    let other = world.ecr("DescribeImages", json!({"repositoryName": "shop/other"}));
    assert_eq!(code(other), "AccessDeniedException", "before it is looked for");
    let targets = world.scaling("DescribeScalableTargets", json!({"ServiceNamespace": "ecs"}));
    assert_eq!(code(targets), "AccessDeniedException");
}

#[test]
fn logs_are_read_by_group_and_stream() {
    let group = "arn:aws:logs:eu-central-1:123456789012:log-group:/shop/web:*";
    let mut world = under(json!([allow(&["logs:GetLogEvents"], group)]));
    let read = |group: &str| json!({"logGroupName": group, "logStreamName": "web/web/1"});
    let allowed = world.logs("GetLogEvents", read("/shop/web"));
    assert_eq!(code(allowed), "ResourceNotFoundException");
    let (refused, message) =
        world.logs("GetLogEvents", read("/shop/api")).expect_err("another one");
    assert_eq!(refused, "AccessDeniedException");
    let stream = "arn:aws:logs:eu-central-1:123456789012:log-group:/shop/api:log-stream:web/web/1";
    assert!(message.contains(&format!("logs:GetLogEvents on resource: {stream}")), "{message}");
    let streams = world.logs("DescribeLogStreams", json!({"logGroupName": "/shop/web"}));
    assert_eq!(code(streams), "AccessDeniedException");
}

#[test]
fn service_deployments_and_revisions_are_resources_of_a_cluster_and_a_service() {
    let cluster = "arn:aws:ecs:eu-central-1:123456789012:cluster/shop";
    let own = |service: &str| {
        json!({"Effect": "Allow", "Resource": "*",
            "Action": ["ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"],
            "Condition": {"ArnEquals": {"ecs:cluster": cluster, "ecs:service": service}}})
    };
    for (service, refused) in
        [(WEB, ""), (&*WEB.replace("/web", "/web-green"), "AccessDeniedException")]
    {
        let mut world = under(json!([allow(&["ecs:DescribeServices"], "*"), own(service)]));
        let web = world.service("web");
        let (deployment, revision) =
            (&web["currentServiceDeployment"], &web["currentServiceRevisions"][0]["arn"]);
        let deployments = json!({"serviceDeploymentArns": [deployment]});
        assert_eq!(code(world.ecs("DescribeServiceDeployments", deployments)), refused);
        let revisions = json!({"serviceRevisionArns": [revision]});
        assert_eq!(code(world.ecs("DescribeServiceRevisions", revisions)), refused);
        let stop = json!({"serviceDeploymentArn": deployment});
        let stopped = code(world.ecs("StopServiceDeployment", stop));
        assert_eq!(
            stopped,
            if refused.is_empty() { "ConflictException" } else { refused },
            "it is over"
        );
        let list = json!({"cluster": "shop", "service": "web"});
        assert_eq!(code(world.ecs("ListServiceDeployments", list)), "AccessDeniedException");
    }
}

#[test]
fn roles_for_load_balancers_and_hooks_are_passed_to_ecs() {
    let update = |pass: &[&str], service: &str| {
        let mut world = World::with("extends = 'native'");
        let balancers = world.service("shop")["loadBalancers"].clone();
        let passing = json!({"Effect": "Allow", "Action": "iam:PassRole", "Resource": pass,
            "Condition": {"StringEquals": {"iam:PassedToService": service}}});
        let policy =
            json!({"Version": "2012-10-17", "Statement": [allow(&["ecs:*"], "*"), passing]});
        world.cloud.set_policy(Some(Policy::parse(&policy.to_string(), "test").expect("a policy")));
        let hook = json!({"hookTargetArn": "arn:aws:lambda:eu-central-1:123456789012:function:smoke",
            "roleArn": "arn:aws:iam::123456789012:role/shop-hooks", "lifecycleStages": ["PRE_SCALE_UP"]});
        let request = json!({"cluster": "shop", "service": "shop", "loadBalancers": balancers,
            "deploymentConfiguration": {"strategy": "BLUE_GREEN", "lifecycleHooks": [hook]}});
        world.ecs("UpdateService", request).map(drop).map_err(|(_, message)| message)
    };
    let roles = [
        "arn:aws:iam::123456789012:role/shop-load-balancers",
        "arn:aws:iam::123456789012:role/shop-hooks",
    ];
    assert_eq!(update(&roles, "ecs.amazonaws.com"), Ok(()));
    for (pass, service, missing) in [
        (&roles[..1], "ecs.amazonaws.com", roles[1]),
        (&roles[1..], "ecs.amazonaws.com", roles[0]),
        (&roles[..], "ecs-tasks.amazonaws.com", roles[0]),
    ] {
        let message = update(pass, service).expect_err("denied");
        assert!(message.contains(&format!("iam:PassRole on resource: {missing}")), "{message}");
    }
}
