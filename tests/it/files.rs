//! Task definitions as people have them in files: what is registered, and what is said of the rest.

use std::path::{Path, PathBuf};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::cases::edits::{DEPLOY, definition, revisions, running};
use crate::support::lives::{Life, World};

fn case(name: &str) -> String {
    format!("tests/cases/files/{name}.json")
}

fn deployed(name: &str, more: &str) -> (World, Life) {
    let world = World::new("solo");
    let life = world.run(&format!("{DEPLOY} api --task-definition {} {more}", case(name)));
    (world, life)
}

#[test]
fn a_null_is_absent_and_units_are_what_aws_makes_of_them() {
    for name in ["n_env", "n_vol", "u_cpu", "f_bom"] {
        let (world, life) = deployed(name, "");
        assert_eq!(life.code, Some(0), "{name}: {}", life.text);
        assert_eq!(running(&world, "api"), "api:2", "{name}");
    }
    let (world, _) = deployed("u_cpu", "");
    let new = definition(&world, "api:2");
    assert_eq!((&new["cpu"], &new["memory"]), (&json!("1024"), &json!("2048")));
    let world = World::new("solo");
    for (name, family) in [("A1-null-member", "nulls:1"), ("A8-float", "floats:1")] {
        let life = world.run(&format!("register --task-definition {}", case(name)));
        assert_eq!(life.code, Some(0), "{name}: {}", life.text);
        assert_eq!(definition(&world, family)["containerDefinitions"][0]["memory"], json!(128));
    }
    assert_eq!(definition(&world, "floats:1")["containerDefinitions"][0]["cpu"], json!(100));
    let life = world.run("register --family floats --env A=1");
    assert_eq!(life.code, Some(0), "later commands read it: {}", life.text);
}

#[test]
fn only_a_template_is_filled_in_and_what_was_filled_in_is_said() {
    let (world, life) = deployed("A5-runtime-variable", "");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let container = definition(&world, "api:2")["containerDefinitions"][0].take();
    assert_eq!(container["command"][2], json!("exec app --dir ${HOME}/data"));
    assert_eq!(container["logConfiguration"]["options"]["region"], json!("${AWS_REGION}"));
    assert!(!life.text.contains("filled in"), "{}", life.text);
    let (world, life) = deployed("f_home", "");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let path = case("f_home");
    let said = format!("note: filled in from the environment in {path}: HOME\n");
    assert!(life.text.contains(&said), "{}", life.text);
    let command = definition(&world, "api:2")["containerDefinitions"][0]["command"][2].take();
    let home = std::env::var("HOME").expect("a home");
    assert_eq!(command, json!(format!("cd {home} && exec serve")));
}

