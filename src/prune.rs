//! Old revisions, once a deployment was a success. Only those that ecs-bg registered for this very
//! service are touched: their records say so.

use crate::aws::{Aws, AwsError};
use crate::record::Record;
use crate::revision::short;
use crate::world::World;

/// Revisions that one run reads at most: each costs a call.
const READ_MAX: usize = 100;

/// Deregisters all but the newest `keep` of them: never what serves, runs, or is the way back. The
/// names of those that are gone.
pub async fn prune(
    aws: &Aws,
    record: &Record,
    world: &World,
    keep: u32,
) -> Result<Vec<String>, AwsError> {
    let family = short(&record.revision).rsplit_once(':').map_or("", |(family, _)| family);
    let runs = |arn: &String| {
        let deployments = world.services.values().flat_map(|service| &service.deployments);
        deployments.map(|one| &one.revision).any(|revision| revision == arn)
    };
    let mut pruned = Vec::new();
    let mut kept = 0;
    for arn in aws.active(family, READ_MAX).await? {
        let Some(other) = aws.record(&arn).await? else { continue };
        let ours = other.cluster == record.cluster
            && [&record.blue, &record.green].contains(&&other.green)
            && other.closed.is_some();
        if !ours {
            continue;
        }
        kept += 1;
        let needed = [&record.revision, &record.from, &record.was].contains(&&arn) || runs(&arn);
        if kept > keep && !needed {
            aws.deregister(&arn).await?;
            pruned.push(short(&arn).to_owned());
        }
    }
    Ok(pruned)
}
