"""What task definitions name and other services have: roles, secrets, parameters, subnets and images."""

import datetime
import json
import subprocess

import pytest
from botocore.exceptions import ClientError

from sandbox import ROOT, Sandbox
from world import Clients

AWS = ROOT / "target" / "conformance" / "bin" / "aws"
REGION = "eu-central-1"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
INDEX = "application/vnd.oci.image.index.v1+json"

SCENARIO = f"""extends = 'solo'

[[role]]
name = 'shop-load-balancers'
trusts = 'ecs.amazonaws.com'

[[repository]]
name = 'shop/api'
platforms = {{ 2 = ['linux/arm64', 'linux/amd64'] }}

[[limit]]
name = 'Fargate On-Demand vCPU resource count'
max = 12

[[subnet]]
name = 'subnet-b'
addresses = 9

[[container_instance]]
name = 'own'
cluster = 'shop'
ec2InstanceId = 'i-0a1b2c3d4e5f60718'
enis = 3

[[task_definition]]
family = 'api'
containerDefinitions = [{{ name = 'api', image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1', \
portMappings = [{{ containerPort = 8080 }}], secrets = [\
{{ name = 'A', valueFrom = '{ARN}shop/a-AbCdEf:key::' }}, {{ name = 'B', valueFrom = '/shop/b' }}, \
{{ name = 'C', valueFrom = 'arn:aws:ssm:eu-central-1:123456789012:parameter/shop/deep/c' }}, \
{{ name = 'D', valueFrom = 'plain' }}] }}]
"""


@pytest.fixture(scope="module")
def shop(sandbox, tmp_path_factory):
    scenario = tmp_path_factory.mktemp("named") / "named.toml"
    scenario.write_text(SCENARIO)
    one = Sandbox(scale=1, scenario=scenario)
    yield Clients(one, REGION)
    sandbox.answered.update(one.answered)
    assert one.stop() == 0
    assert one.problems == []


