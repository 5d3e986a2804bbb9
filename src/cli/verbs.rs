//! `resume`, `rollback`, `abort`, `promote`: what a person may do with a deployment from any machine.
//! Each takes the deployment over; the process that drove it stops touching anything.

use std::collections::BTreeMap;
use std::time::SystemTime;

use clap::Args;

use super::context::Context;
use super::deploy::{adopt, close_overtaken, deploy, drive_back, nothing, random_id, superseded};
use super::{Globals, Target};
use crate::aws::Kind as Failure;
use crate::claim::{Claimant, OnConflict};
use crate::engine::{OnCancel, Setting};
use crate::error::{Error, Refusal};
use crate::event::Kind;
use crate::host::Host;
use crate::image::ImageRef;
use crate::plan::{self, Identity, Survey, live, unfinished};
use crate::record::{Engine, Heading, Reason, Record};
use crate::render::Render;
use crate::request::Request;
use crate::revision::{Revision, short};
use crate::route::View;
use crate::watch::Watch;

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

/// One of the verbs.
#[derive(Debug)]
pub(super) enum Verb {
    Resume(Resume),
    Rollback(Rollback),
    Abort(Abort),
    Promote(Promote),
}

/// A person's command: it takes over, however old the record is and whether its owner lives or not.
fn by_name(on_conflict: OnConflict) -> Claimant {
    Claimant { owner: random_id(), on_conflict, by_name: true }
}

pub(super) async fn run(
    verb: Verb,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let context = Context::connect(globals, host).await?;
    let target = match &verb {
        Verb::Resume(Resume { target, .. })
        | Verb::Rollback(Rollback { target, .. })
        | Verb::Abort(Abort { target })
        | Verb::Promote(Promote { target }) => target,
    };
    context.check_region(&target.cluster)?;
    let setting = context.setting(&target.cluster, OnCancel::Rollback, host);
    let accept_drift = match &verb {
        Verb::Resume(resume) => resume.accept_drift,
        // Back is where it goes from any weight.
        Verb::Rollback(_) | Verb::Abort(_) => true,
        Verb::Promote(_) => false,
    };
    let setting = Setting { accept_drift, ..setting };
    let result = act(&verb, target, &setting, render).await;
    context.save()?;
    result
}

async fn act(
    verb: &Verb,
    target: &Target,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let looked = setting.clock.now();
    let survey =
        setting.aws.survey(&target.cluster, &target.service, target.twin.as_deref()).await?;
    if let Verb::Rollback(Rollback { to: Some(to), .. }) = verb
        && survey.names(to)
    {
        return back_to_service(to, target, survey, looked, setting, render).await;
    }
    let open = match survey.open_record() {
        Some(Ok(record)) => Some(record),
        Some(Err(why)) => return Err(Refusal::new(why, status(target)).into()),
        None => None,
    };
    if open.is_none()
        && !matches!(verb, Verb::Rollback(Rollback { to: Some(_), .. }))
        && let Some((record, by)) = survey.overtaken().into_iter().next()
    {
        let hint = match (verb, record.engine()) {
            (Verb::Rollback(_) | Verb::Abort(_), Engine::Listener) => {
                format!("{} --to {}", verb_for(target, "rollback"), record.blue)
            }
            _ => status(target),
        };
        return Ok(superseded(setting, record.name(), by, Some(hint), render));
    }
    let take_over = by_name(OnConflict::Supersede);
    let service = &target.service;
    match (verb, open) {
        (Verb::Rollback(rollback), None) => back_to(rollback, &survey, setting, render).await,
        (Verb::Promote(_), None) => {
            let what = format!("no deployment of {service} is under way");
            Err(Refusal::new(what, status(target)).into())
        }
        (Verb::Resume(_) | Verb::Abort(_), None) => Ok(nothing(
            setting,
            format!("nothing to do: no deployment of {service} is under way"),
            render,
        )),
        (Verb::Resume(resume), Some(record)) => {
            let heading = record.heading.clone();
            let claimant = by_name(resume.on_conflict);
            ended(
                adopt(setting, record, survey.world, heading, &claimant, service, render).await?,
                setting,
                render,
            )
        }
        (Verb::Rollback(_) | Verb::Abort(_), Some(record)) => {
            let back = Heading::Back(Reason::Asked);
            ended(
                adopt(setting, record, survey.world, back, &take_over, service, render).await?,
                setting,
                render,
            )
        }
        (Verb::Promote(_), Some(record)) => {
            let record = promoted(record, &survey, target)?;
            let heading = record.heading.clone();
            ended(
                adopt(setting, record, survey.world, heading, &take_over, service, render).await?,
                setting,
                render,
            )
        }
    }
}

