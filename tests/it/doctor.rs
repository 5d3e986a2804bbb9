//! `ecs-bg doctor`: what would make a deployment fail, slow or surprising.

use std::fs;

use ecs_bg_sandbox::iam::Policy;
use serde_json::{Value, json};

use crate::support::lives::{Life, World, parts};

const DOCTOR: &str = "doctor --cluster shop --service api --output json";

/// The scenario `solo` with some of its text replaced.
fn solo(changes: &[(&str, &str)]) -> World {
    let path = "sandbox/scenarios/solo.toml";
    let mut text = fs::read_to_string(path).expect(path);
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    World::parsed(&text)
}

fn report(life: &Life) -> Value {
    serde_json::from_str(&life.text).unwrap_or_else(|error| panic!("{error}: {}", life.text))
}

/// The findings, as `level check`.
fn found(report: &Value) -> Vec<String> {
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or("?").to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.map(|one| format!("{} {}", text(one, "finding"), text(one, "check"))).collect()
}

/// A service that one policy scales, by the requests of this target group.
fn scaled_by(scenario: &str, service: &str, kind: &str, label: &str) -> Vec<String> {
    let target =
        format!("[[scalable_target]]\nservice = 'shop/{service}'\nmin = 1\nmax = 4\ncpu = 20\n");
    let world = World::parsed(&format!("extends = '{scenario}'\n{target}"));
    let configuration = match kind {
        "PredictiveScaling" => serde_json::json!({"PredictiveScalingPolicyConfiguration": {
            "MetricSpecifications": [{"TargetValue": 40, "PredefinedMetricPairSpecification":
                {"PredefinedMetricType": "ECSServiceCPUUtilization"}}]}}),
        _ => serde_json::json!({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 100,
            "PredefinedMetricSpecification":
                {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}}}),
    };
    let mut policy = serde_json::json!({
        "PolicyName": "requests", "ServiceNamespace": "ecs", "PolicyType": kind,
        "ResourceId": format!("service/shop/{service}"), "ScalableDimension": "ecs:service:DesiredCount",
    });
    for (member, value) in configuration.as_object().into_iter().flatten() {
        policy[member] = value.clone();
    }
    let put = world.call("application-autoscaling", "PutScalingPolicy", &policy.to_string());
    assert!(put.contains("PolicyARN"), "{put}");
    found(&report(&world.run(&DOCTOR.replace("--service api", &format!("--service {service}")))))
}

#[test]
fn a_policy_that_does_not_tell_how_busy_the_service_is_is_found() {
    let tracking = "TargetTrackingScaling";
    let own = |scenario: &str, group: &str| {
        let world = World::parsed(&format!("extends = '{scenario}'"));
        let groups = world.call("elasticloadbalancing", "DescribeTargetGroups", "");
        let arns = parts(&groups, "TargetGroupArn");
        let arn = arns.into_iter().find(|arn| arn.contains(&format!("/{group}/"))).expect(group);
        format!("app/shop/1/{}", arn.rsplit(':').next().unwrap_or_default())
    };
    let wrong = "warning scaling-label".to_owned();
    let found = scaled_by("solo", "api", tracking, "app/shop/1/targetgroup/other/2");
    assert!(found.contains(&wrong), "{found:?}");
    let found = scaled_by("solo", "api", tracking, &own("solo", "api"));
    assert!(!found.contains(&wrong), "{found:?}");
    // The other one of two that ECS swaps gets the requests after the next deployment.
    let found = scaled_by("native", "shop", tracking, &own("native", "shop-blue"));
    assert!(found.contains(&wrong), "{found:?}");
    let found = scaled_by("solo", "api", "PredictiveScaling", "");
    assert!(found.contains(&"warning forecast".to_owned()), "{found:?}");
}

