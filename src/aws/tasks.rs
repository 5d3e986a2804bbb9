//! One-off tasks on the wire.

use serde_json::Value;

use super::error::{AwsError, of};
use super::observe::unreadable;
use super::raw::{Capture, SendBody};
use super::{Aws, once, wire};
use crate::revision::short;
use crate::world::{Service, Task};

impl Aws {
    /// One service with its settings; `None` where there is none.
    pub async fn service(&self, cluster: &str, name: &str) -> Result<Option<Service>, AwsError> {
        let services = self.services_once(cluster, &[name.to_owned()]).await?;
        Ok(services.into_iter().find(|service| service.status != "INACTIVE"))
    }

    /// Starts tasks: those that were, and why others were not. The body is our own: a service's
    /// settings go into it as they came.
    pub async fn run_task(&self, body: &Value) -> Result<(Vec<Task>, Vec<String>), AwsError> {
        let revision = body["taskDefinition"].as_str().unwrap_or_default();
        let call = format!("RunTask {}", short(revision));
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
    pub async fn described(&self, cluster: &str, arns: &[String]) -> Result<Vec<Task>, AwsError> {
        let call = format!("DescribeTasks in cluster {cluster}");
        let answer = Capture::default();
        let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
        request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
        let tasks: wire::Tasks =
            serde_json::from_str(answer.body()).map_err(|error| unreadable(&call, error))?;
        Ok(tasks.tasks.into_iter().map(Task::from).collect())
    }

    /// Stops a task.
    pub async fn stop_task(&self, cluster: &str, task: &str, why: &str) -> Result<(), AwsError> {
        let request = self.ecs.stop_task().cluster(cluster).task(task);
        let request = request.reason(format!("ecs-bg run: {why}"));
        request.send().await.map_err(of(format!("StopTask {}", short(task)))).map(drop)
    }
}
