//! IAM roles: whether one is there, whom it trusts and which policies it has; the role that `ecs-bg setup` makes;
//! and what the caller may do.

use std::collections::BTreeSet;

use super::Aws;
use super::observe::unreadable;
use super::rules::{flatten, get, members, owned, versioned};
use super::signed::IAM;
use crate::call::{About, Allowance, Call};
use crate::error::Failure;
use crate::model::arn::short;
use crate::plan::setup::RoleSettings;

/// The code of an answer about a role that is not there.
const MISSING: &str = "NoSuchEntity";

/// The region that has the roles of a region's partition (AWS General Reference, "IAM endpoints").
fn region_of_roles(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "cn-north-1",
        _ if region.starts_with("us-gov-") => "us-gov-west-1",
        _ if region.starts_with("eusc-") => "eusc-de-east-1",
        _ => "us-east-1",
    }
}

impl Aws {
    /// The leaves of an answer of IAM.
    async fn ask(
        &self,
        about: About,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<(String, String)>, Failure> {
        let own = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let own: Vec<(String, String)> = own.collect();
        let body = versioned(about.call.operation(), "2010-05-08", &own);
        let region = region_of_roles(&self.region);
        let answer = self.signed.send(IAM, region, about.clone(), body).await?;
        flatten(&answer).map_err(|error| unreadable(&about, error))
    }

    /// The trust policy of a role; `None`: there is no such role.
    pub async fn trust_policy(&self, role: &str) -> Result<Option<String>, Failure> {
        Ok(self.role_leaves(role).await?.map(|leaves| trust_of(&leaves)))
    }

    async fn role_leaves(&self, role: &str) -> Result<Option<Vec<(String, String)>>, Failure> {
        match self.ask(Call::GetRole.on(role), &[("RoleName", short(role))]).await {
            Err(failure) if failure.code == MISSING => Ok(None),
            leaves => leaves.map(Some),
        }
    }

    /// A role by its name; `None`: there is none.
    pub(super) async fn role(&self, name: &str) -> Result<Option<RoleSettings>, Failure> {
        let Some(leaves) = self.role_leaves(name).await? else { return Ok(None) };
        let arn = leaf(&leaves, ".Role.Arn").unwrap_or_default();
        let trust = trust_of(&leaves);
        let (mut policies, mut marker) = (Vec::new(), None);
        loop {
            let call = Call::ListAttachedRolePolicies.on(name);
            let mut parameters = vec![("RoleName", name)];
            parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let leaves = match self.ask(call, &parameters).await {
                // It was deleted in between.
                Err(failure) if failure.code == MISSING => return Ok(None),
                leaves => leaves?,
            };
            let own = leaves.iter().filter(|(path, _)| path.ends_with(".PolicyArn"));
            policies.extend(own.map(|(_, arn)| arn.clone()));
            marker = leaf(&leaves, ".Marker").filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(Some(RoleSettings { arn, trust, policies }));
            }
        }
    }

    /// Those of these actions that the caller's policies do not allow, as IAM simulates them. `None`: IAM cannot say
    /// it of this caller (the account itself, a federated user).
    pub async fn not_allowed(
        &self,
        asked: &[Allowance],
    ) -> Result<Option<Vec<Allowance>>, Failure> {
        let Some(principal) = self.caller().await.as_deref().and_then(principal) else {
            return Ok(None);
        };
        let answer = match self.simulated(&principal, asked).await {
            // The name of a session does not tell the path of its role.
            Err(failure) if failure.code == MISSING => {
                let leaves = self.role_leaves(&principal).await?;
                let Some(arn) = leaves.and_then(|leaves| leaf(&leaves, ".Role.Arn")) else {
                    return Ok(None);
                };
                self.simulated(&arn, asked).await
            }
            answer => answer,
        };
        let denied = denied(&answer?);
        Ok(Some(asked.iter().filter(|one| denied.contains(*one)).cloned().collect()))
    }

    async fn simulated(
        &self,
        principal: &str,
        asked: &[Allowance],
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut parameters = vec![
            ("PolicySourceArn".to_owned(), principal.to_owned()),
            // All answers in one page (API reference).
            ("MaxItems".to_owned(), "1000".to_owned()),
        ];
        let actions: BTreeSet<&str> = asked.iter().map(|one| one.action.as_str()).collect();
        let resources: BTreeSet<&str> = asked.iter().map(|one| one.resource.as_str()).collect();
        for (list, texts) in [("ActionNames", actions), ("ResourceArns", resources)] {
            let numbered = texts.into_iter().enumerate();
            parameters.extend(
                numbered.map(|(at, text)| (format!("{list}.member.{}", at + 1), text.to_owned())),
            );
        }
        let keys = [
            ("iam:PassedToService", "ecs-tasks.amazonaws.com"),
            ("application-autoscaling:service-namespace", "ecs"),
            ("aws:RequestedRegion", &self.region),
        ];
        for (at, (name, value)) in keys.into_iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", at + 1);
            parameters.push((format!("{entry}.ContextKeyName"), name.to_owned()));
            parameters.push((format!("{entry}.ContextKeyType"), "string".to_owned()));
            parameters.push((format!("{entry}.ContextKeyValues.member.1"), value.to_owned()));
        }
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.ask(Call::SimulatePrincipalPolicy.on(principal), &parameters).await
    }

    /// Makes a role with this trust policy. The same request again is refused.
    pub async fn create_role(&self, name: &str, trust: &str) -> Result<(), Failure> {
        let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", trust)];
        self.ask(Call::CreateRole.on(name), &parameters).await.map(drop)
    }

    /// Gives a role a managed policy. The same request again changes nothing.
    pub async fn attach_policy(&self, role: &str, policy: &str) -> Result<(), Failure> {
        let parameters = [("RoleName", role), ("PolicyArn", policy)];
        self.ask(Call::AttachRolePolicy.on(role), &parameters).await.map(drop)
    }
}

