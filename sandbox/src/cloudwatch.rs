//! Amazon CloudWatch, as far as deployments need it: alarms and their states. No metrics: an alarm has the
//! state that a scenario, SetAlarmState or a control call gives it.

use serde_json::{Map, Value, json};

use crate::{
    ecs,
    protocol::{
        Fault,
        query::{self, Answer},
    },
    state::Here,
};

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    ["DescribeAlarms", "PutMetricAlarm", "SetAlarmState", "DeleteAlarms"].contains(&operation)
}

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    match operation {
        "DescribeAlarms" => describe(here, request),
        "PutMetricAlarm" => put(here, request),
        "SetAlarmState" => set(here, request),
        "DeleteAlarms" => delete(here, request),
        _ => Err(Fault::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2010-08-01"),
        )),
    }
}

/// A member that must be there, and not empty.
fn required<'r>(request: &'r Map<String, Value>, member: &str) -> Result<&'r str, Fault> {
    query::text(request, member).filter(|text| !text.is_empty()).ok_or_else(|| {
        Fault::new("ValidationError", format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"))
    })
}

fn texts(request: &Map<String, Value>, member: &str) -> Vec<String> {
    query::list(request, member).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Alarms by name, by the beginning of their names, and by state (API reference of DescribeAlarms). None is
/// composite.
fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let names = texts(request, "AlarmNames");
    let prefix = query::text(request, "AlarmNamePrefix").unwrap_or_default();
    if !names.is_empty() && !prefix.is_empty() {
        let text = "AlarmNamePrefix and AlarmNames cannot be used together";
        return Err(Fault::new("ValidationError", text));
    }
    let state = query::text(request, "StateValue");
    let kinds = texts(request, "AlarmTypes");
    let metric = kinds.is_empty() || kinds.iter().any(|kind| kind == "MetricAlarm");
    let is_meant = |(name, own): &(&String, &String)| {
        metric
            && (names.is_empty() || names.contains(name))
            && name.starts_with(prefix)
            && state.is_none_or(|state| state == *own)
    };
    let shown = here.region.ecs.alarms.iter().filter(is_meant).map(|(name, state)| {
        json!({
            "AlarmName": name,
            "AlarmArn": here.arn("cloudwatch", &format!("alarm:{name}")),
            "ActionsEnabled": "true",
            "StateValue": state,
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(members(json!({ "MetricAlarms": shown, "CompositeAlarms": [] })))
}

/// A new alarm has no data yet; one that is there keeps its state.
fn put(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = required(request, "AlarmName")?.to_owned();
    required(request, "ComparisonOperator")?;
    required(request, "EvaluationPeriods")?;
    here.region.ecs.alarms.entry(name).or_insert_with(|| "INSUFFICIENT_DATA".to_owned());
    Ok(Map::new())
}

fn set(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let name = required(request, "AlarmName")?.to_owned();
    let state = required(request, "StateValue")?.to_owned();
    required(request, "StateReason")?;
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state.as_str()) {
        return Err(Fault::new(
            "ValidationError",
            format!(
                "1 validation error detected: Value '{state}' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]"
            ),
        ));
    }
    if !here.region.ecs.alarms.contains_key(&name) {
        return Err(Fault::new("ResourceNotFound", ""));
    }
    ecs::set_alarm(here, &name, &state);
    Ok(Map::new())
}

fn delete(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let names = texts(request, "AlarmNames");
    // All of them, or none (API reference of DeleteAlarms).
    if names.iter().any(|name| !here.region.ecs.alarms.contains_key(name)) {
        return Err(Fault::new("ResourceNotFound", ""));
    }
    here.region.ecs.alarms.retain(|name, _| !names.contains(name));
    Ok(Map::new())
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
