//! As commands of the aws CLI.

use std::fmt::Write;

use serde_json::{Value, json};

use super::told;
use crate::model::scaling::Suspended;
use crate::plan::setup::{
    NEW_GROUP, NEW_RULE, NEW_SUFFIX, PairStep, Seen, Step, TWIN_TAG, service,
};
use crate::request::setup::Setup;

/// As a shell takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// JSON for a shell, in which the ARNs of what is new are variables.
fn shell_json(value: &Value) -> String {
    let text = quoted(&value.to_string()).replace(NEW_GROUP, r#"'"$SECOND"'"#);
    let text = text.replace(NEW_SUFFIX, r#"'"${SECOND##*:}"'"#);
    text.replace(NEW_RULE, r#"'"$TEST"'"#)
}

/// Query parameters as the JSON that the aws CLI takes.
pub(super) fn nested(parameters: &[(String, String)]) -> Value {
    let mut root = json!({});
    for (path, text) in parameters {
        let parts: Vec<&str> = path.split('.').filter(|part| *part != "member").collect();
        let mut at = &mut root;
        for (index, part) in parts.iter().enumerate() {
            let is_list = parts.get(index + 1).is_some_and(|next| next.parse::<usize>().is_ok());
            at = match part.parse::<usize>() {
                Ok(number) => {
                    if !at.is_array() {
                        *at = json!([]);
                    }
                    let Some(list) = at.as_array_mut() else { return root };
                    while list.len() < number {
                        list.push(json!({}));
                    }
                    &mut list[number - 1]
                }
                Err(_) => {
                    if !at.is_object() {
                        *at = json!({});
                    }
                    let fresh = if is_list { json!([]) } else { json!({}) };
                    let Some(object) = at.as_object_mut() else { return root };
                    object.entry(*part).or_insert(fresh)
                }
            };
        }
        *at = literal(&parts, text);
    }
    root
}

/// Numbers and booleans that the API takes as such.
fn literal(parts: &[&str], text: &str) -> Value {
    let numbers = ["Weight", "Order", "DurationSeconds", "SessionTimeout"];
    let flags = ["Enabled", "UseExistingClientSecret"];
    match parts.last() {
        Some(last) if numbers.contains(last) => {
            text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        Some(last) if flags.contains(last) => json!(text == "true"),
        _ => json!(text),
    }
}

/// `HealthCheckPort` as `--health-check-port`.
pub(super) fn option(member: &str) -> String {
    let mut text = String::from("-");
    for letter in member.chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

pub(super) fn cli(asked: &Setup, seen: &Seen, steps: &[Step]) -> String {
    let cluster = seen.survey.cluster_name();
    let of = format!("--cluster {} --service {}", quoted(cluster), quoted(&asked.service));
    let mut text = String::from("# Stop at the first error; the order matters.\nset -e\n");
    if steps.is_empty() {
        text.push_str("# nothing to do");
        return text;
    }
    let creates = steps.iter().any(|step| matches!(step, Step::CreateRole { .. }));
    for step in steps {
        let _ = write!(text, "\n# {}\n", told(seen, step));
        let _ = match step {
            Step::Pair(step) => writeln!(text, "{}", pair(seen, step)),
            Step::CreateRole { role, trust } => writeln!(
                text,
                "aws iam create-role --role-name {} --assume-role-policy-document {}",
                quoted(role),
                quoted(trust)
            ),
            Step::AttachPolicy { role, policy } => {
                let wait = "# ECS cannot assume a new role at once.\nsleep 15\n";
                write!(
                    text,
                    "aws iam attach-role-policy --role-name {} --policy-arn {policy}\n{}",
                    quoted(role),
                    if creates { wait } else { "" }
                )
            }
            Step::CreateRule { listener, parameters, tags, .. } => {
                let all = nested(parameters);
                let mut options = String::new();
                for (member, value) in all.as_object().into_iter().flatten() {
                    let value = value.as_str().map_or_else(|| shell_json(value), quoted);
                    let _ = write!(options, " {} {value}", option(member));
                }
                let tags = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                let tags = quoted(&Value::Array(tags.collect()).to_string());
                writeln!(
                    text,
                    "TEST=$(aws elbv2 create-rule --listener-arn {listener}{options} --tags {tags} --query 'Rules[0].RuleArn' --output text)"
                )
            }
            Step::DeleteRule { arn, .. } => {
                writeln!(text, "aws elbv2 delete-rule --rule-arn {arn}")
            }
            Step::Create { group, parameters, tags, .. } => {
                let mut options = String::new();
                let mut matcher = json!({});
                for (key, value) in parameters {
                    match key.strip_prefix("Matcher.") {
                        Some(key) => matcher[key] = json!(value),
                        None if key == "HealthCheckEnabled" => {
                            let no = if value == "true" { "" } else { "no-" };
                            let _ = write!(options, " --{no}health-check-enabled");
                        }
                        None => {
                            let _ = write!(options, " {} {}", option(key), quoted(value));
                        }
                    }
                }
                if matcher != json!({}) {
                    let _ = write!(options, " --matcher {}", quoted(&matcher.to_string()));
                }
                let tags = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                let tags = Value::Array(tags.collect());
                writeln!(
                    text,
                    "SECOND=$(aws elbv2 create-target-group --name {}{options} --tags {} --query 'TargetGroups[0].TargetGroupArn' --output text)",
                    quoted(group),
                    quoted(&tags.to_string())
                )
            }
            Step::Attributes { arn, attributes, .. } => {
                let all = attributes.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
                let all = Value::Array(all.collect());
                writeln!(
                    text,
                    "aws elbv2 modify-target-group-attributes --target-group-arn {} --attributes {}",
                    group(arn),
                    quoted(&all.to_string())
                )
            }
            Step::Attach { rule, actions } | Step::Detach { rule, actions } => {
                let actions = nested(actions)
                    .as_object()
                    .and_then(|root| root.get("member").cloned())
                    .unwrap_or_else(|| list(actions));
                match rule.is_default {
                    true => writeln!(
                        text,
                        "aws elbv2 modify-listener --listener-arn {} --default-actions {}",
                        rule.listener,
                        shell_json(&actions)
                    ),
                    false => writeln!(
                        text,
                        "aws elbv2 modify-rule --rule-arn {} --actions {}",
                        rule.arn,
                        shell_json(&actions)
                    ),
                }
            }
            Step::Advance { load_balancers } | Step::Retire { load_balancers } => writeln!(
                text,
                "aws ecs update-service {of} --load-balancers {}",
                shell_json(load_balancers)
            ),
            Step::Settle => writeln!(
                text,
                "aws ecs wait services-stable --cluster {} --services {}",
                quoted(cluster),
                quoted(&asked.service)
            ),
            Step::Strategy { configuration, .. } => writeln!(
                text,
                "aws ecs update-service {of} --deployment-configuration {}",
                shell_json(configuration)
            ),
            Step::Delete { arn, .. } => {
                writeln!(text, "aws elbv2 delete-target-group --target-group-arn {}", group(arn))
            }
        };
    }
    text.trim_end().to_owned()
}

/// What makes a part of a pair.
fn pair(seen: &Seen, step: &PairStep) -> String {
    let scaled = |twin: &str| {
        let own = service(seen).map_or("", |own| own.arn.as_str());
        let cluster = own.rsplit('/').nth(1).unwrap_or_default();
        format!(
            "--service-namespace ecs --scalable-dimension ecs:service:DesiredCount --resource-id {}",
            quoted(&format!("service/{cluster}/{twin}"))
        )
    };
    match step {
        PairStep::Create { members, .. } => {
            format!("aws ecs create-service --cli-input-json {}", shell_json(members))
        }
        PairStep::Scale { twin, like } => format!(
            "aws application-autoscaling register-scalable-target {} --min-capacity 0 --max-capacity {} \
             --suspended-state {}",
            scaled(twin),
            like.max,
            Suspended::ALL.argument()
        ),
        PairStep::Policy { twin, policy } => {
            let note = match policy.kind.as_str() {
                "StepScaling" => {
                    "# Its alarms, too, are to be made: each with this policy as its action.\n"
                }
                _ => "",
            };
            format!(
                "{note}aws application-autoscaling put-scaling-policy {} --policy-name {} --policy-type {} {} {}",
                scaled(twin),
                quoted(&policy.name),
                policy.kind,
                option(&format!("{}PolicyConfiguration", policy.kind)),
                shell_json(&policy.configuration)
            )
        }
        PairStep::Tag { arn, twin, .. } => format!(
            "aws ecs tag-resource --resource-arn {arn} --tags {}",
            quoted(&format!("key={TWIN_TAG},value={twin}"))
        ),
    }
}

/// The ARN of a group, or the variable that has it.
fn group(arn: &str) -> String {
    if arn == NEW_GROUP { "\"$SECOND\"".to_owned() } else { arn.to_owned() }
}

/// An action list, whose parameters begin with `member.1.`.
fn list(actions: &[(String, String)]) -> Value {
    let below: Vec<(String, String)> =
        actions.iter().map(|(key, value)| (format!("list.{key}"), value.clone())).collect();
    nested(&below)["list"].clone()
}
