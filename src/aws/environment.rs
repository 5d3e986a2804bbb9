//! Checks the variables that name region, profile and keys for quotes, blanks and line ends. A shell removes
//! them from a file; `docker --env-file` keeps them. AWS would only say that a signature is wrong, or that
//! a name cannot be resolved.

use super::Connection;
use crate::error::{Failure, FailureKind, HALF_A_KEY};

/// Refuses values that cannot be meant, of variables that nothing outranks. Never says a value.
pub(super) fn check(
    connection: &Connection,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Failure> {
    let Connection::Real { region, profile, keys, .. } = connection else { return Ok(()) };
    let counts = |name: &str| match name {
        "AWS_REGION" | "AWS_DEFAULT_REGION" => region.is_none(),
        "AWS_PROFILE" => profile.is_none(),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => keys.is_none(),
        "AWS_SESSION_TOKEN" => true,
        name => name.starts_with(ENDPOINT),
    };
    let counting: Vec<(String, String)> =
        variables.into_iter().filter(|(name, _)| counts(name)).collect();
    let mut wrong: Vec<String> = counting
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", flaw(name, value)?)))
        .collect();
    if wrong.is_empty() {
        // The SDK takes half a key for none, and asks the machine for another one.
        let is_set =
            |name: &str| counting.iter().any(|(own, value)| own == name && !value.is_empty());
        let mut halves = [KEYS, [KEYS[1], KEYS[0]]].into_iter();
        let half = halves.find(|[one, other]| is_set(one) && !is_set(other));
        return match half.filter(|_| profile.is_none() && !is_set("AWS_PROFILE")) {
            None => Ok(()),
            Some([one, other]) => {
                let what = format!("{other} is missing beside {one}");
                Err(Failure::before_any_call(FailureKind::Environment, HALF_A_KEY, what))
            }
        };
    }
    wrong.sort();
    Err(Failure::before_any_call(FailureKind::Environment, "BadEnvironment", wrong.join("; ")))
}

/// A key and its secret.
const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Of all services, or of the one that its name ends in.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What is wrong with a value. An empty one is none, but the SDK panics on an endpoint like that.
pub(crate) fn flaw(name: &str, value: &str) -> Option<String> {
    if value.is_empty() && name.starts_with(ENDPOINT) {
        return Some("is empty".to_owned());
    }
    let is_quote = |c: char| matches!(c, '"' | '\'');
    let line = value.trim_end_matches('\r');
    let text = line.trim();
    let mut flaws = Vec::new();
    if text.starts_with(is_quote) || text.ends_with(is_quote) {
        flaws.push("has quotes around its value");
    }
    if text.len() != line.len() {
        flaws.push("has blanks around its value");
    }
    // A profile may be called `my team`.
    if name != "AWS_PROFILE" && text.contains(char::is_whitespace) {
        flaws.push("has a blank in its value");
    }
    if line.len() != value.len() {
        flaws.push("ends in a carriage return");
    }
    (!flaws.is_empty()).then(|| flaws.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: Connection =
        Connection::Real { region: None, profile: None, role: None, keys: None };

    fn said(connection: &Connection, variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
        Some(check(connection, variables).err()?.message)
    }

    #[test]
    fn each_flaw_is_named_with_its_variable() {
        for (name, value, flaw) in [
            ("AWS_REGION", "\"eu-central-1\"", "has quotes around its value"),
            ("AWS_DEFAULT_REGION", "'eu-central-1'", "has quotes around its value"),
            ("AWS_ACCESS_KEY_ID", "\"AKIA", "has quotes around its value"),
            ("AWS_SECRET_ACCESS_KEY", "a/b+c=\r", "ends in a carriage return"),
            ("AWS_SESSION_TOKEN", " token", "has blanks around its value"),
            ("AWS_PROFILE", "me ", "has blanks around its value"),
            ("AWS_PROFILE", "\"my team\"", "has quotes around its value"),
            ("AWS_ENDPOINT_URL", "http://a # local", "has a blank in its value"),
            ("AWS_ENDPOINT_URL", "", "is empty"),
            ("AWS_ENDPOINT_URL_ECS", "", "is empty"),
            (
                "AWS_REGION",
                "\"eu-central-1\"\r",
                "has quotes around its value and ends in a carriage return",
            ),
        ] {
            let wanted = format!("{name} {flaw}");
            assert_eq!(said(&REAL, &[(name, value)]), Some(wanted), "{value:?}");
        }
    }

    #[test]
    fn half_a_key_is_none() {
        let wanted = "AWS_SECRET_ACCESS_KEY is missing beside AWS_ACCESS_KEY_ID";
        assert_eq!(said(&REAL, &[("AWS_ACCESS_KEY_ID", "AKIA")]).as_deref(), Some(wanted));
        let [id, secret] = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
        let wanted = "AWS_ACCESS_KEY_ID is missing beside AWS_SECRET_ACCESS_KEY";
        assert_eq!(said(&REAL, &[secret, ("AWS_ACCESS_KEY_ID", "")]).as_deref(), Some(wanted));
        assert_eq!(said(&REAL, &[id, secret]), None);
        assert_eq!(said(&REAL, &[id, ("AWS_PROFILE", "me")]), None);
    }

    #[test]
    fn all_of_them_are_named_and_no_value_is() {
        let variables = [("AWS_REGION", "\"eu-central-1\""), ("AWS_SECRET_ACCESS_KEY", "'s3cret'")];
        let wanted = "AWS_REGION has quotes around its value; \
                      AWS_SECRET_ACCESS_KEY has quotes around its value";
        assert_eq!(said(&REAL, &variables).as_deref(), Some(wanted));
    }

    #[test]
    fn what_is_well_formed_empty_or_outranked_is_left_alone() {
        let fine = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", ""),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a/b+c="),
            ("AWS_SESSION_TOKEN", ""),
            ("AWS_PROFILE", "my team"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("OTHER", "\"quoted\""),
        ];
        assert_eq!(said(&REAL, &fine), None);
        let given = Connection::Real {
            region: Some("eu-central-1".into()),
            profile: Some("me".into()),
            role: None,
            keys: Some(("id".into(), "secret".into())),
        };
        let quoted = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"];
        assert_eq!(said(&given, &quoted.map(|name| (name, "'x'"))), None);
    }
}
