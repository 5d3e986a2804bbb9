//! The table of what is covered names tests that exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where tests are: the sandbox's, those of the shipped binary, and those that use boto3.
fn folders() -> [PathBuf; 4] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["tests/it", "../tests/it", "../tests/sweeps/cases", "../conformance"]
        .map(|folder| root.join(folder))
}

/// What is wrong with a row, if anything is.
fn problem(row: &str, tests: &[PathBuf]) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
    let [what, source, shown] = cells[..] else { return Some("it has not three cells".to_owned()) };
    if what.is_empty() || source.is_empty() {
        return Some("a cell is empty".to_owned());
    }
    if let Some(why) = shown.strip_prefix("not modelled") {
        return why
            .trim_start_matches(':')
            .trim()
            .is_empty()
            .then(|| "it does not say why".to_owned());
    }
    let Some((file, name)) = shown.trim_matches('`').split_once("::") else {
        return Some("it names neither a test nor `not modelled`".to_owned());
    };
    let files = tests.iter().flat_map(|folder| {
        ["rs", "py"].map(|extension| folder.join(format!("{file}.{extension}")))
    });
    let text: String = files.filter_map(|file| fs::read_to_string(file).ok()).collect();
    let test = [
        "#[test]\nfn ",
        "#[tokio::test(start_paused = true)]\nasync fn ",
        "#[tokio::test]\nasync fn ",
        "\ndef ",
    ];
    let there = test.iter().any(|head| text.contains(&format!("{head}{name}(")));
    (!there).then(|| format!("there is no test {file}::{name}"))
}

#[test]
fn each_row_names_a_test_or_why_there_is_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("../docs/sandbox-coverage.md")).expect("the table");
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("| ---"))
        .filter(|line| !line.starts_with("| what AWS does |"))
        .collect();
    assert!(rows.len() > 100, "{} rows", rows.len());
    let tests = folders();
    let wrong: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{row}\n  {}", problem(row, &tests)?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_that_names_nothing_is_found() {
    let tests = folders();
    for row in [
        "| a | b | `coverage::nobody_wrote_this` |",
        "| a | b | soon |",
        "| a | b | not modelled |",
        "| a | b |",
        "| | b | `coverage::a_row_that_names_nothing_is_found` |",
    ] {
        assert!(problem(row, &tests).is_some(), "{row}");
    }
    let good = "| a | b | `coverage::a_row_that_names_nothing_is_found` |";
    assert_eq!(problem(good, &tests), None);
    assert_eq!(problem("| a | b | not modelled: because |", &tests), None);
}
