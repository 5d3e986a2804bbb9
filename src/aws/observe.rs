//! Looking: a handful of calls made side by side.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{DesiredStatus, ServiceField};
use futures_util::future::{try_join, try_join_all};

use super::error::of;
use super::raw::Capture;
use super::{Aws, once, rules, wire};
use crate::call::{About, Call};
use crate::error::{Failure, FailureKind};
use crate::model::world::{Look, Rule, Service, Target, Task, World};
use crate::record::Record;

/// Whom to look at.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// Both services, by name; or the only one.
    pub services: Vec<String>,
}

impl Pair {
    /// The services of a deployment.
    pub fn of(cluster: &str, record: &Record) -> Self {
        let mut services = vec![record.blue.clone(), record.green.clone()];
        services.dedup();
        Self { cluster: cluster.to_owned(), services }
    }
}

/// How much of a service is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// What changes by itself.
    State,
    /// And its settings.
    Settings,
    /// And its tags.
    Everything,
}

impl Take {
    fn of(look: Look) -> Self {
        match look {
            Look::Glance => Self::State,
            Look::Whole | Look::Listing => Self::Settings,
        }
    }
}

/// What a look takes in beside its kind.
#[derive(Clone, Debug, Default)]
pub struct Focus {
    /// Services whose targets are wanted on a glance, by name.
    pub health: Vec<String>,
    /// Services whose tasks are wanted, by name.
    pub tasks: Vec<String>,
    /// Their stopped tasks are wanted too.
    pub stopped: bool,
    /// The revision whose record is wanted, by ARN.
    pub record: Option<String>,
    /// The record whose task that runs before is wanted.
    pub prepare: Option<Record>,
}

impl Aws {
    /// One look. What it does not take in is what `before` saw.
    pub async fn look(
        &self,
        pair: &Pair,
        look: Look,
        focus: &Focus,
        before: &World,
    ) -> Result<World, Failure> {
        let named =
            |name: &str| look > Look::Glance || focus.health.iter().any(|wanted| wanted == name);
        let groups: BTreeSet<&str> = before
            .services
            .values()
            .filter(|service| named(&service.name))
            .flat_map(|service| {
                service.attachments.iter().map(|attachment| attachment.group.as_str())
            })
            // One that could not be surveyed may not be read.
            .filter(|group| before.groups.contains_key(*group))
            .collect();
        let services = self.services(&pair.cluster, &pair.services, Take::of(look));
        let health = try_join_all(groups.into_iter().map(|group| self.health(group)));
        let tasks = try_join_all(focus.tasks.iter().map(|name| async move {
            let tasks = self.tasks(&pair.cluster, name, focus.stopped).await?;
            Ok((name, tasks))
        }));
        let rules = async {
            match look {
                Look::Glance => Ok(None),
                Look::Whole => match self.rules_again(&before.rules).await {
                    // One of them was deleted: the others are found by listing.
                    Err(error) if error.kind == FailureKind::Missing => {
                        self.rules_of(before).await.map(Some)
                    }
                    rules => rules.map(Some),
                },
                Look::Listing => self.rules_of(before).await.map(Some),
            }
        };
        let owner = async {
            match &focus.record {
                Some(revision) => Ok(self.record(revision).await?.map(|record| record.owner)),
                None => Ok(None),
            }
        };
        let prepare = async {
            match &focus.prepare {
                Some(record) => self.preparing(pair, record, before).await.map(Some),
                None => Ok(None),
            }
        };
        let ((services, health), ((tasks, rules), (owner, prepare))) = try_join(
            try_join(services, health),
            try_join(try_join(tasks, rules), try_join(owner, prepare)),
        )
        .await?;
        let mut world = World { at: self.date(), look, owner, prepare, ..before.clone() };
        world.services =
            services.into_iter().map(|service| (service.arn.clone(), service)).collect();
        world.health.extend(health);
        world.tasks = tasks
            .into_iter()
            .filter_map(|(name, tasks)| Some((world.service(name)?.arn.clone(), tasks)))
            .collect();
        if let Some(rules) = rules {
            world.rules = rules;
            world.unread.clear();
        }
        Ok(world)
    }

