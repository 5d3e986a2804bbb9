//! The drop-in for silintl's `ecs-deploy` 3.10: its flags, its lines, its exit codes; without its lies.
//! What it does is done by the same engine as everything else.

mod flags;
mod image;
mod task;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::{Args, CommandFactory};

use self::flags::{Flags, Wrong};
use super::Globals;
use super::context::Context;
use crate::aws::flaw;
use crate::drive::claim::OnConflict;
use crate::drive::interrupt::{Registration, or_interrupted};
use crate::drive::{OnCancel, OnTrouble, Setting};
use crate::error::{FailureKind, Usage};
use crate::event::{Error, Interruption, LeftBehind, Warning};
use crate::host::Host;
use crate::ops::deploy::deploy;
use crate::ops::look::digests;
use crate::ops::register::register;
use crate::plan::Wanted;
use crate::render::{Render, Words};
use crate::request::WaitFor;
use crate::request::edits::{self, Base, Edits, Hidden};
use crate::request::image::{ImageChange, is_tag};
use crate::request::names::Names;
use crate::request::template::decode;
use crate::request::{Keep, Request, Scale};

/// Take the flags of silintl's `ecs-deploy`, and say what it says.
///
/// Also when the program is called `ecs-deploy`, or when its first word begins with `-`. Exit codes: 0,
/// 1 and 3 to 13 as there; 20 refused; 21 another deployment has taken over; 254 AWS refused a call.
#[derive(Debug, Args)]
#[command(after_help = USAGE, disable_help_flag = true)]
pub(super) struct EcsDeploy {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    words: Vec<OsString>,
}

const USAGE: &str = "\
Example:
  ecs-deploy -c shop -n api -i 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:2 -t 600 --enable-rollback

Flags:
  -k | --aws-access-key KEY        -s | --aws-secret-key SECRET     (better: the environment)
  -r | --region REGION             -p | --profile NAME              -a | --aws-assume-role ARN
  -c | --cluster CLUSTER           -n | --service-name SERVICE      -d | --task-definition FAMILY
  -i | --image IMAGE               -e | --tag-env-var VARIABLE      -to | --tag-only TAG
  -D | --desired-count N           -m | --min PERCENT               -M | --max PERCENT
  -t | --timeout SECONDS (90)      --max-definitions N              --enable-rollback
  --use-latest-task-def            --task-definition-file FILE      --copy-task-definition-tags
  --force-new-deployment           --skip-deployments-check         --aws-instance-profile
  --run-task                       --wait-for-success               --launch-type TYPE
  --platform-version VERSION       --network-configuration JSON
  -v | --verbose                   --version";

/// Options of ours that may stand before the flags; silintl's tool has none of them.
const OURS: [&str; 3] = ["--sandbox", "--sandbox-state", "--output"];
/// Options of both, or that silintl's tool has under other names: before a word that is no flag they are ours.
const SHARED: [&str; 4] = ["--region", "--profile", "--role-arn", "--progress"];
/// First words that are ours.
const HELP: [&str; 4] = ["-h", "--help", "-V", "--version"];

impl EcsDeploy {
    pub(super) fn of(words: &[OsString]) -> Self {
        Self { words: words.to_vec() }
    }
}

/// Whether a command line is meant for silintl's tool: what of it is ours, and its flags.
pub(super) fn words(argv: &[OsString]) -> Option<(Vec<OsString>, &[OsString])> {
    let (program, mut rest) = argv.split_first()?;
    let mut ours = vec![program.clone()];
    let called = Path::new(program).file_stem().is_some_and(|name| name == "ecs-deploy");
    while !called
        && let Some(word) = rest.first().and_then(|word| word.to_str())
        && let name = word.split('=').next().unwrap_or(word)
        && OURS.contains(&name)
    {
        let count = if word.contains('=') { 1 } else { 2.min(rest.len()) };
        ours.extend_from_slice(&rest[..count]);
        rest = &rest[count..];
    }
    let first = rest.first().and_then(|word| word.to_str());
    let flags = match first {
        _ if called => rest,
        Some("ecs-deploy") => &rest[1..],
        Some(_) if before_a_verb(rest) || names_a_command(rest) => return None,
        Some(word) if word.starts_with('-') && !HELP.contains(&word) => rest,
        _ => return None,
    };
    ours.push("ecs-deploy".into());
    Some((ours, flags))
}

/// Whether a verb follows our own options: silintl's tool takes nothing but flags.
fn before_a_verb(mut rest: &[OsString]) -> bool {
    while let Some(word) = rest.first().and_then(|word| word.to_str())
        && let name = word.split('=').next().unwrap_or(word)
        && (OURS.contains(&name) || SHARED.contains(&name))
    {
        rest = rest.get(if word.contains('=') { 1 } else { 2 }..).unwrap_or_default();
    }
    rest.first().and_then(|word| word.to_str()).is_none_or(|word| !word.starts_with('-'))
}