#[test]
fn each_thing_that_may_go_wrong_is_found() {
    let service = "desiredCount = 2";
    let container = "essential = true";
    for (changes, expected) in [
        (vec![(service, "desiredCount = 1")], "hint one-task"),
        (
            vec![(
                service,
                "desiredCount = 2\ndeploymentConfiguration = { minimumHealthyPercent = 0, maximumPercent = 100 }",
            )],
            "warning downtime",
        ),
        (
            vec![(
                service,
                "desiredCount = 4\ndeploymentConfiguration = { minimumHealthyPercent = 50, maximumPercent = 200 }",
            )],
            "hint capacity-while-deploying",
        ),
        (
            vec![(
                service,
                "desiredCount = 2\ndeploymentConfiguration = { minimumHealthyPercent = 100, maximumPercent = 149 }",
            )],
            "error progress",
        ),
        (vec![(service, "desiredCount = 2\ntags = { ManagedBy = 'terraform' }")], "hint owner"),
        (
            vec![
                ("[subnets]", "[subnets]\nsubnet-c = 'eu-central-1a'"),
                ("'subnet-a', 'subnet-b'", "'subnet-a', 'subnet-c'"),
            ],
            "hint one-subnet",
        ),
        (
            vec![(service, "desiredCount = 2\nhealthCheckGracePeriodSeconds = 1")],
            "hint grace-period",
        ),
        (
            vec![(
                container,
                "essential = true\nenvironment = [{ name = 'DATABASE_URL', value = 'postgres://shop:x@db/shop' }]",
            )],
            "warning plain-secret",
        ),
        (vec![("'subnet-a', 'subnet-b'", "'subnet-a'")], "hint one-subnet"),
        (
            vec![(
                container,
                "essential = true\nenvironment = [{ name = 'DB_PASSWORD', value = 'x' }]",
            )],
            "warning plain-secret",
        ),
        (
            vec![(
                container,
                "essential = true\nenvironment = [{ name = 'DB', value = 'jdbc:mysql://db/shop?user=u&password=x' }]",
            )],
            "warning plain-secret",
        ),
        (vec![("timeout_seconds' = '15'", "timeout_seconds' = '300'")], "hint slow-draining"),
        (vec![("timeout_seconds' = '15'", "timeout_seconds' = '0'")], "warning draining"),
        (vec![("matcher = '200'", "matcher = '200-399'")], "hint redirect"),
        (vec![("images = ['1', '2', '3', '4']", "images = ['2', '3', '4']")], "warning plan"),
        (
            vec![(
                "images = ['1', '2', '3', '4']",
                "images = ['1', '2', '3', '4']\nplatforms = { 1 = ['linux/arm64'] }",
            )],
            "warning platform",
        ),
        (vec![("[subnets]", "[[missing]]\nname = 'shop-execution'\n[subnets]")], "warning role"),
        (
            vec![(
                "[subnets]",
                "[[role]]\nname = 'shop-execution'\ntrusts = 'ec2.amazonaws.com'\n[subnets]",
            )],
            "warning role",
        ),
        (
            vec![
                (
                    container,
                    "essential = true\nsecrets = [{ name = 'A', valueFrom = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/a-AbCdEf:key::' }, { name = 'B', valueFrom = 'arn:aws:ssm:eu-central-1:123456789012:parameter/shop/b' }]",
                ),
                ("[subnets]", "[[missing]]\nname = 'shop/a-AbCdEf'\n[subnets]"),
            ],
            "warning secret",
        ),
        (
            vec![
                (container, "essential = true\nsecrets = [{ name = 'B', valueFrom = '/shop/b' }]"),
                ("[subnets]", "[[missing]]\nname = '/shop/b'\n[subnets]"),
            ],
            "warning secret",
        ),
        (
            vec![
                ("[subnets]", "[subnets]\nsubnet-c = 'eu-central-1c'"),
                ("'subnet-a', 'subnet-b'", "'subnet-a', 'subnet-b', 'subnet-c'"),
            ],
            "warning zone",
        ),
        (
            vec![(
                "[subnets]",
                "[[subnet]]\nname = 'subnet-a'\naddresses = 1\n[[subnet]]\nname = 'subnet-b'\naddresses = 1\n[subnets]",
            )],
            "warning addresses",
        ),
        (vec![("timeout_seconds' = '15'", "timeout_seconds' = '60'")], "hint stop-timeout"),
    ] {
        let life = solo(&changes).run(DOCTOR);
        let report = report(&life);
        let found = found(&report);
        assert!(found.iter().any(|one| one == expected), "{expected}: {found:?}\n{}", life.text);
        let code = if expected.starts_with("error") { 3 } else { 0 };
        assert_eq!(life.code, Some(code), "{expected}");
        // The same with `--strict`.
        let strict = solo(&changes).run(&format!("{DOCTOR} --strict")).code;
        let warned = found.iter().any(|one| one.starts_with("warning"));
        assert_eq!(strict, Some(if code == 3 { 3 } else { u8::from(warned) }), "{expected}");
        // Nothing that is secret is said.
        assert!(!life.text.contains("\"x\""), "{}", life.text);
    }
}

