//! Text from outside cannot forge our output, whatever is in it and wherever it comes out.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ecs_bg::Host;
use ecs_bg::error::{Failure, FailureKind, Usage};
use ecs_bg::event::refusal::{LocalRefused, TrafficRefused};
use ecs_bg::event::{
    Cause, Change, Edited, EditedMember, Ended, Ending, Error, Event, Failed, Hint, IgnoredRecord,
    Kind, Location, Objection, Refusal, Unchecked, WaitReason, Warning, Weight,
};
use ecs_bg::model::health::TaskFailure;
use ecs_bg::model::served::Served;
use ecs_bg::render::{Output, Render, Words};
use ecs_bg::request::EngineName;

use crate::support::lives::World;

const NASTY: [&str; 26] = [
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\0",
    "\u{1b}[31m",
    "\u{8}",
    "\u{7f}",
    "\u{9b}",
    "\u{85}",
    "\u{202e}",
    "\u{2066}",
    "\u{2028}",
    "\u{200f}",
    "::",
    ":",
    "##[",
    "##vso[",
    "##VSO[",
    "#",
    "[",
    "::error::x",
    " ",
    "a",
    "\"",
    "日",
];

fn nasty() -> String {
    (0..fastrand::usize(1..12)).map(|_| *fastrand::choice(&NASTY).expect("one")).collect()
}

/// An event of each kind, full of it.
fn events() -> Vec<Kind> {
    let list = || vec![nasty(), nasty()];
    vec![
        Kind::Location(Location {
            service: nasty(),
            cluster: nasty(),
            account: Some(nasty()),
            region: Some(nasty()),
        }),
        Kind::Begun {
            deployment: nasty(),
            arn: nasty(),
            from: nasty(),
            engine: EngineName::Listener,
            blue: nasty(),
            green: nasty(),
            adopted: true,
        },
        Kind::Registered {
            revision: nasty(),
            arn: nasty(),
            base: nasty(),
            current: nasty(),
            images: BTreeMap::from([(nasty(), nasty())]),
            replaced: BTreeMap::from([(nasty(), nasty())]),
            edits: vec![Edited {
                container: Some(nasty()),
                what: EditedMember::Env { name: nasty(), value: Some(nasty()) },
            }],
        },
        Kind::Changed {
            step: "shift",
            change: Change::Weights {
                rule: nasty(),
                weights: vec![Weight { group: nasty(), weight: 7 }],
            },
        },
        Kind::Waiting { step: "settle", why: WaitReason::tasks(1, 2, 0, Some(nasty())) },
        Kind::Runs { revision: nasty(), tasks: 2 },
        Kind::TaskFailed { old: Some(nasty()), failure: failure() },
        Kind::RollingBack { to: nasty(), reason_code: "tasks", cause: cause() },
        Kind::Pruned { revisions: list() },
        Kind::Logged {
            task: Some(nasty()),
            container: nasty(),
            time: SystemTime::UNIX_EPOCH,
            message: nasty(),
        },
        Kind::Warning(Warning::LoadBalancersUnread { reason: nasty() }),
        Kind::Warning(Warning::ServicesDiffer {
            blue: nasty(),
            green: nasty(),
            setting: "propagateTags",
            blue_value: nasty().into(),
            green_value: list().into(),
        }),
        Kind::Warning(Warning::ImageUnchecked {
            image: nasty(),
            container: nasty(),
            why: Unchecked::OtherAccount { account: nasty() },
        }),
        Kind::Warning(Warning::RecordIgnored(IgnoredRecord {
            carrier: nasty(),
            why: Objection::BeforeOfOtherFamily { revision: nasty(), service: nasty() },
        })),
        Kind::Outcome(Box::new(Ended {
            ending: Ending::RolledBack {
                no_tasks: false,
                unread: false,
                revision: nasty(),
                old: nasty(),
                service: nasty(),
                stopping: 0,
                not_deployed: false,
                as_before: None,
            },
            exit_code: 4,
            deployment: Some(nasty()),
            why: Some(cause()),
            failures: vec![Failed { old: Some(nasty()), failure: failure() }],
            logs: list(),
            service_events: list(),
            serves: vec![Served { rule: nasty(), percent: BTreeMap::from([(nasty(), 10.0)]) }],
            hint: Some(Hint::new("status", &nasty(), &nasty())),
            ..Ended::default()
        })),
    ]
}

fn failure() -> TaskFailure {
    TaskFailure {
        task: nasty(),
        container: Some(nasty()),
        reason: Some(nasty()),
        dependent: Some(nasty()),
        ..TaskFailure::default()
    }
}

fn cause() -> Cause {
    let task = Some(failure());
    Cause::EcsFailed {
        service: nasty(),
        reason: Some(nasty()),
        meaning: None,
        alarms: vec![nasty()],
        task,
    }
}

/// Members that are written into one object have names of their own.
#[test]
fn no_event_has_a_member_twice() {
    fastrand::seed(7);
    for kind in events() {
        let text = serde_json::to_string(&kind).expect("JSON");
        let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(read.to_string().len(), text.len(), "{text}");
    }
}

