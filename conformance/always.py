"""Which operations the sandbox models, and which members AWS always sends in their answers.

A path that ends in `[]` is a list that is there even when it is empty; what stands behind it is in
each of its items.
"""

_SERVICE = """serviceArn serviceName clusterArn loadBalancers[] serviceRegistries[] status desiredCount
    runningCount pendingCount taskDefinition deploymentConfiguration
    deploymentConfiguration.maximumPercent deploymentConfiguration.minimumHealthyPercent
    deployments[].id deployments[].status deployments[].taskDefinition deployments[].desiredCount
    deployments[].pendingCount deployments[].runningCount deployments[].failedTasks
    deployments[].createdAt deployments[].updatedAt deployments[].rolloutState
    deployments[].rolloutStateReason events[].id events[].createdAt events[].message createdAt
    placementConstraints[] placementStrategy[] schedulingStrategy enableECSManagedTags propagateTags
    enableExecuteCommand"""
_CLUSTER = """clusterArn clusterName status registeredContainerInstancesCount runningTasksCount
    pendingTasksCount activeServicesCount statistics[] tags[] settings[] capacityProviders[]
    defaultCapacityProviderStrategy[]"""
_PROVIDER = "capacityProviderArn name status tags[]"
_SETTING = "name value principalArn type"
_DEFINITION = """taskDefinitionArn family revision status containerDefinitions[].name
    containerDefinitions[].image containerDefinitions[].cpu containerDefinitions[].portMappings[]
    containerDefinitions[].essential containerDefinitions[].environment[]
    containerDefinitions[].mountPoints[] containerDefinitions[].volumesFrom[] volumes[]
    requiresAttributes[] placementConstraints[] compatibilities[] registeredAt registeredBy"""
_TASK = """taskArn clusterArn taskDefinitionArn lastStatus desiredStatus group launchType
    availabilityZone createdAt version attachments[] attributes[] overrides tags[]
    containers[].containerArn containers[].taskArn containers[].name containers[].image
    containers[].lastStatus containers[].networkInterfaces[] containers[].healthStatus
    enableExecuteCommand healthStatus connectivity"""
_INSTANCE = """containerInstanceArn ec2InstanceId status agentConnected runningTasksCount
    pendingTasksCount remainingResources[].name registeredResources[].name attributes[] version"""
_BALANCER = """LoadBalancerArn DNSName CanonicalHostedZoneId CreatedTime LoadBalancerName Scheme VpcId
    State.Code Type AvailabilityZones[].ZoneName AvailabilityZones[].SubnetId IpAddressType"""
# A group of a function has no protocol, port or VPC, and a listener of a gateway has neither of the first two.
_GROUP = """TargetGroupArn TargetGroupName HealthCheckEnabled HealthCheckIntervalSeconds
    HealthCheckTimeoutSeconds HealthyThresholdCount UnhealthyThresholdCount LoadBalancerArns[] TargetType
    IpAddressType"""
_LISTENER = "ListenerArn LoadBalancerArn DefaultActions[].Type"
_RULE = "RuleArn Priority Conditions[] Actions[].Type IsDefault"
_REPOSITORY = """repositoryArn registryId repositoryName repositoryUri createdAt imageTagMutability
    imageScanningConfiguration encryptionConfiguration.encryptionType"""
_DEPLOYMENT = """serviceDeploymentArn serviceArn clusterArn createdAt status
    targetServiceRevision.arn"""


def _in(prefix, members):
    return " ".join(f"{prefix}.{member}" for member in members.split())


