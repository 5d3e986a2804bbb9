//! The record of a deployment: the few facts that must outlive the process because AWS cannot be
//! asked for them. It is kept in tags on the revision that the deployment registered. Tags are
//! readable by many and writable by some: nothing secret goes in, and nothing in them is executed.

mod native;
mod tags;

use std::time::{Duration, SystemTime};

pub use self::native::{GATES_LIMIT, Native};
pub use self::tags::Unreadable;
use self::tags::{ENDS, REASONS, code, decode};

use crate::model::arn::short;
use crate::model::scaling::Suspended;
use crate::request::strategy::Stage;
use crate::request::{EngineName, Share, WaitFor};

/// An owner that has not been seen for this long is dead: it says so every 60 s.
pub const DEAD_AFTER: Duration = Duration::from_secs(180);
/// A record that nobody has touched for this long is history: only a person goes on with it.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// AWS's clocks may differ by this much.
const SKEW: Duration = Duration::from_secs(10);

/// What a deployment is, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Random; tells one deployment from every other.
    pub id: String,
    /// Which request this is (`request::fingerprint`).
    pub request: String,
    /// The ARN of the revision that carries the record. The deployment's name is its short form.
    pub revision: String,
    /// The cluster's name.
    pub cluster: String,
    /// The service that served when it began.
    pub blue: String,
    /// The service that the new revision comes up in: blue itself, where ECS replaces its tasks.
    pub green: String,
    /// ARN of blue's revision: the way back.
    pub from: String,
    /// ARN of the revision that green was on before.
    pub was: String,
    /// Blue's desired count when it began, raised when blue scales out, never lowered.
    pub count: u32,
    /// What ran on the old side when it began; `None` where that could not be read.
    pub had: Option<Had>,
    /// Whether a scalable target may change the count (`rolling` only); `None` where that is not known.
    pub scaled: Option<bool>,
    /// What the scalable targets of both services suspended when it began (`listener` only); `None`: nothing
    /// scales them.
    pub scaling: Option<Suspensions>,
    /// What else the service was asked to change with its revision (`rolling` only).
    pub asked: Asked,
    /// What the user waits for (`rolling` only).
    pub until: WaitFor,
    /// The task that must succeed before anything serves, where there is to be one.
    pub prepare: Option<Prepare>,
    /// What is asked of ECS, where ECS shifts the traffic (`native` only).
    pub native: Option<Native>,
    /// How the traffic moves.
    pub shares: Vec<Share>,
    /// How long 100 % is held.
    pub bake: Duration,
    /// How long the load balancer is given to follow a change.
    pub follow: Duration,
    /// How long there may be no progress.
    pub timeout: Duration,
    /// Ids of the rules that gave green weight when it began, while green had no healthy target: they
    /// show green to somebody who tests it, and stay as they are.
    pub test_rules: Vec<String>,
    /// The old side keeps running after the end.
    pub keep_old: bool,
    /// When it began.
    pub start: SystemTime,
    /// Which way it goes.
    pub heading: Heading,
    /// Green's share (in percent) that is being written to the rules, or was; `None` before the
    /// first one: until then no traffic was ever meant for green.
    pub to: Option<u8>,
    /// The share that every rule was read to have, and since when.
    pub held: Option<Held>,
    /// The share whose hold was cut short by `promote`.
    pub promoted: Option<u8>,
    /// A hash of the checks and alarms that judge it, where there are any: they themselves come from the command
    /// line each time. Who does not have the same ones raises no share.
    pub judges: Option<String>,
    /// The end, once it is there. A closed record is opened again only by a rollback to the service that it left.
    pub closed: Option<Closed>,
    /// Which process drives it.
    pub owner: String,
    /// What drives it, for people: the address of a CI run, or `user@host`; empty where that is not known.
    pub by: String,
    /// When its owner last said so.
    pub seen: SystemTime,
    /// Its owner has let it go, and how it left it.
    pub released: Option<Released>,
}

/// What ran on the old side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Had {
    /// Its running tasks.
    pub running: u32,
    /// Its healthy targets; `None` where no target was looked at.
    pub healthy: Option<u32>,
}

/// How an owner left a deployment that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// A person must look.
    Stuck,
    /// A rule shows what it did not write.
    Drifted,
    /// Somebody else took its place.
    Superseded,
    /// Somebody promoted its share while its owner lives: the owner goes on.
    Promoted,
}

