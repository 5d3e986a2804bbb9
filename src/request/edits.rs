//! What is to be different in a task definition beside its images: read from what was typed, and
//! brought to the containers that it is for. Values may be secret: they are never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::misfit::{EditMisfit, EditName};
use crate::error::Usage;
use crate::model::revision::Revision;

/// A text that is not for the eyes of whoever reads a log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// What the arguments say, as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// `--env`, repeated
    pub env: Vec<Hidden>,
    /// `--secret`, repeated
    pub secrets: Vec<Hidden>,
    /// `--unset-env`, repeated
    pub unset: Vec<String>,
    /// `--cpu`, repeated
    pub cpu: Vec<String>,
    /// `--memory`, repeated
    pub memory: Vec<String>,
    /// `--command`, repeated
    pub commands: Vec<Hidden>,
    /// `--task-definition`: its path and what is in it, with its variables filled in.
    pub file: Option<(String, Hidden)>,
    /// `--from`
    pub from: Base,
    /// `--show-env`
    pub show_env: bool,
}

/// What is cloned, where no file says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Base {
    /// The revision that the service runs
    #[default]
    Service,
    /// The newest ACTIVE revision of its family
    Latest,
}

/// Everything that was asked of the task definition beside its images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    list: Vec<(Option<String>, Edit)>,
    /// The whole definition, from a file.
    pub file: Option<Revision>,
    /// What is cloned.
    pub from: Base,
    /// Values of variables are shown.
    pub show_env: bool,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A variable has this value.
    Env(String, Hidden),
    /// A variable has what this secret or parameter holds.
    Secret(String, Hidden),
    /// A variable is not set.
    Unset(String),
    /// CPU units.
    Cpu(u32),
    /// MiB.
    Memory(u32),
    /// The command's words; none: what the image says.
    Command(Vec<Hidden>),
}

/// What a change is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The task as a whole.
    Task,
    /// A container, by name.
    Container(String),
}

/// A change, and what it is for.
pub type Placed = (Place, Edit);

impl Edit {
    /// Two changes with the same target contradict each other.
    fn target(&self) -> (u8, &str) {
        match self {
            Self::Env(name, _) | Self::Secret(name, _) | Self::Unset(name) => (0, name),
            Self::Cpu(_) => (1, ""),
            Self::Memory(_) => (2, ""),
            Self::Command(_) => (3, ""),
        }
    }

    /// The change, without what may be secret.
    fn name(&self) -> EditName {
        match self {
            Self::Env(variable, _) => EditName::Env { variable: variable.clone() },
            Self::Secret(variable, _) => EditName::Secret { variable: variable.clone() },
            Self::Unset(variable) => EditName::Unset { variable: variable.clone() },
            Self::Cpu(units) => EditName::Cpu { units: *units },
            Self::Memory(size) => EditName::Memory { size: *size },
            Self::Command(words) => EditName::Command { of_image: words.is_empty() },
        }
    }

    /// The change as a fingerprint takes it: whole.
    fn parts(&self) -> Vec<String> {
        match self {
            Self::Env(name, value) => vec!["env".into(), name.clone(), value.0.clone()],
            Self::Secret(name, from) => vec!["secret".into(), name.clone(), from.0.clone()],
            Self::Unset(name) => vec!["unset".into(), name.clone()],
            Self::Cpu(units) => vec!["cpu".into(), units.to_string()],
            Self::Memory(size) => vec!["memory".into(), size.to_string()],
            Self::Command(words) => {
                std::iter::once("command".into()).chain(words.iter().map(|w| w.0.clone())).collect()
            }
        }
    }
}

