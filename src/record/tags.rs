//! How a record is written into tags, and read from them. Everything in a tag has only characters that
//! ECS allows in tags.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::{
    Asked, Change, Closed, End, Had, Heading, Held, Native, Prepare, Reason, Record, Released,
    Suspensions,
};
use crate::model::arn::{family, short};
use crate::model::scaling::Suspended;
use crate::request::{EngineName, LONGEST, Share, WaitFor};

/// The version that is written. Version 1 is read too.
const VERSION: u32 = 2;

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unreadable {
    /// The revision that has it in its tags.
    pub carrier: String,
    /// The tag `ecs-bg:record`.
    pub tag: String,
}

/// ECS's limits for tags (API reference of Tag).
const TAGS_MAX: usize = 50;
const TAG_VALUE_MAX: usize = 256;

/// Codes as they are written in tags.
pub(super) const REASONS: [(Reason, &str); 17] = [
    (Reason::Before, "before"),
    (Reason::Gone, "gone"),
    (Reason::Sick, "sick"),
    (Reason::Tasks, "tasks"),
    (Reason::EcsRollback, "ecs-rollback"),
    (Reason::Deadline, "deadline"),
    (Reason::Pause, "pause"),
    (Reason::Alarm, "alarm"),
    (Reason::Gate, "gate"),
    (Reason::Blind, "blind"),
    (Reason::BlueChanged, "blue-changed"),
    (Reason::Refused, "refused"),
    (Reason::Bound, "bound"),
    (Reason::Interrupted, "interrupted"),
    (Reason::Asked, "asked"),
    (Reason::Superseded, "superseded"),
    (Reason::Abandoned, "abandoned"),
];
const UNTIL: [(WaitFor, &str); 5] = [
    (WaitFor::Running, "running"),
    (WaitFor::Healthy, "healthy"),
    (WaitFor::Drained, "drained"),
    (WaitFor::Accepted, "accepted"),
    (WaitFor::Started, "started"),
];
pub(super) const ENDS: [(End, &str); 6] = [
    (End::Live, "live"),
    (End::WentBack, "went-back"),
    (End::Left, "left"),
    (End::Short, "short"),
    (End::Neither, "neither"),
    (End::Overtaken, "overtaken"),
];
const RELEASED: [(Released, &str); 4] = [
    (Released::Stuck, "stuck"),
    (Released::Drifted, "drifted"),
    (Released::Superseded, "superseded"),
    (Released::Promoted, "promoted"),
];
/// The longest text of what drives a deployment.
const BY_MAX: usize = 100;
pub(super) const YES_OR_NO: [(bool, &str); 2] = [(true, "yes"), (false, "no")];

pub(super) fn code<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(other, _)| *other == value).map_or("?", |(_, code)| code)
}

pub(super) fn decode<T: Copy>(table: &[(T, &str)], text: &str) -> Option<T> {
    table.iter().find(|(_, code)| *code == text).map(|(value, _)| *value)
}