/// What the scalable targets of a pair suspend while no deployment is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspensions {
    /// That of the side that serves.
    pub blue: Suspended,
    /// That of the other side.
    pub green: Suspended,
}

/// What may be asked of a service beside its revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its desired count.
    pub count: Option<Change>,
    /// `minimumHealthyPercent`.
    pub min_healthy: Option<Change>,
    /// `maximumPercent`.
    pub max_percent: Option<Change>,
}

/// A number that is changed, and that the way back changes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is to be.
    pub to: u32,
    /// What it was.
    pub from: u32,
}

/// A task that must succeed before anything serves. Its command is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepare {
    /// How long it may take.
    pub timeout: Duration,
    /// It has succeeded.
    pub done: bool,
}

/// Forward, or back and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heading {
    /// The new revision is being introduced.
    Forward,
    /// It is being withdrawn.
    Back(Reason),
    /// Another deployment takes the place of one that was being withdrawn: all traffic goes to one side,
    /// nothing else is restored.
    Overtaken,
}

/// Why a deployment turned back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The task that runs before did not succeed.
    Before,
    /// Green's service was deleted.
    Gone,
    /// Targets of green are not healthy.
    Sick,
    /// Tasks of green stop.
    Tasks,
    /// ECS put green back on its old revision.
    EcsRollback,
    /// No progress for too long.
    Deadline,
    /// Nobody promoted a share in time.
    Pause,
    /// An alarm went off that judges the deployment.
    Alarm,
    /// A gate failed, or could not tell for too long.
    Gate,
    /// Green has traffic, and nobody can tell whether it is healthy.
    Blind,
    /// Somebody deployed to blue.
    BlueChanged,
    /// AWS refused a change that the way forward needs.
    Refused,
    /// More changes than a deployment can need.
    Bound,
    /// The process was told to stop.
    Interrupted,
    /// Somebody asked for it.
    Asked,
    /// Another deployment takes its place.
    Superseded,
    /// No process drove it any more.
    Abandoned,
}

/// A share of the traffic that all rules have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Green's share in percent.
    pub share: u8,
    /// Since when.
    pub since: SystemTime,
}

/// How it ended, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What serves.
    pub end: End,
    /// When that was written.
    pub at: SystemTime,
}

/// What serves when a record is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The new revision, in green.
    Live,
    /// The old one, in blue.
    WentBack,
    /// Whatever did when it was left alone, at somebody's word.
    Left,
    /// The revision that was to serve, with fewer tasks than planned: somebody lowered the count.
    Short,
    /// Neither revision: the old one cannot run either.
    Neither,
    /// Another deployment took its place on the way back.
    Overtaken,
}

impl Reason {
    /// The code that tags and JSON show.
    pub fn code(self) -> &'static str {
        code(&REASONS, self)
    }

    /// The reason of a code.
    pub fn of_code(code: &str) -> Option<Self> {
        decode(&REASONS, code)
    }
}

impl End {
    /// The code that tags and JSON show.
    pub fn code(self) -> &'static str {
        code(&ENDS, self)
    }
}

impl Record {
    /// This one, closed, on the way back that `back` is for this process alone.
    pub fn opened_again(self, back: Self) -> Self {
        Self {
            closed: None,
            heading: back.heading,
            to: back.to,
            held: None,
            promoted: None,
            released: None,
            count: back.count,
            had: back.had,
            scaling: back.scaling,
            owner: back.owner,
            by: back.by,
            seen: back.seen,
            ..self
        }
    }

    /// The name that people know it by: `web:43`.
    pub fn name(&self) -> &str {
        short(&self.revision)
    }

    /// Who moves things.
    pub fn engine(&self) -> EngineName {
        match (self.twin(), &self.native) {
            (Some(_), _) => EngineName::Listener,
            (None, Some(_)) => EngineName::Native,
            (None, None) => EngineName::Rolling,
        }
    }

    /// The service that the new revision starts in, where that is not the one that serves.
    pub fn twin(&self) -> Option<&str> {
        (self.blue != self.green).then_some(self.green.as_str())
    }

    /// Which services it is about, for people.
    pub fn route(&self) -> String {
        match self.twin() {
            Some(twin) => format!("from {} to {twin}", self.blue),
            None => format!("in {}", self.green),
        }
    }

    /// Whether the same revision is started anew.
    pub fn is_restart(&self) -> bool {
        self.ran_before() && self.twin().is_none()
    }

