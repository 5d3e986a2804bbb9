//! The `listener` engine: two services behind one load balancer, and we move the weights between
//! their target groups. The two tables are the specification; each step is a function below, in
//! their order.

use std::time::Duration;

use super::view::{Drift, count};
use super::watch::{Seen, Side};
use super::{
    Action, Engine, Next, Occasion, Outcome, Step, Trouble, View, Wait, gates, prepare, scaling,
    trouble,
};
use crate::event::{Cause, Pause, Sight, WaitReason};
use crate::model::arn::short;
use crate::model::health::TaskFailure;
use crate::model::reads::Part;
use crate::model::rule::{green_per_mille, green_stands, weights, with_green, with_share};
use crate::model::world::{Look, Rule, Service, Target};
use crate::record::{End, Heading, Held, Reason, Record};
use crate::request::{EngineName, FOLLOW_MIN, Share};

/// The way forward.
pub const FORWARD: &[Step] = &[
    Step { name: "prepare", next: prepare::prepare }, // its task has succeeded, where one is asked for
    Step { name: "attach", next: attach }, // green's groups stand in every rule of blue's, at whatever weight
    Step { name: "freeze", next: scaling::freeze }, // auto scaling takes nothing from blue, and starts nothing in green
    Step { name: "launch", next: launch }, // green is on our revision with the tasks it needs
    Step { name: "settle", next: settle }, // green runs only our revision, all of it healthy
    Step { name: "scale", next: scaling::scale_out }, // green may be scaled out before it has traffic
    Step { name: "prove", next: prove },              // tests see green, before it has users
    Step { name: "shift", next: shift },              // traffic, share by share, each held
    Step { name: "bake", next: bake },                // 100 % held; blue stays whole
    Step { name: "follow", next: follow }, // the load balancer has followed the last change
    Step { name: "arm", next: scaling::arm }, // green is scaled as blue was, and nothing scales blue
    Step { name: "retire", next: retire },    // blue wants no tasks; draining is ECS's business
];

/// The way back.
pub const BACK: &[Step] = &[
    Step { name: "revive", next: revive }, // blue has enough healthy targets
    Step { name: "return", next: give_back }, // all traffic on blue, one call per rule
    Step { name: "follow", next: follow },
    Step { name: "unfreeze", next: scaling::unfreeze }, // blue is scaled as it was found, and nothing scales green
    Step { name: "clear", next: clear },                // green wants no tasks
    Step { name: "recover", next: recover },            // blue is whole again, or as it was
    Step { name: "explain", next: explain }, // if nothing ran before either, why is known
    Step { name: "stop", next: prepare::stop }, // its task does not run any more
];

/// Another deployment takes over on the way back: all traffic is brought to one side.
pub const OVERTAKEN: &[Step] = &[
    Step { name: "return", next: bring_to_one_side }, // all traffic on one side
    Step { name: "follow", next: follow_unless_dead },
    Step { name: "scaling", next: scaling::hand_over }, // that side is scaled as blue was found
];

/// The row of this engine.
pub const ENGINE: Engine = Engine {
    name: EngineName::Listener,
    forward: FORWARD,
    back: BACK,
    overtaken: OVERTAKEN,
    first: before_every_step,
    superseded,
    lacks: |view| view.green_lacks(),
    progress: |view| view.green().and_then(|green| view.world.healthy(green)).unwrap_or(0),
    needs: Action::needs,
    widest: Look::Listing,
    parts: |look| match look {
        Look::Glance => vec![Part::Services],
        Look::Whole => vec![Part::Settings, Part::Rules],
        Look::Listing => vec![Part::Settings, Part::Listing],
    },
    reads,
    optional: &[],
    begin: |_| {},
    young: YOUNG,
    first_look: Duration::MAX,
    looks_again: |_| false,
    news: |_| None,
    replaced: |view| {
        let blue = view.blue().filter(|blue| blue.revision != view.record.from)?;
        let (service, revision) = (blue.name.clone(), short(&blue.revision).to_owned());
        Some(Cause::RevisionChanged { service, revision })
    },
    serves_alone: |view| {
        let whole = view.record.forward() && view.all_read(100);
        (whole, whole && view.blue().is_some_and(|blue| blue.desired == 0))
    },
    taken_over: |view| view.record.keep_old && view.is_baked(),
    judged,
    share: |view| Some(view.record.held.map_or(0, |held| held.share)),
    is_short: |view| view.green_is_short(),
};

