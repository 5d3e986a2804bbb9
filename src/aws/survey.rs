//! The survey before a plan: all that is read once.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::ImageIdentifier;
use futures_util::future::{join, join_all, try_join, try_join_all};

use super::Aws;
use super::error::of;
use super::observe::Take;
use crate::call::Call;
use crate::error::{Failure, FailureKind};
use crate::event::Unchecked;
use crate::model::arn::family;
use crate::model::revision::Revision;
use crate::model::world::{Check, Group, Look, Service, Target, World};
use crate::plan::{Digest, Survey, trust};
use crate::request::image::ImageRef;

/// The newest revisions of a family among which an unfinished deployment is looked for.
const NEWEST: u8 = 5;
/// Services of a cluster that are looked through for a twin to name in a hint.
const SCANNED: usize = 200;
/// Revisions that are read at a time.
const AT_ONCE: usize = 5;

/// What a survey finds at the load balancers.
struct Balancing {
    world: World,
    /// Targets that are not in use, with their groups' ARNs.
    unused: Vec<(String, Target)>,
    /// How many rules each load balancer has.
    rule_counts: BTreeMap<String, usize>,
    rules_unread: Option<Failure>,
    blind: Option<String>,
}

impl Balancing {
    fn nothing(world: World) -> Self {
        let (unused, rule_counts) = (vec![], BTreeMap::new());
        Self { world, unused, rule_counts, rules_unread: None, blind: None }
    }
}

impl Aws {
    /// Everything that a plan for `service` depends on but the images' digests.
    pub async fn survey(
        &self,
        cluster: &str,
        service: &str,
        twin: Option<&str>,
    ) -> Result<Survey, Failure> {
        let survey = self.survey_of(cluster, service, twin, true).await?;
        let doubted = if twin.is_none() { trust::doubt(&survey) } else { None };
        let survey = match doubted {
            None => survey,
            doubted => {
                let alone = self.survey_of(cluster, service, None, false).await?;
                Survey { doubted, ..alone }
            }
        };
        Ok(self.with_what_records_name(survey).await)
    }

    /// What it takes to judge the records that were found. What cannot be read is not there.
    async fn with_what_records_name(&self, mut survey: Survey) -> Survey {
        let unread = trust::unread(&survey);
        let revisions = join_all(unread.iter().map(|arn| self.revision(arn))).await;
        let revisions = revisions.into_iter().flatten();
        survey.revisions.extend(revisions.map(|revision| (revision.arn.clone(), revision)));
        if trust::needs_history(&survey) {
            survey.history = self.history(&survey.cluster, &survey.world).await;
        }
        survey
    }

    /// The same with so many of the newest revisions of its families: what is asked further back than a
    /// plan asks. What cannot be read is not there.
    pub async fn with_older(&self, mut survey: Survey, most: usize) -> Survey {
        let services = survey.world.services.values();
        let families: BTreeSet<String> =
            services.map(|one| family(&one.revision).to_owned()).collect();
        for family in families {
            let arns = self.active(&family, most).await.unwrap_or_default();
            let unread = arns.iter().filter(|arn| !survey.revisions.contains_key(*arn)).cloned();
            let read = self.revisions_of(&survey, unread.collect()).await;
            survey.revisions.extend(read);
            let new = arns.into_iter().filter(|arn| !survey.newest.contains(arn));
            let new: Vec<String> = new.collect();
            survey.newest.extend(new);
        }
        self.with_what_records_name(survey).await
    }

    /// These revisions: those that the survey has, and the others as far as they can be read.
    pub async fn revisions_of(
        &self,
        survey: &Survey,
        arns: Vec<String>,
    ) -> BTreeMap<String, Revision> {
        let mut found = BTreeMap::new();
        for some in arns.chunks(AT_ONCE) {
            let reading = some.iter().map(|arn| async {
                match survey.revisions.get(arn) {
                    Some(known) => Ok(known.clone()),
                    None => self.revision(arn).await,
                }
            });
            let read = join_all(reading).await.into_iter().flatten();
            found.extend(read.map(|revision| (revision.arn.clone(), revision)));
        }
        found
    }

