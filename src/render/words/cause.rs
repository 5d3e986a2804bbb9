//! Why a deployment rolls back, cannot go on, or was taken over, in words.

use super::ecs_reason::means;
use super::ending::{hint, reason};
use super::failure::{failure as failed, fault};
use super::gate::gate;
use super::health::{sickness, task};
use super::wait::{sight, wait};
use super::{brief, counted, stop_reason, time};
use crate::event::{BeforeEnded, Cause, Grace, Number, Scaling, Sight};
use crate::model::ecs_reason::EcsReason;
use crate::model::health::TaskFailure;
use crate::record::Reason;

pub(crate) fn cause(fact: &Cause) -> String {
    match fact {
        Cause::EcsFailed { service, reason, meaning, alarms, task } => {
            let what = match reason {
                Some(reason) => {
                    // These two are plain words as they are.
                    let is_plain = |own: &EcsReason| matches!(own, EcsReason::Breaker | EcsReason::Alarm);
                    let meaning = meaning.filter(|own| !is_plain(own));
                    let means = meaning.map_or(String::new(), |own| format!("{}; ", means(own)));
                    format!("{means}ECS: {}", reason.trim_end_matches('.'))
                }
                None => format!("ECS says that the deployment of {service} failed"),
            };
            let alarms = match &alarms[..] {
                [] => String::new(),
                [one] => format!("; the alarm is {one}"),
                _ => format!("; one of the alarms {}", alarms.join(", ")),
            };
            format!("{what}{alarms}{}", after(task.as_ref()))
        }
        Cause::EcsRolledBack { service, revision, task } => {
            format!("ECS rolled {service} back to {revision}{}", after(task.as_ref()))
        }
        Cause::Tasks { count, task: failure, repeated, grace } => {
            let what = task(failure);
            let which = match (count, repeated) {
                (1, false) => format!("task {}", brief(&failure.task)),
                (count, _) => format!("{} failed", counted((*count).max(2), "task")),
            };
            format!("{which}: {what}{}", short_grace(grace.as_ref()))
        }
        Cause::Alarm { alarm } => format!("alarm {alarm} went off"),
        Cause::AlarmsUnread { unread } => {
            format!("the alarms could not be read for {}", time(*unread))
        }
        Cause::Gate { gate: name, fault, share, wrong } => {
            let when = if *share == 0 { "before it had users, " } else { "" };
            let times = match wrong {
                0 | 1 => String::new(),
                wrong => format!(" ({wrong} wrong answers)"),
            };
            format!("{when}check {name} {}{times}", gate(fault))
        }
        Cause::GateUndecided { gate: name, fault, beyond } => {
            let said = fault.as_ref().map_or("said nothing".to_owned(), gate);
            format!("check {name} {said}, and did not pass within {} more", time(*beyond))
        }
        Cause::NotPromoted { share: 0, limit } => {
            format!("nobody promoted the new version to its first users within {}", time(*limit))
        }
        Cause::NotPromoted { share, limit } => {
            format!("nobody promoted the share of {share} % within {}", time(*limit))
        }
        Cause::Target { target, grace } => {
            format!("{}{}", sickness(target), short_grace(grace.as_ref()))
        }
        Cause::TooFewHealthy { service, healthy, wanted } => {
            format!("{service} has traffic and {healthy}/{wanted} healthy targets")
        }
        Cause::TooFewTasks { service, running, wanted, task } => format!(
            "{service} has traffic and {running}/{wanted} tasks running{}",
            after(task.as_ref())
        ),
        Cause::HealthUnknown { service, silent } => {
            format!(
                "{service} has traffic, and AWS did not report its target health for {}",
                time(*silent)
            )
        }
        Cause::OldSideChanged { service, revision: Some(revision) } => {
            format!("somebody else deployed {revision} to {service}, which serves")
        }
        Cause::OldSideChanged { service, revision: None } => {
            format!("somebody else started another deployment of {service}, which serves")
        }
        Cause::NoProgress { timeout, lacks, task } => {
            let lacks = lacks.as_ref().map_or(String::new(), |lacks| format!(": {}", wait(lacks)));
            format!("no progress for {}{lacks}{}", time(*timeout), after(task.as_ref()))
        }
        Cause::PhaseTooLong { limit, runs: false, lacks } => format!(
            "no task of the new revision ran within {} seconds: {}",
            limit.as_secs(),
            wait(lacks)
        ),
        Cause::PhaseTooLong { limit, runs: true, lacks } => format!(
            "the deployment was not complete within {} seconds: {}",
            limit.as_secs(),
            wait(lacks)
        ),
        Cause::TooManyChanges { changes } => {
            format!("gave up after {changes} changes that had no effect")
        }
        Cause::RollbackTooLong { lacks: Some(lacks) } => {
            format!("rolling back takes too long: {}", wait(lacks))
        }
        Cause::RollbackTooLong { lacks: None } => "rolling back takes too long".to_owned(),
        Cause::ServiceGone { service, status: None } => format!("service {service} is gone"),
        Cause::ServiceGone { service, status: Some(status) } => {
            format!("service {service} is {status}")
        }
        Cause::StillHasTraffic { rule, service } => {
            format!("rule {rule} still gives {service} traffic")
        }
        Cause::Drift { sight: seen, back } => {
            let what = match seen {
                Sight::NoGroups { .. } => format!("{}: somebody changed its load balancers", sight(seen)),
                Sight::UnmovedRule { .. } => format!("{}: it is not the production rule", sight(seen)),
                Sight::NoRule { .. } => format!("{}: somebody deleted or rewrote it", sight(seen)),
                _ => format!("{}, which this deployment did not write", sight(seen)),
            };
            match back {
                Some(back) => format!("{what}; to roll back instead: {}", hint(back)),
                None => what,
            }
        }
        Cause::InTheWay { error } => fault(error),
        Cause::RoleNotAssumable { role, waited, message } => format!(
            "ECS cannot assume role {role} after {}; its trust policy must name ecs.amazonaws.com. ECS says: {message}",
            time(*waited)
        ),
        Cause::Interrupted => "interrupted".to_owned(),
        Cause::Held { share: Some(share), service } => {
            format!("interrupted; left as it is, with {share} % on {service}")
        }
        Cause::Held { share: None, .. } => "interrupted; ECS goes on with it".to_owned(),
        Cause::Aws(failure) => failed(failure),
        Cause::OneIsNotScaled { service, other } => format!(
            "somebody deregistered {other} from Application Auto Scaling, and nobody knows the limits that it had; \
             register {other} again, or deregister {service}, too"
        ),
        Cause::Scaling { failure, cluster, left: Some(left) } => {
            format!("{}; to change it yourself: {}", failed(failure), register(left, cluster))
        }
        Cause::Scaling { failure, left: None, .. } => failed(failure),
        Cause::Before { task, ended } => before(task, ended),
        Cause::BeforeForgotten => {
            "nobody knows whether the task of --before ran: ECS has forgotten it".to_owned()
        }
        Cause::BeforeUnknown => {
            "the task of --before was not started, and its command is not stored anywhere: run the same \
             `ecs-bg deploy` again, or `ecs-bg rollback`"
                .to_owned()
        }
        Cause::RestartFails { why } => {
            format!("the restart fails: {}", cause(why))
        }
        Cause::OldSideFails { revision, never_ran, why } => {
            let what = match never_ran {
                true => format!("{revision} ran no task before either"),
                false => format!("{revision} does not run either"),
            };
            match why {
                Some(why) => format!("{what}: {}", cause(why)),
                None => what,
            }
        }
        Cause::Both { new, old } => format!("{}; {}", cause(new), cause(old)),
        Cause::DesiredCountLowered { service, cluster, desired, planned } => format!(
            "somebody else set the desired count of {service} to {desired}, {planned} were planned; to set it: \
             aws ecs update-service --cluster {cluster} --service {service} --desired-count {planned}"
        ),
        Cause::FewerTasks { revision } => format!("{revision} ended with fewer tasks than planned"),
        Cause::NumbersNotFollowed { numbers } => {
            numbers.iter().map(number).collect::<Vec<_>>().join("; ")
        }
        Cause::Asked => "you asked for it".to_owned(),
        Cause::EarlierRun { reason_code } => {
            let why = Reason::of_code(reason_code).map(|why| format!(": {}", reason(why)));
            format!("an earlier run began to roll back{}", why.unwrap_or_default())
        }
        Cause::RevisionChanged { service, revision } => {
            format!("somebody else deployed {revision} to {service}")
        }
        Cause::TakenOver { owner, deployment } => {
            format!("process {owner} has taken over {deployment}")
        }
        Cause::TookTooLong => "the task ran longer than --timeout".to_owned(),
        Cause::DoNotStop { why } => format!("{}, and it does not stop", stop_reason(*why)),
        Cause::TaskForgotten => "ECS does not know the task any more".to_owned(),
        Cause::TaskStopped { reason: Some(reason) } => reason.clone(),
        Cause::TaskStopped { reason: None } => "it stopped; ECS gives no reason".to_owned(),
        Cause::Replaced => "another deployment took over".to_owned(),
        Cause::LeftBefore => "an earlier run left it as it was".to_owned(),
    }
}

