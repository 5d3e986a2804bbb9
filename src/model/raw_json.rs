//! JSON objects that are carried as the bytes that AWS sent: only what is changed is parsed, so that a
//! member which AWS adds next year survives.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// A JSON object whose members stay as they are written, in their order.
#[derive(Clone, Debug, Default)]
pub struct RawObject(pub Vec<(String, Box<RawValue>)>);

impl RawObject {
    /// The value of a member, as it is written.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Gives a member this value, in its place or at the end.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The items of a member that may be missing.
    pub fn items(&self, member: &str) -> Result<Vec<Self>, serde_json::Error> {
        let items = self.get(member).map(|raw| serde_json::from_str::<Option<_>>(raw.get()));
        Ok(items.transpose()?.flatten().unwrap_or_default())
    }

    /// Whether its member `name` is this.
    pub fn is_named(&self, name: &str) -> bool {
        self.part::<String>("name").is_ok_and(|own| own == name)
    }

    /// The item of that name has this value; the others stay as they are written, in their order.
    pub fn list(
        &mut self,
        member: &str,
        name: &str,
        (key, value): (&str, &str),
    ) -> Result<(), serde_json::Error> {
        let mut items = self.items(member)?;
        match items.iter_mut().find(|item| item.is_named(name)) {
            Some(item) => item.set(key, to_raw_value(value)?),
            None => items.push(Self(vec![
                ("name".to_owned(), to_raw_value(name)?),
                (key.to_owned(), to_raw_value(value)?),
            ])),
        }
        self.set(member, to_raw_value(&items)?);
        Ok(())
    }

    /// No item has that name.
    pub fn unlist(&mut self, member: &str, name: &str) -> Result<(), serde_json::Error> {
        let mut items = self.items(member)?;
        let before = items.len();
        items.retain(|item| !item.is_named(name));
        if items.len() < before {
            self.set(member, to_raw_value(&items)?);
        }
        Ok(())
    }

    /// A member, read.
    pub fn part<'de, T: Deserialize<'de>>(&'de self, name: &str) -> Result<T, serde_json::Error> {
        let missing = || serde_json::Error::custom(format!("no member `{name}`"));
        serde_json::from_str(self.get(name).ok_or_else(missing)?.get())
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawObject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
