//! What keeps `ecs-bg setup` from making a service ready for ECS to shift its traffic, or from undoing that.

use std::time::Duration;

use serde::Serialize;

use crate::event::{Quota, seconds};

/// A service that cannot be set up, or whose setup cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum SetupRefused {
    /// CodeDeploy deploys it: setup does not migrate it.
    SetupFromCodeDeploy {
        /// The service.
        service: String,
    },
    /// It has a twin.
    SetupOfPair {
        /// The service.
        service: String,
        /// Its ARN.
        arn: String,
        /// Its twin.
        twin: String,
    },
    /// setup does not know its deployment strategy.
    SetupOfUnknownStrategy {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// ECS's `strategy`.
        strategy: String,
    },
    /// It is behind a Classic Load Balancer.
    SetupOfClassicLoadBalancer {
        /// The service.
        service: String,
    },
    /// It has several load balancers.
    SeveralLoadBalancers {
        /// The service.
        service: String,
        /// How many.
        count: usize,
    },
    /// A target group cannot be read.
    GroupUnread {
        /// The target group.
        group: String,
        /// What of it: `tags`, `attributes` or `targets`.
        part: &'static str,
        /// The IAM action that would be needed.
        action: &'static str,
    },
    /// ECS could not start new tasks of what it runs.
    RunsInactive {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// `web:42`
        revision: String,
    },
    /// ECS would stop tasks before new ones are healthy.
    StopsFirst {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// `minimumHealthyPercent`
        min_healthy: u32,
    },
    /// Its last deployment failed.
    LastFailed {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// ECS deploys it.
    Deploying {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// `--test-rule` names the production rule.
    TestRuleIsProduction,
    /// `--test-rule` names a rule that is not there.
    NoTestRule {
        /// Its ARN.
        arn: String,
    },
    /// `--test-rule` names a rule that does not forward to a target group of the service.
    TestRuleOfOthers {
        /// The rule.
        rule: String,
        /// The service's target group.
        group: String,
    },
    /// `--test-header` of a service that has no listener rules of its own.
    TestHeaderWithoutRules {
        /// The service.
        service: String,
        /// It is behind a Network Load Balancer; else behind none.
        is_network: bool,
    },
    /// The service is set up already, and not with what an option asks for.
    SetUpOtherwise {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The option.
        option: &'static str,
        /// What it has instead.
        current: Option<String>,
    },
    /// `--test-header` of a service that is set up without it.
    TestRuleTooLate {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
    },
    /// The rule that setup made for test traffic has other conditions, or ECS uses another one.
    TestRuleDiffers {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The rule.
        rule: String,
    },
    /// The production rule does more than to forward: test traffic would skip that.
    TestRuleSkips {
        /// The production rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The type of the action.
        action: String,
    },
    /// The conditions of the rule for test traffic would have more values than a rule may have.
    TestRuleTooLong {
        /// The production rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// How many there would be.
        count: usize,
    },
    /// No priority is free before the production rule.
    NoPriority {
        /// The production rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The new priorities that make one free.
        moves: Vec<RuleMove>,
    },
    /// A quota of Elastic Load Balancing is reached.
    Quota(Quota),
    /// `--alternate-target-group` names a target group that is not there.
    NoSecondGroup {
        /// Its ARN.
        arn: String,
    },
    /// The second target group cannot be used.
    SecondGroupUnfit {
        /// It.
        group: String,
        /// Its ARN.
        arn: String,
        /// The first one.
        first: String,
        /// It was named with `--alternate-target-group`.
        is_named: bool,
        /// Why not.
        #[serde(flatten)]
        unfit: Unfit,
    },
    /// A pair of services with several target groups each is not printed.
    PairOfSeveralGroups {
        /// The service.
        service: String,
        /// How many.
        count: usize,
    },
    /// The name of the twin is that of another service.
    TwinTaken {
        /// The name.
        twin: String,
        /// The service itself has it.
        is_itself: bool,
    },
    /// Its auto scaling cannot be read.
    ScalingUnread {
        /// The service.
        service: String,
        /// The IAM action that would be needed.
        action: &'static str,
    },
    /// The role to make is there, and others may assume it.
    RoleOfOthers {
        /// Its name.
        role: String,
        /// Its ARN.
        arn: String,
        /// Whom its trust policy names.
        trusted: Vec<String>,
    },
    /// It is in no target group.
    SetupWithoutGroup,
    /// `--production-rule` names a rule that sends no requests to the target group.
    NotTheProductionRule {
        /// Its ARN.
        arn: String,
        /// The target group.
        group: String,
        /// The ARN of its load balancer.
        #[serde(skip_serializing_if = "Option::is_none")]
        load_balancer: Option<String>,
    },
    /// No rule sends requests to the target group.
    GroupWithoutRule {
        /// The service.
        service: String,
        /// The target group.
        group: String,
        /// The ARN of its load balancer.
        #[serde(skip_serializing_if = "Option::is_none")]
        load_balancer: Option<String>,
    },
    /// Several rules send requests to the target group.
    SeveralRules {
        /// The target group.
        group: String,
        /// The rules.
        rules: Vec<String>,
        /// Their ARNs.
        arns: Vec<String>,
    },
    /// Several rules of the listener that `--test-rule` names send requests to the target groups.
    SeveralTestRules {
        /// The first target group.
        group: String,
        /// The rules.
        rules: Vec<String>,
        /// Their ARNs.
        arns: Vec<String>,
    },
    /// The production rule gives the second target group traffic.
    SecondGroupHasTraffic {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The second target group.
        group: String,
        /// The first one.
        first: String,
    },
    /// The production rule names a third target group.
    ThirdGroupInRule {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// That target group.
        group: String,
    },
    /// It cannot be undone for several load balancers, or for one that cannot be read.
    UndoSeveralLoadBalancers {
        /// The service.
        service: String,
    },
    /// It cannot be undone while the second target group is used.
    UndoWhileUsed {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The second target group.
        group: String,
        /// The first one.
        first: String,
        /// It has traffic; else it only has targets.
        has_traffic: bool,
    },
    /// It cannot be undone while the load balancer may still send requests to the second target group.
    UndoTooEarly {
        /// The service.
        service: String,
        /// The cluster.
        cluster: String,
        /// The second target group.
        group: String,
        /// How long that may go on.
        #[serde(rename = "left_seconds", serialize_with = "seconds")]
        #[cfg_attr(test, schemars(with = "u64"))]
        left: Duration,
    },
}

/// A rule's new priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RuleMove {
    /// The ARN of the rule.
    pub arn: String,
    /// Its new priority.
    pub priority: u32,
}

/// Why a target group cannot be the second one of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "unfit", rename_all = "kebab-case")]
pub enum Unfit {
    /// It is the first one.
    IsFirst,
    /// It differs in a setting that must be alike.
    Differs {
        /// The member of the target group.
        member: &'static str,
    },
    /// It has other attributes.
    OtherAttributes,
    /// It belongs to another load balancer.
    OtherLoadBalancer,
    /// It has targets.
    InUse,
}
