//! Auto scaling of a pair: the steps, and the whole way with scheduled actions at every turn.

use super::*;
use crate::record::{End, Held, Suspensions};
use crate::route::listener::{BACK, FORWARD, OVERTAKEN};

const ON: Suspended = Suspended { scale_in: false, scale_out: false, scheduled: false };
const IN: Suspended = Suspended { scale_in: true, ..ON };
const ALL: Suspended = Suspended::ALL;
/// Green while it has or may get traffic.
const OUT_ONLY: Suspended = Suspended { scale_out: false, ..ALL };

fn target(service: &str, min: u32, max: u32, suspended: Suspended) -> Scalable {
    Scalable { service: service.into(), min, max, suspended }
}

impl Model {
    /// Both services are scaled, the one with the traffic as `found`.
    fn scaled(mut self, found: Suspended) -> Self {
        self.record.scaling = Some(Suspensions { blue: found, green: ALL });
        self.world.scalable = Some(vec![target(BLUE, 1, 4, found), target(GREEN, 0, 4, ALL)]);
        self
    }

    fn targets(&self) -> [(u32, u32, Suspended); 2] {
        [BLUE, GREEN].map(|name| {
            let own = self.world.scalable(name).expect("a scalable target");
            (own.min, own.max, own.suspended)
        })
    }

    /// Takes one step until it holds; what was sent.
    fn take(&mut self, table: &[Step], name: &str) -> usize {
        let step = table.iter().find(|step| step.name == name).expect(name);
        for sent in 0..9 {
            match (step.next)(&self.view()) {
                None => return sent,
                Some(Next::Act(action)) => self.act(action),
                Some(next) => panic!("{name}: {next:?}"),
            }
        }
        panic!("{name} does not come to hold: {:?}", self.targets());
    }

    /// A scheduled action, of both services: it runs where that is not suspended.
    fn scheduled(&mut self, min: u32, max: u32) {
        for name in [BLUE, GREEN] {
            let suspended = self.target(name).suspended;
            if !suspended.scheduled {
                self.scale(name, Some(min), Some(max), suspended);
            }
        }
        self.pass(Duration::ZERO);
    }
}

#[test]
fn blue_is_not_scaled_in_and_green_by_nothing_before_it_starts() {
    let mut model = Model::new(&[(100, 0)]).scaled(ON);
    assert_eq!(model.take(FORWARD, "freeze"), 1);
    assert_eq!(model.targets(), [(1, 4, IN), (0, 4, ALL)]);
    // As Terraform makes both.
    let mut model = Model::new(&[(100, 0)]).scaled(ON);
    model.scale(GREEN, Some(2), Some(3), ON);
    assert_eq!(model.take(FORWARD, "freeze"), 2);
    assert_eq!(model.targets(), [(1, 4, IN), (0, 4, ALL)]);
    // What was suspended stays so.
    let found = Suspended { scheduled: true, ..ON };
    let mut model = Model::new(&[(100, 0)]).scaled(found);
    model.take(FORWARD, "freeze");
    assert_eq!(model.targets()[0], (1, 4, Suspended { scheduled: true, ..IN }));
    // Nothing that has traffic is taken away by a lower maximum.
    let mut model = Model::with_share(50).scaled(IN);
    model.record.to = Some(50);
    model.scale(BLUE, Some(1), Some(1), IN);
    model.take(FORWARD, "freeze");
    assert_eq!((model.targets()[1], model.side_desired(GREEN)), ((0, 2, OUT_ONLY), 2));
    // Neither is scaled: nothing to do.
    let mut model = Model::new(&[(100, 0)]);
    for step in ["freeze", "scale", "arm"] {
        assert_eq!(model.take(FORWARD, step), 0);
    }
    assert_eq!(model.take(BACK, "unfreeze"), 0);
}

#[test]
fn green_may_scale_out_before_it_has_traffic_as_blue_did() {
    for (found, expected) in
        [(ON, OUT_ONLY), (Suspended { scale_out: true, ..ON }, ALL), (ALL, ALL)]
    {
        let mut model = Model::with_share(0).scaled(found);
        model.take(FORWARD, "freeze");
        model.take(FORWARD, "scale");
        assert_eq!(model.targets()[1], (0, 4, expected), "{found:?}");
        assert_eq!(model.take(FORWARD, "freeze"), 0, "{found:?}");
    }
}

#[test]
fn green_gets_blues_present_limits_before_blue_loses_them() {
    let mut model = Model::with_share(100).scaled(ON);
    model.record.held = Some(Held { share: 100, since: model.world.at });
    model.scale(BLUE, Some(3), Some(6), IN);
    model.pass(Duration::ZERO);
    let arm = FORWARD.iter().find(|step| step.name == "arm").expect("arm");
    let Some(Next::Act(first)) = (arm.next)(&model.view()) else { panic!("nothing is armed") };
    assert!(matches!(&first, Action::Scale { service, .. } if service == GREEN), "{first:?}");
    model.act(first);
    // A scheduled action in between.
    model.scheduled(2, 5);
    model.take(FORWARD, "arm");
    assert_eq!(model.targets(), [(0, 5, ALL), (2, 5, ON)]);
    // What has all the traffic is not frozen again.
    assert_eq!(model.take(FORWARD, "freeze") + model.take(FORWARD, "scale"), 0);
}

