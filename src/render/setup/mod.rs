//! What `setup` would do: for people, as commands of the aws CLI, and as Terraform.

mod cli;
mod pair;
mod terraform;

use std::fmt::Write;

use serde_json::json;

use self::cli::cli;
use self::pair::terraform_of_pair;
use self::terraform::terraform;
use super::sanitise::field;
use super::{Output, Render, json as documents, lines, words};
use crate::model::arn::short;
use crate::model::rule::weights;
use crate::ops::setup::name;
use crate::plan::setup::{NEW_GROUP, PairStep, Seen, Step, TWIN_TAG, notes, second_name, service};
use crate::request::setup::Setup;

/// How to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In words.
    Plan,
    /// As commands.
    Cli,
    /// As Terraform.
    Terraform,
}

impl Render<'_> {
    /// What `setup` would do.
    pub fn setup(&self, format: Format, asked: &Setup, seen: &Seen, steps: &[Step]) {
        let warnings = if asked.undo || asked.pair.is_some() { vec![] } else { notes(asked, seen) };
        let warnings: Vec<String> = warnings.iter().map(words::warning).collect();
        let text = match format {
            Format::Plan => plan(asked, seen, steps),
            Format::Cli => cli(asked, seen, steps),
            Format::Terraform if asked.pair.is_some() => terraform_of_pair(seen, steps),
            Format::Terraform => terraform(asked, seen, steps),
        };
        match self.output {
            Output::Json => {
                let list =
                    steps.iter().map(|step| json!({"step": name(step), "what": told(seen, step)}));
                // A line each: a text of one member has one line.
                let printed = (format != Format::Plan).then(|| text.lines().collect::<Vec<_>>());
                self.out(&documents::document(&json!({
                    "location": seen.survey.location(),
                    "steps": list.collect::<Vec<_>>(),
                    "warnings": warnings,
                    "lines": printed,
                })));
            }
            Output::Lines => {
                warnings.iter().for_each(|what| self.warn(what));
                self.out(&text);
            }
        }
    }
}

fn plan(asked: &Setup, seen: &Seen, steps: &[Step]) -> String {
    let mut text = format!("{}\n", field(&lines::location(&seen.survey.location())));
    if steps.is_empty() {
        text.push_str("nothing to do");
        return text;
    }
    let name_of = &asked.service;
    let what = match asked.undo {
        true => format!("back to one target group and the strategy ROLLING for {name_of}"),
        false => format!("prepares {name_of} for blue/green deployments by ECS"),
    };
    let _ = writeln!(text, "{}\n", field(&what));
    let rows: Vec<String> = steps
        .iter()
        .map(|step| format!("  {:<8}  {}", name(step), field(&told(seen, step))))
        .collect();
    text.push_str(&rows.join("\n"));
    text
}

/// The name of a group.
fn group_name(seen: &Seen, arn: &str) -> String {
    let known = [&seen.first, &seen.second].into_iter().flatten();
    let known = known.into_iter().find(|group| group.arn == arn).map(|group| group.name.clone());
    let new = || seen.first.as_ref().map(|first| second_name(&first.name));
    known.or_else(|| new().filter(|_| arn == NEW_GROUP)).unwrap_or_else(|| short(arn).to_owned())
}

fn told(seen: &Seen, step: &Step) -> String {
    let service = service(seen);
    let name = service.map_or("", |service| &service.name);
    let revision = service.map_or("", |service| short(&service.revision));
    match step {
        Step::Pair(PairStep::Create { twin, members }) => {
            let group = members["loadBalancers"][0]["targetGroupArn"].as_str().unwrap_or_default();
            format!(
                "create service {twin}, a copy of {name} with target group {} and no tasks",
                group_name(seen, group)
            )
        }
        Step::Pair(PairStep::Scale { twin, like }) => format!(
            "{twin}: register a scalable target, minimum 0, maximum {}, everything suspended",
            like.max
        ),
        Step::Pair(PairStep::Policy { twin, policy }) => {
            format!("{twin}: put scaling policy {}, as that of {name}", policy.name)
        }
        Step::Pair(PairStep::Tag { service, twin, .. }) => {
            format!("{service}: set tag {TWIN_TAG}={twin}")
        }
        Step::CreateRole { role, .. } => {
            format!("create role {role}, which trusts ecs.amazonaws.com")
        }
        Step::AttachPolicy { role, policy } => format!("attach {} to role {role}", short(policy)),
        Step::CreateRule { rule, of, header, .. } => {
            format!(
                "create rule {rule} for test traffic: the conditions of {of} and the header {header}"
            )
        }
        Step::DeleteRule { rule, .. } => format!("delete rule {rule} for test traffic"),
        Step::Create { group, base, .. } => {
            format!("create target group {group}, a copy of {base}")
        }
        Step::Attributes { group, attributes, .. } => {
            let all: Vec<String> =
                attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("set attributes of {group}: {}", all.join(", "))
        }
        Step::Attach { rule, actions } | Step::Detach { rule, actions } => {
            let all = weights(actions).into_iter();
            let all = all.map(|(arn, weight)| format!("{} {weight}", group_name(seen, &arn)));
            format!("{}: {}", rule.name, all.collect::<Vec<_>>().join(", "))
        }
        Step::Advance { load_balancers } => {
            let own = &load_balancers[0]["advancedConfiguration"];
            let second = own["alternateTargetGroupArn"].as_str().unwrap_or_default();
            format!(
                "{name}: set advancedConfiguration with {}; ECS replaces its tasks by new ones of {revision}",
                group_name(seen, second)
            )
        }
        Step::Retire { .. } => format!(
            "{name}: remove advancedConfiguration; ECS replaces its tasks by new ones of {revision}"
        ),
        Step::Settle => "wait until ECS has replaced the tasks".to_owned(),
        Step::Strategy { strategy, bake, .. } => {
            format!("{name}: strategy {strategy}, bake {}", words::time(minutes(*bake)))
        }
        Step::Delete { group, .. } => format!("delete target group {group}"),
    }
}

fn minutes(count: u32) -> std::time::Duration {
    std::time::Duration::from_secs(60 * u64::from(count))
}
