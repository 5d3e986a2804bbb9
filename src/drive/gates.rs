//! Runs the gates beside the loop, while the new version has traffic. What one says ends the loop's wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::command::{self, Surroundings};
use super::{Run, Setting};
use crate::aws::{Visit, Visitor};
use crate::clock::Clock;
use crate::event::{Kind, Warning};
use crate::model::gate::{GateFault, Verdict};
use crate::request::gates::{ANSWER, Gate, Gates as Asked, UrlCheck};
use crate::route::engine;
use crate::route::gates::Gates;

/// A URL is asked again after this time.
const EVERY: Duration = Duration::from_secs(5);

/// Between two tries to connect before anything begins.
const AGAIN: Duration = Duration::from_secs(1);

/// So many wrong answers of a URL at one share fail the new version: a single one may be an
/// accident, and at a small share few of the answers are the new version's.
const WRONG_MAX: u32 = 3;

/// What a gate said.
pub(super) struct Said {
    gate: String,
    verdict: Verdict,
}

/// The gates that run now.
pub(super) struct Running {
    tasks: JoinSet<()>,
    /// Ends commands that run.
    stop: Arc<AtomicBool>,
    tell: UnboundedSender<Said>,
    pub(super) said: UnboundedReceiver<Said>,
}

impl Default for Running {
    fn default() -> Self {
        let (tell, said) = unbounded_channel();
        Self { tasks: JoinSet::new(), stop: Arc::default(), tell, said }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the route knows of these gates.
pub(super) fn known(gates: &Asked) -> Gates {
    let limit = |gate: &Gate| match gate {
        Gate::Url(_) => WRONG_MAX,
        Gate::Command { .. } => 1,
    };
    let limits = gates.named().into_iter().map(|(name, gate)| (name, limit(gate)));
    Gates::new(limits, gates.on_inconclusive)
}

/// Asks a URL once.
async fn ask(visitor: &Visitor, check: &UrlCheck, clock: Clock) -> Verdict {
    let begin = clock.elapsed();
    let Ok(visit) = tokio::time::timeout(ANSWER, visitor.get(&check.url)).await else {
        return Verdict::Fail(GateFault::NoAnswer { limit: ANSWER });
    };
    let took = clock.elapsed() - begin;
    match visit {
        Visit::Unreachable(reason) => Verdict::Inconclusive(GateFault::Unreachable { reason }),
        Visit::Answered { status, .. } if !check.statuses.contains(&status) => {
            Verdict::Fail(GateFault::Status { status })
        }
        Visit::Answered { body, .. }
            if check.body.as_ref().is_some_and(|text| !body.contains(text)) =>
        {
            Verdict::Fail(GateFault::Body)
        }
        Visit::Answered { .. } if check.latency.is_some_and(|limit| took > limit) => {
            Verdict::Fail(GateFault::Slow { took })
        }
        Visit::Answered { .. } => Verdict::Pass,
    }
}

/// The gates that cannot be asked at all: a URL without a connection, a program that is not there.
pub async fn unready(setting: &Setting<'_>, gates: &Asked) -> Vec<(String, GateFault)> {
    let unready = gates.named().into_iter().map(|(name, gate)| async move {
        let fault = match gate {
            Gate::Url(check) => connects(setting, check).await.err(),
            Gate::Command { words, .. } => command::is_there(words).err(),
        };
        fault.map(|fault| (name, fault))
    });
    join_all(unready).await.into_iter().flatten().collect()
}

/// Whether a URL answers anything, in one of three tries.
async fn connects(setting: &Setting<'_>, check: &UrlCheck) -> Result<(), GateFault> {
    let reason = || "there is no connection".to_owned();
    let mut last = GateFault::Unreachable { reason: reason() };
    let Some(visitor) = setting.aws.visitor() else { return Err(last) };
    for _ in 0..3 {
        match ask(&visitor, check, setting.clock).await {
            Verdict::Inconclusive(fault) => last = fault,
            Verdict::Pass | Verdict::Fail(_) => return Ok(()),
        }
        setting.clock.sleep(AGAIN).await;
    }
    Err(last)
}

impl Run<'_> {
    /// Starts the gates when the new version gets a share, stops them when it has none any more, and takes
    /// in what they said.
    pub(super) fn judge(&mut self) {
        if self.setting.gates.gates.is_empty() {
            return;
        }
        let judged = engine(self.record.engine()).judged;
        let share = if self.record.forward() { judged(&self.view()) } else { None };
        if self.watch.gates.judge(share) {
            self.gates = Running::default();
            if let Some(share) = share {
                self.start_gates(share);
            }
        }
        while let Ok(said) = self.gates.said.try_recv() {
            self.hear(said);
        }
    }

    fn start_gates(&mut self, share: u8) {
        let surroundings = Surroundings {
            cluster: self.record.cluster.clone(),
            service: self.record.green.clone(),
            deployment: self.record.name().to_owned(),
            share,
        };
        // Before the first user a URL is asked where tests see the new version.
        let entry = match share {
            0 => self.view().test_rules().iter().find_map(|rule| rule.entry),
            _ => None,
        };
        let running = &mut self.gates;
        for (name, gate) in self.setting.gates.named() {
            let (tell, clock) = (running.tell.clone(), self.setting.clock);
            let tell = move |verdict| tell.send(Said { gate: name.clone(), verdict });
            match gate.clone() {
                Gate::Url(check) => {
                    let Some(visitor) = self.setting.aws.visitor() else { continue };
                    let check =
                        entry.map_or(check.clone(), |entry| check.at(entry.port, entry.tls));
                    running.tasks.spawn(async move {
                        while tell(ask(&visitor, &check, clock).await).is_ok() {
                            clock.sleep(EVERY).await;
                        }
                    });
                }
                Gate::Command { words, timeout } => {
                    let (surroundings, stop) = (surroundings.clone(), Arc::clone(&running.stop));
                    running.tasks.spawn(async move {
                        loop {
                            let (words, surroundings) = (words.clone(), surroundings.clone());
                            let stop = Arc::clone(&stop);
                            // Simulated time stands still until the command has ended.
                            let run = move || command::run(&words, timeout, &surroundings, &stop);
                            let Ok(Some(verdict)) = tokio::task::spawn_blocking(run).await else {
                                return;
                            };
                            let again = matches!(verdict, Verdict::Inconclusive(_));
                            if tell(verdict).is_err() || !again {
                                return;
                            }
                            clock.sleep(EVERY).await;
                        }
                    });
                }
            }
        }
    }

    /// Takes in what a gate said, and warns at once of what is wrong.
    pub(super) fn hear(&mut self, said: Said) {
        let Said { gate, verdict } = said;
        let fault = match &verdict {
            Verdict::Pass => None,
            Verdict::Fail(fault) | Verdict::Inconclusive(fault) => Some(fault.clone()),
        };
        let wrong = matches!(verdict, Verdict::Fail(_));
        let news = self.watch.gates.is_news(&gate, &verdict);
        let Some((count, limit)) = self.watch.gates.see(&gate, verdict) else { return };
        if let Some(fault) = fault.filter(|_| wrong || news) {
            let wrong = wrong.then_some(count);
            self.tell(Kind::Warning(Warning::Gate { gate, fault, wrong, limit }));
        }
    }
}
