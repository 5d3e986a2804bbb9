//! The load-balancing sections of a scenario, as requests.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::Table;

use super::{
    Item,
    build::{Build, plain, put, typed},
    words,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LoadBalancer {
    name: String,
    r#type: Option<String>,
    scheme: Option<String>,
    /// Availability Zones: whole names or their last letters.
    azs: Vec<String>,
    tags: Option<Table>,
    #[serde(default)]
    attributes: Table,
}

pub(super) fn load_balancer(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: LoadBalancer = typed(&item.table)?;
    let region = build.region;
    let mut subnets = Vec::new();
    for az in &wanted.azs {
        let zone = if az.len() == 1 { format!("{region}{az}") } else { az.clone() };
        let known = build
            .cloud
            .shared
            .subnets
            .iter()
            .find(|(_, own)| **own == zone)
            .map(|(subnet, _)| subnet.clone());
        subnets.push(known.unwrap_or_else(|| {
            let subnet = format!("subnet-{az}");
            build.cloud.shared.subnets.insert(subnet.clone(), zone);
            subnet
        }));
    }
    let mut request = json!({"Name": wanted.name, "Subnets": subnets});
    put(&mut request, "Type", wanted.r#type);
    put(&mut request, "Scheme", wanted.scheme);
    put(&mut request, "Tags", wanted.tags.as_ref().map(key_values));
    let answer = build.elb("CreateLoadBalancer", request)?;
    if !wanted.attributes.is_empty() {
        let arn = &answer["LoadBalancers"][0]["LoadBalancerArn"];
        build.elb(
            "ModifyLoadBalancerAttributes",
            json!({"LoadBalancerArn": arn, "Attributes": key_values(&wanted.attributes)}),
        )?;
    }
    Ok(())
}

/// `{ key = 'value' }` as `[{Key, Value}]`.
fn key_values(table: &Table) -> Value {
    plain(table).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TargetGroup {
    name: String,
    port: i64,
    protocol: Option<String>,
    protocol_version: Option<String>,
    target_type: Option<String>,
    health_check: Option<HealthCheck>,
    tags: Option<Table>,
    #[serde(default)]
    attributes: Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct HealthCheck {
    protocol: Option<String>,
    port: Option<String>,
    path: Option<String>,
    #[serde(default, with = "crate::duration::option")]
    interval: Option<Duration>,
    #[serde(default, with = "crate::duration::option")]
    timeout: Option<Duration>,
    healthy: Option<i64>,
    unhealthy: Option<i64>,
    matcher: Option<String>,
}

pub(super) fn target_group(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: TargetGroup = typed(&item.table)?;
    let mut request = json!({"Name": wanted.name, "Port": wanted.port});
    put(&mut request, "Protocol", Some(wanted.protocol.unwrap_or_else(|| "HTTP".into())));
    put(&mut request, "TargetType", Some(wanted.target_type.unwrap_or_else(|| "ip".into())));
    let matcher = match wanted.protocol_version.as_deref() {
        Some("GRPC") => "GrpcCode",
        _ => "HttpCode",
    };
    put(&mut request, "ProtocolVersion", wanted.protocol_version);
    put(&mut request, "Tags", wanted.tags.as_ref().map(key_values));
    if let Some(check) = wanted.health_check {
        put(&mut request, "HealthCheckProtocol", check.protocol);
        put(&mut request, "HealthCheckPort", check.port);
        put(&mut request, "HealthCheckPath", check.path);
        put(
            &mut request,
            "HealthCheckIntervalSeconds",
            check.interval.map(|interval| interval.as_secs()),
        );
        put(
            &mut request,
            "HealthCheckTimeoutSeconds",
            check.timeout.map(|timeout| timeout.as_secs()),
        );
        put(&mut request, "HealthyThresholdCount", check.healthy);
        put(&mut request, "UnhealthyThresholdCount", check.unhealthy);
        put(&mut request, "Matcher", check.matcher.map(|code| json!({matcher: code})));
    }
    let answer = build.elb("CreateTargetGroup", request)?;
    if !wanted.attributes.is_empty() {
        let arn = &answer["TargetGroups"][0]["TargetGroupArn"];
        build.elb(
            "ModifyTargetGroupAttributes",
            json!({"TargetGroupArn": arn, "Attributes": key_values(&wanted.attributes)}),
        )?;
    }
    Ok(())
}

pub(super) fn listener(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut table = plain(&item.table);
    let name = table.shift_remove("name").unwrap_or_default();
    let load_balancer =
        words::load_balancer(build.region(), required(&mut table, "loadBalancer")?.as_str())?;
    let actions = words::actions(
        build.region(),
        table.shift_remove("actions").ok_or("`actions` is missing")?,
    )?;
    let mut request = words::capitals(Value::Object(table));
    request["LoadBalancerArn"] = json!(load_balancer);
    request["DefaultActions"] = actions;
    if request["Protocol"] == "HTTPS" && request.get("Certificates").is_none() {
        let arn = build
            .cloud
            .here(build.region)
            .arn("acm", "certificate/00000000-0000-0000-0000-000000000000");
        request["Certificates"] = json!([{"CertificateArn": arn}]);
    }
    tag_lists(&mut request);
    let answer = build.elb("CreateListener", request)?;
    // Rules find their listener by its name in the scenario.
    let arn = answer["Listeners"][0]["ListenerArn"].as_str().unwrap_or_default().to_owned();
    if let Some(found) = build.cloud.here(build.region).region.elb.listeners.get_mut(&arn) {
        found.scenario_name = name.as_str().map(str::to_owned);
    }
    Ok(())
}

fn tag_lists(request: &mut Value) {
    if let Value::Object(request) = request {
        words::tags(request, "Key", "Value");
    }
}

fn required(table: &mut Map<String, Value>, member: &str) -> Result<String, String> {
    let value = table.shift_remove(member).ok_or_else(|| format!("`{member}` is missing"))?;
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{member}` must be a text"))
}

pub(super) fn rule(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut table = plain(&item.table);
    let own = table.shift_remove("name").unwrap_or_default();
    let name = required(&mut table, "listener")?;
    let listeners = build.region().elb.listeners.values();
    let listener = listeners
        .into_iter()
        .find(|one| one.scenario_name.as_deref() == Some(&name))
        .map(|one| one.arn.clone());
    let listener = listener.ok_or_else(|| format!("`{name}`: there is no such listener"))?;
    let actions = words::actions(
        build.region(),
        table.shift_remove("actions").ok_or("`actions` is missing")?,
    )?;
    let mut request = words::capitals(Value::Object(table));
    request["ListenerArn"] = json!(listener);
    request["Actions"] = actions;
    tag_lists(&mut request);
    let answer = build.elb("CreateRule", request)?;
    // Services find their rules by their names in the scenario.
    let arn = answer["Rules"][0]["RuleArn"].as_str().unwrap_or_default().to_owned();
    if let Some(found) = build.cloud.here(build.region).region.elb.rules.get_mut(&arn) {
        found.scenario_name = own.as_str().map(str::to_owned);
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limit {
    name: String,
    max: usize,
}

pub(super) fn limit(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let Limit { name, max } = typed(&item.table)?;
    let region = build.cloud.here(build.region).region;
    let limits = match crate::elb::is_limit(&name) {
        true => &mut region.elb.limits,
        false if crate::quotas::by_name(&name).is_some() => &mut region.vcpus,
        false => {
            return Err(
                "neither DescribeAccountLimits nor AWS Fargate has a limit of that name".to_owned()
            );
        }
    };
    limits.insert(name, max);
    Ok(())
}
