//! What `setup` would do: for people, as commands of the aws CLI, and as Terraform.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::sanitise::field;
use super::{Output, Render, json as documents, lines, words};
use crate::model::arn::short;
use crate::model::rule::weights;
use crate::ops::setup::name;
use crate::plan::setup::{NEW_GROUP, Seen, Step, named_arn, notes, production, service};
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
        let warnings = if asked.undo { vec![] } else { notes(asked, seen) };
        let text = match format {
            Format::Plan => plan(asked, seen, steps),
            Format::Cli => cli(asked, seen, steps),
            Format::Terraform => terraform(asked, seen, steps),
        };
        match self.output {
            Output::Json => {
                let list = steps.iter().map(|step| json!({"step": name(step), "what": told(seen, step)}));
                let printed = (format != Format::Plan).then_some(text);
                self.out(&documents::document(&json!({
                    "location": seen.survey.location(),
                    "steps": list.collect::<Vec<_>>(),
                    "warnings": warnings,
                    "text": printed,
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
    let new = || seen.first.as_ref().map(|first| crate::plan::setup::second_name(&first.name));
    known.or_else(|| new().filter(|_| arn == NEW_GROUP)).unwrap_or_else(|| short(arn).to_owned())
}

fn told(seen: &Seen, step: &Step) -> String {
    let service = service(seen);
    let name = service.map_or("", |service| &service.name);
    let revision = service.map_or("", |service| short(&service.revision));
    match step {
        Step::Create { group, base, .. } => format!("create target group {group}, a copy of {base}"),
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

/// As a shell takes it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// JSON for a shell, in which the new group's ARN is a variable.
fn shell_json(value: &Value) -> String {
    quoted(&value.to_string()).replace(NEW_GROUP, r#"'"$SECOND"'"#)
}

/// Query parameters as the JSON that the aws CLI takes.
fn nested(parameters: &[(String, String)]) -> Value {
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
fn option(member: &str) -> String {
    let mut text = String::from("-");
    for letter in member.chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn cli(asked: &Setup, seen: &Seen, steps: &[Step]) -> String {
    let cluster = seen.survey.cluster_name();
    let of = format!("--cluster {} --service {}", quoted(cluster), quoted(&asked.service));
    let mut text = String::from("# Stop at the first error; the order matters.\nset -e\n");
    if steps.is_empty() {
        text.push_str("# nothing to do");
        return text;
    }
    for step in steps {
        let _ = write!(text, "\n# {}\n", told(seen, step));
        let _ = match step {
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

/// A text in HCL.
fn hcl(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

/// A name that Terraform takes for a resource.
fn label(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

/// Lines `name = value`, as `terraform fmt` aligns them.
fn aligned(indent: usize, rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let row = |(key, value): &(String, String)| format!("{:indent$}{key:<width$} = {value}\n", "");
    rows.iter().map(row).collect()
}

fn row(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

fn terraform(asked: &Setup, seen: &Seen, steps: &[Step]) -> String {
    let Some(own) = service(seen) else { return String::new() };
    let (name, label_of) = (&own.name, label(&own.name));
    let mut text = String::from(
        "# Needs hashicorp/aws 6.4 or newer. Apply it in two steps: first all but deployment_configuration; when\n\
         # ECS has replaced the tasks, deployment_configuration.\n",
    );
    let second = match steps.iter().find(|step| matches!(step, Step::Create { .. })) {
        Some(Step::Create { group, parameters, tags, .. }) => {
            let attributes = steps.iter().find_map(|step| match step {
                Step::Attributes { attributes, .. } => Some(attributes),
                _ => None,
            });
            text.push_str(&group_block(group, parameters, attributes, tags));
            format!("aws_lb_target_group.{}.arn", label(group))
        }
        _ => {
            hcl(seen.second.as_ref().map_or(NEW_GROUP, |group| &group.arn))
        }
    };
    if let (Ok(rule), Some(first)) = (production(asked, seen), &seen.first) {
        let kind = if rule.is_default { "aws_lb_listener" } else { "aws_lb_listener_rule" };
        let action = if rule.is_default { "default_action" } else { "action" };
        let _ = write!(
            text,
            "\n# In your {kind} of {}: both groups. ECS changes the weights with each deployment.\n\
             resource \"{kind}\" {} {{\n  # …\n  {action} {{\n    type = \"forward\"\n\n    forward {{\n",
            rule.name,
            hcl(&label(&rule.name)),
        );
        for (arn, weight) in [(hcl(&first.arn), "100"), (second.clone(), "0")] {
            let rows = [row("arn", arn), row("weight", weight)];
            let block = aligned(8, &rows);
            let _ = write!(text, "      target_group {{\n{block}      }}\n");
            if weight == "100" {
                text.push('\n');
            }
        }
        let _ = write!(
            text,
            "    }}\n  }}\n\n  lifecycle {{\n    ignore_changes = [{action}]\n  }}\n}}\n"
        );
        let _ = write!(
            text,
            "\n# In your aws_ecs_service of {name}.\nresource \"aws_ecs_service\" {} {{\n  # …\n",
            hcl(&label_of)
        );
        if let Some(attachment) = own.attachments.first() {
            let rows = [
                row("target_group_arn", hcl(&attachment.group)),
                row("container_name", hcl(&attachment.container)),
                row("container_port", attachment.port.to_string()),
            ];
            let _ = write!(text, "  load_balancer {{\n{}\n", aligned(4, &rows));
            let known = attachment.advanced.as_ref();
            let role = own.settings.get("loadBalancers");
            let role = role.and_then(|all| all[0]["advancedConfiguration"]["roleArn"].as_str());
            let role = asked.role.as_deref().or(role).unwrap_or_default();
            let mut rows = vec![
                row("alternate_target_group_arn", second),
                row("production_listener_rule", hcl(named_arn(rule))),
            ];
            let test = asked.test.as_ref().or(known.and_then(|known| known.test.as_ref()));
            rows.extend(test.map(|test| row("test_listener_rule", hcl(test))));
            rows.push(row("role_arn", hcl(role)));
            let block = aligned(6, &rows);
            let _ = write!(text, "    advanced_configuration {{\n{block}    }}\n  }}\n\n");
        }
    } else {
        let _ = write!(
            text,
            "\n# In your aws_ecs_service of {name}.\nresource \"aws_ecs_service\" {} {{\n  # …\n",
            hcl(&label_of)
        );
    }
    text.push_str(&configuration_block(own, steps));
    text.push_str("\n  lifecycle {\n    ignore_changes = [task_definition]\n  }\n}");
    text
}

fn configuration_block(own: &crate::model::world::Service, steps: &[Step]) -> String {
    let planned = steps.iter().find_map(|step| match step {
        Step::Strategy { configuration, .. } => Some(configuration),
        _ => None,
    });
    let none = json!({});
    let own = planned.or(own.settings.get("deploymentConfiguration")).unwrap_or(&none);
    let mut rows = vec![row("strategy", hcl(own["strategy"].as_str().unwrap_or("ROLLING")))];
    if let Some(bake) = own["bakeTimeInMinutes"].as_u64() {
        rows.push(row("bake_time_in_minutes", hcl(&bake.to_string())));
    }
    let mut text = format!("  deployment_configuration {{\n{}", aligned(4, &rows));
    let steps = [
        ("canaryConfiguration", "canary_configuration", ["canaryPercent", "canaryBakeTimeInMinutes"]),
        ("linearConfiguration", "linear_configuration", ["stepPercent", "stepBakeTimeInMinutes"]),
    ];
    for (member, block, [percent, bake]) in steps {
        let Some(found) = own.get(member) else { continue };
        let rows = [
            row(&snake(percent), found[percent].to_string()),
            row(&snake(bake), hcl(&found[bake].to_string())),
        ];
        let _ = write!(text, "\n    {block} {{\n{}    }}\n", aligned(6, &rows));
    }
    text.push_str("  }\n");
    text
}

fn snake(text: &str) -> String {
    option(text).trim_start_matches('-').replace('-', "_")
}

fn group_block(
    name: &str,
    parameters: &[(String, String)],
    attributes: Option<&BTreeMap<String, String>>,
    tags: &BTreeMap<String, String>,
) -> String {
    let get = |member: &str| parameters.iter().find(|(key, _)| key == member).map(|(_, v)| v);
    let texts = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        let found = all.iter().filter_map(|(key, member)| Some((key, get(member)?)));
        found
            .map(|(key, value)| match value.parse::<u32>().is_ok() || value == "true" {
                true => row(key, value.clone()),
                false => row(key, hcl(value)),
            })
            .collect()
    };
    let mut rows = vec![row("name", hcl(name))];
    rows.extend(texts(&[
        ("port", "Port"),
        ("protocol", "Protocol"),
        ("protocol_version", "ProtocolVersion"),
        ("vpc_id", "VpcId"),
        ("target_type", "TargetType"),
        ("ip_address_type", "IpAddressType"),
    ]));
    let mut others = Vec::new();
    for (key, value) in attributes.into_iter().flatten() {
        match key.as_str() {
            "deregistration_delay.timeout_seconds" => {
                rows.push(row("deregistration_delay", value.clone()));
            }
            "slow_start.duration_seconds" => rows.push(row("slow_start", value.clone())),
            "load_balancing.algorithm.type" => {
                rows.push(row("load_balancing_algorithm_type", hcl(value)));
            }
            "load_balancing.cross_zone.enabled" => {
                rows.push(row("load_balancing_cross_zone_enabled", hcl(value)));
            }
            "proxy_protocol_v2.enabled" => rows.push(row("proxy_protocol_v2", value.clone())),
            "preserve_client_ip.enabled" => rows.push(row("preserve_client_ip", hcl(value))),
            _ => others.push(format!("  # also: {key} = {value}\n")),
        }
    }
    let mut text = format!(
        "\nresource \"aws_lb_target_group\" {} {{\n{}",
        hcl(&label(name)),
        aligned(2, &rows)
    );
    text.push_str(&others.concat());
    let check = texts(&[
        ("protocol", "HealthCheckProtocol"),
        ("port", "HealthCheckPort"),
        ("path", "HealthCheckPath"),
        ("interval", "HealthCheckIntervalSeconds"),
        ("timeout", "HealthCheckTimeoutSeconds"),
        ("healthy_threshold", "HealthyThresholdCount"),
        ("unhealthy_threshold", "UnhealthyThresholdCount"),
    ]);
    let matcher = get("Matcher.HttpCode").or(get("Matcher.GrpcCode"));
    let matcher = matcher.map(|codes| row("matcher", hcl(codes)));
    let check: Vec<(String, String)> = check.into_iter().chain(matcher).collect();
    let _ = write!(text, "\n  health_check {{\n{}  }}\n", aligned(4, &check));
    let tags: Vec<(String, String)> =
        tags.iter().map(|(key, value)| (hcl(key), hcl(value))).collect();
    let _ = write!(text, "\n  tags = {{\n{}  }}\n}}\n", aligned(4, &tags));
    text
}
