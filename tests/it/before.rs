//! `deploy --before`: a task of the new revision must succeed before anything of it serves.

use crate::cases::before::{ENGINES, deploy, ended_well, own_tasks, touched, world};
use crate::support::lives::World;

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
        assert!(life.text.contains("nobody knows whether"), "{}", life.text);
    }
}

#[test]
fn whoever_may_not_run_tasks_is_told_and_nothing_is_touched() {
    for (scenario, service) in ENGINES {
        // Before the first change that was sent, nothing was changed.
        for (denied, code) in [(&["RunTask"], 1), (&["ListTasks"], 3)] {
            let world = world(scenario, service, 0);
            let life = world.run_denied(&deploy(service), denied);
            assert_eq!(life.code, Some(code), "{denied:?}: {}", life.text);
            assert!(life.text.contains(denied[0]), "{}", life.text);
            assert!(!touched(&world), "{}", life.text);
        }
    }
}

/// As `--command` names its container, or as `--image` does.
#[test]
fn it_runs_in_the_container_that_is_named_in_either_way() {
    for named in ["web=migrate", "web:migrate"] {
        let image = "[[image]]\nref = 'shop/web:2'\ncommand = 'migrate'\ndoes = 'exit'\ncode = 0\nafter = '5s'\n";
        let world = World::parsed(&format!("extends = 'shop'\n{image}"));
        let line = crate::support::lives::deploy("2", &format!("--bake 5s --before '{named}'"));
        let life = world.run(&line);
        assert_eq!(life.code, Some(0), "{named}: {}", life.text);
    }
}
