//! ECS's own records of deployments: read, stopped, and let go on.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ecs::types::{DeploymentLifecycleHookAction, StopServiceDeploymentStopType};
use serde::Deserialize;

use super::error::of;
use super::observe::unreadable;
use super::raw::Capture;
use super::{Aws, once};
use crate::call::Call;
use crate::error::{Failure, FailureKind};
use crate::model::service_deployment::{Hook, ServiceDeployment};

/// So many of a service's deployments are looked at, the newest first.
const NEWEST: usize = 4;
/// What looks like the id of a service deployment, and is none.
const NO_DEPLOYMENT: &str = "0000000000000000000000";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    service_deployments: Vec<Wire>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    service_deployment_arn: String,
    status: String,
    status_reason: Option<String>,
    lifecycle_stage: Option<String>,
    created_at: Option<f64>,
    finished_at: Option<f64>,
    target_service_revision: WireRevision,
    deployment_circuit_breaker: WireBreaker,
    lifecycle_hook_details: Vec<WireHook>,
    rollback: WireRollback,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireRollback {
    reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireRevision {
    arn: String,
    requested_task_count: u32,
    running_task_count: u32,
    pending_task_count: u32,
    requested_test_traffic_weight: Option<f64>,
    requested_production_traffic_weight: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireBreaker {
    failure_count: u32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WireHook {
    hook_id: String,
    target_type: String,
    target_arn: Option<String>,
    status: String,
    expires_at: Option<f64>,
    timeout_action: Option<String>,
}

fn time(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl From<Wire> for ServiceDeployment {
    fn from(wire: Wire) -> Self {
        let target = wire.target_service_revision;
        let hook = |hook: WireHook| Hook {
            id: hook.hook_id,
            kind: hook.target_type,
            target: hook.target_arn,
            status: hook.status,
            expires: hook.expires_at.map(time),
            on_timeout: hook.timeout_action,
        };
        Self {
            arn: wire.service_deployment_arn,
            status: wire.status,
            stage: wire.lifecycle_stage,
            // While it rolls back, only that block says why.
            reason: wire.status_reason.or(wire.rollback.reason),
            created: wire.created_at.map(time),
            finished: wire.finished_at.map(time),
            target: target.arn,
            revision: None,
            tasks: [
                target.requested_task_count,
                target.running_task_count,
                target.pending_task_count,
            ],
            failed: wire.deployment_circuit_breaker.failure_count,
            production: target.requested_production_traffic_weight,
            test: target.requested_test_traffic_weight,
            hooks: wire.lifecycle_hook_details.into_iter().map(hook).collect(),
        }
    }
}

impl Aws {
    /// The newest deployments of a service, newest first, with the task definition of each. What is `known`
    /// of them is not asked again.
    pub(super) async fn service_deployments(
        &self,
        cluster: &str,
        service: &str,
        known: &[ServiceDeployment],
    ) -> Result<Vec<ServiceDeployment>, Failure> {
        let request = self.ecs.list_service_deployments().cluster(cluster).service(service);
        let answer = request.send().await;
        let answer =
            answer.map_err(of(Call::ListServiceDeployments.on(format!("of {service}"))))?;
        let mut listed: Vec<_> = answer.service_deployments().iter().collect();
        listed.sort_by_key(|one| {
            let at = one.created_at().map(|at| (at.secs(), at.subsec_nanos()));
            std::cmp::Reverse(at)
        });
        let arns = listed.iter().filter_map(|one| one.service_deployment_arn()).take(NEWEST);
        self.describe_deployments(arns.map(str::to_owned).collect(), known).await
    }

    /// These deployments as they are now, in this order.
    pub(super) async fn describe_deployments(
        &self,
        arns: Vec<String>,
        known: &[ServiceDeployment],
    ) -> Result<Vec<ServiceDeployment>, Failure> {
        if arns.is_empty() {
            return Ok(vec![]);
        }
        let call = Call::DescribeServiceDeployments.on("of the service");
        let answer = Capture::default();
        let request = self.ecs.describe_service_deployments();
        let request = request.set_service_deployment_arns(Some(arns.clone())).customize();
        request.interceptor(answer.clone()).send().await.map_err(of(&call))?;
        let read: Answer =
            serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
        let read = read.service_deployments.into_iter().map(ServiceDeployment::from);
        let mut by_arn: BTreeMap<String, ServiceDeployment> =
            read.map(|one| (one.arn.clone(), one)).collect();
        let mut all: Vec<ServiceDeployment> =
            arns.iter().filter_map(|arn| by_arn.remove(arn)).collect();
        for one in &mut all {
            let before = known.iter().find(|before| before.arn == one.arn);
            one.revision = before.and_then(|before| before.revision.clone());
        }
        let unknown = all.iter().filter(|one| one.revision.is_none() && !one.target.is_empty());
        let unknown: Vec<String> = unknown.map(|one| one.target.clone()).collect();
        if unknown.is_empty() {
            return Ok(all);
        }
        let request =
            self.ecs.describe_service_revisions().set_service_revision_arns(Some(unknown));
        let answer = request.send().await;
        let answer = answer.map_err(of(Call::DescribeServiceRevisions.on("of the service")))?;
        for revision in answer.service_revisions() {
            let brought = |one: &&mut ServiceDeployment| {
                revision.service_revision_arn() == Some(one.target.as_str())
            };
            for one in all.iter_mut().filter(brought) {
                one.revision = revision.task_definition().map(str::to_owned);
            }
        }
        Ok(all)
    }

    /// ECS is to roll a deployment back.
    pub(super) async fn stop_deployment(&self, arn: &str) -> Result<(), Failure> {
        let request = self.ecs.stop_service_deployment().service_deployment_arn(arn);
        // Said in so many words, though it is the default.
        let request = request.stop_type(StopServiceDeploymentStopType::Rollback);
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let sent = request.customize().config_override(config).send().await;
        sent.map_err(of(Call::StopServiceDeployment.on("of the service"))).map(drop)
    }

    /// Fails where such a call would be denied: it is made for a deployment that does not exist, and access is
    /// evaluated before the deployment is looked up. What else it answers says nothing. Only for calls that name a
    /// service deployment.
    pub async fn is_allowed(&self, call: Call, service: &str) -> Result<(), Failure> {
        let none =
            format!("{}/{NO_DEPLOYMENT}", service.replacen(":service/", ":service-deployment/", 1));
        let answer = match call {
            Call::StopServiceDeployment => self.stop_deployment(&none).await,
            Call::ContinueServiceDeployment => self.continue_deployment(&none, NO_DEPLOYMENT).await,
            _ => Ok(()),
        };
        answer.or_else(|failure| match failure.kind {
            FailureKind::Denied => Err(failure),
            _ => Ok(()),
        })
    }

    /// A deployment that waits at a hook goes on.
    pub async fn continue_deployment(&self, arn: &str, hook: &str) -> Result<(), Failure> {
        let request = self.ecs.continue_service_deployment().service_deployment_arn(arn);
        let request = request.hook_id(hook).action(DeploymentLifecycleHookAction::Continue);
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let sent = request.customize().config_override(config).send().await;
        sent.map_err(of(Call::ContinueServiceDeployment.on("of the service"))).map(drop)
    }
}
