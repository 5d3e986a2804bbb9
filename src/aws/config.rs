//! Connects the clients: to AWS with the user's settings, or to a sandbox in the process.

use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use ecs_bg_sandbox::sdk::InProcess;

use super::{Aws, EcrClients, Meter, environment, trust};
use crate::call::Call;
use crate::clock::Clock;
use crate::error::{Failure, FailureKind, UNKNOWN_PROFILE};

/// The AWS to connect to.
#[derive(Clone)]
pub enum Connection {
    /// The AWS that the environment, the profile and these settings name.
    Real {
        /// `--region`
        region: Option<String>,
        /// `--profile`
        profile: Option<String>,
        /// `--role-arn`: a role to assume with the credentials found.
        role: Option<String>,
        /// An access key and its secret, in place of what the environment has.
        keys: Option<(String, String)>,
    },
    /// An AWS that lives in the process.
    Sandbox {
        /// Its HTTP client.
        http: InProcess,
        /// The region of its world.
        region: String,
        /// Keeps the SDK's retry budget of one world apart from another's.
        partition: u64,
    },
}

const READ_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a source of credentials has to answer: nothing has begun yet, and the user waits.
const PATIENCE: Duration = Duration::from_secs(4);

impl Aws {
    /// Connects. Says at once when there is no region or no credentials.
    pub async fn connect(connection: &Connection, clock: Clock) -> Result<Self, Failure> {
        environment::check(connection, variables())?;
        let (config, partition) = match connection {
            Connection::Real { region, profile, role, keys } => {
                let config = real(region.clone(), profile.clone()).await?;
                let config = keys.clone().map_or(config.clone(), |keys| with_keys(keys, config));
                match role {
                    Some(role) => (assuming(role, config).await, None),
                    None => (config, None),
                }
            }
            Connection::Sandbox { http, region, partition } => {
                let partition = RetryPartition::custom(format!("sandbox-{partition}")).build();
                (sandbox(http.clone(), region, clock), Some(partition))
            }
        };
        let region = config.region().map(ToString::to_string).ok_or_else(no_region)?;
        if !is_region(&region) {
            let what = format!("`{region}` is not the name of a region");
            return Err(Failure::before_any_call(FailureKind::Region, "BadRegion", what));
        }
        let provider = config.credentials_provider().ok_or_else(no_credentials)?;
        let credentials = credentials(&provider).await?;
        let meter = Meter::default();
        macro_rules! configured {
            ($sdk:ident) => {{
                let builder = $sdk::config::Builder::from(&config).interceptor(meter.clone());
                match &partition {
                    Some(partition) => builder.retry_partition(partition.clone()),
                    None => builder,
                }
            }};
        }
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(configured!($sdk).build())
            };
        }
        let identity = super::Identity {
            caller: tokio::sync::OnceCell::new(),
            // Only an error message depends on the answer: the user does not wait long for it.
            sts: aws_sdk_sts::Client::from_conf(
                configured!(aws_sdk_sts).timeout_config(hurried()).build(),
            ),
            account: credentials.account_id().map(|id| id.as_str().to_owned()),
        };
        Ok(Self {
            ecs: client!(aws_sdk_ecs),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            autoscaling: client!(aws_sdk_applicationautoscaling),
            ecr: EcrClients { config: configured!(aws_sdk_ecr) },
            #[cfg(feature = "logs")]
            logs: super::logs::LogClients { config: configured!(aws_sdk_cloudwatchlogs) },
            signed: super::signed::Signed { config, meter: meter.clone() },
            meter,
            essentials: crate::aws::Essentials::default(),
            identity,
            clock,
            region,
            expires: credentials.expiry(),
        })
    }
}

/// The credentials that the calls will be made with.
async fn credentials(provider: &SharedCredentialsProvider) -> Result<Credentials, Failure> {
    // Left alone, the SDK asks the agent of a silent container for a quarter of a minute. Who asks a
    // person (`credential_process`) may take as long as that person does.
    let patience = if in_container() { PATIENCE } else { Duration::MAX };
    let asked = tokio::time::timeout(patience, provider.provide_credentials()).await;
    let given = asked.map_err(|_| refused("", "the container's agent does not answer"))?;
    given.map_err(|error| not_given(&error))
}

/// Why there are no credentials, in the words of whoever refused them.
fn not_given(error: &CredentialsError) -> Failure {
    let why = super::error::causes(error);
    if let Some((before, _)) = why.split_once("` was not defined")
        && let Some((_, profile)) = before.rsplit_once('`')
    {
        let what = format!("no AWS credentials: there is no profile `{profile}`");
        return Failure::before_any_call(FailureKind::Credentials, UNKNOWN_PROFILE, what);
    }
    // The chain tells on six lines what it did not find.
    if why.contains("no credentials found in chain") {
        return no_credentials();
    }
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let said = causes.filter_map(|cause| cause.downcast_ref::<ErrorMetadata>()).next();
    let why = why.trim_start_matches("an error occurred while loading credentials: ");
    match said.and_then(|said| Some((said.code()?, said.message()?))) {
        Some((code, message)) if code.starts_with("AccessDenied") => {
            Failure::of(Call::AssumeRole.on(""), FailureKind::Denied, code, message)
        }
        Some((code, message)) => refused(code, &format!("{code}: {message}")),
        None if why.contains("SSO token") => refused("ExpiredToken", why),
        None => refused("", why),
    }
}

fn refused(code: &str, why: &str) -> Failure {
    Failure::before_any_call(FailureKind::Credentials, code, format!("no AWS credentials: {why}"))
}

fn in_container() -> bool {
    ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}

