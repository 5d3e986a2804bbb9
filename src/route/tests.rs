//! Both tables, walked from every world that a small model reaches while an outsider changes desired
//! counts and green falls sick and recovers, at every pair of turns. No SDK, no sandbox: decisions only.

mod drift;
mod histories;
mod listener;
mod native;
mod prepare;
mod rolling;
mod scaling;
mod trouble;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::{Action, Next, Outcome, Step, View, decide};
use crate::model::rule::weights;
use crate::model::scaling::{Scalable, Suspended};
use crate::model::world::{
    Attachment, Check, Deployment, Group, Look, Rule, Service, Target, Task, World,
};
use crate::record::tests::{at, record};
use crate::record::{Heading, Reason, Record};
use crate::request::Share;
use crate::route::watch::Watch;

const BLUE: &str = "web";
const GREEN: &str = "web-green";

fn service(name: &str, desired: u32, revision: &str) -> Service {
    let deployment = Deployment {
        id: format!("ecs-svc/{name}"),
        status: "PRIMARY".into(),
        rollout: Some("COMPLETED".into()),
        reason: None,
        revision: revision.into(),
        desired,
        running: desired,
        pending: 0,
        failed: 0,
        created: None,
    };
    Service {
        arn: format!("arn:{name}"),
        name: name.into(),
        status: "ACTIVE".into(),
        desired,
        running: desired,
        pending: 0,
        revision: revision.into(),
        deployments: vec![deployment],
        attachments: vec![Attachment {
            advanced: None,
            group: format!("group:{name}"),
            container: "web".into(),
            port: 80,
        }],
        events: vec![],
        grace: Duration::ZERO,
        min_healthy_percent: 100,
        max_percent: 200,
        ecs_rolls_back: false,
        tags: BTreeMap::new(),
        settings: BTreeMap::new(),
    }
}

fn rule(name: &str, blue: u32, green: u32) -> Rule {
    let prefix = "member.1.ForwardConfig.TargetGroups.member";
    let pairs = [
        ("member.1.Type".to_owned(), "forward".to_owned()),
        (format!("{prefix}.1.TargetGroupArn"), format!("group:{BLUE}")),
        (format!("{prefix}.1.Weight"), blue.to_string()),
        (format!("{prefix}.2.TargetGroupArn"), format!("group:{GREEN}")),
        (format!("{prefix}.2.Weight"), green.to_string()),
    ];
    Rule {
        arn: name.into(),
        listener: "l".into(),
        entry: None,
        is_default: false,
        name: name.into(),
        actions: pairs.to_vec(),
    }
}

