//! The invariants that need the record, judged from the journal of the world. Those that every client
//! must respect are the sandbox's own. Each is broken once on purpose in `tests/it/invariants.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ecs_bg_sandbox::invariants::{Invariant, Violation};
use ecs_bg_sandbox::journal::{Call, Change, Entry};
use ecs_bg_sandbox::{Cloud, Time};
use serde_json::Value;

use crate::support::lives::{call, parts};

/// What a deployment promises beyond what every client must respect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// 100 % was held this long before the old side was retired.
    pub(crate) bake: Duration,
    /// And the load balancer was given this long.
    pub(crate) follow: Duration,
    /// Changes of the world that the lives may make together.
    pub(crate) changes: usize,
    /// For so long AWS may answer with the past: what a target was then, a client cannot know.
    pub(crate) past: Duration,
}

/// Every promise that the journal from `from` on breaks, by name.
pub(crate) fn broken(cloud: &Cloud, from: usize, promise: &Promise) -> Vec<String> {
    let journal = &cloud.journal()[from..];
    let known = |violation: &&Violation| !was_healthy_lately(journal, violation, promise.past);
    let ours = cloud.violations().iter().filter(|violation| is_ours(violation.call.as_ref()));
    let ours = ours.filter(known);
    let mut broken: Vec<String> =
        ours.map(|v| format!("{}: {}", v.invariant.name(), v.what)).collect();
    broken.extend(shares_after_turning_back(journal));
    broken.extend(rose_too_soon(journal));
    broken.extend(held_too_short(journal, &for_tests(cloud, journal), promise));
    broken.extend(changed_after_close(journal));
    broken.extend(way_back_lost(journal));
    let changes = by_us(journal).count();
    if changes > promise.changes {
        broken.push(format!("changes-bounded: {changes} changes, {} are enough", promise.changes));
    }
    broken.extend(secrets(journal));
    broken
}

/// Whether the empty group that got weight had a healthy target when its health was last told.
pub(crate) fn was_healthy_lately(journal: &[Entry], violation: &Violation, past: Duration) -> bool {
    let lost = |entry: &Entry| match &entry.change {
        Change::Target { group, from, .. } => {
            from == "healthy" && violation.what.contains(&format!("on {group},"))
        }
        _ => false,
    };
    let lately = |entry: &&Entry| entry.at <= violation.at && violation.at - entry.at < past;
    violation.invariant == Invariant::WeightOnEmpty && journal.iter().filter(lately).any(lost)
}

pub(crate) fn by_us(journal: &[Entry]) -> impl Iterator<Item = &Entry> {
    journal.iter().filter(|entry| is_ours(entry.call.as_ref()))
}

/// Ours are the calls by the SDK; outsiders of these tests speak without it.
fn is_ours(call: Option<&Call>) -> bool {
    call.is_some_and(|call| call.user_agent.contains("aws-sdk-rust"))
}

/// The state tag of each revision's record, as it changes.
fn states(entry: &Entry) -> Option<(&str, &str)> {
    match &entry.change {
        Change::Tagged { resource, tags } => Some((resource, tags.get("ecs-bg:state")?)),
        _ => None,
    }
}

/// 3: no share rises after the heading turned back. Which side is green, the record says; in the
/// scenes the groups of the service `web-green` are the second ones.
pub(crate) fn shares_after_turning_back(journal: &[Entry]) -> Vec<String> {
    let mut back: Option<&str> = None;
    let mut broken = Vec::new();
    let mut green_is_second = None;
    for entry in by_us(journal) {
        if let Some((revision, state)) = states(entry) {
            match (state.contains("heading=back"), state.contains("closed=")) {
                (true, false) => back = Some(revision),
                _ => back = None,
            }
        }
        if let Change::Tagged { tags, .. } = &entry.change
            && let Some(green) = tags.get("ecs-bg:green")
        {
            green_is_second = Some(green == "web-green");
        }
        let Change::Weights { rule, before, after } = &entry.change else { continue };
        let share = |weights| per_cent(weights, green_is_second);
        if back.is_some() && share(after) > share(before) {
            broken.push(format!("no-rise-after-turning-back: {rule} at {}", entry.at));
        }
    }
    broken
}

