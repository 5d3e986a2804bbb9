//! What alarms say of themselves. Their states are with the services that they watch.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Time;

/// An alarm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Alarm {
    /// What PutMetricAlarm set.
    pub(crate) settings: Map<String, Value>,
    pub(crate) configured_at: Time,
    pub(crate) reason: Option<String>,
    pub(crate) set_at: Time,
}
