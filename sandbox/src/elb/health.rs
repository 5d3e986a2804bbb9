//! The health of targets (Application Load Balancers User Guide, "Health checks for target groups"):
//! a target of a group that no action names is `unused`; else it is `initial` until one check passes or
//! enough of them fail. Network load balancers (their guide, "Health checks") take longer to begin, and
//! can let an unhealthy target drain first. Also how a deregistered target drains. What a target replies is in
//! `network`.

use std::time::Duration;

use serde_json::Value;

use crate::{
    image::Reply,
    journal::Change,
    network,
    protocol::{json::int, query},
    state::{
        Here, Region,
        elb::{Group, Health, Target},
        timers::Due,
    },
};

impl Health {
    fn new(state: &str, reason: &str, description: impl Into<String>) -> Health {
        Health {
            state: state.to_owned(),
            reason: reason.to_owned(),
            description: description.into(),
        }
    }
}

/// Registers a target, anew if it is there.
pub(crate) fn register(here: &mut Here<'_>, group: &str, id: &str, port: i64, zone: &str) {
    here.region.elb.registrations += 1;
    let registration = here.region.elb.registrations;
    let key = format!("{id}:{port}");
    let since = here.now();
    let Some(found) = here.region.elb.groups.get_mut(group) else { return };
    let standing = found.targets.get(&key).is_some_and(|old| old.health.state != "draining");
    if standing {
        return;
    }
    let health = Health::new("", "", "");
    let target = Target {
        id: id.to_owned(),
        port,
        zone: zone.to_owned(),
        registration,
        good: 0,
        bad: 0,
        health,
        since,
    };
    found.targets.insert(key.clone(), target);
    begin(here, group, &key);
}

/// The state of a target that was never checked; the checks begin if its group is in use.
fn begin(here: &mut Here<'_>, group: &str, key: &str) {
    let Some(registration) = here
        .region
        .elb
        .groups
        .get(group)
        .and_then(|found| found.targets.get(key))
        .map(|target| target.registration)
    else {
        return;
    };
    match unused(here.region, group, key) {
        Some(health) => become_(here, group, key, health),
        None => {
            become_(
                here,
                group,
                key,
                Health::new(
                    "initial",
                    "Elb.RegistrationInProgress",
                    "Target registration is in progress",
                ),
            );
            let timing = &here.shared.timing;
            let wait = match of_network(here.region, group) {
                true => timing.network_first_check,
                false => timing.first_check,
            };
            here.later(
                wait,
                Due::Check { group: group.to_owned(), target: key.to_owned(), registration },
            );
        }
    }
}

/// Zones of a load balancer came or went: targets in them are used from now on, or no longer.
pub(super) fn zones_changed(here: &mut Here<'_>, group: &str) {
    let Some(found) = here.region.elb.groups.get(group) else { return };
    let moved = found.targets.iter().filter(|(key, target)| {
        target.health.state != "draining"
            && unused(here.region, group, key).is_some() != (target.health.state == "unused")
    });
    let moved: Vec<String> = moved.map(|(key, _)| key.clone()).collect();
    for key in moved {
        begin(here, group, &key);
    }
}

/// Whether a network load balancer checks this group's targets.
fn of_network(region: &Region, group: &str) -> bool {
    let group = region.elb.groups.get(group);
    let balancers = group.into_iter().flat_map(|group| &group.load_balancers);
    balancers.filter_map(|arn| region.elb.load_balancers.get(arn)).any(|one| one.kind == "network")
}

/// Why a target gets no traffic and no checks, if it does not.
fn unused(region: &Region, group: &str, key: &str) -> Option<Health> {
    let group = region.elb.groups.get(group)?;
    let target = group.targets.get(key)?;
    let not_in_use =
        |description: &str| Some(Health::new("unused", "Target.NotInUse", description));
    let Some(load_balancer) =
        group.load_balancers.first().and_then(|arn| region.elb.load_balancers.get(arn))
    else {
        return not_in_use(
            "Target group is not configured to receive traffic from the load balancer",
        );
    };
    if load_balancer.zones.iter().any(|(zone, _)| *zone == target.zone) || target.zone == "all" {
        None
    } else {
        not_in_use("Target is in an Availability Zone that is not enabled for the load balancer")
    }
}

