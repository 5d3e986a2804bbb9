//! A revision that is registered for its own sake: no deployment is about it, so it carries no record.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::look::digests;
use crate::aws::Aws;
use crate::call::Call;
use crate::clock::Clock;
use crate::drive::interrupt::Registration;
use crate::drive::register::{is_as_sent, just_registered, register_once};
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
    let family = base.family();
    let before = aws.newest(family, 5).await?;
    let once = async |body: &str| {
        let is_it = |found: &Revision| !before.contains(&found.arn) && is_as_sent(found, body);
        register_once(aws, clock, registration, family, body, is_it).await
    };
    let (arn, untagged) = match once(&tagged).await {
        // Tags need a permission of their own.
        Err(error) if error.denies(Call::TagResource) => (once(&plain).await?, true),
        answer => (answer?, false),
    };
    let why = match just_registered(aws, clock, &arn).await {
        Ok(revision) => {
            let missing = lost(&plain, &revision.raw).map_err(unwritable)?;
            if missing.is_empty() {
                return Ok((revision, untagged));
            }
            let revision = short(&arn).to_owned();
            Refusal::new(DefinitionRefused::NotKept { revision, lost: missing }).into()
        }
        Err(failure) => Error::Aws(failure),
    };
    // Where that fails too, its error names the revision that stays.
    aws.deregister(&arn).await?;
    registration.settle(&arn);
    Err(why)
}
