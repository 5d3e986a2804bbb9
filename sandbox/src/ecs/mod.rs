//! Amazon ECS: what it keeps, and which operation is where. How things change with time is in
//! `scheduler` (services) and `task` (tasks).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    clock::Time,
    cloud::Here,
    image::Behaviour,
    protocol::{
        Fault,
        json::{Answer, RawObject, Request},
        shapes::Shapes,
    },
};

mod alarms;
mod check_definition;
mod check_service;
mod cluster;
mod definition;
mod dispatch;
mod events;
mod failures;
mod instance;
pub(crate) mod instance_api;
mod launch;
mod listing;
pub(crate) mod logging;
mod pin;
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
pub(crate) use launch::Shortage;
pub(crate) use service::set_desired;

/// The ECS resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ecs {
    /// By name.
    pub(crate) clusters: BTreeMap<String, Cluster>,
    /// By family, then revision.
    pub(crate) families: BTreeMap<String, BTreeMap<u32, Definition>>,
    /// By ARN.
    pub(crate) services: BTreeMap<String, Service>,
    /// By ARN.
    pub(crate) tasks: BTreeMap<String, Task>,
    /// By ARN.
    pub(crate) instances: BTreeMap<String, instance::Instance>,
    /// When and where Fargate has no room.
    pub(crate) shortages: Vec<launch::Shortage>,
    /// Alarms by name, with their state.
    pub(crate) alarms: BTreeMap<String, String>,
    /// What RunTask was sent with each client token, and which tasks that started.
    pub(crate) tokens: BTreeMap<String, (Map<String, Value>, Vec<String>)>,
    /// Addresses given out so far.
    pub(crate) addresses: u32,
}

pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) status: String,
    /// What CreateCluster was sent.
    pub(crate) members: Map<String, Value>,
    pub(crate) tags: Tags,
}

/// A task definition revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) arn: String,
    pub(crate) family: String,
    pub(crate) revision: u32,
    pub(crate) active: bool,
    pub(crate) registered_at: Time,
    pub(crate) deregistered_at: Option<Time>,
    /// What RegisterTaskDefinition was sent, byte for byte, with the defaults that AWS fills in.
    pub(crate) members: RawObject,
    /// What the scheduler needs to know of the containers.
    pub(crate) containers: Vec<ContainerDefinition>,
    pub(crate) network_mode: String,
    /// What a task takes of an instance.
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerDefinition {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) essential: bool,
    pub(crate) ports: Vec<i64>,
    /// The host port of each of `ports`; 0: the instance chooses one.
    pub(crate) host_ports: Vec<i64>,
    /// Its tag is resolved once for a deployment (`versionConsistency`).
    pub(crate) pinned: bool,
    pub(crate) health_check: Option<ContainerHealthCheck>,
    /// The words of its command.
    #[serde(default)]
    pub(crate) command: Vec<String>,
    /// How it logs, where that is with `awslogs`.
    #[serde(default)]
    pub(crate) log: Option<logging::Configured>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerHealthCheck {
    pub(crate) interval: u64,
    pub(crate) retries: u32,
    pub(crate) start_period: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) status: String,
    pub(crate) desired: u32,
    pub(crate) definition: Option<String>,
    /// What CreateService and UpdateService were sent, but for what has a field here.
    pub(crate) members: Map<String, Value>,
    /// The request that made it, to know an identical one.
    pub(crate) request: Map<String, Value>,
    pub(crate) created_at: Time,
    pub(crate) tags: Tags,
    /// Newest first.
    pub(crate) deployments: Vec<Deployment>,
    /// The newest deployment that was completed: where the circuit breaker goes back to.
    pub(crate) completed: Option<Deployment>,
    /// Its service deployments, newest first.
    pub(crate) rollouts: Vec<rollout::Rollout>,
    /// Its service revisions, newest first.
    pub(crate) revisions: Vec<rollout::Revision>,
    /// Newest first.
    pub(crate) events: Vec<Event>,
    /// Messages whose cause still holds, and since when they were said.
    pub(crate) said: BTreeMap<String, Time>,
    pub(crate) steady: bool,
    /// Since when all that runs is the primary deployment, and healthy.
    pub(crate) complete_since: Option<Time>,
    /// Tasks that are not STOPPED yet.
    pub(crate) tasks: BTreeSet<String>,
    /// When the scheduler looks next, if it is asked to.
    pub(crate) look_at: Option<Time>,
    /// Tasks in a row that never ran.
    pub(crate) failed_starts: u32,
    /// Times in a row that no task could be placed.
    pub(crate) unplaced: u32,
    /// No task is started before this.
    pub(crate) back_off: Option<Time>,
    /// Unhealthy tasks that are to be replaced.
    pub(crate) replaced: u32,
    /// Targets registered and deregistered, by group, that no event has told of yet.
    pub(crate) moved: BTreeMap<String, (u32, u32)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) definition: String,
    /// The ARN of the service revision that it brings.
    pub(crate) revision: String,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    pub(crate) rollout_state: String,
    pub(crate) rollout_reason: String,
    pub(crate) failed_tasks: u32,
    /// The service's members that belong to a deployment, as they were when it began.
    pub(crate) settings: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) at: Time,
    pub(crate) message: String,
}

