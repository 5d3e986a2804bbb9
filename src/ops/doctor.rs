//! What is wrong with a service, before a deployment finds out.

use futures_util::future::{join, join_all};

use super::deploy::{Looked, decided, look, random_id};
use crate::drive::Setting;
use crate::error::{Error, Failure, FailureKind, Refusal};
use crate::plan::doctor::{More, Report, examine, is_on_instances, log_groups};
use crate::plan::{Decision, Survey, live};
use crate::request::Request;

/// Reads what a deployment would read, and a little more. Changes nothing.
pub async fn doctor(request: &Request, setting: &Setting<'_>) -> Result<(Survey, Report), Error> {
    let Looked { survey, wanted } = look(request, setting).await?;
    survey.known(&request.service)?;
    let more = more(request, setting, &survey).await?;
    let decision: Result<Decision, Refusal> = match wanted {
        Err(refusal) => Err(refusal),
        Ok((wanted, digests)) => {
            match decided(request, setting, &random_id(), &survey, &wanted, &digests).await {
                Ok(decision) => Ok(decision),
                Err(Error::Usage(refusal) | Error::Refused(refusal)) => Err(refusal),
                Err(error) => return Err(error),
            }
        }
    };
    let report = examine(request, &survey, &more, &decision);
    Ok((survey, report))
}

/// What only doctor reads. What is not allowed is said; nothing depends on it.
async fn more(request: &Request, setting: &Setting<'_>, survey: &Survey) -> Result<More, Failure> {
    let Ok(live) = live(request, survey) else { return Ok(More::default()) };
    let mut more = More::default();
    let aws = setting.aws;
    let mut allowed = |failure: Failure| match (failure.kind, failure.call) {
        (FailureKind::Denied, Some(call)) => {
            more.denied.push(call);
            Ok(())
        }
        _ => Err(failure),
    };
    let left = async {
        match is_on_instances(live) {
            true => Some(aws.room(&survey.cluster).await),
            false => None,
        }
    };
    let named = live.alarms();
    let states = async {
        match named.is_empty() {
            true => Ok(vec![]),
            false => aws.alarms(&named).await,
        }
    };
    let groups = survey.revisions.get(&live.revision).map(log_groups).unwrap_or_default();
    let there = groups.iter().map(|(name, region)| aws.has_log_group(name, region.as_deref()));
    let ((left, states), there) = join(join(left, states), join_all(there)).await;
    match left {
        None => {}
        Some(Ok(left)) => more.left = Some(left),
        Some(Err(failure)) => allowed(failure)?,
    }
    match states {
        Ok(states) => {
            let firing = states.into_iter().filter(|alarm| alarm.fires);
            more.firing = firing.map(|alarm| alarm.name).collect();
        }
        Err(failure) => allowed(failure)?,
    }
    for (name, is_there) in groups.into_keys().zip(there) {
        match is_there {
            Ok(true) => {}
            Ok(false) => more.no_log_groups.push(name),
            Err(failure) => allowed(failure)?,
        }
    }
    more.denied.sort_unstable();
    more.denied.dedup();
    Ok(more)
}
