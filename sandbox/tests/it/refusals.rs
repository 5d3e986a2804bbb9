//! What AWS refuses, with its exception and its text.

use serde_json::{Value, json};

use crate::support::World;

/// A definition with these members besides.
fn definition(members: Value) -> Value {
    let mut request = json!({"family": "one", "containerDefinitions": [{"name": "a", "image": "x", "memory": 64}]});
    request
        .as_object_mut()
        .expect("an object")
        .extend(members.as_object().expect("members").clone());
    request
}

fn container(members: Value) -> Value {
    let mut one = json!({"name": "a", "image": "x", "memory": 64});
    one.as_object_mut().expect("an object").extend(members.as_object().expect("members").clone());
    json!({"containerDefinitions": [one]})
}

fn fargate(cpu: &str, memory: &str) -> Value {
    json!({"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": cpu, "memory": memory})
}

#[test]
fn task_definitions_that_cannot_run_are_refused() {
    let mut world = World::shop();
    let no_memory = json!({"containerDefinitions": [{"name": "a", "image": "x"}]});
    let ports = |mode: &str| {
        let mut members =
            container(json!({"portMappings": [{"containerPort": 80, "hostPort": 81}]}));
        members["networkMode"] = json!(mode);
        members
    };
    let both = fargate("256", "4096");
    let cases = [
        (
            no_memory,
            "Invalid setting for container 'a'. At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (
            ports("awsvpc"),
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        (
            ports("host"),
            "When networkMode=host, the host ports and container ports in port mappings must match.",
        ),
        (both, "No Fargate configuration exists for given values."),
        (fargate("300", "1024"), "No Fargate configuration exists for given values."),
        (json!({"networkMode": "vpc"}), "Invalid networkMode: 'vpc'."),
        (
            json!({"requiresCompatibilities": ["LAMBDA"]}),
            "Invalid requiresCompatibilities: 'LAMBDA'.",
        ),
        (
            json!({"runtimePlatform": {"cpuArchitecture": "RISCV"}}),
            "Invalid cpuArchitecture: 'RISCV'.",
        ),
        (json!({"pidMode": "container"}), "Invalid pidMode: 'container'."),
        (container(json!({"mountPoints": [{"sourceVolume": "data"}]})), "Unknown volume 'data'."),
        (
            container(json!({"dependsOn": [{"containerName": "b", "condition": "START"}]})),
            "depends on container 'b'",
        ),
        (
            container(json!({"healthCheck": {"command": ["CMD"], "interval": 4}})),
            "interval should be between 5 and 300.",
        ),
        (
            container(json!({"portMappings": [{"containerPort": 70_000}]})),
            "Invalid 'containerPort' setting for container 'a'.",
        ),
        (json!({"ephemeralStorage": {"sizeInGiB": 10}}), "Ephemeral storage size"),
    ];
    for (members, text) in cases {
        let refused = world.ecs("RegisterTaskDefinition", definition(members)).expect_err(text);
        assert_eq!(refused.0, "ClientException", "{refused:?}");
        assert!(refused.1.contains(text), "{refused:?}");
    }
    for (cpu, memory) in [("256", "512"), ("1 vCPU", "3GB"), ("4096", "30720"), ("8192", "20480")] {
        world.ecs("RegisterTaskDefinition", definition(fargate(cpu, memory))).expect(cpu);
    }
    let long = "x".repeat(64 * 1024);
    let refused = world
        .ecs("RegisterTaskDefinition", definition(json!({"taskRoleArn": long})))
        .expect_err("long");
    assert!(refused.1.contains("Max allowed length is '65536' bytes."), "{refused:?}");
}

fn service(members: Value) -> Value {
    let mut request = json!({"cluster": "shop", "serviceName": "one", "taskDefinition": "web", "desiredCount": 0,
        "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}});
    request
        .as_object_mut()
        .expect("an object")
        .extend(members.as_object().expect("members").clone());
    request.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    request
}

#[test]
fn services_that_cannot_be_are_refused() {
    let mut world = World::shop();
    let parameter = "InvalidParameterException";
    let strategy = json!([{"capacityProvider": "FARGATE"}]);
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let cases = [
        (
            json!({"desiredCount": null}),
            parameter,
            "The desiredCount is required when schedulingStrategy is REPLICA.",
        ),
        (
            json!({"desiredCount": -1}),
            parameter,
            "desiredCount should be greater than or equal to 0.",
        ),
        (json!({"schedulingStrategy": "DAEMON"}), parameter, "DAEMON"),
        (
            json!({"schedulingStrategy": "DAEMON", "launchType": "EC2"}),
            parameter,
            "does not support a desired count",
        ),
        (json!({"schedulingStrategy": "ALL"}), parameter, "Invalid schedulingStrategy: 'ALL'."),
        (json!({"launchType": "LAMBDA"}), parameter, "Invalid launchType: 'LAMBDA'."),
        (
            json!({"capacityProviderStrategy": strategy}),
            parameter,
            "Specifying both a launch type and capacity provider strategy",
        ),
        (
            json!({"healthCheckGracePeriodSeconds": -5}),
            parameter,
            "healthCheckGracePeriodSeconds should not be negative.",
        ),
        (json!({"platformVersion": "9.9.9"}), "PlatformUnknownException", "9.9.9"),
        (
            json!({"launchType": "EC2", "platformVersion": "1.4.0"}),
            parameter,
            "The platform version must be null when specifying an EC2 launch type.",
        ),
        (
            json!({"placementStrategy": [{"type": "spread"}]}),
            parameter,
            "Placement strategies are not supported with FARGATE launch type.",
        ),
        (
            json!({"role": "x"}),
            parameter,
            "You cannot specify an IAM role for services that require a service linked role.",
        ),
        (json!({"clientToken": "x".repeat(37)}), parameter, "clientToken"),
        (json!({"deploymentController": {"type": "KUBE"}}), parameter, "Deployment controller"),
        (
            json!({"deploymentController": {"type": "CODE_DEPLOY"}, "deploymentConfiguration": breaker}),
            parameter,
            "ECS deployment controller",
        ),
        (
            json!({"deploymentConfiguration": {"strategy": "FAST"}}),
            parameter,
            "Invalid strategy: 'FAST'.",
        ),
        (
            json!({"deploymentConfiguration": {"alarms": {"alarmNames": [], "enable": true, "rollback": true}}}),
            parameter,
            "alarmNames",
        ),
        (json!({"taskDefinition": "nope"}), "ClientException", "TaskDefinition not found."),
        (
            json!({"networkConfiguration": null}),
            parameter,
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
    ];
    for (members, code, text) in cases {
        let refused = world.ecs("CreateService", service(members)).expect_err(text);
        assert_eq!(refused.0, code, "{refused:?}");
        assert!(refused.1.contains(text), "{refused:?}");
    }
    world.ecs("CreateService", service(json!({}))).expect("the rest is right");
    let bad = json!({"cluster": "shop", "service": "one", "healthCheckGracePeriodSeconds": -5});
    assert_eq!(world.ecs("UpdateService", bad).expect_err("negative").0, parameter);
}

#[test]
fn lists_are_cleared_with_empty_ones() {
    let mut world = World::with(
        "extends = 'shop'\n[[cluster]]\nname = 'shop'\ncapacityProviders = ['FARGATE']",
    );
    let updated = world.update("web", json!({"loadBalancers": []}));
    assert_eq!(updated["loadBalancers"], json!([]));
    assert_eq!(updated["deployments"].as_array().map(Vec::len), Some(2), "that is a deployment");
    world.pass(200);
    assert_eq!(world.states("web-a"), Vec::<String>::new());
    let strategy = json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}], "forceNewDeployment": true});
    let updated = world.update("web", strategy);
    assert_eq!(updated.get("launchType"), None, "{updated}");
    world.pass(200);
    assert_eq!(world.service("web")["runningCount"], 2);
    let updated = world.update("web", json!({"capacityProviderStrategy": []}));
    assert!(
        updated.get("launchType").is_some() && updated.get("capacityProviderStrategy").is_none(),
        "{updated}"
    );
}

