//! `resume`, `rollback`, `abort`, `promote`: what a person may do with a deployment from any machine.

use clap::Args;

use super::context::Context;
use super::{Globals, Target};
use crate::drive::claim::OnConflict;
use crate::drive::{OnCancel, Setting};
use crate::error::Error;
use crate::host::Host;
use crate::ops::verbs::{self, Verb};
use crate::render::Render;

/// Go on with a deployment that was killed or stuck.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg resume --cluster shop --service web")]
pub(super) struct Resume {
    #[command(flatten)]
    target: Target,
    /// What to do about another process that drives it
    #[arg(long, value_enum, default_value_t = OnConflict::Refuse, value_name = "WHAT")]
    on_conflict: OnConflict,
    /// Where a rule shows a weight that the deployment did not write, go on from what the rules show
    #[arg(long)]
    accept_drift: bool,
}

/// Put the old version back: turn a deployment around, or deploy what served before it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg rollback --cluster shop --service web")]
pub(super) struct Rollback {
    #[command(flatten)]
    target: Target,
    /// What to go back to: either service of the pair, as it is and whatever the weights are, or a
    /// revision [default: the revision that served before]
    #[arg(long, value_name = "SERVICE|REVISION")]
    to: Option<String>,
}

/// Turn a deployment around that is under way.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg abort --cluster shop --service web")]
pub(super) struct Abort {
    #[command(flatten)]
    target: Target,
}

/// Skip the rest of the present hold.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg promote --cluster shop --service web")]
pub(super) struct Promote {
    #[command(flatten)]
    target: Target,
}

impl Target {
    fn pair(self) -> verbs::Target {
        let Self { cluster, service, twin } = self;
        verbs::Target { cluster, service, twin }
    }
}

impl Resume {
    /// What it asks for, and whether it goes on from what the rules show.
    pub(super) fn verb(self) -> (Verb, verbs::Target, bool) {
        let Self { target, on_conflict, accept_drift } = self;
        (Verb::Resume { on_conflict }, target.pair(), accept_drift)
    }
}

impl Rollback {
    pub(super) fn verb(self) -> (Verb, verbs::Target, bool) {
        // Back is where it goes from any weight.
        (Verb::Rollback { to: self.to }, self.target.pair(), true)
    }
}

impl Abort {
    pub(super) fn verb(self) -> (Verb, verbs::Target, bool) {
        (Verb::Abort, self.target.pair(), true)
    }
}

impl Promote {
    pub(super) fn verb(self) -> (Verb, verbs::Target, bool) {
        (Verb::Promote, self.target.pair(), false)
    }
}

pub(super) async fn run(
    (verb, target, accept_drift): (Verb, verbs::Target, bool),
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let context = Context::connect(globals, host).await?;
    context.check_region(&target.cluster)?;
    let setting = context.setting(&target.cluster, OnCancel::Rollback);
    let setting = Setting { accept_drift, ..setting };
    let mut emit = |event| render.event(&event);
    let result = verbs::run(&verb, &target, &setting, &mut emit).await;
    context.save()?;
    Ok(result?.exit_code)
}
