//! What there is: plain data, which is also what is saved. One file for each service's resources;
//! `timers` says what is due, as data. It knows nothing of what any service does with them.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    call::Call,
    clock::Time,
    ids::Ids,
    image::Image,
    journal::{Change, Entry},
    lambda::Lambda,
    partition::partition,
    timing::Timing,
    unverified::Unverified,
};

pub(crate) mod autoscaling;
pub(crate) mod cloudwatch;
pub(crate) mod ecr;
pub(crate) mod ecs;
pub(crate) mod elb;
pub(crate) mod logs;
pub(crate) mod named;
pub(crate) mod timers;

use autoscaling::Scaling;
use cloudwatch::Alarm;
use ecr::Ecr;
use ecs::Ecs;
use elb::Elb;
use logs::Logs;
use named::{Named, Roles};
use timers::{Due, Timer, Timers};

/// What all regions share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub(crate) account: String,
    pub(crate) now: Time,
    pub(crate) ids: Ids,
    /// Names of what no client asked for by name (revisions, service deployments, container instances):
    /// a stream of its own, so that all other names stay as they are.
    pub(crate) record_ids: Ids,
    pub(crate) timing: Timing,
    pub(crate) images: Vec<Image>,
    /// What Lambda functions answer.
    #[serde(default)]
    pub(crate) lambdas: Vec<Lambda>,
    #[serde(default)]
    pub(crate) unverified: Unverified,
    /// A settings block of an update is merged into the old one, member by member, and does not replace it.
    #[serde(default)]
    pub(crate) merges_settings: bool,
    /// What the requests to a service take, by `cluster/service`.
    #[serde(default)]
    pub(crate) loads: BTreeMap<String, Load>,
    /// The Availability Zones of subnets, where a scenario says them.
    pub(crate) subnets: BTreeMap<String, String>,
    /// How many addresses subnets have, where a scenario says so.
    #[serde(default)]
    pub(crate) addresses: BTreeMap<String, usize>,
    /// The roles of the account.
    #[serde(default)]
    pub(crate) roles: Roles,
    pub(crate) timers: Timers,
    pub(crate) journal: Vec<Entry>,
    pub(crate) calls: u64,
    /// The call that is being answered.
    pub(crate) call: Option<Call>,
}

/// What all requests to a service take together, in percent of what one task has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Of its CPU.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Of its memory.
    #[serde(default)]
    pub memory: Option<u32>,
}

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) ecs: Ecs,
    pub(crate) elb: Elb,
    pub(crate) ecr: Ecr,
    pub(crate) scaling: Scaling,
    #[serde(default)]
    pub(crate) logs: Logs,
    #[serde(default)]
    pub(crate) named: Named,
    /// How many vCPUs Fargate may run at a time, by the names of the quotas, where a scenario says so.
    #[serde(default)]
    pub(crate) vcpus: BTreeMap<String, usize>,
    /// What alarms say of themselves, by their names.
    #[serde(default)]
    pub(crate) alarms: BTreeMap<String, Alarm>,
    /// Which task has which private address.
    pub(crate) network: BTreeMap<String, String>,
}

/// Where something happens: one region, and what all share.
pub(crate) struct Here<'a> {
    pub(crate) region: &'a mut Region,
    pub(crate) shared: &'a mut Shared,
    /// What the caller may do; `None`: everything.
    pub(crate) policy: Option<&'a dyn Decides>,
}

/// A policy.
pub(crate) trait Decides {
    /// What it makes of an action on a resource, in the words of PolicyEvaluationDecisionType; condition keys are in
    /// lower case.
    fn decides(
        &self,
        action: &str,
        resource: &str,
        keys: &BTreeMap<String, Vec<String>>,
    ) -> &'static str;
}

impl Shared {
    /// The ARN of the caller in a region: everybody is the same user.
    pub(crate) fn user(&self, region: &str) -> String {
        self.iam(region, "iam", "user/sandbox")
    }

    /// The ARN of something that is in no region, as a region's partition names it.
    pub(crate) fn iam(&self, region: &str, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}::{}:{rest}", partition(region).name, self.account)
    }
}

impl Here<'_> {
    pub(crate) fn now(&self) -> Time {
        self.shared.now
    }

    pub(crate) fn note(&mut self, change: Change) {
        self.shared.journal.push(Entry {
            at: self.shared.now,
            call: self.shared.call.clone(),
            change,
        });
    }

    /// Lets something happen after a while.
    pub(crate) fn later(&mut self, wait: Duration, due: Due) {
        let timer = Timer { region: self.region.name.clone(), due };
        self.shared.timers.set(self.shared.now + wait, timer);
    }

    /// The same, unless it is due at that moment already.
    pub(crate) fn later_once(&mut self, wait: Duration, due: Due) {
        let timer = Timer { region: self.region.name.clone(), due };
        let at = self.shared.now + wait;
        if !self.shared.timers.has(at, &timer) {
            self.shared.timers.set(at, timer);
        }
    }

    /// `arn:<partition>:<service>:<region>:<account>:<rest>`
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        let (region, account) = (&self.region.name, &self.shared.account);
        format!("arn:{}:{service}:{region}:{account}:{rest}", partition(region).name)
    }

    /// Lets the service scheduler look at a service soon.
    pub(crate) fn look_soon(&mut self, service: &str) {
        self.look_in(service, self.shared.timing.scheduler);
    }

    /// Lets the service scheduler look at a service after a while, unless it looks before.
    pub(crate) fn look_in(&mut self, service: &str, wait: Duration) {
        let at = self.now() + wait;
        let soon = self.shared.timing.scheduler;
        let Some(found) = self.region.ecs.services.get_mut(service) else { return };
        if wait <= soon {
            if found.look_at.is_some_and(|look| look <= at) {
                return;
            }
            found.look_at = Some(at);
            self.later(wait, Due::Schedule { service: service.to_owned() });
            return;
        }
        // Each look asks for the next one: without this the looks at one moment would multiply.
        self.later_once(wait, Due::Schedule { service: service.to_owned() });
    }

    /// Lets the service scheduler look soon at the service of a task.
    pub(crate) fn look_at_owner(&mut self, task: &str) {
        let task = self.region.ecs.tasks.get(task);
        if let Some(service) = task.and_then(|task| task.service.clone()) {
            self.look_soon(&service);
        }
    }
}
