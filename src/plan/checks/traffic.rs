//! What is true of the traffic of a pair: which side has it, and what else has a hand in it.

use super::pair::{known, pair};
use super::refuse;
use super::service::usable;
use crate::event::refusal::{ServiceRefused, TrafficRefused};
use crate::event::{Refusal, Warning};
use crate::model::arn::{name, short};
use crate::model::rule::{GroupPair, green_per_mille, holds, weights};
use crate::model::world::{Group, Rule, Service};
use crate::plan::{Sides, Survey, replaced};
use crate::route::group_pairs;

/// The rules say which side serves.
pub(in crate::plan) fn traffic_is_on_one_side(survey: &Survey) -> Result<(), Refusal> {
    match pair(survey) {
        Ok([service, twin]) => by_weight(survey, service, twin).map(drop),
        Err(_) => Ok(()),
    }
}

/// The side that serves is steady.
pub(in crate::plan) fn live_side_is_well(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| serving_well(survey, sides.blue))
}

/// No client is pinned to a side.
pub(in crate::plan) fn nothing_sticks(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| unsticky(survey, &sides))
}

/// New targets can become healthy.
pub(in crate::plan) fn targets_can_be_healthy(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| usable(survey, sides.blue))
}

/// No rule of somebody else's is in the way.
pub(in crate::plan) fn no_rule_is_in_the_way(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| foreign_rules(survey, &sides).map(drop))
}

/// The rules that tell which side serves: those that hold both; where none does yet, those of the one side
/// that is alive. Others show an idle side to somebody who tests it.
pub(super) fn deciding<'a>(
    survey: &'a Survey,
    pairs: &[GroupPair],
    [one, other]: [&Service; 2],
) -> Vec<&'a Rule> {
    let ones = |rule: &Rule| holds(&rule.actions, pairs.iter().map(|pair| pair.blue.as_str()));
    let others = |rule: &Rule| holds(&rule.actions, pairs.iter().map(|pair| pair.green.as_str()));
    let all: Vec<&Rule> =
        survey.world.rules.values().filter(|rule| !is_for_tests(survey, rule)).collect();
    let shared: Vec<&Rule> =
        all.iter().copied().filter(|rule| ones(rule) && others(rule)).collect();
    let idle = |service: &Service| service.desired == 0 && service.running == 0;
    match (shared.is_empty(), idle(one), idle(other)) {
        (false, ..) => shared,
        (true, false, true) => all.into_iter().filter(|rule| ones(rule)).collect(),
        (true, true, false) => all.into_iter().filter(|rule| others(rule)).collect(),
        _ => all,
    }
}

/// Whether a rule belongs to the listener that was named for tests.
pub(in crate::plan) fn is_for_tests(survey: &Survey, rule: &Rule) -> bool {
    survey.test_listener.as_ref() == Some(&rule.listener)
}

/// The rules that users do not come through: those of the listener for tests, and foreign ones.
pub(in crate::plan) fn test_rules<'a>(
    survey: &'a Survey,
    sides: &Sides<'_>,
) -> impl Iterator<Item = &'a Rule> {
    let foreign: Vec<&str> = foreign(survey, sides).map(|rule| rule.arn.as_str()).collect();
    let rules = survey.world.rules.values();
    rules.filter(move |rule| is_for_tests(survey, rule) || foreign.contains(&rule.arn.as_str()))
}

/// The listener for tests shows one of the sides.
pub(in crate::plan) fn test_listener_shows_a_side(survey: &Survey) -> Result<(), Refusal> {
    let Some(listener) = &survey.test_listener else { return Ok(()) };
    let rules: Vec<&Rule> =
        survey.world.rules.values().filter(|rule| is_for_tests(survey, rule)).collect();
    if !rules.is_empty() {
        let Some(sides) = known(survey) else { return Ok(()) };
        no_third_group(&rules, &sides.pairs)?;
        // What the others lead to answers nobody, and what this one leads to does.
        let healthy = |service: &Service| survey.world.healthy(service).unwrap_or(0);
        let shows_green =
            rules.iter().find(|rule| green_per_mille(&rule.actions, &sides.pairs) > Some(0));
        return match shows_green {
            Some(rule) if healthy(sides.blue) == 0 && healthy(sides.green) > 0 => {
                refuse(TrafficRefused::TestListenerServes {
                    rule: rule.name.clone(),
                    service: sides.green.name.clone(),
                    other: sides.blue.name.clone(),
                })
            }
            _ => Ok(()),
        };
    }
    refuse(TrafficRefused::NotOnTestListener {
        listener: listener.clone(),
        service: survey.service.clone(),
    })
}

