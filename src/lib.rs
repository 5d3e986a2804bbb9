//! `ecs-bg` puts a new image of an Amazon ECS service into production without dropping a request,
//! and puts the old one back by itself when the new one is not good.
//!
//! # The map
//!
//! ```text
//! argv -cli-> Request -+
//!                      +-plan-> Plan -> Record (tags on the new task definition revision)
//! AWS -observe-> World-+               |
//!      ^          |                    v
//!      |          +--> decide(Record, Watch, World) -> Next::Act(Action) -act-> AWS
//!      |                               |               Next::Wait(Wait)  -> Clock
//!      +-------------------------------+               Next::Done(Outcome)
//!                       each turn -> Event -> render (lines | json)
//! ```
//!
//! * [`cli`] turns what was typed into a [`request::Request`]; one file per command.
//! * [`aws`] is the only place that names the SDK: it surveys, looks, registers and acts.
//! * [`plan`] makes every choice once, or refuses. Pure.
//! * [`record`] holds the few facts that must outlive the process; they are tags on the revision.
//! * [`route`] decides what comes next: tables of steps, one file per engine (`listener`: we move
//!   weights; `rolling`: ECS replaces the tasks). Pure. A deployment is
//!   at the first step of its route that does not hold yet; going on after a crash is running again.
//! * [`watch`] is what this process has seen: memory that may be lost.
//! * [`claim`] settles who drives a deployment that somebody began.
//! * [`engine`] is the loop, and the only policy for calls that fail.
//! * [`registration`] registers a revision that no deployment is about. [`template`] reads one from a
//!   file.
//! * [`oneoff`] runs a task that no service keeps; [`logs`] is what its containers log.
//! * [`preparation`] is the task of `--before`, which runs ahead of everything that serves.
//! * [`prune`] deregisters old revisions after a success.
//! * [`event`] is what the user should hear; [`render`] is the only place that prints.
//! * [`world`] is what AWS said; [`actions`] reads and writes the weights in a rule's actions;
//!   [`revision`] clones a task definition; [`health`] says what a failure means; [`image`] which
//!   container an image is for, [`edits`] which one another change is for.
//!
//! Nothing below `cli` and `engine` waits, and nothing below `aws` knows a client. Roles (blue is
//! what served when the deployment began, green what is being introduced) are functions of record
//! and world, never names of services.
//!
//! The sandbox (package `ecs-bg-sandbox`) is an AWS that lives in the process; the real SDK talks to
//! it through its own HTTP client setting, in virtual time. Demo, transcripts and simulations are
//! this crate on that AWS, through [`run`] and [`execute`].

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

pub use host::{Captured, Host, Sandbox};

/// Runs one command line to its exit code. `argv` begins with the program's name.
pub fn run<A: Into<OsString> + Clone>(argv: impl IntoIterator<Item = A>, host: &Host) -> u8 {
    match cli::parse(argv) {
        Ok(cli) => host::block_on(cli.is_virtual(host), execute(cli, host)),
        Err(error) => cli::usage(&error, host),
    }
}

/// Runs one parsed command line inside a runtime of the caller's: with paused time where it is
/// virtual. Dropping the future is what killing the process would be.
pub async fn execute(cli: cli::Cli, host: &Host) -> u8 {
    Box::pin(cli::execute(cli, host)).await
}
