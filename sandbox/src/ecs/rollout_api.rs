//! What clients ask of service deployments and service revisions.

use serde_json::{Value, json};

use super::{cluster, failures, listing, native, rollout, service};
use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Revision, Rollout, Service, attachments, last},
    },
};

const STATUSES: &[&str] = &[
    "PENDING",
    "SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
    "IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
];

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let not_found = || Fault::new("ServiceNotFoundException", "Service not found.");
    let arn = service::find(here, &cluster, request.text_of("service").unwrap_or_default())
        .ok_or_else(not_found)?;
    let service = here.region.ecs.services.get(&arn).ok_or_else(not_found)?;
    let statuses = request.texts_of("status");
    if let Some(unknown) = statuses.iter().find(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Fault::parameter(format!("Invalid status: {unknown}.")));
    }
    let bound = |member: &str| {
        request.value.get("createdAt").and_then(|bounds| bounds.get(member)?.as_f64())
    };
    let (after, before) = (bound("after"), bound("before"));
    let fits = |one: &&Rollout| {
        let at = one.created_at.seconds();
        (statuses.is_empty() || statuses.contains(&one.status))
            && after.is_none_or(|after| at >= after)
            && before.is_none_or(|before| at <= before)
    };
    let arns = rollout::listed(here, service).filter(fits).map(|one| one.arn.clone()).collect();
    let show = |arn: &str| {
        let one = service.rollouts.iter().find(|one| one.arn == arn);
        one.map(|one| brief(here, service, one)).unwrap_or_default()
    };
    listing::page_of(request, arns, 20, "serviceDeployments", show)
}

/// What the list shows of a service deployment.
fn brief(here: &Here<'_>, service: &Service, one: &Rollout) -> Value {
    let mut shown = json!({
        "serviceDeploymentArn": one.arn,
        "serviceArn": service.arn,
        "clusterArn": here.arn("ecs", &format!("cluster/{}", service.cluster)),
        "createdAt": one.created_at.seconds(),
        "targetServiceRevisionArn": one.target,
        "status": one.status,
    });
    times(&mut shown, one);
    shown
}

fn times(shown: &mut Value, one: &Rollout) {
    if let Some(reason) = &one.reason {
        shown["statusReason"] = json!(reason);
    }
    for (member, time) in [("startedAt", one.started_at), ("finishedAt", one.finished_at)] {
        if let Some(time) = time {
            shown[member] = json!(time.seconds());
        }
    }
}

/// The service that an ARN of `kind` (`service-deployment`, `service-revision`) belongs to.
fn owner<'h>(here: &'h Here<'_>, kind: &str, arn: &str) -> Option<&'h Service> {
    let (path, _) = arn.strip_prefix(&here.arn("ecs", &format!("{kind}/")))?.rsplit_once('/')?;
    here.region.ecs.services.get(&here.arn("ecs", &format!("service/{path}")))
}

fn checked(request: &Request<'_>, member: &str, what: &str) -> Result<Vec<String>, Fault> {
    let wanted = request.texts_of(member);
    match wanted.len() {
        0 => Err(Fault::parameter(format!("{what} cannot be empty."))),
        1..=20 => Ok(wanted),
        _ => Err(Fault::parameter(format!("{what} cannot have more than 20 items."))),
    }
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = checked(request, "serviceDeploymentArns", "Service deployments")?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in wanted {
        let own = owner(here, "service-deployment", &arn)
            .and_then(|own| Some((own, rollout::listed(here, own).find(|one| one.arn == arn)?)));
        match own {
            Some((service, one)) => found.push(show(here, service, one)),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"serviceDeployments": found, "failures": failures})))
}

fn show(here: &Here<'_>, service: &Service, one: &Rollout) -> Value {
    let counts =
        |deployment: &str, revision: &str| rollout::counts(here, service, deployment, revision);
    let mut shown = json!({
        "serviceDeploymentArn": one.arn,
        "serviceArn": service.arn,
        "clusterArn": here.arn("ecs", &format!("cluster/{}", service.cluster)),
        "createdAt": one.created_at.seconds(),
        "updatedAt": one.updated_at.seconds(),
        "sourceServiceRevisions": one.sources.iter().map(|(id, arn)| counts(id, arn)).collect::<Vec<_>>(),
        "targetServiceRevision": counts(&one.deployment, &one.target),
        "status": one.status,
        "deploymentConfiguration": one.configuration,
        "deploymentCircuitBreaker": breaker(service, one),
        "alarms": alarms(one),
    });
    times(&mut shown, one);
    if let Some(at) = one.stopped_at {
        shown["stoppedAt"] = json!(at.seconds());
    }
    native::api::show(&mut shown, one);
    if let Some(rollback) = &one.rollback {
        shown["rollback"] = json!({
            "reason": rollback.reason,
            "startedAt": rollback.started_at.seconds(),
            "serviceRevisionArn": rollback.revision,
        });
    }
    shown
}

