//! How a deployment ended: what is worth knowing about it.

use std::collections::BTreeMap;

use crate::drive::Finished;
use crate::event::Ended;
use crate::model::arn::short;
use crate::model::health::{is_telling, plain};
use crate::model::served::Served;
use crate::model::world::{Service, World};
use crate::plan::serving;
use crate::record::{End, Heading, Reason, Record};
use crate::request::{EngineName, WaitFor};
use crate::route::{Outcome, View};

/// Lines of a service's history that a report shows.
const EVENTS: usize = 6;
/// Failed tasks that a report shows.
const FAILURES: usize = 10;

/// The end of a deployment.
pub(super) fn ended(
    finished: &Finished,
    cluster: &str,
    service: &str,
    api_calls: BTreeMap<String, u32>,
) -> Ended {
    let Finished { outcome, record, recorded, world, watch, interrupted, .. } = finished;
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
                Heading::Forward | Heading::Overtaken => None,
            });
            let what = format!(
                "{name} was withdrawn, {} serves in {}{}",
                serves(record, world),
                record.blue,
                as_before(record, world)
            );
            (what, why, Some(status))
        }
        Outcome::Left(trouble) => {
            let what = format!("{name} is no good, and was left in {}", record.green);
            (what, Some(trouble.to_string()), Some(status))
        }
        Outcome::Stuck(why) if record.closed.is_some_and(|closed| closed.end == End::Neither) => {
            let what =
                format!("neither {name} nor {} serves in {}", short(&record.from), record.blue);
            (what, Some(why.clone()), Some(status))
        }
        Outcome::Stuck(why) if record.closed.is_some() => {
            let what = format!("{} serves with fewer tasks than planned", serves(record, world));
            (what, Some(why.clone()), Some(status))
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
    let lost = !recorded && record.engine() == EngineName::Listener;
    let verb = |verb: &str| format!("ecs-bg {verb} --cluster {cluster} --service {service}");
    let hint = hint.map(|status| match outcome {
        Outcome::Left(_) | Outcome::Stuck(_) | Outcome::Drifted(_) | Outcome::Stopped if lost => {
            format!("{} --to {}", verb("rollback"), record.blue)
        }
        Outcome::Left(_) => verb("rollback"),
        // Only who knows the command of --before can go on.
        Outcome::Stuck(_) if record.forward() && record.is_preparing() => verb("rollback"),
        Outcome::Stuck(_) if record.closed.is_some() => status,
        Outcome::Stuck(_) | Outcome::Stopped => verb("resume"),
        Outcome::Drifted(_) => verb("resume") + " --accept-drift",
        _ => status,
    });
    let good = *outcome == Outcome::Live;
    let services = [&record.blue, &record.green].map(|name| world.service(name));
    let failures = watch.failures.iter().take(FAILURES);
    let failures = failures.map(|failure| format!("task {}: {}", failure.task, failure.what));
    let old = watch.old_failures.iter().filter(|_| !good && !record.forward()).take(FAILURES);
    let old = old.map(|failure| {
        format!("task {} of {}: {}", failure.task, short(&record.from), failure.what)
    });
    Ended {
        outcome: outcome.code().to_owned(),
        exit_code: outcome.exit_code(),
        interrupted: *interrupted,
        deployment: Some(name.to_owned()),
        what,
        why,
        failures: failures.chain(old).collect(),
        logs: vec![],
        service_events: match world.service(&record.green) {
            Some(green) if !good => recent(green, record),
            _ => vec![],
        },
        serves: match (services, record.engine()) {
            ([Some(blue), Some(green)], EngineName::Listener) => {
                serving(world, &view.pairs(), [blue, green])
            }
            ([Some(service), _], EngineName::Rolling) => vec![running(service)],
            _ => vec![],
        },
        hint,
        api_calls,
    }
}

/// What the old side has, where it had fewer tasks than it was to have before already.
fn as_before(record: &Record, world: &World) -> String {
    let Some((blue, had)) = world.service(&record.blue).zip(record.had) else {
        return String::new();
    };
    let healthy = had.healthy.unwrap_or(had.running);
    if blue.running >= blue.desired && healthy >= had.running {
        return String::new();
    }
    match world.healthy(blue).and_then(|now| u32::try_from(now).ok()) {
        Some(now) if now < blue.desired => {
            format!(" as before: {now} of {} targets healthy", blue.desired)
        }
        _ if blue.running < blue.desired => {
            format!(" as before: {} of {} tasks", blue.running, blue.desired)
        }
        _ => String::new(),
    }
}

/// The revision that the old side is on. What ECS goes back to by itself is its own choice.
fn serves<'a>(record: &'a Record, world: &'a World) -> &'a str {
    let service = world.service(&record.blue).filter(|_| record.engine() == EngineName::Rolling);
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
