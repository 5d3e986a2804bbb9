//! JSON: one object per event and line, or one document. Times are RFC 3339.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Listening, SCHEMA, lines, sanitise, words};
use crate::event::{Cause, Ended, Ending, Error, Event, Fault, Kind};

/// One event, on one line.
pub(super) fn event(event: &Event, elapsed: Duration) -> String {
    one(&event.kind, Some(event.at), elapsed)
}

fn one(kind: &Kind, at: Option<SystemTime>, elapsed: Duration) -> String {
    let mut object = json!({ "schema": SCHEMA, "elapsed_seconds": elapsed.as_secs() });
    if let Some(at) = at {
        object["at"] = humantime::format_rfc3339_seconds(at).to_string().into();
    }
    merge(&mut object, kind);
    object["message"] = message(kind).into();
    if let Kind::Outcome(ended) = kind {
        for (name, hint) in [("hint", &ended.hint), ("undo", &ended.undo)] {
            if let Some(hint) = hint {
                object[name]["command"] = words::hint(hint).into();
            }
        }
        match &ended.ending {
            Ending::Error { errors } => {
                object["errors"] = errors.iter().map(fault).collect();
            }
            Ending::Swept { deployments } => {
                for (index, one) in deployments.iter().enumerate() {
                    if let Some(error) = &one.error {
                        object["deployments"][index]["error"] = fault(error);
                    }
                }
            }
            _ => {}
        }
        if let Some(Cause::InTheWay { error }) = &ended.why {
            object["why"]["error"] = fault(error);
        }
    }
    line(object)
}

/// The same in words.
fn message(kind: &Kind) -> String {
    match kind {
        Kind::Outcome(ended) => match &ended.why {
            Some(why) => format!("{}: {}", words::outcome(&ended.ending), words::cause(why)),
            None => words::outcome(&ended.ending),
        },
        Kind::Logged { message, .. } => message.clone(),
        kind => lines::what(kind),
    }
}

/// One document.
pub(super) fn document(value: &impl Serialize) -> String {
    let mut object = json!({ "schema": SCHEMA });
    merge(&mut object, value);
    sanitise::json(&mut object);
    format!("{object:#}")
}

/// A document that is somebody else's: without a schema of ours.
pub(super) fn pretty(value: &impl Serialize) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    sanitise::json(&mut value);
    format!("{value:#}")
}

/// What serves, on one line.
pub(super) fn status_line(status: &impl Serialize) -> String {
    let mut object = json!({ "schema": SCHEMA, "event": "status" });
    merge(&mut object, status);
    line(object)
}

/// What is in the way: its words, and its facts.
fn fault(fault: &Fault) -> Value {
    let mut object = json!({});
    if let Some(check) = fault.check {
        object["check"] = check.into();
    }
    object["message"] = words::fault(fault).into();
    object["fix"] = words::fault_fix(fault).into();
    merge(&mut object, fault);
    object
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
pub(super) fn error(error: &Error, at: Option<SystemTime>, elapsed: Duration) -> String {
    one(&Kind::Outcome(Box::new(failed(error))), at, elapsed)
}

/// The end of a command that could not do its work.
pub(super) fn failed(error: &Error) -> Ended {
    Ended {
        ending: Ending::Error { errors: error.faults() },
        exit_code: error.exit_code(),
        interrupted: matches!(error, Error::Interrupted(_)),
        ..Ended::default()
    }
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

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use crate::event::Kind;
    use crate::render::schema;

    /// One line of `--output json`.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "its schema is what matters")]
    struct Line {
        /// The version of this schema.
        schema: u32,
        /// When, by the clock of the machine that ecs-bg runs on: RFC 3339. A command that failed before
        /// its first event does not say it.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// Whole seconds since the first event.
        elapsed_seconds: u64,
        /// The same in words. They may change; the other members do not, within a version.
        message: String,
        #[serde(flatten)]
        event: Kind,
    }

    #[test]
    fn the_schema_of_events_is_that_of_the_types() {
        schema::is_committed::<Line>("event", "A line of ecs-bg --output json");
    }
}
