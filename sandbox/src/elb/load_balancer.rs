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
    let zones = zones(here, request)?;
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
    let mappings = query::list(request, "SubnetMappings").into_owned();
    let internal = text(request, "Scheme") == Some("internal");
    check_mappings(&kind, internal, &mappings)?;
    if kind == "network" && !texts(request.get("SecurityGroups")).is_empty() {
        members.insert(PRIVATE_LINK.to_owned(), json!("on"));
    }
    let attributes = attributes::load_balancer_defaults(&kind);
    let created = LoadBalancer {
        arn: arn.clone(),
        name,
        kind,
        created_at: here.now(),
        zones,
        mappings,
        reservation: None,
        members,
        attributes,
        tags,
    };
    let shown = show(&created);
    here.region.elb.load_balancers.insert(arn.clone(), created);
    here.note(Change::Created { arn });
    Ok(result([("LoadBalancers", json!([shown]))]))
}

/// The Availability Zones that the subnets of a request are in, each with its subnet.
fn zones(here: &Here<'_>, request: &Map<String, Value>) -> Result<Vec<(String, String)>, Fault> {
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
    Ok(subnets.into_iter().enumerate().map(zone).collect())
}

/// Which addresses a subnet mapping may name (API reference of SubnetMapping).
fn check_mappings(kind: &str, internal: bool, mappings: &[Value]) -> Result<(), Fault> {
    let names = |member: &str| mappings.iter().any(|one| one[member].is_string());
    let wrong = match kind {
        "network" if internal => ["AllocationId"].as_slice(),
        "network" => &["PrivateIPv4Address"],
        _ => &["AllocationId", "PrivateIPv4Address", "IPv6Address"],
    };
    match wrong.iter().find(|member| names(member)) {
        Some(member) => {
            Err(invalid(format!("This load balancer takes no {member} in its subnet mappings")))
        }
        None => Ok(()),
    }
}

/// Whether the security groups of a Network Load Balancer judge AWS PrivateLink too: by default they do.
const PRIVATE_LINK: &str = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";

pub(super) fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("InvalidConfigurationRequest", text)
}

/// The load balancer that a request names.
pub(super) fn named<'h>(
    here: &'h mut Here<'_>,
    request: &Map<String, Value>,
) -> Result<&'h mut LoadBalancer, Fault> {
    let arn = required(request, "LoadBalancerArn");
    super::check_arn(arn, "loadbalancer")?;
    here.region.elb.load_balancers.get_mut(arn).ok_or_else(|| load_balancer_not_found(arn))
}

const ADDRESSES: &[&str] = &["ipv4", "dualstack", "dualstack-without-public-ipv4"];

fn check_addresses(one: &LoadBalancer, addresses: &str) -> Result<(), Fault> {
    let most = if one.kind == "application" { 3 } else { 2 };
    if !ADDRESSES[..most].contains(&addresses) {
        return Err(Fault::validation(format!("IP address type '{addresses}' is not valid")));
    }
    if addresses != "ipv4" && text(&one.members, "Scheme") == Some("internal") {
        return Err(invalid("Internal load balancers must use the IP address type 'ipv4'"));
    }
    Ok(())
}

pub(super) fn set_ip_address_type(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let wanted = required(request, "IpAddressType");
    let found = named(here, request)?;
    check_addresses(found, wanted)?;
    found.members.insert("IpAddressType".to_owned(), json!(wanted));
    let arn = found.arn.clone();
    here.note(Change::Attributes { resource: arn });
    Ok(result([("IpAddressType", json!(wanted))]))
}

