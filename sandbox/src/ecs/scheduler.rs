//! The service scheduler: which tasks a service should have now, given what its deployments, its tasks
//! and their targets are. It looks when something has changed, and does one round each time.
//! It knows nothing of clients.

use serde_json::{Map, Value};

use super::{alarms, dispatch, events, failures, instance, native, rollout};
use crate::{
    clock::Time,
    elb,
    journal::Change,
    protocol::json::int,
    state::{
        Here,
        ecs::{Deployment, Service, Task},
    },
};

/// Looks at all services of a cluster soon: there may be room now.
pub(super) fn poke_cluster(here: &mut Here<'_>, cluster: &str) {
    let own = here.region.ecs.services.values_mut().filter(|one| one.cluster == cluster);
    let arns: Vec<String> = own
        .map(|one| {
            if one.unplaced > 0 {
                one.back_off = None;
            }
            one.arn.clone()
        })
        .collect();
    for arn in arns {
        here.look_soon(&arn);
    }
}

/// The tasks of a service in the scheduler's eyes.
pub(super) struct View {
    /// ARN, deployment, and whether it counts as healthy and as running.
    pub(super) live: Vec<Seen>,
    /// Tasks of older deployments that still drain.
    draining: usize,
}

impl View {
    /// All that runs is the deployment `id`, it is as many as it should be, and healthy.
    fn complete(&self, id: &str, desired: usize) -> bool {
        self.live.len() == desired
            && self.draining == 0
            && self.live.iter().all(|one| one.deployment == id && one.healthy)
    }
}

/// Whether the primary deployment is all that runs, and healthy.
pub(super) fn complete(here: &Here<'_>, arn: &str) -> bool {
    let Some(service) = here.region.ecs.services.get(arn) else { return false };
    let desired = usize::try_from(service.desired).unwrap_or(usize::MAX);
    let primary = service.deployments.first();
    primary.is_some_and(|primary| view(here, arn).complete(&primary.id, desired))
}

pub(super) struct Seen {
    pub(super) arn: String,
    pub(super) deployment: String,
    running: bool,
    pub(super) healthy: bool,
    created: Time,
}

/// One round.
pub(crate) fn run(here: &mut Here<'_>, arn: &str) {
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if service.look_at.is_some_and(|at| at <= now) {
        service.look_at = None;
    }
    dispatch::tell_of_targets(here, arn);
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    match (service.status.as_str(), service.deployments.is_empty()) {
        ("DRAINING", _) => vanish(here, arn),
        ("ACTIVE", false) => {
            count_instances(here, arn);
            rollout::look(here, arn);
            failures::replace_unhealthy(here, arn);
            failures::forgive(here, arn);
            if native::owns(here, arn) {
                return native::advance(here, arn);
            }
            failures::judge(here, arn);
            alarms::judge(here, arn);
            scale(here, arn);
            conclude(here, arn);
        }
        _ => {}
    }
}

/// A DAEMON service wants one task on each instance that takes tasks.
fn count_instances(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    if is_daemon(service) {
        let count = instance::active(here, &service.cluster).count();
        super::set_desired(here, arn, u32::try_from(count).unwrap_or(u32::MAX));
    }
}

fn is_daemon(service: &Service) -> bool {
    service.members.get("schedulingStrategy").is_some_and(|one| one == "DAEMON")
}

fn vanish(here: &mut Here<'_>, arn: &str) {
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    if service.tasks.is_empty() {
        service.status = "INACTIVE".into();
        service.deployments.clear();
        service.rollouts.clear();
        service.revisions.clear();
        here.note(Change::Modified { arn: arn.to_owned() });
    }
}

