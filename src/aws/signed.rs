//! Services of which few operations are called: requests that are written and signed here, instead of a
//! crate for each service. Retries, timeouts and the connection are the SDK's.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use serde_json::Value;

use super::error::{causes, of};
use super::observe::unreadable;
use super::rules::{flatten, get, members, versioned};
use super::{Aws, Meter, once};
use crate::call::{About, Call};
use crate::error::{Failure, FailureKind};
use crate::model::world::Alarm;
use crate::request::image::ImageRef;

/// How requests are written, and where they go.
#[derive(Clone, Copy)]
pub(super) struct Api {
    /// The first part of its host, and the name that its signatures have.
    host: &'static str,
    protocol: Protocol,
}

#[derive(Clone, Copy)]
enum Protocol {
    /// Parameters in a form, answers in XML.
    Query,
    /// awsJson 1.1.
    Json { target: &'static str },
}

pub(super) const CLOUDWATCH: Api = Api { host: "monitoring", protocol: Protocol::Query };
pub(super) const EC2: Api = Api { host: "ec2", protocol: Protocol::Query };
pub(super) const IAM: Api = Api { host: "iam", protocol: Protocol::Query };
const SECRETS: Api =
    Api { host: "secretsmanager", protocol: Protocol::Json { target: "secretsmanager" } };
const PARAMETERS: Api = Api { host: "ssm", protocol: Protocol::Json { target: "AmazonSSM" } };
pub(super) const QUOTAS: Api =
    Api { host: "servicequotas", protocol: Protocol::Json { target: "ServiceQuotasV20190624" } };
const LOGS: Api = Api { host: "logs", protocol: Protocol::Json { target: "Logs_20140328" } };

/// What signs and sends.
pub(super) struct Signed {
    pub(super) config: SdkConfig,
    pub(super) meter: Meter,
}

impl Signed {
    /// The body of the answer.
    pub(super) async fn send(
        &self,
        api: Api,
        region: &str,
        about: About,
        body: String,
    ) -> Result<String, Failure> {
        let Self { config, meter } = self;
        let failed = |error: &dyn std::error::Error| {
            Failure::of(&about, FailureKind::Credentials, "NoCredentials", causes(error))
        };
        let unsent = |error: &dyn std::error::Error| {
            Failure::of(&about, FailureKind::Refused, "NotSent", causes(error))
        };
        let provider = config.credentials_provider().ok_or_else(super::config::no_credentials)?;
        let credentials = provider.provide_credentials().await.map_err(|error| failed(&error))?;
        let (Some(http), Some(time), Some(sleep)) =
            (config.http_client(), config.time_source(), config.sleep_impl())
        else {
            return Err(Failure::of(&about, FailureKind::Refused, "NotSent", "no connection"));
        };
        let url = match config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => format!("https://{}", host(api.host, region, config.use_fips() == Some(true))),
        };
        let operation = about.call.operation();
        let kind = match api.protocol {
            Protocol::Query => "application/x-www-form-urlencoded",
            Protocol::Json { .. } => "application/x-amz-json-1.1",
        };
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let mut headers = vec![("content-type", kind.to_owned()), ("host", authority.to_owned())];
        if let Protocol::Json { target } = api.protocol {
            headers.push(("x-amz-target", format!("{target}.{operation}")));
        }
        let identity = credentials.into();
        let signing = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(api.host)
            .time(time.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsent(&error))?;
        let uri = format!("{url}/");
        let named = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable =
            SignableRequest::new("POST", &uri, named, SignableBody::Bytes(body.as_bytes()))
                .map_err(|error| unsent(&error))?;
        let (instructions, _) =
            sign(signable, &signing.into()).map_err(|error| unsent(&error))?.into_parts();
        let mut request = http::Request::post(&uri);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let mut request =
            request.body(SdkBody::from(body.as_str())).map_err(|error| unsent(&error))?;
        instructions.apply_to_request_http1x(&mut request);
        let request: HttpRequest = request.try_into().map_err(|error| unsent(&error))?;
        let build = move |(): ()| -> Result<HttpRequest, BoxError> {
            request.try_clone().ok_or_else(|| "the body is a stream".into())
        };
        let read = move |response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            let body = String::from_utf8_lossy(body).into_owned();
            match response.status().is_success() {
                true => Ok(body),
                false => Err(OrchestratorError::operation(said(api.protocol, &body))),
            }
        };
        let mut call = Operation::builder()
            .service_name(api.host)
            .operation_name(operation)
            .http_client(http)
            .endpoint_url(&url)
            .no_auth()
            .sleep_impl(sleep)
            .time_source(time)
            .interceptor(meter.clone())
            .with_connection_poisoning();
        let retries = config.retry_config().filter(|_| !about.call.info().changes);
        call = call.standard_retry(retries.unwrap_or(&once()));
        if let Some(timeouts) = config.timeout_config() {
            call = call.timeout_config(timeouts.clone());
        }
        let call = call.serializer(build).deserializer(read).build();
        call.invoke(()).await.map_err(of(about))
    }
}

