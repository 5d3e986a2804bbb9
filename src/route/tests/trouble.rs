//! What is trouble, and from when on: each rule at both sides of its border.

use super::*;
use crate::model::gate::{GateFault, Verdict};
use crate::model::health::{Outlook, TaskFailure};
use crate::record::{Had, Held};
use crate::render::words::cause;
use crate::request::gates::OnInconclusive;
use crate::route::gates::{self, Gates};
use crate::route::trouble::{PAST_MAX, failing_tasks, trouble};

const SECOND: Duration = Duration::from_secs(1);

impl Model {
    /// Until green is to have this share, and has it everywhere.
    fn serving(share: u8) -> Self {
        let mut model = Self::new(&[(10, 300), (100, 0)]);
        while model.record.held.is_none_or(|held| held.share != share) {
            assert_eq!(model.turn(), None);
        }
        model
    }

    /// What a look finds so much later.
    fn later(&mut self, time: Duration) -> Option<Reason> {
        self.world.at += time;
        self.watch.see(&self.record, &self.world);
        trouble(&self.view()).map(|trouble| trouble.reason)
    }

    fn green_targets(&mut self, states: &[&str]) {
        let target = |(n, state): (usize, &&str)| Target {
            id: format!("new-{n}"),
            port: 80,
            state: (*state).into(),
            reason: None,
            description: None,
        };
        let targets = states.iter().enumerate().map(target).collect();
        self.world.health.insert(format!("group:{GREEN}"), targets);
    }

    fn failed(&mut self, task: &str, signature: &str, outlook: Outlook) {
        // The signature of an exit is the container and its code.
        let exit = signature.split_once(':');
        self.watch.failures.push(TaskFailure {
            task: task.to_owned(),
            container: exit.map(|(container, _)| container.to_owned()),
            exit_code: exit.map(|(_, code)| code.parse().expect("a code")),
            signature: signature.to_owned(),
            outlook,
            ..TaskFailure::default()
        });
    }
}

#[test]
fn a_new_target_has_the_grace_period_and_its_checks_to_become_healthy() {
    let mut model = Model::serving(10);
    model.side(GREEN).grace = 7 * SECOND;
    // 3 checks every 10 s, the first of which may fall on its registration.
    let check = &mut model.world.groups.get_mut(&format!("group:{GREEN}")).expect("a group").check;
    check.unhealthy = 3;
    model.green_targets(&["healthy", "healthy", "unhealthy"]);
    assert_eq!(model.later(SECOND), None);
    assert_eq!(model.later(26 * SECOND), None);
    assert_eq!(model.later(SECOND), Some(Reason::Sick));
}

#[test]
fn alarms_that_cannot_be_read_are_trouble_after_ten_minutes() {
    let mut model = Model::serving(100);
    let now = model.world.at;
    model.watch.alarms.unread(now);
    assert_eq!(model.later(599 * SECOND), None);
    assert_eq!(model.later(SECOND), Some(Reason::Alarm));
}

/// The old side is being stopped: where it never ran, a check speaks to a person; else it has no say any more.
#[test]
fn a_check_says_nothing_against_the_only_side_but_where_nothing_ran_before() {
    for (ran_before, stopped) in [(0, true), (0, false), (2, true), (2, false)] {
        let mut model = Model::serving(100);
        model.record.had = Some(Had { running: ran_before, healthy: None });
        model.side(BLUE).desired = if stopped { 0 } else { 2 };
        let held = model.record.held.expect("held");
        model.watch.gates = Gates::new([("smoke".to_owned(), 1)], OnInconclusive::Hold);
        model.watch.gates.judge(Some(100));
        let holds = gates::hold(&model.view(), held, SECOND).is_some();
        assert_eq!(holds, ran_before == 0 || !stopped, "{ran_before} {stopped}");
        assert_eq!(gates::alone(&model.view()), None);
        model.watch.gates.see("smoke", Verdict::Fail(GateFault::Status { status: 500 }));
        let is_told = gates::alone(&model.view()).is_some();
        assert_eq!(is_told, ran_before == 0 && stopped, "{ran_before} {stopped}");
    }
}

#[test]
fn a_target_that_was_healthy_is_sick_at_once() {
    let mut model = Model::serving(10);
    model.green_targets(&["healthy", "healthy"]);
    assert_eq!(model.later(SECOND), None);
    model.green_targets(&["healthy", "unhealthy.draining"]);
    assert_eq!(model.later(SECOND), Some(Reason::Sick));
}

#[test]
fn what_ecs_stopped_for_its_health_was_sick_if_it_had_traffic() {
    let held = Model::serving(10).record.held.expect("held");
    let cases = [
        (Some(held), Some(held.since), Some(Reason::Sick)),
        (Some(held), Some(held.since - SECOND), None),
        (Some(held), None, None),
        (Some(Held { share: 0, ..held }), Some(held.since), None),
        (None, Some(held.since), None),
    ];
    for (held, unhealthy_at, reason) in cases {
        let mut model = Model::serving(10);
        model.record.held = held;
        model.failed("a", "ServiceSchedulerInitiated", Outlook::Doubtful);
        model.watch.failures[0].unhealthy_at = unhealthy_at;
        // One that nobody blames for it comes first.
        let other =
            TaskFailure { unhealthy_at: None, task: "b".into(), ..model.watch.failures[0].clone() };
        model.watch.failures.insert(0, other);
        assert_eq!(model.later(SECOND), reason, "{held:?} {unhealthy_at:?}");
    }
}

