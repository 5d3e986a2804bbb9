//! `resume`, `rollback`, `abort`, `promote`: commands about a deployment, from any machine. Each takes the
//! deployment over; the process that drove it changes nothing more.

use std::collections::BTreeMap;

use super::adopt::{adopt, drive_back};
use super::deploy::{close_overtaken, deploy, tidy_settings};
use super::ended::{end, nothing, superseded};
use super::look::listed;
use super::retire::retire;
use crate::drive::claim::{Claim, OnConflict, claim};
use crate::drive::interrupt::{or_interrupted, or_skipped};
use crate::drive::random_id;
use crate::drive::{Kept, RECORD_WAIT, Setting};
use crate::error::FailureKind;
use crate::event::refusal::{OptionsRefused, RecordRefused};
use crate::event::{
    Ended, Ending, Error, Event, Hint, Kind, LeftBehind, Nothing, Paused, Refusal, Refused, Then,
    Warning,
};
use crate::model::arn::{family, short};
use crate::model::reads::Moment;
use crate::model::revision::Revision;
use crate::model::service_deployment::ServiceDeployment;
use crate::plan::trust::Bounds;
use crate::plan::{self, Identity, Survey, live, unfinished};
use crate::record::{Closed, End, Heading, Reason, Record, Released};
use crate::request::image::ImageRef;
use crate::request::{Request, Scale};
use crate::route::watch::Watch;
use crate::route::{self, View};

/// What a person may do with a deployment.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Go on with it.
    Resume {
        /// What to do about another process that drives it.
        on_conflict: OnConflict,
        /// Go on without the checks and alarms that it began with.
        skip_checks: bool,
    },
    /// Put the old version back.
    Rollback {
        /// Either service of the pair, or a revision; unless said, the revision that served before.
        to: Option<String>,
        /// One healthy target of the old version is enough.
        now: bool,
    },
    /// Stop the old side that a deployment kept.
    Retire,
    /// Turn it around.
    Abort,
    /// Skip the rest of the present hold.
    Promote,
}

/// Which pair of services it is about, as they were named.
#[derive(Clone, Debug)]
pub struct Target {
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// Either service of the pair.
    pub service: String,
    /// The other one, where it was said.
    pub twin: Option<String>,
}

