//! What the architecture says, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

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
fn decisions_are_pure() {
    for file in [
        "src/route",
        "src/plan.rs",
        "src/plan",
        "src/record.rs",
        "src/watch.rs",
        "src/world.rs",
        "src/health.rs",
    ] {
        let folder = Path::new(file).is_dir();
        let list = if folder {
            sources(file)
        } else {
            vec![(PathBuf::from(file), fs::read_to_string(file).expect(file))]
        };
        for (path, source) in list {
            for text in [
                "async ",
                "tokio",
                "std::fs",
                "std::env",
                "crate::aws",
                "crate::clock",
                "crate::render",
            ] {
                assert!(!source.contains(text), "{} has {text}", path.display());
            }
        }
    }
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
