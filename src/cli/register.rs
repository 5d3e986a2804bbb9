//! `register`: a new revision of a task definition, and nothing else.

use clap::Args;
use serde_json::json;

use super::Globals;
use super::changes::Changes;
use super::context::Context;
use crate::error::Usage;
use crate::event::Error;
use crate::host::Host;
use crate::ops::register::new_revision;
use crate::render::{Render, words};
use crate::request::edits::{Base, Edits};
use crate::request::image_changes;

/// Register a revision of a task definition; deploy nothing.
///
/// Copies the newest ACTIVE revision of a family with your changes, or registers a file.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLE, override_usage = "ecs-bg register (--family <FAMILY> | --task-definition <FILE>) [OPTIONS]")]
pub(super) struct Register {
    /// Copy the newest ACTIVE revision of this family, or FAMILY:REVISION
    #[arg(long, value_name = "FAMILY", conflicts_with = "task_definition")]
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
    if family.is_none() && changes.task_definition.is_none() {
        let hint = "--family FAMILY --tag TAG, or --task-definition FILE";
        return Err(Error::Usage(Usage::new("nothing to register: name a family or a file", hint)));
    }
    let images = image_changes(&changes.images, &changes.tags).map_err(Error::Usage)?;
    let typed = changes.edits(Base::Service, render).map_err(Error::Usage)?;
    let edits = Edits::new(&typed).map_err(Error::Usage)?;
    if let Some(family) = family.as_ref().filter(|_| images.is_empty() && edits.is_empty()) {
        let what =
            format!("no image and no change: the revision would be like the last of {family}");
        return Err(Error::Usage(Usage::new(
            what,
            "--tag TAG, or --image REGISTRY/REPOSITORY:TAG",
        )));
    }
    let context = Context::connect(globals, host).await?;
    let Context { aws, clock, interrupts, .. } = &context;
    let result = new_revision(aws, *clock, interrupts, family.as_deref(), &images, &edits).await;
    context.save()?;
    let new = result?;
    new.warnings.iter().for_each(|warning| render.warning(warning));
    let edits = new.changes.shown_edits();
    let with = words::with(&new.changes.images, &edits);
    let line = format!("{}: a copy of {}{with}", new.revision.name, new.base);
    let document = json!({
        "revision": new.revision.name,
        "arn": new.revision.arn,
        "base": new.base,
        "images": new.changes.images,
        "edits": edits,
    });
    render.done(&line, &document);
    Ok(0)
}
