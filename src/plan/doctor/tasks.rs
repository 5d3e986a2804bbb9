//! How many tasks run, and where they would.

use super::Exam;
use crate::event::{Fact, Lack};
use crate::model::quota::Fargate;
use crate::model::world::{Room, Service};
use crate::plan::checks::service::setting_at;
use crate::plan::named::fargate;
use serde_json::Value;

pub(super) fn short_of_tasks(exam: &Exam<'_>) -> Vec<Fact> {
    let Service { running, desired, .. } = *exam.live;
    match running < desired {
        true => vec![Fact::ShortOfTasks { service: exam.service(), running, desired }],
        false => vec![],
    }
}

/// What runs beside the old tasks: what `maximumPercent` allows, or a second set.
pub(super) fn room(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(left) = &exam.more.left else { return vec![] };
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let sum = |of: &dyn Fn(&Value) -> Option<u64>| -> u64 {
        let own = exam.containers().filter_map(|(_, one)| of(one)).sum();
        of(&exam.definition).unwrap_or(own)
    };
    let cpu = sum(&|one| number(&one["cpu"]));
    // A container takes what it reserves, or else all that it may use (API reference of ContainerDefinition).
    let memory = sum(&|one| number(&one["memoryReservation"]).or_else(|| number(&one["memory"])));
    let times = |left: u64, of: u64| left.checked_div(of).unwrap_or(u64::MAX);
    let interface = u64::from(exam.network_mode() == "awsvpc");
    let fit = |one: &Room| {
        [
            (times(one.cpu, cpu), Lack::Cpu),
            (times(one.memory, memory), Lack::Memory),
            (times(one.interfaces.unwrap_or(u64::MAX), interface), Lack::Interfaces),
        ]
    };
    let fits = left.iter().map(|one| fit(one).map(|(fit, _)| fit).into_iter().min().unwrap_or(0));
    let fits = fits.fold(0u64, u64::saturating_add);
    let needed = exam.beside();
    if fits >= needed {
        return vec![];
    }
    // What most instances run out of first.
    let first = left.iter().filter_map(|one| fit(one).into_iter().min().map(|(_, lack)| lack));
    let mut first: Vec<Lack> = first.collect();
    first.sort_unstable();
    let lacks = first.chunk_by(|one, next| one == next).max_by_key(|same| same.len());
    let lacks = lacks.and_then(|same| same.first().copied());
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (needed, fit) = (count(needed), count(fits));
    vec![Fact::NoRoom { service: exam.service(), needed, fit, lacks }]
}

/// Each task with a network interface of its own takes an address of its subnet (Developer Guide, "Task
/// networking for Amazon ECS").
pub(super) fn addresses(exam: &Exam<'_>) -> Vec<Fact> {
    let free: Option<u32> = exam.more.subnets.iter().map(|subnet| subnet.free).sum();
    let needed = u32::try_from(exam.beside()).unwrap_or(u32::MAX);
    match free {
        Some(free)
            if exam.network_mode() == "awsvpc"
                && !exam.more.subnets.is_empty()
                && free < needed =>
        {
            let subnets = exam.more.subnets.iter().map(|subnet| subnet.id.clone()).collect();
            vec![Fact::FewAddresses { service: exam.service(), needed, free, subnets }]
        }
        _ => vec![],
    }
}

pub(super) fn downtime(exam: &Exam<'_>) -> Vec<Fact> {
    match !exam.engine.second_set && exam.live.desired > 0 && exam.keeps() == 0 {
        true => less(exam),
        false => vec![],
    }
}

pub(super) fn fewer_while_deploying(exam: &Exam<'_>) -> Vec<Fact> {
    let keeps = exam.keeps();
    let is_less = keeps > 0 && keeps < exam.live.desired;
    match !exam.engine.second_set && is_less && !exam.is_daemon() {
        true => less(exam),
        false => vec![],
    }
}

pub(super) fn less(exam: &Exam<'_>) -> Vec<Fact> {
    vec![Fact::FewerWhileDeploying {
        service: exam.service(),
        keeps: exam.keeps(),
        desired: exam.live.desired,
        min_healthy: exam.live.min_healthy_percent,
    }]
}

pub(super) fn one_task(exam: &Exam<'_>) -> Vec<Fact> {
    match exam.live.desired == 1 && !exam.is_daemon() {
        true => {
            let scaled = exam.survey.scalable(&exam.live.name).map(|one| one.max);
            let max = scaled.filter(|max| *max < 2);
            vec![Fact::OneTask { service: exam.service(), max }]
        }
        false => vec![],
    }
}

pub(super) fn one_subnet(exam: &Exam<'_>) -> Vec<Fact> {
    let path = ["networkConfiguration", "awsvpcConfiguration", "subnets"];
    match setting_at(exam.live, &path).and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => vec![Fact::OneSubnet {
            service: exam.service(),
            subnet: one.as_str().unwrap_or_default().to_owned(),
        }],
        _ => one_zone(exam),
    }
}

fn one_zone(exam: &Exam<'_>) -> Vec<Fact> {
    let [first, others @ ..] = &exam.more.subnets[..] else { return vec![] };
    match !others.is_empty() && others.iter().all(|other| other.zone == first.zone) {
        true => vec![Fact::OneZone { service: exam.service(), zone: first.zone.clone() }],
        false => vec![],
    }
}

pub(super) fn only_spot(exam: &Exam<'_>) -> Vec<Fact> {
    match fargate(exam.live) {
        Some(Fargate::Spot) => vec![Fact::OnlySpot { service: exam.service() }],
        _ => vec![],
    }
}
