"""The probe for real accounts, on the sandbox: it answers, and leaves nothing behind."""

import os
import signal
import subprocess
import sys

import pytest

from sandbox import ROOT, until

GAP = r"PRE_PRODUCTION_TRAFFIC_SHIFT"


@pytest.fixture
def probe(sandbox, aws):
    aws.ecs.create_cluster(clusterName="shop")
    sandbox.exempt = [GAP]

    def start(*more):
        role = "arn:aws:iam::123456789012:role/"
        command = [
            sys.executable, ROOT / "conformance" / "real" / "probe.py", "--cluster", "shop", "--vpc", "vpc-1",
            "--subnets", "subnet-a,subnet-b", "--security-group", "sg-0a1b2c3d4e5f60718",
            "--infrastructure-role", f"{role}lb", "--execution-role", f"{role}execution",
            "--image", "registry.example.com/web:1", "--poll", "0.1", *more,
        ]
        return subprocess.Popen(command, env=sandbox.environment(aws.region), stdout=subprocess.PIPE, text=True)

    return start


def left(aws):
    services = aws.ecs.list_services(cluster="shop")["serviceArns"]
    groups = aws.elb.describe_target_groups()["TargetGroups"]
    return services, groups, aws.elb.describe_load_balancers()["LoadBalancers"]


def test_it_answers_and_deletes_what_it_created(probe, aws):
    process = probe("--only", "pause-details,merge,configuration-during,no-weight,tags")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    table = output[output.index("| question |") :]
    for answer in (
        "| `pause-details` | What happens to hookDetails of a PAUSE hook? | refused: InvalidParameterException",
        "| a hook added meanwhile pauses it (live) |",
        "| accepted; the rule has blue 0, green 0 |",
        "| maximumPercent alone: as before:",
        "| 0 of 20 writes were not in the first read",
    ):
        assert answer in table
    assert "not answered" not in table and "123456789012" not in table and "arn:" not in table
    assert left(aws) == ([], [], [])


def test_ctrl_c_deletes_too_and_a_dry_run_calls_nothing(probe, aws, sandbox):
    process = probe("--only", "stop")
    for line in process.stdout:
        if "stop:" in line:
            break
    assert left(aws) != ([], [], [])
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=180)
    assert "everything that was created is deleted" in output
    assert left(aws) == ([], [], [])

    calls = sum(sandbox.answered.values())
    process = probe("--dry-run")
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0 and "0.10 USD" in output and "propagation" in output
    assert sum(sandbox.answered.values()) == calls


def test_what_a_killed_probe_left_is_cleaned(probe, aws):
    process = probe("--only", "stop")
    until(lambda: aws.ecs.list_services(cluster="shop")["serviceArns"], what="the service")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process = probe("--clean")
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    assert left(aws) == ([], [], [])
