//! Tasks and targets that failed, in words.

use super::{ecs_reason, time};
use crate::event::{BeforeEnded, Cause, Ended, WaitReason};
use crate::model::ecs_reason::EcsReason;
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
    meant(&what, *meaning)
}

/// What was said, and what it means.
pub(crate) fn meant(said: &str, meaning: Option<Meaning>) -> String {
    match meaning {
        Some(meaning) => format!("{said} ({})", means(meaning)),
        None => said.to_owned(),
    }
}

fn means(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::NoSecret => "a secret of the task definition does not exist",
        Meaning::NoSecretKey => "a secret lacks a key that the task definition names",
        Meaning::NoParameter => "an SSM parameter of the task definition does not exist",
        Meaning::NoLogGroup => "the log group does not exist",
        Meaning::NoImage => "the image does not exist",
        Meaning::NoImageOrPermission => {
            "the image does not exist, or the execution role may not pull it"
        }
        Meaning::NoPermission => "the execution role lacks a permission",
        Meaning::VolumeRole => "the infrastructure role of a volume lacks a permission",
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
        Meaning::Sigterm => "SIGTERM: something stopped it",
        Meaning::NotExecutable => "the command may not be executed",
        Meaning::ShellNoCommand => "127: the shell does not find the command",
        Meaning::PullLimit => "the registry limits how often images are pulled",
        Meaning::NoRoute => {
            "the subnet has no way to the registry, or to an AWS service that the task needs"
        }
        Meaning::Certificate => "the registry's certificate is not trusted",
        Meaning::RoleNotAssumable => "ECS may not assume the role",
        Meaning::DiskFull => "the disk is full",
        Meaning::Resources => "ECS could not set up what the task needs",
        Meaning::NoCapacity => "no capacity right now",
        Meaning::NoRoom => "no instance has enough CPU units or memory left",
        Meaning::NoInterface => "no network interface is free",
        Meaning::NoAddress => "a subnet of the service has no free address",
        Meaning::NoGpu => "no instance has a GPU left",
        Meaning::Quota => "a quota of the account is used up",
        Meaning::Throttled => "AWS throttles the account's calls",
        Meaning::AwsError => "an error inside AWS",
    }
}

/// What helps against why it ended so, where that is known. As Markdown.
pub(crate) fn advice(ended: &Ended) -> Option<&'static str> {
    let cause = ended.why.as_ref()?;
    let failed = || ended.failures.iter().filter(|one| one.old.is_none());
    against(cause).or_else(|| match cause {
        Cause::EcsRolledBack { .. }
        | Cause::NoProgress { .. }
        | Cause::PhaseTooLong { .. }
        | Cause::TooFewHealthy { .. } => failed().find_map(|one| one.failure.meaning).map(helps),
        _ => None,
    })
}

fn against(cause: &Cause) -> Option<&'static str> {
    let of = |task: &TaskFailure| task.meaning.map(helps);
    match cause {
        Cause::Tasks { task, .. } => of(task),
        Cause::Before { ended: BeforeEnded::Failed(task), .. } => of(task),
        // An alarm or a person has other reasons.
        Cause::EcsFailed { task, meaning: Some(EcsReason::Breaker), .. } => {
            task.as_ref().and_then(of)
        }
        Cause::EcsFailed { meaning: Some(meaning), .. } => ecs_reason::helps(*meaning),
        Cause::EcsRolledBack { task, .. } | Cause::TooFewTasks { task, .. } => {
            task.as_ref().and_then(of)
        }
        Cause::NoProgress { lacks, task, .. } => {
            task.as_ref().and_then(of).or_else(|| lacks.as_ref().and_then(obstacle))
        }
        Cause::PhaseTooLong { lacks, .. } => obstacle(lacks),
        Cause::Target { target, .. } => helps_target(&target.what),
        Cause::RestartFails { why } | Cause::OldSideFails { why: Some(why), .. } => against(why),
        Cause::Both { new, .. } => against(new),
        _ => None,
    }
}

fn obstacle(lacks: &WaitReason) -> Option<&'static str> {
    match lacks {
        WaitReason::Tasks { meaning, .. } => meaning.map(helps),
        _ => None,
    }
}

