//! What serves, and how far a deployment has come.

use crate::aws::{Aws, Focus, Pair};
use crate::error::Failure;
use crate::error::{Error, Refusal};
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
    if survey.world.service(service).is_none() {
        let name = survey.cluster_name();
        let what = format!("cluster {name} has no service {service}");
        return Err(Refusal::new(what, format!("aws ecs list-services --cluster {name}")).into());
    }
    Ok(survey)
}

/// The survey of a service alone leaves out its targets.
async fn looked_at(aws: &Aws, survey: Survey) -> Result<Survey, Failure> {
    let pair = Pair { cluster: survey.cluster.clone(), services: vec![survey.service.clone()] };
    let focus = Focus { health: pair.services.clone(), ..Focus::default() };
    let world = aws.look(&pair, Look::Glance, &focus, &survey.world).await?;
    Ok(Survey { world, ..survey })
}
