//! Text from outside, made harmless. Whoever names things, tags them or logs lines must not be able to
//! forge our output: no control characters, nothing that turns the direction of writing, and nothing that
//! GitHub Actions or Azure Pipelines take for a command.

use std::fmt::Write;

use serde_json::Value;

/// A text of one line. A text that is too long for people loses its middle.
pub(super) fn field(text: &str) -> String {
    whole(&cut(text))
}

/// A text of one line, all of it: another program may read it.
pub(super) fn whole(text: &str) -> String {
    unmarked(&escaped(text, |_| false))
}

/// The most characters of a line.
const LONGEST: usize = 1500;

/// Without the middle of what is too long: its beginning says what it is, its end often why.
fn cut(text: &str) -> std::borrow::Cow<'_, str> {
    let count = text.chars().count();
    if count <= LONGEST {
        return text.into();
    }
    let begin: String = text.chars().take(LONGEST * 2 / 3).collect();
    let end: String = text.chars().skip(count - LONGEST / 4).collect();
    format!("{begin} … ({} characters) … {end}", count - LONGEST * 2 / 3 - LONGEST / 4).into()
}

/// A text of ours that may have several lines.
pub(super) fn lines(text: &str) -> String {
    let line = |line: &str| unled(&whole(line));
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// All texts of a JSON value.
pub(super) fn json(value: &mut Value) {
    match value {
        Value::String(text) => *text = unled(&whole(text)),
        Value::Array(values) => values.iter_mut().for_each(json),
        Value::Object(members) => {
            let taken = std::mem::take(members);
            for (name, mut value) in taken {
                json(&mut value);
                members.insert(unled(&field(&name)), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn escaped(text: &str, keeps: impl Fn(char) -> bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            _ if keeps(char) || !is_unsafe(char) => clean.push(char),
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            _ => {
                let _ = write!(clean, "\\u{{{:x}}}", u32::from(char));
            }
        }
    }
    clean
}

/// Control characters, those that end a line, those that turn the direction of writing, and those that
/// nobody sees.
fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}'
                | '\u{200b}'
                | '\u{2060}'
                | '\u{feff}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Without `##[`, `##vso[` and `##teamcity[`, which are commands wherever they stand.
fn unmarked(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        let rest = &text.as_bytes()[at..];
        let marks = |mark: &[u8]| {
            rest.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
        };
        clean.push(char);
        if [&b"##["[..], b"##vso[", b"##teamcity["].into_iter().any(marks) {
            clean.push(' ');
        }
    }
    clean
}

/// Without `::` at the beginning, where blanks before it do not count.
fn unled(line: &str) -> String {
    let rest = line.trim_start();
    let blanks = &line[..line.len() - rest.len()];
    match rest.strip_prefix("::") {
        Some(rest) => unled(&format!("{blanks}: :{rest}")),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A password, or a line of JSON, is nothing without its middle.
    #[test]
    fn what_another_program_reads_is_never_cut() {
        let long = "x".repeat(20_000);
        assert_eq!(lines(&long), long);
        assert_eq!(whole(&long), long);
        let mut value = serde_json::json!({ "password": long });
        json(&mut value);
        assert_eq!(value["password"], long);
        assert!(field(&long).len() < 2000);
    }

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for text in ["web:2 was withdrawn, 10 % – “ok” 日本", "a ## [b]", "std::fmt", ""] {
            assert_eq!(lines(text), text);
        }
    }

    #[test]
    fn controls_and_directions_are_shown_and_not_obeyed() {
        let text = "a\u{1b}[31m\r\u{8}\0\u{9b}\u{7f}\u{202e}b\u{2028}\tc";
        let shown = r"a\u{1b}[31m\r\u{8}\u{0}\u{9b}\u{7f}\u{202e}b\u{2028}\tc";
        assert_eq!(field(text), shown);
        assert_eq!(field("one\ntwo"), r"one\ntwo");
        assert_eq!(field("a\u{200b}b\u{feff}"), r"a\u{200b}b\u{feff}");
        assert_eq!(lines("one\ntwo"), "one\ntwo");
    }

    #[test]
    fn commands_of_ci_services_are_broken() {
        assert_eq!(lines("::error::x"), ": :error::x");
        assert_eq!(lines("a\n  ::error::x"), "a\n  : :error::x");
        assert_eq!(lines("x ##[command]y"), "x # #[command]y");
        assert_eq!(lines("###[x] ##VSO[y]"), "## #[x] # #VSO[y]");
        assert_eq!(lines("##teamcity[x]"), "# #teamcity[x]");
    }
}