impl Edits {
    /// Validates what was typed. An error names the argument, and no value of a variable.
    pub fn new(typed: &Typed) -> Result<Self, Usage> {
        let mut list = Vec::new();
        for (index, text) in typed.env.iter().enumerate() {
            let (at, name, value) = variable("--env", index, &text.0, "LOG_LEVEL=debug")?;
            list.push((at, Edit::Env(name, Hidden(value))));
        }
        for (index, text) in typed.secrets.iter().enumerate() {
            let hint = "DATABASE_URL=arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/database-AbCdEf";
            let (at, name, from) = variable("--secret", index, &text.0, hint)?;
            if from.is_empty() || from.contains(char::is_whitespace) {
                let what = format!("{name} needs the ARN of a secret or the name of a parameter");
                return Err(bad("--secret", what, hint));
            }
            list.push((at, Edit::Secret(name, Hidden(from))));
        }
        for text in &typed.unset {
            let (at, name) = prefixed(text);
            if name.is_empty() || name.contains('=') {
                let what = format!("`{}` is not the name of a variable", name_of(name));
                return Err(bad("--unset-env", what, "LOG_LEVEL"));
            }
            list.push((at, Edit::Unset(name.to_owned())));
        }
        for text in &typed.cpu {
            let (at, units) = size("--cpu", text, &["vcpu"], "512")?;
            list.push((at, Edit::Cpu(units)));
        }
        for text in &typed.memory {
            let (at, size) = size("--memory", text, &["gb", "gib"], "1024")?;
            list.push((at, Edit::Memory(size)));
        }
        for text in &typed.commands {
            let (at, command) = prefixed(&text.0);
            let words = words(command)
                .map_err(|why| bad("--command", why, "'bundle exec puma'"))?
                .into_iter();
            list.push((at, Edit::Command(words.map(Hidden).collect())));
        }
        let file = match &typed.file {
            None => None,
            Some((path, text)) => Some(Revision::written(path, &text.0).map_err(|flaw| {
                let what = format!("--task-definition: {path}: {}", flaw.what);
                Usage::new(what, flaw.fix)
            })?),
        };
        let edits = Self { list, file, from: typed.from, show_env: typed.show_env };
        for (index, one) in edits.list.iter().enumerate() {
            let mut before = edits.list[..index].iter();
            if let Some(other) = before.find(|o| o.0 == one.0 && o.1.target() == one.1.target()) {
                let (container, edit) = (one.0.as_deref(), one.1.name());
                let [first, second] =
                    [other, one].map(|(at, edit)| edit.name().shown(at.as_deref()));
                let what = match first == second {
                    true => format!("`{second}` is given twice"),
                    false => format!("`{first}` and `{second}` are for the same variable"),
                };
                return Err(Usage::new(what, edit.option(container.unwrap_or_default())));
            }
        }
        Ok(edits)
    }

    /// Whether there is something to deploy without an image.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.file.is_none() && self.from == Base::Service
    }

    /// Brings each change to what it is for: the container that it names; else the task, for what
    /// tasks have; else the only container, or those whose image changes.
    pub fn place(
        &self,
        base: &Revision,
        changed: &BTreeSet<&String>,
    ) -> Result<Vec<Placed>, EditMisfit> {
        let names: Vec<&String> = base.containers.iter().map(|(name, _)| name).collect();
        let containers = || names.iter().copied().cloned().collect();
        let mut placed: BTreeMap<(Place, (u8, String)), Edit> = BTreeMap::new();
        for (container, edit) in &self.list {
            let places = match (container, edit) {
                (Some(name), _) if names.contains(&name) => vec![Place::Container(name.clone())],
                (Some(name), edit) => {
                    let (container, edit) = (name.clone(), edit.name());
                    let containers = containers();
                    return Err(EditMisfit::EditForNoContainer { container, edit, containers });
                }
                (None, Edit::Cpu(_)) if base.has_cpu => vec![Place::Task],
                (None, Edit::Memory(_)) if base.has_memory => vec![Place::Task],
                (None, edit) => match (&names[..], changed.len()) {
                    ([only], _) => vec![Place::Container((*only).clone())],
                    (_, 0) => {
                        let (edit, containers) = (edit.name(), containers());
                        return Err(EditMisfit::EditForWhich { edit, containers });
                    }
                    _ => changed.iter().map(|name| Place::Container((*name).clone())).collect(),
                },
            };
            for place in places {
                let (kind, name) = edit.target();
                let key = (place, (kind, name.to_owned()));
                if placed.contains_key(&key) {
                    let container = match key.0 {
                        Place::Task => None,
                        Place::Container(name) => Some(name),
                    };
                    return Err(EditMisfit::EditTwice { container, edit: edit.name() });
                }
                placed.insert(key, edit.clone());
            }
        }
        Ok(placed.into_iter().map(|((place, _), edit)| (place, edit)).collect())
    }

    /// What tells these changes from others, once they are placed.
    pub fn parts(&self, placed: &[Placed]) -> Vec<String> {
        let mut parts = Vec::new();
        for (place, edit) in placed {
            parts.push("edit".to_owned());
            parts.push(match place {
                Place::Task => String::new(),
                Place::Container(name) => name.clone(),
            });
            parts.extend(edit.parts());
        }
        parts.extend(self.file.iter().flat_map(|file| ["file".to_owned(), file.raw.clone()]));
        if self.from == Base::Latest {
            parts.push("latest".to_owned());
        }
        parts
    }
}

