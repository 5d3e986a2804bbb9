//! An AWS for rehearsals: Amazon ECS, Elastic Load Balancing, Amazon ECR, AWS STS, Application Auto
//! Scaling and what is read of Amazon CloudWatch Logs, as far as services behind load balancers need them, living in the process and in virtual
//! time. It answers any client as AWS would; it knows of none.
//!
//! ```text
//! HTTP request -> wire -> json | query -> ecs | elb | ecr | sts | logs | autoscaling -> journal
//! time         -> timers -> ecs::scheduler, ecs::task, elb::health, elb::rule  -> journal
//!                                                        journal -> invariants -> violations
//! ```
//!
//! - [`Cloud`] is the world: [`Cloud::handle`] answers a request, [`Cloud::advance`] lets time pass.
//! - `wire`, `json`, `query`, `shapes`, `fault`: the protocols. Members that the tables in `shapes/` do
//!   not know are kept and echoed.
//! - `ecs/`: what ECS keeps, its operations, and how services (`scheduler`) and tasks (`task`) change.
//! - `elb/`: the same for load balancers; `health` for targets, `rule` for how weights reach the nodes.
//! - [`journal`]: every change; [`invariants`]: what no client may do.
//! - [`scenario`]: worlds in TOML. `image`: what the containers of an image do.
//! - `transport` and [`faults`]: a call on its way, and what can happen to it there, over two transports:
//!   `sdk` (feature `sdk`), the HTTP client of the AWS SDK for Rust, in process; `server` and `control`
//!   (feature `http`), for clients in other processes and in real time.
//! - `throttle` and [`iam`]: how many calls AWS takes, and which ones a policy allows; `past`: the world
//!   as stale reads see it; `paging`: pages of lists.
//!
//! Sources: the public API models and developer guides of the services. Times are assumed (see
//! `timing`) and can be set by each scenario.

mod autoscaling;
mod call;
mod clock;
mod cloud;
mod duration;
mod ecr;
mod ecs;
mod elb;
pub mod faults;
pub mod iam;
mod ids;
mod image;
pub mod invariants;
pub mod journal;
mod logs;
mod network;
mod past;
mod protocol;
#[cfg(any(feature = "http", feature = "sdk"))]
mod reply;
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

pub use clock::Time;
pub use cloud::Cloud;
pub use image::{Does, Image};
pub use serving::{Behind, Serving};
pub use timing::Timing;
pub use transport::Delivery;