impl Record {
    /// The record as tags. `None` when it does not fit into tags beside `others` (the user's).
    pub fn to_tags(&self, others: &BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
        let seconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let family = family(&self.revision).to_owned();
        let revision = |arn: &str| match short(arn).rsplit_once(':') {
            Some((same, number)) if same == family => number.to_owned(),
            _ => short(arn).to_owned(),
        };
        let share = |one: &Share| {
            let pause = if one.pause { "p" } else { "" };
            format!("{}/{pause}{}", one.percent, one.hold.as_secs())
        };
        let shares: Vec<_> = self.shares.iter().map(share).collect();
        let scaled = self
            .scaled
            .map_or(String::new(), |scaled| format!(" scaled={}", code(&YES_OR_NO, scaled)));
        let judges = self.judges.as_ref().map_or(String::new(), |hash| format!(" judges={hash}"));
        let keep = if self.keep_old { " keep=yes" } else { "" };
        let scaling = self.scaling.map_or(String::new(), |Suspensions { blue, green }| {
            format!(" scaling={}/{}", flags(blue), flags(green))
        });
        let had = self.had.map_or(String::new(), |Had { running, healthy }| match healthy {
            Some(healthy) => format!(" had={running}/{healthy}"),
            None => format!(" had={running}"),
        });
        let mut owner = format!("id={} seen={}", self.owner, seconds(self.seen));
        let by = legal(&self.by);
        if !by.is_empty() {
            owner += &format!(" by={by}");
        }
        if let Some(released) = self.released {
            owner += &format!(" released={}", code(&RELEASED, released));
        }
        let mut state = match self.heading {
            Heading::Forward => "heading=forward".to_owned(),
            Heading::Back(reason) => format!("heading=back why={}", reason.code()),
            Heading::Overtaken => "heading=overtaken".to_owned(),
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
                        "v=2 engine={} id={} for={} start={}",
                        self.engine(),
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
                        "count={} bake={} follow={} timeout={} until={} end=swap{had}{scaled}{scaling}{keep}{judges}",
                        self.count,
                        self.bake.as_secs(),
                        self.follow.as_secs(),
                        self.timeout.as_secs(),
                        code(&UNTIL, self.until)
                    ),
                ),
                ("state", state),
                ("owner", owner),
            ]
            .map(|(key, value)| (format!("ecs-bg:{key}"), value)),
        );
        if let Some(prepare) = self.prepare {
            let state = if prepare.done { "done" } else { "pending" };
            let text = format!("timeout={} state={state}", prepare.timeout.as_secs());
            tags.insert("ecs-bg:prepare".to_owned(), text);
        }
        if let Some(native) = &self.native {
            tags.insert("ecs-bg:native".to_owned(), native.to_tag());
        }
        if self.asked != Asked::default() {
            tags.insert("ecs-bg:asked".to_owned(), self.asked.to_tag());
        }
        if let Some(plan) = tags.get_mut("ecs-bg:plan").filter(|_| !self.test_rules.is_empty()) {
            let tests = format!(" tests={}", self.test_rules.join("+"));
            // More of them than fit are not told from other rules by a next process.
            if plan.len() + tests.len() <= TAG_VALUE_MAX {
                plan.push_str(&tests);
            }
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
    ) -> Option<Result<Self, Unreadable>> {
        let head = tags.get("ecs-bg:record")?;
        Some(
            Self::read(revision, head, tags).ok_or_else(|| Unreadable {
                carrier: short(revision).to_owned(),
                tag: head.clone(),
            }),
        )
    }

    /// Whether the tags hold a record of a version that is newer than ours: what it says is not known.
    pub fn is_newer(tags: &BTreeMap<String, String>) -> bool {
        let head = tags.get("ecs-bg:record").map_or("", String::as_str);
        let version = field(head, "v").and_then(|version| version.parse::<u32>().ok());
        version.is_some_and(|version| version > VERSION)
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
        // The first version left it to the services' names which engine it is.
        match field(head, "v")? {
            "1" => {}
            "2" => {
                let written = field(head, "engine")?;
                let engine = EngineName::ALL.into_iter().find(|one| one.name() == written)?;
                let said = match (tag("blue")? == tag("green")?, tag("native")) {
                    (true, Some(_)) => EngineName::Native,
                    (true, None) => EngineName::Rolling,
                    (false, None) => EngineName::Listener,
                    (false, Some(_)) => return None,
                };
                (engine == said).then_some(())?;
            }
            _ => return None,
        }
        let heading = match field(state, "heading")? {
            "forward" => Heading::Forward,
            "overtaken" => Heading::Overtaken,
            "back" => Heading::Back(decode(&REASONS, field(state, "why")?)?),
            _ => return None,
        };
        let shares = tag("shares")?
            .split('+')
            .map(|item| {
                let (percent, hold) = item.split_once('/')?;
                let percent = percent.parse().ok().filter(|p| *p <= 100)?;
                let (hold, pause) = match hold.strip_prefix('p') {
                    Some(limit) => (limit, true),
                    None => (hold, false),
                };
                Some(Share { percent, hold: span(hold)?, pause })
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
            had: optional(field(plan, "had"), |text| {
                let (running, healthy) = match text.split_once('/') {
                    Some((running, healthy)) => (running, Some(healthy.parse().ok()?)),
                    None => (text, None),
                };
                Some(Had { running: running.parse().ok()?, healthy })
            })?,
            scaled: optional(field(plan, "scaled"), |text| decode(&YES_OR_NO, text))?,
            scaling: optional(field(plan, "scaling"), |text| {
                let (blue, green) = text.split_once('/')?;
                Some(Suspensions { blue: suspended(blue)?, green: suspended(green)? })
            })?,
            native: optional(tag("native"), Native::from_tag)?,
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
            test_rules: field(plan, "tests")
                .map(|ids| ids.split('+').map(str::to_owned).collect())
                .unwrap_or_default(),
            keep_old: optional(field(plan, "keep"), |text| decode(&YES_OR_NO, text))?
                .unwrap_or_default(),
            heading,
            to: optional(field(state, "to"), |to| to.parse().ok().filter(|to: &u8| *to <= 100))?,
            held,
            promoted: optional(field(state, "promoted"), |p| {
                p.parse().ok().filter(|p: &u8| *p <= 100)
            })?,
            judges: field(plan, "judges").map(str::to_owned),
            closed,
            owner: field(owner, "id")?.to_owned(),
            by: field(owner, "by").unwrap_or_default().to_owned(),
            seen: time(field(owner, "seen")?)?,
            released: optional(field(owner, "released"), |text| decode(&RELEASED, text))?,
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

/// What is suspended: a letter for each, or a dash.
fn flags(Suspended { scale_in, scale_out, scheduled }: Suspended) -> String {
    let letters = [('i', scale_in), ('o', scale_out), ('s', scheduled)];
    letters.into_iter().map(|(letter, is_on)| if is_on { letter } else { '-' }).collect()
}

fn suspended(text: &str) -> Option<Suspended> {
    let read = |index: usize, letter: char| match text.chars().nth(index)? {
        '-' => Some(false),
        own if own == letter => Some(true),
        _ => None,
    };
    let (scale_in, scale_out, scheduled) = (read(0, 'i')?, read(1, 'o')?, read(2, 's')?);
    (text.len() == 3).then_some(Suspended { scale_in, scale_out, scheduled })
}

/// The beginning of a text, up to the first character that ends a word or that ECS does not allow.
fn legal(text: &str) -> &str {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "_.:/=+-@".contains(c);
    let end = text.find(|c| !is_legal(c)).unwrap_or(text.len());
    &text[..end.min(BY_MAX)]
}

/// `Some(None)` when there is nothing to read, `None` when what is there cannot be read.
pub(super) fn optional<T>(
    text: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(text).map(Some),
    }
}

pub(super) fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
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
        stages.push(Record { judges: Some("0a1b2c3d".to_owned()), ..record() });
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
        let test_rules = vec!["9683b2d02a6cabee".to_owned(), "0123456789abcdef".to_owned()];
        stages.push(Record { test_rules, ..record() });
        stages.push(Record {
            green: "web".into(),
            asked,
            scaled: Some(false),
            until: WaitFor::Drained,
            ..record()
        });
        for healthy in [None, Some(1)] {
            let had = Some(Had { running: 2, healthy });
            let by = "https://github.com/shop/web/actions/runs/1".to_owned();
            stages.push(Record { had, by, ..record() });
        }
        stages.push(Record { keep_old: true, ..record() });
        for bits in 0..8 {
            let [scale_in, scale_out, scheduled] = [1, 2, 4].map(|bit| bits & bit > 0);
            let blue = Suspended { scale_in, scale_out, scheduled };
            let scaling = Some(Suspensions { blue, green: Suspended::ALL });
            stages.push(Record { scaling, ..record() });
        }
        for (released, _) in RELEASED {
            stages.push(Record { released: Some(released), ..record() });
        }
        for (reason, _) in REASONS {
            stages.push(stages[2].turned_back(reason));
        }
        for (end, _) in ENDS {
            let prepare =
                Some(Prepare { timeout: Duration::from_secs(3600), done: end == End::Live });
            let closed = Some(Closed { end, at: at(99) });
            stages.push(Record { closed, prepare, ..stages[2].clone() });
        }
        stages.push(Record { heading: Heading::Overtaken, ..stages[2].clone() });
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
                .map(|p| Share {
                    percent: p * 5,
                    hold: Duration::from_secs(1_209_600),
                    pause: p < 20,
                })
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

    /// Rules for tests that do not fit are left out; the record is written all the same.
    #[test]
    fn test_rules_are_written_where_they_fit() {
        let plan = |test_rules: Vec<String>| {
            let tags = Record { test_rules, ..record() }.to_tags(&BTreeMap::new());
            tags.expect("it fits").remove("ecs-bg:plan").expect("a plan")
        };
        let room = TAG_VALUE_MAX - plan(vec![]).len() - " tests=".len();
        assert_eq!(plan(vec!["r".repeat(room)]).len(), TAG_VALUE_MAX);
        assert_eq!(plan(vec!["r".repeat(room + 1)]), plan(vec![]));
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        let mut tags = record().to_tags(&BTreeMap::new()).unwrap();
        let head = tags.get_mut("ecs-bg:record").unwrap();
        *head = head.replace("v=2 engine=listener", "v=1");
        assert_eq!(Record::from_tags(&record().revision, &tags), Some(Ok(record())));
    }

    #[test]
    fn what_drives_it_is_cut_where_tags_end_it() {
        let by = |text: &str| {
            let record = Record { by: text.to_owned(), ..record() };
            let tags = record.to_tags(&BTreeMap::new()).unwrap();
            Record::from_tags(&record.revision, &tags).unwrap().unwrap().by
        };
        assert_eq!(by("https://ci.example.com/run?job=1"), "https://ci.example.com/run");
        assert_eq!(by("jane doe@host"), "jane");
        assert_eq!(by(&"x".repeat(200)).len(), 100);
        assert_eq!(by("?"), "");
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
        assert!(with("ecs-bg:record", "v=2 id=a for=b start=1").is_err(), "no engine");
        assert!(with("ecs-bg:record", "v=2 engine=rolling id=a for=b start=1").is_err());
        assert!(with("ecs-bg:record", "v=2 engine=listener id=a for=b start=1").is_ok());
        assert!(with("ecs-bg:record", "v=3 engine=listener id=a for=b start=1").is_err());
        for (head, newer) in
            [("v=1 id=a", false), ("v=2", false), ("v=3 x=y", true), ("v=x", false)]
        {
            let tags = BTreeMap::from([("ecs-bg:record".to_owned(), head.to_owned())]);
            assert_eq!(Record::is_newer(&tags), newer, "{head}");
        }
        assert!(with("ecs-bg:state", "heading=sideways").is_err());
        assert!(with("ecs-bg:state", "heading=forward to=101").is_err());
        assert!(with("ecs-bg:state", "heading=back why=mood").is_err());
        assert!(with("ecs-bg:plan", "count=2").is_err());
        for (scaling, is_read) in [
            ("---/ios", true),
            ("i--/-o-", true),
            ("---", false),
            ("----/ios", false),
            ("oi-/---", false),
        ] {
            let plan = format!("count=2 bake=1 follow=1 timeout=60 scaling={scaling}");
            assert_eq!(with("ecs-bg:plan", &plan).is_ok(), is_read, "{scaling}");
        }
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
