//! How it ended, in words.

use super::{change, fault, ids, or_another};
use crate::event::{AsBefore, Ending, Hint, Nothing, OneOff, Paused, Proof, RunningImage, Swept};
use crate::model::service_deployment::Phase;
use crate::plan::history::Became;
use crate::record::{End, Reason};

pub(crate) fn outcome(ending: &Ending) -> String {
    match ending {
        Ending::Accepted { revision, service } => {
            format!("ECS deploys {revision} to {service}; ecs-bg does not wait")
        }
        Ending::Live { revision, service, proof: Proof::Healthy, kept: None, .. } => {
            format!("{revision} serves in {service}")
        }
        Ending::Live { revision, service, proof: Proof::Healthy, kept: Some(kept), .. } => {
            format!("{revision} serves in {service}; {kept} keeps running")
        }
        Ending::Live { revision, service, proof: Proof::Runs, .. } => {
            format!("{revision} runs in {service}; ecs-bg did not wait until it is healthy")
        }
        Ending::Live { revision, service, proof: Proof::OneSide, .. } => {
            format!(
                "{revision} runs in {service} and is healthy; whether {service} or its twin has the traffic \
                 was not checked"
            )
        }
        Ending::Live { revision, service, proof: Proof::Unread, .. } => {
            format!(
                "{revision} runs in {service}; whether its targets are healthy could not be read"
            )
        }
        Ending::Live { revision, service, proof: Proof::NoTasks, .. } => {
            format!("{service} is on {revision}; its desired count is 0, so no task runs")
        }
        Ending::NotRolledBack { revision, service, old, blue } => {
            format!(
                "not rolled back: {revision} still serves in {service}, {old} does not start in {blue}"
            )
        }
        Ending::RolledBack { old, service, no_tasks: true, .. } => {
            format!("rolled back: {service} is on {old}; its desired count is 0, so no task runs")
        }
        Ending::RolledBack {
            revision,
            old,
            service,
            as_before,
            stopping,
            not_deployed,
            unread,
            ..
        } => {
            let unread = match unread {
                true => "; whether its targets are healthy could not be read",
                false => "",
            };
            let before = match as_before {
                Some(AsBefore::Targets { now, wanted }) => {
                    format!(" as before, with {now} of {wanted} targets healthy")
                }
                Some(AsBefore::Tasks { now, wanted }) => {
                    format!(" as before, with {now} of {wanted} tasks")
                }
                None => String::new(),
            };
            let stopped = match (revision == old, stopping) {
                (true, _) => String::new(),
                _ if *not_deployed => format!(", {revision} was not deployed"),
                (false, 0) => format!(", {revision} was stopped"),
                (false, _) => format!(", {revision} is being stopped"),
            };
            format!("rolled back: {old} serves in {service}{before}{stopped}{unread}")
        }
        Ending::Left { revision, service } => {
            format!("{revision} failed and is left running in {service}")
        }
        Ending::Neither { revision, old, service } => {
            format!("neither {revision} nor {old} serves in {service}")
        }
        Ending::FewerTasks { revision } => {
            format!("{revision} serves with fewer healthy tasks than planned")
        }
        Ending::Stuck { revision } | Ending::Drifted { revision } => {
            format!("{revision} is neither live nor rolled back: a person must look")
        }
        Ending::Stopped { revision, rolling_back: false } => {
            format!("stopped; {revision} is left half-way")
        }
        Ending::Stopped { revision, rolling_back: true } => {
            format!("stopped; {revision} is left while rolling back")
        }
        Ending::Superseded { revision } => {
            format!("somebody else took over; this process changes nothing more about {revision}")
        }
        Ending::Promoted { revision, at } => {
            let at = match at {
                Paused::Share(share) => format!("{share} %"),
                Paused::Stage(stage) => stage.clone(),
            };
            format!("{} goes on from {at}", or_another(revision.as_deref()))
        }
        Ending::Retired { service, revision, serves } => {
            format!("{service} is stopped; {revision} serves in {serves}")
        }
        Ending::Swept { deployments } => {
            deployments.iter().map(swept).collect::<Vec<_>>().join("; ")
        }
        Ending::SetUp { service, strategy } => {
            format!(
                "{service} is set up: its deployment strategy is {strategy}, and ECS shifts its traffic"
            )
        }
        Ending::SetUpUndone { service, role } => {
            let role = role.as_ref().map(|role| format!("; role {role} is still there"));
            format!(
                "{service} is as before setup: its deployment strategy is ROLLING{}",
                role.unwrap_or_default()
            )
        }
        Ending::SetUpUnfinished { service, changes } => {
            let done: Vec<String> = changes.iter().map(change).collect();
            let done = match &done[..] {
                [] => String::new(),
                done => format!(" after: {}", done.join("; ")),
            };
            format!("{service} is half-way{done}. Run the same command again to go on")
        }
        Ending::NothingToDo { nothing: why } => format!("nothing to do: {}", nothing(why)),
        Ending::Started { tasks, revision } => {
            format!("started {} of {revision}; ecs-bg does not wait", ids(tasks))
        }
        Ending::Succeeded(one) | Ending::Failed(one) | Ending::TaskStopped(one) => exited(one),
        Ending::Running { tasks, maybe: false } => {
            format!("interrupted; {} left running", ids(tasks))
        }
        Ending::Running { tasks, maybe: true } => {
            format!("interrupted; {} may still run", ids(tasks))
        }
        Ending::Error { errors } => errors.iter().map(fault).collect::<Vec<_>>().join("; "),
        Ending::Unknown { tasks } => format!("{}: how it ended is not known", ids(tasks)),
    }
}