#[test]
fn what_is_wrong_is_named_with_its_member_and_line_before_any_call() {
    let world = World::new("solo");
    let path = case("A7-wrong-position");
    let life = world.run(&format!("register --task-definition {path}"));
    let said = format!(
        "error: --task-definition: {path}: line 10: containerDefinitions[0].portMappings[0].containerPort \
         must be a number, not a text\nhint: write 80 without quotation marks in line 10\n"
    );
    assert_eq!((life.code, life.text.as_str()), (Some(2), said.as_str()));
    let placeholder = case("D2-placeholder");
    let said = format!(
        "error: {placeholder}, container web: the image `<IMAGE1_NAME>` is a placeholder\n\
         hint: --image web=REPOSITORY:TAG\n"
    );
    for command in
        ["plan --cluster shop --service api --tag 9", "register --tag fluent/fluent-bit=9"]
    {
        let life = world.run(&format!("{command} --task-definition {placeholder}"));
        assert_eq!((life.code, life.text.as_str()), (Some(3), said.as_str()), "{command}");
    }
    let life = world.run(&format!("register --task-definition {placeholder} --image web=nginx:1"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(revisions(&world, "ph"), 1);
}

#[test]
fn a_name_in_environment_and_secrets_is_found_before_anything_is_registered() {
    let path = case("u_secenv");
    let said = format!(
        "error: {path}, container api: A is in `environment` and in `secrets`, and ECS takes a name once\n\
         hint: take A out of one of them, or replace both: --env api:A=VALUE\n"
    );
    for command in
        ["register", "plan --cluster shop --service api", "deploy --cluster shop --service api"]
    {
        let world = World::new("solo");
        let life = world.run(&format!("{command} --task-definition {path}"));
        assert_eq!(life.code, Some(3), "{command}: {}", life.text);
        assert!(life.text.ends_with(&said), "{command}: {}", life.text);
        assert!(!life.operations.iter().any(|one| one == "RegisterTaskDefinition"), "{command}");
    }
    let life = World::new("solo").run(&format!("register --task-definition {path} --env api:A=2"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}

#[test]
fn an_image_of_another_account_is_not_called_missing() {
    let (world, life) = deployed("C1-foreign-ecr-sidecar", "");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let said = "was not checked (the registry of account 840364872350 does not show it)";
    assert!(life.text.contains(said), "{}", life.text);
    assert_eq!(running(&world, "api"), "api:2");
    // In the account itself it is missing.
    let foreign = std::fs::read_to_string(case("C1-foreign-ecr-sidecar")).expect("a file");
    let own = written("own.json", &foreign.replace("840364872350", "123456789012"));
    let life = World::new("solo").run(&format!("{DEPLOY} api --task-definition {}", own.display()));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("for container envoy cannot be used"), "{}", life.text);
}

#[test]
fn a_diff_shows_what_changes_and_not_what_aws_filled_in() {
    let (world, life) = deployed("D4-plan-a", "");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let plan =
        format!("plan --cluster shop --service api --task-definition {}", case("D4-plan-a2"));
    let life = world.run(&format!("{plan} --output json"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let plan: Value = serde_json::from_str(&life.text).expect("JSON");
    let changed: Vec<&str> = plan["diff"]
        .as_array()
        .unwrap_or_else(|| panic!("{plan:#}"))
        .iter()
        .filter_map(Value::as_str)
        .filter(|line| line.starts_with(['+', '-']))
        .map(|line| line[1..].trim())
        .collect();
    assert_eq!(
        changed,
        ["\"environment\": [", "{", "\"name\": \"A\",", "\"value\": \"***1\"", "}", "],"]
    );
}

#[test]
fn tags_that_reach_the_tasks_are_said_in_one_line() {
    let toml = include_str!("../cases/propagate_tags.toml");
    for (toml, says) in [(toml.to_owned(), 1), (toml.replace("TASK_DEFINITION", "SERVICE"), 0)] {
        for command in ["plan --cluster shop --service", DEPLOY] {
            let life = World::parsed(&toml).run(&format!("{command} api --tag 2"));
            assert_eq!(life.code, Some(0), "{}", life.text);
            assert_eq!(life.text.matches("propagateTags").count(), says, "{}", life.text);
        }
    }
}

#[test]
fn a_definition_as_large_as_aws_takes_is_deployed_without_a_record() {
    let small = std::fs::read_to_string(case("D4-plan-a2")).expect("a file");
    // The record's tags take 600 bytes and more.
    for (left, is_kept) in [(4096, true), (64, false)] {
        let world = World::new("solo");
        let probe: Value = serde_json::from_str(&small).expect("JSON");
        let room = 64 * 1024 - probe.to_string().len() - left;
        let large =
            small.replace("\"value\": \"1\"", &format!("\"value\": \"{}\"", "x".repeat(room)));
        let path = written(&format!("large-{left}.json"), &large);
        let life = world.run(&format!("{DEPLOY} api --task-definition {}", path.display()));
        assert_eq!(life.code, Some(0), "{}", life.text);
        let said = "would be larger than 64 KiB: no other process can resume";
        assert_eq!(!life.text.contains(said), is_kept, "{left}: {}", life.text);
        assert_eq!(running(&world, "api"), "api:2");
    }
}

/// 500 definitions with nulls, units, floats and empty texts in places where people have them: each is
/// registered and kept.
#[test]
fn what_people_write_is_never_registered_and_then_refused() {
    let world = World::new("solo");
    let mut random = Rng::with_seed(14);
    for number in 0..500 {
        let mut text = generated(&mut random).to_string();
        // Numbers as other programs write them.
        for (plain, odd) in [("128", "128.0"), ("100", "1e2"), ("8080", "8080.0")] {
            if random.bool() {
                text = text.replace(&format!(":{plain}"), &format!(":{odd}"));
            }
        }
        let path = written("generated.json", &text);
        let before = revisions(&world, "generated");
        let life = world.run(&format!("register --task-definition {}", path.display()));
        assert_eq!(life.code, Some(0), "number {number}: {}\n{text}", life.text);
        // The list has 100 to a page.
        assert!(before >= 100 || revisions(&world, "generated") == before + 1, "number {number}");
    }
}

fn generated(random: &mut Rng) -> Value {
    let mut container = json!({
        "name": "web", "image": "nginx:1", "cpu": 100, "memory": 128, "essential": true,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "environment": [{"name": "A", "value": ""}, {"name": "B", "value": "b"}],
        "healthCheck": {"command": ["CMD", "true"], "interval": 30},
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": false}],
        "dockerLabels": {"a": ""}, "command": ["serve", ""], "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}
    });
    spoil(
        random,
        &mut container,
        &["portMappings", "environment", "healthCheck", "dockerLabels"],
        &["user", "workingDirectory", "hostname"],
    );
    for inner in
        ["/portMappings/0", "/environment/0", "/healthCheck", "/mountPoints/0", "/linuxParameters"]
    {
        if let Some(Value::Object(members)) = container.pointer_mut(inner)
            && random.bool()
        {
            members
                .insert(["startPeriod", "unknown", "name2"][random.usize(..3)].into(), Value::Null);
        }
    }
    let sizes = [
        ("256", "512"),
        (".25 vCPU", "0.5GB"),
        ("1 vCPU", "2 GB"),
        ("1vcpu", "2gb"),
        ("256", "1 GB"),
    ];
    let (cpu, memory) = sizes[random.usize(..sizes.len())];
    let mut definition = json!({
        "family": "generated", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": cpu, "memory": memory, "containerDefinitions": [container],
        "volumes": [{"name": "data", "host": {"sourcePath": ""}}], "placementConstraints": []
    });
    spoil(
        random,
        &mut definition,
        &["placementConstraints"],
        &["taskRoleArn", "executionRoleArn", "pidMode", "ipcMode"],
    );
    if random.bool() {
        definition["runtimePlatform"] =
            json!({"cpuArchitecture": "", "operatingSystemFamily": null});
    }
    if random.bool() {
        definition = json!({"taskDefinition": definition, "tags": null});
    }
    definition
}

/// Some members become null, and some texts are there and empty.
fn spoil(random: &mut Rng, object: &mut Value, nulls: &[&str], empty: &[&str]) {
    for member in nulls.iter().filter(|_| random.u8(..4) == 0) {
        object[*member] = Value::Null;
    }
    for member in empty {
        match random.u8(..3) {
            0 => object[*member] = json!(""),
            1 => object[*member] = Value::Null,
            _ => {}
        }
    }
}

fn written(name: &str, text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}
