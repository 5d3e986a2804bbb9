//! The last log lines of a task that made a deployment fail. Without permission to read them the report has
//! only the reason of the failure, and a warning says so.

use crate::drive::backoff::LOOK_TWICE;
use crate::drive::log::last;
use crate::drive::{Finished, Setting};
use crate::error::{Failure, FailureKind};
use crate::model::log::sources;
use crate::route::Outcome;

/// Lines that a report shows.
const LINES: u16 = 10;

/// The last lines of the container that failed first, as `container: line`.
pub(super) async fn last_words(
    setting: &Setting<'_>,
    finished: &Finished,
) -> Result<Vec<String>, Failure> {
    let aws = setting.aws;
    let Some((task, container)) = culprit(finished) else { return Ok(vec![]) };
    let Ok(revision) = aws.revision(&finished.record.revision).await else {
        return Ok(vec![]);
    };
    if !sources(&revision.raw).iter().any(|source| source.container == container) {
        return Ok(vec![]);
    }
    let mut lines = last(aws, &revision.raw, &task, &container, LINES).await;
    if lines.as_ref().is_ok_and(Vec::is_empty) {
        // What was written a moment ago can be read a moment later.
        setting.clock.sleep(LOOK_TWICE).await;
        lines = last(aws, &revision.raw, &task, &container, LINES).await;
    }
    let lines = match lines {
        Err(failure) if failure.kind == FailureKind::Denied => return Err(failure),
        lines => lines.unwrap_or_default(),
    };
    let texts = lines.iter().flat_map(|line| line.message.lines());
    let told: Vec<String> = texts.map(|text| format!("{container}: {text}")).collect();
    Ok(told[told.len().saturating_sub(LINES.into())..].to_vec())
}

/// The task whose end decided, and its container.
fn culprit(finished: &Finished) -> Option<(String, String)> {
    if matches!(finished.outcome, Outcome::Live | Outcome::Superseded(_) | Outcome::Stopped) {
        return None;
    }
    if finished.record.is_preparing() {
        let task = finished.world.prepare.iter().flatten().next()?;
        return Some((task.arn.clone(), task.commanded.clone()?));
    }
    let exit = |failure: &crate::model::health::TaskFailure| {
        failure.exit_code?;
        Some((failure.task.clone(), failure.container.clone()?))
    };
    finished.watch.failures.iter().find_map(exit)
}