/// A part of the survey may have taken 30 s, and 10 s are no sign of a process that stood still.
const YOUNG: Duration = Duration::from_secs(40);
const SECOND: Duration = Duration::from_secs(1);
/// Between looks while nothing can have changed.
const SPARSE: Duration = Duration::from_secs(5);
/// Between looks while green carries traffic and time must pass.
const WATCHFUL: Duration = Duration::from_secs(12);
/// Looks may be dense for this long at a stretch.
const DENSE_FOR: Duration = Duration::from_secs(30);

/// The share that is judged now. Where only tests see green, the load balancer has followed before anything
/// is asked there: until then the old version answers.
fn judged(view: &View<'_>) -> Option<u8> {
    let held = view.record.held.filter(|held| is_judged(view, held.share))?;
    (held.share > 0 || view.watched_since(held.since) >= FOLLOW_MIN).then_some(held.share)
}

/// Whether gates have anything to say of a share: none of the traffic only where tests see green.
fn is_judged(view: &View<'_>, share: u8) -> bool {
    share > 0 || !view.test_rules().is_empty()
}

/// Whose the targets are, and why tasks stopped, matters while there is a way back only.
fn reads(view: &View<'_>, occasion: &Occasion) -> Vec<Part> {
    let old = view.blue().filter(|_| !view.record.forward());
    let is_retired = view.blue().is_some_and(|blue| blue.desired == 0);
    // While others leave the same groups, whose a sick target is its task tells.
    let is_doubtful = view.others_leave() == Some(true) && view.has_sick_targets();
    let wants_tasks = occasion.look > Look::Glance || occasion.unexplained || is_doubtful;
    let mut parts = view.world.target_parts(view.green().into_iter().chain(old));
    parts.push(Part::Services);
    parts.extend(view.tasks_read(occasion).filter(|_| wants_tasks && !is_retired));
    parts
}

/// What can end or turn a deployment whatever step it is in.
pub fn before_every_step(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    if let Some(seen) = view.watch.gone {
        return a_service_is_gone(view, seen);
    }
    if let Some(next) = only_green_serves(view) {
        return Some(next);
    }
    if let Some(other) = superseded(view) {
        return Some(Next::Done(Outcome::Superseded(other)));
    }
    if let Some(sight) = view.detached() {
        return Some(Next::Done(Outcome::Drifted(sight)));
    }
    // Targets of a group that no rule names are unused: that comes before what they lack.
    if let Some(Drift::NoRule | Drift::Third(_)) = view.drift() {
        return drifted(view);
    }
    if view.world.look < Look::Listing && has_unused_targets(view) {
        let why = WaitReason::SecondLook(Sight::NoRule { service: record.blue.clone() });
        return Some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Listing }));
    }
    // A sick green outranks whatever a rule shows.
    match record.forward() {
        // There is nothing to turn back to.
        true if view.watch.given_up.is_some() => trouble::out_of_time(view, Duration::ZERO)
            .map(|late| Next::Done(Outcome::Stuck(late.cause))),
        true => trouble::trouble(view).map(Next::TurnBack).or_else(|| drifted(view)),
        false if view.watch.given_up.is_some() => {
            let heading = Heading::Forward;
            write(Record { heading, held: None, ..view.writing(100) })
        }
        false if view.green_is_whole() => overdue(view).or_else(|| drifted(view)),
        false => overdue(view),
    }
}