pub(super) fn set_security_groups(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let wanted = texts(request.get("SecurityGroups"));
    let found = named(here, request)?;
    let before = texts(found.members.get("SecurityGroups"));
    if found.kind == "gateway" || found.kind == "network" && before.is_empty() {
        return Err(invalid(
            "You cannot set security groups of a load balancer that was created without one",
        ));
    }
    if let Some(other) = wanted.iter().find(|group| !group.starts_with("sg-")) {
        let text = format!("Security group '{other}' is not valid");
        return Err(Fault::new("InvalidSecurityGroup", text));
    }
    found.members.insert("SecurityGroups".to_owned(), json!(wanted));
    if found.kind == "network"
        && let Some(inbound) = request.get(PRIVATE_LINK)
    {
        found.members.insert(PRIVATE_LINK.to_owned(), inbound.clone());
    }
    let inbound = found.members.get(PRIVATE_LINK).map(|own| (PRIVATE_LINK, own.clone()));
    let arn = found.arn.clone();
    here.note(Change::Attributes { resource: arn });
    Ok(result([("SecurityGroupIds", json!(wanted))].into_iter().chain(inbound)))
}

/// Other subnets: each zone that is new gets a node, which has learnt the weights when it comes.
pub(super) fn set_subnets(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let wanted = zones(here, request)?;
    let found = named(here, request)?;
    let distinct: std::collections::BTreeSet<&str> =
        wanted.iter().map(|(zone, _)| zone.as_str()).collect();
    if distinct.len() < wanted.len() {
        return Err(invalid(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        ));
    }
    if found.kind == "application" && distinct.len() < 2 {
        return Err(Fault::validation(
            "At least two subnets in two different Availability Zones must be specified",
        ));
    }
    if found.kind == "gateway" && !found.zones.iter().all(|own| wanted.contains(own)) {
        return Err(invalid("Subnets cannot be removed from a Gateway Load Balancer"));
    }
    let mappings = query::list(request, "SubnetMappings").into_owned();
    check_mappings(&found.kind, text(&found.members, "Scheme") == Some("internal"), &mappings)?;
    let addresses = text(request, "IpAddressType").map(str::to_owned);
    if let Some(addresses) = &addresses {
        check_addresses(found, addresses)?;
        found.members.insert("IpAddressType".to_owned(), json!(addresses));
    }
    found.zones = wanted;
    found.mappings = mappings;
    let (arn, shown) = (found.arn.clone(), show(found));
    super::rule::zones_changed(here, &arn);
    here.note(Change::Attributes { resource: arn });
    let addresses = addresses.map(|own| ("IpAddressType", json!(own)));
    Ok(result(
        [("AvailabilityZones", shown["AvailabilityZones"].clone())].into_iter().chain(addresses),
    ))
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

/// The name that users send their requests to.
pub(crate) fn dns_name(one: &LoadBalancer) -> String {
    let id = one.arn.rsplit('/').next().unwrap_or_default();
    let region = one.arn.split(':').nth(3).unwrap_or_default();
    let suffix = partition(region).suffix;
    match one.kind.as_str() {
        "application" => format!(
            "{}-{}.{region}.elb.{suffix}",
            one.name,
            u64::from_str_radix(id, 16).unwrap_or(0) % 10_000_000_000
        ),
        _ => format!("{}-{id}.elb.{region}.{suffix}", one.name),
    }
}

fn show(one: &LoadBalancer) -> Value {
    let zone = |(zone, subnet): &(String, String)| {
        let mapping = one.mappings.iter().find(|own| own["SubnetId"] == **subnet);
        let mut addresses = mapping.and_then(Value::as_object).cloned().unwrap_or_default();
        addresses.retain(|member, _| {
            ["AllocationId", "PrivateIPv4Address", "IPv6Address"].contains(&member.as_str())
        });
        let addresses: Vec<_> = Some(addresses).filter(|own| !own.is_empty()).into_iter().collect();
        json!({"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": addresses})
    };
    let mut shown = json!({
        "LoadBalancerArn": one.arn,
        "DNSName": dns_name(one),
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
    let found = here.region.elb.load_balancers.get(&arn);
    let protected = found.and_then(|one| one.attributes.get("deletion_protection.enabled"));
    if protected.is_some_and(|own| own == "true") {
        return Err(Fault::new(
            "OperationNotPermitted",
            format!(
                "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            ),
        ));
    }
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
