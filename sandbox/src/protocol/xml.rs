//! Answers of the query protocol: the tree of `query` as XML. It knows no operation of any service.

use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::Fault;

/// The document that answers an operation.
pub(crate) fn response(
    operation: &str,
    namespace: &str,
    result: &Map<String, Value>,
    request_id: &str,
) -> String {
    let mut xml = format!("<{operation}Response xmlns=\"{namespace}\"><{operation}Result>");
    members(&mut xml, result, "member");
    xml.push_str(&format!("</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"));
    xml
}

/// The document that refuses one.
pub(crate) fn error(namespace: &str, fault: &Fault, request_id: &str) -> String {
    let side = if fault.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        fault.code,
        text_of(&fault.message)
    )
}

/// The document in which Amazon EC2 answers: no wrapper, and lists of `item`s.
pub(crate) fn ec2(
    operation: &str,
    version: &str,
    result: &Map<String, Value>,
    request_id: &str,
) -> String {
    let mut xml = format!(
        "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/{version}/\"><requestId>{request_id}</requestId>"
    );
    members(&mut xml, result, "item");
    xml.push_str(&format!("</{operation}Response>"));
    xml
}

/// The document in which Amazon EC2 refuses.
pub(crate) fn ec2_error(fault: &Fault, request_id: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>",
        fault.code,
        text_of(&fault.message)
    )
}

/// Text in XML, which has no way to write most control characters.
fn text_of(text: &str) -> String {
    let legal = |c: char| {
        !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r')
    };
    let text: String = text.chars().map(|c| if legal(c) { c } else { '\u{fffd}' }).collect();
    escape(&text).into_owned()
}

/// The members of a map; what is in a list is called `item`.
fn members(xml: &mut String, map: &Map<String, Value>, item: &str) {
    for (name, value) in map {
        match value {
            Value::Null => {}
            Value::Array(entries) if name == "entry" => {
                entries.iter().for_each(|entry| element(xml, name, entry, item));
            }
            value => element(xml, name, value, item),
        }
    }
}

fn element(xml: &mut String, name: &str, value: &Value, item: &str) {
    xml.push_str(&format!("<{name}>"));
    match value {
        Value::Object(map) => members(xml, map, item),
        Value::Array(list) => list.iter().for_each(|one| element(xml, item, one, item)),
        Value::String(text) => xml.push_str(&text_of(text)),
        other => xml.push_str(&other.to_string()),
    }
    xml.push_str(&format!("</{name}>"));
}
