//! `status`: traffic, tasks and record of a service or a pair; with several services, a row each.

use clap::Args;

use super::context::Context;
use super::verbs::Pair;
use super::{Globals, Place, Target, cluster, variable};
use crate::drive::interrupt::or_interrupted;
use crate::error::Usage;
use crate::event::Error;
use crate::host::Host;
use crate::ops::status::{overview, survey};
use crate::render::Render;
use crate::request::names::{Names, cluster_of};

/// Show which version serves.
///
/// Shows traffic, tasks, target health, and the last or current deployment. With several services, a row for each.
/// Changes nothing.
#[derive(Debug, Args)]
#[command(
    before_help = EXAMPLES,
    override_usage = "ecs-bg status --cluster <CLUSTER> [--service <SERVICE>]... [OPTIONS]"
)]
pub(super) struct Status {
    /// Cluster, by name or ARN [default: that of --service CLUSTER/SERVICE, or ECS_BG_CLUSTER]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Service name, CLUSTER/SERVICE or ARN; with a pair, name either service; may be repeated
    /// [default: ECS_BG_SERVICE, or all services of the cluster]
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    service: Vec<String>,
    /// With two services: the other service [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  ecs-bg status --cluster shop --service web --output json
  ecs-bg status --cluster shop";

pub(super) async fn run(
    status: Status,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Status { cluster: typed, mut service, twin } = status;
    if service.is_empty() {
        service.extend(variable("ECS_BG_SERVICE"));
    }
    if let ([_], _) | (_, Some(_)) = (&service[..], &twin) {
        if service.len() > 1 {
            let what = "--twin is the other service of one pair, and several services are named";
            return Err(Error::Usage(Usage::new(what, "leave out --twin")));
        }
        let place = Place { cluster: typed, service: service.pop() };
        return one(Target { place, twin }, globals, host, render).await;
    }
    let named = service.iter().find(|service| cluster_of(service).is_some());
    let cluster = cluster(typed, named.map(String::as_str))?;
    let services: Vec<_> = service.iter().map(|service| ("--service", service.as_str())).collect();
    let names = Names::new(("--cluster", &cluster), &services).map_err(Error::Usage)?;
    let Names { cluster, services } = names;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let surveying = overview(&context.aws, &cluster, services);
    let surveys = or_interrupted(&context.interrupts, surveying).await;
    render.overview(&cluster, &context.finish(&cluster, surveys).await?);
    Ok(0)
}

/// One service, or a pair.
async fn one(
    target: Target,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Pair { cluster, service, twin } = target.pair()?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let surveying = survey(&context.aws, &cluster, &service, twin.as_deref());
    let survey = or_interrupted(&context.interrupts, surveying).await;
    render.status(&context.finish(&cluster, survey).await?);
    Ok(0)
}

/// One service among the events of another command.
pub(super) async fn line(
    cluster: &str,
    service: &str,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let context = Context::connect(globals, host).await?;
    render.status_line(&survey(&context.aws, cluster, service, None).await?);
    Ok(0)
}
