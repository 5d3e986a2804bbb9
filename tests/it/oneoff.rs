//! One-off tasks: one is started and not two, whatever becomes of an answer; and they end as asked.

use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;

use crate::fate::Fate;
use crate::lives::World;

const RUN: &str = "run --cluster shop --service api --command";

fn world() -> World {
    World::parsed(
        "extends = 'solo'\n[[image]]\nref = 'shop/api:1'\ncommand = 'migrate'\ndoes = 'exit'\ncode = 7\nafter = '30s'\n",
    )
}

/// Tasks that began since the `from`th change, and those that stopped.
fn tasks(world: &World, from: usize) -> (usize, usize) {
    let journal = world.journal(from);
    let count = |status: &str| {
        let is = |change: &Change| matches!(change, Change::Task { to, .. } if to == status);
        journal.iter().filter(|entry| is(&entry.change)).count()
    };
    (count("PROVISIONING"), count("STOPPED"))
}

#[test]
fn one_task_is_started_whatever_becomes_of_an_answer() {
    let calls: u32 = world().run(&format!("{RUN} migrate")).calls.values().sum();
    assert!((4..40).contains(&calls), "{calls} calls");
    let error = Interference::Error {
        status: 500,
        code: "ServerException".into(),
        message: "Service Unavailable. Please try again later.".into(),
    };
    for nth in 1..=calls {
        for once in [Interference::LoseAnswer, Interference::LoseRequest, error.clone()] {
            let world = world();
            let from = world.cloud().journal().len();
            let life = world.live(
                &format!("{RUN} migrate"),
                Fate { once: Some((nth, once.clone())), ..Fate::default() },
            );
            // The first call of all says at once that nobody answers.
            if nth == 1 && life.code == Some(3) {
                assert_eq!(tasks(&world, from), (0, 0));
                continue;
            }
            assert_eq!(life.code, Some(7), "{once:?} at call {nth}: {}", life.text);
            assert_eq!(tasks(&world, from), (1, 1), "{once:?} at call {nth}: {}", life.text);
        }
    }
}

#[test]
fn a_request_to_stop_stops_the_task_or_leaves_it() {
    for second in [1, 15, 40, 90] {
        let world = world();
        let from = world.cloud().journal().len();
        let life = world.run_interrupted(&format!("{RUN} serve"), second, 1);
        assert_eq!(life.code, Some(130), "{}", life.text);
        world.wait(120);
        assert_eq!(tasks(&world, from), (1, 1), "at {second}: {}", life.text);
        let held = self::world();
        let from = held.cloud().journal().len();
        let life = held.run_interrupted(&format!("{RUN} serve --on-cancel hold"), second, 1);
        assert_eq!(life.code, Some(130), "{}", life.text);
        held.wait(120);
        assert_eq!(tasks(&held, from), (1, 0), "at {second}: {}", life.text);
    }
}

#[test]
fn several_tasks_end_with_the_worst_code() {
    let world = world();
    let life = world.run(&format!("{RUN} migrate --count 3"));
    assert_eq!(life.code, Some(7), "{}", life.text);
    assert!(life.text.contains("exited with 7, 7, 7"), "{}", life.text);
    assert_eq!(life.calls["RunTask"], 1);
}

#[test]
fn what_may_not_be_done_is_said() {
    let life = world().run_denied(&format!("{RUN} migrate"), &["RunTask"]);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("hint: allow"), "{}", life.text);
    let life = world().run_denied(&format!("{RUN} migrate"), &["DescribeTasks"]);
    assert_eq!(life.code, Some(126), "{}", life.text);
    assert!(life.text.contains("it is not known how it ended"), "{}", life.text);
}
