//! Every AWS operation that ecs-bg calls: the permission that it needs, whether it changes anything, and
//! what is lost without it.

/// An AWS operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Call {
    /// Which services there are, and how they are.
    DescribeServices,
    /// The names of a cluster's services.
    ListServices,
    /// Gives a service another revision, count or setting.
    UpdateService,
    /// A revision, with its tags.
    DescribeTaskDefinition,
    /// The revisions of a family.
    ListTaskDefinitions,
    /// Registers a revision.
    RegisterTaskDefinition,
    /// Makes a revision INACTIVE.
    DeregisterTaskDefinition,
    /// Writes the record.
    TagResource,
    /// Which tasks there are.
    ListTasks,
    /// Why a task failed, and whose a target is.
    DescribeTasks,
    /// Which EC2 instance a task runs on.
    DescribeContainerInstances,
    /// Whether another instance has a port that every task needs.
    ListContainerInstances,
    /// Starts a task that no service keeps.
    RunTask,
    /// Stops such a task.
    StopTask,
    /// A service's deployments, those that ECS gave up included.
    ListServiceDeployments,
    /// The task definitions of those deployments.
    DescribeServiceRevisions,
    /// How far a deployment has come in which ECS shifts the traffic.
    DescribeServiceDeployments,
    /// Has ECS roll such a deployment back.
    StopServiceDeployment,
    /// Lets such a deployment go on that pauses.
    ContinueServiceDeployment,
    /// Target groups and their health checks.
    DescribeTargetGroups,
    /// Stickiness and other attributes of target groups.
    DescribeTargetGroupAttributes,
    /// Which targets are healthy, and why others are not.
    DescribeTargetHealth,
    /// A load balancer's listeners.
    DescribeListeners,
    /// A listener's rules and their weights.
    DescribeRules,
    /// Writes a rule's weights.
    ModifyRule,
    /// Writes the weights of a listener's default rule.
    ModifyListener,
    /// Tags of target groups and rules.
    DescribeTags,
    /// Makes a second target group.
    CreateTargetGroup,
    /// Gives it the attributes of the first one.
    ModifyTargetGroupAttributes,
    /// Removes it.
    DeleteTargetGroup,
    /// Makes a rule for test traffic.
    CreateRule,
    /// Removes it.
    DeleteRule,
    /// Whether an image is there, and its digest.
    DescribeImages,
    /// Whether a repository is there.
    DescribeRepositories,
    /// A password for a container engine.
    GetAuthorizationToken,
    /// Whether auto scaling changes a service's count.
    DescribeScalableTargets,
    /// What an auto scaling policy follows.
    DescribeScalingPolicies,
    /// Suspends auto scaling of a pair's service, and gives its limits to the other one.
    RegisterScalableTarget,
    /// What a container logged.
    GetLogEvents,
    /// Which log groups there are.
    DescribeLogGroups,
    /// Which alarms go off.
    DescribeAlarms,
    /// Whether a role is there, and which service may assume it.
    GetRole,
    /// The managed policies of a role.
    ListAttachedRolePolicies,
    /// Makes a role by which ECS changes rules.
    CreateRole,
    /// Gives it AWS's policy.
    AttachRolePolicy,
    /// What the caller may do, as its policies say.
    SimulatePrincipalPolicy,
    /// Whether a secret is there; never its value.
    DescribeSecret,
    /// Whether parameters are there; never their values.
    DescribeParameters,
    /// In which zone a subnet is, and how many addresses it has left.
    DescribeSubnets,
    /// Which network interfaces an instance has.
    DescribeInstances,
    /// How many it can have.
    DescribeInstanceTypes,
    /// Which zones a load balancer has enabled.
    DescribeLoadBalancers,
    /// How many target groups, rules and targets there may be.
    DescribeAccountLimits,
    /// How many vCPUs Fargate may run at a time.
    GetServiceQuota,
    /// How many it runs.
    GetMetricStatistics,
    /// For which platforms an image is built.
    BatchGetImage,
    /// Credentials of another role.
    AssumeRole,
}

