//! Listener rules: which group of a pair is live, what ECS finds wrong with them when a service
//! deployment starts, and how it writes them (Amazon ECS Developer Guide, "Troubleshooting Amazon ECS
//! blue/green deployments").

use serde_json::Value;

use super::{newest, newest_mut};
use crate::{
    elb,
    journal::Change,
    state::{
        Here, Region,
        ecs::{Course, Native, Service, Side, Stage, TestRule, last},
    },
    unverified::{InfrastructureRole, InterruptedBake},
};

/// The session in which Amazon ECS writes rules.
const SESSION: &str = "ECSNetworkingWithELB";

/// What an entry of `loadBalancers` says of its pair.
struct Pair<'v> {
    groups: [&'v str; 2],
    production: &'v str,
    test: Option<&'v str>,
    role: &'v str,
}

fn pairs(list: Option<&Value>) -> Vec<Pair<'_>> {
    let pair = |entry| {
        let advanced: &Value = Value::get(entry, "advancedConfiguration")?;
        let text = |member: &str| advanced.get(member).and_then(Value::as_str);
        Some(Pair {
            groups: [
                entry.get("targetGroupArn")?.as_str()?,
                text("alternateTargetGroupArn").unwrap_or_default(),
            ],
            production: text("productionListenerRule").unwrap_or_default(),
            test: text("testListenerRule"),
            role: text("roleArn").unwrap_or_default(),
        })
    };
    list.and_then(Value::as_array).into_iter().flatten().filter_map(pair).collect()
}

/// The rule that an ARN means: its own, or the default rule of a listener.
pub(super) fn rule(region: &Region, arn: &str) -> Option<String> {
    let listener = region.elb.listeners.get(arn).map(|one| one.rule.clone());
    listener.or_else(|| region.elb.rules.get(arn).map(|one| one.arn.clone()))
}

/// The groups that a rule names, with their weights.
pub(super) fn weights(region: &Region, rule: &str) -> Vec<(String, u32)> {
    region.elb.rules.get(rule).map(|rule| elb::weights(&rule.actions)).unwrap_or_default()
}

fn serving(region: &Region, rule: &str) -> Vec<String> {
    let all = weights(region, rule).into_iter();
    all.filter(|(_, weight)| *weight > 0).map(|(group, _)| group).collect()
}

/// The live groups of a service that ECS replaces task by task: where the production rule sends.
pub(crate) fn live(here: &Here<'_>, service: &Service) -> Vec<String> {
    let pairs = pairs(service.members.get("loadBalancers"));
    let live = |pair: &Pair<'_>| {
        let rule = rule(here.region, pair.production)?;
        match serving(here.region, &rule).as_slice() {
            [one] if pair.groups.contains(&one.as_str()) => Some(one.clone()),
            _ => None,
        }
    };
    pairs.iter().map(|pair| live(pair).unwrap_or_else(|| pair.groups[0].to_owned())).collect()
}

/// Finds out which group is live, and gives the target revision the other one.
pub(super) fn look(here: &mut Here<'_>, arn: &str) -> Result<(), String> {
    let Some((service, ..)) = newest(here, arn) else { return Ok(()) };
    let Some(own) = service.deployments.first() else { return Ok(()) };
    let sides = pairs(own.settings.get("loadBalancers"))
        .iter()
        .map(|pair| side(here.region, pair, allowed(here, pair.role)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|what| format!("of invalid networking configuration. {what}"))?;
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return Ok(()) };
    if let Some(own) = service.deployments.first_mut() {
        own.resolved = sides.iter().map(|side| side.green.clone()).collect();
    }
    if let Some(native) = newest_mut(here, arn) {
        native.sides = sides;
    }
    Ok(())
}

/// What an infrastructure role allows ECS: as the scenario says, but nothing where a client made it without the policy
/// for load balancers.
fn allowed(here: &Here<'_>, role: &str) -> InfrastructureRole {
    let lacks = here.shared.roles.get(last(role)).is_some_and(|own| {
        let named = |arn: &String| last(arn) == "AmazonECSInfrastructureRolePolicyForLoadBalancers";
        own.made.is_some() && !own.policies.iter().any(named)
    });
    match lacks {
        true => InfrastructureRole::None,
        false => here.shared.unverified.infrastructure_role,
    }
}