fn is_harmless(text: &str) -> Result<(), String> {
    let wrong = |char: char| {
        char != '\n'
            && (char.is_control()
                || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200f}'))
    };
    if let Some(char) = text.chars().find(|char| wrong(*char)) {
        return Err(format!("{char:?}"));
    }
    for line in text.lines() {
        let lower = line.to_lowercase();
        if line.trim_start().starts_with("::")
            || ["##[", "##vso["].iter().any(|mark| lower.contains(mark))
        {
            return Err(line.to_owned());
        }
    }
    Ok(())
}

/// What we tell the runner of GitHub Actions.
const COMMANDS: [&str; 4] = ["::group::", "::endgroup::", "::notice title=", "::error title="];

/// What is printed by each renderer, without what is for a runner.
fn printed(print: impl Fn(&Render<'_>)) -> Vec<String> {
    let mut texts = Vec::new();
    for way in 0..4 {
        let (mut host, captured) =
            Host::captured(ecs_bg::Sandbox::new(World::new("empty").cloud().clone()));
        host.github = (way == 3).then(ecs_bg::Github::default);
        let render = match way {
            0 => Render::new(&host, Output::Lines),
            1 => Render::new(&host, Output::Json),
            3 => Render::new(&host, Output::Lines).reporting(),
            _ => Render::like_ecs_deploy(&host, Words { rollback: true, ..Words::default() }),
        };
        print(&render);
        let text = captured.text();
        let ours = |line: &&str| COMMANDS.iter().any(|command| line.starts_with(command));
        let commands = text.lines().filter(ours);
        // GitHub's runner takes a line whose value ends it for nothing else.
        commands
            .for_each(|line| assert!(!line[2..].trim_end_matches(':').ends_with("::"), "{line}"));
        let others: String =
            text.split_inclusive('\n').filter(|line| !ours(&line.trim_end_matches('\n'))).collect();
        texts.push(others);
    }
    texts
}

#[test]
fn no_event_forges_a_line() {
    fastrand::seed(7);
    for _ in 0..2000 / events().len() {
        for kind in events() {
            let event = Event { at: SystemTime::UNIX_EPOCH + Duration::from_secs(7), kind };
            for (way, text) in printed(|render| render.event(&event)).iter().enumerate() {
                let lines = text.lines().count();
                is_harmless(text).unwrap_or_else(|why| panic!("{why}\n{event:?}\n{text:?}"));
                let most = match (&event.kind, way) {
                    (_, 1) => 1,
                    (Kind::Outcome(_), _) => 12,
                    // Each line of a log has a beginning of ours.
                    (Kind::Logged { .. }, _) => lines,
                    // The lines of silintl's tool beside ours.
                    (_, 2) => 4,
                    _ => 1,
                };
                assert!(lines <= most, "{lines} lines\n{event:?}\n{text:?}");
            }
        }
    }
}

#[test]
fn each_line_of_a_log_keeps_its_beginning() {
    let kind = Kind::Logged {
        task: None,
        container: "web".into(),
        time: SystemTime::UNIX_EPOCH,
        message: "one\n::error::two\r\n##[command]\u{1b}[2Jthree\n".into(),
    };
    let text =
        printed(|render| render.event(&Event { at: SystemTime::UNIX_EPOCH, kind: kind.clone() }));
    let lines: Vec<&str> = text[0].lines().collect();
    let expected = [
        "  0:00  log       web: one",
        "  0:00  log       web: ::error::two",
        "  0:00  log       web: # #[command]\\u{1b}[2Jthree",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn no_error_warning_or_document_forges_a_line() {
    fastrand::seed(8);
    for _ in 0..500 {
        let call = ecs_bg::call::Call::DescribeServices.on(nasty());
        let failed = Failure::of(&call, FailureKind::Refused, &nasty(), nasty());
        let local = LocalRefused::Address { address: nasty(), reason: nasty() };
        let traffic = TrafficRefused::ThirdGroup { rule: nasty(), arn: nasty(), group: nasty() };
        let errors = [
            Error::Aws(failed),
            Error::Refused(Refusal::new(local)),
            Error::Refused(Refusal::new(traffic)),
        ];
        for error in errors {
            for text in printed(|render| render.error(&error)) {
                is_harmless(&text).unwrap_or_else(|why| panic!("{why}\n{text:?}"));
                assert!(text.lines().count() <= 3, "{text:?}");
            }
        }
        let usage = Error::Usage(Usage::new(nasty(), nasty()));
        let value = serde_json::json!({ nasty(): [nasty(), { "x": nasty() }] });
        let all = printed(|render| {
            render.error(&usage);
            render.warn(&nasty());
            render.note(&nasty());
            render.say(&nasty());
            render.aside(&nasty());
            render.done(&nasty(), &value);
        });
        for text in all {
            is_harmless(&text).unwrap_or_else(|why| panic!("{why}\n{text:?}"));
        }
    }
}

#[test]
fn texts_of_json_are_harmless_when_they_are_read() {
    let reason = "a\u{1b}[2J\n::error::b\u{202e}##[c".to_owned();
    let event =
        Event { at: SystemTime::UNIX_EPOCH, kind: Kind::Warning(Warning::RulesUnread { reason }) };
    let text = &printed(|render| render.event(&event))[1];
    let read: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(read["reason"], r"a\u{1b}[2J\n::error::b\u{202e}# #[c");
}