#[test]
fn what_only_looks_like_a_finding_is_none() {
    let container = "essential = true";
    let variable = |name: &str, value: &str| {
        format!("essential = true\nenvironment = [{{ name = '{name}', value = '{value}' }}]")
    };
    let tagged = |tag: &str| format!("desiredCount = 2\ntags = {{ {tag} }}");
    for (old, new, check) in [
        (container, variable("PASSWORD_MIN_LENGTH", "12"), "plain-secret"),
        (container, variable("DISABLE_PASSWORD_LOGIN", "true"), "plain-secret"),
        (container, variable("DATABASE_URL", "postgres://shop@db:5432/shop"), "plain-secret"),
        (container, variable("DATABASE_URL", "postgres://%s:%s@%s:%d/%s"), "plain-secret"),
        ("desiredCount = 2", tagged("terraform = 'false'"), "owner"),
        ("desiredCount = 2", tagged("Team = 'terraform-guild'"), "owner"),
        (
            "desiredCount = 2",
            "desiredCount = 2\nhealthCheckGracePeriodSeconds = 60".to_owned(),
            "grace-period",
        ),
    ] {
        let life = solo(&[(old, &new)]).run(DOCTOR);
        let passed = report(&life)["passed"].as_array().expect("passed").contains(&check.into());
        assert!(passed, "{new}: {}", life.text);
    }
}

/// The registry's password and a log group are named like secrets; nobody has these.
#[test]
fn all_that_a_container_names_is_looked_for() {
    let from = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf";
    let definition = json!({
        "family": "api", "containerDefinitions": [{"name": "api", "image": "shop/api:1", "memory": 64,
            "portMappings": [{"containerPort": 8080}],
            "repositoryCredentials": {"credentialsParameter": from},
            "logConfiguration": {"logDriver": "awslogs",
                "options": {"awslogs-group": "/none", "awslogs-region": "us-east-1"}}}],
    });
    let file = std::env::temp_dir().join(format!("ecs-bg-elsewhere-{}.json", std::process::id()));
    fs::write(&file, definition.to_string()).expect("written");
    let life = World::new("solo").run(&format!("{DOCTOR} --task-definition {}", file.display()));
    fs::remove_file(&file).expect("removed");
    let fix = "aws logs create-log-group --log-group-name /none --region us-east-1";
    assert!(life.text.contains(fix), "{}", life.text);
    assert!(
        life.text.contains("repositoryCredentials of container api comes from"),
        "{}",
        life.text
    );
}

/// The lines of docs/terraform.md that a service needs, and no others.
#[test]
fn terraform_must_leave_alone_what_a_deployment_changes() {
    let scaled = |service: &str| {
        format!("[[scalable_target]]\nservice = 'shop/{service}'\nmin = 1\nmax = 4\ncpu = 20\n")
    };
    let both = scaled("web") + &scaled("web-green");
    let pair = "ignore_changes = [task_definition, desired_count] } in aws_ecs_service; lifecycle { ignore_changes = \
                [action] } in aws_lb_listener_rule; ";
    let limits = "lifecycle { ignore_changes = [min_capacity, max_capacity, suspended_state] } in \
                  aws_appautoscaling_target; ";
    for (scenario, service, more, options, expected) in [
        ("solo", "api", String::new(), "", "ignore_changes = [task_definition] } in aws_ecs_service; ".to_owned()),
        (
            "solo",
            "api",
            scaled("api"),
            "",
            "ignore_changes = [task_definition, desired_count] } in aws_ecs_service; ".to_owned(),
        ),
        (
            "solo",
            "api",
            String::new(),
            " --desired-count 2 --max-percent 200",
            "ignore_changes = [task_definition, desired_count, deployment_maximum_percent] } in aws_ecs_service; "
                .to_owned(),
        ),
        ("shop", "web", String::new(), "", pair.to_owned()),
        ("shop", "web", both, "", format!("{pair}{limits}")),
        (
            "native",
            "shop",
            String::new(),
            "",
            "ignore_changes = [task_definition] } in aws_ecs_service; lifecycle { ignore_changes = [action] } in \
             aws_lb_listener_rule; "
                .to_owned(),
        ),
        (
            "native",
            "shop",
            String::new(),
            " --bake 5m",
            "ignore_changes = [task_definition, deployment_configuration] } in aws_ecs_service; lifecycle { \
             ignore_changes = [action] } in aws_lb_listener_rule; "
                .to_owned(),
        ),
    ] {
        let twin = if scenario == "shop" { ", 'ecs-bg:twin' = 'web-green'" } else { "" };
        let world = World::parsed(&format!(
            "extends = '{scenario}'\n{more}[[service]]\nserviceName = '{service}'\n\
             tags = {{ ManagedBy = 'Terraform'{twin} }}\n"
        ));
        let life = world.run(&format!("doctor --cluster shop --service {service}{options} --output json"));
        let report = report(&life);
        let findings = report["findings"].as_array().expect("findings");
        let owner = findings.iter().find(|one| one["check"] == "owner").unwrap_or_else(|| panic!("{}", life.text));
        let fix = format!("lifecycle {{ {expected}skip_destroy = true in aws_ecs_task_definition");
        assert_eq!(owner["fix"], fix, "{scenario}{options}");
    }
}

