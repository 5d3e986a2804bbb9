//! Whether the new revision answers its users, where ECS shifts the traffic: as long as ECS would take it back.

use std::time::Duration;

use super::{LOOK_TWICE, bake_ends, current, production_rules, serving};
use crate::event::Cause;
use crate::model::health::{Outlook, TaskFailure, sickness};
use crate::model::reads::Part;
use crate::model::service_deployment::{Phase, ServiceDeployment};
use crate::model::world::{Attachment, Group, Rule, Service, Target};
use crate::route::{View, trouble as judge};

/// ECS has started another task in place of one that was taken away.
const REPLACED_WITHIN: Duration = Duration::from_secs(300);
/// Tasks that fail so soon one after the other leave nothing that answers.
const TOGETHER: Duration = Duration::from_secs(30);

/// What is wrong with it, once it has users' traffic.
pub(super) fn trouble(
    view: &View<'_>,
    service: &Service,
    own: &ServiceDeployment,
) -> Option<Cause> {
    view.watch.serves_since?;
    let down = too_few_tasks(view, own).or_else(|| all_failed(view));
    down.or_else(|| none_healthy(view, service)).or_else(|| sick(view, service))
}

/// Whether a target of either group is unhealthy: whose it is, the tasks tell.
pub(super) fn has_sick(view: &View<'_>) -> bool {
    let groups = view.green().into_iter().flat_map(Service::groups);
    let mut targets = groups.filter_map(|group| view.world.targets(group)).flatten();
    targets.any(|target| target.state.starts_with("unhealthy"))
}

/// A target of our revision's that is not healthy though it was, or had the time to become so.
fn sick(view: &View<'_>, service: &Service) -> Option<Cause> {
    let ours = ours(view, service);
    judge::sick_target(view, service, |target| ours.iter().any(|(own, _)| *own == target))
}

/// The target groups that users' requests come to, once ECS has moved all of them and the rules were read after that.
/// Whose targets stand there is known without tasks.
fn users_groups<'a>(view: &View<'a>) -> Vec<&'a String> {
    let (Some(own), Some(service)) = (current(view), view.green()) else { return vec![] };
    let stages = ["POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"];
    let has_moved = own.production == Some(100.0)
        && own.stage.as_deref().is_some_and(|stage| stages.contains(&stage));
    let rules = [Part::Rules, Part::Listing];
    let read = rules.iter().filter_map(|part| view.world.answered.get(part)).map(|at| at.aws).max();
    let since = view.watch.stage.as_ref().map(|(_, since)| *since);
    if !(has_moved && read.is_some() && read >= since) {
        return vec![];
    }
    let rules = production_rules(&view.world.rules, service).into_iter();
    let served = rules.filter_map(|(_, rule)| match &serving(rule?)[..] {
        [one] => service.groups().find(|group| *group == one),
        _ => None,
    });
    served.collect()
}

/// The targets of a group, where they were read since users come to the new revision.
fn targets_since<'a>(view: &View<'a>, group: &str) -> Option<&'a [Target]> {
    let read = view.world.answered.get(&Part::Health(group.to_owned()))?;
    view.world
        .targets(group)
        .filter(|_| view.watch.serves_since.is_some_and(|since| read.aws >= since))
}

/// Whether rules are to be read for `users_groups`: tasks may not be read, or one of the groups has nothing healthy.
pub(super) fn wants_rules(view: &View<'_>, own: &ServiceDeployment) -> bool {
    let mut groups = view.green().into_iter().flat_map(Service::groups);
    let is_dead = |group: &String| {
        targets_since(view, group).is_some_and(|all| !all.iter().any(Target::is_healthy))
    };
    let ends = own.stage.as_deref() == Some("CLEAN_UP");
    view.watch.serves_since.is_some() && !ends && (view.watch.tasks_denied || groups.any(is_dead))
}

