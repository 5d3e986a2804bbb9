"""A service that ECS deploys itself, blue/green, as boto3 and the aws CLI see it.

The same scenario is started anew for each test: the world of its own has the service `shop` at rest.
"""

import json
import re
import subprocess

import botocore.session
import pytest
from botocore.exceptions import ClientError

from sandbox import ROOT, Sandbox, until
from world import FARGATE_NETWORK, Clients, definition

AWS = ROOT / "target" / "conformance" / "bin" / "aws"
REGION = "eu-central-1"
# The model's enum lacks this stage, and AWS sends it.
GAP = r"PRE_PRODUCTION_TRAFFIC_SHIFT"
STAGES = [
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]


class Shop:
    def __init__(self, scenario):
        self.sandbox = Sandbox(scale=1, scenario=scenario)
        self.sandbox.exempt = [GAP]
        self.aws = Clients(self.sandbox, REGION)
        self.ecs = self.aws.ecs

    def service(self):
        return self.ecs.describe_services(cluster="shop", services=["shop"])["services"][0]

    def deploy(self, tag):
        old = self.ecs.describe_task_definition(taskDefinition="shop")["taskDefinition"]
        members = botocore.session.Session().get_service_model("ecs")
        known = members.operation_model("RegisterTaskDefinition").input_shape.members
        new = {name: value for name, value in old.items() if name in known}
        image = new["containerDefinitions"][0]["image"]
        new["containerDefinitions"][0]["image"] = re.sub(r":[^:]+$", f":{tag}", image)
        made = self.ecs.register_task_definition(**new)["taskDefinition"]["taskDefinitionArn"]
        return self.ecs.update_service(cluster="shop", service="shop", taskDefinition=made)["service"]

    def listed(self, primary):
        """The service deployment of a primary deployment, once it is listed."""
        digits = primary.removeprefix("ecs-svc/")

        def found():
            for one in self.ecs.list_service_deployments(cluster="shop", service="shop")["serviceDeployments"]:
                if one["targetServiceRevisionArn"].endswith(f"/{digits}"):
                    return one["serviceDeploymentArn"]
            self.sandbox.advance("1s")
            return None

        return until(found, what="the service deployment")

    def describe(self, arn):
        answer = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
        return answer["serviceDeployments"][0]

    def weights(self, rule):
        actions = self.aws.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
        groups = actions[0]["ForwardConfig"]["TargetGroups"]
        return {one["TargetGroupArn"].split("/")[1]: one["Weight"] for one in groups}


@pytest.fixture
def started():
    shops = []

    def start(scenario):
        shops.append(Shop(scenario))
        return shops[-1]

    yield start
    for shop in shops:
        problems = sorted(set(shop.sandbox.problems))
        assert shop.sandbox.stop() == 0
        assert not problems, "\n".join(problems)


def test_boto3_sees_a_whole_deployment(started):
    shop = started("native")
    before = shop.service()
    rules = before["loadBalancers"][0]["advancedConfiguration"]
    production, test = rules["productionListenerRule"], rules["testListenerRule"]
    assert shop.weights(production) == {"shop-blue": 0, "shop-green": 100}

    primary = shop.deploy("2")["deployments"][0]
    newest = shop.ecs.list_service_deployments(cluster="shop", service="shop")["serviceDeployments"]
    assert len(newest) == 1 and newest[0]["status"] == "SUCCESSFUL"  # The list lags.
    arn = shop.listed(primary["id"])
    seen = []
    while (one := shop.describe(arn))["status"] == "IN_PROGRESS":
        if not seen or seen[-1] != one["lifecycleStage"]:
            seen.append(one["lifecycleStage"])
        target = one["targetServiceRevision"]
        if one["lifecycleStage"] == "BAKE_TIME":
            assert target["requestedProductionTrafficWeight"] == 100.0
            assert one["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"] == 0.0
            assert shop.weights(production) == shop.weights(test) == {"shop-blue": 100, "shop-green": 0}
            running = [(own["status"], own["runningCount"]) for own in shop.service()["deployments"]]
            assert running == [("PRIMARY", 2), ("ACTIVE", 2)]
        shop.sandbox.advance("3s")
    assert seen == STAGES
    assert one["status"] == "SUCCESSFUL" and "statusReason" not in one
    assert 6 * 60 < (one["finishedAt"] - one["startedAt"]).total_seconds() < 12 * 60
    shop.sandbox.advance("1m")
    done = shop.service()["deployments"]
    assert [(own["id"], own["rolloutState"]) for own in done] == [(primary["id"], "COMPLETED")]
    shop.ecs.get_waiter("services_stable").wait(
        cluster="shop", services=["shop"], WaiterConfig={"Delay": 0.1, "MaxAttempts": 10}
    )


