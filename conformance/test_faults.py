"""Everything that can go wrong on the way to AWS and back, as boto3 sees it."""

import http.client
import json
import re
import time

import botocore.exceptions
import botocore.parsers
import pytest

from sandbox import Sandbox, fresh_region
from world import Clients, World, definition, group


@pytest.fixture(scope="module")
def calm():
    """A sandbox whose time stands still but for what a test advances."""
    one = Sandbox(0.001)
    yield one
    assert one.stop() == 0
    assert one.problems == []


@pytest.fixture
def faulty(calm):
    yield calm
    calm.control("POST", "faults", [])


def cluster(aws):
    """Something small whose change can be seen."""
    made = aws.ecs.create_cluster(clusterName="c", tags=[{"key": "n", "value": "0"}])["cluster"]["clusterArn"]
    change = lambda: aws.ecs.tag_resource(resourceArn=made, tags=[{"key": "n", "value": "1"}])
    read = lambda: aws.ecs.list_tags_for_resource(resourceArn=made)["tags"][0]["value"]
    return change, read


REFUSED = [
    ("throttle", "ThrottlingException", 400, "Throttling", 400, "^Rate exceeded$"),
    ("500", "ServerException", 500, "InternalFailure", 500, ""),
    ("503", "ServiceUnavailableException", 503, "ServiceUnavailable", 503, ""),
    ("expired", "ExpiredTokenException", 400, "ExpiredToken", 403, "^The security token included in the request is expired$"),
    ("denied", "AccessDeniedException", 400, "AccessDenied", 403, "is not authorized to perform: "),
]


@pytest.mark.parametrize("does, code, status, query_code, query_status, text", REFUSED, ids=lambda x: x)
def test_aws_refuses_and_nothing_happens(faulty, does, code, status, query_code, query_status, text):
    aws = Clients(faulty, fresh_region())
    change, read = cluster(aws)
    faulty.control("POST", "faults", [{"operation": "TagResource", "does": does}, {"operation": "DescribeTargetGroups", "does": does}])
    refusals = [(change, code, status), (aws.elb.describe_target_groups, query_code, query_status)]
    for call, want, want_status in refusals:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == want
        assert re.search(text, caught.value.response["Error"]["Message"])
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == want_status
    assert read() == "0"
    assert [one["hit"] for one in faulty.control("GET", "faults")] == [1, 1]


LOST = [
    ("reset-before", botocore.exceptions.ConnectionClosedError, "0"),
    ("reset-after", botocore.exceptions.ConnectionClosedError, "1"),
    ("lose-request", botocore.exceptions.ReadTimeoutError, "0"),
    ("lose-answer", botocore.exceptions.ReadTimeoutError, "1"),
]


@pytest.mark.parametrize("does, error, after", LOST, ids=lambda x: x if isinstance(x, str) else "")
def test_the_network_fails_before_or_after_the_effect(faulty, does, error, after):
    aws = Clients(faulty, fresh_region(), url=faulty.exports["AWS_ENDPOINT_URL"], read_timeout=1)
    change, read = cluster(aws)
    faulty.control("POST", "faults", {"operation": "TagResource", "does": does})
    with pytest.raises(error):
        change()
    assert read() == after


def test_a_body_breaks_off(faulty):
    aws = Clients(faulty, fresh_region(), url=faulty.exports["AWS_ENDPOINT_URL"])
    faulty.control("POST", "faults", {"operation": "*", "does": "truncate", "times": 2})
    with pytest.raises(botocore.parsers.ResponseParserError):
        group(aws, "blue")
    # Of broken JSON botocore makes an empty answer. Python itself sees that a part is missing.
    connection = http.client.HTTPConnection(faulty.address, timeout=30)
    target = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.CreateCluster"}
    connection.request("POST", "/", '{"clusterName": "half"}', target)
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()
    assert [one["TargetGroupName"] for one in aws.elb.describe_target_groups()["TargetGroups"]] == ["blue"]


def test_a_slow_answer_is_late_in_real_time(faulty):
    region, url = fresh_region(), faulty.exports["AWS_ENDPOINT_URL"]
    change, read = cluster(Clients(faulty, region, url=url, read_timeout=0.2))
    faulty.control("POST", "faults", {"operation": "TagResource", "does": "slow", "for": "1s"})
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        change()
    assert read() == "1"
    change, _ = cluster(Clients(faulty, fresh_region(), url=url, read_timeout=60))
    begin = time.monotonic()
    change()
    assert time.monotonic() - begin >= 1


def test_a_stale_read_sees_what_was(faulty):
    change, read = cluster(Clients(faulty, fresh_region()))
    faulty.control("POST", "faults", {"operation": "ListTagsForResource", "does": "stale", "age": "30s"})
    faulty.advance("1m")
    change()
    assert read() == "0"
    faulty.advance("31s")
    assert read() == "1"


