//! One-off tasks on the wire.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::DesiredStatus;
use futures_util::future::try_join_all;
use serde_json::Value;

use super::error::of;
use super::observe::{Pair, Take, unreadable};
use super::raw::{Capture, SendBody};
use super::{Aws, once, wire};
use crate::call::Call;
use crate::error::Failure;
use crate::model::arn::{family, short};
use crate::model::world::{Service, Task, World};
use crate::plan::run_task::started_by;
use crate::record::Record;

impl Aws {
    /// One service with its settings; `None` where there is none.
    pub async fn service(&self, cluster: &str, name: &str) -> Result<Option<Service>, Failure> {
        let services = self.services_once(cluster, &[name.to_owned()]).await?;
        Ok(services.into_iter().find(|service| service.status != "INACTIVE"))
    }

    /// The names of a cluster's services, in their order.
    pub async fn service_names(&self, cluster: &str) -> Result<Vec<String>, Failure> {
        let call = Call::ListServices.on(format!("of cluster {cluster}"));
        let pages = self.ecs.list_services().cluster(cluster).max_results(100).into_paginator();
        let arns = pages.items().send().collect::<Result<Vec<_>, _>>().await.map_err(of(call))?;
        let mut names: Vec<String> = arns.iter().map(|arn| short(arn).to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// A service of each pair of a cluster that its tags name.
    pub async fn tagged_pairs(&self, cluster: &str) -> Result<Vec<String>, Failure> {
        let names = self.service_names(cluster).await?;
        let mut pairs: Vec<(String, String)> = Vec::new();
        // DescribeServices takes 10 at a time (API reference).
        for some in names.chunks(10) {
            for service in self.services(cluster, some, Take::Everything).await? {
                let Some(twin) = service.tags.get("ecs-bg:twin") else { continue };
                if !pairs.iter().any(|(_, known)| *known == service.name) {
                    pairs.push((service.name.clone(), twin.clone()));
                }
            }
        }
        Ok(pairs.into_iter().map(|(service, _)| service).collect())
    }

    /// The ARNs of the revisions of a family that tasks of a cluster run: those of services, and one-off tasks.
    pub async fn revisions_in_use(
        &self,
        cluster: &str,
        family: &str,
    ) -> Result<BTreeSet<String>, Failure> {
        let call = Call::ListTasks.on(format!("of family {family} in cluster {cluster}"));
        let request = self.ecs.list_tasks().cluster(cluster).family(family);
        let all = request.into_paginator().items().send();
        let arns = all.collect::<Result<Vec<_>, _>>().await.map_err(of(call))?;
        // DescribeTasks takes 100 at a time (API reference).
        let tasks =
            try_join_all(arns.chunks(100).map(|arns| self.described(cluster, arns))).await?;
        Ok(tasks.into_iter().flatten().map(|task| task.revision).collect())
    }

    /// Starts tasks: those that were, and why others were not. The body is our own: a service's
    /// settings go into it as they came.
    pub async fn run_task(&self, body: &Value) -> Result<(Vec<Task>, Vec<String>), Failure> {
        let revision = body["taskDefinition"].as_str().unwrap_or_default();
        let call = Call::RunTask.on(short(revision));
        let (answer, sent) = (Capture::default(), SendBody(body.to_string()));
        let request = self.ecs.run_task().task_definition(revision).customize();
        let request = request.interceptor(answer.clone()).interceptor(sent);
        let request = request.config_override(aws_sdk_ecs::Config::builder().retry_config(once()));
        let started = request.send().await.map_err(of(&call))?;
        let tasks: wire::Tasks =
            serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
        let failures = started.failures().iter().map(|failure| {
            let detail = failure.detail().map_or(String::new(), |detail| format!(" ({detail})"));
            format!("{}{detail}", failure.reason().unwrap_or("AWS gave no reason"))
        });
        Ok((tasks.tasks.into_iter().map(Task::from).collect(), failures.collect()))
    }

    /// Tasks by ARN; those that ECS does not know are left out.
    pub async fn described(&self, cluster: &str, arns: &[String]) -> Result<Vec<Task>, Failure> {
        let call = Call::DescribeTasks.on(format!("in cluster {cluster}"));
        let answer = Capture::default();
        let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
        request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
        let tasks: wire::Tasks =
            serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
        Ok(tasks.tasks.into_iter().map(Task::from).collect())
    }

    /// The task that runs before: what is known of it, or what carries the record's id. The token that
    /// `startedBy` is must be the only filter (API reference of ListTasks), and finds no stopped tasks.
    pub(super) async fn preparing(
        &self,
        pair: &Pair,
        record: &Record,
        before: &World,
    ) -> Result<Vec<Task>, Failure> {
        let known: Vec<Task> = before.prepare.clone().unwrap_or_default();
        let by = started_by(&record.id);
        let arns = match known.is_empty() {
            true => self.started_by(&pair.cluster, record, &by).await?,
            false => known.iter().map(|task| task.arn.clone()).collect(),
        };
        let mut found = Vec::new();
        // DescribeTasks takes 100 at a time (API reference).
        for arns in arns.chunks(100) {
            found.extend(self.described(&pair.cluster, arns).await?);
        }
        found.retain(|task| task.started_by.as_ref() == Some(&by));
        // A new task may not be known everywhere at once, and an old one be forgotten.
        Ok(if found.is_empty() { known } else { found })
    }

    /// Tasks that may be those started by this name.
    async fn started_by(
        &self,
        cluster: &str,
        record: &Record,
        by: &str,
    ) -> Result<Vec<String>, Failure> {
        let call = Call::ListTasks.on(format!("started by {by} in cluster {cluster}"));
        let running = self.ecs.list_tasks().cluster(cluster).started_by(by);
        let running = running.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let running = running.map_err(of(&call))?;
        if !running.is_empty() {
            return Ok(running);
        }
        let family = family(&record.revision);
        let stopped = self.ecs.list_tasks().cluster(cluster).family(family);
        let stopped = stopped.desired_status(DesiredStatus::Stopped).into_paginator().items();
        stopped.send().collect::<Result<Vec<_>, _>>().await.map_err(of(&call))
    }

    /// Stops a task.
    pub async fn stop_task(&self, cluster: &str, task: &str, why: &str) -> Result<(), Failure> {
        let request = self.ecs.stop_task().cluster(cluster).task(task);
        let request = request.reason(format!("ecs-bg: {why}"));
        request.send().await.map_err(of(Call::StopTask.on(short(task)))).map(drop)
    }
}
