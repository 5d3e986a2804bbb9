//! Amazon CloudWatch, as far as deployments need it: alarms and their states, and the usage metric of AWS
//! Fargate. An alarm has the state that a scenario, SetAlarmState or a control call gives it.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::{
    clock::Time,
    ecs,
    protocol::{
        Fault,
        json::{int, texts},
        paging,
        query::{self, Answer},
        shapes::{Shapes, Wire},
    },
    quotas,
    state::Here,
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/cloudwatch.txt")));

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

/// Answers a request of any of the three protocols: `wire` says whether scalars are text.
pub(crate) fn call(
    here: &mut Here<'_>,
    operation: &str,
    request: &Map<String, Value>,
    wire: Wire,
) -> Answer {
    if knows(operation) {
        query::check_as(&SHAPES, operation, request, wire)?;
    }
    let request = &SHAPES.typed(operation, request);
    match operation {
        "DescribeAlarms" => describe(here, request, wire),
        "PutMetricAlarm" => put(here, request),
        "SetAlarmState" => set(here, request),
        "DeleteAlarms" => delete(here, request),
        "GetMetricStatistics" => statistics(here, request, wire),
        _ => Err(Fault::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-08-01"),
        )),
    }
}

/// A member that must not be empty.
fn filled<'r>(request: &'r Map<String, Value>, member: &str) -> Result<&'r str, Fault> {
    query::text(request, member).filter(|text| !text.is_empty()).ok_or_else(|| Fault::null(member))
}

/// Whether a member is a time, where times are not numbers on the wire.
pub(crate) fn is_time(member: &str) -> bool {
    member.ends_with("Timestamp")
}

/// The members of every alarm.
const USUAL: [&str; 4] = ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"];