fn breaker(service: &Service, one: &Rollout) -> Value {
    let own = one.configuration.get("deploymentCircuitBreaker").and_then(Value::as_object);
    let enabled = own.and_then(|own| own.get("enable")).and_then(Value::as_bool).unwrap_or(false);
    let status = match &one.breaker {
        _ if !enabled => "DISABLED",
        Some(status) => status,
        None if one.ended() => "MONITORING_COMPLETE",
        None => "MONITORING",
    };
    let counted = service.deployments.iter().find(|own| own.id == one.deployment && !one.ended());
    json!({
        "status": status,
        "failureCount": counted.map_or(one.failures, |own| own.failed_tasks),
        "threshold": own.map_or(0, |own| failures::threshold(own, service.desired)),
    })
}

fn alarms(one: &Rollout) -> Value {
    let own = one.configuration.get("alarms");
    let names = own.and_then(|own| own.get("alarmNames")).cloned().unwrap_or_else(|| json!([]));
    let status = match (one.watches_alarms, one.triggered_alarms.is_empty()) {
        (false, _) => "DISABLED",
        (true, false) => "TRIGGERED",
        (true, true) if one.ended() => "MONITORING_COMPLETE",
        (true, true) => "MONITORING",
    };
    json!({"status": status, "alarmNames": names, "triggeredAlarmNames": one.triggered_alarms})
}

pub(super) fn revisions(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = checked(request, "serviceRevisionArns", "Service revisions")?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in wanted {
        let own = owner(here, "service-revision", &arn)
            .and_then(|own| Some((own, own.revisions.iter().find(|one| one.arn == arn)?)));
        match own {
            Some((service, one)) => found.push(show_revision(here, service, one)),
            None => failures.push(json!({"arn": arn, "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"serviceRevisions": found, "failures": failures})))
}

fn show_revision(here: &Here<'_>, service: &Service, one: &Revision) -> Value {
    let image = |(name, image, digest): &(String, String, Option<String>)| {
        let mut shown = json!({"containerName": name, "image": image});
        if let Some(digest) = digest {
            shown["imageDigest"] = json!(digest);
        }
        shown
    };
    let mut shown = json!({
        "serviceRevisionArn": one.arn,
        "serviceArn": service.arn,
        "clusterArn": here.arn("ecs", &format!("cluster/{}", service.cluster)),
        "taskDefinition": one.definition,
        "containerImages": one.images.iter().map(image).collect::<Vec<_>>(),
        "guardDutyEnabled": false,
        "createdAt": one.created_at.seconds(),
    });
    for (member, value) in &one.members {
        shown[member] = value.clone();
    }
    if one.members.get("launchType").and_then(Value::as_str) == Some("FARGATE") {
        if shown.get("platformVersion").is_none_or(|own| own == "LATEST") {
            shown["platformVersion"] = json!("1.4.0");
        }
        shown["platformFamily"] = json!("Linux");
    }
    let own = service.deployments.iter().find(|own| own.revision == one.arn);
    let chosen = own.filter(|own| !own.resolved.is_empty());
    let shifts = one.members.get("loadBalancers").and_then(|list| list.get(0));
    let shifts = shifts.is_some_and(|own| own.get("advancedConfiguration").is_some());
    let groups = match chosen {
        Some(own) => own.attachments(),
        // Of a pair only a revision that is ACTIVE has one.
        None if shifts => Vec::new(),
        None => attachments(&one.members),
    };
    if !groups.is_empty() {
        let groups: Vec<Value> =
            groups.iter().map(|own| json!({"targetGroupArn": own.group})).collect();
        shown["resolvedConfiguration"] = json!({"loadBalancers": groups});
    }
    shown
}

/// A pause is over.
pub(super) fn go_on(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let arn = request.text_of("serviceDeploymentArn").unwrap_or_default().to_owned();
    let own = owner(here, "service-deployment", &arn)
        .filter(|own| rollout::listed(here, own).any(|one| one.arn == arn));
    let service = own.map(|own| own.arn.clone()).ok_or_else(|| {
        Fault::new("ServiceDeploymentNotFoundException", "The service deployment does not exist.")
    })?;
    native::api::go_on(here, &service, &arn, request)
}

/// A rollback to the last completed revision, whether the service rolls back by itself or not.
pub(super) fn stop(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let arn = request.text_of("serviceDeploymentArn").unwrap_or_default().to_owned();
    match request.text_of("stopType").unwrap_or("ROLLBACK") {
        "ROLLBACK" => {}
        "ABORT" => {
            return Err(Fault::parameter("stopType ABORT is not supported. Use ROLLBACK."));
        }
        other => return Err(Fault::parameter(format!("Invalid stopType: {other}."))),
    }
    let not_found =
        || Fault::new("ServiceDeploymentNotFoundException", "Service deployment not found.");
    let service = owner(here, "service-deployment", &arn).ok_or_else(not_found)?.arn.clone();
    let own = here.region.ecs.services.get(&service).map(|own| &own.rollouts);
    let (at, one) = own
        .and_then(|own| own.iter().enumerate().find(|(_, one)| one.arn == arn))
        .ok_or_else(not_found)?;
    match one.status.as_str() {
        "PENDING" | "IN_PROGRESS" => {
            rollout::become_(here, &service, at, "ROLLBACK_REQUESTED", None);
            here.look_soon(&service);
        }
        "STOP_REQUESTED" | "ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS" => {}
        status => {
            let text =
                format!("The service deployment {} cannot be stopped: it is {status}.", last(&arn));
            return Err(Fault::new("ConflictException", text));
        }
    }
    Ok(raw(&json!({"serviceDeploymentArn": arn})))
}
