//! The control plane, `/_sandbox/…`: what the world looks like, how its images behave, how fast its time
//! passes, what goes wrong. AWS has none of it. Errors are `{"error": …}` and name the member.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{ENTRIES, World};
use crate::{Load, duration, faults::Order, image::Image, lambda::Lambda};

const PATHS: &str = "GET world, GET journal, GET or PUT images, GET or PUT lambdas, GET or PUT native, PUT alarms, PUT loads, GET or POST clock, GET or POST faults";

/// Time may be hurried, not stopped: clients wait in real time.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// Whether time may pass so many times as fast as it does.
pub fn is_scale(scale: f64) -> bool {
    SCALES.contains(&scale)
}

pub(crate) fn answer(world: &World, path: &str, request: &Request<Bytes>) -> Response<Bytes> {
    let now = world.now();
    world.cloud().advance(now);
    let body = request.body();
    // Another type is what a browser sends for a page of anybody's without asking first.
    if !body.is_empty() && !is_json(request) {
        let what = "a body must have the header content-type: application/json";
        return respond(StatusCode::UNSUPPORTED_MEDIA_TYPE, error(what));
    }
    let answer = match (request.method(), path) {
        (&Method::GET, "world") => text(&*world.cloud()),
        (&Method::GET, "journal") => return journal(world),
        (&Method::GET, "images") => text(&world.cloud().images()),
        (&Method::PUT, "images") => images(world, body),
        (&Method::GET, "lambdas") => text(&world.cloud().lambdas()),
        (&Method::PUT, "lambdas") => lambdas(world, body),
        (&Method::GET, "native") => text(world.cloud().unverified()),
        (&Method::PUT, "native") => native(world, body),
        (&Method::GET, "clock") => Ok(clock_of(world)),
        (&Method::POST, "clock") => clock(world, body),
        (&Method::GET, "faults") => text(&world.cloud().faults()),
        (&Method::POST, "faults") => faults(world, body),
        (&Method::PUT, "alarms") => alarms(world, body),
        (&Method::PUT, "loads") => loads(world, body),
        (
            _,
            "alarms" | "loads" | "lambdas" | "native" | "world" | "journal" | "images" | "clock"
            | "faults",
        ) => {
            let what = format!("{} does not go with {path}: {PATHS}", request.method());
            return respond(StatusCode::METHOD_NOT_ALLOWED, error(&what));
        }
        _ => {
            let what = format!("/_sandbox/{path} is not here: {PATHS}");
            return respond(StatusCode::NOT_FOUND, error(&what));
        }
    };
    match answer {
        Ok(body) => respond(StatusCode::OK, body),
        Err(what) => respond(StatusCode::BAD_REQUEST, error(&what)),
    }
}

fn is_json(request: &Request<Bytes>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// The newest changes; a header says how many older ones there were.
fn journal(world: &World) -> Response<Bytes> {
    let (entries, forgotten) = {
        let mut cloud = world.cloud();
        let forgotten = cloud.forget(ENTRIES);
        (text(&cloud.journal()), forgotten)
    };
    match entries {
        Ok(entries) => {
            let mut response = respond(StatusCode::OK, entries);
            response.headers_mut().insert("x-forgotten", forgotten.into());
            response
        }
        Err(what) => respond(StatusCode::BAD_REQUEST, error(&what)),
    }
}

/// A refusal of a request that is not a client's on this machine.
pub(super) fn forbidden(what: &str) -> Response<Bytes> {
    respond(StatusCode::FORBIDDEN, error(what))
}

/// A refusal for now.
pub(super) fn busy(what: &str) -> Response<Bytes> {
    respond(StatusCode::SERVICE_UNAVAILABLE, error(what))
}

fn error(what: &str) -> String {
    json!({"error": what}).to_string()
}

fn text(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn respond(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// A list of something, or one of it; an error says which one.
fn list<T: DeserializeOwned>(body: &[u8], name: &str) -> Result<Vec<T>, String> {
    let value = serde_json::from_slice(body).map_err(|error| format!("{name}: {error}"))?;
    let list = match value {
        Value::Array(list) => list,
        one @ Value::Object(_) => vec![one],
        _ => return Err(format!("{name}: must be a list of objects")),
    };
    let item = |(at, value)| {
        serde_json::from_value(value).map_err(|error| format!("{name}[{at}]: {error}"))
    };
    list.into_iter().enumerate().map(item).collect()
}

fn images(world: &World, body: &[u8]) -> Result<String, String> {
    let images: Vec<Image> = list(body, "images")?;
    let mut cloud = world.cloud();
    images.into_iter().for_each(|image| cloud.set_image(image));
    text(&cloud.images())
}

fn lambdas(world: &World, body: &[u8]) -> Result<String, String> {
    let lambdas: Vec<Lambda> = list(body, "lambdas")?;
    let mut cloud = world.cloud();
    lambdas.into_iter().for_each(|lambda| cloud.set_lambda(lambda));
    text(&cloud.lambdas())
}

fn native(world: &World, body: &[u8]) -> Result<String, String> {
    let unverified = serde_json::from_slice(body).map_err(|error| format!("native: {error}"))?;
    let mut cloud = world.cloud();
    cloud.set_unverified(unverified);
    text(cloud.unverified())
}

fn faults(world: &World, body: &[u8]) -> Result<String, String> {
    let orders: Vec<Order> = list(body, "faults")?;
    let mut cloud = world.cloud();
    cloud.set_faults(orders)?;
    text(&cloud.faults())
}

/// An alarm of CloudWatch, in the scenario's region.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alarm {
    name: String,
    state: AlarmState,
}

#[derive(Deserialize)]
enum AlarmState {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

fn alarms(world: &World, body: &[u8]) -> Result<String, String> {
    let alarms: Vec<Alarm> = list(body, "alarms")?;
    let mut cloud = world.cloud();
    for alarm in &alarms {
        let state = match alarm.state {
            AlarmState::Ok => "OK",
            AlarmState::Alarm => "ALARM",
            AlarmState::InsufficientData => "INSUFFICIENT_DATA",
        };
        cloud.set_alarm(&alarm.name, state);
    }
    Ok(json!({"set": alarms.len()}).to_string())
}

/// What the requests to a service take.
#[derive(Deserialize)]
struct LoadOf {
    /// `cluster/service`.
    service: String,
    #[serde(flatten)]
    load: Load,
}

fn loads(world: &World, body: &[u8]) -> Result<String, String> {
    let loads: Vec<LoadOf> = list(body, "loads")?;
    let mut cloud = world.cloud();
    loads.iter().for_each(|one| cloud.set_load(&one.service, one.load));
    Ok(json!({"set": loads.len()}).to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    #[serde(default, with = "duration::option")]
    advance: Option<Duration>,
    #[serde(default)]
    scale: Option<f64>,
}

fn clock(world: &World, body: &[u8]) -> Result<String, String> {
    let turn: Turn = serde_json::from_slice(body).map_err(|error| format!("clock: {error}"))?;
    if turn.scale.is_some_and(|scale| !is_scale(scale)) {
        return Err("clock: `scale` must be between 0.001 and 100000".into());
    }
    let advance = turn.advance.unwrap_or_default();
    if advance > Duration::from_secs(366 * 86_400) {
        return Err("clock: `advance` must be a year at most".into());
    }
    let now = world.set_clock(advance, turn.scale);
    world.cloud().advance(now);
    Ok(clock_of(world))
}

fn clock_of(world: &World) -> String {
    json!({"now": world.cloud().now().to_string(), "scale": world.scale()}).to_string()
}
