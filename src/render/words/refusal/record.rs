//! Deployments and their records with which a command can do nothing.

use crate::event::refusal::RecordRefused;
use crate::render::words::record::{ignored, unreadable};
use crate::render::words::{or_another, time};

pub(super) fn what(refusal: &RecordRefused) -> String {
    use RecordRefused as R;
    match refusal {
        R::Unfinished { deployment, service, twin, green, is_forward, step, .. } => {
            let route = match twin {
                Some(twin) => format!("from {service} to {twin}"),
                None => format!("in {green}"),
            };
            let heading = if *is_forward { "going forward" } else { "going back" };
            let step = step.unwrap_or("an unknown step");
            format!("{deployment} {route} is unfinished ({heading}, at step {step})")
        }
        R::RecordOfNewerVersion { revision } => format!(
            "a newer version of ecs-bg wrote the record in the tags of {revision}; its deployment may be unfinished"
        ),
        R::RecordUnreadable { record, .. } => unreadable(record),
        R::RecordIgnored { record, .. } => ignored(record),
        R::BeganFirst { deployment, first } => {
            format!("{first} began at the same moment as {deployment}, and came first")
        }
        R::RecordEdited { deployment, .. } => {
            format!("somebody else edited the record in the tags of {deployment}")
        }
        R::Forgotten { deployment, silent, .. } => format!(
            "{deployment} is unfinished, and no process has driven it for {}",
            time(*silent)
        ),
        R::Driven { deployment, silent, dead_after } => format!(
            "another process drives {deployment}: its last heartbeat was {} ago (it counts as dead after {})",
            time(*silent),
            time(*dead_after)
        ),
        R::PromotedByOther { deployment, .. } => {
            format!("somebody else promotes {deployment} at the same moment")
        }
        R::HoldsNoShare { deployment, step, .. } => {
            format!("{deployment} holds no share of the traffic right now: it is at step {step}")
        }
        R::DoesNotPause { revision, status, stage, .. } => {
            let revision = or_another(revision.as_deref());
            format!("{revision} does not pause right now: ECS says {status}, {stage}")
        }
        R::StartsIn { to, deployment, .. } => {
            format!("{to} starts {deployment}, whose deployment is in progress")
        }
        R::JudgedByChecks { deployment, .. } => format!(
            "{deployment} is judged by --check, --check-cmd or --alarm: they are kept nowhere, so that this command \
             does not know them"
        ),
        R::NothingBefore { revision, live, .. } => {
            format!("no record says what served before {revision} in {live}")
        }
        R::NamesNoRevision { to, service, twin: Some(twin), .. } => {
            format!("--to {to} names no revision, and is neither {service} nor {twin}")
        }
        R::NamesNoRevision { to, service, twin: None, .. } => {
            format!("--to {to} names no revision, and {service} has no twin")
        }
        R::NothingToGoBackTo { to, service, twin: Some(twin), region, .. } => {
            format!("{to} is neither {service} nor {twin}, nor a task definition in {region}")
        }
        R::NothingToGoBackTo { to, service, twin: None, region, .. } => {
            format!("{to} is not a task definition in {region}, and {service} has no twin")
        }
    }
}

pub(super) fn fix(refusal: &RecordRefused) -> String {
    use RecordRefused as R;
    match refusal {
        R::Unfinished { is_judged: true, is_forward: true, .. } => {
            "run the same command with --on-conflict wait".to_owned()
        }
        R::Unfinished { service, twin, cluster, .. } => {
            let twin = twin.as_ref().map_or(String::new(), |twin| format!(" --twin {twin}"));
            format!(
                "ecs-bg resume --cluster {cluster} --service {service}{twin} --on-conflict wait"
            )
        }
        R::RecordOfNewerVersion { .. } => {
            "use that version, or run the same command with --on-conflict supersede".to_owned()
        }
        R::RecordUnreadable { service, cluster, .. }
        | R::RecordIgnored { of: service, in_cluster: cluster, .. }
        | R::RecordEdited { service, cluster, .. }
        | R::PromotedByOther { service, cluster, .. }
        | R::HoldsNoShare { service, cluster, .. }
        | R::DoesNotPause { service, cluster, .. }
        | R::NothingToGoBackTo { service, cluster, twin: Some(_), .. } => {
            super::command("status", cluster, service)
        }
        R::BeganFirst { .. } | R::Driven { .. } => {
            "run the same command with --on-conflict wait".to_owned()
        }
        R::Forgotten { service, cluster, .. } | R::StartsIn { service, cluster, .. } => {
            super::command("resume", cluster, service)
        }
        R::JudgedByChecks { service, cluster, .. } => format!(
            "run the same deploy command again, or: {} --skip-checks",
            super::command("resume", cluster, service)
        ),
        R::NothingBefore { service, cluster, .. } => {
            format!("{} --to FAMILY:REVISION", super::command("rollback", cluster, service))
        }
        R::NothingToGoBackTo { family, twin: None, .. } | R::NamesNoRevision { family, .. } => {
            format!(
                "--to {family}:REVISION; aws ecs list-task-definitions --family-prefix {family}"
            )
        }
    }
}