/// Whether no target of the side with the traffic gets requests, though the rules, as they were read last, say so.
fn has_unused_targets(view: &View<'_>) -> bool {
    let side = if view.green_has_traffic() { view.green() } else { view.blue() };
    let groups = side.into_iter().flat_map(Service::groups);
    let targets: Vec<&Target> =
        groups.filter_map(|group| view.world.targets(group)).flatten().collect();
    !targets.is_empty() && targets.iter().all(|target| target.state == "unused")
}

/// One service of the pair is not there. Users are not left on it while the other one can answer.
fn a_service_is_gone(view: &View<'_>, seen: Seen) -> Option<Next> {
    let record = view.record;
    let [blue, green] = [&record.blue, &record.green].map(|name| view.is_gone(name));
    let name = if blue { &record.blue } else { &record.green };
    let status = match view.world.service(name) {
        Some(service) if blue || green => Some(service.status.clone()),
        _ => None,
    };
    let service = name.clone();
    if !seen.lasts(view.now()) {
        let why = WaitReason::SecondLook(Sight::ServiceGone { service, status });
        return Some(Next::Wait(Wait { why, look_in: SPARSE, look: Look::Whole }));
    }
    let cause = Cause::ServiceGone { service, status };
    match (blue, record.forward()) {
        (true, _) if green => stuck(cause),
        (true, _) => without_blue(view, cause),
        (false, true) if view.blue().is_some_and(|blue| blue.desired > 0) => {
            Some(Next::TurnBack(Trouble { reason: Reason::Gone, cause }))
        }
        (false, false) if view.blue().is_some_and(|blue| blue.desired > 0) => overdue(view),
        (false, _) => stuck(cause),
    }
}

/// Blue is gone: there is nowhere to go back to. Where green can answer, it gets all the traffic at once,
/// and the deployment ends there.
fn without_blue(view: &View<'_>, gone: Cause) -> Option<Next> {
    let (record, green) = (view.record, view.green()?);
    if let Some(other) = superseded(view) {
        return Some(Next::Done(Outcome::Superseded(other)));
    }
    let serves = view.world.healthy(green).is_some_and(|healthy| healthy > 0);
    if !serves && (!record.forward() || trouble::out_of_time(view, Duration::ZERO).is_some()) {
        return stuck(gone);
    }
    if !serves || (record.forward() && record.to == Some(100)) {
        return None;
    }
    let heading = Heading::Forward;
    write(Record { heading, held: None, ..view.writing(100) })
}

/// Blue has no healthy target and green has some: all the traffic goes to green at once, whatever the
/// heading and the hold. On the way back it returns as soon as blue can take it.
fn only_green_serves(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let blue_has_traffic = !view.all_read(100);
    if !view.only_serves(Side::Green) || !blue_has_traffic || view.ours().is_none() {
        return None;
    }
    // Nothing was meant for green yet, and it is not proved to be good.
    if record.forward() && record.to.is_none() && !view.settled() {
        return None;
    }
    if record.to != Some(100) {
        return write(Record { held: None, ..view.writing(100) });
    }
    let rule = view.not_reading(100).into_iter().next()?;
    weigh(view, rule, 100)
}

/// Somebody other than ECS put green on a revision that is neither ours nor the one it had.
pub(super) fn superseded(view: &View<'_>) -> Option<Cause> {
    let (record, green) = (view.record, view.green()?);
    let primary = green.primary()?;
    let known = primary.revision == record.revision || view.green_was_put_back();
    let (service, revision) = (green.name.clone(), short(&primary.revision).to_owned());
    (!known).then_some(Cause::RevisionChanged { service, revision })
}

