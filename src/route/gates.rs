//! Gates that judge a deployment while the new version has traffic. What each of them said at the present
//! share is memory of this process, and may be lost: then it is asked again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Next, Outcome, Trouble, View, Wait};
use crate::event::{Cause, WaitReason};
use crate::model::gate::{GateFault, Verdict};
use crate::model::world::Look;
use crate::record::{Held, Reason};
use crate::request::gates::OnInconclusive;

/// A gate that could not tell is waited for so much longer than the share was to be held.
const BEYOND: Duration = Duration::from_secs(10 * 60);

/// Between looks while only a gate is missing: what a gate says ends the wait.
const MISSING: Duration = Duration::from_secs(5);

/// What the gates said.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    /// What a gate that cannot tell means.
    on_inconclusive: OnInconclusive,
    /// The share that is judged; `None`: the new version has no traffic, or the judging is over.
    share: Option<u8>,
    /// By name.
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    /// So many wrong answers at one share fail the new version.
    limit: u32,
    wrong: u32,
    last: Option<Verdict>,
    /// What it said when it failed: whatever it says after that.
    failed: Option<GateFault>,
}

impl Gates {
    /// Gates by name, each with the number of wrong answers at one share that fail it.
    pub fn new(
        gates: impl IntoIterator<Item = (String, u32)>,
        on_inconclusive: OnInconclusive,
    ) -> Self {
        let seen = |(name, limit)| (name, Seen { limit, ..Seen::default() });
        Self { on_inconclusive, share: None, seen: gates.into_iter().map(seen).collect() }
    }

    /// This share is judged now. Whether that is new: then what was said of another one counts no more.
    pub fn judge(&mut self, share: Option<u8>) -> bool {
        let is_new = self.share != share;
        if is_new {
            self.share = share;
            for seen in self.seen.values_mut() {
                *seen = Seen { limit: seen.limit, ..Seen::default() };
            }
        }
        is_new
    }

    /// Whether a gate says something else than it said last.
    pub fn is_news(&self, gate: &str, verdict: &Verdict) -> bool {
        self.seen.get(gate).is_some_and(|seen| seen.last.as_ref() != Some(verdict))
    }

    /// Takes in what a gate said. Returns how many wrong answers it has given, and how many fail it.
    pub fn see(&mut self, gate: &str, verdict: Verdict) -> Option<(u32, u32)> {
        let seen = self.seen.get_mut(gate)?;
        if let Verdict::Fail(fault) = &verdict {
            seen.wrong += 1;
            if seen.wrong >= seen.limit {
                seen.failed.get_or_insert_with(|| fault.clone());
            }
        }
        seen.last = Some(verdict);
        Some((seen.wrong, seen.limit))
    }

    /// The first gate that failed.
    pub fn failed(&self) -> Option<Cause> {
        self.seen.iter().find_map(|(gate, seen)| {
            let fault = seen.failed.clone()?;
            let (gate, share) = (gate.clone(), self.share.unwrap_or(100));
            Some(Cause::Gate { gate, fault, share, wrong: seen.wrong })
        })
    }

    /// The first gate that has not passed, and what it said last.
    fn missing(&self) -> Option<(&str, Option<&GateFault>, bool)> {
        self.seen.iter().find_map(|(gate, seen)| match &seen.last {
            Some(Verdict::Pass) => None,
            Some(Verdict::Fail(fault)) => Some((gate.as_str(), Some(fault), false)),
            Some(Verdict::Inconclusive(fault)) => Some((gate.as_str(), Some(fault), true)),
            None => Some((gate.as_str(), None, false)),
        })
    }
}

/// Nothing ran on the old side when it began: there is nothing to go back to.
fn began_alone(view: &View<'_>) -> bool {
    view.record.had.is_some_and(|had| had.running == 0)
}

/// A gate failed, and there is nothing to go back to: a person must look.
pub(super) fn alone(view: &View<'_>) -> Option<Next> {
    let is_alone = (view.engine().serves_alone)(view).1 && began_alone(view);
    let cause = view.watch.gates.failed().filter(|_| is_alone)?;
    Some(Next::Done(Outcome::Stuck(cause)))
}

