//! One-off tasks: what RunTask is asked, and what became of the tasks. Knows no service's deployment.

use std::time::{Duration, SystemTime};

use backon::BackoffBuilder;
use serde_json::{Map, Value, json};

use crate::aws::AwsError;
use crate::edits::{Edit, Place, Placed};
use crate::engine::{LOOK_TWICE, SILENCE, Setting, backoff};
use crate::error::{Error, Refusal};
use crate::event::Kind;
use crate::health::{failure, placement};
use crate::logs::Follower;
use crate::revision::short;
use crate::world::{Container, Service, Task};

/// The exit code where no container has one.
pub const NO_CODE: u8 = 126;
/// The exit code that stands for all larger ones: 126 and above mean something else.
const LARGEST: u8 = 125;
/// RunTask takes overrides of so many characters (API reference of RunTask).
const OVERRIDES_MAX: usize = 8192;
/// A new task may not be known everywhere at once.
const UNKNOWN_MAX: Duration = Duration::from_secs(60);
/// A stopped task is given up after its containers' stop timeouts, which are 120 s at most.
const STOPPING_MAX: Duration = Duration::from_secs(300);

/// Members of a service that its one-off tasks share.
const SHARED: [&str; 6] = [
    "networkConfiguration",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "placementConstraints",
    "placementStrategy",
];

/// What RunTask is asked, but for the tasks' names.
#[derive(Debug)]
pub struct Order {
    /// The body of RunTask.
    pub body: Value,
    /// The container whose exit code counts.
    pub container: String,
    /// The definition whose containers' logs are told, if they are.
    pub logs: Option<String>,
}

/// The body of a RunTask: `revision` as `service` would run it, with these overrides. The token makes
/// a second call with the same body the same call.
pub fn order(
    cluster: &str,
    revision: &str,
    service: Option<&Service>,
    edits: &[Placed],
    count: u32,
    id: &str,
) -> Result<Value, Refusal> {
    let mut body = Map::new();
    for member in SHARED {
        let own = service.and_then(|service| service.settings.get(member));
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        if let Some(own) = own.filter(|own| !is_empty(own)) {
            body.insert(member.to_owned(), own.clone());
        }
    }
    if body.contains_key("capacityProviderStrategy") {
        body.remove("launchType");
    }
    body.insert("cluster".into(), json!(cluster));
    body.insert("taskDefinition".into(), json!(revision));
    body.insert("count".into(), json!(count));
    body.insert("startedBy".into(), json!(started_by(id)));
    body.insert("clientToken".into(), json!(id));
    let overrides = overrides(edits)?;
    let size = overrides.to_string().chars().count();
    if size > OVERRIDES_MAX {
        return Err(Refusal::new(
            format!("the overrides have {size} characters, RunTask takes {OVERRIDES_MAX}"),
            "ecs-bg register --family FAMILY --env NAME=VALUE",
        ));
    }
    if overrides != json!({}) {
        body.insert("overrides".into(), overrides);
    }
    Ok(Value::Object(body))
}

/// What `startedBy` says of the tasks of this run or deployment.
pub fn started_by(id: &str) -> String {
    format!("ecs-bg/{id}")
}

fn overrides(edits: &[Placed]) -> Result<Value, Refusal> {
    let mut task = Map::new();
    let mut containers: Vec<Map<String, Value>> = Vec::new();
    for (place, edit) in edits {
        let name = match (place, edit) {
            (Place::Task, Edit::Cpu(units)) => {
                task.insert("cpu".into(), json!(units.to_string()));
                continue;
            }
            (Place::Task, Edit::Memory(size)) => {
                task.insert("memory".into(), json!(size.to_string()));
                continue;
            }
            (Place::Task, _) => continue,
            (Place::Container(name), _) => name,
        };
        let at = containers.iter().position(|one| one["name"] == json!(name));
        let at = at.unwrap_or_else(|| {
            containers.push(Map::from_iter([("name".to_owned(), json!(name))]));
            containers.len() - 1
        });
        let container = &mut containers[at];
        match edit {
            Edit::Env(name, value) => {
                let list = container.entry("environment").or_insert_with(|| json!([]));
                list.as_array_mut()
                    .into_iter()
                    .for_each(|list| list.push(json!({"name": name, "value": value.0})));
            }
            Edit::Command(words) if words.is_empty() => {
                return Err(Refusal::new(
                    "--command: it has no words",
                    "--command 'rake db:migrate'",
                ));
            }
            Edit::Command(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
                container.insert("command".into(), json!(words));
            }
            Edit::Cpu(units) => drop(container.insert("cpu".into(), json!(units))),
            Edit::Memory(size) => drop(container.insert("memory".into(), json!(size))),
            // RunTask has no override for these; they are no options of `run`.
            Edit::Secret(..) | Edit::Unset(_) => {}
        }
    }
    if !containers.is_empty() {
        task.insert("containerOverrides".into(), json!(containers));
    }
    Ok(Value::Object(task))
}