    async fn survey_of(
        &self,
        cluster: &str,
        service: &str,
        twin: Option<&str>,
        by_tag: bool,
    ) -> Result<Survey, Failure> {
        let mut names = vec![service.to_owned()];
        names.extend(twin.map(str::to_owned));
        let mut services = match self.services_once(cluster, &names).await {
            Err(error) if error.passes() && error.kind != FailureKind::Unreachable => {
                self.services(cluster, &names, Take::Everything).await?
            }
            services => services?,
        };
        let tagged = services
            .iter()
            .find(|found| found.name == service)
            .and_then(|found| found.tags.get("ecs-bg:twin"))
            .filter(|tagged| by_tag && twin.is_none() && *tagged != service)
            .cloned();
        if let Some(tagged) = &tagged {
            services.extend(
                self.services(cluster, std::slice::from_ref(tagged), Take::Everything).await?,
            );
        }
        let world = World {
            at: self.date(),
            look: Look::Listing,
            answered: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            services: services.into_iter().map(|service| (service.arn.clone(), service)).collect(),
            rules: BTreeMap::new(),
            unread: BTreeSet::new(),
            owner: None,
            groups: BTreeMap::new(),
            health: BTreeMap::new(),
            tasks: BTreeMap::new(),
            prepare: None,
            deployments: None,
            scalable: None,
        };
        let twin = twin.map(str::to_owned).or(tagged);
        let balancing = async {
            // ECS looks after the targets of a service alone whose tasks it replaces.
            let needed = twin.is_some() || world.services.values().any(Service::is_advanced);
            match self.balancing(&world, needed).await {
                // What cannot do without it refuses; ECS itself can.
                Err(error) if error.kind == FailureKind::Denied => {
                    let blind = Some(error.message);
                    Ok(Balancing { blind, ..Balancing::nothing(world.clone()) })
                }
                balancing => balancing,
            }
        };
        let scaling = async {
            let targets = unless_denied(self.scalable_targets(&world).await);
            match (&twin, targets) {
                // Only what two services must have alike is read further.
                (Some(_), Ok(Some(targets))) if !targets.is_empty() => {
                    Ok((Some(targets), self.policies(&world).await?))
                }
                (Some(_), targets) => Ok((targets?, None)),
                // Without a pair nothing is refused for it.
                (None, targets) => Ok((targets.unwrap_or(None), None)),
            }
        };
        let deployments = async {
            match world.service(service).filter(|one| one.has_service_deployments()) {
                Some(one) => unless_denied(self.service_deployments(cluster, &one.name, &[]).await),
                None => Ok(None),
            }
        };
        let (balancing, revisions, scaling, deployments) = tokio::try_join!(
            biased;
            balancing,
            self.revisions(cluster, &world),
            scaling,
            deployments,
        )?;
        let (revisions, given_up, newest) = revisions;
        let (scalable, policies) = scaling;
        let Balancing { world, unused, rule_counts, rules_unread, blind } = balancing;
        let world = World { at: self.date(), deployments, scalable, ..world };
        let candidate = match &twin {
            Some(_) => None,
            None => self.candidate(cluster, service, &world).await.unwrap_or_default(),
        };
        Ok(Survey {
            cluster: cluster.to_owned(),
            service: service.to_owned(),
            twin,
            doubted: None,
            candidate,
            world,
            revisions,
            given_up,
            history: vec![],
            newest,
            policies,
            blind,
            way_back: BTreeMap::new(),
            alarms: vec![],
            test_listener: None,
            unready: vec![],
            ran: BTreeMap::new(),
            unused,
            rule_counts,
            rules_unread,
            instances: None,
            expires: self.expires,
        })
    }

    /// The load balancers' side: groups, their attributes, targets, and every rule. Unless all of it is `needed`,
    /// targets and rules that may not be read are left out.
    async fn balancing(&self, world: &World, needed: bool) -> Result<Balancing, Failure> {
        let services = world.services.values();
        let arns: BTreeSet<&str> = services.flat_map(Service::groups).map(String::as_str).collect();
        if arns.is_empty() {
            return Ok(Balancing::nothing(world.clone()));
        }
        let described = self.groups(&arns);
        let attributes =
            try_join_all(arns.iter().map(|arn| async move {
                Ok(unless_missing(self.attributes(arn).await)?.flatten())
            }));
        let health = try_join_all(arns.iter().map(|arn| async move {
            match self.health(arn).await {
                Err(error) if error.kind == FailureKind::Missing => Ok(None),
                Err(error) if !needed && error.kind == FailureKind::Denied => Ok(None),
                health => health.map(Some),
            }
        }));
        let (groups, (attributes, health)) =
            try_join(described, try_join(attributes, health)).await?;
        let mut world = world.clone();
        world.health = health.into_iter().flatten().collect();
        let unused = world.health.iter().flat_map(|(group, targets)| {
            let unused = targets.iter().filter(|target| target.state == "unused");
            unused.map(|target| (group.clone(), target.clone()))
        });
        let unused = unused.collect();
        world.groups = groups.into_iter().map(|group| (group.arn.clone(), group)).collect();
        for (arn, attributes) in arns.iter().zip(attributes) {
            if let Some(group) = world.groups.get_mut(*arn) {
                group.attributes = attributes;
            }
        }
        let (rules, rules_unread) = match self.rules_of(&world).await {
            Err(error) if !needed && error.kind == FailureKind::Denied => (None, Some(error)),
            rules => (Some(rules?), None),
        };
        let (rules, rule_counts) = rules.unwrap_or_default();
        world.rules = rules;
        Ok(Balancing { world, unused, rule_counts, rules_unread, blind: None })
    }

