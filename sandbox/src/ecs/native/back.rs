//! The way back: production traffic returns, then test traffic, then the tasks of the target revision
//! stop. There is no lifecycle stage for it; the Lambda hooks of the two shifts are called again.

use super::{
    super::{events, rollout, scheduler},
    hooks, newest, newest_mut, stage, tasks, traffic,
};
use crate::state::{
    Here,
    ecs::{Course, Rollback, Stage},
};

/// AWS's words where there is nothing to go back to.
const NO_CANDIDATE: &str = "No rollback candidate was found to run the rollback.";

/// The service deployment has failed: it rolls back, or stays where it is.
pub(super) fn fail(here: &mut Here<'_>, arn: &str, because: &str, rollback: bool) {
    let now = here.now();
    let Some((service, _, native)) = newest(here, arn) else { return };
    let what = if rollback { "rolled back" } else { "stopped" };
    let reason = format!("Service deployment {what} because {because}");
    let source = native.source.as_ref();
    let back = service.deployments.iter().find(|one| Some(&one.id) == source);
    let back = back.map(|one| one.revision.clone());
    if !rollback {
        over(here, arn, Course::Stalled, &reason);
        rollout::become_(here, arn, 0, "STOP_REQUESTED", Some(&reason));
        here.look_soon(arn);
        return;
    }
    rollout::become_(here, arn, 0, "ROLLBACK_IN_PROGRESS", None);
    let Some(revision) = back else {
        over(here, arn, Course::Done, NO_CANDIDATE);
        rollout::become_(here, arn, 0, "ROLLBACK_FAILED", Some(NO_CANDIDATE));
        return;
    };
    if let Some(one) =
        here.region.ecs.services.get_mut(arn).and_then(|own| own.rollouts.first_mut())
    {
        one.rollback = Some(Rollback { reason: reason.clone(), started_at: now, revision });
    }
    scheduler::settle(here, arn, 0, "FAILED", &reason);
    let Some(native) = newest_mut(here, arn) else { return };
    native.reason = Some(reason);
    native.course = Course::BackProduction;
    native.hooks.clear();
    native.until = now;
    if native.production > 0.0 {
        native.production = 0.0;
        shift(here, arn, Stage::ProductionTrafficShift);
    }
}

/// The deployment is over, and its tasks stay.
fn over(here: &mut Here<'_>, arn: &str, course: Course, reason: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let Some(id) = service.deployments.first().map(|one| one.id.clone()) else { return };
    scheduler::settle(here, arn, 0, "FAILED", reason);
    events::say(here, arn, &format!("(deployment {id}) deployment failed: {reason}"));
    if let Some(native) = newest_mut(here, arn) {
        native.course = course;
        native.hooks.clear();
    }
}

/// Gives the traffic of a shift back to the source.
fn shift(here: &mut Here<'_>, arn: &str, which: Stage) {
    let written = match which {
        Stage::TestTrafficShift => traffic::write_test(here, arn, false),
        _ => traffic::write_production(here, arn),
    };
    // What a failing hook does to a rollback is not documented: nothing here.
    let _ = hooks::start(here, arn, which, true);
    if let Err(problem) = written {
        let reason = format!("Service deployment rolled back because {problem}");
        over(here, arn, Course::Stalled, &reason);
        rollout::become_(here, arn, 0, "ROLLBACK_FAILED", Some(&reason));
        return;
    }
    let Some((.., native)) = newest(here, arn) else { return };
    let wait = stage::shift(here, native);
    let until = here.now() + wait;
    if let Some(native) = newest_mut(here, arn) {
        native.until = until;
    }
    here.look_in(arn, wait);
}

/// The next point of the way back; whether there may be another one now.
pub(super) fn turn(here: &mut Here<'_>, arn: &str) -> bool {
    let now = here.now();
    let gone = tasks::no_target(here, arn);
    let Some(native) = newest_mut(here, arn).filter(|native| now >= native.until) else {
        return false;
    };
    match native.course {
        Course::BackProduction => {
            native.course = Course::BackTest;
            if native.test > 0.0 {
                native.test = 0.0;
                shift(here, arn, Stage::TestTrafficShift);
            }
            true
        }
        Course::BackTest => {
            native.course = Course::BackTasks;
            native.hooks.clear();
            true
        }
        Course::BackTasks if gone => {
            end(here, arn);
            false
        }
        _ => false,
    }
}

/// The source revision is what the service is again.
fn end(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some((service, _, native)) = newest(here, arn) else { return };
    let reason = native.reason.clone().unwrap_or_default();
    let source = native.source.clone();
    let failed = service.deployments.first().map(|one| one.id.clone()).unwrap_or_default();
    let Some(mut back) =
        service.deployments.iter().find(|one| Some(&one.id) == source.as_ref()).cloned()
    else {
        return;
    };
    events::say(here, arn, &format!("(deployment {failed}) deployment failed: {reason}"));
    back.status = "PRIMARY".into();
    back.rollout_state = "COMPLETED".into();
    back.rollout_reason = format!("ECS deployment {} completed.", back.id);
    back.updated_at = now;
    rollout::return_to(here, arn, back);
    if let Some(native) = newest_mut(here, arn) {
        native.course = Course::Done;
    }
    rollout::become_(here, arn, 0, "ROLLBACK_SUCCESSFUL", Some(&reason));
    here.look_soon(arn);
}
