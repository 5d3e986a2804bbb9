//! The sentences: each fact in plain English. Decides nothing; replacing every sentence here changes no
//! decision, exit code or fact.

mod cause;
mod ecs_reason;
mod ending;
mod engine;
mod failure;
mod finding;
mod gate;
mod health;
mod plan;
mod record;
mod refusal;
mod wait;
mod warning;

use std::time::Duration;

pub(crate) use cause::cause;
pub(crate) use ending::{became, end, hint, nothing, outcome, reason};
pub(crate) use engine::{begun, planned};
pub(crate) use failure::{fault, fault_fix, what_lacks};
pub(crate) use finding::{fact, fix};
pub(crate) use gate::printed;
pub(crate) use health::{advice, sickness, task};
pub(crate) use plan::{engine_reason, step, with};
pub(crate) use refusal::{again, what as refused};
pub(crate) use wait::{reached, wait};
pub(crate) use warning::warning;

use crate::event::{Change, Quota, Scaling, StopReason};

/// What was changed.
pub(crate) fn change(change: &Change) -> String {
    match change {
        Change::Revision { service, revision, desired } => {
            format!("{service}: {} of {revision}", tasks(*desired))
        }
        Change::DesiredCount { service, desired } => {
            format!("{service}: desired count {desired}")
        }
        Change::Replacement {
            service,
            revision,
            desired,
            minimum_healthy_percent,
            maximum_percent,
            forced,
        } => {
            let numbers = [
                ("desired count", desired),
                ("minimumHealthyPercent", minimum_healthy_percent),
                ("maximumPercent", maximum_percent),
            ];
            let numbers = numbers.iter().filter_map(|(what, to)| to.map(|to| (what, to)));
            let more: String = numbers.map(|(what, to)| format!(", {what} {to}")).collect();
            match forced {
                true => format!("{service}: ECS starts new tasks of {revision}{more}"),
                false => format!("{service}: ECS replaces its tasks with {revision}{more}"),
            }
        }
        Change::Weights { rule, weights } => {
            let weights: Vec<String> =
                weights.iter().map(|one| format!("{} {}", one.group, one.weight)).collect();
            format!("{rule}: {}", weights.join(", "))
        }
        Change::BeforeStarted { task } => {
            format!("started task {} with the command of --before", brief(task))
        }
        Change::BeforeSucceeded => "the task of --before succeeded".to_owned(),
        Change::TasksStopped { tasks, why } => {
            format!("stopping {}: {}", ids(tasks), stop_reason(*why))
        }
        Change::TasksStarted { tasks, revision } => {
            format!("started {} of {revision}", ids(tasks))
        }
        Change::Shift { service, revision, reconfigured } => {
            let settings = if *reconfigured { ", with other deployment settings" } else { "" };
            format!("{service}: ECS deploys {revision} and shifts the traffic{settings}")
        }
        Change::SettingsRestored { service } => {
            format!("{service}: its deployment settings are as before")
        }
        Change::Scaling(scaling) => scaled(scaling),
        Change::DeploymentContinued { stage } => {
            format!("the checks let ECS go on from {stage}")
        }
        Change::DeploymentStopped { deployment } => {
            format!("asked ECS to roll back its deployment {deployment}")
        }
        Change::RoleCreated { role } => {
            format!("created role {role}, which trusts ecs.amazonaws.com")
        }
        Change::PolicyAttached { role, policy } => format!("attached {policy} to role {role}"),
        Change::GroupCreated { group, base } => {
            format!("created target group {group}, a copy of {base}")
        }
        Change::GroupAttributes { group, count: 1 } => {
            format!("set 1 attribute of target group {group}")
        }
        Change::GroupAttributes { group, count } => {
            format!("set {count} attributes of target group {group}")
        }
        Change::TestRuleCreated { rule, of, header } => {
            format!("created rule {rule} for test traffic of {of}: {header}")
        }
        Change::TestRuleDeleted { rule } => format!("deleted rule {rule} for test traffic"),
        Change::GroupDeleted { group } => format!("deleted target group {group}"),
        Change::TrafficShiftPrepared { service, group, rule } => {
            format!(
                "{service}: ECS may shift traffic to {group} by rule {rule}; it replaces the tasks now"
            )
        }
        Change::TrafficShiftRemoved { service } => {
            format!("{service}: removed advancedConfiguration; ECS replaces the tasks now")
        }
        Change::StrategySet { service, strategy, bake_minutes } => {
            format!("{service}: deployment strategy {strategy}, bake {bake_minutes}m")
        }
        Change::Record => "wrote the record".to_owned(),
    }
}

