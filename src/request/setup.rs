//! What `ecs-bg setup` asks for: a service made ready for ECS's own blue/green.

use std::fmt;
use std::time::Duration;

use super::names::Names;
use super::strategy::{BAKE_MAX, Strategy};
use super::{TO_START, bad, duration, some_time};
use crate::error::Usage;

/// Minutes that ECS watches a new revision, unless something else is asked for.
pub const BAKE: u32 = 5;

/// The role for ECS, unless one is named.
pub const ROLE: &str = "ecs-load-balancers";

/// What was typed.
#[derive(Clone, Debug, Default)]
pub struct TypedSetup {
    /// `--cluster`
    pub cluster: String,
    /// `--service`
    pub service: String,
    /// `--infrastructure-role`
    pub role: Option<String>,
    /// `--create-role`
    pub create_role: Option<String>,
    /// `--engine listener`
    pub pair: bool,
    /// `--twin`
    pub twin: Option<String>,
    /// `--print`
    pub prints: bool,
    /// `--strategy`
    pub strategy: Option<String>,
    /// `--bake`
    pub bake: Option<String>,
    /// `--production-rule`
    pub production: Option<String>,
    /// `--test-rule`
    pub test: Option<String>,
    /// `--test-header`
    pub header: Option<String>,
    /// `--alternate-target-group`
    pub alternate: Option<String>,
    /// `--timeout`
    pub timeout: String,
    /// `--undo`
    pub undo: bool,
}

