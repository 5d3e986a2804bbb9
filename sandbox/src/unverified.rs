//! What AWS does not say about its strategies BLUE_GREEN, LINEAR and CANARY: a scenario decides. The
//! defaults are the worst for a client.

use serde::{Deserialize, Serialize};

/// The section `[native]` of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unverified {
    /// What becomes of `hookDetails` of a PAUSE hook.
    pub pause_details: PauseDetails,
    /// Where a running service deployment finds its lifecycle hooks.
    pub hooks: Hooks,
    /// Which revision has the traffic when a new service deployment interrupts a bake.
    pub interrupted_bake: InterruptedBake,
    /// Which revision follows a new desired count.
    pub count_follows: CountFollows,
    /// What the infrastructure role allows ECS.
    pub infrastructure_role: InfrastructureRole,
}

/// What becomes of `hookDetails` of a PAUSE hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseDetails {
    /// The call is refused.
    #[default]
    Refuse,
    /// It is not kept.
    Drop,
    /// It is kept and shown.
    Keep,
}

/// Where a running service deployment finds its lifecycle hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hooks {
    /// In the service, as it is when a stage begins.
    #[default]
    Live,
    /// In its own copy, made at the start.
    Copied,
}

/// Which revision has the traffic when a new service deployment interrupts a bake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterruptedBake {
    /// The one that was baking.
    #[default]
    Stay,
    /// The one before.
    Back,
}

/// Which revision follows a new desired count during a service deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountFollows {
    /// The target revision.
    #[default]
    Target,
    /// The source revision, until it is gone.
    Source,
    /// Both.
    Both,
}

/// What the infrastructure role allows ECS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfrastructureRole {
    /// All that it needs.
    #[default]
    Full,
    /// Reading, and no ModifyRule or ModifyListener.
    NoModify,
    /// Nothing.
    None,
}
