//! Why a deployment is not started: everything that would make moving weights between two services
//! unsafe, or quietly wrong. Each says what is in the way and gives one command.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Digest, Sides, Survey, Wanted};
use crate::error::Refusal;
use crate::model::arn::short;
use crate::model::health::{NotInUse, not_in_use};
use crate::model::rule::{GroupPair, green_per_mille, holds, weights};
use crate::model::world::{Check, Group, Rule, Service};
use crate::record::Record;
use crate::request::EngineName;
use crate::request::Request;
use crate::request::image::ImageRef;
use crate::route::{group_pairs, shifted};

fn refuse<T>(what: impl Into<String>, hint: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(what, hint))
}

/// Who is blue and who is green, when all is well with both.
pub(super) fn sides(survey: &Survey) -> Result<Sides<'_>, Refusal> {
    let [service, twin] = pair(survey)?;
    let (blue, green) = by_weight(survey, service, twin)?;
    serving_well(survey, blue)?;
    movable(survey, blue, green)
}

/// The same where a person says who is blue, whatever the weights are.
pub(super) fn sides_back<'a>(survey: &'a Survey, blue: &str) -> Result<Sides<'a>, Refusal> {
    let [service, twin] = pair(survey)?;
    let (blue, green) = if service.name == blue { (service, twin) } else { (twin, service) };
    let pairs = group_pairs(&survey.world, blue, green);
    match survey.world.rules.values().next() {
        None => return no_rule(blue, green),
        Some(_) => {
            let rules: Vec<&Rule> = shifted(&survey.world, &pairs).collect();
            no_third_group(&rules, &pairs)?;
        }
    }
    movable(survey, blue, green)
}

/// The side that serves, whatever else is the matter with the pair.
pub(super) fn live_side(survey: &Survey) -> Result<&Service, Refusal> {
    let serves = both(survey).and_then(|[service, twin]| by_weight(survey, service, twin));
    match serves {
        Ok((blue, _)) => Ok(blue),
        // What keeps them from being a pair says more.
        Err(error) => Err(pair(survey).err().unwrap_or(error)),
    }
}

/// Both services.
fn both(survey: &Survey) -> Result<[&Service; 2], Refusal> {
    let service = existing(survey, &survey.service)?;
    let Some(twin) = &survey.twin else { return Err(no_twin(survey)) };
    if *twin == survey.service {
        return refuse(format!("{twin} cannot be its own twin"), "--twin OTHER_SERVICE");
    }
    readable(survey)?;
    Ok([service, existing(survey, twin)?])
}

/// The named service can be deployed by moving weights.
pub(super) fn service_is_fit(survey: &Survey) -> Result<(), Refusal> {
    let service = existing(survey, &survey.service)?;
    deployable(survey, service)?;
    weighable(service)
}

/// So can its twin.
pub(super) fn twin_is_fit(survey: &Survey) -> Result<(), Refusal> {
    let Ok([_, twin]) = both(survey) else { return both(survey).map(drop) };
    deployable(survey, twin)?;
    weighable(twin)
}

/// They can stand in for each other.
pub(super) fn are_a_pair(survey: &Survey) -> Result<(), Refusal> {
    match both(survey) {
        Ok([service, twin]) if is_fit(survey) => paired(survey, service, twin),
        _ => Ok(()),
    }
}

fn is_fit(survey: &Survey) -> bool {
    service_is_fit(survey).is_ok() && twin_is_fit(survey).is_ok()
}

/// The rules say which side serves.
pub(super) fn traffic_is_on_one_side(survey: &Survey) -> Result<(), Refusal> {
    match pair(survey) {
        Ok([service, twin]) => by_weight(survey, service, twin).map(drop),
        Err(_) => Ok(()),
    }
}

/// Both sides, where the checks before this one found nothing.
fn known(survey: &Survey) -> Option<Sides<'_>> {
    let [service, twin] = pair(survey).ok()?;
    let (blue, green) = by_weight(survey, service, twin).ok()?;
    Some(Sides { blue, green, pairs: group_pairs(&survey.world, blue, green) })
}

/// The side that serves is steady.
pub(super) fn live_side_is_well(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| serving_well(survey, sides.blue))
}

