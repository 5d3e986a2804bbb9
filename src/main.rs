//! Starts, and turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // After a panic nobody knows what serves. The release build has no unwinding, so the hook is what ends
    // the process.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(4)
    }));
    ExitCode::from(ecs_bg::run(std::env::args_os(), &ecs_bg::Host::this()))
}
