//! What is typed, and what stands in the environment: words that are wrong, names that are left out.

use std::process::{Command, Output};

use ecs_bg::{Host, Sandbox, Screen};
use serde_json::Value;

use crate::support::lives::World;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-bg"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.env("AWS_EC2_METADATA_DISABLED", "true").output().expect("it runs")
}

/// The same, for a line of words without blanks in them.
fn typed(line: &str, variables: &[(&str, &str)]) -> Output {
    run(&line.split(' ').collect::<Vec<_>>(), variables)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_word_that_is_wrong_forges_no_line() {
    for word in ["--foo\n::error::x", "--foo\u{1b}[31m", "--foo\r\nhint: rm", "de\nploy"] {
        for arguments in [vec!["deploy", word], vec![word], vec!["deploy", "--engine", word]] {
            // A first word that begins with a hyphen is for the drop-in.
            let output = run(&arguments, &[]);
            let text = out(&output) + &err(&output);
            assert!(matches!(output.status.code(), Some(2 | 3)), "{arguments:?}: {text}");
            let raw = |line: &str| {
                line.starts_with(':') || line.starts_with("hint: rm") || line.starts_with("ploy")
            };
            assert!(!text.lines().any(raw), "{arguments:?}: {text}");
            assert!(!text.contains(['\u{1b}', '\r']), "{arguments:?}: {text:?}");
        }
    }
}

#[test]
fn a_wrong_word_brings_one_hint() {
    for (arguments, hint) in [
        (&["deploy", "--nonsense"][..], "hint: ecs-bg deploy --help"),
        (&["deploy", "--forc"], "hint: a similar argument exists: '--force'"),
        (&["deplo"], "hint: some similar subcommands exist: 'ecs-deploy', 'demo', 'deploy'"),
        (&["deploy", "--engine", "x"], "hint: ecs-bg deploy --help"),
    ] {
        let output = run(arguments, &[]);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!(text.lines().last(), Some(hint), "{text}");
        let hints = ["hint:", "tip:", "For more information"].map(|one| text.matches(one).count());
        assert_eq!(hints, [1, 0, 0], "{text}");
    }
}

const SOLO: [&str; 2] = ["--sandbox", "solo"];

#[test]
fn the_environment_says_what_the_command_line_leaves_out() {
    let both = [("ECS_BG_CLUSTER", "shop"), ("ECS_BG_SERVICE", "api")];
    for (arguments, variables) in [
        (&["status"][..], &both[..]),
        (&["status"], &[("ECS_BG_SERVICE", "shop/api")]),
        // What is typed outranks it, also a cluster in the name of a service.
        (&["status", "--service", "api"], &[("ECS_BG_CLUSTER", "shop"), ("ECS_BG_SERVICE", "x")]),
        (&["status", "--service", "shop/api"], &[("ECS_BG_CLUSTER", "x")]),
        (&["status", "--cluster", "shop"], &[("ECS_BG_CLUSTER", "x"), ("ECS_BG_SERVICE", "api")]),
        (&["plan", "--tag", "2"], &both),
        (&["abort"], &both),
        (&["run", "--no-wait"], &both),
    ] {
        let output = run(&[arguments, &SOLO].concat(), variables);
        let text = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {variables:?}: {text}");
    }
    for (arguments, said, hint) in [
        (&["abort", "--cluster", "shop"][..], "no service is named", "--service SERVICE"),
        (&["abort"], "no service is named", "--cluster CLUSTER --service SERVICE"),
        (&["abort", "--service", "api"], "no cluster is named", "--cluster CLUSTER"),
        (&["status"], "no cluster is named", "--cluster CLUSTER"),
        (&["run", "--task-definition", "api"], "no cluster is named", "--cluster CLUSTER"),
    ] {
        let output = run(&[arguments, &SOLO].concat(), &[("ECS_BG_CLUSTER", "")]);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(said) && text.contains(&format!("hint: {hint}")), "{text}");
    }
    // A task definition of its own is not run as the service that the environment names.
    let words = ["run", "--task-definition", "api", "--cluster", "shop", "--no-wait"];
    let output = run(&[&words[..], &SOLO].concat(), &[("ECS_BG_SERVICE", "nonsense")]);
    assert!(!err(&output).contains("nonsense"), "{}", err(&output));
    for command in ["deploy", "plan", "status", "resume", "rollback", "abort", "promote", "run"] {
        let help = out(&run(&[command, "--help"], &[]));
        for variable in ["ECS_BG_CLUSTER", "ECS_BG_SERVICE"] {
            assert!(help.contains(variable), "{command}: {help}");
        }
    }
}

