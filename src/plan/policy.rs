//! The least IAM policy with which a service can be deployed: one row for each call, with what it is for and
//! what AWS lets it be narrowed to (Service Authorization Reference). Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::named::{definition, log_groups, named_roles, named_secrets, runs_on_instances};
use super::setup::policy_arn;
use super::{Survey, engine};
use crate::call::{Allowance, Call};
use crate::event::Refusal;
use crate::model::arn::family;
use crate::model::revision::Revision;
use crate::request::Request;
use crate::request::image::ImageRef;

/// What the policy allows beside a deployment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// `ecs-bg run` and `deploy --before`.
    pub tasks: bool,
    /// `--alarm`.
    pub alarms: bool,
    /// `ecs-bg doctor`.
    pub doctor: bool,
    /// `ecs-bg setup`.
    pub setup: bool,
    /// `ecs-bg setup` without `--infrastructure-role`.
    pub setup_role: bool,
    /// `ecs-bg ecr login`.
    pub login: bool,
}

/// What every deployment calls.
const COMMON: &[Call] = {
    use Call::*;
    &[
        DescribeServices,
        UpdateService,
        ListServiceDeployments,
        DescribeServiceRevisions,
        DescribeTaskDefinition,
        ListTaskDefinitions,
        DeregisterTaskDefinition,
        RegisterTaskDefinition,
        TagResource,
        ListTasks,
        DescribeTasks,
        DescribeTargetGroups,
        DescribeTargetGroupAttributes,
        DescribeTargetHealth,
        DescribeListeners,
        DescribeRules,
        DescribeImages,
        GetLogEvents,
    ]
};
const INSTANCES: &[Call] = &[Call::DescribeContainerInstances, Call::ListContainerInstances];
const TASKS: &[Call] = &[Call::RunTask, Call::StopTask];
const ALARMS: &[Call] = &[Call::DescribeAlarms];
const DOCTOR: &[Call] = {
    use Call::*;
    &[
        DescribeAlarms,
        DescribeLogGroups,
        DescribeScalableTargets,
        DescribeScalingPolicies,
        GetRole,
        SimulatePrincipalPolicy,
        DescribeSecret,
        DescribeParameters,
        DescribeSubnets,
        DescribeInstances,
        DescribeInstanceTypes,
        DescribeLoadBalancers,
        DescribeAccountLimits,
        GetServiceQuota,
        GetMetricStatistics,
        BatchGetImage,
    ]
};
const SETUP: &[Call] = {
    use Call::*;
    &[
        DescribeTags,
        DescribeAccountLimits,
        CreateTargetGroup,
        ModifyTargetGroupAttributes,
        DeleteTargetGroup,
        CreateRule,
        DeleteRule,
        ModifyRule,
        ModifyListener,
        DescribeServiceDeployments,
    ]
};
const SETUP_ROLE: &[Call] =
    &[Call::GetRole, Call::ListAttachedRolePolicies, Call::CreateRole, Call::AttachRolePolicy];
const SCALED: &[Call] = &[Call::DescribeScalingPolicies, Call::RegisterScalableTarget];
const LOGIN: &[Call] = &[Call::GetAuthorizationToken, Call::DescribeRepositories];

/// What AWS lets a call be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum On {
    Everything,
    /// Everything, in the cluster (the condition `ecs:cluster`).
    InCluster,
    Cluster,
    Services,
    /// The services, and their deployments or revisions.
    OfServices,
    Families,
    TasksOfCluster,
    InstancesOfCluster,
    Rules,
    Listeners,
    /// Rules that are made, and their listeners.
    NewRules,
    Repositories,
    LogGroups,
    TargetGroups,
    /// The scalable targets of ECS services: AWS gives each an id of its own.
    ScalableTargets,
    Roles,
    /// A role that is made.
    NewRole,
    /// The same, which may be given one policy only.
    PolicyOfNewRole,
    Secrets,
    /// Revisions, which cannot be named (they are deregistered).
    Revisions,
}

