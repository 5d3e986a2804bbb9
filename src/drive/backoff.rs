//! How calls that did not happen are made again, and the times that everything that waits shares.

use std::time::Duration;

use backon::ExponentialBuilder;

/// The user hears something at least this often: CI kills silent steps.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// Between two looks that must agree, or two lookups of what may have been registered.
pub(crate) const LOOK_TWICE: Duration = Duration::from_secs(5);

/// How calls that did not happen are made again.
pub(crate) fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(20))
        .with_max_times(8)
        .with_jitter()
}
