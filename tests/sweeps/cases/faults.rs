//! What AWS and the network do to calls: every fault once at the calls of every scene, credentials that
//! end, answers from the past, tags that are denied. The deployment goes where it would have gone.

use std::time::Duration;

use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::{Fate, Stale, is_read};
use crate::support::invariants::{broken, scaled_as_found, serves, sick_with_traffic};
use crate::support::lives::{Life, World};
use crate::support::scenes::{GALLERY, SMALL, Scene};
use crate::support::sweep::{Tally, every_nth, sweep};

fn refused(status: u16, code: &str) -> Interference {
    Interference::Error { status, code: code.to_owned(), message: "as AWS says it".to_owned() }
}

/// What can happen to a call once.
pub(crate) fn faults() -> [(&'static str, Interference); 6] {
    [
        ("throttled", refused(400, "ThrottlingException")),
        ("500", refused(500, "ServerException")),
        ("reset before", Interference::ResetBefore),
        ("reset after", Interference::ResetAfter),
        ("hung", Interference::LoseRequest),
        ("answer hung", Interference::LoseAnswer),
    ]
}

/// One fate in one scene.
struct Case {
    scene: Scene,
    kind: &'static str,
    nth: u32,
    operation: String,
}

impl Case {
    fn fate(&self) -> Fate {
        match self.kind {
            "expired" => Fate {
                since: Some((self.nth, refused(400, "ExpiredTokenException"))),
                ..Fate::default()
            },
            "stale reads" => {
                let stale = Stale { change: Some(self.nth), lasts: Duration::from_secs(10) };
                Fate { stale: Some(stale), ..Fate::default() }
            }
            kind => {
                let fault = faults().into_iter().find(|(name, _)| *name == kind);
                let (_, fault) = fault.expect("a fault of that name");
                Fate { once: Some((self.nth, fault)), ..Fate::default() }
            }
        }
    }

    fn told(&self, life: &Life, why: impl std::fmt::Display) -> String {
        let Case { scene, kind, nth, operation } = self;
        format!("{}: {kind} at {nth} ({operation}): {why}\n{}", scene.name, life.text)
    }

    fn attempt(&self) -> Result<(), String> {
        let scene = &self.scene;
        let world = World::of(scene.cloud());
        if self.kind == "stale reads" {
            world.cloud().remember(Duration::from_secs(20));
        }
        let mut life = world.live(&scene.deploy(), self.fate());
        if self.kind == "expired" {
            let stopped = matches!(life.code, Some(3 | 4)) && life.text.contains("\nhint: ");
            if !stopped && life.code != Some(scene.exit_code()) {
                return Err(self.told(&life, format!("ended with {:?}", life.code)));
            }
            // With new credentials, from another machine, once the owner is dead for sure.
            world.wait(180);
            life = world.run(&scene.deploy());
        }
        if life.code != Some(scene.exit_code()) {
            return Err(self.told(&life, format!("ended with {:?}", life.code)));
        }
        let served = serves(&world.cloud(), &scene.serving(), scene.count);
        served.map_err(|why| self.told(&life, why))?;
        let scaled = scaled_as_found(&world.cloud(), scene.limits());
        scaled.map_err(|why| self.told(&life, why))?;
        match broken(&world.cloud(), 0, &scene.promise()) {
            broken if broken.is_empty() => Ok(()),
            broken => Err(self.told(&life, format!("{broken:?}"))),
        }
    }
}

/// Every call of the small scenes meets every fault; elsewhere every change meets every second one.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for scene in GALLERY {
        let whole = World::of(scene.cloud()).run(&scene.deploy());
        let small = [SMALL.name, "one rule, 500"].contains(&scene.name);
        let mut changes = 0;
        for (nth, operation) in (1..).zip(&whole.operations) {
            let case = |kind, nth| Case { scene, kind, nth, operation: operation.clone() };
            if is_read(operation) {
                if small {
                    cases.extend(faults().map(|(kind, _)| case(kind, nth)));
                }
                // And what only other scenes read, once.
                let known = cases.iter().any(|case: &Case| case.operation == *operation);
                if !small && !known {
                    cases.push(case("expired", nth));
                }
                if small && nth.is_multiple_of(4) {
                    cases.push(case("expired", nth));
                }
                continue;
            }
            changes += 1;
            cases.push(case("expired", nth));
            if scene.count < 10 {
                cases.push(case("stale reads", changes));
            }
            let met = (0..).zip(faults()).filter(|(at, _)| small || (at + nth).is_multiple_of(2));
            cases.extend(met.map(|(_, (kind, _))| case(kind, nth)));
        }
    }
    cases
}

#[test]
fn every_scene_survives_every_fault() {
    let mut tally = Tally::default();
    let cases = cases();
    tally.hit(cases.iter().map(|case| &case.operation));
    let cases = every_nth("faults", cases);
    for case in &cases {
        tally.count(case.scene.name, case.kind, 1);
    }
    tally.try_all(&cases, Case::attempt);
    tally.judge();
}

/// Nothing is written down: it runs from memory, and goes where it would have gone.
#[test]
fn no_scene_needs_its_tags() {
    sweep("no tags", GALLERY, |scene| {
        let world = World::of(scene.cloud());
        let life = world.run_denied(&scene.deploy(), &["TagResource"]);
        let told = |why: String| format!("{}: {why}\n{}", scene.name, life.text);
        if life.code != Some(scene.exit_code()) || !life.text.contains("no record is kept") {
            return Err(told(format!("{:?}", life.code)));
        }
        serves(&world.cloud(), &scene.serving(), scene.count).map_err(told)?;
        let sick_for = sick_with_traffic(&world.cloud(), ecs_bg_sandbox::Time(0));
        match world.cloud().violations() {
            _ if sick_for > Duration::from_secs(45) && !scene.name.contains("slow") => {
                Err(told(format!("on a sick green for {sick_for:?}")))
            }
            [] => Ok(()),
            broken => Err(told(format!("{broken:?}"))),
        }
    });
}
