//! What AWS said in one look: types only. Engine-neutral, keyed by ARN. A part
//! that was not read is absent (`None`, or no entry), never empty: absent does not mean that there is none.

use super::arn::short;
use super::serial::seconds;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use super::reads::{Answered, Moment, Part};
use super::scaling::{Scalable, Suspended};
use super::service_deployment::{Advanced, ServiceDeployment};

/// How much a look takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Services and the health of the side that is watched: enough to wait by. The rest of the
    /// world is what an earlier look saw.
    Glance,
    /// All that a change may be decided on: rules by ARN, the health of both sides, green's tasks.
    Whole,
    /// As `Whole`, with the rules found anew by listing every rule of the load balancers.
    Listing,
}

/// What AWS said.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// When, by AWS's own clock (its `Date` header).
    pub at: SystemTime,
    /// What was looked at.
    pub look: Look,
    /// When each of its parts was answered last.
    pub answered: Answered,
    /// Parts that were asked for in vain when they were asked for last.
    pub unanswered: BTreeSet<Part>,
    /// The services, by ARN.
    pub services: BTreeMap<String, Service>,
    /// Rules (and listeners' default rules) that forward to a group of the pair, by ARN.
    pub rules: BTreeMap<String, Rule>,
    /// Rules that were changed since they were last read: they show AWS's answer to the change.
    pub unread: BTreeSet<String>,
    /// The owner that the record in the tags names; `None` when that was not read.
    pub owner: Option<String>,
    /// Target groups, by ARN.
    pub groups: BTreeMap<String, Group>,
    /// Targets of each target group that was asked for, by the group's ARN.
    pub health: BTreeMap<String, Vec<Target>>,
    /// Tasks of each service that was asked for, by the service's ARN: running ones and stopped
    /// ones as long as ECS remembers them (an hour at least).
    pub tasks: BTreeMap<String, Vec<Task>>,
    /// ECS's own records of the newest deployments of the service, newest first, where ECS shifts its
    /// traffic; `None`: not read.
    pub deployments: Option<Vec<ServiceDeployment>>,
    /// The task that runs before anything serves, where there is to be one; `None`: not asked for yet.
    pub prepare: Option<Vec<Task>>,
    /// The scalable targets of the services; `None`: not read.
    pub scalable: Option<Vec<Scalable>>,
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks running.
    pub running: u32,
    /// Tasks pending.
    pub pending: u32,
    /// The ARN of the revision it is on.
    pub revision: String,
    /// Its deployments, newest first.
    pub deployments: Vec<Deployment>,
    /// The target groups it registers its tasks in.
    pub attachments: Vec<Attachment>,
    /// Newest first.
    pub events: Vec<ServiceEvent>,
    /// How long ECS ignores failing health checks after a task started.
    pub grace: Duration,
    /// `deploymentConfiguration.minimumHealthyPercent`.
    pub min_healthy_percent: u32,
    /// `deploymentConfiguration.maximumPercent`.
    pub max_percent: u32,
    /// Whether ECS itself may put it back (circuit breaker or alarms with rollback).
    pub ecs_rolls_back: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The members that a pair should have alike, and those that rule it out, as AWS sent them:
    /// `networkConfiguration`, `launchType`, `deploymentController`, … Empty on a glance.
    pub settings: BTreeMap<String, Value>,
}

/// One of a service's deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE`, …: AWS adds to these.
    pub status: String,
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub rollout: Option<String>,
    /// Why, in AWS's words.
    pub reason: Option<String>,
    /// The ARN of its revision.
    pub revision: String,
    /// Tasks wanted.
    pub desired: u32,
    /// Tasks running.
    pub running: u32,
    /// Tasks pending.
    pub pending: u32,
    /// Tasks that failed one after the other.
    pub failed: u32,
    /// When it began.
    pub created: Option<SystemTime>,
}

/// A target group that a service registers its tasks in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The group's ARN.
    pub group: String,
    /// The container.
    pub container: String,
    /// Its port.
    pub port: u16,
    /// How ECS shifts traffic between it and another group, where the service is set up for that.
    pub advanced: Option<Advanced>,
}

/// One line of a service's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// When.
    pub at: SystemTime,
    /// What.
    pub message: String,
}

/// A rule, or a listener's default rule. Its actions are kept as AWS wrote them, as the parameters
/// of a query request: what is not understood is sent back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its listener.
    pub listener: String,
    /// That listener's port and whether it speaks TLS, where its listener was read.
    pub entry: Option<Entry>,
    /// A default rule changes only through its listener.
    pub is_default: bool,
    /// `load balancer:port rule priority`, for people.
    pub name: String,
    /// `("member.1.Type", "forward")`, …
    pub actions: Vec<(String, String)>,
}