    /// Services by name. One that does not exist is not there.
    pub(super) async fn services(
        &self,
        cluster: &str,
        names: &[String],
        take: Take,
    ) -> Result<Vec<Service>, Failure> {
        self.services_with(cluster, names, take, aws_sdk_ecs::Config::builder()).await
    }

    /// The first call of all: whoever cannot be reached now is told so at once.
    pub(super) async fn services_once(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<Service>, Failure> {
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        self.services_with(cluster, names, Take::Everything, config).await
    }

    async fn services_with(
        &self,
        cluster: &str,
        names: &[String],
        take: Take,
        config: aws_sdk_ecs::config::Builder,
    ) -> Result<Vec<Service>, Failure> {
        let call = Call::DescribeServices.on(format!("{} in cluster {cluster}", names.join(", ")));
        let answer = Capture::default();
        let mut request =
            self.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
        if take == Take::Everything {
            request = request.include(ServiceField::Tags);
        }
        let request = request.customize().interceptor(answer.clone()).config_override(config);
        request.send().await.map_err(of(&call))?;
        let read = || {
            let answer: wire::Services = serde_json::from_str(answer.body())?;
            answer
                .services
                .into_iter()
                .map(|raw| wire::service(raw, take != Take::State))
                .collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|error| unreadable(&call, error))
    }

    /// The targets of a group.
    pub(super) async fn health(&self, group: &str) -> Result<(String, Vec<Target>), Failure> {
        let request = self.elb.describe_target_health().target_group_arn(group);
        let answer = request.send().await.map_err(of(Call::DescribeTargetHealth.on(group)))?;
        let targets = answer.target_health_descriptions().iter().filter_map(|description| {
            let (target, health) = (description.target()?, description.target_health()?);
            Some(Target {
                id: target.id().unwrap_or_default().to_owned(),
                port: target.port().and_then(|port| port.try_into().ok()).unwrap_or(0),
                state: health.state()?.as_str().to_owned(),
                reason: health.reason().map(|reason| reason.as_str().to_owned()),
                description: health.description().map(str::to_owned),
            })
        });
        Ok((group.to_owned(), targets.collect()))
    }

    /// The tasks of a service that shall run, and those that stopped not long ago where they are wanted.
    pub(super) async fn tasks(
        &self,
        cluster: &str,
        service: &str,
        stopped: bool,
    ) -> Result<Vec<Task>, Failure> {
        let running = self.task_arns(cluster, service, DesiredStatus::Running);
        let stopped = async {
            match stopped {
                true => self.task_arns(cluster, service, DesiredStatus::Stopped).await,
                false => Ok(vec![]),
            }
        };
        let (running, stopped) = try_join(running, stopped).await?;
        let arns: Vec<String> = running.into_iter().chain(stopped).collect();
        // DescribeTasks takes 100 at a time (API reference).
        let chunks = try_join_all(arns.chunks(100).map(|arns| async move {
            let call = Call::DescribeTasks.on(format!("of {service} in cluster {cluster}"));
            let answer = Capture::default();
            let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
            request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
            let tasks: wire::Tasks =
                serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
            Ok::<_, Failure>(tasks.tasks.into_iter().map(Task::from).collect::<Vec<_>>())
        }));
        let mut tasks: Vec<Task> = chunks.await?.into_iter().flatten().collect();
        self.name_instances(cluster, &mut tasks).await?;
        Ok(tasks)
    }

    async fn task_arns(
        &self,
        cluster: &str,
        service: &str,
        status: DesiredStatus,
    ) -> Result<Vec<String>, Failure> {
        let call = Call::ListTasks.on(format!("of {service} in cluster {cluster}"));
        let request =
            self.ecs.list_tasks().cluster(cluster).service_name(service).desired_status(status);
        request
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(of(call))
    }

    /// With bridge or host networking a target is `(EC2 instance, host port)`, while a task tells
    /// its container instance.
    async fn name_instances(&self, cluster: &str, tasks: &mut [Task]) -> Result<(), Failure> {
        let instances: BTreeSet<String> = tasks
            .iter()
            .flat_map(|task| &task.endpoints)
            .filter(|(id, _)| id.starts_with("arn:"))
            .map(|(id, _)| id.clone())
            .collect();
        if instances.is_empty() {
            return Ok(());
        }
        let instances: Vec<String> = instances.into_iter().collect();
        let mut names = BTreeMap::new();
        for arns in instances.chunks(100) {
            let request = self.ecs.describe_container_instances().cluster(cluster);
            let answer = request.set_container_instances(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(of(
                Call::DescribeContainerInstances.on(format!("in cluster {cluster}"))
            ))?;
            names.extend(answer.container_instances().iter().filter_map(|instance| {
                Some((
                    instance.container_instance_arn()?.to_owned(),
                    instance.ec2_instance_id()?.to_owned(),
                ))
            }));
        }
        for (id, _) in tasks.iter_mut().flat_map(|task| &mut task.endpoints) {
            if let Some(name) = names.get(id) {
                id.clone_from(name);
            }
        }
        Ok(())
    }

    /// Known rules, by ARN. Their names for people are known too.
    async fn rules_again(
        &self,
        known: &BTreeMap<String, Rule>,
    ) -> Result<BTreeMap<String, Rule>, Failure> {
        if known.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = Call::DescribeRules.on(known
            .values()
            .map(|rule| rule.name.as_str())
            .collect::<Vec<_>>()
            .join(", "));
        let answer = Capture::default();
        let request =
            self.elb.describe_rules().set_rule_arns(Some(known.keys().cloned().collect()));
        request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
        let name = |arn: &str, priority: &str| {
            known.get(arn).map_or(priority.to_owned(), |rule| rule.name.clone())
        };
        let rules = rules::rules(answer.body(), "DescribeRulesResult", name)
            .map_err(|error| unreadable(&call, error))?;
        Ok(rules.into_iter().map(|rule| (rule.arn.clone(), rule)).collect())
    }

    /// Every rule of every listener of the groups' load balancers that forwards to one of the
    /// services' groups.
    pub(super) async fn rules_of(&self, world: &World) -> Result<BTreeMap<String, Rule>, Failure> {
        let ours: BTreeSet<&str> = world
            .services
            .values()
            .flat_map(|service| {
                service.attachments.iter().map(|attachment| attachment.group.as_str())
            })
            .collect();
        let balancers: BTreeSet<&str> = world
            .groups
            .values()
            .flat_map(|group| group.load_balancers.iter().map(String::as_str))
            .collect();
        let listeners =
            try_join_all(balancers.into_iter().map(|balancer| self.listeners(balancer))).await?;
        let rules = try_join_all(
            listeners
                .iter()
                .flatten()
                .map(|(listener, name)| self.rules_of_listener(listener, name)),
        );
        let rules = rules.await?.into_iter().flatten();
        Ok(rules
            .filter(|rule| rule.weights().iter().any(|(group, _)| ours.contains(group.as_str())))
            .map(|rule| (rule.arn.clone(), rule))
            .collect())
    }

    /// Listeners of a load balancer: ARN, and `balancer:port` for people.
    async fn listeners(&self, balancer: &str) -> Result<Vec<(String, String)>, Failure> {
        let name = balancer.rsplit('/').nth(1).unwrap_or(balancer);
        let request = self.elb.describe_listeners().load_balancer_arn(balancer);
        let listeners =
            request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let listeners = listeners.map_err(of(Call::DescribeListeners.on(format!("of {name}"))))?;
        Ok(listeners
            .iter()
            .filter_map(|l| {
                Some((l.listener_arn()?.to_owned(), format!("{name}:{}", l.port().unwrap_or(0))))
            })
            .collect())
    }

    async fn rules_of_listener(&self, listener: &str, name: &str) -> Result<Vec<Rule>, Failure> {
        let call = Call::DescribeRules.on(format!("of listener {name}"));
        let mut rules = Vec::new();
        let mut marker = None;
        loop {
            let answer = Capture::default();
            let request = self.elb.describe_rules().listener_arn(listener).set_marker(marker);
            let page =
                request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
            let named = |_: &str, priority: &str| format!("{name}/{priority}");
            rules.extend(
                rules::rules(answer.body(), "DescribeRulesResult", named)
                    .map_err(|error| unreadable(&call, error))?,
            );
            marker = page.next_marker().map(str::to_owned);
            if marker.is_none() {
                return Ok(rules);
            }
        }
    }
}

/// AWS's answer makes no sense to us.
pub(super) fn unreadable(call: &About, error: impl std::fmt::Display) -> Failure {
    Failure::of(call, FailureKind::Refused, "UnreadableAnswer", error.to_string())
}
