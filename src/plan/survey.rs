//! All that is read once, before a plan, and what it says of unfinished deployments.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::Digest;
use super::trust::{Verdict, judge};
use crate::error::Failure;
use crate::event::refusal::Doubt;
use crate::event::{Cause, IgnoredRecord, Location, Objection, Refusal};
use crate::model::arn::{place, short};
use crate::model::gate::GateFault;
use crate::model::revision::Revision;
use crate::model::scaling::{Policy, Scalable};
use crate::model::world::{Alarm, Service, Target, World};
use crate::record::{End, Had, Record, Unreadable};
use crate::request::image::ImageRef;
use crate::route::watch::Watch;
use crate::route::{Action, View, native, superseded};

/// All that is read once, before a plan.
#[derive(Clone, Debug)]
pub struct Survey {
    /// As the user named it.
    pub cluster: String,
    /// As the user named it.
    pub service: String,
    /// The other service of the pair, as the user names it, or as the tags `ecs-bg:twin` of both do.
    pub twin: Option<String>,
    /// A service that a tag names as the twin, and why that does not count.
    pub doubted: Option<(String, Doubt)>,
    /// A service that could be the twin: a proposal.
    pub candidate: Option<String>,
    /// Services, rules, groups and targets. No tasks.
    pub world: World,
    /// Revisions that matter, by ARN.
    pub revisions: BTreeMap<String, Revision>,
    /// ARNs of revisions that ECS was last asked to run and did not keep.
    pub given_up: Vec<String>,
    /// ARNs of revisions of which ECS's history says that the services ran them; read only where a
    /// record names another family.
    pub history: Vec<String>,
    /// ARNs of the newest revisions of the families, newest first.
    pub newest: Vec<String>,
    /// The scaling policies of a pair that is scaled; `None` where they may not be read, and where there is
    /// nothing to scale.
    pub policies: Option<Vec<Policy>>,
    /// Why load balancers could not be read, where that is denied.
    pub blind: Option<String>,
    /// The images of the revision that a rollback would start, by container, and what ECR knows of them;
    /// empty where nobody asked.
    pub way_back: BTreeMap<String, (ImageRef, Digest)>,
    /// The alarms that judge the deployment, as far as they are there.
    pub alarms: Vec<Alarm>,
    /// The ARN of the listener for tests, where one was named.
    pub test_listener: Option<String>,
    /// Gates that cannot be asked now.
    pub unready: Vec<(String, GateFault)>,
    /// Digests that the service's tasks run, by container, where they were asked for.
    pub ran: BTreeMap<String, String>,
    /// Targets of its groups that get no requests and no checks, with the ARN of the group.
    pub unused: Vec<(String, Target)>,
    /// How many rules each load balancer has, by its ARN; default rules are not counted.
    pub rule_counts: BTreeMap<String, usize>,
    /// Why rules may not be read, where a deployment can do without them.
    pub rules_unread: Option<Failure>,
    /// How many instances of the cluster take tasks, where that was asked for.
    pub instances: Option<usize>,
    /// When the credentials end.
    pub expires: Option<SystemTime>,
}

impl Survey {
    pub(super) fn pair(&self) -> Option<[&Service; 2]> {
        Some([self.world.service(&self.service)?, self.world.service(self.twin.as_deref()?)?])
    }

    /// The scalable target of a service, where one is known.
    pub fn scalable(&self, service: &str) -> Option<&Scalable> {
        self.world.scalable(service)
    }

    /// A service that the user named must be there.
    pub fn known(&self, service: &str) -> Result<(), Refusal> {
        match self.world.service(service) {
            Some(_) => Ok(()),
            None => Err(super::checks::service::no_service(self, service)),
        }
    }

    /// The cluster's name.
    pub fn cluster_name(&self) -> &str {
        short(&self.cluster)
    }

    /// The record of an unfinished deployment of this pair, if there is one: first on what the
    /// services run, then on what ECS did not keep, then on the newest revisions.
    pub fn open_record(&self) -> Option<Result<Record, Unreadable>> {
        let mut records = self.unclosed();
        records.retain(|record| !matches!(record, Ok(record) if self.overtaker(record).is_some()));
        // One that can be read is worth more than one that cannot.
        records.sort_by_key(Result::is_err);
        records.into_iter().next()
    }

