//! What the user asked for, validated. Knows nothing of what is there: that is `plan`'s business.

pub mod before;
pub mod edits;
pub mod engine;
pub mod gates;
pub mod image;
pub mod misfit;
pub mod names;
pub mod setup;
mod shares;
pub mod strategy;
pub mod template;
pub mod wait_for;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use self::before::Preparation;
use self::edits::{Edits, Hidden};
pub use self::engine::EngineName;
use self::gates::{Gate, Gates};
use self::image::{ImageChange, ImageRef};
use self::names::Names;
pub use self::shares::Share;
use self::shares::shares;
use self::strategy::{Stage, Strategy, pause_limit};
pub use self::wait_for::WaitFor;
use crate::error::Usage;

/// What the arguments of a deployment say, as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// `--cluster`
    pub cluster: String,
    /// `--service`
    pub service: String,
    /// `--twin`
    pub twin: Option<String>,
    /// `--image`, repeated
    pub images: Vec<String>,
    /// `--tag`, repeated
    pub tags: Vec<String>,
    /// `--env` and the other changes of the task definition
    pub edits: edits::Typed,
    /// `--shares`
    pub shares: String,
    /// `--strategy`
    pub strategy: Option<String>,
    /// `--pause-at`, repeated
    pub pause_at: Vec<String>,
    /// `--pause-limit`
    pub pause_limit: Option<String>,
    /// `--test-listener`
    pub test_listener: Option<String>,
    /// `--engine`
    pub engine: Option<EngineName>,
    /// The service is deployed by itself, also where it has a twin.
    pub alone: bool,
    /// `--bake`
    pub bake: Option<String>,
    /// `--timeout`
    pub timeout: String,
    /// `--follow`
    pub follow: Option<String>,
    /// `--force`
    pub force: bool,
    /// `--desired-count`
    pub count: Option<u32>,
    /// `--min-healthy`
    pub min_healthy: Option<u32>,
    /// `--max-percent`
    pub max_percent: Option<u32>,
    /// `--wait-for`
    pub until: Option<WaitFor>,
    /// `--alarm`, repeated
    pub alarms: Vec<String>,
    /// `--strict-alarms`
    pub strict_alarms: bool,
    /// `--check` and its companions
    pub gates: gates::Typed,
    /// It is only examined: nothing need change.
    pub examine: bool,
    /// `--no-wait`
    pub no_wait: bool,
    /// `--force-new-deployment`
    pub restart: bool,
    /// `--keep-old`
    pub keep_old: bool,
    /// `--keep-revisions`
    pub keep_revisions: Option<u32>,
    /// `--before` and `--before-timeout`
    pub before: Option<(Hidden, String)>,
}

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// Either service of the pair, by name.
    pub service: String,
    /// The other one, by name, where it was said.
    pub twin: Option<String>,
    /// The images wanted.
    pub changes: Vec<ImageChange>,
    /// What else is to be different in the task definition.
    pub edits: Edits,
    /// How the traffic moves: rising, the last one is 100.
    pub shares: Vec<Share>,
    /// The same in the words of ECS's strategies, where that was said.
    pub strategy: Option<Strategy>,
    /// Where it pauses until somebody lets it go on.
    pub pauses: Vec<Stage>,
    /// How many minutes a pause may last.
    pub pause_limit: u32,
    /// The ARN of a listener whose rules show the new version before it has users.
    pub test_listener: Option<String>,
    /// Who moves things; `None`: whatever the service is set up for.
    pub engine: Option<EngineName>,
    /// The service is deployed by itself, also where it has a twin.
    pub alone: bool,
    /// How long 100 % is held before the old version is retired, where it was said.
    pub bake: Option<Duration>,
    /// How long there may be no progress.
    pub timeout: Duration,
    /// Numbers without a unit that may have been meant as minutes, with their options.
    pub bare: Vec<(&'static str, u64)>,
    /// How long the load balancer is given to follow, where it was said.
    pub follow: Option<Duration>,
    /// Deploy even what serves already.
    pub force: bool,
    /// The ARN of the revision to clone; the live one, unless said.
    pub base: Option<String>,
    /// What else the service is to have.
    pub scale: Scale,
    /// What is waited for, where it was said.
    pub until: Option<WaitFor>,
    /// Names of alarms that roll the deployment back when they go off.
    pub alarms: Vec<String>,
    /// It does not begin while one of them is on.
    pub strict_alarms: bool,
    /// What judges the new version while it has traffic.
    pub gates: Gates,
    /// Leave it to ECS once it has been told.
    pub no_wait: bool,
    /// Start the tasks anew even if nothing is new.
    pub restart: bool,
    /// An old revision is put back.
    pub is_rollback: bool,
    /// The user's tags of the revision that is cloned are not for the clone.
    pub leave_tags: bool,
    /// What must succeed before anything serves, if anything must.
    pub prepare: Option<Preparation>,
    /// The old side of a pair keeps running after a success.
    pub keep_old: bool,
    /// Which old revisions go after a success; none, unless said.
    pub keep: Option<Keep>,
}

