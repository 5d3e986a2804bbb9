//! The meaning of a stop code, an exit code or a target's reason: whether it can pass, and why. Decides
//! nothing about a deployment.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::model::arn::{name, short};
use crate::model::serial::seconds;
use crate::model::world::{Container, Group, Service, Target, Task};

/// A task that failed. Its words are in `render::words`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskFailure {
    /// The task's id.
    pub task: String,
    /// The container that it ended with, where one is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The container's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What ECS says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What that means, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<Meaning>,
    /// A container that did not start because it depends on that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependent: Option<String>,
    /// Two failures with the same signature have the same cause.
    #[serde(skip)]
    pub signature: String,
    /// Whether starting it again can help.
    pub outlook: Outlook,
    /// When it was found to be unhealthy, where that is why it was stopped.
    #[serde(skip)]
    pub unhealthy_at: Option<SystemTime>,
    /// When it was asked for.
    #[serde(skip)]
    pub created: Option<SystemTime>,
    /// When ECS began to stop it.
    #[serde(skip)]
    pub ended: Option<SystemTime>,
}

/// What a reason or an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Deserialize))]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// A secret does not exist.
    NoSecret,
    /// A secret lacks a key.
    NoSecretKey,
    /// A parameter does not exist.
    NoParameter,
    /// The log group does not exist.
    NoLogGroup,
    /// The image does not exist.
    NoImage,
    /// The image does not exist, or may not be pulled.
    NoImageOrPermission,
    /// The execution role lacks a permission.
    NoPermission,
    /// The infrastructure role of a volume lacks a permission.
    VolumeRole,
    /// The image is built for another CPU architecture.
    WrongArchitecture,
    /// The image's name is not valid.
    BadImageName,
    /// The image lacks a library.
    NoLibrary,
    /// The command is not in the image.
    NoCommand,
    /// An image, a secret or a file does not exist.
    NotFound,
    /// Something that is named does not exist.
    DoesNotExist,
    /// Two containers of the task want the same port.
    PortTwice,
    /// Another task on the instance has the port.
    PortTaken,
    /// The directory does not exist in the EFS file system.
    NoEfsDirectory,
    /// The EFS file system cannot be mounted.
    EfsMount,
    /// The log driver cannot start.
    LogDriver,
    /// A path of the instance cannot be mounted.
    InstancePath,
    /// A volume cannot be mounted.
    Volume,
    /// A file does not exist.
    NoFile,
    /// The task definition gives it too little memory.
    Memory,
    /// Illegal instruction.
    Sigill,
    /// It aborted itself.
    Sigabrt,
    /// Bus error.
    Sigbus,
    /// Out of memory, or it did not stop in time.
    Sigkill,
    /// Segmentation fault.
    Sigsegv,
    /// It was asked to stop.
    Sigterm,
    /// The command may not be executed.
    NotExecutable,
    /// A shell does not find the command.
    ShellNoCommand,
    /// The registry limits anonymous pulls.
    PullLimit,
    /// The subnet has no way to the registry or to AWS.
    NoRoute,
    /// The registry's certificate is not trusted.
    Certificate,
    /// ECS may not assume a role.
    RoleNotAssumable,
    /// The disk is full.
    DiskFull,
    /// The task's resources cannot be set up.
    Resources,
    /// Fargate or the instances have no capacity.
    NoCapacity,
    /// No instance has enough CPU units or memory left.
    NoRoom,
    /// No instance has a network interface left.
    NoInterface,
    /// A subnet has no free address.
    NoAddress,
    /// No instance has a GPU left.
    NoGpu,
    /// A quota of the account is used up.
    Quota,
    /// AWS throttles.
    Throttled,
    /// AWS's own error.
    AwsError,
}

/// Whether starting a task again can help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// It cannot: the next one ends the same way.
    Hopeless,
    /// Once it may; not again and again.
    #[default]
    Doubtful,
    /// It can: what was missing comes and goes (capacity, a quota, a throttle).
    Passing,
}

