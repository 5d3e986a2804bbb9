//! What earlier deployments, other tools and alarms left.

use super::Exam;
use crate::event::{Fact, Ignored, Owner};
use crate::model::arn::number;
use crate::model::revision::Revision;
use crate::plan::named;
use crate::route::Action;

pub(super) fn alarm(exam: &Exam<'_>) -> Vec<Fact> {
    let firing = exam.more.firing.iter();
    firing
        .map(|alarm| Fact::AlarmFiring { alarm: alarm.clone(), service: exam.service() })
        .collect()
}

/// What a deployment of ours wrote for itself and could not take out: a pause would stop the next one.
pub(super) fn settings_left(exam: &Exam<'_>) -> Vec<Fact> {
    let Some((record, Action::Configure { configuration: without, .. })) =
        exam.survey.settings_left()
    else {
        return vec![];
    };
    let (service, deployment) = (exam.service(), record.name().to_owned());
    vec![Fact::SettingsLeft { service, deployment, without }]
}

/// The next `terraform apply`, or `--from latest`, deploys what nobody deployed yet.
pub(super) fn newer_revision(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(live) = exam.revision else { return vec![] };
    let newest = exam.survey.newest.iter().filter_map(|arn| exam.survey.revisions.get(arn));
    // What a deployment of ours left behind is a failed one.
    let is_ours = |one: &Revision| one.tags.keys().any(|key| key.starts_with("ecs-bg:"));
    let newer = newest.filter(|one| {
        one.family() == live.family() && one.active && number(&one.arn) > number(&live.arn)
    });
    match newer.filter(|one| !is_ours(one)).max_by_key(|one| number(&one.arn)) {
        None => vec![],
        Some(newer) => vec![Fact::NewerRevision {
            service: exam.service(),
            newer: newer.name.clone(),
            live: live.name.clone(),
            by: named::definition(newer)["registeredBy"].as_str().map(str::to_owned),
        }],
    }
}

/// CloudFormation tags what it makes (User Guide, "Resource tags"); others do it by habit.
pub(super) fn owner(exam: &Exam<'_>) -> Vec<Fact> {
    let tags = &exam.live.tags;
    let found = tags.iter().find_map(|(key, value)| {
        let owner = match key.as_str() {
            "aws:cloudformation:stack-name"
                if tags.keys().any(|key| key.starts_with("aws-cdk")) =>
            {
                Owner::Cdk
            }
            "aws:cloudformation:stack-name" => Owner::CloudFormation,
            _ if says(key, value, "terraform") || says(key, value, "opentofu") => Owner::Terraform,
            _ if says(key, value, "cdk") => Owner::Cdk,
            _ => return None,
        };
        Some((owner, format!("{key}={value}")))
    });
    let fact = |(owner, tag)| Fact::OwnedBy {
        service: exam.service(),
        owner,
        tag,
        ignore_changes: if owner == Owner::Terraform { left_alone(exam) } else { vec![] },
    };
    found.into_iter().map(fact).collect()
}

/// Parts of the keys of tags that say who made something.
const MADE_BY: [&str; 9] =
    ["manag", "creat", "provision", "built", "deploy", "iac", "tool", "source", "owner"];

/// Habits: `ManagedBy = terraform`, `terraform = true`, `created-by = Terraform 1.11`.
fn says(key: &str, value: &str, tool: &str) -> bool {
    let (key, value) = (key.to_ascii_lowercase(), value.to_ascii_lowercase());
    if key.starts_with("aws:") || matches!(value.as_str(), "false" | "no" | "0") {
        return false;
    }
    let is_made_by = MADE_BY.iter().any(|part| key.contains(part));
    key.contains(tool) || value == tool || (is_made_by && value.contains(tool))
}

/// What a deployment changes and the next apply would put back: the lines of docs/terraform.md for this service.
fn left_alone(exam: &Exam<'_>) -> Vec<Ignored> {
    let Exam { request, survey, .. } = *exam;
    let is_pair = exam.engine.twin.is_some();
    let scaled = survey.scalable(&exam.live.name).is_some();
    let sets_strategy = request.strategy.is_some()
        || request.bake.is_some()
        || !request.pauses.is_empty()
        || !request.gates.named().is_empty();
    let scale = &request.scale;
    let ecs_shifts = exam.engine.second_set && !is_pair;
    let of_rules = |is_default: bool| {
        let shifts = exam.engine.second_set;
        shifts && survey.world.rules.values().any(|rule| rule.is_default == is_default)
    };
    let all: [(&'static str, &[(&'static str, bool)]); 4] = [
        (
            "aws_ecs_service",
            &[
                ("task_definition", true),
                ("desired_count", scaled || is_pair || scale.count.is_some()),
                ("deployment_minimum_healthy_percent", scale.min_healthy.is_some()),
                ("deployment_maximum_percent", scale.max_percent.is_some()),
                ("deployment_configuration", ecs_shifts && sets_strategy),
            ],
        ),
        ("aws_lb_listener_rule", &[("action", of_rules(false))]),
        ("aws_lb_listener", &[("default_action", of_rules(true))]),
        (
            "aws_appautoscaling_target",
            &[
                ("min_capacity", scaled && is_pair),
                ("max_capacity", scaled && is_pair),
                ("suspended_state", scaled && is_pair),
            ],
        ),
    ];
    let ignored = all.map(|(resource, attributes)| {
        let attributes = attributes.iter().filter(|(_, is_changed)| *is_changed);
        Ignored { resource, attributes: attributes.map(|(name, _)| *name).collect() }
    });
    ignored.into_iter().filter(|one| !one.attributes.is_empty()).collect()
}

/// The circuit breaker rolls back to the last completed deployment (Developer Guide, "How the Amazon ECS
/// deployment circuit breaker detects failures").
pub(super) fn never_completed(exam: &Exam<'_>) -> Vec<Fact> {
    let completed =
        exam.live.deployments.iter().any(|one| one.rollout.as_deref() == Some("COMPLETED"));
    match exam.live.ecs_rolls_back && !completed && !exam.live.deployments.is_empty() {
        true => vec![Fact::NeverCompleted { service: exam.service() }],
        false => vec![],
    }
}