/// Old revisions that are kept after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many of those that were registered for this service, and everybody else's.
    OfOurs(u32),
    /// The newest so many of the family, whoever registered them.
    OfFamily(u32),
}

/// What a service is to have beside its revision, where that was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Its desired count.
    pub count: Option<u32>,
    /// `minimumHealthyPercent`.
    pub min_healthy: Option<u32>,
    /// `maximumPercent`.
    pub max_percent: Option<u32>,
}

/// How many minutes a pause may last, unless said.
const PAUSE: u32 = 60;

/// The longest duration that may be asked for: 14 days.
pub const LONGEST: Duration = Duration::from_secs(14 * 24 * 3600);

/// The smallest time for which the load balancer's following may be trusted without evidence.
pub const FOLLOW_MIN: Duration = Duration::from_secs(30);

impl Request {
    /// Validates what was typed. An error names the argument.
    pub fn new(typed: &Typed) -> Result<Self, Usage> {
        let changes = image_changes(&typed.images, &typed.tags)?;
        let edits = Edits::new(&typed.edits)?;
        let strategy = typed.strategy.as_deref().map(Strategy::typed).transpose()?;
        let pause_limit = typed.pause_limit.as_deref().map_or(Ok(PAUSE), pause_limit)?;
        let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes));
        let mut services = vec![("--service", typed.service.as_str())];
        services.extend(typed.twin.iter().map(|twin| ("--twin", twin.as_str())));
        let names = Names::new(("--cluster", &typed.cluster), &services)?;
        let mut services = names.services.into_iter();
        if changes.is_empty() && edits.is_empty() && !typed.restart && !typed.examine {
            return Err(Usage::new(
                "nothing to deploy: give an image, a tag or a change of the task definition",
                match typed.changes_the_service() {
                    true => {
                        "add --tag TAG, or --force-new-deployment (starts the same version anew)"
                    }
                    false => "--tag TAG, or --image REGISTRY/REPOSITORY:TAG",
                },
            ));
        }
        let shares = match (strategy, shares(&typed.shares, minutes(pause_limit))?) {
            (Some(_), shares) if shares.len() > 1 || shares[0].percent < 100 => {
                return Err(bad(
                    "--strategy",
                    "it says what --shares says",
                    "leave out one of --strategy and --shares",
                ));
            }
            // A pair has whole percents; where ECS shifts the traffic, nobody reads this.
            (Some(strategy), shares) => strategy.shares().unwrap_or(shares),
            (None, shares) => shares,
        };
        let pauses = !typed.pause_at.is_empty() || shares.iter().any(|share| share.pause);
        if typed.pause_limit.is_some() && !pauses {
            return Err(bad(
                "--pause-limit",
                "nothing pauses",
                "--pause-at STAGE, or --shares 10:pause,100",
            ));
        }
        Ok(Self {
            cluster: names.cluster,
            service: services.next().unwrap_or_default(),
            twin: services.next(),
            changes,
            edits,
            shares,
            strategy,
            pauses: {
                let stages = typed.pause_at.iter().flat_map(|text| text.split(','));
                let mut stages = stages.map(Stage::typed).collect::<Result<Vec<_>, _>>()?;
                stages.sort();
                stages.dedup();
                stages
            },
            pause_limit,
            test_listener: typed.test_listener.as_deref().map(listener).transpose()?,
            engine: typed.engine,
            alone: typed.alone,
            bake: typed.bake.as_deref().map(|text| duration("--bake", text)).transpose()?,
            timeout: some_time("--timeout", &typed.timeout, TO_START, "15m")?,
            bare: bare(typed),
            follow: typed.follow.as_deref().map(|text| duration("--follow", text)).transpose()?,
            force: typed.force,
            base: None,
            scale: Scale {
                count: typed.count,
                min_healthy: typed.min_healthy,
                max_percent: typed.max_percent,
            },
            until: typed.until,
            alarms: alarms(&typed.alarms)?,
            strict_alarms: typed.strict_alarms,
            gates: Gates::new(&typed.gates)?,
            no_wait: typed.no_wait,
            restart: typed.restart,
            is_rollback: false,
            leave_tags: false,
            prepare: match &typed.before {
                Some((text, timeout)) => Some(Preparation::new(&text.0, timeout)?),
                None => None,
            },
            keep_old: typed.keep_old,
            keep: typed.keep_revisions.map(Keep::OfOurs),
        })
    }
}

