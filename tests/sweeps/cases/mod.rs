//! The enumerations. Both `tests/sweeps` and `tests/it` have them; `stride` of each says how many cases
//! of them it tries.

pub(crate) mod before; // one task prepares a deployment, whichever call the process dies at
mod clocks; // a machine that is suspended, a wall clock that is set
mod deaths; // killed at every call, once or twice; random lives
pub(crate) mod degraded; // the old side is not whole; a good image gets live all the same
pub(crate) mod drift; // back to a service without a record, killed at every call
pub(crate) mod edits; // the same command adopts what was killed
mod faults; // every fault at every call
pub(crate) mod forged; // records and twin tags that a stranger wrote
mod frozen; // an owner that stands still and wakes
mod gallery; // what happens beside a deployment, at every moment of it
mod least; // each scene under the least policy, and without each of its actions
pub(crate) mod native; // deaths, faults and outsiders where ECS shifts the traffic
mod native_lasting; // the same, where a fault, a rival or a freeze lasts
pub(crate) mod native_scenes; // the same behind a Network Load Balancer and behind none; strategies that change
pub(crate) mod overtaken; // another tool deploys to green, at every moment
pub(crate) mod permanent; // reads that always fail or always take long
pub(crate) mod rolling; // deaths, faults and rivals where ECS replaces the tasks
pub(crate) mod scaling; // a pair that is scaled, and scheduled actions at every moment
mod starts; // generated starts: some can never succeed, some only take long
mod tampered; // records that were edited, things that were deleted
pub(crate) mod version_one; // records that an older release left
