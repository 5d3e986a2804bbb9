//! The machine of an owner is suspended (its monotonic clock stands still while AWS goes on), or somebody
//! sets its wall clock back or forward, at every answer: alone, and while another process takes over.

use std::time::Duration;

use super::rolling;
use crate::support::fate::{Clocks, Fate, Freeze, is_read};
use crate::support::invariants::{Promise, broken, serves};
use crate::support::lives::{Life, REPOSITORY, World, deploy};
use crate::support::scenes::SMALL;
use crate::support::sweep::sweep;

/// AWS goes on for so long while a machine is suspended, and wall clocks are set by so much.
const HOUR: u32 = 3600;
/// Another process takes over meanwhile: it begins 190 s after the first one froze.
const LATER: u64 = 190;
const TAKEN_OVER: u64 = 230;

/// Which tasks are replaced, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pair,
    Solo,
}

impl Place {
    fn world(self) -> World {
        match self {
            Self::Pair => World::of(SMALL.cloud()),
            // The one of the scenario has no image 5.
            Self::Solo => {
                rolling::solo("[[repository]]\nname = 'shop/api'\nimages = ['1', '2', '5']")
            }
        }
    }

    fn deploy(self, tag: &str) -> String {
        match self {
            Self::Pair => deploy(tag, "--follow 60s --bake 30s"),
            Self::Solo => rolling::deploy(tag, "--bake 20s"),
        }
    }

    fn rollback(self) -> &'static str {
        match self {
            Self::Pair => "rollback --cluster shop --service web",
            Self::Solo => "rollback --cluster shop --service api",
        }
    }

    fn serves(self, world: &World, tag: &str) -> Result<(), String> {
        match self {
            Self::Pair => serves(&world.cloud(), &format!("{REPOSITORY}:{tag}"), SMALL.count),
            Self::Solo => rolling::runs(world, tag, 2),
        }
    }

    fn promise(self) -> Promise {
        match self {
            Self::Pair => SMALL.promise(),
            Self::Solo => {
                Promise { bake: Duration::ZERO, follow: Duration::ZERO, ..SMALL.promise() }
            }
        }
    }
}

#[derive(Debug)]
struct Case {
    place: Place,
    nth: u32,
    operation: String,
    clocks: Clocks,
    /// What the other process does.
    second: Option<String>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for place in [Place::Pair, Place::Solo] {
        let life = place.world().run(&place.deploy("2"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        let seconds = [place.deploy("2"), place.rollback().to_owned(), place.deploy("5")];
        let mut seconds = seconds.into_iter().cycle();
        for (nth, operation) in (1_u32..).zip(life.operations) {
            if is_read(&operation) && !nth.is_multiple_of(2) {
                continue;
            }
            let second = seconds.next();
            for clocks in
                [Clocks::Suspended, Clocks::Set(-i64::from(HOUR)), Clocks::Set(i64::from(HOUR))]
            {
                for second in [None, second.clone()] {
                    cases.push(Case { place, nth, operation: operation.clone(), clocks, second });
                }
            }
        }
    }
    cases
}

impl Case {
    fn attempt(&self) -> Result<(), String> {
        let world = self.place.world();
        let lasts = match (&self.second, self.clocks) {
            (Some(_), _) => TAKEN_OVER,
            (None, Clocks::Suspended) => u64::from(HOUR),
            (None, _) => 0,
        };
        let freeze =
            Some(Freeze { nth: self.nth, lasts: Duration::from_secs(lasts), clocks: self.clocks });
        let fate = Fate { freeze, ..Fate::default() };
        let line = self.place.deploy("2");
        let mut lives = match &self.second {
            None => vec![world.live(&line, fate)],
            Some(second) => {
                let other = (second.as_str(), Fate::default());
                world.live_together((&line, fate), other, Duration::from_secs(LATER)).into()
            }
        };
        let ended = self.ended(&world, &lives).and_then(|serving| {
            world.wait(200);
            let next = if serving == "5" { "2" } else { "5" };
            let life = world.run(&self.place.deploy(next));
            let code = life.code;
            lives.push(life);
            match code {
                Some(0) => self.place.serves(&world, next),
                code => Err(format!("a good image afterwards ends with {code:?}")),
            }
        });
        ended.map_err(|why| {
            let told = lives.iter().map(|life| format!("{:?}\n{}", life.code, life.text));
            let Self { place, nth, operation, clocks, second } = self;
            format!(
                "{place:?}, {clocks:?} at call {nth} ({operation}), {second:?}: {why}\n{}",
                told.collect::<Vec<_>>().join("\n")
            )
        })
    }

    /// What serves, where that is what the exit codes say.
    fn ended(&self, world: &World, lives: &[Life]) -> Result<&'static str, String> {
        let first = &lives[0];
        let second = lives.get(1);
        let serving = ["1", "2", "5"].into_iter().find(|tag| self.place.serves(world, tag).is_ok());
        let Some(serving) = serving else {
            return Err(format!("{:?}", self.place.serves(world, "2")));
        };
        let mut broken = broken(&world.cloud(), 0, &self.place.promise());
        let Some(second) = second else {
            // The new version is good: nothing but the clocks is wrong.
            return match (first.code, serving, broken.is_empty()) {
                (Some(0), "2", true) => Ok(serving),
                (code, _, _) => Err(format!("{code:?}, {serving} serves, {broken:?}")),
            };
        };
        // Two deployments, one after the other: what one does after the other closed is no breach.
        let one_only = ["nothing-after-close", "held-as-planned", "changes-bounded"];
        broken.retain(|what| !one_only.iter().any(|name| what.starts_with(name)));
        if !broken.is_empty() {
            return Err(format!("{broken:?}"));
        }
        let clear = |life: &Life| matches!(life.code, Some(0 | 1 | 3 | 5));
        if !clear(first) || !clear(second) {
            return Err("no clear outcome".into());
        }
        if first.code != Some(5) {
            return Ok(serving);
        }
        let mut after = first.operations.iter().skip(self.nth as usize).filter(|one| !is_read(one));
        // Whether tags may be written is found out by one that never changes.
        let tries = self.operation == "RegisterTaskDefinition";
        if let Some(change) = after.nth(usize::from(tries)) {
            return Err(format!("{change} after another process took over"));
        }
        let wanted = match self.second.as_deref().unwrap_or_default() {
            _ if second.code > Some(1) => serving,
            line if line.contains("rollback") => "1",
            line if line.contains(":5 ") => "5",
            _ => "2",
        };
        match wanted == serving {
            true => Ok(serving),
            false => Err(format!("{serving} serves, not {wanted}")),
        }
    }
}

#[test]
fn clocks_that_go_wrong_at_any_answer_change_no_outcome() {
    sweep("clocks that go wrong", cases(), Case::attempt);
}
