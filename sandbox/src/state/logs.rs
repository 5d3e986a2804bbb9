//! The log groups of Amazon CloudWatch Logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// The log groups of one region by name, with their streams by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Logs(pub(crate) BTreeMap<String, BTreeMap<String, Stream>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) created_at: Time,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: Time,
    pub(crate) ingested_at: Time,
    pub(crate) message: String,
}

/// What a container writes, on its way to a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) group: String,
    pub(crate) stream: String,
    pub(crate) at: Time,
    /// `None`: the stream is made, and nothing is in it yet.
    pub(crate) message: Option<String>,
}