/// Whether the words are none that silintl's tool takes, and one is a command of ours: somebody put the options
/// first.
fn names_a_command(rest: &[OsString]) -> bool {
    let words: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let commands = super::Cli::command();
    matches!(Flags::read(&words), Err(Wrong::Usage(_)))
        && words.iter().any(|word| commands.find_subcommand(word).is_some())
}

/// Exit codes beyond silintl's own.
const FAILED: u8 = 1;
const USAGE_CODE: u8 = 3;
const UNPARSABLE: u8 = 13;
const REFUSED: u8 = 20;
const SUPERSEDED: u8 = 21;
/// As the aws CLI has it: 254 for what AWS refused, 253 for credentials and configuration.
const AWS_REFUSED: u8 = 254;
const NO_CREDENTIALS: u8 = 253;

pub(super) async fn run(typed: EcsDeploy, mut globals: Globals, host: &Host) -> u8 {
    let plain = Render::like_ecs_deploy(host, Words::default());
    let words: Result<Vec<String>, OsString> =
        typed.words.into_iter().map(OsString::into_string).collect();
    if matches!(&words, Ok(words) if matches!(words.first().map(String::as_str), Some("--help" | "-h")))
    {
        plain.say(USAGE);
        return 0;
    }
    let flags = words
        .map_err(|word| Wrong::Usage(format!("{} is not UTF-8", word.display())))
        .and_then(|words| Flags::read(&words));
    let flags = match flags {
        Ok(flags) => flags,
        Err(wrong) => return tell(wrong, &plain),
    };
    if flags.version {
        plain.say(env!("CARGO_PKG_VERSION"));
        return 0;
    }
    if flags.instance_profile {
        plain.say("--aws-instance-profile is not yet in use");
    }
    globals.region = flags.region.clone().or(globals.region);
    globals.profile = flags.profile.clone().or(globals.profile);
    globals.role_arn = flags.assume_role.clone().or(globals.role_arn);
    globals.keys = keys(&flags, &plain);
    let render = Render::like_ecs_deploy(
        host,
        Words {
            timeout: flags.timeout,
            rollback: flags.enable_rollback,
            skip_check: flags.skip_check,
            restart: flags.force,
        },
    );
    match connected(&flags, &globals, host, &render).await {
        Ok(code) => code,
        Err(Error::Usage(refusal)) if refusal.hint.is_empty() => {
            render.say(&refusal.what);
            UNPARSABLE
        }
        Err(error) => {
            render.error(&error);
            code(&error)
        }
    }
}

/// What silintl's tool would exit with.
fn code(error: &Error) -> u8 {
    match error {
        Error::Aws(error)
            if matches!(
                error.kind,
                FailureKind::Credentials | FailureKind::Region | FailureKind::Environment
            ) =>
        {
            NO_CREDENTIALS
        }
        Error::Aws(_) => AWS_REFUSED,
        Error::Interrupted(interruption) if interruption.code == 130 => 130,
        Error::After(..)
        | Error::Interrupted(Interruption { left: LeftBehind::Earlier { .. }, .. }) => FAILED,
        Error::Usage(_) | Error::Refused(_) | Error::Interrupted(_) => REFUSED,
    }
}

fn tell(wrong: Wrong, render: &Render<'_>) -> u8 {
    match wrong {
        Wrong::Usage(why) => {
            if !why.is_empty() {
                render.aside(&format!("error: {why}"));
            }
            render.say(USAGE);
            USAGE_CODE
        }
        Wrong::Message(code, text) => {
            render.say(&text);
            code
        }
    }
}

