//! Task definitions: kept as they were sent. AWS's own additions are defaults for members that are
//! absent, and never replace anything.

use std::time::Duration;

use serde_json::{Value, json};

use super::{check_definition, check_fargate, instance, listing, tags};
use crate::{
    image::Reference,
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, RawObject, Request, int, raw},
    },
    state::{
        Here,
        ecs::{Configured, ContainerDefinition, ContainerHealthCheck, Definition, Dependency},
        timers::Due,
    },
};

pub(super) fn register(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let tags = tags::of_request(request)?;
    let family = request.text_of("family").unwrap_or_default().to_owned();
    if request.text.len() > 64 * 1024 {
        return Err(Fault::client(
            "Actual length: '".to_owned()
                + &request.text.len().to_string()
                + "'. Max allowed length is '65536' bytes.",
        ));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if family.is_empty() || family.len() > 255 || !family.chars().all(legal) {
        return Err(Fault::client("Family contains invalid characters."));
    }
    let mode = request.text_of("networkMode").unwrap_or("bridge");
    let containers = containers(request, mode)?;
    let members = members(request, &containers)?;
    let network_mode = request.text_of("networkMode").unwrap_or("bridge").to_owned();
    let fargate = request.texts_of("requiresCompatibilities").iter().any(|kind| kind == "FARGATE");
    if fargate && network_mode != "awsvpc" {
        return Err(Fault::client("Fargate only supports network mode ‘awsvpc’."));
    }
    if fargate && (!request.has("cpu") || !request.has("memory")) {
        return Err(Fault::client(
            "Fargate requires task definition to have task-level cpu and memory defined.",
        ));
    }
    check_definition::check(&request.value)?;
    let amount = |member: &str| request.text_of(member).and_then(amount);
    if fargate {
        let (cpu, memory) = (amount("cpu").unwrap_or(0), amount("memory").unwrap_or(0));
        check_fargate::check(&request.value, cpu, memory)?;
    }
    let (cpu, memory) = instance::needs(&request.value);
    let (cpu, memory) = (amount("cpu").unwrap_or(cpu), amount("memory").unwrap_or(memory));
    let now = here.now();
    let revisions = here.region.ecs.families.entry(family.clone()).or_default();
    let newest = revisions.last_key_value().map_or(0, |(last, _)| *last);
    // A revision's number is never given twice.
    let revision = newest.max(here.region.ecs.deleted.get(&family).copied().unwrap_or(0)) + 1;
    let arn = here.arn("ecs", &format!("task-definition/{family}:{revision}"));
    let definition = Definition {
        arn: arn.clone(),
        family: family.clone(),
        revision,
        active: true,
        deleting: false,
        registered_at: now,
        deregistered_at: None,
        members,
        containers,
        network_mode,
        cpu,
        memory,
        gpus: instance::gpus(&request.value),
        platform: platform(&request.value),
        tags,
    };
    let answer = answer(here, &definition, !definition.tags.is_empty());
    here.region.ecs.families.entry(family).or_default().insert(revision, definition);
    here.note(Change::Registered { revision: arn });
    Ok(answer)
}

/// The platform that images must have, as manifests name it; X86_64 unless the definition says otherwise.
fn platform(members: &serde_json::Map<String, Value>) -> String {
    let own = members.get("runtimePlatform");
    let text = |member: &str| own.and_then(|own| own[member].as_str()).unwrap_or_default();
    let os = if text("operatingSystemFamily").starts_with("WINDOWS") { "windows" } else { "linux" };
    let architecture = if text("cpuArchitecture") == "ARM64" { "arm64" } else { "amd64" };
    format!("{os}/{architecture}")
}

/// What the model needs to know of the containers; refuses what AWS refuses.
fn containers(request: &Request<'_>, mode: &str) -> Result<Vec<ContainerDefinition>, Fault> {
    let list = request.value.get("containerDefinitions").and_then(Value::as_array);
    let list: Vec<ContainerDefinition> =
        list.into_iter().flatten().map(|one| container(one, mode)).collect::<Result<_, _>>()?;
    if list.is_empty() {
        return Err(Fault::client("Container list cannot be empty."));
    }
    if list.len() > 10 {
        return Err(Fault::client("The maximum number of containers per task definition is 10."));
    }
    if !list.iter().any(|container| container.essential) {
        return Err(Fault::client(
            "Invalid setting for container. At least one container should be essential.",
        ));
    }
    for (index, container) in list.iter().enumerate() {
        if list[..index].iter().any(|other| other.name == container.name) {
            return Err(Fault::client(format!(
                "Container.name must be unique: {}.",
                container.name
            )));
        }
    }
    Ok(list)
}

fn container(value: &Value, mode: &str) -> Result<ContainerDefinition, Fault> {
    let text = |member: &str| {
        let text = value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text.is_empty() {
            Err(Fault::client(format!("Container.{member} should not be null or empty.")))
        } else {
            Ok(text)
        }
    };
    let (name, image) = (text("name")?, text("image")?);
    if Reference::parse(&image).name.is_empty()
        || image.contains(char::is_whitespace)
        // With a digest, what stands before it counts.
        || image.split('@').next().is_some_and(|name| name.len() > 255)
    {
        return Err(Fault::client("Container.image contains invalid characters."));
    }
    let mappings = value.get("portMappings").and_then(Value::as_array);
    let mappings: Vec<(i64, i64)> = mappings
        .into_iter()
        .flatten()
        .filter_map(|one| {
            let port = int(one.get("containerPort"))?;
            let host = if mode == "bridge" { 0 } else { port };
            Some((port, int(one.get("hostPort")).filter(|port| *port > 0).unwrap_or(host)))
        })
        .collect();
    let check = value.get("healthCheck").and_then(Value::as_object);
    let health_check = check.map(|check| {
        let number = |member: &str, default: u64| {
            int(check.get(member)).and_then(|n| u64::try_from(n).ok()).unwrap_or(default)
        };
        ContainerHealthCheck {
            interval: number("interval", 30).max(1),
            retries: u32::try_from(number("retries", 3)).unwrap_or(3),
            start_period: number("startPeriod", 0),
        }
    });
    let seconds = |member: &str| int(value.get(member)).and_then(|n| u64::try_from(n).ok());
    Ok(ContainerDefinition {
        name,
        image,
        essential: value.get("essential").and_then(Value::as_bool).unwrap_or(true),
        ports: mappings.iter().map(|(port, _)| *port).collect(),
        host_ports: mappings.iter().map(|(_, host)| *host).collect(),
        pinned: value.get("versionConsistency").is_none_or(|one| one != "disabled"),
        health_check,
        depends_on: dependencies(value),
        start_timeout: seconds("startTimeout"),
        stop_timeout: seconds("stopTimeout"),
        command: crate::protocol::json::texts(value.get("command")),
        log: Configured::of(value),
    })
}

fn dependencies(container: &Value) -> Vec<Dependency> {
    let list = container.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
    let text = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
    list.map(|one| Dependency {
        container: text(one, "containerName"),
        condition: text(one, "condition"),
    })
    .collect()
}

/// The members as they will be described.
fn members(request: &Request<'_>, containers: &[ContainerDefinition]) -> Result<RawObject, Fault> {
    let malformed =
        || Fault::new("SerializationException", "The request body is not a JSON object.");
    let members = RawObject::parse(request.text).ok_or_else(malformed)?;
    let mut members = super::SHAPES.normalise("RegisterTaskDefinition", members);
    members.remove("tags");
    for (member, unit) in [("cpu", 1024.0), ("memory", 1024.0)] {
        if let Some(units) = request.text_of(member).and_then(|text| units(text, unit)) {
            members.set(member, raw(&units));
        }
    }
    let network_mode = request.text_of("networkMode").unwrap_or("bridge");
    let list = members
        .get("containerDefinitions")
        .and_then(|list| serde_json::from_str::<Vec<RawObject>>(list.get()).ok());
    let mut list = list.ok_or_else(malformed)?;
    for (container, known) in list.iter_mut().zip(containers) {
        fill_in(container, known, network_mode);
    }
    members.set("containerDefinitions", raw(&list));
    members.or("volumes", &json!([]));
    members.or("placementConstraints", &json!([]));
    Ok(members)
}

/// The `cpu` or `memory` of a task as a number: `1024`, `1 vCPU`, `.5 GB`.
pub(super) fn amount(text: &str) -> Option<i64> {
    units(text, 1024.0).unwrap_or_else(|| text.trim().to_owned()).parse().ok()
}

/// `1 vCPU` and `0.5 GB` as the numbers that AWS stores.
fn units(text: &str, unit: f64) -> Option<String> {
    let text = text.trim().to_lowercase();
    let number = text.strip_suffix("vcpu").or_else(|| text.strip_suffix("gb"))?.trim();
    Some(format!("{:.0}", number.parse::<f64>().ok()? * unit))
}

/// The defaults that AWS shows for members that were not sent.
fn fill_in(container: &mut RawObject, known: &ContainerDefinition, network_mode: &str) {
    container.or("cpu", &0);
    container.or("essential", &known.essential);
    for list in ["portMappings", "environment", "mountPoints", "volumesFrom", "systemControls"] {
        container.or(list, &json!([]));
    }
    let ports = container
        .get("portMappings")
        .and_then(|ports| serde_json::from_str::<Vec<RawObject>>(ports.get()).ok());
    let Some(mut ports) = ports.filter(|ports| !ports.is_empty()) else { return };
    for port in &mut ports {
        let own = port.get("containerPort").map(|port| port.get().to_owned());
        if let Some(own) = own.and_then(|own| own.parse::<i64>().ok()) {
            port.or("hostPort", &if network_mode == "bridge" { 0 } else { own });
        }
        port.or("protocol", &"tcp");
    }
    container.set("portMappings", raw(&ports));
}

/// `{"taskDefinition": …}`, with `tags` beside it.
fn answer(here: &Here<'_>, definition: &Definition, with_tags: bool) -> crate::protocol::json::Raw {
    let mut shown = RawObject(vec![("taskDefinitionArn".into(), raw(&definition.arn))]);
    shown.0.extend(definition.members.0.clone());
    shown.set("revision", raw(&definition.revision));
    shown.set("status", raw(&status(definition)));
    shown.set("requiresAttributes", raw(&attributes(definition)));
    let compatibilities: &[&str] = match definition.network_mode.as_str() {
        "awsvpc" if fits_fargate(definition) => &["EC2", "FARGATE"],
        "awsvpc" => &["EC2"],
        _ => &["EXTERNAL", "EC2"],
    };
    shown.set("compatibilities", raw(&compatibilities));
    shown.set("registeredAt", raw(&definition.registered_at.seconds()));
    if let Some(at) = definition.deregistered_at {
        shown.set("deregisteredAt", raw(&at.seconds()));
    }
    shown.set("registeredBy", raw(&here.shared.user(&here.region.name)));
    let mut answer = RawObject(vec![("taskDefinition".into(), raw(&shown))]);
    if with_tags {
        answer.set("tags", raw(&tags::show(&definition.tags)));
    }
    raw(&answer)
}

/// The members without the bytes that they were sent as.
pub(super) fn plain(definition: &Definition) -> serde_json::Map<String, Value> {
    let own = serde_json::to_value(&definition.members).ok();
    own.and_then(|own| own.as_object().cloned()).unwrap_or_default()
}

/// Whether tasks of it can run on Fargate, which does not depend on `requiresCompatibilities`
/// (API reference of TaskDefinition, `compatibilities`).
pub(super) fn fits_fargate(definition: &Definition) -> bool {
    let own = plain(definition);
    definition.network_mode == "awsvpc"
        && own.contains_key("cpu")
        && own.contains_key("memory")
        && check_fargate::check(&own, definition.cpu, definition.memory).is_ok()
}

fn status(definition: &Definition) -> &'static str {
    match (definition.active, definition.deleting) {
        (true, _) => "ACTIVE",
        (false, false) => "INACTIVE",
        (false, true) => "DELETE_IN_PROGRESS",
    }
}

