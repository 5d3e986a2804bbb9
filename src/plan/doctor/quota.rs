//! Quotas of Elastic Load Balancing and of AWS Fargate that would be exceeded.

use super::Exam;
use crate::event::Fact;
use crate::event::Quota;
use crate::model::arn;
use crate::model::definition::vcpus;
use crate::model::world::Group;
use crate::model::world::Service;
use crate::plan::Survey;
use crate::plan::quota;
use serde_json::Value;
use std::collections::BTreeMap;

/// Old and new tasks are targets at the same time: of one group or of two, behind the same load balancer.
pub(super) fn quota_of_targets(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(quotas) = &exam.more.quotas else { return vec![] };
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let desired = size(u64::from(exam.live.desired));
    let more = match exam.engine.second_set {
        true => desired,
        false => (desired * size(u64::from(exam.live.max_percent)) / 100).saturating_sub(desired),
    };
    let targets = |group: &Group| exam.survey.world.health.get(&group.arn).map_or(0, Vec::len);
    let mut exceeded: Vec<Quota> = Vec::new();
    let mut of_balancers: BTreeMap<&str, usize> = BTreeMap::new();
    // Those of a pair's other service, too.
    for group in exam.survey.world.groups.values() {
        let used = targets(group);
        // A second set has a group of its own.
        if !exam.engine.second_set || used == 0 {
            exceeded.extend(quota::exceeded(quotas, quota::TARGETS, &group.name, used, more));
        }
        for balancer in &group.load_balancers {
            *of_balancers.entry(balancer).or_default() += used;
        }
    }
    for (balancer, used) in of_balancers {
        let name = match quota::is_application(balancer) {
            true => quota::TARGETS_OF_ALB,
            false => quota::TARGETS_OF_NLB,
        };
        exceeded.extend(quota::exceeded(quotas, name, arn::name(balancer), used, more));
    }
    exceeded.into_iter().map(Fact::Quota).collect()
}

/// What AWS Fargate runs of the account, and what runs beside the old tasks.
pub(super) fn quota_of_vcpus(exam: &Exam<'_>) -> Vec<Fact> {
    let (Some(vcpus), Some(each)) = (exam.more.vcpus, vcpus(&exam.definition)) else {
        return vec![];
    };
    let tasks = u32::try_from(exam.beside()).unwrap_or(u32::MAX);
    let more = f64::from(tasks) * each;
    match more > 0.0 && vcpus.used + more > vcpus.max {
        true => vec![Fact::Vcpus {
            region: exam.region().to_owned(),
            quota: vcpus.of.code(),
            used_vcpus: vcpus.used,
            more_vcpus: more,
            max_vcpus: vcpus.max,
        }],
        false => vec![],
    }
}

/// Where the tasks of a service take so small a part of a quota, room is assumed: other services would have to take
/// all the rest.
const SMALL_PART: f64 = 0.01;

/// Whether what runs is worth a call: what a second set of tasks takes is not a small part of the quota.
pub fn usage_matters(live: &Service, definition: &Value, max: f64) -> bool {
    f64::from(live.desired) * vcpus(definition).unwrap_or(0.0) > max * SMALL_PART
}

/// So few targets are far below every quota of them: AWS allows 1,000 and more (Application Load Balancers User
/// Guide, "Quotas").
const FEW_TARGETS: u32 = 100;

/// Whether quotas are worth a call.
pub fn quotas_matter(survey: &Survey, service: &Service) -> bool {
    let is_behind_one = service.groups().any(|arn| survey.world.groups.contains_key(arn));
    let many = service.desired.saturating_mul(2) > FEW_TARGETS;
    is_behind_one && (many || may_be_set_up(survey, service))
}

/// Whether `ecs-bg setup` could make something for it.
pub fn may_be_set_up(survey: &Survey, service: &Service) -> bool {
    survey.twin.is_none() && !service.is_advanced() && service.attachments.len() == 1
}

pub(super) fn quota_of_setup(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(quotas) = exam.more.quotas.as_ref().filter(|_| may_be_set_up(exam.survey, exam.live))
    else {
        return vec![];
    };
    let region = exam.region();
    let mut exceeded: Vec<Quota> = Vec::new();
    for balancer in exam.groups().flat_map(|group| &group.load_balancers) {
        exceeded.extend(quota::for_group(quotas, region, balancer));
        let rules = exam.survey.rule_counts.get(balancer);
        exceeded.extend(rules.and_then(|used| quota::for_rule(quotas, balancer, *used)));
    }
    exceeded.into_iter().map(Fact::SetupQuota).collect()
}
