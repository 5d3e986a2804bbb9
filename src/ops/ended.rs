//! The report of a deployment that ended.

use std::collections::BTreeMap;

use super::last_words::last_words;
use crate::drive::interrupt::or_skipped;
use crate::drive::{Finished, Setting};
use crate::event::{
    AsBefore, Cause, Ended, Ending, Event, Failed, Hint, Kind, Nothing, Proof, Warning,
};
use crate::model::arn::short;
use crate::model::health::{is_telling, logged, plain};
use crate::model::served::Served;
use crate::model::world::{Service, World};
use crate::plan::serving;
use crate::record::{End, Heading, Reason, Record};
use crate::request::WaitFor;
use crate::route::native::{answers_nowhere, traffic};
use crate::route::{Outcome, View};

/// Lines of a service's history that a report shows.
const EVENTS: usize = 6;
/// Failed tasks that a report shows.
const FAILURES: usize = 10;

/// Says how it ended.
pub(super) async fn over(
    setting: &Setting<'_>,
    finished: &Finished,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    let ended = report(setting, finished, service, emit).await;
    end(setting, ended, emit)
}

pub(super) async fn report(
    setting: &Setting<'_>,
    finished: &Finished,
    service: &str,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    let logs = or_skipped(&setting.interrupts, last_words(setting, finished)).await;
    let logs = logs.unwrap_or(Ok(vec![])).unwrap_or_else(|failure| {
        setting.tell(emit, Kind::Warning(Warning::LogsUnreadable { failure }));
        vec![]
    });
    let ended = ended(finished, &setting.cluster, service, setting.aws.calls());
    let mut ended = Ended { logs, ..ended };
    if let Some(meaning) = ended.logs.iter().find_map(|line| logged(line)) {
        let failed = ended.failures.iter_mut().map(|one| &mut one.failure);
        let failed = failed.chain(ended.why.as_mut().and_then(Cause::task_mut));
        for one in failed.filter(|one| one.exit_code.is_some()) {
            one.meaning.get_or_insert(meaning);
        }
    }
    ended
}

/// Tells how it ended.
pub(super) fn end(setting: &Setting<'_>, ended: Ended, emit: &mut dyn FnMut(Event)) -> Ended {
    setting.tell(emit, Kind::Outcome(Box::new(ended.clone())));
    ended
}

/// Says that there is nothing to do.
pub(super) fn nothing(setting: &Setting<'_>, why: Nothing, emit: &mut dyn FnMut(Event)) -> Ended {
    let api_calls = setting.aws.calls();
    let ending = Ending::NothingToDo { nothing: why };
    end(setting, Ended { ending, api_calls, ..Ended::default() }, emit)
}

/// Says that a deployment is another's business now.
pub(super) fn superseded(
    setting: &Setting<'_>,
    name: &str,
    by: Cause,
    hint: Option<Hint>,
    emit: &mut dyn FnMut(Event),
) -> Ended {
    end(setting, superseded_by(setting, name, by, hint), emit)
}

pub(super) fn superseded_by(
    setting: &Setting<'_>,
    name: &str,
    by: Cause,
    hint: Option<Hint>,
) -> Ended {
    Ended {
        ending: Ending::Superseded { revision: name.to_owned() },
        exit_code: Outcome::Superseded(by.clone()).exit_code(),
        deployment: Some(name.to_owned()),
        why: Some(by),
        hint,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    }
}

/// The end of a deployment.
fn ended(
    finished: &Finished,
    cluster: &str,
    service: &str,
    api_calls: BTreeMap<String, u32>,
) -> Ended {
    let Finished { outcome, record, recorded, world, watch, interrupted, .. } = finished;
    let view = View { record, watch, world };
    let good = *outcome == Outcome::Live;
    let services = [&record.blue, &record.green].map(|name| world.service(name));
    let failures = watch.failures.iter().take(FAILURES);
    let failures = failures.map(|failure| Failed { old: None, failure: failure.clone() });
    let old = watch.old_failures.iter().filter(|_| !good && !record.forward()).take(FAILURES);
    let old = old.map(|failure| {
        let old = Some(short(&record.from).to_owned());
        Failed { old, failure: failure.clone() }
    });
    let dead = record.native.is_some() && answers_nowhere(&view).is_some();
    Ended {
        ending: ending(outcome, record, world, dead),
        exit_code: outcome.exit_code(),
        interrupted: *interrupted,
        deployment: Some(record.name().to_owned()),
        why: why(outcome, record, *recorded, cluster, service),
        failures: failures.chain(old).collect(),
        logs: vec![],
        service_events: match world.service(&record.green) {
            Some(green) if !good => recent(green, record),
            _ => vec![],
        },
        serves: match (services, record.twin()) {
            ([Some(blue), Some(green)], Some(_)) => serving(world, &view.pairs(), [blue, green]),
            ([_, Some(service)], None) => traffic(world, service),
            _ => vec![],
        },
        runs: match (services[0], record.twin()) {
            (Some(service), None) => running(service).percent,
            _ => BTreeMap::new(),
        },
        hint: match outcome {
            // The version before ran: it can be deployed again.
            Outcome::Stuck(_) if dead && record.forward() && record.closed.is_some() => {
                Some(Hint::new("rollback", cluster, service))
            }
            outcome => hint(outcome, record, *recorded, cluster, service),
        },
        undo: good.then(|| undo(record, *recorded, cluster, service)),
        api_calls,
    }
}

