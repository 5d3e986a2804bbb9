//! Calls that always fail, or always take long, from some moment of a deployment on: each call, in each
//! way, while the new version is well and while it becomes unhealthy, with both engines.

use std::time::Duration;

use ecs_bg_sandbox::faults::{Kind, Order};
use ecs_bg_sandbox::journal::{Change, Entry};

use crate::support::fate::{Fate, When};
use crate::support::invariants::{answers, broken, serves};
use crate::support::lives::{Life, REPOSITORY, World, outside};
use crate::support::scenes::GALLERY;
use crate::support::sweep::sweep;

/// Every read of a deployment's loop; `*`: all of them.
const READS: [&str; 7] = [
    "DescribeServices",
    "DescribeTargetHealth",
    "DescribeRules",
    "DescribeListeners",
    "DescribeTaskDefinition",
    "ListTasks",
    "DescribeTasks",
];
/// What changes something.
const CHANGES: [&str; 4] = ["RegisterTaskDefinition", "TagResource", "UpdateService", "ModifyRule"];

/// In which way.
pub(crate) const WAYS: [(&str, Kind, u64); 6] = [
    ("slow 11s", Kind::Slow, 11),
    ("slow 25s", Kind::Slow, 25),
    ("throttled", Kind::Throttle, 0),
    ("500", Kind::Internal, 0),
    ("denied", Kind::Denied, 0),
    ("cut", Kind::Truncate, 0),
];

/// When a green becomes unhealthy that does, in seconds after it started: while it bakes.
const SICK_AFTER: u64 = 70;
/// When a fault begins, in seconds after the deployment does: while it starts, shifts, bakes, follows.
const STEPS: [u64; 4] = [0, 10, 40, 100];

/// Two engines: the scenario, the service, its image, and what the deployment is given.
const PAIR: Engine =
    Engine { scenario: "shop", service: "web", more: "--bake 90s --timeout 3m --follow 60s" };
const ALONE: Engine = Engine { scenario: "solo", service: "api", more: "--bake 90s --timeout 3m" };

#[derive(Clone, Copy, Debug, PartialEq)]
struct Engine {
    scenario: &'static str,
    service: &'static str,
    more: &'static str,
}

/// One call that never is as it should be.
#[derive(Debug)]
struct Case {
    engine: Engine,
    operation: &'static str,
    way: (&'static str, Kind, u64),
    sick: bool,
    /// When it begins, in seconds after the deployment does.
    after: u64,
}

pub(crate) fn order(operation: &str, (_, does, seconds): (&str, Kind, u64)) -> Order {
    Order {
        operation: operation.to_owned(),
        service: None,
        nth: Some(1),
        times: Some(1_000_000),
        probability: None,
        seed: None,
        does,
        lasts: (seconds > 0).then(|| Duration::from_secs(seconds)),
        age: None,
        status: None,
        code: None,
        message: None,
    }
}

fn weights(entry: &&Entry) -> bool {
    entry.call.is_some() && matches!(entry.change, Change::Weights { .. })
}

impl Case {
    fn image(&self, tag: &str) -> String {
        REPOSITORY.replace("/web", &format!("/{}", self.engine.service)) + ":" + tag
    }

    fn deploy(&self, tag: &str, more: &str) -> String {
        let Engine { service, more: own, .. } = self.engine;
        format!(
            "deploy --cluster shop --service {service} --image {} {own} {more}",
            self.image(tag)
        )
    }

    fn world(&self) -> World {
        let Engine { scenario, service, .. } = self.engine;
        let sick = match self.sick {
            true => format!(
                "[[image]]\nref = 'shop/{service}:2'\ndoes = 'sick'\nafter = '{SICK_AFTER}s'"
            ),
            false => String::new(),
        };
        World::parsed(&format!("extends = '{scenario}'\n{sick}"))
    }

    /// All reads at once, where the case says `*`.
    fn orders(&self) -> Vec<Order> {
        match self.operation {
            "*" => READS.iter().map(|read| order(read, self.way)).collect(),
            one => vec![order(one, self.way)],
        }
    }

    /// No target can be looked at, or only now and then: the new version comes and goes meanwhile.
    fn sees_nothing(&self) -> bool {
        self.operation == "*"
            || self.operation == "DescribeTaskDefinition" && self.way.0 == "slow 25s"
    }

    /// Neither weights nor services can be changed.
    fn holds_everything(&self) -> bool {
        matches!(self.way.1, Kind::Throttle | Kind::Internal | Kind::Denied)
            && ["ModifyRule", "UpdateService"].contains(&self.operation)
    }

    fn told(&self, life: &Life, why: impl std::fmt::Display) -> String {
        format!("{self:?}: {why}\n{}", life.text)
    }