/// The user or role of a caller (IAM User Guide, "IAM identifiers"): the session of a role is
/// `assumed-role/NAME/SESSION`.
fn principal(caller: &str) -> Option<String> {
    let parts: Vec<&str> = caller.splitn(6, ':').collect();
    let [arn, partition, _, _, account, own] = parts[..] else { return None };
    let own = match own.split('/').collect::<Vec<_>>()[..] {
        ["assumed-role", name, _] => format!("role/{name}"),
        ["user", ..] => own.to_owned(),
        _ => return None,
    };
    Some(format!("{arn}:{partition}:iam::{account}:{own}"))
}

/// What a simulation says is not allowed. Where it lacks a key of a condition, it says nothing.
fn denied(leaves: &[(String, String)]) -> BTreeSet<Allowance> {
    let results = members(leaves, "SimulatePrincipalPolicyResult.EvaluationResults.");
    let mut denied = BTreeSet::new();
    for own in results {
        let owned = owned(&own);
        let Some(action) = leaf(&owned, "EvalActionName") else { continue };
        for each in members(&owned, "ResourceSpecificResults.") {
            let lacks = each.iter().any(|(key, _)| key.starts_with("MissingContextValues.member."));
            let is_denied =
                get(&each, "EvalResourceDecision").is_some_and(|said| said != "allowed");
            if let Some(resource) = get(&each, "EvalResourceName").filter(|_| is_denied && !lacks) {
                let (action, resource) = (action.clone(), resource.to_owned());
                denied.insert(Allowance { action, resource });
            }
        }
    }
    denied
}

/// The text of the leaf whose path ends so.
fn leaf(leaves: &[(String, String)], end: &str) -> Option<String> {
    let found = leaves.iter().find(|(path, _)| path.ends_with(end));
    found.map(|(_, text)| text.clone())
}

/// The trust policy of an answer, which has it URL-encoded (API reference of Role).
fn trust_of(leaves: &[(String, String)]) -> String {
    let document = leaf(leaves, ".AssumeRolePolicyDocument").unwrap_or_default();
    percent_encoding::percent_decode_str(&document).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::signed::host;

    #[test]
    fn the_policies_of_a_session_are_those_of_its_role() {
        let own = |caller: &str| principal(&format!("arn:aws:{caller}"));
        let role = "arn:aws:iam::1:role/deploy";
        assert_eq!(own("sts::1:assumed-role/deploy/run-7").as_deref(), Some(role));
        let user = "arn:aws:iam::1:user/ci/deploy";
        assert_eq!(own("iam::1:user/ci/deploy").as_deref(), Some(user));
        for none in ["iam::1:root", "sts::1:federated-user/x"] {
            assert_eq!(own(none), None, "{none}");
        }
    }

    #[test]
    fn a_simulation_that_lacks_a_key_denies_nothing() {
        let leaves = |lacks: &str| {
            let text = format!(
                "<Response><SimulatePrincipalPolicyResult><EvaluationResults><member>\
                 <EvalActionName>ecs:UpdateService</EvalActionName><ResourceSpecificResults><member>\
                 <EvalResourceName>arn:x</EvalResourceName><EvalResourceDecision>implicitDeny</EvalResourceDecision>\
                 <MissingContextValues>{lacks}</MissingContextValues></member></ResourceSpecificResults>\
                 </member></EvaluationResults></SimulatePrincipalPolicyResult></Response>"
            );
            denied(&flatten(&text).expect("XML"))
        };
        let action = "ecs:UpdateService".to_owned();
        assert_eq!(leaves(""), [Allowance { action, resource: "arn:x".to_owned() }].into());
        assert_eq!(leaves("<member>ecs:cluster</member>"), BTreeSet::new());
    }

    #[test]
    fn roles_are_in_no_region() {
        for (region, expected) in [
            ("eu-central-1", "iam.amazonaws.com"),
            ("us-gov-east-1", "iam.us-gov.amazonaws.com"),
            ("cn-northwest-1", "iam.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(host("iam", region_of_roles(region), false), expected);
        }
    }
}
