//! Writes the traffic between ecs-bg and the sandbox in the process to a file, for checks: one line of JSON
//! for each exchange.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ecs_bg_sandbox::sdk::Overhear;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::context::private;
use crate::error::Usage;
use crate::event::Error;

/// Appends each exchange to a file.
pub(super) fn into(path: &Path) -> Result<Overhear, Error> {
    let file = private().append(true).open(path).map_err(|error| {
        let what = format!("--sandbox-wire: {} cannot be written: {error}", path.display());
        Error::Usage(Usage::new(what, "--sandbox-wire FILE"))
    })?;
    Ok(Arc::new(move |request, answer| {
        let line = json!({
            "asked": headers(request.headers()),
            "request": text(request.body()),
            "status": answer.status().as_u16(),
            "got": headers(answer.headers()),
            "answer": text(answer.body()),
        });
        // Whoever reads it sees what is missing.
        let _ = (&file).write_all(format!("{line}\n").as_bytes());
    }))
}

fn headers(all: &HeaderMap) -> Value {
    let pairs = all.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()).into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
