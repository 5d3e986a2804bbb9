//! A task definition's file: `${NAME}` inside its texts is filled in from the environment. The rest
//! stays as it is written.

use std::ffi::OsString;

use crate::error::Refusal;

/// The text with its variables filled in; a variable that is not set is refused by name.
pub fn fill_in(
    path: &str,
    text: &str,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<String, Refusal> {
    let mut filled = String::with_capacity(text.len());
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
                filled.push_str("${");
                rest = &rest[3..];
                continue;
            }
            '$' if quoted && rest.starts_with("${") => {
                let name = rest[2..].split_once('}').map_or("", |(name, _)| name);
                let line = text[..text.len() - rest.len()].lines().count().max(1);
                filled.push_str(&value(path, line, name, variable)?);
                rest = &rest[3 + name.len()..];
                continue;
            }
            other => other.len_utf8(),
        };
        filled.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    Ok(filled)
}

/// A variable's value as a part of a JSON text.
fn value(
    path: &str,
    line: usize,
    name: &str,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<String, Refusal> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(word) || name.as_bytes()[0].is_ascii_digit() {
        let what = format!(
            "--task-definition: {path}, line {line}: `${{` does not begin a variable's name and `}}`"
        );
        return Err(Refusal::new(what, "write $${ for what is to stay ${"));
    }
    let hint = format!("export {name}=…");
    let value = variable(name).ok_or_else(|| {
        let what =
            format!("--task-definition: {path}, line {line}: the variable {name} is not set");
        Refusal::new(what, &hint)
    })?;
    let value = value.into_string().map_err(|_| {
        let what =
            format!("--task-definition: {path}, line {line}: the variable {name} is no UTF-8");
        Refusal::new(what, &hint)
    })?;
    let quoted = serde_json::Value::String(value).to_string();
    Ok(quoted[1..quoted.len() - 1].to_owned())
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
        fill_in("task.json", text, &variable).map_err(|refusal| refusal.what)
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
        for text in [r#""${TAG:-1}""#, r#""${}""#, r#""${TAG""#, r#""${1}""#] {
            assert!(filled(text).unwrap_err().contains("does not begin"), "{text}");
        }
    }
}
