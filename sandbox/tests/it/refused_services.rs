//! What CreateService, UpdateService and RunTask refuse because it does not go with the task definition,
//! with the cluster or with itself.

use serde_json::{Value, json};

use crate::support::{Refused, World};

const PARAMETER: &str = "InvalidParameterException";

/// An object with some members changed.
fn with(mut object: Value, members: Value) -> Value {
    let members = members.as_object().expect("members").clone();
    object.as_object_mut().expect("an object").extend(members);
    object
}

/// Without the members that are null.
fn sent(mut object: Value) -> Value {
    object.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    object
}

/// Registers `own`, on Fargate: one container with these members, and these members of the task.
fn register(world: &mut World, container: Value, task: Value) {
    let container = with(
        json!({"name": "app", "image": "nginx:1", "portMappings": [{"containerPort": 53, "name": "dns"}]}),
        container,
    );
    let request = json!({"family": "own", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "containerDefinitions": [container]});
    world.ecs("RegisterTaskDefinition", sent(with(request, task))).expect("registered");
}

fn service(members: Value) -> Value {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let request = json!({"cluster": "shop", "serviceName": "one", "taskDefinition": "own", "desiredCount": 0,
        "launchType": "FARGATE", "networkConfiguration": network});
    sent(with(request, members))
}

fn create(world: &mut World, members: Value) -> Result<Value, Refused> {
    world.ecs("CreateService", service(members))
}

fn update(world: &mut World, members: Value) -> Result<Value, Refused> {
    world.ecs("UpdateService", with(json!({"cluster": "shop", "service": "one"}), members))
}

#[track_caller]
fn refused(answer: Result<Value, Refused>, text: &str) {
    let (code, own) = answer.expect_err(text);
    assert_eq!(code, PARAMETER, "{own}");
    assert!(own.contains(text), "{own}");
}

#[test]
fn ecs_exec_needs_a_task_role() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    let exec = json!({"enableExecuteCommand": true});
    refused(
        create(&mut world, exec.clone()),
        "The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in your task definition and try again.",
    );
    create(&mut world, json!({})).expect("created");
    let text = "The service couldn't be updated because a valid taskRoleArn is not being used.";
    refused(update(&mut world, exec.clone()), text);
    let role = "arn:aws:iam::123456789012:role/own";
    let run = |overrides: Value| {
        let members = json!({"serviceName": null, "desiredCount": null, "enableExecuteCommand": true, "overrides": overrides});
        service(members)
    };
    let text = "The execute command failed because a valid task role is not being used.";
    refused(world.ecs("RunTask", run(json!({}))), text);
    world.ecs("RunTask", run(json!({"taskRoleArn": role}))).expect("its override has a role");
    register(&mut world, json!({}), json!({"taskRoleArn": role}));
    update(&mut world, with(json!({"taskDefinition": "own"}), exec)).expect("it has a role");
    let text = "The service couldn't be updated because";
    refused(update(&mut world, json!({"taskDefinition": "own:1"})), text);
}

#[test]
fn percentages_that_block_a_deployment_are_refused() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    let of = |least: Value, most: Value, strategy: Value| {
        let own =
            json!({"minimumHealthyPercent": least, "maximumPercent": most, "strategy": strategy});
        json!({"deploymentConfiguration": sent(own)})
    };
    let text = "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.";
    refused(create(&mut world, of(json!(100), json!(100), json!(null))), text);
    refused(create(&mut world, of(json!(null), json!(100), json!("ROLLING"))), text);
    create(&mut world, of(json!(99), json!(100), json!(null))).expect("one task may stop");
    update(&mut world, of(json!(100), json!(101), json!(null))).expect("one task may be added");
    refused(update(&mut world, of(json!(100), json!(100), json!(null))), text);

    let code_deploy =
        json!({"serviceName": "two", "deploymentController": {"type": "CODE_DEPLOY"}});
    let both = of(json!(100), json!(100), json!(null));
    create(&mut world, with(code_deploy, both.clone())).expect("nothing rolls there");
    let daemon = json!({"serviceName": "three", "schedulingStrategy": "DAEMON", "launchType": "EC2", "desiredCount": null});
    let over = with(daemon.clone(), of(json!(0), json!(101), json!(null)));
    refused(
        create(&mut world, over),
        "The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment configuration. Change the maximumPercent value to 100, and try again",
    );
    create(&mut world, with(daemon, of(json!(0), json!(100), json!(null)))).expect("created");
}

#[test]
fn placement_strategies_that_cannot_be_are_refused() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    let by = |field: Value| json!({"launchType": "EC2", "placementStrategy": [{"type": "binpack", "field": field}]});
    let text = "Invalid field of a binpack placement strategy";
    refused(create(&mut world, by(json!("instanceId"))), text);
    refused(create(&mut world, by(json!(""))), text);
    let daemon = json!({"schedulingStrategy": "DAEMON", "desiredCount": null});
    let text = "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again";
    refused(create(&mut world, with(by(json!("cpu")), daemon)), text);
    create(&mut world, by(json!("MEMORY"))).expect("created");
    update(&mut world, by(json!("cpu"))).expect("updated");
}

