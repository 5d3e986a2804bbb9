"""What our own client is answered in its transcripts, in the process and in virtual time: each command of
them is run again, and all that goes over the wire is checked as the answers over HTTP are."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
from collections import Counter

import pytest

import shapes
from sandbox import BINARY, ROOT

TRANSCRIPTS = [*sorted((ROOT / "tests" / "cmd").glob("*.md")), ROOT / "README.md"]

# A service with an external controller and no primary task set has none.
OF_TASK_SETS = "services[].taskDefinition is missing (at taskDefinition)"
# botocore's enum of lifecycle stages lacks one that AWS documents for hooks, and sends.
STAGE = ": PRE_PRODUCTION_TRAFFIC_SHIFT is none of "


def commands(transcript):
    """The variables that a command sets, and its arguments."""
    for line in transcript.read_text().splitlines():
        if line.startswith("$ "):
            before, own, after = line[2:].partition("ecs-bg ")
            assert own, f"{transcript.name}: {line}"
            yield dict(word.split("=", 1) for word in shlex.split(before)), shlex.split(after)


def run(transcript, folder):
    """Runs a transcript where it would be run, and tells what went over the wire."""
    beside = transcript.with_suffix(".in")
    if beside.exists():
        shutil.copytree(beside, folder, dirs_exist_ok=True)
    wire = folder / "wire"
    environment = {
        "PATH": os.environ["PATH"],
        "ECS_BG_SANDBOX_WIRE": str(wire),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for variables, arguments in commands(transcript):
        words, all_ = [str(BINARY), *arguments], environment | variables
        subprocess.run(words, cwd=folder, env=all_, capture_output=True, timeout=120)
    return [json.loads(line) for line in wire.read_text().splitlines()] if wire.exists() else []


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory):
    return [
        one
        for transcript in TRANSCRIPTS
        for one in run(transcript, tmp_path_factory.mktemp(transcript.stem))
    ]


def called(one):
    return shapes.called(one["asked"], one["request"].encode())


def test_each_answer_in_the_process_is_one_that_botocore_allows(exchanges):
    problems = set()
    for one in exchanges:
        call = called(one)
        assert call is not None, one
        for problem in shapes.check(*call, one["status"], one["got"], one["answer"]):
            is_of_task_sets = problem.endswith(OF_TASK_SETS) and '"EXTERNAL"' in one["answer"]
            if not (is_of_task_sets or STAGE in problem):
                problems.add(problem)
    assert not problems, "\n".join(sorted(problems))


def test_all_of_the_client_was_heard(exchanges):
    """So that the test above does not pass because nothing was written down."""
    heard = Counter(called(one)[1] for one in exchanges)
    assert {
        "DescribeServices", "DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService",
        "DescribeTasks", "ListTasks", "DescribeTargetGroups", "DescribeTargetHealth", "DescribeRules",
        "DescribeListeners", "ModifyRule", "DescribeImages", "DescribeScalableTargets", "TagResource",
    } <= set(heard), heard
    assert any(one["status"] == 400 for one in exchanges), "a refusal"
