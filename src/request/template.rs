//! A task definition's file: `${NAME}` inside its texts is filled in from the environment. The rest
//! stays as it is written, and so does all of a file that AWS printed.

use std::collections::BTreeSet;
use std::ffi::OsString;

use crate::error::Usage;
use crate::model::revision::Revision;

/// A file's text with its variables filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The text.
    pub text: String,
    /// The variables that were filled in from the environment.
    pub names: BTreeSet<String>,
}

/// The text of a file. Windows writes a byte order mark before it, or UTF-16.
pub fn decode(bytes: Vec<u8>) -> Option<String> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks(2).map(|pair| Some(read(pair.try_into().ok()?)));
        String::from_utf16(&pairs.collect::<Option<Vec<u16>>>()?).ok()
    };
    match &bytes[..] {
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// The text with its variables filled in; a variable that is not set is refused by name. What
/// DescribeTaskDefinition printed is no template: its `${NAME}` is for the container's shell.
pub fn fill_in(
    path: &str,
    text: &str,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Filled, Usage> {
    if Revision::is_described(text) {
        return Ok(Filled { text: text.to_owned(), names: BTreeSet::new() });
    }
    let mut filled = Filled { text: String::with_capacity(text.len()), names: BTreeSet::new() };
    let mut quoted = false;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let taken = match character {
            '"' => {
                quoted = !quoted;
                1
            }
            // An escaped quotation mark does not end a text.
            '\\' if quoted => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '$' if quoted && rest.starts_with("$${") => {
                filled.text.push_str("${");
                rest = &rest[3..];
                continue;
            }
            '$' if quoted && rest.starts_with("${") => {
                let inner = rest[2..].split_once('}').map_or("", |(inner, _)| inner);
                let line = text[..text.len() - rest.len()].matches('\n').count() + 1;
                let (name, default) = match inner.split_once(":-") {
                    Some((name, default)) => (name, Some(default)),
                    None => (inner, None),
                };
                match value(path, line, name, default.is_some(), variable)? {
                    Some(value) => {
                        filled.names.insert(name.to_owned());
                        filled.text.push_str(&value);
                    }
                    None => filled.text.push_str(default.unwrap_or_default()),
                }
                rest = &rest[3 + inner.len()..];
                continue;
            }
            other => other.len_utf8(),
        };
        filled.text.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    Ok(filled)
}

/// A variable's value as a part of a JSON text; `None`: its default counts, as it does where the variable
/// is empty.
fn value(
    path: &str,
    line: usize,
    name: &str,
    has_default: bool,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<String>, Usage> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(word) || name.as_bytes()[0].is_ascii_digit() {
        let what = format!(
            "--task-definition: {path}, line {line}: `${{` does not begin a variable's name and `}}`"
        );
        return Err(Usage::new(what, "write $${ for a plain ${"));
    }
    let value = match variable(name) {
        Some(value) if has_default && value.is_empty() => return Ok(None),
        Some(value) => value,
        None if has_default => return Ok(None),
        None => {
            let what =
                format!("--task-definition: {path}, line {line}: the variable {name} is not set");
            let hint =
                format!("export {name}=…, or write $${{{name}}} for what is to stay ${{{name}}}");
            return Err(Usage::new(what, hint));
        }
    };
    let value = value.into_string().map_err(|_| {
        let what =
            format!("--task-definition: {path}, line {line}: the variable {name} is no UTF-8");
        Usage::new(what, format!("export {name}=…"))
    })?;
    let quoted = serde_json::Value::String(value).to_string();
    Ok(Some(quoted[1..quoted.len() - 1].to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let variable = |name: &str| match name {
            "TAG" => Some("2".into()),
            "MOTTO" => Some("say \"hi\"\\\n".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        let filled = fill_in("task.json", text, &variable).map_err(|refusal| refusal.what);
        filled.map(|filled| filled.text)
    }

    #[test]
    fn a_default_counts_where_the_variable_is_not_set_or_empty() {
        for (text, wanted) in [
            (r#"["${NOPE:-a b}"]"#, r#"["a b"]"#),
            (r#"["${EMPTY:-a}"]"#, r#"["a"]"#),
            (r#"["${NOPE:-}"]"#, r#"[""]"#),
            (r#"["${TAG:-1}-${NOPE:-\"x\"}"]"#, r#"["2-\"x\""]"#),
        ] {
            assert_eq!(filled(text).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn the_names_that_were_filled_in_are_known_and_what_aws_printed_is_no_template() {
        let variable = |name: &str| (name != "NOPE").then(|| OsString::from("x"));
        let names = |text: &str| fill_in("f", text, &variable).unwrap().names;
        let wanted = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
        assert_eq!(names(r#"["${B}${A}${A}$${C}${NOPE:-1}"]"#), wanted);
        for described in
            [r#"{"taskDefinition":{"a":"${A}"}}"#, r#"{"taskDefinitionArn":"x","a":"${A}"}"#]
        {
            let filled = fill_in("f", described, &variable).unwrap();
            assert_eq!((filled.text.as_str(), filled.names.len()), (described, 0));
        }
        let unset = fill_in("f", r#"["${NOPE}"]"#, &variable).unwrap_err();
        assert_eq!(unset.hint, "export NOPE=…, or write $${NOPE} for what is to stay ${NOPE}");
    }

    #[test]
    fn a_byte_order_mark_is_read_over_and_so_is_utf_16() {
        for bytes in [&b"{}"[..], b"\xEF\xBB\xBF{}", b"\xFF\xFE{\0}\0", b"\xFE\xFF\0{\0}"] {
            assert_eq!(decode(bytes.to_vec()).as_deref(), Some("{}"), "{bytes:?}");
        }
        for bytes in [&b"\xFF\xFE{"[..], b"\xC3("] {
            assert_eq!(decode(bytes.to_vec()), None, "{bytes:?}");
        }
    }

    #[test]
    fn variables_are_filled_in_inside_texts_only_and_the_rest_stays() {
        assert_eq!(
            filled(r#"{"a": "x:${TAG}-${EMPTY}",  "b":1.50}"#).unwrap(),
            r#"{"a": "x:2-",  "b":1.50}"#
        );
        assert_eq!(filled(r#"["${MOTTO}"]"#).unwrap(), r#"["say \"hi\"\\\n"]"#);
        assert_eq!(filled(r#"["$${TAG} $TAG \"${TAG}"]"#).unwrap(), r#"["${TAG} $TAG \"2"]"#);
        assert_eq!(filled("${TAG}").unwrap(), "${TAG}", "outside of texts it is no JSON anyway");
        assert_eq!(filled(r#"["\\", ${TAG}, "ü${TAG}"]"#).unwrap(), r#"["\\", ${TAG}, "ü2"]"#);
    }

    #[test]
    fn a_variable_that_is_not_set_is_named_with_file_and_line() {
        assert_eq!(
            filled("{\n\"a\": \"${NOPE}\"}").unwrap_err(),
            "--task-definition: task.json, line 2: the variable NOPE is not set"
        );
        for text in [r#""${TAG-1}""#, r#""${}""#, r#""${TAG""#, r#""${1}""#] {
            assert!(filled(text).unwrap_err().contains("does not begin"), "{text}");
        }
    }
}
