//! Starts, and turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(ecs_bg::run(std::env::args_os(), &ecs_bg::Host::this()))
}
