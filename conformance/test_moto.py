"""The calls of a rolling deployment, before an ECS, an Elastic Load Balancing and an ECR that others
wrote: moto's. It accepts all of them.

Nothing ever runs there (`moto_layer` adds that), and what it refuses or leaves out although AWS does
not is:

* DescribeServices never shows the deployment that UpdateService asked for;
* the security groups and subnets of a service must exist (AWS: only once a task starts);
* tasks never stand in target groups, so the test registers targets itself.
"""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from moto_layer import Layer
from sandbox import BINARY, ROOT, until

REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_REGION": REGION}
OURS = re.compile("ecs-bg:")
DEFINITION = {
    "family": "api",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "pidMode": "task",
    "taskRoleArn": "arn:aws:iam::123456789012:role/api",
    "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
    "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
    "ephemeralStorage": {"sizeInGiB": 40},
    "volumes": [{"name": "scratch", "host": {}}],
    "containerDefinitions": [
        {
            "name": "api",
            "image": "registry.example.com/shop/api:1",
            "essential": True,
            "cpu": 128,
            "memoryReservation": 256,
            "environment": [{"name": "LOG", "value": "débug"}, {"name": "EMPTY", "value": ""}],
            "secrets": [{"name": "KEY", "valueFrom": "/shop/api/key"}],
            "portMappings": [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
            "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/tmp", "readOnly": False}],
            "dockerLabels": {"team": "shop"},
            "stopTimeout": 90,
        },
        {"name": "proxy", "image": "registry.example.com/shop/proxy:7", "essential": False, "memory": 64},
    ],
}
TAGS = [{"key": "team", "value": "shop"}]


class Account:
    """A cluster with the services `api`, behind a load balancer, and `worker`, behind none."""

    def __init__(self, url):
        self.environment = {"AWS_ENDPOINT_URL": url, **CREDENTIALS, "PATH": os.environ["PATH"]}
        session = boto3.session.Session("moto", "moto", region_name=REGION)
        client = lambda name: session.client(name, endpoint_url=url)
        self.ecs, self.elb, ec2 = client("ecs"), client("elbv2"), client("ec2")
        self.ecs.create_cluster(clusterName="shop")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=REGION + zone)["Subnet"]["SubnetId"]
            for n, zone in enumerate("ab")
        ]
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        own = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
        balancer = self.elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]
        group = self.elb.create_target_group(
            Name="api", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip", HealthCheckPath="/up"
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        self.elb.register_targets(
            TargetGroupArn=group, Targets=[{"Id": f"10.0.{n}.7", "Port": 8080} for n in (0, 1)]
        )
        for name in ("api", "worker"):
            self.ecs.register_task_definition(**DEFINITION | {"family": name}, tags=TAGS)
            behind = [{"targetGroupArn": group, "containerName": "api", "containerPort": 8080}]
            self.ecs.create_service(
                cluster="shop", serviceName=name, taskDefinition=name, desiredCount=2, launchType="FARGATE",
                networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [own]}},
                loadBalancers=behind if name == "api" else [],
            )

    def run(self, verb, service, *words):
        command = [BINARY, verb, "--cluster", "shop", "--service", service, *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def definition(self, name):
        shown = self.ecs.describe_task_definition(taskDefinition=name, include=["TAGS"])
        return shown["taskDefinition"], shown.get("tags", [])


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    log = tmp_path_factory.mktemp("moto") / "log"
    with open(log, "w") as file:
        program = ROOT / "target" / "conformance" / "bin" / "moto_server"
        process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", "0"], stdout=file, stderr=file)
    try:
        running = until(lambda: re.search(r"Running on http://(\S+)", log.read_text()), what="moto")
        layer = Layer(running[1])
        layer.account = Account(layer.url)
        yield layer
        layer.server.shutdown()
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def deployed(moto):
    """Both services at once, each waited for; then `api` once more, without waiting."""
    image = ["--image", "registry.example.com/shop/api:2"]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda name: moto.account.run("deploy", name, *image), ["api", "worker"]))
    told = moto.account.run("deploy", "api", "--image", "registry.example.com/shop/api:3", "--no-wait")
    return [*done, told]


def test_deployments_come_to_their_end(moto, deployed):
    for done, name in zip(deployed, ("api:2 serves in api", "worker:2 serves in worker", "does not wait")):
        assert done.returncode == 0, done.stdout + done.stderr
        assert name in done.stdout
    assert "0/2 tasks running" in deployed[0].stdout
    for name, image in (("api", "3"), ("worker", "2")):
        status = moto.account.run("status", name)
        assert status.returncode == 0, status.stderr
        assert f"api=registry.example.com/shop/api:{image}" in status.stdout


def test_nothing_that_we_send_is_refused(moto, deployed):
    assert moto.refused == []
    used = {"DescribeServices", "RegisterTaskDefinition", "UpdateService", "TagResource", "ListTaskDefinitions"}
    assert used <= set(moto.calls)


def test_only_the_image_differs(moto, deployed):
    for name in ("api", "worker"):
        old, new = moto.account.definition(f"{name}:1")[0], moto.account.definition(f"{name}:2")[0]
        containers = DEFINITION["containerDefinitions"]
        wanted = DEFINITION | {
            "family": name,
            "containerDefinitions": [
                containers[0] | {"image": "registry.example.com/shop/api:2"}, containers[1]
            ],
        }
        for member, value in wanted.items():
            if member != "containerDefinitions":
                assert new[member] == value, member
        for shown, sent in zip(new["containerDefinitions"], wanted["containerDefinitions"], strict=True):
            assert {member: shown[member] for member in sent} == sent
        # What moto adds it adds to both.
        new["containerDefinitions"][0]["image"] = old["containerDefinitions"][0]["image"]
        new["revision"], new["taskDefinitionArn"] = old["revision"], old["taskDefinitionArn"]
        assert new == old


def test_tags_are_kept_and_ours_are_added(moto, deployed):
    for name in ("api:2", "worker:2"):
        tags = moto.account.definition(name)[1]
        assert [tag for tag in tags if not OURS.match(tag["key"])] == TAGS, name
        assert [tag for tag in tags if OURS.match(tag["key"])] != [], name
    # What nobody watches has no record.
    assert moto.account.definition("api:3")[1] == TAGS