fn bad(option: &str, why: impl fmt::Display, example: &str) -> Usage {
    Usage::new(format!("{option}: {why}"), format!("{option} {example}"))
}

/// `CONTAINER:REST`. What stands before the first colon is a container if it could be one; an empty
/// one says that there is none, for a rest that has a colon of its own.
fn prefixed(text: &str) -> (Option<String>, &str) {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    match text.split_once(':') {
        Some(("", rest)) => (None, rest),
        Some((name, rest)) if name.bytes().all(word) => (Some(name.to_owned()), rest),
        _ => (None, text),
    }
}

/// `[CONTAINER:]NAME=VALUE`. What is wrong is not repeated: it may be the value.
fn variable(
    option: &str,
    index: usize,
    text: &str,
    example: &str,
) -> Result<(Option<String>, String, String), Usage> {
    let wrong = |why: &str| bad(option, format!("value {} {why}", index + 1), example);
    let (name, value) =
        text.split_once('=').ok_or_else(|| wrong("has no `=` between a name and its value"))?;
    let (container, name) = prefixed(name);
    match name.trim() == name && !name.is_empty() {
        true => Ok((container, name.to_owned(), value.to_owned())),
        false => Err(wrong("has no name before `=`")),
    }
}

/// The part that cannot be a value.
fn name_of(text: &str) -> &str {
    text.split('=').next().unwrap_or_default()
}

/// `[CONTAINER:]SIZE`: a whole number, or a number of the larger unit.
fn size(
    option: &str,
    text: &str,
    units: &[&str],
    example: &str,
) -> Result<(Option<String>, u32), Usage> {
    let (container, size) = prefixed(text);
    let lower = size.trim().to_lowercase();
    let large = units.iter().find_map(|unit| lower.strip_suffix(unit));
    let number = match large {
        Some(number) => number.trim().parse::<f64>().ok().map(|number| number * 1024.0),
        None => {
            let plain = ["mib", "mb"].iter().find_map(|unit| lower.strip_suffix(unit));
            let plain = plain.filter(|_| option == "--memory").map_or(&*lower, str::trim);
            plain.parse::<u32>().ok().map(f64::from)
        }
    };
    let whole = |number: &f64| number.fract() == 0.0 && (1.0..=10_000_000.0).contains(number);
    match number.filter(whole) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole")]
        Some(number) => Ok((container, number as u32)),
        None => Err(bad(option, format!("`{text}` is not a size"), example)),
    }
}

