//! Lines for people: the time since the beginning, the step, and what happened.

use std::fmt::Write;
use std::time::Duration;

use super::Listening;
use super::report::Status;
use super::sanitise::{self, field};
use crate::event::{Ended, Kind};
use crate::model::arn::short;
use crate::model::served::Served;
use crate::plan::{Decision, Survey};
use crate::request::EngineName;

/// One event. (Warnings and the end have forms of their own.)
pub(super) fn event(kind: &Kind, elapsed: Duration) -> String {
    let (step, what) = match kind {
        Kind::Begun { deployment, engine, blue, green, adopted, .. } => {
            let verb = if *adopted { "goes on with" } else { "begins" };
            let what = match engine {
                EngineName::Listener => format!("{blue} serves, {green} comes up"),
                EngineName::Rolling => format!("ECS replaces the tasks of {green}"),
            };
            ("deploy", format!("{deployment} {verb}: {what}"))
        }
        Kind::Registered { revision, base, images, edits, .. } => {
            let images = images.iter().map(|(name, image)| format!("{name}={image}"));
            let changes: Vec<String> = images.chain(edits.iter().cloned()).collect();
            let with = if changes.is_empty() { "" } else { " with " };
            ("register", format!("{revision} like {base}{with}{}", changes.join(", ")))
        }
        Kind::Changed { step, what } => (step.as_str(), what.clone()),
        Kind::Waiting { step, why } => (step.as_str(), why.clone()),
        Kind::Runs { revision, tasks: 0 } => ("settle", format!("no task of {revision} is to run")),
        Kind::Runs { revision, tasks: 1 } => ("settle", format!("a task of {revision} runs")),
        Kind::Runs { revision, tasks } => ("settle", format!("{tasks} tasks of {revision} run")),
        Kind::TaskFailed { task, old: Some(old), what } => {
            ("failed", format!("task {} of {old}: {what}", brief(task)))
        }
        Kind::TaskFailed { task, old: None, what } => {
            ("failed", format!("task {}: {what}", brief(task)))
        }
        Kind::TurnedBack { what, .. } => ("back", format!("turning back: {what}")),
        Kind::Pruned { revisions } => {
            let names: Vec<&str> = revisions.iter().map(|arn| short(arn)).collect();
            ("prune", format!("deregistered {}", names.join(", ")))
        }
        Kind::Logged { task, container, message, .. } => {
            return logged(task.as_deref(), container, message, &clock(elapsed));
        }
        Kind::Warning { what } => ("warning", what.clone()),
        Kind::Outcome(ended) => ("end", ended.what.clone()),
    };
    format!("{}  {step:<8}  {what}", clock(elapsed))
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:>3}:{:02}", seconds / 60, seconds % 60)
}

/// No line of ours begins with what a container logs: CI services take commands from there.
fn logged(task: Option<&str>, container: &str, message: &str, clock: &str) -> String {
    let task = task.map_or(String::new(), |task| format!("{} ", brief(task)));
    let line = |line: &str| format!("{clock}  log       {task}{container}: {line}");
    let message = message.trim_end().replace("\r\n", "\n");
    message.split(['\n', '\r']).map(line).collect::<Vec<_>>().join("\n")
}

/// The end, on one screen.
pub(super) fn end(ended: &Ended) -> String {
    format!("\n{} (exit code {}){}", ended.what, ended.exit_code, details(ended))
}

/// What is worth knowing about an end: why, what failed, what was said, what serves.
pub(super) fn details(ended: &Ended) -> String {
    let mut text = String::new();
    let mut row = |name: &str, what: &str| {
        let _ = write!(text, "\n  {name:<8}  {what}");
    };
    if let Some(why) = &ended.why {
        row("why", why);
    }
    for (index, failure) in alike(&ended.failures).iter().enumerate() {
        row(if index == 0 { "failed" } else { "" }, failure);
    }
    for (index, line) in ended.logs.iter().enumerate() {
        row(if index == 0 { "logged" } else { "" }, line);
    }
    for (index, event) in ended.service_events.iter().enumerate() {
        row(if index == 0 { "events" } else { "" }, event);
    }
    for (index, served) in ended.serves.iter().enumerate() {
        row(if index == 0 { "serves" } else { "" }, &who(served));
    }
    text
}

/// `task ID: WHAT` or `task ID of REVISION: WHAT`, those that ended alike in one line.
fn alike(failures: &[String]) -> Vec<String> {
    let what = |failure: &String| {
        let (_, rest) = failure.strip_prefix("task ")?.split_once([':', ' '])?;
        Some(rest.to_owned())
    };
    let mut lines: Vec<(Option<String>, &String, usize)> = Vec::new();
    for failure in failures {
        match lines.iter_mut().find(|(known, ..)| known.is_some() && *known == what(failure)) {
            Some((.., count)) => *count += 1,
            None => lines.push((what(failure), failure, 1)),
        }
    }
    let line = |(_, first, count): &(Option<String>, &String, usize)| match count {
        1 => (*first).clone(),
        more => format!("{more} tasks like {first}"),
    };
    lines.iter().map(line).collect()
}

