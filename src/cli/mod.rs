//! The command line. One file per command: its arguments, and the call that carries it out.

mod by;
mod changes;
mod context;
mod demo;
mod deploy;
mod doctor;
mod ecr;
mod ecs_deploy;
mod environment;
mod history;
mod manual;
mod overhear;
mod policy;
mod register;
mod run;
mod sandbox;
mod setup;
mod status;
mod sweep;
mod verbs;

use std::ffi::OsString;
use std::future::ready;
use std::path::PathBuf;
use std::pin::Pin;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::drive::OnCancel;
use crate::error::Usage;
use crate::event::refusal::{FileUse, LocalRefused};
use crate::event::{Error, Refusal};
use crate::host::Host;
use crate::render::{Output, Render, ShowProgress};
use crate::request::names::{Names, cluster_of};

/// Deploy to Amazon ECS without downtime, and roll back by itself.
#[derive(Debug, Parser)]
#[command(name = "ecs-bg", version, long_version = manual::version(), max_term_width = 100, before_help = EXAMPLE, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example:
  ecs-bg deploy --cluster shop --service api --tag 2";

const EXIT_CODES: &str = "\
Exit codes:
  0    the new version serves, everywhere, at full count; or there was nothing to do.
       --no-wait, --wait-for running and --desired-count 0 prove less
  1    rolled back: the old version serves
  2    the command line is wrong; nothing was changed
  3    refused, or failed before the first change; nothing was changed
  4    a person must look; the message says what serves and what to type
  5    another deployment took over
  130  stopped at once by a second SIGINT or SIGTERM";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Globals {
    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Output::Lines, value_name = "FORMAT")]
    output: Output,
    /// How to show progress
    #[arg(long, global = true, value_enum, default_value_t = ShowProgress::Auto, value_name = "HOW")]
    progress: ShowProgress,
    /// AWS region [default: AWS_REGION, or the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// Profile of the AWS configuration [default: AWS_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Assume this IAM role
    #[arg(long, global = true, value_name = "ARN")]
    role_arn: Option<String>,
    /// Run on a simulated AWS: solo, shop, native, canary, empty, or the file of a scenario. Each command starts
    /// a new one, unless --sandbox-state keeps it
    #[arg(long, global = true, value_name = "NAME|FILE", env = "ECS_BG_SANDBOX")]
    sandbox: Option<String>,
    /// Keep the simulated AWS in this file from one command to the next; --sandbox says what the first one is
    #[arg(long, global = true, value_name = "FILE", env = "ECS_BG_SANDBOX_STATE")]
    sandbox_state: Option<PathBuf>,
    /// An access key and its secret.
    #[arg(skip)]
    keys: Option<(String, String)>,
    /// Append what goes to and from the sandbox in the process to this file, as lines of JSON
    #[arg(long, global = true, value_name = "FILE", env = "ECS_BG_SANDBOX_WIRE", hide = true)]
    sandbox_wire: Option<PathBuf>,
    /// The variable that chose the sandbox, where the command line did not.
    #[arg(skip)]
    chosen_by: Option<&'static str>,
}

impl Globals {
    /// The options that say which AWS is meant, to be typed again.
    fn again(&self) -> String {
        let path = self.sandbox_state.as_ref().map(|path| path.display().to_string());
        // What the environment chose, it chooses again.
        let typed = self.chosen_by.is_none();
        let given = [
            ("--region", self.region.as_ref()),
            ("--profile", self.profile.as_ref()),
            ("--role-arn", self.role_arn.as_ref()),
            ("--sandbox", self.sandbox.as_ref().filter(|_| typed)),
            ("--sandbox-state", path.as_ref().filter(|_| typed)),
        ];
        let given = given.into_iter().filter_map(|(option, value)| Some((option, value?)));
        given.map(|(option, value)| format!(" {option} {}", quoted(value))).collect()
    }

