//! What keeps two services from standing in for each other.

use serde::Serialize;
use serde_json::Value;

use crate::model::world::Check;

/// Two services that are no pair, or none that can be deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum PairRefused {
    /// No twin is known.
    NoTwin {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// A service that looks like one.
        #[serde(skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// The twin that a tag names does not count.
    TwinIgnored {
        /// The service.
        service: String,
        /// What its tag `ecs-bg:twin` names.
        twin: String,
        /// Why it does not count.
        #[serde(flatten)]
        doubt: Doubt,
    },
    /// A service is named as its own twin.
    OwnTwin {
        /// It.
        twin: String,
    },
    /// Rules and target groups cannot be read: weights that cannot be read cannot be moved.
    LoadBalancersUnread {
        /// In AWS's words.
        reason: String,
    },
    /// They register other containers or ports.
    OtherPorts {
        /// One service.
        service: String,
        /// The other one.
        twin: String,
        /// The cluster.
        cluster: String,
        /// What the first one registers: `web:80`.
        ports: Vec<String>,
        /// What the other one registers.
        twin_ports: Vec<String>,
    },
    /// They register one container in two target groups each.
    AmbiguousGroups {
        /// One service.
        service: String,
        /// The other one.
        twin: String,
        /// The cluster.
        cluster: String,
        /// What they register: `web:80`.
        ports: Vec<String>,
    },
    /// They share a target group.
    SharedGroup {
        /// One service.
        service: String,
        /// The other one.
        twin: String,
        /// The target group.
        group: String,
    },
    /// Their target groups have different protocols.
    OtherProtocol {
        /// A target group of one service, and of the other one.
        groups: [String; 2],
        /// Their protocols.
        protocols: [String; 2],
    },
    /// Their target groups are behind different load balancers.
    OtherLoadBalancer {
        /// A target group of one service, and of the other one.
        groups: [String; 2],
    },
    /// They differ in a setting that must be alike.
    SettingDiffers {
        /// The service that serves.
        blue: String,
        /// The other one.
        green: String,
        /// The cluster.
        cluster: String,
        /// The member of the service.
        setting: &'static str,
        /// What it is of the one that serves.
        blue_value: Value,
        /// What it is of the other one.
        green_value: Value,
    },
    /// They differ in their launch type, which cannot be changed.
    LaunchTypeDiffers {
        /// The service that serves.
        blue: String,
        /// The other one.
        green: String,
        /// The cluster.
        cluster: String,
    },
    /// Their target groups differ in their health check.
    HealthCheckDiffers {
        /// The target group of the service that serves.
        blue: String,
        /// The other one.
        green: String,
        /// The ARN of the other one.
        arn: String,
        /// The health check of the service that serves.
        blue_check: Check,
        /// The other one.
        green_check: Check,
    },
    /// The task definition is of another family than the one that serves.
    OtherFamily {
        /// The task definition.
        revision: String,
        /// Its family.
        family: String,
        /// The service that serves.
        service: String,
        /// The family that it runs.
        service_family: String,
    },
}

/// Why the twin that a tag names does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "doubt", rename_all = "kebab-case")]
pub enum Doubt {
    /// There is no such service.
    NoService,
    /// It does not have the tag that names the service.
    NotMutual,
    /// No listener rule holds target groups of both.
    NoSharedRule,
}
