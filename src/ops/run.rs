//! `run`: a one-off task, from the options to its end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::drive::Setting;
use crate::drive::interrupt::or_interrupted;
use crate::drive::random_id;
use crate::drive::task::{Finished, NO_CODE, follow, start};
use crate::error::FailureKind;
use crate::event::refusal::{OneOffRefused, RunCommand, ServiceRefused};
use crate::event::{Change, Ended, Ending, Error, Event, Kind, Location, Refusal, Warning};
use crate::model::arn::{self, short};
use crate::model::revision::Revision;
use crate::model::world::Service;
use crate::plan::live;
use crate::plan::run_task::{Order, needs_network, order};
use crate::request::Request;
use crate::request::before::counting;
use crate::request::edits::{Edits, Hidden};

/// What was asked for, as it was typed.
#[derive(Clone, Debug)]
pub struct OneOff {
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// The service whose revision, network, capacity and platform the task gets.
    pub service: Option<String>,
    /// The task definition, where it is another one than the service's.
    pub task_definition: Option<String>,
    /// The container that is meant where none is named, and whose exit code counts.
    pub container: Option<String>,
    /// `--command`, repeated.
    pub command: Vec<Hidden>,
    /// `--env`, repeated.
    pub env: Vec<Hidden>,
    /// Subnets, where the task has a network of its own.
    pub subnet: Vec<String>,
    /// Security groups.
    pub security_group: Vec<String>,
    /// Whether it gets a public address.
    pub assign_public_ip: bool,
    /// Where it runs.
    pub launch_type: Option<String>,
    /// `--cpu`, repeated.
    pub cpu: Vec<String>,
    /// `--memory`, repeated.
    pub memory: Vec<String>,
    /// How many tasks.
    pub count: u32,
    /// How long it may take; then it is stopped.
    pub timeout: Duration,
    /// Leave it alone once it has been started.
    pub no_wait: bool,
    /// Do not show what its containers log.
    pub no_logs: bool,
    /// Leave it running when the user asks us to stop.
    pub hold: bool,
}

/// Runs it to its end. `edits` are the overrides that were typed.
pub async fn run(
    task: &OneOff,
    edits: &Edits,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let ordering = ordered(task, edits, setting);
    let (order, warning) = or_interrupted(&setting.interrupts, ordering).await?;
    setting.tell(emit, Kind::Location(location(task, &order)));
    if let Some(warning) = warning {
        setting.tell(emit, Kind::Warning(warning));
    }
    let (tasks, failures) = start(setting, &order).await?;
    for reason in failures {
        setting.tell(emit, Kind::Warning(Warning::TaskNotStarted { reason }));
    }
    let ids: Vec<String> = tasks.iter().map(|task| short(&task.arn).to_owned()).collect();
    let revision = short(&tasks[0].revision).to_owned();
    let change = Change::TasksStarted { tasks: ids.clone(), revision: revision.clone() };
    setting.tell(emit, Kind::Changed { step: "start", change });
    let lacking = (tasks.len() as u32) < task.count;
    let finished = match task.no_wait {
        true => Finished {
            ending: Ending::Started { tasks: ids, revision },
            code: 0,
            why: None,
            interrupted: false,
        },
        false => {
            let mut tell = |kind| setting.tell(emit, kind);
            follow(setting, &order, tasks, task.timeout, task.hold, &mut tell).await
        }
    };
    Ok(told(finished, lacking, setting, emit))
}

/// Where it runs, as the ARN of its revision says.
fn location(task: &OneOff, order: &Order) -> Location {
    let revision = order.body["taskDefinition"].as_str().unwrap_or_default();
    let place = arn::place(revision);
    Location {
        service: task.service.clone().unwrap_or_else(|| short(revision).to_owned()),
        cluster: short(&task.cluster).to_owned(),
        account: place.map(|(account, _)| account.to_owned()),
        region: place.map(|(_, region)| region.to_owned()),
    }
}

/// What is asked of RunTask; what is wrong is found out before it is.
async fn ordered(
    arguments: &OneOff,
    edits: &Edits,
    setting: &Setting<'_>,
) -> Result<(Order, Option<Warning>), Error> {
    let (service, warning) = match &arguments.service {
        None => (None, None),
        Some(name) => {
            let runs_its_revision = arguments.task_definition.is_none();
            let (service, warning) = serving(setting, name, runs_its_revision).await?;
            (Some(service), warning)
        }
    };
    let own = service.as_ref().map(|service| service.revision.as_str()).unwrap_or_default();
    let name = arguments.task_definition.as_deref().unwrap_or(own);
    let base = setting.aws.known_revision(name).await?;
    let names: Vec<&String> = base.containers.iter().map(|(name, _)| name).collect();
    if let Some(named) = arguments.container.as_ref().filter(|named| !names.contains(named)) {
        let why = OneOffRefused::NoContainer {
            revision: base.name.clone(),
            container: named.clone(),
            containers: names.into_iter().cloned().collect(),
            asked: Box::new(arguments.command()),
        };
        return Err(Refusal::new(why).into());
    }
    let placed = edits.place(&base, &arguments.container.iter().collect()).map_err(Refusal::new)?;
    let id = random_id();
    let mut body =
        order(&setting.cluster, &base.arn, service.as_ref(), &placed, arguments.count, &id)?;
    place(arguments, &base, &mut body)?;
    let container = counting(&base.raw, arguments.container.as_deref(), &placed);
    let logs = (!arguments.no_logs).then(|| base.raw.clone());
    Ok((Order { body, container: container.unwrap_or_default(), logs }, warning))
}

