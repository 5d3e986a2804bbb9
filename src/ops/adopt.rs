//! Goes on with what another process began, and drives what is ours to its end.

use super::ended::{end, over, report, superseded_by};
use super::prune::prune;
use crate::drive::claim::{Claim, Claimed, OnConflict, claim, is_driven};
use crate::drive::interrupt::or_skipped;
use crate::drive::{self, Finished, Kept, Setting};
use crate::event::{Cause, Ended, Error, Event, Hint, Kind, Number, Then, WaitReason, Warning};
use crate::model::reads::Moment;
use crate::model::world::World;
use crate::plan::trust::{Bounds, Limited};
use crate::plan::{Survey, readable, unfinished};
use crate::record::{Closed, Heading, Reason, Record};
use crate::request::{Keep, Scale};
use crate::route::watch::Watch;
use crate::route::{Outcome, View};

/// How often a process claims a deployment again that it lost.
const REGAINED_MAX: u32 = 3;

/// Goes on with what another process began, back where `heading` says so: a deployment that goes
/// back is never turned forward. Its numbers are followed within bounds, or as `asked` says. `None`: it
/// ended meanwhile.
pub(super) async fn adopt(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    asked: Scale,
    heading: Heading,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Ended>, Error> {
    let ended = follow(setting, record, survey, asked, heading, service, emit).await?;
    let Some((mut ended, limited, _)) = ended else { return Ok(None) };
    let numbers: Vec<Number> =
        limited.into_iter().filter(|one| one.is_excess).map(|one| one.number).collect();
    if !numbers.is_empty() && matches!(ended.exit_code, 0 | 1) {
        let cause = Cause::NumbersNotFollowed { numbers };
        ended.exit_code = Outcome::Stuck(cause.clone()).exit_code();
        ended.why = Some(cause);
        ended.hint = Some(Hint::new("status", &setting.cluster, service));
    }
    Ok(Some(end(setting, ended, emit)))
}

/// Takes the place of a deployment on its way back that nobody finishes: all traffic goes to one side, and
/// its record is closed. `None`: there is room for ours.
pub(super) async fn overtake(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Ended>, Error> {
    let setting = &Setting { on_conflict: OnConflict::Supersede, by_name: true, ..setting.clone() };
    let (asked, to) = (Scale::default(), Heading::Overtaken);
    let unfinished = unfinished(survey, &record);
    let followed = follow(setting, record, survey, asked, to, service, emit).await?;
    let Some((ended, _, closed)) = followed else { return Ok(None) };
    // It is over, and its record does not say so: ours cannot begin.
    let is_over = matches!(ended.exit_code, 0 | 1) || ended.why == Some(Cause::Replaced);
    match closed {
        Some(_) => Ok(None),
        None if is_over => Err(unfinished.into()),
        None => Ok(Some(end(setting, ended, emit))),
    }
}

/// The same as `adopt`, with the numbers that were not followed, and how the record is closed now; its
/// end is not told.
pub(super) async fn follow(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    asked: Scale,
    heading: Heading,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<(Ended, Vec<Limited>, Option<Closed>)>, Error> {
    // Rules that may not be read are none that somebody deleted.
    if record.twin().is_some() {
        readable(survey)?;
    }
    let promoted = record.promoted;
    let name = record.name().to_owned();
    let (bounds, world) = (Bounds::of(survey, asked), survey.world.clone());
    let claimed = match claim(setting, record, world, &bounds, emit).await? {
        Claim::Ours(claimed) => *claimed,
        Claim::Ended => return Ok(None),
        Claim::Lost(owner) => {
            let by = Cause::TakenOver { owner, deployment: name.clone() };
            return Ok(Some((superseded_by(setting, &name, by, None), vec![], None)));
        }
    };
    let Claimed { record, world, looked, limited } = claimed;
    for one in &limited {
        let number = one.number.clone();
        setting.tell(emit, Kind::Warning(Warning::NumberNotFollowed(number)));
    }
    let record = match (record.forward(), heading) {
        (true, Heading::Back(reason)) => {
            let watch = Watch::new(world.at);
            View { record: &record, watch: &watch, world: &world }.turned_back(reason)
        }
        (false, Heading::Overtaken) => Record { heading: Heading::Overtaken, ..record },
        // Who was to take its place did not.
        (false, back @ Heading::Back(_)) if record.heading == Heading::Overtaken => {
            Record { heading: back, ..record }
        }
        _ => Record { promoted: promoted.or(record.promoted), ..record },
    };
    begin(setting, &record, true, emit);
    let driven = Driven { record, world, kept: Kept::OlderTags, looked, keep: None };
    let finished = run(setting, driven, emit).await;
    let closed = finished.record.closed.filter(|_| finished.recorded);
    Ok(Some((report(setting, &finished, service, emit).await, limited, closed)))
}

/// A deployment that is ours to drive.
pub(super) struct Driven {
    pub(super) record: Record,
    pub(super) world: World,
    pub(super) kept: Kept,
    pub(super) looked: Moment,
    /// Revisions of the service to keep after a success.
    pub(super) keep: Option<Keep>,
}

pub(super) fn begin(
    setting: &Setting<'_>,
    record: &Record,
    adopted: bool,
    emit: &mut dyn FnMut(Event),
) {
    let begun = Kind::Begun {
        deployment: record.name().to_owned(),
        arn: record.revision.clone(),
        from: record.from.clone(),
        engine: record.engine(),
        blue: record.blue.clone(),
        green: record.green.clone(),
        adopted,
    };
    setting.tell(emit, begun);
}

/// The way back of a deployment that had ended, or that no record tells of.
pub(super) async fn drive_back(
    setting: &Setting<'_>,
    record: Record,
    kept: Kept,
    world: World,
    looked: Moment,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    let back = Kind::RollingBack {
        to: record.from.clone(),
        reason_code: Reason::Asked.code(),
        cause: Cause::Asked,
    };
    setting.tell(emit, back);
    let driven = Driven { record, world, kept, looked, keep: None };
    let finished = run(setting, driven, emit).await;
    over(setting, &finished, service, emit).await
}

/// Drives it to its end.
pub(super) async fn run(
    setting: &Setting<'_>,
    driven: Driven,
    emit: &mut dyn FnMut(Event),
) -> Finished {
    let Driven { record, world, kept, looked, keep } = driven;
    let mut finished = drive::run(setting, record, world, kept, looked, emit).await;
    for _ in 0..REGAINED_MAX {
        let regaining = Box::pin(regained(setting, &finished, emit));
        let Some(Some(claimed)) = or_skipped(&setting.interrupts, regaining).await else { break };
        let Claimed { record, world, looked, limited } = claimed;
        for one in &limited {
            let number = one.number.clone();
            setting.tell(emit, Kind::Warning(Warning::NumberNotFollowed(number)));
        }
        begin(setting, &record, true, emit);
        finished = drive::run(setting, record, world, Kept::OlderTags, looked, emit).await;
    }
    if let Some(keep) = keep.filter(|_| finished.outcome == Outcome::Live) {
        let Finished { record, world, .. } = &finished;
        let pruned = or_skipped(&setting.interrupts, prune(setting.aws, record, world, keep)).await;
        let kind = match pruned {
            Some(Ok(pruned)) if pruned.is_empty() => None,
            Some(Ok(revisions)) => Some(Kind::Pruned { revisions }),
            Some(Err(failure)) => {
                let then = Then::OldRevisionsKept;
                Some(Kind::Warning(Warning::CallFailed { failure, then }))
            }
            None => Some(Kind::Warning(Warning::OldRevisionsKept)),
        };
        kind.into_iter().for_each(|kind| setting.tell(emit, kind));
    }
    finished
}

/// A process that lost its deployment to another one changes nothing, but it waits for a second sign of
/// life of the other one. Without one it claims the deployment again: anybody who may write a tag could
/// otherwise leave it half-way.
async fn regained(
    setting: &Setting<'_>,
    finished: &Finished,
    emit: &mut dyn FnMut(Event),
) -> Option<Claimed> {
    let ours = &finished.record;
    let other = finished.world.owner.as_ref().filter(|owner| **owner != ours.owner)?;
    let is_lost = matches!(finished.outcome, Outcome::Superseded(_)) && finished.recorded;
    if !is_lost || finished.interrupted {
        return None;
    }
    let (deployment, owner) = (ours.name().to_owned(), other.clone());
    let why = WaitReason::SecondSign { deployment, owner };
    setting.tell(emit, Kind::Waiting { step: "check", why });
    if is_driven(setting, ours).await {
        return None;
    }
    let survey = setting.aws.survey(&setting.cluster, &ours.blue, ours.twin()).await.ok()?;
    let record = survey.open_record()?.ok().filter(|record| record.id == ours.id)?;
    let setting = &Setting { on_conflict: OnConflict::Refuse, by_name: true, ..setting.clone() };
    let bounds = Bounds::of(&survey, Scale::default());
    match claim(setting, record, survey.world, &bounds, emit).await {
        Ok(Claim::Ours(claimed)) => Some(*claimed),
        _ => None,
    }
}
