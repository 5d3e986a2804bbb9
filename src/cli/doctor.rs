//! `doctor`: what is wrong with a service, before a deployment finds out.

use clap::Args;

use super::Globals;
use super::context::Context;
use super::deploy::Arguments;
use crate::drive::OnCancel;
use crate::drive::interrupt::or_interrupted;
use crate::event::{Error, Level};
use crate::host::Host;
use crate::ops::doctor::doctor;
use crate::render::Render;

/// Find what would make a deployment fail, before it starts.
///
/// Also finds what makes deployments slow or surprising, and says how to fix each. Takes the options of `deploy`.
/// Changes nothing.
#[derive(Debug, Args)]
#[command(
    before_help = EXAMPLES,
    after_help = EXIT_CODES,
    override_usage = "ecs-bg doctor --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Doctor {
    #[command(flatten)]
    all: Arguments,
    /// Exit with 1 if there are warnings
    #[arg(long)]
    strict: bool,
}

const EXAMPLES: &str = "\
Examples:
  ecs-bg doctor --cluster shop --service api
  ecs-bg doctor --cluster shop --service api --tag 2 --strict";

const EXIT_CODES: &str = "\
Exit codes:
  0    a deployment can start
  1    it can, and there are warnings (with --strict)
  3    it would be refused, or the service cannot be read

DURATION: 90s, 15m or 1h30m; a number without a unit is seconds";

pub(super) async fn run(
    arguments: Doctor,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Doctor { all, strict } = arguments;
    let request = all.request(true, render)?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let setting = context.setting(&request.cluster, OnCancel::Rollback);
    let examining = doctor(&request, &setting);
    let examined = or_interrupted(&setting.interrupts, examining).await;
    let (survey, report) = context.finish(&request.cluster, examined).await?;
    render.doctor(&survey, &report, &context.aws.calls());
    Ok(match (report.count(Level::Error), report.count(Level::Warning)) {
        (1.., _) => 3,
        (0, 1..) if strict => 1,
        _ => 0,
    })
}
