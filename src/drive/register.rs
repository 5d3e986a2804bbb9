//! Registers what a plan says, and finds it again after a lost answer.

use std::collections::BTreeMap;

use backon::BackoffBuilder;

use super::Setting;
use super::backoff::{LOOK_TWICE, backoff};
use super::interrupt::Registration;
use crate::aws::Aws;
use crate::call::Call;
use crate::clock::Clock;
use crate::error::{Failure, FailureKind};
use crate::event::refusal::DefinitionRefused;
use crate::event::{Error, Event, Kind, NoRecord, Refusal, Then, Warning};
use crate::model::arn::{family, short};
use crate::model::diff::lost;
use crate::model::revision::Revision;
use crate::plan::{Plan, Tags, not_cloned};
use crate::record::{Closed, End, Record};
use crate::request::WaitFor;

/// Where the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// In tags.
    Tags,
    /// In tags, as it was before we changed it.
    OlderTags,
    /// In memory only.
    Memory,
}

fn warn(setting: &Setting<'_>, emit: &mut dyn FnMut(Event), warning: Warning) {
    setting.tell(emit, Kind::Warning(warning));
}

/// Registers the planned revision and reads it back. On the way out nothing is left that serves or
/// could: a revision that AWS did not keep as it was sent is deregistered.
pub async fn register(
    setting: &Setting<'_>,
    plan: &Plan,
    registration: &Registration,
    emit: &mut dyn FnMut(Event),
) -> Result<(Record, Kept), Error> {
    let mut record = plan.record.clone();
    if let Some(body) = &plan.way_back {
        let family = family(&record.from);
        let is_it = |found: &Revision| is_since(found, plan) && is_as_sent(found, body);
        let (aws, clock) = (setting.aws, setting.clock);
        record.from = register_once(aws, clock, registration, family, body, is_it).await?;
    }
    if plan.record.is_restart() {
        return Ok((record, Kept::Memory));
    }
    let copy = plan.way_back.as_ref().map(|_| record.from.clone());
    let registered = clone(setting, &Plan { record, ..plan.clone() }, registration, emit).await;
    if let (Err(_), Some(copy)) = (&registered, copy)
        && deregister(setting, &copy, emit).await
    {
        registration.settle(&copy);
    }
    registered
}

/// Takes a revision of ours out of use that nothing runs. Whether it is; where it is not, that is said.
pub async fn deregister(setting: &Setting<'_>, arn: &str, emit: &mut dyn FnMut(Event)) -> bool {
    let Err(error) = setting.aws.deregister(arn).await else { return true };
    let then = Then::StaysRegistered { revision: short(arn).to_owned() };
    warn(setting, emit, Warning::CallFailed { failure: error, then });
    false
}

/// Takes the revision out of use of a deployment that changed nothing. Whether it is; where it is not, its record
/// is closed: an open one would be in the next deployment's way.
pub async fn withdraw(
    setting: &Setting<'_>,
    record: &Record,
    kept: Kept,
    emit: &mut dyn FnMut(Event),
) -> bool {
    // A restart registered nothing.
    if record.is_restart() {
        return true;
    }
    if kept == Kept::Memory {
        return deregister(setting, &record.revision, emit).await;
    }
    let Err(error) = setting.aws.deregister(&record.revision).await else { return true };
    let closed = Some(Closed { end: End::WentBack, at: setting.aws.date() });
    // Nothing was written into the service's settings.
    let closed = Record { closed, ..record.clone() }.tidied();
    let mut waits = backoff().with_max_times(3).build();
    let open = loop {
        match setting.aws.write(&closed).await {
            Ok(()) => break None,
            Err(unwritten) => match waits.next().filter(|_| unwritten.passes()) {
                Some(wait) => setting.clock.sleep(wait).await,
                None => break Some(Box::new(unwritten)),
            },
        }
    };
    let then = Then::Withdrawn { revision: record.name().to_owned(), open };
    warn(setting, emit, Warning::CallFailed { failure: error, then });
    false
}

/// Registers the clone.
async fn clone(
    setting: &Setting<'_>,
    plan: &Plan,
    registration: &Registration,
    emit: &mut dyn FnMut(Event),
) -> Result<(Record, Kept), Error> {
    let unwritable = |error| not_cloned(&plan.base, &error);
    // Nobody goes on with what nobody watches.
    let watched = plan.record.until != WaitFor::Accepted;
    let unkept = plan.without_record().filter(|_| watched);
    let mut tags = match watched && unkept.is_none() {
        true => Tags::WithRecord,
        false => Tags::Own,
    };
    if let Some(why) = unkept {
        warn(setting, emit, Warning::NoRecord { why });
    }
    let arn = loop {
        let body = plan.registration(tags).map_err(unwritable)?;
        let (aws, clock) = (setting.aws, setting.clock);
        let family = plan.base.family();
        let is_it = |found: &Revision| is_planned(found, plan);
        let sent = register_once(aws, clock, registration, family, &body, is_it).await;
        let error = match sent {
            Ok(arn) => match may_tag(setting, plan, &arn, tags).await {
                Ok(()) => break arn,
                Err(error) => {
                    // A record that can never be closed would stand in every next deployment's way.
                    let record = Record { revision: arn.clone(), ..plan.record.clone() };
                    if withdraw(setting, &record, Kept::Tags, emit).await {
                        registration.settle(&arn);
                    }
                    error
                }
            },
            Err(error) => error,
        };
        // Tags need a permission of their own.
        let about_tags = error.denies(Call::TagResource);
        if tags == Tags::None || !about_tags {
            return Err(error.into());
        }
        tags = Tags::None;
        warn(setting, emit, Warning::NoRecord { why: NoRecord::Denied });
    };
    let kept = if tags == Tags::WithRecord { Kept::Tags } else { Kept::Memory };
    let record = Record { revision: arn.clone(), ..plan.record.clone() };
    if let Err(error) = read_back(setting, plan, &arn).await {
        if withdraw(setting, &record, kept, emit).await {
            registration.settle(&arn);
        }
        return Err(error);
    }
    let kind = Kind::Registered {
        revision: short(&arn).to_owned(),
        arn: arn.clone(),
        current: plan.record.was.clone(),
        base: plan.base.name.clone(),
        images: plan.changes.images.clone(),
        replaced: replaced(plan),
        edits: plan.changes.shown_edits(),
    };
    emit(Event { at: setting.clock.now(), kind });
    Ok((record, kept))
}

