//! What fails after a revision was registered leaves nothing that keeps the next deployment from
//! starting: the revision is deregistered, or its record is closed.

use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::Fate;
use crate::support::lives::{Life, REPOSITORY, World, call, deploy};

/// How often a revision that cannot be read back is read again.
const REREADS: u32 = 3;

fn refused(status: u16, code: &str) -> Interference {
    Interference::Error { status, code: code.to_owned(), message: "as AWS says it".to_owned() }
}

fn deploy_alone(tag: &str) -> String {
    let repository = REPOSITORY.replace("/web", "/api");
    format!("deploy --cluster shop --service api --image {repository}:{tag}")
}

/// Both engines: the scenario, the deployment of a good image, and the operation that changes first.
fn engines() -> [(&'static str, String); 2] {
    [("shop", deploy("2", "--bake 5s --follow 30s")), ("solo", deploy_alone("2"))]
}

fn is_registered(change: &Change) -> bool {
    matches!(change, Change::Registered { .. })
}

fn count(world: &World, from: usize, is: impl Fn(&Change) -> bool) -> usize {
    world.journal(from).iter().filter(|entry| entry.call.is_some() && is(&entry.change)).count()
}

/// Every revision that was registered is deregistered, or its record says that it is over.
fn nothing_is_left(world: &World, from: usize) -> Result<(), String> {
    let journal = world.journal(from);
    for entry in journal.iter().filter(|entry| entry.call.is_some()) {
        let Change::Registered { revision } = &entry.change else { continue };
        let over = journal.iter().any(|later| match &later.change {
            Change::Deregistered { revision: gone } => gone == revision,
            Change::Tagged { resource, tags } => {
                resource == revision
                    && tags.get("ecs-bg:state").is_some_and(|state| state.contains("closed="))
            }
            _ => false,
        });
        if !over {
            return Err(format!("{revision} is left"));
        }
    }
    Ok(())
}

fn next_one_starts(world: &World, line: &str) {
    let life = world.run(line);
    assert_eq!(life.code, Some(0), "the next one: {}", life.text);
}

/// The how-manieth call of a deployment is the first of this operation after the registration.
fn nth_after_registering(scenario: &str, line: &str, operation: &str) -> u32 {
    let kept = World::new(scenario).run_kept(line);
    let registered = kept.moments.iter().find(|one| one.operation == "RegisterTaskDefinition");
    let registered = registered.expect("a registration").nth;
    let later = kept.moments.iter().filter(|one| one.nth > registered);
    later.filter(|one| one.operation == operation).map(|one| one.nth).next().expect(operation)
}

#[test]
fn a_revision_that_cannot_be_read_back_is_taken_out_of_use() {
    for (scenario, line) in engines() {
        let nth = nth_after_registering(scenario, &line, "DescribeTaskDefinition");
        let world = World::new(scenario);
        let from = world.cloud().journal().len();
        let once = Some((nth, refused(400, "ClientException")));
        let life = world.live(&line, Fate { once, repeats: REREADS, ..Fate::default() });
        assert_eq!(life.code, Some(3), "{}", life.text);
        nothing_is_left(&world, from).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
        next_one_starts(&world, &line);
    }
}

#[test]
fn where_nothing_may_be_deregistered_the_record_is_closed() {
    for (scenario, line) in engines() {
        let nth = nth_after_registering(scenario, &line, "DescribeTaskDefinition");
        let world = World::new(scenario);
        let from = world.cloud().journal().len();
        let once = Some((nth, refused(400, "ClientException")));
        let denied = &["DeregisterTaskDefinition"];
        let life = world.live(&line, Fate { once, repeats: REREADS, denied, ..Fate::default() });
        assert_eq!(life.code, Some(4), "{}", life.text);
        assert!(life.text.contains("its record is closed"), "{}", life.text);
        assert!(life.text.contains("hint: aws ecs deregister-task-definition"), "{}", life.text);
        nothing_is_left(&world, from).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
        next_one_starts(&world, &line);
    }
}

#[test]
fn a_first_change_that_aws_refuses_is_exit_3_unless_a_revision_stays() {
    for (scenario, line) in engines() {
        for denied in [&["UpdateService"][..], &["UpdateService", "DeregisterTaskDefinition"]] {
            let world = World::new(scenario);
            let from = world.cloud().journal().len();
            let denied: &'static [&'static str] = if denied.len() == 1 {
                &["UpdateService"]
            } else {
                &["UpdateService", "DeregisterTaskDefinition"]
            };
            let life: Life = world.run_denied(&line, denied);
            let code = if denied.len() == 1 { 3 } else { 4 };
            assert_eq!(life.code, Some(code), "{}", life.text);
            assert!(
                life.text.contains("UpdateService") && life.text.contains("hint: "),
                "{}",
                life.text
            );
            nothing_is_left(&world, from).unwrap_or_else(|why| panic!("{why}\n{}", life.text));
            let touched = |change: &Change| {
                matches!(
                    change,
                    Change::Desired { .. } | Change::Revision { .. } | Change::Weights { .. }
                )
            };
            assert_eq!(count(&world, from, touched), 0);
            next_one_starts(&world, &line);
        }
    }
}

/// AWS did it, and its answer was lost or cannot be read: the revision is looked for.
#[test]
fn a_registration_is_not_made_twice() {
    for (scenario, line) in engines() {
        let kept = World::new(scenario).run_kept(&line);
        let nth = kept.moments.iter().find(|one| one.operation == "RegisterTaskDefinition");
        let nth = nth.expect("a registration").nth;
        for denied in [&[][..], &["TagResource"]] {
            let world = World::new(scenario);
            let from = world.cloud().journal().len();
            let denied: &'static [&'static str] =
                if denied.is_empty() { &[] } else { &["TagResource"] };
            let once = Some((nth, Interference::LoseAnswer));
            let life = world.live(&line, Fate { once, denied, ..Fate::default() });
            assert_eq!(life.code, Some(0), "{}", life.text);
            if denied.is_empty() {
                assert_eq!(count(&world, from, is_registered), 1, "{}", life.text);
            }
        }
    }
}

/// Auto scaling may lower the count in mid-deployment, but nobody serves with none.
#[test]
fn what_auto_scaling_made_of_the_count_is_full() {
    for (lowered, code) in [(1, 0), (0, 4)] {
        let world = World::parsed(
            "extends = 'solo'\n[[scalable_target]]\nservice = 'shop/api'\nmin = 0\nmax = 4\n",
        );
        let life = world.run_beside(&deploy_alone("2"), 15, move |cloud| {
            let body = format!(r#"{{"cluster":"shop","service":"api","desiredCount":{lowered}}}"#);
            call(cloud, "ecs", "UpdateService", &body);
        });
        assert_eq!(life.code, Some(code), "{lowered}: {}", life.text);
    }
}