/// Alarms by name, by the beginning of their names, by state, and by the beginning of their actions, in
/// pages (API reference of DescribeAlarms). None is composite.
fn describe(here: &mut Here<'_>, request: &Map<String, Value>, wire: Wire) -> Answer {
    let names = texts(request.get("AlarmNames"));
    let prefix = query::text(request, "AlarmNamePrefix").unwrap_or_default();
    if !names.is_empty() && !prefix.is_empty() {
        return Err(Fault::validation("AlarmNamePrefix and AlarmNames cannot be used together"));
    }
    if names.len() > 100 {
        return Err(Fault::validation(
            "1 validation error detected: Value at 'alarmNames' failed to satisfy constraint: Member must have length less than or equal to 100",
        ));
    }
    let size = match int(request.get("MaxRecords")) {
        None => 50,
        Some(size @ 1..=100) => size as usize,
        Some(size) => {
            return Err(Fault::validation(format!(
                "1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and 100"
            )));
        }
    };
    let state = query::text(request, "StateValue").map(state).transpose()?;
    let kinds = texts(request.get("AlarmTypes"));
    let relatives = ["ChildrenOfAlarmName", "ParentsOfAlarmName"];
    let is_metric = kinds.is_empty() || kinds.iter().any(|kind| kind == "MetricAlarm");
    let is_metric = is_metric && !relatives.iter().any(|member| request.contains_key(*member));
    let action = query::text(request, "ActionPrefix");
    let is_meant = |(name, own): &(&String, &String)| {
        is_metric
            && (names.is_empty() || names.contains(name))
            && name.starts_with(prefix)
            && state.is_none_or(|state| state == *own)
            && action.is_none_or(|action| acts(here, name, action))
    };
    let shown = here.region.ecs.alarms.iter().filter(is_meant);
    let shown = shown.map(|(name, state)| (name.clone(), show(here, name, state, wire)));
    let page = paging::page(shown.collect(), query::text(request, "NextToken"), size)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The next token is invalid."))?;
    let mut answer = Map::new();
    answer.insert("MetricAlarms".to_owned(), page.items.into());
    answer.insert("CompositeAlarms".to_owned(), json!([]));
    if let Some(next) = page.next {
        answer.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}

/// Whether one of an alarm's actions begins so.
fn acts(here: &Here<'_>, name: &str, prefix: &str) -> bool {
    let Some(alarm) = here.region.alarms.get(name) else { return false };
    let actions = USUAL[..3].iter().flat_map(|member| texts(alarm.settings.get(*member)));
    actions.into_iter().any(|action| action.starts_with(prefix))
}

fn show(here: &Here<'_>, name: &str, state: &str, wire: Wire) -> Value {
    let alarm = here.region.alarms.get(name).cloned().unwrap_or_default();
    let at = |time: Time| match wire {
        Wire::Query => json!(time.rfc3339()),
        Wire::Json => json!(time.seconds()),
    };
    let mut shown = alarm.settings;
    for member in USUAL {
        shown.entry(member).or_insert_with(|| json!([]));
    }
    shown.entry("ActionsEnabled").or_insert_with(|| json!(true));
    let own = [
        ("AlarmName", json!(name)),
        ("AlarmArn", json!(here.arn("cloudwatch", &format!("alarm:{name}")))),
        ("AlarmConfigurationUpdatedTimestamp", at(alarm.configured_at)),
        ("StateValue", json!(state)),
        ("StateReason", json!(alarm.reason.as_deref().unwrap_or(UNCHECKED))),
        ("StateUpdatedTimestamp", at(alarm.set_at)),
        ("StateTransitionedTimestamp", at(alarm.set_at)),
    ];
    shown.extend(own.map(|(member, value)| (member.to_owned(), value)));
    shown.into()
}

const UNCHECKED: &str = "Unchecked: Initial alarm creation";

/// A new alarm has no data yet; one that is there keeps its state.
fn put(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = filled(request, "AlarmName")?.to_owned();
    if !request.contains_key("EvaluationCriteria") {
        filled(request, "ComparisonOperator")?;
        request.get("EvaluationPeriods").ok_or_else(|| Fault::null("EvaluationPeriods"))?;
    }
    let now = here.now();
    if !here.region.ecs.alarms.contains_key(&name) {
        here.region.ecs.alarms.insert(name.clone(), "INSUFFICIENT_DATA".to_owned());
        here.region.alarms.entry(name.clone()).or_default().set_at = now;
    }
    let mut settings = request.clone();
    settings.retain(|member, _| !["AlarmName", "Tags"].contains(&member.as_str()));
    let alarm = here.region.alarms.entry(name).or_default();
    (alarm.settings, alarm.configured_at) = (settings, now);
    Ok(Map::new())
}

/// One of the states of an alarm.
fn state(text: &str) -> Result<&str, Fault> {
    match text {
        "OK" | "ALARM" | "INSUFFICIENT_DATA" => Ok(text),
        _ => Err(Fault::validation(format!(
            "1 validation error detected: Value '{text}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
        ))),
    }
}

fn set(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = filled(request, "AlarmName")?.to_owned();
    let state = state(query::required(request, "StateValue"))?.to_owned();
    if !here.region.ecs.alarms.contains_key(&name) {
        return Err(missing(&name));
    }
    ecs::set_alarm(here, &name, &state);
    let reason = query::text(request, "StateReason").map(str::to_owned);
    here.region.alarms.entry(name).or_default().reason = reason;
    Ok(Map::new())
}

/// One point, with what is used now: of the past nothing is kept. Other metrics have no data
/// (API reference of GetMetricStatistics; ECS Developer Guide, "AWS Fargate usage metrics").
fn statistics(here: &mut Here<'_>, request: &Map<String, Value>, wire: Wire) -> Answer {
    let (namespace, name) = (filled(request, "Namespace")?, filled(request, "MetricName")?);
    let period = int(request.get("Period")).unwrap_or_default();
    if period < 1 {
        let text =
            format!("The parameter Period must be greater than or equal to 1, but was {period}");
        return Err(Fault::new("InvalidParameterValue", text));
    }
    let wanted = texts(request.get("Statistics"));
    if wanted.is_empty() && !request.contains_key("ExtendedStatistics") {
        let text =
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.";
        return Err(Fault::new("InvalidParameterCombination", text));
    }
    let dimensions = request.get("Dimensions").and_then(Value::as_array);
    let dimension = |name: &str| {
        let own = dimensions.into_iter().flatten().find(|own| own["Name"] == name);
        own.and_then(|own| own["Value"].as_str())
    };
    let is_usage = (namespace, name) == ("AWS/Usage", "ResourceCount")
        && dimensions.is_some_and(|all| all.len() == 4)
        && ["Service", "Type", "Resource"].map(dimension)
            == ["Fargate", "Resource", "vCPU"].map(Some);
    let quota = dimension("Class").filter(|_| is_usage).and_then(quotas::by_class);
    let used = quota.map(|quota| quotas::used(here.region, quota)).filter(|used| *used > 0);
    let points = used.map(|used| {
        let vcpus = f64::from(i32::try_from(used).unwrap_or(i32::MAX)) / 1024.0;
        let at = match wire {
            Wire::Query => json!(here.now().rfc3339()),
            Wire::Json => json!(here.now().seconds()),
        };
        let mut point = json!({"Timestamp": at, "Unit": "None"});
        for statistic in &wanted {
            point[statistic] = match (statistic.as_str(), wire) {
                ("SampleCount", Wire::Json) => json!(1.0),
                ("SampleCount", Wire::Query) => json!("1.0"),
                (_, Wire::Json) => json!(vcpus),
                (_, Wire::Query) => json!(format!("{vcpus:?}")),
            };
        }
        point
    });
    let points: Vec<Value> = points.into_iter().collect();
    let answer = [("Label", json!(name)), ("Datapoints", json!(points))];
    Ok(answer.into_iter().map(|(member, value)| (member.to_owned(), value)).collect())
}

fn missing(name: &str) -> Fault {
    Fault { status: 404, ..Fault::new("ResourceNotFound", format!("Unknown alarm: {name}")) }
}

fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let names = texts(request.get("AlarmNames"));
    // All of them, or none (API reference of DeleteAlarms).
    if let Some(name) = names.iter().find(|name| !here.region.ecs.alarms.contains_key(*name)) {
        return Err(missing(name));
    }
    here.region.ecs.alarms.retain(|name, _| !names.contains(name));
    here.region.alarms.retain(|name, _| !names.contains(name));
    Ok(Map::new())
}