ECS = {
    "CreateCluster": _in("cluster", _CLUSTER),
    "DescribeClusters": _in("clusters[]", _CLUSTER) + " failures[].reason",
    "ListClusters": "clusterArns[]",
    "DeleteCluster": _in("cluster", _CLUSTER),
    "UpdateCluster": _in("cluster", _CLUSTER),
    "UpdateClusterSettings": _in("cluster", _CLUSTER),
    "PutClusterCapacityProviders": _in("cluster", _CLUSTER),
    "CreateCapacityProvider": _in("capacityProvider", _PROVIDER),
    "DescribeCapacityProviders": _in("capacityProviders[]", _PROVIDER),
    "UpdateCapacityProvider": _in("capacityProvider", _PROVIDER + " updateStatus"),
    "DeleteCapacityProvider": _in("capacityProvider", _PROVIDER),
    "PutAccountSetting": _in("setting", _SETTING),
    "PutAccountSettingDefault": _in("setting", _SETTING),
    "DeleteAccountSetting": _in("setting", _SETTING),
    "ListAccountSettings": _in("settings[]", _SETTING),
    "RegisterTaskDefinition": _in("taskDefinition", _DEFINITION),
    "DescribeTaskDefinition": _in("taskDefinition", _DEFINITION),
    "DeregisterTaskDefinition": _in("taskDefinition", _DEFINITION + " deregisteredAt"),
    "DeleteTaskDefinitions": _in("taskDefinitions[]", _DEFINITION) + " failures[].arn failures[].reason",
    "ListTaskDefinitions": "taskDefinitionArns[]",
    "ListTaskDefinitionFamilies": "families[]",
    "CreateService": _in("service", _SERVICE),
    "UpdateService": _in("service", _SERVICE),
    "DeleteService": _in("service", _SERVICE),
    "DescribeServices": _in("services[]", _SERVICE) + " failures[].arn failures[].reason",
    "ListServices": "serviceArns[]",
    "ListServiceDeployments": _in(
        "serviceDeployments[]",
        "serviceDeploymentArn serviceArn clusterArn createdAt targetServiceRevisionArn status",
    ),
    "DescribeServiceDeployments": _in("serviceDeployments[]", _DEPLOYMENT) + " failures[].reason",
    "DescribeServiceRevisions": _in(
        "serviceRevisions[]", "serviceRevisionArn serviceArn clusterArn taskDefinition createdAt"
    )
    + " failures[].reason",
    "ContinueServiceDeployment": "serviceDeploymentArn",
    "StopServiceDeployment": "serviceDeploymentArn",
    "ListTasks": "taskArns[]",
    "DescribeTasks": _in("tasks[]", _TASK) + " failures[].arn failures[].reason",
    "ListContainerInstances": "containerInstanceArns[]",
    "DescribeContainerInstances": _in("containerInstances[]", _INSTANCE) + " failures[].reason",
    "RegisterContainerInstance": _in("containerInstance", _INSTANCE),
    "DeregisterContainerInstance": _in("containerInstance", _INSTANCE),
    "PutAttributes": "attributes[].name attributes[].targetId",
    "DeleteAttributes": "attributes[].name attributes[].targetId",
    "ListAttributes": "attributes[].name attributes[].targetId",
    "UpdateContainerInstancesState": _in("containerInstances[]", _INSTANCE) + " failures[].reason",
    "RunTask": _in("tasks[]", _TASK) + " failures[].reason",
    "StopTask": _in("task", _TASK),
    "TagResource": "",
    "UntagResource": "",
    "ListTagsForResource": "tags[].key tags[].value",
}

