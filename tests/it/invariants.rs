//! The invariants that need the record, judged from the journal of the world. Those that every client
//! must respect are the sandbox's own. Each is broken once on purpose below.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ecs_bg_sandbox::invariants::{Invariant, Violation};
use ecs_bg_sandbox::journal::{Call, Change, Entry};
use ecs_bg_sandbox::{Cloud, Time};

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
    broken.extend(held_too_short(journal, promise));
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
fn was_healthy_lately(journal: &[Entry], violation: &Violation, past: Duration) -> bool {
    let lost = |entry: &Entry| match &entry.change {
        Change::Target { group, from, .. } => {
            from == "healthy" && violation.what.contains(&format!("on {group},"))
        }
        _ => false,
    };
    let lately = |entry: &&Entry| entry.at <= violation.at && violation.at - entry.at < past;
    violation.invariant == Invariant::WeightOnEmpty && journal.iter().filter(lately).any(lost)
}

fn by_us(journal: &[Entry]) -> impl Iterator<Item = &Entry> {
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
fn shares_after_turning_back(journal: &[Entry]) -> Vec<String> {
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
fn rose_too_soon(journal: &[Entry]) -> Vec<String> {
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

/// 4: between the last rise to 100 % and the retirement of the other side lie bake and follow.
fn held_too_short(journal: &[Entry], promise: &Promise) -> Vec<String> {
    let mut full_since = None;
    let mut broken = Vec::new();
    for entry in by_us(journal) {
        match &entry.change {
            Change::Weights { before, after, .. } if left_alone(before, after) => {
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
fn changed_after_close(journal: &[Entry]) -> Vec<String> {
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

/// 8: a revision that is the way back is never deregistered.
fn way_back_lost(journal: &[Entry]) -> Vec<String> {
    let lost = by_us(journal).filter_map(|entry| match &entry.change {
        Change::Deregistered { revision } => Some(format!("way-back-kept: {revision}")),
        _ => None,
    });
    lost.collect()
}

/// 9: what a user keeps secret is never put in a tag.
fn secrets(journal: &[Entry]) -> Vec<String> {
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

#[cfg(test)]
mod broken_on_purpose {
    use super::*;
    use crate::lives::{World, deploy};
    use ecs_bg_sandbox::Time;

    const PROMISE: Promise = Promise {
        bake: Duration::from_secs(60),
        follow: Duration::from_secs(120),
        changes: 20,
        past: Duration::ZERO,
    };

    fn by_someone(change: Change) -> impl Fn(u64) -> Entry {
        move |at| Entry {
            at: Time(at * 1000),
            call: Some(Call {
                index: 1,
                service: "ecs".into(),
                operation: "X".into(),
                region: "r".into(),
                user_agent: "aws-sdk-rust/1".into(),
            }),
            change: change.clone(),
        }
    }

    fn weights(before: [u32; 2], after: [u32; 2]) -> Change {
        let list = |w: [u32; 2]| vec![("web-a/1".to_owned(), w[0]), ("web-b/1".to_owned(), w[1])];
        Change::Weights { rule: "r".into(), before: list(before), after: list(after) }
    }

    fn state(text: &str) -> Change {
        let tags = [("ecs-bg:state", text), ("ecs-bg:green", "web-green")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Change::Tagged { resource: "web:2".into(), tags }
    }

    fn emptied() -> Change {
        Change::Desired { service: "web".into(), before: 2, after: 0 }
    }

    fn named(broken: Vec<String>) -> Vec<String> {
        broken.iter().map(|what| what.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_share_that_rises_on_the_way_back_is_named() {
        let journal = [
            by_someone(weights([100, 0], [500, 500]))(1),
            by_someone(state("heading=back why=sick to=0"))(2),
            by_someone(weights([500, 500], [100, 0]))(3),
        ];
        assert!(shares_after_turning_back(&journal).is_empty());
        let mut wrong = journal.to_vec();
        wrong[2] = by_someone(weights([500, 500], [0, 100]))(3);
        assert_eq!(named(shares_after_turning_back(&wrong)), ["no-rise-after-turning-back"]);
    }

    #[test]
    fn a_share_that_rises_too_soon_is_named() {
        let plan = |state: &str| {
            let tags = [
                ("ecs-bg:green", "web-green"),
                ("ecs-bg:shares", "20/30+100/0"),
                ("ecs-bg:state", state),
            ];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            by_someone(Change::Tagged { resource: "web:2".into(), tags })(1)
        };
        let rises = |state: &str, at| {
            let first = by_someone(weights([100, 0], [80, 20]))(10);
            [plan(state), first, by_someone(weights([80, 20], [0, 100]))(at)]
        };
        assert!(rose_too_soon(&rises("heading=forward", 40)).is_empty());
        assert_eq!(named(rose_too_soon(&rises("heading=forward", 39))), ["share-held"]);
        assert!(rose_too_soon(&rises("heading=forward promoted=20", 11)).is_empty());
        let mut theirs = rises("heading=forward", 11);
        theirs[1].call = None;
        assert!(rose_too_soon(&theirs).is_empty());
    }

    #[test]
    fn weight_on_what_fell_sick_long_ago_is_named() {
        let lost = by_someone(Change::Target {
            group: "b".into(),
            target: "10.0.0.7:80".into(),
            from: "healthy".into(),
            to: "unhealthy".into(),
            reason: None,
        })(10);
        let weighed = |at: u64| Violation {
            at: Time(at * 1000),
            call: None,
            invariant: Invariant::WeightOnEmpty,
            what: "r: weight 100 on b, which has no healthy target".into(),
        };
        let past = Duration::from_secs(10);
        assert!(was_healthy_lately(std::slice::from_ref(&lost), &weighed(19), past));
        assert!(!was_healthy_lately(std::slice::from_ref(&lost), &weighed(20), past));
        assert!(!was_healthy_lately(std::slice::from_ref(&lost), &weighed(10), Duration::ZERO));
    }

    #[test]
    fn a_share_that_is_not_held_is_named() {
        let emptied_at =
            |at| [by_someone(weights([100, 0], [0, 100]))(10), by_someone(emptied())(at)];
        assert!(held_too_short(&emptied_at(130), &PROMISE).is_empty());
        assert_eq!(named(held_too_short(&emptied_at(129), &PROMISE)), ["held-as-planned"]);
    }

    #[test]
    fn a_change_after_the_end_is_named() {
        let registered = by_someone(Change::Registered { revision: "web:2".into() })(1);
        let closed = by_someone(state("heading=forward closed=live/9"))(9);
        let fine = [registered.clone(), by_someone(emptied())(5), closed.clone()];
        assert!(changed_after_close(&fine).is_empty());
        let late = [registered.clone(), closed.clone(), by_someone(emptied())(10)];
        assert_eq!(named(changed_after_close(&late)), ["nothing-after-close"]);
        let reopened = [registered, closed, by_someone(state("heading=forward"))(10)];
        assert_eq!(named(changed_after_close(&reopened)), ["closed-stays-closed"]);
    }

    #[test]
    fn a_lost_way_back_and_a_secret_in_a_tag_are_named() {
        let lost = [by_someone(Change::Deregistered { revision: "web:1".into() })(1)];
        assert_eq!(named(way_back_lost(&lost)), ["way-back-kept"]);
        assert_eq!(named(secrets(&[by_someone(state("why=hunter2"))(1)])), ["no-secret-in-a-tag"]);
    }

    #[test]
    fn a_world_that_serves_something_else_is_told() {
        let world = World::new("shop");
        let image = |tag: &str| format!("{}:{tag}", crate::lives::REPOSITORY);
        assert_eq!(serves(&world.cloud(), &image("1"), 2), Ok(()));
        assert!(serves(&world.cloud(), &image("2"), 2).is_err(), "another image");
        assert!(serves(&world.cloud(), &image("1"), 3).is_err(), "too few tasks");
        assert_eq!(world.run(&deploy("2", "")).code, Some(0));
        assert_eq!(serves(&world.cloud(), &image("2"), 2), Ok(()));
        let changes = Promise { changes: 3, ..PROMISE };
        assert_eq!(named(broken(&world.cloud(), 0, &changes))[..1], ["changes-bounded"]);
    }
}
