//! Auto scaling of a pair. Each service keeps its scalable target and its policies; what moves with the
//! traffic is the minimum, the maximum and what is suspended. The minimum and maximum are always those that
//! AWS shows now: a scheduled action may change them at any moment. The record holds what was suspended.
//! `freeze` suspends it before the new side starts; `arm` (forward) and `unfreeze` (back) end the suspension.
//!
//! The side that is left has the minimum 0 and suspends everything: else auto scaling would start its tasks
//! again. Registering a target brings the desired count between its limits at once, so that the other side has
//! its limits before this one loses them.

use super::{Action, Next, Outcome, View, Wait};
use std::time::Duration;

use crate::event::{Cause, WaitReason};
use crate::model::scaling::{Scalable, Suspended};
use crate::model::world::Look;
use crate::record::Suspensions;

/// Between two looks that must agree.
const LOOK_TWICE: Duration = Duration::from_secs(5);

/// What the steps below look at.
struct Pair<'a> {
    found: Suspensions,
    blue: &'a Scalable,
    green: &'a Scalable,
}

impl Pair<'_> {
    /// Whether blue's limits are green's already.
    fn is_swapped(&self) -> bool {
        self.blue.is_bare() && !self.green.is_bare()
    }

    /// The minimum and maximum that the side with the traffic is to have: blue's, unless blue was left already.
    fn limits(&self) -> (u32, u32) {
        let own = if self.is_swapped() { self.green } else { self.blue };
        (own.min, own.max)
    }
}

/// Both scalable targets; or what is next without them: they are read, or nothing scales the pair (any more).
fn pair<'a>(view: &View<'a>) -> Result<Pair<'a>, Option<Box<Next>>> {
    let found = view.record.scaling.ok_or(None)?;
    if view.world.scalable.is_none() {
        let why = WaitReason::Scaling { service: view.record.blue.clone() };
        let look_in = Duration::from_secs(1);
        return Err(Some(Box::new(Next::Wait(Wait { why, look_in, look: Look::Whole }))));
    }
    let [blue, green] =
        [&view.record.blue, &view.record.green].map(|name| view.world.scalable(name));
    let (blue, green) = blue.zip(green).ok_or(None)?;
    Ok(Pair { found, blue, green })
}

/// The one of the two services that is scaled, where somebody deregistered the other one meanwhile.
pub(super) fn only<'a>(view: &View<'a>) -> Option<&'a Scalable> {
    let (blue, green) = (&view.record.blue, &view.record.green);
    match [blue, green].map(|name| view.world.scalable(name)) {
        [Some(only), None] | [None, Some(only)] => Some(only),
        _ => None,
    }
    .filter(|_| view.record.scaling.is_some())
}

fn scale(
    target: &Scalable,
    limits: (Option<u32>, Option<u32>),
    suspended: Suspended,
) -> Option<Next> {
    let (service, (min, max)) = (target.service.clone(), limits);
    Some(Next::Act(Action::Scale { service, min, max, suspended }))
}

/// Whether green has had all the traffic, as far as is known: then blue's part is over.
fn is_handed_over(view: &View<'_>) -> bool {
    view.record.held.is_some_and(|held| held.share == 100)
}

/// Blue is not scaled in while green takes its traffic. Nothing scales green but, once it is to have traffic,
/// a policy that scales out.
pub(super) fn freeze(view: &View<'_>) -> Option<Next> {
    let pair = match pair(view) {
        Ok(pair) => pair,
        Err(next) => return next.map(|next| *next),
    };
    // A rollback that is given up leaves the other side to nobody.
    if is_handed_over(view) || view.watch.gone.is_some() || view.watch.given_up.is_some() {
        return None;
    }
    let (found, blue, green) = (pair.found.blue, pair.blue, pair.green);
    let (min, max) = pair.limits();
    if pair.is_swapped() {
        return scale(blue, (Some(min), Some(max)), Suspended { scale_in: true, ..found });
    }
    if !blue.suspended.scale_in {
        return scale(blue, (None, None), Suspended { scale_in: true, ..blue.suspended });
    }
    // A lower maximum would take tasks away that have traffic.
    let desired = view.green().map_or(0, |service| service.desired);
    let max = max.max(if view.ours().is_some() { desired } else { 0 });
    let is_quiet = green.suspended.scale_in && green.suspended.scheduled;
    if green.min == 0 && green.max == max && is_quiet {
        return None;
    }
    let scale_out = view.record.to.is_none() || found.scale_out;
    scale(green, (Some(0), Some(max)), Suspended { scale_in: true, scale_out, scheduled: true })
}

