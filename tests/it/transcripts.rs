//! The binary as a user types it: every `console` block of the transcripts and of the README.

use std::fs;
use std::path::Path;

#[test]
fn transcripts() {
    // Nothing of the machine's own AWS settings; no metadata service is asked.
    trycmd::TestCases::new()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        // Where the tests themselves run in a step of it.
        .env("GITHUB_ACTIONS", "")
        .env("GITHUB_SERVER_URL", "")
        .env("CIRCLE_BUILD_URL", "")
        .env("USER", "jane")
        .env("HOSTNAME", "laptop")
        .case("tests/cmd/*.md")
        .case("README.md");
}

/// A block that `trycmd` does not run is a lie waiting to happen.
#[test]
fn every_block_is_run_or_is_no_command() {
    let mut files: Vec<_> = fs::read_dir("tests/cmd")
        .expect("transcripts")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.push(Path::new("README.md").to_owned());
    for file in files {
        let text = fs::read_to_string(&file).expect("a transcript");
        let opened = text.lines().filter(|line| line.starts_with("```") && *line != "```");
        let mut commands = 0;
        for (number, fence) in opened.enumerate() {
            match fence {
                "```console" => commands += 1,
                // `sh` blocks of the README are run by `.ci/run`.
                "```sh" | "```toml" | "```json" | "```text" => {}
                other => panic!("{}: block {number} opens with {other}", file.display()),
            }
        }
        assert!(commands > 0, "{} runs nothing", file.display());
    }
}
