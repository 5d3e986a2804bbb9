//! A revision that is registered for its own sake: no deployment is about it, so it carries no record.

use std::collections::BTreeMap;

use backon::BackoffBuilder;

use tokio::sync::watch;

use super::look::digests;
use crate::aws::Aws;
use crate::call::Call;
use crate::clock::Clock;
use crate::drive::backoff::{LOOK_TWICE, backoff};
use crate::drive::interrupt::Registration;
use crate::error::{Failure, FailureKind};
use crate::event::refusal::DefinitionRefused;
use crate::event::{Error, Refusal, Warning};
use crate::model::arn::short;
use crate::model::diff::lost;
use crate::model::revision::Revision;
use crate::plan::clone::{Changes, clone_request, own_tags};
use crate::plan::{self, Wanted, not_cloned};
use crate::request::edits::Edits;
use crate::request::image::ImageChange;

/// A revision that was registered.
#[derive(Debug)]
pub struct New {
    /// It.
    pub revision: Revision,
    /// The name of the one that it is a clone of.
    pub base: String,
    /// What it has that its original has not.
    pub changes: Changes,
    /// What could not be checked or copied.
    pub warnings: Vec<Warning>,
}

/// Registers a clone of a file's task definition, or of the newest of a family, with these changes.
pub async fn new_revision(
    aws: &Aws,
    clock: Clock,
    interrupts: &watch::Receiver<u32>,
    family: Option<&str>,
    images: &[ImageChange],
    edits: &Edits,
) -> Result<New, Error> {
    let registration = Registration::default();
    let registering = new(aws, clock, &registration, family, images, edits);
    registration.or_undone(interrupts, aws, registering).await
}

async fn new(
    aws: &Aws,
    clock: Clock,
    registration: &Registration,
    family: Option<&str>,
    images: &[ImageChange],
    edits: &Edits,
) -> Result<New, Error> {
    let base = match (&edits.file, family) {
        (Some(file), _) => file.clone(),
        (None, family) => aws.known_revision(family.unwrap_or_default()).await?,
    };
    let wanted = Wanted::of(base, images, edits)?;
    let digests = digests(aws, &wanted).await?;
    wanted.check(&digests)?;
    wanted.fits()?;
    let mut warnings = plan::unchecked(&wanted.images, &digests);
    let changes = wanted.changes();
    let (revision, untagged) = register(aws, clock, registration, &wanted.base, &changes).await?;
    if untagged {
        warnings.push(Warning::TagsNotCopied);
    }
    Ok(New { revision, base: wanted.base.name, changes, warnings })
}

/// Registers a clone of `base` and reads it back; what AWS did not keep as it was sent is
/// deregistered. Says whether the tags had to be left out.
pub async fn register(
    aws: &Aws,
    clock: Clock,
    registration: &Registration,
    base: &Revision,
    changes: &Changes,
) -> Result<(Revision, bool), Error> {
    let unwritable = |error| not_cloned(base, &error);
    let plain = clone_request(&base.raw, changes, &BTreeMap::new()).map_err(unwritable)?;
    let tagged = clone_request(&base.raw, changes, &own_tags(&base.tags)).map_err(unwritable)?;
    let (arn, untagged) = match once(aws, clock, registration, base.family(), &tagged).await {
        // Tags need a permission of their own.
        Err(error) if error.denies(Call::TagResource) => {
            (once(aws, clock, registration, base.family(), &plain).await?, true)
        }
        answer => (answer?, false),
    };
    let revision = aws.revision(&arn).await?;
    let missing = lost(&plain, &revision.raw).map_err(unwritable)?;
    if missing.is_empty() {
        return Ok((revision, untagged));
    }
    aws.deregister(&arn).await?;
    registration.is_settled(&arn);
    let revision = short(&arn).to_owned();
    Err(Refusal::new(DefinitionRefused::NotKept { revision, lost: missing }).into())
}

/// RegisterTaskDefinition takes no client token: after a lost answer a revision is looked for that was
/// not there before and is as it was sent, before it is registered anew.
async fn once(
    aws: &Aws,
    clock: Clock,
    registration: &Registration,
    family: &str,
    body: &str,
) -> Result<String, Failure> {
    let before = aws.newest(family, 5).await?;
    let mut waits = backoff().build();
    loop {
        let error = match registration.send(aws, family, body.to_owned()).await {
            Ok(arn) => return Ok(arn),
            Err(error) => error,
        };
        match error.kind {
            FailureKind::Throttled | FailureKind::Unreachable => {}
            FailureKind::Unknown => {
                for _ in 0..2 {
                    clock.sleep(LOOK_TWICE).await;
                    for arn in aws.newest(family, 5).await? {
                        let new = !before.contains(&arn);
                        let same = |found: &Revision| {
                            lost(body, &found.raw).is_ok_and(|missing| missing.is_empty())
                        };
                        if new && same(&aws.revision(&arn).await?) {
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
