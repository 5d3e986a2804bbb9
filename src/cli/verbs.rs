//! `resume`, `rollback`, `abort`, `promote`: commands about a deployment, from any machine.

use clap::Args;

use super::context::Context;
use super::{Globals, Target};
use crate::drive::claim::OnConflict;
use crate::drive::{OnCancel, Setting};
use crate::event::Error;
use crate::host::Host;
pub(super) use crate::ops::verbs::Target as Pair;
use crate::ops::verbs::{self, Verb};
use crate::render::Render;
use crate::request::names::{Names, is_service};

/// Continue a deployment that was killed or is stuck.
///
/// Does nothing, and exits with 0, if no deployment is in progress. `ecs-bg status` shows whether there is one.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg resume --cluster shop --service web",
    override_usage = "ecs-bg resume --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Resume {
    #[command(flatten)]
    target: Target,
    /// What to do if another process runs this deployment
    #[arg(long, value_enum, default_value_t = OnConflict::Refuse, value_name = "WHAT")]
    on_conflict: OnConflict,
    /// Continue from the weights that the rules have now, even if somebody else changed them
    #[arg(long)]
    accept_drift: bool,
    /// Go on without the checks and alarms that the deployment began with
    #[arg(long)]
    skip_checks: bool,
}

/// Roll back to the version before.
///
/// Rolls back a deployment that is in progress. If none is, deploys what served before the last one. In a cleanup
/// step, use `abort`: it never undoes a deployment that has ended.
///
/// There is no --dry-run. Look first: `ecs-bg status` shows what serves, and `ecs-bg history` what served before.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg rollback --cluster shop --service web",
    override_usage = "ecs-bg rollback --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Rollback {
    #[command(flatten)]
    target: Target,
    /// Deploy this revision; or, with two services, give this service all the traffic [default: the revision that
    /// served before]
    #[arg(long, value_name = "FAMILY:REVISION|SERVICE")]
    to: Option<String>,
    /// With two services: move the traffic as soon as one task of the old version is healthy
    #[arg(long)]
    now: bool,
}

/// Stop the old service that `deploy --keep-old` kept running.
///
/// Stops nothing, and exits with 4, while the service that serves is unhealthy.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg retire --cluster shop --service web",
    override_usage = "ecs-bg retire --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Retire {
    #[command(flatten)]
    target: Target,
}

/// Roll back a deployment that is in progress.
///
/// Does nothing, and exits with 0, if none is. To undo a deployment that has ended, use `rollback`.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg abort --cluster shop --service web",
    override_usage = "ecs-bg abort --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Abort {
    #[command(flatten)]
    target: Target,
}

/// End the current step, pause or bake of a deployment.
///
/// With two services (listener): ends the step of --shares, the pause or the bake. If ECS shifts the traffic
/// (native): ends a pause. With rolling there is nothing to promote. Does nothing, and exits with 0, if no
/// deployment is in progress.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg promote --cluster shop --service web",
    override_usage = "ecs-bg promote --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Promote {
    #[command(flatten)]
    target: Target,
}

/// A verb that was typed.
pub(super) trait Typed {
    /// What it asks for, for which pair, and whether it goes on from what the rules show.
    fn verb(self) -> Result<(Verb, Pair, bool), Error>;
}

impl Typed for Resume {
    fn verb(self) -> Result<(Verb, Pair, bool), Error> {
        let Self { target, on_conflict, accept_drift, skip_checks } = self;
        Ok((Verb::Resume { on_conflict, skip_checks }, target.pair()?, accept_drift))
    }
}

impl Typed for Rollback {
    fn verb(self) -> Result<(Verb, Pair, bool), Error> {
        let mut pair = self.target.pair()?;
        // A revision has names of its own.
        let to = match self.to {
            Some(to) if is_service(&to) => {
                let names = Names::new(("--cluster", &pair.cluster), &[("--to", &to)]);
                let names = names.map_err(Error::Usage)?;
                pair.cluster = names.cluster;
                names.services.into_iter().next()
            }
            to => to,
        };
        // Back is where it goes from any weight.
        Ok((Verb::Rollback { to, now: self.now }, pair, true))
    }
}

impl Typed for Retire {
    fn verb(self) -> Result<(Verb, Pair, bool), Error> {
        Ok((Verb::Retire, self.target.pair()?, false))
    }
}

impl Typed for Abort {
    fn verb(self) -> Result<(Verb, Pair, bool), Error> {
        Ok((Verb::Abort, self.target.pair()?, true))
    }
}

impl Typed for Promote {
    fn verb(self) -> Result<(Verb, Pair, bool), Error> {
        Ok((Verb::Promote, self.target.pair()?, false))
    }
}

pub(super) async fn run(
    typed: impl Typed,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let (verb, target, accept_drift) = typed.verb()?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&target.cluster)?;
    let setting = context.setting(&target.cluster, OnCancel::Rollback);
    let setting = Setting { accept_drift, ..setting };
    let mut emit = |event| render.event(&event);
    let result = verbs::run(&verb, &target, &setting, &mut emit).await;
    Ok(context.finish(&target.cluster, result).await?.exit_code)
}
