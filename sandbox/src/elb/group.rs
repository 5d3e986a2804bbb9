//! Target groups: health-check settings and who is registered. What becomes of targets is in `health`.

use serde_json::{Map, Value, json};

use super::{
    attributes, group_not_found, health, limits, load_balancer, load_balancer_not_found, paging,
    result, tags,
};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{int, texts},
        query::{self, Answer, required, text},
    },
    state::{
        Here,
        elb::{Group, Target},
    },
};

const CHECK_MEMBERS: &[&str] = &[
    "HealthCheckProtocol",
    "HealthCheckPort",
    "HealthCheckPath",
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "UnhealthyThresholdCount",
    "Matcher",
];

pub(super) fn create(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = required(request, "Name").to_owned();
    load_balancer::check_name(&name, "Target group")?;
    let tags = tags::of_new(&query::list(request, "Tags"))?;
    let mut members = request.clone();
    members.shift_remove("Name");
    members.shift_remove("Tags");
    fill_in(&mut members);
    check(&members)?;
    if let Some(old) = here.region.elb.groups.values().find(|one| one.name == name) {
        if old.members == members {
            return Ok(result([("TargetGroups", json!([show(old)]))]));
        }
        return Err(Fault::new(
            "DuplicateTargetGroupName",
            format!(
                "A target group with the same name '{name}' exists, but with different settings"
            ),
        ));
    }
    if here.region.elb.groups.len() >= limits::limit(&here.region.elb, limits::GROUPS) {
        let text = "The maximum number of target groups has been reached";
        return Err(Fault::new("TooManyTargetGroups", text));
    }
    let id = here.shared.ids.hex(16);
    let arn = here.arn("elasticloadbalancing", &format!("targetgroup/{name}/{id}"));
    let attributes = attributes::group_defaults(&members);
    let group = Group {
        arn: arn.clone(),
        name,
        members,
        attributes,
        tags,
        load_balancers: Vec::new(),
        targets: Default::default(),
    };
    let shown = show(&group);
    here.region.elb.groups.insert(arn.clone(), group);
    here.note(Change::Created { arn });
    Ok(result([("TargetGroups", json!([shown]))]))
}

/// The defaults of CreateTargetGroup in the API reference.
fn fill_in(members: &mut Map<String, Value>) {
    default(members, "TargetType", "instance");
    default(members, "HealthyThresholdCount", "5");
    default(members, "IpAddressType", "ipv4");
    if required(members, "TargetType") == "lambda" {
        for inapplicable in ["Protocol", "Port", "VpcId"] {
            members.shift_remove(inapplicable);
        }
        default(members, "HealthCheckEnabled", "false");
        default(members, "HealthCheckIntervalSeconds", "35");
        default(members, "HealthCheckTimeoutSeconds", "30");
        default(members, "UnhealthyThresholdCount", "5");
        default(members, "HealthCheckPath", "/");
        members.entry("Matcher").or_insert(json!({"HttpCode": "200"}));
        return;
    }
    default(members, "Protocol", "HTTP");
    default(members, "VpcId", "vpc-0123456789abcdef0");
    default(members, "HealthCheckEnabled", "true");
    default(members, "UnhealthyThresholdCount", "2");
    let http = required(members, "Protocol").starts_with("HTTP");
    let geneve = required(members, "Protocol") == "GENEVE";
    default(members, "HealthCheckPort", if geneve { "80" } else { "traffic-port" });
    default(members, "HealthCheckIntervalSeconds", if geneve { "10" } else { "30" });
    default(members, "HealthCheckProtocol", if http { "HTTP" } else { "TCP" });
    if http {
        default(members, "ProtocolVersion", "HTTP1");
    }
    let checks_http = required(members, "HealthCheckProtocol").starts_with("HTTP");
    default(members, "HealthCheckTimeoutSeconds", if checks_http || geneve { "5" } else { "10" });
    if checks_http {
        default(members, "HealthCheckPath", "/");
        let matcher = match text(members, "ProtocolVersion") {
            Some("GRPC") => json!({"GrpcCode": "12"}),
            _ => json!({"HttpCode": if http { "200" } else { "200-399" }}),
        };
        members.entry("Matcher").or_insert(matcher);
    }
}

fn default(members: &mut Map<String, Value>, member: &str, value: &str) {
    members.entry(member).or_insert_with(|| json!(value));
}

