//! What ECS says when it gives a deployment up: its `statusReason` and `rolloutStateReason` (Developer Guide,
//! "Troubleshooting Amazon ECS blue/green deployments", "Lifecycle hooks for Amazon ECS service deployments").

use serde::Serialize;

/// What such a reason means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Deserialize))]
#[serde(rename_all = "kebab-case")]
pub enum EcsReason {
    /// The infrastructure role lacks a permission.
    InfrastructureRole,
    /// Elastic Load Balancing refused what ECS asked for.
    LoadBalancer,
    /// A function of a lifecycle hook said no.
    HookFailed,
    /// A function of a lifecycle hook failed, or answered something else.
    HookAnswer,
    /// ECS may not assume the role of a hook.
    HookRole,
    /// The role of a hook may not call its function.
    HookPermission,
    /// A hook's function was not done in time.
    HookTimeout,
    /// A pause was not continued in time.
    PauseTimeout,
    /// Too many tasks failed.
    Breaker,
    /// An alarm went off.
    Alarm,
    /// A rule does not exist.
    NoRule,
    /// A target group does not exist.
    NoTargetGroup,
    /// Both target groups, or none, get requests.
    NotOneServes,
    /// Another target group gets the requests.
    OtherServes,
    /// A target group is in neither rule.
    NotInRule,
    /// Something else about rules and target groups.
    Networking,
    /// There is no earlier revision.
    NoWayBack,
}

impl EcsReason {
    /// What a reason says, as far as it is known. ECS tells of its own work with load balancers as of a hook that
    /// failed: what names its session or a status code is no user's hook.
    pub fn of(reason: &str) -> Option<Self> {
        const HOOK: &str = "lifecycle hook(s) failed";
        const KNOWN: [(&[&str], EcsReason); 19] = [
            (&["ecsnetworkingwithelb"], EcsReason::InfrastructureRole),
            (&["missing permissions on ecs infrastructure role"], EcsReason::InfrastructureRole),
            (&[HOOK, "status code:"], EcsReason::LoadBalancer),
            (&["was unable to assume role"], EcsReason::HookRole),
            (&["unable to invoke hook target"], EcsReason::HookPermission),
            (&["unable to parse the response from"], EcsReason::HookAnswer),
            (&["lifecycle hook timed out"], EcsReason::HookTimeout),
            (&["pause hook timed out"], EcsReason::PauseTimeout),
            (&[HOOK], EcsReason::HookFailed),
            (&["circuit breaker"], EcsReason::Breaker),
            (&["rules not found"], EcsReason::NoRule),
            (&["target group", "does not exist"], EcsReason::NoTargetGroup),
            (&["exactly one target group serving traffic"], EcsReason::NotOneServes),
            (&["unexpected target group"], EcsReason::OtherServes),
            (&["must be associated with the productionlistenerrule"], EcsReason::NotInRule),
            (&["is not associated with either"], EcsReason::NotInRule),
            (&["invalid networking configuration"], EcsReason::Networking),
            (&["no rollback candidate"], EcsReason::NoWayBack),
            (&["alarm"], EcsReason::Alarm),
        ];
        let reason = reason.to_lowercase();
        let known = KNOWN.iter().find(|(all, _)| all.iter().all(|one| reason.contains(one)));
        known.map(|(_, meaning)| *meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecs_s_own_work_is_no_hook_of_a_user() {
        let back =
            "Service deployment rolled back because TEST_TRAFFIC_SHIFT lifecycle hook(s) failed.";
        for (rest, meaning) in [
            ("", EcsReason::HookFailed),
            (
                " Lifecycle hook target arn:aws:lambda:eu-central-1:1:function:smoke returned FAILED status.",
                EcsReason::HookFailed,
            ),
            (
                " ECS was unable to parse the response from arn:aws:lambda:eu-central-1:1:function:smoke due to: HookStatus must not be null",
                EcsReason::HookAnswer,
            ),
            (" ECS was unable to assume role arn:aws:iam::1:role/hooks", EcsReason::HookRole),
            (
                " ECS was unable to invoke hook target arn:aws:lambda:eu-central-1:1:function:smoke due to User: arn:aws:sts::1:assumed-role/hooks/ECS-Lambda-Execution is not authorized to perform: lambda:InvokeFunction",
                EcsReason::HookPermission,
            ),
            (
                " User: arn:aws:sts::1:assumed-role/ecs/ECSNetworkingWithELB is not authorized to perform: elasticloadbalancing:ModifyListener",
                EcsReason::InfrastructureRole,
            ),
            (
                " A rule ARN must be specified (Service: ElasticLoadBalancingV2, Status Code: 400, Request ID: x)",
                EcsReason::LoadBalancer,
            ),
        ] {
            assert_eq!(EcsReason::of(&format!("{back}{rest}")), Some(meaning), "{rest}");
        }
        for alarm in ["rolled back because of one or more active alarms.", "an alarm was detected"]
        {
            assert_eq!(EcsReason::of(alarm), Some(EcsReason::Alarm));
        }
        assert_eq!(EcsReason::of("ECS deployment ecs-svc/1 in progress."), None);
    }
}