    /// The same for the aws CLI.
    fn of_aws(&self) -> String {
        let given = [("--region", self.region.as_ref()), ("--profile", self.profile.as_ref())];
        let given = given.into_iter().filter_map(|(option, value)| Some((option, value?)));
        given.map(|(option, value)| format!(" {option} {}", quoted(value))).collect()
    }
}

/// What a DURATION is: commands that take one say so below their options.
const DURATION: &str = "DURATION: 90s, 15m or 1h30m; a number without a unit is seconds";

/// As a shell takes it.
fn quoted(value: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@=+,".contains(char);
    match !value.is_empty() && value.chars().all(plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', "'\\''")),
    }
}

/// Which service a command is about. The environment is asked by hand: what the command line says of a
/// cluster outranks it, also where it is said in the name of a service.
#[derive(Clone, Debug, Args)]
struct Place {
    /// Cluster, by name or ARN [default: that of --service CLUSTER/SERVICE, or ECS_BG_CLUSTER]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Service name, CLUSTER/SERVICE or ARN; with a pair, name either service [default: ECS_BG_SERVICE]
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

impl Place {
    /// The cluster and the service, as somebody named them.
    fn named(self) -> Result<(String, String), Error> {
        let service = self.service.or_else(|| variable("ECS_BG_SERVICE")).ok_or_else(|| {
            let what = "no service is named: neither --service nor ECS_BG_SERVICE is set";
            let hint = match self.cluster.is_some() || variable("ECS_BG_CLUSTER").is_some() {
                true => "--service SERVICE",
                false => "--cluster CLUSTER --service SERVICE",
            };
            Error::Usage(Usage::new(what, hint))
        })?;
        Ok((cluster(self.cluster, Some(&service))?, service))
    }
}

/// The cluster: as it was typed, or as the service's name says, or as the environment does.
fn cluster(typed: Option<String>, service: Option<&str>) -> Result<String, Error> {
    let named = || service.and_then(cluster_of).map(str::to_owned);
    typed.or_else(named).or_else(|| variable("ECS_BG_CLUSTER")).ok_or_else(|| {
        let what = "no cluster is named: neither --cluster, nor --service CLUSTER/SERVICE, nor ECS_BG_CLUSTER is set";
        Error::Usage(Usage::new(what, "--cluster CLUSTER"))
    })
}

/// A variable of the environment that is set, and not to nothing.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Which pair of services a command is about.
#[derive(Debug, Args)]
struct Target {
    #[command(flatten)]
    place: Place,
    /// With two services: the other service [default: the tag `ecs-bg:twin` of the service]
    #[arg(long, value_name = "SERVICE")]
    twin: Option<String>,
}

impl Target {
    /// Brought to names.
    fn pair(&self) -> Result<verbs::Pair, Error> {
        let (cluster, service) = self.place.clone().named()?;
        let mut services = vec![("--service", service.as_str())];
        services.extend(self.twin.iter().map(|twin| ("--twin", twin.as_str())));
        let names = Names::new(("--cluster", &cluster), &services).map_err(Error::Usage)?;
        let mut services = names.services.into_iter();
        let service = services.next().unwrap_or_default();
        Ok(verbs::Pair { cluster: names.cluster, service, twin: services.next() })
    }
}

// Each command has its help from its own type: a text here would replace it, and all but its first line.
#[derive(Debug, Subcommand)]
enum Command {
    Deploy(deploy::Deploy),
    Plan(deploy::Plan),
    Doctor(doctor::Doctor),
    IamPolicy(policy::IamPolicy),
    Register(register::Register),
    Run(run::Run),
    Ecr(ecr::Ecr),
    Setup(setup::Setup),
    Status(status::Status),
    History(history::History),
    Resume(verbs::Resume),
    Rollback(verbs::Rollback),
    Retire(verbs::Retire),
    Sweep(sweep::Sweep),
    Abort(verbs::Abort),
    Promote(verbs::Promote),
    Demo(demo::Demo),
    Sandbox(sandbox::Sandbox),
    Completions(manual::Completions),
    Man(manual::Man),
    /// Drop-in for silintl/ecs-deploy: its flags, its output
    EcsDeploy(ecs_deploy::EcsDeploy),
}

impl Command {
    /// Whether a step of GitHub Actions shows what became of it.
    fn is_reported(&self) -> bool {
        match self {
            Self::Deploy(deploy) => !deploy.dry_run,
            Self::Run(_) | Self::Setup(_) | Self::Resume(_) => true,
            Self::Rollback(_) | Self::Abort(_) | Self::Promote(_) | Self::Retire(_) => true,
            _ => false,
        }
    }

