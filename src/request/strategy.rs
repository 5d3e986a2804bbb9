//! How traffic is shifted: `--strategy canary:10/5m`, and where it pauses: `--pause-at before-traffic`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::shares::Share;
use super::{bad, duration};
use crate::error::Usage;

/// The longest time that a strategy may take between two shares, or after the last one (API reference of
/// DeploymentConfiguration: 1440 minutes).
pub const BAKE_MAX: u32 = 1440;

/// How traffic is shifted, in the words of ECS's deployment strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Tasks are replaced, no traffic is shifted.
    Rolling,
    /// All at once.
    BlueGreen,
    /// A first share, then all.
    Canary(Steps),
    /// Equal shares, one after the other.
    Linear(Steps),
}

/// The share that is shifted at a time, and how long it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Tenths of a percent, 1 to 1000.
    pub tenths: u16,
    /// Minutes until the next one.
    pub minutes: u32,
}

impl Strategy {
    /// ECS's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Canary(_) => "CANARY",
            Self::Linear(_) => "LINEAR",
        }
    }

    /// Reads what was typed.
    pub(super) fn typed(text: &str) -> Result<Self, Usage> {
        let wrong = |why: String| {
            Err(bad("--strategy", why, "--strategy blue-green, canary:10/5m or linear:20/2m"))
        };
        match text.parse() {
            Ok(Self::Rolling) => wrong("`rolling` shifts no traffic".into()),
            Ok(strategy) => Ok(strategy),
            Err(why) => wrong(why),
        }
    }

    /// The same as shares, for a pair of services; `None`: they would not be whole numbers of percent.
    pub fn shares(self) -> Option<Vec<Share>> {
        let share = |percent, minutes| {
            let hold = Duration::from_secs(60 * u64::from(minutes));
            let hold = if percent == 100 { Duration::ZERO } else { hold };
            Share { percent, hold, pause: false }
        };
        let whole = |Steps { tenths, .. }: Steps| {
            let percent = u8::try_from(tenths / 10).ok();
            percent.filter(|percent| tenths % 10 == 0 && *percent > 0)
        };
        Some(match self {
            Self::Rolling | Self::BlueGreen => vec![share(100, 0)],
            Self::Canary(steps) if whole(steps)? == 100 => vec![share(100, 0)],
            Self::Canary(steps) => vec![share(whole(steps)?, steps.minutes), share(100, 0)],
            Self::Linear(steps) => {
                let step = whole(steps)?;
                let rising = (1..).map(|nth: u32| (u32::from(step) * nth).min(100));
                let mut shares = Vec::new();
                for percent in rising {
                    let percent = u8::try_from(percent).unwrap_or(100);
                    shares.push(share(percent, steps.minutes));
                    if percent == 100 {
                        break;
                    }
                }
                shares
            }
        })
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = match text.split_once(':') {
            Some((name, rest)) => (name, Some(rest)),
            None => (text, None),
        };
        let steps = |least: u16, most: u16| -> Result<Steps, String> {
            let odd = || format!("`{text}`: after `{name}:` comes PERCENT/TIME, such as 10/5m");
            let (percent, time) = rest.and_then(|rest| rest.split_once('/')).ok_or_else(odd)?;
            let tenths = tenths(percent).filter(|tenths| (least..=most).contains(tenths));
            let tenths = tenths.ok_or_else(|| {
                format!(
                    "`{percent}` is not a share from {} to {} percent",
                    shown(least),
                    shown(most)
                )
            })?;
            let time = duration("--strategy", time).map_err(|refusal| refusal.what)?;
            let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX);
            if time.as_secs() % 60 != 0 || minutes > BAKE_MAX {
                return Err(format!("`{text}`: the time is whole minutes, at most 24h"));
            }
            Ok(Steps { tenths, minutes })
        };
        match (name, rest) {
            ("rolling", None) => Ok(Self::Rolling),
            ("blue-green", None) => Ok(Self::BlueGreen),
            // API reference of CanaryConfiguration and LinearConfiguration.
            ("canary", _) => Ok(Self::Canary(steps(1, 1000)?)),
            ("linear", _) => Ok(Self::Linear(steps(30, 1000)?)),
            _ => Err(format!("`{text}` is no strategy")),
        }
    }
}

fn tenths(text: &str) -> Option<u16> {
    let text = text.strip_suffix('%').unwrap_or(text);
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    // ECS takes one decimal.
    (tenth.len() == 1).then_some(())?;
    let (whole, tenth): (u16, u16) = (whole.parse().ok()?, tenth.parse().ok()?);
    (whole <= 100 && tenth <= 9).then_some(whole * 10 + tenth)
}

fn shown(tenths: u16) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        tenth => format!("{}.{tenth}", tenths / 10),
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, Steps { tenths, minutes }) = match self {
            Self::Rolling => return to.write_str("rolling"),
            Self::BlueGreen => return to.write_str("blue-green"),
            Self::Canary(steps) => ("canary", *steps),
            Self::Linear(steps) => ("linear", *steps),
        };
        write!(to, "{name}:{}/{minutes}m", shown(tenths))
    }
}

