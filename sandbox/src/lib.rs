//! An AWS for rehearsals: Amazon ECS, Elastic Load Balancing, Amazon ECR, AWS STS, Application Auto
//! Scaling and the reads of Amazon CloudWatch Logs, as far as services behind load balancers need them.
//! It lives in the process and in virtual time. It answers any client as AWS would, and knows none.
//!
//! ```text
//! request -> cloud::answer -> services -> ecs | elb | ecr | sts | logs | autoscaling -> state, journal
//! time    -> cloud::due    -------------> ecs | elb | logs                           -> state, journal
//!                                                             journal -> invariants -> violations
//! ```
//!
//! # The rooms, from the ground up
//!
//! A room uses only rooms above it in this list; a test of the workspace finds import cycles.
//!
//! - `duration`, `clock`, `ids`, `timing`, `image`: times, names that AWS makes up, how long things take,
//!   what the containers of an image do. `lambda`: what Lambda functions answer. `unverified`: what AWS
//!   does not say, as a scenario decides it.
//! - `protocol/`: how AWS is spoken to: HTTP, awsJson, the query protocol, Smithy RPC v2, pages, refusals,
//!   and the tables of members in `shapes/`. Members that a table does not know are kept and echoed.
//! - `call`: one API call. [`faults`]: what can happen to it on its way. [`journal`]: every change.
//! - `state/`: what there is, as plain data: `Shared`, `Region`, `Here`, the resources of each service, and
//!   the timers. This is what is saved. `past`: the state as stale reads see it.
//! - `network`: which task has an address, and what it replies.
//! - `elb/`: load balancers; `health` for targets, `rule` for how weights reach the nodes. `ecr`, `logs`,
//!   `sts`, `cloudwatch`, `ec2`, `named`, `quotas`: the other services that ECS or a client needs.
//! - `ecs/`: how services (`scheduler`; `native` for the strategies that shift traffic) and tasks (`task`)
//!   change, and the operations of Amazon ECS.
//!   `autoscaling`: scalable targets, which set the desired count of a service.
//! - [`iam`]: what a policy allows. `throttle`: how many calls AWS takes.
//! - `services`: the table of services: name, protocol, operations, needs of a policy, token buckets.
//! - `serving`: where requests go now; `visit`: a request of a user's. [`invariants`]: what no client may do.
//! - `cloud/`: [`Cloud`] is the world. [`Cloud::handle`] answers a request, [`Cloud::advance`] lets time
//!   pass; both dispatch to the rooms above.
//! - [`refused`]: what AWS refuses, asked beforehand.
//! - [`scenario`]: worlds in TOML, built with the operations that a client would use.
//! - `transport`, `reply`: a call on its way to the world and back, over `sdk` (feature `sdk`: the HTTP
//!   client of the AWS SDK for Rust, in process) or `server/` (feature `http`: other processes, real time).
//!
//! Sources: the public API models and developer guides of the services. Times are assumed (see
//! `timing`) and can be set by each scenario.

mod autoscaling;
mod call;
mod clock;
mod cloud;
mod cloudwatch;
mod duration;
mod ec2;
mod ecr;
mod ecs;
mod elb;
pub mod faults;
pub mod iam;
mod ids;
mod image;
pub mod invariants;
pub mod journal;
mod lambda;
mod logs;
mod named;
mod network;
mod partition;
mod past;
mod protocol;
mod quotas;
pub mod refused;
#[cfg(any(feature = "http", feature = "sdk"))]
mod reply;
mod roles;
pub mod scenario;
#[cfg(feature = "sdk")]
pub mod sdk;
#[cfg(feature = "http")]
pub mod server;
mod services;
mod serving;
mod state;
mod sts;
mod throttle;
mod timing;
mod transport;
mod unverified;
mod visit;

pub use clock::Time;
pub use cloud::Cloud;
pub use image::{Does, Image};
pub use lambda::{Answers, Lambda};
pub use serving::{Behind, Serving};
pub use state::Load;
pub use timing::Timing;
pub use transport::Delivery;
pub use unverified::{
    CountFollows, Hooks, InfrastructureRole, InterruptedBake, PauseDetails, Unverified,
};