/// What each call can be narrowed to.
fn scope(call: Call) -> On {
    use Call::*;
    match call {
        DescribeServices | UpdateService | ListServiceDeployments => On::Services,
        DescribeServiceRevisions
        | DescribeServiceDeployments
        | StopServiceDeployment
        | ContinueServiceDeployment => On::OfServices,
        DeregisterTaskDefinition => On::Revisions,
        RegisterTaskDefinition | TagResource | RunTask => On::Families,
        ListTasks | ListServices => On::InCluster,
        DescribeTasks | StopTask => On::TasksOfCluster,
        DescribeContainerInstances => On::InstancesOfCluster,
        ListContainerInstances => On::Cluster,
        ModifyRule => On::Rules,
        ModifyListener => On::Listeners,
        CreateRule | DeleteRule => On::NewRules,
        DescribeImages | DescribeRepositories | BatchGetImage => On::Repositories,
        GetRole => On::Roles,
        ListAttachedRolePolicies | CreateRole => On::NewRole,
        AttachRolePolicy => On::PolicyOfNewRole,
        DescribeSecret => On::Secrets,
        GetLogEvents => On::LogGroups,
        RegisterScalableTarget => On::ScalableTargets,
        CreateTargetGroup | ModifyTargetGroupAttributes | DeleteTargetGroup => On::TargetGroups,
        DescribeTaskDefinition
        | ListTaskDefinitions
        | DescribeTargetGroups
        | DescribeTargetGroupAttributes
        | DescribeTargetHealth
        | DescribeListeners
        | DescribeRules
        | DescribeTags
        | DescribeScalableTargets
        | DescribeScalingPolicies
        | DescribeAlarms
        | DescribeLogGroups
        | DescribeParameters
        | DescribeSubnets
        | DescribeInstances
        | DescribeInstanceTypes
        | DescribeLoadBalancers
        | DescribeAccountLimits
        | GetServiceQuota
        | GetMetricStatistics
        | SimulatePrincipalPolicy
        | GetAuthorizationToken
        | AssumeRole => On::Everything,
    }
}

/// A policy document.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

impl Policy {
    fn of(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }
}

/// Nobody else may write a record: it steers the next deployment.
pub fn deny() -> Policy {
    let condition = json!({ "ForAnyValue:StringLike": { "aws:TagKeys": "ecs-bg:*" } });
    Policy::of(vec![Statement {
        sid: "NobodyElseWritesRecords",
        effect: "Deny",
        action: vec!["ecs:TagResource", "ecs:UntagResource"],
        resource: vec![
            "arn:*:ecs:*:*:task-definition/*".to_owned(),
            "arn:*:ecs:*:*:service/*".to_owned(),
        ],
        condition: Some(condition),
    }])
}

/// The least policy for a request's service.
pub fn policy(request: &Request, survey: &Survey, beside: Beside) -> Result<Policy, Refusal> {
    let (row, _) = engine::engine(request, survey)?;
    let resources = Resources::of(survey);
    let is_scaled = row.twin.is_some()
        && survey.world.scalable.as_ref().is_some_and(|targets| !targets.is_empty());
    let on_instances = survey.world.services.values().any(runs_on_instances);
    let sets = [
        (true, COMMON),
        (true, row.calls),
        (on_instances, INSTANCES),
        (beside.tasks, TASKS),
        (beside.alarms, ALARMS),
        (beside.doctor, DOCTOR),
        (beside.setup, SETUP),
        (beside.setup_role, SETUP_ROLE),
        (is_scaled, SCALED),
        (beside.login, LOGIN),
    ];
    let calls = sets.iter().filter(|(is_meant, _)| *is_meant).flat_map(|(_, calls)| *calls);
    let mut by_scope: BTreeMap<On, BTreeSet<&'static str>> = BTreeMap::new();
    for call in calls {
        let own = call.info().actions.iter().filter(|action| **action != PASS_ROLE);
        let on = match *call {
            // The role to make may have any name.
            Call::GetRole if beside.setup_role => On::NewRole,
            call => scope(call),
        };
        by_scope.entry(on).or_default().extend(own.copied());
    }
    let mut statements: Vec<Statement> = by_scope
        .into_iter()
        .map(|(on, actions)| {
            let (sid, resource) = resources.on(on);
            let condition = match on {
                On::InCluster => Some(json!({ "ArnEquals": { "ecs:cluster": resources.cluster } })),
                On::ScalableTargets => Some(
                    json!({ "StringEquals": { "application-autoscaling:service-namespace": "ecs" } }),
                ),
                On::PolicyOfNewRole => {
                    Some(json!({ "ArnEquals": { "iam:PolicyARN": resources.policy } }))
                }
                _ => None,
            };
            let action = actions.into_iter().collect();
            Statement { sid, effect: "Allow", action, resource, condition }
        })
        .filter(|statement| !statement.resource.is_empty())
        .collect();
    let pass = |sid, resource: Vec<String>, service: &str| Statement {
        sid,
        effect: "Allow",
        action: vec![PASS_ROLE],
        resource,
        condition: Some(json!({ "StringEquals": { "iam:PassedToService": service } })),
    };
    if !resources.roles.is_empty() {
        let roles = resources.roles.iter().cloned().collect();
        statements.push(pass("PassTheRolesOfTheTask", roles, "ecs-tasks.amazonaws.com"));
    }
    if beside.setup {
        statements.push(pass("PassTheRoleOfECS", vec![resources.any_role], "ecs.amazonaws.com"));
    }
    Ok(Policy::of(statements))
}

