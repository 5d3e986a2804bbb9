//! AWS STS: who is calling, and roles. Everybody is the same user, and may be any role of the account, by
//! any token of the web.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    protocol::{
        Fault,
        query::{self, Answer},
    },
    state::Here,
};

/// How long the credentials of a role last (API reference of AssumeRole).
const SESSION: Duration = Duration::from_secs(3600);

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    let answer = match operation {
        "GetCallerIdentity" => {
            let account = &here.shared.account;
            json!({
                "Arn": here.shared.user(&here.region.name),
                "UserId": "AIDASANDBOX0000000000",
                "Account": account,
            })
        }
        "AssumeRole" => assume_role(here, request)?,
        "AssumeRoleWithWebIdentity" => {
            // Whoever issued it is not asked.
            let token = query::text(request, "WebIdentityToken").unwrap_or_default();
            if token.split('.').count() != 3 {
                let text = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
                return Err(Fault::new("InvalidIdentityToken", text));
            }
            assume_role(here, request)?
        }
        _ => {
            return Err(Fault::new(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2011-06-15"),
            ));
        }
    };
    match answer {
        Value::Object(answer) => Ok(answer),
        _ => Ok(Map::new()),
    }
}

fn assume_role(here: &Here<'_>, request: &Map<String, Value>) -> Result<Value, Fault> {
    let given = |member| query::text(request, member).filter(|text: &&str| !text.is_empty());
    let (Some(role), Some(session)) = (given("RoleArn"), given("RoleSessionName")) else {
        return Err(Fault::validation("RoleArn and RoleSessionName must not be null"));
    };
    let Some(name) = role.split_once(":role/").map(|(_, name)| name) else {
        return Err(Fault::validation(format!("{role} is invalid")));
    };
    let arn = format!("assumed-role/{name}/{session}");
    Ok(json!({
        "Credentials": {
            "AccessKeyId": "ASIASANDBOX000000000",
            "SecretAccessKey": "sandbox",
            "SessionToken": "sandbox",
            "Expiration": (here.shared.now + SESSION).to_string(),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROASANDBOX0000000000:{session}"),
            "Arn": here.shared.iam(&here.region.name, "sts", &arn),
        },
    }))
}
