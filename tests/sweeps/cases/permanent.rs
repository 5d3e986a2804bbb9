//! Reads that always fail, or always take long, from the moment on at which green has its traffic: each
//! read, in each way, while green is well and while it becomes unhealthy.

use std::time::Duration;

use ecs_bg_sandbox::faults::{Kind, Order};
use ecs_bg_sandbox::journal::{Change, Entry};

use crate::support::fate::{Fate, When};
use crate::support::invariants::{answers, broken, green_has_weight, serves};
use crate::support::lives::{Life, REPOSITORY, World, deploy, outside};
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

/// In which way.
const WAYS: [(&str, Kind, u64); 6] = [
    ("slow 11s", Kind::Slow, 11),
    ("slow 25s", Kind::Slow, 25),
    ("throttled", Kind::Throttle, 0),
    ("500", Kind::Internal, 0),
    ("denied", Kind::Denied, 0),
    ("cut", Kind::Truncate, 0),
];

/// One read that never is as it should be.
#[derive(Debug)]
struct Case {
    read: &'static str,
    way: (&'static str, Kind, u64),
    sick: bool,
    /// When it begins, in seconds after the deployment does.
    after: u64,
}

fn order(read: &str, (_, does, seconds): (&str, Kind, u64)) -> Order {
    Order {
        operation: read.to_owned(),
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

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

fn weights(entry: &&Entry) -> bool {
    entry.call.is_some() && matches!(entry.change, Change::Weights { .. })
}

impl Case {
    fn world(&self) -> World {
        World::parsed(match self.sick {
            true => {
                "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '180s'"
            }
            false => "extends = 'shop'",
        })
    }

    /// All reads at once, where the case says `*`.
    fn orders(&self) -> Vec<Order> {
        let reads = READS.iter().filter(|read| self.read == "*" || **read == self.read);
        reads.map(|read| order(read, self.way)).collect()
    }

    fn hides_the_owner(&self) -> bool {
        ["DescribeTaskDefinition", "*"].contains(&self.read)
    }

    fn told(&self, life: &Life, why: impl std::fmt::Display) -> String {
        format!("{self:?}: {why}\n{}", life.text)
    }

    fn attempt(&self) -> Result<(), String> {
        let world = self.world();
        let orders = self.orders();
        let begin = world.now() + Duration::from_secs(self.after);
        let outsider = outside(When::Time(begin), move |cloud| {
            cloud.set_faults(orders.clone()).expect("faults");
        });
        let life = world.live(&deploy("2", "--bake 5m"), Fate { outsider, ..Fate::default() });
        let promise = GALLERY[0].promise();
        let mut bad = broken(&world.cloud(), 0, &promise);
        // A life that lasts for an hour says more often that it is alive.
        bad.retain(|one| !one.starts_with("changes-bounded"));
        if !bad.is_empty() {
            return Err(self.told(&life, format!("{bad:?}")));
        }
        // The exit code is what the world says, once the load balancer has followed the last change.
        world.wait(60);
        let new = serves(&world.cloud(), &image("2"), 2);
        let old = serves(&world.cloud(), &image("1"), 2);
        let says = match life.code {
            Some(0) => new.map_err(|why| format!("exit 0, but {why}")),
            Some(1) => old.map_err(|why| format!("exit 1, but {why}")),
            // Nobody changes weights who cannot tell for a minute whose the deployment is.
            Some(4) if self.hides_the_owner() => Ok(()),
            Some(4) => answers(&world.cloud()).map_err(|why| format!("exit 4, and {why}")),
            code => Err(format!("ended with {code:?}")),
        };
        says.map_err(|why| self.told(&life, why))?;
        // Once AWS is well again, a good image gets live.
        world.cloud().set_faults(vec![]).expect("no faults");
        world.wait(140);
        let again = world.run(&deploy("1", "--force --on-conflict supersede"));
        match again.code {
            Some(0)
                if !green_has_weight(&world.cloud())
                    || serves(&world.cloud(), &image("1"), 2).is_ok() =>
            {
                Ok(())
            }
            code => Err(self.told(&again, format!("afterwards a good image ends with {code:?}"))),
        }
    }
}

fn cases() -> Vec<Case> {
    let reads = READS.iter().copied().chain(["*"]);
    let mut cases = Vec::new();
    for read in reads {
        for way in WAYS {
            for (sick, after) in [(false, 20), (false, 100), (true, 20), (true, 100), (true, 170)] {
                cases.push(Case { read, way, sick, after });
            }
        }
    }
    cases
}

#[test]
fn a_read_that_never_answers_well_leaves_nobody_on_an_unhealthy_side() {
    sweep("reads that always fail", cases(), Case::attempt);
}

/// How long users stay on an unhealthy green: from its first unhealthy target until the weights are back.
#[test]
fn slow_reads_do_not_keep_users_on_an_unhealthy_side() {
    for read in READS.iter().copied().chain(["*"]) {
        let case = Case { read, way: WAYS[0], sick: true, after: 100 };
        let world = case.world();
        let orders = case.orders();
        let outsider = outside(When::Time(world.now() + Duration::from_secs(100)), move |cloud| {
            cloud.set_faults(orders.clone()).expect("faults");
        });
        let fate = Fate { outsider, ..Fate::default() };
        let life = world.live(&deploy("2", "--bake 10m"), fate);
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