#[test]
fn nobody_to_answer_is_trouble_at_once_and_too_few_after_a_while() {
    let mut model = Model::serving(10);
    model.green_targets(&["initial", "initial"]);
    assert_eq!(model.later(SECOND), Some(Reason::Sick));
    let mut model = Model::serving(10);
    model.green_targets(&["healthy", "initial"]);
    assert_eq!(model.later(SECOND), None);
    assert_eq!(model.later(29 * SECOND), None);
    assert_eq!(model.later(SECOND), Some(Reason::Sick));
    // A service that may be down to half of its tasks is not short of any.
    let mut model = Model::serving(10);
    model.side(GREEN).min_healthy_percent = 50;
    model.green_targets(&["healthy", "initial"]);
    assert_eq!(model.later(SECOND), None);
    assert_eq!(model.later(60 * SECOND), None);
}

#[test]
fn a_deployment_to_the_side_that_serves_is_trouble_while_it_wants_tasks() {
    let another = |model: &mut Model, revision: &str| {
        let one = &model.side(BLUE).deployments[0];
        let other = Deployment { id: "ecs-svc/x".into(), revision: revision.into(), ..one.clone() };
        model.side(BLUE).deployments.insert(0, other);
    };
    for (revision, desired) in [("other", 2), ("from", 2), ("other", 1), ("other", 0), ("from", 0)]
    {
        let mut model = Model::serving(10);
        let from = model.record.from.clone();
        another(&mut model, if revision == "from" { &from } else { "arn:x/web:99" });
        model.side(BLUE).desired = desired;
        let reason = (desired > 0).then_some(Reason::BlueChanged);
        assert_eq!(model.later(SECOND), reason, "{revision} {desired}");
    }
    let mut replaced = Model::serving(10);
    replaced.side(BLUE).deployments[0].revision = "arn:x/web:99".into();
    assert_eq!(replaced.later(SECOND), Some(Reason::BlueChanged));
}

#[test]
fn the_old_revision_in_green_is_believed_after_a_while_or_beside_a_trace_of_ours() {
    let put_back = |trace: bool| {
        let mut model = Model::serving(10);
        let (was, ours) = (model.record.was.clone(), model.record.revision.clone());
        let green = model.side(GREEN);
        green.deployments[0].revision = was;
        if trace {
            let old = Deployment { revision: ours, ..green.deployments[0].clone() };
            green.deployments.push(old);
        }
        model
    };
    assert_eq!(put_back(true).later(SECOND), Some(Reason::EcsRollback));
    let mut model = put_back(false);
    assert_eq!(model.later(SECOND), None);
    assert_eq!(model.later(PAST_MAX - SECOND), None);
    assert_eq!(model.later(SECOND), Some(Reason::EcsRollback));
}

#[test]
fn no_progress_counts_from_the_last_one_and_only_while_something_lacks() {
    let mut model = Model::serving(10);
    let timeout = model.record.timeout;
    assert_eq!(model.later(timeout), None, "nothing lacks");
    model.side(GREEN).pending = 1;
    assert_eq!(model.later(timeout - SECOND), None);
    assert_eq!(model.later(SECOND), Some(Reason::Deadline));
}

#[test]
fn no_deployment_needs_more_than_a_thousand_changes() {
    let mut model = Model::serving(10);
    model.watch.changes = 1000;
    assert_eq!(model.later(SECOND), None);
    model.watch.changes = 1001;
    assert_eq!(model.later(SECOND), Some(Reason::Bound));
}

#[test]
fn too_many_failures_are_three_or_half_of_the_tasks() {
    let failing = |count: usize, desired: u32, outlook: Outlook, signature: fn(usize) -> String| {
        let mut model = Model::serving(10);
        model.side(GREEN).desired = desired;
        for n in 0..count {
            model.failed(&format!("task-{n}"), &signature(n), outlook);
        }
        let view = model.view();
        let green = view.green().expect("a service");
        [true, false].map(|early| failing_tasks(&view, green, early).map(|why| cause(&why)))
    };
    let other = |n: usize| format!("web:{n}");
    let same = |_: usize| "web:1".to_owned();
    let start = |_: usize| "TaskFailedToStart".to_owned();
    use Outlook::{Doubtful, Hopeless, Passing};
    for (count, desired, fails) in [
        (2, 1, false),
        (3, 1, true),
        (3, 6, true),
        (3, 7, false),
        (4, 7, true),
        (4, 8, true),
        (4, 9, false),
    ] {
        for told in failing(count, desired, Doubtful, other) {
            assert_eq!(told.is_some(), fails, "{count} of {desired}: {told:?}");
        }
    }
    // The same end twice is no accident while nothing served yet;
    let [early, late] = failing(2, 2, Doubtful, same);
    assert_eq!(early.as_deref(), Some("2 tasks failed: container web exited with code 1"));
    assert_eq!(late, None);
    // but a task that did not start has no end of its own.
    assert_eq!(failing(2, 2, Doubtful, start), [None, None]);
    assert_eq!(failing(9, 2, Passing, same), [None, None]);
    let told = Some("task task-0: container web exited with code 0".to_owned());
    assert_eq!(failing(1, 9, Hopeless, other), [told.clone(), told]);
    let [early, _] = failing(3, 2, Doubtful, other);
    assert_eq!(early.as_deref(), Some("3 tasks failed: container web exited with code 2"));
}
