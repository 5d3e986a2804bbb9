//! What the listener rules show that keeps traffic from being shifted.

use serde::Serialize;

/// Rules or target groups whose traffic cannot be shifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum TrafficRefused {
    /// No rule forwards to a target group of the pair.
    NoRule {
        /// A service of the pair, and the other one.
        services: [String; 2],
    },
    /// No listener but the one for tests forwards to the pair.
    TestListenerAlone {
        /// The service.
        service: String,
    },
    /// The listener for tests leads to the only side that answers.
    TestListenerServes {
        /// Its rule.
        rule: String,
        /// The service that answers there.
        service: String,
        /// The service that the other rules lead to.
        other: String,
    },
    /// No rule of the listener for tests forwards to the pair.
    NotOnTestListener {
        /// Its ARN.
        listener: String,
        /// The service.
        service: String,
    },
    /// A rule gives traffic to a target group of neither service.
    ThirdGroup {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// That target group.
        group: String,
    },
    /// A rule gives neither service any weight.
    NoWeight {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
    },
    /// Both services have traffic, and no record says why.
    OnBothSides {
        /// The rule.
        rule: String,
        /// A rule that gives traffic to the other service; none: this one gives both some.
        #[serde(skip_serializing_if = "Option::is_none")]
        other_rule: Option<String>,
        /// A service of the pair, and the other one.
        services: [String; 2],
        /// The cluster.
        cluster: String,
        /// The service that was named.
        service: String,
        /// The service that has most of the traffic, or else most tasks.
        to: String,
    },
    /// A rule that does not forward to the side that serves sends requests to the other one.
    ForeignRule {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The service that does not serve.
        service: String,
        /// Its healthy targets.
        healthy: usize,
    },
    /// A target group is sticky.
    StickyGroup {
        /// The target group.
        group: String,
        /// Its ARN.
        arn: String,
    },
    /// A rule is sticky.
    StickyRule {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
    },
    /// The production rule forwards to no target group of the service, or is gone.
    NoProductionRule {
        /// The service.
        service: String,
        /// The ARN of the rule.
        arn: String,
        /// The service's two target groups.
        groups: [String; 2],
    },
    /// The production rule sends requests to a target group that the service does not have.
    OtherGroup {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// That target group.
        group: String,
        /// The service's two target groups.
        groups: [String; 2],
    },
    /// The production rule gives no target group any traffic.
    NoTraffic {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
    },
    /// The production rule gives several target groups traffic.
    SeveralGroups {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The target groups.
        groups: Vec<String>,
    },
    /// A rule that ECS does not move sends requests to the target group that the deployment empties.
    UnmovedRule {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// That target group.
        group: String,
        /// The production rule, which ECS moves.
        other_rule: String,
    },
    /// A target group of the service is neither in its production rule nor in its test rule.
    NotInRule {
        /// The service.
        service: String,
        /// That target group.
        group: String,
        /// The production rule.
        rule: String,
        /// Its ARN.
        arn: String,
    },
    /// The production rule sends requests to a target group in which no task of the service stands.
    EmptyGroup {
        /// The rule.
        rule: String,
        /// Its ARN.
        arn: String,
        /// The service.
        service: String,
        /// That target group.
        group: String,
        /// The service's other target group.
        other_group: String,
        /// The ARN of the other one.
        other_arn: String,
    },
}
