//! An owner whose machine stands still, at every answer, and wakes after somebody else took over: it
//! changes nothing any more. (What was on its way to AWS already cannot be called back: nothing there
//! makes a change depend on who sends it.)

use std::time::Duration;

use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::{Clocks, Fate, Freeze, is_read};
use crate::support::invariants::{broken, serves};
use crate::support::lives::{REPOSITORY, World, deploy};
use crate::support::scenes::SMALL;
use crate::support::sweep::sweep;

const PAIR: &str = "--cluster shop --service web";

struct Case {
    nth: u32,
    operation: String,
    lasts: u64,
    second: String,
}

fn cases(wanted: impl Fn(&str, u32) -> bool) -> Vec<Case> {
    let life = World::of(SMALL.cloud()).run(&SMALL.deploy());
    let calls = (1..).zip(life.operations).filter(|(nth, operation)| wanted(operation, *nth));
    let seconds =
        [SMALL.deploy(), format!("rollback {PAIR}"), deploy("5", "--follow 60s --bake 30s")];
    calls
        .flat_map(|(nth, operation)| {
            let seconds = seconds.clone().into_iter();
            seconds.flat_map(move |second| {
                let operation = operation.clone();
                // It wakes while the other drives, or when that has ended.
                [230, 1500].map(|lasts| Case {
                    nth,
                    operation: operation.clone(),
                    lasts,
                    second: second.clone(),
                })
            })
        })
        .collect()
}

fn attempt(case: &Case) -> Result<(), String> {
    let world = World::of(SMALL.cloud());
    let freeze =
        Freeze { nth: case.nth, lasts: Duration::from_secs(case.lasts), clocks: Clocks::Right };
    let frozen = Fate { freeze: Some(freeze), ..Fate::default() };
    let line = SMALL.deploy();
    let [first, second] = world.live_together(
        (&line, frozen),
        (&case.second, Fate::default()),
        Duration::from_secs(190),
    );
    let told = |why: String| {
        format!(
            "frozen at call {} ({}) for {} s, {}: {why} {:?} {:?}\n{}\n{}",
            case.nth,
            case.operation,
            case.lasts,
            case.second,
            first.code,
            second.code,
            first.text,
            second.text
        )
    };
    // Whoever had begun nothing begins anew or finds the other at work.
    if !matches!((first.code, second.code), (Some(0 | 1 | 3 | 5), Some(0 | 1 | 3 | 5))) {
        return Err(told("no clear outcome".into()));
    }
    let tags = ["1", "2", "5"].map(|tag| format!("{REPOSITORY}:{tag}"));
    let serving: Vec<&String> =
        tags.iter().filter(|image| serves(&world.cloud(), image, SMALL.count).is_ok()).collect();
    if serving.len() != 1 {
        return Err(told(format!("serves {:?}", serves(&world.cloud(), &tags[1], SMALL.count))));
    }
    // The one that took over has its way.
    let wanted = match case.second.as_str() {
        _ if second.code != Some(0) && second.code != Some(1) => None,
        line if line.contains("rollback") => Some(&tags[0]),
        line if line.contains("web:5") => Some(&tags[2]),
        _ => Some(&tags[1]),
    };
    if first.code == Some(5) && wanted.is_some_and(|wanted| wanted != serving[0]) {
        return Err(told(format!("{serving:?} serves")));
    }
    let mut broken = broken(&world.cloud(), 0, &SMALL.promise());
    // Two deployments, one after the other: what one does after the other closed is no breach.
    broken.retain(|what| {
        ["nothing-after-close", "held-as-planned", "changes-bounded"]
            .iter()
            .all(|n| !what.starts_with(n))
    });
    match broken.is_empty() {
        true => Ok(()),
        false => Err(told(format!("{broken:?}"))),
    }
}

#[test]
fn an_owner_that_was_frozen_with_an_answer_unread_changes_nothing_any_more() {
    let cases = cases(|operation, nth| !is_read(operation) || nth.is_multiple_of(3));
    sweep("frozen at an answer", cases, attempt);
}

/// While it stood still the new tasks fell sick under their traffic, and ECS replaced them: all that it sees
/// is well again. What became of the first ones is asked before anything rests on the others.
#[test]
fn an_owner_that_slept_through_a_sickness_finds_out_before_it_retires_the_old_side() {
    let sick = "[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '50s'";
    let line = deploy("2", "--follow 60s --bake 60s");
    let life = World::of(SMALL.cloud_with(sick)).run_kept(&line);
    assert_eq!(life.code, Some(1), "{}", life.text);
    let shifted = life.moments.iter().filter(|m| m.operation == "ModifyRule").nth(1);
    let from = shifted.map(|moment| moment.nth).expect("a shift");
    let calls = from..from + 25;
    let cases = calls.flat_map(|nth| (40..80).step_by(8).map(move |lasts| (nth, lasts)));
    sweep("frozen while green falls sick", cases, |(nth, lasts)| {
        let world = World::of(SMALL.cloud_with(sick));
        let freeze =
            Some(Freeze { nth: *nth, lasts: Duration::from_secs(*lasts), clocks: Clocks::Right });
        let once = Some((*nth, Interference::LoseAnswer));
        let life = world.live(&line, Fate { once, freeze, ..Fate::default() });
        match life.code {
            Some(1) => Ok(()),
            code => Err(format!("frozen at call {nth} for {lasts} s: {code:?}\n{}", life.text)),
        }
    });
}
