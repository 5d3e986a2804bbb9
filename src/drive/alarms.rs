//! Reads the alarms that judge a deployment, beside its looks.

use std::time::Duration;

use super::Run;
use crate::event::Then;

/// Alarms are judged by periods of 10 s at least (CloudWatch User Guide, "Using Amazon CloudWatch alarms").
const EVERY: Duration = Duration::from_secs(10);

/// What a change rests on grows old meanwhile: a slow answer must not keep it from being made.
const PATIENCE: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// Reads them as long as the deployment goes forward, where that is due.
    pub(super) async fn read_alarms(&mut self) {
        let setting = self.setting;
        let now = setting.clock.now();
        let is_due = self.alarms_read.is_none_or(|at| {
            // A clock that was set back says nothing of how long ago that was.
            now.duration_since(at).map_or(true, |passed| passed >= EVERY)
        });
        if setting.alarms.is_empty() || !self.record.forward() || !is_due {
            return;
        }
        let reading = tokio::time::timeout(PATIENCE, setting.aws.alarms(&setting.alarms));
        let mut interrupts = self.interrupts.clone();
        let read = tokio::select! {
            read = reading => read,
            // A request to stop is not kept waiting.
            Ok(()) = interrupts.changed() => return,
        };
        self.alarms_read = Some(setting.clock.now());
        let at = self.world.at;
        match read {
            Ok(Ok(alarms)) => self.watch.alarms.see(&alarms, self.fresh),
            Ok(Err(failure)) => {
                if self.watch.alarms.unread(at) {
                    self.warn(failure, Then::TriesAgain);
                }
            }
            Err(_) => {
                self.watch.alarms.unread(at);
            }
        }
    }
}
