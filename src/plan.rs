//! The plan: every choice, made once, from one survey. Pure. Refusals are in `refusals`.

mod back;
mod refusals;
mod rolling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

pub use back::back_to;

use crate::actions::GroupPair;
use crate::edits::{Base, Edits, Placed};
use crate::error::Refusal;
use crate::image::{ImageChange, ImageRef, resolve};
use crate::preparation::Preparation;
use crate::record::{Asked, End, Engine, Heading, Prepare, Record, WaitFor};
use crate::request::{FOLLOW_MIN, Request, fingerprint};
use crate::revision::{Changes, Revision, clone_request, diff, own_tags, short};
use crate::route::{View, superseded};
use crate::watch::Watch;
use crate::world::{Rule, Service, World};

/// How long the new version is watched at 100 % before the old one is retired, unless said.
const BAKE: Duration = Duration::from_secs(60);

/// All that is read once, before a plan.
#[derive(Clone, Debug)]
pub struct Survey {
    /// As the user named it.
    pub cluster: String,
    /// As the user named it.
    pub service: String,
    /// The other service of the pair, as the user or the tag `ecs-bg:twin` names it.
    pub twin: Option<String>,
    /// A service that could be the twin: a proposal.
    pub candidate: Option<String>,
    /// Services, rules, groups and targets. No tasks.
    pub world: World,
    /// Revisions that matter, by ARN.
    pub revisions: BTreeMap<String, Revision>,
    /// ARNs of revisions that ECS was last asked to run and did not keep.
    pub given_up: Vec<String>,
    /// ARNs of the newest revisions of the families, newest first.
    pub newest: Vec<String>,
    /// Names of services with a scalable target; `None` where that may not be read.
    pub scalable: Option<Vec<String>>,
    /// Why load balancers could not be read, where that is denied.
    pub blind: Option<String>,
    /// Digests that the service's tasks run, by container, where they were asked for.
    pub ran: BTreeMap<String, String>,
    /// When the credentials end.
    pub expires: Option<SystemTime>,
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// It is there, with this digest.
    Known(String),
    /// It is not there, or cannot be pulled.
    Missing(String),
    /// That cannot be told, and why.
    Unknown(String),
}

/// What only the process can add to a plan.
#[derive(Clone, Debug)]
pub struct Identity {
    /// A random id for a new record.
    pub deployment: String,
    /// A random id for this process.
    pub owner: String,
}

/// What is to be done about a request.
#[derive(Clone, Debug)]
pub enum Decision {
    /// A new deployment.
    Deploy(Box<Plan>),
    /// The same request is under way: go on with it.
    Adopt(Box<Record>),
    /// Another request is under way, and not finished.
    Unfinished(Box<Record>),
    /// It is live already.
    Nothing {
        /// The service that serves.
        service: String,
        /// The revision that it runs.
        revision: String,
        /// What makes it the same.
        what: String,
    },
}

/// Which tags a registration carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// The user's and the record.
    WithRecord,
    /// The user's.
    Own,
    /// None at all.
    None,
}

/// Every choice, made once.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The record as it will begin; `revision` is empty until there is one.
    pub record: Record,
    /// Why this engine.
    pub why: String,
    /// The body of the RegisterTaskDefinition that makes the way back, where the live revision is
    /// INACTIVE: no service can be put on it again.
    pub way_back: Option<String>,
    /// The revision that is cloned.
    pub base: Revision,
    /// What the clone has that it has not.
    pub changes: Changes,
    /// What the user should know before.
    pub warnings: Vec<String>,
    /// What will be done, in order: step and what it does.
    pub steps: Vec<(&'static str, String)>,
    /// What the new revision is compared with, and the differences, masked.
    pub diff: (String, Vec<String>),
}

/// Both sides, by role.
#[derive(Clone, Debug)]
pub struct Sides<'a> {
    /// The one that serves.
    pub blue: &'a Service,
    /// The idle one.
    pub green: &'a Service,
    /// Their target groups.
    pub pairs: Vec<GroupPair>,
}

impl Survey {
    fn pair(&self) -> Option<[&Service; 2]> {
        Some([self.world.service(&self.service)?, self.world.service(self.twin.as_deref()?)?])
    }

    /// The cluster's name.
    pub fn cluster_name(&self) -> &str {
        self.cluster.rsplit('/').next().unwrap_or(&self.cluster)
    }

