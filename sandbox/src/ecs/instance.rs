//! Container instances: what each has room for, and which one takes a task. How tasks on it are reached
//! is said by the host ports that it gives them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    protocol::json::int,
    state::{
        Here,
        ecs::{Definition, Instance, Task, last},
    },
};

/// The first of the ports that an instance gives out by itself (Amazon ECS API, `PortMapping.hostPort`).
const FIRST_PORT: i64 = 32_768;

/// What the tasks of an instance take of it.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) cpu: i64,
    pub(super) memory: i64,
    enis: usize,
    gpus: i64,
    pub(super) ports: BTreeSet<i64>,
}

/// Why no instance takes a task: how the event says it, and how RunTask does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unplaced {
    pub(super) event: String,
    pub(super) reason: String,
    pub(super) arn: Option<String>,
}

/// What one instance lacks, in the order in which it is looked for: the closest one lacks the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    Distinct,
    Cpu,
    Memory,
    Gpu,
    Ports,
    Eni,
}

impl Lack {
    /// (the end of the sentence in the event, the reason of RunTask)
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Lack::Distinct => (
                "is missing an attribute required by your task.",
                "distinctInstance placement constraint unsatisfied.",
            ),
            Lack::Cpu => ("has insufficient CPU units available.", "RESOURCE:CPU"),
            Lack::Memory => ("has insufficient memory available.", "RESOURCE:MEMORY"),
            Lack::Gpu => ("encountered error \"RESOURCE:GPU\".", "RESOURCE:GPU"),
            Lack::Ports => ("is already using a port required by your task.", "RESOURCE:PORTS"),
            Lack::Eni => ("encountered error \"RESOURCE:ENI\".", "RESOURCE:ENI"),
        }
    }
}

pub(super) fn unplaced(reason: &str) -> Unplaced {
    Unplaced {
        event: format!("was unable to place a task. Reason: {reason}"),
        reason: reason.to_owned(),
        arn: None,
    }
}

pub(super) const NONE: &str = "No Container Instances were found in your cluster.";

/// The instance for one more task.
pub(super) fn choose(
    here: &Here<'_>,
    cluster: &str,
    definition: &Definition,
    service: Option<&str>,
    rules: &Rules,
) -> Result<String, Unplaced> {
    let mut fits: Vec<(&Instance, Used)> = Vec::new();
    let mut closest: Option<(Lack, &Instance)> = None;
    for one in active(here, cluster) {
        let used = used(here, &one.arn);
        match lacks(here, one, &used, definition, service, rules) {
            None => fits.push((one, used)),
            Some(lack) if closest.is_none_or(|(other, _)| lack > other) => {
                closest = Some((lack, one));
            }
            Some(_) => {}
        }
    }
    let own = |one: &Instance, zone: bool| {
        let tasks = here.region.ecs.tasks.values().filter(|task| task.wanted());
        let same = tasks.filter(|task| task.service.as_deref() == service && service.is_some());
        same.filter(|task| {
            if zone { task.zone == one.zone } else { task.instance.as_ref() == Some(&one.arn) }
        })
        .count()
    };
    let best = fits.iter().min_by_key(|(one, used)| match rules.pack.as_deref() {
        Some("cpu") => (one.cpu - used.cpu, 0, &one.ec2),
        Some(_) => (one.memory - used.memory, 0, &one.ec2),
        None => (i64::try_from(own(one, true)).unwrap_or(0), own(one, false), &one.ec2),
    });
    if let Some((best, _)) = best {
        return Ok(best.arn.clone());
    }
    const HEAD: &str =
        "was unable to place a task because no container instance met all of its requirements.";
    const TAIL: &str =
        "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
    Err(match closest {
        None => Unplaced {
            event: format!("{HEAD} Reason: {NONE} {TAIL}"),
            reason: NONE.into(),
            arn: None,
        },
        Some((lack, one)) => {
            let (text, reason) = lack.texts();
            Unplaced {
                event: format!(
                    "{HEAD} The closest matching (container-instance {}) {text} {TAIL}",
                    last(&one.arn)
                ),
                reason: reason.to_owned(),
                arn: Some(one.arn.clone()),
            }
        }
    })
}

/// What a service or a RunTask says of placement.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// At most one task of the service on each instance.
    pub(super) distinct: bool,
    /// `cpu` or `memory`: pack the instances as full as they go.
    pub(super) pack: Option<String>,
}