/// Parts of `stoppedReason`s and container reasons after which another start ends the same way, with
/// what to make of them: all parts of a row. Texts: ECS developer guide, "Stopped tasks error messages".
const HOPELESS: &[(&[&str], Meaning)] = &[
    (&["unable to assume the role"], Meaning::RoleNotAssumable),
    (&["marked for deletion"], Meaning::NoSecret),
    (&["secrets manager can't find"], Meaning::NoSecret),
    (&["did not contain json key"], Meaning::NoSecretKey),
    (&["invalid ssm parameters"], Meaning::NoParameter),
    (&["specified log group does not exist"], Meaning::NoLogGroup),
    (&["cannot find the", "log group"], Meaning::NoLogGroup),
    (&["manifest unknown"], Meaning::NoImage),
    (&["name unknown"], Meaning::NoImage),
    (&["does not exist in the registry"], Meaning::NoImage),
    (&["check if the image exists"], Meaning::NoImage),
    (&["cannotpullcontainer", "not found"], Meaning::NoImage),
    (&["pull access denied"], Meaning::NoImageOrPermission),
    (&["no basic auth credentials"], Meaning::NoImageOrPermission),
    (&["cannotpullcontainer", "403 forbidden"], Meaning::NoImageOrPermission),
    (&["ec2:createvolume"], Meaning::VolumeRole),
    (&["check that the role has the permissions"], Meaning::NoPermission),
    (&["is not authorized to perform"], Meaning::NoPermission),
    (&["accessdenied"], Meaning::NoPermission),
    (&["does not contain descriptor matching platform"], Meaning::WrongArchitecture),
    (&["no matching manifest"], Meaning::WrongArchitecture),
    (&["exec format error"], Meaning::WrongArchitecture),
    (&["invalid reference format"], Meaning::BadImageName),
    (&["error while loading shared libraries"], Meaning::NoLibrary),
    // A file that is not there is the command only where it is executed.
    (&["executable file not found"], Meaning::NoCommand),
    (&["not found"], Meaning::NotFound),
    (&["does not exist"], Meaning::DoesNotExist),
    (&["address already in use"], Meaning::PortTwice),
    (&["port is already allocated"], Meaning::PortTaken),
];

/// Those that no other text makes pass: AWS calls some of them internal errors.
const CERTAIN: [&str; 3] =
    ["failed to normalize image reference", "invalid reference format", "invalid image reference"];

/// What may be there at the next start and may not: (all of these parts, what to make of them). A missing
/// file is not always the command.
const DOUBTFUL: [(&[&str], Meaning); 18] = [
    (&["efs", "no such file or directory"], Meaning::NoEfsDirectory),
    (&["mounting fs-", "failed"], Meaning::EfsMount),
    (&["efs utils"], Meaning::EfsMount),
    (&["logging driver"], Meaning::LogDriver),
    (&["log driver"], Meaning::LogDriver),
    (&["mount source path"], Meaning::InstancePath),
    (&["error mounting"], Meaning::Volume),
    (&["failed to mount"], Meaning::Volume),
    (&["no space left on device"], Meaning::DiskFull),
    (&["x509:"], Meaning::Certificate),
    (&["there is a connection issue"], Meaning::NoRoute),
    (&["i/o timeout"], Meaning::NoRoute),
    (&["no such host"], Meaning::NoRoute),
    (&["network is unreachable"], Meaning::NoRoute),
    (&["requesterror: send request failed"], Meaning::NoRoute),
    (&["context deadline exceeded"], Meaning::NoRoute),
    (&["permission denied", "exec"], Meaning::NotExecutable),
    (&["resourceinitializationerror"], Meaning::Resources),
];

/// What comes and goes: capacity, quotas, throttles, the machine below. Texts: as above, and "API
/// failure reasons" (`RESOURCE:…`).
const PASSING: [(&str, Meaning); 25] = [
    ("capacity is unavailable", Meaning::NoCapacity),
    // Not `resource:` alone: "… is not authorized to perform: … on resource: …".
    ("resource:cpu", Meaning::NoRoom),
    ("resource:memory", Meaning::NoRoom),
    ("resource:port", Meaning::PortTaken),
    ("resource:eni", Meaning::NoInterface),
    ("resource:gpu", Meaning::NoGpu),
    // Service events say it in other words.
    ("insufficient cpu units", Meaning::NoRoom),
    ("insufficient memory available", Meaning::NoRoom),
    ("using a port required by your task", Meaning::PortTaken),
    ("no container instances were found", Meaning::NoCapacity),
    ("configuration is above your limit", Meaning::Quota),
    ("no active instances", Meaning::NoCapacity),
    ("empty capacity provider", Meaning::NoCapacity),
    ("limit on the number", Meaning::Quota),
    ("pull rate limit", Meaning::PullLimit),
    ("toomanyrequests", Meaning::PullLimit),
    ("rate exceeded", Meaning::Throttled),
    // Whole words: a parameter may be called `throttle-limit`.
    ("throttling", Meaning::Throttled),
    ("throttlingexception", Meaning::Throttled),
    ("throttled", Meaning::Throttled),
    ("timeout waiting for network interface", Meaning::AwsError),
    ("insufficientfreeaddresses", Meaning::NoAddress),
    ("internal error", Meaning::AwsError),
    ("internalerror", Meaning::AwsError),
    ("service unavailable", Meaning::AwsError),
];

