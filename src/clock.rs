//! Time, for everything that waits or measures. Virtual time is a tokio runtime with paused time:
//! the same struct serves both, because both clocks below follow tokio's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;

use crate::model::reads::Moment;

/// A clock that follows the runtime's monotonic clock from an epoch on, and a wall clock beside it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: SystemTime,
    start: tokio::time::Instant,
    wall: Wall,
}

/// Where the time of the wall clock comes from.
#[derive(Clone, Copy, Debug)]
enum Wall {
    /// This machine.
    System,
    /// A simulation: seconds that the machine was suspended for, in which the monotonic clock stood still.
    Simulated(Option<&'static AtomicU64>),
}

impl Clock {
    /// A clock that shows `epoch` now. Must be called inside a tokio runtime.
    pub fn starting_at(epoch: SystemTime) -> Self {
        Self { epoch, start: tokio::time::Instant::now(), wall: Wall::Simulated(None) }
    }

    /// This machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "the real clock begins here")]
    pub fn real() -> Self {
        Self { wall: Wall::System, ..Self::starting_at(SystemTime::now()) }
    }

    /// This clock on a machine that is suspended now and then, for so many seconds in all.
    pub fn suspended(self, seconds: Option<&'static AtomicU64>) -> Self {
        Self { wall: Wall::Simulated(seconds), ..self }
    }

    /// The time of day, whatever the machine did meanwhile.
    #[expect(clippy::disallowed_methods, reason = "the real clock is read here")]
    pub fn wall(&self) -> SystemTime {
        match self.wall {
            Wall::System => SystemTime::now(),
            Wall::Simulated(suspended) => {
                let seconds = suspended.map_or(0, |seconds| seconds.load(Ordering::Relaxed));
                self.now() + Duration::from_secs(seconds)
            }
        }
    }

    /// This moment; `aws` is the time of AWS's last answer.
    pub fn moment(&self, aws: SystemTime) -> Moment {
        Moment { mono: self.elapsed(), wall: self.wall(), aws, took: Duration::ZERO }
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        self.epoch + self.start.elapsed()
    }

    /// The time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The moment at which this clock showed `then`.
    pub fn moment_of(&self, then: SystemTime, aws: SystemTime) -> Moment {
        let ago = self.now().duration_since(then).unwrap_or_default();
        let now = self.moment(aws);
        let wall = now.wall.checked_sub(ago).unwrap_or(now.wall);
        Moment { mono: now.mono.saturating_sub(ago), wall, ..now }
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