#[test]
fn controllers_change_where_aws_lets_them() {
    let mut world = World::shop();
    let to = |kind: &str| json!({"cluster": "shop", "service": "one", "deploymentController": {"type": kind}});
    world.ecs("CreateService", service(json!({"desiredCount": 1}))).expect("created");
    let busy = world.ecs("UpdateService", to("EXTERNAL")).expect_err("it is being deployed");
    assert!(busy.1.contains("while a deployment is in progress"), "{busy:?}");
    world.pass(200);
    let refused = world.ecs("UpdateService", to("CODE_DEPLOY")).expect_err("never");
    assert_eq!(refused.0, "InvalidParameterException");
    let breaker = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false}}});
    world.update("one", breaker);
    let refused =
        world.ecs("UpdateService", to("EXTERNAL")).expect_err("the breaker is in the way");
    assert!(refused.1.contains("circuit breaker"), "{refused:?}");
    let off = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": false, "rollback": false}}});
    world.update("one", off);
    let external = world.ecs("UpdateService", to("EXTERNAL")).expect("migrated")["service"].clone();
    assert_eq!(external["deploymentController"]["type"], "EXTERNAL");
    assert_eq!(external["deployments"].as_array().map(Vec::len), Some(1), "its deployments stay");
    let back = world.ecs("UpdateService", to("ECS")).expect("migrated")["service"].clone();
    assert_eq!(back["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[test]
fn rules_and_groups_have_limits() {
    let mut world = World::shop();
    let rule = world.rule();
    let balancers = world.elb("DescribeLoadBalancers", json!({})).expect("described");
    let balancer = balancers["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let listeners =
        world.elb("DescribeListeners", json!({"LoadBalancerArn": balancer})).expect("described");
    let listener = listeners["Listeners"][0]["ListenerArn"].clone();
    let answer = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]);
    let make = |priority: u32, conditions: Value| json!({"ListenerArn": listener, "Priority": priority, "Conditions": conditions, "Actions": answer});
    let host = json!([{"Field": "host-header", "Values": ["x.example.com"]}]);
    let unknown = world.elb("CreateRule", make(50, json!([{"Field": "moon", "Values": ["full"]}])));
    assert_eq!(unknown.expect_err("unknown field").0, "ValidationError");
    let six = json!([{"Field": "path-pattern", "Values": ["1", "2", "3", "4", "5", "6"]}]);
    let six = world.elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Conditions": six}));
    assert_eq!(six.expect_err("six values").0, "ValidationError");
    for priority in 101..200 {
        world.elb("CreateRule", make(priority, host.clone())).expect("created");
    }
    assert_eq!(world.elb("CreateRule", make(300, host)).expect_err("101 rules").0, "TooManyRules");
    let tcp = json!({"Name": "tcp", "Protocol": "TCP", "Port": 80, "TargetType": "ip"});
    let tcp =
        world.elb("CreateTargetGroup", tcp).expect("created")["TargetGroups"][0]["TargetGroupArn"]
            .clone();
    let forward = json!([{"Type": "forward", "TargetGroupArn": tcp}]);
    let mixed = world.elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": forward}));
    assert_eq!(
        mixed.expect_err("TCP behind an application load balancer").0,
        "IncompatibleProtocols"
    );
    let group = world.group("web-b");
    let targets: Vec<Value> = (0..1001)
        .map(|n| json!({"Id": format!("10.9.{}.{}", n / 250, n % 250), "Port": 80}))
        .collect();
    let many = world.elb("RegisterTargets", json!({"TargetGroupArn": group, "Targets": targets}));
    assert_eq!(many.expect_err("1001 targets").0, "TooManyTargets");
}

#[test]
fn limits_are_shown_and_kept() {
    let mut world = World::with(
        "extends = 'shop'\n[[limit]]\nname = 'target-groups'\nmax = 2
        [[limit]]\nname = 'targets-per-target-group'\nmax = 3",
    );
    let shown = world.elb("DescribeAccountLimits", json!({})).expect("described");
    let limits = shown["Limits"].as_array().expect("limits");
    for (name, max) in [
        ("target-groups", "2"),
        ("targets-per-target-group", "3"),
        ("rules-per-application-load-balancer", "100"),
    ] {
        assert!(limits.contains(&json!({"Name": name, "Max": max})), "{name}: {limits:?}");
    }
    let third = json!({"Name": "third", "Protocol": "HTTP", "Port": 80, "TargetType": "ip"});
    let third = world.elb("CreateTargetGroup", third);
    assert_eq!(third.expect_err("a third group").0, "TooManyTargetGroups");
    let targets: Vec<Value> = (0..4).map(|n| json!({"Id": format!("10.9.0.{n}")})).collect();
    let group = world.group("web-b");
    let many = world.elb("RegisterTargets", json!({"TargetGroupArn": group, "Targets": targets}));
    assert_eq!(many.expect_err("4 targets").0, "TooManyTargets");
}

#[test]
fn target_groups_that_cannot_be_are_refused() {
    let mut world = World::shop();
    let make = |members: Value| {
        let mut request =
            json!({"Name": "new", "Protocol": "HTTP", "Port": 80, "TargetType": "ip"});
        request
            .as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("members").clone());
        request
    };
    for (members, code) in [
        (json!({"TargetType": "pigeon"}), "ValidationError"),
        (json!({"Protocol": "FTP"}), "ValidationError"),
        (json!({"Protocol": "TCP", "ProtocolVersion": "HTTP2"}), "ValidationError"),
        (json!({"HealthCheckEnabled": false}), "InvalidConfigurationRequest"),
        (json!({"HealthCheckIntervalSeconds": 4}), "ValidationError"),
        (json!({"UnhealthyThresholdCount": 11}), "ValidationError"),
        (json!({"Port": 0}), "ValidationError"),
        (json!({"Name": "a".repeat(33)}), "ValidationError"),
    ] {
        let refused = world.elb("CreateTargetGroup", make(members.clone())).expect_err("refused");
        assert_eq!(refused.0, code, "{members}: {refused:?}");
    }
    let group = world.group("web-a");
    let set = |pairs: &[(&str, &str)]| {
        let list: Vec<Value> =
            pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        json!({"TargetGroupArn": group, "Attributes": list})
    };
    let slow = ("slow_start.duration_seconds", "30");
    let least = ("load_balancing.algorithm.type", "least_outstanding_requests");
    let refused =
        world.elb("ModifyTargetGroupAttributes", set(&[slow, least])).expect_err("no pair");
    assert_eq!(refused.0, "InvalidConfigurationRequest");
    world.elb("ModifyTargetGroupAttributes", set(&[slow])).expect("alone it goes");
}

