//! GitHub Actions: log groups and one annotation among the lines, a summary of the step, and its outputs.
//! From the same events as the lines; what a name or a log says is never taken for a command or for Markdown.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::time::Duration;

use super::progress::{Progress, Stretch};
use super::{lines, sanitise, words};
use crate::event::{Ended, Ending, Kind, Nothing, WaitReason};
use crate::host::Github;
use crate::model::arn::short;

/// A summary is no longer than this, in bytes.
const SUMMARY_MAX: usize = 100_000;
/// Phases that its timeline shows, and changes of each.
const ROWS: usize = 40;
const CHANGES: usize = 8;

/// What a step of GitHub Actions shows.
pub(super) struct Report<'a> {
    github: &'a Github,
    progress: RefCell<Progress>,
    is_open: Cell<bool>,
    unwritten: RefCell<Vec<&'static str>>,
}

/// Lines for the runner, before and after a line of ours.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(github: &'a Github) -> Self {
        let (progress, unwritten) = (RefCell::default(), RefCell::default());
        Self { github, progress, is_open: Cell::new(false), unwritten }
    }

    /// What goes with an event's line. Failures, pauses and the end stand outside of the groups, which
    /// GitHub shows closed.
    pub(super) fn event(&self, kind: &Kind, elapsed: Duration) -> Commands {
        let mut progress = self.progress.borrow_mut();
        let begins = progress.take(kind, elapsed);
        let is_grouped = match kind {
            Kind::Waiting { why: WaitReason::Pause { .. }, .. } => false,
            Kind::Registered { .. }
            | Kind::Changed { .. }
            | Kind::Waiting { .. }
            | Kind::Runs { .. } => true,
            _ => false,
        };
        let mut commands = Commands::default();
        if self.is_open.get() && (begins || !is_grouped) {
            commands.before.extend(self.close());
        }
        if is_grouped && !self.is_open.get() {
            let name = progress.stretches.last().map_or("", |last| last.phase.name());
            commands.before.push(command("group", &[], name));
            self.is_open.set(true);
        }
        if let Kind::Outcome(ended) = kind {
            commands.after.push(annotation(ended, &progress, elapsed));
        }
        commands
    }

    /// What ends an open group.
    pub(super) fn close(&self) -> Option<String> {
        self.is_open.replace(false).then(|| command("endgroup", &[], ""))
    }

    /// The annotation of a command that could not do its work.
    pub(super) fn error(&self, ended: &Ended) -> String {
        annotation(ended, &self.progress.borrow(), Duration::ZERO)
    }

    /// Writes the summary and the outputs. Returns warnings: about a file that cannot be written, once.
    pub(super) fn write(&self, ended: &Ended, elapsed: Duration, again: &str) -> Vec<String> {
        // What a command deploys after that has a summary of its own.
        let location = self.progress.borrow().location.clone();
        let next = Progress { location, ..Progress::default() };
        let progress = self.progress.replace(next);
        let summary = summary(ended, &progress, elapsed, again);
        let outputs = outputs(ended, &progress, elapsed);
        let written = [
            ("GITHUB_STEP_SUMMARY", self.github.summarise(&summary)),
            ("GITHUB_OUTPUT", self.github.put_out(&outputs)),
        ];
        let mut unwritten = self.unwritten.borrow_mut();
        let mut warnings = Vec::new();
        for (name, result) in written {
            if let Err(why) = result
                && !unwritten.contains(&name)
            {
                unwritten.push(name);
                warnings.push(format!("the file of {name} was not written: {why}"));
            }
        }
        warnings
    }
}

/// A workflow command (documentation of workflow commands; `toolkit/packages/core/src/command.ts`).
fn command(name: &str, properties: &[(&str, &str)], message: &str) -> String {
    let message = sanitise::field(message).replace('%', "%25");
    let property = |(key, value): &(&str, &str)| {
        let value = sanitise::field(value).replace('%', "%25");
        format!("{key}={}", value.replace(':', "%3A").replace(',', "%2C"))
    };
    let properties: Vec<String> = properties.iter().map(property).collect();
    match properties.is_empty() {
        true => format!("::{name}::{message}"),
        false => format!("::{name} {}::{message}", properties.join(",")),
    }
}

/// One notice, or one error with the cause.
fn annotation(ended: &Ended, progress: &Progress, elapsed: Duration) -> String {
    let verdict = words::outcome(&ended.ending);
    if lines::is_good(ended) {
        let title = progress.location.as_ref().map_or("ecs-bg", |about| about.service.as_str());
        let took = words::time(elapsed);
        return command("notice", &[("title", title)], &format!("{verdict} ({took})"));
    }
    let (title, why) = match (&ended.ending, &ended.why) {
        (Ending::Error { .. }, _) => ("ecs-bg could not do its work".to_owned(), verdict),
        (_, Some(why)) => (verdict, words::cause(why)),
        (_, None) => (verdict, format!("exit code {}", ended.exit_code)),
    };
    command("error", &[("title", &title)], &why)
}

