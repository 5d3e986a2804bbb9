//! Services: creating, deleting, listing, and the checks that creating and updating share. Updating is
//! in `update`, showing in `show`, and what a service then does in `scheduler`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    check_service, check_task, cluster, definition, listing, native, providers, rollout, scheduler,
    show, tags, task,
};
use crate::{
    elb,
    journal::Change,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
    },
    state::{
        Here,
        ecs::{Attachment, Definition, Deployment, Service, attachments, last},
    },
};

/// The members that belong to a deployment: changing one of them starts a new one
/// (Amazon ECS Developer Guide, "Updating Amazon ECS service parameters").
pub(super) const REVISION_MEMBERS: &[&str] = &[
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

pub(super) fn create(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let name = request.text_of("serviceName").unwrap_or_default().to_owned();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 255 || !name.chars().all(legal) {
        return Err(Fault::parameter("Service name contains invalid characters."));
    }
    let arn = here.arn("ecs", &format!("service/{cluster}/{name}"));
    if let Some(old) = here.region.ecs.services.get(&arn) {
        match old.status.as_str() {
            "ACTIVE" if old.request == request.value => {
                return Ok(raw(&json!({"service": show::service(here, old, true)})));
            }
            "ACTIVE" => return Err(Fault::parameter("Creation of service was not idempotent.")),
            "DRAINING" => {
                return Err(Fault::parameter("Unable to Start a service that is still Draining."));
            }
            _ => {}
        }
    }
    let tags = tags::of_request(request)?;
    let daemon = request.text_of("schedulingStrategy") == Some("DAEMON");
    let desired = match request.int_of("desiredCount") {
        None if daemon => 0,
        None => {
            return Err(Fault::parameter(
                "The desiredCount is required when schedulingStrategy is REPLICA.",
            ));
        }
        Some(count) => count_of(count)?,
    };
    let definition = definition_of(here, request)?;
    let mut members = request.value.clone();
    for own in ["cluster", "serviceName", "desiredCount", "taskDefinition", "tags", "clientToken"] {
        members.shift_remove(own);
    }
    check_service::check(&members)?;
    takes_count(&members, request.int_of("desiredCount").map(count_of).transpose()?)?;
    let controllers = ["ECS", "CODE_DEPLOY", "EXTERNAL"];
    if !controllers.contains(&controller(&members)) {
        return Err(Fault::parameter(
            "Deployment controller type should be ECS, CODE_DEPLOY or EXTERNAL.",
        ));
    }
    if request.text_of("clientToken").is_some_and(|token| token.len() > 36) {
        return Err(Fault::parameter("clientToken should have at most 36 characters."));
    }
    let own_address = definition.as_ref().is_some_and(|one| one.network_mode == "awsvpc");
    if request.has("role") && own_address {
        return Err(Fault::parameter(
            "You cannot specify an IAM role for services that require a service linked role.",
        ));
    }
    check_task::role(&members, definition.as_ref(), check_task::NO_ROLE_TO_CREATE)?;
    check(here, &cluster, &members, definition.as_ref())?;
    if controller(&members) == "ECS" {
        native::refusals::check(here, &members)?;
    }
    if !members.contains_key("launchType") && !members.contains_key("capacityProviderStrategy") {
        match cluster::default_strategy(here, &cluster) {
            Some(own) => members.insert("capacityProviderStrategy".into(), own),
            None => members.insert("launchType".into(), json!("EC2")),
        };
    }
    members.entry("availabilityZoneRebalancing").or_insert(json!("ENABLED"));
    let service = Service {
        arn: arn.clone(),
        name,
        cluster,
        status: "ACTIVE".into(),
        desired,
        definition: definition.map(|definition| definition.arn),
        members,
        request: request.value.clone(),
        created_at: here.now(),
        tags,
        deployments: Vec::new(),
        completed: None,
        rollouts: Vec::new(),
        revisions: Vec::new(),
        events: Vec::new(),
        said: BTreeMap::new(),
        steady: false,
        complete_since: None,
        tasks: BTreeSet::new(),
        look_at: None,
        failed_starts: 0,
        unplaced: 0,
        back_off: None,
        replaced: 0,
        moved: BTreeMap::new(),
    };
    here.region.ecs.services.insert(arn.clone(), service);
    here.note(Change::Created { arn: arn.clone() });
    begin_deployment(here, &arn);
    answer(here, &arn)
}

fn definition_of(here: &Here<'_>, request: &Request<'_>) -> Result<Option<Definition>, Fault> {
    match request.text_of("taskDefinition") {
        Some(wanted) => definition::usable(here, wanted).map(Some),
        None if controller(&request.value) == "EXTERNAL" => Ok(None),
        None => Err(Fault::parameter("TaskDefinition can not be blank.")),
    }
}

pub(super) fn answer(here: &Here<'_>, arn: &str) -> Answer {
    let shown = here.region.ecs.services.get(arn).map(|service| show::service(here, service, true));
    Ok(raw(&json!({"service": shown})))
}

/// A DAEMON service takes no desired count. (AWS's words as others met them: fabfuel/ecs-deploy#59, kayac/ecspresso#20.)
pub(super) fn takes_count(members: &Map<String, Value>, desired: Option<u32>) -> Result<(), Fault> {
    let daemon = members.get("schedulingStrategy").is_some_and(|one| one == "DAEMON");
    match desired {
        Some(_) if daemon => Err(Fault::parameter(
            "The daemon scheduling strategy does not support a desired count for services. Remove the desired \
             count value and try again",
        )),
        _ => Ok(()),
    }
}

pub(super) fn count_of(count: i64) -> Result<u32, Fault> {
    u32::try_from(count)
        .map_err(|_| Fault::parameter("desiredCount should be greater than or equal to 0."))
}

/// `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
pub(super) fn controller(members: &Map<String, Value>) -> &str {
    members
        .get("deploymentController")
        .and_then(|controller| controller.get("type"))
        .and_then(Value::as_str)
        .unwrap_or("ECS")
}

/// What CreateService, UpdateService and RunTask refuse.
pub(super) fn check(
    here: &Here<'_>,
    cluster: &str,
    members: &Map<String, Value>,
    definition: Option<&Definition>,
) -> Result<(), Fault> {
    let strategy = members.get("capacityProviderStrategy").and_then(Value::as_array);
    if members.contains_key("launchType") && strategy.is_some_and(|strategy| !strategy.is_empty()) {
        return Err(Fault::parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    let own = providers::of_cluster(here, cluster);
    providers::check_strategy(members.get("capacityProviderStrategy"), &own)?;
    let Some(definition) = definition else { return Ok(()) };
    if definition.network_mode == "awsvpc" && !members.contains_key("networkConfiguration") {
        return Err(Fault::parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    if definition.network_mode != "awsvpc" && members.contains_key("networkConfiguration") {
        return Err(Fault::parameter(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ));
    }
    let network = members.get("networkConfiguration").map(|one| &one["awsvpcConfiguration"]);
    // AWS's words as others met them: awslabs/fargatecli#73.
    if network.is_some_and(|own| own["subnets"].as_array().is_none_or(Vec::is_empty)) {
        return Err(Fault::parameter("subnets can not be empty."));
    }
    let public = network.is_some_and(|own| own["assignPublicIp"] == "ENABLED");
    if public && members.get("launchType").is_some_and(|own| own == "EC2") {
        return Err(Fault::parameter("Assign public IP is not supported for this launch type."));
    }
    check_task::check(members, definition)?;
    let attachments = attachments(members);
    if attachments.len() > 5 {
        return Err(Fault::parameter("load balancers can have at most 5 items."));
    }
    attachments.iter().try_for_each(|attachment| check_attachment(here, attachment, definition))
}

fn check_attachment(
    here: &Here<'_>,
    attachment: &Attachment,
    definition: &Definition,
) -> Result<(), Fault> {
    let Attachment { group, container, port } = attachment;
    let Some(found) = definition.containers.iter().find(|one| one.name == *container) else {
        return Err(Fault::parameter(format!(
            "The container {container} does not exist in the task definition."
        )));
    };
    if !found.ports.contains(port) {
        return Err(Fault::parameter(format!(
            "The container {container} did not have a container port {port} defined."
        )));
    }
    if found.ports.iter().filter(|own| *own == port).count() > 1 {
        // AWS's words as others met them: aws/amazon-ecs-agent#3428.
        return Err(Fault::parameter(format!(
            "Container port {port} is used in more than one port mapping for container {container}"
        )));
    }
    let unattached = || {
        Fault::parameter(format!(
            "The target group with targetGroupArn {group} does not have an associated load balancer."
        ))
    };
    let target_type = match elb::group_facts(here.region, group) {
        None => return Err(Fault::parameter(format!("The target group {group} does not exist."))),
        Some(facts) if !facts.in_use => return Err(unattached()),
        Some(facts) => facts.target_type,
    };
    let expected = if definition.network_mode == "awsvpc" { "ip" } else { "instance" };
    if target_type != expected && target_type != "alb" {
        return Err(Fault::parameter(format!(
            "The provided target group {group} has target type {target_type}, which is incompatible with the {} network mode specified in the task definition.",
            definition.network_mode
        )));
    }
    Ok(())
}

/// Makes what the service is now its newest deployment.
pub(super) fn begin_deployment(here: &mut Here<'_>, arn: &str) {
    let id = format!("ecs-svc/{}", here.shared.ids.digits());
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if controller(&service.members) != "ECS" {
        return;
    }
    let resolved = here.region.ecs.services.get(arn).map(|own| native::traffic::live(here, own));
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let mut settings = Map::new();
    for member in REVISION_MEMBERS.iter().chain(&["launchType", "capacityProviderStrategy"]) {
        if let Some(value) = service.members.get(*member) {
            settings.insert((*member).to_owned(), value.clone());
        }
    }
    for older in &mut service.deployments {
        older.status = "ACTIVE".into();
    }
    native::begin::supersede(service);
    let deployment = Deployment {
        rollout_reason: format!("ECS deployment {id} in progress."),
        id,
        status: "PRIMARY".into(),
        definition: service.definition.clone().unwrap_or_default(),
        revision: String::new(),
        created_at: now,
        updated_at: now,
        rollout_state: "IN_PROGRESS".into(),
        failed_tasks: 0,
        settings,
        resolved: resolved.unwrap_or_default(),
    };
    service.deployments.insert(0, deployment);
    service.steady = false;
    service.complete_since = None;
    service.failed_starts = 0;
    service.unplaced = 0;
    service.back_off = None;
    scheduler::note_deployment(here, arn, 0);
    rollout::begin(here, arn);
    here.look_soon(arn);
}

/// Changes the desired count, as a client or Application Auto Scaling does.
pub(crate) fn set_desired(here: &mut Here<'_>, arn: &str, desired: u32) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let before = std::mem::replace(&mut service.desired, desired);
    if before != desired {
        service.steady = false;
        here.note(Change::Desired { service: arn.to_owned(), before, after: desired });
        here.look_soon(arn);
    }
}

/// What Application Auto Scaling needs to know of a service.
pub(crate) struct Activity {
    pub(crate) desired: u32,
    pub(crate) running: u32,
    pub(crate) deploying: bool,
}

pub(crate) fn activity(here: &Here<'_>, arn: &str) -> Option<Activity> {
    let ecs = &here.region.ecs;
    let service = ecs.services.get(arn).filter(|one| one.status == "ACTIVE")?;
    let tasks = service.tasks.iter().filter_map(|task| ecs.tasks.get(task));
    let running = tasks.filter(|task| task.last_status == "RUNNING").count();
    Some(Activity {
        desired: service.desired,
        running: u32::try_from(running).unwrap_or(u32::MAX),
        deploying: service.deployments.len() > 1,
    })
}

/// The ARN of the service that a request means, by name or ARN.
pub(super) fn find(here: &Here<'_>, cluster: &str, wanted: &str) -> Option<String> {
    let arn = here.arn("ecs", &format!("service/{cluster}/{}", last(wanted)));
    let short = here.arn("ecs", &format!("service/{}", last(wanted)));
    let named = !wanted.starts_with("arn:") || wanted == arn || wanted == short;
    (named && here.region.ecs.services.contains_key(&arn)).then_some(arn)
}

pub(super) fn delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let not_found = || Fault::new("ServiceNotFoundException", "Service not found.");
    let arn = find(here, &cluster, request.text_of("service").unwrap_or_default())
        .ok_or_else(not_found)?;
    let service = here.region.ecs.services.get_mut(&arn).ok_or_else(not_found)?;
    // Deleting it again is no error: it is shown as it is (seen of DRAINING and INACTIVE ones).
    if service.status != "ACTIVE" {
        return answer(here, &arn);
    }
    if service.desired > 0 && !request.bool_of("force") {
        return Err(Fault::parameter("The service cannot be stopped while it is scaled above 0."));
    }
    service.status = "DRAINING".into();
    here.note(Change::Deleted { arn: arn.clone() });
    set_desired(here, &arn, 0);
    let tasks: Vec<String> = here
        .region
        .ecs
        .services
        .get(&arn)
        .map(|service| service.tasks.iter().cloned().collect())
        .unwrap_or_default();
    for task in tasks {
        let by = task::started_by(here, &task);
        task::end(
            here,
            &task,
            "ServiceSchedulerInitiated",
            &format!("Scaling activity initiated by (deployment {by})"),
        );
    }
    here.look_soon(&arn);
    answer(here, &arn)
}

pub(super) fn describe(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let wanted = request.texts_of("services");
    if wanted.is_empty() {
        return Err(Fault::parameter("Services cannot be empty."));
    }
    if wanted.len() > 10 {
        return Err(Fault::parameter("Services cannot have more than 10 items."));
    }
    let with_tags = tags::included(request);
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in wanted {
        match find(here, &cluster, &name).and_then(|arn| here.region.ecs.services.get(&arn)) {
            Some(service) => found.push(show::service(here, service, with_tags)),
            None => failures.push(json!({"arn": here.arn("ecs", &format!("service/{cluster}/{}", last(&name))), "reason": "MISSING"})),
        }
    }
    Ok(raw(&json!({"services": found, "failures": failures})))
}

pub(super) fn list(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let cluster = cluster::find(here, request)?;
    let is = |service: &Service, member: &str, default: &str| {
        let own = || service.members.get(member).and_then(Value::as_str).unwrap_or(default);
        request.text_of(member).is_none_or(|wanted| wanted == own())
    };
    let services = here.region.ecs.services.values().filter(|service| {
        let listed = service.cluster == cluster && service.status == "ACTIVE";
        listed && is(service, "launchType", "") && is(service, "schedulingStrategy", "REPLICA")
    });
    listing::page(request, services.map(|service| service.arn.clone()).collect(), 10, "serviceArns")
}
