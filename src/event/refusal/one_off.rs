//! What keeps a one-off task from being started.

use serde::Serialize;

/// A one-off task that cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum OneOffRefused {
    /// The container that is named is not there.
    NoContainer {
        /// The task definition.
        revision: String,
        /// It.
        container: String,
        /// The containers that are there.
        containers: Vec<String>,
        /// What was asked for.
        asked: Box<RunCommand>,
    },
    /// A network was asked for, and the task uses that of its container instance.
    NoOwnNetwork {
        /// The task definition.
        revision: String,
        /// What was asked for.
        asked: Box<RunCommand>,
    },
    /// The task has a network of its own, and needs subnets.
    NeedsSubnets {
        /// The task definition.
        revision: String,
        /// The security groups that were asked for.
        groups: Vec<String>,
        /// It runs on Fargate only, and nothing says so to RunTask.
        needs_fargate: bool,
        /// What was asked for.
        asked: Box<RunCommand>,
    },
    /// `--command` has no words.
    CommandWithoutWords,
    /// The overrides are longer than RunTask takes.
    OverridesTooLong {
        /// Characters that they have.
        characters: usize,
        /// Characters that RunTask takes.
        limit: usize,
    },
    /// ECS started no task.
    NoTaskStarted {
        /// The cluster.
        cluster: String,
        /// ECS's reasons.
        reasons: Vec<String>,
    },
}

/// An `ecs-bg run` as it was typed, without what may be secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunCommand {
    /// `--cluster`
    pub cluster: String,
    /// `--service`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `--task-definition`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `--container`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `--launch-type`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<String>,
    /// How often `--command` was given.
    pub commands: usize,
    /// How often `--env` was given.
    pub variables: usize,
    /// `--cpu`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cpu: Vec<String>,
    /// `--memory`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<String>,
    /// `--count`
    pub count: u32,
}
