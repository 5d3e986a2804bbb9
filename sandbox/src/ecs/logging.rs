//! What containers log: the lines that a scenario gives an image, written while the container runs, by
//! the log driver `awslogs` (Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch").

use std::time::Duration;

use serde_json::Value;

use crate::state::{
    Here,
    ecs::{Configured, Destination},
    logs::Written,
    timers::{Due, Timer},
};

impl Configured {
    /// That of a container definition.
    pub(super) fn of(container: &Value) -> Option<Configured> {
        let configuration = container.get("logConfiguration")?;
        let option =
            |name: &str| configuration.get("options")?.get(name)?.as_str().map(str::to_owned);
        (configuration["logDriver"] == "awslogs").then_some(())?;
        Some(Configured {
            group: option("awslogs-group")?,
            region: option("awslogs-region"),
            prefix: option("awslogs-stream-prefix"),
        })
    }

    /// Without a prefix the stream has the name that the container engine gave the container.
    pub(super) fn destination(
        &self,
        here: &Here<'_>,
        container: &str,
        task: &str,
        runtime_id: &str,
    ) -> Destination {
        let stream = match &self.prefix {
            Some(prefix) => format!("{prefix}/{container}/{task}"),
            None => runtime_id.to_owned(),
        };
        let region = self.region.as_ref().unwrap_or(&here.region.name);
        Destination { region: region.clone(), group: self.group.clone(), stream }
    }
}

/// A container starts: its stream is made, and its lines are due.
pub(super) fn begin(here: &mut Here<'_>, arn: &str, container: usize) {
    let one = here.region.ecs.tasks.get(arn).and_then(|task| task.containers.get(container));
    let Some(one) = one else { return };
    let lines = if one.log.is_some() { one.behaviour.logs.len() } else { 0 };
    let ends = one.behaviour.exits_after();
    write(here, arn, container, None);
    for line in 0..lines {
        let due = Due::Line { task: arn.to_owned(), container, line };
        here.later(when(line, lines, ends), due);
    }
}

/// The first line comes at the start and the last one just before the exit; who does not exit writes one a
/// second.
fn when(line: usize, lines: usize, ends: Option<Duration>) -> Duration {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    match ends {
        None => Duration::from_secs(1) * number(line),
        Some(end) if line + 1 == lines => end,
        Some(end) => end / number(lines - 1) * number(line),
    }
}

/// A container writes its next line, if it still runs.
pub(crate) fn line(here: &mut Here<'_>, arn: &str, container: usize, line: usize) {
    let one = here.region.ecs.tasks.get(arn).and_then(|task| task.containers.get(container));
    let running = one.filter(|one| one.last_status == "RUNNING");
    if let Some(message) = running.and_then(|one| one.behaviour.logs.get(line)).cloned() {
        write(here, arn, container, Some(message));
    }
}

/// It can be read a while later, in the region that the log driver writes to.
fn write(here: &mut Here<'_>, arn: &str, container: usize, message: Option<String>) {
    let one = here.region.ecs.tasks.get(arn).and_then(|task| task.containers.get(container));
    let Some(to) = one.and_then(|one| one.log.clone()) else { return };
    let at = here.now();
    let wait = if message.is_some() { here.shared.timing.ingestion } else { Duration::ZERO };
    let Destination { region, group, stream } = to;
    let due = Due::Logged(Written { group, stream, at, message });
    here.shared.timers.set(at + wait, Timer { region, due });
}
