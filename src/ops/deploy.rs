//! A deployment, from a request to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all, try_join_all};

use super::ended::ended;
use super::last_words::last_words;
use super::prune::prune;
use super::retire::stop;
use crate::aws::Aws;
use crate::drive::backoff::LOOK_TWICE;
use crate::drive::claim::{Claim, Claimant, Claimed, OnConflict, WAIT_LOOK, claim, is_driven};
use crate::drive::gates;
use crate::drive::interrupt::{Registration, or_interrupted, or_skipped};
use crate::drive::{self, Finished, Kept, Setting, withdraw};
use crate::error::Failure;
use crate::event::refusal::{RecordRefused, ServiceRefused};
use crate::event::{
    Cause, Ended, Ending, Error, Event, Hint, Kind, Nothing, Number, Refusal, Refused, Then,
    WaitReason, Warning,
};
use crate::model::arn::short;
use crate::model::reads::Moment;
use crate::model::world::World;
use crate::plan::trust::{Bounds, Limited, Verdict, judge};
use crate::plan::{
    self, Decision, Digest, Identity, Survey, Wanted, live, plan, unfinished, wanted,
};
use crate::record::{Closed, End, Heading, Reason, Record};
use crate::request::image::ImageRef;
use crate::request::{Keep, Request, Scale};
use crate::route::watch::Watch;
use crate::route::{Outcome, View};

/// Answers that may show a deployment open once more after it was closed.
const OVERTAKEN_MAX: usize = 6;

/// How often a process claims a deployment again that it lost.
const REGAINED_MAX: u32 = 3;

/// Nothing is registered on a survey that began so long ago, unless surveys always take as long.
const OLD: Duration = Duration::from_secs(60);
const SURVEYS_MAX: usize = 3;

/// Surveys, plans, and does what the plan says. What another process is doing about the pair is
/// settled first; then everything is looked at anew.
pub async fn deploy(
    request: &Request,
    setting: &Setting<'_>,
    claimant: &Claimant,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let mut ended_before = None;
    // Deployments that ours has taken the place of; a read that lags may show them open once more.
    let mut overtaken: Vec<String> = Vec::new();
    let mut confirmed = false;
    let mut told = false;
    let mut surveys = 1;
    let mut emptied = false;
    let mut waits = false;
    loop {
        let looked = setting.clock.moment(setting.aws.date());
        let deciding = decide(request, setting, &claimant.owner);
        let decided = or_interrupted(&setting.interrupts, deciding).await;
        let (survey, decision) = match (decided, ended_before.take()) {
            // What another process had begun is over, and that is all that was changed.
            (Err(Error::Interrupted(_)), Some(ended)) => return Ok(ended),
            // Somebody else's deployment is waited for like one of ours.
            (Err(Error::Refused(refusal)), ended)
                if claimant.on_conflict == OnConflict::Wait && is_in_the_way(&refusal) =>
            {
                ended_before = ended;
                if !std::mem::replace(&mut waits, true) {
                    let why = WaitReason::OtherDeployment { service: request.service.clone() };
                    setting.tell(emit, Kind::Waiting { step: "claim", why });
                }
                sleep(setting, WAIT_LOOK).await?;
                continue;
            }
            (decided, _) => decided?,
        };
        if !std::mem::replace(&mut told, true) {
            setting.tell(emit, Kind::Location(survey.location()));
        }
        not_newer(&survey, &decision, claimant.on_conflict)?;
        let service = &request.service;
        let ended = match decision {
            Decision::Nothing { service, revision, images } => {
                or_skipped(&setting.interrupts, close_overtaken(setting, &survey, emit)).await;
                let arn = survey.world.service(&service).map(|one| one.revision.clone());
                let arn = arn.unwrap_or_default();
                let why = Nothing::RunsAlready { service, revision, arn, images };
                return Ok(nothing(setting, why, emit));
            }
            // AWS may answer with the past, or with parts of it.
            Decision::Deploy(plan) if plan.outage && !confirmed => {
                confirmed = true;
                look_again(setting).await?;
                continue;
            }
            // This process stood still meanwhile: it plans from what is there now.
            Decision::Deploy(_)
                if surveys < SURVEYS_MAX
                    && looked.age(&setting.clock.moment(setting.aws.date())) >= OLD =>
            {
                surveys += 1;
                continue;
            }
            // What an earlier deployment kept is stopped first.
            Decision::Deploy(_) if !emptied && survey.kept().is_some() => {
                emptied = true;
                let Some(kept) = survey.kept() else { continue };
                let finished = stop(&kept, survey, looked, setting, emit).await;
                if let Some(refused) = finished.refused {
                    return Err(refused.into());
                }
                if finished.outcome != Outcome::Live {
                    return Ok(over(setting, &finished, service, emit).await);
                }
                continue;
            }
            Decision::Deploy(plan) => {
                return carry_out(*plan, request, setting, survey, looked, emit).await;
            }
            Decision::Adopt(record) | Decision::Unfinished(record)
                if overtaken.contains(&record.id) && overtaken.len() < OVERTAKEN_MAX =>
            {
                overtaken.push(record.id.clone());
                look_again(setting).await?;
                continue;
            }
            Decision::Adopt(record) | Decision::Unfinished(record)
                if record.may_be_overtaken(survey.world.at) =>
            {
                let id = record.id.clone();
                match overtake(setting, *record, &survey, claimant, service, emit).await? {
                    Some(ended) => Some(ended),
                    None => {
                        overtaken.push(id);
                        continue;
                    }
                }
            }
            Decision::Adopt(record) => {
                let heading = record.heading.clone();
                let asked = request.scale;
                adopt(setting, *record, &survey, asked, heading, claimant, service, emit).await?
            }
            Decision::Unfinished(record) => {
                let now = survey.world.at;
                let alive = !record.is_abandoned(now) && !record.is_seen_in_the_future(now);
                if claimant.on_conflict == OnConflict::Refuse && alive {
                    return Err(unfinished(&survey, &record).into());
                }
                let back = Heading::Back(Reason::Superseded);
                let asked = Scale::default();
                let ended =
                    follow(setting, *record, &survey, asked, back, claimant, service, emit).await?;
                // It is over, one way or the other: there is room for ours.
                match ended.map(|(ended, _, closed)| (end(setting, ended, emit), closed)) {
                    Some((ended, closed))
                        if !ended.interrupted
                            && (closed.is_some() || matches!(ended.exit_code, 0 | 1)) =>
                    {
                        ended_before = Some(ended);
                        continue;
                    }
                    ended => ended.map(|(ended, _)| ended),
                }
            }
        };
        if let Some(ended) = ended {
            return Ok(ended);
        }
        ended_before = None;
    }
}

