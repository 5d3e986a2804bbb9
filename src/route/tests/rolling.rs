//! One service whose tasks ECS replaces: each rule at both sides of its border.

use super::*;
use crate::event::{Cause, WaitReason};
use crate::model::health::{Outlook, TaskFailure};
use crate::model::world::ServiceEvent;
use crate::record::Prepare;
use crate::render::words::{cause, wait};
use crate::request::WaitFor;
use crate::route::rolling::{
    BACK, FORWARD, before_every_step, lacks_ahead, progress, wants_health,
};

const SECOND: Duration = Duration::from_secs(1);
const OTHER: &str = "arn:x/web:99";

impl Model {
    /// Two tasks of ours run behind the load balancer, and nothing else does.
    fn one() -> Self {
        let mut model = Self::new(&[(100, 0)]);
        let record = &mut model.record;
        (record.green, record.was) = (record.blue.clone(), record.from.clone());
        let revision = record.revision.clone();
        model.side(BLUE).revision = revision.clone();
        model.side(BLUE).deployments[0].revision = revision;
        model.pass(Duration::ZERO);
        model.watch.launched = true;
        model
    }

    /// So many tasks of ours, and so many of the old revision beside them.
    pub(super) fn replacing(ours: u32, old: u32, healthy: usize) -> Self {
        let mut model = Self::one();
        let from = model.record.from.clone();
        let service = model.side(BLUE);
        let mut before = service.deployments[0].clone();
        (before.id, before.revision, before.running) = ("ecs-svc/old".into(), from, old);
        service.deployments[0].running = ours;
        service.deployments[0].rollout = Some("IN_PROGRESS".into());
        service.deployments.push(before);
        service.desired = ours + old;
        model.pass_targets();
        let service = model.side(BLUE);
        (service.desired, service.deployments[0].running) = (2, ours);
        model.healthy_are(BLUE, healthy);
        model
    }

    /// Targets as many as tasks wanted, without touching what runs.
    fn pass_targets(&mut self) {
        let deployments = self.side(BLUE).deployments.clone();
        self.pass(Duration::ZERO);
        self.side(BLUE).deployments = deployments;
    }

    /// ECS works towards this revision.
    fn on(mut self, revision: &str) -> Self {
        self.side(BLUE).deployments[0].revision = revision.into();
        self
    }

    fn fails(&mut self, outlook: Outlook) {
        self.watch.failures.push(TaskFailure { outlook, ..TaskFailure::default() });
    }

    fn says(&mut self, seconds: u64, message: &str) {
        let event = ServiceEvent { at: at(seconds), message: message.into() };
        self.side(BLUE).events.insert(0, event);
    }

    /// The load balancer keeps targets for so long.
    fn drains(&mut self, seconds: u32) {
        let attributes = [("deregistration_delay.timeout_seconds".into(), seconds.to_string())];
        let group = self.world.groups.get_mut(&format!("group:{BLUE}")).expect("a group");
        group.attributes = Some(attributes.into());
    }

    fn turned(&self) -> Option<Reason> {
        match before_every_step(&self.view()) {
            Some(Next::TurnBack(trouble)) => Some(trouble.reason),
            None => None,
            next => panic!("{next:?}"),
        }
    }

    fn lacks(&self) -> Option<String> {
        let lacks = lacks_ahead(&self.view(), self.view().green().expect("a service"));
        lacks.map(|why| wait(&why))
    }

    fn waits(&self, table: &[super::super::Step], name: &str) -> Option<Duration> {
        let step = table.iter().find(|step| step.name == name).expect(name);
        match (step.next)(&self.view())? {
            Next::Wait(wait) => Some(wait.look_in),
            next => panic!("{next:?}"),
        }
    }

    fn restores(&self) -> Option<String> {
        let step = BACK.iter().find(|step| step.name == "restore").expect("a step");
        match (step.next)(&self.view())? {
            Next::Act(Action::Roll { revision, .. }) => Some(revision),
            next => panic!("{next:?}"),
        }
    }
}

