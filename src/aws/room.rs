//! Where there is room for more tasks: what instances have left, and subnets.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::ContainerInstanceStatus;

use super::Aws;
use super::error::of;
use super::observe::unreadable;
use super::rules::{flatten, get, members, owned, versioned};
use super::signed::EC2;
use crate::call::{About, Call};
use crate::error::Failure;
use crate::model::world::{Room, Subnet};

/// What an instance has whose tasks' interfaces are branches of one: AWS's tables say how many there may be
/// (Developer Guide, "Increasing Amazon ECS Linux container instance network interfaces").
const TRUNK: &str = "ecs.awsvpc-trunk-id";

impl Aws {
    /// How many instances of a cluster take tasks.
    pub async fn instances(&self, cluster: &str) -> Result<usize, Failure> {
        Ok(self.instance_arns(cluster).await?.len())
    }

    async fn instance_arns(&self, cluster: &str) -> Result<Vec<String>, Failure> {
        let call = Call::ListContainerInstances.on(format!("of cluster {cluster}"));
        let request = self.ecs.list_container_instances().cluster(cluster);
        let active = request.status(ContainerInstanceStatus::Active).into_paginator().items();
        active.send().collect::<Result<Vec<_>, _>>().await.map_err(of(call))
    }

    /// What every instance of a cluster that takes tasks has left; of network interfaces nothing is known yet.
    pub async fn room(&self, cluster: &str) -> Result<Vec<Room>, Failure> {
        let on = format!("of cluster {cluster}");
        let arns = self.instance_arns(cluster).await?;
        let mut room = Vec::new();
        // DescribeContainerInstances takes 100 at a time (API reference).
        for arns in arns.chunks(100) {
            let request = self.ecs.describe_container_instances().cluster(cluster);
            let answer = request.set_container_instances(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(of(Call::DescribeContainerInstances.on(&on)))?;
            room.extend(answer.container_instances().iter().map(|instance| {
                let left = |name: &str| {
                    let mut all = instance.remaining_resources().iter();
                    let one = all.find(|one| one.name() == Some(name));
                    one.and_then(|one| u64::try_from(one.integer_value()).ok()).unwrap_or(0)
                };
                let has_trunk = instance.attributes().iter().any(|one| one.name() == TRUNK);
                let id = instance.ec2_instance_id().filter(|id| id.starts_with("i-"));
                Room {
                    cpu: left("CPU"),
                    memory: left("MEMORY"),
                    instance: id.filter(|_| !has_trunk).map(str::to_owned),
                    interfaces: None,
                }
            }));
        }
        Ok(room)
    }

    /// How many network interfaces each of these instances can still have.
    pub async fn interfaces(&self, room: &mut [Room]) -> Result<(), Failure> {
        let ids: Vec<String> = room.iter().filter_map(|one| one.instance.clone()).collect();
        let mut has: BTreeMap<String, (String, usize)> = BTreeMap::new();
        for ids in ids.chunks(100) {
            let about = Call::DescribeInstances.on(ids.join(", "));
            let leaves = self.ec2(about, "InstanceId", ids).await?;
            for one in members(&leaves, "reservationSet.") {
                for own in members(&owned(&one), "instancesSet.") {
                    let Some((id, kind)) = get(&own, "instanceId").zip(get(&own, "instanceType"))
                    else {
                        continue;
                    };
                    let interfaces = members(&owned(&own), "networkInterfaceSet.").len();
                    has.insert(id.to_owned(), (kind.to_owned(), interfaces));
                }
            }
        }
        let kinds: BTreeSet<String> = has.values().map(|(kind, _)| kind.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let mut most: BTreeMap<String, usize> = BTreeMap::new();
        // DescribeInstanceTypes takes 100 at a time (API reference).
        for kinds in kinds.chunks(100) {
            let about = Call::DescribeInstanceTypes.on(kinds.join(", "));
            let leaves = self.ec2(about, "InstanceType", kinds).await?;
            most.extend(members(&leaves, "instanceTypeSet.").iter().filter_map(|own| {
                let most = get(own, "networkInfo.maximumNetworkInterfaces")?.parse().ok()?;
                Some((get(own, "instanceType")?.to_owned(), most))
            }));
        }
        for one in room {
            let known = one.instance.as_ref().and_then(|id| has.get(id));
            let left = known.and_then(|(kind, has)| Some(most.get(kind)?.saturating_sub(*has)));
            one.interfaces = left.and_then(|left| left.try_into().ok());
        }
        Ok(())
    }

    /// Subnets by id.
    pub async fn subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, Failure> {
        let about = Call::DescribeSubnets.on(ids.join(", "));
        let leaves = self.ec2(about, "SubnetId", ids).await?;
        let subnet = |own: &Vec<(&str, &str)>| Subnet {
            id: get(own, "subnetId").unwrap_or_default().to_owned(),
            zone: get(own, "availabilityZone").unwrap_or_default().to_owned(),
            free: get(own, "availableIpAddressCount").and_then(|free| free.parse().ok()),
        };
        Ok(members(&leaves, "subnetSet.").iter().map(subnet).collect())
    }

    /// What Amazon EC2 says of things that it is asked of by their ids.
    async fn ec2(
        &self,
        about: About,
        id: &str,
        ids: &[String],
    ) -> Result<Vec<(String, String)>, Failure> {
        let numbered = ids.iter().enumerate();
        let parameters: Vec<(String, String)> =
            numbered.map(|(at, own)| (format!("{id}.{}", at + 1), own.clone())).collect();
        let body = versioned(about.call.operation(), "2016-11-15", &parameters);
        let answer = self.signed.send(EC2, &self.region, about.clone(), body).await?;
        flatten(&answer).map_err(|error| unreadable(&about, error))
    }
}
