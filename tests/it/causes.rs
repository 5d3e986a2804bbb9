//! Every cause of `docs/causes.md` has a scenario and a screen, and the screen's first line says the cause.

use std::collections::BTreeMap;
use std::fs;

/// The causes of failed tasks: code, and what it means in words.
fn documented() -> BTreeMap<String, String> {
    let page = fs::read_to_string("docs/causes.md").expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| [`")?.split_once("`](#"));
    let causes: BTreeMap<String, String> = rows
        .map(|(code, rest)| {
            let means = rest.split(" | ").nth(1).expect("what it means");
            (code.to_owned(), means.to_owned())
        })
        .collect();
    for code in causes.keys() {
        assert!(page.contains(&format!("\n### {code}\n")), "nothing says what helps: {code}");
    }
    causes
}

/// The sections of a transcript, by cause.
fn screens(transcript: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(transcript).expect(transcript);
    let sections = text.split("\n## ").skip(1).filter_map(|one| one.split_once('\n'));
    let own = sections.filter(|(title, _)| *title != "Other causes");
    own.map(|(code, section)| (code.to_owned(), section.to_owned())).collect()
}

#[test]
fn every_cause_has_a_screen_whose_first_line_says_it() {
    let (causes, screens) = (documented(), screens("tests/cmd/causes.md"));
    assert!(causes.len() >= 43, "{} causes", causes.len());
    assert!(causes.keys().eq(screens.keys()), "{:?}", screens.keys());
    for (code, means) in causes {
        let screen = &screens[&code];
        assert!(screen.contains(&format!("--sandbox {code}.toml\n")), "{code}: another world");
        let why = screen.lines().find_map(|line| line.strip_prefix("  why       "));
        let why = why.unwrap_or_else(|| panic!("{code}: no reason in {screen}"));
        assert!(why.contains(&format!("({means})")), "{code}: {why}");
        assert!(screen.contains("exit code 1\n"), "{code}: {screen}");
    }
}

/// The reasons that ECS gives, in words of ours before its own.
#[test]
fn a_reason_of_ecs_is_said_in_plain_words_first() {
    let page = fs::read_to_string("docs/causes.md").expect("the page");
    let (_, table) = page.split_once("| `meaning` | what it means").expect("a table");
    let screens = screens("tests/cmd/ecs-reasons.md");
    assert!(screens.len() >= 7, "{:?}", screens.keys());
    for (code, screen) in screens {
        let row = table.lines().find_map(|line| line.strip_prefix(&format!("| `{code}` | ")));
        let row = row.unwrap_or_else(|| panic!("{code} is not on the page"));
        let mut cells = row.trim_end_matches(" |").split(" | ");
        let (means, helps) = (cells.next().expect("words"), cells.next().expect("advice"));
        let why = screen.lines().find_map(|line| line.strip_prefix("  why       "));
        let why = why.unwrap_or_else(|| panic!("{code}: no reason in {screen}"));
        assert!(why.starts_with(&format!("{means}; ECS: ")), "{code}: {why}");
        let helps = format!("  to fix    {}\n", helps.replace('`', ""));
        assert!(screen.contains(&helps), "{code}: {screen}");
    }
}