#[test]
fn the_way_back_has_the_time_that_tasks_may_take_to_leave() {
    let over = |seconds: u64, changes: u32, drain: Option<u32>| {
        let mut model = Model::one();
        model.record = model.record.turned_back(Reason::Asked);
        model.watch.back_since = Some(at(0));
        model.watch.changes = changes;
        model.world.at = at(seconds);
        if let Some(drain) = drain {
            model.drains(drain);
        }
        before_every_step(&model.view())
    };
    let lacks = Some(WaitReason::NewTasks { running: 2, revision: "web:43".into() });
    let leaving = Some(Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks })));
    // The timeout, and the longest that AWS allows; or what is known, and ten minutes.
    assert_eq!(over(900 + 3720, 0, None), None);
    assert_eq!(over(900 + 3721, 0, None), leaving);
    assert_eq!(over(900 + 30 + 600, 0, Some(30)), None);
    assert_eq!(over(900 + 30 + 601, 0, Some(30)), leaving);
    assert_eq!(over(0, 1000, None), None);
    assert_eq!(over(0, 1001, None), leaving);
}

#[test]
fn ecs_gave_up_if_it_says_so_or_shows_it_for_long_enough() {
    let from = Model::one().record.from;
    let shows = |launched: bool, since: Option<u64>, trace: bool| {
        let mut model = if trace { Model::replacing(0, 2, 2) } else { Model::one() }.on(&from);
        if trace {
            let ours = model.record.revision.clone();
            model.side(BLUE).deployments[1].revision = ours;
        }
        model.watch.launched = launched;
        model.world.at = at(100);
        model.watch.put_back_since = since.map(|seconds| at(100 - seconds));
        model
    };
    let gave_up = Some(Reason::EcsRollback);
    assert_eq!(shows(true, Some(14), false).turned(), None);
    assert_eq!(shows(true, Some(15), false).turned(), gave_up);
    assert_eq!(shows(true, None, true).turned(), gave_up);
    assert_eq!(shows(false, None, true).turned(), None);
    assert_eq!(shows(false, Some(15), false).turned(), None);
    let mut told = shows(false, None, false);
    told.says(99, "(service web) rolling back to deployment ecs-svc/0.");
    assert_eq!(told.turned(), gave_up);
    // What it said before we began is an older story.
    told.record.start = at(100);
    assert_eq!(told.turned(), None);
    // A restart has nothing to go back to.
    let mut restart = Model::one();
    restart.record.was = restart.record.revision.clone();
    let id = restart.side(BLUE).deployments[0].id.clone();
    restart.watch.before = vec![id];
    let Some(Next::Done(Outcome::Stuck(why))) = before_every_step(&restart.view()) else {
        panic!("it goes on")
    };
    assert_eq!(cause(&why), "the restart fails: ECS rolled web back to web:43");
}

#[test]
fn a_sick_target_is_ours_if_a_running_task_of_ours_stands_behind_it() {
    let sick = |change: fn(&mut Task)| {
        let mut model = Model::one();
        model.watch.see(&model.record, &model.world);
        let targets = model.world.health.get_mut(&format!("group:{BLUE}")).expect("a group");
        targets[0].state = "unhealthy".into();
        change(&mut model.world.tasks.get_mut(&format!("arn:{BLUE}")).expect("tasks")[0]);
        assert!(model.view().has_sick_targets());
        model.turned()
    };
    assert_eq!(sick(|_| {}), Some(Reason::Sick));
    assert_eq!(sick(|task| task.revision = "arn:x/web:42".into()), None);
    assert_eq!(sick(|task| task.last_status = "STOPPED".into()), None);
    assert!(!Model::one().view().has_sick_targets());
    assert!(!Model::one().on(OTHER).view().has_sick_targets());
}

