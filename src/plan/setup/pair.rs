//! What makes one service a pair for the engine `listener`: a second target group in all rules of the first, a
//! twin, its auto scaling, and the tags that name them. It is printed, and never done. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::checks::{group_fits, groups_can_be_read};
use super::{GroupSettings, NEW_GROUP, Seen, Step, group_steps};
use crate::event::Refusal;
use crate::event::refusal::{ServiceRefused, SetupRefused, TrafficRefused};
use crate::model::rule::{GroupPair, green_per_mille, green_stands, with_share};
use crate::model::scaling::{Policy, Scalable};
use crate::model::world::{Rule, Service};
use crate::plan::checks::{refuse, service as services, traffic};
use crate::request::setup::Setup;

/// The tag by which a service names its twin.
pub const TWIN_TAG: &str = "ecs-bg:twin";

/// The tag of the second target group of a pair; its value is the name of the group that it is a copy of.
const GROUP_TAG: &str = "ecs-bg:pair-of";

/// What stands for the end of the ARN of a target group that is not there yet: `targetgroup/NAME/ID`.
pub const NEW_SUFFIX: &str = "SUFFIX_OF_THE_SECOND_TARGET_GROUP";

/// The members that DescribeServices shows and CreateService takes, and that a twin has, too.
const MEMBERS: [&str; 14] = [
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "deploymentController",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "launchType",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "platformVersion",
    "propagateTags",
    "schedulingStrategy",
];

/// A part of a pair that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum PairStep {
    /// Make the twin.
    Create {
        /// Its name.
        twin: String,
        /// The request of CreateService.
        members: Value,
    },
    /// Give it a scalable target that starts nothing.
    Scale {
        /// Its name.
        twin: String,
        /// The target of the first service.
        like: Scalable,
    },
    /// Give it a scaling policy.
    Policy {
        /// Its name.
        twin: String,
        /// The policy, as it is for the twin.
        policy: Policy,
    },
    /// Tag the first service with the name of its twin.
    Tag {
        /// The service's name.
        service: String,
        /// Its ARN.
        arn: String,
        /// Its twin.
        twin: String,
    },
}

/// The rules that send requests to the first target group.
pub fn shared_rules(seen: &Seen) -> impl Iterator<Item = &Rule> {
    let first = seen.first.as_ref().map(|group| group.arn.clone());
    let holds =
        move |rule: &&Rule| rule.weights().iter().any(|(arn, _)| Some(arn) == first.as_ref());
    seen.survey.world.rules.values().filter(holds)
}

/// Both groups, as far as they are there.
fn groups(seen: &Seen) -> Vec<GroupPair> {
    let second = seen.second.as_ref().map_or(NEW_GROUP, |group| &group.arn);
    let pair =
        |first: &GroupSettings| GroupPair { blue: first.arn.clone(), green: second.to_owned() };
    seen.first.iter().map(pair).collect()
}

/// What is left to make.
pub(super) fn pair_steps(twin: &str, seen: &Seen, service: &Service) -> Vec<Step> {
    if let Some(twin) = &seen.survey.twin {
        let other = seen.survey.world.service(twin).and_then(|other| other.groups().next());
        let is_scaled = seen.survey.scalable(twin).is_some();
        let policies = seen.survey.policies.iter().flatten();
        let policies = policies.filter(|policy| policy.service == service.name);
        return match other.filter(|_| !is_scaled) {
            Some(second) => scaling_steps(twin, second, seen, service, policies),
            None => vec![],
        };
    }
    let Some(first) = &seen.first else { return vec![] };
    let mut steps = group_steps(first, seen.second.as_ref(), GROUP_TAG);
    let pairs = groups(seen);
    for rule in shared_rules(seen) {
        let has_traffic = green_per_mille(&rule.actions, &pairs) > Some(0);
        if has_traffic || !green_stands(&rule.actions, &pairs) {
            let actions = with_share(&rule.actions, &pairs, 0);
            steps.push(Step::Attach { rule: rule.clone(), actions });
        }
    }
    let second = &pairs[0].green;
    if seen.other.is_none() {
        let members = twin_members(twin, seen, service, second);
        steps.push(Step::Pair(PairStep::Create { twin: twin.to_owned(), members }));
    }
    let policies = seen.policies.iter().flatten();
    steps.extend(scaling_steps(twin, second, seen, service, policies));
    let (name, arn) = (service.name.clone(), service.arn.clone());
    steps.push(Step::Pair(PairStep::Tag { service: name, arn, twin: twin.to_owned() }));
    steps
}

