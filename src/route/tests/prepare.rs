//! The task that runs before: when it is started, waited for, believed, and stopped.

use super::*;
use crate::model::world::Container;
use crate::record::Prepare;
use crate::render::words;
use crate::route::Trouble;
use crate::route::listener::{BACK, FORWARD};

const SECOND: Duration = Duration::from_secs(1);

/// Nothing of the new revision was launched, and a task is to succeed before within 20 minutes.
fn asked() -> Model {
    let mut model = Model::new(&[(100, 0)]);
    model.record.prepare = Some(Prepare { timeout: 1200 * SECOND, done: false });
    model.world.prepare = Some(vec![]);
    model
}

fn task(status: &str, exit: Option<i32>) -> Task {
    let container = |name: &str, exit_code| Container {
        name: name.into(),
        image: "x:1".into(),
        digest: None,
        exit_code,
        reason: None,
        essential: None,
    };
    Task {
        arn: "arn:aws:ecs:r:1:task/c/0123456789abcdef".into(),
        revision: "web:43".into(),
        last_status: status.into(),
        desired_status: "RUNNING".into(),
        commanded: Some("web".into()),
        started_by: None,
        created: Some(at(100)),
        stopping: None,
        stop_code: exit.map(|_| "EssentialContainerExited".into()),
        stopped_reason: None,
        containers: vec![container("log", Some(0)), container("web", exit)],
        endpoints: vec![],
    }
}

impl Model {
    fn with_task(task: Task) -> Self {
        let mut model = asked();
        model.world.prepare = Some(vec![task]);
        model
    }

    fn prepares(&self) -> Option<Next> {
        let step = FORWARD.iter().find(|step| step.name == "prepare").expect("a step");
        (step.next)(&self.view())
    }

    fn stops(&self) -> Option<Next> {
        let step = BACK.iter().find(|step| step.name == "stop").expect("a step");
        (step.next)(&self.view())
    }
}

/// In short: what is waited for and how long, what is done, or why it goes back.
fn said(next: Option<Next>) -> String {
    match next {
        None => "goes on".into(),
        Some(Next::Wait(wait)) => format!("{} in {:?}", words::wait(&wait.why), wait.look_in),
        Some(Next::Act(Action::Write(record))) => {
            let done = record.prepare.is_some_and(|prepare| prepare.done);
            format!("writes that it is done: {done}")
        }
        Some(Next::Act(action)) => format!("{action:?}"),
        Some(Next::TurnBack(Trouble { reason: Reason::Before, cause })) => {
            format!("back: {}", words::cause(&cause))
        }
        Some(next) => format!("{next:?}"),
    }
}

const WRITES: &str = "writes that it is done: true";

#[test]
fn it_is_over_once_it_has_succeeded_or_something_was_launched() {
    assert_eq!(said(Model::new(&[(100, 0)]).prepares()), "goes on");
    let mut done = asked();
    done.record.prepare = Some(Prepare { timeout: SECOND, done: true });
    assert_eq!(said(done.prepares()), "goes on");
    // The write that it was done got lost; its task may be forgotten by now.
    for tasks in [None, Some(vec![])] {
        let mut launched = asked();
        launched.world.prepare = tasks.clone();
        launched.side(GREEN).deployments[0].revision = launched.record.revision.clone();
        assert_eq!(said(launched.prepares()), WRITES);
        let mut shifting = asked();
        shifting.world.prepare = tasks;
        shifting.record.to = Some(10);
        assert_eq!(said(shifting.prepares()), WRITES);
    }
    // That a restart's revision runs says nothing.
    let mut restart = asked();
    restart.record.was = restart.record.revision.clone();
    restart.side(GREEN).deployments[0].revision = restart.record.revision.clone();
    restart.watch.prepares = true;
    assert_eq!(said(restart.prepares()), "Prepare");
}

#[test]
fn it_is_started_once_and_never_on_a_guess() {
    let mut unread = asked();
    unread.world.prepare = None;
    assert_eq!(said(unread.prepares()), "looking for the task of --before in 0ns");
    let none = |prepares: bool, watched: u64, age: u64| {
        let mut model = asked();
        model.watch.prepares = prepares;
        model.world.at = at(age);
        model.watch.start = at(age - watched);
        said(model.prepares())
    };
    assert_eq!(none(true, 0, 49 * 60), "Prepare");
    assert!(none(true, 0, 50 * 60).starts_with("back: nobody knows whether"));
    assert_eq!(none(false, 14, 100), "the task of --before is not there; checking again in 5s");
    assert!(none(false, 15, 100).contains("BeforeUnknown"));
}

