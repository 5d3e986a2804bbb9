"""fabfuel's `ecs deploy`, unmodified."""

import re
import subprocess

import pytest

from sandbox import ROOT
from world import World

ECS = ROOT / "target" / "conformance" / "bin" / "ecs"


def ecs_deploy(sandbox, region, *words):
    command = [ECS, "deploy", "shop", "web", *words]
    environment = sandbox.environment(region)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)


def test_a_good_image(sandbox, aws):
    world = World(aws, image="registry.example.com/fab/web:1")
    world.stable()
    done = ecs_deploy(sandbox, aws.region, "--tag", "2", "--timeout", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployment successful" in done.stdout
    world.stable()
    shown = world.show()
    assert shown["taskDefinition"].endswith(":task-definition/web:2")
    assert (shown["runningCount"], len(shown["deployments"])) == (2, 1)
    definition = aws.ecs.describe_task_definition(taskDefinition="web:2")["taskDefinition"]
    assert definition["containerDefinitions"][0]["image"] == "registry.example.com/fab/web:2"
    # It takes the old revision away.
    old = aws.ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]
    assert old["status"] == "INACTIVE"


def test_a_bad_image(sandbox, aws):
    world = World(aws, image="registry.example.com/fab/web:1")
    world.stable()
    sandbox.image("fab/web:bad", "exit", code=1)
    done = ecs_deploy(sandbox, aws.region, "--tag", "bad", "--timeout", "4", "--rollback")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Deployment failed" in done.stdout + done.stderr
    world.stable()
    shown = world.show()
    assert shown["taskDefinition"].endswith(":task-definition/web:1")
    assert shown["runningCount"] == 2


@pytest.mark.parametrize("command", ["deploy", "update", "run", "scale", "cron", "diff"])
def test_each_of_its_flags_is_in_our_table(command):
    shown = subprocess.run([ECS, command, "--help"], capture_output=True, text=True, timeout=90)
    options = [line for line in shown.stdout.splitlines() if line.startswith("  -")]
    flags = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", "\n".join(re.split(r"  +", line)[1] for line in options)))
    assert "--region" in flags
    ours = (ROOT / "docs" / "flags.md").read_text().split("## fabfuel's")[1]
    known = {flag for line in ours.splitlines() for flag in re.findall(r"`(-[^`]*)`", line.split(" | ")[0])}
    assert flags - {"--help"} <= known, flags - known