#[test]
fn where_tasks_may_not_be_read_a_sick_target_is_ours_once_nothing_else_runs() {
    let sick = |old: u32, is_denied: bool, state: &str| {
        let mut model = Model::replacing(2, old, 2);
        if old == 0 {
            model.side(BLUE).deployments.truncate(1);
        }
        model.watch.see(&model.record, &model.world);
        model.world.tasks.clear();
        model.watch.tasks_denied = is_denied;
        let targets = model.world.health.get_mut(&format!("group:{BLUE}")).expect("a group");
        targets[0].state = state.into();
        model.turned()
    };
    assert_eq!(sick(0, true, "unhealthy"), Some(Reason::Sick));
    assert_eq!(sick(1, true, "unhealthy"), None);
    assert_eq!(sick(0, false, "unhealthy"), None);
    assert_eq!(sick(0, true, "unhealthy.draining"), None);
}

#[test]
fn once_it_was_good_no_healthy_target_is_trouble_at_once() {
    let turned = |healthy: usize, was_good: bool| {
        let mut model = Model::one();
        model.watch.proved = was_good.then_some(at(0));
        model.healthy_are(BLUE, healthy);
        model.turned()
    };
    assert_eq!(turned(0, true), Some(Reason::Sick));
    assert_eq!([turned(1, true), turned(0, false)], [None, None]);
}

#[test]
fn once_it_was_good_a_task_that_ecs_stopped_for_its_health_is_trouble() {
    let turned = |seconds: u64| {
        let mut model = Model::one();
        model.watch.proved = Some(at(100));
        model.fails(Outlook::Doubtful);
        model.watch.failures[0].unhealthy_at = Some(at(seconds));
        model.turned()
    };
    assert_eq!([turned(99), turned(100)], [None, Some(Reason::Sick)]);
}

#[test]
fn who_is_good_again_and_again_has_the_time_of_no_progress_only_once() {
    let mut model = Model::one();
    model.record.timeout = 100 * SECOND;
    model.watch.see(&model.record, &model.world);
    assert!(model.watch.proved.is_some());
    let mut turned = Vec::new();
    for _ in 0..3 {
        // One of two: what lacks is a target.
        model.healthy_are(BLUE, 1);
        model.world.at += 40 * SECOND;
        model.watch.see(&model.record, &model.world);
        turned.push(model.turned());
        model.healthy_are(BLUE, 2);
        model.world.at += 5 * SECOND;
        model.watch.see(&model.record, &model.world);
        assert_eq!(model.turned(), None);
    }
    assert_eq!(turned, [None, None, Some(Reason::Deadline)]);
}

#[test]
fn what_a_task_of_failed_is_watched_for_longer() {
    let left = |outlook: Option<Outlook>, seconds: u32| {
        let mut model = Model::one();
        model.record.bake = 10 * SECOND;
        model.watch.settled_since = Some(model.world.at);
        model.world.at += seconds * SECOND;
        if let Some(outlook) = outlook {
            model.fails(outlook);
        }
        model.waits(FORWARD, "bake")
    };
    assert_eq!([left(None, 0), left(None, 8)], [Some(5 * SECOND), Some(2 * SECOND)]);
    assert_eq!([left(None, 10), left(Some(Outlook::Passing), 10)], [None, None]);
    assert_eq!(left(Some(Outlook::Doubtful), 58), Some(2 * SECOND));
    assert_eq!(left(Some(Outlook::Doubtful), 60), None);
}

#[test]
fn the_service_is_put_back_unless_that_was_told_or_never_needed() {
    let from = Model::one().record.from;
    let there = |mut model: Model, changes: u32, preparing: bool| {
        model.watch.changes = changes;
        let timeout = 60 * SECOND;
        model.record.prepare = Some(Prepare { timeout, done: !preparing });
        model.restores()
    };
    let back = Some(from.clone());
    assert_eq!(there(Model::one(), 1, false), back, "it is on ours");
    assert_eq!(there(Model::one(), 0, true), back);
    assert_eq!(there(Model::one().on(&from), 0, false), back, "an update may still come true");
    assert_eq!(there(Model::one().on(&from), 1, false), None);
    assert_eq!(there(Model::one().on(&from), 0, true), None, "ECS was told nothing");
    assert_eq!(there(Model::one().on(OTHER), 0, false), None, "ECS chose another one");
    assert_eq!(there(Model::one().on(OTHER), 0, true), None);
    let mut told = Model::one().on(&from);
    told.says(1, "(service web) deployment failed");
    assert_eq!(there(told, 0, false), None);
}