/// A record of a newer version counts as open: only the user can say that it may be overtaken.
pub fn not_newer(
    survey: &Survey,
    decision: &Decision,
    on_conflict: OnConflict,
) -> Result<(), Refusal> {
    let starts = matches!(decision, Decision::Deploy(_)) && on_conflict != OnConflict::Supersede;
    match survey.newer().filter(|_| starts) {
        None => Ok(()),
        Some(revision) => Err(Refusal::new(RecordRefused::RecordOfNewerVersion { revision })),
    }
}

/// Whether nothing but a deployment of somebody else's keeps ours from starting.
fn is_in_the_way(refusal: &Refusal) -> bool {
    let Refused::Service(why) = &*refusal.why else { return false };
    matches!(why, ServiceRefused::ServiceDeploymentRuns { .. }) && refusal.also.is_empty()
}

/// Waits until AWS may be asked again.
async fn look_again(setting: &Setting<'_>) -> Result<(), Error> {
    sleep(setting, LOOK_TWICE).await
}

/// Lets time pass, unless the user asks us to stop.
async fn sleep(setting: &Setting<'_>, time: Duration) -> Result<(), Error> {
    let waiting = async {
        setting.clock.sleep(time).await;
        Ok::<(), Error>(())
    };
    or_interrupted(&setting.interrupts, waiting).await
}

/// What was seen for a request, and what it wants of the task definition.
pub struct Looked {
    /// What was seen.
    pub survey: Survey,
    /// What is wanted, with the digests of the wanted images; or why that cannot be.
    pub wanted: Result<(Wanted, BTreeMap<String, Digest>), Refusal>,
}

