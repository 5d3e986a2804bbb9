//! Looking: a handful of calls made side by side.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ecs::types::{DesiredStatus, ServiceField};
use aws_sdk_elasticloadbalancingv2::types::ProtocolEnum;
use futures_util::future::{join_all, try_join, try_join_all};

use super::error::of;
use super::raw::Capture;
use super::{Aws, once, rules, wire};
use crate::call::{About, Call};
use crate::error::{Failure, FailureKind};
use crate::model::arn;
use crate::model::reads::{Moment, Part};
use crate::model::world::{Entry, Look, Rule, Service, Target, Task, World};
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

/// The parts of the world that a look takes in.
#[derive(Clone, Debug)]
pub struct Reads<'a> {
    /// How much of the world it is, all in all.
    pub look: Look,
    /// The parts; one that another one answers as well is left out.
    pub parts: Vec<Part>,
    /// What they leave out of their kind is what an earlier look saw.
    pub partial: bool,
    /// The record whose owner, and whose task that runs before, may be wanted.
    pub record: Option<&'a Record>,
    /// The service deployment that is followed, by ARN.
    pub followed: Option<String>,
}

impl<'a> Reads<'a> {
    /// A look of this kind, at these parts.
    pub fn of(look: Look, parts: impl IntoIterator<Item = Part>) -> Self {
        let parts: BTreeSet<Part> = parts.into_iter().collect();
        let answered: BTreeSet<Part> = parts.iter().filter_map(Part::includes).collect();
        let parts = parts.into_iter().filter(|part| !answered.contains(part)).collect();
        Self { look, parts, partial: false, record: None, followed: None }
    }

    /// For this deployment.
    #[must_use]
    pub fn for_record(self, record: &'a Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// Only those of its parts that are named.
    #[must_use]
    pub fn only(mut self, parts: &[Part]) -> Self {
        self.parts.retain(|part| parts.contains(part));
        self.partial = true;
        self
    }
}

/// What a part changes in the world.
type Update = Box<dyn FnOnce(&mut World)>;

/// A part is given up after this long, all attempts included.
pub const PART_MAX: Duration = Duration::from_secs(30);

/// An answer that takes so long is slow.
pub const SLOW: Duration = Duration::from_secs(3);

/// The call that answers a part.
fn about(part: &Part) -> About {
    match part {
        Part::Services | Part::Settings => Call::DescribeServices.on("of the deployment"),
        Part::Rules | Part::Listing => Call::DescribeRules.on("of the load balancers"),
        Part::Health(group) => Call::DescribeTargetHealth.on(group.as_str()),
        Part::Tasks(service) | Part::Stopped(service) => {
            Call::DescribeTasks.on(format!("of {service}"))
        }
        Part::Owner => Call::DescribeTaskDefinition.on("with the record"),
        Part::Prepare => Call::DescribeTasks.on("of --before"),
        Part::Deployments => Call::DescribeServiceDeployments.on("of the service"),
        Part::Scaling => Call::DescribeScalableTargets.on("of the services"),
    }
}

impl Aws {
    /// One look, or why a part of it was not answered. What it does not take in is what `before` saw.
    pub async fn look(
        &self,
        pair: &Pair,
        reads: &Reads<'_>,
        before: &World,
    ) -> Result<World, Failure> {
        let (world, failed) = self.look_at(pair, reads, before).await;
        match failed.into_iter().next() {
            Some((_, failure)) => Err(failure),
            None => Ok(world),
        }
    }

