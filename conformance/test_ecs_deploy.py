"""fabfuel's `ecs deploy`, unmodified."""

import subprocess

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
