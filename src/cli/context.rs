//! Which AWS a command talks to, and the clock that goes with it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ecs_bg_sandbox::scenario::Scenario;
use ecs_bg_sandbox::sdk::InProcess;
use ecs_bg_sandbox::{Cloud, Time};

use tokio::sync::watch;

use super::{Globals, overhear};
use crate::aws::{Aws, Connection};
use crate::clock::Clock;
use crate::drive::claim::OnConflict;
use crate::drive::interrupt::or_interrupted;
use crate::drive::{OnCancel, OnTrouble, Setting, random_id};
use crate::error::{FailureKind, Usage};
use crate::event::refusal::{FileUse, LocalRefused};
use crate::event::{Error, Refusal};
use crate::host::{Host, Sandbox};
use crate::request::gates::Gates;

/// The AWS of a command, and its time.
pub(super) struct Context {
    pub(super) aws: Aws,
    pub(super) clock: Clock,
    /// How often the user has asked us to stop.
    pub(super) interrupts: watch::Receiver<u32>,
    state: Option<(PathBuf, Arc<Mutex<Cloud>>)>,
}

impl Context {
    /// Connects to what the options and the host say.
    pub(super) async fn connect(globals: &Globals, host: &Host) -> Result<Self, Error> {
        // From here on a request to stop is heard: the credentials may already be slow.
        let interrupts = host.interrupts.clone().unwrap_or_else(crate::host::signals);
        let sandbox = match &host.sandbox {
            Some(sandbox) => Some(sandbox.clone()),
            None => sandbox(globals)?,
        };
        let Some(sandbox) = sandbox else {
            let clock = Clock::real();
            let (region, profile) = (globals.region.clone(), globals.profile.clone());
            let (role, keys) = (globals.role_arn.clone(), globals.keys.clone());
            let real = Connection::Real { region, profile, role, keys };
            let aws = or_interrupted(&interrupts, Aws::connect(&real, clock)).await?;
            return Ok(Self { aws, clock, interrupts, state: None });
        };
        let (now, region) = {
            let cloud = sandbox.cloud.lock().unwrap_or_else(PoisonError::into_inner);
            (cloud.now(), cloud.region().to_owned())
        };
        let clock = Clock::starting_at(now.into()).on(sandbox.machine);
        let mut http = InProcess::new(
            Arc::clone(&sandbox.cloud),
            Arc::new(move || Time::from(clock.simulated())),
        );
        if let Some(interfere) = &sandbox.interfere {
            http = http.interfered(Arc::clone(interfere));
        }
        if let Some(path) = &globals.sandbox_wire {
            http = http.overheard(overhear::into(path)?);
        }
        let region = globals.region.clone().unwrap_or(region);
        let partition = fastrand::u64(..);
        let aws = Aws::connect(&Connection::Sandbox { http, region, partition }, clock).await?;
        let state = globals.sandbox_state.clone().map(|path| (path, sandbox.cloud));
        let context = Self { aws, clock, interrupts, state };
        context.can_be_saved()?;
        Ok(context)
    }

    /// That the sandbox's world cannot be kept is found before it changes.
    fn can_be_saved(&self) -> Result<(), Error> {
        match &self.state {
            Some((path, _)) if path.exists() => match fs::File::options().write(true).open(path) {
                Ok(_) => Ok(()),
                Err(error) => Err(unusable(path, FileUse::WriteSandbox, &error).into()),
            },
            Some(_) => self.save(),
            None => Ok(()),
        }
    }

    /// A cluster's ARN names its region: that of another one would only not be found.
    pub(super) fn check_region(&self, cluster: &str) -> Result<(), Error> {
        let named = cluster.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        match named.filter(|region| *region != self.aws.region) {
            None => Ok(()),
            Some(region) => {
                let (cluster, region) = (cluster.to_owned(), region.to_owned());
                let used = self.aws.region.clone();
                Err(Refusal::new(LocalRefused::OtherRegion { cluster, region, used }).into())
            }
        }
    }

    /// What a command ends with: the world of the sandbox is kept, whatever came out.
    pub(super) async fn finish<T>(
        &self,
        cluster: &str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        self.save()?;
        match result {
            Err(error) => Err(self.explain(cluster, error).await),
            result => result,
        }
    }

