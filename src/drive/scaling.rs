//! What becomes of a deployment whose auto scaling cannot be read or changed: the traffic waits for it at no
//! moment; only the steps that are about it do.

use super::Run;
use crate::call::Call;
use crate::error::Failure;
use crate::event::{Cause, Scaling, Then};
use crate::route::{Action, Next, Outcome, decide};

/// Scalable targets that cannot be read are asked for so often.
const TRIES: u32 = 5;

impl Run<'_> {
    /// A reading of the scalable targets failed.
    pub(super) fn without_scaling(&mut self, error: Failure) {
        self.scaling_unread = (self.scaling_unread.0 + 1, Some(error.clone()));
        if self.scaling_unread.0 == 1 {
            self.warn(error, Then::TriesAgain);
        }
    }

    /// Why they cannot be read, where asking again does not help.
    pub(super) fn scaling_error(&self) -> Option<Failure> {
        let (tries, error) = &self.scaling_unread;
        let is_final = |error: &&Failure| *tries >= TRIES || !error.passes_while_driving();
        error.as_ref().filter(is_final).cloned()
    }

    /// Whether what failed is about auto scaling, and green has traffic, or had some.
    pub(super) fn leaves_scaling(&self, error: &Failure) -> bool {
        let calls = [Call::RegisterScalableTarget, Call::DescribeScalableTargets];
        let is_begun = !self.record.forward() || self.record.to.is_some();
        is_begun && error.call.is_some_and(|call| calls.contains(&call))
    }

    /// A person must change it.
    pub(super) fn scaling_left(&self, failure: Failure) -> Outcome {
        let left = match decide(&self.view()).1 {
            Next::Act(Action::Scale { service, min, max, suspended }) => {
                Some(Scaling { service, min, max, suspended })
            }
            _ => None,
        };
        let cluster = self.record.cluster.clone();
        Outcome::Stuck(Cause::Scaling { failure, cluster, left })
    }
}
