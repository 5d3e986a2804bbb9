//! Which rooms use which, read off the sources. A room is the first path component below `src/`, such as
//! `src/plan.rs` or `src/route/`. Imports between rooms form no cycle, and the rooms that decide do no
//! I/O. Both rules hold for what is compiled into the product: comments, strings and tests do not count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::fs;
use std::path::Path;

use scan::{effects, paths, tokens, without_tests};

mod scan;

/// An import between rooms that may break a rule: from, to, and why.
type Allowed = (&'static str, &'static str, &'static str);

const PRODUCT: &[Allowed] = &[];

const SANDBOX: &[Allowed] = &[];

/// The rooms that decide. A room that does not exist (yet, or any more) has nothing to keep.
const PURE: &[&str] = &["route", "plan", "record", "request", "model"];

/// The rooms that a deciding room must not reach, not even through others.
const OUTSIDE: &[&str] = &["aws", "drive", "ops", "render", "cli", "host", "clock"];

#[test]
fn rooms_of_the_product_import_each_other_in_no_circle() {
    none(cycles(&Rooms::read("src"), PRODUCT));
}

#[test]
fn rooms_of_the_sandbox_import_each_other_in_no_circle() {
    none(cycles(&Rooms::read("sandbox/src"), SANDBOX));
}

#[test]
fn decisions_are_pure() {
    none(impure(&Rooms::read("src"), PRODUCT, PURE, OUTSIDE));
}

/// Sentences are `render`'s alone: whatever they say, no decision, exit code or fact depends on them.
#[test]
fn nobody_but_the_edge_knows_a_sentence() {
    let rooms = Rooms::read("src");
    for room in
        ["error", "model", "request", "record", "event", "route", "plan", "aws", "drive", "ops"]
    {
        let way = rooms.way(room, "render", open(PRODUCT));
        assert!(way.is_none(), "{}", rooms.show(&way.unwrap_or_default()));
    }
}

/// The texts in events.
const NAMES: &[&str] = &[
    "account",
    "action",
    "address",
    "alarm",
    "alarms",
    "arn",
    "arns",
    "attribute",
    "base",
    "blue",
    "blue_value",
    "built_for",
    "by",
    "candidate",
    "carrier",
    "cluster",
    "container",
    "containers",
    "controller",
    "cpu",
    "current",
    "deployment",
    "digest",
    "enabled",
    "family",
    "first",
    "from",
    "gate",
    "gates",
    "green",
    "green_value",
    "group",
    "groups",
    "header",
    "image",
    "images",
    "in_cluster",
    "kept",
    "label",
    "launch_type",
    "live",
    "listener",
    "load_balancer",
    "lost",
    "matcher",
    "meant",
    "memory",
    "missing",
    "name",
    "needed",
    "network_mode",
    "newer",
    "of",
    "old",
    "other",
    "other_arn",
    "other_group",
    "other_rule",
    "owner",
    "path",
    "policy",
    "policy_type",
    "port",
    "ports",
    "protocols",
    "region",
    "replaced",
    "repository",
    "resource",
    "revision",
    "revisions",
    "role",
    "rule",
    "rules",
    "runs_as",
    "scaled",
    "serves",
    "service",
    "service_family",
    "services",
    "stages",
    "stranger",
    "strategy",
    "stream",
    "subnet",
    "subnets",
    "tag",
    "target",
    "target_type",
    "task",
    "tasks",
    "to",
    "trusted",
    "twin",
    "twin_ports",
    "used",
    "value",
    "variable",
    "was",
    "zone",
];
/// What AWS or a container said.
const SAID: &[&str] = &[
    "logs",
    "message",
    "obstacle",
    "reason",
    "reasons",
    "service_events",
    "stage",
    "status",
    "why",
];

#[test]
fn texts_in_events_are_names_or_what_others_said() {
    let sources = Rooms::read("src").sources;
    // A misfit is a refusal that `request` tells.
    let is_fact = |path: &str| path.starts_with("event/") || path == "request/misfit.rs";
    let events = sources.iter().filter(|source| is_fact(&source.path));
    let lines = events.flat_map(|source| source.text.lines());
    let is_text = |of: &str| {
        let of = of.trim_end_matches(',').replace("BTreeMap<String, ", "");
        ["Option<", "Vec<", "Box<", "["]
            .iter()
            .fold(of, |of, start| of.replace(start, ""))
            .starts_with("String")
    };
    let found: BTreeSet<&str> = lines
        .filter_map(|line| line.trim().trim_start_matches("pub ").split_once(": "))
        .filter(|(name, of)| {
            is_text(of) && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
        .map(|(name, _)| name)
        .collect();
    let known: BTreeSet<&str> = [NAMES, SAID].concat().into_iter().collect();
    assert_eq!(
        found, known,
        "a text in an event is a name, an id, or what AWS or a container said"
    );
}

/// What may be displayed below `render`: names as they are typed, or as AWS takes them.
const DISPLAYED: &[&str] =
    &["request/engine.rs", "request/image.rs", "request/setup.rs", "request/strategy.rs"];

#[test]
fn facts_do_not_display_themselves() {
    let has_display = |source: &&Source| source.text.contains("Display for ");
    let sources = Rooms::read("src").sources;
    let found: BTreeSet<&str> =
        sources.iter().filter(has_display).map(|source| source.path.as_str()).collect();
    let places = DISPLAYED.iter().copied().collect();
    assert_eq!(found, places, "the words of a fact are in render/words/");
}

/// Where an engine may be named: its tables, its record, its words, its option.
const ENGINE_PLACES: &[&str] = &[
    "cli/deploy.rs",
    "plan/engine.rs",
    "plan/listener.rs",
    "plan/native.rs",
    "plan/rolling.rs",
    "record/mod.rs",
    "record/tags.rs",
    "render/words/engine.rs",
    "request/engine.rs",
    "route/engine.rs",
    "route/listener.rs",
    "route/native.rs",
    "route/rolling.rs",
];

#[test]
fn an_engine_is_named_in_its_own_places_only() {
    let names = |source: &&Source| {
        let code: Vec<_> = without_tests(&tokens(&source.text));
        let code: Vec<&str> = code.iter().map(|token| token.text).collect();
        code.windows(3).any(|three| {
            three[0] == "EngineName"
                && three[2].starts_with(char::is_uppercase)
                && three[2] != "ALL"
        })
    };
    let sources = Rooms::read("src").sources;
    let found: BTreeSet<&str> =
        sources.iter().filter(names).map(|source| source.path.as_str()).collect();
    let places = ENGINE_PLACES.iter().copied().collect();
    assert_eq!(found, places, "a new engine is a row, a file and a few words");
}

#[test]
fn imports_are_allowed_only_while_they_break_a_rule() {
    none(needless(&Rooms::read("src"), PRODUCT, PURE, OUTSIDE));
    none(needless(&Rooms::read("sandbox/src"), SANDBOX, &[], &[]));
}

fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n\n{}\n", problems.join("\n\n"));
}

/// A source file. Its path begins below `src/`.
#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

/// A place where one room names another.
#[derive(Clone, Debug, PartialEq)]
struct Tie {
    file: String,
    line: usize,
    path: String,
}

/// The rooms of one crate.
#[derive(Debug, Default)]
struct Rooms {
    sources: Vec<Source>,
    /// Who names whom, and where.
    ties: BTreeMap<String, BTreeMap<String, Vec<Tie>>>,
    /// Paths from which no room can be told.
    unclear: Vec<String>,
}

impl Rooms {
    fn read(folder: &str) -> Rooms {
        let mut sources = Vec::new();
        collect(Path::new(folder), "", &mut sources);
        assert!(sources.len() > 10, "{folder} is not the folder of a crate's sources");
        Rooms::of(sources)
    }

    fn of(sources: Vec<Source>) -> Rooms {
        let mut rooms = Rooms::default();
        let names: BTreeSet<String> =
            sources.iter().filter_map(|source| module(&source.path).first().cloned()).collect();
        // What the crate's root exports, and the room that it comes from.
        let mut exports = BTreeMap::new();
        for source in sources.iter().filter(|source| module(&source.path).is_empty()) {
            for path in paths(&without_tests(&tokens(&source.text)), &[]) {
                let inner =
                    path.segments.iter().skip_while(|one| *one == "crate" || *one == "self");
                let inner: Vec<&String> = inner.collect();
                if let [room, .., last] = inner[..]
                    && names.contains(room)
                {
                    exports.insert(path.alias.as_ref().unwrap_or(last).clone(), room.clone());
                }
            }
        }
        for source in &sources {
            let own = module(&source.path);
            let Some(room) = own.first() else { continue };
            rooms.ties.entry(room.clone()).or_default();
            for path in paths(&without_tests(&tokens(&source.text)), &own) {
                let Some(name) = path.below_root() else { continue };
                let text = path.segments.join("::");
                let tie = Tie { file: source.path.clone(), line: path.line, path: text };
                match names.get(name).or_else(|| exports.get(name)) {
                    Some(other) if other == room => {}
                    Some(other) => {
                        let ties = rooms.ties.entry(room.clone()).or_default();
                        ties.entry(other.clone()).or_default().push(tie);
                    }
                    None => rooms.unclear.push(format!("{tie}: no room has this name")),
                }
            }
        }
        rooms.sources = sources;
        rooms
    }

    fn uses(&self, from: &str) -> impl Iterator<Item = &String> {
        self.ties.get(from).into_iter().flat_map(BTreeMap::keys)
    }

    /// The shortest way from one room to another over imports that `open` lets through, both included.
    fn way(&self, from: &str, to: &str, open: impl Fn(&str, &str) -> bool) -> Option<Vec<String>> {
        let mut ways = VecDeque::from([vec![from.to_owned()]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            let here = way.last()?;
            for next in self.uses(here).filter(|next| open(here, next)) {
                let longer: Vec<String> = way.iter().chain([next]).cloned().collect();
                if next == to {
                    return Some(longer);
                }
                if seen.insert(next) {
                    ways.push_back(longer);
                }
            }
        }
        None
    }

    /// The imports that make a way, one a line.
    fn show(&self, way: &[String]) -> String {
        let mut text = way.join(" -> ");
        for pair in way.windows(2) {
            let ties = &self.ties[&pair[0]][&pair[1]];
            let more = match ties.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            text.push_str(&format!("\n  {} -> {}: {}{more}", pair[0], pair[1], ties[0]));
        }
        text
    }
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}", self.file, self.line, self.path)
    }
}

/// All sources below a folder, without files and folders of tests.
fn collect(folder: &Path, below: &str, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8").to_owned();
        if path.is_dir() && name != "tests" {
            collect(&path, &format!("{below}{name}/"), sources);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = fs::read_to_string(&path).expect("a source");
            sources.push(Source { path: format!("{below}{name}"), text });
        }
    }
}

