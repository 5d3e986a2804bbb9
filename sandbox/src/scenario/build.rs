//! Makes a world of a scenario, request by request, and lets it come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::Table;

use super::{Error, Item, Scenario, balancing, capacity, named, read::quoted, words};
use crate::{
    Cloud, Time, autoscaling, ecr, ecs, elb,
    image::Image,
    lambda::Lambda,
    protocol::{Fault, json::Request, query},
    state::Region,
    unverified::{InfrastructureRole, Unverified},
};

/// 2026-01-15T12:00:00Z: where each world begins.
pub(super) const EPOCH: Time = Time(1_768_478_400_000);
/// How long a world has to come to rest before it begins.
const BEFORE: Duration = Duration::from_secs(15 * 60);

impl Cloud {
    /// A world as a scenario describes it, at rest, at 2026-01-15T12:00:00Z.
    pub fn from_scenario(scenario: &Scenario) -> Result<Cloud, Error> {
        let before = BEFORE + longest(scenario);
        let start = Time(EPOCH.0.saturating_sub(before.as_secs() * 1000));
        let mut cloud = Cloud::new(scenario.seed, start);
        cloud.home.clone_from(&scenario.region);
        cloud.set_throttling(scenario.throttling);
        cloud.shared.timing = scenario.timing.clone();
        cloud.shared.merges_settings = scenario.merges_settings;
        // The services came to rest with a role that allowed it.
        let infrastructure_role = InfrastructureRole::default();
        cloud.shared.unverified = Unverified { infrastructure_role, ..scenario.unverified.clone() };
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
        build.cloud.shared.unverified = scenario.unverified.clone();
        for item in scenario.sections.get("service").into_iter().flatten() {
            hooks(&mut build, item).map_err(|what| {
                let place = Some("lifecycleHooks");
                item.place.error(place, format!("service {:?}: {what}", item.key))
            })?;
            updates(&mut build, item).map_err(|what| {
                item.place.error(Some("update"), format!("service {:?}: {what}", item.key))
            })?;
        }
        build.cloud.begin();
        Ok(build.cloud)
    }
}

pub(super) struct Build<'s> {
    pub(super) cloud: Cloud,
    pub(super) region: &'s str,
}

