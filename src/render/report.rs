//! The data of `status`, for both formats.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::words;
use crate::event::Location;
use crate::model::arn::short;
use crate::model::health::sickness;
use crate::model::served::Served;
use crate::model::world::{Deployment, Service, World};
use crate::ops::running;
use crate::plan::{Survey, native, pair_of, serving, standing};
use crate::record::{End, Record};
use crate::route::native::traffic;

/// What serves, both sides and the record.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Status {
    #[serde(flatten)]
    pub(super) location: Location,
    /// Both services of a pair, or the one.
    pub(super) services: Vec<Side>,
    /// Who has the traffic: of each rule, or of a service that no rule tells of.
    pub(super) serves: Vec<Served>,
    /// Since when one revision has all of it, as far as it is known: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<String>,
    /// How long that is.
    #[serde(skip)]
    pub(super) age: Option<Duration>,
    /// Why load balancers could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_balancers_unread: Option<String>,
    /// What ECS is doing, where it shifts the traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_deployment: Option<ServiceDeploymentStatus>,
    /// The deployment that is in progress, or else the last one.
    pub(super) record: Option<RecordStatus>,
}

/// ECS's own deployment of the service, while it runs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServiceDeploymentStatus {
    /// The ARN of the service deployment.
    pub(super) arn: String,
    /// `web:43`
    pub(super) revision: Option<String>,
    /// ECS's `status`.
    pub(super) status: String,
    /// ECS's `lifecycleStage`.
    pub(super) stage: Option<String>,
    /// The new revision's share of the traffic in percent.
    pub(super) production: Option<f64>,
    /// The ids of the pause hooks that wait for `ecs-bg promote`.
    pub(super) waiting: Vec<String>,
    /// The same in words.
    pub(super) what: String,
}

