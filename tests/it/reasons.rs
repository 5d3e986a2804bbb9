//! Why a deployment does not come to be, on small worlds that real reports were reduced to
//! (`tests/cases`): the reason is the real one, as early as it can be known.

use std::fs;
use std::time::Duration;

use ecs_bg_sandbox::iam::Policy;

use crate::support::lives::{Life, World, logging};

fn world(case: &str) -> World {
    with(case, "")
}

/// A case, and more of it.
fn with(case: &str, more: &str) -> World {
    let path = format!("tests/cases/{case}.toml");
    World::parsed(&format!("{}\n{more}", fs::read_to_string(&path).expect(&path)))
}

const DEPLOY: &str = "deploy --cluster shop --service api --tag 2";

fn says(life: &Life, code: u8, parts: &[&str]) {
    assert_eq!(life.code, Some(code), "{}", life.text);
    for part in parts {
        assert!(life.text.contains(part), "no {part:?} in:\n{}", life.text);
    }
}

fn registers(life: &Life) -> bool {
    life.calls.contains_key("RegisterTaskDefinition")
}

#[test]
fn an_alarm_that_ends_a_deployment_is_named() {
    let life =
        world("alarm").run_beside(DEPLOY, 90, |cloud| cloud.set_alarm("too-many-5xx", "ALARM"));
    says(&life, 1, &["alarm detected; the alarm is too-many-5xx"]);
}

#[test]
fn a_directory_that_efs_lacks_is_not_a_missing_command() {
    let life = world("reason_efs_dir").run(DEPLOY);
    says(&life, 1, &["mounting fs-0abc", "(the directory does not exist in the EFS file system)"]);
    assert!(!life.text.contains("command does not exist"), "{}", life.text);
}

#[test]
fn an_internal_error_that_cannot_pass_is_given_up_at_once() {
    let life = world("reason_internalerror").run(DEPLOY);
    says(&life, 1, &["failed to normalize image reference", "(the image name is not valid)"]);
    // Each as it happens, and all of them in the last lines.
    let failed = life.text.matches("  failed    task ").count();
    assert!(failed <= 3, "no second start: {}", life.text);
}

#[test]
fn a_zone_that_the_load_balancer_has_not_enabled_is_refused_before_anything_is_registered() {
    for command in ["plan", "deploy"] {
        let command = DEPLOY.replace("deploy", command);
        let life = world("target_zone_not_enabled").run(&command);
        says(&life, 3, &["is not enabled on the load balancer", "hint: enable the zone"]);
        assert!(!registers(&life), "{}", life.text);
    }
    // What only asks ECS to start is not kept from it.
    let life = world("target_zone_not_enabled").run(&format!("{DEPLOY} --no-wait"));
    says(&life, 0, &[]);
}

#[test]
fn a_zone_that_is_not_enabled_is_refused_for_a_pair_too() {
    let world = World::parsed("extends = 'shop'\n[[load_balancer]]\nname = 'shop'\nazs = ['a']");
    let life = world.run(&crate::support::lives::deploy("2", ""));
    says(
        &life,
        3,
        &[
            "web: the zone of target ",
            "(target group web-a)",
            "is not enabled on the load balancer",
        ],
    );
    assert!(!registers(&life), "{}", life.text);
}

#[test]
fn a_target_group_that_no_rule_forwards_to_is_refused_before_anything_is_registered() {
    let world = World::new("solo");
    let balancers = world.call("elasticloadbalancing", "DescribeLoadBalancers", "");
    let arn = |text: &str, tag: &str| {
        let rest = text.split_once(&format!("<{tag}>")).expect(tag).1;
        rest.split_once('<').expect(tag).0.to_owned()
    };
    let balancer = format!("LoadBalancerArn={}", arn(&balancers, "LoadBalancerArn"));
    let listeners = world.call("elasticloadbalancing", "DescribeListeners", &balancer);
    let listener = format!("ListenerArn={}", arn(&listeners, "ListenerArn"));
    world.call("elasticloadbalancing", "DeleteListener", &listener);
    let life = world.run(DEPLOY);
    says(
        &life,
        3,
        &["no rule forwards to api, the target group of api", "hint: aws elbv2 create-rule"],
    );
    assert!(!registers(&life), "{}", life.text);
}

#[test]
fn a_zone_that_is_taken_away_meanwhile_is_told_as_soon_as_a_target_is_in_it() {
    // Its only task is in the zone that stays: nothing can be seen before.
    let more = "[[service]]\ncluster = 'shop'\nserviceName = 'api'\ndesiredCount = 1\n";
    let life = with("target_zone_not_enabled", more).run(&format!("{DEPLOY} --desired-count 2"));
    says(&life, 1, &["is not enabled on the load balancer"]);
    assert!(registers(&life));
}