    /// The record of an unfinished deployment of this pair, if there is one: first on what the
    /// services run, then on what ECS did not keep, then on the newest revisions.
    pub fn open_record(&self) -> Option<Result<Record, String>> {
        let mut records = self.unclosed();
        records.retain(|record| !matches!(record, Ok(record) if self.overtaker(record).is_some()));
        // One that can be read is worth more than one that cannot.
        records.sort_by_key(Result::is_err);
        records.into_iter().next()
    }

    /// Deployments that nobody finished and nobody can: somebody else put their side on another
    /// revision, which is told with each. What is now stands for itself.
    pub fn overtaken(&self) -> Vec<(Record, String)> {
        let overtaken = |record| Some((self.overtaker(&record)?, record));
        let found = self.unclosed().into_iter().flatten().filter_map(overtaken);
        found.map(|(by, record)| (record, by)).collect()
    }

    /// An owner that lives finds out by itself, and answers for it.
    fn overtaker(&self, record: &Record) -> Option<String> {
        let watch = Watch::new(self.world.at);
        let view = View { record, watch: &watch, world: &self.world };
        superseded(&view).filter(|_| record.is_abandoned(self.world.at))
    }

    /// Records of this pair that are not closed, in the order of `records`.
    fn unclosed(&self) -> Vec<Result<Record, String>> {
        let mut records = self.records();
        // A registration whose answer was lost may have left the same record on two revisions.
        let closed = records.iter().flatten().filter(|record| record.closed.is_some());
        let closed: Vec<String> = closed.map(|record| record.id.clone()).collect();
        records.retain(|record| !matches!(record, Ok(record) if closed.contains(&record.id)));
        records
    }

    /// Records of this pair, those of running revisions first, the newest last.
    fn records(&self) -> Vec<Result<Record, String>> {
        let running = self
            .world
            .services
            .values()
            .flat_map(|s| s.deployments.iter().map(|d| d.revision.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        running
            .chain(self.given_up.iter().map(String::as_str))
            .chain(self.newest.iter().map(String::as_str))
            .filter(|arn| seen.insert(arn.to_owned()))
            .filter_map(|arn| Record::from_tags(arn, &self.revisions.get(arn)?.tags))
            .filter(|record| match record {
                Ok(record) => self.is_of_this_pair(record),
                Err(_) => true,
            })
            .collect()
    }

    /// One of its services is enough: a deployment of a service is in the way of every other.
    fn is_of_this_pair(&self, record: &Record) -> bool {
        let names = [Some(self.service.as_str()), self.twin.as_deref()];
        record.cluster == self.cluster_name()
            && (names.contains(&Some(record.blue.as_str()))
                || names.contains(&Some(record.green.as_str())))
    }

    /// The record that is closed on the revision that `service` runs.
    pub fn closed_on(&self, service: &Service) -> Option<Record> {
        let tags = &self.revisions.get(&service.revision)?.tags;
        let record = Record::from_tags(&service.revision, tags)?.ok()?;
        (record.closed.is_some_and(|closed| closed.end == End::Live)
            && record.green == service.name)
            .then_some(record)
    }
}

/// The service that serves, where a deployment like `request` could start.
pub fn live<'a>(request: &Request, survey: &'a Survey) -> Result<&'a Service, Refusal> {
    Ok(match refusals::engine(request, survey)?.0 {
        Engine::Listener => refusals::sides(survey)?.blue,
        Engine::Rolling => rolling::service(request, survey)?,
    })
}

/// What is wanted of the task definition, brought to the containers that it is for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What is cloned.
    pub base: Revision,
    /// Images by container; all of them, where a file says them.
    pub images: BTreeMap<String, ImageRef>,
    /// What else is changed.
    pub edits: Vec<Placed>,
}

/// What a request wants of the task definition.
pub fn wanted(request: &Request, survey: &Survey) -> Result<Wanted, Refusal> {
    Wanted::of(base(request, survey)?, &request.changes, &request.edits)
}

impl Wanted {
    /// Brings what is wanted to the containers of `base`.
    pub fn of(base: Revision, images: &[ImageChange], edits: &Edits) -> Result<Self, Refusal> {
        let named = resolve(images, &base.containers)?;
        let placed = edits.place(&base, &named.keys().collect::<BTreeSet<_>>())?;
        let mut images = BTreeMap::new();
        if edits.file.is_some() {
            for (container, image) in &base.containers {
                let image = image.parse().map_err(|why| {
                    let what = format!("{}, container {container}: {why}", base.name);
                    Refusal::new(what, format!("--image {container}=REPOSITORY:TAG"))
                });
                if !named.contains_key(container) {
                    images.insert(container.clone(), image?);
                }
            }
        }
        images.extend(named);
        Ok(Self { base, images, edits: placed })
    }

