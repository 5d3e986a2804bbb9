//! Old revisions, once a deployment was a success.

use crate::aws::Aws;
use crate::error::Failure;
use crate::model::arn::short;
use crate::model::world::World;
use crate::record::Record;
use crate::request::Keep;

/// Revisions that one run reads at most: each costs a call.
const READ_MAX: usize = 100;

/// Deregisters all but those that are to be kept: never what serves, runs, or is the way back. The ARNs
/// of those that are gone, oldest first.
pub async fn prune(
    aws: &Aws,
    record: &Record,
    world: &World,
    keep: Keep,
) -> Result<Vec<String>, Failure> {
    let family = short(&record.revision).rsplit_once(':').map_or("", |(family, _)| family);
    let runs = |arn: &String| {
        let deployments = world.services.values().flat_map(|service| &service.deployments);
        deployments.map(|one| &one.revision).any(|revision| revision == arn)
    };
    let (most, everybody) = match keep {
        Keep::OfOurs(most) => (most, false),
        Keep::OfFamily(most) => (most, true),
    };
    let mut kept = 0;
    let mut old = Vec::new();
    for arn in aws.active(family, READ_MAX).await? {
        if !everybody && !is_ours(aws, record, &arn).await? {
            continue;
        }
        kept += 1;
        let needed = [&record.revision, &record.from, &record.was].contains(&&arn) || runs(&arn);
        if kept > most && !needed {
            old.push(arn);
        }
    }
    old.reverse();
    for arn in &old {
        aws.deregister(arn).await?;
    }
    Ok(old)
}

/// Whether a revision was registered by a deployment of this service that is over.
async fn is_ours(aws: &Aws, record: &Record, arn: &str) -> Result<bool, Failure> {
    let other = aws.record(arn).await?;
    Ok(other.is_some_and(|other| {
        other.cluster == record.cluster
            && [&record.blue, &record.green].contains(&&other.green)
            && other.closed.is_some()
    }))
}