/// `ecs/task.rs` is the module `[ecs, task]`; the root of the crate is `[]`.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

/// Whether an import counts: allowed ones do not.
fn open(allowed: &[Allowed]) -> impl Fn(&str, &str) -> bool {
    |from, to| !allowed.iter().any(|one| (one.0, one.1) == (from, to))
}

/// The shortest cycle of imports that are not allowed, and paths that cannot be judged.
fn cycles(rooms: &Rooms, allowed: &[Allowed]) -> Vec<String> {
    let mut problems = rooms.unclear.clone();
    let around = |room: &String| rooms.way(room, room, open(allowed));
    if let Some(cycle) = rooms.ties.keys().filter_map(around).min_by_key(Vec::len) {
        problems.push(format!(
            "rooms import each other in a circle: {}\nMove what both need to a room below them, or pass it as data.",
            rooms.show(&cycle)
        ));
    }
    problems
}

/// What the `pure` rooms do besides computing, and which rooms `outside` them they reach.
fn impure(rooms: &Rooms, allowed: &[Allowed], pure: &[&str], outside: &[&str]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in &rooms.sources {
        if module(&source.path).first().is_some_and(|room| pure.contains(&room.as_str())) {
            let found = effects(&source.text);
            problems.extend(found.into_iter().map(|what| format!("{}:{what}", source.path)));
        }
    }
    for room in pure {
        let ways = outside.iter().filter_map(|other| rooms.way(room, other, open(allowed)));
        problems.extend(ways.map(|way| format!("{room} must be pure: {}", rooms.show(&way))));
    }
    problems
}

