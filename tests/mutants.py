#!/usr/bin/env python3
"""Asks the tests about every mutant that `cargo mutants` lists, with one build for all of them.

Each function is given all of its mutated bodies beside its own; ECS_BG_MUTANT chooses one when a test
runs. That is a second for each mutant instead of a build for each. See docs/mutants.md.

    python3 tests/mutants.py [PART OF A NAME ...]

Works on the last commit, in target/mutants/. Prints what no test notices.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

TREE = pathlib.Path("target/mutants/tree").absolute()
# Left out: tests that assert something about the source text, or about time outside of a decision.
NEVER = "^tidy|^rooms|each_line_is_told_once|completion_is_told"
TESTS = ["--lib", "--test", "it", "--test", "sweeps"]
BUILT = ["--binaries-metadata", "target/binaries.json", "--cargo-metadata", "target/packages.json"]
CHOICE = """
pub(crate) fn mutant() -> u32 {
    static MUTANT: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let chosen = || std::env::var("ECS_BG_MUTANT").ok().and_then(|mutant| mutant.parse().ok());
    *MUTANT.get_or_init(|| chosen().unwrap_or(u32::MAX))
}
"""


def cargo(*arguments, **more):
    arguments = ["cargo", "--config", "profile.dev.debug=0", *arguments]
    return subprocess.run(arguments, cwd=TREE, capture_output=True, text=True, **more)


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
        for (first, last, name), these in sorted(own.items()):
            start, end = at(text, {"line": first, "column": 1}), at(text, {"line": last + 1, "column": 1})
            function = text[start:end]
            begin, close = body(function, name)
            written += text[done:start] + function[:begin] + " match crate::mutant() {\n"
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
    """The tests as they are built now, and what nextest needs to run them without asking cargo again."""
    listed = cargo("nextest", "list", "--locked", *TESTS, "--list-type", "binaries-only", "--message-format", "json")
    if listed.returncode:
        sys.exit(listed.stderr)
    (TREE / "target/binaries.json").write_text(listed.stdout)
    (TREE / "target/packages.json").write_text(cargo("metadata", "--locked", "--format-version", "1").stdout)


def noticed(path, environment, threads=()):
    """The tests that fail."""
    engine = "src/route/rolling.rs" == path
    skipped = NEVER + ("|kept_moment|^rivals|^before|^drift|^deployments" if engine else "")
    if engine or not path.startswith("src/route"):
        skipped += "|no_disturbance"
    if path != "src/route/scaling.rs":
        skipped += "|scaling_ends_as_it_was_found"
    # Of the sweeps, the profile asks those of the engine `rolling`.
    which = f"not test(/{skipped}/)" + ("" if engine else " and not binary(sweeps)")
    run = cargo("nextest", "run", *BUILT, "--profile", "mutants", *threads, "-E", which, env={**os.environ, **environment})
    if run.returncode not in (0, 100):
        sys.exit(run.stderr)
    failed = re.findall(r"^ +(?:FAIL|TIMEOUT|SIGABRT) .*?\) (.*)$", run.stderr, re.MULTILINE)
    return sorted(set(failed)) if run.returncode else []


def main(parts):
    if not TREE.exists():
        git("worktree", "add", "--detach", str(TREE), cwd=".")
    git("checkout", "--quiet", "--force", "--detach", git("rev-parse", "HEAD", cwd=".").strip())
    listed = list(enumerate(json.loads(cargo("mutants", "--list", "--json").stdout)))
    wanted = [(n, m) for n, m in listed if not parts or any(part in m["name"] for part in parts)]
    mutants = collections.defaultdict(lambda: collections.defaultdict(list))
    apart = [mutant for mutant in wanted if not mutant[1]["function"]]
    for number, mutant in wanted:
        if mutant["function"]:
            span, name = mutant["function"]["span"], mutant["function"]["function_name"]
            place = (span["start"]["line"], span["end"]["line"], name)
            mutants[mutant["file"]][place].append((number, mutant))
    dropped = set()
    while failing := those_that_fail_to_compile(write(mutants, dropped)):
        dropped |= failing
    print(f"{len(wanted)} mutants, {len(dropped)} of them do not compile", flush=True)
    build()
    if failed := noticed("src/route/view.rs", {}) or noticed("src/route/rolling.rs", {}):
        sys.exit("these tests fail without any change: " + ", ".join(failed))
    missed = 0

    def ask(number, mutant, threads=()):
        nonlocal missed
        if not noticed(mutant["file"], {"ECS_BG_MUTANT": str(number)}, threads):
            missed += 1
            print("MISSED", mutant["name"], flush=True)

    # One mutant for each core: most of them fail in the first tests, which have no work for two.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # The file that only whole deployments test comes last.
        wanted.sort(key=lambda one: one[1]["file"] == "src/plan/mod.rs")
        asked = [pool.submit(ask, number, mutant, ["--test-threads", "1"])
                 for number, mutant in wanted if mutant["function"] and number not in dropped]
        for done, one in enumerate(concurrent.futures.as_completed(asked), 1):
            one.result()
            if done % 100 == 0:
                print(f"{done} of {len(asked)} asked", flush=True)
    git("checkout", "--quiet", ".")
    for number, mutant in apart:
        # Not in a function: a build of its own.
        text, span = git("show", f"HEAD:{mutant['file']}"), mutant["span"]
        changed = text[: at(text, span["start"])] + mutant["replacement"] + text[at(text, span["end"]) :]
        (TREE / mutant["file"]).write_text(changed)
        build()
        ask(number, mutant)
        git("checkout", "--quiet", ".")
    print(f"{missed} missed")


if __name__ == "__main__":
    main(sys.argv[1:])
