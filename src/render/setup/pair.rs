//! A pair for the engine `listener`, as Terraform (provider hashicorp/aws).

use std::fmt::Write;

use serde_json::Value;

use super::cli::nested;
use super::terraform::{LATER, aligned, group_of, hcl, label, row, snake};
use crate::model::world::{Rule, Service};
use crate::plan::setup::{NEW_SUFFIX, PairStep, Seen, Step, TWIN_TAG, service, shared_rules};

/// An HCL block: attributes first, then blocks, with an empty line between them.
#[derive(Default)]
struct Block {
    head: String,
    rows: Vec<(String, String)>,
    blocks: Vec<Block>,
}

impl Block {
    fn new(head: impl Into<String>) -> Self {
        Self { head: head.into(), ..Self::default() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.rows.push(row(key, value));
        self
    }

    fn write(&self, indent: usize, text: &mut String) {
        let _ = writeln!(text, "{:indent$}{} {{", "", self.head);
        text.push_str(&aligned(indent + 2, &self.rows));
        for (at, block) in self.blocks.iter().enumerate() {
            if at > 0 || !self.rows.is_empty() {
                text.push('\n');
            }
            block.write(indent + 2, text);
        }
        let _ = writeln!(text, "{:indent$}}}", "");
    }

    fn text(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    /// Members of JSON: what has members becomes a block, and lists of such become several.
    fn fill(mut self, members: &Value) -> Self {
        for (member, value) in members.as_object().into_iter().flatten() {
            let name = snake(member);
            match value {
                Value::Object(_) => self.blocks.push(Self::new(name).fill(value)),
                Value::Array(list) if list.iter().all(Value::is_object) => {
                    // The provider says it in the singular.
                    let name = if name == "step_adjustments" { "step_adjustment" } else { &name };
                    self.blocks.extend(list.iter().map(|one| Self::new(name).fill(one)));
                }
                Value::Null => {}
                other => self.rows.push((name, literal(member, other))),
            }
        }
        self
    }
}

/// A value in HCL, with what is new as a reference.
fn literal(member: &str, value: &Value) -> String {
    match value {
        Value::String(text) => hcl(text),
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(|one| literal(member, one)).collect();
            format!("[{}]", list.join(", "))
        }
        // The provider takes the bounds of a step as text.
        Value::Number(number) if member.starts_with("MetricInterval") => hcl(&number.to_string()),
        Value::Number(number) => match number.as_f64().filter(|own| own.fract() == 0.0) {
            Some(whole) => format!("{whole:.0}"),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}

pub(super) fn terraform_of_pair(seen: &Seen, steps: &[Step]) -> String {
    let Some(own) = service(seen) else { return String::new() };
    if steps.is_empty() {
        return "# nothing to do".to_owned();
    }
    let mut text = String::from(
        "# Needs hashicorp/aws 5.77 or newer. ecs-bg changes the task definition, the desired count and the weights with \
         each\n# deployment, and the limits of auto scaling: the ignore_changes are for that.\n",
    );
    let (group, second) = group_of(seen, steps);
    text.push_str(&group);
    let first = seen.first.as_ref().map_or("", |first| &first.arn);
    let suffix = match second.strip_suffix(".arn") {
        Some(resource) => format!("${{{resource}.arn_suffix}}"),
        None => second.trim_matches('"').rsplit(':').next().unwrap_or_default().to_owned(),
    };
    let rules: Vec<&Rule> = shared_rules(seen).collect();
    for rule in &rules {
        let actions = steps.iter().find_map(|step| match step {
            Step::Attach { rule: other, actions } if other.arn == rule.arn => Some(actions),
            _ => None,
        });
        if let Some(actions) = actions {
            let _ = write!(text, "\n{}", rule_block(rule, actions, (first, &second)));
        }
    }
    for step in steps {
        let Step::Pair(step) = step else { continue };
        text.push('\n');
        text.push_str(&match step {
            PairStep::Create { twin, members } => twin_block(twin, members, &second, &rules),
            PairStep::Scale { twin, like } => {
                let mut block = target_block(twin, own)
                    .with("min_capacity", "0")
                    .with("max_capacity", like.max.to_string());
                let mut suspended = Block::new("suspended_state");
                for what in
                    ["dynamic_scaling_in", "dynamic_scaling_out", "scheduled_scaling"]
                {
                    suspended = suspended.with(&format!("{what}_suspended"), "true");
                }
                let lifecycle = ignoring(&LIMITS);
                block.blocks = vec![suspended, lifecycle];
                let mut first = Block::new(format!(
                    "resource \"aws_appautoscaling_target\" {}",
                    hcl(&label(&own.name))
                ));
                first.blocks = vec![ignoring(&LIMITS)];
                format!(
                    "{}\n# In your aws_appautoscaling_target of {}.\n{}",
                    block.text(),
                    own.name,
                    unfinished(&first)
                )
            }
            PairStep::Policy { twin, policy } => {
                let resource = format!("aws_appautoscaling_target.{}", label(twin));
                let head = format!(
                    "resource \"aws_appautoscaling_policy\" {}",
                    hcl(&label(&format!("{twin}_{}", policy.name)))
                );
                let mut block = Block::new(head)
                    .with("name", hcl(&policy.name))
                    .with("policy_type", hcl(&policy.kind));
                for member in ["service_namespace", "resource_id", "scalable_dimension"] {
                    block = block.with(member, format!("{resource}.{member}"));
                }
                let configuration = format!("{}_policy_configuration", snake(&policy.kind));
                block.blocks.push(Block::new(configuration).fill(&policy.configuration));
                let note = match policy.kind.as_str() {
                    "StepScaling" => {
                        "# Its alarms, too, are to be made: an alarm for the twin that has this policy as its action.\n"
                    }
                    _ => "",
                };
                format!("{note}{}", block.text().replace(NEW_SUFFIX, &suffix))
            }
            PairStep::Tag { twin, .. } => {
                let mut block =
                    Block::new(format!("resource \"aws_ecs_service\" {}", hcl(&label(&own.name))));
                block.rows.push(row("tags", tags(&[(TWIN_TAG, twin)])));
                block.blocks.push(ignoring(&COUNTS));
                format!("# In your aws_ecs_service of {}.\n{}", own.name, unfinished(&block))
            }
        });
    }
    text.trim_end().to_owned()
}

const COUNTS: [&str; 2] = ["task_definition", "desired_count"];
const LIMITS: [&str; 3] = ["min_capacity", "max_capacity", "suspended_state"];

fn ignoring(attributes: &[&str]) -> Block {
    Block::new("lifecycle").with("ignore_changes", format!("[{}]", attributes.join(", ")))
}

/// A block of which the user has the rest.
fn unfinished(block: &Block) -> String {
    block.text().replacen("{\n", "{\n  # …\n", 1)
}

/// A map of tags, in which no other attribute is aligned.
fn tags(all: &[(&str, &str)]) -> String {
    let rows: Vec<(String, String)> =
        all.iter().map(|(key, value)| (hcl(key), hcl(value))).collect();
    format!("{{\n{}  }}", aligned(4, &rows))
}

/// The resource of a rule, as we name it.
fn resource(rule: &Rule) -> (&'static str, String) {
    let kind = if rule.is_default { "aws_lb_listener" } else { "aws_lb_listener_rule" };
    (kind, label(&rule.name))
}

fn rule_block(rule: &Rule, actions: &[(String, String)], groups: (&str, &str)) -> String {
    let (first, second) = groups;
    let (kind, name) = resource(rule);
    let member = if rule.is_default { "default_action" } else { "action" };
    let mut block = Block::new(format!("resource \"{kind}\" {}", hcl(&name)));
    let list = nested(actions).as_array().cloned().unwrap_or_default();
    for one in &list {
        if one["Type"] != "forward" {
            continue;
        }
        let mut forward = Block::new("forward");
        for one in one["ForwardConfig"]["TargetGroups"].as_array().into_iter().flatten() {
            let arn = one["TargetGroupArn"].as_str().unwrap_or_default();
            let arn = if arn == first { hcl(arn) } else { second.to_owned() };
            let group = Block::new("target_group")
                .with("arn", arn)
                .with("weight", one["Weight"].to_string());
            forward.blocks.push(group);
        }
        let mut action = Block::new(member).with("type", hcl("forward"));
        if list.len() > 1
            && let Some(order) = one["Order"].as_i64()
        {
            action = action.with("order", order.to_string());
        }
        action.blocks.push(forward);
        block.blocks.push(action);
    }
    block.blocks.push(ignoring(&[member]));
    format!(
        "# In your {kind} of {}. ecs-bg changes the weights with each deployment.\n{}",
        rule.name,
        unfinished(&block).replacen("  lifecycle {", &format!("  # {LATER}\n  lifecycle {{"), 1)
    )
}

fn target_block(twin: &str, own: &Service) -> Block {
    let cluster = own.arn.rsplit('/').nth(1).unwrap_or_default();
    let name = label(twin);
    Block::new(format!("resource \"aws_appautoscaling_target\" {}", hcl(&name)))
        .with("service_namespace", hcl("ecs"))
        .with("resource_id", format!("\"service/{cluster}/${{aws_ecs_service.{name}.name}}\""))
        .with("scalable_dimension", hcl("ecs:service:DesiredCount"))
}

/// The twin, with every member that the service has.
fn twin_block(twin: &str, members: &Value, second: &str, rules: &[&Rule]) -> String {
    let mut block = Block::new(format!("resource \"aws_ecs_service\" {}", hcl(&label(twin))));
    let rows = [
        ("name", "serviceName"),
        ("cluster", "cluster"),
        ("task_definition", "taskDefinition"),
        ("desired_count", "desiredCount"),
        ("launch_type", "launchType"),
        ("platform_version", "platformVersion"),
        ("iam_role", "role"),
        ("scheduling_strategy", "schedulingStrategy"),
        ("health_check_grace_period_seconds", "healthCheckGracePeriodSeconds"),
        ("enable_execute_command", "enableExecuteCommand"),
        ("enable_ecs_managed_tags", "enableECSManagedTags"),
        ("availability_zone_rebalancing", "availabilityZoneRebalancing"),
    ];
    for (name, member) in rows {
        if let Some(value) = members.get(member) {
            block = block.with(name, literal(member, value));
        }
    }
    // The provider has no word for NONE.
    if let Some(from) = members["propagateTags"].as_str().filter(|from| *from != "NONE") {
        block = block.with("propagate_tags", hcl(from));
    }
    let configuration = &members["deploymentConfiguration"];
    for (name, member) in [
        ("deployment_minimum_healthy_percent", "minimumHealthyPercent"),
        ("deployment_maximum_percent", "maximumPercent"),
    ] {
        if let Some(value) = configuration.get(member) {
            block = block.with(name, value.to_string());
        }
    }
    let breaker = &configuration["deploymentCircuitBreaker"];
    if breaker["enable"].is_boolean() {
        let own = ["enable", "rollback"]
            .into_iter()
            .fold(Block::new("deployment_circuit_breaker"), |block, member| {
                block.with(member, breaker[member].to_string())
            });
        block.blocks.push(own);
    }
    let alarms = &configuration["alarms"];
    if alarms["alarmNames"].as_array().is_some_and(|names| !names.is_empty()) {
        block.blocks.push(Block::new("alarms").fill(alarms));
    }
    for one in members["capacityProviderStrategy"].as_array().into_iter().flatten() {
        block.blocks.push(Block::new("capacity_provider_strategy").fill(one));
    }
    for one in members["loadBalancers"].as_array().into_iter().flatten() {
        let balancer = Block::new("load_balancer")
            .with("target_group_arn", second)
            .with("container_name", literal("containerName", &one["containerName"]))
            .with("container_port", one["containerPort"].to_string());
        block.blocks.push(balancer);
    }
    let network = &members["networkConfiguration"]["awsvpcConfiguration"];
    if network.is_object() {
        let mut own = Block::new("network_configuration");
        for (name, member) in [("subnets", "subnets"), ("security_groups", "securityGroups")] {
            if let Some(value) = network.get(member) {
                own = own.with(name, literal(member, value));
            }
        }
        let is_public = network["assignPublicIp"] == "ENABLED";
        block.blocks.push(own.with("assign_public_ip", is_public.to_string()));
    }
    for (name, member) in [
        ("ordered_placement_strategy", "placementStrategy"),
        ("placement_constraints", "placementConstraints"),
    ] {
        for one in members[member].as_array().into_iter().flatten() {
            block.blocks.push(Block::new(name).fill(one));
        }
    }
    block.blocks.push(ignoring(&COUNTS));
    let mut text = block.text();
    // Maps and long lists are paragraphs of their own.
    text.truncate(text.len() - "}\n".len());
    let list = members["tags"].as_array().into_iter().flatten();
    let own: Vec<(&str, &str)> =
        list.filter_map(|tag| Some((tag["key"].as_str()?, tag["value"].as_str()?))).collect();
    let _ = write!(text, "\n  tags = {}\n", tags(&own));
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| resource(rule))
        .map(|(kind, name)| format!("{kind}.{name}"))
        .collect();
    let _ = write!(
        text,
        "\n  # ECS refuses a service whose target group is in no rule.\n  depends_on = [{}]\n}}\n",
        rules.join(", ")
    );
    if members.get("volumeConfigurations").is_some() {
        text.push_str("# also: the volume_configuration blocks of your service\n");
    }
    text
}
