//! The permissions that deployments of a service need.

use crate::drive::Setting;
use crate::drive::interrupt::or_interrupted;
use crate::event::Error;
use crate::plan::policy::{Beside, Policy, policy};
use crate::request::Request;

/// Reads the service, and says what its deployments need. Changes nothing.
pub async fn least(
    request: &Request,
    beside: Beside,
    setting: &Setting<'_>,
) -> Result<Policy, Error> {
    let (cluster, service) = (&request.cluster, &request.service);
    let surveying = setting.aws.survey(cluster, service, request.twin.as_deref());
    let survey = or_interrupted(&setting.interrupts, surveying).await?;
    survey.known(service)?;
    Ok(policy(request, &survey, beside)?)
}
