"""What AWS refuses, by the class of the exception, its code and (where AWS documents it) its text.

Each row: what kind of refusal, the service, the operation, its arguments, the exception's class, a
pattern for its text. `$name` in the arguments stands for something of the world that the rows share;
no row changes it.
"""

import re

import botocore.exceptions
import pytest

import shapes
from always import MODELLED
from sandbox import fresh_region
from world import FARGATE_NETWORK, Clients, World, definition

MISSING, INVALID, STATE = "not found", "invalid", "wrong state"
PARAMETER, CLIENT = "InvalidParameterException", "ClientException"
ACCOUNT = "123456789012"
MANAGED = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers"
DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
WEB = {**DIMENSION, "ResourceId": "service/shop/web"}
SERVICE = {
    "cluster": "shop", "serviceName": "new", "taskDefinition": "web", "desiredCount": 1,
    "launchType": "FARGATE", "networkConfiguration": FARGATE_NETWORK,
}
NO_CLUSTER = ("ClusterNotFoundException", "^Cluster not found.$")
NO_SERVICE = ("ServiceNotFoundException", "^Service not found.$")
FORWARD = [{"Type": "forward", "TargetGroupArn": "$green"}]
NO_FORWARD = [{"Type": "forward", "TargetGroupArn": "$no_group"}]
SIX = [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "$green"}] * 6}}]
CONDITION = [{"Field": "path-pattern", "Values": ["/new"]}]
NO_LB, NO_TG = ("LoadBalancerNotFoundException", "not found"), ("TargetGroupNotFoundException", "^One or more target groups not found$")
NO_LISTENER, NO_RULE = ("ListenerNotFoundException", "^One or more listeners not found$"), ("RuleNotFoundException", "^One or more rules not found$")
MALFORMED = ("ValidationError", "is not a valid")


def cluster_of(operation, **arguments):
    return (MISSING, "ecs", operation, {"cluster": "nowhere", **arguments}, *NO_CLUSTER)


