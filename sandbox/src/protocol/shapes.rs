//! Which members a request has, of which type, and which of them must be there: read from the tables
//! in `shapes/`, so that a request is checked by data and not by code. Members that a table does not
//! know are kept: a client may be newer than this model.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::json::{Raw, RawObject, raw};

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Text,
    Integer,
    Number,
    Bool,
    Time,
    Any,
    List(Box<Kind>),
    Map(Box<Kind>),
    Object(String),
}

#[derive(Debug)]
struct Member {
    name: String,
    required: bool,
    kind: Kind,
}

/// What is wrong with a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    /// A required member is not there.
    Missing(String),
    /// A member has another type; what was found and what is expected.
    Type(String, &'static str, &'static str),
}

/// How scalars are written: JSON has types, query parameters are all text.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wire {
    Json,
    Query,
}

/// The tables of one service.
#[derive(Debug)]
pub(crate) struct Shapes(BTreeMap<String, Vec<Member>>);

impl Shapes {
    pub(crate) fn parse(text: &str) -> Shapes {
        let mut shapes: BTreeMap<String, Vec<Member>> = BTreeMap::new();
        let mut name = String::new();
        for word in text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split_whitespace())
        {
            match word.split_once(':') {
                Some((member, kind)) => {
                    let required = member.ends_with('!');
                    let member = Member {
                        name: member.trim_end_matches('!').to_owned(),
                        required,
                        kind: Kind::parse(kind),
                    };
                    shapes.entry(name.clone()).or_default().push(member);
                }
                None if word == "=" => drop(shapes.entry(name.clone()).or_default()),
                None => name = word.to_owned(),
            }
        }
        Shapes(shapes)
    }

    /// Whether there is such an operation (or a shape of that name).
    pub(crate) fn knows(&self, operation: &str) -> bool {
        self.0.contains_key(operation)
    }

    /// Checks the request of an operation.
    pub(crate) fn check(
        &self,
        operation: &str,
        request: &Map<String, Value>,
        wire: Wire,
    ) -> Result<(), Problem> {
        self.object(operation, request, "", wire)
    }

    /// A request in which texts are what the table says: numbers and booleans.
    pub(crate) fn typed(&self, shape: &str, request: &Map<String, Value>) -> Map<String, Value> {
        let mut typed = request.clone();
        for member in self.0.get(shape).into_iter().flatten() {
            if let Some(value) = typed.get_mut(&member.name) {
                *value = self.of_type(&member.kind, value);
            }
        }
        typed
    }

    fn of_type(&self, kind: &Kind, value: &Value) -> Value {
        let own = match (kind, value) {
            (Kind::Object(shape), Value::Object(map)) => Some(self.typed(shape, map).into()),
            (Kind::List(item), Value::Array(list)) => {
                Some(list.iter().map(|value| self.of_type(item, value)).collect())
            }
            (Kind::List(_), Value::String(_)) => Some(Value::Array(Vec::new())),
            (Kind::Integer, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
            (Kind::Number, Value::String(text)) => text.parse::<f64>().ok().map(Value::from),
            (Kind::Bool, Value::String(text)) => text.parse::<bool>().ok().map(Value::from),
            _ => None,
        };
        own.unwrap_or_else(|| value.clone())
    }

    /// What AWS keeps of a request: no member that is null, at any depth, and integers without a point.
    /// What needs no change keeps its bytes.
    pub(crate) fn normalise(&self, operation: &str, mut object: RawObject) -> RawObject {
        object.drop_nulls();
        for (name, value) in &mut object.0 {
            let members = self.0.get(operation).into_iter().flatten();
            if let Some(member) = members.into_iter().find(|member| member.name == *name)
                && let Some(other) = self.normal(&member.kind, value)
            {
                *value = other;
            }
        }
        object
    }

    /// The value in another writing, where AWS keeps another one.
    fn normal(&self, kind: &Kind, value: &Raw) -> Option<Raw> {
        let other = match kind {
            Kind::Integer => {
                let number: f64 = value.get().trim().parse().ok()?;
                return value.get().contains(['.', 'e', 'E']).then(|| raw(&(number as i64)));
            }
            Kind::Object(shape) => {
                let object = RawObject::parse(value.get())?;
                let before = raw(&object);
                let after = raw(&self.normalise(shape, object));
                (before.get() != after.get()).then_some(after)?
            }
            Kind::Map(_) => {
                let mut object = RawObject::parse(value.get())?;
                let count = object.0.len();
                object.drop_nulls();
                (object.0.len() < count).then(|| raw(&object))?
            }
            Kind::List(item) => {
                let mut list: Vec<Raw> = serde_json::from_str(value.get()).ok()?;
                let mut changed = false;
                for one in &mut list {
                    if let Some(other) = self.normal(item, one) {
                        *one = other;
                        changed = true;
                    }
                }
                changed.then(|| raw(&list))?
            }
            _ => return None,
        };
        Some(other)
    }

    fn object(
        &self,
        shape: &str,
        value: &Map<String, Value>,
        path: &str,
        wire: Wire,
    ) -> Result<(), Problem> {
        for member in self.0.get(shape).into_iter().flatten() {
            let path = if path.is_empty() {
                member.name.clone()
            } else {
                format!("{path}.{}", member.name)
            };
            match value.get(&member.name) {
                None | Some(Value::Null) if member.required => return Err(Problem::Missing(path)),
                None | Some(Value::Null) => {}
                Some(found) => self.value(&member.kind, found, &path, wire)?,
            }
        }
        Ok(())
    }

    fn value(&self, kind: &Kind, value: &Value, path: &str, wire: Wire) -> Result<(), Problem> {
        let fits = match (kind, value) {
            (Kind::Any, _) | (Kind::Text, Value::String(_)) | (Kind::Bool, Value::Bool(_)) => true,
            (Kind::Integer, Value::Number(n)) => n.as_f64().is_some_and(|n| n.fract() == 0.0),
            (Kind::Number | Kind::Time, Value::Number(_)) => true,
            (Kind::Time, Value::String(_)) => true,
            (Kind::Integer, Value::String(text)) => {
                wire == Wire::Query && text.parse::<i64>().is_ok()
            }
            (Kind::Number, Value::String(text)) => {
                wire == Wire::Query && text.parse::<f64>().is_ok()
            }
            (Kind::Bool, Value::String(text)) => {
                wire == Wire::Query && (text == "true" || text == "false")
            }
            // An empty list is written as an empty parameter.
            (Kind::List(_) | Kind::Object(_), Value::String(text)) => {
                wire == Wire::Query && text.is_empty()
            }
            (Kind::List(item), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    self.value(item, value, &format!("{path}.{}", index + 1), wire)?;
                }
                true
            }
            (Kind::Map(item), Value::Object(map)) if wire == Wire::Query => {
                let entries = map.get("entry").and_then(Value::as_array);
                for (at, entry) in entries.into_iter().flatten().enumerate() {
                    let path = format!("{path}.entry.{}", at + 1);
                    let (key, value) = (entry.get("key"), entry.get("value"));
                    self.value(&Kind::Text, key.unwrap_or_default(), &path, wire)?;
                    self.value(item, value.unwrap_or_default(), &path, wire)?;
                }
                map.len() == 1 && entries.is_some()
            }
            (Kind::Map(item), Value::Object(map)) => {
                for (key, value) in map {
                    self.value(item, value, &format!("{path}.{key}"), wire)?;
                }
                true
            }
            (Kind::Object(shape), Value::Object(map)) => {
                return self.object(shape, map, path, wire);
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(Problem::Type(path.to_owned(), found(value), kind.expected()))
        }
    }
}

