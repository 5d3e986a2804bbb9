//! The role by which ECS changes listener rules: what is left to make, and whom a role that is there trusts. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Seen, Step};
use crate::event::Refusal;
use crate::event::refusal::SetupRefused;
use crate::model::world::Service;
use crate::plan::checks::refuse;
use crate::request::setup::Setup;

/// Who assumes it (Developer Guide, "Amazon ECS infrastructure IAM role for load balancers").
const ECS: &str = "ecs.amazonaws.com";

/// What its policy is called, which AWS keeps.
const POLICY: &str = "AmazonECSInfrastructureRolePolicyForLoadBalancers";

/// A role that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSettings {
    /// Its ARN.
    pub arn: String,
    /// Its trust policy, as JSON.
    pub trust: String,
    /// The ARNs of its managed policies.
    pub policies: Vec<String>,
}

/// The ARN of AWS's policy in a partition.
pub fn policy_arn(partition: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/{POLICY}")
}

/// The partition and the account of an ARN.
fn place(arn: &str) -> (&str, &str) {
    let mut parts = arn.split(':').skip(1);
    (parts.next().unwrap_or("aws"), parts.nth(2).unwrap_or_default())
}

/// The ARN of the role that `advancedConfiguration` names.
pub(super) fn role_arn(asked: &Setup, seen: &Seen, service: &Service) -> Option<String> {
    let known = asked.role.clone().or_else(|| seen.role.as_ref().map(|role| role.arn.clone()));
    let (partition, account) = place(&service.arn);
    let new = |name: &String| format!("arn:{partition}:iam::{account}:role/{name}");
    known.or_else(|| asked.create_role.as_ref().map(new))
}

/// What is left to do for the role that it makes.
pub(super) fn role_steps(asked: &Setup, seen: &Seen, service: &Service) -> Vec<Step> {
    let Some(role) = &asked.create_role else { return vec![] };
    let policy = policy_arn(place(&service.arn).0);
    let own = seen.role.as_ref();
    let trust = || {
        let statement =
            json!({"Effect": "Allow", "Principal": {"Service": ECS}, "Action": "sts:AssumeRole"});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let create = own.is_none().then(|| Step::CreateRole { role: role.clone(), trust: trust() });
    let lacks = !own.is_some_and(|own| own.policies.contains(&policy));
    let attach = lacks.then(|| Step::AttachPolicy { role: role.clone(), policy });
    create.into_iter().chain(attach).collect()
}

/// A role that others may assume, too, is somebody else's: with the policy they could change the rules.
pub(super) fn role_fits(asked: &Setup, seen: &Seen) -> Result<(), Refusal> {
    let (Some(name), Some(role)) = (&asked.create_role, &seen.role) else { return Ok(()) };
    let trusted = trusted(&role.trust);
    match trusted.iter().eq([ECS]) {
        true => Ok(()),
        false => refuse(SetupRefused::RoleOfOthers {
            role: name.clone(),
            arn: role.arn.clone(),
            trusted: trusted.into_iter().collect(),
        }),
    }
}

/// Whom a trust policy lets assume the role. Conditions narrow that, and are not looked at.
fn trusted(policy: &str) -> BTreeSet<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let list = |value: &Value| match value {
        Value::Null => vec![],
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let text = |value: Value| value.as_str().map(str::to_owned);
    let mut all = BTreeSet::new();
    for one in list(&policy["Statement"]) {
        let assumes = |action: &Value| {
            let action = action.as_str().unwrap_or_default().to_lowercase();
            // What a pattern may mean, it means.
            action.contains(['*', '?']) || action.starts_with("sts:assumerole")
        };
        let is_meant = one.get("NotAction").is_some() || list(&one["Action"]).iter().any(assumes);
        if one["Effect"] != "Allow" || !is_meant {
            continue;
        }
        if one.get("NotPrincipal").is_some() {
            all.insert("*".to_owned());
        }
        match &one["Principal"] {
            Value::Object(kinds) => all.extend(kinds.values().flat_map(list).filter_map(text)),
            other => all.extend(text(other.clone())),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_trust_policy_names() {
        let of = |statement: Value| {
            let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
            trusted(&policy).into_iter().collect::<Vec<_>>().join(" ")
        };
        let allow = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let service = |name: &str| allow(json!({"Service": name}));
        assert_eq!(of(service(ECS)), ECS);
        assert_eq!(of(json!([service(ECS)])), ECS);
        assert_eq!(
            of(json!([service(ECS), service("ec2.amazonaws.com")])),
            format!("ec2.amazonaws.com {ECS}")
        );
        assert_eq!(
            of(allow(json!({"Service": [ECS], "AWS": "arn:aws:iam::1:root"}))),
            format!("arn:aws:iam::1:root {ECS}")
        );
        assert_eq!(of(allow(json!("*"))), "*");
        let mut deny = service("ec2.amazonaws.com");
        deny["Effect"] = json!("Deny");
        assert_eq!(of(json!([deny, service(ECS)])), ECS);
        let mut other = service(ECS);
        other["Action"] = json!(["sts:TagSession"]);
        assert_eq!(of(other.clone()), "");
        for pattern in ["s*", "sts:As*", "sts:Assume?ole"] {
            other["Action"] = json!(pattern);
            assert_eq!(of(other.clone()), ECS, "{pattern}");
        }
        assert_eq!(trusted("no JSON"), BTreeSet::new());
    }

    #[test]
    fn the_policy_is_in_the_partition() {
        let (partition, account) = place("arn:aws-cn:ecs:cn-north-1:123456789012:service/shop/api");
        assert_eq!((partition, account), ("aws-cn", "123456789012"));
        assert_eq!(
            policy_arn(partition),
            "arn:aws-cn:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
        );
    }
}
