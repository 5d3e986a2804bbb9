//! AWS STS: who is calling. Everybody is the same user.

use serde_json::json;

use crate::{cloud::Here, fault::Fault, query::Answer};

pub(crate) fn call(here: &mut Here<'_>, operation: &str) -> Answer {
    let account = &here.shared.account;
    let identity = json!({
        "Arn": format!("arn:aws:iam::{account}:user/sandbox"),
        "UserId": "AIDASANDBOX0000000000",
        "Account": account,
    });
    match (operation, identity) {
        ("GetCallerIdentity", serde_json::Value::Object(identity)) => Ok(identity),
        _ => Err(Fault::new(
            "InvalidAction",
            format!("Could not find operation {operation} for version 2011-06-15"),
        )),
    }
}