/// Exit codes of a shell (POSIX, Shell Command Language, 2.8.2), and of processes that a signal ended: 128 and its
/// number.
const CODES: [(i32, Meaning); 8] = [
    (126, Meaning::NotExecutable),
    (127, Meaning::ShellNoCommand),
    (132, Meaning::Sigill),
    (134, Meaning::Sigabrt),
    (135, Meaning::Sigbus),
    (137, Meaning::Sigkill),
    (139, Meaning::Sigsegv),
    (143, Meaning::Sigterm),
];

/// What a stopped task says about its revision: `None` when it did not fail, or when the machine
/// below it was taken away.
pub fn failure(task: &Task) -> Option<TaskFailure> {
    if !task.is_stopped() && task.stop_code.is_none() {
        return None;
    }
    let reason = task.stopped_reason.as_deref().unwrap_or_default();
    let code = task.stop_code.as_deref().unwrap_or_default();
    let unhealthy = reason.contains("health checks");
    match code {
        "UserInitiated" | "SpotInterruption" | "TerminationNotice" | "InfrastructureHealth" => {
            return None;
        }
        // The scheduler stops tasks to scale in, to replace them, and because they are not healthy.
        "ServiceSchedulerInitiated" if !unhealthy => return None,
        _ => {}
    }
    let culprit = culprit(task).filter(|_| !unhealthy);
    let detail = culprit.and_then(|c| c.reason.as_deref()).unwrap_or(reason);
    let exit = culprit.and_then(|c| c.exit_code);
    let lower = format!("{detail} {reason}").to_lowercase();
    let (outlook, meaning) = match unhealthy {
        true => (Outlook::Doubtful, None),
        false => meaning(&lower, exit.is_some()),
    };
    let said = match (culprit, exit) {
        // The code says it all.
        (Some(_), Some(_)) if detail == reason => "",
        (Some(_), _) => detail,
        (None, _) => reason,
    };
    let waiting = waiting(task).filter(|waiting| culprit.is_some_and(|c| c.name != waiting.name));
    let memory = exit == Some(137) && lower.contains("outofmemory");
    let signal = CODES.iter().find(|(code, _)| exit == Some(*code)).map(|(_, signal)| *signal);
    let meaning = meaning.or(memory.then_some(Meaning::Memory)).or(signal);
    let signature = match exit {
        Some(exit) => format!("{}:{exit}", culprit.map_or("", |c| c.name.as_str())),
        None => code.to_owned(),
    };
    Some(TaskFailure {
        task: short(&task.arn).to_owned(),
        container: culprit.map(|one| one.name.clone()),
        exit_code: exit,
        reason: Some(plain(said)).filter(|said| !said.is_empty()),
        meaning,
        dependent: waiting.map(|one| one.name.clone()),
        signature,
        outlook,
        unhealthy_at: task.stopping.filter(|_| unhealthy),
        created: task.created,
        ended: task.stopping,
    })
}

/// What a reason in lower case says: whether another start can help, and why not. `exited`: a container did.
fn meaning(text: &str, exited: bool) -> (Outlook, Option<Meaning>) {
    let has = |part: &str| text.contains(part);
    // A repository may be called `not-found/throttled`.
    let said = without_names(text);
    let says = |part: &str| said.contains(part);
    if CERTAIN.iter().any(|part| has(part)) {
        return (Outlook::Hopeless, Some(Meaning::BadImageName));
    }
    if let Some((_, meaning)) = PASSING.iter().find(|(part, _)| !exited && says(part)) {
        return (Outlook::Passing, Some(*meaning));
    }
    if let Some((_, meaning)) = HOPELESS.iter().find(|(all, _)| all.iter().all(|part| says(part))) {
        return (Outlook::Hopeless, Some(*meaning));
    }
    if let Some((_, meaning)) = DOUBTFUL.iter().find(|(all, _)| all.iter().all(|part| has(part))) {
        return (Outlook::Doubtful, Some(*meaning));
    }
    match (has("no such file or directory"), has("exec ") || has("exec:")) {
        (true, true) => (Outlook::Hopeless, Some(Meaning::NoCommand)),
        (true, false) => (Outlook::Doubtful, Some(Meaning::NoFile)),
        (false, _) => (Outlook::Doubtful, None),
    }
}

