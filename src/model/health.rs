//! What a stop code, an exit code or a target's reason means: keep waiting or give up, and why, in
//! plain words. Decides nothing about a deployment.

use std::time::SystemTime;

use crate::model::arn::short;
use crate::model::world::{Check, Container, Group, Target, Task};

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// The task's id.
    pub task: String,
    /// What happened, in plain words.
    pub what: String,
    /// Two failures with the same signature have the same cause.
    pub signature: String,
    /// Whether starting it again can help.
    pub outlook: Outlook,
    /// When it was found to be unhealthy, where that is why it was stopped.
    pub unhealthy_at: Option<SystemTime>,
}

/// Whether starting a task again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It cannot: the next one ends the same way.
    Hopeless,
    /// Once it may; not again and again.
    Doubtful,
    /// It can: what was missing comes and goes (capacity, a quota, a throttle).
    Passing,
}

/// Parts of `stoppedReason`s and container reasons after which another start ends the same way, with
/// what to make of them. Texts: ECS developer guide, "Stopped tasks error messages".
const HOPELESS: [(&str, &str); 18] = [
    ("secrets manager can't find", "a secret that it needs does not exist"),
    ("did not contain json key", "a secret lacks a key that it needs"),
    ("invalid ssm parameters", "a parameter that it needs does not exist"),
    (
        "specified log group does not exist",
        "create the log group, or allow logs:CreateLogGroup and set awslogs-create-group",
    ),
    ("manifest unknown", "the image does not exist"),
    ("pull access denied", "the image does not exist, or the execution role may not pull it"),
    ("check that the role has the permissions", "the execution role lacks a permission"),
    ("is not authorized to perform", "the execution role lacks a permission"),
    ("accessdenied", "the execution role lacks a permission"),
    (
        "does not contain descriptor matching platform",
        "the image is not built for this CPU architecture",
    ),
    ("exec format error", "the image is not built for this CPU architecture"),
    ("invalid reference format", "the image's name is not valid"),
    ("error while loading shared libraries", "the image lacks a library that the command needs"),
    ("executable file not found", NO_COMMAND),
    ("not found", "an image, secret or file that it needs does not exist"),
    ("does not exist", "something that it needs does not exist"),
    ("address already in use", "two containers of the task want the same port"),
    ("port is already allocated", "another task on the machine has the port"),
];

/// A file that is not there is the command only where it is executed.
const NO_COMMAND: &str = "the command does not exist in the image";

/// Those that no other text makes pass: AWS calls some of them internal errors.
const CERTAIN: [(&str, &str); 3] = [
    ("failed to normalize image reference", "the image's name is not valid"),
    ("invalid reference format", "the image's name is not valid"),
    ("invalid image reference", "the image's name is not valid"),
];

/// What may be there at the next start and may not: (all of these parts, what to make of them). A missing
/// file is not always the command.
const DOUBTFUL: [(&[&str], &str); 8] = [
    (&["efs", "no such file or directory"], "the directory does not exist in the EFS file system"),
    (&["mounting fs-", "failed"], "the EFS file system could not be mounted"),
    (&["efs utils"], "the EFS file system could not be mounted"),
    (&["logging driver"], "the log driver could not start"),
    (&["log driver"], "the log driver could not start"),
    (&["mount source path"], "a path of the instance could not be mounted"),
    (&["error mounting"], "a volume could not be mounted"),
    (&["failed to mount"], "a volume could not be mounted"),
];

/// What comes and goes: capacity, quotas, throttles, the machine below. Texts: as above, and "API
/// failure reasons" (`RESOURCE:…`).
const PASSING: [&str; 16] = [
    "capacity is unavailable",
    // Not `resource:` alone: "… is not authorized to perform: … on resource: …".
    "resource:cpu",
    "resource:memory",
    "resource:port",
    "resource:eni",
    "resource:gpu",
    "no active instances",
    "empty capacity provider",
    "limit on the number",
    "toomanyrequests",
    "rate exceeded",
    "throttl",
    "timeout waiting for network interface",
    "internal error",
    "internalerror",
    "service unavailable",
];