/// A command's words, as a shell would part them, or as a JSON array.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text)
            .map_err(|_| "what begins with `[` must be a JSON array of texts".to_owned());
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('"'), '\\') => match characters.next() {
                Some(next @ ('"' | '\\' | '$' | '`')) => word.get_or_insert_default().push(next),
                Some(next) => word.get_or_insert_default().extend(['\\', next]),
                None => {}
            },
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, '\\') => match characters.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("it ends in a backslash".to_owned()),
            },
            (None, space) if space.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    match quote {
        Some(quote) => Err(format!("a quotation mark {quote} is not closed")),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:r:1:task-definition/web:7",
        "cpu":"256","containerDefinitions":[{"name":"web","image":"r/web:1"},{"name":"side","image":"x:1"}]}}"#;

    fn typed(options: &[(&str, &str)]) -> Typed {
        let mut typed = Typed::default();
        for (option, text) in options {
            let hidden = Hidden((*text).to_owned());
            match *option {
                "env" => typed.env.push(hidden),
                "secret" => typed.secrets.push(hidden),
                "unset" => typed.unset.push((*text).to_owned()),
                "cpu" => typed.cpu.push((*text).to_owned()),
                "memory" => typed.memory.push((*text).to_owned()),
                _ => typed.commands.push(hidden),
            }
        }
        typed
    }

    fn placed(options: &[(&str, &str)], changed: &[&str]) -> Result<Vec<String>, EditMisfit> {
        let changed: Vec<String> = changed.iter().map(|name| (*name).to_owned()).collect();
        let edits = Edits::new(&typed(options)).expect("edits");
        let placed = edits.place(&Revision::read(BASE).unwrap(), &changed.iter().collect());
        let shown = |(place, edit): &Placed| {
            let container = match place {
                Place::Task => None,
                Place::Container(name) => Some(name.as_str()),
            };
            edit.name().shown(container)
        };
        placed.map(|list| list.iter().map(shown).collect())
    }

    #[test]
    fn a_change_is_for_the_container_that_it_names_or_whose_image_changes() {
        assert_eq!(placed(&[("env", "web:A=1=2")], &[]).unwrap(), ["web:A=***"]);
        assert_eq!(placed(&[("env", "A=1:2")], &["side"]).unwrap(), ["side:A=***"]);
        assert_eq!(
            placed(&[("env", "A=1")], &["side", "web"]).unwrap(),
            ["side:A=***", "web:A=***"]
        );
        let variable = || "A".to_owned();
        let containers = || vec!["web".to_owned(), "side".to_owned()];
        let refused = placed(&[("env", "A=1")], &[]).unwrap_err();
        let edit = EditName::Env { variable: variable() };
        assert_eq!(refused, EditMisfit::EditForWhich { edit, containers: containers() });
        let refused = placed(&[("unset", "api:A")], &["web"]).unwrap_err();
        let (container, edit) = ("api".to_owned(), EditName::Unset { variable: variable() });
        let containers = containers();
        assert_eq!(refused, EditMisfit::EditForNoContainer { container, edit, containers });
        let refused = placed(&[("env", "A=1"), ("secret", "web:A=x")], &["web"]).unwrap_err();
        let (container, edit) = (Some("web".to_owned()), EditName::Secret { variable: variable() });
        assert_eq!(refused, EditMisfit::EditTwice { container, edit });
    }

    #[test]
    fn sizes_are_the_task_s_where_it_has_one() {
        assert_eq!(placed(&[("cpu", "0.5 vCPU")], &["web"]).unwrap(), ["cpu 512"]);
        assert_eq!(placed(&[("memory", "2GB")], &["web"]).unwrap(), ["web:memory 2048"]);
        assert_eq!(placed(&[("memory", "512MB")], &["web"]).unwrap(), ["web:memory 512"]);
        assert!(Edits::new(&typed(&[("cpu", "512MB")])).is_err());
        assert_eq!(placed(&[("cpu", "side:10")], &[]).unwrap(), ["side:cpu 10"]);
        for text in ["", "0", "-1", "1.5", "much", "1 GB", "web:", "0.0001vcpu"] {
            assert!(Edits::new(&typed(&[("cpu", text)])).is_err(), "{text}");
        }
    }

    #[test]
    fn a_command_is_parted_as_a_shell_does_it() {
        let words = |text| words(text).map(|words| words.join("|"));
        assert_eq!(
            words(r#"sh -c 'a "b"' c\ d "e \"f\" \n""#).unwrap(),
            r#"sh|-c|a "b"|c d|e "f" \n"#
        );
        assert_eq!(words(r#" ["a b","c"]"#).unwrap(), "a b|c");
        assert_eq!(words("a '' b").unwrap(), "a||b");
        for text in ["'a", "a \\", "[1]", "[a"] {
            assert!(words(text).is_err(), "{text}");
        }
        let command = |text| Edits::new(&typed(&[("command", text)])).unwrap().list;
        assert_eq!(command("web:rake db:migrate")[0].0.as_deref(), Some("web"));
        assert_eq!(command("rake db:migrate")[0].0, None, "no container has a space in its name");
        assert_eq!(
            command(":db:migrate")[0],
            (None, Edit::Command(vec![Hidden("db:migrate".into())]))
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_shown() {
        for (option, text) in [
            ("env", "hunter2"),
            ("env", "=hunter2"),
            ("env", "web:=hunter2"),
            ("secret", "A=hunter2 x"),
            ("secret", "hunter2"),
            ("unset", "A=hunter2"),
            ("command", "hunter2 '"),
        ] {
            let refusal = Edits::new(&typed(&[(option, text)])).unwrap_err();
            assert!(refusal.what.starts_with("--"), "{}", refusal.what);
            assert!(!format!("{refusal:?}").contains("hunter2"), "{refusal:?}");
        }
        let all = typed(&[("env", "A=hunter2"), ("secret", "B=hunter2"), ("command", "hunter2")]);
        assert!(!format!("{all:?} {:?}", Edits::new(&all).unwrap()).contains("hunter2"));
    }
}
