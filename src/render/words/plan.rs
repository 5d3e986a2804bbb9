//! What a plan will do, and why, in words.

use std::collections::BTreeMap;

use super::{tasks, time};
use crate::event::{
    Edited, EditedMember, EngineReason, NumberChange, Part, Planned, Settled, Update,
};

/// What a step will do.
pub(crate) fn step(step: &Planned) -> String {
    match step {
        Planned::Register { family, base, images, edits } => {
            format!("a new revision of {family}: a copy of {base}{}", with(images, edits))
        }
        Planned::Prepare { timeout } => format!(
            "run the command of --before in one task; roll back unless it exits with 0 within {}",
            time(*timeout)
        ),
        Planned::Attach { service, rules, missing } if missing.is_empty() => {
            format!("{service} is in {} already", rules.join(", "))
        }
        Planned::Attach { service, missing, .. } => {
            format!("add {service} to {} with weight 0", missing.join(", "))
        }
        Planned::Freeze { service, min, max } => {
            format!(
                "auto scaling of {service}: {min}–{max}, scale-in suspended meanwhile, then restored"
            )
        }
        Planned::Launch { service, tasks: count } => {
            format!("{service}: {} of the new revision", tasks(*count))
        }
        Planned::Update {
            service,
            update: how,
            desired,
            minimum_healthy_percent,
            maximum_percent,
        } => {
            let numbers = [
                ("desired count", desired),
                ("minimumHealthyPercent", minimum_healthy_percent),
                ("maximumPercent", maximum_percent),
            ];
            let numbers = numbers.iter().filter_map(|(what, change)| {
                change.map(|NumberChange { from, to }| format!(", {what} {from} → {to}"))
            });
            format!("{service}: {}{}", update(how), numbers.collect::<String>())
        }
        Planned::Settle { tasks: count, until: Settled::HealthyTargets, timeout } => format!(
            "wait for {count} healthy targets; roll back after {} without progress",
            time(*timeout)
        ),
        Planned::Settle { tasks: count, until, timeout } => format!(
            "wait until {} {}; roll back after {} without progress",
            tasks(*count),
            settled(*until),
            time(*timeout)
        ),
        Planned::Test { service, rules } => {
            format!("show {service} on {}, before it has users", rules.join(", "))
        }
        Planned::Shift { service, percent, rules, hold, pause } => {
            let hold = match hold.is_zero() {
                _ if *pause => {
                    format!(", then pause for {} at most, until ecs-bg promote", time(*hold))
                }
                true => String::new(),
                false => format!(", hold for {}", time(*hold)),
            };
            match percent {
                0 => format!("{service} has no users yet{hold}"),
                percent => format!("{percent} % to {service} in {}{hold}", rules.join(", ")),
            }
        }
        Planned::ShiftByEcs { strategy, part, .. } => {
            format!("ECS shifts the traffic: {}", parts(strategy, part.as_ref()))
        }
        Planned::Alarms { alarms } => {
            format!("roll back if one goes off at any step: {}", alarms.join(", "))
        }
        Planned::Checks { gates } => {
            format!("at each share, and roll back if one fails: {}", gates.join(", "))
        }
        Planned::Pause { stage, limit } => {
            format!("at {stage}, for {} at most, until ecs-bg promote", time(*limit))
        }
        Planned::Bake { period, by_ecs: true, .. } => {
            format!("ECS watches the new revision for {}", time(*period))
        }
        Planned::Bake { service, kept: Some(kept), period, .. } => {
            format!("watch {service} for {}; {kept} keeps running", time(*period))
        }
        Planned::Bake { period, .. } => format!("watch it for {}", time(*period)),
        Planned::Follow { period } => format!(
            "wait until the load balancer has had {} to apply the last weights",
            time(*period)
        ),
        Planned::Retire { service } => format!("{service}: desired count 0"),
        Planned::Keep { service } => {
            format!(
                "{service} keeps running with weight 0, until the next deployment or ecs-bg retire"
            )
        }
        Planned::Verify { service } => {
            format!(
                "check that the listener rules send all traffic of {service} to the new revision"
            )
        }
    }
}

fn update(how: &Update) -> String {
    match how {
        Update::Replace => "replace its tasks with the new revision".to_owned(),
        Update::Restart { revision } => format!("start new tasks of {revision}"),
        Update::Start { tasks: count, timeout } => format!(
            "ECS starts {} of the new revision; roll back after {} without progress",
            tasks(*count),
            time(*timeout)
        ),
    }
}

fn settled(until: Settled) -> &'static str {
    match until {
        Settled::HealthyTargets | Settled::Completed => {
            "are healthy and ECS has completed the deployment"
        }
        Settled::Running => "run",
        Settled::Drained => "are healthy and the targets of the old ones are gone",
    }
}

/// How ECS shifts the traffic: as `--strategy` takes it.
fn parts(strategy: &str, part: Option<&Part>) -> String {
    match (strategy, part) {
        (_, Some(Part { part_per_mille, period })) => {
            let percent = f64::from(*part_per_mille) / 10.0;
            let minutes = period.as_secs() / 60;
            format!("{}:{percent}/{minutes}m", strategy.to_lowercase())
        }
        ("ROLLING" | "BLUE_GREEN", None) => "all at once".to_owned(),
        (other, None) => other.to_owned(),
    }
}

/// Why an engine deploys a service.
pub(crate) fn engine_reason(why: &EngineReason) -> String {
    match why {
        EngineReason::Asked => "asked for".to_owned(),
        EngineReason::Pair { service, twin } => format!("{service} and {twin} are a pair"),
        EngineReason::NoTwin { service } => format!("{service} has no twin"),
        EngineReason::Strategy { strategy } => format!("its deployment strategy is {strategy}"),
        EngineReason::StrategyAsked => "--strategy asks for it".to_owned(),
    }
}

/// What a copy has that its original has not: ` with image shop/web:2 in web, web:LOG_LEVEL=***`.
pub(crate) fn with(images: &BTreeMap<String, String>, edits: &[Edited]) -> String {
    let images = images.iter();
    let images = images.map(|(container, image)| format!("image {image} in {container}"));
    let all: Vec<String> = images.chain(edits.iter().map(edit)).collect();
    match all[..] {
        [] => String::new(),
        [..] => format!(" with {}", all.join(", ")),
    }
}

fn edit(Edited { container, what }: &Edited) -> String {
    let at = container.as_ref().map_or(String::new(), |name| format!("{name}:"));
    match what {
        EditedMember::Env { name, value: Some(value) } => format!("{at}{name}={value}"),
        EditedMember::Env { name, value: None } => format!("{at}{name}=***"),
        EditedMember::Secret { name } => format!("{at}{name} from a secret"),
        EditedMember::Unset { name } => format!("{at}{name} unset"),
        EditedMember::Cpu { units } => format!("{at}cpu {units}"),
        EditedMember::Memory { mib } => format!("{at}memory {mib}"),
        EditedMember::Command { of_image: true } => format!("{at}command of the image"),
        EditedMember::Command { of_image: false } => format!("{at}command ***"),
    }
}