/// Exit codes of processes that a signal ended: 128 and its number.
const SIGNALS: [(i32, &str); 6] = [
    (132, "SIGILL: maybe built for another CPU"),
    (134, "SIGABRT: it gave up by itself"),
    (135, "SIGBUS"),
    (137, "SIGKILL: out of memory, or it did not stop in time"),
    (139, "SIGSEGV: it crashed"),
    (143, "SIGTERM"),
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
    let mut what = match (culprit, exit) {
        (Some(container), Some(exit)) if detail.is_empty() || detail == reason => {
            format!("container `{}` exited with code {exit}", container.name)
        }
        (Some(container), Some(exit)) => {
            format!("container `{}` exited with code {exit}: {detail}", container.name)
        }
        (Some(container), None) => format!("container `{}`: {detail}", container.name),
        (None, _) if reason.is_empty() => "it stopped without a reason".to_owned(),
        (None, _) => plain(reason),
    };
    let waiting = waiting(task).filter(|waiting| culprit.is_some_and(|c| c.name != waiting.name));
    if let Some(waiting) = waiting {
        what = format!("{what}, and container `{}` waits for it", waiting.name);
    }
    if let Some(meaning) = meaning {
        what = format!("{what} ({meaning})");
    } else if exit == Some(137) && lower.contains("outofmemory") {
        what = format!("{what} (it needs more memory than the task definition gives it)");
    } else if let Some((_, name)) = SIGNALS.iter().find(|(code, _)| exit == Some(*code)) {
        what = format!("{what} (killed by {name})");
    }
    let signature = match exit {
        Some(exit) => format!("{}:{exit}", culprit.map_or("", |c| c.name.as_str())),
        None => code.to_owned(),
    };
    let unhealthy_at = task.stopping.filter(|_| unhealthy);
    Some(TaskFailure { task: short(&task.arn).to_owned(), what, signature, outlook, unhealthy_at })
}

/// What a reason in lower case says: whether another start can help, and why not. `exited`: a container did.
fn meaning(text: &str, exited: bool) -> (Outlook, Option<&'static str>) {
    let has = |part: &str| text.contains(part);
    if let Some((_, meaning)) = CERTAIN.iter().find(|(part, _)| has(part)) {
        return (Outlook::Hopeless, Some(meaning));
    }
    if !exited && PASSING.iter().any(|part| has(part)) {
        return (Outlook::Passing, None);
    }
    if let Some((_, meaning)) = HOPELESS.iter().find(|(part, _)| has(part)) {
        return (Outlook::Hopeless, Some(meaning));
    }
    if let Some((_, meaning)) = DOUBTFUL.iter().find(|(all, _)| all.iter().all(|part| has(part))) {
        return (Outlook::Doubtful, Some(meaning));
    }
    match (has("no such file or directory"), has("exec ") || has("exec:")) {
        (true, true) => (Outlook::Hopeless, Some(NO_COMMAND)),
        (true, false) => (Outlook::Doubtful, Some("a file that it needs does not exist")),
        (false, _) => (Outlook::Doubtful, None),
    }
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
        plain += arn.rsplit('/').nth(1).unwrap_or(arn);
        rest = after;
    }
    plain + rest
}

/// Whether a service event names something that keeps tasks from starting or serving.
pub fn is_obstacle(message: &str) -> bool {
    let texts = ["unable to", "could not", "throttled", "misconfigured", ") is unhealthy in"];
    texts.iter().any(|text| message.contains(text))
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

/// Why a target is not healthy, in plain words.
pub fn explain(target: &Target, group: Option<&Group>) -> String {
    let place = format!("target {}:{}", target.id, target.port);
    let check =
        group.map(|group| describe(&group.check)).unwrap_or_else(|| "the health check".into());
    let expected = group.map_or("", |group| group.check.matcher.as_str());
    let grpc = group.is_some_and(|group| group.check.grpc);
    let description = target.description.as_deref().unwrap_or_default();
    let answered = description
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(code, _)| code);
    match (target.reason.as_deref().unwrap_or_default(), answered) {
        ("Target.ResponseCodeMismatch", Some(code)) => match grpc {
            true => format!("{place}: {check} answered gRPC status {code}, expected {expected}"),
            false => format!("{place}: {check} answered {code}, expected {expected}"),
        },
        ("Target.Timeout", _) => format!(
            "{place}: {check} was not answered within {}",
            group.map_or("its timeout".into(), |g| humantime::format_duration(g.check.timeout)
                .to_string())
        ),
        ("Target.NotInUse", _) => match not_in_use(target) {
            Some(NotInUse::Zone) => {
                format!("{place} is in a zone that is not enabled on the load balancer")
            }
            Some(NotInUse::Group) => format!("{place}: no rule forwards to its target group"),
            None => format!(
                "{place}: no rule forwards to its target group, or the load balancer is not in its zone"
            ),
        },
        ("Elb.RegistrationInProgress", _) => format!("{place} is being registered"),
        ("Elb.InitialHealthChecking", _) => {
            format!("{place} waits for its first good answer to {check}")
        }
        (reason, _) if description.is_empty() => format!("{place} is {} {reason}", target.state),
        _ => format!("{place} is {}: {description}", target.state),
    }
}

