"""What `ecs-bg setup --print` prints: the commands are run by the aws CLI, and the service is deployed afterwards;
Terraform reads the configuration."""

import os
import re
import subprocess

import pytest

from peers import BIN, REGION, Run
from sandbox import BINARY, ROOT
from world import Clients

SERVICE = ["--cluster", "shop", "--service", "api"]
PAIR = ["--engine", "listener", "--print"]
# Simulated seconds per second. No outcome depends on it.
SCALE = 60
PLUGINS = os.environ.get("TERRAFORM_PLUGINS")

SCALED = """
[[rule]]
name = 'more'
listener = 'https'
priority = 10
conditions = [{ field = 'path-pattern', values = ['/v2/*'] }]
actions = [{ type = 'forward', targetGroup = 'api' }]

[[scalable_target]]
service = 'shop/api'
min = 2
max = 4
cpu = 20
requests = { targetGroup = 'api', target = 1000 }
"""
NETWORK = """
[[load_balancer]]
name = 'shop'
type = 'network'

[[listener]]
name = 'https'
protocol = 'TCP'

[[target_group]]
name = 'api'
protocol = 'TCP'
"""
TARGET = {
    "ServiceNamespace": "ecs",
    "ScalableDimension": "ecs:service:DesiredCount",
    "ResourceId": "service/shop/api",
}
STEPS = [
    {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.5, "ScalingAdjustment": 1},
    {"MetricIntervalLowerBound": 10.5, "ScalingAdjustment": 3},
]
JOBS = {
    "Namespace": "shop",
    "MetricName": "jobs",
    "Statistic": "Sum",
    "Dimensions": [{"Name": "ServiceName", "Value": "api"}, {"Name": "ClusterName", "Value": "shop"}],
}
# What a scenario has no word for.
POLICIES = {
    "steps": (
        "StepScaling",
        {"AdjustmentType": "ChangeInCapacity", "Cooldown": 60, "StepAdjustments": STEPS},
    ),
    "jobs of api": (
        "TargetTrackingScaling",
        {"TargetValue": 2.5, "ScaleInCooldown": 30, "CustomizedMetricSpecification": JOBS},
    ),
}
WORLDS = {"one rule": "", "two rules and auto scaling": SCALED, "network": NETWORK}


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


@pytest.fixture
def made(tmp_path):
    """Makes worlds."""
    runs = []

    def make(more):
        scenario = tmp_path / f"world-{len(runs)}.toml"
        scenario.write_text(f"extends = 'solo'\n{more}")
        run = Run(SCALE, scenario)
        runs.append(run)
        if "scalable_target" in more:
            for name, policy in POLICIES.items():
                kind, configuration = policy
                Clients(run.sandbox, REGION).scaling.put_scaling_policy(
                    **TARGET, PolicyName=name, PolicyType=kind, **{f"{kind}PolicyConfiguration": configuration}
                )
        return run

    yield make
    for run in runs:
        assert run.sandbox.stop() == 0
        assert run.sandbox.problems == []


def ours(run, *words):
    done = run(BINARY, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def execute(run, script):
    """As somebody who pastes it into a shell."""
    done = run("bash", "-c", script, PATH=f"{BIN}:{os.environ['PATH']}")
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def deploys(run, tag):
    return ours(run, "deploy", *SERVICE, "--tag", tag, "--bake", "1m")


def test_a_printed_pair_is_deployed(made, world):
    run = made(world)
    script = ours(run, "setup", *SERVICE, *PAIR, "cli")
    execute(run, script)
    assert "# nothing to do" in ours(run, "setup", *SERVICE, *PAIR, "cli")
    assert "serves in api-green" in deploys(run, "2")
    twin = TARGET | {"ResourceId": "service/shop/api-green"}
    policies = Clients(run.sandbox, REGION).scaling.describe_scaling_policies(**twin)["ScalingPolicies"]
    names = {"cpu", "requests", *POLICIES} if "scalable_target" in world else set()
    assert {one["PolicyName"] for one in policies} == names
    followed = [
        one["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]["Dimensions"][0]
        for one in policies if one["PolicyName"] == "jobs of api"
    ]
    assert followed in ([], [{"Name": "ServiceName", "Value": "api-green"}])
    # And back to the first service.
    assert re.search(r"serves in api\b(?!-)", deploys(run, "1"))


def test_half_of_the_commands_are_no_harm(made, world):
    """Whoever stops in the middle prints again, and runs what is left."""
    run = made(world)
    script = ours(run, "setup", *SERVICE, *PAIR, "cli")
    steps = re.split(r"\n\n(?=# )", script)
    assert len(steps) > 4
    for count in range(2, len(steps), 2):
        run = made(world)
        execute(run, "\n\n".join(steps[:count]))
        execute(run, ours(run, "setup", *SERVICE, *PAIR, "cli"))
        assert "# nothing to do" in ours(run, "setup", *SERVICE, *PAIR, "cli")
        plan = ours(run, "plan", *SERVICE, "--tag", "2")
        assert "api-green" in plan, plan


def test_a_printed_setup_for_native_is_deployed(made):
    run = made("")
    role = ["--create-role", "ecs-load-balancers"]
    execute(run, ours(run, "setup", *SERVICE, *role, "--print", "cli"))
    assert "set up already" in ours(run, "setup", *SERVICE, *role)
    assert "ECS shifts the traffic of api" in deploys(run, "2")


# What the user has: the rules, the service and its auto scaling are shown in part.
PART = re.compile(r"(?m)^# In your [^\n]*\n.*?^}\n", re.DOTALL)
RULES = re.compile(r"  # ECS refuses[^\n]*\n  depends_on = [^\n]*\n")


@pytest.mark.skipif(not PLUGINS, reason=".ci/terraform runs these")
def test_terraform_takes_what_setup_prints(made, world, tmp_path):
    run = made(world)
    text = ours(run, "setup", *SERVICE, *PAIR, "terraform")
    assert "aws_ecs_service" in PART.sub("", text)
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "-"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "provider.tf").write_text((ROOT / "conformance" / "terraform" / "provider.tf").read_text())
    (tmp_path / "pair.tf").write_text(RULES.sub("", PART.sub("", text + "\n")))
    environment = run.sandbox.environment(REGION) | {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    for words in (["init", "-input=false", f"-plugin-dir={PLUGINS}"], ["validate"]):
        done = subprocess.run(
            ["terraform", *words, "-no-color"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )
        assert done.returncode == 0, f"{words}\n{text}\n{done.stdout}{done.stderr}"
