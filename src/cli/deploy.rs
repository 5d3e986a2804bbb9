//! `deploy` and `plan`: from what was typed to a request.

use clap::{Args, ValueEnum};

use super::changes::{Changes, WHAT};
use super::context::Context;
use super::{DURATION, Globals, Place};
use crate::drive::claim::OnConflict;
use crate::drive::{OnCancel, Setting};
use crate::event::Error;
use crate::host::Host;
use crate::ops::deploy::{deploy, preview};
use crate::render::Render;
use crate::request::edits::{Base, Hidden};
use crate::request::gates::{self, OnInconclusive};
use crate::request::{EngineName, Request, Typed, WaitFor};

/// Deploy a new image to a service.
///
/// Registers a copy of the task definition that the service runs, with your changes, starts it, waits until
/// the load balancer finds it healthy, shifts the traffic, and rolls back if the new version fails. If the
/// command is killed, run it again: it continues.
#[derive(Debug, Args)]
#[command(before_help = DEPLOY_EXAMPLES, after_help = DURATION, override_usage = "ecs-bg deploy --cluster <CLUSTER> --service <SERVICE> [OPTIONS]")]
pub(super) struct Deploy {
    #[command(flatten)]
    pub(super) all: Arguments,
    /// Show what would be done; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

const DEPLOY_EXAMPLES: &str = "\
Examples:
  ecs-bg deploy --cluster shop --service api --tag 2
  ecs-bg deploy --cluster shop --service api --env LOG_LEVEL=debug --cpu 512 --memory 1024
  ecs-bg deploy --cluster shop --service api --tag 2 --before 'rake db:migrate'
  ecs-bg deploy --cluster shop --service web --image web=nginx:1.29 --shares 10:5m,50:5m,100 --bake 10m
    (two services: the engine listener)";

/// Show what a deployment would do; change nothing.
///
/// Takes the options of `deploy`. Exits with 3 if `deploy` would refuse.
#[derive(Debug, Args)]
#[command(
    before_help = "Example:\n  ecs-bg plan --cluster shop --service api --tag 2",
    after_help = DURATION,
    override_usage = "ecs-bg plan --cluster <CLUSTER> --service <SERVICE> [OPTIONS]"
)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) all: Arguments,
}