/// A service of the pair is to have all the traffic: the way back of the deployment that began with
/// it, or where there is none, of one that is known from the weights alone.
async fn back_to_service(
    to: &str,
    target: &Target,
    survey: Survey,
    looked: SystemTime,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    match survey.open_record() {
        Some(Ok(record)) if record.engine() == Engine::Rolling => {
            return Err(unfinished(&survey, &record).into());
        }
        Some(Ok(record)) if record.blue == to => {
            let back = Heading::Back(Reason::Asked);
            let (world, claimant) = (survey.world.clone(), by_name(OnConflict::Supersede));
            let code = adopt(setting, record, world, back, &claimant, &target.service, render);
            match code.await {
                Err(Error::Aws(error)) if error.kind == Failure::Denied => {
                    let what =
                        format!("{error}; going by the weights alone, the record stays open");
                    render.tell(setting.clock, Kind::Warning { what });
                }
                code => return ended(code?, setting, render),
            }
        }
        Some(Ok(record)) => {
            let what = format!("{to} is what {} introduces, which is under way", record.name());
            return Err(Refusal::new(what, verb_for(target, "resume")).into());
        }
        Some(Err(what)) => render.tell(setting.clock, Kind::Warning { what }),
        None => {}
    }
    let identity = Identity { deployment: random_id(), owner: random_id() };
    match plan::back_to(to, &survey, &identity)? {
        Some(record) => {
            let (world, service) = (survey.world.clone(), &target.service);
            let code = drive_back(setting, record, world, looked, service, render).await;
            if code == 1 {
                close_overtaken(setting, &survey, render).await;
            }
            Ok(code)
        }
        None => Ok(nothing(setting, format!("nothing to do: {to} serves alone"), render)),
    }
}

fn ended(code: Option<u8>, setting: &Setting<'_>, render: &Render<'_>) -> Result<u8, Error> {
    Ok(code.unwrap_or_else(|| {
        nothing(setting, "nothing to do: it has ended meanwhile".into(), render)
    }))
}

/// The record without the rest of the present hold.
fn promoted(record: Record, survey: &Survey, target: &Target) -> Result<Record, Refusal> {
    let watch = Watch::new(survey.world.at);
    let view = View { record: &record, watch: &watch, world: &survey.world };
    let holds =
        record.held.filter(|held| Some(held.share) == record.to && view.all_read(held.share));
    match holds.filter(|_| record.forward()) {
        Some(held) => Ok(Record { promoted: Some(held.share), ..record }),
        None => {
            let step = crate::plan::standing(&record, &survey.world);
            let what =
                format!("{} holds no share that could be promoted: it is at {step}", record.name());
            Err(Refusal::new(what, status(target)))
        }
    }
}

fn status(target: &Target) -> String {
    verb_for(target, "status")
}

fn verb_for(target: &Target, verb: &str) -> String {
    format!("ecs-bg {verb} --cluster {} --service {}", target.cluster, target.service)
}

/// A finished deployment is not reopened: what served before it is deployed anew, at once, with the
/// images that ran then where they are known.
async fn back_to(
    rollback: &Rollback,
    survey: &Survey,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let target = &rollback.target;
    let request = Request::back(&target.cluster, &target.service, survey.twin.as_deref());
    let blue = live(&request, survey)?;
    let base = match &rollback.to {
        Some(name) => name.clone(),
        None => match survey.closed_on(blue) {
            Some(record) => record.from,
            None => {
                let what = format!(
                    "no record says what served before {} in {}",
                    short(&blue.revision),
                    blue.name
                );
                let hint = format!(
                    "ecs-bg rollback --cluster {} --service {} --to FAMILY:REVISION",
                    target.cluster, target.service
                );
                return Err(Refusal::new(what, hint).into());
            }
        },
    };
    let base = match (setting.aws.revision(&base).await, &survey.twin) {
        (Err(error), Some(twin)) if error.code == "ClientException" => {
            let (service, region) = (&target.service, &setting.aws.region);
            let what = format!(
                "{base} is neither {service} nor {twin}, nor a task definition in {region}"
            );
            return Err(Refusal::new(what, status(target)).into());
        }
        (base, _) => base?,
    };
    let ran = {
        let services = survey.world.services.values();
        setting
            .aws
            .digests_that_ran(&target.cluster, services, &base.arn, true)
            .await
            .unwrap_or_default()
    };
    let images = pinned(&base, &ran);
    for container in base.containers.iter().filter(|(name, _)| !ran.contains_key(name)) {
        let what = format!(
            "the digest of {} that ran in container {} is not known any more",
            container.1, container.0
        );
        render.tell(setting.clock, Kind::Warning { what });
    }
    let request = request.to(&base.arn, images);
    let claimant = Claimant { owner: random_id(), on_conflict: OnConflict::Refuse, by_name: true };
    deploy(&request, false, setting, &claimant, render).await
}

/// The images of a revision, by the digests that ran.
fn pinned(base: &Revision, ran: &BTreeMap<String, String>) -> Vec<(String, ImageRef)> {
    let parsed = base
        .containers
        .iter()
        .filter_map(|(name, image)| Some((name, image.parse::<ImageRef>().ok()?)));
    parsed
        .map(|(name, image)| {
            let pinned = ran.get(name).map(|digest| image.pinned(digest));
            (name.clone(), pinned.unwrap_or(image))
        })
        .collect()
}
