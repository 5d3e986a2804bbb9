//! The resources of Amazon ECS.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Time;

mod definition;
mod native;
mod rollout;
mod service;
mod task;

pub(crate) use definition::{
    Configured, ContainerDefinition, ContainerHealthCheck, Definition, Dependency,
};
pub(crate) use native::{Course, Hook, Native, Side, Stage, TestRule};
pub(crate) use rollout::{Revision, Rollback, Rollout};
pub(crate) use service::{Attachment, Deployment, Event, Service, attachments};
pub(crate) use task::{Container, Destination, Task};

/// The ECS resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ecs {
    /// By name.
    pub(crate) clusters: BTreeMap<String, Cluster>,
    /// By family, then revision.
    pub(crate) families: BTreeMap<String, BTreeMap<u32, Definition>>,
    /// The newest revision that each family ever had, where it is not there any more.
    #[serde(default)]
    pub(crate) deleted: BTreeMap<String, u32>,
    /// By ARN.
    pub(crate) services: BTreeMap<String, Service>,
    /// By ARN.
    pub(crate) tasks: BTreeMap<String, Task>,
    /// By ARN.
    pub(crate) instances: BTreeMap<String, Instance>,
    /// Capacity providers beside Fargate's, by name.
    #[serde(default)]
    pub(crate) providers: BTreeMap<String, Provider>,
    /// Account settings, by name and principal.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
    /// When and where Fargate has no room.
    pub(crate) shortages: Vec<Shortage>,
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

/// A capacity provider of an Auto Scaling group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Provider {
    /// `ACTIVE` or `INACTIVE`.
    pub(crate) status: String,
    /// What became of the last change.
    pub(crate) update: Option<String>,
    pub(crate) members: Map<String, Value>,
    pub(crate) tags: Tags,
}

/// A container instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) arn: String,
    pub(crate) cluster: String,
    /// `i-…`: how target groups name it.
    pub(crate) ec2: String,
    pub(crate) zone: String,
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    /// How many tasks with a network interface of their own it can take.
    pub(crate) enis: usize,
    #[serde(default)]
    pub(crate) gpus: i64,
    /// `ACTIVE` or `DRAINING`.
    pub(crate) status: String,
    pub(crate) registered_at: Time,
    #[serde(default)]
    pub(crate) tags: Tags,
    /// Custom attributes, by name; some have no value.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, Option<String>>,
}

/// A time in which Fargate starts no tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shortage {
    pub(crate) from: Time,
    pub(crate) until: Option<Time>,
    /// Only there.
    pub(crate) zone: Option<String>,
    pub(crate) reason: String,
}

/// What follows the last slash of an ARN or is the name itself.
pub(crate) fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
