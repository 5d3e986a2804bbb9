//! The record of a deployment: the few facts that must outlive the process because AWS cannot be
//! asked for them. It is kept in tags on the revision that the deployment registered. Tags are
//! readable by many and writable by some: nothing secret goes in, and nothing in them is executed.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::request::{LONGEST, Share};
use crate::revision::short;

/// An owner that has not been seen for this long is dead: it says so every 60 s.
pub const DEAD_AFTER: Duration = Duration::from_secs(180);

/// ECS's limits for tags (API reference of Tag).
const TAGS_MAX: usize = 50;
const TAG_VALUE_MAX: usize = 256;

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
    /// What else the service was asked to change with its revision (`rolling` only).
    pub asked: Asked,
    /// What the user waits for (`rolling` only).
    pub until: WaitFor,
    /// The task that must succeed before anything serves, where there is to be one.
    pub prepare: Option<Prepare>,
    /// How the traffic moves.
    pub shares: Vec<Share>,
    /// How long 100 % is held.
    pub bake: Duration,
    /// How long the load balancer is given to follow a change.
    pub follow: Duration,
    /// How long there may be no progress.
    pub timeout: Duration,
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
    /// The end, once it is there. A closed record is never opened again.
    pub closed: Option<Closed>,
    /// Which process drives it.
    pub owner: String,
    /// When its owner last said so.
    pub seen: SystemTime,
}

/// Who moves things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// We move the weights between the target groups of two services.
    Listener,
    /// ECS replaces the tasks of one service.
    Rolling,
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

/// What the user waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum WaitFor {
    /// All tasks of the new revision run
    Running,
    /// They are healthy, and ECS calls the deployment complete
    #[default]
    Healthy,
    /// And the targets of the old ones are gone
    Drained,
    /// Nothing: ECS has been told
    #[value(skip)]
    Accepted,
    /// The first task of the new revision runs
    #[value(skip)]
    Started,
}

/// Forward, or back and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heading {
    /// The new revision is being introduced.
    Forward,
    /// It is being withdrawn.
    Back(Reason),
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
}

/// Codes as they are written in tags.
const REASONS: [(Reason, &str); 12] = [
    (Reason::Before, "before"),
    (Reason::Gone, "gone"),
    (Reason::Sick, "sick"),
    (Reason::Tasks, "tasks"),
    (Reason::EcsRollback, "ecs-rollback"),
    (Reason::Deadline, "deadline"),
    (Reason::BlueChanged, "blue-changed"),
    (Reason::Refused, "refused"),
    (Reason::Bound, "bound"),
    (Reason::Interrupted, "interrupted"),
    (Reason::Asked, "asked"),
    (Reason::Superseded, "superseded"),
];
const UNTIL: [(WaitFor, &str); 5] = [
    (WaitFor::Running, "running"),
    (WaitFor::Healthy, "healthy"),
    (WaitFor::Drained, "drained"),
    (WaitFor::Accepted, "accepted"),
    (WaitFor::Started, "started"),
];
const ENDS: [(End, &str); 3] =
    [(End::Live, "live"), (End::WentBack, "went-back"), (End::Left, "left")];

fn code<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(other, _)| *other == value).map_or("?", |(_, code)| code)
}

fn decode<T: Copy>(table: &[(T, &str)], text: &str) -> Option<T> {
    table.iter().find(|(_, code)| *code == text).map(|(value, _)| *value)
}

impl Reason {
    /// The code that tags and JSON show.
    pub fn code(self) -> &'static str {
        code(&REASONS, self)
    }
}

impl End {
    /// The code that tags and JSON show.
    pub fn code(self) -> &'static str {
        code(&ENDS, self)
    }
}

impl Record {
    /// The name that people know it by: `web:43`.
    pub fn name(&self) -> &str {
        short(&self.revision)
    }

    /// Who moves things.
    pub fn engine(&self) -> Engine {
        match self.blue == self.green {
            true => Engine::Rolling,
            false => Engine::Listener,
        }
    }

    /// Which services it is about, for people.
    pub fn route(&self) -> String {
        match self.engine() {
            Engine::Listener => format!("from {} to {}", self.blue, self.green),
            Engine::Rolling => format!("in {}", self.green),
        }
    }

    /// Whether the same revision is started anew.
    pub fn is_restart(&self) -> bool {
        self.revision == self.was
    }

    /// Whether a task is to succeed before anything serves, and has not yet.
    pub fn is_preparing(&self) -> bool {
        self.prepare.is_some_and(|prepare| !prepare.done)
    }

