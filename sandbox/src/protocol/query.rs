//! Requests of the query protocol: form parameters as a tree. All scalars are text in this protocol and
//! stay text in the state. `member.N` parameters are a list; a map is an object whose only member is a
//! list `entry` of `key` and `value`. Answers are in `xml`. It knows no operation of any service.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    Fault,
    shapes::{Problem, Shapes, Wire},
};

/// The result element of an operation.
pub(crate) type Answer = Result<Map<String, Value>, Fault>;

/// A parameter's name has at most so many parts: nothing of AWS is deeper, and trees are walked by
/// recursion.
const DEEPEST: usize = 32;

/// The parameters of a request as a tree.
pub(crate) fn parse(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    let malformed = |what: &str| Fault::new("MalformedQueryString", what);
    let mut root = Value::Object(Map::new());
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let decode = |text| decode(text).ok_or_else(|| malformed("The query string is not UTF-8"));
        let (key, value) = (decode(key)?, decode(value)?);
        let path: Vec<&str> = key.split('.').collect();
        if path.len() > DEEPEST {
            return Err(malformed("A parameter of the query string is nested too deeply"));
        }
        insert(&mut root, &path, value);
    }
    tidy(&mut root);
    match root {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

fn insert(node: &mut Value, path: &[&str], text: String) {
    let Some((first, rest)) = path.split_first() else {
        *node = Value::String(text);
        return;
    };
    if !node.is_object() {
        *node = Value::Object(Map::new());
    }
    if let Value::Object(map) = node {
        insert(map.entry(*first).or_insert(Value::Null), rest, text);
    }
}

/// `{"member": {"1": a, "2": b}}` becomes `[a, b]`, and `{"entry": {"1": a}}` becomes `{"entry": [a]}`.
fn tidy(node: &mut Value) {
    let Value::Object(map) = node else { return };
    map.values_mut().for_each(tidy);
    if map.len() != 1 {
        return;
    }
    if let Some(list) = map.get_mut("member").and_then(numbered) {
        *node = list;
    } else if let Some(entries) = map.get_mut("entry")
        && let Some(list) = numbered(entries)
    {
        *entries = list;
    }
}

/// What is numbered, in its order.
fn numbered(node: &mut Value) -> Option<Value> {
    let Value::Object(items) = node else { return None };
    if !items.keys().all(|key| key.parse::<u32>().is_ok()) {
        return None;
    }
    let mut list: Vec<_> = std::mem::take(items).into_iter().collect();
    list.sort_by_key(|(key, _)| key.parse::<u32>().unwrap_or(0));
    Some(list.into_iter().map(|(_, value)| value).collect())
}

fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = (byte == b'%').then(|| tail.get(..2)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Refuses wrong types and missing members.
pub(crate) fn check(
    shapes: &Shapes,
    operation: &str,
    request: &Map<String, Value>,
) -> Result<(), Fault> {
    check_as(shapes, operation, request, Wire::Query)
}

/// The same for a service whose requests may have types.
pub(crate) fn check_as(
    shapes: &Shapes,
    operation: &str,
    request: &Map<String, Value>,
    wire: Wire,
) -> Result<(), Fault> {
    shapes.check(operation, request, wire).map_err(|problem| match problem {
        Problem::Missing(path) => Fault::null(&path),
        Problem::Type(_, found, expected) if wire == Wire::Json => Fault::new(
            "SerializationException",
            format!("{found} can not be converted to a {expected}"),
        ),
        Problem::Type(path, _, expected) => {
            Fault::new("MalformedInput", format!("'{}' must be of type {expected}", lower(&path)))
        }
    })
}

/// A member's name as texts have it.
pub(super) fn lower(path: &str) -> String {
    let mut chars = path.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// Numbers and booleans as the text that they are on this wire; for requests that were not parsed from it.
pub(crate) fn as_text(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Array(list) => Value::Array(list.into_iter().map(as_text).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, as_text(value))).collect())
        }
        other => other,
    }
}

pub(crate) fn text<'a>(request: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    request.get(member).and_then(Value::as_str)
}

/// A member that the tables require: absent cannot happen after `check`.
pub(crate) fn required<'a>(request: &'a Map<String, Value>, member: &str) -> &'a str {
    text(request, member).unwrap_or_default()
}

pub(crate) fn list<'a>(request: &'a Map<String, Value>, member: &str) -> Cow<'a, [Value]> {
    match request.get(member) {
        Some(Value::Array(list)) => Cow::Borrowed(list),
        _ => Cow::Owned(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_become_a_tree_and_a_tree_becomes_xml() {
        let text = b"Action=X&A.member.2.B=b%20%26&A.member.1.B=a+a&A.member.1.C.D=1&Empty=\
            &M.entry.1.key=k&M.entry.1.value=v&M.entry.2.key=l&M.entry.2.value=w";
        let tree = parse(text).expect("a tree");
        let expected = json!({"Action": "X", "A": [{"B": "a a", "C": {"D": "1"}}, {"B": "b &"}], "Empty": "",
                "M": {"entry": [{"key": "k", "value": "v"}, {"key": "l", "value": "w"}]}});
        assert_eq!(Value::Object(tree.clone()), expected);
        let xml = crate::protocol::xml::response("X", "ns", &tree, "id");
        assert!(
            xml.contains(
                "<A><member><B>a a</B><C><D>1</D></C></member><member><B>b &amp;</B></member></A>"
            ),
            "{xml}"
        );
        assert!(
            xml.contains(
                "<M><entry><key>k</key><value>v</value></entry><entry><key>l</key><value>w</value></entry></M>"
            ),
            "{xml}"
        );
    }
}
