//! What serves, and how far a deployment has come.

use crate::aws::{Aws, Focus, Pair};
use crate::error::Error;
use crate::error::Failure;
use crate::model::reads::Part;
use crate::model::world::Look;
use crate::plan::Survey;

/// Looks at a service, its twin, and their record.
pub async fn survey(
    aws: &Aws,
    cluster: &str,
    service: &str,
    twin: Option<&str>,
) -> Result<Survey, Error> {
    let survey = match aws.survey(cluster, service, twin).await? {
        survey if survey.twin.is_none() => looked_at(aws, survey).await?,
        survey => survey,
    };
    survey.known(service)?;
    twin.map_or(Ok(()), |twin| survey.known(twin))?;
    Ok(survey)
}

/// The survey of a service alone leaves out its targets.
async fn looked_at(aws: &Aws, survey: Survey) -> Result<Survey, Failure> {
    let pair = Pair { cluster: survey.cluster.clone(), services: vec![survey.service.clone()] };
    let focus = Focus { health: pair.services.clone(), ..Focus::default() };
    let world = aws.look(&pair, Look::Glance, vec![Part::Services], &focus, &survey.world).await?;
    Ok(Survey { world, ..survey })
}