/// The part of the traffic, in percent, that the side with the second groups has, or the other one.
fn per_cent(weights: &[(String, u32)], second: Option<bool>) -> f64 {
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let own = weights.iter().filter(|(group, _)| Some(is_green(group)) == second);
    100.0 * f64::from(own.map(|(_, weight)| weight).sum::<u32>()) / f64::from(total.max(1))
}

/// 4: a share stays for as long as the record says, whoever drives it, unless somebody promoted it.
/// What an outsider wrote is not held.
pub(crate) fn rose_too_soon(journal: &[Entry]) -> Vec<String> {
    let mut holds: Vec<(f64, Duration)> = vec![];
    let mut promoted = None;
    let mut green_is_second = None;
    let mut written = BTreeMap::new();
    let mut broken = Vec::new();
    for entry in journal {
        let ours = is_ours(entry.call.as_ref());
        match &entry.change {
            Change::Tagged { tags, .. } if ours => {
                if let Some(shares) = tags.get("ecs-bg:shares") {
                    let hold = |text: &str| {
                        let (percent, seconds) = text.split_once('/')?;
                        Some((percent.parse().ok()?, Duration::from_secs(seconds.parse().ok()?)))
                    };
                    holds = shares.split('+').filter_map(hold).collect();
                }
                if let Some(state) = tags.get("ecs-bg:state") {
                    let told = state.split(' ').find_map(|field| field.strip_prefix("promoted="));
                    promoted = told.and_then(|percent| percent.parse::<f64>().ok());
                }
                if let Some(green) = tags.get("ecs-bg:green") {
                    green_is_second = Some(green == "web-green");
                }
            }
            Change::Weights { rule, before, after } => {
                let (from, to) =
                    (per_cent(before, green_is_second), per_cent(after, green_is_second));
                let since = written.insert(rule, (entry.at, ours));
                let hold = holds.iter().find(|(share, _)| *share == from && promoted != Some(from));
                let (Some((since, true)), Some((_, hold))) = (since, hold) else { continue };
                if ours && to > from && entry.at - since < *hold {
                    let held = entry.at - since;
                    broken.push(format!("share-held: {rule} rose from {from} % after {held:?}"));
                }
            }
            _ => {}
        }
    }
    broken
}

/// The rules and listeners that show green to tests, by ARN: records name the ids of the rules.
fn for_tests(cloud: &Cloud, journal: &[Entry]) -> BTreeSet<String> {
    let tagged = journal.iter().filter_map(|entry| match &entry.change {
        Change::Tagged { tags, .. } => tags.get("ecs-bg:plan"),
        _ => None,
    });
    let ids: BTreeSet<&str> = tagged
        .filter_map(|plan| plan.split(' ').find_map(|field| field.strip_prefix("tests=")))
        .flat_map(|ids| ids.split('+'))
        .collect();
    if ids.is_empty() {
        return BTreeSet::new();
    }
    let mut cloud = cloud.clone();
    let mut is_for_tests = |rule: &&String| {
        // A default rule changes with its listener.
        let arn = match rule.contains(":listener/") {
            true => {
                let body = format!("ListenerArn={rule}");
                let rules = call(&mut cloud, "elasticloadbalancing", "DescribeRules", &body);
                let kinds = parts(&rules, "IsDefault");
                let mut rules = parts(&rules, "RuleArn").into_iter().zip(kinds);
                rules.find(|(_, is_default)| is_default == "true").map(|(arn, _)| arn)
            }
            false => Some((*rule).clone()),
        };
        arn.is_some_and(|arn| ids.iter().any(|id| arn.ends_with(&format!("/{id}"))))
    };
    let rules = journal.iter().filter_map(|entry| match &entry.change {
        Change::Weights { rule, .. } => Some(rule),
        _ => None,
    });
    let rules: BTreeSet<&String> = rules.collect();
    rules.into_iter().filter(|rule| is_for_tests(rule)).cloned().collect()
}

/// 4: between the last rise to 100 % of the users and the retirement of the other side lie bake and follow.
pub(crate) fn held_too_short(
    journal: &[Entry],
    tests: &BTreeSet<String>,
    promise: &Promise,
) -> Vec<String> {
    let mut full_since = None;
    let mut broken = Vec::new();
    for entry in by_us(journal) {
        match &entry.change {
            Change::Weights { rule, before, after }
                if !tests.contains(rule) && left_alone(before, after) =>
            {
                full_since = Some(entry.at)
            }
            Change::Desired { service, after: 0, .. } => {
                if let Some(since) = full_since.take() {
                    let held = entry.at - since;
                    if held < promise.bake.max(promise.follow) {
                        broken.push(format!("held-as-planned: {service} was emptied {held:?} after the last change of weights"));
                    }
                }
            }
            _ => {}
        }
    }
    broken
}