/// The container whose exit code counts: the one that is named, or has a command of its own here, or
/// the first essential one.
pub fn counting(definition: &str, named: Option<&str>, edits: &[Placed]) -> Option<String> {
    let commanded = edits.iter().find_map(|(place, edit)| match (place, edit) {
        (Place::Container(name), Edit::Command(_)) => Some(name.clone()),
        _ => None,
    });
    let definition: Value = serde_json::from_str(definition).ok()?;
    let containers = definition["taskDefinition"]["containerDefinitions"].as_array()?;
    let essential = containers.iter().find(|one| one["essential"] != json!(false));
    named
        .map(str::to_owned)
        .or(commanded)
        .or_else(|| essential.or(containers.first())?["name"].as_str().map(str::to_owned))
}

/// Whether a task of this definition needs subnets.
pub fn needs_network(definition: &str) -> bool {
    let definition = serde_json::from_str::<Value>(definition).unwrap_or_default();
    definition["taskDefinition"]["networkMode"] == json!("awsvpc")
}

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    /// `exited`, `failed`, `stopped`, `running`.
    pub outcome: &'static str,
    /// What the process exits with.
    pub code: u8,
    /// One sentence.
    pub what: String,
    /// Why, where it is not good.
    pub why: Option<String>,
    /// The user asked us to stop.
    pub interrupted: bool,
}

/// Starts the tasks. The token makes it safe to ask again after a lost answer.
pub async fn start(
    setting: &Setting<'_>,
    order: &Order,
) -> Result<(Vec<Task>, Vec<String>), Error> {
    let mut waits = backoff().build();
    loop {
        let error = match setting.aws.run_task(&order.body).await {
            Ok((tasks, failures)) => {
                let failures: Vec<String> =
                    failures.iter().map(|reason| placement(reason)).collect();
                if tasks.is_empty() {
                    let why = failures.join("; ");
                    let hint = format!(
                        "aws ecs describe-clusters --clusters {} --include STATISTICS ATTACHMENTS",
                        setting.cluster
                    );
                    return Err(Refusal::new(format!("no task was started: {why}"), hint).into());
                }
                return Ok((tasks, failures));
            }
            Err(error) => error,
        };
        match waits.next().filter(|_| error.passes()) {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error.into()),
        }
    }
}

