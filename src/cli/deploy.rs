//! `deploy` and `plan`: from what was typed to a plan, and from a plan to its end.

use std::collections::BTreeMap;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;

use super::Globals;
use super::changes::Changes;
use super::context::Context;
use crate::aws::{Aws, AwsError};
use crate::claim::{Claim, Claimant, OnConflict, claim};
use crate::edits::{Base, Hidden};
use crate::engine::{self, Finished, Kept, OnCancel, Setting};
use crate::error::{Error, Refusal};
use crate::event::{Ended, Event, Kind};
use crate::host::Host;
use crate::image::ImageRef;
use crate::logs::last_words;
use crate::plan::{self, Decision, Digest, Identity, Survey, plan, unfinished, wanted};
use crate::prune::prune;
use crate::record::{Closed, End, Engine, Heading, Reason, Record, WaitFor};
use crate::render::Render;
use crate::request::{Keep, Request, Typed};
use crate::revision::short;
use crate::route::{Outcome, View};
use crate::watch::Watch;
use crate::world::World;

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
    /// Either service of the pair
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
    #[arg(long, value_name = "DURATION")]
    bake: Option<String>,
    /// How long there may be no progress
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    timeout: String,
    /// How long the load balancer is given to follow a change of weights [default: 120s; 600s behind
    /// a Network Load Balancer]
    #[arg(long, value_name = "DURATION")]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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

impl From<WhichEngine> for Option<Engine> {
    fn from(engine: WhichEngine) -> Self {
        match engine {
            WhichEngine::Auto => None,
            WhichEngine::Rolling => Some(Engine::Rolling),
            WhichEngine::Listener => Some(Engine::Listener),
        }
    }
}