/// Rules that hold green's group and not blue's.
pub(in crate::plan) fn foreign<'a>(
    survey: &'a Survey,
    sides: &Sides<'_>,
) -> impl Iterator<Item = &'a Rule> {
    let blue: Vec<String> = sides.pairs.iter().map(|pair| pair.blue.clone()).collect();
    let green: Vec<String> = sides.pairs.iter().map(|pair| pair.green.clone()).collect();
    survey.world.rules.values().filter(move |rule| {
        holds(&rule.actions, green.iter().map(String::as_str))
            && !holds(&rule.actions, blue.iter().map(String::as_str))
    })
}

/// Such rules are left alone, and said; but a side that users reach through one of them is not given
/// another revision.
pub(in crate::plan) fn foreign_rules(
    survey: &Survey,
    sides: &Sides<'_>,
) -> Result<Vec<Warning>, Refusal> {
    let green = sides.green;
    let healthy = survey.world.healthy(green).unwrap_or(0);
    let mut warnings = Vec::new();
    for rule in foreign(survey, sides).filter(|rule| !is_for_tests(survey, rule)) {
        if healthy > 0 && rule.weights().iter().any(|(_, weight)| *weight > 0) {
            return refuse(TrafficRefused::ForeignRule {
                rule: rule.name.clone(),
                arn: rule.arn.clone(),
                service: green.name.clone(),
                healthy,
            });
        }
        warnings.push(Warning::RuleNotChanged {
            rule: rule.name.clone(),
            blue: sides.blue.name.clone(),
            green: green.name.clone(),
        });
    }
    Ok(warnings)
}

/// The side with all the weight is blue.
pub(super) fn by_weight<'a>(
    survey: &'a Survey,
    one: &'a Service,
    other: &'a Service,
) -> Result<(&'a Service, &'a Service), Refusal> {
    let pairs = group_pairs(&survey.world, one, other);
    let rules = deciding(survey, &pairs, [one, other]);
    no_third_group(&rules, &pairs)?;
    let mut live: Option<(bool, &str)> = None;
    for rule in rules {
        let second = match green_per_mille(&rule.actions, &pairs) {
            Some(0) => false,
            Some(1000) => true,
            None => {
                return refuse(TrafficRefused::NoWeight {
                    rule: rule.name.clone(),
                    arn: rule.arn.clone(),
                });
            }
            Some(_) => {
                return on_both_sides(survey, &pairs, [one, other], &rule.name, None);
            }
        };
        match live {
            Some((first, name)) if first != second => {
                return on_both_sides(survey, &pairs, [one, other], name, Some(&rule.name));
            }
            _ => live = Some((second, &rule.name)),
        }
    }
    match live {
        Some((false, _)) => Ok((one, other)),
        Some((true, _)) => Ok((other, one)),
        None => no_rule(survey, one, other),
    }
}

pub(super) fn no_rule<T>(survey: &Survey, one: &Service, other: &Service) -> Result<T, Refusal> {
    if survey.world.rules.values().any(|rule| is_for_tests(survey, rule)) {
        return refuse(TrafficRefused::TestListenerAlone { service: survey.service.clone() });
    }
    refuse(TrafficRefused::NoRule { services: [one.name.clone(), other.name.clone()] })
}

