//! `--run-task`: the revision that was registered, run once.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::flags::Flags;
use crate::drive::Setting;
use crate::drive::random_id;
use crate::drive::task::{Finished, NO_CODE, follow, start};
use crate::error::Usage;
use crate::event::{Error, Kind, WaitReason};
use crate::model::revision::Revision;
use crate::plan::run_task::{Order, order};
use crate::render::Render;
use crate::request::LONGEST;
use crate::request::before::counting;

/// Runs the revision, and waits for its end where that is asked for. A task that takes too long is left
/// alone: it may be in the middle of something.
pub(super) async fn run(
    flags: &Flags,
    revision: &Revision,
    setting: &Setting<'_>,
    render: &Render<'_>,
) -> Result<u8, Error> {
    render.say(&format!("Run task: {}", revision.arn));
    let mut body = order(&setting.cluster, &revision.arn, None, &[], 1, &random_id())?;
    let network = flags.network.as_deref().map(network).transpose().map_err(Error::Usage)?;
    let members = [
        ("launchType", flags.launch_type.clone().map(Value::from)),
        ("platformVersion", flags.platform_version.clone().map(Value::from)),
        ("networkConfiguration", network),
    ];
    for (member, value) in members {
        if let Some(value) = value {
            body[member] = value;
        }
    }
    let container = counting(&revision.raw, None, &[]).unwrap_or_default();
    let order = Order { body, container, logs: None };
    let (tasks, _) = start(setting, &order).await?;
    let arn = tasks[0].arn.clone();
    render.say(&format!("Executed task: {arn}"));
    if flags.wait_for_success {
        let mut tell = |kind: Kind| {
            if let Kind::Waiting { why: WaitReason::TaskEnd { tasks }, .. } = &kind {
                let status = tasks.first().map_or("", |task| task.status.as_str());
                render.say(&match status {
                    "STOPPED" => "Task finished with status: STOPPED".to_owned(),
                    status => format!("Checking task status every 10 seconds. Status: {status}"),
                });
            }
            if let Kind::Warning(warning) = kind {
                render.warning(&warning);
            }
        };
        let limit = Duration::from_secs(flags.timeout);
        let ended = follow(setting, &order, tasks, LONGEST, true, &mut tell);
        let Ok(finished) = tokio::time::timeout(limit, ended).await else {
            render.say(&format!("ERROR: New task run took longer than {} seconds", flags.timeout));
            return Ok(super::FAILED);
        };
        if let Some(code) = failed(&finished, render) {
            return Ok(code);
        }
    }
    render.say(&format!("Task {arn} executed successfully!"));
    Ok(0)
}

fn failed(finished: &Finished, render: &Render<'_>) -> Option<u8> {
    let code = match finished.code {
        0 => return None,
        NO_CODE => "null".to_owned(),
        code => code.to_string(),
    };
    render.say(&format!("Task execution failed with exit code: {code}"));
    render.failed(&finished.ending);
    finished.why.iter().for_each(|why| render.because(why));
    Some(if finished.interrupted { 130 } else { super::FAILED })
}

/// JSON, or the short form of the aws CLI: `awsvpcConfiguration={subnets=[a,b],assignPublicIp=ENABLED}`.
fn network(text: &str) -> Result<Value, Usage> {
    let found = match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(_) => short_form(text),
    };
    found.filter(Value::is_object).ok_or_else(|| {
        Usage::new(
            format!("--network-configuration: `{text}` is neither JSON nor the aws CLI's short form"),
            "--network-configuration 'awsvpcConfiguration={subnets=[SUBNET],securityGroups=[GROUP]}'",
        )
    })
}

fn short_form(text: &str) -> Option<Value> {
    let mut members = Map::new();
    for part in parts(text)? {
        let (name, value) = part.split_once('=')?;
        let inner = |open, close| value.strip_prefix(open)?.strip_suffix(close);
        let value = match (inner('{', '}'), inner('[', ']')) {
            (Some(map), _) => short_form(map)?,
            (_, Some(list)) => json!(parts(list)?),
            _ => json!(value),
        };
        members.insert(name.trim().to_owned(), value);
    }
    Some(Value::Object(members))
}

/// Parted at the commas that are in no brackets.
fn parts(text: &str) -> Option<Vec<&str>> {
    let (mut depth, mut from, mut parts) = (0_i32, 0, Vec::new());
    for (at, char) in text.char_indices() {
        match char {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    (depth == 0).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_json_or_the_short_form() {
        let wanted = json!({"awsvpcConfiguration": {
            "subnets": ["subnet-a", "subnet-b"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"
        }});
        let short = "awsvpcConfiguration={subnets=[subnet-a,subnet-b],securityGroups=[sg-1],assignPublicIp=ENABLED}";
        assert_eq!(network(short), Ok(wanted.clone()));
        assert_eq!(network(&wanted.to_string()), Ok(wanted));
        for text in ["x", "[1]", "a={b=1", "$(touch /tmp/x)"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
