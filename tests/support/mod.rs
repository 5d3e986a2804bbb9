//! What the tests, the sweeps and the benchmark `seeds` share: worlds, the processes that live and die
//! in them, and the judges. The crate that includes it says in `stride` which part of an enumeration it
//! tries.

pub(crate) mod chaos; // a random life from a seed, and pairs of deaths
pub(crate) mod fate; // what happens to the calls of one process
pub(crate) mod invariants; // judged from the sandbox's journal
pub(crate) mod lives; // how a process lives and dies in a simulation
pub(crate) mod scenes; // what is deployed, where, and what must come of it
pub(crate) mod sweep; // many lives, on every core
