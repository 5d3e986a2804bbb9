//! Deployments and their records that are in the way of a command, or that it cannot do anything with.

use std::time::Duration;

use serde::Serialize;

use crate::event::{IgnoredRecord, seconds};
use crate::record::Unreadable;

/// A deployment, or its record, with which a command can do nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum RecordRefused {
    /// Another deployment is not finished.
    Unfinished {
        /// `web:43`
        deployment: String,
        /// The service that served when it began.
        service: String,
        /// The other service of its pair.
        #[serde(skip_serializing_if = "Option::is_none")]
        twin: Option<String>,
        /// The service that gets the new revision.
        green: String,
        /// The cluster.
        cluster: String,
        /// It goes forward; else it rolls back.
        is_forward: bool,
        /// Checks or alarms judge it, which only the command that began it knows.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_judged: bool,
        /// The first step that does not hold; none: a service of it is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        step: Option<&'static str>,
    },
    /// A newer version of ecs-bg wrote a record that may be open.
    RecordOfNewerVersion {
        /// The revision that has it in its tags.
        revision: String,
    },
    /// A record cannot be read.
    RecordUnreadable {
        /// The record.
        #[serde(flatten)]
        record: Unreadable,
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The record of an unfinished deployment does not count.
    RecordIgnored {
        /// The record.
        #[serde(flatten)]
        record: IgnoredRecord,
        /// The service that was named.
        of: String,
        /// Its cluster.
        in_cluster: String,
    },
    /// Another deployment began at the same moment, and came first.
    BeganFirst {
        /// Ours: `web:44`
        deployment: String,
        /// The other one: `web:43`
        first: String,
    },
    /// Somebody else edited the record.
    RecordEdited {
        /// `web:43`
        deployment: String,
        /// A service of its pair.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// No process has driven the deployment for a day: only a person goes on with it.
    Forgotten {
        /// `web:43`
        deployment: String,
        /// A service of its pair.
        service: String,
        /// The cluster.
        cluster: String,
        /// For how long nobody has driven it.
        #[serde(rename = "silent_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        silent: Duration,
    },
    /// Another process drives the deployment.
    Driven {
        /// `web:43`
        deployment: String,
        /// How long ago its last heartbeat was.
        #[serde(rename = "silent_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        silent: Duration,
        /// When it counts as dead.
        #[serde(rename = "dead_after_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        dead_after: Duration,
    },
    /// Somebody else promotes the deployment at the same moment.
    PromotedByOther {
        /// `web:43`
        deployment: String,
        /// A service of its pair.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The deployment holds no share of the traffic now.
    HoldsNoShare {
        /// `web:43`
        deployment: String,
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The first step that does not hold.
        step: &'static str,
    },
    /// ECS's service deployment does not pause now.
    DoesNotPause {
        /// The revision that it deploys, where ECS says it.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// ECS's `status`.
        status: String,
        /// ECS's `lifecycleStage`.
        stage: String,
    },
    /// The service that is to have the traffic is the one that a deployment starts.
    StartsIn {
        /// It.
        to: String,
        /// `web:43`
        deployment: String,
        /// The service that was named.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The checks and alarms that judge the deployment are kept nowhere.
    JudgedByChecks {
        /// `web:43`
        deployment: String,
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// No record says what served before.
    NothingBefore {
        /// The revision that serves.
        revision: String,
        /// The service that runs it.
        live: String,
        /// The service that was named.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// `rollback --to` has a name without a revision, which is no service of the pair.
    NamesNoRevision {
        /// It.
        to: String,
        /// The service.
        service: String,
        /// Its twin.
        #[serde(skip_serializing_if = "Option::is_none")]
        twin: Option<String>,
        /// The family that serves.
        family: String,
    },
    /// `rollback --to` names neither a service of the pair nor a task definition.
    NothingToGoBackTo {
        /// It.
        to: String,
        /// The service.
        service: String,
        /// Its twin.
        #[serde(skip_serializing_if = "Option::is_none")]
        twin: Option<String>,
        /// The cluster.
        cluster: String,
        /// The region.
        region: String,
        /// The family that serves.
        family: String,
    },
}
