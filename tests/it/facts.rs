//! Each renderer tells the same facts of the same deployment: lines, JSON, a step of GitHub Actions, and the
//! live view on a terminal. Each engine, a good and a bad image.

use ecs_bg::{Github, Host, Sandbox, Screen};
use serde_json::Value;

use crate::support::lives::{REPOSITORY, World};

/// Rows and columns of a terminal that keeps everything in sight.
const SIZE: (u16, u16) = (120, 100);

/// How a deployment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Lines,
    Json,
    Github,
    Live,
}

/// What was printed, and the summary of a step.
struct Told {
    code: u8,
    text: String,
    summary: String,
    /// The screen after each drawing.
    frames: Vec<String>,
}

/// What ecs-bg wrote, as a terminal driver hands it on.
fn driven(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// The screen before each move of the cursor, which begins a drawing, and at the end.
fn frames(text: &str) -> Vec<String> {
    let [rows, columns] = [SIZE.0, SIZE.1].map(|size| size.try_into().expect("above 0"));
    let mut parser = vt100::Parser::new(rows, columns, 0);
    let mut frames = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.match_indices("\u{1b}[").map(|(at, _)| at).find(|at| {
        let digits = rest[at + 2..].trim_start_matches(|char: char| char.is_ascii_digit());
        digits.starts_with('A') && digits.len() < rest[at + 2..].len()
    }) {
        parser.process(driven(&rest[..at]).as_bytes());
        frames.push(parser.screen().contents());
        parser.process(b"\x1b[");
        rest = &rest[at + 2..];
    }
    parser.process(driven(rest).as_bytes());
    frames.push(parser.screen().contents());
    frames
}

fn told(scenario: &str, service: &str, tag: &str, way: Way) -> Told {
    let world = World::new(scenario);
    let sandbox = Sandbox::new(world.cloud().clone());
    let (mut host, captured) = Host::captured(sandbox);
    let folder = std::env::temp_dir()
        .join(format!("ecs-bg-facts-{scenario}-{tag}-{way:?}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let summary = folder.join("summary");
    match way {
        Way::Github => {
            host.github = Some(Github { summary: Some(summary.clone()), output: None });
        }
        Way::Live => host.screen = Some(Screen::memory(captured.clone(), SIZE.0, SIZE.1)),
        Way::Lines | Way::Json => {}
    }
    let image = format!("{}:{tag}", REPOSITORY.replace("/web", &format!("/{service}")));
    let mut argv = vec!["ecs-bg", "deploy", "--cluster", "shop", "--service", service];
    argv.extend(["--image", &image]);
    if way == Way::Json {
        argv.extend(["--output", "json"]);
    }
    fastrand::seed(7);
    let code = ecs_bg::run(argv, &host);
    let text = captured.text();
    let summary = std::fs::read_to_string(&summary).unwrap_or_default();
    let _ = std::fs::remove_dir_all(&folder);
    Told { code, frames: frames(&text), text, summary }
}

/// Markdown as people read it.
fn unescaped(text: &str) -> String {
    let mut clean = String::new();
    for (index, part) in text.split("&#").enumerate() {
        match part.split_once(';').filter(|_| index > 0) {
            Some((code, rest)) => {
                clean.push(char::from(code.parse::<u8>().expect("a character")));
                clean.push_str(rest);
            }
            None => clean.push_str(part),
        }
    }
    clean
}

/// The rest of the line that begins so.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start))
}

#[test]
fn each_renderer_tells_the_same_facts() {
    for (scenario, service) in [("shop", "web"), ("solo", "api"), ("native", "shop")] {
        for (tag, code) in [("2", 0), ("4", 1)] {
            let [lines, json, github, live] = [Way::Lines, Way::Json, Way::Github, Way::Live]
                .map(|way| told(scenario, service, tag, way));
            let what = format!("{scenario} {tag}\n{}\n{}", lines.text, live.frames.last().unwrap());
            for one in [&lines, &json, &github, &live] {
                assert_eq!(one.code, code, "{what}");
            }
            let last: Value =
                serde_json::from_str(json.text.lines().last().expect("an outcome")).expect("JSON");
            assert_eq!(last["exit_code"], code, "{what}");
            let revision = last["revision"].as_str().expect("a revision");
            let mark = if code == 0 { "✔ " } else { "✘ " };
            let verdict = after(&lines.text, mark).and_then(|line| line.split_once("  "));
            let verdict = verdict.expect("a verdict").0;
            assert!(verdict.contains(revision), "{verdict}\n{what}");

            // JSON, a summary and a terminal have the verdict and the cause in the same words.
            let cause = after(&lines.text, "  why       ");
            assert_eq!(cause.is_some(), code != 0, "{what}");
            let message = cause.map_or(verdict.to_owned(), |cause| format!("{verdict}: {cause}"));
            assert_eq!(last["message"], message, "{what}");
            let summary = unescaped(&github.summary);
            let screen = live.frames.last().expect("a screen");
            assert!(summary.contains(&format!("### {mark}{verdict}\n")), "{summary}");
            assert!(screen.contains(&format!("{mark}{verdict}  ")), "{what}");
            let annotation = github.text.lines().rfind(|line| line.starts_with("::"));
            let annotation = annotation.expect("an annotation").replace("%3A", ":");
            let annotation = annotation.replace("%2C", ",").replace("%25", "%");
            assert!(annotation.contains(verdict), "{annotation}");
            for cause in cause.into_iter() {
                assert!(summary.contains(cause) && annotation.contains(cause), "{annotation}");
                assert!(screen.contains(&format!("  why       {cause}")), "{what}");
            }

            // The command that undoes it, or the next one.
            let command = &last[if code == 0 { "undo" } else { "hint" }]["command"];
            let command = command.as_str().unwrap_or_else(|| panic!("{last}"));
            for text in [&lines.text, &summary, screen] {
                assert!(text.contains(command), "{command}\n{text}");
            }
            assert!(summary.contains(&format!("exit code {code}")) == (code != 0), "{summary}");

            // A terminal shows each line but those of what was only waited for, and no row stays.
            let waits: Vec<String> = json
                .text
                .lines()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .filter(|event| event["event"] == "waiting")
                .filter_map(|event| event["message"].as_str().map(str::to_owned))
                .collect();
            let is_wait = |line: &&str| waits.iter().any(|wait| line.ends_with(wait.as_str()));
            for line in lines.text.lines().filter(|line| !is_wait(line)) {
                let begin: String = line.chars().take(usize::from(SIZE.1)).collect();
                assert!(screen.contains(begin.trim_end()), "{line}\n{what}");
            }
            assert!(!screen.contains('●') && !screen.contains("Ctrl-C"), "{what}");
        }
    }
}

#[test]
fn the_live_view_has_a_dozen_rows_at_most_and_stays_below_the_lines() {
    for (scenario, service) in [("shop", "web"), ("solo", "api"), ("native", "shop")] {
        for tag in ["2", "4"] {
            let live = told(scenario, service, tag, Way::Live);
            let drawn: Vec<&String> = live.frames.iter().filter(|one| one.contains('●')).collect();
            assert!(drawn.len() > 5, "{} drawings", drawn.len());
            for frame in drawn {
                let rows: Vec<&str> = frame.trim_end().lines().collect();
                let is_head = |row: &&str| row.starts_with(service) && row.contains("cluster shop");
                let head = rows.iter().rposition(is_head).expect("a head");
                assert!(rows.len() - head <= 12, "{frame}");
                assert!(rows.iter().all(|row| row.chars().count() <= SIZE.1.into()), "{frame}");
                // Lines of events stand above.
                assert!(
                    !rows[head + 1..].iter().any(|row| row.contains("registered ")
                        && !row.contains('✔')
                        && !row.contains('●')),
                    "{frame}"
                );
            }
        }
    }
}

#[test]
fn a_screen_without_an_end_is_left_clean() {
    // Refused: an image that is not there.
    let live = told("shop", "web", "99", Way::Live);
    assert_eq!(live.code, 3);
    let screen = live.frames.last().expect("a screen");
    assert!(screen.contains("error: ") && !screen.contains('●'), "{screen}");
}

/// The worlds of `tests/cmd/refusals.md`, and the service that has something in its way.
fn worlds_that_are_refused() -> Vec<(String, &'static str, World)> {
    let folder = std::fs::read_dir("tests/cmd/refusals.in").expect("a folder");
    let worlds = folder.map(|file| {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("a world");
        let service = if text.contains("'solo'") { "api" } else { "web" };
        (path.display().to_string(), service, World::parsed(&text))
    });
    worlds.collect()
}

/// What a command prints about a world: as JSON and in lines, and its exit code.
fn said(world: &World, command: &str, service: &str) -> [(u8, String); 2] {
    [&["--output", "json"][..], &[]].map(|more| {
        let (host, captured) = Host::captured(Sandbox::new(world.cloud().clone()));
        let tag = format!("shop/{service}=2");
        let mut argv = vec!["ecs-bg", command, "--cluster", "shop", "--service", service];
        argv.extend(["--tag", &tag]);
        argv.extend(more);
        let code = ecs_bg::run(argv, &host);
        (code, captured.text())
    })
}

/// A fault without its words. They are ours to change; the facts are for programs.
fn without_words(fault: &Value) -> (Value, [String; 2]) {
    let mut facts = fault.as_object().cloned().unwrap_or_else(|| panic!("{fault}"));
    let words = ["message", "fix"].map(|name| match facts.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => text,
        other => panic!("{name}: {other:?} in {fault}"),
    });
    (Value::Object(facts), words)
}

#[test]
fn a_refusal_is_told_as_facts_and_in_the_same_words_everywhere() {
    let mut names = std::collections::BTreeSet::new();
    for (name, service, world) in worlds_that_are_refused() {
        let [(code, json), (same, lines)] = said(&world, "deploy", service);
        assert_eq!(code, same, "{name}\n{json}\n{lines}");
        // What another service, or only a warning, is about.
        if code != 3 {
            continue;
        }
        let line = json.lines().rfind(|line| line.starts_with('{')).expect("an outcome");
        let outcome: Value = serde_json::from_str(line).expect("JSON");
        let errors = outcome["errors"].as_array().expect("errors");
        let mut facts_of_deploy = Vec::new();
        for error in errors {
            let (facts, [message, fix]) = without_words(error);
            let refusal = facts["refusal"].as_str().unwrap_or_else(|| panic!("{name}: {error}"));
            names.insert(refusal.to_owned());
            // No fact is a sentence: what is left of the words can be replaced.
            let text = facts.to_string();
            assert!(!text.contains(&message) && !text.contains(&fix), "{name}: {error}");
            assert!(lines.contains(&format!("error: {message}\n")), "{message}\n{lines}");
            assert!(lines.contains(&format!("hint: {fix}")), "{fix}\n{lines}");
            facts_of_deploy.push(facts);
        }
        // Doctor finds the same.
        let [(code, json), _] = said(&world, "doctor", service);
        let report: Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{json}"));
        assert_eq!(code, 3, "{name}\n{json}");
        let findings = report["findings"].as_array().expect("findings").iter();
        let refused = findings.filter(|one| one["fact"] == "refused");
        let found: Vec<Value> = refused.map(|one| without_words(one).0).collect();
        assert_eq!(found.len(), facts_of_deploy.len(), "{name}\n{json}");
        for (facts, found) in facts_of_deploy.iter().zip(&found) {
            for (member, value) in facts.as_object().expect("members") {
                assert_eq!(found[member], *value, "{name}: {member}");
            }
        }
    }
    assert!(names.len() >= 15, "{names:?}");
}
