//! Reads scenario files and merges them: what a file says replaces what the file that it extends says,
//! table by table, item by item.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::{Error, Item, Place, Scenario, builtin};
use crate::{timing::Timing, unverified::Unverified};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    extends: Option<String>,
    region: Option<String>,
    seed: Option<u64>,
    timing: Option<Spanned<Table>>,
    throttling: Option<Throttling>,
    settings: Option<Settings>,
    native: Option<Spanned<Table>>,
    #[serde(default)]
    subnets: BTreeMap<String, String>,
    #[serde(default)]
    load_balancer: Vec<Spanned<Table>>,
    #[serde(default)]
    target_group: Vec<Spanned<Table>>,
    #[serde(default)]
    listener: Vec<Spanned<Table>>,
    #[serde(default)]
    rule: Vec<Spanned<Table>>,
    #[serde(default)]
    cluster: Vec<Spanned<Table>>,
    #[serde(default)]
    repository: Vec<Spanned<Table>>,
    #[serde(default)]
    task_definition: Vec<Spanned<Table>>,
    #[serde(default)]
    service: Vec<Spanned<Table>>,
    #[serde(default)]
    scalable_target: Vec<Spanned<Table>>,
    #[serde(default)]
    image: Vec<Spanned<Table>>,
    #[serde(default)]
    container_instance: Vec<Spanned<Table>>,
    #[serde(default)]
    capacity: Vec<Spanned<Table>>,
    #[serde(default)]
    alarm: Vec<Spanned<Table>>,
    #[serde(default)]
    load: Vec<Spanned<Table>>,
    #[serde(default)]
    lambda: Vec<Spanned<Table>>,
    #[serde(default)]
    role: Vec<Spanned<Table>>,
    #[serde(default)]
    subnet: Vec<Spanned<Table>>,
    #[serde(default)]
    missing: Vec<Spanned<Table>>,
    #[serde(default)]
    limit: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Throttling {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    merge: bool,
}

/// Files that extend each other in a circle end here.
const DEEPEST: usize = 16;

pub(super) fn read(text: &str, name: &str) -> Result<Scenario, Error> {
    let mut merged = Merged::default();
    layer(&mut merged, text, name, 0)?;
    let place = merged.timing_place;
    let timing = Timing::deserialize(Value::Table(merged.timing)).map_err(|error| {
        let what = error.message().to_owned();
        place.error(quoted(&what).as_deref(), format!("[timing]: {what}"))
    })?;
    let place = merged.native_place;
    let unverified = Unverified::deserialize(Value::Table(merged.native)).map_err(|error| {
        let what = error.message().to_owned();
        place.error(quoted(&what).as_deref(), format!("[native]: {what}"))
    })?;
    Ok(Scenario {
        region: merged.region.unwrap_or_else(|| "us-east-1".to_owned()),
        seed: merged.seed.unwrap_or(1),
        throttling: merged.throttling,
        merges_settings: merged.merges_settings,
        timing,
        unverified,
        subnets: merged.subnets,
        sections: merged.sections,
    })
}

/// The member that a message names: the first text between back-quotes.
pub(super) fn quoted(message: &str) -> Option<String> {
    message.split('`').nth(1).map(str::to_owned)
}

#[derive(Default)]
struct Merged {
    region: Option<String>,
    seed: Option<u64>,
    timing: Table,
    timing_place: Place,
    native: Table,
    native_place: Place,
    throttling: bool,
    merges_settings: bool,
    subnets: BTreeMap<String, String>,
    sections: BTreeMap<&'static str, Vec<Item>>,
}

