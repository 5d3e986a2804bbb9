//! Making a service ready for ECS's own blue/green: from what was read to the steps that are left. Pure. Each
//! step is decided by what is there, so a run that was killed is gone on with by running it again.

mod checks;
mod pair;
mod role;
mod test_rule;
mod undo;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::checks::check;
use self::pair::pair_steps;
pub use self::pair::{NEW_SUFFIX, PairStep, TWIN_TAG, shared_rules};
pub use self::role::{RoleSettings, policy_arn};
use self::role::{role_arn, role_steps};
use self::test_rule::test_rule_step;
pub use self::test_rule::{NEW_RULE, RuleSettings, TEST_TAG, made};
use self::undo::undo_steps;
use super::checks::refuse;
use super::{Digest, Survey, group_name};
use crate::event::refusal::{SetupRefused, TrafficRefused};
use crate::event::{Refusal, Warning};
use crate::model::arn;
use crate::model::quota::Quotas;
use crate::model::rule::{GroupPair, green_stands, weights, with_green};
use crate::model::scaling::Policy;
use crate::model::world::{Rule, Service};
use crate::record::{Change, Native};
use crate::request::image::ImageRef;
use crate::request::setup::{BAKE, Header, Setup};
use crate::request::strategy::Strategy;
use crate::route::configuration::{for_deployment, strategy};
use crate::route::native::production_rules;

/// What stands for the ARN of a target group that is not there yet.
pub const NEW_GROUP: &str = "ARN_OF_THE_SECOND_TARGET_GROUP";

/// The tag of a second target group that `setup` made for ECS's own blue/green; its value is the name of the group
/// that it is a copy of.
const CLONE_TAG: &str = "ecs-bg:clone-of";

/// The longest name of a target group (API reference of CreateTargetGroup).
const NAME_MAX: usize = 32;

/// The members that DescribeTargetGroups shows and CreateTargetGroup takes, as query parameters.
const MEMBERS: [&str; 17] = [
    "Protocol",
    "ProtocolVersion",
    "Port",
    "VpcId",
    "TargetType",
    "IpAddressType",
    "TargetControlPort",
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckEnabled",
    "HealthCheckPath",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher.HttpCode",
    "Matcher.GrpcCode",
];

/// Those of them that another group must have alike, whoever made it: the tasks, and users, depend on them.
const VITAL: [&str; 5] = ["Protocol", "ProtocolVersion", "VpcId", "TargetType", "IpAddressType"];

/// A target group, with all that a copy of it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// What DescribeTargetGroups shows, as query parameters: `("Matcher.HttpCode", "200")`, …
    pub members: BTreeMap<String, String>,
    /// Its attributes; `None` where they may not be read.
    pub attributes: Option<BTreeMap<String, String>>,
    /// Its tags; `None` where they may not be read.
    pub tags: Option<BTreeMap<String, String>>,
    /// How many targets it has, where that was read.
    pub targets: Option<usize>,
}

impl GroupSettings {
    /// The ARNs of the load balancers that use it.
    pub fn load_balancers(&self) -> Vec<&str> {
        let list = self.members.iter().filter(|(key, _)| key.starts_with("LoadBalancerArns."));
        list.map(|(_, arn)| arn.as_str()).collect()
    }

    /// What CreateTargetGroup is to be told for a copy.
    fn parameters(&self) -> Vec<(String, String)> {
        let member = |key: &&str| Some(((*key).to_owned(), self.members.get(*key)?.clone()));
        MEMBERS.iter().filter_map(member).collect()
    }

