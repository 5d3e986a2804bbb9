//! `deploy --before`: there is one task that prepares, whichever call the process dies at and whatever
//! becomes of an answer.

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::{Fate, Moment};
use crate::support::lives::{Life, World};
use crate::support::sweep::every_nth;

/// An engine: a scenario, and its service.
pub(crate) const ENGINES: [(&str, &str); 2] = [("shop", "web"), ("solo", "api")];
pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";

/// A world in which the command `migrate` of the new image ends like this.
pub(crate) fn world(scenario: &str, service: &str, code: i32) -> World {
    World::parsed(&format!(
        "extends = '{scenario}'\n\
         [[image]]\nref = 'shop/{service}:2'\ncommand = 'migrate'\ndoes = 'exit'\ncode = {code}\nafter = '30s'\n"
    ))
}

pub(crate) fn deploy(service: &str) -> String {
    format!(
        "deploy --cluster shop --service {service} --image {REPOSITORY}/{service}:2 --before migrate"
    )
}

/// Tasks that no service started, of those that the journal tells of from its `from`th change on.
pub(crate) fn own_tasks(world: &World, status: &str) -> usize {
    let is =
        |change: &Change| matches!(change, Change::Task { service: None, to, .. } if to == status);
    world.journal(0).iter().filter(|entry| is(&entry.change)).count()
}

/// Whether a service was put on another revision, or a weight changed.
pub(crate) fn touched(world: &World) -> bool {
    let touches = |change: &Change| {
        matches!(change, Change::Revision { .. } | Change::Weights { .. } | Change::Desired { .. })
    };
    world.journal(0).iter().any(|entry| entry.call.is_some() && touches(&entry.change))
}

/// The first task of the new version that serves comes after the end of the one that prepares.
pub(crate) fn prepared_first(world: &World) -> bool {
    let journal = world.journal(0);
    let ended = journal.iter().position(
        |entry| matches!(&entry.change, Change::Task { service: None, to, .. } if to == "STOPPED"),
    );
    let began = journal
        .iter()
        .position(|entry| entry.call.is_some() && matches!(entry.change, Change::Revision { .. }));
    ended.is_some() && began > ended
}

/// Calls around the start and the end of its task, and some between. What dies or fails before and
/// after is the business of other tests.
pub(crate) fn calls_that_matter(moments: &[Moment]) -> Vec<u32> {
    let first = |status: &str| {
        let is = |cloud: &Cloud| own_tasks(&World::of(cloud.clone()), status) == 1;
        moments.iter().find(|moment| is(&moment.cloud)).expect(status).nth
    };
    let (begins, ends) = (first("PROVISIONING"), first("STOPPED"));
    assert!(begins + 9 < ends, "calls {begins} to {ends}");
    let between = (begins + 4..ends - 2).step_by(5);
    (begins - 4..begins + 4).chain(between).chain(ends - 2..ends + 4).collect()
}

pub(crate) fn ended_well(world: &World, life: &Life, what: &str) {
    assert_eq!(life.code, Some(0), "{what}: {}", life.text);
    assert_eq!(own_tasks(world, "PROVISIONING"), 1, "{what}: {}", life.text);
    assert!(prepared_first(world), "{what}: {}", life.text);
}

/// The same command, or `resume`, goes on after a death at any call.
#[test]
fn it_runs_once_whoever_dies() {
    for (scenario, service) in ENGINES {
        let kept = world(scenario, service, 0).run_kept(&deploy(service)).moments;
        let resume = format!("resume --cluster shop --service {service}");
        let matters = calls_that_matter(&kept);
        let moments = kept.into_iter().filter(|moment| matters.contains(&moment.nth));
        for moment in every_nth(&format!("{scenario}, --before: killed"), moments) {
            let at = format!("{scenario}, call {} {:?}", moment.nth, moment.done);
            let world = World::of(moment.cloud.clone());
            world.wait(181);
            ended_well(&world, &world.run(&deploy(service)), &at);

            let world = World::of(moment.cloud.clone());
            world.wait(181);
            let life = world.run(&resume);
            match life.code {
                // Nothing was registered yet, or it was over.
                Some(0) if life.text.contains("nothing to do") => {}
                Some(0) => ended_well(&world, &life, &at),
                // Its command is not known, and nothing was started.
                Some(4) => {
                    assert!(
                        life.text.contains("run the same `ecs-bg deploy` again"),
                        "{at}: {}",
                        life.text
                    );
                    assert_eq!(own_tasks(&world, "PROVISIONING"), 0, "{at}: {}", life.text);
                    let back = World::of(world.cloud().clone());
                    ended_well(&world, &world.run(&deploy(service)), &at);
                    // Or it is taken back, as the hint says.
                    let hint = life
                        .text
                        .lines()
                        .last()
                        .and_then(|line| line.strip_prefix("hint: ecs-bg "));
                    let life = back.run(hint.expect("a hint"));
                    assert_eq!(life.code, Some(1), "{at}: {}", life.text);
                    assert!(!touched(&back), "{at}: {}", life.text);
                }
                _ => panic!("{at}: {:?} {}", life.code, life.text),
            }
        }
    }
}

#[test]
fn it_runs_once_whatever_becomes_of_an_answer() {
    let error = Interference::Error {
        status: 500,
        code: "ServerException".into(),
        message: "Service Unavailable. Please try again later.".into(),
    };
    for (scenario, service) in ENGINES {
        let moments = world(scenario, service, 0).run_kept(&deploy(service)).moments;
        let faults = [Interference::LoseAnswer, error.clone()];
        let calls = calls_that_matter(&moments).into_iter();
        let cases = calls.flat_map(|nth| faults.clone().map(|once| (nth, once)));
        for (nth, once) in every_nth(&format!("{scenario}, --before: faults"), cases) {
            let world = world(scenario, service, 0);
            let fate = Fate { once: Some((nth, once.clone())), ..Fate::default() };
            let life = world.live(&deploy(service), fate);
            ended_well(&world, &life, &format!("{scenario}: {once:?} at call {nth}"));
        }
    }
}
