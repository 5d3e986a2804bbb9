//! Claims a deployment that another process began. The claimant looks twice, checks whether the owner is
//! alive, writes its own name, and reads it back twice before it acts. A claim that fails is released.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use crate::aws::{Pair, Reads};
use crate::drive::interrupt::{PATIENCE, asked, nothing_changed};
use crate::drive::{Setting, begin_with};
use crate::error::Failure;
use crate::event::refusal::RecordRefused;
use crate::event::{Error, Event, Interruption, Kind, LeftBehind, Refusal, WaitReason};
use crate::model::reads::{Moment, Part};
use crate::model::world::World;
use crate::plan::trust::{Bounds, Limited};
use crate::record::{DEAD_AFTER, FORGOTTEN_AFTER, Record, Released};
use crate::route::engine;

/// Between two looks that must agree.
const LOOK_TWICE: Duration = Duration::from_secs(5);
/// Between two looks at an owner that is waited for.
pub const WAIT_LOOK: Duration = Duration::from_secs(15);

/// A living owner writes that it lives within this time (three heartbeats), else it counts as dead.
const SECOND_SIGN: Duration = Duration::from_secs(200);

/// Beats of a living owner that may cross our writing, one after the other.
const CROSSED_MAX: u32 = 3;

/// What to do about another process that drives a deployment of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnConflict {
    /// Do not start while the other process lives
    Refuse,
    /// Wait until its deployment has ended or its process is dead
    Wait,
    /// Take over its deployment
    Supersede,
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The deployment is ours to drive.
    Ours(Box<Claimed>),
    /// It has ended meanwhile.
    Ended,
    /// Another process was quicker.
    Lost(String),
}

/// A deployment that is ours to drive.
#[derive(Debug)]
pub struct Claimed {
    /// Its record, with the numbers that we may follow.
    pub record: Record,
    /// The last look.
    pub world: World,
    /// When that began, by our clock.
    pub looked: Moment,
    /// The numbers that we do not follow.
    pub limited: Vec<Limited>,
}

/// Claims an open record that counts. `world` is the survey's. When the claim fails or the user asks us
/// to stop, the record gets the owner back that it had.
pub async fn claim(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    bounds: &Bounds,
    emit: &mut dyn FnMut(Event),
) -> Result<Claim, Error> {
    let overwritten = RefCell::new(None);
    let claiming = Box::pin(claiming(setting, record, world, bounds, &overwritten, emit));
    tokio::select! {
        biased;
        _ = asked(&setting.interrupts, 1) => {}
        claim = claiming => {
            if let (Err(_), Some(before)) = (&claim, overwritten.take()) {
                let releasing = Box::pin(give_back(setting, &before, &setting.owner));
                tokio::select! {
                    biased;
                    _ = asked(&setting.interrupts, 1) => {}
                    _ = tokio::time::timeout(PATIENCE, releasing) => {}
                }
            }
            return claim;
        }
    }
    let Some(before) = overwritten.take() else {
        return Err(nothing_changed(*setting.interrupts.borrow()));
    };
    let given_back = tokio::select! {
        biased;
        _ = asked(&setting.interrupts, 2) => false,
        written = tokio::time::timeout(PATIENCE, setting.aws.own(&before)) => {
            matches!(written, Ok(Ok(())))
        }
    };
    let asked = *setting.interrupts.borrow();
    if given_back {
        return Err(nothing_changed(asked));
    }
    let left = LeftBehind::Owner {
        deployment: before.name().to_owned(),
        service: before.blue,
        cluster: setting.cluster.clone(),
        dead_after: DEAD_AFTER,
    };
    let code = if asked > 1 { 130 } else { 4 };
    Err(Error::Interrupted(Interruption { code, left }))
}

/// Writes the owner that a record had `before` a claim that failed, unless somebody else has written a name
/// since. The next process then need not wait until this one counts as dead.
async fn give_back(setting: &Setting<'_>, before: &Record, ours: &str) {
    let read = setting.aws.record(&before.revision).await;
    if !matches!(read, Ok(Some(read)) if read.owner != ours) {
        // Where it cannot be written, the owner counts as dead later.
        let _ = setting.aws.own(before).await;
    }
}

/// `overwritten` is the record as it was before our name was written into it.
async fn claiming(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    bounds: &Bounds,
    overwritten: &RefCell<Option<Record>>,
    emit: &mut dyn FnMut(Event),
) -> Result<Claim, Error> {
    let judged = record.clone();
    let (mut record, mut world) = (record.clone(), begin_with(&record, world));
    let first = world.at;
    let mut crossed = 0;
    loop {
        (record, world) = twice(setting, record, world).await?;
        if record.closed.is_some() {
            return Ok(Claim::Ended);
        }
        unchanged(setting, &judged, &record)?;
        if !may(setting, &record, &world, first)? {
            let in_the_future = record.is_seen_in_the_future(world.at);
            let why = WaitReason::Owner { deployment: record.name().to_owned(), in_the_future };
            let kind = Kind::Waiting { step: "claim", why };
            emit(Event { at: setting.clock.now(), kind });
            setting.clock.sleep(WAIT_LOOK).await;
            continue;
        }
        overwritten.replace(Some(record.clone()));
        let last = std::mem::replace(&mut record.owner, setting.owner.clone());
        (record.seen, record.released) = (world.at, None);
        record.by.clone_from(&setting.by);
        setting.aws.own(&record).await?;
        match read_back(setting, &record).await? {
            None => break,
            Some(read) if read.closed.is_some() => return Ok(Claim::Ended),
            // What was claimed may have come further than an answer from the past said.
            Some(read) if read.owner == record.owner => {
                record = read;
                break;
            }
            // Its last owner said that it is alive at that very moment.
            Some(read) if read.owner == last && crossed < CROSSED_MAX => {
                crossed += 1;
                overwritten.replace(None);
                record = read;
            }
            Some(read) => return Ok(Claim::Lost(read.owner)),
        }
    }
    unchanged(setting, &judged, &record)?;
    if let Some(held) = &mut record.held {
        // A time that cannot be: it counts from now.
        held.since = held.since.min(world.at + LOOK_TWICE);
    }
    let looked = setting.clock.moment(setting.aws.date());
    // With the owner: nothing may have happened since it was read but what this look shows.
    let world = look_at_all(setting, &record, Some(Part::Owner), &world).await?;
    let (record, limited) = bounds.limit(record, &world);
    Ok(Claim::Ours(Box::new(Claimed { record, world, looked, limited })))
}