impl Request {
    /// What puts an old revision back: all at once, without shares.
    pub fn back(cluster: &str, service: &str, twin: Option<&str>) -> Self {
        Self {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            twin: twin.map(str::to_owned),
            changes: vec![],
            edits: Edits::default(),
            shares: vec![Share::ALL],
            strategy: None,
            pauses: vec![],
            pause_limit: PAUSE,
            test_listener: None,
            engine: None,
            alone: false,
            bake: None,
            timeout: Duration::from_secs(900),
            bare: vec![],
            follow: None,
            force: true,
            base: None,
            scale: Scale::default(),
            until: None,
            alarms: vec![],
            strict_alarms: false,
            gates: Gates::default(),
            no_wait: false,
            restart: false,
            is_rollback: true,
            leave_tags: false,
            prepare: None,
            keep_old: false,
            keep: None,
        }
    }

    /// This one, with a clone of `base` that has these images.
    pub fn to(self, base: &str, images: Vec<(String, ImageRef)>) -> Self {
        let change = |(container, image)| ImageChange::Image { container: Some(container), image };
        let changes = images.into_iter().map(change).collect();
        Self { base: Some(base.to_owned()), changes, ..self }
    }
}

/// Reads the ARN of a listener.
fn listener(text: &str) -> Result<String, Usage> {
    let parts = text.split_once(":listener/").filter(|(_, path)| path.split('/').count() == 4);
    match parts.filter(|(head, _)| head.starts_with("arn:")) {
        Some(_) => Ok(text.to_owned()),
        None => Err(bad(
            "--test-listener",
            format!("`{text}` is not the ARN of a listener"),
            "--test-listener arn:aws:elasticloadbalancing:REGION:ACCOUNT:listener/app/NAME/ID/ID",
        )),
    }
}

impl Typed {
    /// Whether something is asked for that changes the service, and no version.
    fn changes_the_service(&self) -> bool {
        let numbers = [self.count, self.min_healthy, self.max_percent];
        self.strategy.is_some() || numbers.iter().any(Option::is_some)
    }
}

impl Request {
    /// What tells the checks and alarms that judge this deployment from others; `None`: nothing does.
    pub fn judges(&self) -> Option<String> {
        if self.alarms.is_empty() && self.gates.gates.is_empty() {
            return None;
        }
        let alarms = self.alarms.iter().flat_map(|alarm| ["alarm".to_owned(), alarm.clone()]);
        let parts = alarms.chain(self.gates.gates.iter().flat_map(Gate::parts));
        Some(digest(parts, 4))
    }
}

/// Numbers without a unit that may have been meant as minutes.
fn bare(typed: &Typed) -> Vec<(&'static str, u64)> {
    let given = [("--bake", &typed.bake), ("--follow", &typed.follow)];
    let number = |text: &String| text.trim().parse::<u64>().ok().filter(|n| (1..60).contains(n));
    given.into_iter().filter_map(|(option, text)| Some((option, number(text.as_ref()?)?))).collect()
}

