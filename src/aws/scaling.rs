//! Application Auto Scaling: scalable targets, their policies, and the one call that changes a target.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};
use serde_json::Value;

use super::error::of;
use super::observe::unreadable;
use super::raw::Capture;
use super::survey::unless_denied;
use super::{Aws, once};
use crate::call::Call;
use crate::error::Failure;
use crate::model::scaling::{Policy, Scalable, Suspended};
use crate::model::world::{Service, Told, World};

/// As Application Auto Scaling names a service: `service/CLUSTER/NAME`.
fn resource(service: &Service) -> Option<String> {
    Some(format!("service/{}", service.arn.split_once(":service/")?.1))
}

impl Aws {
    /// The scalable targets of the services.
    pub(super) async fn scalable_targets(&self, world: &World) -> Result<Vec<Scalable>, Failure> {
        let resources: Vec<String> = world.services.values().filter_map(resource).collect();
        if resources.is_empty() {
            return Ok(vec![]);
        }
        let request =
            self.autoscaling.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
        let answer = request.set_resource_ids(Some(resources)).send().await;
        let answer = answer.map_err(of(Call::DescribeScalableTargets.on("of the services")))?;
        let capacity = |number: i32| u32::try_from(number).unwrap_or(0);
        let targets = answer.scalable_targets().iter().filter_map(|one| {
            let is = |flag: Option<bool>| flag == Some(true);
            let suspended = one.suspended_state().map(|state| Suspended {
                scale_in: is(state.dynamic_scaling_in_suspended()),
                scale_out: is(state.dynamic_scaling_out_suspended()),
                scheduled: is(state.scheduled_scaling_suspended()),
            });
            Some(Scalable {
                service: one.resource_id().rsplit_once('/')?.1.to_owned(),
                min: capacity(one.min_capacity()),
                max: capacity(one.max_capacity()),
                suspended: suspended.unwrap_or_default(),
            })
        });
        Ok(targets.collect())
    }

    /// The scaling policies of the services; `None` where they may not be read.
    pub(super) async fn policies(&self, world: &World) -> Result<Option<Vec<Policy>>, Failure> {
        let mut all = Vec::new();
        for service in world.services.values() {
            match unless_denied(self.policies_of(service).await)? {
                None => return Ok(None),
                Some(own) => all.extend(own),
            }
        }
        Ok(Some(all))
    }

    /// The scaling policies of a service.
    pub async fn policies_of(&self, service: &Service) -> Result<Vec<Policy>, Failure> {
        let Some(resource) = resource(service) else { return Ok(vec![]) };
        let call = Call::DescribeScalingPolicies.on(service.name.as_str());
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let answer = Capture::default();
            let request = self
                .autoscaling
                .describe_scaling_policies()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .resource_id(&resource)
                .set_next_token(next);
            let page =
                request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
            let read: Value =
                serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
            let text =
                |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
            let shown = read["ScalingPolicies"].as_array().into_iter().flatten();
            all.extend(shown.map(|one| {
                let kind = text(one, "PolicyType");
                let configuration = one[format!("{kind}PolicyConfiguration")].clone();
                Policy {
                    service: service.name.clone(),
                    name: text(one, "PolicyName"),
                    kind,
                    configuration,
                }
            }));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// Changes what a scalable target suspends, and the limits that are named. It also brings the desired count
    /// between the limits.
    pub(super) async fn scale(
        &self,
        service: &str,
        limits: (Option<u32>, Option<u32>),
        suspended: Suspended,
        world: &World,
    ) -> Result<Told, Failure> {
        let call = Call::RegisterScalableTarget.on(service);
        let resource = world.service(service).and_then(resource).unwrap_or_default();
        let number = |limit: Option<u32>| limit.map(|own| i32::try_from(own).unwrap_or(i32::MAX));
        let state = SuspendedState::builder()
            .dynamic_scaling_in_suspended(suspended.scale_in)
            .dynamic_scaling_out_suspended(suspended.scale_out)
            .scheduled_scaling_suspended(suspended.scheduled)
            .build();
        let request = self
            .autoscaling
            .register_scalable_target()
            .service_namespace(ServiceNamespace::Ecs)
            .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id(resource)
            .set_min_capacity(number(limits.0))
            .set_max_capacity(number(limits.1))
            .suspended_state(state);
        let config = aws_sdk_applicationautoscaling::Config::builder().retry_config(once());
        request.customize().config_override(config).send().await.map_err(of(&call))?;
        Ok(Told::Scaled { service: service.to_owned(), limits, suspended })
    }
}
