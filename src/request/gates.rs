//! `--check`, `--check-cmd`: judges of the new version while it has traffic. They come from the command line
//! each time and are kept nowhere: a URL or a command may hold what is secret.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::edits::{Hidden, words};
use super::{bad, some_time};
use crate::error::Usage;

/// Answers other than these are wrong, unless said.
const STATUSES: RangeInclusive<u16> = 200..=299;

/// What does not answer within this time does not answer.
pub const ANSWER: Duration = Duration::from_secs(5);

/// What judges a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// The gates.
    pub gates: Vec<Gate>,
    /// What a gate that cannot tell means.
    pub on_inconclusive: OnInconclusive,
}

/// What it means that a gate could not tell whether the new version is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OnInconclusive {
    /// Keep the share for up to 10 minutes longer, then roll back
    #[default]
    Hold,
    /// Roll back once the share was held
    Fail,
    /// Go on once the share was held
    Pass,
}

/// One judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A URL that must answer as it should, asked every few seconds.
    Url(UrlCheck),
    /// A command that must end with 0, run once at each share.
    Command {
        /// Its words.
        words: Vec<Hidden>,
        /// Then it is killed.
        timeout: Duration,
    },
}

/// A URL, and the answer that it should give.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlCheck {
    /// The URL, as it was typed.
    pub url: String,
    /// The right statuses.
    pub statuses: RangeInclusive<u16>,
    /// The answer's body contains this.
    pub body: Option<String>,
    /// The answer takes no longer.
    pub latency: Option<Duration>,
}

impl fmt::Debug for UrlCheck {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("UrlCheck").field(&shown(&self.url)).finish()
    }
}

impl UrlCheck {
    /// The same check where the same host answers on another port.
    pub fn at(&self, port: u16, tls: bool) -> Self {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // The last colon of an IPv6 address is inside of its brackets.
        let end = host.rfind(':').filter(|colon| host.rfind(']').is_none_or(|end| end < *colon));
        // A colon before the `@` is that of a password.
        let end = end.filter(|colon| host.rfind('@').is_none_or(|at| at < *colon));
        let (host, scheme) =
            (&host[..end.unwrap_or(host.len())], if tls { "https" } else { "http" });
        Self { url: format!("{scheme}://{host}:{port}{path}"), ..self.clone() }
    }
}

impl Gates {
    /// The gates by name: what people read of each, without what may be secret in it. Two that read alike are
    /// numbered.
    pub fn named(&self) -> Vec<(String, &Gate)> {
        let shown = |gate: &Gate| gate.shown();
        let numbered = self.gates.iter().enumerate().map(|(index, gate)| {
            let name = shown(gate);
            match self.gates[..index].iter().filter(|other| shown(other) == name).count() {
                0 => (name, gate),
                before => (format!("{name} ({})", before + 1), gate),
            }
        });
        numbered.collect()
    }
}

impl Gate {
    /// Nothing of it that may be secret.
    fn shown(&self) -> String {
        match self {
            Self::Url(check) => shown(&check.url),
            Self::Command { words, .. } => {
                words.first().map(|word| word.0.clone()).unwrap_or_default()
            }
        }
    }
}

impl Gate {
    /// What tells it from another one.
    pub(super) fn parts(&self) -> Vec<String> {
        match self {
            Self::Url(UrlCheck { url, statuses, body, latency }) => vec![
                "url".to_owned(),
                url.clone(),
                format!("{statuses:?} {latency:?}"),
                body.clone().unwrap_or_default(),
            ],
            Self::Command { words, .. } => {
                let words = words.iter().map(|word| word.0.clone());
                std::iter::once("command".to_owned()).chain(words).collect()
            }
        }
    }
}

/// A URL without what may be secret in it: its query, its fragment and the user's name and password.
fn shown(url: &str) -> String {
    let (scheme, rest) = match url.find("://") {
        Some(at) => url.split_at(at + 3),
        None => ("", url),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let more = if end < rest.len() { "?…" } else { "" };
    let rest = &rest[..end];
    let host = rest.find('/').unwrap_or(rest.len());
    let from = rest[..host].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}{}{more}", &rest[from..])
}

/// `--check` and its companions as they were typed.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// `--check`, repeated
    pub urls: Vec<Hidden>,
    /// `--check-status`
    pub status: Option<String>,
    /// `--check-body`
    pub body: Option<String>,
    /// `--check-latency`
    pub latency: Option<String>,
    /// `--check-cmd`, repeated
    pub commands: Vec<Hidden>,
    /// `--check-timeout`
    pub timeout: String,
    /// `--on-inconclusive`
    pub on_inconclusive: OnInconclusive,
}

