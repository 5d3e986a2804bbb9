//! How fast the model is: a large world behind load balancers for ten minutes and the memory that it
//! takes, one call, and requests that make no sense for as
//! many seconds as the first argument says. Run it with `cargo bench -p ecs-bg-sandbox --profile dev` for what
//! a test pays, or with the release profile.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and measures"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use ecs_bg_sandbox::{Cloud, Time, scenario::Scenario};
use serde_json::{Value, json};

const SERVICES: u32 = 1000;

fn main() {
    large();
    let seconds = std::env::args().find_map(|argument| argument.parse().ok());
    if let Some(seconds) = seconds {
        nonsense(Duration::from_secs(seconds));
    }
}

fn send(cloud: &mut Cloud, target: &str, body: impl Into<Bytes>) -> http::Response<Bytes> {
    let request = match target {
        "" => http::Request::post("/").header("content-type", "application/x-www-form-urlencoded"),
        target => http::Request::post("/").header("x-amz-target", target),
    };
    cloud.handle(cloud.now(), &request.body(body.into()).expect("a request"))
}

fn ecs(cloud: &mut Cloud, operation: &str, body: &Value) -> Value {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let answer = send(cloud, &target, body.to_string());
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
    serde_json::from_slice(answer.body()).expect("JSON")
}

fn elb(cloud: &mut Cloud, form: &str) -> String {
    let answer = send(cloud, "", format!("Version=2015-12-01&{form}"));
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.status(), 200, "{text}");
    text
}

/// The first ARN in an answer that begins so.
fn arn<'t>(text: &'t str, element: &str) -> &'t str {
    let rest = text.split_once(&format!("<{element}>")).expect(element).1;
    rest.split_once('<').expect("its end").0
}

/// A target group for each service, in a rule of its own; a load balancer has at most 100 rules.
fn groups(cloud: &mut Cloud) -> Vec<String> {
    let mut groups = Vec::new();
    let mut listener = String::new();
    for at in 0..SERVICES {
        if at % 100 == 0 {
            let form = format!("Action=CreateLoadBalancer&Name=b{at}&Subnets.member.1=subnet-a");
            let balancer = elb(cloud, &form);
            let balancer = arn(&balancer, "LoadBalancerArn");
            let answer = elb(
                cloud,
                &format!(
                    "Action=CreateListener&LoadBalancerArn={balancer}&Protocol=HTTP&Port=80&DefaultActions.member.1.Type=fixed-response&DefaultActions.member.1.FixedResponseConfig.StatusCode=404"
                ),
            );
            listener = arn(&answer, "ListenerArn").to_owned();
        }
        let group = elb(
            cloud,
            &format!(
                "Action=CreateTargetGroup&Name=g{at}&Protocol=HTTP&Port=80&VpcId=vpc-1&TargetType=ip&HealthCheckIntervalSeconds=10"
            ),
        );
        let group = arn(&group, "TargetGroupArn").to_owned();
        elb(
            cloud,
            &format!(
                "Action=CreateRule&ListenerArn={listener}&Priority={}&Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=/{at}&Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={group}",
                at + 1
            ),
        );
        groups.push(group);
    }
    groups
}

/// The most memory that this process ever held.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap_or("unknown here").trim().to_owned()
}

fn large() {
    let mut cloud = Cloud::new(1, Time(1_768_478_400_000));
    ecs(&mut cloud, "CreateCluster", &json!({"clusterName": "c"}));
    let definition = json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "containerDefinitions": [{"name": "web", "image": "web:1", "portMappings": [{"containerPort": 80}]}],
    });
    ecs(&mut cloud, "RegisterTaskDefinition", &definition);
    let begin = Instant::now();
    for (at, group) in groups(&mut cloud).into_iter().enumerate() {
        let service = json!({
            "cluster": "c", "serviceName": format!("s{at}"), "taskDefinition": "web",
            "desiredCount": 4, "launchType": "FARGATE",
            "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 80}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
        });
        ecs(&mut cloud, "CreateService", &service);
    }
    let end = cloud.now() + Duration::from_secs(600);
    cloud.advance(end);
    let took = begin.elapsed().as_secs_f64();
    println!("{SERVICES} services of 4 tasks, 10 minutes: {took:.2} s, at most {}", memory());
    for (operation, body) in [
        ("DescribeServices", json!({"cluster": "c", "services": ["s1"]})),
        ("UpdateService", json!({"cluster": "c", "service": "s1", "desiredCount": 4})),
        ("ListServices", json!({"cluster": "c"})),
        ("ListTasks", json!({"cluster": "c", "serviceName": "s7"})),
    ] {
        let begin = Instant::now();
        for _ in 0..200 {
            ecs(&mut cloud, operation, &body);
        }
        println!("{operation}: {:.3} ms a call", begin.elapsed().as_secs_f64() * 1000.0 / 200.0);
    }
}