#[test]
fn a_port_that_its_own_task_holds_is_refused_with_what_frees_it() {
    let deploy =
        "deploy --cluster lab --service edge --image edge=registry.example.com:5000/edge:2";
    let life = world("static_port").run(deploy);
    says(
        &life,
        3,
        &[
            "port 80 of every instance that takes tasks is held by a task of edge",
            "hint: --min-healthy 0",
        ],
    );
    assert!(!registers(&life), "{}", life.text);
    let life = world("static_port").run(&format!("{deploy} --min-healthy 0"));
    says(&life, 0, &[]);
    // On another instance there is room.
    let more = "[[container_instance]]\nname = 'second'\ncluster = 'lab'\naz = 'a'\ncpu = 2048\nmemory = 4096";
    let life = with("static_port", more).run(deploy);
    says(&life, 0, &[]);
    // Who may not list the instances leaves it to ECS.
    let life = world("static_port")
        .run_denied(&format!("{deploy} --timeout 2m"), &["ListContainerInstances"]);
    says(&life, 1, &["already using a port required by your task"]);
}

#[test]
fn a_start_that_is_slower_than_its_grace_period_says_so() {
    let life = world("slow_no_grace").run(DEPLOY);
    let parts = ["got no answer within 5s", "the health check grace period of api is 0s"];
    says(&life, 1, &parts);
    let grace =
        "[[service]]\ncluster = 'shop'\nserviceName = 'api'\nhealthCheckGracePeriodSeconds = 120\n";
    says(&with("slow_no_grace", grace).run(DEPLOY), 0, &[]);
}

#[test]
fn a_dependency_that_failed_is_the_cause_and_not_who_waits_for_it() {
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:2";
    let deploy = format!("deploy --cluster shop --service api --image api={image}");
    let world = world("sandbox_depends_on");
    let begin = world.now();
    let life = world.run(&deploy);
    // The old revision waits for the same container, and never ran either: nothing is waited for.
    assert!(world.now() - begin < Duration::from_secs(300), "{}", life.text);
    says(&life, 4, &["container side exited with code 3; container api depends on it"]);
}

#[test]
fn a_grpc_check_speaks_of_grpc_statuses() {
    let deploy = "deploy --cluster shop --service grpc --image grpc=ghcr.io/x/grpc:3";
    let life = world("grpc").run(deploy);
    let check =
        "gRPC health check /grpc.health.v1.Health/Check answered gRPC status 14, expected 12";
    says(&life, 1, &[check]);
    assert!(!life.text.contains("GET "), "{}", life.text);
    let path = "tests/cases/grpc.toml";
    let healthy = fs::read_to_string(path).expect(path).replace("status=14", "status=12");
    says(&World::parsed(&healthy).run(deploy), 0, &[]);
}

#[test]
fn without_a_permission_for_target_health_ecs_is_relied_on_with_one_warning() {
    let path = "tests/cases/perm_without_targethealth.json";
    let policy = Policy::parse(&fs::read_to_string(path).expect(path), path).expect("a policy");
    let world = World::new("solo");
    world.cloud().set_policy(Some(policy));
    let life = world.run(DEPLOY);
    says(&life, 0, &["target health is left to ECS"]);
    let told = life.text.lines().filter(|line| line.contains("DescribeTargetHealth")).count();
    assert_eq!(told, 1, "{}", life.text);
    // The same where it is taken away meanwhile.
    let world = World::new("solo");
    let life = world.run_beside(DEPLOY, 5, move |cloud| {
        let path = "tests/cases/perm_without_targethealth.json";
        let policy = Policy::parse(&fs::read_to_string(path).expect(path), path).expect("a policy");
        cloud.set_policy(Some(policy));
    });
    says(&life, 0, &["target health is left to ECS"]);
    assert_eq!(life.text.matches("target health is left to ECS").count(), 1, "{}", life.text);
}

#[test]
fn every_arn_of_a_world_in_china_is_of_its_partition() {
    let life = world("sandbox_china").run(&format!("{DEPLOY} --output json"));
    says(&life, 0, &["arn:aws-cn:"]);
    assert!(!life.text.contains("arn:aws:"), "{}", life.text);
    let cluster = "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/shop";
    let life = world("sandbox_china")
        .run(&DEPLOY.replace("--cluster shop", &format!("--cluster {cluster}")));
    says(&life, 0, &[]);
}

/// The exit code says nothing, and the log does.
#[test]
fn what_the_log_says_of_the_end_is_the_reason() {
    for (line, means, helps) in [
        (
            "exec /app/server: exec format error",
            "(the image is built for another CPU architecture)",
            "to fix    Build for the architecture of the task",
        ),
        (
            "/app/server: error while loading shared libraries: libssl.so.3: cannot open shared object file",
            "(the image lacks a library that the command needs)",
            "to fix    Build the image from a base that has the library",
        ),
    ] {
        let world = World::parsed(&format!(
            "{}
            [[image]]
            ref = 'shop/api:2'
            does = 'exit'
            code = 1
            logs = ['{line}']",
            logging("eu-central-1")
        ));
        let life = world.run("deploy --cluster shop --service api --tag 2");
        assert_eq!(life.code, Some(1), "{}", life.text);
        let why = life.text.lines().find(|line| line.starts_with("  why ")).expect("a reason");
        assert!(why.contains(means), "{}", life.text);
        assert!(life.text.contains(helps), "{}", life.text);
    }
}
