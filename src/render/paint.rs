//! Colours and symbols, put on lines that are harmless already. A line's beginning says what it is.

use anstyle::{AnsiColor, Style};

use crate::host::Look;

/// Colours where the reader shows them, and ASCII where the locale has no more.
pub(super) fn lines(text: &str, look: Look) -> String {
    let text = match look.unicode {
        true => text.to_owned(),
        false => {
            text.replace('✔', "ok").replace('✘', "FAILED").replace('·', "-").replace('→', "->")
        }
    };
    if !look.colours || text.starts_with('{') {
        return text;
    }
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A row of the live view: as a line, and its mark in a colour of its own.
pub(super) fn row(text: &str, look: Look) -> String {
    let marks = [
        ('✔', "ok", AnsiColor::Green),
        ('✘', "x", AnsiColor::Red),
        ('●', "*", AnsiColor::Cyan),
        ('○', "-", AnsiColor::BrightBlack),
    ];
    let text = match look.unicode {
        true => text.to_owned(),
        false => {
            let others = [('·', "-"), ('→', "->"), ('█', "#"), ('░', "."), ('…', "~")];
            let all = marks.iter().map(|(mark, ascii, _)| (*mark, *ascii)).chain(others);
            all.fold(text.to_owned(), |text, (mark, ascii)| text.replace(mark, ascii))
        }
    };
    let Some((blanks, rest)) = text.strip_prefix("  ").map(|rest| ("  ", rest)) else {
        return text;
    };
    let mark = marks.iter().find(|(mark, ascii, _)| match look.unicode {
        true => rest.starts_with(*mark),
        false => rest.starts_with(&format!("{ascii} ")),
    });
    match mark {
        Some((_, _, colour)) if look.colours => {
            let end = rest.find(' ').unwrap_or(rest.len());
            let style = Style::new().fg_color(Some((*colour).into()));
            format!("{blanks}{style}{}{style:#}{}", &rest[..end], &rest[end..])
        }
        _ => text,
    }
}

fn line(line: &str) -> String {
    let Some((style, end)) = style(line) else { return line.to_owned() };
    let (painted, rest) = line.split_at(end);
    format!("{style}{painted}{style:#}{rest}")
}

/// How a line looks, and how much of it.
fn style(line: &str) -> Option<(Style, usize)> {
    let bold = |colour: AnsiColor| Style::new().bold().fg_color(Some(colour.into()));
    let starts = [
        ("✔", bold(AnsiColor::Green)),
        ("ok ", bold(AnsiColor::Green)),
        ("✘", bold(AnsiColor::Red)),
        ("FAILED ", bold(AnsiColor::Red)),
        ("$ ", Style::new().bold()),
    ];
    if let Some((_, style)) = starts.iter().find(|(start, _)| line.starts_with(start)) {
        return Some((*style, line.len()));
    }
    let words = [
        ("warning:", bold(AnsiColor::Yellow)),
        ("error:", bold(AnsiColor::Red)),
        ("hint:", bold(AnsiColor::Cyan)),
        ("note:", bold(AnsiColor::Cyan)),
    ];
    if let Some((word, style)) = words.iter().find(|(word, _)| line.starts_with(word)) {
        return Some((*style, word.len()));
    }
    // The time of an event; a failure in red as a whole.
    let (time, rest) = line.trim_start().split_once("  ")?;
    if !time.contains(':') || !time.chars().all(|char| char.is_ascii_digit() || char == ':') {
        return None;
    }
    match rest.starts_with("failed") || rest.starts_with("rollback") {
        true => Some((Style::new().fg_color(Some(AnsiColor::Red.into())), line.len())),
        false => Some((Style::new().dimmed(), line.len() - rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { colours: false, unicode: true };

    #[test]
    fn colours_add_nothing_but_colours() {
        let text =
            "  0:07  settle    1/2\n  0:09  failed    task x\n✘ rolled back\nwarning: a: b\nother";
        let painted = lines(text, Look { colours: true, ..PLAIN });
        assert!(painted.contains("\u{1b}["), "{painted:?}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
        assert_eq!(lines(text, PLAIN), text);
        let json = "{\"event\":\"x\"}";
        assert_eq!(lines(json, Look { colours: true, ..PLAIN }), json);
    }

    #[test]
    fn a_locale_without_unicode_gets_ascii() {
        let ascii = lines("✘ rolled back · exit code 1", Look { unicode: false, ..PLAIN });
        assert_eq!(ascii, "FAILED rolled back - exit code 1");
    }
}
