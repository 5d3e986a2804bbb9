//! `run`: a one-off task, from its start to its end.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::{DURATION, Globals, Place};
use crate::drive::OnCancel;
use crate::error::Usage;
use crate::event::Error;
use crate::host::Host;
use crate::ops;
use crate::ops::run::OneOff;
use crate::render::{Render, words};
use crate::request::duration;
use crate::request::edits::{self, Base, Edits, Hidden};
use crate::request::names::Names;

/// Run a one-off task and wait for its end.
///
/// The task runs like the service's tasks: same revision, network, capacity and platform.
///
/// The exit code is the container's, or 125 if that is larger; 126 if the container has none or --timeout stopped
/// the task; 130 if you interrupted it; 2 or 3 also if ecs-bg refused and started nothing.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLE, after_help = DURATION, override_usage = "ecs-bg run --cluster <CLUSTER> (--service <SERVICE> | --task-definition <FAMILY>) [OPTIONS]")]
pub(super) struct Run {
    /// Cluster, by name or ARN [default: that of --service CLUSTER/SERVICE, or ECS_BG_CLUSTER]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Service name, CLUSTER/SERVICE or ARN: the task gets its revision, network, capacity and platform
    /// [default: ECS_BG_SERVICE, unless --task-definition is given]
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Task definition to run: FAMILY, FAMILY:REVISION or its ARN [default: the service's]
    #[arg(long, value_name = "FAMILY")]
    task_definition: Option<String>,
    /// Default container of the other options; its exit code becomes ours [default: the only one, or the
    /// one with a command, or the first essential one]
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Command, split into words as a shell would, or a JSON array
    #[arg(long, value_name = "[CONTAINER:]COMMAND")]
    command: Vec<Hidden>,
    /// Set a variable; may be repeated. Anyone with ecs:DescribeTasks can read it
    #[arg(long, value_name = "[CONTAINER:]NAME=VALUE")]
    env: Vec<Hidden>,
    /// Subnet of the task, if its network mode is awsvpc; may be repeated [default: the service's]
    #[arg(long, value_name = "SUBNET")]
    subnet: Vec<String>,
    /// Security group of the task; may be repeated [default: the service's]
    #[arg(long, value_name = "GROUP")]
    security_group: Vec<String>,
    /// Give the task a public address
    #[arg(long)]
    assign_public_ip: bool,
    /// Launch type [default: the service's, or the cluster's default]
    #[arg(long, value_name = "TYPE", value_parser = ["FARGATE", "EC2", "EXTERNAL"])]
    launch_type: Option<String>,
    /// CPU units of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]UNITS")]
    cpu: Vec<String>,
    /// Memory in MiB of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]MIB")]
    memory: Vec<String>,
    /// Number of tasks
    #[arg(long, default_value_t = 1, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(1..=10))]
    count: u32,
    /// Stop the task after this long
    #[arg(long, default_value = "1h", value_name = "DURATION", conflicts_with = "no_wait")]
    timeout: String,
    /// Start the task and exit
    #[arg(long)]
    no_wait: bool,
    /// Do not show what the task's containers log (with the driver awslogs)
    #[arg(long, conflicts_with = "no_wait")]
    no_logs: bool,
    /// What the first SIGINT or SIGTERM does; a second one stops at once
    #[arg(long, value_enum, default_value_t = Cancel::Stop, value_name = "WHAT", conflicts_with = "no_wait")]
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
    let (cluster, service) = match (arguments.service, &arguments.task_definition) {
        (None, Some(_)) => (super::cluster(arguments.cluster, None)?, None),
        (service, _) => {
            let place = Place { cluster: arguments.cluster, service };
            place.named().map(|(cluster, service)| (cluster, Some(service)))?
        }
    };
    let service = service.as_deref().map(|service| ("--service", service));
    let named = Names::new(("--cluster", &cluster), service.as_slice());
    let Names { cluster, services } = named.map_err(Error::Usage)?;
    let timeout = duration("--timeout", &arguments.timeout).map_err(Error::Usage)?;
    let task = OneOff {
        cluster,
        service: services.into_iter().next(),
        task_definition: arguments.task_definition,
        container: arguments.container,
        command: arguments.command,
        env: arguments.env,
        subnet: arguments.subnet,
        security_group: arguments.security_group,
        assign_public_ip: arguments.assign_public_ip,
        launch_type: arguments.launch_type,
        cpu: arguments.cpu,
        memory: arguments.memory,
        count: arguments.count,
        timeout,
        no_wait: arguments.no_wait,
        no_logs: arguments.no_logs,
        hold: arguments.on_cancel == Cancel::Hold,
    };
    if timeout.is_zero() {
        let what = "--timeout: `0` leaves no time to start a task";
        return Err(Error::Usage(Usage::new(what, words::again(&task.command(), "--timeout 1h"))));
    }
    let context = Context::connect(globals, host).await?;
    context.check_region(&task.cluster)?;
    let setting = context.setting(&task.cluster, OnCancel::Hold);
    let mut emit = |event| render.event(&event);
    let result = ops::run::run(&task, &edits, &setting, &mut emit).await;
    Ok(context.finish(&task.cluster, result).await?.exit_code)
}