/// Takes a target out; tells how long it drains.
pub(crate) fn deregister(here: &mut Here<'_>, group: &str, id: &str, port: i64) -> Duration {
    let key = format!("{id}:{port}");
    let Some(found) = here.region.elb.groups.get(group) else { return Duration::ZERO };
    let Some(target) = found.targets.get(&key).filter(|target| target.health.state != "draining")
    else {
        return Duration::ZERO;
    };
    let delay = found
        .attributes
        .get("deregistration_delay.timeout_seconds")
        .and_then(|delay| delay.parse().ok());
    let delay = Duration::from_secs(delay.unwrap_or(300));
    let registration = target.registration;
    if target.health.state == "unused" || delay.is_zero() {
        gone(here, group, &key);
        return Duration::ZERO;
    }
    become_(
        here,
        group,
        &key,
        Health::new(
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        ),
    );
    here.later(delay, Due::Drained { group: group.to_owned(), target: key, registration });
    delay
}

/// A target has drained: after its deregistration, or because it is unhealthy.
pub(crate) fn drained(here: &mut Here<'_>, group: &str, key: &str, registration: u64) {
    let now = here.now();
    let interval = here.region.elb.groups.get(group).map(unhealthy_draining).unwrap_or_default();
    let Some(target) = current(here, group, key, registration) else { return };
    match target.health.state.as_str() {
        "draining" => gone(here, group, key),
        // It may have been healthy again since.
        DRAINING_SICK if now - target.since >= interval => {
            let health = Health { state: "unhealthy".into(), ..target.health.clone() };
            become_(here, group, key, health);
        }
        _ => {}
    }
}

/// A target that gets no new connections because it is unhealthy, and keeps those that it has.
const DRAINING_SICK: &str = "unhealthy.draining";

/// How long an unhealthy target of a network load balancer keeps its connections.
fn unhealthy_draining(group: &Group) -> Duration {
    let attribute = |name: &str| {
        group.attributes.get(&format!("target_health_state.unhealthy.{name}")).map(String::as_str)
    };
    let seconds = attribute("draining_interval_seconds").and_then(|text| text.parse().ok());
    match attribute("connection_termination.enabled") {
        Some("false") => Duration::from_secs(seconds.unwrap_or(0)),
        _ => Duration::ZERO,
    }
}

fn gone(here: &mut Here<'_>, group: &str, key: &str) {
    let removed = here.region.elb.groups.get_mut(group).and_then(|found| found.targets.remove(key));
    if let Some(target) = removed {
        let (group, target_key, from) = (group.to_owned(), key.to_owned(), target.health.state);
        here.note(Change::Target {
            group,
            target: target_key,
            from,
            to: String::new(),
            reason: None,
        });
    }
}

fn current<'h>(
    here: &'h mut Here<'_>,
    group: &str,
    key: &str,
    registration: u64,
) -> Option<&'h mut Target> {
    let target = here.region.elb.groups.get_mut(group)?.targets.get_mut(key)?;
    (target.registration == registration).then_some(target)
}

/// A group came into use or out of it.
pub(super) fn usage_changed(here: &mut Here<'_>, group: &str) {
    let keys: Vec<String> = here
        .region
        .elb
        .groups
        .get(group)
        .map(|found| found.targets.keys().cloned().collect())
        .unwrap_or_default();
    for key in keys {
        here.region.elb.registrations += 1;
        let registration = here.region.elb.registrations;
        let target =
            here.region.elb.groups.get_mut(group).and_then(|found| found.targets.get_mut(&key));
        if let Some(target) = target.filter(|target| target.health.state != "draining") {
            target.registration = registration;
            (target.good, target.bad) = (0, 0);
            begin(here, group, &key);
        }
    }
}

