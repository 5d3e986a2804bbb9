//! `setup`: a service made ready for blue/green deployments by ECS.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::{DURATION, Globals, Place};
use crate::drive::OnCancel;
use crate::event::Error;
use crate::host::Host;
use crate::ops::setup;
use crate::render::Render;
use crate::render::setup::Format;
use crate::request::setup::{Setup as Request, TypedSetup};

/// Prepare a service for blue/green deployments by ECS.
///
/// Makes a copy of the service's target group, puts it into the listener rule with weight 0, tells ECS of
/// both (ECS then replaces the tasks by new ones of the same revision), and sets the deployment strategy.
/// Afterwards ECS shifts the traffic of each deployment. The service has no downtime. If the command is killed,
/// run it again: it continues.
///
/// With --engine listener it prints what to create for the engine listener, and changes nothing: a copy of the
/// target group in all rules, a second service without tasks, its auto scaling, and the tags that name the pair.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = DURATION)]
pub(super) struct Setup {
    #[command(flatten)]
    place: Place,
    /// Prepare the service for this engine
    #[arg(long, value_enum, default_value = "native", value_name = "ENGINE")]
    engine: Engine,
    /// Name of the second service, with --engine listener [default: the service's name and -green]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
    /// The IAM role by which ECS changes listener rules. It trusts ecs.amazonaws.com and has AWS's policy
    /// AmazonECSInfrastructureRolePolicyForLoadBalancers [default: that of --create-role]
    #[arg(long, value_name = "ARN")]
    infrastructure_role: Option<String>,
    /// Make this IAM role for it, with that trust and that policy; if it exists and trusts nobody else, use it. --undo
    /// does not delete it [default: ecs-load-balancers]
    #[arg(long, value_name = "NAME", conflicts_with = "infrastructure_role")]
    create_role: Option<String>,
    /// How to shift the traffic: blue-green (all at once), canary:10/5m or linear:20/2m [default: blue-green]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,
    /// ECS watches a new revision this long before it stops the old tasks [default: 5m]
    #[arg(long, value_name = "DURATION")]
    bake: Option<String>,
    /// The listener rule for the requests of users (Network Load Balancer: the listener) [default:
    /// the only one that forwards to the target group]
    #[arg(long, value_name = "ARN")]
    production_rule: Option<String>,
    /// A rule for test traffic that forwards to one of the target groups, or a listener with such a rule
    #[arg(long, visible_alias = "test-listener", value_name = "ARN")]
    test_rule: Option<String>,
    /// Make a rule for test traffic: requests with this header reach the new version first. It has the
    /// conditions of the production rule and this one, and comes before it. Application Load Balancer only
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "test_rule")]
    test_header: Option<String>,
    /// Use this target group as the second one [default: a copy of the first one]
    #[arg(long, value_name = "ARN")]
    alternate_target_group: Option<String>,
    /// Give up after this long without progress of the new tasks
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    timeout: String,
    /// Go back to one target group and the strategy ROLLING. Only while the first group has all traffic
    #[arg(long, conflicts_with_all = ["print", "strategy", "bake", "production_rule", "test_rule", "test_header", "infrastructure_role", "create_role"])]
    undo: bool,
    /// Show what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print what to do instead of doing it; change nothing
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "dry_run")]
    print: Option<Print>,
}

const EXAMPLES: &str = "\
Examples:
  ecs-bg setup --cluster shop --service api --dry-run
  ecs-bg setup --cluster shop --service api
  ecs-bg setup --cluster shop --service api --infrastructure-role arn:aws:iam::123456789012:role/ecs-load-balancers
  ecs-bg setup --cluster shop --service api --test-header X-Preview=1
  ecs-bg setup --cluster shop --service api --print terraform
  ecs-bg setup --cluster shop --service api --undo
  ecs-bg setup --cluster shop --service web --engine listener --print cli";

/// `--engine`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// ECS shifts the traffic between two target groups of the service
    Native,
    /// ecs-bg shifts the traffic between the service and a second one. Only with --print
    Listener,
}

/// `--print`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Print {
    /// Commands of the aws CLI
    Cli,
    /// Terraform (provider hashicorp/aws, 6.4 or newer)
    Terraform,
}

impl Setup {
    /// Whether it only prints.
    pub(super) fn only_prints(&self) -> bool {
        self.dry_run || self.print.is_some()
    }
}

pub(super) async fn run(
    typed: Setup,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let format = match (typed.print, typed.dry_run) {
        (Some(Print::Cli), _) => Some(Format::Cli),
        (Some(Print::Terraform), _) => Some(Format::Terraform),
        (None, true) => Some(Format::Plan),
        (None, false) => None,
    };
    let (cluster, service) = typed.place.named()?;
    let request = Request::new(&TypedSetup {
        cluster,
        service,
        role: typed.infrastructure_role,
        create_role: typed.create_role,
        pair: typed.engine == Engine::Listener,
        twin: typed.twin,
        prints: typed.print.is_some(),
        strategy: typed.strategy,
        bake: typed.bake,
        production: typed.production_rule,
        test: typed.test_rule,
        header: typed.test_header,
        alternate: typed.alternate_target_group,
        timeout: typed.timeout,
        undo: typed.undo,
    })
    .map_err(Error::Usage)?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let setting = context.setting(&request.cluster, OnCancel::Hold);
    let result = match format {
        Some(format) => setup::plan(&request, &setting).await.map(|(seen, steps)| {
            render.setup(format, &request, &seen, &steps);
            0
        }),
        None => {
            let mut emit = |event| render.event(&event);
            setup::run(&request, &setting, &mut emit).await.map(|ended| ended.exit_code)
        }
    };
    context.save()?;
    result
}
