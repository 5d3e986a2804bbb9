//! How a record is written into tags, and read from them. Everything in a tag has only characters that
//! ECS allows in tags.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Asked, Change, Closed, End, Heading, Held, Prepare, Reason, Record};
use crate::model::arn::short;
use crate::request::{LONGEST, Share, WaitFor};

/// ECS's limits for tags (API reference of Tag).
const TAGS_MAX: usize = 50;
const TAG_VALUE_MAX: usize = 256;

/// Codes as they are written in tags.
pub(super) const REASONS: [(Reason, &str); 12] = [
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
pub(super) const ENDS: [(End, &str); 3] =
    [(End::Live, "live"), (End::WentBack, "went-back"), (End::Left, "left")];

pub(super) fn code<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(other, _)| *other == value).map_or("?", |(_, code)| code)
}

fn decode<T: Copy>(table: &[(T, &str)], text: &str) -> Option<T> {
    table.iter().find(|(_, code)| *code == text).map(|(value, _)| *value)
}

impl Record {
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
mod tests {
    use super::*;
    use crate::record::tests::{at, record};

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
}
