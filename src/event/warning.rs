//! Warnings: facts that the user should know and that stop no deployment.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::cause::{Cause, Number};
use super::seconds;
use crate::error::Failure;
use crate::model::gate::GateFault;
use crate::record::Unreadable;

/// A warning. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "warning", rename_all = "kebab-case")]
pub enum Warning {
    /// A call failed, and the deployment goes on.
    CallFailed {
        /// The call.
        failure: Failure,
        /// How it goes on.
        then: Then,
    },
    /// The rules show what this deployment did not write; it goes on from there.
    GoingOnFrom {
        /// The share in percent; none: from the first one.
        #[serde(skip_serializing_if = "Option::is_none")]
        share: Option<u8>,
    },
    /// A number of the record is not followed.
    NumberNotFollowed(Number),
    /// The user asked to stop while the deployment rolls back already.
    StillRollingBack,
    /// The user asked to stop, and the new revision has all the traffic already.
    Finishing,
    /// No record is kept: no other process can resume this deployment.
    NoRecord {
        /// Why.
        why: NoRecord,
    },
    /// Old revisions were not deregistered, since the user asked to stop.
    OldRevisionsKept,
    /// ECS started one task less than was asked for.
    TaskNotStarted {
        /// ECS's reason.
        reason: String,
    },
    /// The logs of a container cannot be found without `awslogs-stream-prefix`.
    NoStreamPrefix {
        /// The container.
        container: String,
    },
    /// A log stream is not there.
    NoLogStream {
        /// The container.
        container: String,
        /// The log group.
        group: String,
        /// The stream.
        stream: String,
    },
    /// Logs cannot be read.
    LogsUnreadable {
        /// The call.
        failure: Failure,
    },
    /// Which image ran is not known any more.
    DigestUnknown {
        /// The container.
        container: String,
        /// Its image.
        image: String,
    },
    /// Somebody else has overtaken a deployment that nobody drives: it is over.
    Over {
        /// `web:43`
        deployment: String,
        /// What happened.
        by: Cause,
    },
    /// The service's deployment settings still have what was for this deployment only.
    SettingsLeft {
        /// The service.
        service: String,
        /// The call.
        failure: Failure,
    },
    /// Another rule sends requests to a target group, and ECS will not move them.
    OtherRule {
        /// The rule.
        rule: String,
        /// The target group's name.
        group: String,
    },
    /// `--timeout` is so short that an ordinary start may take longer.
    ShortTimeout {
        /// `--timeout`
        #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        timeout: Duration,
    },
    /// A duration was typed without a unit, and may be meant in minutes.
    NoUnit {
        /// `--bake`
        option: &'static str,
        /// What it counts as.
        seconds: u64,
    },
    /// `--follow` is shorter than a load balancer may take.
    ShortFollow {
        /// `--follow`
        #[serde(rename = "follow_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        follow: Duration,
    },
    /// AWS does not register it, as its documentation says.
    NotRegistered {
        /// What is copied, `web:42`, or the file.
        revision: String,
        /// AWS's answer.
        why: String,
    },
    /// The tags of the record are copied to the tasks.
    RecordTagsCopied {
        /// The service that does so: `propagateTags` is `TASK_DEFINITION`.
        service: String,
    },
    /// The tags of the original were not copied: `ecs:TagResource` is not allowed.
    TagsNotCopied,
    /// Whether an image is there was not checked.
    ImageUnchecked {
        /// It.
        image: String,
        /// The container that it is for.
        container: String,
        /// Why.
        #[serde(flatten)]
        why: Unchecked,
    },
    /// Whether a repository is there was not checked.
    RepositoryUnchecked {
        /// Its name.
        repository: String,
        /// The call.
        failure: Failure,
    },
    /// Whether a scalable target could start the stopped service was not checked.
    ScalingUnchecked,
    /// The auto scaling policies of a pair were not compared.
    PoliciesUnchecked,
    /// A forecast may change the desired count meanwhile.
    PredictiveScaling {
        /// The service.
        service: String,
        /// Its policy.
        policy: String,
    },
    /// Target group attributes, and so stickiness, were not checked.
    AttributesUnchecked,
    /// Load balancers cannot be read: target health is left to ECS.
    LoadBalancersUnread {
        /// In AWS's words.
        reason: String,
    },
    /// Rules cannot be read: what they send where is not checked.
    RulesUnread {
        /// In AWS's words.
        reason: String,
    },
    /// ECS's own history of deployments cannot be read.
    HistoryUnread {
        /// The call.
        failure: Failure,
    },
    /// The credentials may end before the deployment does.
    CredentialsExpire {
        /// How long they are still good.
        #[serde(rename = "left_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        left: Duration,
        /// What the deployment takes at least.
        #[serde(rename = "needed_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        needed: Duration,
    },
    /// The service that has the traffic wants no task.
    NothingServes {
        /// It.
        service: String,
    },
    /// The service that has the traffic has no healthy target, and another deployment of it is in progress.
    NothingHealthy {
        /// It.
        service: String,
    },
    /// The services of a pair differ in a setting.
    ServicesDiffer {
        /// The one that serves.
        blue: String,
        /// The other one.
        green: String,
        /// The member of the service.
        setting: &'static str,
        /// What it is of the one that serves.
        blue_value: Value,
        /// What it is of the other one.
        green_value: Value,
    },
    /// Two target groups of a pair differ in an attribute.
    GroupsDiffer {
        /// The group of the service that serves.
        blue: String,
        /// The other one.
        green: String,
        /// The attribute's key.
        attribute: String,
        /// What it is of the one that serves; none: it is not set.
        #[serde(skip_serializing_if = "Option::is_none")]
        blue_value: Option<String>,
        /// What it is of the other one; none: it is not set.
        #[serde(skip_serializing_if = "Option::is_none")]
        green_value: Option<String>,
    },
    /// A rule forwards only to the side that does not serve: it stays as it is.
    RuleNotChanged {
        /// The rule.
        rule: String,
        /// The service that serves.
        blue: String,
        /// The other one.
        green: String,
    },
    /// Another deployment of the service is in progress and will be replaced.
    DeploymentReplaced {
        /// The service.
        service: String,
        /// Its revision.
        revision: String,
        /// ECS's `rolloutState`.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<String>,
        /// The revision that a rollback goes to.
        old: String,
    },
    /// The desired count is 0: nothing shows whether the new revision works.
    NoTasksWanted {
        /// The service.
        service: String,
    },
    /// Which side of a pair serves cannot be told: a one-off task runs as those of the named one.
    ServingSideUnknown {
        /// The service that was named.
        service: String,
        /// Its twin.
        twin: String,
    },
    /// The service has a twin, and which of them has the traffic is not checked.
    TwinUnchecked {
        /// The service.
        service: String,
        /// Its twin.
        twin: String,
    },
    /// An alarm of `--alarm` is on already.
    AlarmOn {
        /// Its name.
        alarm: String,
    },
    /// A gate found something wrong, or could not tell.
    Gate {
        /// Its URL without what may be secret, or its program.
        gate: String,
        /// What it found.
        #[serde(flatten)]
        fault: GateFault,
        /// How many wrong answers it has given at this share; none: it could not tell.
        #[serde(skip_serializing_if = "Option::is_none")]
        wrong: Option<u32>,
        /// So many wrong answers fail the deployment.
        limit: u32,
    },
    /// An image of the revision that a rollback would start is gone from its repository.
    NoWayBack {
        /// `web:42`
        revision: String,
        /// The container.
        container: String,
        /// Its image.
        image: String,
        /// What ECR says.
        why: String,
    },
    /// The live revision is INACTIVE: a copy is registered to roll back to.
    CopiedToRollBack {
        /// `web:42`
        revision: String,
    },
    /// The service is set up so that its deployments pause.
    Pauses {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// ECS's lifecycle stages.
        stages: Vec<String>,
    },
    /// The deployment strategy of a service changes and stays so.
    StrategyChanges {
        /// The service.
        service: String,
        /// As `--strategy` takes it: `blue-green`
        from: String,
        /// As `--strategy` takes it: `canary:10/5m`
        to: String,
    },
    /// Targets are unhealthy before the deployment begins.
    UnhealthyTargets {
        /// The service.
        service: String,
        /// How many.
        targets: usize,
    },
    /// A record does not count.
    RecordIgnored(IgnoredRecord),
    /// A record cannot be read.
    RecordUnreadable(Unreadable),
}