/// The command that makes a scalable target so.
fn register(scaling: &Scaling, cluster: &str) -> String {
    let Scaling { service, min, max, suspended } = scaling;
    let limit = |option: &str, limit: &Option<u32>| {
        limit.map_or(String::new(), |limit| format!(" {option} {limit}"))
    };
    format!(
        "aws application-autoscaling register-scalable-target --service-namespace ecs --scalable-dimension \
         ecs:service:DesiredCount --resource-id service/{cluster}/{service}{}{} --suspended-state {}",
        limit("--min-capacity", min),
        limit("--max-capacity", max),
        suspended.argument()
    )
}

/// A task that failed before that.
fn after(failure: Option<&TaskFailure>) -> String {
    failure.map_or(String::new(), |failure| {
        format!("; task {}: {}", brief(&failure.task), task(failure))
    })
}

fn short_grace(grace: Option<&Grace>) -> String {
    grace.map_or(String::new(), |Grace { service, period }| {
        format!(
            " (it was never healthy; the health check grace period of {service} is {})",
            time(*period)
        )
    })
}

fn before(id: &str, ended: &BeforeEnded) -> String {
    let named = format!("--before: task {}", brief(id));
    match ended {
        BeforeEnded::TimedOut { timeout } => {
            format!("{named} did not end within {}", time(*timeout))
        }
        BeforeEnded::Failed(failure) => format!("{named}: {}", task(failure)),
        BeforeEnded::Exited { exit_code } => format!("{named} exited with code {exit_code}"),
        BeforeEnded::Stopped { reason: Some(reason) } => format!("{named}: {reason}"),
        BeforeEnded::Stopped { reason: None } => format!("{named} stopped; ECS gives no reason"),
    }
}

pub(super) fn number(number: &Number) -> String {
    let Number { setting, service, recorded, used } = number;
    format!("{setting} of {service}: the record says {recorded}, {used} is used")
}