/// Nothing else changes the counts.
pub(super) fn nothing_scales(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| unscaled(survey, [sides.blue, sides.green]))
}

/// No client is pinned to a side.
pub(super) fn nothing_sticks(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| unsticky(survey, &sides))
}

/// The task definition is one for both.
pub(super) fn fits_the_pair(wanted: &Wanted, survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| for_a_pair(wanted, &sides))
}

/// New targets can become healthy.
pub(super) fn targets_can_be_healthy(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| usable(survey, sides.blue))
}

/// The services differ in nothing that matters.
pub(super) fn twins_are_alike(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| differences(survey, &sides).map(drop))
}

/// No rule of somebody else's is in the way.
pub(super) fn no_rule_is_in_the_way(survey: &Survey) -> Result<(), Refusal> {
    known(survey).map_or(Ok(()), |sides| foreign_rules(survey, &sides).map(drop))
}

/// ECS may be told to replace the service's tasks.
pub(super) fn service_is_deployable(survey: &Survey) -> Result<(), Refusal> {
    deployable(survey, existing(survey, &survey.service)?)
}

/// Both services, where they can stand in for each other behind the same rules.
fn pair(survey: &Survey) -> Result<[&Service; 2], Refusal> {
    service_is_fit(survey)?;
    let [service, twin] = both(survey)?;
    twin_is_fit(survey)?;
    paired(survey, service, twin)?;
    Ok([service, twin])
}

/// The sides, where nothing else moves what we move.
fn movable<'a>(
    survey: &Survey,
    blue: &'a Service,
    green: &'a Service,
) -> Result<Sides<'a>, Refusal> {
    unscaled(survey, [blue, green])?;
    let sides = Sides { blue, green, pairs: group_pairs(&survey.world, blue, green) };
    unsticky(survey, &sides)?;
    Ok(sides)
}

/// Who moves things, and why: the strongest engine that the service is set up for. Where something
/// marks a pair, it is never taken for a service alone.
pub(super) fn engine(request: &Request, survey: &Survey) -> Result<(EngineName, String), Refusal> {
    let name = &survey.service;
    match (request.engine, &survey.twin) {
        (Some(engine), _) => Ok((engine, "asked for".to_owned())),
        (None, Some(twin)) => Ok((EngineName::Listener, format!("{name} and {twin} are a pair"))),
        (None, None) if survey.doubted.is_some() => Err(no_twin(survey)),
        (None, None) => {
            let service = existing(survey, name)?;
            deployable(survey, service)?;
            match shared_rule(survey, service) {
                Some(_) => Err(no_twin(survey)),
                None => Ok((EngineName::Rolling, format!("{name} has no twin"))),
            }
        }
    }
}

/// A rule that forwards to a group of the service and to another one.
fn shared_rule<'a>(survey: &'a Survey, service: &Service) -> Option<&'a crate::model::world::Rule> {
    let own = |group: &str| service.attachments.iter().any(|own| own.group == group);
    survey.world.rules.values().find(|rule| rule.weights().iter().any(|(group, _)| !own(group)))
}

/// Options that only mean something where ECS replaces the tasks.
pub(super) fn for_rolling_only(request: &Request) -> Result<(), Refusal> {
    let scale = &request.scale;
    let given = [
        ("--desired-count", scale.count.is_some()),
        ("--min-healthy", scale.min_healthy.is_some()),
        ("--max-percent", scale.max_percent.is_some()),
        ("--wait-for", request.until.is_some()),
        ("--no-wait", request.no_wait),
        ("--force-new-deployment", request.restart),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => refuse(
            format!(
                "{option} works only with the engine rolling; this deployment shifts traffic between two services"
            ),
            format!("leave out {option}"),
        ),
    }
}

/// Options that only mean something where weights are moved.
pub(super) fn for_listener_only(request: &Request) -> Result<(), Refusal> {
    let in_shares = request.shares.iter().any(|share| share.percent < 100);
    let given = [("--shares", in_shares), ("--follow", request.follow.is_some())];
    if let (Some(twin), Some(EngineName::Rolling)) = (&request.twin, request.engine) {
        return refuse(
            format!("--twin {twin} names a pair, but --engine rolling deploys one service"),
            format!(
                "leave out --engine rolling to deploy the pair, or --twin to deploy {} alone",
                request.service
            ),
        );
    }
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => refuse(
            format!(
                "{option} works only with two services (engine listener); here ECS replaces the tasks of one"
            ),
            format!("leave out {option}, or name the other service of a pair with --twin SERVICE"),
        ),
    }
}

