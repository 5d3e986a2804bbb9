//! Finds mistakes before RegisterTaskDefinition refuses them: sizes that Fargate does not have, a role that it needs, a
//! definition that is too large, and a name that is both a variable and a secret. Pure.

use serde_json::Value;

use super::Wanted;
use super::clone::clone_request;
use crate::event::Refusal;
use crate::event::refusal::DefinitionRefused;
use crate::request::image::ImageRef;

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

/// What a task definition may have (General Reference, "Amazon ECS endpoints and quotas").
const MAX_BYTES: usize = 64 * 1024;

/// The one step that 256 units do not have.
const NOT: (u64, u64) = (256, 1536);

/// Whether the new revision can be registered, as far as its definition shows.
pub(super) fn fits(wanted: &Wanted) -> Result<(), Refusal> {
    let body =
        clone_request(&wanted.base.raw, &wanted.changes(), &std::collections::BTreeMap::new());
    // A definition that cannot be read is refused where it is registered.
    let Ok(text) = body else { return Ok(()) };
    if text.len() > MAX_BYTES {
        return Err(Refusal::new(DefinitionRefused::TooLarge {
            revision: wanted.base.name.clone(),
            bytes: text.len(),
            max_bytes: MAX_BYTES,
        }));
    }
    let Ok(body) = serde_json::from_str::<Value>(&text) else { return Ok(()) };
    size(&wanted.base.name, &body)?;
    role(&wanted.base.name, &body)?;
    names(&wanted.base.name, &body)
}

/// What Fargate itself does with the execution role (Developer Guide, "Amazon ECS task execution IAM role").
fn role(name: &str, body: &Value) -> Result<(), Refusal> {
    let has_role = body["executionRoleArn"].as_str().is_some_and(|role| !role.is_empty());
    if has_role || !is_fargate(body) {
        return Ok(());
    }
    for one in body["containerDefinitions"].as_array().into_iter().flatten() {
        let image: Option<ImageRef> = one["image"].as_str().and_then(|image| image.parse().ok());
        let pulls = image.is_some_and(|image| image.ecr().is_some());
        if pulls || one["logConfiguration"]["logDriver"] == "awslogs" {
            return Err(Refusal::new(DefinitionRefused::NoExecutionRole {
                revision: name.to_owned(),
                container: one["name"].as_str().unwrap_or_default().to_owned(),
                logs: !pulls,
            }));
        }
    }
    Ok(())
}

fn is_fargate(body: &Value) -> bool {
    let requires = body["requiresCompatibilities"].as_array();
    requires.is_some_and(|all| all.iter().any(|one| one == "FARGATE"))
}

fn size(name: &str, body: &Value) -> Result<(), Refusal> {
    let (Some(cpu), Some(memory)) = (number(&body["cpu"]), number(&body["memory"])) else {
        return Ok(());
    };
    let largest = FARGATE[FARGATE.len() - 1].0;
    // Sizes that are larger than the table may be new.
    if !is_fargate(body) || cpu > largest {
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
        return Err(Refusal::new(DefinitionRefused::FargateCpu {
            revision: name.to_owned(),
            cpu,
            nearest,
            sizes: FARGATE.map(|(units, ..)| units).to_vec(),
        }));
    };
    let all: Vec<u64> = (*first..=*last)
        .step_by(usize::try_from(*step).unwrap_or(1))
        .filter(|memory| (cpu, *memory) != NOT)
        .collect();
    if all.contains(&memory) {
        return Ok(());
    }
    let nearest = all.iter().copied().find(|fits| *fits >= memory).unwrap_or(*last);
    Err(Refusal::new(DefinitionRefused::FargateMemory {
        revision: name.to_owned(),
        cpu,
        memory,
        nearest,
        sizes: all,
    }))
}

/// A text, as AWS stores it, or a number.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
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
        return Err(Refusal::new(DefinitionRefused::VariableAndSecret {
            revision: name.to_owned(),
            container: container.to_owned(),
            variable: both,
        }));
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
    fn fargate_pulls_and_logs_by_the_execution_role() {
        let of = |image: &str, driver: &str, role: Option<&str>, runs_on: &str| {
            let body = json!({
                "requiresCompatibilities": [runs_on], "executionRoleArn": role,
                "containerDefinitions": [
                    {"name": "web", "image": image, "logConfiguration": {"logDriver": driver}}],
            });
            super::role("web:1", &body).is_ok()
        };
        let ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:1";
        assert!(
            !of(ecr, "json-file", None, "FARGATE") && !of(ecr, "json-file", Some(""), "FARGATE")
        );
        assert!(!of("nginx:1", "awslogs", None, "FARGATE"));
        assert!(of("nginx:1", "splunk", None, "FARGATE"));
        assert!(of(ecr, "awslogs", Some("arn:aws:iam::123456789012:role/x"), "FARGATE"));
        assert!(of(ecr, "awslogs", None, "EC2"));
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
        let of_memory = |cpu, memory, nearest, sizes: &[u64]| {
            let (revision, sizes) = ("web:1".to_owned(), sizes.to_vec());
            DefinitionRefused::FargateMemory { revision, cpu, memory, nearest, sizes }
        };
        let of_cpu = |cpu, nearest| DefinitionRefused::FargateCpu {
            revision: "web:1".to_owned(),
            cpu,
            nearest,
            sizes: vec![256, 512, 1024, 2048, 4096, 8192, 16384],
        };
        let every = |first, last, step| (first..=last).step_by(step).collect::<Vec<u64>>();
        for (cpu, memory, why) in [
            (256, 1536, of_memory(256, 1536, 2048, &[512, 1024, 2048])),
            (512, 512, of_memory(512, 512, 1024, &[1024, 2048, 3072, 4096])),
            (1024, 2049, of_memory(1024, 2049, 3072, &every(2048, 8192, 1024))),
            (8192, 99_999, of_memory(8192, 99_999, 61440, &every(16384, 61440, 4096))),
            (300, 512, of_cpu(300, 256)),
            (2000, 512, of_cpu(2000, 2048)),
        ] {
            assert_eq!(sized(cpu, memory), Err(Refusal::new(why)), "{cpu} {memory}");
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
        let [revision, container, variable] = ["web:1", "web", "C"].map(str::to_owned);
        let why = DefinitionRefused::VariableAndSecret { revision, container, variable };
        let twice = names("web:1", &body(json!([one("A", "B"), one("C", "C")])));
        assert_eq!(twice, Err(Refusal::new(why)));
    }
}
