//! AWS Identity and Access Management, as far as a role for Amazon ECS is made and read: CreateRole, GetRole,
//! AttachRolePolicy and ListAttachedRolePolicies; and what the caller may do: SimulatePrincipalPolicy.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde_json::{Map, Value, json};

use crate::{
    ids::Ids,
    journal::Change,
    protocol::{
        Fault, paging,
        query::{self, Answer},
        shapes::Shapes,
    },
    state::{Here, named::Role},
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/named.txt")));

/// When the roles of a scenario were made.
const MADE: &str = "2026-01-01T00:00:00Z";

/// The managed policies of AWS that there are, by the ends of their ARNs (AWS Managed Policy Reference Guide).
const MANAGED: [&str; 3] = [
    "AmazonECSInfrastructureRolePolicyForLoadBalancers",
    "service-role/AmazonECSInfrastructureRolePolicyForVolumes",
    "service-role/AmazonECSTaskExecutionRolePolicy",
];

pub(crate) fn knows(operation: &str) -> bool {
    let of_roles = ["CreateRole", "GetRole", "AttachRolePolicy", "ListAttachedRolePolicies"];
    of_roles.contains(&operation) || operation == "SimulatePrincipalPolicy"
}

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    if !knows(operation) {
        let text = format!("Could not find operation {operation} for version 2010-05-08");
        return Err(Fault::new("InvalidAction", text));
    }
    query::check(&SHAPES, operation, request)?;
    if operation == "SimulatePrincipalPolicy" {
        return simulate(here, request);
    }
    let name = query::required(request, "RoleName");
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        return Err(Fault::validation(
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        ));
    }
    match operation {
        "CreateRole" => create(here, name, request),
        "AttachRolePolicy" => attach(here, name, query::required(request, "PolicyArn")),
        "ListAttachedRolePolicies" => attached(here, name, request),
        _ => found(here, name).map(|role| shown(here, name, role)),
    }
}

fn found<'a>(here: &'a Here<'_>, name: &str) -> Result<&'a Role, Fault> {
    here.shared.roles.get(name).ok_or_else(|| {
        let text = format!("The role with name {name} cannot be found.");
        Fault { status: 404, ..Fault::new("NoSuchEntity", text) }
    })
}

fn shown(here: &Here<'_>, name: &str, role: &Role) -> Map<String, Value> {
    let path = role.members.get("Path").and_then(Value::as_str).unwrap_or("/");
    let mut shown = json!({
        "Path": path,
        "RoleName": name,
        "RoleId": format!("AROA{}", Ids::of(name).hex(17).to_uppercase()),
        "Arn": here.shared.iam(&here.region.name, "iam", &format!("role{path}{name}")),
        "CreateDate": role.made.map_or_else(|| MADE.to_owned(), |made| made.rfc3339()),
        // "URL-encoded compliant with RFC 3986".
        "AssumeRolePolicyDocument": percent(&role.trust),
        "MaxSessionDuration": 3600,
        "RoleLastUsed": {},
    });
    for (member, value) in &role.members {
        shown[member] = value.clone();
    }
    [("Role".to_owned(), shown)].into_iter().collect()
}

fn create(here: &mut Here<'_>, name: &str, request: &Map<String, Value>) -> Answer {
    let trust = query::required(request, "AssumeRolePolicyDocument");
    if let Some(wrong) = malformed(trust) {
        return Err(Fault::new("MalformedPolicyDocument", wrong));
    }
    let path = query::text(request, "Path").unwrap_or("/");
    if !path.starts_with('/') || !path.ends_with('/') {
        return Err(Fault::validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ));
    }
    // Names are unique in the account, whatever the path and the case.
    if here.shared.roles.keys().any(|own| own.eq_ignore_ascii_case(name)) {
        let text = format!("Role with name {name} already exists.");
        return Err(Fault { status: 409, ..Fault::new("EntityAlreadyExists", text) });
    }
    let kept = ["Path", "Description", "MaxSessionDuration", "Tags"];
    let members = request.iter().filter(|(member, _)| kept.contains(&member.as_str()));
    let role = Role {
        trust: trust.to_owned(),
        policies: BTreeSet::new(),
        members: members.map(|(member, value)| (member.clone(), value.clone())).collect(),
        made: Some(here.now()),
    };
    here.shared.roles.insert(name.to_owned(), role);
    let answer = found(here, name).map(|role| shown(here, name, role))?;
    let arn = answer["Role"]["Arn"].as_str().unwrap_or_default().to_owned();
    here.note(Change::Created { arn });
    Ok(answer)
}

/// What is wrong with a trust policy.
fn malformed(text: &str) -> Option<&'static str> {
    let Ok(policy) = serde_json::from_str::<Value>(text) else {
        return Some("This policy contains invalid Json");
    };
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        one @ Value::Object(_) => vec![one.clone()],
        _ => vec![],
    };
    if statements.is_empty() {
        return Some("Syntax errors in policy.");
    }
    statements.iter().find_map(|one| {
        let has = |member: &str| one.get(member).is_some();
        match one["Effect"].as_str() {
            Some("Allow" | "Deny") => {}
            _ => return Some("Syntax error in policy."),
        }
        if has("Resource") || has("NotResource") {
            return Some("Has prohibited field Resource");
        }
        if !has("Principal") && !has("NotPrincipal") {
            return Some("Missing required field Principal");
        }
        (!has("Action") && !has("NotAction")).then_some("Missing required field Action")
    })
}

