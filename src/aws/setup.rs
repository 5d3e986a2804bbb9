//! What `ecs-bg setup` reads and changes: target groups with all that a copy needs, and a service's load
//! balancers.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::TargetGroupAttribute;
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};

use super::error::of;
use super::observe::{Take, unreadable};
use super::raw::{Capture, SendBody};
use super::survey::unless_denied;
use super::{Aws, once, rules};
use crate::call::Call;
use crate::error::{Failure, FailureKind};
use crate::model::world::{Rule, Told};
use crate::plan::Digest;
use crate::plan::setup::{
    GroupSettings, RuleSettings, Seen, TEST_TAG, makes, production, second_name, service,
};
use crate::request::image::ImageRef;
use crate::request::setup::Setup;

impl Aws {
    /// All that is read before a step.
    pub async fn setup_seen(&self, asked: &Setup) -> Result<Seen, Failure> {
        let mut survey = self.survey(&asked.cluster, &asked.service, None).await?;
        // Nothing is set up beside rules that nobody sees.
        let rules_unread = survey.rules_unread.take().map(|failure| failure.message);
        survey.blind = survey.blind.or(rules_unread);
        let images = BTreeMap::new();
        let mut seen = Seen {
            survey,
            first: None,
            second: None,
            other: None,
            policies: None,
            role: None,
            test: vec![],
            made: vec![],
            listened: vec![],
            quotas: None,
            images,
            digests: BTreeMap::new(),
        };
        let Some(own) = service(&seen).cloned() else { return Ok(seen) };
        if let Some(revision) = seen.survey.revisions.get(&own.revision) {
            let parsed = revision.containers.iter();
            let parsed =
                parsed.filter_map(|(name, image)| Some((name, image.parse::<ImageRef>().ok()?)));
            seen.images = parsed.map(|(name, image)| (name.clone(), image)).collect();
            let account = revision.account();
            let digests = seen.images.iter().map(|(name, image)| {
                let account = account.as_deref();
                async move { Ok::<_, Failure>((name.clone(), self.digest(image, account).await?)) }
            });
            let digests: Vec<(String, Digest)> = try_join_all(digests).await?;
            seen.digests = digests.into_iter().collect();
        }
        let [attachment] = &own.attachments[..] else { return Ok(seen) };
        if seen.survey.blind.is_some() {
            return Ok(seen);
        }
        seen.first = self.group(By::Arn(&attachment.group)).await?;
        let name = seen.first.as_ref().map(|first| second_name(&first.name));
        let alternate = attachment.advanced.as_ref().map(|advanced| &advanced.alternate);
        seen.second = match (alternate.or(asked.alternate.as_ref()), name) {
            (Some(arn), _) => self.group(By::Arn(arn)).await?,
            (None, Some(name)) => self.group(By::Name(&name)).await?,
            (None, None) => None,
        };
        if let Some(twin) = &asked.pair {
            return self.pair_seen(asked, twin, seen).await;
        }
        if let Some(name) = asked.create_role.as_ref().filter(|_| !own.is_advanced()) {
            seen.role = self.role(name).await?;
        }
        if let Some(arn) = &asked.test {
            let known = &seen.survey.world.rules;
            let read = self.rules_named(arn).await?.into_iter();
            seen.test = read.map(|rule| known.get(&rule.arn).cloned().unwrap_or(rule)).collect();
        }
        seen.made = self.test_rules(seen.survey.world.rules.values()).await?;
        if asked.header.is_some()
            && let Ok(rule) = production(asked, &seen)
        {
            let listener = rule.listener.clone();
            seen.listened = self.rules_with_conditions(&listener).await?;
        }
        let (group, rule) = makes(asked, &seen);
        if group || rule {
            // If they cannot be read, AWS itself refuses what is too much, only later.
            seen.quotas = self.quotas(group).await.ok();
        }
        Ok(seen)
    }

    /// The same with what a pair needs.
    async fn pair_seen(&self, asked: &Setup, twin: &str, mut seen: Seen) -> Result<Seen, Failure> {
        let Some(own) = service(&seen).filter(|_| seen.survey.twin.is_none()).cloned() else {
            return Ok(seen);
        };
        let names = [twin.to_owned()];
        let other = self.services(&asked.cluster, &names, Take::Everything).await?;
        seen.other = other.into_iter().find(|one| one.status != "INACTIVE");
        if seen.survey.scalable(&own.name).is_some() {
            seen.policies = unless_denied(self.policies_of(&own).await)?;
        }
        Ok(seen)
    }

