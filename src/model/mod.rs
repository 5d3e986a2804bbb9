//! What AWS said, as data. Knows nothing but itself: no client, no request, no decision.

pub mod arn;
pub mod definition;
pub mod diff;
pub mod ecs_reason;
pub mod gate;
pub mod health;
pub mod log;
pub mod quota;
pub mod raw_json;
pub mod reads;
pub mod revision;
pub mod rule;
pub mod scaling;
pub mod serial;
pub mod served;
pub mod service_deployment;
pub mod world;