/// What would be done.
pub(super) fn plan(survey: &Survey, decision: &Decision) -> String {
    match decision {
        Decision::Nothing { what, .. } => format!("nothing to do: {}", field(what)),
        Decision::Unfinished(record) => field(&crate::plan::unfinished(survey, record).what),
        Decision::Adopt(record) => field(&format!(
            "{} {} is under way: deploy would go on with it, at {}",
            record.name(),
            record.route(),
            crate::plan::standing(record, &survey.world)
        )),
        Decision::Deploy(plan) => {
            let (blue, green) = (field(&plan.record.blue), field(&plan.record.green));
            let mut text = match plan.record.engine() {
                EngineName::Listener => format!("{blue} serves, {green} comes up\n"),
                EngineName::Rolling => {
                    format!("ECS replaces the tasks of {green} ({})\n", field(&plan.why))
                }
            };
            for (step, what) in &plan.steps {
                let _ = write!(text, "\n  {step:<8}  {}", field(what));
            }
            let (replaced, diff) = &plan.diff;
            if !diff.is_empty() {
                let new =
                    if *replaced == plan.base.name { "its clone" } else { "the new revision" };
                let _ = write!(text, "\n\n{} and {new}:\n", field(replaced));
            }
            for line in diff {
                let _ = write!(text, "\n  {}", field(line));
            }
            text
        }
    }
}

/// What serves.
pub(super) fn status(status: &Status) -> String {
    let mut text = String::new();
    for service in &status.services {
        let _ = writeln!(
            text,
            "{}  {}  {} of {} tasks{}",
            field(&service.name),
            field(&service.revision),
            service.running,
            service.desired,
            if service.pending > 0 {
                format!(", {} pending", service.pending)
            } else {
                String::new()
            }
        );
        for container in &service.containers {
            let _ = writeln!(
                text,
                "  {:<8}  {}={}",
                "image",
                field(&container.name),
                field(&container.image)
            );
        }
        for group in &service.groups {
            let states: Vec<String> = group
                .targets
                .iter()
                .map(|(state, count)| format!("{count} {}", field(state)))
                .collect();
            let states =
                if states.is_empty() { "no targets".to_owned() } else { states.join(", ") };
            let _ = writeln!(text, "  {:<8}  {}: {states}", "targets", field(&group.name));
            for why in &group.why {
                let _ = writeln!(text, "  {:<8}  {}", "", field(why));
            }
        }
    }
    for served in &status.serves {
        let _ = writeln!(text, "serves  {}", who(&sanitise::served(served)));
    }
    match &status.record {
        Some(record) => {
            let _ = write!(text, "record  {}", field(&record.what));
        }
        None => text.push_str("record  none"),
    }
    text
}

fn who(served: &Served) -> String {
    let shares: Vec<String> =
        served.percent.iter().map(|(name, percent)| format!("{percent} % {name}")).collect();
    match shares[..] {
        [] => format!("{}: nobody", served.rule),
        [..] => format!("{}: {}", served.rule, shares.join(", ")),
    }
}

/// How the demo ended.
pub(super) fn demo(codes: &[u8], serves: bool, image: &str) -> String {
    let codes: Vec<String> = codes.iter().map(u8::to_string).collect();
    let serves = if serves { "serves everywhere" } else { "does NOT serve everywhere" };
    format!(
        "\nThe three deployments ended {}, as they should end 0, 1, 1; {image} {serves}.",
        codes.join(", ")
    )
}

/// Where the sandbox listens; a shell can be given these lines.
pub(super) fn listening(listening: &Listening<'_>) -> String {
    let Listening { address, region, scale } = listening;
    let endpoint = listening.endpoint();
    format!(
        "# The sandbox listens on {address}; a second is {scale} of its seconds. Ctrl-C ends it.
export AWS_ENDPOINT_URL={endpoint}
export AWS_ACCESS_KEY_ID=sandbox
export AWS_SECRET_ACCESS_KEY=sandbox
export AWS_REGION={region}
export AWS_DEFAULT_REGION={region}"
    )
}

/// Enough of a task's id to tell it from its neighbours.
fn brief(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_ours_begins_with_what_a_container_logs() {
        let told = logged(None, "web", "one\r\n::add-mask::two\rthree\n", "  0:07");
        let lines: Vec<&str> = told.split('\n').collect();
        assert_eq!(
            lines,
            [
                "  0:07  log       web: one",
                "  0:07  log       web: ::add-mask::two",
                "  0:07  log       web: three"
            ]
        );
        let several = logged(Some("0123456789"), "web", "", "  0:07");
        assert_eq!(several, "  0:07  log       01234567 web: ");
    }
}
