//! Service events: newest first, at most 100; a message whose cause still holds is not said again for
//! six hours (Amazon ECS Developer Guide, "Amazon ECS service event messages").

use std::time::Duration;

use crate::{
    journal::Change,
    state::{Here, ecs::Event},
};

const SILENCE: Duration = Duration::from_secs(6 * 3600);

/// Says `(service <name>) <what>`.
pub(super) fn say(here: &mut Here<'_>, service: &str, what: &str) {
    let now = here.now();
    let id = here.shared.ids.uuid();
    let Some(found) = here.region.ecs.services.get_mut(service) else { return };
    // The message about draining names the task set inside the first parentheses.
    let message = match what.strip_prefix(", ") {
        Some(rest) => format!("(service {}, {rest}", found.name),
        None => format!("(service {}) {what}", found.name),
    };
    found.events.insert(0, Event { id, at: now, message: message.clone() });
    found.events.truncate(100);
    here.note(Change::Event { service: service.to_owned(), message });
}

/// Says it, unless it was said already and its cause still holds.
pub(super) fn complain(here: &mut Here<'_>, service: &str, what: &str) {
    let now = here.now();
    let Some(found) = here.region.ecs.services.get_mut(service) else { return };
    if found.said.get(what).is_none_or(|said| now - *said >= SILENCE) {
        found.said.insert(what.to_owned(), now);
        say(here, service, what);
    }
}

/// The cause of messages that contain `what` is gone: they may be said again.
pub(super) fn cleared(here: &mut Here<'_>, service: &str, what: &str) {
    if let Some(found) = here.region.ecs.services.get_mut(service) {
        found.said.retain(|message, _| !message.contains(what));
    }
}

/// `(task a) (task b)`
pub(super) fn tasks(ids: &[String]) -> String {
    ids.iter().map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}
