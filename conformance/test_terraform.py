"""Terraform and `ecs-bg` on the same services: who overwrites whom, and what keeps the peace.

`.ci/terraform` finds the binary and the provider, and sets TERRAFORM_PLUGINS. The configurations in
`terraform/` have the `ignore_changes` that docs/terraform.md gives. Without them (`fight`) the next plan
wants to put back what a deployment changed.
"""

import copy
import json
import os
import re
import shutil
import subprocess

import pytest

from sandbox import BINARY, ROOT, Sandbox, until
from world import Clients

PLUGINS = os.environ.get("TERRAFORM_PLUGINS")
REGION = "eu-central-1"
SCALE = 60
SOURCES = ROOT / "conformance" / "terraform"
LIFECYCLE = re.compile(r"\n\n  lifecycle \{\n    ignore_changes = \[(.*)\]\n  \}")

pytestmark = pytest.mark.skipif(not PLUGINS, reason=".ci/terraform runs these")


class Terraform:
    """A working directory with the configurations, with or without their `ignore_changes`."""

    def __init__(self, folder, aws):
        self.folder = folder
        shutil.copytree(SOURCES, folder)
        self.environment = aws.sandbox.environment(REGION) | {
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_VAR_endpoint": aws.sandbox.url,
            "TF_VAR_region": REGION,
        }
        self.run("init", "-input=false", f"-plugin-dir={PLUGINS}")

    def run(self, *words, codes=(0,)):
        done = subprocess.run(
            ["terraform", *words, "-no-color"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600,
        )
        assert done.returncode in codes, f"terraform {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def apply(self):
        self.run("apply", "-auto-approve", "-input=false")

    def plan(self):
        """What would change: by address, the resource before and after."""
        done = self.run("plan", "-input=false", "-detailed-exitcode", "-out=plan", codes=(0, 2))
        if done.returncode == 0:
            return {}
        shown = json.loads(self.run("show", "-json", "plan").stdout)["resource_changes"]
        changed = [one for one in shown if one["change"]["actions"] not in (["no-op"], ["read"])]
        return {one["address"]: one["change"] for one in changed}

    def without_ignore_changes(self, folder):
        """The same state, and the same configurations but for the `ignore_changes` of two estates."""
        other = copy.copy(self)
        other.folder = folder
        shutil.copytree(self.folder, folder, symlinks=True)
        for name, ignored in {"taskoverflow": [COUNTS], "shop": ["action", COUNTS]}.items():
            file = folder / f"{name}.tf"
            text = file.read_text()
            assert LIFECYCLE.findall(text) == ignored
            file.write_text(LIFECYCLE.sub("", text))
        return other

    def lacking(self):
        """The arguments and blocks of the provider that no configuration has, of the types of all resources."""
        self.plan()
        root = json.loads(self.run("show", "-json", "plan").stdout)["configuration"]["root_module"]
        (schemas,) = json.loads(self.run("providers", "schema", "-json").stdout)["provider_schemas"].values()
        of = {}
        for one in root["resources"]:
            if one["mode"] == "managed":
                of.setdefault(one["type"], []).append(one["expressions"])
        return {
            path
            for kind, blocks in of.items()
            for path in lacking(schemas["resource_schemas"][kind]["block"], blocks, kind)
        }


COUNTS = "task_definition, desired_count"

# What `every.tf` leaves out, and says why.
LEFT_OUT = {
    "aws_appautoscaling_target.role_arn",
    "aws_ecs_service.iam_role",
    "aws_ecs_task_definition.inference_accelerator",
    "aws_lb.customer_owned_ipv4_pool",
}


def lacking(block, blocks, path):
    """What none of `blocks` sets. `id` and `tags_all` nobody sets, and AWS does not see `timeouts`."""
    for name, one in block.get("attributes", {}).items():
        settable = one.get("optional") or one.get("required")
        if settable and name not in ("id", "tags_all") and not any(name in own for own in blocks):
            yield f"{path}.{name}"
    for name, one in block.get("block_types", {}).items():
        inner = [each for own in blocks for each in own.get(name, [])]
        if inner:
            yield from lacking(one["block"], inner, f"{path}.{name}")
        elif name != "timeouts":
            yield f"{path}.{name}"


def different(change):
    """The attributes that a change sets to another value."""
    before, after = change["before"], change["after"]
    return {name for name in after if after[name] is not None and before.get(name) != after[name]}


@pytest.fixture(scope="module")
def aws():
    sandbox = Sandbox(scale=SCALE)
    yield Clients(sandbox, REGION)
    assert sandbox.stop() == 0
    assert sorted(set(sandbox.problems)) == [], "what Terraform was answered"


@pytest.fixture(scope="module")
def terraform(aws, tmp_path_factory):
    """The estates, as their configurations say. Terraform waits for load balancers in real time."""
    one = Terraform(tmp_path_factory.mktemp("estate") / "peace", aws)
    aws.sandbox.image("registry.example.com/every/init:1", "exit", code=0)
    one.apply()
    services = [("shop", "web"), ("taskoverflow", "taskoverflow"), ("every", "pair"), ("every", "alone")]
    for cluster, service in services:
        completed = lambda: [one["rolloutState"] for one in show(aws, cluster, service)["deployments"]]
        until(lambda: completed() == ["COMPLETED"], what=f"the rollout of {service}")
    return one


def show(aws, cluster, service):
    return aws.ecs.describe_services(cluster=cluster, services=[service])["services"][0]


def ours(aws, *words):
    done = subprocess.run(
        [BINARY, *words], env=aws.sandbox.environment(REGION), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"


def test_what_was_applied_is_what_is_there(terraform, aws):
    assert terraform.plan() == {}
    (group,) = aws.elb.describe_target_groups(Names=["taskoverflow"])["TargetGroups"]
    assert (group["Port"], group["TargetType"], group["HealthCheckPath"]) == (6400, "ip", "/api/v1/health")
    (target,) = aws.scaling.describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=["service/taskoverflow/taskoverflow"]
    )["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)


def test_the_estates_have_every_argument(terraform):
    assert terraform.lacking() == LEFT_OUT


@pytest.fixture(scope="module")
def deployed(terraform, aws):
    """Auto scaling has changed a count, and each engine has deployed."""
    aws.sandbox.control("PUT", "loads", {"service": "taskoverflow/taskoverflow", "cpu": 55})
    aws.sandbox.advance("5m")
    running = lambda: show(aws, "taskoverflow", "taskoverflow")["runningCount"]
    until(lambda: running() == 3, what="3 tasks that use 18.3 %, less than 20 %")
    ours(aws, "deploy", "--cluster", "taskoverflow", "--service", "taskoverflow", "--tag", "2")
    ours(aws, "deploy", "--cluster", "shop", "--service", "web", "--tag", "2", "--bake", "1m")
    tag = "registry.example.com/every/web=2"
    ours(aws, "deploy", "--cluster", "every", "--service", "alone", "--tag", tag)
    ours(aws, "deploy", "--cluster", "every", "--service", "pair", "--tag", tag, "--bake", "1m")
    return terraform


def test_a_deployment_and_auto_scaling_change_nothing_that_terraform_minds(deployed):
    assert deployed.plan() == {}


def test_without_ignore_changes_the_old_image_comes_back(deployed, tmp_path):
    changes = deployed.without_ignore_changes(tmp_path / "fight").plan()
    one, two = 'aws_ecs_service.web["web"]', 'aws_ecs_service.web["web-green"]'
    assert set(changes) == {"aws_ecs_service.taskoverflow", one, two, "aws_lb_listener_rule.web"}
    service = changes["aws_ecs_service.taskoverflow"]
    assert different(service) == {"desired_count", "task_definition"}
    revisions = [service[side]["task_definition"].rsplit("/")[-1] for side in ("before", "after")]
    assert revisions == ["taskoverflow:2", "taskoverflow:1"]
    counts = {name: [changes[name][side]["desired_count"] for side in ("before", "after")] for name in (one, two)}
    assert counts == {one: [0, 2], two: [2, 0]}, "the service with all traffic would be stopped"
    assert different(changes[two]) == {"desired_count", "task_definition"}
    rule = changes["aws_lb_listener_rule.web"]
    assert different(rule) == {"action"}


def test_a_new_image_in_the_configuration_is_deployed_by_ecs_bg(deployed, aws):
    """Terraform registers revisions and changes no service; `--from latest` deploys a copy of the newest."""
    deployed.environment["TF_VAR_image"] = "7"
    before = show(aws, "taskoverflow", "taskoverflow")["taskDefinition"]
    deployed.apply()
    assert show(aws, "taskoverflow", "taskoverflow")["taskDefinition"] == before
    first = aws.ecs.describe_task_definition(taskDefinition="taskoverflow:1")["taskDefinition"]
    assert first["status"] == "ACTIVE", "`skip_destroy`: what a rollback may need"
    ours(aws, "deploy", "--cluster", "taskoverflow", "--service", "taskoverflow", "--from", "latest")
    revision = show(aws, "taskoverflow", "taskoverflow")["taskDefinition"]
    shown = aws.ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    assert shown["containerDefinitions"][0]["image"] == "registry.example.com/taskoverflow/todo:7"
    assert deployed.plan() == {}


def test_an_apply_in_the_middle_of_a_deployment(deployed, aws):
    """With `ignore_changes` an apply changes no weight and no task, and the deployment succeeds."""
    deploy = subprocess.Popen(
        [BINARY, "deploy", "--cluster", "shop", "--service", "web", "--tag", "3", "--bake", "30m"],
        env=aws.sandbox.environment(REGION), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        until(lambda: show(aws, "shop", "web")["runningCount"] == 2, what="the new tasks")
        aws.sandbox.control("POST", "clock", {"scale": 5})
        deployed.apply()
        assert deploy.poll() is None, "it ended before the apply did"
        aws.sandbox.control("POST", "clock", {"scale": SCALE})
        output, _ = deploy.communicate(timeout=300)
    finally:
        deploy.kill()
    assert deploy.returncode == 0, output
    assert deployed.plan() == {}
