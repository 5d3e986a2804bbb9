"""Application Auto Scaling: policies, scheduled actions, and target tracking that scales."""

import pytest
from botocore.exceptions import ClientError

from sandbox import until

TARGET = {
    "ServiceNamespace": "ecs", "ResourceId": "service/shop/web", "ScalableDimension": "ecs:service:DesiredCount",
}


def tracking(value, metric="ECSServiceAverageCPUUtilization", **more):
    return {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}, **more,
        },
    }


@pytest.fixture
def scaled(world):
    world.completed()
    world.aws.scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=4, Tags={"team": "shop"})
    return world


def refused(call, **members):
    with pytest.raises(ClientError) as error:
        call(**members)
    return error.value.response["Error"]


def test_policies(scaled):
    scaling = scaled.aws.scaling
    made = scaling.put_scaling_policy(**TARGET, PolicyName="cpu", **tracking(20.0))
    assert made["PolicyARN"].endswith(":resource/ecs/service/shop/web:policyName/cpu")
    names = [one["AlarmName"] for one in made["Alarms"]]
    assert [name.rsplit("-", 6)[1] for name in names] == ["AlarmHigh", "AlarmLow"], names
    again = scaling.put_scaling_policy(**TARGET, PolicyName="cpu", **tracking(50.0, ScaleInCooldown=60))
    assert again == made | {"ResponseMetadata": again["ResponseMetadata"]}
    steps = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"ScalingAdjustment": 1}]}
    scaling.put_scaling_policy(
        **TARGET, PolicyName="steps", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps
    )
    shown = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId="service/shop/web")
    cpu, step = shown["ScalingPolicies"]
    assert cpu["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 50.0
    assert (step["PolicyName"], step["Alarms"]) == ("steps", [])
    page = scaling.describe_scaling_policies(ServiceNamespace="ecs", MaxResults=1)
    rest = scaling.describe_scaling_policies(ServiceNamespace="ecs", NextToken=page["NextToken"])
    assert [one["PolicyName"] for one in page["ScalingPolicies"] + rest["ScalingPolicies"]] == ["cpu", "steps"]
    scaling.delete_scaling_policy(**TARGET, PolicyName="steps")
    error = refused(scaling.delete_scaling_policy, **TARGET, PolicyName="steps")
    assert error["Code"] == "ObjectNotFoundException"
    # Its policies go with the target.
    scaling.deregister_scalable_target(**TARGET)
    assert scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"] == []


def test_what_a_policy_needs(scaled):
    put = scaled.aws.scaling.put_scaling_policy
    other = TARGET | {"ResourceId": "service/shop/nobody"}
    assert refused(put, **other, PolicyName="p", **tracking(20))["Code"] == "ObjectNotFoundException"
    for members in (
        {"PolicyType": "TargetTrackingScaling"},
        tracking(20) | {"StepScalingPolicyConfiguration": {}},
        tracking(20, metric="ALBRequestCountPerTarget"),
        tracking(20, metric="RDSReaderAverageCPUUtilization"),
        {"PolicyType": "Bogus"},
    ):
        assert refused(put, **TARGET, PolicyName="p", **members)["Code"] == "ValidationException", members


def test_target_tracking_scales_out_and_in(scaled):
    scaling, sandbox = scaled.aws.scaling, scaled.aws.sandbox
    ecs = scaled.aws.ecs
    ecs.create_cluster(clusterName="track")
    ecs.create_service(
        cluster="track", serviceName="web", taskDefinition="web", desiredCount=2, launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
    )
    target = TARGET | {"ResourceId": "service/track/web"}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
    scaling.put_scaling_policy(**target, PolicyName="cpu", **tracking(20.0))

    def counts():
        (one,) = ecs.describe_services(cluster="track", services=["web"])["services"]
        return one["desiredCount"], one["runningCount"]

    until(lambda: counts() == (2, 2), what="2 tasks")
    # Without a load there are no data points.
    sandbox.advance("30m")
    assert counts() == (2, 2)
    # 55 % of one task: 3 tasks have 18.3 % each.
    sandbox.control("PUT", "loads", {"service": "track/web", "cpu": 55})
    sandbox.advance("4m")
    assert counts()[0] == 3
    sandbox.control("PUT", "loads", {"service": "track/web", "cpu": 900})
    sandbox.advance("10m")
    assert counts() == (4, 4), "MaxCapacity"
    sandbox.control("PUT", "loads", {"service": "track/web", "cpu": 10})
    sandbox.advance("10m")
    assert counts() == (4, 4), "it scales in after 15 minutes"
    sandbox.advance("20m")
    assert counts() == (1, 1)
    activities = scaling.describe_scaling_activities(ServiceNamespace="ecs", ResourceId="service/track/web")
    activities = activities["ScalingActivities"]
    assert [one["Description"].split()[-1] for one in activities][-2:] == ["4.", "3."]
    assert "AlarmHigh" in activities[-1]["Cause"] and "AlarmLow" in activities[0]["Cause"]


def test_targets_policies_and_actions_are_found_by_name(scaled):
    scaling = scaled.aws.scaling
    ecs = {"ServiceNamespace": "ecs"}
    suspended = {"DynamicScalingInSuspended": True, "ScheduledScalingSuspended": True}
    scaling.register_scalable_target(**TARGET, SuspendedState=suspended)
    for name in "ab":
        scaling.put_scaling_policy(**TARGET, PolicyName=name, **tracking(20.0))
        scaling.put_scheduled_action(
            **TARGET, ScheduledActionName=name, Schedule="rate(1 day)", ScalableTargetAction={"MinCapacity": 1}
        )
    (target,) = scaling.describe_scalable_targets(**ecs, ResourceIds=["service/shop/web", "x"])["ScalableTargets"]
    # What was not said stays as it was.
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    assert target["SuspendedState"] == suspended | {"DynamicScalingOutSuspended": False}
    assert scaling.describe_scalable_targets(**ecs, ResourceIds=["service/shop/x"])["ScalableTargets"] == []
    dimension = {"ScalableDimension": TARGET["ScalableDimension"]}
    by_id = dimension | {"ResourceIds": ["service/shop/web"]}
    assert len(scaling.describe_scalable_targets(**ecs, **by_id)["ScalableTargets"]) == 1
    for operation, member, result, name in (
        (scaling.describe_scaling_policies, "PolicyNames", "ScalingPolicies", "PolicyName"),
        (scaling.describe_scheduled_actions, "ScheduledActionNames", "ScheduledActions", "ScheduledActionName"),
    ):
        found = lambda **filter: [one[name] for one in operation(**ecs, **filter)[result]]
        assert found() == ["a", "b"] and found(**{member: ["b", "c"]}) == ["b"]
        assert found(ResourceId="service/shop/x") == []
        # A dimension without a resource is refused.
        error = refused(operation, **ecs, **dimension)
        assert error["Code"] == "ValidationException", error
    assert refused(scaling.describe_scalable_targets, ServiceNamespace="ec2", ResourceIds=["x"])["Code"] == (
        "ValidationException"
    )


def test_scheduled_actions_and_tags(scaled):
    scaling = scaled.aws.scaling
    night = {"ScheduledActionName": "night", "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 1}}
    scaling.put_scheduled_action(**TARGET, **night, Schedule="cron(0 22 * * ? *)")
    scaling.put_scheduled_action(**TARGET, ScheduledActionName="night", Timezone="Europe/Berlin")
    (shown,) = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    assert (shown["Schedule"], shown["Timezone"]) == ("cron(0 22 * * ? *)", "Europe/Berlin")
    error = refused(scaling.put_scheduled_action, **TARGET, **night | {"ScheduledActionName": "x"}, Schedule="daily")
    assert error["Code"] == "ValidationException"
    scaling.delete_scheduled_action(**TARGET, ScheduledActionName="night")
    assert scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"] == []
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    arn = target["ScalableTargetARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"stage": "test"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "test"}
    error = refused(scaling.list_tags_for_resource, ResourceARN=arn + "0")
    assert error["Code"] == "ResourceNotFoundException"
