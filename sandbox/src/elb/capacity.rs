//! Reserved capacity of load balancers (Application Load Balancers User Guide, "Capacity reservations").

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    load_balancer::{invalid, named},
    result,
};
use crate::{
    clock::Time,
    journal::Change,
    protocol::{
        Fault,
        json::int,
        query::{Answer, required, text},
    },
    state::{
        Here,
        elb::{LoadBalancer, Reservation},
    },
};

/// "You can only decrease the reserved capacity two times per day"; a day is taken as 24 hours.
const DECREASES: usize = 2;
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn describe(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (now, wait) = (here.now(), here.shared.timing.reservation);
    Ok(show(named(here, request)?, now, wait))
}

pub(super) fn modify(here: &mut Here<'_>, request: &Map<String, Value>) -> Answer {
    let (now, wait) = (here.now(), here.shared.timing.reservation);
    let units = int(request.get("MinimumLoadBalancerCapacity").map(|own| &own["CapacityUnits"]));
    let reset = text(request, "ResetCapacityReservation") == Some("true");
    let units = match (units, reset) {
        (Some(units), false) => units,
        (None, true) => 0,
        _ => {
            return Err(Fault::validation(
                "You must specify either a minimum load balancer capacity or a reset",
            ));
        }
    };
    let arn = required(request, "LoadBalancerArn");
    let tls = here
        .region
        .elb
        .listeners
        .values()
        .any(|one| one.load_balancer == arn && text(&one.members, "Protocol") == Some("TLS"));
    let found = named(here, request)?;
    if found.kind == "gateway" || tls {
        return Err(invalid("Capacity cannot be reserved for this load balancer"));
    }
    let reservation = found.reservation.get_or_insert_default();
    if is_pending(reservation, now, wait) {
        let text = "There is a pending capacity reservation";
        return Err(Fault::new("CapacityReservationPending", text));
    }
    reservation.decreases.retain(|at| now < *at + DAY);
    // Whether a reset counts as a decrease is not documented: it does not.
    if (1..reservation.units).contains(&units) {
        if reservation.decreases.len() == DECREASES {
            let text = "The daily limit of capacity decreases is exceeded";
            return Err(Fault::new("CapacityDecreaseRequestLimitExceeded", text));
        }
        reservation.decreases.push(now);
    }
    reservation.before = reservation.units;
    reservation.units = units;
    reservation.modified = now;
    let (arn, shown) = (found.arn.clone(), show(found, now, wait));
    here.note(Change::Attributes { resource: arn });
    Ok(shown)
}

fn is_pending(own: &Reservation, now: Time, wait: Duration) -> bool {
    own.units != own.before && now < own.modified + wait
}

fn show(one: &LoadBalancer, now: Time, wait: Duration) -> Map<String, Value> {
    let own = one.reservation.clone().unwrap_or_default();
    let pending = is_pending(&own, now, wait);
    let (code, effective) = match pending {
        true => ("pending", own.before),
        false => ("provisioned", own.units),
    };
    // Capacity is evenly distributed across Availability Zones.
    let effective = effective as f64 / one.zones.len() as f64;
    let zone = |(zone, _): &(String, String)| json!({"AvailabilityZone": zone, "State": {"Code": code}, "EffectiveCapacityUnits": effective});
    let zones = one.zones.iter().filter(|_| pending || own.units > 0).map(zone);
    let left = DECREASES - own.decreases.iter().filter(|at| now < **at + DAY).count();
    let mut shown = result([
        ("DecreaseRequestsRemaining", json!(left)),
        ("CapacityReservationState", zones.collect()),
    ]);
    if one.reservation.is_some() {
        shown.insert("LastModifiedTime".to_owned(), json!(own.modified.rfc3339()));
    }
    if own.units > 0 {
        let units = json!({"CapacityUnits": own.units});
        shown.insert("MinimumLoadBalancerCapacity".to_owned(), units);
    }
    shown
}
