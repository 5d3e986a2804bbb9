//! What a step of GitHub Actions shows: groups, one annotation, a summary, outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecs_bg::{Github, Host, Sandbox};

use crate::support::lives::{World, deploy};

/// A folder of its own for the files of a step.
struct Step(PathBuf);

impl Step {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ecs-bg-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn github(&self) -> Github {
        Github { summary: Some(self.0.join("summary")), output: Some(self.0.join("output")) }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// The outputs as the runner takes them: the last value of a name counts.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.read("output");
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').expect("name=value");
            assert!(!name.contains("<<"), "{line}");
            (name.to_owned(), value.to_owned())
        };
        text.lines().map(pair).collect()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A command in a step, to its exit code and what it printed.
fn run(world: &World, github: Github, arguments: &str) -> (u8, String) {
    let cloud = std::sync::Arc::clone(&world.cloud);
    let sandbox = Sandbox { cloud, interfere: None, machine: None };
    let (mut host, captured) = Host::captured(sandbox);
    host.github = Some(github);
    let code = ecs_bg::run(["ecs-bg"].into_iter().chain(arguments.split_whitespace()), &host);
    (code, captured.text())
}

fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("::")).collect()
}

const ARN: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/";

#[test]
fn a_good_deployment_is_one_notice_groups_a_summary_and_outputs() {
    let (step, world) = (Step::new("github-good"), World::new("shop"));
    let (code, text) = run(&world, step.github(), &deploy("2", ""));
    assert_eq!(code, 0, "{text}");
    let commands = commands(&text);
    let groups: Vec<&str> =
        commands.iter().filter_map(|line| line.strip_prefix("::group::")).collect();
    assert_eq!(groups, ["register", "start", "health", "traffic", "bake", "retire"], "{text}");
    let ends = commands.iter().filter(|line| **line == "::endgroup::").count();
    assert_eq!(ends, groups.len(), "{text}");
    let last = commands.last().expect("a notice");
    assert!(last.starts_with("::notice title=web::web:2 serves in web-green ("), "{last}");
    assert_eq!(commands.len(), 2 * groups.len() + 1, "{text}");
    // The end stands outside of every group.
    let end = text.find("\n✔ web:2").expect("an end");
    assert!(text.rfind("::endgroup::").expect("a group") < end, "{text}");

    let outputs = step.outputs();
    let value = |name: &str| outputs[name].as_str();
    assert_eq!((value("outcome"), value("exit-code")), ("live", "0"));
    assert_eq!(value("task-definition-arn"), format!("{ARN}web:2"));
    assert_eq!(value("previous-task-definition-arn"), format!("{ARN}web:1"));
    assert_eq!((value("deployment-id"), value("service")), ("web:2", "web-green"));
    assert!(value("duration").parse::<u64>().expect("seconds") > 60, "{outputs:?}");

    let summary = step.read("summary");
    assert!(summary.starts_with("### ✔ web&#58;2 serves in web-green\n"), "{summary}");
    for part in [
        "| task definition | web&#58;1 | web&#58;2 |",
        "| image of web | shop/web&#58;1 | shop/web&#58;2 |",
        "<details><summary>Timeline</summary>",
        "| traffic | ",
        "**Undo:** <code>ecs-bg rollback --cluster shop --service web</code>",
    ] {
        assert!(summary.contains(part), "{part}\n{summary}");
    }
}

#[test]
fn a_bad_deployment_is_one_error_with_its_cause() {
    let (step, world) = (Step::new("github-bad"), World::new("shop"));
    let (code, text) = run(&world, step.github(), &deploy("4", ""));
    assert_eq!(code, 1, "{text}");
    let commands = commands(&text);
    let errors: Vec<&&str> = commands.iter().filter(|line| line.starts_with("::error ")).collect();
    let [error] = errors[..] else { panic!("{errors:?}") };
    assert!(error.starts_with("::error title=rolled back%3A web%3A1 serves in web"), "{error}");
    assert!(error.contains("exited with code 1"), "{error}");
    assert!(!commands.iter().any(|line| line.starts_with("::notice")), "{text}");
    // Failures stand outside of the groups, which GitHub shows closed.
    let failed = text.find("  failed    task").expect("a failure");
    let before = &text[..failed];
    assert!(before.rfind("::endgroup::") > before.rfind("::group::"), "{text}");

    let outputs = step.outputs();
    assert_eq!((outputs["outcome"].as_str(), outputs["exit-code"].as_str()), ("rolled-back", "1"));
    let summary = step.read("summary");
    for part in ["### ✘ rolled back", "exit code 1", "**Why:** ", "Tasks that failed", "**Next:** "]
    {
        assert!(summary.contains(part), "{part}\n{summary}");
    }
}

