//! Several services: a row each.

use crate::model::arn::short;
use std::fmt::Write;

use serde::Serialize;

use super::report::{Status, status};
use super::sanitise::field;
use super::words::coarse;
use crate::plan::Survey;

/// Several services of a cluster.
#[derive(Debug, Serialize)]
pub(super) struct Overview {
    /// The cluster's name.
    cluster: String,
    /// Each as `status` of one service shows it; a pair is one.
    statuses: Vec<Status>,
}

pub(super) fn overview(cluster: &str, surveys: &[Survey], again: &str) -> Overview {
    let cluster = short(cluster).to_owned();
    Overview { cluster, statuses: surveys.iter().map(|survey| status(survey, again)).collect() }
}

const HEAD: [&str; 7] =
    ["SERVICE", "SERVES", "TRAFFIC", "TASKS", "TARGETS", "SINCE", "LAST DEPLOYMENT"];

/// `columns`: those of the terminal. Where the rows are longer, each has its last deployment below it.
pub(super) fn lines(overview: &Overview, columns: Option<u16>) -> String {
    let first = overview.statuses.first().map(|one| &one.location);
    let place = first.into_iter().flat_map(|one| [&one.account, &one.region]).flatten();
    let place: Vec<&str> = place.map(String::as_str).collect();
    let cluster = format!("cluster {}", overview.cluster);
    let head = place.into_iter().chain([cluster.as_str()]).collect::<Vec<_>>().join(" · ");
    if overview.statuses.is_empty() {
        return format!("{}\nno services", field(&head));
    }
    let rows: Vec<[String; 7]> = [HEAD.map(str::to_owned)]
        .into_iter()
        .chain(overview.statuses.iter().map(|one| row(one).map(|cell| field(&cell))))
        .collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let total = widths.iter().sum::<usize>() + 2 * (HEAD.len() - 1);
    let fits = columns.is_none_or(|columns| total <= columns.into());
    let mut text = field(&head);
    for row in &rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match at + 1 == HEAD.len() && !fits {
                true => write!(line, "\n  {cell}"),
                false => write!(line, "{cell:<width$}  "),
            };
        }
        for line in line.lines() {
            let _ = write!(text, "\n{}", line.trim_end());
        }
    }
    text
}

fn row(status: &Status) -> [String; 7] {
    let names: Vec<&str> = status.services.iter().map(|one| one.name.as_str()).collect();
    let parts = shares(status);
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
        joined(parts.iter().map(|(name, _)| name.clone()).collect(), " / "),
        joined(parts.iter().map(|(_, percent)| format!("{percent} %")).collect(), " / "),
        joined(
            status.services.iter().map(|one| format!("{}/{}", one.running, one.desired)).collect(),
            " + ",
        ),
        joined(targets.iter().map(|(state, count)| format!("{count} {state}")).collect(), ", "),
        match status.age {
            Some(age) => format!("{} ago", coarse(age)),
            None if parts.is_empty() => "-".to_owned(),
            None => "now".to_owned(),
        },
        status.record.as_ref().map_or("none by ecs-bg".to_owned(), |record| record.brief.clone()),
    ]
}

/// The share of each revision. Of a pair it is that of its service, and where ECS shifts the traffic that of a target
/// group.
fn shares(status: &Status) -> Vec<(String, f64)> {
    let rule = status.serves.first().map(|served| &served.percent);
    let parts = rule.into_iter().flatten().map(|(name, percent)| (name.clone(), *percent));
    let [own] = &status.services[..] else {
        let revision = |name: &String| {
            let side = status.services.iter().find(|one| one.name == *name);
            side.map_or(name.clone(), |side| side.revision.clone())
        };
        return parts.map(|(name, percent)| (revision(&name), percent)).collect();
    };
    let is_group = |name: &String| own.groups.iter().any(|group| group.name == *name);
    if rule.is_none_or(|percent| !percent.keys().any(is_group)) {
        return parts.collect();
    }
    let new =
        status.service_deployment.as_ref().and_then(|one| Some((&own.revision, one.production?)));
    let old = own.revisions.iter().find(|one| one.revision != own.revision && one.running > 0);
    match (new, old) {
        (Some((new, share)), Some(old)) => {
            let both = [(new.clone(), share), (old.revision.clone(), 100.0 - share)];
            both.into_iter().filter(|(_, share)| *share > 0.0).collect()
        }
        _ => vec![(own.revision.clone(), rule.into_iter().flat_map(|all| all.values()).sum())],
    }
}