impl Kind {
    fn parse(text: &str) -> Kind {
        let inner = |text: &str| Box::new(Kind::parse(&text[1..text.len() - 1]));
        match text {
            "s" => Kind::Text,
            "i" => Kind::Integer,
            "n" => Kind::Number,
            "b" => Kind::Bool,
            "t" => Kind::Time,
            "any" => Kind::Any,
            list if list.starts_with('[') => Kind::List(inner(list)),
            map if map.starts_with('{') => Kind::Map(inner(map)),
            object => Kind::Object(object.to_owned()),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Kind::Text => "String",
            Kind::Integer => "Integer",
            Kind::Number => "Double",
            Kind::Bool => "Boolean",
            Kind::Time => "Date",
            Kind::List(_) => "List",
            Kind::Map(_) | Kind::Object(_) | Kind::Any => "Map",
        }
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(n) if n.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_finds_what_is_missing_and_what_has_another_type() {
        let shapes = Shapes::parse(
            "# comment\nMake = name!:s size:i parts:[Part]\n  tags:{s}\nPart = id!:s\nEmpty = \n",
        );
        let check =
            |value: Value, wire| shapes.check("Make", value.as_object().expect("an object"), wire);
        assert_eq!(
            check(
                json!({"name": "a", "size": 3, "parts": [{"id": "x", "new": 1}], "other": []}),
                Wire::Json
            ),
            Ok(())
        );
        assert_eq!(check(json!({}), Wire::Json), Err(Problem::Missing("name".into())));
        assert_eq!(
            check(json!({"name": "a", "parts": [{}]}), Wire::Json),
            Err(Problem::Missing("parts.1.id".into()))
        );
        assert_eq!(
            check(json!({"name": 5}), Wire::Json),
            Err(Problem::Type("name".into(), "NUMBER_VALUE", "String"))
        );
        assert!(check(json!({"name": "a", "size": "3"}), Wire::Json).is_err());
        assert_eq!(check(json!({"name": "a", "size": "3", "parts": ""}), Wire::Query), Ok(()));
        assert!(check(json!({"name": "a", "tags": {"k": 1}}), Wire::Json).is_err());
        let entry =
            |value: Value| json!({"name": "a", "tags": {"entry": [{"key": "k", "value": value}]}});
        assert_eq!(check(entry(json!("v")), Wire::Query), Ok(()));
        assert!(check(entry(json!(["v"])), Wire::Query).is_err());
        assert!(check(json!({"name": "a", "tags": {"k": "v"}}), Wire::Query).is_err());
    }

    #[test]
    fn texts_become_what_the_table_says() {
        let shapes =
            Shapes::parse("Put = name:s size:i limit:n on:b parts:[Part] none:[s]\nPart = id:i\n");
        let request = json!({
            "name": "1", "size": "3", "limit": "80", "on": "true", "parts": [{"id": "7"}], "none": "", "other": "5",
        });
        let typed = json!({
            "name": "1", "size": 3, "limit": 80.0, "on": true, "parts": [{"id": 7}], "none": [], "other": "5",
        });
        let own = shapes.typed("Put", request.as_object().expect("an object"));
        assert_eq!(Value::Object(own.clone()), typed);
        assert_eq!(shapes.typed("Put", &own), own);
    }
}
