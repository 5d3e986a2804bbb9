//! What the architecture says, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect(folder) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(path.to_str().expect("UTF-8")));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            found.push((path, text));
        }
    }
    found
}

/// Files below `folder` that have one of the texts and are not below one of the `homes`.
fn strangers(folder: &str, texts: &[&str], homes: &[&str]) -> Vec<PathBuf> {
    sources(folder)
        .into_iter()
        .filter(|(path, _)| !homes.iter().any(|home| path.starts_with(Path::new(home))))
        .filter(|(_, source)| texts.iter().any(|text| source.contains(text)))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn only_the_edge_names_the_sdk() {
    assert_eq!(
        strangers("src", &["aws_sdk_", "aws_config"], &["src/aws"]),
        [""; 0].map(PathBuf::from)
    );
}

#[test]
fn the_sandbox_knows_nothing_of_us() {
    let ours = ["ecs_bg::", "ecs-bg:"];
    assert_eq!(strangers("sandbox/src", &ours, &[]), [""; 0].map(PathBuf::from));
}

#[test]
fn no_crate_that_was_ruled_out_comes_in() {
    let lock = fs::read_to_string("Cargo.lock").expect("a lock file");
    // A second TLS stack, the SDK's legacy one, and crates that nobody maintains.
    let ruled_out = [
        ("openssl-sys", ""),
        ("native-tls", ""),
        ("aws-lc-sys", ""),
        ("rustls", "0.21"),
        ("hyper", "0.14"),
        ("h2", "0.3"),
        ("backoff", ""),
        ("instant", ""),
    ];
    for (name, version) in ruled_out {
        let entry = format!("name = \"{name}\"\nversion = \"{version}");
        assert!(!lock.contains(&entry), "{name} {version}");
    }
}

/// The rows of the tables of `docs/flags.md`: what stands between backticks in the first column, and in
/// the others.
fn flags() -> Vec<[Vec<String>; 2]> {
    let text = fs::read_to_string("docs/flags.md").expect("the table");
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    rows.map(|(theirs, ours)| [quoted(theirs), quoted(ours)]).collect()
}

#[test]
fn each_option_of_ours_that_a_table_names_is_there() {
    let ours = ecs_bg::cli::Cli::command();
    let mut named = 0;
    for text in flags().into_iter().flat_map(|[_, ours]| ours) {
        let mut words = text.split(' ').peekable();
        let command = words.peek().and_then(|word| ours.find_subcommand(word));
        if !text.starts_with("--") && command.is_none() {
            // A variable of the environment, or somebody else's command.
            assert!(text.starts_with("AWS_") || text.starts_with("aws ") || text == "-1", "{text}");
            continue;
        }
        let command = command.unwrap_or(ours.find_subcommand("deploy").expect("a command"));
        for option in words.filter_map(|word| word.strip_prefix("--")) {
            let mut known = command.get_arguments().chain(ours.get_arguments());
            let exists = option == "version" || known.any(|known| known.get_long() == Some(option));
            assert!(exists, "{}: --{option}", command.get_name());
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
}

#[test]
fn each_flag_of_silintls_tool_is_in_the_table() {
    let known: Vec<String> = flags().into_iter().flat_map(|[theirs, _]| theirs).collect();
    let source = fs::read_to_string("src/cli/ecs_deploy/flags.rs").expect("its flags");
    let (source, _) = source.split_once("#[cfg(test)]").expect("tests");
    let arms = source.lines().filter(|line| line.contains(" => &mut "));
    let flags: Vec<&str> = arms.flat_map(|arm| arm.split('"').skip(1).step_by(2)).collect();
    assert!(flags.len() > 40, "{flags:?}");
    for flag in flags {
        assert!(known.iter().any(|known| known == flag), "{flag}");
    }
}