    /// Exit code 3: no service and no rule was changed, and no record is open.
    fn untouched(world: &World) -> Result<(), String> {
        let changed = |entry: &&Entry| {
            let change = &entry.change;
            entry.call.is_some()
                && matches!(
                    change,
                    Change::Weights { .. } | Change::Desired { .. } | Change::Revision { .. }
                )
        };
        let journal = world.journal(0);
        match journal.iter().find(changed) {
            Some(entry) => Err(format!("exit 3, but {:?}", entry.change)),
            None => Ok(()),
        }
    }

    fn attempt(&self) -> Result<(), String> {
        let world = self.world();
        let orders = self.orders();
        let begin = world.now() + Duration::from_secs(self.after);
        let outsider = outside(When::Time(begin), move |cloud| {
            cloud.set_faults(orders.clone()).expect("faults");
        });
        let life = world.live(&self.deploy("2", ""), Fate { outsider, ..Fate::default() });
        if self.engine == PAIR {
            let promise = GALLERY[0].promise();
            let mut bad = broken(&world.cloud(), 0, &promise);
            // A long life says more often that it is alive, and what is refused is tried again.
            bad.retain(|one| !one.starts_with("changes-bounded"));
            // A fault that happens to a call is no change of ours.
            bad.retain(|one| !one.starts_with("nothing-after-close: Fault"));
            if !bad.is_empty() {
                return Err(self.told(&life, format!("{bad:?}")));
            }
        }
        // The exit code is what the world says, once the load balancer has followed the last change.
        world.wait(60);
        let new = serves(&world.cloud(), &self.image("2"), 2);
        let old = serves(&world.cloud(), &self.image("1"), 2);
        let says = match life.code {
            Some(0) => new.map_err(|why| format!("exit 0, but {why}")),
            Some(1) => old.map_err(|why| format!("exit 1, but {why}")),
            Some(3) => Self::untouched(&world),
            Some(4) if self.sees_nothing() || self.holds_everything() => Ok(()),
            // Nor is a service put back that nobody can look at: it may be on what somebody else deploys.
            Some(4) if self.engine == ALONE && self.operation == "DescribeServices" => Ok(()),
            Some(4) => answers(&world.cloud()).map_err(|why| format!("exit 4, and {why}")),
            code => Err(format!("ended with {code:?}")),
        };
        says.map_err(|why| self.told(&life, why))?;
        // Once AWS is well again, a good image gets live.
        world.cloud().set_faults(vec![]).expect("no faults");
        world.wait(140);
        let again = world.run(&self.deploy("1", "--force --on-conflict supersede"));
        match again.code {
            Some(0) => serves(&world.cloud(), &self.image("1"), 2)
                .map_err(|why| self.told(&again, format!("exit 0, but {why}"))),
            code => Err(self.told(&again, format!("afterwards a good image ends with {code:?}"))),
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for engine in [PAIR, ALONE] {
        let rules = |operation: &&str| {
            engine == PAIR || !["ModifyRule", "DescribeRules"].contains(operation)
        };
        let operations = READS.iter().chain(&CHANGES).chain(&["*"]).copied();
        for operation in operations.filter(rules) {
            for way in WAYS {
                for sick in [false, true] {
                    for after in STEPS {
                        cases.push(Case { engine, operation, way, sick, after });
                    }
                }
            }
        }
    }
    cases
}

#[test]
fn a_call_that_never_goes_well_leaves_nobody_on_an_unhealthy_side() {
    sweep("calls that always fail", cases(), Case::attempt);
}

/// How long users stay on an unhealthy green: from its first unhealthy target until the weights are back.
#[test]
fn slow_reads_do_not_keep_users_on_an_unhealthy_side() {
    for read in READS.iter().copied().chain(["*"]) {
        let case = Case { engine: PAIR, operation: read, way: WAYS[0], sick: true, after: 50 };
        let world = case.world();
        let orders = case.orders();
        let outsider =
            outside(When::Time(world.now() + Duration::from_secs(case.after)), move |cloud| {
                cloud.set_faults(orders.clone()).expect("faults");
            });
        let fate = Fate { outsider, ..Fate::default() };
        let life = world.live(&case.deploy("2", ""), fate);
        assert_eq!(life.code, Some(1), "{read}: {}", life.text);
        let journal = world.journal(0);
        let sick = journal
            .iter()
            .find(|entry| matches!(&entry.change, Change::Target { to, .. } if to == "unhealthy"));
        let sick = sick.expect("green becomes unhealthy").at;
        let back =
            journal.iter().filter(weights).map(|entry| entry.at).filter(|at| *at > sick).min();
        let reaction = back.expect("the weights go back") - sick;
        println!("{read} takes 11s: weights back after {reaction:?}");
        assert!(reaction <= Duration::from_secs(60), "{read}: {reaction:?}\n{}", life.text);
    }
}
