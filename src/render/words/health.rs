//! Tasks and targets that failed, in words.

use super::time;
use crate::model::health::{CheckOf, Meaning, Sick, Sickness, TaskFailure};

/// How a task failed.
pub(crate) fn task(failure: &TaskFailure) -> String {
    let TaskFailure { container, exit_code, reason, meaning, dependent, .. } = failure;
    let mut what = match (container, exit_code, reason) {
        (Some(container), Some(code), None) => {
            format!("container {container} exited with code {code}")
        }
        (Some(container), Some(code), Some(reason)) => {
            format!("container {container} exited with code {code}: {reason}")
        }
        (Some(container), None, Some(reason)) => format!("container {container}: {reason}"),
        (None, _, Some(reason)) => reason.clone(),
        (_, None, None) | (None, Some(_), None) => "it stopped; ECS gives no reason".to_owned(),
    };
    if let Some(dependent) = dependent {
        what = format!("{what}; container {dependent} depends on it");
    }
    match meaning {
        Some(meaning) => format!("{what} ({})", means(*meaning)),
        None => what,
    }
}

fn means(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::NoSecret => "a secret of the task definition does not exist",
        Meaning::NoSecretKey => "a secret lacks a key that the task definition names",
        Meaning::NoParameter => "an SSM parameter of the task definition does not exist",
        Meaning::NoLogGroup => {
            "create the log group, or allow logs:CreateLogGroup and set awslogs-create-group"
        }
        Meaning::NoImage => "the image does not exist",
        Meaning::NoImageOrPermission => {
            "the image does not exist, or the execution role may not pull it"
        }
        Meaning::NoPermission => "the execution role lacks a permission",
        Meaning::WrongArchitecture => "the image is built for another CPU architecture",
        Meaning::BadImageName => "the image name is not valid",
        Meaning::NoLibrary => "the image lacks a library that the command needs",
        Meaning::NoCommand => "the command does not exist in the image",
        Meaning::NotFound => "an image, secret or file that the task needs does not exist",
        Meaning::DoesNotExist => "something that the task needs does not exist",
        Meaning::PortTwice => "two containers of the task use the same port",
        Meaning::PortTaken => "another task on the instance uses the port",
        Meaning::NoEfsDirectory => "the directory does not exist in the EFS file system",
        Meaning::EfsMount => "the EFS file system could not be mounted",
        Meaning::LogDriver => "the log driver could not start",
        Meaning::InstancePath => "a path of the instance could not be mounted",
        Meaning::Volume => "a volume could not be mounted",
        Meaning::NoFile => "a file that the task needs does not exist",
        Meaning::Memory => "it needs more memory than the task definition gives it",
        Meaning::Sigill => "SIGILL: maybe built for another CPU",
        Meaning::Sigabrt => "SIGABRT: the program aborted itself",
        Meaning::Sigbus => "SIGBUS",
        Meaning::Sigkill => "SIGKILL: out of memory, or it did not stop in time",
        Meaning::Sigsegv => "SIGSEGV: the program crashed",
        Meaning::Sigterm => "SIGTERM: it was asked to stop",
    }
}

/// Why a target is not healthy.
pub(crate) fn sickness(sickness: &Sickness) -> String {
    let Sickness { target, state, check, what } = sickness;
    let asked = check.as_ref().map_or_else(|| "health check".to_owned(), checked);
    match what {
        Sick::Code { answered } => {
            let expected = check.as_ref().map_or("", |check| check.expected.as_str());
            let grpc = check.as_ref().is_some_and(|check| check.grpc);
            let answered = if grpc { format!("gRPC status {answered}") } else { answered.clone() };
            format!("target {target}: {asked} answered {answered}, expected {expected}")
        }
        Sick::Timeout => match check {
            Some(check) => {
                format!("target {target}: {asked} got no answer within {}", time(check.timeout))
            }
            None => format!("target {target}: {asked} got no answer in time"),
        },
        Sick::Zone => format!("target {target}: its zone is not enabled on the load balancer"),
        Sick::NoRule => format!("target {target}: no rule forwards to its target group"),
        Sick::NotInUse => format!(
            "target {target}: no rule forwards to its target group, or its zone is not enabled on the load balancer"
        ),
        Sick::Registering => format!("target {target} is being registered"),
        Sick::Starting => format!("target {target} has not passed {asked} yet"),
        Sick::Other { reason, description: None } => {
            format!("target {target} is {state}: {reason}")
        }
        Sick::Other { description: Some(text), .. } => {
            format!("target {target} is {state}: {text}")
        }
    }
}

fn checked(check: &CheckOf) -> String {
    match check.path.as_str() {
        "" => format!("{} health check", check.protocol),
        path if check.grpc => format!("gRPC health check {path}"),
        path => format!("health check GET {path}"),
    }
}