fn service_deployment(survey: &Survey, again: &str) -> Option<ServiceDeploymentStatus> {
    let own = native::running(survey)?;
    let revision = own.revision.as_deref().map(short);
    let stage = own.stage.as_deref().map_or(String::new(), |stage| format!(" at {stage}"));
    let share = own.production.map_or(String::new(), |share| format!(", {share} % of the traffic"));
    let waiting: Vec<String> = own.waiting_hooks().map(|hook| hook.id.clone()).collect();
    let judged = survey.open_record().and_then(Result::ok);
    let is_judged = judged.is_some_and(|record| record.gated_at(own.stage.as_deref()).is_some());
    let pause = match waiting[..] {
        [] => String::new(),
        [..] if is_judged => "; it waits for the checks that judge it".to_owned(),
        [..] => format!(
            "; paused, to go on: ecs-bg promote --cluster {} --service {}{again}",
            survey.cluster_name(),
            survey.service
        ),
    };
    let name = words::or_another(revision);
    Some(ServiceDeploymentStatus {
        arn: own.arn.clone(),
        revision: revision.map(str::to_owned),
        status: own.status.clone(),
        stage: own.stage.clone(),
        production: own.production,
        waiting,
        what: format!("{name}: {}{stage}{share}{pause}", own.status),
    })
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Side {
    /// Its name.
    pub(super) name: String,
    /// ECS's word: `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub(super) status: String,
    /// The revision that the service is on: `web:43`.
    pub(super) revision: String,
    /// That revision's containers.
    pub(super) containers: Vec<ContainerImage>,
    /// Its `desiredCount`.
    pub(super) desired: u32,
    /// Its `runningCount`, of all revisions.
    pub(super) running: u32,
    /// Its `pendingCount`, of all revisions.
    pub(super) pending: u32,
    /// The tasks of each revision, while there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) revisions: Vec<RevisionTasks>,
    /// Its target groups.
    pub(super) groups: Vec<GroupStatus>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RevisionTasks {
    /// `web:43`
    pub(super) revision: String,
    /// ECS's word for the deployment: `PRIMARY` is what ECS works towards, `ACTIVE` is what it replaces.
    pub(super) status: String,
    /// Tasks that ECS wants of it.
    pub(super) desired: u32,
    /// Tasks that run.
    pub(super) running: u32,
    /// Tasks that start.
    pub(super) pending: u32,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ContainerImage {
    /// The container's name.
    pub(super) name: String,
    /// Its image.
    pub(super) image: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct GroupStatus {
    /// Its name.
    pub(super) name: String,
    /// How many targets are in which state.
    pub(super) targets: BTreeMap<String, usize>,
    /// They could not be read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unread: bool,
    /// Why those that are not healthy are not.
    pub(super) why: Vec<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RecordStatus {
    /// `web:43`
    pub(super) deployment: String,
    /// It is in progress.
    pub(super) open: bool,
    /// The service that served when it began.
    pub(super) blue: String,
    /// The service that starts the new revision.
    pub(super) green: String,
    /// `forward` or `back`.
    pub(super) heading: &'static str,
    /// The first step that does not hold.
    pub(super) step: Option<&'static str>,
    /// The share of the traffic in percent that was held last.
    pub(super) share: Option<u8>,
    /// How it ended, where it did.
    pub(super) outcome: Option<&'static str>,
    /// The service of the old side, where that keeps running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<String>,
    /// When it began: RFC 3339.
    pub(super) started: String,
    /// Which process drives it, or did.
    pub(super) owner: String,
    /// When it last said so.
    pub(super) seen: String,
    /// Who drove it last: the URL of a CI run, or user@host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    /// The same in words.
    pub(super) what: String,
    /// The same for a row: without times, services and processes.
    #[serde(skip)]
    pub(super) brief: String,
}

/// `again`: options that a command needs to mean the same AWS.
pub(super) fn status(survey: &Survey, again: &str) -> Status {
    let world = &survey.world;
    let named = [Some(survey.service.as_str()), survey.twin.as_deref()];
    let services = named.into_iter().flatten().filter_map(|name| world.service(name));
    let serves = serves(survey, services.clone());
    let since = since(survey, &serves);
    Status {
        location: survey.location(),
        since: since.map(|since| humantime::format_rfc3339_seconds(since).to_string()),
        age: since.map(|since| world.at.duration_since(since).unwrap_or_default()),
        services: services.clone().map(|service| side(survey, world, service)).collect(),
        serves,
        load_balancers_unread: survey
            .blind
            .clone()
            .or_else(|| survey.rules_unread.as_ref().map(|failure| failure.message.clone())),
        service_deployment: service_deployment(survey, again),
        record: record(survey, services, again),
    }
}

/// Who has the traffic: of each rule, or of a service that no rule tells of.
fn serves<'a>(survey: &Survey, services: impl Iterator<Item = &'a Service>) -> Vec<Served> {
    let world = &survey.world;
    match pair_of(survey) {
        Some((services, pairs)) => serving(world, &pairs, services),
        None => services
            .flat_map(|service| match service.is_advanced() {
                true => traffic(world, service),
                false => {
                    // Nothing reaches it through a target group that is gone.
                    let mut groups = service.groups();
                    let is_reached =
                        survey.blind.is_some() || groups.all(|arn| world.groups.contains_key(arn));
                    let running = Some(running(service)).filter(|_| is_reached);
                    running.filter(|one| !one.percent.is_empty()).into_iter().collect()
                }
            })
            .collect(),
    }
}

/// Since when one revision has all the traffic, as ECS and the record of the last deployment say.
fn since(survey: &Survey, serves: &[Served]) -> Option<SystemTime> {
    let mut shares = serves.iter().flat_map(|served| &served.percent);
    let (name, percent) = shares.next()?;
    let is_alone = *percent >= 100.0 && shares.all(|(other, _)| other == name);
    let service = survey.world.service(name).or_else(|| survey.world.service(&survey.service))?;
    let [deployment] = &service.deployments[..] else { return None };
    let live = survey.last_record().and_then(|record| {
        let is_live = record.revision == service.revision && record.green == service.name;
        record.closed.filter(|closed| is_live && closed.end == End::Live).map(|closed| closed.at)
    });
    deployment.created.max(live).filter(|_| is_alone)
}

fn side(survey: &Survey, world: &World, service: &Service) -> Side {
    let revision = survey.revisions.get(&service.revision);
    let containers = revision.into_iter().flat_map(|revision| revision.containers.iter().cloned());
    let groups = service.groups().map(|arn| {
        let group = world.groups.get(arn);
        let targets = world.targets(arn).unwrap_or_default();
        let mut states = BTreeMap::new();
        for target in targets {
            *states.entry(target.state.clone()).or_insert(0) += 1;
        }
        let sick = targets
            .iter()
            .filter(|target| !matches!(target.state.as_str(), "healthy" | "draining"));
        GroupStatus {
            name: group.map_or(arn.clone(), |group| group.name.clone()),
            targets: states,
            unread: world.targets(arn).is_none(),
            why: sick.map(|target| words::sickness(&sickness(target, group))).collect(),
        }
    });
    Side {
        name: service.name.clone(),
        status: service.status.clone(),
        revision: short(&service.revision).to_owned(),
        containers: containers.map(|(name, image)| ContainerImage { name, image }).collect(),
        desired: service.desired,
        running: service.running,
        pending: service.pending,
        revisions: match &service.deployments[..] {
            [] | [_] => vec![],
            several => several.iter().map(tasks_of).collect(),
        },
        groups: groups.collect(),
    }
}

fn tasks_of(deployment: &Deployment) -> RevisionTasks {
    RevisionTasks {
        revision: short(&deployment.revision).to_owned(),
        status: deployment.status.clone(),
        desired: deployment.desired,
        running: deployment.running,
        pending: deployment.pending,
    }
}

/// The open record of the pair, or else one that somebody has overtaken, or how the last deployment ended.
fn record<'a>(
    survey: &Survey,
    mut services: impl Iterator<Item = &'a Service>,
    again: &str,
) -> Option<RecordStatus> {
    let open = survey.open_record().and_then(Result::ok);
    let (overtaken, by) = match survey.overtaken().into_iter().next().filter(|_| open.is_none()) {
        Some((record, by)) => (Some(record), Some(by)),
        None => (None, None),
    };
    let open = open.or(overtaken).or_else(|| survey.last_record()).or_else(|| {
        services.find_map(|service| {
            let revision =
                survey.revisions.get(&service.revision).filter(|_| service.desired > 0)?;
            survey.record_on(&revision.arn)
        })
    });
    let record = open?;
    let heading = if record.forward() { "forward" } else { "back" };
    let open = record.closed.is_none() && by.is_none();
    let step = open.then(|| standing(&record, &survey.world));
    let started = humantime::format_rfc3339_seconds(record.start).to_string();
    let route = record.route();
    let name = record.name();
    let brief = match (record.closed, step) {
        (Some(closed), _) => {
            let ago = survey.world.at.duration_since(closed.at).unwrap_or_default();
            let by =
                if record.by.is_empty() { String::new() } else { format!(", by {}", record.by) };
            format!("{name} {} {} ago{by}", words::end(closed.end), words::coarse(ago))
        }
        (None, Some(step)) => match pause(&record, survey) {
            Some((share, _)) => format!("{name} paused at {share} %"),
            None => {
                let heading = if record.forward() { "in progress" } else { "rolling back" };
                format!("{name} {heading}, at step {step}")
            }
        },
        (None, None) => format!("{name} replaced by another deployment"),
    };
    let what = match (record.closed, by) {
        (None, Some(by)) => {
            let by = words::cause(&by);
            format!("{name} {route}: {by} (begun {started})")
        }
        (Some(closed), _) => {
            let ended = humantime::format_rfc3339_seconds(closed.at);
            format!("{name} {route}: {} at {ended}", words::end(closed.end))
        }
        (None, None) => {
            let heading = if record.forward() { "in progress" } else { "rolling back" };
            let driven = driven(&record, survey.world.at);
            let at = match pause(&record, survey) {
                Some((share, until)) if record.judges.is_some() => format!(
                    "paused at {share} % of the traffic until {}",
                    humantime::format_rfc3339_seconds(until)
                ),
                Some((share, until)) => format!(
                    "paused at {share} % of the traffic until {}, to go on: ecs-bg promote --cluster {} --service {}{again}",
                    humantime::format_rfc3339_seconds(until),
                    survey.cluster_name(),
                    survey.service
                ),
                None => format!("{heading}, at step {}", step.unwrap_or("?")),
            };
            format!("{name} {route}: {at} (begun {started}); {driven}")
        }
    };
    let kept = survey.kept().filter(|kept| kept.id == record.id).map(|kept| kept.blue);
    let what = match &kept {
        Some(kept) => format!("{what}; {kept} is kept running since then"),
        None => what,
    };
    let by = Some(record.by.clone()).filter(|by| !by.is_empty());
    let what = match &by {
        Some(by) => format!("{what}; by {by}"),
        None => what,
    };
    Some(RecordStatus {
        deployment: record.name().to_owned(),
        open,
        heading,
        step,
        share: record.held.map(|held| held.share),
        outcome: match open {
            true => None,
            false => Some(record.closed.map_or("superseded", |closed| closed.end.code())),
        },
        kept,
        started,
        owner: record.owner.clone(),
        seen: humantime::format_rfc3339_seconds(record.seen).to_string(),
        by,
        what,
        brief,
        blue: record.blue,
        green: record.green,
    })
}

/// The share of the traffic at which somebody is to promote it, and until when.
fn pause(record: &Record, survey: &Survey) -> Option<(u8, SystemTime)> {
    let held = record.held.filter(|held| record.forward() && record.to == Some(held.share))?;
    let share = record.shares.iter().find(|share| share.percent == held.share)?;
    let until = held.since.checked_add(share.hold)?;
    let waits = share.pause && record.promoted != Some(held.share) && until > survey.world.at;
    waits.then_some((held.share, until))
}

/// Which process drives it, or that none does any more.
fn driven(record: &Record, now: SystemTime) -> String {
    let silent = Duration::from_secs(record.silent_for(now).as_secs());
    let ago = words::time(silent);
    match record.is_abandoned(now) {
        true => format!("no process drives it, last heartbeat {ago} ago"),
        false => format!("process {} drives it, last heartbeat {ago} ago", record.owner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema;

    /// The document, or a line of it.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "its schema is what matters")]
    struct Line {
        /// `status`, where several services are a line each.
        #[serde(skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        #[serde(flatten)]
        document: Status,
    }

    #[test]
    fn the_schema_of_a_status_is_that_of_the_types() {
        schema::of_command::<Line>("status");
    }
}
