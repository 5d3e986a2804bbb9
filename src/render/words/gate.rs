//! What a gate found, in words that go on after its name: `answered 500`.

use std::time::Duration;

use super::time;
use crate::event::Warning;
use crate::model::gate::GateFault;

pub(super) fn gate(fault: &GateFault) -> String {
    match fault {
        GateFault::Status { status } => format!("answered {status}"),
        GateFault::Body => "did not answer with the text of --check-body".to_owned(),
        GateFault::Slow { took } => format!("answered after {}", brief(*took)),
        GateFault::NoAnswer { limit } => format!("did not answer within {}", time(*limit)),
        GateFault::Unreachable { reason } => format!("cannot be reached ({reason})"),
        GateFault::Exit { code: Some(code), .. } => format!("exited with code {code}"),
        GateFault::Exit { code: None, .. } => "was ended by a signal".to_owned(),
        GateFault::Late { limit, .. } => format!("did not end within {}", time(*limit)),
        GateFault::NotStarted { reason } => format!("could not be started ({reason})"),
    }
}

/// What a command printed last that a warning is about.
pub(crate) fn printed(warning: &Warning) -> &[String] {
    let Warning::Gate { fault, .. } = warning else { return &[] };
    match fault {
        GateFault::Exit { lines, .. } | GateFault::Late { lines, .. } => lines,
        _ => &[],
    }
}

/// `0.7s`, `2.1s`
fn brief(took: Duration) -> String {
    format!("{:.1}s", took.as_secs_f64())
}
