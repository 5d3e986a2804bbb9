//! The lifecycle stages: which one follows, how long each lasts at least, and what it waits for.

use std::time::Duration;

use super::{begin::bakes, newest, tasks};
use crate::state::{
    Here,
    ecs::{Native, Stage},
};

/// The stage after one; `None`: it was the last.
pub(super) fn next(native: &Native, stage: Stage) -> Option<Stage> {
    Some(match stage {
        Stage::ReconcileService => Stage::PreScaleUp,
        Stage::PreScaleUp => Stage::ScaleUp,
        Stage::ScaleUp => Stage::PostScaleUp,
        Stage::PostScaleUp => Stage::TestTrafficShift,
        Stage::TestTrafficShift => Stage::PostTestTrafficShift,
        Stage::PostTestTrafficShift => Stage::PreProductionTrafficShift,
        Stage::PreProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ProductionTrafficShift if native.step + 1 < native.steps.len() => {
            Stage::PreProductionTrafficShift
        }
        Stage::ProductionTrafficShift => Stage::PostProductionTrafficShift,
        Stage::PostProductionTrafficShift => Stage::BakeTime,
        Stage::BakeTime => Stage::CleanUp,
        Stage::CleanUp => return None,
    })
}

/// How long a stage lasts at least.
pub(super) fn least(here: &Here<'_>, arn: &str, stage: Stage) -> Duration {
    let Some((_, rollout, native)) = newest(here, arn) else { return Duration::ZERO };
    let (step, bake) = bakes(&rollout.configuration);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    match stage {
        Stage::TestTrafficShift => shift(here, native),
        Stage::ProductionTrafficShift if native.production < 100.0 => {
            shift(here, native) + minutes(step)
        }
        Stage::ProductionTrafficShift => shift(here, native),
        Stage::BakeTime => minutes(bake),
        _ => here.shared.timing.stage,
    }
}

/// How long it takes to shift traffic.
pub(super) fn shift(here: &Here<'_>, native: &Native) -> Duration {
    let timing = &here.shared.timing;
    match native.sides.iter().any(|side| side.network) {
        _ if native.sides.is_empty() => timing.stage,
        true => timing.network_shift,
        false => timing.shift,
    }
}

/// Whether a stage has what it waits for.
pub(super) fn passed(here: &Here<'_>, arn: &str, stage: Stage) -> bool {
    let Some((_, _, native)) = newest(here, arn) else { return false };
    if here.now() < native.until || native.hooks.iter().any(|one| one.pending()) {
        return false;
    }
    match stage {
        Stage::ScaleUp => tasks::scaled_up(here, arn),
        Stage::ReconcileService => tasks::only_source(here, arn),
        Stage::CleanUp => tasks::only_target(here, arn),
        _ => true,
    }
}