    /// An ARN also names its account: if AWS does not find the cluster or denies the call, the error says when
    /// that is not the account of the credentials.
    async fn explain(&self, cluster: &str, error: Error) -> Error {
        let is_elsewhere = matches!(
            &error,
            Error::Aws(failure) if matches!(failure.kind, FailureKind::Missing | FailureKind::Denied)
        );
        let named = cluster.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(3));
        let Some(named) = named.filter(|_| is_elsewhere) else { return error };
        match self.aws.account().await {
            Some(own) if own != named => {
                let (cluster, account) = (cluster.to_owned(), named.to_owned());
                Refusal::new(LocalRefused::OtherAccount { cluster, account, used: own }).into()
            }
            _ => error,
        }
    }

    /// What a run on this AWS needs.
    pub(super) fn setting(&self, cluster: &str, on_cancel: OnCancel) -> Setting<'_> {
        Setting {
            aws: &self.aws,
            clock: self.clock,
            cluster: cluster.to_owned(),
            interrupts: self.interrupts.clone(),
            on_cancel,
            owner: random_id(),
            on_conflict: OnConflict::Refuse,
            by_name: true,
            on_trouble: OnTrouble::TurnBack,
            accept_drift: false,
            now: false,
            finishes: false,
            phase: None,
            by: super::by::by(|name| std::env::var(name).ok()),
            prepare: None,
            alarms: vec![],
            gates: Gates::default(),
        }
    }

    /// Keeps the sandbox's world for the next command.
    pub(super) fn save(&self) -> Result<(), Error> {
        let Some((path, cloud)) = &self.state else { return Ok(()) };
        let mut cloud = cloud.lock().unwrap_or_else(PoisonError::into_inner);
        cloud.advance(Time::from(self.clock.simulated()));
        keep(path, &cloud)
    }
}

fn keep(path: &Path, cloud: &Cloud) -> Result<(), Error> {
    let write = serde_json::to_vec(cloud)
        .map_err(std::io::Error::from)
        .and_then(|json| private().truncate(true).write(true).open(path)?.write_all(&json));
    write.map_err(|error| unusable(path, FileUse::WriteSandbox, &error).into())
}

/// Lets time pass in the world that is kept, and says when it is there then.
pub(super) fn advance(globals: &Globals, time: Duration) -> Result<SystemTime, Error> {
    let (Some(path), Some(sandbox)) = (&globals.sandbox_state, sandbox(globals)?) else {
        return Err(Error::Usage(Usage::new("no world is kept", "--sandbox-state FILE")));
    };
    let mut cloud = sandbox.cloud.lock().unwrap_or_else(PoisonError::into_inner);
    let then = cloud.now() + time;
    cloud.advance(then);
    keep(path, &cloud)?;
    Ok(then.into())
}

/// A file or a folder cannot be used.
pub(super) fn unusable(path: &Path, purpose: FileUse, error: &impl ToString) -> Refusal {
    let (path, reason) = (path.display().to_string(), error.to_string());
    Refusal::new(LocalRefused::File { path, purpose, reason })
}

/// Creates files that only their owner may read: a task definition holds what its user kept secret. A file
/// that is there keeps its permissions.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = fs::File::options();
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn sandbox(globals: &Globals) -> Result<Option<Sandbox>, Error> {
    if let Some(path) = globals.sandbox_state.as_ref().filter(|path| path.exists()) {
        // It is there already; a name that means nothing is a slip all the same.
        globals.sandbox.as_deref().map(|name| build("--sandbox", name)).transpose()?;
        let json = fs::read(path).map_err(|error| unusable(path, FileUse::ReadSandbox, &error))?;
        let cloud = serde_json::from_slice(&json)
            .map_err(|error| unusable(path, FileUse::ParseSandbox, &error))?;
        return Ok(Some(Sandbox::new(cloud)));
    }
    match (&globals.sandbox, &globals.sandbox_state) {
        (Some(name), _) => Ok(Some(Sandbox::new(build("--sandbox", name)?))),
        (None, Some(path)) => {
            let what = format!(
                "--sandbox-state: {} does not exist, and no --sandbox says what to begin with",
                path.display()
            );
            Err(Error::Usage(Usage::new(what, "--sandbox shop")))
        }
        (None, None) => Ok(None),
    }
}

/// Builds the world of the scenario that an option names: a built-in one, or a file.
pub(super) fn build(option: &str, name: &str) -> Result<Cloud, Error> {
    let names = ecs_bg_sandbox::scenario::names().join(", ");
    let refused = |what: String| Error::Usage(Usage::new(what, format!("{option} shop")));
    let scenario = match Scenario::builtin(name) {
        Some(scenario) => scenario,
        None => {
            let text = fs::read_to_string(name).map_err(|error| {
                refused(format!("{option}: {name} is neither a scenario ({names}) nor a file that can be read: {error}"))
            })?;
            Scenario::parse(&text, name).map_err(|error| refused(format!("{option}: {error}")))?
        }
    };
    Cloud::from_scenario(&scenario).map_err(|error| refused(format!("{option}: {error}")))
}