#[test]
fn completion_is_what_ecs_says_or_where_it_says_nothing_that_nothing_else_is_there() {
    let lacks = |mut model: Model, rollout: Option<&str>| {
        model.side(BLUE).deployments[0].rollout = rollout.map(str::to_owned);
        model.lacks()
    };
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(lacks(Model::one(), Some("COMPLETED")), None);
    let silent = told("waiting for ECS to complete the deployment of web");
    assert_eq!(lacks(Model::one(), Some("IN_PROGRESS")), silent);
    assert_eq!(lacks(Model::one(), None), None);
    assert_eq!(lacks(Model::replacing(2, 0, 2), None), silent);
    let one = told("1 task of an earlier revision still runs");
    assert_eq!(lacks(Model::replacing(2, 1, 3), Some("IN_PROGRESS")), one);
    let two = told("2 tasks of earlier revisions still run");
    assert_eq!(lacks(Model::replacing(2, 2, 4), None), two);
    assert_eq!(lacks(Model::replacing(2, 1, 2), None), told("1/2 targets of web healthy"));
    assert_eq!(lacks(Model::one().on(OTHER), None), told("waiting for web to be on web:43"));
}

#[test]
fn who_waits_for_draining_waits_until_the_old_targets_are_gone() {
    let lacks = |model: Model, draining: usize| {
        let mut model = model;
        model.record.until = WaitFor::Drained;
        model.side(BLUE).deployments[0].rollout = Some("COMPLETED".into());
        let targets = model.world.health.get_mut(&format!("group:{BLUE}")).expect("a group");
        for target in targets.iter_mut().rev().take(draining) {
            target.state = "draining".into();
        }
        model.lacks()
    };
    let told = |text: &str| Some(text.to_owned());
    assert_eq!(lacks(Model::one(), 0), None);
    assert_eq!(
        lacks(Model::replacing(2, 0, 2), 0),
        told("tasks of an earlier revision still run in web")
    );
    let mut model = Model::replacing(2, 1, 3);
    model.side(BLUE).deployments[1].running = 0;
    assert_eq!(lacks(model, 1), told("1 target draining"));
}

#[test]
fn progress_is_each_task_that_starts_or_is_healthy_and_each_old_one_that_goes() {
    let come = |ours: u32, old: u32, healthy: usize| {
        progress(&Model::replacing(ours, old, healthy).view())
    };
    assert_eq!(come(0, 2, 2), 0);
    assert_eq!(come(1, 2, 2), 1);
    assert_eq!(come(1, 2, 3), 2);
    assert_eq!(come(1, 1, 2), 3);
    assert_eq!(come(2, 1, 3), 5);
    assert_eq!(come(2, 0, 2), 6);
    assert_eq!(progress(&Model::one().on(OTHER).view()), 0);
}

