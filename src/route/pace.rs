//! How often to look.

use std::time::Duration;

/// The pause before the next look at a task of this age: short while something is about to happen,
/// long while it runs.
pub fn pause(age: Duration) -> Duration {
    Duration::from_secs(match age.as_secs() {
        0..60 => 2,
        60..600 => 5,
        _ => 15,
    })
}
