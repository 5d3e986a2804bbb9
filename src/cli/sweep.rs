//! `sweep`: from the command line to the abandoned deployments of a cluster.

use clap::Args;

use super::context::Context;
use super::{Globals, cluster};
use crate::drive::OnCancel;
use crate::event::Error;
use crate::host::Host;
use crate::ops::sweep;
use crate::render::Render;
use crate::request::names::Names;

/// End deployments of two services that no process drives any more.
///
/// Looks at every pair of the cluster that names each other in the tag `ecs-bg:twin`. If the process of a
/// deployment gave no sign of life for 10 minutes, sweep ends the deployment: it finishes it if the new version
/// has all the traffic and was watched for --bake, and rolls it back if not. Run it on a schedule.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg sweep --cluster shop",
    override_usage = "ecs-bg sweep --cluster <CLUSTER> [OPTIONS]"
)]
pub(super) struct Sweep {
    /// Cluster, by name or ARN [default: ECS_BG_CLUSTER]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

pub(super) async fn run(
    typed: Sweep,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let cluster = cluster(typed.cluster, None)?;
    let names = Names::new(("--cluster", &cluster), &[]).map_err(Error::Usage)?;
    let cluster = names.cluster;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let setting = context.setting(&cluster, OnCancel::Hold);
    let mut emit = |event| render.event(&event);
    let result = sweep::run(&setting, &mut emit).await;
    Ok(context.finish(&cluster, result).await?.exit_code)
}