    /// The groups that there are: AWS lets somebody delete one that is in no rule, whatever a service names.
    async fn groups(&self, arns: &BTreeSet<&str>) -> Result<Vec<Group>, Failure> {
        match self.groups_at_once(arns).await {
            Err(error) if error.kind == FailureKind::Missing => {
                let each = arns.iter().map(|arn| async move {
                    let alone = BTreeSet::from([*arn]);
                    Ok(unless_missing(self.groups_at_once(&alone).await)?.unwrap_or_default())
                });
                Ok(try_join_all(each).await?.concat())
            }
            groups => groups,
        }
    }

    async fn groups_at_once(&self, arns: &BTreeSet<&str>) -> Result<Vec<Group>, Failure> {
        let arns: Vec<String> = arns.iter().map(|arn| (*arn).to_owned()).collect();
        let request = self.elb.describe_target_groups().set_target_group_arns(Some(arns));
        let answer =
            request.send().await.map_err(of(Call::DescribeTargetGroups.on("of the services")))?;
        let seconds = |seconds: Option<i32>| {
            std::time::Duration::from_secs(seconds.and_then(|s| s.try_into().ok()).unwrap_or(0))
        };
        let count = |count: Option<i32>| count.and_then(|count| count.try_into().ok()).unwrap_or(0);
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(answer
            .target_groups()
            .iter()
            .map(|group| Group {
                arn: text(group.target_group_arn()),
                name: text(group.target_group_name()),
                load_balancers: distinct(group.load_balancer_arns()),
                protocol: text(group.protocol().map(|protocol| protocol.as_str())),
                target_type: text(group.target_type().map(|kind| kind.as_str())),
                check: Check {
                    protocol: text(group.health_check_protocol().map(|protocol| protocol.as_str())),
                    port: text(group.health_check_port()),
                    path: text(group.health_check_path()),
                    matcher: text(group.matcher().and_then(|m| m.http_code().or(m.grpc_code()))),
                    grpc: group.matcher().is_some_and(|m| m.grpc_code().is_some()),
                    interval: seconds(group.health_check_interval_seconds()),
                    timeout: seconds(group.health_check_timeout_seconds()),
                    unhealthy: count(group.unhealthy_threshold_count()),
                    healthy: count(group.healthy_threshold_count()),
                },
                attributes: None,
            })
            .collect())
    }

