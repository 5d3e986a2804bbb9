//! What is true of two services that stand in for each other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::refuse;
use super::scaling::scaled_both;
use super::service::{existing, for_a_service, replaceable, weighable};
use super::traffic::{by_weight, no_rule, no_third_group, serving_well, unsticky};
use crate::event::refusal::PairRefused;
use crate::event::{Refusal, Warning};
use crate::model::arn::family;
use crate::model::world::{Group, Rule, Service};
use crate::plan::{Sides, Survey, Wanted};
use crate::route::{group_pairs, shifted};

/// Who is blue and who is green, when all is well with both.
pub(in crate::plan) fn sides(survey: &Survey) -> Result<Sides<'_>, Refusal> {
    let [service, twin] = pair(survey)?;
    let (blue, green) = by_weight(survey, service, twin)?;
    serving_well(survey, blue)?;
    movable(survey, blue, green)
}

/// The same where a person says who is blue, whatever the weights are.
pub(in crate::plan) fn sides_back<'a>(
    survey: &'a Survey,
    blue: &str,
) -> Result<Sides<'a>, Refusal> {
    let [service, twin] = pair(survey)?;
    let (blue, green) = if service.name == blue { (service, twin) } else { (twin, service) };
    let pairs = group_pairs(&survey.world, blue, green);
    match survey.world.rules.values().next() {
        None => return no_rule(survey, blue, green),
        Some(_) => {
            let rules: Vec<&Rule> = shifted(&survey.world, &pairs).collect();
            no_third_group(&rules, &pairs)?;
        }
    }
    movable(survey, blue, green)
}

/// The side that serves, whatever else is the matter with the pair.
pub(in crate::plan) fn live_side(survey: &Survey) -> Result<&Service, Refusal> {
    let serves = both(survey).and_then(|[service, twin]| by_weight(survey, service, twin));
    match serves {
        Ok((blue, _)) => Ok(blue),
        // What keeps them from being a pair says more.
        Err(error) => Err(pair(survey).err().unwrap_or(error)),
    }
}

/// Both services.
pub(super) fn both(survey: &Survey) -> Result<[&Service; 2], Refusal> {
    let service = existing(survey, &survey.service)?;
    let Some(twin) = &survey.twin else { return Err(no_twin(survey)) };
    if *twin == survey.service {
        return refuse(PairRefused::OwnTwin { twin: twin.clone() });
    }
    readable(survey)?;
    Ok([service, existing(survey, twin)?])
}

/// The named service can be deployed by moving weights.
pub(in crate::plan) fn service_is_fit(survey: &Survey) -> Result<(), Refusal> {
    let service = existing(survey, &survey.service)?;
    replaceable(survey, service)?;
    weighable(service)
}

/// So can its twin.
pub(in crate::plan) fn twin_is_fit(survey: &Survey) -> Result<(), Refusal> {
    let Ok([_, twin]) = both(survey) else { return both(survey).map(drop) };
    replaceable(survey, twin)?;
    weighable(twin)
}

/// They can stand in for each other.
pub(in crate::plan) fn are_a_pair(survey: &Survey) -> Result<(), Refusal> {
    match both(survey) {
        Ok([service, twin]) if is_fit(survey) => paired(survey, service, twin),
        _ => Ok(()),
    }
}

pub(super) fn is_fit(survey: &Survey) -> bool {
    service_is_fit(survey).is_ok() && twin_is_fit(survey).is_ok()
}

/// The task definition is one for both.
pub(in crate::plan) fn fits_the_pair(wanted: &Wanted, survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| for_a_pair(wanted, &sides))
}

/// The services differ in nothing that matters.
pub(in crate::plan) fn twins_are_alike(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| differences(survey, &sides).map(drop))
}

/// Both sides, where the checks before this one found nothing.
pub(super) fn known(survey: &Survey) -> Option<Sides<'_>> {
    let [service, twin] = pair(survey).ok()?;
    let (blue, green) = by_weight(survey, service, twin).ok()?;
    Some(Sides { blue, green, pairs: group_pairs(&survey.world, blue, green) })
}

