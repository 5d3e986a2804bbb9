//! What `ecs-bg doctor` looks at: the checks that a deployment must pass, and what may make the next one
//! fail, slow or surprising. A table; each row says what it found. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::checks::service::{is_daemon, setting_at};
use super::clone::clone_request;
use super::engine::{Engine, engine};
use super::{Decision, Digest, Survey, live, quota, unfinished, wanted};
use crate::call::Call;
use crate::event::{EngineReason, Fact, Finding, Level, Owner, Quota, Refusal, Unchecked, Warning};
use crate::model::arn::{self, name, number, short};
use crate::model::quota::Quotas;
use crate::model::revision::Revision;
use crate::model::scaling::Policy;
use crate::model::world::{Group, Service, Subnet};
use crate::record::End;
use crate::request::EngineName;
use crate::request::Request;
use crate::route::configuration::after_deployment;

/// What doctor reads beside the survey; `None`: that is not allowed, or was not needed.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// Alarms of the service's deployments that are in ALARM.
    pub firing: Vec<String>,
    /// Log groups that are named and not there.
    pub no_log_groups: Vec<String>,
    /// What every instance of the cluster has left: CPU units and MiB.
    pub left: Option<Vec<(u64, u64)>>,
    /// The trust policies of the roles that are named, by role; `None`: there is no such role.
    pub roles: BTreeMap<String, Option<String>>,
    /// `valueFrom`s of secrets and parameters that are not there.
    pub no_secrets: BTreeSet<String>,
    /// The service's subnets.
    pub subnets: Vec<Subnet>,
    /// The zones that each load balancer has enabled, by its ARN.
    pub zones: BTreeMap<String, BTreeSet<String>>,
    /// Images in Amazon ECR and the platforms that they are built for, by container; none: they do not say.
    pub platforms: BTreeMap<String, (String, Vec<String>)>,
    /// The scaling policies of the service.
    pub policies: Vec<Policy>,
    /// Quotas of Elastic Load Balancing.
    pub quotas: Option<Quotas>,
    /// Calls that are not allowed.
    pub denied: Vec<Call>,
}

/// What doctor says.
#[derive(Clone, Debug)]
pub struct Report {
    /// How the service would be deployed; `None`: that cannot be said.
    pub engine: Option<EngineName>,
    /// Why so.
    pub reason: Option<EngineReason>,
    /// All that was found, the worst first.
    pub findings: Vec<Finding>,
    /// Checks that found nothing.
    pub passed: Vec<&'static str>,
}

impl Report {
    /// How many findings there are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// The service that serves, and what it runs.
struct Exam<'a> {
    survey: &'a Survey,
    more: &'a More,
    engine: &'static Engine,
    live: &'a Service,
    revision: Option<&'a Revision>,
    /// The name of the revision that a deployment would clone.
    name: String,
    /// What it would register; null where nothing of it can be read.
    definition: Value,
}

/// Something to look at.
struct Row {
    /// Its name, for programs and for the docs.
    code: &'static str,
    level: Level,
    run: fn(&Exam<'_>) -> Vec<Fact>,
}

const fn row(code: &'static str, level: Level, run: fn(&Exam<'_>) -> Vec<Fact>) -> Row {
    Row { code, level, run }
}

/// Whether a check needs what a call reads that nothing else needs.
fn is_for(call: Call, code: &str) -> bool {
    match call {
        Call::DescribeAlarms => code == "alarm",
        Call::DescribeLogGroups => code == "log-group",
        Call::ListContainerInstances | Call::DescribeContainerInstances => code == "room",
        Call::BatchGetImage => code == "platform",
        Call::GetRole => code == "role",
        Call::DescribeSecret | Call::DescribeParameters => code == "secret",
        Call::DescribeAccountLimits => code.ends_with("quota"),
        Call::DescribeSubnets => matches!(code, "zone" | "addresses" | "one-subnet"),
        Call::DescribeLoadBalancers => code == "zone",
        Call::DescribeScalingPolicies => matches!(code, "scaling-label" | "forecast"),
        Call::DescribeScalableTargets => {
            matches!(code, "auto-scaling" | "scaling-label" | "forecast" | "suspended-scaling")
        }
        Call::DescribeTargetGroups => {
            let of_groups = ["target-type", "zone", "check-port", "redirect", "quota"];
            of_groups.contains(&code) || is_for(Call::DescribeTargetGroupAttributes, code)
        }
        Call::DescribeTargetGroupAttributes => {
            matches!(code, "sticky-group" | "draining" | "slow-draining" | "stop-timeout")
        }
        _ => false,
    }
}