/// What AWS refuses at RegisterTaskDefinition is said before anything is sent; AWS has the last word.
#[test]
fn what_aws_would_not_register_is_said_before() {
    let scenario = include_str!("../../scenarios/solo.toml");
    let lines = scenario.lines().filter(|line| !line.starts_with("loadBalancers"));
    let headless = lines.collect::<Vec<_>>().join("\n");
    let folder = "sandbox/tests/register";
    let mut files: Vec<_> =
        fs::read_dir(folder).expect(folder).flatten().map(|one| one.path()).collect();
    files.sort();
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        let options = format!("--cluster shop --service api --task-definition {}", file.display());
        let world = World::parsed(&headless);
        let doctor = world.run(&format!("doctor {options} --output json"));
        assert_eq!(doctor.code, Some(3), "{}: {}", file.display(), doctor.text);
        let errors = found(&report(&doctor)).into_iter().filter(|one| one.starts_with("error"));
        assert!(errors.count() > 0, "{}: {}", file.display(), doctor.text);
        let plan = world.run(&format!("plan {options}"));
        let is_said = plan.code == Some(3) || plan.text.contains("AWS will not register");
        assert!(is_said, "{}: {}", file.display(), plan.text);
        let from = world.cloud().journal().len();
        let deploy = world.run(&format!("deploy {options}"));
        assert_eq!(deploy.code, Some(3), "{}: {}", file.display(), deploy.text);
        assert!(world.journal(from).is_empty(), "{}", deploy.text);
    }
}

#[test]
fn what_a_deployment_would_be_refused_for_is_found_with_its_fix() {
    let world = World::new("solo");
    let life = world.run(&format!("{DOCTOR} --tag 9"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    let report = report(&life);
    let image = report["findings"].as_array().expect("findings").iter();
    let image = image.clone().find(|one| one["check"] == "image").expect("the image");
    assert!(image["fix"].as_str().is_some_and(|fix| fix.starts_with("aws ecr list-images")));
    // The same as `deploy` says.
    let refused = world.run("deploy --cluster shop --service api --tag 9");
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.text.contains(image["message"].as_str().expect("a message")),
        "{}",
        refused.text
    );
}

#[test]
fn checks_that_were_not_made_are_not_said_to_be_passed() {
    let life = World::new("solo").run(&format!("{DOCTOR} --engine listener"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    let report = report(&life);
    assert!(!report["passed"].as_array().expect("passed").contains(&"twin".into()), "{report}");
}

#[test]
fn an_alarm_that_is_on_and_one_that_may_not_be_read() {
    let text = fs::read_to_string("tests/cases/alarm.toml").expect("a scenario");
    let world = World::parsed(&text);
    world.cloud().set_alarm("too-many-5xx", "ALARM");
    let life = world.run(DOCTOR);
    let report_on = report(&life);
    assert!(found(&report_on).contains(&"warning alarm".to_owned()), "{}", life.text);
    assert!(life.text.contains("too-many-5xx"), "{}", life.text);
    let all = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":["cloudwatch:DescribeAlarms","logs:*","iam:*","ec2:*","ecr:BatchGetImage",
        "secretsmanager:*","ssm:*","elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeAccountLimits"],"Resource":"*"}]}"#;
    world.cloud().set_policy(Some(Policy::parse(all, "policy").expect("a policy")));
    let life = world.run(DOCTOR);
    let report_denied = report(&life);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let found = found(&report_denied);
    assert!(found.contains(&"unknown permissions".to_owned()), "{found:?}");
    assert!(life.text.contains("allow cloudwatch:DescribeAlarms"), "{}", life.text);
    for action in [
        "iam:GetRole",
        "ec2:DescribeSubnets",
        "ecr:BatchGetImage",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeAccountLimits",
    ] {
        assert!(life.text.contains(&format!("allow {action}")), "{action}: {}", life.text);
    }
    let passed = report_denied["passed"].as_array().expect("passed");
    for unmade in ["alarm", "role", "zone", "addresses", "platform"] {
        assert!(!passed.contains(&unmade.into()), "{unmade} was not looked at: {passed:?}");
    }
}

