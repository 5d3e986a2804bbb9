//! All that is read once, before a plan, and what it says of unfinished deployments.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::model::revision::Revision;
use crate::model::world::{Service, World};
use crate::record::{End, Record};
use crate::route::watch::Watch;
use crate::route::{View, superseded};

/// All that is read once, before a plan.
#[derive(Clone, Debug)]
pub struct Survey {
    /// As the user named it.
    pub cluster: String,
    /// As the user named it.
    pub service: String,
    /// The other service of the pair, as the user or the tag `ecs-bg:twin` names it.
    pub twin: Option<String>,
    /// A service that could be the twin: a proposal.
    pub candidate: Option<String>,
    /// Services, rules, groups and targets. No tasks.
    pub world: World,
    /// Revisions that matter, by ARN.
    pub revisions: BTreeMap<String, Revision>,
    /// ARNs of revisions that ECS was last asked to run and did not keep.
    pub given_up: Vec<String>,
    /// ARNs of the newest revisions of the families, newest first.
    pub newest: Vec<String>,
    /// Names of services with a scalable target; `None` where that may not be read.
    pub scalable: Option<Vec<String>>,
    /// Why load balancers could not be read, where that is denied.
    pub blind: Option<String>,
    /// Digests that the service's tasks run, by container, where they were asked for.
    pub ran: BTreeMap<String, String>,
    /// When the credentials end.
    pub expires: Option<SystemTime>,
}

impl Survey {
    pub(super) fn pair(&self) -> Option<[&Service; 2]> {
        Some([self.world.service(&self.service)?, self.world.service(self.twin.as_deref()?)?])
    }

    /// The cluster's name.
    pub fn cluster_name(&self) -> &str {
        self.cluster.rsplit('/').next().unwrap_or(&self.cluster)
    }

    /// The record of an unfinished deployment of this pair, if there is one: first on what the
    /// services run, then on what ECS did not keep, then on the newest revisions.
    pub fn open_record(&self) -> Option<Result<Record, String>> {
        let mut records = self.unclosed();
        records.retain(|record| !matches!(record, Ok(record) if self.overtaker(record).is_some()));
        // One that can be read is worth more than one that cannot.
        records.sort_by_key(Result::is_err);
        records.into_iter().next()
    }

    /// Deployments that nobody finished and nobody can: somebody else put their side on another
    /// revision, which is told with each. What is now stands for itself.
    pub fn overtaken(&self) -> Vec<(Record, String)> {
        let overtaken = |record| Some((self.overtaker(&record)?, record));
        let found = self.unclosed().into_iter().flatten().filter_map(overtaken);
        found.map(|(by, record)| (record, by)).collect()
    }

    /// An owner that lives finds out by itself, and answers for it.
    fn overtaker(&self, record: &Record) -> Option<String> {
        let watch = Watch::new(self.world.at);
        let view = View { record, watch: &watch, world: &self.world };
        superseded(&view).filter(|_| record.is_abandoned(self.world.at))
    }

    /// Records of this pair that are not closed, in the order of `records`.
    fn unclosed(&self) -> Vec<Result<Record, String>> {
        let mut records = self.records();
        // A registration whose answer was lost may have left the same record on two revisions.
        let closed = records.iter().flatten().filter(|record| record.closed.is_some());
        let closed: Vec<String> = closed.map(|record| record.id.clone()).collect();
        records.retain(|record| !matches!(record, Ok(record) if closed.contains(&record.id)));
        records
    }

    /// Records of this pair, those of running revisions first, the newest last.
    fn records(&self) -> Vec<Result<Record, String>> {
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
            .filter_map(|arn| Record::from_tags(arn, &self.revisions.get(arn)?.tags))
            .filter(|record| match record {
                Ok(record) => self.is_of_this_pair(record),
                Err(_) => true,
            })
            .collect()
    }

    /// One of its services is enough: a deployment of a service is in the way of every other.
    fn is_of_this_pair(&self, record: &Record) -> bool {
        let names = [Some(self.service.as_str()), self.twin.as_deref()];
        record.cluster == self.cluster_name()
            && (names.contains(&Some(record.blue.as_str()))
                || names.contains(&Some(record.green.as_str())))
    }

    /// The record that is closed on the revision that `service` runs.
    pub fn closed_on(&self, service: &Service) -> Option<Record> {
        let tags = &self.revisions.get(&service.revision)?.tags;
        let record = Record::from_tags(&service.revision, tags)?.ok()?;
        (record.closed.is_some_and(|closed| closed.end == End::Live)
            && record.green == service.name)
            .then_some(record)
    }
}
