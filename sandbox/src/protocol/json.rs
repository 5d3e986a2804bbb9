//! awsJson 1.1: bodies, errors, and objects that keep what they were sent byte for byte.
//! It knows nothing of any service's operations.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::{
    Fault,
    shapes::{Problem, Shapes, Wire},
};

/// A JSON text that is passed on as it is.
pub(crate) type Raw = Box<RawValue>;

/// The answer of an operation.
pub(crate) type Answer = Result<Raw, Fault>;

/// Any value as JSON text.
pub(crate) fn raw(value: &impl Serialize) -> Raw {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The request: both as values to look at and as the text that was sent.
pub(crate) struct Request<'a> {
    pub(crate) text: &'a str,
    pub(crate) value: Map<String, Value>,
}

impl<'a> Request<'a> {
    /// Reads a body; an empty one is an empty object, as the services see it.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Request<'a>, Fault> {
        let malformed =
            || Fault::new("SerializationException", "The request body is not a JSON object.");
        let text = std::str::from_utf8(body).map_err(|_| malformed())?;
        let text = if text.trim().is_empty() { "{}" } else { text };
        match serde_json::from_str(text) {
            Ok(Value::Object(mut value)) => {
                strip_nulls(&mut value);
                Ok(Request { text, value })
            }
            _ => Err(malformed()),
        }
    }

    /// Refuses wrong types and missing members; `missing` is how the service says that one is missing.
    pub(crate) fn check(
        &self,
        shapes: &Shapes,
        operation: &str,
        missing: fn(&str) -> Fault,
    ) -> Result<(), Fault> {
        shapes.check(operation, &self.value, Wire::Json).map_err(|problem| match problem {
            Problem::Missing(path) => missing(&path),
            Problem::Type(_, found, expected) => Fault::new(
                "SerializationException",
                format!("{found} can not be converted to a {expected}"),
            ),
        })
    }

    pub(crate) fn text_of(&self, member: &str) -> Option<&str> {
        self.value.get(member).and_then(Value::as_str)
    }

    pub(crate) fn int_of(&self, member: &str) -> Option<i64> {
        int(self.value.get(member))
    }

    pub(crate) fn bool_of(&self, member: &str) -> bool {
        self.value.get(member).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of texts; absent is empty.
    pub(crate) fn texts_of(&self, member: &str) -> Vec<String> {
        texts(self.value.get(member))
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.value.contains_key(member)
    }
}

pub(crate) fn int(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|n| n as i64))
        .or_else(|| value.as_str()?.parse().ok())
}

pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Removes members that are null, at any depth.
pub(crate) fn strip_nulls(map: &mut Map<String, Value>) {
    map.retain(|_, value| !value.is_null());
    for value in map.values_mut() {
        strip_nulls_within(value);
    }
}

fn strip_nulls_within(value: &mut Value) {
    match value {
        Value::Object(map) => strip_nulls(map),
        Value::Array(list) => list.iter_mut().for_each(strip_nulls_within),
        _ => {}
    }
}

/// An object whose members keep their order and their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawObject(pub(crate) Vec<(String, Raw)>);

impl RawObject {
    pub(crate) fn parse(text: &str) -> Option<RawObject> {
        serde_json::from_str(text).ok()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Replaces a member in its place, or adds it at the end.
    pub(crate) fn set(&mut self, name: &str, value: Raw) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Adds a member that is not there: a default never replaces what was sent.
    pub(crate) fn or(&mut self, name: &str, value: &impl Serialize) {
        if self.get(name).is_none() {
            self.0.push((name.to_owned(), raw(value)));
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    pub(crate) fn drop_nulls(&mut self) {
        self.0.retain(|(_, value)| value.get().trim() != "null");
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = RawObject::default();
                while let Some((key, value)) = map.next_entry::<String, Raw>()? {
                    members.set(&key, value);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