/// Waits until all tasks are stopped, and tells what they log; stops them when the user asks for it or
/// time is up.
pub async fn follow(
    setting: &Setting<'_>,
    order: &Order,
    mut tasks: Vec<Task>,
    timeout: Duration,
    hold: bool,
    tell: &mut dyn FnMut(Kind),
) -> Finished {
    let arns: Vec<String> = tasks.iter().map(|task| task.arn.clone()).collect();
    let begin = setting.clock.now();
    let mut interrupts = setting.interrupts.clone();
    let logs = order.logs.as_deref();
    let mut logs = logs.map(|logs| Follower::of(setting.aws, setting.clock, logs, &arns));
    let mut stopping: Option<(SystemTime, &'static str)> = None;
    let (mut said, mut seen, mut failed) = ((String::new(), begin), begin, 0);
    loop {
        let now = setting.clock.now();
        let since = |then: SystemTime| now.duration_since(then).unwrap_or_default();
        let status = statuses(&tasks);
        if status != said.0 || since(said.1) >= SILENCE {
            tell(Kind::Waiting { step: "run".into(), why: status.clone() });
            said = (status, now);
        }
        if tasks.len() == arns.len() && tasks.iter().all(Task::is_stopped) {
            if let Some(logs) = &mut logs {
                logs.finish(&tasks, &mut interrupts, tell).await;
            }
            return ended(&tasks, &order.container, stopping.map(|(_, why)| why));
        }
        if let Some((_, why)) = stopping.filter(|(at, _)| since(*at) > STOPPING_MAX) {
            return lost(&tasks, format!("{why}, and it does not stop"));
        }
        if since(seen) > UNKNOWN_MAX {
            return lost(&tasks, "ECS does not know the task any more".to_owned());
        }
        let asked = *interrupts.borrow_and_update();
        if asked > 0 && hold {
            let what = format!("told to stop: {} is left as it is", names(&tasks));
            return Finished { outcome: "running", code: 130, what, why: None, interrupted: true };
        }
        let over = since(begin) >= timeout;
        if stopping.is_none() && (asked > 0 || over) {
            let why = if asked > 0 { "told to stop" } else { "it took too long" };
            tell(Kind::Changed { step: "stop".into(), what: format!("{}: {why}", names(&tasks)) });
            for task in tasks.iter().filter(|task| !task.is_stopped()) {
                if let Err(error) = stop(setting, &task.arn, why).await {
                    tell(Kind::Warning { what: error.to_string() });
                }
            }
            stopping = Some((now, why));
        } else if asked > 1 {
            let what = format!("told to stop at once: {} may still run", names(&tasks));
            return Finished { outcome: "running", code: 130, what, why: None, interrupted: true };
        }
        let wait = pause(since(begin))
            .min(timeout.saturating_sub(since(begin)).max(Duration::from_secs(1)));
        tokio::select! {
            () = setting.clock.sleep(wait) => {}
            Ok(()) = interrupts.changed() => continue,
        }
        match setting.aws.described(&setting.cluster, &arns).await {
            Ok(found) => {
                failed = 0;
                if found.len() == arns.len() {
                    seen = setting.clock.now();
                    tasks = found;
                }
                if let Some(logs) = &mut logs {
                    logs.look(&tasks, tell).await;
                }
            }
            Err(error) if error.passes() && failed < 20 => {
                failed += 1;
                tell(Kind::Warning { what: format!("{error}; trying again") });
                setting.clock.sleep(LOOK_TWICE).await;
            }
            Err(error) => return lost(&tasks, error.to_string()),
        }
    }
}

/// Looks often while something is about to happen, and seldom at what runs for long.
pub(crate) fn pause(age: Duration) -> Duration {
    Duration::from_secs(match age.as_secs() {
        0..60 => 2,
        60..600 => 5,
        _ => 15,
    })
}

async fn stop(setting: &Setting<'_>, task: &str, why: &str) -> Result<(), AwsError> {
    let mut waits = backoff().with_max_times(4).build();
    loop {
        let error = match setting.aws.stop_task(&setting.cluster, task, why).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match waits.next().filter(|_| error.passes()) {
            Some(wait) => setting.clock.sleep(wait).await,
            None => return Err(error),
        }
    }
}

fn names(tasks: &[Task]) -> String {
    let ids: Vec<&str> = tasks.iter().map(|task| short(&task.arn)).collect();
    match ids[..] {
        [id] => format!("task {id}"),
        [..] => format!("tasks {}", ids.join(", ")),
    }
}

fn statuses(tasks: &[Task]) -> String {
    let one = |task: &Task| {
        let id = short(&task.arn);
        format!("task {} is {}", id.get(..8).unwrap_or(id), task.last_status)
    };
    tasks.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// We do not know what became of it.
fn lost(tasks: &[Task], why: String) -> Finished {
    let what = format!("{}: it is not known how it ended", names(tasks));
    Finished { outcome: "unknown", code: NO_CODE, what, why: Some(why), interrupted: false }
}

/// The exit code is the largest one of the tasks', and `NO_CODE` where one has none.
fn ended(tasks: &[Task], container: &str, stopped: Option<&'static str>) -> Finished {
    let of = |task: &Task| -> Option<i32> {
        let own = |one: &&Container| one.name == container;
        task.containers.iter().find(own)?.exit_code
    };
    let codes: Vec<Option<i32>> = tasks.iter().map(of).collect();
    let worst = codes.iter().copied().max_by_key(|code| code.map_or(i32::MAX, i32::abs)).flatten();
    let all: Vec<String> =
        codes.iter().map(|code| code.map_or("no code".into(), |code| code.to_string())).collect();
    let interrupted = stopped == Some("told to stop");
    let code = match (stopped, worst) {
        _ if interrupted => 130,
        (None, Some(code)) => u8::try_from(code).map_or(LARGEST, |code| code.min(LARGEST)),
        _ => NO_CODE,
    };
    let bad = |code: &Option<i32>| *code != Some(0) || stopped.is_some();
    let task = tasks.iter().zip(&codes).find(|(_, code)| bad(code)).map(|(task, _)| task);
    let why = task.map(|task| match failure(task) {
        _ if stopped.is_some() => stopped.unwrap_or_default().to_owned(),
        Some(failure) => failure.what,
        None => task.stopped_reason.clone().unwrap_or_else(|| "it stopped without a reason".into()),
    });
    let what = match worst {
        Some(_) => {
            format!("{}: container {container} exited with {}", names(tasks), all.join(", "))
        }
        None => format!("{}: container {container} did not run to its end", names(tasks)),
    };
    let outcome = match code {
        0 => "succeeded",
        _ if stopped.is_some() => "stopped",
        _ => "failed",
    };
    Finished { outcome, code, what, why, interrupted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::Hidden;

    #[test]
    fn overrides_are_by_container_and_by_task() {
        let at = |name: &str, edit| (Place::Container(name.to_owned()), edit);
        let hidden = |text: &str| Hidden(text.to_owned());
        let edits = [
            at("a", Edit::Env("X".into(), hidden("1"))),
            at("b", Edit::Memory(64)),
            at("a", Edit::Command(vec![hidden("rake"), hidden("db:migrate")])),
            (Place::Task, Edit::Cpu(512)),
        ];
        let body = order("shop", "web:7", None, &edits, 2, "abc").unwrap();
        assert_eq!(
            body["overrides"],
            json!({"cpu": "512", "containerOverrides": [
                {"name": "a", "environment": [{"name": "X", "value": "1"}], "command": ["rake", "db:migrate"]},
                {"name": "b", "memory": 64},
            ]})
        );
        assert_eq!(
            (&body["startedBy"], &body["clientToken"]),
            (&json!("ecs-bg/abc"), &json!("abc"))
        );
        assert!(order("shop", "web:7", None, &[], 1, "abc").unwrap().get("overrides").is_none());
        let long = [at("a", Edit::Env("X".into(), hidden(&"x".repeat(8192))))];
        let refusal = order("shop", "web:7", None, &long, 1, "abc").unwrap_err();
        assert!(refusal.what.contains("RunTask takes 8192"), "{}", refusal.what);
    }

    #[test]
    fn the_exit_code_is_the_worst_one_and_never_one_of_ours() {
        let task = |code: Option<i32>| Task {
            arn: "arn:aws:ecs:r:1:task/c/abc".into(),
            revision: "web:1".into(),
            last_status: "STOPPED".into(),
            desired_status: "STOPPED".into(),
            commanded: None,
            started_by: None,
            created: None,
            stopping: None,
            stop_code: Some("EssentialContainerExited".into()),
            stopped_reason: Some("Essential container in task exited".into()),
            containers: vec![Container {
                name: "web".into(),
                image: "x:1".into(),
                digest: None,
                exit_code: code,
                reason: None,
            }],
            endpoints: vec![],
        };
        let code = |codes: &[Option<i32>]| {
            let tasks: Vec<Task> = codes.iter().map(|code| task(*code)).collect();
            ended(&tasks, "web", None).code
        };
        assert_eq!(code(&[Some(0)]), 0);
        assert_eq!(code(&[Some(0), Some(3), Some(2)]), 3);
        assert_eq!(code(&[Some(137)]), LARGEST);
        assert_eq!(code(&[Some(-1)]), LARGEST);
        assert_eq!(code(&[Some(0), None]), NO_CODE);
        assert_eq!(ended(&[task(Some(143))], "web", Some("told to stop")).code, 130);
        assert_eq!(ended(&[task(Some(0))], "web", Some("it took too long")).code, NO_CODE);
    }
}
