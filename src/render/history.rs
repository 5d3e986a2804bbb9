//! The last deployments of a service: a row each, or one document.

use std::fmt::Write;
use std::time::SystemTime;

use serde::Serialize;

use super::{lines, sanitise, words};
use crate::event::Location;
use crate::ops::history::History;
use crate::plan::history::{Became, Past};

/// The document of `ecs-bg history --output json`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Document {
    #[serde(flatten)]
    location: Location,
    /// The newest first.
    deployments: Vec<Row>,
}

/// A deployment.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Row {
    /// `web:43`
    deployment: String,
    /// The service that it was to run in.
    service: String,
    /// What became of it: as the `outcome` of a deployment, or `in-progress`, `unfinished`, `stopped`.
    outcome: &'static str,
    /// ecs-bg wrote a record of it; else it is known from ECS alone.
    recorded: bool,
    /// How ecs-bg deployed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'static str>,
    /// By whom: the URL of a CI run, or user@host.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// When it began: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    begun: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<String>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u64>,
    /// Its containers and their images.
    containers: Vec<Container>,
    /// The record's code for why it rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'static str>,
    /// Why, in ECS's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Outcome and cause in words.
    message: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Container {
    /// Its name.
    name: String,
    /// Its image.
    image: String,
}

pub(super) fn document(history: &History) -> Document {
    let deployments = history.deployments.iter().map(row).collect();
    Document { location: history.location.clone(), deployments }
}

fn row(past: &Past) -> Row {
    let time = |at: SystemTime| humantime::format_rfc3339_seconds(at).to_string();
    let (outcome, what) = words::became(&past.became);
    let message = match why(past) {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    };
    let container =
        |(name, image): &(String, String)| Container { name: name.clone(), image: image.clone() };
    Row {
        deployment: past.revision.clone(),
        service: past.service.clone(),
        outcome,
        recorded: !matches!(past.became, Became::Ecs(_)),
        engine: past.engine.map(|engine| engine.name()),
        by: past.by.clone(),
        begun: past.begun.map(time),
        ended: past.ended.map(time),
        duration_seconds: took(past).map(|took| took.as_secs()),
        containers: past.containers.iter().map(container).collect(),
        reason_code: past.reason.map(|reason| reason.code()),
        reason: past.said.clone(),
        message,
    }
}

fn took(past: &Past) -> Option<std::time::Duration> {
    past.ended?.duration_since(past.begun?).ok()
}

/// Why it is not good, in words.
fn why(past: &Past) -> Option<String> {
    let reason = past.reason.map(|reason| words::reason(reason).to_owned());
    let said = past.said.as_ref().map(|said| format!("ECS: {}", said.trim_end_matches('.')));
    let both: Vec<String> = reason.into_iter().chain(said).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

const HEAD: [&str; 6] = ["REVISION", "OUTCOME", "BEGUN", "TOOK", "IMAGES", "BY"];

pub(super) fn text(history: &History) -> String {
    let mut text = sanitise::field(&lines::location(&history.location));
    if history.deployments.is_empty() {
        text.push_str("\nno deployments");
        return text;
    }
    let registry = lines::registry(&history.location);
    let several =
        history.deployments.iter().any(|one| one.service != history.deployments[0].service);
    let none = |cell: String| if cell.is_empty() { "-".to_owned() } else { cell };
    let rows: Vec<[String; 6]> = history
        .deployments
        .iter()
        .map(|past| {
            let begun = past.begun.map(|at| humantime::format_rfc3339_seconds(at).to_string());
            let images = images(past, &history.deployments);
            let images = registry.as_ref().map_or(images.clone(), |own| images.replace(own, ""));
            let service = if several { format!(" in {}", past.service) } else { String::new() };
            let cells = [
                format!("{}{service}", past.revision),
                words::became(&past.became).1.to_owned(),
                begun.unwrap_or_default(),
                took(past).map(words::time).unwrap_or_default(),
                images,
                past.by.clone().unwrap_or_default(),
            ];
            cells.map(|cell| none(sanitise::field(&cell)))
        })
        .collect();
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| {
        let all = std::iter::once(&head).chain(&rows);
        all.map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths);
        let line: String = cells.map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        line.trim_end().to_owned()
    };
    let _ = write!(text, "\n{}", line(&head));
    for (row, past) in rows.iter().zip(&history.deployments) {
        let _ = write!(text, "\n{}", line(row));
        if let Some(why) = why(past) {
            let _ = write!(text, "\n  why  {}", sanitise::field(&why));
        }
    }
    text
}

/// The images of a deployment. A container whose image is the same in all of them is left out beside others.
fn images(past: &Past, all: &[Past]) -> String {
    let readable = all.iter().filter(|one| !one.containers.is_empty());
    let differs = |own: &&(String, String)| {
        readable.clone().any(|other| !other.containers.iter().any(|one| one == *own))
    };
    let different: Vec<&(String, String)> = past.containers.iter().filter(differs).collect();
    let shown = if different.is_empty() { past.containers.iter().collect() } else { different };
    shown.iter().map(|(_, image)| brief(image)).collect::<Vec<_>>().join(", ")
}

/// An image with as much of its digest as tells it from others.
fn brief(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) if digest.len() > 12 => {
            let digest: String = digest.chars().take(12).collect();
            format!("{name}@sha256:{digest}…")
        }
        _ => image.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema;

    #[test]
    fn the_schema_of_a_history_is_that_of_the_types() {
        schema::of_command::<Document>("history");
    }
}
