//! What `ecs-bg doctor` says, in both formats.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::sanitise::field;
use super::{lines, words};
use crate::event::{Finding, Level, Location};
use crate::plan::doctor::Report;

/// The document.
pub(super) fn document(
    location: &Location,
    report: &Report,
    calls: &BTreeMap<String, u32>,
) -> impl Serialize + use<> {
    let finding = |one: &Finding| -> Value {
        let mut object = serde_json::to_value(one).unwrap_or_default();
        object["message"] = words::fact(&one.fact).into();
        if let Some(fix) = words::fix(&one.fact, location, "") {
            object["fix"] = fix.into();
        }
        object
    };
    json!({
        "service": location.service,
        "cluster": location.cluster,
        "account": location.account,
        "region": location.region,
        "engine": report.engine,
        "errors": report.count(Level::Error),
        "warnings": report.count(Level::Warning),
        "hints": report.count(Level::Hint),
        "unknown": report.count(Level::Unknown),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "passed": report.passed,
        "api_calls": calls,
    })
}

/// One screen: the worst first, each with what helps.
pub(super) fn screen(location: &Location, report: &Report, again: &str) -> String {
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
        if let Some(fix) = words::fix(&finding.fact, location, again) {
            let _ = write!(text, "\n{:<7}  {:<24}  fix: {}", "", "", field(&fix));
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
const WIDTH: usize = 86;

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
