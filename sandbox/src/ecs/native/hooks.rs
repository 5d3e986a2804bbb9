//! Lifecycle hooks: pauses, which wait for ContinueServiceDeployment, and Lambda functions, which answer
//! as the scenario says (Amazon ECS Developer Guide, "Lifecycle hooks for Amazon ECS service
//! deployments"). All hooks of a stage run side by side; all must pass.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{newest, newest_mut};
use crate::{
    journal::Change,
    lambda::{Answers, Lambda},
    protocol::json::{int, texts},
    state::{
        Here,
        ecs::{Hook, Native, Stage, last},
    },
    unverified::{Hooks, PauseDetails},
};

/// Starts the hooks of a stage; on the way `back` only the functions, with all weight on the source.
pub(super) fn start(
    here: &mut Here<'_>,
    arn: &str,
    stage: Stage,
    back: bool,
) -> Result<(), String> {
    let now = here.now();
    let mut hooks = Vec::new();
    for config in configured(here, arn) {
        let at = texts(config.get("lifecycleStages"));
        let pause = config["targetType"] == "PAUSE";
        if !at.iter().any(|own| own == stage.name()) || (back && pause) {
            continue;
        }
        let text = |member: &str| config[member].as_str().unwrap_or_default().to_owned();
        let minutes = int(config.pointer("/timeoutConfiguration/timeoutInMinutes"));
        let minutes = minutes.and_then(|own| u64::try_from(own).ok()).unwrap_or(1440);
        let wait = Duration::from_secs(minutes * 60);
        let action = config.pointer("/timeoutConfiguration/action").and_then(Value::as_str);
        let token = here.shared.record_ids.token(43);
        let kind = if pause { "pause" } else { "lambda" };
        hooks.push(Hook {
            id: format!("ecs-{kind}-{token}"),
            stage,
            function: (!pause).then(|| (text("hookTargetArn"), text("roleArn"))),
            status: if pause { "AWAITING_ACTION" } else { "IN_PROGRESS" }.into(),
            expires_at: now + wait,
            timeout_action: action.unwrap_or("ROLLBACK").to_owned(),
            details: config.get("hookDetails").cloned(),
            next: (!pause).then_some((now, false)),
            calls: 0,
            problem: None,
        });
        here.look_in(arn, wait);
    }
    for hook in &hooks {
        note(here, arn, hook, None);
    }
    if let Some(native) = newest_mut(here, arn) {
        native.hooks = hooks;
    }
    tick(here, arn);
    Ok(())
}

/// The hooks of a service, as its service deployment has them.
fn configured(here: &Here<'_>, arn: &str) -> Vec<Value> {
    let Some((service, rollout, _)) = newest(here, arn) else { return Vec::new() };
    let live = super::super::show::configuration(service);
    let own = match here.shared.unverified.hooks {
        Hooks::Live => &live,
        Hooks::Copied => &rollout.configuration,
    };
    own["lifecycleHooks"].as_array().cloned().unwrap_or_default()
}

fn note(here: &mut Here<'_>, arn: &str, hook: &Hook, payload: Option<Value>) {
    let Some((_, rollout, _)) = newest(here, arn) else { return };
    let change = Change::Hook {
        arn: rollout.arn.clone(),
        hook: hook.id.clone(),
        stage: hook.stage.name().to_owned(),
        status: hook.status.clone(),
        payload,
    };
    here.note(change);
}

/// What is due for the hooks happens: functions are called and answer, timeouts pass.
pub(super) fn tick(here: &mut Here<'_>, arn: &str) {
    let Some((.., native)) = newest(here, arn) else { return };
    for at in 0..native.hooks.len() {
        while one(here, arn, at) {}
    }
}

/// What is due for one hook; whether there may be more.
fn one(here: &mut Here<'_>, arn: &str, at: usize) -> bool {
    let now = here.now();
    let Some((.., native)) = newest(here, arn) else { return false };
    let Some(mut hook) = native.hooks.get(at).filter(|one| one.pending()).cloned() else {
        return false;
    };
    let due = hook.next.filter(|(next, _)| *next <= now && *next < hook.expires_at);
    let payload = match due {
        _ if due.is_none() && now >= hook.expires_at => {
            hook.status = "TIMED_OUT".into();
            None
        }
        None => return false,
        Some((_, false)) => {
            hook.calls += 1;
            let lambda = function(here, &hook);
            hook.next = Some((now + lambda.after, true));
            here.look_in(arn, lambda.after);
            payload(here, arn, &hook)
        }
        Some((_, true)) => {
            let lambda = function(here, &hook);
            answer(here, arn, &mut hook, &lambda);
            None
        }
    };
    let seen = hook.clone();
    if let Some(own) = newest_mut(here, arn).and_then(|native| native.hooks.get_mut(at)) {
        *own = hook;
    }
    note(here, arn, &seen, payload);
    true
}

fn function(here: &Here<'_>, hook: &Hook) -> Lambda {
    let arn = hook.function.as_ref().map(|(arn, _)| arn.as_str()).unwrap_or_default();
    let name = arn.split(":function:").nth(1).and_then(|rest| rest.split(':').next());
    let name = name.unwrap_or(arn);
    let known = here.shared.lambdas.iter().find(|one| one.name == name);
    known.cloned().unwrap_or_else(|| Lambda::unknown(name))
}

