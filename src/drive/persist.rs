//! Keeps the record: writes it, says that its owner is alive, and sees who else drives.

use std::time::Duration;

use backon::BackoffBuilder;

use super::backoff::backoff;
use super::{FRESH, Run};
use crate::aws::PART_MAX;
use crate::error::Failure;
use crate::event::{Cause, Change, Kind, Then};
use crate::model::reads::Part;
use crate::model::world::Look;
use crate::record::{DEAD_AFTER, End, Record, Released};
use crate::route::{Action, Outcome};

/// An owner says this often that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// A record is sent this often again.
pub(super) const RETRIES: usize = 3;
/// The next heartbeat comes soon: meanwhile the deployment is watched.
const HEARTBEAT_RETRIES: usize = 1;

impl Run<'_> {
    /// Another process writes its name into the record: it drives now.
    pub(super) fn taken_over(&self) -> Option<Outcome> {
        let other = self.world.owner.as_ref().filter(|owner| **owner != self.record.owner)?;
        let (owner, deployment) = (other.clone(), self.record.name().to_owned());
        Some(Outcome::Superseded(Cause::TakenOver { owner, deployment }))
    }

    /// Whether no other process drives it, looked up where the last look does not tell. Who has lost the
    /// deployment must not write over the record of who has it.
    pub(super) async fn still_drives(&mut self) -> bool {
        if self.world.owner.is_none() || self.age(&Part::Owner) >= FRESH {
            // Weights on their way back rest on these as well.
            let _ = self.look_only(Look::Whole, &[Part::Owner, Part::Rules]).await;
        }
        self.taken_over().is_none()
    }

    /// Says that we are alive, after looking whether the record is still ours.
    pub(super) async fn heartbeat(&mut self) {
        if self.heartbeat_is_due() && self.world.owner.is_some() && self.age(&Part::Owner) < FRESH {
            let record = Record { seen: self.world.at, ..self.record.clone() };
            self.write_tried(record, HEARTBEAT_RETRIES).await;
        }
    }

    /// Then the next look takes in the record.
    pub(super) fn heartbeat_is_due(&self) -> bool {
        // One that takes long, or fails, is not tried without end: other things are to be done.
        let tried = self.wrote.age(&self.setting.clock.moment(self.world.at));
        self.recorded && tried >= HEARTBEAT && self.record.silent_for(self.world.at) >= HEARTBEAT
    }

    /// Whoever comes next need not wait until we count as dead.
    pub(super) async fn release(&mut self, released: Released) {
        let open = self.recorded && self.record.closed.is_none();
        if open && self.still_drives().await && self.age(&Part::Owner) < FRESH {
            let seen = self.world.at.checked_sub(DEAD_AFTER).unwrap_or(self.world.at);
            // Nobody goes on with what somebody else has taken the place of.
            let record = match released {
                Released::Superseded => self.view().without_settings(End::WentBack),
                _ => self.record.clone(),
            };
            let released = Some(released);
            self.write(Record { seen, released, ..record }).await;
        }
    }

    /// The record says this now. Writing it down is worth a warning when it fails, never an end.
    pub(super) async fn write(&mut self, record: Record) {
        self.write_tried(record, RETRIES).await;
    }

    async fn write_tried(&mut self, record: Record, retries: usize) {
        if self.record.is_preparing() && !record.is_preparing() {
            self.tell(Kind::Changed { step: "prepare", change: Change::BeforeSucceeded });
        }
        self.record = record;
        self.unwritten = self.recorded;
        if !self.recorded {
            return;
        }
        let action = Action::Write(Box::new(self.record.clone()));
        let sent = self.send_record(&action, retries).await;
        self.wrote = self.setting.clock.moment(self.world.at);
        match sent {
            Ok(()) => {
                self.unwritten = false;
                self.unwritable = 0;
            }
            Err(error) => self.unrecorded(&error),
        }
    }

    pub(super) async fn send_record(
        &mut self,
        action: &Action,
        retries: usize,
    ) -> Result<(), Failure> {
        let mut waits = backoff().with_max_times(retries).build();
        loop {
            let begin = self.setting.clock.moment(self.world.at);
            let sent = self.setting.aws.act(&self.pair, action, &self.world).await;
            // Trying again takes long as well, and is not standing still.
            self.notice_freeze(begin, PART_MAX);
            match sent {
                // Overwriting is absolute: a lost answer is answered by writing again.
                Err(error) if error.passes() => match waits.next() {
                    Some(wait) if !self.is_interrupted() => self.sleep(wait).await,
                    _ => return Err(error),
                },
                other => return other.map(drop),
            }
        }
    }

    pub(super) fn unrecorded(&mut self, error: &Failure) {
        self.warn(error.clone(), Then::RecordOutOfDate);
        if !error.passes() {
            self.recorded = false;
            self.unwritten = false;
        }
    }
}