/// Who deploys a pair is found by its family; and its load balancer reaches containers by name.
pub(super) fn for_a_pair(wanted: &Wanted, sides: &Sides<'_>) -> Result<(), Refusal> {
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

/// A task definition from elsewhere must have what the service's load balancers send requests to.
pub(super) fn for_a_service(wanted: &Wanted, service: &Service) -> Result<(), Refusal> {
    let ports = &wanted.base.ports;
    let lacking = service.attachments.iter().find(|attachment| {
        !ports.iter().any(|(name, port)| *name == attachment.container && *port == attachment.port)
    });
    match lacking {
        None => Ok(()),
        Some(attachment) => refuse(
            format!(
                "{} has no container {} with the port {}, which the load balancer of {} sends requests to",
                wanted.base.name, attachment.container, attachment.port, service.name
            ),
            format!("\"portMappings\": [{{\"containerPort\": {}}}]", attachment.port),
        ),
    }
}

/// Weights that cannot be read cannot be moved.
fn readable(survey: &Survey) -> Result<(), Refusal> {
    match &survey.blind {
        None => Ok(()),
        Some(why) => refuse(
            format!("load balancers cannot be read: {why}"),
            "allow elasticloadbalancing:Describe*, ModifyRule and ModifyListener",
        ),
    }
}

pub(super) fn existing<'a>(survey: &'a Survey, name: &str) -> Result<&'a Service, Refusal> {
    match survey.world.service(name).filter(|service| service.status != "INACTIVE") {
        Some(service) => Ok(service),
        None => Err(no_service(survey, name)),
    }
}

pub(super) fn no_service(survey: &Survey, name: &str) -> Refusal {
    let cluster = survey.cluster_name();
    let what = format!("cluster {cluster} has no service {name}");
    Refusal::new(what, format!("aws ecs list-services --cluster {cluster}"))
}

/// What is in the way of deploying a service by changing what it runs.
pub(super) fn deployable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    let (name, cluster) = (&service.name, survey.cluster_name());
    let update = format!("aws ecs update-service --cluster {cluster} --service {name}");
    if service.status != "ACTIVE" {
        return refuse(
            format!("{name} is {}", service.status),
            format!("aws ecs describe-services --cluster {cluster} --services {name}"),
        );
    }
    let setting = |path: &[&str]| setting_at(service, path);
    match setting(&["deploymentController", "type"]).and_then(Value::as_str) {
        Some("CODE_DEPLOY") => {
            return refuse(
                format!("{name} is deployed by CodeDeploy (controller CODE_DEPLOY)"),
                "deploy it with CodeDeploy: aws deploy list-applications",
            );
        }
        Some(other) if other != "ECS" => {
            return refuse(
                format!(
                    "{name} has the deployment controller {other}: another tool manages its task sets"
                ),
                format!(
                    "aws ecs describe-task-sets --cluster {cluster} --service {name}: deploy it with the tool that made them"
                ),
            );
        }
        _ => {}
    }
    let strategy = setting(&["deploymentConfiguration", "strategy"]).and_then(Value::as_str);
    if let Some(strategy) = strategy.filter(|strategy| *strategy != "ROLLING") {
        return refuse(
            format!(
                "{name} has the deployment strategy {strategy}: ECS shifts its traffic itself, which ecs-bg does not drive yet"
            ),
            format!("{update} --task-definition FAMILY, after ecs-bg register --family FAMILY"),
        );
    }
    Ok(())
}

/// A member of a service's settings.
fn setting_at<'a>(service: &'a Service, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(service.settings.get(*first)?, |value, key| value.get(key))
}

/// A way that leaves the service's settings as they are.
const KEEPS: &str = "--engine rolling (keeps that setting; ECS replaces the tasks)";

