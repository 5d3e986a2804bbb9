//! What a step sees: roles and quantities as functions of record, watch and world. Decides nothing.

use std::time::{Duration, SystemTime};

use super::configuration::after_deployment;
use super::engine::{Engine, Occasion, engine};
use super::scaling;
use super::trouble::failing;
use crate::event::{Cause, Sight, WaitReason};
use crate::model::arn::short;
use crate::model::health::{NotInUse, TaskFailure, not_in_use};
use crate::model::reads::Part;
use crate::model::rule::{GroupPair, green_per_mille, holds};
use crate::model::world::{Attachment, Deployment, Rule, Service, ServiceEvent, Target, World};
use crate::record::{Closed, End, Held, Native, Record};
use crate::route::watch::{Side, Watch};

/// What was listed longer ago is listed anew before a side is emptied.
const LISTED_FOR: Duration = Duration::from_secs(10);

/// Everything that a decision may depend on.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What is to be.
    pub record: &'a Record,
    /// What this process has seen.
    pub watch: &'a Watch,
    /// What is.
    pub world: &'a World,
}

/// The groups of two services that belong together: the same container and port; where a service has
/// several of these, also the same load balancer and protocol. What is not certain is not paired.
pub fn group_pairs(world: &World, blue: &Service, green: &Service) -> Vec<GroupPair> {
    let place =
        |arn: &String| world.groups.get(arn).map(|group| (&group.load_balancers, &group.protocol));
    let partner = |own: &Attachment| {
        let same = |other: &&Attachment| other.container == own.container && other.port == own.port;
        let mut found: Vec<&Attachment> = green.attachments.iter().filter(same).collect();
        if found.len() > 1 {
            found.retain(|other| place(&other.group) == place(&own.group));
        }
        match found[..] {
            [one] => Some(one.group.clone()),
            _ => None,
        }
    };
    blue.attachments
        .iter()
        .filter_map(|own| Some(GroupPair { blue: own.group.clone(), green: partner(own)? }))
        .collect()
}

/// The rules that are shifted: those that hold a group of blue's. A rule that holds green's group and not
/// blue's is somebody else's.
pub fn shifted<'a>(world: &'a World, pairs: &[GroupPair]) -> impl Iterator<Item = &'a Rule> {
    // Without a pair nothing tells them apart.
    let ours = move |rule: &&Rule| {
        pairs.is_empty() || holds(&rule.actions, pairs.iter().map(|pair| pair.blue.as_str()))
    };
    world.rules.values().filter(ours)
}

/// The pairs of a service whose other half is not there any more: the group beside each of its own, where
/// that is certain.
fn partners(world: &World, service: &Service) -> Vec<(String, String)> {
    let beside = |own: &Attachment| {
        let lists = world.rules.values().map(Rule::weights);
        let mut others: Vec<String> = lists
            .filter(|list| list.len() == 2 && list.iter().any(|(group, _)| *group == own.group))
            .flatten()
            .map(|(group, _)| group)
            .filter(|group| *group != own.group)
            .collect();
        others.sort();
        others.dedup();
        match &others[..] {
            [other] => Some((own.group.clone(), other.clone())),
            _ => None,
        }
    };
    service.attachments.iter().filter_map(beside).collect()
}

