//! `history`: the last deployments of a service or a pair.

use clap::Args;

use super::context::Context;
use super::verbs::Pair;
use super::{Globals, Target};
use crate::drive::interrupt::or_interrupted;
use crate::event::Error;
use crate::host::Host;
use crate::ops::history::history;
use crate::render::Render;

/// Show the last deployments of a service.
///
/// Shows the revision, the outcome, the time, the duration, the images, by whom, and why a deployment was rolled
/// back. Reads the records that ecs-bg keeps in the tags of revisions, and what ECS keeps of its own deployments
/// for 90 days. Changes nothing.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  ecs-bg history --cluster shop --service web\n  ecs-bg history --cluster shop --service web --limit 30 --output json",
    override_usage = "ecs-bg history --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct History {
    #[command(flatten)]
    target: Target,
    /// How many deployments
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
}

pub(super) async fn run(
    typed: History,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Pair { cluster, service, twin } = typed.target.pair()?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let reading = history(&context.aws, &cluster, &service, twin.as_deref(), typed.limit);
    let read = or_interrupted(&context.interrupts, reading).await;
    render.history(&context.finish(&cluster, read).await?);
    Ok(0)
}
