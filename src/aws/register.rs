//! Task definitions on the wire: read whole, registered as raw JSON, read back.

use aws_sdk_ecs::types::{SortOrder, TaskDefinitionField};

use super::error::of;
use super::observe::unreadable;
use super::raw::{Capture, SendBody};
use super::{Aws, once};
use crate::call::Call;
use crate::error::Failure;
use crate::event::refusal::DefinitionRefused;
use crate::event::{Error, Refusal};
use crate::model::arn;
use crate::model::revision::Revision;
use crate::record::Record;

impl Aws {
    /// A revision, by ARN or name, with its tags.
    pub async fn revision(&self, name: &str) -> Result<Revision, Failure> {
        let call = Call::DescribeTaskDefinition.on(arn::short(name));
        let answer = Capture::default();
        let request = self
            .ecs
            .describe_task_definition()
            .task_definition(name)
            .include(TaskDefinitionField::Tags);
        request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
        let revision = Revision::read(answer.body()).map_err(|error| unreadable(&call, error))?;
        self.essentials.with(|known| known.insert(revision.arn.clone(), revision.essential()));
        Ok(revision)
    }

    /// A revision that a person named. DescribeTaskDefinition says `ClientException` of one that does
    /// not exist.
    pub async fn known_revision(&self, name: &str) -> Result<Revision, Error> {
        match self.revision(name).await {
            Err(error) if error.code == "ClientException" => {
                let (revision, region) = (name.to_owned(), self.region.clone());
                Err(Refusal::new(DefinitionRefused::NoTaskDefinition { revision, region }).into())
            }
            answer => Ok(answer?),
        }
    }

    /// The record on a revision; `None` where there is none that can be read.
    pub async fn record(&self, arn: &str) -> Result<Option<Record>, Failure> {
        let revision = self.revision(arn).await?;
        Ok(Record::from_tags(arn, &revision.tags).and_then(Result::ok))
    }

    /// ARNs of the newest revisions of a family, newest first.
    pub async fn newest(&self, family: &str, count: u8) -> Result<Vec<String>, Failure> {
        let request = self.ecs.list_task_definitions().family_prefix(family).sort(SortOrder::Desc);
        let answer = request.max_results(count.into()).send().await;
        let answer =
            answer.map_err(of(Call::ListTaskDefinitions.on(format!("of family {family}"))))?;
        Ok(answer.task_definition_arns().to_vec())
    }

    /// ARNs of the ACTIVE revisions of a family, newest first.
    pub async fn active(&self, family: &str, most: usize) -> Result<Vec<String>, Failure> {
        let request = self.ecs.list_task_definitions().family_prefix(family).sort(SortOrder::Desc);
        let mut pages = request.into_paginator().items().send();
        let mut arns = Vec::new();
        while let Some(arn) = pages.next().await {
            let arn =
                arn.map_err(of(Call::ListTaskDefinitions.on(format!("of family {family}"))))?;
            // The prefix of a family is also that of others.
            if arn::family(&arn) == family {
                arns.push(arn);
            }
            if arns.len() >= most {
                break;
            }
        }
        Ok(arns)
    }

    /// Registers a revision from the body of a RegisterTaskDefinition; its ARN.
    pub async fn register(&self, family: &str, body: String) -> Result<String, Failure> {
        let call = Call::RegisterTaskDefinition.on(format!("of family {family}"));
        let request = self.ecs.register_task_definition().customize().interceptor(SendBody(body));
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let answer = request.config_override(config).send().await.map_err(of(&call))?;
        let arn = answer.task_definition().and_then(|definition| definition.task_definition_arn());
        arn.map(str::to_owned).ok_or_else(|| unreadable(&call, "no taskDefinitionArn"))
    }

    /// Takes a revision out of use. Services on it keep running.
    pub async fn deregister(&self, arn: &str) -> Result<(), Failure> {
        let request = self.ecs.deregister_task_definition().task_definition(arn);
        request.send().await.map_err(of(Call::DeregisterTaskDefinition.on(arn::short(arn))))?;
        Ok(())
    }
}
