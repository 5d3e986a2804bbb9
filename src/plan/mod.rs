//! The plan: every choice, made once, from one survey. Pure. What must be true before is in
//! `checks`.

mod back;
mod checks;
pub mod clone;
pub mod doctor;
mod engine;
mod fits;
pub mod history;
pub mod kept;
mod listener;
pub mod named;
pub mod native;
mod notes;
pub mod policy;
mod quota;
mod rolling;
pub mod run_task;
pub mod setup;
mod survey;
#[cfg(test)]
mod tests;
pub mod trust;
mod wanted;

use std::collections::BTreeMap;
use std::time::Duration;

use self::checks::Case;
use self::engine::engine;
pub use back::{back_to, replaced};
pub use checks::pair::readable;
pub use engine::must_be_allowed;
pub use notes::unchecked;
pub use rolling::static_port;
pub use survey::Survey;
pub use wanted::{Digest, Wanted};

use crate::event::refusal::{DefinitionRefused, RecordRefused};
use crate::event::{EngineReason, NoRecord, Planned, Refusal, RunningImage, Warning};
use crate::model::diff::diff;
use crate::model::revision::Revision;
use crate::model::rule::GroupPair;
use crate::model::served::Served;
use crate::model::world::{Rule, Service, World};
use crate::plan::clone::{Changes, clone_request, own_tags};
use crate::plan::trust::Verdict;
use crate::record::{Had, Prepare, Record};
use crate::request::before::Preparation;
use crate::request::edits::Base;
use crate::request::image::ImageRef;
use crate::request::{Request, fingerprint};
use crate::route::View;
use crate::route::watch::Watch;

/// How long the new version is watched at 100 % before the old one is retired, unless said.
const BAKE: Duration = Duration::from_secs(60);

/// The largest task definition, in bytes (ECS service quotas).
const LARGEST: usize = 64 * 1024;

/// What only the process can add to a plan.
#[derive(Clone, Debug)]
pub struct Identity {
    /// A random id for a new record.
    pub deployment: String,
    /// A random id for this process.
    pub owner: String,
    /// What this process is, for people: a CI run or `user@host`.
    pub by: String,
}

/// What a plan begins with.
struct Draft<'a> {
    /// Which request this is.
    fingerprint: String,
    identity: &'a Identity,
    /// Why this engine.
    why: EngineReason,
    /// What the user should know before, as far as it does not depend on the engine.
    warnings: Vec<Warning>,
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
        /// The images that its tasks are known to run.
        images: Vec<RunningImage>,
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
    pub why: EngineReason,
    /// The body of the RegisterTaskDefinition that makes the way back, where the live revision is
    /// INACTIVE: no service can be put on it again.
    pub way_back: Option<String>,
    /// The revision that is cloned.
    pub base: Revision,
    /// What the clone has that it has not.
    pub changes: Changes,
    /// It may start only because nothing answers on the side that has the traffic, as far as one look can
    /// tell.
    pub outage: bool,
    /// What the user should know before.
    pub warnings: Vec<Warning>,
    /// What will be done, in order.
    pub steps: Vec<Planned>,
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

/// The service that serves, where a deployment like `request` could start.
pub fn live<'a>(request: &Request, survey: &'a Survey) -> Result<&'a Service, Refusal> {
    (engine(request, survey)?.0.live)(survey)
}

/// What a request wants of the task definition.
pub fn wanted(request: &Request, survey: &Survey) -> Result<Wanted, Refusal> {
    Wanted::of(base(request, survey)?, &request.changes, &request.edits)
}

/// What is cloned: what the request names, else what the live side runs.
fn base(request: &Request, survey: &Survey) -> Result<Revision, Refusal> {
    let unreadable = || Refusal::new(DefinitionRefused::LiveUnreadable);
    let known = |arn: &str| survey.revisions.get(arn).cloned();
    if let Some(base) = request.base.as_deref().and_then(known) {
        return Ok(base);
    }
    let open = survey.open_record().and_then(Result::ok);
    let live = match &open {
        // An unfinished deployment of the same request has its images in its own revision.
        Some(record) => known(&record.from).or_else(|| known(&record.revision)),
        None => {
            let live = live(request, survey)?;
            known(&survey.last_good(live, &live.revision).0)
        }
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
        let record =
            record.filter(|record| trust::judge(survey, revision, record) == Verdict::Trusted);
        id.is_some() && record.map(|record| record.id) == id
    };
    let newest = survey.newest.iter().filter_map(|arn| known(arn));
    let mut newest = newest.filter(|one| one.family() == live.family() && one.active);
    newest.find(|one| !unfinished(one)).ok_or_else(unreadable)
}

