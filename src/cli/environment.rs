//! Variables of the environment that make a command run on a sandbox. Left in a shell or a CI job by mistake,
//! one would turn a deployment into a rehearsal that exits with 0.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::Globals;
use crate::error::Usage;
use crate::event::Error;
use crate::render::Render;

/// Options that choose the sandbox, and their variables.
const CHOICES: [(&str, &str); 2] =
    [("sandbox", "ECS_BG_SANDBOX"), ("sandbox_state", "ECS_BG_SANDBOX_STATE")];

/// Where one of these is set, somebody means AWS.
const MEANS_AWS: [&str; 7] = [
    "CI",
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// The variable that chose a sandbox; `None` where the command line did, or nothing.
pub(super) fn chosen_by(matches: &ArgMatches) -> Option<&'static str> {
    let source = |option: &str| {
        let mut matches = matches;
        let mut found = matches.value_source(option);
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
            let inner =
                matches.try_contains_id(option).ok().and_then(|_| matches.value_source(option));
            found = found.max(inner);
        }
        found
    };
    let sources = CHOICES.map(|(option, variable)| (source(option), variable));
    if sources.iter().any(|(source, _)| *source == Some(ValueSource::CommandLine)) {
        return None;
    }
    let chosen =
        |(source, _): &&(Option<ValueSource>, _)| *source == Some(ValueSource::EnvVariable);
    sources.iter().find(chosen).map(|(_, variable)| *variable)
}

/// Says that a variable chose a sandbox; refuses it where somebody means AWS.
pub(super) fn check(globals: &Globals, render: &Render<'_>) -> Result<(), Error> {
    let Some(variable) = globals.chosen_by else { return Ok(()) };
    if std::env::var_os(variable).is_some_and(|value| value.is_empty()) {
        let what = format!("{variable} is set, and empty: it names no sandbox");
        return Err(Error::Usage(Usage::new(what, format!("unset {variable}"))));
    }
    let is_set = |name: &&&str| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false")
    };
    if let Some(aws) = MEANS_AWS.iter().find(is_set) {
        let what = format!(
            "{variable} is set, which runs this on a sandbox, but {aws} is set too, which means AWS"
        );
        let hint = format!("unset {variable}, or pass --sandbox NAME");
        return Err(Error::Usage(Usage::new(what, hint)));
    }
    render.note(&format!("{variable} is set: this runs on a sandbox, not on AWS"));
    Ok(())
}
