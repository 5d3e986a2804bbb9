//! Which actions on which resources a call needs, with the keys of their conditions: Elastic Load
//! Balancing, Amazon ECR, CloudWatch Logs and Application Auto Scaling, after the Service Authorization
//! Reference. What is not known here needs its own action on `*`. It judges nothing.

use serde_json::{Map, Value};

use super::{Keys, Need};
use crate::{
    call::{Call, is_read},
    partition::partition,
    protocol::json::texts,
    state::Region,
};

pub(crate) use super::needs_ecs::of as ecs;

/// The members of a request.
pub(crate) struct Asked<'a>(pub(crate) &'a Map<String, Value>);

impl Asked<'_> {
    pub(super) fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member).and_then(Value::as_str)
    }

    pub(super) fn texts(&self, member: &str) -> Vec<String> {
        texts(self.0.get(member))
    }

    /// Tags as the list of pairs that they are, whatever the case of the members.
    pub(super) fn tags(&self) -> Vec<(String, String)> {
        let list = self.0.get("tags").or_else(|| self.0.get("Tags")).and_then(Value::as_array);
        let pair = |one: &Value| {
            let text = |small: &str, capital: &str| {
                one.get(small)
                    .or_else(|| one.get(capital))
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            Some((text("key", "Key")?, text("value", "Value").unwrap_or_default()))
        };
        list.into_iter().flatten().filter_map(pair).collect()
    }
}

/// A call, its caller and the region that it is made in.
pub(crate) struct Place<'a> {
    /// The caller's ARN.
    pub(crate) user: String,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    /// `None`: nothing was ever made there.
    pub(crate) state: Option<&'a Region>,
    pub(crate) call: &'a Call,
}

impl Place<'_> {
    /// Adds the keys that each call has.
    pub(super) fn complete(&self, needs: &mut [Need]) {
        for need in needs {
            need.keys.insert("aws:requestedregion".into(), vec![self.region.to_owned()]);
            need.keys.insert("aws:principalaccount".into(), vec![self.account.to_owned()]);
            need.keys.insert("aws:principalarn".into(), vec![self.user.clone()]);
        }
    }

    pub(super) fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{rest}",
            partition(self.region).name,
            self.region,
            self.account
        )
    }

    /// The call's own action.
    pub(super) fn need(&self, resource: impl Into<String>) -> Need {
        let action = format!("{}:{}", self.call.service, self.call.operation);
        Need { action, resource: resource.into(), keys: Keys::new() }
    }
}

impl Need {
    pub(super) fn with(mut self, key: &str, value: impl Into<String>) -> Need {
        self.keys.entry(key.to_lowercase()).or_default().push(value.into());
        self
    }

    pub(super) fn with_some(self, key: &str, value: Option<impl Into<String>>) -> Need {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// `aws:ResourceTag/…`, and the service's own name for it.
    pub(super) fn tagged<'t>(
        self,
        service: &str,
        tags: impl IntoIterator<Item = (&'t String, &'t String)>,
    ) -> Need {
        tags.into_iter().fold(self, |need, (key, value)| {
            need.with(&format!("aws:ResourceTag/{key}"), value)
                .with(&format!("{service}:ResourceTag/{key}"), value)
        })
    }

    /// `aws:RequestTag/…` and `aws:TagKeys`.
    pub(super) fn requesting(self, tags: &[(String, String)]) -> Need {
        tags.iter().fold(self, |need, (key, value)| {
            need.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key)
        })
    }
}

/// AWS STS: everybody may ask who they are, whatever a policy says.
pub(crate) fn sts(_: &Place<'_>, _: &Asked<'_>) -> Vec<Need> {
    Vec::new()
}

/// Elastic Load Balancing.
pub(crate) fn elb(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    let operation = place.call.operation.as_str();
    let service = "elasticloadbalancing";
    let own = |arn: &str| place.need(arn).tagged(service, elb_tags(place, arn));
    let new = |rest: &str| place.arn(service, rest);
    let text = |member| asked.text(member).unwrap_or("*");
    let created = match operation {
        _ if is_read(operation) => return vec![place.need("*")],
        "AddTags" | "RemoveTags" => {
            let keys = asked.texts("TagKeys");
            let tagging = |arn: &String| {
                let need = own(arn).requesting(&asked.tags());
                keys.iter().fold(need, |need, key| need.with("aws:TagKeys", key))
            };
            return asked.texts("ResourceArns").iter().map(tagging).collect();
        }
        "SetRulePriorities" => {
            let list = asked.0.get("RulePriorities").and_then(Value::as_array);
            let rules = list.into_iter().flatten().filter_map(|one| one["RuleArn"].as_str());
            return rules.map(|arn| place.need(arn)).collect();
        }
        "CreateLoadBalancer" => {
            let short = if asked.text("Type") == Some("network") { "net" } else { "app" };
            new(&format!("loadbalancer/{short}/{}/*", text("Name")))
        }
        "CreateTargetGroup" => new(&format!("targetgroup/{}/*", text("Name"))),
        "CreateListener" => text("LoadBalancerArn").to_owned(),
        "CreateRule" => text("ListenerArn").to_owned(),
        _ => {
            let members = ["RuleArn", "ListenerArn", "TargetGroupArn", "LoadBalancerArn"];
            let arn = members.iter().find_map(|member| asked.text(member)).unwrap_or("*");
            return vec![own(arn)];
        }
    };
    let tags = asked.tags();
    let mut needs = vec![own(&created).requesting(&tags)];
    if !tags.is_empty() {
        let mut adding =
            own(&created).requesting(&tags).with("elasticloadbalancing:CreateAction", operation);
        adding.action = "elasticloadbalancing:AddTags".into();
        needs.push(adding);
    }
    needs
}

