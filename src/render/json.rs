//! JSON: one object per event and line, or one document. Times are RFC 3339.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Listening, SCHEMA, sanitise};
use crate::error::Error;
use crate::event::Event;
use crate::plan::Decision;

/// One event, on one line.
pub(super) fn event(event: &Event, elapsed: Duration) -> String {
    let mut object = json!({
        "schema": SCHEMA,
        "at": humantime::format_rfc3339_seconds(event.at).to_string(),
        "elapsed_seconds": elapsed.as_secs(),
    });
    merge(&mut object, &event.kind);
    line(object)
}

/// One document.
pub(super) fn document(value: &impl Serialize) -> String {
    let mut object = json!({ "schema": SCHEMA });
    merge(&mut object, value);
    sanitise::json(&mut object);
    format!("{object:#}")
}

/// What would be done.
pub(super) fn plan(decision: &Decision) -> String {
    let value = match decision {
        Decision::Deploy(plan) => json!({
            "decision": "deploy",
            "engine": plan.record.engine(),
            "why": plan.why,
            "blue": plan.record.blue,
            "green": plan.record.green,
            "base": plan.base.name,
            "images": plan.changes.images,
            "edits": plan.changes.edits.iter().map(crate::request::edits::show).collect::<Vec<_>>(),
            "steps": plan.steps.iter().map(|(step, what)| json!({"step": step, "what": what})).collect::<Vec<_>>(),
            "diff": plan.diff.1,
            "warnings": plan.warnings,
        }),
        Decision::Adopt(record) => json!({
            "decision": "adopt",
            "deployment": record.name(),
            "blue": record.blue,
            "green": record.green,
        }),
        Decision::Unfinished(record) => json!({
            "decision": "unfinished",
            "deployment": record.name(),
            "blue": record.blue,
            "green": record.green,
        }),
        Decision::Nothing { service, revision, what } => {
            json!({"decision": "nothing-to-do", "service": service, "revision": revision, "what": what})
        }
    };
    document(&value)
}

/// How the demo ended.
pub(super) fn demo(codes: &[u8], serves: bool, image: &str) -> String {
    line(
        json!({"schema": SCHEMA, "event": "demo", "exit_codes": codes, "image": image, "serves": serves}),
    )
}

/// Where the sandbox listens.
pub(super) fn listening(listening: &Listening<'_>) -> String {
    let Listening { address, region, scale } = listening;
    let endpoint = listening.endpoint();
    json!({
        "schema": SCHEMA,
        "event": "listening",
        "address": address.to_string(),
        "scale": scale,
        "environment": {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        },
    })
    .to_string()
}

/// Why a command could not do its work: the last line of a deployment that never began.
pub(super) fn error(error: &Error) -> String {
    let mut object = json!({
        "schema": SCHEMA,
        "event": "outcome",
        "outcome": "error",
        "exit_code": error.exit_code(),
        "what": error.to_string(),
        "hint": error.hint(),
    });
    if matches!(error, Error::Interrupted(_)) {
        object["interrupted"] = true.into();
    }
    line(object)
}

fn line(mut object: Value) -> String {
    sanitise::json(&mut object);
    object.to_string()
}

fn merge(object: &mut Value, value: &impl Serialize) {
    if let (Some(object), Ok(Value::Object(members))) =
        (object.as_object_mut(), serde_json::to_value(value))
    {
        object.extend(members);
    }
}
