//! The strategies BLUE_GREEN, LINEAR and CANARY (Amazon ECS Developer Guide, "Amazon ECS blue/green
//! deployments"). A service deployment of these is data, `state::ecs::Native`, and `advance`: each time
//! that the scheduler looks, it goes on as far as it can.
//!
//! `stage` says what each lifecycle stage waits for, `traffic` reads and writes listener rules, `hooks`
//! are the lifecycle hooks, `tasks` says how many tasks each revision has, `back` is the way back, and
//! `refusals` what CreateService and UpdateService refuse.

use super::{alarms, events, failures, rollout, scheduler};
use crate::{
    journal::Change,
    state::{
        Here,
        ecs::{Course, Native, Rollout, Service, Stage},
    },
};

pub(super) mod api;
mod back;
pub(super) mod begin;
mod hooks;
pub(super) mod refusals;
mod stage;
mod tasks;
pub(super) mod traffic;

pub(super) use begin::begin;

/// A stage may take 24 hours, a pause longer.
const STAGE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
/// A service deployment may take 30 days.
const WHOLE: std::time::Duration = std::time::Duration::from_secs(30 * 24 * 3600);

/// The newest service deployment of a service, if it shifts traffic.
fn newest<'h>(here: &'h Here<'_>, arn: &str) -> Option<(&'h Service, &'h Rollout, &'h Native)> {
    let service = here.region.ecs.services.get(arn)?;
    let rollout = service.rollouts.first()?;
    Some((service, rollout, rollout.native.as_ref()?))
}

fn newest_mut<'h>(here: &'h mut Here<'_>, arn: &str) -> Option<&'h mut Native> {
    here.region.ecs.services.get_mut(arn)?.rollouts.first_mut()?.native.as_mut()
}

/// Whether the tasks of a service are those that its newest service deployment wants.
pub(super) fn owns(here: &Here<'_>, arn: &str) -> bool {
    newest(here, arn).is_some_and(|(.., native)| native.course != Course::Done)
}

/// Goes on as far as it can.
pub(super) fn advance(here: &mut Here<'_>, arn: &str) {
    hooks::tick(here, arn);
    while turn(here, arn) {}
    tasks::keep(here, arn);
}

/// One point of the course; whether there may be another one now.
fn turn(here: &mut Here<'_>, arn: &str) -> bool {
    let Some((.., native)) = newest(here, arn) else { return false };
    match native.course {
        Course::Forward => forward(here, arn),
        Course::BackProduction | Course::BackTest | Course::BackTasks => back::turn(here, arn),
        Course::Settling => settled(here, arn),
        Course::Stalled | Course::Done => false,
    }
}

fn forward(here: &mut Here<'_>, arn: &str) -> bool {
    if let Some((because, rollback)) = verdict(here, arn) {
        back::fail(here, arn, &because, rollback);
        return true;
    }
    let Some((_, rollout, native)) = newest(here, arn) else { return false };
    let next = match native.stage {
        None if rollout.sources.len() > 1 => Some(Stage::ReconcileService),
        None => Some(Stage::PreScaleUp),
        Some(stage) if !stage::passed(here, arn, stage) => return false,
        Some(stage) => stage::next(native, stage),
    };
    match next {
        Some(next) => {
            if let Err(because) = enter(here, arn, next) {
                back::fail(here, arn, &because, true);
            }
        }
        None => finish(here, arn),
    }
    true
}

