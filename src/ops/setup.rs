//! Makes a service ready for ECS's own blue/green, or undoes that: each turn reads what is there and takes
//! the first step that is left.

use std::time::Duration;

use super::ended::{end, nothing};
use crate::aws::{Pair, Reads};
use crate::call::Call;
use crate::drive::Setting;
use crate::drive::backoff::SILENCE;
use crate::drive::interrupt::{asked as interrupted, or_interrupted};
use crate::error::{Failure, FailureKind};
use crate::event::{
    Cause, Change, Ended, Ending, Error, Event, Fault, Hint, Interruption, Kind, LeftBehind,
    Nothing, Refusal, Then, WaitReason, Warning, Weight,
};
use crate::model::arn::short;
use crate::model::ecs_reason::EcsReason;
use crate::model::health::obstacle;
use crate::model::reads::Part;
use crate::model::rule::weights;
use crate::model::world::{Look, Rule, Service, Told};
use crate::plan::setup::{self, PairStep, Seen, Step, is_settled};
use crate::request::setup::Setup;
use crate::request::strategy::Strategy;
use crate::route::Action;
use crate::route::native::traffic;

/// Between two looks at the tasks.
const LOOK: Duration = Duration::from_secs(5);
/// For so long a role that was made a moment ago may be unknown to ECS.
const ROLE: Duration = Duration::from_secs(60);
/// So many reads or changes in a row may fail, or not show.
const FAILURES: u32 = 6;

/// What is there, and what would be done.
pub async fn plan(asked: &Setup, setting: &Setting<'_>) -> Result<(Seen, Vec<Step>), Error> {
    let seen = or_interrupted(&setting.interrupts, setting.aws.setup_seen(asked)).await?;
    setup::check(asked, &seen)?;
    let steps = setup::steps(asked, &seen);
    Ok((seen, steps))
}

/// Takes the steps that are left.
pub async fn run(
    asked: &Setup,
    setting: &Setting<'_>,
    emit: &mut dyn FnMut(Event),
) -> Result<Ended, Error> {
    let (seen, steps) = plan(asked, setting).await?;
    setting.tell(emit, Kind::Location(seen.survey.location()));
    if steps.is_empty() {
        let service = asked.service.clone();
        let why = match asked.undo {
            true => Nothing::NotSetUp { service },
            false => Nothing::SetUpAlready { service },
        };
        return Ok(nothing(setting, why, emit));
    }
    if !asked.undo {
        for warning in setup::notes(asked, &seen) {
            setting.tell(emit, Kind::Warning(warning));
        }
    }
    let role = setup::service(&seen).and_then(role_of);
    let mut run =
        Run { asked, setting, emit, seen, changes: vec![], touched: false, ours: None, role };
    match run.finish().await {
        Ok(()) => Ok(run.done()),
        Err(Cause::Aws(failure)) if !run.touched => Err(failure.into()),
        Err(Cause::Interrupted) if !run.touched => {
            let code = if *setting.interrupts.borrow() > 1 { 130 } else { 3 };
            Err(Error::Interrupted(Interruption { code, left: LeftBehind::Nothing }))
        }
        Err(why) => Ok(run.unfinished(why)),
    }
}

struct Run<'a, 'b> {
    asked: &'a Setup,
    setting: &'a Setting<'b>,
    emit: &'a mut dyn FnMut(Event),
    seen: Seen,
    /// What AWS accepted.
    changes: Vec<Change>,
    /// Something was changed, or may have been.
    touched: bool,
    /// The id of the deployment that replaces the tasks.
    ours: Option<String>,
    /// The name of the role that the service had at the start.
    role: Option<String>,
}

