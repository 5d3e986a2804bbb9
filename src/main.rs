//! Starts, and turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let run = || ecs_bg::run(std::env::args_os(), &ecs_bg::Host::this());
    // A panic has told what it is; what serves is not known.
    ExitCode::from(std::panic::catch_unwind(run).unwrap_or(4))
}
