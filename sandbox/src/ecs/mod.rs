//! Amazon ECS: which operation is where. How things change with time is in `scheduler` (services) and
//! `task` (tasks).

use std::sync::LazyLock;

use crate::{
    protocol::{
        Fault,
        json::{Answer, Request},
        shapes::Shapes,
    },
    state::Here,
};

mod account;
mod alarms;
mod check_definition;
mod check_fargate;
mod check_ports;
mod check_references;
mod check_service;
mod check_task;
mod cluster;
pub(crate) mod definition;
pub(crate) mod depend;
mod dispatch;
mod events;
mod failures;
mod instance;
pub(crate) mod instance_api;
mod launch;
mod listed;
mod listing;
pub(crate) mod logging;
mod native;
mod pin;
mod providers;
pub(crate) mod rollout;
mod rollout_api;
mod run_task;
pub(crate) mod scheduler;
mod service;
mod show;
mod tags;
pub(crate) mod task;
mod task_api;
mod update;

pub(crate) use alarms::set_alarm;
pub(crate) use native::begin::lasts;
pub(crate) use service::{activity, set_desired};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("../protocol/shapes/ecs.txt")));

fn missing(path: &str) -> Fault {
    let (owner, member) =
        path.rsplit_once('.').map_or(("", path), |(owner, member)| (owner, member));
    let mut chars = member.chars();
    let member: String =
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    let at = if owner.is_empty() { String::new() } else { format!(" ({owner})") };
    Fault::parameter(format!("{member} should not be null or empty.{at}"))
}

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

/// Answers a call.
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    request.check(&SHAPES, operation, missing)?;
    match operation {
        "CreateCluster" => cluster::create(here, request),
        "DescribeClusters" => cluster::describe(here, request),
        "ListClusters" => cluster::list(here, request),
        "DeleteCluster" => cluster::delete(here, request),
        "UpdateCluster" | "UpdateClusterSettings" => providers::update_cluster(here, request),
        "PutClusterCapacityProviders" => providers::put_for_cluster(here, request),
        "CreateCapacityProvider" => providers::create(here, request),
        "DescribeCapacityProviders" => providers::describe(here, request),
        "UpdateCapacityProvider" => providers::update(here, request),
        "DeleteCapacityProvider" => providers::delete(here, request),
        "PutAccountSetting" => account::put(here, request, false),
        "PutAccountSettingDefault" => account::put(here, request, true),
        "DeleteAccountSetting" => account::delete(here, request),
        "ListAccountSettings" => account::list(here, request),
        "RegisterTaskDefinition" => definition::register(here, request),
        "DescribeTaskDefinition" => definition::describe(here, request),
        "DeregisterTaskDefinition" => definition::deregister(here, request),
        "DeleteTaskDefinitions" => definition::delete(here, request),
        "ListTaskDefinitions" => definition::list(here, request),
        "ListTaskDefinitionFamilies" => definition::families(here, request),
        "CreateService" => service::create(here, request),
        "UpdateService" => update::update(here, request),
        "DeleteService" => service::delete(here, request),
        "DescribeServices" => service::describe(here, request),
        "ListServices" => service::list(here, request),
        "ListServiceDeployments" => rollout_api::list(here, request),
        "DescribeServiceDeployments" => rollout_api::describe(here, request),
        "DescribeServiceRevisions" => rollout_api::revisions(here, request),
        "ContinueServiceDeployment" => rollout_api::go_on(here, request),
        "StopServiceDeployment" => rollout_api::stop(here, request),
        "ListTasks" => task_api::list(here, request),
        "DescribeTasks" => task_api::describe(here, request),
        "ListContainerInstances" => instance_api::list(here, request),
        "DescribeContainerInstances" => instance_api::describe(here, request),
        "RegisterContainerInstance" => instance_api::register_sent(here, request),
        "DeregisterContainerInstance" => instance_api::deregister(here, request),
        "PutAttributes" => instance_api::put_attributes(here, request),
        "DeleteAttributes" => instance_api::delete_attributes(here, request),
        "ListAttributes" => instance_api::list_attributes(here, request),
        "UpdateContainerInstancesState" => instance_api::set_state(here, request),
        "RunTask" => run_task::run(here, request),
        "StopTask" => task_api::stop(here, request),
        "TagResource" => tags::tag(here, request),
        "UntagResource" => tags::untag(here, request),
        "ListTagsForResource" => tags::list(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}
