//! Amazon EC2, as far as it says in which Availability Zone a subnet is, and how many addresses it has left.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{Fault, query::Answer},
    state::Here,
};

/// A `/24`, less the five addresses that AWS keeps (Amazon VPC User Guide, "Subnet CIDR blocks").
const ADDRESSES: usize = 251;

pub(crate) fn knows(operation: &str) -> bool {
    operation == "DescribeSubnets"
}

/// Subnets of a scenario, by id (API reference of DescribeSubnets).
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    if !knows(operation) {
        let text = format!("The action {operation} is not valid for this web service.");
        return Err(Fault::new("InvalidAction", text));
    }
    let asked = request.get("SubnetId").and_then(Value::as_object);
    let asked: Vec<&str> =
        asked.into_iter().flat_map(Map::values).filter_map(Value::as_str).collect();
    for id in &asked {
        if !here.shared.subnets.contains_key(*id) {
            let text = format!("The subnet ID '{id}' does not exist");
            return Err(Fault::new("InvalidSubnetID.NotFound", text));
        }
    }
    let own = here.shared.subnets.iter();
    let shown = own.filter(|(id, _)| asked.is_empty() || asked.contains(&id.as_str()));
    let tasks = here.region.ecs.tasks.values().filter(|task| task.last_status != "STOPPED");
    let tasks: Vec<&str> = tasks.map(|task| task.subnet.as_str()).collect();
    let shown = shown.map(|(id, zone)| {
        let taken = tasks.iter().filter(|own| *own == id).count();
        let free = here.shared.addresses.get(id).copied().unwrap_or(ADDRESSES);
        json!({
            "subnetId": id,
            "state": "available",
            "availabilityZone": zone,
            "availableIpAddressCount": free.saturating_sub(taken),
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok([("subnetSet".to_owned(), Value::Array(shown))].into_iter().collect())
}