/// What the `listener` engine cannot do with a service, whatever its twin is.
fn weighable(service: &Service) -> Result<(), Refusal> {
    let name = &service.name;
    let setting = |path: &[&str]| setting_at(service, path);
    if setting(&["schedulingStrategy"]).and_then(Value::as_str) == Some("DAEMON") {
        return refuse(
            format!(
                "{name} is a DAEMON service: its tasks cannot run beside those of another version"
            ),
            "--engine rolling",
        );
    }
    let filled = |value: Option<&Value>| {
        value.and_then(Value::as_array).is_some_and(|list| !list.is_empty())
    };
    let primary = setting(&["deployments"])
        .and_then(Value::as_array)
        .and_then(|list| list.iter().find(|deployment| deployment["status"] == "PRIMARY"));
    let in_primary = |path: &str| primary.and_then(|primary| primary.pointer(path));
    if filled(in_primary("/serviceConnectConfiguration/services")) {
        return refuse(
            format!(
                "{name} gets traffic through Service Connect, which listener rules do not control"
            ),
            KEEPS,
        );
    }
    if filled(setting(&["serviceRegistries"])) {
        return refuse(
            format!(
                "{name} is in a service registry: its callers do not go through the load balancer"
            ),
            KEEPS,
        );
    }
    if filled(in_primary("/vpcLatticeConfigurations")) {
        return refuse(
            format!("{name} gets traffic through VPC Lattice, which listener rules do not control"),
            KEEPS,
        );
    }
    let balancers = setting(&["loadBalancers"]).and_then(Value::as_array);
    if balancers.is_some_and(|list| list.iter().any(|lb| lb.get("loadBalancerName").is_some())) {
        return refuse(
            format!("{name} is behind a Classic Load Balancer, which has no weights"),
            "aws elbv2 create-load-balancer --name NAME --subnets SUBNET SUBNET",
        );
    }
    if service.attachments.is_empty() {
        return refuse(
            format!("{name} is in no target group, so there is no traffic to shift"),
            "--engine rolling",
        );
    }
    Ok(())
}

fn no_twin(survey: &Survey) -> Refusal {
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
fn paired(survey: &Survey, one: &Service, other: &Service) -> Result<(), Refusal> {
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

/// The rules that tell which side serves: those that hold both; where none does yet, those of the one side
/// that is alive. Others show an idle side to somebody who tests it.
fn deciding<'a>(
    survey: &'a Survey,
    pairs: &[GroupPair],
    [one, other]: [&Service; 2],
) -> Vec<&'a Rule> {
    let ones = |rule: &Rule| holds(&rule.actions, pairs.iter().map(|pair| pair.blue.as_str()));
    let others = |rule: &Rule| holds(&rule.actions, pairs.iter().map(|pair| pair.green.as_str()));
    let all: Vec<&Rule> = survey.world.rules.values().collect();
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

/// Rules that hold green's group and not blue's.
pub(super) fn foreign<'a>(survey: &'a Survey, sides: &Sides<'_>) -> impl Iterator<Item = &'a Rule> {
    let blue: Vec<String> = sides.pairs.iter().map(|pair| pair.blue.clone()).collect();
    let green: Vec<String> = sides.pairs.iter().map(|pair| pair.green.clone()).collect();
    survey.world.rules.values().filter(move |rule| {
        holds(&rule.actions, green.iter().map(String::as_str))
            && !holds(&rule.actions, blue.iter().map(String::as_str))
    })
}

/// Such rules are left alone, and said; but a side that users reach through one of them is not given
/// another revision.
pub(super) fn foreign_rules(survey: &Survey, sides: &Sides<'_>) -> Result<Vec<String>, Refusal> {
    let green = sides.green;
    let healthy = survey.world.healthy(green).unwrap_or(0);
    let mut warnings = Vec::new();
    for rule in foreign(survey, sides) {
        if healthy > 0 && rule.weights().iter().any(|(_, weight)| *weight > 0) {
            return refuse(
                format!(
                    "rule {} sends requests to {}, which has {healthy} healthy targets and would get the new revision",
                    rule.name, green.name
                ),
                describe(rule),
            );
        }
        warnings.push(format!(
            "rule {} forwards to {} and not to {}: ecs-bg does not change it",
            rule.name, green.name, sides.blue.name
        ));
    }
    Ok(warnings)
}

/// The side with all the weight is blue.
fn by_weight<'a>(
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
                return refuse(
                    format!("rule {} gives neither side any weight", rule.name),
                    describe(rule),
                );
            }
            Some(_) => {
                return refuse(
                    format!(
                        "rule {} gives both {} and {} traffic, and no record says why",
                        rule.name, one.name, other.name
                    ),
                    to_the_heavier(survey, &pairs, [one, other]),
                );
            }
        };
        match live {
            Some((first, name)) if first != second => {
                return refuse(
                    format!(
                        "rule {name} gives traffic to one of {} and {}, rule {} to the other",
                        one.name, other.name, rule.name
                    ),
                    to_the_heavier(survey, &pairs, [one, other]),
                );
            }
            _ => live = Some((second, &rule.name)),
        }
    }
    match live {
        Some((false, _)) => Ok((one, other)),
        Some((true, _)) => Ok((other, one)),
        None => no_rule(one, other),
    }
}

