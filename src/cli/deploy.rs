//! `deploy` and `plan`: from what was typed to a request.

use clap::{Args, ValueEnum};

use super::Globals;
use super::changes::Changes;
use super::context::Context;
use crate::drive::claim::{Claimant, OnConflict};
use crate::drive::interrupt::or_interrupted;
use crate::drive::{OnCancel, Setting};
use crate::error::Error;
use crate::host::Host;
use crate::ops::deploy::{decide, deploy, random_id};
use crate::render::Render;
use crate::request::edits::{Base, Hidden};
use crate::request::{EngineName, Request, Typed, WaitFor};

/// Put a new image into production.
///
/// Clones the task definition of the service that serves with the new image, starts it in the idle
/// twin, waits until the load balancer finds it healthy, moves the traffic, keeps watching, and puts
/// the old one back when the new one is not good. Run again after it was killed, it goes on.
#[derive(Debug, Args)]
#[command(after_help = DEPLOY_EXAMPLE)]
pub(super) struct Deploy {
    #[command(flatten)]
    pub(super) all: Arguments,
    /// Show what would be done; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

const DEPLOY_EXAMPLE: &str = "\
Examples:
  ecs-bg deploy --cluster shop --service web --tag shop/web=2
  ecs-bg deploy --cluster shop --service web --env web:LOG_LEVEL=debug --cpu 512
  ecs-bg deploy --cluster shop --service web --tag shop/web=2 --before 'rake db:migrate'
  ecs-bg deploy --cluster shop --service web --image web=nginx:1.29 --shares 10:5m,50:5m,100 --bake 10m";

/// Show what a deployment would do; change nothing.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  ecs-bg plan --cluster shop --service web --tag shop/web=2")]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) all: Arguments,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Cluster, by name or ARN
    #[arg(long, value_name = "CLUSTER")]
    cluster: String,
    /// Either service of the pair, by name, CLUSTER/SERVICE or ARN
    #[arg(long, value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    changes: Changes,
    /// What to clone: what the service runs, or what was registered last
    #[arg(long, value_enum, default_value_t = Base::Service, value_name = "WHAT", conflicts_with = "task_definition")]
    from: Base,
    /// The other service of the pair [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
    /// Shares of the traffic in percent, each with the time that it is held
    #[arg(long, default_value = "100", value_name = "SHARE[:HOLD],…")]
    shares: String,
    /// Who moves things [default: the two services' weights where there is a twin, else ECS]
    #[arg(long, value_enum, default_value_t = WhichEngine::Auto, value_name = "ENGINE")]
    engine: WhichEngine,
    /// How long the new version is watched before it is done: at 100 %, before the old one is
    /// retired [default: 60s], or after ECS replaced the tasks [default: 0]
    #[arg(long, value_name = "DURATION", conflicts_with = "no_wait")]
    bake: Option<String>,
    /// How long there may be no progress
    #[arg(long, default_value = "15m", value_name = "DURATION", conflicts_with = "no_wait")]
    timeout: String,
    /// How long the load balancer is given to follow a change of weights [default: 120s; 600s behind
    /// a Network Load Balancer]
    #[arg(long, value_name = "DURATION", conflicts_with = "no_wait")]
    follow: Option<String>,
    /// Run this command as one task of the new revision before anything of it serves, such as a
    /// migration; go back unless it exits with 0. It is parted as a shell does it, or a JSON array
    #[arg(long, value_name = "[CONTAINER=]COMMAND")]
    before: Option<Hidden>,
    /// How long the task of --before may take; then it is stopped
    #[arg(long, default_value = "1h", value_name = "DURATION", requires = "before")]
    before_timeout: String,
    /// Deploy even what serves already
    #[arg(long)]
    force: bool,
    /// Tasks that the service is to have from now on (rolling)
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(0..=5000))]
    desired_count: Option<u32>,
    /// The service's minimumHealthyPercent from now on (rolling)
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    min_healthy: Option<u32>,
    /// The service's maximumPercent from now on (rolling)
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(100..))]
    max_percent: Option<u32>,
    /// What to wait for (rolling)
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "no_wait")]
    wait_for: Option<WaitFor>,
    /// Leave it to ECS once it has been told: nothing is watched, nothing is put back (rolling)
    #[arg(long)]
    no_wait: bool,
    /// Start all tasks anew; without a new image, those of the present revision (rolling)
    #[arg(long)]
    force_new_deployment: bool,
    /// After a success, deregister all but the newest N revisions that ecs-bg registered for this
    /// service; never the one to go back to
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "no_wait")]
    keep_revisions: Option<u32>,
    /// What to do about another process that deploys this pair
    #[arg(long, value_enum, default_value_t = OnConflict::Refuse, value_name = "WHAT")]
    on_conflict: OnConflict,
    /// What a first SIGINT or SIGTERM means; a second one stops at once
    #[arg(long, value_enum, default_value_t = OnCancel::Rollback, value_name = "WHAT")]
    on_cancel: OnCancel,
}

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WhichEngine {
    /// The strongest one that the service is set up for
    Auto,
    /// ECS replaces the tasks of the service
    Rolling,
    /// Weights are moved between the target groups of two services
    Listener,
}

impl From<WhichEngine> for Option<EngineName> {
    fn from(engine: WhichEngine) -> Self {
        match engine {
            WhichEngine::Auto => None,
            WhichEngine::Rolling => Some(EngineName::Rolling),
            WhichEngine::Listener => Some(EngineName::Listener),
        }
    }
}

impl Arguments {
    fn request(self, render: &Render<'_>) -> Result<Request, Error> {
        let edits = self.changes.edits(self.from, render).map_err(Error::Usage)?;
        Request::new(&Typed {
            cluster: self.cluster,
            service: self.service,
            twin: self.twin,
            images: self.changes.images,
            tags: self.changes.tags,
            edits,
            shares: self.shares,
            engine: self.engine.into(),
            bake: self.bake,
            timeout: self.timeout,
            follow: self.follow,
            force: self.force,
            count: self.desired_count,
            min_healthy: self.min_healthy,
            max_percent: self.max_percent,
            until: self.wait_for,
            no_wait: self.no_wait,
            restart: self.force_new_deployment,
            keep_revisions: self.keep_revisions,
            before: self.before.map(|command| (command, self.before_timeout)),
        })
        .map_err(Error::Usage)
    }
}

/// A deployment, or only its plan.
pub(super) async fn run(
    arguments: Arguments,
    dry_run: bool,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let (on_conflict, on_cancel) = (arguments.on_conflict, arguments.on_cancel);
    let request = arguments.request(render)?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let prepare = request.prepare.clone();
    let setting = Setting { prepare, ..context.setting(&request.cluster, on_cancel) };
    let owner = random_id();
    let result = match dry_run {
        true => {
            let deciding = decide(&request, &setting, &owner);
            or_interrupted(&setting.interrupts, deciding).await.map(|(survey, decision)| {
                render.plan(&survey, &decision);
                0
            })
        }
        false => {
            let claimant = Claimant { owner, on_conflict, by_name: false };
            let mut emit = |event| render.event(&event);
            deploy(&request, &setting, &claimant, &mut emit).await.map(|ended| ended.exit_code)
        }
    };
    context.save()?;
    result
}
