"""CloudWatch's alarms in each of its three protocols, and in the one that boto3 and the aws CLI choose."""

import copy
import json
import subprocess

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox import ROOT, fresh_region

AWS = ROOT / "target" / "conformance" / "bin" / "aws"
# What the answers of each are.
PROTOCOLS = {
    "query": "text/xml",
    "json": "application/x-amz-json-1.0",
    "smithy-rpc-v2-cbor": "application/cbor",
}
LATE = {
    "AlarmName": "late", "Namespace": "AWS/ApplicationELB", "MetricName": "TargetResponseTime", "Period": 60,
    "EvaluationPeriods": 2, "Threshold": 1.5, "ComparisonOperator": "GreaterThanThreshold",
    "Statistic": "Average", "ActionsEnabled": False, "AlarmActions": ["arn:aws:sns:eu-central-1:1:ops"],
    "Dimensions": [{"Name": "LoadBalancer", "Value": "app/shop/1 ü"}],
}
BIG = {
    "AlarmName": "big", "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold", "Threshold": -3,
    "Metrics": [
        {"Id": "e", "Expression": "a / 2", "ReturnData": True},
        {"Id": "a", "ReturnData": False, "MetricStat": {
            "Metric": {"Namespace": "N", "MetricName": "M"}, "Period": 300, "Stat": "Sum",
        }},
    ],
}


def client(sandbox, region, protocol=None):
    """A client of CloudWatch that speaks one protocol, or the one that it chooses."""
    session = botocore.session.Session()
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def edited(name, kind, api_version=None):
        model = load(name, kind, api_version=api_version)
        if protocol and (name, kind) == ("cloudwatch", "service-2"):
            model = copy.copy(model)
            model["metadata"] = model["metadata"] | {"protocol": protocol, "protocols": [protocol]}
        return model

    loader.load_service_model = edited
    session = boto3.session.Session(
        aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region,
        botocore_session=session,
    )
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return session.client("cloudwatch", endpoint_url=sandbox.url, config=config)


@pytest.fixture(params=PROTOCOLS)
def alarms(request, sandbox):
    sandbox.spoken.clear()
    yield client(sandbox, fresh_region(), request.param)
    assert set(sandbox.spoken) == {("cloudwatch", PROTOCOLS[request.param])}


def states(answer):
    return {one["AlarmName"]: one["StateValue"] for one in answer["MetricAlarms"]}


def test_alarms_are_made_set_and_read(alarms):
    for one in (LATE, BIG):
        alarms.put_metric_alarm(**one)
    assert states(alarms.describe_alarms()) == {"big": "INSUFFICIENT_DATA", "late": "INSUFFICIENT_DATA"}
    alarms.set_alarm_state(AlarmName="late", StateValue="ALARM", StateReason="a test, größer")
    (late,) = alarms.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert {key: late[key] for key in LATE} == LATE
    assert late["StateReason"] == "a test, größer" and late["OKActions"] == []
    assert late["AlarmArn"].endswith(":123456789012:alarm:late")
    assert late["StateUpdatedTimestamp"] >= late["AlarmConfigurationUpdatedTimestamp"]
    assert late["StateUpdatedTimestamp"].year >= 2020
    (big,) = alarms.describe_alarms(AlarmNames=["big", "none"])["MetricAlarms"]
    assert {key: big[key] for key in BIG} == BIG
    # Made once more, it keeps its state, and nothing else.
    alarms.put_metric_alarm(AlarmName="late", EvaluationPeriods=1, ComparisonOperator="LessThanThreshold")
    (late,) = alarms.describe_alarms(AlarmNamePrefix="la")["MetricAlarms"]
    assert late["StateValue"] == "ALARM" and "Threshold" not in late and late["ActionsEnabled"] is True
    assert states(alarms.describe_alarms(ActionPrefix="arn:aws:sns")) == {}
    assert states(alarms.describe_alarms(AlarmTypes=["CompositeAlarm"])) == {}
    alarms.delete_alarms(AlarmNames=["late"])
    assert states(alarms.describe_alarms()) == {"big": "INSUFFICIENT_DATA"}