fn layer(merged: &mut Merged, text: &str, name: &str, depth: usize) -> Result<(), Error> {
    let at = |offset: usize| 1 + text.get(..offset).unwrap_or_default().matches('\n').count();
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| at(span.start));
        Error { file: name.to_owned(), line, what: error.message().to_owned() }
    })?;
    if let Some(base) = &file.extends {
        let line =
            1 + text.lines().position(|line| line.trim_start().starts_with("extends")).unwrap_or(0);
        let error = |what: String| Error { file: name.to_owned(), line, what };
        if depth == DEEPEST {
            return Err(error("extends: the scenarios extend each other in a circle".to_owned()));
        }
        match builtin(base) {
            Some(text) => layer(merged, text, base, depth + 1)?,
            None => {
                let path = Path::new(name).parent().unwrap_or(Path::new("")).join(base);
                let text = std::fs::read_to_string(&path).map_err(|cause| {
                    error(format!(
                        "extends: {base:?} is no built-in scenario, and {}: {cause}",
                        path.display()
                    ))
                })?;
                layer(merged, &text, &path.display().to_string(), depth + 1)?;
            }
        }
    }
    let place = |span: std::ops::Range<usize>| {
        let line = at(span.start);
        let rest = text.lines().skip(line - 1).enumerate();
        let own = rest.take_while(|(at, line)| *at == 0 || !line.trim_start().starts_with("[["));
        Place {
            file: name.to_owned(),
            line,
            text: own.map(|(_, line)| line).collect::<Vec<_>>().join("\n"),
        }
    };
    merged.region = file.region.or(merged.region.take());
    merged.seed = file.seed.or(merged.seed);
    merged.subnets.extend(file.subnets);
    merged.merges_settings =
        file.settings.map_or(merged.merges_settings, |settings| settings.merge);
    merged.throttling = file.throttling.map_or(merged.throttling, |throttling| throttling.enabled);
    if let Some(timing) = file.timing {
        merged.timing_place = place(timing.span());
        merged.timing.extend(timing.into_inner());
    }
    if let Some(native) = file.native {
        merged.native_place = place(native.span());
        merged.native.extend(native.into_inner());
    }
    let sections = [
        ("load_balancer", file.load_balancer),
        ("target_group", file.target_group),
        ("listener", file.listener),
        ("rule", file.rule),
        ("cluster", file.cluster),
        ("repository", file.repository),
        ("task_definition", file.task_definition),
        ("service", file.service),
        ("scalable_target", file.scalable_target),
        ("image", file.image),
        ("container_instance", file.container_instance),
        ("capacity", file.capacity),
        ("alarm", file.alarm),
        ("load", file.load),
        ("lambda", file.lambda),
        ("role", file.role),
        ("subnet", file.subnet),
        ("missing", file.missing),
        ("limit", file.limit),
    ];
    for (section, items) in sections {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for item in items {
            let place = place(item.span());
            let table = item.into_inner();
            let mut key = key(section, &table).map_err(|member| {
                place.error(None, format!("[[{section}]]: `{member}` is missing"))
            })?;
            if section == "task_definition" {
                let nth = seen.entry(key.clone()).or_default();
                *nth += 1;
                key = format!("{key} {nth}");
            }
            put(merged.sections.entry(section).or_default(), Item { key, table, place });
        }
    }
    Ok(())
}

/// What an item is called among those of its section.
fn key(section: &str, table: &Table) -> Result<String, &'static str> {
    let text = |member: &'static str| {
        table
            .get(member)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let need = |member: &'static str| text(member).ok_or(member);
    match section {
        "rule" => match text("name") {
            Some(name) => Ok(name),
            None => Ok(format!("{} {}", need("listener")?, need("priority")?)),
        },
        "task_definition" => need("family"),
        "service" => need("serviceName"),
        "scalable_target" | "load" => need("service"),
        "image" => Ok(format!("{} {}", need("ref")?, text("container").unwrap_or_default())),
        _ => need("name"),
    }
}

/// Merges an item into those before it.
fn put(items: &mut Vec<Item>, mut item: Item) {
    let absent = item.table.remove("absent").is_some_and(|absent| absent == Value::Boolean(true));
    let old = items.iter().position(|old| old.key == item.key);
    match (old, absent) {
        (Some(at), true) => drop(items.remove(at)),
        (None, true) => {}
        (Some(at), false) => {
            merge(&mut items[at].table, item.table);
            items[at].place = item.place;
        }
        (None, false) => items.push(item),
    }
}

fn merge(old: &mut Table, new: Table) {
    for (member, value) in new {
        match (old.get_mut(&member), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => drop(old.insert(member, value)),
        }
    }
}