fn helps_target(sick: &Sick) -> Option<&'static str> {
    match sick {
        Sick::Code { answered } => Some(match answered.as_bytes().first() {
            Some(b'3') => {
                "Give the health check a path that does not redirect, for example to HTTPS or to a login."
            }
            Some(b'4') => "Give the health check a path that exists and needs no login.",
            Some(b'5') => {
                "Look in the log: the application answers its health check with an error."
            }
            _ => "Compare what the path answers with the matcher of the target group.",
        }),
        Sick::Timeout => {
            Some("Open the security group for the load balancer; give a slow start a grace period.")
        }
        Sick::Refused => {
            Some("Compare the port of the container and of the target group; listen on 0.0.0.0.")
        }
        Sick::Zone => Some("Enable the zone, or take the subnet out of the service."),
        Sick::NoRule => Some("Add a rule, or name the right target group."),
        Sick::NotInUse | Sick::Registering | Sick::Starting | Sick::Other { .. } => None,
    }
}

fn helps(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::NoImage => "Push the image, or correct the tag.",
        Meaning::NoImageOrPermission => {
            "Check the name; let the execution role pull (`AmazonECSTaskExecutionRolePolicy`), or set `repositoryCredentials`."
        }
        Meaning::BadImageName => {
            "Correct the image reference: `REGISTRY/REPOSITORY:TAG`, in lower case."
        }
        Meaning::WrongArchitecture => {
            "Build for the architecture of the task: `docker build --platform linux/amd64`, or set `runtimePlatform`."
        }
        Meaning::PullLimit => {
            "Wait, log in to the registry (`repositoryCredentials`), or use a pull-through cache in Amazon ECR."
        }
        Meaning::NoRoute => {
            "Give the subnet a NAT gateway, VPC endpoints, or the task a public IP address; check its security group."
        }
        Meaning::Certificate => "Use a registry with a certificate that a public authority signed.",
        Meaning::NoPermission => "Allow the action that is named to the execution role.",
        Meaning::VolumeRole => {
            "Give the infrastructure role the policy `AmazonECSInfrastructureRolePolicyForVolumes`."
        }
        Meaning::RoleNotAssumable => {
            "The role's trust policy must allow `ecs-tasks.amazonaws.com` (an infrastructure role: `ecs.amazonaws.com`)."
        }
        Meaning::NoSecret | Meaning::NoParameter => {
            "Correct the ARN or the name in `secrets`, or create it in this region."
        }
        Meaning::NoSecretKey => "Correct the JSON key at the end of `valueFrom`.",
        Meaning::NoLogGroup => {
            "Create the log group, or set `awslogs-create-group` and allow `logs:CreateLogGroup` to the execution role."
        }
        Meaning::LogDriver => {
            "Check the options of `logConfiguration`, and that the instance has the driver."
        }
        Meaning::NoEfsDirectory => "Create the directory, or let an access point create it.",
        Meaning::EfsMount => {
            "The security group of the mount target must allow port 2049 from the task; each zone needs a mount target."
        }
        Meaning::Volume | Meaning::InstancePath => {
            "Check `volumes` and `mountPoints`; the path must exist on the instance."
        }
        Meaning::NotFound | Meaning::DoesNotExist | Meaning::NoFile => {
            "Compare the names in the task definition with what exists."
        }
        Meaning::NoLibrary => {
            "Build the image from a base that has the library, or link statically."
        }
        Meaning::NoCommand | Meaning::ShellNoCommand => {
            "Correct `command` or `entryPoint` (`--command`)."
        }
        Meaning::NotExecutable => "`chmod +x` it in the image, and check the user that runs it.",
        Meaning::PortTwice => "Give each container of the task a port of its own.",
        Meaning::PortTaken => "Use a dynamic host port (0), or more instances than tasks.",
        Meaning::DiskFull => "Raise `ephemeralStorage`, or free space on the instance.",
        Meaning::Memory => "Give it more memory (`--memory`), or find the leak.",
        Meaning::Sigkill => {
            "Give it more memory (`--memory`); or raise `stopTimeout`, if it was stopping."
        }
        Meaning::Sigsegv | Meaning::Sigabrt | Meaning::Sigbus => "Look for a crash in the log.",
        Meaning::Sigill => "Build for the CPU that the task runs on.",
        Meaning::Sigterm => "Find out who stopped it: a supervisor in the container, or a person.",
        Meaning::NoCapacity | Meaning::NoRoom | Meaning::NoGpu => {
            "Add instances or subnets in other zones."
        }
        Meaning::NoInterface => "Add instances, or turn on `awsvpcTrunking`.",
        Meaning::NoAddress => "Give the service larger subnets, or more of them.",
        Meaning::Quota => "Ask for a higher quota in Service Quotas.",
        Meaning::Throttled | Meaning::AwsError => "Look at the AWS Health Dashboard if it lasts.",
        Meaning::Resources => "Read the rest of the reason: a secret, the network or a volume.",
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
        Sick::Refused => format!(
            "target {target}: {asked} could not connect: nothing listens on the port, or it closed the connection"
        ),
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::model::health::failure;
    use crate::model::health::tests::task as stopped;

    const PAGE: &str = "docs/causes.md";

    /// Every meaning, with the name that JSON has: as the type says.
    fn all() -> Vec<(String, Meaning)> {
        let schema = serde_json::to_value(schemars::schema_for!(Meaning)).expect("JSON");
        let variants = schema["oneOf"].as_array().expect("variants").iter();
        let read = |variant: &serde_json::Value| {
            let code = variant["const"].as_str().expect("a name").to_owned();
            (code, serde_json::from_value(variant["const"].clone()).expect("a meaning"))
        };
        variants.map(read).collect()
    }

    /// What `tests/cmd/causes.in` has for a cause: AWS's words, and what the container exits with.
    fn scenario(code: &str) -> (Option<i32>, Option<String>) {
        let path = format!("tests/cmd/causes.in/{code}.toml");
        let text = std::fs::read_to_string(&path).expect(&path);
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let exit = value("code = ").map(|code| code.parse().expect("a number"));
        let exit = exit.or_else(|| text.contains("does = 'oom'").then_some(137));
        let reason = value("reason = ").map(|said| said.trim_matches(['\'', '"']).to_owned());
        (exit, reason)
    }

    /// What `ecs-bg` does about it.
    fn done(code: &str) -> &'static str {
        use crate::model::health::Outlook::{Doubtful, Hopeless, Passing};
        let (exit, reason) = scenario(code);
        let outlook = match (exit, reason) {
            (None, None) => Passing,
            (exit, reason) => {
                let stop =
                    if exit.is_some() { "EssentialContainerExited" } else { "TaskFailedToStart" };
                let reason = reason.unwrap_or_default();
                failure(&stopped(stop, "x", Some((exit, &reason)))).expect("it failed").outlook
            }
        };
        match outlook {
            Hopeless => "rolls back at once",
            Doubtful if exit.is_some() => "rolls back if it happens again",
            Doubtful => "rolls back after several failures",
            Passing => "waits, up to `--timeout`",
        }
    }

    /// The page's list: a row and a section for each meaning.
    fn list() -> String {
        let mut rows =
            "| code | what it means | what `ecs-bg` does |\n| --- | --- | --- |\n".to_owned();
        let mut sections = String::new();
        for (code, meaning) in all() {
            let (means, helps, done) = (means(meaning), helps(meaning), done(&code));
            let _ = writeln!(rows, "| [`{code}`](#{code}) | {means} | {done} |");
            let mut first = means.chars();
            let head: String = first.next().into_iter().flat_map(char::to_uppercase).collect();
            let _ = writeln!(sections, "\n### {code}\n\n{head}{}.", first.as_str());
            if let Some(reason) = scenario(&code).1 {
                let _ = writeln!(sections, "\n```text\n{reason}\n```");
            }
            let _ = writeln!(sections, "\n{helps}");
        }
        rows + &sections
    }

    #[test]
    fn the_docs_have_every_cause() {
        let page = std::fs::read_to_string(PAGE).expect(PAGE);
        let start = page.find("| code | what it means").expect("a table");
        let end = page.find("\n## Targets").expect("the next part");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            let page = format!("{}{}{}", &page[..start], list(), &page[end..]);
            std::fs::write(PAGE, page).expect(PAGE);
            return;
        }
        assert_eq!(&page[start..end], list(), "run it with UPDATE_SCHEMA=1");
    }

    #[test]
    fn the_docs_have_what_helps_a_target() {
        let page = std::fs::read_to_string(PAGE).expect(PAGE);
        let code = |code: &str| Sick::Code { answered: code.to_owned() };
        let codes = ["301", "404", "503", "12"].map(code);
        let others = [Sick::Timeout, Sick::Refused, Sick::Zone, Sick::NoRule];
        for sick in codes.into_iter().chain(others) {
            let helps = helps_target(&sick).expect("advice");
            assert!(page.contains(&format!("| {helps} |\n")), "{helps}");
        }
    }

    /// Texts as the developer guide ("Stopped tasks error messages", "API failure reasons") and container
    /// engines have them.
    #[test]
    fn aws_s_words_are_understood() {
        use crate::model::health::Outlook::{Doubtful, Hopeless, Passing};
        for (exit, reason, meaning, outlook) in [
            (
                None,
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref docker.io/library/nginx:1: toomanyrequests: You have reached your pull rate limit.",
                Meaning::PullLimit,
                Passing,
            ),
            (
                None,
                "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: dial tcp 52.216.1.1:443: i/o timeout",
                Meaning::NoRoute,
                Doubtful,
            ),
            (
                None,
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: RequestError: send request failed caused by: Post \"https://api.ecr.eu-central-1.amazonaws.com/\": dial tcp: lookup api.ecr: no such host",
                Meaning::NoRoute,
                Doubtful,
            ),
            (
                None,
                "CannotPullContainerError: failed to do request: x509: certificate signed by unknown authority",
                Meaning::Certificate,
                Doubtful,
            ),
            (
                None,
                "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/shop' that was provided for this task.",
                Meaning::RoleNotAssumable,
                Hopeless,
            ),
            (
                None,
                "CannotPullContainerError: write /var/lib/docker/x: no space left on device",
                Meaning::DiskFull,
                Doubtful,
            ),
            (
                None,
                "CannotStartContainerError: exec: \"/app/run\": permission denied: exec",
                Meaning::NotExecutable,
                Doubtful,
            ),
            (
                None,
                "ResourceInitializationError: failed to configure the task",
                Meaning::Resources,
                Doubtful,
            ),
            (
                None,
                "Capacity is unavailable at this time. Please try again later.",
                Meaning::NoCapacity,
                Passing,
            ),
            (
                None,
                "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref public.ecr.aws/shop/api:2: public.ecr.aws/shop/api:2: not found",
                Meaning::NoImage,
                Hopeless,
            ),
            (
                None,
                "CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref \"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/none:1\": name unknown: The repository with name 'shop/none' does not exist in the registry with id '123456789012'",
                Meaning::NoImage,
                Hopeless,
            ),
            (
                None,
                "CannotPullContainerError: Error response from daemon: no matching manifest for linux/amd64 in the manifest list entries",
                Meaning::WrongArchitecture,
                Hopeless,
            ),
            (
                None,
                "CannotPullContainerError: Error response from daemon: Get \"https://registry.example.com/v2/shop/manifests/2\": no basic auth credentials",
                Meaning::NoImageOrPermission,
                Hopeless,
            ),
            (
                None,
                "CannotPullContainerError: failed to resolve ref: pulling from host 123456789012.dkr.ecr.eu-central-1.amazonaws.com failed with status code [manifests 2]: 403 Forbidden",
                Meaning::NoImageOrPermission,
                Hopeless,
            ),
            (
                None,
                "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion.",
                Meaning::NoSecret,
                Hopeless,
            ),
            (None, "RESOURCE:MEMORY", Meaning::NoRoom, Passing),
            (None, "RESOURCE:ENI", Meaning::NoInterface, Passing),
            (None, "RESOURCE:GPU", Meaning::NoGpu, Passing),
            (
                None,
                "You've reached the limit on the number of vCPUs you can run concurrently",
                Meaning::Quota,
                Passing,
            ),
            (None, "ThrottlingException: Rate exceeded", Meaning::Throttled, Passing),
            (None, "InternalError: unable to create container", Meaning::AwsError, Passing),
            (Some(126), "", Meaning::NotExecutable, Doubtful),
            (Some(127), "", Meaning::ShellNoCommand, Doubtful),
        ] {
            let code =
                if exit.is_some() { "EssentialContainerExited" } else { "TaskFailedToStart" };
            let failed = failure(&stopped(code, "x", Some((exit, reason)))).expect("it failed");
            assert_eq!((failed.meaning, failed.outlook), (Some(meaning), outlook), "{reason}");
            assert!(task(&failed).contains(means(meaning)), "{reason}");
        }
    }
}
