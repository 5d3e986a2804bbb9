//! Going on from what the rules show where that is not what the record says: at a person's word.

use super::View;
use crate::model::rule::green_per_mille;
use crate::model::world::World;
use crate::record::{Reason, Record};
use crate::route::watch::Watch;

impl View<'_> {
    /// The record that goes on from the weights that the rules show; `None` where they show what they
    /// should. Forward it begins anew with the largest planned share that every rule has at least, so
    /// that nothing rises before that one was held; back there is nothing but 0 to go on to.
    pub fn accepting(&self) -> Option<Record> {
        self.drift()?;
        let record = self.record;
        let to = match record.forward() {
            true => {
                let least = self.least_per_mille()?;
                let mut shares = record.shares.iter().map(|share| share.percent);
                shares.rfind(|percent| u32::from(*percent) * 10 <= least)
            }
            false => Some(0),
        };
        Some(Record { to, held: None, promoted: None, ..record.clone() })
    }

    /// Whether the new version serves alone, and the old one is stopped, whatever was written down of that: the record
    /// of a success can be lost. A task that is missing at the moment is no failure.
    pub fn has_succeeded(&self) -> bool {
        let is_alone = (self.engine().serves_alone)(self).1;
        is_alone && self.green_answers() && self.ours().is_some()
    }

    /// Whether who comes next has only to finish it: the new version serves, and no check judges it.
    pub fn has_taken_over(&self) -> bool {
        let is_unjudged = self.record.forward() && self.record.judges.is_none();
        let is_ours = self.green_answers() && self.ours().is_some();
        self.has_succeeded() || is_unjudged && is_ours && (self.engine().taken_over)(self)
    }

    /// Green's part in the rule that gives it least; a rule that gives neither side any weight gives
    /// it nothing.
    fn least_per_mille(&self) -> Option<u32> {
        let pairs = self.pairs();
        self.rules()
            .into_iter()
            .map(|rule| green_per_mille(&rule.actions, &pairs).unwrap_or(0))
            .min()
    }

    /// The record, turned back. Traffic that was never meant for green is taken back too.
    pub fn turned_back(&self, reason: Reason) -> Record {
        let record = self.record.turned_back(reason);
        let to = record.to.or_else(|| self.green_has_traffic().then_some(0));
        Record { to, ..record }
    }
}

impl Watch {
    /// Takes what the rules show for what they are to show, until the next share is held. The record
    /// that goes on from there; `None` where there was nothing to accept.
    pub fn accept(&mut self, record: &Record, world: &World) -> Option<Record> {
        let view = View { record, watch: self, world };
        let accepted = view.accepting()?;
        let pairs = view.pairs();
        let shown = |(arn, rule): (&String, &crate::model::world::Rule)| {
            (arn.clone(), green_per_mille(&rule.actions, &pairs))
        };
        self.accepted = world.rules.iter().map(shown).collect();
        Some(accepted)
    }
}
