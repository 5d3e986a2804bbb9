//! Rules that show what the deployment did not write, and going on from there.

use super::*;

const SHARES: &[(u8, u64)] = &[(10, 60), (50, 60), (100, 0)];

impl Model {
    /// Until a share is held.
    fn held(share: u8) -> Self {
        let mut model = Self::new(SHARES);
        while model.record.held.is_none_or(|held| held.share != share) {
            assert_eq!(model.turn(), None);
        }
        model
    }

    /// Somebody gives green these shares (in percent) of the two rules.
    fn drifts(&mut self, one: u32, two: u32) {
        for (name, share) in [("one", one), ("two", two)] {
            self.world.rules.insert(name.into(), rule(name, 100 - share, share));
        }
        self.weights_changed = self.world.at;
    }

    /// Another process takes over. `accepts`: at the word of a person who has seen the rules.
    fn next_process(&mut self, accepts: bool) {
        self.watch = Watch::new(self.world.at);
        if accepts && let Some(record) = self.watch.accept(&self.record, &self.world) {
            self.record = record;
        }
    }

    fn turns_back(&mut self) {
        self.record = self.view().turned_back(Reason::Asked);
    }

    /// Green's part of both rules, in per mille.
    fn parts(&self) -> Vec<u32> {
        let part = |rule: &Rule| {
            let weights: Vec<u32> = weights(&rule.actions).into_iter().map(|(_, w)| w).collect();
            1000 * weights[1] / (weights[0] + weights[1])
        };
        self.world.rules.values().map(part).collect()
    }
}

#[test]
fn drift_stops_a_deployment_until_a_person_goes_on() {
    let mut model = Model::held(10);
    model.drifts(30, 10);
    for _ in 0..2 {
        model.next_process(false);
        let (outcome, after) = model.live(&[]);
        assert!(matches!(outcome, Outcome::Drifted(_)), "{outcome:?}");
        assert_eq!(after.parts(), [300, 100], "it is left alone");
        model = after;
    }
    model.next_process(true);
    let (outcome, model) = model.live(&[]);
    assert_eq!(outcome, Outcome::Live);
    assert_eq!(model.parts(), [1000, 1000]);
}

#[test]
fn it_goes_on_from_the_largest_share_that_every_rule_has() {
    let starts = [
        ((0, 0), None),
        ((5, 100), None),
        ((30, 10), Some(10)),
        ((49, 100), Some(10)),
        ((50, 70), Some(50)),
        ((99, 99), Some(50)),
        ((100, 100), Some(100)),
    ];
    for ((one, two), to) in starts {
        let mut model = Model::held(10);
        model.drifts(one, two);
        model.next_process(true);
        assert_eq!((model.record.to, model.record.held), (to, None), "{one} and {two}");
    }
}

#[test]
fn a_rule_without_any_weight_has_no_share() {
    let mut model = Model::held(10);
    model.drifts(50, 50);
    model.world.rules.insert("two".into(), rule("two", 0, 0));
    model.next_process(true);
    assert_eq!(model.record.to, None);
}

#[test]
fn nothing_rises_before_what_was_accepted_is_held_anew() {
    let mut model = Model::held(10);
    model.record.promoted = Some(10);
    model.drifts(30, 70);
    model.next_process(true);
    let accepted = model.world.at;
    while model.parts().iter().all(|part| *part <= 700) && model.record.to == Some(10) {
        let before = model.parts();
        assert_eq!(model.turn(), None);
        let after = model.parts();
        assert!(before.iter().zip(&after).all(|(before, after)| after <= before), "{after:?}");
    }
    let held = model.world.at.duration_since(accepted).expect("time passes");
    assert_eq!((model.record.to, model.parts()), (Some(50), vec![100, 100]));
    assert!(held >= Duration::from_secs(60), "{held:?}");
}

#[test]
fn what_is_100_percent_everywhere_is_baked_anew() {
    let mut model = Model::held(50);
    model.record.bake = Duration::from_secs(300);
    model.drifts(100, 100);
    model.next_process(true);
    let accepted = model.world.at;
    let (outcome, model) = model.live(&[]);
    assert_eq!(outcome, Outcome::Live);
    assert!(model.world.at >= accepted + Duration::from_secs(300));
}

#[test]
fn it_counts_for_what_the_first_look_shows_and_until_a_share_is_held() {
    // Not for a rule that is moved while the accepted ones are put right,
    let mut model = Model::held(10);
    model.drifts(30, 30);
    model.next_process(true);
    model.drifts(30, 40);
    let (outcome, _) = model.live(&[]);
    assert!(matches!(outcome, Outcome::Drifted(_)), "{outcome:?}");
    // and not for the same weights later on.
    let mut model = Model::held(10);
    model.drifts(30, 30);
    model.next_process(true);
    while model.record.held.is_none() {
        assert_eq!(model.turn(), None);
    }
    model.drifts(30, 30);
    let (outcome, _) = model.live(&[]);
    assert!(matches!(outcome, Outcome::Drifted(_)), "{outcome:?}");
}

#[test]
fn without_drift_nothing_is_accepted() {
    for share in [10, 50] {
        let mut model = Model::held(share);
        let before = model.record.clone();
        model.next_process(true);
        assert_eq!(model.record, before);
        model.turns_back();
        let before = model.record.clone();
        model.next_process(true);
        assert_eq!(model.record, before);
    }
}

#[test]
fn on_the_way_back_there_is_only_0_to_go_on_to() {
    for shares in [(30, 10), (100, 100), (30, 0)] {
        let mut model = Model::held(10);
        model.turns_back();
        model.drifts(shares.0, shares.1);
        model.next_process(false);
        let (outcome, mut model) = model.live(&[]);
        match shares {
            // A share that was planned may have been written just before it turned back.
            (100, 100) => assert_eq!(outcome, Outcome::WentBack(None)),
            _ => assert!(matches!(outcome, Outcome::Drifted(_)), "{outcome:?}"),
        }
        if model.record.closed.is_none() {
            model.next_process(true);
            let (outcome, after) = model.live(&[]);
            assert_eq!(outcome, Outcome::WentBack(None));
            model = after;
        }
        assert_eq!(model.parts(), [0, 0]);
    }
}

/// Weights from an outsider, before any share was planned for green: emptying it as if it had none
/// would be an outage.
#[test]
fn traffic_that_was_never_meant_for_green_is_taken_back_before_green_is_emptied() {
    for turned_first in [false, true] {
        let mut model = Model::new(SHARES);
        while model.healthy(GREEN) == 0 {
            assert_eq!(model.turn(), None);
        }
        assert_eq!(model.record.to, None);
        if turned_first {
            model.turns_back();
        }
        model.drifts(30, 0);
        if !turned_first {
            model.turns_back();
        }
        model.sick = true;
        model.pass(Duration::ZERO);
        let (outcome, model) = model.live(&[]);
        assert_eq!(outcome, Outcome::WentBack(None));
        assert_eq!((model.parts(), model.side_desired(GREEN)), (vec![0, 0], 0));
    }
}

/// Whoever gave green a share of ours: which one it was, the rule does not tell.
#[test]
fn what_was_planned_for_green_is_taken_back_though_it_was_never_written_down() {
    let mut model = Model::new(SHARES);
    while model.healthy(GREEN) == 0 {
        assert_eq!(model.turn(), None);
    }
    model.drifts(10, 10);
    model.turns_back();
    let (outcome, model) = model.live(&[]);
    assert_eq!(outcome, Outcome::WentBack(None));
    assert_eq!(model.parts(), [0, 0]);
}
