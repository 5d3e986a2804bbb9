//! `deploy --before`: a task of the new revision must succeed before anything of it serves; and there
//! is one such task, whoever dies and whatever becomes of an answer.

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;

use crate::fate::{Fate, Moment};
use crate::lives::{Life, World};

/// An engine: a scenario, and its service.
const ENGINES: [(&str, &str); 2] = [("shop", "web"), ("solo", "api")];
const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";

/// A world in which the command `migrate` of the new image ends like this.
fn world(scenario: &str, service: &str, code: i32) -> World {
    World::parsed(&format!(
        "extends = '{scenario}'\n\
         [[image]]\nref = 'shop/{service}:2'\ncommand = 'migrate'\ndoes = 'exit'\ncode = {code}\nafter = '30s'\n"
    ))
}

fn deploy(service: &str) -> String {
    format!(
        "deploy --cluster shop --service {service} --image {REPOSITORY}/{service}:2 --before migrate"
    )
}

/// Tasks that no service started, of those that the journal tells of from its `from`th change on.
fn own_tasks(world: &World, status: &str) -> usize {
    let is =
        |change: &Change| matches!(change, Change::Task { service: None, to, .. } if to == status);
    world.journal(0).iter().filter(|entry| is(&entry.change)).count()
}

/// Whether a service was put on another revision, or a weight changed.
fn touched(world: &World) -> bool {
    let touches = |change: &Change| {
        matches!(change, Change::Revision { .. } | Change::Weights { .. } | Change::Desired { .. })
    };
    world.journal(0).iter().any(|entry| entry.call.is_some() && touches(&entry.change))
}

/// The first task of the new version that serves comes after the end of the one that prepares.
fn prepared_first(world: &World) -> bool {
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
fn calls_that_matter(moments: &[Moment]) -> Vec<u32> {
    let first = |status: &str| {
        let is = |cloud: &Cloud| own_tasks(&World::of(cloud.clone()), status) == 1;
        moments.iter().find(|moment| is(&moment.cloud)).expect(status).nth
    };
    let (begins, ends) = (first("PROVISIONING"), first("STOPPED"));
    assert!(begins + 9 < ends, "calls {begins} to {ends}");
    let between = (begins + 4..ends - 2).step_by(5);
    (begins - 4..begins + 4).chain(between).chain(ends - 2..ends + 4).collect()
}

fn ended_well(world: &World, life: &Life, what: &str) {
    assert_eq!(life.code, Some(0), "{what}: {}", life.text);
    assert_eq!(own_tasks(world, "PROVISIONING"), 1, "{what}: {}", life.text);
    assert!(prepared_first(world), "{what}: {}", life.text);
}

#[test]
fn nothing_serves_before_it_has_succeeded() {
    for (scenario, service) in ENGINES {
        let world = world(scenario, service, 0);
        let life = world.run(&deploy(service));
        ended_well(&world, &life, scenario);
        assert!(life.text.contains("prepare"), "{}", life.text);
        assert!(!life.text.contains("migrate"), "{}", life.text);
    }
}

#[test]
fn when_it_fails_nothing_is_touched_and_the_reason_is_told() {
    for (scenario, service) in ENGINES {
        let world = world(scenario, service, 7);
        let life = world.run(&deploy(service));
        assert_eq!(life.code, Some(1), "{}", life.text);
        assert!(life.text.contains("exited with code 7"), "{}", life.text);
        assert!(!touched(&world), "{}", life.text);
        // Once more is another deployment, with a task of its own.
        let again = world.run(&deploy(service));
        assert_eq!(again.code, Some(1), "{}", again.text);
        assert_eq!(own_tasks(&world, "PROVISIONING"), 2, "{}", again.text);
    }
}

#[test]
fn when_it_hangs_it_is_stopped_at_its_timeout() {
    for (scenario, service) in ENGINES {
        let world = world(scenario, service, 0);
        let life = world.run(
            &deploy(service).replace("--before migrate", "--before serve --before-timeout 20m"),
        );
        assert_eq!(life.code, Some(1), "{}", life.text);
        assert!(life.text.contains("did not end within 20m"), "{}", life.text);
        assert!(!touched(&world), "{}", life.text);
        assert_eq!(own_tasks(&world, "STOPPED"), 1, "{}", life.text);
    }
}

#[test]
fn whoever_is_told_to_stop_stops_it() {
    for (scenario, service) in ENGINES {
        for second in [1, 15, 40] {
            let world = world(scenario, service, 0);
            let life = world.run_interrupted(&deploy(service), second, 1);
            assert_eq!(life.code, Some(1), "at {second}: {}", life.text);
            assert!(!touched(&world), "{}", life.text);
            let started = own_tasks(&world, "PROVISIONING");
            assert_eq!(own_tasks(&world, "STOPPED"), started, "at {second}: {}", life.text);
        }
    }
}

/// The same command, or `resume`, goes on after a death at any call.
#[test]
fn it_runs_once_whoever_dies() {
    for (scenario, service) in ENGINES {
        let kept = world(scenario, service, 0).run_kept(&deploy(service)).moments;
        let resume = format!("resume --cluster shop --service {service}");
        let matters = calls_that_matter(&kept);
        for moment in kept.into_iter().filter(|moment| matters.contains(&moment.nth)) {
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
                        life.text.contains("run the same `deploy` again"),
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

/// Two hours later ECS does not tell of the task any more: it is not run a second time.
#[test]
fn what_ecs_has_forgotten_is_not_run_again() {
    for (scenario, service) in ENGINES {
        let moments = world(scenario, service, 0).run_kept(&deploy(service)).moments;
        let mut worlds = moments.into_iter().map(|moment| World::of(moment.cloud));
        let world = worlds.find(|world| own_tasks(world, "PROVISIONING") == 1).expect("a task");
        world.wait(2 * 3600);
        let life = world.run(&deploy(service));
        assert_eq!(own_tasks(&world, "PROVISIONING"), 1, "{}", life.text);
        assert_eq!(life.code, Some(1), "{}", life.text);
        assert!(life.text.contains("it is not known whether"), "{}", life.text);
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
        for nth in calls_that_matter(&moments) {
            for once in [Interference::LoseAnswer, error.clone()] {
                let world = world(scenario, service, 0);
                let fate = Fate { once: Some((nth, once.clone())), ..Fate::default() };
                let life = world.live(&deploy(service), fate);
                ended_well(&world, &life, &format!("{scenario}: {once:?} at call {nth}"));
            }
        }
    }
}

#[test]
fn whoever_may_not_run_tasks_is_told_and_nothing_is_touched() {
    for (scenario, service) in ENGINES {
        for denied in [&["RunTask"], &["ListTasks"]] {
            let world = world(scenario, service, 0);
            let life = world.run_denied(&deploy(service), denied);
            assert_eq!(life.code, Some(1), "{denied:?}: {}", life.text);
            assert!(life.text.contains(denied[0]), "{}", life.text);
            assert!(!touched(&world), "{}", life.text);
        }
    }
}
