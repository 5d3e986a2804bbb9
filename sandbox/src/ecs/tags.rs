//! Tags of ECS resources: the limits of the Amazon ECS API (`Tag`, `TagResource`).

use serde_json::{Value, json};

use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{Here, ecs::Tags},
};

pub(super) fn tag(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let arn = request.text_of("resourceArn").unwrap_or_default().to_owned();
    let new = of_request(request)?;
    let tags = find(here, &arn)?;
    let mut all = tags.clone();
    all.extend(new);
    if all.len() > 50 {
        return Err(too_many());
    }
    *tags = all.clone();
    here.note(Change::Tagged { resource: arn, tags: all });
    Ok(raw(&json!({})))
}

pub(super) fn untag(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let arn = request.text_of("resourceArn").unwrap_or_default().to_owned();
    let keys = request.texts_of("tagKeys");
    let tags = find(here, &arn)?;
    tags.retain(|key, _| !keys.contains(key));
    let tags = tags.clone();
    here.note(Change::Tagged { resource: arn, tags });
    Ok(raw(&json!({})))
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let arn = request.text_of("resourceArn").unwrap_or_default().to_owned();
    let tags = find(here, &arn)?;
    Ok(raw(&json!({"tags": show(tags)})))
}

fn find<'h>(here: &'h mut Here<'_>, arn: &str) -> Result<&'h mut Tags, Fault> {
    let own = here.arn("ecs", "");
    let Some((kind, rest)) = arn.strip_prefix(&own).and_then(|rest| rest.split_once('/')) else {
        return Err(Fault::parameter("Invalid resource ARN."));
    };
    let ecs = &mut here.region.ecs;
    let tags = match kind {
        "cluster" => ecs.clusters.get_mut(rest).map(|cluster| &mut cluster.tags),
        "capacity-provider" => ecs.providers.get_mut(rest).map(|provider| &mut provider.tags),
        "container-instance" => ecs.instances.get_mut(arn).map(|instance| &mut instance.tags),
        "service" => ecs.services.get_mut(arn).map(|service| &mut service.tags),
        "task" => ecs.tasks.get_mut(arn).map(|task| &mut task.tags),
        "task-definition" => rest.rsplit_once(':').and_then(|(family, revision)| {
            let revisions = ecs.families.get_mut(family)?;
            revisions.get_mut(&revision.parse().ok()?).map(|definition| &mut definition.tags)
        }),
        _ => return Err(Fault::parameter("Invalid resource ARN.")),
    };
    let not_found = match kind {
        "cluster" => Fault::new("ClusterNotFoundException", "Cluster not found."),
        _ => Fault::new("ResourceNotFoundException", "The specified resource could not be found."),
    };
    tags.ok_or(not_found)
}

/// The member `tags` of a request.
pub(super) fn of_request(request: &Request<'_>) -> Result<Tags, Fault> {
    parse(request.value.get("tags"))
}

pub(super) fn parse(list: Option<&Value>) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    let items = list.and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        let text =
            |member: &str| item.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (key, value) = (text("key"), text("value"));
        check(&key, &value)?;
        if tags.insert(key, value).is_some() {
            return Err(Fault::parameter(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    if tags.len() > 50 { Err(too_many()) } else { Ok(tags) }
}

fn too_many() -> Fault {
    Fault::parameter("The maximum number of tags per resource is 50.")
}

fn check(key: &str, value: &str) -> Result<(), Fault> {
    let legal = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    let problem = if key.is_empty() || key.chars().count() > 128 {
        "Tag keys must have 1 to 128 characters."
    } else if value.chars().count() > 256 {
        "Tag values must have at most 256 characters."
    } else if !key.chars().chain(value.chars()).all(legal) {
        "Tags can contain letters, white space and numbers, and the characters _ . : / = + - @"
    } else if key.to_lowercase().starts_with("aws:") || value.to_lowercase().starts_with("aws:") {
        "Tag keys and values beginning with aws: are reserved for use by AWS."
    } else {
        return Ok(());
    };
    Err(Fault::parameter(format!("{problem} Invalid tag: {key:?}.")))
}

pub(super) fn show(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// Whether the request asks for tags.
pub(super) fn included(request: &Request<'_>) -> bool {
    request.texts_of("include").iter().any(|include| include == "TAGS")
}