/// Requests that were damaged, from a seed that is told: none may break the model.
fn nonsense(time: Duration) {
    let scenario = Scenario::builtin("shop").expect("a scenario");
    let world = Cloud::from_scenario(&scenario).expect("a world");
    let seeds = [
        (
            "AmazonEC2ContainerServiceV20141113.UpdateService",
            r#"{"cluster":"shop","service":"web","desiredCount":2,"loadBalancers":[],"networkConfiguration":{"awsvpcConfiguration":{"subnets":["a"]}}}"#,
        ),
        (
            "AmazonEC2ContainerServiceV20141113.CreateService",
            r#"{"cluster":"shop","serviceName":"x","taskDefinition":"web:1","desiredCount":2,"launchType":"FARGATE","tags":[{"key":"a","value":"b"}]}"#,
        ),
        (
            "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition",
            r#"{"family":"a","cpu":"256","memory":"512","volumes":[{"name":"v"}],"containerDefinitions":[{"name":"a","image":"a:1","memory":64,"portMappings":[{"containerPort":80}],"healthCheck":{"command":["CMD","x"]}}]}"#,
        ),
        (
            "AmazonEC2ContainerServiceV20141113.RunTask",
            r#"{"cluster":"shop","taskDefinition":"web","count":1,"launchType":"FARGATE"}"#,
        ),
        (
            "AmazonEC2ContainerRegistry_V20150921.BatchGetImage",
            r#"{"repositoryName":"shop/web","imageIds":[{"imageTag":"1"}]}"#,
        ),
        (
            "AnyScaleFrontendService.RegisterScalableTarget",
            r#"{"ServiceNamespace":"ecs","ResourceId":"service/shop/web","ScalableDimension":"ecs:service:DesiredCount","MinCapacity":1,"MaxCapacity":4}"#,
        ),
        (
            "",
            "Action=CreateRule&Version=2015-12-01&ListenerArn=arn:x&Priority=3&Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=/x&Actions.member.1.Type=forward",
        ),
        (
            "",
            "Action=RegisterTargets&Version=2015-12-01&TargetGroupArn=arn:aws:elasticloadbalancing:a:1:targetgroup/a/b&Targets.member.1.Id=1",
        ),
    ];
    let seed = fastrand::u64(..);
    println!("nonsense from seed {seed}");
    fastrand::seed(seed);
    let (begin, mut sent) = (Instant::now(), 0_u64);
    let mut cloud = world.clone();
    while begin.elapsed() < time {
        let (target, text) = seeds[fastrand::usize(..seeds.len())];
        let mut body = text.as_bytes().to_vec();
        for _ in 0..fastrand::usize(1..6) {
            let at = fastrand::usize(..body.len());
            match fastrand::u8(..3) {
                0 => body[at] = fastrand::u8(..),
                1 => drop(body.remove(at)),
                _ => body.insert(at, b"{}[]\",:0-9eE.&="[fastrand::usize(..15)]),
            }
        }
        let answer = send(&mut cloud, target, body.clone());
        assert!(answer.status().as_u16() < 500, "{}", String::from_utf8_lossy(&body));
        sent += 1;
        if sent.is_multiple_of(200) {
            cloud.advance(cloud.now() + Duration::from_secs(30));
        }
        if sent.is_multiple_of(2000) {
            cloud = world.clone();
        }
    }
    println!("{sent} requests that make no sense: each was answered");
}
