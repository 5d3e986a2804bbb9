//! Where ECS shifts the traffic: each rule at both sides of its border.

use serde_json::json;

use super::*;
use crate::event::{Cause, WaitReason};
use crate::model::service_deployment::{Hook, ServiceDeployment};
use crate::record::Native;
use crate::request::strategy::Stage;
use crate::route::native::{BACK, FORWARD, current, is_stuck};
use crate::route::trouble::CHANGES_MAX;

const SECOND: Duration = Duration::from_secs(1);

/// A service, and ECS's deployment of our revision in a stage.
fn shifting(status: &str, stage: &str) -> Model {
    let mut model = Model::new(&[(100, 0)]);
    let record = &mut model.record;
    (record.green, record.native) = (BLUE.into(), Some(Native::default()));
    let revision = record.revision.clone();
    let own = ServiceDeployment {
        arn: "sd:ours".into(),
        status: status.into(),
        stage: Some(stage.into()),
        reason: None,
        created: Some(at(0)),
        finished: None,
        target: "sr:ours".into(),
        revision: Some(revision.clone()),
        tasks: [2, 2, 0],
        failed: 0,
        production: Some(0.0),
        test: Some(0.0),
        hooks: vec![],
    };
    model.world.deployments = Some(vec![own]);
    let service = model.side(BLUE);
    service.deployments[0].revision = revision;
    service.settings.insert("deploymentConfiguration".into(), json!({"strategy": "BLUE_GREEN"}));
    model.watch.see(&model.record, &model.world);
    model
}

impl Model {
    fn own(&mut self) -> &mut ServiceDeployment {
        &mut self.world.deployments.as_mut().expect("read")[0]
    }

    fn first(&self) -> Option<Next> {
        (self.view().engine().first)(&self.view())
    }
}

/// A later deployment of another revision is somebody else's; one of ours, or an earlier one, is not.
#[test]
fn only_a_later_deployment_of_another_revision_supersedes() {
    let superseded = |change: fn(&mut ServiceDeployment)| {
        let mut model = shifting("IN_PROGRESS", "SCALE_UP");
        let mut other = model.own().clone();
        (other.arn, other.revision) = ("sd:other".into(), Some("arn:x/other:1".into()));
        other.created = Some(at(9));
        change(&mut other);
        model.world.deployments.as_mut().expect("read").insert(0, other);
        let view = model.view();
        assert_eq!(current(&view).map(|own| own.arn.as_str()), Some("sd:ours"));
        (view.engine().superseded)(&view).is_some()
    };
    assert!(superseded(|_| {}));
    assert!(!superseded(|other| other.arn = "sd:ours".into()));
    assert!(!superseded(|other| other.created = Some(at(0))));
}

#[test]
fn the_way_back_is_bounded_in_time_and_changes() {
    let ends = |hours: u64, seconds: u64, changes: u32| {
        let mut model = shifting("ROLLBACK_IN_PROGRESS", "BAKE_TIME");
        model.record = model.record.turned_back(Reason::Asked);
        model.watch.back_since = Some(at(0));
        model.watch.changes = changes;
        model.world.at = at(hours * 3600 + seconds);
        let done = Some(Next::Done(Outcome::Stuck(Cause::RollbackTooLong { lacks: None })));
        match model.first() {
            Some(Next::Done(Outcome::Stuck(Cause::RollbackTooLong { .. }))) => true,
            None => false,
            next => panic!("{next:?}, not {done:?}"),
        }
    };
    assert_eq!([ends(25, 0, 0), ends(25, 1, 0)], [false, true]);
    assert_eq!([ends(0, 1, CHANGES_MAX), ends(0, 1, CHANGES_MAX + 1)], [false, true]);
}

/// It rises with each task that starts, and nothing is late once all have.
#[test]
fn progress_rises_while_tasks_start() {
    let progress = |stage: &str, running: u32| {
        let mut model = shifting("IN_PROGRESS", stage);
        model.own().tasks = [2, running, 0];
        (model.view().engine().progress)(&model.view())
    };
    let rising = [
        progress("PRE_SCALE_UP", 0),
        progress("SCALE_UP", 0),
        progress("SCALE_UP", 1),
        progress("SCALE_UP", 2),
        progress("BAKE_TIME", 2),
    ];
    assert!(rising.is_sorted_by(|one, next| one < next), "{rising:?}");
    let mut model = shifting("IN_PROGRESS", "SCALE_UP");
    model.world.deployments = Some(vec![]);
    assert_eq!((model.view().engine().progress)(&model.view()), 0);
}

