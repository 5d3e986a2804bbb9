//! What `ecs-bg doctor` looks at: the checks that a deployment must pass, and what may make the next one
//! fail, slow or surprising. A table; each row says what it found. Pure.

mod definition;
mod history;
mod quota;
mod scaling;
mod tasks;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use self::quota::{may_be_set_up, quotas_matter, usage_matters};
use super::checks::service::is_daemon;
use super::clone::clone_request;
use super::engine::{Engine, engine};
use super::named;
use super::{Decision, Digest, Survey, live, unfinished, wanted};
use crate::call::{Allowance, Call};
use crate::error::Failure;
use crate::event::{EngineReason, Fact, Finding, Level, Refusal, Unchecked, Warning};
use crate::model::arn::short;
use crate::model::quota::{Quotas, Vcpus};
use crate::model::revision::Revision;
use crate::model::scaling::Policy;
use crate::model::world::{Group, Room, Service, Subnet};
use crate::request::EngineName;
use crate::request::Request;

/// What doctor reads beside the survey; `None`: that is not allowed, or was not needed.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// Alarms of the service's deployments that are in ALARM.
    pub firing: Vec<String>,
    /// Log groups that are named and not there.
    pub no_log_groups: Vec<String>,
    /// What every instance of the cluster has left.
    pub left: Option<Vec<Room>>,
    /// The trust policies of the roles that are named, by role; `None`: there is no such role.
    pub roles: BTreeMap<String, Option<String>>,
    /// What a deployment changes and the caller may not.
    pub not_allowed: Vec<Allowance>,
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
    /// The vCPUs that AWS Fargate may run and runs.
    pub vcpus: Option<Vcpus>,
    /// Calls that are not allowed.
    pub denied: Vec<Call>,
    /// A call whose answer did not say them.
    pub unsaid: Option<Call>,
    /// Reads that AWS refused because of what they asked for.
    pub failed: Vec<Failure>,
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
    request: &'a Request,
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
        Call::ListContainerInstances
        | Call::DescribeContainerInstances
        | Call::DescribeInstances
        | Call::DescribeInstanceTypes => code == "room",
        Call::BatchGetImage => code == "platform",
        Call::GetRole => code == "role",
        Call::SimulatePrincipalPolicy => code == "caller",
        Call::DescribeSecret | Call::DescribeParameters => code == "secret",
        Call::DescribeAccountLimits => code.ends_with("quota"),
        Call::DescribeRules | Call::DescribeListeners => code == "setup-quota",
        Call::GetServiceQuota | Call::GetMetricStatistics => code == "vcpus",
        Call::DescribeSubnets => matches!(code, "zone" | "addresses" | "one-subnet"),
        Call::DescribeLoadBalancers => code == "zone",
        Call::DescribeScalingPolicies => matches!(code, "scaling-label" | "forecast"),
        Call::DescribeScalableTargets => {
            matches!(code, "auto-scaling" | "scaling-label" | "forecast" | "suspended-scaling")
        }
        Call::DescribeTargetGroups => {
            let of_groups = ["target-type", "zone", "check-port", "redirect", "quota", "traffic"];
            let others = [Call::DescribeTargetGroupAttributes, Call::DescribeTargetHealth];
            of_groups.contains(&code) || others.into_iter().any(|call| is_for(call, code))
        }
        Call::DescribeTargetHealth => code == "target-health",
        Call::DescribeTargetGroupAttributes => {
            matches!(code, "sticky-group" | "draining" | "slow-draining" | "stop-timeout")
        }
        _ => false,
    }
}