/// Before green has traffic, its policies may scale it out as blue's did.
pub(super) fn scale_out(view: &View<'_>) -> Option<Next> {
    let pair = match pair(view) {
        Ok(pair) => pair,
        Err(next) => return next.map(|next| *next),
    };
    let (scale_out, green) = (pair.found.blue.scale_out, pair.green);
    let is_over = is_handed_over(view) || view.watch.gone.is_some();
    if is_over || green.suspended.scale_out == scale_out {
        return None;
    }
    scale(green, (None, None), Suspended { scale_out, ..green.suspended })
}

/// Green has blue's present limits and suspensions as found; only then blue has none to be revived by.
pub(super) fn arm(view: &View<'_>) -> Option<Next> {
    // The limits are those of one of them, or nobody's.
    if let Some(only) = only(view).filter(|_| view.record.forward()) {
        // What is handed over already is nobody's business but that person's.
        let is_blue = only.service == view.record.blue;
        let is_over = match is_blue {
            true => only.is_idle(),
            false => !only.is_bare(),
        };
        if is_over {
            return None;
        }
        // Somebody may be registering it anew.
        if view.watch.unscaled_since.is_none_or(|since| view.since(since) < LOOK_TWICE) {
            let why = WaitReason::Scaling { service: view.record.blue.clone() };
            return Some(Next::Wait(Wait { why, look_in: LOOK_TWICE, look: Look::Whole }));
        }
        let (blue, green) = (&view.record.blue, &view.record.green);
        let other = if is_blue { green } else { blue };
        let (service, other) = (only.service.clone(), other.clone());
        return Some(Next::Done(Outcome::Stuck(Cause::OneIsNotScaled { service, other })));
    }
    let pair = match pair(view) {
        Ok(pair) => pair,
        Err(next) => return next.map(|next| *next),
    };
    let (found, blue, green) = (pair.found.blue, pair.blue, pair.green);
    let (min, max) = pair.limits();
    if (green.min, green.max, green.suspended) != (min, max, found) {
        return scale(green, (Some(min), Some(max)), found);
    }
    // What is not there starts no task.
    if blue.is_idle() || view.is_gone(&view.record.blue) {
        return None;
    }
    scale(blue, (Some(0), None), Suspended::ALL)
}

/// Blue is scaled as it was found; nothing scales green. Of one that somebody deregistered, the other is left so.
pub(super) fn unfreeze(view: &View<'_>) -> Option<Next> {
    if let Some((only, found)) = only(view).zip(view.record.scaling) {
        let is_blue = only.service == view.record.blue;
        return match is_blue {
            true if only.suspended != found.blue && !only.is_bare() => {
                scale(only, (None, None), found.blue)
            }
            false if !only.is_idle() => scale(only, (Some(0), None), Suspended::ALL),
            _ => None,
        };
    }
    let pair = match pair(view) {
        Ok(pair) => pair,
        Err(next) => return next.map(|next| *next),
    };
    let (found, blue, green) = (pair.found.blue, pair.blue, pair.green);
    let (min, max) = pair.limits();
    if (blue.min, blue.max, blue.suspended) != (min, max, found) {
        let is_left = pair.is_swapped();
        return scale(blue, (is_left.then_some(min), is_left.then_some(max)), found);
    }
    if green.is_idle() || view.is_gone(&view.record.green) {
        return None;
    }
    scale(green, (Some(0), None), Suspended::ALL)
}

/// Another deployment takes over: the side that has the traffic is scaled as blue was found.
pub(super) fn hand_over(view: &View<'_>) -> Option<Next> {
    if is_handed_over(view) { arm(view) } else { unfreeze(view) }
}

/// The most tasks that auto scaling lets the pair have; more are taken away again.
pub(super) fn most(view: &View<'_>) -> Option<u32> {
    let pair = pair(view).ok()?;
    Some(pair.limits().1.max(1))
}