def code(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"]


def test_roles(shop):
    role = shop.iam.get_role(RoleName="shop-execution")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/shop-execution"
    trusted = lambda one: one["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
    # botocore decodes the policy.
    assert trusted(role) == "ecs-tasks.amazonaws.com"
    other = shop.iam.get_role(RoleName="shop-load-balancers")["Role"]
    assert trusted(other) == "ecs.amazonaws.com" and other["RoleId"] != role["RoleId"]
    with pytest.raises(shop.iam.exceptions.NoSuchEntityException, match="nobody cannot be found"):
        shop.iam.get_role(RoleName="nobody")
    for name in ("", "a" * 65, "a/b"):
        assert code(shop.iam.get_role, RoleName=name) == "ValidationError", name


def test_what_the_caller_may_do(shop):
    """Nobody gave the sandbox a policy: everything is allowed, each action on each resource."""
    caller = shop.client("sts").get_caller_identity()["Arn"]
    resources = ["arn:aws:ecs:eu-central-1:123456789012:service/shop/web", "*"]
    answer = shop.iam.simulate_principal_policy(
        PolicySourceArn=caller, ActionNames=["ecs:UpdateService", "iam:PassRole"], ResourceArns=resources
    )
    assert not answer["IsTruncated"]
    results = answer["EvaluationResults"]
    assert [one["EvalActionName"] for one in results] == ["ecs:UpdateService", "iam:PassRole"]
    for one in results:
        assert one["EvalDecision"] == "allowed"
        each = one["ResourceSpecificResults"]
        assert [own["EvalResourceName"] for own in each] == resources
        assert {own["EvalResourceDecision"] for own in each} == {"allowed"}
    role = shop.iam.get_role(RoleName="shop-execution")["Role"]["Arn"]
    own = shop.iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["ecs:RunTask"])
    assert own["EvaluationResults"][0]["EvalDecision"] == "allowed"


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
MANAGED = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"


def test_a_role_is_made(shop):
    iam = shop.iam
    new = {"RoleName": "new", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    made = iam.create_role(**new, Path="/ecs/", Tags=[{"Key": "team", "Value": "shop"}])["Role"]
    assert made["Arn"] == "arn:aws:iam::123456789012:role/ecs/new"
    assert made["AssumeRolePolicyDocument"] == TRUST
    assert iam.get_role(RoleName="new")["Role"]["Tags"] == [{"Key": "team", "Value": "shop"}]
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException, match="Role with name new already exists."):
        iam.create_role(**new)
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_role(RoleName="other", AssumeRolePolicyDocument='{"Version": "2012-10-17"}')
    listed = lambda **more: [
        one["PolicyName"] for one in iam.list_attached_role_policies(RoleName="new", **more)["AttachedPolicies"]
    ]
    assert listed() == []
    execution = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    for arn in (MANAGED, execution, MANAGED):
        iam.attach_role_policy(RoleName="new", PolicyArn=arn)
    names = ["AmazonECSInfrastructureRolePolicyForLoadBalancers", "AmazonECSTaskExecutionRolePolicy"]
    assert listed() == names and listed(PathPrefix="/service-role/") == names[1:]
    pages = iam.get_paginator("list_attached_role_policies").paginate(
        RoleName="new", PaginationConfig={"PageSize": 1}
    )
    assert [one["PolicyName"] for page in pages for one in page["AttachedPolicies"]] == names
    with pytest.raises(iam.exceptions.NoSuchEntityException, match="does not exist or is not attachable"):
        iam.attach_role_policy(RoleName="new", PolicyArn=MANAGED.replace("policy/", "policy/service-role/"))
    with pytest.raises(iam.exceptions.InvalidInputException):
        iam.attach_role_policy(RoleName="new", PolicyArn="a-policy-without-an-arn")


def test_secrets(shop):
    for name in ("shop/a", f"{ARN}shop/a-AbCdEf", f"{ARN}shop/a"):
        secret = shop.secrets.describe_secret(SecretId=name)
        assert (secret["Name"], secret["ARN"]) == ("shop/a", f"{ARN}shop/a-AbCdEf"), name
    assert list(secret["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
    elsewhere = f"{ARN}shop/a-AbCdEf".replace("eu-central-1", "us-east-1")
    # The six characters are not a part of the name.
    for name in ("shop/c", "shop/a-AbCdEf", f"{ARN}shop/a-AbCdEg", elsewhere):
        with pytest.raises(shop.secrets.exceptions.ResourceNotFoundException, match="can't find"):
            shop.secrets.describe_secret(SecretId=name)


def names(answer):
    return [one["Name"] for one in answer["Parameters"]]


@pytest.mark.parametrize(
    "filters, found",
    [
        ([], ["/shop/b", "/shop/deep/c", "plain"]),
        ([{"Key": "Name", "Values": ["/shop/b", "plain", "other"]}], ["/shop/b", "plain"]),
        ([{"Key": "Name", "Option": "BeginsWith", "Values": ["/shop"]}], ["/shop/b", "/shop/deep/c"]),
        ([{"Key": "Name", "Option": "Contains", "Values": ["deep"]}], ["/shop/deep/c"]),
        ([{"Key": "Path", "Values": ["/shop"]}], ["/shop/b"]),
        ([{"Key": "Path", "Option": "Recursive", "Values": ["/shop/"]}], ["/shop/b", "/shop/deep/c"]),
        ([{"Key": "Path", "Option": "OneLevel", "Values": ["/"]}], []),
        ([{"Key": "Type", "Values": ["String"]}], []),
        ([{"Key": "Type", "Values": ["SecureString"]}, {"Key": "Name", "Values": ["plain"]}], ["plain"]),
    ],
)
def test_filters_of_parameters(shop, filters, found):
    assert names(shop.ssm.describe_parameters(ParameterFilters=filters)) == found


def test_parameters(shop):
    # The older filters compare beginnings.
    old = shop.ssm.describe_parameters(Filters=[{"Key": "Name", "Values": ["/shop"]}])
    assert names(old) == ["/shop/b", "/shop/deep/c"]
    assert old["Parameters"][0]["ARN"] == "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/b"
    pages = list(shop.ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 2}))
    assert [names(page) for page in pages] == [["/shop/b", "/shop/deep/c"], ["plain"]]
    one = lambda **filter: [{"Key": "Name", "Values": ["x"]} | filter]
    for filters, error in (
        (one(Key="Colour"), "InvalidFilterKey"),
        (one(Option="Recursive"), "InvalidFilterOption"),
        (one(Values=[]), "InvalidFilterValue"),
        (one(Key="Path", Values=["shop"]), "InvalidFilterValue"),
    ):
        assert code(shop.ssm.describe_parameters, ParameterFilters=filters) == error
    assert code(shop.ssm.describe_parameters, Filters=one(), ParameterFilters=one()) == "ValidationException"


def ids(answer):
    return [one["SubnetId"] for one in answer["Subnets"]]


def test_subnets(shop):
    ec2 = shop.ec2
    shown = ec2.describe_subnets(SubnetIds=["subnet-b"])["Subnets"]
    # One of its nine is a task's.
    assert [(one["AvailabilityZone"], one["AvailableIpAddressCount"]) for one in shown] == [("eu-central-1b", 8)]
    assert ids(ec2.describe_subnets()) == ["subnet-a", "subnet-b"]
    by = lambda name, *values: ids(ec2.describe_subnets(Filters=[{"Name": name, "Values": list(values)}]))
    assert by("availability-zone", "eu-central-1b", "eu-central-1c") == ["subnet-b"]
    assert by("subnet-id", "subnet-a", "subnet-x") == ["subnet-a"]
    assert by("vpc-id", shown[0]["VpcId"]) == ["subnet-a", "subnet-b"] and by("vpc-id", "vpc-2") == []
    assert by("available-ip-address-count", "8") == ["subnet-b"]
    assert by("default-for-az", "true") == []
    pages = list(ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5}))
    assert [ids(page) for page in pages] == [["subnet-a", "subnet-b"]]
    with pytest.raises(ClientError, match="The subnet ID 'subnet-x' does not exist"):
        ec2.describe_subnets(SubnetIds=["subnet-a", "subnet-x"])
    with pytest.raises(ClientError, match="The subnet IDs 'subnet-x, subnet-y' do not exist"):
        ec2.describe_subnets(SubnetIds=["subnet-y", "subnet-x"][::-1])


