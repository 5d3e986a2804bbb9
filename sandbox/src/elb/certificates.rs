//! Certificates of listeners, and the security policies that negotiate TLS. There is no AWS Certificate
//! Manager here: every certificate of this account and region exists, no other one does.

use serde_json::{Map, Value, json};

use super::{check_arn, listener_not_found, result};
use crate::{
    journal::Change,
    protocol::{
        Fault,
        json::texts,
        query::{self, Answer, required, text},
    },
    state::Here,
};

/// How many certificates a listener of an Application Load Balancer takes beside the default one
/// (Application Load Balancers User Guide, "Quotas").
const MOST: usize = 25;

const GCM: &str = "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 \
    ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384";
const TLS13: &str = "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256";

/// (name, protocols, ciphers): the default of the API, and the two that the console has proposed.
const POLICIES: &[(&str, &str, &[&str])] = &[
    (
        DEFAULT_POLICY,
        "TLSv1 TLSv1.1 TLSv1.2",
        &[
            GCM,
            "ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 ECDHE-ECDSA-AES128-SHA \
             ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA384 ECDHE-RSA-AES256-SHA384 \
             ECDHE-RSA-AES256-SHA ECDHE-ECDSA-AES256-SHA AES128-GCM-SHA256 AES128-SHA256 AES128-SHA \
             AES256-GCM-SHA384 AES256-SHA256 AES256-SHA",
        ],
    ),
    (
        "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "TLSv1.2 TLSv1.3",
        &[
            TLS13,
            GCM,
            "ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 ECDHE-ECDSA-AES256-SHA384 \
             ECDHE-RSA-AES256-SHA384",
        ],
    ),
    ("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", "TLSv1.2 TLSv1.3", &[TLS13, GCM]),
];

/// What an HTTPS listener gets that names no policy.
pub(super) const DEFAULT_POLICY: &str = "ELBSecurityPolicy-2016-08";

/// What CreateListener and ModifyListener refuse of certificates and of the policy.
pub(super) fn check(here: &Here<'_>, request: &Map<String, Value>) -> Result<(), Fault> {
    if let Some(policy) = text(request, "SslPolicy")
        && !policy.starts_with("ELBSecurityPolicy-")
    {
        return Err(unknown_policy(policy));
    }
    named(here, request).map(drop)
}

/// The certificates that a request names; each must exist.
fn named(here: &Here<'_>, request: &Map<String, Value>) -> Result<Vec<String>, Fault> {
    let list = query::list(request, "Certificates");
    let arns = list.iter().filter_map(|one| one["CertificateArn"].as_str().map(str::to_owned));
    let arns: Vec<String> = arns.collect();
    for arn in &arns {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let known = match parts[..] {
            ["arn", _, "acm", _, _, rest] => rest.starts_with("certificate/"),
            ["arn", _, "iam", "", _, rest] => rest.starts_with("server-certificate/"),
            _ => false,
        };
        if !known {
            return Err(Fault::validation(format!("Certificate ARN '{arn}' is not valid")));
        }
        let own = here.arn("acm", "");
        if parts[2] == "acm" && !arn.starts_with(&own) {
            return Err(Fault::new(
                "CertificateNotFound",
                format!("Certificate '{arn}' not found"),
            ));
        }
    }
    Ok(arns)
}

fn show(arn: &str, default: bool) -> Value {
    json!({"CertificateArn": arn, "IsDefault": default})
}

pub(super) fn add(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arn, new) = one(here, request)?;
    let listener = here.region.elb.listeners.get_mut(&arn).ok_or_else(listener_not_found)?;
    if !listener.certificates.contains(&new) {
        if listener.certificates.len() >= MOST {
            return Err(Fault::new(
                "TooManyCertificates",
                format!("The maximum number of certificates per listener is '{MOST}'"),
            ));
        }
        listener.certificates.push(new.clone());
        here.note(Change::Attributes { resource: arn });
    }
    Ok(result([("Certificates", json!([show(&new, false)]))]))
}

pub(super) fn remove(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (arn, gone) = one(here, request)?;
    let listener = here.region.elb.listeners.get_mut(&arn).ok_or_else(listener_not_found)?;
    if !listener.certificates.contains(&gone) && default_of(&listener.members) == Some(&gone) {
        return Err(Fault::new(
            "OperationNotPermitted",
            "Default certificate cannot be removed from a listener",
        ));
    }
    listener.certificates.retain(|own| *own != gone);
    here.note(Change::Attributes { resource: arn });
    Ok(Map::new())
}

/// The listener of a request, and the certificate: one in each call.
fn one(here: &Here<'_>, request: &Map<String, Value>) -> Result<(String, String), Fault> {
    let arn = required(request, "ListenerArn").to_owned();
    check_arn(&arn, "listener")?;
    let listener = here.region.elb.listeners.get(&arn).ok_or_else(listener_not_found)?;
    if !matches!(text(&listener.members, "Protocol"), Some("HTTPS" | "TLS")) {
        return Err(Fault::validation(
            "Certificates can only be specified for HTTPS or TLS listeners",
        ));
    }
    match &named(here, request)?[..] {
        [certificate] => Ok((arn, certificate.clone())),
        _ => Err(Fault::validation("You must specify exactly one certificate")),
    }
}

fn default_of(members: &Map<String, Value>) -> Option<&str> {
    members.get("Certificates")?.get(0)?["CertificateArn"].as_str()
}

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let arn = required(request, "ListenerArn");
    check_arn(arn, "listener")?;
    let listener = here.region.elb.listeners.get(arn).ok_or_else(listener_not_found)?;
    let default = default_of(&listener.members).map(|arn| show(arn, true));
    let others = listener.certificates.iter().map(|arn| show(arn, false));
    let all: Vec<Value> = default.into_iter().chain(others).collect();
    Ok(result([("Certificates", all.into())]))
}

fn unknown_policy(name: &str) -> Fault {
    Fault::new("SSLPolicyNotFound", format!("SSL policy '{name}' not found"))
}

pub(super) fn policies(request: &Map<String, Value>) -> Answer {
    let names = texts(request.get("Names"));
    if let Some(other) = names.iter().find(|name| !POLICIES.iter().any(|(own, ..)| own == name)) {
        return Err(unknown_policy(other));
    }
    let shown = POLICIES
        .iter()
        .filter(|(name, ..)| names.is_empty() || names.iter().any(|own| own == name))
        .map(|(name, protocols, ciphers)| {
            let ciphers = ciphers.iter().flat_map(|list| list.split_whitespace());
            let ciphers = ciphers.enumerate();
            json!({
                "Name": name,
                "SslProtocols": protocols.split_whitespace().collect::<Vec<_>>(),
                "Ciphers": ciphers
                    .map(|(at, name)| json!({"Name": name, "Priority": at + 1}))
                    .collect::<Vec<_>>(),
                "SupportedLoadBalancerTypes": ["application", "network"],
            })
        });
    Ok(result([("SslPolicies", shown.collect())]))
}