    /// What Ctrl-C does in a command that a terminal shows live.
    fn is_drawn(&self) -> Option<OnCancel> {
        match self {
            Self::Deploy(deploy) if !deploy.dry_run => Some(deploy.all.on_cancel),
            Self::Resume(_) | Self::Rollback(_) | Self::Abort(_) => Some(OnCancel::Rollback),
            _ => None,
        }
    }
}

/// Reads a command line; the first argument is the program's name.
pub fn parse<A: Into<OsString> + Clone>(
    argv: impl IntoIterator<Item = A>,
) -> Result<Cli, clap::Error> {
    let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    match ecs_deploy::words(&argv) {
        None => read(argv.clone()).map_err(|error| harmless(&argv).unwrap_or(error)),
        Some((ours, words)) => {
            let mut cli = read(ours)?;
            cli.command = Command::EcsDeploy(ecs_deploy::EcsDeploy::of(words));
            Ok(cli)
        }
    }
}

/// The error about the same words without what could forge lines: clap repeats them as they are.
fn harmless(argv: &[OsString]) -> Option<clap::Error> {
    let words = argv.iter().map(|word| crate::render::harmless(&word.to_string_lossy()).into());
    read(words.collect()).err()
}

fn read(argv: Vec<OsString>) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(argv)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    cli.globals.chosen_by = environment::chosen_by(&matches);
    Ok(cli)
}

