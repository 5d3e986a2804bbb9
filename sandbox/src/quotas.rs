//! Service Quotas, as far as it says how many vCPUs AWS Fargate may run at a time; and how many it runs.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
        shapes::Shapes,
    },
    state::{Here, Region, ecs::Task},
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/quotas.txt")));

/// A quota of AWS Fargate (General Reference, "Amazon ECS endpoints and quotas").
pub(crate) struct Quota {
    code: &'static str,
    pub(crate) name: &'static str,
    /// The class of its usage metric (ECS Developer Guide, "AWS Fargate usage metrics").
    pub(crate) class: &'static str,
}

const QUOTAS: [Quota; 2] = [
    Quota {
        code: "L-3032A538",
        name: "Fargate On-Demand vCPU resource count",
        class: "Standard/OnDemand",
    },
    Quota { code: "L-36FBB829", name: "Fargate Spot vCPU resource count", class: "Standard/Spot" },
];

/// What this account may run unless a scenario says otherwise. AWS begins with 6.
const USUAL: usize = 4000;

pub(crate) fn knows(operation: &str) -> bool {
    operation == "GetServiceQuota"
}

pub(crate) fn by_name(name: &str) -> Option<&'static Quota> {
    QUOTAS.iter().find(|quota| quota.name == name)
}

pub(crate) fn by_class(class: &str) -> Option<&'static Quota> {
    QUOTAS.iter().find(|quota| quota.class == class)
}

/// What counts against the tasks of a service: the first of its capacity providers decides.
fn of_service(region: &Region, service: Option<&str>) -> &'static Quota {
    let service = service.and_then(|arn| region.ecs.services.get(arn));
    let strategy = service.and_then(|service| service.members.get("capacityProviderStrategy"));
    let is_spot = strategy.is_some_and(|own| own[0]["capacityProvider"] == "FARGATE_SPOT");
    &QUOTAS[usize::from(is_spot)]
}

/// The CPU units (1024 are one vCPU) of what runs on Fargate.
pub(crate) fn used(region: &Region, quota: &Quota) -> i64 {
    let counts = |task: &&Task| {
        task.launch_type == "FARGATE"
            && task.last_status != "STOPPED"
            && of_service(region, task.service.as_deref()).code == quota.code
    };
    region.ecs.tasks.values().filter(counts).map(|task| task.cpu).sum()
}

/// Whether Fargate may run one more task of a service.
pub(crate) fn has_room(region: &Region, service: Option<&str>, cpu: i64) -> bool {
    let quota = of_service(region, service);
    let Some(max) = region.vcpus.get(quota.name) else { return true };
    i64::try_from(*max).is_ok_and(|max| used(region, quota) + cpu <= max * 1024)
}

fn missing(path: &str) -> Fault {
    let text = format!(
        "1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must not be null"
    );
    Fault::new("ValidationException", text)
}

/// GetServiceQuota (API reference of Service Quotas).
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    request.check(&SHAPES, operation, missing)?;
    let service = request.text_of("ServiceCode").unwrap_or_default();
    let code = request.text_of("QuotaCode").unwrap_or_default();
    let found = QUOTAS.iter().find(|quota| service == "fargate" && quota.code == code);
    let Some(Quota { name, class, .. }) = found else {
        let text = "The request failed because the specified service or quota does not exist.";
        return Err(Fault::new("NoSuchResourceException", text));
    };
    let arn = here.arn("servicequotas", &format!("fargate/{code}"));
    let value = here.region.vcpus.get(*name).copied().unwrap_or(USUAL);
    let dimensions: Value =
        json!({"Class": class, "Resource": "vCPU", "Service": "Fargate", "Type": "Resource"});
    Ok(raw(&json!({"Quota": {
        "ServiceCode": service,
        "ServiceName": "AWS Fargate",
        "QuotaArn": arn,
        "QuotaCode": code,
        "QuotaName": name,
        "Value": f64::from(u32::try_from(value).unwrap_or(u32::MAX)),
        "Unit": "None",
        "Adjustable": true,
        "GlobalQuota": false,
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": dimensions,
            "MetricStatisticRecommendation": "Maximum",
        },
        "QuotaAppliedAtLevel": "ACCOUNT",
    }})))
}
