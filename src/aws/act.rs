//! Acting: one action is one call. AWS's answer to a change tells what it changed.

use aws_sdk_ecs::types::Tag;
use serde_json::{Value, json};

use super::error::of;
use super::observe::{Pair, Take, unreadable};
use super::raw::{Capture, SendBody};
use super::{Aws, once, rules, wire};
use crate::call::Call;
use crate::error::Failure;
use crate::model::arn::short;
use crate::model::world::{Rule, Told, World};
use crate::record::Record;
use crate::route::Action;

/// The settings block that a deployment may change.
const CONFIGURATION: &str = "deploymentConfiguration";

impl Aws {
    /// Makes one change, and says what AWS's answer tells.
    pub async fn act(&self, pair: &Pair, action: &Action, world: &World) -> Result<Told, Failure> {
        match action {
            Action::Launch { service, revision, count } => {
                self.update_service(pair, service, Some(revision), *count).await
            }
            Action::Count { service, count } => {
                self.update_service(pair, service, None, *count).await
            }
            Action::Roll { service, min_healthy, max_percent, .. } => {
                // A glance takes in no settings, and AWS may replace the whole block by what is sent.
                let own = world.service(service).and_then(|own| own.settings.get(CONFIGURATION));
                let own = match (min_healthy.or(*max_percent), own) {
                    (Some(_), None) => {
                        let names = std::slice::from_ref(service);
                        let read = self.services(&pair.cluster, names, Take::Everything).await?;
                        read.into_iter().find_map(|one| one.settings.get(CONFIGURATION).cloned())
                    }
                    (_, own) => own.cloned(),
                };
                let body = roll_request(pair, action, own);
                self.roll(service, body).await
            }
            Action::Shift { service, revision, configuration, force } => {
                let mut body = json!({"cluster": pair.cluster, "service": service, "taskDefinition": revision});
                if let Some(configuration) = configuration {
                    body[CONFIGURATION] = configuration.clone();
                }
                if *force {
                    body["forceNewDeployment"] = json!(true);
                }
                self.roll(service, body).await
            }
            Action::Configure { service, configuration } => {
                let mut body = json!({"cluster": pair.cluster, "service": service});
                body[CONFIGURATION] = configuration.clone();
                self.roll(service, body).await
            }
            Action::Scale { service, min, max, suspended } => {
                self.scale(service, (*min, *max), *suspended, world).await
            }
            Action::StopDeployment { arn } => {
                self.stop_deployment(arn).await.map(|()| Told::Nothing)
            }
            Action::Continue { arn, hook, .. } => {
                self.continue_deployment(arn, hook).await.map(|()| Told::Nothing)
            }
            Action::Weigh { rule, actions } => match world.rules.get(rule) {
                Some(rule) => self.set_actions(rule, actions).await,
                None => Ok(Told::Nothing),
            },
            Action::Stop { task } => {
                let why = "the deployment that it prepares goes back";
                self.stop_task(&pair.cluster, task, why).await.map(|()| Told::Nothing)
            }
            // Its body is the engine's business: the command is in no action.
            Action::Prepare => Ok(Told::Nothing),
            Action::Write(record) => self.write(record).await.map(|()| Told::Nothing),
        }
    }

    async fn update_service(
        &self,
        pair: &Pair,
        service: &str,
        revision: Option<&str>,
        count: u32,
    ) -> Result<Told, Failure> {
        let to = revision.map_or(String::new(), |revision| format!(" to {}", short(revision)));
        let call = Call::UpdateService.on(format!("{service}{to} with {count} tasks"));
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
        updated(answer.body()).map_err(|error| unreadable(&call, error))
    }

    /// ECS replaces the tasks. The body is our own: the deployment configuration goes back as it came.
    pub(super) async fn roll(&self, service: &str, body: Value) -> Result<Told, Failure> {
        let to = body["taskDefinition"].as_str().map(short);
        let to = to.map_or(String::new(), |to| format!(" to {to}"));
        let call = Call::UpdateService.on(format!("{service}{to}"));
        let (answer, sent) = (Capture::default(), SendBody(body.to_string()));
        let request = self.ecs.update_service().service(service).customize();
        let request = request.interceptor(answer.clone()).interceptor(sent);
        let request = request.config_override(aws_sdk_ecs::Config::builder().retry_config(once()));
        request.send().await.map_err(of(&call))?;
        updated(answer.body()).map_err(|error| unreadable(&call, error))
    }

