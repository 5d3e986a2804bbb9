//! Acting: one action is one call. The answer of a change is a look at what it changed.

use aws_sdk_ecs::types::Tag;

use super::error::{AwsError, of};
use super::observe::{Pair, unreadable};
use super::raw::{Capture, SendBody};
use super::{Aws, once, rules, wire};
use crate::record::Record;
use crate::revision::short;
use crate::route::Action;
use crate::world::{Rule, World};

impl Aws {
    /// Makes one change and puts AWS's answer into `world`.
    pub async fn act(
        &self,
        pair: &Pair,
        action: &Action,
        world: &mut World,
    ) -> Result<(), AwsError> {
        match action {
            Action::Launch { service, revision, count } => {
                self.update_service(pair, service, Some(revision), *count, world).await
            }
            Action::Count { service, count } => {
                self.update_service(pair, service, None, *count, world).await
            }
            Action::Weigh { rule, actions } => match world.rules.get(rule).cloned() {
                Some(rule) => self.set_actions(&rule, actions, world).await,
                None => Ok(()),
            },
            Action::Write(record) => self.write(record).await,
        }
    }

    async fn update_service(
        &self,
        pair: &Pair,
        service: &str,
        revision: Option<&str>,
        count: u32,
        world: &mut World,
    ) -> Result<(), AwsError> {
        let to = revision.map_or(String::new(), |revision| format!(" to {}", short(revision)));
        let call = format!("UpdateService {service}{to} with {count} tasks");
        let answer = Capture::default();
        let request = self
            .ecs
            .update_service()
            .cluster(&pair.cluster)
            .service(service)
            .set_task_definition(revision.map(str::to_owned))
            .desired_count(i32::try_from(count).unwrap_or(i32::MAX));
        let request = request.customize().interceptor(answer.clone());
        let request = request.config_override(aws_sdk_ecs::Config::builder().retry_config(once()));
        request.send().await.map_err(of(&call))?;
        let read: Result<wire::Services, _> = serde_json::from_str(answer.body());
        let raw = read.map_err(|error| unreadable(&call, error))?.service.unwrap_or_default();
        let service = wire::service(raw, false).map_err(|error| unreadable(&call, error))?;
        world.services.insert(service.arn.clone(), service);
        Ok(())
    }

    async fn set_actions(
        &self,
        rule: &Rule,
        actions: &[(String, String)],
        world: &mut World,
    ) -> Result<(), AwsError> {
        let (operation, key, list) = match rule.is_default {
            // A default rule changes only through its listener.
            true => ("ModifyListener", ("ListenerArn", &rule.listener), "DefaultActions"),
            false => ("ModifyRule", ("RuleArn", &rule.arn), "Actions"),
        };
        let mut parameters = vec![(key.0.to_owned(), key.1.clone())];
        parameters
            .extend(actions.iter().map(|(path, value)| (format!("{list}.{path}"), value.clone())));
        let call = format!("{operation} {}", rule.name);
        let (answer, body) = (Capture::default(), SendBody(rules::form(operation, &parameters)));
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        let shown = if rule.is_default {
            let request = self.elb.modify_listener().listener_arn(&rule.listener).customize();
            let request =
                request.interceptor(answer.clone()).interceptor(body).config_override(config);
            request.send().await.map_err(of(&call))?;
            rules::default_actions(answer.body()).map_err(|error| unreadable(&call, error))?
        } else {
            let request = self.elb.modify_rule().rule_arn(&rule.arn).customize();
            let request =
                request.interceptor(answer.clone()).interceptor(body).config_override(config);
            request.send().await.map_err(of(&call))?;
            let rules = rules::rules(answer.body(), "ModifyRuleResult", |_, _| String::new());
            rules
                .map_err(|error| unreadable(&call, error))?
                .into_iter()
                .next()
                .map(|rule| rule.actions)
                .unwrap_or_default()
        };
        world.unread.insert(rule.arn.clone());
        world.rules.insert(rule.arn.clone(), Rule { actions: shown, ..rule.clone() });
        Ok(())
    }

    /// Writes the record: one TagResource call that overwrites.
    pub async fn write(&self, record: &Record) -> Result<(), AwsError> {
        let Some(tags) = record.to_tags(&std::collections::BTreeMap::new()) else { return Ok(()) };
        let tags =
            tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request =
            self.ecs.tag_resource().resource_arn(&record.revision).set_tags(Some(tags.collect()));
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let call = format!("TagResource {}", record.name());
        request.customize().config_override(config).send().await.map_err(of(call))?;
        Ok(())
    }
}
