//! The plan: every choice, made once, from one survey. Pure. Refusals are in `refusals`.

mod refusals;
mod rolling;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::actions::GroupPair;
use crate::error::Refusal;
use crate::image::{ImageRef, resolve};
use crate::record::{Asked, End, Engine, Heading, Record, WaitFor};
use crate::request::{FOLLOW_MIN, Request, fingerprint};
use crate::revision::{Revision, clone_request, diff, own_tags, short};
use crate::route::View;
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
    /// Images by container.
    pub images: BTreeMap<String, String>,
    /// What the user should know before.
    pub warnings: Vec<String>,
    /// What will be done, in order: step and what it does.
    pub steps: Vec<(&'static str, String)>,
    /// The task definition's changes, masked.
    pub diff: Vec<String>,
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
    /// services run, then on the newest revisions.
    pub fn open_record(&self) -> Option<Result<Record, String>> {
        let mut records = self.records();
        // A registration whose answer was lost may have left the same record on two revisions.
        let is_closed = |record: &Record| record.closed.is_some();
        let closed: Vec<String> =
            records.iter().flatten().filter(|r| is_closed(r)).map(|r| r.id.clone()).collect();
        records.retain(|record| match record {
            Ok(record) => !is_closed(record) && !closed.contains(&record.id),
            Err(_) => true,
        });
        // One that can be read is worth more than one that cannot.
        records.sort_by_key(Result::is_err);
        records.into_iter().next()
    }

    /// Records of this pair, those of running revisions first, then the newest.
    fn records(&self) -> Vec<Result<Record, String>> {
        let running = self
            .world
            .services
            .values()
            .flat_map(|s| s.deployments.iter().map(|d| d.revision.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        running
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

/// Which container gets which image. The base is the live side's revision, unless the request names
/// another.
pub fn images(request: &Request, survey: &Survey) -> Result<BTreeMap<String, ImageRef>, Refusal> {
    let asked = request.base.as_ref().and_then(|base| survey.revisions.get(base));
    let base = match survey.open_record() {
        _ if asked.is_some() => asked,
        // An unfinished deployment of the same request has its images in its own revision.
        Some(Ok(record)) => {
            survey.revisions.get(&record.from).or_else(|| survey.revisions.get(&record.revision))
        }
        _ => survey.revisions.get(&live(request, survey)?.revision),
    };
    let base =
        base.ok_or_else(|| Refusal::new("the live revision cannot be read", "ecs-bg status"))?;
    resolve(&request.changes, &base.containers)
}

/// Why a deployment that is under way keeps another one from starting.
pub fn unfinished(survey: &Survey, record: &Record) -> Refusal {
    refusals::unfinished(survey, record)
}

/// Every choice, or a refusal. `digests` are those of `images`, by container.
pub fn plan(
    request: &Request,
    survey: &Survey,
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
    identity: &Identity,
) -> Result<Decision, Refusal> {
    refusals::missing_images(images, digests)?;
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
    let fingerprint = fingerprint(survey.cluster_name(), pair, &resolved);
    match survey.open_record() {
        Some(Ok(record)) if record.request == fingerprint => {
            return Ok(Decision::Adopt(Box::new(record)));
        }
        Some(Ok(record)) => return Ok(Decision::Unfinished(Box::new(record))),
        Some(Err(unreadable)) => warnings.push(unreadable),
        None => {}
    }
    let (engine, why) = engine?;
    if engine == Engine::Rolling {
        return rolling::plan(
            request,
            survey,
            images,
            digests,
            fingerprint,
            identity,
            why,
            warnings,
        );
    }
    refusals::for_rolling_only(request)?;
    let sides = refusals::sides(survey)?;
    let certain = digests.values().all(|digest| matches!(digest, Digest::Known(_)));
    let live =
        survey.closed_on(sides.blue).filter(|record| certain && record.request == fingerprint);
    if live.is_some()
        && !request.force
        && sides.blue.running >= sides.blue.desired
        && survey
            .world
            .healthy(sides.blue)
            .is_some_and(|healthy| healthy >= sides.blue.desired as usize)
        && sides.blue.deployments.len() == 1
    {
        let revision = short(&sides.blue.revision).to_owned();
        let what = format!("{revision} with these images serves in {}", sides.blue.name);
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
    let base = survey.revisions.get(request.base.as_ref().unwrap_or(&sides.blue.revision)).cloned();
    let base =
        base.ok_or_else(|| Refusal::new("the live revision cannot be read", "ecs-bg status"))?;
    let images = written(images);
    let diff = changes(&base, &images)?;
    let steps = steps(&record, &base, &images, &sides, &survey.world);
    let plan = Plan { record, why, way_back: None, base, images, warnings, steps, diff };
    Ok(Decision::Deploy(Box::new(plan)))
}

fn written(images: &BTreeMap<String, ImageRef>) -> BTreeMap<String, String> {
    images.iter().map(|(container, image)| (container.clone(), image.to_string())).collect()
}

/// What the clone changes, masked.
fn changes(base: &Revision, images: &BTreeMap<String, String>) -> Result<Vec<String>, Refusal> {
    let unreadable = |error: serde_json::Error| {
        Refusal::new(format!("{} cannot be cloned: {error}", base.name), "ecs-bg status")
    };
    let body = clone_request(&base.raw, images, &own_tags(&base.tags)).map_err(unreadable)?;
    diff(&base.raw, &body).map_err(unreadable)
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
        clone_request(&self.base.raw, &self.images, &tags)
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
    images: &BTreeMap<String, String>,
    sides: &Sides<'_>,
    world: &World,
) -> Vec<(&'static str, String)> {
    let (blue, green) = (&sides.blue.name, &sides.green.name);
    let time = |duration: Duration| humantime::format_duration(duration).to_string();
    let images: Vec<String> =
        images.iter().map(|(container, image)| format!("{container}={image}")).collect();
    let rules: Vec<&str> = world.rules.values().map(|rule| rule.name.as_str()).collect();
    let lacking = |rule: &&Rule| !crate::actions::green_stands(&rule.actions, &sides.pairs);
    let lacking: Vec<&str> =
        world.rules.values().filter(lacking).map(|rule| rule.name.as_str()).collect();
    let mut steps = vec![(
        "register",
        format!("a revision of {} like {} with {}", base.family(), base.name, images.join(", ")),
    )];
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
    let mut watch = crate::watch::Watch::new(world.at);
    watch.see(record, world);
    crate::route::decide(&View { record, watch: &watch, world }).0
}