/// What would be done about a request, and what was seen. Changes nothing.
pub async fn decide(
    request: &Request,
    setting: &Setting<'_>,
    owner: &str,
) -> Result<(Survey, Decision), Error> {
    let Looked { survey, wanted } = look(request, setting).await?;
    let (wanted, digests) = wanted?;
    let decision = decided(request, setting, owner, &survey, &wanted, &digests).await?;
    Ok((survey, decision))
}

/// Reads all that a plan depends on.
pub async fn look(request: &Request, setting: &Setting<'_>) -> Result<Looked, Error> {
    look_on(request, setting, survey(request, setting).await?).await
}

/// Reads what a plan depends on beside the images.
pub async fn survey(request: &Request, setting: &Setting<'_>) -> Result<Survey, Error> {
    let (cluster, service) = (&request.cluster, &request.service);
    let mut survey = setting.aws.survey(cluster, service, request.twin.as_deref()).await?;
    if let Some(base) = request.base.as_ref().filter(|base| !survey.revisions.contains_key(*base)) {
        survey.revisions.insert(base.clone(), setting.aws.revision(base).await?);
    }
    if !request.alarms.is_empty() {
        survey.alarms = setting.aws.alarms(&request.alarms).await?;
    }
    survey.unready = gates::unready(setting, &request.gates).await;
    Ok(survey)
}

