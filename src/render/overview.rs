//! Several services: a row each.

use std::fmt::Write;

use serde::Serialize;

use super::report::{Status, status};
use super::sanitise::field;
use crate::plan::Survey;

/// Several services of a cluster.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    /// The cluster's name.
    cluster: String,
    /// Each as `status` of one service shows it; a pair is one.
    statuses: Vec<Status>,
}

pub(super) fn overview(cluster: &str, surveys: &[Survey]) -> Overview {
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster).to_owned();
    Overview { cluster, statuses: surveys.iter().map(status).collect() }
}

const HEAD: [&str; 6] = ["SERVICE", "SERVES", "TRAFFIC", "TASKS", "TARGETS", "LAST DEPLOYMENT"];

pub(super) fn lines(overview: &Overview) -> String {
    let first = overview.statuses.first().map(|one| &one.location);
    let place = first.into_iter().flat_map(|one| [&one.account, &one.region]).flatten();
    let place: Vec<&str> = place.map(String::as_str).collect();
    let cluster = format!("cluster {}", overview.cluster);
    let head = place.into_iter().chain([cluster.as_str()]).collect::<Vec<_>>().join(" · ");
    if overview.statuses.is_empty() {
        return format!("{}\nno services", field(&head));
    }
    let rows: Vec<[String; 6]> = [HEAD.map(str::to_owned)]
        .into_iter()
        .chain(overview.statuses.iter().map(|one| row(one).map(|cell| field(&cell))))
        .collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = field(&head);
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = write!(text, "\n{}", line.trim_end());
    }
    text
}

fn row(status: &Status) -> [String; 6] {
    let names: Vec<&str> = status.services.iter().map(|one| one.name.as_str()).collect();
    let is_pair = names.len() > 1;
    let rule = status.serves.first();
    let parts: Vec<(&str, f64)> = rule.map_or(vec![], |served| {
        served.percent.iter().map(|(name, percent)| (name.as_str(), *percent)).collect()
    });
    // The shares of a pair are those of its services; the shares of one service are those of its revisions.
    let revision = |name: &str| {
        let side = status.services.iter().find(|one| is_pair && one.name == name);
        side.map_or(name.to_owned(), |side| side.revision.clone())
    };
    let none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let joined = |cells: Vec<String>, by: &str| none(cells.join(by));
    let targets = status.services.iter().flat_map(|one| &one.groups).fold(
        std::collections::BTreeMap::<&str, usize>::new(),
        |mut all, group| {
            for (state, count) in &group.targets {
                *all.entry(state).or_default() += count;
            }
            all
        },
    );
    [
        names.join(" + "),
        joined(parts.iter().map(|(name, _)| revision(name)).collect(), " / "),
        joined(parts.iter().map(|(_, percent)| format!("{percent} %")).collect(), " / "),
        joined(
            status.services.iter().map(|one| format!("{}/{}", one.running, one.desired)).collect(),
            " + ",
        ),
        joined(targets.iter().map(|(state, count)| format!("{count} {state}")).collect(), ", "),
        status.record.as_ref().map_or("none by ecs-bg".to_owned(), |record| record.brief.clone()),
    ]
}