fn side(region: &Region, pair: &Pair<'_>, role: InfrastructureRole) -> Result<Side, String> {
    if role == InfrastructureRole::None {
        return Err(format!(
            "ECS was unable to manage the ELB resources due to missing permissions on ECS Infrastructure Role '{}'.",
            pair.role
        ));
    }
    let find =
        |arn: &str| rule(region, arn).ok_or_else(|| "One or more rules not found".to_owned());
    let production = find(pair.production)?;
    let test = match pair.test {
        None => TestRule::None,
        Some("") => TestRule::Empty,
        Some(arn) => TestRule::Rule(find(arn)?),
    };
    for group in pair.groups {
        if !region.elb.groups.contains_key(group) {
            return Err(format!("The target group {group} does not exist."));
        }
    }
    let mut named = weights(region, &production);
    if let TestRule::Rule(test) = &test {
        named.extend(weights(region, test));
    }
    let missing: Vec<&str> = pair
        .groups
        .into_iter()
        .filter(|group| !named.iter().any(|(own, _)| own == group))
        .collect();
    match missing.as_slice() {
        [] => {}
        [one] => {
            return Err(format!(
                "Target group {one} is not associated with either productionListenerRule or testListenerRule."
            ));
        }
        _ => {
            return Err(
                "Both targetGroup and alternateTargetGroup must be associated with the productionListenerRule or testListenerRule."
                    .into(),
            );
        }
    }
    let serving = serving(region, &production);
    let [live] = serving.as_slice() else {
        return Err(format!(
            "productionListenerRule {} should have exactly one target group serving traffic but found {} target groups which are serving traffic",
            pair.production,
            serving.len()
        ));
    };
    let [first, second] = pair.groups;
    let green = match live.as_str() {
        own if own == first => second,
        own if own == second => first,
        other => {
            return Err(format!(
                "Production listener rule is forwarding traffic to unexpected target group {other}. Expected traffic to be forwarded to either targetGroupArn: {first} or alternateTargetGroupArn: {second}"
            ));
        }
    };
    Ok(Side {
        blue: live.clone(),
        green: green.to_owned(),
        network: is_network(region, &production),
        production,
        test,
    })
}

fn is_network(region: &Region, rule: &str) -> bool {
    let rule = region.elb.rules.get(rule);
    let listener = rule.and_then(|rule| region.elb.listeners.get(&rule.listener));
    let balancer = listener.and_then(|one| region.elb.load_balancers.get(&one.load_balancer));
    balancer.is_some_and(|one| one.kind == "network")
}

/// TEST_TRAFFIC_SHIFT: the test rule goes to the target revision, and the production rule is written in
/// the form that the shift will change.
pub(super) fn test(here: &mut Here<'_>, arn: &str) -> Result<(), String> {
    if let Some(native) = newest_mut(here, arn) {
        native.test = 100.0;
    }
    write_test(here, arn, true)?;
    write_production(here, arn)
}

/// PRODUCTION_TRAFFIC_SHIFT: the next step.
pub(super) fn production(here: &mut Here<'_>, arn: &str) -> Result<(), String> {
    if let Some(native) = newest_mut(here, arn) {
        native.production = native.steps.get(native.step).copied().unwrap_or(100.0);
    }
    write_production(here, arn)
}

/// Writes the test rules; `to_target`: to the target revision.
pub(super) fn write_test(here: &mut Here<'_>, arn: &str, to_target: bool) -> Result<(), String> {
    for side in sides(here, arn) {
        let (from, to) = match to_target {
            true => (&side.blue, &side.green),
            false => (&side.green, &side.blue),
        };
        match &side.test {
            TestRule::None => {}
            TestRule::Empty => {
                let id = here.shared.record_ids.uuid();
                return Err(said(
                    here,
                    arn,
                    &format!(
                        "A rule ARN must be specified (Service: ElasticLoadBalancingV2, Status Code: 400, Request ID: {id})"
                    ),
                ));
            }
            TestRule::Rule(rule) => write(here, arn, rule, &[(from, 0), (to, 100)])?,
        }
    }
    Ok(())
}

/// Writes the production rules as the service deployment wants them now.
pub(super) fn write_production(here: &mut Here<'_>, arn: &str) -> Result<(), String> {
    let Some((.., native)) = newest(here, arn) else { return Ok(()) };
    // Weights are whole numbers up to 999: a fraction of a percent needs tenths (assumed).
    let whole = native.production.fract() == 0.0;
    let (scale, all) = if whole { (1.0, 100) } else { (10.0, 1000) };
    let target = (native.production * scale).round() as u32;
    let source = all - target.min(all);
    for side in sides(here, arn) {
        write(here, arn, &side.production, &[(&side.blue, source), (&side.green, target)])?;
    }
    Ok(())
}