/// Tells what is wrong with a command line, or gives the help that was asked for.
pub fn usage(error: &clap::Error, argv: &[OsString], host: &Host) -> u8 {
    let is_json = |two: &[OsString]| two[0] == "--output" && two[1] == "json";
    let ours = argv.split(|word| word == "--").next().unwrap_or_default();
    let json = ours.windows(2).any(is_json) || ours.iter().any(|word| word == "--output=json");
    let commands = Cli::command();
    let command = ours.iter().skip(1).find_map(|word| commands.find_subcommand(word));
    let help = command
        .map_or("ecs-bg --help".to_owned(), |one| format!("ecs-bg {} --help", one.get_name()));
    crate::render::usage(error, &help, if json { Output::Json } else { Output::Lines }, host);
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// The exit code, where standard output could be written. What only prints has failed if not; what changes
/// something ends as it ended.
pub fn after_printing(code: u8, only_prints: bool, host: &Host) -> u8 {
    let Some(reason) = host.lost() else { return code };
    let (path, purpose) = ("standard output".to_owned(), FileUse::WriteOutput);
    let refusal = Refusal::new(LocalRefused::File { path, purpose, reason });
    let render = Render::new(host, Output::Lines);
    match only_prints && code == 0 {
        true => {
            render.error(&refusal.into());
            3
        }
        false => {
            render.warned(&refusal);
            code
        }
    }
}

impl Cli {
    /// Whether all that this command does is to print.
    pub fn only_prints(&self) -> bool {
        match &self.command {
            Command::Deploy(deploy) => deploy.dry_run,
            Command::Setup(setup) => setup.only_prints(),
            Command::Plan(_) | Command::Doctor(_) | Command::IamPolicy(_) => true,
            Command::Status(_) | Command::History(_) | Command::Completions(_) => true,
            Command::Ecr(_) => true,
            _ => false,
        }
    }

    /// Whether this command runs in virtual time.
    pub fn is_virtual(&self, host: &Host) -> bool {
        let globals = &self.globals;
        if matches!(self.command, Command::Sandbox(_)) {
            // Its clients are other processes, in real time.
            return false;
        }
        host.sandbox.is_some()
            || globals.sandbox.is_some()
            || globals.sandbox_state.is_some()
            || matches!(self.command, Command::Demo(_))
    }
}

/// Runs a command to its exit code. The future is boxed because `demo` runs commands.
pub(crate) async fn execute(cli: Cli, host: &Host) -> u8 {
    let render = Render::new(host, cli.globals.output);
    let render = render.with_options(cli.globals.again(), cli.globals.of_aws());
    let render = if cli.command.is_reported() { render.reporting() } else { render };
    let render = match cli.command.is_drawn() {
        Some(on_cancel) => render.drawing(cli.globals.progress, on_cancel),
        None => render,
    };
    // A sandbox that listens says so itself, and the demo has no other AWS.
    if host.sandbox.is_none()
        && !matches!(cli.command, Command::Sandbox(_) | Command::Demo(_))
        && !matches!(cli.command, Command::Completions(_) | Command::Man(_))
        && let Err(error) = environment::check(&cli.globals, &render)
    {
        render.error(&error);
        return error.exit_code();
    }
    // Each on the heap: together they would be one deep future.
    let running: Pin<Box<dyn Future<Output = Result<u8, Error>> + '_>> = match cli.command {
        Command::Deploy(deploy) => {
            Box::pin(deploy::run(deploy.all, deploy.dry_run, &cli.globals, host, &render))
        }
        Command::Plan(plan) => Box::pin(deploy::run(plan.all, true, &cli.globals, host, &render)),
        Command::Doctor(arguments) => Box::pin(doctor::run(arguments, &cli.globals, host, &render)),
        Command::IamPolicy(arguments) => {
            Box::pin(policy::run(arguments, &cli.globals, host, &render))
        }
        Command::Register(register) => {
            Box::pin(register::run(register, &cli.globals, host, &render))
        }
        Command::Run(task) => Box::pin(run::run(task, &cli.globals, host, &render)),
        Command::Ecr(ecr) => Box::pin(ecr::run(ecr, &cli.globals, host, &render)),
        Command::Setup(setup) => Box::pin(setup::run(setup, &cli.globals, host, &render)),
        Command::Status(status) => Box::pin(status::run(status, &cli.globals, host, &render)),
        Command::History(typed) => Box::pin(history::run(typed, &cli.globals, host, &render)),
        Command::Resume(verb) => Box::pin(verbs::run(verb, &cli.globals, host, &render)),
        Command::Retire(verb) => Box::pin(verbs::run(verb, &cli.globals, host, &render)),
        Command::Sweep(typed) => Box::pin(sweep::run(typed, &cli.globals, host, &render)),
        Command::Rollback(verb) => Box::pin(verbs::run(verb, &cli.globals, host, &render)),
        Command::Abort(verb) => Box::pin(verbs::run(verb, &cli.globals, host, &render)),
        Command::Promote(verb) => Box::pin(verbs::run(verb, &cli.globals, host, &render)),
        Command::Completions(typed) => Box::pin(ready(Ok(manual::completions(&typed, &render)))),
        Command::Man(typed) => Box::pin(ready(manual::man(&typed, &render))),
        Command::Sandbox(sandbox) => Box::pin(sandbox::run(sandbox, &cli.globals, &render)),
        Command::EcsDeploy(words) => {
            return Box::pin(ecs_deploy::run(words, cli.globals, host)).await;
        }
        Command::Demo(demo) => Box::pin(demo::run(demo, &cli.globals, host, &render)),
    };
    running.await.unwrap_or_else(|error| {
        render.error(&error);
        error.exit_code()
    })
}
