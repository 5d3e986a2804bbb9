//! `demo`: the main job, three times, on an AWS that lives in the process.

use std::ffi::OsString;
use std::sync::PoisonError;

use clap::Args;

use super::{Globals, context, parse};
use crate::event::Error;
use crate::host::{Host, Sandbox};
use crate::render::{Output, Render};

/// Watch three deployments on a simulated AWS.
///
/// Needs no account and no network. Deploys three images to a service with two tasks behind a load balancer: a
/// good image, an image that answers its health check with 500, and an image that exits at once.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  ecs-bg demo --speed 30")]
pub(super) struct Demo {
    /// Simulated seconds per second [default: 60 on a terminal, else as fast as possible]
    #[arg(long, value_name = "FACTOR", value_parser = speed)]
    speed: Option<f64>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed > 0.0 && speed.is_finite() => Ok(speed),
        _ => Err("a number above 0, for example 20".into()),
    }
}

const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";

pub(super) async fn run(
    demo: Demo,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    // What the environment says is for other commands: the demo leaves their world alone.
    let named = globals.sandbox.as_deref().filter(|_| globals.chosen_by.is_none());
    let sandbox = Sandbox::new(context::build("--sandbox", named.unwrap_or("shop"))?);
    let globals = &Globals { sandbox: None, sandbox_state: None, ..globals.clone() };
    let pace = demo.speed.or(host.terminal.then_some(60.0));
    let interrupts = host.interrupts.clone().unwrap_or_else(crate::host::signals);
    let inner = Host {
        out: host.out.clone(),
        err: host.err.clone(),
        terminal: host.terminal,
        screen: host.screen.clone(),
        pace: pace.filter(|_| globals.output == Output::Lines),
        sandbox: Some(sandbox.clone()),
        // A request to stop ends all of them.
        interrupts: Some(interrupts.clone()),
        // Nothing is deployed.
        github: None,
    };
    let mut codes = Vec::new();
    for tag in ["2", "3", "4"] {
        let image = format!("{REPOSITORY}:{tag}");
        codes.push(
            command(
                &["deploy", "--cluster", "shop", "--service", "web", "--image", &image],
                globals,
                &inner,
            )
            .await,
        );
        if *interrupts.borrow() > 0 {
            break;
        }
    }
    // The status comes last, also after an interruption.
    let is_stopped = *interrupts.borrow() > 0;
    let inner = if is_stopped { Host { interrupts: None, ..inner } } else { inner };
    let status = match globals.output {
        Output::Lines => {
            command(&["status", "--cluster", "shop", "--service", "web"], globals, &inner).await
        }
        // A line, as all that comes before it.
        Output::Json => super::status::line("shop", "web", globals, &inner, render).await?,
    };
    let first = format!("{REPOSITORY}:2");
    let serves = {
        let cloud = sandbox.cloud.lock().unwrap_or_else(PoisonError::into_inner);
        let serving = cloud.serving();
        let mut answering =
            serving.iter().filter(|side| side.weight > 0).flat_map(|side| &side.behind).peekable();
        answering.peek().is_some()
            && answering
                .all(|target| target.answers && target.image.as_deref() == Some(first.as_str()))
    };
    if let (true, Some(last)) = (is_stopped, codes.last()) {
        return Ok(*last);
    }
    let good = codes == [0, 1, 1] && status == 0 && serves;
    render.demo(&codes, serves, &first);
    Ok(if good { 0 } else { 4 })
}

async fn command(arguments: &[&str], globals: &Globals, host: &Host) -> u8 {
    let mut argv = vec!["ecs-bg"];
    argv.extend(arguments);
    if globals.output == Output::Json {
        argv.extend(["--output", "json"]);
    } else {
        crate::render::prompt(&argv, host);
    }
    let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    match parse(argv.clone()) {
        Ok(mut cli) => {
            (cli.globals.sandbox, cli.globals.sandbox_state) = (None, None);
            Box::pin(super::execute(cli, host)).await
        }
        Err(error) => super::usage(&error, &argv, host),
    }
}
