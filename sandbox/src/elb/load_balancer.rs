//! Load balancers: one node in each Availability Zone.

use serde_json::{Map, Value, json};

use super::{attributes, load_balancer_not_found, paging, result, tags};
use crate::{
    journal::Change,
    partition::partition,
    protocol::{
        Fault,
        json::texts,
        query::{self, Answer, required, text},
    },
    state::{Here, elb::LoadBalancer},
};

pub(super) fn create(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = required(request, "Name").to_owned();
    check_name(&name, "Load balancer")?;
    let tags = tags::parse(&query::list(request, "Tags"))?;
    if let Some(old) = here.region.elb.load_balancers.values().find(|one| one.name == name) {
        return Ok(result([("LoadBalancers", json!([show(old)]))]));
    }
    let mut subnets = texts(request.get("Subnets"));
    let mapped = query::list(request, "SubnetMappings");
    subnets.extend(mapped.iter().filter_map(|one| one["SubnetId"].as_str().map(str::to_owned)));
    if subnets.is_empty() {
        return Err(Fault::validation("At least one subnet must be specified"));
    }
    let region = here.region.name.clone();
    let zone = |(at, subnet): (usize, String)| {
        let letter = char::from(b'a' + u8::try_from(at % 26).unwrap_or(0));
        (
            here.shared
                .subnets
                .get(&subnet)
                .cloned()
                .unwrap_or_else(|| format!("{region}{letter}")),
            subnet,
        )
    };
    let zones = subnets.into_iter().enumerate().map(zone).collect();
    let kind = text(request, "Type").unwrap_or("application").to_owned();
    let short = match kind.as_str() {
        "application" => "app",
        "network" => "net",
        "gateway" => "gwy",
        other => {
            return Err(Fault::validation(format!(
                "Load balancer type '{other}' must be one of 'application', 'gateway', 'network'"
            )));
        }
    };
    let id = here.shared.ids.hex(16);
    let arn = here.arn("elasticloadbalancing", &format!("loadbalancer/{short}/{name}/{id}"));
    let mut members = request.clone();
    for own in ["Name", "Subnets", "SubnetMappings", "Tags", "Type"] {
        members.shift_remove(own);
    }
    let attributes = attributes::load_balancer_defaults(&kind);
    let created = LoadBalancer {
        arn: arn.clone(),
        name,
        kind,
        created_at: here.now(),
        zones,
        members,
        attributes,
        tags,
    };
    let shown = show(&created);
    here.region.elb.load_balancers.insert(arn.clone(), created);
    here.note(Change::Created { arn });
    Ok(result([("LoadBalancers", json!([shown]))]))
}

pub(super) fn check_name(name: &str, what: &str) -> Result<(), Fault> {
    let legal = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if name.is_empty() || name.len() > 32 {
        Err(Fault::validation(format!(
            "{what} name '{name}' cannot be longer than '32' characters"
        )))
    } else if !legal || name.starts_with('-') || name.ends_with('-') {
        Err(Fault::validation(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )))
    } else {
        Ok(())
    }
}

/// `app/<name>/<id>` of an ARN of a load balancer.
pub(super) fn name_of(arn: &str) -> &str {
    arn.split_once(":loadbalancer/").map_or(arn, |(_, path)| path)
}

fn show(one: &LoadBalancer) -> Value {
    let zone = |(zone, subnet): &(String, String)| json!({"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []});
    let id = one.arn.rsplit('/').next().unwrap_or_default();
    let region = one.arn.split(':').nth(3).unwrap_or_default();
    let suffix = partition(region).suffix;
    let host = match one.kind.as_str() {
        "application" => format!(
            "{}-{}.{region}.elb.{suffix}",
            one.name,
            u64::from_str_radix(id, 16).unwrap_or(0) % 10_000_000_000
        ),
        _ => format!("{}-{id}.elb.{region}.{suffix}", one.name),
    };
    let mut shown = json!({
        "LoadBalancerArn": one.arn,
        "DNSName": host,
        "CanonicalHostedZoneId": "Z215JYRZR1TBD5",
        "CreatedTime": one.created_at.rfc3339(),
        "LoadBalancerName": one.name,
        "Scheme": "internet-facing",
        "VpcId": "vpc-0123456789abcdef0",
        "State": {"Code": "active"},
        "Type": one.kind,
        "AvailabilityZones": one.zones.iter().map(zone).collect::<Vec<_>>(),
        "IpAddressType": "ipv4",
    });
    for (member, value) in &one.members {
        shown[member] = value.clone();
    }
    shown
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arns, names) = (texts(request.get("LoadBalancerArns")), texts(request.get("Names")));
    paging::at_most_20(&arns, "load balancers")?;
    paging::at_most_20(&names, "load balancers")?;
    let all = &here.region.elb.load_balancers;
    for arn in &arns {
        super::check_arn(arn, "loadbalancer")?;
        all.get(arn).ok_or_else(|| load_balancer_not_found(arn))?;
    }
    for name in &names {
        all.values().find(|one| one.name == *name).ok_or_else(|| load_balancer_not_found(name))?;
    }
    let wanted = |one: &&LoadBalancer| {
        (arns.is_empty() || arns.contains(&one.arn))
            && (names.is_empty() || names.contains(&one.name))
    };
    paging::page(request, "LoadBalancers", all.values().filter(wanted).map(show).collect())
}

pub(super) fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "LoadBalancerArn").to_owned();
    super::check_arn(&arn, "loadbalancer")?;
    let listeners: Vec<String> = here
        .region
        .elb
        .listeners
        .values()
        .filter(|one| one.load_balancer == arn)
        .map(|one| one.arn.clone())
        .collect();
    for listener in listeners {
        super::listener::remove(here, &listener);
    }
    if here.region.elb.load_balancers.remove(&arn).is_some() {
        here.note(Change::Deleted { arn });
    }
    Ok(Map::new())
}
