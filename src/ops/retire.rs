//! Stops the old side that a deployment kept running.

use super::ended::{end, nothing, report};
use crate::drive::{self, Finished, Kept, OnCancel, OnTrouble, Setting, random_id};
use crate::event::{Cause, Ended, Ending, Error, Event, Interruption, LeftBehind, Nothing};
use crate::model::arn::short;
use crate::model::reads::Moment;
use crate::plan::kept::retiring;
use crate::plan::{Identity, Survey, readable, unfinished};
use crate::record::Record;
use crate::route::Outcome;

/// Carries it out.
pub(super) async fn retire(
    survey: Survey,
    looked: Moment,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    if let Some(Ok(record)) = survey.open_record() {
        return Err(unfinished(&survey, &record).into());
    }
    if survey.twin.is_some() {
        readable(&survey)?;
    }
    let Some(kept) = survey.kept() else {
        let why = Nothing::NothingKept { service: survey.service.clone() };
        return Ok(nothing(setting, why, emit));
    };
    let service = survey.service.clone();
    let finished = stop(&kept, survey, looked, setting, emit).await?;
    let ended = report(setting, &finished, &service, emit).await;
    let ending = match finished.outcome {
        Outcome::Live => Ending::Retired {
            service: kept.blue.clone(),
            revision: finished.record.name().to_owned(),
            serves: kept.green.clone(),
        },
        _ => ended.ending,
    };
    Ok(end(setting, Ended { ending, ..ended }, emit))
}

/// Stops what is kept, if the other side is well. Nothing else is done, whatever happens meanwhile.
pub(super) async fn stop(
    kept: &Record,
    survey: Survey,
    looked: Moment,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Finished, Error> {
    let (deployment, owner) = (random_id(), setting.owner.clone());
    let identity = Identity { deployment, owner, by: setting.by.clone() };
    let record = retiring(&survey, kept, &identity);
    let setting = Setting {
        on_cancel: OnCancel::Hold,
        on_trouble: OnTrouble::Leave,
        accept_drift: false,
        ..setting.unjudged()
    };
    let mut finished = drive::run(&setting, record, survey.world, Kept::Memory, looked, emit).await;
    if let Some(refused) = finished.refused.take() {
        return Err(refused.into());
    }
    let is_asked = finished.interrupted
        && matches!(finished.outcome, Outcome::Stopped | Outcome::Stuck(Cause::Held { .. }));
    // Somebody else deploys there, and that is not stopped.
    let runs = finished.world.service(&kept.blue).filter(|one| one.desired > 0);
    if let (Outcome::Live, Some(service)) = (&finished.outcome, runs) {
        let revision = service.primary().map(|primary| short(&primary.revision).to_owned());
        let service = service.name.clone();
        finished.outcome = Outcome::Stuck(Cause::OldSideChanged { service, revision });
    }
    if !is_asked {
        return Ok(finished);
    }
    // Whether it stops or not, the deployment is live.
    let (service, cluster) = (kept.blue.clone(), setting.cluster.clone());
    let (code, left) = match finished.watch.changes {
        0 => (3, LeftBehind::Nothing),
        _ => (4, LeftBehind::MaybeStopped { service, cluster }),
    };
    let code = if finished.outcome == Outcome::Stopped { 130 } else { code };
    Err(Error::Interrupted(Interruption { code, left }))
}
