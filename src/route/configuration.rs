//! A service's `deploymentConfiguration`: what a deployment changes in it, and how it is put back. The block
//! is sent whole, as it was read, with our change in it.

use serde_json::{Map, Value, json};

use crate::record::{Change, GATES_LIMIT, Native};
use crate::request::strategy::{Stage, Steps, Strategy};

const CANARY: [&str; 3] = ["canaryConfiguration", "canaryPercent", "canaryBakeTimeInMinutes"];
const LINEAR: [&str; 3] = ["linearConfiguration", "stepPercent", "stepBakeTimeInMinutes"];

/// The block for this deployment; `None`: as it is.
pub fn for_deployment(own: Option<&Value>, native: &Native) -> Option<Value> {
    let before = own.cloned().unwrap_or_else(|| json!({}));
    let mut block = before.clone();
    if let Some((to, _)) = native.strategy {
        set_strategy(&mut block, to);
    }
    if let Some(Change { to, .. }) = native.bake {
        block["bakeTimeInMinutes"] = json!(to);
    }
    if native.hooks().next().is_some() {
        let mut hooks = hooks(&block);
        hooks.extend(native.hooks().map(|(stage, minutes)| pause(stage, minutes)));
        block["lifecycleHooks"] = Value::Array(hooks);
    }
    (block != before).then_some(block)
}

/// The block without what was for this deployment only; `None`: it has nothing of that. What reads
/// otherwise than it was written is somebody else's.
pub fn after_deployment(own: &Value, native: &Native, succeeded: bool) -> Option<Value> {
    let mut block = own.clone();
    if let Some((to, from)) = native.strategy
        && !(succeeded && native.keeps)
        && strategy(own) == Some(to)
    {
        set_strategy(&mut block, from);
    }
    if let Some(Change { to, from }) = native.bake
        && own["bakeTimeInMinutes"].as_u64() == Some(u64::from(to))
    {
        block["bakeTimeInMinutes"] = json!(from);
    }
    let all = hooks(own);
    let is_ours =
        |hook: &Value| native.hooks().any(|(stage, minutes)| is_pause(hook, stage, minutes));
    let theirs: Vec<Value> = all.iter().filter(|hook| !is_ours(hook)).cloned().collect();
    if theirs.len() < all.len() {
        block["lifecycleHooks"] = Value::Array(theirs);
    }
    (block != *own).then_some(block)
}

/// The strategy that a block says; `None`: one that is not known.
pub fn strategy(block: &Value) -> Option<Strategy> {
    let steps = |[member, percent, minutes]: [&str; 3]| {
        let own = &block[member];
        let tenths = (own[percent].as_f64()? * 10.0).round();
        // From 1 to 1000.
        let tenths = (1.0..=1000.0).contains(&tenths).then_some(tenths as u16)?;
        let minutes = u32::try_from(own[minutes].as_u64()?).ok()?;
        Some(Steps { tenths, minutes })
    };
    match block["strategy"].as_str().unwrap_or("ROLLING") {
        "ROLLING" => Some(Strategy::Rolling),
        "BLUE_GREEN" => Some(Strategy::BlueGreen),
        "CANARY" => Some(Strategy::Canary(steps(CANARY)?)),
        "LINEAR" => Some(Strategy::Linear(steps(LINEAR)?)),
        _ => None,
    }
}

/// The PAUSE hooks of a block at a stage, ours and the service's own.
fn pausing_at(block: &Value, stage: Stage) -> Vec<Value> {
    let is_at = |hook: &Value| {
        let stages = hook["lifecycleStages"].as_array();
        hook["targetType"] == "PAUSE" && stages.into_iter().flatten().any(|own| own == stage.name())
    };
    hooks(block).into_iter().filter(is_at).collect()
}

/// Whether a block has a PAUSE hook at a stage, ours or the service's own.
pub fn pauses_at(block: &Value, stage: Stage) -> bool {
    !pausing_at(block, stage).is_empty()
}

/// Whether the only PAUSE hook of a block at a stage is one that we wrote for the gates.
pub fn pauses_for_gates(block: &Value, stage: Stage) -> bool {
    matches!(&pausing_at(block, stage)[..], [hook] if is_pause(hook, stage, GATES_LIMIT))
}

/// All stages at which a block pauses.
pub fn pauses(block: &Value) -> Vec<String> {
    let pausing = hooks(block).into_iter().filter(|hook| hook["targetType"] == "PAUSE");
    let stages = pausing.filter_map(|hook| hook["lifecycleStages"].as_array().cloned()).flatten();
    stages.filter_map(|stage| stage.as_str().map(str::to_owned)).collect()
}

fn hooks(block: &Value) -> Vec<Value> {
    block["lifecycleHooks"].as_array().cloned().unwrap_or_default()
}

fn pause(stage: Stage, minutes: u32) -> Value {
    json!({
        "targetType": "PAUSE",
        "lifecycleStages": [stage.name()],
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": "ROLLBACK"},
    })
}