/// All that a deployment of a request's service changes.
pub fn changes(request: &Request, survey: &Survey) -> Vec<Allowance> {
    let Ok(policy) = policy(request, survey, Beside::default()) else { return vec![] };
    let calls = Call::all().filter(|call| call.info().changes);
    let writes: BTreeSet<&str> = calls.flat_map(|call| call.info().actions).copied().collect();
    let mut changes = Vec::new();
    for statement in policy.statement {
        for action in statement.action.iter().filter(|action| writes.contains(*action)) {
            let one = |resource: &String| Allowance {
                action: (*action).to_owned(),
                // Any one stands for all of them.
                resource: match resource.as_str() {
                    "*" => resource.clone(),
                    resource => resource.replace('*', "1"),
                },
            };
            changes.extend(statement.resource.iter().map(one));
        }
    }
    changes.sort();
    changes.dedup();
    changes
}

const PASS_ROLE: &str = "iam:PassRole";

/// What the service's deployments are about.
struct Resources {
    /// `arn:aws:ecs:eu-central-1:123456789012`
    ecs: String,
    name: String,
    cluster: String,
    services: BTreeSet<String>,
    families: BTreeSet<String>,
    rules: BTreeSet<String>,
    listeners: BTreeSet<String>,
    new_rules: BTreeSet<String>,
    repositories: BTreeSet<String>,
    logs: BTreeSet<String>,
    roles: BTreeSet<String>,
    secrets: BTreeSet<String>,
    groups: BTreeSet<String>,
    any_role: String,
    /// The policy of ECS's role.
    policy: String,
    targets: String,
}

impl Resources {
    fn of(survey: &Survey) -> Self {
        let world = &survey.world;
        let services: BTreeSet<String> = world.services.keys().cloned().collect();
        let first = services.first().cloned().unwrap_or_default();
        let ecs = first.split(":service/").next().unwrap_or_default().to_owned();
        let running = world.services.values().filter_map(|one| survey.revisions.get(&one.revision));
        let running: Vec<&Revision> = running.collect();
        let partition = ecs.split(':').nth(1).unwrap_or("aws").to_owned();
        let images = running.iter().flat_map(|one| &one.containers);
        let repositories = images.filter_map(|(_, image)| {
            let image: ImageRef = image.parse().ok()?;
            let own = image.ecr()?;
            let (region, account, name) = (own.region, own.account, own.name);
            Some(format!("arn:{partition}:ecr:{region}:{account}:repository/{name}"))
        });
        let place = ecs.split(':').skip(3).collect::<Vec<_>>().join(":");
        let region = place.split(':').next().unwrap_or_default();
        let account = place.split(':').nth(1).unwrap_or_default();
        let definitions: Vec<Value> = running.iter().map(|one| definition(one)).collect();
        let logs = definitions.iter().flat_map(log_groups).map(|(group, own)| {
            let region = own.as_deref().unwrap_or(region);
            format!("arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:*")
        });
        // A role may be given by its name.
        let full = |role: String| match role.starts_with("arn:") {
            true => role,
            false => format!("arn:{partition}:iam::{account}:role/{role}"),
        };
        let roles = definitions.iter().flat_map(named_roles).map(full);
        let secrets =
            definitions.iter().flat_map(named_secrets).map(|id| match id.starts_with("arn:") {
                true => id,
                false => {
                    format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????")
                }
            });
        let rules = world.rules.values();
        Self {
            name: survey.cluster_name().to_owned(),
            cluster: format!("{ecs}:cluster/{}", survey.cluster_name()),
            families: world
                .services
                .values()
                .map(|one| family(&one.revision))
                .map(|family| format!("{ecs}:task-definition/{family}:*"))
                .collect(),
            rules: rules.clone().filter(|one| !one.is_default).map(|one| one.arn.clone()).collect(),
            new_rules: rules
                .clone()
                .flat_map(|one| {
                    let below = one.listener.replacen(":listener/", ":listener-rule/", 1);
                    [one.listener.clone(), format!("{below}/*")]
                })
                .collect(),
            listeners: rules.filter(|one| one.is_default).map(|one| one.listener.clone()).collect(),
            repositories: repositories.collect(),
            logs: logs.collect(),
            roles: roles.collect(),
            secrets: secrets.collect(),
            groups: world
                .groups
                .values()
                .map(|group| match group.arn.rsplit_once(":targetgroup/") {
                    // The second one that `setup` makes is named after the first.
                    Some((place, _)) => format!("{place}:targetgroup/{}*/*", group.name),
                    None => group.arn.clone(),
                })
                .collect(),
            targets: format!(
                "arn:{partition}:application-autoscaling:{region}:{account}:scalable-target/*"
            ),
            any_role: format!("arn:{partition}:iam::{account}:role/*"),
            policy: policy_arn(&partition),
            services,
            ecs,
        }
    }

