//! Which engine deploys.

use serde::Serialize;

/// Who moves things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// We move the weights between the target groups of two services.
    Listener,
    /// ECS replaces the tasks of one service.
    Rolling,
}
