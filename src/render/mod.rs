//! The only place that prints. Reads events and documents; decides nothing.

mod doctor;
mod ecs_deploy;
mod github;
mod history;
mod json;
mod lines;
mod live;
mod overview;
mod paint;
mod plan;
mod progress;
mod report;
mod sanitise;
#[cfg(test)]
mod schema;
pub mod setup;
mod terminal;
pub(crate) mod words;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;

pub use ecs_deploy::Words;

use crate::clock::Clock;
use crate::drive::OnCancel;
use crate::error::Usage;
use crate::event::{
    Cause, Ended, Ending, Error, Event, FaultKind, Kind, Location, WaitReason, Warning,
};
use crate::host::{Host, Screen, Stream};
use crate::model::health::TaskFailure;
use crate::ops::history::History;
use crate::plan::doctor::Report;
use crate::plan::{Decision, Survey};

/// Version of the JSON that is printed.
pub const SCHEMA: u32 = 2;

/// How to tell what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text
    Lines,
    /// JSON: one object per line (deploy, run, …), or one document (plan, status)
    Json,
}

/// How to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShowProgress {
    /// Live on a terminal that is not that of a CI job, else lines
    Auto,
    /// Rows that are redrawn, on terminals only
    Live,
    /// A line for each event
    Lines,
}

/// Prints, in one format, where the host says.
pub struct Render<'a> {
    host: &'a Host,
    output: Output,
    /// In the words of silintl's `ecs-deploy`.
    words: Option<(Words, ecs_deploy::Said)>,
    start: Cell<Option<SystemTime>>,
    last: Cell<Option<SystemTime>>,
    /// Options that a command needs again to mean the same AWS.
    again: String,
    /// The same for the aws CLI.
    of_aws: String,
    /// The place that was named: it, and its registry, need not be named again.
    location: RefCell<Option<Location>>,
    /// How the last task failed.
    failed: RefCell<Option<String>>,
    /// The deployment that began last.
    deployment: RefCell<Option<String>>,
    /// The step of GitHub Actions that this command reports to.
    report: Option<github::Report<'a>>,
    /// Rows that are redrawn below the lines.
    live: Option<live::Live>,
}

/// A sandbox that listens.
#[derive(Debug)]
pub struct Listening<'a> {
    /// Where.
    pub address: std::net::SocketAddr,
    /// The region of its scenario.
    pub region: &'a str,
    /// Simulated seconds per second.
    pub scale: f64,
}

impl Listening<'_> {
    /// What a client on this machine is told.
    fn endpoint(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }
}

impl<'a> Render<'a> {
    /// A renderer for one command.
    pub fn new(host: &'a Host, output: Output) -> Self {
        let (start, last, location) = (Cell::new(None), Cell::new(None), RefCell::new(None));
        let (words, report, live, again) = (None, None, None, String::new());
        Self {
            host,
            output,
            words,
            start,
            last,
            again,
            of_aws: String::new(),
            location,
            failed: RefCell::new(None),
            deployment: RefCell::new(None),
            report,
            live,
        }
    }

    /// The same with rows that are redrawn, where that is asked for and the terminal can show them.
    #[must_use]
    pub fn drawing(self, show: ShowProgress, on_cancel: OnCancel) -> Self {
        let is_wanted = |screen: &&Screen| match show {
            ShowProgress::Auto => !screen.is_ci && self.host.github.is_none(),
            ShowProgress::Live => true,
            ShowProgress::Lines => false,
        };
        let screen = self.host.screen.as_ref().filter(|_| self.output == Output::Lines);
        let look = self.host.out.look();
        let pace = self.host.pace.unwrap_or(1.0);
        let begin = |screen: &Screen| live::Live::begin(screen.clone(), look, pace, on_cancel);
        let live = screen.filter(is_wanted).map(begin);
        Self { live, ..self }
    }

    /// The same for a command that changes something, which the step of GitHub Actions is to show.
    #[must_use]
    pub fn reporting(self) -> Self {
        let report = self.host.github.as_ref().map(github::Report::new);
        Self { report, ..self }
    }

