//! Tasks and their containers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Attachment, ContainerHealthCheck, Dependency, Tags, last};
use crate::{clock::Time, image::Behaviour};

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
    #[serde(default)]
    pub(crate) gpus: i64,
    /// `linux/amd64`
    #[serde(default)]
    pub(crate) platform: String,
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
    pub(crate) log: Option<Destination>,
    pub(crate) health_check: Option<ContainerHealthCheck>,
    /// What must be so before it starts.
    #[serde(default)]
    pub(crate) depends_on: Vec<Dependency>,
    #[serde(default)]
    pub(crate) start_timeout: Option<u64>,
    #[serde(default)]
    pub(crate) stop_timeout: Option<u64>,
    pub(crate) last_status: String,
    pub(crate) health: String,
    pub(crate) failures: u32,
    pub(crate) started_at: Option<Time>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
}

/// Where a container writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Destination {
    pub(crate) region: String,
    pub(crate) group: String,
    pub(crate) stream: String,
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