/// An action on a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Allowance {
    /// `ecs:UpdateService`
    pub action: String,
    /// Its ARN.
    pub resource: String,
}

/// What ecs-bg does without, where a call is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A missing image is found by the first task that starts.
    ImageCheck,
    /// A scalable target could revive a retired service.
    ScalingCheck,
    /// The scaling policies of a pair are not compared.
    PolicyCheck,
    /// Pairs with auto scaling cannot be deployed.
    ScaledPairs,
    /// That every instance's port is taken is found by ECS, task by task.
    PortCheck,
    /// Attributes of target groups are not compared; stickiness is not seen.
    AttributeCheck,
    /// Failed tasks are known by their targets alone, without reasons.
    TaskReasons,
    /// A killed deployment that ECS has put back is not found.
    PutBackRecord,
    /// A killed deployment cannot be resumed.
    Record,
    /// What a task logged is not shown.
    Logs,
    /// No twin is proposed.
    TwinProposal,
    /// Only `ecs-bg run` and `deploy --before` need it.
    OneOffTasks,
    /// Only `ecs-bg ecr login` needs it.
    Login,
    /// Services with the strategies BLUE_GREEN, LINEAR and CANARY cannot be deployed.
    OtherStrategies,
    /// Pauses of such services cannot be ended.
    Pauses,
    /// Only `--role-arn` and profiles with a role need it.
    OtherRole,
    /// Only revisions that are registered and not used stay.
    OldRevisions,
    /// Only `ecs-bg setup` needs it.
    Setup,
    /// That a quota is reached is found by AWS, in the middle of `ecs-bg setup`.
    QuotaCheck,
    /// Only `ecs-bg doctor` needs it.
    Advice,
}

/// What there is to know about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// Its name in the service's API reference.
    pub operation: &'static str,
    /// The IAM actions that it needs (Service Authorization Reference).
    pub actions: &'static [&'static str],
    /// Whether it changes anything.
    pub changes: bool,
    /// What is lost without it; `None`: nothing can be deployed without it.
    pub lost: Option<Loss>,
}