/// A rule shows what we neither held nor were writing. One look is no knowledge: AWS may answer with
/// the past. After two, weights on a side that can serve are left alone for a person to judge;
/// weights on a side that cannot are put right.
fn drifted(view: &View<'_>) -> Option<Next> {
    let drift = view.drift()?;
    let (since, looks) = view.watch.drift?;
    let (rule, shown) = match drift {
        Drift::Rule(rule, shown) => (rule, shown),
        Drift::Third(rule) => {
            let sight = Sight::ThirdGroup { rule: rule.name.clone() };
            if looks < 2 || view.since(since) < SPARSE {
                let why = WaitReason::SecondLook(sight);
                return Some(Next::Wait(Wait { why, look_in: SPARSE, look: Look::Whole }));
            }
            return Some(Next::Done(Outcome::Drifted(sight)));
        }
        Drift::NoRule => {
            let sight = Sight::NoRule { service: view.record.blue.clone() };
            if looks < 2 || view.since(since) < SPARSE {
                let why = WaitReason::SecondLook(sight);
                return Some(Next::Wait(Wait { why, look_in: SPARSE, look: Look::Listing }));
            }
            return Some(Next::Done(Outcome::Drifted(sight)));
        }
    };
    let service = view.record.green.clone();
    let sight = Sight::Rule { rule: rule.name.clone(), per_mille: shown, service };
    if looks < 2 || view.since(since) < SPARSE {
        let why = WaitReason::SecondLook(sight);
        return Some(Next::Wait(Wait { why, look_in: SPARSE, look: Look::Whole }));
    }
    let serves = |service: &Service| view.world.healthy(service).is_some_and(|healthy| healthy > 0);
    let (blue, green) = (view.blue()?, view.green()?);
    let heavy = if shown.unwrap_or(0) > 0 { green } else { blue };
    if shown.is_none() || !serves(heavy) {
        // What was held last, where that side can serve; else the other end.
        let held = view.record.held.filter(|_| view.record.forward()).map_or(0, |held| held.share);
        let share = match (serves(blue), serves(green)) {
            (false, true) => 100,
            (true, false) => 0,
            _ => held,
        };
        return weigh(view, rule, share);
    }
    Some(Next::Done(Outcome::Drifted(sight)))
}

/// Why a rollback that a person asked for is given up: the side that is to take over does not come up, and the other
/// one has all the traffic and is whole. Checks that judge that side say nothing about a rollback.
pub fn given_up(view: &View<'_>) -> Option<Cause> {
    let record = view.record;
    let asked = record.heading == Heading::Back(Reason::Asked) && record.twin().is_some();
    let (blue, green) = (view.blue().filter(|_| asked && record.judges.is_none())?, view.green()?);
    // Where it went forth and back, what was written last tells.
    let has_all = view.all_read(100) || record.to == Some(100);
    let serves = has_all && green.desired > 0 && view.green_is_whole();
    let is_down = view.world.healthy(blue) == Some(0);
    // What failed there before is no reason not to try.
    let begin = view.watch.back_since?;
    let is_new = |one: &&TaskFailure| one.created.is_some_and(|at| at >= begin);
    let failures: Vec<_> = view.watch.old_failures.iter().filter(is_new).cloned().collect();
    // Where nothing ran there, the same end twice is no accident.
    let early = record.had.is_some_and(|had| had.running == 0);
    let hopeless = || trouble::failing(&failures, blue, early, true);
    (serves && is_down).then(|| hopeless().or_else(|| late(view)))?
}

/// The way back has its bounds too.
fn overdue(view: &View<'_>) -> Option<Next> {
    late(view).map(|cause| Next::Done(Outcome::Stuck(cause)))
}

fn late(view: &View<'_>) -> Option<Cause> {
    let since = view.watch.back_since?;
    let record = view.record;
    let bound =
        record.timeout.saturating_add(record.follow).saturating_add(Duration::from_secs(600));
    let late = view.since(since) > bound || view.watch.changes > trouble::CHANGES_MAX;
    late.then(|| Cause::RollbackTooLong { lacks: view.blue_lacks() })
}

