//! Back to one service of a pair, on what the rules show alone: where no record says what served.

use super::checks::pair;
use super::listener::record;
use super::{Identity, Sides, Survey};
use crate::event::Refusal;
use crate::event::refusal::ServiceRefused;
use crate::model::arn::short;
use crate::model::rule::green_per_mille;
use crate::model::world::Service;
use crate::record::{Heading, Reason, Record};
use crate::request::Request;
use crate::route::shifted;

/// As many lines of its history as ECS keeps of a service (API reference of Service).
const HISTORY: usize = 100;

impl Survey {
    /// Whether a service of that name is one of the pair.
    pub fn names(&self, service: &str) -> bool {
        self.twin.as_deref().is_some_and(|twin| twin == service || self.service == service)
    }
}

/// What gives `service` all the traffic and empties the other one: a record that no revision carries,
/// with the heading back. `None`: that is how it is.
pub fn back_to(
    service: &str,
    survey: &Survey,
    identity: &Identity,
) -> Result<Option<Record>, Refusal> {
    let sides = pair::sides_back(survey, service)?;
    if serves_alone(survey, &sides) {
        return Ok(None);
    }
    startable(survey, &sides)?;
    let request = Request::back(&survey.cluster, service, Some(&sides.green.name));
    let record = record(&request, survey, &sides, String::new(), identity);
    Ok(Some(Record {
        revision: sides.green.revision.clone(),
        count: sides.blue.desired.max(1),
        // A side that was kept is to take all the traffic of one that is well: what it runs now is no measure.
        had: record.had.filter(|_| survey.kept().is_none()),
        // Whoever gives green a share meanwhile is somebody else.
        shares: vec![],
        heading: Heading::Back(Reason::Asked),
        to: Some(0),
        ..record
    }))
}

/// The revision whose tasks ECS replaces right now, where it is one that ECS had completed: what served before,
/// without a record. Of a deployment whose traffic ECS shifts, ECS has a record of its own.
pub fn replaced(service: &Service) -> Option<String> {
    if service.strategy() != "ROLLING" {
        return None;
    }
    let primary = service.primary().filter(|one| one.rollout.as_deref() == Some("IN_PROGRESS"))?;
    let others = service.deployments.iter().filter(|one| one.revision != primary.revision);
    let mut completed = others.filter(|one| one.rollout.as_deref() == Some("COMPLETED"));
    let (Some(old), None) = (completed.next(), completed.next()) else { return None };
    Some(old.revision.clone())
}

fn serves_alone(survey: &Survey, sides: &Sides<'_>) -> bool {
    let world = &survey.world;
    let has_all =
        shifted(world, &sides.pairs).all(|r| green_per_mille(&r.actions, &sides.pairs) == Some(0));
    let whole = sides.blue.desired > 0
        && sides.blue.running >= sides.blue.desired
        && world.healthy(sides.blue).is_some_and(|one| one >= sides.blue.desired as usize);
    has_all && whole && sides.green.desired == 0
}

/// Whether it can be had back: what it is on is known, has run, and can be started.
fn startable(survey: &Survey, sides: &Sides<'_>) -> Result<(), Refusal> {
    let blue = sides.blue;
    let (service, cluster) = (blue.name.clone(), survey.cluster_name().to_owned());
    if blue.deployments.len() > 1 {
        return Err(Refusal::new(ServiceRefused::BeingDeployed {
            service,
            cluster,
            serves: false,
            old: None,
        }));
    }
    if never_ran(blue) {
        return Err(Refusal::new(ServiceRefused::NeverRan { service, cluster }));
    }
    let revision = survey.revisions.get(&blue.revision);
    let enough = blue.desired >= sides.green.desired.max(1);
    if !enough && !revision.is_some_and(|revision| revision.active) {
        let name = short(&blue.revision);
        return Err(Refusal::new(ServiceRefused::OnInactive {
            service,
            revision: name.to_owned(),
        }));
    }
    Ok(())
}

/// Nothing runs, and a history that is known from its beginning tells of no task.
fn never_ran(service: &Service) -> bool {
    let of_tasks = |message: &str| message.contains(" task") || message.contains(" targets in ");
    service.desired == 0
        && service.running == 0
        && service.events.len() < HISTORY
        && !service.events.iter().any(|event| of_tasks(&event.message))
}