/// The service of this name. Where it is one side of a pair whose revision the task is to run, the side that serves,
/// or a warning that nobody can tell which one does.
async fn serving(
    setting: &Setting<'_>,
    name: &str,
    runs_its_revision: bool,
) -> Result<(Service, Option<Warning>), Error> {
    let found = setting.aws.service(&setting.cluster, name).await?;
    let service = found.ok_or_else(|| {
        let (service, cluster) = (name.to_owned(), short(&setting.cluster).to_owned());
        Refusal::new(ServiceRefused::NoService { service, cluster })
    })?;
    let Some(twin) = service.tags.get("ecs-bg:twin").filter(|_| runs_its_revision).cloned() else {
        return Ok((service, None));
    };
    let survey = match setting.aws.survey(&setting.cluster, name, None).await {
        Ok(survey) => Some(survey),
        Err(failure) if failure.kind == FailureKind::Denied => None,
        Err(failure) => return Err(failure.into()),
    };
    let side = survey.as_ref().and_then(|survey| match survey.open_record() {
        // Until its end, the new version is on trial.
        Some(Ok(record)) => survey.world.service(&record.blue),
        _ => live(&Request::back(&setting.cluster, name, survey.twin.as_deref()), survey).ok(),
    });
    match side {
        Some(side) => Ok((side.clone(), None)),
        None => Ok((service, Some(Warning::ServingSideUnknown { service: name.to_owned(), twin }))),
    }
}

/// Where the task runs: what was typed wins over what the service says.
fn place(arguments: &OneOff, base: &Revision, body: &mut Value) -> Result<(), Refusal> {
    if let Some(launch_type) = &arguments.launch_type {
        launch(body, launch_type);
    }
    let OneOff { subnet, security_group, assign_public_ip, .. } = arguments;
    let typed = !subnet.is_empty() || !security_group.is_empty() || *assign_public_ip;
    let is_own = needs_network(&base.raw);
    if typed && !is_own {
        let (revision, asked) = (base.name.clone(), Box::new(arguments.command()));
        return Err(Refusal::new(OneOffRefused::NoOwnNetwork { revision, asked }));
    }
    if typed {
        let network = &mut body["networkConfiguration"]["awsvpcConfiguration"];
        for (member, ids) in [("subnets", subnet), ("securityGroups", security_group)] {
            if !ids.is_empty() {
                network[member] = json!(ids);
            }
        }
        if *assign_public_ip {
            network["assignPublicIp"] = json!("ENABLED");
        }
    }
    let subnets = body.pointer("/networkConfiguration/awsvpcConfiguration/subnets");
    if is_own && subnets.is_none_or(|subnets| subnets == &json!([])) {
        let definition = serde_json::from_str::<Value>(&base.raw).unwrap_or_default();
        let wants = &definition["taskDefinition"]["requiresCompatibilities"];
        let is_chosen =
            ["launchType", "capacityProviderStrategy"].iter().any(|one| body.get(one).is_some());
        return Err(Refusal::new(OneOffRefused::NeedsSubnets {
            revision: base.name.clone(),
            groups: security_group.clone(),
            needs_fargate: !is_chosen && *wants == json!(["FARGATE"]),
            asked: Box::new(arguments.command()),
        }));
    }
    Ok(())
}

/// The launch type, without what a service has that goes with another one only.
fn launch(body: &mut Value, launch_type: &str) {
    let others: &[&str] = match launch_type {
        "FARGATE" => &["capacityProviderStrategy", "placementConstraints", "placementStrategy"],
        _ => &["capacityProviderStrategy", "platformVersion"],
    };
    if let Some(members) = body.as_object_mut() {
        others.iter().for_each(|other| drop(members.remove(*other)));
        members.insert("launchType".into(), json!(launch_type));
    }
}

impl OneOff {
    /// The command, without what may be secret.
    pub fn command(&self) -> RunCommand {
        RunCommand {
            cluster: self.cluster.clone(),
            service: self.service.clone(),
            revision: self.task_definition.clone(),
            container: self.container.clone(),
            launch_type: self.launch_type.clone(),
            commands: self.command.len(),
            variables: self.env.len(),
            cpu: self.cpu.clone(),
            memory: self.memory.clone(),
            count: self.count,
        }
    }
}

fn told(
    finished: Finished,
    lacking: bool,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    let Finished { ending, code, why, interrupted } = finished;
    // Fewer tasks than were asked for are no success.
    let code = if lacking && code == 0 { NO_CODE } else { code };
    let ended = Ended {
        ending,
        exit_code: code,
        interrupted,
        why,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    };
    setting.tell(emit, Kind::Outcome(Box::new(ended.clone())));
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launch_type_leaves_what_goes_with_it() {
        let service = json!({
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}],
            "platformVersion": "1.4.0",
            "placementStrategy": [{"type": "random"}],
            "count": 1,
        });
        let launched = |launch_type| {
            let mut body = service.clone();
            launch(&mut body, launch_type);
            body
        };
        let fargate = json!({"platformVersion": "1.4.0", "count": 1, "launchType": "FARGATE"});
        assert_eq!(launched("FARGATE"), fargate);
        let own =
            json!({"placementStrategy": [{"type": "random"}], "count": 1, "launchType": "EC2"});
        assert_eq!(launched("EC2"), own);
    }
}
