//! What a task definition or a service names: roles, secrets, log groups, subnets, where its tasks run. Pure.

use crate::model::quota::Fargate;
use crate::model::revision::Revision;
use crate::model::world::Service;
use crate::plan::checks::service::setting_at;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The task definition in AWS's answer.
pub fn definition(revision: &Revision) -> Value {
    let mut answer = serde_json::from_str::<Value>(&revision.raw).unwrap_or_default();
    answer["taskDefinition"].take()
}

/// The containers of a definition, by name.
pub fn containers(definition: &Value) -> impl Iterator<Item = (String, &Value)> {
    let all = definition["containerDefinitions"].as_array();
    all.into_iter().flatten().filter_map(|one| Some((one["name"].as_str()?.to_owned(), one)))
}

/// How its containers are in the network (API reference of TaskDefinition).
pub fn network_mode(definition: &Value) -> &str {
    definition["networkMode"].as_str().unwrap_or("bridge")
}

/// Log groups that containers write to and that ECS does not make by itself, by their region.
pub fn log_groups(definition: &Value) -> BTreeMap<String, Option<String>> {
    let named = containers(definition).filter_map(|(_, one)| {
        let log = &one["logConfiguration"];
        let options = &log["options"];
        let made = options["awslogs-create-group"].as_str() == Some("true");
        let is_named = log["logDriver"] == "awslogs" && !made;
        let group = options["awslogs-group"].as_str().filter(|_| is_named)?;
        Some((group.to_owned(), options["awslogs-region"].as_str().map(str::to_owned)))
    });
    named.collect()
}

/// The roles that a definition names: of its tasks, and of the agent that starts them.
pub fn named_roles(definition: &Value) -> BTreeSet<String> {
    let role = |member: &str| definition[member].as_str().map(str::to_owned);
    ["executionRoleArn", "taskRoleArn"].into_iter().filter_map(role).collect()
}

/// The secrets and parameters that a container names: for which variable or member, and where they are.
pub fn values(container: &Value) -> impl Iterator<Item = (&str, &str)> {
    let lists = [&container["secrets"], &container["logConfiguration"]["secretOptions"]];
    let named = lists.into_iter().filter_map(Value::as_array).flatten();
    let named = named.filter_map(|one| Some((one["name"].as_str()?, one["valueFrom"].as_str()?)));
    let registry = container["repositoryCredentials"]["credentialsParameter"].as_str();
    named.chain(registry.map(|from| ("repositoryCredentials", from)))
}

/// All that the containers of a definition name so.
pub fn named_values(definition: &Value) -> BTreeSet<String> {
    let named = containers(definition).flat_map(|(_, one)| values(one));
    named.map(|(_, from)| from.to_owned()).collect()
}

/// The ARN of the secret in a `valueFrom`, without a JSON key and a version; `None`: it is a parameter.
pub fn secret_of(from: &str) -> Option<String> {
    let is_secret = from.split(':').nth(2) == Some("secretsmanager");
    is_secret.then(|| from.split(':').take(7).collect::<Vec<_>>().join(":"))
}

/// The name of the parameter in a `valueFrom`: a name, or an ARN in this region and account; those of others
/// cannot be listed.
pub fn parameter_of(from: &str, own: &str) -> Option<String> {
    if !from.starts_with("arn:") {
        return Some(from.to_owned());
    }
    let place = |arn: &str| arn.split(':').skip(3).take(2).map(str::to_owned).collect::<Vec<_>>();
    let (_, name) = from.split_once(":parameter")?;
    let is_own = from.split(':').nth(2) == Some("ssm") && place(from) == place(own);
    // `parameter/shop/x` is `/shop/x`, and `parameter/x` is `x` or `/x`.
    is_own.then(|| match name.strip_prefix('/').unwrap_or(name).contains('/') {
        true => name.to_owned(),
        false => name.trim_start_matches('/').to_owned(),
    })
}

/// The secrets that a definition names.
pub fn named_secrets(definition: &Value) -> BTreeSet<String> {
    named_values(definition).iter().filter_map(|from| secret_of(from)).collect()
}

/// The subnets of a service.
pub fn subnets(service: &Service) -> Vec<String> {
    let path = ["networkConfiguration", "awsvpcConfiguration", "subnets"];
    let all = setting_at(service, &path).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// Whether the service's tasks run on the instances that the cluster has: no capacity provider adds some.
pub fn has_fixed_instances(service: &Service) -> bool {
    let text = |name: &str| setting_at(service, &[name]).and_then(Value::as_str);
    text("launchType") == Some("EC2")
}

/// Whether the service's tasks run on instances. With a capacity provider strategy a service has no launch type
/// (API reference of CreateService).
pub fn runs_on_instances(service: &Service) -> bool {
    let strategy = setting_at(service, &["capacityProviderStrategy"]).and_then(Value::as_array);
    let providers = strategy.into_iter().flatten();
    let mut names = providers.filter_map(|one| one["capacityProvider"].as_str());
    has_fixed_instances(service) || names.any(|name| !matches!(name, "FARGATE" | "FARGATE_SPOT"))
}

/// The one kind of Fargate capacity that the service's tasks run on.
pub fn fargate(service: &Service) -> Option<Fargate> {
    let strategy = setting_at(service, &["capacityProviderStrategy"]).and_then(Value::as_array);
    let counts = |one: &&Value| one["weight"].as_u64() > Some(0) || one["base"].as_u64() > Some(0);
    let mut providers = strategy.into_iter().flatten().filter(counts).peekable();
    if providers.peek().is_none() {
        let own = setting_at(service, &["launchType"]).and_then(Value::as_str);
        return (own == Some("FARGATE")).then_some(Fargate::OnDemand);
    }
    let kinds: BTreeSet<Option<Fargate>> = providers
        .map(|one| match one["capacityProvider"].as_str() {
            Some("FARGATE") => Some(Fargate::OnDemand),
            Some("FARGATE_SPOT") => Some(Fargate::Spot),
            _ => None,
        })
        .collect();
    kinds.first().copied().flatten().filter(|_| kinds.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_or_in_this_region_and_account() {
        let own = "arn:aws:ecs:eu-west-1:1:service/shop/api";
        for (from, name) in [
            ("plain", Some("plain")),
            ("/shop/x", Some("/shop/x")),
            ("arn:aws:ssm:eu-west-1:1:parameter/shop/x", Some("/shop/x")),
            ("arn:aws:ssm:eu-west-1:1:parameter/x", Some("x")),
            ("arn:aws:ssm:eu-west-1:1:parameter", Some("")),
            ("arn:aws:ssm:eu-west-1:1:parameter/é/x", Some("/é/x")),
            ("arn:aws:ssm:eu-west-2:1:parameter/x", None),
            ("arn:aws:secretsmanager:eu-west-1:1:parameter/x", None),
        ] {
            assert_eq!(parameter_of(from, own).as_deref(), name, "{from}");
        }
    }
}