def test_the_ordinal_says_which_call(faulty):
    change, _ = cluster(Clients(faulty, fresh_region()))

    def codes(count):
        for _ in range(count):
            try:
                change()
                yield "-"
            except botocore.exceptions.ClientError as error:
                yield error.response["Error"]["Code"][0]

    faulty.control("POST", "faults", {"operation": "TagResource", "does": "throttle", "nth": 2})
    assert "".join(codes(4)) == "-T--"
    faulty.control("POST", "faults", {"operation": "*", "does": "500", "nth": 2, "times": 2})
    assert "".join(codes(5)) == "-SS--"
    half = {"operation": "TagResource", "does": "throttle", "probability": 0.5, "seed": 7}
    faulty.control("POST", "faults", half)
    first = "".join(codes(40))
    faulty.control("POST", "faults", half)
    assert "".join(codes(40)) == first
    assert 10 < first.count("T") < 30
    faulty.control("POST", "faults", half | {"seed": 8})
    assert "".join(codes(40)) != first


@pytest.mark.parametrize("does", ["throttle", "500", "503", "reset-before", "lose-request", "lose-answer"])
def test_the_retries_of_boto3_get_past_it(faulty, does):
    retries = {"mode": "standard", "total_max_attempts": 3}
    url = faulty.exports["AWS_ENDPOINT_URL"]
    aws = Clients(faulty, fresh_region(), url=url, retries=retries, read_timeout=1)
    change, read = cluster(aws)
    faulty.control("POST", "faults", {"operation": "TagResource", "does": does, "times": 1})
    change()
    assert read() == "1"
    assert faulty.control("GET", "faults")[0]["seen"] == 2


def test_a_fault_that_makes_no_sense_is_refused_by_its_member(faulty):
    for order, member in [
        ({"operation": "TagResource", "does": "explode"}, "explode"),
        ({"operation": "TagResource", "does": "slow"}, "`for`"),
        ({"operation": "TagResource", "does": "throttle", "probability": 2}, "`probability`"),
        ({"operation": "TagResource", "does": "throttle", "often": 2}, "often"),
    ]:
        with pytest.raises(AssertionError, match="faults\\[0\\].*" + member):
            faulty.control("POST", "faults", order)


def test_aws_takes_only_so_many_calls():
    one = Sandbox(0.001, "--throttle")
    aws = Clients(one, fresh_region())
    register = lambda: aws.ecs.register_task_definition(**definition("job", "nginx:1"))
    for _ in range(20):
        register()
    with pytest.raises(botocore.exceptions.ClientError, match="Rate exceeded") as caught:
        register()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    Clients(one, fresh_region()).ecs.list_task_definitions()
    one.advance("1s")
    assert register()["taskDefinition"]["revision"] == 21
    with pytest.raises(botocore.exceptions.ClientError, match="Rate exceeded"):
        register()
    assert one.stop() == 0 and one.problems == []


def test_a_policy_says_who_may_do_what(tmp_path):
    policy = tmp_path / "policy.json"
    tagged = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
    statements = [
        {"Effect": "Allow", "Action": ["ecs:Create*", "ecs:TagResource", "ecs:List*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "ecs:DeleteCluster", "Resource": "*", "Condition": tagged},
        {"Effect": "Deny", "Action": "ecs:ListServices", "Resource": "*"},
    ]
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    one = Sandbox(1, "--policy", str(policy))
    aws = Clients(one, fresh_region())
    aws.ecs.create_cluster(clusterName="own", tags=[{"key": "team", "value": "shop"}])
    aws.ecs.create_cluster(clusterName="other")
    aws.ecs.delete_cluster(cluster="own")
    me = "arn:aws:iam::123456789012:user/sandbox"
    arn = f"arn:aws:ecs:{aws.region}:123456789012:cluster/other"
    for call, code, text in [
        (lambda: aws.ecs.delete_cluster(cluster="other"), "AccessDeniedException", f"^User: {me} is not authorized to perform: ecs:DeleteCluster on resource: {arn} because no identity-based policy allows the ecs:DeleteCluster action$"),
        (lambda: aws.ecs.list_services(cluster="other"), "AccessDeniedException", "with an explicit deny in an identity-based policy$"),
        (aws.elb.describe_rules, "AccessDenied", "elasticloadbalancing:DescribeRules"),
    ]:
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            call()
        error = caught.value.response["Error"]
        assert error["Code"] == code
        assert re.search(text, error["Message"]), error["Message"]
    assert aws.sts.get_caller_identity()["Arn"] == me
    assert one.stop() == 0 and one.problems == []


def test_an_alarm_rolls_a_deployment_back(calm):
    # Alarms are those of the region that the sandbox names.
    aws = Clients(calm, calm.exports["AWS_REGION"])
    alarms = {"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True}}
    calm.control("PUT", "alarms", {"name": "errors", "state": "OK"})
    world = World(aws, deploymentConfiguration=alarms)
    calm.advance("10m")
    aws.ecs.register_task_definition(**definition("web", "registry.example.com/shop/web:2"))
    aws.ecs.update_service(cluster="shop", service="web", taskDefinition="web:2")
    calm.advance("10s")
    calm.control("PUT", "alarms", {"name": "errors", "state": "ALARM"})
    calm.advance("10m")
    listed = aws.ecs.list_service_deployments(cluster="shop", service="web")["serviceDeployments"]
    assert [one["status"] for one in listed] == ["ROLLBACK_SUCCESSFUL", "SUCCESSFUL"]
    arn = listed[0]["serviceDeploymentArn"]
    (shown,) = aws.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    assert (shown["alarms"]["status"], shown["alarms"]["triggeredAlarmNames"]) == ("TRIGGERED", ["errors"])
    assert world.show()["taskDefinition"] == world.definition