/// A health check.
pub(crate) fn check(here: &mut Here<'_>, group: &str, key: &str, registration: u64) {
    let now = here.now();
    let Some(found) = here.region.elb.groups.get(group) else { return };
    let Some(target) = found.targets.get(key).filter(|target| target.registration == registration)
    else {
        return;
    };
    if !["initial", "healthy", "unhealthy", DRAINING_SICK].contains(&target.health.state.as_str()) {
        return;
    }
    let number = |member: &str, default: u32| {
        int(found.members.get(member)).and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
    };
    let (interval, good, bad) = (
        number("HealthCheckIntervalSeconds", 30),
        number("HealthyThresholdCount", 5),
        number("UnhealthyThresholdCount", 2),
    );
    let port = int(found.members.get("HealthCheckPort")).unwrap_or(target.port);
    let network = of_network(here.region, group);
    let problem = problem(found, network::reply(here.region, &target.id, port, now), network);
    let draining = if network { unhealthy_draining(found) } else { Duration::ZERO };
    let Some(target) = current(here, group, key, registration) else { return };
    match problem {
        None => (target.good, target.bad) = (target.good + 1, 0),
        Some(_) => (target.good, target.bad) = (0, target.bad + 1),
    }
    let next = match (target.health.state.as_str(), problem) {
        ("initial", None) => Some(Health::new("healthy", "", "")),
        ("unhealthy" | DRAINING_SICK, None) if target.good >= good => {
            Some(Health::new("healthy", "", ""))
        }
        ("healthy", Some(problem)) if target.bad >= bad && !draining.is_zero() => {
            Some(Health { state: DRAINING_SICK.into(), ..problem })
        }
        ("initial" | "healthy", Some(problem)) if target.bad >= bad => Some(problem),
        ("unhealthy", Some(problem)) => Some(problem),
        ("initial", Some(_)) => Some(Health::new(
            "initial",
            "Elb.InitialHealthChecking",
            "Initial health checks in progress",
        )),
        _ => None,
    };
    if let Some(next) = next {
        if next.state == DRAINING_SICK {
            let (group, target) = (group.to_owned(), key.to_owned());
            here.later(draining, Due::Drained { group, target, registration });
        }
        become_(here, group, key, next);
    }
    let due = Due::Check { group: group.to_owned(), target: key.to_owned(), registration };
    here.later(Duration::from_secs(u64::from(interval)), due);
}

/// What is wrong with a reply, in the group's eyes. Network load balancers know one reason only (API
/// reference, TargetHealth).
fn problem(group: &Group, reply: Reply, network: bool) -> Option<Health> {
    let http = query::required(&group.members, "HealthCheckProtocol").starts_with("HTTP");
    let matcher = |kind: &str| {
        group.members.get("Matcher").and_then(|matcher| matcher.get(kind)).and_then(Value::as_str)
    };
    // What serves answers a gRPC check with a code that is wanted, what is sick with its own.
    let good = |status: u16| match matcher("GrpcCode") {
        Some(code) => status == 200 || matches(code, status),
        None => matches(matcher("HttpCode").unwrap_or("200"), status),
    };
    let failed = Health::new("unhealthy", "Target.FailedHealthChecks", "Health checks failed");
    match reply {
        Reply::Status(status) if !http || good(status) => None,
        _ if network => Some(failed),
        Reply::Status(status) => Some(Health::new(
            "unhealthy",
            "Target.ResponseCodeMismatch",
            format!("Health checks failed with these codes: [{status}]"),
        )),
        Reply::Timeout => Some(Health::new("unhealthy", "Target.Timeout", "Request timed out")),
        Reply::Refused => Some(failed),
    }
}

/// Whether a status is in `200,202` or `200-299`.
fn matches(matcher: &str, status: u16) -> bool {
    matcher.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        number(first)
            .zip(number(last))
            .is_some_and(|(first, last)| (first..=last).contains(&status))
    })
}

fn become_(here: &mut Here<'_>, group: &str, key: &str, health: Health) {
    let now = here.now();
    let Some(target) =
        here.region.elb.groups.get_mut(group).and_then(|found| found.targets.get_mut(key))
    else {
        return;
    };
    if target.health == health {
        return;
    }
    let (id, port) = (target.id.clone(), target.port);
    let from = std::mem::replace(&mut target.health, health.clone()).state;
    let reason = (!health.reason.is_empty()).then_some(health.reason);
    let changed = from != health.state;
    if changed {
        target.since = now;
    }
    here.note(Change::Target {
        group: group.to_owned(),
        target: key.to_owned(),
        from,
        to: health.state,
        reason,
    });
    if changed {
        network::target_changed(here, &id, port);
    }
}