ROWS = [
    (INVALID, "ecs", "CreateCluster", {"clusterName": "no spaces here"}, PARAMETER, "but was no spaces here$"),
    (INVALID, "ecs", "DescribeClusters", {"clusters": ["c"] * 101}, PARAMETER, "100"),
    (INVALID, "ecs", "ListClusters", {"maxResults": 101}, PARAMETER, ""),
    (INVALID, "ecs", "ListClusters", {"nextToken": "not one"}, PARAMETER, "[Tt]oken"),
    cluster_of("DeleteCluster"),
    (STATE, "ecs", "DeleteCluster", {"cluster": "shop"}, "ClusterContainsServicesException", "^The Cluster cannot be deleted while Services are active.$"),
    (INVALID, "ecs", "RegisterTaskDefinition", {"family": "web", "containerDefinitions": []}, CLIENT, "^Container list cannot be empty.$"),
    (INVALID, "ecs", "RegisterTaskDefinition", {"family": "no spaces", "containerDefinitions": [{"name": "a", "image": "b", "memory": 9}]}, CLIENT, ""),
    (INVALID, "ecs", "RegisterTaskDefinition", {"containerDefinitions": [{"name": "a", "image": "b"}]}, PARAMETER, "^Family should not be null or empty"),
    (INVALID, "ecs", "RegisterTaskDefinition", definition("web", "b", cpu="257"), CLIENT, "^No Fargate configuration exists for given values"),
    (INVALID, "ecs", "RegisterTaskDefinition", definition("web", "b", networkMode="host"), CLIENT, "^Fargate only supports network mode ‘awsvpc’.$"),
    (MISSING, "ecs", "DescribeTaskDefinition", {"taskDefinition": "nothing"}, CLIENT, "^Unable to describe task definition.$"),
    (MISSING, "ecs", "DeregisterTaskDefinition", {"taskDefinition": "nothing:1"}, CLIENT, ""),
    (INVALID, "ecs", "DeregisterTaskDefinition", {"taskDefinition": "web"}, CLIENT, "revision"),
    (STATE, "ecs", "DeregisterTaskDefinition", {"taskDefinition": "old:1"}, CLIENT, "inactive"),
    (INVALID, "ecs", "DeleteTaskDefinitions", {"taskDefinitions": ["web:1"] * 11}, PARAMETER, "10"),
    (INVALID, "ecs", "ListTaskDefinitions", {"maxResults": 0}, PARAMETER, ""),
    (INVALID, "ecs", "ListTaskDefinitionFamilies", {"maxResults": 101}, PARAMETER, ""),
    cluster_of("CreateService", **{key: value for key, value in SERVICE.items() if key != "cluster"}),
    (MISSING, "ecs", "CreateService", SERVICE | {"taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    (INVALID, "ecs", "CreateService", SERVICE | {"desiredCount": -1}, PARAMETER, ""),
    (INVALID, "ecs", "CreateService", {key: value for key, value in SERVICE.items() if key != "networkConfiguration"}, PARAMETER, "^Network Configuration must be provided when networkMode 'awsvpc' is specified.$"),
    (INVALID, "ecs", "CreateService", SERVICE | {"loadBalancers": [{"targetGroupArn": "$lonely", "containerName": "web", "containerPort": 8080}]}, PARAMETER, "^The target group with targetGroupArn .* does not have an associated load balancer.$"),
    (INVALID, "ecs", "CreateService", SERVICE | {"loadBalancers": [{"targetGroupArn": "$green", "containerName": "app", "containerPort": 8080}]}, PARAMETER, "^The container app does not exist in the task definition.$"),
    (STATE, "ecs", "CreateService", SERVICE | {"serviceName": "web"}, PARAMETER, "^Creation of service was not idempotent.$"),
    (STATE, "ecs", "CreateService", SERVICE | {"taskDefinition": "old:1"}, CLIENT, "TaskDefinition is inactive"),
    cluster_of("UpdateService", service="web"),
    (MISSING, "ecs", "UpdateService", {"cluster": "shop", "service": "none"}, *NO_SERVICE),
    (INVALID, "ecs", "UpdateService", {"cluster": "shop", "service": "web", "desiredCount": -1}, PARAMETER, ""),
    (MISSING, "ecs", "UpdateService", {"cluster": "shop", "service": "web", "taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    (STATE, "ecs", "UpdateService", {"cluster": "shop", "service": "dead", "desiredCount": 1}, "ServiceNotActiveException", "^Service was not ACTIVE.$"),
    (STATE, "ecs", "UpdateService", {"cluster": "shop", "service": "code", "taskDefinition": "web"}, PARAMETER, "^Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment.$"),
    cluster_of("DeleteService", service="web"),
    (MISSING, "ecs", "DeleteService", {"cluster": "shop", "service": "none"}, *NO_SERVICE),
    (STATE, "ecs", "DeleteService", {"cluster": "shop", "service": "web"}, PARAMETER, "^The service cannot be stopped while it is scaled above 0.$"),
    cluster_of("DescribeServices", services=["web"]),
    (INVALID, "ecs", "DescribeServices", {"cluster": "shop", "services": []}, PARAMETER, "^Services cannot be empty.$"),
    (INVALID, "ecs", "DescribeServices", {"cluster": "shop", "services": ["s"] * 11}, PARAMETER, "10"),
    cluster_of("ListServices"),
    (INVALID, "ecs", "ListServices", {"cluster": "shop", "maxResults": 101}, PARAMETER, ""),
    cluster_of("ListServiceDeployments", service="web"),
    (MISSING, "ecs", "ListServiceDeployments", {"cluster": "shop", "service": "none"}, *NO_SERVICE),
    (INVALID, "ecs", "ListServiceDeployments", {"cluster": "shop", "service": "web", "status": ["BROKEN"]}, PARAMETER, ""),
    (INVALID, "ecs", "DescribeServiceDeployments", {"serviceDeploymentArns": []}, PARAMETER, ""),
    (INVALID, "ecs", "DescribeServiceDeployments", {"serviceDeploymentArns": ["a"] * 21}, PARAMETER, "20"),
    (INVALID, "ecs", "DescribeServiceRevisions", {"serviceRevisionArns": []}, PARAMETER, ""),
    (INVALID, "ecs", "DescribeServiceRevisions", {"serviceRevisionArns": ["a"] * 21}, PARAMETER, "20"),
    (MISSING, "ecs", "StopServiceDeployment", {"serviceDeploymentArn": "arn:aws:ecs:eu-x-1:1:service-deployment/shop/web/none"}, "ServiceDeploymentNotFoundException", ""),
    (MISSING, "ecs", "ContinueServiceDeployment", {"serviceDeploymentArn": "arn:aws:ecs:eu-x-1:1:service-deployment/shop/web/none", "hookId": "ecs-pause-x"}, "ServiceDeploymentNotFoundException", ""),
    (INVALID, "ecs", "ContinueServiceDeployment", {"serviceDeploymentArn": "$deployment", "hookId": "x"}, PARAMETER, "ecs-{hookType}-{id}"),
    (STATE, "ecs", "ContinueServiceDeployment", {"serviceDeploymentArn": "$deployment", "hookId": "ecs-pause-x"}, PARAMETER, "terminal states"),
    (INVALID, "ecs", "StopServiceDeployment", {"serviceDeploymentArn": "$deployment", "stopType": "HALT"}, PARAMETER, ""),
    (STATE, "ecs", "StopServiceDeployment", {"serviceDeploymentArn": "$deployment"}, "ConflictException", ""),
    cluster_of("ListTasks"),
    (MISSING, "ecs", "ListTasks", {"cluster": "shop", "serviceName": "none"}, *NO_SERVICE),
    (INVALID, "ecs", "ListTasks", {"cluster": "shop", "desiredStatus": "ASLEEP"}, PARAMETER, ""),
    cluster_of("DescribeTasks", tasks=["0" * 32]),
    (INVALID, "ecs", "DescribeTasks", {"cluster": "shop", "tasks": []}, PARAMETER, "^Tasks cannot be empty.$"),
    (INVALID, "ecs", "DescribeTasks", {"cluster": "shop", "tasks": ["a"] * 101}, PARAMETER, "100"),
    cluster_of("ListContainerInstances"),
    cluster_of("DescribeContainerInstances", containerInstances=["a"]),
    (INVALID, "ecs", "DescribeContainerInstances", {"cluster": "shop", "containerInstances": []}, PARAMETER, "empty"),
    cluster_of("UpdateContainerInstancesState", containerInstances=["a"], status="DRAINING"),
    (INVALID, "ecs", "UpdateContainerInstancesState", {"cluster": "shop", "containerInstances": ["a"], "status": "AWAY"}, PARAMETER, "^Container instance status should be ACTIVE or DRAINING.$"),
    cluster_of("RunTask", taskDefinition="web"),
    (MISSING, "ecs", "RunTask", {"cluster": "shop", "taskDefinition": "nothing"}, CLIENT, "TaskDefinition not found."),
    (INVALID, "ecs", "RunTask", {"cluster": "shop", "taskDefinition": "web", "count": 11, "networkConfiguration": FARGATE_NETWORK, "launchType": "FARGATE"}, PARAMETER, ""),
    (STATE, "ecs", "RunTask", {"cluster": "shop", "taskDefinition": "old:1"}, CLIENT, "TaskDefinition is inactive"),
    cluster_of("StopTask", task="0" * 32),
    (MISSING, "ecs", "StopTask", {"cluster": "shop", "task": "0" * 32}, PARAMETER, "^The referenced task was not found.$"),
    (MISSING, "ecs", "TagResource", {"resourceArn": f"arn:aws:ecs:$region:{ACCOUNT}:cluster/none", "tags": []}, "ClusterNotFoundException", ""),
    (INVALID, "ecs", "TagResource", {"resourceArn": "none", "tags": []}, PARAMETER, ""),
    (INVALID, "ecs", "TagResource", {"resourceArn": "$cluster", "tags": [{"key": "aws:x", "value": "y"}]}, PARAMETER, ""),
    (INVALID, "ecs", "UntagResource", {"resourceArn": "none", "tagKeys": []}, PARAMETER, ""),
    (MISSING, "ecs", "UntagResource", {"resourceArn": f"arn:aws:ecs:$region:{ACCOUNT}:service/shop/none", "tagKeys": ["a"]}, "ResourceNotFoundException", ""),
    (INVALID, "ecs", "ListTagsForResource", {"resourceArn": "none"}, PARAMETER, ""),
    (MISSING, "ecs", "ListTagsForResource", {"resourceArn": f"arn:aws:ecs:$region:{ACCOUNT}:cluster/none"}, "ClusterNotFoundException", ""),
    cluster_of("UpdateCluster"),
    cluster_of("UpdateClusterSettings", settings=[]),
    (INVALID, "ecs", "UpdateClusterSettings", {"cluster": "shop", "settings": [{"name": "insights", "value": "on"}]}, PARAMETER, "containerInsights"),
    cluster_of("PutClusterCapacityProviders", capacityProviders=[], defaultCapacityProviderStrategy=[]),
    (MISSING, "ecs", "PutClusterCapacityProviders", {"cluster": "shop", "capacityProviders": ["none"], "defaultCapacityProviderStrategy": []}, PARAMETER, "capacity provider was not found"),
    (INVALID, "ecs", "PutClusterCapacityProviders", {"cluster": "shop", "capacityProviders": [], "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, PARAMETER, "not associated with the cluster"),
    (INVALID, "ecs", "CreateCapacityProvider", {"name": "ecs-own", "autoScalingGroupProvider": {"autoScalingGroupArn": "a"}}, PARAMETER, "cannot be prefixed"),
    (INVALID, "ecs", "DescribeCapacityProviders", {"maxResults": 101}, PARAMETER, ""),
    (MISSING, "ecs", "UpdateCapacityProvider", {"name": "none", "autoScalingGroupProvider": {}}, PARAMETER, "not found"),
    (MISSING, "ecs", "DeleteCapacityProvider", {"capacityProvider": "none"}, PARAMETER, "not found"),
    (INVALID, "ecs", "PutAccountSetting", {"name": "none", "value": "enabled"}, PARAMETER, "should be one of"),
    (INVALID, "ecs", "PutAccountSettingDefault", {"name": "containerInsights", "value": "?"}, PARAMETER, "containerInsights"),
    (INVALID, "ecs", "DeleteAccountSetting", {"name": "none"}, PARAMETER, "should be one of"),
    (INVALID, "ecs", "ListAccountSettings", {"name": "none"}, PARAMETER, "should be one of"),
    cluster_of("RegisterContainerInstance"),
    (INVALID, "ecs", "RegisterContainerInstance", {"cluster": "shop", "instanceIdentityDocument": "{"}, CLIENT, "document"),
    cluster_of("DeregisterContainerInstance", containerInstance="a"),
    (MISSING, "ecs", "DeregisterContainerInstance", {"cluster": "shop", "containerInstance": "a"}, PARAMETER, "does not exist"),
    cluster_of("PutAttributes", attributes=[{"name": "a", "targetId": "b"}]),
    (MISSING, "ecs", "PutAttributes", {"cluster": "shop", "attributes": [{"name": "a", "targetId": "b"}]}, "TargetNotFoundException", ""),
    (INVALID, "ecs", "PutAttributes", {"cluster": "shop", "attributes": []}, PARAMETER, "10"),
    (MISSING, "ecs", "DeleteAttributes", {"cluster": "shop", "attributes": [{"name": "a", "targetId": "b"}]}, "TargetNotFoundException", ""),
    cluster_of("ListAttributes", targetType="container-instance"),
    (INVALID, "ecs", "ListAttributes", {"cluster": "shop", "targetType": "task"}, PARAMETER, "container-instance"),
    # Elastic Load Balancing
    (INVALID, "elbv2", "CreateLoadBalancer", {"Name": "new"}, "ValidationError", "^At least one subnet must be specified$"),
    (INVALID, "elbv2", "CreateLoadBalancer", {"Name": "n" * 33, "Subnets": ["s"]}, "ValidationError", "cannot be longer than '32' characters"),
    (MISSING, "elbv2", "DescribeLoadBalancers", {"Names": ["none"]}, "LoadBalancerNotFoundException", "none"),
    (INVALID, "elbv2", "DescribeLoadBalancers", {"LoadBalancerArns": ["none"]}, *MALFORMED),
    (INVALID, "elbv2", "DeleteLoadBalancer", {"LoadBalancerArn": "none"}, *MALFORMED),
    (MISSING, "elbv2", "DescribeLoadBalancerAttributes", {"LoadBalancerArn": "$no_balancer"}, *NO_LB),
    (MISSING, "elbv2", "ModifyLoadBalancerAttributes", {"LoadBalancerArn": "$no_balancer", "Attributes": []}, *NO_LB),
    (INVALID, "elbv2", "ModifyLoadBalancerAttributes", {"LoadBalancerArn": "$balancer", "Attributes": [{"Key": "x", "Value": "y"}]}, "ValidationError", "'x' is not recognized"),
    (INVALID, "elbv2", "CreateTargetGroup", {"Name": "new", "Protocol": "HTTP", "VpcId": "vpc-1"}, "ValidationError", "^A port must be specified$"),
    (STATE, "elbv2", "CreateTargetGroup", {"Name": "blue", "Protocol": "HTTP", "Port": 9, "VpcId": "vpc-1"}, "DuplicateTargetGroupNameException", "^A target group with the same name 'blue' exists, but with different settings$"),
    (INVALID, "elbv2", "CreateTargetGroup", {"Name": "new", "Protocol": "HTTP", "Port": 9, "VpcId": "vpc-1", "Tags": [{"Key": "a", "Value": "b"}] * 2}, "ValidationError", "more than once"),
    (MISSING, "elbv2", "DescribeTargetGroups", {"Names": ["none"]}, *NO_TG),
    (MISSING, "elbv2", "DescribeTargetGroups", {"LoadBalancerArn": "$no_balancer"}, *NO_LB),
    (INVALID, "elbv2", "DeleteTargetGroup", {"TargetGroupArn": "none"}, *MALFORMED),
    (STATE, "elbv2", "DeleteTargetGroup", {"TargetGroupArn": "$blue"}, "ResourceInUseException", "^Target group '.*' is currently in use by a listener or a rule$"),
    (MISSING, "elbv2", "ModifyTargetGroup", {"TargetGroupArn": "$no_group"}, *NO_TG),
    (INVALID, "elbv2", "ModifyTargetGroup", {"TargetGroupArn": "$blue", "HealthyThresholdCount": 11}, "ValidationError", "between 2 and 10"),
    (MISSING, "elbv2", "DescribeTargetGroupAttributes", {"TargetGroupArn": "$no_group"}, *NO_TG),
    (MISSING, "elbv2", "ModifyTargetGroupAttributes", {"TargetGroupArn": "$no_group", "Attributes": []}, *NO_TG),
    (INVALID, "elbv2", "ModifyTargetGroupAttributes", {"TargetGroupArn": "$blue", "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "soon"}]}, "ValidationError", ""),
    (MISSING, "elbv2", "CreateListener", {"LoadBalancerArn": "$no_balancer", "Protocol": "HTTP", "Port": 81, "DefaultActions": FORWARD}, *NO_LB),
    (MISSING, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTP", "Port": 81, "DefaultActions": NO_FORWARD}, *NO_TG),
    (STATE, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTP", "Port": 80, "DefaultActions": FORWARD}, "DuplicateListenerException", ""),
    (INVALID, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTPS", "Port": 443, "DefaultActions": FORWARD}, "ValidationError", "^A certificate must be specified for HTTPS listeners$"),
    (MISSING, "elbv2", "DescribeListeners", {"ListenerArns": ["$no_listener"]}, *NO_LISTENER),
    (INVALID, "elbv2", "DescribeListeners", {}, "ValidationError", ""),
    (MISSING, "elbv2", "DeleteListener", {"ListenerArn": "$no_listener"}, *NO_LISTENER),
    (MISSING, "elbv2", "ModifyListener", {"ListenerArn": "$no_listener"}, *NO_LISTENER),
    (MISSING, "elbv2", "ModifyListener", {"ListenerArn": "$listener", "DefaultActions": NO_FORWARD}, *NO_TG),
    (INVALID, "elbv2", "ModifyListener", {"ListenerArn": "$listener", "DefaultActions": SIX}, "InvalidLoadBalancerActionException", "5"),
    (INVALID, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTP", "Port": 81, "DefaultActions": SIX}, "InvalidLoadBalancerActionException", "5"),
    (INVALID, "elbv2", "ModifyRule", {"RuleArn": "$rule", "Actions": SIX}, "InvalidLoadBalancerActionException", "5"),
    (INVALID, "elbv2", "ModifyListener", {"ListenerArn": "$listener", "Port": 70000}, "ValidationError", "65535"),
    (MISSING, "elbv2", "CreateRule", {"ListenerArn": "$no_listener", "Priority": 1, "Conditions": CONDITION, "Actions": FORWARD}, *NO_LISTENER),
    (STATE, "elbv2", "CreateRule", {"ListenerArn": "$listener", "Priority": 10, "Conditions": CONDITION, "Actions": FORWARD}, "PriorityInUseException", "^Priority '10' is currently in use$"),
    (INVALID, "elbv2", "CreateRule", {"ListenerArn": "$listener", "Priority": 11, "Conditions": [], "Actions": FORWARD}, "ValidationError", ""),
    (MISSING, "elbv2", "DescribeRules", {"RuleArns": ["$no_rule"]}, *NO_RULE),
    (MISSING, "elbv2", "DescribeRules", {"ListenerArn": "$no_listener"}, *NO_LISTENER),
    (INVALID, "elbv2", "DescribeRules", {}, "ValidationError", ""),
    (MISSING, "elbv2", "DeleteRule", {"RuleArn": "$no_rule"}, *NO_RULE),
    (STATE, "elbv2", "DeleteRule", {"RuleArn": "$default_rule"}, "OperationNotPermittedException", "cannot be deleted"),
    (MISSING, "elbv2", "ModifyRule", {"RuleArn": "$no_rule", "Actions": FORWARD}, *NO_RULE),
    (INVALID, "elbv2", "ModifyRule", {"RuleArn": "$rule", "Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [{"TargetGroupArn": "$blue", "Weight": 1000}]}}]}, "ValidationError", "999"),
    (STATE, "elbv2", "ModifyRule", {"RuleArn": "$default_rule", "Actions": FORWARD}, "OperationNotPermittedException", "cannot be modified"),
    (MISSING, "elbv2", "SetRulePriorities", {"RulePriorities": [{"RuleArn": "$no_rule", "Priority": 3}]}, *NO_RULE),
    (STATE, "elbv2", "SetRulePriorities", {"RulePriorities": [{"RuleArn": "$default_rule", "Priority": 3}]}, "OperationNotPermittedException", ""),
    (MISSING, "elbv2", "RegisterTargets", {"TargetGroupArn": "$no_group", "Targets": [{"Id": "10.0.0.1"}]}, *NO_TG),
    (MISSING, "elbv2", "DeregisterTargets", {"TargetGroupArn": "$no_group", "Targets": [{"Id": "10.0.0.1"}]}, *NO_TG),
    (MISSING, "elbv2", "DescribeTargetHealth", {"TargetGroupArn": "$no_group"}, *NO_TG),
    (INVALID, "elbv2", "DescribeTargetHealth", {"TargetGroupArn": "none"}, *MALFORMED),
    (MISSING, "elbv2", "DescribeTags", {"ResourceArns": ["$no_group"]}, *NO_TG),
    (MISSING, "elbv2", "AddTags", {"ResourceArns": ["$no_balancer"], "Tags": [{"Key": "a", "Value": "b"}]}, *NO_LB),
    (INVALID, "elbv2", "AddTags", {"ResourceArns": ["$blue"], "Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}, "DuplicateTagKeysException", ""),
    (MISSING, "elbv2", "RemoveTags", {"ResourceArns": ["$no_listener"], "TagKeys": ["a"]}, *NO_LISTENER),
    (MISSING, "elbv2", "SetIpAddressType", {"LoadBalancerArn": "$no_balancer", "IpAddressType": "ipv4"}, *NO_LB),
    (INVALID, "elbv2", "SetIpAddressType", {"LoadBalancerArn": "$balancer", "IpAddressType": "ipv7"}, "ValidationError", "ipv7"),
    (MISSING, "elbv2", "SetSecurityGroups", {"LoadBalancerArn": "$no_balancer", "SecurityGroups": []}, *NO_LB),
    (INVALID, "elbv2", "SetSecurityGroups", {"LoadBalancerArn": "$balancer", "SecurityGroups": ["x"]}, "InvalidSecurityGroupException", "'x'"),
    (MISSING, "elbv2", "DescribeCapacityReservation", {"LoadBalancerArn": "$no_balancer"}, *NO_LB),
    (INVALID, "elbv2", "DescribeCapacityReservation", {}, "ValidationError", "oadBalancerArn"),
    (MISSING, "elbv2", "ModifyCapacityReservation", {"LoadBalancerArn": "$no_balancer", "ResetCapacityReservation": True}, *NO_LB),
    (INVALID, "elbv2", "ModifyCapacityReservation", {"LoadBalancerArn": "$balancer"}, "ValidationError", "either a minimum load balancer capacity or a reset"),
    (MISSING, "elbv2", "SetSubnets", {"LoadBalancerArn": "$no_balancer", "Subnets": ["subnet-a"]}, *NO_LB),
    (INVALID, "elbv2", "SetSubnets", {"LoadBalancerArn": "$balancer", "Subnets": ["subnet-a"]}, "ValidationError", "^At least two subnets in two different Availability Zones must be specified$"),
    (MISSING, "elbv2", "DescribeListenerAttributes", {"ListenerArn": "$no_listener"}, *NO_LISTENER),
    (MISSING, "elbv2", "ModifyListenerAttributes", {"ListenerArn": "$no_listener", "Attributes": []}, *NO_LISTENER),
    (INVALID, "elbv2", "ModifyListenerAttributes", {"ListenerArn": "$listener", "Attributes": [{"Key": "x", "Value": "y"}]}, "ValidationError", "'x' is not recognized"),
    (MISSING, "elbv2", "AddListenerCertificates", {"ListenerArn": "$no_listener", "Certificates": []}, *NO_LISTENER),
    (INVALID, "elbv2", "AddListenerCertificates", {"ListenerArn": "$listener", "Certificates": [{"CertificateArn": "x"}]}, "ValidationError", "HTTPS"),
    (MISSING, "elbv2", "DescribeListenerCertificates", {"ListenerArn": "$no_listener"}, *NO_LISTENER),
    (MISSING, "elbv2", "RemoveListenerCertificates", {"ListenerArn": "$no_listener", "Certificates": []}, *NO_LISTENER),
    (MISSING, "elbv2", "DescribeSSLPolicies", {"Names": ["x"]}, "SSLPolicyNotFoundException", "'x'"),
    (INVALID, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTPS", "Port": 443, "DefaultActions": FORWARD, "Certificates": [{"CertificateArn": "x"}]}, "ValidationError", "^Certificate ARN 'x' is not valid$"),
    (MISSING, "elbv2", "CreateListener", {"LoadBalancerArn": "$balancer", "Protocol": "HTTPS", "Port": 443, "DefaultActions": FORWARD, "Certificates": [{"CertificateArn": f"arn:aws:acm:nowhere:{ACCOUNT}:certificate/x"}]}, "CertificateNotFoundException", "^Certificate '.*' not found$"),
    # Amazon ECR
    (STATE, "ecr", "CreateRepository", {"repositoryName": "shop/web"}, "RepositoryAlreadyExistsException", f"^The repository with name 'shop/web' already exists in the registry with id '{ACCOUNT}'$"),
    (INVALID, "ecr", "CreateRepository", {}, PARAMETER, "repositoryName"),
    (MISSING, "ecr", "DescribeRepositories", {"repositoryNames": ["none"]}, "RepositoryNotFoundException", f"^The repository with name 'none' does not exist in the registry with id '{ACCOUNT}'$"),
    (INVALID, "ecr", "DescribeRepositories", {"maxResults": 1001}, PARAMETER, ""),
    (INVALID, "ecr", "GetAuthorizationToken", {"registryIds": ["12"]}, PARAMETER, "registryIds"),
    (MISSING, "ecr", "DescribeImages", {"repositoryName": "none"}, "RepositoryNotFoundException", ""),
    (MISSING, "ecr", "DescribeImages", {"repositoryName": "shop/web", "imageIds": [{"imageTag": "9"}]}, "ImageNotFoundException", f"^The image with imageId {{imageDigest:'?null'?, imageTag:'9'}} does not exist within the repository with name 'shop/web' in the registry with id '{ACCOUNT}'$"),
    (INVALID, "ecr", "DescribeImages", {"repositoryName": "shop/web", "imageIds": [{"imageTag": "1"}], "maxResults": 5}, PARAMETER, ""),
    (MISSING, "ecr", "ListImages", {"repositoryName": "none"}, "RepositoryNotFoundException", ""),
    (INVALID, "ecr", "ListImages", {"repositoryName": "shop/web", "maxResults": 1001}, PARAMETER, ""),
    (MISSING, "ecr", "BatchDeleteImage", {"repositoryName": "none", "imageIds": [{"imageTag": "1"}]}, "RepositoryNotFoundException", ""),
    (INVALID, "ecr", "BatchDeleteImage", {"repositoryName": "shop/web", "imageIds": []}, PARAMETER, ""),
    (MISSING, "ecr", "BatchGetImage", {"repositoryName": "none", "imageIds": [{"imageTag": "1"}]}, "RepositoryNotFoundException", ""),
    (INVALID, "ecr", "BatchGetImage", {"repositoryName": "shop/web", "imageIds": []}, PARAMETER, ""),
    (MISSING, "ecr", "PutImage", {"repositoryName": "none", "imageManifest": "{}"}, "RepositoryNotFoundException", ""),
    (STATE, "ecr", "PutImage", {"repositoryName": "shop/web", "imageManifest": "{}", "imageTag": "1"}, "ImageAlreadyExistsException", f"^Image with digest 'sha256:[0-9a-f]{{64}}' and tag '1' already exists in the repository with name 'shop/web' in registry with id '{ACCOUNT}'$"),
    (INVALID, "ecr", "PutImage", {"repositoryName": "shop/web", "imageManifest": "{}", "imageTag": "2", "imageDigest": "sha256:" + "0" * 64}, "ImageDigestDoesNotMatchException", ""),
    # AWS STS
    (MISSING, "logs", "GetLogEvents", {"logGroupName": "/none", "logStreamName": "x"}, "ResourceNotFoundException", "^The specified log group does not exist.$"),
    (INVALID, "logs", "GetLogEvents", {"logGroupName": "/none", "logStreamName": "x", "limit": 10001}, PARAMETER, "Member must have value less than or equal to 10000$"),
    (INVALID, "logs", "GetLogEvents", {"logGroupName": "/none"}, PARAMETER, "'logStreamName' failed to satisfy constraint: Member must not be null$"),
    (MISSING, "logs", "DescribeLogStreams", {"logGroupName": "/none"}, "ResourceNotFoundException", "^The specified log group does not exist.$"),
    (INVALID, "logs", "DescribeLogStreams", {"logGroupName": "/none", "limit": 51}, PARAMETER, "50$"),
    (INVALID, "logs", "DescribeLogGroups", {"limit": 51}, PARAMETER, "50$"),
    (INVALID, "logs", "DescribeLogGroups", {"nextToken": "not one"}, PARAMETER, "nextToken"),
    (INVALID, "sts", "AssumeRole", {"RoleArn": "none", "RoleSessionName": "me"}, "ValidationError", "^none is invalid$"),
    (INVALID, "sts", "AssumeRoleWithWebIdentity", {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "RoleSessionName": "me", "WebIdentityToken": "none"}, "InvalidIdentityTokenException", "is not a valid JWT"),
    # Application Auto Scaling
    (MISSING, "application-autoscaling", "RegisterScalableTarget", {**DIMENSION, "ResourceId": "service/shop/none", "MinCapacity": 1, "MaxCapacity": 2}, "ValidationException", "^ECS service doesn't exist: service/shop/none$"),
    (INVALID, "application-autoscaling", "RegisterScalableTarget", {**DIMENSION, "ResourceId": "service/shop/web", "MinCapacity": 3, "MaxCapacity": 2}, "ValidationException", ""),
    (STATE, "application-autoscaling", "RegisterScalableTarget", {**DIMENSION, "ResourceId": "service/shop/dead", "MinCapacity": 1, "MaxCapacity": 2}, "ValidationException", "^ECS service doesn't exist"),
    (INVALID, "application-autoscaling", "DescribeScalableTargets", {"ServiceNamespace": "ecs", "NextToken": "not one"}, "InvalidNextTokenException", ""),
    (INVALID, "application-autoscaling", "DescribeScalableTargets", {"ServiceNamespace": "ecs", "MaxResults": 51}, "ValidationException", ""),
    (MISSING, "application-autoscaling", "DeregisterScalableTarget", {**DIMENSION, "ResourceId": "service/shop/web"}, "ObjectNotFoundException", "^No scalable target found for service namespace: ecs, resource ID: service/shop/web, scalable dimension: ecs:service:DesiredCount$"),
    (INVALID, "application-autoscaling", "DeregisterScalableTarget", {"ServiceNamespace": "ecs"}, "ValidationException", ""),
    (MISSING, "application-autoscaling", "PutScalingPolicy", {**WEB, "PolicyName": "p", "PolicyType": "StepScaling"}, "ObjectNotFoundException", "^No scalable target registered for service namespace: ecs, resource ID: service/shop/web,"),
    (INVALID, "application-autoscaling", "DescribeScalingPolicies", {"ServiceNamespace": "ecs", "MaxResults": 11}, "ValidationException", ""),
    (INVALID, "application-autoscaling", "DescribeScalingPolicies", {"ServiceNamespace": "ecs", "NextToken": "not one"}, "InvalidNextTokenException", ""),
    (MISSING, "application-autoscaling", "DeleteScalingPolicy", {**WEB, "PolicyName": "p"}, "ObjectNotFoundException", "^No scaling policy found for"),
    (MISSING, "application-autoscaling", "PutScheduledAction", {**WEB, "ScheduledActionName": "a", "Schedule": "rate(1 day)"}, "ObjectNotFoundException", "^No scalable target registered"),
    (INVALID, "application-autoscaling", "DescribeScheduledActions", {"ServiceNamespace": "ecs", "MaxResults": 0}, "ValidationException", ""),
    (MISSING, "application-autoscaling", "DeleteScheduledAction", {**WEB, "ScheduledActionName": "a"}, "ObjectNotFoundException", "^No scheduled action found for"),
    (INVALID, "application-autoscaling", "DescribeScalingActivities", {"ServiceNamespace": "ecs", "MaxResults": 51}, "ValidationException", ""),
    (INVALID, "application-autoscaling", "DescribeScalingActivities", {"ServiceNamespace": "ec2"}, "ValidationException", ""),
    # Roles, secrets, parameters, subnets, alarms
    (MISSING, "iam", "GetRole", {"RoleName": "nobody"}, "NoSuchEntityException", "^The role with name nobody cannot be found.$"),
    (INVALID, "iam", "GetRole", {}, "ValidationError", "^1 validation error detected: Value null at 'roleName'"),
    (MISSING, "iam", "SimulatePrincipalPolicy", {"PolicySourceArn": "arn:aws:iam::123456789012:role/nobody", "ActionNames": ["ecs:RunTask"]}, "NoSuchEntityException", "nobody cannot be found"),
    (INVALID, "iam", "SimulatePrincipalPolicy", {"PolicySourceArn": "arn:aws:iam::123456789012:root", "ActionNames": ["ecs:RunTask"]}, "InvalidInputException", "does not clearly define"),
    (INVALID, "iam", "CreateRole", {"RoleName": "new", "AssumeRolePolicyDocument": "{"}, "MalformedPolicyDocument", "^This policy contains invalid Json$"),
    (INVALID, "iam", "CreateRole", {"RoleName": "a/b", "AssumeRolePolicyDocument": "{}"}, "ValidationError", "roleName"),
    (MISSING, "iam", "AttachRolePolicy", {"RoleName": "nobody", "PolicyArn": MANAGED}, "NoSuchEntityException", "^The role with name nobody cannot be found.$"),
    (INVALID, "iam", "AttachRolePolicy", {"RoleName": "nobody"}, "ValidationError", "Value null at 'policyArn'"),
    (MISSING, "iam", "ListAttachedRolePolicies", {"RoleName": "nobody"}, "NoSuchEntityException", "^The role with name nobody cannot be found.$"),
    (INVALID, "iam", "ListAttachedRolePolicies", {}, "ValidationError", "Value null at 'roleName'"),
    (MISSING, "secretsmanager", "DescribeSecret", {"SecretId": "none"}, "ResourceNotFoundException", "^Secrets Manager can't find the specified secret.$"),
    (INVALID, "secretsmanager", "DescribeSecret", {}, "ValidationException", "Value null at 'secretId'"),
    (INVALID, "secretsmanager", "DescribeSecret", {"SecretId": ""}, "ValidationException", "^Invalid name"),
    (INVALID, "ssm", "DescribeParameters", {"MaxResults": 51}, "ValidationException", "51"),
    (INVALID, "ssm", "DescribeParameters", {"NextToken": "not one"}, "InvalidNextToken", ""),
    (INVALID, "ssm", "DescribeParameters", {"ParameterFilters": [{"Values": ["x"]}]}, "ValidationException", "Key"),
    (MISSING, "service-quotas", "GetServiceQuota", {"ServiceCode": "fargate", "QuotaCode": "L-0"}, "NoSuchResourceException", ""),
    (INVALID, "service-quotas", "GetServiceQuota", {"ServiceCode": "fargate"}, "ValidationException", "QuotaCode"),
    (INVALID, "cloudwatch", "GetMetricStatistics", {"Namespace": "AWS/Usage", "MetricName": "ResourceCount", "StartTime": 0, "EndTime": 1, "Period": 60}, "InvalidParameterCombination", "Statistics"),
    (MISSING, "ec2", "DescribeSubnets", {"SubnetIds": ["subnet-x"]}, "InvalidSubnetID.NotFound", "^The subnet ID 'subnet-x' does not exist$"),
    (INVALID, "ec2", "DescribeSubnets", {"Filters": [{"Name": "colour", "Values": ["red"]}]}, "InvalidParameterValue", "^The filter 'colour' is invalid$"),
    (INVALID, "ec2", "DescribeSubnets", {"MaxResults": 4}, "InvalidParameterValue", ""),
    (INVALID, "ec2", "DescribeSubnets", {"NextToken": "not one"}, "InvalidNextToken", ""),
    (INVALID, "ec2", "DescribeSubnets", {"DryRun": True}, "DryRunOperation", ""),
    (MISSING, "ec2", "DescribeInstances", {"InstanceIds": ["i-0a"]}, "InvalidInstanceID.NotFound", "^The instance ID 'i-0a' does not exist$"),
    (INVALID, "ec2", "DescribeInstances", {"MaxResults": 4}, "InvalidParameterValue", ""),
    (MISSING, "ec2", "DescribeInstanceTypes", {"InstanceTypes": ["t9.huge"]}, "InvalidInstanceType", r"^The following supplied instance types do not exist: \[t9.huge\]$"),
    (INVALID, "ec2", "DescribeInstanceTypes", {"MaxResults": 101}, "InvalidParameterValue", ""),
    (INVALID, "cloudwatch", "DescribeAlarms", {"AlarmNames": ["a"], "AlarmNamePrefix": "a"}, "ValidationError", ""),
    (INVALID, "cloudwatch", "PutMetricAlarm", {"AlarmName": "a"}, "ValidationError", "'comparisonOperator'"),
    (MISSING, "cloudwatch", "SetAlarmState", {"AlarmName": "none", "StateValue": "OK", "StateReason": "x"}, "ResourceNotFound", "none"),
    (MISSING, "cloudwatch", "DeleteAlarms", {"AlarmNames": ["none"]}, "ResourceNotFound", "none"),
    (MISSING, "application-autoscaling", "ListTagsForResource", {"ResourceARN": "none"}, "ResourceNotFoundException", ""),
    (MISSING, "application-autoscaling", "TagResource", {"ResourceARN": "none", "Tags": {}}, "ResourceNotFoundException", ""),
    (MISSING, "application-autoscaling", "UntagResource", {"ResourceARN": "none", "TagKeys": []}, "ResourceNotFoundException", ""),
]

# AWS refuses nothing that these can be asked for, but access.
NEVER_REFUSED = {("sts", "GetCallerIdentity"), ("elbv2", "DescribeAccountLimits")}


@pytest.fixture(scope="module")
def shared(sandbox):
    aws = Clients(sandbox, fresh_region())
    world = World(aws)
    aws.ecs.create_service(**SERVICE | {"serviceName": "dead", "desiredCount": 0})
    code = {"deploymentController": {"type": "CODE_DEPLOY"}, "desiredCount": 0, "serviceName": "code"}
    green = [{"targetGroupArn": world.green, "containerName": "web", "containerPort": 8080}]
    aws.ecs.create_service(**SERVICE | code | {"loadBalancers": green})
    aws.ecs.delete_service(cluster="shop", service="dead")
    aws.ecs.register_task_definition(**definition("old", "nginx:1"))
    aws.ecs.deregister_task_definition(taskDefinition="old:1")
    aws.ecr.create_repository(repositoryName="shop/web")
    aws.ecr.put_image(repositoryName="shop/web", imageManifest="{}", imageTag="1")
    world.stable()
    world.wait("services_inactive", cluster="shop", services=["dead"])
    # A service is stable some time before its deployment is over.
    sandbox.advance("10m")
    (deployment,) = aws.ecs.list_service_deployments(cluster="shop", service="web")["serviceDeployments"]
    rules = aws.elb.describe_rules(ListenerArn=world.listener)["Rules"]
    names = {
        "$region": aws.region, "$cluster": world.cluster, "$balancer": world.balancer, "$blue": world.blue,
        "$green": world.green, "$lonely": world.lonely, "$listener": world.listener, "$rule": world.rule,
        "$default_rule": next(one["RuleArn"] for one in rules if one["IsDefault"]),
        "$deployment": deployment["serviceDeploymentArn"],
    }
    other = lambda arn: re.sub(r"[0-9a-f]{16}$", "0" * 16, arn)
    for kind in ("balancer", "listener", "rule"):
        names[f"$no_{kind}"] = other(names[f"${kind}"])
    names["$no_group"] = other(world.blue)
    return aws, names


def filled(value, names):
    if isinstance(value, dict):
        return {key: filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, names) for inner in value]
    if isinstance(value, str) and "$" in value:
        return names[value] if value in names else value.replace("$region", names["$region"])
    return value


@pytest.mark.parametrize(
    "kind, service, operation, arguments, error, text",
    [
        pytest.param(*row, id=f"{row[2]}-{row[0]}-{row[4]}")
        for row in ROWS
    ],
)
def test_a_refusal(shared, kind, service, operation, arguments, error, text):
    aws, names = shared
    client = aws.client(service)
    call = getattr(client, next(name for name, own in client.meta.method_to_api_mapping.items() if own == operation))
    known = {one.name for one in client.meta.service_model.error_shapes}
    modelled = getattr(client.exceptions, error) if error in known else None
    with pytest.raises(modelled or botocore.exceptions.ClientError) as caught:
        call(**filled(arguments, names))
    got = caught.value.response["Error"]
    assert modelled or got["Code"] == error, got
    assert got["Message"]
    assert re.search(text, got["Message"]), got["Message"]


def test_every_modelled_operation_has_rows():
    own = {(row[1], row[2]) for row in ROWS} | NEVER_REFUSED
    assert own == {(service, name) for service, names in MODELLED.items() for name in names}


@pytest.mark.parametrize("service", shapes.SERVICES)
def test_what_is_not_modelled_is_unknown(aws, service):
    client = aws.client(service)
    want = "InvalidAction" if service in ("elbv2", "sts", "iam", "ec2") else "UnknownOperationException"
    others = set(shapes.MODELS[service].operation_names) - set(MODELLED[service])
    assert others
    for operation in sorted(others):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            # botocore signs a second request, for that region.
            client._make_api_call(operation, {"SourceRegion": aws.region} if operation == "CopySnapshot" else {})
        assert caught.value.response["Error"]["Code"] == want, operation
