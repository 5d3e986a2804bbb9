//! Amazon EC2, as far as it says where a subnet is and how many addresses it has left, and which network interfaces a
//! container instance has and can have.

use serde_json::{Map, Value, json};

use crate::{
    protocol::{
        Fault, paging,
        query::{self, Answer},
    },
    state::{
        Here,
        ecs::{Instance, last},
    },
};

/// A `/24`, less the five addresses that AWS keeps (Amazon VPC User Guide, "Subnet CIDR blocks").
const ADDRESSES: usize = 251;

/// The one VPC of load balancers and target groups.
const VPC: &str = "vpc-0123456789abcdef0";

/// What an operation lists.
struct Kind {
    operation: &'static str,
    /// How requests name one by its id.
    id: &'static str,
    /// Pages have from 5 items to so many, which is how many they have without a size.
    most: usize,
    /// The member of the answer.
    list: &'static str,
    /// The filters that there are, and the member that each is about.
    filters: &'static [(&'static str, &'static str)],
    /// All there are, by id.
    all: fn(&Here<'_>) -> Vec<(String, Value)>,
    /// What is said of ids that are not there.
    missing: fn(&[&str]) -> Fault,
}

/// The operations (Amazon EC2 API Reference).
const KINDS: [Kind; 3] = [
    Kind {
        operation: "DescribeSubnets",
        id: "SubnetId",
        most: 1000,
        list: "subnetSet",
        filters: &[
            ("subnet-id", "/subnetId"),
            ("state", "/state"),
            ("vpc-id", "/vpcId"),
            ("availability-zone", "/availabilityZone"),
            ("availabilityZone", "/availabilityZone"),
            ("available-ip-address-count", "/availableIpAddressCount"),
            ("owner-id", "/ownerId"),
            ("subnet-arn", "/subnetArn"),
            ("default-for-az", "/defaultForAz"),
        ],
        all: subnets,
        missing: |ids| not_found("InvalidSubnetID.NotFound", "subnet", ids),
    },
    Kind {
        operation: "DescribeInstances",
        id: "InstanceId",
        most: 1000,
        list: "reservationSet",
        filters: &[
            ("instance-id", "/instancesSet/0/instanceId"),
            ("instance-type", "/instancesSet/0/instanceType"),
            ("instance-state-name", "/instancesSet/0/instanceState/name"),
            ("availability-zone", "/instancesSet/0/placement/availabilityZone"),
            ("owner-id", "/ownerId"),
        ],
        all: instances,
        missing: |ids| not_found("InvalidInstanceID.NotFound", "instance", ids),
    },
    Kind {
        operation: "DescribeInstanceTypes",
        id: "InstanceType",
        most: 100,
        list: "instanceTypeSet",
        filters: &[
            ("instance-type", "/instanceType"),
            ("current-generation", "/currentGeneration"),
            ("network-info.maximum-network-interfaces", "/networkInfo/maximumNetworkInterfaces"),
        ],
        all: types,
        missing: |ids| {
            let text =
                format!("The following supplied instance types do not exist: [{}]", ids.join(", "));
            Fault::new("InvalidInstanceType", text)
        },
    },
];

pub(crate) fn knows(operation: &str) -> bool {
    KINDS.iter().any(|kind| kind.operation == operation)
}

/// What there is of a kind, by id and by filters, in pages.
pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Map<String, Value>) -> Answer {
    let Some(kind) = KINDS.iter().find(|kind| kind.operation == operation) else {
        let text = format!("The action {operation} is not valid for this web service.");
        return Err(Fault::new("InvalidAction", text));
    };
    if query::text(request, "DryRun") == Some("true") {
        let text = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault { status: 412, ..Fault::new("DryRunOperation", text) });
    }
    let asked: Vec<&str> = numbered(request, kind.id).filter_map(Value::as_str).collect();
    let all = (kind.all)(here);
    let is_there = |id: &str| all.iter().any(|(own, _)| own == id);
    let missing: Vec<&str> = asked.iter().copied().filter(|id| !is_there(id)).collect();
    if !missing.is_empty() {
        return Err((kind.missing)(&missing));
    }
    let size = size(kind, request, !asked.is_empty())?;
    let filters = filters(kind, request)?;
    let shown = all.into_iter().filter(|(id, shown)| {
        let wanted = |(member, values): &(&str, Vec<String>)| {
            shown.pointer(member).is_some_and(|own| values.contains(&text(own)))
        };
        (asked.is_empty() || asked.contains(&id.as_str())) && filters.iter().all(wanted)
    });
    let page = paging::page(shown.collect(), query::text(request, "NextToken"), size)
        .ok_or_else(|| Fault::new("InvalidNextToken", "The token is invalid."))?;
    let mut answer = Map::new();
    answer.insert(kind.list.to_owned(), Value::Array(page.items));
    if let Some(next) = page.next {
        answer.insert("nextToken".to_owned(), Value::String(next));
    }
    Ok(answer)
}

fn not_found(code: &str, what: &str, ids: &[&str]) -> Fault {
    let text = match ids {
        [id] => format!("The {what} ID '{id}' does not exist"),
        _ => format!("The {what} IDs '{}' do not exist", ids.join(", ")),
    };
    Fault::new(code, text)
}