/// Carries one out.
pub async fn run(
    verb: &Verb,
    target: &Target,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let looked = setting.clock.moment(setting.aws.date());
    let Target { cluster, service, twin } = target;
    let surveying = listed(setting, cluster, service, twin.as_deref());
    let survey = or_interrupted(&setting.interrupts, surveying).await?;
    survey.known(&target.service)?;
    setting.tell(emit, Kind::Location(survey.location()));
    if let Verb::Rollback { now: true, .. } = verb
        && survey.twin.is_none()
    {
        let service = target.service.clone();
        return refuse(OptionsRefused::OnlyWithTwin { option: "--now", service });
    }
    let now = matches!(verb, Verb::Rollback { now: true, .. });
    // A person's command takes over, however old the record is and whether its owner lives or not.
    let on_conflict = match verb {
        Verb::Resume { on_conflict, .. } => *on_conflict,
        _ => OnConflict::Supersede,
    };
    let setting = &Setting { now, on_conflict, by_name: true, ..setting.clone() };
    if matches!(verb, Verb::Retire) {
        return retire(survey, looked, setting, emit).await;
    }
    if let Verb::Rollback { to: Some(to), .. } = verb
        && survey.names(to)
    {
        return back_to_service(to, target, survey, looked, setting, emit).await;
    }
    if matches!(verb, Verb::Promote)
        && let Some(running) = plan::native::running(&survey)
    {
        return go_on(running, target, setting, &survey, emit).await;
    }
    let open = match survey.open_record() {
        Some(Ok(record)) => Some(record),
        Some(Err(record)) => {
            let (service, cluster) = (target.service.clone(), target.cluster.clone());
            return refuse(RecordRefused::RecordUnreadable { record, service, cluster });
        }
        None => None,
    };
    let ignored = survey.ignored();
    let unfinished = ignored.iter().find(|(record, _)| record.closed.is_none());
    if let Some((_, ignored)) = unfinished.filter(|_| open.is_none())
        && !matches!(verb, Verb::Rollback { to: Some(_), .. })
    {
        let (of, in_cluster) = (target.service.clone(), target.cluster.clone());
        let record = ignored.clone();
        return refuse(RecordRefused::RecordIgnored { record, of, in_cluster });
    }
    for (_, ignored) in ignored {
        setting.tell(emit, Kind::Warning(Warning::RecordIgnored(ignored)));
    }
    // ECS rolls back on request, also what another tool began.
    if let (Verb::Abort | Verb::Rollback { to: None, .. }, None) = (verb, &open)
        && let Some(running) = plan::native::running(&survey)
        && let Some(record) = plan::native::back(&survey, running, &identity(setting))
    {
        let (world, service) = (survey.world.clone(), &target.service);
        let kept = Kept::Memory;
        return Ok(drive_back(setting, record, kept, world, looked, service, emit).await);
    }
    if open.is_none()
        && !matches!(verb, Verb::Rollback { to: Some(_), .. })
        && let Some((record, by)) = survey.overtaken().into_iter().next()
    {
        or_skipped(&setting.interrupts, tidy_settings(setting, &survey, emit)).await;
        let command = |verb| Hint::new(verb, &target.cluster, &target.service);
        let hint = match (verb, record.twin()) {
            (Verb::Rollback { .. } | Verb::Abort, Some(_)) => {
                Hint { to: Some(record.blue.clone()), ..command("rollback") }
            }
            _ => command("status"),
        };
        return Ok(superseded(setting, record.name(), by, Some(hint), emit));
    }
    // What served before runs on: the traffic goes back, and that is all.
    if let (Verb::Rollback { to: None, .. }, None) = (verb, &open)
        && let Some(kept) = survey.kept()
    {
        return back_to_service(&kept.blue, target, survey, looked, setting, emit).await;
    }
    let service = &target.service;
    let none = Scale::default();
    match (verb, open) {
        (Verb::Rollback { to, .. }, None) => {
            back_to(to.as_deref(), target, &survey, setting, emit).await
        }
        (Verb::Resume { .. } | Verb::Abort | Verb::Promote | Verb::Retire, None) => {
            Ok(nothing(setting, Nothing::NoDeployment { service: service.clone() }, emit))
        }
        (Verb::Resume { .. }, Some(record)) if setting.accept_drift && record.twin().is_none() => {
            let service = service.clone();
            refuse(OptionsRefused::OnlyWithTwin { option: "--accept-drift", service })
        }
        (Verb::Resume { skip_checks: false, .. }, Some(record))
            if record.judges.is_some() && record.forward() =>
        {
            refuse(judged(&record, target))
        }
        (Verb::Resume { .. }, Some(record)) => {
            let heading = match &record.heading {
                Heading::Overtaken => Heading::Back(Reason::Superseded),
                own => own.clone(),
            };
            ended(
                adopt(setting, record, &survey, none, heading, service, emit).await?,
                setting,
                emit,
            )
        }
        (Verb::Rollback { to, .. }, Some(record)) if is_stuck(&record, &survey) => {
            back_to(to.as_deref().or(Some(&record.from)), target, &survey, setting, emit).await
        }
        (Verb::Rollback { .. } | Verb::Abort, Some(record)) => {
            let back = Heading::Back(Reason::Asked);
            let adopted = adopt(setting, record, &survey, none, back, service, emit).await?;
            // It was over already, and the new version serves: that is not what was asked for.
            let is_live = adopted.as_ref().is_some_and(|ended| ended.exit_code == 0);
            match is_live && matches!(verb, Verb::Rollback { .. }) {
                true => Box::pin(run(verb, target, setting, emit)).await.map_err(|error| {
                    let (service, cluster) = (service.clone(), target.cluster.clone());
                    error.after(LeftBehind::Earlier { service, cluster })
                }),
                false => ended(adopted, setting, emit),
            }
        }
        (Verb::Retire, Some(record)) => Err(plan::unfinished(&survey, &record).into()),
        (Verb::Promote, Some(record)) => {
            let record = promoted(record, &survey, target)?;
            if !record.is_abandoned(survey.world.at) {
                return hand_back(record, &survey, setting, emit).await;
            }
            if record.forward() && record.judges.is_some() {
                return refuse(judged(&record, target));
            }
            let heading = record.heading.clone();
            ended(
                adopt(setting, record, &survey, none, heading, service, emit).await?,
                setting,
                emit,
            )
        }
    }
}