    /// How long its owner has not said that it is alive.
    pub fn silent_for(&self, now: SystemTime) -> Duration {
        now.duration_since(self.seen).unwrap_or_default()
    }

    /// Whether its owner is dead.
    pub fn is_abandoned(&self, now: SystemTime) -> bool {
        self.silent_for(now) >= DEAD_AFTER
    }

    /// Whether it goes forward.
    pub fn forward(&self) -> bool {
        self.heading == Heading::Forward
    }

    /// Turned back. If traffic was ever meant for green, it is to have none; if none ever was, there
    /// is nothing to take back.
    pub fn turned_back(&self, reason: Reason) -> Self {
        let mut record = self.clone();
        record.heading = Heading::Back(reason);
        record.to = self.to.map(|_| 0);
        record
    }

    /// The record as tags. `None` when it does not fit into tags beside `others` (the user's).
    pub fn to_tags(&self, others: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
        let seconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let family =
            short(&self.revision).rsplit_once(':').map_or("", |(family, _)| family).to_owned();
        let revision = |arn: &str| match short(arn).rsplit_once(':') {
            Some((same, number)) if same == family => number.to_owned(),
            _ => short(arn).to_owned(),
        };
        let shares: Vec<_> =
            self.shares.iter().map(|s| format!("{}/{}", s.percent, s.hold.as_secs())).collect();
        let mut state = match self.heading {
            Heading::Forward => "heading=forward".to_owned(),
            Heading::Back(reason) => format!("heading=back why={}", reason.code()),
        };
        if let Some(to) = self.to {
            state += &format!(" to={to}");
        }
        if let Some(held) = self.held {
            state += &format!(" held={}/{}", held.share, seconds(held.since));
        }
        if let Some(promoted) = self.promoted {
            state += &format!(" promoted={promoted}");
        }
        if let Some(closed) = self.closed {
            state += &format!(" closed={}/{}", closed.end.code(), seconds(closed.at));
        }
        let mut tags = BTreeMap::from(
            [
                (
                    "record",
                    format!(
                        "v=1 id={} for={} start={}",
                        self.id,
                        self.request,
                        seconds(self.start)
                    ),
                ),
                ("cluster", self.cluster.clone()),
                ("blue", self.blue.clone()),
                ("green", self.green.clone()),
                ("from", revision(&self.from)),
                ("was", revision(&self.was)),
                ("shares", shares.join("+")),
                (
                    "plan",
                    format!(
                        "count={} bake={} follow={} timeout={} until={} end=swap",
                        self.count,
                        self.bake.as_secs(),
                        self.follow.as_secs(),
                        self.timeout.as_secs(),
                        code(&UNTIL, self.until)
                    ),
                ),
                ("state", state),
                ("owner", format!("id={} seen={}", self.owner, seconds(self.seen))),
            ]
            .map(|(key, value)| (format!("ecs-bg:{key}"), value)),
        );
        if let Some(prepare) = self.prepare {
            let state = if prepare.done { "done" } else { "pending" };
            let text = format!("timeout={} state={state}", prepare.timeout.as_secs());
            tags.insert("ecs-bg:prepare".to_owned(), text);
        }
        if self.asked != Asked::default() {
            tags.insert("ecs-bg:asked".to_owned(), self.asked.to_tag());
        }
        let fits = tags.len() + others.len() <= TAGS_MAX
            && tags.values().all(|v| v.len() <= TAG_VALUE_MAX);
        fits.then_some(tags)
    }

    /// The record on a revision; `None` when there is none, `Err` when there is one that cannot be
    /// read (edited by hand, cut, or of a newer version).
    pub fn from_tags(
        revision: &str,
        tags: &BTreeMap<String, String>,
    ) -> Option<Result<Self, String>> {
        let head = tags.get("ecs-bg:record")?;
        Some(Self::read(revision, head, tags).ok_or_else(|| {
            format!(
                "the record in the tags of {} cannot be read: `ecs-bg:record` is `{head}`",
                short(revision)
            )
        }))
    }