/// Where a service of a region is (AWS General Reference, "AWS service endpoints").
pub(super) fn host(service: &str, region: &str, fips: bool) -> String {
    let fips = if fips { "-fips" } else { "" };
    match (service, region) {
        ("iam", "us-east-1") => return format!("iam{fips}.amazonaws.com"),
        ("iam", "us-gov-west-1") => return "iam.us-gov.amazonaws.com".to_owned(),
        _ => {}
    }
    let domain = match region {
        _ if region.starts_with("cn-") => "amazonaws.com.cn",
        _ if region.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("{service}{fips}.{region}.{domain}")
}

/// Why it did not answer.
fn said(protocol: Protocol, body: &str) -> ErrorMetadata {
    let (code, message) = match protocol {
        Protocol::Query => {
            let leaves = flatten(body).unwrap_or_default();
            let get = |end: &str| {
                let found = leaves.iter().find(|(path, _)| path.ends_with(end));
                found.map(|(_, text)| text.clone())
            };
            (get("Error.Code"), get("Error.Message"))
        }
        Protocol::Json { .. } => {
            let answer: Value = serde_json::from_str(body).unwrap_or_default();
            let code =
                answer["__type"].as_str().map(|code| code.rsplit('#').next().unwrap_or(code));
            let message = answer["message"].as_str().or(answer["Message"].as_str());
            (code.map(str::to_owned), message.map(str::to_owned))
        }
    };
    let error = ErrorMetadata::builder().code(code.unwrap_or_else(|| "Unknown".to_owned()));
    error.message(message.unwrap_or_else(|| "AWS gave no message".to_owned())).build()
}

/// An alarm from its members, whose order AWS does not promise.
fn alarm(members: &[(&str, &str)]) -> Option<Alarm> {
    let fires = get(members, "StateValue")? == "ALARM";
    Some(Alarm { name: get(members, "AlarmName")?.to_owned(), fires })
}

impl Aws {
    /// The alarms of these names; one that is missing is not there.
    pub async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Failure> {
        let call = Call::DescribeAlarms;
        let mut alarms = Vec::new();
        // DescribeAlarms takes 100 names at a time (API reference).
        for names in names.chunks(100) {
            let mut parameters = vec![("MaxRecords".to_owned(), "100".to_owned())];
            for kind in ["MetricAlarm", "CompositeAlarm"] {
                let index = parameters.len();
                parameters.push((format!("AlarmTypes.member.{index}"), kind.to_owned()));
            }
            for (index, name) in names.iter().enumerate() {
                parameters.push((format!("AlarmNames.member.{}", index + 1), name.clone()));
            }
            let body = versioned(call.operation(), "2010-08-01", &parameters);
            let about = call.on(names.join(", "));
            let answer = self.signed.send(CLOUDWATCH, &self.region, about.clone(), body).await?;
            let leaves = flatten(&answer).map_err(|error| unreadable(&about, error))?;
            for list in ["MetricAlarms", "CompositeAlarms"] {
                let own = members(&leaves, &format!("DescribeAlarmsResult.{list}."));
                alarms.extend(own.iter().filter_map(|one| alarm(one)));
            }
        }
        Ok(alarms)
    }

    /// Whether there is a secret of that name or ARN.
    pub async fn has_secret(&self, id: &str) -> Result<bool, Failure> {
        let body = serde_json::json!({ "SecretId": id }).to_string();
        let about = Call::DescribeSecret.on(id);
        // An ARN says where it is.
        let region = id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        let region = region.filter(|region| !region.is_empty()).unwrap_or(&self.region);
        match self.signed.send(SECRETS, region, about, body).await {
            Err(failure) if failure.kind == FailureKind::Missing => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    /// Those of these parameters that are there.
    pub async fn parameters(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        let about = Call::DescribeParameters.on(names.join(", "));
        let mut found = Vec::new();
        // A filter takes 50 values (API reference of ParameterStringFilter).
        for names in names.chunks(50) {
            let filter = serde_json::json!({ "Key": "Name", "Option": "Equals", "Values": names });
            let mut body = serde_json::json!({ "ParameterFilters": [filter], "MaxResults": 50 });
            // A page may be empty, and not the last one (API reference).
            loop {
                let (about, sent) = (about.clone(), body.to_string());
                let sent = self.signed.send(PARAMETERS, &self.region, about.clone(), sent);
                let answer: Value = serde_json::from_str(&sent.await?)
                    .map_err(|error| unreadable(&about, error))?;
                let own = answer["Parameters"].as_array().into_iter().flatten();
                found.extend(own.filter_map(|one| one["Name"].as_str().map(str::to_owned)));
                match &answer["NextToken"] {
                    Value::Null => break,
                    next => body["NextToken"] = next.clone(),
                }
            }
        }
        Ok(found)
    }

    /// The zones that each load balancer has enabled, by its ARN.
    pub async fn zones(
        &self,
        balancers: &[String],
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Failure> {
        let request = self.elb.describe_load_balancers();
        let request = request.set_load_balancer_arns(Some(balancers.to_vec()));
        let about = Call::DescribeLoadBalancers.on(balancers.join(", "));
        let answer = request.send().await.map_err(of(about))?;
        let zones = |one: &aws_sdk_elasticloadbalancingv2::types::LoadBalancer| {
            let zones = one.availability_zones().iter();
            zones.filter_map(|zone| zone.zone_name().map(str::to_owned)).collect()
        };
        let all = answer.load_balancers().iter();
        Ok(all.filter_map(|one| Some((one.load_balancer_arn()?.to_owned(), zones(one)))).collect())
    }

    /// The platforms that an image in Amazon ECR is built for, where its manifest lists them: `linux/amd64`.
    pub async fn platforms(&self, image: &ImageRef) -> Result<Vec<String>, Failure> {
        let Some(repository) = image.ecr() else { return Ok(vec![]) };
        let id = ImageIdentifier::builder();
        let id = match &image.digest {
            Some(digest) => id.image_digest(digest),
            None => id.image_tag(image.tag.as_deref().unwrap_or("latest")),
        };
        let request = self
            .ecr
            .of(&repository.region)
            .batch_get_image()
            .registry_id(&repository.account)
            .repository_name(&repository.name)
            .image_ids(id.build())
            .accepted_media_types("application/vnd.oci.image.index.v1+json")
            .accepted_media_types("application/vnd.docker.distribution.manifest.list.v2+json")
            .accepted_media_types("application/vnd.oci.image.manifest.v1+json")
            .accepted_media_types("application/vnd.docker.distribution.manifest.v2+json");
        let about = Call::BatchGetImage.on(image.to_string());
        let answer = request.send().await.map_err(of(about))?;
        let manifest = answer.images().first().and_then(|one| one.image_manifest());
        let manifest: Value =
            manifest.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let listed = manifest["manifests"].as_array().into_iter().flatten();
        let platform = |one: &Value| {
            let part = |member: &str| one["platform"][member].as_str();
            Some(format!("{}/{}", part("os")?, part("architecture")?))
        };
        // Attestations are listed beside images, for a platform that nobody knows.
        Ok(listed.filter_map(platform).filter(|one| one != "unknown/unknown").collect())
    }

    /// Whether there is a log group of that name.
    pub async fn has_log_group(&self, name: &str, region: Option<&str>) -> Result<bool, Failure> {
        let region = region.unwrap_or(&self.region);
        let body = serde_json::json!({ "logGroupNamePrefix": name, "limit": 50 }).to_string();
        let about = Call::DescribeLogGroups.on(name);
        let answer = self.signed.send(LOGS, region, about.clone(), body).await?;
        let answer: Value =
            serde_json::from_str(&answer).map_err(|error| unreadable(&about, error))?;
        let groups = answer["logGroups"].as_array();
        // Groups come in the order of their names: the shortest one with this prefix is first.
        Ok(groups.into_iter().flatten().any(|group| group["logGroupName"] == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_an_alarm_is_its_own_in_whatever_order_its_members_come() {
        let fires = |members: &[(&str, &str)]| alarm(members).map(|one| (one.name, one.fires));
        let first = [("AlarmName", "errors"), ("StateValue", "ALARM")];
        let last = [("StateValue", "ALARM"), ("Metrics.member.1.Id", "m"), ("AlarmName", "errors")];
        assert_eq!(fires(&first), Some(("errors".to_owned(), true)));
        assert_eq!(fires(&last), Some(("errors".to_owned(), true)));
        assert_eq!(
            fires(&[("StateValue", "OK"), ("AlarmName", "a")]),
            Some(("a".to_owned(), false))
        );
        assert_eq!(fires(&[("AlarmName", "a")]), None);
    }

    #[test]
    fn a_service_is_in_the_domain_of_its_partition() {
        for (region, fips, expected) in [
            ("eu-central-1", false, "monitoring.eu-central-1.amazonaws.com"),
            ("us-gov-west-1", true, "monitoring-fips.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, "monitoring.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", false, "monitoring.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(host("monitoring", region, fips), expected);
        }
    }

    #[test]
    fn an_error_is_read_in_either_protocol() {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        let json = r#"{"__type":"com.amazonaws.logs#AccessDeniedException","message":"no"}"#;
        for (protocol, body, code) in [
            (Protocol::Query, xml, "AccessDenied"),
            (Protocol::Json { target: "Logs" }, json, "AccessDeniedException"),
            (Protocol::Query, "<html>", "Unknown"),
        ] {
            let error = said(protocol, body);
            assert_eq!(error.code(), Some(code), "{body}");
        }
        assert_eq!(said(Protocol::Query, xml).message(), Some("no"));
    }
}
