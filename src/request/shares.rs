//! Shares of the traffic: `--shares 10:5m,50:5m,100`.

use std::time::Duration;

use serde::Serialize;

use super::{bad, duration};
use crate::error::Refusal;

/// A share of the traffic, and how long it is kept before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    /// 1 to 100.
    pub percent: u8,
    /// Kept this long; for 100 % the bake counts instead.
    pub hold: Duration,
}

/// Reads `10:5m,50:5m,100`: shares in percent, each with the time that it is held.
pub(super) fn shares(text: &str) -> Result<Vec<Share>, Refusal> {
    let wrong = |why: String| Err(bad("--shares", why, "--shares 10:5m,50:5m,100"));
    let mut shares: Vec<Share> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let (percent, hold) = match item.split_once(':') {
            Some((percent, hold)) => (percent, duration("--shares", hold)?),
            None => (item, Duration::ZERO),
        };
        let percent = match percent.strip_suffix('%').unwrap_or(percent).parse::<u8>() {
            Ok(percent @ 1..=100) => percent,
            _ => {
                return wrong(format!(
                    "`{item}` is not a share: a whole number from 1 to 100, and `:HOLD`"
                ));
            }
        };
        if percent == 100 && !hold.is_zero() {
            return wrong("100 % is held for --bake; it takes no hold".into());
        }
        if shares.last().is_some_and(|last| last.percent >= percent) {
            return wrong(format!("`{text}` does not rise"));
        }
        shares.push(Share { percent, hold });
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
            shares(text)
                .map(|s| s.iter().map(|s| (s.percent, s.hold.as_secs())).collect::<Vec<_>>())
        };
        assert_eq!(read("100").unwrap(), [(100, 0)]);
        assert_eq!(read("10:5m, 50%:60,100").unwrap(), [(10, 300), (50, 60), (100, 0)]);
        for text in
            ["", "0,100", "10", "50,10,100", "10,10,100", "101", "ten,100", "100:5m", "10:x,100"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
