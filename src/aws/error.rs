//! What the SDK says when a call fails, as one kind of error that says what happened, to what, and
//! whether it may have taken effect.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call to AWS that failed, or could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// What was tried: `DescribeServices web in cluster shop`.
    pub call: String,
    /// What kind of failure it is.
    pub kind: Kind,
    /// AWS's error code, or ours.
    pub code: String,
    /// In AWS's words, or the transport's.
    pub message: String,
}

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No region is known.
    Region,
    /// There are no credentials, or AWS does not take them.
    Credentials,
    /// The certificates to trust cannot be read.
    Certificates,
    /// A variable of the environment cannot be meant as it is.
    Environment,
    /// The credentials do not allow it.
    Denied,
    /// The thing does not exist.
    NotFound,
    /// AWS refuses the call for another reason.
    Refused,
    /// Too many calls; this one did not happen.
    Throttled,
    /// No connection was made; the call did not happen.
    Unreachable,
    /// The call may have taken effect.
    Unknown,
}

impl AwsError {
    /// An error that no call reported.
    pub fn new(
        call: impl Into<String>,
        kind: Kind,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        Self { call: call.into(), kind, code: code.to_owned(), message: message.into() }
    }

    /// Whether the call certainly had no effect.
    pub fn did_not_happen(&self) -> bool {
        self.kind != Kind::Unknown
    }

    /// Whether the same call may succeed later.
    pub fn passes(&self) -> bool {
        matches!(self.kind, Kind::Throttled | Kind::Unreachable | Kind::Unknown)
    }

    /// The line that can be pasted.
    pub fn hint(&self) -> String {
        match self.kind {
            Kind::Region => "export AWS_REGION=eu-central-1".into(),
            Kind::Credentials if self.code.contains("Expired") => {
                "renew the credentials, for example: aws sso login".into()
            }
            Kind::Credentials => {
                "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…, or --profile NAME".into()
            }
            Kind::Certificates => "export AWS_CA_BUNDLE=/path/to/certificates.pem".into(),
            Kind::Environment => {
                "in a file for docker's --env-file, write NAME=value: no quotes, no blanks, no comment behind it"
                    .into()
            }
            Kind::Denied => format!("allow {} to these credentials", self.action()),
            Kind::NotFound => {
                "look at cluster, service and region: aws ecs list-services --cluster NAME".into()
            }
            Kind::Refused => "see the message from AWS above".into(),
            Kind::Unreachable => {
                "look at the region, at AWS_ENDPOINT_URL, HTTPS_PROXY and the way to the network"
                    .into()
            }
            Kind::Throttled | Kind::Unknown => {
                "run the same command again: it goes on where this one stopped".into()
            }
        }
    }

    /// `ecs:DescribeServices` of a call's description.
    fn action(&self) -> String {
        // AWS names the action, which need not be the operation.
        if let Some((_, rest)) = self.message.split_once("not authorized to perform: ") {
            return rest.split([' ', ',']).next().unwrap_or_default().to_owned();
        }
        let operation = self.call.split(' ').next().unwrap_or_default();
        let service = match operation {
            o if o.contains("Listener") || o.contains("Rule") || o.contains("Target") => {
                "elasticloadbalancing"
            }
            o if o.contains("Image") || o.contains("Repositor") || o.contains("Authorization") => {
                "ecr"
            }
            o if o.contains("LogEvents") => "logs",
            o if o.contains("Scalable") => "application-autoscaling",
            _ => "ecs",
        };
        match service {
            "application-autoscaling" => "application-autoscaling:DescribeScalableTargets".into(),
            // DescribeTargetGroups and its like are no ECS call, DescribeTasks is.
            service => format!("{service}:{operation}"),
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Region | Kind::Credentials | Kind::Certificates | Kind::Environment
                if self.call.is_empty() =>
            {
                f.write_str(&self.message)
            }
            _ => write!(f, "{} failed: {}: {}", self.call, self.code, self.message),
        }
    }
}

impl std::error::Error for AwsError {}

/// What the HTTP client says when it did not even connect. A connection that broke later says
/// "connection" too, and may have carried the call.
const NEVER_CONNECTED: [&str; 4] =
    ["client error (Connect)", "tcp connect error", "dns error", "failed to apply endpoint"];

/// Codes after which the call did not happen because there were too many of them.
const THROTTLES: [&str; 6] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
];

/// Codes for credentials that AWS does not take.
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
];

/// Turns an SDK error into ours. `call` says the operation first, then what it was about.
pub(super) fn of<E>(call: impl Into<String>) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let call = call.into();
    move |error| {
        let chain = causes(&error);
        // Also where it took too long: a connection that was never made carried nothing.
        let unconnected = NEVER_CONNECTED.iter().any(|text| chain.contains(text));
        let make = |kind, code: &str, message: &str| AwsError::new(&call, kind, code, message);
        match &error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("Unknown");
                let message = answer.err().message().unwrap_or("AWS gave no message");
                let status = answer.raw().status().as_u16();
                make(kind_of(code, status), code, message)
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() && !unconnected => {
                make(Kind::Unknown, "Timeout", &chain)
            }
            SdkError::DispatchFailure(_) if chain.contains("region") => {
                make(Kind::Region, "NoRegion", "no region is set")
            }
            SdkError::DispatchFailure(_) if chain.contains("credential") => {
                make(Kind::Credentials, "NoCredentials", &chain)
            }
            SdkError::DispatchFailure(_) if unconnected => {
                make(Kind::Unreachable, "Unreachable", &chain)
            }
            SdkError::ConstructionFailure(_) => make(Kind::Refused, "NotSent", &chain),
            _ => make(Kind::Unknown, "NoAnswer", &chain),
        }
    }
}

fn kind_of(code: &str, status: u16) -> Kind {
    match code {
        code if THROTTLES.contains(&code) => Kind::Throttled,
        code if CREDENTIALS.contains(&code) => Kind::Credentials,
        code if code.starts_with("AccessDenied") || code == "UnauthorizedOperation" => Kind::Denied,
        code if code.contains("NotFound") => Kind::NotFound,
        _ if status >= 500 || status == 408 => Kind::Unknown,
        _ => Kind::Refused,
    }
}

/// The messages of an error and its causes, without repetition.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut messages = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !messages.iter().any(|known| known.contains(&message)) {
            messages.push(message);
        }
        next = cause.source();
    }
    messages.join(": ")
}