pub(in crate::plan) fn no_third_group(rules: &[&Rule], pairs: &[GroupPair]) -> Result<(), Refusal> {
    let known = |group: &str| pairs.iter().any(|pair| pair.blue == group || pair.green == group);
    for rule in rules {
        let weights = weights(&rule.actions);
        if let Some((group, _)) =
            weights.iter().find(|(group, weight)| *weight > 0 && !known(group))
        {
            let group = name(group);
            return refuse(TrafficRefused::ThirdGroup {
                rule: rule.name.clone(),
                arn: rule.arn.clone(),
                group: group.to_owned(),
            });
        }
    }
    Ok(())
}

/// Both have traffic. It ends where it is answered; where both answer, where most of it is, or else most tasks.
fn on_both_sides<T>(
    survey: &Survey,
    pairs: &[GroupPair],
    [one, other]: [&Service; 2],
    rule: &str,
    other_rule: Option<&str>,
) -> Result<T, Refusal> {
    let rules = survey.world.rules.values();
    let parts = rules.filter_map(|rule| green_per_mille(&rule.actions, pairs));
    let (had, all) = parts.fold((0, 0), |(had, all), part| (had + part, all + 1000));
    let answers = |side: &Service| survey.world.healthy(side).is_some_and(|healthy| healthy > 0);
    let to = match (answers(one), answers(other)) {
        (true, false) => one,
        (false, true) => other,
        _ if (2 * had, other.running) > (all, one.running) => other,
        _ => one,
    };
    refuse(TrafficRefused::OnBothSides {
        rule: rule.to_owned(),
        other_rule: other_rule.map(str::to_owned),
        services: [one, other].map(|service| service.name.clone()),
        cluster: survey.cluster.clone(),
        service: survey.service.clone(),
        to: to.name.clone(),
    })
}

/// Nothing answers on the side that has the traffic: there is nothing that a deployment could harm.
pub(super) fn is_outage(survey: &Survey, blue: &Service) -> bool {
    survey.world.healthy(blue) == Some(0)
}

/// What would keep a deployment from starting if anything answered there.
pub(in crate::plan) fn outage(survey: &Survey, blue: &Service) -> Vec<Warning> {
    if !is_outage(survey, blue) {
        return vec![];
    }
    let service = || blue.name.clone();
    let mut warnings = Vec::new();
    if blue.desired == 0 {
        warnings.push(Warning::NothingServes { service: service() });
    }
    if blue.deployments.len() > 1 {
        warnings.push(Warning::NothingHealthy { service: service() });
    }
    warnings
}

pub(super) fn serving_well(survey: &Survey, blue: &Service) -> Result<(), Refusal> {
    if is_outage(survey, blue) {
        return Ok(());
    }
    let cluster = survey.cluster_name().to_owned();
    if blue.desired == 0 {
        return refuse(ServiceRefused::ServesWithoutTasks { service: blue.name.clone(), cluster });
    }
    if blue.deployments.len() > 1 {
        return refuse(ServiceRefused::BeingDeployed {
            service: blue.name.clone(),
            cluster,
            serves: true,
            old: replaced(blue).map(|arn| short(&arn).to_owned()),
        });
    }
    Ok(())
}

/// Stickiness pins clients to a group that was emptied.
pub(super) fn unsticky(survey: &Survey, sides: &Sides<'_>) -> Result<(), Refusal> {
    let sticky = |group: &&Group| {
        let attributes = group.attributes.as_ref();
        attributes
            .and_then(|a| a.get("stickiness.enabled"))
            .is_some_and(|enabled| enabled == "true")
    };
    let groups = sides.pairs.iter().flat_map(|pair| [&pair.blue, &pair.green]);
    if let Some(group) = groups.filter_map(|arn| survey.world.groups.get(arn)).find(sticky) {
        return refuse(TrafficRefused::StickyGroup {
            group: group.name.clone(),
            arn: group.arn.clone(),
        });
    }
    let pins = |(key, value): &(String, String)| {
        key.ends_with("TargetGroupStickinessConfig.Enabled") && value == "true"
    };
    match survey.world.rules.values().find(|rule| rule.actions.iter().any(pins)) {
        Some(rule) => {
            refuse(TrafficRefused::StickyRule { rule: rule.name.clone(), arn: rule.arn.clone() })
        }
        None => Ok(()),
    }
}
