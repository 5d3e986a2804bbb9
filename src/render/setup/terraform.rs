//! As Terraform (provider hashicorp/aws).

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::cli::{nested, option};
use crate::model::world::Service;
use crate::plan::setup::{
    NEW_GROUP, NEW_RULE, Seen, Step, named_arn, production, service, test_arn,
};
use crate::request::setup::Setup;

/// A text in HCL.
pub(super) fn hcl(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace("${", "$${").replace("%{", "%%{"))
}

/// A comment beside `ignore_changes` of a resource that Terraform has already.
pub(super) const LATER: &str =
    "Apply it without these lines first: with them Terraform leaves out the second group, too.";

/// A name that Terraform takes for a resource.
pub(super) fn label(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let label: String =
        text.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    // It begins with no digit.
    if label.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{label}")
    } else {
        label
    }
}

/// Lines `name = value`, as `terraform fmt` aligns them.
pub(super) fn aligned(indent: usize, rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let row = |(key, value): &(String, String)| format!("{:indent$}{key:<width$} = {value}\n", "");
    rows.iter().map(row).collect()
}

pub(super) fn row(key: &str, value: impl Into<String>) -> (String, String) {
    (key.to_owned(), value.into())
}

pub(super) fn terraform(asked: &Setup, seen: &Seen, steps: &[Step]) -> String {
    let Some(own) = service(seen) else { return String::new() };
    let (name, label_of) = (&own.name, label(&own.name));
    let mut text = String::from(
        "# Needs hashicorp/aws 6.4 or newer. Apply it in two steps: first all but deployment_configuration; when\n\
         # ECS has replaced the tasks, deployment_configuration.\n",
    );
    let creates = steps.iter().any(|step| matches!(step, Step::CreateRole { .. }));
    for step in steps {
        text.push_str(&role_block(step, creates));
    }
    let (group, second) = group_of(seen, steps);
    text.push_str(&group);
    // ECS refuses a rule that lacks one of the groups, and a role that may not change it.
    let mut needs = vec![];
    if let (Ok(rule), Some(first)) = (production(asked, seen), &seen.first) {
        if let Some(Step::CreateRule { rule, listener, parameters, tags, .. }) =
            steps.iter().find(|step| matches!(step, Step::CreateRule { .. }))
        {
            let resource = format!("{label_of}_test");
            text.push_str(&test_rule_block(&resource, (rule, listener), parameters, tags));
        }
        let kind = if rule.is_default { "aws_lb_listener" } else { "aws_lb_listener_rule" };
        let action = if rule.is_default { "default_action" } else { "action" };
        needs.push(format!("{kind}.{}", label(&rule.name)));
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
            "    }}\n  }}\n\n  # {LATER}\n  lifecycle {{\n    ignore_changes = [{action}]\n  }}\n}}\n"
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
            let known = attachment.advanced.as_ref().and_then(|known| known.test.as_deref());
            let known_arn = own.settings.get("loadBalancers");
            let known_arn =
                known_arn.and_then(|all| all[0]["advancedConfiguration"]["roleArn"].as_str());
            let role = match (&asked.create_role, &seen.role) {
                _ if known_arn.is_some() => hcl(known_arn.unwrap_or_default()),
                (Some(name), None) => format!("aws_iam_role.{}.arn", label(name)),
                (_, own) => {
                    let own = own.as_ref().map(|own| own.arn.as_str());
                    hcl(asked.role.as_deref().or(own).unwrap_or_default())
                }
            };
            let mut rows = vec![
                row("alternate_target_group_arn", second),
                row("production_listener_rule", hcl(named_arn(rule))),
            ];
            let value = |test: &str| match test == NEW_RULE {
                true => format!("aws_lb_listener_rule.{label_of}_test.arn"),
                false => hcl(test),
            };
            let test = known.or_else(|| test_arn(asked, seen));
            rows.extend(test.map(|test| row("test_listener_rule", value(test))));
            rows.push(row("role_arn", role));
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
    let attached = steps.iter().find_map(|step| match step {
        Step::AttachPolicy { role, .. } => Some(label(role)),
        _ => None,
    });
    needs.extend(attached.map(|role| format!("aws_iam_role_policy_attachment.{role}")));
    if !needs.is_empty() {
        let _ = write!(text, "\n  depends_on = [{}]\n", needs.join(", "));
    }
    let is_scaled = seen.survey.scalable(name).is_some();
    let more = if is_scaled { ", desired_count" } else { "" };
    let _ =
        write!(text, "\n  lifecycle {{\n    ignore_changes = [task_definition{more}]\n  }}\n}}");
    text
}

/// The second group where it is new, and how to name its ARN.
pub(super) fn group_of(seen: &Seen, steps: &[Step]) -> (String, String) {
    match steps.iter().find(|step| matches!(step, Step::Create { .. })) {
        Some(Step::Create { group, parameters, tags, .. }) => {
            let attributes = steps.iter().find_map(|step| match step {
                Step::Attributes { attributes, .. } => Some(attributes),
                _ => None,
            });
            let block = group_block(group, parameters, attributes, tags);
            (block, format!("aws_lb_target_group.{}.arn", label(group)))
        }
        _ => {
            let arn = seen.second.as_ref().map_or(NEW_GROUP, |group| &group.arn);
            (String::new(), hcl(arn))
        }
    }
}

/// The role by which ECS changes rules, and its policy.
fn role_block(step: &Step, creates: bool) -> String {
    match step {
        Step::CreateRole { role, .. } => {
            let statement = [
                row("Effect", hcl("Allow")),
                row("Principal", r#"{ Service = "ecs.amazonaws.com" }"#),
                row("Action", hcl("sts:AssumeRole")),
            ];
            format!(
                "\nresource \"aws_iam_role\" {} {{\n  name = {}\n\n  assume_role_policy = jsonencode({{\n    Version = \"2012-10-17\"\n    \
                 Statement = [{{\n{}    }}]\n  }})\n}}\n",
                hcl(&label(role)),
                hcl(role),
                aligned(6, &statement)
            )
        }
        Step::AttachPolicy { role, policy } => {
            let name = match creates {
                true => format!("aws_iam_role.{}.name", label(role)),
                false => hcl(role),
            };
            let rows = [row("role", name), row("policy_arn", hcl(policy))];
            format!(
                "\nresource \"aws_iam_role_policy_attachment\" {} {{\n{}}}\n",
                hcl(&label(role)),
                aligned(2, &rows)
            )
        }
        _ => String::new(),
    }
}

/// The rule for test traffic.
fn test_rule_block(
    resource: &str,
    (name, listener): (&str, &str),
    parameters: &[(String, String)],
    tags: &BTreeMap<String, String>,
) -> String {
    let all = nested(parameters);
    let text_of = |value: &Value| hcl(value.as_str().unwrap_or_default());
    let priority = all["Priority"].as_str().unwrap_or_default();
    let head = [row("listener_arn", hcl(listener)), row("priority", priority)];
    let mut text = format!(
        "\n# Rule {name}, for test traffic. ECS changes its weights with each deployment.\n\
         resource \"aws_lb_listener_rule\" {} {{\n{}",
        hcl(resource),
        aligned(2, &head)
    );
    let group = row("target_group_arn", text_of(&all["Actions"][0]["TargetGroupArn"]));
    let action = aligned(4, &[row("type", hcl("forward")), group]);
    let _ = write!(text, "\n  action {{\n{action}  }}\n");
    let list = |values: &Value| {
        let own = values.as_array().into_iter().flatten().map(text_of);
        format!("[{}]", own.collect::<Vec<_>>().join(", "))
    };
    for one in all["Conditions"].as_array().into_iter().flatten() {
        let block = one["Field"].as_str().unwrap_or_default().replace('-', "_");
        let of_config =
            |(key, config): (&String, &Value)| key.ends_with("Config").then(|| config.clone());
        let config = one.as_object().into_iter().flatten().find_map(of_config);
        let config = config.unwrap_or_else(|| one.clone());
        // A query string has one block for each of its pairs.
        let blocks: Vec<Vec<(String, String)>> = if block == "query_string" {
            let pair = |one: &Value| {
                let own = [("key", "Key"), ("value", "Value")];
                let own = own.map(|(key, member)| Some(row(key, hcl(one.get(member)?.as_str()?))));
                own.into_iter().flatten().collect()
            };
            config["Values"].as_array().into_iter().flatten().map(pair).collect()
        } else {
            let name =
                config.get("HttpHeaderName").map(|own| row("http_header_name", text_of(own)));
            let values = config.get("Values").map(|own| row("values", list(own)));
            let regex = config.get("RegexValues").map(|own| row("regex_values", list(own)));
            vec![[name, values, regex].into_iter().flatten().collect()]
        };
        text.push_str("\n  condition {\n");
        let blocks =
            blocks.iter().map(|rows| format!("    {block} {{\n{}    }}\n", aligned(6, rows)));
        let _ = writeln!(text, "{}  }}", blocks.collect::<Vec<_>>().join("\n"));
    }
    if all.get("Transforms").is_some() {
        text.push_str("\n  # also: the transform blocks of the production rule\n");
    }
    let tags: Vec<(String, String)> =
        tags.iter().map(|(key, value)| (hcl(key), hcl(value))).collect();
    let _ = write!(
        text,
        "\n  tags = {{\n{}  }}\n\n  lifecycle {{\n    ignore_changes = [action]\n  }}\n}}\n",
        aligned(4, &tags)
    );
    text
}

fn configuration_block(own: &Service, steps: &[Step]) -> String {
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
        (
            "canaryConfiguration",
            "canary_configuration",
            ["canaryPercent", "canaryBakeTimeInMinutes"],
        ),
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

pub(super) fn snake(text: &str) -> String {
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