/// A group has no weight any more.
fn left_alone(before: &[(String, u32)], after: &[(String, u32)]) -> bool {
    let had = |group: &String| before.iter().any(|(other, weight)| other == group && *weight > 0);
    after.iter().any(|(group, weight)| *weight == 0 && had(group))
}

/// 5: after `Close` nothing of that deployment changes.
pub(crate) fn changed_after_close(journal: &[Entry]) -> Vec<String> {
    let mut closed: BTreeMap<&str, &str> = BTreeMap::new();
    // One that gave way to another is closed while that one goes on.
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut broken = Vec::new();
    for entry in by_us(journal) {
        match &entry.change {
            Change::Registered { revision } => {
                open.insert(revision);
            }
            Change::Tagged { .. } => {
                let Some((revision, state)) = states(entry) else { continue };
                // A rollback to a side that was kept, or named.
                let opened =
                    state.starts_with("heading=back why=asked") && !state.contains("closed=");
                if opened && closed.get(revision).is_some_and(|own| own.contains("closed=live")) {
                    closed.remove(revision);
                    open.insert(revision);
                }
                if let Some(before) = closed.get(revision).filter(|before| **before != state) {
                    broken.push(format!(
                        "closed-stays-closed: {revision} from `{before}` to `{state}`"
                    ));
                }
                if state.contains("closed=") {
                    closed.insert(revision, state);
                    open.remove(revision);
                }
            }
            change if open.is_empty() => broken.push(format!("nothing-after-close: {change:?}")),
            _ => {}
        }
    }
    broken
}

/// 8: a revision that is the way back is never deregistered. One of ours that no service was ever put on is
/// the way back of nothing.
pub(crate) fn way_back_lost(journal: &[Entry]) -> Vec<String> {
    let registered = |name: &String| {
        let mut ours = by_us(journal);
        ours.any(|one| matches!(&one.change, Change::Registered { revision } if revision == name))
    };
    let ran = |name: &String| {
        let put_on = |change: &Change| match change {
            Change::Revision { before, after, .. } => before == name || after == name,
            _ => false,
        };
        journal.iter().any(|entry| put_on(&entry.change))
    };
    let lost = by_us(journal).filter_map(|entry| match &entry.change {
        Change::Deregistered { revision } if !registered(revision) || ran(revision) => {
            Some(format!("way-back-kept: {revision}"))
        }
        _ => None,
    });
    lost.collect()
}

/// 9: what a user keeps secret is never put in a tag.
pub(crate) fn secrets(journal: &[Entry]) -> Vec<String> {
    let tagged = by_us(journal).filter_map(|entry| match &entry.change {
        Change::Tagged { resource, tags } => Some((resource, tags)),
        _ => None,
    });
    tagged
        .flat_map(|(resource, tags)| tags.values().map(move |value| (resource, value)))
        .filter(|(_, value)| value.contains("hunter2") || value.contains("secretsmanager"))
        .map(|(resource, value)| format!("no-secret-in-a-tag: {resource}: {value}"))
        .collect()
}

/// 5 and 6: exactly one image serves, at full count, everywhere; the other side is empty.
pub(crate) fn serves(cloud: &Cloud, image: &str, count: usize) -> Result<(), String> {
    let serving = cloud.serving();
    let carrying: Vec<_> = serving.iter().filter(|side| side.weight > 0).collect();
    if carrying.is_empty() {
        return Err("nothing serves".into());
    }
    for side in carrying {
        let answering = side.behind.iter().filter(|target| target.state == "healthy");
        let answering: Vec<_> =
            answering.map(|target| (target.answers, target.image.as_deref())).collect();
        let is_it = |found: &(bool, Option<&str>)| {
            // By tag, or pinned to its digest.
            let name = found.1.map(|name| name.split('@').next().unwrap_or_default());
            found.0 && name == Some(image)
        };
        if answering.len() != count || !answering.iter().all(is_it) {
            return Err(format!("{} of {} serves {answering:?}", side.group, side.rule));
        }
    }
    Ok(())
}