    async fn set_actions(
        &self,
        rule: &Rule,
        actions: &[(String, String)],
    ) -> Result<Told, Failure> {
        let (call, key, list) = match rule.is_default {
            // A default rule changes only through its listener.
            true => (Call::ModifyListener, ("ListenerArn", &rule.listener), "DefaultActions"),
            false => (Call::ModifyRule, ("RuleArn", &rule.arn), "Actions"),
        };
        let mut parameters = vec![(key.0.to_owned(), key.1.clone())];
        parameters
            .extend(actions.iter().map(|(path, value)| (format!("{list}.{path}"), value.clone())));
        let (answer, body) =
            (Capture::default(), SendBody(rules::form(call.operation(), &parameters)));
        let call = call.on(rule.name.as_str());
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
            let rules =
                rules::rules(answer.body(), "ModifyRuleResult", |_, _| (String::new(), None));
            rules
                .map_err(|error| unreadable(&call, error))?
                .into_iter()
                .next()
                .map(|rule| rule.actions)
                .unwrap_or_default()
        };
        Ok(Told::Rule(Box::new(Rule { actions: shown, ..rule.clone() })))
    }

    /// Writes the record: one TagResource call that overwrites.
    pub async fn write(&self, record: &Record) -> Result<(), Failure> {
        self.tag(record, |_| true).await
    }

    /// Writes whose the record is, and nothing else of it: what was read of it may be older than it is.
    pub async fn own(&self, record: &Record) -> Result<(), Failure> {
        self.tag(record, |key| key == "ecs-bg:owner").await
    }

    /// Writes a tag of the record that never changes, to find out whether tags may be written. However
    /// late it arrives, it says nothing new.
    pub async fn try_tags(&self, record: &Record) -> Result<(), Failure> {
        self.tag(record, |key| key == "ecs-bg:cluster").await
    }

    async fn tag(&self, record: &Record, wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let Some(tags) = record.to_tags(&std::collections::BTreeMap::new()) else { return Ok(()) };
        let tags = tags.into_iter().filter(|(key, _)| wanted(key));
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request =
            self.ecs.tag_resource().resource_arn(&record.revision).set_tags(Some(tags.collect()));
        let config = aws_sdk_ecs::Config::builder().retry_config(once());
        let call = Call::TagResource.on(record.name());
        request.customize().config_override(config).send().await.map_err(of(call))?;
        Ok(())
    }
}

/// The answer of an UpdateService is a look at the service.
fn updated(answer: &str) -> Result<Told, serde_json::Error> {
    let read: wire::Updated = serde_json::from_str(answer)?;
    Ok(Told::Service(Box::new(wire::service(read.service, true)?)))
}

/// What is not asked for is not sent, so it stays. A deployment configuration is replaced as a whole:
/// the service's own one is sent with what is to be different.
fn roll_request(pair: &Pair, action: &Action, own: Option<Value>) -> Value {
    let Action::Roll { service, revision, count, min_healthy, max_percent, force } = action else {
        return Value::Null;
    };
    let mut body = json!({"cluster": pair.cluster, "service": service, "taskDefinition": revision});
    if let Some(count) = count {
        body["desiredCount"] = json!(count);
    }
    if *force {
        body["forceNewDeployment"] = json!(true);
    }
    let percents = [("minimumHealthyPercent", min_healthy), ("maximumPercent", max_percent)];
    if percents.iter().any(|(_, percent)| percent.is_some()) {
        let mut configuration = own.unwrap_or_else(|| json!({}));
        for (member, percent) in percents {
            if let Some(percent) = percent {
                configuration[member] = json!(percent);
            }
        }
        body[CONFIGURATION] = configuration;
    }
    body
}
