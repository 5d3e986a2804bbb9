//! Ends the deployments of a cluster's pairs that nobody drives any more: what a schedule runs.

use std::time::Duration;

use super::adopt::follow;
use super::ended::{end, nothing};
use crate::drive::Setting;
use crate::drive::interrupt::{nothing_changed, or_interrupted};
use crate::event::{Ended, Ending, Error, Event, Hint, Kind, Nothing, Swept};
use crate::model::world::Service;
use crate::plan::Survey;
use crate::record::{Heading, Reason, Record};
use crate::request::Scale;
use crate::route::View;
use crate::route::watch::Watch;

/// A deployment whose owner gave no sign of life for so long is abandoned.
const ABANDONED: Duration = Duration::from_secs(600);

/// Looks at every pair of the cluster that its tags name.
pub async fn run(setting: &Setting<'_>, emit: &mut dyn FnMut(Event)) -> Result<Ended, Error> {
    let pairs = or_interrupted(&setting.interrupts, setting.aws.tagged_pairs(&setting.cluster));
    let pairs = pairs.await?;
    let mut swept = Vec::new();
    for service in &pairs {
        let asked = *setting.interrupts.borrow();
        if asked > 0 && swept.is_empty() {
            return Err(nothing_changed(asked));
        }
        if asked > 0 {
            break;
        }
        match end_one(service, setting, emit).await {
            Ok(None) => {}
            Ok(Some(one)) => swept.push(one),
            Err(interrupted @ Error::Interrupted(_)) if swept.is_empty() => {
                return Err(interrupted);
            }
            Err(Error::Interrupted(_)) => break,
            // One that cannot be looked at keeps no other one waiting.
            Err(error) => {
                let error = error.faults().into_iter().next();
                let service = service.clone();
                swept.push(Swept { deployment: None, service, exit_code: 4, error });
            }
        }
    }
    if swept.is_empty() {
        let cluster = setting.cluster.clone();
        return Ok(nothing(
            setting,
            Nothing::NothingAbandoned { cluster, pairs: pairs.len() },
            emit,
        ));
    }
    let left = swept.iter().find(|one| one.exit_code > 1 && one.exit_code != 5);
    let ended = Ended {
        exit_code: match left {
            Some(_) if swept.iter().any(|one| one.exit_code == 130) => 130,
            Some(_) => 4,
            None => 0,
        },
        hint: left.map(|one| Hint::new("status", &setting.cluster, &one.service)),
        ending: Ending::Swept { deployments: swept },
        interrupted: *setting.interrupts.borrow() > 0,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    };
    Ok(end(setting, ended, emit))
}

async fn end_one(
    service: &str,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Swept>, Error> {
    let surveying = setting.aws.survey(&setting.cluster, service, None);
    let survey = or_interrupted(&setting.interrupts, surveying).await?;
    let record = match survey.open_record() {
        Some(Ok(record)) if record.silent_for(survey.world.at) >= ABANDONED => record,
        None => return Ok(find_split_weights(&survey, service)),
        _ => return Ok(None),
    };
    setting.tell(emit, Kind::Location(survey.location()));
    let deployment = Some(record.name().to_owned());
    let heading = heading(&record, &survey);
    let none = Scale::default();
    // From whatever the rules show: a person can look at it later as well.
    let setting =
        &Setting { accept_drift: !matches!(heading, Heading::Forward), ..setting.clone() };
    let followed = follow(setting, record, &survey, none, heading, service, emit).await?;
    Ok(followed.map(|(ended, _, closed)| {
        // All that is left to do is the next deployment's.
        let exit_code = if closed.is_some() && ended.exit_code == 5 { 1 } else { ended.exit_code };
        Swept { deployment, service: service.to_owned(), exit_code, error: None }
    }))
}

/// A deployment that somebody else has overtaken, and whose weights are split still: nobody knows which side is meant.
fn find_split_weights(survey: &Survey, service: &str) -> Option<Swept> {
    let watch = Watch::new(survey.world.at);
    let is_split = |record: &Record| {
        let view = View { record, watch: &watch, world: &survey.world };
        let is_known = survey.blind.is_none() && survey.world.unread.is_empty();
        let has_rules = record.twin().is_some() && !view.rules().is_empty();
        is_known && has_rules && !view.all_read(0) && !view.all_read(100)
    };
    let (record, _) = survey.overtaken().into_iter().find(|(record, _)| is_split(record))?;
    let (deployment, service) = (Some(record.name().to_owned()), service.to_owned());
    Some(Swept { deployment, service, exit_code: 4, error: None })
}

/// Where it goes: on, where only the old side is left to be stopped; else back, or to the only side that answers.
fn heading(record: &Record, survey: &Survey) -> Heading {
    let watch = Watch::new(survey.world.at);
    let view = View { record, watch: &watch, world: &survey.world };
    let healthy = |side: Option<&Service>| side.and_then(|one| survey.world.healthy(one));
    // This command does not have the checks that judge it.
    let baked = view.is_baked();
    match (&record.heading, healthy(view.blue()), healthy(view.green())) {
        (Heading::Forward, _, Some(1..)) if baked => Heading::Forward,
        (Heading::Forward, Some(0) | None, Some(1..)) => Heading::Overtaken,
        (Heading::Forward, ..) => Heading::Back(Reason::Abandoned),
        (heading, ..) => heading.clone(),
    }
}
