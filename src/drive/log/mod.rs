//! What the containers of a task log: each line once, while they run or afterwards. Never the reason
//! that a task fails.

mod follower;

pub use follower::Follower;

use crate::aws::Aws;
use crate::error::{Failure, FailureKind};
use crate::model::arn::short;
use crate::model::log::{From, Line, Source, Stream, sources};
use crate::model::world::Task;

/// Pages that one look takes of a stream: what a container logs faster comes with the next one.
const PAGES_MAX: usize = 10;

/// The last lines that a container of a task logged, oldest first.
pub async fn last(
    aws: &Aws,
    definition: &str,
    task: &str,
    container: &str,
    count: u16,
) -> Result<Vec<Line>, Failure> {
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
    pub async fn news(&mut self) -> Result<Vec<Line>, Failure> {
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

    async fn read(&mut self, at: usize) -> Result<(), Failure> {
        let one = &mut self.streams[at];
        for _ in 0..PAGES_MAX {
            let from = one.token.as_deref().map_or(From::Head, From::Token);
            let page = match self.aws.log_events(&one.stream, from).await {
                Ok(page) => page,
                // The container has not started yet.
                Err(error) if error.kind == FailureKind::Missing => return Ok(()),
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