impl Gates {
    /// Reads them.
    pub fn new(typed: &Typed) -> Result<Self, Usage> {
        let mut gates = Vec::new();
        let statuses = typed.status.as_deref().map(statuses).transpose()?.unwrap_or(STATUSES);
        let latency = typed.latency.as_deref().map(latency).transpose()?;
        for Hidden(text) in &typed.urls {
            let url = url(text)?;
            let (statuses, body) = (statuses.clone(), typed.body.clone());
            gates.push(Gate::Url(UrlCheck { url, statuses, body, latency }));
        }
        let timeout = match typed.commands.is_empty() {
            true => Duration::ZERO,
            false => some_time("--check-timeout", &typed.timeout, "for a command", "5m")?,
        };
        for Hidden(text) in &typed.commands {
            let words = words(text).map_err(|why| bad("--check-cmd", why, COMMAND))?;
            if words.is_empty() {
                return Err(bad("--check-cmd", "the command has no words", COMMAND));
            }
            let words = words.into_iter().map(Hidden).collect();
            gates.push(Gate::Command { words, timeout });
        }
        // The same one twice says nothing more.
        let mut known: Vec<Gate> = Vec::new();
        for gate in gates {
            if !known.contains(&gate) {
                known.push(gate);
            }
        }
        Ok(Self { gates: known, on_inconclusive: typed.on_inconclusive })
    }
}

const COMMAND: &str = "--check-cmd 'npm run smoke'";

fn url(text: &str) -> Result<String, Usage> {
    const LIKE: &str = "--check https://shop.example.com/health";
    let wrong = |why: &str| Err(bad("--check", format!("`{}` {why}", shown(text)), LIKE));
    let Ok(uri) = text.parse::<http::Uri>() else { return wrong("is not a URL") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return wrong("does not begin with http:// or https://");
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            let why = "names a user: a command can log in";
            Err(bad("--check", format!("`{}` {why}", shown(text)), "--check-cmd 'curl --fail …'"))
        }
        Some(authority) if !authority.host().is_empty() => Ok(text.to_owned()),
        _ => wrong("names no host"),
    }
}

/// Reads `500ms` or `2s`.
fn latency(text: &str) -> Result<Duration, Usage> {
    match humantime::parse_duration(text) {
        Ok(limit) if !limit.is_zero() && limit <= ANSWER => Ok(limit),
        Ok(limit) if limit.is_zero() => {
            Err(bad("--check-latency", "`0` leaves no time to answer", LATENCY))
        }
        Ok(_) => {
            let why = format!("an answer has {}s anyway", ANSWER.as_secs());
            Err(bad("--check-latency", why, LATENCY))
        }
        Err(_) => Err(bad("--check-latency", format!("`{text}` is not a duration"), LATENCY)),
    }
}

const LATENCY: &str = "--check-latency 500ms";

/// Reads `200`, `2xx` or `200-399`.
fn statuses(text: &str) -> Result<RangeInclusive<u16>, Usage> {
    let one = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    let range = match (text.split_once('-'), text.strip_suffix("xx")) {
        (Some((from, to)), _) => one(from.trim()).zip(one(to.trim())),
        (None, Some(class)) => one(&format!("{class}00")).zip(one(&format!("{class}99"))),
        (None, None) => one(text).zip(one(text)),
    };
    match range {
        Some((from, to)) if from <= to => Ok(from..=to),
        _ => {
            let why = format!("`{text}` is not a range of HTTP statuses");
            Err(bad("--check-status", why, "--check-status 200-299"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_a_url_is_not_shown() {
        for (url, is_shown) in [
            ("https://a.example/health", "https://a.example/health"),
            ("https://a.example/health?token=s3cret#x", "https://a.example/health?…"),
            ("https://me:s3cret@a.example/", "https://a.example/"),
            ("https://a.example/p@th", "https://a.example/p@th"),
        ] {
            assert_eq!(shown(url), is_shown);
        }
    }

    #[test]
    fn gates_that_read_alike_are_told_apart() {
        let typed = Typed {
            urls: ["https://a.example/?x=1", "https://a.example/?x=2"]
                .map(|url| Hidden(url.into()))
                .into(),
            commands: ["npm run smoke", "npm run e2e", "npm run smoke"]
                .map(|c| Hidden(c.into()))
                .into(),
            timeout: "5m".to_owned(),
            ..Typed::default()
        };
        let gates = Gates::new(&typed).expect("gates");
        let names: Vec<String> = gates.named().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["https://a.example/?…", "https://a.example/?… (2)", "npm", "npm (2)"]);
    }

    #[test]
    fn statuses_are_a_number_a_class_or_a_range() {
        for (text, range) in [("204", 204..=204), ("2xx", 200..=299), ("200-399", 200..=399)] {
            assert_eq!(statuses(text), Ok(range), "{text}");
        }
        for text in ["", "99", "600", "399-200", "2x", "xx", "ok"] {
            assert!(statuses(text).is_err(), "{text}");
        }
    }

    #[test]
    fn urls_that_cannot_be_asked_are_refused() {
        for text in ["", "health", "ftp://a.example/", "https:///x", "https://me:pw@a.example/"] {
            let refusal = url(text).expect_err(text);
            assert!(!refusal.what.contains("pw"), "{}", refusal.what);
        }
        assert!(url("http://a.example:8080/health?x=1").is_ok());
    }
}
