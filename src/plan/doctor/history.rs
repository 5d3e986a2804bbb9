//! What earlier deployments, other tools and alarms left.

use super::Exam;
use crate::event::Fact;
use crate::event::Owner;
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
    let says = |(key, value): &(&String, &String), tool: &str| {
        let (key, value) = (key.to_ascii_lowercase(), value.to_ascii_lowercase());
        // A habit: `ManagedBy = terraform`, `terraform = true`.
        key.contains(tool) || (value.contains(tool) && !key.starts_with("aws:"))
    };
    let found = tags.iter().find_map(|tag| {
        let owner = match tag.0.as_str() {
            "aws:cloudformation:stack-name"
                if tags.keys().any(|key| key.starts_with("aws-cdk")) =>
            {
                Owner::Cdk
            }
            "aws:cloudformation:stack-name" => Owner::CloudFormation,
            _ if says(&tag, "terraform") || says(&tag, "opentofu") => Owner::Terraform,
            _ if says(&tag, "cdk") => Owner::Cdk,
            _ => return None,
        };
        Some((owner, format!("{}={}", tag.0, tag.1)))
    });
    let fact = |(owner, tag)| Fact::OwnedBy { service: exam.service(), owner, tag };
    found.into_iter().map(fact).collect()
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
