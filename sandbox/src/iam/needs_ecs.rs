//! Which actions on which resources a call to Amazon ECS needs: its own, `ecs:TagResource` where it
//! makes something with tags, and `iam:PassRole` for each role that it hands on (Service Authorization
//! Reference, "Actions, resources, and condition keys for Amazon Elastic Container Service"; Amazon ECS
//! Developer Guide, "Grant permission to tag resources on creation").

use serde_json::Value;

use super::{
    Need,
    needs::{Asked, Place},
};
use crate::{partition::partition, state::ecs::last};

/// Amazon ECS.
pub(crate) fn of(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    let operation = place.call.operation.as_str();
    let cluster = last(asked.text("cluster").unwrap_or("default"));
    let cluster_arn = place.arn("ecs", &format!("cluster/{cluster}"));
    let at = |need: Need| need.with("ecs:cluster", &cluster_arn);
    let within =
        |kind: &str, name: &str| place.arn("ecs", &format!("{kind}/{cluster}/{}", last(name)));
    match operation {
        "CreateService" => {
            let arn = within("service", asked.text("serviceName").unwrap_or_default());
            let mut needs = creating(place, asked, at(place.need(&arn)), &arn);
            needs.extend(handed_to_ecs(place, asked));
            needs
        }
        "UpdateService"
        | "DeleteService"
        | "UpdateServicePrimaryTaskSet"
        | "ListServiceDeployments" => {
            let arn = within("service", asked.text("service").unwrap_or_default());
            let mut needs = vec![of_service(asked, at(tagged(place, place.need(&arn), &arn)))];
            needs.extend(handed_to_ecs(place, asked));
            needs
        }
        "DescribeServices" => {
            let one = |name: &String| {
                let arn = within("service", name);
                at(tagged(place, place.need(&arn), &arn))
            };
            asked.texts("services").iter().map(one).collect()
        }
        "ListServices" | "ListTasks" => {
            let resource = asked
                .text("containerInstance")
                .map_or_else(|| "*".to_owned(), |instance| within("container-instance", instance));
            vec![at(place.need(resource))]
        }
        "DescribeTasks" => {
            let one = |name: &String| {
                let arn = within("task", name);
                at(tagged(place, place.need(&arn), &arn))
            };
            asked.texts("tasks").iter().map(one).collect()
        }
        "StopTask" => {
            let arn = within("task", asked.text("task").unwrap_or_default());
            vec![at(tagged(place, place.need(&arn), &arn))]
        }
        "RunTask" | "StartTask" => run(place, asked, &cluster_arn, &within("task", "*")),
        "RegisterTaskDefinition" => register(place, asked),
        "DeleteTaskDefinitions" => {
            let one = |name: &String| {
                let arn = definition(place, name);
                tagged(place, place.need(&arn), &arn)
            };
            asked.texts("taskDefinitions").iter().map(one).collect()
        }
        "DescribeServiceDeployments" => by_arn(place, asked, "serviceDeploymentArns"),
        "DescribeServiceRevisions" => by_arn(place, asked, "serviceRevisionArns"),
        "StopServiceDeployment" | "ContinueServiceDeployment" => {
            let arn = asked.text("serviceDeploymentArn").unwrap_or("*").to_owned();
            vec![of_deployment(place, &arn)]
        }
        "CreateCluster" => {
            let name = asked.text("clusterName").unwrap_or("default");
            let arn = place.arn("ecs", &format!("cluster/{name}"));
            creating(place, asked, place.need("*"), &arn)
        }
        "DescribeClusters" => {
            let names = asked.texts("clusters");
            let names = if names.is_empty() { vec!["default".to_owned()] } else { names };
            let arn = |name: &String| place.arn("ecs", &format!("cluster/{}", last(name)));
            names.iter().map(arn).map(|arn| tagged(place, place.need(&arn), &arn)).collect()
        }
        "DeleteCluster"
        | "UpdateCluster"
        | "UpdateClusterSettings"
        | "PutClusterCapacityProviders"
        | "ListContainerInstances"
        | "RegisterContainerInstance"
        | "DeregisterContainerInstance" => {
            vec![tagged(place, place.need(&cluster_arn), &cluster_arn)]
        }
        "DescribeContainerInstances" | "UpdateContainerInstancesState" => {
            let one = |name: &String| at(place.need(within("container-instance", name)));
            asked.texts("containerInstances").iter().map(one).collect()
        }
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            let arn = asked.text("resourceArn").unwrap_or("*");
            let need = tagged(place, place.need(arn), arn).requesting(&asked.tags());
            let keys = asked.texts("tagKeys");
            vec![keys.iter().fold(need, |need, key| need.with("aws:TagKeys", key))]
        }
        // Reading and deregistering task definitions, and listing what has no resource.
        _ => vec![place.need("*")],
    }
}