fn attach(here: &mut Here<'_>, name: &str, policy: &str) -> Answer {
    found(here, name)?;
    if !policy.starts_with("arn:") || policy.len() < 20 {
        return Err(Fault::new("InvalidInput", format!("ARN {policy} is not valid.")));
    }
    let managed = here.shared.iam(&here.region.name, "iam", "policy/");
    let managed = managed.replace(&here.shared.account, "aws");
    if !policy.strip_prefix(&managed).is_some_and(|end| MANAGED.contains(&end)) {
        let text = format!("Policy {policy} does not exist or is not attachable.");
        return Err(Fault { status: 404, ..Fault::new("NoSuchEntity", text) });
    }
    let role = here.shared.roles.get_mut(name);
    if role.is_some_and(|role| role.policies.insert(policy.to_owned())) {
        let resource = here.shared.iam(&here.region.name, "iam", &format!("role/{name}"));
        here.note(Change::Attributes { resource });
    }
    Ok(Map::new())
}

fn attached(here: &Here<'_>, name: &str, request: &Map<String, Value>) -> Answer {
    let role = found(here, name)?;
    let prefix = query::text(request, "PathPrefix").unwrap_or("/");
    let size = query::text(request, "MaxItems").map_or(Ok(100), str::parse::<usize>);
    let size = size.ok().filter(|size| (1..=1000).contains(size)).ok_or_else(|| {
        Fault::validation(
            "1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000",
        )
    })?;
    let below = |arn: &str| format!("/{}", arn.split_once(":policy/").map_or(arn, |(_, end)| end));
    let all = role.policies.iter().filter(|arn| below(arn).starts_with(prefix)).map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        (arn.clone(), json!({"PolicyName": name, "PolicyArn": arn}))
    });
    let page = paging::page(all.collect(), query::text(request, "Marker"), size)
        .ok_or_else(|| Fault::validation("Invalid Marker."))?;
    let mut answer = Map::new();
    answer.insert("AttachedPolicies".into(), page.items.into());
    answer.insert("IsTruncated".into(), page.next.is_some().into());
    if let Some(next) = page.next {
        answer.insert("Marker".into(), next.into());
    }
    Ok(answer)
}

/// What the policies of a principal make of each action on each resource. The only policy that there is is the
/// caller's; a role may do everything.
fn simulate(here: &Here<'_>, request: &Map<String, Value>) -> Answer {
    let source = query::required(request, "PolicySourceArn");
    let is_caller = source == here.shared.user(&here.region.name);
    if !is_caller {
        let name = match source.split_once(":role/") {
            Some((_, path)) => path.rsplit('/').next().unwrap_or(path),
            None => source.rsplit('/').next().unwrap_or(source),
        };
        let kinds = [":user/", ":role/", ":group/"];
        if !source.starts_with("arn:") || !kinds.iter().any(|kind| source.contains(kind)) {
            let text = format!(
                "Invalid Entity Arn: {source} does not clearly define entity type and name."
            );
            return Err(Fault::new("InvalidInput", text));
        }
        let known = found(here, name).map(|role| shown(here, name, role)["Role"]["Arn"].clone());
        if !source.contains(":role/") || known.ok().as_ref().and_then(Value::as_str) != Some(source)
        {
            let text = format!("The entity {source} cannot be found.");
            return Err(Fault { status: 404, ..Fault::new("NoSuchEntity", text) });
        }
    }
    let mut keys = BTreeMap::new();
    for entry in query::list(request, "ContextEntries").iter() {
        let values = entry["ContextKeyValues"].as_array().into_iter().flatten();
        let values = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
        let name = entry["ContextKeyName"].as_str().unwrap_or_default().to_lowercase();
        keys.insert(name, values);
    }
    let texts = |member| -> Vec<String> {
        let list = query::list(request, member);
        list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let mut resources = texts("ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let policy = here.policy.filter(|_| is_caller);
    let result = |action: &String| {
        let each = resources.iter().map(|resource| {
            let decided =
                policy.map_or("allowed", |policy| policy.decides(action, resource, &keys));
            (resource.clone(), decided)
        });
        let each: Vec<(String, &str)> = each.collect();
        let worst = ["explicitDeny", "implicitDeny"]
            .into_iter()
            .find(|decision| each.iter().any(|(_, own)| own == decision));
        let own = |(resource, decision): &(String, &str)| {
            json!({
                "EvalResourceName": resource,
                "EvalResourceDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": [],
            })
        };
        json!({
            "EvalActionName": action,
            "EvalResourceName": resources[0],
            "EvalDecision": worst.unwrap_or("allowed"),
            "MatchedStatements": [],
            "MissingContextValues": [],
            "ResourceSpecificResults": each.iter().map(own).collect::<Vec<_>>(),
        })
    };
    let all: Vec<Value> = texts("ActionNames").iter().map(result).collect();
    Ok([("EvaluationResults".to_owned(), all.into()), ("IsTruncated".to_owned(), false.into())]
        .into_iter()
        .collect())
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
