//! Starting tasks: what a new one is made of, and in which subnet it runs. Its life is in `task`.

use serde_json::{Map, Value};

use super::{
    instance::{self, Rules, Unplaced},
    task,
};
use crate::{
    elb,
    image::{self, Behaviour},
    protocol::json::texts,
    quotas,
    state::{
        Here,
        ecs::{Attachment, Container, ContainerDefinition, Definition, Shortage, Tags, Task},
    },
};

/// What is to be started.
pub(super) struct Order {
    pub(super) cluster: String,
    pub(super) service: Option<String>,
    pub(super) started_by: Option<String>,
    pub(super) group: String,
    pub(super) definition: Definition,
    pub(super) network: Option<Value>,
    pub(super) launch_type: String,
    pub(super) attachments: Vec<Attachment>,
    pub(super) tags: Tags,
    pub(super) rules: Rules,
    /// Members of RunTask that are shown as they were sent.
    pub(super) members: Map<String, Value>,
}

/// Where a task goes.
struct Spot {
    subnet: String,
    zone: String,
    instance: Option<String>,
    ec2: Option<String>,
    /// For each container; `None`: the task has a network interface of its own.
    ports: Option<Vec<Vec<i64>>>,
}

/// The launch type of a service or a RunTask, whose capacity providers may name it.
pub(super) fn launch_type(members: &Map<String, Value>, default: &str) -> String {
    let own = members.get("launchType").and_then(Value::as_str);
    let provider = members
        .get("capacityProviderStrategy")
        .and_then(Value::as_array)
        .and_then(|list| list.first()?.get("capacityProvider")?.as_str());
    match (own, provider) {
        (Some(own), _) => own.to_owned(),
        (None, Some("FARGATE" | "FARGATE_SPOT")) => "FARGATE".to_owned(),
        (None, Some(_)) => "EC2".to_owned(),
        (None, None) => default.to_owned(),
    }
}

/// Starts a task and tells its ARN, or why there is no place for it.
pub(super) fn start(here: &mut Here<'_>, order: Order) -> Result<String, Unplaced> {
    let spot = spot(here, &order)?;
    let id = here.shared.ids.hex(32);
    let arn = here.arn("ecs", &format!("task/{}/{id}", order.cluster));
    here.region.ecs.addresses += 1;
    let number = here.region.ecs.addresses;
    let mut containers: Vec<Container> = order
        .definition
        .containers
        .iter()
        .map(|definition| container(here, &id, definition, &command(definition, &order.members)))
        .collect();
    for (container, ports) in containers.iter_mut().zip(spot.ports.into_iter().flatten()) {
        container.host_ports = ports;
    }
    let task = Task {
        arn: arn.clone(),
        cluster: order.cluster,
        service: order.service.clone(),
        started_by: order.started_by,
        group: order.group,
        definition: order.definition.arn,
        launch_type: order.launch_type,
        last_status: String::new(),
        desired_status: "RUNNING".into(),
        turn: 0,
        created_at: here.now(),
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        stopping_at: None,
        execution_stopped_at: None,
        stopped_at: None,
        stop_code: None,
        stopped_reason: None,
        containers,
        instance: spot.instance,
        ec2: spot.ec2,
        network_mode: order.definition.network_mode,
        cpu: order.definition.cpu,
        memory: order.definition.memory,
        gpus: order.definition.gpus,
        platform: order.definition.platform,
        members: order.members,
        subnet: spot.subnet,
        zone: spot.zone,
        address: format!("10.{}.{}.{}", number / 62_500, number / 250 % 250, number % 250 + 4),
        attachments: order.attachments,
        registered: false,
        proved: false,
        tags: order.tags,
    };
    here.region.network.insert(task.address.clone(), arn.clone());
    here.region.ecs.tasks.insert(arn.clone(), task);
    if let Some(service) =
        order.service.and_then(|service| here.region.ecs.services.get_mut(&service))
    {
        service.tasks.insert(arn.clone());
    }
    let wait = here.shared.timing.provisioning;
    task::go(here, &arn, "PROVISIONING", Some(wait));
    Ok(arn)
}

/// The words of a container's command: those of RunTask's override, or its own.
fn command(definition: &ContainerDefinition, members: &Map<String, Value>) -> String {
    let overrides = members.get("overrides").and_then(|one| one["containerOverrides"].as_array());
    let mut own = overrides.into_iter().flatten().filter(|one| one["name"] == definition.name);
    let words =
        own.find_map(|one| one.get("command")).map(|list| crate::protocol::json::texts(Some(list)));
    words.filter(|words| !words.is_empty()).unwrap_or_else(|| definition.command.clone()).join(" ")
}