/// The function answers.
fn answer(here: &mut Here<'_>, arn: &str, hook: &mut Hook, lambda: &Lambda) {
    let (function, role) = hook.function.clone().unwrap_or_default();
    let mut fail = |what: String| {
        hook.status = "FAILED".into();
        hook.problem = Some(what);
    };
    match lambda.answers(hook.stage.name()) {
        Answers::Succeed => hook.status = "SUCCEEDED".into(),
        Answers::Progress if hook.calls > lambda.times => hook.status = "SUCCEEDED".into(),
        Answers::Progress | Answers::Hang => {
            hook.next = Some((here.now() + lambda.delay, false));
            here.look_in(arn, lambda.delay);
        }
        Answers::Fail => {
            fail(format!("Lifecycle hook target {function} returned FAILED status."));
        }
        Answers::Garbage => fail(format!(
            "ECS was unable to parse the response from {function} due to: HookStatus must not be null"
        )),
        Answers::Unassumable => fail(format!("ECS was unable to assume role {role}")),
        Answers::Denied => {
            let session = format!("assumed-role/{}/ECS-Lambda-Execution", last(&role));
            let user = here.shared.iam(&here.region.name, "sts", &session);
            fail(format!(
                "ECS was unable to invoke hook target {function} due to User: {user} is not authorized to perform: lambda:InvokeFunction on resource: {function} because no identity-based policy allows the lambda:InvokeFunction action"
            ));
        }
    }
}

/// What a function is called with.
fn payload(here: &mut Here<'_>, arn: &str, hook: &Hook) -> Option<Value> {
    let id = here.shared.record_ids.uuid();
    let (service, rollout, native) = newest(here, arn)?;
    let source = service.deployments.iter().find(|one| Some(&one.id) == native.source.as_ref());
    let weights = |target: f64| {
        let mut weights = Map::new();
        weights.insert(rollout.target.clone(), json!(target));
        if let Some(source) = source {
            weights.insert(source.revision.clone(), json!(100.0 - target));
        }
        Value::Object(weights)
    };
    let (test, production) = match hook.stage {
        Stage::TestTrafficShift => (weights(native.test), json!({})),
        Stage::PreProductionTrafficShift | Stage::ProductionTrafficShift => {
            (json!({}), weights(native.production))
        }
        _ => (json!({}), json!({})),
    };
    let mut payload = json!({
        "executionId": id,
        "lifecycleStage": hook.stage.name(),
        "resourceArn": rollout.arn,
        "executionDetails": {
            "serviceArn": arn,
            "targetServiceRevisionArn": rollout.target,
            "testTrafficWeights": test,
            "productionTrafficWeights": production,
        },
    });
    if let Some(details) = &hook.details {
        payload["hookDetails"] = details.clone();
    }
    Some(payload)
}

/// Why the hooks of the stage end the service deployment, if they do.
pub(super) fn problem(native: &Native) -> Option<String> {
    let stage = native.stage?.name();
    let failed: Vec<&Hook> = native.hooks.iter().filter(|one| one.status == "FAILED").collect();
    if !failed.is_empty() {
        let mut text = format!("{stage} lifecycle hook(s) failed.");
        for problem in failed.iter().filter_map(|one| one.problem.as_ref()) {
            text = format!("{text} {problem}");
        }
        return Some(text);
    }
    let late = |one: &&Hook| one.status == "TIMED_OUT" && one.timeout_action != "CONTINUE";
    let late = native.hooks.iter().find(late)?;
    // The text for functions is assumed.
    let kind = if late.function.is_none() { "pause hook" } else { "lifecycle hook" };
    Some(format!("{stage} {kind} timed out."))
}

/// The hooks of a configuration as DescribeServices shows them: with the defaults of their timeouts.
pub(crate) fn shown(hooks: &Value, details: PauseDetails) -> Value {
    let mut hooks = hooks.clone();
    for hook in hooks.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        hook.entry("targetType").or_insert(json!("AWS_LAMBDA"));
        let timeout = hook.entry("timeoutConfiguration").or_insert(json!({}));
        for (member, default) in [("timeoutInMinutes", json!(1440)), ("action", json!("ROLLBACK"))]
        {
            if timeout.get(member).is_none() {
                timeout[member] = default;
            }
        }
        if hook["targetType"] == "PAUSE" && details == PauseDetails::Drop {
            hook.shift_remove("hookDetails");
        }
    }
    hooks
}

/// Somebody continues a pause, or rolls it back; whether there is such a pause.
pub(super) fn act(here: &mut Here<'_>, arn: &str, id: &str, status: &str) -> bool {
    let Some(native) = newest_mut(here, arn) else { return false };
    let waiting = |one: &&mut Hook| one.id == id && one.status == "AWAITING_ACTION";
    let Some(hook) = native.hooks.iter_mut().find(waiting) else { return false };
    hook.status = status.to_owned();
    let seen = hook.clone();
    note(here, arn, &seen, None);
    here.look_soon(arn);
    true
}