#[test]
fn it_is_waited_for_until_its_time_is_over() {
    let running = |now: u64, watched: u64| {
        let mut model = Model::with_task(task("RUNNING", None));
        model.world.at = at(now);
        model.watch.start = at(now - watched);
        said(model.prepares())
    };
    assert!(running(1299, 1299).starts_with("task 01234567 is RUNNING in "));
    assert_eq!(running(1300, 1300), "back: --before: task 01234567 did not end within 20m");
    // Time that nobody watched counts for nothing.
    assert!(running(1300, 1199).starts_with("task 01234567 is RUNNING in "));
}

#[test]
fn the_container_that_had_the_command_must_have_ended_with_0() {
    let ended = |change: fn(&mut Task)| {
        let mut task = task("STOPPED", Some(0));
        change(&mut task);
        said(Model::with_task(task).prepares())
    };
    assert_eq!(ended(|_| {}), WRITES);
    assert_eq!(
        ended(|task| web_exits(task, Some(3))),
        "back: --before: task 01234567: container web exited with code 3"
    );
    assert_eq!(
        ended(|task| {
            web_exits(task, Some(3));
            task.stop_code = Some("UserInitiated".into());
        }),
        "back: --before: task 01234567 exited with code 3"
    );
    let stopped = |task: &mut Task| {
        web_exits(task, None);
        task.stop_code = Some("UserInitiated".into());
    };
    assert_eq!(ended(stopped), "back: --before: task 01234567 stopped; ECS gives no reason");
    assert_eq!(
        ended(|task| {
            web_exits(task, None);
            task.stop_code = Some("UserInitiated".into());
            task.stopped_reason = Some("Task stopped by user".into());
        }),
        "back: --before: task 01234567: Task stopped by user"
    );
    // Without a command it is the first one.
    let first = |task: &mut Task| {
        web_exits(task, Some(3));
        task.commanded = None;
    };
    assert_eq!(ended(first), WRITES);
}

fn web_exits(task: &mut Task, exit: Option<i32>) {
    task.containers[1].exit_code = exit;
}

#[test]
fn on_the_way_back_it_is_stopped_and_seen_to_stop() {
    let stopping = |status: &str, desired: &str, done: bool| {
        let mut model =
            Model::with_task(Task { desired_status: desired.into(), ..task(status, None) });
        model.record.prepare = Some(Prepare { timeout: SECOND, done });
        match model.stops() {
            Some(Next::Act(Action::Stop { task })) => format!("stops {task}"),
            next => said(next),
        }
    };
    let arn = "stops arn:aws:ecs:r:1:task/c/0123456789abcdef";
    assert_eq!(stopping("RUNNING", "RUNNING", false), arn);
    assert_eq!(stopping("RUNNING", "RUNNING", true), "goes on");
    assert_eq!(stopping("STOPPED", "STOPPED", false), "goes on");
    assert_eq!(stopping("STOPPING", "STOPPED", false), "task 01234567 is STOPPING in 2s");
    assert_eq!(said(asked().stops()), "goes on");
}

#[test]
fn each_change_knows_how_much_must_have_been_looked_at() {
    let [service, revision] = [(); 2].map(|()| String::new());
    let count = |count| Action::Count { service: service.clone(), count };
    let mut record = record();
    let write = |record: &Record| Action::Write(Box::new(record.clone()));
    let open = write(&record);
    record = Model::new(&[(100, 0)]).view().closed(crate::record::End::Live);
    let needs = [
        (count(0), Look::Listing),
        (count(1), Look::Whole),
        (write(&record), Look::Listing),
        (open, Look::Whole),
        (Action::Stop { task: String::new() }, Look::Glance),
        (Action::Prepare, Look::Whole),
        (Action::Launch { service, revision, count: 0 }, Look::Whole),
        (Action::Weigh { rule: String::new(), actions: vec![] }, Look::Whole),
    ];
    for (action, look) in needs {
        assert_eq!(action.needs(), look, "{action:?}");
    }
}
