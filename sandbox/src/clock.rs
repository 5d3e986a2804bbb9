//! Time as the model knows it: a number that only the caller moves. Nothing here reads a real clock.

use std::{
    fmt,
    ops::{Add, Sub},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(pub u64);

impl Time {
    /// As JSON services write times: seconds, with a fraction.
    pub(crate) fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// As query services write times.
    pub(crate) fn rfc3339(self) -> String {
        humantime::format_rfc3339_millis(self.into()).to_string()
    }

    /// As the `Date` header is written.
    pub(crate) fn http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let text = self.rfc3339();
        let (year, month, day, clock) = (&text[..4], &text[5..7], &text[8..10], &text[11..19]);
        let month = month.parse().ok().and_then(|m: usize| MONTHS.get(m - 1)).unwrap_or(&"Jan");
        let weekday = DAYS[usize::try_from(self.0 / 86_400_000 % 7).unwrap_or(0)];
        format!("{weekday}, {day} {month} {year} {clock} GMT")
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = (*self).into();
        if self.0.is_multiple_of(1000) {
            humantime::format_rfc3339_seconds(time).fmt(f)
        } else {
            humantime::format_rfc3339_millis(time).fmt(f)
        }
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(rhs.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, rhs: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(rhs.0))
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Time {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(time.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_each_protocol_writes_it() {
        let time = Time(1_768_478_400_250);
        assert_eq!(time.to_string(), "2026-01-15T12:00:00.250Z");
        assert_eq!(Time(1_768_478_400_000).to_string(), "2026-01-15T12:00:00Z");
        assert_eq!(time.rfc3339(), "2026-01-15T12:00:00.250Z");
        assert_eq!(time.http_date(), "Thu, 15 Jan 2026 12:00:00 GMT");
        assert_eq!(time.seconds(), 1_768_478_400.25);
    }
}