    /// Reads parts side by side. A part that fails, or takes too long, is what `before` saw, and as old
    /// as it was; it delays no other one.
    pub async fn look_at(
        &self,
        pair: &Pair,
        reads: &Reads<'_>,
        before: &World,
    ) -> (World, Vec<(Part, Failure)>) {
        let answers = RefCell::new((before.clone(), Vec::new()));
        let took = |part: &Part| before.answered.get(part).map_or(Duration::ZERO, |at| at.took);
        let longest = reads.parts.iter().map(took).max().filter(|longest| *longest >= SLOW);
        let take = |part: Part, took: Duration, answer: Result<Update, Failure>| {
            let mut answers = answers.borrow_mut();
            match answer {
                Ok(update) => {
                    let moment = Moment { took, ..self.clock.moment(self.date()) };
                    let world = &mut answers.0;
                    // Why tasks stopped is not known any more where only running ones were read.
                    if let Part::Tasks(service) = &part {
                        world.answered.remove(&Part::Stopped(service.clone()));
                    }
                    for part in part.includes().into_iter().chain([part]) {
                        world.unanswered.remove(&part);
                        world.answered.insert(part, moment);
                    }
                    update(world);
                }
                Err(failure) => {
                    answers.0.unanswered.insert(part.clone());
                    answers.1.push((part, failure));
                }
            }
        };
        if !reads.partial {
            let world = &mut answers.borrow_mut().0;
            world.owner = None;
            world.tasks.clear();
            let stays =
                |part: &Part| !matches!(part, Part::Tasks(_) | Part::Stopped(_) | Part::Owner);
            world.answered.retain(|part, _| stays(part));
        }
        let told = reads.parts.iter().map(|part| {
            // Slow answers are to come together: each is young only for a while.
            let wait = longest.map_or(Duration::ZERO, |longest| longest - took(part));
            let take = &take;
            async move {
                self.clock.sleep(wait).await;
                let begin = self.clock.elapsed();
                let answer = self.part(pair, part, reads, before);
                let answer = tokio::time::timeout(PART_MAX, answer).await;
                let answer = answer.unwrap_or_else(|_| {
                    let message = format!("no answer within {}s", PART_MAX.as_secs());
                    Err(Failure::of(about(part), FailureKind::Unknown, "Timeout", message))
                });
                take(part.clone(), self.clock.elapsed() - begin, answer);
            }
        });
        join_all(told).await;
        let (mut world, failed): (World, Vec<(Part, Failure)>) = answers.into_inner();
        world.at = self.date();
        let answered = |part: &Part| {
            reads.parts.contains(part) && !failed.iter().any(|(failed, _)| failed == part)
        };
        world.look = match (answered(&Part::Listing), answered(&Part::Rules)) {
            (true, _) => Look::Listing,
            (false, true) => Look::Whole,
            // Where no rule is anybody's to look after, the settings make the difference.
            _ if before.rules.is_empty() && answered(&Part::Settings) => reads.look,
            _ => Look::Glance,
        };
        (world, failed)
    }

