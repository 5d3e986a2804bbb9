//! `run`: a one-off task, from its start to its end.

use clap::{Args, ValueEnum};

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
use crate::revision::short;

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
        let refusal = Refusal::new("--timeout: `0` leaves no time to start a task", "--timeout 1h");
        return Err(Error::Usage(refusal));
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
        let hint = format!("--container {}", names.first().map_or("NAME", |name| name));
        return Err(Refusal::new(what, hint).into());
    }
    if service.is_none() && needs_network(&base.raw) {
        let what = format!(
            "{} has the network mode awsvpc: its task needs subnets and security groups",
            base.name
        );
        return Err(Refusal::new(what, "--service SERVICE, whose network it is to have").into());
    }
    let placed = edits.place(&base, &arguments.container.iter().collect())?;
    let id = random_id();
    let body = order(&setting.cluster, &base.arn, service.as_ref(), &placed, arguments.count, &id)?;
    let container = counting(&base.raw, arguments.container.as_deref(), &placed);
    let logs = (!arguments.no_logs).then(|| base.raw.clone());
    Ok(Order { body, container: container.unwrap_or_default(), logs })
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