    /// The same, with the options that each hinted command of ours is to have, too.
    #[must_use]
    pub fn with_options(self, again: String, of_aws: String) -> Self {
        Self { again, of_aws, ..self }
    }

    /// A command that can be pasted: one of ours, or one of the aws CLI.
    fn hinted(&self, hint: &str) -> String {
        let names = |program: &str| {
            hint.starts_with(&format!("{program} ")) || hint.contains(&format!(": {program} "))
        };
        // Nothing but one command that asks AWS: its options come last.
        let asks = |command: &str| {
            let words = [", ", "; ", " or ", "…", "ARN", "NAME", "--region", "configure"];
            !words.iter().any(|word| command.contains(word))
        };
        let command = hint.rsplit_once(": ").map_or(hint, |(_, command)| command);
        let more = match (names("ecs-bg"), names("aws")) {
            (true, _) if !hint.ends_with("--help") => &self.again,
            (false, true) if command.starts_with("aws ") && asks(command) => &self.of_aws,
            _ => return hint.to_owned(),
        };
        format!("{hint}{more}")
    }

    /// A renderer that speaks as silintl's `ecs-deploy` does.
    pub fn like_ecs_deploy(host: &'a Host, words: Words) -> Self {
        let words = Some((words, ecs_deploy::Said::default()));
        Self { words, ..Self::new(host, Output::Lines) }
    }

    /// Why a task failed.
    pub fn because(&self, cause: &Cause) {
        self.aside(&format!("  why  {}", words::cause(cause)));
    }

    /// What became of a task.
    pub fn failed(&self, ending: &Ending) {
        self.aside(&format!("error: {}", words::outcome(ending)));
    }

    /// A warning beside that tool's lines.
    pub fn warning(&self, warning: &Warning) {
        self.aside(&format!("warning: {}", words::warning(warning)));
    }

    /// A line of that tool's.
    pub fn say(&self, line: &str) {
        plain(&self.host.out, line, true);
    }

    /// A line beside them.
    pub fn aside(&self, line: &str) {
        self.err(&sanitise::field(line));
    }

    /// One event of a deployment.
    pub fn event(&self, event: &Event) {
        if let Kind::Location(location) = &event.kind
            && self.location.replace(Some(location.clone())).as_ref() == Some(location)
        {
            return;
        }
        let start = self.start.get().unwrap_or(event.at);
        self.start.set(Some(start));
        self.pace(event.at);
        let elapsed = event.at.duration_since(start).unwrap_or_default();
        let commands = self.report.as_ref().map(|report| report.event(&event.kind, elapsed));
        let commands = commands.unwrap_or_default();
        self.workflow(commands.before);
        self.told(event, elapsed);
        self.workflow(commands.after);
        if let Kind::Outcome(ended) = &event.kind {
            self.report(ended, elapsed);
        }
    }

    /// Commands for the runner of GitHub Actions. Among lines of JSON there are none.
    fn workflow(&self, commands: impl IntoIterator<Item = String>) {
        if self.output == Output::Lines {
            // Not `print`: it breaks what looks like such a command.
            commands.into_iter().for_each(|command| self.host.out.print(command, true));
        }
    }

    /// Writes the summary and the outputs of the step. What cannot be written harms nothing else.
    fn report(&self, ended: &Ended, elapsed: Duration) {
        let Some(report) = &self.report else { return };
        report.write(ended, elapsed, &self.again).iter().for_each(|warning| self.warn(warning));
    }

