//! What a deployment changes about how ECS shifts the traffic, and how that goes into a tag.

use super::Change;
use super::tags::{YES_OR_NO, code, decode, field, optional};
use crate::request::strategy::{Stage, Strategy};

/// What a deployment asks of ECS where ECS shifts the traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Native {
    /// Another strategy than the service had: the new one, and the one before.
    pub strategy: Option<(Strategy, Strategy)>,
    /// The service keeps that strategy once the deployment has succeeded.
    pub keeps: bool,
    /// `bakeTimeInMinutes`, for this deployment only.
    pub bake: Option<Change>,
    /// Where it pauses until somebody lets it go on.
    pub pauses: Vec<Stage>,
    /// How many minutes a pause may last.
    pub limit: u32,
    /// Where it pauses until its gates have passed.
    pub gates: Vec<Stage>,
}

/// How many minutes ECS waits for gates before it rolls back: more than a gate that cannot tell is waited
/// for, and the whole way back of a deployment that nobody drives any more.
pub const GATES_LIMIT: u32 = 15;

impl Native {
    /// Its hooks: where each pauses, and for how many minutes.
    pub fn hooks(&self) -> impl Iterator<Item = (Stage, u32)> {
        let pauses = self.pauses.iter().map(|stage| (*stage, self.limit));
        pauses.chain(self.gates.iter().map(|stage| (*stage, GATES_LIMIT)))
    }

    pub(super) fn to_tag(&self) -> String {
        let mut words = vec![];
        if let Some((to, from)) = self.strategy {
            words.push(format!("strategy={to}"));
            words.push(format!("found={from}"));
            words.push(format!("keeps={}", code(&YES_OR_NO, self.keeps)));
        }
        if let Some(Change { to, from }) = self.bake {
            words.push(format!("bake={to}/{from}"));
        }
        for (word, stages) in [("pause", &self.pauses), ("gates", &self.gates)] {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
            words.extend((!names.is_empty()).then(|| format!("{word}={}", names.join("+"))));
        }
        words.push(format!("limit={}", self.limit));
        words.join(" ")
    }

    pub(super) fn from_tag(text: &str) -> Option<Self> {
        let to = optional(field(text, "strategy"), |text| text.parse::<Strategy>().ok())?;
        let from = optional(field(text, "found"), |text| text.parse::<Strategy>().ok())?;
        (to.is_some() == from.is_some()).then_some(())?;
        Some(Self {
            strategy: to.zip(from),
            keeps: optional(field(text, "keeps"), |text| decode(&YES_OR_NO, text))?
                .unwrap_or_default(),
            bake: optional(field(text, "bake"), |text| {
                let (to, from) = text.split_once('/')?;
                Some(Change { to: to.parse().ok()?, from: from.parse().ok()? })
            })?,
            pauses: stages(field(text, "pause"))?,
            limit: field(text, "limit")?.parse().ok()?,
            gates: stages(field(text, "gates"))?,
        })
    }
}

fn stages(names: Option<&str>) -> Option<Vec<Stage>> {
    names.map_or(Some(vec![]), |names| names.split('+').map(Stage::named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_ecs_is_read_as_it_was_written() {
        let steps = "canary:10/5m".parse().unwrap();
        let native = Native {
            strategy: Some((steps, Strategy::BlueGreen)),
            keeps: true,
            bake: Some(Change { to: 0, from: 5 }),
            pauses: vec![Stage::PostTestTrafficShift, Stage::PreProductionTrafficShift],
            limit: 60,
            gates: vec![Stage::PostProductionTrafficShift],
        };
        for native in [native, Native::default()] {
            assert_eq!(Native::from_tag(&native.to_tag()), Some(native));
        }
        for text in ["", "limit=x", "limit=1 strategy=blue-green", "limit=1 pause=SCALE_UP"] {
            assert_eq!(Native::from_tag(text), None, "{text}");
        }
    }
}