/// The images of the original that its copy has others for.
fn replaced(plan: &Plan) -> BTreeMap<String, String> {
    let is_new = |(name, _): &&(String, String)| plan.changes.images.contains_key(name);
    plan.base.containers.iter().filter(is_new).cloned().collect()
}

/// A revision that was just registered. One answer says nothing about it: reads lag behind, so "no such task
/// definition" is asked again too.
pub async fn just_registered(aws: &Aws, clock: Clock, arn: &str) -> Result<Revision, Failure> {
    let mut waits = backoff().with_max_times(3).build();
    loop {
        match aws.revision(arn).await {
            Ok(revision) => return Ok(revision),
            Err(error) => match waits.next() {
                Some(wait) => clock.sleep(wait).await,
                None => return Err(error),
            },
        }
    }
}

/// Whether AWS kept the revision as it was sent.
async fn read_back(setting: &Setting<'_>, plan: &Plan, arn: &str) -> Result<(), Error> {
    let unwritable = |error| not_cloned(&plan.base, &error);
    let revision = just_registered(setting.aws, setting.clock, arn).await?;
    let wanted = plan.registration(Tags::None).map_err(unwritable)?;
    let missing = lost(&wanted, &revision.raw).map_err(unwritable)?;
    if missing.is_empty() {
        return Ok(());
    }
    let revision = short(arn).to_owned();
    Err(Refusal::new(DefinitionRefused::NotKept { revision, lost: missing }).into())
}

/// Whether the record can be written later on: found out before anything else is changed.
async fn may_tag(setting: &Setting<'_>, plan: &Plan, arn: &str, tags: Tags) -> Result<(), Failure> {
    if tags != Tags::WithRecord {
        return Ok(());
    }
    let record = Record { revision: arn.to_owned(), ..plan.record.clone() };
    match setting.aws.try_tags(&record).await {
        Err(error) if error.kind == FailureKind::Denied => Err(error),
        // The first write of the deployment says what is the matter.
        _ => Ok(()),
    }
}

/// Registers a revision. RegisterTaskDefinition takes no client token: after a lost answer the newest ones of the
/// family are asked whether one of them `is_it`, before it is registered anew.
pub async fn register_once(
    aws: &Aws,
    clock: Clock,
    registration: &Registration,
    family: &str,
    body: &str,
    is_it: impl Fn(&Revision) -> bool,
) -> Result<String, Failure> {
    let mut waits = backoff().build();
    loop {
        let error = match registration.send(aws, family, body.to_owned()).await {
            Ok(arn) => return Ok(arn),
            Err(error) => error,
        };
        match error.kind {
            FailureKind::Throttled | FailureKind::Unreachable => {}
            // The answer may hide a success.
            FailureKind::Unknown => {
                for _ in 0..2 {
                    clock.sleep(LOOK_TWICE).await;
                    for arn in aws.newest(family, 5).await? {
                        if is_it(&aws.revision(&arn).await?) {
                            registration.found(&arn);
                            return Ok(arn);
                        }
                    }
                }
            }
            _ => return Err(error),
        }
        match waits.next() {
            Some(wait) => clock.sleep(wait).await,
            None => return Err(error),
        }
    }
}

/// Whether a revision carries our record; or where tags may not be written, was registered since and is what was
/// sent.
fn is_planned(found: &Revision, plan: &Plan) -> bool {
    match Record::from_tags(&found.arn, &found.tags) {
        Some(record) => record.is_ok_and(|record| record.id == plan.record.id),
        None => {
            let sent = plan.registration(Tags::None);
            is_since(found, plan) && sent.is_ok_and(|sent| is_as_sent(found, &sent))
        }
    }
}

fn is_since(found: &Revision, plan: &Plan) -> bool {
    found.registered.is_some_and(|at| at >= plan.record.start)
}

/// Whether a revision has all that was sent.
pub fn is_as_sent(found: &Revision, body: &str) -> bool {
    lost(body, &found.raw).is_ok_and(|missing| missing.is_empty())
}