/// What became of it.
fn ending(outcome: &Outcome, record: &Record, world: &World, dead: bool) -> Ending {
    let revision = record.name().to_owned();
    let green = record.green.clone();
    match outcome {
        Outcome::Live if record.until == WaitFor::Accepted => {
            Ending::Accepted { revision, service: green }
        }
        Outcome::Live => {
            let wants_none = world.service(&green).is_some_and(|service| service.desired == 0);
            let proof = match record.until {
                _ if wants_none => Proof::NoTasks,
                WaitFor::Started | WaitFor::Running => Proof::Runs,
                _ if is_one_side(record, world) => Proof::OneSide,
                _ if is_unread(&record.green, world) => Proof::Unread,
                _ => Proof::Healthy,
            };
            let runs = world.service(&record.blue).is_some_and(|old| old.desired > 0);
            let kept = (record.twin().is_some() && runs).then(|| record.blue.clone());
            let was = short(&record.from).to_owned();
            let was = Some(was).filter(|was| *was != revision);
            Ending::Live { revision, service: green, proof, kept, was }
        }
        Outcome::WentBack(_) => Ending::RolledBack {
            revision,
            old: serves(record, world).to_owned(),
            service: record.blue.clone(),
            stopping: stopping(record, world),
            not_deployed: record.is_preparing(),
            as_before: as_before(record, world),
            no_tasks: world.service(&record.blue).is_some_and(|old| old.desired == 0),
            unread: is_unread(&record.blue, world),
        },
        Outcome::Left(_) => Ending::Left { revision, service: green },
        Outcome::Stuck(_) => match record.closed.map(|closed| closed.end) {
            Some(End::Live) => Ending::NotRolledBack {
                revision,
                service: green,
                old: short(&record.from).to_owned(),
                blue: record.blue.clone(),
            },
            Some(End::Neither) => neither(record),
            Some(_) if dead => neither(record),
            Some(_) => Ending::FewerTasks { revision: serves(record, world).to_owned() },
            None => Ending::Stuck { revision },
        },
        Outcome::Drifted(_) => Ending::Drifted { revision },
        Outcome::Stopped => Ending::Stopped { revision, rolling_back: !record.forward() },
        Outcome::Superseded(_) => Ending::Superseded { revision },
    }
}

fn neither(record: &Record) -> Ending {
    Ending::Neither {
        revision: record.name().to_owned(),
        old: short(&record.from).to_owned(),
        service: record.blue.clone(),
    }
}

/// Whether ECS replaced the tasks of one service of a pair: the other service may have the traffic.
fn is_one_side(record: &Record, world: &World) -> bool {
    let service = world.service(&record.green);
    record.twin().is_none()
        && service.is_some_and(|service| service.tags.contains_key("ecs-bg:twin"))
}

/// Tasks of the new revision that run on after a rollback, until ECS has stopped them.
fn stopping(record: &Record, world: &World) -> u32 {
    let green = world.service(&record.green).into_iter();
    let ours = green.flat_map(|service| &service.deployments);
    ours.filter(|one| one.revision == record.revision).map(|one| one.running + one.pending).sum()
}

/// Why it is not good.
fn why(
    outcome: &Outcome,
    record: &Record,
    recorded: bool,
    cluster: &str,
    service: &str,
) -> Option<Cause> {
    match outcome {
        Outcome::Live | Outcome::Stopped => None,
        Outcome::WentBack(Some(trouble)) | Outcome::Left(trouble) => Some(trouble.cause.clone()),
        Outcome::WentBack(None) => match record.heading {
            Heading::Back(Reason::Asked) => Some(Cause::Asked),
            Heading::Back(reason) => Some(Cause::EarlierRun { reason_code: reason.code() }),
            Heading::Forward | Heading::Overtaken => None,
        },
        Outcome::Stuck(cause) | Outcome::Superseded(cause) => Some(cause.clone()),
        Outcome::Drifted(sight) => {
            // The rules of one service are ECS's.
            let is_ours = record.twin().is_some() && !sight.is_beyond_weights();
            let back = (record.forward() && recorded && is_ours)
                .then(|| Box::new(Hint::new("rollback", cluster, service)));
            Some(Cause::Drift { sight: sight.clone(), back })
        }
    }
}