def test_pages(alarms):
    for at in range(5):
        alarms.put_metric_alarm(AlarmName=f"a{at}", EvaluationPeriods=1, ComparisonOperator="LessThanThreshold")
    pages = list(alarms.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2}))
    assert [list(states(page)) for page in pages] == [["a0", "a1"], ["a2", "a3"], ["a4"]]


def test_refusals(alarms):
    alarms.put_metric_alarm(**LATE)
    known = alarms.exceptions
    for operation, members, error, code, status in (
        ("set_alarm_state", {"AlarmName": "none", "StateValue": "OK", "StateReason": "x"}, known.ResourceNotFound, "ResourceNotFound", 404),
        ("delete_alarms", {"AlarmNames": ["late", "none"]}, known.ResourceNotFound, "ResourceNotFound", 404),
        ("describe_alarms", {"NextToken": "not one"}, known.InvalidNextToken, "InvalidNextToken", 400),
        ("set_alarm_state", {"AlarmName": "late", "StateValue": "FINE", "StateReason": "x"}, ClientError, "ValidationError", 400),
        ("set_alarm_state", {"AlarmName": "late", "StateValue": "OK"}, ClientError, "ValidationError", 400),
        ("put_metric_alarm", {"AlarmName": "x"}, ClientError, "ValidationError", 400),
        ("describe_alarms", {"MaxRecords": 101}, ClientError, "ValidationError", 400),
    ):
        with pytest.raises(error) as caught:
            getattr(alarms, operation)(**members)
        got = caught.value.response
        assert (got["Error"]["Code"], got["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), members
        assert got["Error"]["Message"], members
    assert states(alarms.describe_alarms()) == {"late": "INSUFFICIENT_DATA"}


def test_faults_are_told_in_each_protocol(alarms, sandbox):
    codes = {"throttle": ("Throttling", 400), "503": ("ServiceUnavailable", 503), "denied": ("AccessDenied", 403)}
    for does, expected in codes.items():
        sandbox.control("POST", "faults", [{"operation": "DescribeAlarms", "does": does, "times": 1}])
        with pytest.raises(ClientError) as caught:
            alarms.describe_alarms()
        got = caught.value.response
        assert (got["Error"]["Code"], got["ResponseMetadata"]["HTTPStatusCode"]) == expected
    sandbox.control("POST", "faults", [])


def test_boto3_and_the_cli_choose_json(sandbox):
    region = fresh_region()
    sandbox.spoken.clear()
    client(sandbox, region).put_metric_alarm(**LATE)
    assert set(sandbox.spoken) == {("cloudwatch", PROTOCOLS["json"])}
    sandbox.spoken.clear()
    done = subprocess.run(
        [AWS, "cloudwatch", "describe-alarms", "--alarm-names", "late", "--output", "json"],
        env=sandbox.environment(region), capture_output=True, text=True, timeout=60,
    )
    assert states(json.loads(done.stdout)) == {"late": "INSUFFICIENT_DATA"}, done.stderr
    assert set(sandbox.spoken) == {("cloudwatch", PROTOCOLS["json"])}


def test_a_service_without_cbor_does_not_speak_it(sandbox):
    import http.client

    for path, body in (
        ("/service/AmazonEC2ContainerServiceV20141113/operation/ListClusters", b"\xa0"),
        ("/service/GraniteServiceVersion20100801/operation/PutDashboard", b"\xa0"),
        ("/service/GraniteServiceVersion20100801/operation/DescribeAlarms", b"\xa1"),
    ):
        connection = http.client.HTTPConnection(sandbox.address, timeout=30)
        headers = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        said = response.read()
        connection.close()
        want = b"SerializationException" if body == b"\xa1" else b"UnknownOperationException"
        assert response.status in (400, 404) and want in said, (path, said)