const TRAFFIC: &str = "How traffic moves";
const GIVE_UP: &str = "When to give up";
const ROLLING: &str = "Engine rolling only (ECS replaces the tasks of one service)";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    changes: Changes,
    /// What to copy. The newest revision may also be a copy that ecs-bg registered, or a revision that was
    /// rolled back: use `latest` for the first deployment after `terraform apply`
    #[arg(long, value_enum, default_value_t = Base::Service, value_name = "WHAT", conflicts_with = "task_definition", help_heading = WHAT)]
    from: Base,
    /// Run this command in one task of the new revision first, for example a migration; roll back
    /// unless it exits with 0. Split into words as a shell would, or a JSON array
    #[arg(long, value_name = "[CONTAINER=]COMMAND", help_heading = WHAT)]
    before: Option<Hidden>,
    /// Deploy even if the service runs this version already. Needs an image, a tag or a change. To start the
    /// same tasks anew, use --force-new-deployment
    #[arg(long, help_heading = WHAT)]
    force: bool,
    /// How to deploy
    #[arg(long, value_enum, default_value_t = WhichEngine::Auto, value_name = "ENGINE", help_heading = TRAFFIC)]
    engine: WhichEngine,
    /// listener: the other service of the pair [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE", help_heading = TRAFFIC)]
    twin: Option<String>,
    /// native, listener: how to shift the traffic: blue-green (all at once), canary:10/5m (10 %, and the rest
    /// after 5m) or linear:20/2m (20 % more every 2m)
    #[arg(long, value_name = "STRATEGY", conflicts_with = "shares", help_heading = TRAFFIC)]
    strategy: Option<String>,
    /// native, listener: pause there until `ecs-bg promote`: before-traffic or each-step; native also:
    /// after-traffic, or one of ECS's stages
    #[arg(long, value_name = "STAGE", help_heading = TRAFFIC)]
    pause_at: Vec<String>,
    /// Roll back if nobody promotes a pause within this time [default: 1h]
    #[arg(long, value_name = "DURATION", help_heading = GIVE_UP)]
    pause_limit: Option<String>,
    /// listener: show the new version on this listener before it has users. Its rules that forward to either
    /// service move first, and --check asks there before anywhere else
    #[arg(long, value_name = "ARN", help_heading = TRAFFIC)]
    test_listener: Option<String>,
    /// listener: steps: the new version's share of the traffic in percent, and how long to hold it, or `pause`:
    /// until `ecs-bg promote`. `0:pause` waits before the first user
    #[arg(long, default_value = "100", value_name = "SHARE[:HOLD],…", help_heading = TRAFFIC)]
    shares: String,
    /// Watch the new version this long before the deployment ends; with native, whole minutes [default: 60s
    /// with listener, 0 with rolling, the service's own with native]
    #[arg(long, value_name = "DURATION", conflicts_with = "no_wait", help_heading = TRAFFIC)]
    bake: Option<String>,
    /// listener: give the load balancer this long to apply new weights before ecs-bg stops the old service
    /// [default: 120s; 600s for a Network Load Balancer]
    #[arg(long, value_name = "DURATION", conflicts_with = "no_wait", help_heading = TRAFFIC)]
    follow: Option<String>,
    /// listener: keep the old service running with weight 0 after the deployment: `ecs-bg rollback` then only
    /// moves the traffic. The next deployment, or `ecs-bg retire`, stops it
    #[arg(long, help_heading = TRAFFIC)]
    keep_old: bool,
    /// Roll back after this long without progress. Progress is one more healthy target (listener), one more
    /// running task while tasks start (native), or one more task that runs or is healthy, or one old task less
    /// (rolling)
    #[arg(long, default_value = "15m", value_name = "DURATION", conflicts_with = "no_wait", help_heading = GIVE_UP)]
    timeout: String,
    /// Roll back if this CloudWatch alarm goes off during the deployment; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "no_wait", help_heading = GIVE_UP)]
    alarm: Vec<String>,
    /// Refuse to begin while an alarm of --alarm is in state ALARM. Without it, such an alarm does not count until
    /// it was in another state
    #[arg(long, requires = "alarm", help_heading = GIVE_UP)]
    strict_alarms: bool,
    /// While the new version has traffic, ask this URL every 5s; roll back if it answers wrong 3 times at one
    /// share; may be repeated
    #[arg(long, value_name = "URL", conflicts_with = "no_wait", help_heading = GIVE_UP)]
    check: Vec<Hidden>,
    /// The right answers of --check: `204`, `2xx` or `200-399` [default: 200-299]
    #[arg(long, value_name = "STATUS", requires = "check", help_heading = GIVE_UP)]
    check_status: Option<String>,
    /// The right answers of --check contain this text
    #[arg(long, value_name = "TEXT", requires = "check", help_heading = GIVE_UP)]
    check_body: Option<String>,
    /// The right answers of --check come within this time [default: 5s]
    #[arg(long, value_name = "DURATION", requires = "check", help_heading = GIVE_UP)]
    check_latency: Option<String>,
    /// At each share, run this command; roll back unless it exits with 0; may be repeated. Split into
    /// words as a shell would, or a JSON array
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_wait", help_heading = GIVE_UP)]
    check_cmd: Vec<Hidden>,
    /// Kill the command of --check-cmd after this long, and roll back
    #[arg(long, default_value = "5m", value_name = "DURATION", requires = "check_cmd", help_heading = GIVE_UP)]
    check_timeout: String,
    /// What to do if a check cannot tell whether the new version is good
    #[arg(long, value_enum, default_value_t = OnInconclusive::Hold, value_name = "WHAT", help_heading = GIVE_UP)]
    on_inconclusive: OnInconclusive,
    /// Stop the task of --before after this long, and roll back
    #[arg(long, default_value = "1h", value_name = "DURATION", requires = "before", help_heading = GIVE_UP)]
    before_timeout: String,
    /// What to do if another process deploys this service
    #[arg(long, value_enum, default_value_t = OnConflict::Refuse, value_name = "WHAT", help_heading = GIVE_UP)]
    on_conflict: OnConflict,
    /// What the first SIGINT or SIGTERM does; a second one stops at once
    #[arg(long, value_enum, default_value_t = OnCancel::Rollback, value_name = "WHAT", help_heading = GIVE_UP)]
    pub(super) on_cancel: OnCancel,
    /// Change the service's desired count
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(0..=5000), help_heading = ROLLING)]
    desired_count: Option<u32>,
    /// Change the service's minimumHealthyPercent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100), help_heading = ROLLING)]
    min_healthy: Option<u32>,
    /// Change the service's maximumPercent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(100..), help_heading = ROLLING)]
    max_percent: Option<u32>,
    /// What to wait for [default: healthy]
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "no_wait", help_heading = ROLLING)]
    wait_for: Option<WaitFor>,
    /// rolling, native: start the deployment and exit: ecs-bg neither watches it nor rolls back
    #[arg(long, help_heading = GIVE_UP)]
    no_wait: bool,
    /// rolling, native: replace all tasks, for example so that they read a changed secret. Needs no image and no
    /// change; without them, no revision is registered
    #[arg(long, help_heading = WHAT)]
    force_new_deployment: bool,
    /// After a success, keep the newest N revisions that ecs-bg registered for this service (and the one
    /// to roll back to) and deregister the others [default: keep all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "no_wait")]
    keep_revisions: Option<u32>,
}

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum WhichEngine {
    /// Native if ECS shifts the service's traffic, listener if it has a twin, else rolling
    Auto,
    /// ECS shifts traffic between two target groups of the service (BLUE_GREEN, CANARY, LINEAR)
    Native,
    /// ECS replaces the tasks of the service
    Rolling,
    /// ecs-bg shifts traffic between the target groups of two services
    Listener,
}