#[test]
fn the_drop_in_shows_its_help_and_ends_well() {
    for arguments in [&["ecs-deploy", "--help"][..], &["ecs-deploy", "-h"]] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert!(out(&output).contains("--service-name SERVICE"), "{}", out(&output));
        assert_eq!(err(&output), "");
    }
}

#[test]
fn the_demo_prints_only_lines_of_json_where_json_is_asked_for() {
    let output = run(&["demo", "--output", "json"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let lines: Vec<Value> = out(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.iter().any(|line| line["event"] == "status" && line["service"] == "web"));
    assert_eq!(lines.last().expect("a line")["event"], "demo");
}

#[test]
fn a_number_that_may_have_been_minutes_is_said_in_the_plan() {
    let world = World::new("shop");
    let plan = |more: &str| {
        world.run(&format!("plan --cluster shop --service web --tag shop/web=2 {more}")).text
    };
    let text = plan("--bake 5 --follow 45");
    for said in ["--bake is 5s; 5m is 5 minutes", "--follow is 45s; 45m is 45 minutes"] {
        assert!(text.contains(said), "{text}");
    }
    for clear in ["--bake 5s", "--bake 0", "--bake 90"] {
        assert!(!plan(clear).contains("minutes"), "{clear}");
    }
}

#[test]
fn a_service_is_shown_alone_several_in_rows_and_without_a_name_all_of_them() {
    let world = World::new("shop");
    let json = |line: &str| -> Value {
        let life = world.run(&format!("{line} --output json"));
        assert_eq!(life.code, Some(0), "{line}: {}", life.text);
        serde_json::from_str(&life.text).unwrap_or_else(|error| panic!("{error}: {}", life.text))
    };
    assert_eq!(json("status --cluster shop --service web")["services"][0]["name"], "web");
    // A pair is one.
    for line in [
        "status --cluster shop",
        "status --cluster shop --service web --service web-green",
        "status --service shop/web,web-green",
    ] {
        let all = json(line);
        assert_eq!(all["statuses"].as_array().map(Vec::len), Some(1), "{line}: {all:#}");
        assert_eq!(all["statuses"][0]["services"][1]["name"], "web-green", "{line}");
    }
    let life = world.run("status --cluster shop");
    let lines: Vec<&str> = life.text.lines().collect();
    assert_eq!(lines[0], "123456789012 · eu-central-1 · cluster shop", "{}", life.text);
    assert_eq!(
        lines[1].split_whitespace().collect::<Vec<_>>(),
        ["SERVICE", "SERVES", "TRAFFIC", "TASKS", "TARGETS", "SINCE", "LAST", "DEPLOYMENT"]
    );
    assert!(lines[2].starts_with("web + web-green"), "{}", life.text);
    world.run("deploy --cluster shop --service web --tag shop/web=3");
    let life = world.run("status --cluster shop");
    assert!(life.text.ends_with("  web:2 rolled back 0s ago\n"), "{:?}", life.text);
    let life = world.run("status --cluster shop --service web --service nope");
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("has no service nope"), "{}", life.text);
    let life = world.run("status --cluster shop --service web,api --twin web-green");
    assert_eq!(life.code, Some(2), "{}", life.text);
}

/// A terminal would break each row of a table anywhere.
#[test]
fn rows_that_are_longer_than_the_terminal_have_the_last_deployment_below() {
    let status = |columns: u16| {
        let world = World::new("shop");
        let (mut host, captured) = Host::captured(Sandbox::new(world.cloud().clone()));
        host.screen = Some(Screen::memory(captured.clone(), 24, columns));
        assert_eq!(ecs_bg::run(["ecs-bg", "status", "--cluster", "shop"], &host), 0);
        captured.text().replace("\r\n", "\n")
    };
    let wide = status(200);
    assert!(wide.contains("15m ago  none by ecs-bg"), "{wide}");
    let narrow = status(72);
    assert!(narrow.contains("15m ago\n  none by ecs-bg"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 72), "{narrow}");
}

#[test]
fn values_of_variables_are_shown_only_where_that_is_asked_for() {
    let world = World::new("solo");
    let line = "--cluster shop --service api --tag 2 --env MODE=hunter2 --secret KEY=arn:aws:ssm:x";
    for command in ["plan", "deploy"] {
        let hidden = world.run(&format!("plan {line}"));
        assert!(
            hidden.text.contains("MODE") && !hidden.text.contains("hunter2"),
            "{}",
            hidden.text
        );
        let shown = world.run(&format!("{command} {line} --show-env"));
        assert_eq!(shown.code, Some(0), "{}", shown.text);
        assert!(shown.text.contains("MODE=hunter2"), "{}", shown.text);
        assert!(!shown.text.contains("arn:aws:ssm"), "secrets never: {}", shown.text);
    }
    let life = world.run("plan --cluster shop --service api --env MODE=other --show-env");
    assert!(life.text.contains("-           \"value\": \"hunter2\""), "{}", life.text);
    assert!(life.text.contains("+           \"value\": \"other\""), "{}", life.text);
}

#[test]
fn bash_has_a_case_for_each_command_that_its_script_finds() {
    let script = World::new("solo").run("completions bash").text;
    let names =
        script.lines().filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'));
    let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let label = format!("{name})");
        assert!(script.lines().any(|line| line.trim() == label), "no case {label}");
    }
}