/// Allowed imports that would break no rule.
fn needless(rooms: &Rooms, allowed: &[Allowed], pure: &[&str], outside: &[&str]) -> Vec<String> {
    let reaches = |from: &str, to: &str| from == to || rooms.way(from, to, open(allowed)).is_some();
    let breaks_rule = |from: &str, to: &str| {
        let from_pure = || pure.iter().any(|room| reaches(room, from));
        let to_outside = || outside.iter().any(|room| reaches(to, room));
        reaches(to, from) || (from_pure() && to_outside())
    };
    let is_needed =
        |one: &&Allowed| rooms.uses(one.0).any(|to| to == one.1) && breaks_rule(one.0, one.1);
    let found = allowed.iter().filter(|one| !is_needed(one));
    found
        .map(|(from, to, reason)| {
            format!("{from} -> {to} ({reason}) breaks no rule: remove it from the list")
        })
        .collect()
}

/// A crate of a few literal sources.
fn sample(sources: &[(&str, &str)]) -> Rooms {
    let source =
        |(path, text): &(&str, &str)| Source { path: path.to_string(), text: text.to_string() };
    Rooms::of(sources.iter().map(source).collect())
}

/// The imports between the rooms of a sample, as `from -> to`.
fn imports(sources: &[(&str, &str)]) -> Vec<String> {
    let rooms = sample(sources);
    assert_eq!(rooms.unclear, [""; 0]);
    let all = rooms.ties.iter().flat_map(|(from, to)| to.keys().map(move |to| (from, to)));
    all.map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn a_cycle_is_found_and_shown() {
    let rooms = sample(&[
        ("a.rs", "use crate::b::X;"),
        ("b/mod.rs", "mod deep;"),
        ("b/deep.rs", "\nfn f() { crate::c::g() }\nfn h() { crate::c::g() }"),
        ("c.rs", "impl crate::a::Y {}"),
        ("d.rs", "use crate::a::Z;"),
    ]);
    let found = cycles(&rooms, &[]);
    let expected = "rooms import each other in a circle: a -> b -> c -> a\n  \
                    a -> b: a.rs:1 crate::b::X\n  \
                    b -> c: b/deep.rs:2 crate::c::g (and 1 more)\n  \
                    c -> a: c.rs:1 crate::a::Y\n";
    assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    assert_eq!(cycles(&rooms, &[("c", "a", "for now")]), [""; 0]);
}

#[test]
fn an_import_that_is_allowed_without_need_is_found() {
    let rooms = sample(&[("a.rs", "use crate::b::X;"), ("b.rs", "use crate::c;"), ("c.rs", "")]);
    assert_eq!(cycles(&rooms, &[]), [""; 0]);
    for allowed in [("a", "b", "one way"), ("b", "a", "not there")] {
        let found = needless(&rooms, &[allowed], &[], &[]);
        assert!(found.len() == 1 && found[0].contains("remove it from the list"), "{found:?}");
    }
    assert_eq!(needless(&rooms, &[("b", "c", "for now")], &["a"], &["c"]), [""; 0]);
    assert_eq!(needless(&rooms, &[("b", "c", "for now")], &["c"], &["a"]).len(), 1);
}

#[test]
fn every_name_of_a_brace_group_counts() {
    let rooms = ["b", "c", "d"].map(|room| (format!("{room}.rs"), String::new()));
    let mut sources = vec![("a.rs", "use crate::{b::{self, X, y::{Z, W}}, c, d::*};")];
    sources.extend(rooms.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    assert_eq!(imports(&sources), ["a -> b", "a -> c", "a -> d"]);
}

#[test]
fn super_counts_where_it_leaves_the_room() {
    let sources = [
        ("a/mod.rs", "use super::b::X; use self::deep::Y;"),
        (
            "a/deep.rs",
            "use super::own; mod inside { use super::super::own; use super::super::super::c; }",
        ),
        ("b.rs", "mod inside { use super::super::c::Z; use super::W; }"),
        ("c.rs", ""),
    ];
    assert_eq!(imports(&sources), ["a -> b", "a -> c", "b -> c"]);
}

#[test]
fn what_the_root_exports_belongs_to_its_room() {
    let sources = [
        (
            "lib.rs",
            "mod a; mod b; mod c; pub use b::{Thing, deep::Other as Named}; pub use self::c::C;",
        ),
        ("a.rs", "use crate::{Thing, Named}; fn f(_: crate::C) {}"),
        ("b.rs", ""),
        ("c.rs", ""),
    ];
    assert_eq!(imports(&sources), ["a -> b", "a -> c"]);
    let unclear =
        sample(&[("lib.rs", "fn f() {}"), ("a.rs", "use crate::f; use crate::*;")]).unclear;
    assert_eq!(
        unclear,
        ["a.rs:1 crate::f: no room has this name", "a.rs:1 crate::*: no room has this name"]
    );
}

#[test]
fn comments_literals_and_tests_do_not_count() {
    let text = r##"
        // crate::b
        /* crate::b /* crate::b */ crate::b */
        const A: &str = "crate::b \" crate::b";
        const R: &str = r#"crate::b " crate::b"#;
        const C: [char; 3] = ['"', '\'', '{'];
        fn f<'a>(x: &'a str) -> &'a str { x }
        #[cfg(test)]
        use crate::b;
        #[cfg(test)]
        #[expect(dead_code)]
        fn g(a: [u8; 2], b: crate::b::B) -> crate::b::B { b }
        struct S { #[cfg(test)] b: crate::b::B, c: crate::c::C }
        #[cfg(all(test, unix))]
        mod tests { use crate::b; mod deep { use crate::b; } }
        #[cfg(not(test))]
        use crate::d::D;
    "##;
    let sources =
        [("a.rs", text), ("b.rs", "#![cfg(test)] use crate::a;"), ("c.rs", ""), ("d.rs", "")];
    assert_eq!(imports(&sources), ["a -> c", "a -> d"]);
}

#[test]
fn what_a_deciding_room_reaches_through_others_counts() {
    let rooms = sample(&[
        ("plan.rs", "use crate::model;"),
        ("model.rs", "use crate::aws::X;"),
        ("aws.rs", "use tokio;"),
    ]);
    let found = impure(&rooms, &[], &["plan", "route"], &["aws", "cli"]);
    assert_eq!(
        found,
        [
            "plan must be pure: plan -> model -> aws\n  plan -> model: plan.rs:1 crate::model\n  model -> aws: model.rs:1 crate::aws::X"
        ]
    );
    assert_eq!(impure(&rooms, &[("model", "aws", "for now")], &["plan"], &["aws"]), [""; 0]);
    assert_eq!(impure(&rooms, &[], &["aws"], &[]), ["aws.rs:1: tokio"]);
}