/// `name=value`, a line each. All of them are always written: a step that deploys twice has those of the
/// last deployment.
fn outputs(ended: &Ended, progress: &Progress, elapsed: Duration) -> String {
    let outcome = serde_json::to_value(&ended.ending).unwrap_or_default();
    let arn = match &ended.ending {
        Ending::NothingToDo { nothing: Nothing::RunsAlready { arn, .. } } => Some(arn),
        _ => progress.arn.as_ref(),
    };
    let deployment = ended.deployment.as_ref().or(progress.deployment.as_ref());
    let service = match &ended.ending {
        Ending::Live { service, .. } | Ending::RolledBack { service, .. } => Some(service),
        Ending::NothingToDo { nothing: Nothing::RunsAlready { service, .. } } => Some(service),
        _ => progress.location.as_ref().map(|about| &about.service),
    };
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let all = [
        ("outcome", outcome["outcome"].as_str().unwrap_or_default().to_owned()),
        ("exit-code", ended.exit_code.to_string()),
        ("task-definition-arn", text(arn)),
        ("previous-task-definition-arn", text(progress.previous.as_ref())),
        ("deployment-id", text(deployment)),
        ("service", text(service)),
        ("duration", elapsed.as_secs().to_string()),
    ];
    // No value has a line end: `field` shows it.
    all.iter().map(|(name, value)| format!("{name}={}\n", sanitise::field(value))).collect()
}

/// The summary in Markdown, in no more than `SUMMARY_MAX` bytes: what is longest goes first.
fn summary(ended: &Ended, progress: &Progress, elapsed: Duration, again: &str) -> String {
    let head = head(ended, progress, elapsed);
    let foot = foot(ended, again);
    let mut details = [timeline(progress, elapsed), failure(ended)];
    let length = |details: &[String]| details.iter().map(String::len).sum::<usize>();
    for dropped in 0..details.len() {
        if head.len() + length(&details) + foot.len() <= SUMMARY_MAX {
            break;
        }
        details[dropped].clear();
    }
    format!("{head}{}{foot}\n", details.concat())
}

/// The verdict, the cause, and what changes from what to what.
fn head(ended: &Ended, progress: &Progress, elapsed: Duration) -> String {
    let mark = if lines::is_good(ended) { "✔" } else { "✘" };
    let code = match ended.exit_code {
        0 => String::new(),
        code => format!(" · exit code {code}"),
    };
    let verdict = markdown(&words::outcome(&ended.ending));
    let mut text = format!("### {mark} {verdict}\n\n{}{code}", words::time(elapsed));
    if let Some(location) = &progress.location {
        let _ = write!(text, " · {}", markdown(&lines::location(location)));
    }
    text.push_str("\n\n");
    if let Some(why) = &ended.why {
        let _ = write!(text, "**Why:** {}\n\n", markdown(&words::cause(why)));
    }
    if let Some(advice) = words::advice(ended) {
        let _ = write!(text, "**To fix:** {advice}\n\n");
    }
    let mut rows = Vec::new();
    if let (Some(from), Some(to)) = (&progress.previous, &progress.arn) {
        rows.push(("task definition".to_owned(), short(from).to_owned(), short(to).to_owned()));
    }
    for (container, (from, to)) in &progress.images {
        let from = from.as_deref().map_or(String::new(), |from| progress.brief(from));
        rows.push((format!("image of {container}"), from, progress.brief(to)));
    }
    if !rows.is_empty() {
        text.push_str("| | from | to |\n| --- | --- | --- |\n");
        for (what, from, to) in rows {
            let [what, from, to] = [what, from, to].map(|cell| markdown(&cell));
            let _ = writeln!(text, "| {what} | {from} | {to} |");
        }
        text.push('\n');
    }
    text
}

/// Each phase: when it began, what was done, and how long it took.
fn timeline(progress: &Progress, elapsed: Duration) -> String {
    let stretches = &progress.stretches;
    if stretches.is_empty() {
        return String::new();
    }
    let mut text = "<details><summary>Timeline</summary>\n\n| at | phase | | took |\n\
                    | ---: | --- | --- | ---: |\n"
        .to_owned();
    // With very many phases, the first and the last ones.
    let left_out = stretches.len().saturating_sub(ROWS);
    for (index, stretch) in stretches.iter().enumerate() {
        match index {
            _ if left_out > 0 && index == ROWS / 2 => {
                let _ = writeln!(text, "| | … | {left_out} more | |");
            }
            _ if (ROWS / 2..ROWS / 2 + left_out).contains(&index) => {}
            _ => text.push_str(&row(progress, stretch, elapsed)),
        }
    }
    text.push_str("\n</details>\n\n");
    text
}