/// Somebody who puts the options first hears what is wrong, and not of another tool's flags.
#[test]
fn options_before_the_command_are_no_flags_of_another_tool() {
    for line in [
        "--cluster shop --service api deploy --tag 2 --sandbox solo",
        "--cluster shop status --sandbox solo",
        "--region eu-central-1",
    ] {
        let ended = typed(line, &[]);
        let said = err(&ended);
        assert_eq!(ended.status.code(), Some(2), "{line}: {said}");
        assert!(!said.contains("ecs-deploy -c"), "{line}: {said}");
        assert!(said.contains("hint: "), "{line}: {said}");
    }
    let wrong = typed("deploy --cluster shop --service api --min-healthy x", &[]);
    let said = err(&wrong);
    assert!(said.contains("hint: ecs-bg deploy --help"), "{said}");
}

#[test]
fn what_only_prints_fails_where_nothing_can_be_printed() {
    let own = "--cluster shop --service api --sandbox solo";
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let run = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-bg"));
        command.args(line.split(' ')).env_clear().stdout(full());
        let ended = command.stderr(std::process::Stdio::piped()).output().expect("ecs-bg");
        (ended.status.code(), err(&ended))
    };
    for command in ["iam-policy", "plan --tag 2", "status", "history", "doctor"] {
        let (code, said) = run(&format!("{command} {own}"));
        assert_eq!(code, Some(3), "{command}: {said}");
        assert!(said.contains("error: standard output cannot be written: "), "{command}: {said}");
    }
    // What was done is done.
    let (code, said) = run(&format!("deploy {own} --tag 2"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("warning: standard output cannot be written: "), "{said}");
}

#[test]
fn a_sandbox_and_a_region_that_cannot_be_are_found_at_once() {
    let own = "--cluster shop --service api";
    let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")];
    for region in ["eu_central_1", "-"] {
        let ended = typed(&format!("status {own} --region={region}"), &keys);
        let said = err(&ended);
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(said.contains("is not the name of a region"), "{said}");
    }
    let ended =
        typed(&format!("deploy {own} --tag 2 --sandbox solo --sandbox-state /nowhere/x"), &[]);
    let said = err(&ended);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(ended.stdout.is_empty() && said.contains("/nowhere/x cannot be written"), "{said}");
    let ended = typed(&format!("status {own}"), &[("ECS_BG_SANDBOX", "")]);
    let said = err(&ended);
    assert!(said.contains("ECS_BG_SANDBOX is set, and empty"), "{said}");
}

/// What is pasted asks the same region.
#[test]
fn a_command_of_the_aws_cli_has_the_region_that_was_typed() {
    let world = World::new("solo");
    let line = "deploy --cluster shop --service nope --tag 2 --region eu-central-1";
    let life = world.run(line);
    assert_eq!(life.code, Some(3), "{}", life.text);
    let hint = life.text.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
    assert!(hint.ends_with("--cluster shop --region eu-central-1"), "{hint}");
}

/// Between commands no time passes in a world that is kept, unless somebody lets it.
#[test]
fn time_passes_in_a_world_that_is_kept() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept-world.json");
    let _ = std::fs::remove_file(&file);
    let state = format!("--sandbox-state {}", file.display());
    let own = format!("--cluster shop --service api --sandbox solo {state}");
    let begun = typed(&format!("deploy --tag 2 --no-wait {own}"), &[]);
    assert_eq!(begun.status.code(), Some(0), "{}", err(&begun));
    let status = || out(&typed(&format!("status {own}"), &[]));
    assert!(status().contains("api:2 (PRIMARY): 0/2 running"), "{}", status());
    assert!(status().contains("api:1 (ACTIVE): 2/2 running"), "{}", status());
    let passed = typed(&format!("sandbox --advance 10m {state}"), &[]);
    assert_eq!(out(&passed), "it is 2026-01-15T12:10:00Z in the sandbox\n", "{}", err(&passed));
    assert!(status().contains("api:2  2/2 tasks running"), "{}", status());
    for wrong in ["--advance 10m", "--advance soon --sandbox-state x.json --sandbox solo"] {
        let refused = typed(&format!("sandbox {wrong}"), &[]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {}", err(&refused));
    }
}
