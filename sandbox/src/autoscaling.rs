//! Application Auto Scaling: the scalable targets of ECS services. No policies: nothing scales by
//! itself, but registering a target brings the desired count between its bounds at once.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::{
    ecs,
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, int, raw},
        paging,
        shapes::Shapes,
    },
    state::{Here, autoscaling::Target},
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/autoscaling.txt")));

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    request.check(&SHAPES, operation, |path| {
        invalid(format!("1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"))
    })?;
    if request.text_of("ServiceNamespace") != Some("ecs") {
        return Err(invalid("Unsupported service namespace"));
    }
    match operation {
        "RegisterScalableTarget" => register(here, request),
        "DescribeScalableTargets" => describe(here, request),
        "DeregisterScalableTarget" => deregister(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("ValidationException", text)
}

fn register(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default().to_owned();
    if request.text_of("ScalableDimension") != Some("ecs:service:DesiredCount") {
        return Err(invalid("Unsupported service namespace, resource type or scalable dimension"));
    }
    let service = here.arn("ecs", &id);
    let Some(desired) = here
        .region
        .ecs
        .services
        .get(&service)
        .filter(|one| one.status == "ACTIVE")
        .map(|one| one.desired)
    else {
        return Err(invalid(format!("ECS service doesn't exist: {id}")));
    };
    let mut members =
        here.region.scaling.0.get(&id).map(|old| old.members.clone()).unwrap_or_default();
    for (member, value) in request.value.iter().filter(|(member, _)| *member != "Tags") {
        members.insert(member.clone(), value.clone());
    }
    let bound = |member: &str| int(members.get(member)).and_then(|count| u32::try_from(count).ok());
    let (Some(least), Some(most)) = (bound("MinCapacity"), bound("MaxCapacity")) else {
        return Err(invalid(
            "Both MinCapacity and MaxCapacity must be specified and cannot be negative",
        ));
    };
    if least > most {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    members.entry("SuspendedState").or_insert_with(
        || json!({"DynamicScalingInSuspended": false, "DynamicScalingOutSuspended": false, "ScheduledScalingSuspended": false}),
    );
    let target_id = here.shared.ids.hex(32);
    let fresh = here.arn("application-autoscaling", &format!("scalable-target/{target_id}"));
    let created_at = here.now();
    let target = here.region.scaling.0.entry(id).or_insert(Target {
        arn: fresh,
        created_at,
        members: Map::new(),
    });
    target.members = members;
    let arn = target.arn.clone();
    here.note(Change::Attributes { resource: arn.clone() });
    ecs::set_desired(here, &service, desired.clamp(least, most));
    Ok(raw(&json!({"ScalableTargetARN": arn})))
}

/// The role that changes counts.
const LINKED: &str = "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService";

fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let ids = request.texts_of("ResourceIds");
    if ids.len() > 50 {
        return Err(invalid("You cannot specify more than 50 resource IDs"));
    }
    let size = match request.int_of("MaxResults") {
        None => 50,
        Some(size @ 1..=50) => usize::try_from(size).unwrap_or(50),
        Some(_) => return Err(invalid("MaxResults must be between 1 and 50")),
    };
    let all = here.region.scaling.0.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let show = |(id, target): (&String, &Target)| {
        let mut shown = Value::Object(target.members.clone());
        shown["ScalableTargetARN"] = json!(target.arn);
        shown["CreationTime"] = json!(target.created_at.seconds());
        shown["RoleARN"] = json!(here.shared.iam(&here.region.name, "iam", LINKED));
        (id.clone(), shown)
    };
    let token = request.text_of("NextToken");
    let page = paging::page(all.map(show).collect(), token, size).ok_or_else(|| {
        Fault::new("InvalidNextTokenException", "The specified next token is invalid")
    })?;
    let mut answer = json!({"ScalableTargets": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(raw(&answer))
}

fn deregister(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default();
    match here.region.scaling.0.remove(id) {
        Some(target) => {
            here.note(Change::Deleted { arn: target.arn });
            Ok(raw(&json!({})))
        }
        None => Err(Fault::new(
            "ObjectNotFoundException",
            format!(
                "No scalable target found for service namespace: ecs, resource ID: {id}, scalable dimension: ecs:service:DesiredCount"
            ),
        )),
    }
}