    /// Reads one part: what it changes in the world.
    async fn part(
        &self,
        pair: &Pair,
        part: &Part,
        reads: &Reads<'_>,
        before: &World,
    ) -> Result<Update, Failure> {
        Ok(match part {
            Part::Services | Part::Settings => {
                let take = if *part == Part::Services { Take::State } else { Take::Settings };
                let services = self.services(&pair.cluster, &pair.services, take).await?;
                Box::new(move |world| {
                    let mut known = std::mem::take(&mut world.services);
                    world.services = services
                        .into_iter()
                        .map(|mut service| {
                            // What was not read is as old as it was.
                            let old = known.remove(&service.arn);
                            if let Some(old) = old {
                                service.tags = old.tags;
                                if take == Take::State {
                                    service.settings = old.settings;
                                }
                            }
                            (service.arn.clone(), service)
                        })
                        .collect();
                })
            }
            Part::Rules | Part::Listing => {
                let rules = match part {
                    Part::Rules => self.rules_again(&before.rules).await,
                    _ => self.rules_of(before).await.map(|(rules, _)| rules),
                };
                let rules = match rules {
                    // One of them was deleted: the others are found by listing.
                    Err(error) if error.kind == FailureKind::Missing && *part == Part::Rules => {
                        self.rules_of(before).await?.0
                    }
                    rules => rules?,
                };
                Box::new(move |world| {
                    world.rules = rules;
                    world.unread.clear();
                })
            }
            Part::Health(group) => {
                let (group, targets) = self.health(group).await?;
                Box::new(move |world| drop(world.health.insert(group, targets)))
            }
            Part::Tasks(name) | Part::Stopped(name) => {
                let (name, stopped) = (name.clone(), matches!(part, Part::Stopped(_)));
                let tasks = self.tasks(&pair.cluster, &name, stopped).await?;
                Box::new(move |world| {
                    if let Some(arn) = world.service(&name).map(|service| service.arn.clone()) {
                        world.tasks.insert(arn, tasks);
                    }
                })
            }
            Part::Owner => {
                let revision = reads.record.map(|record| record.revision.as_str());
                let owner = self.record(revision.unwrap_or_default()).await?;
                let owner = owner.map(|record| record.owner);
                Box::new(move |world| world.owner = owner)
            }
            Part::Deployments => {
                let known = before.deployments.as_deref().unwrap_or_default();
                let ours = known.iter().find(|one| reads.followed.as_ref() == Some(&one.arn));
                let read = match (reads.look, ours, pair.services.first()) {
                    // The one that is followed is known.
                    (Look::Glance, Some(ours), _) => {
                        let mut read =
                            self.describe_deployments(vec![ours.arn.clone()], known).await?;
                        read.extend(known.iter().filter(|one| one.arn != ours.arn).cloned());
                        read.sort_by_key(|one| std::cmp::Reverse(one.created));
                        read
                    }
                    (_, _, Some(name)) => {
                        self.service_deployments(&pair.cluster, name, known).await?
                    }
                    (_, _, None) => vec![],
                };
                Box::new(move |world| world.deployments = Some(read))
            }
            Part::Scaling => {
                let targets = self.scalable_targets(before).await?;
                Box::new(move |world| world.scalable = Some(targets))
            }
            Part::Prepare => {
                let tasks = match reads.record {
                    Some(record) => Some(self.preparing(pair, record, before).await?),
                    None => None,
                };
                Box::new(move |world| world.prepare = tasks)
            }
        })
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
        self.tell_essential(&mut tasks).await;
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

    /// Which containers of stopped tasks are essential: their definition says so. One that cannot be read
    /// leaves that open.
    async fn tell_essential(&self, tasks: &mut [Task]) {
        let doubtful = |task: &&mut Task| task.stop_code.is_some() && task.containers.len() > 1;
        // One that cannot be read is asked for once.
        let mut unread = BTreeSet::new();
        for task in tasks.iter_mut().filter(doubtful) {
            let known = |all: &mut BTreeMap<String, Vec<String>>| all.get(&task.revision).cloned();
            let essential = match self.essentials.with(known) {
                Some(essential) => essential,
                None if unread.contains(&task.revision) => continue,
                None => match self.revision(&task.revision).await {
                    Ok(revision) => revision.essential(),
                    Err(_) => {
                        unread.insert(task.revision.clone());
                        continue;
                    }
                },
            };
            for container in &mut task.containers {
                container.essential = Some(essential.contains(&container.name));
            }
        }
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
        let place = |arn: &str, priority: &str| {
            known
                .get(arn)
                .map_or((priority.to_owned(), None), |rule| (rule.name.clone(), rule.entry))
        };
        let rules = rules::rules(answer.body(), "DescribeRulesResult", place)
            .map_err(|error| unreadable(&call, error))?;
        Ok(rules.into_iter().map(|rule| (rule.arn.clone(), rule)).collect())
    }

    /// Every rule of every listener of the groups' load balancers that forwards to one of the
    /// services' groups; and how many rules each load balancer has, default rules not counted.
    pub(super) async fn rules_of(
        &self,
        world: &World,
    ) -> Result<(BTreeMap<String, Rule>, BTreeMap<String, usize>), Failure> {
        let ours: BTreeSet<&str> =
            world.services.values().flat_map(Service::groups).map(String::as_str).collect();
        let balancers: BTreeSet<&str> = world
            .groups
            .values()
            .flat_map(|group| group.load_balancers.iter().map(String::as_str))
            .collect();
        let of = |balancer| async move {
            let own = self.listeners(balancer).await?.into_iter();
            Ok(own.map(move |(listener, name, entry)| (balancer, listener, name, entry)))
        };
        let listeners = try_join_all(balancers.into_iter().map(of)).await?;
        let listeners: Vec<_> = listeners.into_iter().flatten().collect();
        let rules = try_join_all(
            listeners
                .iter()
                .map(|(_, listener, name, entry)| self.rules_of_listener(listener, name, *entry)),
        );
        let rules = rules.await?;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for ((balancer, ..), own) in listeners.iter().zip(&rules) {
            let count = own.iter().filter(|rule| !rule.is_default).count();
            *counts.entry((*balancer).to_owned()).or_default() += count;
        }
        let rules = rules
            .into_iter()
            .flatten()
            .filter(|rule| rule.weights().iter().any(|(group, _)| ours.contains(group.as_str())))
            .map(|rule| (rule.arn.clone(), rule))
            .collect();
        Ok((rules, counts))
    }

    /// Listeners of a load balancer: ARN, `balancer:port` for people, and where requests reach it.
    async fn listeners(&self, balancer: &str) -> Result<Vec<(String, String, Entry)>, Failure> {
        let name = arn::name(balancer);
        let request = self.elb.describe_listeners().load_balancer_arn(balancer);
        let listeners =
            request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let listeners = listeners.map_err(of(Call::DescribeListeners.on(format!("of {name}"))))?;
        Ok(listeners
            .iter()
            .filter_map(|l| {
                let port = l.port().and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
                let tls = matches!(l.protocol(), Some(ProtocolEnum::Https | ProtocolEnum::Tls));
                Some((l.listener_arn()?.to_owned(), format!("{name}:{port}"), Entry { port, tls }))
            })
            .collect())
    }

    async fn rules_of_listener(
        &self,
        listener: &str,
        name: &str,
        entry: Entry,
    ) -> Result<Vec<Rule>, Failure> {
        let call = Call::DescribeRules.on(format!("of listener {name}"));
        let mut rules = Vec::new();
        let mut marker = None;
        loop {
            let answer = Capture::default();
            let request = self.elb.describe_rules().listener_arn(listener).set_marker(marker);
            let page =
                request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
            let named = |_: &str, priority: &str| (format!("{name}/{priority}"), Some(entry));
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

/// AWS's answer makes no sense to us. What was asked for may have happened; the next answer may be good.
pub(super) fn unreadable(call: &About, error: impl std::fmt::Display) -> Failure {
    Failure::of(call, FailureKind::Unknown, "UnreadableAnswer", error.to_string())
}