    fn told(&self, event: &Event, elapsed: Duration) {
        let last = matches!(event.kind, Kind::Outcome(_));
        if let Kind::Registered { revision: own, .. } | Kind::Begun { deployment: own, .. } =
            &event.kind
        {
            self.deployment.replace(Some(own.clone()));
        }
        if self.output == Output::Json && self.words.is_none() {
            let deployment = self.deployment.borrow();
            let hinted = |command: &str| self.hinted(command);
            let line = json::event(event, elapsed, deployment.as_deref(), &hinted);
            print(&self.host.out, &line, last);
            return;
        }
        if let Some((words, said)) = &self.words {
            let line = match &event.kind {
                // Its exit code is another one there.
                Kind::Outcome(ended) => {
                    format!("\n{}{}", lines::verdict(ended), lines::details(ended, &self.again))
                }
                kind => lines::event(kind, elapsed),
            };
            let text = ecs_deploy::event(words, said, &event.kind, line);
            text.out.iter().for_each(|line| plain(&self.host.out, line, last));
            text.err.iter().for_each(|line| print(&self.host.err, line, last));
            return;
        }
        let is_shown = self.live.as_ref().is_some_and(|live| live.event(&event.kind, elapsed));
        match &event.kind {
            _ if is_shown => {}
            Kind::Warning(warning) => {
                let what = sanitise::field(&words::warning(warning));
                self.show(&self.host.err, &format!("warning: {what}"), false);
                for line in words::printed(warning) {
                    self.show(&self.host.err, &format!("  | {}", sanitise::field(line)), false);
                }
            }
            Kind::Outcome(ended) => self.end(ended, elapsed),
            kind => {
                let mut line = match kind {
                    Kind::TaskFailed { old, failure } if self.is_repeated(failure) => {
                        lines::failed_alike(old.as_deref(), failure, elapsed)
                    }
                    kind => lines::event(kind, elapsed),
                };
                if matches!(kind, Kind::Waiting { why: WaitReason::Pause { .. }, .. }) {
                    line.push_str(&self.again);
                }
                self.show(&self.host.out, &self.briefly(line), false);
            }
        }
    }

    /// Whether the last task that failed did so in the same way.
    fn is_repeated(&self, failure: &TaskFailure) -> bool {
        let said = words::task(failure);
        self.failed.replace(Some(said.clone())).as_ref() == Some(&said)
    }

    /// Images without the registry that was named.
    fn briefly(&self, text: String) -> String {
        match self.location.borrow().as_ref().and_then(lines::registry) {
            Some(registry) => text.replace(&registry, ""),
            None => text,
        }
    }

    /// One event of now.
    pub fn tell(&self, clock: Clock, kind: Kind) {
        self.event(&Event { at: clock.now(), kind });
    }

    fn end(&self, ended: &Ended, elapsed: Duration) {
        self.live.as_ref().inspect(|live| live.end());
        self.out(&lines::end(ended, elapsed, &self.again));
        let next = ended.hint.as_ref().map(|hint| self.hinted(&words::hint(hint)));
        if let Some(hint) = next.or_else(|| words::what_lacks(ended)) {
            self.err(&format!("hint: {}", sanitise::field(&hint)));
        }
    }

    /// What a deployment would do.
    pub fn plan(&self, survey: &Survey, decision: &Decision) {
        match self.output {
            Output::Json => self.out(&json::document(&plan::Document::of(survey, decision))),
            Output::Lines => {
                if let Decision::Deploy(plan) = decision {
                    plan.warnings.iter().for_each(|one| self.warn(&words::warning(one)));
                }
                let text = lines::plan(survey, decision);
                if matches!(decision, Decision::Deploy(_)) {
                    self.out(&text);
                    return;
                }
                let location = survey.location();
                self.out(&sanitise::field(&lines::location(&location)));
                self.location.replace(Some(location));
                self.out(&self.briefly(text));
            }
        }
    }

    /// What serves.
    pub fn status(&self, survey: &Survey) {
        let status = report::status(survey, &self.again);
        match self.output {
            Output::Json => self.out(&json::document(&status)),
            Output::Lines => {
                self.location.replace(Some(survey.location()));
                self.out(&self.briefly(lines::status(&status)));
            }
        }
    }

    /// What doctor found.
    pub fn doctor(&self, survey: &Survey, report: &Report, calls: &BTreeMap<String, u32>) {
        let location = survey.location();
        let complete = |fix: &str| self.hinted(fix);
        match self.output {
            Output::Json => self
                .out(&json::document(&doctor::Document::of(&location, report, calls, &complete))),
            Output::Lines => {
                let screen = doctor::screen(&location, report, &complete);
                self.location.replace(Some(location.clone()));
                self.out(&self.briefly(screen));
            }
        }
    }

