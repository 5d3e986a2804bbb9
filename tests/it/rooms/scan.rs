//! The paths in a Rust source, as its tokens show them, and what it does besides computing. It knows
//! nothing of rooms.

/// What a source does besides computing, as `line: what`.
pub(super) fn effects(text: &str) -> Vec<String> {
    let tokens = without_tests(&tokens(text));
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map_or("", |next| next.text);
        match token.text {
            "async" | "await" | "tokio" => found.push((token.line, token.text.to_owned())),
            "print" | "println" | "eprint" | "eprintln" | "dbg" if next == "!" => {
                found.push((token.line, format!("{}!", token.text)));
            }
            _ => {}
        }
    }
    const STD: &[&str] = &["io", "fs", "net", "process", "env", "thread"];
    const SDK: &[&str] = &[
        "aws_sdk_",
        "aws_config",
        "aws_smithy_",
        "aws_credential_types",
        "aws_types",
        "aws_runtime",
        "aws_sigv4",
    ];
    for path in paths(&tokens, &[]) {
        let segment = |at: usize| path.segments.get(at).map_or("", String::as_str);
        let std = segment(0) == "std" && STD.contains(&segment(1));
        if std || SDK.iter().any(|name| segment(0).starts_with(name)) {
            found.push((path.line, path.segments.join("::")));
        }
    }
    found.sort();
    found.into_iter().map(|(line, what)| format!("{line}: {what}")).collect()
}

/// A word or a sign of a source; `::` is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'s> {
    pub(super) text: &'s str,
    line: usize,
}

/// The tokens of a source, without comments and without literals of text.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    while let Some(first) = rest.chars().next() {
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        let behind = &rest[word.len()..];
        let hashes = behind.len() - behind.trim_start_matches('#').len();
        let raw = ["r", "br", "cr"].contains(&word) && behind[hashes..].starts_with('"');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = word.len() + hashes + 1;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if first == '"' || (["b", "c"].contains(&word) && behind.starts_with('"')) {
            literal(rest, '"')
        } else if first == '\'' || (word == "b" && behind.starts_with('\'')) {
            quoted(rest)
        } else if !word.is_empty() {
            found.push(Token { text: word, line });
            word.len()
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            found.push(Token { text: &rest[..length], line });
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of a block comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of a literal that ends with `quote`.
fn literal(text: &str, quote: char) -> usize {
    let start = text.find(quote).map_or(0, |at| at + 1);
    let mut escaped = false;
    for (at, c) in text[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return start + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal or a lifetime.
fn quoted(text: &str) -> usize {
    let start = text.find('\'').map_or(0, |at| at + 1);
    let mut inside = text[start..].chars();
    match (inside.next(), inside.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => literal(text, '\''),
        _ => start,
    }
}

/// The tokens that are compiled into the product.
pub(super) fn without_tests<'s>(tokens: &[Token<'s>]) -> Vec<Token<'s>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match attribute(tokens, at) {
            Some(end) if is_test(&tokens[at..end]) && tokens[at + 1].text == "!" => return kept,
            Some(end) if is_test(&tokens[at..end]) => at = item_end(tokens, end),
            Some(end) => {
                kept.extend(&tokens[at..end]);
                at = end;
            }
            None => {
                kept.push(tokens[at]);
                at += 1;
            }
        }
    }
    kept
}