    /// What the clone has that its original has not.
    pub fn changes(&self) -> Changes {
        let image =
            |(container, image): (&String, &ImageRef)| (container.clone(), image.to_string());
        Changes { images: self.images.iter().map(image).collect(), edits: self.edits.clone() }
    }

    /// An image that is not there would be found out by the first task; better now.
    pub fn check(&self, digests: &BTreeMap<String, Digest>) -> Result<(), Refusal> {
        refusals::missing_images(&self.images, digests)
    }

    /// A file has no revision's number.
    fn is_from_file(&self) -> bool {
        self.base.arn.ends_with(":0")
    }
}

/// What is cloned: what the request names, else what the live side runs.
fn base(request: &Request, survey: &Survey) -> Result<Revision, Refusal> {
    let unreadable = || Refusal::new("the live revision cannot be read", "ecs-bg status");
    let known = |arn: &str| survey.revisions.get(arn).cloned();
    if let Some(base) = request.base.as_deref().and_then(known) {
        return Ok(base);
    }
    let open = survey.open_record().and_then(Result::ok);
    let live = match &open {
        // An unfinished deployment of the same request has its images in its own revision.
        Some(record) => known(&record.from).or_else(|| known(&record.revision)),
        None => known(&live(request, survey)?.revision),
    };
    let live = live.ok_or_else(unreadable)?;
    if let Some(file) = &request.edits.file {
        return Ok(file.clone().beside(&live.arn));
    }
    if request.edits.from == Base::Service {
        return Ok(live);
    }
    let id = open.map(|record| record.id);
    let unfinished = |revision: &Revision| {
        let record = Record::from_tags(&revision.arn, &revision.tags).and_then(Result::ok);
        id.is_some() && record.map(|record| record.id) == id
    };
    let newest = survey.newest.iter().filter_map(|arn| known(arn));
    let mut newest = newest.filter(|one| one.family() == live.family() && one.active);
    newest.find(|one| !unfinished(one)).ok_or_else(unreadable)
}

/// Why a deployment that is under way keeps another one from starting.
pub fn unfinished(survey: &Survey, record: &Record) -> Refusal {
    refusals::unfinished(survey, record)
}

/// Every choice, or a refusal. `digests` are those of the wanted images, by container.
pub fn plan(
    request: &Request,
    survey: &Survey,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
    identity: &Identity,
) -> Result<Decision, Refusal> {
    let images = &wanted.images;
    wanted.check(digests)?;
    let mut warnings = refusals::unread(survey, images, digests);
    let resolved: BTreeMap<String, String> = images
        .iter()
        .map(|(container, image)| match digests.get(container) {
            Some(Digest::Known(digest)) => (container.clone(), digest.clone()),
            _ => (container.clone(), image.to_string()),
        })
        .collect();
    let engine = refusals::engine(request, survey);
    let other = match engine {
        Ok((Engine::Rolling, _)) => &survey.service,
        _ => survey.twin.as_ref().unwrap_or(&survey.service),
    };
    let pair = [survey.service.as_str(), other.as_str()];
    let mut edits = request.edits.parts(&wanted.edits);
    if let Some(preparation) = &request.prepare {
        preparation.place(&wanted.base)?;
        edits.extend(preparation.parts());
    }
    let fingerprint = fingerprint(survey.cluster_name(), pair, &resolved, &edits);
    match survey.open_record() {
        Some(Ok(record)) if record.request == fingerprint => {
            return Ok(Decision::Adopt(Box::new(record)));
        }
        Some(Ok(record)) => return Ok(Decision::Unfinished(Box::new(record))),
        Some(Err(unreadable)) => warnings.push(unreadable),
        None => {}
    }
    let overtaken = survey.overtaken().into_iter();
    warnings.extend(overtaken.map(|(record, by)| format!("{} is over: {by}", record.name())));
    let (engine, why) = engine?;
    if engine == Engine::Rolling {
        return rolling::plan(
            request,
            survey,
            wanted,
            digests,
            fingerprint,
            identity,
            why,
            warnings,
        );
    }
    refusals::for_rolling_only(request)?;
    let sides = refusals::sides(survey)?;
    refusals::for_a_pair(wanted, &sides)?;
    let same = serves_already(survey, sides.blue, wanted, digests, &fingerprint);
    if same
        && !request.force
        && sides.blue.running >= sides.blue.desired
        && survey
            .world
            .healthy(sides.blue)
            .is_some_and(|healthy| healthy >= sides.blue.desired as usize)
        && sides.blue.deployments.len() == 1
    {
        let revision = short(&sides.blue.revision).to_owned();
        let with = if request.edits.is_empty() { "these images" } else { "these settings" };
        let what = format!("{revision} with {with} serves in {}", sides.blue.name);
        return Ok(Decision::Nothing { service: sides.blue.name.clone(), revision, what });
    }
    warnings.extend(refusals::differences(survey, &sides)?);
    let record = draft(request, survey, &sides, fingerprint, identity);
    warnings.extend(refusals::credentials(survey, &record));
    if record.follow < FOLLOW_MIN {
        warnings.push(format!(
            "--follow {}: requests may be lost, a load balancer can take 30s and more to follow",
            humantime::format_duration(record.follow)
        ));
    }
    let base = wanted.base.clone();
    let changes = wanted.changes();
    let diff = differences(survey, sides.blue, &base, &changes)?;
    let steps = steps(&record, &base, &changes, &sides, &survey.world);
    let plan = Plan { record, why, way_back: None, base, changes, warnings, steps, diff };
    Ok(Decision::Deploy(Box::new(plan)))
}