/// Reads the images, and what the service's tasks run, on a survey.
pub async fn look_on(
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
pub async fn decided(
    request: &Request,
    setting: &Setting<'_>,
    owner: &str,
    survey: &Survey,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
) -> Result<Decision, Error> {
    let identity =
        Identity { deployment: random_id(), owner: owner.to_owned(), by: setting.by.clone() };
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

/// A new deployment, to its end.
async fn carry_out(
    plan: plan::Plan,
    request: &Request,
    setting: &Setting<'_>,
    survey: Survey,
    looked: Moment,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
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
                withdraw(setting, &record, kept, emit).await;
                registration.is_settled(&record.revision);
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
        withdraw(setting, &finished.record, kept, emit).await;
        if let Some(copy) = copy {
            drive::deregister(setting, &copy, emit).await;
        }
        return Err(refused.into());
    }
    Ok(over(setting, &finished, &request.service, emit).await)
}

/// Whether it is worth asking the tasks which images they run.
fn may_run_already(request: &Request, digests: &BTreeMap<String, Digest>) -> bool {
    let known = |digest: &Digest| matches!(digest, Digest::Known(_));
    !request.force && !digests.is_empty() && digests.values().all(known)
}

/// Another deployment of the pair that registered its revision since the survey, and before ours.
async fn rival(
    setting: &Setting<'_>,
    survey: &Survey,
    ours: &Record,
) -> Result<Option<Record>, Error> {
    let number =
        |arn: &str| arn.rsplit_once(':').and_then(|(_, number)| number.parse::<u64>().ok());
    let family = short(&ours.revision).rsplit_once(':').map_or("", |(family, _)| family);
    for arn in setting.aws.newest(family, 5).await? {
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

/// Writes into the record of what somebody else has overtaken that it is over: nobody can go on with it.
/// Nothing depends on that but what `status` and `resume` say later on.
pub async fn close_overtaken(setting: &Setting<'_>, survey: &Survey, emit: &mut dyn FnMut(Event)) {
    for (record, _) in survey.overtaken() {
        let closed = Some(Closed { end: End::Left, at: setting.aws.date() });
        if let Err(error) = setting.aws.write(&Record { closed, ..record }).await {
            let then = Then::GoesOn;
            setting.tell(emit, Kind::Warning(Warning::CallFailed { failure: error, then }));
        }
    }
}

/// Goes on with what another process began, back where `heading` says so: a deployment that goes
/// back is never turned forward. Its numbers are followed within bounds, or as `asked` says. `None`: it
/// ended meanwhile.
#[expect(
    clippy::too_many_arguments,
    reason = "whose it is, what was seen of it, and what is asked"
)]
pub async fn adopt(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    asked: Scale,
    heading: Heading,
    claimant: &Claimant,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Ended>, Error> {
    let ended = follow(setting, record, survey, asked, heading, claimant, service, emit).await?;
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
async fn overtake(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    claimant: &Claimant,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<Ended>, Error> {
    let claimant =
        Claimant { on_conflict: OnConflict::Supersede, by_name: true, ..claimant.clone() };
    let (asked, to) = (Scale::default(), Heading::Overtaken);
    let followed = follow(setting, record, survey, asked, to, &claimant, service, emit).await?;
    let Some((ended, _, closed)) = followed else { return Ok(None) };
    match closed {
        Some(_) => Ok(None),
        None => Ok(Some(end(setting, ended, emit))),
    }
}

/// The same as `adopt`, with the numbers that were not followed, and how the record is closed now; its
/// end is not told.
#[expect(clippy::too_many_arguments, reason = "as `adopt`")]
pub(super) async fn follow(
    setting: &Setting<'_>,
    record: Record,
    survey: &Survey,
    asked: Scale,
    heading: Heading,
    claimant: &Claimant,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Result<Option<(Ended, Vec<Limited>, Option<Closed>)>, Error> {
    let promoted = record.promoted;
    let name = record.name().to_owned();
    let (bounds, world) = (Bounds::of(survey, asked), survey.world.clone());
    let claimed = match claim(setting, record, world, claimant, &bounds, emit).await? {
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
        _ => Record { promoted: promoted.or(record.promoted), ..record },
    };
    begin(setting, &record, true, emit);
    let driven = Driven { record, world, kept: Kept::OlderTags, looked, keep: None };
    let finished = run(setting, driven, emit).await;
    let closed = finished.record.closed.filter(|_| finished.recorded);
    Ok(Some((report(setting, &finished, service).await, limited, closed)))
}

/// A deployment that is ours to drive.
struct Driven {
    record: Record,
    world: World,
    kept: Kept,
    looked: Moment,
    /// Revisions of the service to keep after a success.
    keep: Option<Keep>,
}

fn begin(setting: &Setting<'_>, record: &Record, adopted: bool, emit: &mut dyn FnMut(Event)) {
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

/// The way back that is in no tags.
pub async fn drive_back(
    setting: &Setting<'_>,
    record: Record,
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
    let driven = Driven { record, world, kept: Kept::Memory, looked, keep: None };
    let finished = run(setting, driven, emit).await;
    over(setting, &finished, service, emit).await
}

/// Drives it to its end.
async fn run(setting: &Setting<'_>, driven: Driven, emit: &mut dyn FnMut(Event)) -> Finished {
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
    let owner = ours.owner.clone();
    let claimant = Claimant { owner, on_conflict: OnConflict::Refuse, by_name: true };
    let bounds = Bounds::of(&survey, Scale::default());
    match claim(setting, record, survey.world, &claimant, &bounds, emit).await {
        Ok(Claim::Ours(claimed)) => Some(*claimed),
        _ => None,
    }
}

/// Says how it ended.
async fn over(
    setting: &Setting<'_>,
    finished: &Finished,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    let ended = report(setting, finished, service).await;
    end(setting, ended, emit)
}

async fn report(setting: &Setting<'_>, finished: &Finished, service: &str) -> Ended {
    let logs = or_skipped(&setting.interrupts, last_words(setting, finished)).await;
    let ended = ended(finished, &setting.cluster, service, setting.aws.calls());
    Ended { logs: logs.unwrap_or_default(), ..ended }
}

/// Tells how it ended.
pub(super) fn end(setting: &Setting<'_>, ended: Ended, emit: &mut dyn FnMut(Event)) -> Ended {
    setting.tell(emit, Kind::Outcome(Box::new(ended.clone())));
    ended
}

/// Says that there is nothing to do.
pub fn nothing(setting: &Setting<'_>, why: Nothing, emit: &mut dyn FnMut(Event)) -> Ended {
    let api_calls = setting.aws.calls();
    let ending = Ending::NothingToDo { nothing: why };
    end(setting, Ended { ending, api_calls, ..Ended::default() }, emit)
}

/// Says that a deployment is another's business now.
pub fn superseded(
    setting: &Setting<'_>,
    name: &str,
    by: Cause,
    hint: Option<Hint>,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    end(setting, superseded_by(setting, name, by, hint), emit)
}

fn superseded_by(setting: &Setting<'_>, name: &str, by: Cause, hint: Option<Hint>) -> Ended {
    Ended {
        ending: Ending::Superseded { revision: name.to_owned() },
        exit_code: Outcome::Superseded(by.clone()).exit_code(),
        deployment: Some(name.to_owned()),
        why: Some(by),
        hint,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    }
}

/// Names a process or a deployment.
pub fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
