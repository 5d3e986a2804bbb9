//! The steps of the two tables, each at both sides of its border.

use super::*;
use crate::event::{Cause, Sight, WaitReason};
use crate::model::health::{Outlook, TaskFailure};
use crate::model::reads::{Moment, Part};
use crate::record::{Had, Held};
use crate::route::Wait;
use crate::route::listener::{self, BACK, FORWARD, OVERTAKEN, before_every_step};
use crate::route::watch::Side;

const SECOND: Duration = Duration::from_secs(1);

impl Model {
    /// What a step says.
    fn step(&self, table: &[Step], name: &str) -> Option<Next> {
        let step = table.iter().find(|step| step.name == name).expect(name);
        (step.next)(&self.view())
    }

    /// When a step looks again, and at what.
    fn pause(&self, table: &[Step], name: &str) -> Option<(Duration, Look)> {
        match self.step(table, name)? {
            Next::Wait(Wait { look_in, look, .. }) => Some((look_in, look)),
            next => panic!("{next:?}"),
        }
    }

    fn back() -> Self {
        let mut model = Self::with_share(50);
        model.record.to = Some(50);
        model.record = model.record.turned_back(Reason::Asked);
        model
    }

    fn is_sick(&mut self, name: &str) {
        for target in self.world.health.get_mut(&format!("group:{name}")).expect("a group") {
            target.state = "unhealthy".into();
        }
    }
}

fn gone_cause(service: &str, status: Option<&str>) -> Cause {
    Cause::ServiceGone { service: service.into(), status: status.map(str::to_owned) }
}

fn shown() -> Sight {
    Sight::Rule { rule: "one".into(), per_mille: Some(300), service: GREEN.into() }
}

fn stuck(cause: Cause) -> Option<Next> {
    Some(Next::Done(Outcome::Stuck(cause)))
}

fn count(service: &str, count: u32) -> Option<Next> {
    Some(Next::Act(Action::Count { service: service.into(), count }))
}

#[test]
fn a_service_that_is_gone_is_looked_for_twice_and_the_other_side_takes_over() {
    let once = |model: &mut Model| model.watch.see(&model.record, &model.world);
    let twice = |model: &mut Model| {
        once(model);
        assert!(
            matches!(before_every_step(&model.view()), Some(Next::Wait(_))),
            "one look is no knowledge"
        );
        model.world.at += 5 * SECOND;
        once(model);
        before_every_step(&model.view())
    };
    let written = |next: Option<Next>| match next {
        Some(Next::Act(Action::Write(record))) => (record.forward(), record.to),
        next => panic!("{next:?}"),
    };
    // Green is healthy: it gets all the traffic, whichever way it went.
    for remove in [true, false] {
        let gone = |mut model: Model| {
            match remove {
                true => drop(model.world.services.remove("arn:web")),
                false => model.side(BLUE).status = "DRAINING".into(),
            }
            twice(&mut model)
        };
        assert_eq!(written(gone(Model::with_share(30))), (true, Some(100)));
        assert_eq!(written(gone(Model::back())), (true, Some(100)));
    }
    let mut model = Model::back();
    model.world.services.remove("arn:web");
    model.healthy_are(GREEN, 0);
    assert_eq!(twice(&mut model), stuck(gone_cause(BLUE, None)), "nobody can answer");

    let gone = |desired: u32, back: bool| {
        let mut model = if back { Model::back() } else { Model::with_share(50) };
        model.watch.back_since = Some(model.world.at);
        model.side(BLUE).desired = desired;
        model.side(GREEN).status = "INACTIVE".into();
        twice(&mut model)
    };
    let cause = gone_cause(GREEN, Some("INACTIVE"));
    assert_eq!(gone(0, false), stuck(cause.clone()));
    assert_eq!(gone(0, true), stuck(cause.clone()));
    assert_eq!(gone(2, true), None);
    let Some(Next::TurnBack(trouble)) = gone(1, false) else { panic!("it goes on") };
    assert_eq!((trouble.reason, trouble.cause), (Reason::Gone, cause));
}

#[test]
fn all_traffic_goes_to_the_only_side_that_answers() {
    let dead = |mut model: Model| {
        model.healthy_are(BLUE, 0);
        model.watch.see(&model.record, &model.world);
        assert!(!model.view().only_serves(Side::Green), "one look is no knowledge");
        model.world.at += 5 * SECOND;
        model.watch.see(&model.record, &model.world);
        model
    };
    for model in [Model::with_share(30), Model::back()] {
        let model = dead(model);
        let Some(Next::Act(Action::Write(record))) = before_every_step(&model.view()) else {
            panic!("the weights stay where nobody answers");
        };
        assert_eq!((record.forward(), record.to), (model.record.forward(), Some(100)));
    }
    // Back on blue as soon as it answers again.
    let mut model = dead(Model::back());
    model.record.to = Some(100);
    model.healthy_are(BLUE, 2);
    model.watch.see(&model.record, &model.world);
    let Some(Next::Act(Action::Write(record))) = model.step(BACK, "return") else {
        panic!("blue does not get its traffic back");
    };
    assert_eq!(record.to, Some(0));
}