/// All requests come to a target group in which nothing is healthy, and nothing is about to be.
fn is_unanswered(view: &View<'_>, own: &ServiceDeployment) -> bool {
    let is_dead = |targets: &[Target]| {
        !targets.iter().any(|target| target.is_healthy() || target.state == "initial")
    };
    let [wanted, ..] = own.tasks;
    let is_dead = |group: &String| targets_since(view, group).is_some_and(is_dead);
    wanted > 0 && users_groups(view).into_iter().any(is_dead)
}

/// Whether the next look may show trouble: tasks are missing, or it is not known yet whose a sick target is.
pub(super) fn is_in_doubt(view: &View<'_>, own: &ServiceDeployment) -> bool {
    let (Some(service), Some(_)) = (view.green(), view.watch.serves_since) else { return false };
    if own.stage.as_deref() == Some("CLEAN_UP") {
        return false;
    }
    let parts = [Part::Tasks, Part::Stopped].map(|part| part(service.name.clone()));
    let tasks = parts.iter().filter_map(|part| view.world.answered.get(part)).map(|at| at.aws);
    let is_explained = tasks.max() >= view.world.targets_answered().map(|at| at.aws);
    let is_sick = has_sick(view) && !is_explained && !view.watch.tasks_denied;
    is_sick || view.watch.short_since.is_some_and(|since| view.since(since) < REPLACED_WITHIN)
}

/// The targets of our revision's tasks, as far as it is known whose they are.
fn ours<'a>(view: &View<'a>, service: &'a Service) -> Vec<(&'a Target, Option<&'a Group>)> {
    let (world, served) = (view.world, users_groups(view));
    let of = |group: &'a String| {
        let by_group = view.watch.tasks_denied && served.contains(&group);
        let targets = world.targets(group).unwrap_or_default().iter();
        let ours = move |one: &&Target| {
            world.runs(service, one, &view.record.revision).unwrap_or(by_group)
        };
        targets.filter(ours).map(|one| (one, world.groups.get(group)))
    };
    service.groups().flat_map(of).collect()
}

/// An unhealthy target of our revision, whatever time it is to have.
pub(super) fn any_sick(view: &View<'_>, service: &Service) -> Option<Cause> {
    let ours = ours(view, service).into_iter();
    let mut sick = ours.filter(|(target, _)| target.state.starts_with("unhealthy"));
    sick.next().map(|(one, group)| Cause::Target { target: sickness(one, group), grace: None })
}

/// None of our targets is healthy: ECS waited until they were, before it gave them users.
fn none_healthy(view: &View<'_>, service: &Service) -> Option<Cause> {
    let answers = ours(view, service).iter().any(|(target, _)| target.is_healthy());
    any_sick(view, service).filter(|_| !answers)
}

/// Whether tasks that had all started are not there any more.
pub(super) fn runs_fewer(own: &ServiceDeployment) -> bool {
    let [wanted, running, _] = own.tasks;
    own.phase() == Phase::Forward && !own.is_starting() && running < wanted
}

/// Whether the new revision has users' traffic, and fewer tasks than its service is to have at least. Tasks that a
/// changed count calls for have not been lost: they start.
pub(super) fn is_short(view: &View<'_>) -> bool {
    let (Some(own), Some(service)) = (current(view), view.green()) else { return false };
    let [_, running, _] = own.tasks;
    let (_, most) = view.watch.steady;
    let least = (u64::from(most) * u64::from(service.min_healthy_percent)).div_ceil(100).max(1);
    let serves = view.watch.serves_since.is_some() && most > 0;
    serves && (runs_fewer(own) && u64::from(running) < least || is_unanswered(view, own))
}