/// Where requests reach a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// ARNs of the load balancers that use it.
    pub load_balancers: Vec<String>,
    /// `HTTP`, `TCP`, …
    pub protocol: String,
    /// `ip`, `instance`, …
    pub target_type: String,
    /// The health check.
    pub check: Check,
    /// Its attributes; `None` where they could not be read.
    pub attributes: Option<BTreeMap<String, String>>,
}

/// What an instance of a cluster has left for tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// CPU units.
    pub cpu: u64,
    /// MiB of memory.
    pub memory: u64,
    /// Its id in Amazon EC2, where each task with an interface of its own takes one of those that it can have.
    pub instance: Option<String>,
    /// How many interfaces it can still have, where that is known.
    pub interfaces: Option<u64>,
}

/// A subnet of Amazon VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its Availability Zone.
    pub zone: String,
    /// How many addresses it has left, where AWS says so.
    pub free: Option<u32>,
}

/// An alarm of CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state is `ALARM`.
    pub fires: bool,
}

/// How a target group checks its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Check {
    /// `HTTP`, `TCP`, …
    pub protocol: String,
    /// The port, or `traffic-port`.
    pub port: String,
    /// The path; empty for TCP.
    pub path: String,
    /// The codes that count as healthy; empty for TCP.
    pub matcher: String,
    /// The codes are gRPC's, not HTTP's.
    pub grpc: bool,
    /// Time between two checks.
    #[serde(rename = "interval_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub interval: Duration,
    /// Time that an answer may take.
    #[serde(rename = "timeout_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    pub timeout: Duration,
    /// Failed checks that make a target unhealthy.
    pub unhealthy: u32,
    /// Good checks that make an unhealthy target healthy again.
    pub healthy: u32,
}

/// A target and its health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// An IP address or an instance's id.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// `healthy`, `initial`, `unhealthy`, `unused`, `draining`, …
    pub state: String,
    /// `Target.ResponseCodeMismatch`, …
    pub reason: Option<String>,
    /// In AWS's words.
    pub description: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its revision.
    pub revision: String,
    /// `PENDING`, `RUNNING`, `STOPPED`, …
    pub last_status: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// The container whose command is another one than its definition says, at RunTask's word.
    pub commanded: Option<String>,
    /// The id of the deployment that started it.
    pub started_by: Option<String>,
    /// When it was asked for.
    pub created: Option<SystemTime>,
    /// When ECS began to stop it.
    pub stopping: Option<SystemTime>,
    /// `EssentialContainerExited`, …
    pub stop_code: Option<String>,
    /// In AWS's words.
    pub stopped_reason: Option<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Where it can be reached: `(address or instance, port)`; a task with an address of its own
    /// answers on every port, which is port `None`.
    pub endpoints: Vec<(String, Option<u16>)>,
}

/// A container of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The image that was asked for.
    pub image: String,
    /// The digest that really runs.
    pub digest: Option<String>,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// Why, in AWS's words.
    pub reason: Option<String>,
    /// Whether the task ends with it; `None` where its definition was not read.
    pub essential: Option<bool>,
}

/// What AWS's answer to a change says of what was changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Nothing that a look takes in.
    Nothing,
    /// The service as it is now; such an answer has no tags.
    Service(Box<Service>),
    /// The rule as it is now.
    Rule(Box<Rule>),
    /// The task that runs before anything serves was started.
    Started(Vec<Task>),
    /// The scalable target of a service suspends this, and has the limits that were sent.
    Scaled {
        /// The service's name.
        service: String,
        /// `MinCapacity` and `MaxCapacity`.
        limits: (Option<u32>, Option<u32>),
        /// What it suspends.
        suspended: Suspended,
    },
}

impl World {
    /// The world after a change, as far as AWS's answer tells.
    #[must_use]
    pub fn told(mut self, told: Told) -> Self {
        match told {
            Told::Nothing => {}
            Told::Service(mut service) => {
                if let Some(old) = self.services.remove(&service.arn) {
                    service.tags = old.tags;
                    if service.desired == 0 && old.desired > 0 {
                        // How its targets were is no news of those that are left.
                        for group in service.groups() {
                            self.health.remove(group);
                            self.answered.remove(&Part::Health(group.clone()));
                        }
                    }
                }
                self.services.insert(service.arn.clone(), *service);
            }
            Told::Rule(rule) => {
                self.unread.insert(rule.arn.clone());
                self.rules.insert(rule.arn.clone(), *rule);
            }
            Told::Started(tasks) => self.prepare = Some(tasks),
            Told::Scaled { service, limits, suspended } => {
                let targets = self.scalable.iter_mut().flatten();
                for target in targets.filter(|target| target.service == service) {
                    target.min = limits.0.unwrap_or(target.min);
                    target.max = limits.1.unwrap_or(target.max);
                    target.suspended = suspended;
                }
            }
        }
        self
    }

    /// The world, with a part counted as never answered: nothing rests on it before it is read again.
    #[must_use]
    pub fn forget(mut self, part: &Part) -> Self {
        self.answered.remove(part);
        self
    }

