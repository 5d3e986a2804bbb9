//! Task definition revisions and their containers.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::{clock::Time, protocol::json::RawObject};

/// A task definition revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) arn: String,
    pub(crate) family: String,
    pub(crate) revision: u32,
    pub(crate) active: bool,
    /// It is being deleted.
    #[serde(default)]
    pub(crate) deleting: bool,
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
    #[serde(default)]
    pub(crate) gpus: i64,
    /// `linux/amd64`
    #[serde(default)]
    pub(crate) platform: String,
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
    /// What must be so before it starts.
    #[serde(default)]
    pub(crate) depends_on: Vec<Dependency>,
    /// How long others wait for it, in seconds.
    #[serde(default)]
    pub(crate) start_timeout: Option<u64>,
    /// How long it has to end by itself, in seconds.
    #[serde(default)]
    pub(crate) stop_timeout: Option<u64>,
    /// The words of its command.
    #[serde(default)]
    pub(crate) command: Vec<String>,
    /// How it logs, where that is with `awslogs`.
    #[serde(default)]
    pub(crate) log: Option<Configured>,
}

/// A container that another one waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) container: String,
    /// `START`, `COMPLETE`, `SUCCESS` or `HEALTHY`.
    pub(crate) condition: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerHealthCheck {
    pub(crate) interval: u64,
    pub(crate) retries: u32,
    pub(crate) start_period: u64,
}

/// A `logConfiguration` with the driver `awslogs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Configured {
    pub(crate) group: String,
    pub(crate) region: Option<String>,
    pub(crate) prefix: Option<String>,
}