/// Whether the service runs the outcome of the same request, or what it runs has all that is wanted.
fn serves_already(
    survey: &Survey,
    service: &Service,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
    fingerprint: &str,
) -> bool {
    let certain = digests.values().all(|digest| matches!(digest, Digest::Known(_)));
    let closed = survey.closed_on(service).filter(|record| record.request == fingerprint);
    // A newer one to clone was registered since, where the newest is cloned.
    let same_base = wanted.base.arn == service.revision || wanted.is_from_file();
    (certain && closed.is_some() && same_base)
        || (wanted.images.is_empty() && is_unchanged(service, wanted))
}

/// Whether the edits change nothing about what the service runs.
fn is_unchanged(service: &Service, wanted: &Wanted) -> bool {
    let only = Changes { edits: wanted.edits.clone(), ..Changes::default() };
    let body = clone_request(&wanted.base.raw, &only, &BTreeMap::new());
    let same = body.and_then(|body| diff(&wanted.base.raw, &body)).is_ok_and(|d| d.is_empty());
    same && wanted.base.arn == service.revision
}

/// What the new revision changes, masked: against what it is a clone of, or what it replaces where
/// that is another one.
fn differences(
    survey: &Survey,
    replaced: &Service,
    base: &Revision,
    changes: &Changes,
) -> Result<(String, Vec<String>), Refusal> {
    let unreadable = |error: serde_json::Error| {
        Refusal::new(format!("{} cannot be cloned: {error}", base.name), "ecs-bg status")
    };
    let body = clone_request(&base.raw, changes, &own_tags(&base.tags)).map_err(unreadable)?;
    let replaced = survey.revisions.get(&replaced.revision).unwrap_or(base);
    let lines = diff(&replaced.raw, &body).map_err(unreadable)?;
    Ok((replaced.name.clone(), lines))
}

impl Plan {
    /// The body of the RegisterTaskDefinition: the clone, with these tags.
    pub fn registration(&self, with: Tags) -> Result<String, serde_json::Error> {
        let mut tags = match with {
            Tags::None => BTreeMap::new(),
            Tags::Own | Tags::WithRecord => own_tags(&self.base.tags),
        };
        if with == Tags::WithRecord {
            // The revision's number is not known yet; the family is, and tags need no more.
            let record =
                Record { revision: format!("{}:0", family_arn(&self.base)), ..self.record.clone() };
            tags.extend(record.to_tags(&tags).unwrap_or_default());
        }
        clone_request(&self.base.raw, &self.changes, &tags)
    }

    /// Whether the record fits beside the user's own tags.
    pub fn record_fits(&self) -> bool {
        let record =
            Record { revision: format!("{}:0", family_arn(&self.base)), ..self.record.clone() };
        record.to_tags(&own_tags(&self.base.tags)).is_some()
    }
}

fn family_arn(base: &Revision) -> &str {
    base.arn.rsplit_once(':').map_or(base.arn.as_str(), |(family, _)| family)
}

