//! `status`: what serves, both sides, and the record.

use clap::Args;

use super::context::Context;
use super::{Globals, Target};
use crate::aws::{Aws, AwsError, Focus, Pair};
use crate::error::{Error, Refusal};
use crate::host::Host;
use crate::plan::Survey;
use crate::render::Render;
use crate::world::Look;

/// Show what serves: weights, tasks and target health of both sides, and how far a deployment has
/// come. Changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg status --cluster shop --service web --output json")]
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
    let Target { cluster, service, twin } = status.target;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let survey = context.aws.survey(&cluster, &service, twin.as_deref()).await;
    let survey = match survey {
        Ok(survey) if survey.twin.is_none() => looked_at(&context.aws, survey).await,
        survey => survey,
    };
    context.save()?;
    let survey = survey?;
    if survey.world.service(&service).is_none() {
        let what = format!("cluster {} has no service {}", survey.cluster_name(), service);
        return Err(Refusal::new(
            what,
            format!("aws ecs list-services --cluster {}", survey.cluster_name()),
        )
        .into());
    }
    render.status(&survey);
    Ok(0)
}

/// The survey of a service alone leaves out its targets.
async fn looked_at(aws: &Aws, survey: Survey) -> Result<Survey, AwsError> {
    let pair = Pair { cluster: survey.cluster.clone(), services: vec![survey.service.clone()] };
    let focus = Focus { health: pair.services.clone(), ..Focus::default() };
    let world = aws.look(&pair, Look::Glance, &focus, &survey.world).await?;
    Ok(Survey { world, ..survey })
}