impl From<WhichEngine> for Option<EngineName> {
    fn from(engine: WhichEngine) -> Self {
        match engine {
            WhichEngine::Auto => None,
            WhichEngine::Native => Some(EngineName::Native),
            WhichEngine::Rolling => Some(EngineName::Rolling),
            WhichEngine::Listener => Some(EngineName::Listener),
        }
    }
}

impl Arguments {
    /// What is asked for. Where it is only examined, that may be nothing.
    pub(super) fn request(self, examine: bool, render: &Render<'_>) -> Result<Request, Error> {
        let edits = self.changes.edits(self.from, render).map_err(Error::Usage)?;
        let (cluster, service) = self.place.named()?;
        Request::new(&Typed {
            cluster,
            service,
            twin: self.twin,
            images: self.changes.images,
            tags: self.changes.tags,
            edits,
            shares: self.shares,
            strategy: self.strategy,
            pause_at: self.pause_at,
            pause_limit: self.pause_limit,
            test_listener: self.test_listener,
            engine: self.engine.into(),
            alone: false,
            bake: self.bake,
            timeout: self.timeout,
            follow: self.follow,
            force: self.force,
            count: self.desired_count,
            min_healthy: self.min_healthy,
            max_percent: self.max_percent,
            until: self.wait_for,
            alarms: self.alarm,
            strict_alarms: self.strict_alarms,
            gates: gates::Typed {
                urls: self.check,
                status: self.check_status,
                body: self.check_body,
                latency: self.check_latency,
                commands: self.check_cmd,
                timeout: self.check_timeout,
                on_inconclusive: self.on_inconclusive,
            },
            examine,
            no_wait: self.no_wait,
            restart: self.force_new_deployment,
            keep_old: self.keep_old,
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
    let request = arguments.request(false, render)?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let setting = context.setting(&request.cluster, on_cancel);
    let setting = Setting { on_conflict, by_name: false, ..setting };
    let result = match dry_run {
        true => preview(&request, &setting).await.map(|(survey, decision)| {
            render.plan(&survey, &decision);
            0
        }),
        false => {
            let mut emit = |event| render.event(&event);
            deploy(&request, &setting, &mut emit).await.map(|ended| ended.exit_code)
        }
    };
    context.finish(&request.cluster, result).await
}
