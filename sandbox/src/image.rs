//! What the containers of an image do once they run, and which of the described images a reference
//! means. It knows nothing of tasks and services.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// How an image behaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// `repository:tag`, `repository@digest` or `repository:*`, with or without a registry.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Only as this container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Only with a command, its own or an override, that contains this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What it does.
    pub does: Does,
    /// Requests to paths that begin with this are answered with `status` (default 500), whatever it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// The status that a `sick` one answers with (default 500).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code that an `exit` one exits with (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// How long after its start it exits or falls sick (default: at once).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
    pub after: Option<Duration>,
    /// Why a `missing` one cannot be pulled, in AWS's words: `ResourceInitializationError: …`,
    /// `CannotPullContainerError: …`; or what is said of a container that exits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long after its start it answers (default: the world's `ready`; 10 minutes for a `slow` one).
    #[serde(default, skip_serializing_if = "Option::is_none", with = "duration::option")]
    pub ready: Option<Duration>,
    /// How it ends when ECS stops it (default `term`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops: Option<Stops>,
    /// The lines that a container with the log driver `awslogs` writes: the first one at its start, the
    /// last one just before its exit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<String>,
}

impl Image {
    /// An image that does this, in every way that is not said by default.
    pub fn new(reference: impl Into<String>, does: Does) -> Self {
        Self {
            reference: reference.into(),
            container: None,
            command: None,
            does,
            fails: None,
            status: None,
            code: None,
            after: None,
            reason: None,
            ready: None,
            stops: None,
            logs: vec![],
        }
    }
}

/// What an image does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// Answers 200.
    Serve,
    /// Exits.
    Exit,
    /// Is killed for its use of memory.
    Oom,
    /// Cannot be pulled.
    Missing,
    /// Does not answer for a long time.
    Slow,
    /// Answers, but not with what a health check wants.
    Sick,
}

/// How a container ends that ECS stops with SIGTERM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stops {
    /// By itself, with code 0.
    Clean,
    /// Of the signal: 143.
    #[default]
    Term,
    /// Not before SIGKILL, when its `stopTimeout` has passed: 137.
    Kill,
}

/// An image's behaviour in one container, with its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Behaviour {
    pub(crate) does: Does,
    #[serde(default)]
    pub(crate) fails: Option<String>,
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) reason: Option<String>,
    #[serde(with = "duration")]
    pub(crate) after: Duration,
    #[serde(with = "duration")]
    pub(crate) ready: Duration,
    #[serde(default)]
    pub(crate) logs: Vec<String>,
    #[serde(default)]
    pub(crate) stops: Stops,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(u16),
    Refused,
    Timeout,
}

impl Behaviour {
    /// What `image`, or an image that nobody described, does.
    pub(crate) fn of(image: Option<&Image>, ready: Duration) -> Behaviour {
        let does = image.map_or(Does::Serve, |image| image.does);
        let late = if does == Does::Slow { Duration::from_secs(600) } else { ready };
        Behaviour {
            does,
            fails: image.and_then(|image| image.fails.clone()),
            status: image.and_then(|image| image.status).unwrap_or(500),
            code: match does {
                Does::Oom => 137,
                _ => image.and_then(|image| image.code).unwrap_or(1),
            },
            reason: image.and_then(|image| image.reason.clone()),
            after: image.and_then(|image| image.after).unwrap_or_default(),
            ready: image.and_then(|image| image.ready).unwrap_or(late),
            logs: image.map(|image| image.logs.clone()).unwrap_or_default(),
            stops: image.and_then(|image| image.stops).unwrap_or_default(),
        }
    }

    /// The reply to a request that comes `age` after the start.
    pub(crate) fn reply(&self, age: Duration) -> Reply {
        match self.does {
            Does::Slow if age < self.ready => Reply::Timeout,
            _ if age < self.ready => Reply::Refused,
            Does::Sick if age >= self.after => Reply::Status(self.status),
            _ => Reply::Status(200),
        }
    }

    /// The reply to a request for a path.
    pub(crate) fn reply_to(&self, path: &str, age: Duration) -> Reply {
        match (self.reply(age), &self.fails) {
            (Reply::Status(_), Some(prefix)) if path.starts_with(prefix.as_str()) => {
                Reply::Status(self.status)
            }
            (reply, _) => reply,
        }
    }

    /// When it ends by itself, after its start.
    pub(crate) fn exits_after(&self) -> Option<Duration> {
        matches!(self.does, Does::Exit | Does::Oom).then_some(self.after)
    }
}

