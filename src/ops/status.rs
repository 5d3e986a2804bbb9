//! What serves, and how far a deployment has come.

use std::collections::VecDeque;

use futures_util::future::try_join_all;

use crate::aws::{Aws, Pair, Reads};
use crate::error::Failure;
use crate::event::Error;
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

/// How many services are looked at at a time.
const AT_ONCE: usize = 4;

/// The same of several services, or of all of a cluster. A pair is looked at once.
pub async fn overview(
    aws: &Aws,
    cluster: &str,
    services: Vec<String>,
) -> Result<Vec<Survey>, Error> {
    let services = match services.is_empty() {
        true => aws.service_names(cluster).await?,
        false => services,
    };
    let mut surveys: Vec<Survey> = Vec::new();
    let mut left = VecDeque::from(services);
    while !left.is_empty() {
        let some: Vec<String> = left.drain(..left.len().min(AT_ONCE)).collect();
        let looking = some.iter().map(|service| Box::pin(survey(aws, cluster, service, None)));
        for found in try_join_all(looking).await? {
            if !surveys.iter().any(|one| one.names(&found.service)) {
                surveys.push(found);
            }
        }
        left.retain(|name| !surveys.iter().any(|one| one.names(name)));
    }
    Ok(surveys)
}

/// The survey of a service alone leaves out its targets.
async fn looked_at(aws: &Aws, survey: Survey) -> Result<Survey, Failure> {
    let pair = Pair { cluster: survey.cluster.clone(), services: vec![survey.service.clone()] };
    let targets = survey.world.target_parts(survey.world.services.values());
    let reads = Reads::of(Look::Glance, targets.into_iter().chain([Part::Services]));
    let world = aws.look(&pair, &reads, &survey.world).await?;
    Ok(Survey { world, ..survey })
}