/// Promotes a share whose deployment another process drives: writes that into the record, and lets that process
/// go on.
async fn hand_back(
    record: Record,
    survey: &Survey,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let (revision, share) = (record.name().to_owned(), record.promoted.unwrap_or_default());
    let bounds = Bounds::of(survey, Scale::default());
    let claiming = claim(setting, record.clone(), survey.world.clone(), &bounds, emit);
    match claiming.await? {
        Claim::Ours(claimed) => {
            // What bounds a newcomer does not bind the owner.
            let Record { promoted, count, asked, .. } = record;
            let released = Some(Released::Promoted);
            let written = Record { promoted, count, asked, released, ..claimed.record };
            setting.aws.write(&written).await?;
            let ending = Ending::Promoted { revision: Some(revision), at: Paused::Share(share) };
            let api_calls = setting.aws.calls();
            Ok(end(setting, Ended { ending, api_calls, ..Ended::default() }, emit))
        }
        Claim::Ended => Ok(nothing(setting, Nothing::EndedMeanwhile, emit)),
        Claim::Lost(_) => {
            let (service, cluster) = (record.blue, setting.cluster.clone());
            refuse(RecordRefused::PromotedByOther { deployment: revision, service, cluster })
        }
    }
}

/// Only who knows the checks that judge it may go forward.
fn judged(record: &Record, target: &Target) -> RecordRefused {
    RecordRefused::JudgedByChecks {
        deployment: record.name().to_owned(),
        service: target.service.clone(),
        cluster: target.cluster.clone(),
    }
}

/// A deployment of ECS's that pauses goes on. A process that follows it goes on following.
async fn go_on(
    running: &ServiceDeployment,
    target: &Target,
    setting: &Setting<'_>,
    survey: &Survey,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let hooks: Vec<_> = running.waiting_hooks().collect();
    // Its checks let it go on from there, and nobody else.
    if let Some(Ok(record)) = survey.open_record()
        && record.gated_at(running.stage.as_deref()).is_some()
    {
        return refuse(judged(&record, target));
    }
    let revision = running.revision.as_deref().map(|arn| short(arn).to_owned());
    let stage = running.stage.clone().unwrap_or_default();
    if hooks.is_empty() {
        return refuse(RecordRefused::DoesNotPause {
            revision,
            service: target.service.clone(),
            cluster: target.cluster.clone(),
            status: running.status.clone(),
            stage,
        });
    }
    for hook in hooks {
        setting.aws.continue_deployment(&running.arn, &hook.id).await?;
    }
    let ending = Ending::Promoted { revision, at: Paused::Stage(stage) };
    Ok(end(setting, Ended { ending, api_calls: setting.aws.calls(), ..Ended::default() }, emit))
}

