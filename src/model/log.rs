//! Where the containers of a task log to, where their log driver is `awslogs`, and what was read there.
//! (Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch".)

use std::time::SystemTime;

use serde_json::Value;

use super::arn::short;

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
    /// The stream of a task's container; `None` where its name cannot be known.
    pub fn stream(&self, task: &str) -> Option<Stream> {
        let prefix = self.prefix.as_ref()?;
        let name = format!("{prefix}/{}/{}", self.container, short(task));
        Some(Stream { region: self.region.clone(), group: self.group.clone(), name })
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
