//! What is true of two services that stand in for each other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::refuse;
use super::scaling::scaled_both;
use super::service::{existing, for_a_service, replaceable, weighable};
use super::traffic::{by_weight, no_rule, no_third_group, serving_well, unsticky};
use crate::error::Refusal;
use crate::event::Warning;
use crate::model::arn::short;
use crate::model::world::{Check, Group, Rule, Service};
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
        return refuse(format!("{twin} cannot be its own twin"), "--twin OTHER_SERVICE");
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

/// A rule that forwards to a group of the service and to another one.
pub(in crate::plan) fn shared_rule<'a>(
    survey: &'a Survey,
    service: &Service,
) -> Option<&'a crate::model::world::Rule> {
    let own = |group: &str| service.attachments.iter().any(|own| own.group == group);
    survey.world.rules.values().find(|rule| rule.weights().iter().any(|(group, _)| !own(group)))
}

/// Who deploys a pair is found by its family; and its load balancer reaches containers by name.
pub(in crate::plan) fn for_a_pair(wanted: &Wanted, sides: &Sides<'_>) -> Result<(), Refusal> {
    let family =
        |arn: &str| short(arn).rsplit_once(':').map_or("", |(family, _)| family).to_owned();
    let own = family(&sides.blue.revision);
    if wanted.base.family() != own {
        return refuse(
            format!(
                "{} is of the family {}, but {} runs {own}: the services of a pair must stay in one family",
                wanted.base.name,
                wanted.base.family(),
                sides.blue.name
            ),
            format!("\"family\": \"{own}\" in {}", wanted.base.name),
        );
    }
    for_a_service(wanted, sides.blue)
}

/// Weights that cannot be read cannot be moved.
pub(super) fn readable(survey: &Survey) -> Result<(), Refusal> {
    match &survey.blind {
        None => Ok(()),
        Some(why) => refuse(
            format!("load balancers cannot be read: {why}"),
            "allow elasticloadbalancing:Describe*, ModifyRule and ModifyListener",
        ),
    }
}

pub(in crate::plan) fn no_twin(survey: &Survey) -> Refusal {
    let (name, cluster) = (&survey.service, survey.cluster_name());
    let what =
        format!("{name} has no twin (a second service whose target groups are in the same rules)");
    if let Some((named, why)) = &survey.doubted {
        return Refusal::new(
            format!("the tag `ecs-bg:twin` of {name} names {named}, but it is ignored: {why}"),
            format!("--twin {named} if that is right, else --engine rolling"),
        );
    }
    match &survey.candidate {
        Some(candidate) => Refusal::new(
            format!("{what}. {candidate} looks like one"),
            format!("--twin {candidate}"),
        ),
        None => Refusal::new(
            what,
            format!("aws ecs list-services --cluster {cluster}, then --twin NAME"),
        ),
    }
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
    let say = |places: &[(String, u16)]| {
        places
            .iter()
            .map(|(container, port)| format!("{container}:{port}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let cluster = survey.cluster_name();
    if mine != theirs {
        return refuse(
            format!(
                "{} registers {} in target groups, {} registers {}: they do not match",
                one.name,
                say(&mine),
                other.name,
                say(&theirs)
            ),
            format!(
                "aws ecs describe-services --cluster {cluster} --services {} {}",
                one.name, other.name
            ),
        );
    }
    let pairs = group_pairs(&survey.world, one, other);
    if pairs.len() != one.attachments.len() {
        return refuse(
            format!(
                "{} registers {} in two target groups, and nothing tells which belongs to which",
                one.name,
                say(&mine)
            ),
            format!(
                "aws ecs describe-services --cluster {cluster} --services {} {}",
                one.name, other.name
            ),
        );
    }
    for pair in pairs {
        let groups = &survey.world.groups;
        let (Some(a), Some(b)) = (groups.get(&pair.blue), groups.get(&pair.green)) else {
            continue;
        };
        if a.arn == b.arn {
            return refuse(
                format!(
                    "{} and {} share the target group {}, so their traffic cannot be separated",
                    one.name, other.name, a.name
                ),
                "aws elbv2 create-target-group --name NAME --protocol HTTP --port 80 --target-type ip --vpc-id VPC",
            );
        }
        if a.protocol != b.protocol {
            return refuse(
                format!(
                    "target groups {} ({}) and {} ({}) have different protocols",
                    a.name, a.protocol, b.name, b.protocol
                ),
                format!("aws elbv2 describe-target-groups --names {} {}", a.name, b.name),
            );
        }
        let apart = !a.load_balancers.is_empty()
            && !b.load_balancers.is_empty()
            && a.load_balancers != b.load_balancers;
        if apart {
            return refuse(
                format!(
                    "target groups {} and {} are behind different load balancers",
                    a.name, b.name
                ),
                format!("aws elbv2 describe-target-groups --names {} {}", a.name, b.name),
            );
        }
    }
    Ok(())
}

/// Members of a service that must be alike, with the option of `aws ecs update-service` that levels
/// them, and whether that takes a text as it is.
const ALIKE: [(&str, &str); 4] = [
    ("networkConfiguration", "--network-configuration"),
    ("capacityProviderStrategy", "--capacity-provider-strategy"),
    ("platformVersion", "--platform-version"),
    ("healthCheckGracePeriodSeconds", "--health-check-grace-period-seconds"),
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
    for (name, option) in ALIKE {
        let (own, other) = (member(blue, name), member(green, name));
        if own != other {
            let value = match (name, &own) {
                (_, Value::String(text)) => text.clone(),
                (_, Value::Number(number)) => number.to_string(),
                (_, value) => format!("'{value}'"),
            };
            return refuse(
                format!("{} and {} differ in {name}: {own} and {other}", blue.name, green.name),
                format!(
                    "aws ecs update-service --cluster {} --service {} {option} {value}",
                    survey.cluster_name(),
                    green.name
                ),
            );
        }
    }
    if member(blue, "launchType") != member(green, "launchType") {
        return refuse(
            format!(
                "{} and {} differ in launchType, which cannot be changed: create one of them again",
                blue.name, green.name
            ),
            format!(
                "aws ecs describe-services --cluster {} --services {} {}",
                survey.cluster_name(),
                blue.name,
                green.name
            ),
        );
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
            return refuse(
                format!(
                    "target groups {} and {} differ in their health check: {} and {}",
                    a.name,
                    b.name,
                    summary(&a.check),
                    summary(&b.check)
                ),
                level_check(a, b),
            );
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

pub(super) fn summary(check: &Check) -> String {
    format!(
        "{} {} on {}, expecting {}, every {}, within {}, {} bad or {} good in a row",
        check.protocol,
        check.path,
        check.port,
        check.matcher,
        humantime::format_duration(check.interval),
        humantime::format_duration(check.timeout),
        check.unhealthy,
        check.healthy
    )
}

pub(super) fn level_check(from: &Group, to: &Group) -> String {
    let check = &from.check;
    let mut command = format!(
        "aws elbv2 modify-target-group --target-group-arn {} --health-check-protocol {} --health-check-port {} \
         --health-check-interval-seconds {} --health-check-timeout-seconds {} --healthy-threshold-count {} \
         --unhealthy-threshold-count {}",
        to.arn,
        check.protocol,
        check.port,
        check.interval.as_secs(),
        check.timeout.as_secs(),
        check.healthy,
        check.unhealthy
    );
    if !check.path.is_empty() {
        let kind = if check.grpc { "GrpcCode" } else { "HttpCode" };
        command +=
            &format!(" --health-check-path '{}' --matcher {kind}={}", check.path, check.matcher);
    }
    command
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