/// What was judged is what is claimed: tags may be written at any moment.
fn unchanged(setting: &Setting<'_>, judged: &Record, read: &Record) -> Result<(), Refusal> {
    match judged.is_same_as(read) {
        true => Ok(()),
        false => {
            let (deployment, service) = (judged.name().to_owned(), judged.blue.clone());
            let cluster = setting.cluster.clone();
            Err(Refusal::new(RecordRefused::RecordEdited { deployment, service, cluster }))
        }
    }
}

/// Whether the claimant may take over now; if not, it may wait.
fn may(
    setting: &Setting<'_>,
    record: &Record,
    world: &World,
    first: SystemTime,
) -> Result<bool, Refusal> {
    let is_later = record.is_seen_in_the_future(world.at);
    let silent = match is_later {
        true => world.at.duration_since(first).unwrap_or_default(),
        false => record.silent_for(world.at),
    };
    if silent > FORGOTTEN_AFTER && !setting.by_name {
        return Err(forgotten(record, &setting.cluster, silent));
    }
    if silent >= DEAD_AFTER
        || record.released.is_some()
        || setting.on_conflict == OnConflict::Supersede
    {
        return Ok(true);
    }
    if setting.on_conflict == OnConflict::Refuse && !is_later {
        let (deployment, dead_after) = (record.name().to_owned(), DEAD_AFTER);
        return Err(Refusal::new(RecordRefused::Driven { deployment, silent, dead_after }));
    }
    Ok(false)
}

/// Only a person goes on with it.
pub fn forgotten(record: &Record, cluster: &str, silent: Duration) -> Refusal {
    let (deployment, service) = (record.name().to_owned(), record.blue.clone());
    let cluster = cluster.to_owned();
    Refusal::new(RecordRefused::Forgotten { deployment, service, cluster, silent })
}

/// The record as it is after our name was written: at once if it is another's or closed, else as a
/// second look shows it. What the last owner decided before ours was written is sent within 10 s of its
/// looking, or is not sent. `None`: nobody can read it any more.
async fn read_back(setting: &Setting<'_>, ours: &Record) -> Result<Option<Record>, Error> {
    let mut last = None;
    for _ in 0..2 {
        setting.clock.sleep(LOOK_TWICE).await;
        last = setting.aws.record(&ours.revision).await?;
        let lost = |read: &Record| read.owner != ours.owner || read.closed.is_some();
        if last.as_ref().is_some_and(lost) {
            break;
        }
    }
    Ok(last)
}

/// Whether a process that has taken over `ours` shows a second time that it lives, or is done with it.
pub async fn is_driven(setting: &Setting<'_>, ours: &Record) -> bool {
    let mut first: Option<Record> = None;
    let begin = setting.clock.moment(setting.aws.date());
    while begin.age(&setting.clock.moment(setting.aws.date())) <= SECOND_SIGN {
        // What cannot be read now is no sign.
        let read = setting.aws.record(&ours.revision).await.ok().flatten();
        if let Some(read) = read.filter(|read| read.owner != ours.owner) {
            if read.released == Some(Released::Promoted) {
                return false;
            }
            let is_over = read.closed.is_some() || read.released.is_some();
            if is_over || first.as_ref().is_some_and(|first| *first != read) {
                return true;
            }
            first = Some(read);
        }
        setting.clock.sleep(WAIT_LOOK).await;
    }
    false
}

fn pair(setting: &Setting<'_>, record: &Record) -> Pair {
    Pair::of(&setting.cluster, record)
}

/// Looks at all there is to look at.
async fn look_at_all(
    setting: &Setting<'_>,
    record: &Record,
    beside: Option<Part>,
    before: &World,
) -> Result<World, Failure> {
    let engine = engine(record.engine());
    let targets = before.target_parts(before.services.values());
    let parts = (engine.parts)(engine.widest).into_iter().chain(targets).chain(beside);
    let reads = Reads::of(engine.widest, parts).for_record(record);
    setting.aws.look(&pair(setting, record), &reads, before).await
}

/// A newcomer looks twice: AWS may answer with the past. Returns when two looks, 5 s apart, agree.
async fn twice(
    setting: &Setting<'_>,
    record: Record,
    world: World,
) -> Result<(Record, World), Error> {
    let (mut record, mut world) = (record, world);
    loop {
        setting.clock.sleep(LOOK_TWICE).await;
        let next = look_at_all(setting, &record, None, &world).await?;
        let read = setting.aws.record(&record.revision).await?.unwrap_or_else(|| record.clone());
        let wants = |world: &World| -> Vec<_> {
            world
                .services
                .values()
                .map(|s| (s.name.clone(), s.desired, s.revision.clone()))
                .collect()
        };
        let agree = read == record && next.rules == world.rules && wants(&next) == wants(&world);
        (record, world) = (read, next);
        if agree {
            return Ok((record, world));
        }
    }
}
