//! Services whose traffic ECS shifts, where something lasts: calls that never go well from some moment on, a
//! second process that takes over, an owner that stands still and wakes.

use std::time::Duration;

use ecs_bg_sandbox::faults::{Kind, Order};

use super::native::{deploy, native, runs, settings};
use super::permanent::{WAYS, order};
use crate::support::fate::{Clocks, Fate, Freeze, When};
use crate::support::lives::{World, outside};
use crate::support::sweep::sweep;

/// What a deployment reads; `*`: all of it.
const READS: [&str; 8] = [
    "DescribeServices",
    "DescribeServiceDeployments",
    "ListServiceDeployments",
    "DescribeTargetHealth",
    "DescribeRules",
    "DescribeTaskDefinition",
    "ListTasks",
    "DescribeTasks",
];
const CHANGES: [&str; 4] =
    ["RegisterTaskDefinition", "TagResource", "UpdateService", "StopServiceDeployment"];

/// When it begins, in seconds after the deployment does: while tasks start, traffic shifts, ECS bakes.
const STEPS: [u64; 4] = [0, 10, 60, 200];

#[derive(Debug)]
struct Lasting {
    operation: &'static str,
    way: (&'static str, Kind, u64),
    tag: &'static str,
    after: u64,
}

/// One version serves.
fn one_of(world: &World, tags: &[&str]) -> Result<(), String> {
    let mut serving = tags.iter().map(|tag| runs(world, tag));
    let last = runs(world, tags[0]);
    if serving.any(|one| one.is_ok()) { Ok(()) } else { last }
}

impl Lasting {
    fn attempt(&self) -> Result<(), String> {
        let world = native("");
        let before = settings(&world);
        let orders: Vec<Order> = match self.operation {
            "*" => READS.iter().map(|read| order(read, self.way)).collect(),
            one => vec![order(one, self.way)],
        };
        let begin = world.now() + Duration::from_secs(self.after);
        let outsider = outside(When::Time(begin), move |cloud| {
            cloud.set_faults(orders.clone()).expect("faults");
        });
        let life =
            world.live(&deploy(self.tag, "--timeout 5m"), Fate { outsider, ..Fate::default() });
        let told = |why: String| format!("{self:?}: {:?}: {why}\n{}", life.code, life.text);
        // The exit code is what the world says, once ECS has ended what it does.
        world.wait(1800);
        match life.code {
            Some(0) => {
                runs(&world, self.tag).map_err(|why| told(format!("a false success: {why}")))?
            }
            Some(1 | 3) => runs(&world, "1").map_err(|why| told(format!("a false end: {why}")))?,
            Some(4) => one_of(&world, &["1", self.tag]).map_err(told)?,
            _ => return Err(told("no such end".into())),
        }
        // Once AWS is well again, a good image gets live, and leaves the settings as they were.
        world.cloud().set_faults(vec![]).expect("no faults");
        let again = world.run(&deploy("5", "--force --on-conflict supersede"));
        let told = |why: String| {
            format!("{self:?}: {why}\n{}\nafterwards: {:?}\n{}", life.text, again.code, again.text)
        };
        if again.code != Some(0) {
            return Err(told("a good image does not get live".into()));
        }
        runs(&world, "5").map_err(&told)?;
        match settings(&world) == before {
            true => Ok(()),
            false => Err(told(format!("settings: {before}, now {}", settings(&world)))),
        }
    }
}

#[test]
fn a_call_that_never_goes_well_brings_no_lie_and_no_dead_end() {
    let mut cases = Vec::new();
    for operation in READS.iter().chain(&CHANGES).chain(&["*"]).copied() {
        for way in WAYS {
            for tag in ["2", "3"] {
                for after in STEPS {
                    cases.push(Lasting { operation, way, tag, after });
                }
            }
        }
    }
    sweep("native: calls that always fail", cases, Lasting::attempt);
}

const SERVICE: &str = "--cluster shop --service shop";

/// Two processes and one version that serves, as the one that has it says.
fn is_settled(
    world: &World,
    first: Option<u8>,
    second: Option<u8>,
    wanted: &str,
) -> Result<(), String> {
    world.wait(1800);
    one_of(world, &["1", "2", "5"])?;
    let known = |code| matches!(code, Some(0 | 1 | 3 | 5));
    if !known(first) || !known(second) {
        return Err("no clear outcome".into());
    }
    match (first, second) {
        // Who stood still before it had begun anything begins when it wakes.
        (Some(0), Some(0)) => runs(world, wanted).or_else(|_| runs(world, "2")),
        (_, Some(0)) if !wanted.is_empty() => runs(world, wanted),
        (Some(1), _) => runs(world, "1").or_else(|_| runs(world, wanted)),
        (Some(0), Some(3)) => runs(world, "2"),
        _ => Ok(()),
    }
}

/// Somebody takes over at every tenth second: by another image, by hand, or by the same command.
#[test]
fn a_rival_at_every_moment_ends_with_one_version() {
    let rivals = [
        (deploy("5", "--on-conflict supersede"), "5"),
        (deploy("5", "--on-conflict wait"), "5"),
        (deploy("2", "--on-conflict supersede"), "2"),
        (format!("rollback {SERVICE}"), "1"),
        (format!("abort {SERVICE}"), ""),
    ];
    let cases = rivals.iter().flat_map(|rival| (0..440).step_by(10).map(move |at| (rival, at)));
    sweep("native: rivals", cases.collect::<Vec<_>>(), |((rival, wanted), at)| {
        let world = native("");
        let [first, second] = world.run_together(&deploy("2", ""), rival, at * 1000);
        is_settled(&world, first.code, second.code, wanted).map_err(|why| {
            format!(
                "{rival} at {at}s: {why} {:?} {:?}\n{}\n{}",
                first.code, second.code, first.text, second.text
            )
        })
    });
}

/// The owner's machine stands still at every call, and wakes after somebody else took over.
#[test]
fn a_frozen_owner_changes_nothing_any_more() {
    let line = deploy("2", "");
    let calls: u32 = native("").run(&line).calls.values().sum();
    let seconds =
        [(deploy("5", ""), "5"), (line.clone(), "2"), (format!("rollback {SERVICE}"), "1")];
    let cases = (1..=calls).flat_map(|nth| {
        let seconds = seconds.clone();
        seconds
            .into_iter()
            .flat_map(move |second| [230, 1500].map(|lasts| (nth, lasts, second.clone())))
    });
    sweep("native: frozen", cases.collect::<Vec<_>>(), |(nth, lasts, (second, wanted))| {
        let world = native("");
        let freeze =
            Freeze { nth: *nth, lasts: Duration::from_secs(*lasts), clocks: Clocks::Right };
        let frozen = Fate { freeze: Some(freeze), ..Fate::default() };
        let late = Duration::from_secs(190);
        let [first, second_life] =
            world.live_together((&line, frozen), (second, Fate::default()), late);
        is_settled(&world, first.code, second_life.code, wanted).map_err(|why| {
            format!(
                "frozen at call {nth} for {lasts}s, {second}: {why} {:?} {:?}\n{}\n{}",
                first.code, second_life.code, first.text, second_life.text
            )
        })
    });
}