fn by_arn(place: &Place<'_>, asked: &Asked<'_>, member: &str) -> Vec<Need> {
    asked.texts(member).iter().map(|arn| of_deployment(place, arn)).collect()
}

/// `…:service-deployment/<cluster>/<service>/<id>` and `…:service-revision/…` name what they are of.
fn of_deployment(place: &Place<'_>, arn: &str) -> Need {
    let parts: Vec<&str> = arn.split('/').collect();
    let need = place.need(arn);
    match parts[..] {
        [_, cluster, service, _] => need
            .with("ecs:cluster", place.arn("ecs", &format!("cluster/{cluster}")))
            .with("ecs:service", place.arn("ecs", &format!("service/{cluster}/{service}"))),
        _ => need,
    }
}

/// The keys that a service's members give.
fn of_service(asked: &Asked<'_>, mut need: Need) -> Need {
    for (key, member) in [
        ("ecs:enable-execute-command", "enableExecuteCommand"),
        ("ecs:enable-ecs-managed-tags", "enableECSManagedTags"),
    ] {
        let flag = asked.0.get(member).and_then(Value::as_bool);
        need = need.with_some(key, flag.map(|flag| flag.to_string()));
    }
    let connect = asked.0.get("serviceConnectConfiguration");
    let enabled = connect.and_then(|one| one["enabled"].as_bool());
    need = need
        .with_some("ecs:enable-service-connect", enabled.map(|flag| flag.to_string()))
        .with_some("ecs:namespace", connect.and_then(|one| one["namespace"].as_str()))
        .with_some("ecs:propagate-tags", asked.text("propagateTags"))
        .with_some("ecs:task-definition", asked.text("taskDefinition"));
    let list = |member: &str| asked.0.get(member).and_then(Value::as_array);
    for one in list("capacityProviderStrategy").into_iter().flatten() {
        need = need.with_some("ecs:capacity-provider", one["capacityProvider"].as_str());
    }
    let network = asked.0.get("networkConfiguration").map(|one| &one["awsvpcConfiguration"]);
    for subnet in network.and_then(|one| one["subnets"].as_array()).into_iter().flatten() {
        need = need.with_some("ecs:subnet", subnet.as_str());
    }
    let public = network.and_then(|one| one["assignPublicIp"].as_str());
    need.with_some("ecs:auto-assign-public-ip", public.map(|word| (word == "ENABLED").to_string()))
}

/// Making something: with tags it needs to be allowed to tag, too.
fn creating(place: &Place<'_>, asked: &Asked<'_>, need: Need, arn: &str) -> Vec<Need> {
    let tags = asked.tags();
    let mut needs = vec![of_service(asked, need).requesting(&tags)];
    if !tags.is_empty() {
        let tagging = Need { action: "ecs:TagResource".into(), ..place.need(arn) };
        needs.push(tagging.requesting(&tags).with("ecs:CreateAction", &place.call.operation));
    }
    needs
}

fn register(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    let family = asked.text("family").unwrap_or_default();
    let arn = place.arn("ecs", &format!("task-definition/{family}:*"));
    let mut need = place
        .need(&arn)
        .with_some("ecs:task-cpu", asked.text("cpu"))
        .with_some("ecs:task-memory", asked.text("memory"));
    for one in asked.texts("requiresCompatibilities") {
        need = need.with("ecs:compute-compatibility", one);
    }
    let containers = asked.0.get("containerDefinitions").and_then(Value::as_array);
    let privileged = containers.into_iter().flatten().any(|one| one["privileged"] == true);
    let mut needs =
        creating(place, asked, need.with("ecs:privileged", privileged.to_string()), &arn);
    for member in ["taskRoleArn", "executionRoleArn"] {
        needs.extend(asked.text(member).map(|role| pass(place, role, TASKS)));
    }
    needs
}

