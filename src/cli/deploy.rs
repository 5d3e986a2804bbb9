//! `deploy` and `plan`: from what was typed to a plan, and from a plan to its end.

use std::collections::BTreeMap;

use clap::Args;
use futures_util::future::try_join_all;

use super::Globals;
use super::context::Context;
use crate::aws::Pair;
use crate::engine::{self, Setting};
use crate::error::Error;
use crate::event::{Ended, Event, Kind};
use crate::host::Host;
use crate::plan::{Decision, Digest, Identity, Survey, images, plan};
use crate::record::Record;
use crate::render::Render;
use crate::request::{Request, Typed};
use crate::world::{Look, World};

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
    /// Either service of the pair
    #[arg(long, value_name = "SERVICE")]
    service: String,
    /// New image, for the container that uses its repository or for the named one; may be repeated
    #[arg(long = "image", value_name = "[CONTAINER=]IMAGE")]
    images: Vec<String>,
    /// New tag for the one repository that the task definition uses, or for the named one; may be
    /// repeated
    #[arg(long = "tag", value_name = "[REPOSITORY=]TAG")]
    tags: Vec<String>,
    /// The other service of the pair [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
    /// Shares of the traffic in percent, each with the time that it is held
    #[arg(long, default_value = "100", value_name = "SHARE[:HOLD],…")]
    shares: String,
    /// How long 100 % is watched before the old version is retired
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    bake: String,
    /// How long there may be no progress
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    timeout: String,
    /// How long the load balancer is given to follow a change of weights [default: 120s; 600s behind
    /// a Network Load Balancer]
    #[arg(long, value_name = "DURATION")]
    follow: Option<String>,
}

impl Arguments {
    fn request(self) -> Result<Request, Error> {
        Request::new(&Typed {
            cluster: self.cluster,
            service: self.service,
            twin: self.twin,
            images: self.images,
            tags: self.tags,
            shares: self.shares,
            bake: self.bake,
            timeout: self.timeout,
            follow: self.follow,
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
    let request = arguments.request()?;
    let context = Context::connect(globals, host).await?;
    let result = deploy(&request, dry_run, &context, render).await;
    context.save()?;
    result
}

async fn deploy(
    request: &Request,
    dry_run: bool,
    context: &Context,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let (aws, clock) = (&context.aws, context.clock);
    let survey = aws.survey(&request.cluster, &request.service, request.twin.as_deref()).await?;
    let images = images(request, &survey)?;
    let digests = try_join_all(images.iter().map(|(container, image)| async move {
        Ok::<_, Error>((container.clone(), aws.digest(image).await?))
    }));
    let digests: BTreeMap<String, Digest> = digests.await?.into_iter().collect();
    let identity = Identity { deployment: random_id(), owner: random_id() };
    let decision = plan(request, &survey, &images, &digests, &identity)?;
    if dry_run {
        render.plan(&survey, &decision);
        return Ok(0);
    }
    let setting = Setting { aws, clock, cluster: request.cluster.clone() };
    let mut emit = |event: Event| render.event(&event);
    let tell = |kind| render.event(&Event { at: clock.now(), kind });
    let (record, world, recorded, adopted) = match decision {
        Decision::Nothing { service, revision } => {
            let ended = Ended {
                outcome: "nothing-to-do".into(),
                what: format!("nothing to do: {revision} with these images serves in {service}"),
                api_calls: aws.calls(),
                ..Ended::default()
            };
            tell(Kind::Outcome(Box::new(ended)));
            return Ok(0);
        }
        Decision::Deploy(plan) => {
            for what in &plan.warnings {
                tell(Kind::Warning { what: what.clone() });
            }
            let (record, recorded) = engine::register(&setting, &plan, &mut emit).await?;
            (record, survey.world, recorded, false)
        }
        Decision::Adopt(record) => {
            let owner = identity.owner;
            let (record, world) = twice(&setting, *record, survey).await?;
            (Record { owner, seen: world.at, ..record }, world, true, true)
        }
    };
    emit(Event {
        at: clock.now(),
        kind: Kind::Begun {
            deployment: record.name().to_owned(),
            blue: record.blue.clone(),
            green: record.green.clone(),
            adopted,
        },
    });
    let finished = engine::run(&setting, record, world, recorded, &mut emit).await;
    let ended = crate::render::ended(&finished, request, aws.calls());
    let code = ended.exit_code;
    emit(Event { at: clock.now(), kind: Kind::Outcome(Box::new(ended)) });
    Ok(code)
}

/// A newcomer looks twice before it goes on with what another began: AWS may answer with the past.
/// Returns when two looks, 5 s apart, agree.
async fn twice(
    setting: &Setting<'_>,
    record: Record,
    survey: Survey,
) -> Result<(Record, World), Error> {
    let pair = Pair {
        cluster: setting.cluster.clone(),
        services: [record.blue.clone(), record.green.clone()],
    };
    let (mut record, mut world) = (record, survey.world);
    loop {
        setting.clock.sleep(std::time::Duration::from_secs(5)).await;
        let next =
            setting.aws.look(&pair, Look::Listing, &crate::aws::Focus::default(), &world).await?;
        let revision = setting.aws.revision(&record.revision).await?;
        let read = match Record::from_tags(&record.revision, &revision.tags) {
            Some(Ok(read)) => read,
            Some(Err(why)) => return Err(crate::error::Refusal::new(why, "ecs-bg status").into()),
            None => record.clone(),
        };
        let wants = |world: &World| -> Vec<_> {
            world
                .services
                .values()
                .map(|s| (s.name.clone(), s.desired, s.revision.clone()))
                .collect()
        };
        let agree = read == record && next.rules == world.rules && wants(&next) == wants(&world);
        (record, world) = (read, next);
        if agree {
            return Ok((record, world));
        }
    }
}

fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
