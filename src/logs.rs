//! What the containers of a task log, where their log driver is `awslogs`: each line once, while they run
//! or afterwards. Never the reason that a task fails. (Amazon ECS Developer Guide, "Send Amazon ECS logs to
//! CloudWatch".)

mod follower;
mod last_words;

use std::time::SystemTime;

use serde_json::Value;

use crate::aws::{Aws, AwsError, Kind};
use crate::revision::short;
use crate::world::Task;

pub use follower::Follower;
pub use last_words::last_words;

/// Pages that one look takes of a stream: what a container logs faster comes with the next one.
const PAGES_MAX: usize = 10;

/// What a container logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The task's id, where several are asked about.
    pub task: Option<String>,
    /// Its name.
    pub container: String,
    /// When.
    pub at: SystemTime,
    /// One line, or what the container's log driver took for one.
    pub message: String,
}

/// Where a container logs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub container: String,
    /// `None`: the region of the task.
    region: Option<String>,
    group: String,
    /// `None`: the stream has the name that the container engine gave the container.
    pub prefix: Option<String>,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// `None`: the region of the task.
    pub region: Option<String>,
    /// The log group.
    pub group: String,
    /// `PREFIX/CONTAINER/TASK-ID`
    pub name: String,
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// The first event.
    Head,
    /// The one that a page named.
    Token(&'a str),
    /// So many of the last ones.
    Last(u16),
}

/// A part of a stream, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Times and messages.
    pub events: Vec<(SystemTime, String)>,
    /// Where the next one begins. At the end it is where this one began.
    pub next: Option<String>,
}

/// Where the containers of a task definition, as DescribeTaskDefinition answers it, log to with
/// `awslogs`.
pub fn sources(definition: &str) -> Vec<Source> {
    if !cfg!(feature = "logs") {
        return Vec::new();
    }
    let definition = serde_json::from_str::<Value>(definition).unwrap_or_default();
    let containers = definition["taskDefinition"]["containerDefinitions"].as_array();
    let source = |container: &Value| {
        let configuration = &container["logConfiguration"];
        let option = |name: &str| configuration["options"][name].as_str().map(str::to_owned);
        (configuration["logDriver"] == "awslogs").then_some(())?;
        Some(Source {
            container: container["name"].as_str()?.to_owned(),
            region: option("awslogs-region"),
            group: option("awslogs-group")?,
            prefix: option("awslogs-stream-prefix"),
        })
    };
    containers.into_iter().flatten().filter_map(source).collect()
}

impl Source {
    fn stream(&self, task: &str) -> Option<Stream> {
        let prefix = self.prefix.as_ref()?;
        let name = format!("{prefix}/{}/{}", self.container, short(task));
        Some(Stream { region: self.region.clone(), group: self.group.clone(), name })
    }
}

/// The last lines that a container of a task logged, oldest first.
pub async fn last(
    aws: &Aws,
    definition: &str,
    task: &str,
    container: &str,
    count: u16,
) -> Result<Vec<Line>, AwsError> {
    let source = sources(definition).into_iter().find(|source| source.container == container);
    let Some(stream) = source.and_then(|source| source.stream(task)) else { return Ok(vec![]) };
    let page = aws.log_events(&stream, From::Last(count)).await?;
    let line = |(at, message)| Line { task: None, container: container.to_owned(), at, message };
    Ok(page.events.into_iter().map(line).collect())
}

/// The logs of some tasks of one definition, from their beginning on.
pub struct Logs<'a> {
    aws: &'a Aws,
    streams: Vec<Followed>,
    several: bool,
    /// Lines that nobody was told of yet.
    heard: Vec<Line>,
}

struct Followed {
    task: String,
    container: String,
    stream: Stream,
    token: Option<String>,
    found: bool,
}

impl<'a> Logs<'a> {
    /// The logs of these tasks. Containers whose stream's name nobody can know are left out.
    pub fn of(aws: &'a Aws, definition: &str, tasks: &[String]) -> Self {
        let sources = sources(definition);
        let followed = |task: &String, source: &Source| {
            Some(Followed {
                task: task.clone(),
                container: source.container.clone(),
                stream: source.stream(task)?,
                token: None,
                found: false,
            })
        };
        let streams = tasks
            .iter()
            .flat_map(|task| sources.iter().filter_map(move |source| followed(task, source)))
            .collect();
        Self { aws, streams, several: tasks.len() > 1, heard: Vec::new() }
    }

    /// Whether there is nothing to ask about.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// The lines since the last time. After an error that does not pass, the log group that it is about is
    /// left alone; nothing is lost by one that passes.
    pub async fn news(&mut self) -> Result<Vec<Line>, AwsError> {
        for at in 0..self.streams.len() {
            let Err(error) = self.read(at).await else { continue };
            if !error.passes() {
                let Stream { region, group, .. } = self.streams[at].stream.clone();
                self.streams.retain(|one| one.stream.region != region || one.stream.group != group);
            }
            return Err(error);
        }
        let mut lines = std::mem::take(&mut self.heard);
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    async fn read(&mut self, at: usize) -> Result<(), AwsError> {
        let one = &mut self.streams[at];
        for _ in 0..PAGES_MAX {
            let from = one.token.as_deref().map_or(From::Head, From::Token);
            let page = match self.aws.log_events(&one.stream, from).await {
                Ok(page) => page,
                // The container has not started yet.
                Err(error) if error.kind == Kind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            one.found = true;
            let (task, container) = (self.several.then(|| short(&one.task)), &one.container);
            self.heard.extend(page.events.into_iter().map(|(at, message)| Line {
                task: task.map(str::to_owned),
                container: container.clone(),
                at,
                message,
            }));
            let end = page.next.is_none() || page.next == one.token;
            one.token = page.next.or(one.token.take());
            if end {
                break;
            }
        }
        Ok(())
    }

    /// A container that ran and whose stream was not found so far.
    pub fn missing(&self, tasks: &[Task]) -> Option<(&str, &Stream)> {
        let ran = |one: &Followed| {
            let task = tasks.iter().find(|task| task.arn == one.task)?;
            task.containers.iter().find(|container| container.name == one.container)?.exit_code
        };
        let lost = self.streams.iter().find(|one| !one.found && ran(one).is_some())?;
        Some((&lost.container, &lost.stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "logs")]
    fn a_stream_has_the_names_of_prefix_container_and_task() {
        let definition = serde_json::json!({"taskDefinition": {"containerDefinitions": [
            {"name": "web", "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/shop/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}}},
            {"name": "old", "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/shop/old"}}},
            {"name": "router", "logConfiguration": {"logDriver": "awsfirelens"}},
            {"name": "mute"},
        ]}});
        let found = sources(&definition.to_string());
        let names: Vec<&str> = found.iter().map(|source| source.container.as_str()).collect();
        assert_eq!(names, ["web", "old"]);
        let stream = found[0].stream("arn:aws:ecs:eu-central-1:1:task/shop/abc");
        let expected = Stream {
            region: Some("eu-west-1".into()),
            group: "/shop/web".into(),
            name: "p/web/abc".into(),
        };
        assert_eq!(stream, Some(expected));
        assert_eq!(found[1].stream("arn:aws:ecs:eu-central-1:1:task/shop/abc"), None);
    }
}