fn sides(here: &Here<'_>, arn: &str) -> Vec<Side> {
    newest(here, arn).map(|(.., native)| native.sides.clone()).unwrap_or_default()
}

/// Writes a rule with the service's infrastructure role.
fn write(
    here: &mut Here<'_>,
    arn: &str,
    rule: &str,
    groups: &[(&String, u32)],
) -> Result<(), String> {
    let is_default = here.region.elb.rules.get(rule).is_some_and(|one| one.priority.is_none());
    let (operation, resource) = match here.region.elb.rules.get(rule) {
        Some(one) if is_default => ("ModifyListener", one.listener.clone()),
        _ => ("ModifyRule", rule.to_owned()),
    };
    let role = roles(here, arn).into_iter().next().unwrap_or_default();
    if allowed(here, &role) != InfrastructureRole::Full {
        let user = here.shared.iam(
            &here.region.name,
            "sts",
            &format!("assumed-role/{}/{SESSION}", last(&role)),
        );
        let id = here.shared.record_ids.uuid();
        return Err(said(
            here,
            arn,
            &format!(
                "User: {user} is not authorized to perform: elasticloadbalancing:{operation} on resource: {resource} because no identity-based policy allows the elasticloadbalancing:{operation} action (Service: ElasticLoadBalancingV2, Status Code: 403, Request ID: {id})"
            ),
        ));
    }
    here.note(Change::CalledByEcs {
        session: SESSION.into(),
        operation: operation.into(),
        resource,
    });
    let groups: Vec<(&str, u32)> =
        groups.iter().map(|(group, weight)| (group.as_str(), *weight)).collect();
    elb::rule::shift(here, rule, &groups).map_err(|fault| {
        let id = here.shared.record_ids.uuid();
        said(
            here,
            arn,
            &format!(
                "{} (Service: ElasticLoadBalancingV2, Status Code: {}, Request ID: {id})",
                fault.message, fault.status
            ),
        )
    })
}

fn roles(here: &Here<'_>, arn: &str) -> Vec<String> {
    let members = here.region.ecs.services.get(arn).map(|service| &service.members);
    let list = members.and_then(|members| members.get("loadBalancers"));
    pairs(list).iter().map(|pair| pair.role.to_owned()).collect()
}

/// AWS calls its own work with load balancers a lifecycle hook, too.
fn said(here: &Here<'_>, arn: &str, what: &str) -> String {
    let stage = newest(here, arn).and_then(|(.., native)| native.stage);
    let stage = stage.map_or("PRE_SCALE_UP", Stage::name);
    format!("{stage} lifecycle hook(s) failed. {what}")
}

/// RECONCILE_SERVICE: all traffic goes to one of the source revisions, which is the source from now on.
pub(super) fn reconcile(here: &mut Here<'_>, arn: &str) -> Result<(), String> {
    let Some((service, ..)) = newest(here, arn) else { return Ok(()) };
    let shifted = |native: &Native| native.production >= 100.0 && native.course == Course::Forward;
    let before = service.rollouts.get(1).and_then(|one| one.native.as_ref());
    let stays = before.is_some_and(shifted)
        && here.shared.unverified.interrupted_bake == InterruptedBake::Stay;
    let older = service.deployments.get(1..).unwrap_or_default();
    let completed = service.completed.as_ref().map(|one| one.id.as_str());
    let kept = match stays {
        true => older.first(),
        false => older.iter().find(|one| Some(one.id.as_str()) == completed).or(older.last()),
    };
    let Some(kept) = kept.cloned() else { return Ok(()) };
    let sides: Vec<Side> = before.map(|native| native.sides.clone()).unwrap_or_default();
    if let Some(native) = newest_mut(here, arn) {
        native.source = Some(kept.id.clone());
    }
    for (side, live) in sides.iter().zip(&kept.resolved) {
        let other = if *live == side.blue { &side.green } else { &side.blue };
        write(here, arn, &side.production, &[(other, 0), (live, 100)])?;
        if let TestRule::Rule(rule) = &side.test {
            write(here, arn, rule, &[(other, 0), (live, 100)])?;
        }
    }
    Ok(())
}