#[test]
fn a_rule_that_holds_only_greens_group_is_left_alone() {
    let mut model = Model::with_share(0);
    let preview = rule("preview", 0, 100);
    let only = crate::model::world::Rule {
        actions: vec![
            ("member.1.Type".into(), "forward".into()),
            (
                "member.1.TargetGroupArn".into(),
                crate::model::rule::weights(&preview.actions)[1].0.clone(),
            ),
        ],
        ..preview.clone()
    };
    model.world.rules.insert(only.arn.clone(), only.clone());
    assert!(model.view().rules().iter().all(|rule| rule.arn != only.arn));
    assert!(model.view().drift().is_none(), "it is nobody's drift");
    assert!(model.view().all_read(0));
    assert_eq!(model.step(FORWARD, "attach"), None);
    // It keeps green from being emptied, unless it was there before green ran anything.
    assert!(matches!(model.step(BACK, "clear"), Some(Next::Wait(_))));
    model.record.test_rules = vec![only.id().to_owned()];
    assert_eq!(model.step(BACK, "clear"), count(GREEN, 0));
}

#[test]
fn somebody_elses_revision_in_green_ends_it() {
    let mut model = Model::with_share(50);
    model.side(GREEN).deployments[0].revision = "arn:x/web:99".into();
    let by = Cause::RevisionChanged { service: GREEN.into(), revision: "web:99".into() };
    assert_eq!(before_every_step(&model.view()), Some(Next::Done(Outcome::Superseded(by))));
}

#[test]
fn drift_is_looked_at_twice_with_time_between() {
    let decides = |looks: u32, seconds: u32| {
        let mut model = Model::with_share(30);
        model.watch.drift = Some((model.world.at, looks));
        model.world.at += seconds * SECOND;
        match before_every_step(&model.view()) {
            Some(Next::Wait(wait)) => {
                assert_eq!((wait.look_in, wait.look), (5 * SECOND, Look::Whole));
                assert_eq!(wait.why, WaitReason::SecondLook(shown()));
                false
            }
            Some(Next::Done(Outcome::Drifted(sight))) => {
                assert_eq!(sight, shown());
                true
            }
            next => panic!("{next:?}"),
        }
    };
    assert!(!decides(1, 5) && !decides(2, 4));
    assert!(decides(2, 5) && decides(3, 6));
}

/// A rule with a group of nobody's, and no rule at all, are looked at twice as well.
#[test]
fn a_third_group_and_a_rule_that_is_gone_are_looked_for_twice() {
    let third = |model: &mut Model| {
        let mut one = rule("one", 70, 30);
        let prefix = "member.1.ForwardConfig.TargetGroups.member.3";
        one.actions.push((format!("{prefix}.TargetGroupArn"), "group:other".into()));
        one.actions.push((format!("{prefix}.Weight"), "10".into()));
        model.world.rules.insert("one".into(), one);
    };
    let none = |model: &mut Model| model.world.rules.clear();
    for change in [&third as &dyn Fn(&mut Model), &none] {
        let ends = |looks: u32, seconds: u32| {
            let mut model = Model::with_share(30);
            change(&mut model);
            model.watch.drift = Some((model.world.at, looks));
            model.world.at += seconds * SECOND;
            match before_every_step(&model.view()) {
                Some(Next::Wait(wait)) => {
                    assert_eq!(wait.look_in, 5 * SECOND);
                    false
                }
                Some(Next::Done(Outcome::Drifted(_))) => true,
                next => panic!("{next:?}"),
            }
        };
        assert_eq!([ends(1, 5), ends(2, 4), ends(2, 5), ends(3, 6)], [false, false, true, true]);
    }
}

