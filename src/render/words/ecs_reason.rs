//! Why ECS gave a deployment up, in words.

use crate::model::ecs_reason::EcsReason;

/// What its reason means.
pub(crate) fn means(reason: EcsReason) -> &'static str {
    match reason {
        EcsReason::InfrastructureRole => {
            "the infrastructure role of the service may not change its load balancer"
        }
        EcsReason::LoadBalancer => "Elastic Load Balancing refused what ECS wanted to change",
        EcsReason::HookFailed => "a lifecycle hook of the service said no",
        EcsReason::HookAnswer => {
            "the function of a lifecycle hook failed, or gave an answer that ECS does not understand"
        }
        EcsReason::HookRole => "ECS may not assume the role of a lifecycle hook",
        EcsReason::HookPermission => "the role of a lifecycle hook may not call its function",
        EcsReason::HookTimeout => "the function of a lifecycle hook was not done in time",
        EcsReason::PauseTimeout => "nobody continued a pause in time",
        EcsReason::Breaker => "too many tasks failed",
        EcsReason::Alarm => "an alarm went off",
        EcsReason::NoRule => "a listener rule of the service does not exist",
        EcsReason::NoTargetGroup => "a target group of the service does not exist",
        EcsReason::NotOneServes => {
            "the production rule must send all requests to one of the two target groups"
        }
        EcsReason::OtherServes => "the production rule sends requests to another target group",
        EcsReason::NotInRule => "a target group of the service is in none of its rules",
        EcsReason::Networking => "the rules and target groups of the service do not fit together",
        EcsReason::NoWayBack => {
            "no earlier deployment was completed, so there is nothing to go back to"
        }
    }
}

/// What helps, as Markdown. `None`: what failed says it.
pub(crate) fn helps(reason: EcsReason) -> Option<&'static str> {
    Some(match reason {
        EcsReason::InfrastructureRole => {
            "Give the role in `advancedConfiguration` the policy `AmazonECSInfrastructureRolePolicyForLoadBalancers`; then deploy again."
        }
        EcsReason::LoadBalancer => {
            "Correct the rules in `advancedConfiguration`: `aws ecs describe-services` shows them."
        }
        EcsReason::HookFailed => "Look in the log of the hook's function, then deploy again.",
        EcsReason::HookAnswer => {
            "Look in the log of the hook's function: it must answer `{\"hookStatus\": \"SUCCEEDED\"}`, `FAILED` or `IN_PROGRESS`."
        }
        EcsReason::HookRole => {
            "The trust policy of the hook's role must allow `ecs.amazonaws.com` to assume it."
        }
        EcsReason::HookPermission => {
            "Allow `lambda:InvokeFunction` on the function to the hook's role."
        }
        EcsReason::HookTimeout => {
            "Look why the function takes so long, or give the hook more time."
        }
        EcsReason::PauseTimeout => "Deploy again, and continue it in time: `ecs-bg promote`.",
        EcsReason::NoRule => "Put the rule back, or correct `advancedConfiguration`.",
        EcsReason::NoTargetGroup => {
            "Make the target group again, or name another one in `loadBalancers`."
        }
        EcsReason::NotOneServes | EcsReason::OtherServes => {
            "Give one of the two target groups all weight in the production rule, then deploy again."
        }
        EcsReason::NotInRule => {
            "Add the target group to the production rule, with weight 0: `ecs-bg setup` does it."
        }
        EcsReason::Networking => {
            "Compare `advancedConfiguration` with the rules of the load balancer."
        }
        EcsReason::Breaker | EcsReason::Alarm | EcsReason::NoWayBack => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const PAGE: &str = "docs/causes.md";

    #[test]
    fn the_docs_have_every_reason() {
        let schema = serde_json::to_value(schemars::schema_for!(EcsReason)).expect("JSON");
        let mut rows =
            "| `meaning` | what it means | what helps |\n| --- | --- | --- |\n".to_owned();
        for variant in schema["oneOf"].as_array().expect("variants") {
            let code = variant["const"].as_str().expect("a name");
            let reason = serde_json::from_value(variant["const"].clone()).expect("a reason");
            let helps = helps(reason).unwrap_or("what failed says it");
            let _ = writeln!(rows, "| `{code}` | {} | {helps} |", means(reason));
        }
        let page = std::fs::read_to_string(PAGE).expect(PAGE);
        let start = page.find("| `meaning` | what it means").expect("a table");
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(PAGE, format!("{}{rows}", &page[..start])).expect(PAGE);
            return;
        }
        assert_eq!(&page[start..], rows, "run it with UPDATE_SCHEMA=1");
    }
}
