//! Amazon ECR as a registry to log in to.

use std::time::SystemTime;

use super::Aws;
use super::error::of;
use super::observe::unreadable;
use crate::call::Call;
use crate::error::Failure;
use crate::request::image::EcrRepository;

/// What a container engine logs in with.
pub struct Login {
    /// The registry's host name.
    pub registry: String,
    /// The user's name.
    pub user: String,
    /// For 12 hours.
    pub password: String,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

impl Aws {
    /// A password for the registries of a region; it opens those that these credentials may use.
    pub async fn login(&self, region: &str) -> Result<Login, Failure> {
        let call = Call::GetAuthorizationToken.on(format!("in {region}"));
        let answer =
            self.ecr.of(region).get_authorization_token().send().await.map_err(of(&call))?;
        let data = answer.authorization_data().first();
        let data = data.ok_or_else(|| unreadable(&call, "no authorizationData"))?;
        let token = data.authorization_token().unwrap_or_default();
        // What cannot be read is not shown: it may be the password.
        let text = aws_smithy_types::base64::decode(token).ok().map(String::from_utf8);
        let text = text.and_then(Result::ok).unwrap_or_default();
        let (user, password) = text
            .split_once(':')
            .ok_or_else(|| unreadable(&call, "the authorizationToken is not `user:password`"))?;
        let endpoint = data.proxy_endpoint().unwrap_or_default();
        Ok(Login {
            registry: endpoint.trim_start_matches("https://").to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
            expires: data.expires_at().and_then(|at| SystemTime::try_from(*at).ok()),
        })
    }

    /// Says so when a repository does not exist.
    pub async fn find_repository(&self, repository: &EcrRepository) -> Result<(), Failure> {
        let call = Call::DescribeRepositories.on(repository.name.as_str());
        let request = self.ecr.of(&repository.region).describe_repositories();
        let request = request.registry_id(&repository.account).repository_names(&repository.name);
        request.send().await.map_err(of(call)).map(drop)
    }
}