/// Another deployment of the pair is not finished.
pub fn unfinished(survey: &Survey, record: &Record) -> Refusal {
    let is_known = survey.world.service(&record.blue).is_some()
        && survey.world.service(&record.green).is_some();
    Refusal::new(RecordRefused::Unfinished {
        deployment: record.name().to_owned(),
        service: record.blue.clone(),
        twin: record.twin().map(str::to_owned),
        green: record.green.clone(),
        cluster: survey.cluster.clone(),
        is_forward: record.forward(),
        is_judged: record.judges.is_some(),
        step: is_known.then(|| standing(record, &survey.world)),
    })
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
    let mut warnings = notes::unread(survey, images, digests);
    let resolved: BTreeMap<String, String> = images
        .iter()
        .map(|(container, image)| match digests.get(container) {
            Some(Digest::Known(digest)) => (container.clone(), digest.clone()),
            _ => (container.clone(), image.to_string()),
        })
        .collect();
    let engine = engine(request, survey);
    let other = match &engine {
        Ok((engine, _)) => engine.twin.and_then(|twin| twin(survey)),
        Err(_) => survey.twin.as_deref(),
    };
    let pair = [survey.service.as_str(), other.unwrap_or(&survey.service)];
    let mut edits = request.edits.parts(&wanted.edits);
    if let Some(preparation) = &request.prepare {
        preparation.place(&wanted.base).map_err(Refusal::new)?;
        edits.extend(preparation.parts());
    }
    edits.extend(request.judges());
    let fingerprint = fingerprint(survey.cluster_name(), pair, &resolved, &edits);
    match survey.open_record() {
        Some(Ok(record)) if record.request == fingerprint => {
            wanted.check(digests)?;
            return Ok(Decision::Adopt(Box::new(record)));
        }
        Some(Ok(record)) => {
            wanted.check(digests)?;
            // What it can never follow is said before the other deployment is ended, unless that changed how the
            // service is deployed.
            let is_as_found = record.native.as_ref().is_none_or(|own| own.strategy.is_none());
            if let Some((engine, _)) = engine.as_ref().ok().filter(|_| is_as_found) {
                let options = engine.checks.iter().filter(|check| check.code == "options");
                checks::all(options, &Case { request, survey, wanted, digests })?;
            }
            return Ok(Decision::Unfinished(Box::new(record)));
        }
        Some(Err(unreadable)) => warnings.push(Warning::RecordUnreadable(unreadable)),
        None => {}
    }
    warnings
        .extend(survey.ignored().into_iter().map(|(_, ignored)| Warning::RecordIgnored(ignored)));
    let overtaken = survey.overtaken().into_iter();
    warnings.extend(overtaken.map(|(record, by)| {
        let deployment = record.name().to_owned();
        Warning::Over { deployment, by }
    }));
    let (engine, why) = engine?;
    warnings.extend(notes::surprises(request, survey, wanted));
    let case = Case { request, survey, wanted, digests };
    checks::all(engine.checks, &case)?;
    let mut decision = (engine.plan)(&case, Draft { fingerprint, identity, why, warnings })?;
    if let Decision::Deploy(plan) = &mut decision {
        let alarms = Planned::Alarms { alarms: request.alarms.clone() };
        plan.steps.extend((!request.alarms.is_empty()).then_some(alarms));
        let gates: Vec<String> = request.gates.named().into_iter().map(|(name, _)| name).collect();
        plan.steps.extend((!gates.is_empty()).then_some(Planned::Checks { gates }));
    }
    Ok(decision)
}

/// ECS has nothing to do for a service, and its targets answer.
fn is_steady(survey: &Survey, service: &Service) -> bool {
    let healthy = survey.world.healthy(service);
    service.deployments.len() == 1
        && service.desired > 0
        && healthy.is_none_or(|healthy| healthy >= service.desired as usize)
        && service.running >= service.desired
        && service.deployments[0].rollout.as_deref() != Some("FAILED")
}

