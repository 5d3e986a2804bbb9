//! Reads a policy document. What is wrong with it is told with its line and member, because a policy
//! that is misunderstood allows what it should not, or the other way round. It judges nothing.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use super::condition::Condition;

/// A policy document: what everybody is allowed to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document")]
pub struct Policy {
    /// The document, to be kept with a saved world.
    #[serde(flatten)]
    document: serde_json::Map<String, serde_json::Value>,
    #[serde(skip)]
    pub(super) statements: Vec<Statement>,
}

/// What is wrong with a policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong; it names the member.
    pub what: String,
}

impl Policy {
    /// Reads a document; `name` is its file.
    pub fn parse(text: &str, name: &str) -> Result<Policy, Error> {
        let error = |error: serde_json::Error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            Error {
                file: name.to_owned(),
                line: error.line().max(1),
                what: error.to_string().replace(&place, ""),
            }
        };
        let parts: Parts = serde_json::from_str(text).map_err(error)?;
        let document = serde_json::from_str(text).map_err(error)?;
        Ok(Policy { document, statements: parts.statement.0 })
    }
}

/// A saved document: read again when the world is.
#[derive(Deserialize)]
struct Document(serde_json::Map<String, serde_json::Value>);

impl TryFrom<Document> for Policy {
    type Error = String;

    fn try_from(Document(document): Document) -> Result<Policy, String> {
        let parts: Parts = serde_json::from_value(serde_json::Value::Object(document.clone()))
            .map_err(|error| error.to_string())?;
        Ok(Policy { document, statements: parts.statement.0 })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Parts {
    #[serde(default, rename = "Version")]
    _version: Version,
    #[serde(default, rename = "Id")]
    _id: Option<String>,
    statement: Many<Statement>,
}

#[derive(Default)]
struct Version;

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "2012-10-17" | "2008-10-17" => Ok(Version),
            other => Err(de::Error::custom(format!(
                "`Version` must be \"2012-10-17\" or \"2008-10-17\", not {other:?}"
            ))),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "Allow" => Ok(Effect::Allow),
            "Deny" => Ok(Effect::Deny),
            other => Err(de::Error::custom(format!(
                "`Effect` must be \"Allow\" or \"Deny\", not {other:?}"
            ))),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Members")]
pub(super) struct Statement {
    pub(super) effect: Effect,
    /// Patterns, and whether they are what is not meant.
    pub(super) actions: (Vec<String>, bool),
    pub(super) resources: (Vec<String>, bool),
    pub(super) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Members {
    #[serde(default, rename = "Sid")]
    _sid: Option<String>,
    effect: Effect,
    action: Option<Many<String>>,
    not_action: Option<Many<String>>,
    resource: Option<Many<String>>,
    not_resource: Option<Many<String>>,
    #[serde(default)]
    condition: Conditions,
}

impl TryFrom<Members> for Statement {
    type Error = String;

    fn try_from(members: Members) -> Result<Statement, String> {
        let either =
            |name: &str, these: Option<Many<String>>, not: Option<Many<String>>| match (these, not)
            {
                (Some(these), None) => Ok((these.0, false)),
                (None, Some(not)) => Ok((not.0, true)),
                (None, None) => {
                    Err(format!("a statement needs `{name}` or `Not{name}`, and has neither"))
                }
                (Some(_), Some(_)) => {
                    Err(format!("a statement cannot have both `{name}` and `Not{name}`"))
                }
            };
        let actions = either("Action", members.action, members.not_action)?;
        if let Some(bad) = actions.0.iter().find(|one| *one != "*" && !one.contains(':')) {
            return Err(format!("`Action`: {bad:?} must be \"*\" or `service:Operation`"));
        }
        let resources = either("Resource", members.resource, members.not_resource)?;
        let arn = |one: &&String| {
            *one != "*" && !(one.starts_with("arn:") && one.split(':').count() >= 6)
        };
        if let Some(bad) = resources.0.iter().find(arn) {
            return Err(format!("`Resource`: {bad:?} must be \"*\" or an ARN"));
        }
        Ok(Statement {
            effect: members.effect,
            actions,
            resources,
            conditions: members.condition.0,
        })
    }
}

/// One of something, or a list of it.
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
                let mut many = Vec::new();
                while let Some(one) = list.next_element()? {
                    many.push(one);
                }
                Ok(Many(many))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(|one| Many(vec![one]))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Many<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|one| Many(vec![one]))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Many<T>, E> {
                self.visit_str(if flag { "true" } else { "false" })
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Many<T>, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(OneOrMany(std::marker::PhantomData))
    }
}

/// `{"StringEquals": {"aws:RequestTag/team": ["a", "b"]}}`
#[derive(Default)]
struct Conditions(Vec<Condition>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Blocks;
        impl<'de> Visitor<'de> for Blocks {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`Condition` as an object of operators")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
                let mut all = Vec::new();
                while let Some(operator) = map.next_key::<String>()? {
                    let test = Condition::operator(&operator).map_err(de::Error::custom)?;
                    let keys: std::collections::BTreeMap<String, Many<String>> =
                        map.next_value()?;
                    let on = |(key, values): (String, Many<String>)| test.on(&key, values.0);
                    all.extend(keys.into_iter().map(on));
                }
                Ok(Conditions(all))
            }
        }
        deserializer.deserialize_map(Blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_policy_is_refused_with_line_and_member() {
        let table = [
            ("", 1, "EOF while parsing"),
            ("{\n\"Version\": \"2012-10-17\"\n}", 3, "missing field `Statement`"),
            ("{\"Version\": \"2020\", \"Statement\": []}", 1, "`Version` must be"),
            ("{\"Statement\": [\n{\"Effect\": \"Alow\"}]}", 2, "`Effect` must be \"Allow\""),
            ("{\"Statement\": [\n{\"Efect\": \"Allow\"}]}", 2, "unknown field `Efect`"),
            (
                "{\"Statement\": [\n{\"Effect\": \"Allow\", \"Resource\": \"*\"}]}",
                2,
                "needs `Action` or `NotAction`",
            ),
            (
                "{\"Statement\": {\"Effect\": \"Allow\",\n\"Action\": \"DescribeTasks\",\n\"Resource\": \"*\"}}",
                3,
                "`Action`: \"DescribeTasks\" must be",
            ),
            (
                "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\",\n\"Resource\": \"web\"}}",
                2,
                "`Resource`: \"web\" must be",
            ),
            (
                "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\",\n\"Condition\": {\"StringIs\": {}}}}",
                2,
                "`Condition`: the operator \"StringIs\"",
            ),
            (
                "{\"Statement\": {\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\", \"Principal\": \"*\"}}",
                1,
                "unknown field `Principal`",
            ),
        ];
        for (text, line, what) in table {
            let error = Policy::parse(text, "p.json").expect_err(text);
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.what.contains(what), "{text}: {error}");
            assert!(!error.what.contains(" line "), "{error}");
        }
    }

    #[test]
    fn a_saved_policy_is_the_same() {
        let text = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*", "Condition": {"Bool": {"a:B": true}}}}"#;
        let policy = Policy::parse(text, "p.json").expect("a policy");
        let saved = serde_json::to_string(&policy).expect("saved");
        assert_eq!(serde_json::from_str::<Policy>(&saved).expect("read"), policy);
    }
}
