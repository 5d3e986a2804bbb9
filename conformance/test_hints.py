"""Each hint of a transcript that is a command of ours, or one of the aws CLI, is run on the sandbox world that printed
it. It is a command that can be typed, and nothing is worse afterwards: what served still serves."""

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from sandbox import BINARY, ROOT, Sandbox
from test_transcripts import TRANSCRIPTS, commands

QUIET = {
    "PATH": os.environ["PATH"],
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def run(words, folder, variables):
    environment = QUIET | variables
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def value(arguments, option):
    """What stands behind an option, where it was given."""
    given = dict(zip(arguments, arguments[1:]))
    return given.get(option)


def healthy(folder, state, target):
    """How many healthy targets there are, and how many rules give nobody any weight."""
    words = [str(BINARY), "status", *target, "--output", "json", "--sandbox-state", state]
    shown = run(words, folder, {})
    if shown.returncode:
        return None
    status = json.loads(shown.stdout)
    targets = sum(group["targets"].get("healthy", 0) for one in status["services"] for group in one["groups"])
    return targets, sum(not one["percent"] for one in status["serves"])


AWS = ROOT / "target" / "conformance" / "bin" / "aws"


def of_aws(stderr):
    """The commands of the aws CLI in hints, where nothing is to be filled in and the sandbox has the service."""
    for line in stderr.splitlines():
        found = re.search(r"(?:^hint: |: |; )(aws (?!deploy |ecs wait |ecs describe-task-sets ).*)$", line) if line.startswith("hint: ") else None
        if not found or any(other in found[1] for other in ("; ", ", or ", ", last", "…")):
            continue
        words = shlex.split(found[1])
        # Values of AWS are in upper case, too; what must be filled in is a word alone, or the end of one.
        if not any(re.search(r"(^|[:/])(NAME|VPC|REVISION|ARN|TAG|ID)$", word) for word in words):
            yield words


def hints():
    """The commands of all transcripts that have a world of their own and no state of an earlier one."""
    for transcript in TRANSCRIPTS:
        for number, (variables, arguments) in enumerate(commands(transcript)):
            if value(arguments, "--sandbox") and "--sandbox-state" not in arguments and "json" not in arguments:
                yield pytest.param(transcript, variables, arguments, id=f"{transcript.stem}-{number}")


@pytest.mark.parametrize(("transcript", "variables", "arguments"), list(hints()))
def test_a_hint_can_be_typed_and_makes_nothing_worse(transcript, variables, arguments, tmp_path):
    beside = transcript.with_suffix(".in")
    if beside.exists():
        shutil.copytree(beside, tmp_path, dirs_exist_ok=True)
    state = str(tmp_path / "world")
    first = run([str(BINARY), *arguments, "--sandbox-state", state], tmp_path, variables)
    told = [line.removeprefix("hint: ") for line in first.stderr.splitlines() if line.startswith("hint: ecs-bg ")]
    for hint in told:
        words = shlex.split(hint)[1:]
        if words[-1] == "--help" or any(word.isupper() and len(word) > 1 for word in words):
            # What must be filled in first.
            continue
        target = [word for option in ("--cluster", "--service") for word in (option, value(words, option)) if word]
        before = healthy(tmp_path, state, target) if len(target) == 4 else None
        # The world is the one that the first command was given, and the hint says so.
        assert value(words, "--sandbox-state") == state, hint
        done = run([str(BINARY), *words], tmp_path, {})
        assert done.returncode != 2, (hint, done.stderr)
        if before:
            after = healthy(tmp_path, state, target)
            assert after and after[0] >= min(before[0], 1) and after[1] <= before[1], (hint, before, after, done.stdout)


@pytest.mark.parametrize(("transcript", "variables", "arguments"), list(hints()))
def test_a_hint_of_the_aws_cli_can_be_typed(transcript, variables, arguments, tmp_path):
    beside = transcript.with_suffix(".in")
    if beside.exists():
        shutil.copytree(beside, tmp_path, dirs_exist_ok=True)
    first = run([str(BINARY), *arguments], tmp_path, variables)
    told = list(of_aws(first.stderr))
    # What changed the world is no refusal, and its hints are about what became of it.
    if not told or first.returncode != 3:
        return
    scenario = value(arguments, "--sandbox")
    where = tmp_path / scenario
    own = Sandbox(scale=1, scenario=str(where) if where.exists() else scenario)
    try:
        for words in told:
            environment = own.environment(own.exports["AWS_DEFAULT_REGION"])
            done = subprocess.run(
                [AWS, *words[1:]], env=environment, capture_output=True, text=True, timeout=60,
            )
            assert done.returncode == 0, (shlex.join(words), done.stderr)
    finally:
        own.stop()