/// An entry of `loadBalancers` that names a target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) group: String,
    pub(crate) container: String,
    pub(crate) port: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) arn: String,
    pub(crate) cluster: String,
    pub(crate) service: Option<String>,
    /// The deployment's id, or what RunTask was sent.
    pub(crate) started_by: Option<String>,
    pub(crate) group: String,
    pub(crate) definition: String,
    pub(crate) launch_type: String,
    pub(crate) last_status: String,
    pub(crate) desired_status: String,
    /// Counts the steps of its life; a timer of another step is void.
    pub(crate) turn: u32,
    pub(crate) created_at: Time,
    pub(crate) pull_started_at: Option<Time>,
    pub(crate) pull_stopped_at: Option<Time>,
    pub(crate) started_at: Option<Time>,
    pub(crate) stopping_at: Option<Time>,
    pub(crate) execution_stopped_at: Option<Time>,
    pub(crate) stopped_at: Option<Time>,
    pub(crate) stop_code: Option<String>,
    pub(crate) stopped_reason: Option<String>,
    pub(crate) containers: Vec<Container>,
    /// The container instance that it stands on, and that one's EC2 id.
    pub(crate) instance: Option<String>,
    pub(crate) ec2: Option<String>,
    pub(crate) network_mode: String,
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    /// Members of RunTask that are shown as they were sent.
    pub(crate) members: Map<String, Value>,
    pub(crate) subnet: String,
    pub(crate) zone: String,
    pub(crate) address: String,
    pub(crate) attachments: Vec<Attachment>,
    /// It stands in its target groups.
    pub(crate) registered: bool,
    /// It was healthy at some time.
    pub(crate) proved: bool,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) digest: Option<String>,
    pub(crate) runtime_id: String,
    pub(crate) essential: bool,
    pub(crate) ports: Vec<i64>,
    /// The instance's port for each of `ports`; empty where the task has an address of its own.
    pub(crate) host_ports: Vec<i64>,
    /// Its tag is resolved once for a deployment.
    pub(crate) pinned: bool,
    pub(crate) behaviour: Behaviour,
    /// Where it logs to.
    #[serde(default)]
    pub(crate) log: Option<logging::Destination>,
    pub(crate) health_check: Option<ContainerHealthCheck>,
    pub(crate) last_status: String,
    pub(crate) health: String,
    pub(crate) failures: u32,
    pub(crate) started_at: Option<Time>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
}

impl Task {
    /// Meant to run, whatever it does at the moment.
    pub(crate) fn wanted(&self) -> bool {
        self.desired_status == "RUNNING"
    }

    pub(crate) fn id(&self) -> &str {
        last(&self.arn)
    }

    /// The target that it is in a target group: its own address and the container's port, or with
    /// bridge and host networking its instance and the port there.
    pub(crate) fn target(&self, attachment: &Attachment) -> (String, i64) {
        let own = self.containers.iter().find(|one| one.name == attachment.container);
        let host = own.and_then(|one| {
            let at = one.ports.iter().position(|port| *port == attachment.port)?;
            one.host_ports.get(at).copied()
        });
        match (&self.ec2, host) {
            (Some(ec2), Some(host)) => (ec2.clone(), host),
            _ => (self.address.clone(), attachment.port),
        }
    }

    /// HEALTHY if all essential containers are, UNKNOWN if no container is checked.
    pub(crate) fn health(&self) -> &'static str {
        let mut checked =
            self.containers.iter().filter(|container| container.health_check.is_some()).peekable();
        if checked.peek().is_none() {
            return "UNKNOWN";
        }
        let all: Vec<&str> = checked
            .filter(|container| container.essential)
            .map(|container| container.health.as_str())
            .collect();
        if all.contains(&"UNHEALTHY") {
            "UNHEALTHY"
        } else if all.iter().all(|health| *health == "HEALTHY") {
            "HEALTHY"
        } else {
            "UNKNOWN"
        }
    }
}

impl Deployment {
    pub(crate) fn attachments(&self) -> Vec<Attachment> {
        service::attachments(&self.settings)
    }
}

/// What follows the last slash of an ARN or is the name itself.
pub(crate) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

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
        "RegisterTaskDefinition" => definition::register(here, request),
        "DescribeTaskDefinition" => definition::describe(here, request),
        "DeregisterTaskDefinition" => definition::deregister(here, request),
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
        "StopServiceDeployment" => rollout_api::stop(here, request),
        "ListTasks" => task_api::list(here, request),
        "DescribeTasks" => task_api::describe(here, request),
        "ListContainerInstances" => instance_api::list(here, request),
        "DescribeContainerInstances" => instance_api::describe(here, request),
        "UpdateContainerInstancesState" => instance_api::set_state(here, request),
        "RunTask" => run_task::run(here, request),
        "StopTask" => task_api::stop(here, request),
        "TagResource" => tags::tag(here, request),
        "UntagResource" => tags::untag(here, request),
        "ListTagsForResource" => tags::list(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}
