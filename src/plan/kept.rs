//! The old side that a deployment kept running: what rolls back to it, and what stops it.

use std::time::Duration;

use super::checks::pair;
use super::{Identity, Survey};
use crate::record::{Held, Record, Suspensions};
use crate::request::Share;

impl Survey {
    /// The record of the deployment that is live and kept the old side, as long as that runs on.
    pub fn kept(&self) -> Option<Record> {
        let live = pair::live_side(self).ok()?;
        let record = self.closed_on(live).filter(|record| record.keep_old)?;
        let old = self.world.service(record.twin().map(|_| record.blue.as_str())?)?;
        (old.revision == record.from && old.desired > 0).then_some(record)
    }
}

/// What stops the kept side: the last steps of its deployment, for this process alone.
pub fn retiring(survey: &Survey, kept: &Record, identity: &Identity) -> Record {
    let now = survey.world.at;
    let closed = kept.closed.map_or(now, |closed| closed.at);
    let scaled = |name: &str| survey.scalable(name);
    // One that somebody set to scale by itself is that person's.
    let targets = scaled(&kept.blue).filter(|old| old.is_idle()).zip(scaled(&kept.green));
    Record {
        id: identity.deployment.clone(),
        owner: identity.owner.clone(),
        by: identity.by.clone(),
        seen: now,
        start: now,
        // As many as there are.
        count: 0,
        had: None,
        scaling: targets
            .map(|(old, live)| Suspensions { blue: live.suspended, green: old.suspended }),
        prepare: None,
        shares: vec![Share::ALL],
        bake: Duration::ZERO,
        keep_old: false,
        to: Some(100),
        held: Some(Held { share: 100, since: closed }),
        promoted: None,
        judges: None,
        closed: None,
        released: None,
        ..kept.clone()
    }
}