ELBV2 = {
    "CreateLoadBalancer": _in("LoadBalancers[]", _BALANCER),
    "DescribeLoadBalancers": _in("LoadBalancers[]", _BALANCER),
    "DeleteLoadBalancer": "",
    "DescribeLoadBalancerAttributes": "Attributes[].Key Attributes[].Value",
    "ModifyLoadBalancerAttributes": "Attributes[].Key Attributes[].Value",
    "DescribeCapacityReservation": "DecreaseRequestsRemaining CapacityReservationState[].State.Code",
    "ModifyCapacityReservation": "DecreaseRequestsRemaining CapacityReservationState[].State.Code LastModifiedTime",
    "SetIpAddressType": "IpAddressType",
    "SetSecurityGroups": "SecurityGroupIds[]",
    "SetSubnets": "AvailabilityZones[].ZoneName AvailabilityZones[].SubnetId",
    "CreateTargetGroup": _in("TargetGroups[]", _GROUP),
    "DescribeTargetGroups": _in("TargetGroups[]", _GROUP),
    "DeleteTargetGroup": "",
    "ModifyTargetGroup": _in("TargetGroups[]", _GROUP),
    "DescribeTargetGroupAttributes": "Attributes[].Key Attributes[].Value",
    "ModifyTargetGroupAttributes": "Attributes[].Key Attributes[].Value",
    "CreateListener": _in("Listeners[]", _LISTENER),
    "DescribeListeners": _in("Listeners[]", _LISTENER),
    "DeleteListener": "",
    "ModifyListener": _in("Listeners[]", _LISTENER),
    "DescribeListenerAttributes": "Attributes[].Key Attributes[].Value",
    "ModifyListenerAttributes": "Attributes[].Key Attributes[].Value",
    "AddListenerCertificates": "Certificates[].CertificateArn Certificates[].IsDefault",
    "DescribeListenerCertificates": "Certificates[].CertificateArn Certificates[].IsDefault",
    "RemoveListenerCertificates": "",
    "DescribeSSLPolicies": "SslPolicies[].Name SslPolicies[].SslProtocols[] SslPolicies[].Ciphers[].Name",
    "CreateRule": _in("Rules[]", _RULE),
    "DescribeRules": _in("Rules[]", _RULE),
    "DeleteRule": "",
    "ModifyRule": _in("Rules[]", _RULE),
    "SetRulePriorities": _in("Rules[]", _RULE),
    "RegisterTargets": "",
    "DeregisterTargets": "",
    "DescribeTargetHealth": _in(
        "TargetHealthDescriptions[]", "Target.Id Target.Port TargetHealth.State"
    ),
    "DescribeAccountLimits": "Limits[].Name Limits[].Max",
    "DescribeTags": "TagDescriptions[].ResourceArn TagDescriptions[].Tags[].Key",
    "AddTags": "",
    "RemoveTags": "",
}

ECR = {
    "CreateRepository": _in("repository", _REPOSITORY),
    "DescribeRepositories": _in("repositories[]", _REPOSITORY),
    "DescribeImages": _in(
        "imageDetails[]",
        "registryId repositoryName imageDigest imageSizeInBytes imagePushedAt imageManifestMediaType",
    ),
    "ListImages": "imageIds[].imageDigest",
    "BatchDeleteImage": "imageIds[].imageDigest failures[].failureCode failures[].failureReason",
    "BatchGetImage": "images[].registryId images[].repositoryName images[].imageId.imageDigest "
    "images[].imageManifest images[].imageManifestMediaType "
    "failures[].failureCode failures[].failureReason",
    "GetAuthorizationToken": _in(
        "authorizationData[]", "authorizationToken expiresAt proxyEndpoint"
    ),
    "PutImage": "image.registryId image.repositoryName image.imageId.imageDigest image.imageManifest",
}

STS = {
    "AssumeRole": """Credentials.AccessKeyId Credentials.SecretAccessKey Credentials.SessionToken
        Credentials.Expiration AssumedRoleUser.AssumedRoleId AssumedRoleUser.Arn""",
    "AssumeRoleWithWebIdentity": """Credentials.AccessKeyId Credentials.SecretAccessKey
        Credentials.SessionToken Credentials.Expiration AssumedRoleUser.AssumedRoleId AssumedRoleUser.Arn""",
    "GetCallerIdentity": "UserId Account Arn",
}

LOGS = {
    "GetLogEvents": "events[].timestamp events[].message events[].ingestionTime nextForwardToken nextBackwardToken",
    "DescribeLogGroups": _in("logGroups[]", "logGroupName creationTime arn logGroupArn storedBytes"),
    "DescribeLogStreams": _in("logStreams[]", "logStreamName creationTime arn storedBytes"),
}