/// What a line of a container's log says of why it ended, where its exit code does not.
pub fn logged(line: &str) -> Option<Meaning> {
    const SAID: [(&str, Meaning); 2] = [
        ("exec format error", Meaning::WrongArchitecture),
        ("error while loading shared libraries", Meaning::NoLibrary),
    ];
    let line = line.to_lowercase();
    SAID.iter().find(|(text, _)| line.contains(text)).map(|(_, meaning)| *meaning)
}

/// A reason without what is named in it: references, paths, ARNs, and what is quoted.
fn without_names(text: &str) -> String {
    let is_name = |word: &&str| {
        let is_quoted = word.starts_with(['"', '\'']) && !word.contains("resource:");
        is_quoted || word.starts_with("arn:") || (word.contains('/') && !word.starts_with("i/o"))
    };
    text.split_whitespace().filter(|word| !is_name(word)).collect::<Vec<_>>().join(" ")
}

/// What ECS says of a container that never started because one that it depends on did not do as it should.
const UNRESOLVED: &str = "dependency graph:";

/// A container that did not start because it waits for another one.
fn waiting(task: &Task) -> Option<&Container> {
    let unresolved =
        |one: &&Container| one.reason.as_ref().is_some_and(|why| why.contains(UNRESOLVED));
    task.containers.iter().find(unresolved)
}

/// The container that the task ended with: the one that ended by itself, and not those that ECS stopped
/// because of it. No answer says which one ended first.
fn culprit(task: &Task) -> Option<&Container> {
    if let Some(waiting) = waiting(task) {
        // `… dependency [NAME(IMAGE) (STOPPED->RUNNING) - Exit: 3] for target [OTHER(…`
        let why = waiting.reason.as_deref().unwrap_or_default();
        let named = why.split('[').nth(1).and_then(|rest| rest.split('(').next());
        let other = task.containers.iter().find(|one| Some(one.name.as_str()) == named);
        return other.filter(|one| one.exit_code.is_some()).or(Some(waiting));
    }
    let exited = task.stop_code.as_deref() == Some("EssentialContainerExited");
    let ended =
        task.containers.iter().filter(|one| one.reason.is_some() || one.exit_code.is_some());
    ended.min_by_key(|one| {
        // With SIGTERM, or SIGKILL after the stop timeout, ECS ends the others.
        let stopped = matches!(one.exit_code, Some(137 | 143)) && one.reason.is_none();
        let other = exited && one.essential == Some(false);
        (other, stopped, one.reason.is_none(), one.exit_code == Some(0))
    })
}

/// Why a task was not placed, in plain words (developer guide, "API failure reasons").
const PLACEMENT: [(&str, &str); 8] = [
    ("RESOURCE:MEMORY", "no instance has enough memory left"),
    ("RESOURCE:CPU", "no instance has enough CPU units left"),
    ("RESOURCE:ENI", "no instance has a network interface left"),
    ("RESOURCE:PORTS", "the ports are taken on every instance"),
    ("RESOURCE", "no instance has enough left of what it needs"),
    ("AGENT", "the container agent of the instance is not connected"),
    ("ATTRIBUTE", "no instance has an attribute that it needs"),
    ("INACTIVE", "the instance is not active any more"),
];

/// A reason of RunTask's `failures`, with what it means.
pub fn placement(reason: &str) -> String {
    match PLACEMENT.iter().find(|(text, _)| reason.starts_with(text)) {
        Some((_, meaning)) => format!("{reason}: {meaning}"),
        None => reason.to_owned(),
    }
}

/// What every deployment makes a service say (developer guide, "Service event messages").
const ROUTINE: [&str; 7] = [
    ") has started ",
    ") has stopped ",
    ") registered ",
    ") deregistered ",
    "has begun draining",
    "has reached a steady state",
    "deployment completed",
];

