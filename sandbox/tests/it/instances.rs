//! Tasks on container instances: which one takes them, how they are reached, and what is said when
//! none does.

use serde_json::{Value, json};

use crate::support::World;

/// A shop on EC2: one service behind an `instance` target group.
fn on_ec2(instances: &str, host_port: u32, count: u32) -> World {
    World::with(&format!(
        "extends = 'shop'\n{instances}
[[target_group]]
name = 'box'
port = 80
targetType = 'instance'
healthCheck = {{ path = '/up', interval = '10s', timeout = '5s', unhealthy = 2 }}
attributes = {{ 'deregistration_delay.timeout_seconds' = '5' }}
[[rule]]
name = 'box'
listener = 'https'
priority = 20
conditions = [{{ field = 'host-header', values = ['box.example.com'] }}]
actions = [{{ type = 'forward', targetGroup = 'box' }}]
[[task_definition]]
family = 'box'
networkMode = 'bridge'
containerDefinitions = [{{ name = 'box', image = 'x/box:1', cpu = 512, memory = 512, portMappings = [{{ containerPort = 80, hostPort = {host_port} }}] }}]
[[service]]
cluster = 'shop'
serviceName = 'box'
taskDefinition = 'box'
desiredCount = {count}
launchType = 'EC2'
loadBalancers = [{{ targetGroup = 'box', containerName = 'box', containerPort = 80 }}]
"
    ))
}

fn instance(name: &str, az: &str, rest: &str) -> String {
    format!(
        "[[container_instance]]\nname = '{name}'\ncluster = 'shop'\naz = '{az}'\nec2InstanceId = 'i-{name}'\n{rest}\n"
    )
}

fn two() -> String {
    instance("one", "a", "cpu = 2048\nmemory = 2048")
        + &instance("two", "b", "cpu = 2048\nmemory = 2048")
}

fn targets(world: &mut World) -> Vec<(String, String, String)> {
    let arn = world.group("box");
    let answer =
        world.elb("DescribeTargetHealth", json!({"TargetGroupArn": arn})).expect("described");
    let list = answer["TargetHealthDescriptions"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |one: &Value| {
        let target = &one["Target"];
        (text(&target["Id"]), text(&target["Port"]), text(&one["TargetHealth"]["State"]))
    };
    list.iter().map(shown).collect()
}

#[test]
fn bridge_tasks_are_reached_by_instance_and_dynamic_host_port() {
    let mut world = on_ec2(&two(), 0, 3);
    let mut found = targets(&mut world);
    found.sort();
    let healthy = |id: &str, port: &str| (id.to_owned(), port.to_owned(), "healthy".to_owned());
    assert_eq!(
        found,
        [healthy("i-one", "32768"), healthy("i-one", "32769"), healthy("i-two", "32768")]
    );
    let tasks = world.tasks("box", "RUNNING");
    let bindings = &tasks[0]["containers"][0]["networkBindings"][0];
    assert_eq!(
        (&bindings["containerPort"], &bindings["bindIP"], &bindings["protocol"]),
        (&json!(80), &json!("0.0.0.0"), &json!("tcp"))
    );
    assert_eq!(tasks[0]["containers"][0]["networkInterfaces"], json!([]));
    assert_eq!(tasks[0]["attachments"], json!([]), "no network interface of its own");
    assert_eq!(tasks[0]["launchType"], "EC2");
    let serving = world.cloud.serving();
    let own = serving.iter().find(|one| one.group.contains("/box/")).expect("it serves");
    assert!(
        own.behind.iter().all(|one| one.answers && one.image.as_deref() == Some("x/box:1")),
        "{own:?}"
    );
}

#[test]
fn instances_tell_what_they_have_left() {
    let mut world = on_ec2(&two(), 0, 3);
    let list = world.ecs("ListContainerInstances", json!({"cluster": "shop"})).expect("listed");
    assert_eq!(list["containerInstanceArns"].as_array().map(Vec::len), Some(2));
    let request = json!({"cluster": "shop", "containerInstances": list["containerInstanceArns"]});
    let answer = world.ecs("DescribeContainerInstances", request).expect("described");
    let one = answer["containerInstances"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["ec2InstanceId"] == "i-one"))
        .expect("i-one")
        .clone();
    let amount = |list: &str, name: &str| {
        let all = one[list].as_array().expect("resources");
        all.iter().find(|own| own["name"] == name).expect("a resource")["integerValue"].clone()
    };
    assert_eq!(amount("registeredResources", "CPU"), 2048);
    assert_eq!(amount("remainingResources", "CPU"), 1024);
    assert_eq!(amount("remainingResources", "MEMORY"), 1024);
    assert_eq!((&one["runningTasksCount"], &one["agentConnected"]), (&json!(2), &json!(true)));
    let missing = json!({"cluster": "shop", "containerInstances": ["nope"]});
    let missing = world.ecs("DescribeContainerInstances", missing).expect("an answer");
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
    let clusters = world.ecs("DescribeClusters", json!({"clusters": ["shop"]})).expect("described");
    assert_eq!(clusters["clusters"][0]["registeredContainerInstancesCount"], 2);
    let on = json!({"cluster": "shop", "containerInstance": one["containerInstanceArn"]});
    let on = world.ecs("ListTasks", on).expect("listed");
    assert_eq!(on["taskArns"].as_array().map(Vec::len), Some(2));
}

