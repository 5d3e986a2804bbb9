//! `run`: a one-off task, from its start to its end.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Globals;
use super::context::Context;
use super::deploy::random_id;
use crate::edits::{self, Base, Edits, Hidden};
use crate::engine::{OnCancel, Setting};
use crate::error::{Error, Refusal};
use crate::event::{Ended, Kind};
use crate::host::Host;
use crate::oneoff::{Finished, Order, counting, follow, needs_network, order, start};
use crate::render::Render;
use crate::request::{cluster, duration};
use crate::revision::{Revision, short};

/// Run a one-off task and wait for its end.
///
/// It runs as the service's tasks do: the same revision, network, capacity and platform. The exit code
/// is that of its container (125 for larger ones), 126 when it has none, 130 when it was interrupted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Run {
    /// Cluster, by name or ARN
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,
    /// Service whose revision, network, capacity and platform the task gets
    #[arg(long, value_name = "SERVICE", required_unless_present = "task_definition")]
    service: Option<String>,
    /// Task definition to run: FAMILY, FAMILY:REVISION or its ARN [default: the service's]
    #[arg(long, value_name = "FAMILY")]
    task_definition: Option<String>,
    /// Container that is meant where none is named, and whose exit code counts [default: the only one,
    /// or the one with a command, or the first essential one]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Command, parted as a shell does it or a JSON array
    #[arg(long, value_name = "[CONTAINER:]COMMAND")]
    command: Vec<Hidden>,
    /// Set a variable; may be repeated. Whoever may describe the task can read it
    #[arg(long, value_name = "[CONTAINER:]NAME=VALUE")]
    env: Vec<Hidden>,
    /// Subnet of the task, where its network mode is awsvpc; may be repeated [default: the service's]
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// Security group of the task; may be repeated [default: the service's]
    #[arg(long, value_name = "GROUP")]
    security_group: Vec<String>,
    /// Give the task a public address
    #[arg(long)]
    assign_public_ip: bool,
    /// Where it runs [default: as the service's tasks, or the cluster's default]
    #[arg(long, value_name = "TYPE", value_parser = ["FARGATE", "EC2", "EXTERNAL"])]
    launch_type: Option<String>,
    /// CPU units of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]UNITS")]
    cpu: Vec<String>,
    /// Memory in MiB of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]MIB")]
    memory: Vec<String>,
    /// How many tasks
    #[arg(long, default_value_t = 1, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(1..=10))]
    count: u32,
    /// How long it may take; then it is stopped
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    timeout: String,
    /// Leave it alone once it has been started
    #[arg(long)]
    no_wait: bool,
    /// Do not show what the task's containers log (with the driver awslogs)
    #[arg(long)]
    no_logs: bool,
    /// What a first SIGINT or SIGTERM means; a second one leaves at once
    #[arg(long, value_enum, default_value_t = Cancel::Stop, value_name = "WHAT")]
    on_cancel: Cancel,
}

/// `--on-cancel`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cancel {
    /// Stop the task
    Stop,
    /// Leave it running
    Hold,
}

const EXAMPLE: &str = "\
Example:
  ecs-bg run --cluster shop --service web --container web --command 'rake db:migrate'";

pub(super) async fn run(
    arguments: Run,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let typed = edits::Typed {
        env: arguments.env.clone(),
        commands: arguments.command.clone(),
        cpu: arguments.cpu.clone(),
        memory: arguments.memory.clone(),
        from: Base::Service,
        ..edits::Typed::default()
    };
    let edits = Edits::new(&typed).map_err(Error::Usage)?;
    let cluster = cluster(&arguments.cluster).map_err(Error::Usage)?;
    let timeout = duration("--timeout", &arguments.timeout).map_err(Error::Usage)?;
    if timeout.is_zero() {
        let what = "--timeout: `0` leaves no time to start a task";
        return Err(Error::Usage(Refusal::new(what, arguments.again("--timeout 1h"))));
    }
    let context = Context::connect(globals, host).await?;
    let setting = context.setting(&cluster, OnCancel::Hold, host);
    let result = async {
        let order = ordered(&arguments, &edits, &setting).await?;
        let (tasks, failures) = start(&setting, &order).await?;
        for why in failures {
            render.tell(setting.clock, Kind::Warning { what: format!("one task less: {why}") });
        }
        let ids: Vec<&str> = tasks.iter().map(|task| short(&task.arn)).collect();
        let what = format!("{} of {}", ids.join(", "), short(&tasks[0].revision));
        render.tell(setting.clock, Kind::Changed { step: "start".into(), what: what.clone() });
        let lacking = (tasks.len() as u32) < arguments.count;
        let finished = match arguments.no_wait {
            true => Finished {
                outcome: "started",
                code: 0,
                what: format!("started, and not waited for: {what}"),
                why: None,
                interrupted: false,
            },
            false => {
                let hold = arguments.on_cancel == Cancel::Hold;
                let mut tell = |kind| render.tell(setting.clock, kind);
                follow(&setting, &order, tasks, timeout, hold, &mut tell).await
            }
        };
        Ok(told(finished, lacking, &setting, render))
    };
    let result = result.await;
    context.save()?;
    result
}