/// A stage at which a deployment may pause until somebody lets it go on: ECS's lifecycle stages that take a
/// hook of the type PAUSE (Developer Guide, "Pause lifecycle hooks").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Several revisions serve, and one is chosen.
    ReconcileService,
    /// Before the first new task.
    PreScaleUp,
    /// All new tasks run.
    PostScaleUp,
    /// The new revision has all test traffic.
    PostTestTrafficShift,
    /// Before each share of the users' traffic.
    PreProductionTrafficShift,
    /// The new revision has all traffic.
    PostProductionTrafficShift,
}

/// Each with ECS's name, and ours where there is one.
const STAGES: [(Stage, &str, &str); 6] = [
    (Stage::ReconcileService, "RECONCILE_SERVICE", ""),
    (Stage::PreScaleUp, "PRE_SCALE_UP", ""),
    (Stage::PostScaleUp, "POST_SCALE_UP", ""),
    (Stage::PostTestTrafficShift, "POST_TEST_TRAFFIC_SHIFT", "before-traffic"),
    (Stage::PreProductionTrafficShift, "PRE_PRODUCTION_TRAFFIC_SHIFT", "each-step"),
    (Stage::PostProductionTrafficShift, "POST_PRODUCTION_TRAFFIC_SHIFT", "after-traffic"),
];

impl Stage {
    /// ECS's name for it.
    pub fn name(self) -> &'static str {
        STAGES.iter().find(|(stage, ..)| *stage == self).map_or("", |(_, name, _)| name)
    }

    /// Our word for it, or ECS's name where there is none.
    pub fn shown(self) -> &'static str {
        let row = STAGES.iter().find(|(stage, ..)| *stage == self);
        row.map_or("", |(_, name, word)| if word.is_empty() { name } else { word })
    }

    /// The stage that ECS calls so.
    pub fn named(name: &str) -> Option<Self> {
        STAGES.iter().find(|(_, known, _)| *known == name).map(|(stage, ..)| *stage)
    }

    /// Reads what was typed: our word or ECS's name.
    pub(super) fn typed(text: &str) -> Result<Self, Usage> {
        let found = STAGES.iter().find(|(_, name, word)| text == *name || text == *word);
        match found.filter(|_| !text.is_empty()) {
            Some((stage, ..)) => Ok(*stage),
            None => Err(bad(
                "--pause-at",
                format!("`{text}` is no stage at which a deployment can pause"),
                "--pause-at before-traffic, each-step or after-traffic",
            )),
        }
    }
}

/// How long a pause may last (Developer Guide, "Pause lifecycle hooks": 1 to 20160 minutes).
pub(super) fn pause_limit(text: &str) -> Result<u32, Usage> {
    let time = duration("--pause-limit", text)?;
    let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX);
    match time.as_secs() % 60 {
        0 if (1..=20160).contains(&minutes) => Ok(minutes),
        _ => Err(bad(
            "--pause-limit",
            format!("`{text}` is not whole minutes from 1m to 14d"),
            "--pause-limit 1h",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_written_as_it_is_read() {
        for text in ["blue-green", "canary:10/5m", "canary:0.5/0m", "linear:20/2m", "rolling"] {
            let strategy: Strategy = text.parse().unwrap();
            assert_eq!(strategy.to_string(), text);
        }
        let same = |text: &str| text.parse::<Strategy>().unwrap().to_string();
        assert_eq!(same("canary:10%/300"), "canary:10/5m");
        for text in [
            "",
            "canary",
            "canary:10",
            "canary:0/5m",
            "canary:101/5m",
            "canary:0.04/5m",
            "canary:10.01/5m",
            "linear:20./5m",
            "linear:2/5m",
            "linear:20/30s",
        ] {
            assert!(Strategy::typed(text).is_err(), "{text}");
        }
        assert!(Strategy::typed("rolling").is_err());
        assert!(Strategy::typed("canary:10/25h").is_err());
    }

    #[test]
    fn a_strategy_of_a_pair_is_its_shares() {
        let shares = |text: &str| {
            let shares = text.parse::<Strategy>().unwrap().shares();
            shares.map(|all| all.iter().map(|s| (s.percent, s.hold.as_secs())).collect::<Vec<_>>())
        };
        assert_eq!(shares("blue-green").unwrap(), [(100, 0)]);
        assert_eq!(shares("canary:10/5m").unwrap(), [(10, 300), (100, 0)]);
        assert_eq!(shares("canary:100/5m").unwrap(), [(100, 0)]);
        assert_eq!(shares("linear:40/1m").unwrap(), [(40, 60), (80, 60), (100, 0)]);
        assert_eq!(shares("canary:0.5/5m"), None);
    }

    #[test]
    fn a_pause_is_named_in_our_words_or_in_ecs_s() {
        assert_eq!(Stage::typed("before-traffic").unwrap(), Stage::PostTestTrafficShift);
        assert_eq!(Stage::typed("PRE_SCALE_UP").unwrap(), Stage::PreScaleUp);
        for text in ["", "SCALE_UP", "bake", "BAKE_TIME"] {
            assert!(Stage::typed(text).is_err(), "{text}");
        }
        assert_eq!(pause_limit("1h").unwrap(), 60);
        for text in ["0", "30s", "90s", "15d"] {
            assert!(pause_limit(text).is_err(), "{text}");
        }
    }
}
