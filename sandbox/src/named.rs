//! AWS Identity and Access Management, AWS Secrets Manager and Systems Manager, as far as they say whether a
//! role, a secret or a parameter exists. No values, and no policies.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{
        Fault,
        json::{Answer, Request, raw},
        query,
    },
    state::Here,
};

/// GetRole (API reference of AWS Identity and Access Management).
pub(crate) fn roles(
    here: &mut Here<'_>,
    operation: &str,
    request: &Map<String, Value>,
) -> query::Answer {
    if !knows_roles(operation) {
        let text = format!("Could not find operation {operation} for version 2010-05-08");
        return Err(Fault::new("InvalidAction", text));
    }
    let name = query::text(request, "RoleName").unwrap_or_default();
    let Some(trusts) = here.shared.roles.get(name) else {
        let text = format!("The role with name {name} cannot be found.");
        return Err(Fault { status: 404, ..Fault::new("NoSuchEntity", text) });
    };
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}],
    });
    let role = json!({
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROASANDBOX0000000000",
        "Arn": here.shared.iam(&here.region.name, "iam", &format!("role/{name}")),
        "CreateDate": "2026-01-01T00:00:00Z",
        // "URL-encoded compliant with RFC 3986".
        "AssumeRolePolicyDocument": percent(&trust.to_string()),
    });
    Ok([("Role".to_owned(), role)].into_iter().collect())
}

pub(crate) fn knows_roles(operation: &str) -> bool {
    operation == "GetRole"
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// DescribeSecret, by name or ARN (API reference of AWS Secrets Manager).
pub(crate) fn secrets(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows_secrets(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    let wanted = request.text_of("SecretId").unwrap_or_default();
    if wanted.is_empty() {
        return Err(Fault::new("ValidationException", "You must provide a value for SecretId."));
    }
    let last = wanted.split_once(":secret:").map_or(wanted, |(_, last)| last);
    let found = here.region.named.secrets.iter().find(|own| *own == last || name(own) == last);
    let Some(found) = found.cloned() else {
        let text = "Secrets Manager can't find the specified secret.";
        return Err(Fault::new("ResourceNotFoundException", text));
    };
    let arn = here.arn("secretsmanager", &format!("secret:{found}"));
    Ok(raw(&json!({"ARN": arn, "Name": name(&found)})))
}

pub(crate) fn knows_secrets(operation: &str) -> bool {
    operation == "DescribeSecret"
}

/// A secret's name: its ARN ends with a hyphen and six characters more.
fn name(last: &str) -> &str {
    match last.rsplit_once('-') {
        Some((name, end)) if end.len() == 6 => name,
        _ => last,
    }
}

/// DescribeParameters, by name (API reference of AWS Systems Manager).
pub(crate) fn parameters(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    if !knows_parameters(operation) {
        return Err(Fault::new("UnknownOperationException", ""));
    }
    let filters = request.value.get("ParameterFilters").and_then(Value::as_array);
    let mut wanted = Vec::new();
    for filter in filters.into_iter().flatten() {
        let option = filter["Option"].as_str().unwrap_or("Equals");
        if filter["Key"] != "Name" || option != "Equals" {
            return Err(Fault::new("InvalidFilterKey", "Only names are filtered here."));
        }
        let values = filter["Values"].as_array().into_iter().flatten();
        wanted.extend(values.filter_map(Value::as_str).map(str::to_owned));
    }
    if wanted.len() > 50 {
        return Err(Fault::new("ValidationException", "Values: at most 50"));
    }
    let own = here.region.named.parameters.iter();
    let found = own.filter(|name| wanted.is_empty() || wanted.contains(name));
    let shown: Vec<Value> =
        found.map(|name| json!({"Name": name, "Type": "SecureString", "Version": 1})).collect();
    Ok(raw(&json!({"Parameters": shown})))
}

pub(crate) fn knows_parameters(operation: &str) -> bool {
    operation == "DescribeParameters"
}
