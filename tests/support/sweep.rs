//! Many lives, on every core: failures are collected, and cases are counted. `stride` says which part of
//! an enumeration is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::stride;

/// What was tried, by scene and kind, and which operations were hit.
#[derive(Default)]
pub(crate) struct Tally {
    counts: BTreeMap<(String, String), usize>,
    operations: BTreeSet<String>,
    failures: Vec<String>,
    took: Duration,
}

impl Tally {
    pub(crate) fn count(&mut self, scene: &str, kind: &str, points: usize) {
        *self.counts.entry((scene.to_owned(), kind.to_owned())).or_default() += points;
    }

    pub(crate) fn hit<'a>(&mut self, operations: impl Iterator<Item = &'a String>) {
        self.operations.extend(operations.cloned());
    }

    pub(crate) fn points(&self) -> usize {
        self.counts.values().sum()
    }

    /// Tries each, and keeps the complaints.
    pub(crate) fn try_all<T: Sync>(
        &mut self,
        cases: &[T],
        attempt: impl Fn(&T) -> Result<(), String> + Sync,
    ) {
        let (failures, took) = timed_on_every_core(cases, attempt);
        self.failures.extend(failures);
        self.took += took;
    }

    /// Prints what was tried; fails if anything did.
    pub(crate) fn judge(self) {
        let kinds: BTreeSet<&String> = self.counts.keys().map(|(_, kind)| kind).collect();
        let scenes: BTreeSet<&String> = self.counts.keys().map(|(scene, _)| scene).collect();
        for scene in scenes {
            let row = kinds.iter().filter_map(|kind| {
                let points = self.counts.get(&(scene.clone(), (*kind).clone()))?;
                Some(format!("{points} {kind}"))
            });
            println!("{scene}: {}", row.collect::<Vec<_>>().join(", "));
        }
        println!(
            "{} points in {} s, {} operations: {:?}",
            self.points(),
            self.took.as_secs(),
            self.operations.len(),
            self.operations
        );
        all_well(&self.failures, self.points());
        let missed: Vec<&str> =
            OPERATIONS.into_iter().filter(|known| !self.operations.contains(*known)).collect();
        assert!(missed.is_empty(), "never hit: {missed:?}");
    }
}

/// All that a deployment calls. (Not: ListServices, for a hint when no twin is known;
/// DescribeContainerInstances, on EC2; DeregisterTaskDefinition, when AWS did not keep what was sent;
/// ListServiceDeployments and DescribeServiceRevisions, when ECS put a service back.)
pub(crate) const OPERATIONS: [&str; 19] = [
    "DescribeImages",
    "DescribeListeners",
    "DescribeRules",
    "DescribeScalableTargets",
    "DescribeScalingPolicies",
    "DescribeServices",
    "DescribeTargetGroupAttributes",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
    "DescribeTaskDefinition",
    "DescribeTasks",
    "ListTaskDefinitions",
    "ListTasks",
    "ModifyListener",
    "ModifyRule",
    "RegisterScalableTarget",
    "RegisterTaskDefinition",
    "TagResource",
    "UpdateService",
];

/// One case out of each `stride()`, drawn by a generator that `what` seeds: the same ones in each run, and
/// whatever period the enumeration has, they do not all fall on the same place of it.
pub(crate) fn every_nth<T>(what: &str, cases: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut random = fastrand::Rng::with_seed(what.bytes().map(u64::from).sum());
    let (stride, mut all, mut chosen) = (stride(), 0, Vec::new());
    let mut cases = cases.into_iter();
    loop {
        let mut block: Vec<T> = cases.by_ref().take(stride).collect();
        if block.is_empty() {
            println!("{what}: {} of {all} points", chosen.len());
            return chosen;
        }
        all += block.len();
        chosen.push(block.swap_remove(random.usize(..block.len())));
    }
}

/// Tries one in `stride()` of the cases; fails if any of them does.
pub(crate) fn sweep<T: Sync>(
    what: &str,
    cases: impl IntoIterator<Item = T>,
    attempt: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let cases = every_nth(what, cases);
    all_well(&on_every_core(&cases, attempt), cases.len());
}

pub(crate) fn all_well(failures: &[String], of: usize) {
    assert!(
        failures.is_empty(),
        "{} of {of} failed:\n{}\nthe first: {}",
        failures.len(),
        failures.iter().take(40).map(|f| headline(f)).collect::<Vec<_>>().join("\n"),
        failures[0]
    );
}

fn headline(failure: &str) -> &str {
    failure.lines().next().unwrap_or_default()
}

/// What the attempts complain about, in the order of the cases. A panic is a complaint.
pub(crate) fn on_every_core<T: Sync>(
    cases: &[T],
    attempt: impl Fn(&T) -> Result<(), String> + Sync,
) -> Vec<String> {
    timed_on_every_core(cases, attempt).0
}

/// The same, and how long it took. One sweep has the machine at a time: two at once are no faster.
fn timed_on_every_core<T: Sync>(
    cases: &[T],
    attempt: impl Fn(&T) -> Result<(), String> + Sync,
) -> (Vec<String>, Duration) {
    static MACHINE: Mutex<()> = Mutex::new(());
    let _ours = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let took = crate::support::lives::stopwatch();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some((at, case)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            cases.get(at).map(|case| (at, case))
        } {
            let outcome = catch_unwind(AssertUnwindSafe(|| attempt(case)))
                .unwrap_or_else(|_| Err(format!("case {at}: it panicked")));
            if let Err(why) = outcome {
                failures.lock().unwrap_or_else(PoisonError::into_inner).insert(at, why);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    (failures.into_values().collect(), took())
}