/// The event of a service whose tasks find no place.
fn placement_event(world: &mut World) -> String {
    let events = world.events("box");
    let own = events.iter().find(|event| event.contains("was unable to place a task"));
    own.unwrap_or_else(|| panic!("{events:#?}")).clone()
}

#[test]
fn what_is_missing_for_a_task_is_said() {
    let head = "(service box) was unable to place a task because no container instance met all of its requirements.";
    let tail =
        "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    let mut none = on_ec2("", 0, 1);
    assert_eq!(
        placement_event(&mut none),
        format!("{head} Reason: No Container Instances were found in your cluster. {tail}")
    );
    for (rest, port, text) in [
        ("cpu = 256", 0, "has insufficient CPU units available."),
        ("cpu = 2048\nmemory = 128", 0, "has insufficient memory available."),
        ("cpu = 2048\nmemory = 4096", 8080, "is already using a port required by your task."),
    ] {
        let mut world = on_ec2(&instance("one", "a", rest), port, 2);
        let list = world.ecs("ListContainerInstances", json!({"cluster": "shop"})).expect("listed");
        let arn = list["containerInstanceArns"][0].as_str().expect("an ARN").to_owned();
        let id = arn.rsplit('/').next().expect("an id");
        let expected =
            format!("{head} The closest matching (container-instance {id}) {text} {tail}");
        assert_eq!(placement_event(&mut world), expected);
        let count =
            world.events("box").iter().filter(|event| event.contains("unable to place")).count();
        assert_eq!(count, 1, "it is said once while its cause holds");
    }
}

#[test]
fn a_task_with_its_own_interface_needs_an_attachment_point() {
    let text = instance("one", "a", "cpu = 4096\nmemory = 8192\nenis = 1");
    let mut world = World::with(&format!(
        "extends = 'shop'\n{text}[[task_definition]]\nfamily = 'own'\nnetworkMode = 'awsvpc'\n\
         containerDefinitions = [{{ name = 'own', image = 'x', memory = 64 }}]\n[[service]]\ncluster = 'shop'\n\
         serviceName = 'own'\ntaskDefinition = 'own'\ndesiredCount = 2\nlaunchType = 'EC2'\n\
         networkConfiguration = {{ awsvpcConfiguration = {{ subnets = ['subnet-a'] }} }}"
    ));
    let events = world.events("own");
    assert!(
        events.iter().any(|event| event.contains("encountered error \"RESOURCE:ENI\".")),
        "{events:#?}"
    );
    let own = world.service("own");
    assert_eq!(own["runningCount"], 1);
    assert_eq!(
        world.tasks("own", "RUNNING")[0]["attachments"][0]["type"],
        "ElasticNetworkInterface"
    );
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let run = json!({"cluster": "shop", "taskDefinition": "own", "launchType": "EC2", "networkConfiguration": network});
    let run = world.ecs("RunTask", run).expect("an answer");
    assert_eq!(
        (&run["tasks"], &run["failures"][0]["reason"]),
        (&json!([]), &json!("RESOURCE:ENI"))
    );
}

#[test]
fn an_instance_with_a_trunk_says_so() {
    for (enis, kind, trunk) in
        [(2, "t3.medium", false), (14, "m5.16xlarge", false), (40, "m5.16xlarge", true)]
    {
        let instance = instance("one", "a", &format!("enis = {enis}"));
        let mut world = World::with(&format!("extends = 'shop'\n{instance}"));
        let of = |name: &str| json!({"cluster": "shop", "targetType": "container-instance", "attributeName": name});
        let mut get = |name: &str| {
            world.ecs("ListAttributes", of(name)).expect("attributes")["attributes"].clone()
        };
        assert_eq!(get("ecs.instance-type")[0]["value"], kind);
        assert_eq!(get("ecs.awsvpc-trunk-id") != json!([]), trunk, "{enis}");
    }
}

