"""What AWS refuses to register, and beside each such input the nearest one that it takes."""

import copy
import json

import pytest
from botocore.exceptions import ClientError

from sandbox import ROOT
from world import FARGATE_NETWORK, definition

INPUTS = ROOT / "sandbox" / "tests" / "register"
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}


def read(name):
    return json.loads((INPUTS / f"{name}.json").read_text())


def container(**members):
    def change(request):
        request["containerDefinitions"][0].update(members)

    return change


def without(*path):
    """Takes a member away."""

    def change(request):
        *way, last = path
        for step in way:
            request = request[step]
        del request[last]

    return change


def task(**members):
    return lambda request: request.update(members)


def each(member, values):
    def change(request):
        for one, value in zip(request["containerDefinitions"], values, strict=True):
            one[member] = value

    return change


FIRST = ("containerDefinitions", 0)
# Input: what makes it right.
RIGHT = {
    "awsfirelens-without-log-router": container(firelensConfiguration={"type": "fluentbit"}),
    "container-name-with-space": container(name="a_b-1"),
    "environmentFiles-eleven": lambda request: request["containerDefinitions"][0]["environmentFiles"].pop(),
    "environmentFiles-txt": container(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::shop/web.env"}]),
    "environmentFiles-without-execution-role": task(**ROLE),
    "EXTERNAL-awsvpc": task(networkMode="bridge"),
    "awslogs-without-group": container(
        logConfiguration={"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "eu-central-1"}}
    ),
    "awsvpc-duplicate-ports": each("portMappings", [[{"containerPort": 80}], [{"containerPort": 81}]]),
    "awsvpc-hostname": without(*FIRST, "hostname"),
    "bad-protocol": container(portMappings=[{"containerPort": 80, "protocol": "udp"}]),
    "container-memory-over-task-memory-two": each("memory", [200, 312]),
    "container-name-256": container(name="a" * 255),
    "dependsOn-HEALTHY-without-healthCheck": lambda request: [
        one.setdefault("healthCheck", {"command": ["CMD", "true"]}) for one in request["containerDefinitions"]
    ],
    "dependsOn-cycle": without(*FIRST, "dependsOn"),
    "dependsOn-self": without(*FIRST, "dependsOn"),
    "ec2-secrets-without-execution-role": task(**ROLE),
    "efs-iam-without-transit-encryption": lambda request: request["volumes"][0]["efsVolumeConfiguration"].update(
        transitEncryption="ENABLED"
    ),
    "ephemeralStorage-on-EC2": without("ephemeralStorage"),
    "fargate-awslogs-without-stream-prefix": lambda request: request["containerDefinitions"][0][
        "logConfiguration"
    ]["options"].update({"awslogs-stream-prefix": "ecs"}),
    "fargate-dockerSecurityOptions": container(dockerSecurityOptions=[]),
    "fargate-awslogs-without-execution-role": task(**ROLE),
    "fargate-ecr-without-execution-role": task(**ROLE),
    "fargate-gpu": without(*FIRST, "resourceRequirements"),
    "fargate-ipcMode-task": without("ipcMode"),
    "fargate-linuxParameters-sharedMemorySize": container(linuxParameters={"initProcessEnabled": True}),
    "fargate-pidMode-host": task(pidMode="task"),
    "fargate-privileged": container(privileged=False),
    "firelens-bad-type": container(firelensConfiguration={"type": "fluentbit"}),
    "healthCheck-command-without-CMD": container(healthCheck={"command": ["CMD-SHELL", "true"]}),
    "host-links": lambda request: (
        task(networkMode="bridge")(request),
        request["containerDefinitions"].append({"name": "b", "image": "nginx", "memory": 128}),
    ),
    "host-port-twice": each(
        "portMappings", [[{"containerPort": 80, "hostPort": 8080}], [{"containerPort": 81, "hostPort": 8081}]]
    ),
    "links-to-unknown": container(links=[]),
    "log-router-without-awsfirelens": container(logConfiguration={"logDriver": "awsfirelens"}),
    "memoryReservation-memory": container(memory=512, memoryReservation=511),
    "none-mode-with-ports": container(portMappings=[]),
    "port-name-with-capitals": container(portMappings=[{"containerPort": 80, "name": "http_1-a"}]),
    "port-range-backwards": container(portMappings=[{"containerPortRange": "8080-8081"}]),
    "port-range-on-host": task(networkMode="bridge"),
    "port-range-over-a-port": container(portMappings=[{"containerPortRange": "8080-8090"}, {"containerPort": 8091}]),
    "port-range-with-containerPort": container(portMappings=[{"containerPortRange": "8080-8090"}]),
    "port-without-containerPort": container(portMappings=[{"containerPort": 80, "hostPort": 8080}]),
    "proxy-on-bridge": without("proxyConfiguration"),
    "proxy-to-unknown": task(proxyConfiguration={"type": "APPMESH", "containerName": "a", "properties": []}),
    "repositoryCredentials-without-execution-role": task(**ROLE),
    "secret-named-as-a-variable": container(environment=[{"name": "OTHER", "value": "1"}]),
    "startTimeout-1": container(startTimeout=2),
    "sum-of-cpu-over-task-cpu": each("cpu", [100, 156]),
    "systemControls-ipc-on-host": task(ipcMode="task"),
    "systemControls-net-on-host": task(networkMode="awsvpc"),
    "task-cpu-abc-on-EC2": task(cpu="256"),
    "ulimit-bad-name": container(ulimits=[{"name": "nofile", "softLimit": 1, "hardLimit": 2}]),
    "unknown-log-driver": container(logConfiguration={"logDriver": "syslog"}),
    "volume-of-two-types": task(
        volumes=[{"name": "v", "host": {}, "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]
    ),
    "volumes-two-at-launch": task(
        volumes=[{"name": "v", "configuredAtLaunch": True}, {"name": "w", "configuredAtLaunch": False}]
    ),
    "volumesFrom-self": without(*FIRST, "volumesFrom"),
    "volumesFrom-unknown": lambda request: request["containerDefinitions"].append(
        {"name": "nobody", "image": "nginx", "memory": 128}
    ),
    "windows-fargate-256": task(cpu="1024", memory="2048"),
}


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_each_input_has_a_right_neighbour():
    assert {file.stem for file in INPUTS.glob("*.json")} == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_an_input_is_refused_and_its_neighbour_is_not(aws, name):
    request = read(name)
    code, text = refused(aws.ecs.register_task_definition, **request)
    assert code == "ClientException" and text
    RIGHT[name](request)
    assert aws.ecs.register_task_definition(**request)["taskDefinition"]["revision"] == 1


ON_EC2 = {"family": "own", "containerDefinitions": [{"name": "own", "image": "nginx:1", "memory": 256}]}


def efs(**members):
    own = {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", **members}
    return [{"name": "data", "efsVolumeConfiguration": own}]


POINT = {"accessPointId": "fsap-1"}
LINUX = "linuxParameters"
# Launch type: what is changed, then a wrong and a right value.
PAIRS = [
    ("EC2", "task", "cpu", "127", "128"),
    ("EC2", "task", "cpu", "196609", "196608"),
    ("EC2", "task", "placementConstraints", [{"type": "distinct"}], [{"type": "memberOf", "expression": "a == b"}]),
    ("EC2", "task", "volumes", [{"name": "v", "dockerVolumeConfiguration": {"scope": "all"}}],
     [{"name": "v", "dockerVolumeConfiguration": {"scope": "shared"}}]),
    ("EC2", "task", "volumes", efs(authorizationConfig=POINT, transitEncryption="DISABLED"),
     efs(authorizationConfig=POINT)),
    ("EC2", "task", "volumes", efs(authorizationConfig=POINT, rootDirectory="/data"),
     efs(authorizationConfig=POINT, rootDirectory="/")),
    ("EC2", "container", LINUX, {"swappiness": 101, "maxSwap": 1}, {"swappiness": 100, "maxSwap": 1}),
    ("EC2", "container", LINUX, {"capabilities": {"add": ["CAP_NET_ADMIN"]}}, {"capabilities": {"add": ["NET_ADMIN"]}}),
    ("EC2", "container", LINUX, {"devices": [{"hostPath": "/dev/x", "permissions": ["all"]}]},
     {"devices": [{"hostPath": "/dev/x", "permissions": ["read"]}]}),
    ("EC2", "container", "versionConsistency", "off", "disabled"),
    ("FARGATE", "container", "environmentFiles", [{"type": "file", "value": "arn:aws:s3:::b/a.env"}],
     [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}]),
    ("EC2", "container", "restartPolicy", {"enabled": True, "restartAttemptPeriod": 59},
     {"enabled": True, "restartAttemptPeriod": 60}),
    ("EC2", "container", "portMappings", [{"containerPort": 80, "name": "a", "appProtocol": "tcp"}],
     [{"containerPort": 80, "name": "a", "appProtocol": "http2"}]),
    ("FARGATE", "task", "ephemeralStorage", {"sizeInGiB": 20}, {"sizeInGiB": 21}),
    ("FARGATE", "task", "ephemeralStorage", {"sizeInGiB": 201}, {"sizeInGiB": 200}),
    ("FARGATE", "task", "runtimePlatform", {"operatingSystemFamily": "BSD"}, {"operatingSystemFamily": "LINUX"}),
    ("FARGATE", "task", "placementConstraints", [{"type": "memberOf", "expression": "a == b"}], []),
    ("FARGATE", "task", "volumes", [{"name": "v", "host": {"sourcePath": "/data"}}], [{"name": "v", "host": {}}]),
    ("FARGATE", "task", "volumes", [{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}], efs()),
    ("FARGATE", "container", LINUX, {"maxSwap": 1}, {"tmpfs": [{"containerPath": "/t", "size": 64}]}),
    ("FARGATE", "container", "stopTimeout", 121, 120),
]


@pytest.mark.parametrize("where, of, member, wrong, right", PAIRS)
def test_a_value_and_the_next_one(aws, where, of, member, wrong, right):
    request = copy.deepcopy(ON_EC2) if where == "EC2" else definition("own", "nginx:1")
    place = request if of == "task" else request["containerDefinitions"][0]
    place[member] = wrong
    assert refused(aws.ecs.register_task_definition, **request)[0] == "ClientException"
    place[member] = right
    aws.ecs.register_task_definition(**request)


PUBLIC = copy.deepcopy(FARGATE_NETWORK)
PUBLIC["awsvpcConfiguration"]["assignPublicIp"] = "ENABLED"


def network(**members):
    return {"awsvpcConfiguration": FARGATE_NETWORK["awsvpcConfiguration"] | members}


# A service: what is wrong of it, and a part of AWS's text where it is known.
SERVICES = [
    ({"networkConfiguration": network(subnets=[f"subnet-{n}" for n in range(17)])}, "subnets"),
    ({"networkConfiguration": network(securityGroups=[f"sg-{n}" for n in range(6)])}, "security groups"),
    ({"networkConfiguration": network(assignPublicIp="YES")}, "assignPublicIp"),
    ({"launchType": "EC2", "networkConfiguration": PUBLIC}, "Assign public IP is not supported for this launch type."),
    ({"launchType": "EC2", "placementConstraints": [{"type": "memberOf", "expression": "a == b"}] * 11}, "at most 10"),
    ({"launchType": "EC2", "placementStrategy": [{"type": "random"}] * 6}, "at most 5"),
    ({"launchType": "EC2", "placementStrategy": [{"type": "even"}]}, "Invalid type: 'even'"),
    ({"serviceRegistries": [{"registryArn": "arn:aws:servicediscovery:x"}] * 2}, "at most 1"),
    ({"launchType": "EC2", "schedulingStrategy": "DAEMON", "deploymentController": {"type": "EXTERNAL"}}, "DAEMON"),
    ({"availabilityZoneRebalancing": "ON"}, "availabilityZoneRebalancing"),
    ({"taskDefinition": "own"}, "Network Configuration is not valid for the given networkMode"),
]


@pytest.mark.parametrize("wrong, part", SERVICES)
def test_a_service_that_aws_refuses(aws, wrong, part):
    aws.ecs.create_cluster(clusterName="shop")
    aws.ecs.register_task_definition(**definition("web", "nginx:1"))
    aws.ecs.register_task_definition(**ON_EC2)
    right = {
        "cluster": "shop", "serviceName": "web", "taskDefinition": "web", "desiredCount": 1,
        "launchType": "FARGATE", "networkConfiguration": FARGATE_NETWORK,
    }
    wrong = {"launchType": "EC2"} | wrong if wrong.get("taskDefinition") else wrong
    code, text = refused(aws.ecs.create_service, **right | wrong)
    assert code == "InvalidParameterException" and part in text, text
    aws.ecs.create_service(**right)
    if "networkConfiguration" in wrong and "launchType" not in wrong:
        change = {"networkConfiguration": wrong["networkConfiguration"]}
        assert refused(aws.ecs.update_service, cluster="shop", service="web", **change)[0] == code
