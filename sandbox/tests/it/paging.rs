//! Pages and batch limits of every operation that lists or describes.

use serde_json::{Value, json};

use crate::support::{Refused, World};

const MANY: usize = 23;

fn world() -> World {
    let mut text = String::from("extends = 'shop'\n");
    for at in 0..MANY {
        text.push_str(&format!(
            "[[cluster]]\nname = 'c{at}'\n[[repository]]\nname = 'r{at:02}'\nimages = ['1']\n[[target_group]]\nname = 'g{at}'\ntargetType = 'ip'\nport = 80\nprotocol = 'HTTP'\n[[task_definition]]\nfamily = 'f{at}'\ncontainerDefinitions = [{{ name = 'a', image = 'a', memory = 128 }}]\n"
        ));
    }
    let images: Vec<String> = (0..MANY).map(|at| format!("'{at}'")).collect();
    text.push_str(&format!("[[repository]]\nname = 'many'\nimages = [{}]\n", images.join(", ")));
    World::with(&text)
}

type Call = fn(&mut World, &str, Value) -> Result<Value, Refused>;

/// Operation, the request, the member with the items, how it says size, token and next token.
type Row = (Call, &'static str, Value, &'static str, [&'static str; 3]);

fn table() -> Vec<Row> {
    let ecs = ["maxResults", "nextToken", "nextToken"];
    let elb = ["PageSize", "Marker", "NextMarker"];
    vec![
        (World::ecs, "ListClusters", json!({}), "clusterArns", ecs),
        (World::ecs, "ListTaskDefinitions", json!({}), "taskDefinitionArns", ecs),
        (World::ecs, "ListTaskDefinitionFamilies", json!({}), "families", ecs),
        (World::ecr, "DescribeRepositories", json!({}), "repositories", ecs),
        (World::ecr, "DescribeImages", json!({"repositoryName": "many"}), "imageDetails", ecs),
        (World::elb, "DescribeTargetGroups", json!({}), "TargetGroups", elb),
    ]
}

#[test]
fn pages_make_the_whole() {
    for (call, operation, request, member, [size, token, next]) in table() {
        let mut world = world();
        let whole = call(&mut world, operation, request.clone()).expect(operation);
        let whole = whole[member].as_array().expect(operation).clone();
        assert!(whole.len() >= MANY, "{operation}: {}", whole.len());
        let mut pages = Vec::new();
        let mut request = request;
        request[size] = json!(10);
        loop {
            let page = call(&mut world, operation, request.clone()).expect(operation);
            let items = page[member].as_array().expect(operation);
            assert!(items.len() <= 10, "{operation}");
            pages.extend(items.clone());
            match page.get(next) {
                Some(more) => request[token] = more.clone(),
                None => break,
            }
        }
        assert_eq!(pages, whole, "{operation}");
    }
}

#[test]
fn wrong_tokens_and_sizes_are_refused() {
    let mut world = world();
    for (call, operation, request, _, [size, token, _]) in table() {
        let refused = |world: &mut World, member: &str, value: Value| {
            let mut request = request.clone();
            request[member] = value;
            call(world, operation, request).expect_err(operation).0
        };
        let code = if size == "PageSize" { "ValidationError" } else { "InvalidParameterException" };
        for (member, value) in [(token, json!("nothing")), (size, json!(0)), (size, json!(1001))] {
            assert_eq!(
                refused(&mut world, member, value.clone()),
                code,
                "{operation} {member} {value}"
            );
        }
    }
    let targets = json!({"ServiceNamespace": "ecs", "NextToken": "nothing"});
    let refused = world.scaling("DescribeScalableTargets", targets).expect_err("no such token");
    assert_eq!(refused.0, "InvalidNextTokenException");
}

#[test]
fn batches_have_limits() {
    let mut world = world();
    let names = |count: usize| -> Vec<String> { (0..count).map(|at| format!("g{at}")).collect() };
    let arns = |count: usize| -> Vec<String> {
        (0..count)
            .map(|at| format!("arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/g{at}/0"))
            .collect()
    };
    let table: Vec<(Call, &str, Value, &str)> = vec![
        (
            World::ecs,
            "DescribeServices",
            json!({"cluster": "shop", "services": names(11)}),
            "InvalidParameterException",
        ),
        (
            World::ecs,
            "DescribeServices",
            json!({"cluster": "shop", "services": []}),
            "InvalidParameterException",
        ),
        (
            World::ecs,
            "DescribeTasks",
            json!({"cluster": "shop", "tasks": names(101)}),
            "InvalidParameterException",
        ),
        (
            World::ecs,
            "DescribeTasks",
            json!({"cluster": "shop", "tasks": []}),
            "InvalidParameterException",
        ),
        (
            World::ecs,
            "DescribeClusters",
            json!({"clusters": names(101)}),
            "InvalidParameterException",
        ),
        (World::elb, "DescribeTargetGroups", json!({"Names": names(21)}), "ValidationError"),
        (
            World::elb,
            "DescribeLoadBalancers",
            json!({"LoadBalancerArns": arns(21)}),
            "ValidationError",
        ),
        (World::elb, "DescribeTags", json!({"ResourceArns": arns(21)}), "ValidationError"),
        (
            World::ecr,
            "DescribeImages",
            json!({"repositoryName": "many", "imageIds": [{"imageTag": "1"}], "maxResults": 5}),
            "InvalidParameterException",
        ),
        (
            World::ecr,
            "BatchGetImage",
            json!({"repositoryName": "many", "imageIds": []}),
            "InvalidParameterException",
        ),
        (
            World::scaling,
            "DescribeScalableTargets",
            json!({"ServiceNamespace": "ecs", "ResourceIds": names(51)}),
            "ValidationException",
        ),
        (
            World::scaling,
            "DescribeScalableTargets",
            json!({"ServiceNamespace": "ecs", "MaxResults": 51}),
            "ValidationException",
        ),
    ];
    for (call, operation, request, code) in table {
        let refused = call(&mut world, operation, request.clone()).expect_err(operation);
        assert_eq!(refused.0, code, "{operation} {request}: {refused:?}");
    }
    world.elb("DescribeTargetGroups", json!({"Names": names(20)})).expect("20 are described");
}
