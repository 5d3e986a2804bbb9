//! What is worth telling about an end or a state: data for both formats.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::engine::Finished;
use crate::event::Ended;
use crate::health::{explain, is_telling, plain};
use crate::plan::{Served, Survey, pair_of, serving, standing};
use crate::record::{Engine, Heading, Reason, Record, WaitFor};
use crate::revision::short;
use crate::route::{Outcome, View};
use crate::world::{Service, World};

/// Lines of a service's history that a report shows.
const EVENTS: usize = 6;
/// Failed tasks that a report shows.
const FAILURES: usize = 10;

/// The end of a deployment.
pub fn ended(
    finished: &Finished,
    cluster: &str,
    service: &str,
    api_calls: BTreeMap<String, u32>,
) -> Ended {
    let Finished { outcome, record, recorded, world, watch, interrupted } = finished;
    let name = record.name();
    let view = View { record, watch, world };
    let status = format!("ecs-bg status --cluster {cluster} --service {service}");
    let (what, why, hint) = match outcome {
        Outcome::Live if record.until == WaitFor::Accepted => {
            let what = format!("ECS was told to run {name} in {}, nobody watches", record.green);
            (what, None, Some(status))
        }
        Outcome::Live => (format!("{name} is live in {}", record.green), None, None),
        Outcome::WentBack(trouble) => {
            let why = trouble.as_ref().map(ToString::to_string).or_else(|| match record.heading {
                Heading::Back(Reason::Asked) => Some("that was asked for".to_owned()),
                Heading::Back(reason) => {
                    Some(format!("turned back by an earlier run ({})", reason.code()))
                }
                Heading::Forward => None,
            });
            let what = format!(
                "{name} was withdrawn, {} serves in {}",
                serves(record, world),
                record.blue
            );
            (what, why, Some(status))
        }
        Outcome::Left(trouble) => {
            let what = format!("{name} is no good, and was left in {}", record.green);
            (what, Some(trouble.to_string()), Some(status))
        }
        Outcome::Stuck(why) => {
            let what = format!("{name} is neither live nor withdrawn: a person must look");
            (what, Some(why.clone()), Some(status))
        }
        Outcome::Drifted(why) => {
            let what = format!("{name} is neither live nor withdrawn: a person must look");
            let why = match record.forward() && *recorded {
                true => format!("{why}; `ecs-bg rollback` turns back instead"),
                false => why.clone(),
            };
            (what, Some(why), Some(status))
        }
        Outcome::Stopped => {
            let what = format!(
                "{name} was left where it was, going {}",
                if record.forward() { "forward" } else { "back" }
            );
            (what, None, Some(status))
        }
        Outcome::Superseded(by) => {
            (format!("{name} is superseded, nothing more is done"), Some(by.clone()), Some(status))
        }
    };
    // Without a record all that another process finds are the weights.
    let lost = !recorded && record.engine() == Engine::Listener;
    let verb = |verb: &str| format!("ecs-bg {verb} --cluster {cluster} --service {service}");
    let hint = hint.map(|status| match outcome {
        Outcome::Left(_) | Outcome::Stuck(_) | Outcome::Drifted(_) | Outcome::Stopped if lost => {
            format!("{} --to {}", verb("rollback"), record.blue)
        }
        Outcome::Left(_) => verb("rollback"),
        // Only who knows the command of --before can go on.
        Outcome::Stuck(_) if record.forward() && record.is_preparing() => verb("rollback"),
        Outcome::Stuck(_) | Outcome::Stopped => verb("resume"),
        Outcome::Drifted(_) => verb("resume") + " --accept-drift",
        _ => status,
    });
    let good = *outcome == Outcome::Live;
    let services = [&record.blue, &record.green].map(|name| world.service(name));
    let failures = watch.failures.iter().take(FAILURES);
    Ended {
        outcome: outcome.code().to_owned(),
        exit_code: outcome.exit_code(),
        interrupted: *interrupted,
        deployment: Some(name.to_owned()),
        what,
        why,
        failures: failures
            .map(|failure| format!("task {}: {}", failure.task, failure.what))
            .collect(),
        logs: vec![],
        service_events: match world.service(&record.green) {
            Some(green) if !good => recent(green, record),
            _ => vec![],
        },
        serves: match (services, record.engine()) {
            ([Some(blue), Some(green)], Engine::Listener) => {
                serving(world, &view.pairs(), [blue, green])
            }
            ([Some(service), _], Engine::Rolling) => vec![running(service)],
            _ => vec![],
        },
        hint,
        api_calls,
    }
}

/// The revision that the old side is on. What ECS goes back to by itself is its own choice.
fn serves<'a>(record: &'a Record, world: &'a World) -> &'a str {
    let service = world.service(&record.blue).filter(|_| record.engine() == Engine::Rolling);
    short(service.map_or(&record.from, |service| &service.revision))
}

/// The revisions that the tasks of one service run.
fn running(service: &Service) -> Served {
    let mut running: BTreeMap<String, u32> = BTreeMap::new();
    for one in service.deployments.iter().filter(|one| one.running > 0) {
        *running.entry(short(&one.revision).to_owned()).or_default() += one.running;
    }
    let all = f64::from(running.values().sum::<u32>());
    let part = |count: u32| (f64::from(count) * 1000.0 / all).round() / 10.0;
    let percent = running.into_iter().map(|(name, count)| (name, part(count))).collect();
    Served { rule: service.name.clone(), percent }
}

