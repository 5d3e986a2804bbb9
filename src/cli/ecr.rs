//! `ecr login`: a password for a container engine, without the AWS CLI.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Globals;
use super::context::Context;
use crate::drive::interrupt::or_interrupted;
use crate::error::{Error, Refusal};
use crate::host::Host;
use crate::ops::ecr::log_in;
use crate::render::Render;
use crate::request::image::{EcrRepository, ImageRef};

/// Log a container engine in to Amazon ECR.
#[derive(Debug, Args)]
pub(super) struct Ecr {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Login(Login),
}

/// Print the password that `docker login` takes.
///
/// Prints nothing else to standard output. The password is valid for 12 hours.
#[derive(Debug, Args)]
#[command(before_help = EXAMPLE)]
struct Login {
    /// Registry, or a repository in it, which then must exist [default: the account's own registry]
    #[arg(long, value_name = "ACCOUNT.dkr.ecr.REGION.amazonaws.com[/REPOSITORY]")]
    registry: Option<String>,
}

const EXAMPLE: &str = "\
Example:
  ecs-bg ecr login | docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com";

pub(super) async fn run(
    ecr: Ecr,
    globals: &Globals,
    host: &Host,
    render: &Render<'_>,
) -> Result<u8, Error> {
    let Command::Login(login) = ecr.command;
    let wanted = login.registry.as_deref().map(registry).transpose().map_err(Error::Usage)?;
    let region = wanted.as_ref().map(|(host, _)| host.region.clone());
    if let (Some(named), Some(asked)) = (&region, &globals.region)
        && named != asked
    {
        let what = format!("--registry is in {named}, --region says {asked}");
        return Err(Error::Usage(Refusal::new(what, format!("--region {named}, or leave it out"))));
    }
    // The registry's name says its region; there need be no other.
    let globals = Globals { region: globals.region.clone().or(region), ..globals.clone() };
    let context = Context::connect(&globals, host).await?;
    let result = or_interrupted(&context.interrupts, log_in(&context.aws, wanted)).await;
    context.save()?;
    let login = result?;
    login.warning.iter().for_each(|warning| render.warning(warning));
    let expires = login.expires.map(|at| humantime::format_rfc3339_seconds(at).to_string());
    let document = json!({
        "registry": login.registry,
        "user": login.user,
        "expires": expires,
        "password": login.password,
    });
    render.done(&login.password, &document);
    let docker =
        format!("docker login --username {} --password-stdin {}", login.user, login.registry);
    render.hint(&format!("ecs-bg ecr login | {docker}"));
    Ok(0)
}

/// The registry that was typed, and whether a repository was named.
fn registry(text: &str) -> Result<(EcrRepository, bool), Refusal> {
    let name = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
    let named = name.contains('/');
    let image = if named { name.to_owned() } else { format!("{name}/any") };
    let found = image.parse::<ImageRef>().ok().and_then(|image| image.ecr());
    let found = found.ok_or_else(|| {
        Refusal::new(
            format!("--registry: `{text}` is not a registry of Amazon ECR"),
            "--registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        )
    })?;
    Ok((found, named))
}