/// 10: the side with the traffic is scaled as the one was that had it, between these limits, and nothing starts
/// a task of the other one.
pub(crate) fn scaled_as_found(cloud: &Cloud, limits: Option<(i64, i64)>) -> Result<(), String> {
    let Some((least, most)) = limits else { return Ok(()) };
    let told = call(
        &mut cloud.clone(),
        "application-autoscaling",
        "DescribeScalableTargets",
        r#"{"ServiceNamespace":"ecs"}"#,
    );
    let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
    let live = if green_has_weight(cloud) { "web-green" } else { "web" };
    for target in told["ScalableTargets"].as_array().into_iter().flatten() {
        let name = target["ResourceId"].as_str().and_then(|id| id.rsplit('/').next());
        let is_live = name == Some(live);
        let kinds = ["DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling"];
        let is_as = |kind: &str| {
            target["SuspendedState"][format!("{kind}Suspended")] == Value::Bool(!is_live)
        };
        let found = (target["MinCapacity"].as_i64(), target["MaxCapacity"].as_i64());
        let limits = match is_live {
            true => found == (Some(least), Some(most)),
            false => found.0 == Some(0),
        };
        if !limits || !kinds.into_iter().all(is_as) {
            return Err(format!("scaling-as-found: {live} has the traffic, and {target}"));
        }
    }
    Ok(())
}

/// Wherever there is weight, somebody answers.
pub(crate) fn answers(cloud: &Cloud) -> Result<(), String> {
    let serving = cloud.serving();
    if serving.iter().all(|side| side.weight == 0) {
        return Err("nothing serves".into());
    }
    let silent = serving.iter().find(|side| {
        side.weight > 0 && !side.behind.iter().any(|one| one.state == "healthy" && one.answers)
    });
    match silent {
        Some(side) => Err(format!("{} of {} does not answer", side.group, side.rule)),
        None => Ok(()),
    }
}

/// Wherever there is weight, a whole side answers, and the other side is whole or not there at all.
pub(crate) fn whole(cloud: &Cloud, count: usize) -> Result<(), String> {
    let serving = cloud.serving();
    if serving.iter().all(|side| side.weight == 0) {
        return Err("nothing serves".into());
    }
    for side in serving.iter().filter(|side| side.weight > 0) {
        let answering = |side: &&ecs_bg_sandbox::Behind| side.state == "healthy" && side.answers;
        let answering = side.behind.iter().filter(answering).count();
        if answering < count {
            return Err(format!(
                "{answering} of {count} of {} answer for {}",
                side.group, side.rule
            ));
        }
    }
    Ok(())
}

/// Whether a rule gives green weight, whatever the nodes do yet.
pub(crate) fn green_has_weight(cloud: &Cloud) -> bool {
    let mut rules: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in cloud.journal() {
        if let Change::Weights { rule, after, .. } = &entry.change {
            rules.insert(rule, after.iter().any(|(group, weight)| is_green(group) && *weight > 0));
        }
    }
    rules.values().any(|has| *has)
}

/// In the scenes, green's groups are the second ones.
fn is_green(group: &str) -> bool {
    group.contains("-b/")
}

/// The longest time, from a moment on, that a group of green had weight and an unhealthy target.
pub(crate) fn sick_with_traffic(cloud: &Cloud, from: Time) -> Duration {
    let mut weighty: BTreeMap<&str, bool> = BTreeMap::new();
    let mut sick: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut since = None;
    let mut longest = Duration::ZERO;
    for entry in cloud.journal() {
        match &entry.change {
            Change::Weights { rule, after, .. } => {
                let has = after.iter().any(|(group, weight)| is_green(group) && *weight > 0);
                weighty.insert(rule, has);
            }
            Change::Target { group, target, to, .. } if is_green(group) && to == "unhealthy" => {
                sick.insert((group, target));
            }
            Change::Target { group, target, .. } => {
                sick.remove(&(group.as_str(), target.as_str()));
            }
            _ => continue,
        }
        if let Some(since) = since {
            longest = longest.max(entry.at - since);
        }
        let bad = !sick.is_empty() && weighty.values().any(|has| *has);
        since = bad.then(|| since.unwrap_or(entry.at.max(from)));
    }
    longest.max(since.map_or(Duration::ZERO, |since| cloud.now() - since))
}