/// Nothing is said to be well that could not be looked at.
#[test]
fn what_may_not_be_read_has_not_passed() {
    for (action, unmade) in [
        (
            "application-autoscaling:DescribeScalableTargets",
            &["auto-scaling", "scaling-label", "forecast", "suspended-scaling"][..],
        ),
        (
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            &["draining", "slow-draining", "stop-timeout"],
        ),
        ("elasticloadbalancing:DescribeTargetGroups", &["target-type", "check-port", "draining"]),
    ] {
        let world = World::new("solo");
        let before = report(&world.run(DOCTOR));
        let passed = |report: &Value, code: &str| {
            report["passed"].as_array().expect("passed").contains(&code.into())
        };
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*"}},
            {{"Effect":"Deny","Action":"{action}","Resource":"*"}}]}}"#
        );
        world.cloud().set_policy(Some(Policy::parse(&policy, "policy").expect("a policy")));
        let after = report(&world.run(DOCTOR));
        for code in unmade {
            assert!(passed(&before, code), "{code}: {before}");
            assert!(!passed(&after, code), "{action}, {code}: {after}");
        }
    }
}

/// What a deployment with these options would run is judged, not what runs.
#[test]
fn what_would_be_deployed_is_judged() {
    let file = std::env::temp_dir().join(format!("ecs-bg-doctor-{}.json", std::process::id()));
    let definition = r#"{"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/none",
        "containerDefinitions": [{"name": "api", "image": "shop/api:1", "portMappings": [{"containerPort": 8080}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/none",
                "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "api"}}}]}"#;
    fs::write(&file, definition).expect("written");
    let of_file = format!("--task-definition {}", file.display());
    let secret =
        "--secret TOKEN=arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf";
    for (options, code) in [
        ("--image api=public.ecr.aws/x/api:latest", "hint moving-tag"),
        ("--env DB_PASSWORD=hunter2", "warning plain-secret"),
        (secret, "warning secret"),
        (&of_file, "warning role"),
        (&of_file, "warning log-group"),
    ] {
        let before = report(&World::new("solo").run(DOCTOR));
        assert!(!found(&before).contains(&code.to_owned()), "{before}");
        let life = World::new("solo").run(&format!("{DOCTOR} {options}"));
        assert!(found(&report(&life)).contains(&code.to_owned()), "{options}: {}", life.text);
        assert!(!life.text.contains("hunter2"), "{}", life.text);
    }
    fs::remove_file(&file).expect("removed");
}

#[test]
fn it_reads_little_and_changes_nothing() {
    for (scenario, options, most) in [
        ("solo", "--cluster shop --service api", 19),
        ("shop", "--cluster shop --service web", 22),
        ("native", "--cluster shop --service shop", 23),
    ] {
        let life = World::new(scenario).run(&format!("doctor {options} --output json"));
        let report = report(&life);
        let calls = report["api_calls"].as_object().expect("calls");
        let verbs = ["Describe", "List", "Get", "BatchGetImage", "Simulate"];
        let reads = |name: &String| verbs.iter().any(|verb| name.starts_with(verb));
        assert!(calls.keys().all(reads), "{scenario}: {calls:?}");
        let total: u64 = calls.values().filter_map(Value::as_u64).sum();
        assert!(total <= most, "{scenario}: {total} calls, {calls:?}");
        assert_eq!(life.code, Some(0), "{scenario}: {}", life.text);
    }
}

/// Services, groups, listeners, rules: each needs the one before. The rest is read beside them.
#[test]
fn it_waits_for_few_answers_one_after_the_other() {
    for (scenario, options, most) in [
        ("solo", "--cluster shop --service api", 5),
        // A tag of the one service names the other.
        ("shop", "--cluster shop --service web", 6),
        ("native", "--cluster shop --service shop", 5),
    ] {
        let world = World::new(scenario);
        let began = world.now();
        let life = world.run(&format!("doctor {options} --output json"));
        let latency = world.cloud().latency();
        let depth = (world.now() - began).as_millis() / latency.as_millis();
        assert!((1..=most).contains(&depth), "{scenario}: {depth} round trips, {:?}", life.calls);
    }
}

#[test]
fn a_pause_that_a_deployment_could_not_take_out_is_found() {
    let world = World::new("native");
    let service = "--cluster shop --service shop";
    let deploy = format!("deploy {service} --tag 2 --pause-at before-traffic --pause-limit 5m");
    // The permission is lost half-way, and ECS itself ends the pause.
    let less = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"ecs:UpdateService","Resource":"*"}]}"#;
    let less = Policy::parse(less, "policy").expect("a policy");
    let life = world.run_beside(&deploy, 60, move |cloud| cloud.set_policy(Some(less.clone())));
    assert_eq!(life.code, Some(1), "{}", life.text);
    world.cloud().set_policy(None);
    let life = world.run(&format!("doctor {service} --output json"));
    let report = report(&life);
    assert!(found(&report).contains(&"warning settings-left".to_owned()), "{}", life.text);
    let left = report["findings"].as_array().expect("findings").iter();
    let left = left.clone().find(|one| one["check"] == "settings-left").expect("the pause");
    assert!(left["message"].as_str().is_some_and(|text| text.contains("still has")), "{left}");
    assert!(!left["fix"].as_str().expect("a fix").contains("PAUSE"), "{left}");
    // The service's own pauses, and none at all, are nobody's remains.
    let life = World::new("native").run(&format!("doctor {service} --output json"));
    assert!(!life.text.contains("\"settings-left\",\"finding\""), "{}", life.text);
}