/// The description that fits best: one for this command before one for any, an exact reference before
/// `repository:*`, one for this container before one for any; the last of equals.
pub(crate) fn best<'a>(
    images: &'a [Image],
    reference: &str,
    container: &str,
    command: &str,
) -> Option<&'a Image> {
    let fitting = images
        .iter()
        .filter(|image| image.container.as_deref().is_none_or(|name| name == container))
        .filter(|image| image.command.as_deref().is_none_or(|text| command.contains(text)));
    fitting
        .filter_map(|image| {
            let fit = fit(&image.reference, reference)?;
            Some(((image.command.is_some(), fit, image.container.is_some()), image))
        })
        .max_by_key(|(fit, _)| *fit)
        .map(|(_, image)| image)
}

/// How well a pattern fits: 2 exactly, 1 as `repository:*`.
fn fit(pattern: &str, reference: &str) -> Option<u8> {
    let same = |pattern: &str, text: &str| {
        pattern == text
            || text.split_once('/').is_some_and(|(host, path)| is_host(host) && path == pattern)
    };
    if same(pattern, reference)
        || (!reference.contains('@') && same(pattern, &format!("{reference}:latest")))
    {
        return Some(2);
    }
    let any = pattern.strip_suffix(":*")?;
    same(any, Reference::parse(reference).name).then_some(1)
}

fn is_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

/// What hosts of Amazon ECR end with, after the region; dual-stack ones are `dkr-ecr` (Amazon ECR User
/// Guide, "Private registry").
const ECR: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"];
const ECR_DUAL: [&str; 3] = [".on.aws", ".on.amazonwebservices.com.cn", ".on.amazonwebservices.eu"];

/// The parts of an image reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Registry and repository.
    pub(crate) name: &'a str,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    pub(crate) fn parse(text: &'a str) -> Reference<'a> {
        let (rest, digest) =
            text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Reference { name, tag: Some(tag), digest },
            _ => Reference { name: rest, tag: None, digest },
        }
    }

    /// Account, region and repository, if it is an image of an Amazon ECR private registry.
    pub(crate) fn ecr(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let (host, repository) = self.name.split_once('/')?;
        if let Some((account, rest)) = host.split_once(".dkr.ecr.") {
            let region = ECR.iter().find_map(|suffix| rest.strip_suffix(suffix))?;
            return Some((account, region, repository));
        }
        let (account, rest) = host.split_once(".dkr-ecr.")?;
        let region = ECR_DUAL.iter().find_map(|suffix| rest.strip_suffix(suffix))?;
        Some((account, region, repository))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(reference: &str, container: Option<&str>, code: i32) -> Image {
        let container = container.map(str::to_owned);
        Image {
            reference: reference.into(),
            container,
            command: None,
            does: Does::Exit,
            fails: None,
            status: None,
            code: Some(code),
            after: None,
            reason: None,
            ready: None,
            stops: None,
            logs: vec![],
        }
    }

    #[test]
    fn the_most_exact_reference_wins() {
        let images = [
            image("shop/web:2", None, 1),
            image("shop/web:*", Some("web"), 2),
            image("shop/web:*", None, 3),
            image("r.io:5000/x:1", None, 4),
        ];
        let code = |reference, container| {
            best(&images, reference, container, "").and_then(|image| image.code)
        };
        assert_eq!(code("a.b/shop/web:2", "web"), Some(1));
        assert_eq!(code("a.b/shop/web:7", "web"), Some(2));
        assert_eq!(code("a.b/shop/web@sha256:0", "other"), Some(3));
        assert_eq!(code("r.io:5000/x:1", "x"), Some(4));
        assert_eq!(code("my/shop/web:2", "web"), None, "another repository");
    }

    #[test]
    fn an_image_may_behave_otherwise_with_a_command() {
        let migrate = Image { command: Some("migrate".into()), ..image("shop/web:*", None, 2) };
        let images = [image("shop/web:2", Some("web"), 1), migrate];
        let code = |command| best(&images, "a.b/shop/web:2", "web", command).and_then(|i| i.code);
        assert_eq!(code("rake db:migrate"), Some(2));
        assert_eq!(code("puma"), Some(1));
    }

    #[test]
    fn references_have_parts() {
        let parsed = Reference::parse("1.dkr.ecr.eu-central-1.amazonaws.com/shop/web:7@sha256:ab");
        assert_eq!((parsed.tag, parsed.digest), (Some("7"), Some("sha256:ab")));
        assert_eq!(parsed.ecr(), Some(("1", "eu-central-1", "shop/web")));
        assert_eq!(Reference::parse("localhost:5000/a/b").tag, None);
        assert_eq!(Reference::parse("public.ecr.aws/a/b:1").ecr(), None);
        let dual = Reference::parse("1.dkr-ecr.eu-central-1.on.aws/shop/web:7");
        assert_eq!(dual.ecr(), Some(("1", "eu-central-1", "shop/web")));
    }
}