/// What the gates say against going on.
pub(super) fn trouble(view: &View<'_>) -> Option<Trouble> {
    let cause = view.watch.gates.failed()?;
    Some(Trouble { reason: Reason::Gate, cause })
}

/// What keeps a share that was held for its time from being left: a gate that has not passed.
pub(super) fn hold(view: &View<'_>, held: Held, time: Duration) -> Option<Next> {
    let gates = &view.watch.gates;
    let is_alone = (view.engine().serves_alone)(view).1;
    if is_alone && !began_alone(view) {
        // The old side is being stopped.
        return None;
    }
    let (gate, fault, inconclusive) = gates.missing()?;
    let beyond = view.watched_since(held.since).saturating_sub(time);
    let (gate, fault) = (gate.to_owned(), fault.cloned());
    let waits = match gates.on_inconclusive {
        OnInconclusive::Pass if inconclusive => return None,
        OnInconclusive::Fail if inconclusive => false,
        _ => beyond < BEYOND,
    };
    Some(match waits {
        true => {
            let why = WaitReason::Gate { gate, fault };
            Next::Wait(Wait { why, look_in: MISSING, look: Look::Glance })
        }
        false => {
            let cause = Cause::GateUndecided { gate, fault, beyond };
            match is_alone {
                true => Next::Done(Outcome::Stuck(cause)),
                false => Next::TurnBack(Trouble { reason: Reason::Gate, cause }),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong() -> Verdict {
        Verdict::Fail(GateFault::Status { status: 500 })
    }

    fn unknown() -> Verdict {
        Verdict::Inconclusive(GateFault::Unreachable { reason: "reset".to_owned() })
    }

    fn gates(limit: u32) -> Gates {
        let mut gates = Gates::new([("smoke".to_owned(), limit)], OnInconclusive::Hold);
        assert!(gates.judge(Some(10)));
        gates
    }

    #[test]
    fn so_many_wrong_answers_at_one_share_fail_it_one_after_the_other_or_not() {
        let mut gates = gates(3);
        for verdict in [wrong(), Verdict::Pass, wrong(), unknown()] {
            gates.see("smoke", verdict);
            assert_eq!(gates.failed(), None);
        }
        assert_eq!(gates.see("smoke", wrong()), Some((3, 3)));
        assert!(matches!(gates.failed(), Some(Cause::Gate { wrong: 3, .. })));
    }

    #[test]
    fn it_is_news_where_a_gate_says_something_else() {
        let mut gates = gates(3);
        assert!(gates.is_news("smoke", &wrong()) && !gates.is_news("another", &wrong()));
        gates.see("smoke", wrong());
        assert!(!gates.is_news("smoke", &wrong()) && gates.is_news("smoke", &Verdict::Pass));
    }

    #[test]
    fn what_was_said_of_another_share_counts_no_more() {
        let mut gates = gates(2);
        gates.see("smoke", wrong());
        gates.see("smoke", Verdict::Pass);
        assert!(gates.missing().is_none() && !gates.judge(Some(10)));
        assert!(gates.judge(Some(50)) && gates.missing().is_some());
        gates.see("smoke", wrong());
        assert_eq!(gates.failed(), None);
    }

    /// 10,000 histories of what a gate may say at one share.
    #[test]
    fn no_failing_gate_passes_and_no_passing_one_fails() {
        for seed in 0..10_000u64 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let limit = rng.u32(1..=3);
            let mut gates = gates(limit);
            let mut wrongs = 0;
            for _ in 0..rng.usize(0..40) {
                let verdict = match rng.u32(0..10) {
                    0 => wrong(),
                    1 | 2 => unknown(),
                    _ => Verdict::Pass,
                };
                wrongs += u32::from(matches!(verdict, Verdict::Fail(_)));
                let right = verdict == Verdict::Pass;
                gates.see("smoke", verdict);
                let (failed, passes) = (gates.failed().is_some(), gates.missing().is_none());
                assert_eq!(passes, right, "seed {seed}");
                assert_eq!(failed, wrongs >= limit, "seed {seed}");
            }
        }
    }
}