/// One row a call.
const TABLE: [(Call, CallInfo); 57] = {
    use Call::*;
    [
        read(DescribeServices, "DescribeServices", &["ecs:DescribeServices"], None),
        read(ListServices, "ListServices", &["ecs:ListServices"], Some(Loss::TwinProposal)),
        write(UpdateService, "UpdateService", &["ecs:UpdateService"], None),
        read(
            DescribeTaskDefinition,
            "DescribeTaskDefinition",
            &["ecs:DescribeTaskDefinition"],
            None,
        ),
        read(ListTaskDefinitions, "ListTaskDefinitions", &["ecs:ListTaskDefinitions"], None),
        write(
            RegisterTaskDefinition,
            "RegisterTaskDefinition",
            &["ecs:RegisterTaskDefinition", "iam:PassRole"],
            None,
        ),
        write(
            DeregisterTaskDefinition,
            "DeregisterTaskDefinition",
            &["ecs:DeregisterTaskDefinition"],
            Some(Loss::OldRevisions),
        ),
        write(TagResource, "TagResource", &["ecs:TagResource"], Some(Loss::Record)),
        read(ListTasks, "ListTasks", &["ecs:ListTasks"], Some(Loss::TaskReasons)),
        read(DescribeTasks, "DescribeTasks", &["ecs:DescribeTasks"], Some(Loss::TaskReasons)),
        read(
            DescribeContainerInstances,
            "DescribeContainerInstances",
            &["ecs:DescribeContainerInstances"],
            Some(Loss::TaskReasons),
        ),
        read(
            ListContainerInstances,
            "ListContainerInstances",
            &["ecs:ListContainerInstances"],
            Some(Loss::PortCheck),
        ),
        write(RunTask, "RunTask", &["ecs:RunTask", "iam:PassRole"], Some(Loss::OneOffTasks)),
        write(StopTask, "StopTask", &["ecs:StopTask"], Some(Loss::OneOffTasks)),
        read(
            ListServiceDeployments,
            "ListServiceDeployments",
            &["ecs:ListServiceDeployments"],
            Some(Loss::PutBackRecord),
        ),
        read(
            DescribeServiceRevisions,
            "DescribeServiceRevisions",
            &["ecs:DescribeServiceRevisions"],
            Some(Loss::PutBackRecord),
        ),
        read(
            DescribeServiceDeployments,
            "DescribeServiceDeployments",
            &["ecs:DescribeServiceDeployments"],
            Some(Loss::OtherStrategies),
        ),
        write(
            StopServiceDeployment,
            "StopServiceDeployment",
            &["ecs:StopServiceDeployment"],
            Some(Loss::OtherStrategies),
        ),
        write(
            ContinueServiceDeployment,
            "ContinueServiceDeployment",
            &["ecs:ContinueServiceDeployment"],
            Some(Loss::Pauses),
        ),
        read(
            DescribeTargetGroups,
            "DescribeTargetGroups",
            &["elasticloadbalancing:DescribeTargetGroups"],
            None,
        ),
        read(
            DescribeTargetGroupAttributes,
            "DescribeTargetGroupAttributes",
            &["elasticloadbalancing:DescribeTargetGroupAttributes"],
            Some(Loss::AttributeCheck),
        ),
        read(
            DescribeTargetHealth,
            "DescribeTargetHealth",
            &["elasticloadbalancing:DescribeTargetHealth"],
            None,
        ),
        read(
            DescribeListeners,
            "DescribeListeners",
            &["elasticloadbalancing:DescribeListeners"],
            None,
        ),
        read(DescribeRules, "DescribeRules", &["elasticloadbalancing:DescribeRules"], None),
        write(ModifyRule, "ModifyRule", &["elasticloadbalancing:ModifyRule"], None),
        write(ModifyListener, "ModifyListener", &["elasticloadbalancing:ModifyListener"], None),
        read(
            DescribeTags,
            "DescribeTags",
            &["elasticloadbalancing:DescribeTags"],
            Some(Loss::Setup),
        ),
        write(
            CreateTargetGroup,
            "CreateTargetGroup",
            &["elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:AddTags"],
            Some(Loss::Setup),
        ),
        write(
            ModifyTargetGroupAttributes,
            "ModifyTargetGroupAttributes",
            &["elasticloadbalancing:ModifyTargetGroupAttributes"],
            Some(Loss::Setup),
        ),
        write(
            DeleteTargetGroup,
            "DeleteTargetGroup",
            &["elasticloadbalancing:DeleteTargetGroup"],
            Some(Loss::Setup),
        ),
        write(
            CreateRule,
            "CreateRule",
            &["elasticloadbalancing:CreateRule", "elasticloadbalancing:AddTags"],
            Some(Loss::Setup),
        ),
        write(DeleteRule, "DeleteRule", &["elasticloadbalancing:DeleteRule"], Some(Loss::Setup)),
        read(DescribeImages, "DescribeImages", &["ecr:DescribeImages"], Some(Loss::ImageCheck)),
        read(
            DescribeRepositories,
            "DescribeRepositories",
            &["ecr:DescribeRepositories"],
            Some(Loss::Login),
        ),
        read(
            GetAuthorizationToken,
            "GetAuthorizationToken",
            &["ecr:GetAuthorizationToken"],
            Some(Loss::Login),
        ),
        read(
            DescribeScalableTargets,
            "DescribeScalableTargets",
            &["application-autoscaling:DescribeScalableTargets"],
            Some(Loss::ScalingCheck),
        ),
        read(
            DescribeScalingPolicies,
            "DescribeScalingPolicies",
            &["application-autoscaling:DescribeScalingPolicies"],
            Some(Loss::PolicyCheck),
        ),
        write(
            RegisterScalableTarget,
            "RegisterScalableTarget",
            &["application-autoscaling:RegisterScalableTarget"],
            Some(Loss::ScaledPairs),
        ),
        read(GetLogEvents, "GetLogEvents", &["logs:GetLogEvents"], Some(Loss::Logs)),
        read(
            DescribeLogGroups,
            "DescribeLogGroups",
            &["logs:DescribeLogGroups"],
            Some(Loss::Advice),
        ),
        read(DescribeAlarms, "DescribeAlarms", &["cloudwatch:DescribeAlarms"], Some(Loss::Advice)),
        read(GetRole, "GetRole", &["iam:GetRole"], Some(Loss::Advice)),
        read(
            ListAttachedRolePolicies,
            "ListAttachedRolePolicies",
            &["iam:ListAttachedRolePolicies"],
            Some(Loss::Setup),
        ),
        write(CreateRole, "CreateRole", &["iam:CreateRole"], Some(Loss::Setup)),
        write(AttachRolePolicy, "AttachRolePolicy", &["iam:AttachRolePolicy"], Some(Loss::Setup)),
        read(
            SimulatePrincipalPolicy,
            "SimulatePrincipalPolicy",
            &["iam:SimulatePrincipalPolicy"],
            Some(Loss::Advice),
        ),
        read(
            DescribeSecret,
            "DescribeSecret",
            &["secretsmanager:DescribeSecret"],
            Some(Loss::Advice),
        ),
        read(
            DescribeParameters,
            "DescribeParameters",
            &["ssm:DescribeParameters"],
            Some(Loss::Advice),
        ),
        read(DescribeSubnets, "DescribeSubnets", &["ec2:DescribeSubnets"], Some(Loss::Advice)),
        read(
            DescribeInstances,
            "DescribeInstances",
            &["ec2:DescribeInstances"],
            Some(Loss::Advice),
        ),
        read(
            DescribeInstanceTypes,
            "DescribeInstanceTypes",
            &["ec2:DescribeInstanceTypes"],
            Some(Loss::Advice),
        ),
        read(
            DescribeLoadBalancers,
            "DescribeLoadBalancers",
            &["elasticloadbalancing:DescribeLoadBalancers"],
            Some(Loss::Advice),
        ),
        read(
            DescribeAccountLimits,
            "DescribeAccountLimits",
            &["elasticloadbalancing:DescribeAccountLimits"],
            Some(Loss::QuotaCheck),
        ),
        read(
            GetServiceQuota,
            "GetServiceQuota",
            &["servicequotas:GetServiceQuota"],
            Some(Loss::Advice),
        ),
        read(
            GetMetricStatistics,
            "GetMetricStatistics",
            &["cloudwatch:GetMetricStatistics"],
            Some(Loss::Advice),
        ),
        read(BatchGetImage, "BatchGetImage", &["ecr:BatchGetImage"], Some(Loss::Advice)),
        read(AssumeRole, "AssumeRole", &["sts:AssumeRole"], Some(Loss::OtherRole)),
    ]
};