/// What is said of room where one service's tasks run on instances of a cluster.
fn of_room(
    instances: &[&str],
    network: &str,
    container: &str,
    policy: Option<&str>,
) -> Vec<String> {
    let mut text =
        "extends = 'empty'\n[subnets]\nsubnet-a = 'eu-central-1a'\n[[cluster]]\nname = 'shop'\n"
            .to_owned();
    for (at, instance) in instances.iter().enumerate() {
        text += &format!(
            "[[container_instance]]\nname = 'i{at}'\ncluster = 'shop'\naz = 'a'\n{instance}\n"
        );
    }
    let subnets = match network {
        "awsvpc" => "networkConfiguration = { awsvpcConfiguration = { subnets = ['subnet-a'] } }",
        _ => "",
    };
    text += &format!(
        "[[image]]\nref = 'shop/own'\ndoes = 'serve'\n\
         [[task_definition]]\nfamily = 'own'\nnetworkMode = '{network}'\n\
         containerDefinitions = [{{ name = 'own', image = 'shop/own', {container} }}]\n\
         [[service]]\ncluster = 'shop'\nserviceName = 'own'\ntaskDefinition = 'own'\ndesiredCount = 2\n\
         launchType = 'EC2'\n{subnets}\n"
    );
    let world = World::parsed(&text);
    if let Some(denied) = policy {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*"}},
                {{"Effect":"Deny","Action":"{denied}","Resource":"*"}}]}}"#
        );
        world.cloud().set_policy(Some(Policy::parse(&policy, "policy").expect("a policy")));
    }
    let report = report(&world.run("doctor --cluster shop --service own --output json"));
    let findings = report["findings"].as_array().expect("findings").clone();
    let findings = findings
        .into_iter()
        .filter(|one| matches!(one["check"].as_str(), Some("room" | "permissions")));
    findings.map(|one| one["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn instances_without_room_for_the_tasks_beside_the_old_ones_are_found() {
    let none = |lacks: &str| {
        vec![format!(
            "the instances of the cluster have no room for a task of own beside the old ones: {lacks} short"
        )]
    };
    // Two tasks run, and ECS starts a third one before it stops one.
    let (small, interfaces) = ("memory = 64", none("network interfaces are"));
    assert_eq!(of_room(&["enis = 3"], "awsvpc", small, None), [""; 0]);
    assert_eq!(of_room(&["enis = 2"], "awsvpc", small, None), interfaces);
    assert_eq!(of_room(&["enis = 1", "enis = 1"], "awsvpc", small, None), interfaces);
    // Interfaces of the tasks are branches of one: nobody but AWS's tables says how many there may be.
    assert_eq!(of_room(&["enis = 40"], "awsvpc", small, None), [""; 0]);
    assert_eq!(of_room(&["enis = 1"], "bridge", small, None), [""; 0]);
    let more = "memory = 64, cpu = 400";
    assert_eq!(of_room(&["cpu = 1199"], "bridge", more, None), none("CPU units are"));
    assert_eq!(of_room(&["cpu = 1200"], "bridge", more, None), [""; 0]);
    assert_eq!(of_room(&["memory = 1024"], "bridge", "memory = 400", None), none("memory is"));
    // What a container reserves is what it takes.
    let reserves = "memory = 900, memoryReservation = 300";
    assert_eq!(of_room(&["memory = 1024"], "bridge", reserves, None), [""; 0]);
    assert_eq!(of_room(&["memory = 899"], "bridge", reserves, None), none("memory is"));
    for denied in ["ec2:DescribeInstances", "ec2:DescribeInstanceTypes"] {
        let unknown = of_room(&["enis = 2"], "awsvpc", small, Some(denied));
        assert!(matches!(&unknown[..], [one] if one.contains(denied)), "{unknown:?}");
    }
}

/// So many that their targets are counted.
const TASKS: u32 = 60;

/// What it says of quotas, with this one: `level check`, and the words.
fn of_quota(scenario: &str, service: &str, quota: &str, max: u32) -> Vec<(String, String)> {
    let name = service.rsplit(' ').next().unwrap_or_default();
    let limit = format!(
        "extends = '{scenario}'\n[[limit]]\nname = '{quota}'\nmax = {max}
        [[service]]\nserviceName = '{name}'\ndesiredCount = {TASKS}\n"
    );
    let life = World::parsed(&limit).run(&DOCTOR.replace("--service api", service));
    let report = report(&life);
    let findings = found(&report).into_iter().zip(report["findings"].as_array().expect("findings"));
    findings
        .filter(|(found, _)| found.contains("quota") || found.contains("vcpus"))
        .map(|(found, one)| (found, one["message"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

#[test]
fn a_quota_without_room_for_the_next_deployment_is_found_and_the_last_place_is_room() {
    let (solo, shop, native) = ("--service api", "--service web", "--service shop");
    for (scenario, service, quota, fits, says) in [
        // As many tasks beside the old ones.
        (
            "solo",
            solo,
            "targets-per-target-group",
            120,
            "warning quota: api has 60 targets, and 60 more",
        ),
        (
            "shop",
            shop,
            "targets-per-target-group",
            60,
            "warning quota: web-b has 0 targets, and 60 more",
        ),
        (
            "native",
            native,
            "targets-per-application-load-balancer",
            120,
            "warning quota: shop has at least 60 targets, and 60 more",
        ),
        (
            "solo",
            solo,
            "target-groups",
            2,
            "hint setup-quota: ecs-bg setup would be refused: eu-central-1 has 1 target groups, and 1 more",
        ),
        (
            "solo",
            solo,
            "target-groups-per-application-load-balancer",
            2,
            "hint setup-quota: ecs-bg setup would be refused: shop has 1 target groups, and 1 more",
        ),
        (
            "solo",
            solo,
            "rules-per-application-load-balancer",
            1,
            "hint setup-quota: ecs-bg setup would be refused: shop has 0 rules, and 1 more",
        ),
    ] {
        let enough = of_quota(scenario, service, quota, fits);
        assert_eq!(enough, [], "{scenario} {quota}");
        let found = of_quota(scenario, service, quota, fits - 1);
        let found: Vec<String> =
            found.iter().map(|(check, words)| format!("{check}: {words}")).collect();
        assert!(found.iter().any(|one| one.starts_with(says)), "{scenario} {quota}: {found:?}");
        let is = format!("quota {quota} is {}", fits - 1);
        assert!(found.iter().all(|one| one.ends_with(&is)), "{scenario} {quota}: {found:?}");
    }
    let vcpus = "Fargate On-Demand vCPU resource count";
    let says = |max| of_quota("shop", shop, vcpus, max);
    // 60 tasks of a quarter of a vCPU, and 60 more beside them.
    assert_eq!(says(30), []);
    let words = "15 vCPUs of AWS Fargate run in eu-central-1, and 15 more are needed beside them: quota L-3032A538 is 29";
    assert_eq!(says(29), [("warning vcpus".to_owned(), words.to_owned())]);
    // One task at a time is replaced.
    assert_eq!(of_quota("solo", solo, vcpus, 16), []);
    // Nothing is to be made for a service that is set up, or has a twin.
    for (scenario, service) in [("native", native), ("shop", shop)] {
        assert_eq!(of_quota(scenario, service, "target-groups", 1), [], "{scenario}");
    }
}

/// Ten containers, and names that few programs expect.
#[test]
fn a_definition_that_is_too_large_is_found_before_anything_is_sent() {
    let file = std::env::temp_dir().join(format!("ecs-bg-large-{}.json", std::process::id()));
    let write = |bytes: usize| {
        let container = |number: usize| {
            let name = if number == 0 { "api".to_owned() } else { format!("side-{number}") };
            let value = "\u{202e}ü\u{1f680}".repeat(bytes / 100);
            let ports = if number == 0 { json!([{"containerPort": 8080}]) } else { json!([]) };
            json!({"name": name, "image": "shop/api:1", "essential": number == 0, "portMappings": ports,
                "environment": [{"name": "GREETING", "value": value}]})
        };
        let containers: Vec<Value> = (0..10).map(container).collect();
        let definition = json!({"family": "api", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/shop-execution",
            "containerDefinitions": containers});
        fs::write(&file, definition.to_string()).expect("written");
    };
    let options = format!("--cluster shop --service api --task-definition {}", file.display());
    write(80_000);
    for command in ["doctor", "plan", "deploy"] {
        let world = World::new("solo");
        let from = world.cloud().journal().len();
        let life = world.run(&format!("{command} {options}"));
        assert_eq!(life.code, Some(3), "{command}: {}", life.text);
        assert!(life.text.contains("and a task definition has at most 65536"), "{}", life.text);
        assert_eq!(world.cloud().journal().len(), from, "{command}");
    }
    write(30_000);
    let life = World::new("solo").run(&format!("doctor {options}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let world = World::new("solo");
    let life = world.run(&format!("deploy {options}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    fs::remove_file(&file).expect("removed");
}

/// Service Quotas is not in reach of every network: the check is left out, and nothing else.
#[test]
fn where_quotas_do_not_answer_the_rest_is_judged() {
    let world = World::new("solo");
    let fault = r#"[{"operation": "GetServiceQuota", "does": "reset-before", "times": 9}]"#;
    world.cloud().set_faults(serde_json::from_str(fault).expect("a fault")).expect("known");
    let life = world.run(DOCTOR);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let report = report(&life);
    assert!(!report["passed"].as_array().expect("passed").contains(&"vcpus".into()), "{report}");
}

/// What a service names can be gone: the other checks are made all the same.
#[test]
fn something_that_is_named_and_not_there_stops_no_check() {
    // A subnet.
    let world = World::new("solo");
    let subnets = json!({"cluster": "shop", "service": "api", "networkConfiguration":
        {"awsvpcConfiguration": {"subnets": ["subnet-a", "subnet-zzz"]}}});
    world.call("ecs", "UpdateService", &subnets.to_string());
    let life = world.run(DOCTOR);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let report = report(&life);
    assert!(found(&report).contains(&"unknown reads".to_owned()), "{}", life.text);
    assert!(life.text.contains("subnet-zzz"), "{}", life.text);
    // The repository of an image.
    let image = "api=123456789012.dkr.ecr.eu-central-1.amazonaws.com/nope:1";
    let life = World::new("solo").run(&format!("{DOCTOR} --image {image}"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    let report = self::report(&life);
    assert!(found(&report).contains(&"error image".to_owned()), "{}", life.text);
    assert!(report["passed"].as_array().is_some_and(|all| all.len() > 5), "{}", life.text);
}

/// Its target group is deleted: one service says so, and the others are shown.
#[test]
fn a_target_group_that_is_gone_hides_no_other_service() {
    let world = World::new("solo");
    let ask = |operation: &str, body: &str| world.call("elasticloadbalancing", operation, body);
    let group = parts(&ask("DescribeTargetGroups", ""), "TargetGroupArn").remove(0);
    let balancer = parts(&ask("DescribeLoadBalancers", ""), "LoadBalancerArn").remove(0);
    let listeners = ask("DescribeListeners", &format!("LoadBalancerArn={balancer}"));
    let listener = parts(&listeners, "ListenerArn").remove(0);
    let fixed = "DefaultActions.member.1.Type=fixed-response&\
                 DefaultActions.member.1.FixedResponseConfig.StatusCode=503";
    ask("ModifyListener", &format!("ListenerArn={listener}&{fixed}"));
    let deleted = ask("DeleteTargetGroup", &format!("TargetGroupArn={group}"));
    assert!(!deleted.contains("Error"), "{deleted}");
    let life = world.run("status --cluster shop");
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("api"), "{}", life.text);
    let life = world.run(DOCTOR);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("does not exist: ECS can register no target"), "{}", life.text);
    let repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api";
    let deploy = format!("deploy --cluster shop --service api --image {repository}:2");
    let life = world.run(&deploy);
    assert_eq!(life.code, Some(3), "{}", life.text);
}

/// The deployment runs it, too.
#[test]
fn an_image_that_stays_as_it_is_must_be_there_as_well() {
    let world = solo(&[("images = ['1', '2', '3', '4']", "images = ['2', '3', '4']")]);
    let service = "--cluster shop --service api";
    for line in [
        format!("deploy {service} --force-new-deployment"),
        format!("deploy {service} --env A=1"),
        format!("plan {service} --env A=1"),
        format!("doctor {service} --env A=1"),
    ] {
        let life = world.run(&line);
        assert_eq!(life.code, Some(3), "{line}: {}", life.text);
        assert!(life.text.contains("shop/api:1"), "{line}: {}", life.text);
    }
    // Another image is the fix.
    let life = world.run(&format!("deploy {service} --tag 2"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}