fn attributes(definition: &Definition) -> Value {
    let mut names = vec!["com.amazonaws.ecs.capability.docker-remote-api.1.18"];
    if definition.network_mode == "awsvpc" {
        names.push("ecs.capability.task-eni");
    }
    if definition
        .containers
        .iter()
        .any(|container| Reference::parse(&container.image).ecr().is_some())
    {
        names.push("com.amazonaws.ecs.capability.ecr-auth");
    }
    names.into_iter().map(|name| json!({"name": name})).collect()
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = request.text_of("taskDefinition").unwrap_or_default();
    let definition =
        find(here, wanted).ok_or_else(|| Fault::client("Unable to describe task definition."))?;
    Ok(answer(here, definition, tags::included(request)))
}

pub(super) fn deregister(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = request.text_of("taskDefinition").unwrap_or_default().to_owned();
    if !wanted.rsplit('/').next().unwrap_or_default().contains(':') {
        return Err(Fault::client("Task definition must have a revision."));
    }
    let unable = || Fault::client("The specified task definition does not exist.");
    let (family, revision) = find(here, &wanted)
        .map(|found| (found.family.clone(), found.revision))
        .ok_or_else(unable)?;
    let now = here.now();
    let revisions = here.region.ecs.families.get_mut(&family);
    let definition =
        revisions.and_then(|revisions| revisions.get_mut(&revision)).ok_or_else(unable)?;
    if !definition.active {
        return Err(Fault::client(format!(
            "The specified task definition is inactive. ({family}:{revision})"
        )));
    }
    definition.active = false;
    definition.deregistered_at = Some(now);
    let definition = definition.clone();
    here.note(Change::Deregistered { revision: definition.arn.clone() });
    Ok(answer(here, &definition, false))
}

