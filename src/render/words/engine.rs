//! What each engine does with a service, in one line.

use crate::request::EngineName;

/// What a deployment does, while it runs.
pub(crate) fn begun(engine: EngineName, blue: &str, green: &str) -> String {
    match engine {
        EngineName::Listener => format!("{blue} serves, {green} starts it"),
        EngineName::Rolling => format!("ECS replaces the tasks of {green}"),
        EngineName::Native => format!("ECS shifts the traffic of {green}"),
    }
}

/// What a deployment would do.
pub(crate) fn planned(engine: EngineName, blue: &str, green: &str, why: &str) -> String {
    match engine {
        EngineName::Listener => format!("{blue} serves; {green} starts the new revision"),
        EngineName::Rolling => format!("ECS replaces the tasks of {green} ({why})"),
        EngineName::Native => format!("ECS shifts the traffic of {green} ({why})"),
    }
}