/// Healthy as `minimumHealthyPercent` counts it (Amazon ECS API, DeploymentConfiguration).
fn healthy(here: &Here<'_>, task: &Task) -> bool {
    if task.last_status != "RUNNING" {
        return false;
    }
    let container = task.health();
    let in_targets = |state: &str| {
        task.attachments.iter().all(|one| {
            let (id, port) = task.target(one);
            elb::state(here.region, &one.group, &id, port)
                .is_some_and(|health| health.state == state)
        })
    };
    if task.attachments.is_empty()
        && container == "UNKNOWN"
        && task.containers.iter().all(|one| one.health_check.is_none())
    {
        return task
            .started_at
            .is_some_and(|started| here.now() - started >= here.shared.timing.settle);
    }
    in_targets("healthy")
        && (container == "HEALTHY" || task.containers.iter().all(|one| one.health_check.is_none()))
}

pub(super) fn view(here: &Here<'_>, arn: &str) -> View {
    let service = here.region.ecs.services.get(arn);
    let primary = service.and_then(|service| service.deployments.first()).map(|one| one.id.clone());
    let tasks = service
        .into_iter()
        .flat_map(|service| &service.tasks)
        .filter_map(|arn| here.region.ecs.tasks.get(arn));
    let mut view = View { live: Vec::new(), draining: 0 };
    for task in tasks {
        if task.wanted() {
            view.live.push(Seen {
                arn: task.arn.clone(),
                deployment: task.started_by.clone().unwrap_or_default(),
                running: task.last_status == "RUNNING",
                healthy: healthy(here, task),
                created: task.created_at,
            });
        } else if task.last_status == "DEACTIVATING" && task.started_by != primary {
            view.draining += 1;
        }
    }
    view.live.sort_by(|a, b| (a.created, &a.arn).cmp(&(b.created, &b.arn)));
    view
}

pub(super) fn configuration<'h>(here: &'h Here<'_>, arn: &str) -> Option<&'h Map<String, Value>> {
    here.region.ecs.services.get(arn)?.members.get("deploymentConfiguration")?.as_object()
}

/// Starts and stops tasks, within the bounds of the deployment configuration.
fn scale(here: &mut Here<'_>, arn: &str) {
    let percent = |member: &str, default: u32| {
        let own = configuration(here, arn)
            .and_then(|one| int(one.get(member)))
            .and_then(|percent| u32::try_from(percent).ok());
        own.unwrap_or(default)
    };
    let Some(service) = here.region.ecs.services.get(arn) else { return };
    let (most, least) = if is_daemon(service) { (100, 0) } else { (200, 100) };
    let (most, least) = (percent("maximumPercent", most), percent("minimumHealthyPercent", least));
    let Some(primary) = service.deployments.first() else { return };
    let desired = usize::try_from(service.desired).unwrap_or(usize::MAX);
    let part = |percent: u32| desired.saturating_mul(usize::try_from(percent).unwrap_or(0));
    let (most, least) = (part(most) / 100, part(least).div_ceil(100));
    let (id, stalled, back_off) =
        (primary.id.clone(), primary.rollout_state == "FAILED", service.back_off);
    let seen = view(here, arn).live;
    let own = seen.iter().filter(|one| one.deployment == id).count();
    let room = most.max(desired.min(own)).saturating_sub(seen.len());
    let missing = if stalled { 0 } else { desired.saturating_sub(own) };
    let waits = back_off.is_some_and(|until| until > here.now());
    let started = if waits { 0 } else { missing.min(room) };
    if started > 0 {
        dispatch::start(here, arn, 0, started);
    }
    let mut stops = excess(&seen, &id, desired);
    stops.extend(outdated(&seen, &id, least));
    if missing > 0
        && started == 0
        && stops.is_empty()
        && !waits
        && seen.len() >= most
        && seen.iter().all(|one| one.healthy)
    {
        events::complain(
            here,
            arn,
            "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
        );
    }
    dispatch::stop(here, arn, &stops);
}

