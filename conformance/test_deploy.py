"""The aws CLI builds a world, ecs-bg deploys into it, boto3 looks at what came of it."""

import json
import subprocess

import pytest

from sandbox import BINARY, ROOT, fresh_region, until
from world import Clients

AWS = ROOT / "target" / "conformance" / "bin" / "aws"
DEFINITION = {
    "family": "web",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "pidMode": "task",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "containerDefinitions": [
        {
            "name": "web",
            "image": "registry.example.com/cli/web:1",
            "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        }
    ],
}


class Shell:
    def __init__(self, sandbox, region):
        self.environment = sandbox.environment(region)

    def run(self, *command, timeout=90):
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    def aws(self, *words):
        done = self.run(AWS, *words)
        assert done.returncode == 0, (words, done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def deploy(self, tag):
        return self.run(
            BINARY, "deploy", "--cluster", "shop", "--service", "web", "--tag", f"cli/web={tag}",
            "--bake", "0", "--follow", "30s",
        )


@pytest.fixture
def built(sandbox):
    region = fresh_region()
    shell = Shell(sandbox, region)
    aws = shell.aws
    aws("ecs", "create-cluster", "--cluster-name", "shop")
    balancer = aws(
        "elbv2", "create-load-balancer", "--name", "shop", "--subnets", "subnet-a", "subnet-b",
        "--tags", "Key=team,Value=shop",
    )["LoadBalancers"][0]["LoadBalancerArn"]
    groups = [
        aws(
            "elbv2", "create-target-group", "--name", name, "--protocol", "HTTP", "--port", "8080",
            "--vpc-id", "vpc-1", "--target-type", "ip", "--health-check-path", "/up",
            "--health-check-interval-seconds", "10", "--healthy-threshold-count", "2",
        )["TargetGroups"][0]["TargetGroupArn"]
        for name in ("web-blue", "web-green")
    ]
    weighted = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": groups[0], "Weight": 100},
                {"TargetGroupArn": groups[1], "Weight": 0},
            ]
        },
    }
    listener = aws(
        "elbv2", "create-listener", "--load-balancer-arn", balancer, "--protocol", "HTTP", "--port", "80",
        "--default-actions", json.dumps([weighted]),
    )["Listeners"][0]["ListenerArn"]
    aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(DEFINITION))
    network = "awsvpcConfiguration={subnets=[subnet-a,subnet-b],securityGroups=[sg-0a1b2c3d4e5f60718]}"
    for name, twin, count, group in (
        ("web", "web-green", "2", groups[0]),
        ("web-green", "web", "0", groups[1]),
    ):
        aws(
            "ecs", "create-service", "--cluster", "shop", "--service-name", name, "--task-definition",
            "web:1", "--desired-count", count, "--launch-type", "FARGATE", "--network-configuration",
            network, "--load-balancers",
            f"targetGroupArn={group},containerName=web,containerPort=8080",
            "--tags", f"key=ecs-bg:twin,value={twin}",
        )
    clients = Clients(sandbox, region)
    clients.ecs.get_waiter("services_stable").wait(
        cluster="shop", services=["web", "web-green"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    # Both are stable already: the CLI's own waiter, which polls every 15 s, asks once.
    aws("ecs", "wait", "services-stable", "--cluster", "shop", "--services", "web", "web-green")
    until(
        lambda: states(clients, groups[0]) == ["healthy", "healthy"], what="two healthy targets"
    )
    aws("elbv2", "wait", "target-in-service", "--target-group-arn", groups[0])
    aws("elbv2", "wait", "load-balancer-available", "--load-balancer-arns", balancer)
    return shell, clients, listener, groups


def states(clients, group):
    health = clients.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [one["TargetHealth"]["State"] for one in health]


def weights(clients, listener):
    actions = clients.elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]["DefaultActions"]
    return [one["Weight"] for one in actions[0]["ForwardConfig"]["TargetGroups"]]


def counts(clients):
    shown = clients.ecs.describe_services(cluster="shop", services=["web", "web-green"])["services"]
    return {one["serviceName"]: (one["desiredCount"], one["runningCount"]) for one in shown}


def test_a_deployment_into_a_world_of_the_aws_cli(sandbox, built):
    shell, clients, listener, groups = built

    good = shell.deploy("2")
    assert good.returncode == 0, good.stdout + good.stderr
    assert weights(clients, listener) == [0, 100]
    until(lambda: counts(clients) == {"web": (0, 0), "web-green": (2, 2)}, what="the retirement")
    service = clients.ecs.describe_services(cluster="shop", services=["web-green"])["services"][0]
    assert service["taskDefinition"].endswith(":task-definition/web:2")
    definition = clients.ecs.describe_task_definition(taskDefinition="web:2")["taskDefinition"]
    assert definition["pidMode"] == "task"
    assert (definition["cpu"], definition["memory"], definition["networkMode"]) == ("256", "512", "awsvpc")
    assert definition["containerDefinitions"][0]["image"] == "registry.example.com/cli/web:2"
    tasks = clients.ecs.list_tasks(cluster="shop", serviceName="web-green")["taskArns"]
    assert len(tasks) == 2

    sandbox.image("cli/web:bad", "exit", code=3)
    bad = shell.deploy("bad")
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert weights(clients, listener) == [0, 100]
    until(lambda: counts(clients) == {"web": (0, 0), "web-green": (2, 2)}, what="the withdrawal")
    until(lambda: states(clients, groups[1]) == ["healthy", "healthy"], what="the old one's health")
    service = clients.ecs.describe_services(cluster="shop", services=["web-green"])["services"][0]
    assert service["taskDefinition"].endswith(":task-definition/web:2")
    status = shell.run(BINARY, "status", "--cluster", "shop", "--service", "web")
    assert status.returncode == 0, status.stdout + status.stderr


def test_the_cli_shows_a_refusal_in_the_words_of_aws(sandbox):
    shell = Shell(sandbox, fresh_region())
    done = shell.run(AWS, "ecs", "list-services", "--cluster", "nowhere")
    assert done.returncode == 255
    assert "(ClusterNotFoundException) when calling the ListServices operation: Cluster not found." in done.stderr
    done = shell.run(AWS, "elbv2", "describe-load-balancers", "--names", "nowhere")
    assert done.returncode == 255
    assert "(LoadBalancerNotFound) when calling the DescribeLoadBalancers operation" in done.stderr
    assert shell.aws("sts", "get-caller-identity")["Account"] == "123456789012"
