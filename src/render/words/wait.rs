//! Why a deployment waits, in words.

use super::gate::gate;
use super::health::meant;
use super::{brief, counted, time};
use crate::event::{Pause, Sight, TaskStatus, WaitReason};

pub(crate) fn wait(why: &WaitReason) -> String {
    match why {
        WaitReason::Revision { service, revision } => {
            format!("waiting for {service} to be on {revision}")
        }
        WaitReason::Tasks { running, wanted, pending, obstacle, meaning } => {
            let pending = match pending {
                0 => String::new(),
                pending => format!(", {pending} pending"),
            };
            let running = format!("{running}/{wanted} tasks running{pending}");
            match obstacle {
                Some(obstacle) => format!("{running}; ECS: {}", meant(obstacle, *meaning)),
                None => running,
            }
        }
        WaitReason::EarlierTasks { running: Some(running), .. } => match running {
            1 => "1 task of an earlier revision still runs".to_owned(),
            running => format!("{running} tasks of earlier revisions still run"),
        },
        WaitReason::EarlierTasks { running: None, service } => {
            format!("tasks of an earlier revision still run in {service}")
        }
        WaitReason::NewTasks { running: 1, revision } => format!("1 task of {revision} still runs"),
        WaitReason::NewTasks { running, revision } => {
            format!("{running} tasks of {revision} still run")
        }
        WaitReason::Role { role } => format!("waiting until ECS can assume role {role}"),
        WaitReason::Completion { may_roll_back: true, service } => {
            format!(
                "waiting for ECS to complete the deployment of {service}: it can still roll back"
            )
        }
        WaitReason::Completion { may_roll_back: false, service } => {
            format!("waiting for ECS to complete the deployment of {service}")
        }
        WaitReason::Targets { healthy, wanted, service } => {
            format!("{healthy}/{wanted} targets of {service} healthy")
        }
        WaitReason::ForeignTarget { target, revision } => {
            format!("waiting: the healthy target {target} is not a task of {revision}")
        }
        WaitReason::TargetHealth => "all tasks run; checking target health".to_owned(),
        WaitReason::Draining { targets } => format!("{} draining", counted(*targets, "target")),
        WaitReason::Hold { share, service, left } => {
            format!("{share} % on {service}, {} left", time(*left))
        }
        WaitReason::Bake { service, left } => {
            format!("baking: 100 % on {service}, {} left", time(*left))
        }
        WaitReason::Propagation { left } => {
            format!("waiting {} for the load balancer to apply the new weights", time(*left))
        }
        WaitReason::Listing { service } => {
            format!("waiting for ECS to list its deployment of {service}")
        }
        WaitReason::Stage { service, status, stage, test_per_mille, production_per_mille } => {
            let doing = match (status.as_str(), stage.as_deref()) {
                ("ROLLBACK_REQUESTED" | "ROLLBACK_IN_PROGRESS", _) => {
                    format!("ECS rolls {service} back")
                }
                ("PENDING" | "IN_PROGRESS", Some(stage)) => doing(stage),
                ("PENDING" | "IN_PROGRESS", None) => format!("ECS begins to deploy {service}"),
                (status, _) => format!("ECS says {status}"),
            };
            let percent = |per_mille: &u32| match per_mille % 10 {
                0 => format!("{} %", per_mille / 10),
                tenth => format!("{}.{tenth} %", per_mille / 10),
            };
            let production = percent(production_per_mille);
            let test = match test_per_mille {
                0 => String::new(),
                part if part == production_per_mille => String::new(),
                part => format!(", {} of the test traffic", percent(part)),
            };
            format!("{doing}; {production} of the traffic on the new revision{test}")
        }
        WaitReason::Pause { service, cluster, at, expires, rolls_back, .. } => {
            let at = match at {
                Pause::Stage { stage } => stage.clone(),
                Pause::Share { share: 0 } => format!("0 % on {service}, before it has users"),
                Pause::Share { share } => format!("{share} % on {service}"),
            };
            let then = if *rolls_back { "rolls back" } else { "goes on" };
            let until = expires.map_or(String::new(), |at| {
                format!(", {then} at {}", humantime::format_rfc3339_seconds(at))
            });
            format!(
                "paused at {at}{until}; to go on: ecs-bg promote --cluster {cluster} --service {service}"
            )
        }
        WaitReason::OtherDeployment { service } => {
            format!("ECS deploys something else to {service}; waiting until that is over")
        }
        WaitReason::Gate { gate: name, fault: None } => format!("check {name} has not passed yet"),
        WaitReason::Gate { gate: name, fault: Some(fault) } => {
            format!("check {name} has not passed yet: it {}", gate(fault))
        }
        WaitReason::SecondLook(seen) => format!("{}; checking again", sight(seen)),
        WaitReason::Scaling { service } => format!("reading the auto scaling of {service}"),
        WaitReason::LastLook => "all healthy; checking everything once more".to_owned(),
        WaitReason::Rules { service } => {
            format!("a rule gave {service} traffic; listing all rules again")
        }
        WaitReason::OldTasks => {
            "the old revision ran no task before either; reading why".to_owned()
        }
        WaitReason::TaskSearch => "looking for the task of --before".to_owned(),
        WaitReason::TaskEnd { tasks } => {
            let one = |TaskStatus { task, status }: &TaskStatus| {
                format!("task {} is {status}", brief(task))
            };
            tasks.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        WaitReason::Owner { deployment, in_the_future: false } => {
            format!("another process drives {deployment}; waiting for it to end")
        }
        WaitReason::Owner { deployment, in_the_future: true } => format!(
            "the last heartbeat of {deployment} lies in the future; checking for 3m whether its process lives"
        ),
        WaitReason::SecondSign { deployment, owner } => format!(
            "process {owner} has taken over {deployment}; waiting up to 3m20s for its next heartbeat"
        ),
    }
}

/// What a phase came to that waited for this and has gone on; `None` where there is nothing to say of it.
pub(crate) fn reached(why: &WaitReason) -> Option<String> {
    match why {
        WaitReason::Tasks { wanted, .. } => Some(format!("{wanted}/{wanted} tasks running")),
        WaitReason::Targets { wanted, service, .. } => {
            Some(format!("{wanted}/{wanted} targets of {service} healthy"))
        }
        WaitReason::Hold { share, service, .. } => Some(format!("{share} % on {service}")),
        WaitReason::Bake { service, .. } => Some(format!("100 % on {service}")),
        _ => None,
    }
}

/// What ECS does in a stage (Developer Guide, lifecycle stages of blue/green deployments).
fn doing(stage: &str) -> String {
    let what = match stage {
        "RECONCILE_SERVICE" => "bringing the service to one revision",
        "PRE_SCALE_UP" => "about to start tasks",
        "SCALE_UP" => "waiting for the new tasks to be healthy",
        "POST_SCALE_UP" => "all new tasks are healthy",
        "TEST_TRAFFIC_SHIFT" => "shifting the test traffic",
        "POST_TEST_TRAFFIC_SHIFT" => "the test traffic has shifted",
        "PRE_PRODUCTION_TRAFFIC_SHIFT" => "about to shift traffic",
        "PRODUCTION_TRAFFIC_SHIFT" => "shifting traffic",
        "POST_PRODUCTION_TRAFFIC_SHIFT" => "the traffic has shifted",
        "BAKE_TIME" => "baking",
        "CLEAN_UP" => "stopping the old tasks",
        other => return format!("ECS is at {other}"),
    };
    format!("{what} ({stage})")
}

/// What one answer showed.
pub(super) fn sight(sight: &Sight) -> String {
    match sight {
        Sight::ServiceGone { service, status: None } => format!("service {service} is gone"),
        Sight::ServiceGone { service, status: Some(status) } => {
            format!("service {service} is {status}")
        }
        Sight::OldRevision { service, revision } => format!("{service} is on {revision} again"),
        Sight::Rule { rule, per_mille: Some(per_mille), service } => {
            format!("rule {rule} gives {service} {}.{} %", per_mille / 10, per_mille % 10)
        }
        Sight::Rule { rule, per_mille: None, .. } => {
            format!("rule {rule} gives neither side any weight")
        }
        Sight::LiveGroups { rule, groups, revision } => {
            let groups = match &groups[..] {
                [] => "no target group any traffic".to_owned(),
                groups => groups.join(" and "),
            };
            format!("rule {rule} gives {groups}, not just healthy tasks of {revision}")
        }
        Sight::NoRule { service } => format!("no rule forwards to the target groups of {service}"),
        Sight::NoGroups { service } => format!("{service} is in no target group any more"),
        Sight::UnmovedRule { rule, group } => {
            format!("rule {rule} still sends requests to {group}, whose tasks ECS has stopped")
        }
        Sight::ThirdGroup { rule } => {
            format!("rule {rule} also gives traffic to a target group of neither side")
        }
        Sight::NoTask => "the task of --before is not there".to_owned(),
    }
}
