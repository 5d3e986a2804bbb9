//! Starting tasks: what a new one is made of, and in which subnet it runs. Its life is in `task`.

use serde_json::Value;

use super::{Attachment, Container, Definition, Tags, Task, task};
use crate::{
    cloud::Here,
    elb,
    image::{self, Behaviour},
    json::texts,
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
}

/// Starts a task and tells its ARN.
pub(super) fn start(here: &mut Here<'_>, order: Order) -> String {
    let id = here.shared.ids.hex(32);
    let arn = here.arn("ecs", &format!("task/{}/{id}", order.cluster));
    here.region.ecs.addresses += 1;
    let number = here.region.ecs.addresses;
    let (subnet, zone) = place(here, &order);
    let containers = order
        .definition
        .containers
        .iter()
        .map(|definition| container(here, &id, definition))
        .collect();
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
        subnet,
        zone,
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
    arn
}

fn container(here: &Here<'_>, task: &str, definition: &super::ContainerDefinition) -> Container {
    let described = image::best(&here.shared.images, &definition.image, &definition.name);
    Container {
        name: definition.name.clone(),
        image: definition.image.clone(),
        digest: None,
        runtime_id: format!(
            "{task}-{}",
            crate::ids::Ids::of(&definition.name).number() % 10_000_000_000
        ),
        essential: definition.essential,
        ports: definition.ports.clone(),
        behaviour: Behaviour::of(described, here.shared.timing.ready),
        health_check: definition.health_check.clone(),
        last_status: "PENDING".into(),
        health: "UNKNOWN".into(),
        failures: 0,
        started_at: None,
        exit_code: None,
        reason: None,
    }
}

/// The subnet that has the fewest tasks of the service, and its Availability Zone.
fn place(here: &Here<'_>, order: &Order) -> (String, String) {
    let subnets = order.network.as_ref().and_then(|network| network.get("awsvpcConfiguration"));
    let subnets = texts(subnets.and_then(|vpc| vpc.get("subnets")));
    let service = order.service.as_ref().and_then(|arn| here.region.ecs.services.get(arn));
    let others: Vec<&Task> = service
        .into_iter()
        .flat_map(|service| &service.tasks)
        .filter_map(|arn| here.region.ecs.tasks.get(arn))
        .collect();
    let load = |subnet: &String| {
        others.iter().filter(|task| task.wanted() && task.subnet == *subnet).count()
    };
    let Some((at, subnet)) = subnets.iter().enumerate().min_by_key(|(_, subnet)| load(subnet))
    else {
        return (String::new(), format!("{}a", here.region.name));
    };
    let zone = here.shared.subnets.get(subnet).cloned().unwrap_or_else(|| {
        let zones = elb::zones(here.region);
        zones
            .get(at % zones.len().max(1))
            .cloned()
            .unwrap_or_else(|| format!("{}a", here.region.name))
    });
    (subnet.clone(), zone)
}