    /// The statement's name, and its resources.
    fn on(&self, on: On) -> (&'static str, Vec<String>) {
        let all = || vec!["*".to_owned()];
        let many = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        let within = |kind: &str| vec![format!("{}:{kind}/{}/*", self.ecs, self.name)];
        match on {
            On::Everything => ("Read", all()),
            On::InCluster => ("ListInCluster", all()),
            On::Cluster => ("Cluster", vec![self.cluster.clone()]),
            On::Services => ("Services", many(&self.services)),
            On::OfServices => {
                let kinds = ["service-deployment", "service-revision"];
                let of = |arn: &String| {
                    let (place, name) = arn.split_once(":service/").unwrap_or((arn, ""));
                    kinds.map(|kind| format!("{place}:{kind}/{name}/*"))
                };
                (
                    "DeploymentsOfServices",
                    many(&self.services)
                        .into_iter()
                        .chain(self.services.iter().flat_map(of))
                        .collect(),
                )
            }
            On::Families => ("TaskDefinitions", many(&self.families)),
            On::TasksOfCluster => ("Tasks", within("task")),
            On::InstancesOfCluster => ("Instances", within("container-instance")),
            On::Rules => ("Weights", many(&self.rules)),
            On::Listeners => ("WeightsOfDefaultRules", many(&self.listeners)),
            On::NewRules => ("RuleForTests", many(&self.new_rules)),
            On::Repositories => ("Images", many(&self.repositories)),
            On::LogGroups => ("Logs", many(&self.logs)),
            On::TargetGroups => ("SecondTargetGroup", many(&self.groups)),
            On::ScalableTargets => ("Scaling", vec![self.targets.clone()]),
            On::Roles => ("Roles", many(&self.roles)),
            On::NewRole => ("RoleOfECS", vec![self.any_role.clone()]),
            On::PolicyOfNewRole => ("PolicyOfTheRoleOfECS", vec![self.any_role.clone()]),
            On::Secrets => ("Secrets", many(&self.secrets)),
            On::Revisions => ("OldRevisions", all()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that no policy of ours has.
    const OTHERS: [Call; 2] = [
        // Proposes a twin, where none is known.
        Call::ListServices,
        // Is allowed on another role, by its owner.
        Call::AssumeRole,
    ];

    #[test]
    fn every_call_is_for_something() {
        let engines = engine::all().flat_map(|engine| engine.calls).copied();
        let sets = [COMMON, INSTANCES, TASKS, DOCTOR, SETUP, SETUP_ROLE, SCALED, LOGIN, &OTHERS];
        let sets = sets.concat();
        let known: BTreeSet<Call> = sets.into_iter().chain(engines).collect();
        assert_eq!(known, Call::all().collect());
    }
}
