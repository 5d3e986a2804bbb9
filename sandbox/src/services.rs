//! The services of this AWS, as a table: how requests name each, what it answers, what its calls need of a
//! policy, and how many of them it takes. A new service is one entry. What a service does is in its room.

use serde_json::{Map, Value};

use crate::{
    autoscaling, cloudwatch, ec2, ecr, ecs, elb,
    iam::{
        Need,
        needs::{self, Asked, Place},
    },
    logs, named,
    protocol::{json, query, shapes::Wire},
    quotas, roles,
    state::Here,
    sts,
    throttle::{self, Bucket},
};

/// One service.
pub(crate) struct Service {
    /// Its name in credential scopes, in IAM actions and in the journal.
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    /// Whether it has an operation. Calls of others are neither throttled nor authorised.
    pub(crate) knows: fn(&str) -> bool,
    /// What a policy must allow for a call.
    pub(crate) needs: fn(&Place<'_>, &Asked<'_>) -> Vec<Need>,
    /// The token buckets of an operation.
    pub(crate) buckets: fn(&str) -> Vec<Bucket>,
}

/// How requests name a service, and the function that answers them.
pub(crate) enum Protocol {
    /// awsJson: `X-Amz-Target: <target>.<operation>`.
    Json {
        target: &'static str,
        answer: fn(&mut Here<'_>, &str, &json::Request<'_>) -> json::Answer,
    },
    /// The query protocol: the parameters `Version` and `Action`.
    Query {
        version: &'static str,
        /// The XML namespace of its answers.
        namespace: &'static str,
        answer: fn(&mut Here<'_>, &str, &Map<String, Value>) -> query::Answer,
    },
    /// The query protocol, awsJson 1.0 and Smithy RPC v2.
    Every {
        version: &'static str,
        namespace: &'static str,
        target: &'static str,
        /// Which members of its answers are times.
        is_time: fn(&str) -> bool,
        answer: fn(&mut Here<'_>, &str, &Map<String, Value>, Wire) -> query::Answer,
    },
    /// The query protocol as Amazon EC2 speaks it: lists by number, and an answer without a wrapper.
    Ec2 {
        version: &'static str,
        answer: fn(&mut Here<'_>, &str, &Map<String, Value>) -> query::Answer,
    },
}

const ELB: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

const SERVICES: &[Service] = &[
    Service {
        name: "ecs",
        protocol: Protocol::Json {
            target: "AmazonEC2ContainerServiceV20141113",
            answer: ecs::call,
        },
        knows: ecs::knows,
        needs: needs::ecs,
        buckets: throttle::ecs,
    },
    Service {
        name: "elasticloadbalancing",
        protocol: Protocol::Query { version: "2015-12-01", namespace: ELB, answer: elb::call },
        knows: elb::knows,
        needs: needs::elb,
        buckets: throttle::elb,
    },
    Service {
        name: "ecr",
        protocol: Protocol::Json {
            target: "AmazonEC2ContainerRegistry_V20150921",
            answer: ecr::call,
        },
        knows: ecr::knows,
        needs: needs::ecr,
        buckets: throttle::none,
    },
    Service {
        name: "sts",
        protocol: Protocol::Query {
            version: "2011-06-15",
            namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
            answer: sts::call,
        },
        knows: |_| true,
        needs: needs::sts,
        buckets: throttle::none,
    },
    Service {
        name: "logs",
        protocol: Protocol::Json { target: "Logs_20140328", answer: logs::call },
        knows: logs::knows,
        needs: needs::logs,
        buckets: throttle::logs,
    },
    Service {
        name: "cloudwatch",
        protocol: Protocol::Every {
            version: "2010-08-01",
            namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
            target: "GraniteServiceVersion20100801",
            is_time: cloudwatch::is_time,
            answer: cloudwatch::call,
        },
        knows: cloudwatch::knows,
        needs: needs::alarms,
        buckets: throttle::none,
    },
    Service {
        name: "application-autoscaling",
        protocol: Protocol::Json { target: "AnyScaleFrontendService", answer: autoscaling::call },
        knows: autoscaling::knows,
        needs: needs::scaling,
        buckets: throttle::none,
    },
    Service {
        name: "iam",
        protocol: Protocol::Query {
            version: "2010-05-08",
            namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
            answer: roles::call,
        },
        knows: roles::knows,
        needs: needs::roles,
        buckets: throttle::none,
    },
    Service {
        name: "secretsmanager",
        protocol: Protocol::Json { target: "secretsmanager", answer: named::secrets },
        knows: named::knows_secrets,
        needs: needs::secrets,
        buckets: throttle::none,
    },
    Service {
        name: "ssm",
        protocol: Protocol::Json { target: "AmazonSSM", answer: named::parameters },
        knows: named::knows_parameters,
        needs: needs::anywhere,
        buckets: throttle::none,
    },
    Service {
        name: "servicequotas",
        protocol: Protocol::Json { target: "ServiceQuotasV20190624", answer: quotas::call },
        knows: quotas::knows,
        needs: needs::anywhere,
        buckets: throttle::none,
    },
    Service {
        name: "ec2",
        protocol: Protocol::Ec2 { version: "2016-11-15", answer: ec2::call },
        knows: ec2::knows,
        needs: needs::anywhere,
        buckets: throttle::none,
    },
];

/// The service that an `X-Amz-Target`, or a path of Smithy RPC v2, names.
pub(crate) fn by_target(wanted: &str) -> Option<&'static Service> {
    let named = |service: &&Service| match service.protocol {
        Protocol::Json { target, .. } | Protocol::Every { target, .. } => target == wanted,
        Protocol::Query { .. } | Protocol::Ec2 { .. } => false,
    };
    SERVICES.iter().find(named)
}

/// The service whose API has a `Version`.
pub(crate) fn by_version(wanted: &str) -> Option<&'static Service> {
    let named = |service: &&Service| match service.protocol {
        Protocol::Query { version, .. }
        | Protocol::Every { version, .. }
        | Protocol::Ec2 { version, .. } => version == wanted,
        Protocol::Json { .. } => false,
    };
    SERVICES.iter().find(named)
}

/// The XML namespace for a service by its name: Elastic Load Balancing's, unless it has one of its own.
pub(crate) fn namespace(name: Option<&str>) -> &'static str {
    let own = SERVICES.iter().find(|service| Some(service.name) == name);
    match own.map(|service| &service.protocol) {
        Some(Protocol::Query { namespace, .. } | Protocol::Every { namespace, .. }) => namespace,
        _ => ELB,
    }
}
