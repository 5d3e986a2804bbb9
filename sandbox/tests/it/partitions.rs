//! Regions are in partitions: what an ARN begins with, and what a host ends with.

use serde_json::{Value, json};

use crate::support::World;

/// Every ARN of a world as its client sees it.
fn arns(text: &str) -> Vec<&str> {
    text.match_indices("arn:")
        .map(|(at, _)| text[at..].split(['"', '/', ' ']).next().unwrap_or(""))
        .collect()
}

#[test]
fn a_region_names_everything_as_its_partition_does() {
    for (region, partition, suffix) in [
        ("eu-central-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ] {
        let mut world = World::with(&format!(
            "region = '{region}'\n[[cluster]]\nname = 'shop'\n[[repository]]\nname = 'shop/web'\nimages = ['1']\n\
             [[load_balancer]]\nname = 'shop'\nazs = ['a']\n[[target_group]]\nname = 'web'\nport = 80\n\
             [[listener]]\nname = 'l'\nloadBalancer = 'shop'\nport = 80\nprotocol = 'HTTP'\n\
             actions = [{{ type = 'forward', targetGroups = [{{ targetGroup = 'web', weight = 1 }}] }}]\n\
             [[task_definition]]\nfamily = 'web'\nnetworkMode = 'awsvpc'\ncpu = '256'\nmemory = '512'\n\
             executionRoleArn = 'arn:{partition}:iam::123456789012:role/execution'\n\
             containerDefinitions = [{{ name = 'web', image = '123456789012.dkr.ecr.{region}.{suffix}/shop/web:1', portMappings = [{{ containerPort = 80 }}] }}]\n\
             [[service]]\ncluster = 'shop'\nserviceName = 'web'\ntaskDefinition = 'web'\ndesiredCount = 1\nlaunchType = 'FARGATE'\n\
             loadBalancers = [{{ targetGroup = 'web', containerName = 'web', containerPort = 80 }}]\n\
             networkConfiguration = {{ awsvpcConfiguration = {{ subnets = ['subnet-a'] }} }}\n\
             [[scalable_target]]\nservice = 'shop/web'\nmin = 1\nmax = 4"
        ));
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=A/20260115/{region}/x/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut ask = |target: &str, body: Value| {
            let headers = [
                ("authorization", scope.as_str()),
                ("x-amz-target", target),
                ("content-type", "application/x-amz-json-1.1"),
            ];
            let mut request = http::Request::builder().method("POST").uri("https://aws.example/");
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.body(body.to_string().into()).expect("a request");
            let response = world.cloud.handle(world.cloud.now(), &request);
            assert_eq!(response.status(), 200, "{target} {:?}", response.body());
            String::from_utf8(response.body().to_vec()).expect("text")
        };
        let ecs = "AmazonEC2ContainerServiceV20141113";
        let mut all = ask(
            &format!("{ecs}.DescribeServices"),
            json!({"cluster": "shop", "services": ["web"]}),
        );
        all += &ask(&format!("{ecs}.DescribeTaskDefinition"), json!({"taskDefinition": "web"}));
        all += &ask(&format!("{ecs}.ListTasks"), json!({"cluster": "shop"}));
        all += &ask(
            "AnyScaleFrontendService.DescribeScalableTargets",
            json!({"ServiceNamespace": "ecs"}),
        );
        let images = ask("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", json!({}));
        let named = arns(&all);
        assert!(named.len() > 8, "{all}");
        for arn in named.into_iter().chain(arns(&images)) {
            assert!(arn.starts_with(&format!("arn:{partition}:")), "{arn} in {region}");
        }
        let host = format!("123456789012.dkr.ecr.{region}.{suffix}/shop/web");
        assert!(images.contains(&host), "{images}");
        let service: Value = serde_json::from_str(&ask(
            &format!("{ecs}.DescribeServices"),
            json!({"cluster": "shop", "services": ["web"]}),
        ))
        .expect("JSON");
        let own = service["services"][0]["serviceArn"].clone();
        assert_eq!(service["services"][0]["runningCount"], 1, "its image is found: {service}");
        ask(&format!("{ecs}.DescribeServices"), json!({"cluster": "shop", "services": [own]}));
    }
}
