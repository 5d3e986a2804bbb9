//! JSON: one object per event and line, or one document. Times are RFC 3339.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Listening, SCHEMA, lines, sanitise, words};
use crate::event::{Cause, Ended, Ending, Error, Event, Fault, Hint, Kind};

/// A command with the options that it needs to mean the same AWS.
type Complete<'a> = &'a dyn Fn(&str) -> String;

/// The sentences of an event. Everything else is its facts.
struct Words<'a> {
    message: fn(&Kind) -> String,
    command: fn(&Hint) -> String,
    fault: fn(&Fault) -> String,
    fix: fn(&Fault) -> String,
    complete: Complete<'a>,
}

fn ours(complete: Complete<'_>) -> Words<'_> {
    Words { message, command: words::hint, fault: words::fault, fix: words::fault_fix, complete }
}

/// One event, on one line.
pub(super) fn event(
    event: &Event,
    elapsed: Duration,
    deployment: Option<&str>,
    complete: Complete<'_>,
) -> String {
    let mut object = one(&event.kind, Some(event.at), elapsed, &ours(complete));
    if let Some(deployment) = deployment.filter(|_| object.get("deployment").is_none()) {
        object["deployment"] = deployment.into();
    }
    line(object)
}

fn one(kind: &Kind, at: Option<SystemTime>, elapsed: Duration, said: &Words<'_>) -> Value {
    let mut object = json!({ "schema": SCHEMA, "elapsed_seconds": elapsed.as_secs() });
    if let Some(at) = at {
        object["at"] = humantime::format_rfc3339_seconds(at).to_string().into();
    }
    merge(&mut object, kind);
    object["message"] = (said.message)(kind).into();
    if let Kind::Outcome(ended) = kind {
        for (name, hint) in [("hint", &ended.hint), ("undo", &ended.undo)] {
            if let Some(hint) = hint {
                object[name]["command"] = (said.complete)(&(said.command)(hint)).into();
            }
        }
        match &ended.ending {
            Ending::Error { errors } => {
                object["errors"] = errors.iter().map(|error| fault(error, said)).collect();
            }
            Ending::Swept { deployments } => {
                for (index, one) in deployments.iter().enumerate() {
                    if let Some(error) = &one.error {
                        object["deployments"][index]["error"] = fault(error, said);
                    }
                }
            }
            _ => {}
        }
        if let Some(Cause::InTheWay { error }) = &ended.why {
            object["why"]["error"] = fault(error, said);
        }
    }
    object
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
fn fault(fault: &Fault, said: &Words<'_>) -> Value {
    let mut object = json!({});
    if let Some(check) = fault.check {
        object["check"] = check.into();
    }
    object["message"] = (said.fault)(fault).into();
    object["fix"] = (said.complete)(&(said.fix)(fault)).into();
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
pub(super) fn error(
    error: &Error,
    at: Option<SystemTime>,
    elapsed: Duration,
    complete: Complete<'_>,
) -> String {
    line(one(&Kind::Outcome(Box::new(failed(error))), at, elapsed, &ours(complete)))
}

/// The end of a command that could not do its work.
pub(super) fn failed(error: &Error) -> Ended {
    Ended {
        ending: Ending::Error { errors: error.faults() },
        exit_code: error.exit_code(),
        interrupted: error.is_interrupted(),
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
    use std::time::Duration;

    use schemars::JsonSchema;
    use serde_json::Value;

    use super::{Words, failed, one, ours};
    use crate::event::refusal::ServiceRefused;
    use crate::event::{Cause, Ended, Ending, Error, Fault, FaultKind, Hint, Kind, Refusal, Swept};
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
        /// The deployment that it is about, once there is one: `web:43`
        #[serde(skip_serializing_if = "Option::is_none")]
        deployment: Option<String>,
        /// The same in words. They may change; the other members do not, within a version.
        message: String,
        #[serde(flatten)]
        event: Kind,
    }

    #[test]
    fn the_schema_of_events_is_that_of_the_types() {
        schema::is_committed::<Line>("event", "A line of ecs-bg --output json");
    }

    /// A sentence that says nothing.
    const OTHER: &str = "(other words)";

    /// What differs but for sentences.
    fn differs(ours: &Value, other: &Value) -> bool {
        match (ours, other) {
            (Value::String(_), Value::String(text)) if text == OTHER => false,
            (Value::Object(ours), Value::Object(other)) => {
                !ours.keys().eq(other.keys())
                    || ours.iter().any(|(name, value)| differs(value, &other[name]))
            }
            (Value::Array(ours), Value::Array(other)) => {
                ours.len() != other.len() || ours.iter().zip(other).any(|(a, b)| differs(a, b))
            }
            _ => ours != other,
        }
    }

    #[test]
    fn other_sentences_change_no_fact() {
        let others = Words {
            message: |_| OTHER.to_owned(),
            command: |_| OTHER.to_owned(),
            fault: |_| OTHER.to_owned(),
            fix: |_| OTHER.to_owned(),
            complete: &str::to_owned,
        };
        let refused =
            || ServiceRefused::NoService { service: "web".into(), cluster: "shop".into() };
        let fault = || Fault {
            check: Some("service"),
            kind: FaultKind::Refused(Box::new(refused().into())),
        };
        let hint = || Hint::new("status", "shop", "web");
        let swept =
            Swept { deployment: None, service: "web".into(), exit_code: 4, error: Some(fault()) };
        let begun =
            Ended { exit_code: 3, hint: Some(hint()), undo: Some(hint()), ..Ended::default() };
        let ends = [
            Ended { ending: Ending::Error { errors: vec![fault(), fault()] }, ..begun.clone() },
            Ended { ending: Ending::Swept { deployments: vec![swept] }, ..begun.clone() },
            Ended { why: Some(Cause::InTheWay { error: fault() }), ..begun },
            failed(&Error::from(Refusal::new(refused()))),
        ];
        for end in ends {
            let kind = Kind::Outcome(Box::new(end));
            let [ours, other] = [&ours(&str::to_owned), &others]
                .map(|said| one(&kind, None, Duration::from_secs(61), said));
            assert!(!differs(&ours, &other), "{ours:#}\n{other:#}");
            assert_eq!(other["message"], OTHER);
            assert_ne!(ours, other, "the sentences were replaced");
        }
    }
}