    /// The first of these members in which another group differs.
    fn differs(&self, other: &Self, members: &[&'static str]) -> Option<&'static str> {
        members.iter().copied().find(|key| self.members.get(*key) != other.members.get(*key))
    }

    /// Whether `setup` made it, for a group of this name; the tag says for which engine.
    fn is_made_for(&self, tag: &str, name: &str) -> bool {
        self.tags.as_ref().and_then(|tags| tags.get(tag)).is_some_and(|of| of == name)
    }
}

/// All that is read before a step.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The service and what belongs to it.
    pub survey: Survey,
    /// Its target group.
    pub first: Option<GroupSettings>,
    /// The second one, where it is there.
    pub second: Option<GroupSettings>,
    /// The service that is to be the twin, where it is there and names none.
    pub other: Option<Service>,
    /// The scaling policies of the service, for a twin; `None` where they may not be read.
    pub policies: Option<Vec<Policy>>,
    /// The role that it would make, where it is there.
    pub role: Option<RoleSettings>,
    /// The rule of `--test-rule`, or all rules of the listener that it names.
    pub test: Vec<Rule>,
    /// The ARNs of the rules that `setup` made for test traffic.
    pub made: Vec<String>,
    /// All rules of the production rule's listener, for `--test-header`.
    pub listened: Vec<RuleSettings>,
    /// Quotas, where something is to be made; `None` where they may not be read.
    pub quotas: Option<Quotas>,
    /// The images of the live revision, by container.
    pub images: BTreeMap<String, ImageRef>,
    /// What is known of them.
    pub digests: BTreeMap<String, Digest>,
}

/// A step that is left.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Make the role by which ECS changes rules.
    CreateRole {
        /// Its name.
        role: String,
        /// Its trust policy, as JSON.
        trust: String,
    },
    /// Give it AWS's policy.
    AttachPolicy {
        /// The role's name.
        role: String,
        /// The policy's ARN.
        policy: String,
    },
    /// Make a rule for test traffic.
    CreateRule {
        /// Its name, for people.
        rule: String,
        /// The name of the production rule.
        of: String,
        /// The header that its requests have.
        header: Header,
        /// The ARN of its listener.
        listener: String,
        /// The other parameters of CreateRule, without the tags.
        parameters: Vec<(String, String)>,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Make the second target group.
    Create {
        /// Its name.
        group: String,
        /// The name of the group that it is a copy of.
        base: String,
        /// The parameters of CreateTargetGroup.
        parameters: Vec<(String, String)>,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Give it the attributes of the first one.
    Attributes {
        /// Its name.
        group: String,
        /// Its ARN.
        arn: String,
        /// Those that differ.
        attributes: BTreeMap<String, String>,
    },
    /// Put it into the production rule, with weight 0.
    Attach {
        /// The rule as it is.
        rule: Rule,
        /// Its actions as they are to be.
        actions: Vec<(String, String)>,
    },
    /// Tell ECS of the second group, the rules and the role. ECS replaces the tasks then.
    Advance {
        /// `loadBalancers` as they are to be.
        load_balancers: Value,
    },
    /// Make a part of a pair. It is printed only.
    Pair(PairStep),
    /// Wait until ECS has replaced the tasks.
    Settle,
    /// Set the deployment strategy. It starts nothing.
    Strategy {
        /// `deploymentConfiguration` as it is to be.
        configuration: Value,
        /// How ECS is to shift traffic.
        strategy: Strategy,
        /// `bakeTimeInMinutes`
        bake: u32,
    },
    /// Undo: tell ECS of one group only. ECS replaces the tasks then.
    Retire {
        /// `loadBalancers` as they are to be.
        load_balancers: Value,
    },
    /// Undo: take the second group out of a rule.
    Detach {
        /// The rule as it is.
        rule: Rule,
        /// Its actions as they are to be.
        actions: Vec<(String, String)>,
    },
    /// Undo: delete the rule for test traffic.
    DeleteRule {
        /// Its name, for people.
        rule: String,
        /// Its ARN.
        arn: String,
    },
    /// Undo: delete the second group.
    Delete {
        /// Its name.
        group: String,
        /// Its ARN.
        arn: String,
    },
}

/// The service, where it is there.
pub fn service(seen: &Seen) -> Option<&Service> {
    seen.survey.world.service(&seen.survey.service)
}

/// The name of the second group: that of the first one, as far as it fits.
pub fn second_name(first: &str) -> String {
    let cut: String = first.chars().take(NAME_MAX - 2).collect();
    format!("{}-2", cut.trim_end_matches('-'))
}

/// Whether ECS replaces tasks, or has failed to.
fn is_deploying(service: &Service) -> bool {
    let [primary] = &service.deployments[..] else { return true };
    primary.rollout.as_deref().is_some_and(|state| state != "COMPLETED")
}

/// Whether ECS has replaced all tasks.
pub fn is_settled(service: &Service) -> bool {
    !is_deploying(service) && service.running >= service.desired && service.pending == 0
}

/// The steps that are left; none: the service is as it was asked for.
pub fn steps(asked: &Setup, seen: &Seen) -> Vec<Step> {
    match service(seen) {
        None => vec![],
        Some(service) if asked.undo => undo_steps(asked, seen, service),
        Some(service) if asked.pair.is_some() => {
            asked.pair.iter().flat_map(|twin| pair_steps(twin, seen, service)).collect()
        }
        Some(service) => setup_steps(asked, seen, service),
    }
}

fn setup_steps(asked: &Setup, seen: &Seen, service: &Service) -> Vec<Step> {
    let mut steps = Vec::new();
    if let (Some(first), Ok(rule)) = (&seen.first, production(asked, seen)) {
        let advanced = service.attachments.first().and_then(|one| one.advanced.as_ref());
        if advanced.is_none() {
            steps.extend(group_steps(first, seen.second.as_ref(), CLONE_TAG));
        }
        if advanced.is_none() {
            steps.splice(0..0, test_rule_step(asked, seen, first, rule));
            // First of all: it takes a while until ECS can assume a new role.
            steps.splice(0..0, role_steps(asked, seen, service));
        }
        let second = seen.second.as_ref().map_or(NEW_GROUP, |group| &group.arn);
        let pair = [GroupPair { blue: first.arn.clone(), green: second.to_owned() }];
        let has_test_rule = advanced.is_some_and(|advanced| advanced.test.is_some());
        if !green_stands(&rule.actions, &pair) && !has_test_rule {
            let actions = with_green(&rule.actions, &pair);
            steps.push(Step::Attach { rule: rule.clone(), actions });
        }
        if advanced.is_none() {
            let load_balancers = advance(asked, seen, service, rule, second);
            steps.extend([Step::Advance { load_balancers }, Step::Settle]);
        }
    }
    if let Some(step) = strategy_step(asked, service) {
        if !is_settled(service) && !steps.contains(&Step::Settle) {
            steps.push(Step::Settle);
        }
        steps.push(step);
    }
    steps
}

/// What is left to do for a second group.
fn group_steps(first: &GroupSettings, second: Option<&GroupSettings>, tag: &str) -> Vec<Step> {
    let name = second_name(&first.name);
    let own = first.attributes.clone().unwrap_or_default();
    match second {
        None => {
            let tags = first.tags.clone().unwrap_or_default().into_iter();
            // AWS does not take tags that begin so.
            let mut tags: BTreeMap<String, String> =
                tags.filter(|(key, _)| !key.to_lowercase().starts_with("aws:")).collect();
            tags.insert(tag.to_owned(), first.name.clone());
            let create = Step::Create {
                group: name.clone(),
                base: first.name.clone(),
                parameters: first.parameters(),
                tags,
            };
            let attributes = unusual(&own);
            let attributes = (!attributes.is_empty()).then(|| Step::Attributes {
                group: name,
                arn: NEW_GROUP.to_owned(),
                attributes,
            });
            std::iter::once(create).chain(attributes).collect()
        }
        // The attributes of a group that somebody else made are their business.
        Some(second) if second.is_made_for(tag, &first.name) => {
            let theirs = second.attributes.clone().unwrap_or_default();
            let attributes: BTreeMap<String, String> = own
                .into_iter()
                .filter(|(key, value)| theirs.get(key).is_some_and(|own| own != value))
                .collect();
            let (group, arn) = (second.name.clone(), second.arn.clone());
            match attributes.is_empty() {
                true => vec![],
                false => vec![Step::Attributes { group, arn, attributes }],
            }
        }
        Some(_) => vec![],
    }
}

/// Attributes that are not what every new target group has (API reference of TargetGroupAttribute). It is
/// only for what is shown beforehand: what is sent is found by comparing both groups.
fn unusual(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let usual = [
        ("stickiness.enabled", "false"),
        ("stickiness.type", "lb_cookie"),
        ("stickiness.type", "source_ip"),
        ("stickiness.lb_cookie.duration_seconds", "86400"),
        ("stickiness.app_cookie.duration_seconds", "86400"),
        ("deregistration_delay.timeout_seconds", "300"),
        ("deregistration_delay.connection_termination.enabled", "false"),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
        ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
        ("target_health_state.unhealthy.connection_termination.enabled", "true"),
        ("target_health_state.unhealthy.draining_interval_seconds", "0"),
        ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
        ("load_balancing.algorithm.type", "round_robin"),
        ("load_balancing.algorithm.anomaly_mitigation", "off"),
        ("slow_start.duration_seconds", "0"),
        ("proxy_protocol_v2.enabled", "false"),
        ("preserve_client_ip.enabled", "true"),
    ];
    let is_usual = |key: &str, value: &str| value.is_empty() || usual.contains(&(key, value));
    let own = attributes.iter().filter(|(key, value)| !is_usual(key, value));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `loadBalancers` as it was read, with what ECS needs to shift traffic.
fn advance(asked: &Setup, seen: &Seen, service: &Service, rule: &Rule, second: &str) -> Value {
    let mut list = service.settings.get("loadBalancers").cloned().unwrap_or_default();
    let mut advanced = json!({
        "alternateTargetGroupArn": second,
        "productionListenerRule": named_arn(rule),
    });
    if let Some(test) = test_arn(asked, seen) {
        advanced["testListenerRule"] = json!(test);
    }
    advanced["roleArn"] = json!(role_arn(asked, seen, service));
    list[0]["advancedConfiguration"] = advanced;
    list
}

/// The ARN of the rule for test traffic, or what stands for it.
pub fn test_arn<'a>(asked: &'a Setup, seen: &'a Seen) -> Option<&'a str> {
    let named = test_rule(asked, seen).ok().flatten().map(named_arn);
    let made = || made(seen).map(|rule| rule.arn.as_str());
    named.or_else(made).or_else(|| asked.header.as_ref().map(|_| NEW_RULE))
}

/// The rule that `--test-rule` names: itself, or the only one of its listener that leads to one of the groups.
fn test_rule<'a>(asked: &Setup, seen: &'a Seen) -> Result<Option<&'a Rule>, Refusal> {
    let (Some(arn), Some(first)) = (&asked.test, &seen.first) else { return Ok(None) };
    let groups = [Some(first), seen.second.as_ref()].map(|group| group.map(|group| &group.arn));
    let is_ours = |(group, _): &(String, u32)| groups.contains(&Some(group));
    let own = seen.test.iter().filter(|rule| rule.weights().iter().any(is_ours));
    match (&own.collect::<Vec<_>>()[..], &seen.test[..]) {
        ([one], _) => Ok(Some(*one)),
        ([], []) => refuse(SetupRefused::NoTestRule { arn: arn.clone() }),
        ([], others) => refuse(SetupRefused::TestRuleOfOthers {
            rule: if let [one] = others { one.name.clone() } else { arn.clone() },
            group: first.name.clone(),
        }),
        (several, _) => refuse(SetupRefused::SeveralTestRules {
            group: first.name.clone(),
            rules: several.iter().map(|rule| rule.name.clone()).collect(),
            arns: several.iter().map(|rule| rule.arn.clone()).collect(),
        }),
    }
}

/// Whether target groups, and whether rules, are to be made in AWS.
pub fn makes(asked: &Setup, seen: &Seen) -> (bool, bool) {
    let steps = if asked.pair.is_some() { vec![] } else { steps(asked, seen) };
    let has = |is: fn(&Step) -> bool| steps.iter().any(is);
    (
        has(|step| matches!(step, Step::Create { .. })),
        has(|step| matches!(step, Step::CreateRule { .. })),
    )
}

/// By which ARN ECS knows a rule: a Network Load Balancer has listeners only.
pub fn named_arn(rule: &Rule) -> &str {
    match rule.listener.contains(":listener/net/") {
        true => &rule.listener,
        false => &rule.arn,
    }
}

fn strategy_step(asked: &Setup, service: &Service) -> Option<Step> {
    let own = service.settings.get("deploymentConfiguration");
    let none = json!({});
    let found = strategy(own.unwrap_or(&none))?;
    let is_new = found == Strategy::Rolling;
    let to = asked.strategy.or(is_new.then_some(Strategy::BlueGreen));
    let has = own.and_then(|own| own["bakeTimeInMinutes"].as_u64());
    let has = has.and_then(|minutes| u32::try_from(minutes).ok()).unwrap_or_default();
    let bake = asked.bake.or(is_new.then_some(BAKE));
    let change = Native {
        strategy: to.filter(|to| *to != found).map(|to| (to, found)),
        keeps: true,
        bake: bake.filter(|to| *to != has).map(|to| Change { to, from: has }),
        pauses: vec![],
        limit: 0,
        gates: vec![],
    };
    let configuration = for_deployment(own, &change)?;
    let (strategy, bake) = (to.unwrap_or(found), bake.unwrap_or(has));
    Some(Step::Strategy { configuration, strategy, bake })
}

/// The rule that users' requests come through.
pub fn production<'a>(asked: &Setup, seen: &'a Seen) -> Result<&'a Rule, Refusal> {
    let (Some(service), Some(first)) = (service(seen), &seen.first) else {
        return refuse(SetupRefused::SetupWithoutGroup);
    };
    let world = &seen.survey.world;
    if service.is_advanced() {
        let found = production_rules(&world.rules, service).into_iter().find_map(|(_, rule)| rule);
        return found.ok_or_else(|| {
            let own = &service.attachments[0];
            let advanced = own.advanced.as_ref();
            let other = advanced.map_or("", |advanced| &advanced.alternate);
            Refusal::new(TrafficRefused::NoProductionRule {
                service: service.name.clone(),
                arn: advanced.map_or_else(String::new, |advanced| advanced.production.clone()),
                groups: [&own.group, other].map(|arn| group_name(world, arn)),
            })
        });
    }
    let test = test_rule(asked, seen)?;
    let is_test = |rule: &Rule| {
        test.is_some_and(|test| test.arn == rule.arn) || seen.made.contains(&rule.arn)
    };
    let gives =
        |rule: &Rule| rule.weights().iter().any(|(arn, weight)| *arn == first.arn && *weight > 0);
    let found: Vec<&Rule> =
        world.rules.values().filter(|rule| gives(rule) && !is_test(rule)).collect();
    let chosen = match (&asked.production, &found[..]) {
        (Some(arn), found) => found
            .iter()
            .copied()
            .find(|rule| rule.arn == *arn || named_arn(rule) == arn)
            .ok_or_else(|| {
                Refusal::new(SetupRefused::NotTheProductionRule {
                    arn: arn.clone(),
                    group: first.name.clone(),
                    load_balancer: load_balancer(first),
                })
            })?,
        (None, [one]) => *one,
        (None, []) => {
            return refuse(SetupRefused::GroupWithoutRule {
                service: service.name.clone(),
                group: first.name.clone(),
                load_balancer: load_balancer(first),
            });
        }
        (None, several) => {
            return refuse(SetupRefused::SeveralRules {
                group: first.name.clone(),
                rules: several.iter().map(|rule| rule.name.clone()).collect(),
                arns: several.iter().map(|rule| named_arn(rule).to_owned()).collect(),
            });
        }
    };
    let second = seen.second.as_ref().map(|group| &group.arn);
    for (group, weight) in weights(&chosen.actions) {
        let name = arn::name(&group);
        if group == first.arn || (Some(&group) == second && weight == 0) {
            continue;
        }
        let (rule, arn, name) = (chosen.name.clone(), chosen.arn.clone(), name.to_owned());
        return match Some(&group) == second {
            true => {
                let first = first.name.clone();
                refuse(SetupRefused::SecondGroupHasTraffic { rule, arn, group: name, first })
            }
            false => refuse(SetupRefused::ThirdGroupInRule { rule, arn, group: name }),
        };
    }
    Ok(chosen)
}

fn load_balancer(group: &GroupSettings) -> Option<String> {
    group.load_balancers().first().map(|arn| (*arn).to_owned())
}

/// What a user may not expect.
pub fn notes(asked: &Setup, seen: &Seen) -> Vec<Warning> {
    let (Some(first), Ok(rule)) = (&seen.first, production(asked, seen)) else { return vec![] };
    let leads = |other: &&Rule| {
        other.weights().iter().any(|(group, weight)| *group == first.arn && *weight > 0)
            && other.arn != rule.arn
            && test_arn(asked, seen) != Some(named_arn(other))
    };
    let others = seen.survey.world.rules.values().filter(leads);
    let warning =
        |other: &Rule| Warning::OtherRule { rule: other.name.clone(), group: first.name.clone() };
    match service(seen).is_some_and(Service::is_advanced) {
        true => vec![],
        false => others.map(warning).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_second_group_fits() {
        assert_eq!(second_name("api"), "api-2");
        let long = "a".repeat(32);
        assert_eq!(second_name(&long), "a".repeat(30) + "-2");
        let dashed = "a".repeat(29) + "-bc";
        assert_eq!(second_name(&dashed), "a".repeat(29) + "-2");
    }
}