impl Run<'_, '_> {
    async fn finish(&mut self) -> Result<(), Cause> {
        let (mut last, mut missed, mut failed) = (None, 0, 0);
        while let Some(step) = setup::steps(self.asked, &self.seen).into_iter().next() {
            if *self.setting.interrupts.borrow() > 0 {
                return Err(Cause::Interrupted);
            }
            if step == Step::Settle {
                self.settle().await?;
                self.read().await?;
                continue;
            }
            if last.as_ref() == Some(&step) {
                // AWS may answer with the past. Give it time.
                missed += 1;
                if missed > FAILURES {
                    let timeout = Duration::from_secs((1 << missed) - 2);
                    return Err(Cause::NoProgress { timeout, lacks: None, task: None });
                }
                self.sleep(Duration::from_secs(1 << missed)).await?;
                self.read().await?;
                continue;
            }
            let change = self.change(&step);
            match self.send(&step).await {
                Ok(()) => {
                    (failed, missed) = (0, 0);
                    self.touched = true;
                    self.made(&step, change);
                    last = Some(step);
                    self.read().await?;
                }
                Err(failure) if (failure.passes() || is_behind(&failure)) && failed < FAILURES => {
                    failed += 1;
                    let is_ours = !is_behind(&failure);
                    self.touched |= !failure.did_not_happen();
                    let then = Then::LooksAgain;
                    self.tell(Kind::Warning(Warning::CallFailed { failure, then }));
                    self.sleep(Duration::from_secs(1 << failed)).await?;
                    self.read().await?;
                    // It may have taken effect.
                    let next = setup::steps(self.asked, &self.seen).into_iter().next();
                    if next.as_ref() != Some(&step) && is_ours {
                        self.touched = true;
                        self.made(&step, change);
                    }
                }
                Err(_) if *self.setting.interrupts.borrow() > 0 => return Err(Cause::Interrupted),
                Err(failure) if self.touched && is_unknown_role(&failure) => {
                    let (role, message) = (self.role_for(&step), failure.message);
                    return Err(Cause::RoleNotAssumable { role, waited: ROLE, message });
                }
                Err(failure) => return Err(Cause::Aws(failure)),
            }
        }
        Ok(())
    }

    /// The name of the role that a step tells ECS of.
    fn role_for(&self, step: &Step) -> String {
        let Step::Advance { load_balancers } = step else { return String::new() };
        let arn = load_balancers[0]["advancedConfiguration"]["roleArn"].as_str();
        arn.map(short).unwrap_or_default().to_owned()
    }

    fn tell(&mut self, kind: Kind) {
        self.setting.tell(self.emit, kind);
    }

    fn made(&mut self, step: &Step, change: Option<Change>) {
        let Some(change) = change else { return };
        self.changes.push(change.clone());
        self.tell(Kind::Changed { step: name(step), change });
    }

    /// Reads everything again. What was not in the way before the first change may be now.
    async fn read(&mut self) -> Result<(), Cause> {
        let mut failed = 0;
        loop {
            match self.setting.aws.setup_seen(self.asked).await {
                Ok(seen) => {
                    self.seen = seen;
                    let checked = setup::check(self.asked, &self.seen);
                    return checked.map_err(in_the_way);
                }
                Err(failure) if failure.passes_while_driving() && failed < FAILURES => {
                    failed += 1;
                    self.sleep(Duration::from_secs(1 << failed)).await?;
                }
                Err(failure) => return Err(Cause::Aws(failure)),
            }
        }
    }

    /// Lets time pass, unless the user asks us to stop.
    async fn sleep(&self, time: Duration) -> Result<(), Cause> {
        tokio::select! {
            biased;
            _ = interrupted(&self.setting.interrupts, 1) => Err(Cause::Interrupted),
            () = self.setting.clock.sleep(time) => Ok(()),
        }
    }