fn swept(one: &Swept) -> String {
    let Swept { deployment, service, exit_code, error } = one;
    let how = match (exit_code, error) {
        (_, Some(error)) => format!("a person must look: {}", fault(error)),
        (0, None) => "finished".to_owned(),
        (1, None) => "rolled back".to_owned(),
        (5, None) => "another process took over".to_owned(),
        (_, None) => "a person must look".to_owned(),
    };
    let deployment = deployment.as_deref().unwrap_or("a deployment");
    format!("{deployment} of {service}: {how}")
}

fn exited(OneOff { tasks, container, exit_codes }: &OneOff) -> String {
    let tasks = ids(tasks);
    if exit_codes.iter().all(Option::is_none) {
        return format!("{tasks}: container {container} has no exit code");
    }
    let code = |code: &Option<i32>| code.map_or("no code".to_owned(), |code| code.to_string());
    let codes: Vec<String> = exit_codes.iter().map(code).collect();
    format!("{tasks}: container {container} exited with code {}", codes.join(", "))
}

/// How a record says that its deployment ended.
pub(crate) fn end(end: End) -> &'static str {
    match end {
        End::Live => "succeeded",
        End::WentBack => "rolled back",
        End::Neither => "failed, neither revision ran",
        End::Overtaken => "replaced by another deployment while rolling back",
        End::Left => "failed, left as it was",
        End::Short => "ended with fewer tasks than planned",
    }
}

/// What became of a deployment of the past: its code, and in words.
pub(crate) fn became(became: &Became) -> (&'static str, &'static str) {
    match became {
        Became::Ended(end) => {
            let code = match end {
                End::Live => "live",
                End::WentBack => "rolled-back",
                End::Left => "left",
                End::Short => "fewer-tasks",
                End::Neither => "neither",
                End::Overtaken => "superseded",
            };
            (code, self::end(*end))
        }
        Became::InProgress | Became::Ecs(Phase::Forward) => ("in-progress", "in progress"),
        Became::Ecs(Phase::Back) => ("in-progress", "rolling back"),
        Became::Unfinished => ("unfinished", "unfinished"),
        Became::Superseded => ("superseded", "replaced by another deployment"),
        Became::Ecs(Phase::Successful) => ("live", "succeeded"),
        Became::Ecs(Phase::RolledBack) => ("rolled-back", "rolled back"),
        Became::Ecs(Phase::RollbackFailed) => ("stuck", "rollback failed"),
        Became::Ecs(Phase::Stopped) => ("stopped", "stopped"),
    }
}

/// Why a deployment rolled back, as its record says it.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Before => "the task of --before did not succeed",
        Reason::Gone => "its service is gone",
        Reason::Sick => "its targets were not healthy",
        Reason::Tasks => "its tasks failed",
        Reason::EcsRollback => "ECS rolled the service back",
        Reason::Deadline => "no progress for too long",
        Reason::Blind => "AWS did not report its target health for too long",
        Reason::BlueChanged => "somebody else deployed to the service that serves",
        Reason::Refused => "AWS refused a change",
        Reason::Bound => "gave up after too many changes that had no effect",
        Reason::Interrupted => "interrupted",
        Reason::Asked => "somebody asked for it",
        Reason::Pause => "nobody promoted it in time",
        Reason::Alarm => "an alarm went off",
        Reason::Gate => "a check failed",
        Reason::Superseded => "another deployment took over",
        Reason::Abandoned => "no process drove it any more",
    }
}

/// Why there is nothing to do.
pub(crate) fn nothing(why: &Nothing) -> String {
    match why {
        Nothing::RunsAlready { service, revision, images, .. } if images.is_empty() => {
            format!("{service} runs {revision} already, and nothing would change")
        }
        Nothing::RunsAlready { service, revision, images, .. } => {
            let image = |RunningImage { image, digest, runs_as }: &RunningImage| {
                let digest = digest.get(..19).unwrap_or(digest);
                match runs_as {
                    None => format!("{image} ({digest}…)"),
                    Some(name) => format!("{image} ({digest}…, as {name})"),
                }
            };
            let images: Vec<String> = images.iter().map(image).collect();
            format!("{service} runs {} already, in {revision}", images.join(", "))
        }
        Nothing::NoDeployment { service } => {
            format!("no deployment of {service} is in progress")
        }
        Nothing::ServesAlone { service } => format!("{service} has all the traffic"),
        Nothing::RolledBackAlready { revision, old, service } => format!(
            "the last deployment, {revision}, was rolled back already, and {service} runs {old}; to go further \
             back, name a revision with --to"
        ),
        Nothing::SetUpAlready { service } => {
            format!("{service} is set up already; deploy with ecs-bg deploy")
        }
        Nothing::NotSetUp { service } => {
            format!("{service} has one target group and the deployment strategy ROLLING")
        }
        Nothing::NothingKept { service } => {
            format!("no deployment kept the old side of {service}, or it is stopped already")
        }
        Nothing::NothingAbandoned { cluster, pairs } => format!(
            "no deployment of a pair in {cluster} is abandoned ({})",
            super::counted(u32::try_from(*pairs).unwrap_or(u32::MAX), "pair")
        ),
        Nothing::EndedMeanwhile => "the deployment has ended meanwhile".to_owned(),
    }
}

/// A command that can be pasted.
pub(crate) fn hint(hint: &Hint) -> String {
    let Hint { verb, cluster, service, to, accept_drift } = hint;
    let mut line = format!("ecs-bg {verb} --cluster {cluster} --service {service}");
    if let Some(to) = to {
        line = format!("{line} --to {to}");
    }
    if *accept_drift {
        line.push_str(" --accept-drift");
    }
    if *verb == "deploy" {
        line.push_str(" --tag TAG");
    }
    line
}