fn elb_tags<'a>(
    place: &Place<'a>,
    arn: &str,
) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
    let elb = place.state.map(|region| &region.elb);
    let tags = elb.and_then(|elb| {
        let groups = elb.groups.get(arn).map(|one| &one.tags);
        let balancers = || elb.load_balancers.get(arn).map(|one| &one.tags);
        let listeners = || elb.listeners.get(arn).map(|one| &one.tags);
        groups
            .or_else(balancers)
            .or_else(listeners)
            .or_else(|| elb.rules.get(arn).map(|one| &one.tags))
    });
    tags.into_iter().flatten()
}

/// Amazon ECR.
pub(crate) fn ecr(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    if place.call.operation == "GetAuthorizationToken" {
        return vec![place.need("*")];
    }
    let mut names = asked.texts("repositoryNames");
    names.extend(asked.text("repositoryName").map(str::to_owned));
    if names.is_empty() {
        names.push("*".into());
    }
    let need = |name: &String| place.need(place.arn("ecr", &format!("repository/{name}")));
    names.iter().map(need).collect()
}

/// CloudWatch Logs: to read a stream needs that stream, to read a group needs all of its streams.
pub(crate) fn logs(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    // What lists groups is allowed on a group's pattern.
    if place.call.operation == "DescribeLogGroups" {
        return vec![place.need(place.arn("logs", "log-group:*"))];
    }
    let group = asked.text("logGroupName").or(asked.text("logGroupIdentifier")).unwrap_or("*");
    let stream = asked.text("logStreamName").unwrap_or_default();
    let group = crate::logs::named(group);
    vec![place.need(place.arn("logs", &format!("log-group:{group}:log-stream:{stream}")))]
}

/// CloudWatch: an alarm by its name; what lists them, on all of them (Service Authorization Reference).
pub(crate) fn alarms(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    if place.call.operation == "GetMetricStatistics" {
        return vec![place.need("*")];
    }
    let mut names = asked.texts("AlarmNames");
    names.extend(asked.text("AlarmName").map(str::to_owned));
    if names.is_empty() {
        return vec![place.need(place.arn("cloudwatch", "alarm:*"))];
    }
    let need = |name: &String| place.need(place.arn("cloudwatch", &format!("alarm:{name}")));
    names.iter().map(need).collect()
}

/// AWS Identity and Access Management: a role by its name, and the policy that it is given; a principal by its ARN.
pub(crate) fn roles(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    if let Some(principal) = asked.text("PolicySourceArn") {
        return vec![place.need(principal)];
    }
    let name = asked.text("RoleName").unwrap_or("*");
    let path = asked.text("Path").unwrap_or("/");
    let partition = partition(place.region).name;
    let need = place.need(format!("arn:{partition}:iam::{}:role{path}{name}", place.account));
    vec![need.with_some("iam:PolicyARN", asked.text("PolicyArn"))]
}

/// AWS Secrets Manager: a secret by its ARN; one that is named has six characters more in it.
pub(crate) fn secrets(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    let id = asked.text("SecretId").unwrap_or("*");
    match id.starts_with("arn:") {
        true => vec![place.need(id)],
        false => vec![place.need(place.arn("secretsmanager", &format!("secret:{id}-??????")))],
    }
}

/// What can be allowed on everything only.
pub(crate) fn anywhere(place: &Place<'_>, _: &Asked<'_>) -> Vec<Need> {
    vec![place.need("*")]
}

/// Application Auto Scaling.
pub(crate) fn scaling(place: &Place<'_>, asked: &Asked<'_>) -> Vec<Need> {
    if is_read(&place.call.operation) {
        return vec![place.need("*")];
    }
    let need = place
        .need(place.arn("application-autoscaling", "scalable-target/*"))
        .with_some("application-autoscaling:service-namespace", asked.text("ServiceNamespace"))
        .with_some("application-autoscaling:scalable-dimension", asked.text("ScalableDimension"));
    vec![need]
}