/// Checks are asked of the share that users have, or of tests while only these see it.
#[test]
fn checks_judge_what_somebody_sees() {
    let judged = |stage: &str, production: f64, tests: bool, status: &str| {
        let mut model = shifting(status, stage);
        model.own().production = Some(production);
        if tests {
            model.record.test_rules = vec!["one".into()];
        }
        (model.view().engine().judged)(&model.view())
    };
    assert_eq!(judged("BAKE_TIME", 100.0, false, "IN_PROGRESS"), Some(100));
    assert_eq!(judged("PRODUCTION_TRAFFIC_SHIFT", 0.5, false, "IN_PROGRESS"), Some(1));
    assert_eq!(judged("SCALE_UP", 0.0, true, "IN_PROGRESS"), None);
    assert_eq!(judged("POST_TEST_TRAFFIC_SHIFT", 0.0, true, "IN_PROGRESS"), Some(0));
    assert_eq!(judged("POST_TEST_TRAFFIC_SHIFT", 0.0, false, "IN_PROGRESS"), None);
    assert_eq!(judged("BAKE_TIME", 100.0, false, "ROLLBACK_IN_PROGRESS"), None);
}

/// Why ECS goes back is told at the end only; without a reason it is waited for.
#[test]
fn what_ecs_takes_back_is_trouble_once_it_says_why_or_is_done() {
    let turns = |status: &str, reason: Option<&str>| {
        let mut model = shifting(status, "BAKE_TIME");
        model.own().reason = reason.map(str::to_owned);
        match model.first() {
            Some(Next::TurnBack(trouble)) => Some(trouble.reason),
            None => None,
            next => panic!("{next:?}"),
        }
    };
    assert_eq!(turns("IN_PROGRESS", None), None);
    assert_eq!(turns("ROLLBACK_IN_PROGRESS", None), None);
    assert_eq!(turns("ROLLBACK_IN_PROGRESS", Some("an alarm")), Some(Reason::EcsRollback));
    assert_eq!(turns("ROLLBACK_SUCCESSFUL", None), Some(Reason::EcsRollback));
    assert_eq!(turns("ROLLBACK_FAILED", None), Some(Reason::EcsRollback));
}

/// What ECS could not take back stays so; what it stopped does where the old revision is not its aim.
#[test]
fn what_ecs_gave_up_is_stuck_unless_the_old_revision_is_its_aim() {
    for (status, is_back, expected) in [
        ("ROLLBACK_FAILED", false, true),
        ("ROLLBACK_FAILED", true, true),
        ("STOPPED", false, true),
        ("STOPPED", true, false),
        ("ROLLBACK_SUCCESSFUL", false, false),
        ("IN_PROGRESS", false, false),
    ] {
        let mut model = shifting(status, "BAKE_TIME");
        let from = model.record.from.clone();
        if is_back {
            model.side(BLUE).deployments[0].revision = from;
        }
        assert_eq!(is_stuck(&model.view()), expected, "{status} {is_back}");
    }
}

/// ECS is asked to roll back what goes on, and waited for as long as it does.
#[test]
fn what_goes_on_is_rolled_back_and_waited_for() {
    let step = |status: &str| {
        let mut model = shifting(status, "BAKE_TIME");
        model.record = model.record.turned_back(Reason::Asked);
        let step = BACK.iter().find(|step| step.name == "return").expect("a step");
        (step.next)(&model.view())
    };
    let stop = Some(Next::Act(Action::StopDeployment { arn: "sd:ours".into() }));
    assert_eq!(step("IN_PROGRESS"), stop);
    let waits = |next: Option<Next>| match next {
        Some(Next::Wait(wait)) => Some(wait.look_in),
        _ => None,
    };
    assert_eq!(waits(step("ROLLBACK_IN_PROGRESS")), Some(SECOND * 3 / 2));
    assert_eq!(step("ROLLBACK_SUCCESSFUL"), None);
}

/// A process that takes over does not know when the bake began: it looks as if it ended soon.
#[test]
fn a_bake_that_was_not_seen_to_begin_may_end_at_any_moment() {
    let look_in = |seen_before: bool| {
        let mut model = shifting("IN_PROGRESS", "POST_PRODUCTION_TRAFFIC_SHIFT");
        model.watch = Watch::new(at(289));
        if seen_before {
            model.world.at = at(289);
            model.watch.see(&model.record, &model.world);
        }
        model.own().stage = Some("BAKE_TIME".into());
        let settings = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5});
        model.side(BLUE).settings.insert("deploymentConfiguration".into(), settings);
        model.world.at = at(290);
        model.watch.see(&model.record, &model.world);
        match (FORWARD.iter().find(|step| step.name == "shift").expect("a step").next)(
            &model.view(),
        ) {
            Some(Next::Wait(wait)) => wait.look_in,
            next => panic!("{next:?}"),
        }
    };
    assert_eq!(look_in(true), 30 * SECOND);
    assert_eq!(look_in(false), 3 * SECOND);
}

