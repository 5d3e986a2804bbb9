#!/usr/bin/env python3
"""Asks the tests about every mutant that `cargo mutants` lists, with one build for all of them.

Each function is given all of its mutated bodies beside its own; ECS_BG_MUTANT chooses one when a test
runs. A mutant is asked only of the tests that come to its function. See docs/mutants.md.

    python3 tests/mutants.py [PART OF A NAME ...]

Works on the last commit, in target/mutants/. Prints what no test notices.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path("target/mutants/tree").absolute()
BUILD = pathlib.Path("target/mutants/build").absolute()
# Left out: tests that assert something about the source text, that open sockets, or that assert something about
# time outside of a decision.
NEVER = re.compile("^(tidy|rooms|cases|credentials|endpoints|listening)::|each_line_is_told_once|completion_is_told")
# Of the sweeps, those that are fast.
SWEEPS = re.compile("^cases::rolling::")
# Seconds of tests that a mutant is asked of, the fastest first; and how often one of them may take as long as without.
BUDGET, PATIENCE = 120, 4
CHOICE = """
pub(crate) fn mutant(function: usize) -> u32 {
    static MUTANT: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    static REACHED: std::sync::Mutex<std::collections::BTreeSet<usize>> =
        std::sync::Mutex::new(std::collections::BTreeSet::new());
    if let Some(folder) = std::env::var_os("ECS_BG_REACHED") {
        if REACHED.lock().expect("no panic in here").insert(function) {
            std::fs::write(std::path::Path::new(&folder).join(function.to_string()), "").expect("a folder");
        }
    }
    let chosen = || std::env::var("ECS_BG_MUTANT").ok().and_then(|mutant| mutant.parse().ok());
    *MUTANT.get_or_init(|| chosen().unwrap_or(u32::MAX))
}
"""


def cargo(*arguments):
    arguments = ["cargo", "--config", "profile.dev.debug=0", *arguments]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD)}
    return subprocess.run(arguments, cwd=TREE, capture_output=True, text=True, env=environment)


def git(*arguments, cwd=TREE):
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def at(text, place):
    """The offset of a line and column."""
    lines = text.splitlines(keepends=True)
    return sum(map(len, lines[: place["line"] - 1])) + place["column"] - 1


def body(function, name):
    """Where the body of a function begins and ends: behind its parameters, which may hold a pattern with braces."""
    place = re.search(r"\bfn\s+" + re.escape(name.split("::")[-1]) + r"\b", function).end()
    place, depth = function.index("(", place), 0
    while True:
        depth += {"(": 1, ")": -1}.get(function[place], 0)
        place += 1
        if depth == 0:
            return function.index("{", place) + 1, function.rindex("}")


def write(mutants, dropped):
    """All mutants into the tree; which lines of which file are whose."""
    owners = collections.defaultdict(list)
    for path, own in mutants.items():
        text, written, done = git("show", f"HEAD:{path}"), "", 0
        for (first, last, name), (reached, these) in sorted(own.items()):
            start, end = at(text, {"line": first, "column": 1}), at(text, {"line": last + 1, "column": 1})
            function = text[start:end]
            begin, close = body(function, name)
            written += text[done:start] + function[:begin] + f" match crate::mutant({reached}) {{\n"
            for number, mutant in these:
                if number in dropped:
                    continue
                span = mutant["span"]
                one, two = at(text, span["start"]) - start, at(text, span["end"]) - start
                changed = function[:one] + mutant["replacement"] + function[two:]
                line = written.count("\n") + 1
                inner = changed[slice(*body(changed, name))]
                written += f"{number} => {{{inner}\n}}\n"
                owners[path].append((line, written.count("\n"), number))
            written += "_ => {" + function[begin:close] + "}\n} " + function[close:]
            done = end
        (TREE / path).write_text(written + text[done:])
    (TREE / "src/lib.rs").write_text(git("show", "HEAD:src/lib.rs") + CHOICE)
    return owners


def those_that_fail_to_compile(owners):
    checked = cargo("check", "--locked", "--lib", "--message-format=json")
    failing = set()
    for line in checked.stdout.splitlines():
        message = json.loads(line).get("message")
        if not isinstance(message, dict) or message["level"] != "error":
            continue
        spans = sorted(message["spans"], key=lambda span: not span["is_primary"])
        # Where arms differ in their type, the first one decides, and the error is that of the last one.
        for span in spans:
            found = owners.get(span["file_name"], [])
            of = {number for first, last, number in found if first <= span["line_start"] <= last}
            if of:
                failing |= of
                break
    if checked.returncode and not failing:
        sys.exit(checked.stderr)
    return failing


def build():
    """The tests: the program and the name of each."""
    built = cargo("test", "--no-run", "--locked", "--lib", "--test", "it", "--test", "sweeps", "--message-format=json")
    if built.returncode:
        sys.exit(built.stderr)
    tests = []
    for message in map(json.loads, built.stdout.splitlines()):
        if not message.get("executable") or not message["profile"]["test"]:
            continue
        listed = subprocess.run([message["executable"], "--list", "--format", "terse"], capture_output=True, text=True)
        names = [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]
        wanted = SWEEPS if message["target"]["name"] == "sweeps" else re.compile("")
        tests += [(message["executable"], name) for name in names if wanted.search(name) and not NEVER.search(name)]
    return tests


def passes(test, limit, **environment):
    """Whether a test passes within some seconds of work. Work, not time: a machine may be busy, or stopped."""
    program, name = test
    allowed = lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
    run = subprocess.Popen(
        [program, name, "--exact", "--test-threads", "1"],
        cwd=TREE,
        env={**os.environ, "CARGO_MANIFEST_DIR": str(TREE), "RUST_BACKTRACE": "0", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=allowed,
    )
    for _ in range(20):
        try:
            return run.wait(30) == 0
        except subprocess.TimeoutExpired:
            pass
    run.kill()
    run.wait()
    return False


def reached(test):
    """The seconds that a test takes, and the functions that it comes to. None where it fails without any change."""
    with tempfile.TemporaryDirectory() as folder:
        before = time.monotonic()
        good = passes(test, 600, ECS_BG_REACHED=folder)
        return (time.monotonic() - before, {int(name) for name in os.listdir(folder)}) if good else None


def main(parts):
    if not TREE.exists():
        git("worktree", "add", "--detach", str(TREE), cwd=".")
    git("checkout", "--quiet", "--force", "--detach", git("rev-parse", "HEAD", cwd=".").strip())
    listed = list(enumerate(json.loads(cargo("mutants", "--list", "--json").stdout)))
    wanted = [(n, m) for n, m in listed if not parts or any(part in m["name"] for part in parts)]
    mutants, functions = collections.defaultdict(dict), {}
    apart = [mutant for mutant in wanted if not mutant[1]["function"]]
    for number, mutant in wanted:
        if mutant["function"]:
            span, name = mutant["function"]["span"], mutant["function"]["function_name"]
            place = (span["start"]["line"], span["end"]["line"], name)
            function = functions.setdefault((mutant["file"], place), len(functions))
            mutants[mutant["file"]].setdefault(place, (function, []))[1].append((number, mutant))
    dropped = set()
    while failing := those_that_fail_to_compile(write(mutants, dropped)):
        dropped |= failing
    print(f"{len(wanted)} mutants, {len(dropped)} of them do not compile", flush=True)
    tests = build()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        known = dict(zip(tests, pool.map(reached, tests)))
    if failing := [name for (_, name), found in known.items() if found is None]:
        print("left out, they fail without any change:", ", ".join(failing), flush=True)
    known = {test: found for test, found in known.items() if found}
    print(f"{len(known)} tests, {sum(seconds for seconds, _ in known.values()):.0f} s", flush=True)
    missed = 0
    noticed = collections.defaultdict(collections.Counter)

    def ask(number, mutant, function):
        """Of the tests that come to its function: first those that noticed another mutant of it, then the fastest."""
        nonlocal missed
        own = [test for test, (_, found) in known.items() if function is None or function in found]
        own.sort(key=lambda test: (-noticed[function][test], known[test][0]))
        spent = 0
        for at, test in enumerate(own):
            seconds = known[test][0]
            if at and (spent := spent + seconds) > BUDGET:
                break
            if not passes(test, 10 + PATIENCE * seconds, ECS_BG_MUTANT=str(number)):
                noticed[function][test] += 1
                return
        missed += 1
        print("MISSED", mutant["name"], f"({len(own)} tests come to it)", flush=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        asked = [
            pool.submit(ask, number, mutant, function)
            # The file that only whole deployments test comes last.
            for _, own in sorted(mutants.items(), key=lambda one: one[0] == "src/plan/mod.rs")
            for function, these in own.values()
            for number, mutant in these
            if number not in dropped
        ]
        for done, one in enumerate(concurrent.futures.as_completed(asked), 1):
            one.result()
            if done % 100 == 0:
                print(f"{done} of {len(asked)} asked", flush=True)
    git("checkout", "--quiet", ".")
    for number, mutant in apart:
        # Not in a function: a build of its own, whose programs may have other names.
        text, span = git("show", f"HEAD:{mutant['file']}"), mutant["span"]
        changed = text[: at(text, span["start"])] + mutant["replacement"] + text[at(text, span["end"]) :]
        (TREE / mutant["file"]).write_text(changed)
        seconds = {name: took for (_, name), (took, _) in known.items()}
        known = {test: (seconds[test[1]], set()) for test in build() if test[1] in seconds}
        ask(number, mutant, None)
        git("checkout", "--quiet", ".")
    print(f"{missed} missed")


if __name__ == "__main__":
    main(sys.argv[1:])