    async fn send(&mut self, step: &Step) -> Result<(), Failure> {
        let (aws, asked) = (self.setting.aws, self.asked);
        let (cluster, service) = (&asked.cluster, &asked.service);
        let pair = Pair { cluster: cluster.clone(), services: vec![service.clone()] };
        let world = &self.seen.survey.world;
        let told = match step {
            Step::CreateRole { role, trust } => {
                aws.create_role(role, trust).await.map(|()| Told::Nothing)
            }
            Step::AttachPolicy { role, policy } => {
                aws.attach_policy(role, policy).await.map(|()| Told::Nothing)
            }
            Step::CreateRule { rule, listener, parameters, tags, .. } => {
                aws.create_rule(rule, listener, parameters, tags).await.map(|()| Told::Nothing)
            }
            Step::DeleteRule { rule, arn } => {
                aws.delete_rule(rule, arn).await.map(|()| Told::Nothing)
            }
            Step::Create { group, parameters, tags, .. } => {
                aws.create_group(group, parameters, tags).await.map(|()| Told::Nothing)
            }
            Step::Attributes { arn, attributes, .. } => {
                aws.set_attributes(arn, attributes).await.map(|()| Told::Nothing)
            }
            Step::Attach { rule, actions } | Step::Detach { rule, actions } => {
                let (rule, actions) = (rule.arn.clone(), actions.clone());
                aws.act(&pair, &Action::Weigh { rule, actions }, world).await
            }
            Step::Advance { load_balancers } => {
                let begin = self.setting.clock.elapsed();
                let mut told = false;
                loop {
                    let sent = aws.set_load_balancers(cluster, service, load_balancers).await;
                    let waits = self.setting.clock.elapsed() - begin < ROLE;
                    match sent {
                        Err(failure) if waits && is_unknown_role(&failure) => {
                            if !std::mem::replace(&mut told, true) {
                                let why = WaitReason::Role { role: self.role_for(step) };
                                let waiting = Kind::Waiting { step: name(step), why };
                                self.setting.tell(self.emit, waiting);
                            }
                            let stop = interrupted(&self.setting.interrupts, 1);
                            tokio::select! {
                                biased;
                                _ = stop => break Err(failure),
                                () = self.setting.clock.sleep(LOOK) => {}
                            }
                        }
                        sent => break sent,
                    }
                }
            }
            Step::Retire { load_balancers } => {
                aws.set_load_balancers(cluster, service, load_balancers).await
            }
            Step::Strategy { configuration, .. } => {
                let (service, configuration) = (service.clone(), configuration.clone());
                let configure = Action::Configure { service, configuration };
                aws.act(&pair, &configure, world).await
            }
            Step::Delete { arn, .. } => aws.delete_group(arn).await.map(|()| Told::Nothing),
            // A pair is printed only: the request says so.
            Step::Pair(_) | Step::Settle => Ok(Told::Nothing),
        }?;
        let survey = &mut self.seen.survey;
        survey.world = survey.world.clone().told(told);
        if matches!(step, Step::Advance { .. } | Step::Retire { .. }) {
            self.ours = primary(self.seen.survey.world.service(service));
        }
        Ok(())
    }

    /// What a step changes, as a fact.
    fn change(&self, step: &Step) -> Option<Change> {
        let service = self.asked.service.clone();
        let second = self.seen.second.as_ref().map(|group| group.name.clone()).unwrap_or_default();
        Some(match step {
            Step::CreateRole { role, .. } => Change::RoleCreated { role: role.clone() },
            Step::AttachPolicy { role, policy } => {
                Change::PolicyAttached { role: role.clone(), policy: short(policy).to_owned() }
            }
            Step::CreateRule { rule, of, header, .. } => Change::TestRuleCreated {
                rule: rule.clone(),
                of: of.clone(),
                header: header.to_string(),
            },
            Step::DeleteRule { rule, .. } => Change::TestRuleDeleted { rule: rule.clone() },
            Step::Create { group, base, .. } => {
                Change::GroupCreated { group: group.clone(), base: base.clone() }
            }
            Step::Attributes { group, attributes, .. } => {
                Change::GroupAttributes { group: group.clone(), count: attributes.len() }
            }
            Step::Attach { rule, actions } | Step::Detach { rule, actions } => {
                self.weighed(rule, actions)
            }
            Step::Advance { .. } => {
                let rule = setup::production(self.asked, &self.seen).ok();
                let rule = rule.map(|rule| rule.name.clone()).unwrap_or_default();
                Change::TrafficShiftPrepared { service, group: second, rule }
            }
            Step::Retire { .. } => Change::TrafficShiftRemoved { service },
            Step::Strategy { strategy, bake, .. } => {
                Change::StrategySet { service, strategy: strategy.name(), bake_minutes: *bake }
            }
            Step::Delete { group, .. } => Change::GroupDeleted { group: group.clone() },
            Step::Pair(_) | Step::Settle => return None,
        })
    }