/// How long a deleted revision stays, at least.
const DELETING: Duration = Duration::from_secs(3600);

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let names = request.texts_of("taskDefinitions");
    if names.is_empty() || names.len() > 10 {
        return Err(Fault::parameter("taskDefinitions should have between 1 and 10 members."));
    }
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        let numbered = name.rsplit('/').next().unwrap_or_default().contains(':');
        let found = find(here, &name).filter(|_| numbered);
        let failure = match found {
            None => Some("The specified task definition does not exist."),
            Some(found) if found.active => Some(
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
            ),
            Some(_) => None,
        };
        let (Some(found), None) = (found, failure) else {
            let reason = failure.unwrap_or_default();
            failures.push(json!({"arn": name, "reason": reason}));
            continue;
        };
        let (family, revision, arn) = (found.family.clone(), found.revision, found.arn.clone());
        let revisions = here.region.ecs.families.get_mut(&family);
        if let Some(found) = revisions.and_then(|revisions| revisions.get_mut(&revision)) {
            found.deleting = true;
            let found = found.clone();
            let shown = RawObject::parse(answer(here, &found, false).get()).unwrap_or_default();
            gone.extend(shown.get("taskDefinition").map(ToOwned::to_owned));
            here.note(Change::Deleted { arn: arn.clone() });
            here.later_once(DELETING, Due::Deleted { definition: arn });
        }
    }
    let mut answer = RawObject::default();
    answer.set("taskDefinitions", raw(&gone));
    answer.set("failures", raw(&failures));
    Ok(raw(&answer))
}

