//! Time, for everything that waits or measures. Virtual time is a tokio runtime with paused time:
//! the same struct serves both, because both clocks below follow tokio's.

use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;

/// A wall clock that follows the runtime's monotonic clock from an epoch on.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: SystemTime,
    start: tokio::time::Instant,
}

impl Clock {
    /// A clock that shows `epoch` now. Must be called inside a tokio runtime.
    pub fn starting_at(epoch: SystemTime) -> Self {
        Self { epoch, start: tokio::time::Instant::now() }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        self.epoch + self.start.elapsed()
    }

    /// The time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Lets `duration` pass.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        Clock::now(self)
    }
}
