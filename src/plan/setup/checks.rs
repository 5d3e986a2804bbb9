//! What must be true before a service is set up.

use serde_json::{Value, json};

use super::pair::check_pair;
use super::role::role_fits;
use super::test_rule::test_rule_fits;
use super::undo::check_undo;
use super::{
    CLONE_TAG, MEMBERS, Seen, VITAL, is_deploying, makes, named_arn, production, steps, test_rule,
};
use crate::event::Refusal;
use crate::event::refusal::{ServiceRefused, SetupRefused, Unfit};
use crate::model::arn::short;
use crate::model::world::Service;
use crate::plan::checks::image::missing_images;
pub(super) use crate::plan::checks::service::deployable;
use crate::plan::checks::{refuse, service as services};
use crate::plan::quota;
use crate::plan::unfinished;
use crate::request::setup::Setup;
use crate::route::configuration::strategy;

/// All that is in the way. Nothing was changed.
pub fn check(asked: &Setup, seen: &Seen) -> Result<(), Refusal> {
    let own = services::existing(&seen.survey, &seen.survey.service)?;
    if asked.undo || asked.header.is_some() {
        made_is_known(asked, seen, own)?;
    }
    if asked.undo {
        return check_undo(asked, seen, own);
    }
    if let Some(twin) = &asked.pair {
        return check_pair(twin, asked, seen, own);
    }
    set_up_like_this(asked, seen, own)?;
    if steps(asked, seen).is_empty() && own.strategy() != "ROLLING" {
        return test_rule_fits(asked, seen, own);
    }
    let case = Case { asked, seen, service: own };
    let mut errors = Vec::new();
    for (code, run) in CHECKS {
        if let Err(error) = run(&case) {
            errors.push(Refusal { check: Some(code), ..error });
        }
    }
    let mut errors = errors.into_iter();
    match errors.next() {
        None => Ok(()),
        Some(first) => Err(Refusal { also: errors.collect(), ..first }),
    }
}

/// Setup does not change what ECS was told before: an option that asks for something else is refused.
fn set_up_like_this(asked: &Setup, seen: &Seen, service: &Service) -> Result<(), Refusal> {
    let [attachment] = &service.attachments[..] else { return Ok(()) };
    let Some(advanced) = &attachment.advanced else { return Ok(()) };
    // It may be below a path.
    let named = |name: &String| advanced.role.clone().filter(|arn| short(arn) == name);
    let role = asked.create_role.as_ref().filter(|_| asked.names_role);
    let role = role.map(|name| named(name).unwrap_or_else(|| name.clone()));
    // A Network Load Balancer's rule is named by its listener.
    let rule = |arn: &String| {
        let rule = seen.survey.world.rules.get(arn);
        rule.map_or_else(|| arn.clone(), |rule| named_arn(rule).to_owned())
    };
    let production = asked.production.as_ref().map(rule);
    let test = test_rule(asked, seen).ok().flatten().map(|rule| named_arn(rule).to_owned());
    let test = test.or_else(|| asked.test.clone());
    let groups = [Some(&advanced.alternate), Some(&attachment.group)];
    let options = [
        ("--infrastructure-role", &asked.role, vec![advanced.role.as_ref()]),
        ("--create-role", &role, vec![advanced.role.as_ref()]),
        ("--alternate-target-group", &asked.alternate, groups.to_vec()),
        ("--production-rule", &production, vec![Some(&advanced.production)]),
        ("--test-rule", &test, vec![advanced.test.as_ref()]),
    ];
    for (option, wanted, has) in options {
        if wanted.is_some() && !has.contains(&wanted.as_ref()) {
            return refuse(SetupRefused::SetUpOtherwise {
                service: service.name.clone(),
                cluster: seen.survey.cluster_name().to_owned(),
                option,
                current: has[0].cloned(),
            });
        }
    }
    Ok(())
}

struct Case<'a> {
    asked: &'a Setup,
    seen: &'a Seen,
    service: &'a Service,
}

type Run = fn(&Case<'_>) -> Result<(), Refusal>;

/// What must be true. A check that needs what another one finds wrong says nothing.
const CHECKS: [(&str, Run); 11] = [
    ("service", can_be_set_up),
    ("load-balancer", has_at_most_one_group),
    ("permissions", can_be_read),
    ("image", can_start_tasks),
    ("percent", keeps_all_tasks),
    ("deployment", nothing_else_runs),
    ("rule", rules_fit),
    ("test-rule", |case| test_rule_fits(case.asked, case.seen, case.service)),
    ("target-group", second_group_fits),
    ("role", has_a_role),
    ("quota", has_room),
];

impl Case<'_> {
    fn is_advanced(&self) -> bool {
        self.service.is_advanced()
    }

    fn is_headless(&self) -> bool {
        balancers(self.service).is_empty()
    }

    /// ECS will replace the tasks.
    fn replaces_tasks(&self) -> bool {
        !self.is_headless() && !self.is_advanced()
    }

    fn cluster(&self) -> String {
        self.seen.survey.cluster_name().to_owned()
    }
}

