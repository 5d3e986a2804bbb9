//! What happens by itself: each kind of timer, and the service that it belongs to.

use crate::{
    autoscaling, ecs, elb, logs,
    state::{Here, timers::Due},
};

/// Lets something that is due happen.
pub(super) fn happen(here: &mut Here<'_>, due: Due) {
    match due {
        Due::Task { task, turn } => ecs::task::turn(here, &task, turn),
        Due::Exit { task, container } => ecs::task::exit(here, &task, container),
        Due::Awaited { task } => ecs::depend::look(here, &task),
        Due::Deleted { definition } => ecs::definition::deleted(here, &definition),
        Due::ContainerCheck { task, container } => ecs::task::check(here, &task, container),
        Due::Line { task, container, line } => ecs::logging::line(here, &task, container, line),
        Due::Logged(written) => logs::arrive(here, written),
        Due::Forget { task } => ecs::task::forget(here, &task),
        Due::Schedule { service } => ecs::scheduler::run(here, &service),
        Due::Check { group, target, registration } => {
            elb::health::check(here, &group, &target, registration)
        }
        Due::Drained { group, target, registration } => {
            elb::health::drained(here, &group, &target, registration)
        }
        Due::Propagated { rule, node, version } => {
            elb::rule::propagated(here, &rule, node, version)
        }
        Due::Scale { target } => autoscaling::track::look(here, &target),
        Due::Scheduled { target, action, schedule } => {
            autoscaling::scheduled::come(here, &target, &action, &schedule)
        }
    }
}
