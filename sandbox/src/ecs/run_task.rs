//! RunTask: tasks that no service keeps.

use serde_json::{Map, Value, json};

use super::{
    check_task, cluster, definition,
    instance::{self, Rules},
    launch, service, tags, task_api,
};
use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{Here, ecs::Definition},
};

/// What a task shows of its RunTask as it was sent.
const SHOWN: &[&str] = &["overrides", "enableExecuteCommand"];

pub(super) fn run(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    if let Some(again) = said_before(here, request)? {
        return Ok(again);
    }
    let definition =
        definition::usable(here, request.text_of("taskDefinition").unwrap_or_default())?;
    check_task::role(&request.value, Some(&definition), check_task::NO_ROLE_TO_RUN)?;
    service::check(here, &cluster, &request.value, Some(&definition))?;
    check(request, &definition)?;
    let mut asked = request.value.clone();
    if !request.has("launchType") && !request.has("capacityProviderStrategy") {
        let own = cluster::default_strategy(here, &cluster);
        asked.extend(own.map(|own| ("capacityProviderStrategy".to_owned(), own)));
    }
    let launch_type = launch::launch_type(&asked, "EC2");
    if launch_type == "EC2" && instance::active(here, &cluster).next().is_none() {
        return Err(Fault::parameter(instance::NONE));
    }
    let mut tags = tags::of_request(request)?;
    if request.text_of("propagateTags") == Some("TASK_DEFINITION") {
        for (key, value) in &definition.tags {
            tags.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    let order = || launch::Order {
        cluster: cluster.clone(),
        service: None,
        started_by: request.text_of("startedBy").map(str::to_owned),
        group: request
            .text_of("group")
            .map_or_else(|| format!("family:{}", definition.family), str::to_owned),
        definition: definition.clone(),
        network: request.value.get("networkConfiguration").cloned(),
        launch_type: launch_type.clone(),
        attachments: Vec::new(),
        tags: tags.clone(),
        rules: Rules::of(&request.value),
        members: members(request),
    };
    let (mut started, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..request.int_of("count").unwrap_or(1) {
        match launch::start(here, order()) {
            Ok(arn) => started.push(arn),
            Err(why) => {
                let mut failure = json!({"reason": why.reason});
                if let Some(arn) = why.arn {
                    failure["arn"] = json!(arn);
                }
                failures.push(failure);
            }
        }
    }
    remember(here, request, &started);
    Ok(answer(here, &started, failures))
}

fn answer(here: &Here<'_>, started: &[String], failures: Vec<Value>) -> crate::protocol::json::Raw {
    let shown: Vec<Value> = started
        .iter()
        .filter_map(|arn| here.region.ecs.tasks.get(arn))
        .map(|task| task_api::show(here, task))
        .collect();
    raw(&json!({"tasks": shown, "failures": failures}))
}

fn members(request: &Request<'_>) -> Map<String, Value> {
    let own = |member: &&str| Some(((*member).to_owned(), request.value.get(*member)?.clone()));
    SHOWN.iter().filter_map(own).collect()
}

fn check(request: &Request<'_>, definition: &Definition) -> Result<(), Fault> {
    if !(1..=10).contains(&request.int_of("count").unwrap_or(1)) {
        return Err(Fault::parameter("Count should be between 1 and 10."));
    }
    if request.text_of("startedBy").is_some_and(|by| by.chars().count() > 128) {
        return Err(Fault::parameter("startedBy should have at most 128 characters."));
    }
    if request.text_of("propagateTags") == Some("SERVICE") {
        return Err(Fault::parameter("propagateTags should be TASK_DEFINITION or NONE."));
    }
    let overrides = request.value.get("overrides").and_then(|one| one.get("containerOverrides"));
    for one in overrides.and_then(Value::as_array).into_iter().flatten() {
        let name = one["name"].as_str().unwrap_or_default();
        if !definition.containers.iter().any(|own| own.name == name) {
            return Err(Fault::parameter(format!(
                "Override for container named {name} is not a container in the TaskDefinition."
            )));
        }
    }
    Ok(())
}

/// The answer to an earlier RunTask with the same token: the same tasks for the same request (Amazon
/// ECS API Reference, "Idempotency in the Amazon ECS API").
fn said_before(
    here: &Here<'_>,
    request: &Request<'_>,
) -> Result<Option<crate::protocol::json::Raw>, Fault> {
    let Some(token) = request.text_of("clientToken") else { return Ok(None) };
    match here.region.ecs.tokens.get(token) {
        None => Ok(None),
        Some((before, tasks)) if *before == request.value => {
            Ok(Some(answer(here, tasks, Vec::new())))
        }
        Some(_) => Err(Fault::new(
            "ConflictException",
            "The client token was used before with other parameters.",
        )),
    }
}

fn remember(here: &mut Here<'_>, request: &Request<'_>, started: &[String]) {
    if let Some(token) = request.text_of("clientToken") {
        let said = (request.value.clone(), started.to_vec());
        here.region.ecs.tokens.insert(token.to_owned(), said);
    }
}