#[test]
fn looks_are_dense_around_the_moment_when_the_next_thing_can_happen() {
    let millis = Duration::from_millis;
    let pause = |model: &Model| model.waits(FORWARD, "settle").expect("it lacks something");
    // Nothing runs yet: no task starts within 9 s.
    let starting = |age: Option<u64>| {
        let mut model = Model::replacing(0, 2, 2);
        model.world.at = at(100);
        model.side(BLUE).deployments[0].created = age.map(|age| at(100 - age));
        pause(&model)
    };
    assert_eq!([starting(Some(0)), starting(Some(3))], [9 * SECOND, 6 * SECOND]);
    assert_eq!([starting(Some(8)), starting(Some(60)), starting(None)], [millis(2400); 3]);
    let mut pending = Model::replacing(0, 2, 2);
    pending.side(BLUE).deployments[0].pending = 1;
    pending.side(BLUE).deployments[0].created = Some(pending.world.at);
    assert_eq!(pause(&pending), millis(2400));
    // None is wanted: only the old ones are waited for.
    let mut empty = Model::replacing(0, 1, 1);
    empty.drains(30);
    empty.side(BLUE).desired = 0;
    empty.side(BLUE).deployments[0].desired = 0;
    empty.side(BLUE).deployments[0].created = Some(empty.world.at);
    assert_eq!(pause(&empty), 10 * SECOND);
    // Some run.
    let mut some = Model::replacing(1, 1, 2);
    assert_eq!(pause(&some), millis(2400));
    some.fails(Outlook::Passing);
    assert_eq!(pause(&some), millis(2400));
    some.fails(Outlook::Doubtful);
    assert_eq!(pause(&some), millis(1200));
    // All run, and not all are healthy: the end is near where nothing drains.
    let unhealthy = |drain: u32| {
        let mut model = Model::replacing(2, 0, 1);
        model.drains(drain);
        pause(&model)
    };
    assert_eq!([unhealthy(0), unhealthy(4), unhealthy(5)], [millis(850), millis(850), 5 * SECOND]);
    // All is well, and the old tasks leave: their draining began when ECS said so.
    let leaving = |since: u64, message: &str, now: u64| {
        let mut model = Model::replacing(2, 1, 3);
        model.record.start = at(10);
        model.drains(30);
        model.says(since, message);
        model.world.at = at(now);
        pause(&model)
    };
    let drains = "(service web) has begun draining connections on 1 tasks.";
    for (now, wait) in [
        (100, 10 * SECOND),
        (122, 8 * SECOND),
        (130, millis(850)),
        (159, millis(850)),
        (160, millis(1700)),
        (189, millis(1700)),
        (190, 5 * SECOND),
    ] {
        assert_eq!(leaving(100, drains, now), wait, "{now}");
        assert_eq!(leaving(100, "(service web) has stopped 1 running tasks.", now), wait);
        assert_eq!(leaving(100, "(service web) has started 1 tasks.", now), 10 * SECOND);
        assert_eq!(leaving(9, drains, now), 10 * SECOND, "another deployment's");
    }
}

#[test]
fn each_phase_has_its_time_where_that_is_asked_for() {
    let late = |runs_since: Option<u64>, now: u64| {
        let mut model = Model::replacing(1, 1, 2);
        model.watch.phase = Some(60 * SECOND);
        model.watch.runs_since = runs_since.map(at);
        model.watch.start = at(10);
        model.world.at = at(now);
        model.turned()
    };
    assert_eq!([late(None, 69), late(Some(40), 99)], [None; 2]);
    assert_eq!([late(None, 70), late(Some(40), 100)], [Some(Reason::Deadline); 2]);
}

#[test]
fn targets_are_looked_at_until_all_are_healthy_and_then_now_and_then() {
    let wants = |model: &Model, seconds: u32| wants_health(&model.view(), seconds * SECOND);
    let whole = Model::one();
    assert_eq!([wants(&whole, 0), wants(&whole, 14), wants(&whole, 15)], [false, false, true]);
    assert!(wants(&Model::replacing(1, 1, 2), 0));
    assert!(!wants(&Model::replacing(0, 2, 2), 60), "nothing runs");
    let mut unread = Model::one();
    unread.world.health.clear();
    assert!(wants(&unread, 0));
    assert_eq!(unread.lacks().as_deref(), Some("all tasks run; checking target health"));
}

#[test]
fn what_only_waits_for_old_tasks_is_not_late() {
    let late = |mut model: Model, seconds: u64| {
        model.watch.best = (9, at(0));
        model.drains(30);
        model.world.at = at(seconds);
        model.turned()
    };
    let leaving = || Model::replacing(2, 1, 3);
    assert_eq!(late(Model::replacing(1, 1, 2), 899), None);
    assert_eq!(late(Model::replacing(1, 1, 2), 900), Some(Reason::Deadline));
    assert_eq!(late(leaving(), 900 + 629), None);
    assert_eq!(late(leaving(), 900 + 630), Some(Reason::Deadline));
}