    /// Whether the side that it begins in was on its revision before.
    pub fn ran_before(&self) -> bool {
        self.revision == self.was
    }

    /// Whether a task is to succeed before anything serves, and has not yet.
    pub fn is_preparing(&self) -> bool {
        self.prepare.is_some_and(|prepare| !prepare.done)
    }

    /// The stage of this name, where ECS waits there for the gates that judge it.
    pub fn gated_at(&self, stage: Option<&str>) -> Option<Stage> {
        let mut gates = self.native.iter().flat_map(|native| &native.gates);
        gates.find(|gate| self.forward() && Some(gate.name()) == stage).copied()
    }

    /// How long its owner has not said that it is alive.
    pub fn silent_for(&self, now: SystemTime) -> Duration {
        now.duration_since(self.seen).unwrap_or_default()
    }

    /// Whether it says that its owner was seen at a time that is yet to come. Owners write AWS's time, so
    /// that no owner wrote this: it counts from when it is looked at first.
    pub fn is_seen_in_the_future(&self, now: SystemTime) -> bool {
        self.seen.duration_since(now).is_ok_and(|early| early > SKEW)
    }

    /// Whether it is about the same deployment, and says the same of what never changes about it.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let fixed = |one: &Self| {
            let names = [&one.id, &one.request, &one.revision, &one.cluster, &one.blue, &one.green];
            (names.map(Clone::clone), one.from.clone(), one.was.clone(), one.start)
        };
        fixed(self) == fixed(other)
    }

    /// Whether its owner is dead, or has let it go.
    pub fn is_abandoned(&self, now: SystemTime) -> bool {
        self.released.is_some() || self.silent_for(now) >= DEAD_AFTER
    }

    /// Whether nobody has driven it for so long that only a person goes on with it.
    pub fn is_forgotten(&self, now: SystemTime) -> bool {
        self.silent_for(now) > FORGOTTEN_AFTER
    }

    /// Whether it goes forward.
    pub fn forward(&self) -> bool {
        self.heading == Heading::Forward
    }

    /// Whether another deployment may take its place without waiting for the way back: nobody is on that
    /// way any more, or the traffic is back already.
    pub fn may_be_overtaken(&self, now: SystemTime) -> bool {
        let is_back = self.to == Some(0) && self.held.is_some_and(|held| held.share == 0);
        match self.heading {
            Heading::Forward => false,
            Heading::Back(_) => self.is_abandoned(now) || is_back,
            // Somebody takes its place already.
            Heading::Overtaken => self.is_abandoned(now),
        }
    }

    /// The same where nothing is left in the service's settings that was for this deployment: what reads like it later
    /// is somebody's choice.
    pub fn tidied(self) -> Self {
        Self { native: self.native.map(|_| Native::default()), ..self }
    }

    /// Turned back. If traffic was ever meant for green, it is to have none; if none ever was, there
    /// is nothing to take back.
    pub fn turned_back(&self, reason: Reason) -> Self {
        let mut record = self.clone();
        record.heading = Heading::Back(reason);
        record.to = self.to.map(|_| 0);
        record
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    pub(crate) fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_768_478_400 + seconds)
    }

    pub(crate) fn record() -> Record {
        Record {
            id: "0123456789abcdef".into(),
            request: "fedcba9876543210".into(),
            revision: "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:43".into(),
            cluster: "shop".into(),
            blue: "web".into(),
            green: "web-green".into(),
            from: "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:42".into(),
            was: "arn:aws:ecs:eu-central-1:123456789012:task-definition/old:7".into(),
            count: 2,
            had: None,
            scaled: None,
            scaling: None,
            asked: Asked::default(),
            until: WaitFor::Healthy,
            prepare: None,
            native: None,
            shares: vec![
                Share { percent: 10, hold: Duration::from_secs(300), pause: false },
                Share::ALL,
            ],
            bake: Duration::from_secs(60),
            follow: Duration::from_secs(120),
            timeout: Duration::from_secs(900),
            test_rules: vec![],
            keep_old: false,
            start: at(0),
            heading: Heading::Forward,
            to: None,
            held: None,
            promoted: None,
            judges: None,
            closed: None,
            owner: "a1".into(),
            by: String::new(),
            seen: at(5),
            released: None,
        }
    }

    #[test]
    fn one_that_is_opened_again_has_all_that_the_way_back_needs_and_nothing_that_was_held() {
        let closed = Some(Closed { end: End::Live, at: at(9) });
        let held = Some(Held { share: 100, since: at(7) });
        let released = Some(Released::Promoted);
        let ended =
            Record { closed, held, promoted: Some(10), released, to: Some(100), ..record() };
        let blue = Suspended { scale_in: true, ..Suspended::default() };
        let suspensions = Suspensions { blue, green: Suspended::default() };
        let back = Record {
            heading: Heading::Back(Reason::Asked),
            to: Some(0),
            count: 5,
            had: Some(Had { running: 4, healthy: Some(3) }),
            scaling: Some(suspensions),
            owner: "b2".into(),
            by: "somebody".into(),
            seen: at(90),
            id: "another".into(),
            ..record()
        };
        let opened = ended.opened_again(back.clone());
        assert_eq!(opened, Record { id: record().id, ..back });
    }

    #[test]
    fn a_sign_of_life_is_in_the_future_beyond_what_clocks_differ_by() {
        let record = record();
        let border = record.seen - SKEW;
        let second = Duration::from_secs(1);
        assert!(!record.is_seen_in_the_future(record.seen + second));
        assert!(!record.is_seen_in_the_future(border));
        assert!(record.is_seen_in_the_future(border - second));
    }

    #[test]
    fn one_that_nobody_drove_for_a_day_is_a_person_s() {
        let record = record();
        let border = record.seen + FORGOTTEN_AFTER;
        assert!(!record.is_forgotten(border));
        assert!(record.is_forgotten(border + Duration::from_secs(1)));
    }

    #[test]
    fn a_record_says_what_it_is_about() {
        let pair = record();
        assert_eq!((pair.name(), pair.route().as_str()), ("web:43", "from web to web-green"));
        assert!(!pair.is_restart() && !pair.is_preparing());
        let one = Record { green: "web".into(), was: pair.revision.clone(), ..record() };
        assert_eq!((one.route().as_str(), one.is_restart()), ("in web", true));
        for done in [false, true] {
            let prepare = Some(Prepare { timeout: Duration::from_secs(60), done });
            assert_eq!(Record { prepare, ..record() }.is_preparing(), !done);
        }
    }

    #[test]
    fn what_is_on_its_way_back_may_be_overtaken_once_nobody_is_on_it_or_the_traffic_is_back() {
        let held = |share| Some(Held { share, since: at(0) });
        let back = Record { to: Some(0), held: held(100), ..record() }.turned_back(Reason::Sick);
        let returned = Record { held: held(0), ..back.clone() };
        let overtaken = Record { heading: Heading::Overtaken, ..returned.clone() };
        let dead = at(5) + DEAD_AFTER;
        for (record, alive, abandoned) in [
            (record(), false, false),
            (back, false, true),
            (returned, true, true),
            (overtaken, false, true),
        ] {
            assert_eq!(record.may_be_overtaken(at(6)), alive, "{record:?}");
            assert_eq!(record.may_be_overtaken(dead), abandoned, "{record:?}");
        }
    }

    #[test]
    fn a_reason_comes_back_from_its_code() {
        for reason in [Reason::Sick, Reason::Asked, Reason::Superseded, Reason::Abandoned] {
            assert_eq!(Reason::of_code(reason.code()), Some(reason));
        }
        assert_eq!(Reason::of_code("none"), None);
    }

    #[test]
    fn another_deployment_is_told_from_this_one_by_what_never_changes() {
        let other = |change: fn(&mut Record)| {
            let mut other = record();
            change(&mut other);
            other
        };
        let later = other(|one| {
            (one.to, one.owner, one.seen) = (Some(100), "b2".into(), at(99));
        });
        assert!(record().is_same_as(&later));
        for change in [
            (|one: &mut Record| one.id = "x".into()) as fn(&mut Record),
            |one| one.request = "x".into(),
            |one| one.revision = "x".into(),
            |one| one.cluster = "x".into(),
            |one| one.blue = "x".into(),
            |one| one.green = "x".into(),
            |one| one.from = "x".into(),
            |one| one.was = "x".into(),
            |one| one.start = at(1),
        ] {
            assert!(!record().is_same_as(&other(change)));
        }
    }

    #[test]
    fn turning_back_takes_back_only_what_was_given() {
        assert_eq!(record().turned_back(Reason::Sick).to, None);
        assert_eq!(Record { to: Some(100), ..record() }.turned_back(Reason::Sick).to, Some(0));
    }
}