/// AWS's words with target groups by their names: `(target-group arn:…:targetgroup/NAME/ID)`.
pub fn plain(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, arn)) = rest.split_once("(target-group ") {
        let (arn, after) = arn.split_once(')').unwrap_or((arn, ""));
        plain += before;
        plain += "target group ";
        plain += name(arn);
        rest = after;
    }
    plain + rest
}

/// What ECS said last of a service, since then, of what keeps tasks from starting or serving.
pub fn obstacle(service: &Service, since: Option<SystemTime>) -> Option<String> {
    let mut events = service.events.iter().take_while(|one| since.is_none_or(|at| one.at >= at));
    let message = &events.find(|one| is_obstacle(&one.message))?.message;
    let said = message.split_once(") ").map_or(message.as_str(), |(_, said)| said);
    let said = said.split(" For more information, see").next().unwrap_or(said);
    Some(plain(said.trim_end_matches('.')))
}

/// Whether a service event names something that keeps tasks from starting or serving.
fn is_obstacle(message: &str) -> bool {
    let texts = ["unable to", "could not", "throttled", "misconfigured", ") is unhealthy in"];
    texts.iter().any(|text| message.contains(text))
}

/// What a service event means that names something in the way of tasks.
pub fn obstacle_meaning(message: &str) -> Option<Meaning> {
    let text = message.to_lowercase();
    // Why a target is not healthy is said of the target.
    if text.contains("unhealthy") {
        return None;
    }
    meaning(&text, false).1
}

/// Whether a service event says more than that a deployment goes on.
pub fn is_telling(message: &str) -> bool {
    // A replacement is announced in the words of a start.
    message.contains("unhealthy") || !ROUTINE.iter().any(|text| message.contains(text))
}

/// Why a target gets neither requests nor checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotInUse {
    /// The load balancer has not enabled its Availability Zone.
    Zone,
    /// No rule forwards to its target group.
    Group,
}

/// What AWS's text says of a target that is not in use (API reference of TargetHealth).
pub fn not_in_use(target: &Target) -> Option<NotInUse> {
    let text = target.description.as_deref().filter(|_| target.state == "unused")?;
    if text.contains("Availability Zone") {
        return Some(NotInUse::Zone);
    }
    text.contains("not configured to receive traffic").then_some(NotInUse::Group)
}

/// Why a target is not healthy. Its words are in `render::words`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sickness {
    /// `10.0.0.7:8080`
    pub target: String,
    /// The load balancer's word for its state.
    pub state: String,
    /// How it is checked, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckOf>,
    /// What is wrong with it.
    pub what: Sick,
}

/// How a target is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CheckOf {
    /// `HTTP`, `TCP`, …
    pub protocol: String,
    /// The path of the request; empty where there is none.
    pub path: String,
    /// The codes that count as healthy.
    pub expected: String,
    /// By gRPC.
    pub grpc: bool,
    /// How long it waits for an answer.
    #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub timeout: Duration,
}

/// What is wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "sick", rename_all = "kebab-case")]
pub enum Sick {
    /// It answered its health check with another code.
    Code {
        /// The code.
        answered: String,
    },
    /// It did not answer its health check in time.
    Timeout,
    /// It refused the connection, or closed it.
    Refused,
    /// Its zone is not enabled on the load balancer.
    Zone,
    /// No rule forwards to its target group.
    NoRule,
    /// One of these two.
    NotInUse,
    /// It is being registered.
    Registering,
    /// It has not answered its first health check well yet.
    Starting,
    /// AWS's reason code and words.
    Other {
        /// The reason code.
        reason: String,
        /// The description.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
}

/// Why a target is not healthy.
pub fn sickness(target: &Target, group: Option<&Group>) -> Sickness {
    let description = target.description.as_deref().unwrap_or_default();
    let answered = description
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(code, _)| code.to_owned());
    let what = match (target.reason.as_deref().unwrap_or_default(), answered) {
        ("Target.ResponseCodeMismatch", Some(answered)) => Sick::Code { answered },
        ("Target.Timeout", _) => Sick::Timeout,
        // An error while connecting, or a malformed answer (API reference of TargetHealth).
        ("Target.FailedHealthChecks", _) => Sick::Refused,
        ("Target.NotInUse", _) => match not_in_use(target) {
            Some(NotInUse::Zone) => Sick::Zone,
            Some(NotInUse::Group) => Sick::NoRule,
            None => Sick::NotInUse,
        },
        ("Elb.RegistrationInProgress", _) => Sick::Registering,
        ("Elb.InitialHealthChecking", _) => Sick::Starting,
        (reason, _) => Sick::Other {
            reason: reason.to_owned(),
            description: Some(description.to_owned()).filter(|text| !text.is_empty()),
        },
    };
    let check = group.map(|Group { check, .. }| CheckOf {
        protocol: check.protocol.clone(),
        path: check.path.clone(),
        expected: check.matcher.clone(),
        grpc: check.grpc,
        timeout: check.timeout,
    });
    let place = format!("{}:{}", target.id, target.port);
    Sickness { target: place, state: target.state.clone(), check, what }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::world::Check;
    use crate::render::words;