#[test]
fn among_lines_of_json_no_command_stands_and_the_files_are_written() {
    let (step, world) = (Step::new("github-json"), World::new("shop"));
    let (code, text) = run(&world, step.github(), &deploy("2", "--output json"));
    assert_eq!(code, 0, "{text}");
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
    assert_eq!(step.outputs()["outcome"], "live");
    assert!(step.read("summary").contains("Timeline"));
}

#[test]
fn what_is_refused_is_an_error_too_and_the_last_of_several_counts() {
    let (step, world) = (Step::new("github-refused"), World::new("shop"));
    let (code, text) = run(&world, step.github(), &deploy("99", ""));
    assert_eq!(code, 3, "{text}");
    let commands = commands(&text);
    let [error] = commands[..] else { panic!("{text}") };
    assert!(error.starts_with("::error title=ecs-bg could not do its work::"), "{error}");
    let outputs = step.outputs();
    assert_eq!((outputs["outcome"].as_str(), outputs["exit-code"].as_str()), ("error", "3"));
    assert!(step.read("summary").contains("**Hint:** "), "{}", step.read("summary"));
    run(&world, step.github(), &deploy("2", ""));
    assert_eq!(step.outputs()["outcome"], "live");
    assert_eq!(step.read("summary").matches("### ").count(), 2);
}

#[test]
fn nothing_to_do_names_what_runs() {
    let (step, world) = (Step::new("github-same"), World::new("shop"));
    assert_eq!(run(&world, step.github(), &deploy("2", "")).0, 0);
    let (code, text) = run(&world, step.github(), &deploy("2", ""));
    assert_eq!(code, 0, "{text}");
    let outputs = step.outputs();
    assert_eq!(outputs["outcome"], "nothing-to-do");
    assert_eq!(outputs["task-definition-arn"], format!("{ARN}web:2"));
}

#[test]
fn a_file_that_cannot_be_written_is_one_warning_and_harms_nothing() {
    let step = Step::new("github-unwritable");
    let missing = Path::new("/nonexistent/folder/file").to_owned();
    let github = Github { summary: Some(missing.clone()), output: Some(missing) };
    let (code, text) = run(&World::new("shop"), github, &deploy("2", ""));
    assert_eq!(code, 0, "{text}");
    let warnings: Vec<&str> =
        text.lines().filter(|line| line.starts_with("warning: the file of GITHUB_")).collect();
    assert_eq!(warnings.len(), 2, "{text}");
    // A summary that GitHub would not show.
    std::fs::write(step.0.join("summary"), vec![b'x'; 1 << 20]).expect("written");
    let (code, text) = run(&World::new("shop"), step.github(), &deploy("2", ""));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("GITHUB_STEP_SUMMARY was not written: it would be larger"), "{text}");
    assert_eq!(step.read("summary").len(), 1 << 20);
    assert_eq!(step.outputs()["outcome"], "live");
}

#[test]
fn commands_that_change_nothing_report_nothing() {
    let (step, world) = (Step::new("github-plan"), World::new("shop"));
    let plan = deploy("2", "").replacen("deploy", "plan", 1);
    for command in [deploy("2", "--dry-run"), plan, "status --cluster shop".to_owned()] {
        let (code, text) = run(&world, step.github(), &command);
        assert_eq!((code, commands(&text)), (0, vec![]), "{text}");
    }
    assert_eq!(step.read("summary") + &step.read("output"), "");
}
