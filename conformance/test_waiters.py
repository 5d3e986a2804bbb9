"""The waiters that others wrote come to an end, and for the right reason."""

import pytest
from botocore.exceptions import WaiterError

from world import FARGATE_NETWORK, definition


def test_a_service_becomes_stable_and_its_targets_healthy(world):
    world.wait("load_balancer_available", LoadBalancerArns=[world.balancer])
    world.stable()
    shown = world.show()
    assert (shown["desiredCount"], shown["runningCount"], len(shown["deployments"])) == (2, 2, 1)
    world.wait("target_in_service", TargetGroupArn=world.blue)
    health = world.aws.elb.describe_target_health(TargetGroupArn=world.blue)
    states = [one["TargetHealth"]["State"] for one in health["TargetHealthDescriptions"]]
    assert states == ["healthy", "healthy"]


def test_services_stable_is_fooled_by_a_rollback_of_the_circuit_breaker(sandbox, world):
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    world.completed()
    good = world.aws.ecs.update_service(
        cluster="shop", service="web", deploymentConfiguration=breaker, forceNewDeployment=True
    )["service"]["deployments"][0]["id"]
    world.completed()
    image = "registry.example.com/broken/web:1"
    sandbox.image("broken/web:1", "exit", code=1)
    containers = world.aws.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
    world.aws.ecs.register_task_definition(
        **definition("web", image, cpu=containers["cpu"], memory=containers["memory"])
    )
    bad = world.aws.ecs.update_service(cluster="shop", service="web", taskDefinition="web:2")
    wanted = bad["service"]["deployments"][0]
    assert wanted["taskDefinition"].endswith("/web:2") and wanted["id"] != good

    world.stable()  # It says that all is well,

    shown = world.show()  # but what was asked for is not there.
    assert shown["taskDefinition"] == world.definition
    assert [one["id"] for one in shown["deployments"]] != [wanted["id"]]
    assert shown["deployments"][0]["rolloutState"] == "COMPLETED"
    listed = world.aws.ecs.list_service_deployments(cluster="shop", service="web")
    latest = listed["serviceDeployments"][0]
    assert latest["status"] == "ROLLBACK_SUCCESSFUL"


def test_a_deleted_service_becomes_inactive(world):
    world.stable()
    world.aws.ecs.delete_service(cluster="shop", service="web", force=True)
    world.wait("services_inactive", cluster="shop", services=["web"])
    assert world.show()["status"] == "INACTIVE"
    with pytest.raises(WaiterError):  # DRAINING or INACTIVE is a failure to be stable.
        world.stable()


def test_services_stable_refuses_a_service_that_is_missing(world):
    with pytest.raises(WaiterError, match='matched expected path: "MISSING"'):
        world.stable("nowhere")


def test_tasks_run_and_stop(world):
    task = world.aws.ecs.run_task(
        cluster="shop", taskDefinition="web", launchType="FARGATE", networkConfiguration=FARGATE_NETWORK
    )["tasks"][0]["taskArn"]
    world.wait("tasks_running", cluster="shop", tasks=[task])
    world.aws.ecs.stop_task(cluster="shop", task=task, reason="enough")
    world.wait("tasks_stopped", cluster="shop", tasks=[task])
    shown = world.aws.ecs.describe_tasks(cluster="shop", tasks=[task])["tasks"][0]
    assert (shown["stopCode"], shown["stoppedReason"]) == ("UserInitiated", "enough")


def test_a_load_balancer_is_deleted(world):
    world.wait("load_balancer_exists", LoadBalancerArns=[world.balancer])
    world.aws.elb.delete_load_balancer(LoadBalancerArn=world.balancer)
    world.wait("load_balancers_deleted", LoadBalancerArns=[world.balancer])


def test_a_target_is_deregistered(world):
    target = [{"Id": "10.9.8.7", "Port": 8080}]
    world.aws.elb.register_targets(TargetGroupArn=world.green, Targets=target)
    world.aws.elb.deregister_targets(TargetGroupArn=world.green, Targets=target)
    world.wait("target_deregistered", TargetGroupArn=world.green, Targets=target)
