//! The sandbox as its clients see it: raw HTTP requests in, answers out, in virtual time.

mod alarms;
mod coverage;
mod definitions;
mod depend;
#[cfg(feature = "sdk")]
mod faults;
#[cfg(feature = "http")]
mod http;
mod instances;
mod invariants;
mod logs;
mod named;
mod native;
mod native_hooks;
mod native_more;
mod native_rules;
mod paging;
mod partitions;
mod policies;
mod protocol;
mod refusals;
mod refused_services;
mod rollout;
mod rollouts;
mod saved;
mod scaling;
mod scenarios;
#[cfg(feature = "sdk")]
mod sdk;
mod services;
mod support;
mod targets;
mod throttling;