fn stuck(cause: Cause) -> Option<Next> {
    Some(Next::Done(Outcome::Stuck(cause)))
}

fn wait(why: WaitReason, look_in: Duration) -> Option<Next> {
    Some(Next::Wait(Wait { why, look_in, look: Look::Glance }))
}

fn act(action: Action) -> Option<Next> {
    Some(Next::Act(action))
}

fn write(record: Record) -> Option<Next> {
    act(Action::Write(Box::new(record)))
}

fn weigh(view: &View<'_>, rule: &Rule, percent: u8) -> Option<Next> {
    let actions = with_share(&rule.actions, &view.pairs(), percent);
    act(Action::Weigh { rule: rule.arn.clone(), actions })
}

/// Rules are found by listing, so an added rule of blue's is attached too.
fn attach(view: &View<'_>) -> Option<Next> {
    let pairs = view.pairs();
    let mut rules = view.rules().into_iter();
    let rule = rules.find(|rule| !green_stands(&rule.actions, &pairs))?;
    act(Action::Weigh { rule: rule.arn.clone(), actions: with_green(&rule.actions, &pairs) })
}

/// Never lowers green.
fn launch(view: &View<'_>) -> Option<Next> {
    let green = view.green()?;
    let count = view.need().max(green.desired);
    if view.watch.put_back_since.is_some() {
        // Whether ECS did that is found out before anything is done against it.
        let (service, revision) = (green.name.clone(), short(&green.revision).to_owned());
        return wait(WaitReason::SecondLook(Sight::OldRevision { service, revision }), SPARSE);
    }
    if green.revision != view.record.revision {
        let revision = view.record.revision.clone();
        return act(Action::Launch { service: green.name.clone(), revision, count });
    }
    (green.desired < count).then(|| Next::Act(Action::Count { service: green.name.clone(), count }))
}

fn settle(view: &View<'_>) -> Option<Next> {
    let lacks = view.unsettled()?;
    // Dense once the tasks run and only the load balancer's word is missing.
    let waited = view.watch.running_since.map(|since| view.since(since));
    let look_in = match waited {
        Some(waited) if waited < SPARSE => SECOND,
        Some(waited) if waited < DENSE_FOR => 2 * SECOND,
        _ => SPARSE,
    };
    wait(lacks, look_in)
}

/// Tests see green before users do, and in the end. Between, the rules for tests belong to the testers.
fn prove(view: &View<'_>) -> Option<Next> {
    if view.record.to.is_some_and(|to| (1..100).contains(&to)) {
        return None;
    }
    let pairs = view.pairs();
    let shows = |rule: &&Rule| green_per_mille(&rule.actions, &pairs) == Some(1000);
    let rule = view.test_rules().into_iter().find(|rule| !shows(rule))?;
    let actions = with_share(&with_green(&rule.actions, &pairs), &pairs, 100);
    act(Action::Weigh { rule: rule.arn.clone(), actions })
}

fn shift(view: &View<'_>) -> Option<Next> {
    let record = view.record;
    let Some(to) = record.to else {
        return write(view.writing(record.shares.first()?.percent));
    };
    if let Some(rule) = view.not_reading(to).first() {
        return weigh(view, rule, to);
    }
    let Some(held) = record.held.filter(|held| held.share == to) else {
        return write(view.holding(to));
    };
    if view.watch.gone.is_some() && to == 100 {
        return None;
    }
    let index = record.shares.iter().position(|share| share.percent == to)?;
    let next = record.shares.get(index + 1)?;
    let Share { hold, pause, .. } = record.shares[index];
    match left(view, held, hold) {
        Some(left) if pause => {
            let why = WaitReason::Pause {
                service: record.green.clone(),
                cluster: record.cluster.clone(),
                at: Pause::Share { share: to },
                ours: true,
                expires: held.since.max(view.watch.start).checked_add(hold),
                rolls_back: true,
            };
            // `promote` writes it into the record: each look takes that in.
            Some(Next::Wait(Wait { why, look_in: left.min(WATCHFUL), look: Look::Whole }))
        }
        Some(left) => {
            let why = WaitReason::Hold { share: to, service: record.green.clone(), left };
            wait(why, left.min(WATCHFUL))
        }
        None if pause && record.promoted != Some(to) => {
            let cause = Cause::NotPromoted { share: to, limit: hold };
            Some(Next::TurnBack(Trouble { reason: Reason::Pause, cause }))
        }
        None => gates::hold(view, held, hold)
            .filter(|_| is_judged(view, to))
            .or_else(|| write(view.writing(next.percent))),
    }
}