/// What the tasks of a service run already, where nothing would change: the images, as far as they were asked for.
fn runs_already(
    survey: &Survey,
    service: &Service,
    wanted: &Wanted,
    digests: &BTreeMap<String, Digest>,
    fingerprint: &str,
) -> Option<Vec<RunningImage>> {
    let base = survey.revisions.get(&service.revision)?;
    if wanted.images.is_empty() || !is_unchanged(service, wanted) {
        let same = serves_already(survey, service, wanted, digests, fingerprint);
        return same.then(Vec::new);
    }
    let same = |(container, image): (&String, &ImageRef)| {
        let Some(Digest::Known(digest)) = digests.get(container) else { return None };
        (survey.ran.get(container) == Some(digest)).then_some(())?;
        let (_, runs) = base.containers.iter().find(|(name, _)| name == container)?;
        let (image, digest) = (image.to_string(), digest.clone());
        let runs_as = Some(runs.clone()).filter(|runs| *runs != image);
        Some(RunningImage { image, digest, runs_as })
    };
    wanted.images.iter().map(same).collect()
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
    // A record only says so; the tasks show what they run.
    let runs_others = digests.iter().any(|(container, digest)| {
        let ran = survey.ran.get(container);
        ran.is_some_and(|ran| !matches!(digest, Digest::Known(wanted) if wanted == ran))
    });
    let closed = closed.filter(|_| !runs_others);
    // A newer one to clone was registered since, where the newest is cloned.
    let same_base = wanted.base.arn == service.revision || wanted.is_from_file();
    (certain && closed.is_some() && same_base)
        || (wanted.images.is_empty() && is_unchanged(service, wanted))
}

/// Whether the edits change nothing about what the service runs.
fn is_unchanged(service: &Service, wanted: &Wanted) -> bool {
    let only = Changes { edits: wanted.edits.clone(), ..Changes::default() };
    let body = clone_request(&wanted.base.raw, &only, &BTreeMap::new());
    let same =
        body.and_then(|body| diff(&wanted.base.raw, &body, false)).is_ok_and(|d| d.is_empty());
    same && wanted.base.arn == service.revision
}

/// A revision is no JSON that can be cloned.
pub fn not_cloned(base: &Revision, error: &serde_json::Error) -> Refusal {
    let (revision, reason) = (base.name.clone(), error.to_string());
    Refusal::new(DefinitionRefused::NotCloned { revision, reason })
}

/// What the new revision changes, masked: against what it is a clone of, or what it replaces where
/// that is another one.
fn differences(
    survey: &Survey,
    replaced: &Service,
    base: &Revision,
    changes: &Changes,
) -> Result<(String, Vec<String>), Refusal> {
    let unreadable = |error| not_cloned(base, &error);
    let body = clone_request(&base.raw, changes, &own_tags(&base.tags)).map_err(unreadable)?;
    let replaced = survey.revisions.get(&replaced.revision).unwrap_or(base);
    let lines = diff(&replaced.raw, &body, changes.show_env).map_err(unreadable)?;
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

    /// Why the record is not kept in tags; `None`: it fits beside the user's own and into what AWS takes.
    pub fn without_record(&self) -> Option<NoRecord> {
        let record =
            Record { revision: format!("{}:0", family_arn(&self.base)), ..self.record.clone() };
        if record.to_tags(&own_tags(&self.base.tags)).is_none() {
            return Some(NoRecord::Tags);
        }
        let body = self.registration(Tags::WithRecord);
        body.is_ok_and(|body| body.len() > LARGEST).then_some(NoRecord::Size)
    }
}

fn family_arn(base: &Revision) -> &str {
    base.arn.rsplit_once(':').map_or(base.arn.as_str(), |(family, _)| family)
}

/// The name of a target group; of one that was not read, its id.
fn group_name(world: &World, arn: &str) -> String {
    let group = world.groups.get(arn);
    group.map_or_else(|| crate::model::arn::short(arn).to_owned(), |group| group.name.clone())
}

/// What runs of a service.
fn had(world: &World, service: &Service) -> Option<Had> {
    let healthy = world.healthy(service).and_then(|healthy| u32::try_from(healthy).ok());
    Some(Had { running: service.running, healthy })
}

fn prepare(preparation: &Preparation) -> Prepare {
    Prepare { timeout: preparation.timeout, done: false }
}

/// What runs before everything that serves.
fn preparing(record: &Record) -> Option<Planned> {
    record.prepare.map(|prepare| Planned::Prepare { timeout: prepare.timeout })
}

/// The first step: what the new revision is.
fn registered(base: &Revision, changes: &Changes) -> Planned {
    Planned::Register {
        family: base.family().to_owned(),
        base: base.name.clone(),
        images: changes.images.clone(),
        edits: changes.shown_edits(),
    }
}

/// What serves now, rule by rule. `pairs` are the groups of `one` and `other`.
pub fn serving(world: &World, pairs: &[GroupPair], [one, other]: [&Service; 2]) -> Vec<Served> {
    let served = |rule: &Rule| {
        let part = crate::model::rule::green_per_mille(&rule.actions, pairs);
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
