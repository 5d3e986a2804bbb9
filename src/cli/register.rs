//! `register`: a new revision of a task definition, and nothing else.

use clap::Args;
use serde_json::json;

use super::Globals;
use super::changes::Changes;
use super::context::Context;
use super::deploy::digests;
use crate::edits::{Base, Edits, show};
use crate::error::{Error, Refusal};
use crate::host::Host;
use crate::image::ImageChange;
use crate::plan::{Digest, Wanted};
use crate::registration::register;
use crate::render::Render;
use crate::request::image_changes;

/// Register a revision of a task definition; deploy nothing.
///
/// Clones the newest ACTIVE revision of a family with the changes, or registers what is in a file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Register {
    /// Family whose newest ACTIVE revision is cloned, or FAMILY:REVISION
    #[arg(
        long,
        value_name = "FAMILY",
        required_unless_present = "task_definition",
        conflicts_with = "task_definition"
    )]
    family: Option<String>,
    #[command(flatten)]
    changes: Changes,
}

const EXAMPLE: &str = "\
Examples:
  ecs-bg register --family web --tag shop/web=2 --env web:LOG_LEVEL=debug
  ecs-bg register --task-definition task.json";

pub(super) async fn run(
    arguments: Register,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Register { family, changes } = arguments;
    let images = image_changes(&changes.images, &changes.tags).map_err(Error::Usage)?;
    let typed = changes.edits(Base::Service).map_err(Error::Usage)?;
    let edits = Edits::new(&typed).map_err(Error::Usage)?;
    if let Some(family) = family.as_ref().filter(|_| images.is_empty() && edits.is_empty()) {
        let what =
            format!("no image and no change: the revision would be like the last of {family}");
        return Err(Error::Usage(Refusal::new(what, "--image REPOSITORY:TAG")));
    }
    let context = Context::connect(globals, host).await?;
    let result = new_revision(&context, family.as_deref(), &images, &edits, render).await;
    context.save()?;
    result
}

async fn new_revision(
    context: &Context,
    family: Option<&str>,
    images: &[ImageChange],
    edits: &Edits,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let base = match (&edits.file, family) {
        (Some(file), _) => file.clone(),
        (None, family) => context.aws.known_revision(family.unwrap_or_default()).await?,
    };
    let wanted = Wanted::of(base, images, edits)?;
    let digests = digests(&context.aws, &wanted.images).await?;
    wanted.check(&digests)?;
    for (container, image) in wanted.images.iter().filter(|(_, image)| image.ecr().is_some()) {
        if let Some(Digest::Unknown(why)) = digests.get(container) {
            render
                .warn(&format!("image {image} was not checked ({why}); allow ecr:DescribeImages"));
        }
    }
    let changes = wanted.changes();
    let (new, untagged) = register(&context.aws, context.clock, &wanted.base, &changes).await?;
    if untagged {
        render.warn("the tags were not copied; allow ecs:TagResource");
    }
    let line = format!("{} like {}{}", new.name, wanted.base.name, changes.show());
    let document = json!({
        "revision": new.name,
        "arn": new.arn,
        "base": wanted.base.name,
        "images": changes.images,
        "edits": changes.edits.iter().map(show).collect::<Vec<_>>(),
    });
    render.done(&line, &document);
    Ok(0)
}