/// A rollback that a person asked for is given up where the old side does not come up and the new one has all.
#[test]
fn a_rollback_is_given_up_where_the_new_side_has_all_and_the_old_one_fails_anew() {
    let began = at(100);
    let given_up = |change: &dyn Fn(&mut Model)| {
        let mut model = Model::with_share(100);
        model.record = model.record.turned_back(Reason::Asked);
        (model.record.to, model.watch.back_since) = (Some(100), Some(began));
        model.world.at = at(160);
        model.healthy_are(BLUE, 0);
        model.watch.old_failures = vec![TaskFailure {
            task: "1".into(),
            outlook: Outlook::Hopeless,
            created: Some(began),
            ..TaskFailure::default()
        }];
        change(&mut model);
        listener::given_up(&model.view()).is_some()
    };
    assert!(given_up(&|_| {}));
    // The weights are written already, or are about to be.
    assert!(given_up(&|model| model.record.to = Some(0)));
    let split = |model: &mut Model| {
        for name in ["one", "two"] {
            model.world.rules.insert(name.into(), rule(name, 50, 50));
        }
    };
    assert!(given_up(&split));
    assert!(!given_up(&|model| {
        split(model);
        model.record.to = Some(0);
    }));
    for not in [
        (|model: &mut Model| model.record.heading = Heading::Back(Reason::Sick)) as fn(&mut Model),
        |model| model.record.judges = Some("0a".into()),
        |model| model.side(GREEN).desired = 0,
        |model| model.is_sick(GREEN),
        |model| model.healthy_are(BLUE, 1),
        |model| model.watch.old_failures[0].created = Some(at(99)),
        |model| model.watch.old_failures.clear(),
    ] {
        assert!(!given_up(&not));
    }
    // The same end twice is no accident where nothing ran.
    let exits = |ran: u32| {
        move |model: &mut Model| {
            model.record.had = Some(Had { running: ran, healthy: None });
            let exit = |task: &str| TaskFailure {
                task: task.into(),
                signature: "web:1".into(),
                exit_code: Some(1),
                outlook: Outlook::Doubtful,
                created: Some(began),
                ..TaskFailure::default()
            };
            model.watch.old_failures = vec![exit("1"), exit("2")];
        }
    };
    assert!(given_up(&exits(0)) && !given_up(&exits(2)));
}

/// Another deployment takes over: all traffic goes to the side that answers, and else to where it was.
#[test]
fn what_is_overtaken_is_brought_to_one_side() {
    // What answers, what the rules show, what is written.
    let cases = [
        ([2, 2], 50, Some(Some(0))),
        ([2, 0], 50, Some(Some(0))),
        ([0, 2], 50, Some(Some(100))),
        ([0, 0], 50, Some(Some(0))),
        ([0, 0], 0, None),
        ([0, 0], 100, None),
    ];
    for ([blue, green], share, written) in cases {
        let mut model = Model::with_share(share);
        (model.record.heading, model.record.to) = (Heading::Overtaken, Some(50));
        model.healthy_are(BLUE, blue);
        model.healthy_are(GREEN, green);
        let to = match model.step(OVERTAKEN, "return") {
            Some(Next::Act(Action::Write(record))) => Some(record.to),
            None => None,
            next => panic!("{next:?}"),
        };
        assert_eq!(to, written, "{blue} {green} {share}");
    }
    // Where green never was to have any, nothing is brought back.
    let mut model = Model::with_share(0);
    model.record.heading = Heading::Overtaken;
    assert_eq!(model.step(OVERTAKEN, "return"), None);
    // What it has all the same is.
    let mut model = Model::with_share(50);
    model.record.heading = Heading::Overtaken;
    assert!(matches!(model.step(OVERTAKEN, "return"), Some(Next::Act(Action::Write(_)))));
    // The weights are written, and then held.
    let mut model = Model::with_share(50);
    (model.record.heading, model.record.to) = (Heading::Overtaken, Some(0));
    assert!(matches!(model.step(OVERTAKEN, "return"), Some(Next::Act(Action::Weigh { .. }))));
    let mut model = Model::with_share(0);
    (model.record.heading, model.record.to) = (Heading::Overtaken, Some(0));
    assert!(matches!(model.step(OVERTAKEN, "return"), Some(Next::Act(Action::Write(_)))));
    model.record.held = Some(Held { share: 0, since: at(0) });
    assert_eq!(model.step(OVERTAKEN, "return"), None);
}

/// Where nothing was given away, or neither side will answer, nobody waits for the old one.
#[test]
fn the_old_side_is_not_waited_for_where_that_changes_nothing() {
    let waits = |change: &dyn Fn(&mut Model)| {
        let mut model = Model::back();
        model.healthy_are(BLUE, 0);
        change(&mut model);
        model.step(BACK, "revive").is_some()
    };
    let weights = |share: u32| {
        move |model: &mut Model| {
            model.record.to = None;
            for name in ["one", "two"] {
                model.world.rules.insert(name.into(), rule(name, 100 - share, share));
            }
        }
    };
    assert!(waits(&|_| {}) && waits(&weights(10)) && !waits(&weights(0)));
    let hopeless = |model: &mut Model| {
        model.watch.old_failures =
            vec![TaskFailure { outlook: Outlook::Hopeless, ..TaskFailure::default() }];
    };
    let dead = |model: &mut Model| model.healthy_are(GREEN, 0);
    assert!(waits(&hopeless) && waits(&dead));
    assert!(!waits(&|model| {
        hopeless(model);
        dead(model);
    }));
}

