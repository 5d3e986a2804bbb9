//! The options that say how a revision differs from the one that it is a clone of, and the file that
//! may stand in that one's place.

use std::fs;

use clap::Args;

use crate::error::Usage;
use crate::render::Render;
use crate::request::edits::{self, Base, Hidden};
use crate::request::template::{decode, fill_in};

/// What the new revision changes.
#[derive(Debug, Args)]
pub(super) struct Changes {
    /// New image, for the container that uses its repository or for the named one; may be repeated
    #[arg(long = "image", value_name = "[CONTAINER=]IMAGE", help_heading = WHAT)]
    pub(super) images: Vec<String>,
    /// New tag, for the only repository that the task definition uses or for the named one; may be
    /// repeated
    #[arg(long = "tag", value_name = "[REPOSITORY=]TAG", help_heading = WHAT)]
    pub(super) tags: Vec<String>,
    /// Set a variable; may be repeated. Default container: the only one, or those whose image changes.
    /// Other users of this machine can see the value; put passwords in a secret
    #[arg(long, value_name = "[CONTAINER:]NAME=VALUE", help_heading = EDITS)]
    env: Vec<Hidden>,
    /// Set a variable from a secret of Secrets Manager or a parameter of the SSM Parameter Store; may
    /// be repeated
    #[arg(long, value_name = "[CONTAINER:]NAME=ARN", help_heading = EDITS)]
    secret: Vec<Hidden>,
    /// Remove a variable or secret; may be repeated
    #[arg(long, value_name = "[CONTAINER:]NAME", help_heading = EDITS)]
    unset_env: Vec<String>,
    /// CPU units (1024 are one vCPU) of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]UNITS", help_heading = EDITS)]
    cpu: Vec<String>,
    /// Memory in MiB of the task, or of a container
    #[arg(long, value_name = "[CONTAINER:]MIB", help_heading = EDITS)]
    memory: Vec<String>,
    /// Command, split into words as a shell would, or a JSON array; empty: the image's own
    #[arg(long, value_name = "[CONTAINER:]COMMAND", help_heading = EDITS)]
    command: Vec<Hidden>,
    /// Register this file instead of a copy: JSON as RegisterTaskDefinition takes it, where `${NAME}`
    /// and `${NAME:-DEFAULT}` are filled in from the environment (`$${` is a plain `${`), or as
    /// DescribeTaskDefinition prints it
    #[arg(long, value_name = "FILE", help_heading = EDITS)]
    pub(super) task_definition: Option<String>,
    /// Show the values of variables where names of changed ones are shown; those of secrets never
    #[arg(long, help_heading = EDITS)]
    show_env: bool,
}

/// The heading of what is deployed.
pub(super) const WHAT: &str = "What to deploy";
const EDITS: &str = "Task definition";

impl Changes {
    /// What was typed, with the file read.
    pub(super) fn edits(&self, from: Base, render: &Render<'_>) -> Result<edits::Typed, Usage> {
        let file = match &self.task_definition {
            None => None,
            Some(path) => Some((path.clone(), Hidden(read(path, render)?))),
        };
        Ok(edits::Typed {
            env: self.env.clone(),
            secrets: self.secret.clone(),
            unset: self.unset_env.clone(),
            cpu: self.cpu.clone(),
            memory: self.memory.clone(),
            commands: self.command.clone(),
            file,
            from,
            show_env: self.show_env,
        })
    }
}

/// A file with its variables filled in, which are told.
fn read(path: &str, render: &Render<'_>) -> Result<String, Usage> {
    let unread = |why: &str| {
        let what = format!("--task-definition: {path} cannot be read: {why}");
        Usage::new(what, format!("ls -l {path}"))
    };
    let bytes = fs::read(path).map_err(|error| unread(&error.to_string()))?;
    let text = decode(bytes).ok_or_else(|| unread("it is not UTF-8"))?;
    let filled = fill_in(path, &text, &|name| std::env::var_os(name))?;
    if !filled.names.is_empty() {
        let names = filled.names.into_iter().collect::<Vec<_>>().join(", ");
        render.note(&format!("filled in from the environment in {path}: {names}"));
    }
    Ok(filled.text)
}
