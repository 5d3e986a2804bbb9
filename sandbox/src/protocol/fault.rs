//! How AWS refuses: a status, a code that programs read, a text that people read.

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Fault {
        Fault { status: 400, code: code.to_owned(), message: message.into() }
    }

    /// ECS: what the caller asked for cannot be done.
    pub(crate) fn client(message: impl Into<String>) -> Fault {
        Fault::new("ClientException", message)
    }

    /// ECS, ECR and CloudWatch Logs: a parameter is not valid.
    pub(crate) fn parameter(message: impl Into<String>) -> Fault {
        Fault::new("InvalidParameterException", message)
    }

    /// Elastic Load Balancing: a parameter is not valid.
    pub(crate) fn validation(message: impl Into<String>) -> Fault {
        Fault::new("ValidationError", message)
    }

    /// A member is missing, for services with the query protocol.
    pub(crate) fn null(member: &str) -> Fault {
        let member = super::query::lower(member);
        Fault::validation(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    }

    /// The error's shape, where a service of the query protocol speaks another one; the code is for that
    /// protocol.
    pub(crate) fn shape(&self) -> &str {
        match self.code.as_str() {
            "AccessDenied" => "AccessDeniedException",
            "ExpiredToken" => "ExpiredTokenException",
            "InvalidAction" => "UnknownOperationException",
            "InvalidFormat" => "InvalidFormatFault",
            "LimitExceeded" => "LimitExceededFault",
            "ServiceUnavailable" => "ServiceUnavailableException",
            "Throttling" => "ThrottlingException",
            "ValidationError" => "ValidationException",
            own => own,
        }
    }

    /// Too many calls.
    pub(crate) fn throttled(service: &str) -> Fault {
        let code = if is_query(service) { "Throttling" } else { "ThrottlingException" };
        Fault::new(code, "Rate exceeded")
    }

    /// AWS failed.
    pub(crate) fn internal(service: &str) -> Fault {
        let (code, message) = match service {
            "ecs" | "ecr" => ("ServerException", "Service Unavailable. Please try again later."),
            "application-autoscaling" => ("InternalServiceException", "Internal service error."),
            _ => (
                "InternalFailure",
                "The request processing has failed because of an unknown error.",
            ),
        };
        Fault { status: 500, ..Fault::new(code, message) }
    }

    /// AWS cannot answer at the moment.
    pub(crate) fn unavailable(service: &str) -> Fault {
        let code =
            if is_query(service) { "ServiceUnavailable" } else { "ServiceUnavailableException" };
        Fault { status: 503, ..Fault::new(code, "Service Unavailable") }
    }

    /// The session is over.
    pub(crate) fn expired(service: &str) -> Fault {
        let message = "The security token included in the request is expired";
        match is_query(service) {
            true => Fault { status: 403, ..Fault::new("ExpiredToken", message) },
            false => Fault::new("ExpiredTokenException", message),
        }
    }

    /// The credentials do not allow an action on a resource: nothing allows it, or something denies it.
    pub(crate) fn denied(
        service: &str,
        user: &str,
        action: &str,
        resource: Option<&str>,
        explicitly: bool,
    ) -> Fault {
        let resource = resource.map(|arn| format!(" on resource: {arn}")).unwrap_or_default();
        let why = match explicitly {
            true => "with an explicit deny in an identity-based policy".to_owned(),
            false => format!("because no identity-based policy allows the {action} action"),
        };
        let message =
            format!("User: {user} is not authorized to perform: {action}{resource} {why}");
        match is_query(service) {
            _ if service == "ec2" => {
                let message =
                    format!("You are not authorized to perform this operation. {message}");
                Fault { status: 403, ..Fault::new("UnauthorizedOperation", message) }
            }
            true => Fault { status: 403, ..Fault::new("AccessDenied", message) },
            false => Fault::new("AccessDeniedException", message),
        }
    }
}

/// Services that speak the query protocol.
fn is_query(service: &str) -> bool {
    matches!(service, "elasticloadbalancing" | "sts" | "iam" | "ec2" | "cloudwatch" | "")
}