fn no_rule<T>(one: &Service, other: &Service) -> Result<T, Refusal> {
    refuse(
        format!("no rule forwards to the target groups of {} or {}", one.name, other.name),
        "aws elbv2 create-rule --listener-arn ARN --priority 10 --conditions … --actions …",
    )
}

fn no_third_group(rules: &[&Rule], pairs: &[GroupPair]) -> Result<(), Refusal> {
    let known = |group: &str| pairs.iter().any(|pair| pair.blue == group || pair.green == group);
    for rule in rules {
        let weights = weights(&rule.actions);
        if let Some((group, _)) =
            weights.iter().find(|(group, weight)| *weight > 0 && !known(group))
        {
            // `…:targetgroup/NAME/ID`
            let group = group.rsplit('/').nth(1).unwrap_or(group);
            return refuse(
                format!("rule {} gives traffic to a third target group, {group}", rule.name),
                describe(rule),
            );
        }
    }
    Ok(())
}

fn describe(rule: &Rule) -> String {
    format!("aws elbv2 describe-rules --rule-arns {}", rule.arn)
}

/// Ends it where most of the traffic is, or else most tasks.
fn to_the_heavier(survey: &Survey, pairs: &[GroupPair], [one, other]: [&Service; 2]) -> String {
    let rules = survey.world.rules.values();
    let parts = rules.filter_map(|rule| green_per_mille(&rule.actions, pairs));
    let (had, all) = parts.fold((0, 0), |(had, all), part| (had + part, all + 1000));
    let to = if (2 * had, other.running) > (all, one.running) { other } else { one };
    let (cluster, service) = (&survey.cluster, &survey.service);
    format!("ecs-bg rollback --cluster {cluster} --service {service} --to {}", to.name)
}

/// Nothing answers on the side that has the traffic: there is nothing that a deployment could harm.
fn is_outage(survey: &Survey, blue: &Service) -> bool {
    survey.world.healthy(blue) == Some(0)
}

/// What would keep a deployment from starting if anything answered there.
pub(super) fn outage(survey: &Survey, blue: &Service) -> Vec<String> {
    if !is_outage(survey, blue) {
        return vec![];
    }
    let name = &blue.name;
    let mut warnings = Vec::new();
    if blue.desired == 0 {
        warnings
            .push(format!("{name} has the traffic and its desired count is 0: nothing serves now"));
    }
    if blue.deployments.len() > 1 {
        warnings.push(format!(
            "{name} has the traffic and no healthy target, and somebody else deploys it right now"
        ));
    }
    warnings
}

fn serving_well(survey: &Survey, blue: &Service) -> Result<(), Refusal> {
    if is_outage(survey, blue) {
        return Ok(());
    }
    let cluster = survey.cluster_name();
    if blue.desired == 0 {
        return refuse(
            format!("{} has the traffic, but its desired count is 0", blue.name),
            format!(
                "aws ecs update-service --cluster {cluster} --service {} --desired-count 1",
                blue.name
            ),
        );
    }
    if blue.deployments.len() > 1 {
        return refuse(
            format!("{} has the traffic, and somebody else deploys it right now", blue.name),
            format!("aws ecs wait services-stable --cluster {cluster} --services {}", blue.name),
        );
    }
    Ok(())
}