/// Everything that is looked at beside an engine's own checks.
const TABLE: &[Row] = &[
    row("target-type", Level::Error, target_type),
    row("short-of-tasks", Level::Warning, short_of_tasks),
    row("alarm", Level::Warning, alarm),
    row("log-group", Level::Warning, log_group),
    row("room", Level::Warning, room),
    row("platform", Level::Warning, platform),
    row("role", Level::Warning, role),
    row("secret", Level::Warning, secret),
    row("quota", Level::Warning, quota_of_targets),
    row("zone", Level::Warning, zone),
    row("addresses", Level::Warning, addresses),
    row("settings-left", Level::Warning, settings_left),
    row("auto-scaling", Level::Warning, outside_limits),
    row("scaling-label", Level::Warning, scaling_label),
    row("forecast", Level::Warning, forecast),
    row("newer-revision", Level::Warning, newer_revision),
    row("sticky-group", Level::Warning, stickiness),
    row("check-port", Level::Warning, check_port),
    row("draining", Level::Warning, no_drain),
    row("downtime", Level::Warning, downtime),
    row("plain-secret", Level::Warning, plain_secret),
    row("suspended-scaling", Level::Warning, suspended),
    row("owner", Level::Hint, owner),
    row("capacity-while-deploying", Level::Hint, fewer_while_deploying),
    row("one-task", Level::Hint, one_task),
    row("one-subnet", Level::Hint, one_subnet),
    row("spot", Level::Hint, only_spot),
    row("grace-period", Level::Hint, no_grace),
    row("health-check", Level::Hint, no_health_check),
    row("redirect", Level::Hint, redirect),
    row("slow-draining", Level::Hint, long_drain),
    row("stop-timeout", Level::Hint, short_stop),
    row("moving-tag", Level::Hint, moving_tag),
    row("logs", Level::Hint, no_logs),
    row("breaker", Level::Hint, never_completed),
    row("setup-quota", Level::Hint, quota_of_setup),
];

/// All that was found. `decision` is what a deployment would be.
pub fn examine(
    request: &Request,
    survey: &Survey,
    more: &More,
    decision: &Result<Decision, Refusal>,
) -> Report {
    let chosen = engine(request, survey).ok();
    let mut findings = Vec::new();
    let mut found = |check, level, fact| findings.push(Finding { check, level, fact });
    let mut passed: Vec<&'static str> = Vec::new();
    let failed: Vec<&Refusal> = match decision {
        Ok(_) => vec![],
        Err(refusal) => refusal.all().collect(),
    };
    for refusal in &failed {
        let fact = Fact::Refused(refusal.why.clone());
        found(refusal.check.unwrap_or("plan"), Level::Error, fact);
    }
    let is_open = match decision {
        Ok(Decision::Adopt(record) | Decision::Unfinished(record)) => {
            // One that no process drives is continued, or rolled back first.
            let now = survey.world.at;
            let is_over = record.is_abandoned(now) || record.may_be_overtaken(now);
            let is_cleaned = is_over && !record.is_forgotten(now);
            let level = if is_cleaned { Level::Warning } else { Level::Error };
            found("deployment", level, Fact::Refused(unfinished(survey, record).why));
            true
        }
        Ok(Decision::Deploy(plan)) => {
            for warning in &plan.warnings {
                found("plan", level(warning), Fact::Plan(warning.clone()));
            }
            false
        }
        _ => false,
    };
    // What was refused before the checks leaves them unmade.
    let are_made = !is_open && failed.iter().all(|one| one.check.is_some());
    if let Some((engine, _)) = chosen.as_ref().filter(|_| are_made) {
        let codes = engine.checks.iter().map(|check| check.code);
        passed.extend(codes.filter(|code| failed.iter().all(|one| one.check != Some(code))));
    }
    let warned = match decision {
        Ok(Decision::Deploy(plan)) => &plan.warnings[..],
        _ => &[],
    };
    let unsaid = live(request, survey).map(|live| unread(survey, live, warned));
    for call in more.denied.iter().copied().chain(unsaid.unwrap_or_default()) {
        found("permissions", Level::Unknown, Fact::NotAllowed { call });
    }
    if let Some(reason) = survey.blind.clone().filter(|_| warned.is_empty()) {
        let blind = Warning::LoadBalancersUnread { reason };
        found("permissions", Level::Unknown, Fact::Plan(blind));
    }
    if let (Some((engine, _)), Ok(live)) = (&chosen, live(request, survey)) {
        let revision = survey.revisions.get(&live.revision);
        let (name, definition) = deployed(request, survey, live);
        let exam = Exam { survey, more, engine, live, revision, name, definition };
        let mut denied = unread(survey, live, &[]);
        denied.extend(&more.denied);
        denied.extend(survey.blind.as_ref().map(|_| Call::DescribeTargetGroups));
        for Row { code, level, run } in TABLE {
            match run(&exam) {
                facts if facts.is_empty() && denied.iter().any(|call| is_for(*call, code)) => {}
                facts if facts.is_empty() => passed.push(code),
                facts => facts.into_iter().for_each(|fact| found(code, *level, fact)),
            }
        }
    }
    findings.sort_by_key(|finding| finding.level);
    let engine = chosen.as_ref().map(|(engine, _)| engine.name);
    Report { engine, reason: chosen.map(|(_, why)| why), findings, passed }
}