/// A revision goes for good once nothing uses it.
pub(crate) fn deleted(here: &mut Here<'_>, arn: &str) {
    let ecs = &mut here.region.ecs;
    let used = ecs.tasks.values().any(|task| task.definition == arn)
        || ecs.services.values().any(|service| {
            service.status != "INACTIVE"
                && (service.definition.as_deref() == Some(arn)
                    || service.deployments.iter().any(|one| one.definition == arn))
        });
    if used {
        here.later_once(DELETING, Due::Deleted { definition: arn.to_owned() });
        return;
    }
    let name = arn.rsplit('/').next().and_then(|name| name.rsplit_once(':'));
    let Some((family, revision)) = name else { return };
    let Ok(revision) = revision.parse::<u32>() else { return };
    let Some(revisions) = ecs.families.get_mut(family) else { return };
    revisions.remove(&revision);
    if revisions.is_empty() {
        ecs.families.remove(family);
    }
    let newest = ecs.deleted.entry(family.to_owned()).or_default();
    *newest = (*newest).max(revision);
}

/// The definition that `family`, `family:revision` or an ARN means. A family means its newest ACTIVE one.
pub(super) fn find<'h>(here: &'h Here<'_>, wanted: &str) -> Option<&'h Definition> {
    let name = match wanted.strip_prefix("arn:") {
        Some(_) => wanted.strip_prefix(&here.arn("ecs", "task-definition/"))?,
        None => wanted,
    };
    match name.rsplit_once(':') {
        Some((family, revision)) => {
            here.region.ecs.families.get(family)?.get(&revision.parse().ok()?)
        }
        None => {
            here.region.ecs.families.get(name)?.values().rev().find(|definition| definition.active)
        }
    }
}

/// The definition that a service or a task is to use: it must be ACTIVE.
pub(super) fn usable(here: &Here<'_>, wanted: &str) -> Result<Definition, Fault> {
    match find(here, wanted) {
        None => Err(Fault::client("TaskDefinition not found.")),
        Some(definition) if !definition.active => Err(Fault::client("TaskDefinition is inactive")),
        Some(definition) => Ok(definition.clone()),
    }
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let wanted = request.text_of("status").unwrap_or("ACTIVE");
    let family = request.text_of("familyPrefix");
    let families = here
        .region
        .ecs
        .families
        .iter()
        .filter(|(name, _)| family.is_none_or(|family| family == *name));
    let all = families.flat_map(|(_, revisions)| revisions.values());
    let mut arns: Vec<String> =
        all.filter(|one| status(one) == wanted).map(|one| one.arn.clone()).collect();
    if request.text_of("sort") == Some("DESC") {
        arns.reverse();
    }
    listing::page(request, arns, 100, "taskDefinitionArns")
}

pub(super) fn families(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let prefix = request.text_of("familyPrefix").unwrap_or_default();
    let status = request.text_of("status").unwrap_or("ALL");
    let fits = |revisions: &std::collections::BTreeMap<u32, Definition>| {
        let any_active = revisions.values().any(|definition| definition.active);
        status == "ALL" || (status == "ACTIVE") == any_active
    };
    let families = here
        .region
        .ecs
        .families
        .iter()
        .filter(|(name, revisions)| name.starts_with(prefix) && fits(revisions));
    listing::page(request, families.map(|(name, _)| name.clone()).collect(), 100, "families")
}