/// A service of the pair is to have all the traffic: the way back of the deployment that began with
/// it, or where there is none, of one that is known from the weights alone.
pub(super) async fn back_to_service(
    to: &str,
    target: &Target,
    survey: Survey,
    looked: Moment,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    for (_, ignored) in survey.ignored() {
        setting.tell(emit, Kind::Warning(Warning::RecordIgnored(ignored)));
    }
    match survey.open_record() {
        Some(Ok(record)) if record.twin().is_none() => {
            return Err(unfinished(&survey, &record).into());
        }
        Some(Ok(record)) if record.blue == to => {
            let back = Heading::Back(Reason::Asked);
            let none = Scale::default();
            let service = &target.service;
            let code = adopt(setting, record, &survey, none, back, service, emit);
            match code.await {
                Err(Error::Aws(error)) if error.kind == FailureKind::Denied => {
                    let (failure, then) = (error, Then::WeightsAlone);
                    setting.tell(emit, Kind::Warning(Warning::CallFailed { failure, then }));
                }
                code => return ended(code?, setting, emit),
            }
        }
        Some(Ok(record)) => {
            return refuse(RecordRefused::StartsIn {
                to: to.to_owned(),
                deployment: record.name().to_owned(),
                service: target.service.clone(),
                cluster: target.cluster.clone(),
            });
        }
        Some(Err(what)) => {
            setting.tell(emit, Kind::Warning(Warning::RecordUnreadable(what)));
        }
        None => {}
    }
    match plan::back_to(to, &survey, &identity(setting))? {
        Some(record) => {
            let opened = opened(&record, &survey);
            let kept = match &opened {
                Some(opened) => recorded(setting, opened, emit).await,
                None => Kept::Memory,
            };
            let driven = opened.clone().filter(|_| kept == Kept::Tags).unwrap_or(record);
            let (world, service) = (survey.world.clone(), &target.service);
            let code = drive_back(setting, driven, kept, world, looked, service, emit).await;
            if code.exit_code == 1 {
                if let Some(opened) = opened.filter(|_| kept == Kept::Memory) {
                    let closed = Some(Closed { end: End::WentBack, at: setting.aws.date() });
                    let closed = Record { closed, ..opened };
                    or_skipped(&setting.interrupts, setting.aws.write(&closed)).await;
                }
                or_skipped(&setting.interrupts, close_overtaken(setting, &survey, emit)).await;
            }
            Ok(code)
        }
        None => Ok(nothing(setting, Nothing::ServesAlone { service: to.to_owned() }, emit)),
    }
}

/// The record of the deployment that ended on the other side, opened again: who comes after a killed process finds it
/// on its way back, and after its end nobody goes back a second time.
fn opened(record: &Record, survey: &Survey) -> Option<Record> {
    let own = survey.closed_on(survey.world.service(&record.green)?)?;
    let is_its = own.blue == record.blue && own.from == record.from;
    is_its.then(|| own.opened_again(record.clone()))
}

/// Writes it, where that holds up nothing.
async fn recorded(setting: &Setting<'_>, opened: &Record, emit: &mut dyn FnMut(Event)) -> Kept {
    let writing = tokio::time::timeout(RECORD_WAIT, setting.aws.write(opened));
    match or_skipped(&setting.interrupts, writing).await {
        Some(Ok(Ok(()))) => Kept::Tags,
        Some(Ok(Err(failure))) => {
            let then = Then::RecordOutOfDate;
            setting.tell(emit, Kind::Warning(Warning::CallFailed { failure, then }));
            Kept::Memory
        }
        Some(Err(_)) | None => Kept::Memory,
    }
}

fn identity(setting: &Setting<'_>) -> Identity {
    Identity { deployment: random_id(), owner: setting.owner.clone(), by: setting.by.clone() }
}

fn ended(
    ended: Option<Ended>,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    Ok(ended.unwrap_or_else(|| nothing(setting, Nothing::EndedMeanwhile, emit)))
}

/// Whether ECS could not roll a deployment back, and does nothing more about it.
fn is_stuck(record: &Record, survey: &Survey) -> bool {
    let watch = Watch::new(survey.world.at);
    let view = View { record, watch: &watch, world: &survey.world };
    !record.forward() && route::native::is_stuck(&view)
}

/// The record without the rest of the present hold.
fn promoted(record: Record, survey: &Survey, target: &Target) -> Result<Record, Refusal> {
    let watch = Watch::new(survey.world.at);
    let view = View { record: &record, watch: &watch, world: &survey.world };
    let holds =
        record.held.filter(|held| Some(held.share) == record.to && view.all_read(held.share));
    match holds.filter(|_| record.forward()) {
        Some(held) => Ok(Record { promoted: Some(held.share), ..record }),
        None => {
            let step = crate::plan::standing(&record, &survey.world);
            Err(Refusal::new(RecordRefused::HoldsNoShare {
                deployment: record.name().to_owned(),
                service: target.service.clone(),
                cluster: target.cluster.clone(),
                step,
            }))
        }
    }
}

