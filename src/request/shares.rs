//! Shares of the traffic: `--shares 10:5m,50:pause,100`.

use std::time::Duration;

use serde::Serialize;

use super::{bad, duration};
use crate::error::Usage;

/// A share of the traffic, and how long it is kept before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// 0 to 100; 0 only as the first one: the new version runs, and has no users yet.
    pub percent: u8,
    /// Kept this long; for 100 % the bake counts instead.
    pub hold: Duration,
    /// Kept until somebody promotes it: after `hold` it rolls back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pause: bool,
}

impl Share {
    /// All of it.
    pub const ALL: Self = Self { percent: 100, hold: Duration::ZERO, pause: false };
    /// None of it: tests have the new version to themselves.
    pub const TEST: Self = Self { percent: 0, hold: Duration::from_secs(60), pause: false };
}

/// Reads `10:5m,50:pause,100`: shares in percent, each with the time that it is held. A pause lasts for
/// `limit` at most.
pub(super) fn shares(text: &str, limit: Duration) -> Result<Vec<Share>, Usage> {
    let wrong = |why: String| Err(bad("--shares", why, "--shares 10:5m,50:5m,100"));
    let mut shares: Vec<Share> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let (percent, hold, pause) = match item.split_once(':') {
            Some((percent, "pause")) => (percent, limit, true),
            Some((percent, hold)) => (percent, duration("--shares", hold)?, false),
            None => (item, Duration::ZERO, false),
        };
        let percent = match percent.strip_suffix('%').unwrap_or(percent).parse::<u8>() {
            Ok(percent @ 0..=100) => percent,
            _ => {
                return wrong(format!(
                    "`{item}` is not a share: a whole number from 0 to 100, and `:HOLD` or `:pause`"
                ));
            }
        };
        if percent == 0 && hold.is_zero() {
            return wrong("0 % needs a hold or a pause: `0:5m` or `0:pause`".into());
        }
        if percent == 100 && !hold.is_zero() {
            return wrong("100 % is held for --bake; it takes no hold".into());
        }
        if shares.last().is_some_and(|last| last.percent >= percent) {
            return wrong(format!("`{text}` does not rise"));
        }
        shares.push(Share { percent, hold, pause });
    }
    match shares.last() {
        Some(Share { percent: 100, .. }) => Ok(shares),
        _ => wrong(format!("`{text}` does not end at 100")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_rise_to_100() {
        let read = |text| {
            shares(text, Duration::from_secs(3600))
                .map(|s| s.iter().map(|s| (s.percent, s.hold.as_secs())).collect::<Vec<_>>())
        };
        assert_eq!(read("100").unwrap(), [(100, 0)]);
        assert_eq!(read("10:5m, 50%:60,100").unwrap(), [(10, 300), (50, 60), (100, 0)]);
        assert_eq!(read("10:pause,100").unwrap(), [(10, 3600), (100, 0)]);
        assert_eq!(read("0:5m,100").unwrap(), [(0, 300), (100, 0)]);
        let pauses = shares("10:pause,50:1h,100", Duration::from_secs(60)).unwrap();
        assert_eq!(
            pauses.iter().map(|share| share.pause).collect::<Vec<_>>(),
            [true, false, false]
        );
        for text in [
            "",
            "0,100",
            "10",
            "50,10,100",
            "10,10,100",
            "101",
            "ten,100",
            "100:5m",
            "100:pause",
            "10:x,100",
            "10:5m,0:5m,100",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