fn group(name: &str) -> Group {
    let check = Check {
        protocol: "HTTP".into(),
        port: "traffic-port".into(),
        path: "/".into(),
        matcher: "200".into(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        unhealthy: 2,
        healthy: 2,
        grpc: false,
    };
    Group {
        arn: format!("group:{name}"),
        name: name.into(),
        load_balancers: vec!["lb".into()],
        protocol: "HTTP".into(),
        target_type: "ip".into(),
        check,
        attributes: None,
    }
}

/// `web`, which serves on `web:42`, and `web-green`.
pub(crate) fn world() -> World {
    Model::new(&[(100, 0)]).world
}

/// An AWS that does at once what it is told.
#[derive(Clone)]
struct Model {
    world: World,
    record: Record,
    watch: Watch,
    sick: bool,
    weights_changed: SystemTime,
}

/// What happens beside us.
#[derive(Clone, Copy, Debug)]
enum Beside {
    BlueUp,
    BlueDown,
    GreenUp,
    GreenDown,
    GreenSick,
    GreenWell,
}

const BESIDE: [Beside; 6] = [
    Beside::BlueUp,
    Beside::BlueDown,
    Beside::GreenUp,
    Beside::GreenDown,
    Beside::GreenSick,
    Beside::GreenWell,
];

impl Model {
    fn new(shares: &[(u8, u64)]) -> Self {
        let record = Record {
            shares: shares
                .iter()
                .map(|(percent, hold)| Share {
                    percent: *percent,
                    hold: Duration::from_secs(*hold),
                    pause: false,
                })
                .collect(),
            ..record()
        };
        let services = [service(BLUE, 2, &record.from), service(GREEN, 0, &record.was)];
        let mut model = Self {
            world: World {
                at: at(0),
                look: Look::Listing,
                answered: BTreeMap::new(),
                services: services
                    .into_iter()
                    .map(|service| (service.arn.clone(), service))
                    .collect(),
                rules: [rule("one", 100, 0), rule("two", 1, 0)]
                    .into_iter()
                    .map(|r| (r.arn.clone(), r))
                    .collect(),
                unread: BTreeSet::new(),
                unanswered: BTreeSet::new(),
                owner: None,
                groups: [group(BLUE), group(GREEN)]
                    .into_iter()
                    .map(|g| (g.arn.clone(), g))
                    .collect(),
                health: BTreeMap::new(),
                tasks: BTreeMap::new(),
                prepare: None,
                deployments: None,
                scalable: None,
            },
            record,
            watch: Watch::new(at(0)),
            sick: false,
            weights_changed: at(0),
        };
        model.pass(Duration::ZERO);
        model
    }

    fn side(&mut self, name: &str) -> &mut Service {
        self.world.services.get_mut(&format!("arn:{name}")).expect("a service")
    }

    /// Time passes: tasks run as wanted, targets follow.
    fn pass(&mut self, time: Duration) {
        self.world.at += time;
        self.world.unread.clear();
        for name in [BLUE, GREEN] {
            let sick = self.sick && name == GREEN;
            let side = self.side(name);
            let (desired, revision) = (side.desired, side.revision.clone());
            side.running = desired;
            side.deployments[0].running = desired;
            let state = if sick { "unhealthy" } else { "healthy" };
            let ids = (0..desired).map(|n| format!("{name}-{n}"));
            let targets: Vec<Target> = ids
                .clone()
                .map(|id| Target {
                    id,
                    port: 80,
                    state: state.into(),
                    reason: None,
                    description: None,
                })
                .collect();
            let tasks: Vec<Task> = ids
                .map(|id| Task {
                    arn: id.clone(),
                    revision: revision.clone(),
                    last_status: "RUNNING".into(),
                    desired_status: "RUNNING".into(),
                    commanded: None,
                    started_by: None,
                    created: None,
                    stopping: None,
                    stop_code: None,
                    stopped_reason: None,
                    containers: vec![],
                    endpoints: vec![(id, None)],
                })
                .collect();
            self.world.health.insert(format!("group:{name}"), targets);
            self.world.tasks.insert(format!("arn:{name}"), tasks);
        }
    }

    fn happens(&mut self, beside: Beside) {
        match beside {
            Beside::BlueUp => self.side(BLUE).desired += 1,
            Beside::BlueDown => self.side(BLUE).desired = (self.side(BLUE).desired.max(2)) - 1,
            Beside::GreenUp => self.side(GREEN).desired += 1,
            Beside::GreenDown => {
                self.side(GREEN).desired = self.side(GREEN).desired.saturating_sub(1)
            }
            Beside::GreenSick => self.sick = true,
            Beside::GreenWell => self.sick = false,
        }
        self.pass(Duration::ZERO);
    }

    /// The scalable target of a side.
    fn target(&mut self, name: &str) -> &mut Scalable {
        let targets = self.world.scalable.iter_mut().flatten();
        targets.into_iter().find(|target| target.service == name).expect("a scalable target")
    }

    /// As Application Auto Scaling does it: the count is brought between the limits at once.
    fn scale(&mut self, name: &str, min: Option<u32>, max: Option<u32>, suspended: Suspended) {
        let target = self.target(name);
        (target.min, target.max) = (min.unwrap_or(target.min), max.unwrap_or(target.max));
        target.suspended = suspended;
        let (min, max) = (target.min, target.max);
        assert!(min <= max, "{name}: {min} to {max}");
        let desired = self.side(name).desired.clamp(min, max);
        self.side(name).desired = desired;
    }

    fn weight(&self, name: &str) -> u32 {
        let group = format!("group:{name}");
        let of = |rule: &Rule| {
            weights(&rule.actions)
                .into_iter()
                .filter(|(g, _)| *g == group)
                .map(|(_, w)| w)
                .sum::<u32>()
        };
        self.world.rules.values().map(of).sum()
    }

    fn healthy(&self, name: &str) -> usize {
        self.world.health[&format!("group:{name}")]
            .iter()
            .filter(|target| target.is_healthy())
            .count()
    }

    /// Does what was decided, after checking that no promise is broken by it.
    fn act(&mut self, action: Action) {
        match action {
            Action::Launch { service, revision, count } => {
                assert_eq!(service, GREEN, "only green is put on another revision");
                assert!(
                    count >= self.side(GREEN).desired,
                    "green is never lowered on the way forward"
                );
                let green = self.side(GREEN);
                (green.revision, green.desired) = (revision.clone(), count);
                green.deployments[0].revision = revision;
            }
            Action::Count { service, count } => {
                if count < self.side(&service).desired {
                    assert_eq!(self.weight(&service), 0, "{service} is shrunk and carries traffic");
                    let quiet =
                        self.world.at.duration_since(self.weights_changed).unwrap_or_default();
                    let moved = self.record.to.is_some();
                    assert!(
                        !moved || quiet >= self.record.follow,
                        "{service} is shrunk {quiet:?} after its traffic moved"
                    );
                }
                self.side(&service).desired = count;
            }
            Action::Weigh { rule, actions } => {
                let before = [self.weight(BLUE), self.weight(GREEN)];
                self.world.rules.get_mut(&rule).expect("a rule").actions = actions;
                self.weights_changed = self.world.at;
                let after = [self.weight(BLUE), self.weight(GREEN)];
                let rises = after[1] > before[1] && after[0] < before[0];
                assert!(!rises || self.record.forward(), "a share rises on the way back");
                assert!(!rises || self.healthy(GREEN) > 0, "traffic moves onto nothing");
                let falls = after[0] > before[0] && after[1] < before[1];
                assert!(
                    !falls || self.healthy(BLUE) > 0 || self.healthy(GREEN) == 0,
                    "traffic goes back to nothing"
                );
            }
            Action::Roll { .. }
            | Action::Shift { .. }
            | Action::Configure { .. }
            | Action::Continue { .. }
            | Action::StopDeployment { .. } => panic!("ECS does nothing about a pair by itself"),
            Action::Scale { service, min, max, suspended } => {
                self.scale(&service, min, max, suspended);
            }
            Action::Prepare | Action::Stop { .. } => panic!("nothing was asked for before"),
            Action::Write(record) => self.record = *record,
        }
        self.pass(Duration::ZERO);
    }

    fn turn(&mut self) -> Option<Outcome> {
        self.watch.see(&self.record, &self.world);
        match decide(&self.view()).1 {
            Next::Done(outcome) => return Some(outcome),
            Next::TurnBack(trouble) => self.record = self.view().turned_back(trouble.reason),
            Next::Wait(wait) => self.pass(wait.look_in),
            Next::Act(action) => self.act(action),
        }
        None
    }

    /// To the end, with what happens beside us at which turn.
    fn live(mut self, beside: &[(u32, Beside)]) -> (Outcome, Self) {
        for turn in 0..2000 {
            for (_, what) in beside.iter().filter(|(when, _)| *when == turn) {
                // What happens after the end is another story.
                if self.record.closed.is_none() {
                    self.happens(*what);
                }
            }
            if let Some(outcome) = self.turn() {
                return (outcome, self);
            }
        }
        panic!("it does not end: {:#?}", self.record);
    }
}

/// How many turns an undisturbed life has.
fn turns(shares: &[(u8, u64)]) -> u32 {
    let mut model = Model::new(shares);
    (1..).find(|_| model.turn().is_some()).expect("it ends")
}

fn every_pair_of_disturbances(shares: &[(u8, u64)]) {
    let turns = turns(shares);
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    // What lives have in common is lived once.
    let mut undisturbed = Model::new(shares);
    for first in 0..turns {
        for one in BESIDE {
            let mut disturbed = undisturbed.clone();
            disturbed.happens(one);
            for second in first..turns {
                // What happens after the end is another story.
                if disturbed.record.closed.is_some() {
                    break;
                }
                for other in BESIDE {
                    let (outcome, model) = disturbed.clone().live(&[(0, other)]);
                    *ends.entry(outcome.code()).or_default() += 1;
                    match outcome {
                        Outcome::Live => {
                            assert_eq!((model.weight(BLUE), model.side_desired(BLUE)), (0, 0))
                        }
                        Outcome::WentBack(_) => {
                            assert_eq!((model.weight(GREEN), model.side_desired(GREEN)), (0, 0));
                        }
                        end => panic!("{one:?} at {first}, {other:?} at {second}: {end:?}"),
                    }
                }
                if disturbed.turn().is_some() {
                    break;
                }
            }
        }
        assert_eq!(undisturbed.turn().is_some(), first + 1 == turns);
    }
    assert!(ends.len() == 2 && ends.values().sum::<u32>() > 5_000, "{ends:?}");
}

impl Model {
    /// Green runs, has its targets, and both rules give it this share.
    fn with_share(share: u32) -> Self {
        let mut model = Self::new(&[(100, 0)]);
        let revision = model.record.revision.clone();
        let green = model.side(GREEN);
        (green.revision, green.desired) = (revision.clone(), 2);
        green.deployments[0].revision = revision;
        for name in ["one", "two"] {
            model.world.rules.insert(name.into(), rule(name, 100 - share, share));
        }
        model.pass(Duration::ZERO);
        model
    }

    /// So many targets of a side are healthy, the others not yet.
    fn healthy_are(&mut self, name: &str, count: usize) {
        let targets = self.world.health.get_mut(&format!("group:{name}")).expect("a group");
        for (n, target) in targets.iter_mut().enumerate() {
            target.state = if n < count { "healthy" } else { "initial" }.into();
        }
    }

    fn view(&self) -> View<'_> {
        View { record: &self.record, watch: &self.watch, world: &self.world }
    }

    fn side_desired(&self, name: &str) -> u32 {
        self.world.service(name).map_or(0, |service| service.desired)
    }
}

#[test]
fn no_disturbance_makes_a_step_break_a_promise_all_at_once() {
    every_pair_of_disturbances(&[(100, 0)]);
}

#[test]
fn no_disturbance_makes_a_step_break_a_promise_in_shares() {
    every_pair_of_disturbances(&[(10, 20), (100, 0)]);
}

#[test]
fn an_undisturbed_life_goes_live_and_its_record_is_closed() {
    let (outcome, model) = Model::new(&[(10, 60), (50, 60), (100, 0)]).live(&[]);
    assert_eq!(outcome, Outcome::Live);
    assert!(model.record.closed.is_some() && model.record.forward());
    assert_eq!((model.weight(BLUE), model.healthy(GREEN)), (0, 2));
}

#[test]
fn sickness_is_the_reason_that_is_written_down() {
    let (outcome, model) = Model::new(&[(100, 0)]).live(&[(8, Beside::GreenSick)]);
    assert!(matches!(outcome, Outcome::WentBack(_)));
    assert_eq!(model.record.heading, Heading::Back(Reason::Sick));
}