impl Rules {
    pub(super) fn of(members: &serde_json::Map<String, Value>) -> Rules {
        let list = |member: &str| {
            members.get(member).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let daemon = members.get("schedulingStrategy").is_some_and(|one| one == "DAEMON");
        let distinct =
            list("placementConstraints").iter().any(|one| one["type"] == "distinctInstance");
        let pack = list("placementStrategy")
            .iter()
            .find(|one| one["type"] == "binpack")
            .and_then(|one| one["field"].as_str().map(str::to_lowercase));
        Rules { distinct: daemon || distinct, pack }
    }
}

/// The instances of a cluster that take tasks.
pub(super) fn active<'h>(here: &'h Here<'_>, cluster: &str) -> impl Iterator<Item = &'h Instance> {
    let cluster = cluster.to_owned();
    let all = here.region.ecs.instances.values();
    all.filter(move |one| one.cluster == cluster && one.status == "ACTIVE")
}

fn lacks(
    here: &Here<'_>,
    one: &Instance,
    used: &Used,
    definition: &Definition,
    service: Option<&str>,
    rules: &Rules,
) -> Option<Lack> {
    let mut own = on(here, &one.arn).filter(|task| task.wanted() && task.service.is_some());
    if rules.distinct && own.any(|task| task.service.as_deref() == service) {
        return Some(Lack::Distinct);
    }
    if used.cpu + definition.cpu > one.cpu {
        return Some(Lack::Cpu);
    }
    if used.memory + definition.memory > one.memory {
        return Some(Lack::Memory);
    }
    if used.gpus + definition.gpus > one.gpus {
        return Some(Lack::Gpu);
    }
    if definition.network_mode == "awsvpc" {
        return (used.enis >= one.enis).then_some(Lack::Eni);
    }
    let mut wanted = definition.containers.iter().flat_map(|container| &container.host_ports);
    wanted.any(|port| used.ports.contains(port)).then_some(Lack::Ports)
}

/// The tasks that stand on an instance.
pub(super) fn on<'h>(here: &'h Here<'_>, arn: &str) -> impl Iterator<Item = &'h Task> {
    let arn = arn.to_owned();
    here.region
        .ecs
        .tasks
        .values()
        .filter(move |task| task.instance.as_ref() == Some(&arn) && task.last_status != "STOPPED")
}

pub(super) fn used(here: &Here<'_>, arn: &str) -> Used {
    let mut used = Used::default();
    for task in on(here, arn) {
        used.cpu += task.cpu;
        used.memory += task.memory;
        used.gpus += task.gpus;
        used.enis += usize::from(task.network_mode == "awsvpc");
        used.ports.extend(task.containers.iter().flat_map(|one| &one.host_ports));
    }
    used
}

/// The host ports of the containers of a new task on an instance: those that the definition says, and
/// for each 0 the first that is free.
pub(super) fn ports(here: &Here<'_>, instance: &str, definition: &Definition) -> Vec<Vec<i64>> {
    let mut taken = used(here, instance).ports;
    let said = definition.containers.iter().flat_map(|one| &one.host_ports);
    taken.extend(said.filter(|port| **port > 0));
    let mut give = |said: i64| {
        if said > 0 {
            return said;
        }
        let free = (FIRST_PORT..).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT);
        taken.insert(free);
        free
    };
    definition
        .containers
        .iter()
        .map(|one| one.host_ports.iter().map(|port| give(*port)).collect())
        .collect()
}

/// The GPUs that the containers of a definition ask for.
pub(super) fn gpus(members: &serde_json::Map<String, Value>) -> i64 {
    let containers = members.get("containerDefinitions").and_then(Value::as_array);
    let wanted = containers.into_iter().flatten();
    let wanted = wanted.filter_map(|one| one["resourceRequirements"].as_array()).flatten();
    let own = wanted.filter(|one| one["type"] == "GPU");
    own.filter_map(|one| one["value"].as_str()?.parse::<i64>().ok()).sum()
}

/// What a task takes: what the definition says for all of it, or the sum of its containers.
pub(super) fn needs(members: &serde_json::Map<String, Value>) -> (i64, i64) {
    let containers = members.get("containerDefinitions").and_then(Value::as_array);
    let sum = |of: &dyn Fn(&Value) -> i64| containers.into_iter().flatten().map(of).sum::<i64>();
    let own = |member: &str| int(members.get(member)).filter(|amount| *amount > 0);
    let cpu = own("cpu").unwrap_or_else(|| sum(&|one| int(one.get("cpu")).unwrap_or(0)));
    let memory = own("memory").unwrap_or_else(|| {
        sum(&|one| int(one.get("memoryReservation").or(one.get("memory"))).unwrap_or(0))
    });
    (cpu, memory)
}
