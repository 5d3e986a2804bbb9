//! Revisions that ECS was asked to run and did not keep. DescribeServices forgets them once ECS has rolled
//! the service back.

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{ServiceDeploymentBrief, ServiceDeploymentStatus as Status};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;

use super::error::of;
use super::{Aws, once};
use crate::call::Call;
use crate::error::Failure;
use crate::model::service_deployment::Past;
use crate::model::world::{Service, World};

/// Pages of a list that are read, of 20 deployments or more.
const PAGES: usize = 10;
/// DescribeServiceRevisions takes so many (API reference).
const AT_A_TIME: usize = 20;

impl Aws {
    /// The revisions that the newest deployment of each service was to bring, where that was given up.
    /// Asked only of a service that says so; what may not be asked is not there.
    pub(super) async fn given_up(&self, cluster: &str, world: &World) -> Vec<String> {
        let services = world.services.values().filter(|service| went_back(service));
        let targets = join_all(services.map(|one| self.target_given_up(cluster, &one.name))).await;
        let targets: Vec<String> = targets.into_iter().flatten().flatten().collect();
        match targets.is_empty() {
            true => vec![],
            false => self.definitions(targets).await.unwrap_or_default(),
        }
    }

    /// The service revision that the newest deployment of a service was to bring. One that goes on or
    /// went well is what the service itself shows.
    async fn target_given_up(
        &self,
        cluster: &str,
        service: &str,
    ) -> Result<Option<String>, Failure> {
        let request = self.ecs.list_service_deployments().cluster(cluster).service(service);
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let answer = request.customize().config_override(config).send().await;
        let answer =
            answer.map_err(of(Call::ListServiceDeployments.on(format!("of {service}"))))?;
        let newest = answer.service_deployments().iter().max_by_key(|one| one.created_at());
        let given_up = newest.filter(|one| {
            !matches!(one.status(), Some(Status::Pending | Status::InProgress | Status::Successful))
        });
        Ok(given_up.and_then(|one| one.target_service_revision_arn()).map(str::to_owned))
    }

    /// The task definition revisions that the services were on or were to be on, as far as ECS tells: 90
    /// days at most (API reference of ListServiceDeployments).
    pub(super) async fn history(&self, cluster: &str, world: &World) -> Vec<String> {
        let all = world.services.values().map(|service| self.history_of(cluster, &service.name));
        join_all(all).await.into_iter().flatten().flatten().collect()
    }

    async fn history_of(&self, cluster: &str, service: &str) -> Result<Vec<String>, Failure> {
        let request = self.ecs.list_service_deployments().cluster(cluster).service(service);
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let answer = request.customize().config_override(config).send().await;
        let answer =
            answer.map_err(of(Call::ListServiceDeployments.on(format!("of {service}"))))?;
        let mut deployments: Vec<_> = answer.service_deployments().iter().collect();
        deployments.sort_by_key(|one| std::cmp::Reverse(one.created_at().map(|at| at.secs())));
        let mut revisions: Vec<String> = Vec::new();
        for one in deployments {
            // What a deployment replaced is the target of an earlier one.
            let target = one.target_service_revision_arn().map(str::to_owned);
            revisions.extend(target.filter(|arn| !revisions.contains(arn)));
        }
        // DescribeServiceRevisions takes 20 (API reference).
        revisions.truncate(20);
        match revisions.is_empty() {
            true => Ok(vec![]),
            false => self.definitions(revisions).await,
        }
    }

    /// What ECS tells of the deployments of a service, the newest first: 90 days at most (API reference of
    /// ListServiceDeployments).
    pub async fn past_deployments(
        &self,
        cluster: &str,
        service: &str,
        most: usize,
    ) -> Result<Vec<Past>, Failure> {
        let (mut all, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            let request = self.ecs.list_service_deployments().cluster(cluster).service(service);
            let answer = request.set_next_token(token).send().await;
            let answer =
                answer.map_err(of(Call::ListServiceDeployments.on(format!("of {service}"))))?;
            all.extend(answer.service_deployments().iter().cloned());
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        all.sort_by_key(|one| {
            std::cmp::Reverse(one.created_at().map(|at| (at.secs(), at.subsec_nanos())))
        });
        all.truncate(most);
        let targets = all.iter().filter_map(|one| one.target_service_revision_arn());
        let mut targets: Vec<String> = targets.map(str::to_owned).collect();
        targets.sort();
        targets.dedup();
        let mut definitions = BTreeMap::new();
        for some in targets.chunks(AT_A_TIME) {
            let request = self.ecs.describe_service_revisions();
            let answer = request.set_service_revision_arns(Some(some.to_vec())).send().await;
            let call = Call::DescribeServiceRevisions.on(format!("of {service}"));
            for revision in answer.map_err(of(call))?.service_revisions() {
                let arn = revision.service_revision_arn().unwrap_or_default().to_owned();
                definitions.extend(revision.task_definition().map(|own| (arn, own.to_owned())));
            }
        }
        let past = |one: &ServiceDeploymentBrief| Past {
            status: one.status().map_or("", |status| status.as_str()).to_owned(),
            reason: one.status_reason().map(str::to_owned),
            created: one.created_at().and_then(time),
            finished: one.finished_at().and_then(time),
            revision: one
                .target_service_revision_arn()
                .and_then(|arn| definitions.get(arn))
                .cloned(),
        };
        Ok(all.iter().map(past).collect())
    }

    /// The task definition revisions of service revisions.
    async fn definitions(&self, revisions: Vec<String>) -> Result<Vec<String>, Failure> {
        let request =
            self.ecs.describe_service_revisions().set_service_revision_arns(Some(revisions));
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let answer = request.customize().config_override(config).send().await;
        let answer = answer.map_err(of(Call::DescribeServiceRevisions.on("of the services")))?;
        let definitions = answer.service_revisions().iter().filter_map(|one| one.task_definition());
        Ok(definitions.map(str::to_owned).collect())
    }
}

fn time(at: &DateTime) -> Option<SystemTime> {
    let since = Duration::new(u64::try_from(at.secs()).ok()?, at.subsec_nanos());
    UNIX_EPOCH.checked_add(since)
}

/// Whether ECS says that it put the service back, in words that its documentation gives.
fn went_back(service: &Service) -> bool {
    let reasons = service.deployments.iter().filter_map(|one| one.reason.as_ref());
    let mut said = service.events.iter().map(|event| &event.message).chain(reasons);
    said.any(|text| text.contains("rolling back to deployment"))
}
