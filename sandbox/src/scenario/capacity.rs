//! The sections of a scenario that say where there is room, and which alarms there are.

use std::time::Duration;

use serde::Deserialize;

use super::{
    Item,
    build::{Build, EPOCH, typed},
};
use crate::{
    ecs::{self, instance_api},
    state::{Load, ecs::Shortage},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Instance {
    #[serde(rename = "name")]
    _name: String,
    cluster: Option<String>,
    /// An Availability Zone: its whole name or its last letter.
    az: Option<String>,
    cpu: Option<i64>,
    memory: Option<i64>,
    enis: Option<usize>,
    gpus: Option<i64>,
    ec2_instance_id: Option<String>,
}

/// `a` as `eu-central-1a`.
fn zone(build: &Build<'_>, az: &str) -> String {
    if az.len() == 1 { format!("{}{az}", build.region) } else { az.to_owned() }
}

pub(super) fn instance(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Instance = typed(&item.table)?;
    let cluster = wanted.cluster.unwrap_or_else(|| "default".into());
    if !build.region().ecs.clusters.contains_key(&cluster) {
        return Err(format!("`{cluster}`: there is no such cluster"));
    }
    let zone = zone(build, wanted.az.as_deref().unwrap_or("a"));
    let wanted = instance_api::Wanted {
        cluster,
        ec2: wanted.ec2_instance_id,
        zone,
        cpu: wanted.cpu.unwrap_or(2048),
        memory: wanted.memory.unwrap_or(3884),
        enis: wanted.enis.unwrap_or(2),
        gpus: wanted.gpus.unwrap_or(0),
        tags: Default::default(),
        attributes: Default::default(),
    };
    instance_api::register(&mut build.cloud.here(build.region), wanted);
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    #[serde(rename = "name")]
    _name: String,
    az: Option<String>,
    #[serde(default, with = "crate::duration::option")]
    from: Option<Duration>,
    #[serde(default, with = "crate::duration::option")]
    until: Option<Duration>,
    reason: Option<String>,
}

const UNAVAILABLE: &str = "Capacity is unavailable at this time. Please try again later or in a different availability zone.";

pub(super) fn shortage(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Capacity = typed(&item.table)?;
    let zone = wanted.az.as_deref().map(|az| zone(build, az));
    let shortage = Shortage {
        from: EPOCH + wanted.from.unwrap_or_default(),
        until: wanted.until.map(|until| EPOCH + until),
        zone,
        reason: wanted.reason.unwrap_or_else(|| UNAVAILABLE.to_owned()),
    };
    build.cloud.here(build.region).region.ecs.shortages.push(shortage);
    Ok(())
}

/// What the requests to a service take, in percent of what one task has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadOf {
    /// `cluster/service`.
    service: String,
    cpu: Option<u32>,
    memory: Option<u32>,
}

pub(super) fn load(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let LoadOf { service, cpu, memory } = typed(&item.table)?;
    build.cloud.set_load(&service, Load { cpu, memory });
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alarm {
    name: String,
    state: Option<String>,
}

pub(super) fn alarm(build: &mut Build<'_>, item: &Item) -> Result<(), String> {
    let wanted: Alarm = typed(&item.table)?;
    let state = wanted.state.unwrap_or_else(|| "OK".into());
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state.as_str()) {
        return Err(format!("`{state}`: must be OK, ALARM or INSUFFICIENT_DATA"));
    }
    ecs::set_alarm(&mut build.cloud.here(build.region), &wanted.name, &state);
    Ok(())
}