/// Everything that is looked at beside an engine's own checks.
const TABLE: &[Row] = &[
    row("target-type", Level::Error, traffic::target_type),
    row("short-of-tasks", Level::Warning, tasks::short_of_tasks),
    row("alarm", Level::Warning, history::alarm),
    row("log-group", Level::Warning, definition::log_group),
    row("room", Level::Warning, tasks::room),
    row("platform", Level::Warning, definition::platform),
    row("role", Level::Warning, definition::role),
    row("caller", Level::Warning, definition::caller),
    row("secret", Level::Warning, definition::secret),
    row("quota", Level::Warning, quota::quota_of_targets),
    row("vcpus", Level::Warning, quota::quota_of_vcpus),
    row("zone", Level::Warning, traffic::zone),
    row("addresses", Level::Warning, tasks::addresses),
    row("settings-left", Level::Warning, history::settings_left),
    row("auto-scaling", Level::Warning, scaling::outside_limits),
    row("scaling-label", Level::Warning, scaling::scaling_label),
    row("forecast", Level::Warning, scaling::forecast),
    row("newer-revision", Level::Warning, history::newer_revision),
    row("sticky-group", Level::Warning, traffic::stickiness),
    row("check-port", Level::Warning, traffic::check_port),
    row("draining", Level::Warning, traffic::no_drain),
    row("downtime", Level::Warning, tasks::downtime),
    row("plain-secret", Level::Warning, definition::plain_secret),
    row("suspended-scaling", Level::Warning, scaling::suspended),
    row("owner", Level::Hint, history::owner),
    row("capacity-while-deploying", Level::Hint, tasks::fewer_while_deploying),
    row("one-task", Level::Hint, tasks::one_task),
    row("one-subnet", Level::Hint, tasks::one_subnet),
    row("spot", Level::Hint, tasks::only_spot),
    row("grace-period", Level::Hint, traffic::no_grace),
    row("health-check", Level::Hint, definition::no_health_check),
    row("redirect", Level::Hint, traffic::redirect),
    row("slow-draining", Level::Hint, traffic::long_drain),
    row("stop-timeout", Level::Hint, traffic::short_stop),
    row("moving-tag", Level::Hint, definition::moving_tag),
    row("logs", Level::Hint, definition::no_logs),
    row("breaker", Level::Hint, history::never_completed),
    row("setup-quota", Level::Hint, quota::quota_of_setup),
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
    let live = live(request, survey);
    let mut denied = live.as_ref().map_or(vec![], |live| unread(survey, live, &[]));
    denied.extend(more.denied.iter().chain(&more.unsaid));
    denied.extend(more.failed.iter().filter_map(|failure| failure.call));
    denied.extend(survey.blind.as_ref().map(|_| Call::DescribeTargetGroups));
    let is_unmade = |code: &str| denied.iter().any(|call| is_for(*call, code));
    // What was refused before the checks leaves them unmade.
    let are_made = !is_open && failed.iter().all(|one| one.check.is_some());
    if let Some((engine, _)) = chosen.as_ref().filter(|_| are_made) {
        let codes = engine.checks.iter().map(|check| check.code);
        let codes = codes.filter(|code| !is_unmade(code));
        passed.extend(codes.filter(|code| failed.iter().all(|one| one.check != Some(code))));
    }
    let warned = match decision {
        Ok(Decision::Deploy(plan)) => &plan.warnings[..],
        _ => &[],
    };
    let unsaid = live.as_ref().map_or(vec![], |live| unread(survey, live, warned));
    for call in more.denied.iter().copied().chain(unsaid) {
        found("permissions", Level::Unknown, Fact::NotAllowed { call });
    }
    for failure in &more.failed {
        found("reads", Level::Unknown, Fact::NotRead { failure: failure.clone() });
    }
    let is_told = failed.iter().any(|one| one.check == Some("traffic"));
    if let Some(reason) = survey.blind.clone().filter(|_| warned.is_empty() && !is_told) {
        let blind = Warning::LoadBalancersUnread { reason };
        found("permissions", Level::Unknown, Fact::Plan(blind));
    }
    if let (Some((engine, _)), Ok(live)) = (&chosen, live) {
        let revision = survey.revisions.get(&live.revision);
        let (name, definition) = deployed(request, survey, live);
        let exam = Exam { request, survey, more, engine, live, revision, name, definition };
        for Row { code, level, run } in TABLE {
            match run(&exam) {
                facts if facts.is_empty() && is_unmade(code) => {}
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
        let running = survey.revisions.get(&live.revision).map(named::definition);
        (short(&live.revision).to_owned(), running.unwrap_or_default())
    })
}

/// Whether a warning of a plan says the same.
type Says = fn(&Warning) -> bool;

/// Reads of the survey that were not allowed, and of which no plan warns.
fn unread(survey: &Survey, live: &Service, warned: &[Warning]) -> Vec<Call> {
    let world = &survey.world;
    let is_known = |arn: &&String| world.groups.contains_key(*arn);
    let is_denied = |digest: &Digest| matches!(digest, Digest::Unknown(Unchecked::Denied { .. }));
    let is_shifted = live.has_service_deployments();
    let rules = survey.rules_unread.as_ref().and_then(|failure| failure.call);
    let rows: [(Call, bool, Says); 6] = [
        (rules.unwrap_or(Call::DescribeRules), rules.is_some(), |one| {
            matches!(one, Warning::RulesUnread { .. })
        }),
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
        (Call::DescribeServiceDeployments, is_shifted && world.deployments.is_none(), |_| false),
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
        | Warning::TwinUnchecked { .. } => Level::Unknown,
        Warning::RecordTagsCopied { .. } => Level::Hint,
        Warning::NotRegistered { .. } => Level::Error,
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

    fn region(&self) -> &str {
        self.live.arn.split(':').nth(3).unwrap_or_default()
    }

    /// The groups that its tasks stand in.
    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.live.groups().filter_map(|arn| self.survey.world.groups.get(arn))
    }

    fn containers(&self) -> impl Iterator<Item = (String, &Value)> {
        named::containers(&self.definition)
    }

    fn network_mode(&self) -> &str {
        named::network_mode(&self.definition)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_name_every_check_and_no_other() {
        let page = std::fs::read_to_string("docs/doctor.md").expect("docs/doctor.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: std::collections::BTreeSet<&str> = rows.map(|(code, _)| code).collect();
        let checks = super::super::engine::all().flat_map(|engine| engine.checks);
        let codes = checks.map(|check| check.code).chain(TABLE.iter().map(|row| row.code));
        let codes = codes.chain(["plan", "deployment", "permissions", "reads"]).collect();
        assert_eq!(documented, codes);
    }
}