#[test]
fn a_task_with_a_gpu_needs_one_that_is_free() {
    let text = instance("one", "a", "cpu = 4096\nmemory = 8192\ngpus = 1");
    let mut world = World::with(&format!(
        "extends = 'shop'\n{text}[[task_definition]]\nfamily = 'own'\n\
         containerDefinitions = [{{ name = 'own', image = 'x', memory = 64, \
         resourceRequirements = [{{ type = 'GPU', value = '1' }}] }}]\n[[service]]\ncluster = 'shop'\n\
         serviceName = 'own'\ntaskDefinition = 'own'\ndesiredCount = 2\nlaunchType = 'EC2'"
    ));
    assert_eq!(world.service("own")["runningCount"], 1);
    let run = json!({"cluster": "shop", "taskDefinition": "own", "launchType": "EC2"});
    let run = world.ecs("RunTask", run).expect("an answer");
    assert_eq!(run["failures"][0]["reason"], "RESOURCE:GPU");
}

#[test]
fn a_static_host_port_lets_no_second_version_beside_the_first() {
    let mut world = on_ec2(&instance("one", "a", "cpu = 4096\nmemory = 8192"), 8080, 1);
    assert_eq!(targets(&mut world), [("i-one".into(), "8080".into(), "healthy".into())]);
    world.update("box", json!({"forceNewDeployment": true}));
    world.pass(600);
    assert_eq!(world.service("box")["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert!(placement_event(&mut world).contains("is already using a port required by your task."));
    let half =
        json!({"deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}});
    world.update("box", half);
    world.pass(1200);
    assert_eq!(world.service("box")["deployments"][0]["rolloutState"], "COMPLETED");
    assert_eq!(targets(&mut world).len(), 1);
}

#[test]
fn a_daemon_has_one_task_on_each_instance() {
    let text = two();
    let mut world = World::with(&format!(
        "extends = 'shop'\n{text}[[task_definition]]\nfamily = 'agent'\ncontainerDefinitions = [{{ name = 'agent', image = 'x', memory = 64 }}]\n\
         [[service]]\ncluster = 'shop'\nserviceName = 'agent'\ntaskDefinition = 'agent'\nschedulingStrategy = 'DAEMON'"
    ));
    let agent = world.service("agent");
    assert_eq!((&agent["desiredCount"], &agent["runningCount"]), (&json!(2), &json!(2)));
    let mut on: Vec<_> = world
        .tasks("agent", "RUNNING")
        .iter()
        .map(|task| task["containerInstanceArn"].to_string())
        .collect();
    on.dedup();
    assert_eq!(on.len(), 2, "{on:?}");
    world.update("agent", json!({"forceNewDeployment": true}));
    world.pass(300);
    let agent = world.service("agent");
    assert_eq!(
        (&agent["runningCount"], &agent["deployments"][0]["rolloutState"]),
        (&json!(2), &json!("COMPLETED"))
    );
    let drain = json!({"cluster": "shop", "containerInstances": [on[0].trim_matches('"')], "status": "DRAINING"});
    world.ecs("UpdateContainerInstancesState", drain).expect("drained");
    world.pass(60);
    assert_eq!(world.service("agent")["desiredCount"], 1);
}

#[test]
fn fargate_without_capacity_starts_nothing_until_there_is_some() {
    let mut world = World::with("extends = 'shop'\n[[capacity]]\nname = 'all'\nuntil = '5m'");
    world.update("web", json!({"desiredCount": 3}));
    world.pass(120);
    assert_eq!(world.service("web")["runningCount"], 2);
    let events = world.events("web");
    let text = "(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.";
    assert_eq!(events[0], text);
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let run = json!({"cluster": "shop", "taskDefinition": "web", "launchType": "FARGATE", "networkConfiguration": network});
    let run = world.ecs("RunTask", run).expect("an answer");
    assert!(
        run["failures"][0]["reason"]
            .as_str()
            .expect("a reason")
            .starts_with("Capacity is unavailable")
    );
    world.pass(600);
    assert_eq!(world.service("web")["runningCount"], 3);
}

#[test]
fn no_more_vcpus_run_than_the_quota_allows() {
    let quota = "[[limit]]\nname = 'Fargate On-Demand vCPU resource count'\nmax = 1";
    let spot = "[[cluster]]\nname = 'shop'\ncapacityProviders = ['FARGATE_SPOT']";
    let mut world = World::with(&format!("extends = 'shop'\n{quota}\n{spot}"));
    // Each has a quarter of one.
    world.update("web", json!({"desiredCount": 5}));
    world.pass(120);
    assert_eq!(world.service("web")["runningCount"], 4);
    let text = "(service web) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently";
    assert!(world.events("web").iter().any(|event| event == text), "{:?}", world.events("web"));
    // Spot has a quota of its own.
    world.update("web", json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}], "forceNewDeployment": true}));
    world.pass(300);
    assert_eq!(world.service("web")["runningCount"], 5);
}