fn check(members: &Map<String, Value>) -> Result<(), Fault> {
    let number = |member: &str| int(members.get(member)).unwrap_or(0);
    let bounds = [
        ("HealthCheckIntervalSeconds", "Health check interval", 5, 300),
        ("HealthCheckTimeoutSeconds", "Health check timeout", 2, 120),
        ("HealthyThresholdCount", "Healthy threshold count", 2, 10),
        ("UnhealthyThresholdCount", "Unhealthy threshold count", 2, 10),
    ];
    for (member, what, least, most) in bounds {
        let value = number(member);
        if !(least..=most).contains(&value) {
            return Err(Fault::validation(format!(
                "{what} '{value}' must be between {least} and {most} inclusive"
            )));
        }
    }
    if query::required(members, "TargetType") != "lambda" && !(1..=65_535).contains(&number("Port"))
    {
        return Err(Fault::validation("A port must be specified"));
    }
    let kind = query::required(members, "TargetType");
    if !["instance", "ip", "lambda", "alb"].contains(&kind) {
        return Err(Fault::validation(format!(
            "Target type '{kind}' must be one of 'instance, ip, lambda, alb'"
        )));
    }
    if ["instance", "ip"].contains(&kind) && text(members, "HealthCheckEnabled") == Some("false") {
        return Err(Fault::new(
            "InvalidConfigurationRequest",
            format!("Health checks must be enabled for target groups with target type '{kind}'"),
        ));
    }
    let protocol = text(members, "Protocol").unwrap_or("HTTP");
    let protocols = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"];
    if !protocols.contains(&protocol) {
        return Err(Fault::validation(format!(
            "Protocol '{protocol}' must be one of '{}'",
            protocols.join(", ")
        )));
    }
    if !protocol.starts_with("HTTP") && members.contains_key("ProtocolVersion") {
        return Err(Fault::validation(
            "Protocol version is only valid for HTTP and HTTPS target groups",
        ));
    }
    let (timeout, interval) =
        (number("HealthCheckTimeoutSeconds"), number("HealthCheckIntervalSeconds"));
    let (fits, how) = match protocol.starts_with("HTTP") {
        true => (timeout < interval, "smaller than"),
        false => (timeout <= interval, "smaller than or equal to"),
    };
    if !fits {
        return Err(Fault::validation(format!(
            "Health check timeout '{timeout}' must be {how} the interval '{interval}'"
        )));
    }
    Ok(())
}

fn show(group: &Group) -> Value {
    let mut shown = json!({"TargetGroupArn": group.arn, "TargetGroupName": group.name});
    for (member, value) in &group.members {
        shown[member] = value.clone();
    }
    shown["LoadBalancerArns"] = json!(group.load_balancers);
    shown
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arns, names) = (texts(request.get("TargetGroupArns")), texts(request.get("Names")));
    paging::at_most_20(&arns, "target groups")?;
    paging::at_most_20(&names, "target groups")?;
    let all = &here.region.elb.groups;
    let of = text(request, "LoadBalancerArn");
    if let Some(arn) = of {
        super::check_arn(arn, "loadbalancer")?;
        here.region.elb.load_balancers.get(arn).ok_or_else(|| load_balancer_not_found(arn))?;
    }
    for arn in &arns {
        super::check_arn(arn, "targetgroup")?;
        all.get(arn).ok_or_else(group_not_found)?;
    }
    for name in &names {
        all.values().find(|one| one.name == *name).ok_or_else(group_not_found)?;
    }
    let wanted = |one: &&Group| {
        let here = of.is_none_or(|of| one.load_balancers.iter().any(|arn| arn == of));
        here && (arns.is_empty() || arns.contains(&one.arn))
            && (names.is_empty() || names.contains(&one.name))
    };
    paging::page(request, "TargetGroups", all.values().filter(wanted).map(show).collect())
}

pub(super) fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "TargetGroupArn").to_owned();
    super::check_arn(&arn, "targetgroup")?;
    match here.region.elb.groups.get(&arn) {
        Some(group) if !group.load_balancers.is_empty() => Err(Fault::new(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        )),
        Some(_) => {
            here.region.elb.groups.remove(&arn);
            here.note(Change::Deleted { arn });
            Ok(Map::new())
        }
        None => Ok(Map::new()),
    }
}

pub(super) fn modify(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "TargetGroupArn").to_owned();
    super::check_arn(&arn, "targetgroup")?;
    let group = here.region.elb.groups.get_mut(&arn).ok_or_else(group_not_found)?;
    let mut members = group.members.clone();
    for member in CHECK_MEMBERS {
        if let Some(value) = request.get(*member) {
            members.insert((*member).to_owned(), value.clone());
        }
    }
    check(&members)?;
    group.members = members;
    let shown = show(group);
    here.note(Change::Attributes { resource: arn });
    Ok(result([("TargetGroups", json!([shown]))]))
}