/// The service that runs tasks.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// The roles with which Amazon ECS writes listener rules and calls lifecycle hooks.
fn handed_to_ecs(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let config = asked.0.get("deploymentConfiguration");
    let mut roles: Vec<Value> = list(asked.0.get("loadBalancers"))
        .iter()
        .map(|one| one["advancedConfiguration"]["roleArn"].clone())
        .collect();
    let hooks = list(config.and_then(|own| own.get("lifecycleHooks")));
    roles.extend(hooks.iter().map(|one| one["roleArn"].clone()));
    let roles = roles.iter().filter_map(Value::as_str);
    roles.map(|role| pass(place, role, "ecs.amazonaws.com")).collect()
}

/// Handing on a role: its ARN, or its name.
fn pass(place: &Place<'_>, role: &str, service: &str) -> Need {
    let arn = match role.starts_with("arn:") {
        true => role.to_owned(),
        false => format!("arn:{}:iam::{}:role/{role}", partition(place.region).name, place.account),
    };
    let need = Need { action: "iam:PassRole".into(), resource: arn, ..Need::default() };
    need.with("iam:PassedToService", service)
}

fn run(place: &Place<'_>, asked: &Asked<'_>, cluster: &str, task: &str) -> Vec<Need> {
    let wanted = asked.text("taskDefinition").unwrap_or_default();
    let arn = definition(place, wanted);
    let need = tagged(place, place.need(&arn), &arn).with("ecs:cluster", cluster);
    let mut needs = creating(place, asked, need, task);
    let overrides = asked.0.get("overrides");
    for member in ["taskRoleArn", "executionRoleArn"] {
        let over = overrides.and_then(|one| one[member].as_str());
        let own = members(place, &arn).and_then(|text| {
            let value: Value = serde_json::from_str(text.get(member)?.get()).ok()?;
            value.as_str().map(str::to_owned)
        });
        needs.extend(over.map(str::to_owned).or(own).map(|role| pass(place, &role, TASKS)));
    }
    needs
}

/// The ARN that a task definition is meant by: the newest revision of a family.
fn definition(place: &Place<'_>, wanted: &str) -> String {
    if wanted.starts_with("arn:") {
        return wanted.to_owned();
    }
    let newest = || {
        let revisions = place.state?.ecs.families.get(wanted)?;
        revisions.values().rev().find(|one| one.active).map(|one| one.arn.clone())
    };
    match wanted.contains(':') {
        true => place.arn("ecs", &format!("task-definition/{wanted}")),
        false => {
            newest().unwrap_or_else(|| place.arn("ecs", &format!("task-definition/{wanted}:*")))
        }
    }
}

fn members<'a>(place: &Place<'a>, arn: &str) -> Option<&'a crate::protocol::json::RawObject> {
    let (family, revision) = last(arn).rsplit_once(':')?;
    place.state?.ecs.families.get(family)?.get(&revision.parse().ok()?).map(|one| &one.members)
}

/// With the tags that the resource has.
fn tagged(place: &Place<'_>, need: Need, arn: &str) -> Need {
    let Some(ecs) = place.state.map(|region| &region.ecs) else { return need };
    let kind = arn.splitn(6, ':').nth(5).and_then(|rest| rest.split('/').next());
    let tags = match kind {
        Some("service") => ecs.services.get(arn).map(|one| &one.tags),
        Some("task") => ecs.tasks.get(arn).map(|one| &one.tags),
        Some("cluster") => ecs.clusters.get(last(arn)).map(|one| &one.tags),
        Some("task-definition") => last(arn).rsplit_once(':').and_then(|(family, revision)| {
            ecs.families.get(family)?.get(&revision.parse().ok()?).map(|one| &one.tags)
        }),
        _ => None,
    };
    need.tagged("ecs", tags.into_iter().flatten())
}
