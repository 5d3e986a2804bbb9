//! Events in the words of silintl's `ecs-deploy`: its lines on standard output, in its order, ours on
//! standard error.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::sanitise::field;
use super::words::{cause as cause_of, outcome, warning as warning_of};
use crate::event::{Ended, Ending, Kind};

/// What silintl's lines depend on.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// Seconds that a phase may take.
    pub timeout: u64,
    /// Going back was asked for.
    pub rollback: bool,
    /// Only the first task is waited for.
    pub skip_check: bool,
    /// No revision is registered.
    pub restart: bool,
}

/// What has been said so far.
#[derive(Debug, Default)]
pub(super) struct Said {
    runs: Cell<bool>,
    lacking: RefCell<BTreeSet<String>>,
}

/// Lines for standard output, and those for standard error.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) out: Vec<String>,
    pub(super) err: Vec<String>,
}

const WAITING: &str = "Waiting for service deployment to complete...";

/// One event. `line` is what people see elsewhere.
pub(super) fn event(words: &Words, said: &Said, kind: &Kind, line: String) -> Text {
    let mut text = Text { out: vec![], err: vec![line] };
    let mut say = |line: String| text.out.push(line);
    match kind {
        Kind::Registered { arn, current, .. } => {
            say(format!("Current task definition: {}", field(current)));
            say(format!("New task definition: {}", field(arn)));
        }
        Kind::Begun { .. } if words.restart => {
            say("Force a new deployment of the service".into());
            say(WAITING.into());
        }
        Kind::Runs { tasks, .. } if !words.restart => {
            said.runs.set(true);
            say(match tasks {
                0 => "Skipping check for running task definition, as desired-count <= 0".into(),
                _ => "Service updated successfully, new task definition running.".into(),
            });
            if !words.skip_check {
                say(WAITING.into());
            }
        }
        Kind::RollingBack { to, cause, .. } => {
            if !said.runs.get() && !words.restart {
                say(not_running(words, &field(&cause_of(cause))));
            }
            if words.rollback {
                say(format!("Rolling back to {}", field(to)));
            }
        }
        Kind::Pruned { revisions } => {
            revisions.iter().for_each(|arn| {
                say(format!("Deregistering outdated task revision: {}", field(arn)))
            });
        }
        Kind::Warning(warning) => {
            let what = field(&warning_of(warning));
            // One line at the end says what more permissions would bring.
            match what.rsplit_once("; allow ") {
                Some((_, permission)) => {
                    said.lacking.borrow_mut().insert(permission.to_owned());
                    text.err.clear();
                }
                None => text.err = vec![format!("warning: {what}")],
            }
        }
        Kind::Outcome(ended) => return end(words, said, ended, text.err),
        _ => {}
    }
    text
}

/// The end of a first phase, which need not have lasted so long.
fn not_running(words: &Words, why: &str) -> String {
    format!("ERROR: New task definition not running within {} seconds: {why}", words.timeout)
}

fn end(words: &Words, said: &Said, ended: &Ended, err: Vec<String>) -> Text {
    let mut text = Text { out: vec![], err };
    match &ended.ending {
        Ending::Live { .. } if !words.skip_check => {
            text.out.push("Service deployment successful.".into());
        }
        Ending::Left { .. } if !said.runs.get() && !words.restart => {
            let why = ended.why.as_ref().map_or_else(|| outcome(&ended.ending), cause_of);
            text.out.push(not_running(words, &field(&why)));
        }
        _ => {}
    }
    if ended.exit_code == 0 {
        text.err.clear();
    }
    let lacking: Vec<String> = said.lacking.borrow().iter().cloned().collect();
    if !lacking.is_empty() {
        text.err.push(format!(
            "warning: with {} as well, the image is checked before anything is registered, target health is \
             watched, and a deployment that was killed can be resumed",
            lacking.join(", ")
        ));
    }
    text
}