fn refuse<T>(why: impl Into<Refused>) -> Result<T, Error> {
    Err(Refusal::new(why).into())
}

/// A finished deployment is not reopened: what served before it is deployed anew, at once, with the
/// images that ran then where they are known.
async fn back_to(
    to: Option<&str>,
    target: &Target,
    survey: &Survey,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let request = Request::back(&target.cluster, &target.service, survey.twin.as_deref());
    let blue = live(&request, survey)?;
    // A job that rolls back after a deployment that failed must not go one version further back.
    let last = survey.last_record().filter(|last| {
        let end = last.closed.map(|closed| closed.end);
        end == Some(End::WentBack) && last.from == blue.revision && last.revision != last.from
    });
    if let Some(last) = last.filter(|_| to.is_none()) {
        let (revision, old) = (last.name().to_owned(), short(&blue.revision).to_owned());
        let why = Nothing::RolledBackAlready { revision, old, service: blue.name.clone() };
        return Ok(nothing(setting, why, emit));
    }
    let base = match to {
        // The newest of a family may be the very one that failed.
        Some(name) if !name.contains(':') => {
            let family = family(&blue.revision);
            return refuse(RecordRefused::NamesNoRevision {
                to: name.to_owned(),
                service: target.service.clone(),
                twin: survey.twin.clone(),
                family: family.to_owned(),
            });
        }
        Some(name) => name.to_owned(),
        None => {
            let recorded = survey.closed_on(blue).map(|record| record.from);
            let Some(from) = recorded.or_else(|| plan::replaced(blue)) else {
                return refuse(RecordRefused::NothingBefore {
                    revision: short(&blue.revision).to_owned(),
                    live: blue.name.clone(),
                    service: target.service.clone(),
                    cluster: target.cluster.clone(),
                });
            };
            from
        }
    };
    let reading = or_interrupted(&setting.interrupts, setting.aws.revision(&base));
    let base = match (reading.await, &survey.twin) {
        (Err(Error::Aws(error)), twin) if error.code == "ClientException" => {
            let family = family(&blue.revision);
            return refuse(RecordRefused::NothingToGoBackTo {
                to: base,
                service: target.service.clone(),
                twin: twin.clone(),
                cluster: target.cluster.clone(),
                region: setting.aws.region.clone(),
                family: family.to_owned(),
            });
        }
        (base, _) => base?,
    };
    let ran = {
        let services = survey.world.services.values();
        let reading = async {
            let ran = setting.aws.digests_that_ran(&target.cluster, services, &base.arn, true);
            Ok::<_, Error>(ran.await.unwrap_or_default())
        };
        or_interrupted(&setting.interrupts, reading).await?
    };
    let images = pinned(&base, &ran);
    for container in base.containers.iter().filter(|(name, _)| !ran.contains_key(name)) {
        let (container, image) = container.clone();
        let warning = Warning::DigestUnknown { container, image };
        setting.tell(emit, Kind::Warning(warning));
    }
    let request = request.to(&base.arn, images);
    let setting = &Setting { on_conflict: OnConflict::Refuse, ..setting.clone() };
    deploy(&request, setting, emit).await
}

/// The images of a revision, by the digests that ran.
fn pinned(base: &Revision, ran: &BTreeMap<String, String>) -> Vec<(String, ImageRef)> {
    let parsed = base
        .containers
        .iter()
        .filter_map(|(name, image)| Some((name, image.parse::<ImageRef>().ok()?)));
    parsed
        .map(|(name, image)| {
            let pinned = ran.get(name).map(|digest| image.pinned(digest));
            (name.clone(), pinned.unwrap_or(image))
        })
        .collect()
}