/// What scales the twin as the service is scaled.
fn scaling_steps<'a>(
    twin: &str,
    second: &str,
    seen: &Seen,
    service: &Service,
    policies: impl Iterator<Item = &'a Policy>,
) -> Vec<Step> {
    let Some(like) = seen.survey.scalable(&service.name) else { return vec![] };
    let (name, like) = (twin.to_owned(), like.clone());
    let scale = Step::Pair(PairStep::Scale { twin: name, like });
    let policies = policies.map(|policy| {
        let policy = twin_policy(policy, twin, second);
        Step::Pair(PairStep::Policy { twin: twin.to_owned(), policy })
    });
    [scale].into_iter().chain(policies).collect()
}

/// The request of CreateService for a twin: as the service, with another target group and no tasks.
fn twin_members(twin: &str, seen: &Seen, service: &Service, second: &str) -> Value {
    let filled = |value: &&Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    let mut members = Map::new();
    members.insert("cluster".into(), json!(seen.survey.cluster_name()));
    members.insert("serviceName".into(), json!(twin));
    members.insert("taskDefinition".into(), json!(service.revision));
    members.insert("desiredCount".into(), json!(0));
    let mut balancers = service.settings.get("loadBalancers").cloned().unwrap_or_default();
    balancers[0]["targetGroupArn"] = json!(second);
    members.insert("loadBalancers".into(), balancers);
    let mut take = |to: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(filled) {
            members.insert(to.to_owned(), value.clone());
        }
    };
    for member in MEMBERS {
        take(member, service.settings.get(member));
    }
    // The role with which ECS registers targets is its own, unless the service names another one.
    let role = service.settings.get("roleArn");
    take(
        "role",
        role.filter(|arn| !arn.as_str().is_some_and(|arn| arn.contains("aws-service-role"))),
    );
    let deployments = service.settings.get("deployments").and_then(Value::as_array);
    let mut deployments = deployments.into_iter().flatten();
    let primary = deployments.find(|one| one["status"] == "PRIMARY");
    take("volumeConfigurations", primary.and_then(|one| one.get("volumeConfigurations")));
    if members.contains_key("capacityProviderStrategy") {
        members.remove("launchType");
    }
    let tags = twin_tags(service).into_iter();
    let tags = tags.map(|(key, value)| json!({"key": key, "value": value}));
    members.insert("tags".into(), tags.collect());
    Value::Object(members)
}

/// The tags of a twin: those of the service but for AWS's and ours, and the one that names the service.
fn twin_tags(service: &Service) -> BTreeMap<String, String> {
    let is_own = |key: &str| {
        let key = key.to_lowercase();
        !key.starts_with("aws:") && !key.starts_with("ecs-bg:")
    };
    let own = service.tags.iter().filter(|(key, _)| is_own(key));
    let mut tags: BTreeMap<String, String> =
        own.map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.insert(TWIN_TAG.to_owned(), service.name.clone());
    tags
}