/// A header by which test traffic is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, as it was typed.
    pub name: String,
    /// Its value; the load balancer takes `*` and `?` as wildcards.
    pub value: String,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Header {
    /// Reads `NAME=VALUE` (API reference of HttpHeaderConditionConfig; RFC 9110, 5.6.2).
    fn typed(text: &str) -> Result<Self, Usage> {
        let wrong = |why: &str| {
            Err(bad("--test-header", format!("`{text}` {why}"), "--test-header X-Preview=1"))
        };
        let Some((name, value)) = text.split_once('=') else { return wrong("has no `=`") };
        let is_token =
            |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
        if name.is_empty() || name.len() > 40 || !name.chars().all(is_token) {
            return wrong("does not begin with a header's name of at most 40 characters");
        }
        if name.eq_ignore_ascii_case("host") {
            return wrong("names the header Host, which a rule cannot ask for so");
        }
        let length = value.chars().count();
        if !(1..=128).contains(&length) || value.chars().any(char::is_control) {
            return wrong("does not end with a value of 1 to 128 characters");
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// A service is to be made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The cluster, by name or ARN.
    pub cluster: String,
    /// The service, by name.
    pub service: String,
    /// The ARN of the role by which ECS changes rules.
    pub role: Option<String>,
    /// It is to be a pair for the engine `listener`: the name of the twin.
    pub pair: Option<String>,
    /// The name of a role for that, which is to be made unless it is there.
    pub create_role: Option<String>,
    /// That name was typed.
    pub names_role: bool,
    /// How ECS is to shift traffic, where that was said.
    pub strategy: Option<Strategy>,
    /// `bakeTimeInMinutes`, where that was said.
    pub bake: Option<u32>,
    /// The ARN of the rule that users' requests come through, where it was said.
    pub production: Option<String>,
    /// The ARN of the rule for test traffic.
    pub test: Option<String>,
    /// The header of the test traffic for which a rule is to be made.
    pub header: Option<Header>,
    /// The ARN of a second target group that is there already.
    pub alternate: Option<String>,
    /// How long there may be no progress.
    pub timeout: Duration,
    /// The service is to be as before.
    pub undo: bool,
}

impl Setup {
    /// Reads what was typed.
    pub fn new(typed: &TypedSetup) -> Result<Self, Usage> {
        let names = Names::new(("--cluster", &typed.cluster), &[("--service", &typed.service)])?;
        let pair = pair(typed, names.services.first().map_or("", String::as_str))?;
        let rules = [":listener-rule/", ":listener/"];
        Ok(Self {
            cluster: names.cluster,
            service: names.services.into_iter().next().unwrap_or_default(),
            role: arn(
                "--infrastructure-role",
                typed.role.as_ref(),
                &[":role/"],
                "arn:aws:iam::123456789012:role/NAME",
            )?,
            pair,
            create_role: match (&typed.create_role, &typed.role) {
                (Some(name), _) => Some(role_name(name)?),
                (None, None) if !typed.undo && !typed.pair => Some(ROLE.to_owned()),
                (None, _) => None,
            },
            names_role: typed.create_role.is_some(),
            strategy: typed.strategy.as_deref().map(Strategy::typed).transpose()?,
            bake: typed.bake.as_deref().map(bake).transpose()?,
            production: arn(
                "--production-rule",
                typed.production.as_ref(),
                &rules,
                "RULE_ARN, or LISTENER_ARN for a Network Load Balancer",
            )?,
            test: arn(
                "--test-rule",
                typed.test.as_ref(),
                &rules,
                "RULE_ARN, or LISTENER_ARN for a Network Load Balancer",
            )?,
            header: typed.header.as_deref().map(Header::typed).transpose()?,
            alternate: arn(
                "--alternate-target-group",
                typed.alternate.as_ref(),
                &[":targetgroup/"],
                "TARGET_GROUP_ARN",
            )?,
            timeout: some_time("--timeout", &typed.timeout, TO_START, "30m")?,
            undo: typed.undo,
        })
    }
}

/// The name of the twin, where a pair is asked for.
fn pair(typed: &TypedSetup, service: &str) -> Result<Option<String>, Usage> {
    if !typed.pair {
        return match typed.twin {
            None => Ok(None),
            Some(_) => Err(bad(
                "--twin",
                "only a pair for the engine listener has a twin".to_owned(),
                "--engine listener --print cli",
            )),
        };
    }
    let wrong = |what: String, hint: &str| Err(bad("--engine listener", what, hint));
    if !typed.prints {
        let what = "it prints what to create; nothing is changed yet";
        return wrong(what.to_owned(), "--engine listener --print cli, or --print terraform");
    }
    let others = [
        ("--infrastructure-role", typed.role.is_some()),
        ("--create-role", typed.create_role.is_some()),
        ("--strategy", typed.strategy.is_some()),
        ("--bake", typed.bake.is_some()),
        ("--production-rule", typed.production.is_some()),
        ("--test-rule", typed.test.is_some()),
        ("--test-header", typed.header.is_some()),
        ("--undo", typed.undo),
    ];
    if let Some((option, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
        let what = format!("{option} is for the engine native, in which ECS shifts the traffic");
        return wrong(what, &format!("leave out {option}"));
    }
    let twin = typed.twin.clone().unwrap_or_else(|| format!("{service}-green"));
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    match (1..=255).contains(&twin.len()) && twin.chars().all(is_legal) {
        true => Ok(Some(twin)),
        false => Err(bad(
            "--twin",
            format!("`{twin}` is not a name of 1 to 255 letters, digits, - and _"),
            "--twin NAME with fewer characters",
        )),
    }
}

/// Reads the name of a role (API reference of CreateRole).
fn role_name(text: &str) -> Result<String, Usage> {
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
    let (option, example) = ("--create-role", format!("--create-role {ROLE}"));
    match text {
        _ if text.starts_with("arn:") => {
            let wrong = format!("`{text}` is an ARN, not the name of a role to make");
            Err(bad(option, wrong, &format!("--infrastructure-role {text}")))
        }
        _ if !(1..=64).contains(&text.len()) || !text.chars().all(is_legal) => {
            let wrong = format!("`{text}` is not a name of 1 to 64 letters, digits and +=,.@_-");
            Err(bad(option, wrong, &example))
        }
        _ => Ok(text.to_owned()),
    }
}

fn bake(text: &str) -> Result<u32, Usage> {
    let time = duration("--bake", text)?;
    let minutes = u32::try_from(time.as_secs() / 60).unwrap_or(u32::MAX);
    match time.as_secs() % 60 {
        0 if minutes <= BAKE_MAX => Ok(minutes),
        _ => Err(bad("--bake", format!("`{text}` is not whole minutes, at most 24h"), "--bake 5m")),
    }
}

fn arn(
    option: &str,
    text: Option<&String>,
    kinds: &[&str],
    hint: &str,
) -> Result<Option<String>, Usage> {
    let Some(text) = text else { return Ok(None) };
    match text.starts_with("arn:") && kinds.iter().any(|kind| text.contains(kind)) {
        true => Ok(Some(text.clone())),
        false => Err(bad(
            option,
            format!("`{text}` is no ARN with {}", kinds.join(" or ")),
            &format!("{option} {hint}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> TypedSetup {
        TypedSetup {
            cluster: "shop".into(),
            service: "api".into(),
            timeout: "15m".into(),
            ..TypedSetup::default()
        }
    }

    #[test]
    fn an_arn_of_something_else_is_refused() {
        let role = |text: &str| Setup::new(&TypedSetup { role: Some(text.into()), ..typed() });
        assert!(role("arn:aws:iam::1:role/x").is_ok());
        assert!(role("x").is_err());
        assert!(role("arn:aws:iam::1:user/x").is_err());
        let rule =
            |text: &str| Setup::new(&TypedSetup { production: Some(text.into()), ..typed() });
        assert!(rule("arn:aws:elasticloadbalancing:r:1:listener-rule/app/a/b/c/d").is_ok());
        assert!(rule("arn:aws:elasticloadbalancing:r:1:listener/net/a/b/c").is_ok());
        assert!(rule("arn:aws:elasticloadbalancing:r:1:targetgroup/a/b").is_err());
    }

    #[test]
    fn a_role_to_make_has_a_name() {
        let of = |text: &str| Setup::new(&TypedSetup { create_role: Some(text.into()), ..typed() });
        let none = Setup::new(&typed()).unwrap();
        assert_eq!(none.create_role.as_deref(), Some(ROLE));
        let arn = Some("arn:aws:iam::1:role/x".to_owned());
        let named = Setup::new(&TypedSetup { role: arn, ..typed() });
        assert_eq!(named.unwrap().create_role, None);
        assert_eq!(of("ecs-lb_1").unwrap().create_role.as_deref(), Some("ecs-lb_1"));
        let long = "x".repeat(65);
        for wrong in ["", "a/b", "a b", &long] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let arn = "arn:aws:iam::1:role/x";
        assert_eq!(of(arn).unwrap_err().hint, format!("--infrastructure-role {arn}"));
    }

    #[test]
    fn a_pair_is_printed_only() {
        let listener = TypedSetup { pair: true, prints: true, ..typed() };
        assert_eq!(Setup::new(&listener).unwrap().pair.as_deref(), Some("api-green"));
        let twin = Some("other".to_owned());
        let named = TypedSetup { twin: twin.clone(), ..listener.clone() };
        assert_eq!(Setup::new(&named).unwrap().pair, twin);
        let some = || Some("1m".to_owned());
        for wrong in [
            TypedSetup { prints: false, ..listener.clone() },
            TypedSetup { bake: some(), ..listener.clone() },
            TypedSetup { undo: true, ..listener.clone() },
            TypedSetup { twin: Some("a b".into()), ..listener },
            TypedSetup { twin, ..typed() },
        ] {
            assert!(Setup::new(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_test_header_is_a_name_and_a_value() {
        let of = |text: &str| Setup::new(&TypedSetup { header: Some(text.into()), ..typed() });
        let found = of("X-Preview=a=b").unwrap().header.unwrap();
        assert_eq!((found.name.as_str(), found.value.as_str()), ("X-Preview", "a=b"));
        let long = format!("{}=1", "x".repeat(41));
        for wrong in ["X-Preview", "=1", "X-Preview=", "X Preview=1", "Host=api", &long] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn it_has_some_time() {
        let of = |text: &str| Setup::new(&TypedSetup { timeout: text.into(), ..typed() });
        assert_eq!(of("5m").unwrap().timeout, Duration::from_secs(300));
        assert!(of("0").unwrap_err().what.contains("leaves no time"));
    }

    #[test]
    fn a_bake_is_whole_minutes() {
        let of = |text: &str| Setup::new(&TypedSetup { bake: Some(text.into()), ..typed() });
        assert_eq!(of("0").unwrap().bake, Some(0));
        assert_eq!(of("24h").unwrap().bake, Some(1440));
        assert!(of("90s").is_err() && of("25h").is_err());
    }
}