SCALING = {
    "RegisterScalableTarget": "ScalableTargetARN",
    "DescribeScalableTargets": _in(
        "ScalableTargets[]",
        "ServiceNamespace ResourceId ScalableDimension MinCapacity MaxCapacity RoleARN CreationTime "
        "SuspendedState.DynamicScalingInSuspended ScalableTargetARN",
    ),
    "DeregisterScalableTarget": "",
    "PutScalingPolicy": "PolicyARN Alarms[]",
    "DescribeScalingPolicies": _in(
        "ScalingPolicies[]",
        "PolicyARN PolicyName ServiceNamespace ResourceId ScalableDimension PolicyType CreationTime Alarms[]",
    ),
    "DeleteScalingPolicy": "",
    "PutScheduledAction": "",
    "DescribeScheduledActions": _in(
        "ScheduledActions[]",
        "ScheduledActionName ScheduledActionARN ServiceNamespace Schedule ResourceId CreationTime",
    ),
    "DeleteScheduledAction": "",
    "ListTagsForResource": "Tags",
    "TagResource": "",
    "UntagResource": "",
    "DescribeScalingActivities": _in(
        "ScalingActivities[]", "ActivityId Description Cause StartTime StatusCode StatusMessage"
    ),
}

IAM = {
    "GetRole": _in(
        "Role",
        "Path RoleName RoleId Arn CreateDate AssumeRolePolicyDocument MaxSessionDuration RoleLastUsed",
    ),
    "SimulatePrincipalPolicy": "EvaluationResults[].EvalActionName EvaluationResults[].EvalDecision IsTruncated",
    "CreateRole": _in("Role", "Path RoleName RoleId Arn CreateDate AssumeRolePolicyDocument"),
    "AttachRolePolicy": "",
    "ListAttachedRolePolicies": "AttachedPolicies[].PolicyName AttachedPolicies[].PolicyArn IsTruncated",
}

SECRETS = {"DescribeSecret": "ARN Name CreatedDate LastChangedDate VersionIdsToStages"}

SSM = {
    "DescribeParameters": _in(
        "Parameters[]", "Name ARN Type LastModifiedDate LastModifiedUser Version Tier Policies[] DataType"
    ),
}

QUOTAS = {
    "GetServiceQuota": _in(
        "Quota",
        "ServiceCode ServiceName QuotaArn QuotaCode QuotaName Value Unit Adjustable GlobalQuota UsageMetric "
        "QuotaAppliedAtLevel",
    ),
}

EC2 = {
    "DescribeSubnets": _in(
        "Subnets[]",
        "SubnetId SubnetArn State VpcId OwnerId AvailabilityZone AvailableIpAddressCount DefaultForAz "
        "MapPublicIpOnLaunch",
    ),
    "DescribeInstances": "Reservations[] " + _in(
        "Reservations[].Instances[]", "InstanceId InstanceType State Placement VpcId NetworkInterfaces[]",
    ),
    "DescribeInstanceTypes": _in(
        "InstanceTypes[]", "InstanceType CurrentGeneration VCpuInfo MemoryInfo NetworkInfo",
    ),
}

CLOUDWATCH = {
    "DescribeAlarms": "CompositeAlarms[] " + _in(
        "MetricAlarms[]",
        "AlarmName AlarmArn AlarmConfigurationUpdatedTimestamp ActionsEnabled OKActions[] AlarmActions[] "
        "InsufficientDataActions[] StateValue StateReason StateUpdatedTimestamp Dimensions[]",
    ),
    "PutMetricAlarm": "",
    "GetMetricStatistics": "Label Datapoints[]",
    "SetAlarmState": "",
    "DeleteAlarms": "",
}

MODELLED = {
    "ecs": ECS,
    "elbv2": ELBV2,
    "ecr": ECR,
    "sts": STS,
    "logs": LOGS,
    "application-autoscaling": SCALING,
    "iam": IAM,
    "secretsmanager": SECRETS,
    "ssm": SSM,
    "service-quotas": QUOTAS,
    "ec2": EC2,
    "cloudwatch": CLOUDWATCH,
}

# By service and operation.
ALWAYS = {
    (service, name): paths for service, operations in MODELLED.items() for name, paths in operations.items()
}