def test_interfaces(shop):
    ec2 = shop.ec2
    (reservation,) = ec2.describe_instances(InstanceIds=["i-0a1b2c3d4e5f60718"])["Reservations"]
    (one,) = reservation["Instances"]
    kinds = ec2.describe_instance_types(InstanceTypes=[one["InstanceType"]])["InstanceTypes"]
    assert [kind["NetworkInfo"]["MaximumNetworkInterfaces"] for kind in kinds] == [4]
    # Its own; three are left for tasks.
    assert [each["Attachment"]["DeviceIndex"] for each in one["NetworkInterfaces"]] == [0]
    assert shop.ecs.run_task(
        cluster="shop", taskDefinition="api", launchType="EC2",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
    )["failures"] == []
    (reservation,) = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    assert [each["Attachment"]["DeviceIndex"] for each in reservation["Instances"][0]["NetworkInterfaces"]] == [0, 1]
    assert ec2.describe_instances(Filters=[{"Name": "instance-type", "Values": ["t3.micro"]}])["Reservations"] == []
    pages = list(ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 5}))
    assert "t3.micro" in {kind["InstanceType"] for page in pages for kind in page["InstanceTypes"]}


def test_quota_of_fargate(shop):
    quota = shop.quotas.get_service_quota(ServiceCode="fargate", QuotaCode="L-3032A538")["Quota"]
    assert (quota["QuotaName"], quota["Value"]) == ("Fargate On-Demand vCPU resource count", 12.0)
    spot = shop.quotas.get_service_quota(ServiceCode="fargate", QuotaCode="L-36FBB829")["Quota"]
    assert spot["QuotaName"] == "Fargate Spot vCPU resource count" and spot["Value"] != 12.0
    for service, code_ in (("fargate", "L-00000000"), ("ec2", "L-3032A538")):
        wrong = dict(ServiceCode=service, QuotaCode=code_)
        assert code(shop.quotas.get_service_quota, **wrong) == "NoSuchResourceException"


