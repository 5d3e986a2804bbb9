//! `sandbox`: an AWS that listens, for any client in any process.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::iam::Policy;
use ecs_bg_sandbox::server::{Server, is_scale};

use super::{DURATION, Globals, context};
use crate::error::Usage;
use crate::event::refusal::LocalRefused;
use crate::event::{Error, Refusal};
use crate::render::{Listening, Render};
use crate::request::duration;

/// Run a simulated AWS for any AWS client.
///
/// It answers over HTTP: Amazon ECS, Elastic Load Balancing, Amazon ECR, AWS STS, scalable targets and more. It
/// checks no signatures and keeps nothing when it ends. Read and change its state, images and faults below
/// /_sandbox/.
#[derive(Debug, Args)]
#[command(before_help = "Examples:\n  ecs-bg sandbox --scenario shop --scale 20\n  ecs-bg sandbox --advance 10m --sandbox-state shop.json", after_help = DURATION)]
pub(super) struct Sandbox {
    /// Port; 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    port: u16,
    /// Address to listen on; other machines can connect unless it is a loopback address
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// Start from this scenario: solo, shop, native, canary, empty, or a file [default: --sandbox, or empty]
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// Simulated seconds per second
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Authorise each call with this policy document [default: allow everything]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Throttle calls as AWS does
    #[arg(long)]
    throttle: bool,
    /// Let so much time pass in the file of --sandbox-state, and listen to nobody
    #[arg(long, value_name = "DURATION", requires = "sandbox_state", conflicts_with_all = ["port", "listen", "scenario", "scale", "policy", "throttle"])]
    advance: Option<String>,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if is_scale(scale) => Ok(scale),
        _ => Err("a number between 0.001 and 100000, for example 20".into()),
    }
}

pub(super) async fn run(
    sandbox: Sandbox,
    globals: &Globals,
    render: &Render<'_>,
) -> Result<u8, Error> {
    if let Some(text) = &sandbox.advance {
        let now = context::advance(globals, duration("--advance", text).map_err(Error::Usage)?)?;
        let now = humantime::format_rfc3339_seconds(now).to_string();
        render.done(&format!("it is {now} in the sandbox"), &serde_json::json!({ "now": now }));
        return Ok(0);
    }
    if globals.sandbox_state.is_some() {
        let what = "--sandbox-state: a sandbox that listens keeps no world";
        return Err(Error::Usage(Usage::new(what, "ecs-bg sandbox --scenario shop")));
    }
    let cloud = world(&sandbox, globals)?;
    let region = globals.region.clone().unwrap_or_else(|| cloud.region().to_owned());
    let address = SocketAddr::new(sandbox.listen, sandbox.port);
    let refused = |error: std::io::Error| {
        let (address, reason) = (address.to_string(), error.to_string());
        Error::Refused(Refusal::new(LocalRefused::Address { address, reason }))
    };
    // Before anybody is told where it listens: whoever reads that may want to stop it at once.
    let stop = stop().map_err(refused)?;
    let server = Server::bind(address, cloud, sandbox.scale).await.map_err(refused)?;
    let address = server.address().map_err(refused)?;
    render.listening(&Listening { address, region: &region, scale: sandbox.scale });
    server.serve(stop).await;
    Ok(0)
}

fn world(sandbox: &Sandbox, globals: &Globals) -> Result<Cloud, Error> {
    let mut cloud = match (&sandbox.scenario, &globals.sandbox) {
        (Some(scenario), _) => context::build("--scenario", scenario)?,
        (None, scenario) => context::build("--sandbox", scenario.as_deref().unwrap_or("empty"))?,
    };
    if let Some(path) = &sandbox.policy {
        cloud.set_policy(Some(policy(path)?));
    }
    if sandbox.throttle {
        cloud.set_throttling(true);
    }
    Ok(cloud)
}

fn policy(path: &PathBuf) -> Result<Policy, Error> {
    let refused = |what: String| {
        Error::Usage(Usage::new(
            what,
            "aws iam get-policy-version --policy-arn ARN --version-id v1 --query PolicyVersion.Document",
        ))
    };
    let text = fs::read_to_string(path).map_err(|error| {
        refused(format!("--policy: {} cannot be read: {error}", path.display()))
    })?;
    Policy::parse(&text, &path.display().to_string())
        .map_err(|error| refused(format!("--policy: {error}")))
}

/// SIGINT or SIGTERM.
#[cfg(unix)]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-C.
#[cfg(not(unix))]
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}
