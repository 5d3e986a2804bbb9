//! Target groups, zones, and what load balancers do.

use super::Exam;
use crate::event::Fact;
use crate::model::world::Group;
use std::collections::BTreeSet;
use std::time::Duration;

/// Tasks with an address of their own are targets by IP, others by instance (Developer Guide, "Use load
/// balancing to distribute Amazon ECS service traffic").
pub(super) fn target_type(exam: &Exam<'_>) -> Vec<Fact> {
    let mode = exam.network_mode();
    let fits = |group: &&Group| match group.target_type.as_str() {
        "ip" => mode == "awsvpc",
        "instance" => mode != "awsvpc",
        "" => true,
        _ => false,
    };
    if exam.definition.is_null() {
        return vec![];
    }
    let wrong = exam.groups().filter(|group| !fits(group)).map(|group| Fact::TargetType {
        group: group.name.clone(),
        target_type: group.target_type.clone(),
        revision: exam.revision(),
        network_mode: mode.to_owned(),
    });
    wrong.collect()
}

/// A target in a zone that is not enabled gets no requests (API reference of TargetHealth).
pub(super) fn zone(exam: &Exam<'_>) -> Vec<Fact> {
    let groups: BTreeSet<&String> = exam.groups().flat_map(|group| &group.load_balancers).collect();
    let enabled = groups.into_iter().filter_map(|arn| Some((arn, exam.more.zones.get(arn)?)));
    let wrong = enabled.flat_map(|(load_balancer, zones)| {
        let outside = exam.more.subnets.iter().filter(|subnet| !zones.contains(&subnet.zone));
        outside.map(|subnet| Fact::ZoneNotEnabled {
            service: exam.service(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            load_balancer: load_balancer.clone(),
            enabled: zones.iter().cloned().collect(),
        })
    });
    wrong.collect()
}

/// Clients with a cookie stay where they are: weights move the others only.
pub(super) fn stickiness(exam: &Exam<'_>) -> Vec<Fact> {
    // For a pair this is a check.
    if !exam.engine.second_set || exam.engine.twin.is_some() {
        return vec![];
    }
    let sticky = exam.groups().filter_map(|group| {
        let attributes = group.attributes.as_ref()?;
        let is_on = attributes.get("stickiness.enabled").is_some_and(|value| value == "true");
        let duration = attributes.get("stickiness.lb_cookie.duration_seconds");
        is_on.then(|| Fact::Sticky {
            group: group.name.clone(),
            duration_seconds: duration.and_then(|seconds| seconds.parse().ok()),
        })
    });
    sticky.collect()
}

/// A port of its own for health checks has to be one of the task's.
pub(super) fn check_port(exam: &Exam<'_>) -> Vec<Fact> {
    if exam.network_mode() != "awsvpc" {
        return vec![];
    }
    let ports = exam.containers().flat_map(|(_, one)| one["portMappings"].as_array());
    let ports: Vec<u64> = ports.flatten().filter_map(|one| one["containerPort"].as_u64()).collect();
    let has = |port: &str| port.parse().is_ok_and(|port: u64| ports.contains(&port));
    let own = |group: &&Group| group.check.port.chars().all(|char| char.is_ascii_digit());
    let wrong = exam.groups().filter(own).filter(|group| !has(&group.check.port));
    wrong
        .map(|group| Fact::CheckPort {
            group: group.name.clone(),
            arn: group.arn.clone(),
            port: group.check.port.clone(),
            revision: exam.revision(),
        })
        .collect()
}

/// A redirect to a login page or to HTTPS says nothing of the application behind it.
pub(super) fn redirect(exam: &Exam<'_>) -> Vec<Fact> {
    let takes = |group: &&Group| {
        !group.check.grpc
            && group.check.matcher.split(',').any(|part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let number = |text: &str| text.trim().parse::<u16>().ok();
                matches!((number(first), number(last)), (Some(first), Some(last)) if first < 400 && last >= 300)
            })
    };
    exam.groups()
        .filter(takes)
        .map(|group| Fact::RedirectIsHealthy {
            group: group.name.clone(),
            arn: group.arn.clone(),
            path: group.check.path.clone(),
            matcher: group.check.matcher.clone(),
        })
        .collect()
}

/// How long the load balancer keeps sending what is on its way to a target that leaves (API reference of
/// TargetGroupAttribute: 0 to 3600 seconds, 300 unless set).
pub(super) fn drain(group: &Group) -> Option<Duration> {
    let seconds = group.attributes.as_ref()?.get("deregistration_delay.timeout_seconds")?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

pub(super) fn no_drain(exam: &Exam<'_>) -> Vec<Fact> {
    let cut = exam.groups().filter(|group| drain(group) == Some(Duration::ZERO));
    cut.map(|group| Fact::NoDrain { group: group.name.clone(), arn: group.arn.clone() }).collect()
}

/// Old tasks stop only after the delay.
const LONG_DRAIN: Duration = Duration::from_secs(120);

pub(super) fn long_drain(exam: &Exam<'_>) -> Vec<Fact> {
    let slow = exam.groups().filter_map(|group| Some((group, drain(group)?)));
    slow.filter(|(_, delay)| *delay > LONG_DRAIN)
        .map(|(group, delay)| Fact::LongDrain {
            group: group.name.clone(),
            arn: group.arn.clone(),
            delay,
        })
        .collect()
}

/// `stopTimeout` unless it is set (API reference of ContainerDefinition).
const STOP: Duration = Duration::from_secs(30);

/// Where ECS does not drain first, a container has only `stopTimeout` for the requests that it still answers
/// (Developer Guide, "Best practices for load balancer parameters").
pub(super) fn short_stop(exam: &Exam<'_>) -> Vec<Fact> {
    let slowest = exam.groups().filter_map(|group| Some((drain(group)?, group)));
    let Some((delay, group)) = slowest.max_by_key(|(delay, _)| *delay) else { return vec![] };
    // No stopTimeout is longer; `slow-draining` says that the delay is long.
    if delay > LONG_DRAIN {
        return vec![];
    }
    let serving: BTreeSet<&str> =
        exam.live.attachments.iter().map(|own| own.container.as_str()).collect();
    let short = exam.containers().filter(|(name, _)| serving.contains(name.as_str()));
    let short = short.filter_map(|(container, one)| {
        let stop = one["stopTimeout"].as_u64().map_or(STOP, Duration::from_secs);
        (stop < delay).then(|| Fact::ShortStop {
            container,
            revision: exam.revision(),
            stop,
            group: group.name.clone(),
            delay,
        })
    });
    short.collect()
}

/// Without a grace period ECS stops a task as soon as its target is unhealthy. One that ends before that changes
/// nothing.
pub(super) fn no_grace(exam: &Exam<'_>) -> Vec<Fact> {
    let grace = exam.live.grace;
    let slowest = exam.groups().map(|group| (group.check.interval * group.check.unhealthy, group));
    match slowest.min_by_key(|(time, _)| *time) {
        Some((unhealthy_after, group)) if grace.is_zero() || grace < unhealthy_after => {
            vec![Fact::NoGrace {
                service: exam.service(),
                group: group.name.clone(),
                unhealthy_after,
                grace,
            }]
        }
        _ => vec![],
    }
}