#[test]
fn a_tls_group_has_a_type_of_stickiness_and_no_stickiness() {
    let mut world = World::shop();
    let request = json!({"Name": "tls", "Protocol": "TLS", "Port": 443, "TargetType": "ip"});
    let made = world.elb("CreateTargetGroup", request).expect("created");
    let mut set = |enabled: &str| {
        let pair =
            |key: &str, value: &str| json!({"Key": format!("stickiness.{key}"), "Value": value});
        let list = [pair("type", "source_ip"), pair("enabled", enabled)];
        let group = &made["TargetGroups"][0]["TargetGroupArn"];
        let request = json!({"TargetGroupArn": group, "Attributes": list});
        world.elb("ModifyTargetGroupAttributes", request)
    };
    set("false").expect("not enabled");
    assert_eq!(set("true").expect_err("enabled").0, "InvalidConfigurationRequest");
}

#[test]
fn a_network_load_balancer_weighs_but_knows_no_hosts() {
    let mut world = World::with(
        "region = 'eu-central-1'\n[[load_balancer]]\nname = 'net'\ntype = 'network'\nazs = ['a', 'b']\n\
         [[target_group]]\nname = 'x'\nprotocol = 'TCP'\nport = 80\n[[target_group]]\nname = 'y'\nprotocol = 'TCP'\nport = 80\n\
         [[listener]]\nname = 'tcp'\nloadBalancer = 'net'\nport = 80\nprotocol = 'TCP'\n\
         actions = [{ type = 'forward', targetGroups = [{ targetGroup = 'x', weight = 90 }, { targetGroup = 'y', weight = 10 }] }]",
    );
    let balancers = world.elb("DescribeLoadBalancers", json!({})).expect("described");
    let arn = balancers["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let listeners =
        world.elb("DescribeListeners", json!({"LoadBalancerArn": arn})).expect("described");
    let listener = &listeners["Listeners"][0];
    assert_eq!(listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][1]["Weight"], "10");
    let host = json!([{"Field": "host-header", "Values": ["x.example.com"]}]);
    let rule = json!({"ListenerArn": listener["ListenerArn"], "Priority": 1, "Conditions": host, "Actions": listener["DefaultActions"]});
    assert_eq!(
        world.elb("CreateRule", rule).expect_err("refused").0,
        "InvalidConfigurationRequest"
    );
}