/// A target that a request names.
struct Named {
    id: String,
    port: i64,
    zone: Option<String>,
}

/// The group and the targets of a request; a target has the group's port unless it names one.
fn targets(here: &Here<'_>, request: &Map<String, Value>) -> Result<(String, Vec<Named>), Fault> {
    let arn = required(request, "TargetGroupArn").to_owned();
    super::check_arn(&arn, "targetgroup")?;
    let group = here.region.elb.groups.get(&arn).ok_or_else(group_not_found)?;
    let own = int(group.members.get("Port")).unwrap_or(80);
    let named = |one: &Value| Named {
        id: one["Id"].as_str().unwrap_or_default().to_owned(),
        port: int(one.get("Port")).unwrap_or(own),
        zone: one["AvailabilityZone"].as_str().map(str::to_owned),
    };
    Ok((arn, query::list(request, "Targets").iter().map(named).collect()))
}

pub(super) fn register_targets(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arn, targets) = targets(here, request)?;
    let facts = super::group_facts(here.region, &arn);
    let by_address = facts.is_some_and(|facts| facts.target_type == "ip");
    for Named { id, .. } in &targets {
        if by_address && id.parse::<std::net::IpAddr>().is_err() {
            let text = format!("The IP address '{id}' is not a valid IPv4 address");
            return Err(Fault::validation(text));
        }
    }
    let standing = here.region.elb.groups.get(&arn).map(|group| &group.targets);
    let fresh = targets.iter().filter(|one| {
        standing.is_none_or(|own| !own.contains_key(&format!("{}:{}", one.id, one.port)))
    });
    let most = limits::limit(&here.region.elb, limits::TARGETS);
    if standing.map_or(0, |own| own.len()) + fresh.count() > most {
        let text = format!("The maximum number of targets per target group is '{most}'");
        return Err(Fault::new("TooManyTargets", text));
    }
    for Named { id, port, zone } in targets {
        let task = here.region.network.get(&id).and_then(|arn| here.region.ecs.tasks.get(arn));
        let zone = zone.or_else(|| task.map(|task| task.zone.clone()));
        let zone = zone.or_else(|| super::zones(here.region).into_iter().next());
        health::register(here, &arn, &id, port, &zone.unwrap_or_default());
    }
    Ok(Map::new())
}

pub(super) fn deregister_targets(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arn, targets) = targets(here, request)?;
    for Named { id, port, .. } in targets {
        health::deregister(here, &arn, &id, port);
    }
    Ok(Map::new())
}

pub(super) fn describe_health(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "TargetGroupArn");
    super::check_arn(arn, "targetgroup")?;
    let group = here.region.elb.groups.get(arn).ok_or_else(group_not_found)?;
    let asked = query::list(request, "Targets");
    let own = int(group.members.get("Port")).unwrap_or(80);
    let mut shown = Vec::new();
    for one in asked.iter() {
        let (id, port) =
            (one["Id"].as_str().unwrap_or_default(), int(one.get("Port")).unwrap_or(own));
        shown.push(match group.targets.get(&format!("{id}:{port}")) {
            Some(target) => show_target(group, target),
            None => json!({
                "Target": {"Id": id, "Port": port},
                "HealthCheckPort": int(group.members.get("HealthCheckPort")).unwrap_or(port).to_string(),
                "TargetHealth": {"State": "unused", "Reason": "Target.NotRegistered", "Description": "Target is not registered to the target group"},
            }),
        });
    }
    if asked.is_empty() {
        shown = group.targets.values().map(|target| show_target(group, target)).collect();
    }
    Ok(result([("TargetHealthDescriptions", shown.into())]))
}

fn show_target(group: &Group, target: &Target) -> Value {
    let mut health = json!({"State": target.health.state});
    if !target.health.reason.is_empty() {
        health["Reason"] = json!(target.health.reason);
        health["Description"] = json!(target.health.description);
    }
    let port = int(group.members.get("HealthCheckPort")).unwrap_or(target.port).to_string();
    let mut who = json!({"Id": target.id, "Port": target.port});
    if query::text(&group.members, "TargetType") == Some("ip") {
        who["AvailabilityZone"] = json!(target.zone);
    }
    json!({"Target": who, "HealthCheckPort": port, "TargetHealth": health, "AdministrativeOverride": {"State": "no_override", "Reason": "AdministrativeOverride.NoOverride", "Description": "No override is currently active on target"}})
}
