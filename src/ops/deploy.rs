//! A deployment, from a request to its end.

use std::time::Duration;

use backon::BackoffBuilder;
use futures_util::future::try_join_all;

use super::adopt::{Driven, adopt, begin, follow, overtake, run};
use super::ended::{end, nothing, over};
use super::look::decide;
use super::retire::stop;
use super::verbs::{Target, back_to_service};
use crate::aws::Pair;
use crate::call::Call;
use crate::drive::backoff::{LOOK_TWICE, backoff};
use crate::drive::claim::{OnConflict, WAIT_LOOK, forgotten};
use crate::drive::interrupt::{Registration, nothing_changed, or_interrupted, or_skipped};
use crate::drive::{self, Kept, Setting, withdraw};
use crate::error::Failure;
use crate::event::refusal::{RecordRefused, ServiceRefused};
use crate::event::{
    Change, Ended, Error, Event, Kind, LeftBehind, Nothing, Refusal, Refused, Then, WaitReason,
    Warning,
};
use crate::model::arn::{family, number};
use crate::model::reads::Moment;
use crate::model::world::Service;
use crate::plan::trust::{Verdict, judge};
use crate::plan::{self, Decision, Survey};
use crate::record::{Closed, DEAD_AFTER, End, Heading, Reason, Record};
use crate::request::{Request, Scale};
use crate::route::Outcome;

/// Answers that may show a deployment open once more after it was closed.
const OVERTAKEN_MAX: usize = 6;

/// Nothing is registered on a survey that began so long ago, unless surveys always take as long.
const OLD: Duration = Duration::from_secs(60);
const LATE_MAX: usize = 2;

/// So many deployments may have left something in the settings.
const TIDIED_MAX: usize = 4;

/// What came of the turns so far.
#[derive(Default)]
struct SoFar {
    /// Deployments that ours has taken the place of; a read that lags may show them open once more.
    overtaken: Vec<String>,
    /// An outage was seen twice.
    confirmed: bool,
    /// Where it deploys was told.
    located: bool,
    /// Surveys that were too old to plan from.
    late: usize,
    /// What an earlier deployment kept was stopped.
    emptied: bool,
    /// The ARN of the revision to copy, where another one serves meanwhile.
    base: Option<String>,
    /// Somebody else's deployment is waited for, and that was told.
    waits: bool,
    /// How often it was tried to take out of the service's settings what earlier deployments left there.
    tidied: usize,
    /// Something that an earlier deployment left may be changed by now.
    changed: bool,
}

/// Surveys, plans, and does what the plan says. What another process is doing about the pair is
/// settled first; then everything is looked at anew.
pub async fn deploy(
    request: &Request,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let setting = &setting.judged_by(request);
    let mut so_far = SoFar::default();
    loop {
        let base = request.base.clone().or_else(|| so_far.base.clone());
        let request = &Request { base, ..request.clone() };
        match Box::pin(turn(request, setting, &mut so_far, emit)).await {
            Ok(Some(ended)) => return Ok(ended),
            Ok(None) => {}
            Err(error) if so_far.changed => {
                let (service, cluster) = (request.service.clone(), request.cluster.clone());
                return Err(error.after(LeftBehind::Earlier { service, cluster }));
            }
            Err(error) => return Err(error),
        }
    }
}

/// What a deployment would do now; refused where it would be. Changes nothing.
pub async fn preview(
    request: &Request,
    setting: &Setting<'_>,
) -> Result<(Survey, Decision), Error> {
    let (survey, decision) =
        or_interrupted(&setting.interrupts, decide(request, setting, &mut |_| {})).await?;
    not_newer(&survey, &decision, setting.on_conflict)?;
    if let Decision::Unfinished(record) | Decision::Adopt(record) = &decision {
        if record.is_forgotten(survey.world.at) {
            let silent = record.silent_for(survey.world.at);
            return Err(forgotten(record, &setting.cluster, silent).into());
        }
        if !record.may_be_overtaken(survey.world.at) {
            not_driven(&survey, record, setting.on_conflict)?;
        }
    }
    Ok((survey, decision))
}

