//! The only place that names the AWS SDK: one client set, how its calls are retried, and what it
//! says. Decides nothing.

mod account;
mod act;
mod config;
mod deployments;
mod environment;
mod error;
mod history;
mod logs;
mod observe;
mod quotas;
mod raw;
mod register;
mod registry;
mod roles;
mod room;
mod rules;
mod scaling;
mod setup;
mod signed;
mod survey;
mod tasks;
mod trust;
mod visit;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_types::retry::RetryConfig;

pub use config::Connection;
pub(crate) use environment::flaw;
pub use observe::{PART_MAX, Pair, Reads, SLOW};
pub use visit::{Visit, Visitor};

use crate::clock::Clock;

/// The clients, and what their answers said beside their contents.
pub struct Aws {
    ecs: aws_sdk_ecs::Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    ecr: EcrClients,
    #[cfg(feature = "logs")]
    logs: logs::LogClients,
    autoscaling: aws_sdk_applicationautoscaling::Client,
    signed: signed::Signed,
    meter: Meter,
    essentials: Essentials,
    identity: Identity,
    clock: Clock,
    /// The region that the deployment is in.
    pub region: String,
    /// When the credentials end, where they do.
    pub expires: Option<SystemTime>,
}

/// The account of the credentials that the calls are made with.
struct Identity {
    sts: aws_sdk_sts::Client,
    /// If the credentials themselves say it.
    account: Option<String>,
    /// The ARN of the caller, once it was asked for.
    caller: tokio::sync::OnceCell<Option<String>>,
}

/// An image may be in another region's registry.
struct EcrClients {
    config: aws_sdk_ecr::config::Builder,
}

impl EcrClients {
    fn of(&self, region: &str) -> aws_sdk_ecr::Client {
        let region = aws_sdk_ecr::config::Region::new(region.to_owned());
        aws_sdk_ecr::Client::from_conf(self.config.clone().region(region).build())
    }
}

/// The essential containers of each revision that was read, by ARN.
#[derive(Debug, Default)]
struct Essentials(Mutex<BTreeMap<String, Vec<String>>>);

impl Essentials {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Vec<String>>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts calls by operation, and keeps AWS's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Mutex<Readings>>);

#[derive(Debug, Default)]
struct Readings {
    calls: BTreeMap<String, u32>,
    date: Option<SystemTime>,
}

impl Meter {
    fn with<T>(&self, f: impl FnOnce(&mut Readings) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Aws {
    /// Calls made so far, by operation.
    pub fn calls(&self) -> BTreeMap<String, u32> {
        self.meter.with(|readings| readings.calls.clone())
    }

    /// The time of AWS's last answer, by AWS's clock.
    pub(crate) fn date(&self) -> SystemTime {
        self.meter.with(|readings| readings.date).unwrap_or_else(|| self.clock.now())
    }
}

/// Changes are sent once: what becomes of a change that was not answered is found out by looking.
fn once() -> RetryConfig {
    RetryConfig::disabled()
}