fn unscaled(survey: &Survey, pair: [&Service; 2]) -> Result<(), Refusal> {
    let scaled = pair
        .iter()
        .find(|service| survey.scalable.iter().flatten().any(|name| *name == service.name));
    match scaled {
        None => Ok(()),
        Some(service) => refuse(
            format!(
                "Application Auto Scaling changes the desired count of {}, which the engine listener does not handle yet",
                service.name
            ),
            format!(
                "aws application-autoscaling describe-scalable-targets --service-namespace ecs --resource-ids service/{}/{}",
                survey.cluster_name(),
                service.name
            ),
        ),
    }
}

/// Stickiness pins clients to a group that was emptied.
fn unsticky(survey: &Survey, sides: &Sides<'_>) -> Result<(), Refusal> {
    let sticky = |group: &&Group| {
        let attributes = group.attributes.as_ref();
        attributes
            .and_then(|a| a.get("stickiness.enabled"))
            .is_some_and(|enabled| enabled == "true")
    };
    let groups = sides.pairs.iter().flat_map(|pair| [&pair.blue, &pair.green]);
    if let Some(group) = groups.filter_map(|arn| survey.world.groups.get(arn)).find(sticky) {
        return refuse(
            format!(
                "target group {} has stickiness: clients would stay on a side that is stopped",
                group.name
            ),
            format!(
                "if its clients do not need stickiness: aws elbv2 modify-target-group-attributes --target-group-arn {} --attributes Key=stickiness.enabled,Value=false",
                group.arn
            ),
        );
    }
    let pins = |(key, value): &(String, String)| {
        key.ends_with("TargetGroupStickinessConfig.Enabled") && value == "true"
    };
    match survey.world.rules.values().find(|rule| rule.actions.iter().any(pins)) {
        Some(rule) => refuse(
            format!(
                "rule {} has target group stickiness: clients would stay on a side that is stopped",
                rule.name
            ),
            format!("aws elbv2 describe-rules --rule-arns {}", rule.arn),
        ),
        None => Ok(()),
    }
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
pub(super) fn differences(survey: &Survey, sides: &Sides<'_>) -> Result<Vec<String>, Refusal> {
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
    let mut warnings: Vec<String> = WARNED
        .iter()
        .filter(|name| member(blue, name) != member(green, name))
        .map(|name| {
            let (own, other) = (member(blue, name), member(green, name));
            format!("{} and {} differ in {name}: {own} and {other}", blue.name, green.name)
        })
        .collect();
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
fn setting(service: &Service, name: &str) -> Value {
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

fn summary(check: &Check) -> String {
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

fn level_check(from: &Group, to: &Group) -> String {
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

fn attribute_differences(a: &Group, b: &Group) -> Vec<String> {
    let (Some(own), Some(other)) = (&a.attributes, &b.attributes) else { return vec![] };
    let text = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
    own.keys()
        .chain(other.keys())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter(|key| own.get(*key) != other.get(*key))
        .map(|key| {
            let (mine, theirs) = (text(own.get(key)), text(other.get(key)));
            format!("target groups {} and {} differ in {key}: {mine} and {theirs}", a.name, b.name)
        })
        .collect()
}

/// Lists of subnets and the like are sets.
fn sorted(value: &Value) -> Value {
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

/// The first image that is not there.
pub(super) fn missing_images(
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Result<(), Refusal> {
    for (container, image) in images {
        if let (Some(Digest::Missing(why)), Some(ecr)) = (digests.get(container), image.ecr()) {
            return refuse(
                format!("image {image} for container {container} cannot be used: {why}"),
                format!(
                    "aws ecr list-images --registry-id {} --region {} --repository-name {}",
                    ecr.account, ecr.region, ecr.name
                ),
            );
        }
    }
    Ok(())
}

/// Targets that the load balancer never uses: those of new tasks would wait to become healthy for ever.
pub(super) fn usable(survey: &Survey, service: &Service) -> Result<(), Refusal> {
    for attachment in &service.attachments {
        let Some(group) = survey.world.groups.get(&attachment.group) else { continue };
        if group.load_balancers.is_empty() {
            return refuse(
                format!(
                    "no rule forwards to {}, the target group of {}: its targets would never become healthy",
                    group.name, service.name
                ),
                "aws elbv2 create-rule --listener-arn ARN --priority 10 --conditions … --actions …",
            );
        }
        let unused = survey.unused.iter().filter(|(arn, _)| *arn == group.arn);
        let mut outside = unused.filter(|(_, target)| not_in_use(target) == Some(NotInUse::Zone));
        if let Some((_, target)) = outside.next() {
            let balancer = &group.load_balancers[0];
            return refuse(
                format!(
                    "{}: the zone of target {}:{} is not enabled on the load balancer (target group {}): new \
                     tasks there would never become healthy",
                    service.name, target.id, target.port, group.name
                ),
                format!(
                    "enable the zone, or take its subnet out of {}: aws elbv2 describe-load-balancers \
                     --load-balancer-arns {balancer} --query 'LoadBalancers[].AvailabilityZones'",
                    service.name
                ),
            );
        }
    }
    Ok(())
}

/// What a user may not expect of a deployment like this.
pub(super) fn surprises(request: &Request, survey: &Survey) -> Vec<String> {
    let mut warnings = Vec::new();
    if request.timeout < Duration::from_secs(60) {
        warnings.push(format!(
            "--timeout is {}: a task that takes longer to become healthy is rolled back; 15m is 15 minutes",
            humantime::format_duration(request.timeout)
        ));
    }
    for (option, seconds) in &request.bare {
        let minutes = if *seconds == 1 { "minute" } else { "minutes" };
        warnings.push(format!("{option} is {seconds}s; {seconds}m is {seconds} {minutes}"));
    }
    let copies = |service: &&Service| {
        setting_at(service, &["propagateTags"]).and_then(Value::as_str) == Some("TASK_DEFINITION")
    };
    if let Some(service) = survey.world.services.values().find(copies).filter(|_| !request.no_wait)
    {
        warnings.push(format!(
            "{} copies the tags of its task definition to its tasks (propagateTags=TASK_DEFINITION): \
             the tags of the record, ecs-bg:*, are copied too",
            service.name
        ));
    }
    warnings
}

/// What could not be read, what is lost by it, and the permission that brings it back.
pub(super) fn unread(
    survey: &Survey,
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (container, image) in images {
        if let (Some(Digest::Unknown(why)), Some(_)) = (digests.get(container), image.ecr()) {
            warnings
                .push(format!("image {image} was not checked ({why}); allow ecr:DescribeImages"));
        }
    }
    if survey.scalable.is_none() && survey.twin.is_some() {
        warnings.push(
            "auto scaling was not checked: a scalable target could start the stopped service again; allow \
             application-autoscaling:DescribeScalableTargets"
                .into(),
        );
    }
    if survey.world.groups.values().any(|group| group.attributes.is_none()) {
        warnings.push(
            "target group attributes and stickiness were not checked; allow \
             elasticloadbalancing:DescribeTargetGroupAttributes"
                .into(),
        );
    }
    warnings
}

/// Another deployment of the pair is not finished.
pub(super) fn unfinished(survey: &Survey, record: &Record) -> Refusal {
    let known = survey.world.service(&record.blue).is_some()
        && survey.world.service(&record.green).is_some();
    let step = if known { super::standing(record, &survey.world) } else { "an unknown step" };
    let twin = match record.engine() {
        EngineName::Listener => format!(" --twin {}", record.green),
        EngineName::Rolling => String::new(),
    };
    let heading = if record.forward() { "going forward" } else { "going back" };
    Refusal::new(
        format!("{} {} is unfinished ({heading}, at step {step})", record.name(), record.route()),
        format!(
            "ecs-bg resume --cluster {} --service {}{twin} --on-conflict wait",
            survey.cluster, record.blue
        ),
    )
}

/// Credentials that end in mid-deployment leave it half done. Most of those that end are renewed by
/// themselves; whether these are cannot be told.
pub(super) fn credentials(survey: &Survey, record: &Record) -> Option<String> {
    let expires = survey.expires?;
    let holds: Duration = record.shares.iter().map(|share| share.hold).sum();
    let least = holds + record.bake.max(record.follow);
    let left = expires.duration_since(survey.world.at).unwrap_or_default();
    (left < least).then(|| {
        format!(
            "the credentials expire in {}, and the deployment needs at least {}: they must be renewed meanwhile",
            humantime::format_duration(Duration::from_secs(left.as_secs())),
            humantime::format_duration(least)
        )
    })
}
