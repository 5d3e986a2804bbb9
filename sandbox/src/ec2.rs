//! Amazon EC2, as far as it says in which Availability Zone a subnet is, and how many addresses it has left.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{
        Fault, paging,
        query::{self, Answer},
    },
    state::Here,
};

/// A `/24`, less the five addresses that AWS keeps (Amazon VPC User Guide, "Subnet CIDR blocks").
const ADDRESSES: usize = 251;

/// The one VPC of load balancers and target groups.
const VPC: &str = "vpc-0123456789abcdef0";

/// The filters that there are, and the member that each is about.
const FILTERS: [(&str, &str); 9] = [
    ("subnet-id", "subnetId"),
    ("state", "state"),
    ("vpc-id", "vpcId"),
    ("availability-zone", "availabilityZone"),
    ("availabilityZone", "availabilityZone"),
    ("available-ip-address-count", "availableIpAddressCount"),
    ("owner-id", "ownerId"),
    ("subnet-arn", "subnetArn"),
    ("default-for-az", "defaultForAz"),
];

pub(crate) fn knows(operation: &str) -> bool {
    operation == "DescribeSubnets"
}

/// Subnets of a scenario, by id and by filters, in pages (API reference of DescribeSubnets).
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    if !knows(operation) {
        let text = format!("The action {operation} is not valid for this web service.");
        return Err(Fault::new("InvalidAction", text));
    }
    if query::text(request, "DryRun") == Some("true") {
        let text = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault { status: 412, ..Fault::new("DryRunOperation", text) });
    }
    let asked = numbered(request, "SubnetId");
    let asked: Vec<&str> = asked.filter_map(Value::as_str).collect();
    let missing = asked.iter().copied().filter(|id| !here.shared.subnets.contains_key(*id));
    let missing: Vec<&str> = missing.collect();
    match missing[..] {
        [] => {}
        [id] => {
            let text = format!("The subnet ID '{id}' does not exist");
            return Err(Fault::new("InvalidSubnetID.NotFound", text));
        }
        _ => {
            let text = format!("The subnet IDs '{}' do not exist", missing.join(", "));
            return Err(Fault::new("InvalidSubnetID.NotFound", text));
        }
    }
    let size = size(request, !asked.is_empty())?;
    let filters = filters(request)?;
    let own = here.shared.subnets.iter();
    let shown = own.filter(|(id, _)| asked.is_empty() || asked.contains(&id.as_str()));
    let shown = shown.map(|(id, zone)| (id.clone(), show(here, id, zone)));
    let shown = shown.filter(|(_, shown)| {
        filters.iter().all(|(member, values)| values.contains(&text(&shown[*member])))
    });
    let page = paging::page(shown.collect(), query::text(request, "NextToken"), size)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The token is invalid."))?;
    let mut answer = Map::new();
    answer.insert("subnetSet".to_owned(), Value::Array(page.items));
    if let Some(next) = page.next {
        answer.insert("nextToken".to_owned(), Value::String(next));
    }
    Ok(answer)
}

/// What is numbered: `Name.1`, `Name.2`.
fn numbered<'r>(request: &'r Map<String, Value>, name: &str) -> impl Iterator<Item = &'r Value> {
    request.get(name).and_then(Value::as_object).into_iter().flat_map(Map::values)
}

/// How many items a page has.
fn size(request: &Map<String, Value>, by_id: bool) -> Result<usize, Fault> {
    match query::text(request, "MaxResults").map(str::parse) {
        None => Ok(1000),
        Some(Ok(_)) if by_id => Err(Fault::new(
            "InvalidParameterCombination",
            "The parameter SubnetIds cannot be used with the parameter MaxResults",
        )),
        Some(Ok(size @ 5..=1000)) => Ok(size),
        _ => Err(Fault::new(
            "InvalidParameterValue",
            "The value of MaxResults must be between 5 and 1000.",
        )),
    }
}

/// The members that must have one of some values.
fn filters(request: &Map<String, Value>) -> Result<Vec<(&'static str, Vec<String>)>, Fault> {
    let one = |filter: &Value| {
        let name = filter["Name"].as_str().unwrap_or_default();
        let found = FILTERS.iter().find(|(own, _)| *own == name).ok_or_else(|| {
            Fault::new("InvalidParameterValue", format!("The filter '{name}' is invalid"))
        })?;
        let values = filter["Value"].as_object().into_iter().flat_map(Map::values);
        Ok((found.1, values.map(text).collect()))
    };
    numbered(request, "Filter").map(one).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn show(here: &Here<'_>, id: &str, zone: &str) -> Value {
    let tasks = here.region.ecs.tasks.values();
    let taken = tasks.filter(|task| task.last_status != "STOPPED" && task.subnet == id).count();
    let free = here.shared.addresses.get(id).copied().unwrap_or(ADDRESSES);
    json!({
        "subnetId": id,
        "subnetArn": here.arn("ec2", &format!("subnet/{id}")),
        "state": "available",
        "vpcId": VPC,
        "ownerId": here.shared.account,
        "availabilityZone": zone,
        "availableIpAddressCount": free.saturating_sub(taken),
        "defaultForAz": false,
        "mapPublicIpOnLaunch": false,
    })
}