fn describe(check: &Check) -> String {
    match check.path.as_str() {
        "" => format!("the {} health check", check.protocol),
        path if check.grpc => format!("gRPC health check {path}"),
        path => format!("health check GET {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn task(stop_code: &str, reason: &str, container: Option<(Option<i32>, &str)>) -> Task {
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
        assert_eq!(failure.what, "container `web` exited with code 2");
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
        assert!(failed.what.starts_with("container `side`: CannotPull"), "{}", failed.what);
    }

    #[test]
    fn a_container_that_waits_for_one_that_failed_is_not_the_cause() {
        let why = "CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [side(x/side:1) (STOPPED->RUNNING) - Exit: 3] for target [web(x:1) (NONE->RUNNING)] as dependency did not exit successfully.";
        let all = [("web", Some(143), why, Some(true)), ("side", Some(3), "", Some(false))];
        let failed = failure(&several("EssentialContainerExited", &all)).unwrap();
        assert_eq!(
            failed.what,
            "container `side` exited with code 3, and container `web` waits for it"
        );
        assert_eq!(failed.signature, "side:3");
    }

    #[test]
    fn a_missing_file_is_the_command_only_where_it_is_executed() {
        let say = |code, reason| {
            let failed = failure(&task(code, reason, None)).unwrap();
            (
                failed.what.rsplit_once(" (").map(|(_, why)| why.trim_end_matches(')').to_owned()),
                failed.outlook,
            )
        };
        let command = Some("the command does not exist in the image".to_owned());
        for text in [
            "CannotStartContainerError: exec: \"srever\": stat /srever: no such file or directory",
            "CannotStartContainerError: exec: \"x\": executable file not found in $PATH",
        ] {
            assert_eq!(
                say("TaskFailedToStart", text),
                (command.clone(), Outlook::Hopeless),
                "{text}"
            );
        }
        for (text, meaning) in [
            (
                "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting fs-0abc.efs.eu-central-1.amazonaws.com:/data failed, reason given by server: No such file or directory'",
                "the directory does not exist in the EFS file system",
            ),
            (
                "CannotStartContainerError: failed to initialize logging driver: dial unix /var/run/fluent.sock: connect: no such file or directory",
                "the log driver could not start",
            ),
            (
                "CannotCreateContainerError: error while creating mount source path '/srv/x': mkdir /srv/x: no such file or directory",
                "a path of the instance could not be mounted",
            ),
        ] {
            assert_eq!(
                say("TaskFailedToStart", text),
                (Some(meaning.to_owned()), Outlook::Doubtful),
                "{text}"
            );
        }
        let library = "error while loading shared libraries: libx.so.1: cannot open shared object file: No such file or directory";
        let (meaning, outlook) = say("TaskFailedToStart", library);
        assert_eq!(meaning.as_deref(), Some("the image lacks a library that the command needs"));
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
            failure(&task(code, reason, container)).map(|f| (f.what, f.outlook)).unwrap()
        };
        let exited = "Essential container in task exited";
        assert_eq!(
            say("EssentialContainerExited", exited, Some((Some(1), ""))),
            ("container `web` exited with code 1".into(), Outlook::Doubtful)
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
        assert_eq!(what, "it stopped without a reason");
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
            explain(&target, Some(&group)),
            "target 10.0.0.7:80: health check GET /up answered 301, expected 200"
        );
        target.reason = Some("Target.Timeout".into());
        assert_eq!(
            explain(&target, Some(&group)),
            "target 10.0.0.7:80: health check GET /up was not answered within 5s"
        );
        let mut told = |reason: &str, state: &str, description: Option<&str>| {
            target.reason = Some(reason.into());
            target.state = state.into();
            target.description = description.map(str::to_owned);
            let told = explain(&target, Some(&group));
            told.strip_prefix("target 10.0.0.7:80").expect(&told).to_owned()
        };
        let text = Some("AWS's words");
        assert_eq!(
            told("Target.NotInUse", "unused", text),
            ": no rule forwards to its target group, or the load balancer is not in its zone"
        );
        assert_eq!(
            told(
                "Target.NotInUse",
                "unused",
                Some("Target is in an Availability Zone that is not enabled for the load balancer")
            ),
            " is in a zone that is not enabled on the load balancer"
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
            " waits for its first good answer to health check GET /up"
        );
        assert_eq!(told("Elb.Other", "unhealthy", text), " is unhealthy: AWS's words");
        assert_eq!(told("Elb.Other", "unhealthy", None), " is unhealthy Elb.Other");
    }
}
