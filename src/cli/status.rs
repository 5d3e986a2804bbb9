//! `status`: what serves, both sides, and the record.

use clap::Args;

use super::Globals;
use super::context::Context;
use crate::error::{Error, Refusal};
use crate::host::Host;
use crate::render::Render;

/// Show what serves: weights, tasks and target health of both sides, and how far a deployment has
/// come. Changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg status --cluster shop --service web --output json")]
pub(super) struct Status {
    /// Cluster, by name or ARN
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,
    /// Either service of the pair
    #[arg(long, value_name = "SERVICE")]
    service: String,
    /// The other service of the pair [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
}

pub(super) async fn run(
    status: Status,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let context = Context::connect(globals, host).await?;
    let survey = context.aws.survey(&status.cluster, &status.service, status.twin.as_deref()).await;
    context.save()?;
    let survey = survey?;
    if survey.world.service(&status.service).is_none() {
        let what = format!("cluster {} has no service {}", survey.cluster_name(), status.service);
        return Err(Refusal::new(
            what,
            format!("aws ecs list-services --cluster {}", survey.cluster_name()),
        )
        .into());
    }
    render.status(&survey);
    Ok(0)
}