def test_usage_of_fargate(shop):
    metric = shop.quotas.get_service_quota(ServiceCode="fargate", QuotaCode="L-3032A538")["Quota"]["UsageMetric"]
    dimensions = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
    now = datetime.datetime.now(datetime.timezone.utc)
    read = lambda **other: shop.alarms.get_metric_statistics(**{
        "Namespace": metric["MetricNamespace"], "MetricName": metric["MetricName"], "Dimensions": dimensions,
        "StartTime": now - datetime.timedelta(minutes=15), "EndTime": now, "Period": 60,
        "Statistics": [metric["MetricStatisticRecommendation"], "SampleCount"],
    } | other)
    (point,) = read()["Datapoints"]
    # Two tasks of a quarter of a vCPU.
    assert (point["Maximum"], point["SampleCount"], point["Unit"]) == (0.5, 1.0, "None")
    spot = [one | {"Value": one["Value"].replace("OnDemand", "Spot")} for one in dimensions]
    for other in (dict(Dimensions=spot), dict(Dimensions=dimensions[:3]), dict(MetricName="CallCount")):
        assert read(**other)["Datapoints"] == []
    assert code(read, Period=0) == "InvalidParameterValue"
    assert code(read, Statistics=[]) == "InvalidParameterCombination"


def test_an_index_of_images(shop):
    ecr = shop.ecr
    got = ecr.batch_get_image(
        repositoryName="shop/api", imageIds=[{"imageTag": "2"}], acceptedMediaTypes=[INDEX]
    )
    (image,) = got["images"]
    assert image["imageManifestMediaType"] == INDEX and got["failures"] == []
    index = json.loads(image["imageManifest"])
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["arm64", "amd64"]
    digest = image["imageId"]["imageDigest"]
    asked = [
        {"imageDigest": digest}, {"imageTag": "2", "imageDigest": digest}, {"imageTag": "1", "imageDigest": digest},
        {"imageTag": "9"}, {"imageDigest": "sha256:" + "0" * 64}, {},
    ]
    got = ecr.batch_get_image(repositoryName="shop/api", imageIds=asked)
    assert [one["imageId"] for one in got["images"]] == asked[:2]
    assert [(one["imageId"], one["failureCode"]) for one in got["failures"]] == list(zip(asked[2:], (
        "ImageTagDoesNotMatchDigest", "ImageNotFound", "ImageNotFound", "MissingDigestAndTag",
    )))


def test_the_cli_reads_them(shop):
    def aws(*words):
        done = subprocess.run(
            [AWS, *words, "--output", "json"], env=shop.sandbox.environment(REGION),
            capture_output=True, text=True, timeout=60,
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    assert "ecs-tasks" in str(aws("iam", "get-role", "--role-name", "shop-execution")["Role"])
    found = aws("ssm", "describe-parameters", "--parameter-filters", "Key=Path,Option=Recursive,Values=/shop/deep")
    assert names(found) == ["/shop/deep/c"]
    shown = aws("ec2", "describe-subnets", "--filters", "Name=availability-zone,Values=eu-central-1a")
    assert ids(shown) == ["subnet-a"]
    refused = aws("secretsmanager", "describe-secret", "--secret-id", "shop/c")
    assert "(ResourceNotFoundException)" in refused, refused