/// Both services, where they can stand in for each other behind the same rules.
pub(super) fn pair(survey: &Survey) -> Result<[&Service; 2], Refusal> {
    service_is_fit(survey)?;
    let [service, twin] = both(survey)?;
    twin_is_fit(survey)?;
    paired(survey, service, twin)?;
    Ok([service, twin])
}

/// The sides, where nothing else moves what we move.
pub(super) fn movable<'a>(
    survey: &Survey,
    blue: &'a Service,
    green: &'a Service,
) -> Result<Sides<'a>, Refusal> {
    scaled_both(survey, [blue, green])?;
    let sides = Sides { blue, green, pairs: group_pairs(&survey.world, blue, green) };
    unsticky(survey, &sides)?;
    Ok(sides)
}

/// A rule that forwards to a group of the service and to one that is not its own. The two groups between which
/// ECS shifts a service's traffic are both its own, whatever its strategy is now.
pub(in crate::plan) fn shared_rule<'a>(
    survey: &'a Survey,
    service: &Service,
) -> Option<&'a crate::model::world::Rule> {
    let own = |group: &str| service.groups().any(|own| own == group);
    survey.world.rules.values().find(|rule| rule.weights().iter().any(|(group, _)| !own(group)))
}

/// Who deploys a pair is found by its family; and its load balancer reaches containers by name.
pub(in crate::plan) fn for_a_pair(wanted: &Wanted, sides: &Sides<'_>) -> Result<(), Refusal> {
    let own = family(&sides.blue.revision);
    if wanted.base.family() != own {
        return refuse(PairRefused::OtherFamily {
            revision: wanted.base.name.clone(),
            family: wanted.base.family().to_owned(),
            service: sides.blue.name.clone(),
            service_family: own.to_owned(),
        });
    }
    for_a_service(wanted, sides.blue)
}

/// Weights that cannot be read cannot be moved.
pub fn readable(survey: &Survey) -> Result<(), Refusal> {
    match &survey.blind {
        None => Ok(()),
        Some(why) => refuse(PairRefused::LoadBalancersUnread { reason: why.clone() }),
    }
}

pub(in crate::plan) fn no_twin(survey: &Survey) -> Refusal {
    let service = survey.service.clone();
    if let Some((twin, doubt)) = survey.doubted.clone() {
        return Refusal::new(PairRefused::TwinIgnored { service, twin, doubt });
    }
    let (cluster, candidate) = (survey.cluster_name().to_owned(), survey.candidate.clone());
    Refusal::new(PairRefused::NoTwin { service, cluster, candidate })
}

/// Both services must be able to stand in for each other behind the same rules.
pub(super) fn paired(survey: &Survey, one: &Service, other: &Service) -> Result<(), Refusal> {
    let places = |service: &Service| {
        let mut places: Vec<_> =
            service.attachments.iter().map(|a| (a.container.clone(), a.port)).collect();
        places.sort();
        places
    };
    let (mine, theirs) = (places(one), places(other));
    let said = |places: &[(String, u16)]| -> Vec<String> {
        places.iter().map(|(container, port)| format!("{container}:{port}")).collect()
    };
    let (service, twin) = (one.name.clone(), other.name.clone());
    let cluster = survey.cluster_name().to_owned();
    if mine != theirs {
        return refuse(PairRefused::OtherPorts {
            service,
            twin,
            cluster,
            ports: said(&mine),
            twin_ports: said(&theirs),
        });
    }
    let pairs = group_pairs(&survey.world, one, other);
    if pairs.len() != one.attachments.len() {
        return refuse(PairRefused::AmbiguousGroups { service, twin, cluster, ports: said(&mine) });
    }
    for pair in pairs {
        let groups = &survey.world.groups;
        let (Some(a), Some(b)) = (groups.get(&pair.blue), groups.get(&pair.green)) else {
            continue;
        };
        if a.arn == b.arn {
            return refuse(PairRefused::SharedGroup { service, twin, group: a.name.clone() });
        }
        let groups = [a, b].map(|group| group.name.clone());
        if a.protocol != b.protocol {
            let protocols = [a, b].map(|group| group.protocol.clone());
            return refuse(PairRefused::OtherProtocol { groups, protocols });
        }
        let apart = !a.load_balancers.is_empty()
            && !b.load_balancers.is_empty()
            && a.load_balancers != b.load_balancers;
        if apart {
            return refuse(PairRefused::OtherLoadBalancer { groups });
        }
    }
    Ok(())
}

