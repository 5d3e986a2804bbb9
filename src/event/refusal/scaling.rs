//! Auto scaling that cannot move with the traffic of a pair.

use serde::Serialize;
use serde_json::Value;

use crate::model::scaling::Suspended;

/// Scalable targets or policies with which a pair cannot be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum ScalingRefused {
    /// Auto scaling cannot be read, and the pair had it at its last deployment.
    ScalableTargetsUnread {
        /// The service that serves.
        service: String,
        /// The cluster.
        cluster: String,
        /// The other service.
        other: String,
        /// It is a way back that is asked for.
        back: bool,
    },
    /// One service of the pair has a scalable target, and the other one has none.
    OneIsNotScaled {
        /// The service that has one.
        scaled: String,
        /// The scalable target that the other one needs.
        #[serde(flatten)]
        needed: ScalableTarget,
    },
    /// The desired count of the service that serves is outside the limits.
    DesiredOutsideLimits {
        /// Its desired count.
        desired: u32,
        /// `MinCapacity`
        min: u32,
        /// `MaxCapacity`
        max: u32,
        /// The scalable target that it needs.
        needed: ScalableTarget,
    },
    /// A policy of one service has no like on the other one.
    PolicyOfOne {
        /// The policy, and the service that has it.
        #[serde(flatten)]
        policy: ScalingPolicy,
        /// The other service.
        other: String,
        /// The other service serves: what the policy is for there, a person must say.
        other_serves: bool,
    },
    /// A policy counts the requests of a target group of another service.
    PolicyOfOtherGroup {
        /// The policy, as it should be.
        #[serde(flatten)]
        policy: ScalingPolicy,
        /// The target group whose requests it counts: `app/NAME/ID/targetgroup/NAME/ID`.
        label: String,
    },
}

/// A scalable target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScalableTarget {
    /// The service.
    pub service: String,
    /// The cluster.
    pub cluster: String,
    /// `MinCapacity`
    pub min: u32,
    /// `MaxCapacity`
    pub max: u32,
    /// `SuspendedState`
    pub suspended: Suspended,
}

/// A scaling policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScalingPolicy {
    /// The service.
    pub service: String,
    /// The cluster.
    pub cluster: String,
    /// `PolicyName`
    pub policy: String,
    /// `PolicyType`
    pub policy_type: String,
    /// Its configuration, for the service that needs it.
    pub configuration: Value,
}
