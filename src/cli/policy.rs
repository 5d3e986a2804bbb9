//! `iam-policy`: the permissions that deployments of a service need.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::deploy::WhichEngine;
use super::{Globals, Target};
use crate::drive::OnCancel;
use crate::event::Error;
use crate::host::Host;
use crate::ops::policy::least;
use crate::plan::policy::{Beside, deny};
use crate::render::Render;
use crate::request::{Request, Typed};

/// Print the least-privilege IAM policy for deployments of a service.
///
/// Reads the service, so that the policy names its rules, repositories and roles. Changes nothing. The output is
/// JSON.
#[derive(Debug, Args)]
#[command(
    before_help = EXAMPLES,
    override_usage = "ecs-bg iam-policy --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct IamPolicy {
    #[command(flatten)]
    target: Target,
    /// How to deploy
    #[arg(long, value_enum, default_value_t = WhichEngine::Auto, value_name = "ENGINE")]
    engine: WhichEngine,
    /// What else to allow: a list, for example tasks,doctor
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    with: Vec<With>,
    /// Print the policy for everybody else instead: it forbids to write the tags in which ecs-bg keeps its
    /// records
    #[arg(long, conflicts_with_all = ["engine", "with"])]
    deny: bool,
}

const EXAMPLES: &str = "\
Examples:
  ecs-bg iam-policy --cluster shop --service api > policy.json
  ecs-bg iam-policy --cluster shop --service api --with tasks,doctor
  ecs-bg iam-policy --cluster shop --service api --deny";

/// `--with`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum With {
    /// `ecs-bg run`, and `deploy --before`
    Tasks,
    /// `deploy --alarm`
    Alarms,
    /// `ecs-bg doctor`
    Doctor,
    /// `ecs-bg setup`
    Setup,
    /// `ecs-bg setup` without `--infrastructure-role`
    SetupRole,
    /// `ecs-bg ecr login`
    Login,
}

pub(super) async fn run(
    arguments: IamPolicy,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let IamPolicy { target, engine, with, deny: denied } = arguments;
    let pair = target.pair()?;
    if denied {
        render.policy(&deny());
        return Ok(0);
    }
    let request = Request::new(&Typed {
        cluster: pair.cluster,
        service: pair.service,
        twin: pair.twin,
        engine: engine.into(),
        examine: true,
        shares: "100".to_owned(),
        timeout: "15m".to_owned(),
        ..Typed::default()
    })
    .map_err(Error::Usage)?;
    let has = |what| with.contains(&what);
    let beside = Beside {
        tasks: has(With::Tasks),
        alarms: has(With::Alarms),
        doctor: has(With::Doctor),
        setup: has(With::Setup) || has(With::SetupRole),
        setup_role: has(With::SetupRole),
        login: has(With::Login),
    };
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let setting = context.setting(&request.cluster, OnCancel::Rollback);
    let policy = least(&request, beside, &setting).await;
    render.policy(&context.finish(&request.cluster, policy).await?);
    Ok(0)
}
