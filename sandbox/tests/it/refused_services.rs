//! What CreateService, UpdateService and RunTask refuse because it does not go with the cluster or with
//! itself.

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