/// Why an image was not checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "unchecked", rename_all = "kebab-case")]
pub enum Unchecked {
    /// It is not in Amazon ECR.
    NotInEcr,
    /// The registry of another account does not show it.
    OtherAccount {
        /// The account's id.
        account: String,
    },
    /// It may not be read.
    Denied {
        /// In AWS's words.
        reason: String,
    },
}

/// A record that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IgnoredRecord {
    /// The revision that has it in its tags.
    pub carrier: String,
    /// Why.
    #[serde(flatten)]
    pub why: Objection,
}

/// Why a record does not count: anybody who may write tags can write one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "objection", rename_all = "kebab-case")]
pub enum Objection {
    /// It names a service that is not known as the twin.
    Stranger {
        /// The service that it names.
        stranger: String,
        /// The service that is deployed.
        service: String,
    },
    /// It names another cluster.
    OtherCluster {
        /// That cluster.
        cluster: String,
    },
    /// It is about another revision than the one that carries it.
    OtherRevision {
        /// That revision.
        revision: String,
    },
    /// It did not begin when its revision was registered.
    Copied,
    /// It would roll back to a revision of another family, which the service did not run.
    BackToOtherFamily {
        /// That revision.
        revision: String,
    },
    /// It would roll back to a revision that is not older.
    BackToNotOlder {
        /// That revision.
        revision: String,
    },
    /// It would roll back to a revision that cannot be read.
    BackToUnreadable {
        /// That revision.
        revision: String,
    },
    /// It would roll back to a revision that has other containers.
    BackToOtherContainers {
        /// That revision.
        revision: String,
    },
    /// The revision before is of a family that the service does not run.
    BeforeOfOtherFamily {
        /// That revision.
        revision: String,
        /// The service.
        service: String,
    },
    /// The revision before is not older.
    BeforeNotOlder {
        /// That revision.
        revision: String,
    },
    /// The revision before has other containers.
    BeforeOtherContainers {
        /// That revision.
        revision: String,
    },
}

/// How a deployment goes on after a call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "then", rename_all = "kebab-case")]
pub enum Then {
    /// Reads again what is there, and decides again.
    LooksAgain,
    /// Tries again.
    TriesAgain,
    /// Goes on.
    GoesOn,
    /// Goes by targets alone, without the reasons of tasks.
    WithoutTasks,
    /// Leaves target health to ECS.
    WithoutTargets,
    /// Its record may be out of date.
    RecordOutOfDate,
    /// Old revisions stay registered.
    OldRevisionsKept,
    /// Goes by the weights alone; the record stays open.
    WeightsAlone,
    /// A revision stays registered; nothing runs it.
    StaysRegistered {
        /// `web:43`
        revision: String,
    },
    /// A revision stays registered; nothing runs it.
    Withdrawn {
        /// `web:43`
        revision: String,
        /// Why its record stays open; none: it is closed.
        #[serde(skip_serializing_if = "Option::is_none")]
        open: Option<Box<Failure>>,
    },
}

/// Why no record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NoRecord {
    /// The user's tags leave no room.
    Tags,
    /// The task definition would be larger than 64 KiB.
    Size,
    /// `ecs:TagResource` is not allowed; the user's tags are not copied either.
    Denied,
}
