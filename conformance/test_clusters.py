"""Clusters and what they run on: capacity providers, container instances, account settings."""

import json

import pytest
from botocore.exceptions import ClientError

from world import FARGATE_NETWORK, definition

ROOT = "arn:aws:iam::123456789012:root"


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]["Code"]


@pytest.fixture
def ecs(aws):
    aws.ecs.create_cluster(clusterName="shop")
    aws.ecs.register_task_definition(**definition("web", "nginx:1"))
    return aws.ecs


def test_settings_of_a_cluster(ecs):
    insights = lambda value: [{"name": "containerInsights", "value": value}]
    changed = ecs.update_cluster_settings(cluster="shop", settings=insights("enabled"))["cluster"]
    assert changed["settings"] == insights("enabled")
    logged = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    ecs.update_cluster(cluster="shop", configuration=logged)
    (shown,) = ecs.describe_clusters(clusters=["shop"], include=["SETTINGS", "CONFIGURATIONS"])["clusters"]
    assert (shown["settings"], shown["configuration"]) == (insights("enabled"), logged)
    wrong = insights("perhaps")
    assert refused(ecs.update_cluster_settings, cluster="shop", settings=wrong) == "InvalidParameterException"
    assert refused(ecs.create_cluster, clusterName="x", settings=wrong) == "InvalidParameterException"
    assert refused(ecs.update_cluster, cluster="none") == "ClusterNotFoundException"


def test_capacity_providers_of_a_cluster(ecs):
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    put = lambda names, strategy: ecs.put_cluster_capacity_providers(
        cluster="shop", capacityProviders=names, defaultCapacityProviderStrategy=strategy
    )["cluster"]
    assert put(["FARGATE", "FARGATE_SPOT"], spot)["defaultCapacityProviderStrategy"] == spot
    # A service that says nothing takes the cluster's strategy.
    made = ecs.create_service(
        cluster="shop", serviceName="web", taskDefinition="web", desiredCount=1,
        networkConfiguration=FARGATE_NETWORK,
    )["service"]
    assert made["capacityProviderStrategy"] == spot and "launchType" not in made
    ran = ecs.run_task(cluster="shop", taskDefinition="web", networkConfiguration=FARGATE_NETWORK)
    assert ran["failures"] == [] and len(ran["tasks"]) == 1
    for names, strategy, code in (
        (["nobody"], [], "InvalidParameterException"),
        (["FARGATE"], spot, "InvalidParameterException"),
        (["FARGATE"], [], "ResourceInUseException"),
        (["FARGATE", "FARGATE_SPOT"], [spot[0] | {"base": 1}, {"capacityProvider": "FARGATE", "base": 1}],
         "InvalidParameterException"),
    ):
        wrong = {"capacityProviders": names, "defaultCapacityProviderStrategy": strategy}
        assert refused(ecs.put_cluster_capacity_providers, cluster="shop", **wrong) == code, wrong


def test_capacity_providers(ecs):
    group = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/nodes"
    provider = {"autoScalingGroupArn": group, "managedScaling": {"status": "ENABLED"}}
    made = ecs.create_capacity_provider(
        name="nodes", autoScalingGroupProvider=provider, tags=[{"key": "team", "value": "shop"}]
    )["capacityProvider"]
    assert made["autoScalingGroupProvider"]["managedScaling"]["targetCapacity"] == 100
    shown = ecs.describe_capacity_providers()["capacityProviders"]
    assert [one["name"] for one in shown] == ["FARGATE", "FARGATE_SPOT", "nodes"]
    changed = ecs.update_capacity_provider(
        name="nodes", autoScalingGroupProvider={"managedScaling": {"targetCapacity": 80}}
    )["capacityProvider"]["autoScalingGroupProvider"]["managedScaling"]
    assert (changed["targetCapacity"], changed["status"]) == (80, "ENABLED")
    for name in ("fargate-mine", "nodes", "a b"):
        code = refused(ecs.create_capacity_provider, name=name, autoScalingGroupProvider=provider)
        assert code in ("InvalidParameterException", "ClientException"), name
    mixed = [{"capacityProvider": "nodes", "weight": 1}, {"capacityProvider": "FARGATE", "weight": 1}]
    ecs.put_cluster_capacity_providers(
        cluster="shop", capacityProviders=["nodes", "FARGATE"], defaultCapacityProviderStrategy=[]
    )
    code = refused(
        ecs.create_service, cluster="shop", serviceName="mixed", taskDefinition="web", desiredCount=1,
        networkConfiguration=FARGATE_NETWORK, capacityProviderStrategy=mixed,
    )
    assert code == "InvalidParameterException"
    assert refused(ecs.delete_capacity_provider, capacityProvider="nodes") == "ClientException"
    ecs.put_cluster_capacity_providers(
        cluster="shop", capacityProviders=[], defaultCapacityProviderStrategy=[]
    )
    assert ecs.delete_capacity_provider(capacityProvider="nodes")["capacityProvider"]["status"] == "INACTIVE"
    assert refused(ecs.delete_capacity_provider, capacityProvider="FARGATE") == "InvalidParameterException"


