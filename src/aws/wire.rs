//! ECS's JSON as `World` types: only the members that decisions use, plus the settings that a pair
//! should have alike, whole.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use crate::model::service_deployment::Advanced;
use crate::model::world::{Attachment, Container, Deployment, Service, ServiceEvent, Task};

/// Answer to DescribeServices. AWS sends the list even where it is empty: an answer without it is none.
#[derive(Deserialize)]
pub(super) struct Services {
    pub(super) services: Vec<Value>,
}

/// Answer to UpdateService.
#[derive(Deserialize)]
pub(super) struct Updated {
    pub(super) service: Value,
}

/// Answer to DescribeTasks, and to RunTask.
#[derive(Deserialize)]
pub(super) struct Tasks {
    pub(super) tasks: Vec<WireTask>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct WireService {
    service_arn: String,
    service_name: String,
    status: String,
    desired_count: u32,
    running_count: u32,
    pending_count: u32,
    task_definition: String,
    deployments: Vec<WireDeployment>,
    load_balancers: Vec<WireLoadBalancer>,
    events: Vec<WireEvent>,
    health_check_grace_period_seconds: u64,
    deployment_configuration: WireConfiguration,
    tags: Vec<WireTag>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireDeployment {
    id: String,
    status: String,
    rollout_state: Option<String>,
    rollout_state_reason: Option<String>,
    task_definition: String,
    desired_count: u32,
    running_count: u32,
    pending_count: u32,
    failed_tasks: u32,
    created_at: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireLoadBalancer {
    target_group_arn: Option<String>,
    container_name: String,
    container_port: u16,
    advanced_configuration: Option<WireAdvanced>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireAdvanced {
    alternate_target_group_arn: Option<String>,
    production_listener_rule: Option<String>,
    test_listener_rule: Option<String>,
    role_arn: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireEvent {
    created_at: f64,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireConfiguration {
    minimum_healthy_percent: u32,
    maximum_percent: u32,
    deployment_circuit_breaker: Breaker,
    alarms: Breaker,
}

// The defaults for REPLICA services (API reference of DeploymentConfiguration).
impl Default for WireConfiguration {
    fn default() -> Self {
        Self {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            deployment_circuit_breaker: Breaker::default(),
            alarms: Breaker::default(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Breaker {
    enable: bool,
    rollback: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireTag {
    key: String,
    value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireTask {
    task_arn: String,
    task_definition_arn: String,
    last_status: String,
    desired_status: String,
    started_by: Option<String>,
    overrides: WireOverrides,
    created_at: Option<f64>,
    stopping_at: Option<f64>,
    stopped_at: Option<f64>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
    container_instance_arn: Option<String>,
    containers: Vec<WireContainer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireOverrides {
    container_overrides: Vec<WireOverride>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireOverride {
    name: String,
    command: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireContainer {
    name: String,
    image: String,
    image_digest: Option<String>,
    exit_code: Option<i32>,
    reason: Option<String>,
    network_interfaces: Vec<WireInterface>,
    network_bindings: Vec<WireBinding>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireInterface {
    private_ipv4_address: Option<String>,
    ipv6_address: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireBinding {
    host_port: Option<u16>,
}

fn time(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A service from its JSON; with its settings when they are asked for.
pub(super) fn service(raw: Value, settings: bool) -> Result<Service, serde_json::Error> {
    let all: BTreeMap<String, Value> = match (&raw, settings) {
        (Value::Object(members), true) => members.clone().into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let wire: WireService = serde_json::from_value(raw)?;
    let configuration = wire.deployment_configuration;
    let armed = |breaker: &Breaker| breaker.enable && breaker.rollback;
    Ok(Service {
        arn: wire.service_arn,
        name: wire.service_name,
        status: wire.status,
        desired: wire.desired_count,
        running: wire.running_count,
        pending: wire.pending_count,
        revision: wire.task_definition,
        deployments: wire
            .deployments
            .into_iter()
            .map(|d| Deployment {
                id: d.id,
                status: d.status,
                rollout: d.rollout_state,
                reason: d.rollout_state_reason,
                revision: d.task_definition,
                desired: d.desired_count,
                running: d.running_count,
                pending: d.pending_count,
                failed: d.failed_tasks,
                created: d.created_at.map(time),
            })
            .collect(),
        attachments: wire
            .load_balancers
            .into_iter()
            .filter_map(|lb| {
                Some(Attachment {
                    group: lb.target_group_arn?,
                    container: lb.container_name,
                    port: lb.container_port,
                    advanced: lb.advanced_configuration.and_then(|advanced| {
                        Some(Advanced {
                            alternate: advanced.alternate_target_group_arn?,
                            production: advanced.production_listener_rule?,
                            test: advanced.test_listener_rule,
                            role: advanced.role_arn,
                        })
                    }),
                })
            })
            .collect(),
        events: wire
            .events
            .into_iter()
            .map(|event| ServiceEvent { at: time(event.created_at), message: event.message })
            .collect(),
        grace: Duration::from_secs(wire.health_check_grace_period_seconds),
        min_healthy_percent: configuration.minimum_healthy_percent,
        max_percent: configuration.maximum_percent,
        ecs_rolls_back: armed(&configuration.deployment_circuit_breaker)
            || armed(&configuration.alarms),
        tags: wire.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        settings: all,
    })
}

impl From<WireTask> for Task {
    fn from(wire: WireTask) -> Self {
        let mut endpoints: Vec<(String, Option<u16>)> = Vec::new();
        for container in &wire.containers {
            for interface in &container.network_interfaces {
                let addresses = [&interface.private_ipv4_address, &interface.ipv6_address];
                endpoints
                    .extend(addresses.into_iter().flatten().map(|address| (address.clone(), None)));
            }
            // A target is the instance's EC2 id, which DescribeTasks does not tell; see `observe`.
            if let Some(instance) = &wire.container_instance_arn {
                let ports =
                    container.network_bindings.iter().filter_map(|binding| binding.host_port);
                endpoints.extend(ports.map(|port| (instance.clone(), Some(port))));
            }
        }
        Self {
            arn: wire.task_arn,
            revision: wire.task_definition_arn,
            last_status: wire.last_status,
            desired_status: wire.desired_status,
            commanded: wire
                .overrides
                .container_overrides
                .into_iter()
                .find(|one| !one.command.is_empty())
                .map(|one| one.name),
            started_by: wire.started_by,
            created: wire.created_at.map(time),
            stopping: wire.stopping_at.or(wire.stopped_at).map(time),
            stop_code: wire.stop_code,
            stopped_reason: wire.stopped_reason,
            containers: wire
                .containers
                .into_iter()
                .map(|c| Container {
                    name: c.name,
                    image: c.image,
                    digest: c.image_digest,
                    exit_code: c.exit_code,
                    reason: c.reason,
                    essential: None,
                })
                .collect(),
            endpoints,
        }
    }
}