/// The new revision has users' traffic and too few tasks to answer it. As long as some do and none failed, ECS has
/// the time to start others.
fn too_few_tasks(view: &View<'_>, own: &ServiceDeployment) -> Option<Cause> {
    let since = view.watch.short_since?;
    let [wanted, running, _] = own.tasks;
    let least = view.watch.steady.1;
    // Read again since.
    let is_unanswered = is_unanswered(view, own)
        && view.world.targets_answered().is_some_and(|read| read.aws > since);
    let limit = match running {
        // ECS is about to stop the old tasks.
        0 if bake_ends(view, Duration::ZERO) => Duration::ZERO,
        0 => LOOK_TWICE,
        _ if is_unanswered && bake_ends(view, Duration::ZERO) => Duration::ZERO,
        _ if is_unanswered => LOOK_TWICE,
        _ if failed_since(view).next().is_some() => judge::SHORT_FOR,
        _ => REPLACED_WITHIN,
    };
    (view.since(since) >= limit).then(|| match is_unanswered && running >= least {
        true => nothing_healthy(view, wanted),
        false => too_few(view, running, wanted),
    })
}

fn nothing_healthy(view: &View<'_>, wanted: u32) -> Cause {
    Cause::TooFewHealthy { service: view.record.green.clone(), healthy: 0, wanted }
}

/// Tasks that failed since users reach the new revision.
fn failed_since<'a>(view: &View<'a>) -> impl Iterator<Item = &'a TaskFailure> {
    let since = view.watch.serves_since;
    let counts = move |one: &&TaskFailure| {
        let late = one.ended.zip(since).is_some_and(|(ended, since)| ended >= since);
        late && one.outlook != Outlook::Passing
    };
    view.watch.failures.iter().filter(counts)
}

/// As many tasks failed at a time as there were: nothing answered then, though no look came.
fn all_failed(view: &View<'_>) -> Option<Cause> {
    let failures: Vec<&TaskFailure> = failed_since(view).collect();
    let wanted = view.watch.most_wanted.max(1);
    let together = |one: &&&TaskFailure| {
        let near = |other: &&&TaskFailure| {
            let apart = one.ended.zip(other.ended);
            apart.is_some_and(|(one, other)| {
                one <= other && other.duration_since(one).is_ok_and(|apart| apart <= TOGETHER)
            })
        };
        failures.iter().filter(near).count() >= wanted as usize
    };
    let task = (**failures.iter().find(together)?).clone();
    let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    Some(Cause::Tasks { count, task, repeated: count > 1, grace: None })
}

fn too_few(view: &View<'_>, running: u32, wanted: u32) -> Cause {
    let (service, task) = (view.record.green.clone(), view.watch.failures.last().cloned());
    Cause::TooFewTasks { service, running, wanted, task }
}

/// No target of the service is healthy, and the rules are not to blame: each leads to one of its groups.
pub fn answers_nowhere(view: &View<'_>) -> Option<Cause> {
    let service = view.green().filter(|service| service.desired > 0 && service.is_advanced())?;
    let leads = |(attachment, rule): (&Attachment, Option<&Rule>)| {
        let other = attachment.advanced.as_ref().map(|advanced| &advanced.alternate);
        let own = [Some(&attachment.group), other];
        rule.is_some_and(|rule| matches!(&serving(rule)[..], [one] if own.contains(&Some(one))))
    };
    production_rules(&view.world.rules, service).into_iter().all(leads).then_some(())?;
    let mut targets = service.groups().map(|group| view.world.targets(group));
    targets.all(|all| all.is_some_and(|all| !all.iter().any(Target::is_healthy))).then_some(())?;
    let running = service.primary().map_or(0, |one| one.running);
    Some(match running < service.desired {
        true => too_few(view, running, service.desired),
        false => any_sick(view, service).unwrap_or_else(|| nothing_healthy(view, service.desired)),
    })
}

/// Whether ECS counts more failed tasks than were read.
pub(super) fn has_lost_tasks(view: &View<'_>, own: &ServiceDeployment) -> bool {
    own.failed as usize > view.watch.failures.len() && !view.watch.tasks_denied
}
