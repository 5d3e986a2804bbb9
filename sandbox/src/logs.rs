//! Amazon CloudWatch Logs, as far as it is read: groups, their streams and the events in them. They come
//! to be when a container with the log driver `awslogs` starts; see `ecs::logging`.

use std::{collections::BTreeMap, ops::Range, sync::LazyLock};

use serde_json::{Value, json};

use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
        paging,
        shapes::Shapes,
    },
    state::{
        Here,
        logs::{Event, Stream, Written},
    },
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/logs.txt")));

/// An answer holds so many events, and so many bytes of them (API reference of GetLogEvents).
const PAGE: usize = 10_000;
const BYTES: usize = 1024 * 1024;

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    request.check(&SHAPES, operation, |path| invalid("null", path, "Member must not be null"))?;
    match operation {
        "GetLogEvents" => events(here, request),
        "DescribeLogStreams" => streams(here, request),
        "DescribeLogGroups" => groups(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}

/// What was written arrives.
pub(crate) fn arrive(here: &mut Here<'_>, written: Written) {
    let now = here.now();
    let Written { group, stream, at, message } = written;
    let streams = here.region.logs.0.entry(group).or_default();
    let stream = streams.entry(stream).or_insert(Stream { created_at: at, events: Vec::new() });
    stream.events.extend(message.map(|message| Event { at, ingested_at: now, message }));
}

fn invalid(value: &str, member: &str, constraint: &str) -> Fault {
    let value = if value == "null" { value.to_owned() } else { format!("'{value}'") };
    Fault::parameter(format!(
        "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

/// The streams of the group that a request names, and its name.
fn group<'h>(
    here: &'h Here<'_>,
    request: &Request<'_>,
) -> Result<(&'h String, &'h BTreeMap<String, Stream>), Fault> {
    let (name, id) = (request.text_of("logGroupName"), request.text_of("logGroupIdentifier"));
    if name.is_some() == id.is_some() {
        let text = "Exactly one of logGroupName and logGroupIdentifier must be specified.";
        return Err(Fault::parameter(text));
    }
    let name = name.or(id).map(named).unwrap_or_default();
    let missing =
        || Fault::new("ResourceNotFoundException", "The specified log group does not exist.");
    here.region.logs.0.get_key_value(name).ok_or_else(missing)
}

/// The name of a group, which may be given as its ARN.
pub(crate) fn named(text: &str) -> &str {
    text.split_once(":log-group:").map_or(text, |(_, name)| name.trim_end_matches(":*"))
}

fn limit(request: &Request<'_>, most: usize) -> Result<usize, Fault> {
    let Some(limit) = request.int_of("limit") else { return Ok(most) };
    let wrong = |than: &str, bound: usize| {
        let constraint = format!("Member must have value {than} than or equal to {bound}");
        invalid(&limit.to_string(), "limit", &constraint)
    };
    match usize::try_from(limit) {
        Err(_) | Ok(0) => Err(wrong("greater", 1)),
        Ok(limit) if limit > most => Err(wrong("less", most)),
        Ok(limit) => Ok(limit),
    }
}

fn events(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let limit = limit(request, PAGE)?;
    let (_, streams) = group(here, request)?;
    let name = request.text_of("logStreamName").unwrap_or_default();
    let missing =
        || Fault::new("ResourceNotFoundException", "The specified log stream does not exist.");
    let events = &streams.get(name).ok_or_else(missing)?.events;
    let time = |member| request.int_of(member).and_then(|time| u64::try_from(time).ok());
    let before = |time: u64| events.partition_point(|event| event.at.0 < time);
    let from = time("startTime").map_or(0, before);
    let all = from..time("endTime").map_or(events.len(), before).max(from);
    let forward = |next: usize| ahead(events, next.clamp(all.start, all.end)..all.end, limit);
    let backward = |next: usize| back(events, all.start..next.clamp(all.start, all.end), limit);
    let page = match request.text_of("nextToken") {
        None if request.bool_of("startFromHead") => forward(all.start),
        None => backward(all.end),
        Some(token) => match position(token) {
            Some(('f', next)) => forward(next),
            Some((_, next)) => backward(next),
            None => return Err(Fault::parameter("The specified nextToken is invalid.")),
        },
    };
    // Who asks behind the end is told the same token again, though what it asks for is not there yet.
    let asked = |direction: char, at: usize| match request.text_of("nextToken") {
        Some(token) if page.is_empty() && token.starts_with(direction) => token.to_owned(),
        _ => format!("{direction}/{at:056}"),
    };
    let shown = events[page.clone()].iter().map(|event| {
        json!({
            "timestamp": event.at.0,
            "message": event.message,
            "ingestionTime": event.ingested_at.0,
        })
    });
    Ok(raw(&json!({
        "events": shown.collect::<Vec<Value>>(),
        "nextForwardToken": asked('f', page.end),
        "nextBackwardToken": asked('b', page.start),
    })))
}

/// The direction and the place of a token.
fn position(token: &str) -> Option<(char, usize)> {
    let (direction, at) = token.split_once('/')?;
    let direction = match direction {
        "f" => 'f',
        "b" => 'b',
        _ => return None,
    };
    Some((direction, at.parse().ok().filter(|_| at.len() == 56)?))
}

/// As many of these events as an answer holds, from the first one on.
fn ahead(events: &[Event], all: Range<usize>, limit: usize) -> Range<usize> {
    all.start..all.start + fitting(events[all].iter(), limit)
}

/// The same, up to the last one.
fn back(events: &[Event], all: Range<usize>, limit: usize) -> Range<usize> {
    all.end - fitting(events[all.clone()].iter().rev(), limit)..all.end
}

fn fitting<'e>(events: impl Iterator<Item = &'e Event>, limit: usize) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Event| {
        // Each event counts for 26 bytes more than its message (CloudWatch Logs User Guide, quotas).
        bytes += event.message.len() + 26;
        bytes <= BYTES
    };
    events.take(limit).take_while(fits).count()
}

/// Groups by the beginning of their names, in the order of these (API reference of DescribeLogGroups).
fn groups(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let limit = limit(request, 50)?;
    let prefix = request.text_of("logGroupNamePrefix").unwrap_or_default();
    let named = here.region.logs.0.iter().filter(|(name, _)| name.starts_with(prefix));
    let show = |(name, streams): (&String, &BTreeMap<String, Stream>)| {
        let created = streams.values().map(|stream| stream.created_at.0).min().unwrap_or(0);
        let arn = here.arn("logs", &format!("log-group:{name}"));
        let shown = json!({
            "logGroupName": name,
            "creationTime": created,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "logGroupArn": arn,
        });
        (name.clone(), shown)
    };
    let token = request.text_of("nextToken");
    let page = paging::page(named.map(show).collect(), token, limit)
        .ok_or_else(|| Fault::parameter("The specified nextToken is invalid."))?;
    let mut answer = json!({ "logGroups": page.items });
    if let Some(token) = page.next {
        answer["nextToken"] = json!(token);
    }
    Ok(raw(&answer))
}

fn streams(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let limit = limit(request, 50)?;
    let (group, streams) = group(here, request)?;
    let prefix = request.text_of("logStreamNamePrefix");
    let by_time = match request.text_of("orderBy") {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") if prefix.is_some() => {
            let text = "Cannot order by LastEventTime with a logStreamNamePrefix.";
            return Err(Fault::parameter(text));
        }
        Some("LastEventTime") => true,
        Some(other) => {
            let constraint = "Member must satisfy enum value set: [LogStreamName, LastEventTime]";
            return Err(invalid(other, "orderBy", constraint));
        }
    };
    let fits = |name: &str| prefix.is_none_or(|prefix| name.starts_with(prefix));
    let mut found: Vec<(&String, &Stream)> =
        streams.iter().filter(|(name, _)| fits(name)).collect();
    if by_time {
        found.sort_by_key(|(_, stream)| stream.events.last().map(|event| event.at));
    }
    if request.bool_of("descending") {
        found.reverse();
    }
    let shown = found.into_iter().map(|(name, stream)| {
        let mut one = json!({
            "logStreamName": name,
            "creationTime": stream.created_at.0,
            "arn": here.arn("logs", &format!("log-group:{group}:log-stream:{name}")),
            "storedBytes": 0,
        });
        if let (Some(first), Some(last)) = (stream.events.first(), stream.events.last()) {
            one["firstEventTimestamp"] = json!(first.at.0);
            one["lastEventTimestamp"] = json!(last.at.0);
            one["lastIngestionTime"] = json!(last.ingested_at.0);
        }
        (name.clone(), one)
    });
    let page = paging::page(shown.collect(), request.text_of("nextToken"), limit)
        .ok_or_else(|| Fault::parameter("The specified nextToken is invalid."))?;
    let mut answer = json!({"logStreams": page.items});
    if let Some(token) = page.next {
        answer["nextToken"] = json!(token);
    }
    Ok(raw(&answer))
}