pub(super) fn no_credentials() -> Failure {
    let what = "no AWS credentials: none in the environment, a profile, a web identity, the container or the instance";
    Failure::before_any_call(FailureKind::Credentials, "NoCredentials", what)
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(5)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(READ_TIMEOUT)
        .operation_timeout(Duration::from_secs(120))
        .build()
}

/// For the calls that fetch credentials, from STS or from SSO.
fn hurried() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(PATIENCE).build()
}

async fn real(region: Option<String>, profile: Option<String>) -> Result<SdkConfig, Failure> {
    let http = https(trust::store()?);
    // Always given: left to the environment, AWS_RETRY_MODE=legacy would make the loader panic.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .retry_config(retries())
        .timeout_config(timeouts());
    let provider =
        ProviderConfig::without_region().with_http_client(http).with_timeout_config(hurried());
    // The instance metadata service answers within milliseconds, or is not there.
    let imds = aws_config::imds::Client::builder()
        .configure(&provider)
        .max_attempts(1)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .build();
    known(profile.as_deref()).await?;
    // The SDK takes an empty variable for a name.
    let region = region.or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
    let asked = profile.clone();
    let empty = || std::env::var_os("AWS_PROFILE").is_some_and(|profile| profile.is_empty());
    let profile = profile.or_else(|| empty().then(|| "default".to_owned()));
    let mut profile_region = ProfileFileRegionProvider::builder().configure(&provider);
    let mut chain =
        DefaultCredentialsChain::builder().configure(provider.clone()).imds_client(imds.clone());
    if let Some(profile) = &profile {
        loader = loader.profile_name(profile);
        profile_region = profile_region.profile_name(profile);
        chain = chain.profile_name(profile);
    }
    let region = RegionProviderChain::first_try(region.map(Region::new))
        .or_else(profile_region.build())
        .or_else(ImdsRegionProvider::builder().configure(&provider).imds_client(imds).build())
        .region()
        .await
        .ok_or_else(no_region)?;
    // As with every AWS tool, a profile that was asked for outranks keys in the environment.
    let credentials = match &asked {
        Some(profile) => {
            let provider = provider.with_region(Some(region.clone()));
            let builder = ProfileFileCredentialsProvider::builder().configure(&provider);
            SharedCredentialsProvider::new(builder.profile_name(profile).build())
        }
        None => SharedCredentialsProvider::new(chain.region(region.clone()).build().await),
    };
    Ok(loader.region(region).credentials_provider(credentials).load().await)
}

/// A profile that the command line or the environment names must be in the files, as with the aws CLI. The
/// SDK ignores an unknown `AWS_PROFILE` and uses other credentials that it finds.
async fn known(typed: Option<&str>) -> Result<(), Failure> {
    let variable = set("AWS_PROFILE");
    let (name, says) = match (typed, &variable) {
        (Some(name), _) => (name, "--profile"),
        (None, Some(name)) => (name.as_str(), "AWS_PROFILE"),
        (None, None) => return Ok(()),
    };
    // Every tool uses this one without being asked; it may be missing.
    if name == "default" {
        return Ok(());
    }
    let (fs, env, files) = (Default::default(), Default::default(), Default::default());
    // Files that cannot be read fail where the credentials are looked for.
    let Ok(profiles) = aws_config::profile::load(&fs, &env, &files, None).await else {
        return Ok(());
    };
    if profiles.get_profile(name).is_some() {
        return Ok(());
    }
    let file = |variable, usual: &str| set(variable).unwrap_or_else(|| usual.to_owned());
    let config = file("AWS_CONFIG_FILE", "~/.aws/config");
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials");
    let what = format!("{says}: there is no profile `{name}` in {config} or {credentials}");
    Err(Failure::before_any_call(FailureKind::Credentials, UNKNOWN_PROFILE, what))
}

/// Those that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// A variable that is set, and not to nothing.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A part of the names of AWS's hosts (RFC 1123, 2.1).
fn is_region(name: &str) -> bool {
    let is_legal = |char: char| char.is_ascii_alphanumeric() || char == '-';
    (1..=63).contains(&name.len()) && name.chars().all(is_legal) && !name.starts_with('-')
}

fn no_region() -> Failure {
    let what = "no region is set: neither --region, nor AWS_REGION, nor a profile names one";
    Failure::before_any_call(FailureKind::Region, "NoRegion", what)
}

/// The same settings with an access key and its secret. A session token of the environment belongs to
/// them where it is set.
fn with_keys((id, secret): (String, String), config: SdkConfig) -> SdkConfig {
    let credentials = Credentials::new(id, secret, set("AWS_SESSION_TOKEN"), None, "command line");
    let provider = SharedCredentialsProvider::new(credentials);
    config.into_builder().credentials_provider(provider).build()
}

/// The same settings with the credentials of a role.
async fn assuming(role: &str, config: SdkConfig) -> SdkConfig {
    let sts = config.to_builder().timeout_config(hurried()).build();
    let provider = AssumeRoleProvider::builder(role).session_name("ecs-bg").configure(&sts);
    let provider = provider.build().await;
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// The SDK's own builder ignores HTTPS_PROXY; this one honours it.
fn https(store: tls::TrustStore) -> SharedHttpClient {
    let context = tls::TlsContext::builder().with_trust_store(store).build();
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            builder.set_sleep_impl(components.sleep_impl());
        }
        let builder =
            builder.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
        match &context {
            Ok(context) => builder.tls_context(context.clone()).build(),
            Err(_) => builder.build(),
        }
    })
}

fn sandbox(http: InProcess, region: &str, clock: Clock) -> SdkConfig {
    let credentials = Credentials::new("SANDBOX", "sandbox", None, None, "sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(TokioSleep::new())
        .time_source(clock)
        .http_client(http)
        .retry_config(retries())
        .timeout_config(timeouts())
        .build()
}
