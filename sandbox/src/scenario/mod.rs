//! Worlds in TOML. A scenario says what is there with the words of the `Create…` requests, names instead
//! of ARNs, and how images behave; it is built through the same operations that a client would use.
//!
//! ```toml
//! extends = 'shop'                    # a built-in scenario, or a file beside this one
//! region = 'eu-central-1'
//! seed = 7                            # another seed, other ids
//! [timing]                            # see `Timing`
//! propagation = '30s'
//! [throttling]
//! enabled = true                      # only as many calls as AWS takes
//! [settings]
//! merge = true                        # what an update leaves out of a block stays; else it is gone
//! [native]                            # what AWS does not say, see `Unverified`
//! hooks = 'copied'
//! [subnets]
//! subnet-c = 'eu-central-1c'
//! [[target_group]]
//! name = 'web-a'
//! attributes = { 'deregistration_delay.timeout_seconds' = '300' }
//! [[service]]                         # a CreateService request; `targetGroup` is a target group's name
//! serviceName = 'web'
//! desiredCount = 4
//! update = [{ forceNewDeployment = true }]  # UpdateService requests, when the world has come to rest
//! [[service]]
//! serviceName = 'web-green'
//! absent = true                       # takes away what the extended scenario has
//! [[image]]
//! ref = 'shop/web:*'
//! does = 'slow'                       # serve, exit, oom, missing, slow, sick
//! ready = '2m'
//! ```
//!
//! `container_instance`s give a cluster room (`cluster`, `az`, `cpu`, `memory`, `enis`,
//! `gpus`, `ec2InstanceId`), a `capacity` takes Fargate's away (`from`, `until`, `az`, `reason`), an `alarm`
//! begins in a `state`, a `load` is what the requests to a service take:
//!
//! ```toml
//! [[container_instance]]
//! name = 'one'
//! cluster = 'shop'
//! az = 'a'
//! cpu = 2048
//! memory = 4096
//! enis = 2
//! [[capacity]]
//! name = 'a is full'
//! az = 'a'
//! from = '1m'                         # after the world begins
//! until = '5m'
//! [[alarm]]
//! name = 'errors'
//! state = 'OK'                        # OK, ALARM or INSUFFICIENT_DATA
//! [[load]]                            # `cpu`, `memory`: in percent of what one task has
//! service = 'shop/web'
//! cpu = 60
//! [[lambda]]                          # a function that lifecycle hooks call
//! name = 'smoke-test'
//! does = 'fail'                       # succeed, fail, progress, hang, garbage, denied, unassumable
//! [[role]]                            # each role that a task definition names is there, and so is
//! name = 'shop-execution'             # each secret and parameter
//! trusts = 'ec2.amazonaws.com'        # ecs-tasks.amazonaws.com
//! [[missing]]                         # a role, secret or parameter that is not
//! name = 'shop-task'
//! [[subnet]]                          # how many addresses it has
//! name = 'subnet-a'
//! addresses = 3
//! [[limit]]                           # a quota of Elastic Load Balancing, by the name that
//! name = 'target-groups'              # DescribeAccountLimits gives it, or of AWS Fargate:
//! max = 4                             # 'Fargate On-Demand vCPU resource count'
//! ```
//!
//! The other sections are `load_balancer`, `target_group`, `listener`, `rule`, `cluster`, `repository`,
//! `task_definition` (several of one family are its revisions, in order), `service`, `scalable_target`
//! and `image`. An item replaces the members that it names in the item of the same name (`name`,
//! `serviceName`, `family` and order, `ref`) of the scenario that is extended. Members that are not
//! known here are refused, but those of `Create…` requests go to the API, which keeps them.
//!
//! `read` reads and merges files, `build` makes the world, `words` turns a scenario's words into AWS's.

use std::collections::BTreeMap;

use toml::Table;

use crate::{timing::Timing, unverified::Unverified};

mod balancing;
mod build;
mod capacity;
mod named;
mod read;
mod words;

pub use crate::image::Image;

/// The scenarios that are built in.
const BUILTIN: &[(&str, &str)] = &[
    ("canary", include_str!("../../scenarios/canary.toml")),
    ("empty", include_str!("../../scenarios/empty.toml")),
    ("native", include_str!("../../scenarios/native.toml")),
    ("shop", include_str!("../../scenarios/shop.toml")),
    ("solo", include_str!("../../scenarios/solo.toml")),
];

/// The names of the scenarios that are built in.
pub fn names() -> Vec<&'static str> {
    BUILTIN.iter().map(|(name, _)| *name).collect()
}

/// The text of a scenario that is built in.
fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}

/// A world, described.
#[derive(Clone, Debug)]
pub struct Scenario {
    region: String,
    seed: u64,
    timing: Timing,
    throttling: bool,
    merges_settings: bool,
    unverified: Unverified,
    subnets: BTreeMap<String, String>,
    /// By section (`service`, `target_group`, …), in the order of the file.
    sections: BTreeMap<&'static str, Vec<Item>>,
}

/// One table of a section, and where it stands.
#[derive(Clone, Debug)]
struct Item {
    /// What it is called among those of its section.
    key: String,
    table: Table,
    place: Place,
}

/// A place in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    file: String,
    line: usize,
    /// The lines of the item, to find a member's own line.
    text: String,
}

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Error {
    /// The file, or the name of the built-in scenario.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong; it names the member.
    pub what: String,
}

impl Scenario {
    /// Reads a scenario. `name` is its file: `extends` finds files beside it.
    pub fn parse(text: &str, name: &str) -> Result<Scenario, Error> {
        read::read(text, name)
    }

    /// A scenario that is built in.
    pub fn builtin(name: &str) -> Option<Scenario> {
        Scenario::parse(builtin(name)?, name).ok()
    }
}

impl Place {
    /// An error at the line of a member, if it can be found, else at the item's first line.
    fn error(&self, member: Option<&str>, what: impl Into<String>) -> Error {
        let own = member.and_then(|member| {
            let named = |line: &str| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
                    .any(|word| word == member)
            };
            self.text.lines().position(named)
        });
        Error { file: self.file.clone(), line: self.line + own.unwrap_or(0), what: what.into() }
    }
}
