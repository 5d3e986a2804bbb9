//! The rule for test traffic that `setup` makes: the production rule's conditions and a header. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{GroupSettings, Seen, Step, production};
use crate::event::Refusal;
use crate::event::refusal::{RuleMove, SetupRefused};
use crate::model::world::{Rule, Service};
use crate::plan::checks::refuse;
use crate::request::setup::{Header, Setup};

/// The tag of a rule that `setup` made; its value is the ARN of the production rule.
pub const TEST_TAG: &str = "ecs-bg:test-of";

/// What stands for the ARN of a rule that is not there yet.
pub const NEW_RULE: &str = "ARN_OF_THE_TEST_RULE";

/// The last priority that a rule may have (API reference of CreateRule).
const PRIORITY_MAX: u32 = 50_000;

/// How many values the conditions of a rule may have (Elastic Load Balancing, quotas).
const VALUES_MAX: usize = 5;

/// A rule, with what another one with its conditions needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSettings {
    /// Its ARN.
    pub arn: String,
    /// Its priority; `None`: it is its listener's default rule.
    pub priority: Option<u32>,
    /// Its conditions and transforms, as query parameters: `("Conditions.member.1.Field", "path-pattern")`, …
    pub members: Vec<(String, String)>,
}

/// The rule for test traffic that `setup` made earlier.
pub fn made(seen: &Seen) -> Option<&Rule> {
    seen.made.iter().find_map(|arn| seen.survey.world.rules.get(arn))
}

/// What is left to do for the rule.
pub(super) fn test_rule_step(
    asked: &Setup,
    seen: &Seen,
    first: &GroupSettings,
    rule: &Rule,
) -> Option<Step> {
    let header = asked.header.as_ref().filter(|_| made(seen).is_none())?;
    let own = seen.listened.iter().find(|one| one.arn == rule.arn)?;
    let priority = free_before(&seen.listened, own.priority)?;
    let action = [("Type", "forward"), ("TargetGroupArn", first.arn.as_str())];
    let action = action.map(|(key, value)| (format!("Actions.member.1.{key}"), value.to_owned()));
    let mut parameters = vec![("Priority".to_owned(), priority.to_string())];
    parameters.extend(wanted(own, header));
    parameters.extend(action);
    let place = rule.name.rsplit_once('/').map_or(rule.name.as_str(), |(place, _)| place);
    Some(Step::CreateRule {
        rule: format!("{place}/{priority}"),
        of: rule.name.clone(),
        header: header.clone(),
        listener: rule.listener.clone(),
        parameters,
        tags: BTreeMap::from([(TEST_TAG.to_owned(), rule.arn.clone())]),
    })
}

/// The last free priority before that of a rule; a default rule comes after all others.
fn free_before(rules: &[RuleSettings], priority: Option<u32>) -> Option<u32> {
    let taken: BTreeSet<u32> = rules.iter().filter_map(|one| one.priority).collect();
    (1..priority.unwrap_or(PRIORITY_MAX + 1)).rev().find(|one| !taken.contains(one))
}

/// The conditions and transforms of the rule for test traffic.
fn wanted(production: &RuleSettings, header: &Header) -> Vec<(String, String)> {
    let mut all = sent(&production.members);
    let next = conditions(&all).len() + 1;
    let own = [
        ("Field", "http-header"),
        ("HttpHeaderConfig.HttpHeaderName", header.name.as_str()),
        ("HttpHeaderConfig.Values.member.1", header.value.as_str()),
    ];
    let own = own.map(|(key, value)| (format!("Conditions.member.{next}.{key}"), value.to_owned()));
    all.extend(own);
    all
}

