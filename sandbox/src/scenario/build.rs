//! Makes a world of a scenario, request by request, and lets it come to rest.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::Table;

use super::{Error, Item, Scenario, read::quoted, words};
use crate::{
    Cloud, Time, autoscaling, ecr, ecs, elb, fault::Fault, image::Image, json::Request, query,
};

/// 2026-01-15T12:00:00Z: where each world begins.
const EPOCH: Time = Time(1_768_478_400_000);
/// How long a world has to come to rest before it begins.
const BEFORE: Duration = Duration::from_secs(15 * 60);

impl Cloud {
    /// A world as a scenario describes it, at rest, at 2026-01-15T12:00:00Z.
    pub fn from_scenario(scenario: &Scenario) -> Result<Cloud, Error> {
        let start = Time(EPOCH.0.saturating_sub(BEFORE.as_secs() * 1000));
        let mut cloud = Cloud::new(scenario.seed, start);
        cloud.home.clone_from(&scenario.region);
        cloud.shared.timing = scenario.timing.clone();
        cloud.shared.subnets.clone_from(&scenario.subnets);
        let mut build = Build { cloud, region: &scenario.region };
        for (section, make) in SECTIONS {
            for item in scenario.sections.get(section).into_iter().flatten() {
                make(&mut build, item).map_err(|what| {
                    item.place.error(
                        quoted(&what).as_deref(),
                        format!("{section} {:?}: {what}", item.key),
                    )
                })?;
            }
        }
        build.cloud.advance(EPOCH);
        for item in scenario.sections.get("service").into_iter().flatten() {
            updates(&mut build, item).map_err(|what| {
                item.place.error(Some("update"), format!("service {:?}: {what}", item.key))
            })?;
        }
        build.cloud.begin();
        Ok(build.cloud)
    }
}

struct Build<'s> {
    cloud: Cloud,
    region: &'s str,
}

type Make = fn(&mut Build<'_>, &Item) -> Result<(), String>;

/// In the order in which things need each other.
const SECTIONS: &[(&str, Make)] = &[
    ("image", image),
    ("cluster", cluster),
    ("repository", repository),
    ("load_balancer", load_balancer),
    ("target_group", target_group),
    ("listener", listener),
    ("rule", rule),
    ("task_definition", task_definition),
    ("service", service),
    ("scalable_target", scalable_target),
];

fn fault(fault: Fault) -> String {
    format!("{}: {}", fault.code, fault.message)
}

impl Build<'_> {
    fn ecs(&mut self, operation: &str, request: &Value) -> Result<Value, String> {
        let text = request.to_string();
        let request = Request::parse(text.as_bytes()).map_err(fault)?;
        let answer =
            ecs::call(&mut self.cloud.here(self.region), operation, &request).map_err(fault)?;
        serde_json::from_str(answer.get()).map_err(|error| error.to_string())
    }

    fn elb(&mut self, operation: &str, request: Value) -> Result<Value, String> {
        let Value::Object(request) = query::as_text(request) else { return Ok(Value::Null) };
        elb::call(&mut self.cloud.here(self.region), operation, &request)
            .map(Value::Object)
            .map_err(fault)
    }

    fn region(&mut self) -> &crate::cloud::Region {
        self.cloud.here(self.region).region
    }
}

fn typed<T: for<'de> Deserialize<'de>>(table: &Table) -> Result<T, String> {
    T::deserialize(toml::Value::Table(table.clone())).map_err(|error| error.message().to_owned())
}

fn plain(table: &Table) -> Map<String, Value> {
    match serde_json::to_value(table) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Puts what is given into a request.
fn put(request: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        request[member] = value.into();
    }
}

fn image(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let image: Image = typed(&item.table)?;
    build.cloud.set_image(image);
    Ok(())
}

fn cluster(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut request = plain(&item.table);
    if let Some(name) = request.shift_remove("name") {
        request.insert("clusterName".into(), name);
    }
    words::tags(&mut request, "key", "value");
    build.ecs("CreateCluster", &Value::Object(request)).map(drop)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repository {
    name: String,
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    archived: Vec<String>,
}

fn repository(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Repository = typed(&item.table)?;
    let text = json!({"repositoryName": wanted.name}).to_string();
    let request = Request::parse(text.as_bytes()).map_err(fault)?;
    let mut here = build.cloud.here(build.region);
    ecr::call(&mut here, "CreateRepository", &request).map_err(fault)?;
    for (tags, archived) in [(&wanted.images, false), (&wanted.archived, true)] {
        for tag in tags {
            ecr::push(&mut here, &wanted.name, tag, archived);
        }
    }
    Ok(())
}

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

fn load_balancer(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
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

fn target_group(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: TargetGroup = typed(&item.table)?;
    let mut request = json!({"Name": wanted.name, "Port": wanted.port});
    put(&mut request, "Protocol", Some(wanted.protocol.unwrap_or_else(|| "HTTP".into())));
    put(&mut request, "TargetType", Some(wanted.target_type.unwrap_or_else(|| "ip".into())));
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
        put(&mut request, "Matcher", check.matcher.map(|code| json!({"HttpCode": code})));
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

fn listener(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
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

fn rule(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut table = plain(&item.table);
    table.shift_remove("name");
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
    build.elb("CreateRule", request).map(drop)
}

fn task_definition(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut request = plain(&item.table);
    words::tags(&mut request, "key", "value");
    let deregistered = request.shift_remove("deregistered") == Some(json!(true));
    let answer = build.ecs("RegisterTaskDefinition", &Value::Object(request))?;
    if deregistered {
        let arn = &answer["taskDefinition"]["taskDefinitionArn"];
        build.ecs("DeregisterTaskDefinition", &json!({"taskDefinition": arn}))?;
    }
    Ok(())
}

fn service(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut request = plain(&item.table);
    request.shift_remove("update");
    words::tags(&mut request, "key", "value");
    words::attachments(build.region(), &mut request)?;
    build.ecs("CreateService", &Value::Object(request)).map(drop)
}

/// What happens to a service when the world is at rest; it is not waited for.
fn updates(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let table = plain(&item.table);
    for update in table.get("update").and_then(Value::as_array).into_iter().flatten() {
        let mut request = update.as_object().cloned().ok_or("`update` must be a list of tables")?;
        words::attachments(build.region(), &mut request)?;
        request.insert("service".into(), table.get("serviceName").cloned().unwrap_or_default());
        if let Some(cluster) = table.get("cluster") {
            request.insert("cluster".into(), cluster.clone());
        }
        build.ecs("UpdateService", &Value::Object(request))?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalableTarget {
    /// `<service>` with a cluster before it: `shop/web`.
    service: String,
    min: i64,
    max: i64,
}

fn scalable_target(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: ScalableTarget = typed(&item.table)?;
    let text = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/{}", wanted.service),
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": wanted.min,
        "MaxCapacity": wanted.max,
    })
    .to_string();
    let request = Request::parse(text.as_bytes()).map_err(fault)?;
    autoscaling::call(&mut build.cloud.here(build.region), "RegisterScalableTarget", &request)
        .map(drop)
        .map_err(fault)
}
