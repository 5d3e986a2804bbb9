//! The last deployments of a service or a pair, read.

use crate::aws::Aws;
use crate::event::{Error, Location, Warning};
use crate::model::arn::short;
use crate::plan::history::{Past, deployments};

/// Deployments, the newest first.
#[derive(Debug)]
pub struct History {
    /// The service, and where it is.
    pub location: Location,
    /// Each deployment.
    pub deployments: Vec<Past>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// The last deployments, `most` of them.
pub async fn history(
    aws: &Aws,
    cluster: &str,
    service: &str,
    twin: Option<&str>,
    most: u16,
) -> Result<History, Error> {
    let survey = aws.survey(cluster, service, twin).await?;
    survey.known(service)?;
    twin.map_or(Ok(()), |twin| survey.known(twin))?;
    let mut survey = aws.with_older(survey, most.into()).await;
    let mut warnings = Vec::new();
    let mut told = Vec::new();
    let names = [Some(survey.service.clone()), survey.twin.clone()];
    for name in names.into_iter().flatten() {
        match aws.past_deployments(cluster, &name, most.into()).await {
            Ok(past) => told.extend(past.into_iter().map(|one| (name.clone(), one))),
            Err(failure) => {
                warnings.push(Warning::HistoryUnread { failure });
                break;
            }
        }
    }
    // Whether a record of another family counts is ECS's to say.
    survey.history.extend(told.iter().filter_map(|(_, one)| one.revision.clone()));
    let (mut deployments, ignored) = deployments(&survey, told, most.into());
    warnings.extend(ignored);
    let unread = deployments.iter().filter(|one| one.containers.is_empty());
    let unread: Vec<String> = unread.map(|one| one.revision.clone()).collect();
    let revisions = aws.revisions_of(&survey, unread).await;
    for one in &mut deployments {
        if let Some(revision) = revisions.get(&one.revision) {
            one.containers = revision.containers.clone();
        }
        one.revision = short(&one.revision).to_owned();
    }
    Ok(History { location: survey.location(), deployments, warnings })
}