#[test]
fn on_the_way_back_blue_is_scaled_as_it_was_found_also_after_green_was_armed() {
    let mut model = Model::with_share(100).scaled(ON);
    model.record.held = Some(Held { share: 100, since: model.world.at });
    model.take(FORWARD, "arm");
    assert_eq!(model.targets(), [(0, 4, ALL), (1, 4, ON)]);
    model.record = model.record.turned_back(Reason::Sick);
    assert_eq!(model.take(BACK, "unfreeze"), 2);
    assert_eq!(model.targets(), [(1, 4, ON), (0, 4, ALL)]);
    // From the middle.
    let mut model = Model::with_share(50).scaled(ON);
    model.take(FORWARD, "freeze");
    model.take(FORWARD, "scale");
    model.take(BACK, "unfreeze");
    assert_eq!(model.targets(), [(1, 4, ON), (0, 4, ALL)]);
}

#[test]
fn nothing_is_decided_on_targets_that_were_not_read() {
    let mut model = Model::new(&[(100, 0)]).scaled(ON);
    model.world.scalable = None;
    let freeze = FORWARD.iter().find(|step| step.name == "freeze").expect("freeze");
    assert!(matches!((freeze.next)(&model.view()), Some(Next::Wait(_))));
    // Deregistered meanwhile: there is nothing to move.
    model.world.scalable = Some(vec![]);
    assert_eq!((freeze.next)(&model.view()), None);
}

#[test]
fn no_more_tasks_are_asked_for_than_the_maximum() {
    let mut model = Model::with_share(50).scaled(ON);
    assert_eq!(model.view().need(), 2);
    model.scale(BLUE, Some(1), Some(1), IN);
    assert_eq!(model.view().need(), 1);
    model.record.count = 9;
    model.scale(BLUE, Some(1), Some(5), IN);
    assert_eq!(model.view().need(), 5);
}

#[test]
fn tasks_that_start_because_blue_was_scaled_out_are_not_missed() {
    let mut model = Model::with_share(50);
    model.record.to = Some(50);
    model.watch.see(&model.record, &model.world);
    model.side(BLUE).desired = 3;
    model.pass(Duration::ZERO);
    assert_eq!((model.view().need(), model.view().green_is_short()), (3, false));
    model.healthy_are(GREEN, 1);
    assert!(model.view().green_is_short(), "one of those that it had is lost");
}

/// What happens beside a deployment of a scaled pair.
#[derive(Clone, Copy, Debug)]
enum Also {
    Scheduled(u32, u32),
    Beside(Beside),
}

/// Invariant 10: whatever happens, scaling ends as it was found, on the side that serves then.
#[test]
fn scaling_ends_as_it_was_found_whatever_happens_at_any_two_turns() {
    let also = [
        Also::Scheduled(3, 6),
        Also::Scheduled(1, 1),
        Also::Scheduled(2, 4),
        Also::Beside(Beside::GreenSick),
        Also::Beside(Beside::BlueUp),
        Also::Beside(Beside::GreenUp),
    ];
    let happen = |model: &mut Model, limits: &mut (u32, u32), what: Also| match what {
        Also::Scheduled(min, max) => {
            model.scheduled(min, max);
            *limits = (min, max);
        }
        Also::Beside(beside) => model.happens(beside),
    };
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for found in [ON, Suspended { scale_out: true, ..ON }, IN] {
        let begin = || Model::new(&[(10, 20), (100, 0)]).scaled(found);
        let mut model = begin();
        let turns = (1..).find(|_| model.turn().is_some()).expect("it ends");
        let mut undisturbed = begin();
        for first in 0..turns {
            for one in also {
                let (mut disturbed, mut limits) = (undisturbed.clone(), (1, 4));
                happen(&mut disturbed, &mut limits, one);
                for second in first..turns {
                    // What was suspended before changes little: one turn is enough for that.
                    if disturbed.record.closed.is_some() || (found != ON && second > first) {
                        break;
                    }
                    for other in also {
                        let (mut model, mut limits) = (disturbed.clone(), limits);
                        happen(&mut model, &mut limits, other);
                        let (outcome, model) = model.live(&[]);
                        *ends.entry(outcome.code()).or_default() += 1;
                        let told = format!(
                            "{found:?}: {one:?} at {first}, {other:?} at {second}: {outcome:?} {:?}",
                            model.targets()
                        );
                        let [blue, green] = model.targets();
                        let (live, idle, name) = match model.record.closed.map(|one| one.end) {
                            Some(End::Live) => (green, blue, GREEN),
                            Some(End::WentBack) => (blue, green, BLUE),
                            end => panic!("{end:?}: {told}"),
                        };
                        assert_eq!(live, (limits.0, limits.1, found), "{told}");
                        assert_eq!((idle.0, idle.2), (0, ALL), "{told}");
                        let counted = [one, other].iter().any(|own| matches!(own, Also::Beside(_)));
                        let desired = model.side_desired(name);
                        // Who sets a count by hand may leave the limits.
                        assert!(
                            counted || (limits.0..=limits.1).contains(&desired),
                            "{desired}: {told}"
                        );
                    }
                    if disturbed.turn().is_some() {
                        break;
                    }
                }
            }
            assert_eq!(undisturbed.turn().is_some(), first + 1 == turns);
        }
    }
    assert!(ends.len() == 2 && ends.values().sum::<u32>() > 5_000, "{ends:?}");
}