fn scaled(scaling: &Scaling) -> String {
    let Scaling { service, min, max, suspended } = scaling;
    let limits = match (min, max) {
        (Some(min), Some(max)) => format!(" {min}–{max},"),
        (Some(min), None) => format!(" minimum {min},"),
        (None, Some(max)) => format!(" maximum {max},"),
        (None, None) => String::new(),
    };
    let kinds = [
        ("scale-in", suspended.scale_in),
        ("scale-out", suspended.scale_out),
        ("scheduled actions", suspended.scheduled),
    ];
    let kinds: Vec<&str> =
        kinds.into_iter().filter(|(_, is_on)| *is_on).map(|(kind, _)| kind).collect();
    let suspended = match kinds[..] {
        [] => "active".to_owned(),
        [_, _, _] => "suspended".to_owned(),
        [..] => format!("{} suspended", kinds.join(" and ")),
    };
    format!("{service}: auto scaling{limits} {suspended}")
}

fn stop_reason(why: StopReason) -> &'static str {
    match why {
        StopReason::Interrupted => "interrupted",
        StopReason::TimedOut => "it ran longer than --timeout",
        StopReason::RollingBack => "the deployment rolls back",
    }
}

/// A quota that would be exceeded.
pub(crate) fn quota(quota: &Quota) -> String {
    let Quota { quota, resource, used, more, max } = quota;
    let things = quota.split("-per-").next().unwrap_or(quota).replace('-', " ");
    // What other services have there was not counted.
    let least = if quota.starts_with("targets-per-") && quota.ends_with("-load-balancer") {
        "at least "
    } else {
        ""
    };
    let are = if *more == 1 { "is" } else { "are" };
    format!(
        "{resource} has {least}{used} {things}, and {more} more {are} needed: quota {quota} is {max}"
    )
}

/// What helps against it.
pub(crate) fn raise(quota: &Quota) -> String {
    match quota.quota {
        // AWS does not raise it (Application Load Balancers User Guide, "Quotas").
        "target-groups-per-application-load-balancer" => {
            "delete target groups that nothing uses, or use another load balancer".to_owned()
        }
        _ => "ask for a higher quota: \
              https://console.aws.amazon.com/servicequotas/home/services/elasticloadbalancing/quotas"
            .to_owned(),
    }
}

/// A time long ago: `3h`, `2d`.
pub(crate) fn coarse(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let fitting = units.iter().find(|(length, _)| seconds >= *length);
    let (length, unit) = fitting.copied().unwrap_or((1, 's'));
    format!("{}{unit}", seconds / length)
}

/// `1 task`, `2 tasks`.
fn tasks(count: u32) -> String {
    counted(count, "task")
}

fn counted(count: u32, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// What runs at ECS, where it does not say which revision it is.
pub(crate) fn or_another(revision: Option<&str>) -> &str {
    revision.unwrap_or("another revision")
}

fn ids(tasks: &[String]) -> String {
    match tasks {
        [id] => format!("task {id}"),
        tasks => format!("tasks {}", tasks.join(", ")),
    }
}

/// Enough of a task's id to tell it from its neighbours.
pub(crate) fn brief(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// As people write durations: `2m37s`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, 'h'), (minutes, 'm'), (seconds, 's')];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let text: String = parts.map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}