type Make = fn(&mut Build<'_>, &Item) -> Result<(), String>;

/// In the order in which things need each other.
const SECTIONS: &[(&str, Make)] = &[
    ("image", image),
    ("lambda", lambda),
    ("cluster", cluster),
    ("container_instance", capacity::instance),
    ("capacity", capacity::shortage),
    ("alarm", capacity::alarm),
    ("load", capacity::load),
    ("repository", repository),
    ("load_balancer", balancing::load_balancer),
    ("target_group", balancing::target_group),
    ("listener", balancing::listener),
    ("rule", balancing::rule),
    ("task_definition", task_definition),
    ("service", service),
    ("scalable_target", scalable_target),
    ("role", named::role),
    ("subnet", named::subnet),
    ("missing", named::missing),
    // What is there already may be more.
    ("limit", balancing::limit),
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

    pub(super) fn elb(&mut self, operation: &str, request: Value) -> Result<Value, String> {
        let Value::Object(request) = query::as_text(request) else { return Ok(Value::Null) };
        elb::call(&mut self.cloud.here(self.region), operation, &request)
            .map(Value::Object)
            .map_err(fault)
    }

    pub(super) fn region(&mut self) -> &Region {
        self.cloud.here(self.region).region
    }
}

pub(super) fn typed<T: for<'de> Deserialize<'de>>(table: &Table) -> Result<T, String> {
    T::deserialize(toml::Value::Table(table.clone())).map_err(|error| error.message().to_owned())
}

pub(super) fn plain(table: &Table) -> Map<String, Value> {
    match serde_json::to_value(table) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Puts what is given into a request.
pub(super) fn put(request: &mut Value, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        request[member] = value.into();
    }
}

fn image(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let image: Image = typed(&item.table)?;
    build.cloud.set_image(image);
    Ok(())
}

fn lambda(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let lambda: Lambda = typed(&item.table)?;
    build.cloud.set_lambda(lambda);
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
    /// By tag: an image for several platforms, or for another one.
    #[serde(default)]
    platforms: BTreeMap<String, Vec<String>>,
}

fn repository(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Repository = typed(&item.table)?;
    let text = json!({"repositoryName": wanted.name}).to_string();
    let request = Request::parse(text.as_bytes()).map_err(fault)?;
    let mut here = build.cloud.here(build.region);
    ecr::call(&mut here, "CreateRepository", &request).map_err(fault)?;
    for (tags, archived) in [(&wanted.images, false), (&wanted.archived, true)] {
        for tag in tags {
            let platforms = wanted.platforms.get(tag).map_or(&[][..], Vec::as_slice);
            ecr::push(&mut here, &wanted.name, tag, archived, platforms);
        }
    }
    Ok(())
}

fn task_definition(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let mut request = plain(&item.table);
    words::tags(&mut request, "key", "value");
    named::of_definition(build, &request);
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
    if let Some(config) = request.get_mut("deploymentConfiguration").and_then(Value::as_object_mut)
    {
        config.shift_remove("lifecycleHooks");
    }
    words::tags(&mut request, "key", "value");
    words::attachments(build.region(), &mut request)?;
    build.ecs("CreateService", &Value::Object(request)).map(drop)
}

/// How long the services' deployments shift traffic and bake.
fn longest(scenario: &Scenario) -> Duration {
    let minutes = |item: &Item| {
        let table = plain(&item.table);
        let config = table.get("deploymentConfiguration").unwrap_or(&Value::Null);
        let (steps, minutes) = ecs::lasts(config);
        // A Network Load Balancer takes 10 minutes for each shift.
        if steps == 0 { 0 } else { minutes + 10 * (steps + 1) }
    };
    let services = scenario.sections.get("service").into_iter().flatten();
    Duration::from_secs(60 * services.map(minutes).max().unwrap_or(0))
}

/// A service gets its lifecycle hooks when it is at rest: pauses would never let it come there.
fn hooks(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let table = plain(&item.table);
    let config =
        table.get("deploymentConfiguration").filter(|own| own.get("lifecycleHooks").is_some());
    let Some(config) = config else { return Ok(()) };
    let mut request =
        json!({"service": table.get("serviceName"), "deploymentConfiguration": config});
    put(&mut request, "cluster", table.get("cluster").cloned());
    build.ecs("UpdateService", &request).map(drop)
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
    /// A target tracking policy for this average CPU in percent.
    cpu: Option<f64>,
    /// One for so many requests to each target of a target group.
    requests: Option<Requests>,
    /// All scaling is suspended.
    #[serde(default)]
    suspended: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Requests {
    target_group: String,
    target: f64,
}

fn scalable_target(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: ScalableTarget = typed(&item.table)?;
    let target = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": format!("service/{}", wanted.service),
        "ScalableDimension": "ecs:service:DesiredCount",
    });
    let label = match &wanted.requests {
        None => String::new(),
        Some(requests) => words::label(build.region(), &requests.target_group)?,
    };
    let mut call = |operation: &str, members: Value| {
        let mut target = target.clone();
        for (member, value) in members.as_object().into_iter().flatten() {
            target[member] = value.clone();
        }
        let text = target.to_string();
        let request = Request::parse(text.as_bytes()).map_err(fault)?;
        autoscaling::call(&mut build.cloud.here(build.region), operation, &request)
            .map(drop)
            .map_err(fault)
    };
    let kinds =
        ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];
    let suspended: Map<String, Value> =
        kinds.into_iter().map(|kind| (kind.to_owned(), json!(wanted.suspended))).collect();
    let limits =
        json!({"MinCapacity": wanted.min, "MaxCapacity": wanted.max, "SuspendedState": suspended});
    call("RegisterScalableTarget", limits)?;
    let policy = |name: &str, target: f64, metric: Value| {
        json!({
            "PolicyName": name,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration":
                {"TargetValue": target, "PredefinedMetricSpecification": metric},
        })
    };
    if let Some(cpu) = wanted.cpu {
        let metric = json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"});
        call("PutScalingPolicy", policy("cpu", cpu, metric))?;
    }
    if let Some(requests) = &wanted.requests {
        let metric =
            json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label});
        call("PutScalingPolicy", policy("requests", requests.target, metric))?;
    }
    Ok(())
}