    /// `None` where they may not be read.
    pub(super) async fn attributes(
        &self,
        group: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Failure> {
        let request = self.elb.describe_target_group_attributes().target_group_arn(group);
        let answer =
            request.send().await.map_err(of(Call::DescribeTargetGroupAttributes.on(group)));
        Ok(unless_denied(answer)?.map(|answer| {
            let attributes = answer.attributes().iter();
            attributes.filter_map(|a| Some((a.key()?.to_owned(), a.value()?.to_owned()))).collect()
        }))
    }

    /// The revisions of the services by ARN, those that ECS gave up, and the newest of their families.
    async fn revisions(
        &self,
        cluster: &str,
        world: &World,
    ) -> Result<(BTreeMap<String, Revision>, Vec<String>, Vec<String>), Failure> {
        let mut arns: BTreeSet<String> = world
            .services
            .values()
            .flat_map(|s| {
                s.deployments.iter().map(|d| d.revision.clone()).chain([s.revision.clone()])
            })
            // With an external deployment controller it is the task sets that have revisions.
            .filter(|arn| !arn.is_empty())
            .collect();
        let families: BTreeSet<String> = arns.iter().map(|arn| family(arn).to_owned()).collect();
        let newest = try_join_all(families.iter().map(|family| self.newest(family, NEWEST)));
        let (newest, given_up) = join(newest, self.given_up(cluster, world)).await;
        let newest: Vec<String> = newest?.into_iter().flatten().collect();
        arns.extend(newest.iter().cloned());
        // One that was given up may have been deleted since.
        let others = given_up.iter().filter(|arn| !arns.contains(*arn));
        let others = join_all(others.map(|arn| self.revision(arn)));
        let revisions = try_join_all(arns.iter().map(|arn| self.revision(arn)));
        let (revisions, others) = join(revisions, others).await;
        let revisions = revisions?.into_iter().chain(others.into_iter().flatten());
        Ok((revisions.map(|revision| (revision.arn.clone(), revision)).collect(), given_up, newest))
    }

    /// The digest of an image in ECR.
    pub async fn digest(&self, image: &ImageRef, account: Option<&str>) -> Result<Digest, Failure> {
        if let Some(digest) = &image.digest {
            return Ok(Digest::Known(digest.clone()));
        }
        let Some(repository) = image.ecr() else {
            return Ok(Digest::Unknown(Unchecked::NotInEcr));
        };
        let tag = image.tag.as_deref().unwrap_or("latest");
        let request = self
            .ecr
            .of(&repository.region)
            .describe_images()
            .registry_id(&repository.account)
            .repository_name(&repository.name)
            .image_ids(ImageIdentifier::builder().image_tag(tag).build());
        match request.send().await.map_err(of(Call::DescribeImages.on(image.to_string()))) {
            Ok(answer) => {
                let detail = answer.image_details().first();
                let archived = detail
                    .and_then(|detail| detail.image_status())
                    .filter(|s| s.as_str() != "ACTIVE");
                match (archived, detail.and_then(|detail| detail.image_digest())) {
                    (Some(status), _) => Ok(Digest::Missing(format!("it is {}", status.as_str()))),
                    (None, Some(digest)) => Ok(Digest::Known(digest.to_owned())),
                    (None, None) => Ok(Digest::Missing("ECR does not know it".into())),
                }
            }
            // Another account shows a repository only to those whom it allows to see it.
            Err(error)
                if error.code == "RepositoryNotFoundException"
                    && account.is_some_and(|account| account != repository.account) =>
            {
                let account = repository.account.clone();
                Ok(Digest::Unknown(Unchecked::OtherAccount { account }))
            }
            Err(error) if error.code == "RepositoryNotFoundException" => {
                Ok(Digest::NoRepository(error.message))
            }
            Err(error) if error.kind == FailureKind::Missing => Ok(Digest::Missing(error.message)),
            Err(error) if error.kind == FailureKind::Denied => {
                Ok(Digest::Unknown(Unchecked::Denied { reason: error.message }))
            }
            Err(error) => Err(error),
        }
    }

    /// The digests that the tasks of a revision ran, by container: as long as ECS remembers its
    /// tasks (an hour at least).
    pub async fn digests_that_ran(
        &self,
        cluster: &str,
        services: impl Iterator<Item = &Service>,
        revision: &str,
        stopped: bool,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let tasks = services.map(|service| self.tasks(cluster, &service.name, stopped));
        let tasks = try_join_all(tasks).await?;
        let tasks = tasks.into_iter().flatten().filter(|task| task.revision == revision);
        let containers = tasks.flat_map(|task| task.containers);
        Ok(containers.filter_map(|container| Some((container.name, container.digest?))).collect())
    }

    /// The one other service of the cluster whose groups share every rule with this one's: a
    /// proposal for a hint, never a choice.
    async fn candidate(
        &self,
        cluster: &str,
        service: &str,
        world: &World,
    ) -> Result<Option<String>, Failure> {
        let Some(own) = world.service(service) else { return Ok(None) };
        // A service of which ECS shifts the traffic has a second group of its own.
        let is_own = |group: &str| own.groups().any(|own| own == group);
        let shared =
            |rule: &crate::model::world::Rule| rule.weights().iter().any(|(g, _)| !is_own(g));
        if !world.rules.values().any(shared) {
            return Ok(None);
        }
        let stream = self
            .ecs
            .list_services()
            .cluster(cluster)
            .max_results(100)
            .into_paginator()
            .items()
            .send();
        let mut arns: Vec<String> =
            stream.collect::<Result<Vec<_>, _>>().await.map_err(of(Call::ListServices.on("")))?;
        arns.truncate(SCANNED);
        arns.retain(|arn| *arn != own.arn);
        // DescribeServices takes 10 at a time (API reference).
        let others = try_join_all(
            arns.chunks(10).map(|arns| self.services(cluster, arns, Take::Everything)),
        )
        .await?;
        let shares_all = |other: &Service| {
            let rules_of = |service: &Service| -> Vec<&str> {
                let stands = |rule: &&crate::model::world::Rule| {
                    rule.weights()
                        .iter()
                        .any(|(group, _)| service.attachments.iter().any(|a| a.group == *group))
                };
                world.rules.values().filter(stands).map(|rule| rule.arn.as_str()).collect()
            };
            !other.attachments.is_empty() && rules_of(other) == rules_of(own)
        };
        let found: Vec<Service> = others.into_iter().flatten().filter(shares_all).collect();
        Ok(match &found[..] {
            [one] => Some(one.name.clone()),
            _ => None,
        })
    }
}

/// AWS may name a load balancer once for each of its rules.
pub(super) fn distinct(arns: &[String]) -> Vec<String> {
    arns.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// `None`: it is not there.
fn unless_missing<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.kind == FailureKind::Missing => Ok(None),
        answer => answer.map(Some),
    }
}

pub(super) fn unless_denied<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind == FailureKind::Denied => Ok(None),
        Err(error) => Err(error),
    }
}
