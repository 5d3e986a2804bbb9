//! What GitHub Actions gives a step: a file for a summary and one for outputs.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// GitHub takes no larger summary of a step (documentation of workflow commands, step isolation and limits).
const SUMMARY_MAX: u64 = 1 << 20;

/// The files of a step of GitHub Actions; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Github {
    /// `GITHUB_STEP_SUMMARY`: Markdown.
    pub summary: Option<PathBuf>,
    /// `GITHUB_OUTPUT`: `name=value`.
    pub output: Option<PathBuf>,
}

impl Github {
    /// Where this runs in GitHub Actions: what its variables say.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let path = |name: &str| variable(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let runs = variable("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        runs.then(|| Self { summary: path("GITHUB_STEP_SUMMARY"), output: path("GITHUB_OUTPUT") })
    }

    /// Appends to the summary. Without one there is nothing to do.
    pub(crate) fn summarise(&self, text: &str) -> Result<(), String> {
        let Some(path) = &self.summary else { return Ok(()) };
        let there = std::fs::metadata(path).map_or(0, |file| file.len());
        match there + text.len() as u64 > SUMMARY_MAX {
            true => Err("it would be larger than 1 MiB, and GitHub shows no such summary".into()),
            false => append(path, text),
        }
    }

    /// Appends to the outputs. Without a file for them there is nothing to do.
    pub(crate) fn put_out(&self, text: &str) -> Result<(), String> {
        self.output.as_ref().map_or(Ok(()), |path| append(path, text))
    }
}

fn append(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn github_is_known_by_its_variables() {
        let of = |set: &'static [(&str, &str)]| {
            Github::of(move |name| {
                set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("GITHUB_OUTPUT", "out"), ("GITHUB_ACTIONS", "")]), None);
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")]), Some(Github::default()));
        let all =
            of(&[("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", "s"), ("GITHUB_OUTPUT", "o")]);
        assert_eq!(all, Some(Github { summary: Some("s".into()), output: Some("o".into()) }));
    }
}
