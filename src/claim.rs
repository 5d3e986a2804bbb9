//! Who drives a deployment. A newcomer looks twice before it believes what it sees, asks whether the
//! owner is alive, writes its own name, and reads that back twice before it acts.

use std::time::Duration;

use crate::aws::{Focus, Pair};
use crate::engine::{Setting, without_rules};
use crate::error::{Error, Refusal};
use crate::event::{Event, Kind};
use crate::record::{Engine, Record};
use crate::world::{Look, World};

/// An owner that has not been seen for this long is dead: it says so every 60 s.
pub const DEAD_AFTER: Duration = Duration::from_secs(180);
/// A record that nobody has touched for this long is history: only a person goes on with it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Between two looks that must agree.
const LOOK_TWICE: Duration = Duration::from_secs(5);
/// Between two looks at an owner that is waited for.
const WAIT_LOOK: Duration = Duration::from_secs(15);

/// What to do about another process that drives a deployment of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnConflict {
    /// Do not start while it is alive
    Refuse,
    /// Wait until it has ended, or is dead
    Wait,
    /// Take its place
    Supersede,
}

/// Who may take over, and from whom.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// This process.
    pub owner: String,
    /// What to do while the owner lives.
    pub on_conflict: OnConflict,
    /// A person asked for this very deployment: its age does not matter.
    pub by_name: bool,
}

/// What became of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The deployment is ours to drive.
    Ours(Box<Record>, World),
    /// It has ended meanwhile.
    Ended,
    /// Another process was quicker.
    Lost(String),
}

/// Claims an open record. `world` is the survey's.
pub async fn claim(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    claimant: &Claimant,
    emit: &mut dyn FnMut(Event),
) -> Result<Claim, Error> {
    let (mut record, mut world) = (record.clone(), without_rules(&record, world));
    loop {
        (record, world) = twice(setting, record, world).await?;
        if record.closed.is_some() {
            return Ok(Claim::Ended);
        }
        let silent = world.at.duration_since(record.seen).unwrap_or_default();
        if silent > FORGOTTEN_AFTER && !claimant.by_name {
            let what = format!("{} was left unfinished {} ago", record.name(), about(silent));
            return Err(Refusal::new(what, verb(setting, &record, "resume")).into());
        }
        if silent >= DEAD_AFTER || claimant.on_conflict == OnConflict::Supersede {
            break;
        }
        if claimant.on_conflict == OnConflict::Refuse {
            let what = format!(
                "{} is being driven by another process, which was seen {} ago (dead after {})",
                record.name(),
                about(silent),
                about(DEAD_AFTER)
            );
            return Err(Refusal::new(what, "run the same command with --on-conflict wait").into());
        }
        let why = format!("{} is being driven by another process", record.name());
        emit(Event { at: setting.clock.now(), kind: Kind::Waiting { step: "claim".into(), why } });
        setting.clock.sleep(WAIT_LOOK).await;
    }
    record.owner.clone_from(&claimant.owner);
    if let Some(held) = &mut record.held {
        // A time that cannot be: it counts from now.
        held.since = held.since.min(world.at + LOOK_TWICE);
    }
    record.seen = world.at;
    setting.aws.write(&record).await?;
    // What its last owner decided before this was sent within 10 s of its looking, or is not sent.
    for _ in 0..2 {
        setting.clock.sleep(LOOK_TWICE).await;
        match setting.aws.record(&record.revision).await? {
            Some(read) if read.owner != record.owner => return Ok(Claim::Lost(read.owner)),
            _ => {}
        }
    }
    let world = setting
        .aws
        .look(&pair(setting, &record), widest(&record), &Focus::default(), &world)
        .await?;
    Ok(Claim::Ours(Box::new(record), world))
}

fn pair(setting: &Setting<'_>, record: &Record) -> Pair {
    Pair::of(&setting.cluster, record)
}

/// All there is to look at.
fn widest(record: &Record) -> Look {
    match record.engine() {
        Engine::Listener => Look::Listing,
        Engine::Rolling => Look::Whole,
    }
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
        let next = setting
            .aws
            .look(&pair(setting, &record), widest(&record), &Focus::default(), &world)
            .await?;
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

fn about(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// The command that does this to the pair.
pub fn verb(setting: &Setting<'_>, record: &Record, verb: &str) -> String {
    format!("ecs-bg {verb} --cluster {} --service {}", setting.cluster, record.blue)
}