/// The task definition that a deployment would register, with the name of what it is a copy of; where that cannot
/// be said, what runs.
pub fn deployed(request: &Request, survey: &Survey, live: &Service) -> (String, Value) {
    let wanted = wanted(request, survey).ok().and_then(|wanted| {
        let body = clone_request(&wanted.base.raw, &wanted.changes(), &BTreeMap::new()).ok()?;
        Some((wanted.base.name, serde_json::from_str(&body).ok()?))
    });
    wanted.unwrap_or_else(|| {
        let running = survey.revisions.get(&live.revision).map(definition);
        (short(&live.revision).to_owned(), running.unwrap_or_default())
    })
}

/// The task definition in AWS's answer.
pub(super) fn definition(revision: &Revision) -> Value {
    let mut answer = serde_json::from_str::<Value>(&revision.raw).unwrap_or_default();
    answer["taskDefinition"].take()
}

/// Whether a warning of a plan says the same.
type Says = fn(&Warning) -> bool;

/// Reads of the survey that were not allowed, and of which no plan warns.
fn unread(survey: &Survey, live: &Service, warned: &[Warning]) -> Vec<Call> {
    let world = &survey.world;
    let is_known = |arn: &&String| world.groups.contains_key(*arn);
    let is_denied = |digest: &Digest| matches!(digest, Digest::Unknown(Unchecked::Denied { .. }));
    let is_shifted = live.is_advanced() || live.strategy() != "ROLLING";
    let rows: [(Call, bool, Says); 5] = [
        (
            Call::DescribeTargetGroupAttributes,
            world.groups.values().any(|group| group.attributes.is_none()),
            |one| matches!(one, Warning::AttributesUnchecked),
        ),
        (
            Call::DescribeTargetHealth,
            live.groups().filter(is_known).any(|arn| !world.health.contains_key(arn)),
            |_| false,
        ),
        (Call::DescribeServiceDeployments, is_shifted && world.deployments.is_none(), |one| {
            matches!(one, Warning::ServiceDeploymentsUnread)
        }),
        (Call::DescribeScalableTargets, world.scalable.is_none(), |one| {
            matches!(one, Warning::ScalingUnchecked)
        }),
        (
            Call::DescribeImages,
            survey.way_back.values().any(|(_, digest)| is_denied(digest)),
            |one| matches!(one, Warning::ImageUnchecked { .. }),
        ),
    ];
    let unsaid =
        rows.into_iter().filter(|(_, is_unread, says)| *is_unread && !warned.iter().any(says));
    unsaid.map(|(call, ..)| call).collect()
}

/// A check that was not made is not a problem that was found.
fn level(warning: &Warning) -> Level {
    match warning {
        Warning::ScalingUnchecked
        | Warning::PoliciesUnchecked
        | Warning::AttributesUnchecked
        | Warning::ImageUnchecked { .. }
        | Warning::RepositoryUnchecked { .. }
        | Warning::LoadBalancersUnread { .. }
        | Warning::RulesUnread { .. }
        | Warning::ServiceDeploymentsUnread
        | Warning::TwinUnchecked { .. } => Level::Unknown,
        Warning::RecordTagsCopied { .. } => Level::Hint,
        _ => Level::Warning,
    }
}

impl Exam<'_> {
    fn service(&self) -> String {
        self.live.name.clone()
    }

    fn revision(&self) -> String {
        self.name.clone()
    }

    /// The groups that its tasks stand in.
    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.live.groups().filter_map(|arn| self.survey.world.groups.get(arn))
    }

    fn containers(&self) -> impl Iterator<Item = (String, &Value)> {
        containers(&self.definition)
    }

    fn network_mode(&self) -> &str {
        self.definition["networkMode"].as_str().unwrap_or("bridge")
    }

    fn is_daemon(&self) -> bool {
        is_daemon(self.live)
    }

    /// Tasks that have to find room beside the old ones.
    fn beside(&self) -> u64 {
        let desired = u64::from(self.live.desired);
        let most = desired * u64::from(self.live.max_percent) / 100;
        match self.engine.second_set {
            true => desired,
            // ECS stops some first where that is allowed: one task has to fit.
            false if self.keeps() < self.live.desired => 0,
            false => 1.min(most.saturating_sub(desired)),
        }
    }

    /// Tasks that ECS keeps while it replaces them.
    fn keeps(&self) -> u32 {
        let least = u64::from(self.live.desired) * u64::from(self.live.min_healthy_percent);
        u32::try_from(least.div_ceil(100)).unwrap_or(u32::MAX)
    }
}

fn containers(definition: &Value) -> impl Iterator<Item = (String, &Value)> {
    let all = definition["containerDefinitions"].as_array();
    all.into_iter().flatten().filter_map(|one| Some((one["name"].as_str()?.to_owned(), one)))
}