impl Arguments {
    fn request(self) -> Result<Request, Error> {
        let edits = self.changes.edits(self.from).map_err(Error::Usage)?;
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
    let request = arguments.request()?;
    let context = Context::connect(globals, host).await?;
    context.check_region(&request.cluster)?;
    let prepare = request.prepare.clone();
    let setting = Setting { prepare, ..context.setting(&request.cluster, on_cancel, host) };
    let claimant = Claimant { owner: random_id(), on_conflict, by_name: false };
    let result = deploy(&request, dry_run, &setting, &claimant, render).await;
    context.save()?;
    result
}

/// Surveys, plans, and does what the plan says. What another process is doing about the pair is
/// settled first; then everything is looked at anew.
pub(super) async fn deploy(
    request: &Request,
    dry_run: bool,
    setting: &Setting<'_>,
    claimant: &Claimant,
    render: &Render<'_>,
) -> Result<u8, Error> {
    loop {
        let looked = setting.clock.now();
        let (cluster, service) = (&request.cluster, &request.service);
        let mut survey = setting.aws.survey(cluster, service, request.twin.as_deref()).await?;
        if let Some(base) =
            request.base.as_ref().filter(|base| !survey.revisions.contains_key(*base))
        {
            survey.revisions.insert(base.clone(), setting.aws.revision(base).await?);
        }
        let wanted = wanted(request, &survey)?;
        let digests = digests(setting.aws, &wanted.images).await?;
        let alone = survey.world.service(service).filter(|_| survey.twin.is_none());
        if let Some(alone) = alone.filter(|_| may_run_already(request, &digests)) {
            // Where tasks may not be read, it is deployed.
            let revision = alone.revision.clone();
            let ran = setting.aws.digests_that_ran(cluster, [alone].into_iter(), &revision, false);
            survey.ran = ran.await.unwrap_or_default();
        }
        let identity = Identity { deployment: random_id(), owner: claimant.owner.clone() };
        let decision = plan(request, &survey, &wanted, &digests, &identity)?;
        if dry_run {
            render.plan(&survey, &decision);
            return Ok(0);
        }
        let ended = match decision {
            Decision::Nothing { what, .. } => {
                close_overtaken(setting, &survey, render).await;
                return Ok(nothing(setting, format!("nothing to do: {what}"), render));
            }
            Decision::Deploy(plan) => {
                return carry_out(*plan, request, setting, survey, looked, render).await;
            }
            Decision::Adopt(record) => {
                let heading = record.heading.clone();
                adopt(setting, *record, survey.world, heading, claimant, service, render).await?
            }
            Decision::Unfinished(record) => {
                let alive = !record.is_abandoned(survey.world.at);
                if claimant.on_conflict == OnConflict::Refuse && alive {
                    return Err(unfinished(&survey, &record).into());
                }
                let back = Heading::Back(Reason::Superseded);
                let ended =
                    adopt(setting, *record, survey.world, back, claimant, service, render).await?;
                // It is over, one way or the other: there is room for ours.
                ended.filter(|code| !matches!(code, 0 | 1))
            }
        };
        if let Some(code) = ended {
            return Ok(code);
        }
    }
}

/// The digests of images, by container.
pub(super) async fn digests(
    aws: &Aws,
    images: &BTreeMap<String, ImageRef>,
) -> Result<BTreeMap<String, Digest>, AwsError> {
    let digests = images
        .iter()
        .map(|(container, image)| async move { Ok((container.clone(), aws.digest(image).await?)) });
    Ok(try_join_all(digests).await?.into_iter().collect())
}

/// A new deployment, to its end.
async fn carry_out(
    plan: plan::Plan,
    request: &Request,
    setting: &Setting<'_>,
    survey: Survey,
    looked: SystemTime,
    render: &Render<'_>,
) -> Result<u8, Error> {
    for what in &plan.warnings {
        render.tell(setting.clock, Kind::Warning { what: what.clone() });
    }
    close_overtaken(setting, &survey, render).await;
    let mut emit = |event: Event| render.event(&event);
    let (record, kept) = engine::register(setting, &plan, &mut emit).await?;
    // Where ECS replaces the tasks, the later one wins, and the other sees that.
    if record.engine() == Engine::Listener
        && let Some(rival) = rival(setting, &survey, &record).await?
    {
        return give_way(setting, record, kept, &rival).await;
    }
    let keep = request.keep;
    begin(setting, &record, false, render);
    let driven = Driven { record, world: survey.world, kept, looked, keep };
    Ok(drive(setting, driven, &request.service, render).await)
}

/// Whether it is worth asking the tasks which images they run.
fn may_run_already(request: &Request, digests: &BTreeMap<String, Digest>) -> bool {
    let known = |digest: &Digest| matches!(digest, Digest::Known(_));
    !request.force && !digests.is_empty() && digests.values().all(known)
}

/// Another deployment of the pair that registered its revision since the survey, and before ours.
async fn rival(
    setting: &Setting<'_>,
    survey: &Survey,
    ours: &Record,
) -> Result<Option<Record>, Error> {
    let number =
        |arn: &str| arn.rsplit_once(':').and_then(|(_, number)| number.parse::<u64>().ok());
    let family = short(&ours.revision).rsplit_once(':').map_or("", |(family, _)| family);
    for arn in setting.aws.newest(family, 5).await? {
        if survey.newest.contains(&arn) || number(&arn) >= number(&ours.revision) {
            continue;
        }
        let record = setting.aws.record(&arn).await?;
        let open = record.filter(|record| record.closed.is_none() && record.id != ours.id);
        let pair =
            |record: &Record| [record.cluster.clone(), record.blue.clone(), record.green.clone()];
        if let Some(record) = open.filter(|record| pair(record) == pair(ours)) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Two began at the same moment: the one that registered first goes on. Nothing was changed by ours.
async fn give_way(
    setting: &Setting<'_>,
    ours: Record,
    kept: Kept,
    rival: &Record,
) -> Result<u8, Error> {
    if kept == Kept::Tags {
        let closed = Some(Closed { end: End::WentBack, at: ours.start });
        setting.aws.write(&Record { closed, ..ours.clone() }).await?;
    }
    let what = format!("{} began at the same moment and before {}", rival.name(), ours.name());
    let hint = "run the same command with --on-conflict wait";
    Err(Refusal::new(what, hint).into())
}

/// Writes into the record of what somebody else has overtaken that it is over: nobody can go on with it.
/// Nothing depends on that but what `status` and `resume` say later on.
pub(super) async fn close_overtaken(setting: &Setting<'_>, survey: &Survey, render: &Render<'_>) {
    for (record, _) in survey.overtaken() {
        let closed = Some(Closed { end: End::Left, at: setting.aws.date() });
        if let Err(error) = setting.aws.write(&Record { closed, ..record }).await {
            render.tell(setting.clock, Kind::Warning { what: error.to_string() });
        }
    }
}

/// Goes on with what another process began, back where `heading` says so: a deployment that goes
/// back is never turned forward. `None`: it ended meanwhile.
pub(super) async fn adopt(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    heading: Heading,
    claimant: &Claimant,
    service: &str,
    render: &Render<'_>,
) -> Result<Option<u8>, Error> {
    let mut emit = |event: Event| render.event(&event);
    let promoted = record.promoted;
    let name = record.name().to_owned();
    let (record, world, looked) = match claim(setting, record, world, claimant, &mut emit).await? {
        Claim::Ours(claimed, looked) => (claimed.0, claimed.1, looked),
        Claim::Ended => return Ok(None),
        Claim::Lost(owner) => {
            let by = format!("process {owner} has taken over");
            return Ok(Some(superseded(setting, &name, by, None, render)));
        }
    };
    let record = match (record.forward(), heading) {
        (true, Heading::Back(reason)) => {
            let watch = Watch::new(world.at);
            View { record: &record, watch: &watch, world: &world }.turned_back(reason)
        }
        _ => Record { promoted: promoted.or(record.promoted), ..record },
    };
    begin(setting, &record, true, render);
    let driven = Driven { record, world, kept: Kept::OlderTags, looked, keep: None };
    Ok(Some(drive(setting, driven, service, render).await))
}

/// A deployment that is ours to drive.
struct Driven {
    record: Record,
    world: World,
    kept: Kept,
    looked: SystemTime,
    /// Revisions of the service to keep after a success.
    keep: Option<Keep>,
}

fn begin(setting: &Setting<'_>, record: &Record, adopted: bool, render: &Render<'_>) {
    let begun = Kind::Begun {
        deployment: record.name().to_owned(),
        engine: record.engine(),
        blue: record.blue.clone(),
        green: record.green.clone(),
        adopted,
    };
    render.tell(setting.clock, begun);
}

/// The way back that is in no tags.
pub(super) async fn drive_back(
    setting: &Setting<'_>,
    record: Record,
    world: World,
    looked: SystemTime,
    service: &str,
    render: &Render<'_>,
) -> u8 {
    let back = Kind::TurnedBack {
        to: record.from.clone(),
        reason: Reason::Asked.code().to_owned(),
        what: format!("{} is to have all the traffic", record.blue),
    };
    render.tell(setting.clock, back);
    let driven = Driven { record, world, kept: Kept::Memory, looked, keep: None };
    drive(setting, driven, service, render).await
}

async fn drive(setting: &Setting<'_>, driven: Driven, service: &str, render: &Render<'_>) -> u8 {
    let Driven { record, world, kept, looked, keep } = driven;
    let mut emit = |event: Event| render.event(&event);
    let finished = engine::run(setting, record, world, kept, looked, &mut emit).await;
    if let Some(keep) = keep.filter(|_| finished.outcome == Outcome::Live) {
        let Finished { record, world, .. } = &finished;
        let kind = match prune(setting.aws, record, world, keep).await {
            Ok(pruned) if pruned.is_empty() => None,
            Ok(revisions) => Some(Kind::Pruned { revisions }),
            Err(error) => Some(Kind::Warning { what: format!("{error}; old revisions were kept") }),
        };
        kind.into_iter().for_each(|kind| render.tell(setting.clock, kind));
    }
    let logs = last_words(setting, &finished).await;
    let ended = crate::render::ended(&finished, &setting.cluster, service, setting.aws.calls());
    let ended = Ended { logs, ..ended };
    let code = ended.exit_code;
    render.tell(setting.clock, Kind::Outcome(Box::new(ended)));
    code
}

/// Says that there is nothing to do.
pub(super) fn nothing(setting: &Setting<'_>, what: String, render: &Render<'_>) -> u8 {
    let api_calls = setting.aws.calls();
    let ended = Ended { outcome: "nothing-to-do".into(), what, api_calls, ..Ended::default() };
    render.tell(setting.clock, Kind::Outcome(Box::new(ended)));
    0
}

/// Says that a deployment is another's business now.
pub(super) fn superseded(
    setting: &Setting<'_>,
    name: &str,
    by: String,
    hint: Option<String>,
    render: &Render<'_>,
) -> u8 {
    let outcome = Outcome::Superseded(by.clone());
    let ended = Ended {
        outcome: outcome.code().into(),
        exit_code: outcome.exit_code(),
        deployment: Some(name.to_owned()),
        what: format!("{name} is superseded, nothing more is done"),
        why: Some(by),
        hint,
        api_calls: setting.aws.calls(),
        ..Ended::default()
    };
    render.tell(setting.clock, Kind::Outcome(Box::new(ended)));
    outcome.exit_code()
}

pub(super) fn random_id() -> String {
    format!("{:016x}", fastrand::u64(..))
}