    pub(crate) fn task(
        stop_code: &str,
        reason: &str,
        container: Option<(Option<i32>, &str)>,
    ) -> Task {
        let containers = container.map(|(exit_code, reason)| Container {
            name: "web".into(),
            image: "x:1".into(),
            digest: None,
            exit_code,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            essential: None,
        });
        Task {
            arn: "arn:aws:ecs:r:1:task/c/abc".into(),
            revision: "web:1".into(),
            last_status: "STOPPED".into(),
            desired_status: "STOPPED".into(),
            commanded: None,
            started_by: None,
            created: None,
            stopping: None,
            stop_code: Some(stop_code.into()),
            stopped_reason: Some(reason.into()),
            containers: containers.into_iter().collect(),
            endpoints: vec![],
        }
    }

    #[test]
    fn names_in_a_reason_say_nothing() {
        for (text, rest) in [
            ("pull \"no-space\" 'x' failed", "pull failed"),
            ("role arn:aws:iam::1:role-x missing", "role missing"),
            ("open /no/space failed: i/o timeout", "open failed: i/o timeout"),
            ("on 'resource:x' denied", "on 'resource:x' denied"),
        ] {
            assert_eq!(without_names(text), rest);
        }
    }

    #[test]
    fn a_task_stopped_on_purpose_or_with_its_machine_did_not_fail() {
        for (code, reason) in [
            ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)"),
            ("UserInitiated", "Task stopped by user"),
            ("SpotInterruption", "Your Spot Task was interrupted."),
            ("InfrastructureHealth", "x"),
        ] {
            assert_eq!(failure(&task(code, reason, None)), None, "{code}");
        }
    }

    #[test]
    fn a_task_that_runs_has_not_failed_and_one_that_is_being_stopped_may_have() {
        let exited = "Essential container in task exited";
        let running = Task {
            last_status: "RUNNING".into(),
            stop_code: None,
            ..task("", exited, Some((None, "")))
        };
        assert_eq!(failure(&running), None);
        let stopping = Task {
            last_status: "DEPROVISIONING".into(),
            ..task("EssentialContainerExited", exited, Some((Some(1), "")))
        };
        assert!(failure(&stopping).is_some());
    }

    #[test]
    fn the_container_that_failed_is_named_and_not_the_one_that_ended_well() {
        let mut both = task("EssentialContainerExited", "x", Some((Some(2), "")));
        let well =
            Container { name: "log".into(), exit_code: Some(0), ..both.containers[0].clone() };
        both.containers.insert(0, well);
        let failure = failure(&both).unwrap();
        assert_eq!(words::task(&failure), "container web exited with code 2");
        assert_eq!(failure.signature, "web:2");
    }

    /// A task of several containers: name, exit code, reason, whether it is essential.
    fn several(code: &str, all: &[(&str, Option<i32>, &str, Option<bool>)]) -> Task {
        let mut task = task(code, "Essential container in task exited", Some((None, "")));
        let one = task.containers[0].clone();
        let all = all.iter().map(|(name, exit_code, reason, essential)| Container {
            name: (*name).into(),
            exit_code: *exit_code,
            reason: (!reason.is_empty()).then(|| (*reason).to_owned()),
            essential: *essential,
            ..one.clone()
        });
        task.containers = all.collect();
        task
    }

    #[test]
    fn the_container_that_ended_by_itself_is_named_and_not_those_that_ecs_stopped() {
        let said = |all: &[(&str, Option<i32>, &str, Option<bool>)]| {
            failure(&several("EssentialContainerExited", all)).unwrap().signature
        };
        let (yes, no) = (Some(true), Some(false));
        // ECS ends the others with SIGTERM or, after the stop timeout, SIGKILL.
        assert_eq!(said(&[("log", Some(143), "", yes), ("web", Some(1), "", yes)]), "web:1");
        assert_eq!(said(&[("log", Some(137), "", yes), ("web", Some(0), "", yes)]), "web:0");
        assert_eq!(said(&[("log", Some(143), "", None), ("web", Some(0), "", None)]), "web:0");
        // What is not essential ends no task.
        assert_eq!(said(&[("init", Some(1), "", no), ("web", Some(0), "", yes)]), "web:0");
        assert_eq!(said(&[("init", Some(1), "x", no), ("web", Some(137), "", yes)]), "web:137");
        assert_eq!(said(&[("init", Some(1), "", None), ("web", Some(0), "", None)]), "init:1");
        // Killed for its memory it ended by itself.
        let memory = "OutOfMemoryError: Container killed due to memory usage";
        assert_eq!(said(&[("log", Some(0), "", yes), ("web", Some(137), memory, yes)]), "web:137");
        // A pull that fails is the reason, whatever the container is.
        let pull = [("web", None, "", yes), ("side", None, "CannotPullContainerError: x", no)];
        let failed = failure(&several("TaskFailedToStart", &pull)).unwrap();
        assert_eq!(failed.container.as_deref(), Some("side"));
        assert!(failed.reason.expect("a reason").starts_with("CannotPull"));
    }

    #[test]
    fn a_container_that_waits_for_one_that_failed_is_not_the_cause() {
        let why = "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side(x/side:1) (STOPPED->RUNNING) - Exit: 3] for target [web(x:1) (NONE->RUNNING)] as dependency did not exit successfully.";
        let all = [("web", Some(143), why, Some(true)), ("side", Some(3), "", Some(false))];
        let failed = failure(&several("EssentialContainerExited", &all)).unwrap();
        assert_eq!(
            words::task(&failed),
            "container side exited with code 3; container web depends on it"
        );
        assert_eq!(failed.signature, "side:3");
    }

    #[test]
    fn a_missing_file_is_the_command_only_where_it_is_executed() {
        let say = |code, reason| {
            let failed = failure(&task(code, reason, None)).unwrap();
            (failed.meaning, failed.outlook)
        };
        let command = Some(Meaning::NoCommand);
        for text in [
            "CannotStartContainerError: exec: \"srever\": stat /srever: no such file or directory",
            "CannotStartContainerError: exec: \"x\": executable file not found in $PATH",
        ] {
            assert_eq!(say("TaskFailedToStart", text), (command, Outlook::Hopeless), "{text}");
        }
        for (text, meaning) in [
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting fs-0abc.efs.eu-central-1.amazonaws.com:/data failed, reason given by server: No such file or directory'",
                Meaning::NoEfsDirectory,
            ),
            (
                "CannotStartContainerError: failed to initialize logging driver: dial unix /var/run/fluent.sock: connect: no such file or directory",
                Meaning::LogDriver,
            ),
            (
                "CannotCreateContainerError: error while creating mount source path '/srv/x': mkdir /srv/x: no such file or directory",
                Meaning::InstancePath,
            ),
        ] {
            assert_eq!(
                say("TaskFailedToStart", text),
                (Some(meaning), Outlook::Doubtful),
                "{text}"
            );
        }
        let library = "error while loading shared libraries: libx.so.1: cannot open shared object file: No such file or directory";
        let (meaning, outlook) = say("TaskFailedToStart", library);
        assert_eq!(meaning, Some(Meaning::NoLibrary));
        assert_eq!(outlook, Outlook::Hopeless);
    }

    #[test]
    fn an_internal_error_passes_unless_its_text_says_that_it_cannot() {
        let outlook = |reason| failure(&task("TaskFailedToStart", reason, None)).unwrap().outlook;
        assert_eq!(outlook("InternalError: try again"), Outlook::Passing);
        let name = "InternalError: failed to normalize image reference \"Dockerfile\"";
        assert_eq!(outlook(name), Outlook::Hopeless);
    }

    #[test]
    fn a_failure_says_which_container_how_and_whether_to_go_on() {
        let say = |code, reason, container| {
            failure(&task(code, reason, container)).map(|f| (words::task(&f), f.outlook)).unwrap()
        };
        let exited = "Essential container in task exited";
        assert_eq!(
            say("EssentialContainerExited", exited, Some((Some(1), ""))),
            ("container web exited with code 1".into(), Outlook::Doubtful)
        );
        let (what, outlook) = say(
            "EssentialContainerExited",
            exited,
            Some((Some(137), "OutOfMemoryError: Container killed due to memory usage")),
        );
        assert!(
            what.contains("code 137: OutOfMemoryError")
                && what.ends_with("gives it)")
                && outlook == Outlook::Doubtful,
            "{what}"
        );
        let (what, _) = say("EssentialContainerExited", exited, Some((Some(137), "")));
        assert!(what.ends_with("it did not stop in time)"), "no word of memory: {what}");
        let (what, _) = say("TaskFailedToStart", "", None);
        assert_eq!(what, "it stopped; ECS gives no reason");
        let (what, outlook) = say(
            "TaskFailedToStart",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref x: x: not found",
            None,
        );
        assert!(what.ends_with("does not exist)") && outlook == Outlook::Hopeless, "{what}");
        let (_, outlook) =
            say("TaskFailedToStart", "CannotPullContainerError: toomanyrequests", None);
        assert_eq!(outlook, Outlook::Passing, "a registry's throttle passes");
        let denied = "ResourceInitializationError: unable to pull secrets or registry auth: AccessDeniedException: User: x is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:x";
        let (_, outlook) = say("TaskFailedToStart", denied, None);
        assert_eq!(outlook, Outlook::Hopeless, "a resource that is named is not one that lacks");
        let (_, outlook) = say("TaskFailedToStart", "RESOURCE:MEMORY", None);
        assert_eq!(outlook, Outlook::Passing, "capacity may come");
        let (what, outlook) = say(
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group x)",
            Some((Some(137), "")),
        );
        assert!(what.starts_with("Task failed ELB") && outlook == Outlook::Doubtful, "{what}");
    }

    #[test]
    fn a_target_says_what_was_asked_and_answered() {
        let group = Group {
            arn: "g".into(),
            name: "g".into(),
            load_balancers: vec![],
            protocol: "HTTP".into(),
            target_type: "ip".into(),
            check: Check {
                protocol: "HTTP".into(),
                port: "traffic-port".into(),
                path: "/up".into(),
                matcher: "200".into(),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(5),
                unhealthy: 2,
                healthy: 2,
                grpc: false,
            },
            attributes: None,
        };
        let mut target = Target {
            id: "10.0.0.7".into(),
            port: 80,
            state: "unhealthy".into(),
            reason: Some("Target.ResponseCodeMismatch".into()),
            description: Some("Health checks failed with these codes: [301]".into()),
        };
        assert_eq!(
            words::sickness(&sickness(&target, Some(&group))),
            "target 10.0.0.7:80: health check GET /up answered 301, expected 200"
        );
        target.reason = Some("Target.Timeout".into());
        assert_eq!(
            words::sickness(&sickness(&target, Some(&group))),
            "target 10.0.0.7:80: health check GET /up got no answer within 5s"
        );
        let mut told = |reason: &str, state: &str, description: Option<&str>| {
            target.reason = Some(reason.into());
            target.state = state.into();
            target.description = description.map(str::to_owned);
            let told = words::sickness(&sickness(&target, Some(&group)));
            told.strip_prefix("target 10.0.0.7:80").expect(&told).to_owned()
        };
        let text = Some("AWS's words");
        assert_eq!(
            told("Target.NotInUse", "unused", text),
            ": no rule forwards to its target group, or its zone is not enabled on the load balancer"
        );
        assert_eq!(
            told(
                "Target.NotInUse",
                "unused",
                Some("Target is in an Availability Zone that is not enabled for the load balancer")
            ),
            ": its zone is not enabled on the load balancer"
        );
        assert_eq!(
            told(
                "Target.NotInUse",
                "unused",
                Some("Target group is not configured to receive traffic from the load balancer")
            ),
            ": no rule forwards to its target group"
        );
        assert_eq!(told("Elb.RegistrationInProgress", "initial", text), " is being registered");
        assert_eq!(
            told("Elb.InitialHealthChecking", "initial", text),
            " has not passed health check GET /up yet"
        );
        assert_eq!(told("Elb.Other", "unhealthy", text), " is unhealthy: AWS's words");
        assert_eq!(told("Elb.Other", "unhealthy", None), " is unhealthy: Elb.Other");
    }
}