/// Nothing is asked of a share that nobody sees, nor before the load balancer follows.
#[test]
fn a_share_is_judged_once_somebody_sees_it() {
    let judged = |share: u8, tests: bool, seconds: u32| {
        let mut model = Model::with_share(u32::from(share));
        model.record.held = Some(Held { share, since: model.world.at });
        if tests {
            model.record.test_rules = vec!["one".into()];
        }
        model.world.at += seconds * SECOND;
        (model.view().engine().judged)(&model.view())
    };
    assert_eq!(judged(10, false, 0), Some(10));
    assert_eq!([judged(0, false, 600), judged(0, true, 1)], [None, None]);
    assert_eq!(judged(0, true, 600), Some(0));
}

#[test]
fn weights_on_what_cannot_serve_are_put_right() {
    // Which sides can serve, what the first rule shows, what is held; the share that it gets.
    let cases = [
        ([true, false], 30, 10, Some(0)),
        ([false, true], 0, 10, Some(100)),
        ([false, false], 30, 10, Some(10)),
        ([true, true], 30, 10, None),
        ([false, true], 30, 10, None),
        ([true, false], 0, 10, None),
    ];
    for ([blue, green], shown, held, written) in cases {
        let mut model = Model::with_share(10);
        model.record.to = Some(held);
        model.record.held = Some(Held { share: held, since: at(0) });
        model.world.rules.insert("one".into(), rule("one", 100 - shown, shown));
        if !blue {
            model.is_sick(BLUE);
        }
        if !green {
            // Targets that are not healthy yet are no trouble by themselves.
            model.healthy_are(GREEN, 0);
        }
        model.watch.drift = Some((model.world.at, 2));
        model.world.at += 5 * SECOND;
        match (before_every_step(&model.view()), written) {
            (Some(Next::Done(Outcome::Drifted(_))), None) => {}
            (Some(Next::Act(action)), Some(share)) => {
                model.world.health.clear();
                let Action::Weigh { rule, actions } = action else { panic!("{action:?}") };
                assert_eq!(rule, "one");
                let weights: Vec<u32> = weights(&actions).into_iter().map(|(_, w)| w).collect();
                let part = 100 * weights[1] / (weights[0] + weights[1]);
                assert_eq!(part, share, "{blue} {green} {shown}");
            }
            (next, _) => panic!("{blue} {green} {shown}: {next:?}"),
        }
    }
}

#[test]
fn a_sick_green_gives_its_traffic_back_whatever_a_rule_shows() {
    for sick in [false, true] {
        let mut model = Model::back();
        model.world.rules.insert("one".into(), rule("one", 70, 30));
        model.watch.drift = Some((at(0), 2));
        model.world.at += 60 * SECOND;
        if sick {
            model.is_sick(GREEN);
        }
        let next = before_every_step(&model.view());
        assert_eq!(next.is_none(), sick, "{next:?}");
    }
}

#[test]
fn the_way_back_ends_in_time() {
    let over = |seconds: u32, changes: u32, blue: bool| {
        let mut model = Model::back();
        model.watch.back_since = Some(at(0));
        model.watch.changes = changes;
        // timeout, follow, and ten minutes
        model.world.at = at(900 + 120 + 600 + u64::from(seconds));
        if !blue {
            model.is_sick(BLUE);
        }
        before_every_step(&model.view())
    };
    assert_eq!(over(0, 0, true), None);
    assert_eq!(over(1, 0, true), stuck(Cause::RollbackTooLong { lacks: None }));
    let lacks = Some(WaitReason::Targets { healthy: 0, wanted: 2, service: BLUE.into() });
    assert_eq!(over(1, 0, false), stuck(Cause::RollbackTooLong { lacks }));
    let hurried = |changes: u32| {
        let mut model = Model::back();
        model.watch.back_since = Some(model.world.at);
        model.watch.changes = changes;
        before_every_step(&model.view())
    };
    assert_eq!(hurried(1000), None);
    assert!(hurried(1001).is_some());
}

