//! What the SDK says when a call fails, as a `Failure`.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::call::About;
use crate::error::{Failure, FailureKind};

/// What the HTTP client says when it did not even connect. A connection that broke later says
/// "connection" too, and may have carried the call.
const NEVER_CONNECTED: [&str; 4] =
    ["client error (Connect)", "tcp connect error", "dns error", "failed to apply endpoint"];

/// Codes after which the call did not happen because there were too many of them.
const THROTTLES: [&str; 7] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    // The clocks differ: the SDK corrects its own by the answer.
    "RequestExpired",
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

/// Turns an SDK error into ours.
pub(super) fn of<E>(about: impl Into<About>) -> impl FnOnce(SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let about = about.into();
    move |error| {
        let chain = causes(&error);
        // Also where it took too long: a connection that was never made carried nothing.
        let unconnected = NEVER_CONNECTED.iter().any(|text| chain.contains(text));
        let make = |kind, code: &str, message: &str| Failure::of(&about, kind, code, message);
        match &error {
            SdkError::ServiceError(answer) => {
                let code = answer.err().code().unwrap_or("Unknown");
                let message = answer.err().message().unwrap_or("AWS gave no message");
                let status = answer.raw().status().as_u16();
                let kind = kind_of(code, status);
                let action = denied(message).filter(|_| kind == FailureKind::Denied);
                Failure { action, ..make(kind, code, message) }
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() && !unconnected => {
                make(FailureKind::Unknown, "Timeout", &chain)
            }
            SdkError::DispatchFailure(_) if chain.contains("region") => {
                make(FailureKind::Region, "NoRegion", "no region is set")
            }
            SdkError::DispatchFailure(_) if chain.contains("credential") => {
                make(FailureKind::Credentials, "NoCredentials", &chain)
            }
            SdkError::DispatchFailure(_) if unconnected => {
                make(FailureKind::Unreachable, "Unreachable", &chain)
            }
            SdkError::ConstructionFailure(_) => make(FailureKind::Refused, "NotSent", &chain),
            _ => make(FailureKind::Unknown, "NoAnswer", &chain),
        }
    }
}

/// The IAM action of a denial in AWS's words.
fn denied(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    rest.split([' ', ',']).next().map(str::to_owned)
}

fn kind_of(code: &str, status: u16) -> FailureKind {
    match code {
        code if THROTTLES.contains(&code) || status == 429 => FailureKind::Throttled,
        code if CREDENTIALS.contains(&code) => FailureKind::Credentials,
        code if code.starts_with("AccessDenied") || code == "UnauthorizedOperation" => {
            FailureKind::Denied
        }
        code if code.contains("NotFound") || code == "NoSuchResourceException" => {
            FailureKind::Missing
        }
        _ if status >= 500 || status == 408 => FailureKind::Unknown,
        _ => FailureKind::Refused,
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