/// What a service said since a deployment began and does not always say, oldest first.
fn recent(service: &Service, record: &Record) -> Vec<String> {
    let since = service.events.iter().filter(|event| event.at >= record.start);
    let telling = since.filter(|event| is_telling(&event.message));
    let mut events: Vec<String> = telling.take(EVENTS).map(|event| plain(&event.message)).collect();
    events.reverse();
    events
}

/// What serves, both sides and the record.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) cluster: String,
    pub(super) services: Vec<Side>,
    pub(super) serves: Vec<Served>,
    pub(super) record: Option<RecordStatus>,
}

#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) name: String,
    pub(super) revision: String,
    pub(super) containers: Vec<ContainerImage>,
    pub(super) desired: u32,
    pub(super) running: u32,
    pub(super) pending: u32,
    pub(super) groups: Vec<GroupStatus>,
}

#[derive(Debug, Serialize)]
pub(super) struct ContainerImage {
    pub(super) name: String,
    pub(super) image: String,
}

#[derive(Debug, Serialize)]
pub(super) struct GroupStatus {
    pub(super) name: String,
    /// How many targets are in which state.
    pub(super) targets: BTreeMap<String, usize>,
    /// Why those that are not healthy are not.
    pub(super) why: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct RecordStatus {
    pub(super) deployment: String,
    pub(super) open: bool,
    pub(super) blue: String,
    pub(super) green: String,
    pub(super) heading: &'static str,
    /// The first step that does not hold.
    pub(super) step: Option<&'static str>,
    pub(super) share: Option<u8>,
    pub(super) outcome: Option<&'static str>,
    pub(super) started: String,
    /// Which process drives it, or did.
    pub(super) owner: String,
    /// When it last said so.
    pub(super) seen: String,
    pub(super) what: String,
}

pub(super) fn status(survey: &Survey) -> Status {
    let world = &survey.world;
    let named = [Some(survey.service.as_str()), survey.twin.as_deref()];
    let services = named.into_iter().flatten().filter_map(|name| world.service(name));
    Status {
        cluster: survey.cluster_name().to_owned(),
        services: services.clone().map(|service| side(survey, world, service)).collect(),
        serves: match pair_of(survey) {
            Some((services, pairs)) => serving(world, &pairs, services),
            None => services.clone().map(running).collect(),
        },
        record: record(survey, services),
    }
}

fn side(survey: &Survey, world: &World, service: &Service) -> Side {
    let revision = survey.revisions.get(&service.revision);
    let containers = revision.into_iter().flat_map(|revision| revision.containers.iter().cloned());
    let groups = service.attachments.iter().map(|attachment| {
        let group = world.groups.get(&attachment.group);
        let targets = world.targets(&attachment.group).unwrap_or_default();
        let mut states = BTreeMap::new();
        for target in targets {
            *states.entry(target.state.clone()).or_insert(0) += 1;
        }
        let sick = targets
            .iter()
            .filter(|target| !matches!(target.state.as_str(), "healthy" | "draining"));
        GroupStatus {
            name: group.map_or(attachment.group.clone(), |group| group.name.clone()),
            targets: states,
            why: sick.map(|target| explain(target, group)).collect(),
        }
    });
    Side {
        name: service.name.clone(),
        revision: short(&service.revision).to_owned(),
        containers: containers.map(|(name, image)| ContainerImage { name, image }).collect(),
        desired: service.desired,
        running: service.running,
        pending: service.pending,
        groups: groups.collect(),
    }
}

/// The open record of the pair, or else one that somebody has overtaken, or the one on what serves.
fn record<'a>(
    survey: &Survey,
    mut services: impl Iterator<Item = &'a Service>,
) -> Option<RecordStatus> {
    let open = survey.open_record().and_then(Result::ok);
    let (overtaken, by) = match survey.overtaken().into_iter().next().filter(|_| open.is_none()) {
        Some((record, by)) => (Some(record), Some(by)),
        None => (None, None),
    };
    let open = open.or(overtaken).or_else(|| {
        services.find_map(|service| {
            let revision =
                survey.revisions.get(&service.revision).filter(|_| service.desired > 0)?;
            Record::from_tags(&revision.arn, &revision.tags)?.ok()
        })
    });
    let record = open?;
    let heading = if record.forward() { "forward" } else { "back" };
    let open = record.closed.is_none() && by.is_none();
    let step = open.then(|| standing(&record, &survey.world));
    let started = humantime::format_rfc3339_seconds(record.start).to_string();
    let what = match (record.closed, by) {
        (None, Some(by)) => {
            format!("{} {}, begun {started}: superseded, {by}", record.name(), record.route())
        }
        (Some(closed), _) => format!(
            "{} {} since {}",
            record.name(),
            closed.end.code(),
            humantime::format_rfc3339_seconds(closed.at)
        ),
        (None, None) => format!(
            "{} {}, begun {started}: heading {heading}, at {}; {}",
            record.name(),
            record.route(),
            step.unwrap_or("?"),
            driven(&record, survey.world.at)
        ),
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
        started,
        owner: record.owner.clone(),
        seen: humantime::format_rfc3339_seconds(record.seen).to_string(),
        what,
        blue: record.blue,
        green: record.green,
    })
}

/// Which process drives it, or that none does any more.
fn driven(record: &Record, now: SystemTime) -> String {
    let silent = Duration::from_secs(record.silent_for(now).as_secs());
    let ago = humantime::format_duration(silent);
    match record.is_abandoned(now) {
        true => format!("nobody drives it: process {} was seen {ago} ago", record.owner),
        false => format!("process {} drives it, seen {ago} ago", record.owner),
    }
}