    /// Those of these rules that `setup` made for test traffic. One whose tags may not be read is nobody's.
    async fn test_rules<'a>(
        &self,
        rules: impl Iterator<Item = &'a Rule>,
    ) -> Result<Vec<String>, Failure> {
        let arns = rules.filter(|rule| !rule.is_default).map(|rule| rule.arn.clone());
        let arns: Vec<String> = arns.collect();
        let mut made = Vec::new();
        // DescribeTags takes 20 resources at a time (API reference).
        for arns in arns.chunks(20) {
            let request = self.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
            let answer = request.send().await.map_err(of(Call::DescribeTags.on(arns.join(", "))));
            let Some(answer) = unless_denied(answer)? else { return Ok(vec![]) };
            let tagged = answer
                .tag_descriptions()
                .iter()
                .filter(|one| one.tags().iter().any(|tag| tag.key() == Some(TEST_TAG)));
            made.extend(tagged.filter_map(|one| one.resource_arn().map(str::to_owned)));
        }
        Ok(made)
    }

    /// All rules of a listener.
    async fn rules_with_conditions(&self, listener: &str) -> Result<Vec<RuleSettings>, Failure> {
        let call = Call::DescribeRules.on(listener);
        let (mut all, mut marker) = (Vec::new(), None);
        loop {
            let answer = Capture::default();
            let request = self.elb.describe_rules().listener_arn(listener).set_marker(marker);
            let page =
                request.customize().interceptor(answer.clone()).send().await.map_err(of(&call))?;
            let rules = rules::settings(answer.body()).map_err(|error| unreadable(&call, error))?;
            all.extend(rules);
            marker = page.next_marker().map(str::to_owned);
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes a rule. The same request again is refused: its priority is taken then.
    pub async fn create_rule(
        &self,
        name: &str,
        listener: &str,
        parameters: &[(String, String)],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let call = Call::CreateRule.on(name);
        let mut all = vec![("ListenerArn".to_owned(), listener.to_owned())];
        all.extend(parameters.iter().cloned());
        all.extend(tag_parameters(tags));
        let body = SendBody(rules::form(Call::CreateRule.operation(), &all));
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        let request = self.elb.create_rule().listener_arn(listener).customize();
        let request = request.interceptor(body).config_override(config);
        request.send().await.map_err(of(&call)).map(drop)
    }

    /// Removes a rule.
    pub async fn delete_rule(&self, name: &str, arn: &str) -> Result<(), Failure> {
        let request = self.elb.delete_rule().rule_arn(arn).customize();
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        let sent = request.config_override(config).send().await;
        sent.map_err(of(Call::DeleteRule.on(name))).map(drop)
    }

    /// A target group with all that a copy needs; `None`: there is none.
    async fn group(&self, by: By<'_>) -> Result<Option<GroupSettings>, Failure> {
        let (By::Arn(text) | By::Name(text)) = by;
        let call = Call::DescribeTargetGroups.on(text);
        let answer = Capture::default();
        let request = self.elb.describe_target_groups();
        let request = match by {
            By::Arn(arn) => request.target_group_arns(arn),
            By::Name(name) => request.names(name),
        };
        match request.customize().interceptor(answer.clone()).send().await.map_err(of(&call)) {
            Ok(_) => {}
            Err(error) if error.kind == FailureKind::Missing => return Ok(None),
            Err(error) => return Err(error),
        }
        let leaves = rules::flatten(answer.body()).map_err(|error| unreadable(&call, error))?;
        let groups = rules::members(&leaves, "DescribeTargetGroupsResult.TargetGroups.");
        let Some(leaves) = groups.into_iter().next() else { return Ok(None) };
        let members: BTreeMap<String, String> =
            leaves.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let text = |key: &str| members.get(key).cloned().unwrap_or_default();
        let (arn, name) = (text("TargetGroupArn"), text("TargetGroupName"));
        let targets = async { unless_denied(self.health(&arn).await) };
        let ((attributes, tags), targets) =
            try_join(try_join(self.attributes(&arn), self.group_tags(&arn)), targets).await?;
        let targets = targets.map(|(_, targets)| targets.len());
        Ok(Some(GroupSettings { arn, name, members, attributes, tags, targets }))
    }

    /// `None` where they may not be read.
    async fn group_tags(&self, arn: &str) -> Result<Option<BTreeMap<String, String>>, Failure> {
        let request = self.elb.describe_tags().resource_arns(arn);
        let answer = request.send().await.map_err(of(Call::DescribeTags.on(arn)));
        Ok(unless_denied(answer)?.map(|answer| {
            let tags = answer.tag_descriptions().iter().flat_map(|one| one.tags());
            let tags = tags.filter_map(|tag| {
                Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
            });
            tags.collect()
        }))
    }

    /// The rule of that ARN, or all rules of the listener of that ARN.
    async fn rules_named(&self, arn: &str) -> Result<Vec<Rule>, Failure> {
        let call = Call::DescribeRules.on(arn);
        let answer = Capture::default();
        let request = self.elb.describe_rules();
        let request = match arn.contains(":listener/") {
            // A load balancer has 100 rules, unless that quota is raised.
            true => request.listener_arn(arn).page_size(400),
            false => request.rule_arns(arn),
        };
        match request.customize().interceptor(answer.clone()).send().await.map_err(of(&call)) {
            Ok(_) => {}
            Err(error) if error.kind == FailureKind::Missing => return Ok(vec![]),
            Err(error) => return Err(error),
        }
        let named = |arn: &str, priority: &str| {
            let balancer = arn.rsplit('/').nth(3).unwrap_or(arn);
            (format!("{balancer}/{priority}"), None)
        };
        let rules = rules::rules(answer.body(), "DescribeRulesResult", named);
        rules.map_err(|error| unreadable(&call, error))
    }

    /// Makes a target group. The same request again makes no second one.
    pub async fn create_group(
        &self,
        name: &str,
        parameters: &[(String, String)],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let call = Call::CreateTargetGroup.on(name);
        let mut all = vec![("Name".to_owned(), name.to_owned())];
        all.extend(parameters.iter().cloned());
        all.extend(tag_parameters(tags));
        let body = SendBody(rules::form(Call::CreateTargetGroup.operation(), &all));
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        let request = self.elb.create_target_group().name(name).customize();
        let request = request.interceptor(body).config_override(config);
        request.send().await.map_err(of(&call)).map(drop)
    }

    /// Gives a target group these attributes.
    pub async fn set_attributes(
        &self,
        arn: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let call = Call::ModifyTargetGroupAttributes.on(arn);
        let all = attributes
            .iter()
            .map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build());
        let request = self.elb.modify_target_group_attributes().target_group_arn(arn);
        let request = request.set_attributes(Some(all.collect())).customize();
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        request.config_override(config).send().await.map_err(of(&call)).map(drop)
    }

    /// Removes a target group.
    pub async fn delete_group(&self, arn: &str) -> Result<(), Failure> {
        let request = self.elb.delete_target_group().target_group_arn(arn).customize();
        let config = aws_sdk_elasticloadbalancingv2::Config::builder().retry_config(once());
        let sent = request.config_override(config).send().await;
        sent.map_err(of(Call::DeleteTargetGroup.on(arn))).map(drop)
    }

    /// Gives a service these load balancers; ECS deploys what it runs anew.
    pub async fn set_load_balancers(
        &self,
        cluster: &str,
        service: &str,
        load_balancers: &Value,
    ) -> Result<Told, Failure> {
        let body = json!({"cluster": cluster, "service": service, "loadBalancers": load_balancers});
        self.roll(service, body).await
    }
}

/// Tags as query parameters.
fn tag_parameters(tags: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    tags.iter().enumerate().flat_map(|(index, (key, value))| {
        let member = |part: &str| format!("Tags.member.{}.{part}", index + 1);
        [(member("Key"), key.clone()), (member("Value"), value.clone())]
    })
}

/// How a target group is named.
#[derive(Clone, Copy)]
enum By<'a> {
    Arn(&'a str),
    Name(&'a str),
}
