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

    /// ECS and ECR: a parameter is not valid.
    pub(crate) fn parameter(message: impl Into<String>) -> Fault {
        Fault::new("InvalidParameterException", message)
    }

    /// Elastic Load Balancing: a parameter is not valid.
    pub(crate) fn validation(message: impl Into<String>) -> Fault {
        Fault::new("ValidationError", message)
    }
}