#[test]
fn a_network_without_subnets_is_refused() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    let none = json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}});
    refused(create(&mut world, none.clone()), "subnets can not be empty.");
    create(&mut world, json!({})).expect("created");
    refused(update(&mut world, none), "subnets can not be empty.");
}

#[test]
fn a_capacity_provider_must_be_associated_with_the_cluster() {
    let mut world = World::with(
        "extends = 'shop'\n[[cluster]]\nname = 'shop'\ncapacityProviders = ['FARGATE']",
    );
    register(&mut world, json!({}), json!({}));
    let of = |list: &[&str]| {
        let items: Vec<Value> = list.iter().map(|name| json!({"capacityProvider": name})).collect();
        json!({"launchType": null, "capacityProviderStrategy": items})
    };
    let text = "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.";
    refused(create(&mut world, of(&["FARGATE_SPOT"])), text);
    create(&mut world, of(&["FARGATE"])).expect("created");
    refused(update(&mut world, of(&["FARGATE_SPOT"])), text);
    let both = json!({"cluster": "shop", "capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": []});
    world.ecs("PutClusterCapacityProviders", both).expect("associated");
    let text = "at least one capacity provider with a weight greater than 0";
    refused(update(&mut world, of(&["FARGATE", "FARGATE_SPOT"])), text);
    update(&mut world, of(&["FARGATE_SPOT"])).expect("updated");
}

#[test]
fn a_port_name_must_be_in_the_task_definition() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    let connect = |enabled: bool, name: &str| json!({"serviceConnectConfiguration": {"enabled": enabled, "namespace": "shop", "services": [{"portName": name}]}});
    let lattice = |name: &str| {
        json!({"vpcLatticeConfigurations": [{"roleArn": "arn:aws:iam::123456789012:role/own",
        "targetGroupArn": "arn:aws:vpc-lattice:eu-central-1:123456789012:targetgroup/tg-1", "portName": name}]})
    };
    refused(create(&mut world, connect(true, "web")), "the portName \"web\"");
    refused(create(&mut world, lattice("web")), "the portName \"web\"");
    create(&mut world, with(connect(true, "dns"), lattice("dns"))).expect("created");
    refused(update(&mut world, connect(true, "web")), "the portName \"web\"");
    update(&mut world, connect(false, "web")).expect("it is not enabled");
}

#[test]
fn fargate_needs_a_definition_that_fits_it() {
    let mut world = World::shop();
    register(&mut world, json!({}), json!({}));
    create(&mut world, json!({})).expect("created");
    let text = "Task definition does not support launch_type FARGATE.";
    for (container, task) in [
        (json!({"memory": 64}), json!({"cpu": null})),
        (json!({"memory": 64}), json!({"memory": null})),
        (json!({"privileged": true}), json!({})),
        (json!({}), json!({"memory": "600"})),
    ] {
        register(&mut world, container, with(task, json!({"requiresCompatibilities": ["EC2"]})));
        refused(create(&mut world, json!({"serviceName": "two"})), text);
        refused(update(&mut world, json!({"taskDefinition": "own"})), text);
        let shown = world.ecs("DescribeTaskDefinition", json!({"taskDefinition": "own"}));
        assert_eq!(shown.expect("described")["taskDefinition"]["compatibilities"], json!(["EC2"]));
    }
    register(&mut world, json!({}), json!({"requiresCompatibilities": null}));
    update(&mut world, json!({"taskDefinition": "own"})).expect("it need not say so");
}

#[test]
fn a_volume_configured_at_launch_is_configured_by_the_service() {
    let mut world = World::shop();
    register(
        &mut world,
        json!({}),
        json!({"volumes": [{"name": "data", "configuredAtLaunch": true}]}),
    );
    let of = |name: &str| json!({"volumeConfigurations": [{"name": name, "managedEBSVolume": {"roleArn": "arn:aws:iam::123456789012:role/own", "sizeInGiB": 10}}]});
    let text = "Volume configuration provided but no matching configuredAtLaunch volume found in task definition.";
    refused(create(&mut world, of("other")), text);
    refused(create(&mut world, json!({})), "The volume \"data\" is configured at launch");
    create(&mut world, of("data")).expect("created");
    register(&mut world, json!({}), json!({"volumes": [{"name": "data"}]}));
    refused(update(&mut world, json!({"taskDefinition": "own"})), text);
    let none = json!({"taskDefinition": "own", "volumeConfigurations": []});
    update(&mut world, none).expect("neither has one");
}

#[test]
fn a_load_balancer_needs_a_port_with_one_mapping() {
    let mut world = World::shop();
    let ports = json!({"portMappings": [{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}, {"containerPort": 80}]});
    register(&mut world, ports, json!({}));
    let group = world.group("web-b");
    let to = |port: u32| json!({"loadBalancers": [{"targetGroupArn": group, "containerName": "app", "containerPort": port}]});
    let text = "Container port 53 is used in more than one port mapping for container app";
    refused(create(&mut world, to(53)), text);
    create(&mut world, to(80)).expect("created");
    refused(update(&mut world, to(53)), text);
}
