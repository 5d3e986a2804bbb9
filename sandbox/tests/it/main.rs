//! The sandbox as its clients see it: raw HTTP requests in, answers out, in virtual time.

mod definitions;
mod invariants;
mod protocol;
mod rollout;
mod saved;
mod scenarios;
#[cfg(feature = "sdk")]
mod sdk;
mod services;
mod support;
mod targets;