    fn weighed(&self, rule: &Rule, actions: &[(String, String)]) -> Change {
        let groups = [&self.seen.first, &self.seen.second];
        let name = |arn: &str| {
            let known = groups.into_iter().flatten().find(|group| group.arn == arn);
            known.map_or_else(|| arn.to_owned(), |group| group.name.clone())
        };
        let weights = weights(actions).into_iter();
        let weights = weights.map(|(arn, weight)| Weight { group: name(&arn), weight }).collect();
        Change::Weights { rule: rule.name.clone(), weights }
    }

    /// Waits until ECS has replaced the tasks.
    async fn settle(&mut self) -> Result<(), Cause> {
        let clock = self.setting.clock;
        let (mut best, mut since) = ((0, usize::MAX), clock.elapsed());
        let mut told: Option<(WaitReason, Duration)> = None;
        let mut failed = 0;
        loop {
            let world = &self.seen.survey.world;
            let Some(service) = world.service(&self.asked.service) else {
                return Err(Cause::ServiceGone {
                    service: self.asked.service.clone(),
                    status: None,
                });
            };
            if is_settled(service) {
                return Ok(());
            }
            let ours = self.ours.clone().or_else(|| primary(Some(service)));
            let own = service.deployments.iter().find(|one| Some(&one.id) == ours.as_ref());
            let own = own.filter(|one| one.status == "PRIMARY");
            let Some(own) = own.filter(|one| one.rollout.as_deref() != Some("FAILED")) else {
                return Err(lost(service, ours.as_deref()));
            };
            let lacks = match own.running < own.desired {
                true => {
                    let obstacle = obstacle(service, own.created);
                    WaitReason::tasks(own.running, own.desired, own.pending, obstacle)
                }
                false => WaitReason::Completion {
                    service: service.name.clone(),
                    may_roll_back: service.ecs_rolls_back,
                },
            };
            let now = (own.running, service.deployments.len());
            if now.0 > best.0 || now.1 < best.1 {
                (best, since) = ((now.0.max(best.0), now.1.min(best.1)), clock.elapsed());
            }
            self.ours = ours;
            let timeout = self.asked.timeout;
            if clock.elapsed() - since >= timeout {
                return Err(Cause::NoProgress { timeout, lacks: Some(lacks), task: None });
            }
            let is_told = told
                .as_ref()
                .is_some_and(|(why, at)| *why == lacks && clock.elapsed() - *at < SILENCE);
            if !is_told {
                told = Some((lacks.clone(), clock.elapsed()));
                self.tell(Kind::Waiting { step: name(&Step::Settle), why: lacks });
            }
            self.sleep(LOOK).await?;
            let (cluster, services) =
                (self.asked.cluster.clone(), vec![self.asked.service.clone()]);
            let pair = Pair { cluster, services };
            let before = &self.seen.survey.world;
            let reads = Reads::of(Look::Glance, [Part::Services]);
            let looked = self.setting.aws.look(&pair, &reads, before).await;
            match looked {
                Ok(world) => {
                    failed = 0;
                    self.seen.survey.world = world;
                }
                Err(failure) if failure.passes_while_driving() && failed < FAILURES => failed += 1,
                Err(failure) => return Err(Cause::Aws(failure)),
            }
        }
    }