    /// A policy is JSON in either format, and nothing else: a file for AWS.
    pub fn policy(&self, policy: &impl serde::Serialize) {
        self.out(&json::pretty(policy));
    }

    /// What serves in several services.
    pub fn overview(&self, cluster: &str, surveys: &[Survey]) {
        let overview = overview::overview(cluster, surveys, &self.again);
        match self.output {
            Output::Json => self.out(&json::document(&overview)),
            Output::Lines => {
                let columns = self.host.screen.as_ref().map(|screen| screen.size().1);
                self.out(&overview::lines(&overview, columns));
            }
        }
    }

    /// The last deployments.
    pub fn history(&self, history: &History) {
        history.warnings.iter().for_each(|one| self.warn(&words::warning(one)));
        match self.output {
            Output::Json => self.out(&json::document(&history::document(history))),
            Output::Lines => self.out(&history::text(history)),
        }
    }

    /// The same among events: on one line.
    pub fn status_line(&self, survey: &Survey) {
        self.out(&json::status_line(&report::status(survey, &self.again)));
    }

    /// What a command without events has done: a line, or a document.
    pub fn done(&self, line: &str, document: &impl serde::Serialize) {
        match self.output {
            Output::Json => self.out(&json::document(document)),
            Output::Lines => self.out(&sanitise::whole(line)),
        }
    }

    /// What a person at a terminal can do with it; a script's standard error stays empty.
    pub fn hint(&self, what: &str) {
        if self.host.terminal && self.output == Output::Lines {
            self.err(&sanitise::field(&format!("hint: {what}")));
        }
    }

    /// A text of ours as it is, for another program.
    pub fn script(&self, text: &str) {
        self.host.out.print(text.trim_end_matches('\n').to_owned(), true);
    }

    /// Something that the user should know.
    pub fn warn(&self, what: &str) {
        self.err(&sanitise::field(&format!("warning: {what}")));
    }

    /// What would be an error, had not more than that happened.
    pub fn warned(&self, refusal: &crate::event::Refusal) {
        self.warn(&words::fault(&crate::event::Fault::from(refusal)));
    }

    /// Something that the user may not expect.
    pub fn note(&self, what: &str) {
        self.err(&sanitise::field(&format!("note: {what}")));
    }

    /// How the demo ended.
    pub fn demo(&self, codes: &[u8], serves: bool, image: &str) {
        match self.output {
            Output::Json => self.out(&json::demo(codes, serves, image)),
            Output::Lines => self.out(&lines::demo(codes, serves, image)),
        }
    }

    /// Where the sandbox listens, and what a shell needs to talk to it.
    pub fn listening(&self, listening: &Listening<'_>) {
        match self.output {
            Output::Json => self.out(&json::listening(listening)),
            Output::Lines => self.out(&lines::listening(listening)),
        }
        if !listening.address.ip().is_loopback() {
            self.err("warning: everybody who can reach this address can read and change this sandbox: it checks no signatures");
        }
    }

    /// Why a command could not do its work.
    pub fn error(&self, error: &Error) {
        self.live.as_ref().inspect(|live| live.end());
        let (last, start) = (self.last.get(), self.start.get());
        let elapsed = last.zip(start).and_then(|(last, start)| last.duration_since(start).ok());
        let elapsed = elapsed.unwrap_or_default();
        match self.output {
            Output::Json => {
                self.out(&json::error(error, last, elapsed, &|command| self.hinted(command)))
            }
            Output::Lines => self.workflow(self.report.as_ref().and_then(github::Report::close)),
        }
        for fault in error.faults() {
            let what = match &fault.kind {
                // Nothing but what was typed and the files that it names: it may have several lines. None of
                // them begins as one of ours.
                FaultKind::Usage(usage) => usage.what.replace('\n', "\n  "),
                _ => sanitise::field(&words::fault(&fault)),
            };
            self.err(&format!("error: {what}"));
            let hint = self.hinted(&words::fault_fix(&fault));
            self.err(&sanitise::field(&format!("hint: {hint}")));
        }
        if let Some(report) = &self.report {
            let ended = json::failed(error);
            self.workflow([report.error(&ended)]);
            self.report(&ended, elapsed);
        }
    }