#[test]
fn one_zone_without_capacity_is_left_out() {
    let mut world = World::with("extends = 'shop'\n[[capacity]]\nname = 'a'\naz = 'a'");
    world.update("web", json!({"forceNewDeployment": true}));
    world.pass(200);
    let zones: Vec<_> =
        world.tasks("web", "RUNNING").iter().map(|task| task["availabilityZone"].clone()).collect();
    assert_eq!(zones, ["eu-central-1b", "eu-central-1b"]);
}

#[test]
fn run_task_starts_what_it_says() {
    let mut world = World::shop();
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let request = json!({"cluster": "shop", "taskDefinition": "web", "launchType": "FARGATE", "count": 2,
        "networkConfiguration": network, "clientToken": "once", "enableExecuteCommand": true,
        "overrides": {"containerOverrides": [{"name": "web", "command": ["migrate"]}]}});
    let first = world.ecs("RunTask", request.clone()).expect("run");
    assert_eq!(first["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        first["tasks"][0]["overrides"]["containerOverrides"][0]["command"],
        json!(["migrate"])
    );
    assert_eq!(first["tasks"][0]["enableExecuteCommand"], true);
    let again = world.ecs("RunTask", request.clone()).expect("the same tasks");
    assert_eq!(again["tasks"][0]["taskArn"], first["tasks"][0]["taskArn"]);
    let with = |member: &str, value: Value| {
        let mut request = request.clone();
        request[member] = value;
        request
    };
    let code = |answer: Result<Value, (String, String)>| answer.expect_err("refused");
    assert_eq!(code(world.ecs("RunTask", with("count", json!(1)))).0, "ConflictException");
    let many = with("count", json!(11));
    assert_eq!(code(world.ecs("RunTask", with_token(many, "b"))).0, "InvalidParameterException");
    let unknown = with("overrides", json!({"containerOverrides": [{"name": "nope"}]}));
    assert_eq!(
        code(world.ecs("RunTask", with_token(unknown, "c"))).1,
        "Override for container named nope is not a container in the TaskDefinition."
    );
    let ec2 = json!({"cluster": "shop", "taskDefinition": "web", "networkConfiguration": network});
    assert_eq!(
        code(world.ecs("RunTask", ec2)).1,
        "No Container Instances were found in your cluster."
    );
    let gone = json!({"cluster": "shop", "task": "0123"});
    assert_eq!(
        code(world.ecs("StopTask", gone)),
        ("InvalidParameterException".into(), "The referenced task was not found.".into())
    );
}

fn with_token(mut request: Value, token: &str) -> Value {
    request["clientToken"] = json!(token);
    request
}

#[test]
fn an_unhealthy_target_that_is_an_instance_is_named_with_its_port() {
    let sick = "[[image]]\nref = 'x/box:1'\ndoes = 'sick'\nstatus = 503\nafter = '1h'";
    let mut world = on_ec2(&format!("{}\n{sick}", two()), 0, 1);
    let (id, port, _) = targets(&mut world)[0].clone();
    world.pass(4000);
    let group = world.group("box");
    let event = format!(
        "(service box) (instance {id}) (port {port}) is unhealthy in (target-group {group}) due to (reason Health checks failed with these codes: [503])."
    );
    let events = world.events("box");
    assert!(events.contains(&event), "{event} {events:#?}");
}

#[test]
fn tasks_of_a_service_have_the_tags_that_it_propagates() {
    for (propagate, expected) in [
        ("TASK_DEFINITION", json!([{"key": "from", "value": "definition"}])),
        ("SERVICE", json!([{"key": "from", "value": "service"}])),
        ("NONE", json!([])),
    ] {
        let mut world = World::shop();
        let definition = json!({"family": "tagged", "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}],
            "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "tags": [{"key": "from", "value": "definition"}]});
        world.ecs("RegisterTaskDefinition", definition).expect("registered");
        let service = json!({"cluster": "shop", "serviceName": "tagged", "taskDefinition": "tagged", "desiredCount": 1,
            "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
            "propagateTags": propagate, "tags": [{"key": "from", "value": "service"}]});
        world.ecs("CreateService", service).expect("created");
        world.pass(60);
        let list = json!({"cluster": "shop", "serviceName": "tagged"});
        let tasks = world.ecs("ListTasks", list).expect("listed")["taskArns"].clone();
        let request = json!({"cluster": "shop", "tasks": tasks, "include": ["TAGS"]});
        let described = world.ecs("DescribeTasks", request).expect("described");
        assert_eq!(described["tasks"][0]["tags"], expected, "{propagate}");
    }
}
