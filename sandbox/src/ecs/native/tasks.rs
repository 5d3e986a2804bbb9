//! How many tasks each revision of a service has while traffic shifts from one to the other. Tasks that
//! die are replaced on both sides.

use super::{super::dispatch, super::scheduler, newest};
use crate::{
    state::{
        Here,
        ecs::{Course, Native, Service, Stage},
    },
    unverified::CountFollows,
};

/// What a revision should have.
#[derive(Clone, Copy)]
enum Wanted {
    /// So many tasks.
    Tasks(u32),
    /// No more than it has, and not more than so many.
    AtMost(u32),
}

/// Starts what is missing, stops what is too much.
pub(super) fn keep(here: &mut Here<'_>, arn: &str) {
    let Some((service, _, native)) = newest(here, arn) else { return };
    if native.course == Course::Done {
        return;
    }
    let follows = here.shared.unverified.count_follows;
    let waits = service.back_off.is_some_and(|until| until > here.now());
    let plan: Vec<(usize, String, Wanted)> = service
        .deployments
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let wanted = match at {
                0 => target(service, native, follows),
                _ => older(service, native, follows, &one.id),
            };
            (at, one.id.clone(), wanted)
        })
        .collect();
    for (at, id, wanted) in plan {
        let seen = scheduler::view(here, arn).live;
        let own = seen.iter().filter(|one| one.deployment == id).count();
        let (Wanted::Tasks(most) | Wanted::AtMost(most)) = wanted;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if own > most {
            let stops = scheduler::excess(&seen, &id, most);
            dispatch::stop(here, arn, &stops);
        } else if matches!(wanted, Wanted::Tasks(_)) && own < most && !(at == 0 && waits) {
            dispatch::start(here, arn, at, most - own);
        }
    }
}

fn follows(own: CountFollows, which: CountFollows, service: &Service, planned: u32) -> u32 {
    if own == CountFollows::Both || own == which { service.desired } else { planned }
}

/// The target revision.
fn target(service: &Service, native: &Native, own: CountFollows) -> Wanted {
    let count = follows(own, CountFollows::Target, service, native.planned);
    match native.course {
        Course::Forward if native.stage.is_some_and(|stage| stage >= Stage::ScaleUp) => {
            Wanted::Tasks(count)
        }
        Course::BackProduction | Course::BackTest | Course::Stalled => Wanted::AtMost(count),
        Course::Settling => Wanted::Tasks(service.desired),
        Course::Forward | Course::BackTasks | Course::Done => Wanted::Tasks(0),
    }
}

/// A revision that was there before.
fn older(service: &Service, native: &Native, own: CountFollows, id: &str) -> Wanted {
    let forward = native.course == Course::Forward;
    let stage = native.stage.filter(|_| forward);
    let is_source = native.source.as_deref() == Some(id);
    if stage == Some(Stage::CleanUp) || (stage == Some(Stage::ReconcileService) && !is_source) {
        return Wanted::Tasks(0);
    }
    let kept = native.kept.iter().find(|(own, _)| own == id).map_or(0, |(_, count)| *count);
    match is_source {
        true => Wanted::Tasks(follows(own, CountFollows::Source, service, kept)),
        false => Wanted::AtMost(kept),
    }
}

/// The target revision runs as often as it should, and is healthy.
pub(super) fn scaled_up(here: &Here<'_>, arn: &str) -> bool {
    let Some((service, _, native)) = newest(here, arn) else { return false };
    let Some(id) = service.deployments.first().map(|one| one.id.as_str()) else { return false };
    let wanted = match target(service, native, here.shared.unverified.count_follows) {
        Wanted::Tasks(count) | Wanted::AtMost(count) => {
            usize::try_from(count).unwrap_or(usize::MAX)
        }
    };
    let seen = scheduler::view(here, arn).live;
    let own: Vec<_> = seen.iter().filter(|one| one.deployment == id).collect();
    own.len() == wanted && own.iter().all(|one| one.healthy)
}

/// No older deployment but the source has tasks that run or drain.
pub(super) fn only_source(here: &Here<'_>, arn: &str) -> bool {
    let Some((service, _, native)) = newest(here, arn) else { return false };
    let mut older = service.deployments.iter().skip(1);
    older.all(|one| Some(&one.id) == native.source.as_ref() || gone(here, service, &one.id))
}

/// No older deployment has tasks that run or drain.
pub(super) fn only_target(here: &Here<'_>, arn: &str) -> bool {
    let Some((service, ..)) = newest(here, arn) else { return false };
    service.deployments.iter().skip(1).all(|one| gone(here, service, &one.id))
}

/// The target revision has no tasks that run or drain.
pub(super) fn no_target(here: &Here<'_>, arn: &str) -> bool {
    let Some((service, ..)) = newest(here, arn) else { return false };
    service.deployments.first().is_none_or(|one| gone(here, service, &one.id))
}

fn gone(here: &Here<'_>, service: &Service, id: &str) -> bool {
    let mut tasks = service.tasks.iter().filter_map(|arn| here.region.ecs.tasks.get(arn));
    !tasks.any(|task| {
        task.started_by.as_deref() == Some(id)
            && (task.wanted() || task.last_status == "DEACTIVATING")
    })
}