pub(super) fn balancers(service: &Service) -> Vec<Value> {
    let list = service.settings.get("loadBalancers").and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

fn can_be_set_up(case: &Case<'_>) -> Result<(), Refusal> {
    let (service, survey) = (case.service, &case.seen.survey);
    let name = service.name.clone();
    let controller = services::setting_at(service, &["deploymentController", "type"]);
    if controller.and_then(Value::as_str) == Some("CODE_DEPLOY") {
        return refuse(SetupRefused::SetupFromCodeDeploy { service: name });
    }
    deployable(survey, service)?;
    if let Some(twin) = &survey.twin {
        return refuse(SetupRefused::SetupOfPair {
            service: name,
            arn: service.arn.clone(),
            twin: twin.clone(),
        });
    }
    if strategy(service.settings.get("deploymentConfiguration").unwrap_or(&json!({}))).is_none() {
        return refuse(SetupRefused::SetupOfUnknownStrategy {
            service: name,
            cluster: case.cluster(),
            strategy: service.strategy().to_owned(),
        });
    }
    Ok(())
}

fn has_at_most_one_group(case: &Case<'_>) -> Result<(), Refusal> {
    let service = case.service.name.clone();
    match &balancers(case.service)[..] {
        [] => Ok(()),
        [one] if one["targetGroupArn"].is_string() => Ok(()),
        [_] => refuse(SetupRefused::SetupOfClassicLoadBalancer { service }),
        several => refuse(SetupRefused::SeveralLoadBalancers { service, count: several.len() }),
    }
}

fn can_be_read(case: &Case<'_>) -> Result<(), Refusal> {
    let seen = case.seen;
    if case.is_headless() {
        return Ok(());
    }
    if let Some(reason) = seen.survey.blind.clone() {
        return refuse(ServiceRefused::LoadBalancerUnread { reason });
    }
    match case.is_advanced() {
        true => Ok(()),
        false => groups_can_be_read(seen),
    }
}

/// Whether what `setup` made is seen, or would be seen: without that it is neither found again nor undone. What may
/// be read can change between two steps.
fn made_is_known(asked: &Setup, seen: &Seen, own: &Service) -> Result<(), Refusal> {
    if balancers(own).is_empty() {
        return Ok(());
    }
    if let Some(reason) = seen.survey.blind.clone() {
        return refuse(ServiceRefused::LoadBalancerUnread { reason });
    }
    let unread = |group: &str, part, action| {
        refuse(SetupRefused::GroupUnread { group: group.to_owned(), part, action })
    };
    for group in [&seen.first, &seen.second].into_iter().flatten() {
        if group.tags.is_none() {
            return unread(&group.name, "tags", "elasticloadbalancing:DescribeTags");
        }
        if asked.undo && group.targets.is_none() {
            return unread(&group.name, "targets", "elasticloadbalancing:DescribeTargetHealth");
        }
    }
    Ok(())
}

/// A copy has the attributes and the tags of the first one.
pub(super) fn groups_can_be_read(seen: &Seen) -> Result<(), Refusal> {
    let groups = [&seen.first, &seen.second];
    for group in groups.into_iter().flatten() {
        let unread = [
            (
                group.attributes.is_none(),
                "attributes",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
            ),
            (group.tags.is_none(), "tags", "elasticloadbalancing:DescribeTags"),
        ];
        if let Some((_, part, action)) = unread.into_iter().find(|(unread, ..)| *unread) {
            return refuse(SetupRefused::GroupUnread { group: group.name.clone(), part, action });
        }
    }
    Ok(())
}

/// ECS replaces the tasks by new ones of the same revision: they must be able to start.
fn can_start_tasks(case: &Case<'_>) -> Result<(), Refusal> {
    if !case.replaces_tasks() {
        return Ok(());
    }
    let arn = &case.service.revision;
    if case.seen.survey.revisions.get(arn).is_some_and(|revision| !revision.active) {
        return refuse(SetupRefused::RunsInactive {
            service: case.service.name.clone(),
            cluster: case.cluster(),
            revision: short(arn).to_owned(),
        });
    }
    missing_images(&case.seen.images, &case.seen.digests)
}

fn keeps_all_tasks(case: &Case<'_>) -> Result<(), Refusal> {
    let percent = case.service.min_healthy_percent;
    if !case.replaces_tasks() || percent >= 100 {
        return Ok(());
    }
    refuse(SetupRefused::StopsFirst {
        service: case.service.name.clone(),
        cluster: case.cluster(),
        min_healthy: percent,
    })
}

fn nothing_else_runs(case: &Case<'_>) -> Result<(), Refusal> {
    let (service, survey) = (case.service, &case.seen.survey);
    if can_be_set_up(case).is_err() {
        return Ok(());
    }
    if let Some(Ok(record)) = survey.open_record() {
        return Err(unfinished(survey, &record));
    }
    // What setup has begun is gone on with.
    let is_ours = case.is_advanced() && service.strategy() == "ROLLING";
    if is_ours || !is_deploying(service) {
        return Ok(());
    }
    let failed = service.primary().is_some_and(|one| one.rollout.as_deref() == Some("FAILED"));
    let (service, cluster) = (service.name.clone(), case.cluster());
    match failed {
        true => refuse(SetupRefused::LastFailed { service, cluster }),
        false => refuse(SetupRefused::Deploying { service, cluster }),
    }
}

fn rules_fit(case: &Case<'_>) -> Result<(), Refusal> {
    let (asked, seen) = (case.asked, case.seen);
    let is_seen = seen.first.is_some() && seen.survey.blind.is_none();
    if !is_seen || balancers(case.service).len() != 1 {
        return Ok(());
    }
    let rule = production(asked, seen)?;
    if case.is_advanced() {
        return Ok(());
    }
    match test_rule(asked, seen)? {
        Some(test) if test.arn == rule.arn => refuse(SetupRefused::TestRuleIsProduction),
        _ => Ok(()),
    }
}

fn second_group_fits(case: &Case<'_>) -> Result<(), Refusal> {
    match case.is_advanced() {
        true => Ok(()),
        false => group_fits(case.asked, case.seen, CLONE_TAG),
    }
}

/// The second group is there if it was named, and can be used.
pub(super) fn group_fits(asked: &Setup, seen: &Seen, tag: &str) -> Result<(), Refusal> {
    let (Some(first), second) = (&seen.first, &seen.second) else { return Ok(()) };
    let Some(second) = second else {
        return match &asked.alternate {
            Some(arn) => refuse(SetupRefused::NoSecondGroup { arn: arn.clone() }),
            None => Ok(()),
        };
    };
    let named = asked.alternate.is_some();
    let is_clone = second.is_made_for(tag, &first.name);
    let unfit = |unfit| {
        refuse(SetupRefused::SecondGroupUnfit {
            group: second.name.clone(),
            arn: second.arn.clone(),
            first: first.name.clone(),
            is_named: named,
            unfit,
        })
    };
    if first.arn == second.arn {
        return unfit(Unfit::IsFirst);
    }
    let members: &[&str] = if named { &VITAL } else { &MEMBERS };
    if let Some(member) = first.differs(second, members) {
        return unfit(Unfit::Differs { member });
    }
    if !named && !is_clone && first.attributes != second.attributes {
        return unfit(Unfit::OtherAttributes);
    }
    let own = first.load_balancers();
    if second.load_balancers().iter().any(|balancer| !own.contains(balancer)) {
        return unfit(Unfit::OtherLoadBalancer);
    }
    if second.targets.is_some_and(|count| count > 0) {
        return unfit(Unfit::InUse);
    }
    Ok(())
}

/// The quotas leave room for the target group and the rule.
fn has_room(case: &Case<'_>) -> Result<(), Refusal> {
    let seen = case.seen;
    let (Some(quotas), Some(first)) = (&seen.quotas, &seen.first) else { return Ok(()) };
    let region = case.service.arn.split(':').nth(3).unwrap_or_default();
    let (group, rule) = makes(case.asked, seen);
    let mut exceeded = Vec::new();
    for balancer in first.load_balancers() {
        if group {
            exceeded.extend(quota::for_group(quotas, region, balancer));
        }
        let rules = seen.survey.rule_counts.get(balancer).filter(|_| rule);
        exceeded.extend(rules.and_then(|used| quota::for_rule(quotas, balancer, *used)));
    }
    match exceeded.into_iter().next() {
        None => Ok(()),
        Some(one) => refuse(SetupRefused::Quota(one)),
    }
}

fn has_a_role(case: &Case<'_>) -> Result<(), Refusal> {
    let has_group = balancers(case.service).len() == 1;
    match case.is_advanced() || !has_group {
        true => Ok(()),
        false => role_fits(case.asked, case.seen),
    }
}