/// Reads `--alarm`: names, each once.
fn alarms(typed: &[String]) -> Result<Vec<String>, Usage> {
    let mut names: Vec<String> = Vec::new();
    for name in typed.iter().flat_map(|text| text.split(',')).map(str::trim) {
        // API reference of PutMetricAlarm: 1 to 255 characters.
        if name.is_empty() || name.len() > 255 {
            return Err(bad(
                "--alarm",
                format!("`{name}` is not the name of an alarm"),
                "--alarm NAME",
            ));
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Reads `--image` and `--tag`.
pub fn image_changes(images: &[String], tags: &[String]) -> Result<Vec<ImageChange>, Usage> {
    let images = images.iter().map(|text| {
        ImageChange::image(text)
            .map_err(|why| bad("--image", why, "--image REGISTRY/REPOSITORY:TAG"))
    });
    let tags = tags.iter().map(|text| {
        ImageChange::tag(text)
            .map_err(|why| bad("--tag", why, "--tag TAG, or --tag REPOSITORY=TAG"))
    });
    images.chain(tags).collect()
}

fn bad(argument: &str, why: impl fmt::Display, hint: &str) -> Usage {
    Usage::new(format!("{argument}: {why}"), hint)
}

/// Reads a duration: `60s`, `15m`, `1h30m`, `0`; a bare number is seconds.
pub fn duration(argument: &str, text: &str) -> Result<Duration, Usage> {
    // What a deployment needs time for takes no 0, and a share needs its percentage.
    let hint = match argument {
        "--shares" => "--shares 10:5m,50:5m,100".to_owned(),
        "--pause-limit" => "--pause-limit 15m, or 1h, or up to 14d".to_owned(),
        timeout if timeout.ends_with("timeout") => format!("{timeout} 15m, or 90s"),
        other => format!("{other} 60s, or 15m, or 0"),
    };
    let parsed = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text.trim()).map_err(|_| {
            bad(argument, format!("`{text}` is not a duration like 90s, 15m or 1h30m"), &hint)
        })?,
    };
    match parsed {
        long if long > LONGEST => {
            Err(bad(argument, format!("`{text}` is more than 14 days"), &hint))
        }
        odd if odd.subsec_nanos() != 0 => {
            Err(bad(argument, format!("`{text}` is not a whole number of seconds"), &hint))
        }
        fine => Ok(fine),
    }
}

/// What makes two requests the same one: which images (by digest where that is known) and which
/// edits reach which pair. How they get there may differ: a run that adopts a record follows the
/// record.
pub fn fingerprint(
    cluster: &str,
    pair: [&str; 2],
    images: &BTreeMap<String, String>,
    edits: &[String],
) -> String {
    let mut pair = pair;
    pair.sort_unstable();
    let images = images.iter().flat_map(|(name, image)| [name.as_str(), image.as_str()]);
    let edits = edits.iter().map(String::as_str);
    digest([cluster, pair[0], pair[1]].into_iter().chain(images).chain(edits), 8)
}

/// The first bytes of a hash of these parts, in hexadecimal.
fn digest(parts: impl Iterator<Item = impl AsRef<str>>, bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        // Lengths, so that no two lists of parts read alike.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

const TO_START: &str = "to start a task";

/// A length of time that is not 0: with 0 there is no time for `what`.
fn some_time(option: &str, text: &str, what: &str, example: &str) -> Result<Duration, Usage> {
    match duration(option, text)? {
        Duration::ZERO => {
            let hint = format!("{option} {example}");
            Err(bad(option, format!("`0` leaves no time {what}"), &hint))
        }
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        Typed {
            cluster: "shop".into(),
            service: "web".into(),
            images: vec!["shop/web:2".into()],
            shares: "100".into(),
            timeout: "15m".into(),
            ..Typed::default()
        }
    }

    #[test]
    fn durations_are_whole_seconds_with_or_without_a_unit() {
        let seconds = |text| duration("--bake", text).map(|d| d.as_secs()).map_err(|r| r.what);
        assert_eq!(seconds("0"), Ok(0));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for text in ["", "-1", "soon", "1.5", "500ms", "15 days", "1d 99999999h"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_hint_gives_a_value_that_the_option_takes() {
        for (option, hint) in [
            ("--bake", "--bake 60s, or 15m, or 0"),
            ("--timeout", "--timeout 15m, or 90s"),
            ("--before-timeout", "--before-timeout 15m, or 90s"),
            ("--shares", "--shares 10:5m,50:5m,100"),
        ] {
            assert_eq!(duration(option, "5x").unwrap_err().hint, hint);
        }
    }

    #[test]
    fn each_argument_is_named_when_it_is_wrong() {
        let what = |change: fn(&mut Typed)| {
            let mut typed = typed();
            change(&mut typed);
            Request::new(&typed).unwrap_err().what
        };
        assert!(what(|t| t.service = "we b".into()).starts_with("--service: `we b`"));
        assert!(what(|t| t.cluster = String::new()).starts_with("--cluster:"));
        assert!(what(|t| t.images = vec!["A:b".into()]).starts_with("--image: `A:b`"));
        assert!(what(|t| t.tags = vec!["=1".into()]).starts_with("--tag:"));
        assert!(what(|t| t.images.clear()).starts_with("nothing to deploy"));
        assert!(what(|t| t.timeout = "0".into()).starts_with("--timeout:"));
        assert!(what(|t| t.follow = Some("x".into())).starts_with("--follow:"));
    }

    #[test]
    fn the_fingerprint_is_of_the_pair_the_images_and_the_edits() {
        let images = |image: &str| BTreeMap::from([("web".to_owned(), image.to_owned())]);
        let edits = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let one = fingerprint("c", ["a", "b"], &images("x:1"), &[]);
        assert_eq!(one, fingerprint("c", ["b", "a"], &images("x:1"), &[]));
        assert_ne!(one, fingerprint("c", ["b", "a"], &images("x:2"), &[]));
        assert_ne!(one, fingerprint("c2", ["a", "b"], &images("x:1"), &[]));
        let edited = fingerprint("c", ["a", "b"], &images("x:1"), &edits("edit web env A 1"));
        assert_ne!(one, edited);
        assert_ne!(
            edited,
            fingerprint("c", ["a", "b"], &images("x:1"), &edits("edit web env A 2"))
        );
    }
}
