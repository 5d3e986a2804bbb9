//! `ecr login`: a password for a container engine, without the AWS CLI.

use std::time::SystemTime;

use crate::aws::Aws;
use crate::error::FailureKind;
use crate::event::refusal::ImagesRefused;
use crate::event::{Error, Refusal, Warning};
use crate::request::image::EcrRepository;

/// A password for a container engine.
#[derive(Debug)]
pub struct Login {
    /// What it is for.
    pub registry: String,
    /// The user's name that goes with it.
    pub user: String,
    /// The password itself.
    pub password: String,
    /// Until when it is valid.
    pub expires: Option<SystemTime>,
    /// Why a repository that was named could not be looked for.
    pub warning: Option<Warning>,
}

/// Asks for a password: for the registry that is wanted (and whether its repository was named, which
/// then must exist), or the account's own.
pub async fn log_in(aws: &Aws, wanted: Option<(EcrRepository, bool)>) -> Result<Login, Error> {
    let mut warning = None;
    let region = wanted.as_ref().map_or(&aws.region, |(registry, _)| &registry.region);
    if let Some((repository, true)) = &wanted {
        match aws.find_repository(repository).await {
            Err(error) if error.kind == FailureKind::Missing => {
                let EcrRepository { account, region, name: repository, .. } = repository.clone();
                let why = ImagesRefused::NoRepository { repository, account, region };
                return Err(Refusal::new(why).into());
            }
            Err(error) if error.kind == FailureKind::Denied => {
                let (repository, failure) = (repository.name.clone(), error);
                warning = Some(Warning::RepositoryUnchecked { repository, failure });
            }
            answer => answer?,
        }
    }
    let login = aws.login(region).await?;
    let registry = match &wanted {
        Some((wanted, _)) => wanted.host.clone(),
        None => login.registry.clone(),
    };
    let (user, password, expires) = (login.user, login.password, login.expires);
    Ok(Login { registry, user, password, expires, warning })
}