/// Keys of the command line; where only one is there, the other may be in the environment.
fn keys(flags: &Flags, render: &Render<'_>) -> Option<(String, String)> {
    if flags.access_key.is_none() && flags.secret_key.is_none() {
        return None;
    }
    render.aside(
        "warning: keys on a command line show in the process list and in shell histories; put them into \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
    let other = |own: &Option<String>, name| own.clone().or_else(|| std::env::var(name).ok());
    Some((
        other(&flags.access_key, "AWS_ACCESS_KEY_ID")?,
        other(&flags.secret_key, "AWS_SECRET_ACCESS_KEY")?,
    ))
}

async fn connected(
    flags: &Flags,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let change = change(flags, render)?;
    let edits = edits(flags)?;
    let service = flags.service.as_deref().map(|service| ("-n", service));
    let cluster = flags.cluster.as_deref().map(|cluster| ("-c", cluster));
    let names = cluster.map(|cluster| Names::new(cluster, service.as_slice()));
    let names = names.transpose().map_err(Error::Usage)?.unwrap_or_default();
    let Names { cluster, services } = names;
    let context = Context::connect(globals, host).await?;
    context.check_region(&cluster)?;
    let setting = Setting {
        on_trouble: if flags.enable_rollback { OnTrouble::TurnBack } else { OnTrouble::Leave },
        phase: Some(Duration::from_secs(flags.timeout)),
        // A killed run that is started again is to go on, or to deploy something else.
        on_conflict: OnConflict::Supersede,
        ..context.setting(&cluster, OnCancel::Hold)
    };
    match &change {
        Some(ImageChange::Repository(image)) => render.say(&format!("Using image name: {image}")),
        Some(ImageChange::EveryTag(tag)) => render.say(&format!("Using image name: {tag}")),
        _ => {}
    }
    let changes: Vec<ImageChange> = change.into_iter().collect();
    let result = match &flags.task_definition {
        Some(name) => task_definition(name, &changes, &edits, flags, &setting, render).await,
        None => deploy_service(flags, services.concat(), changes, edits, &setting, render).await,
    };
    context.finish(&cluster, result).await
}

/// What is cloned instead of the revision that the service runs.
fn edits(flags: &Flags) -> Result<Edits, Error> {
    let file = match flags.task_definition_file.as_ref().filter(|_| !flags.force) {
        None => None,
        Some(path) => Some((path.clone(), Hidden(read(path)?))),
    };
    let from = if flags.use_latest && !flags.force { Base::Latest } else { Base::Service };
    Edits::new(&edits::Typed { file, from, ..edits::Typed::default() }).map_err(Error::Usage)
}

fn read(path: &str) -> Result<String, Error> {
    let unread = |why: &str| {
        let what = format!("--task-definition-file: {path} cannot be read: {why}");
        Error::Usage(Usage::new(what, format!("ls -l {path}")))
    };
    let bytes = std::fs::read(path).map_err(|error| unread(&error.to_string()))?;
    decode(bytes).ok_or_else(|| unread("it is not UTF-8"))
}

/// What `-i`, `-e` and `-to` ask for. An error without a hint is one of silintl's own messages.
fn change(flags: &Flags, render: &Render<'_>) -> Result<Option<ImageChange>, Error> {
    if flags.force {
        return Ok(None);
    }
    let text = flags.image.as_deref().unwrap_or_default();
    let unparsable = || {
        let what = format!("Unable to parse image name: {text}, check the format and try again");
        Error::Usage(Usage::new(what, ""))
    };
    if let Some(tag) = &flags.tag_only {
        return match image::is_placeholder(text) && is_tag(tag) {
            true => Ok(Some(ImageChange::EveryTag(tag.clone()))),
            false => Err(unparsable()),
        };
    }
    let variable = flags.tag_env_var.as_ref().and_then(|name| std::env::var(name).ok());
    let image = image::named(text, variable.as_deref()).ok_or_else(|| {
        let variable = flags.tag_env_var.as_ref().zip(variable.as_ref());
        let wrong = variable.and_then(|(name, tag)| Some((name, flaw(name, tag)?)));
        if let Some((name, wrong)) = wrong {
            render.aside(&format!("error: the variable {name} {wrong}"));
        }
        unparsable()
    })?;
    Ok(Some(ImageChange::Repository(image)))
}

async fn deploy_service(
    flags: &Flags,
    service: String,
    changes: Vec<ImageChange>,
    edits: Edits,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let request = Request {
        alone: true,
        is_rollback: false,
        restart: flags.force,
        changes,
        edits,
        leave_tags: !flags.copy_tags,
        scale: match flags.force {
            true => Scale::default(),
            false => {
                Scale { count: flags.desired_count, min_healthy: flags.min, max_percent: flags.max }
            }
        },
        until: flags.skip_check.then_some(WaitFor::Started),
        keep: (flags.max_definitions > 0).then_some(Keep::OfFamily(flags.max_definitions)),
        ..Request::back(&setting.cluster, &service, None)
    };
    let mut emit = |event| render.event(&event);
    let ended = deploy(&request, setting, &mut emit).await?;
    Ok(match ended.exit_code {
        code @ (0 | 130) => code,
        5 => SUPERSEDED,
        _ => FAILED,
    })
}

/// A revision, and nothing else.
async fn task_definition(
    name: &str,
    changes: &[ImageChange],
    edits: &Edits,
    flags: &Flags,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let interrupts = &setting.interrupts;
    let current = or_interrupted(interrupts, setting.aws.known_revision(name)).await?;
    let latest = match edits.from {
        Base::Latest => {
            Some(or_interrupted(interrupts, setting.aws.known_revision(current.family())).await?)
        }
        Base::Service => None,
    };
    let mut base = edits.file.clone().or(latest).unwrap_or_else(|| current.clone());
    if !flags.copy_tags {
        base.tags.clear();
    }
    render.say(&format!("Current task definition: {}", current.arn));
    let wanted = Wanted::of(base, changes, edits)?;
    wanted.check(&or_interrupted(interrupts, digests(setting.aws, &wanted)).await?)?;
    let (aws, changes, registration) = (setting.aws, wanted.changes(), Registration::default());
    let registering = register(aws, setting.clock, &registration, &wanted.base, &changes);
    let (revision, untagged) = registration.or_undone(interrupts, aws, registering).await?;
    if untagged {
        render.warning(&Warning::TagsNotCopied);
    }
    render.say(&format!("New task definition: {}", revision.arn));
    if !flags.run_task {
        render.say("Task definition updated successfully");
        return Ok(0);
    }
    task::run(flags, &revision, setting, render).await
}