fn bake(view: &View<'_>) -> Option<Next> {
    if view.watch.gone.is_some() || view.watch.given_up.is_some() {
        // There is no way back that a fault could be answered with.
        return None;
    }
    if let Some(next) = gates::alone(view) {
        return Some(next);
    }
    let (held, bake) = (view.record.held?, view.record.bake);
    let Some(left) = left(view, held, bake) else { return gates::hold(view, held, bake) };
    let service = view.record.green.clone();
    wait(WaitReason::Bake { service, left }, left.min(WATCHFUL))
}

/// Read-back is not what the load balancer's nodes do yet: 503s were seen where the old side was
/// scaled down right after its weight was 0.
fn follow(view: &View<'_>) -> Option<Next> {
    view.record.to?;
    if view.record.forward() && view.record.keep_old {
        // Nothing is emptied.
        return None;
    }
    let since = view.record.held?.since;
    let left = view.record.follow.checked_sub(view.since(since)).filter(|left| !left.is_zero())?;
    let why = WaitReason::Propagation { left };
    // The last wait ends in the look that emptying the other side needs.
    let (look_in, look) = match left <= WATCHFUL + SECOND {
        true => (left, Look::Listing),
        false => (WATCHFUL, Look::Glance),
    };
    Some(Next::Wait(Wait { why, look_in, look }))
}

fn retire(view: &View<'_>) -> Option<Next> {
    let blue = view.blue().filter(|_| !view.record.keep_old)?;
    // What somebody else deployed there meanwhile is theirs.
    match trouble::blue_changed(view, blue) {
        Some(_) => None,
        None => empty(view, blue),
    }
}

fn revive(view: &View<'_>) -> Option<Next> {
    let (blue, green) = (view.blue()?, view.green()?);
    let need = view.capped(view.record.count.max(green.desired));
    if blue.desired < need {
        return act(Action::Count { service: blue.name.clone(), count: need });
    }
    if view.record.to.is_none() && !view.green_has_traffic() {
        // There is nothing to give back.
        return None;
    }
    let lacks = view.blue_lacks()?;
    if view.old_is_hopeless().is_some() && view.world.healthy(green) == Some(0) {
        // Neither side answers, and none will: the traffic goes where it was.
        return None;
    }
    let waited = view.watch.reviving_since.map_or(Duration::ZERO, |since| view.since(since));
    wait(lacks, if waited < DENSE_FOR { SECOND } else { SPARSE })
}

fn give_back(view: &View<'_>) -> Option<Next> {
    let Some(to) = view.record.to else {
        // None was meant for green; what it has all the same is taken back.
        return view
            .green_has_traffic()
            .then(|| Next::Act(Action::Write(Box::new(view.writing(0)))));
    };
    if to != 0 && !view.only_serves(Side::Green) {
        // It was given to green while blue could not take it.
        return write(view.writing(0));
    }
    if let Some(rule) = view.not_reading(to).first() {
        return weigh(view, rule, to);
    }
    match view.record.held.filter(|held| held.share == to) {
        Some(_) => None,
        None => write(view.holding(to)),
    }
}