    fn done(self) -> Ended {
        let (asked, world) = (self.asked, &self.seen.survey.world);
        let service = asked.service.clone();
        let own = world.service(&service);
        let settings = own.and_then(|own| own.settings.get("deploymentConfiguration"));
        let strategy = settings.and_then(crate::route::configuration::strategy);
        let ending = match asked.undo {
            true => Ending::SetUpUndone { service, role: self.role.clone() },
            false => {
                Ending::SetUp { service, strategy: strategy.unwrap_or(Strategy::BlueGreen).name() }
            }
        };
        let command = |verb| Some(Hint::new(verb, &asked.cluster, &asked.service));
        let (hint, undo) = match asked.undo {
            true => (None, None),
            false => (command("deploy"), command("setup --undo")),
        };
        let serves = own.map(|own| traffic(world, own)).unwrap_or_default();
        let api_calls = self.setting.aws.calls();
        let ended = Ended { ending, serves, hint, undo, api_calls, ..Ended::default() };
        end(self.setting, ended, self.emit)
    }

    fn unfinished(self, why: Cause) -> Ended {
        let interrupted = why == Cause::Interrupted;
        let exit_code = if interrupted && *self.setting.interrupts.borrow() > 1 { 130 } else { 4 };
        let ended = Ended {
            ending: Ending::SetUpUnfinished {
                service: self.asked.service.clone(),
                changes: self.changes,
            },
            exit_code,
            interrupted,
            why: Some(why),
            api_calls: self.setting.aws.calls(),
            ..Ended::default()
        };
        end(self.setting, ended, self.emit)
    }
}

fn in_the_way(refusal: Refusal) -> Cause {
    Cause::InTheWay { error: Fault::from(&refusal) }
}

/// Why the deployment that replaces the tasks is not ECS's aim any more.
fn lost(service: &Service, ours: Option<&str>) -> Cause {
    let own = service.deployments.iter().find(|one| Some(one.id.as_str()) == ours);
    let name = service.name.clone();
    match own.filter(|one| one.rollout.as_deref() == Some("FAILED")) {
        Some(own) => {
            let reason = own.reason.clone();
            let meaning = reason.as_deref().and_then(EcsReason::of);
            Cause::EcsFailed { service: name, reason, meaning, alarms: vec![], task: None }
        }
        None => Cause::OldSideChanged { service: name, revision: None },
    }
}

fn primary(service: Option<&Service>) -> Option<String> {
    Some(service?.primary()?.id.clone())
}

/// The name of the role by which ECS changes the rules of a service.
fn role_of(service: &Service) -> Option<String> {
    let list = service.settings.get("loadBalancers")?;
    Some(short(list[0]["advancedConfiguration"]["roleArn"].as_str()?).to_owned())
}

/// IAM answers from the past: a role that was made a moment ago is there and not there.
fn is_behind(failure: &Failure) -> bool {
    match failure.call {
        Some(Call::CreateRole) => failure.code == "EntityAlreadyExists",
        Some(Call::AttachRolePolicy) => failure.code == "NoSuchEntity",
        _ => false,
    }
}

/// ECS does not know a role yet that was made a moment ago.
fn is_unknown_role(failure: &Failure) -> bool {
    failure.call == Some(Call::UpdateService)
        && failure.kind == FailureKind::Refused
        && failure.message.to_lowercase().contains("assume")
}

/// A step's name.
pub fn name(step: &Step) -> &'static str {
    match step {
        Step::Pair(PairStep::Scale { .. } | PairStep::Policy { .. }) => "scaling",
        Step::Pair(PairStep::Create { .. } | PairStep::Tag { .. }) => "service",
        Step::CreateRole { .. } | Step::AttachPolicy { .. } => "role",
        Step::Create { .. } | Step::Attributes { .. } | Step::Delete { .. } => "group",
        Step::CreateRule { .. }
        | Step::DeleteRule { .. }
        | Step::Attach { .. }
        | Step::Detach { .. } => "rule",
        Step::Advance { .. } | Step::Retire { .. } => "service",
        Step::Settle => "settle",
        Step::Strategy { .. } => "strategy",
    }
}