    /// The targets of the groups that these services register in, as far as the groups were surveyed: others
    /// may not be read.
    pub fn target_parts<'a>(&self, services: impl IntoIterator<Item = &'a Service>) -> Vec<Part> {
        let groups = services.into_iter().flat_map(Service::groups);
        let groups: BTreeSet<_> = groups.filter(|one| self.groups.contains_key(*one)).collect();
        groups.into_iter().cloned().map(Part::Health).collect()
    }

    /// When targets were looked at last.
    pub fn targets_answered(&self) -> Option<&Moment> {
        let health = self.answered.iter().filter(|(part, _)| matches!(part, Part::Health(_)));
        health.map(|(_, moment)| moment).max_by_key(|moment| (moment.mono, moment.wall))
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.values().find(|service| service.name == name)
    }

    /// The scalable target of the service of that name, where one is known.
    pub fn scalable(&self, service: &str) -> Option<&Scalable> {
        self.scalable.iter().flatten().find(|target| target.service == service)
    }

    /// The targets of a group; `None` when they were not read.
    pub fn targets(&self, group: &str) -> Option<&[Target]> {
        self.health.get(group).map(Vec::as_slice)
    }

    /// Healthy targets of the group that has fewest, of a service; `None` when one was not read or
    /// the service is in no group.
    pub fn healthy(&self, service: &Service) -> Option<usize> {
        let of = |group: &String| {
            Some(self.targets(group)?.iter().filter(|target| target.is_healthy()).count())
        };
        // Where ECS shifts the traffic, its tasks stand in either group.
        let count = |one: &Attachment| match &one.advanced {
            Some(advanced) => Some(of(&one.group)? + of(&advanced.alternate)?),
            None => of(&one.group),
        };
        let counts: Option<Vec<usize>> = service.attachments.iter().map(count).collect();
        counts?.into_iter().min()
    }
}

impl Service {
    /// ECS's deployment strategy for it.
    pub fn strategy(&self) -> &str {
        let strategy = self.settings.get("deploymentConfiguration").map(|all| &all["strategy"]);
        strategy.and_then(Value::as_str).unwrap_or("ROLLING")
    }

    /// Whether it is set up for ECS to shift its traffic: all its load balancers say how.
    pub fn is_advanced(&self) -> bool {
        !self.attachments.is_empty() && self.attachments.iter().all(|one| one.advanced.is_some())
    }

    /// Whether ECS keeps service deployments of it that matter: it shifts its traffic, or is set up for that.
    pub fn has_service_deployments(&self) -> bool {
        self.is_advanced() || self.strategy() != "ROLLING"
    }

    /// The alarms that ECS watches while it is deployed.
    pub fn alarms(&self) -> Vec<String> {
        let configuration = self.settings.get("deploymentConfiguration");
        let alarms = configuration.map(|all| &all["alarms"]).filter(|one| one["enable"] == true);
        let names = alarms.and_then(|one| one["alarmNames"].as_array()).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Every target group that its tasks may stand in.
    pub fn groups(&self) -> impl Iterator<Item = &String> {
        self.attachments.iter().flat_map(|one| {
            let other = one.advanced.as_ref().map(|advanced| &advanced.alternate);
            std::iter::once(&one.group).chain(other)
        })
    }

    /// The deployment that ECS works towards.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.status == "PRIMARY")
    }
}

impl Target {
    /// Whether the load balancer would send requests to it.
    pub fn is_healthy(&self) -> bool {
        self.state == "healthy"
    }
}

impl World {
    /// Whether a target is a task of a revision that runs in a service; `None`: its tasks were not read.
    pub fn runs(&self, service: &Service, target: &Target, revision: &str) -> Option<bool> {
        let mut tasks = self.tasks.get(&service.arn)?.iter();
        Some(tasks.any(|task| task.revision == revision && !task.is_stopped() && task.is(target)))
    }
}

impl Task {
    /// Whether a target of a target group is this task.
    pub fn is(&self, target: &Target) -> bool {
        self.endpoints
            .iter()
            .any(|(id, port)| *id == target.id && port.is_none_or(|port| port == target.port))
    }

    /// Whether it is over.
    pub fn is_stopped(&self) -> bool {
        self.last_status == "STOPPED"
    }
}

impl Rule {
    /// The last part of its ARN.
    pub fn id(&self) -> &str {
        short(&self.arn)
    }

    /// Whether AWS means it by this ARN: its own, or for a default rule that of its listener.
    pub fn is_named(&self, arn: &str) -> bool {
        self.arn == arn || self.is_default && self.listener == arn
    }

    /// Weights of the target groups that the forward action names, in their order; empty when the
    /// rule does not forward.
    pub fn weights(&self) -> Vec<(String, u32)> {
        crate::model::rule::weights(&self.actions)
    }
}