/// A policy for the twin: it counts the requests of the other target group, and follows the metrics of the twin.
fn twin_policy(policy: &Policy, twin: &str, second: &str) -> Policy {
    let mut configuration = policy.configuration.clone();
    if let Some((balancer, _)) = policy.label().and_then(|label| label.split_once("/targetgroup/"))
    {
        let end = match second == NEW_GROUP {
            true => NEW_SUFFIX,
            false => second.rsplit(':').next().unwrap_or(second),
        };
        configuration = policy.with_label(&format!("{balancer}/{end}"));
    }
    rename(&mut configuration, &policy.service, twin);
    Policy { service: twin.to_owned(), configuration, ..policy.clone() }
}

/// Dimensions of metrics that name the service name its twin.
fn rename(value: &mut Value, service: &str, twin: &str) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|one| rename(one, service, twin)),
        Value::Object(members) => {
            if members.get("Name").is_some_and(|name| name == "ServiceName")
                && members.get("Value").is_some_and(|value| value == service)
            {
                members.insert("Value".into(), json!(twin));
            }
            members.values_mut().for_each(|one| rename(one, service, twin));
        }
        _ => {}
    }
}

/// All that is in the way of a pair.
pub(super) fn check_pair(
    twin: &str,
    asked: &Setup,
    seen: &Seen,
    service: &Service,
) -> Result<(), Refusal> {
    let survey = &seen.survey;
    if survey.twin.is_some() {
        return Ok(());
    }
    let name = || service.name.clone();
    services::replaceable(survey, service)?;
    services::weighable(service)?;
    if service.attachments.len() > 1 {
        let count = service.attachments.len();
        return refuse(SetupRefused::PairOfSeveralGroups { service: name(), count });
    }
    if let Some(reason) = survey.blind.clone() {
        return refuse(ServiceRefused::LoadBalancerUnread { reason });
    }
    if twin == service.name {
        return refuse(SetupRefused::TwinTaken { twin: twin.to_owned(), is_itself: true });
    }
    let Some(first) = &seen.first else { return Ok(()) };
    groups_can_be_read(seen)?;
    let is_on = |attributes: &BTreeMap<String, String>| {
        attributes.get("stickiness.enabled").is_some_and(|own| own == "true")
    };
    if first.attributes.as_ref().is_some_and(is_on) {
        let (group, arn) = (first.name.clone(), first.arn.clone());
        return refuse(TrafficRefused::StickyGroup { group, arn });
    }
    let rules: Vec<&Rule> = shared_rules(seen).collect();
    let pins = |(key, value): &(String, String)| {
        key.ends_with("TargetGroupStickinessConfig.Enabled") && value == "true"
    };
    if let Some(rule) = rules.iter().find(|rule| rule.actions.iter().any(pins)) {
        let (rule, arn) = (rule.name.clone(), rule.arn.clone());
        return refuse(TrafficRefused::StickyRule { rule, arn });
    }
    let gives =
        |rule: &&Rule| rule.weights().iter().any(|(arn, weight)| *arn == first.arn && *weight > 0);
    if !rules.iter().any(gives) {
        return refuse(SetupRefused::GroupWithoutRule {
            service: name(),
            group: first.name.clone(),
            load_balancer: first.load_balancers().first().map(|arn| (*arn).to_owned()),
        });
    }
    traffic::no_third_group(&rules, &groups(seen))?;
    group_fits(asked, seen, GROUP_TAG)?;
    if let Some(other) = &seen.other {
        let second = seen.second.as_ref().map(|group| group.arn.as_str());
        let has = other.attachments.first().map(|one| one.group.as_str());
        if other.desired > 0 || second.is_none() || has != second {
            return refuse(SetupRefused::TwinTaken { twin: twin.to_owned(), is_itself: false });
        }
    }
    let scaled = survey.world.scalable.as_ref();
    let is_scaled = survey.scalable(&service.name).is_some();
    if scaled.is_none() || (is_scaled && seen.policies.is_none()) {
        let action = match scaled {
            None => "application-autoscaling:DescribeScalableTargets",
            Some(_) => "application-autoscaling:DescribeScalingPolicies",
        };
        return refuse(SetupRefused::ScalingUnread { service: name(), action });
    }
    Ok(())
}
