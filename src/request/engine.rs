//! Which engine deploys.

use std::fmt;

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
    /// ECS shifts the traffic between two target groups of one service.
    Native,
}

impl EngineName {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::Listener, Self::Rolling, Self::Native];

    /// Its name, as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Rolling => "rolling",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}
