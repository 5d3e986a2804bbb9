//! `deploy --before`: a task of the new revision that must succeed before anything of it serves, such
//! as a migration of a database. What was typed, and the container that it is for. The command comes
//! from the command line each time and is kept nowhere: it may hold what is secret.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::Usage;
use crate::model::revision::Revision;
use crate::request::edits::{Edit, Hidden, Place, Placed, words};
use crate::request::misfit::EditMisfit;
use crate::request::{TO_START, some_time};

/// What runs before, and for how long at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Whose command it is; the first essential container, unless said.
    container: Option<String>,
    command: Vec<Hidden>,
    /// Then it is stopped.
    pub timeout: Duration,
}

const HINT: &str = "--before 'rake db:migrate'";

impl Preparation {
    /// Reads `--before [CONTAINER=]COMMAND`: what stands before a first `=` is a container if no blank
    /// is in it, and `--before-timeout`.
    pub fn new(text: &str, timeout: &str) -> Result<Self, Usage> {
        let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let (container, command) = match text.split_once('=') {
            Some((container, command)) if !container.is_empty() && container.bytes().all(name) => {
                (Some(container.to_owned()), command)
            }
            _ => (None, text),
        };
        let wrong = |why: &str| Usage::new(format!("--before: {why}"), HINT);
        let command = words(command).map_err(|why| wrong(&why))?;
        if command.is_empty() {
            return Err(wrong("the command has no words"));
        }
        let timeout = some_time("--before-timeout", timeout, TO_START, "1h")?;
        Ok(Self { container, command: command.into_iter().map(Hidden).collect(), timeout })
    }

    /// The command, and the container that it is for.
    pub fn place(&self, revision: &Revision) -> Result<Placed, EditMisfit> {
        let names = || revision.containers.iter().map(|(name, _)| name);
        let container = match &self.container {
            Some(named) if names().any(|name| name == named) => named.clone(),
            Some(named) => {
                return Err(EditMisfit::BeforeForNoContainer {
                    revision: revision.name.clone(),
                    container: named.clone(),
                    containers: names().cloned().collect(),
                });
            }
            // As `--command` names one: no program has a container's name before a colon.
            None => match self.command.first().and_then(|first| first.0.split_once(':')) {
                Some((named, first)) if !first.is_empty() && names().any(|own| own == named) => {
                    let mut command = self.command.clone();
                    command[0] = Hidden(first.to_owned());
                    return Ok((Place::Container(named.to_owned()), Edit::Command(command)));
                }
                _ => counting(&revision.raw, None, &[]).unwrap_or_default(),
            },
        };
        Ok((Place::Container(container), Edit::Command(self.command.clone())))
    }

    /// What tells it from another one.
    pub fn parts(&self) -> Vec<String> {
        let container = self.container.clone().unwrap_or_default();
        let command = self.command.iter().map(|word| word.0.clone());
        ["before".to_owned(), container].into_iter().chain(command).collect()
    }
}

/// The container whose exit code counts: the one that is named, or has a command of its own here, or
/// the first essential one.
pub fn counting(definition: &str, named: Option<&str>, edits: &[Placed]) -> Option<String> {
    let commanded = edits.iter().find_map(|(place, edit)| match (place, edit) {
        (Place::Container(name), Edit::Command(_)) => Some(name.clone()),
        _ => None,
    });
    let definition: Value = serde_json::from_str(definition).ok()?;
    let containers = definition["taskDefinition"]["containerDefinitions"].as_array()?;
    let essential = containers.iter().find(|one| one["essential"] != json!(false));
    named
        .map(str::to_owned)
        .or(commanded)
        .or_else(|| essential.or(containers.first())?["name"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Option<String>, Vec<String>), String> {
        let read = Preparation::new(text, "1h").map_err(|refusal| refusal.what)?;
        Ok((read.container, read.command.into_iter().map(|word| word.0).collect()))
    }

    #[test]
    fn a_container_is_a_word_before_the_first_equals_sign() {
        let of = |container: Option<&str>, words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Ok((container.map(str::to_owned), words))
        };
        assert_eq!(read("rake db:migrate"), of(None, &["rake", "db:migrate"]));
        assert_eq!(read("web=rake db:migrate"), of(Some("web"), &["rake", "db:migrate"]));
        assert_eq!(read("env A=1 rake"), of(None, &["env", "A=1", "rake"]));
        assert_eq!(read(r#"web=["sh", "-c", "a b"]"#), of(Some("web"), &["sh", "-c", "a b"]));
        assert!(read("web=").is_err());
        assert!(read("").is_err());
        assert!(read("'open").is_err());
        assert!(Preparation::new("rake", "0").is_err());
    }
}
