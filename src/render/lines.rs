//! Lines for people: the time since the beginning, the step, and what happened.

use std::fmt::Write;
use std::time::Duration;

use super::Listening;
use super::report::{RevisionTasks, Status};
use super::sanitise::field;
use super::words;
use crate::event::{Cause, Ended, Ending, Failed, Kind, Location, Nothing, at_least};
use crate::model::arn::short;
use crate::model::health::TaskFailure;
use crate::model::served::Served;
use crate::plan::{Decision, Survey};

/// One event. (Warnings and the end have forms of their own.)
pub(super) fn event(kind: &Kind, elapsed: Duration) -> String {
    let clock = clock(elapsed);
    match kind {
        Kind::Location(about) => field(&location(about)),
        Kind::Logged { task, container, message, .. } => {
            logged(task.as_deref(), container, message, &clock)
        }
        kind => {
            let (step, what) = told(kind);
            format!("{clock}  {step:<8}  {}", field(&what))
        }
    }
}

/// What happened, without when and in which step.
pub(super) fn what(kind: &Kind) -> String {
    told(kind).1
}

/// The service, and where it is.
pub(super) fn location(about: &Location) -> String {
    let place = [&about.account, &about.region].into_iter().flatten().cloned();
    let place: Vec<String> = place.chain([format!("cluster {}", about.cluster)]).collect();
    format!("{}  {}", about.service, place.join(" · "))
}

/// The private registry of an account in a region, as image names begin.
pub(super) fn registry(about: &Location) -> Option<String> {
    let (account, region) = (about.account.as_ref()?, about.region.as_ref()?);
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Some(format!("{account}.dkr.ecr.{region}.{domain}/"))
}

/// The step, and what happened.
fn told(kind: &Kind) -> (&'static str, String) {
    match kind {
        Kind::Location(about) => ("location", location(about)),
        Kind::Begun { deployment, engine, blue, green, adopted, .. } => {
            let verb = if *adopted { "resuming" } else { "deploying" };
            let what = words::begun(*engine, blue, green);
            ("deploy", format!("{verb} {deployment}: {what}"))
        }
        Kind::Registered { revision, base, images, edits, .. } => {
            let with = words::with(images, edits);
            ("register", format!("registered {revision}: a copy of {base}{with}"))
        }
        Kind::Changed { step, change } => (*step, words::change(change)),
        Kind::Waiting { step, why } => (*step, words::wait(why)),
        Kind::Runs { revision, tasks: 0 } => {
            ("settle", format!("the desired count is 0: no task of {revision} starts"))
        }
        Kind::Runs { revision, tasks: 1 } => ("settle", format!("1 task of {revision} runs")),
        Kind::Runs { revision, tasks } => ("settle", format!("{tasks} tasks of {revision} run")),
        Kind::TaskFailed { old, failure } => ("failed", failed(old.as_deref(), failure)),
        Kind::RollingBack { cause, .. } => {
            ("rollback", format!("rolling back: {}", words::cause(cause)))
        }
        Kind::Pruned { revisions } => {
            let names: Vec<&str> = revisions.iter().map(|arn| short(arn)).collect();
            ("prune", format!("deregistered {}", names.join(", ")))
        }
        Kind::Logged { container, message, .. } => ("log", format!("{container}: {message}")),
        Kind::Warning(warning) => ("warning", words::warning(warning)),
        Kind::Outcome(ended) => ("end", words::outcome(&ended.ending)),
    }
}

/// A task that failed as the one before it.
pub(super) fn failed_alike(old: Option<&str>, failure: &TaskFailure, elapsed: Duration) -> String {
    format!("{}  failed    {}", clock(elapsed), field(&of_task(old, failure, "the same")))
}

fn failed(old: Option<&str>, failure: &TaskFailure) -> String {
    of_task(old, failure, &words::task(failure))
}

fn of_task(old: Option<&str>, failure: &TaskFailure, what: &str) -> String {
    let of = old.map_or(String::new(), |old| format!(" of {old}"));
    format!("task {}{of}: {what}", words::brief(&failure.task))
}

pub(super) fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:>3}:{:02}", seconds / 60, seconds % 60)
}

/// No line of ours begins with what a container logs: CI services take commands from there.
fn logged(task: Option<&str>, container: &str, message: &str, clock: &str) -> String {
    let task = task.map_or(String::new(), |task| format!("{} ", words::brief(task)));
    let line =
        |line: &str| format!("{clock}  log       {}", field(&format!("{task}{container}: {line}")));
    let message = message.trim_end().replace("\r\n", "\n");
    message.split(['\n', '\r']).map(line).collect::<Vec<_>>().join("\n")
}

