//! Registers what a plan says, and finds it again after a lost answer.

use backon::BackoffBuilder;

use super::backoff::{LOOK_TWICE, backoff};
use super::interrupt::Registration;
use super::{Setting, warn};
use crate::aws::Aws;
use crate::call::Call;
use crate::error::{Error, Refusal};
use crate::error::{Failure, FailureKind};
use crate::event::{Event, Kind};
use crate::model::arn::short;
use crate::model::diff::lost;
use crate::plan::{Plan, Tags};
use crate::record::Record;
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
        let family = short(&record.from).rsplit_once(':').map_or("", |(family, _)| family);
        record.from = registration.send(setting.aws, family, body.clone()).await?;
    }
    if plan.record.is_restart() {
        return Ok((record, Kept::Memory));
    }
    let plan = &Plan { record, ..plan.clone() };
    let unwritable = |error: serde_json::Error| Refusal::new(error.to_string(), "ecs-bg status");
    // Nobody goes on with what nobody watches.
    let watched = plan.record.until != WaitFor::Accepted;
    let mut tags = match watched && plan.record_fits() {
        true => Tags::WithRecord,
        false => Tags::Own,
    };
    if tags == Tags::Own && watched {
        let what = "the record does not fit into tags beside this task definition's own: this run cannot be resumed";
        warn(setting, emit, what);
    }
    let arn = loop {
        let body = plan.registration(tags).map_err(unwritable)?;
        let error = match register_once(setting, plan, registration, body).await {
            Ok(arn) => match may_tag(setting, plan, &arn, tags).await {
                Ok(()) => break arn,
                Err(error) => {
                    // A record that can never be closed would stand in every next deployment's way.
                    setting.aws.deregister(&arn).await?;
                    registration.is_settled(&arn);
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
        let what = "no record is kept: this run cannot be resumed, tags are not copied; allow ecs:TagResource";
        warn(setting, emit, what);
    };
    let revision = setting.aws.revision(&arn).await?;
    let wanted = plan.registration(Tags::None).map_err(unwritable)?;
    let missing = lost(&wanted, &revision.raw).map_err(unwritable)?;
    if !missing.is_empty() {
        setting.aws.deregister(&arn).await?;
        registration.is_settled(&arn);
        let what =
            format!("AWS did not keep {} of {} as it was sent", missing.join(", "), short(&arn));
        return Err(Refusal::new(
            what,
            format!("aws ecs describe-task-definition --task-definition {}", short(&arn)),
        )
        .into());
    }
    let kind = Kind::Registered {
        revision: short(&arn).to_owned(),
        arn: arn.clone(),
        current: plan.record.was.clone(),
        base: plan.base.name.clone(),
        images: plan.changes.images.clone(),
        edits: plan.changes.edits.iter().map(crate::request::edits::show).collect(),
    };
    emit(Event { at: setting.clock.now(), kind });
    let kept = if tags == Tags::WithRecord { Kept::Tags } else { Kept::Memory };
    Ok((Record { revision: arn, ..plan.record.clone() }, kept))
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

/// RegisterTaskDefinition takes no client token: after a lost answer the revision is looked for by
/// the record's id before it is registered anew.
async fn register_once(
    setting: &Setting<'_>,
    plan: &Plan,
    registration: &Registration,
    body: String,
) -> Result<String, Failure> {
    let family = plan.base.family();
    let mut waits = backoff().build();
    loop {
        let error = match registration.send(setting.aws, family, body.clone()).await {
            Ok(arn) => return Ok(arn),
            Err(error) => error,
        };
        match error.kind {
            FailureKind::Throttled | FailureKind::Unreachable => {}
            FailureKind::Unknown => {
                for _ in 0..2 {
                    setting.clock.sleep(LOOK_TWICE).await;
                    if let Some(arn) = find(setting.aws, family, &plan.record.id).await? {
                        registration.found(&arn);
                        return Ok(arn);
                    }
                }
            }
            _ => return Err(error),
        }
        match waits.next() {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error),
        }
    }
}

async fn find(aws: &Aws, family: &str, id: &str) -> Result<Option<String>, Failure> {
    for arn in aws.newest(family, 5).await? {
        let revision = aws.revision(&arn).await?;
        let found = Record::from_tags(&arn, &revision.tags)
            .and_then(Result::ok)
            .is_some_and(|record| record.id == id);
        if found {
            return Ok(Some(arn));
        }
    }
    Ok(None)
}