const fn read(
    call: Call,
    operation: &'static str,
    actions: &'static [&'static str],
    lost: Option<Loss>,
) -> (Call, CallInfo) {
    (call, CallInfo { operation, actions, changes: false, lost })
}

const fn write(
    call: Call,
    operation: &'static str,
    actions: &'static [&'static str],
    lost: Option<Loss>,
) -> (Call, CallInfo) {
    (call, CallInfo { operation, actions, changes: true, lost })
}

/// A call, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The operation.
    pub call: Call,
    /// What it was asked of: `web in cluster shop`.
    pub on: String,
}

impl From<&Self> for About {
    fn from(about: &Self) -> Self {
        about.clone()
    }
}

impl Call {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(call, _)| *call)
    }

    /// What there is to know about it.
    pub fn info(self) -> &'static CallInfo {
        // The table is in the order of the enum (a test says so).
        &TABLE[self as usize].1
    }

    /// Its name in the service's API reference.
    pub fn operation(self) -> &'static str {
        self.info().operation
    }

    /// The IAM action of that name.
    pub fn action(self) -> &'static str {
        self.info().actions[0]
    }

    /// This call, and what it is about.
    pub fn on(self, on: impl Into<String>) -> About {
        About { call: self, on: on.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_row() {
        for call in Call::all() {
            assert_eq!(format!("{call:?}"), call.operation());
            assert!(call.action().ends_with(&format!(":{}", call.operation())), "{call:?}");
        }
        assert_eq!(Call::AssumeRole as usize + 1, TABLE.len());
    }
}