/// Tasks with an address of their own are targets by IP, others by instance (Developer Guide, "Use load
/// balancing to distribute Amazon ECS service traffic").
fn target_type(exam: &Exam<'_>) -> Vec<Fact> {
    let mode = exam.network_mode();
    let fits = |group: &&Group| match group.target_type.as_str() {
        "ip" => mode == "awsvpc",
        "instance" => mode != "awsvpc",
        "" => true,
        _ => false,
    };
    if exam.definition.is_null() {
        return vec![];
    }
    let wrong = exam.groups().filter(|group| !fits(group)).map(|group| Fact::TargetType {
        group: group.name.clone(),
        target_type: group.target_type.clone(),
        revision: exam.revision(),
        network_mode: mode.to_owned(),
    });
    wrong.collect()
}

fn short_of_tasks(exam: &Exam<'_>) -> Vec<Fact> {
    let Service { running, desired, .. } = *exam.live;
    match running < desired {
        true => vec![Fact::ShortOfTasks { service: exam.service(), running, desired }],
        false => vec![],
    }
}

fn alarm(exam: &Exam<'_>) -> Vec<Fact> {
    let firing = exam.more.firing.iter();
    firing
        .map(|alarm| Fact::AlarmFiring { alarm: alarm.clone(), service: exam.service() })
        .collect()
}

fn log_group(exam: &Exam<'_>) -> Vec<Fact> {
    let missing = exam.containers().filter_map(|(container, one)| {
        let group = one["logConfiguration"]["options"]["awslogs-group"].as_str()?;
        let is_gone = exam.more.no_log_groups.iter().any(|missing| missing == group);
        is_gone.then(|| Fact::NoLogGroup { container, group: group.to_owned() })
    });
    missing.collect()
}

/// What runs beside the old tasks: what `maximumPercent` allows, or a second set.
fn room(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(left) = &exam.more.left else { return vec![] };
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let sum = |member: &str| -> u64 {
        let own = exam.containers().filter_map(|(_, one)| number(&one[member])).sum();
        number(&exam.definition[member]).unwrap_or(own)
    };
    let (cpu, memory) = (sum("cpu"), sum("memory"));
    let needed = exam.beside();
    let times = |left: u64, of: u64| left.checked_div(of).unwrap_or(u64::MAX);
    let fit = left.iter().map(|&(cpus, mib)| times(cpus, cpu).min(times(mib, memory)));
    let fit = fit.fold(0u64, u64::saturating_add);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    match fit < needed {
        true => {
            vec![Fact::NoRoom { service: exam.service(), needed: count(needed), fit: count(fit) }]
        }
        false => vec![],
    }
}

/// The platform that images of a definition must have (API reference of RuntimePlatform).
fn platform(exam: &Exam<'_>) -> Vec<Fact> {
    let own = &exam.definition["runtimePlatform"];
    let text = |member: &str| own[member].as_str().unwrap_or_default();
    // On instances it is theirs, unless the definition says which.
    if own.is_null() && runs_on_instances(exam.live) {
        return vec![];
    }
    let os = if text("operatingSystemFamily").starts_with("WINDOWS") { "windows" } else { "linux" };
    let architecture = if text("cpuArchitecture") == "ARM64" { "arm64" } else { "amd64" };
    let needed = format!("{os}/{architecture}");
    let wrong = exam
        .more
        .platforms
        .iter()
        .filter(|(_, (_, built_for))| !built_for.is_empty() && !built_for.contains(&needed));
    wrong
        .map(|(container, (image, built_for))| Fact::ImagePlatform {
            container: container.clone(),
            image: image.clone(),
            built_for: built_for.clone(),
            needed: needed.clone(),
        })
        .collect()
}

/// Roles must exist, and trust ECS (Developer Guide, "Amazon ECS task execution IAM role").
fn role(exam: &Exam<'_>) -> Vec<Fact> {
    let found = exam.more.roles.iter().filter_map(|(role, trust)| {
        let (role, revision) = (role.clone(), exam.revision());
        match trust {
            None => Some(Fact::NoRole { role, revision }),
            // A wildcard trusts it, too.
            Some(trust)
                if !trust.contains("ecs-tasks.amazonaws.com") && !trust.contains("\"*\"") =>
            {
                Some(Fact::RoleNotAssumable { role, revision })
            }
            Some(_) => None,
        }
    });
    found.collect()
}

fn secret(exam: &Exam<'_>) -> Vec<Fact> {
    let missing = exam.containers().flat_map(|(container, one)| {
        let own = one["secrets"].as_array().cloned().unwrap_or_default().into_iter();
        own.filter_map(move |secret| {
            let (variable, from) = (secret["name"].as_str()?, secret["valueFrom"].as_str()?);
            Some(Fact::NoSecret {
                container: container.clone(),
                variable: variable.to_owned(),
                from: from.to_owned(),
            })
        })
    });
    let is_gone = |fact: &Fact| match fact {
        Fact::NoSecret { from, .. } => exam.more.no_secrets.contains(from),
        _ => false,
    };
    missing.filter(is_gone).collect()
}

