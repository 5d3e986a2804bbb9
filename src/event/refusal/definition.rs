//! Task definitions that cannot be registered, or not for this service.

use serde::Serialize;

/// A task definition that cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum DefinitionRefused {
    /// The load balancer sends requests to a port that it does not have.
    LacksPort {
        /// The task definition.
        revision: String,
        /// The container that should have it.
        container: String,
        /// The port.
        port: u16,
        /// The service of the load balancer.
        service: String,
    },
    /// Fargate pulls the image, or sends the logs, by a role that it does not name.
    NoExecutionRole {
        /// The task definition.
        revision: String,
        /// The container.
        container: String,
        /// It is for its logs, and not for its image.
        logs: bool,
    },
    /// Fargate has no task with so many CPU units.
    FargateCpu {
        /// The task definition.
        revision: String,
        /// Its CPU units.
        cpu: u64,
        /// The nearest that there are.
        nearest: u64,
        /// All that there are.
        sizes: Vec<u64>,
    },
    /// Fargate has no task with so much memory for so many CPU units.
    FargateMemory {
        /// The task definition.
        revision: String,
        /// Its CPU units.
        cpu: u64,
        /// Its memory in MiB.
        memory: u64,
        /// The nearest that there is.
        nearest: u64,
        /// All that there are with these CPU units.
        sizes: Vec<u64>,
    },
    /// It is larger than a task definition may be.
    TooLarge {
        /// The task definition.
        revision: String,
        /// Its size.
        bytes: usize,
        /// What there may be.
        max_bytes: usize,
    },
    /// A name is both a variable and a secret.
    VariableAndSecret {
        /// The task definition.
        revision: String,
        /// The container.
        container: String,
        /// The name.
        variable: String,
    },
    /// The live revision cannot be read.
    LiveUnreadable,
    /// A revision cannot be cloned.
    NotCloned {
        /// It.
        revision: String,
        /// Why, in the words of the JSON library.
        reason: String,
    },
    /// AWS did not keep a revision as it was sent.
    NotKept {
        /// It.
        revision: String,
        /// The members that are not as they were sent.
        lost: Vec<String>,
    },
    /// There is no such task definition.
    NoTaskDefinition {
        /// Its name.
        revision: String,
        /// The region.
        region: String,
    },
}