    fn read(revision: &str, head: &str, tags: &BTreeMap<String, String>) -> Option<Self> {
        let tag = |key: &str| tags.get(&format!("ecs-bg:{key}")).map(String::as_str);
        let (prefix, name) = revision.rsplit_once('/')?;
        let (family, _) = name.rsplit_once(':')?;
        let arn = |text: &str| match text.contains(':') {
            true => format!("{prefix}/{text}"),
            false => format!("{prefix}/{family}:{text}"),
        };
        let (plan, state, owner) = (tag("plan")?, tag("state")?, tag("owner")?);
        if field(head, "v")? != "1" {
            return None;
        }
        let heading = match field(state, "heading")? {
            "forward" => Heading::Forward,
            "back" => Heading::Back(decode(&REASONS, field(state, "why")?)?),
            _ => return None,
        };
        let shares = tag("shares")?
            .split('+')
            .map(|item| {
                let (percent, hold) = item.split_once('/')?;
                let percent = percent.parse().ok().filter(|p| (1..=100).contains(p))?;
                Some(Share { percent, hold: span(hold)? })
            })
            .collect::<Option<Vec<_>>>()?;
        let held = optional(field(state, "held"), |text| {
            let (share, since) = text.split_once('/')?;
            Some(Held { share: share.parse().ok().filter(|s| *s <= 100)?, since: time(since)? })
        })?;
        let closed = optional(field(state, "closed"), |text| {
            let (end, at) = text.split_once('/')?;
            Some(Closed { end: decode(&ENDS, end)?, at: time(at)? })
        })?;
        let planned = |key| span(field(plan, key)?);
        let rising = shares.windows(2).all(|two| two[0].percent < two[1].percent);
        (rising && shares.last()?.percent == 100).then_some(())?;
        Some(Self {
            id: field(head, "id")?.to_owned(),
            request: field(head, "for")?.to_owned(),
            start: time(field(head, "start")?)?,
            revision: revision.to_owned(),
            cluster: tag("cluster")?.to_owned(),
            blue: tag("blue")?.to_owned(),
            green: tag("green")?.to_owned(),
            from: arn(tag("from")?),
            was: arn(tag("was")?),
            count: field(plan, "count")?.parse().ok()?,
            asked: Asked::from_tag(tag("asked").unwrap_or_default())?,
            prepare: optional(tag("prepare"), |text| {
                let done = match field(text, "state")? {
                    "pending" => false,
                    "done" => true,
                    _ => return None,
                };
                Some(Prepare { timeout: span(field(text, "timeout")?)?, done })
            })?,
            until: optional(field(plan, "until"), |text| decode(&UNTIL, text))?.unwrap_or_default(),
            shares,
            bake: planned("bake")?,
            follow: planned("follow")?,
            timeout: planned("timeout")?,
            heading,
            to: optional(field(state, "to"), |to| to.parse().ok().filter(|to: &u8| *to <= 100))?,
            held,
            promoted: optional(field(state, "promoted"), |p| {
                p.parse().ok().filter(|p: &u8| *p <= 100)
            })?,
            closed,
            owner: field(owner, "id")?.to_owned(),
            seen: time(field(owner, "seen")?)?,
        })
    }
}

impl Asked {
    fn to_tag(self) -> String {
        let changes = [("count", self.count), ("min", self.min_healthy), ("max", self.max_percent)];
        let written = changes
            .iter()
            .filter_map(|(key, change)| change.map(|own| format!("{key}={}/{}", own.to, own.from)));
        written.collect::<Vec<_>>().join(" ")
    }

    fn from_tag(text: &str) -> Option<Self> {
        let change = |key| {
            optional(field(text, key), |text| {
                let (to, from) = text.split_once('/')?;
                Some(Change { to: to.parse().ok()?, from: from.parse().ok()? })
            })
        };
        Some(Self {
            count: change("count")?,
            min_healthy: change("min")?,
            max_percent: change("max")?,
        })
    }
}

/// `Some(None)` when there is nothing to read, `None` when what is there cannot be read.
fn optional<T>(text: Option<&str>, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(text).map(Some),
    }
}

fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.split(' ')
        .filter_map(|word| word.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

/// Times that people can write: up to the year 9999.
fn time(text: &str) -> Option<SystemTime> {
    let seconds = text.parse().ok().filter(|seconds| *seconds < 253_402_300_800)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Durations that a request can have.
fn span(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_secs).filter(|span| *span <= LONGEST)
}

#[cfg(test)]
pub(crate) mod tests {
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
            asked: Asked::default(),
            until: WaitFor::Healthy,
            prepare: None,
            shares: vec![
                Share { percent: 10, hold: Duration::from_secs(300) },
                Share { percent: 100, hold: Duration::ZERO },
            ],
            bake: Duration::from_secs(60),
            follow: Duration::from_secs(120),
            timeout: Duration::from_secs(900),
            start: at(0),
            heading: Heading::Forward,
            to: None,
            held: None,
            promoted: None,
            closed: None,
            owner: "a1".into(),
            seen: at(5),
        }
    }

    #[test]
    fn a_record_comes_back_from_its_tags_at_every_stage() {
        let mut stages = vec![record()];
        stages.push(Record { to: Some(10), promoted: Some(10), ..record() });
        stages.push(Record {
            to: Some(100),
            held: Some(Held { share: 10, since: at(60) }),
            ..record()
        });
        let asked = Asked {
            count: Some(Change { to: 4, from: 2 }),
            min_healthy: None,
            max_percent: Some(Change { to: 200, from: 100 }),
        };
        stages.push(Record { green: "web".into(), asked, until: WaitFor::Drained, ..record() });
        for (reason, _) in REASONS {
            stages.push(stages[2].turned_back(reason));
        }
        for (end, _) in ENDS {
            let prepare =
                Some(Prepare { timeout: Duration::from_secs(3600), done: end == End::Live });
            let closed = Some(Closed { end, at: at(99) });
            stages.push(Record { closed, prepare, ..stages[2].clone() });
        }
        for stage in stages {
            let tags = stage.to_tags(&BTreeMap::new()).unwrap();
            assert_eq!(Record::from_tags(&stage.revision, &tags), Some(Ok(stage)));
        }
    }

    #[test]
    fn tags_keep_to_what_ecs_allows() {
        let longest = Record {
            blue: "b".repeat(255),
            green: "g".repeat(255),
            cluster: "c".repeat(255),
            shares: (1..=20)
                .map(|p| Share { percent: p * 5, hold: Duration::from_secs(1_209_600) })
                .collect(),
            ..record().turned_back(Reason::BlueChanged)
        };
        let tags = longest.to_tags(&BTreeMap::new()).unwrap();
        assert!(tags.len() <= 12);
        for (key, value) in &tags {
            let legal = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
            assert!(key.chars().all(legal) && value.chars().all(legal), "{key}={value}");
        }
        let beside = |record: &Record, others: u32| {
            let others = (0..others).map(|n| (n.to_string(), String::new())).collect();
            record.to_tags(&others).map(|tags| tags.len())
        };
        assert_eq!([beside(&record(), 40), beside(&record(), 41)], [Some(10), None]);
        let asked = Asked { count: Some(Change { to: 4, from: 2 }), ..Asked::default() };
        let prepare = Some(Prepare { timeout: Duration::from_secs(60), done: false });
        let more = Record { asked, prepare, ..record() };
        assert_eq!([beside(&more, 38), beside(&more, 39)], [Some(12), None]);
        let named = |length| Record { cluster: "c".repeat(length), ..record() };
        assert_eq!([beside(&named(256), 0), beside(&named(257), 0)], [Some(10), None]);
    }

    #[test]
    fn revisions_of_the_same_family_are_told_by_their_numbers() {
        let tags = record().to_tags(&BTreeMap::new()).unwrap();
        assert_eq!([&tags["ecs-bg:from"], &tags["ecs-bg:was"]], ["42", "old:7"]);
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
    fn a_record_that_was_edited_cut_or_is_newer_is_said_to_be_so() {
        let tags = record().to_tags(&BTreeMap::new()).unwrap();
        assert_eq!(Record::from_tags("x/web:1", &BTreeMap::new()), None);
        let with = |key: &str, value: &str| {
            let mut tags = tags.clone();
            tags.insert(key.into(), value.into());
            Record::from_tags(&record().revision, &tags).unwrap()
        };
        assert!(with("ecs-bg:record", "v=2 id=a for=b start=1").is_err());
        assert!(with("ecs-bg:state", "heading=sideways").is_err());
        assert!(with("ecs-bg:state", "heading=forward to=101").is_err());
        assert!(with("ecs-bg:state", "heading=back why=mood").is_err());
        assert!(with("ecs-bg:plan", "count=2").is_err());
        assert!(with("ecs-bg:shares", "10/5").is_err());
        assert!(with("ecs-bg:shares", "100/0+50/0+100/0").is_err());
        assert!(with("ecs-bg:shares", "10/0+10/0+100/0").is_err());
        assert!(
            with("ecs-bg:plan", "count=2 bake=1 follow=1 timeout=18446744073709551615").is_err()
        );
        assert!(with("ecs-bg:record", "v=1 id=a for=b start=253402300799").is_ok());
        assert!(with("ecs-bg:record", "v=1 id=a for=b start=253402300800").is_err());
        assert!(with("ecs-bg:new", "a newer version may add tags").is_ok());
        let mut cut = tags.clone();
        cut.remove("ecs-bg:owner");
        assert!(Record::from_tags(&record().revision, &cut).unwrap().is_err());
    }

    #[test]
    fn turning_back_takes_back_only_what_was_given() {
        assert_eq!(record().turned_back(Reason::Sick).to, None);
        assert_eq!(Record { to: Some(100), ..record() }.turned_back(Reason::Sick).to, Some(0));
    }
}