    /// Deployments that nobody finished and nobody can: somebody else put their side on another
    /// revision, which is told with each. What is now stands for itself.
    pub fn overtaken(&self) -> Vec<(Record, Cause)> {
        let overtaken = |record| Some((self.overtaker(&record)?, record));
        let found = self.unclosed().into_iter().flatten().filter_map(overtaken);
        found.map(|(by, record)| (record, by)).collect()
    }

    /// What takes the settings of a record's deployment out of the service again; `None`: nothing of them is left.
    pub fn left_behind(&self, record: &Record) -> Option<Action> {
        let watch = Watch::new(self.world.at);
        // ECS lists a few only: a strategy that was to stay may have been used for long.
        let succeeded = record.closed.is_none_or(|closed| closed.end == End::Live);
        native::left_behind(&View { record, watch: &watch, world: &self.world }, succeeded)
    }

    /// A deployment that is over and whose settings are still in the service, and what takes them out.
    pub fn settings_left(&self) -> Option<(Record, Action)> {
        let overtaken = self.overtaken().into_iter().map(|(record, _)| record);
        let mut closed = self.trusted();
        closed.retain(|record| record.closed.is_some());
        closed.sort_by_key(|record| std::cmp::Reverse(record.start));
        overtaken
            .chain(closed)
            .find_map(|record| self.left_behind(&record).map(|action| (record, action)))
    }

    /// Whether a deployment that nobody drives any more is finished rather than rolled back by another one.
    pub fn may_be_finished(&self, record: &Record) -> bool {
        let watch = Watch::new(self.world.at);
        let view = View { record, watch: &watch, world: &self.world };
        record.forward() && record.is_abandoned(self.world.at) && view.has_taken_over()
    }

    /// Whether a side has healthy targets and the other one, which was read too, has none.
    pub fn answers_alone(&self, side: &str, other: &str) -> bool {
        let healthy = |name| self.world.healthy(self.world.service(name)?);
        healthy(side) > Some(0) && healthy(other) == Some(0)
    }

    /// An owner that lives finds out by itself, and answers for it.
    fn overtaker(&self, record: &Record) -> Option<Cause> {
        let watch = Watch::new(self.world.at);
        let view = View { record, watch: &watch, world: &self.world };
        superseded(&view).filter(|_| record.is_abandoned(self.world.at))
    }

    /// Records of this pair that are not closed, in the order of `records`.
    fn unclosed(&self) -> Vec<Result<Record, Unreadable>> {
        let mut records = self.records();
        // A registration whose answer was lost may have left the same record on two revisions.
        let closed = records.iter().flatten().filter(|record| record.closed.is_some());
        let closed: Vec<String> = closed.map(|record| record.id.clone()).collect();
        records.retain(|record| !matches!(record, Ok(record) if closed.contains(&record.id)));
        records
    }

    /// Records of this pair that count, those of running revisions first, the newest last. Here is the
    /// one place where records come in.
    fn records(&self) -> Vec<Result<Record, Unreadable>> {
        let counts = |(revision, record): (&Revision, Result<Record, Unreadable>)| match record {
            Ok(record) if self.ignores(revision, &record).is_some() => None,
            record => Some(record),
        };
        self.written().into_iter().filter_map(counts).collect()
    }

    /// The deployment that began last, where its record counts: also one that rolled back.
    pub fn last_record(&self) -> Option<Record> {
        self.trusted().into_iter().max_by_key(|record| record.start)
    }

    /// All records that count.
    fn trusted(&self) -> Vec<Record> {
        let counts = |(revision, record): (&Revision, Result<Record, Unreadable>)| {
            record.ok().filter(|record| judge(self, revision, record) == Verdict::Trusted)
        };
        self.written().into_iter().filter_map(counts).collect()
    }

    /// Records that are ignored, and why.
    pub fn ignored(&self) -> Vec<(Record, IgnoredRecord)> {
        let told = |(revision, record): (&Revision, Result<Record, Unreadable>)| {
            let record = record.ok()?;
            let why = self.ignores(revision, &record)?;
            Some((record, IgnoredRecord { carrier: revision.name.clone(), why }))
        };
        self.written().into_iter().filter_map(told).collect()
    }