/// The end, on one screen.
pub(super) fn end(ended: &Ended, elapsed: Duration, again: &str) -> String {
    let mark = if is_good(ended) { "✔" } else { "✘" };
    let code = match ended.exit_code {
        0 => String::new(),
        code => format!(" · exit code {code}"),
    };
    let time = words::time(elapsed);
    format!("\n{mark} {}  {time}{code}{}", verdict(ended), details(ended, again))
}

/// A rollback that was asked for went well, whatever its exit code says of the new version.
pub(super) fn is_good(ended: &Ended) -> bool {
    ended.exit_code == 0 || (ended.exit_code == 1 && ended.why == Some(Cause::Asked))
}

/// What became of it, in one line.
pub(super) fn verdict(ended: &Ended) -> String {
    field(&words::outcome(&ended.ending))
}

/// What is worth knowing about an end: why, what failed, what was said, what serves, how to undo it.
pub(super) fn details(ended: &Ended, again: &str) -> String {
    let mut text = String::new();
    let mut row = |name: &str, what: &str| {
        let _ = write!(text, "\n  {name:<8}  {}", field(what));
    };
    if let Ending::Live { was: Some(was), .. } = &ended.ending {
        row("was", was);
    }
    if let Some(why) = &ended.why {
        row("why", &words::cause(why));
    }
    if let Some(advice) = words::advice(ended) {
        row("to fix", &advice.replace('`', ""));
    }
    let failures = alike(&ended.failures);
    // One reason is said once.
    let is_said = matches!((&ended.why, &failures[..]), (Some(Cause::Tasks { .. }), [_]));
    for (index, failure) in failures.iter().enumerate().filter(|_| !is_said) {
        row(if index == 0 { "failed" } else { "" }, failure);
    }
    for (index, line) in ended.logs.iter().enumerate() {
        row(if index == 0 { "log" } else { "" }, line);
    }
    for (index, event) in ended.service_events.iter().enumerate() {
        row(if index == 0 { "events" } else { "" }, event);
    }
    for (index, served) in ended.serves.iter().enumerate() {
        row(if index == 0 { "traffic" } else { "" }, &traffic(served));
    }
    if !ended.runs.is_empty() {
        let share = |(revision, percent): (&String, &f64)| format!("{percent} % {revision}");
        row("tasks", &ended.runs.iter().map(share).collect::<Vec<_>>().join(", "));
    }
    if let Some(undo) = &ended.undo {
        row("undo", &format!("{}{again}", words::hint(undo)));
    }
    text
}

/// Failed tasks; those that ended alike in one line.
pub(super) fn alike(failures: &[Failed]) -> Vec<String> {
    let mut lines: Vec<(&Failed, usize)> = Vec::new();
    let what = |one: &Failed| (one.old.clone(), words::task(&one.failure));
    for failure in failures {
        match lines.iter_mut().find(|(known, _)| what(known) == what(failure)) {
            Some((_, count)) => *count += 1,
            None => lines.push((failure, 1)),
        }
    }
    let line = |(first, count): &(&Failed, usize)| match count {
        1 => failed(first.old.as_deref(), &first.failure),
        more => format!("{} ({more} tasks)", failed(first.old.as_deref(), &first.failure)),
    };
    lines.iter().map(line).collect()
}