/// One survey, and what it leads to; `None`: another one is needed.
async fn turn(
    request: &Request,
    setting: &Setting<'_>,
    so_far: &mut SoFar,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Ended>, Error> {
    let looked = setting.clock.moment(setting.aws.date());
    let located = &mut so_far.located;
    let mut locate = |survey: &Survey| {
        if !std::mem::replace(located, true) {
            setting.tell(emit, Kind::Location(survey.location()));
        }
    };
    let deciding = decide(request, setting, &mut locate);
    let decided = or_interrupted(&setting.interrupts, deciding).await;
    let (survey, decision) = match decided {
        // Somebody else's deployment is waited for like one of ours.
        Err(Error::Refused(refusal))
            if setting.on_conflict == OnConflict::Wait && is_in_the_way(&refusal) =>
        {
            if !std::mem::replace(&mut so_far.waits, true) {
                let why = WaitReason::OtherDeployment { service: request.service.clone() };
                setting.tell(emit, Kind::Waiting { step: "claim", why });
            }
            sleep(setting, WAIT_LOOK).await?;
            return Ok(None);
        }
        decided => decided?,
    };
    not_newer(&survey, &decision, setting.on_conflict)?;
    let service = &request.service;
    // What is planned begins with the service's own settings; a block that was read long ago is not written.
    let is_young = looked.age(&setting.clock.moment(setting.aws.date())) < OLD;
    let is_free = matches!(decision, Decision::Nothing { .. } | Decision::Deploy(_)) && is_young;
    if is_free && so_far.tidied < TIDIED_MAX {
        so_far.tidied += 1;
        let tidied = or_skipped(&setting.interrupts, tidy_settings(setting, &survey, emit)).await;
        so_far.changed |= tidied != Some(false);
        if tidied == Some(true) {
            return Ok(None);
        }
    }
    match decision {
        Decision::Nothing { service, revision, images } => {
            or_skipped(&setting.interrupts, close_overtaken(setting, &survey, emit)).await;
            let arn = survey.world.service(&service).map(|one| one.revision.clone());
            let arn = arn.unwrap_or_default();
            let why = Nothing::RunsAlready { service, revision, arn, images };
            Ok(Some(nothing(setting, why, emit)))
        }
        // AWS may answer with the past, or with parts of it.
        Decision::Deploy(plan) if plan.outage && !so_far.confirmed => {
            so_far.confirmed = true;
            sleep(setting, LOOK_TWICE).await?;
            Ok(None)
        }
        // This process stood still meanwhile: it plans from what is there now.
        Decision::Deploy(_)
            if so_far.late < LATE_MAX
                && looked.age(&setting.clock.moment(setting.aws.date())) >= OLD =>
        {
            so_far.late += 1;
            Ok(None)
        }
        // What an earlier deployment kept is stopped first; but if nothing else answers, users get it first.
        Decision::Deploy(plan) => match survey.kept().filter(|_| !so_far.emptied) {
            Some(kept) if survey.answers_alone(&kept.blue, &kept.green) => {
                if !std::mem::replace(&mut so_far.confirmed, true) {
                    sleep(setting, LOOK_TWICE).await?;
                    return Ok(None);
                }
                so_far.emptied = true;
                so_far.base = Some(plan.base.arn.clone());
                let (cluster, service) = (request.cluster.clone(), service.clone());
                let target = Target { cluster, service, twin: request.twin.clone() };
                let back = back_to_service(&kept.blue, &target, survey, looked, setting, emit);
                let ended = Box::pin(back).await?;
                so_far.changed = true;
                let is_over = matches!(ended.exit_code, 0 | 1);
                goes_on(ended, is_over, setting)
            }
            Some(kept) => {
                so_far.emptied = true;
                let finished = stop(&kept, survey, looked, setting, emit).await?;
                so_far.changed = true;
                match finished.outcome {
                    Outcome::Live => Ok(None),
                    _ => Ok(Some(over(setting, &finished, service, emit).await)),
                }
            }
            None => carry_out(*plan, request, setting, survey, looked, emit).await.map(Some),
        },
        Decision::Adopt(record) | Decision::Unfinished(record)
            if so_far.overtaken.contains(&record.id) && so_far.overtaken.len() < OVERTAKEN_MAX =>
        {
            so_far.overtaken.push(record.id.clone());
            sleep(setting, LOOK_TWICE).await?;
            Ok(None)
        }
        Decision::Adopt(record) | Decision::Unfinished(record)
            if record.may_be_overtaken(survey.world.at) =>
        {
            let id = record.id.clone();
            so_far.changed = true;
            let ended = overtake(setting, *record, &survey, service, emit).await?;
            if ended.is_none() {
                so_far.overtaken.push(id);
            }
            Ok(ended)
        }
        Decision::Adopt(record) => {
            let heading = record.heading.clone();
            adopt(setting, *record, &survey, request.scale, heading, service, emit).await
        }
        Decision::Unfinished(record) => {
            not_driven(&survey, &record, setting.on_conflict)?;
            let to = match survey.may_be_finished(&record) {
                true => Heading::Forward,
                false => Heading::Back(Reason::Superseded),
            };
            // What judges ours says nothing of it.
            let of_other = Setting { finishes: true, ..setting.unjudged() };
            let asked = Scale::default();
            let followed = follow(&of_other, *record, &survey, asked, to, service, emit).await?;
            let Some((ended, _, closed)) = followed else { return Ok(None) };
            so_far.changed = true;
            let ended = end(setting, ended, emit);
            // It is over, one way or the other: there is room for ours.
            let is_over = closed.is_some() || matches!(ended.exit_code, 0 | 1);
            goes_on(ended, is_over, setting)
        }
    }
}

/// What comes of a deployment that had to be over before ours. How it ended is not how ours did.
fn goes_on(ended: Ended, is_over: bool, setting: &Setting<'_>) -> Result<Option<Ended>, Error> {
    match (is_over, ended.interrupted) {
        (false, _) => Ok(Some(ended)),
        (true, true) => Err(nothing_changed(*setting.interrupts.borrow())),
        (true, false) => Ok(None),
    }
}

/// A record of a newer version counts as open: only the user can say that it may be overtaken.
fn not_newer(survey: &Survey, decision: &Decision, on_conflict: OnConflict) -> Result<(), Refusal> {
    let starts = matches!(decision, Decision::Deploy(_)) && on_conflict != OnConflict::Supersede;
    match survey.newer().filter(|_| starts) {
        None => Ok(()),
        Some(revision) => Err(Refusal::new(RecordRefused::RecordOfNewerVersion { revision })),
    }
}

/// Nothing begins beside another deployment whose process lives.
fn not_driven(survey: &Survey, record: &Record, on_conflict: OnConflict) -> Result<(), Refusal> {
    let now = survey.world.at;
    let is_over = record.is_abandoned(now) || record.is_seen_in_the_future(now);
    match on_conflict == OnConflict::Refuse && !is_over {
        true => Err(Refusal::new(RecordRefused::Driven {
            deployment: record.name().to_owned(),
            silent: record.silent_for(now),
            dead_after: DEAD_AFTER,
        })),
        false => Ok(()),
    }
}

/// Whether nothing but a deployment of somebody else's keeps ours from starting.
fn is_in_the_way(refusal: &Refusal) -> bool {
    let Refused::Service(why) = &*refusal.why else { return false };
    matches!(why, ServiceRefused::ServiceDeploymentRuns { .. }) && refusal.also.is_empty()
}

/// Lets time pass, unless the user asks us to stop.
async fn sleep(setting: &Setting<'_>, time: Duration) -> Result<(), Error> {
    let waiting = async {
        setting.clock.sleep(time).await;
        Ok::<(), Error>(())
    };
    or_interrupted(&setting.interrupts, waiting).await
}

/// A new deployment, to its end.
async fn carry_out(
    plan: plan::Plan,
    request: &Request,
    setting: &Setting<'_>,
    survey: Survey,
    looked: Moment,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    if let Some(service) = survey.world.service(&plan.record.blue) {
        let calls = plan::must_be_allowed(request, &plan.record);
        let allowed = |call: &Call| setting.aws.is_allowed(*call, &service.arn);
        let asked = try_join_all(calls.iter().map(allowed));
        or_interrupted(&setting.interrupts, asked).await?;
    }
    for warning in plan.warnings.clone() {
        setting.tell(emit, Kind::Warning(warning));
    }
    or_skipped(&setting.interrupts, close_overtaken(setting, &survey, emit)).await;
    let registration = Registration::default();
    let registering = async {
        let (record, kept) = drive::register(setting, &plan, &registration, emit).await?;
        // Where ECS replaces the tasks, the later one wins, and the other sees that.
        if record.twin().is_some() {
            let why = match rival(setting, &survey, &record).await {
                Ok(None) => None,
                Ok(Some(rival)) => Some(given_way(&record, &rival)),
                Err(error) => Some(error),
            };
            if let Some(why) = why {
                if withdraw(setting, &record, kept, emit).await {
                    registration.settle(&record.revision);
                }
                return Err(why);
            }
        }
        Ok((record, kept))
    };
    let interrupts = &setting.interrupts;
    let (record, kept) = registration.or_undone(interrupts, setting.aws, registering).await?;
    let keep = request.keep;
    begin(setting, &record, false, emit);
    let copy = plan.way_back.as_ref().map(|_| record.from.clone());
    let driven = Driven { record, world: survey.world, kept, looked, keep };
    let finished = run(setting, driven, emit).await;
    if let Some(refused) = finished.refused {
        // Nothing of a service or a rule was changed, and nothing of ours is left.
        let kept = if finished.recorded { kept } else { Kept::Memory };
        let mut left = vec![];
        if !withdraw(setting, &finished.record, kept, emit).await {
            left.push(finished.record.revision.as_str());
        }
        if let Some(copy) = &copy
            && !drive::deregister(setting, copy, emit).await
        {
            left.push(copy);
        }
        let error = Error::from(refused);
        return Err(match left.is_empty() {
            true => error,
            false => error.after(LeftBehind::revisions(left.into_iter())),
        });
    }
    Ok(over(setting, &finished, &request.service, emit).await)
}

/// Another deployment of the pair that registered its revision since the survey, and before ours.
async fn rival(
    setting: &Setting<'_>,
    survey: &Survey,
    ours: &Record,
) -> Result<Option<Record>, Error> {
    for arn in setting.aws.newest(family(&ours.revision), 5).await? {
        if survey.newest.contains(&arn) || number(&arn) >= number(&ours.revision) {
            continue;
        }
        let revision = setting.aws.revision(&arn).await?;
        let record = Record::from_tags(&arn, &revision.tags).and_then(Result::ok);
        let counts = |record: &Record| judge(survey, &revision, record) == Verdict::Trusted;
        let open = record.filter(|record| record.closed.is_none() && record.id != ours.id);
        let open = open.filter(counts);
        let pair =
            |record: &Record| [record.cluster.clone(), record.blue.clone(), record.green.clone()];
        if let Some(record) = open.filter(|record| pair(record) == pair(ours)) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Two began at the same moment: the one that registered first goes on. Nothing was changed by ours.
fn given_way(ours: &Record, rival: &Record) -> Error {
    let (deployment, first) = (ours.name().to_owned(), rival.name().to_owned());
    Refusal::new(RecordRefused::BeganFirst { deployment, first }).into()
}

/// Takes out of a service what a deployment wrote into its settings for itself, where somebody else has overtaken it
/// or it could not do that: it would pause, or hurry, the next deployment. Whether something was taken out.
pub async fn tidy_settings(
    setting: &Setting<'_>,
    survey: &Survey,
    emit: &mut dyn FnMut(Event),
) -> bool {
    // What runs now may rest on these settings, and nobody knows whose they are then.
    let world = &survey.world;
    let is_unread = world.deployments.is_none()
        && world.services.values().any(Service::has_service_deployments);
    if is_unread || plan::native::running(survey).is_some() {
        return false;
    }
    // The block is sent whole, as it was read: one at a time.
    let Some((record, action)) = survey.settings_left() else { return false };
    let (pair, service) = (Pair::of(&setting.cluster, &record), record.green.clone());
    let mut waits = backoff().build();
    let tidied = loop {
        let tidied = setting.aws.act(&pair, &action, world).await.map(drop);
        match waits.next().filter(|_| tidied.as_ref().is_err_and(Failure::passes)) {
            Some(wait) => setting.clock.sleep(wait).await,
            None => break tidied,
        }
    };
    let kind = match tidied.clone() {
        Ok(()) => Kind::Changed { step: "tidy", change: Change::SettingsRestored { service } },
        Err(failure) => Kind::Warning(Warning::SettingsLeft { service, failure }),
    };
    setting.tell(emit, kind);
    if tidied.is_ok() && record.closed.is_some() {
        let _ = setting.aws.write(&record.tidied()).await;
    }
    tidied.is_ok()
}

/// Writes into the record of what somebody else has overtaken that it is over: nobody can go on with it.
/// What depends on that is what `status` and `resume` say later on; one that left settings behind stays open.
pub async fn close_overtaken(setting: &Setting<'_>, survey: &Survey, emit: &mut dyn FnMut(Event)) {
    for (record, _) in survey.overtaken() {
        if survey.left_behind(&record).is_some() {
            continue;
        }
        let closed = Some(Closed { end: End::Left, at: setting.aws.date() });
        if let Err(error) = setting.aws.write(&Record { closed, ..record }.tidied()).await {
            let then = Then::GoesOn;
            setting.tell(emit, Kind::Warning(Warning::CallFailed { failure: error, then }));
        }
    }
}
