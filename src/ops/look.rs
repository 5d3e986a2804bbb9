//! What is read before it is decided what to do about a request, and the decision.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all, try_join_all};

use crate::aws::Aws;
use crate::drive::backoff::LOOK_TWICE;
use crate::drive::{Setting, gates, random_id};
use crate::error::Failure;
use crate::event::{Error, Refusal};
use crate::plan::{self, Decision, Digest, Identity, Survey, Wanted, live, plan, wanted};
use crate::record::Record;
use crate::request::Request;
use crate::request::image::ImageRef;

/// What was seen for a request, and what it wants of the task definition.
pub(super) struct Looked {
    /// What was seen.
    pub(super) survey: Survey,
    /// What is wanted, with the digests of the wanted images; or why that cannot be.
    pub(super) wanted: Result<(Wanted, BTreeMap<String, Digest>), Refusal>,
}

/// What would be done about a request, and what was seen. Changes nothing. `located` gets the survey before anything
/// is refused.
pub(super) async fn decide(
    request: &Request,
    setting: &Setting<'_>,
    located: &mut dyn FnMut(&Survey),
) -> Result<(Survey, Decision), Error> {
    let survey = survey(request, setting).await?;
    survey.known(&request.service)?;
    located(&survey);
    let Looked { survey, wanted } = look_on(request, setting, survey).await?;
    let (wanted, digests) = wanted?;
    let decision = decided(request, setting, &survey, &wanted, &digests).await?;
    Ok((survey, decision))
}

/// A survey. What ECS was told to deploy a moment ago, and does not list yet, is waited for.
pub(super) async fn listed(
    setting: &Setting<'_>,
    cluster: &str,
    service: &str,
    twin: Option<&str>,
) -> Result<Survey, Failure> {
    loop {
        let survey = setting.aws.survey(cluster, service, twin).await?;
        if !plan::native::is_unlisted(&survey) {
            return Ok(survey);
        }
        setting.clock.sleep(LOOK_TWICE).await;
    }
}

/// Reads what a plan depends on beside the images.
pub(super) async fn survey(request: &Request, setting: &Setting<'_>) -> Result<Survey, Error> {
    let (cluster, service) = (&request.cluster, &request.service);
    let mut survey = listed(setting, cluster, service, request.twin.as_deref()).await?;
    if let Some(base) = request.base.as_ref().filter(|base| !survey.revisions.contains_key(*base)) {
        survey.revisions.insert(base.clone(), setting.aws.revision(base).await?);
    }
    if !request.alarms.is_empty() {
        survey.alarms = setting.aws.alarms(&request.alarms).await?;
    }
    survey.test_listener.clone_from(&request.test_listener);
    survey.unready = gates::unready(setting, &request.gates).await;
    Ok(survey)
}

/// Reads the images, and what the service's tasks run, on a survey.
pub(super) async fn look_on(
    request: &Request,
    setting: &Setting<'_>,
    mut survey: Survey,
) -> Result<Looked, Error> {
    let (cluster, service) = (&request.cluster, &request.service);
    let wanted = match wanted(request, &survey) {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(Looked { survey, wanted: Err(refusal) }),
    };
    let (digests, way_back) =
        join(digests(setting.aws, &wanted), way_back(setting.aws, request, &survey)).await;
    let digests = digests?;
    survey.way_back = way_back;
    let runs = match survey.twin {
        None => survey.world.service(service),
        // What a record says of it is not enough to call it live.
        Some(_) => live(request, &survey).ok().filter(|live| survey.closed_on(live).is_some()),
    };
    if let Some(runs) = runs.filter(|_| may_run_already(request, &digests)) {
        // Where tasks may not be read, it is deployed.
        let revision = runs.revision.clone();
        let ran = setting.aws.digests_that_ran(cluster, [runs].into_iter(), &revision, false);
        survey.ran = ran.await.unwrap_or_default();
    }
    let own = survey.world.service(service).and_then(|own| survey.revisions.get(&own.revision));
    if survey.twin.is_none() && own.and_then(plan::static_port).is_some() {
        // Where instances may not be listed, ECS finds out whether there is room.
        survey.instances = setting.aws.instances(cluster).await.ok();
    }
    Ok(Looked { survey, wanted: Ok((wanted, digests)) })
}

/// The images of the revision that a rollback would start. What cannot be read is not there.
async fn way_back(
    aws: &Aws,
    request: &Request,
    survey: &Survey,
) -> BTreeMap<String, (ImageRef, Digest)> {
    let live = live(request, survey).ok().and_then(|live| survey.revisions.get(&live.revision));
    let Some(live) = live else { return BTreeMap::new() };
    let account = live.account();
    let images = live.containers.iter().filter_map(|(container, image)| {
        let image: ImageRef = image.parse().ok()?;
        image.ecr().is_some().then_some((container.clone(), image))
    });
    let digests = images.map(|(container, image)| async {
        let digest = aws.digest(&image, account.as_deref()).await.ok()?;
        Some((container, (image, digest)))
    });
    join_all(digests).await.into_iter().flatten().collect()
}

/// Plans, and looks whether the revision of an unfinished deployment has the wanted images.
pub(super) async fn decided(
    request: &Request,
    setting: &Setting<'_>,
    survey: &Survey,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
) -> Result<Decision, Error> {
    let (deployment, owner) = (random_id(), setting.owner.clone());
    let identity = Identity { deployment, owner, by: setting.by.clone() };
    Ok(match plan(request, survey, wanted, digests, &identity)? {
        Decision::Adopt(record)
            if !has_images(setting, survey, wanted, digests, &record).await? =>
        {
            Decision::Unfinished(record)
        }
        decision => decision,
    })
}

/// Whether the revision of a record has the wanted images: that the record says so is not enough.
async fn has_images(
    setting: &Setting<'_>,
    survey: &Survey,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
    record: &Record,
) -> Result<bool, Failure> {
    let Some(revision) = survey.revisions.get(&record.revision) else { return Ok(false) };
    let wanted_account = wanted.account();
    for (container, image) in &wanted.images {
        let own = revision.containers.iter().find(|(name, _)| name == container);
        let Some((_, own)) = own else { return Ok(false) };
        if *own == image.to_string() {
            continue;
        }
        let (Ok(own), Some(Digest::Known(wanted))) = (own.parse(), digests.get(container)) else {
            return Ok(false);
        };
        if !matches!(setting.aws.digest(&own, wanted_account.as_deref()).await?, Digest::Known(own) if own == *wanted)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The digests of the wanted images, by container.
pub async fn digests(aws: &Aws, wanted: &Wanted) -> Result<BTreeMap<String, Digest>, Failure> {
    let account = wanted.account();
    let account = account.as_deref();
    let digests = wanted.images.iter().map(|(container, image)| async move {
        Ok((container.clone(), aws.digest(image, account).await?))
    });
    Ok(try_join_all(digests).await?.into_iter().collect())
}

/// Whether it is worth asking the tasks which images they run.
fn may_run_already(request: &Request, digests: &BTreeMap<String, Digest>) -> bool {
    let known = |digest: &Digest| matches!(digest, Digest::Known(_));
    !request.force && !digests.is_empty() && digests.values().all(known)
}