/// What is asked of RunTask; what is wrong is found out before it is.
async fn ordered(arguments: &Run, edits: &Edits, setting: &Setting<'_>) -> Result<Order, Error> {
    let service = match &arguments.service {
        None => None,
        Some(name) => {
            let found = setting.aws.service(&setting.cluster, name).await?;
            Some(found.ok_or_else(|| {
                let what = format!("cluster {} has no service {name}", short(&setting.cluster));
                let hint = format!("aws ecs list-services --cluster {}", short(&setting.cluster));
                Refusal::new(what, hint)
            })?)
        }
    };
    let own = service.as_ref().map(|service| service.revision.as_str()).unwrap_or_default();
    let name = arguments.task_definition.as_deref().unwrap_or(own);
    let base = setting.aws.known_revision(name).await?;
    let names: Vec<&String> = base.containers.iter().map(|(name, _)| name).collect();
    if let Some(named) = arguments.container.as_ref().filter(|named| !names.contains(named)) {
        let listed: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let what =
            format!("{} has no container `{named}`; it has {}", base.name, listed.join(", "));
        let first = names.first().map_or("NAME", |name| name);
        let hint = arguments.again(&format!("--container {first}"));
        return Err(Refusal::new(what, hint).into());
    }
    let placed = edits.place(&base, &arguments.container.iter().collect())?;
    let id = random_id();
    let mut body =
        order(&setting.cluster, &base.arn, service.as_ref(), &placed, arguments.count, &id)?;
    place(arguments, &base, &mut body)?;
    let container = counting(&base.raw, arguments.container.as_deref(), &placed);
    let logs = (!arguments.no_logs).then(|| base.raw.clone());
    Ok(Order { body, container: container.unwrap_or_default(), logs })
}

/// Where the task runs: what was typed wins over what the service says.
fn place(arguments: &Run, base: &Revision, body: &mut Value) -> Result<(), Refusal> {
    if let Some(launch_type) = &arguments.launch_type {
        launch(body, launch_type);
    }
    let Run { subnet, security_group, assign_public_ip, .. } = arguments;
    let typed = !subnet.is_empty() || !security_group.is_empty() || *assign_public_ip;
    let is_own = needs_network(&base.raw);
    if typed && !is_own {
        let what = format!(
            "{} has not the network mode awsvpc: its task has the network of its container instance, \
             not a subnet, security groups or a public address of its own",
            base.name
        );
        return Err(Refusal::new(what, arguments.again("")));
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
        let what = format!("{} has the network mode awsvpc: its task needs subnets", base.name);
        let groups = if security_group.is_empty() {
            "GROUP"
        } else {
            &security_group.join(" --security-group ")
        };
        let mut more = format!("--subnet SUBNET --security-group {groups}");
        let definition = serde_json::from_str::<Value>(&base.raw).unwrap_or_default();
        let wants = &definition["taskDefinition"]["requiresCompatibilities"];
        let chosen =
            ["launchType", "capacityProviderStrategy"].iter().any(|one| body.get(one).is_some());
        if !chosen && *wants == json!(["FARGATE"]) {
            more.push_str(" --launch-type FARGATE");
        }
        return Err(Refusal::new(what, arguments.again(&more)));
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

impl Run {
    /// The same command with something more. Values that may be secret are left for the user to fill in.
    fn again(&self, more: &str) -> String {
        let mut words = format!("ecs-bg run --cluster {}", self.cluster);
        let given = |option: &str| more.split(' ').any(|word| word == option);
        let mut add = |option: &str, value: &str| {
            if !given(option) {
                words.push_str(&format!(" {option} {value}"));
            }
        };
        let once = [
            ("--service", &self.service),
            ("--task-definition", &self.task_definition),
            ("--container", &self.container),
            ("--launch-type", &self.launch_type),
        ];
        for (option, value) in once {
            value.iter().for_each(|value| add(option, value));
        }
        self.command.iter().for_each(|_| add("--command", "'COMMAND'"));
        self.env.iter().for_each(|_| add("--env", "NAME=VALUE"));
        self.cpu.iter().for_each(|cpu| add("--cpu", cpu));
        self.memory.iter().for_each(|memory| add("--memory", memory));
        if self.count != 1 {
            add("--count", &self.count.to_string());
        }
        format!("{words} {more}").trim_end().to_owned()
    }
}

fn told(finished: Finished, lacking: bool, setting: &Setting<'_>, render: &Render<'_>) -> u8 {
    let Finished { outcome, code, what, why, interrupted } = finished;
    // Fewer tasks than were asked for are no success.
    let code = if lacking && code == 0 { crate::oneoff::NO_CODE } else { code };
    let ended = Ended {
        outcome: outcome.to_owned(),
        exit_code: code,
        interrupted,
        what,
        why,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    };
    render.tell(setting.clock, Kind::Outcome(Box::new(ended)));
    code
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