/// Old and new tasks are targets at the same time: of one group or of two, behind the same load balancer.
fn quota_of_targets(exam: &Exam<'_>) -> Vec<Fact> {
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

fn quota_of_setup(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(quotas) = exam.more.quotas.as_ref().filter(|_| may_be_set_up(exam.survey, exam.live))
    else {
        return vec![];
    };
    let region = exam.live.arn.split(':').nth(3).unwrap_or_default();
    let mut exceeded: Vec<Quota> = Vec::new();
    for balancer in exam.groups().flat_map(|group| &group.load_balancers) {
        exceeded.extend(quota::for_group(quotas, region, balancer));
        let rules = exam.survey.rule_counts.get(balancer);
        exceeded.extend(rules.and_then(|used| quota::for_rule(quotas, balancer, *used)));
    }
    exceeded.into_iter().map(Fact::SetupQuota).collect()
}

/// A target in a zone that is not enabled gets no requests (API reference of TargetHealth).
fn zone(exam: &Exam<'_>) -> Vec<Fact> {
    let groups: BTreeSet<&String> = exam.groups().flat_map(|group| &group.load_balancers).collect();
    let enabled = groups.into_iter().filter_map(|arn| Some((arn, exam.more.zones.get(arn)?)));
    let wrong = enabled.flat_map(|(load_balancer, zones)| {
        let outside = exam.more.subnets.iter().filter(|subnet| !zones.contains(&subnet.zone));
        outside.map(|subnet| Fact::ZoneNotEnabled {
            service: exam.service(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            load_balancer: load_balancer.clone(),
            enabled: zones.iter().cloned().collect(),
        })
    });
    wrong.collect()
}

/// Each task with a network interface of its own takes an address of its subnet (Developer Guide, "Task
/// networking for Amazon ECS").
fn addresses(exam: &Exam<'_>) -> Vec<Fact> {
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

/// What a deployment of ours wrote for itself and could not take out: a pause would stop the next one.
fn settings_left(exam: &Exam<'_>) -> Vec<Fact> {
    let Some(record) = exam.survey.last_record().filter(|record| record.closed.is_some()) else {
        return vec![];
    };
    let own = setting_at(exam.live, &["deploymentConfiguration"]);
    let went_live = record.closed.is_some_and(|closed| closed.end == End::Live);
    let native = record.native.as_ref();
    let left = native.zip(own).and_then(|(native, own)| after_deployment(own, native, went_live));
    let fact = |without| Fact::SettingsLeft {
        service: exam.service(),
        deployment: record.name().to_owned(),
        without,
    };
    left.map(fact).into_iter().collect()
}

fn outside_limits(exam: &Exam<'_>) -> Vec<Fact> {
    let (service, desired) = (exam.service(), exam.live.desired);
    match exam.survey.scalable(&service) {
        Some(one) if desired < one.min || desired > one.max => {
            vec![Fact::OutsideLimits { service, desired, min: one.min, max: one.max }]
        }
        _ => vec![],
    }
}

/// A policy counts the requests of one target group, whichever the service has (Application Auto Scaling API
/// reference, PredefinedMetricSpecification).
fn scaling_label(exam: &Exam<'_>) -> Vec<Fact> {
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

fn forecast(exam: &Exam<'_>) -> Vec<Fact> {
    // The plan of a pair warns of it, too.
    let is_pair = exam.survey.twin.is_some();
    let policies = exam.more.policies.iter();
    let forecasts = policies.filter(|one| one.kind == "PredictiveScaling" && !is_pair);
    let fact = |one: &Policy| Fact::Forecast { service: exam.service(), policy: one.name.clone() };
    forecasts.map(fact).collect()
}

fn suspended(exam: &Exam<'_>) -> Vec<Fact> {
    let (service, cluster) = (exam.service(), exam.survey.cluster_name().to_owned());
    let is_suspended = exam.survey.scalable(&service).is_some_and(|one| one.suspended.any());
    match is_suspended {
        true => vec![Fact::ScalingSuspended { service, cluster }],
        false => vec![],
    }
}

/// The next `terraform apply`, or `--from latest`, deploys what nobody deployed yet.
fn newer_revision(exam: &Exam<'_>) -> Vec<Fact> {
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
            by: definition(newer)["registeredBy"].as_str().map(str::to_owned),
        }],
    }
}

/// Clients with a cookie stay where they are: weights move the others only.
fn stickiness(exam: &Exam<'_>) -> Vec<Fact> {
    // For a pair this is a check.
    if !exam.engine.second_set || exam.engine.twin.is_some() {
        return vec![];
    }
    let sticky = exam.groups().filter_map(|group| {
        let attributes = group.attributes.as_ref()?;
        let is_on = attributes.get("stickiness.enabled").is_some_and(|value| value == "true");
        let duration = attributes.get("stickiness.lb_cookie.duration_seconds");
        is_on.then(|| Fact::Sticky {
            group: group.name.clone(),
            duration_seconds: duration.and_then(|seconds| seconds.parse().ok()),
        })
    });
    sticky.collect()
}

/// A port of its own for health checks has to be one of the task's.
fn check_port(exam: &Exam<'_>) -> Vec<Fact> {
    if exam.network_mode() != "awsvpc" {
        return vec![];
    }
    let ports = exam.containers().flat_map(|(_, one)| one["portMappings"].as_array());
    let ports: Vec<u64> = ports.flatten().filter_map(|one| one["containerPort"].as_u64()).collect();
    let has = |port: &str| port.parse().is_ok_and(|port: u64| ports.contains(&port));
    let own = |group: &&Group| group.check.port.chars().all(|char| char.is_ascii_digit());
    let wrong = exam.groups().filter(own).filter(|group| !has(&group.check.port));
    wrong
        .map(|group| Fact::CheckPort {
            group: group.name.clone(),
            arn: group.arn.clone(),
            port: group.check.port.clone(),
            revision: exam.revision(),
        })
        .collect()
}

/// A redirect to a login page or to HTTPS says nothing of the application behind it.
fn redirect(exam: &Exam<'_>) -> Vec<Fact> {
    let takes = |group: &&Group| {
        !group.check.grpc
            && group.check.matcher.split(',').any(|part| {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let number = |text: &str| text.trim().parse::<u16>().ok();
                matches!((number(first), number(last)), (Some(first), Some(last)) if first < 400 && last >= 300)
            })
    };
    exam.groups()
        .filter(takes)
        .map(|group| Fact::RedirectIsHealthy {
            group: group.name.clone(),
            path: group.check.path.clone(),
            matcher: group.check.matcher.clone(),
        })
        .collect()
}

/// How long the load balancer keeps sending what is on its way to a target that leaves (API reference of
/// TargetGroupAttribute: 0 to 3600 seconds, 300 unless set).
fn drain(group: &Group) -> Option<Duration> {
    let seconds = group.attributes.as_ref()?.get("deregistration_delay.timeout_seconds")?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

fn no_drain(exam: &Exam<'_>) -> Vec<Fact> {
    let cut = exam.groups().filter(|group| drain(group) == Some(Duration::ZERO));
    cut.map(|group| Fact::NoDrain { group: group.name.clone(), arn: group.arn.clone() }).collect()
}

/// Old tasks stop only after the delay.
const LONG_DRAIN: Duration = Duration::from_secs(120);

fn long_drain(exam: &Exam<'_>) -> Vec<Fact> {
    let slow = exam.groups().filter_map(|group| Some((group, drain(group)?)));
    slow.filter(|(_, delay)| *delay > LONG_DRAIN)
        .map(|(group, delay)| Fact::LongDrain {
            group: group.name.clone(),
            arn: group.arn.clone(),
            delay,
        })
        .collect()
}

/// `stopTimeout` unless it is set (API reference of ContainerDefinition).
const STOP: Duration = Duration::from_secs(30);

/// Where ECS does not drain first, a container has only `stopTimeout` for the requests that it still answers
/// (Developer Guide, "Best practices for load balancer parameters").
fn short_stop(exam: &Exam<'_>) -> Vec<Fact> {
    let slowest = exam.groups().filter_map(|group| Some((drain(group)?, group)));
    let Some((delay, group)) = slowest.max_by_key(|(delay, _)| *delay) else { return vec![] };
    // No stopTimeout is longer; `slow-draining` says that the delay is long.
    if delay > LONG_DRAIN {
        return vec![];
    }
    let serving: BTreeSet<&str> =
        exam.live.attachments.iter().map(|own| own.container.as_str()).collect();
    let short = exam.containers().filter(|(name, _)| serving.contains(name.as_str()));
    let short = short.filter_map(|(container, one)| {
        let stop = one["stopTimeout"].as_u64().map_or(STOP, Duration::from_secs);
        (stop < delay).then(|| Fact::ShortStop {
            container,
            revision: exam.revision(),
            stop,
            group: group.name.clone(),
            delay,
        })
    });
    short.collect()
}

fn downtime(exam: &Exam<'_>) -> Vec<Fact> {
    match !exam.engine.second_set && exam.live.desired > 0 && exam.keeps() == 0 {
        true => less(exam),
        false => vec![],
    }
}

fn fewer_while_deploying(exam: &Exam<'_>) -> Vec<Fact> {
    let keeps = exam.keeps();
    let is_less = keeps > 0 && keeps < exam.live.desired;
    match !exam.engine.second_set && is_less && !exam.is_daemon() {
        true => less(exam),
        false => vec![],
    }
}

fn less(exam: &Exam<'_>) -> Vec<Fact> {
    vec![Fact::FewerWhileDeploying {
        service: exam.service(),
        keeps: exam.keeps(),
        desired: exam.live.desired,
        min_healthy: exam.live.min_healthy_percent,
    }]
}

/// Parts of names that only secrets have.
const SECRET: [&str; 7] =
    ["PASSWORD", "PASSWD", "SECRET", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_TOKEN"];

/// Everybody who may read task definitions reads their variables.
fn plain_secret(exam: &Exam<'_>) -> Vec<Fact> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        // `DB_PASSWORD_FILE` and `SECRET_NAME` say where it is.
        let says_where = ["_FILE", "_PATH", "_NAME", "_ARN", "_ID", "_URL"];
        SECRET.iter().any(|part| name.contains(part))
            && !says_where.iter().any(|end| name.ends_with(end))
    };
    let found = exam.containers().flat_map(|(container, one)| {
        let variables = one["environment"].as_array().cloned().unwrap_or_default();
        let names = variables.into_iter().filter_map(|variable| {
            let is_set = variable["value"].as_str().is_some_and(|value| !value.is_empty());
            variable["name"].as_str().filter(|name| is_set && is_secret(name)).map(str::to_owned)
        });
        let fact = move |variable| Fact::PlainSecret { container: container.clone(), variable };
        names.map(fact).collect::<Vec<_>>()
    });
    found.collect()
}

/// CloudFormation tags what it makes (User Guide, "Resource tags"); others do it by habit.
fn owner(exam: &Exam<'_>) -> Vec<Fact> {
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

fn one_task(exam: &Exam<'_>) -> Vec<Fact> {
    match exam.live.desired == 1 && !exam.is_daemon() {
        true => vec![Fact::OneTask { service: exam.service() }],
        false => vec![],
    }
}

fn one_subnet(exam: &Exam<'_>) -> Vec<Fact> {
    let path = ["networkConfiguration", "awsvpcConfiguration", "subnets"];
    match setting_at(exam.live, &path).and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => vec![Fact::OneSubnet {
            service: exam.service(),
            subnet: one.as_str().unwrap_or_default().to_owned(),
        }],
        _ => vec![],
    }
}

fn only_spot(exam: &Exam<'_>) -> Vec<Fact> {
    let strategy = setting_at(exam.live, &["capacityProviderStrategy"]).and_then(Value::as_array);
    let counts = |one: &&Value| one["weight"].as_u64() > Some(0) || one["base"].as_u64() > Some(0);
    let mut providers = strategy.into_iter().flatten().filter(counts).peekable();
    let all = providers.peek().is_some()
        && providers.all(|one| one["capacityProvider"] == "FARGATE_SPOT");
    match all {
        true => vec![Fact::OnlySpot { service: exam.service() }],
        false => vec![],
    }
}

/// Without a grace period ECS stops a task as soon as its target is unhealthy.
fn no_grace(exam: &Exam<'_>) -> Vec<Fact> {
    if !exam.live.grace.is_zero() {
        return vec![];
    }
    let slowest = exam.groups().map(|group| (group.check.interval * group.check.unhealthy, group));
    match slowest.min_by_key(|(time, _)| *time) {
        Some((unhealthy_after, group)) => vec![Fact::NoGrace {
            service: exam.service(),
            group: group.name.clone(),
            unhealthy_after,
        }],
        None => vec![],
    }
}

fn no_health_check(exam: &Exam<'_>) -> Vec<Fact> {
    let checked = exam.containers().any(|(_, one)| !one["healthCheck"].is_null());
    match exam.live.attachments.is_empty() && !checked && !exam.definition.is_null() {
        true => vec![Fact::NoHealthCheck { service: exam.service(), revision: exam.revision() }],
        false => vec![],
    }
}

fn moving_tag(exam: &Exam<'_>) -> Vec<Fact> {
    let moves = |image: &str| {
        let last = image.rsplit('/').next().unwrap_or(image);
        !image.contains('@') && (!last.contains(':') || last.ends_with(":latest"))
    };
    let moving = exam.containers().filter_map(|(container, one)| {
        let image = one["image"].as_str().filter(|image| moves(image))?.to_owned();
        Some(Fact::MovingTag { container, image })
    });
    moving.collect()
}

fn no_logs(exam: &Exam<'_>) -> Vec<Fact> {
    let silent = exam.containers().filter(|(_, one)| one["logConfiguration"].is_null());
    silent.map(|(container, _)| Fact::NoLogs { container, revision: exam.revision() }).collect()
}

/// The circuit breaker rolls back to the last completed deployment (Developer Guide, "How the Amazon ECS
/// deployment circuit breaker detects failures").
fn never_completed(exam: &Exam<'_>) -> Vec<Fact> {
    let completed =
        exam.live.deployments.iter().any(|one| one.rollout.as_deref() == Some("COMPLETED"));
    match exam.live.ecs_rolls_back && !completed && !exam.live.deployments.is_empty() {
        true => vec![Fact::NeverCompleted { service: exam.service() }],
        false => vec![],
    }
}

/// Log groups that containers write to and that ECS does not make by itself, by their region.
pub fn log_groups(definition: &Value) -> BTreeMap<String, Option<String>> {
    let named = containers(definition).filter_map(|(_, one)| {
        let log = &one["logConfiguration"];
        let options = &log["options"];
        let made = options["awslogs-create-group"].as_str() == Some("true");
        let is_named = log["logDriver"] == "awslogs" && !made;
        let group = options["awslogs-group"].as_str().filter(|_| is_named)?;
        Some((group.to_owned(), options["awslogs-region"].as_str().map(str::to_owned)))
    });
    named.collect()
}

/// The roles that a definition names: of its tasks, and of the agent that starts them.
pub fn named_roles(definition: &Value) -> BTreeSet<String> {
    let role = |member: &str| definition[member].as_str().map(str::to_owned);
    ["executionRoleArn", "taskRoleArn"].into_iter().filter_map(role).collect()
}

/// What `secrets` of a definition name: every `valueFrom`.
pub fn named_values(definition: &Value) -> BTreeSet<String> {
    let secrets = containers(definition).filter_map(|(_, one)| one["secrets"].as_array());
    let named = secrets.flatten().filter_map(|one| one["valueFrom"].as_str());
    named.map(str::to_owned).collect()
}

/// The ARN of the secret in a `valueFrom`, without a JSON key and a version; `None`: it is a parameter.
pub fn secret_of(from: &str) -> Option<String> {
    let is_secret = from.split(':').nth(2) == Some("secretsmanager");
    is_secret.then(|| from.split(':').take(7).collect::<Vec<_>>().join(":"))
}

/// The name of the parameter in a `valueFrom`: a name, or an ARN in this region and account; those of others
/// cannot be listed.
pub fn parameter_of(from: &str, own: &str) -> Option<String> {
    if !from.starts_with("arn:") {
        return Some(from.to_owned());
    }
    let place = |arn: &str| arn.split(':').skip(3).take(2).map(str::to_owned).collect::<Vec<_>>();
    let (_, name) = from.split_once(":parameter")?;
    let is_own = from.split(':').nth(2) == Some("ssm") && place(from) == place(own);
    // `parameter/shop/x` is `/shop/x`, and `parameter/x` is `x` or `/x`.
    is_own.then(|| match name.strip_prefix('/').unwrap_or(name).contains('/') {
        true => name.to_owned(),
        false => name.trim_start_matches('/').to_owned(),
    })
}

/// The secrets that a definition names.
pub fn named_secrets(definition: &Value) -> BTreeSet<String> {
    named_values(definition).iter().filter_map(|from| secret_of(from)).collect()
}

/// The subnets of a service.
pub fn subnets(service: &Service) -> Vec<String> {
    let path = ["networkConfiguration", "awsvpcConfiguration", "subnets"];
    let all = setting_at(service, &path).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// Whether the service's tasks run on the instances that the cluster has: no capacity provider adds some.
pub fn has_fixed_instances(service: &Service) -> bool {
    let text = |name: &str| setting_at(service, &[name]).and_then(Value::as_str);
    text("launchType") == Some("EC2")
}

/// Whether the service's tasks run on instances. With a capacity provider strategy a service has no launch type
/// (API reference of CreateService).
pub fn runs_on_instances(service: &Service) -> bool {
    let strategy = setting_at(service, &["capacityProviderStrategy"]).and_then(Value::as_array);
    let providers = strategy.into_iter().flatten();
    let mut names = providers.filter_map(|one| one["capacityProvider"].as_str());
    has_fixed_instances(service) || names.any(|name| !matches!(name, "FARGATE" | "FARGATE_SPOT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_or_in_this_region_and_account() {
        let own = "arn:aws:ecs:eu-west-1:1:service/shop/api";
        for (from, name) in [
            ("plain", Some("plain")),
            ("/shop/x", Some("/shop/x")),
            ("arn:aws:ssm:eu-west-1:1:parameter/shop/x", Some("/shop/x")),
            ("arn:aws:ssm:eu-west-1:1:parameter/x", Some("x")),
            ("arn:aws:ssm:eu-west-1:1:parameter", Some("")),
            ("arn:aws:ssm:eu-west-1:1:parameter/é/x", Some("/é/x")),
            ("arn:aws:ssm:eu-west-2:1:parameter/x", None),
            ("arn:aws:secretsmanager:eu-west-1:1:parameter/x", None),
        ] {
            assert_eq!(parameter_of(from, own).as_deref(), name, "{from}");
        }
    }

    #[test]
    fn the_docs_name_every_check_and_no_other() {
        let page = std::fs::read_to_string("docs/doctor.md").expect("docs/doctor.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: std::collections::BTreeSet<&str> = rows.map(|(code, _)| code).collect();
        let checks = super::super::engine::all().flat_map(|engine| engine.checks);
        let codes = checks.map(|check| check.code).chain(TABLE.iter().map(|row| row.code));
        let codes = codes.chain(["plan", "deployment", "permissions"]).collect();
        assert_eq!(documented, codes);
    }
}
