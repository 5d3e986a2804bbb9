//! Time, for everything that waits or measures. Virtual time is a tokio runtime with paused time:
//! the same struct serves both, because both clocks below follow tokio's.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
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
    /// A simulation, in which AWS and the machine have the same time, but for what is said here.
    Simulated(Option<&'static Machine>),
}

/// What becomes of the clocks of a machine in a simulation.
#[derive(Debug, Default)]
pub struct Machine {
    /// For how many seconds it was suspended: its monotonic clock stood still.
    pub suspended: AtomicU64,
    /// How many seconds its wall clock is fast.
    pub fast: AtomicI64,
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

    /// This clock on that machine.
    pub fn on(self, machine: Option<&'static Machine>) -> Self {
        Self { wall: Wall::Simulated(machine), ..self }
    }

    /// The machine of a simulation.
    fn machine(&self) -> Option<&'static Machine> {
        match self.wall {
            Wall::System => None,
            Wall::Simulated(machine) => machine,
        }
    }

    /// The time of day, whatever the machine did meanwhile.
    #[expect(clippy::disallowed_methods, reason = "the real clock is read here")]
    pub fn wall(&self) -> SystemTime {
        match self.wall {
            Wall::System => SystemTime::now(),
            Wall::Simulated(machine) => {
                let fast = machine.map_or(0, |machine| machine.fast.load(Ordering::Relaxed));
                let by = Duration::from_secs(fast.unsigned_abs());
                if fast < 0 { self.simulated() - by } else { self.simulated() + by }
            }
        }
    }

    /// This moment; `aws` is the time of AWS's last answer.
    pub fn moment(&self, aws: SystemTime) -> Moment {
        Moment { mono: self.elapsed(), wall: self.wall(), aws, took: Duration::ZERO }
    }

    /// The time of a simulated AWS, whatever becomes of the machine.
    pub fn simulated(&self) -> SystemTime {
        self.epoch + self.start.elapsed()
    }

    /// The time now, by the monotonic clock.
    pub fn now(&self) -> SystemTime {
        self.epoch + self.elapsed()
    }

    /// The time since the clock was made, by the monotonic clock.
    pub fn elapsed(&self) -> Duration {
        let suspended = |machine: &Machine| machine.suspended.load(Ordering::Relaxed);
        let suspended = Duration::from_secs(self.machine().map_or(0, suspended));
        self.start.elapsed().saturating_sub(suspended)
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