#[test]
fn all_tasks_of_a_deployment_run_the_image_of_the_first() {
    let mut world = World::shop();
    let digests = |world: &mut World| -> Vec<Value> {
        let tasks = world.tasks("web", "RUNNING");
        tasks.iter().map(|task| task["containers"][0]["imageDigest"].clone()).collect()
    };
    let before = digests(&mut world)[0].clone();
    let revision = world.service("web")["currentServiceRevisions"][0]["arn"].clone();
    let described =
        world.ecs("DescribeServiceRevisions", json!({"serviceRevisionArns": [revision]}));
    let images = described.expect("described")["serviceRevisions"][0]["containerImages"].clone();
    assert_eq!(images[0]["imageDigest"], before);
    let manifest =
        json!({"repositoryName": "shop/web", "imageTag": "1", "imageManifest": "{\"another\": 1}"});
    let pushed =
        world.ecr("PutImage", manifest).expect("pushed")["image"]["imageId"]["imageDigest"].clone();
    world.update("web", json!({"desiredCount": 3}));
    world.pass(60);
    assert_eq!(digests(&mut world), vec![before; 3], "the tag has moved, the service has not");
    world.update("web", json!({"forceNewDeployment": true}));
    world.pass(200);
    assert_eq!(digests(&mut world), vec![pushed; 3]);
}

#[test]
fn a_scenario_says_why_a_task_does_not_start() {
    let reason = "ResourceInitializationError: unable to pull secrets or registry auth";
    let mut world = World::with(&format!(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'missing'\nreason = '{reason}'"
    ));
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(45);
    let task = world.tasks("web", "STOPPED")[0].clone();
    assert_eq!(
        (&task["stopCode"], &task["stoppedReason"]),
        (&json!("TaskFailedToStart"), &json!(reason))
    );
}
