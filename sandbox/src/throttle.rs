//! How many calls AWS takes: a token bucket per account, region and group of operations, with the sizes
//! that are documented (Amazon ECS: "Request throttling for the Amazon ECS API"; Elastic Load
//! Balancing: "Request throttling for the Elastic Load Balancing API"). All calls to Elastic Load
//! Balancing share one more bucket. It knows nothing of what the calls do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    call::{Call, is_read},
    clock::Time,
    protocol::Fault,
};

/// The buckets that were drawn from, by region and name: tokens left, and when that was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Buckets(BTreeMap<String, (f64, Time)>);

/// Name, burst, refill per second.
pub(crate) type Bucket = (&'static str, f64, f64);

const ELB_SHARED: Bucket = ("elb-shared", 40.0, 10.0);

/// The buckets of an operation of Amazon ECS.
pub(crate) fn ecs(operation: &str) -> Vec<Bucket> {
    vec![ecs_group(operation)]
}

/// The buckets of an operation of Elastic Load Balancing.
pub(crate) fn elb(operation: &str) -> Vec<Bucket> {
    vec![elb_group(operation), ELB_SHARED]
}

/// The buckets of an operation of CloudWatch Logs, in calls a second (CloudWatch Logs User Guide, quotas).
pub(crate) fn logs(operation: &str) -> Vec<Bucket> {
    match operation {
        "GetLogEvents" => vec![("log-events", 25.0, 25.0)],
        _ => vec![("log-streams", 25.0, 25.0)],
    }
}

/// No buckets: the service takes any number of calls.
pub(crate) fn none(_: &str) -> Vec<Bucket> {
    Vec::new()
}

fn ecs_group(operation: &str) -> Bucket {
    match operation {
        "CreateService" | "UpdateService" | "DeleteService" => ("service-modify", 50.0, 5.0),
        "DescribeServices" | "ListServices" | "ListServicesByNamespace" => {
            ("service-read", 100.0, 20.0)
        }
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => {
            ("task-definition-modify", 20.0, 1.0)
        }
        "DeleteTaskDefinitions" => ("task-definition-delete", 5.0, 1.0),
        "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => {
            ("task-definition-read", 50.0, 20.0)
        }
        "DescribeServiceDeployments" | "ListServiceDeployments" => {
            ("service-deployment-read", 50.0, 20.0)
        }
        "DescribeServiceRevisions" => ("service-revision-read", 50.0, 20.0),
        "TagResource" | "UntagResource" => ("tags-modify", 20.0, 10.0),
        "ListTagsForResource" => ("tags-read", 50.0, 20.0),
        _ if operation.ends_with("TaskSet") => ("task-set-modify", 100.0, 20.0),
        _ if is_read(operation) => ("cluster-resource-read", 100.0, 20.0),
        _ => ("cluster-resource-modify", 100.0, 40.0),
    }
}

fn elb_group(operation: &str) -> Bucket {
    match operation {
        "RegisterTargets" | "DeregisterTargets" => ("elb-targets", 20.0, 4.0),
        "CreateLoadBalancer" | "SetSubnets" => ("elb-load-balancers", 10.0, 0.2),
        _ if is_read(operation) => ("elb-read", 200.0, 50.0),
        _ => ("elb-modify", 20.0, 3.0),
    }
}

impl Buckets {
    /// Takes a token from each bucket of a call, or refuses it and takes none.
    pub(crate) fn take(
        &mut self,
        now: Time,
        call: &Call,
        buckets: Vec<Bucket>,
    ) -> Result<(), Fault> {
        let key = |name: &str| format!("{} {name}", call.region);
        let mut left = Vec::new();
        for (name, burst, refill) in buckets {
            let (tokens, since) = self.0.get(&key(name)).copied().unwrap_or((burst, now));
            let tokens = burst.min(tokens + (now - since).as_secs_f64() * refill);
            if tokens < 1.0 {
                return Err(Fault::throttled(&call.service));
            }
            left.push((key(name), (tokens - 1.0, now)));
        }
        self.0.extend(left);
        Ok(())
    }
}
