//! Application Auto Scaling: the scalable targets of ECS services, their policies and scheduled actions.
//! Registering a target brings the desired count between its bounds at once. `track` follows the metrics
//! of target tracking; nothing else scales by itself.

use std::{collections::BTreeMap, sync::LazyLock};

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
    LazyLock::new(|| Shapes::parse(include_str!("../protocol/shapes/autoscaling.txt")));

mod policy;
pub(crate) mod scheduled;
pub(crate) mod track;

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
    match operation {
        "ListTagsForResource" => return tags(here, request),
        "TagResource" => return tag(here, request),
        "UntagResource" => return untag(here, request),
        _ => {}
    }
    if request.text_of("ServiceNamespace") != Some("ecs") {
        return Err(invalid("Unsupported service namespace"));
    }
    if request.text_of("ScalableDimension").is_some_and(|own| own != DIMENSION) {
        return Err(invalid("Unsupported service namespace, resource type or scalable dimension"));
    }
    // "If you specify a scalable dimension, you must also specify a resource ID."
    if request.has("ScalableDimension") && !request.has("ResourceId") && !request.has("ResourceIds")
    {
        return Err(invalid("A resource ID must be specified with a scalable dimension"));
    }
    match operation {
        "RegisterScalableTarget" => register(here, request),
        "DescribeScalableTargets" => describe(here, request),
        "DeregisterScalableTarget" => deregister(here, request),
        "PutScalingPolicy" => policy::put(here, request),
        "DescribeScalingPolicies" => policy::describe(here, request),
        "DeleteScalingPolicy" => policy::delete(here, request),
        "PutScheduledAction" => scheduled::put(here, request),
        "DescribeScheduledActions" => scheduled::describe(here, request),
        "DeleteScheduledAction" => scheduled::delete(here, request),
        "DescribeScalingActivities" => track::activities(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}

const DIMENSION: &str = "ecs:service:DesiredCount";

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("ValidationException", text)
}

fn not_found(text: impl Into<String>) -> Fault {
    Fault::new("ObjectNotFoundException", text)
}

/// How its texts name a target.
fn named(id: &str) -> String {
    format!("service namespace: ecs, resource ID: {id}, scalable dimension: {DIMENSION}")
}

/// The target that a request means.
fn target<'h>(here: &'h mut Here<'_>, request: &Request<'_>) -> Result<&'h mut Target, Fault> {
    let id = request.text_of("ResourceId").unwrap_or_default();
    let target = here.region.scaling.0.get_mut(id);
    target.ok_or_else(|| not_found(format!("No scalable target registered for {}", named(id))))
}

/// One page of items, each with what it is known by: of at most 50, or of 10 policies.
fn page(request: &Request<'_>, name: &str, all: Vec<(String, Value)>) -> Answer {
    let most = if name == "ScalingPolicies" { 10 } else { 50 };
    let size = match request.int_of("MaxResults").map(usize::try_from) {
        None => most,
        Some(Ok(size)) if (1..=most).contains(&size) => size,
        Some(_) => return Err(invalid(format!("MaxResults must be between 1 and {most}"))),
    };
    let page = paging::page(all, request.text_of("NextToken"), size).ok_or_else(|| {
        Fault::new("InvalidNextTokenException", "The specified next token is invalid")
    })?;
    let mut answer = json!({name: page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(raw(&answer))
}

fn by_arn<'h>(here: &'h mut Here<'_>, request: &Request<'_>) -> Result<&'h mut Target, Fault> {
    let arn = request.text_of("ResourceARN").unwrap_or_default();
    let found = here.region.scaling.0.values_mut().find(|one| one.arn == arn);
    found.ok_or_else(|| {
        let text = format!("The specified resource doesn't exist: {arn}");
        Fault::new("ResourceNotFoundException", text)
    })
}

fn tags(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    Ok(raw(&json!({"Tags": by_arn(here, request)?.tags})))
}

fn tags_of(request: &Request<'_>) -> BTreeMap<String, String> {
    let tags = request.value.get("Tags").and_then(Value::as_object).into_iter().flatten();
    tags.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn tag(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let target = by_arn(here, request)?;
    let mut all = target.tags.clone();
    all.extend(tags_of(request));
    if all.len() > 50 {
        let text = "The number of user tags for this resource exceeds the maximum of 50";
        return Err(Fault::new("TooManyTagsException", text));
    }
    target.tags.clone_from(&all);
    let resource = target.arn.clone();
    here.note(Change::Tagged { resource, tags: all });
    Ok(raw(&json!({})))
}

fn untag(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let keys = request.texts_of("TagKeys");
    let target = by_arn(here, request)?;
    target.tags.retain(|key, _| !keys.contains(key));
    let (resource, tags) = (target.arn.clone(), target.tags.clone());
    here.note(Change::Tagged { resource, tags });
    Ok(raw(&json!({})))
}

fn register(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default().to_owned();
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
    // "false (default)": API reference of RegisterScalableTarget.
    if let Value::Object(own) = members.entry("SuspendedState").or_insert_with(|| json!({})) {
        for kind in ["DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling"] {
            own.entry(format!("{kind}Suspended")).or_insert(Value::Bool(false));
        }
    }
    let target_id = here.shared.ids.hex(32);
    let fresh = here.arn("application-autoscaling", &format!("scalable-target/{target_id}"));
    let created_at = here.now();
    let tags = tags_of(request);
    let target = here.region.scaling.0.entry(id).or_insert(Target {
        arn: fresh,
        created_at,
        members: Map::new(),
        tags,
        policies: BTreeMap::new(),
        scheduled: BTreeMap::new(),
        watched: false,
        last: None,
        activities: Vec::new(),
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
    let all = here.region.scaling.0.iter().filter(|(id, _)| ids.is_empty() || ids.contains(id));
    let show = |(id, target): (&String, &Target)| {
        let mut shown = Value::Object(target.members.clone());
        shown["ScalableTargetARN"] = json!(target.arn);
        shown["CreationTime"] = json!(target.created_at.seconds());
        shown["RoleARN"] = json!(here.shared.iam(&here.region.name, "iam", LINKED));
        (id.clone(), shown)
    };
    page(request, "ScalableTargets", all.map(show).collect())
}

fn deregister(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let id = request.text_of("ResourceId").unwrap_or_default();
    match here.region.scaling.0.remove(id) {
        Some(target) => {
            here.note(Change::Deleted { arn: target.arn });
            Ok(raw(&json!({})))
        }
        None => Err(not_found(format!("No scalable target found for {}", named(id)))),
    }
}
