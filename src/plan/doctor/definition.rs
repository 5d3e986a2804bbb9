//! What would be deployed, and what it names.

use super::Exam;
use crate::event::Fact;
use crate::plan::named::{runs_on_instances, values};

pub(super) fn log_group(exam: &Exam<'_>) -> Vec<Fact> {
    let missing = exam.containers().filter_map(|(container, one)| {
        let options = &one["logConfiguration"]["options"];
        let group = options["awslogs-group"].as_str()?;
        let is_gone = exam.more.no_log_groups.iter().any(|missing| missing == group);
        let region = options["awslogs-region"].as_str().filter(|region| *region != exam.region());
        let (group, region) = (group.to_owned(), region.map(str::to_owned));
        is_gone.then_some(Fact::NoLogGroup { container, group, region })
    });
    missing.collect()
}

/// The platform that images of a definition must have (API reference of RuntimePlatform).
pub(super) fn platform(exam: &Exam<'_>) -> Vec<Fact> {
    let own = &exam.definition["runtimePlatform"];
    let text = |member: &str| own[member].as_str().unwrap_or_default();
    // On instances it is theirs, unless the definition says which.
    if own.is_null() && runs_on_instances(exam.live) {
        return vec![];
    }
    let os = if text("operatingSystemFamily").starts_with("WINDOWS") { "windows" } else { "linux" };
    let architecture = if text("cpuArchitecture") == "ARM64" { "arm64" } else { "amd64" };
    let needed = format!("{os}/{architecture}");
    let wrong = exam
        .more
        .platforms
        .iter()
        .filter(|(_, (_, built_for))| !built_for.is_empty() && !built_for.contains(&needed));
    wrong
        .map(|(container, (image, built_for))| Fact::ImagePlatform {
            container: container.clone(),
            image: image.clone(),
            built_for: built_for.clone(),
            needed: needed.clone(),
        })
        .collect()
}

/// Roles must exist, and trust ECS (Developer Guide, "Amazon ECS task execution IAM role").
pub(super) fn role(exam: &Exam<'_>) -> Vec<Fact> {
    let found = exam.more.roles.iter().filter_map(|(role, trust)| {
        let (role, revision) = (role.clone(), exam.revision());
        match trust {
            None => Some(Fact::NoRole { role, revision }),
            // A wildcard trusts it, too.
            Some(trust)
                if !trust.contains("ecs-tasks.amazonaws.com") && !trust.contains("\"*\"") =>
            {
                Some(Fact::RoleNotAssumable { role, revision })
            }
            Some(_) => None,
        }
    });
    found.collect()
}

/// What the caller's policies say of all that a deployment changes.
pub(super) fn caller(exam: &Exam<'_>) -> Vec<Fact> {
    exam.more.not_allowed.iter().map(|what| Fact::CallerMayNot { what: what.clone() }).collect()
}

pub(super) fn secret(exam: &Exam<'_>) -> Vec<Fact> {
    let missing = exam.containers().flat_map(|(container, one)| {
        values(one).map(move |(variable, from)| Fact::NoSecret {
            container: container.clone(),
            variable: variable.to_owned(),
            from: from.to_owned(),
        })
    });
    let is_gone = |fact: &Fact| match fact {
        Fact::NoSecret { from, .. } => exam.more.no_secrets.contains(from),
        _ => false,
    };
    missing.filter(is_gone).collect()
}

/// Parts of names that only secrets have.
const SECRET: [&str; 7] =
    ["PASSWORD", "PASSWD", "SECRET", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_TOKEN"];

/// Numbers and switches, such as the least length of a password.
fn is_setting(value: &str) -> bool {
    let switches = ["", "true", "false", "yes", "no", "on", "off"];
    let is_number = value.parse::<f64>().is_ok() && value.len() < 6;
    is_number || switches.contains(&value.to_ascii_lowercase().as_str())
}

/// `postgres://user:password@host`, `jdbc:mysql://host/db?password=…`
fn has_password(value: &str) -> bool {
    value.split([',', ' ']).filter_map(|one| one.split_once("://")).any(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        let mut parameters = rest.split(['?', '&', ';']).filter_map(|one| one.split_once('='));
        user.is_some_and(|(_, password)| is_written_out(password))
            || parameters.any(|(name, value)| name == "password" && is_written_out(value))
    })
}

/// A placeholder is filled in elsewhere.
fn is_written_out(password: &str) -> bool {
    !password.is_empty() && !password.contains(['$', '{', '<', '%', '*', '['])
}

/// Everybody who may read task definitions reads their variables.
pub(super) fn plain_secret(exam: &Exam<'_>) -> Vec<Fact> {
    let is_secret = |name: &str| {
        let name = name.to_ascii_uppercase();
        // `DB_PASSWORD_FILE` and `SECRET_NAME` say where it is.
        let says_where = ["_FILE", "_PATH", "_NAME", "_ARN", "_ID", "_URL"];
        SECRET.iter().any(|part| name.contains(part))
            && !says_where.iter().any(|end| name.ends_with(end))
    };
    let found = exam.containers().flat_map(|(container, one)| {
        let variables = one["environment"].as_array().cloned().unwrap_or_default();
        let names = variables.into_iter().filter_map(|variable| {
            let (name, value) = (variable["name"].as_str()?, variable["value"].as_str()?);
            let may_be = (is_secret(name) && !is_setting(value)) || has_password(value);
            may_be.then(|| name.to_owned())
        });
        let fact = move |variable| Fact::PlainSecret { container: container.clone(), variable };
        names.map(fact).collect::<Vec<_>>()
    });
    found.collect()
}

pub(super) fn no_health_check(exam: &Exam<'_>) -> Vec<Fact> {
    let checked = exam.containers().any(|(_, one)| !one["healthCheck"].is_null());
    match exam.live.attachments.is_empty() && !checked && !exam.definition.is_null() {
        true => vec![Fact::NoHealthCheck { service: exam.service(), revision: exam.revision() }],
        false => vec![],
    }
}

pub(super) fn moving_tag(exam: &Exam<'_>) -> Vec<Fact> {
    let moves = |image: &str| {
        let last = image.rsplit('/').next().unwrap_or(image);
        !image.contains('@') && (!last.contains(':') || last.ends_with(":latest"))
    };
    let moving = exam.containers().filter_map(|(container, one)| {
        let image = one["image"].as_str().filter(|image| moves(image))?.to_owned();
        Some(Fact::MovingTag { container, image })
    });
    moving.collect()
}

pub(super) fn no_logs(exam: &Exam<'_>) -> Vec<Fact> {
    let silent = exam.containers().filter(|(_, one)| one["logConfiguration"].is_null());
    silent.map(|(container, _)| Fact::NoLogs { container, revision: exam.revision() }).collect()
}