fn draft(
    request: &Request,
    survey: &Survey,
    sides: &Sides<'_>,
    fingerprint: String,
    identity: &Identity,
) -> Record {
    let network = survey.world.groups.values().any(|group| {
        group.load_balancers.iter().any(|balancer| balancer.contains(":loadbalancer/net/"))
    });
    // Without evidence: what made 503s go away behind an ALB (argo-rollouts #4595), and what ECS
    // itself waits behind an NLB (developer guide, "Network Load Balancer resources for blue/green").
    let follow = Duration::from_secs(if network { 600 } else { 120 });
    Record {
        id: identity.deployment.clone(),
        request: fingerprint,
        revision: String::new(),
        cluster: survey.cluster_name().to_owned(),
        blue: sides.blue.name.clone(),
        green: sides.green.name.clone(),
        from: sides.blue.revision.clone(),
        was: sides.green.revision.clone(),
        count: sides.blue.desired,
        asked: Asked::default(),
        prepare: request.prepare.as_ref().map(prepare),
        until: WaitFor::default(),
        shares: request.shares.clone(),
        bake: request.bake.unwrap_or(BAKE),
        follow: request.follow.unwrap_or(follow),
        timeout: request.timeout,
        start: survey.world.at,
        heading: Heading::Forward,
        to: None,
        held: None,
        promoted: None,
        closed: None,
        owner: identity.owner.clone(),
        seen: survey.world.at,
    }
}

fn steps(
    record: &Record,
    base: &Revision,
    changes: &Changes,
    sides: &Sides<'_>,
    world: &World,
) -> Vec<(&'static str, String)> {
    let (blue, green) = (&sides.blue.name, &sides.green.name);
    let time = |duration: Duration| humantime::format_duration(duration).to_string();
    let rules: Vec<&str> = world.rules.values().map(|rule| rule.name.as_str()).collect();
    let lacking = |rule: &&Rule| !crate::actions::green_stands(&rule.actions, &sides.pairs);
    let lacking: Vec<&str> =
        world.rules.values().filter(lacking).map(|rule| rule.name.as_str()).collect();
    let mut steps = vec![(
        "register",
        format!("a revision of {} like {}{}", base.family(), base.name, changes.show()),
    )];
    steps.extend(preparing(record));
    steps.push(match lacking[..] {
        [] => ("attach", format!("{green} stands in {} already", rules.join(", "))),
        [..] => ("attach", format!("add {green} to {} at weight 0", lacking.join(", "))),
    });
    let count = record.count.max(sides.green.desired);
    steps.push(("launch", format!("{green}: {count} tasks")));
    steps.push((
        "settle",
        format!(
            "until {count} targets are healthy; back if there is no progress for {}",
            time(record.timeout)
        ),
    ));
    for share in &record.shares {
        let hold = if share.hold.is_zero() {
            String::new()
        } else {
            format!(", held for {}", time(share.hold))
        };
        steps.push((
            "shift",
            format!("{} % to {green} in {}{hold}", share.percent, rules.join(", ")),
        ));
    }
    steps.push(("bake", format!("watch it for {}; {blue} stays whole", time(record.bake))));
    steps.push((
        "follow",
        format!("until {} after the last change of weights", time(record.follow)),
    ));
    steps.push(("retire", format!("{blue}: no tasks")));
    steps
}

fn prepare(preparation: &Preparation) -> Prepare {
    Prepare { timeout: preparation.timeout, done: false }
}

/// What runs before everything that serves.
fn preparing(record: &Record) -> Option<(&'static str, String)> {
    let time = humantime::format_duration(record.prepare?.timeout);
    Some((
        "prepare",
        format!("one task runs the command of --before; back unless it exits with 0 within {time}"),
    ))
}

/// Who has the traffic of a rule.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Served {
    /// `load balancer:port/priority`
    pub rule: String,
    /// Percent of the traffic by service; empty when nobody has any.
    pub percent: BTreeMap<String, f64>,
}

/// What serves now, rule by rule. `pairs` are the groups of `one` and `other`.
pub fn serving(world: &World, pairs: &[GroupPair], [one, other]: [&Service; 2]) -> Vec<Served> {
    let served = |rule: &Rule| {
        let part = crate::actions::green_per_mille(&rule.actions, pairs);
        let percent = part.map(|part| {
            [(one, 1000 - part), (other, part)]
                .map(|(side, part)| (side.name.clone(), f64::from(part) / 10.0))
        });
        let percent = percent.into_iter().flatten().filter(|(_, percent)| *percent > 0.0);
        Served { rule: rule.name.clone(), percent: percent.collect() }
    };
    world.rules.values().map(served).collect()
}

/// For `status`: the pair of a survey, and its groups, whichever side serves.
pub fn pair_of(survey: &Survey) -> Option<([&Service; 2], Vec<GroupPair>)> {
    let [one, other] = survey.pair()?;
    Some(([one, other], crate::route::group_pairs(&survey.world, one, other)))
}

/// Where an unfinished deployment stands: the first step that does not hold.
pub fn standing(record: &Record, world: &World) -> &'static str {
    let mut watch = Watch::new(world.at);
    watch.see(record, world);
    crate::route::decide(&View { record, watch: &watch, world }).0
}