/// What a step of a table says.
fn says(model: &Model, table: &[Step], name: &str) -> Option<Next> {
    let step = table.iter().find(|step| step.name == name).expect(name);
    (step.next)(&model.view())
}

fn scale(service: &str, min: Option<u32>, max: Option<u32>, suspended: Suspended) -> Option<Next> {
    Some(Next::Act(Action::Scale { service: service.into(), min, max, suspended }))
}

#[test]
fn where_somebody_deregistered_one_target_the_way_back_puts_the_other_one_right() {
    let back = |targets: &[Scalable]| {
        let mut model = Model::with_share(50).scaled(ON);
        model.record = model.record.turned_back(Reason::Sick);
        model.world.scalable = Some(targets.to_vec());
        [says(&model, BACK, "unfreeze"), says(&model, OVERTAKEN, "scaling")]
    };
    let same = |next: Option<Next>| [next.clone(), next];
    assert_eq!(back(&[target(BLUE, 1, 4, IN)]), same(scale(BLUE, None, None, ON)));
    assert_eq!(back(&[target(BLUE, 1, 4, ON)]), same(None));
    // That is how a side without traffic is left: somebody's own doing.
    assert_eq!(back(&[target(BLUE, 0, 4, ALL)]), same(None));
    assert_eq!(back(&[target(GREEN, 0, 4, OUT_ONLY)]), same(scale(GREEN, Some(0), None, ALL)));
    assert_eq!(back(&[target(GREEN, 1, 4, ALL)]), same(scale(GREEN, Some(0), None, ALL)));
    assert_eq!(back(&[target(GREEN, 0, 4, ALL)]), same(None));
    let mut unscaled = Model::with_share(50);
    unscaled.world.scalable = Some(vec![target(BLUE, 1, 4, IN)]);
    assert_eq!(says(&unscaled, BACK, "unfreeze"), None, "it was not ours to move");
}

#[test]
fn where_somebody_deregistered_one_target_nothing_is_handed_over() {
    let ahead = |only: Scalable, missed: Option<u64>| {
        let mut model = Model::with_share(100).scaled(ON);
        model.record.held = Some(Held { share: 100, since: model.world.at });
        model.world.scalable = Some(vec![only]);
        model.world.at += Duration::from_secs(100);
        model.watch.unscaled_since =
            missed.map(|seconds| model.world.at - Duration::from_secs(seconds));
        [says(&model, FORWARD, "arm"), says(&model, OVERTAKEN, "scaling")]
    };
    let stuck = |service: &str, other: &str| {
        let (service, other) = (service.to_owned(), other.to_owned());
        let cause = crate::event::Cause::OneIsNotScaled { service, other };
        Some(Next::Done(Outcome::Stuck(cause)))
    };
    let late = crate::drive::backoff::LOOK_TWICE.as_secs();
    for missed in [None, Some(0), Some(late - 1)] {
        let both = ahead(target(BLUE, 1, 4, IN), missed);
        assert!(both.iter().all(|next| matches!(next, Some(Next::Wait(_)))), "{both:?}");
    }
    let is_stuck = stuck(BLUE, GREEN);
    assert_eq!(ahead(target(BLUE, 1, 4, IN), Some(late)), [is_stuck.clone(), is_stuck]);
    let is_stuck = stuck(GREEN, BLUE);
    assert_eq!(ahead(target(GREEN, 0, 4, OUT_ONLY), Some(late)), [is_stuck.clone(), is_stuck]);
    // What is handed over already stays so.
    assert_eq!(ahead(target(BLUE, 0, 4, ALL), Some(late)), [None, None]);
    assert_eq!(ahead(target(GREEN, 1, 4, ON), Some(late)), [None, None]);
}

#[test]
fn a_side_that_is_gone_is_not_scaled() {
    let mut model = Model::with_share(100).scaled(ON);
    model.record.held = Some(Held { share: 100, since: model.world.at });
    model.side(BLUE).status = "INACTIVE".into();
    model.scale(GREEN, Some(1), Some(4), ON);
    assert_eq!(says(&model, FORWARD, "arm"), None);
    let mut model = Model::with_share(50).scaled(ON);
    model.side(GREEN).status = "INACTIVE".into();
    model.scale(GREEN, Some(1), Some(4), ON);
    assert_eq!(says(&model, BACK, "unfreeze"), None);
}
