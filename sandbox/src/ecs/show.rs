//! How DescribeServices shows a service: what was sent, and what AWS knows besides.

use serde_json::{Map, Value, json};

use super::{native, rollout, service::controller, tags};
use crate::state::{
    Here,
    ecs::{Deployment, Event, Service, Task},
};

/// Members of CreateService that a `Service` does not show (they are in its deployments or revisions).
const NOT_SHOWN: &[&str] = &[
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
    "gatewayConnectors",
    "monitoring",
    "role",
];

pub(super) fn service(here: &Here<'_>, service: &Service, with_tags: bool) -> Value {
    let tasks: Vec<&Task> =
        service.tasks.iter().filter_map(|arn| here.region.ecs.tasks.get(arn)).collect();
    let mut shown = Map::new();
    let mut put = |member: &str, value: Value| drop(shown.insert(member.to_owned(), value));
    put("serviceArn", json!(service.arn));
    put("serviceName", json!(service.name));
    put("clusterArn", json!(here.arn("ecs", &format!("cluster/{}", service.cluster))));
    put("status", json!(service.status));
    put("desiredCount", json!(service.desired));
    put("runningCount", json!(running(&tasks, None)));
    put("pendingCount", json!(pending(&tasks, None)));
    if let Some(definition) = &service.definition {
        put("taskDefinition", json!(definition));
    }
    for list in ["loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy"]
    {
        put(list, json!([]));
    }
    put("schedulingStrategy", json!("REPLICA"));
    put("enableECSManagedTags", json!(false));
    put("propagateTags", json!("NONE"));
    put("enableExecuteCommand", json!(false));
    for (member, value) in
        service.members.iter().filter(|(member, _)| !NOT_SHOWN.contains(&member.as_str()))
    {
        put(member, value.clone());
    }
    put("deploymentConfiguration", native::api::configuration(here, service));
    if service.members.get("launchType").and_then(Value::as_str) == Some("FARGATE") {
        put(
            "platformVersion",
            service.members.get("platformVersion").cloned().unwrap_or_else(|| json!("LATEST")),
        );
        put("platformFamily", json!("Linux"));
    }
    let linked = here.shared.iam(
        &here.region.name,
        "iam",
        "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
    );
    let role = match service.members.get("role").and_then(Value::as_str) {
        Some(name) if !name.starts_with("arn:") => {
            here.shared.iam(&here.region.name, "iam", &format!("role/{name}"))
        }
        Some(arn) => arn.to_owned(),
        None => linked,
    };
    put("roleArn", json!(role));
    put("createdAt", json!(service.created_at.seconds()));
    if let Some(newest) = rollout::listed(here, service).next() {
        put("currentServiceDeployment", json!(newest.arn));
        let counts = |one: &Deployment| rollout::counts(here, service, &one.id, &one.revision);
        put("currentServiceRevisions", service.deployments.iter().map(counts).collect());
    }
    put("createdBy", json!(here.shared.user(&here.region.name)));
    // A service that had the ECS controller goes on showing its deployments.
    if controller(&service.members) == "ECS" || !service.deployments.is_empty() {
        put(
            "deployments",
            service
                .deployments
                .iter()
                .enumerate()
                .map(|(at, one)| deployment(service, one, at, &tasks))
                .collect(),
        );
    } else {
        put("taskSets", json!([]));
        put("deployments", json!([]));
    }
    let event = |event: &Event| json!({"id": event.id, "createdAt": event.at.seconds(), "message": event.message});
    put("events", service.events.iter().map(event).collect());
    if with_tags {
        put("tags", tags::show(&service.tags));
    }
    Value::Object(shown)
}

pub(super) fn configuration(service: &Service) -> Value {
    let mut configuration = json!({
        "deploymentCircuitBreaker": {"enable": false, "rollback": false},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    });
    let sent = service.members.get("deploymentConfiguration").and_then(Value::as_object);
    for (member, value) in sent.into_iter().flatten() {
        configuration[member] = value.clone();
    }
    configuration
}

fn deployment(service: &Service, deployment: &Deployment, at: usize, tasks: &[&Task]) -> Value {
    let own = Some(deployment.id.as_str());
    let wanted =
        tasks.iter().filter(|task| task.started_by.as_deref() == own && task.wanted()).count();
    let mut shown = json!({
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.definition,
        "desiredCount": if at == 0 { usize::try_from(service.desired).unwrap_or(usize::MAX) } else { wanted },
        "pendingCount": pending(tasks, own),
        "runningCount": running(tasks, own),
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at.seconds(),
        "updatedAt": deployment.updated_at.seconds(),
        "rolloutState": deployment.rollout_state,
        "rolloutStateReason": deployment.rollout_reason,
    });
    if deployment.settings.get("launchType").and_then(Value::as_str) == Some("FARGATE") {
        shown["platformVersion"] = json!("1.4.0");
        shown["platformFamily"] = json!("Linux");
    }
    for (member, value) in &deployment.settings {
        let resolved = member == "platformVersion" && value == "LATEST";
        if member != "loadBalancers" && member != "serviceRegistries" && !resolved {
            shown[member] = value.clone();
        }
    }
    shown
}

fn of(task: &Task, deployment: Option<&str>) -> bool {
    deployment.is_none() || task.started_by.as_deref() == deployment
}

fn running(tasks: &[&Task], deployment: Option<&str>) -> usize {
    tasks.iter().filter(|task| of(task, deployment) && task.last_status == "RUNNING").count()
}

fn pending(tasks: &[&Task], deployment: Option<&str>) -> usize {
    let starting = ["PROVISIONING", "PENDING", "ACTIVATING"];
    tasks
        .iter()
        .filter(|task| of(task, deployment) && starting.contains(&task.last_status.as_str()))
        .count()
}
