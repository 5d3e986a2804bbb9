"""Every operation that the sandbox models, as it should go."""

import base64
import hashlib
import re

import pytest

from sandbox import Sandbox, until
from world import FARGATE_NETWORK, Clients, definition, group


def test_clusters_and_tags(aws):
    ecs = aws.ecs
    made = ecs.create_cluster(clusterName="one", tags=[{"key": "team", "value": "a"}])["cluster"]
    assert made["status"] == "ACTIVE"
    shown = ecs.describe_clusters(clusters=["one", "none"], include=["TAGS", "SETTINGS"])
    assert shown["clusters"][0]["tags"] == [{"key": "team", "value": "a"}]
    assert [one["reason"] for one in shown["failures"]] == ["MISSING"]
    arn = made["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "b"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "b"}]
    assert ecs.list_clusters()["clusterArns"] == [arn]
    assert ecs.delete_cluster(cluster="one")["cluster"]["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []


def test_task_definitions(aws):
    ecs = aws.ecs
    for number in (1, 2):
        made = ecs.register_task_definition(
            **definition("job", "nginx:1", pidMode="task"), tags=[{"key": "n", "value": str(number)}]
        )
        assert made["taskDefinition"]["revision"] == number
        assert made["tags"] == [{"key": "n", "value": str(number)}]
    shown = ecs.describe_task_definition(taskDefinition="job", include=["TAGS"])
    assert shown["taskDefinition"]["revision"] == 2 and shown["taskDefinition"]["pidMode"] == "task"
    assert ecs.list_task_definition_families()["families"] == ["job"]
    gone = ecs.deregister_task_definition(taskDefinition="job:1")["taskDefinition"]
    assert gone["status"] == "INACTIVE"
    listed = ecs.list_task_definitions(familyPrefix="job", sort="DESC")["taskDefinitionArns"]
    assert [one.rsplit("/")[-1] for one in listed] == ["job:2"]
    gone = ecs.delete_task_definitions(taskDefinitions=["job:1", "job:2", "job:9"])
    assert [one["status"] for one in gone["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert "still in ACTIVE status" in gone["failures"][0]["reason"] and len(gone["failures"]) == 2
    listed = ecs.list_task_definitions(familyPrefix="job", status="DELETE_IN_PROGRESS")
    assert [one.rsplit("/")[-1] for one in listed["taskDefinitionArns"]] == ["job:1"]


def test_sizes_nulls_and_whole_floats_are_what_aws_keeps(aws):
    odd = definition("odd", "nginx:1", cpu=".25 vCPU", memory="0.5 GB", taskRoleArn=None)
    odd["containerDefinitions"][0] |= {"memory": 128.0, "user": None}
    made = aws.ecs.register_task_definition(**odd)["taskDefinition"]
    assert (made["cpu"], made["memory"]) == ("256", "512") and "taskRoleArn" not in made
    assert made["containerDefinitions"][0]["memory"] == 128
    assert "user" not in made["containerDefinitions"][0]


def test_a_container_waits_for_another_one(aws):
    aws.sandbox.image("shop/side:1", "exit", code=3, after="5s")
    aws.ecs.create_cluster(clusterName="jobs")
    two = definition("two", "nginx:1")
    two["containerDefinitions"][0]["dependsOn"] = [{"containerName": "side", "condition": "SUCCESS"}]
    two["containerDefinitions"].append(
        {"name": "side", "image": "registry.example.com/shop/side:1", "essential": False}
    )
    aws.ecs.register_task_definition(**two)
    ran = aws.ecs.run_task(
        cluster="jobs", taskDefinition="two", launchType="FARGATE", networkConfiguration=FARGATE_NETWORK
    )
    arn = ran["tasks"][0]["taskArn"]
    aws.ecs.get_waiter("tasks_stopped").wait(
        cluster="jobs", tasks=[arn], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    (task,) = aws.ecs.describe_tasks(cluster="jobs", tasks=[arn])["tasks"]
    assert task["stopCode"] == "EssentialContainerExited"
    assert [one["exitCode"] for one in task["containers"]] == [143, 3]
    assert task["containers"][0]["reason"].endswith("as dependency did not exit successfully.")


@pytest.mark.parametrize(
    "region, partition, suffix",
    [
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ],
)
def test_a_region_is_in_its_partition(sandbox, region, partition, suffix):
    aws = Clients(sandbox, region)
    arn = aws.ecs.create_cluster(clusterName="part")["cluster"]["clusterArn"]
    assert arn == f"arn:{partition}:ecs:{region}:123456789012:cluster/part"
    assert aws.ecs.describe_clusters(clusters=[arn])["clusters"][0]["clusterName"] == "part"
    made = aws.ecr.create_repository(repositoryName="part")["repository"]
    assert made["repositoryUri"] == f"123456789012.dkr.ecr.{region}.{suffix}/part"
    assert aws.sts.get_caller_identity()["Arn"].startswith(f"arn:{partition}:iam::")


def test_services_and_their_deployments(world):
    ecs = world.aws.ecs
    world.completed()
    assert ecs.list_services(cluster="shop")["serviceArns"] == [world.service]
    updated = ecs.update_service(cluster="shop", service="web", desiredCount=3)["service"]
    assert updated["desiredCount"] == 3
    world.stable()
    shown = ecs.describe_services(cluster="shop", services=["web", "none"], include=["TAGS"])
    assert shown["services"][0]["runningCount"] == 3
    assert [one["reason"] for one in shown["failures"]] == ["MISSING"]
    tasks = ecs.list_tasks(cluster="shop", serviceName="web")["taskArns"]
    assert len(tasks) == 3
    described = ecs.describe_tasks(cluster="shop", tasks=[*tasks, "0" * 32], include=["TAGS"])
    assert {one["lastStatus"] for one in described["tasks"]} == {"RUNNING"}
    assert [one["reason"] for one in described["failures"]] == ["MISSING"]

    world.aws.sandbox.image("never/ready:1", "slow", ready="10h")
    ecs.register_task_definition(**definition("web", "registry.example.com/never/ready:1"))
    ecs.update_service(cluster="shop", service="web", taskDefinition="web:2")
    listed = ecs.list_service_deployments(cluster="shop", service="web", status=["IN_PROGRESS", "PENDING"])
    (deployment,) = [one["serviceDeploymentArn"] for one in listed["serviceDeployments"]]
    shown = ecs.describe_service_deployments(serviceDeploymentArns=[deployment])["serviceDeployments"][0]
    revisions = [shown["targetServiceRevision"]["arn"], shown["sourceServiceRevisions"][0]["arn"]]
    described = ecs.describe_service_revisions(serviceRevisionArns=revisions)["serviceRevisions"]
    assert [one["taskDefinition"].rsplit("/")[-1] for one in described] == ["web:2", "web:1"]
    assert ecs.stop_service_deployment(serviceDeploymentArn=deployment)["serviceDeploymentArn"] == deployment
    until(
        lambda: ecs.describe_service_deployments(serviceDeploymentArns=[deployment])[
            "serviceDeployments"
        ][0]["status"] == "ROLLBACK_SUCCESSFUL",
        what="the rollback",
    )
    world.stable()
    assert world.show()["taskDefinition"] == world.definition
    ecs.update_service(cluster="shop", service="web", desiredCount=0)
    world.stable()
    assert ecs.delete_service(cluster="shop", service="web")["service"]["status"] == "DRAINING"


@pytest.fixture
def metal():
    one = Sandbox(scale=100, scenario="conformance/ec2.toml")
    yield one
    one.stop()
    assert one.problems == []


def test_container_instances(sandbox, metal):
    ecs = Clients(metal, metal.exports["AWS_REGION"]).ecs
    arns = ecs.list_container_instances(cluster="metal")["containerInstanceArns"]
    assert len(arns) == 2
    shown = ecs.describe_container_instances(cluster="metal", containerInstances=[arns[0], "none"])
    assert shown["containerInstances"][0]["status"] == "ACTIVE"
    assert [one["reason"] for one in shown["failures"]] == ["MISSING"]
    drained = ecs.update_container_instances_state(
        cluster="metal", containerInstances=arns[:1], status="DRAINING"
    )
    assert drained["containerInstances"][0]["status"] == "DRAINING"
    assert ecs.list_container_instances(cluster="metal", status="DRAINING")[
        "containerInstanceArns"
    ] == arns[:1]
    ecs.register_task_definition(
        family="job", containerDefinitions=[{"name": "job", "image": "nginx:1", "memory": 128}]
    )
    ran = ecs.run_task(cluster="metal", taskDefinition="job", count=2)
    assert [one["containerInstanceArn"] for one in ran["tasks"]] == [arns[1]] * 2
    sandbox.answered.update(metal.answered)


def test_load_balancing(world):
    elb = world.aws.elb
    other = group(world.aws, "other", HealthCheckPath="/health")
    made = elb.create_rule(
        ListenerArn=world.listener, Priority=20, Conditions=[{"Field": "host-header", "Values": ["a.example.com"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": other}], Tags=[{"Key": "a", "Value": "b"}],
    )["Rules"][0]["RuleArn"]
    elb.modify_rule(RuleArn=world.rule, Actions=[world.forward(1, 999)])
    assert world.weights() == [1, 999]
    moved = elb.set_rule_priorities(RulePriorities=[{"RuleArn": made, "Priority": 5}])["Rules"]
    assert moved[0]["Priority"] == "5"
    rules = elb.describe_rules(ListenerArn=world.listener)["Rules"]
    assert [one["Priority"] for one in rules] == ["5", "10", "default"]
    assert elb.describe_listeners(LoadBalancerArn=world.balancer)["Listeners"][0]["Port"] == 80
    changed = elb.modify_listener(
        ListenerArn=world.listener, Port=8000, DefaultActions=[world.forward(100, 0)]
    )["Listeners"][0]
    assert changed["Port"] == 8000 and changed["DefaultActions"][0]["Type"] == "forward"

    assert elb.modify_target_group(TargetGroupArn=other, HealthCheckPath="/x")["TargetGroups"][0][
        "HealthCheckPath"
    ] == "/x"
    delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "7"}
    assert delay in elb.modify_target_group_attributes(TargetGroupArn=other, Attributes=[delay])["Attributes"]
    assert delay in elb.describe_target_group_attributes(TargetGroupArn=other)["Attributes"]
    idle = {"Key": "idle_timeout.timeout_seconds", "Value": "90"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=world.balancer, Attributes=[idle])
    assert idle in elb.describe_load_balancer_attributes(LoadBalancerArn=world.balancer)["Attributes"]

    target = [{"Id": "10.9.8.7", "Port": 8080}]
    elb.register_targets(TargetGroupArn=other, Targets=target)
    health = elb.describe_target_health(TargetGroupArn=other, Targets=target)["TargetHealthDescriptions"]
    assert health[0]["Target"]["Id"] == "10.9.8.7"
    elb.deregister_targets(TargetGroupArn=other, Targets=target)

    elb.add_tags(ResourceArns=[other], Tags=[{"Key": "a", "Value": "x"}, {"Key": "c", "Value": "d"}])
    elb.remove_tags(ResourceArns=[other], TagKeys=["c"])
    assert elb.describe_tags(ResourceArns=[other])["TagDescriptions"][0]["Tags"] == [{"Key": "a", "Value": "x"}]

    elb.delete_rule(RuleArn=made)
    elb.delete_target_group(TargetGroupArn=other)
    names = [one["TargetGroupName"] for one in elb.describe_target_groups()["TargetGroups"]]
    assert sorted(names) == ["blue", "green", "lonely"]
    elb.delete_listener(ListenerArn=world.listener)
    elb.delete_load_balancer(LoadBalancerArn=world.balancer)
    assert elb.describe_load_balancers()["LoadBalancers"] == []


def test_a_map_in_an_action_comes_back(world):
    oidc = {
        "Issuer": "https://id.example.com", "AuthorizationEndpoint": "https://id.example.com/a",
        "TokenEndpoint": "https://id.example.com/t", "UserInfoEndpoint": "https://id.example.com/u",
        "ClientId": "shop", "AuthenticationRequestExtraParams": {"display": "page", "prompt": "login"},
    }
    action = {"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc | {"ClientSecret": "s"}}
    actions = [action, {**world.forward(100, 0), "Order": 2}]
    world.aws.elb.modify_rule(RuleArn=world.rule, Actions=actions)
    shown = world.aws.elb.describe_rules(RuleArns=[world.rule])["Rules"][0]["Actions"]
    assert shown[0]["AuthenticateOidcConfig"] == oidc


def test_images(aws):
    ecr = aws.ecr
    made = ecr.create_repository(repositoryName="shop/web")["repository"]
    assert made["repositoryUri"] == f"123456789012.dkr.ecr.{aws.region}.amazonaws.com/shop/web"
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'
    put = ecr.put_image(repositoryName="shop/web", imageManifest=manifest, imageTag="1")["image"]
    digest = put["imageId"]["imageDigest"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest) and put["imageId"]["imageTag"] == "1"
    ecr.put_image(repositoryName="shop/web", imageManifest=manifest + " ")
    assert ecr.describe_repositories()["repositories"] == [made]
    shown = ecr.describe_images(repositoryName="shop/web", imageIds=[{"imageTag": "1"}])["imageDetails"]
    assert shown[0]["imageDigest"] == digest
    got = ecr.batch_get_image(repositoryName="shop/web", imageIds=[{"imageTag": "1"}, {"imageTag": "9"}])
    assert got["images"][0]["imageManifest"] == manifest
    assert [one["failureCode"] for one in got["failures"]] == ["ImageNotFound"]
    ids = ecr.list_images(repositoryName="shop/web", filter={"tagStatus": "TAGGED"})["imageIds"]
    assert ids == [{"imageDigest": digest, "imageTag": "1"}]
    (other,) = ecr.list_images(repositoryName="shop/web", filter={"tagStatus": "UNTAGGED"})["imageIds"]
    gone = ecr.batch_delete_image(
        repositoryName="shop/web", imageIds=[{"imageTag": "1"}, {"imageTag": "1"}, {**other, "imageTag": "9"}]
    )
    assert gone["imageIds"] == [{"imageDigest": digest, "imageTag": "1"}]
    assert [one["failureCode"] for one in gone["failures"]] == ["ImageNotFound"] * 2
    assert ecr.list_images(repositoryName="shop/web")["imageIds"] == [other]


def test_a_password_of_the_registry(aws):
    (data,) = aws.ecr.get_authorization_token()["authorizationData"]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    assert user == "AWS" and password
    assert data["proxyEndpoint"] == f"https://123456789012.dkr.ecr.{aws.region}.amazonaws.com"


def test_a_digest_is_that_of_the_manifest(aws):
    aws.ecr.create_repository(repositoryName="shop/web")
    put = aws.ecr.put_image(repositoryName="shop/web", imageManifest="{}", imageTag="1")["image"]
    assert put["imageId"]["imageDigest"] == "sha256:" + hashlib.sha256(b"{}").hexdigest()
    moved = aws.ecr.put_image(repositoryName="shop/web", imageManifest="{}", imageTag="2")["image"]
    assert moved["imageId"]["imageDigest"] == put["imageId"]["imageDigest"]
    (one,) = aws.ecr.describe_images(repositoryName="shop/web")["imageDetails"]
    assert one["imageTags"] == ["1", "2"]


def logged(aws, one):
    """A definition whose container logs to `/jobs`."""
    options = {"awslogs-group": "/jobs", "awslogs-region": aws.region, "awslogs-stream-prefix": "p"}
    one["containerDefinitions"][0]["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    return one


def test_logs_of_a_task(aws):
    aws.sandbox.image("shop/job:1", "exit", code=0, after="2s", logs=["one", "two", "three"])
    aws.ecs.create_cluster(clusterName="jobs")
    aws.ecs.register_task_definition(**logged(aws, definition("job", "registry.example.com/shop/job:1")))
    ran = aws.ecs.run_task(
        cluster="jobs", taskDefinition="job", launchType="FARGATE", networkConfiguration=FARGATE_NETWORK
    )
    arn = ran["tasks"][0]["taskArn"]
    aws.ecs.get_waiter("tasks_stopped").wait(
        cluster="jobs", tasks=[arn], WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    stream = f"p/web/{arn.rsplit('/')[-1]}"
    (group,) = aws.logs.describe_log_groups(logGroupNamePrefix="/jo")["logGroups"]
    assert group["logGroupName"] == "/jobs"
    (shown,) = aws.logs.describe_log_streams(logGroupName="/jobs", orderBy="LastEventTime")["logStreams"]
    assert shown["logStreamName"] == stream
    assert shown["lastEventTimestamp"] - shown["firstEventTimestamp"] == 2000
    asked = {"logGroupName": "/jobs", "logStreamName": stream, "startFromHead": True, "limit": 2}
    pages, token = [], {}
    while True:
        page = aws.logs.get_log_events(**asked, **token)
        pages.append([one["message"] for one in page["events"]])
        if token.get("nextToken") == page["nextForwardToken"]:
            break
        token = {"nextToken": page["nextForwardToken"]}
    assert pages == [["one", "two"], ["three"], []]
    latest = aws.logs.get_log_events(logGroupIdentifier="/jobs", logStreamName=stream, limit=1)
    assert [one["message"] for one in latest["events"]] == ["three"]


def test_who_calls(aws):
    assumed = aws.sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="me")
    assert assumed["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/deploy/me"
    by_token = aws.sts.assume_role_with_web_identity(
        RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="me", WebIdentityToken="a.b.c"
    )
    assert by_token["AssumedRoleUser"] == assumed["AssumedRoleUser"]
    assert aws.sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/sandbox"


def test_scalable_targets(world):
    target = {
        "ServiceNamespace": "ecs", "ResourceId": "service/shop/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    scaling = world.aws.scaling
    scaling.register_scalable_target(**target, MinCapacity=4, MaxCapacity=6)
    assert world.show()["desiredCount"] == 4
    shown = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert [(one["MinCapacity"], one["MaxCapacity"]) for one in shown] == [(4, 6)]
    scaling.deregister_scalable_target(**target)
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


def test_an_unmodelled_member_that_was_sent_comes_back(aws):
    """botocore's models know the member; the sandbox does not act on it."""
    made = aws.ecs.register_task_definition(**definition("job", "nginx:1", enableFaultInjection=True))
    assert made["taskDefinition"]["enableFaultInjection"] is True


PAGED = [
    ("ecs", "list_clusters", {}, "clusterArns", {"PageSize": 2}, 5),
    ("ecs", "list_task_definitions", {}, "taskDefinitionArns", {"PageSize": 2}, 5),
    ("ecs", "list_task_definition_families", {}, "families", {"PageSize": 2}, 5),
    ("ecs", "list_services", {"cluster": "c0"}, "serviceArns", {}, 12),
    ("ecs", "list_tasks", {"cluster": "c0"}, "taskArns", {"PageSize": 5}, 12),
    ("elbv2", "describe_load_balancers", {}, "LoadBalancers", {"PageSize": 2}, 5),
    ("elbv2", "describe_target_groups", {}, "TargetGroups", {"PageSize": 2}, 5),
    ("elbv2", "describe_listeners", {"LoadBalancerArn": "$balancer"}, "Listeners", {"PageSize": 2}, 5),
    ("elbv2", "describe_rules", {"ListenerArn": "$listener"}, "Rules", {"PageSize": 2}, 6),
    ("ecr", "describe_repositories", {}, "repositories", {"PageSize": 2}, 5),
    ("ecr", "describe_images", {"repositoryName": "r0"}, "imageDetails", {"PageSize": 2}, 5),
    ("ecr", "list_images", {"repositoryName": "r0"}, "imageIds", {"PageSize": 2}, 5),
    ("logs", "describe_log_streams", {"logGroupName": "/jobs"}, "logStreams", {"PageSize": 5}, 12),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"}, "ScalableTargets", {"PageSize": 5}, 12),
    # A page has at most 10.
    ("application-autoscaling", "describe_scaling_policies", {"ServiceNamespace": "ecs"}, "ScalingPolicies", {}, 12),
    ("application-autoscaling", "describe_scheduled_actions", {"ServiceNamespace": "ecs"}, "ScheduledActions", {"PageSize": 5}, 12),
]


@pytest.fixture(scope="module")
def many(sandbox):
    from sandbox import fresh_region

    aws = Clients(sandbox, fresh_region())
    for at in range(5):
        aws.ecs.create_cluster(clusterName=f"c{at}")
        aws.ecs.register_task_definition(**logged(aws, definition(f"f{at}", "nginx:1")))
        balancer = aws.elb.create_load_balancer(Name=f"b{at}", Subnets=["subnet-a"])["LoadBalancers"][0]
        group(aws, f"g{at}")
        aws.ecr.create_repository(repositoryName=f"r{at}")
        manifest = f'{{"schemaVersion": 2, "n": {at}}}'
        aws.ecr.put_image(repositoryName="r0", imageManifest=manifest, imageTag=str(at))
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    for at in range(5):
        listener = aws.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80 + at, DefaultActions=[fixed]
        )["Listeners"][0]["ListenerArn"]
    for at in range(5):
        aws.elb.create_rule(
            ListenerArn=listener, Priority=at + 1, Actions=[fixed],
            Conditions=[{"Field": "path-pattern", "Values": [f"/{at}"]}],
        )
    for at in range(12):
        aws.ecs.create_service(
            cluster="c0", serviceName=f"s{at}", taskDefinition="f0", desiredCount=1,
            launchType="FARGATE", networkConfiguration=FARGATE_NETWORK,
        )
        target = {
            "ServiceNamespace": "ecs", "ResourceId": f"service/c0/s{at}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        aws.scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
        aws.scaling.put_scaling_policy(
            **target, PolicyName="p", PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}],
            },
        )
        aws.scaling.put_scheduled_action(
            **target, ScheduledActionName="a", Schedule="rate(1 day)", ScalableTargetAction={"MinCapacity": 1}
        )
    until(lambda: len(aws.ecs.list_tasks(cluster="c0")["taskArns"]) == 12, what="12 tasks")
    tasks = aws.ecs.list_tasks(cluster="c0")["taskArns"]
    aws.ecs.get_waiter("tasks_running").wait(
        cluster="c0", tasks=tasks, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    return aws, {"$balancer": balancer["LoadBalancerArn"], "$listener": listener}


@pytest.mark.parametrize("service, operation, arguments, result, config, count", PAGED, ids=lambda x: x if isinstance(x, str) else "")
def test_a_paginator_finds_all_of_them_once(many, service, operation, arguments, result, config, count):
    aws, names = many
    arguments = {key: names.get(value, value) for key, value in arguments.items()}
    pages = list(aws.client(service).get_paginator(operation).paginate(**arguments, PaginationConfig=config))
    items = [str(item) for page in pages for item in page[result]]
    assert len(pages) > 1
    assert len(items) == len(set(items)) == count