/// What is numbered: `Name.1`, `Name.2`.
fn numbered<'r>(request: &'r Map<String, Value>, name: &str) -> impl Iterator<Item = &'r Value> {
    request.get(name).and_then(Value::as_object).into_iter().flat_map(Map::values)
}

/// How many items a page has.
fn size(kind: &Kind, request: &Map<String, Value>, by_id: bool) -> Result<usize, Fault> {
    match query::text(request, "MaxResults").map(str::parse) {
        None => Ok(kind.most),
        Some(Ok(_)) if by_id => Err(Fault::new(
            "InvalidParameterCombination",
            format!("The parameter {}s cannot be used with the parameter MaxResults", kind.id),
        )),
        Some(Ok(size)) if (5..=kind.most).contains(&size) => Ok(size),
        _ => Err(Fault::new(
            "InvalidParameterValue",
            format!("The value of MaxResults must be between 5 and {}.", kind.most),
        )),
    }
}

/// The members that must have one of some values.
fn filters(
    kind: &Kind,
    request: &Map<String, Value>,
) -> Result<Vec<(&'static str, Vec<String>)>, Fault> {
    let one = |filter: &Value| {
        let name = filter["Name"].as_str().unwrap_or_default();
        let found = kind.filters.iter().find(|(own, _)| *own == name).ok_or_else(|| {
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

fn subnets(here: &Here<'_>) -> Vec<(String, Value)> {
    let own = here.shared.subnets.iter();
    own.map(|(id, zone)| (id.clone(), subnet(here, id, zone))).collect()
}

fn subnet(here: &Here<'_>, id: &str, zone: &str) -> Value {
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

/// The instance types of scenarios, each with the network interfaces that it can have, its vCPUs, memory in MiB and
/// addresses of an interface (Amazon EC2 User Guide, "Maximum IP addresses per network interface"; Amazon EC2 Instance
/// Types).
const TYPES: [(&str, usize, u32, u32, u32); 5] = [
    ("t3.micro", 2, 2, 1024, 2),
    ("t3.medium", 3, 2, 4096, 6),
    ("m5.xlarge", 4, 4, 16384, 15),
    ("m5.4xlarge", 8, 16, 65536, 30),
    ("m5.16xlarge", 15, 64, 262_144, 50),
];

/// The smallest type of which one has interfaces for the tasks of an instance beside its own; or the largest.
fn type_of(one: &Instance) -> (&'static str, usize) {
    let [.., largest] = TYPES;
    let (name, interfaces, ..) =
        TYPES.into_iter().find(|(_, interfaces, ..)| *interfaces > one.enis).unwrap_or(largest);
    (name, interfaces)
}

/// The name of an instance's type.
pub(crate) fn type_name(one: &Instance) -> &'static str {
    type_of(one).0
}

/// Whether the interfaces of its tasks are branches of one trunk: it takes more of them than its type can have.
pub(crate) fn has_trunk(one: &Instance) -> bool {
    one.enis >= type_of(one).1
}

/// Each in a reservation of its own.
fn instances(here: &Here<'_>) -> Vec<(String, Value)> {
    let own = here.region.ecs.instances.values();
    own.map(|one| (one.ec2.clone(), instance(here, one))).collect()
}

fn instance(here: &Here<'_>, one: &Instance) -> Value {
    let id = one.ec2.trim_start_matches("i-");
    let of_tasks = here.region.ecs.tasks.values().filter(|task| {
        task.instance.as_ref() == Some(&one.arn)
            && task.network_mode == "awsvpc"
            && task.last_status != "STOPPED"
    });
    let (kind, most) = type_of(one);
    // Its own, and those that leave as many for tasks as the scenario says; or the trunk.
    let fixed = if has_trunk(one) { 2 } else { most.saturating_sub(one.enis) };
    let mut interfaces: Vec<String> = (0..fixed).map(|at| format!("eni-{at}{id}")).collect();
    if !has_trunk(one) {
        interfaces.extend(of_tasks.map(|task| format!("eni-{}", last(&task.arn))));
    }
    let interfaces = interfaces.iter().enumerate().map(|(at, interface)| {
        json!({
            "networkInterfaceId": interface,
            "status": "in-use",
            "attachment": { "attachmentId": format!("{interface}-attach"), "deviceIndex": at, "status": "attached" },
        })
    });
    let interfaces: Vec<Value> = interfaces.collect();
    json!({
        "reservationId": format!("r-{id}"),
        "ownerId": here.shared.account,
        "instancesSet": [{
            "instanceId": one.ec2,
            "instanceType": kind,
            "instanceState": { "code": 16, "name": "running" },
            "placement": { "availabilityZone": one.zone, "tenancy": "default" },
            "vpcId": VPC,
            "networkInterfaceSet": interfaces,
        }],
    })
}

fn types(_: &Here<'_>) -> Vec<(String, Value)> {
    let shown = TYPES.map(|(name, interfaces, vcpus, memory, addresses)| {
        let shown = json!({
            "instanceType": name,
            "currentGeneration": true,
            "vCpuInfo": { "defaultVCpus": vcpus },
            "memoryInfo": { "sizeInMiB": memory },
            "networkInfo": {
                "maximumNetworkInterfaces": interfaces,
                "ipv4AddressesPerInterface": addresses,
            },
        });
        (name.to_owned(), shown)
    });
    shown.to_vec()
}
