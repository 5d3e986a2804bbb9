//! Finds two mistakes before RegisterTaskDefinition refuses them: sizes that Fargate does not have, and a
//! name that is both a variable and a secret. Pure.

use serde_json::Value;

use super::Wanted;
use super::clone::clone_request;
use crate::error::Refusal;

/// The memory in MiB that Fargate has for each number of CPU units: first, last, step (Amazon ECS
/// Developer Guide, "Amazon ECS task definition parameters for Fargate", "Task size").
const FARGATE: [(u64, u64, u64, u64); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// The one step that 256 units do not have.
const NOT: (u64, u64) = (256, 1536);

/// Whether the new revision can be registered, as far as its definition shows.
pub(super) fn fits(wanted: &Wanted) -> Result<(), Refusal> {
    let body =
        clone_request(&wanted.base.raw, &wanted.changes(), &std::collections::BTreeMap::new());
    let body = body.and_then(|body| serde_json::from_str::<Value>(&body));
    // A definition that cannot be read is refused where it is registered.
    let Ok(body) = body else { return Ok(()) };
    size(&wanted.base.name, &body)?;
    names(&wanted.base.name, &body)
}

fn size(name: &str, body: &Value) -> Result<(), Refusal> {
    let requires = body["requiresCompatibilities"].as_array();
    let is_fargate = requires.is_some_and(|all| all.iter().any(|one| one == "FARGATE"));
    let (Some(cpu), Some(memory)) = (number(&body["cpu"]), number(&body["memory"])) else {
        return Ok(());
    };
    let largest = FARGATE[FARGATE.len() - 1].0;
    // Sizes that are larger than the table may be new.
    if !is_fargate || cpu > largest {
        return Ok(());
    }
    let Some((_, first, last, step)) = FARGATE.iter().find(|(units, ..)| *units == cpu) else {
        let nearest = FARGATE.iter().map(|(units, ..)| *units).find(|units| *units >= cpu);
        let nearest = match nearest {
            // The next one below is nearer.
            Some(above) => FARGATE
                .iter()
                .map(|(units, ..)| *units)
                .rfind(|below| *below < cpu && cpu - below < above - cpu)
                .unwrap_or(above),
            None => largest,
        };
        return Err(Refusal::new(
            format!("{name}: Fargate has no task with cpu {cpu}"),
            format!(
                "--cpu {nearest} (Fargate has {})",
                listed(&FARGATE.map(|(units, ..)| units), "and")
            ),
        ));
    };
    let all: Vec<u64> = (*first..=*last)
        .step_by(usize::try_from(*step).unwrap_or(1))
        .filter(|memory| (cpu, *memory) != NOT)
        .collect();
    if all.contains(&memory) {
        return Ok(());
    }
    let nearest = all.iter().find(|fits| **fits >= memory).unwrap_or(last);
    let fitting = match all.len() {
        0..=4 => listed(&all, "or"),
        _ => format!("{first} to {last} in steps of {step}"),
    };
    Err(Refusal::new(
        format!("{name}: Fargate has no task with cpu {cpu} and memory {memory}"),
        format!("--memory {nearest} (with cpu {cpu}: {fitting})"),
    ))
}

/// A text, as AWS stores it, or a number.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn listed(numbers: &[u64], last: &str) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match texts.split_last() {
        Some((end, before)) if !before.is_empty() => format!("{} {last} {end}", before.join(", ")),
        _ => texts.concat(),
    }
}

/// A variable has one source.
fn names(name: &str, body: &Value) -> Result<(), Refusal> {
    for container in body["containerDefinitions"].as_array().into_iter().flatten() {
        let list = |member: &str| container[member].as_array().map_or(&[][..], Vec::as_slice);
        let own = |one: &Value| one["name"].as_str().map(str::to_owned);
        let variables: Vec<String> = list("environment").iter().filter_map(own).collect();
        let Some(both) = list("secrets").iter().filter_map(own).find(|one| variables.contains(one))
        else {
            continue;
        };
        let container = container["name"].as_str().unwrap_or_default();
        return Err(Refusal::new(
            format!(
                "{name}, container {container}: {both} is in `environment` and in `secrets`, and ECS takes a \
                 name once"
            ),
            format!(
                "take {both} out of one of them, or replace both: --env {container}:{both}=VALUE"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sized(cpu: u64, memory: u64) -> Result<(), Refusal> {
        let body = json!({
            "requiresCompatibilities": ["EC2", "FARGATE"], "cpu": cpu.to_string(), "memory": memory
        });
        size("web:1", &body)
    }

    #[test]
    fn fargate_has_the_sizes_of_its_table_and_no_other() {
        for (cpu, memory) in [
            (256, 512),
            (256, 1024),
            (256, 2048),
            (512, 4096),
            (1024, 2048),
            (4096, 30720),
            (8192, 20480),
            (16384, 122_880),
            // Newer than the table.
            (32768, 61440),
        ] {
            assert_eq!(sized(cpu, memory), Ok(()), "{cpu} {memory}");
        }
        for (cpu, memory, hint) in [
            (256, 1536, "--memory 2048 (with cpu 256: 512, 1024 or 2048)"),
            (512, 512, "--memory 1024 (with cpu 512: 1024, 2048, 3072 or 4096)"),
            (1024, 2049, "--memory 3072 (with cpu 1024: 2048 to 8192 in steps of 1024)"),
            (8192, 99_999, "--memory 61440 (with cpu 8192: 16384 to 61440 in steps of 4096)"),
            (300, 512, "--cpu 256 (Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384)"),
            (2000, 512, "--cpu 2048 (Fargate has 256, 512, 1024, 2048, 4096, 8192 and 16384)"),
        ] {
            assert_eq!(sized(cpu, memory).unwrap_err().hint, hint, "{cpu} {memory}");
        }
    }

    #[test]
    fn what_is_not_for_fargate_or_has_no_size_is_left_to_aws() {
        for body in [
            json!({ "requiresCompatibilities": ["EC2"], "cpu": "300", "memory": "1" }),
            json!({ "cpu": "300", "memory": "1" }),
            json!({ "requiresCompatibilities": ["FARGATE"], "cpu": "300" }),
        ] {
            assert_eq!(size("web:1", &body), Ok(()), "{body}");
        }
    }

    #[test]
    fn a_name_may_be_in_two_containers_but_not_twice_in_one() {
        let one = |environment: &str, secret: &str| json!({ "name": "web", "environment": [{ "name": environment }], "secrets": [{ "name": secret }] });
        let body = |containers: Value| json!({ "containerDefinitions": containers });
        assert_eq!(names("web:1", &body(json!([one("A", "B"), one("B", "A")]))), Ok(()));
        let why = names("web:1", &body(json!([one("A", "B"), one("C", "C")]))).unwrap_err();
        assert!(why.what.contains("container web: C is in"), "{why:?}");
    }
}
