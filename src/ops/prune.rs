//! Old revisions, once a deployment was a success.

use std::collections::BTreeSet;

use crate::aws::Aws;
use crate::error::Failure;
use crate::model::arn::family;
use crate::model::world::World;
use crate::plan::trust::is_of_the_same_pair;
use crate::record::Record;
use crate::request::Keep;

/// Revisions that one run reads at most: each costs a call.
const READ_MAX: usize = 100;

/// Deregisters old revisions and returns their ARNs, oldest first. A revision stays registered while a
/// rollback needs it, a service of the pair is on it, or a task of the cluster runs it; its tags do not
/// change that.
pub async fn prune(
    aws: &Aws,
    record: &Record,
    world: &World,
    keep: Keep,
) -> Result<Vec<String>, Failure> {
    let family = family(&record.revision);
    let (most, everybody) = match keep {
        Keep::OfOurs(most) => (most, false),
        Keep::OfFamily(most) => (most, true),
    };
    let mut kept = 0;
    let mut old = Vec::new();
    for arn in aws.active(family, READ_MAX).await? {
        if !everybody && !is_ours(aws, record, world, &arn).await? {
            continue;
        }
        kept += 1;
        if kept > most && !is_needed(record, world, &arn) {
            old.push(arn);
        }
    }
    if old.is_empty() {
        return Ok(old);
    }
    // One-off tasks and other services of the cluster.
    let runs: BTreeSet<String> = aws.revisions_in_use(&record.cluster, family).await?;
    old.retain(|arn| !runs.contains(arn));
    old.reverse();
    for arn in &old {
        aws.deregister(arn).await?;
    }
    Ok(old)
}

/// Whether it is the way back, or a service of the pair is on it.
fn is_needed(record: &Record, world: &World, arn: &String) -> bool {
    let deployments = world.services.values().flat_map(|service| &service.deployments);
    let on = deployments.map(|one| &one.revision);
    let services = world.services.values().map(|service| &service.revision);
    [&record.revision, &record.from, &record.was].contains(&arn)
        || on.chain(services).any(|revision| revision == arn)
}

/// Whether a deployment of this service that is over registered a revision. Tags are input from strangers: a
/// copied record, or one that names other services, does not count.
async fn is_ours(aws: &Aws, record: &Record, world: &World, arn: &str) -> Result<bool, Failure> {
    let carrier = aws.revision(arn).await?;
    let other = Record::from_tags(arn, &carrier.tags).and_then(Result::ok);
    Ok(other.is_some_and(|other| {
        other.closed.is_some() && is_of_the_same_pair(&carrier, &other, record, world.at)
    }))
}