/// Whether a hook is the one that we wrote: nothing in it says so but what it is.
fn is_pause(hook: &Value, stage: Stage, minutes: u32) -> bool {
    let wanted = pause(stage, minutes);
    let same = |member: &str| hook[member] == wanted[member];
    ["targetType", "lifecycleStages", "timeoutConfiguration"].into_iter().all(same)
        && hook.get("hookTargetArn").is_none_or(Value::is_null)
}

fn set_strategy(block: &mut Value, to: Strategy) {
    let Some(members) = block.as_object_mut() else { return };
    members.remove(CANARY[0]);
    members.remove(LINEAR[0]);
    members.insert("strategy".to_owned(), json!(to.name()));
    let mut set = |[member, percent, minutes]: [&str; 3], steps: Steps| {
        let percents = f64::from(steps.tenths) / 10.0;
        let own = [(percent, json!(percents)), (minutes, json!(steps.minutes))];
        let own: Map<String, Value> =
            own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        members.insert(member.to_owned(), Value::Object(own));
    };
    match to {
        Strategy::Rolling | Strategy::BlueGreen => {}
        Strategy::Canary(steps) => set(CANARY, steps),
        Strategy::Linear(steps) => set(LINEAR, steps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Value {
        json!({
            "strategy": "BLUE_GREEN",
            "bakeTimeInMinutes": 5,
            "alarms": {"alarmNames": ["a"], "enable": true, "rollback": true},
            "lifecycleHooks": [
                {"targetType": "AWS_LAMBDA", "hookTargetArn": "arn:f", "roleArn": "arn:r",
                 "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]},
                {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"],
                 "timeoutConfiguration": {"timeoutInMinutes": 10, "action": "CONTINUE"}},
            ],
        })
    }

    fn native() -> Native {
        Native {
            strategy: Some(("canary:10/5m".parse().unwrap(), Strategy::BlueGreen)),
            keeps: true,
            bake: Some(Change { to: 1, from: 5 }),
            pauses: vec![Stage::PostTestTrafficShift],
            limit: 60,
            gates: vec![Stage::PostProductionTrafficShift],
        }
    }

    #[test]
    fn a_deployment_s_block_goes_back_to_what_it_was() {
        let sent = for_deployment(Some(&service()), &native()).unwrap();
        assert_eq!(sent["strategy"], "CANARY");
        assert_eq!(sent["canaryConfiguration"]["canaryPercent"], json!(10.0));
        assert_eq!(sent["lifecycleHooks"].as_array().unwrap().len(), 4);
        assert_eq!(sent["alarms"], service()["alarms"]);
        assert_eq!(after_deployment(&sent, &native(), false), Some(service()));
        let kept = after_deployment(&sent, &native(), true).unwrap();
        assert_eq!(kept["strategy"], "CANARY");
        assert_eq!(kept["bakeTimeInMinutes"], 5);
        assert_eq!(kept["lifecycleHooks"], service()["lifecycleHooks"]);
        assert_eq!(after_deployment(&kept, &native(), true), None);
    }

    #[test]
    fn a_pause_is_at_its_stage_and_a_function_is_none() {
        let pauses: Vec<bool> = [Stage::PreScaleUp, Stage::PostTestTrafficShift]
            .map(|stage| pauses_at(&service(), stage))
            .to_vec();
        assert_eq!(pauses, [true, false]);
    }

    #[test]
    fn nothing_is_sent_where_nothing_is_asked_for() {
        let none = Native { limit: 60, ..Native::default() };
        assert_eq!(for_deployment(Some(&service()), &none), None);
        assert_eq!(for_deployment(None, &none), None);
        assert_eq!(after_deployment(&service(), &none, true), None);
    }

    #[test]
    fn what_somebody_changed_meanwhile_is_theirs() {
        let mut changed = for_deployment(Some(&service()), &native()).unwrap();
        changed["bakeTimeInMinutes"] = json!(30);
        changed["strategy"] = json!("LINEAR");
        changed["lifecycleHooks"][2]["timeoutConfiguration"]["timeoutInMinutes"] = json!(61);
        changed["lifecycleHooks"][3]["hookTargetArn"] = json!("theirs");
        assert_eq!(after_deployment(&changed, &native(), false), None);
    }

    #[test]
    fn a_strategy_is_read_as_it_was_written() {
        for text in ["rolling", "blue-green", "canary:0.5/10m", "linear:25/0m"] {
            let wanted: Strategy = text.parse().unwrap();
            let mut block = service();
            set_strategy(&mut block, wanted);
            assert_eq!(strategy(&block), Some(wanted), "{block}");
        }
        assert_eq!(strategy(&json!({"strategy": "NEXT"})), None);
        assert_eq!(strategy(&json!({})), Some(Strategy::Rolling));
    }
}
