//! Auto scaling.

use super::Exam;
use crate::event::Fact;
use crate::model::arn::name;
use crate::model::scaling::Policy;

pub(super) fn outside_limits(exam: &Exam<'_>) -> Vec<Fact> {
    let service = exam.service();
    let desired = exam.request.scale.count.unwrap_or(exam.live.desired);
    let cluster = exam.survey.cluster_name().to_owned();
    match exam.survey.scalable(&service) {
        Some(one) if desired < one.min || desired > one.max => {
            vec![Fact::OutsideLimits { service, cluster, desired, min: one.min, max: one.max }]
        }
        _ => vec![],
    }
}

/// A policy counts the requests of one target group, whichever the service has (Application Auto Scaling API
/// reference, PredefinedMetricSpecification).
pub(super) fn scaling_label(exam: &Exam<'_>) -> Vec<Fact> {
    let own: Vec<&String> = exam.live.groups().collect();
    let is_own = |label: &str| {
        own.iter().any(|arn| arn.rsplit(':').next().is_some_and(|group| label.ends_with(group)))
    };
    let wrong = exam.more.policies.iter().filter_map(|policy| {
        let label = policy.label()?;
        let is_swapped = exam.live.is_advanced() && is_own(label);
        (is_swapped || !is_own(label)).then(|| Fact::ScalingLabel {
            service: exam.service(),
            cluster: exam.survey.cluster_name().to_owned(),
            policy: policy.name.clone(),
            group: name(label).to_owned(),
            is_swapped,
        })
    });
    wrong.collect()
}

pub(super) fn forecast(exam: &Exam<'_>) -> Vec<Fact> {
    // The plan of a pair warns of it, too.
    let is_pair = exam.survey.twin.is_some();
    let policies = exam.more.policies.iter();
    let forecasts = policies.filter(|one| one.kind == "PredictiveScaling" && !is_pair);
    let fact = |one: &Policy| Fact::Forecast { service: exam.service(), policy: one.name.clone() };
    forecasts.map(fact).collect()
}

pub(super) fn suspended(exam: &Exam<'_>) -> Vec<Fact> {
    let (service, cluster) = (exam.service(), exam.survey.cluster_name().to_owned());
    let is_suspended = exam.survey.scalable(&service).is_some_and(|one| one.suspended.any());
    match is_suspended {
        true => vec![Fact::ScalingSuspended { service, cluster }],
        false => vec![],
    }
}