/// Where the attribute ends that begins here.
fn attribute(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let open = match (text(at), text(at + 1), text(at + 2)) {
        ("#", "[", _) => at + 1,
        ("#", "!", "[") => at + 2,
        _ => return None,
    };
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`; what `any` and `not` guard may be compiled.
fn is_test(attribute: &[Token<'_>]) -> bool {
    let words: Vec<&str> = attribute
        .iter()
        .map(|token| token.text)
        .filter(|text| text.starts_with(char::is_alphabetic))
        .collect();
    match words[..] {
        ["test"] => true,
        ["cfg", ..] => {
            words.contains(&"test") && !words.iter().any(|one| ["any", "not"].contains(one))
        }
        _ => false,
    }
}

/// Where the item ends that begins here, its other attributes included.
fn item_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    while let Some(end) = attribute(tokens, at) {
        at = end;
    }
    const ITEMS: &[&str] = &[
        "pub",
        "mod",
        "use",
        "fn",
        "struct",
        "enum",
        "impl",
        "const",
        "static",
        "trait",
        "type",
        "async",
        "unsafe",
        "extern",
        "macro_rules",
        "let",
    ];
    // A field or a variant ends at its comma.
    let is_item = tokens.get(at).is_some_and(|token| ITEMS.contains(&token.text));
    let mut depth = 0;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" if depth == 0 => return at,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        at += 1;
        match token.text {
            "}" | ";" if depth == 0 => return at,
            "," if depth == 0 && !is_item => return at,
            _ => {}
        }
    }
    at
}

/// A path in a source; each name of a brace group makes one.
#[derive(Debug, PartialEq)]
pub(super) struct Name {
    pub(super) segments: Vec<String>,
    pub(super) alias: Option<String>,
    pub(super) line: usize,
    /// The module that it stands in.
    module: Vec<String>,
}

impl Name {
    /// The first name below the root of the crate, for a path that goes there.
    pub(super) fn below_root(&self) -> Option<&str> {
        let mut module = match self.segments.first()?.as_str() {
            "crate" => &[][..],
            "self" | "super" => &self.module[..],
            _ => return None,
        };
        for segment in &self.segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => module = &module[..module.len().saturating_sub(1)],
                name => return module.is_empty().then_some(name),
            }
        }
        // The root itself, as in `use crate::{self as root}`.
        module.is_empty().then_some("self")
    }
}

/// All paths of a module's source that have at least two segments.
pub(super) fn paths(tokens: &[Token<'_>], module: &[String]) -> Vec<Name> {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // The depths at which inline modules began.
    let mut inline = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match text(at) {
            "mod" if text(at + 2) == "{" => {
                module.push(text(at + 1).to_owned());
                inline.push(depth);
                at += 1;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            word if text(at + 1) == "::" && word.starts_with(is_name) => {
                at = tree(tokens, at, &[], &module, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Reads one path, with its groups; tells where it ends.
fn tree(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &[String],
    module: &[String],
    found: &mut Vec<Name>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let line = tokens.get(at).map_or(0, |token| token.line);
    let mut segments = prefix.to_vec();
    let mut alias = None;
    loop {
        match text(at) {
            "{" => {
                at += 1;
                while !["}", ""].contains(&text(at)) {
                    at = match text(at) {
                        "," => at + 1,
                        _ => tree(tokens, at, &segments, module, found).max(at + 1),
                    };
                }
                return at + 1;
            }
            word if word == "*" || word.starts_with(is_name) => segments.push(word.to_owned()),
            // A turbofish.
            _ => break,
        }
        at += 1;
        if text(at) != "::" {
            break;
        }
        at += 1;
    }
    if text(at) == "as" {
        alias = Some(text(at + 1).to_owned());
        at += 2;
    }
    found.push(Name { segments, alias, line, module: module.to_vec() });
    at
}

#[test]
fn effects_are_found() {
    let text = "use std::{fmt, io::{self, Write}};\nasync fn f() { g().await; println!(\"x\"); }\n\
                fn g() { std::env::var(\"X\"); aws_sdk_ecs::Client::new(); }\nuse tokio::time;";
    assert_eq!(
        effects(text),
        [
            "1: std::io::Write",
            "1: std::io::self",
            "2: async",
            "2: await",
            "2: println!",
            "3: aws_sdk_ecs::Client::new",
            "3: std::env::var",
            "4: tokio"
        ]
    );
    let pure = "use std::collections::BTreeMap; // async\nconst A: &str = \"tokio\"; fn print() {}\n\
                #[cfg(test)] mod tests { use std::fs; }";
    assert_eq!(effects(pure), [""; 0]);
}
