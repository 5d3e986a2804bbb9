//! What clients see of a service deployment that shifts traffic, and ContinueServiceDeployment.

use serde_json::{Value, json};

use super::hooks;
use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Course, Hook, Rollout, Service},
    },
};

/// Adds the stage, the hooks and the weights.
pub(crate) fn show(shown: &mut Value, one: &Rollout) {
    let Some(native) = &one.native else { return };
    if let Some(stage) = native.stage {
        shown["lifecycleStage"] = json!(stage.name());
    }
    let hook = |hook: &Hook| {
        let mut shown = json!({
            "hookId": hook.id,
            "targetType": if hook.function.is_some() { "AWS_LAMBDA" } else { "PAUSE" },
            "status": hook.status,
            "expiresAt": hook.expires_at.seconds(),
            "timeoutAction": hook.timeout_action,
        });
        if let Some((arn, _)) = &hook.function {
            shown["targetArn"] = json!(arn);
        }
        shown
    };
    if !native.hooks.is_empty() {
        shown["lifecycleHookDetails"] = native.hooks.iter().map(hook).collect();
    }
    let weights = |shown: &mut Value, production: f64, test: f64| {
        shown["requestedProductionTrafficWeight"] = json!(production);
        shown["requestedTestTrafficWeight"] = json!(test);
    };
    weights(&mut shown["targetServiceRevision"], native.production, native.test);
    for (at, (id, _)) in one.sources.iter().enumerate() {
        let is_source = native.source.as_ref() == Some(id);
        let left = |own: f64| if is_source { 100.0 - own } else { 0.0 };
        weights(
            &mut shown["sourceServiceRevisions"][at],
            left(native.production),
            left(native.test),
        );
    }
}

/// The deployment configuration of a service with the defaults that AWS shows.
pub(crate) fn configuration(here: &Here<'_>, service: &Service) -> Value {
    let mut config = super::super::show::configuration(service);
    if let Some(list) = config.get("lifecycleHooks") {
        config["lifecycleHooks"] = hooks::shown(list, here.shared.unverified.pause_details);
    }
    config
}

/// ContinueServiceDeployment, for a service deployment of the service `arn`.
pub(crate) fn go_on(
    here: &mut Here<'_>,
    arn: &str,
    rollout: &str,
    request: &Request<'_>,
) -> Answer {
    let id = request.text_of("hookId").unwrap_or_default().to_owned();
    let status = match request.text_of("action").unwrap_or("CONTINUE") {
        "CONTINUE" => "SUCCEEDED",
        "ROLLBACK" => "FAILED",
        other => return Err(Fault::parameter(format!("Invalid action: {other}."))),
    };
    let mut parts = id.splitn(3, '-');
    let formed = parts.next() == Some("ecs")
        && parts.next().is_some_and(|kind| !kind.is_empty())
        && parts.next().is_some_and(|rest| !rest.is_empty());
    if !formed {
        return Err(Fault::parameter(
            "Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}",
        ));
    }
    let service = here.region.ecs.services.get(arn);
    let own = service.and_then(|own| own.rollouts.iter().find(|one| one.arn == rollout));
    if own.is_some_and(Rollout::ended) {
        return Err(Fault::parameter(
            "Continuing a service deployment is not allowed for service deployment in terminal states.",
        ));
    }
    let newest = service.and_then(|own| own.rollouts.first());
    let waits = newest.is_some_and(|one| {
        let forward = one.native.as_ref().is_some_and(|own| own.course == Course::Forward);
        one.arn == rollout && one.status == "IN_PROGRESS" && forward
    });
    if !waits || !hooks::act(here, arn, &id, status) {
        return Err(Fault::parameter(
            "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN",
        ));
    }
    Ok(raw(&json!({"serviceDeploymentArn": rollout})))
}