    fn ignores(&self, revision: &Revision, record: &Record) -> Option<Objection> {
        match judge(self, revision, record) {
            Verdict::Ignored(why) if self.matters(record) => Some(why),
            _ => None,
        }
    }

    /// Whether anything depends on a record: it is open, or on what a service is on.
    pub(super) fn matters(&self, record: &Record) -> bool {
        let mut services = self.world.services.values();
        record.closed.is_none() || services.any(|service| service.revision == record.revision)
    }

    /// Records that name a service of this pair, whether they count or not, each with its carrier.
    pub fn written(&self) -> Vec<(&Revision, Result<Record, Unreadable>)> {
        let running = self
            .world
            .services
            .values()
            .flat_map(|s| s.deployments.iter().map(|d| d.revision.as_str()));
        let mut seen = std::collections::BTreeSet::new();
        running
            .chain(self.given_up.iter().map(String::as_str))
            .chain(self.newest.iter().map(String::as_str))
            .filter(|arn| seen.insert(arn.to_owned()))
            .filter_map(|arn| {
                let revision = self.revisions.get(arn)?;
                Some((revision, Record::from_tags(arn, &revision.tags)?))
            })
            .filter(|(_, record)| match record {
                Ok(record) => self.is_of_this_pair(record),
                Err(_) => true,
            })
            .collect()
    }

    /// Why nothing is begun beside a record of a newer version: it may be open. Only one on what serves,
    /// or on the newest revision, is in the way.
    pub fn newer(&self) -> Option<String> {
        let serving = self.world.services.values().filter(|service| service.desired > 0);
        let serving = serving.map(|service| &service.revision);
        let arn = serving.chain(self.newest.first()).find(|arn| {
            self.revisions.get(*arn).is_some_and(|revision| Record::is_newer(&revision.tags))
        })?;
        Some(short(arn).to_owned())
    }

    /// The record on a revision, where it counts.
    pub fn record_on(&self, arn: &str) -> Option<Record> {
        let records = self.records().into_iter().flatten();
        records.into_iter().find(|record| record.revision == arn)
    }

    /// The named service, and where it is.
    pub fn location(&self) -> Location {
        let place = self.world.service(&self.service).and_then(|service| place(&service.arn));
        Location {
            service: self.service.clone(),
            cluster: self.cluster_name().to_owned(),
            account: place.map(|(account, _)| account.to_owned()),
            region: place.map(|(_, region)| region.to_owned()),
        }
    }

    /// One of its services is enough: a deployment of a service is in the way of every other.
    fn is_of_this_pair(&self, record: &Record) -> bool {
        let names = [Some(self.service.as_str()), self.twin.as_deref()];
        record.cluster == self.cluster_name()
            && (names.contains(&Some(record.blue.as_str()))
                || names.contains(&Some(record.green.as_str())))
    }

    /// What counts as the way back from whatever follows `arn` in `service`: itself, unless its own record
    /// says that it never got live; and what ran when that deployment began.
    pub(super) fn last_good(&self, service: &Service, arn: &str) -> (String, Option<Had>) {
        let (mut good, mut had) = (arn.to_owned(), None);
        // A record names an earlier revision: this ends.
        while let Some(record) = self.record_on(&good) {
            let failed = record.closed.is_some_and(|closed| {
                matches!(closed.end, End::WentBack | End::Neither | End::Overtaken)
            });
            let is_ours = record.green == service.name && record.blue == record.green;
            if !failed || !is_ours || !self.revisions.contains_key(&record.from) {
                break;
            }
            (good, had) = (record.from, record.had);
        }
        (good, had)
    }

    /// The record that is closed on the revision that `service` runs.
    pub fn closed_on(&self, service: &Service) -> Option<Record> {
        let record = self.record_on(&service.revision)?;
        (record.closed.is_some_and(|closed| matches!(closed.end, End::Live | End::Short))
            && record.green == service.name)
            .then_some(record)
    }
}
