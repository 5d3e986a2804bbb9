//! `completions`, `man` and `--version`: what is known of the program without an AWS.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::context::unusable;
use crate::event::Error;
use crate::event::refusal::FileUse;
use crate::render::Render;

/// Print a script that completes commands and options in a shell.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  ecs-bg completions bash > /etc/bash_completion.d/ecs-bg")]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Write manual pages.
///
/// Writes a page for ecs-bg and a page for each of its commands.
#[derive(Debug, Args)]
#[command(before_help = "Example:\n  ecs-bg man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder for the pages; ecs-bg makes it if it does not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn completions(typed: &Completions, render: &Render<'_>) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "ecs-bg", &mut script);
    let script = String::from_utf8_lossy(&script);
    // For a program with a hyphen in its name clap_complete 4.6 sets names in bash that it has no cases for.
    render.script(&match typed.shell {
        Shell::Bash => script.replace("ecs__subcmd__bg", "ecs__bg"),
        _ => script.into_owned(),
    });
    0
}

pub(super) fn man(typed: &Man, render: &Render<'_>) -> Result<u8, Error> {
    let dir = &typed.dir;
    let write = || {
        std::fs::create_dir_all(dir)?;
        clap_mangen::generate_to(Cli::command(), dir)
    };
    write().map_err(|error| unusable(dir, FileUse::WriteManual, &error))?;
    let (line, dir) =
        (format!("wrote manual pages to {}", dir.display()), dir.display().to_string());
    render.done(&line, &serde_json::json!({ "man": dir }));
    Ok(0)
}

/// The version, the commit where the build names one (`ECS_BG_COMMIT`), and what it was built for.
pub(super) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let commit = match option_env!("ECS_BG_COMMIT") {
            Some(commit) if !commit.is_empty() => format!("commit {commit}, "),
            _ => String::new(),
        };
        format!("{} ({commit}{})", env!("CARGO_PKG_VERSION"), target())
    })
}

/// As Rust names targets: `x86_64-linux-musl`.
fn target() -> String {
    let environment = match () {
        () if cfg!(target_env = "musl") => "-musl",
        () if cfg!(target_env = "gnu") => "-gnu",
        () if cfg!(target_env = "msvc") => "-msvc",
        () => "",
    };
    format!("{}-{}{environment}", std::env::consts::ARCH, std::env::consts::OS)
}
