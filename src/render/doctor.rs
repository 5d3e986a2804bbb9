//! What `ecs-bg doctor` says, in both formats.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::sanitise::field;
use super::{lines, words};
use crate::event::{Finding, Level, Location};
use crate::plan::doctor::Report;
use crate::request::EngineName;

/// The document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Document {
    #[serde(flatten)]
    location: Location,
    /// How the service would be deployed; null: that cannot be said.
    engine: Option<EngineName>,
    /// How many findings there are of each level.
    errors: usize,
    warnings: usize,
    hints: usize,
    /// What could not be read.
    unknown: usize,
    /// What was found, the worst first.
    findings: Vec<Told>,
    /// Checks that found nothing.
    passed: Vec<&'static str>,
    /// Calls to AWS, by operation.
    api_calls: BTreeMap<String, u32>,
}

/// A finding.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Told {
    #[serde(flatten)]
    finding: Finding,
    /// In words. They may change; the other members do not, within a version.
    message: String,
    /// What helps: a command, or what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Document {
    pub(super) fn of(
        location: &Location,
        report: &Report,
        calls: &BTreeMap<String, u32>,
        complete: &dyn Fn(&str) -> String,
    ) -> Self {
        let told = |one: &Finding| Told {
            finding: one.clone(),
            message: words::fact(&one.fact),
            fix: words::fix(&one.fact, location).map(|fix| complete(&fix)),
        };
        Self {
            location: location.clone(),
            engine: report.engine,
            errors: report.count(Level::Error),
            warnings: report.count(Level::Warning),
            hints: report.count(Level::Hint),
            unknown: report.count(Level::Unknown),
            findings: report.findings.iter().map(told).collect(),
            passed: report.passed.clone(),
            api_calls: calls.clone(),
        }
    }
}

/// One screen: the worst first, each with what helps.
pub(super) fn screen(
    location: &Location,
    report: &Report,
    complete: &dyn Fn(&str) -> String,
) -> String {
    let mut text = field(&lines::location(location));
    if let (Some(engine), Some(why)) = (report.engine, &report.reason) {
        let _ = write!(text, "\nengine {engine}: {}", field(&words::engine_reason(why)));
    }
    text.push('\n');
    for finding in &report.findings {
        let word = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Hint => "hint",
            Level::Unknown => "unknown",
        };
        let what = field(&words::fact(&finding.fact));
        let _ = write!(text, "\n{word:<7}  {:<24}  {what}", finding.check);
        if let Some(fix) = words::fix(&finding.fact, location) {
            let _ = write!(text, "\n{:<7}  {:<24}  fix: {}", "", "", field(&complete(&fix)));
        }
    }
    if !report.findings.is_empty() {
        text.push('\n');
    }
    let mut line = String::new();
    for (index, code) in report.passed.iter().enumerate() {
        let word = format!("{code}{}", if index + 1 < report.passed.len() { "," } else { "" });
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            row(&mut text, &std::mem::take(&mut line));
        }
        line += if line.is_empty() { "" } else { " " };
        line += &word;
    }
    row(&mut text, &line);
    let _ = write!(text, "\n\n{}", verdict(report));
    text
}

/// How long a line of names gets.
const WIDTH: usize = 71;

/// A line of what passed: the first one says so.
fn row(text: &mut String, line: &str) {
    let first = !text.contains("\npassed ");
    let _ = write!(text, "\n{:<7}  {line}", if first { "passed" } else { "" });
}

fn verdict(report: &Report) -> String {
    let counts = [
        (Level::Error, "error", "errors"),
        (Level::Warning, "warning", "warnings"),
        (Level::Hint, "hint", "hints"),
        (Level::Unknown, "check not made", "checks not made"),
    ];
    let told = counts.into_iter().filter_map(|(level, one, many)| match report.count(level) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    });
    let told = told.collect::<Vec<_>>().join(", ");
    match (report.count(Level::Error), told.is_empty()) {
        (0, true) => "✔ ready to deploy".to_owned(),
        (0, false) => format!("✔ ready to deploy: {told}"),
        (_, _) => format!("✘ a deployment would be refused: {told}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema;

    #[test]
    fn the_schema_of_doctor_is_that_of_the_types() {
        schema::of_command::<Document>("doctor");
    }
}