/// Tasks of a deployment that are too many: those that serve least first, then the newest.
pub(super) fn excess(seen: &[Seen], primary: &str, desired: usize) -> Vec<String> {
    let mut own: Vec<&Seen> = seen.iter().filter(|one| one.deployment == primary).collect();
    own.sort_by_key(|one| (one.healthy, one.running));
    let surplus = own.len().saturating_sub(desired);
    let (weak, strong): (Vec<&Seen>, Vec<&Seen>) = own.into_iter().partition(|one| !one.healthy);
    weak.into_iter()
        .chain(strong.into_iter().rev())
        .take(surplus)
        .map(|one| one.arn.clone())
        .collect()
}

/// Tasks of older deployments that can go: all that are not healthy, and of the others as many as the
/// healthy ones exceed the minimum.
fn outdated(seen: &[Seen], primary: &str, least: usize) -> Vec<String> {
    let old = || seen.iter().filter(|one| one.deployment != primary);
    let spare = seen.iter().filter(|one| one.healthy).count().saturating_sub(least);
    let weak = old().filter(|one| !one.healthy);
    let strong = old().filter(|one| one.healthy).take(spare);
    weak.chain(strong).map(|one| one.arn.clone()).collect()
}

/// Older deployments that are empty go; the primary one is completed when it is all there is.
fn conclude(here: &mut Here<'_>, arn: &str) {
    let view = view(here, arn);
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let tasks: Vec<&Task> =
        service.tasks.iter().filter_map(|task| here.region.ecs.tasks.get(task)).collect();
    // A failed deployment is shown until its tasks are gone, another one until they have drained.
    let busy = |one: &Deployment| {
        let holds = |task: &&&Task| {
            let failed = one.rollout_state == "FAILED";
            failed || task.wanted() || task.last_status == "DEACTIVATING"
        };
        let own = |task: &&&Task| task.started_by.as_deref() == Some(&one.id);
        one.status == "PRIMARY" || tasks.iter().filter(own).any(|task| holds(&task))
    };
    service.deployments.retain(busy);
    let Some(primary) = service.deployments.first() else { return };
    let (id, state) = (primary.id.clone(), primary.rollout_state.clone());
    let desired = usize::try_from(service.desired).unwrap_or(usize::MAX);
    if !view.complete(&id, desired) {
        service.steady &= view.live.iter().filter(|one| one.running).count() == desired;
        service.complete_since = None;
        return;
    }
    // A deployment may be kept under watch for a while once it is complete.
    if state == "IN_PROGRESS" {
        let since = *service.complete_since.get_or_insert(now);
        let left = alarms::bake(service).saturating_sub(now - since);
        if !left.is_zero() {
            here.look_in(arn, left);
            return;
        }
    }
    let was_steady = std::mem::replace(&mut service.steady, true);
    if state == "IN_PROGRESS" {
        settle(here, arn, 0, "COMPLETED", &format!("ECS deployment {id} completed."));
        if let Some(service) = here.region.ecs.services.get_mut(arn) {
            service.completed = service.deployments.first().cloned();
        }
        events::say(here, arn, &format!("(deployment {id}) deployment completed."));
    }
    if state != "FAILED" {
        rollout::completed(here, arn);
    }
    if !was_steady && state != "FAILED" {
        events::cleared(here, arn, "");
        events::say(here, arn, "has reached a steady state.");
    }
}

/// A deployment's rollout comes to a state.
pub(super) fn settle(here: &mut Here<'_>, arn: &str, at: usize, state: &str, reason: &str) {
    let now = here.now();
    let Some(service) = here.region.ecs.services.get_mut(arn) else { return };
    let Some(one) = service.deployments.get_mut(at) else { return };
    one.rollout_state = state.to_owned();
    one.rollout_reason = reason.to_owned();
    one.updated_at = now;
    note_deployment(here, arn, at);
}

pub(super) fn note_deployment(here: &mut Here<'_>, arn: &str, at: usize) {
    let Some(one) =
        here.region.ecs.services.get(arn).and_then(|service| service.deployments.get(at))
    else {
        return;
    };
    let change = Change::Deployment {
        service: arn.to_owned(),
        id: one.id.clone(),
        status: one.status.clone(),
        rollout_state: one.rollout_state.clone(),
    };
    here.note(change);
}