/// What is waited for in the step that follows ECS, and for how long.
fn followed(model: &Model) -> (WaitReason, Duration) {
    let step = FORWARD.iter().find(|step| step.name == "shift").expect("a step");
    match (step.next)(&model.view()) {
        Some(Next::Wait(wait)) => (wait.why, wait.look_in),
        next => panic!("{next:?}"),
    }
}

/// Looks are dense where the next thing can happen at any moment.
#[test]
fn each_stage_has_its_time_between_looks() {
    let hook = |status: &str| Hook {
        id: "h".into(),
        kind: "PAUSE".into(),
        target: None,
        status: status.into(),
        expires: None,
        on_timeout: Some("ROLLBACK".into()),
    };
    let pauses = json!({"strategy": "BLUE_GREEN", "lifecycleHooks": [
        {"targetType": "PAUSE", "lifecycleStages": ["PRODUCTION_TRAFFIC_SHIFT"]}
    ]});
    let look_in = |stage: &str, waits: bool, may_pause: bool| {
        let mut model = shifting("IN_PROGRESS", stage);
        model.own().hooks.extend(waits.then(|| hook("AWAITING_ACTION")));
        if may_pause {
            model.side(BLUE).settings.insert("deploymentConfiguration".into(), pauses.clone());
        }
        followed(&model).1
    };
    for (stage, waits, may_pause, seconds) in [
        ("SCALE_UP", false, false, 6.0),
        ("SCALE_UP", false, true, 6.0),
        ("PRODUCTION_TRAFFIC_SHIFT", false, false, 12.0),
        ("PRODUCTION_TRAFFIC_SHIFT", false, true, 3.0),
        ("PRODUCTION_TRAFFIC_SHIFT", true, true, 6.0),
        ("CLEAN_UP", false, false, 1.5),
        ("CLEAN_UP", false, true, 1.5),
    ] {
        let found = look_in(stage, waits, may_pause);
        assert_eq!(found, Duration::from_secs_f64(seconds), "{stage}, {waits}, {may_pause}");
    }
}

/// A line tells how many tasks are missing as long as ECS starts them, and then how far the traffic is.
#[test]
fn each_stage_is_told_as_it_is() {
    let mut starting = shifting("IN_PROGRESS", "SCALE_UP");
    starting.own().tasks = [2, 1, 1];
    assert_eq!(followed(&starting).0, WaitReason::tasks(1, 2, 1, None));
    let told = |stage: &str, running: u32| {
        let mut model = shifting("IN_PROGRESS", stage);
        model.own().tasks = [2, running, 0];
        (model.own().production, model.own().test) = (Some(12.5), Some(100.0));
        match followed(&model).0 {
            WaitReason::Stage { production_per_mille, test_per_mille, .. } => {
                (production_per_mille, test_per_mille)
            }
            why => panic!("{why:?}"),
        }
    };
    assert_eq!(told("SCALE_UP", 2), (125, 1000));
    assert_eq!(told("SCALE_UP", 3), (125, 1000));
    assert_eq!(told("BAKE_TIME", 1), (125, 1000));
    // Whose a pause is, the record says.
    let ours = |pauses: Vec<Stage>| {
        let mut model = shifting("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT");
        model.record.native = Some(Native { pauses, ..Native::default() });
        let waiting = Hook {
            id: "h".into(),
            kind: "PAUSE".into(),
            target: None,
            status: "AWAITING_ACTION".into(),
            expires: None,
            on_timeout: Some("CONTINUE".into()),
        };
        model.own().hooks = vec![waiting];
        match followed(&model).0 {
            WaitReason::Pause { ours, rolls_back: false, .. } => ours,
            why => panic!("{why:?}"),
        }
    };
    assert!(ours(vec![Stage::PostTestTrafficShift]));
    assert!(!ours(vec![Stage::PreProductionTrafficShift]));
}

/// UpdateService is sent once: not while it works on it, has it as its aim, or may not have listed it yet.
#[test]
fn ecs_is_asked_once() {
    let updates = |listed: bool, aims: bool, launched: bool| {
        let mut model = shifting("IN_PROGRESS", "SCALE_UP");
        if !listed {
            model.world.deployments = Some(vec![]);
        }
        if !aims {
            model.side(BLUE).deployments[0].revision = "arn:x/other:1".into();
        }
        model.watch.launched = launched;
        let step = FORWARD.iter().find(|step| step.name == "update").expect("a step");
        match (step.next)(&model.view()) {
            None => false,
            Some(Next::Act(Action::Shift { .. })) => true,
            next => panic!("{next:?}"),
        }
    };
    assert!(updates(false, false, false));
    assert!(
        !updates(true, false, false)
            && !updates(false, true, false)
            && !updates(false, false, true)
    );
}