/// What CreateRule takes of what DescribeRules shows: a condition of host or path is shown twice, and empty lists
/// are shown too.
fn sent(members: &[(String, String)]) -> Vec<(String, String)> {
    // `Conditions.member.1.PathPatternConfig.Values.member.1`: the condition, and what is below it.
    let parts = |path: &str| {
        let (at, _) = path.match_indices('.').nth(2)?;
        Some((path[..at].to_owned(), path[at + 1..].to_owned()))
    };
    let has_config = |condition: &str| {
        members.iter().filter_map(|(path, _)| parts(path)).any(|(own, below)| {
            own == condition && below.split('.').next().is_some_and(|one| one.ends_with("Config"))
        })
    };
    let kept = members.iter().filter(|(path, text)| {
        let Some((condition, below)) = parts(path) else { return false };
        let is_plain = below.starts_with("Values") || below.starts_with("RegexValues");
        let is_empty = text.is_empty() && (below.ends_with("Values") || !below.contains('.'));
        !(is_empty || is_plain && has_config(&condition))
    });
    kept.cloned().collect()
}

/// Conditions, whatever their order: each as the set of what is below it.
fn conditions(members: &[(String, String)]) -> Vec<BTreeSet<(String, String)>> {
    let mut all: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for (path, text) in members {
        let Some((number, below)) =
            path.strip_prefix("Conditions.member.").and_then(|rest| rest.split_once('.'))
        else {
            continue;
        };
        // The name of a header is the same in any case (API reference of HttpHeaderConditionConfig).
        let is_name = below.ends_with("HttpHeaderName");
        let text = if is_name { text.to_lowercase() } else { text.clone() };
        all.entry(number).or_default().insert((below.to_owned(), text));
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort();
    all
}

/// How many values conditions have.
fn values(members: &[(String, String)]) -> usize {
    let value = |path: &str| {
        let path = path.strip_prefix("Conditions.")?;
        // `Values.member.2.Key` and `.Value` are one.
        let (before, after) = path.split_once("Values.member.")?;
        Some(format!("{before}{}", after.split('.').next().unwrap_or(after)))
    };
    members.iter().filter_map(|(path, _)| value(path)).collect::<BTreeSet<_>>().len()
}

/// Whether the rule for `--test-header` can be made, or is there.
pub(super) fn test_rule_fits(asked: &Setup, seen: &Seen, service: &Service) -> Result<(), Refusal> {
    let Some(header) = &asked.header else { return Ok(()) };
    let name = service.name.clone();
    let Some(first) = seen.first.as_ref() else {
        return match service.settings.get("loadBalancers").and_then(|all| all.as_array()) {
            Some(all) if !all.is_empty() => Ok(()),
            _ => refuse(SetupRefused::TestHeaderWithoutRules { service: name, is_network: false }),
        };
    };
    if first.load_balancers().iter().any(|arn| arn.contains(":loadbalancer/net/")) {
        return refuse(SetupRefused::TestHeaderWithoutRules { service: name, is_network: true });
    }
    // What keeps the production rule from being known is said by another check.
    let Ok(rule) = production(asked, seen) else { return Ok(()) };
    let Some(own) = seen.listened.iter().find(|one| one.arn == rule.arn) else { return Ok(()) };
    let known = service.attachments.first().and_then(|one| one.advanced.as_ref());
    let cluster = || seen.survey.cluster_name().to_owned();
    let wanted = wanted(own, header);
    if let Some(test) = made(seen) {
        let settings = seen.listened.iter().find(|one| one.arn == test.arn);
        let is_it = settings
            .is_some_and(|one| conditions(&sent(&one.members)) == conditions(&wanted))
            && known.is_none_or(|known| known.test.as_ref() == Some(&test.arn));
        return match is_it {
            true => Ok(()),
            false => refuse(SetupRefused::TestRuleDiffers {
                service: name,
                cluster: cluster(),
                rule: test.name.clone(),
            }),
        };
    }
    if known.is_some() {
        return refuse(SetupRefused::TestRuleTooLate { service: name, cluster: cluster() });
    }
    let (rule_name, arn) = (rule.name.clone(), rule.arn.clone());
    let other = rule.actions.iter().find(|(path, kind)| {
        path.matches('.').count() == 2 && path.ends_with(".Type") && kind != "forward"
    });
    if let Some((_, action)) = other {
        let action = action.clone();
        return refuse(SetupRefused::TestRuleSkips { rule: rule_name, arn, action });
    }
    let count = values(&wanted);
    if count > VALUES_MAX {
        return refuse(SetupRefused::TestRuleTooLong { rule: rule_name, arn, count });
    }
    if free_before(&seen.listened, own.priority).is_none() {
        let moves = moves(&seen.listened, own.priority);
        return refuse(SetupRefused::NoPriority { rule: rule_name, arn, moves });
    }
    Ok(())
}

/// The moves that make a priority free before a rule and leave the order of all rules as it is.
fn moves(rules: &[RuleSettings], priority: Option<u32>) -> Vec<RuleMove> {
    let Some(priority) = priority else { return vec![] };
    let taken: BTreeSet<u32> = rules.iter().filter_map(|one| one.priority).collect();
    let Some(free) = (priority..=PRIORITY_MAX).find(|one| !taken.contains(one)) else {
        return vec![];
    };
    let moved = rules.iter().filter_map(|one| Some((one, one.priority?)));
    let moved = moved.filter(|(_, own)| (priority..free).contains(own));
    let mut moves: Vec<RuleMove> =
        moved.map(|(one, own)| RuleMove { arn: one.arn.clone(), priority: own + 1 }).collect();
    moves.sort_by_key(|one| one.priority);
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(arn: &str, priority: Option<u32>) -> RuleSettings {
        RuleSettings { arn: arn.into(), priority, members: vec![] }
    }

    #[test]
    fn the_last_free_priority_before_a_rule_is_taken() {
        let rules = [rule("a", Some(8)), rule("b", Some(9)), rule("c", Some(10))];
        assert_eq!(free_before(&rules, Some(10)), Some(7));
        assert_eq!(free_before(&rules, None), Some(50_000));
        assert_eq!(free_before(&[rule("z", Some(50_000))], None), Some(49_999));
        assert_eq!(free_before(&[rule("a", Some(1))], Some(1)), None);
    }

    #[test]
    fn moves_keep_the_order() {
        let rules = [rule("a", Some(1)), rule("b", Some(2)), rule("c", Some(4))];
        let moved: Vec<_> =
            moves(&rules, Some(1)).into_iter().map(|one| (one.arn, one.priority)).collect();
        assert_eq!(moved, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    }

    #[test]
    fn a_condition_that_is_shown_twice_is_sent_once() {
        let shown = |list: &[(&str, &str)]| {
            list.iter()
                .map(|(path, text)| (format!("Conditions.member.{path}"), (*text).to_owned()))
                .collect::<Vec<_>>()
        };
        let members = shown(&[
            ("1.Field", "path-pattern"),
            ("1.Values.member.1", "/a"),
            ("1.PathPatternConfig.Values.member.1", "/a"),
            ("2.Field", "query-string"),
            ("2.Values", ""),
            ("2.QueryStringConfig.Values.member.1.Key", "k"),
            ("2.QueryStringConfig.Values.member.1.Value", "v"),
            ("3.Field", "host-header"),
            ("3.Values.member.1", "a.b"),
        ]);
        let own = RuleSettings { members, ..rule("a", Some(3)) };
        let header = Header { name: "X".into(), value: "1".into() };
        let wanted = wanted(&own, &header);
        let expected = shown(&[
            ("1.Field", "path-pattern"),
            ("1.PathPatternConfig.Values.member.1", "/a"),
            ("2.Field", "query-string"),
            ("2.QueryStringConfig.Values.member.1.Key", "k"),
            ("2.QueryStringConfig.Values.member.1.Value", "v"),
            ("3.Field", "host-header"),
            ("3.Values.member.1", "a.b"),
            ("4.Field", "http-header"),
            ("4.HttpHeaderConfig.HttpHeaderName", "X"),
            ("4.HttpHeaderConfig.Values.member.1", "1"),
        ]);
        assert_eq!(wanted, expected);
        assert_eq!(values(&wanted), 4);
    }
}