fn container(
    here: &Here<'_>,
    task: &str,
    definition: &ContainerDefinition,
    command: &str,
) -> Container {
    let images = &here.shared.images;
    let described = image::best(images, &definition.image, &definition.name, command);
    let number = crate::ids::Ids::of(&definition.name).number() % 10_000_000_000;
    let runtime_id = format!("{task}-{number}");
    let log = definition.log.as_ref();
    Container {
        name: definition.name.clone(),
        image: definition.image.clone(),
        digest: None,
        log: log.map(|log| log.destination(here, &definition.name, task, &runtime_id)),
        runtime_id,
        essential: definition.essential,
        ports: definition.ports.clone(),
        host_ports: Vec::new(),
        pinned: definition.pinned,
        behaviour: Behaviour::of(described, here.shared.timing.ready),
        health_check: definition.health_check.clone(),
        depends_on: definition.depends_on.clone(),
        start_timeout: definition.start_timeout,
        stop_timeout: definition.stop_timeout,
        last_status: "PENDING".into(),
        health: "UNKNOWN".into(),
        failures: 0,
        started_at: None,
        exit_code: None,
        reason: None,
    }
}

/// A place for a task: on Fargate wherever there is capacity, else on a container instance.
fn spot(here: &Here<'_>, order: &Order) -> Result<Spot, Unplaced> {
    if order.launch_type == "FARGATE" {
        let (subnet, zone) = on_fargate(here, order)?;
        return Ok(Spot { subnet, zone, instance: None, ec2: None, ports: None });
    }
    let service = order.service.as_deref();
    let arn = instance::choose(here, &order.cluster, &order.definition, service, &order.rules)?;
    let found = here.region.ecs.instances.get(&arn);
    let own = order.definition.network_mode == "awsvpc";
    let zone = found.map(|one| one.zone.clone()).unwrap_or_default();
    let inside = |subnet: &&String| here.shared.subnets.get(*subnet) == Some(&zone);
    let subnets = subnets(order);
    let subnet = subnets.iter().find(inside).or(subnets.first()).cloned().unwrap_or_default();
    Ok(Spot {
        subnet: if own { subnet } else { String::new() },
        ec2: found.map(|one| one.ec2.clone()),
        zone,
        ports: (!own).then(|| instance::ports(here, &arn, &order.definition)),
        instance: Some(arn),
    })
}

fn subnets(order: &Order) -> Vec<String> {
    let vpc = order.network.as_ref().and_then(|network| network.get("awsvpcConfiguration"));
    texts(vpc.and_then(|vpc| vpc.get("subnets")))
}

/// Developer Guide, "Amazon ECS service event messages".
const TOO_MANY: &str = "You've reached the limit on the number of vCPUs you can run concurrently";

/// The subnet that has the fewest tasks of the service, and its Availability Zone.
fn on_fargate(here: &Here<'_>, order: &Order) -> Result<(String, String), Unplaced> {
    if !quotas::has_room(here.region, order.service.as_deref(), order.definition.cpu) {
        return Err(instance::unplaced(TOO_MANY));
    }
    let service = order.service.as_ref().and_then(|arn| here.region.ecs.services.get(arn));
    let others: Vec<&Task> = service
        .into_iter()
        .flat_map(|service| &service.tasks)
        .filter_map(|arn| here.region.ecs.tasks.get(arn))
        .collect();
    let load = |subnet: &String| {
        others.iter().filter(|task| task.wanted() && task.subnet == *subnet).count()
    };
    let first = || format!("{}a", here.region.name);
    let mut short = None;
    let mut places = Vec::new();
    let mut subnets = subnets(order);
    if subnets.is_empty() {
        subnets.push(String::new());
    }
    for (at, subnet) in subnets.into_iter().enumerate() {
        let zone = here.shared.subnets.get(&subnet).cloned().unwrap_or_else(|| {
            let zones = elb::zones(here.region);
            zones.get(at % zones.len().max(1)).cloned().unwrap_or_else(first)
        });
        match shortage(here, &zone) {
            Some(one) => short = Some(instance::unplaced(&one.reason)),
            None => places.push((subnet, zone)),
        }
    }
    let best = places.into_iter().min_by_key(|(subnet, _)| load(subnet));
    best.ok_or_else(|| short.unwrap_or_else(|| instance::unplaced("Internal error.")))
}

fn shortage<'h>(here: &'h Here<'_>, zone: &str) -> Option<&'h Shortage> {
    let now = here.now();
    here.region.ecs.shortages.iter().find(|one| {
        one.from <= now
            && one.until.is_none_or(|until| now < until)
            && one.zone.as_deref().is_none_or(|own| own == zone)
    })
}