/// Goes to a stage; what goes wrong is the reason for a rollback.
fn enter(here: &mut Here<'_>, arn: &str, stage: Stage) -> Result<(), String> {
    let now = here.now();
    let Some(native) = newest_mut(here, arn) else { return Ok(()) };
    if (native.stage, stage)
        == (Some(Stage::ProductionTrafficShift), Stage::PreProductionTrafficShift)
    {
        native.step += 1;
    }
    native.stage = Some(stage);
    native.since = now;
    native.hooks.clear();
    let rollout = here.region.ecs.services.get_mut(arn).and_then(|own| own.rollouts.first_mut());
    if let Some(rollout) = rollout {
        rollout.updated_at = now;
    }
    note(here, arn, stage);
    match stage {
        Stage::ReconcileService => traffic::reconcile(here, arn)?,
        Stage::PreScaleUp => traffic::look(here, arn)?,
        Stage::TestTrafficShift => traffic::test(here, arn)?,
        Stage::ProductionTrafficShift => traffic::production(here, arn)?,
        _ => {}
    }
    hooks::start(here, arn, stage, false)?;
    let wait = stage::least(here, arn, stage);
    if let Some(native) = newest_mut(here, arn) {
        native.until = now + wait;
    }
    here.look_in(arn, wait);
    here.look_in(arn, STAGE);
    here.look_in(arn, WHOLE);
    Ok(())
}

fn note(here: &mut Here<'_>, arn: &str, stage: Stage) {
    let Some((_, rollout, _)) = newest(here, arn) else { return };
    let change = Change::Stage {
        service: arn.to_owned(),
        arn: rollout.arn.clone(),
        stage: stage.name().to_owned(),
    };
    here.note(change);
}

/// Why a service deployment cannot go on, and whether it rolls back.
fn verdict(here: &mut Here<'_>, arn: &str) -> Option<(String, bool)> {
    let now = here.now();
    let (_, rollout, native) = newest(here, arn)?;
    // Once the source revision is being stopped there is nothing to go back to.
    if native.stage == Some(Stage::CleanUp) {
        return None;
    }
    if rollout.status == "ROLLBACK_REQUESTED" {
        return Some(("a rollback was requested.".into(), true));
    }
    if let Some(problem) = hooks::problem(native) {
        return Some((problem, true));
    }
    let (created, since, waits) =
        (rollout.created_at, native.since, native.hooks.iter().any(|one| one.pending()));
    let stage = native.stage;
    if let Some(rollback) = failures::tripped(here, arn) {
        if let Some(rollout) = here.region.ecs.services.get_mut(arn)?.rollouts.first_mut() {
            rollout.breaker = Some("TRIGGERED".into());
        }
        return Some(("the circuit breaker threshold was exceeded.".into(), rollback));
    }
    if let Some(rollback) = alarms::triggered(here, arn) {
        return Some(("of one or more active alarms.".into(), rollback));
    }
    // Not documented: the texts of these two.
    let late = |own: &Stage| !waits && now - since >= STAGE && !stage::passed(here, arn, *own);
    if let Some(stage) = stage.filter(late) {
        let text = format!("the lifecycle stage {} timed out.", stage.name());
        return (stage != Stage::BakeTime).then_some((text, true));
    }
    (now - created >= WHOLE).then(|| ("the service deployment timed out.".into(), true))
}

/// The target revision is all that there is.
fn finish(here: &mut Here<'_>, arn: &str) {
    let wait = here.shared.timing.completion;
    let until = here.now() + wait;
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    service.deployments.truncate(1);
    service.completed = service.deployments.first().cloned();
    if let Some(native) = newest_mut(here, arn) {
        native.course = Course::Settling;
        native.until = until;
        native.hooks.clear();
    }
    rollout::become_(here, arn, 0, "SUCCESSFUL", None);
    here.look_in(arn, wait);
}

/// DescribeServices shows that it is complete, some time after it was.
fn settled(here: &mut Here<'_>, arn: &str) -> bool {
    let now = here.now();
    let Some(native) = newest_mut(here, arn).filter(|native| now >= native.until) else {
        return false;
    };
    native.course = Course::Done;
    let Some(service) = here.region.ecs.services.get(arn) else { return false };
    let Some(id) = service.deployments.first().map(|one| one.id.clone()) else { return false };
    scheduler::settle(here, arn, 0, "COMPLETED", &format!("ECS deployment {id} completed."));
    if let Some(service) = here.region.ecs.services.get_mut(arn) {
        service.completed = service.deployments.first().cloned();
    }
    events::say(here, arn, &format!("(deployment {id}) deployment completed."));
    here.look_soon(arn);
    false
}