/// As AWS counts tasks and targets.
pub(super) fn count(all: usize) -> u32 {
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// A rule that shows neither what was held nor what is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift<'a> {
    /// This one gives green so much, in per mille; `None`: neither side has any weight.
    Rule(&'a Rule, Option<u32>),
    /// No rule forwards to blue's groups any more.
    NoRule,
    /// This one gives traffic to a group of neither side.
    Third(&'a Rule),
}

impl<'a> View<'a> {
    /// The rules that show what share green has: on the way forward those that users come through. On the
    /// way back the ones for tests go to blue as well.
    pub fn rules(&self) -> Vec<&'a Rule> {
        let forward = self.record.forward();
        let mut rules: Vec<&Rule> = shifted(self.world, &self.pairs()).collect();
        rules.retain(|rule| !forward || !self.is_for_tests(rule));
        // Users come first.
        rules.sort_by_key(|rule| self.is_for_tests(rule));
        rules
    }

    /// The rules that show green to tests, also those that hold no group of blue's.
    pub fn test_rules(&self) -> Vec<&'a Rule> {
        self.world.rules.values().filter(|rule| self.is_for_tests(rule)).collect()
    }

    /// Whether users do not come through a rule.
    fn is_for_tests(&self, rule: &Rule) -> bool {
        self.record.test_rules.iter().any(|id| id == rule.id())
    }

    /// The service that served when it began.
    pub fn blue(&self) -> Option<&'a Service> {
        self.world.service(&self.record.blue)
    }

    /// The service that the new revision comes up in.
    pub fn green(&self) -> Option<&'a Service> {
        self.world.service(&self.record.green)
    }

    /// Green's deployment of our revision, while ECS works towards it.
    pub fn ours(&self) -> Option<&'a Deployment> {
        self.green()?.primary().filter(|primary| self.is_ours(primary))
    }

    /// Whether a deployment of green is the one that we asked for.
    pub fn is_ours(&self, deployment: &Deployment) -> bool {
        deployment.revision == self.record.revision
            && !(self.record.is_restart() && self.watch.before.contains(&deployment.id))
    }

    /// Whether green's service is on the revision that it had before ours, or on the one that ECS went
    /// back to: the last that it saw complete, which may be an earlier one.
    pub fn green_was_put_back(&self) -> bool {
        let Some(primary) = self.green().and_then(Service::primary) else { return false };
        primary.revision != self.record.revision
            && (primary.revision == self.record.was || self.ecs_went_back())
    }

    /// Our deployment, when ECS says that it failed.
    pub fn failed(&self) -> Option<&'a Deployment> {
        let failed = |one: &&Deployment| one.rollout.as_deref() == Some("FAILED");
        self.green()?.deployments.iter().filter(failed).find(|one| self.is_ours(one))
    }

    /// Whether ECS says, of our deployment or in green's history since it began, that it gave one up.
    pub fn ecs_went_back(&self) -> bool {
        let told = |event: &ServiceEvent| {
            event.at >= self.record.start
                && (event.message.contains("deployment failed")
                    || event.message.contains("rolling back to"))
        };
        let history = self.green().is_some_and(|green| green.events.iter().any(told));
        history || self.failed().is_some()
    }

    /// Their target groups; one service alone is no pair.
    pub fn pairs(&self) -> Vec<GroupPair> {
        match (self.blue(), self.green()) {
            (Some(blue), Some(green)) if blue.arn != green.arn => {
                group_pairs(self.world, blue, green)
            }
            // One of two that was deleted meanwhile.
            (Some(_), None) | (None, Some(_)) if !self.watch.pairs.is_empty() => {
                self.watch.pairs.clone()
            }
            (Some(blue), None) => {
                let pairs = partners(self.world, blue).into_iter();
                pairs.map(|(blue, green)| GroupPair { blue, green }).collect()
            }
            (None, Some(green)) => {
                let pairs = partners(self.world, green).into_iter();
                pairs.map(|(green, blue)| GroupPair { blue, green }).collect()
            }
            _ => vec![],
        }
    }

    /// How far green has come: rises as long as things get better.
    pub fn progress(&self) -> usize {
        (self.engine().progress)(self)
    }

    /// The engine's row.
    pub fn engine(&self) -> &'static Engine {
        engine(self.record.engine())
    }

    /// Green's tasks as a look takes them in on the way forward: with the stopped ones where it is not known
    /// why they stopped.
    pub fn tasks_read(&self, occasion: &Occasion) -> Option<Part> {
        let read = if occasion.unexplained { Part::Stopped } else { Part::Tasks };
        self.record.forward().then(|| read(self.record.green.clone()))
    }

    /// Now, by AWS's clock.
    pub fn now(&self) -> SystemTime {
        self.world.at
    }

    /// The time since `then`; none when the clock says otherwise.
    pub fn since(&self, then: SystemTime) -> Duration {
        self.now().duration_since(then).unwrap_or_default()
    }

    /// The time since `then` during which this process watched.
    pub fn watched_since(&self, then: SystemTime) -> Duration {
        self.since(then.max(self.watch.start))
    }

    /// Tasks that green must have: never fewer than when it began, nor than blue wants while blue
    /// carries traffic.
    pub fn need(&self) -> u32 {
        let blue = self.blue().filter(|_| !self.all_read(100)).map_or(0, |blue| blue.desired);
        self.capped(self.record.count.max(blue))
    }

    /// So many tasks, unless auto scaling would take some of them away again.
    pub fn capped(&self, tasks: u32) -> u32 {
        scaling::most(self).map_or(tasks, |most| tasks.min(most))
    }

    /// Whether every rule was listed a moment ago.
    pub fn is_listed(&self) -> bool {
        let listed = self.world.answered.get(&Part::Listing);
        listed.is_some_and(|at| self.since(at.aws) < LISTED_FOR)
    }

    /// Rules that do not read `percent` for green.
    pub fn not_reading(&self, percent: u8) -> Vec<&'a Rule> {
        let pairs = self.pairs();
        let wanted = Some(u32::from(percent) * 10);
        let mut rules = self.rules();
        rules.retain(|rule| green_per_mille(&rule.actions, &pairs) != wanted);
        rules
    }

    /// Whether every rule was read to give green `percent`.
    pub fn all_read(&self, percent: u8) -> bool {
        self.world.unread.is_empty()
            && self.not_reading(percent).is_empty()
            && !self.rules().is_empty()
    }

    /// What the rules show that was neither held nor is being written. Only a rule that was read can tell.
    pub fn drift(&self) -> Option<Drift<'a>> {
        // The rules of one service are ECS's, or nobody's.
        self.record.twin()?;
        let pairs = self.pairs();
        let record = self.record;
        let mut expected = vec![record.held.map_or(0, |held| held.share), record.to.unwrap_or(0)];
        if !record.forward() && record.to.is_some() {
            // The share that was being written when it turned back is not in the record any more.
            expected.extend(record.shares.iter().map(|share| share.percent));
        }
        let expected: Vec<_> =
            expected.into_iter().map(|percent| Some(u32::from(percent) * 10)).collect();
        let mut rules =
            shifted(self.world, &pairs).filter(|rule| !self.is_for_tests(rule)).peekable();
        if rules.peek().is_none() && !pairs.is_empty() {
            return Some(Drift::NoRule);
        }
        let known =
            |group: &str| pairs.iter().any(|pair| pair.blue == group || pair.green == group);
        let third = |rule: &&Rule| {
            let mut weights = rule.weights().into_iter();
            !pairs.is_empty() && weights.any(|(group, weight)| weight > 0 && !known(&group))
        };
        let rules = rules.filter(|rule| !self.world.unread.contains(&rule.arn));
        let rules: Vec<&Rule> = rules.collect();
        if let Some(rule) = rules.iter().copied().find(|rule| third(rule)) {
            return Some(Drift::Third(rule));
        }
        rules
            .into_iter()
            .map(|rule| (rule, green_per_mille(&rule.actions, &pairs)))
            .find(|(rule, shown)| !expected.contains(shown) && !self.is_accepted(rule, *shown))
            .map(|(rule, shown)| Drift::Rule(rule, shown))
    }

    /// A service that stood in a target group, and is in none any more.
    pub fn detached(&self) -> Option<Sight> {
        let sides = [self.blue(), self.green()].into_iter().flatten();
        let mut sides = sides.filter(|side| side.attachments.is_empty());
        let side = sides.next().filter(|_| !self.world.groups.is_empty())?;
        Some(Sight::NoGroups { service: side.name.clone() })
    }

    /// Whether a rule shows what a person went on from, and no share was held since.
    fn is_accepted(&self, rule: &Rule, shown: Option<u32>) -> bool {
        self.record.held.is_none() && self.watch.accepted.get(&rule.arn) == Some(&shown)
    }

    /// Whether a rule gives green any weight.
    pub fn green_has_traffic(&self) -> bool {
        let pairs = self.pairs();
        let has = |rule: &Rule| green_per_mille(&rule.actions, &pairs).is_some_and(|part| part > 0);
        self.rules().into_iter().any(has)
    }

    /// Whether a service is not there any more, as far as one look can tell.
    pub fn is_gone(&self, name: &str) -> bool {
        self.world.service(name).is_none_or(|service| service.status != "ACTIVE")
    }

    /// Whether a side has no healthy target (or is not there) while the other one has some.
    pub fn dead_side(&self) -> Option<Side> {
        let healthy = |service: Option<&Service>| match service {
            Some(service) if service.status == "ACTIVE" => self.world.healthy(service),
            _ => Some(0),
        };
        match (healthy(self.blue())?, healthy(self.green())?) {
            (0, 1..) => Some(Side::Blue),
            (1.., 0) => Some(Side::Green),
            _ => None,
        }
    }

    /// Whether nobody but this side can answer, and that was seen twice.
    pub fn only_serves(&self, side: Side) -> bool {
        let dead = self.watch.dead.filter(|(dead, _)| *dead != side);
        dead.is_some_and(|(_, seen)| seen.lasts(self.now()))
    }

    /// Whether green has had all the traffic for the whole bake, watched or not, and no check judges it.
    pub fn is_baked(&self) -> bool {
        let held = self.record.held.filter(|held| held.share == 100);
        let baked = held.is_some_and(|held| self.since(held.since) >= self.record.bake);
        baked && self.record.judges.is_none() && self.all_read(100)
    }

    /// Whether green runs only our revision, whole and healthy, as far as this look can tell.
    pub fn settled(&self) -> bool {
        self.unsettled().is_none()
    }

    /// Whether tasks of another revision than ours still run in green; `None`: it is not on ours.
    pub fn others_leave(&self) -> Option<bool> {
        let (green, ours) = (self.green()?, self.ours()?);
        Some(
            green.deployments.len() > 1
                || green.pending > ours.pending
                || green.running > ours.running,
        )
    }

    /// What green still lacks.
    pub fn unsettled(&self) -> Option<WaitReason> {
        (self.engine().lacks)(self)
    }

    /// What green lacks of running only our revision, whole and healthy.
    pub(super) fn green_lacks(&self) -> Option<WaitReason> {
        let green = self.green()?;
        let need = self.need().max(green.desired);
        let service = green.name.clone();
        let Some(ours) = self.ours() else {
            let revision = self.record.name().to_owned();
            return Some(WaitReason::Revision { service, revision });
        };
        let Deployment { running, pending, .. } = *ours;
        if running < need || pending > 0 {
            return Some(WaitReason::tasks(running, need, pending, None));
        }
        if self.others_leave() == Some(true) {
            return Some(WaitReason::EarlierTasks { running: None, service });
        }
        if green.ecs_rolls_back && ours.rollout.as_deref() != Some("COMPLETED") {
            return Some(WaitReason::Completion { may_roll_back: true, service });
        }
        self.unhealthy(green, need)
    }

    fn unhealthy(&self, green: &Service, wanted: u32) -> Option<WaitReason> {
        for attachment in &green.attachments {
            let targets = self.world.targets(&attachment.group).unwrap_or_default();
            let healthy: Vec<&Target> =
                targets.iter().filter(|target| target.is_healthy()).collect();
            let is_foreign = |target: &&&Target| {
                self.world.runs(green, target, &self.record.revision) == Some(false)
            };
            if let Some(stranger) = healthy.iter().find(is_foreign) {
                return Some(WaitReason::ForeignTarget {
                    target: format!("{}:{}", stranger.id, stranger.port),
                    revision: self.record.name().to_owned(),
                });
            }
            let healthy = count(healthy.len());
            if healthy < wanted {
                let service = green.name.clone();
                return Some(WaitReason::Targets { healthy, wanted, service });
            }
        }
        None
    }

    /// Whether a target of green's is not healthy, or not in use: then its task is asked whose it is.
    pub fn has_sick_targets(&self) -> bool {
        let Some(green) = self.green() else { return false };
        let groups = green.attachments.iter().filter_map(|own| self.world.targets(&own.group));
        let is_sick = |target: &Target| {
            target.state.starts_with("unhealthy") || not_in_use(target) == Some(NotInUse::Zone)
        };
        self.ours().is_some() && groups.flatten().any(is_sick)
    }

    /// Whether something of green answers, as far as one look tells: a target that is healthy, or without a load
    /// balancer a task that runs.
    pub fn green_answers(&self) -> bool {
        self.green().is_some_and(|green| match green.attachments.is_empty() {
            true => green.running > 0,
            false => self.world.healthy(green).is_some_and(|healthy| healthy > 0),
        })
    }

    /// Whether every task that green wants is healthy.
    pub fn green_is_whole(&self) -> bool {
        let whole = |green: &Service| Some(self.world.healthy(green)? >= green.desired as usize);
        self.green().and_then(whole).unwrap_or(false)
    }

    /// Whether green has traffic and fewer healthy targets than its service is to have at least.
    pub fn green_is_short(&self) -> bool {
        let Some(green) = self.green().filter(|_| self.green_has_traffic()) else { return false };
        // Tasks that blue was scaled out by meanwhile have not been lost: they start.
        let best = count(self.watch.best.0).max(self.record.count);
        let need = u64::from(self.need().min(best));
        let least = (need * u64::from(green.min_healthy_percent)).div_ceil(100).max(1);
        self.world.healthy(green).is_some_and(|healthy| (healthy as u64) < least)
    }

    /// Running tasks and healthy targets that the way back has to restore of `wanted`: no more than the old
    /// side had when the deployment began. What was not known then counts as wanted.
    pub fn owed(&self, wanted: u32) -> (u32, u32) {
        let had = self.record.had;
        let running = had.map_or(wanted, |had| had.running.min(wanted));
        // No more targets were healthy than tasks ran.
        let healthy = had.map_or(wanted, |had| had.healthy.unwrap_or(had.running).min(wanted));
        (running, healthy)
    }

    /// Whether the old side ran nothing when the deployment began, and runs nothing now.
    pub fn old_never_ran(&self) -> bool {
        let runs = |side: &Service| {
            let old = side.deployments.iter().filter(|one| one.revision != self.record.revision);
            old.map(|one| one.running).sum::<u32>() > 0
        };
        let had = self.record.had.is_some_and(|had| had.running == 0);
        had && self.blue().is_some_and(|blue| blue.desired > 0 && !runs(blue))
    }

    /// Why the old side never gets whole again, where its own tasks say so.
    pub fn old_is_hopeless(&self) -> Option<Cause> {
        let blue = self.blue().filter(|_| !self.record.forward())?;
        let why = Some(Box::new(failing(&self.watch.old_failures, blue, false, true)?));
        let revision = short(&self.record.from).to_owned();
        Some(Cause::OldSideFails { revision, never_ran: false, why })
    }

    /// Why neither side serves.
    pub fn neither(&self) -> Cause {
        self.old_is_hopeless().unwrap_or_else(|| {
            let failures = &self.watch.old_failures;
            let of = |task: &TaskFailure| {
                let (count, task) = (count(failures.len()), task.clone());
                Box::new(Cause::Tasks { count, task, repeated: false, grace: None })
            };
            let revision = short(&self.record.from).to_owned();
            let why = failures.last().map(of);
            Cause::OldSideFails { revision, never_ran: true, why }
        })
    }

    /// Whether the way back waits for blue to have enough healthy targets.
    pub fn waits_for_blue(&self) -> bool {
        !self.record.forward() && self.blue_lacks().is_some()
    }

    /// What blue lacks to take the traffic back.
    pub fn blue_lacks(&self) -> Option<WaitReason> {
        let (blue, green) = (self.blue()?, self.green()?);
        let healthy = self.world.healthy(blue).unwrap_or(0);
        let green_healthy = self.world.healthy(green).unwrap_or(0);
        let need = u64::from(self.capped(self.record.count.max(green.desired)));
        let enough = (need * u64::from(blue.min_healthy_percent)).div_ceil(100).max(1) as usize;
        // Users must not sit on a sick green because blue lacks its tenth task.
        let waited = self
            .watch
            .reviving_since
            .is_some_and(|since| self.since(since) >= Duration::from_secs(30));
        let sick = green_healthy < green.desired as usize;
        // Nothing answered there before, and nothing answers here: there is nothing to wait for.
        if green_healthy == 0 && self.owed(u32::MAX).1 == 0 {
            return None;
        }
        // One that answers is better than none.
        let wanted = match green_healthy {
            0 => 1,
            _ if self.watch.now || waited && sick => 1,
            _ => enough
                .max(self.capped(count(green_healthy)) as usize)
                .min((self.owed(u32::MAX).1 as usize).max(1)),
        };
        let (service, healthy, lacking) = (blue.name.clone(), count(healthy), count(wanted));
        (healthy < lacking).then_some(WaitReason::Targets { healthy, wanted: lacking, service })
    }

    /// The record, closed now.
    pub fn closed(&self, end: End) -> Record {
        Record { closed: Some(Closed { end, at: self.now() }), ..self.without_settings(end) }
    }

    /// The record without what was written into the service's settings, where nothing of that is left there.
    pub fn without_settings(&self, end: End) -> Record {
        let record = self.record.clone();
        match self.record.native.as_ref().is_none_or(|native| self.has_left(native, end)) {
            true => record,
            false => record.tidied(),
        }
    }

    /// Whether something may be left in the service's settings that was for this deployment only.
    fn has_left(&self, native: &Native, end: End) -> bool {
        let settings = self.green().and_then(|own| own.settings.get("deploymentConfiguration"));
        settings.is_none_or(|own| after_deployment(own, native, end == End::Live).is_some())
    }

    /// The record with the share that is to be written next.
    pub fn writing(&self, percent: u8) -> Record {
        let blue = self.blue().map_or(0, |blue| blue.desired);
        Record { to: Some(percent), count: self.record.count.max(blue), ..self.record.clone() }
    }

    /// The record with the share that every rule was read to have. AWS's `Date` tells whole seconds:
    /// the change is certain to lie before the next one.
    pub fn holding(&self, percent: u8) -> Record {
        let since = self.now() + Duration::from_secs(1);
        Record { held: Some(Held { share: percent, since }), ..self.record.clone() }
    }
}