fn clear(view: &View<'_>) -> Option<Next> {
    let green = view.green()?;
    empty(view, green)
}

fn recover(view: &View<'_>) -> Option<Next> {
    let blue = view.blue()?;
    let healthy = count(view.world.healthy(blue).unwrap_or(0));
    let (owed_running, wanted) = view.owed(blue.desired);
    if blue.running >= owed_running && healthy >= wanted {
        return None;
    }
    if view.old_is_hopeless().is_some() {
        return write(view.closed(End::Neither));
    }
    let service = blue.name.clone();
    wait(WaitReason::Targets { healthy, wanted, service }, SPARSE)
}

pub(super) fn explain(view: &View<'_>) -> Option<Next> {
    let unknown = view.old_never_ran() && !view.watch.old_explained;
    let why = WaitReason::OldTasks;
    unknown.then_some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Whole }))
}

/// The end that all traffic goes to: the side with healthy targets; where both have some, or neither has
/// any and the weights are split, the old one.
fn one_side(view: &View<'_>) -> Option<u8> {
    let healthy = |service: Option<&Service>| {
        service.is_some_and(|one| view.world.healthy(one).is_some_and(|healthy| healthy > 0))
    };
    match (healthy(view.blue()), healthy(view.green())) {
        (true, _) => Some(0),
        (false, true) => Some(100),
        (false, false) if view.all_read(0) || view.all_read(100) => None,
        (false, false) => Some(0),
    }
}

fn bring_to_one_side(view: &View<'_>) -> Option<Next> {
    let share = one_side(view)?;
    if view.record.to.is_none() && !view.green_has_traffic() {
        return None;
    }
    if view.record.to != Some(share) {
        return write(Record { held: None, ..view.writing(share) });
    }
    if let Some(rule) = view.not_reading(share).first() {
        return weigh(view, rule, share);
    }
    match view.record.held.filter(|held| held.share == share) {
        Some(_) => None,
        None => write(view.holding(share)),
    }
}

/// The next deployment begins with the side that has no traffic: not before the load balancer has
/// followed, unless nothing answers there.
fn follow_unless_dead(view: &View<'_>) -> Option<Next> {
    let idle = match view.record.held?.share {
        0 => view.green(),
        _ => view.blue(),
    };
    let is_dead = idle.is_none_or(|side| view.world.healthy(side) == Some(0));
    if is_dead { None } else { follow(view) }
}

/// A side wants no tasks; but not while any rule gives it weight.
fn empty(view: &View<'_>, service: &Service) -> Option<Next> {
    if service.desired == 0 {
        return None;
    }
    // A rule for tests may lead to an emptied green; no rule may lead to an emptied blue.
    let is_green = service.name == view.record.green;
    let tests = &view.record.test_rules;
    let counts = |rule: &&Rule| !is_green || !tests.iter().any(|id| id == rule.id());
    let weighty = view.world.rules.values().filter(counts).find(|rule| {
        weights(&rule.actions).iter().any(|(group, weight)| {
            *weight > 0 && service.attachments.iter().any(|own| own.group == *group)
        })
    });
    match weighty {
        Some(rule) if view.is_listed() => {
            let (rule, service) = (rule.name.clone(), service.name.clone());
            stuck(Cause::StillHasTraffic { rule, service })
        }
        Some(_) => {
            let why = WaitReason::Rules { service: service.name.clone() };
            Some(Next::Wait(Wait { why, look_in: Duration::ZERO, look: Look::Listing }))
        }
        None => act(Action::Count { service: service.name.clone(), count: 0 }),
    }
}

/// What is left of a hold, unless somebody promoted it.
fn left(view: &View<'_>, held: Held, hold: Duration) -> Option<Duration> {
    if view.record.promoted == Some(held.share) {
        return None;
    }
    hold.checked_sub(view.watched_since(held.since)).filter(|left| !left.is_zero())
}