#[test]
fn green_is_given_the_tasks_that_it_needs_and_none_is_taken() {
    let launched = |desired: u32| {
        let mut model = Model::with_share(0);
        model.side(GREEN).desired = desired;
        model.step(FORWARD, "launch")
    };
    assert_eq!(launched(1), count(GREEN, 2));
    assert_eq!(launched(2), None);
    assert_eq!(launched(3), None);
}

#[test]
fn looks_are_dense_while_only_the_load_balancers_word_is_missing() {
    let settling = |seconds: Option<u32>| {
        let mut model = Model::with_share(0);
        model.healthy_are(GREEN, 1);
        model.watch.running_since = seconds.map(|_| model.world.at);
        model.world.at += seconds.unwrap_or(0) * SECOND;
        model.pause(FORWARD, "settle").expect("it lacks a target")
    };
    let reviving = |seconds: u32| {
        let mut model = Model::back();
        model.healthy_are(BLUE, 1);
        model.watch.reviving_since = Some(model.world.at);
        model.world.at += seconds * SECOND;
        model.pause(BACK, "revive").expect("it lacks a target")
    };
    for (seconds, pause) in [(None, 5), (Some(4), 1), (Some(5), 2), (Some(29), 2), (Some(30), 5)] {
        assert_eq!(settling(seconds), (pause * SECOND, Look::Glance), "{seconds:?}");
    }
    for (seconds, pause) in [(0, 1), (29, 1), (30, 5)] {
        assert_eq!(reviving(seconds), (pause * SECOND, Look::Glance), "{seconds}");
    }
}

#[test]
fn a_hold_and_the_following_are_waited_for_to_the_end() {
    let left = |step: &str, seconds: u32| {
        let mut model = Model::with_share(50);
        model.record.to = Some(100);
        model.record.held = Some(Held { share: 100, since: model.world.at });
        model.world.at += (if step == "bake" { 60 } else { 120 }) * SECOND - seconds * SECOND;
        model.pause(FORWARD, step)
    };
    assert_eq!(left("bake", 13), Some((12 * SECOND, Look::Glance)));
    assert_eq!(left("bake", 11), Some((11 * SECOND, Look::Glance)));
    assert_eq!(left("bake", 0), None);
    // The last look is the one that the change after it needs.
    assert_eq!(left("follow", 14), Some((12 * SECOND, Look::Glance)));
    assert_eq!(left("follow", 13), Some((13 * SECOND, Look::Listing)));
    assert_eq!(left("follow", 0), None);
}

#[test]
fn blue_is_given_its_tasks_back_before_its_traffic() {
    let revived = |blue: u32, green: u32| {
        let mut model = Model::back();
        model.side(GREEN).desired = green;
        model.side(BLUE).desired = blue;
        model.pass(Duration::ZERO);
        model.step(BACK, "revive")
    };
    assert_eq!(revived(0, 2), count(BLUE, 2));
    assert_eq!(revived(2, 3), count(BLUE, 3));
    assert_eq!(revived(2, 1), None);
    assert_eq!(revived(3, 3), None);
}

#[test]
fn blue_is_whole_again_when_all_of_its_tasks_run_and_are_healthy() {
    let recovered = |running: u32, healthy: usize| {
        let mut model = Model::back();
        model.side(BLUE).running = running;
        model.healthy_are(BLUE, healthy);
        model.step(BACK, "recover").is_none()
    };
    assert!(recovered(2, 2) && recovered(3, 2));
    assert!(!recovered(1, 2) && !recovered(2, 1) && !recovered(1, 1));
}

#[test]
fn a_side_with_traffic_is_not_emptied() {
    let emptied = |share: u32, listed: bool| {
        let mut model = Model::with_share(share);
        let aws = model.world.at;
        let now = Moment { mono: Duration::ZERO, wall: aws, aws, took: Duration::ZERO };
        model.world.answered.extend(listed.then_some((Part::Listing, now)));
        [model.step(FORWARD, "retire"), model.step(BACK, "clear")]
    };
    let serves = |name: &str| {
        let (rule, service) = ("one".into(), name.into());
        stuck(Cause::StillHasTraffic { rule, service })
    };
    assert_eq!(emptied(50, true), [serves(BLUE), serves(GREEN)]);
    // Before it is believed, every rule is listed.
    let lists = |name: &str| {
        let why = WaitReason::Rules { service: name.to_owned() };
        Some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Listing }))
    };
    assert_eq!(emptied(50, false), [lists(BLUE), lists(GREEN)]);
    assert_eq!(emptied(100, true), [count(BLUE, 0), serves(GREEN)]);
    assert_eq!(emptied(0, true), [serves(BLUE), count(GREEN, 0)]);
}