fn row(progress: &Progress, stretch: &Stretch, elapsed: Duration) -> String {
    let changes = &stretch.changes;
    let mut said: Vec<String> =
        changes.iter().take(CHANGES).map(|one| markdown(&progress.brief(one))).collect();
    if changes.len() > CHANGES {
        said.push(format!("… {} more", changes.len() - CHANGES));
    }
    if said.is_empty() || stretch.failed {
        said.extend(stretch.came_to().as_deref().map(markdown));
    }
    let took = stretch.over.unwrap_or(elapsed).saturating_sub(stretch.begun);
    let (at, took) = (lines::clock(stretch.begun), words::time(took));
    let mark = if stretch.failed { " ✘" } else { "" };
    let phase = stretch.phase.name();
    format!("| {} | {phase}{mark} | {} | {took} |\n", at.trim(), said.join("<br>"))
}

/// What failed, and what was said of it.
fn failure(ended: &Ended) -> String {
    let parts = [
        ("failed", lines::alike(&ended.failures)),
        ("log", ended.logs.clone()),
        ("events", ended.service_events.clone()),
    ];
    let mut text = String::new();
    for (name, said) in parts.iter().filter(|(_, said)| !said.is_empty()) {
        let title = match *name {
            "failed" => "Tasks that failed",
            "log" => "Last log lines",
            _ => "What ECS said",
        };
        let _ = write!(text, "<details open><summary>{title}</summary>\n\n<pre>");
        for line in said {
            let _ = writeln!(text, "{}", html(&sanitise::field(line)));
        }
        text.push_str("</pre>\n\n</details>\n\n");
    }
    text
}

/// The next command.
fn foot(ended: &Ended, again: &str) -> String {
    let line = |name: &str, hint: &str| {
        format!("**{name}:** <code>{}</code>\n\n", markdown(&format!("{hint}{again}")))
    };
    let undo = ended.undo.as_ref().map(|hint| line("Undo", &words::hint(hint)));
    let next = ended.hint.as_ref().map(|hint| line("Next", &words::hint(hint)));
    let fixes: Vec<String> = match &ended.ending {
        Ending::Error { errors } => errors.iter().map(words::fault_fix).collect(),
        _ => words::what_lacks(ended).into_iter().collect(),
    };
    let fixes = fixes.into_iter().filter(|fix| !fix.is_empty());
    let fixes = fixes.map(|fix| format!("**Hint:** <code>{}</code>\n\n", markdown(&fix)));
    undo.into_iter().chain(next).chain(fixes).collect()
}

/// A text on one line that is nothing but text in Markdown: a character that may mean something there is
/// written as an entity.
fn markdown(text: &str) -> String {
    let mut clean = String::new();
    for char in sanitise::field(text).chars() {
        match char {
            ' ' | '-' | '.' | ',' | '/' | '%' | ';' | '=' | '?' | '"' | '\'' => clean.push(char),
            char if char.is_ascii_punctuation() => {
                let _ = write!(clean, "&#{};", u32::from(char));
            }
            char => clean.push(char),
        }
    }
    clean
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_escaped_as_the_runner_reads_them() {
        assert_eq!(command("endgroup", &[], ""), "::endgroup::");
        let text = command("error", &[("title", "web:2, 100%")], "a: 50 %\nb");
        assert_eq!(text, r"::error title=web%3A2%2C 100%25::a: 50 %25\nb");
    }

    #[test]
    fn a_text_is_nothing_but_text_in_markdown() {
        assert_eq!(markdown("web, 100 %"), "web, 100 %");
        let nasty = markdown("</details>|[a](http://b)`c`*d*_e_@f#1\n# g <!--");
        assert!(!nasty.contains(['<', '>', '|', '[', '`', '*', '_', '@', '\n']), "{nasty}");
        // What is left of `#` and `&` begins an entity.
        assert!(
            nasty.split('#').all(|part| part.ends_with('&') || !part.ends_with(' ')),
            "{nasty}"
        );
    }

    #[test]
    fn an_output_stays_on_its_line() {
        let deployment = Some("web:2\noutcome=live\u{1b}".to_owned());
        let ended = Ended { deployment, exit_code: 4, ..Ended::default() };
        let progress = Progress { arn: Some("a<<b\r\nexit-code=0".into()), ..Progress::default() };
        let text = outputs(&ended, &progress, Duration::from_secs(7));
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "outcome=nothing-to-do",
            "exit-code=4",
            r"task-definition-arn=a<<b\r\nexit-code=0",
            "previous-task-definition-arn=",
            r"deployment-id=web:2\noutcome=live\u{1b}",
            "service=",
            "duration=7",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_summary_stays_below_its_limit() {
        let line = "*".repeat(1500);
        let ended = Ended { logs: vec![line.clone(); 200], ..Ended::default() };
        let mut progress = Progress::default();
        for _ in 0..1000 {
            for step in ["settle", "shift"] {
                let change = crate::event::Change::BeforeStarted { task: line.clone() };
                progress.take(&Kind::Changed { step, change }, Duration::ZERO);
            }
        }
        let text = summary(&ended, &progress, Duration::ZERO, "");
        assert!(text.len() <= SUMMARY_MAX, "{}", text.len());
        assert!(text.starts_with("### ✔ nothing to do"), "{}", &text[..80]);
    }
}
