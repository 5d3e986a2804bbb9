//! Starts the rollback of a deployment.

use std::time::Duration;

use super::{FRESH, Run};
use crate::event::Kind;
use crate::model::reads::Part;
use crate::route::{Action, Next, Trouble, View, decide};

/// Weights on the way back wait for the record's write no longer than this.
pub const RECORD_WAIT: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Another heading, on the same world. The record is written first, but holds up nothing.
    pub(super) async fn turn_back(&mut self, trouble: &Trouble) {
        // Weights need this look anyway.
        if self.recorded && !self.still_drives().await {
            return;
        }
        let view = View { record: &self.record, watch: &self.watch, world: &self.world };
        self.record = view.turned_back(trouble.reason);
        self.watch.changes = 0;
        self.sent.clear();
        self.failed = 0;
        self.tell(Kind::RollingBack {
            to: self.record.from.clone(),
            reason_code: trouble.reason.code(),
            cause: trouble.cause.clone(),
        });
        self.unwritten = self.recorded;
        // Nor does anything hold up the call that makes ECS turn back.
        let stops = matches!(decide(&self.view()).1, Next::Act(Action::StopDeployment { .. }));
        if stops || !self.recorded || self.age(&Part::Owner) >= FRESH {
            return;
        }
        let action = Action::Write(Box::new(self.record.clone()));
        let write = self.setting.aws.act(&self.pair, &action, &self.world);
        match tokio::time::timeout(RECORD_WAIT, write).await {
            Ok(Ok(_)) => self.unwritten = false,
            Ok(Err(error)) => self.unrecorded(&error),
            Err(_) => {}
        }
    }
}