def test_container_instances(ecs):
    document = {"instanceId": "i-0123456789abcdef0", "availabilityZone": "eu-central-1b"}
    whole = lambda name, amount: {"name": name, "type": "INTEGER", "integerValue": amount}
    made = ecs.register_container_instance(
        cluster="shop",
        instanceIdentityDocument=json.dumps(document),
        totalResources=[whole("CPU", 1024), whole("MEMORY", 2048)],
        attributes=[{"name": "rack", "value": "7"}],
        tags=[{"key": "team", "value": "shop"}],
    )["containerInstance"]
    arn = made["containerInstanceArn"]
    assert (made["ec2InstanceId"], made["tags"][0]["value"]) == (document["instanceId"], "shop")
    assert refused(ecs.delete_cluster, cluster="shop") == "ClusterContainsContainerInstancesException"
    put = {"name": "stack", "value": "blue", "targetType": "container-instance", "targetId": arn}
    assert ecs.put_attributes(cluster="shop", attributes=[put])["attributes"] == [put]
    listed = ecs.list_attributes(cluster="shop", targetType="container-instance", attributeName="stack")
    assert listed["attributes"] == [put]
    gone = {"name": "stack", "targetId": arn, "targetType": "container-instance"}
    assert ecs.delete_attributes(cluster="shop", attributes=[gone])["attributes"] == [put]
    names = ecs.list_attributes(cluster="shop", targetType="container-instance")["attributes"]
    assert [one["name"] for one in names] == ["ecs.availability-zone", "ecs.instance-type", "ecs.os-type", "rack"]
    lost = put | {"targetId": arn[:-1]}
    assert refused(ecs.put_attributes, cluster="shop", attributes=[lost]) == "TargetNotFoundException"
    ecs.register_task_definition(
        family="job", containerDefinitions=[{"name": "job", "image": "nginx:1", "memory": 128}]
    )
    assert ecs.run_task(cluster="shop", taskDefinition="job")["failures"] == []
    away = {"cluster": "shop", "containerInstance": arn}
    assert refused(ecs.deregister_container_instance, **away) == "InvalidParameterException"
    assert ecs.deregister_container_instance(**away, force=True)["containerInstance"]["status"] == "INACTIVE"
    assert ecs.list_container_instances(cluster="shop")["containerInstanceArns"] == []


def test_account_settings(ecs):
    effective = lambda: {
        one["name"]: (one["value"], one["principalArn"].rsplit(":")[-1])
        for one in ecs.list_account_settings(effectiveSettings=True)["settings"]
    }
    assert effective()["containerInsights"] == ("disabled", "root")
    assert ecs.list_account_settings()["settings"] == []
    default = ecs.put_account_setting_default(name="containerInsights", value="enabled")["setting"]
    assert default["principalArn"] == ROOT
    assert effective()["containerInsights"] == ("enabled", "root")
    ecs.put_account_setting(name="containerInsights", value="enhanced")
    assert effective()["containerInsights"] == ("enhanced", "user/sandbox")
    (own,) = ecs.list_account_settings(name="containerInsights")["settings"]
    assert (own["value"], own["type"]) == ("enhanced", "user")
    ecs.delete_account_setting(name="containerInsights")
    assert effective()["containerInsights"] == ("enabled", "root")
    put = ecs.put_account_setting
    for name, value in (("bogus", "on"), ("containerInsights", "perhaps"), ("guardDutyActivate", "off")):
        assert refused(put, name=name, value=value) == "InvalidParameterException", name
