//! `ecs-bg` deploys a new image to an Amazon ECS service without dropping a request, and rolls back by
//! itself when the new version fails.
//!
//! # The map
//!
//! ```text
//! argv -cli-> Request -+
//!                      +-plan-> Plan -> Record (tags on the new task definition revision)
//! AWS -look-> World ---+               |
//!      ^        |                      v
//!      |        +--> decide(Record, Watch, World) -> Next::Act(Action) -send-> AWS
//!      |                         |                   Next::Wait(Wait)  -> Clock
//!      |                         |                   Next::TurnBack(Trouble)
//!      +-------------------------+                   Next::Done(Outcome)
//!                    each turn -> Event -> render (live | lines | json | github)
//! ```
//!
//! The rooms, from the ground up. A room uses only those above it in this list (a test says so):
//!
//! * [`call`] is every AWS operation that is called; [`error`] is a call that failed; [`clock`] is time.
//! * [`model`] is what AWS said: [`model::world`] one look, [`model::rule`] the weights in a rule's
//!   actions, [`model::revision`] a task definition, [`model::health`] what a failure means. It knows
//!   nothing but itself.
//! * [`request`] is what the user asked for, validated: [`request::image`] which container an image is
//!   for, [`request::edits`] which one another change is for, [`request::before`] the task of `--before`.
//! * [`record`] holds the few facts that must outlive the process; they are tags on the revision.
//! * [`event`] is what the user should hear, as facts: what a plan will do, why it waits, what it changed,
//!   why it rolls back, how it ended, why a command was refused ([`event::refusal`]). Texts in it are names, ids,
//!   and what AWS or a container said.
//! * [`route`] decides what comes next: tables of steps, one file and one row ([`route::Engine`]) per
//!   engine (`listener`: we move weights; `native`: ECS shifts the traffic; `rolling`: ECS replaces the
//!   tasks). A deployment is at the first step of its route that does not hold yet; resuming after a crash
//!   is running again.
//!   [`route::watch`] is what this process has seen: memory that may be lost; `route::gates` what the checks of
//!   the new version said.
//! * [`plan`] makes every choice once, or refuses with all that is in the way (the checks are in
//!   `plan/checks/`, the table of each engine in `plan/rolling.rs`, `plan/native.rs` and `plan/listener.rs`);
//!   [`plan::clone`] clones a task definition; [`plan::setup`] has the steps that make a service ready for
//!   `native`; [`plan::doctor`] finds what may go wrong, [`plan::policy`] is the least-privilege IAM policy,
//!   [`plan::history`] what was deployed.
//! * [`aws`] is the only place that names the SDK: it surveys, looks, registers and acts.
//! * [`drive`] is the loop, and the only policy for calls that fail; [`drive::claim`] settles who drives
//!   a deployment that somebody began; [`drive::task`] waits for a task that no service keeps.
//! * [`ops`] carries out what a command asks for, one file per command. It never prints.
//! * [`render`] is the only place that prints. `render/words/` has every sentence about a fact;
//!   `render::progress` is what the events of a deployment have said so far, for `live` and `github`.
//! * [`cli`] turns what was typed into a request; one file per command. `host` is the process that it runs in:
//!   environment, terminal, signals, files; a test has one of its own.
//!
//! `model`, `request`, `record`, `route` and `plan` are pure: they wait for nothing, print nothing and
//! know no client. Roles (blue is
//! what served when the deployment began, green what is being introduced) are functions of record
//! and world, never names of services.
//!
//! The sandbox (package `ecs-bg-sandbox`) is an AWS that lives in the process; the real SDK talks to
//! it through its own HTTP client setting, in virtual time. Demo, transcripts and simulations are
//! this crate on that AWS, through [`run`] and [`execute`].
//! What it knows of RegisterTaskDefinition's refusals [`plan`] asks it, as a function of the definition,
//! to warn of them beforehand.

pub mod aws;
pub mod call;
pub mod cli;
pub mod clock;
pub mod drive;
pub mod error;
pub mod event;
mod host;
pub mod model;
pub mod ops;
pub mod plan;
pub mod record;
pub mod render;
pub mod request;
pub mod route;

use std::ffi::OsString;

pub use host::{Captured, Github, Host, Sandbox, Screen, Stream};

/// Runs one command line to its exit code. `argv` begins with the program's name.
pub fn run<A: Into<OsString> + Clone>(argv: impl IntoIterator<Item = A>, host: &Host) -> u8 {
    let argv: Vec<OsString> = argv.into_iter().map(Into::into).collect();
    match cli::parse(argv.clone()) {
        Ok(cli) => host::block_on(cli.is_virtual(host), async {
            let only_prints = cli.only_prints();
            let code = execute(cli, host).await;
            host.finish().await;
            let code = cli::after_printing(code, only_prints, host);
            host.finish().await;
            code
        }),
        Err(error) => cli::usage(&error, &argv, host),
    }
}

/// Runs one parsed command line inside a runtime of the caller's: with paused time where it is
/// virtual. Dropping the future is what killing the process would be.
pub async fn execute(cli: cli::Cli, host: &Host) -> u8 {
    Box::pin(cli::execute(cli, host)).await
}
