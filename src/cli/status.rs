//! `status`: what serves, both sides, and the record.

use clap::Args;

use super::context::Context;
use super::verbs::Pair;
use super::{Globals, Target};
use crate::drive::interrupt::or_interrupted;
use crate::error::Error;
use crate::host::Host;
use crate::ops::status::survey;
use crate::render::Render;

/// Show which version serves: traffic, tasks and target health of both sides, and the last or current
/// deployment. Changes nothing.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  ecs-bg status --cluster shop --service web --output json")]
pub(super) struct Status {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(
    status: Status,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Pair { cluster, service, twin } = status.target.pair()?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let surveying = survey(&context.aws, &cluster, &service, twin.as_deref());
    let survey = or_interrupted(&context.interrupts, surveying).await;
    context.save()?;
    match survey {
        Ok(survey) => render.status(&survey),
        Err(error) => return Err(context.explain(&cluster, error).await),
    }
    Ok(0)
}

/// One service among the events of another command.
pub(super) async fn line(
    cluster: &str,
    service: &str,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let context = Context::connect(globals, host).await?;
    render.status_line(&survey(&context.aws, cluster, service, None).await?);
    Ok(0)
}