    /// Lets the reader's time pass as the simulated time did. Nobody waits longer than 3 s.
    #[expect(clippy::disallowed_methods, reason = "the reader is held up, not the simulation")]
    fn pace(&self, at: SystemTime) {
        let passed =
            self.last.get().and_then(|last| at.duration_since(last).ok()).unwrap_or_default();
        self.last.set(Some(at));
        if let Some(pace) = self.host.pace {
            let pause =
                Duration::try_from_secs_f64(passed.as_secs_f64() / pace).unwrap_or_default();
            std::thread::sleep(pause.min(Duration::from_secs(3)));
        }
    }

    fn out(&self, text: &str) {
        self.show(&self.host.out, text, true);
    }

    fn err(&self, text: &str) {
        self.show(&self.host.err, text, true);
    }

    /// Prints a line. Where rows are redrawn below the lines, they make room for it.
    fn show(&self, stream: &Stream, text: &str, kept: bool) {
        let is_there = std::ptr::eq(stream, &self.host.out)
            || self.host.screen.as_ref().is_some_and(|screen| screen.has_errors);
        match self.live.as_ref().filter(|live| is_there && !live.is_over()) {
            Some(live) => live.line(&paint::lines(&sanitise::lines(text), stream.look()), kept),
            None => print(stream, text, kept),
        }
    }
}

/// The command that the demo is about to run.
pub fn prompt(argv: &[&str], host: &Host) {
    print(&host.out, &format!("\n$ {}", argv.join(" ")), true);
}

/// A word that was typed, without what could forge lines.
pub fn harmless(word: &str) -> String {
    sanitise::field(word)
}

/// What is wrong with a command line, or the help that was asked for; `help` is how to get the one that fits.
pub fn usage(error: &clap::Error, help: &str, output: Output, host: &Host) {
    let stream = if error.use_stderr() { &host.err } else { &host.out };
    // With clap's colours at a terminal.
    let text = match host.terminal {
        true => error.render().ansi().to_string(),
        false => error.render().to_string(),
    };
    let shown = |text: &str| match host.terminal {
        true => stream.print(text.trim_end().to_owned(), true),
        false => print(stream, text.trim_end(), true),
    };
    if !error.use_stderr() {
        return shown(&text);
    }
    // One hint: ours, or what clap guesses.
    let is_clap = |line: &&str| line.starts_with("For more information, try ");
    let is_tip =
        |line: &&str| line.trim_start().starts_with(TIP) || line.contains(&format!("{TIP}\u{1b}"));
    let mut tips = text.lines().filter(is_tip);
    let tip = tips.next().filter(|_| tips.next().is_none());
    let kept = text.lines().filter(|line| !is_clap(line) && (tip.is_none() || !is_tip(line)));
    let mut lines: Vec<&str> = kept.collect();
    lines.dedup_by(|one, other| one.is_empty() && other.is_empty());
    shown(&lines.join("\n"));
    let plain = error.render().to_string();
    let guess =
        tip.and_then(|_| plain.lines().find_map(|line| line.trim_start().strip_prefix(TIP)));
    let hint = guess.map_or(help, str::trim);
    print(&host.err, &format!("hint: {hint}"), true);
    if output == Output::Json {
        // What clap says before how the command is used.
        let said = plain.lines().take_while(|line| !line.is_empty()).map(str::trim);
        let said = said.collect::<Vec<_>>().join(" ");
        let what = said.trim_start_matches("error: ");
        let error = Error::Usage(Usage::new(what, hint));
        print(&host.out, &json::error(&error, None, Duration::ZERO, &str::to_owned), true);
    }
}

/// What clap writes before a guess.
const TIP: &str = "tip:";

/// What another program reads: without colours and symbols of ours.
fn plain(stream: &Stream, text: &str, kept: bool) {
    stream.print(sanitise::lines(text), kept);
}

/// The only place that prints. `kept`: not even a reader that stalls may miss it.
fn print(stream: &Stream, text: &str, kept: bool) {
    stream.print(paint::lines(&sanitise::lines(text), stream.look()), kept);
}
