//! Deployments onto a service that is not whole: some or none of its tasks run, and new ones of its
//! revision fail. A bad image fails on it, whole or killed on its way; then one plain `deploy` of a good
//! image gets live, in its own time and little more.

use std::time::Duration;

use ecs_bg_sandbox::{Does, Image};
use serde_json::{Value, json};

use crate::support::fate::Death;
use crate::support::invariants::serves;
use crate::support::lives::{REPOSITORY, World, call};
use crate::support::sweep::sweep;

/// Two engines: the scenario, the service, and its image.
const ENGINES: [(&str, &str, &str); 2] = [("solo", "api", "api"), ("shop", "web", "web")];
/// What becomes of tasks that start.
const CAUSES: [(&str, Does); 2] = [("image gone", Does::Missing), ("exits", Does::Exit)];
/// Images that are no good: unhealthy, and exits.
const BAD: [&str; 2] = ["3", "4"];
/// The bake, and what the load balancer is given.
const BAKE: u64 = 10;
const FOLLOW: u64 = 30;
/// An owner is dead after this long.
const DEAD: u64 = 190;

#[derive(Clone, Copy, Debug)]
struct Case {
    engine: (&'static str, &'static str, &'static str),
    cause: (&'static str, Does),
    /// Healthy tasks of the old side, of two.
    healthy: usize,
    bad: &'static str,
    /// Killed after so many tenths of its calls; 10: not at all.
    dies: u32,
    /// The same image again, which is good now; else another one.
    same: bool,
}

impl Case {
    fn reference(&self, tag: &str) -> String {
        format!("shop/{}:{tag}", self.engine.2)
    }

    fn image(&self, tag: &str) -> String {
        REPOSITORY.replace("/web", &format!("/{}", self.engine.2)) + ":" + tag
    }

    fn deploy(&self, tag: &str) -> String {
        let traffic = match self.engine.0 {
            "shop" => format!(" --follow {FOLLOW}s"),
            _ => String::new(),
        };
        let (service, image) = (self.engine.1, self.image(tag));
        format!("deploy --cluster shop --service {service} --image {image} --bake {BAKE}s{traffic}")
    }

    /// A world in which so many tasks of the old side are left.
    fn world(&self) -> World {
        let world = World::new(self.engine.0);
        {
            let mut cloud = world.cloud();
            cloud.set_image(Image::new(self.reference("1"), self.cause.1));
            let list = json!({ "cluster": "shop", "serviceName": self.engine.1 }).to_string();
            let tasks: Value =
                serde_json::from_str(&call(&mut cloud, "ecs", "ListTasks", &list)).expect("JSON");
            let tasks = tasks["taskArns"].as_array().expect("tasks");
            for task in tasks.iter().skip(self.healthy) {
                let stop = json!({ "cluster": "shop", "task": task }).to_string();
                call(&mut cloud, "ecs", "StopTask", &stop);
            }
        }
        world.wait(400);
        world
    }

    /// How long the good one takes where nothing failed before.
    fn own_time(&self) -> Duration {
        let world = self.world();
        let (begin, life) = (world.now(), world.run(&self.deploy("2")));
        assert_eq!(life.code, Some(0), "{self:?}: a good image alone: {}", life.text);
        world.now() - begin
    }

    fn attempt(&self) -> Result<(), String> {
        let world = self.world();
        let line = self.deploy(self.bad);
        let whole = (self.dies < 10).then(|| {
            let calls: u32 = self.world().run(&line).calls.values().sum();
            (calls * self.dies / 10).max(1)
        });
        let begin = world.now();
        let first = match whole {
            None => world.run(&line),
            Some(nth) => world.run_until(&line, nth, Death::BeforeAnswer),
        };
        let wrong = |what: String| Err(format!("{self:?}: {what}\n{}", first.text));
        if whole.is_none() {
            // Something served before, or nothing did.
            let says = if self.healthy == 0 { 4 } else { 1 };
            if first.code != Some(says) {
                return wrong(format!("the bad image ends with {:?}", first.code));
            }
            if world.now() - begin > Duration::from_secs(900) {
                return wrong(format!("the way back took {:?}", world.now() - begin));
            }
        } else {
            world.wait(DEAD);
        }
        let tag = if self.same { self.bad } else { "2" };
        world.cloud().set_image(Image::new(self.reference(tag), Does::Serve));
        let mut begin = world.now();
        let mut second = world.run(&self.deploy(tag));
        // What was killed on its way forward is continued by the same command, and it has failed.
        if self.same && self.dies < 10 && matches!(second.code, Some(1 | 4)) {
            begin = world.now();
            second = world.run(&self.deploy(tag));
        }
        let took = world.now() - begin;
        let wrong =
            |what: String| Err(format!("{self:?}: {what}\n{}\n{}", first.text, second.text));
        if second.code != Some(0) {
            return wrong(format!("a good image ends with {:?}", second.code));
        }
        if let Err(why) = serves(&world.cloud(), &self.image(tag), 2) {
            return wrong(why);
        }
        // What it takes to claim, to bring the weights to one end, and what the load balancer is given.
        let bound = self.own_time() + Duration::from_secs(60 + 20 + FOLLOW);
        match took <= bound {
            true => Ok(()),
            false => wrong(format!("took {took:?} of {bound:?}")),
        }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for engine in ENGINES {
        for cause in CAUSES {
            for healthy in 0..=2 {
                for bad in BAD {
                    for dies in 1..=10 {
                        for same in [false, true] {
                            cases.push(Case { engine, cause, healthy, bad, dies, same });
                        }
                    }
                }
            }
        }
    }
    cases
}

#[test]
fn a_good_image_gets_live_whatever_failed_before() {
    sweep("degraded starts", cases(), Case::attempt);
}
