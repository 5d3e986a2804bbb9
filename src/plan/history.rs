//! The last deployments of a service or a pair, from the records that count and from what ECS keeps of its own
//! deployments. Pure.

use std::time::{Duration, SystemTime};

use super::Survey;
use super::trust::{Verdict, judge};
use crate::event::{IgnoredRecord, Warning};
use crate::model::service_deployment::{Past as PastOfEcs, Phase};
use crate::record::{End, Heading, Reason, Record};
use crate::request::EngineName;

/// ECS's and our clocks, and the time from a registration to its deployment, differ by no more than this.
const NEAR: Duration = Duration::from_secs(120);

/// A deployment.
#[derive(Debug)]
pub struct Past {
    /// `web:43`
    pub revision: String,
    /// The service that it was to run in.
    pub service: String,
    /// Names and images of its containers; none where the revision cannot be read any more.
    pub containers: Vec<(String, String)>,
    /// How it was deployed, where ecs-bg did it.
    pub engine: Option<EngineName>,
    /// By whom: the URL of a CI run, or user@host. Only records tell.
    pub by: Option<String>,
    /// When it began.
    pub begun: Option<SystemTime>,
    /// When it ended.
    pub ended: Option<SystemTime>,
    /// What became of it.
    pub became: Became,
    /// Why it rolled back, as its record says.
    pub reason: Option<Reason>,
    /// Why, in ECS's words.
    pub said: Option<String>,
}

/// What became of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// As its record says.
    Ended(End),
    /// Somebody drives it.
    InProgress,
    /// Nobody drives it any more.
    Unfinished,
    /// Another deployment took its place.
    Superseded,
    /// As ECS says, where there is no record.
    Ecs(Phase),
}

/// The last deployments, `most` of them, the newest first; and what is wrong with records. `told`: what ECS says
/// of each service.
pub fn deployments(
    survey: &Survey,
    mut told: Vec<(String, PastOfEcs)>,
    most: usize,
) -> (Vec<Past>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut deployments: Vec<Past> = Vec::new();
    for record in counted(survey, &mut warnings) {
        let own = told.iter().position(|(service, one)| is_of(service, one, &record));
        let said = own.map(|index| told.remove(index).1).and_then(why);
        told.retain(|(service, one)| !is_way_back(service, one, &record));
        deployments.push(recorded(survey, &record, said));
    }
    deployments.extend(told.into_iter().filter_map(|(service, one)| of_ecs(service, one)));
    deployments.sort_by_key(|one| std::cmp::Reverse(one.begun));
    deployments.truncate(most);
    (deployments, warnings)
}

/// The records that count; of the others, what is wrong with each.
fn counted(survey: &Survey, warnings: &mut Vec<Warning>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for (carrier, record) in survey.written() {
        match record.map(|record| (judge(survey, carrier, &record), record)) {
            // A registration whose answer was lost may have left the same record on two revisions.
            Ok((Verdict::Trusted, record)) if records.iter().any(|one| one.id == record.id) => {}
            Ok((Verdict::Trusted, record)) => records.push(record),
            Ok((Verdict::Ignored(why), _)) => {
                let carrier = carrier.name.clone();
                warnings.push(Warning::RecordIgnored(IgnoredRecord { carrier, why }));
            }
            Err(unreadable) => warnings.push(Warning::RecordUnreadable(unreadable)),
        }
    }
    records
}

/// Whether ECS speaks of the deployment that a record is about.
fn is_of(service: &str, one: &PastOfEcs, record: &Record) -> bool {
    service == record.green
        && one.revision.as_ref() == Some(&record.revision)
        && is_within(one, record)
}

/// Whether it is how that deployment was rolled back.
fn is_way_back(service: &str, one: &PastOfEcs, record: &Record) -> bool {
    (service == record.green || service == record.blue)
        && !record.forward()
        && one.revision.as_ref() == Some(&record.from)
        && is_within(one, record)
}

fn is_within(one: &PastOfEcs, record: &Record) -> bool {
    let end = record.closed.map_or(record.seen, |closed| closed.at) + NEAR;
    one.created.is_some_and(|at| at + NEAR >= record.start && at <= end)
}

fn recorded(survey: &Survey, record: &Record, said: Option<String>) -> Past {
    let became = match record.closed {
        Some(closed) => Became::Ended(closed.end),
        None if survey.overtaken().iter().any(|(other, _)| other.id == record.id) => {
            Became::Superseded
        }
        None if record.is_abandoned(survey.world.at) => Became::Unfinished,
        None => Became::InProgress,
    };
    Past {
        revision: record.revision.clone(),
        service: record.green.clone(),
        containers: vec![],
        engine: Some(record.engine()),
        by: Some(record.by.clone()).filter(|by| !by.is_empty()),
        begun: Some(record.start),
        ended: record.closed.map(|closed| closed.at),
        became,
        reason: match record.heading {
            Heading::Back(reason) => Some(reason),
            Heading::Overtaken => Some(Reason::Superseded),
            Heading::Forward => None,
        },
        // Where ecs-bg asked for the rollback, ECS says no more than that.
        said: said.filter(|_| record.heading == Heading::Back(Reason::EcsRollback)),
    }
}

/// Why ECS gave a deployment up. That another one began, or that it is complete, is no reason.
fn why(one: PastOfEcs) -> Option<String> {
    let phase = one.phase();
    one.reason.filter(|_| !matches!(phase, Phase::Successful | Phase::Stopped))
}

fn of_ecs(service: String, one: PastOfEcs) -> Option<Past> {
    let phase = one.phase();
    Some(Past {
        revision: one.revision?,
        service,
        containers: vec![],
        engine: None,
        by: None,
        begun: one.created,
        ended: one.finished,
        reason: None,
        said: one.reason.filter(|_| phase != Phase::Successful),
        became: Became::Ecs(phase),
    })
}
