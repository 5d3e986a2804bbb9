//! What must be true before a service is set up.

use serde_json::{Value, json};

use super::undo::check_undo;
use super::{MEMBERS, Seen, VITAL, is_deploying, named_arn, production, steps};
use crate::error::Refusal;
use crate::model::arn::short;
use crate::model::world::Service;
use crate::plan::checks::image::missing_images;
pub(super) use crate::plan::checks::service::deployable;
use crate::plan::checks::{refuse, service as services};
use crate::plan::unfinished;
use crate::request::setup::Setup;
use crate::route::configuration::strategy;

/// All that is in the way. Nothing was changed.
pub fn check(asked: &Setup, seen: &Seen) -> Result<(), Refusal> {
    let own = services::existing(&seen.survey, &seen.survey.service)?;
    if asked.undo {
        return check_undo(asked, seen, own);
    }
    if steps(asked, seen).is_empty() && own.strategy() != "ROLLING" {
        return Ok(());
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

struct Case<'a> {
    asked: &'a Setup,
    seen: &'a Seen,
    service: &'a Service,
}

type Run = fn(&Case<'_>) -> Result<(), Refusal>;

/// What must be true. A check that needs what another one finds wrong says nothing.
const CHECKS: [(&str, Run); 9] = [
    ("service", can_be_set_up),
    ("load-balancer", has_at_most_one_group),
    ("permissions", can_be_read),
    ("image", can_start_tasks),
    ("percent", keeps_all_tasks),
    ("deployment", nothing_else_runs),
    ("rule", rules_fit),
    ("target-group", second_group_fits),
    ("role", has_a_role),
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

    fn of_service(&self, command: &str) -> String {
        let (cluster, name) = (self.seen.survey.cluster_name(), &self.service.name);
        format!("{command} --cluster {cluster} --service {name}")
    }
}

pub(super) fn balancers(service: &Service) -> Vec<Value> {
    let list = service.settings.get("loadBalancers").and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

fn can_be_set_up(case: &Case<'_>) -> Result<(), Refusal> {
    let (service, survey) = (case.service, &case.seen.survey);
    let name = &service.name;
    let controller = services::setting_at(service, &["deploymentController", "type"]);
    if controller.and_then(Value::as_str) == Some("CODE_DEPLOY") {
        return refuse(
            format!(
                "{name} is deployed by CodeDeploy (controller CODE_DEPLOY); setup does not migrate it"
            ),
            "put both target groups into the production rule with the weights 1 and 0, then one aws ecs \
             update-service with deploymentController ECS, strategy BLUE_GREEN and advancedConfiguration; last, \
             delete the CodeDeploy deployment group (Developer Guide, \"Migrate CodeDeploy blue/green deployments\")",
        );
    }
    deployable(survey, service)?;
    if let Some(twin) = &survey.twin {
        return refuse(
            format!("{name} has the twin {twin}: the engine listener deploys the pair"),
            format!(
                "if the pair is not used any more: aws ecs untag-resource --resource-arn {} --tag-keys ecs-bg:twin",
                service.arn
            ),
        );
    }
    if strategy(service.settings.get("deploymentConfiguration").unwrap_or(&json!({}))).is_none() {
        return refuse(
            format!(
                "{name} has the deployment strategy {}, which setup does not know",
                service.strategy()
            ),
            case.of_service("ecs-bg status"),
        );
    }
    Ok(())
}

fn has_at_most_one_group(case: &Case<'_>) -> Result<(), Refusal> {
    let name = &case.service.name;
    match &balancers(case.service)[..] {
        [] => Ok(()),
        [one] if one["targetGroupArn"].is_string() => Ok(()),
        [_] => refuse(
            format!("{name} is behind a Classic Load Balancer, whose traffic ECS cannot shift"),
            "aws elbv2 create-load-balancer --name NAME --subnets SUBNET SUBNET",
        ),
        several => refuse(
            format!(
                "{name} has {} load balancers; setup works with one target group",
                several.len()
            ),
            "add advancedConfiguration to each entry of loadBalancers yourself: aws ecs update-service --load-balancers …",
        ),
    }
}

fn can_be_read(case: &Case<'_>) -> Result<(), Refusal> {
    let seen = case.seen;
    if case.is_headless() {
        return Ok(());
    }
    if seen.survey.blind.is_some() {
        return refuse(
            "the load balancer cannot be read",
            "allow elasticloadbalancing:Describe* to these credentials",
        );
    }
    let groups = [&seen.first, &seen.second];
    for group in groups.into_iter().flatten().filter(|_| !case.is_advanced()) {
        let unread = [
            (
                group.attributes.is_none(),
                "attributes",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
            ),
            (group.tags.is_none(), "tags", "elasticloadbalancing:DescribeTags"),
        ];
        if let Some((_, what, action)) = unread.into_iter().find(|(unread, ..)| *unread) {
            return refuse(
                format!("the {what} of target group {} cannot be read", group.name),
                format!("allow {action} to these credentials"),
            );
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
        return refuse(
            format!(
                "{} is INACTIVE: ECS could not start new tasks of what {} runs",
                short(arn),
                case.service.name
            ),
            case.of_service("ecs-bg deploy") + " --tag TAG",
        );
    }
    missing_images(&case.seen.images, &case.seen.digests)
}

fn keeps_all_tasks(case: &Case<'_>) -> Result<(), Refusal> {
    let percent = case.service.min_healthy_percent;
    if !case.replaces_tasks() || percent >= 100 {
        return Ok(());
    }
    refuse(
        format!(
            "minimumHealthyPercent of {} is {percent}: ECS would stop tasks before the new ones are healthy",
            case.service.name
        ),
        case.of_service("ecs-bg deploy") + " --min-healthy 100 --force-new-deployment",
    )
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
    let what = match failed {
        true => format!("the last deployment of {} failed: it must be well first", service.name),
        false => format!("ECS deploys {} right now", service.name),
    };
    refuse(what, case.of_service("ecs-bg status"))
}

fn rules_fit(case: &Case<'_>) -> Result<(), Refusal> {
    let (asked, seen) = (case.asked, case.seen);
    let Some(first) = seen.first.as_ref().filter(|_| seen.survey.blind.is_none()) else {
        return Ok(());
    };
    if balancers(case.service).len() != 1 {
        return Ok(());
    }
    let rule = production(asked, seen)?;
    let Some(arn) = asked.test.as_ref().filter(|_| !case.is_advanced()) else { return Ok(()) };
    let other = "--test-rule ARN of a rule that forwards to one of the two target groups";
    if arn == named_arn(rule) {
        return refuse("--test-rule: it is the production rule", other);
    }
    let second = seen.second.as_ref().map(|group| &group.arn);
    let is_ours = |(group, _): &(String, u32)| *group == first.arn || Some(group) == second;
    match &seen.test {
        None => refuse(format!("--test-rule: there is no {arn}"), other),
        Some(test) if !test.weights().iter().any(is_ours) => refuse(
            format!("--test-rule: rule {} does not forward to {}", test.name, first.name),
            other,
        ),
        Some(_) => Ok(()),
    }
}

fn second_group_fits(case: &Case<'_>) -> Result<(), Refusal> {
    let (asked, seen) = (case.asked, case.seen);
    if case.is_advanced() {
        return Ok(());
    }
    let (Some(first), second) = (&seen.first, &seen.second) else { return Ok(()) };
    let Some(second) = second else {
        return match &asked.alternate {
            Some(arn) => refuse(
                format!("--alternate-target-group: there is no {arn}"),
                "leave it out: setup makes a copy of the first one",
            ),
            None => Ok(()),
        };
    };
    let named = asked.alternate.is_some();
    let is_clone = second.is_clone_of(&first.name);
    let hint = match named {
        true => {
            "leave out --alternate-target-group: setup makes a copy of the first one".to_owned()
        }
        false => format!(
            "--alternate-target-group ARN of another one, or delete it if nothing uses it: aws elbv2 \
             delete-target-group --target-group-arn {}",
            second.arn
        ),
    };
    if first.arn == second.arn {
        return refuse(format!("{} is the target group of the service already", first.name), hint);
    }
    let members: &[&str] = if named { &VITAL } else { &MEMBERS };
    if let Some(member) = first.differs(second, members) {
        return refuse(
            format!("target group {} differs from {} in {member}", second.name, first.name),
            hint,
        );
    }
    if !named && !is_clone && first.attributes != second.attributes {
        return refuse(
            format!("target group {} has other attributes than {}", second.name, first.name),
            hint,
        );
    }
    let own = first.load_balancers();
    if second.load_balancers().iter().any(|balancer| !own.contains(balancer)) {
        return refuse(
            format!("target group {} belongs to another load balancer", second.name),
            hint,
        );
    }
    if second.targets.is_some_and(|count| count > 0) {
        return refuse(format!("target group {} has targets: it is in use", second.name), hint);
    }
    Ok(())
}

fn has_a_role(case: &Case<'_>) -> Result<(), Refusal> {
    let has_group = balancers(case.service).len() == 1;
    if case.is_advanced() || !has_group || case.asked.role.is_some() {
        return Ok(());
    }
    let partition = case.service.arn.split(':').nth(1).unwrap_or("aws");
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    refuse(
        "ECS needs a role to change the rules of the load balancer: --infrastructure-role ARN",
        format!(
            "aws iam create-role --role-name ecs-load-balancers --assume-role-policy-document '{trust}' && aws iam \
             attach-role-policy --role-name ecs-load-balancers --policy-arn \
             arn:{partition}:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
        ),
    )
}