def test_boto3_sees_a_rollback(started):
    shop = started("native")
    before = shop.service()
    arn = shop.listed(shop.deploy("4")["deployments"][0]["id"])
    while "finishedAt" not in (one := shop.describe(arn)):
        shop.sandbox.advance("5s")
    assert one["status"] == "ROLLBACK_SUCCESSFUL"
    assert one["statusReason"] == (
        "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    assert one["rollback"]["serviceRevisionArn"] == before["currentServiceRevisions"][0]["arn"]
    assert shop.service()["taskDefinition"] == before["taskDefinition"]
    with pytest.raises(ClientError, match="ConflictException"):
        shop.ecs.stop_service_deployment(serviceDeploymentArn=arn)


def test_the_cli_drives_a_canary_with_pauses(started):
    shop = started("canary")

    def aws(*words):
        done = subprocess.run(
            [AWS, "ecs", *words, "--output", "json"], env=shop.sandbox.environment(REGION),
            capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    service = ["--cluster", "shop", "--service", "shop"]
    config = shop.service()["deploymentConfiguration"]
    config["lifecycleHooks"] = [{"targetType": "PAUSE", "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"]}]
    aws("update-service", *service, "--deployment-configuration", json.dumps(config))
    answer = aws("update-service", *service, "--force-new-deployment")
    arn = shop.listed(answer["service"]["deployments"][0]["id"])
    rule = shop.service()["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
    describe = ["describe-service-deployments", "--service-deployment-arns", arn]
    approved = []
    for weights in ({"shop-blue": 10, "shop-green": 90}, {"shop-blue": 100, "shop-green": 0}):
        for _ in range(60):
            one = aws(*describe)["serviceDeployments"][0]
            waiting = [
                hook["hookId"] for hook in one.get("lifecycleHookDetails", [])
                if hook["status"] == "AWAITING_ACTION"
            ]
            if waiting:
                break
            shop.sandbox.advance("15s")
        [hook] = waiting
        assert hook not in approved and re.fullmatch(r"ecs-pause-[\w-]{43}", hook)
        aws("continue-service-deployment", "--service-deployment-arn", arn, "--hook-id", hook)
        approved.append(hook)
        shop.sandbox.advance("10s")
        assert shop.weights(rule) == weights
    stop = ["stop-service-deployment", "--service-deployment-arn", arn, "--stop-type", "ROLLBACK"]
    assert aws(*stop) == {"serviceDeploymentArn": arn}
    while "finishedAt" not in (one := aws(*describe)["serviceDeployments"][0]):
        shop.sandbox.advance("20s")
    assert one["status"] == "ROLLBACK_SUCCESSFUL"
    assert shop.weights(rule) == {"shop-blue": 0, "shop-green": 100}


def test_a_first_deployment_without_load_balancers_is_continued(sandbox, aws):
    aws.ecs.create_cluster(clusterName="shop")
    aws.ecs.register_task_definition(**definition("worker", "registry.example.com/shop/worker:1"))
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
    aws.ecs.create_service(
        cluster="shop", serviceName="worker", taskDefinition="worker", desiredCount=1, launchType="FARGATE",
        networkConfiguration=FARGATE_NETWORK,
        deploymentConfiguration={
            "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [hook],
        },
    )

    def newest():
        for one in aws.ecs.list_service_deployments(cluster="shop", service="worker")["serviceDeployments"]:
            arns = [one["serviceDeploymentArn"]]
            return aws.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]
        return {}

    waiting = until(lambda: newest().get("lifecycleHookDetails"), what="the pause")
    shown = newest()
    assert (shown["lifecycleStage"], shown["status"]) == ("PRE_SCALE_UP", "IN_PROGRESS")
    assert shown["sourceServiceRevisions"] == []
    answer = aws.ecs.continue_service_deployment(
        serviceDeploymentArn=shown["serviceDeploymentArn"], hookId=waiting[0]["hookId"]
    )
    assert answer["serviceDeploymentArn"] == shown["serviceDeploymentArn"]
    sandbox.exempt = [GAP]
    until(lambda: newest()["status"] == "SUCCESSFUL", what="the end")