/// Whether nothing is known of a service's targets.
fn is_unread(service: &str, world: &World) -> bool {
    let mut groups = world.service(service).into_iter().flat_map(Service::groups).peekable();
    groups.peek().is_some() && groups.all(|group| world.targets(group).is_none())
}

/// What to do next.
fn hint(
    outcome: &Outcome,
    record: &Record,
    recorded: bool,
    cluster: &str,
    service: &str,
) -> Option<Hint> {
    let verb = |verb| Hint::new(verb, cluster, service);
    // Without a record all that another process finds are the weights.
    let lost = !recorded && record.twin().is_some();
    let is_judged = record.forward() && record.judges.is_some();
    Some(match outcome {
        Outcome::Live if record.until != WaitFor::Accepted => return None,
        // The side that serves on can be replaced by another version.
        Outcome::Stuck(_) if record.closed.is_some_and(|closed| closed.end == End::Live) => {
            verb("deploy")
        }
        Outcome::Left(_) | Outcome::Stuck(_) | Outcome::Drifted(_) | Outcome::Stopped if lost => {
            Hint { to: Some(record.blue.clone()), ..verb("rollback") }
        }
        Outcome::Left(_) => verb("rollback"),
        // Only who knows the command of --before can go on.
        Outcome::Stuck(_) if record.forward() && record.is_preparing() => verb("rollback"),
        Outcome::Stuck(_) if record.closed.is_some() => verb("status"),
        // Only who knows the checks that judge it can go on, too; anybody can go back.
        Outcome::Drifted(sight) if sight.is_beyond_weights() || record.twin().is_none() => {
            verb("status")
        }
        Outcome::Stopped if is_judged => verb("status"),
        // It takes the deployment over at once: this process has stopped.
        Outcome::Stopped if !record.forward() => verb("abort"),
        Outcome::Stuck(_) | Outcome::Drifted(_) if is_judged => {
            let is_first = record.had.is_some_and(|had| had.running == 0);
            verb(if is_first { "status" } else { "rollback" })
        }
        // A service deployment that ECS could not roll back stays as it is: another one is begun.
        Outcome::Stuck(Cause::EcsFailed { .. }) if record.native.is_some() => verb("rollback"),
        Outcome::Stuck(_) | Outcome::Stopped => verb("resume"),
        // Who asked for it knows why.
        Outcome::WentBack(_) if record.heading == Heading::Back(Reason::Asked) => return None,
        Outcome::WentBack(_) => verb("history"),
        Outcome::Drifted(_) => Hint { accept_drift: true, ..verb("resume") },
        _ => verb("status"),
    })
}

/// How to undo it: without a record the revision before must be named.
fn undo(record: &Record, recorded: bool, cluster: &str, service: &str) -> Hint {
    let is_named = recorded && record.until != WaitFor::Accepted;
    let to = (!is_named).then(|| short(&record.from).to_owned());
    Hint { to, ..Hint::new("rollback", cluster, service) }
}

/// What the old side has, where it had fewer tasks than it was to have before already.
fn as_before(record: &Record, world: &World) -> Option<AsBefore> {
    let (blue, had) = world.service(&record.blue).zip(record.had)?;
    let healthy = had.healthy.unwrap_or(had.running);
    let wanted = blue.desired;
    if blue.running >= wanted && healthy >= had.running {
        return None;
    }
    match world.healthy(blue).and_then(|now| u32::try_from(now).ok()) {
        Some(now) if now < wanted => Some(AsBefore::Targets { now, wanted }),
        _ if blue.running < wanted => Some(AsBefore::Tasks { now: blue.running, wanted }),
        _ => None,
    }
}

/// The revision that the old side is on. What ECS goes back to by itself is its own choice.
fn serves<'a>(record: &'a Record, world: &'a World) -> &'a str {
    let service = world.service(&record.blue).filter(|_| record.twin().is_none());
    short(service.map_or(&record.from, |service| &service.revision))
}

/// The revisions that the tasks of one service run.
pub fn running(service: &Service) -> Served {
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