/// Members of a service that must be alike.
const ALIKE: [&str; 4] = [
    "networkConfiguration",
    "capacityProviderStrategy",
    "platformVersion",
    "healthCheckGracePeriodSeconds",
];

/// Members that may differ, and that the user should hear of.
const WARNED: [&str; 7] = [
    "deploymentConfiguration",
    "enableExecuteCommand",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
    "enableECSManagedTags",
    "availabilityZoneRebalancing",
];

/// An idle service goes stale: what would make green behave otherwise than blue is refused, the
/// rest is told.
pub(in crate::plan) fn differences(
    survey: &Survey,
    sides: &Sides<'_>,
) -> Result<Vec<Warning>, Refusal> {
    let (blue, green) = (sides.blue, sides.green);
    let member = |service: &Service, name: &str| sorted(&setting(service, name));
    for name in ALIKE {
        let (own, other) = (member(blue, name), member(green, name));
        if own != other {
            return refuse(PairRefused::SettingDiffers {
                blue: blue.name.clone(),
                green: green.name.clone(),
                cluster: survey.cluster_name().to_owned(),
                setting: name,
                blue_value: own,
                green_value: other,
            });
        }
    }
    if member(blue, "launchType") != member(green, "launchType") {
        return refuse(PairRefused::LaunchTypeDiffers {
            blue: blue.name.clone(),
            green: green.name.clone(),
            cluster: survey.cluster_name().to_owned(),
        });
    }
    let different = |setting: &'static str| {
        let (blue_value, green_value) = (member(blue, setting), member(green, setting));
        let (blue, green) = (blue.name.clone(), green.name.clone());
        (blue_value != green_value).then_some(Warning::ServicesDiffer {
            blue,
            green,
            setting,
            blue_value,
            green_value,
        })
    };
    let mut warnings: Vec<Warning> = WARNED.into_iter().filter_map(different).collect();
    for pair in &sides.pairs {
        let groups = &survey.world.groups;
        let (Some(a), Some(b)) = (groups.get(&pair.blue), groups.get(&pair.green)) else {
            continue;
        };
        if a.check != b.check {
            return refuse(PairRefused::HealthCheckDiffers {
                blue: a.name.clone(),
                green: b.name.clone(),
                arn: b.arn.clone(),
                blue_check: a.check.clone(),
                green_check: b.check.clone(),
            });
        }
        warnings.extend(attribute_differences(a, b));
    }
    Ok(warnings)
}

/// A member of a service; what AWS leaves out has a meaning.
pub(super) fn setting(service: &Service, name: &str) -> Value {
    match (name, service.settings.get(name)) {
        ("healthCheckGracePeriodSeconds", None) => Value::from(0),
        ("capacityProviderStrategy" | "placementConstraints" | "placementStrategy", None) => {
            Value::Array(vec![])
        }
        ("propagateTags", None) => Value::from("NONE"),
        ("enableExecuteCommand" | "enableECSManagedTags", None) => Value::from(false),
        (_, value) => value.cloned().unwrap_or(Value::Null),
    }
}

fn attribute_differences(blue: &Group, green: &Group) -> Vec<Warning> {
    let (Some(own), Some(other)) = (&blue.attributes, &green.attributes) else { return vec![] };
    let keys: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
    let different = keys.into_iter().filter(|key| own.get(*key) != other.get(*key));
    different
        .map(|key| Warning::GroupsDiffer {
            blue: blue.name.clone(),
            green: green.name.clone(),
            attribute: key.clone(),
            blue_value: own.get(key).cloned(),
            green_value: other.get(key).cloned(),
        })
        .collect()
}

/// Lists of subnets and the like are sets.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        value => value.clone(),
    }
}