/// What would be done.
pub(super) fn plan(survey: &Survey, decision: &Decision) -> String {
    match decision {
        Decision::Nothing { service, revision, images } => {
            let (service, revision, images) = (service.clone(), revision.clone(), images.clone());
            let why = Nothing::RunsAlready { service, revision, arn: String::new(), images };
            format!("nothing to do: {}", field(&words::nothing(&why)))
        }
        Decision::Unfinished(record) => {
            let what = words::refused(&crate::plan::unfinished(survey, record).why);
            let then = match record.may_be_overtaken(survey.world.at) {
                true => "deploy would take its place",
                false if survey.may_be_finished(record) => "deploy would finish it, and then begin",
                false => "deploy would roll it back, and then begin",
            };
            field(&format!("{what}: {then}"))
        }
        Decision::Adopt(record) => field(&format!(
            "{} {} is in progress: deploy would resume it at step {}",
            record.name(),
            record.route(),
            crate::plan::standing(record, &survey.world)
        )),
        Decision::Deploy(plan) => {
            let about = field(&location(&survey.location()));
            let record = &plan.record;
            let why = words::engine_reason(&plan.why);
            let begin = words::planned(record.engine(), &record.blue, &record.green, &why);
            let time = match at_least(&plan.steps) {
                Duration::ZERO => String::new(),
                time => format!(" · at least {} once its tasks are ready", words::time(time)),
            };
            let mut text = format!("{about}\n{}{time}\n", field(&begin));
            let registry = registry(&survey.location());
            for planned in &plan.steps {
                let (step, what) = (planned.step(), field(&words::step(planned)));
                let what = registry.as_ref().map_or(what.clone(), |own| what.replace(own, ""));
                let _ = write!(text, "\n  {step:<8}  {what}");
            }
            let (replaced, diff) = &plan.diff;
            if !diff.is_empty() {
                let new = if *replaced == plan.base.name { "its copy" } else { "the new revision" };
                let _ = write!(text, "\n\nchanges from {} to {new}:\n", field(replaced));
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
    let mut text = format!("{}\n", field(&location(&status.location)));
    for service in &status.services {
        let pending = match service.pending {
            0 => String::new(),
            pending => format!(", {pending} pending"),
        };
        let state = match service.status.as_str() {
            "ACTIVE" => String::new(),
            other => format!("  {}", field(other)),
        };
        let (name, revision) = (field(&service.name), field(&service.revision));
        // While ECS replaces tasks, those of this revision count, whichever of its deployments started them.
        let own = service.revisions.iter().filter(|one| one.revision == service.revision);
        let running = match service.revisions.is_empty() {
            true => service.running,
            false => own.map(|one| one.running).sum(),
        };
        let desired = service.desired;
        let _ =
            writeln!(text, "{name}  {revision}  {running}/{desired} tasks running{pending}{state}");
        for one in &service.revisions {
            let RevisionTasks { revision, status, desired, running, pending } = one;
            let pending =
                if *pending == 0 { String::new() } else { format!(", {pending} pending") };
            let (revision, status) = (field(revision), field(status));
            let _ = writeln!(
                text,
                "  {:<8}  {revision} ({status}): {running}/{desired} running{pending}",
                "tasks"
            );
        }
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
            let states = match states.is_empty() {
                true if group.unread => "could not be read".to_owned(),
                true => "no targets".to_owned(),
                false => states.join(", "),
            };
            let _ = writeln!(text, "  {:<8}  {}: {states}", "targets", field(&group.name));
            for why in &group.why {
                let _ = writeln!(text, "  {:<8}  {}", "", field(why));
            }
        }
    }
    for served in &status.serves {
        let _ = writeln!(text, "traffic     {}", field(&traffic(served)));
    }
    if let Some(reason) = &status.load_balancers_unread {
        let _ = writeln!(text, "traffic     could not be read: {}", field(reason));
    }
    if let Some(own) = &status.service_deployment {
        let _ = writeln!(text, "ecs         {}", field(&own.what));
    }
    match &status.record {
        Some(record) => {
            let _ = write!(text, "deployment  {}", field(&record.what));
        }
        None => match status.services.iter().find(|service| !service.revisions.is_empty()) {
            Some(service) if status.service_deployment.is_none() => {
                let revision = field(&service.revision);
                let _ = write!(
                    text,
                    "deployment  ECS replaces tasks by {revision}; no process of ecs-bg watches"
                );
            }
            _ => text.push_str("deployment  none by ecs-bg"),
        },
    }
    text
}

fn traffic(served: &Served) -> String {
    let shares: Vec<String> =
        served.percent.iter().map(|(name, percent)| format!("{percent} % {name}")).collect();
    match shares[..] {
        [] => format!("{}: no target group has any weight", served.rule),
        [..] => format!("{}: {}", served.rule, shares.join(", ")),
    }
}

/// How the demo ended.
pub(super) fn demo(codes: &[u8], serves: bool, image: &str) -> String {
    let codes: Vec<String> = codes.iter().map(u8::to_string).collect();
    let serves = if serves { "serves everywhere" } else { "does NOT serve everywhere" };
    format!(
        "\nExit codes of the three deployments: {} (expected 0, 1, 1). {image} {serves}.",
        codes.join(", ")
    )
}

/// Where the sandbox listens; a shell can be given these lines.
pub(super) fn listening(listening: &Listening<'_>) -> String {
    let Listening { address, region, scale } = listening;
    let endpoint = listening.endpoint();
    format!(
        "# The sandbox listens on {address}; its time runs {scale} times as fast. Ctrl-C ends it.
export AWS_ENDPOINT_URL={endpoint}
export AWS_ACCESS_KEY_ID=sandbox
export AWS_SECRET_ACCESS_KEY=sandbox
export AWS_REGION={region}
export AWS_DEFAULT_REGION={region}"
    )
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
